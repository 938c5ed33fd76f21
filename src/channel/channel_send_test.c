/* channel_send_test.c - gathering, limits, metering, and what a stop leaves on the wire. */
#include "fakes/channel_fixture.h"

static bool wrote(const struct fixture *f, const char *bytes, size_t len)
{
    return f->stream.out_len == len && memcmp(f->stream.out, bytes, len) == 0;
}
#define WROTE(f, bytes) wrote(f, bytes, sizeof(bytes) - 1)

static void a_turn_is_one_write(void **state)
{
    struct fixture f;

    (void)state;
    fixture_run(&f, HYPHA_SESSION_OUTBOUND);
    assert_int_equal(fixture_send(&f, FAKE_NOTE, "ab"), HYPHA_OK);
    assert_int_equal(fixture_send(&f, FAKE_SLOW, ""), HYPHA_OK);
    assert_int_equal(f.stream.writes, 0);
    assert_int_equal(hypha_channel_queued_bytes(f.channel), 12 + 10);
    fixture_turn(&f);
    assert_int_equal(f.stream.writes, 1);
    assert_true(WROTE(&f,
        MAGIC "\x04note\x02"
              "ab" MAGIC "\x04slow\x00"));
    /* an idle channel holds no block */
    assert_int_equal(hy_block_pool_used(f.node.net.pool), 0);
    fixture_fini(&f);
}

static void refused_sends(void **state)
{
    static const struct hypha_message_type stranger = { "note", 0, { 0, 0, 0, 0 }, 16,
        fake_read_all, fake_write_all };
    struct fake_message message = { 0 };
    struct fixture f;

    (void)state;
    fixture_init(&f);
    must(fixture_create(&f, HYPHA_SESSION_OUTBOUND));
    assert_int_equal(fixture_send(&f, FAKE_NOTE, "x"), HYPHA_ERR_STATE);
    must(hy_channel_start(f.channel, &fixture_owner, &f));
    assert_int_equal(fixture_send(&f, FAKE_TINY, "four"), HYPHA_ERR_LIMIT);
    assert_int_equal(hypha_channel_send(f.channel, &stranger, &message), HYPHA_ERR_UNSUPPORTED);
    assert_int_equal(hypha_channel_queued_bytes(f.channel), 0);
    fixture_fini(&f);
}

static void large_messages(void **state)
{
    static const size_t sizes[] = { 3000, 4096, 5000, 65535, 65536, 70000, 1000000 };
    struct fixture f;

    (void)state;
    fixture_run(&f, HYPHA_SESSION_OUTBOUND);
    f.node.settings.max_send_queue_bytes = 4 << 20;
    for (size_t i = 0; i < sizeof sizes / sizeof sizes[0]; i++) {
        uint8_t *body = malloc(sizes[i]);
        struct fake_message message = { hy_span(body, sizes[i]) };

        memset(body, (int)i + 1, sizes[i]);
        assert_int_equal(hypha_channel_send(f.channel, &fake_types[FAKE_NOTE], &message), HYPHA_OK);
        free(body);
    }
    fixture_turn(&f);

    /* They come back through a receiver's framing. */
    struct hypha_span rest = hy_span(f.stream.out, f.stream.out_len);
    struct hy_framing framing;
    struct hy_framing_item item = { 0 };
    hy_framing_init(&framing, f.node.settings.magic, 16 << 20);
    for (size_t i = 0; i < sizeof sizes / sizeof sizes[0]; i++) {
        assert_int_equal(hy_framing_next(&framing, &rest, &item), HY_FRAMING_ON_COMMAND);
        hy_framing_expect(&framing, 0, false);
        assert_int_equal(hy_framing_next(&framing, &rest, &item), HY_FRAMING_ON_PAYLOAD);
        assert_int_equal(item.bytes.len, sizes[i]);
        for (size_t at = 0; at < sizes[i]; at++)
            if (item.bytes.at[at] != i + 1)
                fail();
    }
    assert_int_equal(rest.len, 0);
    hy_framing_fini(&framing);
    fixture_fini(&f);
}

/* design.md decision 6 */
static void a_full_queue_says_again_and_tells_when_it_drained(void **state)
{
    static char text[1001];
    struct fixture f;
    enum hypha_err err;
    size_t sent = 0;

    (void)state;
    memset(text, 'x', 1000);
    fixture_run(&f, HYPHA_SESSION_OUTBOUND);
    f.node.settings.max_send_queue_bytes = 100000;
    f.stream.room = 0;
    while ((err = fixture_send(&f, FAKE_NOTE, text)) == HYPHA_OK)
        sent++;
    assert_int_equal(err, HYPHA_ERR_AGAIN);
    size_t queued = hypha_channel_queued_bytes(f.channel);
    assert_true(queued >= 100000 && queued < 101100);
    fixture_turn(&f);
    fake_stream_allow(&f.stream, queued - 50000);
    assert_string_equal(f.app.story, "");
    fake_stream_allow(&f.stream, 1);
    assert_string_equal(f.app.story, "writable ");
    fake_stream_allow(&f.stream, SIZE_MAX);
    assert_string_equal(f.app.story, "writable "); /* once for each AGAIN */
    assert_int_equal(f.stream.out_len, sent * (12 + 1000));
    fixture_fini(&f);
}

static void no_write_while_blocked(void **state)
{
    struct fixture f;

    (void)state;
    fixture_run(&f, HYPHA_SESSION_OUTBOUND);
    f.stream.room = 5;
    assert_int_equal(fixture_send(&f, FAKE_NOTE, "a"), HYPHA_OK);
    fixture_turn(&f);
    assert_int_equal(fixture_send(&f, FAKE_NOTE, "b"), HYPHA_OK);
    fixture_turn(&f);
    assert_int_equal(f.stream.writes, 1);
    fake_stream_allow(&f.stream, SIZE_MAX);
    assert_true(WROTE(&f,
        MAGIC "\x04note\x01"
              "a" MAGIC "\x04note\x01"
              "b"));
    fixture_fini(&f);
}

/* spec: wire.md 4.2, 4.4: twice the receiver's sleep, in order */
static void metered_sends_wait(void **state)
{
    static const uint64_t asked_ms[] = { 0, 1000, 2000, 3000, 4000, 5000, 6000, 10500 };
    static const uint64_t left_ms[] = { 0, 1000, 2000, 3000, 6000, 9000, 12000, 16500 };
    struct fixture f;
    size_t next = 0;

    (void)state;
    fixture_run(&f, HYPHA_SESSION_OUTBOUND);
    for (uint64_t ms = 0; ms <= 17000; ms += 500) {
        hy_sim_run_until(f.sim, f.app.epoch_ms + ms);
        for (size_t i = 0; i < 8; i++)
            if (asked_ms[i] == ms)
                assert_int_equal(fixture_send(&f, FAKE_SLOW, ""), HYPHA_OK);
        fixture_turn(&f);
        while (next < 8 && left_ms[next] <= ms)
            next++;
        assert_int_equal(f.stream.out_len, next * 10);
    }
    assert_int_equal(next, 8);
    assert_int_equal(hypha_channel_queued_bytes(f.channel), 0);
    fixture_fini(&f);
}

static void a_frame_for_many(void **state)
{
    struct fixture f;
    struct hy_frame *small = NULL, *large = NULL;
    char *body = malloc(100000);
    struct fake_message message = { hy_span_of("hi") }, big = { hy_span(body, 100000) };

    (void)state;
    memset(body, 'x', 100000);
    fixture_run(&f, HYPHA_SESSION_OUTBOUND);
    assert_int_equal(hy_frame_create(&f.node.net, &fake_types[FAKE_NOTE], &message, &small), 0);
    assert_int_equal(hy_frame_create(&f.node.net, &fake_types[FAKE_NOTE], &big, &large), 0);
    assert_int_equal(
        hy_frame_create(&f.node.net, &fake_types[FAKE_TINY], &big, &large), HYPHA_ERR_LIMIT);
    assert_int_equal(hy_channel_send_frame(f.channel, small), HYPHA_OK);
    assert_int_equal(hy_channel_send_frame(f.channel, large), HYPHA_OK);
    assert_int_equal(large->refs, 2);
    fixture_turn(&f);
    assert_int_equal(large->refs, 1);
    assert_int_equal(f.stream.out_len, 12 + 10 + 4 + 100000);
    hy_frame_unref(small);
    hy_frame_unref(large);
    free(body);
    fixture_fini(&f);
}

/* ---- stop ---- */

/* spec: wire.md 2.2, 5.7; design.md decision 4: at every byte at which a write may have ended */
static void a_begun_frame_is_finished_and_nothing_else(void **state)
{
    (void)state;
    for (size_t room = 0; room <= 36; room++) {
        struct fixture f;
        size_t edge = (room + 11) / 12 * 12;

        fixture_run(&f, HYPHA_SESSION_OUTBOUND);
        f.stream.room = room;
        for (int i = 0; i < 3; i++)
            assert_int_equal(fixture_send(&f, FAKE_NOTE, "ab"), HYPHA_OK);
        fixture_turn(&f);
        hypha_channel_stop(f.channel);
        fixture_turn(&f);
        assert_int_equal(f.stopped, 1);
        assert_int_equal(f.node.gone, 1);
        assert_int_equal(f.stream.closed, room == edge);
        assert_int_equal(f.node.net.lingering_count, room == edge ? 0 : 1);
        if (room != edge) {
            FEED(&f, "is thrown away");
            fake_stream_allow(&f.stream, SIZE_MAX);
            assert_true(f.stream.closed);
            assert_int_equal(f.node.gone, 2);
        }
        assert_int_equal(f.stream.out_len, edge);
        fixture_fini(&f);
    }
}

static void it_is_waited_for_one_second(void **state)
{
    struct fixture f;

    (void)state;
    fixture_run(&f, HYPHA_SESSION_OUTBOUND);
    f.stream.room = 5;
    assert_int_equal(fixture_send(&f, FAKE_NOTE, "ab"), HYPHA_OK);
    fixture_turn(&f);
    hypha_channel_stop(f.channel);
    fixture_turn(&f);
    hypha_channel_unref(f.channel); /* nobody else need hold it */
    f.channel = NULL;
    hy_sim_run_for(f.sim, 999);
    assert_false(f.stream.closed);
    hy_sim_run_for(f.sim, 1);
    assert_true(f.stream.closed);
    assert_int_equal(f.node.gone, 2);
    fixture_fini(&f);
}

/* What a TLS stream has taken must leave it too. */
static void a_streams_own_buffer_is_waited_for(void **state)
{
    struct fixture f;

    (void)state;
    fixture_run(&f, HYPHA_SESSION_OUTBOUND);
    assert_int_equal(fixture_send(&f, FAKE_NOTE, "ab"), HYPHA_OK);
    fixture_turn(&f);
    f.stream.pending = 30;
    hypha_channel_stop(f.channel);
    hy_sim_run_for(f.sim, 500);
    assert_false(f.stream.closed);
    f.stream.pending = 0;
    hy_sim_run_for(f.sim, 20);
    assert_true(f.stream.closed);
    fixture_fini(&f);
}

static void an_end_while_lingering(void **state)
{
    struct fixture f;

    (void)state;
    fixture_run(&f, HYPHA_SESSION_OUTBOUND);
    f.stream.room = 5;
    assert_int_equal(fixture_send(&f, FAKE_NOTE, "ab"), HYPHA_OK);
    fixture_turn(&f);
    hypha_channel_stop(f.channel);
    fixture_turn(&f);
    fake_stream_end(&f.stream, HYPHA_ERR_RESET);
    assert_true(f.stream.closed);
    assert_int_equal(f.node.net.lingering_count, 0);
    assert_int_equal(f.stopped, 1);
    fixture_fini(&f);
}

static void a_node_may_go_while_one_lingers(void **state)
{
    struct fixture f;

    (void)state;
    fixture_run(&f, HYPHA_SESSION_OUTBOUND);
    f.stream.room = 5;
    assert_int_equal(fixture_send(&f, FAKE_NOTE, "ab"), HYPHA_OK);
    fixture_turn(&f);
    hypha_channel_stop(f.channel);
    fixture_turn(&f);
    hypha_channel_unref(f.channel);
    f.channel = NULL;
    fake_node_fini(&f.node);
    assert_true(f.stream.closed);
    hy_sim_destroy(f.sim);
    fake_stream_fini(&f.stream);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_turn_is_one_write),
        cmocka_unit_test(refused_sends),
        cmocka_unit_test(large_messages),
        cmocka_unit_test(a_full_queue_says_again_and_tells_when_it_drained),
        cmocka_unit_test(no_write_while_blocked),
        cmocka_unit_test(metered_sends_wait),
        cmocka_unit_test(a_frame_for_many),
        cmocka_unit_test(a_begun_frame_is_finished_and_nothing_else),
        cmocka_unit_test(it_is_waited_for_one_second),
        cmocka_unit_test(a_streams_own_buffer_is_waited_for),
        cmocka_unit_test(an_end_while_lingering),
        cmocka_unit_test(a_node_may_go_while_one_lingers),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
