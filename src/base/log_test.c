/* log_test.c - thresholds, cutting, and that silence costs no evaluation. */
#include "base/log.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

struct heard {
    size_t lines;
    enum hypha_log_level level;
    char target[32];
    char text[HY_LOG_MAX_BYTES];
};

static void on_line(void *user, enum hypha_log_level level, const char *target, const char *text)
{
    struct heard *heard = user;

    heard->lines++;
    heard->level = level;
    (void)strncpy(heard->target, target, sizeof heard->target - 1);
    assert_true(strlen(text) < sizeof heard->text);
    memcpy(heard->text, text, strlen(text) + 1);
}

static int evaluated;

static int evaluate(void)
{
    return ++evaluated;
}

static void test_threshold(void **state)
{
    struct heard heard = { 0 };
    struct hy_log log = { on_line, &heard, HYPHA_LOG_WARN };

    (void)state;
    evaluated = 0;
    hy_log_error(&log, "a", "%d", evaluate());
    assert_string_equal(heard.text, "1");
    assert_string_equal(heard.target, "a");
    assert_int_equal(heard.level, HYPHA_LOG_ERROR);
    hy_log_warn(&log, "b", "%d", evaluate());
    assert_string_equal(heard.text, "2");
    hy_log_info(&log, "c", "%d", evaluate());
    hy_log_verbose(&log, "c", "%d", evaluate());
    hy_log_debug(&log, "c", "%d", evaluate());
    hy_log_trace(&log, "c", "%d", evaluate());
    assert_int_equal(heard.lines, 2);
    assert_int_equal(evaluated, 2);
    log.level = HYPHA_LOG_TRACE;
    hy_log_trace(&log, "d", "%s", "all");
    assert_int_equal(heard.level, HYPHA_LOG_TRACE);
    assert_string_equal(heard.text, "all");
}

static void test_silent(void **state)
{
    struct hy_log log = { .level = HYPHA_LOG_TRACE };

    (void)state;
    evaluated = 0;
    hy_log_error(&log, "a", "%d", evaluate());
    assert_int_equal(evaluated, 0);
}

static void test_cut(void **state)
{
    struct heard heard = { 0 };
    struct hy_log log = { on_line, &heard, HYPHA_LOG_INFO };
    char longer[2 * HY_LOG_MAX_BYTES];

    (void)state;
    memset(longer, 'x', sizeof longer - 1);
    longer[sizeof longer - 1] = '\0';
    hy_log_info(&log, "a", "%s", longer);
    assert_int_equal(strlen(heard.text), HY_LOG_MAX_BYTES - 1);
    assert_memory_equal(heard.text, longer, HY_LOG_MAX_BYTES - 1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_threshold),
        cmocka_unit_test(test_silent),
        cmocka_unit_test(test_cut),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
