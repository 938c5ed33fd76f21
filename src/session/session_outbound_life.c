/* session_outbound_life.c - the slots together: start, stop, more or fewer of them; what people
 * see.
 *
 * Slots keep their numbers for life, so after a reload the numbers may have gaps; a new slot takes
 * the smallest one that is free. Removed slots leave the array at once and stop at the end of the
 * turn; the memory of a slot is freed when nobody can be inside it. */
#include "session/session_outbound_internal.h"

#include "base/alloc.h"

#include <assert.h>
#include <string.h>

static void on_done(void *user)
{
    struct hy_session_outbound *session = user;

    session->on_stopped(session->user);
}

/* ---- numbers ---- */

static bool is_taken(const struct hy_session_outbound *session, uint32_t number)
{
    const struct hy_outbound_slot *slot;

    for (uint32_t i = 0; i < session->slot_count; i++)
        if (session->slots[i]->number == number)
            return true;
    TAILQ_FOREACH (slot, &session->leaving, entry)
        if (slot->number == number)
            return true;
    return false;
}

/* Put it into the array, which has room, in the order of numbers. */
static void slot_insert(struct hy_session_outbound *session, struct hy_outbound_slot *slot)
{
    uint32_t at = session->slot_count;

    slot->number = 0;
    while (is_taken(session, slot->number))
        slot->number++;
    for (; at > 0 && session->slots[at - 1]->number > slot->number; at--)
        session->slots[at] = session->slots[at - 1];
    session->slots[at] = slot;
    session->slot_count++;
}

/* The new ones are last in `grown`, and the only ones that do not count yet. */
static void insert_grown(struct hy_session_outbound *session)
{
    struct hy_outbound_slot **old = session->slots;
    uint32_t first = session->slot_count;

    session->slots = session->grown;
    for (uint32_t i = first; i < session->grown_count; i++)
        slot_insert(session, session->grown[i]);
    session->grown = NULL;
    session->grown_count = 0;
    hy_free(old);
}

/* ---- life ---- */

static void settle(struct hy_session_outbound *session)
{
    struct hy_outbound_slot *slot;

    hy_outbound_watch(session, session->slot_count > 0);
    TAILQ_FOREACH (slot, &session->leaving, entry) {
        if (slot->state != HY_SLOT_STOPPED && slot->state != HY_SLOT_STOPPING)
            hy_outbound_slot_feed(slot, HY_SLOT_ON_STOP);
    }
    for (uint32_t i = 0; session->started && i < session->slot_count; i++) {
        if (session->slots[i]->state != HY_SLOT_STOPPED)
            continue;
        session->running++;
        hy_outbound_slot_feed(session->slots[i], HY_SLOT_ON_START);
    }
}

/* At the end of a turn, when nobody is inside a slot: new ones start, removed ones stop, and those
 * that have are freed. Other settings may mean other hosts to dial. */
static void on_settle(void *user)
{
    struct hy_session_outbound *session = user;
    struct hy_outbound_slot *slot, *next;

    if (session->started)
        settle(session);
    if (session->started)
        hy_outbound_wake(session, false);
    for (slot = TAILQ_FIRST(&session->leaving); slot != NULL; slot = next) {
        next = TAILQ_NEXT(slot, entry);
        if (slot->state != HY_SLOT_STOPPED)
            continue;
        TAILQ_REMOVE(&session->leaving, slot, entry);
        hy_outbound_slot_destroy(slot);
    }
}

enum hypha_err hy_session_outbound_create(struct hy_net *net, const struct hy_outbound_hooks *hooks,
    struct hy_session_outbound **ret_session)
{
    struct hy_session_outbound *session = hy_alloc(sizeof(*session));

    if (session == NULL)
        return HYPHA_ERR_NOMEM;
    session->net = net;
    session->hooks = *hooks;
    TAILQ_INIT(&session->leaving);
    hy_outbound_discovery_init(session);
    hy_defer_init(&session->settle, net->loop, on_settle, session);
    hy_defer_init(&session->done, net->loop, on_done, session);
    enum hypha_err err = hy_session_outbound_prepare(session, net->settings->outbound_connections);
    if (err != HYPHA_OK) {
        hy_session_outbound_destroy(session);
        return err;
    }
    hy_session_outbound_commit(session);
    *ret_session = session;
    return HYPHA_OK;
}

void hy_session_outbound_start(struct hy_session_outbound *session)
{
    session->started = true;
    settle(session);
}

void hy_session_outbound_stop(
    struct hy_session_outbound *session, hy_session_stopped_cb on_stopped, void *user)
{
    struct hy_outbound_slot *slot;

    session->on_stopped = on_stopped;
    session->user = user;
    if (session->started) {
        session->started = false;
        hy_defer_stop(&session->settle);
        hy_outbound_watch(session, false);
        for (uint32_t i = 0; i < session->slot_count; i++) {
            if (session->slots[i]->state != HY_SLOT_STOPPED)
                hy_outbound_slot_feed(session->slots[i], HY_SLOT_ON_STOP);
        }
        TAILQ_FOREACH (slot, &session->leaving, entry) {
            if (slot->state != HY_SLOT_STOPPED && slot->state != HY_SLOT_STOPPING)
                hy_outbound_slot_feed(slot, HY_SLOT_ON_STOP);
        }
    }
    if (session->running == 0)
        hy_defer_start(&session->done);
}

void hy_session_outbound_destroy(struct hy_session_outbound *session)
{
    struct hy_outbound_slot *slot;

    if (session == NULL)
        return;
    assert(session->running == 0);
    hy_session_outbound_abandon(session);
    hy_defer_stop(&session->settle);
    hy_defer_stop(&session->done);
    hy_timer_stop(&session->discovery_timer);
    for (uint32_t i = 0; i < session->slot_count; i++)
        hy_outbound_slot_destroy(session->slots[i]);
    hy_free(session->slots);
    while ((slot = TAILQ_FIRST(&session->leaving)) != NULL) {
        TAILQ_REMOVE(&session->leaving, slot, entry);
        hy_outbound_slot_destroy(slot);
    }
    hy_free(session);
}

/* ---- reload ---- */

enum hypha_err hy_session_outbound_prepare(struct hy_session_outbound *session, uint32_t count)
{
    enum hypha_err err = HYPHA_OK;

    assert(session->grown == NULL);
    if (count <= session->slot_count && session->slots != NULL)
        return HYPHA_OK;
    session->grown = hy_alloc_array(count, sizeof(struct hy_outbound_slot *));
    if (session->grown == NULL)
        return HYPHA_ERR_NOMEM;
    if (session->slots != NULL)
        memcpy(session->grown, session->slots,
            session->slot_count * sizeof(struct hy_outbound_slot *));
    session->grown_count = session->slot_count;
    while (session->grown_count < count && err == HYPHA_OK) {
        err = hy_outbound_slot_create(session, &session->grown[session->grown_count]);
        session->grown_count += err == HYPHA_OK ? 1 : 0;
    }
    if (err != HYPHA_OK)
        hy_session_outbound_abandon(session);
    return err;
}

void hy_session_outbound_abandon(struct hy_session_outbound *session)
{
    for (uint32_t i = session->slot_count; i < session->grown_count; i++)
        hy_outbound_slot_destroy(session->grown[i]);
    hy_free(session->grown);
    session->grown = NULL;
    session->grown_count = 0;
}

/* How much is lost with the slot: nothing, a try, a peer. */
static unsigned worth_of(const struct hy_outbound_slot *slot)
{
    bool trying = slot->state == HY_SLOT_DIALING || slot->state == HY_SLOT_HANDSHAKE;

    return slot->membership.registered ? 2 : trying ? 1 : 0;
}

/* Empty ones first, then from index 0. spec: network.md 7.4 (reload) */
static void remove_one(struct hy_session_outbound *session)
{
    uint32_t at = 0;

    for (uint32_t i = 1; i < session->slot_count; i++)
        if (worth_of(session->slots[i]) < worth_of(session->slots[at]))
            at = i;
    TAILQ_INSERT_TAIL(&session->leaving, session->slots[at], entry);
    session->slot_count--;
    memmove(&session->slots[at], &session->slots[at + 1],
        (session->slot_count - at) * sizeof(struct hy_outbound_slot *));
}

void hy_session_outbound_commit(struct hy_session_outbound *session)
{
    if (session->grown != NULL)
        insert_grown(session);
    while (session->slot_count > session->net->settings->outbound_connections)
        remove_one(session);
    if (session->started)
        hy_defer_start(&session->settle);
}

void hy_session_outbound_new_seeds(struct hy_session_outbound *session)
{
    if (session->watching)
        hy_outbound_discover(session, HY_DISCOVERY_ON_NEW_SEEDS);
}

/* ---- what people see ---- */

size_t hy_session_outbound_slot_count(const struct hy_session_outbound *session)
{
    return session->slot_count;
}

uint32_t hy_session_outbound_slot_channel(const struct hy_session_outbound *session, size_t slot)
{
    const struct hy_outbound_slot *it = slot < session->slot_count ? session->slots[slot] : NULL;

    return it != NULL && it->membership.registered ? hypha_channel_id(it->channel) : 0;
}

enum hy_slot_state hy_session_outbound_slot_state(
    const struct hy_session_outbound *session, size_t slot)
{
    return slot < session->slot_count ? session->slots[slot]->state : HY_SLOT_STOPPED;
}

void hy_session_outbound_discovery_info(
    const struct hy_session_outbound *session, struct hypha_discovery_info *ret_info)
{
    const struct hy_discovery *discovery = &session->discovery;
    uint64_t now_ms = hy_now_ms(session->net->loop);

    ret_info->state = hy_discovery_state_name(discovery->state);
    ret_info->failures = discovery->failures;
    ret_info->next_ms = hy_slot_timer_left_ms(&session->discovery_timer);
    ret_info->seed_wait_ms = hy_seed_backoff_left_ms(&discovery->seeds, now_ms);
}

/* Why there is no host to dial, and what is being done about it. */
static const char *asleep_for(
    const struct hy_session_outbound *session, char into[HY_SLOT_TEXT_BYTES])
{
    const struct hy_net *net = session->net;
    uint64_t next_ms = hy_slot_timer_left_ms(&session->discovery_timer);
    struct hypha_discovery_info info;

    switch (session->discovery.state) {
    case HY_DISCOVERY_ASKING:
        return "no host to dial: peers are being asked for addresses";
    case HY_DISCOVERY_SEEDING:
        return "no host to dial: seeds are being asked for addresses";
    case HY_DISCOVERY_RESTING:
    case HY_DISCOVERY_IDLE:
    case HY_DISCOVERY_STOPPED:
    case HY_DISCOVERY_STATES:
        break;
    }
    if (net->peers_count > 0)
        return hy_slot_text_in("no host to dial: peers are asked again in", next_ms, into);
    if (net->settings->seeds.count == 0)
        return "no host to dial, nobody to ask: there is no peer, and no seed is configured";
    hy_session_outbound_discovery_info(session, &info);
    if (info.seed_wait_ms > 0)
        return hy_slot_text_in("no host to dial, no peer to ask: seeds may be asked again in",
            info.seed_wait_ms, into);
    return hy_slot_text_in("no host to dial: the lists are looked through again in", next_ms, into);
}

static const char *waits_for(const struct hy_outbound_slot *slot, char into[HY_SLOT_TEXT_BYTES])
{
    switch (slot->state) {
    case HY_SLOT_STOPPED:
        return "waits for the node's start";
    case HY_SLOT_PICKING:
    case HY_SLOT_ASLEEP:
        return asleep_for(slot->session, into);
    case HY_SLOT_DIALING:
        return "waits for the connection";
    case HY_SLOT_HANDSHAKE:
        return "waits for the peer's version";
    case HY_SLOT_CONNECTED:
        return "";
    case HY_SLOT_PAUSED:
        if (hy_outbound_slot_is_at_loss(slot))
            return hy_slot_text_in(
                "waits for the pause after failures, and for new hosts: the next try in",
                hy_slot_timer_left_ms(&slot->pause), into);
        return hy_slot_text_in("waits for the pause after a failure: the next host in",
            hy_slot_timer_left_ms(&slot->pause), into);
    case HY_SLOT_STOPPING:
    case HY_SLOT_STATES:
        break;
    }
    return "waits for its channel to close";
}

static uint64_t next_ms_of(const struct hy_outbound_slot *slot)
{
    const struct hy_session_outbound *session = slot->session;

    if (slot->state == HY_SLOT_PAUSED)
        return hy_slot_timer_left_ms(&slot->pause);
    if (slot->state == HY_SLOT_ASLEEP && session->discovery.state == HY_DISCOVERY_RESTING)
        return hy_slot_timer_left_ms(&session->discovery_timer);
    return 0;
}

void hy_session_outbound_each(const struct hy_session_outbound *session,
    void (*each)(const struct hypha_slot_info *slot, void *user), void *user)
{
    char text[HY_SLOT_TEXT_BYTES];

    for (uint32_t i = 0; i < session->slot_count; i++) {
        const struct hy_outbound_slot *slot = session->slots[i];
        struct hypha_slot_info info = hy_slot_record_info(&slot->record, session->net->loop);

        info.session = HYPHA_SESSION_OUTBOUND;
        info.slot = slot->number;
        info.addr = slot->url;
        info.channel_id = slot->membership.registered ? hypha_channel_id(slot->channel) : 0;
        info.next_ms = next_ms_of(slot);
        info.waits_for = waits_for(slot, text);
        each(&info, user);
    }
}
