/* session_direct.c - who asked for a channel, who has one, and the session around them. */
#include "base/alloc.h"
#include "session/session_direct_internal.h"

#include <assert.h>

#define RETRY_JITTER 20U

/* ---- requests ---- */

void hy_direct_request_move(struct hypha_direct *request, struct hy_direct_requests *list)
{
    TAILQ_REMOVE(request->list, request, entry);
    TAILQ_INSERT_TAIL(list, request, entry);
    request->list = list;
}

static void request_drop_channel(struct hypha_direct *request)
{
    hypha_channel_unref(request->channel);
    request->channel = NULL;
    request->peer = NULL;
}

static void request_free(struct hypha_direct *request)
{
    TAILQ_REMOVE(request->list, request, entry);
    request_drop_channel(request);
    hy_timer_stop(&request->timer);
    hypha_url_unref(request->url);
    hy_free(request);
}

void hy_direct_request_failed(struct hypha_direct *request, enum hypha_err err, bool may_try_soon)
{
    struct hy_net *net = request->session->net;
    uint32_t pause_ms =
        hy_settings_timeouts(net->settings, hypha_url_scheme(request->url))->connect_ms;
    bool again = request->retries > 0 && may_try_soon && err != HYPHA_ERR_NETWORK_STOPPED;

    hy_direct_request_move(request, &request->session->loose);
    request_drop_channel(request);
    request->err = err;
    request->state = again ? HY_REQUEST_PAUSED : HY_REQUEST_FAILED;
    request->retries -= again ? 1 : 0;
    hy_timer_start(
        &request->timer, again ? hy_random_jitter(net->loop, pause_ms, RETRY_JITTER) : 0);
}

void hy_direct_request_serve(
    struct hypha_direct *request, struct hy_direct_peer *peer, struct hypha_channel *channel)
{
    hy_direct_request_move(request, peer != NULL ? &peer->usages : &request->session->loose);
    request->state = HY_REQUEST_READY;
    request->peer = peer;
    request->channel = hypha_channel_ref(channel);
    hy_timer_start(&request->timer, 0);
}

/* The last thing that happens with a request: the callback may do anything. */
static void request_tell_failed(struct hypha_direct *request, enum hypha_err err)
{
    hypha_direct_cb cb = request->cb;
    void *user = request->user, *p2p = request->session->net->user;

    request_free(request);
    cb(p2p, err, NULL, user);
}

/* ---- a try ---- */

/* What needs no dial to be known, and will not change soon. */
static enum hypha_err judge(struct hy_session_direct *session, const struct hypha_url *url)
{
    struct hy_net *net = session->net;

    if (hy_hosts_is_banned(net->hosts, url))
        return HYPHA_ERR_BANNED;
    if (hy_url_array_has(&net->settings->seeds, url) || hy_hosts_is_own(net->hosts, url))
        return HYPHA_ERR_CONNECT_FAILED;
    if (!hy_hosts_is_dialable(net->hosts, url))
        return HYPHA_ERR_UNSUPPORTED_TRANSPORT;
    return HYPHA_OK;
}

/* Another session's channel to that address. */
static struct hypha_channel *find_channel(const struct hy_net *net, const struct hypha_url *url)
{
    const uint32_t sessions = HYPHA_SESSIONS_DEFAULT & ~(uint32_t)HYPHA_SESSION_DIRECT;
    struct hypha_channel *channel = NULL;

    while ((channel = hy_net_next_channel(net, channel)) != NULL) {
        uint32_t session = hypha_channel_session(channel);

        if ((session & sessions) != 0 && hy_channel_is_registered(channel) &&
            !hypha_channel_is_stopped(channel) &&
            hypha_url_equal(hy_channel_connect_addr(channel), url))
            return channel;
    }
    return NULL;
}

static void request_try(struct hypha_direct *request)
{
    struct hy_session_direct *session = request->session;
    struct hy_direct_peer *peer = hy_direct_peer_find(session, request->url);
    struct hypha_channel *channel = NULL;
    enum hypha_err err = HYPHA_OK;

    if (session->net->stopping) {
        hy_direct_request_failed(request, HYPHA_ERR_NETWORK_STOPPED, HY_DIRECT_REFUSED);
        return;
    }
    if (peer == NULL)
        channel = find_channel(session->net, request->url);
    if (channel != NULL) {
        hy_direct_request_serve(request, NULL, channel);
        return;
    }
    if (peer == NULL)
        err = judge(session, request->url);
    if (err != HYPHA_OK) {
        hy_direct_request_failed(request, err, HY_DIRECT_REFUSED);
        return;
    }
    if (peer == NULL)
        err = hy_direct_peer_create(session, request->url, &peer);
    if (err != HYPHA_OK)
        hy_direct_request_failed(request, err, HY_DIRECT_MAY_TRY_SOON);
    else
        hy_direct_peer_join(peer, request);
}

/* READY: the channel may have stopped, or the node begun to stop, since it was chosen. */
static void request_tell(struct hypha_direct *request)
{
    bool stopping = request->session->net->stopping;

    if (!stopping && !hypha_channel_is_stopped(request->channel)) {
        request->state = HY_REQUEST_USED;
        request->cb(request->session->net->user, HYPHA_OK, request->channel, request->user);
        return;
    }
    struct hy_direct_peer *peer = request->peer;
    hy_direct_request_failed(request,
        stopping ? HYPHA_ERR_NETWORK_STOPPED : HYPHA_ERR_CHANNEL_STOPPED, HY_DIRECT_MAY_TRY_SOON);
    if (peer != NULL)
        hy_direct_peer_close_if_unused(peer);
}

static void on_request_timer(void *user)
{
    struct hypha_direct *request = user;

    switch (request->state) {
    case HY_REQUEST_PAUSED:
        request_try(request);
        return;
    case HY_REQUEST_READY:
        request_tell(request);
        return;
    case HY_REQUEST_FAILED:
        request_tell_failed(
            request, request->session->net->stopping ? HYPHA_ERR_NETWORK_STOPPED : request->err);
        return;
    case HY_REQUEST_WAITING:
    case HY_REQUEST_USED:
        break;
    }
    assert(false); /* these have no timer */
}

enum hypha_err hy_session_direct_get(struct hy_session_direct *session, struct hypha_url *url,
    unsigned retries, hypha_direct_cb cb, void *user, struct hypha_direct **ret_request)
{
    if (!session->started || session->net->stopping)
        return HYPHA_ERR_NETWORK_STOPPED;
    struct hypha_direct *request = hy_alloc(sizeof(*request));
    if (request == NULL)
        return HYPHA_ERR_NOMEM;
    request->session = session;
    request->url = hypha_url_ref(url);
    request->retries = retries;
    request->cb = cb;
    request->user = user;
    request->list = &session->loose;
    TAILQ_INSERT_TAIL(&session->loose, request, entry);
    hy_timer_init(&request->timer, session->net->loop, on_request_timer, request);
    request_try(request);
    if (ret_request != NULL)
        *ret_request = request;
    return HYPHA_OK;
}

void hypha_direct_cancel(struct hypha_direct *request)
{
    struct hy_direct_peer *peer = request->peer;

    if (request->state == HY_REQUEST_USED)
        return; /* told: its channel is given back, not cancelled */
    request_free(request);
    if (peer != NULL)
        hy_direct_peer_close_if_unused(peer);
}

/* ---- usages ---- */

static struct hypha_direct *find_used(
    const struct hy_direct_requests *list, const struct hypha_channel *channel)
{
    struct hypha_direct *request;

    TAILQ_FOREACH (request, list, entry) {
        if (request->state == HY_REQUEST_USED && request->channel == channel)
            return request;
    }
    return NULL;
}

static struct hy_direct_peer *peer_of(
    const struct hy_session_direct *session, const struct hypha_channel *channel)
{
    struct hy_direct_peer *peer;

    LIST_FOREACH (peer, &session->peers, entry) {
        if (peer->channel == channel)
            return peer;
    }
    return NULL;
}

bool hy_session_direct_release(
    struct hy_session_direct *session, const struct hypha_channel *channel)
{
    struct hy_direct_peer *peer = peer_of(session, channel);
    struct hypha_direct *request = find_used(
        peer != NULL ? &peer->usages : &session->loose, channel);

    if (request == NULL)
        return false;
    request_free(request);
    if (peer == NULL || !TAILQ_EMPTY(&peer->usages))
        return false;
    hy_direct_peer_close(peer);
    return true;
}

size_t hy_session_direct_usages(
    const struct hy_session_direct *session, const struct hypha_channel *channel)
{
    struct hy_direct_peer *peer = peer_of(session, channel);
    struct hypha_direct *request;
    size_t count = 0;

    if (peer == NULL)
        return 0;
    TAILQ_FOREACH (request, &peer->usages, entry)
        count++;
    return count;
}

/* ---- the session ---- */

static void on_done(void *user)
{
    struct hy_session_direct *session = user;

    session->on_stopped(session->user);
}

enum hypha_err hy_session_direct_create(
    struct hy_net *net, const struct hy_direct_hooks *hooks, struct hy_session_direct **ret_session)
{
    struct hy_session_direct *session = hy_alloc(sizeof(*session));

    if (session == NULL)
        return HYPHA_ERR_NOMEM;
    session->net = net;
    LIST_INIT(&session->peers);
    TAILQ_INIT(&session->loose);
    hy_defer_init(&session->done, net->loop, on_done, session);
    hy_direct_search_init(&session->search, session, net, hooks);
    *ret_session = session;
    return HYPHA_OK;
}

void hy_session_direct_start(struct hy_session_direct *session)
{
    session->started = true;
    session->has_slots = session->net->settings->outbound_connections > 0;
}

/* Those that are not told yet, out of `list`. */
static void collect_untold(struct hy_direct_requests *list, struct hy_direct_requests *untold)
{
    struct hypha_direct *request, *next;

    for (request = TAILQ_FIRST(list); request != NULL; request = next) {
        next = TAILQ_NEXT(request, entry);
        if (request->state == HY_REQUEST_USED)
            continue;
        request_drop_channel(request);
        hy_direct_request_move(request, untold);
        request->state = HY_REQUEST_FAILED;
        hy_timer_stop(&request->timer);
    }
}

void hy_session_direct_stop(
    struct hy_session_direct *session, hy_session_stopped_cb on_stopped, void *user)
{
    struct hy_direct_requests untold = TAILQ_HEAD_INITIALIZER(untold);
    struct hy_direct_peer *peer, *next;

    session->started = false;
    session->on_stopped = on_stopped;
    session->user = user;
    hy_direct_search_stop(&session->search);
    collect_untold(&session->loose, &untold);
    for (peer = LIST_FIRST(&session->peers); peer != NULL; peer = next) {
        next = LIST_NEXT(peer, entry);
        collect_untold(&peer->waiting, &untold);
        collect_untold(&peer->usages, &untold);
        hy_direct_peer_close(peer);
    }
    while (!TAILQ_EMPTY(&untold))
        request_tell_failed(TAILQ_FIRST(&untold), HYPHA_ERR_NETWORK_STOPPED);
    if (LIST_EMPTY(&session->peers))
        hy_defer_start(&session->done);
}

void hy_session_direct_destroy(struct hy_session_direct *session)
{
    if (session == NULL)
        return;
    assert(LIST_EMPTY(&session->peers));
    hy_defer_stop(&session->done);
    while (!TAILQ_EMPTY(&session->loose)) /* usages that were never given back */
        request_free(TAILQ_FIRST(&session->loose));
    hy_free(session);
}

enum hypha_err hy_session_direct_discover(struct hy_session_direct *session)
{
    if (!session->started || session->net->stopping)
        return HYPHA_ERR_NETWORK_STOPPED;
    if (!session->has_slots)
        hy_direct_search_start(&session->search);
    return HYPHA_OK;
}

void hy_session_direct_seeded(struct hy_session_direct *session)
{
    hy_direct_search_feed(&session->search, HY_DIRECT_DISCOVERY_ON_SEEDED);
}

void hy_session_direct_peer(struct hy_session_direct *session)
{
    hy_direct_search_feed(&session->search, HY_DIRECT_DISCOVERY_ON_PEER);
}

void hy_session_direct_discovery_info(
    const struct hy_session_direct *session, struct hypha_discovery_info *ret_info)
{
    hy_direct_search_info(&session->search, ret_info);
}

bool hy_session_direct_is_discovering(const struct hy_session_direct *session)
{
    return session->search.watching;
}
