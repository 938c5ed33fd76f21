/* loop/loop.h - the seam between a node and the world: time, timers, deferred calls, polling,
 * name resolution, random bytes.
 *
 * Two loops exist: loop_uv.c (libuv) and sim/ (virtual time). A node sees only this header.
 *
 * A turn: due timers and the deferred calls they asked for; I/O; wakes and posts; deferred
 * calls, until none is left (a chain that never ends lets I/O through now and then). Timers
 * and deferred calls are embedded in their owner, allocate nothing, and are gone the moment
 * they are stopped. What keeps hypha_loop_run() turning: armed timers, deferred calls, posts,
 * polls, lookups, tasks; not wakes and signals.
 *
 * Threads: the loop's thread, but for hy_wake_send(). */
#ifndef HY_LOOP_LOOP_H
#define HY_LOOP_LOOP_H

#include "base/ip.h"
#include <hypha/loop.h>
#include <stdbool.h>
#include <stddef.h>
#include <sys/queue.h>

/* ---- clock and chance ---- */

/* Monotonic; stands still within a turn. */
uint64_t hy_now_ms(const struct hypha_loop *loop);
/* Monotonic, read afresh: for measuring round trips. */
uint64_t hy_now_us(const struct hypha_loop *loop);
/* UNIX time. */
uint64_t hy_wall_ns(const struct hypha_loop *loop);
uint64_t hy_wall_s(const struct hypha_loop *loop);

void hy_random(struct hypha_loop *loop, void *into, size_t len);
uint32_t hy_random_u32(struct hypha_loop *loop);
uint64_t hy_random_u64(struct hypha_loop *loop);
/* Uniform in 0 .. bound-1; bound 0 gives 0. */
uint64_t hy_random_below(struct hypha_loop *loop, uint64_t bound);
/* ms, moved by up to percent of it up or down: a jittered timer. */
uint64_t hy_random_jitter(struct hypha_loop *loop, uint64_t ms, unsigned percent);

/* ---- timers: one shot, embedded, stopped synchronously ---- */

struct hy_timer {
    struct hypha_loop *loop;
    void (*cb)(void *user);
    void *user;
    uint64_t due_ms;
    uint64_t order;                       /* equal due times run in the order of starting */
    struct hy_timer *child, *prev, *next; /* pairing heap */
    bool armed;
};

void hy_timer_init(struct hy_timer *timer, struct hypha_loop *loop, void (*cb)(void *), void *user);
/* (Re)arm to fire once, delay_ms from now; never from inside this call, even for 0. */
void hy_timer_start(struct hy_timer *timer, uint64_t delay_ms);
/* Not armed: nothing happens. Afterwards the callback will not run. */
void hy_timer_stop(struct hy_timer *timer);
bool hy_timer_is_armed(const struct hy_timer *timer);

/* ---- deferred calls: once, at the end of this turn ---- */

struct hy_defer {
    struct hypha_loop *loop;
    void (*cb)(void *user);
    void *user;
    TAILQ_ENTRY(hy_defer) entry;
    bool armed;
};

void hy_defer_init(struct hy_defer *defer, struct hypha_loop *loop, void (*cb)(void *), void *user);
/* Once, however often asked. FIFO. */
void hy_defer_start(struct hy_defer *defer);
void hy_defer_stop(struct hy_defer *defer);

/* ---- wake: the only way in from another thread or a signal handler ---- */

struct hy_wake {
    struct hypha_loop *loop;
    void (*cb)(void *user);
    void *user;
    LIST_ENTRY(hy_wake) entry;
    int pending; /* accessed atomically: __atomic, since a handler may interrupt */
};

void hy_wake_init(struct hy_wake *wake, struct hypha_loop *loop, void (*cb)(void *), void *user);
/* Any thread, async-signal-safe; several sends may make one call. Does not keep the loop alive. */
void hy_wake_send(struct hy_wake *wake);
void hy_wake_fini(struct hy_wake *wake);

/* ---- polling a descriptor ---- */

#define HY_POLL_IN  1U
#define HY_POLL_OUT 2U

struct hy_poll;
/* events: what is possible now; on an error condition both bits. */
typedef void (*hy_poll_cb)(void *user, unsigned events);

/* Watch fd (borrowed, non-blocking) for `events`, level-triggered; may be 0 for none yet.
 * One watch per descriptor. Errors: NOMEM, SYSTEM, FILES (no more watches), EXISTS,
 * UNSUPPORTED (the simulated loop). */
enum hypha_err hy_poll_create(struct hypha_loop *loop, int fd, unsigned events, hy_poll_cb cb,
    void *user, struct hy_poll **ret_poll);
/* Errors: SYSTEM. The same events again cost nothing. */
enum hypha_err hy_poll_update(struct hy_poll *poll, unsigned events);
/* Before the descriptor is closed; also from inside the callback. No callback any more; the
 * descriptor may be closed at once afterwards. NULL does nothing. */
void hy_poll_destroy(struct hy_poll *poll);

/* ---- names ---- */

struct hy_endpoint {
    struct hy_ip ip;
    uint16_t port;
    uint32_t scope; /* of a link-local IPv6 address; 0: none */
};

struct hy_resolve;
/* endpoints: in the resolver's order, valid during the call; count 0 with an error. */
typedef void (*hy_resolve_cb)(
    void *user, enum hypha_err err, const struct hy_endpoint *endpoints, size_t count);

/* Look a name (or an IP literal, without brackets) up, off this thread. The callback comes
 * exactly once, never from inside this call, unless cancelled.
 * Errors: NOMEM. Later: RESOLVE, NOMEM. */
enum hypha_err hy_resolve_start(struct hypha_loop *loop, const char *host, uint16_t port,
    hy_resolve_cb cb, void *user, struct hy_resolve **ret_resolve);
/* No callback any more. Not after it came, nor from inside it. NULL does nothing. */
void hy_resolve_cancel(struct hy_resolve *resolve);
/* At most so many different endpoints are told. */
#define HY_RESOLVE_MAX_ENDPOINTS 16

/* ---- signals of the process ---- */

struct hy_signal;
typedef void (*hy_signal_cb)(void *user, int signum);

/* Call `cb` on the loop's thread for each delivery of signum (several may make one call), in
 * place of what the signal did. Does not keep the loop alive.
 * Errors: NOMEM, FILES, SYSTEM, INVALID (no such signal), UNSUPPORTED (the simulated loop). */
enum hypha_err hy_signal_start(struct hypha_loop *loop, int signum, hy_signal_cb cb, void *user,
    struct hy_signal **ret_signal);
/* No callback any more; the last watch of a signal restores what it did by default. Also from
 * inside the callback. NULL does nothing. */
void hy_signal_stop(struct hy_signal *signal);

/* ---- tasks: work that blocks, on another thread ---- */

struct hy_task;

/* Run work(user) on a thread of the pool, then done(user) on the loop's thread, exactly once and
 * never from inside this call, unless cancelled. The simulated loop runs the work at once, on
 * its own thread. A lasting work holds one of few threads.
 * Errors: NOMEM. */
enum hypha_err hy_task_start(struct hypha_loop *loop, void (*work)(void *user),
    void (*done)(void *user), void *user, struct hy_task **ret_task);
/* `done` does not come any more. Work that has not begun never will; begun work runs on and
 * still uses `user`: abandoned(user) comes exactly once when it does no more, never from inside
 * this call, at the latest in hypha_loop_destroy(), which waits for it. abandoned may be NULL.
 * Not after `done` came, nor from inside it. NULL does nothing. */
void hy_task_cancel(struct hy_task *task, void (*abandoned)(void *user));

/* ---- a buffer to read into ---- */

#define HY_LOOP_READ_BYTES (256 * 1024)
/* HY_LOOP_READ_BYTES bytes that all streams of the loop share within one callback. */
uint8_t *hy_loop_read_buffer(struct hypha_loop *loop);
#define HY_LOOP_WRITE_BYTES (80 * 1024)
/* As many bytes to make something in before it is written, for one borrower at a time, within one
 * callback; NULL: taken. Give them back. */
uint8_t *hy_loop_borrow_write_buffer(struct hypha_loop *loop);
void hy_loop_return_write_buffer(struct hypha_loop *loop);

/* ---- for the two loops only ---- */

struct hy_loop_ops {
    void (*destroy)(struct hypha_loop *loop);
    enum hypha_err (*run)(struct hypha_loop *loop);
    void (*stop)(struct hypha_loop *loop);
    enum hypha_err (*post)(struct hypha_loop *loop, void (*cb)(void *), void *user);
    uint64_t (*now_us)(const struct hypha_loop *loop);
    uint64_t (*wall_ns)(const struct hypha_loop *loop);
    void (*random)(struct hypha_loop *loop, void *into, size_t len);
    /* A wake was sent: make sure that a turn comes for it. Any thread, async-signal-safe. */
    void (*wake)(struct hypha_loop *loop);
    enum hypha_err (*poll_create)(struct hypha_loop *loop, int fd, unsigned events, hy_poll_cb cb,
        void *user, struct hy_poll **ret_poll);
    enum hypha_err (*poll_update)(struct hy_poll *poll, unsigned events);
    void (*poll_destroy)(struct hy_poll *poll);
    enum hypha_err (*resolve_start)(struct hypha_loop *loop, const char *host, uint16_t port,
        hy_resolve_cb cb, void *user, struct hy_resolve **ret_resolve);
    void (*resolve_cancel)(struct hy_resolve *resolve);
    enum hypha_err (*signal_start)(struct hypha_loop *loop, int signum, hy_signal_cb cb, void *user,
        struct hy_signal **ret_signal);
    void (*signal_stop)(struct hy_signal *signal);
    enum hypha_err (*task_start)(struct hypha_loop *loop, void (*work)(void *),
        void (*done)(void *), void *user, struct hy_task **ret_task);
    void (*task_cancel)(struct hy_task *task, void (*abandoned)(void *));
};

/* The first member of each loop's own struct. */
struct hy_poll {
    struct hypha_loop *loop;
};
struct hy_resolve {
    struct hypha_loop *loop;
};
struct hy_signal {
    struct hypha_loop *loop;
};
struct hy_task {
    struct hypha_loop *loop;
};

TAILQ_HEAD(hy_defer_queue, hy_defer);
LIST_HEAD(hy_wake_list, hy_wake);

/* What both loops have; the first member of their own struct. */
struct hypha_loop {
    const struct hy_loop_ops *ops;
    uint64_t now_ms;
    struct hy_timer *timers; /* heap root */
    uint64_t timer_order;
    struct hy_defer_queue defers;
    struct hy_wake_list wakes;
    struct hy_wake *wake_next; /* where hy_loop_run_wakes() goes on */
    uint8_t *read_buffer, *write_buffer;
    bool write_buffer_lent;
};

enum hypha_err hy_loop_init(struct hypha_loop *loop, const struct hy_loop_ops *ops);
void hy_loop_fini(struct hypha_loop *loop);
/* False if no timer is armed. */
bool hy_loop_next_timer(const struct hypha_loop *loop, uint64_t *ret_due_ms);
/* Run timers due at loop->now_ms; those started meanwhile wait for the next pass. */
void hy_loop_run_timers(struct hypha_loop *loop);
/* Run the deferred calls, and those that they ask for; true if so many came that some are left. */
bool hy_loop_run_defers(struct hypha_loop *loop);
/* Run the callbacks of all wakes that were sent. */
void hy_loop_run_wakes(struct hypha_loop *loop);
/* The host is an IP literal, without brackets. */
bool hy_endpoint_of_literal(const char *host, uint16_t port, struct hy_endpoint *ret_endpoint);

#endif
