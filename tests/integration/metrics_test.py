"""Metrics over HTTP, and what the service manager is told. spec: apps.md 1.4, 11, 12"""

import os
import re
import signal
import socket
import time
import unittest
import urllib.error
import urllib.request

from programs import DEADLINE, Daemon, ProgramsTest, free_port, has_channel

SAMPLE = re.compile(r'^([a-zA-Z_:][a-zA-Z0-9_:]*)(?:\{((?:[a-zA-Z_]\w*="(?:[^"\\\n]|\\["\\n])*",?)+)\})? '
                    r'([-+]?[0-9.eE+-]+|NaN|[+-]Inf)$')
LABEL = re.compile(r'([a-zA-Z_]\w*)="((?:[^"\\\n]|\\["\\n])*)"')


def parse(test, text):
    """The text format 0.0.4, strictly: {name: {labels: value}}."""
    families, samples = {}, {}
    test.assertTrue(text.endswith("\n"))
    current = None
    for line in text.splitlines():
        if line.startswith("# HELP "):
            current = line.split(" ")[2]
            test.assertNotIn(current, families)
            families[current] = None
        elif line.startswith("# TYPE "):
            _, _, name, kind = line.split(" ")
            test.assertEqual((name, families[name]), (current, None))
            families[name] = kind
            test.assertEqual(kind == "counter", name.endswith("_total"))
        else:
            match = SAMPLE.match(line)
            test.assertTrue(match, line)
            test.assertEqual(match[1], current)
            labels = tuple((name, value.replace('\\"', '"').replace("\\n", "\n").replace(
                "\\\\", "\\")) for name, value in LABEL.findall(match[2] or ""))
            series = samples.setdefault(match[1], {})
            test.assertNotIn(labels, series)
            series[labels] = float(match[3])
    return samples


class Metrics(ProgramsTest):
    def url(self, daemon):
        return daemon.line("Metrics are at ").split("Metrics are at ")[1]

    def get(self, url, **headers):
        """Status, type, text."""
        try:
            with urllib.request.urlopen(urllib.request.Request(url, headers=headers),
                                        timeout=DEADLINE) as reply:
                return reply.status, reply.headers["Content-Type"], reply.read().decode()
        except urllib.error.HTTPError as error:
            with error:
                return error.code, error.headers["Content-Type"], error.read().decode()

    def page(self, daemon):
        status, kind, text = self.get(self.url(daemon))
        self.assertEqual((status, kind), (200, "text/plain; version=0.0.4; charset=utf-8"))
        return parse(self, text)

    def test_page(self):
        first = self.node("first", before="metrics.listen = \"127.0.0.1:0\"")
        port = free_port()
        second = self.node("second", before="metrics.listen = \"127.0.0.1:0\"", profile=(
            f"peers = [\"{first.address()}\", \"tcp://127.0.0.1:{port}\"]"))
        second.until("a channel", lambda: has_channel(second, first.address(), "manual"))
        network = ("network", "dchatd")
        dials = (network, ("session", "manual"), ("result", "refused"))
        second.until("the other peer is refused",
                     lambda: self.page(second)["hypha_dials_total"].get(dials))
        second.call("net.ban", ["tcp://192.0.2.1"])
        second.call("send", ["hello"])
        page, stats = self.page(second), second.call("net.stats")
        self.assertEqual(page["hypha_build_info"],
                         {(("program", "dchatd"), ("version", "0.4.1")): 1})
        self.assertEqual(page["hypha_peers"][network,], stats["peers"])
        self.assertEqual(page["hypha_channels"][network, ("session", "manual")], 1)
        self.assertEqual(sum(page["hypha_channels"].values()), len(stats["channels"]))
        self.assertEqual(page["hypha_bans"][network,], 1)
        self.assertEqual(page["hypha_bans_total"][network, ("reason", "banned")], 1)
        self.assertEqual(page["hypha_handshakes_total"][
            network, ("session", "manual"), ("result", "ok")], 1)
        sent = (network, ("command", "DchatMsg"), ("direction", "out"))
        self.assertEqual((page["hypha_messages_total"][sent],
                          page["hypha_message_bytes_total"][sent]), (1, 6))
        self.assertEqual(page["hypha_slots"][
            network, ("session", "manual"), ("state", "connected")], 1)
        self.assertEqual(sum(page["hypha_slots"].values()), len(second.call("net.why")["slots"]))
        for colour, count in stats["hosts"].items():
            self.assertEqual(page["hypha_hosts"][network, ("colour", colour)], count)
        self.assertEqual({labels[1] for labels in page["hypha_discovery_rounds_total"]},
                         {("kind", "getaddr"), ("kind", "seed")})
        self.assertIn((network,), page["hypha_send_queue_bytes"])
        self.assertLess(abs(page["process_start_time_seconds"][()] - time.time()), 600)
        with open(f"/proc/{second.process.pid}/statm", encoding="ascii") as file:
            pages = int(file.read().split()[1])
        self.assertGreater(page["process_resident_memory_bytes"][()], pages * 4096 / 4)
        self.assertLess(abs(page["process_open_fds"][()] -
                            len(os.listdir(f"/proc/{second.process.pid}/fd"))), 4)
        self.assertGreater(page["hypha_uptime_seconds"][()], 0)
        self.assertEqual(self.page(first)["hypha_handshakes_total"][
            network, ("session", "inbound"), ("result", "ok")], 1)
        base = self.url(second).removesuffix("metrics")
        self.assertEqual(self.get(base + "health")[::2], (200, "ok\n"))
        self.assertEqual(self.get(base + "other")[0], 404)
        self.assertEqual((first.stop(), second.stop()), (0, 0))

    def test_networks(self):
        """A label for each network, whatever it is called."""
        seed = Daemon(self, "hypha-seed", "--metrics-listen", "127.0.0.1:0", config="""
[rpc]
rpc_listen = "tcp://127.0.0.1:0"
[network.plain]
accept_addrs = ["tcp://127.0.0.1:0"]
app_name = "dchatd"
version = "0.4.1"
localnet = true
[network."o\\"d\\\\d\\n"]
accept_addrs = ["tcp://127.0.0.1:0"]
app_name = "odd"
localnet = true
""").running()
        self.node("node", seeds=[seed.call("spawns")["spawns"][0]["urls"][0]])
        white = ("colour", "white")
        seed.until("the node is known", lambda:
                   self.page(seed)["hypha_hosts"][("network", "plain"), white] == 1)
        self.assertEqual(self.page(seed)["hypha_hosts"][("network", 'o"d\\d\n'), white], 0)

    def test_access(self):
        """Off unless asked for; loopback only without a token; no web page gets in."""
        self.assertNotIn("Metrics", "\n".join(self.node("plain").lines))
        token = "0123456789abcdef"
        node = self.node("node", before=f"[metrics]\nlisten = \"127.0.0.1:0\"\ntoken = \"{token}\"")
        url = self.url(node)
        self.assertEqual(self.get(url)[0], 401)
        self.assertEqual(self.get(url, Authorization="Bearer " + token[::-1])[0], 401)
        self.assertEqual(self.get(url, Authorization="Bearer " + token)[0], 200)
        open_node = self.node("open", before="metrics.listen = \"127.0.0.1:0\"")
        url = self.url(open_node)
        self.assertEqual(self.get(url)[0], 200)
        self.assertEqual(self.get(url, Host="evil.example")[0], 403)
        self.assertEqual(self.get(url, Origin="http://evil.example")[0], 403)
        config = self.path("x.toml", "[rpc]\nrpc_listen = \"tcp://127.0.0.1:0\"\n")
        taken = url.split("/")[2]
        for listen in ("0.0.0.0:0", "nonsense", taken):
            status, _, err = self.run_program("dchatd", "-c", config, "--metrics-listen", listen)
            self.assertEqual((status, "metrics.listen: " in err, listen in err), (1, True, True),
                             err)
        wide = Daemon(self, "dchatd", "-c", self.path("y.toml", "[rpc]\nrpc_listen = "
                      f"\"tcp://127.0.0.1:0\"\n[metrics]\ntoken = \"{token}\"\n"),
                      "--metrics-listen", "0.0.0.0:0").running()
        self.assertEqual(wide.stop(), 0)


class Service(ProgramsTest):
    def listen(self, name=None):
        """A service manager's socket."""
        link = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self.addCleanup(link.close)
        link.settimeout(DEADLINE)
        path = name or self.path("notify")
        link.bind(path.replace("@", "\0", 1) if name else path)
        return link, path

    def until(self, link, wanted):
        """All that is told up to what begins so."""
        told = []
        while not told or not told[-1].startswith(wanted):
            told.append(link.recv(4096).decode())
        return told

    def test_a_life(self):
        link, path = self.listen()
        node = self.node("node", env={"NOTIFY_SOCKET": path})
        told = self.until(link, "STATUS=Running")
        self.assertEqual(told[0], "STATUS=Starting")
        self.assertIn("READY=1", told)
        self.assertRegex(told[-1], r"^STATUS=Running: 0 peers, 0 of 3 outbound slots are filled$")
        for text in (None, "[net"):  # a config that is wrong ends the reload too
            if text:
                self.path("node.toml", text)
            before = time.monotonic_ns() // 1000
            node.process.send_signal(signal.SIGHUP)
            told = self.until(link, "READY=1")
            reloading = re.match(r"^RELOADING=1\nMONOTONIC_USEC=(\d+)\n$", told[0])
            self.assertTrue(reloading, told)
            self.assertTrue(before <= int(reloading[1]) <= time.monotonic_ns() // 1000)
        node.process.send_signal(signal.SIGTERM)
        self.assertEqual(self.until(link, "STATUS=Stopping"), ["STOPPING=1", "STATUS=Stopping"])
        self.assertEqual(node.process.wait(DEADLINE), 0)

    def test_watchdog(self):
        link, path = self.listen("@hypha-test-%d" % os.getpid())
        node = self.node("node", env={"NOTIFY_SOCKET": path, "WATCHDOG_USEC": "100000"})
        for _ in range(5):
            self.until(link, "WATCHDOG=1")
        self.assertEqual(node.stop(), 0)

    def test_a_watchdog_for_somebody_else(self):
        link, path = self.listen()
        node = self.node("node", env={"NOTIFY_SOCKET": path, "WATCHDOG_USEC": "2000",
                                      "WATCHDOG_PID": "1"})
        told = self.until(link, "STATUS=Running")
        node.call("net.reload")
        told += self.until(link, "READY=1")
        self.assertEqual(node.stop(), 0)
        told += self.until(link, "STATUS=Stopping")
        self.assertNotIn("WATCHDOG=1", told)

    def test_odd_environments(self):
        for env in ({"NOTIFY_SOCKET": "relative"}, {"NOTIFY_SOCKET": "/" + "x" * 200},
                    {"NOTIFY_SOCKET": "/nowhere/at/all", "WATCHDOG_USEC": "soon"},
                    {"WATCHDOG_USEC": "-1"}):
            self.assertEqual(self.node("node", env=env).stop(), 0)

    def test_an_error_is_said_once_at_one_place(self):
        """On a terminal, or in a file for both; stdout and stderr apart have it each."""
        first = self.node("first")
        rpc = f"tcp://127.0.0.1:{first.rpc_port()}"
        config = self.path("x.toml", "")
        both = Daemon(self, "dchatd", "-c", config, "--rpc-listen", rpc, name="both")
        self.assertEqual(both.process.wait(DEADLINE), 1)
        both.reader.join()
        self.assertEqual(sum("cannot listen" in line for line in both.lines), 1, both.lines)
        _, out, err = self.run_program("dchatd", "-c", config, "--rpc-listen", rpc)
        self.assertIn("cannot listen", out)
        self.assertIn("cannot listen", err)
        quiet = Daemon(self, "dchatd", "-c", config, "--rpc-listen", rpc, name="quiet",
                       env={"LOG_TARGETS": "nothing"})
        self.assertEqual(quiet.process.wait(DEADLINE), 1)
        quiet.reader.join()
        self.assertEqual(sum("cannot listen" in line for line in quiet.lines), 1, quiet.lines)


if __name__ == "__main__":
    unittest.main(verbosity=2)
