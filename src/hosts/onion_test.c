/* onion_test.c - names that carry a key, right and nearly right. */
#include "hosts/host.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

/* Published services: the Tor Project's site, DuckDuckGo. */
static const char *const good[] = {
    "2gzyxa5ihm7nsggfxnu52rck2vv4rvmdlkiu3zzui5du4xyclen53wid.onion",
    "duckduckgogg42xjoc72x3sjasowoarfbgcmvfimaftt6twagswzczad.onion",
};

static void test_onions(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof good / sizeof good[0]; i++) {
        char host[80];

        assert_true(hy_onion_is_valid(good[i]));
        /* The checksum notices every single character. */
        for (size_t c = 0; c < 56; c++) {
            strcpy(host, good[i]);
            host[c] = host[c] == 'a' ? 'b' : 'a';
            assert_false(hy_onion_is_valid(host));
        }
        (void)snprintf(host, sizeof host, "www.%s", good[i]);
        assert_false(hy_onion_is_valid(host));
        (void)snprintf(host, sizeof host, "%.56s.com", good[i]);
        assert_false(hy_onion_is_valid(host));
        (void)snprintf(host, sizeof host, "%.52s.onion", good[i]); /* R's wrong one: 6.1 */
        assert_false(hy_onion_is_valid(host));
    }
    assert_false(hy_onion_is_valid("expyuzz4wqqyqhjn.onion")); /* version 2 */
    assert_false(hy_onion_is_valid("example.com"));
    assert_false(hy_onion_is_valid(""));
}

static void test_i2p(void **state)
{
    (void)state;
    /* 52 characters hold 260 bits: the last four are zero. */
    assert_true(hy_i2p_is_valid("aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaq.b32.i2p"));
    assert_true(hy_i2p_is_valid("rjxwbsw4zjhv4zsplma6jmf5nr24e4ymvvbycd3swgiinbvg7oga.b32.i2p"));
    assert_false(hy_i2p_is_valid("aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaab.b32.i2p"));
    assert_false(hy_i2p_is_valid("aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa.b32.i2p"));
    assert_false(hy_i2p_is_valid("1aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa.b32.i2p"));
    assert_false(hy_i2p_is_valid(".b32.i2p"));
    assert_true(hy_i2p_is_valid("stats.i2p"));
    assert_true(hy_i2p_is_valid("a-b.c0.i2p"));
    assert_false(hy_i2p_is_valid("a_b.i2p"));
    assert_false(hy_i2p_is_valid("a%41.i2p"));
    assert_false(hy_i2p_is_valid(".i2p"));
    assert_false(hy_i2p_is_valid("i2p"));
    assert_false(hy_i2p_is_valid("a.i2p.com"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_onions),
        cmocka_unit_test(test_i2p),
    };

    return cmocka_run_group_tests_name("onion", tests, NULL, NULL);
}
