#!/usr/bin/python3
"""A seed and two nodes over tcp+tls find each other and chat through dchat, while a third node
does what it can against it. spec: network.md 7.4 - 7.7; apps.md 3, 5
"""

import json
import random
import struct
import subprocess
import sys
import tempfile
import threading
import time
import unittest

import harness
from harness import PATIENCE, Node, await_that, options
from wire_peer import (MAGIC, Closed, Peer, addr_payload, frame, getaddr_payload, make_certificate,
                       string, tls_context, varint, verack_payload, version_payload)

SCHEME = "tcp+tls"


def dchat(node, *words):
    port = node.wait_log(r"JSON-RPC listens on tcp://127\.0\.0\.1:(\d+)/")
    done = subprocess.run([str(harness.BIN / "dchat"), "-e", "127.0.0.1:" + port, *words],
                          capture_output=True, text=True, timeout=PATIENCE, check=False)
    assert done.returncode == 0, done
    assert done.stderr == "", done
    return done.stdout


class Hostile:
    """A node of the network with a certificate, an address book of lies and no manners. It never
    stops until told; what it is thrown out for is its own affair."""

    def __init__(self, ports, certificate, number):
        self.ports, self.certificate = ports, certificate
        self.source = "127.77.0.%d" % (number + 1)
        self.random = random.Random(number)
        self.running, self.deeds, self.failure = True, 0, None
        self.thread = threading.Thread(target=self.run, daemon=True)
        self.thread.start()

    def stop(self):
        self.running = False
        self.thread.join(PATIENCE)
        assert self.failure is None, self.failure

    def run(self):
        try:
            while self.running:
                self.source = "127.77.%d.%d" % (self.random.randrange(256),
                                                self.random.randrange(1, 255))
                port = self.random.choice(self.ports)
                deed = self.random.choice(self.all_deeds)
                try:
                    if deed is Hostile.knocks:
                        deed(self, port)
                        continue
                    with Peer.dial(port, self.source, tls=tls_context(False, self.certificate),
                                   patience=1) as peer:
                        deed(self, peer)
                except (Closed, OSError, ValueError):
                    pass
                self.deeds += 1
        except Exception as error:  # of the test itself
            self.failure = error

    def knocks(self, port):
        with Peer.dial(port, self.source, patience=0.05) as peer:
            peer.send_raw(self.random.randbytes(300))
            peer.expect_closed()

    def lies(self, peer):
        peer.handshake()
        peer.send("addr", addr_payload([
            ("%s://127.0.0.1:%d/" % (SCHEME, self.random.randrange(1, 1024)),
             self.random.choice((0, int(time.time()), 1 << 63))) for _ in range(20)]))
        peer.send("getaddr", getaddr_payload(4294967295, (SCHEME,)))
        peer.expect("addr")

    def floods(self, peer):
        peer.handshake()
        for _ in range(60):
            peer.send("ping", struct.pack("<H", 1))
            peer.send("getaddr", getaddr_payload(255, ()))
        peer.expect_closed()

    def promises(self, peer):
        peer.handshake()
        peer.send_raw(MAGIC + string("DchatMsg") + varint(16 << 20) + b"\xfe\0\0\xff\0")
        peer.expect_closed(0.2)

    def stammers(self, peer):
        raw = bytearray(frame("version", version_payload()) + frame("verack", verack_payload()) +
                        frame("getaddr", getaddr_payload()) + frame("DchatMsg", string("hello")))
        for _ in range(self.random.randrange(4)):
            raw[self.random.randrange(len(raw))] ^= 1 << self.random.randrange(8)
        peer.send_raw(bytes(raw))
        peer.expect_closed(0.2)

    def impersonates(self, peer):
        """Says that it is at everybody's address."""
        peer.handshake(version_payload(ext=["%s://127.0.0.1:%d/" % (SCHEME, port)
                                            for port in self.ports]))
        peer.send("DchatMsg", string("\x1b[2J\x07 trust me"))
        peer.expect("pong" if peer.seen else "getaddr", patience=0.1)

    def leaves(self, peer):
        peer.send_raw(frame("version", version_payload())[:self.random.randrange(1, 60)])

    all_deeds = (knocks, lies, floods, promises, stammers, impersonates, leaves)


class Network(unittest.TestCase):
    def test_two_nodes_a_seed_and_an_enemy(self):
        settings = {"scheme": SCHEME, "outbound_connections": 2, "inbound_connections": 16,
                    "net": "greylist_refinery_interval = 1\n"
                           "outbound_peer_discovery_attempt_time = 1"}
        with tempfile.TemporaryDirectory(prefix="hypha-interop-") as folder:
            certificate = make_certificate(folder)
            with Node("seed", SCHEME) as seed, Node(seeds=[seed.url], **settings) as ann:
                enemies = [Hostile([seed.port, ann.port], certificate, n) for n in range(2)]
                try:
                    with Node(seeds=[seed.url], **settings) as bob:
                        for enemy in enemies:
                            enemy.ports.append(bob.port)
                        self.meet(ann, bob)
                        self.chat(ann, bob)
                        await_that("enough hostility",
                                   lambda: sum(enemy.deeds for enemy in enemies) > 60)
                        self.chat(bob, ann, 100)
                        self.assertLess(bob.rss_kb(), 200 * 1024)
                finally:
                    for enemy in enemies:
                        enemy.stop()

    def meet(self, ann, bob):
        """Each is the other's peer; who dialled whom does not matter."""
        def known(node, other):
            with node.rpc() as rpc:
                return any(channel["url"] == other.url for channel in rpc.channels()
                           if channel["session"] == "outbound")

        await_that("a channel", lambda: known(ann, bob) or known(bob, ann), pause=0.1)

    def chat(self, one, other, first=0):
        def heard(node):
            return dchat(node, "recv").splitlines()

        for n in range(first, first + 3):
            dchat(one, "send", "message", str(n), "of", one.url)
            dchat(other, "send", "message", str(n), "of", other.url)
        for n in range(first, first + 3):
            await_that("message %d" % n, lambda n=n: any(
                "message %d of %s" % (n, one.url) in line for line in heard(other)))
            await_that("message %d" % n, lambda n=n: any(
                "message %d of %s" % (n, other.url) in line for line in heard(one)))
        self.assertNotIn("\x1b", "".join(heard(one)))
        json.loads(dchat(one, "--json", "info").splitlines()[0])


if __name__ == "__main__":
    sys.argv = options(sys.argv)
    unittest.main()
