/* fakes/direct_fixture.h - the direct session over dials that the test decides, and callers that
 * ask it for channels. */
#ifndef HY_FAKES_DIRECT_FIXTURE_H
#define HY_FAKES_DIRECT_FIXTURE_H

#include "base/alloc.h"
#include "fakes/fake_node.h"
#include "fakes/fake_stream.h"
#include "session/session_direct.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <cmocka.h>

#define HOST    "tcp://44.2.0.1:9000"
#define STREAMS 8
#define CALLERS 4

struct scene;

struct caller {
    struct scene *scene;
    unsigned told;
    enum hypha_err err;
    struct hypha_channel *channel;
    struct hypha_direct *request;
    void (*also)(struct caller *caller); /* what it does when it is told */
};

struct scene {
    struct hy_sim *sim;
    struct fake_node node;
    struct hy_transport transport;
    struct fake_stream streams[STREAMS];
    size_t dials;
    struct hypha_url *url;
    struct hy_session_direct *session;
    unsigned stopped;
    struct caller callers[CALLERS];
    unsigned events[HYPHA_EVENTS];
    enum hypha_err event_err;
    enum hypha_event_type cancel_at; /* HYPHA_EVENTS: never */
};

static char tcp[] = "tcp";
static char *schemes[] = { tcp };
static struct scene *the_scene;

/* ---- what it stands on ---- */

static inline enum hypha_err dial(
    struct hy_transport *transport, const struct hypha_url *url, struct hy_stream **ret_stream)
{
    struct scene *scene = the_scene;

    (void)transport;
    (void)url;
    assert_true(scene->dials < STREAMS);
    struct fake_stream *stream = &scene->streams[scene->dials++];
    fake_stream_init(stream);
    *ret_stream = &stream->base;
    return HYPHA_OK;
}

static const struct hy_transport_ops transport_ops = { .dial = dial };

static inline size_t ask_nobody(void *user)
{
    (void)user;
    return 0;
}

static inline void on_event(const struct hypha_event *event, void *user)
{
    struct scene *scene = user;

    scene->events[event->type]++;
    if (event->type == HYPHA_EVENT_DIRECT_DISCONNECTED)
        scene->event_err = event->err;
    if (event->type != scene->cancel_at)
        return;
    scene->cancel_at = HYPHA_EVENTS;
    hypha_direct_cancel(scene->callers[0].request);
}

static inline void on_stopped(void *user)
{
    struct scene *scene = user;

    scene->stopped++;
}

static inline void turn(struct scene *scene)
{
    hy_sim_run_for(scene->sim, 0);
}

static inline struct scene *set_up(void)
{
    const struct hy_direct_hooks hooks = { .ask_peers = ask_nobody, .seed = ask_nobody };
    struct scene *scene = calloc(1, sizeof(*scene));

    assert_non_null(scene);
    the_scene = scene;
    must(hy_sim_create(1, &scene->sim));
    fake_node_init(&scene->node, hy_sim_loop(scene->sim), NULL, 0);
    scene->node.settings.active = (struct hy_scheme_array){ schemes, 1 };
    scene->transport = (struct hy_transport){ .ops = &transport_ops, .scheme = tcp };
    scene->node.net.transports[0] = &scene->transport;
    scene->node.net.transport_count = 1;
    scene->url = fake_url(HOST);
    for (size_t i = 0; i < CALLERS; i++)
        scene->callers[i].scene = scene;
    scene->cancel_at = HYPHA_EVENTS;
    must(hy_events_subscribe(&scene->node.net.events, HYPHA_EVENTS_ALL, on_event, scene));
    must(hy_session_direct_create(&scene->node.net, &hooks, &scene->session));
    hy_session_direct_start(scene->session);
    return scene;
}

static inline void stop(struct scene *scene)
{
    scene->node.net.stopping = true;
    hy_session_direct_stop(scene->session, on_stopped, scene);
    assert_int_equal(scene->stopped, 0); /* never from inside the call */
    hy_sim_run_for(scene->sim, 0);
    assert_int_equal(scene->stopped, 1);
}

/* Stops, if the test did not, and asserts that nothing is left. */
static inline void tear_down(struct scene *scene)
{
    if (scene->stopped == 0)
        stop(scene);
    hy_session_direct_destroy(scene->session);
    hy_sim_run_for(scene->sim, 3600 * 1000); /* no timer is left to fire */
    assert_int_equal(scene->node.net.channel_count, 0);
    assert_int_equal(scene->node.net.peers_count, 0);
    assert_int_equal(hy_hosts_busy_count(scene->node.net.hosts), 0);
    for (size_t i = 0; i < scene->dials; i++) {
        assert_true(scene->streams[i].closed);
        fake_stream_fini(&scene->streams[i]);
    }
    hy_events_unsubscribe(&scene->node.net.events, on_event, scene);
    fake_node_fini(&scene->node);
    hypha_url_unref(scene->url);
    hy_sim_destroy(scene->sim);
    free(scene);
}

/* ---- what happens ---- */

static inline void on_told(
    struct hypha_p2p *p2p, enum hypha_err err, struct hypha_channel *channel, void *user)
{
    struct caller *caller = user;

    assert_ptr_equal(p2p, &caller->scene->node);
    assert_int_equal(err == HYPHA_OK, channel != NULL);
    caller->told++;
    caller->err = err;
    caller->channel = channel;
    caller->request = NULL;
    if (caller->also != NULL)
        caller->also(caller);
}

static inline struct caller *get_with(
    struct scene *scene, size_t i, struct hypha_url *url, unsigned retries)
{
    struct caller *caller = &scene->callers[i];
    unsigned told = caller->told;

    must(hy_session_direct_get(scene->session, url, retries, on_told, caller, &caller->request));
    assert_int_equal(caller->told, told); /* never from inside the call */
    return caller;
}

static inline struct caller *get(struct scene *scene, size_t i)
{
    return get_with(scene, i, scene->url, 0);
}

static inline struct fake_stream *last_stream(struct scene *scene)
{
    assert_true(scene->dials > 0);
    return &scene->streams[scene->dials - 1];
}

static inline void transport_up(struct scene *scene)
{
    struct fake_stream *stream = last_stream(scene);

    stream->base.events->on_ready(&stream->base, stream->base.user);
    turn(scene);
}

static inline void transport_fails(struct scene *scene)
{
    fake_stream_end(last_stream(scene), HYPHA_ERR_REFUSED);
    turn(scene);
}

static inline void shake_hands(struct scene *scene)
{
    struct hypha_channel *channel = NULL, *last = NULL;

    while ((channel = hy_net_next_channel(&scene->node.net, channel)) != NULL)
        last = channel;
    assert_non_null(last);
    hy_channel_handshake_done(last);
    turn(scene);
}

static inline void connect_peer(struct scene *scene)
{
    transport_up(scene);
    shake_hands(scene);
}

static inline enum hy_host_state state_of(struct scene *scene)
{
    return hy_hosts_state(scene->node.net.hosts, scene->url);
}

static inline enum hypha_colour colour_of(struct scene *scene)
{
    enum hypha_colour colour = HYPHA_COLOURS;
    uint64_t last_seen;

    (void)hy_hosts_find(scene->node.net.hosts, scene->url, &colour, &last_seen);
    return colour;
}

static inline bool release(struct caller *caller)
{
    struct hypha_channel *channel = caller->channel;

    caller->channel = NULL;
    return hy_session_direct_release(caller->scene->session, channel);
}

static inline size_t usages(struct caller *caller)
{
    return hy_session_direct_usages(caller->scene->session, caller->channel);
}

#endif
