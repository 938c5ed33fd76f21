/* session/session_direct_internal.h - what the direct session is made of. Of its files alone.
 *
 *   session_direct.c   the requests and the session: who asked, who is told, who gives back
 *   direct_peer.c      the channels: dial, shake hands, keep, close
 *   direct_search.c    discovery of a node without slots: a client of the session
 *
 * session_direct.h has the two tables. */
#ifndef HY_SESSION_SESSION_DIRECT_INTERNAL_H
#define HY_SESSION_SESSION_DIRECT_INTERNAL_H

#include "channel/connector.h"
#include "session/direct_search.h"

#define HY_DIRECT_TARGET "net::session_direct"

TAILQ_HEAD(hy_direct_requests, hypha_direct);

enum hy_direct_peer_state {
    HY_PEER_PENDING,
    HY_PEER_DIALLING,
    HY_PEER_HANDSHAKE,
    HY_PEER_CONNECTED,
    HY_PEER_CLOSING
};

struct hy_direct_peer {
    struct hy_session_direct *session;
    struct hypha_url *url;
    enum hy_direct_peer_state state;
    struct hy_timer pending;
    struct hy_connector connector;
    struct hypha_channel *channel; /* a reference, from HANDSHAKE on */
    struct hy_membership membership;
    struct hy_direct_requests waiting;
    struct hy_direct_requests usages; /* READY and USED; none: nobody needs the channel */
    LIST_ENTRY(hy_direct_peer) entry;
};

enum hy_direct_request_state {
    HY_REQUEST_WAITING,
    HY_REQUEST_PAUSED,
    HY_REQUEST_READY,
    HY_REQUEST_FAILED,
    HY_REQUEST_USED
};

struct hypha_direct {
    struct hy_session_direct *session;
    struct hypha_url *url;
    enum hy_direct_request_state state;
    unsigned retries; /* left */
    hypha_direct_cb cb;
    void *user;
    enum hypha_err err;            /* FAILED */
    struct hy_direct_peer *peer;   /* WAITING; READY and USED while it is one of this session */
    struct hypha_channel *channel; /* a reference, READY and USED */
    struct hy_timer timer;
    struct hy_direct_requests *list; /* that it is in */
    TAILQ_ENTRY(hypha_direct) entry;
};

struct hy_session_direct {
    struct hy_net *net;
    bool started;
    bool has_slots; /* at the start */
    LIST_HEAD(, hy_direct_peer) peers;
    struct hy_direct_requests
        loose; /* those of no peer: HY_REQUEST_PAUSED, FAILED, channels of others or stopped */
    struct hy_defer done;
    hy_session_stopped_cb on_stopped;
    void *user;
    struct hy_direct_search search;
};

/* ---- session_direct.c ---- */

void hy_direct_request_move(struct hypha_direct *request, struct hy_direct_requests *list);
/* This try is over: another one later, if `may_try_soon` and retries are left, or the answer in the
 * next turn. */
#define HY_DIRECT_REFUSED      false
#define HY_DIRECT_MAY_TRY_SOON true
void hy_direct_request_failed(struct hypha_direct *request, enum hypha_err err, bool may_try_soon);
/* The channel is there: counted now, told in the next turn.
 *  peer  NULL: the channel is another session's */
void hy_direct_request_serve(
    struct hypha_direct *request, struct hy_direct_peer *peer, struct hypha_channel *channel);

/* ---- direct_peer.c ---- */

struct hy_direct_peer *hy_direct_peer_find(
    const struct hy_session_direct *session, const struct hypha_url *url);
/* To be dialled in the next turn. Errors: NOMEM. */
enum hypha_err hy_direct_peer_create(
    struct hy_session_direct *session, struct hypha_url *url, struct hy_direct_peer **ret_peer);
/* Serve the request, now or when the peer is connected. */
void hy_direct_peer_join(struct hy_direct_peer *peer, struct hypha_direct *request);
/* Nobody needs it, or the node stops. A PENDING one is gone afterwards. */
void hy_direct_peer_close(struct hy_direct_peer *peer);
void hy_direct_peer_close_if_unused(struct hy_direct_peer *peer);

#endif
