/* transport/tls.c - the transport "tcp+tls": TLS over another transport's streams.
 *
 * A server's handshake runs inside the accepted stream (OPENING), so a silent client keeps nobody
 * else waiting. A fresh identity per dial and per listener. spec: transports.md 3, wire.md 6 */
#include "transport/tls.h"

#include "base/alloc.h"
#include "transport/tcp.h"

struct tls_transport {
    struct hy_transport base;
    struct hy_transport *lower;
};

/* The request of a listen, then the listener. */
struct tls_listener {
    struct hy_listener base;
    struct hypha_loop *loop;
    struct hy_tls_identity *identity;
    hy_listen_cb cb;
    void *cb_user;
    void *request;
    struct hy_listener *lower;
    bool in_callback;
    bool closed;
};

static enum hypha_err tls_dial(
    struct hy_transport *transport, const struct hypha_url *url, struct hy_stream **ret_stream)
{
    struct tls_transport *tls = (struct tls_transport *)transport;
    struct hy_stream *lower = NULL;
    enum hypha_err err = tls->lower->ops->dial(tls->lower, url, &lower);

    if (err != HYPHA_OK)
        return err;
    return hy_tls_stream_over(transport->loop, lower, HY_TLS_CLIENT, NULL, true, ret_stream);
}

static void listener_free(struct tls_listener *listener)
{
    hypha_url_unref(listener->base.url);
    hy_tls_identity_unref(listener->identity);
    hy_free(listener);
}

static void listener_pause(struct hy_listener *base)
{
    hy_listener_pause(((struct tls_listener *)base)->lower);
}

static void listener_resume(struct hy_listener *base)
{
    hy_listener_resume(((struct tls_listener *)base)->lower);
}

static void listener_close(struct hy_listener *base)
{
    struct tls_listener *listener = (struct tls_listener *)base;

    if (listener->closed)
        return;
    listener->closed = true;
    hy_listener_close(listener->lower);
    listener->lower = NULL;
    if (!listener->in_callback)
        listener_free(listener);
}

static const struct hy_listener_ops listener_ops = {
    .pause = listener_pause,
    .resume = listener_resume,
    .close = listener_close,
};

static void enter(struct tls_listener *listener)
{
    listener->in_callback = true;
}

static void leave(struct tls_listener *listener)
{
    listener->in_callback = false;
    if (listener->closed)
        listener_free(listener);
}

static void lower_accept(
    struct hy_listener *lower, struct hy_stream *stream, struct hypha_url *peer, void *user)
{
    struct tls_listener *listener = user;
    struct hy_stream *wrapped = NULL;

    (void)lower;
    if (hy_tls_stream_over(
            listener->loop, stream, HY_TLS_SERVER, listener->identity, true, &wrapped) != HYPHA_OK)
        return; /* no memory for this one peer */
    enter(listener);
    listener->base.events->on_accept(&listener->base, wrapped, peer, listener->base.user);
    leave(listener);
}

static void lower_end(struct hy_listener *lower, enum hypha_err why, void *user)
{
    struct tls_listener *listener = user;

    (void)lower;
    enter(listener);
    listener->base.events->on_end(&listener->base, why, listener->base.user);
    leave(listener);
}

static const struct hy_listener_events lower_events = {
    .on_accept = lower_accept,
    .on_end = lower_end,
};

static void on_listening(void *user, enum hypha_err err, struct hy_listener *lower)
{
    struct tls_listener *listener = user;

    listener->request = NULL;
    enter(listener);
    if (err == HYPHA_OK) {
        listener->lower = lower;
        listener->base.url = hypha_url_ref(lower->url);
        listener->cb(listener->cb_user, HYPHA_OK, &listener->base);
    } else {
        listener->closed = true;
        listener->cb(listener->cb_user, err, NULL);
    }
    leave(listener);
}

static enum hypha_err tls_listen(struct hy_transport *transport, const struct hypha_url *url,
    const struct hy_listener_events *events, void *user, hy_listen_cb cb, void **ret_request)
{
    struct tls_transport *tls = (struct tls_transport *)transport;
    struct tls_listener *listener = hy_alloc(sizeof *listener);

    if (listener == NULL)
        return HYPHA_ERR_NOMEM;
    listener->base.ops = &listener_ops;
    listener->base.events = events;
    listener->base.user = user;
    listener->loop = transport->loop;
    listener->cb = cb;
    listener->cb_user = user;
    enum hypha_err err = hy_tls_identity_create(transport->loop, &listener->identity);

    if (err == HYPHA_OK)
        err = tls->lower->ops->listen(
            tls->lower, url, &lower_events, listener, on_listening, &listener->request);
    if (err != HYPHA_OK) {
        listener_free(listener);
        return err;
    }
    *ret_request = listener;
    return HYPHA_OK;
}

static void tls_listen_cancel(struct hy_transport *transport, void *request)
{
    struct tls_transport *tls = (struct tls_transport *)transport;
    struct tls_listener *listener = request;

    if (listener == NULL || listener->closed)
        return;
    tls->lower->ops->listen_cancel(tls->lower, listener->request);
    listener_free(listener);
}

static void tls_destroy(struct hy_transport *transport)
{
    hy_transport_destroy(((struct tls_transport *)transport)->lower);
    hy_tls_config_release();
    hy_free(transport);
}

static const struct hy_transport_ops tls_ops = {
    .dial = tls_dial,
    .listen = tls_listen,
    .listen_cancel = tls_listen_cancel,
    .destroy = tls_destroy,
};

enum hypha_err hy_transport_tls_over(
    struct hy_transport *lower, const char *scheme, struct hy_transport **ret_transport)
{
    struct tls_transport *tls = hy_alloc(sizeof *tls);
    enum hypha_err err = tls == NULL ? HYPHA_ERR_NOMEM : hy_tls_config_hold();

    if (err != HYPHA_OK) {
        hy_free(tls);
        hy_transport_destroy(lower);
        return err;
    }
    tls->base = (struct hy_transport){ .ops = &tls_ops, .loop = lower->loop, .scheme = scheme };
    tls->lower = lower;
    *ret_transport = &tls->base;
    return HYPHA_OK;
}

enum hypha_err hy_transport_tls_create(struct hypha_loop *loop, hy_ip_filter_cb filter_ip,
    void *user, struct hy_transport **ret_transport)
{
    struct hy_tcp *tcp = NULL;
    enum hypha_err err = hy_tcp_create(loop, "tcp+tls", filter_ip, user, &tcp);

    return err == HYPHA_OK ? hy_transport_tls_over(&tcp->base, "tcp+tls", ret_transport) : err;
}
