/* own_addrs_test.c - what we call ourselves. spec: network.md 4.4, wire.md 5.3
 * and 8 */
#include "fakes/hosts_fixture.h"

#include <stdio.h>

static void assert_own(struct hosts_room *room, const char *const *expected, size_t count)
{
    struct hypha_url *urls[HY_MAX_EXTERNAL];
    size_t got = hy_hosts_own_addrs(room->hosts, urls);

    assert_int_equal(got, count);
    for (size_t i = 0; i < got; i++) {
        assert_string_equal(hypha_url_text(urls[i]), expected[i]);
        hypha_url_unref(urls[i]);
    }
}

static void guess(struct hosts_room *room, const char *seen, const char *peer)
{
    struct hypha_url *seen_url = fixture_url(seen), *peer_url = fixture_url(peer);

    hy_hosts_guess_own_ip(room->hosts, seen_url, peer_url);
    hypha_url_unref(seen_url);
    hypha_url_unref(peer_url);
}

static void listen_on(struct hosts_room *room, const char *text)
{
    struct hypha_url *url = fixture_url(text);

    must(hy_hosts_add_listen_addr(room->hosts, url));
    hypha_url_unref(url);
}

/* Port 0 stands for the listener's; nothing private and nothing unusable is
 * announced. */
static void test_ports_and_bareness(void **state)
{
    static const struct hosts_plan plan = {
        .external = { "tcp://u:p@name.example:0/?upnp_igd=true#f", "quic://Name.example:5/",
            "tcp://0.0.0.0:7", "tcp+tls://name.example:0" }
    };
    static const char *const before[] = { "quic://name.example:5" };
    static const char *const after[] = { "tcp://name.example:4444/", "quic://name.example:5" };
    struct hosts_room room;

    (void)state;
    room_open(&room, &plan, 1);
    assert_own(&room, before, 1);
    listen_on(&room, "tcp://127.0.0.1:4444");
    listen_on(&room, "tcp://127.0.0.1:5555");
    assert_own(&room, after, 2);
    hy_hosts_clear_listen_addrs(room.hosts);
    assert_own(&room, before, 1);
    room_close(&room);
}

/* spec: network.md MUST 4.4-d, 4.4-e
 * One vote per group, never an unspecified host; wire.md
 * 8: several peers */
static void test_guess(void **state)
{
    static const struct hosts_plan plan = {
        .active = { "tcp" },
        .external = { "tcp://[::]:100", "tcp+tls://[::]:0", "quic://[::]:1" },
    };
    static const char *const one[] = { "tcp://[2606:4700::1]:100/" };
    static const char *const both[] = { "tcp://[2606:4700::2]:100/",
        "tcp+tls://[2606:4700::2]:9/" };
    struct hosts_room room;

    (void)state;
    room_open(&room, &plan, 1);
    assert_own(&room, NULL, 0);
    /* Many of one group are one. */
    guess(&room, "tcp://[2606:4700::1]:5", "tcp://8.8.8.8:1");
    guess(&room, "tcp://[2606:4700::1]:6", "tcp://8.8.4.4:1");
    assert_own(&room, NULL, 0);
    guess(&room, "tcp://[2606:4700::1]:7", "tcp://9.8.4.4:1");
    assert_own(&room, one, 1);
    assert_int_equal(
        room_receive(&room, "tcp://[2606:4700::1]:777", HY_SIM_START_WALL_S), HY_VERDICT_OWN);
    /* Nothing but global IPv6 counts. */
    guess(&room, "tcp://1.1.1.1:5", "tcp://10.8.4.4:1");
    guess(&room, "tcp://[::]:5", "tcp://11.8.4.4:1");
    guess(&room, "tcp://[fe80::1]:5", "tcp://12.8.4.4:1");
    guess(&room, "tcp://name.example:5", "tcp://13.8.4.4:1");
    assert_own(&room, one, 1);
    /* A tie keeps the older one, a majority decides; a group may change its mind.
     */
    guess(&room, "tcp://[2606:4700::2]:1", "tcp://a.example:1");
    guess(&room, "tcp://[2606:4700::2]:1", "tcp://b.example:1");
    assert_own(&room, one, 1);
    listen_on(&room, "tcp+tls://[::]:9");
    guess(&room, "tcp://[2606:4700::2]:1", "tcp://9.8.1.1:1");
    assert_own(&room, both, 2);
    room_close(&room);
}

/* spec: network.md 4.4: of the last 20 */
static void test_ring(void **state)
{
    static const struct hosts_plan plan = { .external = { "tcp://[::]:100" } };
    static const char *const before[] = { "tcp://[2606:4700::1]:100/" };
    struct hosts_room room;
    char seen[48], peer[48];

    (void)state;
    room_open(&room, &plan, 1);
    guess(&room, "tcp://[2606:4700::1]:1", "tcp://1.1.0.0:1");
    guess(&room, "tcp://[2606:4700::1]:1", "tcp://1.2.0.0:1");
    for (unsigned i = 0; i < 19; i++) {
        assert_own(&room, before, 1);
        (void)snprintf(seen, sizeof seen, "tcp://[2606:4701::%x]:1", i + 1);
        (void)snprintf(peer, sizeof peer, "tcp://2.%u.0.0:1", i);
        guess(&room, seen, peer);
    }
    assert_own(&room, NULL, 0);
    room_close(&room);
}

/* On localnet every port is a peer of its own. spec: network.md 10 (Group) */
static void test_localnet_groups(void **state)
{
    static const struct hosts_plan plan = { .external = { "tcp://[::]:100" }, .localnet = true };
    static const char *const expected[] = { "tcp://[::1]:100/" };
    struct hosts_room room;

    (void)state;
    room_open(&room, &plan, 1);
    guess(&room, "tcp://[::1]:1", "tcp://[::1]:1");
    guess(&room, "tcp://[::1]:1", "tcp://[::1]:1");
    assert_own(&room, NULL, 0);
    guess(&room, "tcp://[::1]:1", "tcp://[::1]:2");
    assert_own(&room, expected, 1);
    room_close(&room);
}

/* spec: network.md MUST 4.4-b
 * Resolved names are checked again; what the user wrote
 * may be local */
static void test_may_dial_ip(void **state)
{
    static const struct hosts_plan plan = { .peers = { "tcp://192.168.0.9:1" },
        .seeds = { "tcp://10.0.0.1:2" } };
    static const struct hosts_plan local = { .localnet = true };
    static const struct hy_ip public_ip = { 4, { 8, 8, 8, 8 } },
                              private_ip = { 4, { 10, 1, 1, 1 } }, peer = { 4, { 192, 168, 0, 9 } },
                              seed = { 4, { 10, 0, 0, 1 } }, proxy = { 4, { 127, 0, 0, 1 } },
                              mapped = { 16, { [10] = 0xff, 0xff } };
    struct hosts_room room;

    (void)state;
    room_open(&room, &plan, 1);
    assert_true(hy_hosts_may_dial_ip(room.hosts, &public_ip));
    assert_false(hy_hosts_may_dial_ip(room.hosts, &private_ip));
    assert_false(hy_hosts_may_dial_ip(room.hosts, &mapped));
    assert_true(hy_hosts_may_dial_ip(room.hosts, &peer));
    assert_true(hy_hosts_may_dial_ip(room.hosts, &seed));
    assert_true(hy_hosts_may_dial_ip(room.hosts, &proxy)); /* i2p's default */
    room_close(&room);
    room_open(&room, &local, 1);
    assert_true(hy_hosts_may_dial_ip(room.hosts, &private_ip));
    room_close(&room);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_ports_and_bareness),
        cmocka_unit_test(test_guess),
        cmocka_unit_test(test_ring),
        cmocka_unit_test(test_localnet_groups),
        cmocka_unit_test(test_may_dial_ip),
    };

    return cmocka_run_group_tests_name("own_addrs", tests, NULL, NULL);
}
