#!/usr/bin/python3
"""tcp+tls with OpenSSL on the other side, in both roles. spec: wire.md 6"""

import shutil
import ssl
import struct
import subprocess
import sys
import tempfile
import unittest

from harness import FakeListener, Node, options
from wire_peer import Closed, Peer, getaddr_payload, make_certificate, tls_context


class Tls(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.folder = tempfile.mkdtemp(prefix="hypha-interop-")
        cls.good = make_certificate(cls.folder, "good")
        cls.bad = {
            "two names": make_certificate(cls.folder, "two", "DNS:dark.fi,DNS:other"),
            "another name": make_certificate(cls.folder, "other", "DNS:other"),
            "another case": make_certificate(cls.folder, "case", "DNS:Dark.fi"),
            "not a name": make_certificate(cls.folder, "ip", "IP:127.0.0.1"),
            "not ed25519": make_certificate(cls.folder, "ec", algorithm="ec"),
        }
        cls.node = Node("dchatd", "tcp+tls", timeouts=(3, 3, 60))

    @classmethod
    def tearDownClass(cls):
        cls.node.stop()
        shutil.rmtree(cls.folder)

    def dial(self, certificate):
        return Peer.dial(self.node.port, tls=tls_context(False, certificate))

    def test_node_accepts(self):
        with self.dial(self.good) as peer:
            self.assertEqual(peer.sock.version(), "TLSv1.3")
            self.assertIsNone(peer.sock.selected_alpn_protocol())
            theirs = peer.handshake()
            self.assertTrue(theirs["connect"].startswith("tcp+tls://127.0.0.1:"))
            peer.send("ping", struct.pack("<H", 9))
            self.assertEqual(peer.expect("pong")["nonce"], 9)
            peer.send("getaddr", getaddr_payload(8, ("tcp+tls",)))
            peer.expect("addr")

    def test_its_certificate(self):
        with self.dial(self.good) as peer:
            der = peer.sock.getpeercert(binary_form=True)
        text = ssl.DER_cert_to_PEM_cert(der)
        shown = subprocess.run(["openssl", "x509", "-noout", "-text"], input=text, text=True,
                               capture_output=True, check=True).stdout
        for part in ("Version: 3", "Issuer: CN = rcgen self signed cert",
                     "Subject: CN = rcgen self signed cert", "Not Before: Jan  1 00:00:00 1975 GMT",
                     "Not After : Jan  1 00:00:00 4096 GMT", "Public Key Algorithm: ED25519",
                     "DNS:dark.fi"):
            self.assertIn(part, shown)

    def test_without_or_with_a_bad_certificate_it_is_refused(self):
        for name, certificate in [("none", None), *self.bad.items()]:
            with self.subTest(name):
                with self.assertRaises((ssl.SSLError, Closed, ConnectionResetError)):
                    with self.dial(certificate) as peer:
                        peer.handshake()

    def test_tls_1_2_is_refused(self):
        context = tls_context(False, self.good)
        context.minimum_version = context.maximum_version = ssl.TLSVersion.TLSv1_2
        with self.assertRaises((ssl.SSLError, ConnectionResetError)):
            Peer.dial(self.node.port, tls=context)

    def test_a_silent_client_blocks_nobody(self):
        with Peer.dial(self.node.port), Peer.dial(self.node.port), self.dial(self.good) as peer:
            peer.handshake()

    def test_node_dials(self):
        names = []
        context = tls_context(True, self.good)
        context.verify_mode = ssl.CERT_REQUIRED  # so that a client certificate is asked for
        context.load_verify_locations(self.good[0])
        context.sni_callback = lambda _sock, name, _context: names.append(name)
        with FakeListener("tcp+tls") as listener:  # OpenSSL will not like the node's chain
            node = Node("dchatd", "tcp+tls", **listener.config_for("manual"))
            try:
                peer = listener.accept()
                with self.assertRaises(ssl.SSLCertVerificationError):
                    context.wrap_socket(peer.sock, server_side=True)
            finally:
                node.stop()
        self.assertEqual(names[:1], ["dark.fi"])

    def test_node_dials_and_talks(self):
        with FakeListener("tcp+tls", tls_context(True, self.good)) as listener:
            node = Node("dchatd", "tcp+tls", **listener.config_for("manual"))
            try:
                with listener.accept() as peer:
                    theirs = peer.handshake()
                    self.assertEqual(theirs["connect"], listener.url)
                    self.assertEqual(theirs["resolve"], listener.url)
                    self.assertEqual(theirs["ext"], node.external)
                    peer.expect("getaddr")
            finally:
                node.stop()

    def test_node_refuses_bad_servers(self):
        for name, certificate in self.bad.items():
            with self.subTest(name), FakeListener(
                    "tcp+tls", tls_context(True, certificate)) as listener:
                node = Node("dchatd", "tcp+tls", **listener.config_for("manual"))
                try:
                    with self.assertRaises((ssl.SSLError, Closed, OSError)):
                        with listener.accept() as peer:
                            peer.handshake()
                finally:
                    node.stop()


if __name__ == "__main__":
    sys.argv = options(sys.argv)
    unittest.main()
