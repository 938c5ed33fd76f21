/* sim/sim_wire.c - a wire of memory: two ends, each a hy_stream, and the bytes between them.
 *
 * Every callback to an owner is the last thing its timer does, so an end may be closed, and the
 * wire freed, from inside any of them. */
#include "sim/sim_internal.h"

#include "base/alloc.h"

#include <assert.h>
#include <string.h>

#define SEGMENT_BYTES 16384U
#define MINUTE_MS     60000U

static const struct hy_stream_ops end_ops;

static struct hy_sim_end *end_of(struct hy_stream *stream)
{
    return (struct hy_sim_end *)(void *)stream;
}

static struct hy_sim_end *other_end(const struct hy_sim_end *end)
{
    struct hy_sim_wire *wire = end->wire;

    return end == &wire->ends[0] ? &wire->ends[1] : &wire->ends[0];
}

static bool has_owner(const struct hy_sim_end *end)
{
    return end->state == HY_SIM_END_CONNECTING || end->state == HY_SIM_END_OPENING ||
        end->state == HY_SIM_END_READY || end->state == HY_SIM_END_ENDED;
}

/* Nothing will ever be done with this end again. */
static bool is_over(const struct hy_sim_end *end)
{
    return end->state == HY_SIM_END_ABSENT || end->state == HY_SIM_END_GONE;
}

static uint64_t now_of(const struct hy_sim_end *end)
{
    return end->wire->sim->base.now_ms;
}

static bool is_through(const struct hy_sim_wire *wire)
{
    return hy_sim_reaches(wire->nodes[0], wire->nodes[1]);
}

/* ---- the end ---- */

static void on_fail(void *user)
{
    struct hy_sim_end *end = user;
    struct hy_stream *stream = &end->base;

    end->state = HY_SIM_END_ENDED;
    end->reading = false;
    hy_timer_stop(&end->step);
    hy_timer_stop(&end->deliver);
    hy_timer_stop(&end->fail);
    hy_sim_tell(end, HY_SIM_END, (struct hypha_span){ 0 }, end->why);
    stream->events->on_end(stream, end->why, stream->user);
}

void hy_sim_end_fail(struct hy_sim_end *end, enum hypha_err why, uint64_t delay_ms)
{
    uint64_t due_ms = now_of(end) + delay_ms;

    if (!has_owner(end) || end->state == HY_SIM_END_ENDED)
        return;
    if (hy_timer_is_armed(&end->fail) && end->fail.due_ms <= due_ms)
        return;
    end->why = why;
    hy_timer_start(&end->fail, delay_ms);
}

/* What was sent meets no owner any more. If even that can't get through, the FIN will. */
static void answer_reset(struct hy_sim_end *end)
{
    if (is_through(end->wire))
        hy_sim_end_fail(end, HYPHA_ERR_RESET, 2U * end->wire->latency_ms);
}

/* ---- arriving ---- */

static void drop_incoming(struct hy_sim_end *end)
{
    struct hy_sim_segment *segment;

    while ((segment = STAILQ_FIRST(&end->incoming)) != NULL) {
        STAILQ_REMOVE_HEAD(&end->incoming, entry);
        hy_free(segment);
    }
    end->incoming_bytes = 0;
}

/* Wait for what comes next, if its owner wants to know. */
static void await_incoming(struct hy_sim_end *end)
{
    const struct hy_sim_segment *first = STAILQ_FIRST(&end->incoming);
    uint64_t now_ms = now_of(end);

    if (end->state != HY_SIM_END_READY || !end->reading || hy_timer_is_armed(&end->deliver) ||
        (first == NULL && !end->fin))
        return;
    uint64_t due_ms = first != NULL ? first->due_ms : end->fin_due_ms;
    hy_timer_start(&end->deliver, due_ms > now_ms ? due_ms - now_ms : 0);
}

/* How many bytes one read gives: those due, or fewer, so that frames span reads. */
static size_t choose_read(const struct hy_sim_end *end)
{
    struct hy_sim *sim = end->wire->sim;
    const struct hy_sim_segment *segment;
    size_t due = 0;

    STAILQ_FOREACH (segment, &end->incoming, entry) {
        if (segment->due_ms > now_of(end) || due >= HY_LOOP_READ_BYTES)
            break;
        due += segment->len - segment->read;
    }
    if (due > HY_LOOP_READ_BYTES)
        due = HY_LOOP_READ_BYTES;
    if (due > 1 && hy_sim_rng_below(&sim->net_rng, 100) < end->wire->link.cut_percent)
        due = 1 + (size_t)hy_sim_rng_below(&sim->net_rng, due - 1);
    return due;
}

static void take_incoming(struct hy_sim_end *end, uint8_t *into, size_t len)
{
    end->incoming_bytes -= len;
    while (len > 0) {
        struct hy_sim_segment *segment = STAILQ_FIRST(&end->incoming);
        size_t left = segment->len - segment->read;
        size_t n = len < left ? len : left;

        memcpy(into, segment->bytes + segment->read, n);
        into += n;
        len -= n;
        segment->read += n;
        if (segment->read == segment->len) {
            STAILQ_REMOVE_HEAD(&end->incoming, entry);
            hy_free(segment);
        }
    }
}

/* The writer hears of the room one latency later, as of an acknowledgement. */
static void make_room(struct hy_sim_end *end)
{
    struct hy_sim_end *writer = other_end(end);

    if (writer->blocked && writer->state == HY_SIM_END_READY &&
        end->incoming_bytes <= end->wire->link.buffer_bytes / 2 &&
        !hy_timer_is_armed(&writer->step))
        hy_timer_start(&writer->step, end->wire->latency_ms);
}

static void on_deliver(void *user)
{
    struct hy_sim_end *end = user;
    struct hy_stream *stream = &end->base;

    if (!is_through(end->wire)) {
        hy_timer_start(&end->deliver, HY_SIM_RETRY_MS);
        return;
    }
    size_t len = choose_read(end);
    if (len == 0) {
        assert(end->fin && STAILQ_EMPTY(&end->incoming));
        end->why = HYPHA_ERR_EOF;
        on_fail(end);
        return;
    }
    struct hypha_span bytes = { hy_loop_read_buffer(&end->wire->sim->base), len };
    take_incoming(end, hy_loop_read_buffer(&end->wire->sim->base), len);
    make_room(end);
    await_incoming(end);
    hy_sim_tell(end, HY_SIM_BYTES, bytes, HYPHA_OK);
    stream->events->on_read(stream, bytes, stream->user);
}

/* ---- ready, writable ---- */

static void on_step(void *user)
{
    struct hy_sim_end *end = user;
    struct hy_stream *stream = &end->base;

    switch (end->state) {
    case HY_SIM_END_CONNECTING:
        hy_sim_syn_arrives(end->wire);
        return;
    case HY_SIM_END_OPENING:
        if (!is_through(end->wire)) {
            hy_timer_start(&end->step, HY_SIM_RETRY_MS);
            return;
        }
        end->state = HY_SIM_END_READY;
        hy_sim_tell(end, HY_SIM_READY, (struct hypha_span){ 0 }, HYPHA_OK);
        stream->events->on_ready(stream, stream->user);
        return;
    case HY_SIM_END_READY:
        end->blocked = false;
        stream->events->on_writable(stream, stream->user);
        return;
    case HY_SIM_END_ABSENT:
    case HY_SIM_END_BACKLOG:
    case HY_SIM_END_ENDED:
    case HY_SIM_END_GONE:
        assert(false);
    }
}

/* ---- what the owner calls ---- */

static void read_start(struct hy_stream *stream)
{
    struct hy_sim_end *end = end_of(stream);

    end->reading = true;
    await_incoming(end);
}

static void read_stop(struct hy_stream *stream)
{
    struct hy_sim_end *end = end_of(stream);

    end->reading = false;
    hy_timer_stop(&end->deliver);
}

/* When bytes written now arrive: bandwidth, then latency and jitter, never before earlier ones. */
static uint64_t arrival_of(struct hy_sim_end *to, size_t len)
{
    const struct hy_sim_wire *wire = to->wire;
    uint64_t sent_us = wire->sim->base.now_ms * 1000;

    if (wire->link.bandwidth > 0) {
        if (to->link_busy_us > sent_us)
            sent_us = to->link_busy_us;
        sent_us += len * UINT64_C(1000000) / wire->link.bandwidth;
        to->link_busy_us = sent_us;
    }
    uint64_t due_ms = (sent_us + 999) / 1000 + wire->latency_ms +
        hy_sim_rng_below(&wire->sim->net_rng, (uint64_t)wire->link.jitter_ms + 1);
    if (due_ms < to->last_due_ms)
        due_ms = to->last_due_ms;
    to->last_due_ms = due_ms;
    return due_ms;
}

/* One piece of the caller's, in segments; returns how much was taken. */
static size_t send_piece(struct hy_sim_end *to, const uint8_t *bytes, size_t len)
{
    size_t sent = 0;

    while (sent < len) {
        size_t n = len - sent < SEGMENT_BYTES ? len - sent : SEGMENT_BYTES;
        struct hy_sim_segment *segment = hy_alloc(sizeof *segment + n);

        if (segment == NULL) {
            hy_sim_end_fail(other_end(to), HYPHA_ERR_NOMEM, 0);
            break;
        }
        segment->len = n;
        segment->due_ms = arrival_of(to, n);
        memcpy(segment->bytes, bytes + sent, n);
        STAILQ_INSERT_TAIL(&to->incoming, segment, entry);
        to->incoming_bytes += n;
        sent += n;
    }
    return sent;
}

static size_t total_of(const struct iovec *pieces, size_t count)
{
    size_t total = 0;

    for (size_t i = 0; i < count; i++)
        total += pieces[i].iov_len;
    return total;
}

static size_t write_pieces(struct hy_stream *stream, const struct iovec *pieces, size_t count)
{
    struct hy_sim_end *end = end_of(stream);
    struct hy_sim_end *to = other_end(end);
    const struct hy_sim_wire *wire = end->wire;
    size_t total = total_of(pieces, count);

    if (end->state != HY_SIM_END_READY)
        return 0;
    if (wire->dead)
        return total;
    if (to->state == HY_SIM_END_GONE) {
        answer_reset(end);
        return total;
    }
    size_t room = wire->link.buffer_bytes > to->incoming_bytes
        ? wire->link.buffer_bytes - to->incoming_bytes
        : 0;
    size_t taken = 0;
    for (size_t i = 0; i < count && room > 0; i++) {
        size_t n = pieces[i].iov_len < room ? pieces[i].iov_len : room;
        size_t sent = send_piece(to, pieces[i].iov_base, n);

        taken += sent;
        room -= sent;
        if (sent < n)
            break;
    }
    end->blocked = taken < total;
    await_incoming(to);
    return taken;
}

static size_t pending(const struct hy_stream *stream)
{
    (void)stream; /* what was taken is on the wire */
    return 0;
}

static void close_end(struct hy_stream *stream)
{
    struct hy_sim_end *end = end_of(stream);
    struct hy_sim_end *to = other_end(end);
    struct hy_sim_wire *wire = end->wire;

    assert(has_owner(end));
    hy_sim_tell(end, HY_SIM_CLOSE, (struct hypha_span){ 0 }, HYPHA_OK);
    wire->sim->stream_count--;
    hy_sim_dial_destroy(wire); /* nothing, if it was answered */
    if (wire->established && !wire->dead && !to->fin) {
        to->fin = true;
        to->fin_due_ms = arrival_of(to, 0);
        await_incoming(to);
        if (end->incoming_bytes > 0)
            answer_reset(to);
    }
    hy_sim_end_gone(end);
}

static const struct hy_stream_ops end_ops = {
    .read_start = read_start,
    .read_stop = read_stop,
    .write = write_pieces,
    .pending = pending,
    .close = close_end,
};

/* ---- the wire ---- */

static void on_loss(void *user)
{
    struct hy_sim_wire *wire = user;

    if (hy_sim_rng_below(&wire->sim->net_rng, 1000000) >= wire->link.loss_ppm) {
        hy_timer_start(&wire->loss, MINUTE_MS);
        return;
    }
    hy_sim_wire_reset(wire);
}

static void end_init(struct hy_sim_end *end, struct hy_sim_wire *wire)
{
    struct hypha_loop *loop = &wire->sim->base;

    end->base.ops = &end_ops;
    end->wire = wire;
    STAILQ_INIT(&end->incoming);
    hy_timer_init(&end->step, loop, on_step, end);
    hy_timer_init(&end->deliver, loop, on_deliver, end);
    hy_timer_init(&end->fail, loop, on_fail, end);
}

struct hy_sim_wire *hy_sim_wire_create(struct hy_sim *sim, struct hy_sim_node *from)
{
    struct hy_sim_wire *wire = hy_alloc(sizeof *wire);

    if (wire == NULL)
        return NULL;
    wire->sim = sim;
    wire->id = ++sim->wire_count;
    wire->nodes[0] = from;
    wire->nodes[1] = from;
    wire->ports[0] = hy_sim_node_port(from);
    end_init(&wire->ends[0], wire);
    end_init(&wire->ends[1], wire);
    hy_timer_init(&wire->loss, &sim->base, on_loss, wire);
    LIST_INSERT_HEAD(&sim->wires, wire, entry);
    return wire;
}

/* The same two hosts always get the same share of the range, in whatever order they meet. */
static uint64_t distance_of(const struct hy_sim_wire *wire)
{
    uint64_t distance = wire->sim->seed;

    for (size_t i = 0; i < sizeof wire->target.bytes; i++) {
        uint64_t sum = (uint64_t)wire->nodes[0]->ip.bytes[i] + wire->nodes[1]->ip.bytes[i];
        uint64_t product = (uint64_t)wire->nodes[0]->ip.bytes[i] * wire->nodes[1]->ip.bytes[i];

        distance ^= sum << 32 | product;
        distance = hy_sim_mix(&distance);
    }
    return distance;
}

void hy_sim_wire_aim(struct hy_sim_wire *wire, struct hy_sim_node *node)
{
    wire->nodes[1] = node;
    wire->link = *hy_sim_link_between(wire->sim, &wire->nodes[0]->ip, &node->ip);
    if (node == wire->nodes[0]) {
        wire->link.latency_min_ms = wire->link.latency_max_ms = wire->link.jitter_ms = 0;
        wire->link.loss_ppm = 0;
    }
    uint64_t width = wire->link.latency_max_ms > wire->link.latency_min_ms
        ? wire->link.latency_max_ms - wire->link.latency_min_ms
        : 0;
    wire->latency_ms = wire->link.latency_min_ms + (uint32_t)(distance_of(wire) % (width + 1));
}

void hy_sim_wire_destroy(struct hy_sim_wire *wire)
{
    hy_sim_dial_destroy(wire);
    hy_sim_backlog_remove(wire);
    hy_timer_stop(&wire->loss);
    for (size_t i = 0; i < 2; i++) {
        hy_timer_stop(&wire->ends[i].step);
        hy_timer_stop(&wire->ends[i].deliver);
        hy_timer_stop(&wire->ends[i].fail);
        drop_incoming(&wire->ends[i]);
    }
    LIST_REMOVE(wire, entry);
    hy_free(wire);
}

void hy_sim_end_gone(struct hy_sim_end *end)
{
    hy_timer_stop(&end->step);
    hy_timer_stop(&end->deliver);
    hy_timer_stop(&end->fail);
    drop_incoming(end);
    end->state = HY_SIM_END_GONE;
    if (is_over(other_end(end)))
        hy_sim_wire_destroy(end->wire);
}

void hy_sim_wire_reset(struct hy_sim_wire *wire)
{
    wire->dead = true;
    hy_timer_stop(&wire->loss);
    for (size_t i = 0; i < 2; i++) {
        drop_incoming(&wire->ends[i]);
        hy_timer_stop(&wire->ends[i].deliver);
        wire->ends[i].fin = false;
        hy_sim_end_fail(&wire->ends[i], HYPHA_ERR_RESET, 0);
    }
    if (wire->ends[1].state == HY_SIM_END_BACKLOG) {
        hy_sim_backlog_remove(wire);
        hy_sim_end_gone(&wire->ends[1]);
    }
}
