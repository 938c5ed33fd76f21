/* session/session_direct.h - channels on demand, kept as long as somebody uses them.
 *
 *   peer       event               next
 *   PENDING    at once, or 5 s     DIALLING   the host is ours: Connect
 *              after the refinery  PENDING    the refinery has it
 *              had the host        gone       it is used otherwise: all who wait are told
 *   DIALLING   transport up        HANDSHAKE
 *   DIALLING   failed              gone       all who wait are told; host Free, lists untouched
 *   HANDSHAKE  version exchanged   CONNECTED  registered; a usage for each who waits
 *   HANDSHAKE  channel stopped     gone       as a failed dial
 *   CONNECTED  channel stopped     gone       not dialled again
 *   PENDING    nobody waits        gone
 *   others     nobody waits or     CLOSING    the dial or the channel is stopped
 *              uses it, stop
 *   CLOSING    it has ended        gone, or DIALLING for those who came meanwhile
 *
 *   request    event               next
 *   WAITING    the peer connected  READY      its usage counts from here on
 *   WAITING    the peer failed     PAUSED     with retries left: outbound_connect_timeout
 *                                  FAILED
 *   PAUSED     timer               WAITING, READY or FAILED
 *   READY      next turn           USED       told
 *   FAILED     next turn           gone       told
 *   USED       release             gone
 *   any        stop                gone       told NETWORK_STOPPED, unless USED: not told
 *
 * A request is one usage once it is told its channel, and holds a reference to it until it is
 * given back, so a channel that stopped by itself can still be given back. An address that one of
 * the other sessions has a channel to (not seed, not refine) is served by that channel.
 * spec: network.md#78-direct-on-demand */
#ifndef HY_SESSION_SESSION_DIRECT_H
#define HY_SESSION_SESSION_DIRECT_H

#include "session/session.h"
#include <hypha/p2p.h>

/* What discovery needs from its node. */
struct hy_direct_hooks {
    void *user;
    /* Send getaddr to all peers; how many it went to. */
    size_t (*ask_peers)(void *user);
    /* Wake some seed slots; how many began. The end of the round comes by
     * hy_session_direct_seeded(). */
    size_t (*seed)(void *user);
};

struct hy_session_direct;

/* Errors: NOMEM. */
enum hypha_err hy_session_direct_create(struct hy_net *net, const struct hy_direct_hooks *hooks,
    struct hy_session_direct **ret_session);
void hy_session_direct_start(struct hy_session_direct *session);
/* Every request that is not told yet hears NETWORK_STOPPED from inside this call: the node calls
 * it from its own stages only. */
void hy_session_direct_stop(
    struct hy_session_direct *session, hy_session_stopped_cb on_stopped, void *user);
void hy_session_direct_destroy(struct hy_session_direct *session);

/* The callback's p2p is net->user.
 *  url  canonical
 *  Errors: NETWORK_STOPPED unless started; NOMEM. Later, by callback: as hypha_p2p_get_channel().
 *  What can't change soon (a seed, an own address, banned, undialable) is not tried again. */
enum hypha_err hy_session_direct_get(struct hy_session_direct *session, struct hypha_url *url,
    unsigned retries, hypha_direct_cb cb, void *user, struct hypha_direct **ret_request);
/* True: it was the last usage, and the channel stops. `channel` is only compared. */
bool hy_session_direct_release(
    struct hy_session_direct *session, const struct hypha_channel *channel);
/* Usages of a channel, also of one that waits to be told. For tests. */
size_t hy_session_direct_usages(
    const struct hy_session_direct *session, const struct hypha_channel *channel);

/* Nothing happens if there were outbound slots at the start, or if it runs already.
 * Errors: NETWORK_STOPPED. */
enum hypha_err hy_session_direct_discover(struct hy_session_direct *session);
/* Every seed slot has ended its run. */
void hy_session_direct_seeded(struct hy_session_direct *session);
/* A peer of any session was registered. */
void hy_session_direct_peer(struct hy_session_direct *session);
/* What hypha_p2p_discovery() tells of a node without slots; the counts of rounds are the node's. */
void hy_session_direct_discovery_info(
    const struct hy_session_direct *session, struct hypha_discovery_info *ret_info);
/* It was started: the info above is the one to show. */
bool hy_session_direct_is_discovering(const struct hy_session_direct *session);

#endif
