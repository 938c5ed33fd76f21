/* session/session.h - what every session does with a channel once it has shaken hands.
 *
 * A session opens channels and decides when; the lists and the registry learn of them only
 * through the two functions here. All sessions have the same life:
 *
 *   create   allocates all that start and stop will need
 *   start    opens timers, dials, listeners
 *   stop     asynchronous, in any state, repeatable; `on_stopped` once for each call that
 *            began a stop, never from inside it: no channel, dial, timer of the session is left
 *   destroy  frees a session that never started or has stopped; NULL does nothing
 *
 * spec: network.md#71-common */
#ifndef HY_SESSION_SESSION_H
#define HY_SESSION_SESSION_H

#include "channel/channel.h"
#include "protocol/protocol.h"

typedef void (*hy_session_stopped_cb)(void *user);

/* A channel's place in the registry, in the struct of the session that owns it. Zeroed: none. */
struct hy_membership {
    bool registered;
    bool holds_host; /* the registry's Connected state is this channel's */
};

/* Called in a channel's on_ready: gold list and Connected state (by session), registry,
 * notification, then the protocols (hy_channel_run(); not in refine sessions).
 * Errors: NETWORK_STOPPED, NOMEM, HOST_BLOCKED, BANNED; the channel is then stopped.
 * spec: network.md#5-channel */
enum hypha_err hy_session_register(struct hypha_channel *channel, struct hy_membership *membership);
/* Called in a channel's on_stopped: lists and state by session, "disconnected" if the last peer
 * left. A channel that was never registered is none of its business: nothing happens.
 * why CHANNEL_STOPPED or NETWORK_STOPPED: our own doing. */
void hy_session_unregister(
    struct hypha_channel *channel, struct hy_membership *membership, enum hypha_err why);

/* Publish an event about a channel, if anybody listens. */
void hy_session_publish(
    struct hypha_channel *channel, enum hypha_event_type type, enum hypha_err err);

/* An owner gives its channel back, in on_stopped: a member leaves, the host of one that never was
 * is free again, and so is the reference.
 *  host  NULL: its state is not the caller's */
void hy_session_give_back(struct hypha_channel **channel, struct hy_membership *membership,
    const struct hypha_url *host, enum hypha_err why);

/* Publish HYPHA_EVENT_SLOT, if anybody listens: what `slot` holds but the text. */
void hy_session_publish_slot(struct hy_net *net, const struct hypha_slot_info *slot);

/* Of the line that a channel is lost: a ban was told already, by the channel. */
enum hypha_log_level hy_session_loss_level(const struct hy_net *net, const struct hypha_url *addr);

/* We ended it, not the peer and not the network. */
bool hy_session_is_own_stop(enum hypha_err why);

/* An attempt failed for want of something here (memory, descriptors, a stop): the host is not to
 * blame. */
bool hy_session_is_own_fault(enum hypha_err why);

/* For a log line: without credentials and query; "?" for NULL. Returns `into`. */
#define HY_SESSION_TEXT_BYTES 300
const char *hy_session_text(const struct hypha_url *url, char into[HY_SESSION_TEXT_BYTES]);

/* The pause after `failures` failures in a row (1 or more): `first_ms` doubling to `last_ms`. */
uint64_t hy_backoff_ms(unsigned failures, uint64_t first_ms, uint64_t last_ms);

struct hy_session_manual;
struct hy_session_inbound;
struct hy_session_outbound;
struct hy_session_seedsync;
struct hy_session_refine;
struct hy_session_direct;

#endif
