"""Nodes that find each other through a seed and talk. spec: apps.md 3, 4, 7"""

import json
import os
import signal
import unittest

from programs import ProgramsTest, has_channel


class Chat(ProgramsTest):
    def connect(self, a, b):
        """Until each has dialled the other: then what is said goes there once."""
        for one, other in ((a, b), (b, a)):
            one.until("a channel", lambda one=one, other=other: has_channel(one, other.address()))

    def hear(self, node, since, text):
        reply = node.call("recv", [{"since": since, "wait_ms": 30000}])
        self.assertEqual([message["text"] for message in reply["messages"]], [text])
        return reply

    def chat_over(self, scheme):
        seed = self.seed(scheme)
        alice = self.node("alice", [seed.address()], scheme)
        bob = self.node("bob", [seed.address()], scheme)
        self.connect(alice, bob)
        self.assertEqual(alice.call("recv"), [""])
        text = "h\u00e9 from alice \u2192 bob"
        self.assertIs(alice.call("send", [text]), True)
        reply = self.hear(bob, 0, text)
        message = reply["messages"][0]
        self.assertEqual(message["from"].rstrip("/"), alice.address())
        self.assertEqual((message["seq"], message["dup"], reply["next"]), (0, False, 1))
        self.assertGreater(message["time"], 1700000000000)
        self.assertEqual(bob.call("recv"), ["", text])
        # Two channels, one peer: it is said once.
        self.assertEqual(bob.call("send", ["back", {"report": True}]), {"peers": 1, "sent": 1})
        self.hear(alice, 0, "back")
        big = "x" * 65536
        self.assertIs(bob.call("send", [big]), True)
        self.hear(alice, 1, big)
        self.assertEqual(alice.call("recv"), ["", "back", big])
        self.assertEqual([daemon.stop() for daemon in (alice, bob, seed)], [0, 0, 0])
        for daemon in (alice, bob, seed):
            self.assertNotIn("ERROR", "\n".join(daemon.lines))

    def test_tcp(self):
        self.chat_over("tcp")

    def test_tls(self):
        self.chat_over("tcp+tls")

    def test_rpc_of_a_lonely_node(self):
        """The shapes of the recorded node. spec: apps.md 2.5, 3"""
        node = self.node("node")
        self.assertEqual(node.reply("ping", ["x"]), {"jsonrpc": "2.0", "id": 7, "result": "pong"})
        self.assertEqual(node.call("p2p.get_info", [1]),
                         {"channels": [], "outbound_slots": [0, 0, 0]})
        self.assertEqual(node.call("recv"), [""])
        self.assertIs(node.call("send", ["nobody hears this"]), True)
        self.assertEqual(node.call("send", ["x", {"report": True}]), {"peers": 0, "sent": 0})
        self.assertEqual(node.call("recv"), [""])
        for params in ([], [5], [""], ["a", "b"], ["a", {}, 1], {"text": "a"}, ["x" * 65537],
                       ["a", {"report": 1}]):
            self.assertEqual(node.reply("send", params)["error"],
                             {"code": -32602, "message": "invalid params"}, params)
        for params in ([1], [{"since": -1}], [{"since": "0"}], [{}, {}], {"since": 0}):
            self.assertEqual(node.reply("recv", params)["error"]["code"], -32602, params)
        self.assertEqual(node.call("recv", [{"since": 99, "wait_ms": 1}]),
                         {"next": 0, "messages": []})
        self.assertEqual(node.reply("nope")["error"]["code"], -32601)
        got = node.raw(b'{bad\n[]\n\n{"jsonrpc":"2.0","id":"9","method":"ping"}')
        codes = [json.loads(line) for line in got.split(b"\r\n")[:-1]]
        self.assertEqual([reply.get("error", {}).get("code") for reply in codes],
                         [-32700, -32600, None])
        self.assertEqual(codes[2]["id"], 9)
        self.assertEqual(node.stop(), 0)

    def test_disabled_methods(self):
        node = self.node("node", env={})
        self.assertEqual(node.stop(), 0)
        from programs import Daemon
        node = Daemon(self, "dchatd", "-c", self.path("node.toml"), "--rpc-disabled-methods",
                      "p2p.get_info,recv", "send").running()
        for method in ("p2p.get_info", "recv", "send"):
            self.assertEqual(node.reply(method)["error"],
                             {"code": -32601, "message": "method not found"})
        self.assertEqual(node.call("ping"), "pong")
        self.assertEqual(node.stop(), 0)

    def test_a_waiting_call_does_not_hold_the_stop(self):
        import socket
        node = self.node("node")
        with socket.create_connection(("127.0.0.1", node.rpc_port())) as link:
            link.sendall(b'{"jsonrpc":"2.0","id":1,"method":"ping"}\n'
                         b'{"jsonrpc":"2.0","id":2,"method":"recv",'
                         b'"params":[{"since":0,"wait_ms":60000}]}\n')
            self.assertIn(b"pong", link.recv(1000))
            self.assertEqual(node.stop(), 0)
            self.assertEqual(link.recv(1000), b"")

    def test_killed_and_started_again(self):
        """SIGKILL loses neither hostlist nor config: the node finds its peer without a seed."""
        seed = self.seed()
        bob = self.node("bob", [seed.address()])
        alice = self.node("alice", [seed.address()], net="hostlist_save_interval = 0.05")
        self.connect(alice, bob)
        hosts = self.path("alice.hosts.tsv")

        def is_saved():
            if not os.path.exists(hosts):
                return False
            with open(hosts, encoding="utf-8") as file:
                return bob.address() in file.read()
        alice.until("a saved hostlist", is_saved)
        alice.process.send_signal(signal.SIGKILL)
        self.assertEqual(alice.process.wait(), -signal.SIGKILL)
        with open(hosts, encoding="utf-8") as file:
            for line in file.read().splitlines():
                self.assertRegex(line, r"^(grey|white|gold|dark)\ttcp://\S+\t\d+(\t|$)")
        self.assertEqual(seed.stop(), 0)
        again = self.node("alice")
        again.until("its old peer", lambda: has_channel(again, bob.address()))
        self.assertEqual((again.stop(), bob.stop()), (0, 0))

    def test_several_networks(self):
        from programs import Daemon
        seed = Daemon(self, "hypha-seed", config="""
[rpc]
rpc_listen = "tcp://127.0.0.1:0"
[network."dchat"]
accept_addrs = ["tcp://127.0.0.1:0"]
app_name = "dchatd"
version = "0.4.1"
localnet = true
[network."other"]
accept_addrs = ["tcp://127.0.0.1:0", "tcp+tls://127.0.0.1:0"]
magic_bytes = [1, 2, 3, 4]
localnet = true
""").running()
        seed.line("app_name is empty")
        spawns = seed.call("spawns")["spawns"]
        self.assertEqual([spawn["name"] for spawn in spawns], ["dchat", "other"])
        self.assertEqual([len(spawn["urls"]) for spawn in spawns], [1, 2])
        self.assertEqual(seed.reply("p2p.get_info")["error"]["code"], -32602)  # which network?
        alice = self.node("alice", [spawns[0]["urls"][0]])
        seed.until("alice in one of them", lambda: seed.call("spawns")["spawns"][0]["whitelist"])
        self.assertEqual(seed.call("spawns")["spawns"][1]["whitelist"], [])
        self.assertEqual((alice.stop(), seed.stop()), (0, 0))
        for name in ("dchat", "other"):
            self.assertTrue(os.path.exists(
                self.path(f".local/share/darkfi/lilith/{name}/hosts.tsv")))


if __name__ == "__main__":
    unittest.main(verbosity=2)
