/* The rules of the WHATWG URL standard, case by case: input and normal form, NULL refused.
 * spec: wire.md 1 (Url), transports.md 1.2 */
#include "url/url.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

struct pair {
    const char *input;
    const char *normal;
};

static void check_pairs(const struct pair *pairs, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        struct hypha_url *url = NULL, *again = NULL;
        enum hypha_err err = hypha_url_parse_text(pairs[i].input, &url);

        if (pairs[i].normal == NULL) {
            if (err != HYPHA_ERR_URL)
                fail_msg("%s: %s, but should be refused", pairs[i].input,
                    err == HYPHA_OK ? hypha_url_text(url) : hypha_err_name(err));
            assert_null(url);
            continue;
        }
        if (err != HYPHA_OK)
            fail_msg("%s: %s", pairs[i].input, hypha_err_name(err));
        if (strcmp(hypha_url_text(url), pairs[i].normal) != 0)
            fail_msg("%s: %s instead of %s", pairs[i].input, hypha_url_text(url), pairs[i].normal);
        /* A normal form is its own normal form. */
        assert_int_equal(hypha_url_parse_text(hypha_url_text(url), &again), HYPHA_OK);
        assert_true(hypha_url_equal(url, again));
        hypha_url_unref(again);
        hypha_url_unref(url);
    }
}
#define CHECK(pairs) check_pairs((pairs), sizeof(pairs) / sizeof((pairs)[0]))

static void test_scheme(void **state)
{
    static const struct pair pairs[] = {
        { "TCP+TLS://h:1", "tcp+tls://h:1/" },
        { "a1+-.:x", "a1+-.:x" },
        { "1a://h", NULL },
        { "+a://h", NULL },
        { "a_b://h", NULL },
        { "tcp//h:1", NULL },
        { "tcp", NULL },
        { ":", NULL },
        { "//h:1/", NULL },
        { "x:", "x:" },
        { "tc\tp://h:1", "tcp://h:1/" },
        { "é://h", NULL },
    };

    (void)state;
    CHECK(pairs);
}

static void test_trimming(void **state)
{
    static const struct pair pairs[] = {
        { "  \x01\x1f tcp://h:1/a \x02 ", "tcp://h:1/a" },
        { "tcp:/\n/h\r:\t1/a\nb?c\rd#e\tf", "tcp://h:1/ab?cd#ef" },
        { "\t", NULL },
        { " ", NULL },
        { "x:a b ", "x:a b" },
        { "x:a b  ?q", "x:a b %20?q" },
        { "x:a  #f", "x:a %20#f" },
    };

    (void)state;
    CHECK(pairs);
}

static void test_slashes(void **state)
{
    static const struct pair pairs[] = {
        { "tcp:h:1", "tcp://h:1/" },
        { "tcp:\\/\\/h:1\\a\\b", "tcp://h:1/a/b" },
        { "tcp://h:1\\a?b\\c#d\\e", "tcp://h:1/a?b\\c#d\\e" },
        { "tcp:", NULL },
        { "tcp:///", NULL },
        { "tcp://?x", NULL },
        { "quic:h:1", "quic:h:1" },
        { "quic:/h:1", "quic:/h:1" },
        { "quic:\\\\h:1", "quic:\\\\h:1" },
        { "quic://h\\a", NULL },
        { "quic://h:1/a\\b", "quic://h:1/a\\b" },
        { "quic://", "quic://" },
        { "quic:///", "quic:///" },
        { "quic:////", "quic:////" },
        { "unix:/a//b", "unix:/a//b" },
        { "unix:/.//b", "unix:/.//b" },
        { "unix:/..//b", "unix:/.//b" },
        { "unix:/a/..//b", "unix:/.//b" },
        { "unix:/.//", "unix:/.//" },
    };

    (void)state;
    CHECK(pairs);
}

static void test_userinfo(void **state)
{
    static const struct pair pairs[] = {
        { "tcp://u@h:1", "tcp://u@h:1/" },
        { "tcp://u:@h:1", "tcp://u@h:1/" },
        { "tcp://:p@h:1", "tcp://:p@h:1/" },
        { "tcp://@h:1", "tcp://h:1/" },
        { "tcp://:@h:1", "tcp://h:1/" },
        { "tcp://a@b@h:1", "tcp://a%40b@h:1/" },
        { "tcp://a:b:c@h:1", "tcp://a:b%3Ac@h:1/" },
        { "tcp://a b;=[]^|\"<>`{}'@h:1", "tcp://a%20b%3B%3D%5B%5D%5E%7C%22%3C%3E%60%7B%7D'@h:1/" },
        { "tcp://ü@h:1", "tcp://%C3%BC@h:1/" },
        { "tcp://u@/x", NULL },
        { "tcp://u@:1", NULL },
        { "tcp://u@", NULL },
        { "tcp://a/b@h:1", "tcp://a/b@h:1" },
        { "quic://u:p@h:1", "quic://u:p@h:1" },
        { "quic://u@", NULL },
        { "quic://u@/x", NULL },
        { "quic://a\\b@h:1", "quic://a%5Cb@h:1" },
        { "tcp://a\\b@h:1", "tcp://a/b@h:1" },
    };

    (void)state;
    CHECK(pairs);
}

static void test_port(void **state)
{
    static const struct pair pairs[] = {
        { "tcp://h:000000000000065535", "tcp://h:65535/" },
        { "tcp://h:0", "tcp://h:0/" },
        { "tcp://h:65536", NULL },
        { "tcp://h:99999999999999999999", NULL },
        { "tcp://h:-1", NULL },
        { "tcp://h:1a", NULL },
        { "tcp://h:1:2", NULL },
        { "tcp://h: 1", NULL },
        { "tcp://h:%31", NULL },
        { "http://h:80", "http://h/" },
        { "http://h:443", "http://h:443/" },
        { "https://h:443/x", "https://h/x" },
        { "ws://h:80", "ws://h/" },
        { "wss://h:443", "wss://h/" },
        { "ftp://h:21", "ftp://h/" },
        { "ftp://h:80", "ftp://h:80/" },
        { "http://h:0", "http://h:0/" },
        { "tcp://h:80", "tcp://h:80/" },
        { "quic://h:", "quic://h" },
        { "quic://h:080", "quic://h:80" },
        { "quic://:80", NULL },
        { "quic://:", NULL },
    };

    (void)state;
    CHECK(pairs);
}

static void test_domains(void **state)
{
    static const struct pair pairs[] = {
        { "tcp://A.B.", "tcp://a.b./" },
        { "tcp://a..b", "tcp://a..b/" },
        { "tcp://.", "tcp://./" },
        { "tcp://a_b.-c-", "tcp://a_b.-c-/" },
        { "tcp://a%2Eb", "tcp://a.b/" },
        { "tcp://%41%6c", "tcp://al/" },
        { "tcp://a!$&'()*+,;=~b", "tcp://a!$&'()*+,;=~b/" },
        { "tcp://a%", NULL },
        { "tcp://a%4", NULL },
        { "tcp://a%zz", NULL },
        { "tcp://a%25b", NULL },
        { "tcp://a%00b", NULL },
        { "tcp://a%20b", NULL },
        { "tcp://a%2Fb", NULL },
        { "tcp://a%3Ab", NULL },
        { "tcp://a%40b", NULL },
        { "tcp://a%7Fb", NULL },
        { "tcp://a%01b", NULL },
        { "tcp://a<b", NULL },
        { "tcp://a>b", NULL },
        { "tcp://a^b", NULL },
        { "tcp://a|b", NULL },
        { "tcp://a]b", NULL },
        { "tcp://a[b", NULL },
        { "tcp://%5B::1%5D", NULL },
        { "tcp://a%80", NULL },
        { "tcp://a%C3%28", NULL },
        { "tcp://%ef%bf%bd", NULL },
    };

    (void)state;
    CHECK(pairs);
}

static void test_idna(void **state)
{
    static const struct pair pairs[] = {
        { "tcp://exämple.org:1", "tcp://xn--exmple-cua.org:1/" },
        { "tcp://B%C3%9Ccher.example", "tcp://xn--bcher-kva.example/" },
        { "tcp://faß.de", "tcp://xn--fa-hia.de/" }, /* non-transitional */
        { "tcp://日本語。jp", "tcp://xn--wgv71a119e.jp/" },
        { "tcp://ＧＯ.com", "tcp://go.com/" },
        { "tcp://１２７.1", "tcp://127.0.0.1/" },
        { "tcp://exa_ü", "tcp://xn--exa_-3ra/" },
        { "tcp://ü..b", "tcp://xn--tda..b/" },
        { "tcp://XN--bcher-KVA.de", "tcp://xn--bcher-kva.de/" },
        { "tcp://xn--", NULL },
        { "tcp://xn--a", NULL },
        { "tcp://a.xn--999999999", NULL },
        { "tcp://\xc2\xad", NULL }, /* a soft hyphen: nothing is left */
        { "tcp://ü%00", NULL },
        { "tcp://ü b", NULL },
        { "tcp://％４１", NULL }, /* "%41" after mapping */
        { "tcp://\xe2\x80\x8d", NULL },
    };

    (void)state;
    CHECK(pairs);
}

static void test_ipv4(void **state)
{
    static const struct pair pairs[] = {
        { "tcp://1", "tcp://0.0.0.1/" },
        { "tcp://4294967295", "tcp://255.255.255.255/" },
        { "tcp://4294967296", NULL },
        { "tcp://1.16777215", "tcp://1.255.255.255/" },
        { "tcp://1.16777216", NULL },
        { "tcp://1.2.65535", "tcp://1.2.255.255/" },
        { "tcp://1.2.65536", NULL },
        { "tcp://1.2.3.256", NULL },
        { "tcp://256.1.1.1", NULL },
        { "tcp://1.2.3.4.5", NULL },
        { "tcp://1.2.3.4..", "tcp://1.2.3.4../" },
        { "tcp://1..2", NULL },
        { "tcp://.1", NULL },
        { "tcp://0x", "tcp://0.0.0.0/" },
        { "tcp://0X7F.0x0.00.1", "tcp://127.0.0.1/" },
        { "tcp://0xg", "tcp://0xg/" },
        { "tcp://a.0xg", "tcp://a.0xg/" },
        { "tcp://a.0x1", NULL },
        { "tcp://08", NULL },
        { "tcp://1.2.3.08", NULL },
        { "tcp://1.2.3.0a", "tcp://1.2.3.0a/" },
        { "tcp://00000000000000000000000000000000001", "tcp://0.0.0.1/" },
        { "tcp://0x00000000000000000000000000ffffffff", "tcp://255.255.255.255/" },
        { "tcp://99999999999999999999999999", NULL },
        { "tcp://a.1", NULL },
        { "tcp://1.a", "tcp://1.a/" },
        { "tcp://1%2e2%2E3.4", "tcp://1.2.3.4/" },
        { "quic://256.1.1.1:80", "quic://256.1.1.1:80" },
    };

    (void)state;
    CHECK(pairs);
}

static void test_ipv6(void **state)
{
    static const struct pair pairs[] = {
        { "tcp://[0:0:0:0:0:0:0:0]", "tcp://[::]/" },
        { "tcp://[1:0:0:2:0:0:0:3]", "tcp://[1:0:0:2::3]/" },
        { "tcp://[1:0:0:2:3:0:0:4]", "tcp://[1::2:3:0:0:4]/" },
        { "tcp://[1:0:2:3:4:5:6:7]", "tcp://[1:0:2:3:4:5:6:7]/" },
        { "tcp://[::ABCD]", "tcp://[::abcd]/" },
        { "tcp://[::1.2.3.4]", "tcp://[::102:304]/" },
        { "tcp://[::1.2.3]", NULL },
        { "tcp://[::1.2.3.256]", NULL },
        { "tcp://[::01.2.3.4]", NULL },
        { "tcp://[1:2:3:4:5:6:7]", NULL },
        { "tcp://[1:2:3:4:5:6:7:8:9]", NULL },
        { "tcp://[1::2::3]", NULL },
        { "tcp://[:1]", NULL },
        { "tcp://[1:]", NULL },
        { "tcp://[12345::]", NULL },
        { "tcp://[g::]", NULL },
        { "tcp://[]", NULL },
        { "tcp://[::1%eth0]", NULL },
        { "tcp://[fe80::1%25eth0]", NULL },
        { "tcp://[::1]x", NULL },
        { "tcp://[::1]x:1", NULL },
        { "tcp://x[::1]", NULL },
        { "tcp://[::1", NULL },
        { "quic://[::FFFF:1.2.3.4]:1", "quic://[::ffff:102:304]:1" },
        { "quic://[::1", NULL },
    };

    (void)state;
    CHECK(pairs);
}

static void test_opaque_hosts(void **state)
{
    static const struct pair pairs[] = {
        { "quic://A%41.b", "quic://A%41.b" },
        { "quic://ü:1", "quic://%C3%BC:1" },
        { "quic://a%zz", "quic://a%zz" },
        { "quic://a\x01\x7f", "quic://a%01%7F" },
        { "quic://a b", NULL },
        { "quic://a<b", NULL },
        { "quic://a>b", NULL },
        { "quic://a^b", NULL },
        { "quic://a|b", NULL },
        { "quic://a[b", NULL },
        { "quic://a]b", NULL },
        { "quic://a\"{}`'b", "quic://a\"{}`'b" },
    };

    (void)state;
    CHECK(pairs);
}

static void test_path(void **state)
{
    static const struct pair pairs[] = {
        { "tcp://h/.", "tcp://h/" },
        { "tcp://h/..", "tcp://h/" },
        { "tcp://h/a/.", "tcp://h/a/" },
        { "tcp://h/a/..", "tcp://h/" },
        { "tcp://h/a/b/../../../c", "tcp://h/c" },
        { "tcp://h/a/./b", "tcp://h/a/b" },
        { "tcp://h/a/%2e/b/%2E%2e/c/.%2e/d", "tcp://h/a/d" },
        { "tcp://h/...", "tcp://h/..." },
        { "tcp://h/.a/a./..b", "tcp://h/.a/a./..b" },
        { "tcp://h//a//", "tcp://h//a//" },
        { "tcp://h//..", "tcp://h/" },
        { "tcp://h/ \"<>?", "tcp://h/%20%22%3C%3E?" },
        { "tcp://h/^`{}|[]\\:@!$&'()*+,;=", "tcp://h/%5E%60%7B%7D|[]/:@!$&'()*+,;=" },
        { "tcp://h/%", "tcp://h/%" },
        { "tcp://h/%zz%4", "tcp://h/%zz%4" },
        { "tcp://h/é\x7f", "tcp://h/%C3%A9%7F" },
        { "quic://h/..", "quic://h/" },
        { "quic://h/a/..\\b", "quic://h/a/..\\b" },
        { "quic://h?q", "quic://h?q" },
        { "quic://h#f", "quic://h#f" },
        { "unix:/..", "unix:/" },
        { "unix:///a/./b/../c d", "unix:///a/c%20d" },
        { "mailto:a/../b", "mailto:a/../b" },
        { "mailto:é<>\"`#é", "mailto:%C3%A9<>\"`#%C3%A9" },
    };

    (void)state;
    CHECK(pairs);
}

static void test_query_and_fragment(void **state)
{
    static const struct pair pairs[] = {
        { "tcp://h?", "tcp://h/?" },
        { "tcp://h#", "tcp://h/#" },
        { "tcp://h?#", "tcp://h/?#" },
        { "tcp://h?a?b/../c", "tcp://h/?a?b/../c" },
        { "tcp://h? \"<>'`^{}|é", "tcp://h/?%20%22%3C%3E%27`^{}|%C3%A9" },
        { "quic://h?'", "quic://h?'" },
        { "tcp://h# \"<>`'#?é", "tcp://h/#%20%22%3C%3E%60'#?%C3%A9" },
        { "tcp://h#a?b", "tcp://h/#a?b" },
        { "x:a?b#c", "x:a?b#c" },
        { "x:?b", "x:?b" },
    };

    (void)state;
    CHECK(pairs);
}

static void test_file(void **state)
{
    static const struct pair pairs[] = {
        { "file:", "file:///" },
        { "file:a/b", "file:///a/b" },
        { "file:/a", "file:///a" },
        { "file://a/b", "file://a/b" },
        { "file://LOCALHOST/b", "file:///b" },
        { "file://localhost", "file:///" },
        { "file:///a/../..", "file:///" },
        { "file:///C|/a", "file:///C:/a" },
        { "file://C|/a", "file:///C:/a" },
        { "file:c:\\a\\..\\..\\b", "file:///c:/b" },
        { "file:///c:/..", "file:///c:/" },
        { "file:///c:", "file:///c:" },
        { "file:////c|", "file:////c|" },
        { "file:?q", "file:///?q" },
        { "file:#f", "file:///#f" },
        { "file://h:80/", NULL },
        { "file://u@h/", NULL },
        { "file://[::1]/", "file://[::1]/" },
        { "file://1/", "file://0.0.0.1/" },
        { "file://%/", NULL },
    };

    (void)state;
    CHECK(pairs);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_scheme),
        cmocka_unit_test(test_trimming),
        cmocka_unit_test(test_slashes),
        cmocka_unit_test(test_userinfo),
        cmocka_unit_test(test_port),
        cmocka_unit_test(test_domains),
        cmocka_unit_test(test_idna),
        cmocka_unit_test(test_ipv4),
        cmocka_unit_test(test_ipv6),
        cmocka_unit_test(test_opaque_hosts),
        cmocka_unit_test(test_path),
        cmocka_unit_test(test_query_and_fragment),
        cmocka_unit_test(test_file),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
