#!/usr/bin/python3
"""A thousand half-open connections and sixty-four clients that read nothing, on a node with a
plain and a TLS listener: an honest peer connects in under a second, memory and descriptors stay
bounded, nobody else is disturbed. spec: network.md 6.2, 10
"""

import socket
import struct
import sys
import time
import unittest

from flood_test import LONG, SOON, Flooded, Mob, cpu_seconds
from harness import Node, await_that, options
from wire_peer import Closed, Peer, frame, getaddr_payload, tls_context, version_payload

BOTH = {"active_profiles": '"tcp", "tcp+tls"',
        "after": '[net.profiles."tcp+tls"]\ninbound = ["tcp+tls://127.0.0.1:0"]\n'
                 'channel_handshake_timeout = 60\n'}
CLIENT_HELLO = b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03"  # its first bytes
MOB = "127.66.0.1"  # where Mob comes from
MEMORY_KB = 12 * 1024


class HalfOpen(Flooded):
    def dual(self, **options):
        node = Node(timeouts=LONG, **BOTH, **options)
        node.tls_port = int(node.wait_log(r"istening on tcp\+tls://127\.0\.0\.1:(\d+)/"))
        return node

    def guest(self, node, source, scheme="tcp"):
        """A peer that has shaken hands and is answered; how long that took."""
        start = time.monotonic()
        if scheme == "tcp":
            peer = Peer.dial(node.port, source)
        else:
            peer = Peer.dial(node.tls_port, source, tls=tls_context(False, self.certificate))
        peer.handshake()
        peer.send("ping", struct.pack("<H", 7))
        while peer.expect("pong")["nonce"] != 7:
            pass
        return peer, time.monotonic() - start

    def guest_soon(self, node, source, scheme):
        """Among the sockets of one address the oldest goes when a new one comes: 40 new ones of
        the mob push out its neighbour too, if the machine is so slow that they come in between."""
        for _ in range(4 if source == MOB else 0):
            try:
                return self.guest(node, source, scheme)
            except (Closed, OSError):
                pass
        return self.guest(node, source, scheme)

    def connect_times(self, node, rounds=5):
        """Honest peers of other addresses, and of the mob's own one; the slowest of each."""
        slowest = {}
        for n in range(rounds):
            for scheme in ("tcp", "tcp+tls"):
                for source in ("127.0.0.%d" % (2 + n), "127.0.0.1", MOB):
                    peer, took = self.guest_soon(node, source, scheme)
                    peer.close()
                    kind = scheme, source if source == MOB else "other"
                    slowest[kind] = max(took, slowest.get(kind, 0))
        for took in slowest.values():
            self.assertLess(took, SOON)
        return slowest

    def tell(self, what, node, before, slowest):
        print("%s: %+d kB, %d descriptors, slowest %s" % (
            what, node.rss_kb() - before, node.descriptors(),
            ", ".join("%s from %s %.0f ms" % (*kind, took * 1000)
                      for kind, took in slowest.items())), file=sys.stderr)

    # spec: network.md MUST 6.2-c, 6.2-d, 6.2-e: 1,000 half-open sockets keep nobody out
    def test_1000_half_open(self):
        for words in (b"", None):
            plain = frame("version", version_payload())[:-3] if words is None else b""
            hello = CLIENT_HELLO if words is None else b""
            with self.subTest(words=words), self.dual() as node, node.rpc() as rpc:
                old, _ = self.guest(node, "127.0.0.50")
                self.connect_times(node, 1)  # what a first connection costs
                before = node.rss_kb()
                with Mob(node.port, 500, 1, plain), Mob(node.tls_port, 500, 1, hello):
                    slowest = self.connect_times(node)
                    self.assertLess(node.rss_kb() - before, MEMORY_KB)
                    self.assertLess(node.descriptors(), 100)
                    await_that("only it is there", lambda r=rpc: len(r.channels()) == 1)
                    self.tell("1,000 half-open", node, before, slowest)
                old.send("ping", struct.pack("<H", 9))  # it has noticed nothing
                while old.expect("pong")["nonce"] != 9:
                    pass
                old.close()
                self.assertEqual(node.count_log("Banned"), 0)

    # spec: network.md MUST 6.2-d: nor do those that come besides 64 clients that read nothing
    def test_64_deaf_clients_and_1000_half_open(self):
        with self.dual(inbound_connections=80) as node, node.rpc() as rpc:
            self.connect_times(node, 1)
            before = node.rss_kb()
            good, _ = self.guest(node, "127.0.0.50", "tcp+tls")
            deaf = []
            for n in range(64):
                peer, _ = self.guest(node, MOB if n % 2 else "127.0.0.1",
                                     "tcp" if n % 4 < 2 else "tcp+tls")
                peer.sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
                deaf.append(peer)
            with Mob(node.port, 500), Mob(node.tls_port, 500):
                got = []
                for n in range(100):  # 6.5 MB for each of them, to which they do not listen
                    rpc.call("send", ["%d %s" % (n, "x" * 65000)])
                    got.append(good.expect("DchatMsg")["msg"].split()[0])
                self.assertEqual(got, [str(n) for n in range(100)])
                for peer in deaf:
                    try:
                        peer.send("getaddr", getaddr_payload(255))
                    except (Closed, OSError):
                        pass
                slowest = self.connect_times(node)
                # A send queue of 1 MiB for each deaf one is the limit that is configured.
                self.assertLess(node.rss_kb() - before, 64 * 1280 + MEMORY_KB)
                self.assertLess(node.descriptors(), 200)
                start = cpu_seconds(node.process.pid)
                time.sleep(1)  # the length of the measurement
                self.assertLess(cpu_seconds(node.process.pid) - start, 0.8)
                self.tell("64 deaf clients and 1,000 half-open", node, before, slowest)
            self.assertEqual(node.count_log("Banned"), 0)
            for peer in (good, *deaf):
                peer.close()

    # spec: network.md MUST 6.2-f: nor do they fill the places for good
    def test_places_full_of_deaf_clients(self):
        """With the default of 8 places: who never answers a ping gives way to who does."""
        with Node(timeouts=(15, 10, 30)) as node, node.rpc() as rpc:
            deaf = []
            for _ in range(64):
                peer = Peer.dial(node.port)
                deaf.append(peer)
                try:
                    peer.handshake()
                except Closed:
                    pass  # eight are inside
            await_that("full", lambda: len(rpc.channels()) == 8)
            start = time.monotonic()
            await_that("there is a place", lambda: self.gets_in(node), pause=0.1)
            self.assertLess(time.monotonic() - start, 4 * SOON)  # 2 s are left to each for a pong
            node.wait_log("makes room for .*: it does not answer")
            for _ in range(3):
                self.assertTrue(self.gets_in(node))
            self.assertLessEqual(len(rpc.channels()), 8)
            self.assertEqual(node.count_log("Banned"), 0)
            for peer in deaf:
                peer.close()

    def gets_in(self, node):
        try:
            peer, took = self.guest(node, "127.0.0.1")
        except (Closed, OSError):
            return False
        peer.close()
        return took < SOON


if __name__ == "__main__":
    sys.argv = options(sys.argv)
    unittest.main()
