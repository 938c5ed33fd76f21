/* rpc/subscription.c - notices, and a ring of them for each subscriber. */
#include "rpc/subscription.h"
#include "base/alloc.h"
#include "base/span.h"
#include "rpc/message.h"

#include <assert.h>

#define RING_START 16
#define RING_KEEP  64 /* an emptied queue holds no more */

/* ---- notices ---- */

struct hy_rpc_notice *hy_rpc_notice_create(const char *method, const json_t *params)
{
    struct hy_rpc_buffer line = { 0 };
    struct hy_rpc_notice *notice = NULL;

    if (hy_rpc_put_notification(&line, method, params)) {
        struct hypha_span text = hy_rpc_buffer_span(&line);

        notice = hy_alloc(sizeof *notice + text.len);
        if (notice != NULL) {
            notice->refs = 1;
            notice->len = text.len;
            memcpy(notice->line, text.at, text.len);
        }
    }
    hy_rpc_buffer_fini(&line);
    return notice;
}

void hy_rpc_notice_unref(struct hy_rpc_notice *notice)
{
    if (notice == NULL)
        return;
    assert(notice->refs > 0);
    if (--notice->refs == 0)
        hy_free(notice);
}

struct hypha_span hy_rpc_notice_text(const struct hy_rpc_notice *notice)
{
    return hy_span(notice->line, notice->len - 2);
}

static struct hy_rpc_notice *lag_notice(const struct hy_rpc_subscription *subscription)
{
    json_t *params = json_pack(
        "[{s:s, s:{s:I}}]", "event", "lag", "info", "dropped", (json_int_t)subscription->dropped);
    struct hy_rpc_notice *notice = NULL;

    if (params != NULL)
        notice = hy_rpc_notice_create(subscription->method, params);
    json_decref(params);
    return notice;
}

/* ---- the queue ---- */

enum hypha_err hy_rpc_subscription_create(struct hy_rpc_connection *connection, const char *method,
    struct hy_rpc_subscription **ret_subscription)
{
    struct hy_rpc_subscription *subscription = hy_alloc(sizeof *subscription);

    if (subscription == NULL || (subscription->method = hy_strdup(method)) == NULL) {
        hy_free(subscription);
        return HYPHA_ERR_NOMEM;
    }
    subscription->connection = connection;
    *ret_subscription = subscription;
    return HYPHA_OK;
}

static struct hy_rpc_notice *pop(struct hy_rpc_subscription *subscription)
{
    struct hy_rpc_notice *notice = subscription->ring[subscription->first].notice;

    subscription->first = (subscription->first + 1) % subscription->cap;
    subscription->count--;
    subscription->bytes -= notice->len;
    return notice;
}

static void drop_oldest(struct hy_rpc_subscription *subscription)
{
    hy_rpc_notice_unref(pop(subscription));
    subscription->dropped++;
}

static void ring_free(struct hy_rpc_subscription *subscription)
{
    hy_free(subscription->ring);
    subscription->ring = NULL;
    subscription->cap = subscription->first = 0;
}

void hy_rpc_subscription_destroy(struct hy_rpc_subscription *subscription)
{
    while (subscription->count > 0)
        drop_oldest(subscription);
    ring_free(subscription);
    hy_free(subscription->method);
    hy_free(subscription);
}

/* Room for one more, if there is memory for it. */
static void ring_grow(struct hy_rpc_subscription *subscription, size_t max)
{
    size_t cap = subscription->cap == 0 ? RING_START : subscription->cap * 2;

    if (cap > max)
        cap = max;
    struct hy_rpc_queued *ring = hy_alloc_array(cap, sizeof *ring);
    if (ring == NULL)
        return;
    for (size_t i = 0; i < subscription->count; i++)
        ring[i] = subscription->ring[(subscription->first + i) % subscription->cap];
    hy_free(subscription->ring);
    subscription->ring = ring;
    subscription->cap = cap;
    subscription->first = 0;
}

void hy_rpc_subscription_push(struct hy_rpc_subscription *subscription,
    struct hy_rpc_notice *notice, uint64_t order, const struct hy_rpc_limits *limits)
{
    if (notice->len > limits->notice_bytes) {
        subscription->dropped++;
        return;
    }
    while (subscription->count >= limits->notices ||
        subscription->bytes + notice->len > limits->notice_bytes)
        drop_oldest(subscription);
    if (subscription->count == subscription->cap)
        ring_grow(subscription, limits->notices);
    if (subscription->cap == 0) { /* no memory at all */
        subscription->dropped++;
        return;
    }
    if (subscription->count == subscription->cap)
        drop_oldest(subscription);
    size_t last = (subscription->first + subscription->count) % subscription->cap;
    subscription->ring[last] = (struct hy_rpc_queued){ notice, order };
    subscription->count++;
    subscription->bytes += notice->len;
    notice->refs++;
}

struct hy_rpc_subscription *hy_rpc_subscription_oldest(const struct hy_rpc_subscription_list *list)
{
    struct hy_rpc_subscription *subscription, *oldest = NULL;

    TAILQ_FOREACH (subscription, list, entry)
        if (subscription->count > 0 &&
            (oldest == NULL ||
                subscription->ring[subscription->first].order < oldest->ring[oldest->first].order))
            oldest = subscription;
    return oldest;
}

struct hy_rpc_notice *hy_rpc_subscription_take(struct hy_rpc_subscription *subscription)
{
    struct hy_rpc_notice *notice = NULL;

    if (subscription->lag && subscription->dropped > 0)
        notice = lag_notice(subscription);
    if (notice != NULL) {
        subscription->dropped = 0;
        return notice;
    }
    notice = pop(subscription);
    if (subscription->count == 0 && subscription->cap > RING_KEEP)
        ring_free(subscription);
    return notice;
}
