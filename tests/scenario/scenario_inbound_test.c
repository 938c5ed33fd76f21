/* scenario_inbound_test.c - full places: who comes late gets one all the same, and nobody who is
 * here pays for it. spec: network.md 6.2, 10 */
#include "scenario/world.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <cmocka.h>

#define NODES 9

static size_t sum(const struct world *world, enum hypha_event_type type)
{
    size_t count = 0;

    for (size_t i = 0; i < world->count; i++)
        count += world->nodes[i].events[type];
    return count;
}

/* A seed, and nodes that all dial all: of 8 inbound places each has 8 taken. */
static struct node *make_full(struct world *world)
{
    struct node *seed = world_add(world, &(struct node_plan){ .seed = true });

    for (size_t i = 0; i < NODES; i++)
        (void)world_add(world, &(struct node_plan){ .seeds = { seed->url } });
    world_start_all(world);
    world_run(world, 600000);
    for (size_t i = 1; i <= NODES; i++)
        assert_int_equal(hypha_p2p_peers_count(world->nodes[i].p2p), 16);
    return seed;
}

/* The places of a small network are taken twice by the same nodes. Late newcomers, whom nobody can
 * dial, find theirs; old peers lose second channels only. */
static void late_newcomers_find_a_place(void **unused)
{
    struct world *world = world_create(31);
    struct node *seed = make_full(world), *late[3];

    (void)unused;
    assert_int_equal(sum(world, HYPHA_EVENT_EVICTED), 0);
    for (size_t i = 0; i < 3; i++) {
        late[i] = world_add(world, &(struct node_plan){ .seeds = { seed->url }, .inbound = "" });
        node_start(late[i]);
    }
    world_run(world, 30000);
    for (size_t i = 0; i < 3; i++)
        assert_true(hypha_p2p_peers_count(late[i]->p2p) >= 3);
    world_run(world, 1800000);
    for (size_t i = 0; i < 3; i++)
        assert_true(hypha_p2p_peers_count(late[i]->p2p) >= 6);
    for (size_t i = 1; i <= NODES; i++) {
        assert_true(hypha_p2p_peers_count(world->nodes[i].p2p) >= 8);
        assert_true(hypha_p2p_peers_count(world->nodes[i].p2p) <= 16);
    }
    world_stop_all(world);
    world_destroy(world);
}

/* Half an hour in which nobody comes: nobody goes. */
static void a_full_network_is_at_rest(void **unused)
{
    struct world *world = world_create(32);

    (void)unused;
    (void)make_full(world);
    size_t before = sum(world, HYPHA_EVENT_CHANNEL_REGISTERED);
    world_run(world, 1800000);
    assert_int_equal(sum(world, HYPHA_EVENT_EVICTED), 0);
    assert_true(sum(world, HYPHA_EVENT_CHANNEL_REGISTERED) - before <= 10 * 1800 / 15);
    world_stop_all(world);
    world_destroy(world);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(late_newcomers_find_a_place),
        cmocka_unit_test(a_full_network_is_at_rest),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
