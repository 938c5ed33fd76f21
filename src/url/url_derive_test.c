#include "base/span.h"
#include "url/url.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

static struct hypha_url *parse(const char *text)
{
    struct hypha_url *url = NULL;

    assert_int_equal(hypha_url_parse_text(text, &url), HYPHA_OK);
    return url;
}

/* Check and free what was made of `url`, and that too; `wanted` NULL: refused. */
static void check(
    struct hypha_url *url, enum hypha_err err, struct hypha_url *made, const char *wanted)
{
    if (wanted == NULL) {
        assert_int_equal(err, HYPHA_ERR_URL);
        assert_null(made);
    } else {
        assert_int_equal(err, HYPHA_OK);
        assert_string_equal(hypha_url_text(made), wanted);
    }
    hypha_url_unref(made);
    hypha_url_unref(url);
}

static void with_scheme(const char *text, const char *scheme, const char *wanted)
{
    struct hypha_url *url = parse(text), *made = NULL;
    enum hypha_err err = hy_url_with_scheme(url, scheme, &made);

    check(url, err, made, wanted);
}

/* Works only inside one column of spec: transports.md 1.2. */
static void test_with_scheme(void **state)
{
    (void)state;
    with_scheme("tcp://u:p@h:1/x?q#f", "tor", "tor://u:p@h:1/x?q#f");
    with_scheme("tcp+tls://[::1]:1", "TOR+TLS", "tor+tls://[::1]:1/");
    with_scheme("quic://H:1", "i2p", "i2p://H:1");
    with_scheme("tcp://h:80", "http", "http://h/");
    with_scheme("tcp://h:1", "quic", NULL);
    with_scheme("quic://h:1", "tcp", NULL);
    with_scheme("tcp://h:1", "", NULL);
    with_scheme("tcp://h:1", "tor:", NULL);
    with_scheme("tcp://h:1", "tor://evil/", NULL);
    with_scheme("tcp://h:1", "1", NULL);
    with_scheme("tcp://h/", "file", NULL);
    with_scheme("file://h/", "tcp", NULL);
    with_scheme("unix:/a", "tls", "tls:/a");
    with_scheme("unix:///a", "tcp", NULL);
}

static void with_port(const char *text, uint16_t port, const char *wanted)
{
    struct hypha_url *url = parse(text), *made = NULL;
    enum hypha_err err = hy_url_with_port(url, port, &made);

    check(url, err, made, wanted);
}

static void without_port(const char *text, const char *wanted)
{
    struct hypha_url *url = parse(text), *made = NULL;
    enum hypha_err err = hy_url_without_port(url, &made);

    check(url, err, made, wanted);
}

static void test_port(void **state)
{
    (void)state;
    with_port("tcp://u@h:1/x?q#f", 65535, "tcp://u@h:65535/x?q#f");
    with_port("tcp://h", 0, "tcp://h:0/");
    with_port("quic://[::1]", 5, "quic://[::1]:5");
    with_port("quic://h:1/a", 5, "quic://h:5/a");
    with_port("http://h:1", 80, "http://h/");
    with_port("unix:///a", 5, NULL);
    with_port("unix:/a", 5, NULL);
    with_port("mailto:a", 5, NULL);
    with_port("file://h/", 5, NULL);
    without_port("tcp://u@h:1/x?q", "tcp://u@h/x?q");
    without_port("quic://h:1", "quic://h");
    without_port("quic://h", "quic://h");
    without_port("unix:/a", "unix:/a");
}

static void with_host(const char *text, const char *host, const char *wanted)
{
    struct hypha_url *url = parse(text), *made = NULL;
    enum hypha_err err = hy_url_with_host(url, host, &made);

    check(url, err, made, wanted);
}

static void test_with_host(void **state)
{
    (void)state;
    with_host("tcp://u@[::]:1/x?q#f", "[2001:DB8::1]", "tcp://u@[2001:db8::1]:1/x?q#f");
    with_host("tcp://h:1", "127.1", "tcp://127.0.0.1:1/");
    with_host("quic://h", "X", "quic://X");
    with_host("unix:///a", "h", "unix://h/a");
    with_host("tcp://h:1", "", NULL);
    with_host("tcp://h:1", "a/b", NULL);
    with_host("tcp://h:1", "a:2", NULL);
    with_host("tcp://h:1", "a@b", NULL);
    with_host("tcp://h:1", "a?b", NULL);
    with_host("tcp://h:1", "a#b", NULL);
    with_host("tcp://h:1", "a\\b", NULL);
    with_host("tcp://h:1", "a\nb", NULL);
    with_host("tcp://h:1", "[::1]:2]", NULL);
    with_host("unix:/a", "h", NULL);
}

static void announceable(const char *text, const char *wanted)
{
    struct hypha_url *url = parse(text), *made = NULL;
    enum hypha_err err = hy_url_announceable(url, &made);

    check(url, err, made, wanted);
}

/* spec: wire.md 8: strip userinfo, query, fragment */
static void test_announceable(void **state)
{
    (void)state;
    announceable("tcp://u:p@h:1/x?q#f", "tcp://h:1/x");
    announceable("tcp://h:1?q", "tcp://h:1/");
    announceable("tcp://h:1#f", "tcp://h:1/");
    announceable("tcp://:p@h:1", "tcp://h:1/");
    announceable("quic://u@h:1?q", "quic://h:1");
    announceable("tcp://h:1", "tcp://h:1/");
    announceable("mailto:a?q", "mailto:a");
    announceable("unix:/.//a?q", "unix:/.//a");
}

static void canonical(const char *text, const char *wanted)
{
    struct hypha_url *url = parse(text), *made = NULL;
    enum hypha_err err = hy_url_canonical(url, &made);

    if (strcmp(text, wanted) == 0)
        assert_ptr_equal(made, url);
    check(url, err, made, wanted);
}

/* spec: transports.md 1.2: drop a lone `/`, lower-case, canonicalise IPv4 */
static void test_canonical(void **state)
{
    (void)state;
    canonical("quic://Example.COM:1/", "quic://example.com:1");
    canonical("quic://127.1:1", "quic://127.0.0.1:1");
    canonical("quic://1.2.3.4.:1/", "quic://1.2.3.4:1");
    canonical("quic://256.1.1.1:1", "quic://256.1.1.1:1");
    canonical("quic://[::1]:1/", "quic://[::1]:1");
    canonical("quic://U@H:1/?Q", "quic://U@h:1?Q");
    canonical("quic://h:1/A", "quic://h:1/A");
    canonical("quic://h:1//", "quic://h:1//");
    canonical("quic://h:1", "quic://h:1");
    canonical("tcp://h:1/", "tcp://h:1/");
    canonical("unix:///", "unix:///");
    canonical("unix:/A", "unix:/A");
    canonical("mailto:A", "mailto:A");
}

static void test_of_ip(void **state)
{
    struct hypha_url *url = NULL;
    struct hy_ip ip = { 0 };

    (void)state;
    assert_int_equal(hy_url_of_ip("tcp", &ip, 1, &url), HYPHA_ERR_URL);
    assert_true(hy_ip_parse_v4(hy_span_of("1.2.3.4"), &ip));
    assert_int_equal(hy_url_of_ip("tcp", &ip, 9, &url), HYPHA_OK);
    assert_string_equal(hypha_url_text(url), "tcp://1.2.3.4:9/");
    hypha_url_unref(url);
    assert_int_equal(hy_url_of_ip("quic", &ip, 9, &url), HYPHA_OK);
    assert_string_equal(hypha_url_text(url), "quic://1.2.3.4:9");
    hypha_url_unref(url);
    assert_true(hy_ip_parse_v6(hy_span_of("::ffff:1.2.3.4"), &ip));
    assert_int_equal(hy_url_of_ip("tcp+tls", &ip, 0, &url), HYPHA_OK);
    assert_string_equal(hypha_url_text(url), "tcp+tls://[::ffff:102:304]:0/");
    hypha_url_unref(url);
    url = NULL;
    assert_int_equal(hy_url_of_ip("tcp:", &ip, 0, &url), HYPHA_ERR_URL);
    assert_null(url);
}

static void display(const char *text, const char *wanted)
{
    struct hypha_url *url = parse(text);
    char into[24];

    assert_ptr_equal(hy_url_display(url, into, sizeof into), into);
    assert_string_equal(into, wanted);
    hypha_url_unref(url);
}

static void test_display(void **state)
{
    (void)state;
    display("socks5://u:p@h:1/x?q#f", "socks5://h:1/x");
    display("unix:///a?q", "unix:///a");
    display("mailto:a@b?q", "mailto:a@b");
    display("tcp://abcdefghijklmnopqrstuvwxyz:1", "tcp://abcdefghijklmnopq");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_with_scheme),
        cmocka_unit_test(test_port),
        cmocka_unit_test(test_with_host),
        cmocka_unit_test(test_announceable),
        cmocka_unit_test(test_canonical),
        cmocka_unit_test(test_of_ip),
        cmocka_unit_test(test_display),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
