/* loop/timer.c - the timers of a loop: a pairing heap of structs embedded in their owners.
 *
 * Ordered by due time, then by order of starting. Starting is O(1), stopping and firing
 * O(log n) amortised, nothing is allocated, and nothing here recurses, so that a hundred
 * thousand timers started in ascending order need no deep stack.
 *
 * child: the first child. next: the next sibling. prev: the previous sibling, or the parent of
 * a first child, or NULL for the root. */
#include "loop/loop.h"

#include <assert.h>

static bool comes_before(const struct hy_timer *a, const struct hy_timer *b)
{
    return a->due_ms < b->due_ms || (a->due_ms == b->due_ms && a->order < b->order);
}

/* Two roots become one. Either may be NULL; neither has siblings. */
static struct hy_timer *meld(struct hy_timer *a, struct hy_timer *b)
{
    if (a == NULL || b == NULL)
        return a != NULL ? a : b;
    if (comes_before(b, a)) {
        struct hy_timer *first = b;

        b = a;
        a = first;
    }
    b->prev = a;
    b->next = a->child;
    if (b->next != NULL)
        b->next->prev = b;
    a->child = b;
    return a;
}

/* Meld siblings two by two from the left, then the pairs from the right. */
static struct hy_timer *meld_siblings(struct hy_timer *first)
{
    struct hy_timer *pairs = NULL; /* linked by next, the last pair first */
    struct hy_timer *root = NULL;

    while (first != NULL) {
        struct hy_timer *second = first->next;
        struct hy_timer *rest = second != NULL ? second->next : NULL;

        first->prev = first->next = NULL;
        if (second != NULL)
            second->prev = second->next = NULL;
        first = meld(first, second);
        first->next = pairs;
        pairs = first;
        first = rest;
    }
    while (pairs != NULL) {
        struct hy_timer *rest = pairs->next;

        pairs->next = NULL;
        root = meld(root, pairs);
        pairs = rest;
    }
    return root;
}

static void take_out(struct hypha_loop *loop, struct hy_timer *timer)
{
    struct hy_timer *children = meld_siblings(timer->child);

    if (timer->prev == NULL) {
        assert(loop->timers == timer);
        loop->timers = children;
    } else {
        if (timer->prev->child == timer)
            timer->prev->child = timer->next;
        else
            timer->prev->next = timer->next;
        if (timer->next != NULL)
            timer->next->prev = timer->prev;
        loop->timers = meld(loop->timers, children);
    }
    timer->child = timer->prev = timer->next = NULL;
    timer->armed = false;
}

void hy_timer_init(struct hy_timer *timer, struct hypha_loop *loop, void (*cb)(void *), void *user)
{
    *timer = (struct hy_timer){ .loop = loop, .cb = cb, .user = user };
}

void hy_timer_start(struct hy_timer *timer, uint64_t delay_ms)
{
    struct hypha_loop *loop = timer->loop;

    if (timer->armed)
        take_out(loop, timer);
    timer->due_ms = delay_ms > UINT64_MAX - loop->now_ms ? UINT64_MAX : loop->now_ms + delay_ms;
    timer->order = loop->timer_order++;
    timer->armed = true;
    loop->timers = meld(loop->timers, timer);
}

void hy_timer_stop(struct hy_timer *timer)
{
    if (timer->armed)
        take_out(timer->loop, timer);
}

bool hy_timer_is_armed(const struct hy_timer *timer)
{
    return timer->armed;
}

bool hy_loop_next_timer(const struct hypha_loop *loop, uint64_t *ret_due_ms)
{
    if (loop->timers == NULL)
        return false;
    *ret_due_ms = loop->timers->due_ms;
    return true;
}

void hy_loop_run_timers(struct hypha_loop *loop)
{
    /* A timer started from here on sorts behind all that are due already. */
    uint64_t orders_end = loop->timer_order;
    struct hy_timer *timer;

    while ((timer = loop->timers) != NULL && timer->due_ms <= loop->now_ms &&
        timer->order < orders_end) {
        take_out(loop, timer);
        timer->cb(timer->user); /* may free the timer */
    }
}
