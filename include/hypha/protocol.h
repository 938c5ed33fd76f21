/* hypha/protocol.h - what an application speaks, as a table.
 *
 * Register it before the node starts (hypha_p2p_register()). It is attached to each channel
 * whose session it names, before the first byte is read.
 *
 * Threads: all callbacks on the loop's thread. Tables are borrowed and must be constant. */
#ifndef HYPHA_PROTOCOL_H
#define HYPHA_PROTOCOL_H

#include <hypha/api.h>
#include <hypha/channel.h>
#include <hypha/err.h>
#include <hypha/wire.h>
#include <stddef.h>
#include <stdint.h>

HYPHA_BEGIN_DECLS

/** The largest struct a message may decode into, in bytes. */
#define HYPHA_MAX_MESSAGE_STRUCT_BYTES 512

/** How fast a command may come and go; all zero: unmetered. spec: wire.md#4-metering */
struct hypha_metering {
    uint32_t score;         /**< of one message */
    uint32_t threshold;     /**< total above which messages are delayed */
    uint32_t sleep_step_ms; /**< delay per unit above it */
    uint32_t expiry_ms;     /**< age at which a message counts no more; 0: never */
};

/** One command on the wire and the struct it stands for. */
struct hypha_message_type {
    const char *command; /**< 1 to 255 bytes of UTF-8 */
    size_t max_bytes;    /**< of the payload; 0: unlimited, up to the node's cap */
    struct hypha_metering metering;
    size_t struct_bytes; /**< of the message struct, at most HYPHA_MAX_MESSAGE_STRUCT_BYTES */
    /** Fill `ret_message` (zeroed) from the payload, taking all of it. Its spans may borrow
     *  from the payload. Pure: it may be called twice. An error, or bytes left over, is a
     *  violation: the peer is cut off and perhaps banned. */
    void (*read)(struct hypha_reader *payload, void *ret_message);
    /** Append the payload. */
    void (*write)(struct hypha_writer *payload, const void *message);
};

/** A protocol. Callbacks may be NULL. `app` is what was given at registration, `state` what
 *  `on_attach` returned (NULL without one). */
struct hypha_protocol {
    const char *name;  /**< for logs */
    uint32_t sessions; /**< mask of enum hypha_session */
    const struct hypha_message_type *messages;
    size_t message_count;

    /** A channel was made; nothing is read yet. An error stops the channel; no other
     *  callback follows then. */
    enum hypha_err (*on_attach)(struct hypha_channel *channel, void *app, void **ret_state);
    /** The handshake is done and the channel registered: the time to send. */
    void (*on_start)(struct hypha_channel *channel, void *app, void *state);
    /** One message, in the order of arrival and after metering's delay, never before on_start.
     *  type     points into `messages`
     *  message  the struct, and what it borrows, during the call only
     *  A result other than HYPHA_OK counts as a payload that cannot be decoded (wire.md 2.2). */
    enum hypha_err (*on_message)(struct hypha_channel *channel, void *app, void *state,
        const struct hypha_message_type *type, const void *message);
    /** The queue has room again after hypha_channel_send() said AGAIN. */
    void (*on_writable)(struct hypha_channel *channel, void *app, void *state);
    /** The last call for this channel, exactly once after a successful attach: free `state`. */
    void (*on_stop)(struct hypha_channel *channel, void *app, void *state, enum hypha_err why);
};

HYPHA_END_DECLS

#endif
