/* session_seedsync.c - ask seeds for addresses when there is nobody else to ask. */
#include "session/session_seedsync.h"
#include "base/alloc.h"
#include "channel/connector.h"
#include "session/slot_record.h"

#include <assert.h>
#include <stdio.h>

#define TARGET "net::session_seedsync"

enum seed_state { IDLE, DIALLING, HANDSHAKE, ASKING, CLOSING };

struct seed_slot {
    struct hy_session_seedsync *session;
    uint32_t number;
    struct hypha_url *url; /* a reference */
    enum seed_state state;
    struct hy_connector connector;
    struct hypha_channel *channel; /* a reference, from HANDSHAKE on */
    struct hy_membership membership;
    struct hy_slot_record record;
    enum hypha_err warned; /* the cause that was told last */
    uint64_t warned_ms;
    bool answered; /* in this run */
    bool drawn;    /* within one wake */
    bool forget;   /* no seed any more: free the slot once it is IDLE */
    TAILQ_ENTRY(seed_slot) entry;
};

TAILQ_HEAD(seed_slots, seed_slot);

struct hy_session_seedsync {
    struct hy_net *net;
    struct seed_slots slots;
    struct seed_slots coming; /* of a reload under way */
    size_t running;           /* slots that are not IDLE */
    bool started;
    void (*on_idle)(void *user);
    void *idle_user;
    struct hy_defer idle, settle, done;
    hy_session_stopped_cb on_stopped;
    void *user;
};

/* ---- what people see ---- */

static const char *state_name(const struct seed_slot *slot)
{
    switch (slot->state) {
    case DIALLING:
        return "dialling";
    case HANDSHAKE:
        return "handshake";
    case ASKING:
        return "connected";
    case IDLE:
    case CLOSING:
        break;
    }
    return slot->session->started ? "idle" : "stopped";
}

static struct hypha_slot_info info_of(const struct seed_slot *slot)
{
    struct hypha_slot_info info = hy_slot_record_info(&slot->record, slot->session->net->loop);

    info.session = HYPHA_SESSION_SEED;
    info.slot = slot->number;
    info.addr = slot->url;
    info.channel_id = slot->membership.registered ? hypha_channel_id(slot->channel) : 0;
    return info;
}

/* The last thing of each move: who hears of it may stop the node. */
static void slot_show(struct seed_slot *slot)
{
    struct hy_net *net = slot->session->net;

    if (!hy_slot_record_enter(&slot->record, net->loop, state_name(slot)))
        return;
    struct hypha_slot_info info = info_of(slot);
    if (slot->state != IDLE)
        info.last_err = HYPHA_OK; /* an event tells of its own move */
    hy_session_publish_slot(net, &info);
}

static const char *waits_for(
    const struct seed_slot *slot, uint64_t wait_ms, char into[HY_SLOT_TEXT_BYTES])
{
    switch (slot->state) {
    case DIALLING:
        return "waits for the connection";
    case HANDSHAKE:
        return "waits for the seed's version";
    case ASKING:
        return "waits for the seed's addresses";
    case CLOSING:
        return "waits for its channel to close";
    case IDLE:
        break;
    }
    if (!slot->session->started)
        return "waits for the node's start";
    if (wait_ms > 0)
        return hy_slot_text_in("may be asked again in", wait_ms, into);
    return "asked when nobody else is left to dial";
}

/* ---- warnings ---- */

/* Once per change of cause, then once a minute: a dead seed must not fill the log. */
static void slot_warn(struct seed_slot *slot, enum hypha_err why, const char *text)
{
    struct hy_net *net = slot->session->net;
    uint64_t now_ms = hy_now_ms(net->loop);

    if (why == slot->warned && now_ms - slot->warned_ms < HY_SEED_WARN_MS)
        return;
    slot->warned = why;
    slot->warned_ms = now_ms;
    hy_log_warn(&net->log, TARGET, "a seed gave no addresses: %s", text);
}

static void slot_warn_url(struct seed_slot *slot, enum hypha_err why)
{
    char text[HY_SESSION_TEXT_BYTES], line[HY_SESSION_TEXT_BYTES + 100];

    (void)snprintf(
        line, sizeof(line), "%s: %s", hy_session_text(slot->url, text), hypha_err_text(why));
    slot_warn(slot, why, line);
}

/* ---- a slot's moves ---- */

/* A run is over. `why` HYPHA_OK: the seed gave its answer. */
static void slot_ended(struct seed_slot *slot, enum hypha_err why)
{
    struct hy_session_seedsync *session = slot->session;

    slot->state = IDLE;
    if (why == HYPHA_OK)
        slot->record.failures = 0;
    else if (!hy_session_is_own_stop(why))
        slot->record.failures++;
    hy_slot_record_end(&slot->record, slot->url, why);
    session->running--;
    if (slot->forget)
        hy_defer_start(&session->settle);
    if (session->running == 0)
        hy_defer_start(session->started ? &session->idle : &session->done);
    slot_show(slot);
}

static void slot_close(struct seed_slot *slot, enum hypha_err why)
{
    slot->state = CLOSING;
    hy_channel_stop_for(slot->channel, why);
}

static void on_channel_ready(struct hypha_channel *channel, void *user)
{
    struct seed_slot *slot = user;

    if (slot->state != HANDSHAKE)
        return;
    slot->state = ASKING;
    /* The seed protocol may be answered from here on, never inside this call. */
    if (hy_session_register(channel, &slot->membership) == HYPHA_OK)
        slot_show(slot);
}

static void on_channel_stopped(struct hypha_channel *channel, enum hypha_err why, void *user)
{
    struct seed_slot *slot = user;

    (void)channel; /* the slot's */
    if (slot->state != CLOSING && !hy_session_is_own_stop(why))
        slot_warn_url(slot, why);
    hy_session_give_back(&slot->channel, &slot->membership, slot->url, why);
    slot_ended(slot, slot->answered ? HYPHA_OK : why);
}

static const struct hy_channel_owner channel_owner = {
    .on_ready = on_channel_ready,
    .on_stopped = on_channel_stopped,
};

static void on_connected(
    void *user, enum hypha_err err, const char *why_text, struct hypha_channel *channel)
{
    struct seed_slot *slot = user;

    if (err == HYPHA_OK) {
        slot->channel = channel;
        slot->state = HANDSHAKE;
        err = hy_channel_start(channel, &channel_owner, slot);
        why_text = hypha_err_text(err);
        if (err == HYPHA_OK) {
            slot_show(slot);
            return;
        }
        slot->channel = NULL;
        hypha_channel_unref(channel);
    }
    if (!hy_session_is_own_stop(err))
        slot_warn(slot, err, why_text);
    hy_hosts_free(slot->session->net->hosts, slot->url);
    if (err == HYPHA_ERR_CONNECT_FAILED && slot->connector.cause != HYPHA_OK)
        err = slot->connector.cause;
    slot_ended(slot, err);
}

/* False: the seed is in use otherwise, and this wake-up is lost. */
static bool slot_wake(struct seed_slot *slot)
{
    struct hy_session_seedsync *session = slot->session;

    if (hy_hosts_set(session->net->hosts, slot->url, HY_HOST_CONNECT) != HYPHA_OK)
        return false;
    slot->state = DIALLING;
    slot->answered = false;
    session->running++;
    hy_connector_connect(&slot->connector, slot->url, 0);
    slot_show(slot);
    return true;
}

/* One of the idle slots that were not drawn yet, each as likely as the others. */
static struct seed_slot *draw(struct hy_session_seedsync *session)
{
    struct seed_slot *slot, *drawn = NULL;
    size_t seen = 0;

    TAILQ_FOREACH (slot, &session->slots, entry) {
        if (slot->state != IDLE || slot->drawn || slot->forget)
            continue;
        seen++;
        if (hy_random_below(session->net->loop, seen) == 0)
            drawn = slot;
    }
    if (drawn != NULL)
        drawn->drawn = true;
    return drawn;
}

size_t hy_session_seedsync_wake(struct hy_session_seedsync *session, size_t most)
{
    struct seed_slot *slot;
    size_t begun = 0;

    TAILQ_FOREACH (slot, &session->slots, entry)
        slot->drawn = false;
    while (session->started && begun < most && (slot = draw(session)) != NULL)
        begun += slot_wake(slot) ? 1 : 0;
    return session->running;
}

void hy_session_seedsync_seeded(
    struct hy_session_seedsync *session, struct hypha_channel *channel, size_t inserted)
{
    char text[HY_SESSION_TEXT_BYTES];
    struct seed_slot *slot;

    TAILQ_FOREACH (slot, &session->slots, entry) {
        if (slot->channel != channel || slot->state != ASKING)
            continue;
        slot->warned = HYPHA_OK;
        slot->answered = true;
        hy_log_info(&session->net->log, TARGET, "learned %zu %s from seed %s", inserted,
            inserted == 1 ? "address" : "addresses", hy_session_text(slot->url, text));
        slot_close(slot, HYPHA_ERR_CHANNEL_STOPPED);
        return;
    }
}

static void slot_stop(struct seed_slot *slot)
{
    switch (slot->state) {
    case IDLE:
    case CLOSING:
        return;
    case DIALLING:
        hy_connector_stop(&slot->connector);
        return;
    case HANDSHAKE:
    case ASKING:
        slot_close(slot, HYPHA_ERR_CHANNEL_STOPPED);
        return;
    }
}

/* ---- the session ---- */

static void on_idle(void *user)
{
    struct hy_session_seedsync *session = user;

    if (session->started && session->running == 0 && session->on_idle != NULL)
        session->on_idle(session->idle_user);
}

static void free_all(struct seed_slots *slots)
{
    struct seed_slot *slot;

    while ((slot = TAILQ_FIRST(slots)) != NULL) {
        TAILQ_REMOVE(slots, slot, entry);
        hy_connector_fini(&slot->connector);
        hy_slot_record_fini(&slot->record);
        hypha_url_unref(slot->url);
        hy_free(slot);
    }
}

/* At the end of a turn, when nobody is inside a slot: new ones show, forgotten ones go. */
static void on_settle(void *user)
{
    struct hy_session_seedsync *session = user;
    struct seed_slots gone = TAILQ_HEAD_INITIALIZER(gone);
    struct seed_slot *slot, *next;

    TAILQ_FOREACH (slot, &session->slots, entry) {
        if (slot->forget)
            slot_stop(slot);
        slot_show(slot);
    }
    for (slot = TAILQ_FIRST(&session->slots); slot != NULL; slot = next) {
        next = TAILQ_NEXT(slot, entry);
        if (!slot->forget || slot->state != IDLE)
            continue;
        TAILQ_REMOVE(&session->slots, slot, entry);
        TAILQ_INSERT_TAIL(&gone, slot, entry);
    }
    free_all(&gone);
}

static void on_done(void *user)
{
    struct hy_session_seedsync *session = user;

    session->on_stopped(session->user);
}

static enum hypha_err slot_create(
    struct hy_session_seedsync *session, struct hypha_url *url, struct seed_slots *into)
{
    struct seed_slot *slot = hy_alloc(sizeof(*slot));

    if (slot == NULL)
        return HYPHA_ERR_NOMEM;
    slot->session = session;
    slot->url = hypha_url_ref(url);
    hy_slot_record_init(&slot->record, session->net->loop);
    hy_connector_init(&slot->connector, session->net, HYPHA_SESSION_SEED, on_connected, slot);
    TAILQ_INSERT_TAIL(into, slot, entry);
    return HYPHA_OK;
}

/* Under the smallest number that is free. */
static void slot_add(struct seed_slot *slot)
{
    struct seed_slots *slots = &slot->session->slots;
    struct seed_slot *at = TAILQ_FIRST(slots);
    uint32_t number = 0;

    for (; at != NULL && at->number == number; at = TAILQ_NEXT(at, entry))
        number++;
    slot->number = number;
    if (at != NULL)
        TAILQ_INSERT_BEFORE(at, slot, entry);
    else
        TAILQ_INSERT_TAIL(slots, slot, entry);
}

enum hypha_err hy_session_seedsync_create(struct hy_net *net, void (*idle_cb)(void *user),
    void *user, struct hy_session_seedsync **ret_session)
{
    struct hy_session_seedsync *session = hy_alloc(sizeof(*session));

    if (session == NULL)
        return HYPHA_ERR_NOMEM;
    session->net = net;
    session->on_idle = idle_cb;
    session->idle_user = user;
    TAILQ_INIT(&session->slots);
    TAILQ_INIT(&session->coming);
    hy_defer_init(&session->idle, net->loop, on_idle, session);
    hy_defer_init(&session->settle, net->loop, on_settle, session);
    hy_defer_init(&session->done, net->loop, on_done, session);
    enum hypha_err err = hy_session_seedsync_prepare(session, &net->settings->seeds);
    if (err != HYPHA_OK) {
        hy_session_seedsync_destroy(session);
        return err;
    }
    (void)hy_session_seedsync_commit(session);
    *ret_session = session;
    return HYPHA_OK;
}

void hy_session_seedsync_start(struct hy_session_seedsync *session)
{
    struct seed_slot *slot;

    session->started = true;
    TAILQ_FOREACH (slot, &session->slots, entry)
        slot_show(slot);
}

void hy_session_seedsync_stop(
    struct hy_session_seedsync *session, hy_session_stopped_cb on_stopped, void *user)
{
    struct seed_slot *slot;

    session->started = false;
    session->on_stopped = on_stopped;
    session->user = user;
    hy_defer_stop(&session->idle);
    TAILQ_FOREACH (slot, &session->slots, entry) {
        slot_stop(slot);
        if (slot->state == IDLE)
            slot_show(slot);
    }
    if (session->running == 0)
        hy_defer_start(&session->done);
}

void hy_session_seedsync_destroy(struct hy_session_seedsync *session)
{
    if (session == NULL)
        return;
    assert(session->running == 0);
    hy_defer_stop(&session->idle);
    hy_defer_stop(&session->settle);
    hy_defer_stop(&session->done);
    free_all(&session->slots);
    free_all(&session->coming);
    hy_free(session);
}

void hy_session_seedsync_each(const struct hy_session_seedsync *session, uint64_t wait_ms,
    void (*each)(const struct hypha_slot_info *slot, void *user), void *user)
{
    const struct seed_slot *slot;
    char text[HY_SLOT_TEXT_BYTES];

    TAILQ_FOREACH (slot, &session->slots, entry) {
        struct hypha_slot_info info = info_of(slot);

        if (slot->forget)
            continue;
        info.waits_for = waits_for(slot, wait_ms, text);
        each(&info, user);
    }
}

/* ---- reload ---- */

static struct seed_slot *find(
    const struct hy_session_seedsync *session, const struct hypha_url *url)
{
    struct seed_slot *slot;

    TAILQ_FOREACH (slot, &session->slots, entry) {
        if (!slot->forget && hypha_url_equal(slot->url, url))
            return slot;
    }
    return NULL;
}

enum hypha_err hy_session_seedsync_prepare(
    struct hy_session_seedsync *session, const struct hy_url_array *seeds)
{
    enum hypha_err err = HYPHA_OK;

    for (size_t i = 0; i < seeds->count && err == HYPHA_OK; i++) {
        if (find(session, seeds->urls[i]) == NULL)
            err = slot_create(session, seeds->urls[i], &session->coming);
    }
    if (err != HYPHA_OK)
        hy_session_seedsync_abandon(session);
    return err;
}

void hy_session_seedsync_abandon(struct hy_session_seedsync *session)
{
    free_all(&session->coming);
}

bool hy_session_seedsync_commit(struct hy_session_seedsync *session)
{
    const struct hy_url_array *seeds = &session->net->settings->seeds;
    bool some_came = !TAILQ_EMPTY(&session->coming);
    struct seed_slot *slot;

    TAILQ_FOREACH (slot, &session->slots, entry) {
        if (hy_url_array_has(seeds, slot->url))
            continue;
        slot->forget = true;
        hy_defer_start(&session->settle);
    }
    while ((slot = TAILQ_FIRST(&session->coming)) != NULL) {
        TAILQ_REMOVE(&session->coming, slot, entry);
        slot_add(slot);
        if (session->started)
            hy_defer_start(&session->settle);
    }
    return some_came;
}
