#include "base/alloc.h"
#include "base/span.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>

#include <cmocka.h>

static void assert_written(struct hypha_writer *w, const char *bytes, size_t len)
{
    assert_int_equal(w->err, HYPHA_OK);
    assert_int_equal(w->len, len);
    assert_memory_equal(w->bytes, bytes, len);
    hypha_writer_reset(w);
}

static void test_values(void **state)
{
    struct hypha_writer w = { 0 };

    (void)state;
    assert_int_equal(hypha_writer_span(&w).len, 0);
    hypha_writer_put_u8(&w, 1);
    hypha_writer_put_u16(&w, 0x0302);
    hypha_writer_put_u32(&w, 0x07060504);
    hypha_writer_put_u64(&w, UINT64_C(0x0f0e0d0c0b0a0908));
    hypha_writer_put_bool(&w, true);
    hypha_writer_put_bool(&w, false);
    assert_written(&w, "\1\2\3\4\5\6\7\x08\x09\x0a\x0b\x0c\x0d\x0e\x0f\1\0", 17);
    hypha_writer_put(&w, hy_span("ab", 2));
    hypha_writer_put(&w, hy_span(NULL, 0));
    hypha_writer_put_bytes(&w, hy_span("\xff", 1));
    hypha_writer_put_bytes(&w, hy_span(NULL, 0));
    hypha_writer_put_string(&w, hy_span("\xc3\xbc", 2));
    hypha_writer_put_text(&w, "x");
    assert_written(&w, "ab\1\xff\0\2\xc3\xbc\1x", 10);
    hypha_writer_fini(&w);
    assert_null(w.bytes);
}

/* What is written is read again, and in the shortest form. */
static void test_varint(void **state)
{
    static const struct {
        uint64_t value;
        size_t size;
    } cases[] = {
        { 0, 1 },
        { 0xfc, 1 },
        { 0xfd, 3 },
        { 0xffff, 3 },
        { 0x10000, 5 },
        { 0xffffffff, 5 },
        { UINT64_C(0x100000000), 9 },
        { UINT64_MAX, 9 },
    };

    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct hypha_writer w = { 0 };
        struct hypha_reader r;

        hypha_writer_put_varint(&w, cases[i].value);
        assert_int_equal(w.len, cases[i].size);
        r = hypha_reader_of(hypha_writer_span(&w));
        assert_true(hypha_reader_take_varint(&r) == cases[i].value);
        assert_int_equal(hypha_reader_end(&r), HYPHA_OK);
        hypha_writer_fini(&w);
    }
}

static void test_maximum(void **state)
{
    struct hypha_writer w = { .max = 3 };

    (void)state;
    hypha_writer_put_u16(&w, 1);
    hypha_writer_put_u16(&w, 2);
    assert_int_equal(w.err, HYPHA_ERR_LIMIT);
    assert_int_equal(w.len, 2);
    hypha_writer_put_u8(&w, 3); /* would fit, but the error stays */
    assert_int_equal(w.len, 2);
    hypha_writer_reset(&w);
    hypha_writer_put_u16(&w, 1);
    hypha_writer_put_u8(&w, 3);
    assert_int_equal(w.err, HYPHA_OK);
    assert_int_equal(w.len, 3);
    w.max = 2; /* lowered below what is there */
    hypha_writer_put_u8(&w, 1);
    assert_int_equal(w.err, HYPHA_ERR_LIMIT);
    hypha_writer_reset(&w);
    hypha_writer_put_u16(&w, 1);
    hypha_writer_put_u8(&w, 1); /* memory for it is there */
    assert_int_equal(w.err, HYPHA_ERR_LIMIT);
    hypha_writer_fini(&w);
    assert_int_equal(w.max, 2);
}

static void test_growth(void **state)
{
    struct hypha_writer w = { .max = 100000 };
    char block[1000];

    (void)state;
    memset(block, 'b', sizeof block);
    for (int i = 0; i < 100; i++)
        hypha_writer_put(&w, hy_span(block, sizeof block));
    assert_int_equal(w.err, HYPHA_OK);
    assert_int_equal(w.len, 100000);
    assert_true(w.cap <= 100000);
    assert_int_equal(w.bytes[99999], 'b');
    hypha_writer_put_u8(&w, 1);
    assert_int_equal(w.err, HYPHA_ERR_LIMIT);
    hypha_writer_fini(&w);
}

static void test_errors(void **state)
{
    struct hypha_writer w = { 0 };

    (void)state;
    hypha_writer_put_string(&w, hy_span("\xff", 1));
    assert_int_equal(w.err, HYPHA_ERR_UTF8);
    hypha_writer_fail(&w, HYPHA_ERR_URL);
    assert_int_equal(w.err, HYPHA_ERR_UTF8);
    hypha_writer_reset(&w);

    hy_alloc_fail_after(0);
    hypha_writer_put_u8(&w, 1);
    hy_alloc_fail_after(SIZE_MAX);
    assert_int_equal(w.err, HYPHA_ERR_NOMEM);
    assert_int_equal(w.len, 0);
    hypha_writer_put_u8(&w, 1);
    assert_int_equal(w.len, 0);
    hypha_writer_fini(&w);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_values),
        cmocka_unit_test(test_varint),
        cmocka_unit_test(test_maximum),
        cmocka_unit_test(test_growth),
        cmocka_unit_test(test_errors),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
