/* channels.c - a thousand channels: how long they take to come up, and what an idle one holds. */
#include "bench.h"

#include <malloc.h>
#include <stdlib.h>
#include <unistd.h>

struct counter {
    struct hypha_loop *loop;
    size_t wanted, up;
};

static void count_up(struct hypha_channel *channel, void *app, void *state)
{
    struct counter *counter = app;

    (void)channel;
    (void)state;
    if (++counter->up == counter->wanted)
        hypha_loop_stop(counter->loop);
}

/* No messages: it only counts channels whose handshake is done. */
static const struct hypha_protocol counting = {
    .name = "bench counter",
    .sessions = HYPHA_SESSIONS_DEFAULT,
    .on_start = count_up,
};

static size_t heap_bytes(void)
{
    struct mallinfo2 info = mallinfo2();

    return info.uordblks + info.hblkhd;
}

static noreturn void run_clients(struct bench_child *child, const char *transport, size_t count)
{
    struct hypha_loop *loop = bench_loop();
    uint16_t port;

    bench_hear(child->from, &port, sizeof port);
    for (size_t i = 0; i < count; i++)
        (void)bench_dial(loop, transport, port, NULL, NULL);
    if (hypha_loop_run(loop) != HYPHA_OK) /* until the bench ends this process */
        bench_die("loop");
    _exit(0);
}

/* Turn the loop for a moment, so that the first pings and addresses are over. */
static void settle(struct hypha_loop *loop, double seconds)
{
    double end = bench_now() + seconds;

    while (bench_now() < end) {
        if (hypha_loop_post(loop, (void (*)(void *))hypha_loop_stop, loop) != HYPHA_OK ||
            hypha_loop_run(loop) != HYPHA_OK)
            bench_die("loop");
        (void)usleep(1000);
    }
}

static double bare_seconds(size_t count)
{
    struct bench_child child;
    uint16_t port;
    int listener = bench_listen(&port);
    int *fds = calloc(count, sizeof *fds);

    if (fds == NULL)
        bench_die("out of memory");
    if (bench_fork(&child)) {
        char byte;

        for (size_t i = 0; i < count; i++)
            fds[i] = bench_connect(port);
        bench_hear(child.from, &byte, 1);
        _exit(0);
    }
    double start = bench_now();

    for (size_t i = 0; i < count; i++)
        fds[i] = bench_accept(listener);
    double seconds = bench_now() - start;

    bench_tell(child.to, "q", 1);
    for (size_t i = 0; i < count; i++)
        (void)close(fds[i]);
    (void)close(listener);
    free(fds);
    bench_join(&child);
    return seconds;
}

void bench_channels(struct bench *bench)
{
    static const char *const transports[] = { "tcp", "tcp+tls" };
    static const char *const targets[] = { "<= 8 KiB", "<= 20 KiB" };
    const size_t count = bench->quick ? 100 : 1000;

    for (size_t t = 0; t < 2; t++) {
        struct counter counter = { .wanted = count };
        struct bench_child child;
        uint16_t port;

        if (bench_fork(&child))
            run_clients(&child, transports[t], count);
        counter.loop = bench_loop();
        struct hypha_p2p *p2p = bench_serve(
            counter.loop, transports[t], (int64_t)count, &counting, &counter, &port);
        size_t before = heap_bytes();
        double start = bench_now();

        bench_tell(child.to, &port, sizeof port);
        if (hypha_loop_run(counter.loop) != HYPHA_OK || counter.up < count)
            bench_die("%zu of %zu channels came up", counter.up, count);
        double seconds = bench_now() - start;

        settle(counter.loop, bench->quick ? 0.2 : 1.5);
        bench_add(bench, count == 1000 ? "1,000 channels up" : "100 channels up", transports[t],
            "s", seconds, bare_seconds(count), true, "");
        bench_add(bench, "own memory of an idle channel", transports[t], "B",
            ((double)heap_bytes() - (double)before) / (double)count, 0, true, targets[t]);
        bench_kill(&child);
        bench_stop(counter.loop, &p2p, 1);
        hypha_loop_destroy(counter.loop);
    }
}
