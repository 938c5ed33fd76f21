/* err_test.c - every code has its name and text, and codes that nobody defined have one too. */
#include <hypha/err.h>

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

static const struct {
    enum hypha_err err;
    const char *name, *text;
} rows[] = {
#define ROW(name, number, text) { HYPHA_ERR_##name, #name, text },
    HYPHA_ERRORS(ROW)
#undef ROW
};
#define ROWS (sizeof rows / sizeof rows[0])

static void test_defined(void **state)
{
    (void)state;
    assert_string_equal(hypha_err_name(HYPHA_OK), "OK");
    assert_string_equal(hypha_err_text(HYPHA_OK), "success");
    for (size_t i = 0; i < ROWS; i++) {
        assert_string_equal(hypha_err_name(rows[i].err), rows[i].name);
        assert_string_equal(hypha_err_text(rows[i].err), rows[i].text);
        assert_true((int)rows[i].err < 0);
        assert_int_not_equal(rows[i].text[strlen(rows[i].text) - 1], '.');
        for (size_t k = 0; k < i; k++)
            assert_string_not_equal(rows[i].text, rows[k].text);
    }
}

/* Numbers are part of the ABI: the first of each group. */
static void test_numbers(void **state)
{
    (void)state;
    assert_int_equal(HYPHA_OK, 0);
    assert_int_equal(HYPHA_ERR_NOMEM, -1);
    assert_int_equal(HYPHA_ERR_TRUNCATED, -30);
    assert_int_equal(HYPHA_ERR_EOF, -60);
    assert_int_equal(HYPHA_ERR_MAGIC, -90);
    assert_int_equal(HYPHA_ERR_CHANNEL_STOPPED, -120);
}

static void test_undefined(void **state)
{
    static const int numbers[] = { 1, 42, -15, -29, -1000, -127 * 1000, INT32_MAX, INT32_MIN };

    (void)state;
    for (size_t i = 0; i < sizeof numbers / sizeof numbers[0]; i++) {
        assert_string_equal(hypha_err_name((enum hypha_err)numbers[i]), "UNKNOWN");
        assert_string_equal(hypha_err_text((enum hypha_err)numbers[i]), "unknown error");
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_defined),
        cmocka_unit_test(test_numbers),
        cmocka_unit_test(test_undefined),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
