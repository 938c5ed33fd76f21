/* view_apply_event.c - what a node tells by itself: one event after the other.
 *
 * The table below says what each event does to the model; one that is not in it is only kept in
 * the event stream. Hostile, as all that comes from nodes. spec: apps.md 6.1 */
#include "view/view_model_internal.h"

#include <stdlib.h>
#include <string.h>

/* A decimal text of UNIX nanoseconds; else now. */
static uint64_t time_of(const json_t *info, uint64_t now_ns)
{
    const char *text = view_json_text(info, "time");
    size_t digits = strspn(text, "0123456789");

    return digits > 0 && digits < 20 && text[digits] == '\0' ? strtoull(text, NULL, 10) : now_ns;
}

struct event {
    struct view_node *node;
    const json_t *info;
    uint64_t now_ns;
};

static void on_message(const struct event *event, bool sent)
{
    const json_t *about = json_object_get(event->info, "chan");
    struct view_channel *channel;
    uint32_t id;

    if (!view_json_u32(about, "id", &id) ||
        (channel = view_channel_open(event->node, id, event->now_ns)) == NULL)
        return;
    if (channel->addr[0] == '\0')
        view_text_set(&channel->addr, view_json_text(about, "addr"));
    if (channel->session[0] == '\0')
        view_text_set(&channel->session, view_json_text(about, "session"));
    struct view_message message = {
        .time_ns = time_of(event->info, event->now_ns),
        .sent = sent,
        .command = (char *)(uintptr_t)view_json_text(event->info, "cmd"),
        .bytes = view_json_number(event->info, "bytes"),
    };
    view_channel_message(event->node, channel, &message, event->now_ns);
}

static void on_send(const struct event *event)
{
    on_message(event, true);
}

static void on_recv(const struct event *event)
{
    on_message(event, false);
}

static void channel_came(const struct event *event, const char *session)
{
    uint32_t id;

    if (view_json_u32(event->info, "channel_id", &id) && id != 0)
        (void)view_apply_listed(
            event->node, id, view_json_text(event->info, "addr"), session, event->now_ns);
}

static void channel_went(const struct event *event)
{
    struct view_channel *channel;
    uint32_t id;

    if (view_json_u32(event->info, "channel_id", &id) &&
        (channel = view_node_channel(event->node, id)) != NULL)
        view_channel_close(event->node, channel, view_json_text(event->info, "err"), event->now_ns);
}

static void on_inbound_connected(const struct event *event)
{
    channel_came(event, "inbound");
}

static void on_channel_registered(const struct event *event)
{
    channel_came(event, view_json_text(event->info, "session"));
}

/* A slot tells its new state; what else it tells depends on that. */
static struct view_slot *slot_enters(
    const struct event *event, const char *session, const char *state)
{
    uint32_t number;

    if (!view_json_u32(event->info, "slot", &number) || number >= VIEW_MAX_SLOTS)
        return NULL;
    struct view_slot *slot = view_slot_get(event->node, session, number);
    if (slot == NULL)
        return NULL;
    bool same = strcmp(slot->state, state) == 0; /* it slept, looked, and sleeps again */

    view_slot_enter(slot, state, event->now_ns);
    view_text_set(&slot->addr, view_json_text(event->info, "addr"));
    if (!same)
        view_text_set(&slot->waits_for, "");
    slot->next_ns = 0;
    return slot;
}

static void on_slot_sleeping(const struct event *event)
{
    struct view_slot *slot = slot_enters(event, "outbound", "sleeping");

    if (slot != NULL)
        slot->channel_id = 0;
}

static void on_slot_connecting(const struct event *event)
{
    struct view_slot *slot = slot_enters(event, "outbound", "connecting");

    if (slot != NULL)
        slot->channel_id = 0;
}

static void on_slot_connected(const struct event *event)
{
    struct view_slot *slot = slot_enters(event, "outbound", "connected");

    if (slot == NULL)
        return;
    slot->channel_id = 0;
    (void)view_json_u32(event->info, "channel_id", &slot->channel_id);
    channel_came(event, "outbound");
}

static void on_slot_disconnected(const struct event *event)
{
    struct view_slot *slot = slot_enters(event, "outbound", "disconnected");

    if (slot == NULL)
        return;
    struct view_channel *channel =
        slot->channel_id != 0 ? view_node_channel(event->node, slot->channel_id) : NULL;
    view_text_set(&slot->last_error, view_json_text(event->info, "err"));
    slot->channel_id = 0;
    if (channel != NULL)
        view_channel_close(event->node, channel, slot->last_error, event->now_ns);
}

/* Of manual and seed sessions. */
static void on_slot(const struct event *event)
{
    const char *session = view_json_text(event->info, "session");
    const char *err = view_json_text(event->info, "err");

    if (session[0] == '\0' || view_json_text(event->info, "state")[0] == '\0')
        return;
    struct view_slot *slot = slot_enters(event, session, view_json_text(event->info, "state"));
    if (slot != NULL && err[0] != '\0')
        view_text_set(&slot->last_error, err);
}

static void on_outbound_discovery(const struct event *event)
{
    view_text_set(&event->node->discovery, view_json_text(event->info, "state"));
    event->node->attempt = 0;
    (void)view_json_u32(event->info, "attempt", &event->node->attempt);
    event->node->discovery_ns = event->now_ns;
}

/* Of direct sessions of a node without outbound slots: the same thing, in the other's absence. */
static void on_direct_discovery(const struct event *event)
{
    for (size_t i = 0; i < event->node->slot_count; i++)
        if (strcmp(event->node->slots[i].session, "outbound") == 0)
            return;
    on_outbound_discovery(event);
}

static void on_direct_connected(const struct event *event)
{
    uint32_t id;

    channel_came(event, "direct");
    struct view_channel *channel =
        view_json_u32(event->info, "channel_id", &id) ? view_node_channel(event->node, id) : NULL;
    if (channel != NULL)
        view_text_set(&channel->connect_addr, view_json_text(event->info, "connect_addr"));
}

static void on_direct_disconnected(const struct event *event)
{
    const char *connect_addr = view_json_text(event->info, "connect_addr");
    struct view_channel *channel;

    TAILQ_FOREACH (channel, &event->node->channels, entry)
        if (!channel->closed && strcmp(channel->session, "direct") == 0 &&
            strcmp(channel->connect_addr, connect_addr) == 0)
            view_channel_close(
                event->node, channel, view_json_text(event->info, "err"), event->now_ns);
}

static void on_lag(const struct event *event)
{
    event->node->dropped += view_json_number(event->info, "dropped");
}

static const struct {
    const char *name;
    void (*apply)(const struct event *event);
    bool note; /* goes into the discovery log */
} kinds[] = {
    { "send", on_send, false },
    { "recv", on_recv, false },
    { "inbound_connected", on_inbound_connected, false },
    { "inbound_disconnected", channel_went, false },
    { "outbound_slot_sleeping", on_slot_sleeping, false },
    { "outbound_slot_connecting", on_slot_connecting, false },
    { "outbound_slot_connected", on_slot_connected, false },
    { "outbound_slot_disconnected", on_slot_disconnected, false },
    { "outbound_peer_discovery", on_outbound_discovery, true },
    { "direct_connected", on_direct_connected, false },
    { "direct_disconnected", on_direct_disconnected, false },
    { "direct_peer_discovery", on_direct_discovery, true },
    { "channel_registered", on_channel_registered, false },
    { "channel_unregistered", channel_went, false },
    { "slot", on_slot, false },
    { "hosts_inserted", NULL, true },
    { "list", NULL, true },
    { "lag", on_lag, true },
};

void view_node_apply_event(
    struct view_model *model, struct view_node *node, const json_t *event, uint64_t now_ns)
{
    const char *name = view_json_text(event, "event");
    const json_t *info = json_object_get(event, "info");
    struct event told = { node, info, now_ns };
    char text[VIEW_MAX_TEXT];
    bool note = false;

    if (name[0] == '\0' || !json_is_object(info))
        return;
    if (model->on_event != NULL)
        model->on_event(node, event, model->user);
    for (size_t i = 0; i < sizeof kinds / sizeof kinds[0]; i++) {
        if (strcmp(kinds[i].name, name) == 0) {
            note = kinds[i].note;
            if (kinds[i].apply != NULL)
                kinds[i].apply(&told);
            break;
        }
    }
    view_describe(name, info, text, sizeof text);
    view_node_add_event(node, name, text, note, now_ns);
    view_channels_trim(node);
    model->version++;
}
