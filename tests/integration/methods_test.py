"""What every daemon does over JSON-RPC. spec: apps.md 2.5, 7.3"""

import json
import os
import signal
import stat
import time
import unittest

from programs import Daemon, ProgramsTest, Rpc, free_port, has_channel

ALL = ["daemon.stop", "dnet.subscribe_events", "dnet.switch", "hosts.list", "net.ban", "net.bans",
       "net.connect", "net.disconnect", "net.reload", "net.seed", "net.stats", "net.unban", "net.why",
       "p2p.get_info", "ping", "rpc.discover"]
REPLY_BYTES = 60000


class Methods(ProgramsTest):
    def two(self):
        """A node, and one that dials it."""
        first = self.node("first")
        second = self.node("second", profile=f"peers = [\"{first.address()}\"]")
        second.until("a channel", lambda: has_channel(second, first.address(), "manual"))
        return first, second

    def hostlist(self, name, rows):
        """rows: (colour, URL)."""
        now = int(time.time())
        self.path(name, "".join(f"{colour}\t{url}\t{now - i}\n"
                                for i, (colour, url) in enumerate(rows)))

    def test_discover_and_disabled(self):
        node, seed = self.node("node"), self.seed()
        own = ["send", "recv", "dchat.info", "dchat.subscribe"]
        self.assertEqual(node.call("rpc.discover"), {"name": "dchatd", "version": "0.4.1",
                                                     "methods": sorted(ALL + own)})
        self.assertEqual(seed.call("rpc.discover")["methods"], sorted(ALL + ["spawns"]))
        few = Daemon(self, "dchatd", "-c", self.path("node.toml"), "--rpc-disabled-methods",
                     "net.ban,net.unban", name="few").running()
        self.assertEqual(few.call("rpc.discover")["methods"],
                         sorted(set(ALL + own) - {"net.ban", "net.unban"}))
        self.assertEqual(few.reply("net.ban", ["tcp://192.0.2.1"])["error"],
                         {"code": -32601, "message": "method not found"})

    def test_wrong_params(self):
        """-32602, and words that name the argument and what was expected."""
        rpc = Rpc(self, self.node("node"))
        rows = [
            ("hosts.list", [{"colour": "pink"}], "colour: expected grey, white, gold, dark or black"),
            ("hosts.list", [{"color": "grey"}], '"color": unknown option: expected colour'),
            ("hosts.list", [{"limit": 0}], "limit: expected an integer from 1 to"),
            ("hosts.list", [{"offset": -1}], "offset: expected an integer from 0 to"),
            ("hosts.list", [{"offset": 1.5}], "offset: expected an integer, found a fraction"),
            ("hosts.list", [{"search": 5}], "search: expected a string, found an integer"),
            ("hosts.list", ["white"], "options: expected an object with colour"),
            ("hosts.list", [{}, {}], "params: expected [] or [{"),
            ("hosts.list", {}, "params: expected [] or [{"),
            ("net.ban", [], "url: expected a URL such as tcp://192.0.2.1:5000, found nothing"),
            ("net.ban", ["no url"], "url: expected a URL"),
            ("net.ban", ["tcp://192.0.2.1", "1 h"], "seconds: expected an integer, found a string"),
            ("net.ban", ["tcp://192.0.2.1", 0], "seconds: expected an integer from 1 to"),
            ("net.ban", ["tcp://192.0.2.1", 5, 5], "params: expected [URL] or [URL, SECONDS]"),
            ("net.unban", [None], "url: expected a URL such as tcp://192.0.2.1:5000, found null"),
            ("net.bans", [1], "params: expected []"),
            ("net.connect", [], "url: expected a URL"),
            ("net.connect", [["tcp://192.0.2.1:1"]], "found an array"),
            ("net.disconnect", [], "url or channel id: expected"),
            ("net.disconnect", [0], "channel id: expected an integer from 1 to 4294967295"),
            ("net.disconnect", [True], "url or channel id: expected a URL"),
            ("net.reload", ["now"], "params: expected []"),
            ("net.seed", [True], "params: expected []"),
            ("net.stats", [{}], "params: expected []"),
            ("net.why", ["?"], "params: expected []"),
            ("dnet.switch", [], "switch: expected true or false, found nothing"),
            ("dnet.switch", {}, "params: expected [BOOLEAN]"),
            ("dnet.switch", [1], "switch: expected true or false, found an integer"),
            ("dnet.switch", [True, True], "params: expected [BOOLEAN]"),
            ("dnet.subscribe_events", ["x"], "options: expected an object with all lag"),
            ("dnet.subscribe_events", [{"all": 1}], "all: expected true or false"),
            ("dnet.subscribe_events", [{"\u00fc" * 100: 1}], "unknown option"),
            ("rpc.discover", [0], "params: expected []"),
            ("daemon.stop", ["please"], "params: expected []"),
            ("dchat.subscribe", [1], "params: expected []"),
            ("net.why", [{"network": "other"}], "network: expected dchatd"),
            ("net.why", [{"network": 5}], "network: expected dchatd"),
        ]
        for method, params, words in rows:
            code, message = rpc.refusal(method, params)
            self.assertEqual(code, -32602, (method, params))
            self.assertIn(words, message, (method, params))
        for params in ([], ["x"], {"a": 1}, {}):
            self.assertEqual(rpc.call("ping", params), "pong")
            self.assertEqual(rpc.call("p2p.get_info", params),
                             {"channels": [], "outbound_slots": [0, 0, 0]})
        self.assertEqual(rpc.call("p2p.get_info", [{"network": "dchatd"}])["channels"], [])

    def test_connect_and_disconnect(self):
        first, second = self.node("first"), self.node("second", slots=0)
        rpc = Rpc(self, second)
        url = first.address() + "/"
        self.assertTrue(rpc.call("net.connect", [first.address()]))
        self.assertEqual(rpc.refusal("net.connect", [url]), (-32000, "exists already"))
        second.until("a channel", lambda: has_channel(second, first.address(), "manual"))
        channel = rpc.call("p2p.get_info")["channels"][0]
        self.assertEqual(channel["url"], url)
        # Stopped by its id, a manual peer comes back with another channel.
        self.assertTrue(rpc.call("net.disconnect", [channel["id"]]))
        second.until("it is gone", lambda: [c["id"] for c in second.call("p2p.get_info")["channels"]]
                     != [channel["id"]])
        self.assertTrue(rpc.call("net.disconnect", [url]))
        second.until("no channel", lambda: not second.call("p2p.get_info")["channels"])
        self.assertEqual(rpc.refusal("net.disconnect", [url]), (-32000, "not found"))
        self.assertEqual(rpc.refusal("net.disconnect", [12345]), (-32000, "not found"))
        self.assertEqual(rpc.refusal("net.connect", ["tor://abc.onion:1"]),
                         (-32000, "no transport for this scheme"))
        self.assertEqual(rpc.refusal("net.connect", ["tcp://192.0.2.1"])[0], -32000)
        self.assertEqual(rpc.call("net.why")["slots"], [])
        # Any other channel can be closed by its address too.
        self.assertTrue(rpc.call("net.connect", [url]))
        first.until("a channel", lambda: first.call("p2p.get_info")["channels"])
        came = first.call("p2p.get_info")["channels"][0]
        self.assertEqual(came["session"], "inbound")
        self.assertTrue(first.call("net.disconnect", [came["url"]]))
        first.until("it is gone", lambda: came["id"] not in
                    [channel["id"] for channel in first.call("p2p.get_info")["channels"]])

    def test_stats(self):
        first, second = self.two()
        second.until("a ping", lambda: second.call("net.stats")["channels"][0]["rtt_us"] > 0)
        stats = second.call("net.stats")
        self.assertEqual(set(stats), {"uptime_s", "app", "version", "peers", "channels", "commands",
                                      "hosts", "bans", "listen", "own_addrs", "truncated"})
        self.assertEqual((stats["app"], stats["version"], stats["peers"], stats["bans"],
                          stats["truncated"]), ("dchatd", "0.4.1", 1, 0, False))
        self.assertEqual(stats["listen"], [second.address() + "/"])
        self.assertEqual(stats["own_addrs"], [second.address() + "/"])
        self.assertEqual(set(stats["hosts"]), {"grey", "white", "gold", "dark", "black"})
        channel = stats["channels"][0]
        self.assertEqual(set(channel), {
            "id", "url", "session", "address", "app", "version", "start_s", "rtt_us",
            "queued_bytes", "messages_in", "messages_out", "bytes_in", "bytes_out", "announced",
            "commands"})
        self.assertEqual((channel["url"], channel["address"], channel["session"], channel["app"],
                          channel["announced"]),
                         (first.address() + "/", first.address() + "/", "manual", "dchatd",
                          [first.address() + "/"]))
        self.assertLess(abs(channel["start_s"] - time.time()), 600)
        for key in ("messages_in", "messages_out", "bytes_in", "bytes_out"):
            self.assertEqual(sum(row[key] for row in channel["commands"].values()), channel[key])
            self.assertGreaterEqual(stats["commands"]["version"][key], 1)
        self.assertEqual(channel["commands"]["verack"]["messages_in"], 1)
        before = stats["commands"].get("DchatMsg", {"messages_out": 0, "bytes_out": 0})
        second.call("send", ["hello"])
        after = second.call("net.stats")["commands"]["DchatMsg"]
        self.assertEqual((after["messages_out"] - before["messages_out"],
                          after["bytes_out"] - before["bytes_out"]), (1, 6))

    def test_why(self):
        """Why a slot is empty: the place, the cause, what it waits for."""
        ports = {"manual": free_port(), "seed": free_port()}
        node = self.node("node", profile=f"peers = [\"tcp://127.0.0.1:{ports['manual']}\"]",
                         seeds=[f"tcp://127.0.0.1:{ports['seed']}"])

        def slots(session):
            return [slot for slot in node.call("net.why")["slots"] if slot["session"] == session]
        node.until("the seed is refused", lambda: slots("seed")[0]["last_error"])
        node.until("the peer is refused", lambda: slots("manual")[0]["last_error"])
        why = node.call("net.why")
        self.assertEqual(set(why), {"slots", "discovery"})
        self.assertEqual(set(why["discovery"]), {"state", "failures", "next_ms", "seed_wait_ms",
                                                 "getaddr_rounds", "seed_rounds"})
        for slot in why["slots"]:
            self.assertEqual(set(slot), {
                "session", "slot", "state", "since_ms", "addr", "channel_id", "last_error",
                "last_addr", "failures", "next_ms", "waits_for"})
            self.assertNotEqual(slot["waits_for"], "")
        self.assertEqual([slot["slot"] for slot in slots("outbound")], [0, 1, 2])
        for session, port in ports.items():
            self.assertEqual(slots(session)[0]["last_error"], "connection refused")
            self.assertEqual(slots(session)[0]["last_addr"], f"tcp://127.0.0.1:{port}/")
        self.assertTrue(node.call("net.seed"))

    def test_hosts_paged_and_searched(self):
        """Every page is a line of less than 60000 bytes, and together they are the list."""
        rows = [("white", f"tcp://w{i}.{'x' * 30}.example:{2000 + i}/") for i in range(900)]
        rows += [("grey", f"tcp://g{i}.example:3000/") for i in range(300)]
        self.hostlist("node.hosts.tsv", rows)
        node = self.node("node", slots=0, net="greylist_refinery_interval = 86400")
        rpc = Rpc(self, node)
        for colour, count in (("white", 900), ("grey", 300), ("gold", 0), (None, 1200)):
            seen, offset, pages = [], 0, 0
            while offset is not None:
                options = {"offset": offset, "limit": 5000}
                if colour:
                    options["colour"] = colour
                page = rpc.call("hosts.list", [options])
                self.assertLess(len(json.dumps(page, separators=(",", ":"))), REPLY_BYTES)
                self.assertEqual(page["counts"], {"white": 900, "grey": 300, "gold": 0, "dark": 0,
                                                  "black": 0})
                self.assertEqual(page["total"], count)
                seen += page["hosts"]
                offset, pages = page["next"], pages + 1
            wanted = sorted(row for row in rows if colour in (None, row[0]))
            self.assertEqual(sorted((host["colour"], host["url"]) for host in seen), wanted)
            self.assertEqual(pages > 1, count >= 900)
        page = rpc.call("hosts.list")
        self.assertEqual((len(page["hosts"]), page["next"]), (500, 500))
        page = rpc.call("hosts.list", [{"search": "W7.XX", "limit": 3}])
        self.assertEqual((page["total"], page["next"], len(page["hosts"])), (1, None, 1))
        page = rpc.call("hosts.list", [{"search": "g1", "colour": "grey", "limit": 10}])
        self.assertEqual((page["total"], page["next"]), (111, 10))
        self.assertLess(abs(page["hosts"][0]["last_seen"] - time.time()), 7200)
        self.assertEqual(rpc.call("hosts.list", [{"offset": 10**9}])["hosts"], [])

    def test_spawns_stay_below_64_kib(self):
        """spec: apps.md 6.2, 7.3"""
        for name in ("one", "two"):
            self.hostlist(f"{name}.tsv", [("white", f"tcp://{name}{i}.example:{2000 + i}/")
                                          for i in range(3000)])
        seed = Daemon(self, "hypha-seed", config="""
whitelist_refinery_interval = 86400
[rpc]
rpc_listen = "tcp://127.0.0.1:0"
""" + "".join(f"""
[network.{name}]
accept_addrs = ["tcp://127.0.0.1:0"]
app_name = "{name}"
hostlist = "{self.folder}/{name}.tsv"
datastore = "{self.folder}/{name}"
""" for name in ("one", "two"))).running()
        rpc = Rpc(self, seed)
        spawns = rpc.call("spawns")["spawns"]
        self.assertLess(len(json.dumps({"spawns": spawns}, separators=(",", ":"))), REPLY_BYTES)
        self.assertEqual([spawn["name"] for spawn in spawns], ["one", "two"])
        for spawn in spawns:
            self.assertTrue(spawn["truncated"])
            self.assertGreater(len(spawn["whitelist"]), 300)
            page = rpc.call("hosts.list", [{"limit": 1}, {"network": spawn["name"]}])
            self.assertGreaterEqual(sum(page["counts"].values()), 2900)
            self.assertIn(f"//{spawn['name']}", page["hosts"][0]["url"])

    def test_networks_of_a_seed(self):
        seed = Daemon(self, "hypha-seed", config="""
[rpc]
rpc_listen = "tcp://127.0.0.1:0"
[network.dchat]
accept_addrs = ["tcp://127.0.0.1:0"]
app_name = "dchatd"
version = "0.4.1"
localnet = true
[network."other one"]
accept_addrs = ["tcp://127.0.0.1:0"]
app_name = "other"
version = "9.8.7"
magic_bytes = [1, 2, 3, 4]
localnet = true
""").running()
        rpc = Rpc(self, seed)
        spawns = {spawn["name"]: spawn for spawn in rpc.call("spawns")["spawns"]}
        node = self.node("node", seeds=[spawns["dchat"]["urls"][0]])
        seed.until("the node is known", lambda: seed.call("spawns")["spawns"][0]["whitelist"])
        for method in ("net.stats", "net.why", "p2p.get_info", "net.seed", "net.bans", "hosts.list",
                       "dnet.switch", "dnet.subscribe_events", "net.ban"):
            self.assertEqual(rpc.refusal(method), (
                -32602, "network: expected one of dchat, other one"), method)
            self.assertEqual(rpc.refusal(method, [{"network": "third"}])[0], -32602, method)
        for name in spawns:
            stats = rpc.call("net.stats", [{"network": name}])
            self.assertEqual(stats["listen"], spawns[name]["urls"])
        self.assertEqual((stats["app"], stats["version"]), ("other", "9.8.7"))
        dchat = rpc.call("hosts.list", [{"colour": "white", "network": "dchat"}])
        self.assertEqual([host["url"] for host in dchat["hosts"]], [node.address() + "/"])
        self.assertEqual(rpc.call("hosts.list", [{"network": "other one"}])["hosts"], [])
        self.assertTrue(rpc.call("net.ban", ["tcp://192.0.2.1", 60, {"network": "other one"}]))
        self.assertEqual(len(rpc.call("net.bans", [{"network": "other one"}])["bans"]), 1)
        self.assertEqual(rpc.call("net.bans", [{"network": "dchat"}])["bans"], [])
        self.assertEqual(rpc.call("p2p.get_info", [{"network": "dchat"}])["outbound_slots"], [])
        self.assertEqual(node.stop(), 0)
        self.assertEqual(seed.stop(), 0)

    def test_bans(self):
        """By hand, seen, kept over a restart, lifted."""
        first, second = self.two()
        rpc = Rpc(self, second)
        url = first.address() + "/"
        self.assertEqual(rpc.call("net.bans"), {"bans": [], "truncated": False})
        self.assertTrue(rpc.call("net.ban", [url, 3600]))
        second.until("the channel is closed", lambda: not second.call("p2p.get_info")["channels"])
        self.assertTrue(rpc.call("net.ban", ["tcp://192.0.2.7"]))
        bans = {ban["url"]: ban for ban in rpc.call("net.bans")["bans"]}
        self.assertEqual(set(bans), {url, "tcp://192.0.2.7/"})
        for ban, seconds in ((bans[url], 3600), (bans["tcp://192.0.2.7/"], 86400)):
            self.assertEqual(set(ban), {"url", "group", "until_s", "why", "code"})
            self.assertLess(abs(ban["until_s"] - time.time() - seconds), 600)
            self.assertEqual((ban["why"], ban["code"]), ("the peer is banned", "BANNED"))
            self.assertNotEqual(ban["group"], "")
        self.assertEqual(second.call("net.stats")["bans"], 2)
        self.assertEqual(second.stop(), 0)
        again = Daemon(self, "dchatd", "-c", self.path("second.toml"), name="again").running()
        self.assertEqual({ban["url"]: ban for ban in again.call("net.bans")["bans"]}, bans)
        self.assertFalse(again.call("p2p.get_info")["channels"])
        self.assertTrue(again.call("net.unban", [url]))
        self.assertTrue(again.call("net.unban", ["tcp://192.0.2.7"]))
        self.assertEqual(again.reply("net.unban", [url])["error"],
                         {"code": -32000, "message": "not found"})
        again.until("it is dialled again", lambda: has_channel(again, first.address(), "manual"))

    def test_configured_blacklist(self):
        node = self.node("node", net='blacklist = [["evil.example", ["tcp"], [7]]]')
        self.assertEqual(
            [(ban["url"], ban["until_s"]) for ban in node.call("net.bans")["bans"]],
            [("tcp://evil.example:7/", 0)])
        error = node.reply("net.unban", ["tcp://evil.example:7"])["error"]
        self.assertEqual(error["code"], -32000)
        self.assertIn("configured blacklist", error["message"])

    def test_many_bans_are_cut(self):
        node = self.node("node")
        rpc = Rpc(self, node)
        for i in range(700):
            self.assertTrue(rpc.call("net.ban", [f"tcp://b{i}.{'y' * 60}.example:1"]))
        bans = rpc.call("net.bans")
        self.assertTrue(bans["truncated"])
        self.assertLess(len(json.dumps(bans, separators=(",", ":"))), REPLY_BYTES)
        self.assertEqual(node.call("net.stats")["bans"], 700)

    def test_stop(self):
        """The answer comes, then an orderly end; a connection that waits is closed."""
        node = self.node("node")
        rpc, other = Rpc(self, node), Rpc(self, node)
        other.ask("recv", [{"wait_ms": 60000}])
        self.assertIs(rpc.call("daemon.stop"), True)
        self.assertEqual(node.process.wait(60), 0)
        self.assertEqual(rpc.file.readline(), b"")
        node.line("dchatd is stopped")

    def test_signals_at_the_end(self):
        """One more signal after the orderly end has begun to be over does not count as a kill."""
        for _ in range(5):
            node = self.node("node")
            node.process.send_signal(signal.SIGTERM)
            node.line("dchatd is stopped")
            try:
                node.process.send_signal(signal.SIGTERM)
            except ProcessLookupError:
                pass
            self.assertEqual(node.process.wait(60), 0)

    def test_token(self):
        """spec: apps.md 2.1"""
        token = "s3cret-s3cret-s3cret"
        file = self.path("token", token + "\n")
        os.chmod(file, 0o600)
        config = self.path("x.toml", "[rpc]\nrpc_listen = \"tcp://127.0.0.1:0\"\n"
                           f"rpc_token_file = \"{file}\"\n[net]\nlocalnet = true\n")
        node = Daemon(self, "dchatd", "-c", config).running()
        self.assertNotIn("0600", "\n".join(node.lines))
        self.assertNotIn(token, "\n".join(node.lines))
        self.assertIn("error", node.reply("ping"))
        self.assertEqual(Rpc(self, node, token=token).call("ping"), "pong")
        self.assertIn("error", Rpc(self, node).reply("rpc.auth", ["wrong" * 5]))
        self.assertEqual(self.dchat(node, "ping")[0], 1)
        self.assertEqual(self.dchat(node, "--token-file", file, "ping")[:2], (0, "pong\n"))
        self.assertEqual(self.dchat(node, "ping", env={"DCHAT_TOKEN": token})[:2], (0, "pong\n"))
        self.assertEqual(self.dchat(node, "--token-file", "/nowhere", "ping")[0], 2)
        self.assertEqual(node.stop(), 0)
        # With a token any address may be listened on.
        os.chmod(file, 0o644)
        wide = Daemon(self, "dchatd", "-c", config, "--rpc-listen", "tcp://0.0.0.0:0",
                      name="wide").running()
        self.assertIn(f"{config}:3:1: {file} can be read by others", "\n".join(wide.lines))
        self.assertTrue(os.stat(file).st_mode & stat.S_IROTH)
        for text, words in (
                ('rpc_token = "short"', ":2:13: rpc.rpc_token: expected at least 16"),
                ('rpc_token = "has a blank inside it"', ":2:13: rpc.rpc_token: expected at least"),
                ('rpc_token = 5', ":2:13: rpc.rpc_token: expected a string"),
                ('rpc_token_file = "/nowhere/x"', ":2:18: rpc.rpc_token_file: /nowhere/x: not found"),
                (f'rpc_token_file = "{self.folder}"', "rpc.rpc_token_file"),
                (f'rpc_token = "{token}"\nrpc_token_file = "{file}"',
                 ":3:18: rpc.rpc_token_file: there is a token already")):
            status, _, err = self.run_program("dchatd", "-c", self.path("bad.toml", "[rpc]\n" + text))
            self.assertEqual((status, words in err, len(err.splitlines())), (1, True, 1), (text, err))


if __name__ == "__main__":
    unittest.main(verbosity=2)
