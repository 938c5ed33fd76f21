/* pick_test.c - who is dialled next, and who is left alone. spec:
 * network.md 7.4, 7.5, 7.7 */
#include "fakes/hosts_fixture.h"

#include <stdio.h>

#define NOW HY_SIM_START_WALL_S

static const struct hosts_plan plan = {
    .active = { "tcp" },
    .external = { "tcp://own.example:1" },
    .seeds = { "tcp://8.8.7.1:1" },
};

static void add(struct hosts_room *room, const char *url, enum hypha_colour colour)
{
    assert_int_equal(room_receive(room, url, NOW), HY_VERDICT_GREY);
    if (colour != HYPHA_COLOUR_GREY)
        must(room_move(room, url, colour, HY_HOST_FREE));
}

/* The colour of whoever is picked; HYPHA_COLOURS: nobody. */
static enum hypha_colour pick(struct hosts_room *room, uint32_t slot, uint32_t slots)
{
    struct hypha_url *url = NULL;
    enum hypha_colour colour = HYPHA_COLOURS;
    enum hypha_err err = hy_hosts_pick(room->hosts, slot, slots, &url);

    if (err != HYPHA_OK) {
        assert_int_equal(err, HYPHA_ERR_NOT_FOUND);
        assert_null(url);
        return colour;
    }
    assert_true(hy_hosts_find(room->hosts, url, &colour, NULL));
    assert_int_equal(hy_hosts_state(room->hosts, url), HY_HOST_CONNECT);
    hypha_url_unref(url);
    return colour;
}

/* spec: network.md MUST 7.4-b, 7.4-d
 * Index < max(1, known) prefer gold, white, grey; others the reverse; all fall back */
static void test_preference(void **state)
{
    static const struct {
        uint32_t slot, slots;
        int percent;
        bool known;
    } rows[] = {
        { 0, 1, 70, true }, /* R: never gold or white */
        { 0, 8, 70, true }, { 4, 8, 70, true }, { 5, 8, 70, false }, { 7, 8, 70, false },
        { 0, 8, 1, true }, { 1, 8, 1, false }, { 7, 10, 100, true },
        { 8, 10, 100, false }, /* capped at 80 */
    };

    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct hosts_plan custom = plan;
        struct hosts_room room;
        enum hypha_colour first = rows[i].known ? HYPHA_COLOUR_GOLD : HYPHA_COLOUR_GREY;
        enum hypha_colour last = rows[i].known ? HYPHA_COLOUR_GREY : HYPHA_COLOUR_GOLD;

        custom.known_percent = rows[i].percent;
        room_open(&room, &custom, i);
        add(&room, "tcp://8.8.8.1:1", HYPHA_COLOUR_GREY);
        add(&room, "tcp://8.8.8.2:1", HYPHA_COLOUR_WHITE);
        add(&room, "tcp://8.8.8.3:1", HYPHA_COLOUR_GOLD);
        assert_int_equal(pick(&room, rows[i].slot, rows[i].slots), first);
        assert_int_equal(pick(&room, rows[i].slot, rows[i].slots), HYPHA_COLOUR_WHITE);
        assert_int_equal(pick(&room, rows[i].slot, rows[i].slots), last); /* falls back */
        assert_int_equal(pick(&room, rows[i].slot, rows[i].slots), HYPHA_COLOURS);
        room_close(&room);
    }
}

/* spec: network.md MUST 7.4-d: grey never with disable_greys */
static void test_disable_greys(void **state)
{
    struct hosts_plan custom = plan;
    struct hosts_room room;

    (void)state;
    custom.disable_greys = true;
    room_open(&room, &custom, 1);
    add(&room, "tcp://8.8.8.1:1", HYPHA_COLOUR_GREY);
    assert_false(hy_hosts_has_untried(room.hosts));
    assert_int_equal(pick(&room, 7, 8), HYPHA_COLOURS);
    add(&room, "tcp://8.8.8.2:1", HYPHA_COLOUR_WHITE);
    assert_true(hy_hosts_has_untried(room.hosts));
    assert_int_equal(pick(&room, 7, 8), HYPHA_COLOUR_WHITE);
    room_close(&room);
}

/* spec: network.md MUST 7.4-c
 * Drawn from hosts Free or absent only, so nobody is missed */
static void test_all_free_ones_are_found(void **state)
{
    struct hosts_room room;
    char url[48];

    (void)state;
    room_open(&room, &plan, 7);
    for (unsigned i = 1; i <= 97; i++) {
        (void)snprintf(url, sizeof url, "tcp://8.8.8.%u:1", i);
        add(&room, url, HYPHA_COLOUR_WHITE);
        if (i % 3 == 0)
            must(room_set(&room, url, HY_HOST_CONNECTED));
    }
    for (unsigned i = 0; i < 97 - 32; i++)
        assert_int_equal(pick(&room, 0, 1), HYPHA_COLOUR_WHITE);
    assert_int_equal(pick(&room, 0, 1), HYPHA_COLOURS);
    room_close(&room);
}

/* spec: network.md MUST 7.4-c: every one of a group is drawn about as often as the others */
static void test_shuffled(void **state)
{
    enum { HOSTS = 10, DRAWS = 5000 };
    unsigned drawn[HOSTS] = { 0 };
    struct hosts_room room;
    char text[48];

    (void)state;
    room_open(&room, &plan, 3);
    for (unsigned i = 0; i < HOSTS; i++) {
        (void)snprintf(text, sizeof text, "tcp://8.8.8.8:%u", i + 1);
        add(&room, text, HYPHA_COLOUR_WHITE);
    }
    for (unsigned i = 0; i < DRAWS; i++) {
        struct hypha_url *url = NULL;

        must(hy_hosts_pick(room.hosts, 0, 1, &url));
        drawn[hypha_url_port(url) - 1]++;
        hy_hosts_free(room.hosts, url);
        hypha_url_unref(url);
    }
    for (unsigned i = 0; i < HOSTS; i++)
        assert_in_range(drawn[i], DRAWS / HOSTS * 8 / 10, DRAWS / HOSTS * 12 / 10);
    room_close(&room);
}

/* Seeds, own, banned and undialable ones are never picked. */
static void test_exclusions(void **state)
{
    static const struct hosts_plan before = { .active = { "tcp", "tcp+tls" } };
    struct hy_resolved_settings *settings = fixture_settings(&before);
    struct hosts_room room;
    struct hypha_url *any_port = fixture_url("tcp://8.8.8.2");

    (void)state;
    room_open(&room, &plan, 1);
    must(hy_hosts_set_settings(room.hosts, settings));
    add(&room, "tcp://8.8.7.1:1", HYPHA_COLOUR_GREY);      /* a seed */
    add(&room, "tcp://own.example:7", HYPHA_COLOUR_WHITE); /* own */
    add(&room, "tcp+tls://8.8.8.1:1", HYPHA_COLOUR_WHITE); /* undialable */
    must(hy_hosts_set_settings(room.hosts, room.settings));
    assert_int_equal(room_colour(&room, "tcp://8.8.7.1:1", NULL), HYPHA_COLOURS);
    add(&room, "tcp://[2606:4700::1]:1", HYPHA_COLOUR_GREY);
    hy_hosts_ipv6_unreachable(room.hosts);
    must(hy_hosts_ban(room.hosts, any_port, 0, HYPHA_ERR_MAGIC));
    assert_false(hy_hosts_has_untried(room.hosts));
    assert_int_equal(pick(&room, 0, 1), HYPHA_COLOURS);
    assert_int_equal(pick(&room, 7, 8), HYPHA_COLOURS);
    hypha_url_unref(any_port);
    room_close(&room);
    hy_resolved_settings_destroy(settings);
}

static void fail_dial(struct hosts_room *room, const char *url)
{
    must(room_set(room, url, HY_HOST_CONNECT));
    must(room_move(room, url, HYPHA_COLOUR_GREY, HY_HOST_SUSPEND));
}

/* spec: network.md MUST 7.5-d: what counts as not tried
 * Also 4.1 (Suspend), 10 (back-off) */
static void test_never_too_soon(void **state)
{
    static const char a[] = "tcp://8.8.8.1:1", b[] = "tcp://8.8.8.2:1";
    struct hypha_url *url = NULL;
    struct hosts_room room;

    (void)state;
    room_open(&room, &plan, 1);
    add(&room, a, HYPHA_COLOUR_GREY);
    assert_true(hy_hosts_has_untried(room.hosts));
    fail_dial(&room, a);
    assert_int_equal(pick(&room, 0, 1), HYPHA_COLOURS); /* quarantined */
    hy_hosts_unsuspend(room.hosts);
    assert_int_equal(pick(&room, 0, 1), HYPHA_COLOURS); /* just failed */
    assert_false(hy_hosts_has_untried(room.hosts));
    hy_sim_run_for(room.sim, 59999);
    assert_false(hy_hosts_has_untried(room.hosts));
    hy_sim_run_for(room.sim, 1);
    assert_true(hy_hosts_has_untried(room.hosts));
    assert_int_equal(pick(&room, 0, 1), HYPHA_COLOUR_GREY);
    /* After the second failure in a row others go first for two minutes and a
     * bit. */
    must(room_move(&room, a, HYPHA_COLOUR_GREY, HY_HOST_SUSPEND));
    hy_hosts_unsuspend(room.hosts);
    add(&room, b, HYPHA_COLOUR_GREY);
    hy_sim_run_for(room.sim, 61000);
    for (int i = 0; i < 20; i++) {
        must(hy_hosts_pick(room.hosts, 7, 8, &url));
        assert_string_equal(hypha_url_text(url), "tcp://8.8.8.2:1/");
        hy_hosts_free(room.hosts, url);
        hypha_url_unref(url);
    }
    must(room_set(&room, b, HY_HOST_CONNECT));
    assert_int_equal(pick(&room, 0, 1), HYPHA_COLOUR_GREY); /* rather than nobody */
    /* Success wipes the slate. */
    must(room_move(&room, a, HYPHA_COLOUR_GOLD, HY_HOST_CONNECTED));
    must(room_move(&room, a, HYPHA_COLOUR_GREY, HY_HOST_FREE));
    assert_int_equal(pick(&room, 0, 1), HYPHA_COLOUR_GREY);
    room_close(&room);
}

/* spec: network.md MUST 7.7-a
 * Suspended first; Refine is set at selection, so that all can go on (11.2) */
static void test_refine(void **state)
{
    struct hypha_url *url = NULL;
    struct hosts_room room;

    (void)state;
    room_open(&room, &plan, 1);
    assert_int_equal(hy_hosts_pick_refine(room.hosts, &url), HYPHA_ERR_NOT_FOUND);
    for (unsigned i = 1; i <= 20; i++) {
        char text[32];

        (void)snprintf(text, sizeof text, "tcp://8.8.8.%u:1", i);
        add(&room, text, HYPHA_COLOUR_GREY);
    }
    add(&room, "tcp://8.8.9.1:1", HYPHA_COLOUR_WHITE);
    must(room_set(&room, "tcp://8.8.8.3:1", HY_HOST_CONNECT));
    fail_dial(&room, "tcp://8.8.8.7:1");
    must(hy_hosts_pick_refine(room.hosts, &url));
    assert_string_equal(hypha_url_text(url), "tcp://8.8.8.7:1/");
    assert_int_equal(hy_hosts_state(room.hosts, url), HY_HOST_REFINE);
    must(hy_hosts_move(room.hosts, url, HYPHA_COLOUR_WHITE, HY_HOST_FREE));
    hypha_url_unref(url);
    for (int i = 0; i < 18; i++) {
        enum hypha_colour colour;

        must(hy_hosts_pick_refine(room.hosts, &url));
        assert_true(hy_hosts_find(room.hosts, url, &colour, NULL));
        assert_int_equal(colour, HYPHA_COLOUR_GREY);
        hy_hosts_remove(room.hosts, url); /* failed */
        hy_hosts_free(room.hosts, url);
        hypha_url_unref(url);
    }
    assert_int_equal(hy_hosts_pick_refine(room.hosts, &url), HYPHA_ERR_NOT_FOUND);
    assert_int_equal(hy_hosts_count(room.hosts, HYPHA_COLOUR_GREY), 1); /* the busy one */
    room_close(&room);
}

/* ---- groups ---- */

static void pick_url(struct hosts_room *room, char into[64])
{
    struct hypha_url *url = NULL;

    must(hy_hosts_pick(room->hosts, 0, 8, &url));
    (void)snprintf(into, 64, "%s", hypha_url_text(url));
    hypha_url_unref(url);
}

/* spec: network.md MUST 10-a
 * Another group before another host of one in use, even in a colour that ranks lower; one in use
 * rather than nobody. */
static void test_one_peer_per_group(void **state)
{
    struct hosts_room room;
    char text[64];

    (void)state;
    for (uint64_t seed = 0; seed < 20; seed++) {
        room_open(&room, &plan, seed);
        for (unsigned i = 1; i <= 9; i++) {
            (void)snprintf(text, sizeof text, "tcp://8.8.8.%u:1", i);
            add(&room, text, HYPHA_COLOUR_WHITE);
        }
        add(&room, "tcp://9.9.9.9:1", HYPHA_COLOUR_WHITE);
        add(&room, "tcp://7.7.7.7:1", HYPHA_COLOUR_GREY);
        add(&room, "tcp://[2606:4700::1]:1", HYPHA_COLOUR_GREY);
        add(&room, "tcp://[2606:4700:5::1]:1", HYPHA_COLOUR_GREY);
        bool seen[4] = { false };
        for (int i = 0; i < 4; i++) {
            pick_url(&room, text);
            size_t group = text[6] == '8' ? 0 : text[6] == '9' ? 1 : text[6] == '7' ? 2 : 3;

            assert_false(seen[group]);
            seen[group] = true;
            assert_true(i < 2 ? group < 2 : group >= 2); /* white first */
        }
        pick_url(&room, text); /* white before grey again */
        assert_memory_equal(text, "tcp://8.8.8.", 12);
        room_close(&room);
    }
}

/* A slot that lets go of its host gives the group back. */
static void test_group_is_given_back(void **state)
{
    enum way { HELD, CONNECTED, FREED, CLOSED, FAILED, WAYS };

    (void)state;
    for (int way = HELD; way < WAYS; way++) {
        struct hosts_room room;
        char text[64];

        room_open(&room, &plan, 1);
        add(&room, "tcp://8.8.8.1:1", HYPHA_COLOUR_WHITE);
        pick_url(&room, text);
        if (way == CONNECTED || way == CLOSED)
            must(room_move(&room, text, HYPHA_COLOUR_GOLD, HY_HOST_CONNECTED));
        if (way == FREED)
            room_free(&room, text);
        if (way == CLOSED)
            must(room_move(&room, text, HYPHA_COLOUR_GREY, HY_HOST_FREE));
        if (way == FAILED)
            must(room_move(&room, text, HYPHA_COLOUR_GREY, HY_HOST_SUSPEND));
        if (way >= FREED) /* by hand: no slot's */
            must(room_set(&room, text, HY_HOST_CONNECT));
        add(&room, "tcp://8.8.8.2:1", HYPHA_COLOUR_WHITE);
        add(&room, "tcp://9.9.9.9:1", HYPHA_COLOUR_GREY);
        assert_int_equal(pick(&room, 0, 1), way >= FREED ? HYPHA_COLOUR_WHITE : HYPHA_COLOUR_GREY);
        room_close(&room);
    }
}

/* Each group is as likely as the others, whatever the number of its addresses. */
static void test_groups_are_equal(void **state)
{
    enum { DRAWS = 3000 };
    struct hosts_room room;
    unsigned small = 0;
    char text[64];

    (void)state;
    room_open(&room, &plan, 5);
    for (unsigned i = 0; i < 200; i++) {
        (void)snprintf(text, sizeof text, "tcp://88.1.1.%u:1", i);
        add(&room, text, HYPHA_COLOUR_WHITE);
    }
    add(&room, "tcp://8.8.8.1:1", HYPHA_COLOUR_WHITE);
    add(&room, "tcp://9.9.9.9:1", HYPHA_COLOUR_WHITE);
    for (unsigned i = 0; i < DRAWS; i++) {
        pick_url(&room, text);
        small += strncmp(text, "tcp://88.", 9) != 0 ? 1 : 0;
        room_free(&room, text);
    }
    assert_in_range(small, DRAWS * 2 / 3 * 9 / 10, DRAWS * 2 / 3 * 11 / 10);
    room_close(&room);
}

/* On localnet every port is a group of its own: eight nodes of one machine are eight peers. */
static void test_groups_on_localnet(void **state)
{
    static const struct hosts_plan localnet = { .active = { "tcp" }, .localnet = true };
    struct hosts_room room;
    unsigned small = 0;
    char text[64];

    (void)state;
    room_open(&room, &localnet, 6);
    for (unsigned i = 1; i <= 40; i++) {
        (void)snprintf(text, sizeof text, "tcp://127.0.0.1:%u", i);
        add(&room, text, HYPHA_COLOUR_WHITE);
    }
    add(&room, "tcp://127.0.0.2:1", HYPHA_COLOUR_WHITE);
    for (unsigned i = 0; i < 1000; i++) {
        pick_url(&room, text);
        small += strncmp(text, "tcp://127.0.0.2", 15) == 0 ? 1 : 0;
        room_free(&room, text);
    }
    assert_in_range(small, 5, 60); /* one of 41 */
    for (unsigned i = 0; i < 41; i++)
        pick_url(&room, text);
    room_close(&room);
}

/* spec: network.md MUST 10-f, 10-g: each pause is a little longer or shorter than the last time */
static void test_back_off(void **state)
{
    static const char url[] = "tcp://8.8.8.1:1", other[] = "tcp://8.8.8.2:1";
    uint64_t first = 0;
    bool differs = false;

    (void)state;
    for (uint64_t seed = 0; seed < 4; seed++) {
        struct hosts_room room;

        room_open(&room, &plan, seed);
        add(&room, url, HYPHA_COLOUR_WHITE);
        for (unsigned failures = 0; failures < 9; failures++) {
            uint64_t pause_ms = 60000ULL << (failures < 6 ? failures : 6), waited_ms = 0;
            enum hypha_colour colour = HYPHA_COLOURS;

            must(room_set(&room, url, HY_HOST_CONNECT));
            must(room_move(&room, url, HYPHA_COLOUR_GREY, HY_HOST_SUSPEND));
            /* The other one is worse in all but that: it is taken until the pause is over. */
            while (colour != HYPHA_COLOUR_WHITE) {
                if (room_colour(&room, other, NULL) == HYPHA_COLOURS)
                    add(&room, other, HYPHA_COLOUR_GREY);
                colour = pick(&room, 0, 1);
                room_free(&room, colour == HYPHA_COLOUR_WHITE ? url : other);
                if (colour == HYPHA_COLOUR_WHITE)
                    break;
                hy_sim_run_for(room.sim, 1000);
                waited_ms += 1000;
            }
            assert_in_range(waited_ms, pause_ms, pause_ms * 5 / 4 + 1000);
            if (failures == 5 && seed == 0)
                first = waited_ms;
            differs = differs || (failures == 5 && waited_ms != first);
        }
        room_close(&room);
    }
    assert_true(differs);
}

/* has_untried() remembers its answer; whatever could change it makes it look again. */
static void test_untried_again(void **state)
{
    static const char a[] = "tcp://8.8.8.1:1";
    struct hosts_room room;

    (void)state;
    room_open(&room, &plan, 1);
    assert_false(hy_hosts_has_untried(room.hosts));
    add(&room, a, HYPHA_COLOUR_GREY);
    assert_true(hy_hosts_has_untried(room.hosts));
    must(room_set(&room, a, HY_HOST_CONNECT));
    assert_false(hy_hosts_has_untried(room.hosts));
    room_free(&room, a);
    assert_false(hy_hosts_has_untried(room.hosts));
    hy_sim_run_for(room.sim, 60000);
    assert_true(hy_hosts_has_untried(room.hosts));
    add(&room, "tcp://[2606:4700::1]:1", HYPHA_COLOUR_WHITE);
    hy_hosts_ipv6_unreachable(room.hosts);
    must(room_set(&room, a, HY_HOST_CONNECT));
    assert_false(hy_hosts_has_untried(room.hosts));
    hy_sim_run_for(room.sim, 10ULL * 60000);
    assert_true(hy_hosts_has_untried(room.hosts));
    /* Who failed twice in a row is nobody to wait for. */
    room_free(&room, a);
    must(room_move(&room, "tcp://[2606:4700::1]:1", HYPHA_COLOUR_BLACK, HY_HOST_FREE));
    for (int i = 0; i < 2; i++) {
        fail_dial(&room, a);
        hy_hosts_unsuspend(room.hosts);
    }
    hy_sim_run_for(room.sim, 3600000);
    assert_false(hy_hosts_has_untried(room.hosts));
    assert_int_equal(pick(&room, 0, 1), HYPHA_COLOUR_GREY); /* but to try */
    room_close(&room);
}

/* A seed visits the one seen longest ago, or in doubt any. spec: apps.md 7.2 */
static void test_pick_white(void **state)
{
    struct hypha_url *url = NULL;
    bool seen[3] = { false };
    struct hosts_room room;
    char text[48];

    (void)state;
    room_open(&room, &plan, 1);
    assert_int_equal(hy_hosts_pick_white(room.hosts, false, &url), HYPHA_ERR_NOT_FOUND);
    assert_int_equal(hy_hosts_pick_white(room.hosts, true, &url), HYPHA_ERR_NOT_FOUND);
    for (unsigned i = 0; i < 3; i++) {
        (void)snprintf(text, sizeof text, "tcp://8.8.8.%u:1", i);
        add(&room, text, HYPHA_COLOUR_WHITE);
        hy_sim_run_for(room.sim, 1000);
    }
    for (int i = 0; i < 3; i++) { /* one that is busy holds nobody up */
        must(hy_hosts_pick_white(room.hosts, false, &url));
        (void)snprintf(text, sizeof text, "tcp://8.8.8.%d:1/", i);
        assert_string_equal(hypha_url_text(url), text);
        assert_int_equal(hy_hosts_state(room.hosts, url), HY_HOST_REFINE);
        hypha_url_unref(url);
    }
    assert_int_equal(hy_hosts_pick_white(room.hosts, false, &url), HYPHA_ERR_NOT_FOUND);
    for (int i = 0; i < 3; i++) {
        (void)snprintf(text, sizeof text, "tcp://8.8.8.%d:1", i);
        room_free(&room, text);
    }
    for (int i = 0; i < 50; i++) {
        must(hy_hosts_pick_white(room.hosts, true, &url));
        seen[hypha_url_text(url)[12] - '0'] = true;
        hy_hosts_free(room.hosts, url);
        hypha_url_unref(url);
    }
    assert_true(seen[0] && seen[1] && seen[2]);
    room_close(&room);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_preference),
        cmocka_unit_test(test_disable_greys),
        cmocka_unit_test(test_all_free_ones_are_found),
        cmocka_unit_test(test_shuffled),
        cmocka_unit_test(test_exclusions),
        cmocka_unit_test(test_never_too_soon),
        cmocka_unit_test(test_refine),
        cmocka_unit_test(test_one_peer_per_group),
        cmocka_unit_test(test_group_is_given_back),
        cmocka_unit_test(test_groups_are_equal),
        cmocka_unit_test(test_groups_on_localnet),
        cmocka_unit_test(test_back_off),
        cmocka_unit_test(test_untried_again),
        cmocka_unit_test(test_pick_white),
    };

    return cmocka_run_group_tests_name("pick", tests, NULL, NULL);
}
