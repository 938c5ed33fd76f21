/* channel_torture_test.c - the nth request for memory fails: an error, never a leak or a crash. */
#include "fakes/channel_fixture.h"

/* One short life; whatever fails ends it. Returns how far it came. */
static unsigned live(struct fixture *f)
{
    static char large[20000];
    struct fake_message big = { hy_span(large, sizeof large) };

    memset(large, 'x', sizeof large);
    if (hy_channel_start(f->channel, &fixture_owner, f) != HYPHA_OK)
        return 1;
    if (f->stream.reading)
        FEED(f,
            MAGIC "\x04note\x05"
                  "ear");
    if (f->stream.reading)
        FEED(f, "ly" MAGIC "\x04ping\x02xy");
    hy_channel_handshake_done(f->channel);
    fixture_turn(f);
    for (int i = 0; i < 6 && f->stream.reading; i++)
        FEED(f, MAGIC "\x04slow\x01s");
    f->stream.room = 10;
    for (int i = 0; i < 6; i++)
        if (fixture_send(f, FAKE_SLOW, "s") != HYPHA_OK)
            return 2;
    if (fixture_send(f, FAKE_NOTE, "n") != HYPHA_OK ||
        hypha_channel_send(f->channel, &fake_types[FAKE_NOTE], &big) != HYPHA_OK)
        return 3;
    hypha_channel_pause(f->channel);
    if (f->stream.reading)
        fail();
    hypha_channel_resume(f->channel);
    fixture_turn(f);
    hy_sim_run_for(f->sim, 5000);
    if (hypha_channel_is_stopped(f->channel))
        return 4;
    fake_stream_allow(&f->stream, SIZE_MAX);
    hy_sim_run_for(f->sim, 5000);
    return hypha_channel_is_stopped(f->channel) ? 5 : 6;
}

static void every_request_fails_once(void **state)
{
    unsigned came = 0, seen = 0;

    (void)state;
    for (size_t n = 0; came < 6; n++) {
        struct fixture f;
        enum hypha_err err;

        fixture_init(&f);
        f.run_at_ready = true;
        fake_stream_init(&f.stream);

        struct hypha_url *url = fake_url("tcp://6.6.6.6:9000");
        hy_alloc_fail_after(n);
        err = hy_channel_create(
            &f.node.net, HYPHA_SESSION_MANUAL, &f.stream.base, url, url, false, &f.channel);
        came = err == HYPHA_OK ? live(&f) : 0;
        hy_alloc_fail_after(SIZE_MAX);
        hypha_url_unref(url);
        seen |= 1U << came;
        if (err != HYPHA_OK) {
            assert_int_equal(err, HYPHA_ERR_NOMEM);
            assert_true(f.stream.closed);
        } else if (came == 4 || came == 5) {
            assert_int_equal(f.stopped, 1);
            assert_int_equal(f.why, HYPHA_ERR_NOMEM);
        }
        fixture_fini(&f);
    }
    assert_true((seen & 1) != 0 && (seen & 2) != 0 && (seen & 8) != 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_request_fails_once),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
