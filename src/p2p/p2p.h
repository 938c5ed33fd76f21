/* p2p/p2p.h - the node's struct, for the files that it is made of.
 *
 *   p2p_create.c   from settings to a stopped node, and back to nothing
 *   p2p.c          start and stop: the order of the sessions
 *   p2p_run.c      a loop of its own, and the signals that end it
 *   p2p_network.c  broadcast, channels, slots, hosts, events
 *   p2p_info.c     what each slot and discovery do, and why
 *   p2p_reload.c   other settings while running
 *   p2p_direct.c   channels on demand
 *   p2p_bans.c     ban, unban, list
 */
#ifndef HY_P2P_P2P_H
#define HY_P2P_P2P_H

#include "channel/net.h"
#include "protocol/protocol.h"
#include "session/session_direct.h"
#include "session/session_inbound.h"
#include "session/session_manual.h"
#include "session/session_outbound.h"
#include "session/session_refine.h"
#include "session/session_seedsync.h"
#include <hypha/p2p.h>

/* In the order in which a life passes through them. */
enum hy_p2p_state {
    HY_P2P_STOPPED,
    HY_P2P_STARTING, /* until every listener is bound */
    HY_P2P_RUNNING,
    HY_P2P_STOPPING_MANUAL,
    HY_P2P_STOPPING_INBOUND,
    HY_P2P_STOPPING_OUTBOUND,
    HY_P2P_STOPPING_SEEDSYNC,
    HY_P2P_STOPPING_REFINE,
    HY_P2P_STOPPING_DIRECT,
    HY_P2P_STOPPING_CHANNELS,
    HY_P2P_STATES,
};

struct hypha_p2p {
    struct hypha_loop *loop;
    bool owns_loop;
    struct hy_resolved_settings *settings;
    struct hy_net net;
    struct hy_core core;
    struct hy_registration registrations[HY_MAX_PROTOCOLS];
    size_t registration_count;

    enum hy_p2p_state state;
    bool started_once;
    enum hypha_err why; /* what ends, or ended, the node */
    hypha_p2p_started_cb on_started;
    hypha_p2p_stopped_cb on_stopped;
    void *user;

    /* Between start and stop only. */
    struct hy_session_manual *manual;
    struct hy_session_inbound *inbound;
    struct hy_session_outbound *outbound;
    struct hy_session_seedsync *seedsync;
    struct hy_session_refine *refine;
    struct hy_session_direct *direct;

    uint64_t getaddr_rounds, seed_rounds; /* of all lives */
    struct hy_timer save;
    struct hy_defer finish;
    struct hy_wake interrupt;
    char source_text[HY_SESSION_TEXT_BYTES + 8];
};

/* hypha_p2p_create() with other transports than tcp and tcp+tls, for simulated networks.
 *  transports  the node's from success on, at most HY_MAX_TRANSPORTS
 *  Errors: also LIMIT. */
enum hypha_err hy_p2p_create_with(struct hypha_loop *loop, struct hypha_settings *settings,
    struct hy_transport *const *transports, size_t count, struct hypha_p2p **ret_p2p);

/* One round of discovery: `ask` every peer; how many were asked. */
size_t hy_p2p_ask_peers(
    struct hypha_p2p *p2p, enum hypha_err (*ask)(struct hypha_channel *channel));
/* Another: wake some seeds; how many began. user: the node. */
size_t hy_p2p_seed_some(void *user);
/* The direct session, with what it needs from the node. Errors: NOMEM. */
enum hypha_err hy_p2p_create_direct(struct hypha_p2p *p2p);

/* 0 when nothing is left of a stopped node: busy hosts, channels, what still sends. For tests. */
size_t hy_p2p_leftovers(const struct hypha_p2p *p2p);
enum hy_p2p_state hy_p2p_state(const struct hypha_p2p *p2p);

#endif
