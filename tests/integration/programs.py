"""Start hypha's programs in a folder of their own and wait for what they say: no sleeps, only
deadlines. $HYPHA_BIN is the folder of the programs."""

import itertools
import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
import unittest

sys.path.append(os.path.join(os.path.dirname(os.path.abspath(__file__)), "../python"))
from program import Program, RpcClient

BIN = os.environ.get("HYPHA_BIN", os.path.join(os.path.dirname(__file__), "../../build/bin"))
DEADLINE = 60  # sanitizers and loaded machines are slow


def free_port():
    """A port that was free a moment ago, for configs that must name one."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


class Daemon(Program):
    def __init__(self, test, program, *arguments, config=None, name=None, env=None):
        self.test = test
        name = name or program
        if config is not None:
            path = os.path.join(test.folder, name + ".toml")
            with open(path, "w", encoding="utf-8") as file:
                file.write(config)
            arguments = (*arguments, "-c", path)
        super().__init__([os.path.join(BIN, program), *arguments], name,
                         {**test.environment, **(env or {})})
        test.addCleanup(self.kill)

    def line(self, text, count=1):
        """Wait for the count-th line that contains the text."""
        seen = itertools.count(1)
        return self.await_line(
            text, lambda line: text in line and next(seen) == count and line, DEADLINE)

    def running(self):
        self.line("is running")
        return self

    def address(self):
        return self.line("listening on ").split("listening on ")[1].rstrip("/")

    def rpc_url(self):
        return self.line("JSON-RPC listens on ").split("listens on ")[1]

    def rpc_port(self):
        return int(self.rpc_url().rstrip("/").rsplit(":", 1)[1])

    def raw(self, data, timeout=DEADLINE):
        """Send bytes, close our half, return all that comes."""
        with socket.create_connection(("127.0.0.1", self.rpc_port()), timeout=timeout) as link:
            link.sendall(data)
            link.shutdown(socket.SHUT_WR)
            got = b""
            while chunk := link.recv(65536):
                got += chunk
        return got

    def reply(self, method, params=None):
        request = {"jsonrpc": "2.0", "id": 7, "method": method, "params": params or []}
        got = self.raw(json.dumps(request).encode() + b"\n")
        assert got.endswith(b"\r\n"), got
        return json.loads(got)

    def call(self, method, params=None):
        reply = self.reply(method, params)
        assert "result" in reply, (method, params, reply)
        return reply["result"]

    def until(self, what, ready):
        """Ask the daemon again and again, for what it does not tell by itself."""
        deadline = time.monotonic() + DEADLINE
        while not (answer := ready()):
            if time.monotonic() > deadline:
                raise AssertionError(f"{self.name}: {what}: not in time\n{self.log()}")
            time.sleep(0.02)
        return answer

    def stop(self, number=signal.SIGTERM):
        self.process.send_signal(number)
        status = self.process.wait(DEADLINE)
        self.reader.join()
        return status


class Rpc(RpcClient):
    def __init__(self, test, daemon, token=None):
        super().__init__(daemon.rpc_port(), DEADLINE)
        test.addCleanup(self.close)
        if token is not None:
            assert self.call("rpc.auth", [token]) is True


class ProgramsTest(unittest.TestCase):
    def setUp(self):
        self.folder = tempfile.mkdtemp(prefix="hypha-it-")
        self.addCleanup(shutil.rmtree, self.folder)
        self.environment = {key: value for key, value in os.environ.items()
                            if key not in ("LOG_TARGETS", "DCHAT_ENDPOINT", "XDG_CONFIG_HOME")}
        self.environment["HOME"] = self.folder

    def run_program(self, program, *arguments, stdin=None, env=None):
        """To its end: status, stdout, stderr."""
        done = subprocess.run([os.path.join(BIN, program), *arguments], input=stdin or "",
                              capture_output=True, text=True, timeout=DEADLINE, check=False,
                              env={**self.environment, **(env or {})})
        return done.returncode, done.stdout, done.stderr

    def path(self, name, text=None):
        path = os.path.join(self.folder, name)
        if text is not None:
            with open(path, "w", encoding="utf-8") as file:
                file.write(text)
        return path

    def seed(self, scheme="tcp", name="seed", **more):
        return Daemon(self, "hypha-seed", name=name, config=f"""
[rpc]
rpc_listen = "tcp://127.0.0.1:0"
[network."dchat"]
accept_addrs = ["{scheme}://127.0.0.1:0"]
app_name = "dchatd"
version = "0.4.1"
localnet = true
""", **more).running()

    def node(self, name, seeds=(), scheme="tcp", net="", profile="", before="", slots=3,
             **more):
        return Daemon(self, "dchatd", name=name, config=f"""{before}
[rpc]
rpc_listen = "tcp://127.0.0.1:0"
[net]
localnet = true
outbound_connections = {slots}
active_profiles = ["{scheme}"]
hostlist = "{self.folder}/{name}.hosts.tsv"
p2p_datastore = "{self.folder}/{name}.data"
{net}
[net.profiles."{scheme}"]
inbound = ["{scheme}://127.0.0.1:0"]
external_addrs = ["{scheme}://127.0.0.1:0"]
seeds = {json.dumps(list(seeds))}
{profile}
""", **more).running()

    def dchat(self, daemon, *arguments, **more):
        return self.run_program("dchat", "-e", f"127.0.0.1:{daemon.rpc_port()}", *arguments, **more)


def has_channel(daemon, url, session="outbound"):
    return any(channel["session"] == session and channel["url"].rstrip("/") == url
               for channel in daemon.call("p2p.get_info")["channels"])
