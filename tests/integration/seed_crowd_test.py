"""A seed with a thousand clients at once. spec: network.md 7.6, apps.md 7.2"""

import os
import subprocess
import time
import unittest

from programs import DEADLINE, Daemon, ProgramsTest

CLIENTS = int(os.environ.get("HYPHA_CROWD", "1000"))
CROWD = os.environ.get("HYPHA_CROWD_PROGRAM", "")

SEED = """
[rpc]
rpc_listen = "tcp://127.0.0.1:0"
[network."crowd"]
accept_addrs = ["tcp://127.0.0.1:0"]
app_name = "dchatd"
version = "0.4.1"
localnet = true
datastore = "{folder}/data"
hostlist = "{folder}/hosts.tsv"
"""

NODE = """
[rpc]
rpc_listen = "tcp://127.0.0.1:0"
[net]
localnet = true
active_profiles = ["tcp"]
[net.profiles."tcp"]
seeds = ["{seed}"]
inbound = ["tcp://127.0.0.1:0"]
external_addrs = ["tcp://127.0.0.1:0"]
"""


class Crowd:
    """The program that holds the clients."""

    def __init__(self, test, url):
        self.process = subprocess.Popen([CROWD, url, str(CLIENTS), "dchatd", "0.4.1"],
                                        stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        test.addCleanup(self.kill)

    def kill(self):
        self.process.kill()
        self.process.wait()
        self.process.stdin.close()
        self.process.stdout.close()

    def line(self):
        return self.process.stdout.readline().rstrip()


class SeedCrowd(ProgramsTest):
    def test_a_thousand_clients_at_once(self):
        seed = Daemon(self, "hypha-seed", config=SEED.format(folder=self.folder)).running()
        crowd = Crowd(self, seed.address())
        self.assertEqual(crowd.line(), f"all {CLIENTS} connected")
        info = seed.call("p2p.get_info")
        inbound = [c for c in info["channels"] if c["session"] == "inbound"]
        self.assertGreaterEqual(len(inbound), min(CLIENTS, 500))  # a reply line has a limit

        # Meanwhile newcomers are served at once, and meet through it.
        began = time.monotonic()
        first = Daemon(self, "dchatd", config=NODE.format(seed=seed.address()), name="a").running()
        second = Daemon(self, "dchatd", config=NODE.format(seed=seed.address()), name="b").running()
        for node in (first, second):
            node.until("a peer", lambda node=node: [
                c for c in node.call("p2p.get_info")["channels"] if c["session"] != "seed"])
        self.assertLess(time.monotonic() - began, DEADLINE)
        crowd.process.stdin.close()
        self.assertEqual(crowd.line(), "stopped")
        self.assertEqual(crowd.process.wait(DEADLINE), 0)
        for daemon in (first, second, seed):
            self.assertEqual(daemon.stop(), 0)


if __name__ == "__main__":
    unittest.main()
