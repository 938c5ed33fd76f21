/* alloc_test.c - memory comes zeroed, overflow is refused, and the nth request can be made to fail.
 */
#include "base/alloc.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

static void test_zeroed(void **state)
{
    static const unsigned char zeros[64];
    unsigned char *block = hy_alloc(64);
    unsigned char *array = hy_alloc_array(16, 4);

    (void)state;
    assert_non_null(block);
    assert_non_null(array);
    assert_memory_equal(block, zeros, 64);
    assert_memory_equal(array, zeros, 64);
    hy_free(block);
    hy_free(array);
    hy_free(NULL);
}

static void test_empty_is_no_failure(void **state)
{
    void *blocks[] = { hy_alloc(0), hy_alloc_array(0, 8), hy_alloc_array(8, 0) };

    (void)state;
    for (size_t i = 0; i < 3; i++) {
        assert_non_null(blocks[i]);
        blocks[i] = hy_realloc(blocks[i], 0);
        assert_non_null(blocks[i]);
        hy_free(blocks[i]);
    }
}

static void test_overflow(void **state)
{
    /* Hidden from the compiler, which would warn. */
    volatile size_t half = SIZE_MAX / 2;

    (void)state;
    assert_null(hy_alloc_array(half, 3));
    assert_null(hy_alloc_array(3, half));
}

static void test_resize(void **state)
{
    char *block = hy_realloc(NULL, 4);

    (void)state;
    assert_non_null(block);
    memcpy(block, "abc", 4);
    block = hy_realloc(block, 4096);
    assert_non_null(block);
    assert_string_equal(block, "abc");
    hy_alloc_fail_after(0);
    assert_null(hy_realloc(block, 8192));
    hy_alloc_fail_after(SIZE_MAX);
    assert_string_equal(block, "abc"); /* the old one stays */
    hy_free(block);
}

static void test_strings(void **state)
{
    char *whole = hy_strdup("hypha"), *part = hy_strndup("hypha", 3), *none = hy_strndup(NULL, 0);

    (void)state;
    assert_string_equal(whole, "hypha");
    assert_string_equal(part, "hyp");
    assert_string_equal(none, "");
    hy_free(whole);
    hy_free(part);
    hy_free(none);
}

static void test_fail_after(void **state)
{
    void *blocks[3];

    (void)state;
    hy_alloc_fail_after(3);
    assert_int_equal(hy_alloc_count(), 0);
    blocks[0] = hy_alloc(1);
    blocks[1] = hy_alloc_array(1, 1);
    blocks[2] = hy_strdup("x");
    for (size_t i = 0; i < 3; i++)
        assert_non_null(blocks[i]);
    assert_null(hy_alloc(1)); /* the fourth, and all after it */
    assert_null(hy_alloc_array(1, 1));
    assert_null(hy_realloc(NULL, 1));
    assert_null(hy_strdup("x"));
    assert_null(hy_strndup("x", 1));
    assert_int_equal(hy_alloc_count(), 8);
    hy_alloc_fail_after(SIZE_MAX);
    assert_int_equal(hy_alloc_count(), 0);
    for (size_t i = 0; i < 3; i++)
        hy_free(blocks[i]);
    blocks[0] = hy_alloc(1);
    assert_non_null(blocks[0]);
    hy_free(blocks[0]);
}

static void test_fail_once(void **state)
{
    void *first, *third;

    (void)state;
    hy_alloc_fail_once(1);
    first = hy_alloc(1);
    assert_non_null(first);
    assert_null(hy_alloc(1));
    third = hy_alloc(1); /* memory is back */
    assert_non_null(third);
    assert_int_equal(hy_alloc_count(), 3);
    hy_alloc_fail_after(SIZE_MAX);
    hy_free(first);
    hy_free(third);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_zeroed),
        cmocka_unit_test(test_empty_is_no_failure),
        cmocka_unit_test(test_overflow),
        cmocka_unit_test(test_resize),
        cmocka_unit_test(test_strings),
        cmocka_unit_test(test_fail_after),
        cmocka_unit_test(test_fail_once),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
