/* discovery_test.c - peer discovery, round by round, by a clock of ours. spec: network.md 7.5 */
#include "session/discovery.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#define MIDDLE 0x80000000U /* chance without jitter */

struct world {
    struct hy_discovery discovery;
    struct hy_discovery_facts facts;
    bool timer;
};

static struct world fresh(void)
{
    return (struct world){ .facts = { .now_ms = 1000000,
                               .attempt_ms = 5000,
                               .chance = MIDDLE,
                               .asleep = true,
                               .seeds = true } };
}

static enum hy_discovery_action feed(struct world *world, enum hy_discovery_event event)
{
    struct hy_discovery_move move = hy_discovery_step(&world->discovery, event, &world->facts);

    if (move.action != HY_DISCOVERY_DO_NOTHING)
        world->timer = move.timer;
    return move.action;
}

static enum hy_discovery_action at_timer(struct world *world)
{
    assert_true(world->timer);
    assert_true(world->discovery.due_ms >= world->facts.now_ms);
    world->facts.now_ms = world->discovery.due_ms;
    return feed(world, HY_DISCOVERY_ON_TIMER);
}

static void start(struct world *world)
{
    assert_int_equal(feed(world, HY_DISCOVERY_ON_START), HY_DISCOVERY_DO_WAIT);
    assert_int_equal(world->discovery.state, HY_DISCOVERY_IDLE);
}

/* An empty node that starts asks its seeds in the same turn.
 * spec: network.md MUST 7.5-c: after seeding wait for the store up to 20 s */
static void empty_start_seeds_at_once(void **unused)
{
    struct world world = fresh();

    (void)unused;
    start(&world);
    assert_int_equal(feed(&world, HY_DISCOVERY_ON_WANTED), HY_DISCOVERY_DO_SEED);
    assert_int_equal(world.discovery.due_ms - world.facts.now_ms, 20000);
    assert_int_equal(feed(&world, HY_DISCOVERY_ON_WANTED), HY_DISCOVERY_DO_NOTHING);
}

/* spec: network.md MUST 7.5-e: 5 s doubling to 5 min */
static void dead_seeds_are_asked_ever_more_rarely(void **unused)
{
    static const uint64_t pauses[] = { 5000, 10000, 20000, 40000, 80000, 160000, 300000, 300000 };
    struct world world = fresh();
    uint64_t seeded_ms;

    (void)unused;
    start(&world);
    assert_int_equal(feed(&world, HY_DISCOVERY_ON_WANTED), HY_DISCOVERY_DO_SEED);
    for (size_t i = 0; i < sizeof(pauses) / sizeof(pauses[0]); i++) {
        enum hy_discovery_action action = HY_DISCOVERY_DO_NOTHING;

        seeded_ms = world.facts.now_ms;
        assert_int_equal(feed(&world, HY_DISCOVERY_ON_SEEDED), HY_DISCOVERY_DO_REST);
        while ((action = at_timer(&world)) == HY_DISCOVERY_DO_REST)
            assert_true(world.discovery.due_ms - world.facts.now_ms <= 5000); /* slots look again */
        assert_int_equal(action, HY_DISCOVERY_DO_SEED);
        assert_int_equal(world.facts.now_ms - seeded_ms, pauses[i]);
    }
}

/* spec: network.md MUST 7.5-e: with jitter */
static void jitter_moves_the_back_off(void **unused)
{
    (void)unused;
    for (unsigned i = 0; i < 2; i++) {
        struct world world = fresh();

        world.facts.chance = i == 0 ? 0 : UINT32_MAX;
        start(&world);
        assert_int_equal(feed(&world, HY_DISCOVERY_ON_WANTED), HY_DISCOVERY_DO_SEED);
        uint64_t pause = world.discovery.seeds.not_before_ms - world.facts.now_ms;
        assert_true(i == 0 ? pause == 3750 : pause > 6200 && pause <= 6250);
    }
}

/* Never below its first step.
 * spec: network.md MUST 7.5-e: reset by a connection */
static void a_connection_resets_the_back_off(void **unused)
{
    struct world world = fresh();

    (void)unused;
    start(&world);
    (void)feed(&world, HY_DISCOVERY_ON_WANTED);
    world.discovery.seeds.pause_ms = 160000;
    world.discovery.seeds.not_before_ms = world.facts.now_ms + 80000;
    (void)feed(&world, HY_DISCOVERY_ON_SEEDED);
    (void)feed(&world, HY_DISCOVERY_ON_PEER);
    assert_int_equal(world.discovery.seeds.pause_ms, 5000);
    assert_int_equal(world.discovery.seeds.not_before_ms - world.discovery.seeds.asked_ms, 5000);
}

/* Connected: getaddr; found something: a short rest; nothing twice: seeds. */
static void peers_are_asked_before_seeds(void **unused)
{
    struct world world = fresh();

    (void)unused;
    world.facts.connected = true;
    start(&world);
    assert_int_equal(feed(&world, HY_DISCOVERY_ON_WANTED), HY_DISCOVERY_DO_ASK);
    assert_int_equal(world.discovery.due_ms - world.facts.now_ms, 5000);
    assert_int_equal(feed(&world, HY_DISCOVERY_ON_FOUND), HY_DISCOVERY_DO_REST);
    assert_int_equal(world.discovery.failures, 0);
    for (unsigned fruitless = 1; fruitless <= 2; fruitless++) {
        assert_int_equal(at_timer(&world), HY_DISCOVERY_DO_ASK);
        assert_int_equal(at_timer(&world), HY_DISCOVERY_DO_REST);
        assert_int_equal(world.discovery.failures, fruitless);
    }
    assert_int_equal(at_timer(&world), HY_DISCOVERY_DO_SEED);
    assert_int_equal(world.discovery.failures, 0);
}

static void without_seeds_peers_are_asked_for_ever(void **unused)
{
    struct world world = fresh();

    (void)unused;
    world.facts.connected = true;
    world.facts.seeds = false;
    start(&world);
    (void)feed(&world, HY_DISCOVERY_ON_WANTED);
    for (unsigned i = 0; i < 20; i++) {
        assert_int_equal(world.discovery.state, HY_DISCOVERY_ASKING);
        assert_int_equal(at_timer(&world), HY_DISCOVERY_DO_REST);
        assert_int_equal(at_timer(&world), HY_DISCOVERY_DO_ASK);
    }
}

/* spec: network.md MUST 7.5-d: the slots are to try them */
static void untried_hosts_come_first(void **unused)
{
    struct world world = fresh();

    (void)unused;
    world.facts.untried = true;
    start(&world);
    assert_int_equal(feed(&world, HY_DISCOVERY_ON_WANTED), HY_DISCOVERY_DO_REST);
    assert_int_equal(at_timer(&world), HY_DISCOVERY_DO_REST);
    world.facts.untried = false;
    assert_int_equal(at_timer(&world), HY_DISCOVERY_DO_SEED);
}

/* Dials under way get one second of grace, once. */
static void dials_under_way_get_a_second(void **unused)
{
    struct world world = fresh();

    (void)unused;
    world.facts.dialing = true;
    start(&world);
    assert_int_equal(feed(&world, HY_DISCOVERY_ON_WANTED), HY_DISCOVERY_DO_REST);
    assert_int_equal(world.discovery.due_ms - world.facts.now_ms, 1000);
    assert_int_equal(at_timer(&world), HY_DISCOVERY_DO_SEED);
}

/* A peer that comes while a node rests for its seeds' sake: it can be asked soon. */
static void a_peer_shortens_the_rest(void **unused)
{
    struct world world = fresh();

    (void)unused;
    start(&world);
    (void)feed(&world, HY_DISCOVERY_ON_WANTED);
    (void)feed(&world, HY_DISCOVERY_ON_SEEDED);
    (void)at_timer(&world);
    assert_int_equal(world.discovery.state, HY_DISCOVERY_RESTING);
    world.facts.connected = true;
    (void)feed(&world, HY_DISCOVERY_ON_PEER);
    assert_true(world.discovery.due_ms - world.facts.now_ms <= 2000);
    assert_int_equal(at_timer(&world), HY_DISCOVERY_DO_ASK);
}

/* The operator replaced dead seeds: the new ones do not wait for the others' back-off. */
static void new_seeds_are_asked_at_once(void **unused)
{
    struct world world = fresh();

    (void)unused;
    start(&world);
    assert_int_equal(feed(&world, HY_DISCOVERY_ON_NEW_SEEDS), HY_DISCOVERY_DO_NOTHING);
    (void)feed(&world, HY_DISCOVERY_ON_WANTED);
    (void)feed(&world, HY_DISCOVERY_ON_SEEDED);
    world.discovery.seeds.pause_ms = 300000;
    world.discovery.seeds.not_before_ms = world.facts.now_ms + 280000;
    assert_int_equal(at_timer(&world), HY_DISCOVERY_DO_REST);
    assert_int_equal(feed(&world, HY_DISCOVERY_ON_NEW_SEEDS), HY_DISCOVERY_DO_REARM);
    assert_int_equal(world.discovery.due_ms, world.facts.now_ms);
    assert_int_equal(at_timer(&world), HY_DISCOVERY_DO_SEED);
    assert_int_equal(world.discovery.seeds.not_before_ms - world.facts.now_ms, 5000);
}

static void every_state_has_a_name(void **unused)
{
    (void)unused;
    for (unsigned state = 0; state < HY_DISCOVERY_STATES; state++)
        assert_string_not_equal(hy_discovery_state_name(state), "?");
    assert_string_equal(hy_discovery_state_name(HY_DISCOVERY_STATES), "?");
}

static void full_slots_need_no_discovery(void **unused)
{
    struct world world = fresh();

    (void)unused;
    start(&world);
    (void)feed(&world, HY_DISCOVERY_ON_WANTED);
    (void)feed(&world, HY_DISCOVERY_ON_FOUND);
    world.facts.asleep = false;
    assert_int_equal(at_timer(&world), HY_DISCOVERY_DO_WAIT);
    assert_int_equal(world.discovery.state, HY_DISCOVERY_IDLE);
    assert_false(world.timer);
}

/* In any state, STOP ends it and its timer; nothing moves a stopped one but START. */
static void stop_from_everywhere(void **unused)
{
    (void)unused;
    for (unsigned state = 0; state < HY_DISCOVERY_STATES; state++) {
        struct world world = fresh();

        world.discovery.state = state;
        world.timer = true;
        (void)feed(&world, HY_DISCOVERY_ON_STOP);
        assert_int_equal(world.discovery.state, HY_DISCOVERY_STOPPED);
        assert_false(world.timer);
        for (unsigned event = HY_DISCOVERY_ON_WANTED; event < HY_DISCOVERY_EVENTS; event++) {
            if (event != HY_DISCOVERY_ON_STOP)
                assert_int_equal(feed(&world, event), HY_DISCOVERY_DO_NOTHING);
        }
    }
}

/* Whatever happens in whatever order: a timer is armed wherever one must come. */
static void it_never_sleeps_for_ever(void **unused)
{
    uint64_t chance = 88172645463325252U;
    struct world world = fresh();

    (void)unused;
    start(&world);
    for (unsigned i = 0; i < 100000; i++) {
        chance ^= chance << 13;
        chance ^= chance >> 7;
        chance ^= chance << 17;
        world.facts.chance = (uint32_t)chance;
        world.facts.connected = (chance >> 33) % 2 != 0;
        world.facts.untried = (chance >> 34) % 4 == 0;
        world.facts.dialing = (chance >> 36) % 2 != 0;
        world.facts.asleep = (chance >> 37) % 4 != 0;
        unsigned event = HY_DISCOVERY_ON_WANTED + (unsigned)((chance >> 40) % 6);
        if (event == HY_DISCOVERY_ON_TIMER && world.timer)
            (void)at_timer(&world);
        else if (event != HY_DISCOVERY_ON_TIMER)
            (void)feed(&world, event);
        assert_int_equal(world.timer, world.discovery.state != HY_DISCOVERY_IDLE);
        if (world.timer)
            assert_true(world.discovery.due_ms <= world.facts.now_ms + 20000);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(empty_start_seeds_at_once),
        cmocka_unit_test(dead_seeds_are_asked_ever_more_rarely),
        cmocka_unit_test(jitter_moves_the_back_off),
        cmocka_unit_test(a_connection_resets_the_back_off),
        cmocka_unit_test(peers_are_asked_before_seeds),
        cmocka_unit_test(without_seeds_peers_are_asked_for_ever),
        cmocka_unit_test(untried_hosts_come_first),
        cmocka_unit_test(dials_under_way_get_a_second),
        cmocka_unit_test(a_peer_shortens_the_rest),
        cmocka_unit_test(new_seeds_are_asked_at_once),
        cmocka_unit_test(every_state_has_a_name),
        cmocka_unit_test(full_slots_need_no_discovery),
        cmocka_unit_test(stop_from_everywhere),
        cmocka_unit_test(it_never_sleeps_for_ever),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
