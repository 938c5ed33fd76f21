/* channel_test.c - a channel's life, and what each mistake of a peer does to it. */
#include "fakes/channel_fixture.h"

/* ---- life ---- */

static void states_and_callbacks_in_order(void **state)
{
    struct fixture f;

    (void)state;
    fixture_init(&f);
    f.run_at_ready = false;
    assert_int_equal(fixture_create(&f, HYPHA_SESSION_OUTBOUND), HYPHA_OK);
    assert_int_equal(hy_channel_state(f.channel), HY_CHANNEL_NEW);
    assert_false(f.stream.reading);
    assert_int_equal(hy_channel_start(f.channel, &fixture_owner, &f), HYPHA_OK);
    assert_int_equal(hy_channel_start(f.channel, &fixture_owner, &f), HYPHA_ERR_STATE);
    assert_int_equal(hy_channel_state(f.channel), HY_CHANNEL_HANDSHAKE);
    assert_true(f.stream.reading);
    assert_int_equal(f.node.net.channel_count, 1);
    assert_ptr_equal(hy_net_next_channel(&f.node.net, NULL), f.channel);
    assert_ptr_equal(hy_net_channel(&f.node.net, hypha_channel_id(f.channel)), f.channel);
    hy_channel_handshake_done(f.channel);
    assert_int_equal(f.ready, 1);
    assert_int_equal(hy_channel_state(f.channel), HY_CHANNEL_READY);
    hy_channel_handshake_done(f.channel);
    assert_int_equal(f.ready, 1);
    assert_string_equal(f.app.story, "attach ");
    hy_channel_run(f.channel);
    assert_int_equal(hy_channel_state(f.channel), HY_CHANNEL_RUNNING);
    hy_channel_run(f.channel);
    FEED(&f, MAGIC "\x04note\x02hi");
    hypha_channel_stop(f.channel);
    hypha_channel_stop(f.channel);
    assert_true(hypha_channel_is_stopped(f.channel));
    assert_int_equal(f.stopped, 0); /* told at the end of the turn */
    fixture_turn(&f);
    assert_int_equal(hy_channel_state(f.channel), HY_CHANNEL_STOPPED);
    assert_string_equal(f.app.story, "attach start note(hi) stop:CHANNEL_STOPPED owner ");
    assert_int_equal(f.node.gone, 1);
    assert_true(f.stream.closed);
    assert_int_equal(fixture_send(&f, FAKE_NOTE, "x"), HYPHA_ERR_CHANNEL_STOPPED);
    assert_int_equal(hy_channel_start(f.channel, &fixture_owner, &f), HYPHA_ERR_CHANNEL_STOPPED);
    assert_null(hy_net_channel(&f.node.net, hypha_channel_id(f.channel)));
    fixture_fini(&f);
}

/* spec: network.md 2.3: a stopping node starts no channel */
static void a_stopping_node_starts_none(void **state)
{
    struct fixture f;

    (void)state;
    fixture_init(&f);
    assert_int_equal(fixture_create(&f, HYPHA_SESSION_OUTBOUND), HYPHA_OK);
    f.node.net.stopping = true;
    assert_int_equal(hy_channel_start(f.channel, &fixture_owner, &f), HYPHA_ERR_NETWORK_STOPPED);
    assert_true(hypha_channel_is_stopped(f.channel));
    fixture_turn(&f);
    assert_int_equal(f.stopped, 0);
    assert_string_equal(f.app.story, "");
    fixture_fini(&f);
}

static void a_failing_attach_stops(void **state)
{
    struct fixture f;

    (void)state;
    fixture_init(&f);
    f.app.attach_err = HYPHA_ERR_NOMEM;
    assert_int_equal(fixture_create(&f, HYPHA_SESSION_OUTBOUND), HYPHA_OK);
    assert_int_equal(hy_channel_start(f.channel, &fixture_owner, &f), HYPHA_ERR_NOMEM);
    fixture_turn(&f);
    assert_int_equal(f.stopped, 0);
    assert_string_equal(f.app.story, "attach "); /* no other callback */
    assert_int_equal(f.node.gone, 1);
    fixture_fini(&f);
}

static void a_new_channel_is_just_dropped(void **state)
{
    struct fixture f;

    (void)state;
    fixture_init(&f);
    assert_int_equal(fixture_create(&f, HYPHA_SESSION_INBOUND), HYPHA_OK);
    hypha_channel_unref(f.channel);
    f.channel = NULL;
    assert_true(f.stream.closed);
    fixture_fini(&f);
}

struct witness {
    struct hy_stop_subscriber subscriber;
    unsigned calls;
    enum hypha_err why;
};

static void on_stop(struct hypha_channel *channel, enum hypha_err why, void *user)
{
    struct witness *witness = user;

    (void)channel;
    witness->calls++;
    witness->why = why;
}

static void subscribers_hear_exactly_once(void **state)
{
    struct fixture f;
    struct witness a = { .subscriber = { .cb = on_stop, .user = &a } }, b = a, late = a;

    (void)state;
    b.subscriber.user = &b;
    late.subscriber.user = &late;
    fixture_run(&f, HYPHA_SESSION_OUTBOUND);
    assert_int_equal(hy_channel_subscribe_stop(f.channel, &a.subscriber), HYPHA_OK);
    assert_int_equal(hy_channel_subscribe_stop(f.channel, &b.subscriber), HYPHA_OK);
    hy_channel_unsubscribe_stop(f.channel, &b.subscriber);
    hy_channel_unsubscribe_stop(f.channel, &b.subscriber);
    fake_stream_end(&f.stream, HYPHA_ERR_EOF);
    assert_int_equal(
        hy_channel_subscribe_stop(f.channel, &late.subscriber), HYPHA_ERR_CHANNEL_STOPPED);
    assert_int_equal(a.calls, 0);
    fixture_turn(&f);
    fixture_turn(&f);
    assert_int_equal(a.calls, 1);
    assert_int_equal(a.why, HYPHA_ERR_EOF);
    assert_int_equal(b.calls + late.calls, 0);
    fixture_fini(&f);
}

/* A pending set subscribes before the channel starts; it may end before that. */
static void subscribers_of_a_new_channel_hear_too(void **state)
{
    (void)state;
    for (int how = 0; how < 3; how++) {
        struct fixture f;
        struct witness a = { .subscriber = { .cb = on_stop, .user = &a } };

        fixture_init(&f);
        assert_int_equal(fixture_create(&f, HYPHA_SESSION_INBOUND), HYPHA_OK);
        assert_int_equal(hy_channel_subscribe_stop(f.channel, &a.subscriber), HYPHA_OK);
        if (how == 0)
            fake_stream_end(&f.stream, HYPHA_ERR_EOF);
        if (how == 1)
            hypha_channel_stop(f.channel);
        if (how == 2) {
            hypha_channel_unref(f.channel);
            f.channel = NULL;
        }
        assert_int_equal(a.calls, 0);
        fixture_turn(&f);
        assert_int_equal(a.calls, 1);
        fixture_fini(&f);
    }
}

static void stop_inside(struct hypha_channel *channel, void *user)
{
    (void)user;
    hypha_channel_stop(channel);
}

static void unref_inside(struct hypha_channel *channel, void *user)
{
    struct fixture *f = user;

    hypha_channel_stop(channel);
    hypha_channel_unref(channel);
    f->channel = NULL;
}

/* spec: network.md MUST 5-b: from the receive loop, a protocol's start, the end of the channel */
static void the_last_reference_may_go_in_any_callback(void **state)
{
    (void)state;
    for (int where = 0; where < 4; where++) {
        struct fixture f;

        fixture_init(&f);
        f.app.user = &f;
        f.app.on_message = where == 0 ? unref_inside : where == 2 ? stop_inside : NULL;
        f.app.on_start = where == 1 ? unref_inside : NULL;
        f.unref_at_stop = where == 2 || where == 3;
        must(fixture_create(&f, HYPHA_SESSION_MANUAL));
        must(hy_channel_start(f.channel, &fixture_owner, &f));
        hy_channel_handshake_done(f.channel);
        if (where != 1)
            FEED(&f,
                MAGIC "\x04note\x01"
                      "a" MAGIC "\x04note\x01"
                      "b");
        if (where == 3)
            fake_stream_end(&f.stream, HYPHA_ERR_RESET);
        fixture_turn(&f);
        assert_null(f.channel);
        assert_int_equal(f.stopped, 1);
        /* nothing is handed on after a stop */
        assert_int_equal(f.app.messages, where == 1 ? 0 : where == 3 ? 2 : 1);
        fixture_fini(&f);
    }
}

static void end_inside(struct hypha_channel *channel, void *user)
{
    struct fixture *f = user;

    if (f->run_at_ready)
        hypha_channel_ban(channel);
    hypha_channel_stop(channel);
    assert_true(hypha_channel_is_stopped(channel));
    assert_int_equal(hy_channel_state(channel), HY_CHANNEL_STOPPING); /* no more than a signal */
    assert_int_equal(f->stopped, 0);
    assert_false(f->stream.closed);
}

/* spec: network.md MUST 5-b: nobody is told, nothing is closed within the callback */
static void stop_and_ban_inside_only_signal(void **state)
{
    (void)state;
    for (int where = 0; where < 2; where++) {
        for (int ban = 0; ban < 2; ban++) {
            struct fixture f;

            fixture_run(&f, HYPHA_SESSION_MANUAL);
            f.run_at_ready = ban != 0;
            f.app.user = &f;
            f.app.on_message = where == 0 ? end_inside : NULL;
            f.app.on_writable = where == 1 ? end_inside : NULL;
            if (where == 1) {
                f.stream.room = 0;
                while (fixture_send(&f, FAKE_NOTE, "a line that nobody reads") == HYPHA_OK)
                    ;
                fixture_turn(&f);
                fake_stream_allow(&f.stream, SIZE_MAX);
                fixture_turn(&f);
            } else {
                FEED(&f, MAGIC "\x04note\x01x");
            }
            fixture_turn(&f);
            assert_int_equal(f.stopped, 1);
            assert_int_equal(f.why, ban != 0 ? HYPHA_ERR_BANNED : HYPHA_ERR_CHANNEL_STOPPED);
            assert_true(f.stream.closed);
            fixture_fini(&f);
        }
    }
}

/* spec: network.md MUST 5-c: not when the last reference goes */
static void a_stop_closes_the_socket(void **state)
{
    struct fixture f;

    (void)state;
    fixture_run(&f, HYPHA_SESSION_INBOUND);
    struct hypha_channel *held = hypha_channel_ref(f.channel);
    hypha_channel_stop(f.channel);
    fixture_turn(&f);
    assert_true(f.stream.closed);
    assert_int_equal(hy_channel_state(held), HY_CHANNEL_STOPPED);
    hypha_channel_unref(held);
    fixture_fini(&f);
}

static const uint32_t *chances;

static void given_chance(struct hypha_loop *loop, void *into, size_t len)
{
    (void)loop;
    assert_int_equal(len, sizeof(*chances));
    memcpy(into, chances++, len);
}

/* spec: network.md MUST 5-a: whatever chance gives */
static void ids_are_unique_and_not_zero(void **state)
{
    static const uint32_t given[] = { 0, 7, 0, 7, 0, 8 };
    struct hypha_channel *second;
    struct fixture f;

    (void)state;
    fixture_init(&f);
    const struct hy_loop_ops *real = f.node.loop->ops;
    struct hy_loop_ops ops = *real;
    ops.random = given_chance;
    f.node.loop->ops = &ops;
    chances = given;
    must(fixture_create(&f, HYPHA_SESSION_INBOUND));
    assert_int_equal(hypha_channel_id(f.channel), 7);

    struct hypha_url *url = fake_url("tcp://6.6.6.6:9000");
    struct fake_stream stream;
    fake_stream_init(&stream);
    must(hy_channel_create(
        &f.node.net, HYPHA_SESSION_MANUAL, &stream.base, url, url, false, &second));
    assert_int_equal(hypha_channel_id(second), 8);
    assert_ptr_equal(chances, given + 6);
    hypha_channel_unref(second);
    hypha_url_unref(url);
    fake_stream_fini(&stream);
    f.node.loop->ops = real;
    fixture_fini(&f);
}

/* spec: wire.md 5.1, 5.2: the handshake's time by the scheme of address() */
static void the_handshake_has_a_clock(void **state)
{
    struct fixture f;

    (void)state;
    fixture_init(&f);
    must(fixture_create(&f, HYPHA_SESSION_OUTBOUND));
    must(hy_channel_start(f.channel, &fixture_owner, &f));
    hy_sim_run_for(f.sim, 9999);
    assert_false(hypha_channel_is_stopped(f.channel));
    hy_sim_run_for(f.sim, 1);
    assert_int_equal(f.stopped, 1);
    assert_int_equal(f.why, HYPHA_ERR_HANDSHAKE_TIMEOUT);
    assert_false(hy_hosts_is_banned(f.node.net.hosts, hypha_channel_address(f.channel)));
    fixture_fini(&f);
}

static void addresses(void **state)
{
    struct fixture f;
    struct hypha_url *named = fake_url("tcp://name.example:1"), *end = fake_url("tcp://6.6.6.6:1");

    (void)state;
    fixture_init(&f);
    for (int mixed = 0; mixed < 2; mixed++) {
        fake_stream_init(&f.stream);
        must(hy_channel_create(&f.node.net, HYPHA_SESSION_OUTBOUND, &f.stream.base, named, end,
            mixed == 1, &f.channel));
        /* spec: network.md 5: address() and display_address() */
        assert_ptr_equal(hypha_channel_address(f.channel), mixed ? named : end);
        assert_ptr_equal(hypha_channel_display_address(f.channel), end);
        hypha_channel_unref(f.channel);
    }
    f.channel = NULL;
    hypha_url_unref(named);
    hypha_url_unref(end);
    fixture_fini(&f);
}

/* ---- violations, end to end ---- */

enum fate { OPEN, CLOSED, BANNED };

/* What a peer sends, and what comes of it by session. spec: wire.md 2.2, 8 */
static const struct {
    const char *name;
    const char *bytes;
    size_t len;
    bool eof;
    enum hypha_err why;
    enum fate inbound, outbound, refine;
} mistakes[] = {
#define BYTES(text) text, sizeof(text) - 1
    { "eof between frames", BYTES(""), true, HYPHA_ERR_EOF, CLOSED, CLOSED, CLOSED },
    { "eof in magic", BYTES("\xd9"), true, HYPHA_ERR_EOF_IN_FRAME, CLOSED, CLOSED, CLOSED },
    { "eof in command", BYTES(MAGIC "\x04pi"), true, HYPHA_ERR_EOF_IN_FRAME, CLOSED, CLOSED,
        CLOSED },
    { "eof in payload", BYTES(MAGIC "\x04ping\x02x"), true, HYPHA_ERR_EOF_IN_FRAME, CLOSED, CLOSED,
        CLOSED },
    { "magic", BYTES("GET / HTTP/1.1"), false, HYPHA_ERR_MAGIC, CLOSED, BANNED, CLOSED },
    { "long command", BYTES(MAGIC "\xfd\x00\x01"), false, HYPHA_ERR_COMMAND_LENGTH, BANNED, BANNED,
        BANNED },
    { "clen form", BYTES(MAGIC "\xfd\x04\x00ping"), false, HYPHA_ERR_COMMAND_TEXT, CLOSED, CLOSED,
        CLOSED },
    { "command text", BYTES(MAGIC "\x02\xc3\x28"), false, HYPHA_ERR_COMMAND_TEXT, CLOSED, CLOSED,
        CLOSED },
    { "unknown", BYTES(MAGIC "\x05hpreq"), false, HYPHA_ERR_COMMAND_UNKNOWN, BANNED, BANNED, OPEN },
    { "empty command", BYTES(MAGIC "\x00"), false, HYPHA_ERR_COMMAND_UNKNOWN, BANNED, BANNED,
        OPEN },
    { "plen form", BYTES(MAGIC "\x04ping\xfd\x02\x00"), false, HYPHA_ERR_PAYLOAD_PREFIX, BANNED,
        BANNED, OPEN },
    { "too long", BYTES(MAGIC "\x04ping\x03"), false, HYPHA_ERR_PAYLOAD_LENGTH, BANNED, BANNED,
        OPEN },
    { "short payload", BYTES(MAGIC "\x04ping\x01x"), false, HYPHA_ERR_PAYLOAD, BANNED, BANNED,
        OPEN },
    { "surplus payload", BYTES(MAGIC "\x04tiny\x03xyz"), false, HYPHA_ERR_PAYLOAD, BANNED, BANNED,
        OPEN },
    { "over the cap", BYTES(MAGIC "\x04note\xfe\x01\x00\x00\x01"), false,
        HYPHA_ERR_PAYLOAD_UNLIMITED, CLOSED, CLOSED, OPEN /* no application there: skipped */ },
    { "legal", BYTES(MAGIC "\x04ping\x02xy"), false, HYPHA_OK, OPEN, OPEN, OPEN },
#undef BYTES
};

static void check_mistake(
    size_t i, enum hypha_session session, enum fate wanted, bool relaxed, bool bytewise)
{
    struct fixture f;
    enum fate fate = OPEN;

    fixture_run(&f, session);
    f.node.settings.relaxed_bans = relaxed;
    for (size_t at = 0; bytewise && at < mistakes[i].len; at++)
        if (f.stream.reading)
            fixture_feed(&f, mistakes[i].bytes + at, 1);
    if (!bytewise)
        fixture_feed(&f, mistakes[i].bytes, mistakes[i].len);
    if (mistakes[i].eof)
        fake_stream_end(&f.stream, HYPHA_ERR_EOF);
    fixture_turn(&f);
    if (hypha_channel_is_stopped(f.channel))
        fate = hy_hosts_is_banned(f.node.net.hosts, hypha_channel_address(f.channel)) ? BANNED
                                                                                      : CLOSED;
    if (relaxed && wanted == BANNED)
        wanted = CLOSED;
    if (fate != wanted || (fate != OPEN && f.why != mistakes[i].why))
        fail_msg("%s on %s: fate %d instead of %d, %s", mistakes[i].name,
            hypha_session_name(session), fate, wanted, hypha_err_name(f.why));
    if (fate == BANNED)
        assert_non_null(strstr(f.node.log.last, "banned"));
    fixture_fini(&f);
}

static void every_mistake_has_its_outcome(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof mistakes / sizeof mistakes[0]; i++)
        for (int how = 0; how < 4; how++) {
            check_mistake(i, HYPHA_SESSION_INBOUND, mistakes[i].inbound, how & 1, how & 2);
            check_mistake(i, HYPHA_SESSION_OUTBOUND, mistakes[i].outbound, how & 1, how & 2);
            check_mistake(i, HYPHA_SESSION_REFINE, mistakes[i].refine, how & 1, how & 2);
        }
}

static void the_log_names_peer_rule_and_command(void **state)
{
    struct fixture f;

    (void)state;
    fixture_run(&f, HYPHA_SESSION_INBOUND);
    FEED(&f,
        MAGIC "\x05"
              "a\x1b[2J");
    assert_non_null(strstr(f.node.log.last, "tcp://5.5.5.5:50000/"));
    assert_non_null(strstr(f.node.log.last, "unknown command"));
    assert_non_null(strstr(f.node.log.last, "a\\x1b[2J"));
    assert_int_equal(f.node.log.level, HYPHA_LOG_WARN);
    fixture_fini(&f);
}

static void an_application_may_refuse_a_message(void **state)
{
    struct fixture f;

    (void)state;
    fixture_run(&f, HYPHA_SESSION_INBOUND);
    f.app.message_err = HYPHA_ERR_MALFORMED;
    FEED(&f, MAGIC "\x04note\x01x");
    fixture_turn(&f);
    assert_int_equal(f.why, HYPHA_ERR_PAYLOAD);
    assert_true(hy_hosts_is_banned(f.node.net.hosts, hypha_channel_address(f.channel)));
    fixture_fini(&f);
}

static void a_ban_by_hand(void **state)
{
    struct fixture f;

    (void)state;
    fixture_run(&f, HYPHA_SESSION_MANUAL);
    hypha_channel_ban(f.channel);
    hypha_channel_ban(f.channel);
    fixture_turn(&f);
    assert_int_equal(f.why, HYPHA_ERR_BANNED);
    assert_true(hy_hosts_is_banned(f.node.net.hosts, hypha_channel_address(f.channel)));
    fixture_fini(&f);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(states_and_callbacks_in_order),
        cmocka_unit_test(a_stopping_node_starts_none),
        cmocka_unit_test(a_failing_attach_stops),
        cmocka_unit_test(a_new_channel_is_just_dropped),
        cmocka_unit_test(subscribers_hear_exactly_once),
        cmocka_unit_test(subscribers_of_a_new_channel_hear_too),
        cmocka_unit_test(the_last_reference_may_go_in_any_callback),
        cmocka_unit_test(stop_and_ban_inside_only_signal),
        cmocka_unit_test(a_stop_closes_the_socket),
        cmocka_unit_test(ids_are_unique_and_not_zero),
        cmocka_unit_test(the_handshake_has_a_clock),
        cmocka_unit_test(addresses),
        cmocka_unit_test(every_mistake_has_its_outcome),
        cmocka_unit_test(the_log_names_peer_rule_and_command),
        cmocka_unit_test(an_application_may_refuse_a_message),
        cmocka_unit_test(a_ban_by_hand),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
