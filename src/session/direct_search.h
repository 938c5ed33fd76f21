/* session/direct_search.h - do what direct_discovery.h decides: a node without slots finds peers.
 *
 * Embedded in the direct session, whose client it is: a round's channel is one usage like any
 * other's, given back at the end of the round. spec: network.md#78-direct-on-demand */
#ifndef HY_SESSION_DIRECT_SEARCH_H
#define HY_SESSION_DIRECT_SEARCH_H

#include "session/direct_discovery.h"
#include "session/session_direct.h"

struct hy_direct_search {
    struct hy_session_direct *session;
    struct hy_net *net;
    struct hy_direct_hooks hooks;
    bool watching;
    struct hy_direct_discovery discovery;
    struct hy_timer timer;
    struct hy_hosts_watch watch;
    struct hypha_direct *round;    /* newchan, until it is told */
    struct hypha_channel *channel; /* the round's usage; borrowed from it */
};

void hy_direct_search_init(struct hy_direct_search *search, struct hy_session_direct *session,
    struct hy_net *net, const struct hy_direct_hooks *hooks);
/* Running already: nothing happens. */
void hy_direct_search_start(struct hy_direct_search *search);
/* The round's channel is given back, its dial cancelled. Not running: nothing happens. */
void hy_direct_search_stop(struct hy_direct_search *search);
/* SEEDED and PEER come from outside. Not running: nothing happens. */
void hy_direct_search_feed(struct hy_direct_search *search, enum hy_direct_discovery_event event);
/* All but the counts of rounds. */
void hy_direct_search_info(
    const struct hy_direct_search *search, struct hypha_discovery_info *ret_info);

#endif
