/* direct_discovery_test.c - discovery without slots, round by round, and every state with every
 * event. spec: network.md 7.8 */
#include "session/direct_discovery.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#define MIDDLE 0x80000000U /* chance without jitter */

#define EVENT(name)  HY_DIRECT_DISCOVERY_ON_##name
#define ACTION(name) HY_DIRECT_DISCOVERY_DO_##name
#define STATE(name)  HY_DIRECT_DISCOVERY_##name

struct world {
    struct hy_direct_discovery discovery;
    struct hy_direct_discovery_facts facts;
    bool timer;
};

static struct world fresh(void)
{
    return (struct world){ .facts = { .now_ms = 1000000,
                               .attempt_ms = 5000,
                               .cooloff_ms = 30000,
                               .chance = MIDDLE,
                               .seeds = true } };
}

static enum hy_direct_discovery_action feed(
    struct world *world, enum hy_direct_discovery_event event)
{
    struct hy_direct_discovery_move move = hy_direct_discovery_step(
        &world->discovery, event, &world->facts);

    if (move.action != ACTION(NOTHING))
        world->timer = move.timer;
    return move.action;
}

/* The timer's, after `ms`. */
static enum hy_direct_discovery_action after(struct world *world, uint64_t ms)
{
    assert_true(world->timer);
    assert_int_equal(world->discovery.due_ms - world->facts.now_ms, ms);
    world->facts.now_ms = world->discovery.due_ms;
    return feed(world, EVENT(TIMER));
}

/* spec: network.md 7.8: unconnected rounds 1, 2, 3 dial and seed; 4 cools off */
static void three_rounds_and_a_sleep(void **unused)
{
    struct world world = fresh();

    (void)unused;
    world.facts.seeds = false;
    assert_int_equal(feed(&world, EVENT(START)), ACTION(WAIT));
    for (unsigned cycle = 0; cycle < 3; cycle++) {
        for (unsigned attempt = 1; attempt <= 3; attempt++) {
            if (cycle == 0 || attempt > 1)
                assert_int_equal(feed(&world, EVENT(GO)), ACTION(NEWCHAN));
            assert_int_equal(world.discovery.attempt, attempt);
            assert_false(world.timer);
            assert_int_equal(feed(&world, EVENT(NO_CHANNEL)), ACTION(REST));
            assert_int_equal(after(&world, 5000), ACTION(WAIT));
        }
        assert_int_equal(feed(&world, EVENT(GO)), ACTION(SLEEP));
        assert_int_equal(world.discovery.attempt, 4);
        assert_int_equal(after(&world, 30000), ACTION(NEWCHAN));
        assert_int_equal(world.discovery.attempt, 1);
    }
}

/* spec: network.md 7.8: getaddr: got resets the attempt, the next round asks again */
static void finding_goes_on(void **unused)
{
    struct world world = fresh();

    (void)unused;
    (void)feed(&world, EVENT(START));
    assert_int_equal(feed(&world, EVENT(GO)), ACTION(NEWCHAN));
    assert_int_equal(feed(&world, EVENT(CHANNEL)), ACTION(ASK));
    for (unsigned round = 0; round < 5; round++) {
        assert_int_equal(world.discovery.attempt, 1);
        assert_int_equal(feed(&world, EVENT(FOUND)), ACTION(REST));
        assert_int_equal(world.discovery.attempt, 0);
        assert_int_equal(feed(&world, EVENT(FOUND)), ACTION(NOTHING)); /* rests all the same */
        assert_int_equal(after(&world, 5000), ACTION(WAIT));
        world.facts.connected = true;
        assert_int_equal(feed(&world, EVENT(GO)), ACTION(ASK));
    }
}

/* spec: network.md 7.8: getaddr timeout: cool-off, never seeds */
static void peers_that_know_nothing_lead_to_sleep(void **unused)
{
    struct world world = fresh();

    (void)unused;
    world.facts.connected = true;
    (void)feed(&world, EVENT(START));
    assert_int_equal(feed(&world, EVENT(GO)), ACTION(ASK));
    for (unsigned cycle = 0; cycle < 4; cycle++) {
        assert_int_equal(after(&world, 5000), ACTION(REST));
        assert_int_equal(world.discovery.attempt, 3);
        assert_int_equal(after(&world, 5000), ACTION(WAIT));
        assert_int_equal(feed(&world, EVENT(GO)), ACTION(SLEEP));
        assert_int_equal(after(&world, 30000), ACTION(ASK));
    }
}

/* spec: network.md MUST 7.5-c: also by this discovery */
static void seeds_are_waited_for(void **unused)
{
    static const enum hy_direct_discovery_event ends[] = { EVENT(FOUND), EVENT(SEEDED),
        EVENT(TIMER) };

    (void)unused;
    for (size_t i = 0; i < 3; i++) {
        struct world world = fresh();

        (void)feed(&world, EVENT(START));
        (void)feed(&world, EVENT(GO));
        assert_int_equal(feed(&world, EVENT(NO_CHANNEL)), ACTION(SEED));
        assert_int_equal(world.discovery.due_ms - world.facts.now_ms, 20000);
        assert_int_equal(feed(&world, ends[i]), ACTION(REST));
        assert_int_equal(world.discovery.attempt, 1);
        assert_int_equal(after(&world, 5000), ACTION(WAIT));
    }
}

/* spec: network.md MUST 7.5-e: also by this discovery */
static void dead_seeds_are_left_in_peace(void **unused)
{
    struct world world = fresh();
    uint64_t pause_ms = 5000, last_ms = 0;
    unsigned seeded = 0;

    (void)unused;
    enum hy_direct_discovery_action action = feed(&world, EVENT(START));
    while (seeded < 10) {
        if (action == ACTION(WAIT)) {
            action = feed(&world, EVENT(GO));
        } else if (action == ACTION(NEWCHAN)) {
            action = feed(&world, EVENT(NO_CHANNEL));
        } else if (action == ACTION(SEED)) {
            if (seeded++ > 0) {
                assert_true(world.facts.now_ms - last_ms >= pause_ms);
                pause_ms = pause_ms < 150000 ? 2 * pause_ms : 300000;
            }
            last_ms = world.facts.now_ms;
            action = feed(&world, EVENT(SEEDED));
        } else {
            world.facts.now_ms = world.discovery.due_ms;
            action = feed(&world, EVENT(TIMER));
        }
    }
    assert_int_equal(world.discovery.seeds.pause_ms, 300000);
    assert_int_equal(feed(&world, EVENT(PEER)), ACTION(NOTHING));
    assert_int_equal(world.discovery.seeds.pause_ms, 5000);
    assert_int_equal(world.discovery.seeds.not_before_ms, world.discovery.seeds.asked_ms + 5000);
}

/* spec: network.md MUST 7.5-d: also by this discovery */
static void untried_hosts_come_before_seeds(void **unused)
{
    struct world world = fresh();

    (void)unused;
    world.facts.untried = true;
    (void)feed(&world, EVENT(START));
    (void)feed(&world, EVENT(GO));
    assert_int_equal(feed(&world, EVENT(NO_CHANNEL)), ACTION(REST));
}

/* Connected only at the third attempt: that one asks seeds, if any, not peers. */
static void third_attempt_asks_no_peers(void **unused)
{
    struct world world = fresh();

    (void)unused;
    world.discovery.attempt = 2;
    world.discovery.state = STATE(WAITING);
    assert_int_equal(feed(&world, EVENT(GO)), ACTION(NEWCHAN));
    assert_int_equal(feed(&world, EVENT(CHANNEL)), ACTION(SEED));
}

static void jitter_stays_near(void **unused)
{
    (void)unused;
    for (unsigned i = 0; i < 2; i++) {
        struct world world = fresh();

        world.facts.seeds = false;
        world.facts.chance = i == 0 ? 0 : UINT32_MAX;
        (void)feed(&world, EVENT(START));
        (void)feed(&world, EVENT(GO));
        (void)feed(&world, EVENT(NO_CHANNEL));
        uint64_t rest_ms = world.discovery.due_ms - world.facts.now_ms;
        assert_true(i == 0 ? rest_ms == 3750 : rest_ms > 6200 && rest_ms <= 6250);
    }
}

struct expected {
    enum hy_direct_discovery_state from;
    enum hy_direct_discovery_event event;
    enum hy_direct_discovery_state to;
    enum hy_direct_discovery_action action;
};

#define ROW(from, event, to, action)                                                               \
    {                                                                                              \
        STATE(from), EVENT(event), STATE(to), ACTION(action)                                       \
    }
/* The header's table, unconnected, without seeds, at attempt 0. */
static const struct expected table[] = {
    ROW(STOPPED, START, WAITING, WAIT),
    ROW(WAITING, GO, DIALLING, NEWCHAN),
    ROW(SLEEPING, TIMER, DIALLING, NEWCHAN),
    ROW(DIALLING, CHANNEL, ASKING, ASK),
    ROW(DIALLING, NO_CHANNEL, RESTING, REST),
    ROW(ASKING, FOUND, RESTING, REST),
    ROW(ASKING, TIMER, RESTING, REST),
    ROW(SEEDING, FOUND, RESTING, REST),
    ROW(SEEDING, SEEDED, RESTING, REST),
    ROW(SEEDING, TIMER, RESTING, REST),
    ROW(RESTING, TIMER, WAITING, WAIT),
};

static struct expected expect(
    enum hy_direct_discovery_state from, enum hy_direct_discovery_event event)
{
    if (event == EVENT(STOP))
        return (struct expected){ from, event, STATE(STOPPED), ACTION(STOP) };
    for (size_t i = 0; i < sizeof(table) / sizeof(table[0]); i++) {
        if (table[i].from == from && table[i].event == event)
            return table[i];
    }
    return (struct expected){ from, event, from, ACTION(NOTHING) };
}

static void every_state_with_every_event(void **unused)
{
    (void)unused;
    for (unsigned from = 0; from < HY_DIRECT_DISCOVERY_STATES; from++) {
        for (unsigned event = 0; event < HY_DIRECT_DISCOVERY_EVENTS; event++) {
            struct world world = fresh();
            struct expected want = expect(from, event);

            world.facts.seeds = false;
            world.discovery.state = from;
            assert_int_equal(feed(&world, event), want.action);
            assert_int_equal(world.discovery.state, want.to);
        }
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(three_rounds_and_a_sleep),
        cmocka_unit_test(finding_goes_on),
        cmocka_unit_test(peers_that_know_nothing_lead_to_sleep),
        cmocka_unit_test(seeds_are_waited_for),
        cmocka_unit_test(dead_seeds_are_left_in_peace),
        cmocka_unit_test(untried_hosts_come_before_seeds),
        cmocka_unit_test(third_attempt_asks_no_peers),
        cmocka_unit_test(jitter_stays_near),
        cmocka_unit_test(every_state_with_every_event),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
