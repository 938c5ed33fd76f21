/* loop/loop_uv.h - the inside of the real loop, shared by the *_uv.c files of this room. */
#ifndef HY_LOOP_LOOP_UV_H
#define HY_LOOP_LOOP_UV_H

#include "loop/loop.h"
#include "loop/posts.h"
#include <pthread.h>
#include <uv.h>

struct hy_uv_poll;
struct hy_uv_resolve;
struct hy_uv_signal;
struct hy_uv_task;

LIST_HEAD(hy_uv_poll_list, hy_uv_poll);
LIST_HEAD(hy_uv_resolve_list, hy_uv_resolve);
LIST_HEAD(hy_uv_signal_list, hy_uv_signal);
LIST_HEAD(hy_uv_task_list, hy_uv_task);

#define HY_LOOP_POOL_BYTES 4096

struct hy_uv_loop {
    struct hypha_loop base;
    uv_loop_t uv;
    uv_timer_t timer; /* ends the poll when the first of our timers is due */
    uint64_t timer_due_ms;
    uv_async_t async; /* ends the poll for wakes and posts */
    bool woken;
    bool running;
    bool stopped;
    size_t live; /* polls, lookups, tasks: what run() waits for besides timers and defers */

    /* What hypha_loop_destroy() finds left. */
    struct hy_uv_poll_list polls;
    struct hy_uv_resolve_list resolves;
    struct hy_uv_signal_list signals;
    struct hy_uv_task_list tasks;

    pthread_mutex_t post_lock;
    struct hy_posts posts; /* under post_lock */
    size_t post_count;     /* atomic, so that a turn need not lock */

    uint8_t pool[HY_LOOP_POOL_BYTES]; /* random bytes not yet handed out: the last pool_left */
    size_t pool_left;
};

static inline struct hy_uv_loop *hy_uv_loop_of(struct hypha_loop *loop)
{
    return (struct hy_uv_loop *)(void *)loop;
}

/* First thing in each callback of libuv: it has a fresh clock after the poll. */
static inline void hy_uv_enter(struct hy_uv_loop *real)
{
    real->base.now_ms = uv_now(&real->uv);
}

enum hypha_err hy_uv_err(int uv_status);

enum hypha_err hy_uv_poll_create(struct hypha_loop *loop, int fd, unsigned events, hy_poll_cb cb,
    void *user, struct hy_poll **ret_poll);
enum hypha_err hy_uv_poll_update(struct hy_poll *poll, unsigned events);
void hy_uv_poll_destroy(struct hy_poll *poll);
void hy_uv_polls_close(struct hy_uv_loop *real);

enum hypha_err hy_uv_resolve_start(struct hypha_loop *loop, const char *host, uint16_t port,
    hy_resolve_cb cb, void *user, struct hy_resolve **ret_resolve);
void hy_uv_resolve_cancel(struct hy_resolve *resolve);
void hy_uv_resolves_close(struct hy_uv_loop *real);

enum hypha_err hy_uv_signal_start(struct hypha_loop *loop, int signum, hy_signal_cb cb, void *user,
    struct hy_signal **ret_signal);
void hy_uv_signal_stop(struct hy_signal *signal);
void hy_uv_signals_close(struct hy_uv_loop *real);

enum hypha_err hy_uv_task_start(struct hypha_loop *loop, void (*work)(void *), void (*done)(void *),
    void *user, struct hy_task **ret_task);
void hy_uv_task_cancel(struct hy_task *task, void (*abandoned)(void *));
void hy_uv_tasks_close(struct hy_uv_loop *real);

#endif
