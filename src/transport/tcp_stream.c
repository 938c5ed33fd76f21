/* transport/tcp_stream.c - a TCP socket as a stream.
 *
 *   state     event                                next
 *   OPENING   dialled                              READY   (on_ready)
 *   OPENING   accepted, this turn ends             READY   (on_ready)
 *   OPENING   dial failed                          ENDED   (on_end)
 *   READY     readable, bytes                      READY   (on_read)
 *   READY     readable, EOF                        HALF    (on_end)
 *   READY     readable, error                      ENDED   (on_end)
 *   HALF      writable after a short write         HALF    (on_writable)
 *   HALF      a write failed                       ENDED   (nothing: the end is told already)
 *   READY     writable after a short write         READY   (on_writable)
 *   READY     a write or a poll failed             ENDED   (on_read of what is there, on_end)
 *
 * One recv() per wake keeps a busy peer from starving the others: the watch is level-triggered,
 * so what is left shows in the next turn. */
#include "transport/tcp.h"

#include "base/alloc.h"
#include <assert.h>
#include <errno.h>
#include <limits.h>
#include <unistd.h>

/* What is still delivered after a write failed: as much as a receive buffer may hold. */
#define LAST_READS 64

/* HALF: the peer says no more, but may still listen (JSON-RPC answers a half-closed client). */
enum tcp_state { TCP_OPENING, TCP_READY, TCP_HALF, TCP_ENDED };

struct tcp_stream {
    struct hy_stream base;
    struct hy_tcp *tcp;
    struct hy_tcp_dial *dial; /* while OPENING, if dialled */
    int fd;
    struct hy_poll *poll;
    struct hy_defer defer; /* tells on_ready of an accepted one, and `failed` */
    enum tcp_state state;
    enum hypha_err failed; /* found inside a call, to be told at the turn's end */
    bool reading;
    bool blocked;     /* the last write was short */
    bool in_callback; /* closing frees later */
    bool closed;
};

static void stream_free(struct tcp_stream *stream)
{
    hy_tcp_unref(stream->tcp);
    hy_free(stream);
}

static void enter(struct tcp_stream *stream)
{
    assert(!stream->in_callback);
    stream->in_callback = true;
}

static void leave(struct tcp_stream *stream)
{
    stream->in_callback = false;
    if (stream->closed)
        stream_free(stream);
}

static void stop_watching(struct tcp_stream *stream)
{
    hy_poll_destroy(stream->poll);
    stream->poll = NULL;
    hy_defer_stop(&stream->defer);
}

/* Found inside a hy_stream_* call: told later. */
static void fail_later(struct tcp_stream *stream, enum hypha_err why)
{
    if (stream->failed == HYPHA_OK)
        stream->failed = why;
    hy_defer_start(&stream->defer);
}

static bool is_writable(const struct tcp_stream *stream)
{
    return (stream->state == TCP_READY || stream->state == TCP_HALF) &&
        stream->failed == HYPHA_OK && !stream->closed;
}

static void watch(struct tcp_stream *stream)
{
    unsigned events = (stream->reading && stream->state == TCP_READY ? HY_POLL_IN : 0) |
        (stream->blocked ? HY_POLL_OUT : 0);

    if (!is_writable(stream))
        return;
    enum hypha_err err = hy_poll_update(stream->poll, events);

    if (err != HYPHA_OK)
        fail_later(stream, err);
}

/* Only between enter() and leave(). */
static void end(struct tcp_stream *stream, enum hypha_err why)
{
    if (why == HYPHA_ERR_EOF && stream->failed == HYPHA_OK) {
        stream->state = TCP_HALF;
        watch(stream);
    } else {
        stream->state = TCP_ENDED;
        stop_watching(stream);
    }
    stream->base.events->on_end(&stream->base, why, stream->base.user);
}

/* One recv(); false: nothing was there. Only between enter() and leave(). */
static bool read_once(struct tcp_stream *stream)
{
    uint8_t *into = hy_loop_read_buffer(stream->tcp->base.loop);
    ssize_t got = recv(stream->fd, into, HY_LOOP_READ_BYTES, 0);

    if (got > 0) {
        struct hypha_span bytes = { into, (size_t)got };

        stream->base.events->on_read(&stream->base, bytes, stream->base.user);
        return true;
    }
    if (got < 0 && (errno == EAGAIN || errno == EINTR))
        return false;
    enum hypha_err why = got == 0 ? HYPHA_ERR_EOF : hy_socket_err(errno);

    end(stream, why);
    return true;
}

static bool may_read(const struct tcp_stream *stream)
{
    return !stream->closed && stream->state == TCP_READY && stream->reading;
}

static void on_poll(void *user, unsigned events)
{
    struct tcp_stream *stream = user;

    enter(stream);
    if ((events & HY_POLL_IN) != 0 && may_read(stream))
        (void)read_once(stream);
    if ((events & HY_POLL_OUT) != 0 && is_writable(stream) && stream->blocked) {
        stream->blocked = false;
        watch(stream);
        stream->base.events->on_writable(&stream->base, stream->base.user);
    }
    leave(stream);
}

/* A write failed, but the peer may have said something before it went: deliver that first. */
static void tell_failure(struct tcp_stream *stream)
{
    for (int i = 0; i < LAST_READS && may_read(stream); i++)
        if (!read_once(stream))
            break;
    if (!stream->closed && stream->state == TCP_READY)
        end(stream, stream->failed);
}

static void on_defer(void *user)
{
    struct tcp_stream *stream = user;

    enter(stream);
    if (stream->state == TCP_OPENING) {
        stream->state = TCP_READY;
        watch(stream);
        stream->base.events->on_ready(&stream->base, stream->base.user);
    } else if (stream->state == TCP_READY && stream->failed != HYPHA_OK) {
        tell_failure(stream);
    } else if (stream->state == TCP_HALF) {
        stream->state = TCP_ENDED;
        stop_watching(stream);
    }
    leave(stream);
}

static void on_dialed(void *user, enum hypha_err err, int fd)
{
    struct tcp_stream *stream = user;

    hy_tcp_dial_destroy(stream->dial);
    stream->dial = NULL;
    stream->fd = fd;
    enter(stream);
    if (err == HYPHA_OK)
        err = hy_poll_create(stream->tcp->base.loop, fd, 0, on_poll, stream, &stream->poll);
    if (err == HYPHA_OK) {
        stream->state = TCP_READY;
        watch(stream);
        stream->base.events->on_ready(&stream->base, stream->base.user);
    } else {
        end(stream, err);
    }
    leave(stream);
}

static void tcp_read_start(struct hy_stream *base)
{
    struct tcp_stream *stream = (struct tcp_stream *)base;

    stream->reading = true;
    watch(stream);
}

static void tcp_read_stop(struct hy_stream *base)
{
    struct tcp_stream *stream = (struct tcp_stream *)base;

    stream->reading = false;
    watch(stream);
}

static size_t bytes_of(const struct iovec *pieces, size_t count)
{
    size_t sum = 0;

    for (size_t i = 0; i < count; i++)
        sum += pieces[i].iov_len;
    return sum;
}

static size_t tcp_write(struct hy_stream *base, const struct iovec *pieces, size_t count)
{
    struct tcp_stream *stream = (struct tcp_stream *)base;
    size_t wanted = bytes_of(pieces, count);
    struct msghdr message = { .msg_iov = (struct iovec *)(uintptr_t)pieces,
        .msg_iovlen = count < IOV_MAX ? count : IOV_MAX };
    ssize_t sent;

    if (!is_writable(stream) || stream->blocked || wanted == 0)
        return 0;
    do
        sent = sendmsg(stream->fd, &message, MSG_NOSIGNAL);
    while (sent < 0 && errno == EINTR);
    if (sent < 0 && errno != EAGAIN) {
        fail_later(stream, hy_socket_err(errno));
        return 0;
    }
    size_t taken = sent > 0 ? (size_t)sent : 0;

    if (taken < wanted) {
        stream->blocked = true;
        watch(stream);
    }
    return taken;
}

static size_t tcp_pending(const struct hy_stream *base)
{
    (void)base; /* what write() took is with the system */
    return 0;
}

static void tcp_close(struct hy_stream *base)
{
    struct tcp_stream *stream = (struct tcp_stream *)base;

    if (stream->closed)
        return;
    stream->closed = true;
    hy_tcp_dial_destroy(stream->dial);
    stream->dial = NULL;
    stop_watching(stream);
    if (stream->fd >= 0 && stream->state == TCP_READY && stream->failed == HYPHA_OK)
        hy_tcp_linger(stream->tcp, stream->fd);
    else if (stream->fd >= 0)
        close(stream->fd);
    stream->fd = -1;
    if (!stream->in_callback)
        stream_free(stream);
}

static const struct hy_stream_ops stream_ops = {
    .read_start = tcp_read_start,
    .read_stop = tcp_read_stop,
    .write = tcp_write,
    .pending = tcp_pending,
    .close = tcp_close,
};

static struct tcp_stream *stream_create(struct hy_tcp *tcp, int fd)
{
    struct tcp_stream *stream = hy_alloc(sizeof *stream);

    if (stream == NULL)
        return NULL;
    stream->base.ops = &stream_ops;
    stream->tcp = hy_tcp_ref(tcp);
    stream->fd = fd;
    hy_defer_init(&stream->defer, tcp->base.loop, on_defer, stream);
    return stream;
}

enum hypha_err hy_tcp_stream_dial(
    struct hy_tcp *tcp, const struct hypha_url *url, struct hy_stream **ret_stream)
{
    struct tcp_stream *stream = stream_create(tcp, -1);

    if (stream == NULL)
        return HYPHA_ERR_NOMEM;
    enum hypha_err err = hy_tcp_dial_create(tcp, url, on_dialed, stream, &stream->dial);

    if (err != HYPHA_OK) {
        tcp_close(&stream->base);
        return err;
    }
    *ret_stream = &stream->base;
    return HYPHA_OK;
}

enum hypha_err hy_tcp_stream_of(struct hy_tcp *tcp, int fd, struct hy_stream **ret_stream)
{
    struct tcp_stream *stream = stream_create(tcp, fd);

    if (stream == NULL) {
        close(fd);
        return HYPHA_ERR_NOMEM;
    }
    enum hypha_err err = hy_poll_create(tcp->base.loop, fd, 0, on_poll, stream, &stream->poll);

    if (err != HYPHA_OK) {
        tcp_close(&stream->base);
        return err;
    }
    hy_defer_start(&stream->defer);
    *ret_stream = &stream->base;
    return HYPHA_OK;
}
