/* session_outbound.c - do what slots and discovery decide.
 *
 * Each slot's table (slot.c) names an action; done here, its outcome is the slot's next event.
 * A picked host is in state Connect from the pick on, so no two slots dial the same one; every
 * way out of a try frees, demotes or quarantines it. spec: network.md#74-outbound */
#include "session/session_outbound.h"
#include "base/alloc.h"
#include "channel/connector.h"
#include "session/discovery.h"

#include <assert.h>

#define TARGET "net::session_outbound"
/* The first failures cost no pause: another host may be better, and each failed one is
 * quarantined, so none is tried twice. Then 1 s, doubling. */
#define FREE_FAILURES  3U
#define PAUSE_FIRST_MS 1000U
#define PAUSE_LAST_MS  60000U
#define PAUSE_JITTER   50U
#define GOOD_AFTER_MS  60000U /* a connection of that length forgives all failures */

struct outbound_slot {
    struct hy_session_outbound *session;
    uint32_t index;
    enum hy_slot_state state;
    struct hy_connector connector;
    struct hypha_url *url;         /* from the pick on */
    struct hypha_channel *channel; /* a reference, from HANDSHAKE on */
    struct hy_membership membership;
    uint64_t connected_ms;
    unsigned failures;
    enum hypha_err err; /* why the last try ended */
    struct hy_timer pause;
};

struct hy_session_outbound {
    struct hy_net *net;
    struct hy_outbound_hooks hooks;
    struct outbound_slot *slots;
    uint32_t slot_count;
    uint32_t running; /* slots that are not STOPPED */
    bool started;
    bool waking; /* inside wake_slots() */
    struct hy_discovery discovery;
    struct hy_timer discovery_timer;
    struct hy_hosts_watch watch;
    struct hy_defer done;
    hy_session_stopped_cb on_stopped;
    void *user;
};

static void slot_feed(struct outbound_slot *slot, enum hy_slot_event event);
static void discover(struct hy_session_outbound *session, enum hy_discovery_event event);

/* ---- events ---- */

static void publish_slot(struct outbound_slot *slot, enum hypha_event_type type)
{
    struct hy_net *net = slot->session->net;
    bool transport_up = type == HYPHA_EVENT_OUTBOUND_SLOT_CONNECTED;

    if (!hy_events_wanted(&net->events, type))
        return;
    struct hypha_event event = {
        .type = type,
        .time_ns = hy_wall_ns(net->loop),
        .session = HYPHA_SESSION_OUTBOUND,
        .slot = slot->index,
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

/* attempt: fruitless rounds in a row until now. spec: apps.md 6.1 */
static void publish_discovery(
    struct hy_session_outbound *session, const char *state, unsigned attempt)
{
    struct hy_net *net = session->net;

    if (!hy_events_wanted(&net->events, HYPHA_EVENT_OUTBOUND_PEER_DISCOVERY))
        return;
    struct hypha_event event = {
        .type = HYPHA_EVENT_OUTBOUND_PEER_DISCOVERY,
        .time_ns = hy_wall_ns(net->loop),
        .session = HYPHA_SESSION_OUTBOUND,
        .attempt = attempt,
        .state = state,
    };
    hy_events_publish(&net->events, &event);
}

/* ---- a slot's actions ---- */

static void slot_pick(struct outbound_slot *slot)
{
    struct hy_session_outbound *session = slot->session;
    enum hypha_err err = hy_hosts_pick(
        session->net->hosts, slot->index, session->slot_count, &slot->url);

    slot_feed(slot, err == HYPHA_OK ? HY_SLOT_ON_HOST : HY_SLOT_ON_NO_HOST);
}

static void slot_dial(struct outbound_slot *slot)
{
    char text[HY_SESSION_TEXT_BYTES];

    hy_log_verbose(&slot->session->net->log, TARGET, "slot %u: dialling %s", slot->index,
        hy_session_text(slot->url, text));
    publish_slot(slot, HYPHA_EVENT_OUTBOUND_SLOT_CONNECTING);
    hy_connector_connect(&slot->connector, slot->url, 0);
}

static void slot_tell_connected(struct outbound_slot *slot)
{
    struct hy_session_outbound *session = slot->session;
    char text[HY_SESSION_TEXT_BYTES];
    const char *source = session->hooks.source != NULL
        ? session->hooks.source(session->hooks.user, slot->url)
        : NULL;

    hy_log_info(&session->net->log, TARGET, "slot %u: connected to %s%s%s%s", slot->index,
        hy_session_text(slot->url, text), source != NULL ? " (heard of it from " : "",
        source != NULL ? source : "", source != NULL ? ")" : "");
}

static void slot_keep(struct outbound_slot *slot)
{
    if (hy_session_register(slot->channel, &slot->membership) != HYPHA_OK)
        return; /* it stops; LOST follows */
    slot->connected_ms = hy_now_ms(slot->session->net->loop);
    slot_tell_connected(slot);
}

static void slot_forget(struct outbound_slot *slot)
{
    hypha_url_unref(slot->url);
    slot->url = NULL;
}

/* The next try: at once after the first failures and after a good connection, else later. */
static void slot_pause(struct outbound_slot *slot, bool was_good)
{
    struct hypha_loop *loop = slot->session->net->loop;
    uint64_t pause_ms = 0;

    slot->failures = was_good ? 0 : slot->failures + 1;
    if (slot->failures > FREE_FAILURES)
        pause_ms = hy_random_jitter(loop,
            hy_backoff_ms(slot->failures - FREE_FAILURES, PAUSE_FIRST_MS, PAUSE_LAST_MS),
            PAUSE_JITTER);
    hy_timer_start(&slot->pause, pause_ms);
}

/* It never became a peer: grey and quarantined until the refinery has seen it. What we lack
 * ourselves is not its fault. */
static void slot_suspend(struct outbound_slot *slot)
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
static void slot_demote(struct outbound_slot *slot)
{
    uint64_t now_ms = hy_now_ms(slot->session->net->loop);

    publish_slot(slot, HYPHA_EVENT_OUTBOUND_SLOT_DISCONNECTED);
    slot_forget(slot);
    slot_pause(slot, now_ms - slot->connected_ms >= GOOD_AFTER_MS);
}

static void slot_close(struct outbound_slot *slot)
{
    if (slot->channel != NULL)
        hypha_channel_stop(slot->channel);
    else
        hy_connector_stop(&slot->connector);
}

static void slot_report(struct outbound_slot *slot)
{
    struct hy_session_outbound *session = slot->session;

    hy_timer_stop(&slot->pause);
    session->running--;
    if (!session->started && session->running == 0)
        hy_defer_start(&session->done);
}

/* Our own stop: the lists stay as they are but for what unregistering did. */
static void slot_release(struct outbound_slot *slot)
{
    publish_slot(slot, HYPHA_EVENT_OUTBOUND_SLOT_DISCONNECTED);
    hy_hosts_free(slot->session->net->hosts, slot->url);
    slot_forget(slot);
    slot_report(slot);
}

/* ---- a slot's events ---- */

static void on_channel_ready(struct hypha_channel *channel, void *user)
{
    struct outbound_slot *slot = user;

    (void)channel;
    if (slot->state == HY_SLOT_HANDSHAKE)
        slot_feed(slot, HY_SLOT_ON_READY);
}

static void on_channel_stopped(struct hypha_channel *channel, enum hypha_err why, void *user)
{
    struct outbound_slot *slot = user;
    char text[HY_SESSION_TEXT_BYTES];

    /* A slot is CONNECTED from the end of the handshake, a peer only once registered. */
    if (slot->state == HY_SLOT_CONNECTED && !slot->membership.registered)
        slot->state = HY_SLOT_HANDSHAKE;
    if (!hy_session_is_own_stop(why))
        hy_log_info(&slot->session->net->log, TARGET, "slot %u: %s %s: %s", slot->index,
            slot->membership.registered ? "lost" : "no handshake with",
            hy_session_text(slot->url, text), hypha_err_text(why));
    slot->err = why;
    hy_session_unregister(channel, &slot->membership, why);
    slot->channel = NULL;
    hypha_channel_unref(channel);
    slot_feed(slot, HY_SLOT_ON_LOST);
}

static const struct hy_channel_owner channel_owner = {
    .on_ready = on_channel_ready,
    .on_stopped = on_channel_stopped,
};

static void slot_greet(struct outbound_slot *slot)
{
    publish_slot(slot, HYPHA_EVENT_OUTBOUND_SLOT_CONNECTED);
    enum hypha_err err = hy_channel_start(slot->channel, &channel_owner, slot);
    if (err == HYPHA_OK)
        return;
    hypha_channel_unref(slot->channel);
    slot->channel = NULL;
    slot->err = err;
    slot_feed(slot, HY_SLOT_ON_LOST);
}

static void on_connected(
    void *user, enum hypha_err err, const char *why_text, struct hypha_channel *channel)
{
    struct outbound_slot *slot = user;

    slot->err = err;
    slot->channel = channel;
    if (err == HYPHA_OK) {
        slot_feed(slot, HY_SLOT_ON_READY);
        return;
    }
    if (!hy_session_is_own_stop(err))
        hy_log_info(&slot->session->net->log, TARGET, "slot %u: no connection to %s", slot->index,
            why_text);
    slot_feed(slot, HY_SLOT_ON_LOST);
}

static void on_pause_over(void *user)
{
    slot_feed(user, HY_SLOT_ON_ELAPSED);
}

static void slot_do(struct outbound_slot *slot, enum hy_slot_action action)
{
    switch (action) {
    case HY_SLOT_DO_PICK:
        slot_pick(slot);
        return;
    case HY_SLOT_DO_DISCOVER:
        publish_slot(slot, HYPHA_EVENT_OUTBOUND_SLOT_SLEEPING);
        discover(slot->session, HY_DISCOVERY_ON_WANTED);
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

static void slot_feed(struct outbound_slot *slot, enum hy_slot_event event)
{
    enum hy_slot_action action = hy_slot_step(&slot->state, event);

    if (action == HY_SLOT_DO_NOTHING)
        hy_log_error(&slot->session->net->log, TARGET, "bug: slot %u %s has no move for event %d",
            slot->index, hy_slot_state_name(slot->state), (int)event);
    slot_do(slot, action);
}

/* ---- discovery ---- */

static struct hy_discovery_facts facts_of(const struct hy_session_outbound *session)
{
    const struct hy_net *net = session->net;
    struct hy_discovery_facts facts = {
        .now_ms = hy_now_ms(net->loop),
        .attempt_ms = net->settings->discovery_attempt_ms,
        .chance = hy_random_u32(net->loop),
        .connected = net->peers_count > 0,
        .seeds = net->settings->seeds.count > 0,
        .untried = hy_hosts_has_untried(net->hosts),
    };

    for (uint32_t i = 0; i < session->slot_count; i++) {
        enum hy_slot_state state = session->slots[i].state;

        facts.asleep |= state == HY_SLOT_ASLEEP;
        facts.dialing |= state == HY_SLOT_DIALING || state == HY_SLOT_HANDSHAKE;
    }
    return facts;
}

/* Slots that have nothing to dial look again, one after another, until one finds nothing: then
 * there is nothing for the others either. */
static void wake_slots(struct hy_session_outbound *session)
{
    if (session->waking)
        return;
    session->waking = true;
    for (uint32_t i = 0; i < session->slot_count && session->started; i++) {
        struct outbound_slot *slot = &session->slots[i];

        if (slot->state != HY_SLOT_ASLEEP)
            continue;
        slot_feed(slot, HY_SLOT_ON_WAKE);
        if (slot->state == HY_SLOT_ASLEEP)
            break;
    }
    session->waking = false;
}

static void discover_do(
    struct hy_session_outbound *session, enum hy_discovery_action action, unsigned attempt)
{
    switch (action) {
    case HY_DISCOVERY_DO_WAIT:
        publish_discovery(session, "wait", attempt);
        return;
    case HY_DISCOVERY_DO_ASK:
        publish_discovery(session, "getaddr", attempt);
        (void)session->hooks.ask_peers(session->hooks.user);
        return;
    case HY_DISCOVERY_DO_SEED:
        publish_discovery(session, "seed", attempt);
        if (session->hooks.seed(session->hooks.user) == 0)
            discover(session, HY_DISCOVERY_ON_SEEDED);
        return;
    case HY_DISCOVERY_DO_REST:
        wake_slots(session);
        return;
    case HY_DISCOVERY_DO_NOTHING:
    case HY_DISCOVERY_DO_REARM:
        return;
    }
}

static void discover(struct hy_session_outbound *session, enum hy_discovery_event event)
{
    struct hy_discovery_facts facts = facts_of(session);
    bool rested = session->discovery.state == HY_DISCOVERY_RESTING;
    unsigned attempt = session->discovery.failures; /* seeding forgets them */
    struct hy_discovery_move move = hy_discovery_step(&session->discovery, event, &facts);

    if (move.action == HY_DISCOVERY_DO_NOTHING)
        return;
    if (move.timer)
        hy_timer_start(&session->discovery_timer,
            session->discovery.due_ms > facts.now_ms ? session->discovery.due_ms - facts.now_ms
                                                     : 0);
    else
        hy_timer_stop(&session->discovery_timer);
    if (rested && (move.action == HY_DISCOVERY_DO_ASK || move.action == HY_DISCOVERY_DO_SEED))
        publish_discovery(session, "wait", attempt); /* every round begins so */
    discover_do(session, move.action, attempt);
}

static void on_discovery_timer(void *user)
{
    discover(user, HY_DISCOVERY_ON_TIMER);
}

static void on_hosts_change(void *user, enum hy_hosts_change change, size_t count)
{
    struct hy_session_outbound *session = user;

    (void)count;
    if (!session->started)
        return;
    wake_slots(session);
    if (change == HY_HOSTS_INSERTED)
        discover(session, HY_DISCOVERY_ON_FOUND);
}

void hy_session_outbound_seeded(struct hy_session_outbound *session)
{
    if (session->started)
        discover(session, HY_DISCOVERY_ON_SEEDED);
}

void hy_session_outbound_peer(struct hy_session_outbound *session)
{
    if (session->started)
        discover(session, HY_DISCOVERY_ON_PEER);
}

/* ---- the session ---- */

static void on_done(void *user)
{
    struct hy_session_outbound *session = user;

    session->on_stopped(session->user);
}

enum hypha_err hy_session_outbound_create(struct hy_net *net, const struct hy_outbound_hooks *hooks,
    struct hy_session_outbound **ret_session)
{
    struct hy_session_outbound *session = hy_alloc(sizeof(*session));
    uint32_t count = net->settings->outbound_connections;

    if (session == NULL)
        return HYPHA_ERR_NOMEM;
    session->net = net;
    session->hooks = *hooks;
    session->watch = (struct hy_hosts_watch){ .cb = on_hosts_change, .user = session };
    hy_timer_init(&session->discovery_timer, net->loop, on_discovery_timer, session);
    hy_defer_init(&session->done, net->loop, on_done, session);
    session->slots = hy_alloc_array(count, sizeof(*session->slots));
    if (session->slots == NULL) {
        hy_session_outbound_destroy(session);
        return HYPHA_ERR_NOMEM;
    }
    session->slot_count = count;
    for (uint32_t i = 0; i < count; i++) {
        struct outbound_slot *slot = &session->slots[i];

        slot->session = session;
        slot->index = i;
        hy_timer_init(&slot->pause, net->loop, on_pause_over, slot);
        hy_connector_init(&slot->connector, net, HYPHA_SESSION_OUTBOUND, on_connected, slot);
    }
    *ret_session = session;
    return HYPHA_OK;
}

void hy_session_outbound_start(struct hy_session_outbound *session)
{
    session->started = true;
    if (session->slot_count == 0)
        return; /* nobody asks, so nothing is to be discovered */
    hy_hosts_watch(session->net->hosts, &session->watch); /* before the first question */
    discover(session, HY_DISCOVERY_ON_START);
    session->running = session->slot_count;
    for (uint32_t i = 0; i < session->slot_count; i++)
        slot_feed(&session->slots[i], HY_SLOT_ON_START);
}

void hy_session_outbound_stop(
    struct hy_session_outbound *session, hy_session_stopped_cb on_stopped, void *user)
{
    session->on_stopped = on_stopped;
    session->user = user;
    if (session->started) {
        session->started = false;
        if (session->slot_count > 0)
            hy_hosts_unwatch(session->net->hosts, &session->watch);
        discover(session, HY_DISCOVERY_ON_STOP);
        for (uint32_t i = 0; i < session->slot_count; i++)
            slot_feed(&session->slots[i], HY_SLOT_ON_STOP);
    }
    if (session->running == 0)
        hy_defer_start(&session->done);
}

void hy_session_outbound_destroy(struct hy_session_outbound *session)
{
    if (session == NULL)
        return;
    assert(session->running == 0);
    hy_defer_stop(&session->done);
    hy_timer_stop(&session->discovery_timer);
    for (uint32_t i = 0; i < session->slot_count; i++) {
        hy_connector_fini(&session->slots[i].connector);
        hy_timer_stop(&session->slots[i].pause);
    }
    hy_free(session->slots);
    hy_free(session);
}

size_t hy_session_outbound_slot_count(const struct hy_session_outbound *session)
{
    return session->slot_count;
}

uint32_t hy_session_outbound_slot_channel(const struct hy_session_outbound *session, size_t slot)
{
    const struct outbound_slot *it = slot < session->slot_count ? &session->slots[slot] : NULL;

    return it != NULL && it->membership.registered ? hypha_channel_id(it->channel) : 0;
}

enum hy_slot_state hy_session_outbound_slot_state(
    const struct hy_session_outbound *session, size_t slot)
{
    return slot < session->slot_count ? session->slots[slot].state : HY_SLOT_STOPPED;
}
