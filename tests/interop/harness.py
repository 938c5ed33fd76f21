"""Start a dchatd or a hypha-seed for a test, and listeners for nodes to dial.

Every port is chosen by the system; the real ones are read from the node's own log. Waiting is
always for a line, a frame or a connection, never for a time.
"""

import json
import os
import pathlib
import re
import shutil
import socket
import ssl
import struct
import subprocess
import sys
import tempfile
import threading
import time

sys.path.append(str(pathlib.Path(__file__).resolve().parent.parent / "python"))
from program import Program, RpcClient
from wire_peer import Closed, Peer, addr_payload

BIN = pathlib.Path(os.environ.get("HYPHA_BIN", "build/bin"))
PATIENCE = float(os.environ.get("HYPHA_PATIENCE", "30"))  # valgrind and sanitizers are slow
# Freed memory that AddressSanitizer keeps would look like a leak to tests that measure.
ASAN_OPTIONS = os.environ.get("ASAN_OPTIONS", "") + ":quarantine_size_mb=1"
# Our own mistakes, wherever they show in a log.
MISTAKES = ("ERROR: AddressSanitizer", "runtime error:", "LeakSanitizer", "Assertion", " bug: ")


def options(argv):
    """`--bin FOLDER` names the programs' folder; the rest is unittest's."""
    global BIN
    if "--bin" in argv:
        at = argv.index("--bin")
        BIN = pathlib.Path(argv[at + 1])
        argv = argv[:at] + argv[at + 2:]
    return argv


class Node(Program):
    """A running program. `port`, `url`, `external`: its first listener. `prefix`: a command that
    becomes the program."""

    def __init__(self, program="dchatd", scheme="tcp", timeouts=(5, 5, 60),
                 outbound_connections=0, inbound_connections=8, peers=(), seeds=(), hostlist="",
                 net="", hosts=None, verbose="-v", dchat="", active_profiles="", after="",
                 prefix=()):
        self.folder = tempfile.mkdtemp(prefix="hypha-interop-")
        self.hosts = hosts or os.path.join(self.folder, "hosts.tsv")
        if hostlist:
            pathlib.Path(self.hosts).write_text(hostlist)
        config = os.path.join(self.folder, "config.toml")
        self.scheme = scheme
        text = self.seed_config(net) if program == "seed" else self.chat_config(
            timeouts, outbound_connections, inbound_connections, peers, seeds, net, dchat,
            active_profiles or f'"{scheme}"', after)
        pathlib.Path(config).write_text(text)
        name = "hypha-seed" if program == "seed" else "dchatd"
        self.asked = False
        super().__init__([*prefix, str(BIN / name), verbose, "-c", config], name,
                         {**os.environ, "HOME": self.folder, "ASAN_OPTIONS": ASAN_OPTIONS})
        try:
            self.url = self.wait_log(
                r"istening on (%s://127\.0\.0\.1:\d+/)" % re.escape(scheme))
        except AssertionError:
            self.kill()
            raise
        self.port = int(self.url.rstrip("/").rsplit(":", 1)[1])
        self.external = [] if program == "seed" else [self.url]

    def __enter__(self):
        return self

    def __exit__(self, failed, *_):
        if failed:
            self.kill()
            print("\n" + self.log())
        else:
            self.stop()

    def chat_config(self, timeouts, outbound, inbound, peers, seeds, net, dchat, profiles, after):
        def quoted(urls):
            return "[" + ", ".join(f'"{url}"' for url in urls) + "]"

        return f"""
[rpc]
rpc_listen = "tcp://127.0.0.1:0"
[dchat]
{dchat}
[net]
localnet = true
hostlist = "{self.hosts}"
outbound_connections = {outbound}
inbound_connections = {inbound}
active_profiles = [{profiles}]
{net}
[net.profiles."{self.scheme}"]
inbound = ["{self.scheme}://127.0.0.1:0"]
external_addrs = ["{self.scheme}://127.0.0.1:0"]
peers = {quoted(peers)}
seeds = {quoted(seeds)}
outbound_connect_timeout = {timeouts[0]}
channel_handshake_timeout = {timeouts[1]}
channel_heartbeat_interval = {timeouts[2]}
{after}
"""

    def seed_config(self, top):
        return f"""
{top}
[rpc]
rpc_listen = "tcp://127.0.0.1:0"
[network."dchat"]
accept_addrs = ["{self.scheme}://127.0.0.1:0"]
app_name = "dchatd"
version = "0.4.1"
localnet = true
hostlist = "{self.hosts}"
datastore = "{self.folder}/datastore"
"""

    def wait_log(self, pattern, patience=None):
        """The first group (or all) of the first line that matches, now or later."""
        found = self.await_line(pattern, lambda line: re.search(pattern, line),
                                PATIENCE if patience is None else patience)
        return found.group(1) if found.groups() else found.group(0)

    def log(self):
        return "\n".join(self.lines[-60:])

    def terminate(self):
        """Ask for an orderly stop; once, as the second time ends at once."""
        if not self.asked:
            self.asked = True
            self.process.terminate()

    def stop(self, patience=None):
        """An orderly stop must end with status 0, and nothing of ours may be in the log."""
        self.terminate()
        try:
            status = self.process.wait(PATIENCE if patience is None else patience)
        except subprocess.TimeoutExpired:
            self.kill()
            raise AssertionError("does not stop:\n" + self.log()) from None
        self.kill()
        assert status == 0, f"exit status {status}:\n{self.log()}"
        mistakes = [line for line in self.lines if any(word in line for word in MISTAKES)]
        assert not mistakes, f"{mistakes[0]}\n{self.log()}"

    def kill(self):
        super().kill()
        shutil.rmtree(self.folder, ignore_errors=True)

    # ---- from outside ----

    def count_log(self, pattern):
        with self.changed:
            return sum(1 for line in self.lines if re.search(pattern, line))

    def rss_kb(self):
        status = pathlib.Path(f"/proc/{self.process.pid}/status").read_text()
        return int(re.search(r"VmRSS:\s+(\d+)", status).group(1))

    def descriptors(self):
        return len(os.listdir(f"/proc/{self.process.pid}/fd"))

    def rpc(self):
        return Rpc(self.wait_log(r"JSON-RPC listens on tcp://127\.0\.0\.1:(\d+)/"))

    def listed(self):
        """The hostlist of an orderly stop, as {url: (colour, last_seen)}."""
        self.terminate()
        self.process.wait(PATIENCE)
        return parse_hostlist(pathlib.Path(self.hosts).read_text())


def parse_hostlist(text):
    """network.md 4.6: COLOUR TAB URL TAB LAST_SEEN LF; strict."""
    assert text == "" or text.endswith("\n"), "the last line has no end"
    hosts = {}
    for line in text.splitlines():
        colour, url, seen = line.split("\t")[:3]  # ours have more columns
        assert colour in ("dark", "grey", "white", "gold"), line
        assert url not in hosts, "twice: " + line
        hosts[url] = (colour, int(seen))
    return hosts


class Rpc(RpcClient):
    def __init__(self, port):
        super().__init__(int(port), PATIENCE)

    def channels(self):
        return self.call("p2p.get_info")["channels"]


def await_that(what, condition, patience=None, pause=0.02):
    """For what can only be asked for, not awaited."""
    deadline = time.monotonic() + (PATIENCE if patience is None else patience)
    while not condition():
        if time.monotonic() > deadline:
            raise AssertionError("not in time: " + what)
        time.sleep(pause)


class FakeListener:
    """Accepts what a node dials."""

    def __init__(self, scheme="tcp", tls=None):
        self.socket = socket.create_server(("127.0.0.1", 0))
        self.socket.settimeout(PATIENCE)
        self.tls = tls
        self.url = "%s://127.0.0.1:%d/" % (scheme, self.socket.getsockname()[1])

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.socket.close()

    def accept(self):
        sock, address = self.socket.accept()
        if self.tls is not None:
            sock = self.tls.wrap_socket(sock, server_side=True)
        peer = Peer(sock)
        peer.remote_url = "%s://%s:%d/" % (self.url.split(":")[0], *address)
        return peer

    def config_for(self, kind):
        """How a Node is told to dial this listener in a session of that kind."""
        if kind == "seed":
            return {"seeds": [self.url]}
        if kind == "manual":
            return {"peers": [self.url]}
        entry = "grey\t%s\t%d\n" % (self.url, int(time.time()) - 100)
        if kind == "refine":
            return {"hostlist": entry, "net": "greylist_refinery_interval = 1\n"
                                              "time_with_no_connections = 3600"}
        return {"hostlist": entry}


class Visit:
    """One connection that a FakeNode accepted."""

    def __init__(self, peer):
        self.peer, self.at, self.over = peer, time.monotonic(), False

    def got(self, command):
        return [fields for name, fields in list(self.peer.seen) if name == command]


class FakeNode(FakeListener):
    """Accepts all connections at once and plays the same part on each, in threads.

    `script(visit, number)` plays the `number`th connection (from 0); the default is an honest
    node that answers every getaddr with `addrs`.
    """

    def __init__(self, scheme="tcp", tls=None, addrs=(), script=None):
        super().__init__(scheme, tls)
        self.addrs, self.script = addrs, script or self.honest
        self.visits, self.failures, self.more = [], [], threading.Condition()
        self.closing = False
        self.socket.settimeout(None)
        self.thread = threading.Thread(target=self.accept_all, daemon=True)
        self.thread.start()

    def __exit__(self, failed, *_):
        self.close()
        assert failed or not self.failures, self.failures[0]

    def close(self):
        self.closing = True
        try:
            self.socket.shutdown(socket.SHUT_RDWR)  # ends the accept()
        except OSError:
            pass
        self.thread.join(PATIENCE)
        self.socket.close()
        for visit in self.visits:
            try:
                visit.peer.sock.shutdown(socket.SHUT_RDWR)
            except OSError:
                pass

    def accept_all(self):
        while not self.closing:
            try:
                sock, _ = self.socket.accept()
            except OSError:
                return
            threading.Thread(target=self.play, args=(sock,), daemon=True).start()

    def play(self, sock):
        with self.more:
            visit = Visit(Peer(sock, patience=3600))
            number = len(self.visits)
            self.visits.append(visit)
            self.more.notify_all()
        try:
            if self.tls is not None:
                visit.peer.sock = self.tls.wrap_socket(sock, server_side=True)
            self.script(visit, number)
        except (Closed, OSError, ssl.SSLError):
            pass  # the other side's business
        except Exception as error:  # shown by __exit__
            self.failures.append(error)
        finally:
            visit.over = True
            visit.peer.close()
            with self.more:
                self.more.notify_all()

    def honest(self, visit, _number):
        visit.peer.handshake()
        self.serve(visit)

    def serve(self, visit):
        while True:
            command, fields = visit.peer.receive()
            if command == "ping":
                visit.peer.send("pong", struct.pack("<H", fields["nonce"]))
            if command == "getaddr":
                visit.peer.send("addr", addr_payload(self.addrs))
            with self.more:
                self.more.notify_all()

    def wait(self, what, condition, patience=None):
        """Until condition() holds, asked at each frame, connection and end."""
        deadline = time.monotonic() + (PATIENCE if patience is None else patience)
        with self.more:
            while not condition():
                left = deadline - time.monotonic()
                if left <= 0:
                    raise AssertionError("not in time: " + what)
                self.more.wait(min(left, 0.5))

    def wait_visits(self, count, patience=None):
        self.wait(f"{count} connections to {self.url}",
                  lambda: len(self.visits) >= count, patience)
        return self.visits[count - 1]


class DeafListener:
    """An address where connections are never established: its backlog is full."""

    def __init__(self):
        self.socket = socket.socket()
        self.socket.bind(("127.0.0.1", 0))
        self.socket.listen(0)
        address = self.socket.getsockname()
        self.url = "tcp://127.0.0.1:%d/" % address[1]
        self.fill = []
        for _ in range(8):  # the kernel takes one or two
            sock = socket.socket()
            sock.setblocking(False)
            sock.connect_ex(address)
            self.fill.append(sock)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        for sock in self.fill:
            sock.close()
        self.socket.close()


def grey(urls, age=100):
    """Lines of a hostlist."""
    return "".join("grey\t%s\t%d\n" % (url, int(time.time()) - age) for url in urls)
