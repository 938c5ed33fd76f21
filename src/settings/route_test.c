/* route_test.c - the routing table of network.md 4.5 and transports.md 11, row by row. */
#include "settings/settings.h"

#include "base/alloc.h"

#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

#define TOR_PROXY "socks5://u:p@127.0.0.1:9050/"
#define NYM_PROXY "socks5://127.0.0.1:1080/"

struct row {
    const char *active, *mixed; /* lists, comma-separated */
    bool proxies;
    const char *address;
    const char *endpoints[HY_MAX_ENDPOINTS + 1];
    bool is_mixed;
};

static const struct row rows[] = {
    { "tcp", "", true, "tcp://h:1", { "tcp://h:1/" }, false },
    { "", "", true, "tcp://h:1", { NULL }, false },
    { "tcp", "", true, "tcp+tls://h:1", { NULL }, false },
    { "quic", "quic", true, "quic://h:1", { "quic://h:1" }, false }, /* never mixed */
    { "tor", "tcp", true, "tcp://h:1", { "tor://h:1/" }, true },
    { "tor,tcp", "tcp", true, "tcp://h:1", { "tor://h:1/" }, true }, /* excludes the direct one */
    { "nym,tor", "tcp", true, "tcp://h:1", { "tor://h:1/", "nym://h:1/" }, true },
    { "socks5", "tcp", true, "tcp://h:1",
        { "socks5://u:p@127.0.0.1:9050/h:1", "socks5://127.0.0.1:1080/h:1" }, true },
    { "tor,nym,socks5", "tcp", true, "tcp://[2001:db8::1]:9",
        { "tor://[2001:db8::1]:9/", "nym://[2001:db8::1]:9/",
            "socks5://u:p@127.0.0.1:9050/[2001:db8::1]:9",
            "socks5://127.0.0.1:1080/[2001:db8::1]:9" },
        true },
    { "socks5", "tcp", false, "tcp://h:1", { NULL }, false },             /* no proxy set */
    { "socks5,tcp", "tcp", false, "tcp://h:1", { "tcp://h:1/" }, false }, /* none: direct */
    { "tor+tls", "tcp", true, "tcp://h:1", { NULL }, false },             /* TLS is not removed */
    { "tor", "tcp+tls", true, "tcp+tls://h:1", { NULL }, false },         /* nor added */
    { "tor+tls,nym+tls,socks5+tls", "tcp+tls", true, "tcp+tls://h:1",
        { "tor+tls://h:1/", "nym+tls://h:1/", "socks5+tls://u:p@127.0.0.1:9050/h:1",
            "socks5+tls://127.0.0.1:1080/h:1" },
        true },
    { "socks5", "tor", true, "tor://x.onion:1", { "socks5://u:p@127.0.0.1:9050/x.onion:1" }, true },
    { "socks5+tls", "tor+tls", true, "tor+tls://x.onion:1",
        { "socks5+tls://u:p@127.0.0.1:9050/x.onion:1" }, true },
    { "socks5", "i2p", true, "i2p://x.i2p:1", { NULL }, false },
    /* Without a port nothing leads there, and it must not go out directly either. */
    { "socks5,tcp", "tcp", true, "tcp://h", { NULL }, true },
};

static void add_list(struct hypha_settings *settings, const char *list, bool active)
{
    char copy[128], *save = NULL;

    assert_true(strlen(list) < sizeof copy);
    strcpy(copy, list);
    for (char *s = strtok_r(copy, ",", &save); s != NULL; s = strtok_r(NULL, ",", &save)) {
        assert_int_equal(hypha_settings_add_profile(settings, s), HYPHA_OK);
        assert_int_equal(active ? hypha_settings_add_active_profile(settings, s)
                                : hypha_settings_add_mixed_profile(settings, s),
            HYPHA_OK);
    }
}

static struct hy_resolved_settings *resolve_row(const struct row *row)
{
    struct hypha_settings *s = NULL;
    struct hy_resolved_settings *r = NULL;

    assert_int_equal(hypha_settings_create(&s), HYPHA_OK);
    assert_int_equal(hypha_settings_set_text(s, HYPHA_KEY_APP_NAME, "a"), HYPHA_OK);
    assert_int_equal(hypha_settings_set_text(s, HYPHA_KEY_APP_VERSION, "1.0.0"), HYPHA_OK);
    add_list(s, row->active, true);
    add_list(s, row->mixed, false);
    if (row->proxies) {
        assert_int_equal(
            hypha_settings_set_text(s, HYPHA_KEY_TOR_SOCKS5_PROXY, TOR_PROXY "?q=1"), HYPHA_OK);
        assert_int_equal(
            hypha_settings_set_text(s, HYPHA_KEY_NYM_SOCKS5_PROXY, NYM_PROXY), HYPHA_OK);
    }
    assert_int_equal(hy_settings_resolve(s, &r), HYPHA_OK);
    hypha_settings_destroy(s);
    return r;
}

static void test_rows(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        const struct row *row = &rows[i];
        struct hy_resolved_settings *r = resolve_row(row);
        struct hypha_url *url = NULL;
        struct hy_route route;
        size_t count = 0;
        bool direct;

        while (row->endpoints[count] != NULL)
            count++;
        assert_int_equal(hypha_url_parse_text(row->address, &url), HYPHA_OK);
        assert_int_equal(hy_settings_route(r, url, &route), HYPHA_OK);
        assert_int_equal(route.count, count);
        assert_int_equal(route.mixed, row->is_mixed);
        for (size_t e = 0; e < count; e++)
            assert_string_equal(hypha_url_text(route.endpoints[e]), row->endpoints[e]);
        assert_int_equal(hy_settings_is_routable(r, url, &direct), count > 0);
        assert_int_equal(direct, !row->is_mixed);
        hy_route_fini(&route);
        hypha_url_unref(url);
        hy_resolved_settings_destroy(r);
    }
}

static void test_no_memory(void **state)
{
    const struct row *row = &rows[8]; /* four endpoints */
    struct hy_resolved_settings *r = resolve_row(row);
    struct hypha_url *url = NULL;
    struct hy_route route;

    (void)state;
    assert_int_equal(hypha_url_parse_text(row->address, &url), HYPHA_OK);
    for (size_t n = 0;; n++) {
        enum hypha_err err;

        hy_alloc_fail_after(n);
        err = hy_settings_route(r, url, &route);
        hy_alloc_fail_after(SIZE_MAX);
        if (err == HYPHA_OK)
            break;
        assert_int_equal(err, HYPHA_ERR_NOMEM);
    }
    assert_int_equal(route.count, 4);
    hy_route_fini(&route);
    hypha_url_unref(url);
    hy_resolved_settings_destroy(r);
}

/* spec: network.md 4.5, wire.md 5.5: active ones in order, then mixed ones with a route */
static void test_shareable(void **state)
{
    static const struct row settings = { "quic,tcp+tls,tor,socks5", "tcp,nym,tor", true, "",
        { NULL }, false };
    struct hy_resolved_settings *r = resolve_row(&settings);
    const char *schemes[HY_MAX_SHAREABLE];

    (void)state;
    assert_int_equal(hy_settings_shareable(r, schemes), 3);
    assert_string_equal(schemes[0], "tcp+tls");
    assert_string_equal(schemes[1], "tor");
    assert_string_equal(schemes[2], "tcp");
    hy_resolved_settings_destroy(r);
    assert_true(hy_scheme_is_shareable("tls"));
    assert_true(hy_scheme_is_shareable("i2p+tls"));
    assert_false(hy_scheme_is_shareable("quic"));
    assert_false(hy_scheme_is_shareable("unix"));
    assert_false(hy_scheme_is_shareable("socks5"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_rows),
        cmocka_unit_test(test_no_memory),
        cmocka_unit_test(test_shareable),
    };

    return cmocka_run_group_tests_name("route", tests, NULL, NULL);
}
