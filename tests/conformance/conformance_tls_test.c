/* tests/conformance/conformance_tls_test.c - the suite for TLS over TCP. */
#include "conformance/suite.h"

static void open_world(struct world *world)
{
    assert_int_equal(hypha_loop_create(&world->loop), HYPHA_OK);
    assert_int_equal(hy_transport_tls_create(world->loop, NULL, NULL, &world->transport), HYPHA_OK);
}

static void close_world(struct world *world)
{
    hy_transport_destroy(world->transport);
    hypha_loop_destroy(world->loop);
}

static const struct factory factory = {
    .name = "TLS over TCP",
    .listen_url = "tcp+tls://127.0.0.1:0",
    .name_url = "tcp+tls://localhost:0",
    .open = open_world,
    .close = close_world,
    .kernel = true,
    .tls = true,
};

int main(void)
{
    return suite_run(&factory);
}
