#!/usr/bin/python3
"""The recorded connections of tests/vectors/data, played against running programs.

Once with the test as the dialer (the node listens), once as the listener (the node dials, in a
session of the recorded kind). Timestamps, nonces and ports are substituted, as the vectors' README
says; every frame that the recording's other side sent before its first heartbeat must come from
the node too, with the same fields.
"""

import json
import pathlib
import struct
import sys
import time
import unittest

from harness import FakeListener, Node, options
from wire_peer import (Closed, Peer, addr_payload, frame, getaddr_payload, string, verack_payload,
                       version_payload)

DATA = pathlib.Path(__file__).resolve().parent.parent / "vectors" / "data"
DIALER, LISTENER = "dialer->listener", "listener->dialer"
HEARTBEAT_MS = 4000  # frames after this are timed by heartbeats and discovery rounds
ANSWERS = {"verack": "version", "pong": "ping", "addr": "getaddr"}


def recordings():
    index = json.loads((DATA / "sessions-index.json").read_text())
    for session in index["sessions"]:
        lines = (DATA / session["frames"]).read_text().splitlines()
        yield session["frames"], session["kind"], [json.loads(line) for line in lines]


class Player:
    """Plays one side of a recording on a connection, and hears the other."""

    def __init__(self, peer, kind, ours, node_url, our_url):
        self.peer, self.kind, self.ours = peer, kind, ours
        self.node_url, self.our_url = node_url, our_url
        self.owed = []  # what the node asked and we have not answered: (command, fields)
        self.got = []

    def hear(self):
        command, fields = self.peer.receive()
        self.got.append((command, fields))
        if command in ANSWERS.values():
            self.owed.append((command, fields))

    def wait_for(self, command):
        """The node's oldest unanswered `command`."""
        while True:
            for entry in self.owed:
                if entry[0] == command:
                    self.owed.remove(entry)
                    return entry[1]
            self.hear()

    def payload(self, command, fields):
        if command == "version":
            ext = [self.our_url for _ in fields["ext_send_addr"]]
            resolve = self.node_url if fields["resolve_recv_addr"] else None
            return version_payload(fields["app_name"], fields["version"], self.node_url, resolve,
                                   ext, fields["node_id"])
        if command == "verack":
            return verack_payload(fields["app_name"], fields["app_version"])
        if command == "getaddr":
            return getaddr_payload(fields["max"], fields["transports"])
        if command == "addr":
            return addr_payload([(self.our_url, int(time.time())) for _ in fields["addrs"]])
        if command in ("ping", "pong"):
            return struct.pack("<H", fields["nonce"])
        assert command == "DchatMsg", command
        return string(fields["msg"])

    def play(self, frames):
        # Dialers of these kinds announce themselves first, unasked (wire.md 5.5, 5.6).
        unasked = 1 if self.ours == DIALER and self.kind in ("seed", "outbound") else 0
        for recorded in frames:
            if recorded["dir"] != self.ours or "event" in recorded:
                continue
            command, fields = recorded["command"], recorded["fields"]
            if command == "addr" and unasked > 0:
                unasked -= 1
            elif command in ANSWERS:
                if recorded["t_ms"] > HEARTBEAT_MS:
                    continue  # answers a question that the node asks by its own clock
                asked = self.wait_for(ANSWERS[command])
                fields = asked if command == "pong" else fields
            raw = frame(command, self.payload(command, fields))
            for cut in range(0, len(raw), 7):  # frames spanned reads in the recording too
                self.peer.send_raw(raw[cut:cut + 7])


def early(frames, direction):
    """What the other side sent before any heartbeat, without answers to timed questions."""
    return [f["command"] for f in frames if "event" not in f and f["dir"] == direction
            and f["t_ms"] < HEARTBEAT_MS and f["command"] != "DchatMsg"]


class Replay(unittest.TestCase):
    def replay(self, kind, frames, player, our_seen_url, node_external):
        other = LISTENER if player.ours == DIALER else DIALER
        expected = set(early(frames, other))
        if kind == "refine":
            expected = {"verack", "version"}  # what follows depends on who is quicker
        try:
            player.play(frames)
            while not expected <= {command for command, _ in player.got}:
                player.hear()
        except Closed:
            # Seed clients and refiners hang up when they have what they came for; what they
            # had sent by then is still to be read.
            self.assertIn((kind, other), (("seed", DIALER), ("refine", DIALER)))
            expected.discard("pong")  # our ping may have come together with its last addr
            for entry in player.peer.expect_closed():
                player.got.append(entry)
        self.assertLessEqual(expected, {command for command, _ in player.got})
        version = next(fields for command, fields in player.got if command == "version")
        want = next(f["fields"] for f in frames if f.get("command") == "version"
                    and f["dir"] == other)
        self.assertEqual(version["app"], want["app_name"])
        self.assertEqual(version["version"], want["version"])
        self.assertEqual(version["node_id"], want["node_id"])
        self.assertEqual(version["connect"], our_seen_url)
        self.assertEqual(version["resolve"], our_seen_url if want["resolve_recv_addr"] else None)
        self.assertEqual(version["ext"], node_external)
        self.assertEqual(version["features"], [])
        self.assertLess(abs(version["timestamp"] - time.time()), 60)
        verack = next(fields for command, fields in player.got if command == "verack")
        self.assertEqual((verack["app"], verack["version"]), ("dchatd", "0.4.1"))

    def test_as_dialer(self):
        """The node accepts. Seeds are hypha-seed, the others dchatd."""
        nodes = {"seed": Node("seed"), "other": Node("dchatd", outbound_connections=5)}
        try:
            for name, kind, frames in recordings():
                node = nodes["seed" if kind == "seed" else "other"]
                with self.subTest(name), Peer.dial(node.port) as peer:
                    player = Player(peer, kind, DIALER, node.url, "tcp://127.0.0.1:1/")
                    self.replay(kind, frames, player, peer.url, node.external)
        finally:
            for node in nodes.values():
                node.stop()

    def test_as_listener(self):
        """The node dials us, in a session of the recorded kind."""
        for name, kind, frames in recordings():
            with self.subTest(name), FakeListener() as listener:
                node = Node("dchatd", outbound_connections=5 if kind != "refine" else 0,
                            **listener.config_for(kind))
                try:
                    with listener.accept() as peer:
                        player = Player(peer, kind, LISTENER, peer.remote_url, listener.url)
                        self.replay(kind, frames, player, listener.url, node.external)
                finally:
                    node.stop()


if __name__ == "__main__":
    sys.argv = options(sys.argv)
    unittest.main()
