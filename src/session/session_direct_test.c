/* session_direct_test.c - who asks, who is told, who gives back; over dials that the test decides.
 * spec: network.md 7.8 */
#include "base/alloc.h"
#include "fakes/fake_node.h"
#include "fakes/fake_stream.h"
#include "session/session_direct.h"

#include <setjmp.h>
#include <stdarg.h>
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

static enum hypha_err dial(
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

static size_t ask_nobody(void *user)
{
    (void)user;
    return 0;
}

static void on_event(const struct hypha_event *event, void *user)
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

static void on_stopped(void *user)
{
    struct scene *scene = user;

    scene->stopped++;
}

static void turn(struct scene *scene)
{
    hy_sim_run_for(scene->sim, 0);
}

static struct scene *set_up(void)
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

static void stop(struct scene *scene)
{
    scene->node.net.stopping = true;
    hy_session_direct_stop(scene->session, on_stopped, scene);
    assert_int_equal(scene->stopped, 0); /* never from inside the call */
    hy_sim_run_for(scene->sim, 0);
    assert_int_equal(scene->stopped, 1);
}

/* Stops, if the test did not, and asserts that nothing is left. */
static void tear_down(struct scene *scene)
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

static void on_told(
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

static struct caller *get_with(
    struct scene *scene, size_t i, struct hypha_url *url, unsigned retries)
{
    struct caller *caller = &scene->callers[i];
    unsigned told = caller->told;

    must(hy_session_direct_get(scene->session, url, retries, on_told, caller, &caller->request));
    assert_int_equal(caller->told, told); /* never from inside the call */
    return caller;
}

static struct caller *get(struct scene *scene, size_t i)
{
    return get_with(scene, i, scene->url, 0);
}

static struct fake_stream *last_stream(struct scene *scene)
{
    assert_true(scene->dials > 0);
    return &scene->streams[scene->dials - 1];
}

static void transport_up(struct scene *scene)
{
    struct fake_stream *stream = last_stream(scene);

    stream->base.events->on_ready(&stream->base, stream->base.user);
    turn(scene);
}

static void transport_fails(struct scene *scene)
{
    fake_stream_end(last_stream(scene), HYPHA_ERR_REFUSED);
    turn(scene);
}

static void shake_hands(struct scene *scene)
{
    struct hypha_channel *channel = NULL, *last = NULL;

    while ((channel = hy_net_next_channel(&scene->node.net, channel)) != NULL)
        last = channel;
    assert_non_null(last);
    hy_channel_handshake_done(last);
    turn(scene);
}

static void connect_peer(struct scene *scene)
{
    transport_up(scene);
    shake_hands(scene);
}

static enum hy_host_state state_of(struct scene *scene)
{
    return hy_hosts_state(scene->node.net.hosts, scene->url);
}

static enum hypha_colour colour_of(struct scene *scene)
{
    enum hypha_colour colour = HYPHA_COLOURS;
    uint64_t last_seen;

    (void)hy_hosts_find(scene->node.net.hosts, scene->url, &colour, &last_seen);
    return colour;
}

static bool release(struct caller *caller)
{
    struct hypha_channel *channel = caller->channel;

    caller->channel = NULL;
    return hy_session_direct_release(caller->scene->session, channel);
}

static size_t usages(struct caller *caller)
{
    return hy_session_direct_usages(caller->scene->session, caller->channel);
}

/* spec: network.md MUST 7.8-a: shared by all, closed by the last */
static void one_usage_for_each_get(void **unused)
{
    struct scene *scene = set_up();
    struct caller *first = get(scene, 0);

    (void)unused;
    assert_int_equal(scene->dials, 0); /* not even the event comes from inside the call */
    turn(scene);
    assert_int_equal(scene->dials, 1);
    assert_int_equal(state_of(scene), HY_HOST_CONNECT);
    connect_peer(scene);
    assert_int_equal(first->told, 1);
    assert_int_equal(first->err, HYPHA_OK);
    assert_int_equal(hypha_channel_session(first->channel), HYPHA_SESSION_DIRECT);
    assert_int_equal(colour_of(scene), HYPHA_COLOUR_GOLD);
    assert_int_equal(state_of(scene), HY_HOST_CONNECTED);

    struct caller *second = get(scene, 1), *third = get(scene, 2);
    turn(scene);
    assert_ptr_equal(second->channel, first->channel);
    assert_ptr_equal(third->channel, first->channel);
    assert_int_equal(usages(first), 3);
    struct hypha_channel *channel = first->channel;
    assert_false(release(first));
    assert_false(release(second));
    turn(scene);
    assert_false(hypha_channel_is_stopped(channel));
    assert_true(release(third));
    assert_true(last_stream(scene)->closed || hypha_channel_is_stopped(channel));
    turn(scene);
    assert_int_equal(state_of(scene), HY_HOST_FREE);
    assert_int_equal(colour_of(scene), HYPHA_COLOUR_WHITE); /* our own doing */
    assert_int_equal(scene->dials, 1);
    assert_int_equal(scene->events[HYPHA_EVENT_DIRECT_CONNECTING], 1);
    assert_int_equal(scene->events[HYPHA_EVENT_DIRECT_CONNECTED], 1);
    assert_int_equal(scene->events[HYPHA_EVENT_DIRECT_DISCONNECTED], 1);
    assert_int_equal(scene->event_err, HYPHA_ERR_CHANNEL_STOPPED);
    tear_down(scene);
}

/* spec: network.md 7.8: a creation under way is shared; MUST 7.8-a */
static void a_creation_is_shared(void **unused)
{
    struct scene *scene = set_up();

    (void)unused;
    (void)get(scene, 0);
    (void)get(scene, 1);
    turn(scene);
    (void)get(scene, 2);
    transport_up(scene);
    (void)get(scene, 3);
    shake_hands(scene);
    for (size_t i = 0; i < 4; i++) {
        assert_int_equal(scene->callers[i].told, 1);
        assert_ptr_equal(scene->callers[i].channel, scene->callers[0].channel);
    }
    assert_int_equal(scene->dials, 1);
    assert_int_equal(usages(&scene->callers[0]), 4);
    tear_down(scene);
}

static void ignore(struct hypha_channel *channel, void *user)
{
    (void)channel;
    (void)user;
}

static void ignore_stop(struct hypha_channel *channel, enum hypha_err why, void *user)
{
    (void)channel;
    (void)why;
    (void)user;
}

static const struct hy_channel_owner nobody = { ignore, ignore_stop };

/* A channel of another session to the host. */
static struct hypha_channel *add_peer(
    struct scene *scene, enum hypha_session session, struct hy_membership *membership)
{
    struct hypha_channel *channel = NULL;
    struct fake_stream *stream = &scene->streams[scene->dials++];
    bool inbound = session == HYPHA_SESSION_INBOUND;

    fake_stream_init(stream);
    *membership = (struct hy_membership){ 0 };
    must(hy_channel_create(&scene->node.net, session, &stream->base, scene->url,
        inbound ? NULL : scene->url, false, &channel));
    must(hy_channel_start(channel, &nobody, NULL));
    hy_channel_handshake_done(channel);
    turn(scene);
    must(hy_session_register(channel, membership));
    turn(scene);
    return channel;
}

static void drop_peer(struct hypha_channel *channel, struct hy_membership *membership)
{
    hypha_channel_stop(channel);
    hy_sim_run_for(the_scene->sim, 2000);
    hy_session_unregister(channel, membership, HYPHA_ERR_CHANNEL_STOPPED);
    hypha_channel_unref(channel);
}

/* spec: network.md 7.8: a registered channel is returned, of any session */
static void channels_of_other_sessions_serve(void **unused)
{
    static const enum hypha_session sessions[] = { HYPHA_SESSION_INBOUND, HYPHA_SESSION_OUTBOUND,
        HYPHA_SESSION_MANUAL };

    (void)unused;
    for (size_t i = 0; i < 3; i++) {
        struct scene *scene = set_up();
        struct hy_membership membership;
        struct hypha_channel *channel = add_peer(scene, sessions[i], &membership);
        struct caller *first = get(scene, 0), *second = get(scene, 1);

        turn(scene);
        assert_ptr_equal(first->channel, channel);
        assert_ptr_equal(second->channel, channel);
        assert_int_equal(scene->dials, 1);
        assert_int_equal(usages(first), 0); /* it lives as its own session wants */
        assert_false(release(first));
        assert_false(hypha_channel_is_stopped(channel));
        /* Not ours to keep: it may be gone before it is given back. */
        drop_peer(channel, &membership);
        assert_false(release(second));
        tear_down(scene);
    }
}

/* spec: network.md MUST 7.8-b: seed, refine and stopped channels */
static void unfit_channels_are_not_shared(void **unused)
{
    static const enum hypha_session sessions[] = { HYPHA_SESSION_SEED, HYPHA_SESSION_REFINE,
        HYPHA_SESSION_MANUAL };

    (void)unused;
    for (size_t i = 0; i < 3; i++) {
        struct scene *scene = set_up();
        struct hy_membership membership;
        struct hypha_channel *channel = add_peer(scene, sessions[i], &membership);

        if (sessions[i] == HYPHA_SESSION_MANUAL)
            hypha_channel_stop(channel); /* told at the end of the turn */
        struct caller *caller = get(scene, 0);
        turn(scene);
        turn(scene);
        assert_int_equal(caller->told, 1);
        assert_int_equal(caller->err, HYPHA_ERR_HOST_BLOCKED);
        drop_peer(channel, &membership);
        hy_hosts_free(scene->node.net.hosts, scene->url); /* the refinery's business */
        tear_down(scene);
    }
}

/* spec: network.md MUST 7.8-b: one of our own that was stopped and has not told so yet: a new one
 */
static void a_stopping_channel_is_not_shared(void **unused)
{
    struct scene *scene = set_up();

    (void)unused;
    (void)get(scene, 0);
    turn(scene);
    connect_peer(scene);
    hypha_channel_stop(scene->callers[0].channel);
    struct caller *second = get(scene, 1);
    turn(scene);
    assert_int_equal(second->told, 0);
    assert_int_equal(scene->dials, 2);
    connect_peer(scene);
    assert_int_equal(second->err, HYPHA_OK);
    assert_ptr_not_equal(second->channel, scene->callers[0].channel);
    tear_down(scene);
}

/* The channel that was chosen has stopped before it was told: an error, and no stopped channel. */
static void a_channel_that_stops_is_not_told(void **unused)
{
    struct scene *scene = set_up();
    struct hy_membership membership;
    struct hypha_channel *channel = add_peer(scene, HYPHA_SESSION_MANUAL, &membership);
    struct caller *caller = get(scene, 0);

    (void)unused;
    hypha_channel_stop(channel);
    hy_sim_run_for(scene->sim, 1);
    assert_int_equal(caller->told, 1);
    assert_int_equal(caller->err, HYPHA_ERR_CHANNEL_STOPPED);
    drop_peer(channel, &membership);
    tear_down(scene);
}

/* spec: network.md 7.8: refuse seeds and own addresses, the undialable; and the banned */
static void some_are_refused(void **unused)
{
    struct scene *scene = set_up();
    struct hy_resolved_settings *settings = &scene->node.settings;
    struct hypha_url *urls[] = { fake_url("tcp://44.3.0.1:1"), fake_url("tcp://44.4.0.1:1"),
        fake_url("tor://44.5.0.1:1"), fake_url("tcp://44.6.0.1:1") };
    static const enum hypha_err errs[] = { HYPHA_ERR_CONNECT_FAILED, HYPHA_ERR_CONNECT_FAILED,
        HYPHA_ERR_UNSUPPORTED_TRANSPORT, HYPHA_ERR_BANNED };

    (void)unused;
    settings->seeds = (struct hy_url_array){ &urls[0], 1 };
    settings->external_addrs = (struct hy_url_array){ &urls[1], 1 };
    must(hy_hosts_set_settings(scene->node.net.hosts, settings));
    must(hy_hosts_ban(scene->node.net.hosts, urls[3], 0, HYPHA_ERR_MAGIC));
    for (size_t i = 0; i < 4; i++) {
        struct caller *caller = get_with(scene, i, urls[i], 7); /* no use to try these again */

        turn(scene);
        assert_int_equal(caller->told, 1);
        assert_int_equal(caller->err, errs[i]);
        assert_int_equal(hy_hosts_state(scene->node.net.hosts, urls[i]), HY_HOST_FREE);
    }
    assert_int_equal(scene->dials, 0);
    assert_int_equal(scene->events[HYPHA_EVENT_DIRECT_CONNECTING], 0);
    settings->seeds.count = settings->external_addrs.count = 0;
    tear_down(scene);
    for (size_t i = 0; i < 4; i++)
        hypha_url_unref(urls[i]);
}

/* The host on the grey list, as received from somebody. */
static void list_host(struct scene *scene)
{
    assert_int_equal(
        hy_hosts_receive_one(scene->node.net.hosts, scene->url, hy_wall_s(scene->node.loop)),
        HY_VERDICT_GREY);
}

/* spec: network.md 7.8, 4.1: failure frees the host and touches no list; no reconnect
 * spec: network.md MUST 4.1-b: out of Connect */
static void a_failure_leaves_no_trace(void **unused)
{
    (void)unused;
    for (unsigned in_handshake = 0; in_handshake < 2; in_handshake++) {
        struct scene *scene = set_up();

        list_host(scene);
        struct caller *first = get(scene, 0), *second = get(scene, 1);
        turn(scene);
        if (in_handshake != 0)
            transport_up(scene);
        if (in_handshake != 0)
            fake_stream_end(last_stream(scene), HYPHA_ERR_EOF);
        else
            fake_stream_end(last_stream(scene), HYPHA_ERR_REFUSED);
        hy_sim_run_for(scene->sim, 1);
        assert_int_equal(first->told, 1);
        assert_int_equal(second->told, 1);
        assert_int_equal(first->err, in_handshake != 0 ? HYPHA_ERR_EOF : HYPHA_ERR_CONNECT_FAILED);
        assert_int_equal(second->err, first->err);
        assert_int_equal(state_of(scene), HY_HOST_FREE);
        assert_int_equal(colour_of(scene), HYPHA_COLOUR_GREY);
        assert_int_equal(scene->events[HYPHA_EVENT_DIRECT_DISCONNECTED], 1);
        hy_sim_run_for(scene->sim, 3600 * 1000);
        assert_int_equal(scene->dials, 1);
        assert_int_equal(first->told, 1);
        tear_down(scene);
    }
}

/* A peer that says nothing: the handshake's deadline, then as above. */
static void a_silent_peer_times_out(void **unused)
{
    struct scene *scene = set_up();
    struct caller *caller = get(scene, 0);

    (void)unused;
    turn(scene);
    transport_up(scene);
    hy_sim_run_for(scene->sim, 9000);
    assert_int_equal(caller->told, 0);
    hy_sim_run_for(scene->sim, 3000);
    assert_int_equal(caller->told, 1);
    assert_int_equal(caller->err, HYPHA_ERR_HANDSHAKE_TIMEOUT);
    assert_int_equal(state_of(scene), HY_HOST_FREE);
    tear_down(scene);
}

/* spec: network.md 7.8: blocked by Refine: again after 5 s; else HostStateBlocked */
static void the_refinery_goes_first(void **unused)
{
    struct scene *scene = set_up();
    struct hy_hosts *hosts = scene->node.net.hosts;

    (void)unused;
    list_host(scene);
    must(hy_hosts_set(hosts, scene->url, HY_HOST_REFINE));
    struct caller *caller = get(scene, 0);
    hy_sim_run_for(scene->sim, 7000); /* 5 s, and once more */
    assert_int_equal(scene->dials, 0);
    hy_hosts_free(hosts, scene->url);
    hy_sim_run_for(scene->sim, 2900);
    assert_int_equal(scene->dials, 0);
    hy_sim_run_for(scene->sim, 200);
    assert_int_equal(scene->dials, 1);
    connect_peer(scene);
    assert_int_equal(caller->err, HYPHA_OK);
    assert_int_equal(caller->told, 1);
    tear_down(scene);

    scene = set_up();
    must(hy_hosts_set(scene->node.net.hosts, scene->url, HY_HOST_CONNECT)); /* a slot's */
    caller = get(scene, 0);
    hy_sim_run_for(scene->sim, 1);
    assert_int_equal(caller->told, 1);
    assert_int_equal(caller->err, HYPHA_ERR_HOST_BLOCKED);
    assert_int_equal(state_of(scene), HY_HOST_CONNECT); /* still the slot's */
    assert_int_equal(scene->dials, 0);
    hy_hosts_free(scene->node.net.hosts, scene->url);
    tear_down(scene);
}

/* spec: network.md 7.8: get_channel_with_retries: again every outbound_connect_timeout */
static void retries_have_their_pause(void **unused)
{
    struct scene *scene = set_up();
    struct caller *caller = get_with(scene, 0, scene->url, 2);

    (void)unused;
    turn(scene);
    for (size_t tries = 1; tries <= 2; tries++) {
        assert_int_equal(scene->dials, tries);
        transport_fails(scene);
        hy_sim_run_for(scene->sim, 11900); /* 15 s, less the jitter */
        assert_int_equal(scene->dials, tries);
        hy_sim_run_for(scene->sim, 6200);
        assert_int_equal(scene->dials, tries + 1);
        assert_int_equal(caller->told, 0);
    }
    transport_fails(scene);
    hy_sim_run_for(scene->sim, 1);
    assert_int_equal(caller->told, 1);
    assert_int_equal(caller->err, HYPHA_ERR_CONNECT_FAILED);

    caller = get_with(scene, 1, scene->url, 1);
    turn(scene);
    transport_fails(scene);
    hy_sim_run_for(scene->sim, 18100);
    connect_peer(scene);
    assert_int_equal(caller->told, 1);
    assert_int_equal(caller->err, HYPHA_OK);
    tear_down(scene);
}

/* How far a creation gets before something else happens. */
enum stage { PENDING, REFINED, DIALLING, HANDSHAKE, READY, FAILED, PAUSED, TOLD, STAGES };

static struct caller *get_until(struct scene *scene, enum stage stage)
{
    if (stage == REFINED)
        must(hy_hosts_set(scene->node.net.hosts, scene->url, HY_HOST_REFINE));
    struct caller *caller = get_with(scene, 0, scene->url, stage == PAUSED ? 3 : 0);
    if (stage == PENDING)
        return caller;
    turn(scene);
    if (stage == REFINED || stage == DIALLING)
        return caller;
    if (stage == FAILED || stage == PAUSED) {
        fake_stream_end(last_stream(scene), HYPHA_ERR_REFUSED);
        hy_loop_run_defers(scene->node.loop);
        return caller;
    }
    transport_up(scene);
    if (stage == HANDSHAKE)
        return caller;
    hy_channel_handshake_done(hy_net_next_channel(&scene->node.net, NULL));
    hy_loop_run_defers(scene->node.loop);
    if (stage == TOLD)
        turn(scene);
    assert_int_equal(caller->told, stage == TOLD ? 1 : 0);
    return caller;
}

/* spec: network.md MUST 7.8-c, 2.3-a: from every stage, each caller told once */
static void stop_cancels_every_stage(void **unused)
{
    (void)unused;
    for (unsigned stage = 0; stage < TOLD; stage++) {
        struct scene *scene = set_up();
        struct caller *caller = get_until(scene, stage);

        stop(scene);
        assert_int_equal(caller->told, 1);
        assert_int_equal(caller->err, HYPHA_ERR_NETWORK_STOPPED);
        if (stage == REFINED)
            hy_hosts_free(scene->node.net.hosts, scene->url); /* the refinery's */
        assert_int_equal(state_of(scene), HY_HOST_FREE);
        assert_int_equal(
            hy_session_direct_get(scene->session, scene->url, 0, on_told, caller, NULL),
            HYPHA_ERR_NETWORK_STOPPED);
        tear_down(scene);
    }
}

/* A stop closes channels that are in use; who uses them may give them back or not. */
static void stop_closes_used_channels(void **unused)
{
    (void)unused;
    for (unsigned gives_back = 0; gives_back < 2; gives_back++) {
        struct scene *scene = set_up();
        struct caller *caller = get_until(scene, TOLD);
        struct hypha_channel *channel = caller->channel;

        stop(scene);
        assert_true(hypha_channel_is_stopped(channel)); /* the usage keeps its memory */
        if (gives_back != 0)
            assert_false(release(caller));
        assert_int_equal(caller->told, 1);
        tear_down(scene);
    }
}

/* spec: the contract of hypha_direct_cancel(): no callback, and nothing is left of the dial */
static void cancel_in_every_stage(void **unused)
{
    (void)unused;
    for (unsigned stage = 0; stage < STAGES; stage++) {
        struct scene *scene = set_up();
        struct caller *caller = get_until(scene, stage);

        if (stage == TOLD) {
            assert_true(release(caller));
        } else {
            hypha_direct_cancel(caller->request);
            hy_sim_run_for(scene->sim, 60000);
            assert_int_equal(caller->told, 0);
        }
        turn(scene);
        if (stage == REFINED)
            hy_hosts_free(scene->node.net.hosts, scene->url);
        assert_int_equal(state_of(scene), HY_HOST_FREE);
        assert_int_equal(scene->node.net.channel_count, 0);
        if (stage != PENDING && stage != REFINED) {
            assert_true(last_stream(scene)->closed);
            assert_int_equal(scene->events[HYPHA_EVENT_DIRECT_CONNECTING], 1);
            assert_int_equal(scene->events[HYPHA_EVENT_DIRECT_DISCONNECTED], 1);
        }
        tear_down(scene);
    }
}

static void a_dial_goes_on_for_the_others(void **unused)
{
    struct scene *scene = set_up();
    struct caller *first = get(scene, 0), *second = get(scene, 1);

    (void)unused;
    turn(scene);
    hypha_direct_cancel(first->request);
    connect_peer(scene);
    assert_int_equal(first->told, 0);
    assert_int_equal(second->told, 1);
    assert_int_equal(usages(second), 1);
    tear_down(scene);
}

/* Cancelled inside the events of its own creation. */
static void cancel_inside_an_event(void **unused)
{
    static const enum hypha_event_type events[] = { HYPHA_EVENT_DIRECT_CONNECTING, HYPHA_EVENT_DIAL,
        HYPHA_EVENT_DIRECT_CONNECTED, HYPHA_EVENT_CHANNEL_REGISTERED };

    (void)unused;
    for (size_t i = 0; i < sizeof(events) / sizeof(events[0]); i++) {
        struct scene *scene = set_up();

        scene->cancel_at = events[i];
        struct caller *caller = get(scene, 0);
        turn(scene);
        if (i > 0)
            transport_up(scene);
        if (i > 2)
            shake_hands(scene);
        hy_sim_run_for(scene->sim, 2000);
        assert_int_equal(scene->cancel_at, HYPHA_EVENTS);
        assert_int_equal(caller->told, 0);
        assert_int_equal(state_of(scene), HY_HOST_FREE);
        assert_int_equal(scene->node.net.channel_count, 0);
        assert_int_equal(scene->events[HYPHA_EVENT_DIRECT_DISCONNECTED], 1);
        tear_down(scene);
    }
}

/* Asked for again while it is being closed: a new channel, once the old one is gone. */
static void wanted_again_while_closing(void **unused)
{
    struct scene *scene = set_up();
    struct caller *first = get_until(scene, TOLD);
    struct hypha_channel *old = hypha_channel_ref(first->channel);

    (void)unused;
    assert_true(release(first));
    struct caller *second = get(scene, 1);
    turn(scene);
    assert_int_equal(scene->dials, 2);
    connect_peer(scene);
    assert_int_equal(second->err, HYPHA_OK);
    assert_ptr_not_equal(second->channel, old);
    assert_int_equal(usages(second), 1);
    hypha_channel_unref(old);

    /* The same for a dial that was given up. */
    assert_true(release(second));
    turn(scene);
    (void)get(scene, 2);
    turn(scene);
    assert_int_equal(scene->dials, 3);
    hypha_direct_cancel(scene->callers[2].request);
    struct caller *third = get(scene, 3);
    turn(scene);
    assert_int_equal(scene->dials, 4);
    connect_peer(scene);
    assert_int_equal(third->err, HYPHA_OK);
    assert_int_equal(scene->callers[2].told, 0);
    tear_down(scene);
}

/* The peer hangs up: grey, free, not dialled again; usages can be given back all the same. */
static void a_peer_that_leaves(void **unused)
{
    struct scene *scene = set_up();
    struct caller *first = get_until(scene, TOLD), *second = get(scene, 1);

    (void)unused;
    turn(scene);
    fake_stream_end(last_stream(scene), HYPHA_ERR_EOF);
    hy_sim_run_for(scene->sim, 3600 * 1000);
    assert_int_equal(scene->dials, 1);
    assert_int_equal(state_of(scene), HY_HOST_FREE);
    assert_int_equal(colour_of(scene), HYPHA_COLOUR_GREY);
    assert_int_equal(scene->event_err, HYPHA_ERR_EOF);
    assert_true(hypha_channel_is_stopped(first->channel));

    struct caller *third = get(scene, 2);
    turn(scene);
    connect_peer(scene);
    assert_int_equal(third->err, HYPHA_OK);
    assert_int_equal(usages(third), 1); /* the old ones are of the old channel */
    assert_false(release(first));
    assert_false(release(second));
    assert_false(hypha_channel_is_stopped(third->channel));
    assert_true(release(third));
    tear_down(scene);
}

static void release_at_once(struct caller *caller)
{
    assert_true(release(caller));
    caller->also = NULL;
    (void)get(caller->scene, (size_t)(caller - caller->scene->callers));
}

static void ban_and_cancel_next(struct caller *caller)
{
    struct caller *next = caller + 1;

    caller->also = NULL;
    if (caller->channel != NULL)
        hypha_channel_ban(caller->channel);
    if (next->request != NULL)
        hypha_direct_cancel(next->request);
    next->request = NULL;
}

/* spec: network.md MUST 5-b: whatever a callback does */
static void callbacks_may_do_anything(void **unused)
{
    struct scene *scene = set_up();
    struct caller *caller = &scene->callers[0];

    (void)unused;
    caller->also = release_at_once; /* and asks for another */
    (void)get(scene, 0);
    turn(scene);
    connect_peer(scene);
    assert_int_equal(caller->told, 1);
    assert_int_equal(scene->dials, 2);
    connect_peer(scene);
    assert_int_equal(caller->told, 2);
    assert_int_equal(usages(caller), 1);

    scene->callers[1].also = ban_and_cancel_next;
    (void)get(scene, 1);
    (void)get(scene, 2);
    hy_sim_run_for(scene->sim, 2000);
    assert_int_equal(scene->callers[1].told, 1);
    assert_int_equal(scene->callers[2].told, 0);
    assert_true(hypha_channel_is_stopped(caller->channel));
    assert_int_equal(scene->node.net.channel_count, 0);
    tear_down(scene);

    /* At the stop as well. */
    scene = set_up();
    scene->callers[0].also = ban_and_cancel_next;
    (void)get(scene, 0);
    (void)get(scene, 1);
    (void)get(scene, 2);
    stop(scene);
    assert_int_equal(scene->callers[0].told, 1);
    assert_int_equal(scene->callers[1].told, 0);
    assert_int_equal(scene->callers[2].told, 1);
    tear_down(scene);
}

/* One request for memory after the other is refused: all callers are told, nothing is left. */
static void memory_runs_out(void **unused)
{
    size_t needed = 0;

    (void)unused;
    for (size_t n = 0; n <= needed; n++) {
        struct scene *scene = set_up();
        struct caller *caller = &scene->callers[0];
        enum hypha_err err;

        hy_alloc_fail_after(needed == 0 ? SIZE_MAX : n - 1);
        err = hy_session_direct_get(scene->session, scene->url, 1, on_told, caller, NULL);
        if (err != HYPHA_OK)
            assert_int_equal(err, HYPHA_ERR_NOMEM);
        turn(scene);
        if (err == HYPHA_OK && scene->dials > 0)
            transport_up(scene);
        if (scene->node.net.channel_count > 0)
            shake_hands(scene);
        if (needed == 0) {
            needed = hy_alloc_count();
            assert_int_equal(caller->err, HYPHA_OK);
            assert_true(needed > 3);
        }
        assert_true(caller->told <= 1);
        stop(scene);
        assert_int_equal(caller->told, err == HYPHA_OK ? 1 : 0);
        hy_alloc_fail_after(SIZE_MAX);
        tear_down(scene);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(one_usage_for_each_get),
        cmocka_unit_test(a_creation_is_shared),
        cmocka_unit_test(channels_of_other_sessions_serve),
        cmocka_unit_test(unfit_channels_are_not_shared),
        cmocka_unit_test(a_stopping_channel_is_not_shared),
        cmocka_unit_test(a_channel_that_stops_is_not_told),
        cmocka_unit_test(some_are_refused),
        cmocka_unit_test(a_failure_leaves_no_trace),
        cmocka_unit_test(a_silent_peer_times_out),
        cmocka_unit_test(the_refinery_goes_first),
        cmocka_unit_test(retries_have_their_pause),
        cmocka_unit_test(stop_cancels_every_stage),
        cmocka_unit_test(stop_closes_used_channels),
        cmocka_unit_test(cancel_in_every_stage),
        cmocka_unit_test(a_dial_goes_on_for_the_others),
        cmocka_unit_test(cancel_inside_an_event),
        cmocka_unit_test(wanted_again_while_closing),
        cmocka_unit_test(a_peer_that_leaves),
        cmocka_unit_test(callbacks_may_do_anything),
        cmocka_unit_test(memory_runs_out),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
