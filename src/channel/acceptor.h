/* channel/acceptor.h - one listen address: accept, let TLS happen, make channels.
 *
 * An accepted socket is *pending* until its version exchange is done; the inbound session owns
 * the limit over all acceptors through hy_pending. Handshakes run side by side, each under
 * channel_handshake_timeout. spec: network.md#62-acceptor-one-per-listen-address */
#ifndef HY_CHANNEL_ACCEPTOR_H
#define HY_CHANNEL_ACCEPTOR_H

#include "channel/channel.h"
#include "channel/inbound_limit.h"

struct hy_acceptor;

struct hy_acceptor_events {
    /* Bound, or why not; once. */
    void (*on_listening)(struct hy_acceptor *acceptor, enum hypha_err err, void *user);
    /* A transport is up: a new inbound channel, not started, one reference, the callee's. */
    void (*on_channel)(struct hy_acceptor *acceptor, struct hypha_channel *channel, void *user);
    /* The listener is gone by itself. */
    void (*on_end)(struct hy_acceptor *acceptor, enum hypha_err why, void *user);
};

/* Sockets of all acceptors whose version exchange is not done; oldest first. It also keeps the
 * limits per network (inbound_limit.h), so it outlives the tickets that it hands out. */
struct hy_pending_set;
enum hypha_err hy_pending_set_create(struct hy_net *net, struct hy_pending_set **ret_set);
void hy_pending_set_destroy(struct hy_pending_set *set);
size_t hy_pending_count(const struct hy_pending_set *set);
/* The channel's version exchange is done, or it stopped: pending no more. Must come before the
 * channel is freed. Its ticket is the caller's, to be released when the channel has stopped;
 * NULL: it is released at once. */
void hy_pending_done(struct hy_pending_set *set, struct hypha_channel *channel,
    struct hy_inbound_ticket *ret_ticket);

/* Errors: NOMEM; later by on_listening. */
enum hypha_err hy_acceptor_create(struct hy_net *net, struct hy_pending_set *pending,
    struct hypha_url *url, const struct hy_acceptor_events *events, void *user,
    struct hy_acceptor **ret_acceptor);
/* Bind; `on_listening` comes exactly once unless destroyed before. */
enum hypha_err hy_acceptor_start(struct hy_acceptor *acceptor);
/* All places are taken: leave peers in the backlog; resume when one is free. */
void hy_acceptor_pause(struct hy_acceptor *acceptor);
void hy_acceptor_resume(struct hy_acceptor *acceptor);
/* With the real port; NULL until bound. */
struct hypha_url *hy_acceptor_url(const struct hy_acceptor *acceptor);
/* Stop listening, close what has not become a channel yet, free. NULL does nothing. */
void hy_acceptor_destroy(struct hy_acceptor *acceptor);

#endif
