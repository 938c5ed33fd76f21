/* sim/sim.h - a network of memory on a loop of virtual time, for tests.
 *
 * One struct hy_sim is a loop (hy_sim_loop()) and the network that all hosts on it share. The
 * same node code runs on it unchanged: time jumps from one timer to the next, chance comes from
 * a seed, and a run with the same seed does the same things in the same order, to the byte. A
 * day passes in seconds.
 *
 * A host is an IP address; it exists as soon as it is named. hy_sim_transport_create() makes
 * the transport by which one host dials and listens. Wires behave as TCP's: latency, bounded
 * buffers, bytes that arrive in other pieces than they were written in, EOF behind the last
 * byte, RESET for what is written to a peer that has closed. The scheme is a name only: no TLS
 * is spoken.
 *
 * Threads: one, also for hypha_loop_post() and hy_wake_send(). All functions here between turns or
 * from inside callbacks, but for hy_sim_run_*, hy_sim_create() and hy_sim_destroy(): never from
 * inside callbacks. */
#ifndef HY_SIM_SIM_H
#define HY_SIM_SIM_H

#include "base/ip.h"
#include "loop/loop.h"
#include "transport/transport.h"

struct hy_sim;

/* The loop's clocks at the start: hy_now_ms(), hy_wall_s(). */
#define HY_SIM_START_MS     1000U
#define HY_SIM_START_WALL_S 1700000000U

/* Errors: NOMEM. */
enum hypha_err hy_sim_create(uint64_t seed, struct hy_sim **ret_sim);
/* Streams and listeners that are still open are freed with it; transports are their creators'.
 * hypha_loop_destroy() of its loop does the same. NULL does nothing. */
void hy_sim_destroy(struct hy_sim *sim);
struct hypha_loop *hy_sim_loop(struct hy_sim *sim);

/* ---- time ---- */

/* hypha_loop_run() runs until nothing is left to happen. These leave the clock exactly at the
 * end, even if nothing happens up to it, unless hypha_loop_stop() ended them. */

/* Run all that is due up to hy_now_ms() == at_ms, and including that. */
void hy_sim_run_until(struct hy_sim *sim, uint64_t at_ms);
void hy_sim_run_for(struct hy_sim *sim, uint64_t ms);
/* Run turn by turn while wanted(user) is true, at most max_ms. True: it became false, and the
 * clock stands at that turn. False: it is still true after max_ms, or for ever: nothing is
 * left to happen (the clock is at the end all the same). */
bool hy_sim_run_while(struct hy_sim *sim, bool (*wanted)(void *user), void *user, uint64_t max_ms);

/* ---- hosts ---- */

/* The transport of the host `ip` (text) for one scheme; several may share a host, and its ports.
 * Listens on that address, the unspecified one of its family, and loopback; port 0 chooses one.
 * Loopback and unspecified addresses dialled are the host itself.
 * Errors: NOMEM, INVALID (not an IP). */
enum hypha_err hy_sim_transport_create(
    struct hy_sim *sim, const char *scheme, const char *ip, struct hy_transport **ret_transport);

enum hy_sim_host {
    HY_SIM_HOST_UP,
    HY_SIM_HOST_SILENT,    /* dials to any port of it connect, and nobody ever reads or answers */
    HY_SIM_HOST_DOWN,      /* its wires are reset, dials to it refused, its own unreachable */
    HY_SIM_HOST_BLACKHOLE, /* nothing comes through, both ways: all hangs, nothing is lost */
};
/* Errors: NOMEM, INVALID. */
enum hypha_err hy_sim_set_host(struct hy_sim *sim, const char *ip, enum hy_sim_host state);

/* A name for hy_resolve_start() and dials; again with another address: both, in this order.
 * At most HY_RESOLVE_MAX_ENDPOINTS. Errors: NOMEM, INVALID, LIMIT. */
enum hypha_err hy_sim_add_name(struct hy_sim *sim, const char *name, const char *ip);
/* How long a name takes (default 10 ms); literals take none. */
void hy_sim_set_resolve_ms(struct hy_sim *sim, uint64_t ms);

/* ---- links ---- */

struct hy_sim_link {
    uint32_t latency_min_ms; /* one way; a pair of hosts keeps what is drawn for it */
    uint32_t latency_max_ms;
    uint32_t jitter_ms;   /* up to so much more for each write; order is kept */
    uint64_t bandwidth;   /* bytes per second and direction; 0: unlimited */
    size_t buffer_bytes;  /* written and not yet read, per direction: then write() takes less */
    unsigned cut_percent; /* how many reads stop at a random place; 0: bytes come as they are due */
    uint32_t loss_ppm;    /* chance, in millionths, that a wire is reset, per minute */
};
/* 20 to 80 ms, 5 ms of jitter, unlimited, 256 KiB, 25 %, no loss. */
extern const struct hy_sim_link hy_sim_link_default;

/* For wires dialled from now on. Same host: no latency, no jitter, no loss. */
void hy_sim_set_links(struct hy_sim *sim, const struct hy_sim_link *link);
/* Between two hosts only, both directions. Errors: NOMEM, INVALID. */
enum hypha_err hy_sim_set_link(
    struct hy_sim *sim, const char *ip_a, const char *ip_b, const struct hy_sim_link *link);
/* Peers that wait unaccepted at a listener made from now on; further ones retry each second. */
void hy_sim_set_backlog(struct hy_sim *sim, size_t max_peers);

/* Reset every live wire between two hosts now: both ends see RESET. Returns how many. */
size_t hy_sim_cut(struct hy_sim *sim, const char *ip_a, const char *ip_b);

/* Hosts of different groups do not reach each other: dials hang, bytes wait (resent each
 * second). Asked once for each host, also for those that appear later. */
typedef int (*hy_sim_group_cb)(void *user, const struct hy_ip *ip);
void hy_sim_partition(struct hy_sim *sim, hy_sim_group_cb group, void *user);
/* One host's group; 0 is where all start. Errors: NOMEM, INVALID. */
enum hypha_err hy_sim_set_group(struct hy_sim *sim, const char *ip, int group);
/* All in group 0 again. */
void hy_sim_heal(struct hy_sim *sim);

/* ---- looking on ---- */

enum hy_sim_event_kind {
    HY_SIM_DIAL,   /* begun */
    HY_SIM_ACCEPT, /* handed to the listener's owner */
    HY_SIM_READY,  /* told to one end */
    HY_SIM_BYTES,  /* told to one end */
    HY_SIM_END,    /* told to one end */
    HY_SIM_CLOSE,  /* by one end's owner */
};
struct hy_sim_event {
    uint64_t at_ms;
    enum hy_sim_event_kind kind;
    uint64_t wire;       /* 1, 2, 3 ... in the order of dialling */
    bool dialer;         /* which end it is about */
    struct hy_ip ips[2]; /* dialer's, target's (none while a name is looked up) */
    uint16_t ports[2];
    struct hypha_span bytes; /* BYTES */
    enum hypha_err why;      /* END */
};
typedef void (*hy_sim_trace_cb)(void *user, const struct hy_sim_event *event);
/* Called for each event; it may not change anything. NULL ends it. */
void hy_sim_set_trace(struct hy_sim *sim, hy_sim_trace_cb cb, void *user);
/* A hash over all events so far, contents of BYTES too: two equal runs have equal ones. */
uint64_t hy_sim_trace_hash(const struct hy_sim *sim);

/* Streams that some owner has not closed; listeners. Zero after a clean stop. */
size_t hy_sim_stream_count(const struct hy_sim *sim);
size_t hy_sim_listener_count(const struct hy_sim *sim);
/* All bytes told by BYTES. */
uint64_t hy_sim_bytes_delivered(const struct hy_sim *sim);

#endif
