/* session_direct_end_test.c - channels on demand that end early: stop, cancel, a peer that leaves,
 * at any stage and from inside any callback; and without memory. spec: network.md 7.8 */
#include "base/alloc.h"
#include "fakes/direct_fixture.h"

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
