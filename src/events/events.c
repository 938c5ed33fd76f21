/* events/events.c - hand each event to every subscriber, in the order of subscription.
 *
 * A subscriber may subscribe, unsubscribe (itself or others) and cause further events from
 * inside its callback: places are only marked free then, and swept when the outermost
 * publish ends. */
#include "events/events.h"

#include "base/alloc.h"

#include <assert.h>
#include <stdbool.h>

static const char *const names[HYPHA_EVENTS] = {
    [HYPHA_EVENT_SEND] = "send",
    [HYPHA_EVENT_RECV] = "recv",
    [HYPHA_EVENT_INBOUND_CONNECTED] = "inbound_connected",
    [HYPHA_EVENT_INBOUND_DISCONNECTED] = "inbound_disconnected",
    [HYPHA_EVENT_OUTBOUND_SLOT_SLEEPING] = "outbound_slot_sleeping",
    [HYPHA_EVENT_OUTBOUND_SLOT_CONNECTING] = "outbound_slot_connecting",
    [HYPHA_EVENT_OUTBOUND_SLOT_CONNECTED] = "outbound_slot_connected",
    [HYPHA_EVENT_OUTBOUND_SLOT_DISCONNECTED] = "outbound_slot_disconnected",
    [HYPHA_EVENT_OUTBOUND_PEER_DISCOVERY] = "outbound_peer_discovery",
    [HYPHA_EVENT_DIRECT_CONNECTING] = "direct_connecting",
    [HYPHA_EVENT_DIRECT_CONNECTED] = "direct_connected",
    [HYPHA_EVENT_DIRECT_DISCONNECTED] = "direct_disconnected",
    [HYPHA_EVENT_DIRECT_PEER_DISCOVERY] = "direct_peer_discovery",
    [HYPHA_EVENT_CHANNEL_REGISTERED] = "channel_registered",
    [HYPHA_EVENT_CHANNEL_UNREGISTERED] = "channel_unregistered",
    [HYPHA_EVENT_HOSTS_INSERTED] = "hosts_inserted",
    [HYPHA_EVENT_BANNED] = "banned",
    [HYPHA_EVENT_UNBANNED] = "unbanned",
    [HYPHA_EVENT_DIAL] = "dial",
    [HYPHA_EVENT_HANDSHAKE] = "handshake",
    [HYPHA_EVENT_SLOT] = "slot",
    [HYPHA_EVENT_LIST] = "list",
    [HYPHA_EVENT_REFUSED] = "refused",
    [HYPHA_EVENT_EVICTED] = "evicted",
};

const char *hypha_event_name(enum hypha_event_type type)
{
    bool known = type >= HYPHA_EVENT_SEND && type < HYPHA_EVENTS;

    return known ? names[type] : "unknown";
}

static void count_wanted(struct hy_events *events)
{
    struct hy_event_subscriber *s;

    events->wanted = 0;
    TAILQ_FOREACH (s, &events->subscribers, entry)
        events->wanted |= s->cb != NULL ? s->mask : 0;
}

/* Free the places whose subscribers have left. */
static void sweep(struct hy_events *events)
{
    struct hy_event_subscriber *next;

    for (struct hy_event_subscriber *s = TAILQ_FIRST(&events->subscribers); s != NULL; s = next) {
        next = TAILQ_NEXT(s, entry);
        if (s->cb == NULL) {
            TAILQ_REMOVE(&events->subscribers, s, entry);
            hy_free(s);
        }
    }
}

void hy_events_init(struct hy_events *events)
{
    TAILQ_INIT(&events->subscribers);
    events->wanted = 0;
    events->publishing = 0;
}

void hy_events_fini(struct hy_events *events)
{
    struct hy_event_subscriber *s;

    assert(events->publishing == 0);
    while ((s = TAILQ_FIRST(&events->subscribers)) != NULL) {
        TAILQ_REMOVE(&events->subscribers, s, entry);
        hy_free(s);
    }
}

enum hypha_err hy_events_subscribe(
    struct hy_events *events, uint64_t mask, hypha_event_cb cb, void *user)
{
    struct hy_event_subscriber *s = hy_alloc(sizeof *s);

    if (s == NULL)
        return HYPHA_ERR_NOMEM;
    s->mask = mask;
    s->cb = cb;
    s->user = user;
    TAILQ_INSERT_TAIL(&events->subscribers, s, entry);
    count_wanted(events);
    return HYPHA_OK;
}

void hy_events_unsubscribe(struct hy_events *events, hypha_event_cb cb, void *user)
{
    struct hy_event_subscriber *s;

    TAILQ_FOREACH (s, &events->subscribers, entry) {
        if (s->cb == cb && s->user == user) {
            s->cb = NULL;
            break;
        }
    }
    count_wanted(events);
    if (events->publishing == 0)
        sweep(events);
}

void hy_events_publish(struct hy_events *events, const struct hypha_event *event)
{
    struct hy_event_subscriber *s = TAILQ_FIRST(&events->subscribers);
    struct hy_event_subscriber *last = TAILQ_LAST(&events->subscribers, hy_event_subscribers);

    /* Those who subscribe meanwhile stand behind `last` and begin with the next event. */
    events->publishing++;
    while (s != NULL) {
        if (s->cb != NULL && (s->mask & HYPHA_EVENT_BIT(event->type)) != 0)
            s->cb(event, s->user);
        s = s == last ? NULL : TAILQ_NEXT(s, entry);
    }
    if (--events->publishing == 0)
        sweep(events);
}
