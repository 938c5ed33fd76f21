/* token_test.c - which texts are access tokens, and which are equal. */
#include "base/token.h"

#include "base/span.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>

static void only_long_printable_texts_are_tokens(void **state)
{
    char text[HY_TOKEN_MAX_BYTES + 2];

    (void)state;
    assert_true(hy_token_is_valid("0123456789abcdef"));
    assert_true(hy_token_is_valid("!~!~!~!~!~!~!~!~"));
    assert_false(hy_token_is_valid(""));
    assert_false(hy_token_is_valid("0123456789abcde"));
    assert_false(hy_token_is_valid("0123456789 abcdef"));
    assert_false(hy_token_is_valid("0123456789abcdef\n"));
    assert_false(hy_token_is_valid("0123456789abcdef\x7f"));
    assert_false(hy_token_is_valid("0123456789abcdef\xc3\xa4"));
    memset(text, 'x', sizeof text);
    text[HY_TOKEN_MAX_BYTES] = '\0';
    assert_true(hy_token_is_valid(text));
    text[HY_TOKEN_MAX_BYTES] = 'x';
    text[HY_TOKEN_MAX_BYTES + 1] = '\0';
    assert_false(hy_token_is_valid(text));
}

static void one_byte_makes_another_token(void **state)
{
    static const char token[] = "0123456789abcdef";
    char other[] = "0123456789abcdef";

    (void)state;
    assert_true(hy_token_equal(token, hy_span_of(other)));
    assert_false(hy_token_equal(token, hy_span(other, sizeof other)));
    assert_false(hy_token_equal(token, hy_span(other, sizeof other - 2)));
    assert_false(hy_token_equal(token, hy_span(NULL, 0)));
    for (size_t i = 0; i < sizeof other - 1; i++) {
        other[i] ^= 1;
        assert_false(hy_token_equal(token, hy_span_of(other)));
        other[i] ^= 1;
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(only_long_printable_texts_are_tokens),
        cmocka_unit_test(one_byte_makes_another_token),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
