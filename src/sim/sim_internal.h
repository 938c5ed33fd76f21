/* sim/sim_internal.h - the inside of the simulated loop and network, shared by the files of
 * this room: sim_loop.c (time, chance, names), sim_net.c (hosts, links, trace), sim_wire.c
 * (streams), sim_transport.c (dialling and listening). */
#ifndef HY_SIM_SIM_INTERNAL_H
#define HY_SIM_SIM_INTERNAL_H

#include "base/map.h"
#include "loop/posts.h"
#include "sim/sim.h"

/* A packet that can't get through is sent again after so long. */
#define HY_SIM_RETRY_MS 1000U

/* ---- chance: xoshiro256** ---- */

struct hy_sim_rng {
    uint64_t s[4];
};
uint64_t hy_sim_mix(uint64_t *state); /* splitmix64 */
void hy_sim_rng_seed(struct hy_sim_rng *rng, uint64_t seed);
uint64_t hy_sim_rng_u64(struct hy_sim_rng *rng);
uint64_t hy_sim_rng_below(struct hy_sim_rng *rng, uint64_t bound); /* 0 gives 0 */

/* ---- hosts ---- */

LIST_HEAD(hy_sim_listener_list, hy_sim_listener);

struct hy_sim_node {
    struct hy_ip ip; /* key */
    enum hy_sim_host state;
    int group;
    uint16_t last_port; /* the ephemeral one given out last */
    struct hy_sim_listener_list listeners;
    UT_hash_handle hh;
};

/* Find or make; NULL: no memory. */
struct hy_sim_node *hy_sim_node(struct hy_sim *sim, const struct hy_ip *ip);
struct hy_sim_node *hy_sim_node_find(struct hy_sim *sim, const struct hy_ip *ip);
/* Any two listeners of one host and port are in each other's way: a host has one address. */
bool hy_sim_node_has_port(const struct hy_sim_node *node, uint16_t port);
/* A free port above 32767; 0: none is left. */
uint16_t hy_sim_node_port(struct hy_sim_node *node);
/* A packet from one to the other comes through. */
bool hy_sim_reaches(const struct hy_sim_node *a, const struct hy_sim_node *b);

/* ---- wires ---- */

/* One end of a wire.
 *
 *   state       event                              next
 *   ABSENT      the other end's SYN is accepted    BACKLOG
 *   BACKLOG     accepted                           OPENING (on_ready in the next turn)
 *   BACKLOG     reset, listener closed             GONE
 *   CONNECTING  looked up, SYN answered            OPENING
 *   CONNECTING  refused by all addresses           ENDED   (on_end)
 *   OPENING     the answer arrives                 READY   (on_ready)
 *   READY       FIN, reset                         ENDED   (on_end)
 *   any owned   close                              GONE    (both ends: the wire is freed)
 */
enum hy_sim_end_state {
    HY_SIM_END_ABSENT,
    HY_SIM_END_BACKLOG,
    HY_SIM_END_CONNECTING,
    HY_SIM_END_OPENING,
    HY_SIM_END_READY,
    HY_SIM_END_ENDED,
    HY_SIM_END_GONE,
};

struct hy_sim_segment {
    uint64_t due_ms;
    size_t len;
    size_t read;
    STAILQ_ENTRY(hy_sim_segment) entry;
    uint8_t bytes[];
};
STAILQ_HEAD(hy_sim_segments, hy_sim_segment);

struct hy_sim_end {
    struct hy_stream base; /* first */
    struct hy_sim_wire *wire;
    enum hy_sim_end_state state;
    bool reading;
    bool blocked;            /* a write was short: on_writable is owed */
    struct hy_timer step;    /* CONNECTING: the SYN; OPENING: on_ready; READY: on_writable */
    struct hy_timer deliver; /* the first of `incoming`, or the FIN, arrives */
    struct hy_timer fail;    /* on_end(why) */
    enum hypha_err why;

    struct hy_sim_segments incoming;
    size_t incoming_bytes;
    uint64_t last_due_ms;  /* nothing overtakes */
    uint64_t link_busy_us; /* bandwidth: the incoming direction carries bytes until then */
    bool fin;
    uint64_t fin_due_ms;
};

/* What only a dial needs; NULL once it is answered. */
struct hy_sim_dial {
    struct hypha_url *url;
    struct hy_resolve *resolve;
    struct hy_ip ips[HY_RESOLVE_MAX_ENDPOINTS];
    size_t count;
    size_t next;
};

struct hy_sim_wire {
    struct hy_sim *sim;
    uint64_t id;
    struct hy_sim_end ends[2]; /* dialer, target */
    struct hy_sim_node *nodes[2];
    struct hy_ip target; /* as dialled, loopback replaced */
    uint16_t ports[2];
    struct hy_sim_link link;
    uint32_t latency_ms;
    struct hy_timer loss;
    struct hy_sim_dial *dial;
    bool established;                 /* a SYN was accepted, by a listener or a silent host */
    bool dead;                        /* reset: what is written vanishes */
    struct hy_sim_listener *listener; /* while in its backlog */
    TAILQ_ENTRY(hy_sim_wire) backlog_entry;
    LIST_ENTRY(hy_sim_wire) entry;
};
LIST_HEAD(hy_sim_wire_list, hy_sim_wire);
TAILQ_HEAD(hy_sim_backlog, hy_sim_wire);

/* A wire of which no end is there yet; its link is not chosen. NULL: no memory. */
struct hy_sim_wire *hy_sim_wire_create(struct hy_sim *sim, struct hy_sim_node *from);
void hy_sim_wire_destroy(struct hy_sim_wire *wire);
/* Draw latency and all for the way to `node`. */
void hy_sim_wire_aim(struct hy_sim_wire *wire, struct hy_sim_node *node);
void hy_sim_wire_reset(struct hy_sim_wire *wire);
/* on_end(why) after delay_ms; a sooner one stays. */
void hy_sim_end_fail(struct hy_sim_end *end, enum hypha_err why, uint64_t delay_ms);
/* The end has no owner any more; frees the wire with the last one. */
void hy_sim_end_gone(struct hy_sim_end *end);
/* sim_transport.c: the dialer's step timer ran out while CONNECTING. */
void hy_sim_syn_arrives(struct hy_sim_wire *wire);
void hy_sim_dial_destroy(struct hy_sim_wire *wire);

/* ---- listeners ---- */

struct hy_sim_listener {
    struct hy_listener base; /* first */
    struct hy_sim *sim;
    struct hy_sim_node *node;
    struct hy_ip ip; /* bound: own, unspecified or loopback */
    uint16_t port;   /* 0: not bound */
    bool paused;
    struct hy_timer accept;
    struct hy_sim_backlog backlog;
    size_t backlog_count;
    size_t backlog_max;

    /* Until `cb` is told. */
    struct hypha_url *wanted;
    struct hy_resolve *resolve;
    struct hy_timer answer;
    enum hypha_err err;
    hy_listen_cb cb;
    void *cb_user;

    LIST_ENTRY(hy_sim_listener) node_entry; /* bound ones, of their host */
    LIST_ENTRY(hy_sim_listener) entry;      /* all */
};

/* Take it out of the backlog it waits in. */
void hy_sim_backlog_remove(struct hy_sim_wire *wire);
void hy_sim_listener_destroy(struct hy_sim_listener *listener);

/* ---- all of it ---- */

struct hy_sim_lookup;
struct hy_sim_task;
struct hy_sim_name;
struct hy_sim_pair;
LIST_HEAD(hy_sim_lookup_list, hy_sim_lookup);
LIST_HEAD(hy_sim_task_list, hy_sim_task);

struct hy_sim {
    struct hypha_loop base;     /* first */
    struct hy_sim_rng node_rng; /* what nodes draw */
    struct hy_sim_rng net_rng;  /* what the network draws */
    uint64_t seed;
    bool running;
    bool stopped;
    bool woken;
    struct hy_posts posts;
    struct hy_sim_lookup_list lookups;
    struct hy_sim_task_list tasks;
    struct hy_sim_name *names;
    uint64_t resolve_ms;

    struct hy_sim_node *nodes;
    struct hy_sim_pair *pairs;
    struct hy_sim_link link;
    size_t backlog_max;
    hy_sim_group_cb group;
    void *group_user;
    struct hy_sim_wire_list wires;
    struct hy_sim_listener_list listeners;
    uint64_t wire_count;

    hy_sim_trace_cb trace;
    void *trace_user;
    uint64_t hash;
    uint64_t bytes_delivered;
    size_t stream_count;
    size_t listener_count;
};

static inline struct hy_sim *hy_sim_of(struct hypha_loop *loop)
{
    return (struct hy_sim *)(void *)loop;
}

void hy_sim_net_init(struct hy_sim *sim);
void hy_sim_net_fini(struct hy_sim *sim);
const struct hy_sim_link *hy_sim_link_between(
    struct hy_sim *sim, const struct hy_ip *a, const struct hy_ip *b);
bool hy_sim_parse_ip(const char *text, struct hy_ip *ret_ip);
void hy_sim_tell(const struct hy_sim_end *end, enum hy_sim_event_kind kind, struct hypha_span bytes,
    enum hypha_err why);

#endif
