/* channel/channel.h - a channel as sessions and core protocols see it.
 *
 *   state      event                       next
 *   NEW        hy_channel_start()          HANDSHAKE  attach protocols, read, flush
 *   NEW        stop                        STOPPED
 *   HANDSHAKE  version protocol satisfied  READY      owner's on_ready: registration
 *   HANDSHAKE  timeout, error, stop        STOPPING
 *   READY      hy_channel_run()            RUNNING    protocols' on_start, queued messages
 *   READY      error, stop                 STOPPING
 *   RUNNING    error, violation, stop      STOPPING   nothing is read or queued any more
 *   STOPPING   end of this turn            STOPPED    subscribers told, clean-up, untracked;
 *                                                     the stream closes when a frame begun on
 *                                                     the wire is out, or after a second
 *
 * Stopping is signalled at once and told at the end of the turn, so it is safe from inside
 * any callback. spec: wire.md#5-channel-lifecycle, network.md#5-channel */
#ifndef HY_CHANNEL_CHANNEL_H
#define HY_CHANNEL_CHANNEL_H

#include "channel/net.h"
#include <hypha/channel.h>

enum hy_channel_state {
    HY_CHANNEL_NEW,
    HY_CHANNEL_HANDSHAKE,
    HY_CHANNEL_READY,
    HY_CHANNEL_RUNNING,
    HY_CHANNEL_STOPPING,
    HY_CHANNEL_STOPPED,
    HY_CHANNEL_STATES,
};

/* The session that opened it. Both on the loop's thread, never from inside a channel call.
 * on_ready at most once; on_stopped exactly once after a successful start, after the
 * protocols' on_stop; the owner may unref in it. */
struct hy_channel_owner {
    void (*on_ready)(struct hypha_channel *channel, void *user);
    void (*on_stopped)(struct hypha_channel *channel, enum hypha_err why, void *user);
};

struct hy_stop_subscriber {
    void (*cb)(struct hypha_channel *channel, enum hypha_err why, void *user);
    void *user;
    TAILQ_ENTRY(hy_stop_subscriber) entry;
};

/* A new channel around a READY stream, which it owns from now on (also on error).
 *  connect_addr  canonical, as configured, learned or accepted
 *  resolve_addr  endpoint dialled; NULL if accepted
 *  ret_channel   one reference
 *  Errors: NOMEM. */
enum hypha_err hy_channel_create(struct hy_net *net, enum hypha_session session,
    struct hy_stream *stream, struct hypha_url *connect_addr, struct hypha_url *resolve_addr,
    bool mixed, struct hypha_channel **ret_channel);

/* Track it, attach its protocols, start the handshake's clock, read. The channel holds a
 * reference to itself until it has stopped.
 *  Errors: STATE, NETWORK_STOPPED, CHANNEL_STOPPED, NOMEM, those of on_attach: the channel is
 *  then stopped and no owner callback comes. */
enum hypha_err hy_channel_start(
    struct hypha_channel *channel, const struct hy_channel_owner *owner, void *user);
/* The version protocol: both halves are done. */
void hy_channel_handshake_done(struct hypha_channel *channel);
/* After registration: start the protocols in order and hand on what arrived early. */
void hy_channel_run(struct hypha_channel *channel);

/* Stop with a reason. */
void hy_channel_stop_for(struct hypha_channel *channel, enum hypha_err why);
/* The peer broke a rule: apply hy_violation_judge()'s outcome. */
void hy_channel_violation(struct hypha_channel *channel, enum hypha_err what);
/* The peer did what alone breaks no rule: thousandths of a point (hy_hosts_offend()). When it is
 * enough: ban and stop; under the relaxed policy only stop. */
void hy_channel_offence(struct hypha_channel *channel, uint64_t milli, enum hypha_err what);

/* The whole table of wire.md 2.2 as amended by its section 8, pure. */
struct hy_violation {
    bool close;
    bool ban;  /* under the strict policy */
    bool skip; /* refine: read on behind the payload */
};
struct hy_violation hy_violation_judge(
    enum hypha_err what, enum hypha_session session, bool relaxed);

/* CHANNEL_STOPPED if it is: the callback then never comes. Subscribers hear it once, at the
 * end of the turn, in the order of subscription, after the protocols and before the owner. */
enum hypha_err hy_channel_subscribe_stop(
    struct hypha_channel *channel, struct hy_stop_subscriber *subscriber);
void hy_channel_unsubscribe_stop(
    struct hypha_channel *channel, struct hy_stop_subscriber *subscriber);

/* A frame encoded once for several channels. Counted. */
struct hy_frame;
/* Errors: those of `write`; LIMIT. */
enum hypha_err hy_frame_create(struct hy_net *net, const struct hypha_message_type *type,
    const void *message, struct hy_frame **ret_frame);
void hy_frame_unref(struct hy_frame *frame);
/* As hypha_channel_send(), but not refused when an application has filled the queue: for the few
 * messages that a peer waits for (version, verack, ping, pong). AGAIN only 64 KiB later. */
enum hypha_err hy_channel_send_urgent(
    struct hypha_channel *channel, const struct hypha_message_type *type, const void *message);
/* As hypha_channel_send(). */
enum hypha_err hy_channel_send_frame(struct hypha_channel *channel, struct hy_frame *frame);

/* ---- fields, for sessions and core protocols ---- */

struct hy_net *hy_channel_net(const struct hypha_channel *channel);
enum hy_channel_state hy_channel_state(const struct hypha_channel *channel);
struct hypha_url *hy_channel_connect_addr(const struct hypha_channel *channel);
/* NULL if accepted. */
struct hypha_url *hy_channel_resolve_addr(const struct hypha_channel *channel);
bool hy_channel_is_mixed(const struct hypha_channel *channel);
/* connect_addr if mixed or inbound, else resolve_addr. */
struct hypha_url *hy_channel_address(const struct hypha_channel *channel);
/* By hypha_channel_pause(): the peer is not heard. */
bool hy_channel_is_paused(const struct hypha_channel *channel);
/* Drop received messages of this type that metering still holds back. */
void hy_channel_discard(struct hypha_channel *channel, const struct hypha_message_type *type);
bool hy_channel_is_registered(const struct hypha_channel *channel);
void hy_channel_set_registered(struct hypha_channel *channel, bool registered);
void hy_channel_set_round_trip_us(struct hypha_channel *channel, uint64_t us);
/* When the peer last gave us something: addresses that were new, an application's message.
 * Monotonic; 0: never. */
uint64_t hy_channel_useful_ms(const struct hypha_channel *channel);
void hy_channel_was_useful(struct hypha_channel *channel);
/* What the peer said in its version and verack: copied. Errors: NOMEM. */
enum hypha_err hy_channel_set_peer(
    struct hypha_channel *channel, struct hypha_span app_name, const struct hy_semver *version);
enum hypha_err hy_channel_add_peer_address(struct hypha_channel *channel, struct hypha_url *url);
/* The state of an attached protocol; NULL if it isn't attached. */
void *hy_channel_protocol_state(
    const struct hypha_channel *channel, const struct hypha_protocol *protocol);

#endif
