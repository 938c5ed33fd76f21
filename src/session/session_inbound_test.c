/* session_inbound_test.c - all addresses or none, and a listener that dies is bound again; places,
 * and who makes room for whom. spec: network.md 7.3, 6.2, 10 */
#include "fakes/fake_node.h"
#include "fakes/fake_stream.h"
#include "session/session_inbound.h"

#include <setjmp.h>
#include <stdarg.h>
#include <cmocka.h>

#define LISTENERS 2
#define GUESTS    32

struct stub_listener {
    struct hy_listener base;
    struct scene *scene;
    hy_listen_cb cb;
    void *user;
    struct hy_defer answer;
    enum hypha_err outcome; /* of the next bind */
    unsigned binds;
    bool open, paused, waiting;
};

struct scene {
    struct hy_sim *sim;
    struct fake_node node;
    struct hy_transport transport;
    struct stub_listener listeners[LISTENERS];
    struct hypha_url *urls[LISTENERS];
    struct hypha_url *bound; /* what the first one gets; NULL: as asked */
    struct hy_session_inbound *session;
    unsigned started, stopped;
    enum hypha_err err;

    struct fake_stream streams[GUESTS];
    struct hypha_channel *guests[GUESTS]; /* a reference each */
    size_t guest_count;
    unsigned refused, evicted;
    uint32_t evicted_id;
    struct hypha_channel *dialled;
    bool mute; /* newcomers say no more than a handshake has */
};

static struct scene *the_scene;

static struct stub_listener *stub_of(struct hy_listener *listener)
{
    return (struct stub_listener *)(void *)listener;
}

static void listener_pause(struct hy_listener *listener)
{
    stub_of(listener)->paused = true;
}

static void listener_resume(struct hy_listener *listener)
{
    stub_of(listener)->paused = false;
}

static void listener_close(struct hy_listener *listener)
{
    assert_true(stub_of(listener)->open);
    stub_of(listener)->open = false;
}

static const struct hy_listener_ops listener_ops = { listener_pause, listener_resume,
    listener_close };

static void on_answer(void *user)
{
    struct stub_listener *stub = user;

    stub->waiting = false;
    stub->open = stub->outcome == HYPHA_OK;
    stub->cb(stub->user, stub->outcome, stub->open ? &stub->base : NULL);
}

static enum hypha_err listen_on(struct hy_transport *transport, const struct hypha_url *url,
    const struct hy_listener_events *events, void *user, hy_listen_cb cb, void **ret_request)
{
    struct stub_listener *stub =
        &the_scene->listeners[hypha_url_equal(url, the_scene->urls[0]) ? 0 : 1];

    (void)transport;
    stub->base = (struct hy_listener){ .ops = &listener_ops,
        .events = events,
        .user = user,
        .url = the_scene->urls[stub - the_scene->listeners] };
    if (stub == the_scene->listeners && the_scene->bound != NULL)
        stub->base.url = the_scene->bound;
    stub->cb = cb;
    stub->user = user;
    stub->binds++;
    stub->waiting = true;
    stub->paused = false;
    hy_defer_init(&stub->answer, the_scene->node.loop, on_answer, stub);
    hy_defer_start(&stub->answer);
    *ret_request = stub;
    return HYPHA_OK;
}

static void listen_cancel(struct hy_transport *transport, void *request)
{
    struct stub_listener *stub = request;

    (void)transport;
    assert_true(stub->waiting);
    stub->waiting = false;
    hy_defer_stop(&stub->answer);
}

static const struct hy_transport_ops transport_ops = {
    .listen = listen_on,
    .listen_cancel = listen_cancel,
};

static void on_started(void *user, enum hypha_err err)
{
    struct scene *scene = user;

    scene->started++;
    scene->err = err;
}

static void on_stopped(void *user)
{
    struct scene *scene = user;

    scene->stopped++;
}

static struct scene *set_up(size_t listeners)
{
    struct scene *scene = calloc(1, sizeof(*scene));

    assert_non_null(scene);
    the_scene = scene;
    must(hy_sim_create(1, &scene->sim));
    fake_node_init(&scene->node, hy_sim_loop(scene->sim), NULL, 0);
    scene->urls[0] = fake_url("tcp://0.0.0.0:1000");
    scene->urls[1] = fake_url("tcp://0.0.0.0:2000");
    scene->node.settings.inbound = (struct hy_url_array){ scene->urls, listeners };
    scene->transport = (struct hy_transport){ .ops = &transport_ops, .scheme = "tcp" };
    scene->node.net.transports[0] = &scene->transport;
    scene->node.net.transport_count = 1;
    must(hy_session_inbound_create(&scene->node.net, &scene->session));
    hy_session_inbound_start(scene->session, on_started, scene);
    assert_int_equal(scene->started, 0); /* never from inside the call */
    return scene;
}

static void tear_down(struct scene *scene)
{
    hy_session_inbound_stop(scene->session, on_stopped, scene);
    assert_int_equal(scene->stopped, 0);
    hy_sim_run_for(scene->sim, 10);
    assert_int_equal(scene->stopped, 1);
    for (size_t i = 0; i < LISTENERS; i++) {
        assert_false(scene->listeners[i].open);
        assert_false(scene->listeners[i].waiting);
    }
    hy_session_inbound_destroy(scene->session);
    fake_node_fini(&scene->node);
    for (size_t i = 0; i < LISTENERS; i++)
        hypha_url_unref(scene->urls[i]);
    hy_sim_destroy(scene->sim);
    free(scene);
}

static void all_are_bound_before_one_accepts(void **unused)
{
    struct scene *scene = set_up(2);

    (void)unused;
    on_answer(&scene->listeners[0]);
    hy_defer_stop(&scene->listeners[0].answer);
    assert_true(scene->listeners[0].paused); /* the other is not bound yet */
    hy_sim_run_for(scene->sim, 10);
    assert_int_equal(scene->started, 1);
    assert_int_equal(scene->err, HYPHA_OK);
    assert_false(scene->listeners[0].paused);
    assert_false(scene->listeners[1].paused);
    assert_string_equal(
        hypha_url_text(hy_session_inbound_addr(scene->session, 1)), "tcp://0.0.0.0:2000/");
    assert_null(hy_session_inbound_addr(scene->session, 2));
    tear_down(scene);
}

/* spec: network.md MUST 7.3-b */
static void one_failure_undoes_all(void **unused)
{
    struct scene *scene = set_up(2);

    (void)unused;
    scene->listeners[1].outcome = HYPHA_ERR_ADDR_IN_USE;
    hy_sim_run_for(scene->sim, 10);
    assert_int_equal(scene->started, 1);
    assert_int_equal(scene->err, HYPHA_ERR_ADDR_IN_USE);
    assert_false(scene->listeners[0].open);
    assert_null(hy_session_inbound_addr(scene->session, 0));
    tear_down(scene);
}

static void stop_cancels_the_binding(void **unused)
{
    struct scene *scene = set_up(2);

    (void)unused;
    tear_down(scene);
}

/* spec: network.md MUST 7.3-a: outbound only is no error, and said aloud */
static void no_address_is_no_error(void **unused)
{
    struct scene *scene = set_up(0);

    (void)unused;
    assert_string_equal(scene->node.log.last, "Not configured for accepting incoming connections.");
    assert_int_equal(scene->node.log.level, HYPHA_LOG_INFO);
    hy_sim_run_for(scene->sim, 10);
    assert_int_equal(scene->started, 1);
    assert_int_equal(scene->err, HYPHA_OK);
    tear_down(scene);
}

/* spec: network.md MUST 6.2-b: EBADF, EINVAL: the session hears of it, and binds again */
static void a_dead_listener_is_bound_again(void **unused)
{
    struct scene *scene = set_up(2);
    struct stub_listener *stub = &scene->listeners[0];

    (void)unused;
    hy_sim_run_for(scene->sim, 10);
    stub->outcome = HYPHA_ERR_ADDR_IN_USE; /* for some time */
    stub->base.events->on_end(&stub->base, HYPHA_ERR_SYSTEM, stub->base.user);
    assert_false(stub->open);
    assert_int_equal(scene->node.log.level, HYPHA_LOG_ERROR);
    hy_sim_run_for(scene->sim, 30000);
    assert_in_range(stub->binds, 4, 7); /* 1, 2, 4, 8 .. s */
    stub->outcome = HYPHA_OK;
    hy_sim_run_for(scene->sim, 60000);
    assert_true(stub->open);
    assert_false(stub->paused);
    assert_int_equal(scene->started, 1);
    tear_down(scene);
}

static uint16_t announced_port(struct scene *scene)
{
    struct hypha_url *own[HY_MAX_EXTERNAL];
    size_t count = hy_hosts_own_addrs(scene->node.net.hosts, own);

    assert_int_equal(count, 1);
    uint16_t port = hypha_url_port(own[0]);
    hypha_url_unref(own[0]);
    return port;
}

/* Port 0 may be another one after that, and others must hear of it. spec: transports.md 2 */
static void bound_again_at_another_port(void **unused)
{
    struct scene *scene = set_up(2);
    struct stub_listener *stub = &scene->listeners[0];
    struct hypha_url *external = fake_url("tcp://7.7.7.7:0"), *other = fake_url("tcp://0.0.0.0:7");

    (void)unused;
    scene->node.settings.external_addrs = (struct hy_url_array){ &external, 1 };
    hy_sim_run_for(scene->sim, 10);
    assert_int_equal(announced_port(scene), 1000);
    scene->bound = other;
    stub->base.events->on_end(&stub->base, HYPHA_ERR_SYSTEM, stub->base.user);
    hy_sim_run_for(scene->sim, 5000);
    assert_true(stub->open);
    assert_int_equal(announced_port(scene), 7);
    scene->node.settings.external_addrs = (struct hy_url_array){ 0 };
    tear_down(scene);
    hypha_url_unref(external);
    hypha_url_unref(other);
}

/* ---- places ---- */

static struct hypha_channel *newest_channel(struct scene *scene)
{
    struct hypha_channel *channel = NULL, *last = NULL;

    while ((channel = hy_net_next_channel(&scene->node.net, channel)) != NULL)
        last = channel;
    return last;
}

/* A transport is up at that listener: a channel that has not shaken hands. */
static struct hypha_channel *knock(struct scene *scene, size_t listener, const char *from)
{
    struct hy_listener *base = &scene->listeners[listener].base;
    struct fake_stream *stream = &scene->streams[scene->guest_count];
    struct hypha_url *peer = fake_url(from);

    fake_stream_init(stream);
    base->events->on_accept(base, &stream->base, peer, base->user);
    hypha_url_unref(peer);
    assert_false(stream->closed);
    stream->base.events->on_ready(&stream->base, stream->base.user);
    struct hypha_channel *channel = hypha_channel_ref(newest_channel(scene));
    scene->guests[scene->guest_count++] = channel;
    if (!scene->mute) /* as much as version, verack and one message more */
        for (unsigned i = 0; i < 3; i++)
            assert_true(fake_stream_feed(stream, "\xd9\xef\xb6\x7d\x04ping\x02\0\0", 12));
    return channel;
}

/* The version exchange is done, and the turn over. */
static bool shake(struct scene *scene, struct hypha_channel *channel)
{
    hy_channel_handshake_done(channel);
    hy_sim_run_for(scene->sim, 0);
    return hy_channel_is_registered(channel);
}

static bool enter(struct scene *scene, const char *from)
{
    return shake(scene, knock(scene, 0, from));
}

/* Guest n of a group of its own, who answers pings. */
static struct hypha_channel *guest(struct scene *scene, unsigned n)
{
    char from[64];

    (void)snprintf(from, sizeof(from), "tcp://44.%u.0.1:5000", n);
    assert_true(enter(scene, from));
    struct hypha_channel *channel = scene->guests[scene->guest_count - 1];
    hy_channel_set_round_trip_us(channel, 10000 + n);
    return channel;
}

static void on_event(const struct hypha_event *event, void *user)
{
    struct scene *scene = user;

    scene->refused += event->type == HYPHA_EVENT_REFUSED;
    scene->evicted += event->type == HYPHA_EVENT_EVICTED;
    if (event->type == HYPHA_EVENT_EVICTED)
        scene->evicted_id = event->channel_id;
    if (event->type == HYPHA_EVENT_REFUSED)
        assert_int_equal(event->err, HYPHA_ERR_FULL);
}

static struct scene *open_hall(void)
{
    struct scene *scene = set_up(2);

    must(hy_events_subscribe(&scene->node.net.events,
        HYPHA_EVENT_BIT(HYPHA_EVENT_REFUSED) | HYPHA_EVENT_BIT(HYPHA_EVENT_EVICTED), on_event,
        scene));
    hy_sim_run_for(scene->sim, 10);
    assert_int_equal(scene->err, HYPHA_OK);
    return scene;
}

static void close_hall(struct scene *scene)
{
    for (size_t i = 0; i < scene->guest_count; i++)
        hypha_channel_stop(scene->guests[i]);
    if (scene->dialled != NULL)
        hypha_channel_stop(scene->dialled);
    hy_sim_run_for(scene->sim, 2000);
    for (size_t i = 0; i < scene->guest_count; i++) {
        hypha_channel_unref(scene->guests[i]);
        assert_true(scene->streams[i].closed);
        fake_stream_fini(&scene->streams[i]);
    }
    assert_int_equal(hy_session_inbound_count(scene->session), 0);
    assert_int_equal(hy_session_inbound_pending(scene->session), 0);
    tear_down(scene);
}

/* spec: network.md MUST 6.2-d: only registered channels count as inbound */
static void pending_sockets_take_no_place(void **unused)
{
    struct scene *scene = open_hall();

    (void)unused;
    for (unsigned n = 1; n <= 12; n++) {
        char from[64];

        (void)snprintf(from, sizeof(from), "tcp://44.%u.0.1:5000", n);
        (void)knock(scene, n % 2, from);
    }
    assert_int_equal(hy_session_inbound_pending(scene->session), 12);
    assert_int_equal(hy_session_inbound_count(scene->session), 0);
    for (unsigned n = 0; n < 8; n++)
        assert_true(shake(scene, scene->guests[n]));
    assert_int_equal(hy_session_inbound_pending(scene->session), 4);
    assert_int_equal(hy_session_inbound_count(scene->session), 8);
    close_hall(scene);
}

/* spec: network.md MUST 7.3-c, 6.2-f: one limit over all listeners; the ninth is closed, no ban */
static void the_ninth_is_closed_without_ban(void **unused)
{
    struct scene *scene = open_hall();

    (void)unused;
    for (unsigned n = 1; n <= 8; n++) {
        char from[64];

        (void)snprintf(from, sizeof(from), "tcp://44.%u.0.1:5000", n);
        assert_true(shake(scene, knock(scene, n % 2, from)));
    }
    struct hypha_channel *ninth = knock(scene, 1, "tcp://44.99.0.1:5000");
    assert_false(shake(scene, ninth));
    assert_true(hypha_channel_is_stopped(ninth));
    assert_false(hy_hosts_is_banned(scene->node.net.hosts, hypha_channel_address(ninth)));
    assert_int_equal(scene->refused, 1);
    assert_int_equal(hy_session_inbound_count(scene->session), 8);
    hypha_channel_stop(scene->guests[0]); /* and who comes when a place is free gets it at once */
    assert_true(enter(scene, "tcp://44.99.0.1:5001"));
    assert_int_equal(scene->evicted, 0);
    assert_int_equal(hy_session_inbound_count(scene->session), 8);
    close_hall(scene);
}

/* Who gets no place costs a moment in which nobody is accepted; a free place ends it. */
static void a_full_node_rests_after_a_refusal(void **unused)
{
    struct scene *scene = open_hall();

    (void)unused;
    for (unsigned n = 1; n <= 8; n++)
        (void)guest(scene, n);
    assert_false(scene->listeners[0].paused);
    assert_false(enter(scene, "tcp://44.99.0.1:5000"));
    assert_true(scene->listeners[0].paused);
    assert_true(scene->listeners[1].paused);
    hy_sim_run_for(scene->sim, 700);
    assert_false(scene->listeners[0].paused);
    assert_false(enter(scene, "tcp://44.99.0.1:5001"));
    assert_true(scene->listeners[0].paused);
    hypha_channel_stop(scene->guests[3]);
    hy_sim_run_for(scene->sim, 0);
    assert_false(scene->listeners[0].paused);
    close_hall(scene);
}

static void no_places_no_listening(void **unused)
{
    struct scene *scene = open_hall();

    (void)unused;
    scene->node.settings.inbound_connections = 0;
    hy_session_inbound_reload(scene->session);
    assert_true(scene->listeners[0].paused);
    scene->node.settings.inbound_connections = 1;
    hy_session_inbound_reload(scene->session);
    assert_false(scene->listeners[0].paused);
    close_hall(scene);
}

/* No pong two seconds after the first ping: such a place is anybody's. */
static void the_silent_make_room(void **unused)
{
    struct scene *scene = open_hall();

    (void)unused;
    for (unsigned n = 1; n <= 8; n++) {
        (void)guest(scene, n);
        hy_sim_run_for(scene->sim, 1);
    }
    hy_channel_set_round_trip_us(scene->guests[4], 0);
    hy_channel_set_round_trip_us(scene->guests[5], 0);
    hy_sim_run_for(scene->sim, 1995); /* the fifth came at 4 */
    assert_false(enter(scene, "tcp://44.4.0.2:5000"));
    hy_sim_run_for(scene->sim, 1);
    assert_true(enter(scene, "tcp://44.4.0.2:5001"));
    assert_true(hypha_channel_is_stopped(scene->guests[4]));
    assert_int_equal(scene->evicted, 1);
    assert_int_equal(scene->evicted_id, hypha_channel_id(scene->guests[4]));
    assert_false(enter(scene, "tcp://44.4.0.3:5001"));
    hy_sim_run_for(scene->sim, 1);
    assert_true(enter(scene, "tcp://44.4.0.3:5002"));
    assert_true(hypha_channel_is_stopped(scene->guests[5]));
    assert_false(enter(scene, "tcp://44.4.0.4:5001"));
    assert_int_equal(hy_session_inbound_count(scene->session), 8);
    close_hall(scene);
}

/* An ordinary one goes rarely, never before it has been here for ten seconds, and for one of a
 * group with fewer peers only. spec: network.md 10 SHOULD: eviction */
static void an_ordinary_one_makes_room_rarely(void **unused)
{
    struct scene *scene = open_hall();

    (void)unused;
    for (unsigned n = 1; n <= 8; n++)
        (void)guest(scene, n);
    hy_sim_run_for(scene->sim, 9000);
    assert_false(enter(scene, "tcp://44.99.0.1:5000"));
    hy_sim_run_for(scene->sim, 1000);
    assert_false(enter(scene, "tcp://44.3.0.9:5000")); /* its group is here as often */
    assert_true(enter(scene, "tcp://44.99.0.1:5001"));
    hy_channel_set_round_trip_us(scene->guests[scene->guest_count - 1], 99999);
    assert_int_equal(scene->evicted, 1);
    unsigned inside = 0;
    for (unsigned n = 0; n < 20; n++) { /* ten minutes, more tries than places */
        char from[64];

        (void)snprintf(from, sizeof(from), "tcp://44.%u.0.1:5000", 100 + n);
        hy_sim_run_for(scene->sim, 10000);
        bool came = enter(scene, from);
        hy_channel_set_round_trip_us(scene->guests[scene->guest_count - 1], 99999);
        inside += came ? 1 : 0;
    }
    assert_int_equal(inside, 3); /* one a minute: of 200 s */
    assert_int_equal(hy_session_inbound_count(scene->session), 8);
    close_hall(scene);
}

/* Others test their lists by a handshake and go: nobody loses a place for that. */
static void probes_of_others_evict_nobody(void **unused)
{
    struct scene *scene = open_hall();

    (void)unused;
    for (unsigned n = 1; n <= 8; n++) {
        (void)guest(scene, n);
        hy_sim_run_for(scene->sim, 1);
    }
    hy_channel_set_round_trip_us(scene->guests[4], 0); /* silent */
    hy_sim_run_for(scene->sim, 20000);
    scene->mute = true;
    struct hypha_channel *probe = knock(scene, 0, "tcp://44.99.0.1:5000");
    assert_false(shake(scene, probe));
    assert_false(hypha_channel_is_stopped(probe));
    assert_int_equal(hy_session_inbound_pending(scene->session), 1);
    hypha_channel_stop(probe);
    hy_sim_run_for(scene->sim, 5000);
    assert_int_equal(scene->evicted + scene->refused, 0);
    /* One that stays without a word gets nothing for it. */
    probe = knock(scene, 0, "tcp://44.98.0.1:5000");
    assert_false(shake(scene, probe));
    hy_sim_run_for(scene->sim, 1900);
    assert_false(hypha_channel_is_stopped(probe));
    hy_sim_run_for(scene->sim, 200);
    assert_true(hypha_channel_is_stopped(probe));
    assert_int_equal(scene->evicted, 0);
    assert_int_equal(scene->refused, 1);
    /* One that speaks a little later gets the place then, or the next that is free. */
    hy_sim_run_for(scene->sim, 1000);
    probe = knock(scene, 0, "tcp://44.97.0.1:5000");
    assert_false(shake(scene, probe));
    for (unsigned i = 0; i < 3; i++)
        assert_true(fake_stream_feed(
            &scene->streams[scene->guest_count - 1], "\xd9\xef\xb6\x7d\x04ping\x02\0\0", 12));
    hy_sim_run_for(scene->sim, 50);
    assert_true(hy_channel_is_registered(probe));
    assert_true(hypha_channel_is_stopped(scene->guests[4]));
    close_hall(scene);
}

static const struct hy_channel_owner no_owner = { NULL, NULL };

/* We have dialled that address too. */
static void dial_out(struct scene *scene, const char *to)
{
    static struct fake_stream stream;
    static struct hy_membership membership;
    struct hypha_url *url = fake_url(to);

    fake_stream_init(&stream);
    membership = (struct hy_membership){ 0 };
    must(hy_channel_create(
        &scene->node.net, HYPHA_SESSION_OUTBOUND, &stream.base, url, url, false, &scene->dialled));
    must(hy_channel_start(scene->dialled, &no_owner, NULL));
    hy_channel_handshake_done(scene->dialled);
    must(hy_session_register(scene->dialled, &membership));
    hypha_channel_unref(scene->dialled); /* it holds itself until it stops */
    hypha_url_unref(url);
}

static struct hypha_channel *knock_as(struct scene *scene, const char *from, const char *announced)
{
    struct hypha_channel *channel = knock(scene, 0, from);
    struct hypha_url *url = fake_url(announced);

    must(hy_channel_add_peer_address(channel, url));
    hypha_url_unref(url);
    return channel;
}

/* In a small network where all dial all the places fill with second channels to the same nodes: a
 * late newcomer gets one of those, and they don't come back for it. */
static void second_channels_make_room_for_newcomers(void **unused)
{
    struct scene *scene = open_hall();
    struct hypha_url *own = fake_url("tcp://44.50.0.1:9");

    (void)unused;
    scene->node.settings.external_addrs = (struct hy_url_array){ &own, 1 };
    dial_out(scene, "tcp://44.60.0.1:9000");
    assert_true(shake(scene, knock_as(scene, "tcp://44.60.0.1:5000", "tcp://44.60.0.1:9000")));
    for (unsigned n = 1; n <= 7; n++)
        (void)guest(scene, n);
    assert_false(shake(scene, knock_as(scene, "tcp://44.60.0.1:5001", "tcp://44.60.0.1:9000")));
    assert_true(enter(scene, "tcp://44.7.0.9:5000"));
    assert_true(hypha_channel_is_stopped(scene->guests[0]));
    assert_int_equal(scene->evicted, 1);
    assert_false(shake(scene, knock_as(scene, "tcp://44.60.0.1:5002", "tcp://44.60.0.1:9000")));
    assert_false(hypha_channel_is_stopped(scene->dialled));
    scene->node.settings.external_addrs = (struct hy_url_array){ 0 };
    hypha_url_unref(own);
    close_hall(scene);
}

/* Of two full nodes that have dialled each other only the one with the lesser address ends the
 * other's channel. */
static void only_one_side_ends_a_second_channel(void **unused)
{
    struct scene *scene = open_hall();
    struct hypha_url *own = fake_url("tcp://44.70.0.1:9");

    (void)unused;
    scene->node.settings.external_addrs = (struct hy_url_array){ &own, 1 };
    dial_out(scene, "tcp://44.60.0.1:9000");
    assert_true(shake(scene, knock_as(scene, "tcp://44.60.0.1:5000", "tcp://44.60.0.1:9000")));
    for (unsigned n = 1; n <= 7; n++)
        (void)guest(scene, n);
    assert_false(enter(scene, "tcp://44.99.0.1:5000"));
    assert_false(hypha_channel_is_stopped(scene->guests[0]));
    scene->node.settings.external_addrs = (struct hy_url_array){ 0 };
    hypha_url_unref(own);
    close_hall(scene);
}

/* On one machine all have one address, so what they announce tells them apart. */
static void localnet_groups_are_what_peers_announce(void **unused)
{
    struct scene *scene = open_hall();
    char from[64], announced[64];

    (void)unused;
    scene->node.settings.localnet = true;
    for (unsigned n = 1; n <= 8; n++) {
        (void)snprintf(from, sizeof(from), "tcp://127.0.0.1:%u", 5000 + n);
        (void)snprintf(announced, sizeof(announced), "tcp://127.0.0.1:%u", 9000 + n);
        assert_true(
            shake(scene, n <= 4 ? knock_as(scene, from, announced) : knock(scene, 0, from)));
        hy_channel_set_round_trip_us(scene->guests[n - 1], 1000 - n);
        hy_sim_run_for(scene->sim, 1);
    }
    hy_sim_run_for(scene->sim, 10000);
    /* 5 to 8 are of one group, that of their address. */
    assert_false(enter(scene, "tcp://127.0.0.1:6000"));
    assert_true(shake(scene, knock_as(scene, "tcp://127.0.0.1:6001", "tcp://127.0.0.1:9999")));
    assert_int_equal(scene->evicted, 1);
    for (unsigned n = 0; n < 4; n++)
        assert_false(hypha_channel_is_stopped(scene->guests[n]));
    close_hall(scene);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(all_are_bound_before_one_accepts),
        cmocka_unit_test(one_failure_undoes_all),
        cmocka_unit_test(stop_cancels_the_binding),
        cmocka_unit_test(no_address_is_no_error),
        cmocka_unit_test(a_dead_listener_is_bound_again),
        cmocka_unit_test(bound_again_at_another_port),
        cmocka_unit_test(pending_sockets_take_no_place),
        cmocka_unit_test(the_ninth_is_closed_without_ban),
        cmocka_unit_test(a_full_node_rests_after_a_refusal),
        cmocka_unit_test(no_places_no_listening),
        cmocka_unit_test(the_silent_make_room),
        cmocka_unit_test(an_ordinary_one_makes_room_rarely),
        cmocka_unit_test(probes_of_others_evict_nobody),
        cmocka_unit_test(second_channels_make_room_for_newcomers),
        cmocka_unit_test(only_one_side_ends_a_second_channel),
        cmocka_unit_test(localnet_groups_are_what_peers_announce),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
