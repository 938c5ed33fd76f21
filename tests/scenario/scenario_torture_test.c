/* scenario_torture_test.c - a node whose nth allocation, and every one after it, fails: at its
 * creation, at its start, while it runs. It may refuse, it may lose peers; it does not crash,
 * leak or hang, and it always stops. */
#include "base/alloc.h"
#include "scenario/world.h"

#include <setjmp.h>
#include <stdarg.h>
#include <cmocka.h>

static bool runs(void *user)
{
    const struct node *node = user;

    return hy_p2p_state(node->p2p) != HY_P2P_STOPPED;
}

static void stop_all_with_memory(struct world *world)
{
    hy_alloc_fail_after(SIZE_MAX);
    world_stop_all(world);
    world_destroy(world);
}

/* Returns true if the allocation that was to fail was reached. */
static bool start_without(size_t allocations)
{
    struct world *world = world_create(21);
    struct node *seed = world_add(world, &(struct node_plan){ .seed = true });
    struct node *peer = world_add(world, &(struct node_plan){ .seeds = { seed->url } });
    struct node *subject = world_add(
        world, &(struct node_plan){ .seeds = { seed->url }, .peers = { peer->url } });

    node_start(seed);
    node_start(peer);
    world_run(world, 2000);

    hy_alloc_fail_after(allocations);
    enum hypha_err err = hypha_p2p_start(subject->p2p, NULL, NULL, NULL);
    assert_true(err == HYPHA_OK || err == HYPHA_ERR_NOMEM);
    bool reached = err != HYPHA_OK || hy_alloc_count() > allocations;
    hy_alloc_fail_after(SIZE_MAX);
    if (err == HYPHA_OK) {
        hypha_p2p_stop(subject->p2p);
        assert_true(hy_sim_run_while(world->sim, runs, subject, 10000));
    }
    stop_all_with_memory(world);
    return reached;
}

static void every_allocation_of_a_start(void **unused)
{
    size_t n = 0;

    (void)unused;
    while (start_without(n))
        n++;
    assert_true(n > 10);
    print_message("a start makes %zu allocations\n", n);
}

/* All memory is gone for a while in the middle of a life; afterwards the network recovers. */
static void a_while_without_memory(void **unused)
{
    (void)unused;
    for (size_t n = 0; n < 200; n += n < 40 ? 1 : 13) {
        struct world *world = world_create(300 + n);
        struct node *seed = world_add(world, &(struct node_plan){ .seed = true });

        for (size_t i = 0; i < 3; i++)
            (void)world_add(world, &(struct node_plan){ .seeds = { seed->url } });
        world_start_all(world);
        world_run(world, 50 + 5 * n);
        hy_alloc_fail_after(n);
        world_run(world, 300);
        hy_alloc_fail_after(SIZE_MAX);
        world_run(world, 1000);
        stop_all_with_memory(world);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_allocation_of_a_start),
        cmocka_unit_test(a_while_without_memory),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
