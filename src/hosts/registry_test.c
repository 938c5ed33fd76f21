/* registry_test.c - the table of network.md 4.1, pair by pair, and what ends
 * what. */
#include "fakes/hosts_fixture.h"

#include "base/alloc.h"

#include <stdio.h>

static const struct hosts_plan plan = { .active = { "tcp" }, .localnet = true };

/* spec: network.md 4.1, the table */
static void test_every_pair(void **state)
{
    static const char *const rows[HY_HOST_STATES] = {
        /* from: Free Insert Refine Connect Connected Move Suspend */
        [HY_HOST_FREE] = "1111111",
        [HY_HOST_INSERT] = "1000000",
        [HY_HOST_REFINE] = "1000001",
        [HY_HOST_CONNECT] = "1000000",
        [HY_HOST_CONNECTED] = "1011010",
        [HY_HOST_MOVE] = "1011100",
        [HY_HOST_SUSPEND] = "0000010",
    };
    static const char *const names[HY_HOST_STATES] = { "Free", "Insert", "Refine", "Connect",
        "Connected", "Move", "Suspend" };

    (void)state;
    for (int to = 0; to < HY_HOST_STATES; to++)
        for (int from = 0; from < HY_HOST_STATES; from++)
            assert_int_equal(hy_host_state_may((enum hy_host_state)from, (enum hy_host_state)to),
                rows[to][from] == '1');
    for (int i = 0; i < HY_HOST_STATES; i++)
        assert_string_equal(hy_host_state_name((enum hy_host_state)i), names[i]);
}

/* Put a host into `from` by a way that is always legal. */
static void force(struct hosts_room *room, const char *url, enum hy_host_state from)
{
    room_free(room, url);
    switch (from) {
    case HY_HOST_FREE:
    case HY_HOST_STATES:
        break;
    case HY_HOST_SUSPEND:
        must(room_set(room, url, HY_HOST_MOVE));
        must(room_set(room, url, HY_HOST_SUSPEND));
        break;
    case HY_HOST_INSERT:
    case HY_HOST_REFINE:
    case HY_HOST_CONNECT:
    case HY_HOST_CONNECTED:
    case HY_HOST_MOVE:
        must(room_set(room, url, from));
        break;
    }
}

/* spec: network.md MUST 4.1-a: tested and set in one step; a refused one changes nothing */
static void test_set_obeys_the_table(void **state)
{
    static const char url[] = "tcp://10.0.0.1:1";
    struct hosts_room room;

    (void)state;
    room_open(&room, &plan, 1);
    /* Absent takes any state. */
    must(room_set(&room, "tcp://10.0.0.2:1", HY_HOST_SUSPEND));
    must(room_set(&room, url, HY_HOST_CONNECTED));
    for (int from = 0; from < HY_HOST_STATES; from++)
        for (int to = 0; to < HY_HOST_STATES; to++) {
            bool may = hy_host_state_may((enum hy_host_state)from, (enum hy_host_state)to);

            force(&room, url, (enum hy_host_state)from);
            assert_int_equal(room_set(&room, url, (enum hy_host_state)to),
                may ? HYPHA_OK : HYPHA_ERR_HOST_BLOCKED);
            assert_int_equal(room_state(&room, url), may ? to : from);
        }
    room_free(&room, url);
    assert_int_equal(hy_hosts_busy_count(room.hosts), 0);
    room_close(&room);
}

/* Spellings of one address are one host. spec: transports.md 1.2,
 * network.md 11.14 */
static void test_one_host_many_spellings(void **state)
{
    struct hosts_room room;

    (void)state;
    room_open(&room, &plan, 1);
    must(room_set(&room, "quic://Example.org:1/", HY_HOST_CONNECT));
    assert_int_equal(room_state(&room, "quic://example.ORG:1"), HY_HOST_CONNECT);
    assert_int_equal(
        room_set(&room, "quic://example.org:1", HY_HOST_CONNECT), HYPHA_ERR_HOST_BLOCKED);
    must(room_set(&room, "tcp://h:1/?source=upnp&upnp_cookie=1", HY_HOST_CONNECT));
    assert_int_equal(room_state(&room, "tcp://h:1"), HY_HOST_CONNECT);
    assert_int_equal(room_state(&room, "tcp+tls://h:1"), HY_HOST_FREE);
    assert_int_equal(room_state(&room, "tcp://h:2"), HY_HOST_FREE);
    must(room_set(&room, "socks5://p:1/a:1", HY_HOST_CONNECT));
    must(room_set(&room, "socks5://p:1/b:1", HY_HOST_CONNECT));
    must(room_set(&room, "unix:///a", HY_HOST_CONNECT));
    must(room_set(&room, "unix:///b", HY_HOST_CONNECT));
    assert_int_equal(hy_hosts_busy_count(room.hosts), 6);
    room_close(&room);
}

/* spec: network.md 4.1: Free entries go after a day */
static void test_old_entries_are_pruned(void **state)
{
    struct hosts_room room;

    (void)state;
    room_open(&room, &plan, 1);
    must(room_set(&room, "tcp://10.0.0.1:1", HY_HOST_CONNECT));
    must(room_set(&room, "tcp://10.0.0.2:1", HY_HOST_CONNECT));
    room_free(&room, "tcp://10.0.0.1:1");
    hy_sim_run_for(room.sim, 86400ULL * 1000);
    hy_hosts_prune(room.hosts);
    /* Free and known: not from here to Suspend. Absent: anything. */
    assert_int_equal(room_set(&room, "tcp://10.0.0.1:1", HY_HOST_SUSPEND), HYPHA_ERR_HOST_BLOCKED);
    hy_sim_run_for(room.sim, 1);
    hy_hosts_prune(room.hosts);
    must(room_set(&room, "tcp://10.0.0.1:1", HY_HOST_SUSPEND));
    assert_int_equal(room_state(&room, "tcp://10.0.0.2:1"), HY_HOST_CONNECT); /* never busy ones */
    room_close(&room);
}

/* spec: network.md 4.1: above 20000 the oldest Free ones until 18000 are left
 */
static void test_surplus_is_pruned(void **state)
{
    struct hosts_room room;
    char url[48];
    size_t left = 0;

    (void)state;
    room_open(&room, &plan, 1);
    for (unsigned i = 0; i < 20001; i++) {
        (void)snprintf(url, sizeof url, "tcp://10.%u.%u.%u:1", i >> 16, i >> 8 & 255, i & 255);
        must(room_set(&room, url, HY_HOST_CONNECTED));
        if (i >= 5)
            room_free(&room, url);
        if (i == 20000 - 1) {
            hy_hosts_prune(room.hosts); /* exactly 20000: all stay */
            hy_sim_run_for(room.sim, 1);
        }
        if (i % 100 == 0)
            hy_sim_run_for(room.sim, 1);
    }
    hy_hosts_prune(room.hosts);
    for (unsigned i = 0; i < 20001; i++) {
        enum hypha_err err;

        (void)snprintf(url, sizeof url, "tcp://10.%u.%u.%u:1", i >> 16, i >> 8 & 255, i & 255);
        err = room_set(&room, url, HY_HOST_SUSPEND); /* taken by absent ones only */
        assert_true(err == HYPHA_OK || err == HYPHA_ERR_HOST_BLOCKED);
        left += err == HYPHA_OK ? 0 : 1;
        if (i < 5)
            assert_int_equal(room_state(&room, url), HY_HOST_CONNECTED);
        else if (i < 1900)
            assert_int_equal(err, HYPHA_OK);
        else if (i > 2200)
            assert_int_equal(err, HYPHA_ERR_HOST_BLOCKED);
    }
    assert_int_equal(left, 18000);
    room_close(&room);
}

/* The refinery's pause while offline. spec: network.md 7.7 */
static void test_unsuspend(void **state)
{
    struct hosts_room room;

    (void)state;
    room_open(&room, &plan, 1);
    assert_int_equal(room_receive(&room, "tcp://10.0.0.1:1", 0), HY_VERDICT_GREY);
    must(room_set(&room, "tcp://10.0.0.1:1", HY_HOST_CONNECT));
    must(room_move(&room, "tcp://10.0.0.1:1", HYPHA_COLOUR_GREY, HY_HOST_SUSPEND));
    assert_int_equal(room_state(&room, "tcp://10.0.0.1:1"), HY_HOST_SUSPEND);
    assert_int_equal(hy_hosts_busy_count(room.hosts), 0);
    hy_sim_run_for(room.sim, 1);
    memset(room.told, 0, sizeof room.told);
    hy_hosts_unsuspend(room.hosts);
    assert_int_equal(room_state(&room, "tcp://10.0.0.1:1"), HY_HOST_FREE);
    assert_int_equal(room.told[HY_HOSTS_FREED], 0); /* never from inside the call */
    hy_sim_run_for(room.sim, 1);
    assert_int_equal(room.told[HY_HOSTS_FREED], 1);
    room_close(&room);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_every_pair),
        cmocka_unit_test(test_set_obeys_the_table),
        cmocka_unit_test(test_one_host_many_spellings),
        cmocka_unit_test(test_old_entries_are_pruned),
        cmocka_unit_test(test_surplus_is_pruned),
        cmocka_unit_test(test_unsuspend),
    };

    return cmocka_run_group_tests_name("registry", tests, NULL, NULL);
}
