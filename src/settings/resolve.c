/* resolve.c - from what was set to what a node reads: whole-picture checks, defaults, a copy.
 *
 * spec: network.md#3-settings, conversion rules (1) to (5). */
#include "base/alloc.h"
#include "base/span.h"
#include "settings/store.h"
#include "wire/message.h"

#include <string.h>

#define MAX_GETADDRS       255 /* wire.md 8 */
#define MAX_KNOWN_PERCENT  80
#define MAX_VERACK_BYTES   128 /* wire.md 3.1 */
#define VERACK_FIXED_BYTES 27  /* three numbers, three length bytes */

static const struct hy_timeouts quick = { 15000, 10000, 30000 };
static const struct hy_timeouts slow = { 65000, 55000, 90000 };

static bool is_quick(const char *scheme)
{
    return strcmp(scheme, "tcp") == 0 || strcmp(scheme, "tcp+tls") == 0 ||
        strcmp(scheme, "quic") == 0;
}

/* The first that is set: the profile's own, [net]'s, the scheme's. */
static uint32_t choose(const struct hypha_settings *settings,
    const struct hy_settings_table *profile, enum hypha_timeout_key key, uint32_t otherwise)
{
    if (profile != NULL && profile->timeouts_ms[key] > 0)
        return (uint32_t)profile->timeouts_ms[key];
    if (settings->net.timeouts_ms[key] > 0)
        return (uint32_t)settings->net.timeouts_ms[key];
    return otherwise;
}

static struct hy_timeouts choose_all(const struct hypha_settings *settings,
    const struct hy_settings_table *profile, const struct hy_timeouts *otherwise)
{
    return (struct hy_timeouts){
        .connect_ms = choose(settings, profile, HYPHA_TIMEOUT_CONNECT, otherwise->connect_ms),
        .handshake_ms = choose(settings, profile, HYPHA_TIMEOUT_HANDSHAKE, otherwise->handshake_ms),
        .heartbeat_ms = choose(settings, profile, HYPHA_TIMEOUT_HEARTBEAT, otherwise->heartbeat_ms),
    };
}

/* Rule (3): only active profiles that are not also mixed. */
static bool is_kept(const struct hypha_settings *settings, const char *scheme)
{
    return hy_scheme_array_has(&settings->active, scheme) &&
        !hy_scheme_array_has(&settings->mixed, scheme);
}

/* Rule (1), and that a verack with it fits its limit. */
static enum hypha_err check_identity(struct hypha_settings *settings)
{
    const char *name = settings->texts[HYPHA_KEY_APP_NAME];
    const char *text = settings->texts[HYPHA_KEY_APP_VERSION];
    struct hy_semver version;

    if (name == NULL)
        return hy_settings_refuse(
            settings, "app_name: not set; expected the name that all nodes of the network share");
    if (text == NULL)
        return hy_settings_refuse(
            settings, "app_version: not set; expected a semantic version such as 0.4.1");
    if (hy_semver_parse(hy_span_of(text), &version) != HYPHA_OK)
        return hy_settings_refuse(settings, "app_version: not a semantic version");
    if (VERACK_FIXED_BYTES + version.pre.len + version.build.len + strlen(name) > MAX_VERACK_BYTES)
        return hy_settings_refuse(settings,
            "app_name, app_version: too long together; expected at most %d bytes in name, "
            "pre-release and build",
            MAX_VERACK_BYTES - VERACK_FIXED_BYTES);
    return HYPHA_OK;
}

/* Rule (2). */
static enum hypha_err check_profiles(struct hypha_settings *settings)
{
    for (size_t i = 0; i < settings->active.count; i++) {
        const char *scheme = settings->active.schemes[i];
        bool exists = hy_scheme_array_has(&settings->mixed, scheme);

        for (size_t p = 0; p < settings->profile_count && !exists; p++)
            exists = strcmp(settings->profiles[p].scheme, scheme) == 0;
        if (!exists)
            return hy_settings_refuse(settings,
                "active_profiles: \"%s\" has no profile; expected a table "
                "[net.profiles.\"%s\"], even an empty one",
                scheme, scheme);
    }
    return HYPHA_OK;
}

static enum hypha_err copy_urls(struct hy_url_array *into, const struct hy_url_array *from)
{
    enum hypha_err err = HYPHA_OK;

    for (size_t i = 0; i < from->count && err == HYPHA_OK; i++) {
        if (!hy_url_array_has(into, from->urls[i]))
            err = hy_url_array_push(into, hypha_url_ref(from->urls[i]));
    }
    return err;
}

/* [net]'s lists, then those of the kept profiles in the order of their tables. */
static enum hypha_err gather_urls(
    const struct hypha_settings *settings, enum hypha_url_list list, struct hy_url_array *into)
{
    enum hypha_err err = copy_urls(into, &settings->net.urls[list]);

    for (size_t i = 0; i < settings->profile_count && err == HYPHA_OK; i++)
        if (is_kept(settings, settings->profiles[i].scheme))
            err = copy_urls(into, &settings->profiles[i].urls[list]);
    return err;
}

static enum hypha_err copy_lists(
    const struct hypha_settings *settings, struct hy_resolved_settings *resolved)
{
    enum hypha_err err = gather_urls(settings, HYPHA_LIST_INBOUND, &resolved->inbound);

    if (err == HYPHA_OK)
        err = gather_urls(settings, HYPHA_LIST_EXTERNAL_ADDRS, &resolved->external_addrs);
    if (err == HYPHA_OK)
        err = gather_urls(settings, HYPHA_LIST_PEERS, &resolved->peers);
    if (err == HYPHA_OK)
        err = gather_urls(settings, HYPHA_LIST_SEEDS, &resolved->seeds);
    if (err == HYPHA_OK)
        err = copy_urls(&resolved->blacklist, &settings->blacklist);
    for (size_t i = 0; i < settings->active.count && err == HYPHA_OK; i++)
        err = hy_scheme_array_add(&resolved->active, settings->active.schemes[i]);
    for (size_t i = 0; i < settings->mixed.count && err == HYPHA_OK; i++)
        err = hy_scheme_array_add(&resolved->mixed, settings->mixed.schemes[i]);
    return err;
}

/* Rules (3), (4), (5). */
static enum hypha_err copy_profiles(
    const struct hypha_settings *settings, struct hy_resolved_settings *resolved)
{
    uint32_t longest = 0;

    resolved->fallback = choose_all(settings, NULL, &quick);
    resolved->profiles = hy_alloc_array(settings->profile_count, sizeof *resolved->profiles);
    if (resolved->profiles == NULL)
        return HYPHA_ERR_NOMEM;
    for (size_t i = 0; i < settings->profile_count; i++) {
        const struct hy_settings_table *table = &settings->profiles[i];
        struct hy_profile *profile = &resolved->profiles[resolved->profile_count];

        if (!is_kept(settings, table->scheme))
            continue;
        profile->scheme = hy_strdup(table->scheme);
        if (profile->scheme == NULL)
            return HYPHA_ERR_NOMEM;
        profile->timeouts = choose_all(settings, table, is_quick(table->scheme) ? &quick : &slow);
        if (profile->timeouts.connect_ms > longest)
            longest = profile->timeouts.connect_ms;
        resolved->profile_count++;
    }
    resolved->outbound_connect_timeout_max_ms = longest > 0 ? longest
                                                            : resolved->fallback.connect_ms;
    return HYPHA_OK;
}

static void copy_numbers(const struct hypha_settings *settings, struct hy_resolved_settings *r)
{
    const int64_t *numbers = settings->numbers;
    int64_t getaddrs = numbers[HYPHA_KEY_GETADDRS_MAX];
    int64_t percent = numbers[HYPHA_KEY_KNOWN_PEER_PERCENT];

    r->outbound_connections = (uint32_t)numbers[HYPHA_KEY_OUTBOUND_CONNECTIONS];
    r->inbound_connections = (uint32_t)numbers[HYPHA_KEY_INBOUND_CONNECTIONS];
    r->discovery_cooloff_ms = (uint32_t)numbers[HYPHA_KEY_DISCOVERY_COOLOFF_MS];
    r->discovery_attempt_ms = (uint32_t)numbers[HYPHA_KEY_DISCOVERY_ATTEMPT_MS];
    r->getaddrs_max_set = getaddrs != HYPHA_UNSET;
    if (!r->getaddrs_max_set)
        getaddrs = numbers[HYPHA_KEY_OUTBOUND_CONNECTIONS];
    r->getaddrs_max = (uint32_t)(getaddrs < MAX_GETADDRS ? getaddrs : MAX_GETADDRS);
    r->refinery_interval_ms = (uint32_t)numbers[HYPHA_KEY_REFINERY_INTERVAL_MS];
    r->known_peer_percent = (uint32_t)(percent < MAX_KNOWN_PERCENT ? percent : MAX_KNOWN_PERCENT);
    if (settings->flags[HYPHA_KEY_DISABLE_GREYS])
        r->known_peer_percent = 100;
    r->time_with_no_connections_ms = (uint32_t)numbers[HYPHA_KEY_TIME_WITH_NO_CONNECTIONS_MS];
    r->max_unlimited_bytes = (uint64_t)numbers[HYPHA_KEY_MAX_UNLIMITED_BYTES];
    r->max_send_queue_bytes = (size_t)numbers[HYPHA_KEY_MAX_SEND_QUEUE_BYTES];
    r->max_recv_queue_bytes = (size_t)numbers[HYPHA_KEY_MAX_RECV_QUEUE_BYTES];
    r->hostlist_save_ms = (uint32_t)numbers[HYPHA_KEY_HOSTLIST_SAVE_MS];
    r->white_refinery_interval_ms = (uint32_t)numbers[HYPHA_KEY_WHITE_REFINERY_INTERVAL_MS];
    r->localnet = settings->flags[HYPHA_KEY_LOCALNET];
    r->disable_greys = settings->flags[HYPHA_KEY_DISABLE_GREYS];
    r->relaxed_bans = settings->flags[HYPHA_KEY_RELAXED_BANS];
    r->probe_announced = settings->flags[HYPHA_KEY_PROBE_ANNOUNCED];
    memcpy(r->magic, settings->magic, sizeof r->magic);
    r->log = settings->log;
}

static enum hypha_err copy_text(char **into, const char *text)
{
    if (text == NULL)
        return HYPHA_OK;
    *into = hy_strdup(text);
    return *into != NULL ? HYPHA_OK : HYPHA_ERR_NOMEM;
}

static enum hypha_err copy_texts(
    const struct hypha_settings *settings, struct hy_resolved_settings *r)
{
    const char *node_id = settings->texts[HYPHA_KEY_NODE_ID];
    enum hypha_err err = copy_text(&r->app_name, settings->texts[HYPHA_KEY_APP_NAME]);

    if (err == HYPHA_OK)
        err = copy_text(&r->app_version, settings->texts[HYPHA_KEY_APP_VERSION]);
    if (err == HYPHA_OK)
        err = copy_text(&r->node_id, node_id != NULL ? node_id : "");
    if (err == HYPHA_OK)
        err = copy_text(&r->hostlist, settings->texts[HYPHA_KEY_HOSTLIST]);
    if (err == HYPHA_OK)
        err = copy_text(&r->p2p_datastore, settings->texts[HYPHA_KEY_P2P_DATASTORE]);
    r->tor_socks5_proxy = hypha_url_ref(settings->proxies[HYPHA_KEY_TOR_SOCKS5_PROXY]);
    r->nym_socks5_proxy = hypha_url_ref(settings->proxies[HYPHA_KEY_NYM_SOCKS5_PROXY]);
    r->i2p_socks5_proxy = hypha_url_ref(settings->proxies[HYPHA_KEY_I2P_SOCKS5_PROXY]);
    return err;
}

enum hypha_err hy_settings_resolve(
    struct hypha_settings *settings, struct hy_resolved_settings **ret_resolved)
{
    struct hy_resolved_settings *resolved = NULL;
    enum hypha_err err;

    settings->why[0] = '\0';
    err = check_identity(settings);
    if (err == HYPHA_OK)
        err = check_profiles(settings);
    if (err != HYPHA_OK)
        goto fail;
    resolved = hy_alloc(sizeof *resolved);
    err = HYPHA_ERR_NOMEM;
    if (resolved == NULL)
        goto fail;
    copy_numbers(settings, resolved);
    err = copy_texts(settings, resolved);
    if (err == HYPHA_OK)
        err = copy_lists(settings, resolved);
    if (err == HYPHA_OK)
        err = copy_profiles(settings, resolved);
    if (err != HYPHA_OK)
        goto fail;
    *ret_resolved = resolved;
    return HYPHA_OK;

fail:
    hy_resolved_settings_destroy(resolved);
    return err;
}

void hy_resolved_settings_destroy(struct hy_resolved_settings *resolved)
{
    if (resolved == NULL)
        return;
    hy_url_array_clear(&resolved->inbound);
    hy_url_array_clear(&resolved->external_addrs);
    hy_url_array_clear(&resolved->peers);
    hy_url_array_clear(&resolved->seeds);
    hy_url_array_clear(&resolved->blacklist);
    for (size_t i = 0; i < resolved->profile_count; i++)
        hy_free(resolved->profiles[i].scheme);
    hy_free(resolved->profiles);
    hy_scheme_array_clear(&resolved->active);
    hy_scheme_array_clear(&resolved->mixed);
    hy_free(resolved->app_name);
    hy_free(resolved->app_version);
    hy_free(resolved->node_id);
    hy_free(resolved->hostlist);
    hy_free(resolved->p2p_datastore);
    hypha_url_unref(resolved->tor_socks5_proxy);
    hypha_url_unref(resolved->nym_socks5_proxy);
    hypha_url_unref(resolved->i2p_socks5_proxy);
    hy_free(resolved);
}

enum hypha_err hypha_settings_check(struct hypha_settings *settings)
{
    struct hy_resolved_settings *resolved = NULL;
    enum hypha_err err = hy_settings_resolve(settings, &resolved);

    hy_resolved_settings_destroy(resolved);
    return err;
}

const struct hy_timeouts *hy_settings_timeouts(
    const struct hy_resolved_settings *settings, const char *scheme)
{
    for (size_t i = 0; i < settings->profile_count; i++)
        if (strcmp(settings->profiles[i].scheme, scheme) == 0)
            return &settings->profiles[i].timeouts;
    return &settings->fallback;
}

bool hy_settings_is_active(const struct hy_resolved_settings *settings, const char *scheme)
{
    return hy_scheme_array_has(&settings->active, scheme);
}

bool hy_settings_is_mixed(const struct hy_resolved_settings *settings, const char *scheme)
{
    return hy_scheme_array_has(&settings->mixed, scheme);
}
