#!/usr/bin/python3
"""The node dials: every row of wire.md 2.2 as amended by section 8 on OUTBOUND, MANUAL, SEED and
REFINE sessions, the version exchange, heartbeats, and a stop in each phase of a dial.

Who was banned is never dialled again. Who was not comes back: an outbound host through the
refinery's quarantine, a configured peer after its pause.
"""

import concurrent.futures
import os
import socket
import struct
import subprocess
import sys
import tempfile
import threading
import time
import unittest

from harness import PATIENCE, DeafListener, FakeNode, Node, await_that, grey, options
from violations_test import cases
from wire_peer import (addr_payload, frame, string, verack_payload,
                       version_payload)

BAN, NO_BAN = True, False
REFINERY = "greylist_refinery_interval = 0.3\ntime_with_no_connections = 3600"
HELLO = frame("version", version_payload()) + frame("verack", verack_payload())
# On these the version exchange goes on in a REFINE session: footnote 1 of wire.md 2.2, section 8.
# The value: what is missing of the frame.
SKIPPED_BY_REFINE = {
    "unknown command": b"\x03abc", "empty command": b"\x00",
    "command of 255 bytes, unknown": b"\x01x", "ping of 3 bytes": b"abc",
    "getaddr of 58 bytes": bytes(58), "addr of 65282 bytes": bytes(65282), "ping of 1 byte": b"",
    "version with bytes left over": b"", "addr with a bad url": b"",
    "addr with too large a count": b"", "getaddr not utf-8": b"", "29 pings in 10 s": b"",
    "dchat in a session without it": b""}


def rows(kind):
    """(name, bytes, then, banned) as the node must judge them in a session of that kind."""
    for name, raw, then, ban in cases():
        if name in ("wrong magic, inbound", "verack of another app, inbound",
                    "verack of another minor, inbound"):
            ban = kind == "outbound"  # network.md 4.7
            name = name.replace("inbound", kind)
        if kind == "refine":
            ban = ban and name in ("command of 256 bytes", "command length 2^63")
        yield name, raw, then, ban
    if kind in ("seed", "refine"):
        # Applications attach to DEFAULT sessions only: wire.md 5.1.
        yield "dchat in a session without it", frame("DchatMsg", string("x")), "wait", (
            kind == "seed")


class Villain(FakeNode):
    """Breaks one rule on its first connection, and is honest from the second on."""

    def __init__(self, name, raw, then, ban, greet=False):
        self.name, self.raw, self.then, self.ban, self.greet = name, raw, then, ban, greet
        super().__init__(script=self.play_row)

    def play_row(self, visit, number):
        if number > 0:
            self.honest(visit, number)
        if self.greet:
            visit.peer.handshake()
        visit.peer.send_raw(self.raw)
        if self.then == "fin":
            visit.peer.sock.shutdown(socket.SHUT_WR)
        visit.peer.expect_closed(PATIENCE)


class Gang:
    """A villain for each row; all are dialled by one node."""

    def __init__(self, kind, greet=False):
        self.all = [Villain(*row, greet=greet) for row in rows(kind)
                    if not (greet and "another" in row[0])]

    def __enter__(self):
        return self

    def __exit__(self, failed, *_):
        for villain in self.all:
            villain.__exit__(failed)

    def urls(self):
        return [villain.url for villain in self.all]

    def check_bans(self, case, node, wait_for_return=True):
        """Each was seen, the banned ones said so, the others came back."""
        for villain in self.all:
            with case.subTest(villain.name, greet=villain.greet):
                villain.wait_visits(1)
                if villain.ban:
                    node.wait_log("Banned %s for" % villain.url)
                elif wait_for_return:
                    villain.wait_visits(2)
        for villain in self.all:
            with case.subTest(villain.name, greet=villain.greet):
                case.assertEqual(node.count_log("Banned %s for" % villain.url), villain.ban)
                if villain.ban:
                    case.assertEqual(len(villain.visits), 1)


class Violations(unittest.TestCase):
    def test_outbound(self):
        for greet in (False, True):
            with Gang("outbound", greet) as gang:
                with Node(outbound_connections=len(gang.all), timeouts=(5, 5, 60),
                          hostlist=grey(gang.urls()),
                          net=REFINERY) as node:
                    gang.check_bans(self, node)

    def test_manual(self):
        for greet in (False, True):
            with Gang("manual", greet) as gang:
                with Node(peers=gang.urls(), timeouts=(2, 5, 60)) as node:
                    gang.check_bans(self, node)

    def test_seed(self):
        """A seed's ban shows in the log only: its own back-off decides when it would be back."""
        def one(row):
            with Villain(*row) as villain, Node(outbound_connections=1,
                                                seeds=[villain.url]) as node:
                visit = villain.wait_visits(1)
                villain.wait("its end", lambda: visit.over)
                node.wait_log("Banned %s for|seed gave no addresses" % villain.url)
                return node.count_log("Banned %s for" % villain.url)

        with concurrent.futures.ThreadPoolExecutor(4) as pool:
            rows_now = list(rows("seed"))
            for row, banned in zip(rows_now, pool.map(one, rows_now)):
                with self.subTest(row[0]):
                    self.assertEqual(banned, row[3])

    def test_refine(self):
        with Gang("refine") as gang:
            # After the bad frame comes an honest exchange: who is still read turns white.
            for villain in gang.all:
                if villain.name in SKIPPED_BY_REFINE:
                    villain.raw += SKIPPED_BY_REFINE[villain.name] + HELLO
            with Node(hostlist=grey(gang.urls()), timeouts=(3, 3, 60), net=REFINERY) as node:
                gang.check_bans(self, node, wait_for_return=False)
                for villain in gang.all:
                    villain.wait("its end", lambda v=villain: v.visits[0].over)
                for villain in gang.all:
                    with self.subTest(villain.name):
                        if villain.name in SKIPPED_BY_REFINE:
                            node.wait_log("%s answers: it is on the white list" % villain.url, 5)
                listed = node.listed()
            for villain in gang.all:
                with self.subTest(villain.name):
                    colour = listed.get(villain.url, ("none",))[0]
                    expected = "white" if villain.name in SKIPPED_BY_REFINE else "none"
                    self.assertEqual(colour, expected)


def greet_verack_first(peer):
    peer.send("verack", verack_payload())
    peer.expect("version")
    peer.send("version", version_payload())
    peer.expect("verack")


def greet_all_at_once(peer):
    peer.send_raw(HELLO)
    peer.expect("verack")


def greet_late(peer):
    peer.expect("version")
    peer.send("version", version_payload())
    peer.expect("verack")
    peer.send("verack", verack_payload())


def greet_byte_by_byte(peer):
    for byte in HELLO:
        peer.send_raw(bytes([byte]))
    peer.expect("verack")


def greet_twice(peer):
    peer.send_raw(HELLO + HELLO)
    peer.expect("verack")


def greet_busily(peer):
    """Everything that a default session knows, before the handshake ends: wire.md 2.4."""
    peer.send("ping", struct.pack("<H", 4711))
    peer.send("addr", addr_payload([]))
    peer.handshake()
    while peer.expect("pong", answer_pings=False)["nonce"] != 4711:
        pass


class Handshakes(unittest.TestCase):
    greetings = (greet_verack_first, greet_all_at_once, greet_late, greet_byte_by_byte,
                 greet_twice, greet_busily)

    def crowd(self, greetings, **node_options):
        """One FakeNode per greeting; returns them, and a function to close them."""
        def script_of(greeting):
            def script(visit, _number):
                greeting(visit.peer)
                fakes[greeting].serve(visit)
            return script

        fakes = {}
        for greeting in greetings:
            fakes[greeting] = FakeNode(script=script_of(greeting), **node_options)
        return fakes

    def test_any_order(self):
        for kind in ("manual", "outbound"):
            fakes = self.crowd(self.greetings)
            urls = [fake.url for fake in fakes.values()]
            settings = {"peers": urls} if kind == "manual" else {
                "hostlist": grey(urls), "outbound_connections": len(urls)}
            with Node(**settings) as node, node.rpc() as rpc:
                for greeting, fake in fakes.items():
                    with self.subTest(greeting.__name__, kind=kind):
                        node.wait_log("connected to (the configured peer )?" + fake.url)
                await_that("all are peers", lambda: len(rpc.channels()) == len(urls))
                for fake in fakes.values():
                    self.assertEqual(len(fake.visits), 1)
            for fake in fakes.values():
                fake.__exit__(None)

    def test_any_order_for_a_seed(self):
        for greeting in self.greetings[:-1]:  # the last one is of default sessions
            fakes = self.crowd([greeting])
            fake = fakes[greeting]
            with self.subTest(greeting.__name__), Node(
                    seeds=[fake.url], outbound_connections=1) as node:
                visit = fake.wait_visits(1)
                fake.wait("its end", lambda v=visit: v.over)
                self.assertEqual(len(visit.got("getaddr")), 1)
                self.assertEqual(node.count_log("gave no addresses"), 0)
            fake.__exit__(None)

    def test_any_order_for_the_refinery(self):
        fakes = self.crowd(self.greetings[:-1])
        with Node(hostlist=grey([fake.url for fake in fakes.values()]),
                  net=REFINERY) as node:
            for greeting, fake in fakes.items():
                with self.subTest(greeting.__name__):
                    node.wait_log(fake.url + " answers: it is on the white list")
        for fake in fakes.values():
            fake.__exit__(None)

    def silences(self):
        """Ways not to end a handshake, none of which may delay its deadline."""
        def nothing(visit, _number):
            visit.peer.expect_closed(PATIENCE)

        def no_verack(visit, _number):
            visit.peer.send("version", version_payload())
            visit.peer.expect_closed(PATIENCE)

        def no_version(visit, _number):
            visit.peer.send("verack", verack_payload())
            visit.peer.expect_closed(PATIENCE)

        def drips(visit, _number):
            for byte in HELLO:
                visit.peer.send_raw(bytes([byte]))
                time.sleep(0.1)
            raise AssertionError("could drip for ever")

        def chats(visit, _number):
            visit.peer.send("version", version_payload())
            while True:
                visit.peer.send("DchatMsg", string("not yet"))
                time.sleep(0.1)

        return nothing, no_verack, no_version, drips, chats

    def test_deadline(self):
        fakes = {script.__name__: FakeNode(script=script) for script in self.silences()}
        with Node(peers=[fake.url for fake in fakes.values()], timeouts=(1, 2, 60)) as node:
            for name, fake in fakes.items():
                with self.subTest(name):
                    visit = fake.wait_visits(1)
                    fake.wait("its end", lambda v=visit: v.over)
                    self.assertLess(time.monotonic() - visit.at, 2 + PATIENCE / 4)
                    self.assertGreater(fake.wait_visits(2).at - visit.at, 1.9)
                    self.assertEqual(node.count_log("Banned"), 0)
        for fake in fakes.values():
            fake.__exit__(None)

    def test_chat_before_the_handshake_ends(self):
        """wire.md 5.2, 7.6: it is queued, and nothing of it is lost."""
        def script(visit, _number):
            visit.peer.send("DchatMsg", string("early 1"))
            visit.peer.send("verack", verack_payload())
            visit.peer.send("DchatMsg", string("early 2"))
            visit.peer.send("version", version_payload())
            visit.peer.send("DchatMsg", string("early 3"))
            fake.serve(visit)

        with FakeNode(script=script) as fake, Node(peers=[fake.url]) as node, node.rpc() as rpc:
            await_that("three messages", lambda: len(rpc.call("recv")) == 4)
            self.assertEqual(rpc.call("recv")[1:], ["early 1", "early 2", "early 3"])

    def test_chat_of_one_who_never_shakes_hands_is_not_shown(self):
        def script(visit, _number):
            visit.peer.send("DchatMsg", string("never"))
            visit.peer.send("verack", verack_payload())
            visit.peer.expect_closed(PATIENCE)

        with FakeNode(script=script) as fake, Node(
                peers=[fake.url], timeouts=(1, 1, 60)) as node, node.rpc() as rpc:
            fake.wait_visits(2)
            self.assertEqual(rpc.call("recv"), [""])
            self.assertEqual(node.count_log("Chatting with|left the chat"), 0)


class Heartbeats(unittest.TestCase):
    def test_interval(self):
        """wire.md 5.4: the heartbeat is slept after the pong."""
        times = []

        def script(visit, _number):
            visit.peer.handshake()
            while len(times) < 3:
                nonce = visit.peer.expect("ping", answer_pings=False)["nonce"]
                times.append(time.monotonic())
                # Unasked pongs, late ones too, are forgotten before the next ping (wire.md 8).
                visit.peer.send("pong", struct.pack("<H", nonce))
                visit.peer.send("pong", struct.pack("<H", nonce ^ 0x5555))
            fake.serve(visit)

        with FakeNode(script=script) as fake, Node(peers=[fake.url], timeouts=(5, 5, 1)):
            fake.wait("three pings", lambda: len(times) == 3)
            for before, after in zip(times, times[1:]):
                self.assertGreater(after - before, 0.9)
                self.assertLess(after - before, 1 + PATIENCE / 10)
            self.assertEqual(len(fake.visits), 1)

    def lost_by(self, answer):
        """Who answers pings like that is left without a ban, and dialled again."""
        def script(visit, number):
            if number > 0:
                fake.honest(visit, number)
            visit.peer.handshake()
            nonce = visit.peer.expect("ping", answer_pings=False)["nonce"]
            if answer is not None:
                visit.peer.send("pong", struct.pack("<H", nonce ^ answer))
            visit.peer.expect_closed(PATIENCE)

        for kind in ("manual", "outbound"):
            with FakeNode(script=script) as fake:
                settings = {"peers": [fake.url]} if kind == "manual" else {
                    "hostlist": grey([fake.url]), "outbound_connections": 1}
                with self.subTest(kind), Node(timeouts=(1, 5, 60), **settings) as node:
                    fake.wait_visits(2)
                    self.assertEqual(node.count_log("Banned"), 0)

    def test_missing_pong(self):
        self.lost_by(None)

    def test_wrong_pong(self):
        self.lost_by(1)


class Stops(unittest.TestCase):
    """SIGTERM in each phase: exit status 0 within network.md 2.3's ten seconds."""

    def settings(self, kind, url):
        if kind == "seed":
            return {"seeds": [url], "outbound_connections": 1}
        if kind == "manual":
            return {"peers": [url]}
        if kind == "outbound":
            return {"hostlist": grey([url]), "outbound_connections": 1}
        return {"hostlist": grey([url]),
                "net": REFINERY}

    def stop(self, node):
        start = time.monotonic()
        node.stop(10)
        return time.monotonic() - start

    def in_phase(self, script, scheme="tcp", reached=lambda visit: True):
        for kind in ("manual", "outbound", "seed", "refine"):
            with self.subTest(kind), FakeNode(scheme, script=script) as fake:
                node = Node(scheme=scheme, timeouts=(30, 30, 60), **self.settings(kind, fake.url))
                visit = fake.wait_visits(1)
                fake.wait("the phase", lambda v=visit: reached(v))
                self.stop(node)

    def test_half_open_dial(self):
        for kind in ("manual", "outbound", "seed", "refine"):
            with self.subTest(kind), DeafListener() as deaf:
                node = Node(timeouts=(30, 30, 60), verbose="-vvv",
                            **self.settings(kind, deaf.url))
                port = int(deaf.url.rstrip("/").rsplit(":", 1)[1])
                await_that("a SYN", lambda p=port: is_dialling(node.process.pid, p))
                self.stop(node)

    def test_tls_hangs(self):
        def script(visit, _number):
            visit.peer.sock.recv(1)  # its ClientHello
            visit.hello = True
            visit.peer.sock.recv(65536)
            while visit.peer.sock.recv(65536):
                pass

        self.in_phase(script, "tcp+tls", lambda visit: getattr(visit, "hello", False))

    def test_handshake_hangs(self):
        def script(visit, _number):
            visit.peer.expect("version")
            visit.peer.expect_closed(PATIENCE)

        self.in_phase(script, reached=lambda visit: visit.got("version"))

    def test_inside_a_frame_of_ours(self):
        def script(visit, _number):
            visit.peer.handshake()
            visit.peer.send_raw(frame("addr", addr_payload([("tcp://127.0.0.1:1/", 1)]))[:-3])
            visit.half = True
            visit.peer.expect_closed(PATIENCE)

        self.in_phase(script, reached=lambda visit: getattr(visit, "half", False))

    def test_inside_a_frame_of_its_own(self):
        """wire.md 2.2: it is finished if the peer goes on reading, and given up after a second
        if not. What is queued behind it is dropped."""
        text = "x" * 1_000_000
        for reads in (True, False):
            stopping = threading.Event()

            def script(visit, _number, stopping=stopping):
                visit.peer.handshake()
                visit.ready = True
                stopping.wait(PATIENCE)
                visit.frames = visit.peer.expect_closed(PATIENCE)

            with self.subTest(reads=reads), FakeNode(script=script) as fake:
                node = Node(peers=[fake.url], net="max_send_queue_bytes = 100000000",
                            dchat="max_message_bytes = 2000000")
                visit = fake.wait_visits(1)
                fake.wait("the handshake", lambda v=visit: getattr(v, "ready", False))
                with node.rpc() as rpc:
                    for _ in range(20):
                        rpc.call("send", [text])
                if reads:
                    node.terminate()
                    stopping.set()
                    fake.wait("its end", lambda v=visit: v.over)
                    chats = [f["msg"] for command, f in visit.frames if command == "DchatMsg"]
                    self.assertIn(len(chats), range(1, 20))
                    self.assertEqual(set(chats), {text})
                    self.assertEqual(visit.peer.buffer, b"")  # no frame was cut
                self.stop(node)
                stopping.set()

    def test_while_a_client_waits(self):
        node = Node()
        with node.rpc() as waiting, node.rpc() as other:
            waiting.ask("recv", [{"since": other.call("dchat.info")["next"], "wait_ms": 60000}])
            other.call("ping")
            self.stop(node)

    @unittest.skipUnless(os.geteuid() == 0, "needs a name server of its own")
    def test_name_server_is_silent(self):
        """A lookup that hangs for half a minute delays neither other names nor the stop."""
        address = "127.%d.%d.53" % (os.getpid() >> 8 & 255, os.getpid() & 255)
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as server, \
                tempfile.NamedTemporaryFile("w", prefix="hypha-interop-") as resolv, \
                FakeNode() as fake:
            server.bind((address, 53))
            server.settimeout(PATIENCE)
            resolv.write("nameserver %s\n" % address * 3)
            resolv.flush()
            prefix = ["unshare", "--mount", "sh", "-c",
                      'mount --bind "$0" /etc/resolv.conf && exec "$@"', resolv.name]
            if subprocess.run([*prefix, "true"], capture_output=True, check=False).returncode:
                self.skipTest("no mount name spaces")
            names = ["tcp://hypha%d.example.org:1/" % n for n in range(8)]
            local = fake.url.replace("127.0.0.1", "localhost")
            node = Node(peers=[*names, local], timeouts=(60, 60, 60), prefix=prefix)
            server.recv(512)
            fake.wait_visits(1)
            self.stop(node)

    def test_early(self):
        """From the first sign of life on, a stop is orderly."""
        for _ in range(3):
            node = Node(outbound_connections=3, hostlist=grey(
                "tcp://127.0.0.1:%d/" % port for port in range(2, 40)))
            self.stop(node)


def is_dialling(pid, port):
    """Does the process have a socket in SYN_SENT to that port? (proc(5): state 02)"""
    with open(f"/proc/{pid}/net/tcp") as table:
        return any(line.split()[3] == "02" and line.split()[2].endswith(":%04X" % port)
                   and line.split()[9] != "0" for line in table.readlines()[1:])


if __name__ == "__main__":
    sys.argv = options(sys.argv)
    unittest.main()
