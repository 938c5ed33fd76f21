/* reply_test.c - what a getaddr is answered. spec: wire.md 5.5 and 8,
 * network.md 8.2 */
#include "fakes/hosts_fixture.h"

#include <stdio.h>

#define NOW HY_SIM_START_WALL_S

static const struct hosts_plan plan = { .active = { "tcp", "tcp+tls", "quic", "socks5" } };

static struct hy_reply *ask_from(struct hosts_room *room, const char *asker, uint32_t max,
    const char *const *schemes, size_t count, const struct hypha_url *const *not_these,
    size_t not_count)
{
    struct hypha_url *from = asker != NULL ? fixture_url(asker) : NULL;
    static struct hy_reply reply; /* 8 KB; one at a time */
    struct hy_getaddr_out out = { max, schemes, count };
    struct hy_getaddr request = { 0 };
    struct hypha_writer w = { 0 };
    struct hypha_reader r;

    hy_core_messages[HY_MESSAGE_GETADDR].write(&w, &out);
    r = hypha_reader_of(hypha_writer_span(&w));
    hy_core_messages[HY_MESSAGE_GETADDR].read(&r, &request);
    must(hypha_reader_end(&r));
    hy_hosts_reply(room->hosts, &request, from, not_these, not_count, &reply);
    hypha_writer_fini(&w);
    hypha_url_unref(from);
    return &reply;
}

static struct hy_reply *ask(struct hosts_room *room, uint32_t max, const char *const *schemes,
    size_t count, const struct hypha_url *const *not_these, size_t not_count)
{
    return ask_from(room, NULL, max, schemes, count, not_these, not_count);
}

static void fill(struct hosts_room *room, const char *scheme, unsigned net, unsigned count,
    enum hypha_colour colour)
{
    for (unsigned i = 0; i < count; i++) {
        char url[64];

        (void)snprintf(url, sizeof url, "%s://8.%u.%u.%u:1", scheme, net, i >> 8, i & 255);
        if (colour == HYPHA_COLOUR_GREY || colour == HYPHA_COLOUR_DARK)
            (void)room_receive(room, url, NOW);
        else
            must(room_move(room, url, colour, HY_HOST_FREE));
    }
}

/* How many of a reply are of that scheme and colour. */
static size_t count_of(struct hosts_room *room, const struct hy_reply *reply, const char *scheme,
    enum hypha_colour colour)
{
    size_t count = 0;

    for (size_t i = 0; i < reply->count; i++) {
        enum hypha_colour is;
        uint64_t last_seen;

        assert_true(hy_hosts_find(room->hosts, reply->urls[i], &is, &last_seen));
        assert_int_equal(last_seen, reply->last_seen[i]);
        count += is == colour && strcmp(hypha_url_scheme(reply->urls[i]), scheme) == 0 ? 1 : 0;
    }
    return count;
}

static void assert_no_doubles(const struct hy_reply *reply)
{
    for (size_t i = 0; i < reply->count; i++)
        for (size_t k = 0; k < i; k++)
            assert_false(hypha_url_equal(reply->urls[i], reply->urls[k]));
}

/* spec: wire.md 5.5, the table of the reply */
static void test_samples(void **state)
{
    static const char *const tcp[] = { "tcp", "tcp", "quic", "socks5" };
    struct hosts_room room;
    struct hy_reply *reply;

    (void)state;
    room_open(&room, &plan, 1);
    fill(&room, "tcp", 1, 30, HYPHA_COLOUR_GOLD);
    fill(&room, "tcp", 2, 30, HYPHA_COLOUR_WHITE);
    fill(&room, "tcp+tls", 3, 5, HYPHA_COLOUR_GOLD);
    fill(&room, "tcp+tls", 4, 5, HYPHA_COLOUR_WHITE);
    fill(&room, "quic", 5, 30, HYPHA_COLOUR_WHITE); /* never leaves */
    fill(&room, "tcp", 6, 30, HYPHA_COLOUR_GREY);   /* never shared */

    reply = ask(&room, 8, tcp, 4, NULL, 0);
    assert_int_equal(reply->count, 16);
    assert_int_equal(count_of(&room, reply, "tcp", HYPHA_COLOUR_GOLD), 8);
    assert_int_equal(count_of(&room, reply, "tcp", HYPHA_COLOUR_WHITE), 8);
    assert_no_doubles(reply);
    hy_reply_fini(reply);

    /* More than the asked scheme has: filled with others. */
    reply = ask(&room, 35, tcp, 4, NULL, 0);
    assert_int_equal(reply->count, 70);
    assert_int_equal(count_of(&room, reply, "tcp", HYPHA_COLOUR_GOLD), 30);
    assert_int_equal(count_of(&room, reply, "tcp", HYPHA_COLOUR_WHITE), 30);
    assert_int_equal(count_of(&room, reply, "tcp+tls", HYPHA_COLOUR_GOLD), 5);
    assert_int_equal(count_of(&room, reply, "tcp+tls", HYPHA_COLOUR_WHITE), 5);
    assert_no_doubles(reply);
    hy_reply_fini(reply);

    /* No transports at all: all are others, up to twice the maximum. */
    reply = ask(&room, 10, NULL, 0, NULL, 0);
    assert_int_equal(reply->count, 20);
    assert_int_equal(count_of(&room, reply, "tcp", HYPHA_COLOUR_GOLD) +
            count_of(&room, reply, "tcp+tls", HYPHA_COLOUR_GOLD),
        20);
    hy_reply_fini(reply);

    reply = ask(&room, 0, tcp, 1, NULL, 0);
    assert_int_equal(reply->count, 0);
    hy_reply_fini(reply);
    room_close(&room);
}

/* spec: network.md MUST 8.2-a: max is 255 at most, a reply 510 entries; dark as a last resort */
static void test_bounds_and_dark(void **state)
{
    static const char *const tcp[] = { "tcp" };
    static const struct hosts_plan tcp_only = { .active = { "tcp" } };
    struct hosts_room room;
    struct hy_reply *reply;

    (void)state;
    room_open(&room, &tcp_only, 1);
    fill(&room, "tcp+tls", 1, 900, HYPHA_COLOUR_DARK);
    fill(&room, "quic", 2, 50, HYPHA_COLOUR_DARK);
    fill(&room, "tcp", 3, 3, HYPHA_COLOUR_WHITE);
    fill(&room, "tcp", 4, 200, HYPHA_COLOUR_GOLD);
    fill(&room, "tcp+tls", 5, 200, HYPHA_COLOUR_GOLD);
    reply = ask(&room, UINT32_MAX, tcp, 1, NULL, 0);
    assert_int_equal(reply->count, HY_ADDR_MAX_ENTRIES);
    assert_int_equal(count_of(&room, reply, "tcp", HYPHA_COLOUR_WHITE), 3);
    assert_int_equal(count_of(&room, reply, "tcp", HYPHA_COLOUR_GOLD) +
            count_of(&room, reply, "tcp+tls", HYPHA_COLOUR_GOLD),
        HY_REPLY_SMALL);
    assert_int_equal(count_of(&room, reply, "tcp+tls", HYPHA_COLOUR_DARK), 510 - 3 - 256);
    assert_no_doubles(reply);
    hy_reply_fini(reply);
    /* Dark ones are for a day. */
    hy_sim_run_for(room.sim, 25ULL * 3600 * 1000);
    reply = ask(&room, 255, tcp, 1, NULL, 0);
    assert_int_equal(reply->count, 3 + HY_REPLY_SMALL);
    hy_reply_fini(reply);
    room_close(&room);
}

/* Not the asker's own; nobody's private ones. */
static void test_left_out(void **state)
{
    static const char *const tcp[] = { "tcp" };
    struct hypha_url *asker = fixture_url("tcp://8.1.0.2:1/?q=1");
    struct hypha_url *unknown = fixture_url("tcp://9.9.9.9:1");
    const struct hypha_url *const not_these[] = { asker, unknown, NULL };
    struct hosts_room room;
    struct hy_reply *reply;

    (void)state;
    room_open(&room, &plan, 1);
    fill(&room, "tcp", 1, 5, HYPHA_COLOUR_WHITE);
    must(room_move(&room, "tcp://192.168.0.1:1", HYPHA_COLOUR_GOLD, HY_HOST_CONNECTED));
    reply = ask(&room, 8, tcp, 1, not_these, 3);
    assert_int_equal(reply->count, 4);
    for (size_t i = 0; i < reply->count; i++)
        assert_string_not_equal(hypha_url_text(reply->urls[i]), "tcp://8.1.0.2:1/");
    hy_reply_fini(reply);
    reply = ask(&room, 8, tcp, 1, NULL, 0); /* only that once */
    assert_int_equal(reply->count, 5);
    hy_reply_fini(reply);
    hypha_url_unref(asker);
    hypha_url_unref(unknown);
    room_close(&room);
}

/* Everybody is as likely, in every place. */
static void test_random(void **state)
{
    enum { HOSTS = 20, MAX = 5, DRAWS = 4000 };
    static const char *const tcp[] = { "tcp" };
    unsigned drawn[HOSTS] = { 0 }, first[HOSTS] = { 0 };
    struct hosts_room room;

    (void)state;
    room_open(&room, &plan, 5);
    fill(&room, "tcp", 1, HOSTS, HYPHA_COLOUR_WHITE);
    for (unsigned d = 0; d < DRAWS; d++) {
        struct hy_reply *reply = ask(&room, MAX, tcp, 1, NULL, 0);

        assert_int_equal(reply->count, MAX);
        for (size_t i = 0; i < reply->count; i++) {
            unsigned host = 0;

            assert_int_equal(sscanf(hypha_url_text(reply->urls[i]), "tcp://8.1.0.%u:1", &host), 1);
            drawn[host]++;
            first[host] += i == 0 ? 1 : 0;
        }
        hy_reply_fini(reply);
    }
    for (unsigned i = 0; i < HOSTS; i++) {
        assert_in_range(drawn[i], DRAWS * MAX / HOSTS * 8 / 10, DRAWS * MAX / HOSTS * 12 / 10);
        assert_in_range(first[i], DRAWS / HOSTS * 7 / 10, DRAWS / HOSTS * 13 / 10);
    }
    room_close(&room);
}

enum { LONG = 2000 };

/* Which of `LONG` hosts a reply names; returns how many are new. */
static unsigned note(const struct hy_reply *reply, bool seen[LONG])
{
    unsigned fresh = 0;

    for (size_t i = 0; i < reply->count; i++) {
        unsigned net = 0, high = 0, low = 0;

        assert_int_equal(
            sscanf(hypha_url_text(reply->urls[i]), "tcp://%u.%u.0.1:%u", &net, &high, &low), 3);
        unsigned n = (net - 20) * 100 + high;
        assert_true(n < LONG);
        fresh += seen[n] ? 0 : 1;
        seen[n] = true;
    }
    return fresh;
}

/* White ones, each of a group of its own. */
static size_t fill_long(struct hosts_room *room)
{
    for (unsigned i = 0; i < LONG; i++) {
        char url[64];

        (void)snprintf(url, sizeof url, "tcp://%u.%u.0.1:1", 20 + i / 100, i % 100);
        must(room_move(room, url, HYPHA_COLOUR_WHITE, HY_HOST_FREE));
    }
    return hy_hosts_count(room->hosts, HYPHA_COLOUR_WHITE);
}

/* spec: network.md 10 SHOULD: same sample for 24 h, <= 23 % of a list */
static void a_long_list_is_not_told_as_a_whole(void **state)
{
    static const char *const tcp[] = { "tcp" };
    static const char *const none[] = { "tor" };
    static bool seen[LONG], others[LONG], later[LONG];
    struct hosts_room room;
    struct hy_reply *reply;
    unsigned told, shared = 0;
    size_t count;

    (void)state;
    room_open(&room, &plan, 1);
    count = fill_long(&room);
    assert_true(count > 1500);
    reply = ask_from(&room, "tcp://8.8.1.1:5", 8, tcp, 1, NULL, 0);
    told = note(reply, seen);
    assert_int_equal(told, 8);
    hy_reply_fini(reply);
    /* The same again, for anybody of that network, whatever the port, for a day. */
    for (unsigned hour = 0; hour < 23; hour++) {
        reply = ask_from(&room, "tcp+tls://8.8.200.200:6", 8, tcp, 1, NULL, 0);
        assert_int_equal(reply->count, 8);
        assert_int_equal(note(reply, seen), 0);
        hy_reply_fini(reply);
        hy_sim_run_for(room.sim, 3600000);
    }
    /* Whatever is asked: 23 % in all. */
    for (unsigned i = 0; i < 5; i++) {
        reply = ask_from(&room, "tcp://8.8.1.1:5", 255, i % 2 ? tcp : none, 1, NULL, 0);
        told += note(reply, seen);
        hy_reply_fini(reply);
    }
    assert_in_range(told, 300, count * 23 / 100);
    /* Another network is told others, and the next day is another day. */
    reply = ask_from(&room, "tcp://9.9.1.1:5", 255, tcp, 1, NULL, 0);
    (void)note(reply, others);
    hy_reply_fini(reply);
    hy_sim_run_for(room.sim, 7200000);
    reply = ask_from(&room, "tcp://8.8.1.1:5", 255, tcp, 1, NULL, 0);
    (void)note(reply, later);
    hy_reply_fini(reply);
    for (unsigned i = 0; i < LONG; i++)
        shared += (seen[i] && others[i]) || (seen[i] && later[i]) ? 1 : 0;
    assert_true(shared < 255); /* of two times 255: some by chance, not all */
    room_close(&room);
}

/* A young network has no time for that: by and by all are told. */
static void a_short_list_is_told(void **state)
{
    static const char *const tcp[] = { "tcp" };
    static bool seen[LONG];
    struct hosts_room room;
    unsigned told = 0;

    (void)state;
    room_open(&room, &plan, 1);
    for (unsigned i = 0; i < 60; i++) {
        char url[64];

        (void)snprintf(url, sizeof url, "tcp://20.%u.0.1:1", i);
        must(room_move(&room, url, HYPHA_COLOUR_WHITE, HY_HOST_FREE));
    }
    for (unsigned i = 0; i < 200; i++) {
        struct hy_reply *reply = ask_from(&room, "tcp://8.8.1.1:5", 8, tcp, 1, NULL, 0);

        told += note(reply, seen);
        hy_reply_fini(reply);
    }
    assert_int_equal(told, 60);
    room_close(&room);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_samples),
        cmocka_unit_test(test_bounds_and_dark),
        cmocka_unit_test(test_left_out),
        cmocka_unit_test(test_random),
        cmocka_unit_test(a_long_list_is_not_told_as_a_whole),
        cmocka_unit_test(a_short_list_is_told),
    };

    return cmocka_run_group_tests_name("reply", tests, NULL, NULL);
}
