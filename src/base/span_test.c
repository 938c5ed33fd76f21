/* span_test.c - UTF-8 as Unicode's table 3-7 has it, and showing what is not fit to show. */
#include "base/span.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#define COUNT(array) (sizeof(array) / sizeof(array)[0])

static void test_equal(void **state)
{
    (void)state;
    assert_true(hy_span_is(hy_span("abcd", 3), "abc"));
    assert_false(hy_span_is(hy_span("abcd", 4), "abc"));
    assert_false(hy_span_is(hy_span("abd", 3), "abc"));
    assert_true(hy_span_equal(hy_span(NULL, 0), hy_span("", 0)));
    assert_true(hy_span_is(hy_span(NULL, 0), ""));
    assert_false(hy_span_is(hy_span("abc\0", 4), "abc"));
}

/* A code point's encoding, also of those that have none in UTF-8. */
static size_t encode(uint32_t c, size_t len, uint8_t out[4])
{
    static const uint8_t marks[] = { 0, 0, 0xc0, 0xe0, 0xf0 };

    if (len == 1) {
        out[0] = (uint8_t)c;
        return 1;
    }
    for (size_t i = len - 1; i > 0; i--, c >>= 6)
        out[i] = (uint8_t)(0x80 | (c & 0x3f));
    out[0] = (uint8_t)(marks[len] | c);
    return len;
}

/* Every number up to 0x1fffff in every length that can hold it: well-formed only in the
 * shortest, below 0x110000, and not a surrogate. */
static void test_utf8_all(void **state)
{
    static const uint32_t past[] = { 0, 0x80, 0x800, 0x10000, 0x200000 };

    (void)state;
    for (size_t len = 1; len <= 4; len++) {
        for (uint32_t c = 0; c < past[len]; c++) {
            uint8_t bytes[4];
            bool surrogate = c >= 0xd800 && c <= 0xdfff;
            bool good = c >= past[len - 1] && c < 0x110000 && !surrogate;

            if (hy_span_is_utf8(hy_span(bytes, encode(c, len, bytes))) != good)
                fail_msg("U+%04x in %zu bytes", c, len);
        }
    }
}

static void test_utf8_broken(void **state)
{
    static const struct {
        const char *bytes;
        size_t len;
    } bad[] = {
        { "\x80", 1 },
        { "\xbf", 1 },
        { "\xc2", 1 },
        { "\xc2 ", 2 },
        { "\xc2\xc2", 2 },
        { "\xe1\x80", 2 },
        { "\xe1\x80z", 3 },
        { "\xf1\x80\x80", 3 },
        { "\xf1\x80\x80\xc0", 4 },
        { "\xf5\x80\x80\x80", 4 },
        { "\xf8\x88\x80\x80\x80", 5 },
        { "\xfe", 1 },
        { "\xff", 1 },
        { "good\xc3\xa4 then \xe4 bad", 16 },
    };

    (void)state;
    for (size_t i = 0; i < COUNT(bad); i++)
        if (hy_span_is_utf8(hy_span(bad[i].bytes, bad[i].len)))
            fail_msg("row %zu passes", i);
    assert_true(hy_span_is_utf8(hy_span("", 0)));
    assert_true(hy_span_is_utf8(hy_span(NULL, 0)));
    assert_true(hy_span_is_utf8(hy_span("a\0b", 3)));
    assert_true(hy_span_is_utf8(hy_span_of("gr\xc3\xbc\xc3\x9f \xe2\x82\xac \xf0\x9f\x8d\x84")));
}

static void test_escape(void **state)
{
    static const struct {
        struct hypha_span in;
        const char *out;
    } rows[] = {
#define ROW(in, out) { { (const uint8_t *)(in), sizeof(in) - 1 }, (out) }
        ROW("plain \"text\"", "plain \"text\""),
        ROW("", ""),
        ROW("a\nb\tc\rd", "a\\nb\\tc\\x0dd"),
        ROW("back\\slash", "back\\\\slash"),
        ROW("\x1b[31mred", "\\x1b[31mred"),
        ROW("nul\0inside", "nul\\x00inside"),
        ROW("\x7f", "\\x7f"),
        ROW("\xc2\x9b"
            "31m",
            "\\xc2\\x9b31m"), /* CSI as a C1 control */
        ROW("\xc2\xa0", "\xc2\xa0"),
        ROW("\xff\xc3", "\\xff\\xc3"),
        ROW("\xe2\x82\xac", "\xe2\x82\xac"),
        ROW("\xed\xa0\x80", "\\xed\\xa0\\x80"),
#undef ROW
    };

    (void)state;
    for (size_t i = 0; i < COUNT(rows); i++) {
        char into[64];

        assert_ptr_equal(hy_span_escape(rows[i].in, into, sizeof into), into);
        assert_string_equal(into, rows[i].out);
    }
}

/* Cut between whole escapes and whole characters, never past `size`. */
static void test_escape_cut(void **state)
{
    static const char *const cut[] = { "", "a", "a", "a\xe2\x82\xac", "a\xe2\x82\xac",
        "a\xe2\x82\xac", "a\xe2\x82\xac", "a\xe2\x82\xac\\x01" };
    struct hypha_span text = hy_span_of("a\xe2\x82\xac\x01z");
    char into[16];

    (void)state;
    memset(into, '#', sizeof into);
    assert_ptr_equal(hy_span_escape(text, into, 0), into);
    assert_int_equal(into[0], '#');
    for (size_t size = 1; size <= 10; size++) {
        static const size_t row[] = { 0, 0, 1, 1, 1, 3, 3, 3, 3, 7, 7 };

        memset(into, '#', sizeof into);
        (void)hy_span_escape(text, into, size);
        if (size < 10)
            assert_string_equal(into, cut[row[size]]);
        else
            assert_string_equal(into, "a\xe2\x82\xac\\x01z");
        assert_int_equal(into[size], '#');
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_equal),
        cmocka_unit_test(test_utf8_all),
        cmocka_unit_test(test_utf8_broken),
        cmocka_unit_test(test_escape),
        cmocka_unit_test(test_escape_cut),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
