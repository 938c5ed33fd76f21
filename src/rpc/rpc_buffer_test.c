/* buffer_test.c - lines, however they arrive. spec: apps.md 2.2 */
#include "rpc/buffer.h"

#include "base/alloc.h"
#include "base/span.h"

#include <setjmp.h>
#include <stdarg.h>
#include <string.h>
/* cmocka wants the above first */
#include <cmocka.h>

static void feed(struct hy_rpc_lines *lines, const char *text)
{
    assert_int_equal(hy_rpc_lines_feed(lines, hy_span_of(text)), HYPHA_OK);
}

static void expect_line(struct hy_rpc_lines *lines, bool ended, const char *want)
{
    struct hypha_span line;

    if (want == NULL) {
        assert_int_equal(hy_rpc_lines_next(lines, ended, &line), HY_RPC_LINE_NONE);
        return;
    }
    assert_int_equal(hy_rpc_lines_next(lines, ended, &line), HY_RPC_LINE);
    assert_true(hy_span_is(line, want));
}

static void test_ends_and_blanks(void **state)
{
    struct hy_rpc_lines lines = { .max = 100 };

    (void)state;
    feed(&lines, "one\ntwo\r\n  three\t \r\n\n   \r\nfour");
    expect_line(&lines, false, "one");
    expect_line(&lines, false, "two");
    expect_line(&lines, false, "three");
    expect_line(&lines, false, NULL);
    expect_line(&lines, true, "four"); /* ended by half-close */
    expect_line(&lines, true, NULL);
    hy_rpc_lines_fini(&lines);
}

static void test_byte_by_byte(void **state)
{
    struct hy_rpc_lines lines = { .max = 100 };
    const char *text = "{\"a\":1}\r\n{}\n";

    (void)state;
    for (size_t i = 0; text[i] != '\0'; i++) {
        assert_int_equal(hy_rpc_lines_feed(&lines, hy_span(text + i, 1)), HYPHA_OK);
        if (text[i] == '\n')
            expect_line(&lines, false, i < 9 ? "{\"a\":1}" : "{}");
        expect_line(&lines, false, NULL);
    }
    hy_rpc_lines_fini(&lines);
}

static void test_limit(void **state)
{
    struct hy_rpc_lines lines = { .max = 4 };
    struct hypha_span line;

    (void)state;
    feed(&lines, "1234\n12345");
    expect_line(&lines, false, "1234");
    assert_int_equal(hy_rpc_lines_next(&lines, false, &line), HY_RPC_LINE_TOO_LONG);
    hy_rpc_lines_fini(&lines);
    feed(&lines, "12345\n");
    assert_int_equal(hy_rpc_lines_next(&lines, false, &line), HY_RPC_LINE_TOO_LONG);
    hy_rpc_lines_fini(&lines);
}

static void test_memory_is_given_back(void **state)
{
    struct hy_rpc_buffer buffer = { 0 };
    static char big[100000];

    (void)state;
    assert_true(hy_rpc_buffer_put(&buffer, big, sizeof big));
    hy_rpc_buffer_take(&buffer, sizeof big - 1);
    assert_int_equal(hy_rpc_buffer_size(&buffer), 1);
    hy_rpc_buffer_take(&buffer, 1);
    assert_null(buffer.bytes);
    hy_rpc_buffer_fini(&buffer);
}

static void test_no_memory(void **state)
{
    struct hy_rpc_lines lines = { .max = 100 };

    (void)state;
    hy_alloc_fail_after(0);
    assert_int_equal(hy_rpc_lines_feed(&lines, hy_span_of("x")), HYPHA_ERR_NOMEM);
    hy_alloc_fail_after(SIZE_MAX);
    feed(&lines, "x\n");
    expect_line(&lines, false, "x");
    hy_rpc_lines_fini(&lines);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_ends_and_blanks),
        cmocka_unit_test(test_byte_by_byte),
        cmocka_unit_test(test_limit),
        cmocka_unit_test(test_memory_is_given_back),
        cmocka_unit_test(test_no_memory),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
