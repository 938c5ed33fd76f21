/* timer_test.c - the heap of timers against a sorted model, without a clock of its own. */
#include "loop/loop.h"

#include "base/alloc.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
/* cmocka wants the above first */
#include <cmocka.h>

/* A loop of which only time is used: the test moves it. */
static struct hypha_loop still;

static int set_up(void **state)
{
    (void)state;
    memset(&still, 0, sizeof still);
    TAILQ_INIT(&still.defers);
    still.now_ms = 1000;
    return 0;
}

struct bell {
    struct hy_timer timer;
    struct hy_timer *stops;    /* stopped when this one rings */
    struct hy_timer *restarts; /* restarted with 0 ms */
    int rung;
    int when; /* the how-manieth ring of all */
};
static int rings;

static void on_ring(void *user)
{
    struct bell *bell = user;

    assert_false(hy_timer_is_armed(&bell->timer));
    assert_true(bell->timer.due_ms <= still.now_ms);
    bell->rung++;
    bell->when = ++rings;
    if (bell->stops != NULL)
        hy_timer_stop(bell->stops);
    if (bell->restarts != NULL)
        hy_timer_start(bell->restarts, 0);
}

static void bell_init(struct bell *bell)
{
    *bell = (struct bell){ 0 };
    hy_timer_init(&bell->timer, &still, on_ring, bell);
}

static void rings_in_order_of_due_time_then_of_starting(void **state)
{
    static const uint64_t delays[] = { 5, 3, 5, 0, 3, 9, 0 };
    static const int order[] = { 5, 3, 6, 1, 4, 7, 2 };
    struct bell bells[7];

    (void)state;
    rings = 0;
    for (size_t i = 0; i < 7; i++) {
        bell_init(&bells[i]);
        hy_timer_start(&bells[i].timer, delays[i]);
    }
    still.now_ms += 10;
    hy_loop_run_timers(&still);
    for (size_t i = 0; i < 7; i++)
        assert_int_equal(bells[i].when, order[i]);
    assert_null(still.timers);
}

static void is_not_early(void **state)
{
    struct bell bell;
    uint64_t due_ms = 0;

    (void)state;
    bell_init(&bell);
    assert_false(hy_loop_next_timer(&still, &due_ms));
    hy_timer_start(&bell.timer, 7);
    assert_true(hy_loop_next_timer(&still, &due_ms));
    assert_int_equal(due_ms, 1007);
    still.now_ms = 1006;
    hy_loop_run_timers(&still);
    assert_int_equal(bell.rung, 0);
    still.now_ms = 1007;
    hy_loop_run_timers(&still);
    assert_int_equal(bell.rung, 1);
    hy_loop_run_timers(&still);
    assert_int_equal(bell.rung, 1);
}

static void restarting_moves_it(void **state)
{
    struct bell bell;

    (void)state;
    bell_init(&bell);
    hy_timer_start(&bell.timer, 1);
    hy_timer_start(&bell.timer, 50);
    still.now_ms += 10;
    hy_loop_run_timers(&still);
    assert_int_equal(bell.rung, 0);
    still.now_ms += 40;
    hy_loop_run_timers(&still);
    assert_int_equal(bell.rung, 1);
}

static void one_stopped_by_another_of_the_same_pass_stays_silent(void **state)
{
    struct bell first;
    struct bell second;
    struct bell third;

    (void)state;
    bell_init(&first);
    bell_init(&second);
    bell_init(&third);
    first.stops = &second.timer;
    hy_timer_start(&first.timer, 1);
    hy_timer_start(&second.timer, 1);
    hy_timer_start(&third.timer, 1);
    still.now_ms += 1;
    hy_loop_run_timers(&still);
    assert_int_equal(second.rung, 0);
    assert_int_equal(third.rung, 1);
    hy_timer_stop(&second.timer); /* not armed: nothing */
}

static void one_started_meanwhile_waits_for_the_next_pass(void **state)
{
    struct bell bell;

    (void)state;
    bell_init(&bell);
    bell.restarts = &bell.timer;
    hy_timer_start(&bell.timer, 0);
    hy_loop_run_timers(&still);
    assert_int_equal(bell.rung, 1);
    hy_loop_run_timers(&still);
    assert_int_equal(bell.rung, 2);
    hy_timer_stop(&bell.timer);
    assert_null(still.timers);
}

static void a_delay_past_the_end_of_time_is_never(void **state)
{
    struct bell bell;

    (void)state;
    bell_init(&bell);
    hy_timer_start(&bell.timer, UINT64_MAX);
    assert_true(bell.timer.due_ms == UINT64_MAX);
    hy_timer_stop(&bell.timer);
}

/* ---- a hundred thousand timers against a sorted model ---- */

#define MANY 100000U

struct entry {
    uint64_t due_ms;
    uint64_t order;
    bool armed;
};
static struct bell *many;
static struct entry *model;
static size_t *expected;

static uint64_t next_random(uint64_t *seed)
{
    *seed ^= *seed << 13;
    *seed ^= *seed >> 7;
    *seed ^= *seed << 17;
    return *seed;
}

static int by_due(const void *a, const void *b)
{
    const struct entry *x = &model[*(const size_t *)a];
    const struct entry *y = &model[*(const size_t *)b];

    if (x->due_ms != y->due_ms)
        return x->due_ms < y->due_ms ? -1 : 1;
    return x->order < y->order ? -1 : 1;
}

/* Let all up to now_ms ring, and see that exactly the model's did, in its order. */
static void check_rings(uint64_t now_ms)
{
    size_t count = 0;

    for (size_t i = 0; i < MANY; i++) {
        many[i].rung = 0;
        if (model[i].armed && model[i].due_ms <= now_ms)
            expected[count++] = i;
    }
    qsort(expected, count, sizeof *expected, by_due);
    rings = 0;
    still.now_ms = now_ms;
    hy_loop_run_timers(&still);
    assert_int_equal(rings, count);
    for (size_t i = 0; i < count; i++) {
        assert_int_equal(many[expected[i]].when, i + 1);
        model[expected[i]].armed = false;
    }
}

static void agrees_with_a_sorted_model(void **state)
{
    uint64_t seed = 0x5eed;
    uint64_t order = 0;

    (void)state;
    many = calloc(MANY, sizeof *many);
    model = calloc(MANY, sizeof *model);
    expected = calloc(MANY, sizeof *expected);
    for (size_t i = 0; i < MANY; i++)
        bell_init(&many[i]);
    for (int round = 0; round < 20; round++) {
        for (size_t n = 0; n < MANY; n++) {
            size_t i = next_random(&seed) % MANY;
            uint64_t delay_ms = next_random(&seed) % 5000;

            if (next_random(&seed) % 3 == 0) {
                hy_timer_stop(&many[i].timer);
                model[i].armed = false;
            } else {
                hy_timer_start(&many[i].timer, delay_ms);
                model[i] = (struct entry){ still.now_ms + delay_ms, order++, true };
            }
        }
        check_rings(still.now_ms + next_random(&seed) % 1000);
    }
    check_rings(still.now_ms + 10000);
    assert_null(still.timers);
    free(many);
    free(model);
    free(expected);
}

/* The shapes that make a careless heap deep or slow. */
static void takes_sorted_and_reversed_starts(void **state)
{
    (void)state;
    many = calloc(MANY, sizeof *many);
    for (int reversed = 0; reversed < 2; reversed++) {
        rings = 0;
        for (size_t i = 0; i < MANY; i++) {
            bell_init(&many[i]);
            hy_timer_start(&many[i].timer, reversed ? MANY - i : i);
        }
        still.now_ms += MANY;
        hy_loop_run_timers(&still);
        for (size_t i = 0; i < MANY; i++)
            assert_int_equal(many[i].when, reversed ? MANY - i : i + 1);
    }
    free(many);
}

static void allocates_nothing(void **state)
{
    struct bell bell;

    (void)state;
    bell_init(&bell);
    hy_alloc_fail_after(0);
    hy_timer_start(&bell.timer, 0);
    hy_loop_run_timers(&still);
    size_t requests = hy_alloc_count();
    hy_alloc_fail_after(SIZE_MAX);
    assert_int_equal(bell.rung, 1);
    assert_int_equal(requests, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(rings_in_order_of_due_time_then_of_starting, set_up),
        cmocka_unit_test_setup(is_not_early, set_up),
        cmocka_unit_test_setup(restarting_moves_it, set_up),
        cmocka_unit_test_setup(one_stopped_by_another_of_the_same_pass_stays_silent, set_up),
        cmocka_unit_test_setup(one_started_meanwhile_waits_for_the_next_pass, set_up),
        cmocka_unit_test_setup(a_delay_past_the_end_of_time_is_never, set_up),
        cmocka_unit_test_setup(agrees_with_a_sorted_model, set_up),
        cmocka_unit_test_setup(takes_sorted_and_reversed_starts, set_up),
        cmocka_unit_test_setup(allocates_nothing, set_up),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
