/* transport/tcp_linger.c - a socket whose owner is gone and whose last bytes are on their way.
 *
 * close() with unread bytes in the receive buffer, and bytes that come in after it, make the
 * system answer with a reset, which throws away what it had still to send: a peer would find
 * our last frame cut off, and ban us. So while the peer has not acknowledged everything
 * (SIOCOUTQ) the socket stays open, for a second at most: its write side shut, what comes in
 * read and dropped up to a bound, and left unread after it. Once all is acknowledged the bytes
 * are in the peer's hands, and a reset harms nobody.
 *
 * A linger belongs to its transport, which ends all of them when it is destroyed. */
#include "transport/tcp.h"

#include "base/alloc.h"
#include <errno.h>
#include <linux/sockios.h>
#include <sys/ioctl.h>
#include <unistd.h>

#define LINGER_MAX         256
#define LINGER_MAX_MS      1000
#define LINGER_LOOK_MS     10 /* doubles */
#define LINGER_LOOK_MAX_MS 100
#define LINGER_MAX_BYTES   (1024 * 1024)

struct hy_tcp_linger {
    struct hy_tcp *tcp;
    int fd;
    struct hy_poll *poll;
    struct hy_timer look;
    uint64_t waited_ms, wait_ms;
    size_t dropped;
    LIST_ENTRY(hy_tcp_linger) entry;
};

static void linger_end(struct hy_tcp_linger *linger)
{
    struct hy_tcp *tcp = linger->tcp;

    LIST_REMOVE(linger, entry);
    tcp->linger_count--;
    hy_poll_destroy(linger->poll);
    hy_timer_stop(&linger->look);
    close(linger->fd);
    hy_free(linger);
    hy_tcp_unref(tcp);
}

static bool is_acknowledged(int fd)
{
    int unacknowledged = 0;

    return ioctl(fd, SIOCOUTQ, &unacknowledged) != 0 || unacknowledged == 0;
}

/* Read and drop what is there; false: nothing more will come. Not into the loop's buffer, whose
 * bytes somebody may be looking at just now. */
static bool drain(int fd, size_t *dropped)
{
    uint8_t into[16 * 1024];

    while (*dropped < LINGER_MAX_BYTES) {
        ssize_t got = recv(fd, into, sizeof into, 0);

        if (got <= 0)
            return got < 0 && (errno == EAGAIN || errno == EINTR);
        *dropped += (size_t)got;
    }
    return true;
}

static void on_poll(void *user, unsigned events)
{
    struct hy_tcp_linger *linger = user;

    (void)events;
    if (!drain(linger->fd, &linger->dropped) || is_acknowledged(linger->fd) ||
        (linger->dropped >= LINGER_MAX_BYTES && hy_poll_update(linger->poll, 0) != HYPHA_OK))
        linger_end(linger);
}

static void on_look(void *user)
{
    struct hy_tcp_linger *linger = user;

    linger->waited_ms += linger->wait_ms;
    if (linger->waited_ms >= LINGER_MAX_MS || is_acknowledged(linger->fd)) {
        linger_end(linger);
        return;
    }
    linger->wait_ms *= 2;
    if (linger->wait_ms > LINGER_LOOK_MAX_MS)
        linger->wait_ms = LINGER_LOOK_MAX_MS;
    if (linger->wait_ms > LINGER_MAX_MS - linger->waited_ms)
        linger->wait_ms = LINGER_MAX_MS - linger->waited_ms;
    hy_timer_start(&linger->look, linger->wait_ms);
}

void hy_tcp_linger(struct hy_tcp *tcp, int fd)
{
    struct hy_tcp_linger *linger = NULL;
    size_t dropped = 0;

    (void)drain(fd, &dropped);
    if (is_acknowledged(fd) || tcp->linger_count >= LINGER_MAX || shutdown(fd, SHUT_WR) != 0)
        goto fail;
    linger = hy_alloc(sizeof *linger);
    if (linger == NULL ||
        hy_poll_create(tcp->base.loop, fd, HY_POLL_IN, on_poll, linger, &linger->poll) != HYPHA_OK)
        goto fail;
    linger->tcp = hy_tcp_ref(tcp);
    linger->fd = fd;
    linger->dropped = dropped;
    linger->wait_ms = LINGER_LOOK_MS;
    hy_timer_init(&linger->look, tcp->base.loop, on_look, linger);
    hy_timer_start(&linger->look, linger->wait_ms);
    LIST_INSERT_HEAD(&tcp->lingers, linger, entry);
    tcp->linger_count++;
    return;

fail:
    hy_free(linger);
    close(fd);
}

void hy_tcp_linger_end_all(struct hy_tcp *tcp)
{
    struct hy_tcp_linger *linger;

    while ((linger = LIST_FIRST(&tcp->lingers)) != NULL) {
        /* What has come in meanwhile must not turn the close into a reset. */
        (void)drain(linger->fd, &linger->dropped);
        linger_end(linger);
    }
}
