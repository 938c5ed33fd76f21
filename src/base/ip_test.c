/* ip_test.c - addresses as tables: what parses, how it prints, what is local. */
#include "base/ip.h"
#include "base/span.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#define COUNT(array) (sizeof(array) / sizeof(array)[0])

static struct hy_ip ip_of(const char *text)
{
    struct hy_ip ip = { 0 };

    if (!hy_ip_parse_v4(hy_span_of(text), &ip) && !hy_ip_parse_v6(hy_span_of(text), &ip))
        fail_msg("does not parse: %s", text);
    return ip;
}

static void test_v4(void **state)
{
    static const char *const good[] = { "0.0.0.0", "1.2.3.4", "255.255.255.255", "10.0.0.200" };
    static const char *const bad[] = { "", ".", "1", "1.2.3", "1.2.3.", "1.2.3.4.", "1.2.3.4.5",
        ".1.2.3", "1..2.3", "256.0.0.1", "1.2.3.999", "1.2.3.99999999999999999999", "01.2.3.4",
        "1.2.3.00", "0x1.2.3.4", "1.2.3.4 ", " 1.2.3.4", "-1.2.3.4", "1.2.3.4\n", "1.2.3.a",
        "1:2.3.4" };

    (void)state;
    for (size_t i = 0; i < COUNT(good); i++) {
        char text[HY_IP_TEXT_BYTES];
        struct hy_ip ip;

        assert_true(hy_ip_parse_v4(hy_span_of(good[i]), &ip));
        assert_int_equal(ip.len, 4);
        assert_string_equal(hy_ip_format(&ip, text), good[i]);
    }
    for (size_t i = 0; i < COUNT(bad); i++) {
        struct hy_ip ip = { .len = 77 };

        if (hy_ip_parse_v4(hy_span_of(bad[i]), &ip))
            fail_msg("parses: %s", bad[i]);
        assert_int_equal(ip.len, 77);
    }
    /* A zero inside is a byte like others. */
    assert_false(hy_ip_parse_v4(hy_span("1.2.3.4\0", 8), &(struct hy_ip){ 0 }));
}

/* Input and its RFC 5952 form; no dotted quad in the output. */
static void test_v6_format(void **state)
{
    static const char *const pairs[][2] = {
        { "::", "::" },
        { "0:0:0:0:0:0:0:0", "::" },
        { "::1", "::1" },
        { "1::", "1::" },
        { "2001:DB8::8:800:200C:417A", "2001:db8::8:800:200c:417a" },
        { "2001:0db8:0000:0000:0000:0000:0000:0001", "2001:db8::1" },
        { "FF01:0:0:0:0:0:0:101", "ff01::101" },
        /* RFC 5952, 4.2.2: one group is not shortened. */
        { "2001:db8:0:1:1:1:1:1", "2001:db8:0:1:1:1:1:1" },
        { "2001:db8::1:1:1:1:1", "2001:db8:0:1:1:1:1:1" },
        { "1:2:3:4:5:6:7::", "1:2:3:4:5:6:7:0" },
        { "::2:3:4:5:6:7:8", "0:2:3:4:5:6:7:8" },
        /* 4.2.3: the longest run, of equal ones the first. */
        { "2001:0:0:1:0:0:0:1", "2001:0:0:1::1" },
        { "2001:db8:0:0:1:0:0:1", "2001:db8::1:0:0:1" },
        { "1:0:0:2:0:0:0:0", "1:0:0:2::" },
        { "0:0:1:0:0:0:1:0", "0:0:1::1:0" },
        { "::13.1.68.3", "::d01:4403" },
        { "::FFFF:1.2.3.4", "::ffff:102:304" },
        { "64:ff9b::192.0.2.33", "64:ff9b::c000:221" },
        { "1:2:3:4:5:6:1.2.3.4", "1:2:3:4:5:6:102:304" },
        { "1::5:6:1.2.3.4", "1::5:6:102:304" },
        { "ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff", "ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff" },
    };

    (void)state;
    for (size_t i = 0; i < COUNT(pairs); i++) {
        char text[HY_IP_TEXT_BYTES];
        struct hy_ip ip, again;

        if (!hy_ip_parse_v6(hy_span_of(pairs[i][0]), &ip))
            fail_msg("does not parse: %s", pairs[i][0]);
        assert_int_equal(ip.len, 16);
        assert_string_equal(hy_ip_format(&ip, text), pairs[i][1]);
        assert_true(hy_ip_parse_v6(hy_span_of(text), &again));
        assert_true(hy_ip_equal(&ip, &again));
    }
}

static void test_v6_bad(void **state)
{
    static const char *const bad[] = { "", ":", ":::", "1", "1:", ":1", "1:2:3:4:5:6:7",
        "1:2:3:4:5:6:7:", ":2:3:4:5:6:7:8", "1:2:3:4:5:6:7:8:9",
        "1:2:3:4:5:6:7:8::", "::1:2:3:4:5:6:7:8", "1:2:3:4::5:6:7:8", "1::2::3", "1:::2", ":::1",
        "1:::", "12345::", "::g", "::1%eth0", "[::1]", "::1 ", " ::1", "::1.2.3", "::1.2.3.4.5",
        "::256.1.1.1", "::01.2.3.4", "::1.2.3.4:5", "1.2.3.4::", "1.2.3.4",
        "::1.2.3.4::", "1:2:3:4:5:6:7:1.2.3.4", "1:2:3:4:5:1.2.3.4", "::2:3:4:5:6:7:1.2.3.4",
        "::1-2", "::+1", "::0x1" };

    (void)state;
    for (size_t i = 0; i < COUNT(bad); i++) {
        struct hy_ip ip = { .len = 77 };

        if (hy_ip_parse_v6(hy_span_of(bad[i]), &ip))
            fail_msg("parses: %s", bad[i]);
        assert_int_equal(ip.len, 77);
    }
}

/* The first and last address of every local network, and its neighbours outside.
 * spec: network.md 4.4 */
static void test_local(void **state)
{
    static const char *const local[] = { "0.0.0.0", "0.255.255.255", "10.0.0.0", "10.255.255.255",
        "100.64.0.0", "100.127.255.255", "127.0.0.0", "127.0.0.1", "127.255.255.255", "169.254.0.0",
        "169.254.255.255", "172.16.0.0", "172.31.255.255", "192.0.0.0", "192.0.0.8", "192.0.0.11",
        "192.0.0.255", "192.0.2.0", "192.0.2.255", "192.168.0.0", "192.168.255.255", "198.18.0.0",
        "198.19.255.255", "198.51.100.0", "198.51.100.255", "203.0.113.0", "203.0.113.255",
        "224.0.0.0", "239.255.255.255", "240.0.0.0", "255.255.255.255", "::", "::1",
        "::ffff:0.0.0.0", "::ffff:8.8.8.8", "::ffff:255.255.255.255",
        "64:ff9b:1::", "64:ff9b:1:ffff:ffff:ffff:ffff:ffff", "100::", "100::ffff:ffff:ffff:ffff",
        "2001::", "2001:1::", "2001:1::3", "2001:1:1::1", "2001:2::", "2001:4:111:ffff::",
        "2001:4:113::", "2001:1f:ffff::", "2001:40::", "2001:1ff:ffff:ffff:ffff:ffff:ffff:ffff",
        "2001:db8::", "2001:db8:ffff:ffff:ffff:ffff:ffff:ffff", "2002::", "2002:ffff::", "3fff::",
        "3fff:fff:ffff:ffff::", "5f00::", "5f00:ffff::", "fc00::", "fdff:ffff::1",
        "fe80::", "febf:ffff::1", "ff00::", "ff02::1", "ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff" };
    static const char *const global[] = { "1.0.0.0", "8.8.8.8", "9.255.255.255", "11.0.0.0",
        "100.63.255.255", "100.128.0.0", "126.255.255.255", "128.0.0.0", "169.253.255.255",
        "169.255.0.0", "172.15.255.255", "172.32.0.0", "191.255.255.255", "192.0.0.9", "192.0.0.10",
        "192.0.1.0", "192.0.3.0", "192.167.255.255", "192.169.0.0", "198.17.255.255", "198.20.0.0",
        "198.51.99.255", "198.51.101.0", "203.0.112.255", "203.0.114.0", "223.255.255.255", "::2",
        "::fffe:8.8.8.8", "::1:0:0:0", "64:ff9b::8.8.8.8",
        "64:ff9b:2::", "100:0:0:1::", "2001:1::1", "2001:1::2", "2001:3::", "2001:3:ffff::1",
        "2001:4:112::", "2001:4:112:ffff::1", "2001:20::", "2001:2f:ffff::1",
        "2001:30::", "2001:3f:ffff::1",
        "2001:200::", "2001:db7:ffff::", "2001:db9::", "2003::", "3ffe:ffff::", "3fff:1000::",
        "5eff:ffff::", "5f01::", "fbff:ffff::", "fe00::", "fe7f:ffff::", "fec0::", "feff:ffff::1",
        "2606:4700::1111" };

    (void)state;
    for (size_t i = 0; i < COUNT(local); i++) {
        struct hy_ip ip = ip_of(local[i]);

        if (!hy_ip_is_local(&ip))
            fail_msg("is not local: %s", local[i]);
    }
    for (size_t i = 0; i < COUNT(global); i++) {
        struct hy_ip ip = ip_of(global[i]);

        if (hy_ip_is_local(&ip))
            fail_msg("is local: %s", global[i]);
    }
}

static void test_kinds(void **state)
{
    static const struct {
        const char *text;
        bool loopback, unspecified;
    } rows[] = {
        { "127.0.0.1", true, false },
        { "127.255.0.9", true, false },
        { "128.0.0.1", false, false },
        { "0.0.0.0", false, true },
        { "0.0.0.1", false, false },
        { "::1", true, false },
        { "::2", false, false },
        { "::", false, true },
        { "1::", false, false },
    };
    struct hy_ip none = { 0 };
    char text[HY_IP_TEXT_BYTES];

    (void)state;
    for (size_t i = 0; i < COUNT(rows); i++) {
        struct hy_ip ip = ip_of(rows[i].text);

        assert_int_equal(hy_ip_is_loopback(&ip), rows[i].loopback);
        assert_int_equal(hy_ip_is_unspecified(&ip), rows[i].unspecified);
    }
    assert_false(hy_ip_is_loopback(&none));
    assert_false(hy_ip_is_unspecified(&none));
    assert_false(hy_ip_is_local(&none));
    assert_string_equal(hy_ip_format(&none, text), "");
}

static void test_equal(void **state)
{
    struct hy_ip a = ip_of("1.2.3.4"), b = ip_of("1.2.3.5"), c = ip_of("102:304::");

    (void)state;
    assert_true(hy_ip_equal(&a, &a));
    assert_false(hy_ip_equal(&a, &b));
    assert_false(hy_ip_equal(&a, &c)); /* the same front, another length */
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_v4),
        cmocka_unit_test(test_v6_format),
        cmocka_unit_test(test_v6_bad),
        cmocka_unit_test(test_local),
        cmocka_unit_test(test_kinds),
        cmocka_unit_test(test_equal),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
