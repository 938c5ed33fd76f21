/* scenario_start_stop_test.c - start and stop in every state and order, and the start that fails.
 * spec: network.md 2.2, 2.3 */
#include "scenario/world.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <cmocka.h>

/* A small network with a node that has every session at work. */
struct stage {
    struct world *world;
    struct node *seed, *peer, *subject;
};

static struct stage build(uint64_t chance)
{
    struct stage stage = { .world = world_create(chance) };

    stage.seed = world_add(stage.world, &(struct node_plan){ .seed = true });
    stage.peer = world_add(stage.world, &(struct node_plan){ .seeds = { stage.seed->url } });
    for (size_t i = 0; i < 3; i++)
        (void)world_add(stage.world, &(struct node_plan){ .seeds = { stage.seed->url } });
    stage.subject = world_add(stage.world,
        &(struct node_plan){ .seeds = { stage.seed->url }, .peers = { stage.peer->url } });
    return stage;
}

/* spec: network.md MUST 2.3-a, 7.2-b, 4.1-b: every session is at work, a manual peer too.
 * Stopped so many milliseconds after the start, for a whole second of starts: while dialling,
 * shaking hands, seeding, being probed, connected. */
static void stop_at_any_moment(void **unused)
{
    (void)unused;
    for (uint64_t moment = 0; moment <= 1000; moment += moment < 300 ? 7 : 50) {
        struct stage stage = build(100 + moment);

        world_start_all(stage.world);
        world_run(stage.world, moment);
        node_stop(stage.subject);
        node_stop(stage.subject); /* any number of times */
        node_run_to_stop(stage.subject);
        assert_int_equal(stage.subject->stops, 1);
        assert_int_equal(stage.subject->why, HYPHA_OK);
        assert_int_equal(hy_p2p_leftovers(stage.subject->p2p), 0);
        node_stop(stage.subject);
        assert_int_equal(stage.subject->stops, 1);
        world_stop_all(stage.world);
        world_destroy(stage.world);
    }
}

/* spec: network.md MUST 5-b, 2.3-a: from inside any event, who hears it may have had enough */
static void stop_inside_any_event(void **unused)
{
    (void)unused;
    for (unsigned n = 0; n < 120; n++) {
        struct stage stage = build(5000 + n);
        struct node_countdown countdown = { stage.subject, n };

        assert_int_equal(
            hypha_p2p_subscribe_events(stage.subject->p2p, node_stop_at_zero, &countdown),
            HYPHA_OK);
        world_start_all(stage.world);
        world_run(stage.world, 2000);
        if (stage.subject->stopped) {
            assert_int_equal(stage.subject->stops, 1);
            assert_int_equal(hy_p2p_leftovers(stage.subject->p2p), 0);
        }
        if (n < 3)
            world_run(stage.world, 3600 * 1000); /* no timer of it is left to fire */
        hypha_p2p_unsubscribe_events(stage.subject->p2p, node_stop_at_zero, &countdown);
        world_stop_all(stage.world);
        world_destroy(stage.world);
    }
}

/* Right after start(), before the loop has turned: on_started never comes.
 * spec: network.md MUST 2.3-a: a bind under way */
static void stop_cancels_a_start(void **unused)
{
    struct stage stage = build(1);

    (void)unused;
    node_start(stage.subject);
    node_stop(stage.subject);
    world_run(stage.world, 1000);
    assert_true(stage.subject->stopped);
    assert_false(stage.subject->started);
    world_destroy(stage.world);
}

/* spec: network.md MUST 1-a, 2.2-c: stop when never started, start when not stopped */
static void start_and_stop_in_wrong_states(void **unused)
{
    struct stage stage = build(2);
    struct hypha_p2p *p2p = stage.subject->p2p;

    (void)unused;
    hypha_p2p_stop(p2p); /* never started: nothing happens */
    world_run(stage.world, 100);
    assert_int_equal(stage.subject->stops, 0);
    node_start(stage.subject);
    assert_int_equal(hypha_p2p_start(p2p, NULL, NULL, NULL), HYPHA_ERR_STATE);
    world_run(stage.world, 100);
    assert_int_equal(stage.subject->starts, 1);
    assert_int_equal(hypha_p2p_start(p2p, NULL, NULL, NULL), HYPHA_ERR_STATE);
    assert_int_equal(hypha_p2p_register(p2p, &chat_protocol, NULL), HYPHA_ERR_STATE);
    node_stop(stage.subject);
    assert_int_equal(hypha_p2p_start(p2p, NULL, NULL, NULL), HYPHA_ERR_STATE);
    assert_int_equal(chat_say(p2p, "?"), 0);
    world_run(stage.world, 100);
    assert_int_equal(stage.subject->stops, 1);
    world_destroy(stage.world);
}

/* spec: network.md MUST 7.2-b: the manual peer is connected after each restart */
static void stop_start_stop(void **unused)
{
    struct stage stage = build(3);

    (void)unused;
    world_start_all(stage.world);
    for (unsigned round = 1; round <= 5; round++) {
        world_run(stage.world, 15000);
        assert_int_equal(stage.subject->starts, round);
        assert_true(hypha_p2p_peers_count(stage.subject->p2p) >= 1);
        node_stop(stage.subject);
        world_run(stage.world, 2000);
        assert_int_equal(stage.subject->stops, round);
        assert_int_equal(hypha_p2p_peers_count(stage.subject->p2p), 0);
        node_start(stage.subject);
    }
    world_stop_all(stage.world);
    world_destroy(stage.world);
}

static void restart(struct hypha_p2p *p2p, enum hypha_err why, void *user);

static void destroy(struct hypha_p2p *p2p, enum hypha_err why, void *user)
{
    bool *destroyed = user;

    assert_int_equal(why, HYPHA_OK);
    hypha_p2p_destroy(p2p);
    *destroyed = true;
}

static void restart(struct hypha_p2p *p2p, enum hypha_err why, void *user)
{
    assert_int_equal(why, HYPHA_OK);
    assert_int_equal(hypha_p2p_start(p2p, NULL, destroy, user), HYPHA_OK);
}

/* on_stopped may start again or destroy. spec: the contract of hypha/p2p.h */
static void callbacks_may_start_and_destroy(void **unused)
{
    struct stage stage = build(4);
    struct hypha_p2p *p2p = stage.subject->p2p;
    bool destroyed = false;

    (void)unused;
    assert_int_equal(hypha_p2p_start(p2p, NULL, restart, &destroyed), HYPHA_OK);
    world_run(stage.world, 500);
    hypha_p2p_stop(p2p);
    world_run(stage.world, 500);
    assert_int_equal(hy_p2p_state(p2p), HY_P2P_RUNNING);
    hypha_p2p_stop(p2p);
    world_run(stage.world, 2000);
    assert_true(destroyed);
    stage.world->count--; /* the subject is gone */
    world_destroy(stage.world);
}

/* The address is taken: manual is stopped again, nothing is left, the next start works.
 * spec: network.md MUST 2.2-b, 7.3-b */
static void start_fails_and_leaves_nothing(void **unused)
{
    struct world *world = world_create(5);
    struct node *first = world_add(world, &(struct node_plan){ 0 });
    struct node *second = world_add(
        world, &(struct node_plan){ .inbound = first->url, .peers = { first->url } });

    (void)unused;
    /* The second node listens on the first one's host: its transport is that host's too. */
    hy_transport_destroy(second->p2p->net.transports[0]);
    assert_int_equal(
        hy_sim_transport_create(world->sim, "tcp", first->ip, &second->p2p->net.transports[0]),
        HYPHA_OK);
    node_start(first);
    world_run(world, 100);
    for (unsigned round = 1; round <= 3; round++) {
        node_start(second);
        world_run(world, 2000);
        assert_false(second->started);
        assert_true(second->stopped);
        assert_int_equal(second->why, HYPHA_ERR_ADDR_IN_USE);
        assert_int_equal(second->stops, round);
        assert_int_equal(hy_p2p_leftovers(second->p2p), 0);
        assert_int_equal(hypha_p2p_peers_count(first->p2p), 0);
        assert_int_equal(hy_sim_listener_count(world->sim), 1);
        assert_int_equal(hy_sim_stream_count(world->sim), 0);
    }
    node_stop(first);
    world_run(world, 1000);
    node_start(second);
    world_run(world, 100);
    assert_true(second->started);
    world_stop_all(world);
    world_destroy(world);
}

static void stop_from(void *user)
{
    hypha_p2p_interrupt(user);
}

static void interrupt_stops(void **unused)
{
    struct stage stage = build(6);
    struct hypha_loop *loop = hy_sim_loop(stage.world->sim);

    (void)unused;
    world_start_all(stage.world);
    world_run(stage.world, 500);
    assert_int_equal(hypha_loop_post(loop, stop_from, stage.subject->p2p), HYPHA_OK);
    world_run(stage.world, 2000);
    assert_true(stage.subject->stopped);
    world_stop_all(stage.world);
    world_destroy(stage.world);
}

/* What is gold while running is in the file after the stop, and dialled first at the next start.
 * spec: network.md 2.3, 4.6 */
static void hostlist_survives_a_stop(void **unused)
{
    char path[] = "/tmp/hypha-scenario-XXXXXX", file[64], line[512];
    struct world *world = world_create(7);
    size_t gold = 0;

    (void)unused;
    assert_non_null(mkdtemp(path));
    (void)snprintf(file, sizeof(file), "%s/hostlist.tsv", path);
    struct node *seed = world_add(world, &(struct node_plan){ .seed = true });
    for (size_t i = 0; i < 4; i++)
        (void)world_add(world, &(struct node_plan){ .seeds = { seed->url } });
    struct node *subject = world_add(
        world, &(struct node_plan){ .seeds = { seed->url }, .hostlist = file });
    world_start_all(world);
    world_run(world, 20000);
    size_t listed = hy_hosts_count(subject->p2p->net.hosts, HYPHA_COLOUR_GOLD);
    assert_int_equal(listed, 4);
    node_stop(subject);
    world_run(world, 2000);

    FILE *in = fopen(file, "r");
    assert_non_null(in);
    while (fgets(line, sizeof(line), in) != NULL)
        gold += strncmp(line, "gold\t", 5) == 0 ? 1 : 0;
    (void)fclose(in);
    assert_int_equal(gold, listed);

    /* With the seed dead, the file is all it has. */
    node_stop(seed);
    world_run(world, 2000);
    node_start(subject);
    world_run(world, 3000);
    assert_int_equal(hy_hosts_count(subject->p2p->net.hosts, HYPHA_COLOUR_GOLD), listed);
    assert_int_equal(subject->events[HYPHA_EVENT_BANNED], 0);
    world_stop_all(world);
    world_destroy(world);
    (void)unlink(file);
    (void)snprintf(file, sizeof(file), "%s/hostlist.tsv.book", path);
    (void)unlink(file);
    (void)rmdir(path);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(stop_at_any_moment),
        cmocka_unit_test(stop_inside_any_event),
        cmocka_unit_test(stop_cancels_a_start),
        cmocka_unit_test(start_and_stop_in_wrong_states),
        cmocka_unit_test(stop_start_stop),
        cmocka_unit_test(callbacks_may_start_and_destroy),
        cmocka_unit_test(start_fails_and_leaves_nothing),
        cmocka_unit_test(interrupt_stops),
        cmocka_unit_test(hostlist_survives_a_stop),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
