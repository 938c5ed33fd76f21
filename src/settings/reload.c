/* reload.c - what of other settings a running node can take over, and what it cannot.
 *
 * The reloadable fields are moved in place, because every room holds a pointer to the node's
 * settings; the swap takes no memory and undoes itself when done twice. Everything else keeps its
 * value until the node is made anew, and is named. */
#include "settings/store.h"

#include <string.h>

/* ---- equality ---- */

/* The order of a list means nothing, and no list has an entry twice (resolve.c). */
static bool same_urls(const struct hy_url_array *a, const struct hy_url_array *b)
{
    if (a->count != b->count)
        return false;
    for (size_t i = 0; i < a->count; i++)
        if (!hy_url_array_has(b, a->urls[i]))
            return false;
    return true;
}

static bool same_schemes(const struct hy_scheme_array *a, const struct hy_scheme_array *b)
{
    if (a->count != b->count)
        return false;
    for (size_t i = 0; i < a->count; i++)
        if (!hy_scheme_array_has(b, a->schemes[i]))
            return false;
    return true;
}

static bool same_text(const char *a, const char *b)
{
    return a == NULL || b == NULL ? a == b : strcmp(a, b) == 0;
}

static bool same_url(const struct hypha_url *a, const struct hypha_url *b)
{
    return a == NULL || b == NULL ? a == b : hypha_url_equal(a, b);
}

static uint32_t timeout_of(const struct hy_timeouts *timeouts, enum hypha_timeout_key key)
{
    switch (key) {
    case HYPHA_TIMEOUT_CONNECT:
        return timeouts->connect_ms;
    case HYPHA_TIMEOUT_HANDSHAKE:
        return timeouts->handshake_ms;
    case HYPHA_TIMEOUT_HEARTBEAT:
        return timeouts->heartbeat_ms;
    case HYPHA_TIMEOUTS:
        break;
    }
    return 0;
}

/* The profile of that scheme; NULL: there is none. */
static struct hy_profile *profile_of(
    const struct hy_resolved_settings *settings, const char *scheme)
{
    for (size_t i = 0; i < settings->profile_count; i++)
        if (strcmp(settings->profiles[i].scheme, scheme) == 0)
            return &settings->profiles[i];
    return NULL;
}

/* Of the profiles that both have: the others come and go with active_profiles. */
static bool same_timeout(const struct hy_resolved_settings *a, const struct hy_resolved_settings *b,
    enum hypha_timeout_key key)
{
    bool same = timeout_of(&a->fallback, key) == timeout_of(&b->fallback, key);

    for (size_t i = 0; i < a->profile_count && same; i++) {
        const struct hy_profile *other = profile_of(b, a->profiles[i].scheme);

        same = other == NULL ||
            timeout_of(&a->profiles[i].timeouts, key) == timeout_of(&other->timeouts, key);
    }
    return same;
}

/* ---- the keys ---- */

struct key {
    const char *name;
    bool restart, same;
};

size_t hy_settings_changes(const struct hy_resolved_settings *a,
    const struct hy_resolved_settings *b, bool restart, const char *names[HY_MAX_CHANGES])
{
    const struct key keys[] = {
        { "outbound_connections", false, a->outbound_connections == b->outbound_connections },
        { "inbound_connections", false, a->inbound_connections == b->inbound_connections },
        { "peers", false, same_urls(&a->peers, &b->peers) },
        { "seeds", false, same_urls(&a->seeds, &b->seeds) },
        { "external_addrs", false, same_urls(&a->external_addrs, &b->external_addrs) },
        { "blacklist", false, same_urls(&a->blacklist, &b->blacklist) },
        { "ban_policy", false, a->relaxed_bans == b->relaxed_bans },
        { "known_peer_percent", false,
            a->known_peer_percent == b->known_peer_percent ||
                a->disable_greys != b->disable_greys },
        { "disable_greys", false, a->disable_greys == b->disable_greys },
        { "getaddrs_max", false,
            a->getaddrs_max_set == b->getaddrs_max_set &&
                (!a->getaddrs_max_set || a->getaddrs_max == b->getaddrs_max) },
        { "outbound_peer_discovery_cooloff_time", false,
            a->discovery_cooloff_ms == b->discovery_cooloff_ms },
        { "outbound_peer_discovery_attempt_time", false,
            a->discovery_attempt_ms == b->discovery_attempt_ms },
        { "greylist_refinery_interval", false, a->refinery_interval_ms == b->refinery_interval_ms },
        { "whitelist_refinery_interval", false,
            a->white_refinery_interval_ms == b->white_refinery_interval_ms },
        { "time_with_no_connections", false,
            a->time_with_no_connections_ms == b->time_with_no_connections_ms },
        { "hostlist_save_interval", false, a->hostlist_save_ms == b->hostlist_save_ms },
        { hy_settings_timeout_name(HYPHA_TIMEOUT_CONNECT), false,
            same_timeout(a, b, HYPHA_TIMEOUT_CONNECT) },
        { hy_settings_timeout_name(HYPHA_TIMEOUT_HANDSHAKE), false,
            same_timeout(a, b, HYPHA_TIMEOUT_HANDSHAKE) },
        { hy_settings_timeout_name(HYPHA_TIMEOUT_HEARTBEAT), false,
            same_timeout(a, b, HYPHA_TIMEOUT_HEARTBEAT) },
        { "log", false, b->log.cb == NULL || a->log.level == b->log.level },

        { "inbound", true, same_urls(&a->inbound, &b->inbound) },
        { "active_profiles", true, same_schemes(&a->active, &b->active) },
        { "mixed_profiles", true, same_schemes(&a->mixed, &b->mixed) },
        { "magic_bytes", true, memcmp(a->magic, b->magic, sizeof a->magic) == 0 },
        { "app_name", true, same_text(a->app_name, b->app_name) },
        { "app_version", true, same_text(a->app_version, b->app_version) },
        { "node_id", true, same_text(a->node_id, b->node_id) },
        { "localnet", true, a->localnet == b->localnet },
        { "hostlist", true, same_text(a->hostlist, b->hostlist) },
        { "p2p_datastore", true, same_text(a->p2p_datastore, b->p2p_datastore) },
        { "tor_socks5_proxy", true, same_url(a->tor_socks5_proxy, b->tor_socks5_proxy) },
        { "nym_socks5_proxy", true, same_url(a->nym_socks5_proxy, b->nym_socks5_proxy) },
        { "i2p_socks5_proxy", true, same_url(a->i2p_socks5_proxy, b->i2p_socks5_proxy) },
        { "probe_announced", true, a->probe_announced == b->probe_announced },
        { "max_unlimited_bytes", true, a->max_unlimited_bytes == b->max_unlimited_bytes },
        { "max_send_queue_bytes", true, a->max_send_queue_bytes == b->max_send_queue_bytes },
        { "max_recv_queue_bytes", true, a->max_recv_queue_bytes == b->max_recv_queue_bytes },
    };
    size_t count = 0;

    _Static_assert(sizeof keys / sizeof keys[0] <= HY_MAX_CHANGES, "names[] is too short");
    for (size_t i = 0; i < sizeof keys / sizeof keys[0]; i++)
        if (!keys[i].same && keys[i].restart == restart)
            names[count++] = keys[i].name;
    return count;
}

/* ---- taking them over ---- */

/* Shallow: whoever owned them before owns what is left behind. */
static void take(struct hy_resolved_settings *into, const struct hy_resolved_settings *from)
{
    into->outbound_connections = from->outbound_connections;
    into->inbound_connections = from->inbound_connections;
    into->peers = from->peers;
    into->seeds = from->seeds;
    into->external_addrs = from->external_addrs;
    into->blacklist = from->blacklist;
    into->relaxed_bans = from->relaxed_bans;
    into->known_peer_percent = from->known_peer_percent;
    into->disable_greys = from->disable_greys;
    into->getaddrs_max = from->getaddrs_max;
    into->getaddrs_max_set = from->getaddrs_max_set;
    into->discovery_cooloff_ms = from->discovery_cooloff_ms;
    into->discovery_attempt_ms = from->discovery_attempt_ms;
    into->refinery_interval_ms = from->refinery_interval_ms;
    into->white_refinery_interval_ms = from->white_refinery_interval_ms;
    into->time_with_no_connections_ms = from->time_with_no_connections_ms;
    into->hostlist_save_ms = from->hostlist_save_ms;
    into->fallback = from->fallback;
    into->outbound_connect_timeout_max_ms = from->outbound_connect_timeout_max_ms;
}

static void swap_profiles(struct hy_resolved_settings *settings, struct hy_resolved_settings *fresh)
{
    for (size_t i = 0; i < settings->profile_count; i++) {
        struct hy_profile *mine = &settings->profiles[i];
        struct hy_profile *other = profile_of(fresh, mine->scheme);

        if (other == NULL)
            continue;
        struct hy_timeouts kept = mine->timeouts;
        mine->timeouts = other->timeouts;
        other->timeouts = kept;
    }
}

void hy_settings_swap_reloadable(
    struct hy_resolved_settings *settings, struct hy_resolved_settings *fresh)
{
    struct hy_resolved_settings was = *settings;

    take(settings, fresh);
    take(fresh, &was);
    swap_profiles(settings, fresh);
    if (fresh->log.cb != NULL) {
        settings->log.level = fresh->log.level;
        fresh->log.level = was.log.level;
    }
}
