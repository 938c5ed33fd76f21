/* session_direct_test.c - who asks, who is told, who gives back, and what a failure leaves.
 * spec: network.md 7.8 */
#include "fakes/direct_fixture.h"

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
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
