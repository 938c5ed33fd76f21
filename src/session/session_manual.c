/* session_manual.c - one loop per configured peer: dial, keep, pause, again. */
#include "session/session_manual.h"
#include "base/alloc.h"
#include "channel/connector.h"

#include <assert.h>

#define TARGET         "net::session_manual"
#define JITTER_PERCENT 20U

enum manual_state { STOPPED, DIALLING, HANDSHAKE, CONNECTED, PAUSED, STOPPING };

struct manual_slot {
    struct hy_session_manual *session;
    struct hypha_url *url;
    enum manual_state state;
    struct hy_connector connector;
    struct hy_timer pause;
    struct hypha_channel *channel; /* a reference, from DIALLING's end on */
    struct hy_membership membership;
    bool forget; /* disconnect(): free the slot once it has stopped */
    TAILQ_ENTRY(manual_slot) entry;
};

struct hy_session_manual {
    struct hy_net *net;
    TAILQ_HEAD(, manual_slot) slots;
    size_t count;   /* of slots */
    size_t running; /* of them, not STOPPED */
    bool started;
    struct hy_defer done;
    hy_session_stopped_cb on_stopped;
    void *user;
};

static void slot_dial(struct manual_slot *slot);

static bool is_seed(const struct hy_net *net, const struct hypha_url *url)
{
    const struct hy_url_array *seeds = &net->settings->seeds;

    for (size_t i = 0; i < seeds->count; i++) {
        if (hypha_url_equal(seeds->urls[i], url))
            return true;
    }
    return false;
}

static void slot_free(struct manual_slot *slot)
{
    TAILQ_REMOVE(&slot->session->slots, slot, entry);
    slot->session->count--;
    hy_connector_fini(&slot->connector);
    hy_timer_stop(&slot->pause);
    hypha_url_unref(slot->url);
    hy_free(slot);
}

static void slot_stopped(struct manual_slot *slot)
{
    struct hy_session_manual *session = slot->session;

    slot->state = STOPPED;
    session->running--;
    if (slot->forget)
        slot_free(slot);
    if (!session->started && session->running == 0)
        hy_defer_start(&session->done);
}

/* Always after a try, whatever came of it. spec: network.md 7.2 */
static void slot_pause(struct manual_slot *slot)
{
    struct hy_net *net = slot->session->net;
    uint32_t pause_ms =
        hy_settings_timeouts(net->settings, hypha_url_scheme(slot->url))->connect_ms;

    slot->state = PAUSED;
    hy_timer_start(&slot->pause, hy_random_jitter(net->loop, pause_ms, JITTER_PERCENT));
}

/* A try is over and nothing of it is left. */
static void slot_ended(struct manual_slot *slot)
{
    if (slot->state == STOPPING)
        slot_stopped(slot);
    else
        slot_pause(slot);
}

static void on_channel_ready(struct hypha_channel *channel, void *user)
{
    struct manual_slot *slot = user;
    char text[HY_SESSION_TEXT_BYTES];

    if (slot->state != HANDSHAKE)
        return;
    slot->state = CONNECTED; /* first: whoever hears of the peer may stop the node */
    if (hy_session_register(channel, &slot->membership) != HYPHA_OK)
        return; /* it stops */
    hy_log_info(&slot->session->net->log, TARGET, "connected to the configured peer %s",
        hy_session_text(slot->url, text));
}

static void on_channel_stopped(struct hypha_channel *channel, enum hypha_err why, void *user)
{
    struct manual_slot *slot = user;
    struct hy_net *net = slot->session->net;
    char text[HY_SESSION_TEXT_BYTES];

    if (!hy_session_is_own_stop(why))
        hy_log_info(&net->log, TARGET, "lost the configured peer %s: %s",
            hy_session_text(slot->url, text), hypha_err_text(why));
    if (slot->membership.registered)
        hy_session_unregister(channel, &slot->membership, why);
    else
        hy_hosts_free(net->hosts, slot->url);
    slot->channel = NULL;
    hypha_channel_unref(channel);
    slot_ended(slot);
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
        if (err == HYPHA_OK)
            return;
        slot->channel = NULL;
        hypha_channel_unref(channel);
    }
    if (!hy_session_is_own_stop(err))
        hy_log_info(&net->log, TARGET, "cannot reach a configured peer: %s", why_text);
    hy_hosts_free(net->hosts, slot->url);
    slot_ended(slot);
}

static void slot_dial(struct manual_slot *slot)
{
    struct hy_net *net = slot->session->net;
    char text[HY_SESSION_TEXT_BYTES];
    enum hypha_err err = hy_hosts_set(net->hosts, slot->url, HY_HOST_CONNECT);

    if (err != HYPHA_OK) {
        hy_log_debug(&net->log, TARGET, "%s is not dialled now: %s",
            hy_session_text(slot->url, text), hypha_err_text(err));
        slot_pause(slot);
        return;
    }
    slot->state = DIALLING;
    hy_connector_connect(&slot->connector, slot->url, 0);
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
    TAILQ_INSERT_TAIL(&session->slots, slot, entry);
    session->count++;
    *ret_slot = slot;
    return HYPHA_OK;
}

static void slot_start(struct manual_slot *slot)
{
    struct hy_session_manual *session = slot->session;
    char text[HY_SESSION_TEXT_BYTES];

    if (is_seed(session->net, slot->url)) {
        hy_log_warn(&session->net->log, TARGET,
            "%s is configured as a peer and as a seed: used as a seed only",
            hy_session_text(slot->url, text));
        return;
    }
    session->running++;
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
        return;
    case HANDSHAKE:
    case CONNECTED:
        slot->state = STOPPING;
        hypha_channel_stop(slot->channel);
        return;
    }
}

/* ---- the session ---- */

static void on_done(void *user)
{
    struct hy_session_manual *session = user;

    session->on_stopped(session->user);
}

enum hypha_err hy_session_manual_create(struct hy_net *net, struct hy_session_manual **ret_session)
{
    struct hy_session_manual *session = hy_alloc(sizeof(*session));
    enum hypha_err err = HYPHA_OK;

    if (session == NULL)
        return HYPHA_ERR_NOMEM;
    session->net = net;
    TAILQ_INIT(&session->slots);
    hy_defer_init(&session->done, net->loop, on_done, session);
    for (size_t i = 0; err == HYPHA_OK && i < net->settings->peers.count; i++) {
        struct manual_slot *slot = NULL;

        err = slot_create(session, net->settings->peers.urls[i], &slot);
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
    TAILQ_FOREACH (slot, &session->slots, entry)
        slot_start(slot);
}

void hy_session_manual_stop(
    struct hy_session_manual *session, hy_session_stopped_cb on_stopped, void *user)
{
    struct manual_slot *slot, *next;

    session->started = false;
    session->on_stopped = on_stopped;
    session->user = user;
    for (slot = TAILQ_FIRST(&session->slots); slot != NULL; slot = next) {
        next = TAILQ_NEXT(slot, entry);
        slot_stop(slot);
    }
    if (session->running == 0)
        hy_defer_start(&session->done);
}

void hy_session_manual_destroy(struct hy_session_manual *session)
{
    if (session == NULL)
        return;
    assert(session->running == 0);
    hy_defer_stop(&session->done);
    while (!TAILQ_EMPTY(&session->slots))
        slot_free(TAILQ_FIRST(&session->slots));
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

enum hypha_err hy_session_manual_connect(struct hy_session_manual *session, struct hypha_url *url)
{
    struct manual_slot *slot = NULL;

    if (!session->started)
        return HYPHA_ERR_NETWORK_STOPPED;
    if (find(session, url) != NULL)
        return HYPHA_ERR_EXISTS;
    enum hypha_err err = slot_create(session, url, &slot);
    if (err == HYPHA_OK)
        slot_start(slot);
    return err;
}

enum hypha_err hy_session_manual_disconnect(
    struct hy_session_manual *session, const struct hypha_url *url)
{
    struct manual_slot *slot = find(session, url);

    if (slot == NULL)
        return HYPHA_ERR_NOT_FOUND;
    if (slot->state == STOPPED) {
        slot_free(slot);
        return HYPHA_OK;
    }
    slot->forget = true;
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
