/* hypha/channel.h - one connection to one peer.
 *
 * A channel that an application sees has shaken hands or is about to. It is counted: a
 * reference keeps the memory, not the connection. Once stopped it stays stopped; sending
 * then fails with CHANNEL_STOPPED.
 *
 * Threads: the loop's thread. */
#ifndef HYPHA_CHANNEL_H
#define HYPHA_CHANNEL_H

#include <hypha/api.h>
#include <hypha/err.h>
#include <hypha/url.h>
#include <hypha/wire.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

HYPHA_BEGIN_DECLS

struct hypha_channel;
struct hypha_message_type;

/** Who opened a channel, and for what: one bit each. spec: wire.md#51-sessions */
enum hypha_session {
    HYPHA_SESSION_INBOUND = 0x01,
    HYPHA_SESSION_OUTBOUND = 0x02,
    HYPHA_SESSION_MANUAL = 0x04,
    HYPHA_SESSION_SEED = 0x08,
    HYPHA_SESSION_REFINE = 0x10,
    HYPHA_SESSION_DIRECT = 0x20,
};
#define HYPHA_SESSIONS_DEFAULT 0x27U /**< all but seed and refine */
#define HYPHA_SESSIONS_ALL     0x3fU

/** "inbound", "outbound", ...; static. */
HYPHA_API const char *hypha_session_name(enum hypha_session session);

/** Unique in the process's node, never 0, never sent. */
HYPHA_API uint32_t hypha_channel_id(const struct hypha_channel *channel);
HYPHA_API enum hypha_session hypha_channel_session(const struct hypha_channel *channel);
/** The address that lists, bans and timeouts go by; valid as long as the channel. */
HYPHA_API const struct hypha_url *hypha_channel_address(const struct hypha_channel *channel);
/** The address to show: the endpoint dialled, else the one seen. */
HYPHA_API const struct hypha_url *hypha_channel_display_address(
    const struct hypha_channel *channel);
/** UNIX seconds. */
HYPHA_API uint64_t hypha_channel_start_time(const struct hypha_channel *channel);
HYPHA_API bool hypha_channel_is_stopped(const struct hypha_channel *channel);
/** The last measured round trip in microseconds; 0: none yet. */
HYPHA_API uint64_t hypha_channel_round_trip_us(const struct hypha_channel *channel);
/** What the peer said of itself, "" before its verack: app name and "major.minor.patch...". */
HYPHA_API const char *hypha_channel_peer_app_name(const struct hypha_channel *channel);
HYPHA_API const char *hypha_channel_peer_version(const struct hypha_channel *channel);
/** The external addresses that the peer announced in its version, the first 32 of them; NULL past
 *  the last. Valid as long as the channel. */
HYPHA_API const struct hypha_url *hypha_channel_peer_address(
    const struct hypha_channel *channel, size_t index);

/** Queue one message; it leaves with all others of this loop turn in one write.
 *  message  what the type's `write` takes; not kept
 *  Errors: CHANNEL_STOPPED; AGAIN: the queue is over its limit, nothing was queued, the
 *  protocol's `on_writable` tells when to go on; LIMIT: longer than the type allows;
 *  UNSUPPORTED: the type is not registered for this channel's session; NOMEM; those of `write`. */
HYPHA_API HYPHA_CHECKED enum hypha_err hypha_channel_send(
    struct hypha_channel *channel, const struct hypha_message_type *type, const void *message);

/** Messages and the bytes of their payloads. */
struct hypha_traffic {
    uint64_t messages_in, messages_out;
    uint64_t bytes_in, bytes_out;
};
typedef void (*hypha_command_cb)(
    const char *command, const struct hypha_traffic *traffic, void *user);
/** All that was received and sent on this channel; unknown commands are not counted. */
HYPHA_API void hypha_channel_traffic(
    const struct hypha_channel *channel, struct hypha_traffic *ret_traffic);
/** By command, those only that came or went. */
HYPHA_API void hypha_channel_each_command(
    const struct hypha_channel *channel, hypha_command_cb each, void *user);

/** Bytes waiting to be sent. */
HYPHA_API size_t hypha_channel_queued_bytes(const struct hypha_channel *channel);

/** Stop reading from the peer until resumed (backpressure); calls count. */
HYPHA_API void hypha_channel_pause(struct hypha_channel *channel);
HYPHA_API void hypha_channel_resume(struct hypha_channel *channel);

/** Stop. Every subscriber hears it exactly once, never from inside this call. Any number of times.
 */
HYPHA_API void hypha_channel_stop(struct hypha_channel *channel);
/** Blacklist the peer by the node's rules, then stop. spec: network.md#47-block-and-ban */
HYPHA_API void hypha_channel_ban(struct hypha_channel *channel);

HYPHA_API struct hypha_channel *hypha_channel_ref(struct hypha_channel *channel);
HYPHA_API void hypha_channel_unref(struct hypha_channel *channel);

HYPHA_END_DECLS

#endif
