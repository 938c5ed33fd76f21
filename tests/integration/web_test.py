"""hypha-view --web: a real browser looks at a real network.

Nodes are started, viewed, and leave; Chromium runs headless and is asked what it draws."""

import http.client
import json
import signal
import time
import unittest

from programs import DEADLINE, Daemon, ProgramsTest, free_port, has_channel
from webdriver import Browser

HOSTILE = '<img src=x onerror="window.hacked=1">'
# Collect what travels, frame by frame: each lives for a second only.
WATCH = """
window.seen = [];
const look = () => {
  for (const t of window.hyphaView.travellers()) if (seen.length < 5000) seen.push(t);
  requestAnimationFrame(look);
};
look();
"""
PLACES = """
return Object.fromEntries(window.hyphaView.dots().map(dot => [dot.key, [dot.x, dot.y]]))"""


def dot_of(daemon):
    return "a:" + daemon.address().split("://")[1]


class WebTest(ProgramsTest):
    def viewer(self, *arguments, name="view", **more):
        view = Daemon(self, "hypha-view", "--web", *arguments, name=name, **more)
        view.url = view.line("http://").split()[-1]
        view.token = view.url.split("?token=")[1]
        return view

    def browse(self, url, **more):
        browser = Browser(**more)
        self.addCleanup(browser.close)
        browser.open(url)
        browser.until("the page is live",
                      "return document.getElementById('link').dataset.link === 'live'")
        return browser

    def network(self, *names):
        seed = self.seed()
        nodes = [self.node(name, [seed.address()]) for name in names]
        for node in nodes:
            for other in nodes:
                if node is not other:
                    node.until("connected", lambda n=node, o=other: any(
                        has_channel(n, o.address(), session) for session in ("outbound", "manual"))
                        or has_channel(o, n.address()))
        return seed, nodes

    def get(self, view, path, token=None, **headers):
        """Status, headers, body."""
        host, port = view.url.split("/")[2].split(":")
        link = http.client.HTTPConnection(host, int(port), timeout=DEADLINE)
        self.addCleanup(link.close)
        link.request("GET", path + (f"?token={token}" if token else ""), headers=headers)
        answer = link.getresponse()
        return answer.status, answer.headers, answer.read()

    def quiet(self, browser, view):
        """All that the browser asked for was ours, and nothing went wrong in it."""
        origin = view.url.split("?")[0]
        requests = browser.requests()
        self.assertIn(view.url, requests)
        for url in requests:
            self.assertTrue(url.startswith((origin, "data:")), url)
        self.assertEqual(browser.log("browser"), [])

    # spec: apps.md 6.3: one embedded page, no outside resources, loopback and token by default
    def test_token(self):
        view = self.viewer("127.0.0.1:1")
        self.assertTrue(view.url.startswith("http://127.0.0.1:"), view.url)
        for path in ("/", "/state", "/events", "/nothing"):
            self.assertEqual(self.get(view, path)[0], 401)
            self.assertEqual(self.get(view, path, "x" * 48)[0], 401)
            self.assertEqual(self.get(view, path, view.token, Host="evil.example")[0], 403)
            self.assertEqual(self.get(view, path, view.token, Origin="http://evil.example")[0], 403)
        status, headers, page = self.get(view, "/", view.token)
        self.assertEqual(status, 200)
        policy = headers["Content-Security-Policy"]
        self.assertIn("default-src 'none'; script-src 'sha256-", policy)
        self.assertNotIn("unsafe", policy)
        self.assertEqual(headers["Referrer-Policy"], "no-referrer")
        self.assertEqual(headers["X-Content-Type-Options"], "nosniff")
        self.assertEqual(headers["Cache-Control"], "no-store")
        self.assertNotIn(b"innerHTML", page)
        bearer = self.get(view, "/state", Authorization=f"Bearer {view.token}")
        self.assertEqual(bearer[0], 200)
        state = json.loads(bearer[2])
        self.assertEqual(len(state["nodes"]), 1)
        self.assertIn(state["nodes"][0]["link"], ("connecting", "offline"))
        self.assertEqual(self.get(view, "/nothing", view.token)[0], 404)
        self.assertEqual(view.stop(signal.SIGINT), 0)

    def test_only_loopback_without_token(self):
        status, _, error = self.run_program(
            "hypha-view", "--web", "--listen", "0.0.0.0:0", "127.0.0.1:1")
        self.assertEqual(status, 1)
        self.assertIn("token", error)

    def test_events(self):
        """The stream as it is: states, four times a second at most, and each event."""
        _, (alice, bob) = self.network("alice", "bob")
        view = self.viewer(f"alice={alice.rpc_url()}")
        host, port = view.url.split("/")[2].split(":")
        link = http.client.HTTPConnection(host, int(port), timeout=DEADLINE)
        self.addCleanup(link.close)
        link.request("GET", f"/events?token={view.token}")
        answer = link.getresponse()
        self.assertEqual(answer.headers["Content-Type"], "text/event-stream; charset=utf-8")
        states, name, said = [], None, None
        deadline = time.monotonic() + DEADLINE
        while said is None or len(states) < 8:
            self.assertLess(time.monotonic(), deadline)
            line = answer.readline().decode().rstrip("\n")
            if line.startswith("event: "):
                name = line[7:]
            elif line.startswith("data: ") and name == "state":
                state = json.loads(line[6:])
                states.append(time.monotonic())
                if state["nodes"][0]["link"] == "online" and len(states) > 3 and said is None:
                    self.assertTrue(bob.call("send", ["hello"]))
            elif line.startswith("data: ") and name == "event":
                event = json.loads(line[6:])
                self.assertEqual(event["node"], "alice")
                if event["event"] == "recv" and event["info"]["cmd"] == "DchatMsg":
                    said = event
        self.assertLess(len(states), (states[-1] - states[0]) * 4 + 3)
        self.assertEqual(view.stop(), 0)  # with a stream open

    def test_network(self):
        seed, (alice, bob, carol) = self.network("alice", "bob", "carol")
        view = self.viewer(f"alice={alice.rpc_url()}", f"bob={bob.rpc_url()}",
                           f"seed={seed.rpc_url()}", config=f"""
[[nodes]]
name = '{HOSTILE}'
host = "127.0.0.1"
port = {carol.rpc_port()}
type = "NORMAL"
""")
        browser = self.browse(view.url)

        # Nodes and channels appear; one that is viewed from both ends is one line.
        keys = ["n:alice", "n:bob", "n:" + HOSTILE, "n:seed"]
        browser.until("a dot for each node", """
            const keys = hyphaView.dots().map(dot => dot.key);
            return arguments[0].every(key => keys.includes(key))""", keys)
        browser.until("lines from node to node, no ends left over", """
            const lines = hyphaView.lines(), nodes = arguments[0];
            return hyphaView.dots().length === 4 && lines.length >= 3 &&
              lines.every(line => nodes.includes(line.a) && nodes.includes(line.b)) &&
              lines.some(line => line.channels.length === 2)""", keys)
        table = browser.run("return document.getElementById('rows').textContent")
        for node in (alice, bob, carol):
            self.assertIn(node.address().split("://")[1], table)
        self.assertIn(HOSTILE, table)
        self.assertEqual(browser.run("return [window.hacked, document.querySelector('img')]"),
                         [None, None])

        # Somebody comes, whom we don't view: a new dot; all move, then come to rest.
        browser.until("at rest", "return hyphaView.heat() === 0")
        before = browser.run(PLACES)
        time.sleep(0.3)
        self.assertEqual(browser.run(PLACES), before)
        dave = self.node("dave", profile=f'peers = ["{alice.address()}"]')
        browser.until("dave's dot", "return hyphaView.dots().some(dot => dot.key === arguments[0])",
                      dot_of(dave))
        browser.until("dots move", """
            const before = arguments[0];
            return hyphaView.dots().some(dot => before[dot.key] &&
              Math.hypot(before[dot.key][0] - dot.x, before[dot.key][1] - dot.y) > 2)""", before)
        browser.until("at rest again", "return hyphaView.heat() === 0")

        # A message is seen travelling, from its sender away, and in the log.
        browser.run(WATCH)
        self.assertTrue(alice.call("send", ["hello"]))
        browser.until("a message on its way, away from its sender", """
            const alice = hyphaView.dots().find(dot => dot.key === 'n:alice'), ways = {};
            for (const t of seen.filter(t => t.command === 'DchatMsg' && t.node === 'alice' && t.sent))
              (ways[t.id] = ways[t.id] || []).push(Math.hypot(t.x - alice.x, t.y - alice.y));
            return Object.values(ways).some(way => way.length > 2 && way[way.length - 1] > way[0] + 30)""")
        browser.until("it is in the log",
                      "return document.getElementById('lines').textContent.includes('DchatMsg')")

        # Dave leaves, and his dot; a viewed node that leaves stays, offline.
        dave.stop()
        browser.until("dave's dot is gone", """
            return !hyphaView.dots().some(dot => dot.key === arguments[0])""", dot_of(dave))
        bob.stop()
        browser.until("bob is offline", """
            const row = [...document.querySelectorAll('tr.node')].find(r => r.textContent.includes('bob'));
            return row.querySelector('.offline') !== null &&
              !hyphaView.lines().some(line => line.a === 'n:bob' && line.channels.some(c => c.node === 'bob'))""")
        self.assertIn("3 of 4", browser.run("return document.getElementById('summary').textContent"))
        self.quiet(browser, view)

    def test_hands(self):
        """Chosen with keys and pointer; the log's filter and pause."""
        _, (alice, bob) = self.network("alice", "bob")
        view = self.viewer(f"alice={alice.rpc_url()}", f"bob={bob.rpc_url()}")
        browser = self.browse(view.url)
        title = "return document.getElementById('facts-title').textContent"
        browser.until("rows", "return document.querySelectorAll('#rows tr').length >= 4")
        browser.until("at rest", "return hyphaView.dots().length === 2 && hyphaView.heat() === 0")
        browser.run("document.querySelector('#rows tr').focus()")
        browser.press("\ue007")  # Enter
        self.assertEqual(browser.run(title), "alice")
        self.assertIn(alice.address(),
                      browser.run("return document.getElementById('dl').textContent"))
        browser.press("\ue015", "\ue007")  # arrow down, Enter: the first slot or channel
        self.assertIn(bob.address().split("://")[1],
                      browser.run("return document.getElementById('facts').textContent"))
        browser.press("\ue00c")  # Escape
        self.assertEqual(browser.run(title), "Details")
        # The camera follows while dots move: ask where bob is when all is at rest.
        dot = browser.until("at rest", """
            if (hyphaView.heat() > 0) return null;
            const box = document.getElementById('canvas').getBoundingClientRect();
            const dot = hyphaView.dots().find(dot => dot.key === 'n:bob');
            return [box.left + dot.left, box.top + dot.top]""")
        browser.click(*dot)
        self.assertEqual(browser.run(title), "bob")
        # The canvas by keys.
        browser.press("\ue00c")
        browser.run("document.getElementById('canvas').focus()")
        browser.press("\ue014", "\ue007")  # arrow right, Enter
        self.assertEqual(browser.run(title), "alice")
        browser.press("\ue00c")

        lines = "return document.getElementById('lines').textContent"
        alice.call("send", ["one"])
        browser.until("in the log", lines + ".includes('DchatMsg')")
        browser.run("document.getElementById('log-filter').focus()")
        browser.press(*"nothinglikethis")
        browser.until("filtered", lines + " === 'Nothing of it yet.'")
        browser.press(*("\ue003" * 15))  # Backspace
        browser.until("all again", lines + ".includes('DchatMsg')")
        browser.run("document.getElementById('pause').click()")
        before = browser.run("return [document.getElementById('lines').textContent, hyphaView.log()]")
        alice.call("send", ["two"])
        browser.until("more to be told", "return hyphaView.log() > arguments[0]", before[1])
        browser.until("says so", "return document.getElementById('pause').textContent.includes('new')")
        self.assertEqual(browser.run(lines), before[0])
        browser.run("document.getElementById('pause').click()")
        browser.until("goes on", lines + " !== arguments[0]", before[0])
        self.quiet(browser, view)

    def test_phone_without_motion(self):
        _, (alice, bob) = self.network("alice", "bob")
        view = self.viewer(f"alice={alice.rpc_url()}", f"bob={bob.rpc_url()}")
        browser = self.browse(view.url, width=390, height=844, mobile=True, media={
            "prefers-reduced-motion": "reduce", "prefers-color-scheme": "dark"})
        browser.until("dots", "return hyphaView.dots().length === 2 && hyphaView.lines().length > 0")
        self.assertEqual(browser.run("return hyphaView.heat()"), 0)
        wide, picture, table = browser.run("""
            const box = id => { const b = document.getElementById(id).getBoundingClientRect();
                                return [b.left, b.top, b.right, b.bottom]; };
            return [document.documentElement.scrollWidth, box('picture'), box('table')]""")
        self.assertLessEqual(wide, 390)
        self.assertLessEqual(picture[2], 390)
        self.assertGreaterEqual(table[1], picture[3])
        browser.run(WATCH)
        alice.call("send", ["hello"])
        browser.until("in the log", "return document.getElementById('lines').textContent.includes('DchatMsg')")
        self.assertEqual(browser.run("return seen.length"), 0)
        self.assertEqual(browser.run("""
            return getComputedStyle(document.documentElement).getPropertyValue('--bg').trim()"""),
            "#0b100e")
        self.quiet(browser, view)

    def test_reconnects(self):
        _, (alice, bob) = self.network("alice", "bob")
        more = ["--listen", f"127.0.0.1:{free_port()}", "--token", "correct-horse-battery",
                f"alice={alice.rpc_url()}", f"bob={bob.rpc_url()}"]
        view = self.viewer(*more)
        browser = self.browse(view.url)
        browser.until("dots", "return hyphaView.dots().length === 2")
        self.assertEqual(view.stop(), 0)
        browser.until("told that it is lost", """
            const link = document.getElementById('link');
            return link.dataset.link === 'lost' && /reconnecting in \\d+s/.test(link.textContent)""")
        again = self.viewer(*more, name="again")
        self.assertEqual(again.url, view.url)
        browser.until("live again",
                      "return document.getElementById('link').dataset.link === 'live'")
        browser.until("dots again", "return hyphaView.dots().length === 2")


if __name__ == "__main__":
    unittest.main()
