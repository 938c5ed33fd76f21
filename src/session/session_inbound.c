/* session_inbound.c - bind all addresses or none; then take peers up to the limit.
 *
 *   state      event                    next
 *   STOPPED    start                    BINDING    every listener, paused as soon as bound
 *   BINDING    all bound                LISTENING  told; they accept from now on
 *   BINDING    one failed               STOPPED    the others closed; told why
 *   LISTENING  a listener is gone       LISTENING  bound again after a pause
 *   any        stop                     STOPPING   listeners closed, channels stopped
 *   STOPPING   last channel stopped     STOPPED    told
 *
 * When all places are taken, a newcomer who has shaken hands may get the place of one who is silent
 * or here twice at once, of an ordinary one rarely: an eighth of the places a minute. It stays
 * pending until it has said something more (a peer pings at once), since probes of others' lists
 * shake hands and go. One who gets no place is closed, and nobody is accepted for half a second, so
 * that those who come again and again cost little.
 *
 * spec: network.md#73-inbound, network.md#62-acceptor-one-per-listen-address */
#include "session/session_inbound.h"
#include "channel/acceptor.h"
#include "session/eviction.h"
#include "session/inbound_judge.h"

#include <assert.h>

#define TARGET          "net::session_inbound"
#define REBIND_FIRST_MS 1000U
#define REBIND_LAST_MS  60000U
#define REST_MS         500U   /* after a newcomer who got no place */
#define FRESH_MS        10000U /* no ordinary peer goes before */
#define EVICTIONS_MS    60000U /* in which an eighth of the places may change hands */
#define LISTEN_MS       50U    /* has the newcomer said something? */
#define LISTEN_LAST_MS  2000U

enum inbound_state { STOPPED, BINDING, LISTENING, STOPPING };

struct inbound_listener {
    struct hy_session_inbound *session;
    struct hy_acceptor *acceptor;
    struct hypha_url *url;   /* as configured */
    struct hypha_url *bound; /* with the real port, NULL until then; stays across a rebind */
    struct hy_timer rebind;
    unsigned failures;
};

struct inbound_channel {
    struct hy_session_inbound *session;
    struct hypha_channel *channel; /* a reference */
    struct hy_membership membership;
    struct hy_inbound_ticket ticket;
    struct hy_timer listen; /* all places are taken: until it is known what it wants */
    uint64_t ready_ms;      /* when it had shaken hands */
    bool counted;           /* in session->registered */
    uint64_t since_ms;      /* when it became a peer */
    uint64_t group;         /* hy_inbound_group() */
    LIST_ENTRY(inbound_channel) entry;
};

struct hy_session_inbound {
    struct hy_net *net;
    enum inbound_state state;
    struct inbound_listener *listeners;
    size_t listener_count;
    size_t binding; /* of them, not yet bound */
    struct hy_pending_set *pending;
    LIST_HEAD(, inbound_channel) channels;
    size_t registered;
    struct hy_timer rest;                 /* full, and nobody is accepted for a moment */
    uint8_t secret[HY_HASH_KEY_BYTES];    /* of the groups' order */
    uint64_t evict_milli, evict_since_ms; /* thousandths of an eviction that is allowed */
    enum hypha_err err;                   /* of the start */
    struct hy_defer started, stopped;
    hy_session_inbound_started_cb on_started;
    void *started_user;
    hy_session_stopped_cb on_stopped;
    void *stopped_user;
};

/* Who has stopped in this turn is told of at its end; his place is free already. */
static void free_places(struct hy_session_inbound *session)
{
    struct inbound_channel *inbound;

    LIST_FOREACH (inbound, &session->channels, entry)
        if (inbound->counted && hypha_channel_is_stopped(inbound->channel)) {
            inbound->counted = false;
            session->registered--;
        }
}

static bool is_full(const struct hy_session_inbound *session)
{
    return session->registered >= session->net->settings->inbound_connections;
}

/* Listeners accept while there is a place, and while there may become one for a newcomer. */
static void set_accepting(struct hy_session_inbound *session)
{
    bool accepting = session->state == LISTENING &&
        session->net->settings->inbound_connections > 0 &&
        (!is_full(session) || !hy_timer_is_armed(&session->rest));

    for (size_t i = 0; i < session->listener_count; i++) {
        struct hy_acceptor *acceptor = session->listeners[i].acceptor;

        if (acceptor != NULL && accepting)
            hy_acceptor_resume(acceptor);
        else if (acceptor != NULL)
            hy_acceptor_pause(acceptor);
    }
}

static void on_rested(void *user)
{
    set_accepting(user);
}

/* ---- who makes room ---- */

static struct hy_eviction_candidate candidate_of(
    const struct hy_inbound_judge *judge, struct inbound_channel *inbound)
{
    struct hypha_channel *channel = inbound->channel;
    uint64_t age_ms = hy_now_ms(judge->net->loop) - inbound->since_ms;

    return (struct hy_eviction_candidate){
        .who = inbound,
        .group = inbound->group,
        .ping_us = hypha_channel_round_trip_us(channel),
        .useful_ms = hy_channel_useful_ms(channel),
        .since_ms = inbound->since_ms,
        .is_silent = hy_inbound_is_silent(channel, age_ms),
        .is_double = hy_inbound_is_double(judge, channel),
        .is_fresh = age_ms < FRESH_MS,
    };
}

/* Of all who have a place. Without memory: nobody. */
static struct hy_eviction choose_victim(
    struct hy_session_inbound *session, struct inbound_channel *newcomer)
{
    struct hy_eviction_candidate *candidates = hy_alloc_array(
        session->registered, sizeof *candidates);
    struct hy_eviction eviction = { HY_EVICT_NOBODY, NULL };
    struct hy_eviction_candidate self;
    struct hy_inbound_judge judge;
    struct inbound_channel *inbound;
    size_t count = 0;

    if (candidates == NULL)
        return eviction;
    hy_inbound_judge_init(&judge, session->net);
    self = candidate_of(&judge, newcomer);
    LIST_FOREACH (inbound, &session->channels, entry)
        if (inbound->counted && count < session->registered)
            candidates[count++] = candidate_of(&judge, inbound);
    eviction = hy_eviction_choose(&self, candidates, count);
    hy_inbound_judge_fini(&judge);
    hy_free(candidates);
    return eviction;
}

/* Is one more ordinary peer allowed to go? */
static bool may_evict(struct hy_session_inbound *session)
{
    uint64_t now = hy_now_ms(session->net->loop);
    uint64_t most = (uint64_t)session->net->settings->inbound_connections * 1000 / 8;

    if (most < 1000)
        most = 1000;
    uint64_t more = (now - session->evict_since_ms) * most / EVICTIONS_MS;
    session->evict_milli += more;
    session->evict_since_ms += more * EVICTIONS_MS / most;
    if (session->evict_milli > most)
        session->evict_milli = most;
    return session->evict_milli >= 1000;
}

static void evict(const struct hy_eviction *eviction, struct hypha_channel *newcomer)
{
    static const char *const why[] = {
        [HY_EVICT_NOBODY] = "",
        [HY_EVICT_SILENT] = "it does not answer",
        [HY_EVICT_DOUBLE] = "we have dialled it as well",
        [HY_EVICT_ORDINARY] = "of its network most are here",
    };
    struct inbound_channel *inbound = eviction->who;
    struct hy_session_inbound *session = inbound->session;
    char text[HY_SESSION_TEXT_BYTES], other[HY_SESSION_TEXT_BYTES];

    hy_log_info(&session->net->log, TARGET, "%s makes room for %s: %s",
        hy_session_text(hypha_channel_display_address(inbound->channel), text),
        hy_session_text(hypha_channel_display_address(newcomer), other), why[eviction->kind]);
    if (eviction->kind == HY_EVICT_ORDINARY)
        session->evict_milli -= 1000;
    inbound->counted = false;
    session->registered--;
    hy_session_publish(inbound->channel, HYPHA_EVENT_EVICTED, HYPHA_ERR_FULL);
    hy_channel_stop_for(inbound->channel, HYPHA_ERR_FULL);
}

/* A place for this newcomer, if somebody here has to give way. */
static bool make_room(struct hy_session_inbound *session, struct inbound_channel *newcomer)
{
    struct hy_eviction eviction = choose_victim(session, newcomer);

    if (eviction.kind == HY_EVICT_NOBODY ||
        (eviction.kind == HY_EVICT_ORDINARY && !may_evict(session)))
        return false;
    evict(&eviction, newcomer->channel);
    return true;
}

static void refuse(struct inbound_channel *inbound)
{
    struct hy_session_inbound *session = inbound->session;

    hy_session_publish(inbound->channel, HYPHA_EVENT_REFUSED, HYPHA_ERR_FULL);
    hy_channel_stop_for(inbound->channel, HYPHA_ERR_FULL);
    hy_timer_start(&session->rest, hy_random_jitter(session->net->loop, REST_MS, 20));
    set_accepting(session);
}

/* ---- channels ---- */

static void take_place(struct inbound_channel *inbound)
{
    struct hy_session_inbound *session = inbound->session;
    struct hypha_channel *channel = inbound->channel;
    char text[HY_SESSION_TEXT_BYTES];

    inbound->since_ms = hy_now_ms(session->net->loop);
    if (hy_session_register(channel, &inbound->membership) != HYPHA_OK)
        return;
    inbound->counted = true;
    session->registered++;
    hy_log_info(&session->net->log, TARGET, "%s came in, peer %zu of at most %u",
        hy_session_text(hypha_channel_display_address(channel), text), session->registered,
        session->net->settings->inbound_connections);
    set_accepting(session);
}

/* More than version and verack: it has come to stay. */
static bool has_spoken(struct hypha_channel *channel)
{
    struct hypha_traffic traffic;

    hypha_channel_traffic(channel, &traffic);
    return traffic.messages_in > 2;
}

/* It has shaken hands: a peer, if there is a place, or one can be made. */
static void decide(void *user)
{
    struct inbound_channel *inbound = user;
    struct hy_session_inbound *session = inbound->session;
    uint64_t waited_ms = hy_now_ms(session->net->loop) - inbound->ready_ms;

    if (hypha_channel_is_stopped(inbound->channel))
        return;
    if (is_full(session))
        free_places(session);
    if (is_full(session) && !has_spoken(inbound->channel) && waited_ms < LISTEN_LAST_MS) {
        hy_timer_start(&inbound->listen, LISTEN_MS);
        return;
    }
    hy_pending_done(session->pending, inbound->channel, &inbound->ticket);
    if (!is_full(session) || (has_spoken(inbound->channel) && make_room(session, inbound)))
        take_place(inbound);
    else
        refuse(inbound);
}

static void on_channel_ready(struct hypha_channel *channel, void *user)
{
    struct inbound_channel *inbound = user;
    struct hy_session_inbound *session = inbound->session;

    inbound->ready_ms = inbound->since_ms = hy_now_ms(session->net->loop);
    inbound->group = hy_inbound_group(channel, session->secret);
    decide(inbound);
}

static void channel_forget(struct inbound_channel *inbound)
{
    struct hy_session_inbound *session = inbound->session;

    LIST_REMOVE(inbound, entry);
    hy_timer_stop(&inbound->listen);
    hy_pending_done(session->pending, inbound->channel, NULL);
    hy_inbound_ticket_release(&inbound->ticket);
    hypha_channel_unref(inbound->channel);
    hy_free(inbound);
    if (session->state == STOPPING && LIST_EMPTY(&session->channels))
        hy_defer_start(&session->stopped);
}

static void on_channel_stopped(struct hypha_channel *channel, enum hypha_err why, void *user)
{
    struct inbound_channel *inbound = user;
    struct hy_session_inbound *session = inbound->session;
    char text[HY_SESSION_TEXT_BYTES];

    session->registered -= inbound->counted ? 1 : 0;
    inbound->counted = false;
    if (inbound->membership.registered) {
        if (!hy_session_is_own_stop(why))
            HY_LOG(&session->net->log,
                hy_session_loss_level(session->net, hypha_channel_display_address(channel)), TARGET,
                "%s is gone: %s", hy_session_text(hypha_channel_display_address(channel), text),
                hypha_err_text(why));
    } else {
        hy_log_debug(&session->net->log, TARGET, "%s did not become a peer: %s",
            hy_session_text(hypha_channel_display_address(channel), text), hypha_err_text(why));
    }
    hy_session_unregister(channel, &inbound->membership, why);
    hy_session_publish(channel, HYPHA_EVENT_INBOUND_DISCONNECTED, why);
    channel_forget(inbound);
    set_accepting(session);
}

static const struct hy_channel_owner channel_owner = {
    .on_ready = on_channel_ready,
    .on_stopped = on_channel_stopped,
};

static void on_channel(struct hy_acceptor *acceptor, struct hypha_channel *channel, void *user)
{
    struct inbound_listener *listener = user;
    struct hy_session_inbound *session = listener->session;
    struct inbound_channel *inbound = hy_alloc(sizeof(*inbound));

    (void)acceptor;
    if (inbound == NULL) {
        hypha_channel_stop(channel);
        hy_pending_done(session->pending, channel, NULL);
        hypha_channel_unref(channel);
        return;
    }
    inbound->session = session;
    inbound->channel = channel;
    hy_timer_init(&inbound->listen, session->net->loop, decide, inbound);
    LIST_INSERT_HEAD(&session->channels, inbound, entry);
    hy_session_publish(channel, HYPHA_EVENT_INBOUND_CONNECTED, HYPHA_OK);
    enum hypha_err err = hy_channel_start(channel, &channel_owner, inbound);
    if (err != HYPHA_OK) {
        hy_session_publish(channel, HYPHA_EVENT_INBOUND_DISCONNECTED, err);
        channel_forget(inbound);
    }
}

/* ---- listeners ---- */

static void listener_close(struct inbound_listener *listener)
{
    hy_timer_stop(&listener->rebind);
    hy_acceptor_destroy(listener->acceptor);
    listener->acceptor = NULL;
    hypha_url_unref(listener->bound);
    listener->bound = NULL;
}

static void close_listeners(struct hy_session_inbound *session)
{
    for (size_t i = 0; i < session->listener_count; i++)
        listener_close(&session->listeners[i]);
    hy_hosts_clear_listen_addrs(session->net->hosts);
}

/* Told at the end of this turn, when every caller on the stack is gone. */
static void start_ended(struct hy_session_inbound *session, enum hypha_err err)
{
    session->err = err;
    hy_defer_start(&session->started);
}

static void listener_retry(struct inbound_listener *listener, enum hypha_err why)
{
    struct hy_session_inbound *session = listener->session;
    char text[HY_SESSION_TEXT_BYTES];
    uint64_t pause_ms = hy_backoff_ms(++listener->failures, REBIND_FIRST_MS, REBIND_LAST_MS);

    hy_log_error(&session->net->log, TARGET, "no longer listening on %s: %s; trying again",
        hy_session_text(listener->url, text), hypha_err_text(why));
    hy_timer_start(&listener->rebind, hy_random_jitter(session->net->loop, pause_ms, 20));
}

/* All anew: one that was bound again may have got another port. */
static void tell_listen_addrs(struct hy_session_inbound *session)
{
    struct hy_hosts *hosts = session->net->hosts;

    hy_hosts_clear_listen_addrs(hosts);
    for (size_t i = 0; i < session->listener_count; i++) {
        struct hypha_url *url = session->listeners[i].bound;

        if (url != NULL && hy_hosts_add_listen_addr(hosts, url) != HYPHA_OK)
            hy_log_warn(&session->net->log, TARGET, "too many listen addresses to know them all");
    }
}

static void listener_bound(struct inbound_listener *listener)
{
    struct hy_session_inbound *session = listener->session;
    struct hypha_url *url = hy_acceptor_url(listener->acceptor);
    char text[HY_SESSION_TEXT_BYTES];

    listener->failures = 0;
    hypha_url_unref(listener->bound);
    listener->bound = hypha_url_ref(url);
    tell_listen_addrs(session);
    hy_log_info(&session->net->log, TARGET, "listening on %s", hy_session_text(url, text));
}

static void on_listening(struct hy_acceptor *acceptor, enum hypha_err err, void *user)
{
    struct inbound_listener *listener = user;
    struct hy_session_inbound *session = listener->session;
    char text[HY_SESSION_TEXT_BYTES];

    (void)acceptor;
    if (session->state == LISTENING) { /* bound again */
        if (err != HYPHA_OK)
            listener_retry(listener, err);
        else
            listener_bound(listener);
        return;
    }
    if (session->state != BINDING || session->err != HYPHA_OK)
        return;
    if (err != HYPHA_OK) {
        hy_log_error(&session->net->log, TARGET, "cannot listen on %s: %s",
            hy_session_text(listener->url, text), hypha_err_text(err));
        start_ended(session, err);
        return;
    }
    listener_bound(listener);
    if (--session->binding == 0)
        start_ended(session, HYPHA_OK);
}

static void on_listener_end(struct hy_acceptor *acceptor, enum hypha_err why, void *user)
{
    (void)acceptor;
    listener_retry(user, why);
}

static const struct hy_acceptor_events acceptor_events = {
    .on_listening = on_listening,
    .on_channel = on_channel,
    .on_end = on_listener_end,
};

static void on_rebind(void *user)
{
    struct inbound_listener *listener = user;
    enum hypha_err err = hy_acceptor_start(listener->acceptor);

    if (err != HYPHA_OK)
        listener_retry(listener, err);
}

/* ---- the session ---- */

static void on_start_ended(void *user)
{
    struct hy_session_inbound *session = user;

    if (session->state != BINDING)
        return;
    if (session->err == HYPHA_OK) {
        session->state = LISTENING;
        set_accepting(session);
    } else {
        session->state = STOPPED;
        close_listeners(session);
    }
    session->on_started(session->started_user, session->err);
}

static void on_stop_ended(void *user)
{
    struct hy_session_inbound *session = user;

    session->state = STOPPED;
    session->on_stopped(session->stopped_user);
}

enum hypha_err hy_session_inbound_create(
    struct hy_net *net, struct hy_session_inbound **ret_session)
{
    const struct hy_url_array *urls = &net->settings->inbound;
    struct hy_session_inbound *session = hy_alloc(sizeof(*session));
    enum hypha_err err;

    if (session == NULL)
        return HYPHA_ERR_NOMEM;
    session->net = net;
    LIST_INIT(&session->channels);
    hy_defer_init(&session->started, net->loop, on_start_ended, session);
    hy_defer_init(&session->stopped, net->loop, on_stop_ended, session);
    hy_timer_init(&session->rest, net->loop, on_rested, session);
    hy_random(net->loop, session->secret, sizeof session->secret);
    session->evict_milli = UINT64_MAX / 2; /* may_evict() cuts it */
    session->evict_since_ms = hy_now_ms(net->loop);
    session->listeners = hy_alloc_array(urls->count, sizeof(*session->listeners));
    err = session->listeners != NULL ? HYPHA_OK : HYPHA_ERR_NOMEM;
    if (err == HYPHA_OK)
        err = hy_pending_set_create(net, &session->pending);
    for (size_t i = 0; err == HYPHA_OK && i < urls->count; i++) {
        struct inbound_listener *listener = &session->listeners[i];

        listener->session = session;
        listener->url = urls->urls[i];
        hy_timer_init(&listener->rebind, net->loop, on_rebind, listener);
        session->listener_count++;
    }
    if (err != HYPHA_OK) {
        hy_session_inbound_destroy(session);
        return err;
    }
    *ret_session = session;
    return HYPHA_OK;
}

static enum hypha_err listener_start(struct inbound_listener *listener)
{
    struct hy_session_inbound *session = listener->session;
    enum hypha_err err = hy_acceptor_create(session->net, session->pending, listener->url,
        &acceptor_events, listener, &listener->acceptor);

    if (err != HYPHA_OK)
        return err;
    hy_acceptor_pause(listener->acceptor); /* until all are bound */
    return hy_acceptor_start(listener->acceptor);
}

void hy_session_inbound_start(
    struct hy_session_inbound *session, hy_session_inbound_started_cb on_started, void *user)
{
    enum hypha_err err = HYPHA_OK;

    assert(session->state == STOPPED);
    session->state = BINDING;
    session->err = HYPHA_OK;
    session->on_started = on_started;
    session->started_user = user;
    session->binding = session->listener_count;
    if (session->listener_count == 0)
        hy_log_info(
            &session->net->log, TARGET, "Not configured for accepting incoming connections.");
    for (size_t i = 0; err == HYPHA_OK && i < session->listener_count; i++)
        err = listener_start(&session->listeners[i]);
    if (err != HYPHA_OK || session->listener_count == 0)
        start_ended(session, err);
}

void hy_session_inbound_stop(
    struct hy_session_inbound *session, hy_session_stopped_cb on_stopped, void *user)
{
    struct inbound_channel *inbound;

    session->state = STOPPING;
    session->on_stopped = on_stopped;
    session->stopped_user = user;
    hy_defer_stop(&session->started);
    hy_timer_stop(&session->rest);
    close_listeners(session);
    LIST_FOREACH (inbound, &session->channels, entry)
        hypha_channel_stop(inbound->channel);
    if (LIST_EMPTY(&session->channels))
        hy_defer_start(&session->stopped);
}

void hy_session_inbound_destroy(struct hy_session_inbound *session)
{
    if (session == NULL)
        return;
    assert(LIST_EMPTY(&session->channels));
    hy_defer_stop(&session->started);
    hy_defer_stop(&session->stopped);
    hy_timer_stop(&session->rest);
    for (size_t i = 0; i < session->listener_count; i++)
        listener_close(&session->listeners[i]);
    hy_pending_set_destroy(session->pending);
    hy_free(session->listeners);
    hy_free(session);
}

struct hypha_url *hy_session_inbound_addr(const struct hy_session_inbound *session, size_t index)
{
    return index < session->listener_count ? session->listeners[index].bound : NULL;
}

void hy_session_inbound_reload(struct hy_session_inbound *session)
{
    set_accepting(session);
}

size_t hy_session_inbound_count(const struct hy_session_inbound *session)
{
    return session->registered;
}

size_t hy_session_inbound_pending(const struct hy_session_inbound *session)
{
    return hy_pending_count(session->pending);
}
