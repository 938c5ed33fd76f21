/* channel/channel_internal.h - the channel's struct, for the files that it is made of.
 *
 *   channel.c          create, start, states, fields
 *   channel_receive.c  bytes to messages to protocols
 *   channel_send.c     messages to bytes, flush
 *   channel_stop.c     violations, stop, the rest of a frame
 *   channel_stats.c    what came and went, the handshake's event
 *
 * One deferred call per channel does what is left for the end of the turn: finish a stop, or
 * go on reading, then flush. */
#ifndef HY_CHANNEL_CHANNEL_INTERNAL_H
#define HY_CHANNEL_CHANNEL_INTERNAL_H

#include "base/map.h"
#include "channel/channel.h"
#include "channel/flow.h"
#include "channel/framing.h"
#include "channel/outbox.h"

#define HY_MAX_PEER_ADDRESSES 32
#define HY_LINGER_MS          1000

TAILQ_HEAD(hy_stop_list, hy_stop_subscriber);

struct hypha_channel {
    unsigned refs;
    uint32_t id;
    struct hy_net *net;
    enum hypha_session session;
    enum hy_channel_state state;
    enum hypha_err why; /* from STOPPING on */

    bool mixed;
    bool registered;
    bool tracked;        /* in net->channels */
    bool lingers;        /* in net->lingering */
    bool reading;        /* the stream delivers */
    bool receive_full;   /* reading waits until the kept messages are fewer */
    bool blocked;        /* the stream takes no more until on_writable */
    bool wants_writable; /* somebody was told AGAIN */
    bool catch_up;       /* at the end of the turn: hand on, read on */
    unsigned pauses;

    struct hy_stream *stream; /* NULL once closed */
    struct hypha_url *connect_addr, *resolve_addr;
    uint64_t start_time_s;
    uint64_t round_trip_us;
    uint64_t useful_ms; /* monotonic; 0: never */
    char *peer_app_name, *peer_version;
    struct hypha_url **peer_addresses;
    size_t peer_address_count;

    struct hy_dispatch *dispatch; /* from start on */
    const struct hy_dispatch_session *commands;
    void **protocol_states;
    struct hypha_traffic *traffic; /* by command index */
    size_t attached;               /* protocols, the first so many */
    const struct hy_channel_owner *owner;
    void *owner_user;
    struct hy_stop_list subscribers;

    /* receive */
    struct hy_framing framing;
    const struct hy_command *incoming; /* whose payload is being read */
    uint8_t *unread;                   /* the rest of a read that a pause cut off */
    size_t unread_at, unread_len;
    uint64_t arrivals;
    uint64_t receive_total; /* of all receive meters, expired entries included */
    size_t kept_bytes, kept_count;

    /* send */
    struct hy_outbox outbox;
    const struct hy_command *outgoing; /* the last one sent: most often the next too */
    size_t delayed_bytes, delayed_count;

    struct hy_flow *flows; /* by command index; NULL until one is needed */
    struct hy_timer delay; /* the first kept or delayed message */
    struct hy_timer clock; /* HANDSHAKE: its timeout; STOPPED: the linger's */
    uint64_t linger_until_ms;
    struct hy_defer turn_end;

    TAILQ_ENTRY(hypha_channel) entry;
    UT_hash_handle hh;
};

static inline bool hy_channel_is_live(const struct hypha_channel *channel)
{
    return channel->state >= HY_CHANNEL_HANDSHAKE && channel->state <= HY_CHANNEL_RUNNING;
}

/* channel.c */
/* The command's flow; NULL: no memory. */
struct hy_flow *hy_channel_flow(struct hypha_channel *channel, const struct hy_command *command);
/* Arm the timer for the first message that waits for a time. */
void hy_channel_schedule(struct hypha_channel *channel);
/* Which messages are handed on in this state? */
bool hy_channel_may_deliver(const struct hypha_channel *channel, const struct hy_command *command);

/* channel_stats.c */
/* Begin to count. Errors: NOMEM. */
enum hypha_err hy_channel_count_traffic(struct hypha_channel *channel);
/* What it did is remembered by its node. */
void hy_channel_add_traffic(struct hypha_channel *channel);
/* Tell of the end of the handshake. */
void hy_channel_tell_handshake(struct hypha_channel *channel, enum hypha_err err);

/* channel_receive.c */
void hy_channel_receive(struct hypha_channel *channel, struct hypha_span bytes);
/* Hand on what is due, then go on with what a pause left, then let the stream deliver. */
void hy_channel_catch_up(struct hypha_channel *channel);
void hy_channel_deliver_due(struct hypha_channel *channel);

/* channel_send.c */
void hy_channel_flush(struct hypha_channel *channel);
void hy_channel_send_due(struct hypha_channel *channel);

/* channel_stop.c */
/* As hy_channel_violation(), naming the command in the log. */
void hy_channel_violation_in(
    struct hypha_channel *channel, enum hypha_err what, struct hypha_span command);
void hy_channel_finish(struct hypha_channel *channel);
/* Write the rest; close when all is out. */
void hy_channel_linger(struct hypha_channel *channel);
/* Close now what lingers. */
void hy_channel_end_linger(struct hypha_channel *channel);

#endif
