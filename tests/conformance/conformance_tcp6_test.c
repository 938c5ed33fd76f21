/* tests/conformance/conformance_tcp6_test.c - the suite for TCP over IPv6. */
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
    .name = "TCP over IPv6",
    .listen_url = "tcp://[::1]:0",
    .name_url = NULL,
    .open = open_world,
    .close = close_world,
    .kernel = true,
};

int main(void)
{
    return suite_run(&factory);
}
