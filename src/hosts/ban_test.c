/* ban_test.c - who is banned by what, for how long. spec: network.md 4.7 */
#include "fakes/hosts_fixture.h"

#include <stdio.h>

#define NOW HY_SIM_START_WALL_S
#define DAY 86400ULL

static const struct hosts_plan plan = { .active = { "tcp", "tcp+tls" }, .black_host = "1.2.3.4" };

static bool ban_peer(struct hosts_room *room, const char *text, enum hypha_session session)
{
    struct hypha_url *url = fixture_url(text);
    bool banned = hy_hosts_ban_peer(room->hosts, url, session, HYPHA_ERR_MAGIC);

    hypha_url_unref(url);
    return banned;
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
    must(room_move(&room, "tcp+tls://8.8.8.2:1", HYPHA_COLOUR_WHITE, HY_HOST_FREE));
    must(room_move(&room, "tcp://8.8.8.3:1", HYPHA_COLOUR_GOLD, HY_HOST_CONNECTED));
    assert_true(ban_peer(&room, "tcp://8.8.8.2:40000", HYPHA_SESSION_INBOUND));
    assert_true(ban_peer(&room, "tcp://8.8.8.3:40000", HYPHA_SESSION_INBOUND));
    assert_true(room_is_banned(&room, "tcp://8.8.8.2:40000"));
    assert_false(room_is_banned(&room, "tcp://8.8.8.2:40001"));
    assert_false(room_is_banned(&room, "tcp://8.8.8.3:1"));
    /* Others: the exact address. */
    assert_true(ban_peer(&room, "tcp://8.8.8.3:1", HYPHA_SESSION_OUTBOUND));
    assert_true(room_is_banned(&room, "tcp://8.8.8.3:1"));
    assert_int_equal(room_colour(&room, "tcp://8.8.8.3:1", NULL), HYPHA_COLOUR_BLACK);
    /* It leaves as it should: the channel's end makes it Free, and it stays
     * black. */
    assert_int_equal(room_state(&room, "tcp://8.8.8.3:1"), HY_HOST_CONNECTED);
    must(room_move(&room, "tcp://8.8.8.3:1", HYPHA_COLOUR_GREY, HY_HOST_FREE));
    assert_int_equal(room_colour(&room, "tcp://8.8.8.3:1", NULL), HYPHA_COLOUR_BLACK);
    assert_int_equal(
        room_move(&room, "tcp://8.8.8.3:1", HYPHA_COLOUR_WHITE, HY_HOST_FREE), HYPHA_ERR_BANNED);
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

/* Bans expire and record a reason; a ban for all ports empties the lists of
 * that host. */
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

/* spec: network.md 4.2: 10000 at most; 11.13: configured ones are never evicted
 */
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

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_matching),
        cmocka_unit_test(test_scope),
        cmocka_unit_test(test_localnet_bans),
        cmocka_unit_test(test_expiry_and_lists),
        cmocka_unit_test(test_flood),
    };

    return cmocka_run_group_tests_name("ban", tests, NULL, NULL);
}
