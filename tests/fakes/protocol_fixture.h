/* fakes/protocol_fixture.h - two nodes and a channel between them, for the tests of the protocols.
 *
 * "here" dials "there" unless a test says otherwise; bytes move when the test carries them. */
#ifndef FAKES_PROTOCOL_FIXTURE_H
#define FAKES_PROTOCOL_FIXTURE_H

#include "base/alloc.h"
#include "base/span.h"
#include "fakes/fake_node.h"
#include "fakes/fake_stream.h"
#include "protocol/protocol.h"
#include "wire/message.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

struct end {
    struct fake_node node;
    struct hy_core core;
    struct fake_stream stream;
    struct hypha_channel *channel;
    unsigned ready, stopped, seeded, addrs;
    size_t inserted;
    enum hypha_err why;
    bool hold;
    char sent[2048]; /* commands that left, from the events */
};

struct pair {
    struct hy_sim *sim;
    struct end here, there;
};

static inline void end_on_ready(struct hypha_channel *channel, void *user)
{
    struct end *end = user;

    end->ready++;
    if (hypha_channel_session(channel) != HYPHA_SESSION_REFINE)
        hy_channel_run(channel);
}

static inline void end_on_stopped(struct hypha_channel *channel, enum hypha_err why, void *user)
{
    struct end *end = user;

    (void)channel;
    end->stopped++;
    end->why = why;
}

static const struct hy_channel_owner end_owner = { end_on_ready, end_on_stopped };

static inline void end_on_addrs(void *user, struct hypha_channel *channel, size_t inserted)
{
    struct end *end = user;

    (void)channel;
    end->addrs++;
    end->inserted += inserted;
}

static inline void end_on_seeded(void *user, struct hypha_channel *channel, size_t inserted)
{
    struct end *end = user;

    end->seeded++;
    end->inserted += inserted;
    hypha_channel_stop(channel);
}

static inline bool end_hold(void *user)
{
    return ((struct end *)user)->hold;
}

static inline void end_on_event(const struct hypha_event *event, void *user)
{
    struct end *end = user;
    size_t len = strlen(end->sent);

    if (event->type == HYPHA_EVENT_SEND)
        (void)snprintf(end->sent + len, sizeof end->sent - len, "%s ", event->command);
}

static inline void end_init(struct end *end, struct hypha_loop *loop)
{
    struct hy_registration core[4];

    *end = (struct end){ 0 };
    fake_node_init(&end->node, loop, core, hy_core_registrations(&end->core, core));
    end->core = (struct hy_core){ .net = &end->node.net,
        .user = end,
        .on_addrs = end_on_addrs,
        .on_seeded = end_on_seeded,
        .hold_reply = end_hold };
    must(hy_events_subscribe(&end->node.net.events, HYPHA_EVENTS_ALL, end_on_event, end));
    fake_stream_init(&end->stream);
}

static inline void pair_init(struct pair *pair)
{
    must(hy_sim_create(7, &pair->sim));
    end_init(&pair->here, hy_sim_loop(pair->sim));
    end_init(&pair->there, hy_sim_loop(pair->sim));
}

/* A started channel to, or from, an address. */
static inline enum hypha_err end_open(
    struct end *end, enum hypha_session session, struct hypha_url *url)
{
    struct hypha_url *resolved = session == HYPHA_SESSION_INBOUND ? NULL : url;
    enum hypha_err err = hy_channel_create(
        &end->node.net, session, &end->stream.base, url, resolved, false, &end->channel);

    return err == HYPHA_OK ? hy_channel_start(end->channel, &end_owner, end) : err;
}

static inline enum hypha_err end_dial(struct end *end, enum hypha_session session, const char *to)
{
    struct hypha_url *url = fake_url(to);
    enum hypha_err err = end_open(end, session, url);

    hypha_url_unref(url);
    return err;
}

static inline enum hypha_err end_accept(struct end *end, const char *from)
{
    return end_dial(end, HYPHA_SESSION_INBOUND, from);
}

static inline void pair_turn(struct pair *pair)
{
    hy_sim_run_for(pair->sim, 0);
}

/* Carry bytes both ways until nothing moves. */
static inline void pair_settle(struct pair *pair)
{
    bool moved;

    do {
        pair_turn(pair);
        moved = fake_stream_carry(&pair->here.stream, &pair->there.stream);
        moved = fake_stream_carry(&pair->there.stream, &pair->here.stream) || moved;
    } while (moved);
    pair_turn(pair);
}

static inline void pair_connect(struct pair *pair, enum hypha_session session)
{
    must(end_dial(&pair->here, session, "tcp://6.6.6.6:9000"));
    must(end_accept(&pair->there, "tcp://5.5.5.5:50000"));
    pair_settle(pair);
}

static inline void end_fini(struct end *end)
{
    if (end->channel != NULL)
        hypha_channel_stop(end->channel);
}

static inline void end_free(struct end *end)
{
    hypha_channel_unref(end->channel);
    assert_int_equal(end->node.net.channel_count, 0);
    assert_int_equal(end->node.net.lingering_count, 0);
    assert_null(LIST_FIRST(&end->core.held));
    assert_null(LIST_FIRST(&end->core.shaking));
    hy_events_unsubscribe(&end->node.net.events, end_on_event, end);
    fake_node_fini(&end->node);
    fake_stream_fini(&end->stream);
}

static inline void pair_fini(struct pair *pair)
{
    end_fini(&pair->here);
    end_fini(&pair->there);
    hy_sim_run_for(pair->sim, 1000);
    end_free(&pair->here);
    end_free(&pair->there);
    hy_sim_destroy(pair->sim);
}

/* Feed one core message to an end, as if the other had sent it. */
static inline bool end_feed(struct end *end, enum hy_core_message type, const void *message)
{
    struct hypha_writer w = { 0 };
    struct hypha_writer payload = { 0 };
    const char *command = hy_core_messages[type].command;
    bool fed;

    hy_core_messages[type].write(&payload, message);
    hypha_writer_put(&w, hy_span(end->node.settings.magic, 4));
    hypha_writer_put_text(&w, command);
    hypha_writer_put_bytes(&w, hypha_writer_span(&payload));
    must(w.err);
    fed = fake_stream_feed(&end->stream, w.bytes, w.len);
    hypha_writer_fini(&payload);
    hypha_writer_fini(&w);
    return fed;
}

#endif
