/* settings.c - collect a node's settings, refusing at once what can't be meant.
 *
 * Every setter leaves the object as it was when it refuses, and says in hypha_settings_why()
 * which value it was and what was expected. spec: network.md#3-settings */
#include "base/alloc.h"
#include "base/span.h"
#include "settings/store.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#define MAX_MS    ((int64_t)UINT32_MAX)
#define MAX_QUEUE ((int64_t)1 << 40)

static const struct number_rule {
    const char *name, *unit;
    int64_t min, max, initial;
} number_rules[HYPHA_KEYS_NUMBER] = {
    [HYPHA_KEY_OUTBOUND_CONNECTIONS] = { "outbound_connections", "", 0, 1024, 8 },
    [HYPHA_KEY_INBOUND_CONNECTIONS] = { "inbound_connections", "", 0, 65535, 8 },
    [HYPHA_KEY_DISCOVERY_COOLOFF_MS] = { "outbound_peer_discovery_cooloff_time", " ms", 1, MAX_MS,
        30000 },
    [HYPHA_KEY_DISCOVERY_ATTEMPT_MS] = { "outbound_peer_discovery_attempt_time", " ms", 1, MAX_MS,
        5000 },
    [HYPHA_KEY_GETADDRS_MAX] = { "getaddrs_max", "", 0, UINT32_MAX, HYPHA_UNSET },
    [HYPHA_KEY_REFINERY_INTERVAL_MS] = { "greylist_refinery_interval", " ms", 1, MAX_MS, 15000 },
    [HYPHA_KEY_KNOWN_PEER_PERCENT] = { "known_peer_percent", "", 0, 100, 70 },
    [HYPHA_KEY_TIME_WITH_NO_CONNECTIONS_MS] = { "time_with_no_connections", " ms", 0, MAX_MS,
        30000 },
    [HYPHA_KEY_MAX_UNLIMITED_BYTES] = { "max_unlimited_bytes", " bytes", 1, MAX_QUEUE,
        16 * 1024 * 1024 },
    [HYPHA_KEY_MAX_SEND_QUEUE_BYTES] = { "max_send_queue_bytes", " bytes", 1, MAX_QUEUE,
        1024 * 1024 },
    [HYPHA_KEY_MAX_RECV_QUEUE_BYTES] = { "max_recv_queue_bytes", " bytes", 1, MAX_QUEUE,
        2 * 1024 * 1024 },
    [HYPHA_KEY_HOSTLIST_SAVE_MS] = { "hostlist_save_interval", " ms", 1, MAX_MS, 15 * 60 * 1000 },
    [HYPHA_KEY_WHITE_REFINERY_INTERVAL_MS] = { "whitelist_refinery_interval", " ms", 1, MAX_MS,
        120000 },
};

static const char *const timeout_names[HYPHA_TIMEOUTS] = {
    [HYPHA_TIMEOUT_CONNECT] = "outbound_connect_timeout",
    [HYPHA_TIMEOUT_HANDSHAKE] = "channel_handshake_timeout",
    [HYPHA_TIMEOUT_HEARTBEAT] = "channel_heartbeat_interval",
};

const char *hy_settings_timeout_name(enum hypha_timeout_key key)
{
    return timeout_names[key];
}

enum hypha_err hypha_settings_create(struct hypha_settings **ret_settings)
{
    static const uint8_t default_magic[4] = { 0xd9, 0xef, 0xb6, 0x7d };
    struct hypha_settings *settings = hy_alloc(sizeof *settings);
    enum hypha_err err = HYPHA_ERR_NOMEM;

    if (settings == NULL)
        return err;
    for (size_t i = 0; i < HYPHA_KEYS_NUMBER; i++)
        settings->numbers[i] = number_rules[i].initial;
    memcpy(settings->magic, default_magic, sizeof settings->magic);
    err = hypha_settings_set_text(settings, HYPHA_KEY_I2P_SOCKS5_PROXY, "socks5://127.0.0.1:4447");
    if (err != HYPHA_OK)
        goto fail;
    *ret_settings = settings;
    return HYPHA_OK;

fail:
    hypha_settings_destroy(settings);
    return err;
}

static void table_fini(struct hy_settings_table *table)
{
    for (size_t i = 0; i < HY_URL_LISTS; i++)
        hy_url_array_clear(&table->urls[i]);
    hy_free(table->scheme);
}

void hypha_settings_destroy(struct hypha_settings *settings)
{
    if (settings == NULL)
        return;
    table_fini(&settings->net);
    for (size_t i = 0; i < settings->profile_count; i++)
        table_fini(&settings->profiles[i]);
    hy_free(settings->profiles);
    for (size_t i = 0; i < HYPHA_KEYS_TEXT; i++) {
        hy_free(settings->texts[i]);
        hypha_url_unref(settings->proxies[i]);
    }
    hy_scheme_array_clear(&settings->active);
    hy_scheme_array_clear(&settings->mixed);
    hy_url_array_clear(&settings->blacklist);
    hy_free(settings);
}

const char *hypha_settings_why(const struct hypha_settings *settings)
{
    return settings->why;
}

enum hypha_err hy_settings_refuse(struct hypha_settings *settings, const char *format, ...)
{
    va_list args;

    va_start(args, format);
    (void)vsnprintf(settings->why, sizeof settings->why, format, args);
    va_end(args);
    return HYPHA_ERR_SETTINGS;
}

/* A value in quotes' stead: control characters escaped, cut. */
static const char *shown(const char *value, char into[HY_SETTINGS_SHOW_BYTES])
{
    return hy_span_escape(hy_span_of(value), into, HY_SETTINGS_SHOW_BYTES);
}

/* A URL scheme, lower case, into a buffer of its own. */
static enum hypha_err take_scheme(struct hypha_settings *settings, const char *key,
    const char *value, char into[HY_MAX_SCHEME_BYTES])
{
    char show[HY_SETTINGS_SHOW_BYTES];
    size_t len = value != NULL ? strlen(value) : 0;
    bool good = len > 0 && len < HY_MAX_SCHEME_BYTES;

    for (size_t i = 0; good && i < len; i++) {
        char c = value[i];

        if (c >= 'A' && c <= 'Z')
            c = (char)(c - 'A' + 'a');
        bool letter = c >= 'a' && c <= 'z';
        bool other = (c >= '0' && c <= '9') || c == '+' || c == '-' || c == '.';

        good = letter || (i > 0 && other);
        into[i] = c;
    }
    if (!good)
        return hy_settings_refuse(settings,
            "%s: \"%s\" is no URL scheme; expected one such as "
            "tcp or tcp+tls",
            key, shown(value != NULL ? value : "", show));
    into[len] = '\0';
    return HYPHA_OK;
}

/* [net] for NULL, else the profile's table, made if it is new. */
static enum hypha_err take_table(
    struct hypha_settings *settings, const char *profile, struct hy_settings_table **ret_table)
{
    char scheme[HY_MAX_SCHEME_BYTES];
    enum hypha_err err;

    *ret_table = &settings->net;
    if (profile == NULL)
        return HYPHA_OK;
    err = take_scheme(settings, "profiles", profile, scheme);
    if (err != HYPHA_OK)
        return err;
    for (size_t i = 0; i < settings->profile_count; i++) {
        *ret_table = &settings->profiles[i];
        if (strcmp(settings->profiles[i].scheme, scheme) == 0)
            return HYPHA_OK;
    }

    struct hy_settings_table *grown = hy_realloc(
        settings->profiles, (settings->profile_count + 1) * sizeof *grown);
    if (grown == NULL)
        return HYPHA_ERR_NOMEM;
    settings->profiles = grown;
    *ret_table = &grown[settings->profile_count];
    **ret_table = (struct hy_settings_table){ .scheme = hy_strdup(scheme) };
    if ((*ret_table)->scheme == NULL)
        return HYPHA_ERR_NOMEM;
    settings->profile_count++;
    return HYPHA_OK;
}

/* What a URL of a configured list must have to be listened on, dialled or announced.
 * spec: network.md#3-settings (SHOULD validate), transports.md#13-refusals */
static enum hypha_err check_url(struct hypha_settings *settings, const char *label,
    const char *text, const struct hypha_url *url, bool zero_port_ok)
{
    char show[HY_SETTINGS_SHOW_BYTES];

    (void)shown(text, show);
    if (strlen(hypha_url_text(url)) > HY_MAX_SETTING_BYTES)
        return hy_settings_refuse(settings, "%s: \"%s...\" is too long; expected at most %d bytes",
            label, show, HY_MAX_SETTING_BYTES);
    if (strcmp(hypha_url_scheme(url), "unix") == 0) {
        if (hypha_url_host(url)[0] != '\0' || hypha_url_has_port(url))
            return hy_settings_refuse(
                settings, "%s: \"%s\" has a host; expected unix:///absolute/path", label, show);
        if (hypha_url_path(url)[0] != '/' || hypha_url_path(url)[1] == '\0')
            return hy_settings_refuse(
                settings, "%s: \"%s\" has no path; expected unix:///absolute/path", label, show);
        return HYPHA_OK;
    }
    if (hypha_url_host(url)[0] == '\0')
        return hy_settings_refuse(
            settings, "%s: \"%s\" has no host; expected scheme://host:port", label, show);
    if (!hypha_url_has_port(url))
        return hy_settings_refuse(
            settings, "%s: \"%s\" has no port; expected scheme://host:port", label, show);
    if (hypha_url_port(url) == 0 && !zero_port_ok)
        return hy_settings_refuse(settings,
            "%s: \"%s\" has port 0, which can only be listened on; expected a port from 1 to 65535",
            label, show);
    return HYPHA_OK;
}

static enum hypha_err parse_url(struct hypha_settings *settings, const char *label,
    const char *text, bool zero_port_ok, struct hypha_url **ret_url)
{
    char show[HY_SETTINGS_SHOW_BYTES];
    struct hypha_url *url = NULL;
    enum hypha_err err;

    if (text == NULL)
        return hy_settings_refuse(
            settings, "%s: a URL is missing; expected scheme://host:port", label);
    err = hypha_url_parse_text(text, &url);
    if (err == HYPHA_ERR_NOMEM)
        return err;
    if (err != HYPHA_OK)
        return hy_settings_refuse(settings, "%s: \"%s\" is %s; expected scheme://host:port", label,
            shown(text, show), hypha_err_text(err));
    err = check_url(settings, label, text, url, zero_port_ok);
    if (err != HYPHA_OK) {
        hypha_url_unref(url);
        return err;
    }
    *ret_url = url;
    return HYPHA_OK;
}

enum hypha_err hypha_settings_add_url(struct hypha_settings *settings, const char *profile,
    enum hypha_url_list list, const char *text)
{
    static const char *const names[HY_URL_LISTS] = {
        [HYPHA_LIST_INBOUND] = "inbound",
        [HYPHA_LIST_EXTERNAL_ADDRS] = "external_addrs",
        [HYPHA_LIST_PEERS] = "peers",
        [HYPHA_LIST_SEEDS] = "seeds",
    };
    /* An announced port 0 stands for the listener's. spec: transports.md#2-tcp */
    bool zero_port_ok = list == HYPHA_LIST_INBOUND || list == HYPHA_LIST_EXTERNAL_ADDRS;
    struct hy_settings_table *table;
    struct hypha_url *url = NULL;
    char scheme[HY_MAX_SCHEME_BYTES], label[96];
    enum hypha_err err;

    settings->why[0] = '\0';
    (void)snprintf(label, sizeof label, "%s", names[list]);
    if (profile != NULL) {
        err = take_scheme(settings, "profiles", profile, scheme);
        if (err != HYPHA_OK)
            return err;
        (void)snprintf(label, sizeof label, "profiles.\"%s\".%s", scheme, names[list]);
    }
    err = parse_url(settings, label, text, zero_port_ok, &url);
    if (err != HYPHA_OK)
        return err;
    err = take_table(settings, profile, &table);
    if (err != HYPHA_OK) {
        hypha_url_unref(url);
        return err;
    }
    return hy_url_array_push(&table->urls[list], url);
}

void hypha_settings_clear_urls(struct hypha_settings *settings, enum hypha_url_list list)
{
    hy_url_array_clear(&settings->net.urls[list]);
}

enum hypha_err hypha_settings_set_number(
    struct hypha_settings *settings, enum hypha_number_key key, int64_t value)
{
    const struct number_rule *rule = &number_rules[key];

    settings->why[0] = '\0';
    if (value == HYPHA_UNSET)
        value = rule->initial;
    else if (value < rule->min || value > rule->max)
        return hy_settings_refuse(settings, "%s: %lld%s is out of range; expected %lld to %lld%s",
            rule->name, (long long)value, rule->unit, (long long)rule->min, (long long)rule->max,
            rule->unit);
    settings->numbers[key] = value;
    return HYPHA_OK;
}

enum hypha_err hypha_settings_set_flag(
    struct hypha_settings *settings, enum hypha_flag_key key, bool value)
{
    settings->why[0] = '\0';
    settings->flags[key] = value;
    return HYPHA_OK;
}

enum hypha_err hypha_settings_set_magic(struct hypha_settings *settings, const uint8_t magic[4])
{
    settings->why[0] = '\0';
    memcpy(settings->magic, magic, sizeof settings->magic);
    return HYPHA_OK;
}

enum hypha_err hypha_settings_set_timeout(
    struct hypha_settings *settings, const char *profile, enum hypha_timeout_key key, int64_t ms)
{
    struct hy_settings_table *table;
    enum hypha_err err;

    settings->why[0] = '\0';
    if (ms <= 0 || ms > MAX_MS)
        return hy_settings_refuse(settings, "%s: %lld ms is out of range; expected 1 to %lld ms",
            timeout_names[key], (long long)ms, (long long)MAX_MS);
    err = take_table(settings, profile, &table);
    if (err == HYPHA_OK)
        table->timeouts_ms[key] = ms;
    return err;
}

enum hypha_err hypha_settings_add_profile(struct hypha_settings *settings, const char *profile)
{
    struct hy_settings_table *table;

    settings->why[0] = '\0';
    return take_table(settings, profile != NULL ? profile : "", &table);
}

static enum hypha_err add_scheme(struct hypha_settings *settings, const char *key,
    struct hy_scheme_array *array, const char *value)
{
    char scheme[HY_MAX_SCHEME_BYTES];
    enum hypha_err err;

    settings->why[0] = '\0';
    err = take_scheme(settings, key, value, scheme);
    return err == HYPHA_OK ? hy_scheme_array_add(array, scheme) : err;
}

enum hypha_err hypha_settings_add_active_profile(
    struct hypha_settings *settings, const char *scheme)
{
    return add_scheme(settings, "active_profiles", &settings->active, scheme);
}

void hypha_settings_clear_active_profiles(struct hypha_settings *settings)
{
    hy_scheme_array_clear(&settings->active);
}

enum hypha_err hypha_settings_add_mixed_profile(struct hypha_settings *settings, const char *scheme)
{
    return add_scheme(settings, "mixed_profiles", &settings->mixed, scheme);
}

void hypha_settings_clear_mixed_profiles(struct hypha_settings *settings)
{
    hy_scheme_array_clear(&settings->mixed);
}

void hypha_settings_set_log(
    struct hypha_settings *settings, hypha_log_cb cb, void *user, enum hypha_log_level level)
{
    settings->log = (struct hy_log){ .cb = cb, .user = user, .level = level };
}
