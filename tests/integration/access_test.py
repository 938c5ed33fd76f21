"""Who gets at a daemon, by which way: sockets and their modes, tokens, TLS, HTTP and its streams.
spec: apps.md 2.1, 2.2"""

import http.client
import json
import os
import signal
import socket
import ssl
import stat
import subprocess
import time
import unittest

from programs import DEADLINE, Daemon, ProgramsTest, Rpc, has_channel

TOKEN = "correct-horse-battery-staple"


class UnixHTTP(http.client.HTTPConnection):
    def __init__(self, path):
        super().__init__("localhost", timeout=DEADLINE)
        self.path = path

    def connect(self):
        self.sock = socket.socket(socket.AF_UNIX)
        self.sock.settimeout(DEADLINE)
        self.sock.connect(self.path)


class Access(ProgramsTest):
    def daemon(self, name, listen, more="", rest="", **options):
        return Daemon(self, "dchatd", name=name, config=f"""
[rpc]
rpc_listen = "{listen}"
{more}
[net]
localnet = true
outbound_connections = 1
active_profiles = ["tcp"]
hostlist = "{self.folder}/{name}.hosts.tsv"
p2p_datastore = "{self.folder}/{name}.data"
[net.profiles."tcp"]
inbound = ["tcp://127.0.0.1:0"]
{rest}
""", **options)

    def post(self, link, method, params=None, **headers):
        body = json.dumps({"jsonrpc": "2.0", "id": 3, "method": method, "params": params or []})
        link.request("POST", "/", body, {"Content-Type": "application/json", **headers})
        reply = link.getresponse()
        return reply.status, json.loads(reply.read())

    def test_wrong_tokens(self):
        """Three wrong ones and the connection is over; before the right one nothing is told, not
        even which methods there are; nothing of it is in the log."""
        node = self.daemon("node", "tcp://127.0.0.1:0", f'rpc_token = "{TOKEN}"').running()
        for attempt in range(20):
            rpc = Rpc(self, node)
            for method in ("ping", "p2p.get_info", "no.method", "rpc.discover", "daemon.stop"):
                self.assertEqual(rpc.refusal(method), (-32001, "access token required"))
            for wrong in (["x" * attempt], [TOKEN[:-1]], [TOKEN + "x"]):
                self.assertEqual(rpc.refusal("rpc.auth", wrong), (-32001, "wrong access token"))
            self.assertEqual(rpc.file.read(), b"")
            rpc.close()
        for params in ([], {}, [TOKEN, TOKEN], [5], [[TOKEN]], {"token": TOKEN}):
            self.assertEqual(Rpc(self, node).refusal("rpc.auth", params)[0], -32001)
        rpc = Rpc(self, node, token=TOKEN)
        self.assertEqual(rpc.call("ping"), "pong")
        # A stranger's line may not be long.
        reply = json.loads(node.raw(b'{"jsonrpc":"2.0","id":1,"method":"rpc.auth","params":["'
                                    + b"x" * 5000 + b'"]}\n'))
        self.assertEqual(reply["error"]["code"], -32600)
        self.assertEqual(node.stop(), 0)
        self.assertNotIn(TOKEN, "\n".join(node.lines))

    def test_strangers_do_not_keep_others_out(self):
        """Connections without the token are the first to go when all places are taken."""
        node = self.daemon("node", "tcp://127.0.0.1:0", f'rpc_token = "{TOKEN}"').running()
        friend = Rpc(self, node, token=TOKEN)
        links = [socket.create_connection(("127.0.0.1", node.rpc_port())) for _ in range(63)]
        deadline = time.monotonic() + DEADLINE
        while True:
            try:
                late = Rpc(self, node, token=TOKEN)
                break
            except (AssertionError, OSError):
                self.assertLess(time.monotonic(), deadline)
                time.sleep(0.5)
        self.assertEqual((late.call("ping"), friend.call("ping")), ("pong", "pong"))
        for link in links:
            link.close()

    def test_addresses(self):
        """Not loopback without a token: no start; with one: a start."""
        for scheme in ("tcp", "tcp+tls", "http+tcp", "http+tcp+tls"):
            node = self.daemon("open", f"{scheme}://0.0.0.0:0")
            self.assertEqual(node.process.wait(DEADLINE), 1)
            node.line("access token")
            node = self.daemon("closed", f"{scheme}://0.0.0.0:0", f'rpc_token = "{TOKEN}"').running()
            self.assertEqual(node.stop(), 0)
        for listen in ("ftp://127.0.0.1:1", "tcp://127.0.0.1", "unix://relative", "http+unix://",
                       "tcp://127.0.0.1:99999", "x", "", "unix:///" + "x" * 200):
            node = self.daemon("wrong", listen)
            self.assertEqual(node.process.wait(DEADLINE), 1, listen)
            node.line("rpc_listen")

    def test_a_mistyped_method(self):
        """Who disables what does not exist is told so: he meant another."""
        node = self.daemon("node", "tcp://127.0.0.1:0",
                           'rpc_disabled_methods = ["net.bann", "ping"]').running()
        node.line('[WARN] rpc_disabled_methods: no method is called "net.bann"')
        self.assertEqual(node.call("net.reload")["warnings"],
                         ['rpc_disabled_methods: no method is called "net.bann"'])
        self.assertFalse([line for line in node.lines if '"ping"' in line])

    def test_metrics_addresses(self):
        """One line that names the key, the address once, and what was expected."""
        for listen, words in (("tcp://127.0.0.1:0", "expected HOST:PORT"),
                              ("http://0.0.0.0:0", "is not a loopback address"),
                              ("http://example.org:80", "expected HOST:PORT"),
                              ("http://127.0.0.1:99999", "expected HOST:PORT")):
            node = self.daemon("node", "tcp://127.0.0.1:0", rest=f'[metrics]\nlisten = "{listen}"')
            self.assertEqual(node.process.wait(DEADLINE), 1)
            line = node.line("metrics.listen: ")
            self.assertIn(words, line)
            self.assertEqual(line.count(listen), 1, line)

    def test_unix_sockets(self):
        """Mode 0600 whatever the umask; only a stale socket is taken away; gone at the end."""
        path = self.path("rpc.sock")
        for scheme in ("unix", "http+unix"):
            node = self.daemon("node", f"{scheme}://{path}").running()
            self.assertEqual(stat.S_IMODE(os.stat(path).st_mode), 0o600)
            other = self.daemon("other", f"{scheme}://{path}")
            self.assertEqual(other.process.wait(DEADLINE), 1)
            other.line(path)
            if scheme == "unix":
                with socket.socket(socket.AF_UNIX) as link:
                    link.connect(path)
                    link.sendall(b'{"jsonrpc":"2.0","id":3,"method":"ping"}\n')
                    self.assertEqual(json.loads(link.makefile().readline())["result"], "pong")
                self.assertEqual(self.run_program("dchat", "-e", f"unix:{path}", "ping")[0], 0)
            else:
                link = UnixHTTP(path)
                self.assertEqual(self.post(link, "ping")[1]["result"], "pong")
                link.close()
            node.process.kill()
            node.process.wait()
            self.assertTrue(os.path.exists(path))  # stale now
            node = self.daemon("again", f"{scheme}://{path}").running()
            self.assertEqual(node.stop(), 0)
            self.assertFalse(os.path.exists(path))
        node = self.daemon("node", f"unix://{self.folder}/none/rpc.sock")
        self.assertEqual(node.process.wait(DEADLINE), 1)
        node.line("none/rpc.sock: the folder does not exist")
        for make in (lambda: self.path("rpc.sock", "a file"), lambda: os.mkdir(path),
                     lambda: os.mkfifo(path), lambda: os.symlink("/nowhere", path)):
            make()
            node = self.daemon("node", f"unix://{path}")
            self.assertEqual(node.process.wait(DEADLINE), 1)
            node.line(path)
            self.assertTrue(os.path.lexists(path))
            (os.rmdir if os.path.isdir(path) else os.remove)(path)

    def test_http_over_tls_and_its_events(self):
        """curl asks, and listens to server-sent events, over TLS with the token."""
        node = self.daemon("node", "http+tcp+tls://127.0.0.1:0", f'rpc_token = "{TOKEN}"').running()
        context = ssl.create_default_context()
        context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
        link = http.client.HTTPSConnection("127.0.0.1", node.rpc_port(), context=context,
                                           timeout=DEADLINE)
        bearer = {"Authorization": f"Bearer {TOKEN}"}
        self.assertEqual(self.post(link, "ping", **bearer), (200, {"jsonrpc": "2.0", "id": 3,
                                                                  "result": "pong"}))
        self.assertEqual(self.post(link, "dnet.switch", [True], **bearer)[0], 200)
        stranger = http.client.HTTPSConnection("127.0.0.1", node.rpc_port(), context=context,
                                               timeout=DEADLINE)
        self.assertEqual(self.post(stranger, "ping")[0], 401)
        stranger = http.client.HTTPSConnection("127.0.0.1", node.rpc_port(), context=context,
                                               timeout=DEADLINE)
        self.assertEqual(self.post(stranger, "ping", Origin="https://evil.example", **bearer)[0], 403)
        events = http.client.HTTPSConnection("127.0.0.1", node.rpc_port(), context=context,
                                             timeout=DEADLINE)
        body = json.dumps({"jsonrpc": "2.0", "id": 3, "method": "dnet.subscribe_events",
                           "params": [{"all": True}]})
        events.request("POST", "/", body, {"Accept": "text/event-stream", **bearer})
        reply = events.getresponse()
        self.assertEqual((reply.status, reply.headers["Content-Type"]), (200, "text/event-stream"))
        self.assertEqual(self.post(link, "net.ban", ["tcp://192.0.2.9:9"], **bearer)[1]["result"], True)
        seen = ""
        while "banned" not in seen:
            line = reply.fp.readline().decode()
            self.assertTrue(line)
            if line.startswith("data:"):
                seen = json.loads(line[5:])["params"][0]["event"]
        self.assertEqual(node.stop(), 0)

    @unittest.skipUnless(os.path.exists("/usr/bin/curl"), "there is no curl")
    def test_curl(self):
        node = self.daemon("node", "http+tcp+tls://127.0.0.1:0", f'rpc_token = "{TOKEN}"').running()
        url = f"https://127.0.0.1:{node.rpc_port()}/"
        base = ["/usr/bin/curl", "-sk", "-H", f"Authorization: Bearer {TOKEN}"]

        def body(method, params="[]"):
            return '{"jsonrpc":"2.0","id":1,"method":"%s","params":%s}' % (method, params)
        done = subprocess.run([*base, "-d", body("ping"), url], capture_output=True, text=True,
                              timeout=DEADLINE, check=True)
        self.assertEqual(json.loads(done.stdout)["result"], "pong")
        self.assertEqual(subprocess.run([*base, "-o", os.devnull, "-w", "%{http_code}", url],
                                        capture_output=True, text=True, timeout=DEADLINE,
                                        check=True).stdout, "405")
        with subprocess.Popen([*base, "-N", "-H", "Accept: text/event-stream", "-d",
                               body("dchat.subscribe"), url], stdout=subprocess.PIPE) as stream:
            other = self.node("other", profile=f"peers = [\"{node.address()}\"]")
            other.until("a channel", lambda: has_channel(other, node.address(), "manual"))
            # Sent again until the subscription is there.
            os.set_blocking(stream.stdout.fileno(), False)
            got = other.until("it is streamed", lambda: (
                other.call("send", ["to curl"]), time.sleep(0.1), stream.stdout.read())[-1])
            self.assertIn(b"to curl", got)
            stream.kill()
        self.assertEqual((node.stop(), other.stop()), (0, 0))

    def test_slow_scrapers(self):
        """Scrapers that ask and never read, or never finish asking, hinder neither others nor the
        stop."""
        node = self.daemon("node", "tcp://127.0.0.1:0",
                           rest='[metrics]\nlisten = "http://127.0.0.1:0"').running()
        port = int(node.line("Metrics are at ").split("Metrics are at ")[1].rsplit(":")[-1].split("/")[0])
        lazy = []
        for i in range(40):
            link = socket.create_connection(("127.0.0.1", port))
            link.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1024)
            link.sendall(b"GET /metrics HTTP/1.1\r\nHost: 127.0.0.1\r\n" + (b"\r\n" if i % 2 else b"X: "))
            self.addCleanup(link.close)
            lazy.append(link)
        deadline = time.monotonic() + DEADLINE
        while True:
            try:
                link = http.client.HTTPConnection("127.0.0.1", port, timeout=5)
                link.request("GET", "/metrics")
                reply = link.getresponse()
                if reply.status == 200 and b"hypha_" in reply.read():
                    break
            except (OSError, http.client.HTTPException):
                pass
            self.assertLess(time.monotonic(), deadline)
            time.sleep(0.1)
        self.assertEqual(Rpc(self, node).call("ping"), "pong")
        node.process.send_signal(signal.SIGTERM)
        for link in lazy:
            try:
                link.sendall(b"GET /metrics HTTP/1.1\r\n\r\n")
            except OSError:
                pass
        self.assertEqual(node.process.wait(DEADLINE), 0)


if __name__ == "__main__":
    unittest.main(verbosity=2)
