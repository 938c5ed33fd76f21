/* settings_test.c - what setters take and refuse, and what a node gets to read. */
#include "settings/settings.h"

#include "base/alloc.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static struct hypha_settings *settings_with_identity(void)
{
    struct hypha_settings *settings = NULL;

    assert_int_equal(hypha_settings_create(&settings), HYPHA_OK);
    assert_int_equal(hypha_settings_set_text(settings, HYPHA_KEY_APP_NAME, "dchatd"), HYPHA_OK);
    assert_int_equal(hypha_settings_set_text(settings, HYPHA_KEY_APP_VERSION, "0.4.1"), HYPHA_OK);
    return settings;
}

static struct hy_resolved_settings *resolve(struct hypha_settings *settings)
{
    struct hy_resolved_settings *resolved = NULL;
    enum hypha_err err = hy_settings_resolve(settings, &resolved);

    if (err != HYPHA_OK)
        print_error("%s\n", hypha_settings_why(settings));
    assert_int_equal(err, HYPHA_OK);
    assert_string_equal(hypha_settings_why(settings), "");
    return resolved;
}

#define ok(call) assert_int_equal(call, HYPHA_OK)
/* Refused, and the message is exactly this. */
#define refused(settings, call, text)                                                              \
    do {                                                                                           \
        assert_int_equal(call, HYPHA_ERR_SETTINGS);                                                \
        assert_string_equal(hypha_settings_why(settings), text);                                   \
    } while (0)

/* spec: network.md 3; vectors/wire.json "settings/default" */
static void test_defaults(void **state)
{
    struct hypha_settings *settings = settings_with_identity();
    struct hy_resolved_settings *r = resolve(settings);
    static const uint8_t magic[4] = { 0xd9, 0xef, 0xb6, 0x7d };

    (void)state;
    assert_int_equal(r->outbound_connections, 8);
    assert_int_equal(r->inbound_connections, 8);
    assert_int_equal(r->discovery_cooloff_ms, 30000);
    assert_int_equal(r->discovery_attempt_ms, 5000);
    assert_int_equal(r->refinery_interval_ms, 15000);
    assert_int_equal(r->known_peer_percent, 70);
    assert_int_equal(r->time_with_no_connections_ms, 30000);
    assert_int_equal(r->getaddrs_max, 8);
    assert_false(r->getaddrs_max_set);
    assert_false(r->localnet);
    assert_false(r->disable_greys);
    assert_false(r->relaxed_bans);
    assert_string_equal(hypha_url_text(r->i2p_socks5_proxy), "socks5://127.0.0.1:4447/");
    assert_null(r->tor_socks5_proxy);
    assert_null(r->nym_socks5_proxy);
    assert_int_equal(r->fallback.connect_ms, 15000);
    assert_int_equal(r->fallback.handshake_ms, 10000);
    assert_int_equal(r->fallback.heartbeat_ms, 30000);
    assert_int_equal(r->outbound_connect_timeout_max_ms, 15000);
    assert_memory_equal(r->magic, magic, 4);
    assert_string_equal(r->node_id, "");
    assert_null(r->hostlist);
    assert_null(r->p2p_datastore);
    assert_int_equal(r->max_unlimited_bytes, 16 * 1024 * 1024);
    assert_int_equal(r->active.count + r->mixed.count + r->profile_count, 0);
    assert_int_equal(r->inbound.count + r->external_addrs.count + r->peers.count + r->seeds.count +
            r->blacklist.count,
        0);
    assert_null(r->log.cb);
    hy_resolved_settings_destroy(r);
    hypha_settings_destroy(settings);
}

static void test_identity(void **state)
{
    struct hypha_settings *settings = NULL;
    char name[103];

    (void)state;
    ok(hypha_settings_create(&settings));
    refused(settings, hypha_settings_check(settings),
        "app_name: not set; expected the name that all nodes of the network share");
    ok(hypha_settings_set_text(settings, HYPHA_KEY_APP_NAME, "x"));
    refused(settings, hypha_settings_check(settings),
        "app_version: not set; expected a semantic version such as 0.4.1");
    refused(settings, hypha_settings_set_text(settings, HYPHA_KEY_APP_VERSION, "0.4"),
        "app_version: \"0.4\" is not a semantic version; expected one such as 0.4.1");
    ok(hypha_settings_set_text(settings, HYPHA_KEY_APP_VERSION, "1.2.3-a.1+b"));
    ok(hypha_settings_check(settings));
    /* Name, pre-release and build must leave room in a verack of 128 bytes: wire.md 3.1. */
    memset(name, 'n', sizeof name);
    name[102] = '\0';
    refused(settings, hypha_settings_set_text(settings, HYPHA_KEY_APP_NAME, name),
        "app_name: \"nnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnn"
        "nnnnnnnnnnnnnnnnnnnnnnnnnnnn...\" is too long; expected at most 101 bytes");
    name[97] = '\0';
    ok(hypha_settings_set_text(settings, HYPHA_KEY_APP_NAME, name));
    ok(hypha_settings_check(settings));
    name[97] = 'n';
    name[98] = '\0';
    ok(hypha_settings_set_text(settings, HYPHA_KEY_APP_NAME, name));
    refused(settings, hypha_settings_check(settings),
        "app_name, app_version: too long together; expected at most 101 bytes in name, "
        "pre-release and build");
    refused(settings, hypha_settings_set_text(settings, HYPHA_KEY_NODE_ID, "\xff"),
        "node_id: \"\\xff\" is not valid UTF-8; expected text");
    hypha_settings_destroy(settings);
}

static void test_urls(void **state)
{
    struct hypha_settings *s = settings_with_identity();

    (void)state;
    refused(s, hypha_settings_add_url(s, NULL, HYPHA_LIST_INBOUND, "tcp://foo"),
        "inbound: \"tcp://foo\" has no port; expected scheme://host:port");
    refused(s, hypha_settings_add_url(s, "TCP", HYPHA_LIST_PEERS, "tcp://foo"),
        "profiles.\"tcp\".peers: \"tcp://foo\" has no port; expected scheme://host:port");
    refused(s, hypha_settings_add_url(s, NULL, HYPHA_LIST_SEEDS, "quic:foo:1"),
        "seeds: \"quic:foo:1\" has no host; expected scheme://host:port");
    refused(s, hypha_settings_add_url(s, NULL, HYPHA_LIST_SEEDS, "hello\n"),
        "seeds: \"hello\\n\" is not a valid URL; expected scheme://host:port");
    refused(s, hypha_settings_add_url(s, NULL, HYPHA_LIST_PEERS, "tcp://foo:0"),
        "peers: \"tcp://foo:0\" has port 0, which can only be listened on; expected a port from 1 "
        "to 65535");
    refused(s, hypha_settings_add_url(s, NULL, HYPHA_LIST_PEERS, NULL),
        "peers: a URL is missing; expected scheme://host:port");
    refused(s, hypha_settings_add_url(s, NULL, HYPHA_LIST_PEERS, "tcp://256.1.1.1:1"),
        "peers: \"tcp://256.1.1.1:1\" is not a valid URL; expected scheme://host:port");
    refused(s, hypha_settings_add_url(s, NULL, HYPHA_LIST_INBOUND, "unix://host/p"),
        "inbound: \"unix://host/p\" has a host; expected unix:///absolute/path");
    refused(s, hypha_settings_add_url(s, NULL, HYPHA_LIST_INBOUND, "unix:///"),
        "inbound: \"unix:///\" has no path; expected unix:///absolute/path");
    refused(s, hypha_settings_add_url(s, "t c p", HYPHA_LIST_INBOUND, "tcp://foo:1"),
        "profiles: \"t c p\" is no URL scheme; expected one such as tcp or tcp+tls");
    ok(hypha_settings_add_url(s, NULL, HYPHA_LIST_INBOUND, "unix:///tmp/s"));
    ok(hypha_settings_add_url(s, NULL, HYPHA_LIST_INBOUND, "tcp://0.0.0.0:0"));
    ok(hypha_settings_add_url(s, NULL, HYPHA_LIST_EXTERNAL_ADDRS, "tcp://[::]:0"));
    hypha_settings_destroy(s);
}

/* spec: network.md 3, conversion rule (3): profiles' lists are appended to [net]'s */
static void test_lists_are_appended(void **state)
{
    struct hypha_settings *s = settings_with_identity();
    struct hy_resolved_settings *r;

    (void)state;
    ok(hypha_settings_add_url(s, "tcp", HYPHA_LIST_SEEDS, "tcp://profile:1"));
    ok(hypha_settings_add_url(s, "tor", HYPHA_LIST_SEEDS, "tor://unused:1"));
    ok(hypha_settings_add_url(s, "tcp+tls", HYPHA_LIST_SEEDS, "tcp+tls://mixed:1"));
    ok(hypha_settings_add_url(s, NULL, HYPHA_LIST_SEEDS, "tcp://dropped:1"));
    hypha_settings_clear_urls(s, HYPHA_LIST_SEEDS);
    ok(hypha_settings_add_url(s, NULL, HYPHA_LIST_SEEDS, "tcp://Net:1"));
    ok(hypha_settings_add_url(s, NULL, HYPHA_LIST_SEEDS, "tcp://net:1/"));
    ok(hypha_settings_add_active_profile(s, "tcp"));
    ok(hypha_settings_add_active_profile(s, "tcp"));
    ok(hypha_settings_add_active_profile(s, "tcp+tls"));
    ok(hypha_settings_add_mixed_profile(s, "tcp+tls"));
    r = resolve(s);
    assert_int_equal(r->seeds.count, 2);
    assert_string_equal(hypha_url_text(r->seeds.urls[0]), "tcp://net:1/");
    assert_string_equal(hypha_url_text(r->seeds.urls[1]), "tcp://profile:1/");
    assert_int_equal(r->active.count, 2);
    assert_true(hy_settings_is_active(r, "tcp+tls"));
    assert_true(hy_settings_is_mixed(r, "tcp+tls"));
    assert_false(hy_settings_is_active(r, "tor"));
    assert_int_equal(r->profile_count, 1);
    hypha_settings_destroy(s); /* the copy is of its own */
    assert_string_equal(r->profiles[0].scheme, "tcp");
    assert_string_equal(r->app_name, "dchatd");
    hy_resolved_settings_destroy(r);
}

/* spec: network.md MUST 3-c: conversion rule (2) */
static void test_active_profile_must_exist(void **state)
{
    struct hypha_settings *s = settings_with_identity();

    (void)state;
    ok(hypha_settings_add_active_profile(s, "tcp"));
    refused(s, hypha_settings_check(s),
        "active_profiles: \"tcp\" has no profile; expected a table [net.profiles.\"tcp\"], even "
        "an empty one");
    ok(hypha_settings_add_mixed_profile(s, "tcp")); /* excused */
    ok(hypha_settings_check(s));
    hypha_settings_clear_mixed_profiles(s);
    ok(hypha_settings_add_profile(s, "tcp"));
    ok(hypha_settings_check(s));
    hypha_settings_clear_active_profiles(s);
    ok(hypha_settings_check(s));
    refused(s, hypha_settings_add_active_profile(s, "9p"),
        "active_profiles: \"9p\" is no URL scheme; expected one such as tcp or tcp+tls");
    refused(s, hypha_settings_add_mixed_profile(s, NULL),
        "mixed_profiles: \"\" is no URL scheme; expected one such as tcp or tcp+tls");
    hypha_settings_destroy(s);
}

static void assert_timeouts(const struct hy_resolved_settings *r, const char *scheme,
    uint32_t connect_ms, uint32_t handshake_ms, uint32_t heartbeat_ms)
{
    const struct hy_timeouts *timeouts = hy_settings_timeouts(r, scheme);

    assert_int_equal(timeouts->connect_ms, connect_ms);
    assert_int_equal(timeouts->handshake_ms, handshake_ms);
    assert_int_equal(timeouts->heartbeat_ms, heartbeat_ms);
}

/* Profile keys and conversion rules (4), (5). spec: network.md MUST 3-b; wire.md 5.1 */
static void test_timeouts(void **state)
{
    struct hypha_settings *s = settings_with_identity();
    struct hy_resolved_settings *r;

    (void)state;
    ok(hypha_settings_add_profile(s, "quic"));
    ok(hypha_settings_add_profile(s, "tor"));
    ok(hypha_settings_add_profile(s, "i2p"));
    ok(hypha_settings_set_timeout(s, "tcp", HYPHA_TIMEOUT_HANDSHAKE, 1234));
    ok(hypha_settings_add_active_profile(s, "tcp"));
    ok(hypha_settings_add_active_profile(s, "quic"));
    ok(hypha_settings_add_active_profile(s, "tor"));
    r = resolve(s);
    assert_timeouts(r, "tcp", 15000, 1234, 30000);
    assert_timeouts(r, "quic", 15000, 10000, 30000);
    assert_timeouts(r, "tor", 65000, 55000, 90000);
    assert_timeouts(r, "i2p", 15000, 10000, 30000); /* not kept */
    assert_timeouts(r, "nym", 15000, 10000, 30000);
    assert_int_equal(r->outbound_connect_timeout_max_ms, 65000);
    hy_resolved_settings_destroy(r);

    /* [net]'s times are honoured as the profiles' fallback. */
    ok(hypha_settings_set_timeout(s, NULL, HYPHA_TIMEOUT_CONNECT, 7000));
    ok(hypha_settings_set_timeout(s, NULL, HYPHA_TIMEOUT_HANDSHAKE, 8000));
    r = resolve(s);
    assert_timeouts(r, "tcp", 7000, 1234, 30000);
    assert_timeouts(r, "tor", 7000, 8000, 90000);
    assert_timeouts(r, "nym", 7000, 8000, 30000);
    assert_int_equal(r->outbound_connect_timeout_max_ms, 7000);
    hy_resolved_settings_destroy(r);

    refused(s, hypha_settings_set_timeout(s, NULL, HYPHA_TIMEOUT_HEARTBEAT, 0),
        "channel_heartbeat_interval: 0 ms is out of range; expected 1 to 4294967295 ms");
    hypha_settings_destroy(s);
}

/* spec: network.md MUST 3-a: set or not */
static void test_numbers(void **state)
{
    struct hypha_settings *s = settings_with_identity();
    struct hy_resolved_settings *r;

    (void)state;
    for (int key = 0; key < HYPHA_KEYS_NUMBER; key++) {
        assert_int_equal(
            hypha_settings_set_number(s, (enum hypha_number_key)key, -1), HYPHA_ERR_SETTINGS);
        assert_int_equal(hypha_settings_set_number(s, (enum hypha_number_key)key, INT64_MAX),
            HYPHA_ERR_SETTINGS);
        assert_non_null(strstr(hypha_settings_why(s), "is out of range; expected"));
        ok(hypha_settings_set_number(s, (enum hypha_number_key)key, HYPHA_UNSET));
    }
    refused(s, hypha_settings_set_number(s, HYPHA_KEY_KNOWN_PEER_PERCENT, 101),
        "known_peer_percent: 101 is out of range; expected 0 to 100");
    refused(s, hypha_settings_set_number(s, HYPHA_KEY_REFINERY_INTERVAL_MS, 0),
        "greylist_refinery_interval: 0 ms is out of range; expected 1 to 4294967295 ms");
    refused(s, hypha_settings_set_number(s, HYPHA_KEY_OUTBOUND_CONNECTIONS, 1025),
        "outbound_connections: 1025 is out of range; expected 0 to 1024");
    ok(hypha_settings_set_number(s, HYPHA_KEY_KNOWN_PEER_PERCENT, 100));
    ok(hypha_settings_set_number(s, HYPHA_KEY_OUTBOUND_CONNECTIONS, 1024));
    r = resolve(s);
    assert_int_equal(r->known_peer_percent, 80); /* capped */
    assert_int_equal(r->getaddrs_max, 255);      /* capped */
    hy_resolved_settings_destroy(r);
    ok(hypha_settings_set_number(s, HYPHA_KEY_GETADDRS_MAX, 1000));
    ok(hypha_settings_set_flag(s, HYPHA_KEY_DISABLE_GREYS, true));
    r = resolve(s);
    assert_int_equal(r->known_peer_percent, 100);
    assert_int_equal(r->getaddrs_max, 255);
    assert_true(r->getaddrs_max_set);
    hy_resolved_settings_destroy(r);
    hypha_settings_destroy(s);
}

static void test_paths(void **state)
{
    struct hypha_settings *s = settings_with_identity();
    struct hy_resolved_settings *r;
    char *home = getenv("HOME") != NULL ? strdup(getenv("HOME")) : NULL;

    (void)state;
    assert_int_equal(setenv("HOME", "/home/alice/", 1), 0);
    ok(hypha_settings_set_text(s, HYPHA_KEY_HOSTLIST, "~/x/hosts.tsv"));
    ok(hypha_settings_set_text(s, HYPHA_KEY_P2P_DATASTORE, "rel/~/y"));
    r = resolve(s);
    assert_string_equal(r->hostlist, "/home/alice/x/hosts.tsv");
    assert_string_equal(r->p2p_datastore, "rel/~/y");
    hy_resolved_settings_destroy(r);
    refused(s, hypha_settings_set_text(s, HYPHA_KEY_HOSTLIST, "~bob/x"),
        "hostlist: \"~bob/x\" is another user's home, which is not expanded; expected ~/... or a "
        "full path");
    ok(hypha_settings_set_text(s, HYPHA_KEY_HOSTLIST, ""));
    /* Without $HOME the user database knows. */
    assert_int_equal(unsetenv("HOME"), 0);
    ok(hypha_settings_set_text(s, HYPHA_KEY_P2P_DATASTORE, "~"));
    r = resolve(s);
    assert_null(r->hostlist);
    assert_int_equal(r->p2p_datastore[0], '/');
    hy_resolved_settings_destroy(r);
    if (home != NULL)
        assert_int_equal(setenv("HOME", home, 1), 0);
    free(home);
    hypha_settings_destroy(s);
}

static void test_proxies(void **state)
{
    struct hypha_settings *s = settings_with_identity();
    struct hy_resolved_settings *r;

    (void)state;
    refused(s, hypha_settings_set_text(s, HYPHA_KEY_TOR_SOCKS5_PROXY, "socks5://u:secret@h"),
        "tor_socks5_proxy: the URL has no port; expected socks5://host:port");
    refused(s, hypha_settings_set_text(s, HYPHA_KEY_NYM_SOCKS5_PROXY, "tcp://h:1"),
        "nym_socks5_proxy: scheme tcp is no SOCKS5 proxy; expected socks5://host:port");
    refused(s, hypha_settings_set_text(s, HYPHA_KEY_I2P_SOCKS5_PROXY, "h"),
        "i2p_socks5_proxy: the value is not a valid URL; expected socks5://host:port");
    ok(hypha_settings_set_text(s, HYPHA_KEY_TOR_SOCKS5_PROXY, "socks5://u:p@127.0.0.1:9050"));
    ok(hypha_settings_set_text(s, HYPHA_KEY_I2P_SOCKS5_PROXY, ""));
    r = resolve(s);
    assert_string_equal(hypha_url_text(r->tor_socks5_proxy), "socks5://u:p@127.0.0.1:9050/");
    assert_null(r->i2p_socks5_proxy);
    hy_resolved_settings_destroy(r);
    hypha_settings_destroy(s);
}

/* spec: network.md 4.7: schemes x ports; no scheme = tcp+tls; no port or 0 = all */
static void test_blacklist(void **state)
{
    static const char *const schemes[] = { "tcp", "quic" };
    static const uint16_t ports[] = { 80, 0 };
    static const char *const bad[] = { "t p" };
    static const char *const expected[] = { "tcp+tls://evil.example/", "tcp://1.2.3.4:80/",
        "tcp://1.2.3.4/", "quic://1.2.3.4:80", "quic://1.2.3.4", "tcp+tls://[2001:db8::1]/" };
    struct hypha_settings *s = settings_with_identity();
    struct hy_resolved_settings *r;

    (void)state;
    ok(hypha_settings_add_blacklist(s, "Evil.Example", NULL, 0, NULL, 0));
    ok(hypha_settings_add_blacklist(s, "1.2.3.4", schemes, 2, ports, 2));
    ok(hypha_settings_add_blacklist(s, "2001:db8::1", NULL, 0, NULL, 0));
    refused(s, hypha_settings_add_blacklist(s, "tcp://h:1", NULL, 0, NULL, 0),
        "blacklist: \"tcp://h:1\" is no host; expected a name or an IP address, without scheme "
        "and port");
    refused(s, hypha_settings_add_blacklist(s, "", NULL, 0, NULL, 0),
        "blacklist: the host is missing; expected a name or an IP address");
    refused(s, hypha_settings_add_blacklist(s, "h:1", NULL, 0, NULL, 0),
        "blacklist: \"h:1\" is no host; expected a name or an IP address, without scheme and "
        "port");
    refused(s, hypha_settings_add_blacklist(s, "h", bad, 1, NULL, 0),
        "blacklist: \"t p://h\" is not a valid URL; expected [host, [schemes], [ports]]");
    r = resolve(s);
    assert_int_equal(r->blacklist.count, 6);
    for (size_t i = 0; i < 6; i++)
        assert_string_equal(hypha_url_text(r->blacklist.urls[i]), expected[i]);
    hy_resolved_settings_destroy(r);
    hypha_settings_destroy(s);
}

static enum hypha_err fill(struct hypha_settings *s)
{
    static const uint16_t ports[] = { 1, 2 };
    enum hypha_err err = hypha_settings_set_text(s, HYPHA_KEY_APP_NAME, "a");

    if (err == HYPHA_OK)
        err = hypha_settings_set_text(s, HYPHA_KEY_APP_VERSION, "1.0.0");
    if (err == HYPHA_OK)
        err = hypha_settings_set_text(s, HYPHA_KEY_HOSTLIST, "~/h");
    if (err == HYPHA_OK)
        err = hypha_settings_set_text(s, HYPHA_KEY_TOR_SOCKS5_PROXY, "socks5://h:1");
    if (err == HYPHA_OK)
        err = hypha_settings_add_url(s, NULL, HYPHA_LIST_PEERS, "tcp://h:1");
    if (err == HYPHA_OK)
        err = hypha_settings_add_url(s, "tcp", HYPHA_LIST_SEEDS, "tcp://h:2");
    if (err == HYPHA_OK)
        err = hypha_settings_set_timeout(s, "tor", HYPHA_TIMEOUT_CONNECT, 5);
    if (err == HYPHA_OK)
        err = hypha_settings_add_active_profile(s, "tcp");
    if (err == HYPHA_OK)
        err = hypha_settings_add_mixed_profile(s, "tcp+tls");
    if (err == HYPHA_OK)
        err = hypha_settings_add_blacklist(s, "h", NULL, 0, ports, 2);
    return err;
}

/* Fail the first, second, ... allocation of everything: an error each time, nothing leaked. */
static void test_no_memory(void **state)
{
    size_t failures = 0;

    (void)state;
    for (size_t n = 0;; n++) {
        struct hypha_settings *s = NULL;
        struct hy_resolved_settings *r = NULL;
        enum hypha_err err;

        hy_alloc_fail_after(n);
        err = hypha_settings_create(&s);
        if (err == HYPHA_OK)
            err = fill(s);
        if (err == HYPHA_OK)
            err = hy_settings_resolve(s, &r);
        hy_alloc_fail_after(SIZE_MAX);
        hy_resolved_settings_destroy(r);
        hypha_settings_destroy(s);
        if (err == HYPHA_OK)
            break;
        assert_int_equal(err, HYPHA_ERR_NOMEM);
        failures++;
    }
    assert_true(failures > 20);
}

static bool has_name(const char *const *names, size_t count, const char *name)
{
    for (size_t i = 0; i < count; i++)
        if (strcmp(names[i], name) == 0)
            return true;
    return false;
}

/* What differs is named as the file names it, once, on its own side. spec: network.md 2.4 */
static void test_changes_are_named(void **state)
{
    static const uint8_t magic[4] = { 1, 2, 3, 4 };
    struct hypha_settings *s = settings_with_identity();
    struct hy_resolved_settings *a, *b;
    const char *names[HY_MAX_CHANGES];

    (void)state;
    ok(hypha_settings_add_profile(s, "tcp"));
    ok(hypha_settings_add_active_profile(s, "tcp"));
    ok(hypha_settings_add_url(s, NULL, HYPHA_LIST_SEEDS, "tcp://a:1"));
    ok(hypha_settings_add_url(s, NULL, HYPHA_LIST_SEEDS, "tcp://b:1"));
    a = resolve(s);
    hypha_settings_clear_urls(s, HYPHA_LIST_SEEDS);
    ok(hypha_settings_add_url(s, NULL, HYPHA_LIST_SEEDS, "tcp://b:1"));
    ok(hypha_settings_add_url(s, NULL, HYPHA_LIST_SEEDS, "tcp://a:1"));
    b = resolve(s);
    assert_int_equal(hy_settings_changes(a, b, false, names), 0); /* the order means nothing */
    assert_int_equal(hy_settings_changes(a, b, true, names), 0);
    hy_resolved_settings_destroy(b);

    ok(hypha_settings_add_url(s, NULL, HYPHA_LIST_SEEDS, "tcp://c:1"));
    ok(hypha_settings_set_number(s, HYPHA_KEY_OUTBOUND_CONNECTIONS, 3));
    ok(hypha_settings_set_flag(s, HYPHA_KEY_DISABLE_GREYS, true));
    ok(hypha_settings_set_timeout(s, "tcp", HYPHA_TIMEOUT_HEARTBEAT, 5));
    ok(hypha_settings_set_magic(s, magic));
    ok(hypha_settings_set_text(s, HYPHA_KEY_HOSTLIST, "/elsewhere"));
    ok(hypha_settings_set_text(s, HYPHA_KEY_TOR_SOCKS5_PROXY, "socks5://127.0.0.1:9050"));
    ok(hypha_settings_add_mixed_profile(s, "tor"));
    b = resolve(s);
    size_t count = hy_settings_changes(a, b, false, names);
    assert_int_equal(count, 4); /* known_peer_percent follows disable_greys, getaddrs_max slots */
    assert_true(has_name(names, count, "seeds"));
    assert_true(has_name(names, count, "outbound_connections"));
    assert_true(has_name(names, count, "disable_greys"));
    assert_true(has_name(names, count, "channel_heartbeat_interval"));
    count = hy_settings_changes(a, b, true, names);
    assert_int_equal(count, 4);
    assert_true(has_name(names, count, "magic_bytes"));
    assert_true(has_name(names, count, "hostlist"));
    assert_true(has_name(names, count, "tor_socks5_proxy"));
    assert_true(has_name(names, count, "mixed_profiles"));
    hy_resolved_settings_destroy(a);
    hy_resolved_settings_destroy(b);
    hypha_settings_destroy(s);
}

/* In place, all that is reloadable, nothing else; a second swap undoes the first. */
static void test_reloadable_fields_are_swapped(void **state)
{
    struct hypha_settings *s = settings_with_identity();
    struct hy_resolved_settings *node, *fresh;
    const char *names[HY_MAX_CHANGES];

    (void)state;
    for (int i = 0; i < HYPHA_KEYS_NUMBER; i++)
        ok(hypha_settings_set_number(s, (enum hypha_number_key)i, 2));
    ok(hypha_settings_add_profile(s, "tcp"));
    ok(hypha_settings_add_active_profile(s, "tcp"));
    node = resolve(s);
    for (int i = 0; i < HYPHA_KEYS_NUMBER; i++)
        ok(hypha_settings_set_number(s, (enum hypha_number_key)i, 3));
    for (int i = 0; i < HYPHA_KEYS_FLAG; i++)
        ok(hypha_settings_set_flag(s, (enum hypha_flag_key)i, true));
    ok(hypha_settings_add_url(s, NULL, HYPHA_LIST_PEERS, "tcp://peer:1"));
    ok(hypha_settings_add_url(s, NULL, HYPHA_LIST_INBOUND, "tcp://0.0.0.0:1"));
    ok(hypha_settings_set_timeout(s, "tcp", HYPHA_TIMEOUT_CONNECT, 77));
    ok(hypha_settings_add_profile(s, "quic"));
    ok(hypha_settings_add_active_profile(s, "quic"));
    fresh = resolve(s);
    size_t reloadable = hy_settings_changes(node, fresh, false, names);
    size_t others = hy_settings_changes(node, fresh, true, names);
    assert_true(reloadable > 10 && others >= 7);

    hy_settings_swap_reloadable(node, fresh);
    assert_int_equal(hy_settings_changes(node, fresh, true, names), others);
    assert_int_equal(node->outbound_connections, 3);
    assert_int_equal(node->peers.count, 1);
    assert_int_equal(node->inbound.count, 0);
    assert_int_equal(fresh->peers.count, 0);
    assert_true(node->relaxed_bans && node->disable_greys);
    assert_false(node->localnet || node->probe_announced);
    assert_int_equal(node->max_send_queue_bytes, 2);
    assert_int_equal(hy_settings_timeouts(node, "tcp")->connect_ms, 77);
    assert_int_equal(node->profile_count, 1);
    struct hy_resolved_settings *again = resolve(s);
    assert_int_equal(hy_settings_changes(node, again, false, names), 0); /* all that was named */
    hy_resolved_settings_destroy(again);

    hy_settings_swap_reloadable(node, fresh);
    assert_int_equal(hy_settings_changes(node, fresh, false, names), reloadable);
    assert_int_equal(node->outbound_connections, 2);
    assert_int_equal(hy_settings_timeouts(node, "tcp")->connect_ms, 15000);
    hy_resolved_settings_destroy(node);
    hy_resolved_settings_destroy(fresh);
    hypha_settings_destroy(s);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_defaults),
        cmocka_unit_test(test_identity),
        cmocka_unit_test(test_urls),
        cmocka_unit_test(test_lists_are_appended),
        cmocka_unit_test(test_active_profile_must_exist),
        cmocka_unit_test(test_timeouts),
        cmocka_unit_test(test_numbers),
        cmocka_unit_test(test_paths),
        cmocka_unit_test(test_proxies),
        cmocka_unit_test(test_blacklist),
        cmocka_unit_test(test_no_memory),
        cmocka_unit_test(test_changes_are_named),
        cmocka_unit_test(test_reloadable_fields_are_swapped),
    };

    return cmocka_run_group_tests_name("settings", tests, NULL, NULL);
}
