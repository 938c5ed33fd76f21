/* tests/conformance/world.c - one loop, one transport, and streams that watch their contract. */
#include "conformance/world.h"

#include "base/alloc.h"
#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define GUARD_MS 20000

int world_setup(void **state, const struct factory *factory)
{
    struct world *world = calloc(1, sizeof *world);

    assert_non_null(world);
    world->factory = factory;
    factory->open(world);
    assert_non_null(world->loop);
    assert_non_null(world->transport);
    *state = world;
    return 0;
}

int world_teardown(void **state)
{
    struct world *world = *state;

    hy_alloc_fail_after(SIZE_MAX);
    world->factory->close(world);
    free(world);
    return 0;
}

static void on_guard(void *user)
{
    struct world *world = user;

    world->out_of_time = true;
    hypha_loop_stop(world->loop);
}

static void turn(struct world *world, condition is_met, void *user, uint64_t ms)
{
    struct hy_timer guard;

    world->out_of_time = false;
    hy_timer_init(&guard, world->loop, on_guard, world);
    hy_timer_start(&guard, ms);
    while (!world->out_of_time && !(is_met != NULL && is_met(user)))
        assert_int_equal(hypha_loop_run(world->loop), HYPHA_OK);
    hy_timer_stop(&guard);
}

void world_until(struct world *world, condition is_met, void *user)
{
    turn(world, is_met, user, is_under_valgrind() ? 10 * GUARD_MS : GUARD_MS);
    assert_false(world->out_of_time);
}

bool world_within(struct world *world, condition is_met, void *user, uint64_t ms)
{
    turn(world, is_met, user, ms);
    return is_met(user);
}

void world_for(struct world *world, uint64_t ms)
{
    turn(world, NULL, NULL, ms);
}

/* Every byte of a sequence is known from its place (a mixer of splitmix64 per 8 bytes). */
static uint64_t word_at(uint64_t seed, uint64_t index)
{
    uint64_t z = seed + index * 0x9e3779b97f4a7c15ULL;

    z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9ULL;
    z = (z ^ (z >> 27)) * 0x94d049bb133111ebULL;
    return z ^ (z >> 31);
}

uint8_t byte_at(uint64_t seed, uint64_t offset)
{
    return (uint8_t)(word_at(seed, offset / 8) >> (offset % 8 * 8));
}

/* ---- ends ---- */

static struct end *called(struct hy_stream *stream, void *user)
{
    struct end *end = user;

    assert_false(end->world->in_call); /* never from inside a call */
    assert_false(end->closed);         /* never after close */
    assert_false(end->ended);          /* on_end is the last */
    assert_ptr_equal(end->stream, stream);
    hypha_loop_stop(end->world->loop);
    return end;
}

static void on_ready(struct hy_stream *stream, void *user)
{
    struct end *end = called(stream, user);

    assert_false(end->ready);
    end->ready = true;
    if (end->close_in == CLOSE_IN_READY) {
        end_close(end);
        return;
    }
    if (end->auto_read || end->echo)
        end_read(end, true);
    end_pump(end);
}

static void on_read(struct hy_stream *stream, struct hypha_span bytes, void *user)
{
    struct end *end = called(stream, user);

    assert_true(end->ready);
    assert_true(bytes.len > 0);
    for (size_t i = 0; i < bytes.len; i++)
        if (bytes.at[i] != byte_at(end->read_seed, end->read_bytes + i))
            end->wrong_bytes = true;
    end->read_bytes += bytes.len;
    if (end->echo) {
        end->write_seed = end->read_seed;
        end->to_write = end->read_bytes;
        end_pump(end);
    }
    if (end->close_in == CLOSE_IN_READ ||
        (end->close_after > 0 && end->read_bytes >= end->close_after))
        end_close(end);
}

static void on_writable(struct hy_stream *stream, void *user)
{
    struct end *end = called(stream, user);

    assert_true(end->ready);
    end->writables++;
    if (end->close_in == CLOSE_IN_WRITABLE)
        end_close(end);
    else
        end_pump(end);
}

static void on_end(struct hy_stream *stream, enum hypha_err why, void *user)
{
    struct end *end = called(stream, user);

    assert_int_not_equal(why, HYPHA_OK);
    end->ended = true;
    end->why = why;
    if (end->close_in == CLOSE_IN_END)
        end_close(end);
}

static const struct hy_stream_events end_events = {
    .on_ready = on_ready,
    .on_read = on_read,
    .on_writable = on_writable,
    .on_end = on_end,
};

void end_adopt(struct end *end, struct world *world, struct hy_stream *stream)
{
    end->world = world;
    end->stream = stream;
    hy_stream_set_events(stream, &end_events, end);
}

enum hypha_err end_try_dial(struct world *world, const struct hypha_url *url, struct end *ret_end)
{
    struct hy_stream *stream = NULL;

    world->in_call = true;
    enum hypha_err err = world->transport->ops->dial(world->transport, url, &stream);
    world->in_call = false;
    if (err == HYPHA_OK)
        end_adopt(ret_end, world, stream);
    else
        assert_null(stream);
    return err;
}

struct end *end_dial(struct world *world, const struct hypha_url *url)
{
    struct end *end = calloc(1, sizeof *end);

    assert_non_null(end);
    assert_int_equal(end_try_dial(world, url, end), HYPHA_OK);
    return end;
}

void end_read(struct end *end, bool on)
{
    bool outer = end->world->in_call;

    end->world->in_call = true;
    if (on)
        hy_stream_read_start(end->stream);
    else
        hy_stream_read_stop(end->stream);
    end->world->in_call = outer;
}

/* In odd pieces, an empty one among them. */
static size_t write_some(struct end *end, uint64_t left)
{
    static uint8_t bytes[200 * 1000];
    size_t n = left < sizeof bytes ? (size_t)left : sizeof bytes;
    size_t first = n < 3 ? n : 3 + n / 7, second = (n - first) / 2;
    struct iovec pieces[] = { { bytes, first }, { bytes + first, 0 }, { bytes + first, second },
        { bytes + first + second, n - first - second } };

    for (size_t i = 0; i < n; i++)
        bytes[i] = byte_at(end->write_seed, end->written + i);
    bool outer = end->world->in_call;

    end->world->in_call = true;
    size_t taken = hy_stream_write(end->stream, pieces, 4);
    end->world->in_call = outer;
    assert_true(taken <= n);
    end->written += taken;
    return n - taken;
}

void end_pump(struct end *end)
{
    while (end->stream != NULL && end->written < end->to_write)
        if (write_some(end, end->to_write - end->written) > 0)
            break;
}

void end_close(struct end *end)
{
    struct hy_stream *stream = end->stream;
    bool outer = end->world->in_call;

    end->stream = NULL;
    end->closed = true;
    end->world->in_call = true;
    hy_stream_close(stream);
    end->world->in_call = outer;
}

void end_free(struct end *end)
{
    if (end == NULL)
        return;
    if (end->stream != NULL)
        end_close(end);
    free(end);
}

bool end_is_ready(void *user)
{
    return ((struct end *)user)->ready;
}

bool end_is_ended(void *user)
{
    return ((struct end *)user)->ended;
}

bool end_is_done(void *user)
{
    return end_is_ready(user) || end_is_ended(user);
}

/* ---- doors ---- */

static void on_accept(
    struct hy_listener *listener, struct hy_stream *stream, struct hypha_url *peer, void *user)
{
    struct door *door = user;
    struct end *end = calloc(1, sizeof *end);

    assert_non_null(end);
    assert_false(door->world->in_call);
    assert_ptr_equal(door->listener, listener);
    assert_true(door->count < MAX_ACCEPTED);
    *end = door->model;
    end_adopt(end, door->world, stream);
    door->accepted[door->count++] = end;
    (void)snprintf(door->peer, sizeof door->peer, "%s", hypha_url_text(peer));
    hypha_loop_stop(door->world->loop);
    if (door->close_in_accept) {
        end_close(end);
        door->listener = NULL;
        hy_listener_close(listener);
    }
}

static void on_door_end(struct hy_listener *listener, enum hypha_err why, void *user)
{
    struct door *door = user;

    (void)listener;
    assert_int_not_equal(why, HYPHA_OK);
    door->ended = true;
}

static const struct hy_listener_events door_events = {
    .on_accept = on_accept,
    .on_end = on_door_end,
};

static void on_listening(void *user, enum hypha_err err, struct hy_listener *listener)
{
    struct door *door = user;

    assert_false(door->world->in_call);
    assert_false(door->answered);
    assert_true((err == HYPHA_OK) == (listener != NULL));
    door->answered = true;
    door->request = NULL;
    door->err = err;
    door->listener = listener;
    hypha_loop_stop(door->world->loop);
}

void door_open_url(struct door *door, struct world *world, const struct hypha_url *url)
{
    memset(door, 0, sizeof *door);
    door->world = world;
    world->in_call = true;
    door->err = world->transport->ops->listen(
        world->transport, url, &door_events, door, on_listening, &door->request);
    world->in_call = false;
}

void door_open(struct door *door, struct world *world, const char *text)
{
    struct hypha_url *url = NULL;

    assert_int_equal(hypha_url_parse_text(text, &url), HYPHA_OK);
    door_open_url(door, world, url);
    hypha_url_unref(url);
}

void door_listen(struct door *door, struct world *world)
{
    door_open(door, world, world->factory->listen_url);
    assert_int_equal(door->err, HYPHA_OK);
    world_until(world, door_is_answered, door);
    assert_int_equal(door->err, HYPHA_OK);
    assert_non_null(door->listener);
}

void door_close(struct door *door)
{
    if (door->listener != NULL)
        hy_listener_close(door->listener);
    door->listener = NULL;
    for (size_t i = 0; i < door->count; i++)
        end_free(door->accepted[i]);
    door->count = 0;
}

bool door_is_answered(void *user)
{
    return ((struct door *)user)->answered;
}

bool is_under_valgrind(void)
{
    const char *preload = getenv("LD_PRELOAD");

    return preload != NULL && strstr(preload, "vgpreload") != NULL;
}

size_t count_descriptors(void)
{
    DIR *folder = opendir("/proc/self/fd");
    size_t count = 0;

    assert_non_null(folder);
    while (readdir(folder) != NULL)
        count++;
    closedir(folder);
    return count;
}
