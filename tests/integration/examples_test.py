"""The examples do what they say: public headers suffice for a chat node."""

import os
import signal
import subprocess
import unittest

from programs import BIN, DEADLINE, ProgramsTest, free_port


class Examples(ProgramsTest):
    def test_node_and_dchat(self):
        seed = self.seed()
        bob = self.node("bob", [seed.address()])
        node = subprocess.Popen([os.path.join(BIN, "example-node"), seed.address()],
                                stdout=subprocess.DEVNULL, env=self.environment)
        chat = subprocess.Popen(
            [os.path.join(BIN, "example-dchat"), seed.address(),
             f"tcp://127.0.0.1:{free_port()}"], stdin=subprocess.PIPE, stdout=subprocess.PIPE,
            text=True, env=self.environment)
        self.addCleanup(chat.communicate)
        self.addCleanup(node.wait)
        for process in (chat, node):
            self.addCleanup(process.kill)
        self.assertIn("is here", chat.stdout.readline())
        bob.until("two peers", lambda: bob.call("dchat.info")["peers"] >= 2)
        chat.stdin.write("hello from the example\n")
        chat.stdin.flush()
        heard = bob.call("recv", [{"since": 0, "wait_ms": 30000}])["messages"]
        self.assertEqual(heard[0]["text"], "hello from the example")
        bob.call("send", ["hello \x1b back"])
        while not (line := chat.stdout.readline()).endswith("hello ? back\n"):
            self.assertNotEqual(line, "")
        chat.stdin.close()
        chat.stdin = None
        self.assertEqual(chat.wait(DEADLINE), 0)
        node.send_signal(signal.SIGINT)
        self.assertEqual(node.wait(DEADLINE), 0)
        self.assertEqual((bob.stop(), seed.stop()), (0, 0))

    # A channel on demand, and nobody there.
    def test_direct(self):
        seed = self.seed()
        bob = self.node("bob", [seed.address()])
        direct = os.path.join(BIN, "example-direct")
        there = subprocess.run([direct, bob.address()], capture_output=True, text=True,
                               env=self.environment, timeout=DEADLINE)
        self.assertEqual((there.returncode, there.stderr), (0, ""))
        self.assertRegex(there.stdout, r"^tcp://127\.0\.0\.1:\d+/ is dchatd \d+\.\d+\.\d+\n$")
        unusable = subprocess.run([direct, "tor://nobody.onion:1"], capture_output=True, text=True,
                                  env=self.environment, timeout=DEADLINE)
        self.assertEqual(unusable.returncode, 1)
        self.assertIn("no transport", unusable.stderr)
        self.assertEqual((bob.stop(), seed.stop()), (0, 0))


if __name__ == "__main__":
    unittest.main(verbosity=2)
