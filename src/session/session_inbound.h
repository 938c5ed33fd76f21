/* session/session_inbound.h - listen on every inbound address, take who comes.
 *
 * All listeners share one limit, inbound_connections, which counts registered channels only:
 * sockets that have not shaken hands are pending (channel/acceptor.h). While all places are taken
 * newcomers may still shake hands: one that is worth more than somebody here takes his place
 * (eviction.h), others are closed, and then the listeners rest for a moment in which peers wait in
 * the backlog. spec: network.md#73-inbound */
#ifndef HY_SESSION_INBOUND_H
#define HY_SESSION_INBOUND_H

#include "session/session.h"

/* Every address is bound and accepting, or why one could not be: then none is. */
typedef void (*hy_session_inbound_started_cb)(void *user, enum hypha_err err);

/* Errors: NOMEM. */
enum hypha_err hy_session_inbound_create(
    struct hy_net *net, struct hy_session_inbound **ret_session);
/* `on_started` comes once, never from inside this call, unless stopped before. */
void hy_session_inbound_start(
    struct hy_session_inbound *session, hy_session_inbound_started_cb on_started, void *user);
void hy_session_inbound_stop(
    struct hy_session_inbound *session, hy_session_stopped_cb on_stopped, void *user);
void hy_session_inbound_destroy(struct hy_session_inbound *session);

/* What listener `index` is bound to; NULL past the last, or before it is. */
struct hypha_url *hy_session_inbound_addr(const struct hy_session_inbound *session, size_t index);
/* net->settings are others: inbound_connections may have changed. */
void hy_session_inbound_reload(struct hy_session_inbound *session);
/* Registered channels, and sockets that may become some. */
size_t hy_session_inbound_count(const struct hy_session_inbound *session);
size_t hy_session_inbound_pending(const struct hy_session_inbound *session);

#endif
