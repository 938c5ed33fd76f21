/* rpc_json_test.c - which texts are JSON, what they mean, and that memory may run out anywhere. */
#include "rpc/json.h"

#include "base/alloc.h"
#include "base/span.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
/* cmocka wants the above first */
#include <cmocka.h>

static const char *const good[] = {
    "0",
    "-0",
    "1",
    "-1",
    "9223372036854775807",
    "-9223372036854775808",
    "0.5",
    "-0.5e-3",
    "1E5",
    "1e+5",
    "1e-400",
    "true",
    "false",
    "null",
    "\"\"",
    "\"text\"",
    " [ ] ",
    "\t{\r\n}",
    "[1,2]",
    "[1, [2, {\"a\": [3]}], \"b\"]",
    "{\"a\":1,\"b\":{\"a\":2}}",
    "\"\\\"\\\\\\/\\b\\f\\n\\r\\t\"",
    "\"\\u0041\\u00e9\\u20AC\\ud83d\\uDE00\"",
    "\"h\xc3\xa9 \xf0\x9f\x98\x80\"",
    "\"a\\u0000b\"",
    "\"\x7f\"",
    "{\"\":1}",
    "{\"\\u0061\":1}",
    "{ \"a\" : 1 , \"b\" : 2 }",
    "\"[[[ \\\" [[[\"",
};

static const char *const bad[] = {
    "",
    " ",
    "-",
    "+1",
    "01",
    "1.",
    ".5",
    "1e",
    "1e+",
    "1.e5",
    "0x10",
    "--1",
    "1 2",
    "nul",
    "True",
    "truefalse",
    "NaN",
    "Infinity",
    "1e400",
    "9223372036854775808",
    "-9223372036854775809",
    "99999999999999999999",
    "\"",
    "\"\\",
    "\"\\\"",
    "\"\\x\"",
    "\"\\u12\"",
    "\"\\u12g4\"",
    "\"\\ud800\"",
    "\"\\ud800x\"",
    "\"\\ud800\\n\"",
    "\"\\ud800\\u0041\"",
    "\"\\udc00\"",
    "\"\n\"",
    "\"\x1f\"",
    "\"\xff\"",
    "\"\xc0\x80\"",
    "\"\xed\xa0\x80\"",
    "\"\xf4\x90\x80\x80\"",
    "\"\xc3\"",
    "[",
    "]",
    "[1",
    "[1,",
    "[1,]",
    "[,]",
    "[1 2]",
    "[1}",
    "{",
    "}",
    "{\"a\"",
    "{\"a\":",
    "{\"a\":1",
    "{\"a\":1,",
    "{\"a\":1,}",
    "{a:1}",
    "{1:1}",
    "{\"a\" 1}",
    "{\"a\":1]",
    "{\"a\":1,\"a\":2}",
    "{\"a\":1,\"\\u0061\":2}",
    "{\"a\\u0000\":1}",
    "{} {}",
    "\xef\xbb\xbf{}",
    "'a'",
    "[1] // no",
    "{not json",
    "GET / HTTP/1.1",
    "[\"a\", \"b\x01\"]",
};

/* jansson reads them alike. */
static void test_good(void **state)
{
    const size_t flags = JSON_REJECT_DUPLICATES | JSON_DECODE_ANY | JSON_ALLOW_NUL;

    (void)state;
    for (size_t i = 0; i < sizeof good / sizeof good[0]; i++) {
        json_t *value = NULL, *other = json_loads(good[i], flags, NULL);

        if (hy_rpc_json_parse(hy_span_of(good[i]), &value) != HYPHA_OK)
            fail_msg("%s", good[i]);
        if (other == NULL || !json_equal(value, other))
            fail_msg("%s is read as something else", good[i]);
        json_decref(value);
        json_decref(other);
    }
}

/* Each text in memory of its own size: a reader that goes past its end is caught. */
static void test_bad(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        size_t len = strlen(bad[i]);
        char *copy = malloc(len + (len == 0));
        json_t *value = NULL;

        assert_non_null(copy);
        memcpy(copy, bad[i], len);
        if (hy_rpc_json_parse(hy_span(copy, len), &value) != HYPHA_ERR_MALFORMED)
            fail_msg("%s is no JSON", bad[i]);
        assert_null(value);
        free(copy);
    }
}

/* Every beginning of a good text is none, unless it is a number. */
static void test_cut(void **state)
{
    static const char text[] =
        "{\"jsonrpc\":\"2.0\",\"a\\u00e9\\ud83d\\ude00\":[1,-2.5e3,true,null,{\"\":[]}]}";

    (void)state;
    for (size_t len = 0; len < sizeof text - 1; len++) {
        char *copy = malloc(len + (len == 0));
        json_t *value = NULL;

        assert_non_null(copy);
        memcpy(copy, text, len);
        assert_int_equal(hy_rpc_json_parse(hy_span(copy, len), &value), HYPHA_ERR_MALFORMED);
        free(copy);
    }
}

static void test_depth(void **state)
{
    static const char *const kinds[][2] = { { "[", "]" }, { "{\"a\":", "}" } };

    (void)state;
    for (size_t kind = 0; kind < 2; kind++) {
        for (int depth = HY_RPC_MAX_DEPTH; depth <= HY_RPC_MAX_DEPTH + 1; depth++) {
            char text[8 * HY_RPC_MAX_DEPTH] = "";
            json_t *value = NULL;

            for (int i = 0; i < depth; i++)
                strcat(text, kinds[kind][0]);
            strcat(text, kind == 1 ? "1" : "");
            for (int i = 0; i < depth; i++)
                strcat(text, kinds[kind][1]);
            assert_int_equal(hy_rpc_json_parse(hy_span_of(text), &value),
                depth > HY_RPC_MAX_DEPTH ? HYPHA_ERR_MALFORMED : HYPHA_OK);
            json_decref(value);
        }
    }
    /* As deep as a request may be long. */
    size_t len = 1 << 20;
    char *text = malloc(len);
    json_t *value = NULL;
    assert_non_null(text);
    memset(text, '[', len);
    assert_int_equal(hy_rpc_json_parse(hy_span(text, len), &value), HYPHA_ERR_MALFORMED);
    free(text);
}

/* The nth request for memory is refused, for good or once: NOMEM, never MALFORMED, and no byte
 * is read that is not there. */
static void starve(const char *text, size_t len)
{
    for (int once = 0; once < 2; once++) {
        enum hypha_err err = HYPHA_ERR_NOMEM;

        for (size_t n = 0; err != HYPHA_OK; n++) {
            json_t *value = NULL;

            if (once)
                hy_alloc_fail_once(n);
            else
                hy_alloc_fail_after(n);
            err = hy_rpc_json_parse(hy_span(text, len), &value);
            size_t asked = hy_alloc_count();
            hy_alloc_fail_after(SIZE_MAX);
            if (err != HYPHA_OK)
                assert_int_equal(err, HYPHA_ERR_NOMEM);
            assert_true((err == HYPHA_OK) == (value != NULL));
            assert_true(err != HYPHA_OK || asked <= n); /* none of the refused was needless */
            json_decref(value);
            assert_true(n < 100000);
        }
    }
}

static void test_no_memory(void **state)
{
    size_t len = 100 * 1000;
    char *text = malloc(len);

    (void)state;
    assert_non_null(text);
    for (size_t i = 0; i < sizeof good / sizeof good[0]; i++)
        starve(good[i], strlen(good[i]));
    /* A long string, key, integer that is a fraction, and what needs unescaping. */
    memset(text, 'x', len);
    text[0] = text[len - 1] = '"';
    starve(text, len);
    memcpy(text, "{\"", 2);
    memcpy(text + len - 5, "\":1}\n", 5);
    starve(text, len);
    memset(text, '1', len);
    memcpy(text, "[0.", 3);
    text[len - 1] = ']';
    starve(text, len);
    for (size_t i = 0; i + 6 <= len - 2; i += 6)
        memcpy(text + 1 + i, "\\u20ac", 6);
    text[0] = text[len - 1] = '"';
    text[len - 2] = text[len - 3] = 'x';
    starve(text, len);
    /* Many small ones: tables grow. */
    size_t used = 1;
    text[0] = '[';
    for (int i = 0; i < 200; i++)
        used += (size_t)snprintf(text + used, len - used, "{\"k%d\":\"v\"},", i);
    text[used - 1] = ']';
    starve(text, used);
    used = 1;
    text[0] = '{';
    for (int i = 0; i < 200; i++)
        used += (size_t)snprintf(text + used, len - used, "\"k%d\":%d,", i, i);
    text[used - 1] = '}';
    starve(text, used);
    free(text);
}

static int set_up(void **state)
{
    (void)state;
    hy_rpc_json_init();
    json_decref(json_object()); /* its hash wants a seed, once */
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_good),
        cmocka_unit_test(test_bad),
        cmocka_unit_test(test_cut),
        cmocka_unit_test(test_depth),
        cmocka_unit_test(test_no_memory),
    };
    return cmocka_run_group_tests(tests, set_up, NULL);
}
