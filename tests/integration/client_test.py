"""The chat client, with our daemon and with one that knows only the old methods.
spec: apps.md 5"""

import json
import os
import socketserver
import subprocess
import threading
import unittest

from programs import BIN, DEADLINE, ProgramsTest, free_port, has_channel


class OldDaemon(socketserver.ThreadingTCPServer):
    """What the reference's dchatd answers; parameters it does not expect kill the call."""

    allow_reuse_address = True
    daemon_threads = True

    def __init__(self):
        self.texts = [""]
        self.crashed = []
        super().__init__(("127.0.0.1", 0), OldHandler)
        threading.Thread(target=self.serve_forever, daemon=True).start()

    def answer(self, request):
        method, params = request["method"], request["params"]
        if method == "ping":
            return {"result": "pong"}
        if method == "recv" and params == []:
            return {"result": list(self.texts)}
        if method == "send" and len(params) == 1 and isinstance(params[0], str):
            self.texts.append(params[0])
            return {"result": True}
        if method in ("send", "recv"):
            self.crashed.append(request)
            return None
        return {"error": {"code": -32601, "message": "method not found"}}


class OldHandler(socketserver.StreamRequestHandler):
    def handle(self):
        for line in self.rfile:
            request = json.loads(line)
            answer = self.server.answer(request)
            if answer is None:
                continue
            answer.update(jsonrpc="2.0", id=request["id"])
            self.wfile.write(json.dumps(answer).encode())
            self.wfile.write(b"\r\n")


class Client(ProgramsTest):
    def pair(self):
        seed = self.seed()
        alice = self.node("alice", [seed.address()])
        bob = self.node("bob", [seed.address()])
        alice.until("bob", lambda: has_channel(alice, bob.address()))
        bob.until("alice", lambda: has_channel(bob, alice.address()))
        return alice, bob

    def follow(self, endpoint, *arguments):
        process = subprocess.Popen([os.path.join(BIN, "dchat"), "-e", endpoint, *arguments],
                                   stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
                                   env=self.environment)

        def end():
            process.kill()
            process.communicate()
        self.addCleanup(end)
        return process

    def test_send_and_recv(self):
        alice, bob = self.pair()
        self.assertEqual(self.dchat(alice, "send", "two", "words"), (0, "", ""))
        bob.call("recv", [{"since": 0, "wait_ms": 30000}])
        self.assertEqual(self.dchat(bob, "recv"), (0, "two words\n", ""))
        hostile = "bell \x07 esc \x1b[31m\nline \u202e \u0085"
        alice.call("send", [hostile])
        bob.call("recv", [{"since": 1, "wait_ms": 30000}])
        self.assertEqual(
            self.dchat(bob, "recv")[1].splitlines()[1],
            "bell \\x07 esc \\x1b[31m\\nline \\u202e \\x85")
        self.assertEqual(self.dchat(alice, "send", "-", stdin="one\n\nhelp\nlast")[0], 0)
        bob.call("recv", [{"since": 4, "wait_ms": 30000}])
        self.assertEqual(bob.call("recv")[3:], ["one", "help", "last"])
        status, out, _ = self.dchat(bob, "info")
        self.assertEqual(status, 0)
        self.assertIn(alice.address(), out)
        self.assertIn("3 outbound slots", out)

    def test_follow(self):
        alice, bob = self.pair()
        alice.call("send", ["before"])
        bob.call("recv", [{"since": 0, "wait_ms": 30000}])
        endpoint = f"127.0.0.1:{bob.rpc_port()}"
        tail = self.follow(endpoint, "tail")
        recv = self.follow(endpoint, "recv", "-f")
        raw = self.follow(endpoint, "--json", "tail")
        for text in ("before", "after"):
            self.assertRegex(tail.stdout.readline(),
                             rf"^\d\d:\d\d:\d\d tcp://127\.0\.0\.1:\d+/: {text}\n$")
            self.assertEqual(recv.stdout.readline(), text + "\n")
            self.assertEqual(json.loads(raw.stdout.readline())["text"], text)
            alice.call("send", ["after"])
        self.assertEqual(bob.stop(), 0)
        self.assertEqual(tail.wait(DEADLINE), 3)

    def test_endpoints(self):
        socket_path = self.path("rpc.sock")
        node = self.node("node")
        node.stop()
        from programs import Daemon
        for listen, endpoints in (
                (f"unix://{socket_path}", [f"unix:{socket_path}", f"unix://{socket_path}"]),
                ("tcp+tls://127.0.0.1:0", None), ("tcp://[::1]:0", None)):
            node = Daemon(self, "dchatd", "-c", self.path("node.toml"), "--rpc-listen",
                          listen).running()
            for endpoint in endpoints or [node.rpc_url()]:
                self.assertEqual(self.run_program("dchat", "-e", endpoint, "ping"),
                                 (0, "pong\n", ""), endpoint)
            self.assertEqual(node.stop(), 0)
        self.assertFalse(os.path.exists(socket_path))
        node = Daemon(self, "dchatd", "-c", self.path("node.toml")).running()
        # The daemon listens on 127.0.0.1 only, the name may mean ::1 first.
        self.assertEqual(self.run_program("dchat", "ping", env={
            "DCHAT_ENDPOINT": f"localhost:{node.rpc_port()}"})[0], 0)
        self.assertEqual(node.stop(), 0)

    def test_exit_statuses(self):
        status, out, err = self.run_program("dchat")
        self.assertEqual((status, out), (2, ""))
        self.assertIn("Usage", err)
        for arguments in (["nonsense"], ["send"], ["recv", "x"], ["-x", "ping"],
                          ["-e", "nowhere", "ping"], ["-e"], ["send", ""]):
            self.assertEqual(self.run_program("dchat", *arguments)[0], 2, arguments)
        for arguments in (["help"], ["-h"], ["--help"], ["-V"]):
            self.assertEqual(self.run_program("dchat", *arguments)[0], 0)
        status, out, err = self.run_program("dchat", "-e", f"127.0.0.1:{free_port()}", "ping")
        self.assertEqual((status, out), (3, ""))
        self.assertIn("refused", err)
        node = self.node("node")
        status, _, err = self.dchat(node, "send", "x" * 70000)
        self.assertEqual((status, "invalid params" in err), (1, True))
        self.assertEqual(json.loads(self.dchat(node, "--json", "recv")[1])["result"], [""])
        self.assertEqual(node.stop(), 0)

    def test_old_daemon(self):
        old = OldDaemon()
        self.addCleanup(old.server_close)
        self.addCleanup(old.shutdown)
        endpoint = f"127.0.0.1:{old.server_address[1]}"
        self.assertEqual(self.run_program("dchat", "-e", endpoint, "send", "first"), (0, "", ""))
        self.assertEqual(self.run_program("dchat", "-e", endpoint, "recv"), (0, "first\n", ""))
        tail = self.follow(endpoint, "tail")
        self.assertEqual(tail.stdout.readline(), "first\n")
        old.texts.append("second")
        self.assertEqual(tail.stdout.readline(), "second\n")
        self.assertEqual(self.run_program("dchat", "-e", endpoint, "info")[0], 1)
        self.assertEqual(old.crashed, [])


if __name__ == "__main__":
    unittest.main(verbosity=2)
