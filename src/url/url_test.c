#include "url/url.h"

#include "base/alloc.h"
#include "base/span.h"
#include "url/buffer.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static struct hypha_url *parse(const char *text)
{
    struct hypha_url *url = NULL;

    assert_int_equal(hypha_url_parse_text(text, &url), HYPHA_OK);
    return url;
}

static void test_parts(void **state)
{
    struct hypha_url *url = parse("SOCKS5://us%65r:p%3Aw@Proxy.Example:1080/target:80?q=1#f");

    (void)state;
    assert_string_equal(
        hypha_url_text(url), "socks5://us%65r:p%3Aw@proxy.example:1080/target:80?q=1#f");
    assert_string_equal(hypha_url_scheme(url), "socks5");
    assert_string_equal(hy_url_user(url), "us%65r");
    assert_string_equal(hy_url_password(url), "p%3Aw");
    assert_string_equal(hypha_url_host(url), "proxy.example");
    assert_int_equal(hypha_url_host_kind(url), HYPHA_HOST_DOMAIN);
    assert_true(hypha_url_has_port(url));
    assert_int_equal(hypha_url_port(url), 1080);
    assert_string_equal(hypha_url_path(url), "/target:80");
    assert_string_equal(hypha_url_query(url), "q=1");
    assert_true(hy_url_is_special(url));
    hypha_url_unref(url);
}

static void test_missing_parts(void **state)
{
    struct hypha_url *url = parse("unix:/a");

    (void)state;
    assert_string_equal(hy_url_user(url), "");
    assert_string_equal(hy_url_password(url), "");
    assert_string_equal(hypha_url_host(url), "");
    assert_int_equal(hypha_url_host_kind(url), HYPHA_HOST_NONE);
    assert_false(hypha_url_has_port(url));
    assert_int_equal(hypha_url_port(url), 0);
    assert_null(hypha_url_query(url));
    assert_false(hy_url_is_special(url));
    hypha_url_unref(url);

    url = parse("quic://h?");
    assert_string_equal(hypha_url_path(url), "");
    assert_string_equal(hypha_url_query(url), "");
    hypha_url_unref(url);

    url = parse("http://h:80");
    assert_false(hypha_url_has_port(url));
    assert_int_equal(hypha_url_port(url), 0);
    hypha_url_unref(url);
}

static void test_references(void **state)
{
    struct hypha_url *url = parse("tcp://h:1"), *same = parse("TCP://H:01/"), *other;

    (void)state;
    other = parse("tcp://h:2");
    assert_ptr_equal(hypha_url_ref(url), url);
    hypha_url_unref(url);
    assert_string_equal(hypha_url_text(url), "tcp://h:1/");
    assert_true(hypha_url_equal(url, same));
    assert_true(hypha_url_equal(url, url));
    assert_false(hypha_url_equal(url, other));
    assert_null(hypha_url_ref(NULL));
    hypha_url_unref(NULL);
    hypha_url_unref(url);
    hypha_url_unref(same);
    hypha_url_unref(other);
}

static void test_ip(void **state)
{
    static const struct {
        const char *text;
        uint8_t len, first, last;
    } cases[] = {
        { "tcp://10.0.0.1:1", 4, 10, 1 },
        { "quic://10.0.0.2:1", 4, 10, 2 }, /* spec: transports.md 1.2 */
        { "quic://0x0a000003:1", 4, 10, 3 },
        { "quic://[2001:db8::4]:1", 16, 0x20, 4 },
        { "tcp://[::5]:1", 16, 0, 5 },
        { "quic://256.1.1.1:1", 0, 0, 0 },
        { "quic://h:1", 0, 0, 0 },
        { "tcp://h:1", 0, 0, 0 },
        { "unix:/10.0.0.1", 0, 0, 0 },
    };

    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct hypha_url *url = parse(cases[i].text);
        struct hy_ip ip = { 0 };

        assert_int_equal(hy_url_ip(url, &ip), cases[i].len > 0);
        assert_int_equal(ip.len, cases[i].len);
        if (ip.len > 0) {
            assert_int_equal(ip.bytes[0], cases[i].first);
            assert_int_equal(ip.bytes[ip.len - 1], cases[i].last);
        }
        hypha_url_unref(url);
    }
}

static void test_bad_text(void **state)
{
    struct hypha_url *url = NULL;

    (void)state;
    assert_int_equal(hypha_url_parse(hy_span(NULL, 0), &url), HYPHA_ERR_URL);
    assert_int_equal(hypha_url_parse_text("tcp://h/\xff", &url), HYPHA_ERR_UTF8);
    assert_int_equal(hypha_url_parse_text("tcp://h/\xc3", &url), HYPHA_ERR_UTF8);
    assert_int_equal(hypha_url_parse_text("tcp://h/\xed\xa0\x80", &url), HYPHA_ERR_UTF8);
    assert_int_equal(hypha_url_parse(hy_span("tcp://h\0x/", 10), &url), HYPHA_ERR_URL);
    assert_null(url);
    assert_int_equal(hypha_url_parse(hy_span("tcp://h/\0?\0#\0!", 14), &url), HYPHA_OK);
    assert_string_equal(hypha_url_text(url), "tcp://h/%00?%00#%00!");
    hypha_url_unref(url);
    assert_int_equal(hy_url_check(hy_span_of("tcp://h:1")), HYPHA_OK);
    assert_int_equal(hy_url_check(hy_span_of("tcp://h:x")), HYPHA_ERR_URL);
    assert_int_equal(hy_url_check(hy_span_of("tcp://\xff")), HYPHA_ERR_UTF8);
}

/* 64 KiB as read and as normalised. */
static void test_size_limit(void **state)
{
    char *text = malloc(HY_URL_MAX_BYTES + 2);
    struct hypha_url *url = NULL;

    (void)state;
    assert_non_null(text);
    memset(text, 'a', HY_URL_MAX_BYTES + 1);
    memcpy(text, "tcp://h/", 8);
    assert_int_equal(hypha_url_parse(hy_span(text, HY_URL_MAX_BYTES), &url), HYPHA_OK);
    assert_int_equal(strlen(hypha_url_text(url)), HY_URL_MAX_BYTES);
    hypha_url_unref(url);
    url = NULL;
    assert_int_equal(hypha_url_parse(hy_span(text, HY_URL_MAX_BYTES + 1), &url), HYPHA_ERR_URL);
    text[20] = '{'; /* becomes %7B */
    assert_int_equal(hypha_url_parse(hy_span(text, HY_URL_MAX_BYTES), &url), HYPHA_ERR_URL);
    assert_int_equal(hypha_url_parse(hy_span(text, HY_URL_MAX_BYTES - 2), &url), HYPHA_OK);
    hypha_url_unref(url);
    url = NULL;
    memset(text + 8, ' ', HY_URL_MAX_BYTES - 9);
    text[HY_URL_MAX_BYTES - 1] = 'a';
    assert_int_equal(hypha_url_parse(hy_span(text, HY_URL_MAX_BYTES), &url), HYPHA_ERR_URL);
    memset(text, '/', HY_URL_MAX_BYTES);
    memcpy(text, "unix:/..", 8); /* grows by the "/." in front of "//" */
    assert_int_equal(hypha_url_parse(hy_span(text, HY_URL_MAX_BYTES), &url), HYPHA_OK);
    assert_int_equal(strlen(hypha_url_text(url)), HY_URL_MAX_BYTES - 1);
    hypha_url_unref(url);
    free(text);
}

/* Names of any length are refused or made ASCII in bounded time. */
static void test_long_names(void **state)
{
    char text[9000] = "tcp://";
    struct hypha_url *url = NULL;

    (void)state;
    for (size_t i = 6; i + 2 < sizeof text; i += 2)
        memcpy(text + i, "ü", 3);
    assert_int_equal(hypha_url_parse_text(text, &url), HYPHA_ERR_URL);
    text[6 + 2 * 100] = '\0';
    assert_int_equal(hypha_url_parse_text(text, &url), HYPHA_ERR_URL); /* label over 63 */
    text[6 + 2 * 20] = '\0';
    assert_int_equal(hypha_url_parse_text(text, &url), HYPHA_OK);
    hypha_url_unref(url);
    memset(text + 6, 'a', 1000);
    text[1006] = '\0';
    assert_int_equal(hypha_url_parse_text(text, &url), HYPHA_OK); /* plain ASCII: any length */
    hypha_url_unref(url);
}

/* Any request for memory may be refused. */
static void test_no_memory(void **state)
{
    char text[2000] = "tcp://u:p@h\t:1/";
    struct hypha_url *url = NULL;
    enum hypha_err err = HYPHA_ERR_NOMEM;
    size_t nth = 0;

    (void)state;
    memset(text + 15, 'a', sizeof text - 16);
    for (; err == HYPHA_ERR_NOMEM; nth++) {
        hy_alloc_fail_after(nth);
        err = hypha_url_parse_text(text, &url);
        hy_alloc_fail_after(SIZE_MAX);
        assert_true((err == HYPHA_OK) == (url != NULL));
    }
    assert_int_equal(err, HYPHA_OK);
    assert_true(nth > 2);
    hypha_url_unref(url);

    hy_alloc_fail_after(0);
    assert_int_equal(hy_url_check(hy_span_of("tcp://a.b:1/c?d#e")), HYPHA_OK); /* needs none */
    hy_alloc_fail_after(SIZE_MAX);
}

static void test_percent_decode(void **state)
{
    char into[8];

    (void)state;
    assert_true(hy_url_percent_decode("a%20%C3%bc%", into, sizeof into));
    assert_string_equal(into, "a \xc3\xbc%");
    assert_true(hy_url_percent_decode("1234567", into, sizeof into));
    assert_false(hy_url_percent_decode("12345678", into, sizeof into));
    assert_string_equal(into, "");
    assert_false(hy_url_percent_decode("a%00", into, sizeof into));
    assert_true(hy_url_percent_decode("", into, 1));
    assert_false(hy_url_percent_decode("", into, 0));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_parts),
        cmocka_unit_test(test_missing_parts),
        cmocka_unit_test(test_references),
        cmocka_unit_test(test_ip),
        cmocka_unit_test(test_bad_text),
        cmocka_unit_test(test_size_limit),
        cmocka_unit_test(test_long_names),
        cmocka_unit_test(test_no_memory),
        cmocka_unit_test(test_percent_decode),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
