/* book_test.c - who has a place in the address book, and who never loses it. spec: network.md 4.2,
 * network.md 10 (buckets, feelers) */
#include "fakes/hosts_fixture.h"

#include "base/alloc.h"
#include "hosts/host.h"

#include <stdio.h>

#define NOW HY_SIM_START_WALL_S
#define DAY 86400U

static const struct hosts_plan plan = { .active = { "tcp" } };

/* One address of an addr message from `source`. */
static size_t hear(
    struct hosts_room *room, const char *text, uint64_t last_seen, const char *source)
{
    struct hy_addr_entry entry = { fixture_url(text), last_seen };
    struct hypha_url *from = source != NULL ? fixture_url(source) : NULL;
    struct hy_addr_out out = { &entry, 1 };
    struct hypha_writer w = { 0 };
    struct hypha_reader r;
    struct hy_addr addr = { 0 };
    size_t inserted = 0;

    hy_core_messages[HY_MESSAGE_ADDR].write(&w, &out);
    r = hypha_reader_of(hypha_writer_span(&w));
    hy_core_messages[HY_MESSAGE_ADDR].read(&r, &addr);
    must(hypha_reader_end(&r));
    must(hy_hosts_receive(room->hosts, &addr, from, &inserted));
    hypha_url_unref(from);
    hypha_url_unref((struct hypha_url *)(uintptr_t)entry.url);
    hypha_writer_fini(&w);
    return inserted;
}

static size_t grey(struct hosts_room *room)
{
    return hy_hosts_count(room->hosts, HYPHA_COLOUR_GREY);
}

/* Cells and lists say the same. */
static void check_cells(struct hosts_room *room)
{
    struct hy_book *book = &room->hosts->book;
    size_t greys = 0, whites = 0, outside = 0;
    struct hy_host *host, *next;

    HASH_ITER (hh, room->hosts->records, host, next) {
        bool gold = host->colour == HYPHA_COLOUR_GOLD;

        if (host->colour == HYPHA_COLOUR_GREY || host->colour == HYPHA_COLOUR_WHITE)
            assert_non_null(host->cell);
        if (host->cell == NULL) {
            outside += gold ? 1 : 0;
            continue;
        }
        assert_true(
            gold || host->colour == HYPHA_COLOUR_GREY || host->colour == HYPHA_COLOUR_WHITE);
        assert_ptr_equal(*host->cell, host);
    }
    for (size_t i = 0; book->grey != NULL && i < HY_MAX_GREY; i++)
        greys += book->grey[i] != NULL ? 1 : 0;
    for (size_t i = 0; book->white != NULL && i < HY_MAX_WHITE; i++)
        whites += book->white[i] != NULL ? 1 : 0;
    assert_int_equal(greys, hy_book_count(book, HYPHA_COLOUR_GREY));
    assert_int_equal(whites + outside,
        hy_book_count(book, HYPHA_COLOUR_WHITE) + hy_book_count(book, HYPHA_COLOUR_GOLD));
}

/* One mouth fills 8 buckets of 64, one network told of by one mouth a single bucket. */
static void test_one_source(void **state)
{
    struct hosts_room room;
    char url[48];

    (void)state;
    room_open(&room, &plan, 1);
    for (unsigned i = 0; i < 3000; i++) {
        (void)snprintf(url, sizeof url, "tcp://88.1.%u.%u:1", i >> 8, i & 255);
        (void)hear(&room, url, UINT64_MAX, "tcp://8.8.8.8:50000");
    }
    assert_int_equal(grey(&room), HY_GREY_CELLS);
    for (unsigned i = 0; i < 3000; i++) {
        (void)snprintf(url, sizeof url, "tcp://%u.%u.1.1:1", 20 + i % 60, i / 60);
        (void)hear(&room, url, UINT64_MAX, i % 2 == 0 ? "tcp://8.8.8.8:50000" : "tcp://8.8.9.9:1");
    }
    assert_int_equal(grey(&room), HY_BUCKETS_OF_SOURCE * HY_GREY_CELLS);
    check_cells(&room);
    room_close(&room);
}

/* Whoever has a cell keeps it, however many come later with whatever times, by whichever mouths:
 * nothing is trimmed over the whole list. */
static void test_nobody_is_pushed_out(void **state)
{
    enum { HONEST = 100 };
    struct hosts_room room;
    char url[48], source[48];
    size_t kept = 0;

    (void)state;
    room_open(&room, &plan, 2);
    for (unsigned i = 0; i < HONEST; i++) {
        (void)snprintf(url, sizeof url, "tcp://%u.7.1.1:1", 20 + i);
        (void)snprintf(source, sizeof source, "tcp://%u.9.1.1:1", 20 + i % 10);
        kept += hear(&room, url, NOW - i * 1000, source);
    }
    assert_int_equal(kept, HONEST);
    for (unsigned i = 0; i < 20000; i++) {
        (void)snprintf(
            url, sizeof url, "tcp://%u.%u.%u.1:1", 150 + i % 40, i / 40 % 250, i / 10000);
        (void)snprintf(source, sizeof source, "tcp://%u.%u.1.1:1", 130 + i % 8, i / 8 % 200);
        (void)hear(&room, url, UINT64_MAX, source);
    }
    for (unsigned i = 0; i < HONEST; i++) {
        (void)snprintf(url, sizeof url, "tcp://%u.7.1.1:1", 20 + i);
        assert_int_equal(room_colour(&room, url, NULL), HYPHA_COLOUR_GREY);
    }
    assert_in_range(grey(&room), HY_MAX_GREY * 95 / 100, HY_MAX_GREY);
    check_cells(&room);
    room_close(&room);
}

/* 32 hosts of one network in their one bucket, told by `source`. */
static void fill_bucket(struct hosts_room *room, uint64_t last_seen, const char *source)
{
    char url[48];

    for (unsigned i = 0; i < HY_GREY_CELLS; i++) {
        (void)snprintf(url, sizeof url, "tcp://88.1.0.%u:1", i);
        assert_int_equal(hear(room, url, last_seen, source), 1);
    }
}

/* A full bucket: the newcomer goes, but for a failed entry, and for hearsay far older than its
 * own that the refinery had a day to look at. */
static void test_who_is_displaced(void **state)
{
    static const char source[] = "tcp://8.8.8.8:1", newcomer[] = "tcp://88.1.1.1:1";
    struct hosts_room room;

    (void)state;
    room_open(&room, &plan, 3);
    fill_bucket(&room, NOW - 20 * DAY, source);
    assert_int_equal(hear(&room, newcomer, NOW, source), 0);
    assert_int_equal(room_receive(&room, newcomer, NOW), HY_VERDICT_GREY); /* another bucket */
    assert_int_equal(hear(&room, "tcp://88.1.1.2:1", NOW, source), 0);

    /* A failed one is given up first. */
    must(room_set(&room, "tcp://88.1.0.9:1", HY_HOST_CONNECT));
    must(room_move(&room, "tcp://88.1.0.9:1", HYPHA_COLOUR_GREY, HY_HOST_SUSPEND));
    assert_int_equal(hear(&room, "tcp://88.1.1.2:1", NOW, source), 1);
    assert_int_equal(room_colour(&room, "tcp://88.1.0.9:1", NULL), HYPHA_COLOURS);
    assert_int_equal(room_state(&room, "tcp://88.1.0.9:1"), HY_HOST_FREE);
    assert_int_equal(hear(&room, "tcp://88.1.1.3:1", NOW, source), 0);

    /* After a day what is a week older goes, but not who is in use, nor who was reached. */
    must(room_set(&room, "tcp://88.1.0.0:1", HY_HOST_CONNECT));
    must(room_move(&room, "tcp://88.1.0.1:1", HYPHA_COLOUR_WHITE, HY_HOST_FREE));
    must(room_move(&room, "tcp://88.1.0.1:1", HYPHA_COLOUR_GREY, HY_HOST_FREE));
    hy_sim_run_for(room.sim, 1000ULL * DAY);
    for (unsigned i = 0; i < 100; i++) {
        char url[48];

        (void)snprintf(url, sizeof url, "tcp://88.1.2.%u:1", i);
        (void)hear(&room, url, NOW + DAY, source);
    }
    assert_int_equal(room_colour(&room, "tcp://88.1.0.0:1", NULL), HYPHA_COLOUR_GREY);
    assert_int_equal(room_colour(&room, "tcp://88.1.0.1:1", NULL), HYPHA_COLOUR_GREY);
    assert_int_equal(room_colour(&room, "tcp://88.1.1.2:1", NULL), HYPHA_COLOUR_GREY);
    assert_int_equal(room_colour(&room, "tcp://88.1.0.2:1", NULL), HYPHA_COLOURS);
    assert_int_equal(room_colour(&room, "tcp://88.1.2.0:1", NULL), HYPHA_COLOUR_GREY);
    assert_int_equal(grey(&room), HY_GREY_CELLS + 1);
    check_cells(&room);
    room_close(&room);
}

/* Whom we were connected to ranks above hearsay when it comes down to grey. */
static void test_reached_above_hearsay(void **state)
{
    static const char source[] = "tcp://8.8.8.8:1", peer[] = "tcp://88.1.9.9:1";
    struct hosts_room room;

    (void)state;
    room_open(&room, &plan, 4);
    assert_int_equal(hear(&room, peer, NOW, source), 1);
    must(room_move(&room, peer, HYPHA_COLOUR_GOLD, HY_HOST_CONNECTED));
    fill_bucket(&room, NOW, source);
    must(room_move(&room, peer, HYPHA_COLOUR_GREY, HY_HOST_FREE));
    assert_int_equal(room_colour(&room, peer, NULL), HYPHA_COLOUR_GREY);
    assert_int_equal(grey(&room), HY_GREY_CELLS);
    check_cells(&room);
    room_close(&room);
}

/* The secret decides the cells: nobody can know beforehand whom he would meet there. */
static void test_secret(void **state)
{
    size_t same = 0, both = 0;
    struct hosts_room rooms[2];
    char url[48];

    (void)state;
    for (size_t r = 0; r < 2; r++) {
        room_open(&rooms[r], &plan, 10 + r);
        for (unsigned i = 0; i < 600; i++) {
            (void)snprintf(url, sizeof url, "tcp://%u.%u.1.1:1", 20 + i % 60, i / 60);
            (void)hear(&rooms[r], url, NOW, "tcp://8.8.8.8:1");
        }
    }
    for (unsigned i = 0; i < 600; i++) {
        (void)snprintf(url, sizeof url, "tcp://%u.%u.1.1:1", 20 + i % 60, i / 60);
        bool one = room_colour(&rooms[0], url, NULL) == HYPHA_COLOUR_GREY;
        bool other = room_colour(&rooms[1], url, NULL) == HYPHA_COLOUR_GREY;

        both += one || other ? 1 : 0;
        same += one && other ? 1 : 0;
    }
    assert_true(both - same >= 50); /* the first ones find a place in any order */
    for (size_t r = 0; r < 2; r++)
        room_close(&rooms[r]);
}

/* ---- white ---- */

static void name_white(unsigned i, char url[48])
{
    (void)snprintf(url, 48, "tcp://88.1.%u.%u:1", i >> 8, i & 255);
}

/* All four buckets of 88.1, the i-th seen at second i; returns how many found a place. */
static unsigned fill_white(struct hosts_room *room)
{
    size_t full = (size_t)HY_BUCKETS_OF_GROUP * HY_WHITE_CELLS;
    unsigned i = 0;
    char url[48];

    while (hy_hosts_count(room->hosts, HYPHA_COLOUR_WHITE) < full) {
        name_white(i++, url);
        must(room_move(room, url, HYPHA_COLOUR_WHITE, HY_HOST_FREE));
        hy_sim_run_for(room->sim, 1000);
        assert_true(i < 2000);
    }
    while (grey(room) > 0) { /* those who met a full one before the last was */
        hy_hosts_remove(room->hosts, hy_book_at(&room->hosts->book, HYPHA_COLOUR_GREY, 0)->url);
    }
    assert_int_equal(room->hosts->contest_count, 0);
    return i;
}

/* One network has four buckets of white; others are not touched by what it does. */
static void test_white_of_one_group(void **state)
{
    struct hosts_room room;
    char url[48];

    (void)state;
    room_open(&room, &plan, 5);
    for (unsigned i = 0; i < 2000; i++) {
        (void)snprintf(url, sizeof url, "tcp://88.1.%u.%u:1", i >> 8, i & 255);
        must(room_move(&room, url, HYPHA_COLOUR_WHITE, HY_HOST_FREE));
    }
    assert_in_range(hy_hosts_count(room.hosts, HYPHA_COLOUR_WHITE), HY_WHITE_CELLS,
        HY_BUCKETS_OF_GROUP * HY_WHITE_CELLS);
    for (unsigned i = 0; i < 3000; i++) {
        (void)snprintf(url, sizeof url, "tcp://%u.%u.1.1:1", 100 + i % 60, i / 60);
        must(room_move(&room, url, HYPHA_COLOUR_WHITE, HY_HOST_FREE));
    }
    assert_in_range(hy_hosts_count(room.hosts, HYPHA_COLOUR_WHITE), 2900, HY_MAX_WHITE);
    check_cells(&room);
    room_close(&room);
}

/* The one who was seen longest ago is tested, and stays because it answers. */
static void test_old_one_answers(void **state)
{
    static const char newcomer[] = "tcp://88.1.99.99:1";
    struct hypha_url *url = NULL;
    enum hypha_colour colour;
    struct hosts_room room;
    uint64_t last_seen = 0;

    (void)state;
    room_open(&room, &plan, 6);
    (void)fill_white(&room);
    assert_int_equal(hear(&room, newcomer, NOW, "tcp://8.8.8.8:1"), 1);
    must(room_move(&room, newcomer, HYPHA_COLOUR_WHITE, HY_HOST_FREE));
    assert_int_equal(room_colour(&room, newcomer, NULL), HYPHA_COLOUR_GREY);
    assert_int_equal(room.hosts->contest_count, 0); /* all seen within four hours */
    hy_sim_run_for(room.sim, 5ULL * 3600 * 1000);
    must(room_move(&room, newcomer, HYPHA_COLOUR_WHITE, HY_HOST_FREE));
    assert_int_equal(room_colour(&room, newcomer, NULL), HYPHA_COLOUR_GREY);
    assert_int_equal(room.hosts->contest_count, 1);

    must(hy_hosts_pick_feeler(room.hosts, &url));
    assert_true(hy_hosts_find(room.hosts, url, &colour, &last_seen));
    assert_int_equal(colour, HYPHA_COLOUR_WHITE);
    assert_int_equal(hy_hosts_state(room.hosts, url), HY_HOST_REFINE);
    must(hy_hosts_move(room.hosts, url, HYPHA_COLOUR_WHITE, HY_HOST_FREE));
    assert_true(hy_hosts_find(room.hosts, url, &colour, &last_seen));
    assert_int_equal(colour, HYPHA_COLOUR_WHITE);
    assert_int_equal(last_seen, hy_wall_s(room.loop));
    assert_int_equal(room_colour(&room, newcomer, NULL), HYPHA_COLOUR_GREY);
    assert_int_equal(room.hosts->contest_count, 0);
    hypha_url_unref(url);
    /* Nor is the newcomer asked again and again. */
    url = NULL;
    assert_int_equal(hy_hosts_pick_feeler(room.hosts, &url), HYPHA_ERR_NOT_FOUND);
    hy_sim_run_for(room.sim, 3600ULL * 1000);
    must(hy_hosts_pick_refine(room.hosts, &url));
    hypha_url_unref(url);
    check_cells(&room);
    room_close(&room);
}

/* It does not answer, or it leaves for other reasons: its cell is the newcomer's. */
static void test_old_one_is_gone(void **state)
{
    static const char newcomer[] = "tcp://88.1.99.99:1";

    (void)state;
    for (int way = 0; way < 4; way++) {
        struct hypha_url *url = NULL;
        struct hosts_room room;
        uint64_t last_seen = 0, reached_s;

        room_open(&room, &plan, 7);
        (void)fill_white(&room);
        hy_sim_run_for(room.sim, 5ULL * 3600 * 1000);
        (void)hear(&room, newcomer, NOW, "tcp://8.8.8.8:1");
        must(room_move(&room, newcomer, HYPHA_COLOUR_WHITE, HY_HOST_FREE));
        reached_s = hy_wall_s(room.loop);
        hy_sim_run_for(room.sim, 60000);
        memset(room.told, 0, sizeof room.told);
        must(hy_hosts_pick_feeler(room.hosts, &url));
        if (way == 0)
            must(hy_hosts_move(room.hosts, url, HYPHA_COLOUR_GREY, HY_HOST_FREE));
        else if (way == 1)
            hy_hosts_remove(room.hosts, url);
        else if (way == 2)
            must(hy_hosts_ban(room.hosts, url, 0, HYPHA_ERR_MAGIC));
        else
            hy_hosts_remove(room.hosts,
                hy_hosts_record(room.hosts, room.hosts->contests[0].newcomer->url)->url);
        assert_int_equal(room.hosts->contest_count, 0);
        assert_int_equal(room_colour(&room, newcomer, &last_seen),
            way == 3 ? HYPHA_COLOURS : HYPHA_COLOUR_WHITE);
        if (way < 3)
            assert_int_equal(last_seen, reached_s);
        hy_hosts_free(room.hosts, url);
        hy_sim_run_for(room.sim, 1);
        assert_int_equal(room.told[HY_HOSTS_PROMOTED], way < 3 ? 1 : 0);
        check_cells(&room);
        hypha_url_unref(url);
        room_close(&room);
    }
}

/* Peers in use need no cell; at our stop they are grey where white is full. */
static void test_gold_outside(void **state)
{
    static const char peer[] = "tcp://88.1.99.99:1";
    struct hosts_room room;

    (void)state;
    room_open(&room, &plan, 8);
    (void)fill_white(&room);
    must(room_move(&room, peer, HYPHA_COLOUR_GOLD, HY_HOST_CONNECTED));
    assert_int_equal(room_colour(&room, peer, NULL), HYPHA_COLOUR_GOLD);
    check_cells(&room);
    must(room_move(&room, peer, HYPHA_COLOUR_WHITE, HY_HOST_FREE));
    assert_int_equal(room_colour(&room, peer, NULL), HYPHA_COLOUR_GREY);
    /* One that was white keeps its cell while it is gold. */
    must(room_move(&room, "tcp://88.1.0.1:1", HYPHA_COLOUR_GOLD, HY_HOST_CONNECTED));
    must(room_move(&room, peer, HYPHA_COLOUR_WHITE, HY_HOST_FREE));
    must(room_move(&room, "tcp://88.1.0.1:1", HYPHA_COLOUR_WHITE, HY_HOST_FREE));
    assert_int_equal(room_colour(&room, "tcp://88.1.0.1:1", NULL), HYPHA_COLOUR_WHITE);
    check_cells(&room);
    room_close(&room);
}

/* Thousands of random moves of many hosts in few cells, also without memory: cells and lists agree
 * all the time. */
static void test_cells_against_lists(void **state)
{
    static const enum hypha_colour colours[] = { HYPHA_COLOUR_GREY, HYPHA_COLOUR_WHITE,
        HYPHA_COLOUR_GOLD, HYPHA_COLOUR_BLACK };
    struct hypha_url *url = NULL;
    struct hosts_room room;
    char text[48];

    (void)state;
    room_open(&room, &plan, 9);
    for (unsigned i = 0; i < 20000; i++) {
        unsigned which = (unsigned)hy_random_below(room.loop, 600);

        (void)snprintf(text, sizeof text, "tcp://88.1.%u.%u:1", which >> 8, which & 255);
        url = fixture_url(text);
        if (hy_random_below(room.loop, 4) == 0)
            hy_alloc_fail_after((size_t)hy_random_below(room.loop, 3));
        if (i % 3 == 0)
            (void)hy_hosts_receive_one(room.hosts, url, NOW);
        else if (i % 7 == 0)
            hy_hosts_remove(room.hosts, url);
        else if (i % 11 == 0)
            (void)hy_hosts_unban(room.hosts, url);
        else
            (void)hy_hosts_move(
                room.hosts, url, colours[hy_random_below(room.loop, 40) % 13 % 4], HY_HOST_FREE);
        hy_alloc_fail_after(SIZE_MAX);
        hypha_url_unref(url);
        if (i % 100 == 0)
            check_cells(&room);
        if (i % 500 == 0)
            hy_sim_run_for(room.sim, 3600ULL * 1000);
    }
    check_cells(&room);
    room_close(&room);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_one_source),
        cmocka_unit_test(test_nobody_is_pushed_out),
        cmocka_unit_test(test_who_is_displaced),
        cmocka_unit_test(test_reached_above_hearsay),
        cmocka_unit_test(test_secret),
        cmocka_unit_test(test_white_of_one_group),
        cmocka_unit_test(test_old_one_answers),
        cmocka_unit_test(test_old_one_is_gone),
        cmocka_unit_test(test_gold_outside),
        cmocka_unit_test(test_cells_against_lists),
    };

    return cmocka_run_group_tests_name("book", tests, NULL, NULL);
}
