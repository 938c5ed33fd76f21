/* hypha/events.h - everything a node does, as one stream.
 *
 * Without a subscriber nothing is built and nothing is paid.
 * spec: network.md#9-dnet-events; the events after DIRECT_DISCOVERY are hypha's own.
 *
 * Threads: the loop's thread. */
#ifndef HYPHA_EVENTS_H
#define HYPHA_EVENTS_H

#include <hypha/api.h>
#include <hypha/channel.h>
#include <hypha/err.h>
#include <hypha/url.h>
#include <stdint.h>

HYPHA_BEGIN_DECLS

enum hypha_event_type {
    HYPHA_EVENT_SEND,
    HYPHA_EVENT_RECV,
    HYPHA_EVENT_INBOUND_CONNECTED,
    HYPHA_EVENT_INBOUND_DISCONNECTED,
    HYPHA_EVENT_OUTBOUND_SLOT_SLEEPING,
    HYPHA_EVENT_OUTBOUND_SLOT_CONNECTING,
    HYPHA_EVENT_OUTBOUND_SLOT_CONNECTED,
    HYPHA_EVENT_OUTBOUND_SLOT_DISCONNECTED,
    HYPHA_EVENT_OUTBOUND_PEER_DISCOVERY,
    HYPHA_EVENT_DIRECT_CONNECTING,
    HYPHA_EVENT_DIRECT_CONNECTED,
    HYPHA_EVENT_DIRECT_DISCONNECTED,
    HYPHA_EVENT_DIRECT_PEER_DISCOVERY,
    HYPHA_EVENT_CHANNEL_REGISTERED,   /**< any session, after its handshake */
    HYPHA_EVENT_CHANNEL_UNREGISTERED, /**< err: why */
    HYPHA_EVENT_HOSTS_INSERTED,       /**< number: how many became grey; channel_id: from whom */
    HYPHA_EVENT_BANNED,               /**< addr; err: why */
    HYPHA_EVENT_UNBANNED,             /**< addr */
    HYPHA_EVENT_DIAL,                 /**< any session: addr; err: OK when the transport is up */
    HYPHA_EVENT_HANDSHAKE,            /**< any session: addr, channel_id; err: how it ended */
    HYPHA_EVENT_SLOT,    /**< manual and seed: slot, addr, state (of hypha_slot_info), err */
    HYPHA_EVENT_LIST,    /**< addr; state: the list it is in now, "none" for none */
    HYPHA_EVENT_REFUSED, /**< inbound: addr; err: LIMIT (too many of its address or too fast),
                              FULL, BANNED */
    HYPHA_EVENT_EVICTED, /**< inbound: addr, channel_id: made room for a newcomer */
    HYPHA_EVENTS,
};

#define HYPHA_EVENT_BIT(type) (UINT64_C(1) << (type))
#define HYPHA_EVENTS_ALL      (HYPHA_EVENT_BIT(HYPHA_EVENTS) - 1)
/** Those that the reference's dnet knows. spec: network.md#9-dnet-events */
#define HYPHA_EVENTS_DNET (HYPHA_EVENT_BIT(HYPHA_EVENT_DIRECT_PEER_DISCOVERY + 1) - 1)

/** The JSON name, such as "outbound_slot_sleeping"; static. */
HYPHA_API const char *hypha_event_name(enum hypha_event_type type);

/** What holds depends on the type; the rest is zero. Pointers are valid during the call. */
struct hypha_event {
    enum hypha_event_type type;
    uint64_t time_ns; /**< UNIX, nanoseconds */
    uint32_t channel_id;
    enum hypha_session session;
    const struct hypha_url *addr;         /**< display address, or the one dialled */
    const struct hypha_url *connect_addr; /**< send, recv, direct sessions: the canonical one */
    const char *command;                  /**< send, recv */
    uint64_t bytes;                       /**< send, recv: of the payload */
    uint32_t slot;
    enum hypha_err err;
    uint32_t attempt;
    const char *state; /**< discovery: wait, getaddr, seed, sleep, newchan */
    uint64_t number;
};

typedef void (*hypha_event_cb)(const struct hypha_event *event, void *user);

HYPHA_END_DECLS

#endif
