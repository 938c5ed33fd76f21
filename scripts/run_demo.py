#!/usr/bin/python3
"""Show hypha at work: a seed and two chat nodes that have never heard of each other.

usage: run_demo.py BUILD_DIR

Starts the programs of BUILD_DIR/bin on free loopback ports in a temporary folder, tells in plain
words who finds whom through what, lets the nodes talk, stops everything, and leaves nothing
behind. On a terminal it stays before the end: chat as alice, /quit ends. Exit status 0: all of
that happened; 1: something did not, and what.
"""

import ctypes
import json
import os
import queue
import re
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time

START_SECONDS = 20
FIND_SECONDS = 20
STOP_SECONDS = 15
LAST_LINES = 12


class Failure(Exception):
    """The demo cannot go on; the text says why."""


def die_with_parent():
    """In the child: end when the demo is killed, so that nothing stays behind."""
    ctypes.CDLL(None).prctl(1, signal.SIGTERM)


class Daemon:
    """A running program: its lines, its addresses, its JSON-RPC."""

    def __init__(self, demo, name, program, config):
        self.demo = demo
        self.name = name
        self.lines = []
        self.address = None
        self.rpc_port = None
        self.rpc_socket = None
        path = os.path.join(demo.folder, name + ".toml")
        with open(path, "w", encoding="utf-8") as file:
            file.write(config)
        self.process = subprocess.Popen(
            [program, "-v", "-c", path], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT, env=demo.environment, start_new_session=True,
            preexec_fn=die_with_parent)
        self.reader = threading.Thread(target=self.read, daemon=True)
        self.reader.start()

    def read(self):
        for raw in self.process.stdout:
            line = raw.decode("utf-8", "replace").rstrip()
            self.lines.append(line)
            self.demo.queue.put((self.demo.now_ms(), self, line))
        self.demo.queue.put((self.demo.now_ms(), self, None))

    def call(self, method, params=None, timeout=10):
        """One JSON-RPC call over a connection of its own."""
        with socket.create_connection(("127.0.0.1", self.rpc_port), timeout=timeout) as link:
            request = {"jsonrpc": "2.0", "id": 1, "method": method, "params": params or []}
            link.sendall(json.dumps(request).encode() + b"\n")
            with link.makefile("rb") as replies:
                line = replies.readline()
        if not line:
            raise Failure(f"{self.name} hung up on the call \"{method}\"")
        reply = json.loads(line)
        if "error" in reply:
            raise Failure(f"{self.name} refused \"{method}\": {reply['error']['message']}")
        return reply["result"]


class Demo:
    def __init__(self, build):
        self.programs = os.path.join(build, "bin")
        self.begin = time.monotonic()
        self.queue = queue.Queue()
        self.daemons = []
        self.nodes = {}
        self.told = set()
        self.folder = tempfile.mkdtemp(prefix="hypha-demo-")
        self.environment = dict(os.environ, HOME=self.folder, XDG_CONFIG_HOME=self.folder)
        self.environment.pop("LOG_TARGETS", None)
        self.environment.pop("DCHAT_ENDPOINT", None)

    # ---- telling ----

    def now_ms(self):
        return (time.monotonic() - self.begin) * 1000

    def tell(self, when, who, text):
        print(f"{when:6.0f} ms  {who:<6} {text}", flush=True)

    def once(self, key):
        if key in self.told:
            return False
        self.told.add(key)
        return True

    def who(self, url):
        """alice, bob, the seed, or the address itself."""
        for daemon in self.daemons:
            if daemon.address == url.rstrip("/"):
                return "the seed" if daemon.name == "seed" else daemon.name
        return url.rstrip("/")

    def hear(self, when, daemon, line):
        """A log line in plain words, if it is part of the story."""
        found = re.search(r"listening on (\S+)", line)
        if found and daemon.address is None:
            daemon.address = found[1].rstrip("/")
            knows = "" if daemon.name == "seed" else ", knows nobody but the seed"
            self.tell(when, daemon.name, f"listens on {daemon.address}{knows}")
        found = re.search(r"JSON-RPC listens on tcp://127\.0\.0\.1:(\d+)", line)
        if found:
            daemon.rpc_port = int(found[1])
        found = re.search(r"(\S+) answers: it is on the white list", line)
        if found and daemon.name == "seed" and self.once(("white", found[1])):
            self.tell(when, "seed",
                      f"called {self.who(found[1])} back: reachable, others may know")
        found = re.search(r"seed (\S+) answered: (\d+) new", line)
        if found and self.once(("seeded", daemon.name)):
            count = int(found[2])
            what = "nobody yet" if count == 0 else "1 node" if count == 1 else f"{count} nodes"
            self.tell(when, daemon.name, f"told the seed its address and learned of {what}")
        found = re.search(r"slot \d+: connected to (\S+)", line)
        if found and self.once(("slot", daemon.name, found[1])):
            self.tell(when, daemon.name, f"dialled {self.who(found[1])} and shook hands")

    def listen(self, timeout):
        """Take what the programs said; raises if one ended."""
        try:
            when, daemon, line = self.queue.get(timeout=timeout)
        except queue.Empty:
            return
        while True:
            if line is None:
                status = daemon.process.wait()
                raise Failure(f"{daemon.name} ended by itself with status {status}")
            self.hear(when, daemon, line)
            try:
                when, daemon, line = self.queue.get_nowait()
            except queue.Empty:
                return

    def wait_for(self, what, seconds, ready):
        deadline = time.monotonic() + seconds
        while not ready():
            if time.monotonic() > deadline:
                raise Failure(f"{what}: not within {seconds} s")
            self.listen(0.05)

    # ---- the parts ----

    def start(self, name, program, config):
        path = os.path.join(self.programs, program)
        if not os.access(path, os.X_OK):
            raise Failure(f"{path} is missing: build first")
        daemon = Daemon(self, name, path, config)
        self.daemons.append(daemon)
        self.wait_for(f"start of {name}", START_SECONDS,
                      lambda: daemon.address and daemon.rpc_port)
        return daemon

    def start_seed(self):
        home = os.path.join(self.folder, "seed")
        return self.start("seed", "hypha-seed", f"""
[rpc]
rpc_listen = "tcp://127.0.0.1:0"
[network."dchat"]
accept_addrs = ["tcp://127.0.0.1:0"]
app_name = "dchatd"
version = "0.4.1"
localnet = true
datastore = "{home}"
hostlist = "{home}/hosts.tsv"
""")

    def start_node(self, name, seed):
        home = os.path.join(self.folder, name)
        self.nodes[name] = self.start(name, "dchatd", f"""
[rpc]
rpc_listen = "tcp://127.0.0.1:0"
[net]
localnet = true
outbound_connections = 3
active_profiles = ["tcp"]
p2p_datastore = "{home}"
hostlist = "{home}/hosts.tsv"
[net.profiles."tcp"]
inbound = ["tcp://127.0.0.1:0"]
external_addrs = ["tcp://127.0.0.1:0"]
seeds = ["{seed.address}"]
""")
        return self.nodes[name]

    def has_dialled(self, name, other):
        """A channel that `name` opened, so that it knows whom it leads to."""
        return any(channel["session"] == "outbound"
                   and self.who(channel["url"]) == other
                   for channel in self.nodes[name].call("p2p.get_info")["channels"])

    def are_connected(self):
        return self.has_dialled("alice", "bob") and self.has_dialled("bob", "alice")

    def dchat(self, name, *arguments):
        """Run the client as a person would; its output."""
        command = [os.path.join(self.programs, "dchat"), "-e",
                   f"127.0.0.1:{self.nodes[name].rpc_port}", *arguments]
        done = subprocess.run(command, stdin=subprocess.DEVNULL, capture_output=True, text=True,
                              env=self.environment, timeout=40, check=False)
        if done.returncode != 0:
            raise Failure(f"dchat {' '.join(arguments)}: status {done.returncode}: "
                          f"{done.stderr.strip()}")
        return done.stdout

    def say(self, who, whom, text):
        """Send by dchat, and wait until the other node has it."""
        before = self.nodes[whom].call("recv", [{"since": 0}])["next"]
        sent = time.monotonic()
        self.dchat(who, "send", text)
        reply = self.nodes[whom].call("recv", [{"since": before, "wait_ms": 10000}], timeout=20)
        took = (time.monotonic() - sent) * 1000
        if text not in [message["text"] for message in reply["messages"]]:
            raise Failure(f"{whom} did not get what {who} said")
        print(f"  {who + ':':<7}{text}   [{whom} has it after {took:.0f} ms]", flush=True)

    def talk(self):
        print("\nThey talk (each line sent with dchat):", flush=True)
        lines = [("alice", "bob", "Hello, is anybody there?"),
                 ("bob", "alice", "Yes! The seed told me of you \u2014 or you of me."),
                 ("alice", "bob", "And now it is only the two of us.")]
        for line in lines:
            self.say(*line)
        print("\nWhat `dchat recv` shows:", flush=True)
        for name in self.nodes:
            print(f"  at {name}:")
            for line in self.dchat(name, "recv").splitlines():
                print(f"    {line}", flush=True)
            heard = [text for _, whom, text in lines if whom == name]
            if self.dchat(name, "recv").splitlines() != heard:
                raise Failure(f"{name} did not receive exactly what was said")

    # ---- a person joins ----

    def answer_as_bob(self, since, done):
        """Bob has little to say, but he is there."""
        bob = self.nodes["bob"]
        while not done.is_set():
            try:
                reply = bob.call("recv", [{"since": since, "wait_ms": 1000}], timeout=20)
                for message in reply["messages"]:
                    bob.call("send", [f"bob heard you say \"{message['text']}\""])
                since = reply["next"]
            except (OSError, ValueError, Failure):
                return

    def show_to_alice(self, since, done):
        alice = self.nodes["alice"]
        while not done.is_set():
            try:
                reply = alice.call("recv", [{"since": since, "wait_ms": 1000}], timeout=20)
                for message in reply["messages"]:
                    text = "".join(c if c.isprintable() else "?" for c in message["text"])
                    print(f"  bob: {text}", flush=True)
                since = reply["next"]
            except (OSError, ValueError, Failure):
                return

    def chat(self):
        port = self.nodes["bob"].rpc_port
        print("\nNow you are alice. Type and press Enter; /quit ends. To be bob, in another\n"
              f"terminal:  {self.programs}/dchat -e 127.0.0.1:{port} send hello\n", flush=True)
        done = threading.Event()
        helpers = []
        for name, work in (("bob", self.answer_as_bob), ("alice", self.show_to_alice)):
            since = self.nodes[name].call("recv", [{"since": 0}])["next"]
            helpers.append(threading.Thread(target=work, args=(since, done), daemon=True))
            helpers[-1].start()
        try:
            for line in sys.stdin:
                text = line.rstrip("\n")
                if text.strip() == "/quit":
                    break
                if text:
                    self.nodes["alice"].call("send", [text])
        except KeyboardInterrupt:
            print()
        finally:
            done.set()
            for helper in helpers:
                helper.join(5)

    # ---- the end ----

    def stop(self):
        print("\nStopping (SIGTERM):", flush=True)
        bad = []
        for daemon in reversed(self.daemons):
            began = time.monotonic()
            daemon.process.send_signal(signal.SIGTERM)
            try:
                status = daemon.process.wait(STOP_SECONDS)
            except subprocess.TimeoutExpired:
                raise Failure(f"{daemon.name} did not stop within {STOP_SECONDS} s") from None
            took = (time.monotonic() - began) * 1000
            print(f"  {daemon.name:<6} stopped after {took:.0f} ms with status {status}",
                  flush=True)
            if status != 0:
                bad.append(daemon.name)
        if bad:
            raise Failure(f"bad exit status of {', '.join(bad)}")

    def run(self):
        print("hypha: a seed, and two chat nodes that have never heard of each other\n")
        seed = self.start_seed()
        alice = self.start_node("alice", seed)
        bob = self.start_node("bob", seed)
        self.wait_for("alice and bob find each other", FIND_SECONDS, self.are_connected)
        found = self.now_ms()
        while not self.queue.empty() or self.now_ms() < found + 100:
            self.listen(0.02)  # what led to it is still being told
        self.tell(found, "both",
                  "connected to each other: the seed had introduced them")
        for node in (alice, bob):
            for channel in node.call("p2p.get_info")["channels"]:
                way = "to" if channel["session"] == "outbound" else "from"
                print(f"           {node.name:<6} holds a channel {way} {channel['url']}")
        self.talk()
        if sys.stdin.isatty() and sys.stdout.isatty():
            self.chat()
        self.stop()
        print("\nDone: alice and bob found each other through the seed, talked, and every\n"
              "program shut down cleanly. Nothing is left behind.")

    def show_last_lines(self):
        for daemon in self.daemons:
            print(f"\nlast lines of {daemon.name}:", file=sys.stderr)
            for line in daemon.lines[-LAST_LINES:]:
                print(f"  {line}", file=sys.stderr)

    def clean(self):
        for daemon in self.daemons:
            if daemon.process.poll() is None:
                daemon.process.kill()
            daemon.process.wait()
            daemon.reader.join(5)
        shutil.rmtree(self.folder, ignore_errors=True)


def interrupted(_number, _frame):
    raise KeyboardInterrupt


def main():
    if len(sys.argv) != 2 or sys.argv[1].startswith("-"):
        print(__doc__.strip(), file=sys.stderr)
        return 1
    for number in (signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, interrupted)
    demo = Demo(os.path.abspath(sys.argv[1]))
    try:
        demo.run()
        return 0
    except KeyboardInterrupt:
        print("\ninterrupted", file=sys.stderr)
    except (Failure, OSError, ValueError, KeyError, subprocess.SubprocessError) as problem:
        print(f"\nThe demo failed: {problem}", file=sys.stderr)
        demo.show_last_lines()
    finally:
        for number in (signal.SIGTERM, signal.SIGHUP, signal.SIGINT):
            signal.signal(number, signal.SIG_IGN)
        demo.clean()
    return 1


if __name__ == "__main__":
    sys.exit(main())
