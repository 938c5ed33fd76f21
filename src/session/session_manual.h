/* session/session_manual.h - keep a channel to each configured peer, for ever.
 *
 *   state       event              next
 *   STOPPED     start, connect()   DIALLING    (host already in use: PAUSED)
 *   DIALLING    transport up       HANDSHAKE
 *   DIALLING    failed             PAUSED
 *   HANDSHAKE   version exchanged  CONNECTED   registered
 *   HANDSHAKE   channel stopped    PAUSED
 *   CONNECTED   channel stopped    PAUSED
 *   PAUSED      timer              DIALLING
 *   any         stop, disconnect() STOPPING, then STOPPED
 *   STOPPED     forgotten          freed, at the end of a turn
 *
 * The pause is the scheme's outbound_connect_timeout, jittered, after every try. Peers of this
 * session never enter the lists. spec: network.md#72-manual */
#ifndef HY_SESSION_MANUAL_H
#define HY_SESSION_MANUAL_H

#include "session/session.h"
#include "settings/settings.h"

/* Slots for settings->peers. Errors: NOMEM. */
enum hypha_err hy_session_manual_create(struct hy_net *net, struct hy_session_manual **ret_session);
void hy_session_manual_start(struct hy_session_manual *session);
void hy_session_manual_stop(
    struct hy_session_manual *session, hy_session_stopped_cb on_stopped, void *user);
void hy_session_manual_destroy(struct hy_session_manual *session);

/* One more peer, while running. Errors: NETWORK_STOPPED, EXISTS, NOMEM. */
enum hypha_err hy_session_manual_connect(struct hy_session_manual *session, struct hypha_url *url);
/* Stop and forget a peer. Errors: NOT_FOUND. */
enum hypha_err hy_session_manual_disconnect(
    struct hy_session_manual *session, const struct hypha_url *url);
/* Peers that are kept now, connected or not. */
size_t hy_session_manual_count(const struct hy_session_manual *session);
void hy_session_manual_each(const struct hy_session_manual *session,
    void (*each)(const struct hypha_slot_info *slot, void *user), void *user);

/* A reload, in two steps: prepare may fail and changes nothing that shows; once the node's settings
 * have changed, commit (or, if they have not, abandon) follows. What is to start or stop does so at
 * the end of the turn. Peers that were in the old settings and stay are left alone, disconnected
 * ones too. Errors: NOMEM. */
enum hypha_err hy_session_manual_prepare(
    struct hy_session_manual *session, const struct hy_url_array *peers);
void hy_session_manual_abandon(struct hy_session_manual *session);
void hy_session_manual_commit(
    struct hy_session_manual *session, const struct hy_url_array *old_peers);

#endif
