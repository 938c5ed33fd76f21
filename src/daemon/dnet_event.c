/* dnet_event.c - an event as JSON. spec: apps.md 6.1; the events after direct_peer_discovery, and
 * what is marked "all", are hypha's own: docs/man/hypha-dnet.7.scd */
#include "daemon/dnet.h"
#include "daemon/methods.h"

#include <inttypes.h>
#include <stdio.h>

bool hy_dnet_is_classic(enum hypha_event_type type)
{
    return (HYPHA_EVENT_BIT(type) & HYPHA_EVENTS_DNET) != 0;
}

static json_t *session_json(const struct hypha_event *event)
{
    return hy_json_text(event->session != 0 ? hypha_session_name(event->session) : NULL);
}

/* A text for people, or null. */
static json_t *err_json(const struct hypha_event *event)
{
    return hy_json_text(event->err != HYPHA_OK ? hypha_err_text(event->err) : NULL);
}

static json_t *message_json(const struct hypha_event *event, bool all)
{
    char time_ns[24];

    (void)snprintf(time_ns, sizeof time_ns, "%" PRIu64, event->time_ns);
    json_t *channel = json_pack(
        "{s:o, s:I}", "addr", hy_json_url(event->addr), "id", (json_int_t)event->channel_id);
    json_t *info = json_pack(
        "{s:O, s:o, s:s}", "chan", channel, "cmd", hy_json_text(event->command), "time", time_ns);
    bool ok = info != NULL;

    if (all)
        ok = ok && json_object_set_new(channel, "session", session_json(event)) == 0 &&
            json_object_set_new(info, "bytes", hy_json_number(event->bytes)) == 0;
    json_decref(channel);
    if (ok)
        return info;
    json_decref(info);
    return NULL;
}

static json_t *channel_json(const struct hypha_event *event)
{
    return json_pack("{s:o, s:I}", "addr", hy_json_url(event->addr), "channel_id",
        (json_int_t)event->channel_id);
}

/* What it takes over from `more`; NULL if either is. */
static json_t *with(json_t *info, json_t *more)
{
    if (info != NULL && more != NULL && json_object_update(info, more) == 0) {
        json_decref(more);
        return info;
    }
    json_decref(info);
    json_decref(more);
    return NULL;
}

static json_t *discovery_json(const struct hypha_event *event)
{
    return json_pack(
        "{s:I, s:o}", "attempt", (json_int_t)event->attempt, "state", hy_json_text(event->state));
}

/* The reference's events, field by field. */
static json_t *classic_info(const struct hypha_event *event, bool all)
{
    switch (event->type) {
    case HYPHA_EVENT_SEND:
    case HYPHA_EVENT_RECV:
        return message_json(event, all);
    case HYPHA_EVENT_INBOUND_DISCONNECTED:
        if (all)
            return with(channel_json(event), json_pack("{s:o}", "err", err_json(event)));
        return channel_json(event);
    case HYPHA_EVENT_INBOUND_CONNECTED:
        return channel_json(event);
    case HYPHA_EVENT_OUTBOUND_SLOT_SLEEPING:
        return json_pack("{s:I}", "slot", (json_int_t)event->slot);
    case HYPHA_EVENT_OUTBOUND_SLOT_CONNECTING:
        return json_pack(
            "{s:I, s:o}", "slot", (json_int_t)event->slot, "addr", hy_json_url(event->addr));
    case HYPHA_EVENT_OUTBOUND_SLOT_CONNECTED:
        return with(channel_json(event), json_pack("{s:I}", "slot", (json_int_t)event->slot));
    case HYPHA_EVENT_OUTBOUND_SLOT_DISCONNECTED:
        return json_pack(
            "{s:I, s:s}", "slot", (json_int_t)event->slot, "err", hypha_err_text(event->err));
    case HYPHA_EVENT_OUTBOUND_PEER_DISCOVERY:
    case HYPHA_EVENT_DIRECT_PEER_DISCOVERY:
        return discovery_json(event);
    case HYPHA_EVENT_DIRECT_CONNECTING:
        return json_pack("{s:o}", "connect_addr", hy_json_url(event->connect_addr));
    case HYPHA_EVENT_DIRECT_CONNECTED:
        return with(channel_json(event),
            json_pack("{s:o}", "connect_addr", hy_json_url(event->connect_addr)));
    case HYPHA_EVENT_DIRECT_DISCONNECTED:
        return json_pack("{s:o, s:s}", "connect_addr", hy_json_url(event->connect_addr), "err",
            hypha_err_text(event->err));
    case HYPHA_EVENT_CHANNEL_REGISTERED:
    case HYPHA_EVENT_CHANNEL_UNREGISTERED:
    case HYPHA_EVENT_HOSTS_INSERTED:
    case HYPHA_EVENT_BANNED:
    case HYPHA_EVENT_UNBANNED:
    case HYPHA_EVENT_DIAL:
    case HYPHA_EVENT_HANDSHAKE:
    case HYPHA_EVENT_SLOT:
    case HYPHA_EVENT_LIST:
    case HYPHA_EVENT_REFUSED:
    case HYPHA_EVENT_EVICTED:
    case HYPHA_EVENTS:
        break;
    }
    return NULL;
}

static json_t *addr_json(const struct hypha_event *event)
{
    return json_pack("{s:o}", "addr", hy_json_url(event->addr));
}

/* Session and err, as most of hypha's own events have them. */
static json_t *session_err(const struct hypha_event *event)
{
    return json_pack("{s:o, s:o}", "session", session_json(event), "err", err_json(event));
}

static json_t *own_info(const struct hypha_event *event)
{
    switch (event->type) {
    case HYPHA_EVENT_CHANNEL_REGISTERED:
    case HYPHA_EVENT_CHANNEL_UNREGISTERED:
    case HYPHA_EVENT_HANDSHAKE:
        return with(channel_json(event), session_err(event));
    case HYPHA_EVENT_HOSTS_INSERTED:
        return with(
            channel_json(event), json_pack("{s:o}", "number", hy_json_number(event->number)));
    case HYPHA_EVENT_BANNED:
        return with(channel_json(event), json_pack("{s:o}", "err", err_json(event)));
    case HYPHA_EVENT_UNBANNED:
        return addr_json(event);
    case HYPHA_EVENT_DIAL:
        return with(addr_json(event), session_err(event));
    case HYPHA_EVENT_SLOT:
        return with(with(addr_json(event), session_err(event)),
            json_pack("{s:I, s:o}", "slot", (json_int_t)event->slot, "state",
                hy_json_text(event->state)));
    case HYPHA_EVENT_LIST:
        return with(addr_json(event), json_pack("{s:o}", "list", hy_json_text(event->state)));
    case HYPHA_EVENT_REFUSED:
        return with(addr_json(event), json_pack("{s:o}", "err", err_json(event)));
    case HYPHA_EVENT_EVICTED:
        return channel_json(event);
    case HYPHA_EVENT_SEND:
    case HYPHA_EVENT_RECV:
    case HYPHA_EVENT_INBOUND_CONNECTED:
    case HYPHA_EVENT_INBOUND_DISCONNECTED:
    case HYPHA_EVENT_OUTBOUND_SLOT_SLEEPING:
    case HYPHA_EVENT_OUTBOUND_SLOT_CONNECTING:
    case HYPHA_EVENT_OUTBOUND_SLOT_CONNECTED:
    case HYPHA_EVENT_OUTBOUND_SLOT_DISCONNECTED:
    case HYPHA_EVENT_OUTBOUND_PEER_DISCOVERY:
    case HYPHA_EVENT_DIRECT_CONNECTING:
    case HYPHA_EVENT_DIRECT_CONNECTED:
    case HYPHA_EVENT_DIRECT_DISCONNECTED:
    case HYPHA_EVENT_DIRECT_PEER_DISCOVERY:
    case HYPHA_EVENTS:
        break;
    }
    return NULL;
}

json_t *hy_dnet_event_json(const struct hypha_event *event, bool all, const char *network)
{
    json_t *info = hy_dnet_is_classic(event->type) ? classic_info(event, all) : own_info(event);
    json_t *object = json_pack("{s:s, s:o}", "event", hypha_event_name(event->type), "info", info);

    if (all && network != NULL && object != NULL &&
        json_object_set_new(object, "network", json_string(network)) != 0) {
        json_decref(object);
        return NULL;
    }
    return object;
}
