/* ban_test.c - who is banned by what, for how long. spec: network.md 4.7 */
#include "fakes/hosts_fixture.h"

#include <stdio.h>

#define NOW HY_SIM_START_WALL_S
#define DAY 86400ULL

static const struct hosts_plan plan = { .active = { "tcp", "tcp+tls" }, .black_host = "1.2.3.4" };

static bool ban_peer_for(
    struct hosts_room *room, const char *text, enum hypha_session session, enum hypha_err why)
{
    struct hypha_url *url = fixture_url(text);
    bool banned = hy_hosts_ban_peer(room->hosts, url, session, why);

    hypha_url_unref(url);
    return banned;
}

static bool ban_peer(struct hosts_room *room, const char *text, enum hypha_session session)
{
    return ban_peer_for(room, text, session, HYPHA_ERR_PAYLOAD);
}

static void ban(struct hosts_room *room, const char *text, uint64_t seconds)
{
    struct hypha_url *url = fixture_url(text);

    must(hy_hosts_ban(room->hosts, url, seconds, HYPHA_ERR_METERING));
    hypha_url_unref(url);
}

static bool unban(struct hosts_room *room, const char *text)
{
    struct hypha_url *url = fixture_url(text);
    bool was = hy_hosts_unban(room->hosts, url);

    hypha_url_unref(url);
    return was;
}

static void test_matching(void **state)
{
    struct hosts_room room;

    (void)state;
    room_open(&room, &plan, 1);
    ban(&room, "tcp://8.8.8.8:1", 0);
    assert_true(room_is_banned(&room, "tcp://8.8.8.8:1"));
    assert_true(room_is_banned(&room, "tcp://8.8.8.8:1/?x=1"));
    assert_false(room_is_banned(&room, "tcp://8.8.8.8:2"));
    assert_false(room_is_banned(&room, "tcp+tls://8.8.8.8:1")); /* wire.md 7.12 */
    assert_false(room_is_banned(&room, "tcp://8.8.8.8"));
    ban(&room, "tcp://Name.example", 0);
    assert_true(room_is_banned(&room, "tcp://name.example:1"));
    assert_true(room_is_banned(&room, "tcp://name.example:2"));
    assert_false(room_is_banned(&room, "tcp://name.example.org:2"));
    ban(&room, "quic://NAME.example", 0);
    assert_true(room_is_banned(&room, "quic://name.EXAMPLE:9/"));
    /* The configured ones. */
    assert_true(room_is_banned(&room, "tcp://1.2.3.4:99"));
    assert_true(room_is_banned(&room, "tcp+tls://1.2.3.4:98"));
    assert_false(unban(&room, "tcp://1.2.3.4"));
    assert_true(room_is_banned(&room, "tcp://1.2.3.4:99"));
    /* Ours can be lifted. */
    assert_true(unban(&room, "tcp://name.example:1"));
    assert_false(room_is_banned(&room, "tcp://name.example:1"));
    assert_false(unban(&room, "tcp://name.example:1"));
    assert_true(unban(&room, "tcp://8.8.8.8:1"));
    assert_false(room_is_banned(&room, "tcp://8.8.8.8:1"));
    room_close(&room);
}

/* spec: network.md 4.7, ban(): scope by session */
static void test_scope(void **state)
{
    struct hosts_room room;

    (void)state;
    room_open(&room, &plan, 1);
    /* Inbound: all ports of the scheme. */
    assert_true(ban_peer(&room, "tcp://8.8.8.1:40000", HYPHA_SESSION_INBOUND));
    assert_true(room_is_banned(&room, "tcp://8.8.8.1:40001"));
    assert_false(room_is_banned(&room, "tcp+tls://8.8.8.1:40001"));
    /* But the exact address if the host is on white or gold, under whatever port.
     */
    must(room_move(&room, "tcp+tls://8.2.8.2:1", HYPHA_COLOUR_WHITE, HY_HOST_FREE));
    must(room_move(&room, "tcp://8.3.8.3:1", HYPHA_COLOUR_GOLD, HY_HOST_CONNECTED));
    assert_true(ban_peer(&room, "tcp://8.2.8.2:40000", HYPHA_SESSION_INBOUND));
    assert_true(ban_peer(&room, "tcp://8.3.8.3:40000", HYPHA_SESSION_INBOUND));
    assert_true(room_is_banned(&room, "tcp://8.2.8.2:40000"));
    assert_false(room_is_banned(&room, "tcp://8.2.8.2:40001"));
    assert_false(room_is_banned(&room, "tcp://8.3.8.3:1"));
    /* Others: the exact address. */
    assert_true(ban_peer(&room, "tcp://8.3.8.3:1", HYPHA_SESSION_OUTBOUND));
    assert_true(room_is_banned(&room, "tcp://8.3.8.3:1"));
    assert_int_equal(room_colour(&room, "tcp://8.3.8.3:1", NULL), HYPHA_COLOUR_BLACK);
    /* It leaves as it should: the channel's end makes it Free, and it stays
     * black. */
    assert_int_equal(room_state(&room, "tcp://8.3.8.3:1"), HY_HOST_CONNECTED);
    must(room_move(&room, "tcp://8.3.8.3:1", HYPHA_COLOUR_GREY, HY_HOST_FREE));
    assert_int_equal(room_colour(&room, "tcp://8.3.8.3:1", NULL), HYPHA_COLOUR_BLACK);
    assert_int_equal(
        room_move(&room, "tcp://8.3.8.3:1", HYPHA_COLOUR_WHITE, HY_HOST_FREE), HYPHA_ERR_BANNED);
    /* Nothing for whom a ban would mean everybody. */
    assert_false(ban_peer(&room, "unix:///tmp/s", HYPHA_SESSION_INBOUND));
    assert_false(ban_peer(&room, "tor://127.0.0.1:9601", HYPHA_SESSION_INBOUND));
    assert_false(ban_peer(&room, "tcp://127.0.0.1:1", HYPHA_SESSION_INBOUND));
    assert_false(ban_peer(&room, "tcp://localhost:1", HYPHA_SESSION_MANUAL));
    assert_false(ban_peer(&room, "tcp://[fe80::1]:1", HYPHA_SESSION_OUTBOUND));
    assert_int_equal(hy_hosts_busy_count(room.hosts), 0);
    room_close(&room);
}

static void test_localnet_bans(void **state)
{
    static const struct hosts_plan local = { .active = { "tcp" }, .localnet = true };
    struct hosts_room room;

    (void)state;
    room_open(&room, &local, 1);
    assert_true(ban_peer(&room, "tcp://127.0.0.1:1", HYPHA_SESSION_OUTBOUND));
    assert_true(room_is_banned(&room, "tcp://127.0.0.1:1"));
    assert_false(ban_peer(&room, "tor://127.0.0.1:9601", HYPHA_SESSION_INBOUND));
    assert_false(ban_peer(&room, "unix:///tmp/s", HYPHA_SESSION_INBOUND));
    room_close(&room);
}

/* spec: network.md MUST 4.7-b: bans expire and record a reason; one for all ports empties the lists
 * of that host */
static void test_expiry_and_lists(void **state)
{
    struct hypha_url *url = fixture_url("tcp://8.8.8.1");
    struct hosts_room room;
    enum hypha_err why = HYPHA_OK;
    uint64_t left = 0;

    (void)state;
    room_open(&room, &plan, 1);
    (void)room_receive(&room, "tcp://8.8.8.1:1", NOW);
    must(room_move(&room, "tcp://8.8.8.1:2", HYPHA_COLOUR_WHITE, HY_HOST_FREE));
    must(room_move(&room, "tcp+tls://8.8.8.1:3", HYPHA_COLOUR_WHITE, HY_HOST_FREE));
    ban(&room, "tcp://8.8.8.1", 0);
    assert_int_equal(hy_hosts_count(room.hosts, HYPHA_COLOUR_GREY), 0);
    assert_int_equal(hy_hosts_count(room.hosts, HYPHA_COLOUR_WHITE), 1);
    assert_int_equal(hy_hosts_count(room.hosts, HYPHA_COLOUR_BLACK), 1);
    assert_true(hy_hosts_ban_info(room.hosts, url, &left, &why));
    assert_int_equal(left, DAY);
    assert_int_equal(why, HYPHA_ERR_METERING);
    ban(&room, "tcp://8.8.8.9:1", 10);
    hy_sim_run_for(room.sim, 10 * 1000 - 1);
    assert_true(room_is_banned(&room, "tcp://8.8.8.9:1"));
    hy_sim_run_for(room.sim, 1);
    assert_false(room_is_banned(&room, "tcp://8.8.8.9:1"));
    assert_int_equal(room_colour(&room, "tcp://8.8.8.9:1", NULL), HYPHA_COLOURS);
    assert_int_equal(hy_hosts_count(room.hosts, HYPHA_COLOUR_BLACK), 1);
    hy_hosts_prune(room.hosts);
    assert_int_equal(room_receive(&room, "tcp://8.8.8.9:1", NOW), HY_VERDICT_GREY);
    hy_sim_run_for(room.sim, DAY * 1000);
    assert_false(room_is_banned(&room, "tcp://8.8.8.1:1"));
    assert_false(hy_hosts_ban_info(room.hosts, url, &left, &why));
    assert_int_equal(hy_hosts_count(room.hosts, HYPHA_COLOUR_BLACK), 0);
    /* An expired one that nobody has swept away yet is no obstacle. */
    assert_int_equal(room_receive(&room, "tcp://8.8.8.1:1", NOW), HY_VERDICT_GREY);
    hypha_url_unref(url);
    room_close(&room);
}

/* spec: network.md MUST 4.7-a: configured entries are separate and never evicted; 10000 others */
static void test_flood(void **state)
{
    struct hosts_room room;
    char url[48];

    (void)state;
    room_open(&room, &plan, 1);
    for (unsigned i = 0; i < 10100; i++) {
        (void)snprintf(url, sizeof url, "tcp://8.8.%u.%u:1", i >> 8, i & 255);
        ban(&room, url, 0);
        if (i % 100 == 99)
            hy_sim_run_for(room.sim, 1000);
    }
    assert_int_equal(hy_hosts_count(room.hosts, HYPHA_COLOUR_BLACK), 10000);
    assert_false(room_is_banned(&room, "tcp://8.8.0.99:1"));
    assert_true(room_is_banned(&room, "tcp://8.8.0.100:1"));
    assert_true(room_is_banned(&room, "tcp://8.8.39.115:1"));
    assert_true(room_is_banned(&room, "tcp://1.2.3.4:99"));
    room_close(&room);
}

/* spec: network.md 10: whole group after 3 */
static void the_third_bans_the_group(void **state)
{
    struct hosts_room room;

    (void)state;
    room_open(&room, &plan, 1);
    (void)room_receive(&room, "tcp://44.1.9.9:1", NOW);
    must(room_move(&room, "tcp://44.1.7.7:1", HYPHA_COLOUR_WHITE, HY_HOST_FREE));
    assert_true(ban_peer(&room, "tcp://44.1.0.1:40000", HYPHA_SESSION_INBOUND));
    assert_true(ban_peer(&room, "tcp+tls://44.1.0.1:40000", HYPHA_SESSION_INBOUND)); /* the same */
    assert_true(ban_peer(&room, "tcp://44.1.0.2:1", HYPHA_SESSION_OUTBOUND));
    assert_true(ban_peer(&room, "tcp://44.2.0.2:1", HYPHA_SESSION_OUTBOUND)); /* another group */
    ban(&room, "tcp://44.1.0.4", 60); /* METERING: counts, for as long as it holds */
    hy_sim_run_for(room.sim, 60000);
    assert_false(room_is_banned(&room, "tcp://44.1.0.3:1"));
    assert_true(ban_peer(&room, "tcp://44.1.0.3:1", HYPHA_SESSION_OUTBOUND));
    assert_true(room_is_banned(&room, "tcp://44.1.200.200:50000"));
    assert_true(room_is_banned(&room, "tcp+tls://44.1.200.200"));
    assert_false(room_is_banned(&room, "tcp://44.2.200.200:50000"));
    /* Hearsay is dropped, who was found good stays. */
    assert_int_equal(room_colour(&room, "tcp://44.1.9.9:1", NULL), HYPHA_COLOURS);
    assert_int_equal(room_receive(&room, "tcp://44.1.9.9:1", NOW), HY_VERDICT_BANNED);
    assert_int_equal(room_colour(&room, "tcp://44.1.7.7:1", NULL), HYPHA_COLOUR_WHITE);
    assert_false(room_is_banned(&room, "tcp://44.1.7.7:1"));
    hy_sim_run_for(room.sim, DAY * 1000);
    assert_false(room_is_banned(&room, "tcp://44.1.200.200:50000"));
    room_close(&room);
}

/* Lifting the ban of one lifts that of its group; others keep theirs. */
static void a_group_is_unbanned_with_a_host(void **state)
{
    struct hosts_room room;

    (void)state;
    room_open(&room, &plan, 1);
    for (unsigned i = 1; i <= 3; i++) {
        char url[48];

        (void)snprintf(url, sizeof url, "tcp://[2600:1:%x::1]:1", i);
        assert_true(ban_peer(&room, url, HYPHA_SESSION_OUTBOUND));
    }
    assert_true(room_is_banned(&room, "tcp://[2600:1:ffff::1]:9"));
    assert_true(unban(&room, "tcp://[2600:1:1::1]:1"));
    assert_false(room_is_banned(&room, "tcp://[2600:1:1::1]:1"));
    assert_false(room_is_banned(&room, "tcp://[2600:1:ffff::1]:9"));
    assert_true(room_is_banned(&room, "tcp://[2600:1:2::1]:1"));
    room_close(&room);
}

/* Not on localnet, not local networks, nor the few groups of keys; configured hosts stay. */
static void groups_that_are_never_banned(void **state)
{
    static const struct hosts_plan local = { .active = { "tcp" }, .localnet = true };
    static const struct hosts_plan friends = {
        .active = { "tcp", "tor" }, .peers = { "tcp://44.1.1.1:7" }, .seeds = { "tcp://44.1.1.2:7" }
    };
    struct hosts_room room;
    char url[48];

    (void)state;
    room_open(&room, &local, 1);
    for (unsigned i = 1; i <= 9; i++) {
        (void)snprintf(url, sizeof url, "tcp://127.0.0.%u:1", i);
        assert_true(ban_peer(&room, url, HYPHA_SESSION_INBOUND));
    }
    assert_false(room_is_banned(&room, "tcp://127.0.0.10:1"));
    room_close(&room);
    room_open(&room, &friends, 1);
    for (unsigned i = 1; i <= 9; i++) {
        (void)snprintf(url, sizeof url, "tor://a%ubcd.onion:1", i);
        assert_true(ban_peer(&room, url, HYPHA_SESSION_OUTBOUND));
        (void)snprintf(url, sizeof url, "tcp://44.1.0.%u:1", i);
        assert_true(ban_peer(&room, url, HYPHA_SESSION_OUTBOUND));
    }
    assert_false(room_is_banned(&room, "tor://a0bcd.onion:1"));
    assert_true(room_is_banned(&room, "tcp://44.1.0.99:1"));
    assert_false(room_is_banned(&room, "tcp://44.1.1.1:7"));
    assert_false(room_is_banned(&room, "tcp://44.1.1.2:7"));
    room_close(&room);
}

/* Somebody gossips addresses of any servers in a network that he wants us to give up. */
static void strangers_do_not_bring_down_their_network(void **state)
{
    struct hosts_room room;
    char url[48];

    (void)state;
    room_open(&room, &plan, 1);
    (void)room_receive(&room, "tcp://44.1.9.9:1", NOW);
    for (unsigned i = 1; i <= 9; i++) {
        (void)snprintf(url, sizeof url, "tcp://44.1.0.%u:22", i);
        assert_true(ban_peer_for(
            &room, url, HYPHA_SESSION_OUTBOUND, i % 2 == 0 ? HYPHA_ERR_MAGIC : HYPHA_ERR_VERSION));
        assert_true(room_is_banned(&room, url));
    }
    assert_false(room_is_banned(&room, "tcp://44.1.0.10:22"));
    assert_int_equal(room_colour(&room, "tcp://44.1.9.9:1", NULL), HYPHA_COLOUR_GREY);
    room_close(&room);
}

/* Who has an IPv6 /64 comes from another address each time. */
static void an_ipv6_subscriber_is_one(void **state)
{
    struct hosts_room room;

    (void)state;
    room_open(&room, &plan, 1);
    assert_true(ban_peer(&room, "tcp://[2600:1:2:3::5]:40000", HYPHA_SESSION_INBOUND));
    assert_true(room_is_banned(&room, "tcp://[2600:1:2:3::5]:9"));
    assert_true(room_is_banned(&room, "tcp://[2600:1:2:3:ffff::6]:40001"));
    assert_false(room_is_banned(&room, "tcp://[2600:1:2:4::5]:40000"));
    assert_false(room_is_banned(&room, "tcp+tls://[2600:1:2:3::5]:40000"));
    assert_true(unban(&room, "tcp://[2600:1:2:3:1::1]:7"));
    assert_false(room_is_banned(&room, "tcp://[2600:1:2:3::5]:9"));
    /* Nor is it three hosts of its /32. */
    for (unsigned i = 1; i <= 9; i++) {
        char url[48];

        (void)snprintf(url, sizeof url, "tcp://[2600:1:2:3::%x]:1", i);
        assert_true(ban_peer(&room, url, HYPHA_SESSION_OUTBOUND));
    }
    assert_false(room_is_banned(&room, "tcp://[2600:1:ffff::1]:1"));
    room_close(&room);
}

/* Somebody behind the address of a configured peer misbehaves until its address is banned. */
static void configured_hosts_do_not_pay_for_their_neighbours(void **state)
{
    static const struct hosts_plan friends = {
        .active = { "tcp" }, .peers = { "tcp://44.1.1.1:7" }, .seeds = { "tcp://44.2.1.2:7" }
    };
    struct hosts_room room;

    (void)state;
    room_open(&room, &friends, 1);
    assert_true(ban_peer(&room, "tcp://44.1.1.1:40000", HYPHA_SESSION_INBOUND));
    assert_true(ban_peer(&room, "tcp://44.2.1.2:40000", HYPHA_SESSION_INBOUND));
    assert_true(room_is_banned(&room, "tcp://44.1.1.1:40000"));
    assert_false(room_is_banned(&room, "tcp://44.1.1.1:7"));
    assert_false(room_is_banned(&room, "tcp://44.2.1.2:7"));
    /* What it does itself it is banned for, as others are. */
    assert_true(ban_peer(&room, "tcp://44.1.1.1:7", HYPHA_SESSION_MANUAL));
    assert_true(room_is_banned(&room, "tcp://44.1.1.1:7"));
    hy_sim_run_for(room.sim, DAY * 1000);
    assert_false(room_is_banned(&room, "tcp://44.1.1.1:7"));
    room_close(&room);
}

static bool offend(struct hosts_room *room, const char *text, uint64_t milli)
{
    struct hypha_url *url = fixture_url(text);
    bool enough = hy_hosts_offend(room->hosts, url, milli);

    hypha_url_unref(url);
    return enough;
}

/* spec: network.md 10: score before ban except clear breaches */
static void offences_add_up_and_fade(void **state)
{
    struct hosts_room room;
    char url[48];

    (void)state;
    room_open(&room, &plan, 1);
    for (unsigned i = 0; i < 99; i++)
        assert_false(offend(&room, "tcp://44.1.0.1:1", 1000));
    assert_false(offend(&room, "tcp://44.1.0.2:1", 99000));   /* another host */
    assert_true(offend(&room, "tcp+tls://44.1.0.1:2", 1000)); /* its port is all the same */
    assert_false(offend(&room, "tcp://44.1.0.1:1", 1000));    /* from 0 again */
    hy_sim_run_for(room.sim, 5000 * 50);                      /* of 99 points 49 are left */
    assert_false(offend(&room, "tcp://44.1.0.2:1", 50000));
    assert_true(offend(&room, "tcp://44.1.0.2:1", 1000));
    assert_true(offend(&room, "tcp://44.1.0.3:1", UINT64_MAX));
    assert_false(offend(&room, "tcp://127.0.0.1:1", UINT64_MAX)); /* who could that be? */
    assert_false(offend(&room, "unix:///tmp/s", UINT64_MAX));
    /* Unbanned, it begins anew. */
    assert_false(offend(&room, "tcp://44.1.0.4:1", 99999));
    assert_false(unban(&room, "tcp://44.1.0.4:1"));
    assert_false(offend(&room, "tcp://44.1.0.4:1", 99999));
    /* Any number of hosts: the last 1024 are remembered. */
    for (unsigned i = 0; i < 5000; i++) {
        (void)snprintf(url, sizeof url, "tcp://45.%u.%u.1:1", i >> 8, i & 255);
        assert_false(offend(&room, url, 60000));
    }
    assert_false(offend(&room, "tcp://45.0.0.1:1", 60000));
    assert_true(offend(&room, "tcp://45.19.100.1:1", 60000));
    room_close(&room);
}

struct listed {
    size_t count;
    char text[2048];
};

static void note_ban(const struct hypha_ban *ban, void *user)
{
    struct listed *listed = user;
    size_t len = strlen(listed->text);

    listed->count++;
    (void)snprintf(listed->text + len, sizeof listed->text - len, "%s %s %llu %s|",
        ban->url != NULL ? hypha_url_text(ban->url) : "-", ban->group,
        (unsigned long long)(ban->until_s > 0 ? ban->until_s - NOW : 0), hypha_err_name(ban->why));
}

static void every_ban_is_listed(void **state)
{
    struct listed listed = { 0 };
    struct hosts_room room;

    (void)state;
    room_open(&room, &plan, 1);
    ban(&room, "tcp://44.1.0.1:1", 100);
    ban(&room, "tcp://44.1.0.2", 5);
    hy_sim_run_for(room.sim, 10000);
    hy_hosts_each_ban(room.hosts, note_ban, &listed);
    assert_string_equal(listed.text,
        "tcp://1.2.3.4/ ipv4/1.2 0 BANNED|tcp+tls://1.2.3.4/ ipv4/1.2 0 BANNED|"
        "tcp://44.1.0.1:1/ ipv4/44.1 100 METERING|");
    for (unsigned i = 1; i <= 3; i++) {
        char url[48];

        (void)snprintf(url, sizeof url, "tcp://45.1.0.%u:1", i);
        assert_true(ban_peer(&room, url, HYPHA_SESSION_OUTBOUND));
    }
    memset(&listed, 0, sizeof listed);
    hy_hosts_each_ban(room.hosts, note_ban, &listed);
    assert_int_equal(listed.count, 7);
    assert_non_null(strstr(listed.text, "- ipv4/45.1 86410 LIMIT|"));
    room_close(&room);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_matching),
        cmocka_unit_test(test_scope),
        cmocka_unit_test(test_localnet_bans),
        cmocka_unit_test(test_expiry_and_lists),
        cmocka_unit_test(test_flood),
        cmocka_unit_test(the_third_bans_the_group),
        cmocka_unit_test(a_group_is_unbanned_with_a_host),
        cmocka_unit_test(groups_that_are_never_banned),
        cmocka_unit_test(strangers_do_not_bring_down_their_network),
        cmocka_unit_test(an_ipv6_subscriber_is_one),
        cmocka_unit_test(configured_hosts_do_not_pay_for_their_neighbours),
        cmocka_unit_test(offences_add_up_and_fade),
        cmocka_unit_test(every_ban_is_listed),
    };

    return cmocka_run_group_tests_name("ban", tests, NULL, NULL);
}
