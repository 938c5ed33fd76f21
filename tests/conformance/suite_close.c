/* tests/conformance/suite_close.c - closing in each state and from inside each callback: silence
 * follows, which world.c checks. */
#include "conformance/suite.h"

#define MIB (1024 * 1024)

void test_close_at_once(void **state)
{
    struct world *world = *state;
    struct door door;

    door_listen(&door, world);
    struct end *end = end_dial(world, door.listener->url);

    end_close(end);
    world_for(world, 20);
    assert_false(end->ready || end->ended);
    end_free(end);
    door_close(&door);
}

void test_close_while_opening(void **state)
{
    struct world *world = *state;
    struct door door;

    door_listen(&door, world);
    for (uint64_t ms = 0; ms < 8; ms++) {
        struct end *end = end_dial(world, door.listener->url);

        world_for(world, ms);
        end_close(end);
        world_for(world, 2);
        end_free(end);
    }
    door_close(&door);
    world_for(world, 5);
}

static bool pair_is_settled(void *user)
{
    const struct pair *pair = user;

    return (pair->near->closed || pair->near->ended) && (pair->far->closed || pair->far->ended);
}

static void close_inside(struct world *world, enum close_in place)
{
    struct pair pair;

    pair_open(&pair, world);
    pair.far->close_in = place;
    end_read(pair.far, true);
    end_read(pair.near, true);
    pair.near->to_write = 1000;
    pair.far->to_write = place == CLOSE_IN_WRITABLE ? 64 * MIB : 0;
    end_pump(pair.far);
    end_pump(pair.near);
    if (place == CLOSE_IN_END)
        end_close(pair.near);
    world_until(world, pair_is_settled, &pair);
    assert_true(pair.far->closed);
    world_for(world, 5);
    pair_close(&pair);
}

void test_close_in_read(void **state)
{
    close_inside(*state, CLOSE_IN_READ);
}

void test_close_in_writable(void **state)
{
    close_inside(*state, CLOSE_IN_WRITABLE);
}

void test_close_in_end(void **state)
{
    close_inside(*state, CLOSE_IN_END);
}

static bool is_closed(void *user)
{
    return ((struct end *)user)->closed;
}

void test_close_in_ready(void **state)
{
    struct world *world = *state;
    struct door door;

    door_listen(&door, world);
    door.model.close_in = CLOSE_IN_READY;
    struct end *end = end_dial(world, door.listener->url);

    end->close_in = CLOSE_IN_READY;
    world_until(world, is_closed, end);
    world_for(world, 20);
    assert_true(door.count <= 1);
    end_free(end);
    door_close(&door);
}

static bool door_is_shut(void *user)
{
    return ((struct door *)user)->listener == NULL;
}

void test_close_in_accept(void **state)
{
    struct world *world = *state;
    struct door door;

    door_listen(&door, world);
    door.close_in_accept = true;
    struct end *end = end_dial(world, door.listener->url);

    end->auto_read = true;
    world_until(world, door_is_shut, &door);
    world_until(world, end_is_ended, end);
    assert_int_equal(door.count, 1);
    end_free(end);
    door_close(&door);
}
