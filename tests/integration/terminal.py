"""A program on a terminal of its own, and what it shows there: pyte is the terminal."""

import fcntl
import os
import pty
import select
import signal
import struct
import termios
import threading
import time

import pyte

from programs import BIN, DEADLINE

KEYS = {"up": "\x1b[A", "down": "\x1b[B", "right": "\x1b[C", "left": "\x1b[D",
        "page_up": "\x1b[5~", "page_down": "\x1b[6~", "tab": "\t", "back_tab": "\x1b\t", "enter": "\r", "escape": "\x1b",
        "backspace": "\x7f"}


class Terminal:
    def __init__(self, test, program, *arguments, rows=24, cols=80, env=None):
        self.test = test
        self.screen = pyte.Screen(cols, rows)
        self.stream = pyte.ByteStream(self.screen)
        self.raw = bytearray()
        self.changed = threading.Condition()
        self.ended = False
        environment = {**test.environment, "TERM": "linux", "LC_ALL": "C.UTF-8", **(env or {})}
        self.pid, self.fd = pty.fork()
        if self.pid == 0:
            try:
                os.chdir(test.folder)
                os.execve(os.path.join(BIN, program), [program, *arguments], environment)
            finally:
                os._exit(127)
        self.resize(rows, cols)
        self.status = None
        self.reader = threading.Thread(target=self._read, daemon=True)
        self.reader.start()
        test.addCleanup(self.kill)

    def _read(self):
        while True:
            try:
                got = os.read(self.fd, 65536)
            except OSError:
                got = b""
            with self.changed:
                if got:
                    self.raw += got
                    self.stream.feed(got)
                else:
                    self.ended = True
                self.changed.notify_all()
            if not got:
                return

    def resize(self, rows, cols):
        with self.changed:
            self.screen.resize(rows, cols)
        fcntl.ioctl(self.fd, termios.TIOCSWINSZ, struct.pack("HHHH", rows, cols, 0, 0))

    def lines(self):
        with self.changed:
            return [line.rstrip() for line in self.screen.display]

    def text(self):
        return "\n".join(self.lines())

    def send(self, *keys):
        for key in keys:
            os.write(self.fd, KEYS.get(key, key).encode())
            if key == "escape":
                time.sleep(0.1)  # what follows at once would be part of a longer key
        return self

    def until(self, what, ready, seconds=DEADLINE):
        deadline = time.monotonic() + seconds
        with self.changed:
            while not ready():
                left = deadline - time.monotonic()
                if self.ended or left <= 0:
                    raise AssertionError(f"{what}: never on the screen:\n" +
                                         "\n".join(self.screen.display))
                self.changed.wait(left)
        return self

    def shows(self, *texts, seconds=DEADLINE):
        """Wait until all are on the screen at once."""
        return self.until(repr(texts), lambda: all(
            any(text in line for line in self.screen.display) for text in texts), seconds)

    def hides(self, *texts, seconds=DEADLINE):
        return self.until(f"without {texts!r}", lambda: not any(
            text in line for line in self.screen.display for text in texts), seconds)

    def has(self, text):
        return any(text in line for line in self.lines())

    def signal(self, number):
        os.kill(self.pid, number)

    def rss_kb(self):
        with open(f"/proc/{self.pid}/status", encoding="ascii") as status:
            for line in status:
                if line.startswith("VmRSS:"):
                    return int(line.split()[1])
        return 0

    def wait(self, seconds=DEADLINE):
        """The exit status; minus the signal's number if one ended it."""
        deadline = time.monotonic() + seconds
        while self.status is None:
            done, status = os.waitpid(self.pid, os.WNOHANG)
            if done:
                self.status = os.waitstatus_to_exitcode(status)
            elif time.monotonic() > deadline:
                raise AssertionError("it does not end:\n" + self.text())
            else:
                select.select([], [], [], 0.01)
        self.reader.join(5)
        return self.status

    def kill(self):
        if self.status is None:
            os.kill(self.pid, signal.SIGKILL)
            self.wait()
        os.close(self.fd)
