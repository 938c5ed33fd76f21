"""Events as clients see them, first of all the reference's viewer. spec: apps.md 6, network.md 9"""

import asyncio
import json
import time
import unittest

from programs import Daemon, ProgramsTest, Rpc, free_port, has_channel

# spec: network.md 9 MUST: the events and their fields
CLASSIC = {
    "send": {"chan": dict, "cmd": str, "time": str},
    "recv": {"chan": dict, "cmd": str, "time": str},
    "inbound_connected": {"addr": str, "channel_id": int},
    "inbound_disconnected": {"addr": str, "channel_id": int},
    "outbound_slot_sleeping": {"slot": int},
    "outbound_slot_connecting": {"slot": int, "addr": str},
    "outbound_slot_connected": {"slot": int, "addr": str, "channel_id": int},
    "outbound_slot_disconnected": {"slot": int, "err": str},
    "outbound_peer_discovery": {"attempt": int, "state": str},
    "direct_connecting": {"connect_addr": str},
    "direct_connected": {"connect_addr": str, "addr": str, "channel_id": int},
    "direct_disconnected": {"connect_addr": str, "err": str},
    "direct_peer_discovery": {"attempt": int, "state": str},
}


def judge_classic(test, line):
    """A notification with exactly one event, with exactly its fields."""
    test.assertEqual(set(line), {"jsonrpc", "method", "params"})
    test.assertEqual((line["jsonrpc"], line["method"]), ("2.0", "dnet.subscribe_events"))
    test.assertEqual(len(line["params"]), 1)
    event = line["params"][0]
    test.assertEqual(set(event), {"event", "info"})
    test.assertIn(event["event"], CLASSIC)
    fields = CLASSIC[event["event"]]
    test.assertEqual({name: type(value) for name, value in event["info"].items()}, fields)
    if event["event"] in ("send", "recv"):
        test.assertEqual({name: type(value) for name, value in event["info"]["chan"].items()},
                         {"addr": str, "id": int})
        test.assertRegex(event["info"]["time"], r"^1\d{18}$")
    return event["event"], event["info"]


class Viewer:
    """The reference's viewer, as it talks: asyncio's reader with its own limit of 64 KiB, one
    connection, one line each, then lines for ever. spec: apps.md 6.2"""

    async def connect(self, port):
        self.reader, self.writer = await asyncio.open_connection("127.0.0.1", port)
        self.info = await self.ask("p2p.get_info", [])
        assert await self.ask("dnet.switch", [True]) is True
        await self.send("dnet.subscribe_events", [])

    async def send(self, method, params):
        request = {"jsonrpc": "2.0", "method": method, "params": params, "id": 12345}
        self.writer.write((json.dumps(request) + "\n").encode())
        await self.writer.drain()

    async def ask(self, method, params):
        await self.send(method, params)
        reply = json.loads(await self.reader.readline())
        assert "error" not in reply and reply["id"] == 12345, reply
        return reply["result"]

    async def event(self):
        return json.loads(await asyncio.wait_for(self.reader.readline(), 60))

    def close(self):
        self.writer.close()


class Dnet(ProgramsTest):
    def settled(self, rpc):
        """What came on this connection up to now, and nothing may: two replies in a row."""
        rpc.call("ping")
        rpc.call("ping")
        events, rpc.events = rpc.events, []
        return events

    def exchange(self, sender, receiver, text):
        """Something that makes events in both."""
        sender.call("send", [text])
        receiver.until("the text came", lambda: text in receiver.call("recv"))

    def test_the_viewer(self):
        first = self.node("first")
        second = self.node("second", slots=1, profile=f"peers = [\"{first.address()}\"]")
        second.until("a channel", lambda: has_channel(second, first.address(), "manual"))

        async def watch():
            viewer = Viewer()
            await viewer.connect(first.rpc_port())
            self.assertEqual(len(viewer.info["outbound_slots"]), 3)
            seen = {}
            second.call("send", ["to the viewer"])
            while ("recv", "DchatMsg") not in seen:
                name, info = judge_classic(self, await viewer.event())
                seen[name, info.get("cmd")] = info
            channel = seen["recv", "DchatMsg"]["chan"]
            ids = {known["id"]: known["url"] for known in first.call("p2p.get_info")["channels"]}
            self.assertEqual(ids[channel["id"]], channel["addr"])
            # One that comes, and goes.
            third = self.node("third", slots=0, profile=f"peers = [\"{first.address()}\"]")
            while ("inbound_connected", None) not in seen:
                name, info = judge_classic(self, await viewer.event())
                seen[name, info.get("cmd")] = info
            third.kill()
            while ("inbound_disconnected", None) not in seen:
                name, info = judge_classic(self, await viewer.event())
                seen[name, info.get("cmd")] = info
            await viewer.send("dnet.switch", [False])
            viewer.close()
        asyncio.run(watch())
        self.assertEqual((first.stop(), second.stop()), (0, 0))

    def test_slots(self):
        """A slot's whole life, and discovery."""
        port = free_port()
        node = self.node("node", slots=1, seeds=[f"tcp://127.0.0.1:{port}"])
        rpc = Rpc(self, node)
        rpc.call("dnet.switch", [True])
        rpc.ask("dnet.subscribe_events")
        seen = {}

        def until(name):
            deadline = time.monotonic() + 60
            while time.monotonic() < deadline:
                got, info = judge_classic(self, rpc.event())
                seen[got] = info
                if got == name:
                    return info
            raise AssertionError(f"no {name}, only {seen}")
        until("outbound_peer_discovery")
        seed = Daemon(self, "hypha-seed", config=f"""
[rpc]
rpc_listen = "tcp://127.0.0.1:0"
[network."dchat"]
accept_addrs = ["tcp://127.0.0.1:{port}"]
app_name = "dchatd"
version = "0.4.1"
localnet = true
""").running()
        other = self.node("other", slots=0, seeds=[f"tcp://127.0.0.1:{port}"])
        other.call("net.seed")
        seed.until("it is known", lambda: other.address() + "/" in
                   seed.call("spawns")["spawns"][0]["whitelist"])
        rpc.call("net.seed")
        connecting = until("outbound_slot_connecting")
        connected = until("outbound_slot_connected")
        self.assertEqual((connecting["slot"], connected["slot"]), (0, 0))
        self.assertEqual(connected["addr"], other.address() + "/")
        node.until("the handshake is done", lambda: node.call("p2p.get_info")["outbound_slots"] ==
                   [connected["channel_id"]])
        other.kill()
        self.assertEqual(until("outbound_slot_disconnected")["slot"], 0)
        self.assertIn("outbound_peer_discovery", seen)

    def test_all(self):
        """hypha's own events only for those who ask, and what goes beyond the reference's fields."""
        first = self.node("first", slots=0)
        old, new = Rpc(self, first), Rpc(self, first)
        new.call("dnet.switch", [True])
        old.ask("dnet.subscribe_events")
        new.ask("dnet.subscribe_events", [{"all": True, "lag": True}])
        self.assertEqual(self.settled(old) + self.settled(new), [])
        second = self.node("second", slots=0, profile=f"peers = [\"{first.address()}\"]")
        second.until("a channel", lambda: has_channel(second, first.address(), "manual"))
        self.exchange(second, first, "hello")
        first.call("net.ban", ["tcp://192.0.2.1:5"])
        first.call("net.unban", ["tcp://192.0.2.1:5"])
        second.kill()
        first.until("it is gone", lambda: not first.call("p2p.get_info")["channels"])
        plain = [judge_classic(self, line) for line in self.settled(old)]
        every = [(line["params"][0]["event"], line["params"][0]["info"])
                 for line in self.settled(new)]
        infos = dict(every)
        self.assertEqual([name for name, _ in plain],
                         [name for name, _ in every if name in CLASSIC])
        for name in ("channel_registered", "channel_unregistered", "handshake", "banned",
                     "unbanned", "inbound_disconnected"):
            self.assertIn(name, infos)
        received = [info for name, info in every if name == "recv" and info["cmd"] == "DchatMsg"]
        self.assertEqual(received[0]["bytes"], 6)
        self.assertEqual(received[0]["chan"]["session"], "inbound")
        self.assertEqual(infos["handshake"]["session"], "inbound")
        self.assertIsNone(infos["handshake"]["err"])
        self.assertEqual(set(infos["channel_unregistered"]),
                         {"addr", "channel_id", "session", "err"})
        self.assertEqual(infos["unbanned"], {"addr": "tcp://192.0.2.1:5/"})
        self.assertEqual(infos["banned"]["addr"], "tcp://192.0.2.1:5/")
        self.assertIn("err", infos["inbound_disconnected"])

    # spec: network.md 9 MUST: off by default, and then nothing is built
    def test_switch_is_counted_by_client(self):
        """Nobody turns off what another has on; who leaves takes his own with him. spec: apps.md 6.1"""
        first = self.node("first", slots=0)
        second = self.node("second", slots=0, profile=f"peers = [\"{first.address()}\"]")
        second.until("a channel", lambda: has_channel(second, first.address(), "manual"))
        one, two, listener = Rpc(self, first), Rpc(self, first), Rpc(self, first)
        listener.ask("dnet.subscribe_events")
        self.exchange(second, first, "0")
        self.assertEqual(self.settled(listener), [])  # nobody has switched it on
        one.call("dnet.switch", [True])
        one.call("dnet.switch", [True])  # counts once
        two.call("dnet.switch", [True])
        self.exchange(second, first, "1")
        self.assertTrue(self.settled(listener))
        one.call("dnet.switch", [False])
        listener.call("dnet.switch", [False])  # it had none on
        self.settled(listener)
        self.exchange(second, first, "2")
        self.assertTrue(self.settled(listener))
        two.close()
        first.until("the switch is gone with its client",
                    lambda: (self.settled(listener), self.exchange(second, first, "3"),
                             not self.settled(listener))[-1])
        one.call("dnet.switch", [True])
        self.exchange(second, first, "4")
        self.assertTrue(self.settled(listener))

    def test_two_subscriptions_and_a_slow_reader(self):
        """Twice subscribed, each event comes twice; one who reads nothing does no harm."""
        first = self.node("first", slots=0)
        second = self.node("second", slots=0, profile=f"peers = [\"{first.address()}\"]")
        second.until("a channel", lambda: has_channel(second, first.address(), "manual"))
        twice, silent = Rpc(self, first), Rpc(self, first)
        twice.call("dnet.switch", [True])
        twice.ask("dnet.subscribe_events")
        twice.ask("dnet.subscribe_events")
        silent.ask("dnet.subscribe_events", [{"all": True, "lag": True}])
        self.settled(twice)
        sender = Rpc(self, second)
        for i in range(3000):
            sender.call("send", ["x"])
        first.until("all came", lambda: len(first.call("recv")) > 3000)
        texts = [json.dumps(line, sort_keys=True) for line in self.settled(twice)
                 if line["params"][0]["info"].get("cmd") == "DchatMsg"]
        self.assertGreater(len(texts), 100)
        self.assertEqual(first.call("ping"), "pong")
        # It has got each of its events, or is told how many it has missed.
        self.assertEqual(silent.call("ping"), "pong")
        events = [line["params"][0] for line in self.settled(silent)]
        missed = sum(event["info"]["dropped"] for event in events if event["event"] == "lag")
        got = sum(event["info"].get("cmd") == "DchatMsg" for event in events)
        self.assertGreaterEqual(got + missed, 3000)

    def test_dchat_dnet(self):
        """The client's stream of events, in words and as JSON."""
        first = self.node("first", slots=0)
        words = Daemon(self, "dchat", "-e", f"127.0.0.1:{first.rpc_port()}", "dnet", name="words")
        raw = Daemon(self, "dchat", "--json", "-e", f"127.0.0.1:{first.rpc_port()}", "dnet",
                     name="raw")
        self.assertEqual(self.dchat(first, "dnet", "x")[0], 2)

        def both_hear():
            first.call("net.ban", ["tcp://192.0.2.1:5"])
            return all("banned" in "".join(client.lines) for client in (words, raw))
        first.until("both listen", both_hear)
        self.assertRegex(words.line("banned"),
                         r"^\d\d:\d\d:\d\d banned addr=tcp://192\.0\.2\.1:5/")
        self.assertEqual(json.loads(raw.line("banned"))["info"]["addr"], "tcp://192.0.2.1:5/")
        first.stop()
        self.assertEqual((words.process.wait(60), raw.process.wait(60)), (3, 3))

    def test_tail_by_subscription(self):
        """dchat tail is told of each message; messages carry a number, and none is missing."""
        first = self.node("first", slots=0)
        second = self.node("second", slots=0, profile=f"peers = [\"{first.address()}\"]")
        second.until("a channel", lambda: has_channel(second, first.address(), "manual"))
        self.exchange(second, first, "before")
        rpc = Rpc(self, first)
        rpc.ask("dchat.subscribe")
        rpc.call("ping")
        tail = Daemon(self, "dchat", "-e", f"127.0.0.1:{first.rpc_port()}", "tail", name="tail")
        tail.line("before")
        for i in range(50):
            second.call("send", [f"text {i}"])
        for i in range(50):
            tail.line(f"text {i}")
            line = rpc.event()
            self.assertEqual((line["method"], len(line["params"])), ("dchat.subscribe", 1))
            entry = line["params"][0]
            self.assertEqual((entry["seq"], entry["text"], entry["from"]),
                             (i + 1, f"text {i}", second.address() + "/"))
        self.assertEqual([line.rsplit(": ", 1)[1] for line in tail.lines],
                         ["before"] + [f"text {i}" for i in range(50)])
        # A daemon that refuses the subscription is asked instead.
        poor = self.node("poor", slots=0, profile=f"peers = [\"{first.address()}\"]")
        poor.stop()
        poor = Daemon(self, "dchatd", "-c", self.path("poor.toml"), "--rpc-disabled-methods",
                      "dchat.subscribe", name="poor2").running()
        poor.until("a channel", lambda: has_channel(poor, first.address(), "manual"))
        tail = Daemon(self, "dchat", "-e", f"127.0.0.1:{poor.rpc_port()}", "tail", name="tail2")
        first.call("send", ["asked for"])
        tail.line("asked for")


if __name__ == "__main__":
    unittest.main(verbosity=2)
