#!/usr/bin/python3
"""Every row of wire.md 2.2 as amended by its section 8, against a running dchatd, as the dialer
(the node's INBOUND session).

Each case comes from an address of its own in 127/8, because an inbound ban covers a host: whether
it was banned shows in what happens to that host's next connection.
"""

import struct
import sys
import time
import unittest

from harness import Node, options
from wire_peer import (MAGIC, Closed, Peer, addr_payload, frame, getaddr_payload, string, varint,
                       verack_payload, version_payload)

BAN, NO_BAN = True, False


def overlong(command="ping"):
    """A frame head whose payload length is not in its shortest form."""
    return MAGIC + string(command) + b"\xfd\x02\x00" + b"\x01\x00"


def cases():
    ping = struct.pack("<H", 1)
    yield "eof in magic", MAGIC[:2], "fin", NO_BAN
    yield "eof in command length", MAGIC, "fin", NO_BAN
    yield "eof in command", MAGIC + b"\x04pi", "fin", NO_BAN
    yield "eof in payload length", MAGIC + b"\x04ping" + b"\xfd", "fin", NO_BAN
    yield "eof in payload", MAGIC + b"\x04ping\x02\x01", "fin", NO_BAN
    yield "wrong magic, inbound", frame("ping", ping, b"\x7f\x40\x0c\xc9"), "wait", NO_BAN
    yield "command length not minimal", MAGIC + b"\xfd\x04\x00ping", "wait", NO_BAN
    yield "command not utf-8", MAGIC + b"\x02\xc3\x28", "wait", NO_BAN
    yield "command of 256 bytes", MAGIC + varint(256) + b"a" * 256, "wait", BAN
    yield "command length 2^63", MAGIC + varint(1 << 63), "wait", BAN
    yield "command of 255 bytes, unknown", MAGIC + varint(255) + b"a" * 255, "wait", BAN
    yield "unknown command", MAGIC + string("nonsense"), "wait", BAN
    yield "empty command", MAGIC + b"\x00", "wait", BAN
    yield "payload length not minimal", overlong(), "wait", BAN
    yield "ping of 3 bytes", MAGIC + string("ping") + b"\x03", "wait", BAN
    yield "getaddr of 58 bytes", MAGIC + string("getaddr") + varint(58), "wait", BAN
    yield "addr of 65282 bytes", MAGIC + string("addr") + varint(65282), "wait", BAN
    yield "addr announces 2^60 bytes", MAGIC + string("addr") + varint(1 << 60), "wait", BAN
    yield "ping of 1 byte", frame("ping", b"\x01"), "wait", BAN
    yield "version with bytes left over", frame("version", version_payload() + b"\0"), "wait", BAN
    yield "addr with a bad url", frame("addr", addr_payload([("nonsense", 1)])), "wait", BAN
    yield "addr with too large a count", frame("addr", varint(1 << 40)), "wait", BAN
    yield "getaddr not utf-8", frame("getaddr", b"\1\0\0\0\1\2\xc3\x28"), "wait", BAN
    yield "verack of another app, inbound", frame("version", version_payload()) + frame(
        "verack", verack_payload(app="other")), "wait", NO_BAN
    yield "verack of another minor, inbound", frame("version", version_payload()) + frame(
        "verack", verack_payload(version="0.5.1")), "wait", NO_BAN
    yield "29 pings in 10 s", frame("version", version_payload()) + frame(
        "verack", verack_payload()) + b"".join(
            frame("ping", struct.pack("<H", n)) for n in range(29)), "wait", BAN


class Violations(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.node = Node("dchatd", timeouts=(2, 2, 60), inbound_connections=64)

    @classmethod
    def tearDownClass(cls):
        cls.node.stop()

    def is_banned(self, source):
        """A banned host is dropped right after accept, without a word."""
        try:
            with Peer.dial(self.node.port, source) as peer:
                command, _ = peer.receive()
                self.assertEqual(command, "version")
                return False
        except (Closed, ConnectionResetError):
            return True

    def test_every_row(self):
        for n, (name, raw, then, ban) in enumerate(cases()):
            source = f"127.1.0.{n + 1}"
            with self.subTest(name):
                with Peer.dial(self.node.port, source) as peer:
                    try:
                        peer.send_raw(raw)
                        if then == "fin":
                            peer.sock.shutdown(1)
                    except (Closed, OSError):
                        pass  # already thrown out
                    peer.expect_closed()
                self.assertEqual(self.is_banned(source), ban)

    def test_legal_limits_are_legal(self):
        with Peer.dial(self.node.port, "127.1.1.1") as peer:
            peer.handshake()
            nine = ("tor", "tls", "tcp", "nym", "i2p", "tor+tls", "nym+tls", "tcp+tls", "i2p+tls")
            payload = getaddr_payload(8, nine)
            self.assertEqual(len(payload), 57)
            peer.send("getaddr", payload)
            peer.expect("addr")
            # As many addresses as fit: not one byte more than allowed.
            entries = [("tcp://10.0.%d.%d:1/" % (n // 256, n % 256), 1) for n in range(2200)]
            while len(addr_payload(entries)) > 65281:
                entries.pop()
            peer.send("addr", addr_payload(entries))
            peer.send("ping", struct.pack("<H", 77))
            while peer.expect("pong")["nonce"] != 77:
                pass

    def test_byte_by_byte(self):
        with Peer.dial(self.node.port, "127.1.1.2") as peer:
            for byte in frame("version", version_payload()) + frame("verack", verack_payload()):
                peer.send_raw(bytes([byte]))
            peer.expect("verack")
            peer.expect("getaddr")

    def test_core_messages_before_the_handshake_ends(self):
        with Peer.dial(self.node.port, "127.1.1.3") as peer:
            peer.send("ping", struct.pack("<H", 5))
            peer.send("getaddr", getaddr_payload())
            peer.handshake()
            commands = []
            while not {"pong", "addr"} <= set(commands):
                commands.append(peer.receive()[0])

    def test_silence_ends_the_handshake_without_ban(self):
        with Peer.dial(self.node.port, "127.1.1.4") as peer:
            start = time.monotonic()
            peer.expect_closed()
            self.assertGreater(time.monotonic() - start, 1.0)
        self.assertFalse(self.is_banned("127.1.1.4"))

    def test_missing_pong_closes_without_ban(self):
        with Peer.dial(self.node.port, "127.1.1.5") as peer:
            peer.handshake()
            peer.expect("ping", answer_pings=False)
            peer.expect_closed()
        self.assertFalse(self.is_banned("127.1.1.5"))

    def test_wrong_pong_closes_without_ban(self):
        with Peer.dial(self.node.port, "127.1.1.6") as peer:
            peer.handshake()
            nonce = peer.expect("ping", answer_pings=False)["nonce"]
            peer.send("pong", struct.pack("<H", nonce ^ 1))
            peer.expect_closed()
        self.assertFalse(self.is_banned("127.1.1.6"))

    def test_28_pings_are_answered_late_but_answered(self):
        """wire.md 4.4: at the limit a peer is throttled only."""
        with Peer.dial(self.node.port, "127.1.1.7") as peer:
            peer.handshake()
            # version and verack count for the limit of 28 too.
            for nonce in range(4):
                peer.send("ping", struct.pack("<H", nonce))
            nonces = [peer.expect("pong")["nonce"] for _ in range(4)]
            self.assertEqual(nonces, [0, 1, 2, 3])

    def test_every_getaddr_gets_one_addr(self):
        with Peer.dial(self.node.port, "127.1.1.8") as peer:
            peer.handshake()
            for _ in range(3):
                peer.send("getaddr", getaddr_payload())
            for _ in range(3):
                peer.expect("addr")


if __name__ == "__main__":
    sys.argv = options(sys.argv)
    unittest.main()
