/* throughput.c - messages one way, as fast as the sender may. */
#include "bench.h"

#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

struct sender {
    struct hypha_span bytes;
    uint64_t left;
};

static void send_more(struct hypha_channel *channel, void *app, void *state)
{
    struct sender *sender = app;
    const struct bench_message message = { sender->bytes };

    (void)state;
    for (; sender->left > 0; sender->left--) {
        enum hypha_err err = hypha_channel_send(channel, &bench_type, &message);

        if (err == HYPHA_ERR_AGAIN)
            return;
        if (err != HYPHA_OK)
            bench_die("send: %s", hypha_err_text(err));
    }
}

static const struct hypha_protocol sending = {
    .name = "bench sender",
    .sessions = HYPHA_SESSIONS_DEFAULT,
    .messages = &bench_type,
    .message_count = 1,
    .on_start = send_more,
    .on_writable = send_more,
};

struct receiver {
    struct hypha_loop *loop;
    uint64_t left;
    double first, last;
};

static enum hypha_err count_message(struct hypha_channel *channel, void *app, void *state,
    const struct hypha_message_type *type, const void *message)
{
    struct receiver *receiver = app;

    (void)channel;
    (void)state;
    (void)type;
    (void)message;
    if (receiver->first == 0)
        receiver->first = bench_now();
    if (--receiver->left == 0) {
        receiver->last = bench_now();
        hypha_loop_stop(receiver->loop);
    }
    return HYPHA_OK;
}

/* struct hypha_protocol wants its message table to be the very one that is sent. */
static const struct hypha_protocol receiving = {
    .name = "bench receiver",
    .sessions = HYPHA_SESSIONS_DEFAULT,
    .messages = &bench_type,
    .message_count = 1,
    .on_message = count_message,
};

static noreturn void run_sender(
    struct bench_child *child, const char *transport, size_t len, uint64_t count)
{
    uint8_t *bytes = calloc(1, len);
    struct sender sender = { { bytes, len }, count };
    struct hypha_loop *loop = bench_loop();
    uint16_t port;

    bench_hear(child->from, &port, sizeof port);
    struct hypha_p2p *p2p = bench_dial(loop, transport, port, &sending, &sender);
    if (hypha_loop_run(loop) != HYPHA_OK) /* until the bench ends this process */
        bench_die("loop");
    (void)p2p;
    _exit(0);
}

/* Seconds for `count` messages of `len` bytes. */
static double one_way(const char *transport, size_t len, uint64_t count)
{
    struct bench_child child;
    uint16_t port;

    if (bench_fork(&child))
        run_sender(&child, transport, len, count);
    struct receiver receiver = { .loop = bench_loop(), .left = count };
    struct hypha_p2p *p2p = bench_serve(receiver.loop, transport, 8, &receiving, &receiver, &port);

    bench_tell(child.to, &port, sizeof port);
    if (hypha_loop_run(receiver.loop) != HYPHA_OK || receiver.left > 0)
        bench_die("the messages did not arrive");
    bench_kill(&child);
    bench_stop(receiver.loop, &p2p, 1);
    hypha_loop_destroy(receiver.loop);
    return receiver.last - receiver.first;
}

void bench_throughput(struct bench *bench)
{
    static const struct {
        size_t len;
        uint64_t count;
        const char *name, *target;
    } cases[] = {
        { 100, 4000000, "one way, 100 B", ">= 1 M messages/s" },
        { 1000, 1500000, "one way, 1 kB", ">= half of bare" },
        { 16000, 150000, "one way, 16 kB", ">= half of bare" },
    };
    static const char *const transports[] = { "tcp", "tcp+tls" };

    for (size_t t = 0; t < 2; t++) {
        for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
            uint64_t count = cases[i].count / (bench->quick ? 20 : 1) / (t == 0 ? 1 : 3);
            uint64_t bytes = count * bench_frame_bytes(cases[i].len);
            double seconds = one_way(transports[t], cases[i].len, count);
            double bare = bench_bare_one_way(bytes);

            bench_add(bench, cases[i].name, transports[t], "messages/s", (double)count / seconds,
                (double)count / bare, false, t == 0 ? cases[i].target : "");
            bench_add(bench, cases[i].name, transports[t], "MB/s", (double)bytes / seconds / 1e6,
                (double)bytes / bare / 1e6, false, "");
        }
    }
}
