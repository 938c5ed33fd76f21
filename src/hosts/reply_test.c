/* reply_test.c - what a getaddr is answered. spec: wire.md 5.5 and 8,
 * network.md 8.2 */
#include "fakes/hosts_fixture.h"

#include <stdio.h>

#define NOW HY_SIM_START_WALL_S

static const struct hosts_plan plan = { .active = { "tcp", "tcp+tls", "quic", "socks5" } };

static struct hy_reply *ask(struct hosts_room *room, uint32_t max, const char *const *schemes,
    size_t count, const struct hypha_url *const *not_these, size_t not_count)
{
    static struct hy_reply reply; /* 8 KB; one at a time */
    struct hy_getaddr_out out = { max, schemes, count };
    struct hy_getaddr request = { 0 };
    struct hypha_writer w = { 0 };
    struct hypha_reader r;

    hy_core_messages[HY_MESSAGE_GETADDR].write(&w, &out);
    r = hypha_reader_of(hypha_writer_span(&w));
    hy_core_messages[HY_MESSAGE_GETADDR].read(&r, &request);
    must(hypha_reader_end(&r));
    hy_hosts_reply(room->hosts, &request, NULL, not_these, not_count, &reply);
    hypha_writer_fini(&w);
    return &reply;
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

/* spec: network.md 8.2: max is 255 at most, a reply 510 entries; dark as a last
 * resort */
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
    reply = ask(&room, UINT32_MAX, tcp, 1, NULL, 0);
    assert_int_equal(reply->count, HY_ADDR_MAX_ENTRIES);
    assert_int_equal(count_of(&room, reply, "tcp", HYPHA_COLOUR_WHITE), 3);
    assert_int_equal(count_of(&room, reply, "tcp+tls", HYPHA_COLOUR_DARK), 507);
    assert_no_doubles(reply);
    hy_reply_fini(reply);
    /* Dark ones are for a day. */
    hy_sim_run_for(room.sim, 25ULL * 3600 * 1000);
    reply = ask(&room, 255, tcp, 1, NULL, 0);
    assert_int_equal(reply->count, 3);
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

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_samples),
        cmocka_unit_test(test_bounds_and_dark),
        cmocka_unit_test(test_left_out),
        cmocka_unit_test(test_random),
    };

    return cmocka_run_group_tests_name("reply", tests, NULL, NULL);
}
