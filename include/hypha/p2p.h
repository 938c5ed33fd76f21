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
/** The addresses that the node announces as its own now, 32 at most. Valid during the call. */
HYPHA_API void hypha_p2p_each_own_addr(
    const struct hypha_p2p *p2p, void (*each)(const struct hypha_url *url, void *user), void *user);

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

/* ---- direct channels: on demand, kept as long as somebody uses them ---- */

struct hypha_direct;
/** The end of one hypha_p2p_get_channel(), exactly once unless cancelled.
 *  channel  with HYPHA_OK: borrowed; one usage of it is the caller's, to be given back by
 *           hypha_p2p_release_channel(). It may stop by itself: it is not dialled again
 *  err      CONNECT_FAILED and causes, BANNED, UNSUPPORTED_TRANSPORT, HOST_BLOCKED,
 *           HANDSHAKE_TIMEOUT, VERSION, NETWORK_STOPPED, NOMEM... */
typedef void (*hypha_direct_cb)(
    struct hypha_p2p *p2p, enum hypha_err err, struct hypha_channel *channel, void *user);

/** A channel to this peer: one that is registered already (any session but seed and refine), one
 *  that is being made, or a new one of the direct session. The callback never comes from inside.
 *  retries  further tries, each outbound_connect_timeout after the one before; none for what can't
 *           change soon: seeds, own addresses (CONNECT_FAILED), banned, undialable ones
 *  ret_request  may be NULL; valid until the callback: for hypha_direct_cancel()
 *  Errors: NETWORK_STOPPED unless started; BAD_ADDRESS; NOMEM. Later, by callback: the others.
 *  spec: network.md#78-direct-on-demand */
HYPHA_API HYPHA_CHECKED enum hypha_err hypha_p2p_get_channel(struct hypha_p2p *p2p,
    const struct hypha_url *url, unsigned retries, hypha_direct_cb cb, void *user,
    struct hypha_direct **ret_request);
/** No callback any more; a dial that nobody else waits for ends. */
HYPHA_API void hypha_direct_cancel(struct hypha_direct *request);
/** One usage less; a direct channel without usages is stopped. True: it was the last.
 *  spec: network.md#78-direct-on-demand (cleanup_channel) */
HYPHA_API bool hypha_p2p_release_channel(struct hypha_p2p *p2p, struct hypha_channel *channel);
/** Find peers although there are no outbound slots: seeds, and getaddr over direct channels, with
 *  a long pause when nothing comes. Nothing happens with outbound slots. Until the node stops.
 *  Errors: NETWORK_STOPPED. */
HYPHA_API HYPHA_CHECKED enum hypha_err hypha_p2p_start_peer_discovery(struct hypha_p2p *p2p);

/* ---- other settings while running ---- */

#define HYPHA_RELOAD_TEXT_BYTES 512
/** Take over what can change while the node runs: outbound_connections (slots are added; removed
 *  ones close their channels), inbound_connections, peers, seeds, blacklist, known_peer_percent,
 *  disable_greys, ban_policy, external_addrs, getaddrs_max, the discovery, refinery and saving
 *  intervals, time_with_no_connections, the timeouts, log level (unless log is NULL).
 *  In any state, also inside an event; slots start and stop at the end of the turn. What did not
 *  change is left alone: a peer that was disconnected by hand stays so.
 *  settings     copied
 *  ret_restart  names of keys that differ but need a restart, separated by ", "; "" for none
 *  Errors, nothing changed: NOMEM, SETTINGS. */
HYPHA_API HYPHA_CHECKED enum hypha_err hypha_p2p_reload(struct hypha_p2p *p2p,
    struct hypha_settings *settings, char ret_restart[HYPHA_RELOAD_TEXT_BYTES]);

/* ---- bans ---- */

/** Blacklist an address (without port: all ports of scheme and host) and stop its channels.
 *  seconds  0: a day
 *  Errors: NOMEM; BAD_ADDRESS without host. */
HYPHA_API HYPHA_CHECKED enum hypha_err hypha_p2p_ban(
    struct hypha_p2p *p2p, const struct hypha_url *url, uint64_t seconds);
/** Also with its score and its group's ban. Errors: NOT_FOUND; STATE: it is in the configured
 *  blacklist. */
HYPHA_API HYPHA_CHECKED enum hypha_err hypha_p2p_unban(
    struct hypha_p2p *p2p, const struct hypha_url *url);
/** Valid during the call. */
struct hypha_ban {
    const struct hypha_url *url; /**< NULL: a whole network group */
    const char *group;           /**< of the address, or the one that is banned */
    uint64_t until_s;            /**< UNIX; 0: for ever (configured) */
    enum hypha_err why;          /**< BANNED: by hand, or by the configuration */
};
/** Every ban that holds now, the configured ones first. The callback must not change bans. */
HYPHA_API void hypha_p2p_each_ban(
    const struct hypha_p2p *p2p, void (*each)(const struct hypha_ban *ban, void *user), void *user);

/* ---- what the node does, and why ---- */

/** A place for a peer: an outbound slot, a configured peer, a seed. Valid during the call. */
struct hypha_slot_info {
    enum hypha_session session; /**< OUTBOUND, MANUAL or SEED */
    uint32_t slot;              /**< its number in this session, as in events */
    const char *state; /**< sleeping, dialling, handshake, connected, paused, idle, stopped */
    uint64_t since_ms; /**< how long it has been so */
    const struct hypha_url *addr;      /**< who is, or will be, dialled; NULL: nobody */
    uint32_t channel_id;               /**< 0: none */
    enum hypha_err last_err;           /**< why the last try or channel ended; HYPHA_OK: none did */
    const struct hypha_url *last_addr; /**< whose; NULL: none */
    unsigned failures;                 /**< in a row */
    uint64_t next_ms;                  /**< until the next try; 0: waits for something else */
    const char *waits_for;             /**< a short text for people; "" when connected */
};
HYPHA_API void hypha_p2p_each_slot(const struct hypha_p2p *p2p,
    void (*each)(const struct hypha_slot_info *slot, void *user), void *user);

struct hypha_discovery_info {
    const char *state;     /**< stopped, idle, getaddr, seed, resting, sleep, newchan */
    unsigned failures;     /**< fruitless rounds of getaddr in a row */
    uint64_t next_ms;      /**< until it goes on by itself; 0: when it is needed */
    uint64_t seed_wait_ms; /**< until the seeds may be asked again */
    uint64_t getaddr_rounds, seed_rounds; /**< since the node was made */
};
HYPHA_API void hypha_p2p_discovery(
    const struct hypha_p2p *p2p, struct hypha_discovery_info *ret_info);

/** Messages of one command over all channels since the node was made; also of those gone. */
HYPHA_API void hypha_p2p_each_command(
    const struct hypha_p2p *p2p, hypha_command_cb each, void *user);

/* ---- events ---- */

/** Hear every event from now on, until unsubscribed or the node is destroyed. Survives stop and
 * start. Errors: NOMEM. */
HYPHA_API HYPHA_CHECKED enum hypha_err hypha_p2p_subscribe_events(
    struct hypha_p2p *p2p, hypha_event_cb cb, void *user);
/** Only some: `mask` is made of HYPHA_EVENT_BIT(). What nobody hears is not built. */
HYPHA_API HYPHA_CHECKED enum hypha_err hypha_p2p_subscribe_events_of(
    struct hypha_p2p *p2p, uint64_t mask, hypha_event_cb cb, void *user);
/** Also from inside the callback. */
HYPHA_API void hypha_p2p_unsubscribe_events(struct hypha_p2p *p2p, hypha_event_cb cb, void *user);

HYPHA_END_DECLS

#endif
