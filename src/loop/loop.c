/* loop/loop.c - what both loops share: deferred calls, wakes, chance, and the way to the loop
 * behind. Timers are in timer.c, the real loop in loop_uv.c, the simulated one in sim/. */
#include "loop/loop.h"

#include "base/alloc.h"
#include "base/span.h"

#include <assert.h>

/* So often the deferred calls may ask for more before I/O gets its turn. */
#define DEFER_PASSES 16

enum hypha_err hy_loop_init(struct hypha_loop *loop, const struct hy_loop_ops *ops)
{
    *loop = (struct hypha_loop){ .ops = ops };
    TAILQ_INIT(&loop->defers);
    LIST_INIT(&loop->wakes);
    loop->read_buffer = hy_alloc(HY_LOOP_READ_BYTES);
    loop->write_buffer = hy_alloc(HY_LOOP_WRITE_BYTES);
    if (loop->read_buffer != NULL && loop->write_buffer != NULL)
        return HYPHA_OK;
    hy_loop_fini(loop);
    return HYPHA_ERR_NOMEM;
}

void hy_loop_fini(struct hypha_loop *loop)
{
    hy_free(loop->read_buffer);
    hy_free(loop->write_buffer);
    loop->read_buffer = loop->write_buffer = NULL;
}

/* ---- the public loop ---- */

void hypha_loop_destroy(struct hypha_loop *loop)
{
    if (loop != NULL)
        loop->ops->destroy(loop);
}

enum hypha_err hypha_loop_run(struct hypha_loop *loop)
{
    return loop->ops->run(loop);
}

void hypha_loop_stop(struct hypha_loop *loop)
{
    loop->ops->stop(loop);
}

enum hypha_err hypha_loop_post(struct hypha_loop *loop, void (*cb)(void *user), void *user)
{
    return loop->ops->post(loop, cb, user);
}

uint64_t hypha_loop_now_ms(const struct hypha_loop *loop)
{
    return loop->now_ms;
}

/* ---- clock and chance ---- */

uint64_t hy_now_ms(const struct hypha_loop *loop)
{
    return loop->now_ms;
}

uint64_t hy_now_us(const struct hypha_loop *loop)
{
    return loop->ops->now_us(loop);
}

uint64_t hy_wall_ns(const struct hypha_loop *loop)
{
    return loop->ops->wall_ns(loop);
}

uint64_t hy_wall_s(const struct hypha_loop *loop)
{
    return loop->ops->wall_ns(loop) / 1000000000U;
}

void hy_random(struct hypha_loop *loop, void *into, size_t len)
{
    if (len > 0)
        loop->ops->random(loop, into, len);
}

uint32_t hy_random_u32(struct hypha_loop *loop)
{
    uint32_t value;

    loop->ops->random(loop, &value, sizeof value);
    return value;
}

uint64_t hy_random_u64(struct hypha_loop *loop)
{
    uint64_t value;

    loop->ops->random(loop, &value, sizeof value);
    return value;
}

uint64_t hy_random_below(struct hypha_loop *loop, uint64_t bound)
{
    uint64_t value;

    if (bound == 0)
        return 0;
    /* 2^64 mod bound: values below it would make the small remainders likelier. */
    uint64_t unfair = (UINT64_MAX - bound + 1) % bound;
    do {
        value = hy_random_u64(loop);
    } while (value < unfair);
    return value % bound;
}

uint64_t hy_random_jitter(struct hypha_loop *loop, uint64_t ms, unsigned percent)
{
    if (percent > 100)
        percent = 100;
    uint64_t reach = ms / 100 * percent + ms % 100 * percent / 100;
    if (reach == 0)
        return ms;
    /* Near the type's end the upper half is out of range. */
    uint64_t width = reach > UINT64_MAX / 2 - 1 ? reach : 2 * reach + 1;
    if (width > UINT64_MAX - (ms - reach))
        width = reach;
    return ms - reach + hy_random_below(loop, width);
}

/* ---- deferred calls ---- */

void hy_defer_init(struct hy_defer *defer, struct hypha_loop *loop, void (*cb)(void *), void *user)
{
    *defer = (struct hy_defer){ .loop = loop, .cb = cb, .user = user };
}

void hy_defer_start(struct hy_defer *defer)
{
    if (defer->armed)
        return;
    defer->armed = true;
    TAILQ_INSERT_TAIL(&defer->loop->defers, defer, entry);
}

void hy_defer_stop(struct hy_defer *defer)
{
    if (!defer->armed)
        return;
    defer->armed = false;
    TAILQ_REMOVE(&defer->loop->defers, defer, entry);
}

/* Those asked for so far: a mark behind them tells where they end, however many are stopped. */
static void run_defers_once(struct hypha_loop *loop)
{
    struct hy_defer mark = { .armed = true };
    struct hy_defer *defer;

    TAILQ_INSERT_TAIL(&loop->defers, &mark, entry);
    while ((defer = TAILQ_FIRST(&loop->defers)) != &mark) {
        hy_defer_stop(defer);
        defer->cb(defer->user); /* may free the defer */
    }
    TAILQ_REMOVE(&loop->defers, &mark, entry);
}

bool hy_loop_run_defers(struct hypha_loop *loop)
{
    for (int pass = 0; pass < DEFER_PASSES && !TAILQ_EMPTY(&loop->defers); pass++)
        run_defers_once(loop);
    return !TAILQ_EMPTY(&loop->defers);
}

/* ---- wakes ---- */

void hy_wake_init(struct hy_wake *wake, struct hypha_loop *loop, void (*cb)(void *), void *user)
{
    *wake = (struct hy_wake){ .loop = loop, .cb = cb, .user = user };
    LIST_INSERT_HEAD(&loop->wakes, wake, entry);
}

void hy_wake_send(struct hy_wake *wake)
{
    if (__atomic_exchange_n(&wake->pending, 1, __ATOMIC_ACQ_REL) == 0)
        wake->loop->ops->wake(wake->loop);
}

void hy_wake_fini(struct hy_wake *wake)
{
    if (wake->loop == NULL)
        return;
    if (wake->loop->wake_next == wake)
        wake->loop->wake_next = LIST_NEXT(wake, entry);
    LIST_REMOVE(wake, entry);
    wake->loop = NULL;
}

void hy_loop_run_wakes(struct hypha_loop *loop)
{
    struct hy_wake *wake;

    assert(loop->wake_next == NULL);
    loop->wake_next = LIST_FIRST(&loop->wakes);
    while ((wake = loop->wake_next) != NULL) {
        loop->wake_next = LIST_NEXT(wake, entry);
        if (__atomic_exchange_n(&wake->pending, 0, __ATOMIC_ACQ_REL) != 0)
            wake->cb(wake->user); /* may fini this wake and others */
    }
}

/* ---- polls, names, signals, tasks: the loop behind does it ---- */

enum hypha_err hy_poll_create(struct hypha_loop *loop, int fd, unsigned events, hy_poll_cb cb,
    void *user, struct hy_poll **ret_poll)
{
    return loop->ops->poll_create(loop, fd, events, cb, user, ret_poll);
}

enum hypha_err hy_poll_update(struct hy_poll *poll, unsigned events)
{
    return poll->loop->ops->poll_update(poll, events);
}

void hy_poll_destroy(struct hy_poll *poll)
{
    if (poll != NULL)
        poll->loop->ops->poll_destroy(poll);
}

bool hy_endpoint_of_literal(const char *host, uint16_t port, struct hy_endpoint *ret_endpoint)
{
    struct hypha_span text = hy_span_of(host);
    struct hy_ip ip;

    if (!hy_ip_parse_v4(text, &ip) && !hy_ip_parse_v6(text, &ip))
        return false;
    *ret_endpoint = (struct hy_endpoint){ .ip = ip, .port = port };
    return true;
}

enum hypha_err hy_resolve_start(struct hypha_loop *loop, const char *host, uint16_t port,
    hy_resolve_cb cb, void *user, struct hy_resolve **ret_resolve)
{
    return loop->ops->resolve_start(loop, host, port, cb, user, ret_resolve);
}

void hy_resolve_cancel(struct hy_resolve *resolve)
{
    if (resolve != NULL)
        resolve->loop->ops->resolve_cancel(resolve);
}

enum hypha_err hy_signal_start(
    struct hypha_loop *loop, int signum, hy_signal_cb cb, void *user, struct hy_signal **ret_signal)
{
    return loop->ops->signal_start(loop, signum, cb, user, ret_signal);
}

void hy_signal_stop(struct hy_signal *signal)
{
    if (signal != NULL)
        signal->loop->ops->signal_stop(signal);
}

enum hypha_err hy_task_start(struct hypha_loop *loop, void (*work)(void *user),
    void (*done)(void *user), void *user, struct hy_task **ret_task)
{
    return loop->ops->task_start(loop, work, done, user, ret_task);
}

void hy_task_cancel(struct hy_task *task, void (*abandoned)(void *user))
{
    if (task != NULL)
        task->loop->ops->task_cancel(task, abandoned);
}

uint8_t *hy_loop_read_buffer(struct hypha_loop *loop)
{
    return loop->read_buffer;
}

uint8_t *hy_loop_borrow_write_buffer(struct hypha_loop *loop)
{
    if (loop->write_buffer_lent)
        return NULL;
    loop->write_buffer_lent = true;
    return loop->write_buffer;
}

void hy_loop_return_write_buffer(struct hypha_loop *loop)
{
    loop->write_buffer_lent = false;
}
