/* filter_test.c - received addresses: each step of network.md 4.4, in its
 * order. */
#include "fakes/hosts_fixture.h"

#include "wire/message.h"

#include <stdio.h>

#define NOW   HY_SIM_START_WALL_S
#define HOUR  3600U
#define ONION "duckduckgogg42xjoc72x3sjasowoarfbgcmvfimaftt6twagswzczad.onion"
#define I2P   "rjxwbsw4zjhv4zsplma6jmf5nr24e4ymvvbycd3swgiinbvg7oga.b32.i2p"

static const struct hosts_plan plan = {
    .active = { "tcp", "quic" },
    .external = { "tcp://own.example:100", "tcp+tls://8.8.4.4:0" },
    .peers = { "tcp://peer.example:5" },
    .seeds = { "tcp://seed.example:6" },
    .black_host = "evil.example",
};

struct row {
    const char *url;
    enum hy_hosts_verdict verdict;
};

static void check_rows(struct hosts_room *room, const struct row *rows, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        enum hy_hosts_verdict verdict = room_receive(room, rows[i].url, NOW);

        if (verdict != rows[i].verdict)
            print_error("%s: %s, not %s\n", rows[i].url, hy_hosts_verdict_text(verdict),
                hy_hosts_verdict_text(rows[i].verdict));
        assert_int_equal(verdict, rows[i].verdict);
        assert_int_equal(room_colour(room, rows[i].url, NULL),
            verdict == HY_VERDICT_GREY       ? HYPHA_COLOUR_GREY
                : verdict == HY_VERDICT_DARK ? HYPHA_COLOUR_DARK
                                             : HYPHA_COLOURS);
    }
}
#define check(room, rows) check_rows(room, rows, sizeof rows / sizeof rows[0])

/* spec: network.md MUST 4.4-a: multicast, and literals in opaque schemes, are local
 * And all other steps of 4.4, wire.md 5.5 */
static void test_verdicts(void **state)
{
    static const struct row rows[] = {
        { "tcp://8.8.8.8:1", HY_VERDICT_GREY },
        { "tcp://name.example:1", HY_VERDICT_GREY },
        { "quic://8.8.8.8:1", HY_VERDICT_GREY },
        { "tcp+tls://8.8.8.8:1", HY_VERDICT_DARK }, /* not active */
        { "tcp://name.example", HY_VERDICT_NO_HOST_PORT },
        { "tcp://name.example:0", HY_VERDICT_NO_HOST_PORT },
        { "unix:///tmp/s", HY_VERDICT_NO_HOST_PORT },
        { "quic:name:1", HY_VERDICT_NO_HOST_PORT },
        { "tcp://peer.example:5/", HY_VERDICT_CONFIGURED },
        { "tcp://seed.example:6/?q=1", HY_VERDICT_CONFIGURED },
        { "tcp://seed.example:7", HY_VERDICT_GREY },
        { "tcp://evil.example:1", HY_VERDICT_BANNED },
        { "tcp+tls://evil.example:2", HY_VERDICT_BANNED },
        { "tcp://own.example:1", HY_VERDICT_OWN },
        { "tcp://8.8.4.4:1", HY_VERDICT_OWN }, /* any scheme, any port */
        { "quic://8.8.4.4:1", HY_VERDICT_OWN },
        { "tcp://127.0.0.1:1", HY_VERDICT_LOCAL },
        { "tcp://192.168.1.1:1", HY_VERDICT_LOCAL },
        { "tcp://224.0.0.1:1", HY_VERDICT_LOCAL },
        { "tcp://[fe80::1]:1", HY_VERDICT_LOCAL },
        { "quic://10.0.0.1:1", HY_VERDICT_LOCAL }, /* R took it for a name: 11.14 */
        { "quic://[::1]:1", HY_VERDICT_LOCAL },
        { "tcp://localhost:1", HY_VERDICT_LOCAL },
        { "tcp://localhost.:1", HY_VERDICT_LOCAL },
        { "quic://LocalHost.localdomain:1", HY_VERDICT_LOCAL },
        { "tor://" ONION ":1", HY_VERDICT_DARK },
        { "tor+tls://" ONION ":1", HY_VERDICT_DARK },
        { "tor://name.example:1", HY_VERDICT_SCHEME },
        { "i2p://" I2P ":1", HY_VERDICT_DARK },
        { "i2p://stats.i2p:1", HY_VERDICT_DARK },
        { "i2p://stats.com:1", HY_VERDICT_SCHEME },
        { "nym://name.example:1", HY_VERDICT_SCHEME },
        { "socks5://8.8.8.8:1/h:1", HY_VERDICT_SCHEME },
        { "tls://8.8.8.8:1", HY_VERDICT_SCHEME },
        { "http://name.example:81", HY_VERDICT_SCHEME },
    };
    struct hosts_room room;

    (void)state;
    room_open(&room, &plan, 1);
    check(&room, rows);
    /* What is kept is the bare address. */
    assert_int_equal(room_receive(&room, "tcp://u:p@8.8.8.8:1/x?y#z", NOW), HY_VERDICT_KNOWN);
    assert_int_equal(room_receive(&room, "tcp://u:p@8.8.8.7:1/x?y#z", NOW), HY_VERDICT_GREY);
    assert_int_equal(room_receive(&room, "tcp://8.8.8.7:1", NOW), HY_VERDICT_KNOWN);
    room_close(&room);
}

/* Earlier steps win. spec: network.md 4.4 (in order) */
static void test_order(void **state)
{
    static const struct hosts_plan all = {
        .active = { "tcp" },
        .external = { "tcp://127.0.0.1:9" },
        .seeds = { "tcp://127.0.0.1:9" },
        .black_host = "127.0.0.1",
    };
    static const struct row rows[] = {
        { "tcp://127.0.0.1:0", HY_VERDICT_NO_HOST_PORT },
        { "tcp://127.0.0.1:9", HY_VERDICT_CONFIGURED },
        { "tcp://127.0.0.1:8", HY_VERDICT_BANNED },
        { "nym://127.0.0.1:8", HY_VERDICT_OWN },
        { "nym://127.0.0.2:8", HY_VERDICT_LOCAL },
        { "nym://8.8.8.8:8", HY_VERDICT_SCHEME },
    };
    struct hosts_room room;

    (void)state;
    room_open(&room, &all, 1);
    check(&room, rows);
    room_close(&room);
}

/* spec: network.md 4.4 steps 4, 5 with localnet; ports are compared after
 * patching port 0 */
static void test_localnet(void **state)
{
    static const struct hosts_plan local = {
        .active = { "tcp", "tcp+tls" },
        .external = { "tcp://127.0.0.1:100", "tcp+tls://127.0.0.1:0" },
        .localnet = true,
    };
    static const struct row rows[] = {
        { "tcp://127.0.0.1:101", HY_VERDICT_GREY },
        { "tcp://localhost:101", HY_VERDICT_GREY },
        { "tcp://8.8.8.8:100", HY_VERDICT_OWN },
        { "tcp+tls://127.0.0.2:100", HY_VERDICT_OWN },
        { "tcp://127.0.0.1:7777", HY_VERDICT_GREY },
        { "tcp://127.0.0.1:9999", HY_VERDICT_OWN },
    };
    struct hypha_url *tls = fixture_url("tcp+tls://127.0.0.1:9999");
    struct hypha_url *tcp = fixture_url("tcp://127.0.0.1:7777");
    struct hosts_room room;

    (void)state;
    room_open(&room, &local, 1);
    must(hy_hosts_add_listen_addr(room.hosts, tcp));
    must(hy_hosts_add_listen_addr(room.hosts, tls));
    check(&room, rows);
    hypha_url_unref(tcp);
    hypha_url_unref(tls);
    room_close(&room);
}

static void assert_seen(struct hosts_room *room, const char *url, uint64_t expected)
{
    uint64_t last_seen = 0;

    assert_int_equal(room_colour(room, url, &last_seen), HYPHA_COLOUR_GREY);
    assert_int_equal(last_seen, expected);
}

/* spec: network.md MUST 4.3-a
 * Clamped to now, less 2 h; not older than 30 days; not
 * updated */
static void test_last_seen(void **state)
{
    struct hosts_room room;

    (void)state;
    room_open(&room, &plan, 1);
    room_receive(&room, "tcp://8.8.8.1:1", NOW);
    room_receive(&room, "tcp://8.8.8.2:1", NOW + 1000000);
    room_receive(&room, "tcp://8.8.8.3:1", UINT64_MAX);
    room_receive(&room, "tcp://8.8.8.4:1", NOW - 10);
    room_receive(&room, "tcp://8.8.8.5:1", 0);
    room_receive(&room, "tcp://8.8.8.6:1", NOW - 31 * 24 * HOUR);
    room_receive(&room, "tcp://8.8.8.4:1", NOW); /* known */
    assert_seen(&room, "tcp://8.8.8.1:1", NOW - 2 * HOUR);
    assert_seen(&room, "tcp://8.8.8.2:1", NOW - 2 * HOUR);
    assert_seen(&room, "tcp://8.8.8.3:1", NOW - 2 * HOUR);
    assert_seen(&room, "tcp://8.8.8.4:1", NOW - 2 * HOUR - 10);
    assert_seen(&room, "tcp://8.8.8.5:1", NOW - 30 * 24 * HOUR);
    assert_seen(&room, "tcp://8.8.8.6:1", NOW - 30 * 24 * HOUR);
    room_close(&room);
}

/* spec: network.md 4.4 step 9, wire.md 5.5 step 8 */
static void test_known_and_busy(void **state)
{
    struct hosts_room room;

    (void)state;
    room_open(&room, &plan, 1);
    must(room_move(&room, "tcp://8.8.8.1:1", HYPHA_COLOUR_GOLD, HY_HOST_CONNECTED));
    must(room_move(&room, "tcp://8.8.8.2:1", HYPHA_COLOUR_WHITE, HY_HOST_FREE));
    must(room_set(&room, "tcp://8.8.8.3:1", HY_HOST_CONNECT));
    assert_int_equal(room_receive(&room, "tcp://8.8.8.1:1", NOW), HY_VERDICT_KNOWN);
    assert_int_equal(room_receive(&room, "tcp://8.8.8.2:1", NOW), HY_VERDICT_KNOWN);
    assert_int_equal(room_receive(&room, "tcp://8.8.8.3:1", NOW), HY_VERDICT_KNOWN);
    assert_int_equal(room_colour(&room, "tcp://8.8.8.3:1", NULL), HYPHA_COLOURS);
    room_free(&room, "tcp://8.8.8.3:1");
    assert_int_equal(room_receive(&room, "tcp://8.8.8.3:1", NOW), HY_VERDICT_GREY);
    assert_int_equal(room_state(&room, "tcp://8.8.8.3:1"), HY_HOST_FREE);
    room_close(&room);
}

/* spec: network.md 4.2: dark holds what can't be dialled, for a day; 4.4 step 8
 */
static void test_dark(void **state)
{
    static const struct hosts_plan more = { .active = { "tcp", "tcp+tls" } };
    struct hy_resolved_settings *settings = fixture_settings(&more);
    struct hosts_room room;

    (void)state;
    room_open(&room, &plan, 1);
    assert_int_equal(room_receive(&room, "tcp+tls://8.8.8.1:1", NOW), HY_VERDICT_DARK);
    assert_int_equal(
        room_receive(&room, "tcp+tls://8.8.8.2:1", NOW - 23 * HOUR), HY_VERDICT_TOO_OLD);
    assert_int_equal(room_receive(&room, "tcp+tls://8.8.8.3:1", NOW - HOUR), HY_VERDICT_DARK);
    assert_int_equal(hy_hosts_count(room.hosts, HYPHA_COLOUR_DARK), 2);
    /* It becomes dialable. */
    must(hy_hosts_set_settings(room.hosts, settings));
    assert_int_equal(room_receive(&room, "tcp+tls://8.8.8.1:1", NOW), HY_VERDICT_GREY);
    must(hy_hosts_set_settings(room.hosts, room.settings));
    assert_int_equal(hy_hosts_count(room.hosts, HYPHA_COLOUR_DARK), 1);
    /* Aged at the next dark insert. */
    hy_sim_run_for(room.sim, 21ULL * HOUR * 1000 + 1000);
    assert_int_equal(room_receive(&room, "tcp+tls://8.8.8.4:1", NOW + 30 * HOUR), HY_VERDICT_DARK);
    assert_int_equal(room_colour(&room, "tcp+tls://8.8.8.3:1", NULL), HYPHA_COLOURS);
    assert_int_equal(hy_hosts_count(room.hosts, HYPHA_COLOUR_DARK), 1);
    room_close(&room);
    hy_resolved_settings_destroy(settings);
}

/* spec: network.md MUST 4.4-c
 * Step 7, IPv6 availability: for ten minutes, direct
 * literals only */
static void test_ipv6_unavailable(void **state)
{
    static const struct row down[] = {
        { "tcp://[2606:4700::1]:1", HY_VERDICT_DARK },
        { "quic://[2606:4700::1]:1", HY_VERDICT_DARK },
        { "tcp://name.example:1", HY_VERDICT_GREY },
        { "tcp://8.8.8.8:1", HY_VERDICT_GREY },
    };
    struct hosts_room room;

    (void)state;
    room_open(&room, &plan, 1);
    assert_int_equal(room_receive(&room, "tcp://[2606:4700::2]:1", NOW), HY_VERDICT_GREY);
    hy_hosts_ipv6_unreachable(room.hosts);
    check(&room, down);
    hy_sim_run_for(room.sim, 10ULL * 60 * 1000 - 1);
    assert_int_equal(room_receive(&room, "tcp://[2606:4700::3]:1", NOW), HY_VERDICT_DARK);
    hy_sim_run_for(room.sim, 1);
    assert_int_equal(room_receive(&room, "tcp://[2606:4700::3]:1", NOW), HY_VERDICT_GREY);
    room_close(&room);
}

/* Dark is cut to the newest; grey and white: book_test.c. spec: network.md 4.2 */
static void test_limits(void **state)
{
    struct hosts_room room;
    char url[48];

    (void)state;
    room_open(&room, &plan, 1);
    for (unsigned i = 0; i < 1100; i++) {
        (void)snprintf(url, sizeof url, "tcp+tls://9.8.%u.%u:1", i >> 8, i & 255);
        assert_int_equal(
            room_receive(&room, url, NOW - i), i < 1000 ? HY_VERDICT_DARK : HY_VERDICT_NO_PLACE);
    }
    assert_int_equal(hy_hosts_count(room.hosts, HYPHA_COLOUR_DARK), 1000);
    assert_int_equal(room_receive(&room, "tcp+tls://9.9.9.9:1", NOW), HY_VERDICT_DARK);
    assert_int_equal(room_colour(&room, "tcp+tls://9.8.3.231:1", NULL), HYPHA_COLOURS);
    room_close(&room);
}

/* A whole addr message, and the one notification it makes. */
static void test_message(void **state)
{
    static const char *const texts[] = { "tcp://8.8.8.1:1", "tcp://10.0.0.1:1",
        "tcp+tls://8.8.8.2:1", "tcp://8.8.8.3:1", "tcp://8.8.8.1:1" };
    struct hy_addr_entry entries[5];
    struct hy_addr_out out = { entries, 5 };
    struct hypha_writer w = { 0 };
    struct hypha_reader r;
    struct hy_addr addr = { 0 };
    struct hosts_room room;
    size_t inserted = 0;

    (void)state;
    room_open(&room, &plan, 1);
    for (size_t i = 0; i < 5; i++)
        entries[i] = (struct hy_addr_entry){ fixture_url(texts[i]), NOW };
    hy_core_messages[HY_MESSAGE_ADDR].write(&w, &out);
    assert_int_equal(w.err, HYPHA_OK);
    r = hypha_reader_of(hypha_writer_span(&w));
    hy_core_messages[HY_MESSAGE_ADDR].read(&r, &addr);
    must(hypha_reader_end(&r));
    must(hy_hosts_receive(room.hosts, &addr, entries[0].url, &inserted));
    assert_int_equal(inserted, 2);
    assert_int_equal(room.told[HY_HOSTS_INSERTED], 0); /* never from inside the call */
    hy_sim_run_for(room.sim, 1);
    assert_int_equal(room.told[HY_HOSTS_INSERTED], 2);
    must(hy_hosts_receive(room.hosts, &addr, NULL, NULL));
    hy_sim_run_for(room.sim, 1);
    assert_int_equal(room.told[HY_HOSTS_INSERTED], 2);
    for (size_t i = 0; i < 5; i++)
        hypha_url_unref((struct hypha_url *)(uintptr_t)entries[i].url);
    hypha_writer_fini(&w);
    room_close(&room);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_verdicts),
        cmocka_unit_test(test_order),
        cmocka_unit_test(test_localnet),
        cmocka_unit_test(test_last_seen),
        cmocka_unit_test(test_known_and_busy),
        cmocka_unit_test(test_dark),
        cmocka_unit_test(test_ipv6_unavailable),
        cmocka_unit_test(test_limits),
        cmocka_unit_test(test_message),
    };

    return cmocka_run_group_tests_name("filter", tests, NULL, NULL);
}
