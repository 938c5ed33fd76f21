/* sim_repeat_test.c - the same seed gives the same run, to the byte; and runs of many hosts are
 * quick and small enough.
 *
 * The workload: every host listens; each dials others, writes, pauses, hangs up, dials again, as
 * chance has it, while the network cuts wires, splits and heals. */
#include "sim/sim.h"

#include "base/alloc.h"

#include <malloc.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
/* cmocka wants the above first */
#include <cmocka.h>

#define MAX_HOSTS 1000
#define MAX_DIALS 10

struct world;

/* One end of a wire; accepted ones are on the heap until they end. */
struct end {
    struct world *world;
    struct hy_stream *stream;
    bool accepted;
    LIST_ENTRY(end) entry;
};
LIST_HEAD(end_list, end);

struct host {
    struct world *world;
    char ip[16];
    struct hy_transport *transport;
    struct hy_listener *listener;
    struct hy_timer timer;
    struct end dials[MAX_DIALS];
    size_t next; /* which dial the timer sees to next */
};

struct world {
    struct hy_sim *sim;
    struct hypha_loop *loop;
    struct host hosts[MAX_HOSTS];
    size_t host_count;
    size_t dial_count; /* per host */
    uint64_t period_ms;
    bool calm; /* only ping: no pauses, no hanging up */
    struct end_list accepted;
    uint64_t pings;
};

static uint8_t zeros[4096];

static void end_over(struct end *end)
{
    hy_stream_close(end->stream);
    end->stream = NULL;
    if (end->accepted) {
        LIST_REMOVE(end, entry);
        free(end);
    }
}

static void on_ready(struct hy_stream *stream, void *user)
{
    (void)user;
    hy_stream_read_start(stream);
}

/* The acceptor answers as much as it got, when chance does not make it hang up or pause. */
static void on_read(struct hy_stream *stream, struct hypha_span bytes, void *user)
{
    struct end *end = user;
    struct world *world = end->world;
    const struct iovec piece = { zeros, bytes.len < sizeof zeros ? bytes.len : sizeof zeros };

    world->pings++;
    if (!end->accepted)
        return;
    if (!world->calm && hy_random_below(world->loop, 50) == 0) {
        end_over(end);
        return;
    }
    if (!world->calm && hy_random_below(world->loop, 50) == 0)
        hy_stream_read_stop(stream); /* for ever: the other side will be blocked */
    (void)hy_stream_write(stream, &piece, 1);
}

static void on_writable(struct hy_stream *stream, void *user)
{
    (void)stream;
    (void)user;
}

static void on_end(struct hy_stream *stream, enum hypha_err why, void *user)
{
    (void)stream;
    (void)why;
    end_over(user);
}

static const struct hy_stream_events end_events = { on_ready, on_read, on_writable, on_end };

static void on_accept(
    struct hy_listener *listener, struct hy_stream *stream, struct hypha_url *peer, void *user)
{
    struct host *host = user;
    struct end *end = calloc(1, sizeof *end);

    (void)listener;
    (void)peer;
    *end = (struct end){ .world = host->world, .stream = stream, .accepted = true };
    LIST_INSERT_HEAD(&host->world->accepted, end, entry);
    hy_stream_set_events(stream, &end_events, end);
}

static void on_listener_end(struct hy_listener *listener, enum hypha_err why, void *user)
{
    (void)listener;
    (void)why;
    (void)user;
}

static const struct hy_listener_events door_events = { on_accept, on_listener_end };

static void on_listening(void *user, enum hypha_err err, struct hy_listener *listener)
{
    assert_int_equal(err, HYPHA_OK);
    ((struct host *)user)->listener = listener;
}

static void dial_some(struct host *host, struct end *end)
{
    struct world *world = host->world;
    size_t to = (size_t)hy_random_below(world->loop, world->host_count);
    struct hypha_url *url = NULL;
    char text[64];

    (void)snprintf(text, sizeof text, "tcp://%s:9000", world->hosts[to].ip);
    assert_int_equal(hypha_url_parse_text(text, &url), HYPHA_OK);
    *end = (struct end){ .world = world };
    assert_int_equal(host->transport->ops->dial(host->transport, url, &end->stream), HYPHA_OK);
    hy_stream_set_events(end->stream, &end_events, end);
    hypha_url_unref(url);
}

static void stir(struct world *world)
{
    size_t a = (size_t)hy_random_below(world->loop, world->host_count);
    size_t b = (size_t)hy_random_below(world->loop, world->host_count);

    switch (hy_random_below(world->loop, 200)) {
    case 0:
        (void)hy_sim_cut(world->sim, world->hosts[a].ip, world->hosts[b].ip);
        break;
    case 1:
        assert_int_equal(hy_sim_set_group(world->sim, world->hosts[a].ip, 1), HYPHA_OK);
        break;
    case 2:
        hy_sim_heal(world->sim);
        break;
    default:
        break;
    }
}

/* One dial of a host: make it if it is gone, else write to it. */
static void on_period(void *user)
{
    struct host *host = user;
    struct world *world = host->world;
    struct end *end = &host->dials[host->next++ % world->dial_count];
    const struct iovec piece = { zeros,
        world->calm ? 24 : (size_t)hy_random_below(world->loop, sizeof zeros) };

    if (end->stream == NULL)
        dial_some(host, end);
    else if (!world->calm && hy_random_below(world->loop, 30) == 0)
        end_over(end);
    else
        (void)hy_stream_write(end->stream, &piece, 1);
    if (!world->calm)
        stir(world);
    hy_timer_start(&host->timer, hy_random_jitter(world->loop, world->period_ms, 20));
}

static void host_begin(struct world *world, size_t number)
{
    struct host *host = &world->hosts[number];
    struct hypha_url *url = NULL;
    void *request = NULL;

    *host = (struct host){ .world = world };
    (void)snprintf(host->ip, sizeof host->ip, "10.0.%u.%u", (unsigned)number / 250 % 250,
        (unsigned)number % 250 + 1);
    assert_int_equal(
        hy_sim_transport_create(world->sim, "tcp", host->ip, &host->transport), HYPHA_OK);
    assert_int_equal(hypha_url_parse_text("tcp://0.0.0.0:9000", &url), HYPHA_OK);
    assert_int_equal(host->transport->ops->listen(
                         host->transport, url, &door_events, host, on_listening, &request),
        HYPHA_OK);
    hypha_url_unref(url);
    hy_timer_init(&host->timer, world->loop, on_period, host);
    hy_timer_start(&host->timer, hy_random_below(world->loop, world->period_ms));
}

static struct world *world_begin(
    uint64_t seed, size_t hosts, size_t dials, uint64_t period_ms, bool calm)
{
    struct world *world = calloc(1, sizeof *world);

    assert_int_equal(hy_sim_create(seed, &world->sim), HYPHA_OK);
    world->loop = hy_sim_loop(world->sim);
    world->host_count = hosts;
    world->dial_count = dials;
    world->period_ms = period_ms;
    world->calm = calm;
    LIST_INIT(&world->accepted);
    for (size_t i = 0; i < hosts; i++)
        host_begin(world, i);
    return world;
}

/* Stop everything cleanly: nothing is left on the network. */
static void world_end(struct world *world)
{
    for (size_t i = 0; i < world->host_count; i++) {
        struct host *host = &world->hosts[i];

        hy_timer_stop(&host->timer);
        for (size_t k = 0; k < world->dial_count; k++) {
            hy_stream_close(host->dials[k].stream);
        }
        hy_listener_close(host->listener);
        hy_transport_destroy(host->transport);
    }
    for (struct end *end = LIST_FIRST(&world->accepted); end != NULL;) {
        struct end *next = LIST_NEXT(end, entry);

        end_over(end);
        end = next;
    }
    assert_int_equal(hy_sim_stream_count(world->sim), 0);
    assert_int_equal(hy_sim_listener_count(world->sim), 0);
    hy_sim_destroy(world->sim);
    free(world);
}

static uint64_t hash_of_run(uint64_t seed, uint64_t *ret_bytes)
{
    struct world *world = world_begin(seed, 40, 4, 50, false);

    hy_sim_run_for(world->sim, 60000);
    uint64_t hash = hy_sim_trace_hash(world->sim);
    *ret_bytes = hy_sim_bytes_delivered(world->sim);
    world_end(world);
    return hash;
}

static void the_same_seed_gives_the_same_run(void **state)
{
    (void)state;
    for (uint64_t seed = 1; seed <= 3; seed++) {
        uint64_t bytes[2];
        uint64_t first = hash_of_run(seed, &bytes[0]);
        void *hole = malloc(12345); /* addresses must not matter */
        uint64_t second = hash_of_run(seed, &bytes[1]);

        free(hole);
        assert_true(bytes[0] > 10000000);
        assert_true(bytes[0] == bytes[1]);
        assert_true(first == second);
    }
}

static void another_seed_gives_another(void **state)
{
    uint64_t bytes;

    (void)state;
    assert_true(hash_of_run(1, &bytes) != hash_of_run(2, &bytes));
}

struct trace {
    uint64_t counts[HY_SIM_CLOSE + 1];
    uint64_t bytes;
    uint64_t last_ms;
};

static void on_event(void *user, const struct hy_sim_event *event)
{
    struct trace *trace = user;

    assert_true(event->at_ms >= trace->last_ms);
    trace->last_ms = event->at_ms;
    trace->counts[event->kind]++;
    trace->bytes += event->bytes.len;
}

static void the_trace_tells_all_that_happens(void **state)
{
    struct trace trace = { 0 };
    struct world *world = world_begin(9, 40, 4, 50, false);

    (void)state;
    hy_sim_set_trace(world->sim, on_event, &trace);
    hy_sim_run_for(world->sim, 60000);
    assert_true(trace.counts[HY_SIM_DIAL] > trace.counts[HY_SIM_ACCEPT]);
    assert_true(trace.counts[HY_SIM_READY] > trace.counts[HY_SIM_ACCEPT]);
    assert_true(trace.counts[HY_SIM_CLOSE] >= trace.counts[HY_SIM_END]);
    assert_int_equal(
        trace.counts[HY_SIM_DIAL] + trace.counts[HY_SIM_ACCEPT] - trace.counts[HY_SIM_CLOSE],
        hy_sim_stream_count(world->sim));
    assert_true(trace.bytes == hy_sim_bytes_delivered(world->sim));
    hy_sim_set_trace(world->sim, NULL, NULL);
    world_end(world);
}

/* Two hundred hosts with eight wires each; every wire is pinged every 20 s and answers. */
static void an_hour_of_two_hundred_hosts(void **state)
{
    struct world *world = world_begin(4, 200, 8, 2500, true);

    (void)state;
    hy_sim_run_for(world->sim, 3600000);
    assert_true(world->pings > 500000);
    assert_int_equal(hy_sim_stream_count(world->sim), 200 * 8 * 2);
    world_end(world);
}

static void a_thousand_hosts_with_ten_wires_are_small(void **state)
{
    struct mallinfo2 before = mallinfo2();
    struct world *world = world_begin(5, 1000, 10, 1000, true);

    (void)state;
    hy_sim_run_for(world->sim, 20000);
    struct mallinfo2 after = mallinfo2();
    assert_int_equal(hy_sim_stream_count(world->sim), 20000);
    /* Where malloc can be asked (it is another under a sanitizer): 2 KiB for each wire. */
    if (after.uordblks > before.uordblks)
        assert_true(after.uordblks - before.uordblks < 10000 * 2048U + sizeof *world);
    world_end(world);
}

/* Wherever memory runs out, nothing crashes, and a stop still leaves nothing. */
static void wires_survive_the_lack_of_memory(void **state)
{
    struct world *world = world_begin(6, 20, 4, 50, true);

    (void)state;
    hy_sim_run_for(world->sim, 1000);
    for (size_t n = 0; n < 200; n++) {
        /* The workload itself needs URLs: only the network's turn is starved. */
        for (size_t i = 0; i < world->host_count; i++)
            hy_timer_stop(&world->hosts[i].timer);
        hy_alloc_fail_after(n);
        hy_sim_run_for(world->sim, 100);
        hy_alloc_fail_after(SIZE_MAX);
        for (size_t i = 0; i < world->host_count; i++)
            hy_timer_start(&world->hosts[i].timer, i % 50);
        hy_sim_run_for(world->sim, 60);
    }
    world_end(world);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_same_seed_gives_the_same_run),
        cmocka_unit_test(another_seed_gives_another),
        cmocka_unit_test(the_trace_tells_all_that_happens),
        cmocka_unit_test(an_hour_of_two_hundred_hosts),
        cmocka_unit_test(a_thousand_hosts_with_ten_wires_are_small),
        cmocka_unit_test(wires_survive_the_lack_of_memory),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
