/* direct_peer.c - one address that somebody asked for: dial, shake hands, keep, close.
 *
 * The host is in state Connect from the dial on; every way out frees it, and only a registered
 * channel changes lists (session.c). spec: network.md#78-direct-on-demand, #41-registry */
#include "base/alloc.h"
#include "session/session_direct_internal.h"

#include <assert.h>

#define REFINE_RETRY_MS 5000U

static void peer_dial(struct hy_direct_peer *peer);

/* ---- events ---- */

static void publish(struct hy_direct_peer *peer, enum hypha_event_type type, enum hypha_err err)
{
    struct hy_net *net = peer->session->net;
    bool transport_up = type == HYPHA_EVENT_DIRECT_CONNECTED;

    if (!hy_events_wanted(&net->events, type))
        return;
    struct hypha_event event = {
        .type = type,
        .time_ns = hy_wall_ns(net->loop),
        .session = HYPHA_SESSION_DIRECT,
        .channel_id = peer->channel != NULL ? hypha_channel_id(peer->channel) : 0,
        .addr = transport_up ? hypha_channel_display_address(peer->channel) : NULL,
        .connect_addr = peer->url,
        .err = err,
    };
    hy_events_publish(&net->events, &event);
}

/* ---- peers ---- */

static void peer_free(struct hy_direct_peer *peer)
{
    struct hy_session_direct *session = peer->session;

    assert(TAILQ_EMPTY(&peer->waiting) && TAILQ_EMPTY(&peer->usages));
    LIST_REMOVE(peer, entry);
    hy_connector_fini(&peer->connector);
    hy_timer_stop(&peer->pending);
    hypha_url_unref(peer->url);
    hy_free(peer);
    if (!session->started && LIST_EMPTY(&session->peers))
        hy_defer_start(&session->done);
}

/* Nothing is left of the dial or the channel; the host is Free. */
static void peer_ended(struct hy_direct_peer *peer, enum hypha_err err)
{
    struct hy_session_direct *session = peer->session;
    struct hypha_direct *request;
    bool again = peer->state == HY_PEER_CLOSING && !session->net->stopping &&
        !TAILQ_EMPTY(&peer->waiting);

    while ((request = TAILQ_FIRST(&peer->usages)) != NULL) {
        request->peer = NULL; /* the channel stays theirs, stopped as it is */
        hy_direct_request_move(request, &session->loose);
    }
    if (again) {
        peer_dial(peer);
        return;
    }
    while ((request = TAILQ_FIRST(&peer->waiting)) != NULL)
        hy_direct_request_failed(request, err, HY_DIRECT_MAY_TRY_SOON);
    peer_free(peer);
}

void hy_direct_peer_close(struct hy_direct_peer *peer)
{
    switch (peer->state) {
    case HY_PEER_PENDING:
        peer_free(peer);
        return;
    case HY_PEER_DIALLING:
        peer->state = HY_PEER_CLOSING;
        hy_connector_stop(&peer->connector);
        return;
    case HY_PEER_HANDSHAKE:
    case HY_PEER_CONNECTED:
        peer->state = HY_PEER_CLOSING;
        hypha_channel_stop(peer->channel);
        return;
    case HY_PEER_CLOSING:
        return;
    }
}

void hy_direct_peer_close_if_unused(struct hy_direct_peer *peer)
{
    if (TAILQ_EMPTY(&peer->waiting) && TAILQ_EMPTY(&peer->usages))
        hy_direct_peer_close(peer);
}

static void on_channel_ready(struct hypha_channel *channel, void *user)
{
    struct hy_direct_peer *peer = user;
    struct hypha_direct *request;
    char text[HY_SESSION_TEXT_BYTES];

    if (peer->state != HY_PEER_HANDSHAKE)
        return;
    peer->state = HY_PEER_CONNECTED; /* first: whoever hears of the peer may stop the node */
    if (hy_session_register(channel, &peer->membership) != HYPHA_OK ||
        hypha_channel_is_stopped(channel))
        return; /* those who wait are told when it has stopped */
    hy_log_info(&peer->session->net->log, HY_DIRECT_TARGET, "connected to %s on demand",
        hy_session_text(peer->url, text));
    while ((request = TAILQ_FIRST(&peer->waiting)) != NULL)
        hy_direct_request_serve(request, peer, channel);
}

static void on_channel_stopped(struct hypha_channel *channel, enum hypha_err why, void *user)
{
    struct hy_direct_peer *peer = user;
    struct hy_net *net = peer->session->net;
    char text[HY_SESSION_TEXT_BYTES];

    if (!hy_session_is_own_stop(why))
        hy_log_info(&net->log, HY_DIRECT_TARGET, "%s %s: %s",
            peer->membership.registered ? "lost" : "no handshake with",
            hy_session_text(peer->url, text), hypha_err_text(why));
    if (peer->membership.registered)
        hy_session_unregister(channel, &peer->membership, why);
    else
        hy_hosts_free(net->hosts, peer->url);
    publish(peer, HYPHA_EVENT_DIRECT_DISCONNECTED, why);
    peer->channel = NULL;
    hypha_channel_unref(channel);
    peer_ended(peer, why);
}

static const struct hy_channel_owner channel_owner = {
    .on_ready = on_channel_ready,
    .on_stopped = on_channel_stopped,
};

static void on_connected(
    void *user, enum hypha_err err, const char *why_text, struct hypha_channel *channel)
{
    struct hy_direct_peer *peer = user;
    struct hy_net *net = peer->session->net;

    if (err == HYPHA_OK) {
        peer->channel = channel;
        peer->state = HY_PEER_HANDSHAKE;
        publish(peer, HYPHA_EVENT_DIRECT_CONNECTED, HYPHA_OK);
        err = hy_channel_start(channel, &channel_owner, peer);
        why_text = hypha_err_text(err);
        if (err == HYPHA_OK)
            return;
        peer->channel = NULL;
        hypha_channel_unref(channel);
    }
    if (!hy_session_is_own_stop(err))
        hy_log_info(&net->log, HY_DIRECT_TARGET, "no connection on demand: %s", why_text);
    hy_hosts_free(net->hosts, peer->url);
    publish(peer, HYPHA_EVENT_DIRECT_DISCONNECTED, err);
    peer_ended(peer, err);
}

/* Also again, for those who came while the one before was being closed. The peer may be gone
 * afterwards. */
static void peer_dial(struct hy_direct_peer *peer)
{
    struct hy_net *net = peer->session->net;
    enum hypha_err err = hy_hosts_set(net->hosts, peer->url, HY_HOST_CONNECT);
    char text[HY_SESSION_TEXT_BYTES];

    if (err == HYPHA_ERR_HOST_BLOCKED && hy_hosts_state(net->hosts, peer->url) == HY_HOST_REFINE) {
        peer->state = HY_PEER_PENDING;
        hy_timer_start(&peer->pending, REFINE_RETRY_MS);
        return;
    }
    peer->state = HY_PEER_DIALLING;
    if (err != HYPHA_OK) {
        peer_ended(peer, err);
        return;
    }
    hy_log_verbose(&net->log, HY_DIRECT_TARGET, "dialling %s", hy_session_text(peer->url, text));
    hy_connector_fini(&peer->connector); /* a stopped one stays stopped */
    hy_connector_init(&peer->connector, net, HYPHA_SESSION_DIRECT, on_connected, peer);
    publish(peer, HYPHA_EVENT_DIRECT_CONNECTING, HYPHA_OK);
    hy_connector_connect(&peer->connector, peer->url, 0);
}

static void on_pending(void *user)
{
    peer_dial(user);
}

struct hy_direct_peer *hy_direct_peer_find(
    const struct hy_session_direct *session, const struct hypha_url *url)
{
    struct hy_direct_peer *peer;

    LIST_FOREACH (peer, &session->peers, entry) {
        if (hypha_url_equal(peer->url, url))
            return peer;
    }
    return NULL;
}

enum hypha_err hy_direct_peer_create(
    struct hy_session_direct *session, struct hypha_url *url, struct hy_direct_peer **ret_peer)
{
    struct hy_direct_peer *peer = hy_alloc(sizeof(*peer));

    if (peer == NULL)
        return HYPHA_ERR_NOMEM;
    peer->session = session;
    peer->url = hypha_url_ref(url);
    peer->state = HY_PEER_PENDING;
    TAILQ_INIT(&peer->waiting);
    TAILQ_INIT(&peer->usages);
    hy_timer_init(&peer->pending, session->net->loop, on_pending, peer);
    hy_timer_start(&peer->pending, 0);
    LIST_INSERT_HEAD(&session->peers, peer, entry);
    *ret_peer = peer;
    return HYPHA_OK;
}

static void peer_await(struct hy_direct_peer *peer, struct hypha_direct *request)
{
    hy_direct_request_move(request, &peer->waiting);
    request->state = HY_REQUEST_WAITING;
    request->peer = peer;
}

/* A channel that stops, but has not told so, is no more to be had: dialled anew when it has. */
void hy_direct_peer_join(struct hy_direct_peer *peer, struct hypha_direct *request)
{
    if (peer->state == HY_PEER_CONNECTED && hypha_channel_is_stopped(peer->channel))
        peer->state = HY_PEER_CLOSING;
    if (peer->state == HY_PEER_CONNECTED && peer->membership.registered)
        hy_direct_request_serve(request, peer, peer->channel);
    else
        peer_await(peer, request);
}
