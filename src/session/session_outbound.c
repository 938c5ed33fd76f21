/* session_outbound.c - do what a slot's table decides.
 *
 * Each slot's table (slot.c) names an action; done here, its outcome is the slot's next event.
 * A picked host is in state Connect from the pick on, so no two slots dial the same one; every
 * way out of a try frees, demotes or quarantines it. spec: network.md#74-outbound */
#include "session/session_outbound_internal.h"

#include "base/alloc.h"

#include <assert.h>

#define TARGET "net::session_outbound"
/* The first failures cost no pause: another host may be better, and each failed one is
 * quarantined, so none is tried twice. Then 1 s, doubling. */
#define FREE_FAILURES  3U
#define PAUSE_FIRST_MS 1000U
#define PAUSE_LAST_MS  60000U
/* While nobody is connected and some hosts are untried: a long list of dead ones must not keep a
 * node from its seeds for hours. Each host is tried once a minute at most all the same. */
#define PAUSE_ALONE_MS 5000U
#define PAUSE_JITTER   50U
#define GOOD_AFTER_MS  60000U /* a connection of that length forgives all failures */

/* ---- events ---- */

static void publish_slot(struct hy_outbound_slot *slot, enum hypha_event_type type)
{
    struct hy_net *net = slot->session->net;
    bool transport_up = type == HYPHA_EVENT_OUTBOUND_SLOT_CONNECTED;

    if (!hy_events_wanted(&net->events, type))
        return;
    struct hypha_event event = {
        .type = type,
        .time_ns = hy_wall_ns(net->loop),
        .session = HYPHA_SESSION_OUTBOUND,
        .slot = slot->number,
    };
    if (transport_up) {
        event.addr = hypha_channel_display_address(slot->channel);
        event.channel_id = hypha_channel_id(slot->channel);
    } else if (type != HYPHA_EVENT_OUTBOUND_SLOT_SLEEPING) {
        event.addr = slot->url;
    }
    if (type == HYPHA_EVENT_OUTBOUND_SLOT_DISCONNECTED)
        event.err = slot->err;
    hy_events_publish(&net->events, &event);
}

/* ---- a slot's actions ---- */

/* The numbers have gaps after a reload, the places have none. */
static uint32_t place_of(const struct hy_outbound_slot *slot)
{
    const struct hy_session_outbound *session = slot->session;
    uint32_t place = 0;

    while (place < session->slot_count && session->slots[place] != slot)
        place++;
    return place;
}

static void slot_pick(struct hy_outbound_slot *slot)
{
    struct hy_session_outbound *session = slot->session;
    enum hypha_err err = hy_hosts_pick(
        session->net->hosts, place_of(slot), session->slot_count, &slot->url);

    hy_outbound_slot_feed(slot, err == HYPHA_OK ? HY_SLOT_ON_HOST : HY_SLOT_ON_NO_HOST);
}

static void slot_dial(struct hy_outbound_slot *slot)
{
    char text[HY_SESSION_TEXT_BYTES];

    hy_log_verbose(&slot->session->net->log, TARGET, "slot %u: dialling %s", slot->number,
        hy_session_text(slot->url, text));
    publish_slot(slot, HYPHA_EVENT_OUTBOUND_SLOT_CONNECTING);
    hy_connector_connect(&slot->connector, slot->url, 0);
}

static void slot_tell_connected(struct hy_outbound_slot *slot)
{
    struct hy_session_outbound *session = slot->session;
    char text[HY_SESSION_TEXT_BYTES];
    const char *source = session->hooks.source != NULL
        ? session->hooks.source(session->hooks.user, slot->url)
        : NULL;

    hy_log_info(&session->net->log, TARGET, "slot %u: connected to %s%s%s%s", slot->number,
        hy_session_text(slot->url, text), source != NULL ? " (heard of it from " : "",
        source != NULL ? source : "", source != NULL ? ")" : "");
}

static void slot_keep(struct hy_outbound_slot *slot)
{
    if (hy_session_register(slot->channel, &slot->membership) != HYPHA_OK)
        return; /* it stops; LOST follows */
    slot->connected_ms = hy_now_ms(slot->session->net->loop);
    slot_tell_connected(slot);
}

static void slot_forget(struct hy_outbound_slot *slot)
{
    enum hypha_err cause = slot->connector.cause;
    bool told_why = slot->err == HYPHA_ERR_CONNECT_FAILED && cause != HYPHA_OK;

    hy_slot_record_end(&slot->record, slot->url, told_why ? cause : slot->err);
    hypha_url_unref(slot->url);
    slot->url = NULL;
}

static uint64_t pause_of(const struct hy_outbound_slot *slot)
{
    const struct hy_net *net = slot->session->net;
    bool seeks = net->peers_count == 0 && hy_hosts_has_untried(net->hosts);
    uint64_t pause_ms = hy_backoff_ms(slot->record.failures - FREE_FAILURES, PAUSE_FIRST_MS,
        seeks ? PAUSE_ALONE_MS : PAUSE_LAST_MS);

    return hy_random_jitter(net->loop, pause_ms, PAUSE_JITTER);
}

/* The next try: at once after the first failures and after a good connection, else later. */
static void slot_pause(struct hy_outbound_slot *slot, bool was_good)
{
    slot->record.failures = was_good ? 0 : slot->record.failures + 1;
    if (slot->state != HY_SLOT_PAUSED)
        return; /* who heard of the end has stopped it */
    hy_timer_start(&slot->pause, slot->record.failures > FREE_FAILURES ? pause_of(slot) : 0);
    if (hy_outbound_slot_is_at_loss(slot))
        hy_outbound_discover(slot->session, HY_DISCOVERY_ON_WANTED);
}

bool hy_outbound_slot_is_at_loss(const struct hy_outbound_slot *slot)
{
    return slot->state == HY_SLOT_PAUSED && slot->record.failures > FREE_FAILURES &&
        slot->session->net->peers_count == 0;
}

/* It never became a peer: grey and quarantined until the refinery has seen it. What we lack
 * ourselves is not its fault. */
static void slot_suspend(struct hy_outbound_slot *slot)
{
    struct hy_hosts *hosts = slot->session->net->hosts;
    enum hypha_colour colour;
    uint64_t last_seen;
    bool blame = !hy_session_is_own_fault(slot->err) &&
        hy_hosts_find(hosts, slot->url, &colour, &last_seen) && colour != HYPHA_COLOUR_BLACK;

    publish_slot(slot, HYPHA_EVENT_OUTBOUND_SLOT_DISCONNECTED);
    if (!blame || hy_hosts_move(hosts, slot->url, HYPHA_COLOUR_GREY, HY_HOST_SUSPEND) != HYPHA_OK)
        hy_hosts_free(hosts, slot->url);
    slot_forget(slot);
    slot_pause(slot, false);
}

/* hy_session_unregister() has changed its colour already. */
static void slot_demote(struct hy_outbound_slot *slot)
{
    uint64_t now_ms = hy_now_ms(slot->session->net->loop);

    publish_slot(slot, HYPHA_EVENT_OUTBOUND_SLOT_DISCONNECTED);
    slot_forget(slot);
    slot_pause(slot, now_ms - slot->connected_ms >= GOOD_AFTER_MS);
}

static void slot_close(struct hy_outbound_slot *slot)
{
    if (slot->channel != NULL)
        hypha_channel_stop(slot->channel);
    else
        hy_connector_stop(&slot->connector);
}

static void slot_report(struct hy_outbound_slot *slot)
{
    struct hy_session_outbound *session = slot->session;

    hy_timer_stop(&slot->pause);
    session->running--;
    if (session->started)
        hy_defer_start(&session->settle);
    else if (session->running == 0)
        hy_defer_start(&session->done);
}

/* Our own stop: the lists stay as they are but for what unregistering did. */
static void slot_release(struct hy_outbound_slot *slot)
{
    publish_slot(slot, HYPHA_EVENT_OUTBOUND_SLOT_DISCONNECTED);
    hy_hosts_free(slot->session->net->hosts, slot->url);
    slot_forget(slot);
    slot_report(slot);
}

/* ---- a slot's events ---- */

static void on_channel_ready(struct hypha_channel *channel, void *user)
{
    struct hy_outbound_slot *slot = user;

    (void)channel;
    if (slot->state == HY_SLOT_HANDSHAKE)
        hy_outbound_slot_feed(slot, HY_SLOT_ON_READY);
}

static void on_channel_stopped(struct hypha_channel *channel, enum hypha_err why, void *user)
{
    struct hy_outbound_slot *slot = user;
    const struct hy_net *net = slot->session->net;
    char text[HY_SESSION_TEXT_BYTES];

    /* A slot is CONNECTED from the end of the handshake, a peer only once registered. */
    if (slot->state == HY_SLOT_CONNECTED && !slot->membership.registered)
        slot->state = HY_SLOT_HANDSHAKE;
    if (!hy_session_is_own_stop(why))
        HY_LOG(&net->log, hy_session_loss_level(net, slot->url), TARGET, "slot %u: %s %s: %s",
            slot->number, slot->membership.registered ? "lost" : "no handshake with",
            hy_session_text(slot->url, text), hypha_err_text(why));
    slot->err = why;
    (void)channel; /* the slot's */
    hy_session_give_back(&slot->channel, &slot->membership, NULL, why);
    hy_outbound_slot_feed(slot, HY_SLOT_ON_LOST);
}

static const struct hy_channel_owner channel_owner = {
    .on_ready = on_channel_ready,
    .on_stopped = on_channel_stopped,
};

static void slot_greet(struct hy_outbound_slot *slot)
{
    publish_slot(slot, HYPHA_EVENT_OUTBOUND_SLOT_CONNECTED);
    enum hypha_err err = hy_channel_start(slot->channel, &channel_owner, slot);
    if (err == HYPHA_OK)
        return;
    hypha_channel_unref(slot->channel);
    slot->channel = NULL;
    slot->err = err;
    hy_outbound_slot_feed(slot, HY_SLOT_ON_LOST);
}

static void on_connected(
    void *user, enum hypha_err err, const char *why_text, struct hypha_channel *channel)
{
    struct hy_outbound_slot *slot = user;

    slot->err = err;
    slot->channel = channel;
    if (err == HYPHA_OK) {
        hy_outbound_slot_feed(slot, HY_SLOT_ON_READY);
        return;
    }
    if (!hy_session_is_own_stop(err))
        hy_log_info(&slot->session->net->log, TARGET, "slot %u: no connection to %s", slot->number,
            why_text);
    hy_outbound_slot_feed(slot, HY_SLOT_ON_LOST);
}

static void on_pause_over(void *user)
{
    hy_outbound_slot_feed(user, HY_SLOT_ON_ELAPSED);
}

static void slot_do(struct hy_outbound_slot *slot, enum hy_slot_action action)
{
    switch (action) {
    case HY_SLOT_DO_PICK:
        slot_pick(slot);
        return;
    case HY_SLOT_DO_DISCOVER:
        publish_slot(slot, HYPHA_EVENT_OUTBOUND_SLOT_SLEEPING);
        hy_outbound_discover(slot->session, HY_DISCOVERY_ON_WANTED);
        return;
    case HY_SLOT_DO_DIAL:
        slot_dial(slot);
        return;
    case HY_SLOT_DO_GREET:
        slot_greet(slot);
        return;
    case HY_SLOT_DO_KEEP:
        slot_keep(slot);
        return;
    case HY_SLOT_DO_SUSPEND:
        slot_suspend(slot);
        return;
    case HY_SLOT_DO_DEMOTE:
        slot_demote(slot);
        return;
    case HY_SLOT_DO_CLOSE:
        slot_close(slot);
        return;
    case HY_SLOT_DO_RELEASE:
        slot_release(slot);
        return;
    case HY_SLOT_DO_REPORT:
        slot_report(slot);
        return;
    case HY_SLOT_DO_NOTHING:
    case HY_SLOT_ACTIONS:
        break;
    }
}

/* A wake-up that finds nothing is no change: it goes through PICKING in one call. */
static void note_state(struct hy_outbound_slot *slot)
{
    if (slot->state != HY_SLOT_PICKING)
        (void)hy_slot_record_enter(
            &slot->record, slot->session->net->loop, hy_slot_state_text(slot->state));
}

void hy_outbound_slot_feed(struct hy_outbound_slot *slot, enum hy_slot_event event)
{
    enum hy_slot_action action = hy_slot_step(&slot->state, event);

    if (action == HY_SLOT_DO_NOTHING)
        hy_log_error(&slot->session->net->log, TARGET, "bug: slot %u %s has no move for event %d",
            slot->number, hy_slot_state_name(slot->state), (int)event);
    note_state(slot);
    slot_do(slot, action);
}

enum hypha_err hy_outbound_slot_create(
    struct hy_session_outbound *session, struct hy_outbound_slot **ret_slot)
{
    struct hy_outbound_slot *slot = hy_alloc(sizeof(*slot));

    if (slot == NULL)
        return HYPHA_ERR_NOMEM;
    slot->session = session;
    hy_timer_init(&slot->pause, session->net->loop, on_pause_over, slot);
    hy_connector_init(&slot->connector, session->net, HYPHA_SESSION_OUTBOUND, on_connected, slot);
    hy_slot_record_init(&slot->record, session->net->loop);
    *ret_slot = slot;
    return HYPHA_OK;
}

void hy_outbound_slot_destroy(struct hy_outbound_slot *slot)
{
    assert(slot->state == HY_SLOT_STOPPED);
    hy_connector_fini(&slot->connector);
    hy_timer_stop(&slot->pause);
    hy_slot_record_fini(&slot->record);
    hy_free(slot);
}
