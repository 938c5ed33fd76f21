"""What nobody should do to a daemon's JSON-RPC, done: it answers or hangs up, and goes on."""

import asyncio
import itertools
import json
import os
import signal
import socket
import time
import unittest

from dnet_test import Viewer
from programs import Daemon, ProgramsTest, Rpc, has_channel

TYPES = [None, True, False, 0, 1, -1, 1.5, 2**63 - 1, -2**63, 1e300, "", "x", "\u0000",
         "tcp://", "tcp://127.0.0.1:1", "tcp://[::1]:1", "unix:///x", "tcp://\u00e4\u0000:1/", "a" * 4000,
         "tcp://" + "a" * 3000 + ":1", "\ud83d\ude00" * 500, [], [[]], {}, {"a": 1},
         {"network": None}, {"network": "x"}, {"network": {}}, {"all": 1}, {"since": -1},
         {"since": 2**63 - 1}, {"wait_ms": "x"}, {"report": 5}, {"search": "\u0000"},
         {"search": "\u00fc" * 300}, {"offset": 2**63 - 1, "limit": 5000}, {"colour": ""},
         {"\u00fc" * 300: 1}, {"": {}}]
SAFE = {"daemon.stop"}  # with the right params it does what it says


class Abuse(ProgramsTest):
    def pair(self):
        first = self.node("first")
        second = self.node("second", slots=1, profile=f"peers = [\"{first.address()}\"]")
        second.until("a channel", lambda: has_channel(second, first.address(), "manual"))
        return first, second

    def generated(self, methods):
        for method in methods:
            if method not in SAFE:
                yield method, []
                yield method, {}
            for value in TYPES:
                yield method, [value]
                yield method, {"value": value}
            for first, second in itertools.product(TYPES[::3], TYPES[1::4]):
                yield method, [first, second]
            yield method, [None] * 1000
            if method not in SAFE:
                yield method, [{"network": "dchatd"}]

    def test_params_of_every_kind(self):
        """Each is answered once, in order, with a result or an error that says why; or it is a
        subscription."""
        for daemon in (self.node("node"), self.seed()):
            methods = daemon.call("rpc.discover")["methods"]
            rpc = Rpc(self, daemon)
            for method, params in self.generated(methods):
                if method.endswith(("subscribe", "subscribe_events")):
                    rpc.close()
                    rpc = Rpc(self, daemon)
                number = rpc.ask(method, params)
                fence = rpc.ask("ping")
                while "method" in (line := rpc.line()):
                    pass
                if line["id"] == number:
                    if "error" in line:
                        code, message = line["error"]["code"], line["error"]["message"]
                        self.assertIn(code, (-32602, -32000), (method, params, line))
                        self.assertTrue(message)
                    self.assertLess(len(json.dumps(line)), 65536)
                    while "method" in (line := rpc.line()):
                        pass
                else:
                    self.assertIn("subscribe", method)
                self.assertEqual((line["id"], line["result"]), (fence, "pong"), (method, params))
            rpc.close()
            self.assertEqual(daemon.stop(), 0)

    def test_ping_takes_anything(self):
        """spec: apps.md 2.5"""
        node = self.node("node")
        for value in TYPES:
            self.assertEqual(node.call("ping", [value]), "pong")
            self.assertEqual(node.call("ping", {"network": value}), "pong")
        for seed_params in ([{"network": "x"}], [], {}):
            self.assertEqual(self.seed().call("ping", seed_params), "pong")

    def test_lines_of_every_kind(self):
        node = self.node("node")
        ping = b'{"jsonrpc":"2.0","id":1,"method":"ping"}\n'
        rows = [
            (b"\xff\xfe\n", -32700), (b"[" * 100000 + b"\n", -32700),
            (b'{"a":' * 70 + b"1" + b"}" * 70 + b"\n", -32700),
            (b'{"jsonrpc":"2.0","id":' + b"9" * 100000 + b',"method":"ping"}\n', -32700),
            (b'{"jsonrpc":"2.0","id":1e5,"method":"ping"}\n', -32600),
            (b'{"jsonrpc":"2.0","id":1,"method":"ping","params":"\\ud800"}\n', -32700),
            (b'{"jsonrpc":"2.0","id":1,"method":"' + b"m" * 100000 + b'"}\n', -32601),
            (b'{"jsonrpc":"2.0","id":1,"method":""}\n', -32601),
            (b'{"jsonrpc":"2.0","id":1,"method":"ping","method":"ping"}\n', -32700),
            (b'\x00' * 50 + b"\n", -32700), (b"GET / HTTP/1.1\r\n", -32700),
            (b'"' + b"x" * 500000 + b"\n", -32700),
        ]
        for line, code in rows:
            replies = [json.loads(reply) for reply in node.raw(line + ping).split(b"\r\n")[:-1]]
            self.assertEqual([reply.get("error", {}).get("code") for reply in replies],
                             [code, None], line[:60])
        # Longer than a request may be: said so, then it hangs up.
        reply = json.loads(node.raw(b'"' + b"x" * (1 << 20) + b'"\n' + ping))
        self.assertEqual(reply["error"]["code"], -32600)
        # Lines in bytes, and halves that never end.
        halves = []
        for i in range(40):
            link = socket.create_connection(("127.0.0.1", node.rpc_port()))
            link.sendall(ping[:i])
            halves.append(link)
        self.assertEqual(node.call("ping"), "pong")
        for i, link in enumerate(halves):
            link.sendall(ping[i:])
            self.assertEqual(json.loads(link.makefile().readline())["result"], "pong")
            link.close()

    def test_a_hundred_clients(self):
        """64 may come; the others are told so with id 0, and the daemon serves who is in."""
        node = self.node("node")
        links = [socket.create_connection(("127.0.0.1", node.rpc_port()), timeout=60)
                 for _ in range(100)]
        told = []
        for link in links:
            link.sendall(b'{"jsonrpc":"2.0","id":5,"method":"ping"}\n')
        for link in links:
            try:
                told.append(json.loads(link.makefile().readline() or "null"))
            except ConnectionResetError:
                told.append(None)
        self.assertEqual(sum(reply is not None and reply.get("result") == "pong" and reply["id"] == 5
                             for reply in told), 64)
        refused = [reply for reply in told if reply is not None and "error" in reply]
        self.assertEqual({(reply["id"], reply["error"]["code"]) for reply in refused}, {(0, -32000)})
        self.assertEqual(len(refused), 36)
        for link in links:
            link.close()
        node.until("there is room again", lambda: node.raw(
            b'{"jsonrpc":"2.0","id":1,"method":"ping"}\n').find(b"pong") >= 0)
        self.assertEqual(node.stop(), 0)

    def crowd(self, name, network):
        """A hostlist of thousands, with the longest addresses there are."""
        now = int(time.time())
        rows = []
        for colour, base in (("white", 1), ("grey", 2), ("gold", 3)):
            for i in range(3000):
                rows.append(f"{colour}\ttcp://{base}.{i >> 8}.{i & 255}.7:{1000 + i}/\t{now - i}\n")
            for i in range(200):
                label = ("h%d" % i).ljust(60, "x")
                rows.append(f"{colour}\ttcp://{label}.{'y' * 60}.{'z' * 60}.{'w' * 50}.example:{1000 + i}/"
                            f"\t{now - i}\n")
        return self.path(f"{name}.{network}.tsv", "".join(rows))

    def test_the_viewer_and_many_hosts(self):
        """The reference's viewer on daemons that know thousands, with 64 slots. spec: apps.md 6.2"""
        text = "\n[rpc]\nrpc_listen = \"tcp://127.0.0.1:0\"\n"
        for network in ("dchat", "darkirc", "\u00fcber"):
            hosts = self.crowd("seed", network)
            text += (f'[network."{network}"]\naccept_addrs = ["tcp://127.0.0.1:0"]\n'
                     f'app_name = "dchatd"\nversion = "0.4.1"\nhostlist = "{hosts}"\n'
                     f'datastore = "{self.folder}/{network}.data"\n')
        seed = Daemon(self, "hypha-seed", config=text, name="seed").running()
        self.crowd("hosts", "x")
        os.rename(self.path("hosts.x.tsv"), self.path("node.hosts.tsv"))
        node = self.node("node", slots=64)

        async def lilith():
            reader, writer = await asyncio.open_connection("127.0.0.1", seed.rpc_port())
            for number in range(5):
                writer.write(json.dumps({"jsonrpc": "2.0", "method": "spawns", "params": [],
                                         "id": number}).encode() + b"\n")
                line = await reader.readline()
                self.assertLess(len(line), 65536)
                spawns = json.loads(line)["result"]["spawns"]
                self.assertEqual({spawn["name"] for spawn in spawns}, {"dchat", "darkirc", "\u00fcber"})
                for spawn in spawns:
                    self.assertTrue(spawn["truncated"])
                    for name in ("urls", "whitelist", "greylist", "goldlist"):
                        self.assertIsInstance(spawn[name], list)
                    self.assertTrue(spawn["whitelist"])
            writer.close()

        async def normal():
            for _ in range(3):  # it comes again when the line was cut
                viewer = Viewer()
                await viewer.connect(node.rpc_port())
                self.assertEqual(len(viewer.info["outbound_slots"]), 64)
                for _ in range(200):
                    line = await asyncio.wait_for(viewer.reader.readline(), 60)
                    event = json.loads(line)["params"][0]
                    self.assertEqual(set(event), {"event", "info"})
                await viewer.send("dnet.switch", [False])
                viewer.close()

        async def both():
            await asyncio.gather(lilith(), normal())
        asyncio.run(both())
        rpc = Rpc(self, node)
        for method, params in (("net.why", []), ("net.stats", []), ("p2p.get_info", []), ("net.bans", []),
                               ("hosts.list", [{"limit": 5000}])):
            self.assertTrue(rpc.call(method, params), method)  # a line below 64 KiB, or it fails
        self.pages(rpc)
        self.assertEqual((seed.stop(), node.stop()), (0, 0))

    def pages(self, rpc):
        """All pages, while slots move hosts about: each page is whole, and there is an end."""
        offset, seen, pages = 0, set(), 0
        while offset is not None and pages < 1000:
            page = rpc.call("hosts.list", [{"offset": offset, "limit": 700}])
            self.assertLessEqual(len(page["hosts"]), 700)
            seen |= {host["url"] for host in page["hosts"]}
            self.assertTrue(page["next"] is None or page["next"] > offset)
            offset, pages = page["next"], pages + 1
        self.assertIsNone(offset)
        self.assertGreater(len(seen), 0.9 * page["total"])

    def test_a_storm_and_slow_subscribers(self):
        """Many who subscribe and read nothing, and a storm of messages: memory stays bounded, the
        others are served, and the stop waits for nobody."""
        first, second = self.pair()
        slow = []
        for _ in range(30):
            rpc = Rpc(self, first)
            for i in range(16):
                rpc.ask("dnet.subscribe_events", [{"all": i % 2 == 0, "lag": True}])
            rpc.ask("dnet.switch", [True])
            slow.append(rpc)
        sender, watcher = Rpc(self, second), Rpc(self, first)
        began = self.memory(first)
        for i in range(2000):
            sender.ask("send", ["y" * 500])
        for i in range(2000):
            self.assertIs(sender.line()["result"], True)
        first.until("all came", lambda: watcher.call("net.stats")["commands"].get(
            "DchatMsg", {}).get("messages_in", 0) >= 2000)
        self.assertLess(self.memory(first) - began, 400 << 20)
        began = time.monotonic()
        self.assertEqual(first.stop(), 0)
        self.assertLess(time.monotonic() - began, 20)

    @staticmethod
    def memory(daemon):
        with open(f"/proc/{daemon.process.pid}/statm", encoding="ascii") as file:
            return int(file.read().split()[1]) * 4096

    def test_bans_and_dials_of_all_sorts(self):
        first, second = self.pair()
        rpc = Rpc(self, second)
        own = second.address()
        for url in (own, first.address(), "tcp://0.0.0.0:1", "tcp://127.0.0.1", "tcp://[::]",
                    "tcp+tls://127.0.0.1:1", "tor://abc.onion:1", "tcp://10.0.0.1", "unix:///tmp/x", "tcp://example.org:99999"):
            for method in ("net.connect", "net.ban", "net.connect", "net.disconnect", "net.unban",
                           "net.disconnect", "net.disconnect"):
                reply = rpc.reply(method, [url])
                if "error" in reply:
                    self.assertIn(reply["error"]["code"], (-32602, -32000), (method, url, reply))
        for number in (1, 2**32 - 1):
            self.assertEqual(rpc.refusal("net.disconnect", [number])[0], -32000)
        for channel in rpc.call("p2p.get_info")["channels"]:
            rpc.reply("net.disconnect", [channel["id"]])
        for i in range(3000):
            rpc.ask("net.ban", [f"tcp://198.{18 + (i >> 14)}.{i >> 8 & 63}.{i & 255}:7", 60])
        for i in range(3000):
            rpc.line()
        bans = rpc.call("net.bans")
        self.assertTrue(bans["truncated"] or len(bans["bans"]) > 100)
        self.assertEqual(rpc.call("ping"), "pong")
        self.assertEqual((first.stop(), second.stop()), (0, 0))

    def test_reloads_while_clients_talk(self):
        """SIGHUP a hundred times, the file replaced by everything that is not one."""
        first, second = self.pair()
        path = self.path("second.toml")
        with open(path, encoding="utf-8") as file:
            good = file.read()
        rpc = Rpc(self, second)
        rpc.call("dnet.switch", [True])
        rpc.ask("dnet.subscribe_events")
        for i in range(100):
            with open(path + ".new", "w", encoding="utf-8") as file:
                file.write(good.replace("outbound_connections = 1", f"outbound_connections = {i % 5}"))
            os.rename(path + ".new", path)
            second.process.send_signal(signal.SIGHUP)
            self.assertIs(rpc.call("send", ["x"]), True)
        second.until("the last is in force", lambda: len(
            second.call("p2p.get_info")["outbound_slots"]) == 4)
        os.remove(path)
        code, message = rpc.refusal("net.reload")
        self.assertEqual(code, -32000)
        for make in (lambda: os.mkdir(path), lambda: os.mkfifo(path),
                     lambda: os.symlink(path, path), lambda: os.symlink("/dev/zero", path),
                     lambda: self.path("second.toml", "x" * (64 << 20)),
                     lambda: self.path("second.toml", "[net]\noutbound_connections = -1\n"),
                     lambda: self.path("second.toml", "[[[["),
                     lambda: self.path("second.toml", "a = [" * 50000),
                     lambda: self.path("second.toml", "\x00")):
            make()
            code, message = rpc.refusal("net.reload")
            self.assertEqual(code, -32000)
            self.assertIn("second.toml", message)
            second.process.send_signal(signal.SIGHUP)
            self.assertEqual(rpc.call("ping"), "pong")
            if os.path.isdir(path) and not os.path.islink(path):
                os.rmdir(path)
            else:
                os.remove(path)
        self.path("second.toml", good)
        rpc.call("net.reload")  # unless a late SIGHUP came before
        second.until("it is in force", lambda: len(
            second.call("p2p.get_info")["outbound_slots"]) == 1)
        self.assertEqual((first.stop(), second.stop()), (0, 0))

    def test_stop_during_calls(self):
        """daemon.stop answers, whatever else is under way; a client that waits is hung up on."""
        for _ in range(3):
            node = self.node("node")
            waiting, other = Rpc(self, node), Rpc(self, node)
            for _ in range(30):
                waiting.ask("recv", [{"since": 0, "wait_ms": 60000}])
            methods = ["daemon.stop"] + 20 * ["net.stats"]  # at once: it may hang up on more
            other.link.sendall(b"".join(json.dumps(
                {"jsonrpc": "2.0", "id": number, "method": method, "params": []}).encode() + b"\n"
                for number, method in enumerate(methods)))
            self.assertEqual(other.line()["result"], True)
            self.assertEqual(node.process.wait(60), 0)
            self.assertEqual(waiting.file.read(), b"")


if __name__ == "__main__":
    unittest.main(verbosity=2)
