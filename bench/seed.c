/* seed.c - ten nodes that know only a seed: how long until each has eight peers. */
#include "bench.h"

#define NODES 10
#define PEERS 8

struct crowd {
    struct hypha_loop *loop;
    struct hypha_p2p *nodes[NODES];
    double start;
    double ready[NODES]; /* seconds; 0: not yet */
    size_t done;
};

static void look(struct crowd *crowd)
{
    for (size_t i = 0; i < NODES; i++) {
        if (crowd->ready[i] > 0 || hypha_p2p_peers_count(crowd->nodes[i]) < PEERS)
            continue;
        crowd->ready[i] = bench_now() - crowd->start;
        if (++crowd->done == NODES)
            hypha_loop_stop(crowd->loop);
    }
}

static void on_event(const struct hypha_event *event, void *user)
{
    if (event->type == HYPHA_EVENT_CHANNEL_REGISTERED)
        look(user);
}

static struct hypha_p2p *start_node(struct crowd *crowd, const char *transport, uint16_t seed)
{
    struct hypha_settings *settings = bench_settings(transport);

    bench_number(settings, HYPHA_KEY_OUTBOUND_CONNECTIONS, PEERS);
    bench_number(settings, HYPHA_KEY_INBOUND_CONNECTIONS, 2 * NODES);
    bench_add_url(settings, HYPHA_LIST_INBOUND, "%s://127.0.0.1:0", transport);
    bench_add_url(settings, HYPHA_LIST_EXTERNAL_ADDRS, "%s://127.0.0.1:0", transport);
    bench_add_url(settings, HYPHA_LIST_SEEDS, "%s://127.0.0.1:%u", transport, (unsigned)seed);
    return bench_start(crowd->loop, settings, NULL, NULL);
}

static void measure(struct bench *bench, const char *transport)
{
    struct crowd crowd = { .loop = bench_loop() };
    struct hypha_p2p *all[NODES + 1];
    uint16_t port;
    double last = 0;

    all[NODES] = bench_serve_seed(crowd.loop, transport, &port);
    crowd.start = bench_now();
    for (size_t i = 0; i < NODES; i++) {
        crowd.nodes[i] = all[i] = start_node(&crowd, transport, port);
        if (hypha_p2p_subscribe_events(crowd.nodes[i], on_event, &crowd) != HYPHA_OK)
            bench_die("events");
    }
    if (hypha_loop_run(crowd.loop) != HYPHA_OK)
        bench_die("loop");
    for (size_t i = 0; i < NODES; i++)
        last = crowd.ready[i] > last ? crowd.ready[i] : last;
    bench_add(bench, "10 nodes, 1 seed: 8 peers each", transport, "s", last, 0, true, "<= 1 s");
    for (size_t i = 0; i < NODES; i++)
        hypha_p2p_unsubscribe_events(crowd.nodes[i], on_event, &crowd);
    bench_stop(crowd.loop, all, NODES + 1);
    hypha_loop_destroy(crowd.loop);
}

void bench_seed(struct bench *bench)
{
    measure(bench, "tcp");
    measure(bench, "tcp+tls");
}
