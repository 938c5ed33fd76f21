/* channel_receive_test.c - metering's delay, early messages, pauses, bounded memory. */
#include "fakes/channel_fixture.h"

#define SLOW(c) MAGIC "\x04slow\x01" c
#define NOTE(c) MAGIC "\x04note\x01" c

/* ---- metering in virtual time ---- */

/* spec: wire.md 4.4, the row "handler gets it at s" */
static void the_example_on_a_live_channel(void **state)
{
    static const uint64_t arrivals_ms[] = { 0, 1000, 2000, 3000, 4000, 5000, 6000, 10500 };
    struct fixture f;

    (void)state;
    fixture_run(&f, HYPHA_SESSION_INBOUND);
    f.app.with_times = true;
    for (size_t i = 0; i < 8; i++) {
        char frame[] = SLOW("0");

        hy_sim_run_until(f.sim, f.app.epoch_ms + arrivals_ms[i]);
        frame[sizeof frame - 2] = (char)('0' + i);
        FEED(&f, frame);
        assert_true(f.stream.reading); /* metering alone never pauses: wire.md 8 */
    }
    hy_sim_run_for(f.sim, 60000);
    assert_string_equal(f.app.story,
        "slow(0)@0 slow(1)@1000 slow(2)@2000 slow(3)@3000 slow(4)@5000 slow(5)@7000 "
        "slow(6)@10000 slow(7)@13500 ");
    fixture_fini(&f);
}

static void a_delayed_command_does_not_hold_up_others(void **state)
{
    struct fixture f;

    (void)state;
    fixture_run(&f, HYPHA_SESSION_INBOUND);
    f.app.with_times = true;
    for (int i = 0; i < 6; i++)
        FEED(&f, SLOW("s"));
    FEED(&f, NOTE("n"));
    hy_sim_run_for(f.sim, 10000);
    assert_string_equal(f.app.story,
        "slow(s)@0 slow(s)@0 slow(s)@0 slow(s)@0 note(n)@0 slow(s)@1000 slow(s)@3000 ");
    fixture_fini(&f);
}

/* spec: wire.md 4.3: core 28 and our own 4; the limit itself is legal, one more is not, and
 * the violation doesn't wait for the delayed delivery */
static void the_channel_limit(void **state)
{
    struct fixture f;

    (void)state;
    fixture_run(&f, HYPHA_SESSION_INBOUND);
    for (int i = 0; i < 28; i++)
        FEED(&f, MAGIC "\x04ping\x02xy");
    for (int i = 0; i < 4; i++)
        FEED(&f, SLOW("s"));
    fixture_turn(&f);
    assert_false(hypha_channel_is_stopped(f.channel));
    assert_int_equal(f.app.messages, 4);
    FEED(&f, MAGIC "\x04pong\x02xy");
    fixture_turn(&f);
    assert_int_equal(f.why, HYPHA_ERR_METERING);
    assert_true(hy_hosts_is_banned(f.node.net.hosts, hypha_channel_address(f.channel)));
    fixture_fini(&f);
}

static void the_limit_forgets(void **state)
{
    struct fixture f;

    (void)state;
    fixture_run(&f, HYPHA_SESSION_INBOUND);
    for (int round = 0; round < 5; round++) {
        for (int i = 0; i < 32; i++)
            FEED(&f, MAGIC "\x04ping\x02xy");
        hy_sim_run_for(f.sim, 10000);
    }
    assert_false(hypha_channel_is_stopped(f.channel));
    fixture_fini(&f);
}

static void the_offending_message_is_delivered_first(void **state)
{
    struct fixture f;

    (void)state;
    fixture_run(&f, HYPHA_SESSION_INBOUND);
    for (int i = 0; i < 32; i++)
        FEED(&f, MAGIC "\x04ping\x02xy");
    FEED(&f, SLOW("x"));
    fixture_turn(&f);
    assert_string_equal(f.app.story, "slow(x) stop:METERING owner ");
    fixture_fini(&f);
}

/* ---- before the handshake is done ---- */

/* spec: wire.md 2.4, 5.2: queued, handled afterwards, in the order of arrival */
static void early_messages_wait(void **state)
{
    struct fixture f;

    (void)state;
    fixture_init(&f);
    must(fixture_create(&f, HYPHA_SESSION_INBOUND));
    must(hy_channel_start(f.channel, &fixture_owner, &f));
    f.app.with_times = true;
    FEED(&f, NOTE("a") SLOW("b") NOTE("c") SLOW("d") MAGIC "\x04ping\x02xy" NOTE("e"));
    hy_sim_run_for(f.sim, 3000);
    assert_string_equal(f.app.story, "attach ");
    hy_channel_handshake_done(f.channel);
    FEED(&f, NOTE("f")); /* not past those that wait */
    fixture_turn(&f);
    FEED(&f, NOTE("g"));
    assert_string_equal(f.app.story,
        "attach start note(a)@3000 slow(b)@3000 note(c)@3000 slow(d)@3000 note(e)@3000 "
        "note(f)@3000 note(g)@3000 ");
    fixture_fini(&f);
}

/* The consumer begins at the start of the protocols: so does its sleep. */
static void early_messages_sleep_from_the_start(void **state)
{
    struct fixture f;

    (void)state;
    fixture_init(&f);
    must(fixture_create(&f, HYPHA_SESSION_INBOUND));
    must(hy_channel_start(f.channel, &fixture_owner, &f));
    f.app.with_times = true;
    FEED(&f, SLOW("1") SLOW("2") SLOW("3") SLOW("4") SLOW("5") SLOW("6"));
    hy_sim_run_for(f.sim, 5000);
    hy_channel_handshake_done(f.channel);
    hy_sim_run_for(f.sim, 10000);
    assert_string_equal(f.app.story,
        "attach start slow(1)@5000 slow(2)@5000 slow(3)@5000 slow(4)@5000 slow(5)@6000 "
        "slow(6)@8000 ");
    fixture_fini(&f);
}

/* spec: wire.md 8: queues bounded in bytes, reading paused while one is full */
static void a_flood_before_the_handshake_is_bounded(void **state)
{
    struct fixture f;
    char frame[4 + 5 + 3 + 1000] = MAGIC "\x04note\xfd\xe8\x03";
    size_t fed = 0, most;

    (void)state;
    fixture_init(&f);
    f.app.quiet = true;
    f.node.settings.max_recv_queue_bytes = 100000;
    must(fixture_create(&f, HYPHA_SESSION_INBOUND));
    must(hy_channel_start(f.channel, &fixture_owner, &f));
    while (fake_stream_feed(&f.stream, frame, sizeof frame))
        fed++;
    most = f.channel->kept_bytes;
    assert_true(most <= 100000 + 2000);
    assert_true(fed < 110);
    /* Once they are handed on, reading goes on. */
    hy_channel_handshake_done(f.channel);
    fixture_turn(&f);
    assert_int_equal(f.app.messages, fed);
    assert_int_equal(f.channel->kept_bytes, 0);
    assert_true(f.stream.reading);
    fixture_fini(&f);
}

/* ---- pauses ---- */

static void pause_inside(struct hypha_channel *channel, void *user)
{
    (void)user;
    hypha_channel_pause(channel);
}

static void a_pause_holds_the_very_next_frame(void **state)
{
    struct fixture f;

    (void)state;
    fixture_run(&f, HYPHA_SESSION_INBOUND);
    f.app.on_message = pause_inside;
    FEED(&f, NOTE("a") NOTE("b") NOTE("c") MAGIC "\x04no");
    assert_string_equal(f.app.story, "note(a) ");
    assert_false(f.stream.reading);
    fixture_turn(&f);
    hypha_channel_pause(f.channel);
    hypha_channel_resume(f.channel); /* they count */
    fixture_turn(&f);
    assert_string_equal(f.app.story, "note(a) ");
    hypha_channel_resume(f.channel);
    assert_string_equal(f.app.story, "note(a) "); /* never from inside the call */
    fixture_turn(&f);
    assert_string_equal(f.app.story, "note(a) note(b) ");
    assert_false(f.stream.reading);
    f.app.on_message = NULL;
    hypha_channel_resume(f.channel);
    hypha_channel_resume(f.channel); /* one too many is nothing */
    fixture_turn(&f);
    assert_string_equal(f.app.story, "note(a) note(b) note(c) ");
    assert_true(f.stream.reading);
    assert_null(f.channel->unread);
    FEED(&f,
        "te\x01"
        "d");
    assert_string_equal(f.app.story, "note(a) note(b) note(c) note(d) ");
    fixture_fini(&f);
}

static void a_pause_holds_delayed_messages_too(void **state)
{
    struct fixture f;

    (void)state;
    fixture_run(&f, HYPHA_SESSION_INBOUND);
    f.app.with_times = true;
    FEED(&f, SLOW("1") SLOW("2") SLOW("3") SLOW("4") SLOW("5"));
    hypha_channel_pause(f.channel);
    hy_sim_run_for(f.sim, 5000);
    assert_int_equal(f.app.messages, 4);
    hypha_channel_resume(f.channel);
    fixture_turn(&f);
    assert_int_equal(f.app.messages, 5);
    fixture_fini(&f);
}

static void a_stop_while_paused(void **state)
{
    struct fixture f;

    (void)state;
    fixture_run(&f, HYPHA_SESSION_INBOUND);
    f.app.on_message = pause_inside;
    FEED(&f, NOTE("a") NOTE("b"));
    fake_stream_end(&f.stream, HYPHA_ERR_EOF);
    fixture_turn(&f);
    assert_int_equal(f.stopped, 1);
    fixture_fini(&f);
}

/* ---- memory ---- */

static void a_byte_at_a_time(void **state)
{
    struct fixture f;
    static const char bytes[] = NOTE("a") MAGIC "\x04note\x00" SLOW("b") NOTE("c");

    (void)state;
    fixture_run(&f, HYPHA_SESSION_INBOUND);
    for (size_t i = 0; i < sizeof bytes - 1; i++)
        fixture_feed(&f, bytes + i, 1);
    assert_string_equal(f.app.story, "note(a) note() slow(b) note(c) ");
    assert_null(f.channel->framing.held); /* nothing is kept between frames */
    fixture_fini(&f);
}

static void nothing_is_allocated_on_the_straight_way(void **state)
{
    struct fixture f;

    (void)state;
    fixture_run(&f, HYPHA_SESSION_INBOUND);
    FEED(&f, NOTE("a"));
    assert_int_equal(fixture_send(&f, FAKE_NOTE, "b"), HYPHA_OK);
    hy_alloc_fail_after(SIZE_MAX);
    FEED(&f, NOTE("a") NOTE("b") NOTE("c"));
    for (int i = 0; i < 20; i++)
        assert_int_equal(fixture_send(&f, FAKE_NOTE, "b"), HYPHA_OK);
    assert_int_equal(hy_alloc_count(), 0);
    fixture_fini(&f);
}

/* ---- events ---- */

static char events[256];

static void on_event(const struct hypha_event *event, void *user)
{
    size_t len = strlen(events);

    (void)user;
    (void)snprintf(events + len, sizeof events - len, "%s %s %u; ",
        event->type == HYPHA_EVENT_SEND ? "send" : "recv", event->command, (unsigned)event->bytes);
}

/* spec: network.md 9 */
static void sends_and_receipts_are_events(void **state)
{
    struct fixture f;

    (void)state;
    events[0] = '\0';
    fixture_run(&f, HYPHA_SESSION_INBOUND);
    assert_int_equal(
        hy_events_subscribe(&f.node.net.events, HYPHA_EVENTS_ALL, on_event, NULL), HYPHA_OK);
    FEED(&f,
        MAGIC "\x04note\x05"
              "ab"); /* told before the payload is there */
    assert_string_equal(events, "recv note 5; ");
    FEED(&f, "cde");
    assert_int_equal(fixture_send(&f, FAKE_NOTE, "xyz"), HYPHA_OK);
    for (int i = 0; i < 5; i++)
        assert_int_equal(fixture_send(&f, FAKE_SLOW, "s"), HYPHA_OK);
    assert_string_equal(
        events, "recv note 5; send note 3; send slow 1; send slow 1; send slow 1; send slow 1; ");
    hy_sim_run_for(f.sim, 2000); /* the delayed one when it leaves */
    assert_int_equal(strlen(events), 7 * strlen("send slow 1; "));
    hy_events_unsubscribe(&f.node.net.events, on_event, NULL);
    fixture_fini(&f);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_example_on_a_live_channel),
        cmocka_unit_test(a_delayed_command_does_not_hold_up_others),
        cmocka_unit_test(the_channel_limit),
        cmocka_unit_test(the_limit_forgets),
        cmocka_unit_test(the_offending_message_is_delivered_first),
        cmocka_unit_test(early_messages_wait),
        cmocka_unit_test(early_messages_sleep_from_the_start),
        cmocka_unit_test(a_flood_before_the_handshake_is_bounded),
        cmocka_unit_test(a_pause_holds_the_very_next_frame),
        cmocka_unit_test(a_pause_holds_delayed_messages_too),
        cmocka_unit_test(a_stop_while_paused),
        cmocka_unit_test(a_byte_at_a_time),
        cmocka_unit_test(nothing_is_allocated_on_the_straight_way),
        cmocka_unit_test(sends_and_receipts_are_events),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
