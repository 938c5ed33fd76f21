"""The recorded JSON-RPC exchanges, asked again of our daemons: the same answers where those do not
depend on the network of that day, else the same shape. spec: apps.md 2, 6.1"""

import json
import os
import socket
import unittest

from dnet_test import judge_classic
from programs import DEADLINE, Daemon, ProgramsTest, Rpc, has_channel

ROWS = os.path.join(os.path.dirname(__file__), "../vectors/data/rpc.jsonl")
# What ours answers where the recorded daemon hung up or fell silent: code and id.
INSTEAD = {
    "no-id": (-32600, None), "no-version": (-32600, 1), "version-1.0": (-32600, 1),
    "string-id": (-32600, None), "fractional-id": (-32600, None), "null-id": (-32600, None),
    "numeric-method": (-32600, 1), "malformed": (-32700, None), "empty-array": (-32600, None),
    "batch": (-32600, None), "send-no-params": (-32602, 42), "send-bad-type": (-32602, 42),
}
# Errors of ours say more than the bare words of the code.
WORDS = {-32602: "invalid params"}


def rows():
    with open(ROWS, encoding="utf-8") as file:
        return [json.loads(line) for line in file]


def shape(value):
    """Types; of an object, with its keys; of a list, the shapes in it, once each."""
    if isinstance(value, dict):
        return {key: shape(item) for key, item in value.items()}
    if isinstance(value, list):
        return sorted({json.dumps(shape(item), sort_keys=True) for item in value})
    return type(value).__name__


class Vectors(ProgramsTest):
    def exchanges(self, *nodes):
        """(request row, [answers]) in the order of time."""
        found = []
        for row in rows():
            if row["node"] not in nodes or row["dir"] == "notification":
                continue
            if row["dir"] == "request":
                found.append((row, []))
            elif row["case"] != "dnet.subscribe_events":
                found[-1][1].append(row)
        return found

    def judge(self, case, want, got):
        if "error" in want and want["error"]["code"] in WORDS:
            self.assertEqual((got["id"], got["error"]["code"]), (want["id"], want["error"]["code"]))
            self.assertIsInstance(got["error"]["message"], str)
        elif case.startswith(("p2p.get_info", "spawns", "recv")) or case == "object-params":
            self.assertEqual(set(got), set(want))
            self.assertEqual(got["id"], want["id"])
            self.assertEqual(shape(got["result"]) if not isinstance(got["result"], dict) else
                             {key: type(item) for key, item in got["result"].items()},
                             shape(want["result"]) if not isinstance(want["result"], dict) else
                             {key: type(item) for key, item in want["result"].items()}, case)
        else:
            self.assertEqual(got, want, case)

    def play(self, daemon, exchanges):
        played = 0
        rpc = Rpc(self, daemon)
        for request, answers in exchanges:
            case = request["case"]
            if case == "dnet.subscribe_events":
                continue
            rpc.link.sendall(request["line"].encode() + b"\n")
            for answer in answers:
                if answer["dir"] == "event":
                    if case not in INSTEAD:
                        self.assertEqual(case, "empty-line")
                        continue
                    code, number = INSTEAD[case]
                    got = rpc.line()
                    self.assertEqual((got["error"]["code"], got["id"]), (code, number), case)
                else:
                    self.judge(case, json.loads(answer["line"]), rpc.line())
                played += 1
        self.assertEqual(rpc.call("ping"), "pong")  # nothing is left over
        return played

    def test_nodes(self):
        seed = self.seed()
        other = self.node("other", seeds=[seed.address()])
        node = self.node("node", seeds=[seed.address()], profile=f"peers = [\"{other.address()}\"]")
        node.until("a channel", lambda: has_channel(node, other.address(), "manual"))
        other.call("send", ["heard"])
        node.until("it is heard", lambda: "heard" in node.call("recv"))
        exchanges = self.exchanges("alice", "bob", "carol")
        self.assertEqual(self.play(node, exchanges), sum(
            len(answers) for request, answers in exchanges if request["case"] not in
            ("dnet.subscribe_events", "empty-line")))

    def test_a_disabled_method(self):
        self.node("dave").stop()
        node = Daemon(self, "dchatd", "-c", self.path("dave.toml"), "--rpc-disabled-methods",
                      "p2p.get_info", name="dave2").running()
        self.assertEqual(self.play(node, self.exchanges("dave")), 5)

    def test_a_seed(self):
        """Ours has more methods than the recorded one: p2p.get_info and dnet.switch answer."""
        seed = self.seed()
        node = self.node("node", seeds=[seed.address()])
        seed.until("it knows the node", lambda: seed.call("spawns")["spawns"][0]["whitelist"] ==
                   [node.address() + "/"])
        known = [pair for pair in self.exchanges("lilith") if pair[0]["case"] != "unknown-method"]
        self.assertEqual(self.play(seed, known), 3)
        for _, answers in known:
            for answer in answers[:1]:
                result = json.loads(answer["line"])["result"]
                if isinstance(result, dict):
                    got = seed.call("spawns")
                    self.assertEqual(set(got["spawns"][0]), set(result["spawns"][0]))

    def test_info(self):
        """Every field of the recorded answers, with its type; and no other."""
        first = self.node("first")
        second = self.node("second", profile=f"peers = [\"{first.address()}\"]")
        second.until("a channel", lambda: has_channel(second, first.address(), "manual"))
        got = second.call("p2p.get_info")
        for row in rows():
            if row["case"].startswith("p2p.get_info") and row["dir"] == "response":
                want = json.loads(row["line"]).get("result")
                if want is None:
                    continue
                self.assertEqual(set(got), set(want))
                for channel in want["channels"]:
                    self.assertEqual(shape(got["channels"][0]), shape(channel))

    def test_notifications(self):
        """Each recorded event passes the judge that judges ours: fields, types, spelling."""
        seen = set()
        for row in rows():
            if row["dir"] == "notification":
                self.assertEqual(row["terminator"], "\r\n")
                seen.add(judge_classic(self, json.loads(row["line"]))[0])
        self.assertGreaterEqual(len(seen), 8)

    def test_http(self):
        node = self.node("erin")
        node.stop()
        node = Daemon(self, "dchatd", "-c", self.path("erin.toml"), "--rpc-listen",
                      "http+tcp://127.0.0.1:0", name="erin2").running()
        (request, (answer,)), = self.exchanges("erin")
        want_head, want_body = answer["line"].split("\r\n\r\n")

        def ask(text):
            with socket.create_connection(("127.0.0.1", node.rpc_port()), timeout=DEADLINE) as link:
                link.sendall(text.encode())
                got = b""
                while b"\r\n\r\n" not in got or not got.endswith(b"}"):
                    chunk = link.recv(65536)
                    self.assertTrue(chunk, got)
                    got += chunk
            head, body = got.decode().split("\r\n\r\n")
            return head.split("\r\n"), json.loads(body)
        # As recorded ("Host: x"), as the reference's client asks (without), and by our name.
        for host in ("Host: x\r\n", "", f"Host: localhost:{node.rpc_port()}\r\n"):
            head, body = ask(request["line"].replace("Host: x\r\n", host))
            self.assertEqual(sorted(head), sorted(want_head.split("\r\n")))
            self.assertEqual(body, json.loads(want_body))
        # A name on the internet might be a web page's that resolves to this machine.
        head, body = ask(request["line"].replace("Host: x", "Host: x.example"))
        self.assertEqual((head[0], body["error"]["code"]), ("HTTP/1.1 403 Forbidden", -32600))


if __name__ == "__main__":
    unittest.main(verbosity=2)
