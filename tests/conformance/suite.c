/* tests/conformance/suite.c - what every transport must pass.
 *
 * spec: transports.md 12: echo; 16 MiB both ways at once; half close; peer killed, silent, or we
 * stop, in each dial state; port in use; 1000 dials leak no descriptor; a silent client blocks
 * no other. And the contract of transport.h, which world.c checks all along. */
#include "conformance/suite.h"

#include "base/alloc.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define MIB (1024 * 1024)

static const struct factory *suite_factory;

static int setup(void **state)
{
    return world_setup(state, suite_factory);
}

struct hypha_url *url_of_port(const struct world *world, uint16_t port)
{
    struct hypha_url *url = NULL, *with_port = NULL;

    assert_int_equal(hypha_url_parse_text(world->factory->listen_url, &url), HYPHA_OK);
    char text[128];
    (void)snprintf(text, sizeof text, "%s://%s:%u", hypha_url_scheme(url), hypha_url_host(url),
        (unsigned)port);
    assert_int_equal(hypha_url_parse_text(text, &with_port), HYPHA_OK);
    hypha_url_unref(url);
    return with_port;
}

static bool pair_is_up(void *user)
{
    struct pair *pair = user;

    return pair->near->ready && pair->door.count > 0 && pair->door.accepted[0]->ready;
}

void pair_open(struct pair *pair, struct world *world)
{
    memset(pair, 0, sizeof *pair);
    door_listen(&pair->door, world);
    pair->near = end_dial(world, pair->door.listener->url);
    world_until(world, pair_is_up, pair);
    pair->far = pair->door.accepted[0];
}

void pair_close(struct pair *pair)
{
    end_free(pair->near);
    door_close(&pair->door);
}

static bool near_has_all(void *user)
{
    const struct pair *pair = user;

    return pair->near->read_bytes >= pair->near->to_write;
}

static bool has_exchanged(void *user)
{
    const struct pair *pair = user;

    return pair->near->read_bytes >= pair->far->to_write &&
        pair->far->read_bytes >= pair->near->to_write;
}

static bool far_has_ended(void *user)
{
    return ((struct pair *)user)->far->ended;
}

/* ---- bytes ---- */

static void test_echo(void **state)
{
    struct pair pair;

    pair_open(&pair, *state);
    pair.far->echo = true;
    end_read(pair.far, true);
    end_read(pair.near, true);
    for (unsigned n = 1; n < 100 * 1000; n = n * 3 + 1) {
        pair.near->to_write += n;
        end_pump(pair.near);
        world_until(*state, near_has_all, &pair);
    }
    assert_false(pair.near->wrong_bytes);
    assert_int_equal(hy_stream_pending(pair.near->stream), 0);
    pair_close(&pair);
}

static void test_both_ways_at_once(void **state)
{
    struct pair pair;

    pair_open(&pair, *state);
    uint64_t bytes = is_under_valgrind() ? MIB : 16 * MIB;

    pair.near->to_write = pair.far->to_write = bytes;
    pair.near->write_seed = pair.far->read_seed = 1;
    pair.far->write_seed = pair.near->read_seed = 2;
    end_read(pair.near, true);
    end_read(pair.far, true);
    end_pump(pair.near);
    end_pump(pair.far);
    world_until(*state, has_exchanged, &pair);
    assert_false(pair.near->wrong_bytes);
    assert_false(pair.far->wrong_bytes);
    assert_int_equal(pair.near->read_bytes, bytes);
    assert_int_equal(pair.far->read_bytes, bytes);
    pair_close(&pair);
}

/* Nobody reads: the writer is told to wait, and goes on when somebody does. */
static void test_backpressure(void **state)
{
    struct pair pair;

    pair_open(&pair, *state);
    pair.near->to_write = 64 * MIB;
    end_pump(pair.near);
    world_for(*state, 50);
    assert_true(pair.near->written < pair.near->to_write);
    uint64_t taken = pair.near->written;

    end_pump(pair.near);
    end_pump(pair.near);
    assert_int_equal(pair.near->written, taken);
    assert_int_equal(pair.far->read_bytes, 0);
    unsigned writables = pair.near->writables;

    pair.near->to_write = taken + MIB;
    end_read(pair.far, true);
    world_until(*state, has_exchanged, &pair);
    assert_true(pair.near->writables > writables);
    assert_false(pair.far->wrong_bytes);
    pair_close(&pair);
}

struct sink {
    struct end *end;
    uint64_t bytes;
};

static bool sink_is_full(void *user)
{
    const struct sink *sink = user;

    return sink->end->read_bytes >= sink->bytes;
}

/* Reading stops from inside a callback and between them; not a byte is lost or comes meanwhile. */
static void test_reading_pauses(void **state)
{
    struct pair pair;

    pair_open(&pair, *state);
    pair.near->to_write = 3 * MIB;
    end_pump(pair.near);
    for (uint64_t goal = 1; pair.far->read_bytes < pair.near->to_write; goal += MIB / 2) {
        struct sink sink = { pair.far, goal < 3 * MIB ? goal : 3 * MIB };

        end_read(pair.far, true);
        world_until(*state, sink_is_full, &sink);
        end_read(pair.far, false);
        uint64_t before = pair.far->read_bytes;

        world_for(*state, 5);
        assert_int_equal(pair.far->read_bytes, before);
    }
    assert_false(pair.far->wrong_bytes);
    pair_close(&pair);
}

/* ---- ends ---- */

static void test_peer_closes(void **state)
{
    struct pair pair;

    pair_open(&pair, *state);
    end_read(pair.far, true);
    end_close(pair.near);
    world_until(*state, far_has_ended, &pair);
    assert_int_equal(pair.far->why, HYPHA_ERR_EOF);
    assert_int_equal(pair.far->read_bytes, 0);
    pair_close(&pair);
}

static bool near_has_written(void *user)
{
    const struct pair *pair = user;

    return pair->near->written == pair->near->to_write &&
        hy_stream_pending(pair->near->stream) == 0;
}

/* What was written before the close arrives before the EOF, though the reader wakes up late. */
static void test_eof_comes_after_data(void **state)
{
    struct pair pair;

    pair_open(&pair, *state);
    pair.near->to_write = 20 * 1000;
    end_pump(pair.near);
    world_until(*state, near_has_written, &pair);
    end_close(pair.near);
    world_for(*state, 20);
    assert_int_equal(pair.far->read_bytes, 0);
    assert_false(pair.far->ended);
    end_read(pair.far, true);
    world_until(*state, far_has_ended, &pair);
    assert_int_equal(pair.far->why, HYPHA_ERR_EOF);
    assert_int_equal(pair.far->read_bytes, 20 * 1000);
    assert_false(pair.far->wrong_bytes);
    pair_close(&pair);
}

/* The reader pauses in the middle, the peer goes, the reader wakes up. */
static void test_eof_comes_after_a_pause(void **state)
{
    struct pair pair;
    struct sink sink;

    pair_open(&pair, *state);
    pair.near->to_write = 90 * 1000;
    end_pump(pair.near);
    end_read(pair.far, true);
    sink = (struct sink){ pair.far, 1 };
    world_until(*state, sink_is_full, &sink);
    end_read(pair.far, false);
    world_until(*state, near_has_written, &pair);
    end_close(pair.near);
    world_for(*state, 20);
    assert_false(pair.far->ended);
    end_read(pair.far, true);
    world_until(*state, far_has_ended, &pair);
    assert_int_equal(pair.far->why, HYPHA_ERR_EOF);
    assert_int_equal(pair.far->read_bytes, 90 * 1000);
    assert_false(pair.far->wrong_bytes);
    pair_close(&pair);
}

static void test_writing_to_a_peer_that_went(void **state)
{
    struct pair pair;

    pair_open(&pair, *state);
    end_close(pair.near);
    world_for(*state, 20);
    pair.far->to_write = 64 * MIB;
    end_pump(pair.far);
    world_for(*state, 20);
    if (!pair.far->ended) { /* the first write may still be taken */
        pair.far->written = 0;
        end_pump(pair.far);
    }
    world_until(*state, end_is_ended, pair.far);
    assert_int_equal(hy_stream_write(pair.far->stream, &(struct iovec){ "x", 1 }, 1), 0);
    pair_close(&pair);
}

static bool is_refusal(enum hypha_err why)
{
    return why == HYPHA_ERR_REFUSED;
}

static void test_refused(void **state)
{
    struct world *world = *state;
    struct door door;

    door_listen(&door, world);
    struct hypha_url *url = hypha_url_ref(door.listener->url);

    door_close(&door);
    world_for(world, 5);
    struct end *end = end_dial(world, url);

    world_until(world, end_is_done, end);
    assert_false(end->ready);
    assert_true(is_refusal(end->why));
    end_free(end);
    hypha_url_unref(url);
}

/* ---- listening ---- */

static void test_real_port_and_peer_url(void **state)
{
    struct pair pair;
    struct hypha_url *peer = NULL;

    pair_open(&pair, *state);
    struct hypha_url *url = pair.door.listener->url;

    assert_true(hypha_url_port(url) != 0);
    assert_int_equal(hypha_url_parse_text(pair.door.peer, &peer), HYPHA_OK);
    assert_string_equal(hypha_url_scheme(peer), hypha_url_scheme(url));
    assert_true(hypha_url_port(peer) != 0);
    assert_string_equal(hypha_url_path(peer), "/");
    hypha_url_unref(peer);
    pair_close(&pair);
}

static void test_port_in_use(void **state)
{
    struct world *world = *state;
    struct door door, second;

    door_listen(&door, world);
    door_open(&second, world, hypha_url_text(door.listener->url));
    assert_int_equal(second.err, HYPHA_OK);
    world_until(world, door_is_answered, &second);
    assert_int_equal(second.err, HYPHA_ERR_ADDR_IN_USE);
    assert_null(second.listener);
    door_close(&door);
    /* Free again at once. */
    struct hypha_url *url = NULL;

    door_listen(&door, world);
    url = hypha_url_ref(door.listener->url);
    door_close(&door);
    world_for(world, 1);
    door_open(&second, world, hypha_url_text(url));
    world_until(world, door_is_answered, &second);
    assert_int_equal(second.err, HYPHA_OK);
    door_close(&second);
    hypha_url_unref(url);
}

static void test_listen_cancelled(void **state)
{
    struct world *world = *state;
    struct door door;

    door_open(&door, world, world->factory->listen_url);
    assert_int_equal(door.err, HYPHA_OK);
    world->transport->ops->listen_cancel(world->transport, door.request);
    world_for(world, 20);
    assert_false(door.answered);
}

static bool door_has_one(void *user)
{
    return ((struct door *)user)->count == 1;
}

static bool door_has_two(void *user)
{
    return ((struct door *)user)->count == 2;
}

/* Those who come meanwhile wait in the backlog. */
static void test_pause_and_resume(void **state)
{
    struct world *world = *state;
    struct door door;

    door_listen(&door, world);
    hy_listener_pause(door.listener);
    struct end *first = end_dial(world, door.listener->url);
    struct end *second = end_dial(world, door.listener->url);

    world_for(world, 50);
    assert_int_equal(door.count, 0);
    assert_false(first->ended || second->ended);
    hy_listener_resume(door.listener);
    world_until(world, door_has_two, &door);
    world_until(world, end_is_ready, first);
    world_until(world, end_is_ready, second);
    end_free(first);
    end_free(second);
    door_close(&door);
}

static void test_accepted_live_on(void **state)
{
    struct pair pair;

    pair_open(&pair, *state);
    hy_listener_close(pair.door.listener);
    pair.door.listener = NULL;
    end_read(pair.far, true);
    pair.near->to_write = 5000;
    end_pump(pair.near);
    world_until(*state, has_exchanged, &pair);
    pair_close(&pair);
}

/* ---- addresses ---- */

static enum hypha_err try_dial(struct world *world, const char *text)
{
    struct hypha_url *url = NULL;
    struct end end = { 0 };

    assert_int_equal(hypha_url_parse_text(text, &url), HYPHA_OK);
    enum hypha_err err = end_try_dial(world, url, &end);

    if (err == HYPHA_OK)
        end_close(&end);
    hypha_url_unref(url);
    return err;
}

/* spec: transports.md 1.3 */
static void test_bad_addresses(void **state)
{
    struct world *world = *state;
    char text[64];

    assert_int_equal(try_dial(world, "nym://127.0.0.1:1"), HYPHA_ERR_UNSUPPORTED_TRANSPORT);
    (void)snprintf(text, sizeof text, "%s://127.0.0.1/", world->transport->scheme);
    assert_int_equal(try_dial(world, text), HYPHA_ERR_BAD_ADDRESS);
    (void)snprintf(text, sizeof text, "%s://127.0.0.1:0/", world->transport->scheme);
    assert_int_equal(try_dial(world, text), HYPHA_ERR_BAD_ADDRESS);
}

static void test_names(void **state)
{
    struct world *world = *state;
    struct door door;

    if (world->factory->name_url == NULL)
        skip();
    door_open(&door, world, world->factory->name_url);
    assert_int_equal(door.err, HYPHA_OK);
    world_until(world, door_is_answered, &door);
    assert_int_equal(door.err, HYPHA_OK);
    assert_string_equal(hypha_url_host(door.listener->url), "localhost");
    struct end *end = end_dial(world, door.listener->url);

    world_until(world, end_is_ready, end);
    world_until(world, door_has_one, &door);
    end_free(end);
    end = end_dial(world, door.listener->url); /* and closed while the name is looked up */
    end_free(end);
    door_close(&door);
    door_open(&door, world, world->factory->name_url);
    world->transport->ops->listen_cancel(world->transport, door.request);
    world_for(world, 50);
    assert_false(door.answered);
}

static void test_name_unknown(void **state)
{
    struct world *world = *state;
    struct hypha_url *url = NULL;
    char text[64];

    if (world->factory->name_url == NULL)
        skip();
    (void)snprintf(text, sizeof text, "%s://nobody.invalid:1", world->transport->scheme);
    assert_int_equal(hypha_url_parse_text(text, &url), HYPHA_OK);
    struct end *end = end_dial(world, url);

    world_until(world, end_is_done, end);
    assert_false(end->ready);
    assert_int_equal(end->why, HYPHA_ERR_RESOLVE);
    end_free(end);
    hypha_url_unref(url);
}

/* ---- memory ---- */

static bool end_is_decided(void *user)
{
    const struct end *end = user;

    return end->ended || end->read_bytes > 0;
}

/* The nth request fails, for every n that is reached: an error or success, no leak, no crash. */
static void test_allocations_fail(void **state)
{
    struct world *world = *state;
    struct door door;
    bool through = false;

    door_listen(&door, world);
    for (size_t n = 0; n < 400 && !through; n++) {
        struct end end = { .auto_read = true, .to_write = 100 * 1000 };

        door.model = (struct end){ .echo = true };
        hy_alloc_fail_after(n);
        if (end_try_dial(world, door.listener->url, &end) == HYPHA_OK) {
            (void)world_within(world, end_is_decided, &end, is_under_valgrind() ? 2000 : 300);
            hy_alloc_fail_after(SIZE_MAX);
            through = !end.ended && end.ready && end.read_bytes > 0;
            assert_false(end.wrong_bytes);
            end_close(&end);
        }
        hy_alloc_fail_after(SIZE_MAX);
        for (size_t i = 0; i < door.count; i++)
            end_free(door.accepted[i]);
        door.count = 0;
        world_for(world, 1);
    }
    assert_true(through);
    door_close(&door);
}

static void test_allocations_fail_listening(void **state)
{
    struct world *world = *state;
    struct hypha_url *url = NULL;
    size_t failed = 0;

    assert_int_equal(hypha_url_parse_text(world->factory->listen_url, &url), HYPHA_OK);
    for (size_t n = 0; n < 40; n++) {
        struct door second;

        hy_alloc_fail_after(n);
        door_open_url(&second, world, url);
        if (second.err == HYPHA_OK)
            world_for(world, 2);
        hy_alloc_fail_after(SIZE_MAX);
        if (second.err == HYPHA_OK && !second.answered)
            world_until(world, door_is_answered, &second);
        failed += second.err == HYPHA_ERR_NOMEM;
        door_close(&second);
    }
    assert_true(failed > 0 && failed < 40);
    hypha_url_unref(url);
}

int suite_run(const struct factory *factory)
{
#define TEST(name) cmocka_unit_test_setup_teardown(test_##name, setup, world_teardown)
    const struct CMUnitTest every[] = { TEST(echo), TEST(both_ways_at_once), TEST(backpressure),
        TEST(reading_pauses), TEST(peer_closes), TEST(eof_comes_after_data),
        TEST(eof_comes_after_a_pause), TEST(writing_to_a_peer_that_went), TEST(refused),
        TEST(close_at_once), TEST(close_while_opening), TEST(close_in_ready), TEST(close_in_read),
        TEST(close_in_writable), TEST(close_in_end), TEST(close_in_accept),
        TEST(real_port_and_peer_url), TEST(port_in_use), TEST(listen_cancelled),
        TEST(pause_and_resume), TEST(accepted_live_on), TEST(bad_addresses), TEST(names),
        TEST(name_unknown), TEST(allocations_fail), TEST(allocations_fail_listening) };
    const struct CMUnitTest kernel[] = { TEST(silent_client_blocks_no_other),
        TEST(silent_server_can_be_closed), TEST(killed_while_shaking_hands),
        TEST(killed_when_ready), TEST(connect_without_answer_can_be_closed),
        TEST(thousand_dials_leak_nothing), TEST(last_bytes_arrive_against_the_stream),
        TEST(out_of_descriptors) };
#undef TEST

    suite_factory = factory;
    int failed = cmocka_run_group_tests_name(factory->name, every, NULL, NULL);

    if (factory->kernel)
        failed += cmocka_run_group_tests_name("with raw sockets", kernel, NULL, NULL);
    return failed;
}
