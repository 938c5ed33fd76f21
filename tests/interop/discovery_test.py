#!/usr/bin/python3
"""How a node finds others, with scripted seeds and peers: seeding and its back-off, what is asked,
announced, stored, refined, shared and saved. spec: network.md 4, 7.4 - 7.6, 8; wire.md 5.5, 5.6
"""

import os
import pathlib
import random
import struct
import sys
import tempfile
import time
import unittest

from harness import PATIENCE, FakeNode, Node, await_that, grey, options, parse_hostlist
from wire_peer import Peer, addr_payload, getaddr_payload, version_payload

REFINERY = "greylist_refinery_interval = 0.3\ntime_with_no_connections = 3600\n"
NO_REFINERY = "greylist_refinery_interval = 3600\n"
NINE = ("tor", "tls", "tcp", "nym", "i2p", "tor+tls", "nym+tls", "tcp+tls", "i2p+tls")
ONION = "tor://duckduckgogg42xjoc72x3sjasowoarfbgcmvfimaftt6twagswzczad.onion:80/"


def line(colour, url, age=100):
    return "%s\t%s\t%d\n" % (colour, url, int(time.time()) - age)


def ask(node, most=255, transports=("tcp",), source="127.0.0.1", **dial):
    """One getaddr from a new peer, and the addresses of the answer."""
    with Peer.dial(node.port, source, **dial) as peer:
        peer.handshake()
        peer.send("getaddr", getaddr_payload(most, transports))
        return peer.expect("addr")["addrs"]


class Seeding(unittest.TestCase):
    def test_first_start(self):
        """Seeds are asked at once, our address is told, what they name is dialled at once."""
        start = time.monotonic()
        with FakeNode() as friend, FakeNode(addrs=[(friend.url, int(time.time()))]) as seed:
            with Node(seeds=[seed.url], outbound_connections=5) as node:
                visit = seed.wait_visits(1)
                self.assertLess(visit.at - start, PATIENCE / 6)
                dialled = friend.wait_visits(1)
                self.assertLess(dialled.at - visit.at, PATIENCE / 6)
                seed.wait("the end of the seed session", lambda: visit.over)
                self.assertEqual(visit.got("getaddr"), [{"max": 5, "transports": ["tcp"]}])
                (told,) = visit.got("addr")
                self.assertEqual([url for url, _ in told["addrs"]], [node.url])
                self.assertLess(abs(told["addrs"][0][1] - time.time()), 60)
                self.assertEqual(visit.got("version")[0]["ext"], [node.url])
                self.assertEqual(len(visit.got("ping")), 1)
                friend.wait("its address, its getaddr",
                            lambda: dialled.got("addr") and dialled.got("getaddr"))
                self.assertEqual([url for url, _ in dialled.got("addr")[0]["addrs"]], [node.url])

    def test_getaddr_fits(self):
        """wire.md 3.1: all profiles at once are still no more than 57 bytes; max is capped."""
        with FakeNode() as seed:
            profiles = "".join(f'[net.profiles."{name}"]\n' for name in NINE if name != "tcp")
            names = ", ".join(f'"{name}"' for name in NINE)
            with Node(seeds=[seed.url], outbound_connections=1, active_profiles=names,
                      net="getaddrs_max = 4000000000", after=profiles):
                visit = seed.wait_visits(1)
                seed.wait("getaddr", lambda: visit.got("getaddr"))
                (asked,) = visit.got("getaddr")
                self.assertEqual(asked["max"], 255)
                self.assertLessEqual(len(getaddr_payload(255, asked["transports"])), 57)
                self.assertEqual(set(asked["transports"]) - set(NINE), set())
                self.assertIn("tcp", asked["transports"])

    def test_who_hears_our_address(self):
        """wire.md 5.5: OUTBOUND peers do unasked, MANUAL and INBOUND ones do not."""
        with FakeNode() as manual, FakeNode() as outbound:
            with Node(peers=[manual.url], hostlist=grey([outbound.url]),
                      outbound_connections=1) as node:
                for fake in (manual, outbound):
                    visit = fake.wait_visits(1)
                    fake.wait("getaddr", lambda v=visit: v.got("getaddr"))
                outbound.wait("addr", lambda: outbound.visits[0].got("addr"))
                self.assertEqual(manual.visits[0].got("addr"), [])
                with Peer.dial(node.port) as inbound:
                    inbound.handshake()
                    inbound.send("ping", struct.pack("<H", 1))
                    inbound.expect("pong")
                    self.assertNotIn("addr", [command for command, _ in inbound.seen])

    def test_never_dials(self):
        """Own, banned, seed, peer and blacklisted addresses are no outbound hosts."""
        with FakeNode() as manual, FakeNode() as black, FakeNode() as good, FakeNode() as seed:
            port = int(black.url.rstrip("/").rsplit(":", 1)[1])
            with Node(peers=[manual.url], seeds=[seed.url], outbound_connections=8,
                      net=REFINERY + 'blacklist = [["127.0.0.1", ["tcp"], [%d]]]' % port) as node:
                now = int(time.time())
                seed.addrs = [(url, now) for url in (
                    node.url, manual.url, black.url, seed.url, good.url)]
                # Had it been asked before this line, an honest peer would tell it now.
                with Peer.dial(node.port) as peer:
                    peer.handshake()
                    peer.send("addr", addr_payload(seed.addrs))
                    visit = good.wait_visits(1)
                    good.wait("getaddr", lambda: visit.got("getaddr"))
                    # A second round: what is to be dialled was dialled by now.
                    peer.send("ping", struct.pack("<H", 1))
                    peer.expect("pong")
                    manual.wait_visits(1)
                    self.assertEqual(len(black.visits), 0)
                    self.assertEqual(len(manual.visits), 1)
                    self.assertEqual(node.count_log("dialling " + node.url), 0)
                    self.assertEqual(node.count_log("dialling " + seed.url), 0)
                listed = node.listed()
                self.assertEqual(set(listed), {good.url})

    def test_no_seeding_while_hosts_are_untried(self):
        """network.md 7.5: a node with a full hostlist leaves the seeds in peace."""
        with FakeNode() as seed, FakeNode() as friend:
            with Node(seeds=[seed.url], hostlist=grey([friend.url]), outbound_connections=1):
                visit = friend.wait_visits(1)
                friend.wait("getaddr", lambda: visit.got("getaddr"))
                self.assertEqual(len(seed.visits), 0)

    def test_back_off(self):
        """Empty seeds are not hammered: 5 s doubling, with jitter. spec: network.md 7.5"""
        with FakeNode() as seed:
            with Node(seeds=[seed.url], outbound_connections=3):
                first = seed.wait_visits(1)
                second = seed.wait_visits(2, 8 + PATIENCE)
                self.assertGreater(second.at - first.at, 3)
                self.assertLess(second.at - first.at, 8 + PATIENCE / 6)
                third = seed.wait_visits(3, 15 + PATIENCE)
                self.assertGreater(third.at - second.at, 6)

    def test_two_seeds_in_a_round(self):
        seeds = [FakeNode() for _ in range(5)]
        with Node(seeds=[seed.url for seed in seeds], outbound_connections=3) as node:
            node.wait_log("running")
            await_that("two seeds", lambda: sum(len(seed.visits) for seed in seeds) >= 2)
            for seed in seeds:
                seed.wait("its end", lambda s=seed: all(visit.over for visit in s.visits))
            self.assertEqual(sum(len(seed.visits) for seed in seeds), 2)
        for seed in seeds:
            seed.__exit__(None)

    def test_a_silent_seed_blocks_nobody(self):
        """Another seed of the same round is heard meanwhile."""
        def silent(visit, _number):
            visit.peer.handshake()
            visit.peer.expect_closed(PATIENCE)

        with FakeNode() as friend, FakeNode(script=silent) as mute, FakeNode(
                addrs=[(friend.url, int(time.time()))]) as seed:
            with Node(seeds=[mute.url, seed.url], outbound_connections=3):
                mute.wait_visits(1)
                friend.wait_visits(1)


class Sharing(unittest.TestCase):
    def white(self, count, scheme="tcp", first=2):
        return [f"{scheme}://127.0.0.1:{port}/" for port in range(first, first + count)]

    def test_grey_never_leaves(self):
        with Node(hostlist=grey(self.white(50)), net=NO_REFINERY) as node:
            self.assertEqual(ask(node), [])

    def test_refined_hosts_are_shared(self):
        """Announced: grey; probed: white, with our own time; shared then, but not to itself."""
        with FakeNode() as newcomer, Node(net=REFINERY) as node:
            with Peer.dial(node.port) as peer:
                peer.handshake()
                peer.send("addr", addr_payload([(newcomer.url, 5)]))
                node.wait_log(newcomer.url + " answers")
                self.assertEqual(len(newcomer.visits), 1)
                peer.send("getaddr", getaddr_payload(8))
                ((url, seen),) = peer.expect("addr")["addrs"]
            self.assertEqual(url, newcomer.url)
            self.assertLess(abs(seen - time.time()), 60)

    def test_a_seed_refines_at_once(self):
        """network.md 7.6: an empty answer waits for the probe of who just announced itself."""
        with FakeNode() as newcomer, FakeNode() as other, Node("seed") as seed:
            with Peer.dial(seed.port) as first, Peer.dial(seed.port) as second:
                first.handshake(version_payload(ext=[newcomer.url]))
                second.handshake(version_payload(ext=[other.url]))
                for peer, fake in ((first, newcomer), (second, other)):
                    peer.send("addr", addr_payload([(fake.url, int(time.time()))]))
                    peer.send("getaddr", getaddr_payload(8))
                # Each learns of the other at once, although both were unknown a moment ago.
                self.assertEqual([url for url, _ in first.expect("addr")["addrs"]], [other.url])
                self.assertEqual([url for url, _ in second.expect("addr")["addrs"]],
                                 [newcomer.url])

    def test_a_seed_refines_what_only_an_addr_names(self):
        """The same for an address that the announcer's version does not repeat."""
        with FakeNode() as newcomer, Node("seed") as seed:
            with Peer.dial(seed.port) as first, Peer.dial(seed.port) as second:
                first.handshake()
                second.handshake()
                first.send("addr", addr_payload([(newcomer.url, int(time.time()))]))
                seed.wait_log(newcomer.url + " answers", patience=5)
                second.send("getaddr", getaddr_payload(8))
                self.assertEqual([url for url, _ in second.expect("addr")["addrs"]],
                                 [newcomer.url])

    def test_a_seed_keeps_its_white_list_true(self):
        """apps.md 7.2: each interval the white host seen longest ago is verified."""
        with FakeNode() as first, FakeNode() as second:
            hosts = line("white", first.url, 200) + line("white", second.url, 100)
            with Node("seed", net="whitelist_refinery_interval = 1", hostlist=hosts):
                second.wait_visits(1)  # the older one was asked before it
                self.assertEqual(len(first.visits), 1)

    def test_unshareable_schemes_never_leave(self):
        """quic, unix, socks5 stay; onions are relayed from the dark list."""
        now = int(time.time())
        with Node(net=NO_REFINERY, hostlist="".join(line("white", url) for url in (
                "quic://127.0.0.1:5", "tcp://127.0.0.1:2/"))) as node:
            with Peer.dial(node.port) as peer:
                peer.handshake()
                peer.send("addr", addr_payload([
                    ("quic://9.9.9.9:1", now), ("unix:///tmp/x", now), (ONION, now),
                    ("socks5://127.0.0.1:9050/1.2.3.4:5", now), ("tls://9.9.9.9:1", now)]))
                peer.send("getaddr", getaddr_payload(255, NINE))
                peer.expect("addr")
            urls = {url for url, _ in ask(node, 255, NINE, "127.0.0.9")}
            self.assertEqual(urls, {"tcp://127.0.0.1:2/", ONION})

    def test_max(self):
        with Node(inbound_connections=64, net=NO_REFINERY, hostlist="".join(
                line("white", url) for url in self.white(1500))) as node:
            self.assertEqual(ask(node, 0), [])
            self.assertEqual(len(ask(node, 3)), 3)  # white of requested: at most max
            self.assertEqual(len(ask(node, 3, ("tor",))), 6)  # of others: up to 2 max
            many = ask(node, 4294967295)
            self.assertEqual(len(many), 255)
            self.assertEqual(len(set(url for url, _ in many)), 255)
            self.assertLessEqual(len(ask(node, 4294967295, ("tor",))), 510)

    def test_size(self):
        """wire.md 8: a reply is never longer than 65281 bytes, even of very long addresses."""
        long = ["tcp://%s%04d.%s.%s.%s:1/" % ("a" * 59, n, "b" * 63, "c" * 63, "d" * 59)
                for n in range(600)]
        with Node(net=NO_REFINERY, hostlist="".join(line("white", url) for url in long)) as node:
            for transports in (("tcp",), ("tor",)):
                got = ask(node, 255, transports, "127.0.0.%d" % (2 + len(transports[0])))
                self.assertGreater(len(got), 200)
                self.assertLessEqual(len(addr_payload(got)), 65281)

    def test_not_the_asker(self):
        """wire.md 8: not the requester's own address."""
        urls = self.white(20)
        with Node(net=NO_REFINERY, hostlist="".join(line("white", u) for u in urls)) as node:
            with Peer.dial(node.port) as peer:
                peer.handshake(version_payload(ext=[urls[7]]))
                peer.send("getaddr", getaddr_payload(255))
                got = {url for url, _ in peer.expect("addr")["addrs"]}
            self.assertEqual(got, set(urls) - {urls[7]})

    def test_one_answer_each(self):
        """Each getaddr gets one addr; one that asks again within 5 s learns nothing new."""
        with Node(net=NO_REFINERY, hostlist="".join(
                line("white", u) for u in self.white(20))) as node:
            with Peer.dial(node.port) as peer:
                peer.handshake()
                for _ in range(3):
                    peer.send("getaddr", getaddr_payload(4))
                answers = [peer.expect("addr")["addrs"] for _ in range(3)]
                self.assertEqual(len(answers[0]), 4)
                self.assertEqual(answers, [answers[0]] * 3)


class Hostlists(unittest.TestCase):
    def test_after_an_orderly_stop(self):
        with FakeNode() as one, FakeNode() as two, FakeNode() as gone:
            with Node(hostlist=line("white", one.url) + line("white", two.url),
                      outbound_connections=1, net=NO_REFINERY) as node:
                node.wait_log("slot 0: connected")
                now = int(time.time())
                with Peer.dial(node.port) as peer:
                    peer.handshake()
                    peer.send("addr", addr_payload([
                        (gone.url, now), (ONION, now), ("tcp://127.0.0.1:0/", now),
                        ("tcp://user@127.0.0.1:7?x=1#y", now + 10**9)]))
                    peer.send("ping", struct.pack("<H", 3))
                    peer.expect("pong")
                listed = node.listed()
            colours = {url: colour for url, (colour, _) in listed.items()}
            self.assertEqual({colours.pop(one.url), colours.pop(two.url)}, {"gold", "white"})
            self.assertEqual(colours, {
                gone.url: "grey", ONION: "dark", "tcp://127.0.0.1:7/": "grey"})
            for url, (_, seen) in listed.items():
                self.assertLessEqual(seen, time.time(), url)
            order = [colour for colour, _ in listed.values()]
            self.assertEqual(order, sorted(order, key=("dark", "grey", "white", "gold").index))

    def test_damaged_lines(self):
        good = "white\ttcp://127.0.0.1:2/\t1700000000\n"
        bad = ("white\ttcp://127.0.0.1:3/\n", "pink\ttcp://127.0.0.1:3/\t1\n", "\t\t\n",
               "white\tnonsense\t1\n", "white\ttcp://127.0.0.1:3/\t-1\n", "\x1b[2J\x00\xff\n",
               "white\ttcp://127.0.0.1:3/\t99999999999999999999999\n", "x" * 100000 + "\n")
        with Node(hostlist="".join(bad) + good + "white\ttcp://127.0.0.1:4/\t7\textra\n"
                  + "gold\ttcp://127.0.0.1:5/\t1700000000\n"
                  + "grey\ttcp://127.0.0.1:6/\t17000") as node:
            node.wait_log("Hostlist: 4 addresses, %d lines skipped" % len(bad))
            self.assertEqual(node.count_log("Hostlist: line . is skipped"), len(bad))
            self.assertEqual({url for url, _ in ask(node)}, {
                "tcp://127.0.0.1:%d/" % port for port in (2, 4, 5)})
            listed = node.listed()
            self.assertEqual(listed["tcp://127.0.0.1:2/"], ("white", 1700000000))
            self.assertEqual(listed["tcp://127.0.0.1:5/"][0], "white")
            self.assertTrue(os.path.exists(node.hosts + ".bak"))

    def test_killed_at_any_moment(self):
        """A power cut while the file is being written again and again."""
        urls = ["tcp://127.0.0.1:%d/" % port for port in range(2, 1502)]
        with tempfile.TemporaryDirectory(prefix="hypha-interop-") as folder:
            hosts = pathlib.Path(folder, "hosts.tsv")
            hosts.write_text("".join(line("white", url) for url in urls))
            for _ in range(6):
                node = Node(hosts=str(hosts), net=NO_REFINERY + "hostlist_save_interval = 0.01")
                node.wait_log("dchatd is running")
                time.sleep(random.random() * 0.1)  # nothing to wait for: any moment is right
                node.kill()
                self.assertEqual(set(parse_hostlist(hosts.read_text())), set(urls))
            with Node(hosts=str(hosts)) as node:
                node.wait_log("Hostlist: %d addresses, 0 lines skipped, 0 refused" % len(urls))

    def test_a_file_that_cannot_be_written(self):
        """The node lives without, and says so."""
        with tempfile.NamedTemporaryFile(prefix="hypha-interop-") as file:
            with Node(hosts=file.name + "/hosts.tsv") as node:
                node.wait_log("WARN.*Hostlist: .*/hosts.tsv.* failed")
                node.terminate()
                node.wait_log("WARN.*Hostlist: creating .* failed")


class Blacklist(unittest.TestCase):
    def visited(self, blacklist):
        """Of two listeners of one host, known and announced, who is dialled?"""
        with FakeNode() as one, FakeNode() as two:
            text = blacklist.replace("ONE", one.url.rstrip("/").rsplit(":", 1)[1])
            with Node(outbound_connections=3, hostlist=grey([one.url, two.url]),
                      net=NO_REFINERY + "blacklist = " + text) as node:
                node.wait_log("dchatd is running")
                with Peer.dial(node.port, "127.0.0.5") as peer:
                    peer.handshake()
                    peer.send("addr", addr_payload([(one.url, 1), (two.url, 1)]))
                    peer.send("ping", struct.pack("<H", 3))
                    peer.expect("pong")
                # As a witness that dialling works: a host that no blacklist names.
                with FakeNode() as witness:
                    url = witness.url.replace("127.0.0.1", "localhost")
                    with Peer.dial(node.port, "127.0.0.5") as peer:
                        peer.handshake()
                        peer.send("addr", addr_payload([(url, 1)]))
                        witness.wait_visits(1)
                return len(one.visits), len(two.visits)

    def test_exact(self):
        self.assertEqual(self.visited('[["127.0.0.1", ["tcp"], [ONE]]]'), (0, 1))

    def test_all_ports(self):
        self.assertEqual(self.visited('[["127.0.0.1", ["tcp"], []]]'), (0, 0))
        self.assertEqual(self.visited('[["127.0.0.1", ["tcp"], [0]]]'), (0, 0))

    def test_default_scheme(self):
        """network.md 4.7: no scheme means tcp+tls."""
        self.assertEqual(self.visited('[["127.0.0.1"]]'), (1, 1))

    def test_inbound(self):
        with Node(net='blacklist = [["127.0.0.2", ["tcp"], []]]') as node:
            with Peer.dial(node.port, "127.0.0.3") as peer:
                peer.handshake()
            with Peer.dial(node.port, "127.0.0.2") as peer:
                self.assertEqual(peer.expect_closed(), [])


if __name__ == "__main__":
    sys.argv = options(sys.argv)
    unittest.main()
