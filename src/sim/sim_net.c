/* sim/sim_net.c - who is on the simulated network, what lies between them, and what is seen. */
#include "sim/sim_internal.h"

#include "base/alloc.h"
#include "base/span.h"

#include <string.h>

#define FIRST_PORT    32768U
#define LAST_PORT     65535U
#define HASH_START    UINT64_C(0xcbf29ce484222325)
#define HASH_PRIME    UINT64_C(0x9e3779b97f4a7c15)
#define BACKLOG_PEERS 1024U /* spec: transports.md#2-tcp */

const struct hy_sim_link hy_sim_link_default = {
    .latency_min_ms = 20,
    .latency_max_ms = 80,
    .jitter_ms = 5,
    .buffer_bytes = 256 * 1024,
    .cut_percent = 25,
};

/* Two addresses in the order of their bytes. */
struct pair_key {
    struct hy_ip ips[2];
};

struct hy_sim_pair {
    struct pair_key key;
    struct hy_sim_link link;
    UT_hash_handle hh;
};

void hy_sim_net_init(struct hy_sim *sim)
{
    LIST_INIT(&sim->wires);
    LIST_INIT(&sim->listeners);
    sim->link = hy_sim_link_default;
    sim->backlog_max = BACKLOG_PEERS;
    sim->hash = HASH_START;
}

void hy_sim_net_fini(struct hy_sim *sim)
{
    struct hy_sim_node *node;
    struct hy_sim_node *next_node;
    struct hy_sim_pair *pair;
    struct hy_sim_pair *next_pair;

    while (!LIST_EMPTY(&sim->wires))
        hy_sim_wire_destroy(LIST_FIRST(&sim->wires));
    while (!LIST_EMPTY(&sim->listeners))
        hy_sim_listener_destroy(LIST_FIRST(&sim->listeners));
    HASH_ITER (hh, sim->nodes, node, next_node) {
        HASH_DEL(sim->nodes, node);
        hy_free(node);
    }
    HASH_ITER (hh, sim->pairs, pair, next_pair) {
        HASH_DEL(sim->pairs, pair);
        hy_free(pair);
    }
}

/* ---- hosts ---- */

bool hy_sim_parse_ip(const char *text, struct hy_ip *ret_ip)
{
    struct hy_endpoint endpoint;

    if (!hy_endpoint_of_literal(text, 0, &endpoint))
        return false;
    /* A key is compared whole. */
    memset(ret_ip, 0, sizeof *ret_ip);
    ret_ip->len = endpoint.ip.len;
    memcpy(ret_ip->bytes, endpoint.ip.bytes, endpoint.ip.len);
    return true;
}

struct hy_sim_node *hy_sim_node_find(struct hy_sim *sim, const struct hy_ip *ip)
{
    struct hy_sim_node *node;

    HASH_FIND(hh, sim->nodes, ip, sizeof *ip, node);
    return node;
}

struct hy_sim_node *hy_sim_node(struct hy_sim *sim, const struct hy_ip *ip)
{
    struct hy_sim_node *node = hy_sim_node_find(sim, ip);

    if (node != NULL)
        return node;
    node = hy_alloc(sizeof *node);
    if (node == NULL)
        return NULL;
    node->ip = *ip;
    node->last_port = LAST_PORT;
    LIST_INIT(&node->listeners);
    if (sim->group != NULL)
        node->group = sim->group(sim->group_user, ip);
    HASH_ADD(hh, sim->nodes, ip, sizeof node->ip, node);
    if (node->hh.tbl == NULL) {
        hy_free(node);
        return NULL;
    }
    return node;
}

bool hy_sim_node_has_port(const struct hy_sim_node *node, uint16_t port)
{
    const struct hy_sim_listener *listener;

    LIST_FOREACH (listener, &node->listeners, node_entry) {
        if (listener->port == port)
            return true;
    }
    return false;
}

uint16_t hy_sim_node_port(struct hy_sim_node *node)
{
    for (uint32_t tries = FIRST_PORT; tries <= LAST_PORT; tries++) {
        node->last_port = node->last_port == LAST_PORT ? FIRST_PORT
                                                       : (uint16_t)(node->last_port + 1U);
        if (!hy_sim_node_has_port(node, node->last_port))
            return node->last_port;
    }
    return 0;
}

bool hy_sim_reaches(const struct hy_sim_node *a, const struct hy_sim_node *b)
{
    return a == b ||
        (a->group == b->group && a->state != HY_SIM_HOST_BLACKHOLE &&
            b->state != HY_SIM_HOST_BLACKHOLE);
}

static enum hypha_err node_of_text(
    struct hy_sim *sim, const char *text, struct hy_sim_node **ret_node)
{
    struct hy_ip ip;

    if (!hy_sim_parse_ip(text, &ip))
        return HYPHA_ERR_INVALID;
    *ret_node = hy_sim_node(sim, &ip);
    return *ret_node != NULL ? HYPHA_OK : HYPHA_ERR_NOMEM;
}

/* NULL: all with node a. Returns how many wires were reset. */
static size_t reset_wires(
    struct hy_sim *sim, const struct hy_sim_node *a, const struct hy_sim_node *b)
{
    struct hy_sim_wire *wire = LIST_FIRST(&sim->wires);
    size_t count = 0;

    while (wire != NULL) {
        struct hy_sim_wire *next = LIST_NEXT(wire, entry);
        const struct hy_sim_node *x = wire->nodes[0];
        const struct hy_sim_node *y = wire->nodes[1];

        if (wire->established && !wire->dead &&
            ((x == a && (b == NULL || y == b)) || (y == a && (b == NULL || x == b)))) {
            hy_sim_wire_reset(wire);
            count++;
        }
        wire = next;
    }
    return count;
}

enum hypha_err hy_sim_set_host(struct hy_sim *sim, const char *ip, enum hy_sim_host state)
{
    struct hy_sim_node *node = NULL;
    enum hypha_err err = node_of_text(sim, ip, &node);

    if (err != HYPHA_OK)
        return err;
    node->state = state;
    if (state == HY_SIM_HOST_DOWN)
        (void)reset_wires(sim, node, NULL);
    return HYPHA_OK;
}

size_t hy_sim_cut(struct hy_sim *sim, const char *ip_a, const char *ip_b)
{
    struct hy_sim_node *a = NULL;
    struct hy_sim_node *b = NULL;

    if (node_of_text(sim, ip_a, &a) != HYPHA_OK || node_of_text(sim, ip_b, &b) != HYPHA_OK)
        return 0;
    return reset_wires(sim, a, b);
}

void hy_sim_partition(struct hy_sim *sim, hy_sim_group_cb group, void *user)
{
    struct hy_sim_node *node;
    struct hy_sim_node *next;

    sim->group = group;
    sim->group_user = user;
    HASH_ITER (hh, sim->nodes, node, next) {
        node->group = group != NULL ? group(user, &node->ip) : 0;
    }
}

enum hypha_err hy_sim_set_group(struct hy_sim *sim, const char *ip, int group)
{
    struct hy_sim_node *node = NULL;
    enum hypha_err err = node_of_text(sim, ip, &node);

    if (err == HYPHA_OK)
        node->group = group;
    return err;
}

void hy_sim_heal(struct hy_sim *sim)
{
    hy_sim_partition(sim, NULL, NULL);
}

/* ---- links ---- */

static struct pair_key pair_of(const struct hy_ip *a, const struct hy_ip *b)
{
    bool in_order = memcmp(a, b, sizeof *a) <= 0;

    return (struct pair_key){ { in_order ? *a : *b, in_order ? *b : *a } };
}

void hy_sim_set_links(struct hy_sim *sim, const struct hy_sim_link *link)
{
    sim->link = *link;
}

void hy_sim_set_backlog(struct hy_sim *sim, size_t max_peers)
{
    sim->backlog_max = max_peers;
}

enum hypha_err hy_sim_set_link(
    struct hy_sim *sim, const char *ip_a, const char *ip_b, const struct hy_sim_link *link)
{
    struct hy_ip a;
    struct hy_ip b;
    struct hy_sim_pair *pair;

    if (!hy_sim_parse_ip(ip_a, &a) || !hy_sim_parse_ip(ip_b, &b))
        return HYPHA_ERR_INVALID;
    struct pair_key key = pair_of(&a, &b);
    HASH_FIND(hh, sim->pairs, &key, sizeof key, pair);
    if (pair == NULL) {
        pair = hy_alloc(sizeof *pair);
        if (pair == NULL)
            return HYPHA_ERR_NOMEM;
        pair->key = key;
        HASH_ADD(hh, sim->pairs, key, sizeof pair->key, pair);
        if (pair->hh.tbl == NULL) {
            hy_free(pair);
            return HYPHA_ERR_NOMEM;
        }
    }
    pair->link = *link;
    return HYPHA_OK;
}

const struct hy_sim_link *hy_sim_link_between(
    struct hy_sim *sim, const struct hy_ip *a, const struct hy_ip *b)
{
    struct pair_key key = pair_of(a, b);
    const struct hy_sim_pair *pair;

    HASH_FIND(hh, sim->pairs, &key, sizeof key, pair);
    return pair != NULL ? &pair->link : &sim->link;
}

/* ---- looking on ---- */

/* Eight bytes at a step, for every byte of a run goes through here. */
static uint64_t hash_bytes(uint64_t hash, const void *bytes, size_t len)
{
    const uint8_t *at = bytes;

    while (len > 0) {
        uint64_t word = 0;
        size_t n = len < sizeof word ? len : sizeof word;

        memcpy(&word, at, n);
        hash = (hash ^ word) * HASH_PRIME;
        hash ^= hash >> 32;
        at += n;
        len -= n;
    }
    return hash;
}

void hy_sim_tell(const struct hy_sim_end *end, enum hy_sim_event_kind kind, struct hypha_span bytes,
    enum hypha_err why)
{
    const struct hy_sim_wire *wire = end->wire;
    struct hy_sim *sim = wire->sim;
    struct hy_sim_event event = {
        .at_ms = sim->base.now_ms,
        .kind = kind,
        .wire = wire->id,
        .dialer = end == &wire->ends[0],
        .ips = { wire->nodes[0]->ip, wire->target },
        .ports = { wire->ports[0], wire->ports[1] },
        .bytes = bytes,
        .why = why,
    };
    const uint64_t facts[] = { event.at_ms, (uint64_t)kind, event.wire, event.dialer,
        event.ports[0], event.ports[1], bytes.len, (uint64_t)(int64_t)why };

    sim->hash = hash_bytes(sim->hash, facts, sizeof facts);
    sim->hash = hash_bytes(sim->hash, event.ips, sizeof event.ips);
    sim->hash = hash_bytes(sim->hash, bytes.at, bytes.len);
    sim->bytes_delivered += bytes.len;
    if (sim->trace != NULL)
        sim->trace(sim->trace_user, &event);
}

void hy_sim_set_trace(struct hy_sim *sim, hy_sim_trace_cb cb, void *user)
{
    sim->trace = cb;
    sim->trace_user = user;
}

uint64_t hy_sim_trace_hash(const struct hy_sim *sim)
{
    return sim->hash;
}

size_t hy_sim_stream_count(const struct hy_sim *sim)
{
    return sim->stream_count;
}

size_t hy_sim_listener_count(const struct hy_sim *sim)
{
    return sim->listener_count;
}

uint64_t hy_sim_bytes_delivered(const struct hy_sim *sim)
{
    return sim->bytes_delivered;
}
