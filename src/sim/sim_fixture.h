/* sim/sim_fixture.h - for the tests of this room: three hosts, ends that remember what they were
 * told and when, listeners that keep what they accept. Each test program includes it once. */
#ifndef HY_SIM_SIM_FIXTURE_H
#define HY_SIM_SIM_FIXTURE_H

#include "sim/sim.h"

#include <setjmp.h>
#include <stdarg.h>
#include <string.h>
/* cmocka wants the above first */
#include <cmocka.h>

#define A "10.0.0.1"
#define B "10.0.0.2"
#define C "10.0.0.3"

static struct hy_sim *sim;
static struct hypha_loop *loop;
static struct hy_transport *transports[4]; /* A B C, and an IPv6 one */

/* 30 ms one way, nothing random. */
static struct hy_sim_link steady = {
    .latency_min_ms = 30, .latency_max_ms = 30, .buffer_bytes = 64 * 1024
};

static inline int set_up(void **state)
{
    static const char *const ips[] = { A, B, C, "2001:db8::1" };

    (void)state;
    if (hy_sim_create(1, &sim) != HYPHA_OK)
        return -1;
    loop = hy_sim_loop(sim);
    hy_sim_set_links(sim, &steady);
    for (size_t i = 0; i < 4; i++) {
        if (hy_sim_transport_create(sim, "tcp", ips[i], &transports[i]) != HYPHA_OK)
            return -1;
    }
    return 0;
}

static inline int tear_down(void **state)
{
    (void)state;
    bool clean = hy_sim_stream_count(sim) == 0 && hy_sim_listener_count(sim) == 0;

    for (size_t i = 0; i < 4; i++)
        hy_transport_destroy(transports[i]);
    hy_sim_destroy(sim);
    return clean ? 0 : -1;
}

static uint64_t elapsed_ms(void)
{
    return hy_now_ms(loop) - HY_SIM_START_MS;
}

/* ---- one end, which remembers what it was told and when ---- */

struct end {
    struct hy_stream *stream;
    bool is_ready;
    bool ended;
    enum hypha_err why;
    uint64_t ready_ms;
    uint64_t end_ms;
    uint64_t first_read_ms;
    uint64_t last_read_ms;
    size_t bytes;
    int reads;
    int writables;
    bool paused;
};

static inline void on_ready(struct hy_stream *stream, void *user)
{
    struct end *end = user;

    end->is_ready = true;
    end->ready_ms = elapsed_ms();
    if (!end->paused)
        hy_stream_read_start(stream);
}

static inline void on_read(struct hy_stream *stream, struct hypha_span bytes, void *user)
{
    struct end *end = user;

    (void)stream;
    assert_false(end->ended);
    assert_true(bytes.len > 0);
    if (end->reads++ == 0)
        end->first_read_ms = elapsed_ms();
    end->last_read_ms = elapsed_ms();
    end->bytes += bytes.len;
}

static inline void on_writable(struct hy_stream *stream, void *user)
{
    (void)stream;
    ((struct end *)user)->writables++;
}

static inline void on_end(struct hy_stream *stream, enum hypha_err why, void *user)
{
    struct end *end = user;

    (void)stream;
    assert_false(end->ended);
    end->ended = true;
    end->why = why;
    end->end_ms = elapsed_ms();
}

static const struct hy_stream_events end_events = { on_ready, on_read, on_writable, on_end };

static inline void end_close(struct end *end)
{
    hy_stream_close(end->stream);
    end->stream = NULL;
}

static inline struct hypha_url *url_of(const char *text)
{
    struct hypha_url *url = NULL;

    assert_int_equal(hypha_url_parse_text(text, &url), HYPHA_OK);
    return url;
}

static inline void dial(struct end *end, size_t from, const char *text)
{
    struct hypha_url *url = url_of(text);

    *end = (struct end){ 0 };
    assert_int_equal(transports[from]->ops->dial(transports[from], url, &end->stream), HYPHA_OK);
    hy_stream_set_events(end->stream, &end_events, end);
    hypha_url_unref(url);
}

/* Pseudo-text: what is in it does not matter here. Returns what was taken. */
static inline size_t send_bytes(struct end *end, size_t len)
{
    static uint8_t bytes[1024 * 1024];
    const struct iovec piece = { bytes, len };

    assert_true(len <= sizeof bytes);
    return hy_stream_write(end->stream, &piece, 1);
}

/* ---- one listener ---- */

#define MAX_ACCEPTED 4

struct door {
    struct hy_listener *listener;
    enum hypha_err err;
    bool answered;
    struct end ends[MAX_ACCEPTED];
    size_t count;
    char peer[64];
    bool paused_ends;
};

static inline void on_accept(
    struct hy_listener *listener, struct hy_stream *stream, struct hypha_url *peer, void *user)
{
    struct door *door = user;
    struct end *end = &door->ends[door->count++];

    (void)listener;
    *end = (struct end){ .stream = stream, .paused = door->paused_ends };
    hy_stream_set_events(stream, &end_events, end);
    strncpy(door->peer, hypha_url_text(peer), sizeof door->peer - 1);
}

static inline void on_listener_end(struct hy_listener *listener, enum hypha_err why, void *user)
{
    (void)listener;
    (void)why;
    (void)user;
    fail();
}

static const struct hy_listener_events door_events = { on_accept, on_listener_end };

static inline void on_listening(void *user, enum hypha_err err, struct hy_listener *listener)
{
    struct door *door = user;

    door->answered = true;
    door->err = err;
    door->listener = listener;
}

static inline enum hypha_err door_open(struct door *door, size_t at, const char *text)
{
    struct hypha_url *url = url_of(text);
    void *request = NULL;

    *door = (struct door){ 0 };
    assert_int_equal(transports[at]->ops->listen(
                         transports[at], url, &door_events, door, on_listening, &request),
        HYPHA_OK);
    hypha_url_unref(url);
    assert_false(door->answered);
    hy_sim_run_for(sim, 0);
    assert_true(door->answered);
    return door->err;
}

static inline void door_close(struct door *door)
{
    for (size_t i = 0; i < door->count; i++)
        end_close(&door->ends[i]);
    hy_listener_close(door->listener);
}

/* A dials B; both are ready. */
static inline void connect_two(struct door *door, struct end *end)
{
    assert_int_equal(door_open(door, 1, "tcp://" B ":9000"), HYPHA_OK);
    dial(end, 0, "tcp://" B ":9000");
    hy_sim_run_for(sim, 100);
    assert_true(end->is_ready);
    assert_int_equal(door->count, 1);
    assert_true(door->ends[0].is_ready);
}

#endif
