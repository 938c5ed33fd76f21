/* transport/tcp_listener.c - bind a URL's address and accept its peers.
 *
 *   state       event                       next
 *   RESOLVING   endpoints                   BOUND or FAILED (told at the turn's end)
 *   RESOLVING   error                       FAILED
 *   BOUND       told                        LISTENING
 *   LISTENING   a peer                      LISTENING  (on_accept)
 *   LISTENING   files or memory are short   LISTENING, after a wait of 100 ms doubling to 5 s
 *   LISTENING   EBADF, EINVAL               ENDED      (on_end)
 *
 * spec: transports.md 2, network.md 6.2 */
#include "transport/tcp.h"

#include "base/alloc.h"
#include "url/url.h"
#include <assert.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#define ACCEPTS_PER_WAKE 8 /* so that newcomers are heard between others, whoever floods us */
#define BACK_OFF_MS      100
#define BACK_OFF_MAX_MS  5000

enum listener_state {
    LISTENER_RESOLVING,
    LISTENER_BOUND,
    LISTENER_FAILED,
    LISTENER_LISTENING,
    LISTENER_ENDED,
};

struct tcp_listener {
    struct hy_listener base;
    struct hy_tcp *tcp;
    enum listener_state state;
    hy_listen_cb cb;
    void *cb_user;
    struct hy_resolve *resolve;
    struct hy_defer answer;
    enum hypha_err err;
    struct hypha_url *asked;
    int fd;
    struct hy_poll *poll;
    struct hy_timer back_off;
    uint64_t back_off_ms;
    bool paused;
    bool in_callback;
    bool closed;
};

static void listener_free(struct tcp_listener *listener)
{
    hypha_url_unref(listener->base.url);
    hypha_url_unref(listener->asked);
    hy_tcp_unref(listener->tcp);
    hy_free(listener);
}

static void stop_watching(struct tcp_listener *listener)
{
    hy_resolve_cancel(listener->resolve);
    listener->resolve = NULL;
    hy_defer_stop(&listener->answer);
    hy_timer_stop(&listener->back_off);
    hy_poll_destroy(listener->poll);
    listener->poll = NULL;
    if (listener->fd >= 0)
        close(listener->fd);
    listener->fd = -1;
}

static void listener_close(struct hy_listener *base)
{
    struct tcp_listener *listener = (struct tcp_listener *)base;

    if (listener->closed)
        return;
    listener->closed = true;
    stop_watching(listener);
    if (!listener->in_callback)
        listener_free(listener);
}

/* ---- accepting ---- */

static void back_off(struct tcp_listener *listener)
{
    (void)hy_poll_update(listener->poll, 0); /* failing that, it is only less idle */
    hy_timer_start(&listener->back_off, listener->back_off_ms);
    listener->back_off_ms *= 2;
    if (listener->back_off_ms > BACK_OFF_MAX_MS)
        listener->back_off_ms = BACK_OFF_MAX_MS;
}

static void watch(struct tcp_listener *listener)
{
    if (listener->state != LISTENER_LISTENING || listener->closed ||
        hy_timer_is_armed(&listener->back_off))
        return;
    if (hy_poll_update(listener->poll, listener->paused ? 0 : HY_POLL_IN) != HYPHA_OK)
        back_off(listener);
}

static void on_back_off(void *user)
{
    watch(user);
}

/* scheme://IP:PORT/; the zone of a link-local address has no place in a URL. */
static enum hypha_err peer_url(const struct tcp_listener *listener,
    const struct sockaddr_storage *address, struct hypha_url **ret_url)
{
    struct hy_endpoint peer;
    char ip[HY_IP_TEXT_BYTES];
    char text[HY_IP_TEXT_BYTES + 64];

    if (!hy_socket_endpoint(address, &peer))
        return HYPHA_ERR_SYSTEM;
    (void)hy_ip_format(&peer.ip, ip);
    snprintf(text, sizeof text, peer.ip.len == 16 ? "%s://[%s]:%u/" : "%s://%s:%u/",
        listener->tcp->base.scheme, ip, (unsigned)peer.port);
    return hypha_url_parse_text(text, ret_url);
}

/* What accept() said: go on with the next, wait for the next wake, wait longer, or the end. */
enum outcome { OUTCOME_GO_ON, OUTCOME_WAIT, OUTCOME_BACK_OFF, OUTCOME_END };

static enum outcome judge(int number)
{
    switch (number) {
    case EAGAIN:
        return OUTCOME_WAIT;
    case EINTR:
    case ECONNABORTED:
    case EPROTO:
    case ECONNRESET:
    case ETIMEDOUT:
    case EPIPE:
        return OUTCOME_GO_ON;
    case EBADF:
    case EINVAL:
        return OUTCOME_END;
    default: /* EMFILE, ENFILE, ENOBUFS, ENOMEM; and nothing unknown may make us spin */
        return OUTCOME_BACK_OFF;
    }
}

static void hand_over(struct tcp_listener *listener, int fd, const struct sockaddr_storage *address)
{
    struct hypha_url *peer = NULL;
    struct hy_stream *stream = NULL;
    enum hypha_err err = peer_url(listener, address, &peer);

    if (err == HYPHA_OK)
        err = hy_tcp_stream_of(listener->tcp, fd, &stream);
    else
        close(fd);
    if (err == HYPHA_OK)
        listener->base.events->on_accept(&listener->base, stream, peer, listener->base.user);
    hypha_url_unref(peer); /* an error is the end of this one peer only */
}

static enum outcome accept_one(struct tcp_listener *listener)
{
    struct sockaddr_storage address;
    socklen_t len = sizeof address;
    int fd = accept4(listener->fd, (struct sockaddr *)&address, &len, SOCK_NONBLOCK | SOCK_CLOEXEC);

    if (fd < 0)
        return judge(errno);
    listener->back_off_ms = BACK_OFF_MS;
    hand_over(listener, fd, &address);
    return OUTCOME_GO_ON;
}

static void on_poll(void *user, unsigned events)
{
    struct tcp_listener *listener = user;
    enum outcome outcome = OUTCOME_GO_ON;

    (void)events;
    listener->in_callback = true;
    for (int i = 0;
         i < ACCEPTS_PER_WAKE && outcome == OUTCOME_GO_ON && !listener->closed && !listener->paused;
         i++)
        outcome = accept_one(listener);
    if (!listener->closed && outcome == OUTCOME_BACK_OFF) {
        back_off(listener);
    } else if (!listener->closed && outcome == OUTCOME_END) {
        listener->state = LISTENER_ENDED;
        stop_watching(listener);
        listener->base.events->on_end(&listener->base, HYPHA_ERR_SYSTEM, listener->base.user);
    }
    listener->in_callback = false;
    if (listener->closed)
        listener_free(listener);
}

static void listener_pause(struct hy_listener *base)
{
    struct tcp_listener *listener = (struct tcp_listener *)base;

    listener->paused = true;
    watch(listener);
}

static void listener_resume(struct hy_listener *base)
{
    struct tcp_listener *listener = (struct tcp_listener *)base;

    listener->paused = false;
    watch(listener);
}

static const struct hy_listener_ops listener_ops = {
    .pause = listener_pause,
    .resume = listener_resume,
    .close = listener_close,
};

/* ---- binding ---- */

static enum hypha_err bind_endpoint(
    struct tcp_listener *listener, const struct hy_endpoint *endpoint)
{
    uint16_t port = 0;
    enum hypha_err err = hy_socket_open(endpoint, &listener->fd);

    if (err != HYPHA_OK)
        return err;
    err = hy_socket_listen(listener->fd, endpoint, &port);
    if (err == HYPHA_OK)
        err = hy_url_with_port(listener->asked, port, &listener->base.url);
    if (err == HYPHA_OK)
        err = hy_poll_create(
            listener->tcp->base.loop, listener->fd, 0, on_poll, listener, &listener->poll);
    if (err == HYPHA_OK)
        return HYPHA_OK;
    hypha_url_unref(listener->base.url);
    listener->base.url = NULL;
    close(listener->fd);
    listener->fd = -1;
    return err;
}

/* The first usable one of what the name stands for. */
static void bind_first(
    struct tcp_listener *listener, const struct hy_endpoint *endpoints, size_t count)
{
    listener->state = LISTENER_FAILED;
    listener->err = HYPHA_ERR_RESOLVE;
    for (size_t i = 0; i < count && listener->state == LISTENER_FAILED; i++) {
        listener->err = bind_endpoint(listener, &endpoints[i]);
        if (listener->err == HYPHA_OK)
            listener->state = LISTENER_BOUND;
    }
    hy_defer_start(&listener->answer);
}

static void on_resolved(
    void *user, enum hypha_err err, const struct hy_endpoint *endpoints, size_t count)
{
    struct tcp_listener *listener = user;

    listener->resolve = NULL;
    bind_first(listener, endpoints, count);
    if (err != HYPHA_OK)
        listener->err = err;
}

static void on_answer(void *user)
{
    struct tcp_listener *listener = user;
    bool bound = listener->state == LISTENER_BOUND;

    assert(bound || listener->state == LISTENER_FAILED);
    listener->in_callback = true;
    if (bound) {
        listener->state = LISTENER_LISTENING;
        watch(listener);
        listener->cb(listener->cb_user, HYPHA_OK, &listener->base);
    } else {
        listener->closed = true;
        listener->cb(listener->cb_user, listener->err, NULL);
    }
    listener->in_callback = false;
    if (listener->closed)
        listener_free(listener);
}

enum hypha_err hy_tcp_listen(struct hy_transport *transport, const struct hypha_url *url,
    const struct hy_listener_events *events, void *user, hy_listen_cb cb, void **ret_request)
{
    struct hy_tcp *tcp = (struct hy_tcp *)transport;
    struct hy_endpoint target;
    bool is_ip = false;
    enum hypha_err err = hy_tcp_target(tcp, url, &target, &is_ip);

    if (err != HYPHA_OK)
        return err;
    struct tcp_listener *listener = hy_alloc(sizeof *listener);

    if (listener == NULL)
        return HYPHA_ERR_NOMEM;
    listener->base.ops = &listener_ops;
    listener->base.events = events;
    listener->base.user = user;
    listener->tcp = hy_tcp_ref(tcp);
    listener->cb = cb;
    listener->cb_user = user;
    /* The count of references is not part of what is const about a URL. */
    listener->asked = hypha_url_ref((struct hypha_url *)(uintptr_t)url);
    listener->fd = -1;
    listener->back_off_ms = BACK_OFF_MS;
    hy_defer_init(&listener->answer, tcp->base.loop, on_answer, listener);
    hy_timer_init(&listener->back_off, tcp->base.loop, on_back_off, listener);
    if (is_ip)
        bind_first(listener, &target, 1);
    else
        err = hy_resolve_start(tcp->base.loop, hypha_url_host(url), target.port, on_resolved,
            listener, &listener->resolve);
    if (err != HYPHA_OK) {
        listener_close(&listener->base);
        return err;
    }
    *ret_request = listener;
    return HYPHA_OK;
}

void hy_tcp_listen_cancel(struct hy_transport *transport, void *request)
{
    struct tcp_listener *listener = request;

    (void)transport;
    if (listener != NULL)
        listener_close(&listener->base);
}
