/* channel/pending.h - the sockets that have not shaken hands yet, for acceptor.c.
 *
 * One set for all listeners of a node, so that a flood on one of them meets one limit:
 * inbound_connections + HY_PENDING_EXTRA. One more, and the oldest socket of the address that
 * has most goes. spec: network.md#62-acceptor-one-per-listen-address */
#ifndef HY_CHANNEL_PENDING_H
#define HY_CHANNEL_PENDING_H

#include "base/map.h"
#include "channel/acceptor.h"
#include "channel/inbound_limit.h"

#define HY_PENDING_EXTRA 32

struct hy_pending_host;

/* In its acceptor's list while it has no channel, then alone in the set. */
struct hy_pending {
    struct hy_pending_set *set;
    struct hy_acceptor *acceptor; /* NULL once there is a channel */
    struct hy_stream *stream;     /* until there is a channel */
    struct hypha_channel *channel;
    struct hypha_url *peer;
    struct hy_timer deadline;
    struct hy_inbound_ticket ticket;
    struct hy_pending_host *host;
    uint64_t order; /* of arrival */
    TAILQ_ENTRY(hy_pending) of_host;
    LIST_ENTRY(hy_pending) of_acceptor;
    UT_hash_handle hh; /* by channel */
};

/* Make room for one more from this peer, then add it.
 * Errors: LIMIT: too many or too fast, inbound_limit.h; NOMEM. */
enum hypha_err hy_pending_add(struct hy_pending_set *set, struct hypha_url *peer,
    void (*on_deadline)(void *user), struct hy_pending **ret_pending);
/* Its transport is up: it is known by its channel now. Errors: NOMEM. */
enum hypha_err hy_pending_become(struct hy_pending *pending, struct hypha_channel *channel);
/* Out of the set; closes a stream that has not become a channel, and frees. */
void hy_pending_remove(struct hy_pending *pending);

#endif
