/* session_outbound_discovery.c - do what discovery decides: ask peers, ask seeds, and wake the
 * slots that sleep because they know nobody. spec: network.md#75-peerdiscovery */
#include "session/session_outbound_internal.h"

/* attempt: fruitless rounds in a row until now, 0 to 2 (while the seeds may not be asked there can
 * be more). spec: apps.md 6.1 */
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
        .attempt = attempt < HY_DISCOVERY_MAX_FAILURES ? attempt : HY_DISCOVERY_MAX_FAILURES,
        .state = state,
    };
    hy_events_publish(&net->events, &event);
}

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
        enum hy_slot_state state = session->slots[i]->state;

        facts.asleep |= state == HY_SLOT_ASLEEP || hy_outbound_slot_is_at_loss(session->slots[i]);
        facts.dialing |= state == HY_SLOT_DIALING || state == HY_SLOT_HANDSHAKE;
    }
    return facts;
}

/* One after another, until one finds nothing: then there is nothing for the others either. */
void hy_outbound_wake(struct hy_session_outbound *session, bool fresh)
{
    if (session->waking)
        return;
    session->waking = true;
    for (uint32_t i = 0; i < session->slot_count && session->started; i++) {
        struct hy_outbound_slot *slot = session->slots[i];
        bool at_loss = fresh && hy_outbound_slot_is_at_loss(slot);

        if (slot->state != HY_SLOT_ASLEEP && !at_loss)
            continue;
        hy_timer_stop(&slot->pause);
        hy_outbound_slot_feed(slot, at_loss ? HY_SLOT_ON_ELAPSED : HY_SLOT_ON_WAKE);
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
            hy_outbound_discover(session, HY_DISCOVERY_ON_SEEDED);
        return;
    case HY_DISCOVERY_DO_REST:
        hy_outbound_wake(session, false);
        return;
    case HY_DISCOVERY_DO_NOTHING:
    case HY_DISCOVERY_DO_REARM:
        return;
    }
}

void hy_outbound_discover(struct hy_session_outbound *session, enum hy_discovery_event event)
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
    hy_outbound_discover(user, HY_DISCOVERY_ON_TIMER);
}

static void on_hosts_change(void *user, enum hy_hosts_change change, size_t count)
{
    struct hy_session_outbound *session = user;

    (void)count;
    if (!session->watching)
        return;
    hy_outbound_wake(session, change == HY_HOSTS_INSERTED);
    if (change == HY_HOSTS_INSERTED)
        hy_outbound_discover(session, HY_DISCOVERY_ON_FOUND);
}

void hy_outbound_discovery_init(struct hy_session_outbound *session)
{
    session->watch = (struct hy_hosts_watch){ .cb = on_hosts_change, .user = session };
    hy_timer_init(&session->discovery_timer, session->net->loop, on_discovery_timer, session);
}

/* The lists are watched before the first question is asked. spec: network.md 7.5 */
void hy_outbound_watch(struct hy_session_outbound *session, bool watching)
{
    if (session->watching == watching)
        return;
    session->watching = watching;
    if (watching)
        hy_hosts_watch(session->net->hosts, &session->watch);
    else
        hy_hosts_unwatch(session->net->hosts, &session->watch);
    hy_outbound_discover(session, watching ? HY_DISCOVERY_ON_START : HY_DISCOVERY_ON_STOP);
}

void hy_session_outbound_seeded(struct hy_session_outbound *session)
{
    if (session->watching)
        hy_outbound_discover(session, HY_DISCOVERY_ON_SEEDED);
}

void hy_session_outbound_peer(struct hy_session_outbound *session)
{
    if (session->watching)
        hy_outbound_discover(session, HY_DISCOVERY_ON_PEER);
}
