/* session_seedsync.c - ask seeds for addresses when there is nobody else to ask. */
#include "session/session_seedsync.h"
#include "base/alloc.h"
#include "channel/connector.h"

#include <assert.h>
#include <stdio.h>

#define TARGET "net::session_seedsync"

enum seed_state { IDLE, DIALLING, HANDSHAKE, ASKING, CLOSING };

struct seed_slot {
    struct hy_session_seedsync *session;
    struct hypha_url *url; /* the settings' */
    enum seed_state state;
    struct hy_connector connector;
    struct hypha_channel *channel; /* a reference, from HANDSHAKE on */
    struct hy_membership membership;
    enum hypha_err warned; /* the cause that was told last */
    uint64_t warned_ms;
};

struct hy_session_seedsync {
    struct hy_net *net;
    struct seed_slot *slots;
    size_t slot_count;
    size_t running; /* slots that are not IDLE */
    bool started;
    void (*on_idle)(void *user);
    void *idle_user;
    struct hy_defer idle, done;
    hy_session_stopped_cb on_stopped;
    void *user;
};

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

static void slot_ended(struct seed_slot *slot)
{
    struct hy_session_seedsync *session = slot->session;

    slot->state = IDLE;
    session->running--;
    if (session->running > 0)
        return;
    hy_defer_start(session->started ? &session->idle : &session->done);
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
    (void)hy_session_register(channel, &slot->membership);
}

static void on_channel_stopped(struct hypha_channel *channel, enum hypha_err why, void *user)
{
    struct seed_slot *slot = user;

    if (slot->state != CLOSING && !hy_session_is_own_stop(why))
        slot_warn_url(slot, why);
    if (slot->membership.registered)
        hy_session_unregister(channel, &slot->membership, why);
    else
        hy_hosts_free(slot->session->net->hosts, slot->url);
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
    struct seed_slot *slot = user;

    if (err == HYPHA_OK) {
        slot->channel = channel;
        slot->state = HANDSHAKE;
        err = hy_channel_start(channel, &channel_owner, slot);
        why_text = hypha_err_text(err);
        if (err == HYPHA_OK)
            return;
        slot->channel = NULL;
        hypha_channel_unref(channel);
    }
    if (!hy_session_is_own_stop(err))
        slot_warn(slot, err, why_text);
    hy_hosts_free(slot->session->net->hosts, slot->url);
    slot_ended(slot);
}

/* False: the seed is in use otherwise, and this wake-up is lost. */
static bool slot_wake(struct seed_slot *slot)
{
    struct hy_session_seedsync *session = slot->session;

    if (hy_hosts_set(session->net->hosts, slot->url, HY_HOST_CONNECT) != HYPHA_OK)
        return false;
    slot->state = DIALLING;
    session->running++;
    hy_connector_connect(&slot->connector, slot->url, 0);
    return true;
}

size_t hy_session_seedsync_wake(struct hy_session_seedsync *session, size_t most)
{
    size_t left = session->slot_count; /* not yet looked at, from a random one on */
    size_t begun = 0;

    if (!session->started || left == 0)
        return 0;
    size_t at = (size_t)hy_random_below(session->net->loop, left);
    for (; left > 0 && begun < most; left--, at = (at + 1) % session->slot_count) {
        if (session->slots[at].state == IDLE && slot_wake(&session->slots[at]))
            begun++;
    }
    return session->running;
}

void hy_session_seedsync_seeded(
    struct hy_session_seedsync *session, struct hypha_channel *channel, size_t inserted)
{
    char text[HY_SESSION_TEXT_BYTES];

    for (size_t i = 0; i < session->slot_count; i++) {
        struct seed_slot *slot = &session->slots[i];

        if (slot->channel != channel || slot->state != ASKING)
            continue;
        slot->warned = HYPHA_OK;
        hy_log_info(&session->net->log, TARGET, "learned %zu %s from seed %s", inserted,
            inserted == 1 ? "address" : "addresses", hy_session_text(slot->url, text));
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

static void on_done(void *user)
{
    struct hy_session_seedsync *session = user;

    session->on_stopped(session->user);
}

enum hypha_err hy_session_seedsync_create(struct hy_net *net, void (*idle_cb)(void *user),
    void *user, struct hy_session_seedsync **ret_session)
{
    const struct hy_url_array *seeds = &net->settings->seeds;
    struct hy_session_seedsync *session = hy_alloc(sizeof(*session));

    if (session == NULL)
        return HYPHA_ERR_NOMEM;
    session->net = net;
    session->on_idle = idle_cb;
    session->idle_user = user;
    hy_defer_init(&session->idle, net->loop, on_idle, session);
    hy_defer_init(&session->done, net->loop, on_done, session);
    session->slots = hy_alloc_array(seeds->count, sizeof(*session->slots));
    if (session->slots == NULL) {
        hy_session_seedsync_destroy(session);
        return HYPHA_ERR_NOMEM;
    }
    session->slot_count = seeds->count;
    for (size_t i = 0; i < seeds->count; i++) {
        struct seed_slot *slot = &session->slots[i];

        slot->session = session;
        slot->url = seeds->urls[i];
        hy_connector_init(&slot->connector, net, HYPHA_SESSION_SEED, on_connected, slot);
    }
    *ret_session = session;
    return HYPHA_OK;
}

void hy_session_seedsync_start(struct hy_session_seedsync *session)
{
    session->started = true;
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

void hy_session_seedsync_stop(
    struct hy_session_seedsync *session, hy_session_stopped_cb on_stopped, void *user)
{
    session->started = false;
    session->on_stopped = on_stopped;
    session->user = user;
    hy_defer_stop(&session->idle);
    for (size_t i = 0; i < session->slot_count; i++)
        slot_stop(&session->slots[i]);
    if (session->running == 0)
        hy_defer_start(&session->done);
}

void hy_session_seedsync_destroy(struct hy_session_seedsync *session)
{
    if (session == NULL)
        return;
    assert(session->running == 0);
    hy_defer_stop(&session->idle);
    hy_defer_stop(&session->done);
    for (size_t i = 0; i < session->slot_count; i++)
        hy_connector_fini(&session->slots[i].connector);
    hy_free(session->slots);
    hy_free(session);
}
