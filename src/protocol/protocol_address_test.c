#include "fakes/protocol_fixture.h"

/* Did the last addr that an end wrote say something else than the one before? */
static bool is_news(struct end *end)
{
    struct hypha_reader r = hypha_reader_of(hy_span(end->stream.out, end->stream.out_len));
    struct hypha_span last = { 0 }, before = { 0 };

    while (r.rest.len > 0) {
        (void)hypha_reader_take(&r, 4);
        bool wanted = hy_span_is(hypha_reader_take_string(&r, 255), "addr");
        struct hypha_span body = hypha_reader_take_bytes(&r, 65281);

        if (wanted) {
            before = last;
            last = body;
        }
    }
    return !hy_span_equal(last, before);
}

/* Count the addr messages that an end wrote, and the entries of the last. */
static unsigned addrs_written(struct end *end, size_t *ret_entries)
{
    struct hypha_reader r = hypha_reader_of(hy_span(end->stream.out, end->stream.out_len));
    unsigned count = 0;

    *ret_entries = 0;
    while (r.rest.len > 0) {
        (void)hypha_reader_take(&r, 4);
        bool wanted = hy_span_is(hypha_reader_take_string(&r, 255), "addr");
        struct hypha_reader body = hypha_reader_of(hypha_reader_take_bytes(&r, 65281));

        if (wanted) {
            *ret_entries = (size_t)hypha_reader_take_varint(&body);
            count++;
        }
    }
    assert_int_equal(r.err, HYPHA_OK);
    return count;
}

static void announce(struct end *end, struct hypha_url **url)
{
    *url = fake_url("tcp://7.7.7.7:1000");
    end->node.settings.external_addrs = (struct hy_url_array){ url, 1 };
    hy_hosts_destroy(end->node.net.hosts);
    must(hy_hosts_create(end->node.loop, &end->node.settings, &end->node.net.hosts));
}

/* Both nodes dial tcp, so that what they hear of goes to their grey lists. */
static char tcp[] = "tcp";
static char *tcp_list[] = { tcp };
static struct hy_profile tcp_profile = { tcp, { 15000, 10000, 3600000 } };

static void with_tcp(struct pair *pair)
{
    struct end *ends[] = { &pair->here, &pair->there };

    for (size_t i = 0; i < 2; i++) {
        ends[i]->node.settings.active = (struct hy_scheme_array){ tcp_list, 1 };
        ends[i]->node.settings.profiles = &tcp_profile;
        ends[i]->node.settings.profile_count = 1;
    }
}

static void list_white(struct end *end, unsigned count)
{
    for (unsigned i = 0; i < count; i++) {
        char text[64];

        (void)snprintf(text, sizeof text, "tcp://8.%u.%u.8:1000", i / 250 + 1, i % 250 + 1);
        struct hypha_url *url = fake_url(text);
        must(hy_hosts_move(end->node.net.hosts, url, HYPHA_COLOUR_WHITE, HY_HOST_FREE));
        hypha_url_unref(url);
    }
}

/* spec: wire.md 5.5: (a) on outbound exactly, (b) on both ends, one addr for each getaddr */
static void what_each_session_says_at_the_start(void **state)
{
    static const enum hypha_session sessions[] = { HYPHA_SESSION_OUTBOUND, HYPHA_SESSION_MANUAL,
        HYPHA_SESSION_DIRECT };

    (void)state;
    for (size_t i = 0; i < 3; i++) {
        struct pair pair;
        struct hypha_url *a, *b;

        pair_init(&pair);
        with_tcp(&pair);
        announce(&pair.here, &a);
        announce(&pair.there, &b);
        pair_connect(&pair, sessions[i]);
        assert_string_equal(pair.here.sent,
            i == 0 ? "version verack ping addr getaddr pong addr "
                   : "version verack ping getaddr pong addr ");
        assert_string_equal(pair.there.sent, "version verack ping getaddr pong addr ");
        assert_int_equal(pair.there.addrs, i == 0 ? 2 : 1);
        pair_fini(&pair);
        hypha_url_unref(a);
        hypha_url_unref(b);
    }
}

static void an_answer_is_stored(void **state)
{
    struct pair pair;

    (void)state;
    pair_init(&pair);
    with_tcp(&pair);
    list_white(&pair.there, 20);
    pair_connect(&pair, HYPHA_SESSION_OUTBOUND);
    assert_int_equal(pair.here.addrs, 1);
    assert_true(pair.here.inserted > 0 && pair.here.inserted <= 16);
    assert_int_equal(
        hy_hosts_count(pair.here.node.net.hosts, HYPHA_COLOUR_GREY), pair.here.inserted);
    pair_fini(&pair);
}

/* An inbound channel of "there" whose peer is the test. */
static void open_alone(struct pair *pair)
{
    pair_connect(pair, HYPHA_SESSION_OUTBOUND);
    assert_int_equal(pair->there.ready, 1);
    hy_sim_run_for(pair->sim, 10000);
    fake_stream_clear(&pair->here.stream);
    fake_stream_clear(&pair->there.stream);
}

static const char *const schemes[] = { "tcp" };
static const struct hy_getaddr_out ask = { .max = 8, .transports = schemes, .count = 1 };

/* spec: network.md MUST 10-e: the first is answered, then one per 5 s: yet each gets its addr,
 * which says again what the last one said */
static void too_many_questions_learn_nothing_new(void **state)
{
    struct pair pair;
    size_t entries;

    (void)state;
    pair_init(&pair);
    with_tcp(&pair);
    list_white(&pair.there, 20);
    open_alone(&pair);
    for (unsigned i = 1; i <= 3; i++) {
        assert_true(end_feed(&pair.there, HY_MESSAGE_GETADDR, &ask));
        pair_turn(&pair);
        assert_int_equal(addrs_written(&pair.there, &entries), i);
        assert_int_equal(entries, 8);
        assert_int_equal(is_news(&pair.there), i == 1);
    }
    hy_sim_run_for(pair.sim, 5000);
    assert_true(end_feed(&pair.there, HY_MESSAGE_GETADDR, &ask));
    pair_turn(&pair);
    assert_int_equal(addrs_written(&pair.there, &entries), 4);
    assert_true(is_news(&pair.there));

    /* It fits the question: no more than asked for, and nobody who was banned since. */
    struct hy_getaddr_out fewer = ask;
    fewer.max = 2;
    assert_true(end_feed(&pair.there, HY_MESSAGE_GETADDR, &fewer));
    pair_turn(&pair);
    assert_int_equal(addrs_written(&pair.there, &entries), 5);
    assert_int_equal(entries, 4);
    for (unsigned i = 0; i < 20; i++) {
        char text[64];

        (void)snprintf(text, sizeof text, "tcp://8.1.%u.8:1000", i % 250 + 1);
        struct hypha_url *url = fake_url(text);
        must(hy_hosts_ban(pair.there.node.net.hosts, url, 0, HYPHA_ERR_BANNED));
        hypha_url_unref(url);
    }
    assert_true(end_feed(&pair.there, HY_MESSAGE_GETADDR, &ask));
    pair_turn(&pair);
    assert_int_equal(addrs_written(&pair.there, &entries), 6);
    assert_int_equal(entries, 0);
    pair_fini(&pair);
}

/* The other side's rounds come every 5 s by its own clock and over its own wires (wire.md 5.5):
 * one that is a little early is no haste, and in the long run it is still one per 5 s. */
static void a_round_may_be_a_little_early(void **state)
{
    static const struct {
        uint64_t pause_ms;
        bool learns;
    } rounds[] = { { 0, true }, { 4900, true }, { 5000, true }, { 4800, true }, { 4500, true },
        { 3900, false }, { 1000, true } };
    struct pair pair;
    size_t entries;

    (void)state;
    pair_init(&pair);
    with_tcp(&pair);
    list_white(&pair.there, 20);
    open_alone(&pair);
    for (unsigned i = 0; i < sizeof rounds / sizeof rounds[0]; i++) {
        hy_sim_run_for(pair.sim, rounds[i].pause_ms);
        assert_true(end_feed(&pair.there, HY_MESSAGE_GETADDR, &ask));
        pair_turn(&pair);
        assert_int_equal(addrs_written(&pair.there, &entries), i + 1);
        assert_int_equal(entries, 8);
        assert_int_equal(is_news(&pair.there), rounds[i].learns);
    }
    pair_fini(&pair);
}

static void an_empty_answer_does_not_count(void **state)
{
    struct pair pair;
    size_t entries;

    (void)state;
    pair_init(&pair);
    with_tcp(&pair);
    open_alone(&pair);
    assert_true(end_feed(&pair.there, HY_MESSAGE_GETADDR, &ask));
    pair_turn(&pair);
    assert_int_equal(addrs_written(&pair.there, &entries), 1);
    assert_int_equal(entries, 0);
    list_white(&pair.there, 5);
    assert_true(end_feed(&pair.there, HY_MESSAGE_GETADDR, &ask));
    pair_turn(&pair);
    assert_int_equal(addrs_written(&pair.there, &entries), 2);
    assert_int_equal(entries, 5);
    pair_fini(&pair);
}

/* spec: network.md 7.6: an empty reply waits for probes under way, a second at most */
static void an_empty_answer_may_wait(void **state)
{
    (void)state;
    for (int released = 0; released < 2; released++) {
        struct pair pair;
        size_t entries;

        pair_init(&pair);
        with_tcp(&pair);
        open_alone(&pair);
        pair.there.hold = true;
        assert_true(end_feed(&pair.there, HY_MESSAGE_GETADDR, &ask));
        assert_true(end_feed(&pair.there, HY_MESSAGE_GETADDR, &ask));
        hy_sim_run_for(pair.sim, 999);
        assert_int_equal(addrs_written(&pair.there, &entries), 0);
        list_white(&pair.there, 3);
        if (released)
            hy_address_release(&pair.there.core);
        else
            hy_sim_run_for(pair.sim, 1);
        pair_turn(&pair);
        assert_int_equal(addrs_written(&pair.there, &entries), 2); /* each one its own */
        assert_null(LIST_FIRST(&pair.there.core.held));
        hy_address_release(&pair.there.core);
        pair_fini(&pair);
    }
}

static void a_held_answer_goes_with_its_channel(void **state)
{
    struct pair pair;

    (void)state;
    pair_init(&pair);
    with_tcp(&pair);
    open_alone(&pair);
    pair.there.hold = true;
    assert_true(end_feed(&pair.there, HY_MESSAGE_GETADDR, &ask));
    assert_non_null(LIST_FIRST(&pair.there.core.held));
    hypha_channel_stop(pair.there.channel);
    pair_turn(&pair);
    assert_null(LIST_FIRST(&pair.there.core.held));
    hy_sim_run_for(pair.sim, 2000);
    pair_fini(&pair);
}

/* A full queue delays an answer, it doesn't lose it. */
static void answers_are_owed_while_the_queue_is_full(void **state)
{
    struct pair pair;
    size_t entries;

    (void)state;
    pair_init(&pair);
    with_tcp(&pair);
    open_alone(&pair);
    pair.there.stream.room = 0;
    pair.there.node.settings.max_send_queue_bytes = 20;
    for (int i = 0; i < 3; i++)
        assert_true(end_feed(&pair.there, HY_MESSAGE_GETADDR, &ask));
    pair_turn(&pair);
    fake_stream_allow(&pair.there.stream, SIZE_MAX);
    pair_settle(&pair);
    fake_stream_clear(&pair.there.stream);
    /* all three, though not in one go */
    assert_int_equal(pair.here.addrs, 1 + 3);
    (void)entries;
    pair_fini(&pair);
}

/* spec: network.md MUST 10-d: 0.1 address/s, burst 1000, plus what our getaddr asked */
static void unasked_addresses_are_limited(void **state)
{
    struct pair pair;
    struct hypha_url *urls[400];
    struct hy_addr_entry entries[400];
    struct hy_addr_out addr = { entries, 400 };
    static const char *const cut[] = { "", "", " 182 of 400 ", " 399 of 400 ", " 399 of 400 " };

    (void)state;
    pair_init(&pair);
    with_tcp(&pair);
    open_alone(&pair); /* its own getaddr was for 8, so 16 are open */
    for (unsigned round = 0; round < 5; round++) {
        for (unsigned i = 0; i < 400; i++) {
            char text[64];

            (void)snprintf(text, sizeof text, "tcp://9.%u.%u.%u:1000", round + 1, i / 20, i % 20);
            urls[i] = fake_url(text);
            entries[i] = (struct hy_addr_entry){ urls[i], hy_wall_s(pair.there.node.loop) };
        }
        pair.there.node.log.last[0] = '\0';
        assert_true(end_feed(&pair.there, HY_MESSAGE_ADDR, &addr));
        if (*cut[round] == '\0')
            assert_string_equal(pair.there.node.log.last, "");
        else
            assert_non_null(strstr(pair.there.node.log.last, cut[round]));
        hy_sim_run_for(pair.sim, 10000);
        for (unsigned i = 0; i < 400; i++)
            hypha_url_unref(urls[i]);
    }
    pair_fini(&pair);
}

/* Past the limit they are dropped, and who does not stop is banned. spec: network.md 10: score */
static void a_flood_of_addresses_is_a_ban_in_the_end(void **state)
{
    enum { MANY = HY_ADDR_MAX_ENTRIES };
    static struct hypha_url *urls[MANY];
    static struct hy_addr_entry entries[MANY];
    struct hy_addr_out addr = { entries, MANY };
    unsigned messages = 0;
    struct pair pair;

    (void)state;
    pair_init(&pair);
    with_tcp(&pair);
    open_alone(&pair);
    for (unsigned i = 0; i < MANY; i++) {
        char text[64];

        (void)snprintf(text, sizeof text, "tcp://9.1.%u.%u:1000", i / 250, i % 250);
        urls[i] = fake_url(text);
        entries[i] = (struct hy_addr_entry){ urls[i], hy_wall_s(pair.there.node.loop) };
    }
    while (!hypha_channel_is_stopped(pair.there.channel) && messages < 100) {
        assert_true(end_feed(&pair.there, HY_MESSAGE_ADDR, &addr));
        hy_sim_run_for(pair.sim, 2500); /* not so fast that it would be banned for that */
        messages++;
    }
    assert_in_range(messages, 42, 60); /* 1,016 were welcome, 20,000 and what is forgotten not */
    assert_true(
        hy_hosts_is_banned(pair.there.node.net.hosts, hypha_channel_address(pair.there.channel)));
    for (unsigned i = 0; i < MANY; i++)
        hypha_url_unref(urls[i]);
    pair_fini(&pair);
}

static void without_memory(void **state)
{
    struct hypha_url *to = fake_url("tcp://6.6.6.6:9000"), *from = fake_url("tcp://5.5.5.5:5");
    bool done = false;

    (void)state;
    for (size_t n = 0; !done; n++) {
        struct pair pair;

        pair_init(&pair);
        with_tcp(&pair);
        list_white(&pair.there, 5);
        hy_alloc_fail_after(n);
        if (end_open(&pair.here, HYPHA_SESSION_OUTBOUND, to) == HYPHA_OK &&
            end_open(&pair.there, HYPHA_SESSION_INBOUND, from) == HYPHA_OK)
            pair_settle(&pair);
        hy_alloc_fail_after(SIZE_MAX);
        done = pair.here.inserted == 5;
        assert_int_equal(hy_hosts_count(pair.here.node.net.hosts, HYPHA_COLOUR_BLACK), 0);
        assert_int_equal(hy_hosts_count(pair.there.node.net.hosts, HYPHA_COLOUR_BLACK), 0);
        pair_fini(&pair);
        assert_true(n < 5000);
    }
    hypha_url_unref(to);
    hypha_url_unref(from);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_each_session_says_at_the_start),
        cmocka_unit_test(an_answer_is_stored),
        cmocka_unit_test(too_many_questions_learn_nothing_new),
        cmocka_unit_test(a_round_may_be_a_little_early),
        cmocka_unit_test(an_empty_answer_does_not_count),
        cmocka_unit_test(an_empty_answer_may_wait),
        cmocka_unit_test(a_held_answer_goes_with_its_channel),
        cmocka_unit_test(answers_are_owed_while_the_queue_is_full),
        cmocka_unit_test(unasked_addresses_are_limited),
        cmocka_unit_test(a_flood_of_addresses_is_a_ban_in_the_end),
        cmocka_unit_test(without_memory),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
