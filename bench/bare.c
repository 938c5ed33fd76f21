/* bare.c - the yardstick: the same bytes through a plain blocking TCP socket. */
#include "bench.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#define BARE_WRITE_BYTES (16 * 1024)
#define BARE_READ_BYTES  (256 * 1024)

int bench_listen(uint16_t *ret_port)
{
    struct sockaddr_in addr = { .sin_family = AF_INET };
    socklen_t len = sizeof addr;
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

    addr.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    if (fd < 0 || bind(fd, (struct sockaddr *)&addr, sizeof addr) != 0 || listen(fd, 1024) != 0 ||
        getsockname(fd, (struct sockaddr *)&addr, &len) != 0)
        bench_die("listen: %s", strerror(errno));
    *ret_port = ntohs(addr.sin_port);
    return fd;
}

static void no_delay(int fd)
{
    int on = 1;

    (void)setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
}

int bench_accept(int listener)
{
    int fd = accept(listener, NULL, NULL);

    if (fd < 0)
        bench_die("accept: %s", strerror(errno));
    no_delay(fd);
    return fd;
}

int bench_connect(uint16_t port)
{
    struct sockaddr_in addr = { .sin_family = AF_INET, .sin_port = htons(port) };
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

    addr.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    if (fd < 0 || connect(fd, (struct sockaddr *)&addr, sizeof addr) != 0)
        bench_die("connect: %s", strerror(errno));
    no_delay(fd);
    return fd;
}

void bench_write(int fd, const void *bytes, size_t len)
{
    const char *at = bytes;

    while (len > 0) {
        ssize_t n = write(fd, at, len);

        if (n < 0 && errno == EINTR)
            continue;
        if (n <= 0)
            bench_die("write: %s", strerror(errno));
        at += n;
        len -= (size_t)n;
    }
}

void bench_read(int fd, void *bytes, size_t len)
{
    char *at = bytes;

    while (len > 0) {
        ssize_t n = read(fd, at, len);

        if (n < 0 && errno == EINTR)
            continue;
        if (n <= 0)
            bench_die("read: %s", n == 0 ? "the peer closed" : strerror(errno));
        at += n;
        len -= (size_t)n;
    }
}

double bench_bare_one_way(uint64_t total)
{
    struct bench_child child;
    uint16_t port;
    int listener = bench_listen(&port);
    char *buffer = calloc(1, BARE_READ_BYTES);

    if (buffer == NULL)
        bench_die("out of memory");
    if (bench_fork(&child)) {
        int fd = bench_connect(port);
        char ready;

        bench_hear(child.from, &ready, 1);
        for (uint64_t left = total; left > 0;) {
            size_t n = left < BARE_WRITE_BYTES ? (size_t)left : BARE_WRITE_BYTES;

            bench_write(fd, buffer, n);
            left -= n;
        }
        (void)close(fd);
        _exit(0);
    }
    int fd = bench_accept(listener);
    double start = bench_now();

    bench_tell(child.to, "g", 1);
    for (uint64_t left = total; left > 0;) {
        ssize_t n = read(fd, buffer, BARE_READ_BYTES);

        if (n <= 0)
            bench_die("bare read: %s", n == 0 ? "closed" : strerror(errno));
        left -= (uint64_t)n < left ? (uint64_t)n : left;
    }
    double seconds = bench_now() - start;

    (void)close(fd);
    (void)close(listener);
    free(buffer);
    bench_join(&child);
    return seconds;
}
