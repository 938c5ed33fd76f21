#!/usr/bin/python3
"""Hostile load: half-open sockets, full inbound places, deaf readers, floods, huge lengths, churn.
Whatever the others do, an honest peer is served at once. spec: network.md 6.2, 10; wire.md 2.2, 8
"""

import os
import resource
import selectors
import socket
import struct
import sys
import tempfile
import threading
import time
import unittest

from harness import PATIENCE, Node, await_that, options
from wire_peer import (MAGIC, Closed, Peer, addr_payload, frame, getaddr_payload, make_certificate,
                       string, tls_context, varint, version_payload)

LONG = (60, 60, 60)  # timeouts that do not help the node out
SOON = max(1.0, PATIENCE / 30)  # "under a second", unless the machine is slow
MIB = 1024 * 1024


class Mob:
    """Keeps `count` connections to a port open, whatever happens to them, from one address or
    from many; each says `words` and nothing more. Two hundred come in a second."""

    RATE = 200

    def __init__(self, port, count, sources=1, words=b""):
        self.port, self.count, self.sources, self.words = port, count, sources, words
        self.opened, self.running = 0, True
        self.selector = selectors.DefaultSelector()
        self.socks = set()
        self.thread = threading.Thread(target=self.run, daemon=True)
        self.thread.start()
        await_that("the mob is there", lambda: self.opened >= count)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.running = False
        self.thread.join()
        for sock in self.socks:
            sock.close()
        self.selector.close()

    def open_one(self):
        sock = socket.socket()
        sock.setblocking(False)
        sock.bind(("127.66.0.%d" % (1 + self.opened % self.sources), 0))
        sock.connect_ex(("127.0.0.1", self.port))
        self.socks.add(sock)
        self.selector.register(sock, selectors.EVENT_READ)
        self.opened += 1
        if self.words:
            try:
                sock.send(self.words)
            except OSError:
                pass

    def run(self):
        start = time.monotonic()
        while self.running:
            allowed = self.count + (time.monotonic() - start) * self.RATE
            while len(self.socks) < self.count and self.opened < allowed:
                self.open_one()
            for key, _ in self.selector.select(0.05):
                try:
                    alive = key.fileobj.recv(65536)
                except BlockingIOError:
                    continue
                except OSError:
                    alive = b""
                if not alive:
                    self.selector.unregister(key.fileobj)
                    self.socks.remove(key.fileobj)
                    key.fileobj.close()
            time.sleep(0.002)


class Flooded(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.folder = tempfile.TemporaryDirectory(prefix="hypha-interop-")
        cls.certificate = make_certificate(cls.folder.name)

    @classmethod
    def tearDownClass(cls):
        cls.folder.cleanup()

    def check_alive(self, node, source="127.0.0.99", within=SOON, scheme="tcp", tries=1):
        """A new honest peer gets in and is answered."""
        while True:
            start = time.monotonic()
            tries -= 1
            try:
                self.visit(node, source, scheme)
                break
            except (Closed, OSError):
                if tries == 0:
                    raise
        self.assertLess(time.monotonic() - start, within)

    def visit(self, node, source, scheme):
        tls = tls_context(False, self.certificate) if scheme == "tcp+tls" else None
        with Peer.dial(node.port, source, tls=tls) as peer:
            peer.handshake()
            peer.send("ping", struct.pack("<H", 1))
            while peer.expect("pong")["nonce"] != 1:
                pass


class HalfOpen(Flooded):
    def test_silent_sockets(self):
        for scheme in ("tcp", "tcp+tls"):
            for sources in (1, 250):
                with self.subTest(scheme, sources=sources), Node(
                        scheme=scheme, timeouts=LONG) as node:
                    with Mob(node.port, 300, sources):
                        for _ in range(3):
                            # From many addresses 40 of them are newer than we in 0.2 s.
                            self.check_alive(node, scheme=scheme, tries=1 if sources == 1 else 5)
                        self.assertLess(node.descriptors(), 100)

    def test_half_handshakes(self):
        with Node(timeouts=LONG) as node:
            with Mob(node.port, 300, 1, frame("version", version_payload())):
                self.check_alive(node)

    def test_half_tls_records(self):
        with Node(scheme="tcp+tls", timeouts=LONG) as node:
            with Mob(node.port, 300, 1, b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03"):
                self.check_alive(node, scheme="tcp+tls")

    def test_slow_tls_of_an_honest_peer(self):
        """A slow one is not cut off by a mob of another address."""
        with Node(scheme="tcp+tls", timeouts=LONG) as node:
            with socket.create_connection(
                    ("127.0.0.1", node.port), source_address=("127.0.0.50", 0)) as sock:
                with Mob(node.port, 300, 1):
                    sock.settimeout(PATIENCE)
                    with tls_context(False, self.certificate).wrap_socket(sock) as tls:
                        Peer(tls).handshake()

    def test_garbage(self):
        """Each is closed at once; nobody is banned for a wrong magic on an inbound session."""
        with Node(timeouts=LONG) as node:
            with Mob(node.port, 50, 1, b"GET / HTTP/1.1\r\nHost: x\r\n\r\n"):
                self.check_alive(node)
                self.check_alive(node, "127.66.0.1")


class Places(Flooded):
    def test_the_ninth(self):
        with Node(inbound_connections=8, timeouts=LONG) as node, node.rpc() as rpc:
            peers = [Peer.dial(node.port, "127.0.0.%d" % (10 + n)) for n in range(8)]
            for peer in peers:
                peer.handshake()
            await_that("eight", lambda: len(rpc.channels()) == 8)
            ninth = Peer.dial(node.port, "127.0.0.30")
            with self.assertRaises(Closed):  # it may shake hands, but there is no place for it
                ninth.handshake()
                ninth.expect("getaddr")
            self.assertEqual(len(rpc.channels()), 8)
            self.assertEqual(node.count_log("Banned"), 0)
        for peer in (*peers, ninth):
            peer.close()

    def test_the_ninth_gets_the_place_of_one_who_leaves(self):
        with Node(inbound_connections=8, timeouts=LONG) as node, node.rpc() as rpc:
            peers = [Peer.dial(node.port, "127.0.0.%d" % (10 + n)) for n in range(8)]
            for peer in peers:
                peer.handshake()
            await_that("eight", lambda: len(rpc.channels()) == 8)
            # The first of them gets the place, without a ban for the rest.
            waiting = [Peer.dial(node.port, "127.0.0.%d" % (30 + n)) for n in range(3)]
            peers.pop().close()
            await_that("seven", lambda: len(rpc.channels()) == 7)
            waiting[0].handshake()
            await_that("eight again", lambda: len(rpc.channels()) == 8)
            while peers:
                peers.pop().close()
            for n in (1, 2):
                try:
                    waiting[n].handshake()
                except Closed:  # came to the end of its handshake when all places were taken
                    with Peer.dial(node.port, "127.0.0.%d" % (30 + n)) as again:
                        again.handshake()
            self.assertEqual(node.count_log("Banned"), 0)
            for peer in waiting:
                peer.close()

    def test_twenty_at_once(self):
        """More handshakes end than there are places: the surplus is closed without a ban."""
        with Node(inbound_connections=8, timeouts=LONG) as node, node.rpc() as rpc:
            peers = [Peer.dial(node.port, "127.0.0.%d" % (10 + n)) for n in range(20)]
            inside = []
            for peer in peers:
                peer.send("version", version_payload())
            for peer in peers:
                try:
                    peer.expect("version", patience=SOON)
                    peer.send("verack", b"\0" * 8 + b"\4" + b"\0" * 7 + b"\1" + b"\0" * 7 +
                              b"\0\0" + string("dchatd"))
                    peer.expect("getaddr", patience=SOON)
                    inside.append(peer)
                except (Closed, TimeoutError, socket.timeout):
                    pass
            self.assertEqual(len(inside), 8)
            self.assertEqual(len(rpc.channels()), 8)
            self.assertEqual(node.count_log("Banned"), 0)
            for peer in peers:
                peer.close()

    # spec: network.md MUST 6.2-a
    def test_no_descriptors_left(self):
        """Out of descriptors it backs off instead of spinning, and recovers."""
        with Node(inbound_connections=64, timeouts=LONG) as node:
            self.check_alive(node)
            pid, before = node.process.pid, node.descriptors()
            soft, hard = resource.prlimit(pid, resource.RLIMIT_NOFILE)
            resource.prlimit(pid, resource.RLIMIT_NOFILE, (before + 4, hard))
            peers = [Peer.dial(node.port) for _ in range(20)]
            await_that("all are used", lambda: node.descriptors() >= before + 4)
            start = cpu_seconds(pid)
            time.sleep(1)  # the length of the measurement
            self.assertLess(cpu_seconds(pid) - start, 0.5)
            for peer in peers:
                peer.close()
            self.check_alive(node, within=10)
            resource.prlimit(pid, resource.RLIMIT_NOFILE, (soft, hard))


class Memory(Flooded):
    def test_who_reads_nothing(self):
        """13 MB of chat for a deaf peer: it misses some, the others nothing; memory has a limit."""
        count, text = 200, "x" * 65000
        with Node(timeouts=LONG) as node, node.rpc() as rpc, \
                Peer.dial(node.port, "127.0.0.2") as deaf, \
                Peer.dial(node.port, "127.0.0.3") as good:
            deaf.handshake()
            good.handshake()
            await_that("both", lambda: len(rpc.channels()) == 2)
            before = node.rss_kb()
            got = []
            for n in range(count):
                rpc.call("send", ["%d %s" % (n, text)])
                got.append(good.expect("DchatMsg")["msg"].split()[0])
            self.assertEqual(got, [str(n) for n in range(count)])
            self.assertLess(node.rss_kb() - before, 12 * 1024)
            self.check_alive(node)
            # What it reads in the end are whole frames.
            seen = [deaf.expect("DchatMsg")["msg"].split()[0] for _ in range(10)]
            self.assertEqual(seen, [str(n) for n in range(10)])

    def test_who_asks_and_reads_nothing(self):
        """Answers that nobody takes do not pile up: the asker is thrown out by metering."""
        with Node(timeouts=LONG, inbound_connections=32) as node:
            before = node.rss_kb()
            for n in range(10):
                with Peer.dial(node.port, "127.5.0.%d" % (n + 1)) as peer:
                    peer.handshake()
                    try:
                        peer.send_raw(frame("getaddr", getaddr_payload(255)) * 1000)
                        peer.send_raw(frame("ping", b"\1\2") * 1000)
                    except (Closed, OSError):
                        pass
                    self.check_alive(node)
            self.assertLess(node.rss_kb() - before, 8 * 1024)
            await_that("ten bans", lambda: node.count_log("Banned tcp://127.5.0.") == 10)

    def test_16_mib(self):
        """wire.md 8: past the cap for unlimited messages it is closed without a ban."""
        with Node(timeouts=LONG) as node, node.rpc() as rpc:
            for over in (0, 1):
                with Peer.dial(node.port, "127.0.0.2") as peer:
                    peer.handshake()
                    text = b"y" * (16 * MIB - 5 + over)  # and its length
                    with tempfile.TemporaryFile() as file:
                        file.write(frame("DchatMsg", string(text)))
                        try:
                            file.seek(0)
                            peer.sock.settimeout(PATIENCE)
                            peer.sock.sendfile(file)
                            if over:
                                peer.expect_closed()
                        except OSError:
                            self.assertEqual(over, 1)
                            continue
                    if not over:
                        peer.send("ping", struct.pack("<H", 9))
                        while peer.expect("pong")["nonce"] != 9:
                            pass
            self.assertEqual(node.count_log("Banned"), 0)
            self.assertIn("next", rpc.call("dchat.info"))
            self.check_alive(node, "127.0.0.2")

    def test_strangers_get_no_memory(self):
        """Who has not shaken hands is given no room for a long message, however many they are."""
        with Node(timeouts=LONG) as node:
            self.check_alive(node)
            before = node.rss_kb()
            raw = frame("DchatMsg", string(b"z" * (12 * MIB)))
            peers = [Peer.dial(node.port, "127.0.3.%d" % (n + 1)) for n in range(40)]
            for peer in peers:
                try:
                    peer.send_raw(raw)
                except (Closed, OSError):
                    pass  # closed when the length was read
            self.check_alive(node)
            self.assertLess(node.rss_kb() - before, 16 * 1024)
            self.assertEqual(node.count_log("Banned"), 0)
            for peer in peers:
                peer.close()

    def test_announced_lengths_cost_nothing(self):
        with Node(timeouts=LONG, inbound_connections=64) as node:
            self.check_alive(node)
            before = node.rss_kb()
            peers = []
            for n in range(60):
                peer = Peer.dial(node.port, "127.0.1.%d" % (n + 1))
                peer.handshake()
                # Nearly 1 GiB in all, of which a byte each comes.
                peer.send_raw(MAGIC + string("DchatMsg") + varint(16 * MIB) + b"\xfe")
                peers.append(peer)
            self.check_alive(node)
            self.assertLess(node.rss_kb() - before, 8 * 1024)
            for n, command in enumerate(("addr", "version", "DchatMsg")):
                with Peer.dial(node.port, "127.0.2.%d" % (n + 1)) as peer:
                    peer.handshake()
                    peer.send_raw(frame(command, varint(1 << 61)))
                    peer.expect_closed()
                    node.wait_log("Banned tcp://127.0.2.%d/" % (n + 1))
            self.assertLess(node.rss_kb() - before, 8 * 1024)
            for peer in peers:
                peer.close()

    def test_10000_addresses(self):
        """network.md 10: 1000 unasked ones per peer, what was asked for, and of those 8 buckets of
        32 for each source."""
        with Node(timeouts=LONG, net="greylist_refinery_interval = 3600") as node:
            def flood(source, first):
                with Peer.dial(node.port, source) as peer:
                    peer.handshake()
                    for at in range(first, first + 10000, 1500):
                        peer.send("addr", addr_payload([
                            ("tcp://10.%d.%d.%d:1/" % (n >> 16, n >> 8 & 255, n & 255),
                             int(time.time())) for n in range(at, at + 1500)]))
                    node.wait_log("learned [0-9]+ addresses from tcp://%s:" % source)
                    peer.send("getaddr", getaddr_payload())
                    peer.expect("addr")

            before = node.rss_kb()
            flood("127.0.0.2", 0)
            self.check_alive(node)
            flood("127.0.0.3", 20000)
            self.assertLess(node.rss_kb() - before, 8 * 1024)
            grey = [url for url, (colour, _) in node.listed().items() if colour == "grey"]
            self.assertLessEqual(len(grey), 2 * 8 * 32)  # two sources may share a bucket
            self.assertGreater(len(grey), 8 * 32)
            first = sum(1 for url in grey if int(url.split(".")[2]) < 60)
            self.assertLessEqual(first, 8 * 32)


class Churn(Flooded):
    def churn(self, node, count, how):
        for n in range(count):
            sock = socket.create_connection(("127.0.0.1", node.port), timeout=PATIENCE)
            how(sock, n)
            sock.close()

    def test_2000_connections(self):
        reset = struct.pack("ii", 1, 0)
        half = frame("version", version_payload())

        def all_kinds(sock, n):
            if n % 3 == 1:
                sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, reset)
            if n % 4 >= 2:
                sock.sendall(half[:1 + n % len(half)])

        for scheme, count in (("tcp", 2000), ("tcp+tls", 500)):
            with self.subTest(scheme), Node(scheme=scheme, timeouts=LONG) as node:
                with node.rpc() as rpc:
                    self.check_alive(node, scheme=scheme)
                    await_that("it left", lambda r=rpc: r.channels() == [])
                    before, rss = node.descriptors(), node.rss_kb()
                    self.churn(node, count, all_kinds)
                    self.check_alive(node, scheme=scheme)
                    await_that("all are gone", lambda b=before: node.descriptors() == b)
                    self.assertLess(node.rss_kb() - rss, 8 * 1024)

    def test_quick_handshakes(self):
        """Channels that come and go are forgotten whole."""
        with Node(timeouts=LONG) as node, node.rpc() as rpc:
            await_that("nobody", lambda: rpc.channels() == [])
            before = node.descriptors()
            for _ in range(300):
                with Peer.dial(node.port) as peer:
                    peer.handshake()
            await_that("nobody", lambda: rpc.channels() == [])
            await_that("nothing", lambda: node.descriptors() == before)


def cpu_seconds(pid):
    with open(f"/proc/{pid}/stat") as stat:
        fields = stat.read().rsplit(")", 1)[1].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


if __name__ == "__main__":
    sys.argv = options(sys.argv)
    unittest.main()
