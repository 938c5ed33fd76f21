/* scenario_faults_test.c - seeds that die, networks that fall apart, hosts that are silent. */
#include "scenario/world.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>
#include <cmocka.h>

static void assert_ok(enum hypha_err err)
{
    assert_string_equal(hypha_err_name(err), "OK");
}

/* A seed that is down at first is asked again, with back-off. spec: network.md 7.5 */
static void seed_comes_up_later(void **unused)
{
    struct world *world = world_create(11);
    struct node *seed = world_add(world, &(struct node_plan){ .seed = true });
    struct node *nodes[4];

    (void)unused;
    for (size_t i = 0; i < 4; i++) {
        nodes[i] = world_add(world, &(struct node_plan){ .seeds = { seed->url } });
        node_start(nodes[i]);
    }
    world_run(world, 60000);
    for (size_t i = 0; i < 4; i++) {
        assert_int_equal(hypha_p2p_peers_count(nodes[i]->p2p), 0);
        /* 5, 10, 20, 40 s and a quarter more or less: far from every 5 s */
        assert_in_range(nodes[i]->events[HYPHA_EVENT_OUTBOUND_PEER_DISCOVERY], 4, 20);
    }
    node_start(seed);
    world_run_until_peers(world, 3, 120000);
    world_stop_all(world);
    world_destroy(world);
}

/* One seed of two is silent: it accepts and never answers. */
static void silent_seed_delays_nobody(void **unused)
{
    struct world *world = world_create(12);
    struct node *seed = world_add(world, &(struct node_plan){ .seed = true });

    (void)unused;
    assert_ok(hy_sim_set_host(world->sim, "44.200.0.1", HY_SIM_HOST_SILENT));
    for (size_t i = 0; i < 4; i++)
        (void)world_add(
            world, &(struct node_plan){ .seeds = { "tcp://44.200.0.1:9000", seed->url } });
    world_start_all(world);
    world_run_until_peers(world, 3, 3000);
    world_stop_all(world);
    world_destroy(world);
}

static int halves(void *user, const struct hy_ip *ip)
{
    (void)user;
    return ip->bytes[1] % 2;
}

/* Every other host is cut off; both halves live on, and find each other again. */
static void partition_and_heal(void **unused)
{
    struct world *world = world_create(13);
    struct node *seeds[2];

    (void)unused;
    for (size_t i = 0; i < 2; i++)
        seeds[i] = world_add(world, &(struct node_plan){ .seed = true });
    for (size_t i = 0; i < 8; i++)
        (void)world_add(
            world, &(struct node_plan){ .seeds = { seeds[0]->url, seeds[1]->url }, .places = 16 });
    world_start_all(world);
    world_run_until_peers(world, 6, 30000);

    hy_sim_partition(world->sim, halves, NULL);
    world_run(world, 5 * 60000);
    assert_true(world_fewest_peers(world) >= 1); /* of the own half */
    for (size_t i = 2; i < world->count; i++)
        assert_true(world->nodes[i].events[HYPHA_EVENT_OUTBOUND_SLOT_DISCONNECTED] > 0);

    hy_sim_heal(world->sim);
    world_run_until_peers(world, 6, 20 * 60000);
    world_stop_all(world);
    world_destroy(world);
}

/* A peer that vanishes is replaced and, once back, found again. */
static void lost_peers_are_replaced(void **unused)
{
    struct world *world = world_create(14);
    struct node *seed = world_add(world, &(struct node_plan){ .seed = true });
    struct node *nodes[6];

    (void)unused;
    for (size_t i = 0; i < 6; i++)
        nodes[i] = world_add(
            world, &(struct node_plan){ .seeds = { seed->url }, .slots = 2, .places = 16 });
    world_start_all(world);
    world_run_until_peers(world, 2, 10000);
    world_run(world, 60000);
    assert_ok(hy_sim_set_host(world->sim, nodes[0]->ip, HY_SIM_HOST_DOWN));
    world_run(world, 60000);
    for (size_t i = 1; i < 6; i++)
        assert_true(hypha_p2p_peers_count(nodes[i]->p2p) >= 2);
    assert_int_equal(hypha_p2p_peers_count(nodes[0]->p2p), 0);
    assert_ok(hy_sim_set_host(world->sim, nodes[0]->ip, HY_SIM_HOST_UP));
    world_run(world, 10 * 60000);
    assert_true(hypha_p2p_peers_count(nodes[0]->p2p) >= 1);
    world_stop_all(world);
    world_destroy(world);
}

/* An offline node forgets nobody: it suspends none, it refines none. spec: network.md 7.7 */
static void offline_node_keeps_its_list(void **unused)
{
    struct world *world = world_create(15);
    struct node *seed = world_add(world, &(struct node_plan){ .seed = true });
    struct node *nodes[4];

    (void)unused;
    for (size_t i = 0; i < 4; i++)
        nodes[i] = world_add(world, &(struct node_plan){ .seeds = { seed->url } });
    world_start_all(world);
    world_run(world, 60000);
    struct hy_hosts *hosts = nodes[0]->p2p->net.hosts;
    assert_int_equal(hy_hosts_count(hosts, HYPHA_COLOUR_GOLD), 3);
    assert_ok(hy_sim_set_host(world->sim, nodes[0]->ip, HY_SIM_HOST_DOWN));
    world_run(world, 30 * 60000);
    assert_int_equal(hypha_p2p_peers_count(nodes[0]->p2p), 0);
    assert_true(
        hy_hosts_count(hosts, HYPHA_COLOUR_GREY) + hy_hosts_count(hosts, HYPHA_COLOUR_WHITE) >= 1);
    assert_ok(hy_sim_set_host(world->sim, nodes[0]->ip, HY_SIM_HOST_UP));
    world_run(world, 10 * 60000);
    assert_true(hypha_p2p_peers_count(nodes[0]->p2p) >= 1);
    world_stop_all(world);
    world_destroy(world);
}

static void ignore_ready(struct hy_stream *stream, void *user)
{
    (void)stream;
    (void)user;
}

static void ignore_bytes(struct hy_stream *stream, struct hypha_span bytes, void *user)
{
    (void)stream;
    (void)bytes;
    (void)user;
}

static void ignore_end(struct hy_stream *stream, enum hypha_err why, void *user)
{
    (void)stream;
    (void)why;
    (void)user;
}

static const struct hy_stream_events deaf = {
    .on_ready = ignore_ready,
    .on_read = ignore_bytes,
    .on_writable = ignore_ready,
    .on_end = ignore_end,
};

/* Sockets that say nothing do not keep others out: they are pending, and the address that has
 * most of them gives way. spec: network.md 6.2 */
static void silent_sockets_keep_nobody_out(void **unused)
{
    struct world *world = world_create(16);
    struct node *hall = world_add(world, &(struct node_plan){ .slots = -1, .places = 4 });
    struct hy_transport *transport = NULL;
    struct hy_stream *streams[100] = { NULL };
    struct hypha_url *url = NULL;

    (void)unused;
    node_start(hall);
    world_run(world, 100);
    assert_ok(hy_sim_transport_create(world->sim, "tcp", "44.99.0.1", &transport));
    assert_ok(hypha_url_parse_text(hall->url, &url));
    for (size_t i = 0; i < 100; i++) {
        assert_ok(transport->ops->dial(transport, url, &streams[i]));
        hy_stream_set_events(streams[i], &deaf, NULL);
    }
    world_run(world, 1000);
    assert_int_equal(hy_session_inbound_pending(hall->p2p->inbound), 2); /* of one address */

    struct node *guest = world_add(
        world, &(struct node_plan){ .peers = { hall->url }, .inbound = "", .slots = -1 });
    node_start(guest);
    world_run(world, 1000);
    assert_int_equal(hypha_p2p_peers_count(hall->p2p), 1);
    world_run(world, 30000); /* the handshake's time is over for the rest */
    assert_int_equal(hy_session_inbound_pending(hall->p2p->inbound), 0);
    for (size_t i = 0; i < 100; i++)
        hy_stream_close(streams[i]);
    hypha_url_unref(url);
    world_stop_all(world);
    hy_transport_destroy(transport);
    world_destroy(world);
}

/* Grey hosts: who answers becomes white, who does not is forgotten. spec: network.md 7.7 */
static void the_refinery_judges(void **unused)
{
    char path[] = "/tmp/hypha-refinery-XXXXXX", book[sizeof path + 8];
    struct world *world = world_create(17);
    int fd = mkstemp(path);
    FILE *file = fd >= 0 ? fdopen(fd, "w") : NULL;

    (void)unused;
    assert_non_null(file);
    struct node *good = world_add(world, &(struct node_plan){ .slots = -1 });
    (void)fprintf(file, "grey\t%s\t1699999000\n", good->url);
    (void)fprintf(file, "grey\ttcp://44.150.0.1:1\t1699999000\n");
    (void)fclose(file);
    struct node *judge = world_add(
        world, &(struct node_plan){ .slots = -1, .inbound = "", .hostlist = path });
    world_start_all(world);
    world_run(world, 29000);
    struct hy_hosts *hosts = judge->p2p->net.hosts;
    assert_int_equal(hy_hosts_count(hosts, HYPHA_COLOUR_GREY), 0);
    assert_int_equal(hy_hosts_count(hosts, HYPHA_COLOUR_WHITE), 1);
    assert_int_equal(hypha_p2p_peers_count(judge->p2p), 0); /* a probe is no peer */
    world_stop_all(world);
    world_destroy(world);
    (void)unlink(path);
    (void)snprintf(book, sizeof book, "%s.book", path);
    (void)unlink(book);
}

/* Peers may come and go while the node runs. spec: network.md MUST 7.2-a */
static void manual_peers_come_and_go(void **unused)
{
    struct world *world = world_create(18);
    struct node *far = world_add(world, &(struct node_plan){ .slots = -1 });
    struct node *near = world_add(world, &(struct node_plan){ .slots = -1, .inbound = "" });
    struct hypha_url *url = NULL;

    (void)unused;
    assert_ok(hypha_url_parse_text(far->url, &url));
    world_start_all(world);
    world_run(world, 100);
    struct hy_session_manual *manual = near->p2p->manual;
    assert_int_equal(hy_session_manual_disconnect(manual, url), HYPHA_ERR_NOT_FOUND);
    assert_ok(hy_session_manual_connect(manual, url));
    assert_int_equal(hy_session_manual_connect(manual, url), HYPHA_ERR_EXISTS);
    world_run(world, 1000);
    assert_int_equal(hypha_p2p_peers_count(far->p2p), 1);
    assert_ok(hy_session_manual_disconnect(manual, url));
    assert_int_equal(hy_session_manual_count(manual), 0);
    world_run(world, 1000);
    assert_int_equal(hypha_p2p_peers_count(far->p2p), 0);
    /* Again, and away while it still dials; then away while it pauses. */
    assert_ok(hy_session_manual_connect(manual, url));
    assert_ok(hy_session_manual_disconnect(manual, url));
    world_run(world, 1000);
    node_stop(far);
    assert_ok(hy_session_manual_connect(manual, url));
    world_run(world, 1000);
    assert_ok(hy_session_manual_disconnect(manual, url));
    assert_int_equal(hy_hosts_busy_count(near->p2p->net.hosts), 0);
    hypha_url_unref(url);
    world_stop_all(world);
    world_destroy(world);
}

/* Whoever is stopped by the application is dialled again. */
static void stop_channel(struct hypha_channel *channel, void *user)
{
    (void)user;
    hypha_channel_stop(channel);
}

static void stopped_channels_are_replaced(void **unused)
{
    struct world *world = world_create(19);
    struct node *seed = world_add(world, &(struct node_plan){ .seed = true });

    (void)unused;
    for (size_t i = 0; i < 3; i++)
        (void)world_add(world, &(struct node_plan){ .seeds = { seed->url }, .slots = 2 });
    world_start_all(world);
    world_run_until_peers(world, 2, 10000);
    for (unsigned round = 0; round < 5; round++) {
        hypha_p2p_each_channel(world->nodes[1].p2p, stop_channel, NULL);
        world_run(world, 100);
        world_run_until_peers(world, 2, 60000);
    }
    world_stop_all(world);
    world_destroy(world);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(seed_comes_up_later),
        cmocka_unit_test(silent_seed_delays_nobody),
        cmocka_unit_test(partition_and_heal),
        cmocka_unit_test(lost_peers_are_replaced),
        cmocka_unit_test(offline_node_keeps_its_list),
        cmocka_unit_test(silent_sockets_keep_nobody_out),
        cmocka_unit_test(the_refinery_judges),
        cmocka_unit_test(manual_peers_come_and_go),
        cmocka_unit_test(stopped_channels_are_replaced),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
