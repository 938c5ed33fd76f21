/* tests/conformance/conformance_sim_test.c - the suite for the simulated transport: what the
 * simulations show is worth as much as their wires are like real ones. */
#include "conformance/suite.h"

#include "sim/sim.h"

static void open_world(struct world *world)
{
    struct hy_sim *sim = NULL;

    assert_int_equal(hy_sim_create(1, &sim), HYPHA_OK);
    world->extra = sim;
    world->loop = hy_sim_loop(sim);
    assert_int_equal(hy_sim_add_name(sim, "localhost", "127.0.0.1"), HYPHA_OK);
    assert_int_equal(hy_sim_transport_create(sim, "tcp", "10.0.0.1", &world->transport), HYPHA_OK);
}

static void close_world(struct world *world)
{
    assert_int_equal(hy_sim_stream_count(world->extra), 0);
    assert_int_equal(hy_sim_listener_count(world->extra), 0);
    hy_transport_destroy(world->transport);
    hy_sim_destroy(world->extra);
}

static const struct factory factory = {
    .name = "simulated",
    .listen_url = "tcp://127.0.0.1:0",
    .name_url = "tcp://localhost:0",
    .open = open_world,
    .close = close_world,
};

int main(void)
{
    return suite_run(&factory);
}
