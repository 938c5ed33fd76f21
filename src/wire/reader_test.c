#include "base/span.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>

#include <cmocka.h>

static const uint8_t bytes[] = { 1, 2, 3, 4, 5, 6, 7, 8, 9 };

static struct hypha_reader reader_of(size_t len)
{
    return hypha_reader_of(hy_span(bytes, len));
}

/* spec: wire.md 1: fixed width, little-endian */
static void test_numbers(void **state)
{
    struct hypha_reader r = reader_of(1);

    (void)state;
    assert_int_equal(hypha_reader_take_u8(&r), 1);
    assert_int_equal(hypha_reader_end(&r), HYPHA_OK);
    r = reader_of(2);
    assert_int_equal(hypha_reader_take_u16(&r), 0x0201);
    r = reader_of(4);
    assert_int_equal(hypha_reader_take_u32(&r), 0x04030201);
    r = reader_of(9);
    assert_true(hypha_reader_take_u64(&r) == UINT64_C(0x0807060504030201));
    assert_int_equal(hypha_reader_end(&r), HYPHA_ERR_TRAILING);
    assert_true(hypha_reader_take_bool(&r));
    assert_int_equal(hypha_reader_end(&r), HYPHA_OK);
}

/* The first error stays; all that follows is zero and reads nothing. */
static void test_sticky(void **state)
{
    struct hypha_reader r = reader_of(3);

    (void)state;
    assert_int_equal(hypha_reader_take_u32(&r), 0);
    assert_int_equal(r.err, HYPHA_ERR_TRUNCATED);
    assert_int_equal(r.rest.len, 0);
    assert_int_equal(hypha_reader_take_u8(&r), 0);
    assert_int_equal(hypha_reader_take_u64(&r), 0);
    assert_int_equal(hypha_reader_take_varint(&r), 0);
    assert_int_equal(hypha_reader_take_count(&r, 9, 1), 0);
    assert_false(hypha_reader_take_bool(&r));
    assert_int_equal(hypha_reader_take_string(&r, 9).len, 0);
    assert_int_equal(hypha_reader_take(&r, 0).len, 0);
    hypha_reader_fail(&r, HYPHA_ERR_URL);
    assert_int_equal(hypha_reader_end(&r), HYPHA_ERR_TRUNCATED);

    r = reader_of(3);
    hypha_reader_fail(&r, HYPHA_ERR_URL);
    assert_int_equal(hypha_reader_take_u8(&r), 0);
    assert_int_equal(hypha_reader_end(&r), HYPHA_ERR_URL);
}

static void test_take(void **state)
{
    struct hypha_reader r = reader_of(4);
    struct hypha_span head = hypha_reader_take(&r, 3);

    (void)state;
    assert_ptr_equal(head.at, bytes);
    assert_int_equal(head.len, 3);
    assert_int_equal(r.rest.len, 1);
    assert_int_equal(hypha_reader_take(&r, 0).len, 0);
    assert_int_equal(r.err, HYPHA_OK);
    assert_int_equal(hypha_reader_take(&r, UINT64_MAX).len, 0);
    assert_int_equal(r.err, HYPHA_ERR_TRUNCATED);
    r = hypha_reader_of(hy_span(NULL, 0));
    assert_int_equal(hypha_reader_take(&r, 0).len, 0);
    assert_int_equal(hypha_reader_end(&r), HYPHA_OK);
    assert_int_equal(hypha_reader_take_u8(&r), 0);
    assert_int_equal(r.err, HYPHA_ERR_TRUNCATED);
}

static void check_varint(const char *hex, size_t len, enum hypha_err err, uint64_t value)
{
    struct hypha_reader r = hypha_reader_of(hy_span(hex, len));

    assert_true(hypha_reader_take_varint(&r) == value);
    assert_int_equal(r.err, err);
}

/* spec: wire.md 1 (VarInt) and appendix */
static void test_varint(void **state)
{
    (void)state;
    check_varint("\x00", 1, HYPHA_OK, 0);
    check_varint("\xfc", 1, HYPHA_OK, 252);
    check_varint("\xfd\xfd\x00", 3, HYPHA_OK, 253);
    check_varint("\xfd\xff\xff", 3, HYPHA_OK, 65535);
    check_varint("\xfe\x00\x00\x01\x00", 5, HYPHA_OK, 65536);
    check_varint("\xff\x00\x00\x00\x00\x01\x00\x00\x00", 9, HYPHA_OK, UINT64_C(4294967296));
    check_varint("\xff\xff\xff\xff\xff\xff\xff\xff\xff", 9, HYPHA_OK, UINT64_MAX);
    check_varint("\xfd\xfc\x00", 3, HYPHA_ERR_VARINT, 0);
    check_varint("\xfe\xff\xff\x00\x00", 5, HYPHA_ERR_VARINT, 0);
    check_varint("\xff\xff\xff\xff\xff\x00\x00\x00\x00", 9, HYPHA_ERR_VARINT, 0);
    check_varint("", 0, HYPHA_ERR_TRUNCATED, 0);
    check_varint("\xfd", 1, HYPHA_ERR_TRUNCATED, 0);
    check_varint("\xfd\xfd", 2, HYPHA_ERR_TRUNCATED, 0);
    check_varint("\xfe\x00\x00\x01", 4, HYPHA_ERR_TRUNCATED, 0);
    check_varint("\xff\x00\x00\x00\x00\x01\x00\x00", 8, HYPHA_ERR_TRUNCATED, 0);
}

static void check_count(
    const char *hex, size_t len, uint64_t max, size_t min_bytes, enum hypha_err err, uint64_t value)
{
    struct hypha_reader r = hypha_reader_of(hy_span(hex, len));

    assert_true(hypha_reader_take_count(&r, max, min_bytes) == value);
    assert_int_equal(r.err, err);
}

/* spec: wire.md 8: bound list counts by the payload bytes left */
static void test_count(void **state)
{
    (void)state;
    check_count("\x02xxxx", 5, 2, 2, HYPHA_OK, 2);
    check_count("\x02xxxx", 5, 1, 2, HYPHA_ERR_LIMIT, 0);
    check_count("\x02xxx", 4, 2, 2, HYPHA_ERR_TRUNCATED, 0);
    check_count("\x00", 1, 0, 9, HYPHA_OK, 0);
    check_count("\xff\xff\xff\xff\xff\xff\xff\xff\xff", 9, UINT64_MAX, 1, HYPHA_ERR_TRUNCATED, 0);
    check_count("\xff\xff\xff\xff\xff\xff\xff\xff\xff", 9, 5, 1, HYPHA_ERR_LIMIT, 0);
}

static void check_string(const char *hex, size_t len, size_t max, enum hypha_err err, size_t got)
{
    struct hypha_reader r = hypha_reader_of(hy_span(hex, len));

    assert_int_equal(hypha_reader_take_string(&r, max).len, got);
    assert_int_equal(r.err, err);
}

static void test_string(void **state)
{
    (void)state;
    check_string("\x00", 1, 0, HYPHA_OK, 0);
    check_string("\x03"
                 "a\0b",
        4, 3, HYPHA_OK, 3);
    check_string("\x03xyz", 4, 2, HYPHA_ERR_LIMIT, 0);
    check_string("\x04xyz", 4, 9, HYPHA_ERR_TRUNCATED, 0);
    check_string("\x02\xc3\x28", 3, 9, HYPHA_ERR_UTF8, 0);
    check_string("\xff\xff\xff\xff\xff\xff\xff\xff\xff", 9, SIZE_MAX, HYPHA_ERR_TRUNCATED, 0);
}

/* Every place of a bad byte and of a cut sequence, around the steps of 8 and 32 bytes. */
static void test_utf8_steps(void **state)
{
    char text[1 + 100];

    (void)state;
    for (size_t at = 0; at < 100; at++) {
        memset(text, 'a', sizeof text);
        text[0] = 100;
        text[1 + at] = '\xff';
        check_string(text, sizeof text, 100, HYPHA_ERR_UTF8, 0);
        text[1 + at] = '\xc3';
        check_string(text, sizeof text, 100, HYPHA_ERR_UTF8, 0);
        if (at + 1 < 100) {
            text[2 + at] = '\xbc';
            check_string(text, sizeof text, 100, HYPHA_OK, 100);
        }
    }
}

static void test_bytes(void **state)
{
    struct hypha_reader r = hypha_reader_of(hy_span("\x02\xff\xfe!", 4));
    struct hypha_span taken = hypha_reader_take_bytes(&r, 2);

    (void)state;
    assert_int_equal(taken.len, 2);
    assert_int_equal(taken.at[0], 0xff);
    assert_int_equal(hypha_reader_take_u8(&r), '!');
    assert_int_equal(hypha_reader_end(&r), HYPHA_OK);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_numbers),
        cmocka_unit_test(test_sticky),
        cmocka_unit_test(test_take),
        cmocka_unit_test(test_varint),
        cmocka_unit_test(test_count),
        cmocka_unit_test(test_string),
        cmocka_unit_test(test_utf8_steps),
        cmocka_unit_test(test_bytes),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
