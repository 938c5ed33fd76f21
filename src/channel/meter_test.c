#include "channel/meter.h"

#include "base/alloc.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

static const struct hypha_metering ping = { 1, 4, 1000, 10000 };

/* spec: wire.md 4.4. Time moved on by a second, as a clock may not stand at 0. */
static void example_of_the_specification(void **state)
{
    static const struct {
        uint64_t at_ms, total, sleep_ms, handled_ms, send_wait_ms;
    } table[] = {
        { 0, 1, 0, 0, 0 },
        { 1000, 2, 0, 1000, 0 },
        { 2000, 3, 0, 2000, 0 },
        { 3000, 4, 0, 3000, 0 },
        { 4000, 5, 1000, 5000, 2000 },
        { 5000, 6, 2000, 7000, 4000 },
        { 6000, 7, 3000, 10000, 6000 },
        { 10500, 7, 3000, 13500, 6000 },
    };
    struct hy_meter meter = { 0 };
    uint64_t handled_ms = 0;

    (void)state;
    for (size_t i = 0; i < sizeof table / sizeof table[0]; i++) {
        uint64_t now = table[i].at_ms + 1000;

        assert_int_equal(hy_meter_push(&meter, &ping, now), HYPHA_OK);
        assert_int_equal(meter.total, table[i].total);
        assert_int_equal(hy_meter_sleep_ms(&meter, &ping), table[i].sleep_ms);
        assert_int_equal(2 * hy_meter_sleep_ms(&meter, &ping), table[i].send_wait_ms);
        handled_ms = (table[i].at_ms > handled_ms ? table[i].at_ms : handled_ms) +
            table[i].sleep_ms;
        assert_int_equal(handled_ms, table[i].handled_ms);
    }
    hy_meter_fini(&meter);
}

static void unmetered_holds_nothing(void **state)
{
    static const struct hypha_metering none = { 0, 0, 0, 0 };
    struct hy_meter meter = { 0 };

    (void)state;
    assert_int_equal(hy_meter_push(&meter, &none, 5), HYPHA_OK);
    assert_null(meter.ring);
    assert_int_equal(hy_meter_sleep_ms(&meter, &none), 0);
}

/* spec: wire.md 4.1: an expiry of 0 keeps entries for ever; 7, trap 10 */
static void without_expiry_nothing_decays(void **state)
{
    static const struct hypha_metering rule = { 2, 4, 10, 0 };
    struct hy_meter meter = { 0 };

    (void)state;
    for (uint64_t i = 0; i < 100000; i++)
        assert_int_equal(hy_meter_push(&meter, &rule, i * 1000), HYPHA_OK);
    assert_int_equal(meter.total, 200000);
    assert_int_equal(hy_meter_sleep_ms(&meter, &rule), 1999960);
    assert_true(meter.cap <= 2);
    hy_meter_fini(&meter);
}

static void an_age_equal_to_the_expiry_is_dropped(void **state)
{
    struct hy_meter meter = { 0 };

    (void)state;
    assert_int_equal(hy_meter_push(&meter, &ping, 1000), HYPHA_OK);
    hy_meter_prune(&meter, &ping, 10999);
    assert_int_equal(meter.total, 1);
    hy_meter_prune(&meter, &ping, 11000);
    assert_int_equal(meter.total, 0);
    hy_meter_fini(&meter);
}

/* spec: wire.md 4.1: "or while the entry is dated in the future" */
static void entries_of_the_future_are_dropped(void **state)
{
    struct hy_meter meter = { 0 };

    (void)state;
    assert_int_equal(hy_meter_push(&meter, &ping, 5000), HYPHA_OK);
    assert_int_equal(hy_meter_push(&meter, &ping, 4000), HYPHA_OK);
    assert_int_equal(meter.total, 1);
    hy_meter_fini(&meter);
}

static void memory_is_bounded(void **state)
{
    static const struct hypha_metering rule = { 1, 1000000, 1, 3600000 };
    struct hy_meter meter = { 0 };

    (void)state;
    for (uint64_t i = 0; i < 100000; i++)
        assert_int_equal(hy_meter_push(&meter, &rule, 1 + i), HYPHA_OK);
    assert_int_equal(meter.total, 100000);
    assert_true(meter.cap <= HY_METER_MAX_ENTRIES);
    hy_meter_prune(&meter, &rule, 1 + 100000 + 3600000);
    assert_int_equal(meter.total, 0);
    hy_meter_fini(&meter);
}

static void without_memory_counts_on(void **state)
{
    struct hy_meter meter = { 0 };

    (void)state;
    hy_alloc_fail_after(0);
    assert_int_equal(hy_meter_push(&meter, &ping, 1000), HYPHA_ERR_NOMEM);
    hy_alloc_fail_after(1);
    for (uint64_t i = 0; i < 10; i++)
        assert_int_equal(hy_meter_push(&meter, &ping, 1000 + i), HYPHA_OK);
    hy_alloc_fail_after(SIZE_MAX);
    assert_int_equal(meter.total, 10);
    hy_meter_fini(&meter);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(example_of_the_specification),
        cmocka_unit_test(unmetered_holds_nothing),
        cmocka_unit_test(without_expiry_nothing_decays),
        cmocka_unit_test(an_age_equal_to_the_expiry_is_dropped),
        cmocka_unit_test(entries_of_the_future_are_dropped),
        cmocka_unit_test(memory_is_bounded),
        cmocka_unit_test(without_memory_counts_on),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
