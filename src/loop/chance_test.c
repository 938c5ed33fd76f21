/* chance_test.c - random numbers in their ranges, and the clocks. */
#include "loop/loop.h"

#include <setjmp.h>
#include <stdarg.h>
/* cmocka wants the above first */
#include <cmocka.h>

static struct hypha_loop *loop;

static int set_up(void **state)
{
    (void)state;
    return hypha_loop_create(&loop) == HYPHA_OK ? 0 : -1;
}

static int tear_down(void **state)
{
    (void)state;
    hypha_loop_destroy(loop);
    return 0;
}

static void jitter_stays_within_its_percentage(void **state)
{
    uint64_t low = UINT64_MAX;
    uint64_t high = 0;

    (void)state;
    for (int i = 0; i < 10000; i++) {
        uint64_t ms = hy_random_jitter(loop, 1000, 10);

        assert_in_range(ms, 900, 1100);
        low = ms < low ? ms : low;
        high = ms > high ? ms : high;
    }
    assert_true(low < 910);
    assert_true(high > 1090);
    assert_int_equal(hy_random_jitter(loop, 0, 50), 0);
    assert_int_equal(hy_random_jitter(loop, 77, 0), 77);
    assert_true(hy_random_jitter(loop, UINT64_MAX, 100) <= UINT64_MAX);
    assert_true(hy_random_jitter(loop, UINT64_MAX, 1) >= UINT64_MAX / 100 * 99);
}

static void below_is_below_and_reaches_all(void **state)
{
    unsigned seen[6] = { 0 };

    (void)state;
    for (int i = 0; i < 6000; i++)
        seen[hy_random_below(loop, 6)]++;
    for (int i = 0; i < 6; i++)
        assert_in_range(seen[i], 700, 1300); /* 12 standard deviations */
    assert_int_equal(hy_random_below(loop, 0), 0);
    assert_int_equal(hy_random_below(loop, 1), 0);
    assert_true(hy_random_below(loop, UINT64_MAX) < UINT64_MAX);
}

static void random_bytes_fill_every_size(void **state)
{
    uint8_t bytes[5000];
    uint64_t last = hy_random_u64(loop);

    (void)state;
    for (size_t len = 1; len <= sizeof bytes; len = len * 3 + 1) {
        bool changed = false;

        for (int tries = 0; tries < 16 && !changed; tries++) {
            bytes[len - 1] = 0;
            hy_random(loop, bytes, len);
            changed = bytes[len - 1] != 0;
        }
        assert_true(changed);
    }
    for (int i = 0; i < 2000; i++) { /* past several refills of the pool */
        uint64_t value = hy_random_u64(loop);

        assert_true(value != last && value != 0);
        last = value;
    }
}

static void clocks_go_forward(void **state)
{
    uint64_t us = hy_now_us(loop);
    uint64_t wall_ns = hy_wall_ns(loop);

    (void)state;
    assert_true(hy_now_us(loop) >= us);
    assert_true(wall_ns / 1000000000U >= 1700000000U);
    assert_true(hy_wall_s(loop) - wall_ns / 1000000000U <= 1);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
    const struct CMUnitTest tests[] = {
        TEST(jitter_stays_within_its_percentage),
        TEST(below_is_below_and_reaches_all),
        TEST(random_bytes_fill_every_size),
        TEST(clocks_go_forward),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
