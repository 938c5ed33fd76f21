/* hypha/p2p.h - one node of a network: create, start, stop, destroy.
 *
 * Threads: call on the loop's thread unless told "any thread". Callbacks come on
 * that thread too, never from inside the call that causes them. */
#ifndef HYPHA_P2P_H
#define HYPHA_P2P_H

#include <hypha/api.h>
#include <hypha/channel.h>
#include <hypha/err.h>
#include <hypha/events.h>
#include <hypha/loop.h>
#include <hypha/protocol.h>
#include <hypha/settings.h>
#include <hypha/url.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

HYPHA_BEGIN_DECLS

struct hypha_p2p;

/** Every inbound address is bound, every session runs; no peer is promised. */
typedef void (*hypha_p2p_started_cb)(struct hypha_p2p *p2p, void *user);

/** The last channel, timer and socket is gone: start again or destroy, even in here (but not from
 *  inside a loop of the node's own).
 *  `why`: HYPHA_OK after hypha_p2p_stop(), else what ended the node. */
typedef void (*hypha_p2p_stopped_cb)(struct hypha_p2p *p2p, enum hypha_err why, void *user);

/** Make a stopped node; touch no network. Creates the datastore folder, mode 0700.
 *  loop      borrowed, outlives the node; NULL: own one, for hypha_p2p_run().
 *  settings  copied.
 *  ret_p2p   the caller's until hypha_p2p_destroy(); untouched on error.
 *  Errors: NOMEM, SYSTEM, ACCESS, SETTINGS (hypha_settings_why() names the culprit). */
HYPHA_API HYPHA_CHECKED enum hypha_err hypha_p2p_create(
    struct hypha_loop *loop, struct hypha_settings *settings, struct hypha_p2p **ret_p2p);

/** Add a protocol, in order, before the first start.
 *  protocol  borrowed, constant, outlives the node
 *  app       handed to its callbacks
 *  Errors: NOMEM; STATE once started; EXISTS if a command is already taken on one of its
 *  sessions; INVALID if the table is not usable; LIMIT: too many protocols or commands. */
HYPHA_API HYPHA_CHECKED enum hypha_err hypha_p2p_register(
    struct hypha_p2p *p2p, const struct hypha_protocol *protocol, void *app);

/** Start manual, inbound, outbound, then the other sessions; none waits for a peer.
 *  Error: nothing began, no callback comes. HYPHA_OK: `on_stopped` comes exactly once,
 *  `on_started` at most once, before it. A start that fails later is undone first.
 *  Errors: NOMEM, STATE unless stopped. Later: what kept a listener from being bound:
 *  ADDR_IN_USE, ADDR_NOT_AVAILABLE, ACCESS, RESOLVE, UNSUPPORTED_TRANSPORT, NOMEM... */
HYPHA_API HYPHA_CHECKED enum hypha_err hypha_p2p_start(struct hypha_p2p *p2p,
    hypha_p2p_started_cb on_started, hypha_p2p_stopped_cb on_stopped, void *user);

/** Stop manual, inbound, outbound, the rest, then every channel; then tell `on_stopped`.
 *  In any state, any number of times; cancels a start. Cannot fail; saves the hostlist first,
 *  and logs it if that fails. */
HYPHA_API void hypha_p2p_stop(struct hypha_p2p *p2p);

/** hypha_p2p_stop() for any thread or a signal handler. */
HYPHA_API void hypha_p2p_interrupt(struct hypha_p2p *p2p);

/** Start, turn the node's own loop until it has stopped, return why. Blocks.
 *  Meanwhile SIGINT, SIGTERM and SIGQUIT stop the node.
 *  Errors: all of hypha_p2p_start(); STATE if the loop is borrowed. */
HYPHA_API HYPHA_CHECKED enum hypha_err hypha_p2p_run(struct hypha_p2p *p2p);

/** Free a stopped node. NULL does nothing; a running one is logged and leaked. */
HYPHA_API void hypha_p2p_destroy(struct hypha_p2p *p2p);

/** The node's loop, borrowed. */
HYPHA_API struct hypha_loop *hypha_p2p_loop(const struct hypha_p2p *p2p);

/** Send to all peers (registered channels but seed and refine) whose session has the type;
 *  the message is encoded once. A peer whose queue is full is skipped.
 *  ret_sent  how many channels took it; may be NULL
 *  Errors: NETWORK_STOPPED, LIMIT, NOMEM, those of the type's `write`. No peers: HYPHA_OK. */
HYPHA_API HYPHA_CHECKED enum hypha_err hypha_p2p_broadcast(struct hypha_p2p *p2p,
    const struct hypha_message_type *type, const void *message, size_t *ret_sent);

/** The same to those for which `wanted` says true. */
HYPHA_API HYPHA_CHECKED enum hypha_err hypha_p2p_broadcast_to(struct hypha_p2p *p2p,
    const struct hypha_message_type *type, const void *message,
    bool (*wanted)(struct hypha_channel *channel, void *user), void *user, size_t *ret_sent);

/** Registered channels but seed and refine. */
HYPHA_API size_t hypha_p2p_peers_count(const struct hypha_p2p *p2p);

/** Call `each` for every registered channel of any session; it may stop channels. */
HYPHA_API void hypha_p2p_each_channel(
    struct hypha_p2p *p2p, void (*each)(struct hypha_channel *channel, void *user), void *user);

/** The registered channel of that id, borrowed; NULL if there is none. */
HYPHA_API struct hypha_channel *hypha_p2p_channel(struct hypha_p2p *p2p, uint32_t id);

/** Outbound slots, and the channel id in each: 0 when empty or still shaking hands. */
HYPHA_API size_t hypha_p2p_slot_count(const struct hypha_p2p *p2p);
HYPHA_API uint32_t hypha_p2p_slot_channel(const struct hypha_p2p *p2p, size_t slot);

/** The address bound by listener `index`, with its real port; NULL past the last. */
HYPHA_API const struct hypha_url *hypha_p2p_listen_addr(const struct hypha_p2p *p2p, size_t index);

enum hypha_colour {
    HYPHA_COLOUR_GREY,
    HYPHA_COLOUR_WHITE,
    HYPHA_COLOUR_GOLD,
    HYPHA_COLOUR_BLACK,
    HYPHA_COLOUR_DARK,
    HYPHA_COLOURS,
};

/** Walk one host list, newest first. The callback must not change lists. */
HYPHA_API void hypha_p2p_each_host(const struct hypha_p2p *p2p, enum hypha_colour colour,
    void (*each)(const struct hypha_url *url, uint64_t last_seen, void *user), void *user);

/** Keep a channel to one more peer as if it were configured: dialled at once, and again after a
 *  pause whenever it is lost, until disconnected or the node stops. Does not wait.
 *  Errors: NETWORK_STOPPED unless started; EXISTS; BAD_ADDRESS without host or port;
 *  UNSUPPORTED_TRANSPORT: no active profile leads there; NOMEM. */
HYPHA_API HYPHA_CHECKED enum hypha_err hypha_p2p_connect(
    struct hypha_p2p *p2p, const struct hypha_url *url);
/** Stop the channel to such a peer, or to a configured one, and forget it until the next start.
 *  Errors: NOT_FOUND; NOMEM. */
HYPHA_API HYPHA_CHECKED enum hypha_err hypha_p2p_disconnect(
    struct hypha_p2p *p2p, const struct hypha_url *url);

/** Wake all seed slots; does not wait. */
HYPHA_API void hypha_p2p_seed(struct hypha_p2p *p2p);

/** Hear every event from now on, until unsubscribed or the node is destroyed. Survives stop and
 * start. Errors: NOMEM. */
HYPHA_API HYPHA_CHECKED enum hypha_err hypha_p2p_subscribe_events(
    struct hypha_p2p *p2p, hypha_event_cb cb, void *user);
/** Also from inside the callback. */
HYPHA_API void hypha_p2p_unsubscribe_events(struct hypha_p2p *p2p, hypha_event_cb cb, void *user);

HYPHA_END_DECLS

#endif
