"""hypha-view as a person sees it: on a terminal, with hypha's nodes and with one that speaks as
the reference's does, is hostile, goes and comes back. spec: apps.md 6"""

import glob
import json
import os
import re
import signal
import socket
import threading
import time
import unittest

from programs import DEADLINE, Daemon, ProgramsTest, free_port
from terminal import Terminal


class FakeNode:
    """A reference node: ping, p2p.get_info, dnet.switch, dnet.subscribe_events with [] only.

    Asked out of the order of its own viewer, it hangs up."""

    def __init__(self, test, port=0, info=None, methods=None):
        self.info = info or {"channels": [], "outbound_slots": [0, 0, 0]}
        self.methods = methods or {}
        self.requests = []
        self.changed = threading.Condition()
        self.links = []
        self.sending = threading.Lock()  # an answer and events are written by two threads
        self.subscribed = []
        self.listener = socket.socket()
        self.listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        self.listener.bind(("127.0.0.1", port))
        self.listener.listen()
        self.port = self.listener.getsockname()[1]
        threading.Thread(target=self._accept, daemon=True).start()
        test.addCleanup(self.close)

    def _accept(self):
        while True:
            try:
                link, _ = self.listener.accept()
            except OSError:
                return
            self.links.append(link)
            threading.Thread(target=self._serve, args=(link,), daemon=True).start()

    def _serve(self, link):
        try:
            with link.makefile("rb") as lines:
                for line in lines:
                    if not self._answer(link, json.loads(line)):
                        break
        except (OSError, ValueError):
            pass
        link.close()

    def _answer(self, link, request):
        method, params = request["method"], request["params"]
        reply = {"jsonrpc": "2.0", "id": request["id"]}
        with self.changed:
            self.requests.append((method, params))
            before = [name for name, _ in self.requests]
            self.changed.notify_all()
        if method in self.methods:
            reply["result"] = self.methods[method](params)
        elif method == "ping":
            reply["result"] = "pong"
        elif method == "p2p.get_info":
            reply["result"] = self.info
        elif method == "dnet.switch" and len(params) == 1 and isinstance(params[0], bool):
            if "p2p.get_info" not in before:
                return False
            reply["result"] = True
        elif method == "dnet.subscribe_events" and params == []:
            if "dnet.switch" not in before:
                return False
            with self.changed:
                self.subscribed.append(link)
                self.changed.notify_all()
            return True
        elif method in ("dnet.switch", "dnet.subscribe_events"):
            reply["error"] = {"code": -32602, "message": "invalid params"}
        else:
            reply["error"] = {"code": -32601, "message": "method not found"}
        with self.sending:
            link.sendall(json.dumps(reply).encode() + b"\r\n")
        return True

    def wait(self, ready, seconds=DEADLINE):
        with self.changed:
            if not self.changed.wait_for(ready, seconds):
                raise AssertionError(f"the node was only asked {self.requests}")

    def event(self, name, **info):
        self.wait(lambda: self.subscribed)
        line = {"jsonrpc": "2.0", "method": "dnet.subscribe_events",
                "params": [{"event": name, "info": info}]}
        with self.sending:
            self.subscribed[-1].sendall(json.dumps(line).encode() + b"\r\n")

    def message(self, event, channel, command, addr="tcp://192.0.2.1:26661/"):
        self.event(event, chan={"addr": addr, "id": channel}, cmd=command,
                   time=str(time.time_ns()))

    def close(self):
        try:
            self.listener.shutdown(socket.SHUT_RDWR)  # ends accept(), which else keeps the port
        except OSError:
            pass
        self.listener.close()
        for link in self.links:
            try:
                link.shutdown(socket.SHUT_RDWR)
            except OSError:
                pass
        self.links.clear()
        self.subscribed.clear()


class Seed(FakeNode):
    def __init__(self, test, spawns):
        super().__init__(test)
        self.methods = {"spawns": lambda _: {"spawns": spawns}}

    def _answer(self, link, request):
        if request["method"] != "spawns":
            link.sendall(json.dumps({
                "jsonrpc": "2.0", "id": request["id"],
                "error": {"code": -32601, "message": "method not found"}}).encode() + b"\r\n")
            return True
        return super()._answer(link, request)


class ViewTest(ProgramsTest):
    def view(self, *arguments, **more):
        return Terminal(self, "hypha-view", *arguments, **more)

    def config(self, *nodes):
        return self.path("dnet_config.toml", "".join(
            f'[[nodes]]\nname = "{name}"\nhost = "127.0.0.1"\nport = {port}\ntype = "{kind}"\n'
            for name, port, kind in nodes))

    def once(self, *arguments):
        status, out, err = self.run_program("hypha-view", "--once", "--json", *arguments)
        return status, json.loads(out)["nodes"] if out else None, err


class OnceTest(ViewTest):
    def test_own_nodes(self):
        seed = self.seed()
        alice = self.node("alice", [seed.address()])
        bob = self.node("bob", [seed.address()])
        for node in (alice, bob):
            node.until("a channel", lambda node=node: any(
                channel["session"] == "outbound"
                for channel in node.call("p2p.get_info")["channels"]))
        status, nodes, err = self.once(
            f"alice=127.0.0.1:{alice.rpc_port()}", f"tcp://127.0.0.1:{bob.rpc_port()}",
            f"the seed=127.0.0.1:{seed.rpc_port()}", f"gone=127.0.0.1:{free_port()}")
        self.assertEqual((status, err), (0, ""))
        self.assertEqual([(node["kind"], node["link"]) for node in nodes],
                         [("NORMAL", "online"), ("NORMAL", "online"), ("LILITH", "online"),
                          ("NORMAL", "offline")])
        self.assertEqual(nodes[0]["name"], "alice")
        self.assertTrue(nodes[0]["is_hypha"])
        self.assertEqual(nodes[0]["app"], "dchatd")
        self.assertIn("connected", [slot["state"] for slot in nodes[0]["slots"]])
        self.assertIn(bob.address() + "/", [channel["addr"] for channel in nodes[0]["channels"]])
        self.assertEqual(nodes[2]["networks"][0]["name"], "dchat")
        self.assertEqual(nodes[3]["error"], "connection refused")
        status, out, _ = self.run_program(
            "hypha-view", "--once", f"alice=127.0.0.1:{alice.rpc_port()}")
        self.assertEqual(status, 0)
        self.assertIn("- alice  online  dchatd 0.4.1", out)
        self.assertIn(bob.address(), out)

    def test_nobody_reachable(self):
        status, nodes, _ = self.once(f"127.0.0.1:{free_port()}")
        self.assertEqual(status, 3)
        self.assertEqual(nodes[0]["link"], "offline")

    def test_reference_node_is_not_switched(self):
        node = FakeNode(self, info={"channels": [
            {"url": "tcp://192.0.2.9:26661/", "session": "manual", "id": 7}],
            "outbound_slots": [0, 0]})
        status, nodes, _ = self.once(f"127.0.0.1:{node.port}")
        self.assertEqual(status, 0)
        self.assertEqual(nodes[0]["kind"], "NORMAL")
        self.assertFalse(nodes[0]["is_hypha"])
        self.assertEqual(nodes[0]["channels"][0]["session"], "manual")
        self.assertNotIn("dnet.switch", [name for name, _ in node.requests])

    def test_reference_seed_is_found_out(self):
        seed = Seed(self, [{"name": "dchat", "urls": ["tcp://192.0.2.1:50515/"],
                            "whitelist": ["tcp://192.0.2.2:1/"], "greylist": [], "goldlist": []}])
        status, nodes, _ = self.once(f"127.0.0.1:{seed.port}")
        self.assertEqual((status, nodes[0]["kind"]), (0, "LILITH"))
        self.assertEqual(nodes[0]["networks"][0]["whitelist"], ["tcp://192.0.2.2:1/"])

    def test_unix_socket_and_token(self):
        token = self.path("token", "a-token-of-some-length\n")
        os.chmod(token, 0o600)
        node = Daemon(self, "dchatd", name="private", config=f"""
[rpc]
rpc_listen = "unix://{self.folder}/rpc.sock"
rpc_token_file = "{token}"
[net]
hostlist = "{self.folder}/private.tsv"
outbound_connections = 0
""").running()
        where = f"unix:{self.folder}/rpc.sock"
        status, nodes, _ = self.once("--rpc-token-file", token, where)
        self.assertEqual((status, nodes[0]["link"]), (0, "online"))
        status, nodes, _ = self.once(where)
        self.assertEqual(status, 3, nodes)
        config = self.path("with_token.toml",
                           f'[[nodes]]\nname = "n"\nendpoint = "{where}"\ntoken_file = "{token}"\n')
        self.assertEqual(self.once("-c", config)[0], 0)
        self.assertEqual(node.stop(), 0)

    def test_big_replies(self):
        """Just below 16 MiB is read; above it is an error, and not the end."""
        channels = [{"url": f"tcp://192.0.2.1:{i}/" + "x" * 8000, "session": "inbound", "id": i}
                    for i in range(1, 2070)]
        node = FakeNode(self, info={"channels": channels, "outbound_slots": [0]})
        size = len(json.dumps(node.info))
        self.assertTrue(15_900_000 < size < 16_777_000, size)
        status, nodes, err = self.once(f"127.0.0.1:{node.port}")
        self.assertEqual((status, err), (0, ""))
        self.assertEqual(len(nodes[0]["channels"]), 2048)
        self.assertLess(max(len(channel["addr"]) for channel in nodes[0]["channels"]), 513)
        node.info["channels"] += channels[:100]
        status, nodes, _ = self.once(f"127.0.0.1:{node.port}")
        self.assertEqual(status, 3)
        self.assertEqual(nodes[0]["error"], "a limit is exceeded")


class ConfigTest(ViewTest):
    def test_first_run(self):
        status, out, _ = self.run_program("hypha-view")
        path = os.path.join(self.folder, ".config/darkfi/dnet_config.toml")
        self.assertEqual(status, 2)
        self.assertIn(f'Config file created in "{path}"', out)
        with open(path, encoding="utf-8") as file:
            self.assertIn("port = 51054", file.read())
        status, nodes, err = self.once()
        self.assertEqual([node["name"] for node in nodes], ["dchatd", "seed"])
        self.assertEqual([node["kind"] for node in nodes], ["NORMAL", "LILITH"])
        self.assertEqual(err, "")

    def test_given_nodes_need_no_config(self):
        status, _, _ = self.once(f"127.0.0.1:{free_port()}")
        self.assertEqual(status, 3)
        self.assertFalse(os.path.exists(os.path.join(self.folder, ".config")))

    def test_wrong_configs(self):
        for text, said in (
                ("", "names no nodes"),
                ("# all comments\n", "names no nodes"),
                ('[[nodes]]\nname = "a"\nhost = "h"\nport = 1\ntype = "ODD"\n',
                 ":5:8: nodes[0].type: expected \"NORMAL\" or \"LILITH\""),
                ('[[nodes]]\nname = "a"\nhost = "h"\nport = 0\n', "port from 1 to 65535"),
                ('[[nodes]]\nname = "a"\nhost = "h"\n', "expected host and port, or endpoint"),
                ('[[nodes]]\nname = 7\n', "expected a string"),
                ('[[nodes]]\nname = "a"\nendpoint = "x"\n', "expected a host and a port"),
                ('[[nodes]]\nname = "a"\nhost = "h"\nport = 1\n' * 2, 'two nodes are named "a"'),
                ('nodes = 7\n', "expected a list"),
                ("[[nodes\n", ":1:")):
            with self.subTest(text=text):
                status, out, err = self.run_program(
                    "hypha-view", "--once", "-c", self.path("bad.toml", text))
                self.assertEqual((status, out), (1, ""))
                self.assertIn(said, err)
        path = self.path("odd.toml", '[[nodes]]\nname = "a"\nhots = "x"\nhost = "::1"\n'
                         f'port = {free_port()}\ntype = "NORMAL"\n')
        status, nodes, err = self.once("-c", path)
        self.assertEqual(status, 3)
        self.assertIn('did you mean "host"?', err)
        self.assertTrue(nodes[0]["endpoint"].startswith("[::1]:"))

    def test_wrong_usage(self):
        for arguments in (["--json", "x:1"], ["--once", "--web", "x:1"], ["--odd"],
                          ["--listen", "127.0.0.1:1", "x:1"], ["a=", "--once"],
                          ["ftp://x", "--once"], ["-c", "~bob/x"]):
            with self.subTest(arguments=arguments):
                status, _, err = self.run_program("hypha-view", *arguments)
                self.assertEqual(status, 1)
                self.assertTrue(err)
        self.assertEqual(self.run_program("hypha-view", "--help")[0], 0)
        self.assertEqual(self.run_program("hypha-view", "--version")[0], 0)

    def test_no_terminal(self):
        status, _, err = self.run_program("hypha-view", "127.0.0.1:1")
        self.assertEqual(status, 1)
        self.assertIn("--once", err)
        screen = self.view("127.0.0.1:1", env={"TERM": "dumb"})
        self.assertEqual(screen.wait(), 1)
        self.assertIn("cannot place the cursor", screen.raw.decode())
        screen = self.view("127.0.0.1:1", env={"TERM": "no-such-terminal"})
        self.assertEqual(screen.wait(), 1)
        self.assertIn("not known", screen.raw.decode())


class ReferenceTest(ViewTest):
    # spec: apps.md 6.2: get_info, switch, subscribe, in this order
    def test_sequence(self):
        node = FakeNode(self)
        screen = self.view("-c", self.config(("ref", node.port, "NORMAL")))
        screen.shows("ref", "online")
        node.wait(lambda: node.subscribed)
        node.wait(lambda: ("net.bans", []) in node.requests)
        self.assertEqual(node.requests[:3], [
            ("p2p.get_info", []), ("dnet.switch", [True]),
            ("dnet.subscribe_events", [{"all": True, "lag": True}])])
        asked = [name for name, _ in node.requests]
        self.assertNotIn("spawns", asked)
        # What the node does not know is asked once, p2p.get_info again now and then.
        node.wait(lambda: [name for name, _ in node.requests].count("p2p.get_info") >= 2)
        self.assertEqual([name for name, _ in node.requests].count("net.why"), 1)
        screen.send("q")
        self.assertEqual(screen.wait(), 0)
        self.assertEqual(node.requests[-1], ("dnet.switch", [False]))

    def test_tree_and_messages(self):
        node = FakeNode(self, info={"channels": [
            {"url": "tcp://192.0.2.1:26661/", "session": "outbound", "id": 11},
            {"url": "tcp://192.0.2.2:26661/", "session": "manual", "id": 12}],
            "outbound_slots": [11, 0]})
        screen = self.view(f"ref=127.0.0.1:{node.port}")
        screen.shows("ref", "1/2").send("enter")
        screen.shows("outbound  1 of 2 slots", "0 connected", "tcp://192.0.2.1:26661/",
                     "manual  1 channel", "tcp://192.0.2.2:26661/", "1 empty")
        node.event("outbound_slot_connecting", slot=1, addr="tcp://192.0.2.3:26661/")
        screen.shows("1 connecting", "tcp://192.0.2.3:26661/")
        node.event("outbound_slot_connected", slot=1, addr="tcp://192.0.2.3:26661/", channel_id=13)
        screen.shows("outbound  2 of 2 slots")
        node.event("outbound_slot_disconnected", slot=1, err="Channel stopped")
        screen.shows("1 disconnected", "Channel stopped")
        node.event("inbound_connected", addr="tcp://192.0.2.4:40000/", channel_id=14)
        screen.shows("inbound  1 channel", "tcp://192.0.2.4:40000/")
        node.event("outbound_peer_discovery", attempt=2, state="seed")
        screen.shows("discovery: seed, 2 failed")
        # Into the first slot's channel.
        screen.send("down", "down", "enter")
        screen.shows("outbound #11", "Nothing yet")
        node.message("send", 11, "version")
        node.message("recv", 11, "verack")
        screen.shows("send -> version", "recv <- verack")
        screen.send("/", "vera").shows("/vera").hides("-> version").send("enter")
        node.message("recv", 11, "getaddr")
        node.message("recv", 11, "verack2")
        screen.shows("<- verack2")
        self.assertFalse(screen.has("<- getaddr"))
        screen.send("escape").shows("<- getaddr")
        screen.send("p").shows("PAUSED")
        node.message("recv", 11, "unseen")
        screen.send("down")
        time.sleep(0.5)
        self.assertFalse(screen.has("<- unseen"))
        screen.send("p").shows("<- unseen").hides("PAUSED")
        # Out again, and to the events.
        screen.send("escape").shows("manual  1 channel")
        screen.send("7").shows("outbound_peer_discovery", "seed attempt 2")
        screen.send("4").shows("now: seed, 2 failed")
        screen.send("6").shows("Only hypha's nodes")
        screen.send("?").shows("Any key goes back").send("x").hides("Any key")
        screen.send("tab").shows("[7 Events]").send("back_tab").shows("[6 Bans]")

    def test_all_other_keys(self):
        node = FakeNode(self)
        screen = self.view(f"ref=127.0.0.1:{node.port}").shows("online")
        node.wait(lambda: node.subscribed)
        for i in range(300):
            node.message("send", 11, f"cmd{i}")
        screen.send("7").shows("cmd299", "300/300")
        screen.send("page_up").hides("cmd299").shows("cmd270")
        screen.send("g").shows("cmd0 ").send("page_down").shows("cmd19 ")
        screen.send("G").shows("cmd299").send("up").shows("299/300")
        screen.send("j").shows("300/300").send("k").shows("299/300").send("k").shows("298/300")

    def test_save(self):
        node = FakeNode(self)
        screen = self.view(f"ref=127.0.0.1:{node.port}").shows("online")
        node.message("send", 11, "version")
        screen.send("7").shows("version").send("s").shows("saved 1 row to hypha-view-")
        names = glob.glob(os.path.join(self.folder, "hypha-view-*.jsonl"))
        self.assertEqual(len(names), 1)
        with open(names[0], encoding="utf-8") as file:
            saved = [json.loads(line) for line in file]
        self.assertEqual([(row["kind"], row["node"], row["event"]) for row in saved],
                         [("event", "ref", "send")])
        self.assertEqual(os.stat(names[0]).st_mode & 0o777, 0o600)

    def test_offline_and_back(self):
        node = FakeNode(self)
        screen = self.view(f"ref=127.0.0.1:{node.port}").shows("ref", "online", "1 of 1 online")
        node.wait(lambda: node.subscribed)
        node.close()
        screen.shows("0 of 1 online", "offline")
        back = FakeNode(self, port=node.port, info={"channels": [], "outbound_slots": [0] * 7})
        screen.shows("1 of 1 online", "0/7")
        back.wait(lambda: back.subscribed)
        back.event("outbound_slot_connecting", slot=1, addr="tcp://192.0.2.3:26661/")
        screen.send("enter").shows("1 connecting")

    def test_half_an_answer(self):
        """A server that speaks no JSON-RPC, and one that says nothing at all."""
        silent = socket.create_server(("127.0.0.1", 0))
        self.addCleanup(silent.close)
        odd = socket.create_server(("127.0.0.1", 0))
        self.addCleanup(odd.close)

        def answer():
            while True:
                try:
                    link, _ = odd.accept()
                    link.sendall(b"SSH-2.0-odd\r\n")
                except OSError:
                    return
        threading.Thread(target=answer, daemon=True).start()
        screen = self.view(f"silent=127.0.0.1:{silent.getsockname()[1]}",
                           f"odd=127.0.0.1:{odd.getsockname()[1]}")
        screen.shows("silent", "connecting", "malformed").send("q")
        self.assertEqual(screen.wait(), 0)

    def test_hostile_text(self):
        node = FakeNode(self, info={"channels": [
            {"url": "tcp://\x1b]0;owned\x07\x1b[2J/", "session": "manual", "id": 1},
            {"url": "\u202egnp.exe\n\t\u200b\x9b", "session": "inbound", "id": 2},
            {"url": "\u6f22\u5b57" * 30, "session": "direct", "id": 3},
            {"url": "e" + "\u0301" * 500, "session": "seed", "id": 4}], "outbound_slots": []})
        screen = self.view(f"ref=127.0.0.1:{node.port}").shows("online").send("enter")
        screen.shows("\\x1b]0;owned\\x07\\x1b[2J/", "\\u202egnp.exe\\n\\t\\u200b\\x9b")
        self.assertNotIn(b"\x1b]0;owned", bytes(screen.raw))
        self.assertNotIn("\u202e".encode(), bytes(screen.raw))
        screen.shows("hypha-view", "seed  1 channel")


class HostileTest(ViewTest):
    def flood(self, node, done):
        """Events as fast as the wire takes them, of ever new channels, slots and commands."""
        i = 0
        link = node.subscribed[-1]
        while not done.is_set():
            lines = []
            for _ in range(200):
                i += 1
                channel = {"addr": f"tcp://192.0.2.1:{i % 60000}/" + "y" * (i % 400), "id": i}
                for event in (
                        {"event": "send", "info": {"chan": channel, "cmd": f"c{i}" * 20,
                                                   "time": str(i)}},
                        {"event": "inbound_connected", "info": {"addr": channel["addr"],
                                                                "channel_id": i}},
                        {"event": "outbound_slot_connecting", "info": {"slot": i % 5000,
                                                                       "addr": channel["addr"]}},
                        {"event": f"odd{i}", "info": {"addr": "z" * 600}}):
                    lines.append(json.dumps({"jsonrpc": "2.0", "method": "dnet.subscribe_events",
                                             "params": [event]}))
            try:
                with node.sending:
                    link.sendall(("\r\n".join(lines) + "\r\n").encode())
            except OSError:
                return
            self.sent = i * 4

    def test_flood(self):
        self.environment["ASAN_OPTIONS"] = "quarantine_size_mb=8"
        node = FakeNode(self)
        quiet = FakeNode(self)
        screen = self.view(f"loud=127.0.0.1:{node.port}", f"quiet=127.0.0.1:{quiet.port}")
        screen.shows("2 of 2 online")
        node.wait(lambda: node.subscribed)
        self.sent = 0
        done = threading.Event()
        flood = threading.Thread(target=self.flood, args=(node, done))
        flood.start()
        self.addCleanup(flood.join)
        self.addCleanup(done.set)
        began = time.monotonic()
        sizes = []
        while time.monotonic() < began + 8:
            for key, text in (("7", "[7 Events]"), ("2", "[2 Tree]"), ("3", "[3 Slots]"),
                              ("8", "[8 Map]"), ("1", "[1 Overview]")):
                pressed = time.monotonic()
                screen.send(key).shows(text, seconds=10)
                self.assertLess(time.monotonic() - pressed, 5)
            sizes.append(screen.rss_kb())
        # The quiet one is still heard.
        quiet.event("outbound_slot_connecting", slot=1, addr="tcp://192.0.2.3:26661/")
        screen.send("2", "/", "quiet", "enter").shows("1 connecting", seconds=10)
        done.set()
        flood.join()
        self.assertGreater(self.sent / (time.monotonic() - began), 1000, "no flood at all")
        self.assertLess(max(sizes), 200_000, sizes)
        screen.send("q")
        self.assertEqual(screen.wait(), 0)

    def test_output_is_bounded(self):
        """However much happens, the screen is drawn ten times a second at most."""
        node = FakeNode(self)
        screen = self.view(f"ref=127.0.0.1:{node.port}").shows("online").send("7")
        node.wait(lambda: node.subscribed)
        done = threading.Event()
        flood = threading.Thread(target=self.flood, args=(node, done))
        flood.start()
        screen.shows("odd")
        with screen.changed:
            before = len(screen.raw)
        time.sleep(3)
        done.set()
        flood.join()
        with screen.changed:
            drawn = len(screen.raw) - before
        self.assertLess(drawn, 3 * 12 * 24 * 100)


class TerminalTest(ViewTest):
    def test_resize(self):
        node = FakeNode(self)
        screen = self.view(f"ref=127.0.0.1:{node.port}").shows("online", "q quit")
        for rows, cols in ((10, 40), (40, 120), (3, 20), (1, 1), (24, 80)):
            screen.resize(rows, cols)
            if rows > 1:
                screen.shows("hypha-view")
        screen.shows("q quit", "MSG/S  DISCOVERY")
        screen.send("2").shows("[2 Tree]").send("3").shows("[3 Slots]")

    def test_without_colour(self):
        node = FakeNode(self)
        colours = re.compile(rb"\x1b\[[0-9;]*3[0-7][;m]")
        screen = self.view(f"ref=127.0.0.1:{node.port}").shows("online")
        self.assertRegex(bytes(screen.raw), colours)
        screen.send("q").wait()
        for env in ({"NO_COLOR": "1"}, {"TERM": "vt100"}):
            screen = self.view(f"ref=127.0.0.1:{node.port}", env=env).shows(">ref", "online")
            screen.send("2").shows("[2 Tree]").send("q").wait()
            self.assertNotRegex(bytes(screen.raw), colours)

    def test_without_utf8(self):
        node = FakeNode(self, info={"channels": [
            {"url": "tcp://b\u00fccher.example/", "session": "manual", "id": 1}],
            "outbound_slots": []})
        screen = self.view(f"ref=127.0.0.1:{node.port}", env={"LC_ALL": "C"})
        screen.shows("online").send("enter").shows("tcp://b\\xfccher.example/")

    def test_signals_give_the_terminal_back(self):
        node = FakeNode(self)
        for count, number in enumerate((signal.SIGTERM, signal.SIGINT, signal.SIGHUP), 1):
            screen = self.view(f"ref=127.0.0.1:{node.port}").shows("online")
            node.wait(lambda count=count: node.requests.count(("dnet.switch", [True])) == count)
            screen.signal(number)
            self.assertEqual(screen.wait(), 0)
            self.assertEqual(node.requests[-1], ("dnet.switch", [False]))

    def test_own_network(self):
        seed = self.seed()
        alice = self.node("alice", [seed.address()])
        bob = self.node("bob", [seed.address()])
        screen = self.view("-c", self.config(("alice", alice.rpc_port(), "NORMAL"),
                                             ("bob", bob.rpc_port(), "NORMAL"),
                                             ("seed", seed.rpc_port(), "LILITH")), rows=40, cols=120)
        screen.shows("3 of 3 online", "seed: 1 network")
        screen.send("enter")
        screen.shows("- alice  online  dchatd 0.4.1", "0 connected", bob.address() + "/ bob")
        screen.send("2", "down", "down", "enter")
        screen.shows("dchatd 0.4.1", "round trip", "version", "announces")
        self.assertEqual(self.dchat(alice, "send", "hello")[0], 0)
        screen.shows("send -> DchatMsg")
        screen.send("5").shows("white", "gold", bob.address())
        screen.send("/", "nothing like this", "enter").hides(bob.address()).send("escape")
        screen.shows(bob.address())
        screen.send("8").shows("--> bob", "<-- alice")
        alice.call("net.ban", ["tcp://192.0.2.66:1234", 3600])
        screen.send("6").shows("tcp://192.0.2.66:1234/", "59m")
        screen.send("3").shows("outbound   0 connected", "#####")
        bob.stop()
        screen.send("1").shows("2 of 3 online", "connection refused")
        screen.send("2").shows("- bob  offline")


if __name__ == "__main__":
    unittest.main()
