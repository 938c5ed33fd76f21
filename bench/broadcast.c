/* broadcast.c - one message of 1 kB to a hundred channels, again and again. */
#include "bench.h"

#include <poll.h>
#include <stdlib.h>
#include <unistd.h>

#define CHANNELS      100
#define MESSAGE_BYTES 1000

/* ---- the listening end, in a child: counts what arrives ---- */

struct ears {
    struct hypha_loop *loop;
    uint64_t left;
    int to;
};

static enum hypha_err hear(struct hypha_channel *channel, void *app, void *state,
    const struct hypha_message_type *type, const void *message)
{
    struct ears *ears = app;

    (void)channel;
    (void)state;
    (void)type;
    (void)message;
    if (--ears->left == 0)
        bench_tell(ears->to, "d", 1);
    return HYPHA_OK;
}

static const struct hypha_protocol hearing = {
    .name = "bench ears",
    .sessions = HYPHA_SESSIONS_DEFAULT,
    .messages = &bench_type,
    .message_count = 1,
    .on_message = hear,
};

static noreturn void run_ears(struct bench_child *child, const char *transport, uint64_t total)
{
    struct ears ears = { bench_loop(), total, child->to };
    uint16_t port;

    bench_hear(child->from, &port, sizeof port);
    for (size_t i = 0; i < CHANNELS; i++)
        (void)bench_dial(ears.loop, transport, port, &hearing, &ears);
    if (hypha_loop_run(ears.loop) != HYPHA_OK) /* until the bench ends this process */
        bench_die("loop");
    _exit(0);
}

/* ---- the speaking end ---- */

struct mouth {
    struct hypha_p2p *p2p;
    struct hypha_loop *loop;
    size_t up;
    uint64_t left; /* broadcasts */
    uint8_t bytes[MESSAGE_BYTES];
};

/* Speak while every queue is short, then let the loop turn. */
static void speak(void *user)
{
    struct mouth *mouth = user;
    const struct bench_message message = { { mouth->bytes, sizeof mouth->bytes } };

    for (size_t burst = 0; burst < 16 && mouth->left > 0; burst++) {
        size_t sent;

        if (hypha_p2p_broadcast(mouth->p2p, &bench_type, &message, &sent) != HYPHA_OK)
            bench_die("broadcast");
        if (sent != CHANNELS)
            bench_die("a broadcast reached %zu of %d", sent, CHANNELS);
        mouth->left--;
    }
    hypha_loop_stop(mouth->loop);
}

static void longest(struct hypha_channel *channel, void *user)
{
    size_t *most = user, queued = hypha_channel_queued_bytes(channel);

    if (queued > *most)
        *most = queued;
}

static void mouth_up(struct hypha_channel *channel, void *app, void *state)
{
    struct mouth *mouth = app;

    (void)channel;
    (void)state;
    if (++mouth->up == CHANNELS)
        hypha_loop_stop(mouth->loop);
}

static const struct hypha_protocol speaking = {
    .name = "bench mouth",
    .sessions = HYPHA_SESSIONS_DEFAULT,
    .messages = &bench_type,
    .message_count = 1,
    .on_start = mouth_up,
};

static void turn(struct hypha_loop *loop, void (*cb)(void *), void *user)
{
    if (hypha_loop_post(loop, cb, user) != HYPHA_OK || hypha_loop_run(loop) != HYPHA_OK)
        bench_die("loop");
}

static void only_stop(void *user)
{
    hypha_loop_stop(((struct mouth *)user)->loop);
}

static double hypha_seconds(const char *transport, uint64_t broadcasts)
{
    struct mouth mouth = { .left = broadcasts };
    struct bench_child child;
    struct pollfd done;
    uint16_t port;

    if (bench_fork(&child))
        run_ears(&child, transport, broadcasts * CHANNELS);
    mouth.loop = bench_loop();
    mouth.p2p = bench_serve(mouth.loop, transport, CHANNELS, &speaking, &mouth, &port);
    bench_tell(child.to, &port, sizeof port);
    if (hypha_loop_run(mouth.loop) != HYPHA_OK || mouth.up < CHANNELS)
        bench_die("only %zu channels came up", mouth.up);
    double start = bench_now();

    done = (struct pollfd){ .fd = child.from, .events = POLLIN };
    while (poll(&done, 1, 0) == 0) {
        size_t most = 0;

        hypha_p2p_each_channel(mouth.p2p, longest, &most);
        turn(mouth.loop, mouth.left > 0 && most < 256 * 1024 ? speak : only_stop, &mouth);
    }
    double seconds = bench_now() - start;

    bench_kill(&child);
    bench_stop(mouth.loop, &mouth.p2p, 1);
    hypha_loop_destroy(mouth.loop);
    return seconds;
}

/* The same with sockets: write the frame to each in turn; the child polls and reads them all. */
static noreturn void run_bare_ears(struct bench_child *child, uint16_t port, uint64_t total)
{
    static char buffer[256 * 1024];
    struct pollfd fds[CHANNELS];

    for (size_t i = 0; i < CHANNELS; i++)
        fds[i] = (struct pollfd){ .fd = bench_connect(port), .events = POLLIN };
    while (total > 0) {
        if (poll(fds, CHANNELS, -1) < 0)
            bench_die("poll");
        for (size_t i = 0; i < CHANNELS; i++) {
            ssize_t n = fds[i].revents != 0 ? read(fds[i].fd, buffer, sizeof buffer) : 0;

            total -= n > 0 ? (uint64_t)n : 0;
        }
    }
    bench_tell(child->to, "d", 1);
    _exit(0);
}

static double bare_seconds(uint64_t broadcasts)
{
    const size_t len = bench_frame_bytes(MESSAGE_BYTES);
    char bytes[MESSAGE_BYTES + 64] = { 0 };
    struct bench_child child;
    int fds[CHANNELS];
    uint16_t port;
    int listener = bench_listen(&port);
    char done;

    if (bench_fork(&child))
        run_bare_ears(&child, port, broadcasts * CHANNELS * len);
    for (size_t i = 0; i < CHANNELS; i++)
        fds[i] = bench_accept(listener);
    double start = bench_now();

    for (uint64_t n = 0; n < broadcasts; n++)
        for (size_t i = 0; i < CHANNELS; i++)
            bench_write(fds[i], bytes, len);
    bench_hear(child.from, &done, 1);
    double seconds = bench_now() - start;

    for (size_t i = 0; i < CHANNELS; i++)
        (void)close(fds[i]);
    (void)close(listener);
    bench_join(&child);
    return seconds;
}

void bench_broadcast(struct bench *bench)
{
    static const char *const transports[] = { "tcp", "tcp+tls" };
    const uint64_t broadcasts = bench->quick ? 200 : 5000;

    for (size_t t = 0; t < 2; t++) {
        double deliveries = (double)broadcasts * CHANNELS;

        bench_add(bench, "broadcast 1 kB to 100 channels", transports[t], "deliveries/s",
            deliveries / hypha_seconds(transports[t], broadcasts),
            deliveries / bare_seconds(broadcasts), false, "");
    }
}
