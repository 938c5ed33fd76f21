/* bench.h - what the measurements share.
 *
 * Every measurement moves its bytes twice in the same run: through two nodes, and through a
 * bare TCP socket between the same two processes. The ratio of the two is what holds from
 * machine to machine. The peer is always a child process, so both cores work. */
#ifndef BENCH_H
#define BENCH_H

#include <hypha/hypha.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdnoreturn.h>
#include <sys/types.h>

#define BENCH_MAX_RESULTS 64

/* One row of the table. */
struct bench_result {
    char name[64];
    char transport[16];
    char unit[24];
    double value;
    double bare; /* the same by a bare socket; 0: has no counterpart */
    bool less_is_better;
    char target[48]; /* for people, "" if none */
};

struct bench {
    struct bench_result results[BENCH_MAX_RESULTS];
    size_t count;
    bool quick; /* a tenth of the work: to see that it runs */
};

void bench_add(struct bench *bench, const char *name, const char *transport, const char *unit,
    double value, double bare, bool less_is_better, const char *target);

/* The measurements, a file each. */
void bench_throughput(struct bench *bench);
void bench_latency(struct bench *bench);
void bench_channels(struct bench *bench);
void bench_broadcast(struct bench *bench);
void bench_seed(struct bench *bench);

/* ---- process.c ---- */

/* Seconds, monotonic. */
double bench_now(void);
noreturn void bench_die(const char *format, ...) HYPHA_PRINTF(1, 2);

/* A child and a pipe each way. In the child bench_fork() returns true. */
struct bench_child {
    pid_t pid;
    int from, to;
};
bool bench_fork(struct bench_child *child);
void bench_tell(int to, const void *bytes, size_t len);
void bench_hear(int from, void *bytes, size_t len);
/* Wait for the child's end; dies unless it ended with 0. */
void bench_join(struct bench_child *child);
/* End the child at once and wait for it. */
void bench_kill(struct bench_child *child);
/* A new loop, or death. */
struct hypha_loop *bench_loop(void);

/* ---- bare.c: sockets on loopback, blocking ---- */

int bench_listen(uint16_t *ret_port);
int bench_accept(int listener);
int bench_connect(uint16_t port);
void bench_write(int fd, const void *bytes, size_t len);
void bench_read(int fd, void *bytes, size_t len);
/* Move `total` bytes one way from a child in writes of 16 KiB; returns seconds. */
double bench_bare_one_way(uint64_t total);

/* ---- node.c: nodes on loopback ---- */

/* The message of all measurements: length-prefixed bytes. */
struct bench_message {
    struct hypha_span bytes;
};
extern const struct hypha_message_type bench_type;
/* Bytes on the wire of one with `len` bytes inside. */
size_t bench_frame_bytes(size_t len);

/* Settings of a node on loopback: localnet, one active profile, no slots. */
struct hypha_settings *bench_settings(const char *transport);
/* Add addresses, dying on error. */
void bench_add_url(struct hypha_settings *settings, enum hypha_url_list list, const char *format,
    ...) HYPHA_PRINTF(3, 4);
void bench_number(struct hypha_settings *settings, enum hypha_number_key key, int64_t value);
/* Create a node, register `protocol` if not NULL, start it. */
struct hypha_p2p *bench_start(struct hypha_loop *loop, struct hypha_settings *settings,
    const struct hypha_protocol *protocol, void *app);
/* Start a listening node and turn the loop until it is bound; ret_port: its port. */
struct hypha_p2p *bench_serve(struct hypha_loop *loop, const char *transport, int64_t inbound,
    const struct hypha_protocol *protocol, void *app, uint16_t *ret_port);
/* The same with a seed's settings: relaxed, announced addresses are probed at once. */
struct hypha_p2p *bench_serve_seed(
    struct hypha_loop *loop, const char *transport, uint16_t *ret_port);
/* Start a node with one manual peer. */
struct hypha_p2p *bench_dial(struct hypha_loop *loop, const char *transport, uint16_t port,
    const struct hypha_protocol *protocol, void *app);
/* Stop the nodes, turn the loop until all have stopped, destroy them. */
void bench_stop(struct hypha_loop *loop, struct hypha_p2p **nodes, size_t count);

#endif
