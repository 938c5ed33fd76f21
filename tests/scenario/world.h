/* world.h - a simulated network of nodes, built in a few lines. */
#ifndef HY_TESTS_SCENARIO_WORLD_H
#define HY_TESTS_SCENARIO_WORLD_H

#include "p2p/p2p.h"
#include "scenario/chat.h"
#include "sim/sim.h"

#define WORLD_MAX_NODES 253
#define WORLD_PORT      9000

/* How a node is to be; zeroed: a listening chat node with the default slots. */
struct node_plan {
    const char *seeds[4];
    const char *peers[4];
    const char *inbound; /* NULL: its own address; "": none */
    const char *hostlist;
    bool seed;      /* a seed node: no slots, probes what is announced */
    int64_t slots;  /* 0: 8; below 0: none */
    int64_t places; /* inbound; 0: 8; below 0: none */
    bool quiet;     /* messages are no events: for long runs */
};

struct node {
    struct world *world;
    struct hypha_p2p *p2p;
    struct chat chat;
    char ip[32];
    char url[64];
    bool started, stopped;
    unsigned starts, stops;
    enum hypha_err why;
    size_t events[HYPHA_EVENTS];
};

struct world {
    struct hy_sim *sim;
    struct node nodes[WORLD_MAX_NODES];
    size_t count;
    uint64_t hash; /* of all nodes' events, in their order */
    bool loud;     /* print log lines */
};

/* Any failure in here fails the test. `seed` decides all chance. */
struct world *world_create(uint64_t seed);
/* All nodes must have stopped; asserts that nothing is left of them. */
void world_destroy(struct world *world);

struct node *world_add(struct world *world, const struct node_plan *plan);
/* Stopped, and made again by another plan, as a program that was started anew. */
void node_renew(struct node *node, const struct node_plan *plan);
/* The settings of such a plan, the caller's: for a reload. */
struct hypha_settings *node_settings(struct node *node, const struct node_plan *plan);
void node_start(struct node *node);
void node_stop(struct node *node);
/* Until it has stopped; asserts that this takes 10 s at most. */
void node_run_to_stop(struct node *node);
/* For hypha_p2p_subscribe_events(): stops the node inside one of its events. */
struct node_countdown {
    struct node *node;
    unsigned events; /* before that one */
};
void node_stop_at_zero(const struct hypha_event *event, void *user);
void world_start_all(struct world *world);
/* Stop all and run until they have; asserts that this takes 10 s at most. */
void world_stop_all(struct world *world);
void world_run(struct world *world, uint64_t ms);
/* Until every node that is no seed has so many peers. Asserts that it happens within ms. */
void world_run_until_peers(struct world *world, size_t peers, uint64_t ms);
/* The fewest peers that a node that is no seed has. */
size_t world_fewest_peers(const struct world *world);

#endif
