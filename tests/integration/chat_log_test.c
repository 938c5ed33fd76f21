/* chat_log_test.c - what the chat daemon keeps, and for how long. spec: apps.md 3 */
#include "chat_log.h"

#include "base/span.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
/* cmocka wants the above first */
#include <cmocka.h>

static const struct chat_entry *add(
    struct chat_log *log, uint64_t time_ms, uint32_t channel, const char *host, const char *text)
{
    const struct chat_entry *entry = chat_log_add(
        log, time_ms, channel, "tcp://x:1/", host, hy_span_of(text));

    assert_non_null(entry);
    return entry;
}

/* The same text, the same host, another channel, within two seconds. */
static void test_dup(void **state)
{
    struct chat_log log;

    (void)state;
    chat_log_init(&log);
    assert_false(add(&log, 10000, 1, "a", "hi")->dup);
    assert_false(add(&log, 10001, 1, "a", "hi")->dup); /* said twice */
    assert_true(add(&log, 12000, 2, "a", "hi")->dup);
    assert_false(add(&log, 12000, 3, "b", "hi")->dup);
    assert_false(add(&log, 12000, 2, "a", "ho")->dup);
    assert_false(add(&log, 14001, 5, "a", "hi")->dup);
    chat_log_fini(&log);
}

/* One who repeats himself on one channel does not hide what came on another. */
static void test_dup_in_a_flood(void **state)
{
    struct chat_log log;

    (void)state;
    chat_log_init(&log);
    add(&log, 10000, 1, "a", "hi");
    for (int i = 0; i < 100; i++)
        assert_true(add(&log, 10001, 2, "a", "hi")->dup);
    assert_true(add(&log, 12000, 2, "a", "hi")->dup);
    assert_false(add(&log, 12001, 2, "a", "hi")->dup); /* channel 1: too long ago */
    assert_true(add(&log, 12001, 1, "a", "hi")->dup);
    assert_false(add(&log, 20000, 1, "a", "hi")->dup);
    chat_log_fini(&log);
}

/* A flood of the same text takes no longer the more there is.
 * Those that have left the log are not looked at. */
static void test_flood(void **state)
{
    struct chat_log log;
    char text[32];

    (void)state;
    chat_log_init(&log);
    for (int i = 0; i < 200000; i++) {
        assert_false(add(&log, 10000, 1, "a", "hi")->dup);
        (void)snprintf(text, sizeof text, "%d", i);
        assert_false(add(&log, 10000, 1, "a", text)->dup);
    }
    assert_int_equal(log.count, CHAT_LOG_MAX_MESSAGES);
    assert_true(add(&log, 10000, 2, "a", "hi")->dup);
    assert_true(add(&log, 10000, 2, "a", "199999")->dup);
    assert_false(add(&log, 10000, 2, "a", "1")->dup);
    chat_log_fini(&log);
}

static void test_since(void **state)
{
    struct chat_log log;

    (void)state;
    chat_log_init(&log);
    assert_null(chat_log_since(&log, 0));
    for (uint64_t i = 0; i < 5; i++)
        assert_int_equal(add(&log, i, 1, "a", "x")->seq, i);
    assert_int_equal(chat_log_since(&log, 0)->seq, 0);
    assert_int_equal(chat_log_since(&log, 3)->seq, 3);
    assert_null(chat_log_since(&log, 5));
    assert_int_equal(log.next_seq, 5);
    chat_log_fini(&log);
}

static void test_bounds(void **state)
{
    static char big[CHAT_LOG_MAX_BYTES];
    const size_t around = sizeof(struct chat_entry) + sizeof "f" + sizeof "h" + sizeof "";
    struct chat_log log;

    (void)state;
    chat_log_init(&log);
    for (unsigned i = 0; i < CHAT_LOG_MAX_MESSAGES + 10; i++)
        (void)add(&log, 5000 * (uint64_t)i, 1, "a", "x");
    assert_int_equal(log.count, CHAT_LOG_MAX_MESSAGES);
    assert_int_equal(TAILQ_FIRST(&log.entries)->seq, 10);
    assert_non_null(chat_log_add(&log, 0, 1, "f", "h", hy_span(big, sizeof big / 2)));
    assert_non_null(chat_log_add(&log, 0, 1, "f", "h", hy_span(big, sizeof big / 2 - 2 * around)));
    assert_int_equal(log.count, 2);
    assert_true(log.bytes <= CHAT_LOG_MAX_BYTES);
    assert_null(chat_log_add(&log, 0, 1, "f", "h", hy_span(big, sizeof big)));
    assert_int_equal(log.count, 2);
    chat_log_fini(&log);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_dup),
        cmocka_unit_test(test_dup_in_a_flood),
        cmocka_unit_test(test_flood),
        cmocka_unit_test(test_since),
        cmocka_unit_test(test_bounds),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
