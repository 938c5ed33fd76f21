#include "fakes/protocol_fixture.h"

/* A channel of "here" whose peer is the test; its greetings are behind it. */
static void open_alone(struct pair *pair)
{
    pair_init(pair);
    pair_connect(pair, HYPHA_SESSION_MANUAL);
    assert_int_equal(pair->here.ready, 1);
    fake_stream_clear(&pair->here.stream);
    fake_stream_clear(&pair->there.stream);
    pair->here.sent[0] = '\0';
}

/* The nonce of the last ping (or pong) that left. */
static uint16_t last_nonce(struct end *end, const char *command)
{
    struct hypha_reader r = hypha_reader_of(hy_span(end->stream.out, end->stream.out_len));
    int nonce = -1;

    while (r.rest.len > 0) {
        (void)hypha_reader_take(&r, 4);
        bool wanted = hy_span_is(hypha_reader_take_string(&r, 255), command);
        struct hypha_reader body = hypha_reader_of(hypha_reader_take_bytes(&r, 65281));

        if (wanted)
            nonce = hypha_reader_take_u16(&body);
    }
    assert_int_equal(r.err, HYPHA_OK);
    assert_true(nonce >= 0);
    return (uint16_t)nonce;
}

static unsigned count_of(const struct end *end, const char *command)
{
    unsigned count = 0;

    for (const char *at = end->sent; (at = strstr(at, command)) != NULL; at += strlen(command))
        count++;
    return count;
}

/* spec: wire.md 5.4: at once at the start, then the heartbeat after each pong */
static void pings_at_once_and_after_each_heartbeat(void **state)
{
    struct pair pair;

    (void)state;
    pair_init(&pair);
    pair_connect(&pair, HYPHA_SESSION_OUTBOUND);
    assert_int_equal(count_of(&pair.here, "ping "), 1);
    assert_int_equal(count_of(&pair.there, "ping "), 1);
    assert_int_equal(count_of(&pair.here, "pong "), 1);
    assert_true(hypha_channel_round_trip_us(pair.here.channel) > 0);
    hy_sim_run_for(pair.sim, 29999);
    pair_settle(&pair);
    assert_int_equal(count_of(&pair.here, "ping "), 1);
    hy_sim_run_for(pair.sim, 1);
    pair_settle(&pair);
    assert_int_equal(count_of(&pair.here, "ping "), 2);
    for (int i = 0; i < 100; i++) {
        hy_sim_run_for(pair.sim, 30000);
        pair_settle(&pair);
    }
    assert_int_equal(count_of(&pair.here, "ping "), 102);
    assert_int_equal(count_of(&pair.there, "pong "), 102);
    assert_false(hypha_channel_is_stopped(pair.here.channel));
    pair_fini(&pair);
}

static void the_round_trip_is_measured(void **state)
{
    struct pair pair;
    struct hy_ping pong;

    (void)state;
    open_alone(&pair);
    hy_sim_run_for(pair.sim, 30000);
    pong.nonce = last_nonce(&pair.here, "ping");
    hy_sim_run_for(pair.sim, 70);
    assert_true(end_feed(&pair.here, HY_MESSAGE_PONG, &pong));
    assert_true(hypha_channel_round_trip_us(pair.here.channel) >= 70000);
    assert_true(hypha_channel_round_trip_us(pair.here.channel) < 71000);
    /* the next one a heartbeat after the pong */
    pair.here.sent[0] = '\0';
    hy_sim_run_for(pair.sim, 29999);
    assert_int_equal(count_of(&pair.here, "ping "), 0);
    hy_sim_run_for(pair.sim, 1);
    assert_int_equal(count_of(&pair.here, "ping "), 1);
    pair_fini(&pair);
}

static void silence_is_a_timeout(void **state)
{
    struct pair pair;

    (void)state;
    open_alone(&pair);
    hy_sim_run_for(pair.sim, 30000 + 14999);
    assert_false(hypha_channel_is_stopped(pair.here.channel));
    hy_sim_run_for(pair.sim, 1);
    assert_int_equal(pair.here.why, HYPHA_ERR_PING_TIMEOUT);
    assert_int_equal(hy_hosts_count(pair.here.node.net.hosts, HYPHA_COLOUR_BLACK), 0);
    pair_fini(&pair);
}

static void while_we_do_not_listen_nobody_is_late(void **state)
{
    struct pair pair;
    struct hy_ping pong;

    (void)state;
    open_alone(&pair);
    hy_sim_run_for(pair.sim, 30000);
    pong.nonce = last_nonce(&pair.here, "ping");
    hypha_channel_pause(pair.here.channel);
    hy_sim_run_for(pair.sim, 100000);
    assert_false(hypha_channel_is_stopped(pair.here.channel));
    hypha_channel_resume(pair.here.channel);
    pair_turn(&pair);
    assert_true(end_feed(&pair.here, HY_MESSAGE_PONG, &pong));
    pair_turn(&pair);
    assert_false(hypha_channel_is_stopped(pair.here.channel));
    pair_fini(&pair);
}

static void a_wrong_nonce_closes(void **state)
{
    struct pair pair;
    struct hy_ping pong;

    (void)state;
    open_alone(&pair);
    hy_sim_run_for(pair.sim, 30000);
    pong.nonce = (uint16_t)(last_nonce(&pair.here, "ping") + 1);
    assert_true(end_feed(&pair.here, HY_MESSAGE_PONG, &pong));
    pair_turn(&pair);
    assert_int_equal(pair.here.why, HYPHA_ERR_PONG_NONCE);
    assert_int_equal(hy_hosts_count(pair.here.node.net.hosts, HYPHA_COLOUR_BLACK), 0);
    pair_fini(&pair);
}

/* spec: wire.md 8: stale pongs are discarded before each ping, delayed ones too */
static void stale_pongs_are_forgotten(void **state)
{
    struct pair pair;
    struct hy_ping pong = { .nonce = 4711 };

    (void)state;
    open_alone(&pair);
    hy_sim_run_for(pair.sim, 29500);
    for (int i = 0; i < 6; i++) /* the last ones are delayed by metering past the next ping */
        assert_true(end_feed(&pair.here, HY_MESSAGE_PONG, &pong));
    hy_sim_run_for(pair.sim, 500);
    assert_int_equal(count_of(&pair.here, "ping "), 1);
    hy_sim_run_for(pair.sim, 10000);
    assert_false(hypha_channel_is_stopped(pair.here.channel));
    pair_fini(&pair);
}

static void each_ping_gets_one_pong(void **state)
{
    struct pair pair;

    (void)state;
    open_alone(&pair);
    for (uint16_t i = 0; i < 3; i++) {
        struct hy_ping ping = { .nonce = (uint16_t)(1000 + i) };

        assert_true(end_feed(&pair.here, HY_MESSAGE_PING, &ping));
        pair_turn(&pair);
        assert_int_equal(count_of(&pair.here, "pong "), i + 1);
        assert_int_equal(last_nonce(&pair.here, "pong"), ping.nonce);
    }
    pair_fini(&pair);
}

/* A peer that doesn't read is owed its pongs until there is room. */
static void pongs_are_owed_while_the_queue_is_full(void **state)
{
    struct pair pair;

    (void)state;
    open_alone(&pair);
    pair.here.node.settings.max_send_queue_bytes = 0;
    pair.here.stream.room = 0;

    /* Fill what even urgent messages may take. */
    struct hy_ping filler = { 0 };
    while (hypha_channel_queued_bytes(pair.here.channel) < 64 * 1024)
        assert_int_equal(
            hy_channel_send_urgent(pair.here.channel, &hy_core_messages[HY_MESSAGE_PONG], &filler),
            HYPHA_OK);
    pair.here.node.settings.max_send_queue_bytes = 100;
    while (hy_channel_send_urgent(pair.here.channel, &hy_core_messages[HY_MESSAGE_PONG], &filler) ==
        HYPHA_OK)
        ;
    pair.here.sent[0] = '\0';
    size_t before = hypha_channel_queued_bytes(pair.here.channel);
    struct hy_ping ping = { .nonce = 77 };
    assert_true(end_feed(&pair.here, HY_MESSAGE_PING, &ping));
    assert_int_equal(hypha_channel_queued_bytes(pair.here.channel), before);
    assert_false(hypha_channel_is_stopped(pair.here.channel));
    pair_fini(&pair);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(pings_at_once_and_after_each_heartbeat),
        cmocka_unit_test(the_round_trip_is_measured),
        cmocka_unit_test(silence_is_a_timeout),
        cmocka_unit_test(while_we_do_not_listen_nobody_is_late),
        cmocka_unit_test(a_wrong_nonce_closes),
        cmocka_unit_test(stale_pongs_are_forgotten),
        cmocka_unit_test(each_ping_gets_one_pong),
        cmocka_unit_test(pongs_are_owed_while_the_queue_is_full),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
