/* logger_test.c - lines, levels, filters and the file. spec: apps.md 1.3 */
#include "daemon/logger.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
/* cmocka wants the above first */
#include <cmocka.h>

static void expect(enum hypha_log_level level, const char *target, bool colours, const char *want)
{
    char line[128];
    size_t len = hy_log_format(line, sizeof line, 86400 + 3723, level, target, "text", colours);

    assert_int_equal(len, strlen(want));
    assert_memory_equal(line, want, len);
}

static void test_format(void **state)
{
    char small[12];

    (void)state;
    expect(HYPHA_LOG_INFO, NULL, false, "01:02:03 [INFO] text\n");
    expect(HYPHA_LOG_ERROR, "net::p2p", false, "01:02:03 [ERROR] net::p2p: text\n");
    expect(HYPHA_LOG_VERBOSE, NULL, true, "\x1b[2m01:02:03\x1b[0m [\x1b[36mVERBOSE\x1b[0m] text\n");
    expect(HYPHA_LOG_TRACE, NULL, true, "\x1b[2m01:02:03\x1b[0m [\x1b[35mTRACE\x1b[0m] text\n");
    assert_int_equal(
        hy_log_format(small, sizeof small, 0, HYPHA_LOG_INFO, NULL, "text", false), 11);
    assert_memory_equal(small, "00:00:00 [\n", 11);
}

static void test_filter(void **state)
{
    static const struct {
        const char *targets;
        enum hypha_log_level threshold, level;
        const char *target;
        bool pass;
    } rows[] = {
        { NULL, HYPHA_LOG_INFO, HYPHA_LOG_INFO, "a", true },
        { NULL, HYPHA_LOG_INFO, HYPHA_LOG_VERBOSE, "a", false },
        { "", HYPHA_LOG_INFO, HYPHA_LOG_WARN, "a", true },
        { "!net::p2p", HYPHA_LOG_INFO, HYPHA_LOG_ERROR, "net::p2p::start", false },
        { "!net::p2p", HYPHA_LOG_INFO, HYPHA_LOG_INFO, "net::hosts", true },
        { "!net::p2p", HYPHA_LOG_INFO, HYPHA_LOG_DEBUG, "net::hosts", false },
        { "net", HYPHA_LOG_INFO, HYPHA_LOG_TRACE, "net::hosts", true },
        { "net", HYPHA_LOG_INFO, HYPHA_LOG_ERROR, "rpc::server", false },
        { "net,!net::p2p", HYPHA_LOG_INFO, HYPHA_LOG_ERROR, "net::p2p", false },
        { "rpc,net,,!", HYPHA_LOG_INFO, HYPHA_LOG_TRACE, "rpc::server", true },
    };

    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct hy_log_filter filter;

        hy_log_filter_init(&filter, rows[i].threshold, rows[i].targets);
        if (hy_log_filter_pass(&filter, rows[i].level, rows[i].target) != rows[i].pass)
            fail_msg("row %zu", i);
    }
    assert_int_equal(hy_log_level_of(0), HYPHA_LOG_INFO);
    assert_int_equal(hy_log_level_of(1), HYPHA_LOG_VERBOSE);
    assert_int_equal(hy_log_level_of(2), HYPHA_LOG_DEBUG);
    assert_int_equal(hy_log_level_of(7), HYPHA_LOG_TRACE);
}

static size_t lines_in(const char *path)
{
    FILE *file = fopen(path, "r");
    size_t count = 0;
    int c;

    assert_non_null(file);
    while ((c = getc(file)) != EOF)
        count += c == '\n';
    fclose(file);
    return count;
}

/* Appended, moved away, opened again. */
static void test_file(void **state)
{
    char path[] = "/tmp/hypha-log-XXXXXX";
    char moved[64];
    struct hypha_loop *loop;
    struct hy_logger *logger;

    (void)state;
    (void)unsetenv("LOG_TARGETS");
    close(mkstemp(path));
    (void)snprintf(moved, sizeof moved, "%s.1", path);
    assert_int_equal(hypha_loop_create(&loop), HYPHA_OK);
    for (int i = 0; i < 2; i++) {
        assert_int_equal(hy_logger_create(loop, path, 0, &logger), HYPHA_OK);
        struct hy_log log = hy_logger_log(logger);
        hy_log_info(&log, "test", "line %d", i);
        hy_log_verbose(&log, "test", "not heard");
        if (i == 0)
            hy_logger_destroy(logger);
    }
    assert_int_equal(lines_in(path), 2);
    assert_int_equal(rename(path, moved), 0);
    hy_logger_write(logger, HYPHA_LOG_INFO, "test", "still the old one");
    assert_int_equal(hy_logger_reopen(logger), HYPHA_OK);
    hy_logger_write(logger, HYPHA_LOG_INFO, "test", "the new one");
    assert_int_equal(lines_in(moved), 3);
    assert_int_equal(lines_in(path), 1);
    /* Another file, one that cannot be had, none. */
    assert_int_equal(hy_logger_set_path(logger, moved), HYPHA_OK);
    hy_logger_write(logger, HYPHA_LOG_INFO, "test", "to the other");
    assert_int_equal(hy_logger_set_path(logger, "/no/such/folder/x"), HYPHA_ERR_IO);
    hy_logger_write(logger, HYPHA_LOG_INFO, "test", "still to the other");
    assert_int_equal(hy_logger_set_path(logger, NULL), HYPHA_OK);
    hy_logger_write(logger, HYPHA_LOG_INFO, "test", "to none");
    assert_int_equal(lines_in(moved), 5);
    assert_int_equal(lines_in(path), 1);
    hy_logger_destroy(logger);
    assert_int_equal(hy_logger_create(loop, "/no/such/folder/x", 0, &logger), HYPHA_ERR_IO);
    hypha_loop_destroy(loop);
    assert_int_equal(unlink(path) + unlink(moved), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_format),
        cmocka_unit_test(test_filter),
        cmocka_unit_test(test_file),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
