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
};

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
