/* loop/loop_uv.c - the real loop: libuv below, our turn above.
 *
 * The turn is our own function around uv_run(): libuv only polls, with one timer that ends the
 * poll when the first of our timers is due and one async handle for other threads. Both handles
 * are always there, so libuv always has a reason to poll; is_alive() alone decides when run()
 * returns. */
#include "loop/loop_uv.h"

#include "base/alloc.h"

#include <assert.h>
#include <sodium.h>
#include <string.h>
#include <time.h>

enum hypha_err hy_uv_err(int uv_status)
{
    switch (uv_status) {
    case 0:
        return HYPHA_OK;
    case UV_ENOMEM:
        return HYPHA_ERR_NOMEM;
    case UV_EMFILE:
    case UV_ENFILE:
    case UV_ENOSPC: /* epoll: max_user_watches */
        return HYPHA_ERR_FILES;
    case UV_EEXIST:
        return HYPHA_ERR_EXISTS;
    case UV_EINVAL:
        return HYPHA_ERR_INVALID;
    default: /* not our enum */
        return HYPHA_ERR_SYSTEM;
    }
}

/* ---- posts ---- */

static enum hypha_err post(struct hypha_loop *loop, void (*cb)(void *), void *user)
{
    struct hy_uv_loop *real = hy_uv_loop_of(loop);
    struct hy_post *item = hy_post_create(cb, user);

    if (item == NULL)
        return HYPHA_ERR_NOMEM;
    (void)pthread_mutex_lock(&real->post_lock);
    STAILQ_INSERT_TAIL(&real->posts, item, entry);
    (void)__atomic_add_fetch(&real->post_count, 1, __ATOMIC_ACQ_REL);
    /* Inside the lock: the loop can't run the post, and be destroyed by it, before this is done. */
    (void)uv_async_send(&real->async);
    (void)pthread_mutex_unlock(&real->post_lock);
    return HYPHA_OK;
}

static bool has_posts(const struct hy_uv_loop *real)
{
    return __atomic_load_n(&real->post_count, __ATOMIC_ACQUIRE) > 0;
}

static void take_posts(struct hy_uv_loop *real, struct hy_posts *ret_posts)
{
    (void)pthread_mutex_lock(&real->post_lock);
    hy_posts_take(&real->posts, ret_posts);
    __atomic_store_n(&real->post_count, 0, __ATOMIC_RELEASE);
    (void)pthread_mutex_unlock(&real->post_lock);
}

static void run_posts(struct hy_uv_loop *real)
{
    struct hy_posts posts;

    take_posts(real, &posts);
    hy_posts_run(&posts);
}

static void drop_posts(struct hy_uv_loop *real)
{
    struct hy_posts posts;

    take_posts(real, &posts);
    hy_posts_drop(&posts);
}

/* ---- the turn ---- */

static void on_async(uv_async_t *async)
{
    struct hy_uv_loop *real = async->data;

    real->woken = true;
}

static void on_timer(uv_timer_t *timer)
{
    struct hy_uv_loop *real = timer->data;

    real->timer_due_ms = UINT64_MAX;
    /* libuv runs its timers also before it polls: it must not block then. */
    uv_stop(&real->uv);
}

static void wake(struct hypha_loop *loop)
{
    (void)uv_async_send(&hy_uv_loop_of(loop)->async);
}

static void update_clock(struct hy_uv_loop *real)
{
    uv_update_time(&real->uv);
    real->base.now_ms = uv_now(&real->uv);
}

static bool is_alive(const struct hy_uv_loop *real)
{
    return real->live > 0 || real->base.timers != NULL || !TAILQ_EMPTY(&real->base.defers) ||
        has_posts(real);
}

static void arm_timer(struct hy_uv_loop *real)
{
    uint64_t due_ms = UINT64_MAX;

    (void)hy_loop_next_timer(&real->base, &due_ms);
    if (due_ms == real->timer_due_ms)
        return;
    real->timer_due_ms = due_ms;
    if (due_ms == UINT64_MAX) {
        (void)uv_timer_stop(&real->timer);
        return;
    }
    uint64_t now_ms = uv_now(&real->uv);
    (void)uv_timer_start(&real->timer, on_timer, due_ms > now_ms ? due_ms - now_ms : 0, 0);
}

static void turn(struct hy_uv_loop *real)
{
    update_clock(real);
    hy_loop_run_timers(&real->base);
    bool busy = hy_loop_run_defers(&real->base);

    if (busy || real->stopped || has_posts(real) || !is_alive(real)) {
        (void)uv_run(&real->uv, UV_RUN_NOWAIT);
    } else {
        arm_timer(real);
        (void)uv_run(&real->uv, UV_RUN_ONCE);
    }

    hy_uv_enter(real);
    if (real->woken) {
        real->woken = false;
        hy_loop_run_wakes(&real->base);
    }
    if (has_posts(real))
        run_posts(real);
    (void)hy_loop_run_defers(&real->base);
}

static enum hypha_err run(struct hypha_loop *loop)
{
    struct hy_uv_loop *real = hy_uv_loop_of(loop);

    if (real->running)
        return HYPHA_ERR_STATE;
    real->running = true;
    real->stopped = false;
    while (!real->stopped && is_alive(real))
        turn(real);
    real->running = false;
    return HYPHA_OK;
}

static void stop(struct hypha_loop *loop)
{
    hy_uv_loop_of(loop)->stopped = true;
}

/* ---- clock and chance ---- */

static uint64_t now_us(const struct hypha_loop *loop)
{
    (void)loop;
    return uv_hrtime() / 1000;
}

static uint64_t wall_ns(const struct hypha_loop *loop)
{
    struct timespec now;

    (void)loop;
    (void)clock_gettime(CLOCK_REALTIME, &now);
    return (uint64_t)now.tv_sec * 1000000000U + (uint64_t)now.tv_nsec;
}

static void random_bytes(struct hypha_loop *loop, void *into, size_t len)
{
    struct hy_uv_loop *real = hy_uv_loop_of(loop);

    if (len > sizeof real->pool / 4) {
        randombytes_buf(into, len);
        return;
    }
    if (len > real->pool_left) {
        randombytes_buf(real->pool, sizeof real->pool);
        real->pool_left = sizeof real->pool;
    }
    uint8_t *from = real->pool + sizeof real->pool - real->pool_left;
    memcpy(into, from, len);
    sodium_memzero(from, len); /* what was handed out may be a key */
    real->pool_left -= len;
}

/* ---- life ---- */

static void destroy(struct hypha_loop *loop);

static const struct hy_loop_ops uv_ops = {
    .destroy = destroy,
    .run = run,
    .stop = stop,
    .post = post,
    .now_us = now_us,
    .wall_ns = wall_ns,
    .random = random_bytes,
    .wake = wake,
    .poll_create = hy_uv_poll_create,
    .poll_update = hy_uv_poll_update,
    .poll_destroy = hy_uv_poll_destroy,
    .resolve_start = hy_uv_resolve_start,
    .resolve_cancel = hy_uv_resolve_cancel,
    .signal_start = hy_uv_signal_start,
    .signal_stop = hy_uv_signal_stop,
    .task_start = hy_uv_task_start,
    .task_cancel = hy_uv_task_cancel,
};

/* Close what is left, let libuv finish (a task that is under way is waited for). */
static void destroy(struct hypha_loop *loop)
{
    struct hy_uv_loop *real = hy_uv_loop_of(loop);

    assert(!real->running);
    hy_uv_polls_close(real);
    hy_uv_resolves_close(real);
    hy_uv_signals_close(real);
    hy_uv_tasks_close(real);
    uv_close((uv_handle_t *)&real->timer, NULL);
    uv_close((uv_handle_t *)&real->async, NULL);
    while (uv_loop_close(&real->uv) == UV_EBUSY)
        (void)uv_run(&real->uv, UV_RUN_DEFAULT);
    drop_posts(real);
    (void)pthread_mutex_destroy(&real->post_lock);
    hy_loop_fini(&real->base);
    hy_free(real);
}

/* glibc gives the top of its heap back to the system as soon as 128 KiB are free there, and takes
 * it again with the next burst of messages, page fault by page fault: half the speed of large
 * messages. It learns from the largest block that was freed, unless somebody has set the limits by
 * hand. No page of this one is touched. */
#define BURST_BYTES (4 * 1024 * 1024)
static void teach_allocator(void)
{
    hy_free(hy_realloc(NULL, BURST_BYTES)); /* not hy_alloc(), which would clear it */
}

enum hypha_err hypha_loop_create(struct hypha_loop **ret_loop)
{
    struct hy_uv_loop *real = hy_alloc(sizeof *real);

    if (real == NULL)
        return HYPHA_ERR_NOMEM;
    LIST_INIT(&real->polls);
    LIST_INIT(&real->resolves);
    LIST_INIT(&real->signals);
    LIST_INIT(&real->tasks);
    STAILQ_INIT(&real->posts);
    real->timer_due_ms = UINT64_MAX;

    enum hypha_err err = hy_loop_init(&real->base, &uv_ops);
    if (err != HYPHA_OK)
        goto fail;
    err = hy_uv_err(uv_loop_init(&real->uv));
    if (err != HYPHA_OK)
        goto fail;
    err = hy_uv_err(uv_async_init(&real->uv, &real->async, on_async));
    if (err != HYPHA_OK) {
        (void)uv_loop_close(&real->uv);
        goto fail;
    }
    (void)uv_timer_init(&real->uv, &real->timer); /* can't fail */
    (void)pthread_mutex_init(&real->post_lock, NULL);
    real->async.data = real;
    real->timer.data = real;
    teach_allocator();
    update_clock(real);
    *ret_loop = &real->base;
    return HYPHA_OK;

fail:
    hy_loop_fini(&real->base);
    hy_free(real);
    return err == HYPHA_ERR_NOMEM || err == HYPHA_ERR_FILES ? err : HYPHA_ERR_SYSTEM;
}
