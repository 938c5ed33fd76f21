/* tests/conformance/conformance_tcp_test.c - the suite for TCP over IPv4. */
#include "conformance/suite.h"

static void open_world(struct world *world)
{
    assert_int_equal(hypha_loop_create(&world->loop), HYPHA_OK);
    assert_int_equal(hy_transport_tcp_create(world->loop, NULL, NULL, &world->transport), HYPHA_OK);
}

static void close_world(struct world *world)
{
    hy_transport_destroy(world->transport);
    hypha_loop_destroy(world->loop);
}

static const struct factory factory = {
    .name = "TCP over IPv4",
    .listen_url = "tcp://127.0.0.1:0",
    .name_url = "tcp://localhost:0",
    .open = open_world,
    .close = close_world,
    .kernel = true,
};

int main(void)
{
    return suite_run(&factory);
}
