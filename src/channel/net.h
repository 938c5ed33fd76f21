/* channel/net.h - what all channels of one node share.
 *
 * The p2p object fills it and owns what it points to; every room from here on borrows it. */
#ifndef HY_CHANNEL_NET_H
#define HY_CHANNEL_NET_H

#include "base/log.h"
#include "channel/dispatch.h"
#include "events/events.h"
#include "hosts/hosts.h"
#include "loop/loop.h"
#include "settings/settings.h"
#include "transport/transport.h"

#define HY_MAX_TRANSPORTS 16

TAILQ_HEAD(hy_channel_list, hypha_channel);

struct hy_net {
    struct hypha_loop *loop;
    const struct hy_resolved_settings *settings;
    struct hy_hosts *hosts;
    struct hy_log log;
    struct hy_events events;
    struct hy_transport *transports[HY_MAX_TRANSPORTS];
    size_t transport_count;
    struct hy_dispatch *dispatch; /* counted; built at start from the protocols */

    bool stopping;                   /* refuse new channels, registration, broadcasts */
    struct hy_channel_list channels; /* every started channel, also in its handshake */
    size_t channel_count;
    size_t peers_count;          /* registered, but seed and refine */
    uint64_t last_connection_ms; /* monotonic; of the newest registration */
    struct hypha_channel *by_id; /* map; every channel from its creation until it stopped */
    struct hy_block_pool *pool;  /* buffers that only busy channels hold: outbox.h */
    struct hypha_writer scratch; /* where messages are encoded */
    /* By session's bit, then command index: of channels that have stopped. NULL: there was none. */
    struct hypha_traffic *totals[6];
    /* Stopped channels whose stream still sends the rest of a frame, a second at most. */
    struct hy_channel_list lingering;
    size_t lingering_count;

    /* Upwards, set by the p2p object; user = the p2p object. May be NULL. */
    void *user;
    void (*on_registered)(void *user, struct hypha_channel *channel);
    /* A channel left `channels` (its subscribers and owner have been told), or `lingering`.
     * All is over when channel_count and lingering_count are 0. Never from inside a call. */
    void (*on_channel_gone)(void *user);
};

/* Zeroes the struct and makes what is the channels' own (lists, pool); the rest is to be filled
 * in. Errors: NOMEM. */
enum hypha_err hy_net_init(struct hy_net *net);
/* Close what still lingers (on_channel_gone does not come) and free what init made; gives back
 * the dispatch reference. Channels must all have stopped. NULL or zeroed does nothing. */
void hy_net_fini(struct hy_net *net);

/* A channel by its id, in any state but stopped; NULL: none. */
struct hypha_channel *hy_net_channel(const struct hy_net *net, uint32_t id);
/* Walk `channels`: the first with NULL; NULL at the end. Stopping channels meanwhile is fine:
 * they leave the list at the end of the turn. */
struct hypha_channel *hy_net_next_channel(
    const struct hy_net *net, const struct hypha_channel *after);
/* hy_channel_stop_for() all of them. */
void hy_net_stop_channels(struct hy_net *net, enum hypha_err why);

/* What came and went, by command, also over channels that are gone. Without memory: nothing. */
void hy_net_each_command(const struct hy_net *net, hypha_command_cb each, void *user);

/* The transport of a scheme; NULL: none. */
struct hy_transport *hy_net_transport(const struct hy_net *net, const char *scheme);

#endif
