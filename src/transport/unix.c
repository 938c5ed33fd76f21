/* transport/unix.c - streams over a local socket: unix:///absolute/path.
 *
 * Used by JSON-RPC. The socket file is ours alone: mode 0600, a stale one (nobody answers) is
 * replaced, a living one is "address in use", and at close it goes away if device and inode are
 * still those that we made. After the peer's half-close a stream can still be written to.
 *
 *   state    event                    next
 *   OPENING  connected or accepted    READY  (on_ready, next turn)
 *   OPENING  connect refused          ENDED  (on_end, next turn)
 *   READY    EOF, error               ENDED  (on_end)
 *   any      close                    gone
 *
 * spec: transports.md 8 */
#include "base/alloc.h"
#include "transport/transport.h"
#include "url/url.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#define UNIX_BACKLOG 128

static enum hypha_err err_of_errno(int number)
{
    switch (number) {
    case ENOMEM:
    case ENOBUFS:
        return HYPHA_ERR_NOMEM;
    case EMFILE:
    case ENFILE:
        return HYPHA_ERR_FILES;
    case EACCES:
    case EPERM:
    case EROFS:
        return HYPHA_ERR_ACCESS;
    case ECONNREFUSED:
    case ENOENT:
        return HYPHA_ERR_REFUSED;
    case EAGAIN: /* the listener's backlog is full */
        return HYPHA_ERR_TIMEOUT;
    case EPIPE:
    case ECONNRESET:
        return HYPHA_ERR_RESET;
    case EADDRINUSE:
        return HYPHA_ERR_ADDR_IN_USE;
    case ENOTDIR:
    case EADDRNOTAVAIL:
        return HYPHA_ERR_ADDR_NOT_AVAILABLE;
    default:
        return HYPHA_ERR_SYSTEM;
    }
}

static int hex_digit(char digit)
{
    if (digit >= '0' && digit <= '9')
        return digit - '0';
    if (digit >= 'a' && digit <= 'f')
        return digit - 'a' + 10;
    if (digit >= 'A' && digit <= 'F')
        return digit - 'A' + 10;
    return -1;
}

/* The URL's path, percent-decoded, into a socket address. */
static enum hypha_err address_of_url(const struct hypha_url *url, struct sockaddr_un *ret_address)
{
    struct sockaddr_un address = { .sun_family = AF_UNIX };
    const char *at = hypha_url_path(url);
    size_t len = 0;

    if (hypha_url_host_kind(url) != HYPHA_HOST_NONE || *at != '/')
        return HYPHA_ERR_BAD_ADDRESS;
    for (; *at != '\0'; at++) {
        int value = (unsigned char)*at;

        if (*at == '%') {
            int high = hex_digit(at[1]);
            int low = high < 0 ? -1 : hex_digit(at[2]);

            if (low < 0)
                return HYPHA_ERR_BAD_ADDRESS;
            value = high * 16 + low;
            at += 2;
        }
        if (value == 0 || len + 1 >= sizeof address.sun_path)
            return HYPHA_ERR_BAD_ADDRESS;
        address.sun_path[len++] = (char)value;
    }
    *ret_address = address;
    return HYPHA_OK;
}

/* ---- streams ---- */

enum unix_state { UNIX_OPENING, UNIX_READY, UNIX_ENDED };

struct unix_stream {
    struct hy_stream base;
    struct hy_poll *poll;
    struct hy_defer defer; /* on_ready, or on_end after a failed connect or write */
    int fd;
    enum unix_state state;
    enum hypha_err why; /* HYPHA_OK: no end to tell */
    bool reading;
    bool short_write;
    unsigned busy; /* callbacks on the stack: freed when the last returns */
    bool closed;
};

static void stream_free_if_idle(struct unix_stream *stream)
{
    if (stream->closed && stream->busy == 0)
        hy_free(stream);
}

static void stream_watch(struct unix_stream *stream)
{
    unsigned events = 0;

    if (stream->poll == NULL)
        return;
    if (stream->reading && stream->state == UNIX_READY)
        events |= HY_POLL_IN;
    if (stream->short_write && stream->why == HYPHA_OK)
        events |= HY_POLL_OUT;
    enum hypha_err err = hy_poll_update(stream->poll, events);
    if (err != HYPHA_OK && stream->why == HYPHA_OK && stream->state == UNIX_READY) {
        stream->why = err;
        hy_defer_start(&stream->defer);
    }
}

static void stream_end(struct unix_stream *stream, enum hypha_err why)
{
    stream->state = UNIX_ENDED;
    stream_watch(stream);
    stream->busy++;
    stream->base.events->on_end(&stream->base, why, stream->base.user);
    stream->busy--;
}

static void stream_on_defer(void *user)
{
    struct unix_stream *stream = user;

    if (stream->why != HYPHA_OK && stream->state != UNIX_ENDED) {
        stream_end(stream, stream->why);
    } else if (stream->state == UNIX_OPENING) {
        stream->state = UNIX_READY;
        stream->busy++;
        stream->base.events->on_ready(&stream->base, stream->base.user);
        stream->busy--;
        if (!stream->closed)
            stream_watch(stream);
    }
    stream_free_if_idle(stream);
}

static void stream_read(struct unix_stream *stream)
{
    uint8_t *buffer = hy_loop_read_buffer(stream->defer.loop);
    ssize_t got;

    do
        got = read(stream->fd, buffer, HY_LOOP_READ_BYTES);
    while (got < 0 && errno == EINTR);
    if (got > 0) {
        struct hypha_span bytes = { buffer, (size_t)got };

        stream->base.events->on_read(&stream->base, bytes, stream->base.user);
    } else if (got == 0) {
        stream_end(stream, HYPHA_ERR_EOF);
    } else if (errno != EAGAIN && errno != EWOULDBLOCK) {
        stream->why = err_of_errno(errno);
        stream_end(stream, stream->why);
    }
}

static void stream_on_poll(void *user, unsigned events)
{
    struct unix_stream *stream = user;

    stream->busy++;
    if ((events & HY_POLL_IN) != 0 && stream->reading && stream->state == UNIX_READY)
        stream_read(stream);
    if ((events & HY_POLL_OUT) != 0 && !stream->closed && stream->short_write) {
        stream->short_write = false;
        stream->base.events->on_writable(&stream->base, stream->base.user);
    }
    if (!stream->closed)
        stream_watch(stream);
    stream->busy--;
    stream_free_if_idle(stream);
}

static void stream_read_start(struct hy_stream *base)
{
    struct unix_stream *stream = (struct unix_stream *)base;

    stream->reading = true;
    if (stream->busy == 0)
        stream_watch(stream);
}

static void stream_read_stop(struct hy_stream *base)
{
    struct unix_stream *stream = (struct unix_stream *)base;

    stream->reading = false;
    if (stream->busy == 0)
        stream_watch(stream);
}

static size_t stream_write(struct hy_stream *base, const struct iovec *pieces, size_t count)
{
    struct unix_stream *stream = (struct unix_stream *)base;
    struct msghdr message = { .msg_iov = (struct iovec *)(uintptr_t)pieces, .msg_iovlen = count };
    size_t want = 0;
    ssize_t sent;

    if (stream->state == UNIX_OPENING || stream->why != HYPHA_OK)
        return 0;
    for (size_t i = 0; i < count; i++)
        want += pieces[i].iov_len;
    do
        sent = sendmsg(stream->fd, &message, MSG_NOSIGNAL | MSG_DONTWAIT);
    while (sent < 0 && errno == EINTR);
    if (sent < 0 && errno != EAGAIN && errno != EWOULDBLOCK) {
        stream->why = err_of_errno(errno);
        hy_defer_start(&stream->defer);
        return 0;
    }
    size_t took = sent < 0 ? 0 : (size_t)sent;
    stream->short_write = took < want;
    if (stream->busy == 0)
        stream_watch(stream);
    return took;
}

static size_t stream_pending(const struct hy_stream *base)
{
    (void)base;
    return 0;
}

static void stream_close(struct hy_stream *base)
{
    struct unix_stream *stream = (struct unix_stream *)base;

    hy_defer_stop(&stream->defer);
    hy_poll_destroy(stream->poll);
    stream->poll = NULL;
    if (stream->fd >= 0)
        (void)close(stream->fd);
    stream->fd = -1;
    stream->closed = true;
    stream_free_if_idle(stream);
}

static const struct hy_stream_ops stream_ops = {
    .read_start = stream_read_start,
    .read_stop = stream_read_stop,
    .write = stream_write,
    .pending = stream_pending,
    .close = stream_close,
};

/* Takes fd, also on error. `why`: tell that the stream ended instead of ready. */
static enum hypha_err stream_create(
    struct hypha_loop *loop, int fd, enum hypha_err why, struct unix_stream **ret_stream)
{
    struct unix_stream *stream = hy_alloc(sizeof *stream);
    enum hypha_err err = HYPHA_ERR_NOMEM;

    if (stream == NULL) {
        (void)close(fd);
        return err;
    }
    stream->base.ops = &stream_ops;
    stream->fd = fd;
    stream->why = why;
    hy_defer_init(&stream->defer, loop, stream_on_defer, stream);
    if (why == HYPHA_OK) {
        err = hy_poll_create(loop, fd, 0, stream_on_poll, stream, &stream->poll);
        if (err != HYPHA_OK) {
            stream_close(&stream->base);
            return err;
        }
    }
    hy_defer_start(&stream->defer);
    *ret_stream = stream;
    return HYPHA_OK;
}

static enum hypha_err unix_dial(
    struct hy_transport *transport, const struct hypha_url *url, struct hy_stream **ret_stream)
{
    struct sockaddr_un address;
    struct unix_stream *stream = NULL;
    enum hypha_err err = address_of_url(url, &address);
    enum hypha_err why = HYPHA_OK;

    if (err != HYPHA_OK)
        return err;
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (fd < 0)
        return err_of_errno(errno);
    if (connect(fd, (const struct sockaddr *)&address, sizeof address) != 0)
        why = err_of_errno(errno);
    err = stream_create(transport->loop, fd, why, &stream);
    if (err == HYPHA_OK)
        *ret_stream = &stream->base;
    return err;
}

/* ---- listener ---- */

struct unix_listener {
    struct hy_listener base;
    struct hypha_loop *loop;
    struct hy_poll *poll;
    struct hy_defer tell; /* the answer to listen() */
    hy_listen_cb cb;
    void *cb_user;
    enum hypha_err err; /* what to tell */
    struct sockaddr_un address;
    dev_t device;
    ino_t inode;
    bool bound;
    int fd;
    unsigned busy;
    bool closed;
};

static void listener_pause(struct hy_listener *base)
{
    struct unix_listener *listener = (struct unix_listener *)base;

    (void)hy_poll_update(listener->poll, 0);
}

static void listener_resume(struct hy_listener *base)
{
    struct unix_listener *listener = (struct unix_listener *)base;

    (void)hy_poll_update(listener->poll, HY_POLL_IN);
}

static void listener_free_if_idle(struct unix_listener *listener)
{
    if (listener->closed && listener->busy == 0) {
        hypha_url_unref(listener->base.url);
        hy_free(listener);
    }
}

static void listener_close(struct hy_listener *base)
{
    struct unix_listener *listener = (struct unix_listener *)base;
    struct stat now;

    hy_defer_stop(&listener->tell);
    hy_poll_destroy(listener->poll);
    listener->poll = NULL;
    if (listener->bound && lstat(listener->address.sun_path, &now) == 0 &&
        now.st_dev == listener->device && now.st_ino == listener->inode)
        (void)unlink(listener->address.sun_path);
    if (listener->fd >= 0)
        (void)close(listener->fd);
    listener->fd = -1;
    listener->closed = true;
    listener_free_if_idle(listener);
}

static const struct hy_listener_ops listener_ops = {
    .pause = listener_pause,
    .resume = listener_resume,
    .close = listener_close,
};

static void listener_on_poll(void *user, unsigned events)
{
    struct unix_listener *listener = user;
    struct unix_stream *stream = NULL;

    (void)events;
    int fd = accept4(listener->fd, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);
    listener->busy++;
    if (fd >= 0) {
        if (stream_create(listener->loop, fd, HYPHA_OK, &stream) == HYPHA_OK)
            listener->base.events->on_accept(
                &listener->base, &stream->base, listener->base.url, listener->base.user);
    } else if (errno == EBADF || errno == EINVAL) {
        (void)hy_poll_update(listener->poll, 0);
        listener->base.events->on_end(&listener->base, HYPHA_ERR_SYSTEM, listener->base.user);
    }
    listener->busy--;
    listener_free_if_idle(listener);
}

static void listener_on_tell(void *user)
{
    struct unix_listener *listener = user;

    if (listener->err != HYPHA_OK) {
        listener->cb(listener->cb_user, listener->err, NULL);
        listener_close(&listener->base);
        return;
    }
    listener->busy++;
    listener->cb(listener->cb_user, HYPHA_OK, &listener->base);
    listener->busy--;
    listener_free_if_idle(listener);
}

/* A socket file at which nobody answers may go. */
static bool is_stale(const struct sockaddr_un *address)
{
    struct stat there;

    if (lstat(address->sun_path, &there) != 0 || !S_ISSOCK(there.st_mode))
        return false;
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (fd < 0)
        return false;
    bool refused = connect(fd, (const struct sockaddr *)address, sizeof *address) != 0 &&
        errno == ECONNREFUSED;
    (void)close(fd);
    return refused;
}

static enum hypha_err listener_bind(struct unix_listener *listener)
{
    const struct sockaddr *address = (const struct sockaddr *)&listener->address;
    struct stat made;

    listener->fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    /* Linux gives the file the mode of the unbound socket: no moment in which others may enter. */
    if (listener->fd < 0 || fchmod(listener->fd, 0600) != 0)
        return err_of_errno(errno);
    if (bind(listener->fd, address, sizeof listener->address) != 0) {
        if (errno != EADDRINUSE || !is_stale(&listener->address))
            return err_of_errno(errno == ENOENT ? EADDRNOTAVAIL : errno);
        if (unlink(listener->address.sun_path) != 0 ||
            bind(listener->fd, address, sizeof listener->address) != 0)
            return err_of_errno(errno);
    }
    if (lstat(listener->address.sun_path, &made) != 0)
        return err_of_errno(errno);
    listener->device = made.st_dev;
    listener->inode = made.st_ino;
    listener->bound = true;
    if ((made.st_mode & 0777) != 0600 && chmod(listener->address.sun_path, 0600) != 0)
        return err_of_errno(errno);
    return listen(listener->fd, UNIX_BACKLOG) == 0 ? HYPHA_OK : err_of_errno(errno);
}

static enum hypha_err unix_listen(struct hy_transport *transport, const struct hypha_url *url,
    const struct hy_listener_events *events, void *user, hy_listen_cb cb, void **ret_request)
{
    struct unix_listener *listener = hy_alloc(sizeof *listener);
    enum hypha_err err;

    if (listener == NULL)
        return HYPHA_ERR_NOMEM;
    listener->base = (struct hy_listener){ .ops = &listener_ops,
        .events = events,
        .user = user,
        .url = hypha_url_ref((struct hypha_url *)(uintptr_t)url) };
    listener->loop = transport->loop;
    listener->cb = cb;
    listener->cb_user = user;
    listener->fd = -1;
    hy_defer_init(&listener->tell, transport->loop, listener_on_tell, listener);
    err = address_of_url(url, &listener->address);
    if (err != HYPHA_OK) {
        listener_close(&listener->base);
        return err;
    }
    listener->err = listener_bind(listener);
    if (listener->err == HYPHA_OK)
        listener->err = hy_poll_create(
            transport->loop, listener->fd, HY_POLL_IN, listener_on_poll, listener, &listener->poll);
    hy_defer_start(&listener->tell);
    *ret_request = listener;
    return HYPHA_OK;
}

static void unix_listen_cancel(struct hy_transport *transport, void *request)
{
    struct unix_listener *listener = request;

    (void)transport;
    listener_close(&listener->base);
}

static void unix_destroy(struct hy_transport *transport)
{
    hy_free(transport);
}

static const struct hy_transport_ops unix_ops = {
    .dial = unix_dial,
    .listen = unix_listen,
    .listen_cancel = unix_listen_cancel,
    .destroy = unix_destroy,
};

enum hypha_err hy_transport_unix_create(
    struct hypha_loop *loop, struct hy_transport **ret_transport)
{
    struct hy_transport *transport = hy_alloc(sizeof *transport);

    if (transport == NULL)
        return HYPHA_ERR_NOMEM;
    *transport = (struct hy_transport){ .ops = &unix_ops, .loop = loop, .scheme = "unix" };
    *ret_transport = transport;
    return HYPHA_OK;
}
