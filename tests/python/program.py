"""A program under test, and a client for the JSON-RPC of those that have one: what the tests of
tests/integration and tests/interop share. No sleeps, only deadlines."""

import json
import socket
import subprocess
import threading
import time


class Program:
    """A process whose output is kept, line by line, for any thread that waits for a line."""

    def __init__(self, command, name, env):
        self.name, self.lines, self.ended = name, [], False
        self.changed = threading.Condition()
        self.process = subprocess.Popen(
            command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
            env=env, start_new_session=True)
        self.reader = threading.Thread(target=self._read, daemon=True)
        self.reader.start()

    def _read(self):
        for raw in self.process.stdout:
            with self.changed:
                self.lines.append(raw.decode("utf-8", "backslashreplace").rstrip())
                self.changed.notify_all()
        with self.changed:
            self.ended = True
            self.changed.notify_all()

    def await_line(self, what, judge, patience):
        """What judge(line) gives for the first line, said already or later, for which it gives
        anything. `what` is for the message when there is none."""
        deadline, at = time.monotonic() + patience, 0
        with self.changed:
            while True:
                for line in self.lines[at:]:
                    if found := judge(line):
                        return found
                at, left = len(self.lines), deadline - time.monotonic()
                if self.ended or left <= 0:
                    raise AssertionError(f"{self.name} never said {what!r}:\n{self.log()}")
                self.changed.wait(left)

    def log(self):
        return "\n".join(self.lines)

    def kill(self):
        """As a power cut would."""
        if self.process.poll() is None:
            self.process.kill()
        self.process.wait()
        self.reader.join()
        self.process.stdout.close()


class RpcClient:
    """One connection that stays, read as the reference's clients do: lines below 64 KiB."""

    def __init__(self, port, patience):
        self.link = socket.create_connection(("127.0.0.1", port), timeout=patience)
        self.link.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.file = self.link.makefile("rb")
        self.next_id = 0
        self.events = []

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()

    def close(self):
        self.file.close()
        self.link.close()

    def ask(self, method, params=None):
        """Send, wait for nothing."""
        self.next_id += 1
        request = {"jsonrpc": "2.0", "id": self.next_id, "method": method,
                   "params": [] if params is None else params}
        self.link.sendall(json.dumps(request).encode() + b"\n")
        return self.next_id

    def line(self):
        line = self.file.readline(65536)
        assert line.endswith(b"\r\n"), line[:100]
        return json.loads(line)

    def reply(self, method, params=None):
        """Events that come before the reply are kept in self.events."""
        number = self.ask(method, params)
        while "method" in (line := self.line()):
            self.events.append(line)
        assert line["id"] == number, line
        return line

    def call(self, method, params=None):
        reply = self.reply(method, params)
        assert "result" in reply, (method, params, reply)
        return reply["result"]

    def refusal(self, method, params=None):
        error = self.reply(method, params)["error"]
        return error["code"], error["message"]

    def event(self):
        """The next notification."""
        line = self.events.pop(0) if self.events else self.line()
        assert "method" in line, line
        return line
