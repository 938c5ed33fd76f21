/* acceptor.c - one listen address: bind, accept, let the transport finish, make channels.
 *
 *   state      event                 next
 *   NEW        start                 BINDING
 *   BINDING    bound                 LISTENING   told; paused if that was asked meanwhile
 *   BINDING    failed                NEW         told why
 *   LISTENING  a peer                LISTENING   banned, too many or too fast: dropped silently;
 *                                                else pending
 *   LISTENING  the socket is gone    NEW         told: on_end
 *
 * A pending socket has the scheme's handshake time to become a usable stream; each has its own
 * clock, so a silent peer delays nobody. */
#include "channel/acceptor.h"
#include "channel/pending.h"

#include <assert.h>

#define TARGET "net::acceptor"

enum acceptor_state { NEW, BINDING, LISTENING };

struct hy_acceptor {
    struct hy_net *net;
    struct hy_pending_set *pending;
    struct hypha_url *url;
    const struct hy_acceptor_events *events;
    void *user;
    enum acceptor_state state;
    bool paused;
    struct hy_transport *transport;
    void *request;                /* while BINDING */
    struct hy_listener *listener; /* while LISTENING */
    LIST_HEAD(, hy_pending) opening;
};

/* ---- a pending socket ---- */

static void pending_failed(struct hy_pending *pending, enum hypha_err why)
{
    char text[HY_LOG_MAX_BYTES / 2];

    hy_log_debug(&pending->acceptor->net->log, TARGET, "%s left before it shook hands: %s",
        hy_url_display(pending->peer, text, sizeof(text)), hypha_err_text(why));
    hy_pending_remove(pending);
}

static void on_stream_ready(struct hy_stream *stream, void *user)
{
    struct hy_pending *pending = user;
    struct hy_acceptor *acceptor = pending->acceptor;
    struct hypha_channel *channel = NULL;

    pending->stream = NULL;
    enum hypha_err err = hy_channel_create(
        acceptor->net, HYPHA_SESSION_INBOUND, stream, pending->peer, NULL, false, &channel);
    if (err == HYPHA_OK)
        err = hy_pending_become(pending, channel);
    if (err != HYPHA_OK) {
        if (channel != NULL) {
            hypha_channel_stop(channel);
            hypha_channel_unref(channel);
        }
        pending_failed(pending, err);
        return;
    }
    acceptor->events->on_channel(acceptor, channel, acceptor->user);
}

static void on_stream_read(struct hy_stream *stream, struct hypha_span bytes, void *user)
{
    (void)stream; /* reading has not begun */
    (void)bytes;
    (void)user;
}

static void on_stream_writable(struct hy_stream *stream, void *user)
{
    (void)stream;
    (void)user;
}

static void on_stream_end(struct hy_stream *stream, enum hypha_err why, void *user)
{
    (void)stream;
    pending_failed(user, why);
}

static const struct hy_stream_events stream_events = {
    .on_ready = on_stream_ready,
    .on_read = on_stream_read,
    .on_writable = on_stream_writable,
    .on_end = on_stream_end,
};

static void on_pending_deadline(void *user)
{
    pending_failed(user, HYPHA_ERR_TIMEOUT);
}

/* ---- the listener ---- */

/* Silently for the peer; these may be many. */
static void refuse(struct hy_acceptor *acceptor, struct hypha_url *peer, enum hypha_err why)
{
    struct hy_net *net = acceptor->net;
    char text[HY_LOG_MAX_BYTES / 2];

    hy_log_debug(&net->log, TARGET, "%s is not let in: %s",
        hy_url_display(peer, text, sizeof(text)), hypha_err_text(why));
    if (!hy_events_wanted(&net->events, HYPHA_EVENT_REFUSED))
        return;
    struct hypha_event event = { .type = HYPHA_EVENT_REFUSED,
        .time_ns = hy_wall_ns(net->loop),
        .session = HYPHA_SESSION_INBOUND,
        .addr = peer,
        .err = why };
    hy_events_publish(&net->events, &event);
}

static enum hypha_err admit(
    struct hy_acceptor *acceptor, struct hypha_url *peer, struct hy_pending **ret_pending)
{
    if (acceptor->net->stopping)
        return HYPHA_ERR_NETWORK_STOPPED;
    if (hy_hosts_is_banned(acceptor->net->hosts, peer))
        return HYPHA_ERR_BANNED;
    return hy_pending_add(acceptor->pending, peer, on_pending_deadline, ret_pending);
}

static void on_accept(
    struct hy_listener *listener, struct hy_stream *stream, struct hypha_url *peer, void *user)
{
    struct hy_acceptor *acceptor = user;
    struct hy_net *net = acceptor->net;
    struct hy_pending *pending = NULL;
    enum hypha_err err = admit(acceptor, peer, &pending);

    (void)listener;
    if (err != HYPHA_OK) {
        hy_stream_close(stream);
        refuse(acceptor, peer, err);
        return;
    }
    pending->acceptor = acceptor;
    pending->stream = stream;
    LIST_INSERT_HEAD(&acceptor->opening, pending, of_acceptor);
    hy_stream_set_events(stream, &stream_events, pending);
    hy_timer_start(&pending->deadline,
        hy_settings_timeouts(net->settings, hypha_url_scheme(peer))->handshake_ms);
}

static void on_listener_end(struct hy_listener *listener, enum hypha_err why, void *user)
{
    struct hy_acceptor *acceptor = user;

    acceptor->listener = NULL;
    acceptor->state = NEW;
    hy_listener_close(listener);
    acceptor->events->on_end(acceptor, why, acceptor->user);
}

static const struct hy_listener_events listener_events = {
    .on_accept = on_accept,
    .on_end = on_listener_end,
};

static void on_listen(void *user, enum hypha_err err, struct hy_listener *listener)
{
    struct hy_acceptor *acceptor = user;

    acceptor->request = NULL;
    acceptor->listener = listener;
    acceptor->state = err == HYPHA_OK ? LISTENING : NEW;
    if (err == HYPHA_OK && acceptor->paused)
        hy_listener_pause(listener);
    acceptor->events->on_listening(acceptor, err, acceptor->user);
}

/* ---- the acceptor ---- */

enum hypha_err hy_acceptor_create(struct hy_net *net, struct hy_pending_set *pending,
    struct hypha_url *url, const struct hy_acceptor_events *events, void *user,
    struct hy_acceptor **ret_acceptor)
{
    struct hy_acceptor *acceptor = hy_alloc(sizeof(*acceptor));

    if (acceptor == NULL)
        return HYPHA_ERR_NOMEM;
    acceptor->net = net;
    acceptor->pending = pending;
    acceptor->url = hypha_url_ref(url);
    acceptor->events = events;
    acceptor->user = user;
    LIST_INIT(&acceptor->opening);
    *ret_acceptor = acceptor;
    return HYPHA_OK;
}

enum hypha_err hy_acceptor_start(struct hy_acceptor *acceptor)
{
    assert(acceptor->state == NEW);
    acceptor->transport = hy_net_transport(acceptor->net, hypha_url_scheme(acceptor->url));
    if (acceptor->transport == NULL)
        return HYPHA_ERR_UNSUPPORTED_TRANSPORT;
    enum hypha_err err = acceptor->transport->ops->listen(acceptor->transport, acceptor->url,
        &listener_events, acceptor, on_listen, &acceptor->request);
    if (err == HYPHA_OK)
        acceptor->state = BINDING;
    return err;
}

void hy_acceptor_pause(struct hy_acceptor *acceptor)
{
    if (acceptor->paused)
        return;
    acceptor->paused = true;
    if (acceptor->listener != NULL)
        hy_listener_pause(acceptor->listener);
}

void hy_acceptor_resume(struct hy_acceptor *acceptor)
{
    if (!acceptor->paused)
        return;
    acceptor->paused = false;
    if (acceptor->listener != NULL)
        hy_listener_resume(acceptor->listener);
}

struct hypha_url *hy_acceptor_url(const struct hy_acceptor *acceptor)
{
    return acceptor->listener != NULL ? acceptor->listener->url : NULL;
}

void hy_acceptor_destroy(struct hy_acceptor *acceptor)
{
    struct hy_pending *pending, *next;

    if (acceptor == NULL)
        return;
    if (acceptor->state == BINDING)
        acceptor->transport->ops->listen_cancel(acceptor->transport, acceptor->request);
    if (acceptor->listener != NULL)
        hy_listener_close(acceptor->listener);
    for (pending = LIST_FIRST(&acceptor->opening); pending != NULL; pending = next) {
        next = LIST_NEXT(pending, of_acceptor);
        hy_pending_remove(pending);
    }
    hypha_url_unref(acceptor->url);
    hy_free(acceptor);
}
