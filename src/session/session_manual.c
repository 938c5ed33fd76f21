/* session_manual.c - one loop per configured peer: dial, keep, pause, again. */
#include "session/session_manual.h"
#include "base/alloc.h"
#include "channel/connector.h"
#include "session/slot_record.h"

#include <assert.h>

#define TARGET         "net::session_manual"
#define JITTER_PERCENT 20U

enum manual_state { STOPPED, DIALLING, HANDSHAKE, CONNECTED, PAUSED, STOPPING };

struct manual_slot {
    struct hy_session_manual *session;
    uint32_t number;
    struct hypha_url *url;
    enum manual_state state;
    struct hy_connector connector;
    struct hy_timer pause;
    struct hypha_channel *channel; /* a reference, from DIALLING's end on */
    struct hy_membership membership;
    struct hy_slot_record record;
    bool forget;    /* free the slot once it has stopped */
    bool blocked;   /* PAUSED because the host is in use otherwise */
    bool seed_told; /* that it is a seed, too */
    TAILQ_ENTRY(manual_slot) entry;
};

TAILQ_HEAD(manual_slots, manual_slot);

struct hy_session_manual {
    struct hy_net *net;
    struct manual_slots slots;
    struct manual_slots coming; /* of a reload under way */
    size_t running;             /* slots that are not STOPPED */
    bool started;
    struct hy_defer settle, done;
    hy_session_stopped_cb on_stopped;
    void *user;
};

static void slot_dial(struct manual_slot *slot);

static bool is_seed(const struct manual_slot *slot)
{
    return hy_url_array_has(&slot->session->net->settings->seeds, slot->url);
}

/* ---- what people see ---- */

static const char *state_name(const struct manual_slot *slot)
{
    switch (slot->state) {
    case DIALLING:
        return "dialling";
    case HANDSHAKE:
        return "handshake";
    case CONNECTED:
        return "connected";
    case PAUSED:
        return "paused";
    case STOPPED:
        return slot->session->started && is_seed(slot) ? "idle" : "stopped";
    case STOPPING:
        break;
    }
    return "stopped";
}

static const char *waits_for(const struct manual_slot *slot, char into[HY_SLOT_TEXT_BYTES])
{
    switch (slot->state) {
    case DIALLING:
        return "waits for the connection";
    case HANDSHAKE:
        return "waits for the peer's version";
    case CONNECTED:
        return "";
    case PAUSED:
        return hy_slot_text_in(slot->blocked ? "in use by another session: looked at again in"
                                             : "waits for the pause after a try: dialled again in",
            hy_slot_timer_left_ms(&slot->pause), into);
    case STOPPED:
        return slot->session->started && is_seed(slot)
            ? "a configured seed, too: used as a seed only"
            : "waits for the node's start";
    case STOPPING:
        break;
    }
    return "waits for its channel to close";
}

static struct hypha_slot_info info_of(const struct manual_slot *slot)
{
    struct hypha_slot_info info = hy_slot_record_info(&slot->record, slot->session->net->loop);

    info.session = HYPHA_SESSION_MANUAL;
    info.slot = slot->number;
    info.addr = slot->url;
    info.channel_id = slot->membership.registered ? hypha_channel_id(slot->channel) : 0;
    info.next_ms = slot->state == PAUSED ? hy_slot_timer_left_ms(&slot->pause) : 0;
    return info;
}

/* The last thing of each move: who hears of it may stop or disconnect. */
static void slot_show(struct manual_slot *slot)
{
    struct hy_net *net = slot->session->net;

    if (!hy_slot_record_enter(&slot->record, net->loop, state_name(slot)))
        return;
    struct hypha_slot_info info = info_of(slot);
    if (slot->state == DIALLING || slot->state == HANDSHAKE || slot->state == CONNECTED)
        info.last_err = HYPHA_OK; /* an event tells of its own move */
    hy_session_publish_slot(net, &info);
}

/* ---- a slot's moves ---- */

static void slot_free(struct manual_slot *slot)
{
    hy_connector_fini(&slot->connector);
    hy_timer_stop(&slot->pause);
    hy_slot_record_fini(&slot->record);
    hypha_url_unref(slot->url);
    hy_free(slot);
}

static void slot_stopped(struct manual_slot *slot)
{
    struct hy_session_manual *session = slot->session;

    slot->state = STOPPED;
    session->running--;
    if (session->started)
        hy_defer_start(&session->settle);
    else if (session->running == 0)
        hy_defer_start(&session->done);
    slot_show(slot);
}

/* Always after a try, whatever came of it. spec: network.md 7.2 */
static void slot_pause(struct manual_slot *slot, bool blocked)
{
    struct hy_net *net = slot->session->net;
    uint32_t pause_ms =
        hy_settings_timeouts(net->settings, hypha_url_scheme(slot->url))->connect_ms;

    slot->state = PAUSED;
    slot->blocked = blocked;
    hy_timer_start(&slot->pause, hy_random_jitter(net->loop, pause_ms, JITTER_PERCENT));
    slot_show(slot);
}

/* A try is over and nothing of it is left. */
static void slot_ended(struct manual_slot *slot, enum hypha_err why)
{
    if (slot->state == CONNECTED)
        slot->record.failures = 0;
    else if (!hy_session_is_own_stop(why))
        slot->record.failures++;
    hy_slot_record_end(&slot->record, slot->url, why);
    if (slot->state == STOPPING)
        slot_stopped(slot);
    else
        slot_pause(slot, false);
}

static void on_channel_ready(struct hypha_channel *channel, void *user)
{
    struct manual_slot *slot = user;
    char text[HY_SESSION_TEXT_BYTES];

    if (slot->state != HANDSHAKE)
        return;
    slot->state = CONNECTED; /* first: whoever hears of the peer may stop the node */
    if (hy_session_register(channel, &slot->membership) != HYPHA_OK) {
        slot->state = slot->state == CONNECTED ? HANDSHAKE : slot->state;
        return; /* it stops */
    }
    hy_log_info(&slot->session->net->log, TARGET, "connected to the configured peer %s",
        hy_session_text(slot->url, text));
    slot_show(slot);
}

static void on_channel_stopped(struct hypha_channel *channel, enum hypha_err why, void *user)
{
    struct manual_slot *slot = user;
    struct hy_net *net = slot->session->net;
    char text[HY_SESSION_TEXT_BYTES];

    (void)channel; /* the slot's */
    if (!hy_session_is_own_stop(why))
        HY_LOG(&net->log, hy_session_loss_level(net, slot->url), TARGET,
            "lost the configured peer %s: %s", hy_session_text(slot->url, text),
            hypha_err_text(why));
    hy_session_give_back(&slot->channel, &slot->membership, slot->url, why);
    slot_ended(slot, why);
}

static const struct hy_channel_owner channel_owner = {
    .on_ready = on_channel_ready,
    .on_stopped = on_channel_stopped,
};

static void on_connected(
    void *user, enum hypha_err err, const char *why_text, struct hypha_channel *channel)
{
    struct manual_slot *slot = user;
    struct hy_net *net = slot->session->net;

    if (err == HYPHA_OK) {
        slot->channel = channel;
        if (slot->state == DIALLING)
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
        hy_log_info(&net->log, TARGET, "cannot reach a configured peer: %s", why_text);
    hy_hosts_free(net->hosts, slot->url);
    if (err == HYPHA_ERR_CONNECT_FAILED && slot->connector.cause != HYPHA_OK)
        err = slot->connector.cause;
    slot_ended(slot, err);
}

static void slot_dial(struct manual_slot *slot)
{
    struct hy_net *net = slot->session->net;
    char text[HY_SESSION_TEXT_BYTES];
    enum hypha_err err = hy_hosts_set(net->hosts, slot->url, HY_HOST_CONNECT);

    if (err != HYPHA_OK) {
        hy_log_debug(&net->log, TARGET, "%s is not dialled now: %s",
            hy_session_text(slot->url, text), hypha_err_text(err));
        slot_pause(slot, true);
        return;
    }
    slot->state = DIALLING;
    hy_connector_connect(&slot->connector, slot->url, 0);
    slot_show(slot);
}

static void on_pause_over(void *user)
{
    slot_dial(user);
}

static enum hypha_err slot_create(
    struct hy_session_manual *session, struct hypha_url *url, struct manual_slot **ret_slot)
{
    struct manual_slot *slot = hy_alloc(sizeof(*slot));

    if (slot == NULL)
        return HYPHA_ERR_NOMEM;
    slot->session = session;
    slot->url = hypha_url_ref(url);
    hy_timer_init(&slot->pause, session->net->loop, on_pause_over, slot);
    hy_slot_record_init(&slot->record, session->net->loop);
    *ret_slot = slot;
    return HYPHA_OK;
}

/* Under the smallest number that is free. */
static void slot_add(struct manual_slot *slot)
{
    struct manual_slots *slots = &slot->session->slots;
    struct manual_slot *at = TAILQ_FIRST(slots);
    uint32_t number = 0;

    for (; at != NULL && at->number == number; at = TAILQ_NEXT(at, entry))
        number++;
    slot->number = number;
    if (at != NULL)
        TAILQ_INSERT_BEFORE(at, slot, entry);
    else
        TAILQ_INSERT_TAIL(slots, slot, entry);
}

static void slot_start(struct manual_slot *slot)
{
    struct hy_session_manual *session = slot->session;
    char text[HY_SESSION_TEXT_BYTES];

    if (is_seed(slot)) {
        if (!slot->seed_told)
            hy_log_warn(&session->net->log, TARGET,
                "%s is configured as a peer and as a seed: used as a seed only",
                hy_session_text(slot->url, text));
        slot->seed_told = true;
        slot_show(slot);
        return;
    }
    slot->seed_told = false;
    session->running++;
    hy_connector_fini(&slot->connector);
    hy_connector_init(&slot->connector, session->net, HYPHA_SESSION_MANUAL, on_connected, slot);
    slot_dial(slot);
}

static void slot_stop(struct manual_slot *slot)
{
    switch (slot->state) {
    case STOPPED:
    case STOPPING:
        return;
    case PAUSED:
        hy_timer_stop(&slot->pause);
        slot_stopped(slot);
        return;
    case DIALLING:
        slot->state = STOPPING;
        hy_connector_stop(&slot->connector);
        slot_show(slot);
        return;
    case HANDSHAKE:
    case CONNECTED:
        slot->state = STOPPING;
        if (slot->channel != NULL) /* else it has ended, and who hears of that stops the slot */
            hypha_channel_stop(slot->channel);
        slot_show(slot);
        return;
    }
}

/* ---- the session ---- */

static void on_done(void *user)
{
    struct hy_session_manual *session = user;

    session->on_stopped(session->user);
}

/* Slots that should run are started, those that should not are stopped, forgotten ones freed: at
 * the end of a turn, when nobody is inside one of them. */
static void on_settle(void *user)
{
    struct hy_session_manual *session = user;
    struct manual_slot *slot, *next;

    TAILQ_FOREACH (slot, &session->slots, entry) {
        if (session->started && !slot->forget && slot->state == STOPPED)
            slot_start(slot);
        else if (slot->forget || is_seed(slot))
            slot_stop(slot);
    }
    for (slot = TAILQ_FIRST(&session->slots); slot != NULL; slot = next) {
        next = TAILQ_NEXT(slot, entry);
        if (!slot->forget || slot->state != STOPPED)
            continue;
        TAILQ_REMOVE(&session->slots, slot, entry);
        slot_free(slot);
    }
}

enum hypha_err hy_session_manual_create(struct hy_net *net, struct hy_session_manual **ret_session)
{
    struct hy_session_manual *session = hy_alloc(sizeof(*session));
    enum hypha_err err = HYPHA_OK;

    if (session == NULL)
        return HYPHA_ERR_NOMEM;
    session->net = net;
    TAILQ_INIT(&session->slots);
    TAILQ_INIT(&session->coming);
    hy_defer_init(&session->settle, net->loop, on_settle, session);
    hy_defer_init(&session->done, net->loop, on_done, session);
    for (size_t i = 0; err == HYPHA_OK && i < net->settings->peers.count; i++) {
        struct manual_slot *slot = NULL;

        err = slot_create(session, net->settings->peers.urls[i], &slot);
        if (err == HYPHA_OK)
            slot_add(slot);
    }
    if (err != HYPHA_OK) {
        hy_session_manual_destroy(session);
        return err;
    }
    *ret_session = session;
    return HYPHA_OK;
}

void hy_session_manual_start(struct hy_session_manual *session)
{
    struct manual_slot *slot;

    session->started = true;
    TAILQ_FOREACH (slot, &session->slots, entry) {
        if (session->started && !slot->forget && slot->state == STOPPED)
            slot_start(slot);
    }
}

void hy_session_manual_stop(
    struct hy_session_manual *session, hy_session_stopped_cb on_stopped, void *user)
{
    struct manual_slot *slot;

    session->started = false;
    session->on_stopped = on_stopped;
    session->user = user;
    hy_defer_stop(&session->settle);
    TAILQ_FOREACH (slot, &session->slots, entry)
        slot_stop(slot);
    if (session->running == 0)
        hy_defer_start(&session->done);
}

static void free_all(struct manual_slots *slots)
{
    struct manual_slot *slot;

    while ((slot = TAILQ_FIRST(slots)) != NULL) {
        TAILQ_REMOVE(slots, slot, entry);
        slot_free(slot);
    }
}

void hy_session_manual_destroy(struct hy_session_manual *session)
{
    if (session == NULL)
        return;
    assert(session->running == 0);
    hy_defer_stop(&session->settle);
    hy_defer_stop(&session->done);
    free_all(&session->slots);
    free_all(&session->coming);
    hy_free(session);
}

static struct manual_slot *find(
    const struct hy_session_manual *session, const struct hypha_url *url)
{
    struct manual_slot *slot;

    TAILQ_FOREACH (slot, &session->slots, entry) {
        if (!slot->forget && hypha_url_equal(slot->url, url))
            return slot;
    }
    return NULL;
}

/* A slot that is on its way out is wanted again. True: there was one; it starts anew, if it has
 * to, once it has stopped. */
static bool remember(struct hy_session_manual *session, const struct hypha_url *url)
{
    struct manual_slot *slot;

    TAILQ_FOREACH (slot, &session->slots, entry) {
        if (!hypha_url_equal(slot->url, url))
            continue;
        slot->forget = false;
        hy_defer_start(&session->settle);
        return true;
    }
    return false;
}

enum hypha_err hy_session_manual_connect(struct hy_session_manual *session, struct hypha_url *url)
{
    struct manual_slot *slot = NULL;

    if (!session->started)
        return HYPHA_ERR_NETWORK_STOPPED;
    if (find(session, url) != NULL)
        return HYPHA_ERR_EXISTS;
    if (remember(session, url))
        return HYPHA_OK;
    enum hypha_err err = slot_create(session, url, &slot);
    if (err != HYPHA_OK)
        return err;
    slot_add(slot);
    slot_start(slot);
    return HYPHA_OK;
}

enum hypha_err hy_session_manual_disconnect(
    struct hy_session_manual *session, const struct hypha_url *url)
{
    struct manual_slot *slot = find(session, url);

    if (slot == NULL)
        return HYPHA_ERR_NOT_FOUND;
    slot->forget = true;
    hy_defer_start(&session->settle);
    slot_stop(slot);
    return HYPHA_OK;
}

size_t hy_session_manual_count(const struct hy_session_manual *session)
{
    struct manual_slot *slot;
    size_t count = 0;

    TAILQ_FOREACH (slot, &session->slots, entry)
        count += slot->forget ? 0 : 1;
    return count;
}

void hy_session_manual_each(const struct hy_session_manual *session,
    void (*each)(const struct hypha_slot_info *slot, void *user), void *user)
{
    const struct manual_slot *slot;
    char text[HY_SLOT_TEXT_BYTES];

    TAILQ_FOREACH (slot, &session->slots, entry) {
        struct hypha_slot_info info = info_of(slot);

        if (slot->forget)
            continue;
        info.waits_for = waits_for(slot, text);
        each(&info, user);
    }
}

/* ---- reload ---- */

enum hypha_err hy_session_manual_prepare(
    struct hy_session_manual *session, const struct hy_url_array *peers)
{
    enum hypha_err err = HYPHA_OK;

    for (size_t i = 0; i < peers->count && err == HYPHA_OK; i++) {
        struct manual_slot *slot = NULL;

        if (hy_url_array_has(&session->net->settings->peers, peers->urls[i]))
            continue;
        err = slot_create(session, peers->urls[i], &slot);
        if (err == HYPHA_OK)
            TAILQ_INSERT_TAIL(&session->coming, slot, entry);
    }
    if (err != HYPHA_OK)
        hy_session_manual_abandon(session);
    return err;
}

void hy_session_manual_abandon(struct hy_session_manual *session)
{
    free_all(&session->coming);
}

void hy_session_manual_commit(
    struct hy_session_manual *session, const struct hy_url_array *old_peers)
{
    struct manual_slot *slot;

    for (size_t i = 0; i < old_peers->count; i++) {
        slot = find(session, old_peers->urls[i]);
        if (slot != NULL && !hy_url_array_has(&session->net->settings->peers, slot->url))
            slot->forget = true;
    }
    while ((slot = TAILQ_FIRST(&session->coming)) != NULL) {
        TAILQ_REMOVE(&session->coming, slot, entry);
        if (remember(session, slot->url)) /* or it was connected by hand */
            slot_free(slot);
        else
            slot_add(slot);
    }
    hy_defer_start(&session->settle);
}
