"""The config again, while the daemon runs. spec: apps.md 1.4"""

import json
import os
import signal
import unittest

from programs import Daemon, ProgramsTest, Rpc, free_port


class Reload(ProgramsTest):
    def change(self, name, old, new):
        path = self.path(name)
        with open(path, encoding="utf-8") as file:
            text = file.read()
        self.assertIn(old, text)
        self.path(name, text.replace(old, new))

    def slots(self, node):
        return len(node.call("p2p.get_info")["outbound_slots"])

    def test_by_rpc(self):
        node = self.node("node")
        rpc = Rpc(self, node)
        nothing = {"applied": [], "restart": [], "warnings": []}
        self.assertEqual(rpc.call("net.reload"), nothing)
        self.change("node.toml", "outbound_connections = 3",
                    "outbound_connections = 5\ninbound_connections = 9\nmagic_bytes = [1, 2, 3, 4]\n"
                    "typo = 1")
        report = rpc.call("net.reload")
        self.assertEqual((sorted(report["applied"]), report["restart"]),
                         (["net.inbound_connections", "net.outbound_connections"],
                          ["net.magic_bytes"]))
        self.assertEqual(len(report["warnings"]), 1)
        self.assertIn('unknown key "net.typo"', report["warnings"][0])
        self.assertEqual(self.slots(node), 5)
        node.line("Applied: net.outbound_connections, net.inbound_connections")
        node.line("Needs a restart: net.magic_bytes")
        # What waits for a restart is told again; what is done is not.
        report = rpc.call("net.reload")
        self.assertEqual((report["applied"], report["restart"]), ([], ["net.magic_bytes"]))
        self.change("node.toml", "magic_bytes = [1, 2, 3, 4]\ntypo = 1", "")
        self.change("node.toml", "outbound_connections = 5", "outbound_connections = 1")
        self.assertEqual(rpc.call("net.reload"),
                         dict(nothing, applied=["net.outbound_connections"]))
        self.assertEqual(self.slots(node), 1)

    def test_by_signal(self):
        """SIGHUP: the level of the log, its file, slots, seeds, disabled methods, own keys."""
        log = self.path("node.log")
        seed = self.seed()
        node = self.node("node", before=f"log = \"{log}\"")
        os.rename(log, log + ".1")
        self.change("node.toml", "outbound_connections = 3", "outbound_connections = 4")
        self.change("node.toml", "seeds = []", f"seeds = [\"{seed.address()}\"]")
        self.change("node.toml", "log =", "verbose = 2\nlog =")
        self.change("node.toml", "[rpc]", "[rpc]\nrpc_disabled_methods = [\"send\"]")
        self.change("node.toml", "[net]", "[dchat]\nmax_message_bytes = 77\n[net]")
        node.process.send_signal(signal.SIGHUP)
        node.line("Configuration reloaded")
        applied = node.line("Applied: ").split("Applied: ")[1].split(", ")
        self.assertEqual(sorted(applied), ["dchat.max_message_bytes", "net.outbound_connections",
                                           "net.seeds", "rpc.rpc_disabled_methods", "verbose"])
        self.assertEqual(self.slots(node), 4)
        self.assertEqual(node.reply("send", ["x"])["error"]["code"], -32601)
        self.assertEqual(node.call("dchat.info")["max_message_bytes"], 77)
        node.line("[DEBUG]")
        seed.until("the new seed is asked", lambda: seed.call("spawns")["spawns"][0]["whitelist"])
        with open(log, encoding="utf-8") as file:
            self.assertIn("Log reopened", file.read())
        # And back: a method that is allowed again, another file for the log.
        self.change("node.toml", "rpc_disabled_methods = [\"send\"]", "")
        self.change("node.toml", log, log + ".other")
        report = node.call("net.reload")
        self.assertEqual(sorted(report["applied"]), ["log", "rpc.rpc_disabled_methods"])
        self.assertIs(node.call("send", ["x"]), True)
        with open(log + ".other", encoding="utf-8") as file:
            self.assertIn("Configuration reloaded", file.read())

    def test_nothing_changes_when_it_is_wrong(self):
        """Missing, malformed, refused as a whole: a message, and all goes on. spec: apps.md 1.4"""
        node = self.node("node", slots=2)
        rpc = Rpc(self, node)
        path = self.path("node.toml")
        with open(path, encoding="utf-8") as file:
            good = file.read()
        better = good.replace("outbound_connections = 2", "outbound_connections = 6")
        for text, words in (
                (None, f"{path}: not found"),
                ("[net\n", f"{path}:1:5: "),
                (better + "\n[dchat]\nmax_message_bytes = -1\n", "dchat.max_message_bytes: expected"),
                (better.replace("localnet = true", "localnet = 1"), "net.localnet: expected true"),
                (better.replace("active_profiles = [\"tcp\"]", "active_profiles = [\"tor\"]"), "tor"),
                (better.replace("[rpc]", "[rpc]\nrpc_token = \"short\""), "rpc.rpc_token: expected")):
            if text is None:
                os.remove(path)
            else:
                self.path("node.toml", text)
            code, message = rpc.refusal("net.reload")
            self.assertEqual((code, words in message), (-32000, True), (message, words))
            count = sum("nothing is changed" in line for line in node.lines)
            node.process.send_signal(signal.SIGHUP)
            node.line("nothing is changed", count=count + 1)
            self.assertEqual(self.slots(node), 2)
            self.assertFalse(os.path.exists(path) and text is None)
        self.path("node.toml", better)
        self.assertEqual(rpc.call("net.reload")["applied"], ["net.outbound_connections"])
        self.assertEqual((self.slots(node), node.stop()), (6, 0))

    def test_flags_win(self):
        """As at the start: a flag is stronger than what the file says now."""
        config = self.path("x.toml", "[rpc]\nrpc_listen = \"tcp://127.0.0.1:0\"\n[net]\n"
                           "localnet = true\noutbound_connections = 2\n")
        node = Daemon(self, "dchatd", "-c", config, "--outbound-slots", "4", "-v").running()
        self.assertEqual(self.slots(node), 4)
        self.change("x.toml", "outbound_connections = 2", "outbound_connections = 7")
        self.change("x.toml", "[rpc]", "verbose = 3\n[rpc]")
        self.assertEqual(node.call("net.reload"), {"applied": [], "restart": [], "warnings": []})
        self.assertEqual(self.slots(node), 4)

    def test_what_needs_a_restart(self):
        node = self.node("node")
        self.change("node.toml", "rpc_listen = \"tcp://127.0.0.1:0\"",
                    f"rpc_listen = \"tcp://127.0.0.1:{free_port()}\"\n"
                    "rpc_token = \"0123456789abcdef\"\n[metrics]\nlisten = \"127.0.0.1:1\"\n"
                    "token = \"0123456789abcdef\"")
        self.change("node.toml", "inbound = [\"tcp://127.0.0.1:0\"]",
                    "inbound = [\"tcp://127.0.0.1:1\"]")
        self.change("node.toml", "localnet = true", "localnet = false\nnode_id = \"n\"")
        for _ in range(2):
            report = node.call("net.reload")
            self.assertEqual(sorted(report["restart"]), [
                "metrics.listen", "metrics.token", "net.inbound", "net.localnet", "net.node_id",
                "rpc.rpc_listen", "rpc.rpc_token"])
        self.assertEqual(node.call("ping"), "pong")  # and no token is asked for

    def test_a_signal_while_it_starts(self):
        """It counts: the config is read again when all is up."""
        config = self.path("x.toml", "[rpc]\nrpc_listen = \"tcp://127.0.0.1:0\"\n")
        node = Daemon(self, "dchatd", "-c", config)
        node.line("Starting dchatd")
        node.process.send_signal(signal.SIGHUP)
        node.line("Configuration reloaded")
        self.assertEqual(node.stop(), 0)

    def test_a_seed(self):
        other = self.seed(name="other")
        seed = Daemon(self, "hypha-seed", config="""
[rpc]
rpc_listen = "tcp://127.0.0.1:0"
[network.one]
accept_addrs = ["tcp://127.0.0.1:0"]
app_name = "dchatd"
version = "0.4.1"
localnet = true
[network."number two"]
accept_addrs = ["tcp://127.0.0.1:0"]
app_name = "two"
localnet = true
""").running()
        self.change("hypha-seed.toml", "[network.one]",
                    "[network.three]\naccept_addrs = [\"tcp://127.0.0.1:0\"]\n[network.one]\n"
                    f"peers = [\"{other.address()}\"]\nseeds = [\"{other.address()}\"]")
        self.change("hypha-seed.toml", "app_name = \"two\"", "app_name = \"2\"\nversion = \"2.0.0\"")
        self.change("hypha-seed.toml", "[rpc]", "whitelist_refinery_interval = 60\n[rpc]")
        report = seed.call("net.reload")
        self.assertEqual(sorted(report["applied"]), ['network."one".peers', 'network."one".seeds',
                                                     "whitelist_refinery_interval"])
        self.assertEqual(sorted(report["restart"]), ['network."number two".app_name',
                                                     'network."number two".version',
                                                     'network."three"'])
        self.assertEqual([spawn["name"] for spawn in seed.call("spawns")["spawns"]],
                         ["one", "number two"])
        # A network that is gone from the file runs on; one wrong network keeps all as it was.
        self.path("hypha-seed.toml", """
[network.one]
accept_addrs = ["tcp://127.0.0.1:0"]
app_name = "dchatd"
version = "0.4.1"
localnet = true
""")
        report = seed.call("net.reload")
        self.assertIn('network."number two"', report["restart"])
        self.assertEqual(len(seed.call("spawns")["spawns"]), 2)
        self.path("hypha-seed.toml", "[network.one]\naccept_addrs = [\"tcp://127.0.0.1:0\"]\n"
                  "[network.\"number two\"]\naccept_addrs = [\"tor://x:1\"]\n")
        self.assertIn("accept_addrs", seed.reply("net.reload")["error"]["message"])
        self.path("hypha-seed.toml", "")
        self.assertIn("no network", seed.reply("net.reload")["error"]["message"])
        self.assertEqual(seed.stop(), 0)

    def test_reports_are_bounded_and_say_no_secret(self):
        token = "s3cret-s3cret-s3cret"
        node = self.node("node")
        self.change("node.toml", "[rpc]", f"[rpc]\nrpc_token = \"{token}\"\n" +
                    "".join(f"{'k' * 40}{i} = 1\n" for i in range(500)))
        report = node.call("net.reload")
        self.assertLess(len(json.dumps(report)), 60000)
        self.assertNotIn(token, json.dumps(report) + "\n".join(node.lines))


if __name__ == "__main__":
    unittest.main(verbosity=2)
