"""How daemons start, refuse to start, and stop. spec: apps.md 1, 2.1, 4, 7.1"""

import os
import re
import signal
import unittest

from programs import Daemon, ProgramsTest, free_port

CONFIG = {"dchatd": "dchatd_config.toml", "hypha-seed": "lilith_config.toml"}


class Start(ProgramsTest):
    def test_first_run_writes_the_template(self):
        for program, name in CONFIG.items():
            path = os.path.join(self.folder, ".config/darkfi", name)
            status, out, _ = self.run_program(program)
            self.assertEqual(status, 2)
            self.assertIn(path, out)
            with open(path, encoding="utf-8") as file:
                self.assertIn("rpc_listen", file.read())
        xdg = self.path("xdg")
        self.assertEqual(self.run_program("dchatd", env={"XDG_CONFIG_HOME": xdg})[0], 2)
        self.assertTrue(os.path.exists(os.path.join(xdg, "darkfi/dchatd_config.toml")))
        self.assertEqual(self.run_program("dchatd", "-c", "~/deep/er/x.toml")[0], 2)
        self.assertTrue(os.path.exists(self.path("deep/er/x.toml")))
        # A file there is never written to, and a relative XDG_CONFIG_HOME does not count.
        path = self.path("own.toml", "[net\n")
        self.assertEqual(self.run_program("dchatd", "-c", path)[0], 1)
        with open(path, encoding="utf-8") as file:
            self.assertEqual(file.read(), "[net\n")
        status, _, err = self.run_program("dchatd", "-c", "~bob/x.toml")
        self.assertEqual((status, "~bob" in err), (1, True))

    def test_templates_work_as_they_are(self):
        """With other ports only: those of the template may be taken."""
        for program, name in CONFIG.items():
            self.assertEqual(self.run_program(program)[0], 2)
            path = os.path.join(self.folder, ".config/darkfi", name)
            with open(path, encoding="utf-8") as file:
                text = re.sub(r'^(rpc_listen|accept_addrs)( = \[?"tcp://127.0.0.1:)\d+',
                              r"\g<1>\g<2>0", file.read(), flags=re.M)
            daemon = Daemon(self, program, config=text).running()
            self.assertNotIn("unknown key", "\n".join(daemon.lines))
            self.assertEqual(daemon.stop(), 0)

    def test_arguments(self):
        for arguments in (["--nonsense"], ["-x"], ["word"], ["--config"], ["--rpc-listen"],
                          ["-c", "a", "-c", "b"]):
            status, _, err = self.run_program("dchatd", *arguments)
            self.assertEqual(status, 1, arguments)
            self.assertIn("Usage", err)
        self.assertEqual(self.run_program("dchatd", "--outbound-slots", "many")[0], 2)  # no config
        self.path("x.toml", "")
        status, _, err = self.run_program(
            "dchatd", "-c", self.path("x.toml"), "--outbound-slots", "many")
        self.assertEqual(status, 1)
        self.assertIn("--outbound-slots", err)
        self.assertEqual(self.run_program("hypha-seed", "--localnet")[0], 1)  # no network flags
        for program in CONFIG:
            for flag in ("-h", "--help", "-V", "--version"):
                status, out, _ = self.run_program(program, flag)
                self.assertEqual((status, out != ""), (0, True))
        self.assertEqual(self.run_program("dchatd", "-V")[1], "dchatd 0.4.1\n")

    def test_bad_configs(self):
        """One line with file, line, column, key and what was expected; exit 1."""
        rows = [
            ("dchatd", "[net]\noutbound_connections = \"x\"\n", ":2:", "outbound_connections",
             "an integer"),
            ("dchatd", "[net]\noutbound_connections = 5000\n", ":2:", "outbound_connections", ""),
            ("dchatd", "[net]\npeers = \"tcp://a:1\"\n", ":2:", "net.peers", "a list"),
            ("dchatd", "[net]\npeers = [\"tcp://a:1\",\n  7]\n", ":3:", "net.peers", "a string"),
            ("dchatd", "[net]\npeers = [\"not a url\"]\n", ":2:", "net.peers", ""),
            ("dchatd", "[net]\nmagic_bytes = [1, 2, 3]\n", ":2:", "magic_bytes", "four"),
            ("dchatd", "[net]\nmagic_bytes = [1, 2, 3, 300]\n", ":2:", "magic_bytes", "255"),
            ("dchatd", "[net]\nban_policy = \"mild\"\n", ":2:", "ban_policy", "strict"),
            ("dchatd", "[net]\nblacklist = [7]\n", ":2:", "blacklist", "host"),
            ("dchatd", "[net]\nlocalnet = 1\n", ":2:", "localnet", "true or false"),
            ("dchatd", "[net.profiles.\"tcp\"]\noutbound_connect_timeout = -1\n", ":2:",
             "outbound_connect_timeout", "seconds"),
            ("dchatd", "[rpc]\nrpc_listen = 5\n", ":2:", "rpc_listen", "a string"),
            ("dchatd", "verbose = 9\n", ":1:", "verbose", "from 0 to 3"),
            ("dchatd", "[dchat]\nmax_message_bytes = 0\n", ":2:", "max_message_bytes", "from 1"),
            ("dchatd", "[net]\nkey = = 1\n", ":2:", "", ""),
            ("dchatd", "[net]\nactive_profiles = [\"tcp\"]\n", "", "tcp", ""),
            ("hypha-seed", "", "", "network", ""),
            ("hypha-seed", "[network.\"x\"]\napp_name = \"a\"\n", ":1:", "accept_addrs",
             "expected"),
            ("hypha-seed", "[network.\"x\"]\naccept_addrs = [\"tor://a.onion:1\"]\n", ":2:",
             "accept_addrs", "tcp"),
            ("hypha-seed", "[network.\"../x\"]\naccept_addrs = [\"tcp://127.0.0.1:0\"]\n", ":1:",
             "network", ""),
        ]
        for program, text, line, key, expected in rows:
            path = self.path("bad.toml", text)
            status, out, err = self.run_program(program, "-c", path)
            self.assertEqual(status, 1, text)
            for part in (line and path + line, key, expected):
                self.assertIn(part, err, text)
            self.assertEqual(len(err.splitlines()), 1, (text, err))
        self.assertEqual(self.run_program("dchatd", "-c", self.folder)[0], 1)

    def test_unknown_keys_are_warned_of(self):
        path = self.path("dchatd.toml")
        daemon = Daemon(self, "dchatd", config="""rpc_listen = "tcp://127.0.0.1:0"
colour = "red"
[net]
external_addr = ["tcp://127.0.0.1:1"]
outbond_connections = 3
""").running()
        text = "\n".join(daemon.lines)
        self.assertIn(f"{path}:1:1: rpc_listen belongs into the table [rpc]", text)
        self.assertIn(f"{path}:2:1: unknown key \"colour\"", text)
        self.assertIn("\"external_addrs\"?", text)
        self.assertIn("\"outbound_connections\"?", text)
        self.assertIn("Not configured for accepting incoming connections.", text)
        self.assertEqual(daemon.stop(), 0)

    def test_addresses_that_cannot_be_had(self):
        first = self.node("first")
        rpc = f"tcp://127.0.0.1:{first.rpc_port()}"
        config = self.path("x.toml", "[net]\nlocalnet = true\n")
        status, _, err = self.run_program("dchatd", "-c", config, "--rpc-listen", rpc)
        self.assertEqual((status, rpc in err), (1, True))
        status, _, err = self.run_program(
            "dchatd", "-c", config, "--rpc-listen", "tcp://0.0.0.0:0")
        self.assertEqual((status, "access token" in err), (1, True))
        status, out, err = self.run_program("dchatd", "-c", config, "--rpc-listen",
                                            "tcp://127.0.0.1:0", "--network-profiles", "tcp",
                                            "--accept", first.address())
        self.assertEqual(status, 1)
        status, out, err = self.run_program(
            "dchatd", "-c", self.path("y.toml", "[net]\nlocalnet = true\nactive_profiles = "
                                      f"[\"tcp\"]\n[net.profiles.tcp]\ninbound = "
                                      f"[\"{first.address()}\"]\n"),
            "--rpc-listen", "tcp://127.0.0.1:0")
        self.assertEqual(status, 1)
        self.assertIn(first.address(), out + err)
        self.assertEqual(first.stop(), 0)

    def test_signals(self):
        for number in (signal.SIGTERM, signal.SIGINT, signal.SIGQUIT):
            self.assertEqual(self.node("node").stop(number), 0)
        seed = self.seed()
        log = self.path("seed.log")
        self.assertEqual(seed.stop(signal.SIGINT), 0)
        node = self.node("node", before=f"log = \"{log}\"")
        os.rename(log, log + ".1")
        os.remove(self.path("node.toml"))  # the reference would end here
        node.process.send_signal(signal.SIGHUP)
        node.line("Log reopened")
        self.assertEqual(node.call("ping"), "pong")
        # Both are there when it goes on: the first stops, the second ends at once.
        node.process.send_signal(signal.SIGSTOP)
        node.process.send_signal(signal.SIGTERM)
        node.process.send_signal(signal.SIGINT)
        node.process.send_signal(signal.SIGCONT)
        self.assertEqual(node.process.wait(60), 130)
        node.line("ending at once")
        with open(log, encoding="utf-8") as file:
            self.assertIn("Log reopened", file.read())

    def test_a_signal_before_the_start_is_done(self):
        path = self.path("x.toml", "[rpc]\nrpc_listen = \"tcp://127.0.0.1:0\"\n")
        daemon = Daemon(self, "dchatd", "-c", path)
        daemon.line("Starting dchatd")
        self.assertEqual(daemon.stop(), 0)

    def test_log(self):
        log = self.path("x.log", "yesterday\n")
        node = self.node("node", before=f"log = \"{log}\"")
        self.assertEqual(node.stop(), 0)
        with open(log, encoding="utf-8") as file:
            lines = file.read().splitlines()
        self.assertEqual(lines[0], "yesterday")
        for line in lines[1:]:
            self.assertRegex(line, r"^\d\d:\d\d:\d\d \[[A-Z]+\] [a-z0-9_:]+: .")
        for line in node.lines:
            self.assertRegex(line, r"^\d\d:\d\d:\d\d \[[A-Z]+\] .")
            self.assertNotIn("\x1b", line)
        quiet = Daemon(self, "dchatd", "-c", self.path("node.toml"), "--log", log, name="quiet",
                       env={"LOG_TARGETS": "daemon,!daemon::x"}).running()
        self.assertEqual(quiet.stop(), 0)
        self.assertFalse([line for line in quiet.lines if "P2P" in line])
        bad = self.run_program("dchatd", "-c", self.path("node.toml"), "-l", self.folder + "/no/x")
        self.assertEqual((bad[0], "no/x" in bad[2]), (1, True))

    def test_configs_of_the_reference(self):
        """The working pair of apps.md 4, but for the port numbers."""
        seed_port, rpc, port = free_port(), free_port(), free_port()
        seed = Daemon(self, "hypha-seed", config=f"""
[rpc]
rpc_listen = "tcp://127.0.0.1:{free_port()}"
[network."dchat"]
accept_addrs = ["tcp://127.0.0.1:{seed_port}"]
app_name = "dchatd"
version = "0.4.1"
localnet = true
magic_bytes = [217, 239, 182, 125]
datastore = "~/.local/share/darkfi/lilith/dchat"
hostlist = "~/.local/share/darkfi/lilith/dchat/hosts.tsv"
""").running()
        node = Daemon(self, "dchatd", config=f"""
rpc_listen = "tcp://127.0.0.1:{rpc}"
[net]
localnet = true
outbound_connections = 3
active_profiles = ["tcp"]
[net.profiles."tcp"]
inbound = ["tcp://127.0.0.1:{port}"]
external_addrs = ["tcp://127.0.0.1:{port}"]
seeds = ["tcp://127.0.0.1:{seed_port}"]
""").running()
        self.assertEqual(node.rpc_port(), rpc)
        self.assertEqual(node.address(), f"tcp://127.0.0.1:{port}")
        seed.until("alice is on the white list", lambda: seed.call("spawns")["spawns"][0]
                   ["whitelist"] == [f"tcp://127.0.0.1:{port}/"])
        spawn = seed.call("spawns")["spawns"][0]
        self.assertEqual(spawn, {"name": "dchat", "urls": [f"tcp://127.0.0.1:{seed_port}/"],
                                 "whitelist": [f"tcp://127.0.0.1:{port}/"], "greylist": [],
                                 "goldlist": []})
        self.assertEqual((node.stop(), seed.stop()), (0, 0))
        hosts = self.path(".local/share/darkfi/lilith/dchat/hosts.tsv")
        with open(hosts, encoding="utf-8") as file:
            self.assertIn(f"white\ttcp://127.0.0.1:{port}/\t", file.read())


if __name__ == "__main__":
    unittest.main(verbosity=2)
