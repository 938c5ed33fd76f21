/* latency.c - there and back: 100 bytes, one message under way at a time. */
#include "bench.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define MESSAGE_BYTES 100

struct pinger {
    struct hypha_loop *loop;
    uint8_t bytes[MESSAGE_BYTES];
    double *seconds;
    size_t count, done;
    double sent;
};

static void ping(struct hypha_channel *channel, struct pinger *pinger)
{
    const struct bench_message message = { { pinger->bytes, sizeof pinger->bytes } };

    pinger->sent = bench_now();
    if (hypha_channel_send(channel, &bench_type, &message) != HYPHA_OK)
        bench_die("send");
}

static void pinger_start(struct hypha_channel *channel, void *app, void *state)
{
    (void)state;
    ping(channel, app);
}

static enum hypha_err pinger_message(struct hypha_channel *channel, void *app, void *state,
    const struct hypha_message_type *type, const void *message)
{
    struct pinger *pinger = app;

    (void)state;
    (void)type;
    (void)message;
    pinger->seconds[pinger->done++] = bench_now() - pinger->sent;
    if (pinger->done < pinger->count)
        ping(channel, pinger);
    else
        hypha_loop_stop(pinger->loop);
    return HYPHA_OK;
}

static const struct hypha_protocol pinging = {
    .name = "bench pinger",
    .sessions = HYPHA_SESSIONS_DEFAULT,
    .messages = &bench_type,
    .message_count = 1,
    .on_start = pinger_start,
    .on_message = pinger_message,
};

static enum hypha_err echo_message(struct hypha_channel *channel, void *app, void *state,
    const struct hypha_message_type *type, const void *message)
{
    (void)app;
    (void)state;
    if (hypha_channel_send(channel, type, message) != HYPHA_OK)
        bench_die("echo");
    return HYPHA_OK;
}

static const struct hypha_protocol echoing = {
    .name = "bench echo",
    .sessions = HYPHA_SESSIONS_DEFAULT,
    .messages = &bench_type,
    .message_count = 1,
    .on_message = echo_message,
};

static noreturn void run_echo(struct bench_child *child, const char *transport)
{
    struct hypha_loop *loop = bench_loop();
    uint16_t port;

    bench_hear(child->from, &port, sizeof port);
    (void)bench_dial(loop, transport, port, &echoing, NULL);
    if (hypha_loop_run(loop) != HYPHA_OK) /* until the bench ends this process */
        bench_die("loop");
    _exit(0);
}

/* Fills pinger->seconds. */
static void hypha_round_trips(const char *transport, struct pinger *pinger)
{
    struct bench_child child;
    uint16_t port;

    if (bench_fork(&child))
        run_echo(&child, transport);
    pinger->loop = bench_loop();
    struct hypha_p2p *p2p = bench_serve(pinger->loop, transport, 8, &pinging, pinger, &port);

    bench_tell(child.to, &port, sizeof port);
    if (hypha_loop_run(pinger->loop) != HYPHA_OK || pinger->done < pinger->count)
        bench_die("the echo was lost");
    bench_kill(&child);
    bench_stop(pinger->loop, &p2p, 1);
    hypha_loop_destroy(pinger->loop);
}

static void bare_round_trips(double *seconds, size_t count)
{
    const size_t len = bench_frame_bytes(MESSAGE_BYTES);
    char bytes[256] = { 0 };
    struct bench_child child;
    uint16_t port;
    int listener = bench_listen(&port);

    if (bench_fork(&child)) {
        int fd = bench_connect(port);

        for (size_t i = 0; i < count; i++) {
            bench_read(fd, bytes, len);
            bench_write(fd, bytes, len);
        }
        _exit(0);
    }
    int fd = bench_accept(listener);

    for (size_t i = 0; i < count; i++) {
        double start = bench_now();

        bench_write(fd, bytes, len);
        bench_read(fd, bytes, len);
        seconds[i] = bench_now() - start;
    }
    (void)close(fd);
    (void)close(listener);
    bench_join(&child);
}

static int by_size(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;

    return x < y ? -1 : x > y;
}

static double percentile(const double *sorted, size_t count, unsigned percent)
{
    return sorted[(count - 1) * percent / 100];
}

void bench_latency(struct bench *bench)
{
    static const char *const transports[] = { "tcp", "tcp+tls" };
    const size_t count = bench->quick ? 500 : 20000;
    double *own = calloc(count, sizeof *own), *bare = calloc(count, sizeof *bare);

    if (own == NULL || bare == NULL)
        bench_die("out of memory");
    for (size_t t = 0; t < 2; t++) {
        struct pinger pinger = { .seconds = own, .count = count };

        hypha_round_trips(transports[t], &pinger);
        bare_round_trips(bare, count);
        qsort(own, count, sizeof *own, by_size);
        qsort(bare, count, sizeof *bare, by_size);
        bench_add(bench, "round trip 100 B, p50", transports[t], "us",
            percentile(own, count, 50) * 1e6, percentile(bare, count, 50) * 1e6, true, "");
        bench_add(bench, "round trip 100 B, p99", transports[t], "us",
            percentile(own, count, 99) * 1e6, percentile(bare, count, 99) * 1e6, true, "");
    }
    free(own);
    free(bare);
}
