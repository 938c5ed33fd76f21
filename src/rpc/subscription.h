/* rpc/subscription.h - what one subscriber is still to be told: a queue bounded in number and
 * in bytes, whose oldest entry gives way.
 *
 * A notice is encoded once and counted, so a thousand waiting notices of 64 subscribers are a
 * thousand notices in memory. spec: apps.md 2.4 */
#ifndef HY_RPC_SUBSCRIPTION_H
#define HY_RPC_SUBSCRIPTION_H

#include "rpc/server.h"

struct hy_rpc_connection;

struct hy_rpc_notice {
    size_t refs;
    size_t len;
    char line[]; /* with its CRLF */
};

/* The JSON of a notice, without its line end. */
struct hypha_span hy_rpc_notice_text(const struct hy_rpc_notice *notice);

struct hy_rpc_queued {
    struct hy_rpc_notice *notice;
    uint64_t order; /* among all subscriptions of the connection */
};

struct hy_rpc_subscription {
    struct hy_rpc_connection *connection;
    char *method;
    bool lag;
    hy_rpc_unsubscribed_cb cb;
    void *user;
    struct hy_rpc_queued *ring;
    size_t cap, first, count;
    size_t bytes;
    uint64_t dropped; /* since the client was last told */
    TAILQ_ENTRY(hy_rpc_subscription) entry;
};
TAILQ_HEAD(hy_rpc_subscription_list, hy_rpc_subscription);

/* Errors: NOMEM. */
enum hypha_err hy_rpc_subscription_create(struct hy_rpc_connection *connection, const char *method,
    struct hy_rpc_subscription **ret_subscription);
/* Tells nobody. */
void hy_rpc_subscription_destroy(struct hy_rpc_subscription *subscription);

/* Drop the oldest until `notice` fits, and queue it. order: rising. */
void hy_rpc_subscription_push(struct hy_rpc_subscription *subscription,
    struct hy_rpc_notice *notice, uint64_t order, const struct hy_rpc_limits *limits);
/* Whose turn it is: the one with the oldest notice; NULL: nothing waits. */
struct hy_rpc_subscription *hy_rpc_subscription_oldest(const struct hy_rpc_subscription_list *list);
/* Its next notice, or first the one about those dropped before it: the caller's reference. */
struct hy_rpc_notice *hy_rpc_subscription_take(struct hy_rpc_subscription *subscription);

#endif
