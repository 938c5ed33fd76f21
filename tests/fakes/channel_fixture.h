/* fakes/channel_fixture.h - one channel on a fake stream, for the tests of src/channel. */
#ifndef FAKES_CHANNEL_FIXTURE_H
#define FAKES_CHANNEL_FIXTURE_H

#include "base/alloc.h"
#include "base/span.h"
#include "channel/channel_internal.h"
#include "fakes/fake_app.h"
#include "fakes/fake_node.h"
#include "fakes/fake_stream.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#define MAGIC "\xd9\xef\xb6\x7d"

struct fixture {
    struct hy_sim *sim;
    struct fake_node node;
    struct fake_app app;
    struct fake_stream stream;
    struct hypha_channel *channel; /* one reference, ours */
    unsigned ready, stopped;
    enum hypha_err why;
    bool run_at_ready, unref_at_stop;
};

static inline void fixture_on_ready(struct hypha_channel *channel, void *user)
{
    struct fixture *f = user;

    f->ready++;
    if (f->run_at_ready)
        hy_channel_run(channel);
}

static inline void fixture_on_stopped(struct hypha_channel *channel, enum hypha_err why, void *user)
{
    struct fixture *f = user;

    f->stopped++;
    f->why = why;
    fake_app_tell(&f->app, "owner");
    if (f->unref_at_stop) {
        hypha_channel_unref(channel);
        f->channel = NULL;
    }
}

static const struct hy_channel_owner fixture_owner = { fixture_on_ready, fixture_on_stopped };

/* A channel, not started. Inbound ones were accepted from 5.5.5.5, others dialled 6.6.6.6. */
static inline enum hypha_err fixture_create(struct fixture *f, enum hypha_session session)
{
    struct hypha_url *url = fake_url(
        session == HYPHA_SESSION_INBOUND ? "tcp://5.5.5.5:50000" : "tcp://6.6.6.6:9000");

    fake_stream_init(&f->stream);
    enum hypha_err err = hy_channel_create(&f->node.net, session, &f->stream.base, url,
        session == HYPHA_SESSION_INBOUND ? NULL : url, false, &f->channel);
    hypha_url_unref(url);
    return err;
}

static inline void fixture_init(struct fixture *f)
{
    *f = (struct fixture){ .run_at_ready = true };
    must(hy_sim_create(1, &f->sim));
    fake_node_init(&f->node, hy_sim_loop(f->sim),
        &(struct hy_registration){ &fake_protocol, &f->app, false }, 1);
    f->app.epoch_ms = hy_now_ms(f->node.loop);
}

static inline void fixture_turn(struct fixture *f)
{
    hy_sim_run_for(f->sim, 0);
}

/* A channel whose handshake is done and whose protocols run. */
static inline void fixture_run(struct fixture *f, enum hypha_session session)
{
    fixture_init(f);
    must(fixture_create(f, session));
    must(hy_channel_start(f->channel, &fixture_owner, f));
    hy_channel_handshake_done(f->channel);
    fixture_turn(f);
    f->app.len = 0;
    f->app.story[0] = '\0';
}

static inline void fixture_fini(struct fixture *f)
{
    if (f->channel != NULL) {
        hypha_channel_stop(f->channel);
        fixture_turn(f);
        hy_sim_run_for(f->sim, HY_LINGER_MS);
        assert_true(f->stream.closed);
        hypha_channel_unref(f->channel);
    }
    assert_int_equal(f->node.net.channel_count, 0);
    assert_int_equal(f->node.net.lingering_count, 0);
    assert_null(f->node.net.by_id);
    assert_int_equal(hy_block_pool_used(f->node.net.pool), 0);
    fake_node_fini(&f->node);
    hy_sim_destroy(f->sim);
    fake_stream_fini(&f->stream);
}

static inline void fixture_feed(struct fixture *f, const char *bytes, size_t len)
{
    assert_true(fake_stream_feed(&f->stream, bytes, len));
}
#define FEED(f, bytes) fixture_feed(f, bytes, sizeof(bytes) - 1)

static inline enum hypha_err fixture_send(struct fixture *f, unsigned type, const char *text)
{
    struct fake_message message = { hy_span_of(text) };

    return hypha_channel_send(f->channel, &fake_types[type], &message);
}

#endif
