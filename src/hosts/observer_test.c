/* observer_test.c - who watches the lists sees every move, and disturbs none. */
#include "fakes/hosts_fixture.h"

#include "base/alloc.h"

#include <stdio.h>

static const struct hosts_plan plan = { .active = { "tcp" } };

/* What an observer heard, as text. */
static char heard[512];

static void on_move(void *user, const struct hypha_url *url, enum hypha_colour colour)
{
    struct hosts_room *room = user;
    size_t len = strlen(heard);

    (void)snprintf(heard + len, sizeof heard - len, "%u %s|", (unsigned)hypha_url_port(url),
        hy_colour_name(colour));
    if (hypha_url_port(url) == 7) /* an observer may do anything */
        hy_hosts_remove(room->hosts, url);
    if (hypha_url_port(url) == 8)
        hy_hosts_set_observer(room->hosts, NULL, NULL);
}

/* Every move, in order, at the end of its turn; nothing while nobody looks. */
static void test_observer(void **state)
{
    struct hosts_room room;

    (void)state;
    heard[0] = '\0';
    room_open(&room, &plan, 1);
    (void)room_receive(&room, "tcp://8.8.8.1:1", HY_SIM_START_WALL_S);
    hy_sim_run_for(room.sim, 1);
    hy_hosts_set_observer(room.hosts, on_move, &room);
    (void)room_receive(&room, "tcp://8.8.8.2:2", HY_SIM_START_WALL_S);
    must(room_move(&room, "tcp://8.8.8.1:1", HYPHA_COLOUR_WHITE, HY_HOST_FREE));
    must(room_move(&room, "tcp://8.8.8.1:1", HYPHA_COLOUR_WHITE, HY_HOST_FREE)); /* no move */
    must(room_move(&room, "tcp://8.8.8.1:1", HYPHA_COLOUR_GOLD, HY_HOST_CONNECTED));
    must(room_move(&room, "tcp://8.8.8.2:2", HYPHA_COLOUR_BLACK, HY_HOST_FREE));
    (void)room_receive(&room, "tcp+tls://8.8.8.3:3", HY_SIM_START_WALL_S);
    assert_string_equal(heard, "");
    hy_sim_run_for(room.sim, 1);
    assert_string_equal(heard, "2 grey|1 white|1 gold|2 black|3 dark|");
    heard[0] = '\0';
    (void)room_receive(&room, "tcp://8.8.8.7:7", HY_SIM_START_WALL_S);
    hy_sim_run_for(room.sim, 1);
    assert_string_equal(heard, "7 grey|7 none|");
    heard[0] = '\0';
    (void)room_receive(&room, "tcp://8.8.8.8:8", HY_SIM_START_WALL_S);
    (void)room_receive(&room, "tcp://8.8.8.9:9", HY_SIM_START_WALL_S);
    hy_sim_run_for(room.sim, 1);
    assert_string_equal(heard, "8 grey|"); /* it did not want more */
    hy_hosts_set_observer(room.hosts, on_move, &room);
    (void)room_receive(&room, "tcp://8.8.8.10:10", HY_SIM_START_WALL_S);
    room_close(&room); /* what was not told yet is not told */
    assert_string_equal(heard, "8 grey|");
}

static void count_moves(void *user, const struct hypha_url *url, enum hypha_colour colour)
{
    size_t *count = user;

    (void)url;
    (void)colour;
    (*count)++;
}

/* Without memory a move is not told, but it happens; and a turn's worth has a limit. */
static void test_left_out(void **state)
{
    struct hypha_url *url = fixture_url("tcp://8.8.8.8:1");
    struct hosts_room room;
    size_t count = 0;

    (void)state;
    room_open(&room, &plan, 1);
    must(room_move(&room, "tcp://8.8.8.8:1", HYPHA_COLOUR_WHITE, HY_HOST_FREE));
    hy_hosts_set_observer(room.hosts, count_moves, &count);
    hy_alloc_fail_after(0);
    hy_hosts_remove(room.hosts, url);
    hy_alloc_fail_after(SIZE_MAX);
    assert_int_equal(room_colour(&room, "tcp://8.8.8.8:1", NULL), HYPHA_COLOURS);
    hy_sim_run_for(room.sim, 1);
    assert_int_equal(count, 0);
    for (unsigned i = 0; i < 10000; i++) {
        (void)hy_hosts_receive_one(room.hosts, url, HY_SIM_START_WALL_S);
        hy_hosts_remove(room.hosts, url);
    }
    hy_sim_run_for(room.sim, 1);
    assert_int_equal(count, 8192);
    hypha_url_unref(url);
    room_close(&room);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_observer),
        cmocka_unit_test(test_left_out),
    };

    return cmocka_run_group_tests_name("observer", tests, NULL, NULL);
}
