/* settings/settings.h - the settings as the rooms read them.
 *
 * What setters collected is "resolved" once, into a struct of plain fields. The struct stays
 * where it is for the node's life; some fields change in a reload, in one step (reload.c). spec:
 * network.md#3-settings */
#ifndef HY_SETTINGS_SETTINGS_H
#define HY_SETTINGS_SETTINGS_H

#include "base/log.h"
#include <hypha/settings.h>
#include <hypha/url.h>

struct hy_url_array {
    struct hypha_url **urls;
    size_t count;
};

struct hy_timeouts {
    uint32_t connect_ms;
    uint32_t handshake_ms;
    uint32_t heartbeat_ms;
};

struct hy_profile {
    char *scheme;
    struct hy_timeouts timeouts;
};

struct hy_scheme_array {
    char **schemes;
    size_t count;
};

/* One expanded blacklist entry: a URL, without port = all ports of scheme and host. */
struct hy_resolved_settings {
    struct hy_url_array inbound, external_addrs, peers, seeds, blacklist;
    struct hy_profile *profiles; /* kept ones: active and not mixed */
    size_t profile_count;
    struct hy_timeouts fallback; /* of a scheme without profile */
    uint32_t outbound_connect_timeout_max_ms;
    struct hy_scheme_array active, mixed;

    uint32_t outbound_connections;
    uint32_t inbound_connections;
    uint32_t discovery_cooloff_ms;
    uint32_t discovery_attempt_ms;
    uint32_t getaddrs_max; /* resolved: never unset, at most 255 */
    bool getaddrs_max_set; /* by the user (direct discovery's default is 1) */
    uint32_t refinery_interval_ms;
    uint32_t known_peer_percent; /* at most 80; 100 with disable_greys */
    uint32_t time_with_no_connections_ms;
    uint64_t max_unlimited_bytes; /* 16 MiB */
    size_t max_send_queue_bytes;  /* 1 MiB */
    size_t max_recv_queue_bytes;  /* 2 MiB: above 28 * 65281, so that metering alone never pauses */
    uint32_t hostlist_save_ms;    /* 15 min */
    uint32_t white_refinery_interval_ms; /* 2 min */
    bool localnet, disable_greys, relaxed_bans, probe_announced;
    uint8_t magic[4];
    char *app_name, *app_version, *node_id;
    char *hostlist, *p2p_datastore; /* NULL: none; "~/" expanded */
    struct hypha_url *tor_socks5_proxy, *nym_socks5_proxy, *i2p_socks5_proxy; /* NULL: none */
    struct hy_log log;
};

/* A copy of its own, with every check. Errors: NOMEM, SETTINGS (hypha_settings_why()). */
enum hypha_err hy_settings_resolve(
    struct hypha_settings *settings, struct hy_resolved_settings **ret_resolved);
void hy_resolved_settings_destroy(struct hy_resolved_settings *resolved);

/* ---- other settings while running: reload.c ---- */

/* The reloadable fields of `settings` become those of `fresh`, in place, and the other way round:
 * a second call undoes the first. Of a log only the level, and only if `fresh` has a listener. */
void hy_settings_swap_reloadable(
    struct hy_resolved_settings *settings, struct hy_resolved_settings *fresh);
/* The names of the keys, as the configuration file writes them, in which the two differ: those
 * that a reload takes over, or those that need a restart. Static; returns how many. */
#define HY_MAX_CHANGES 48
size_t hy_settings_changes(const struct hy_resolved_settings *a,
    const struct hy_resolved_settings *b, bool restart, const char *names[HY_MAX_CHANGES]);
bool hy_url_array_has(const struct hy_url_array *array, const struct hypha_url *url);

/* By scheme; a scheme without kept profile has the fallback. */
const struct hy_timeouts *hy_settings_timeouts(
    const struct hy_resolved_settings *settings, const char *scheme);
bool hy_settings_is_active(const struct hy_resolved_settings *settings, const char *scheme);
bool hy_settings_is_mixed(const struct hy_resolved_settings *settings, const char *scheme);

/* Endpoints for an address in the order to try (network.md 4.5). `mixed`: they lead through
 * another transport. Count 0: not dialable. References are the caller's. */
#define HY_MAX_ENDPOINTS 4
struct hy_route {
    struct hypha_url *endpoints[HY_MAX_ENDPOINTS];
    size_t count;
    bool mixed;
};
enum hypha_err hy_settings_route(const struct hy_resolved_settings *settings,
    const struct hypha_url *url, struct hy_route *ret_route);
void hy_route_fini(struct hy_route *route);
/* The same question without building the endpoints: is there one, and is it the address
 * itself? */
bool hy_settings_is_routable(
    const struct hy_resolved_settings *settings, const struct hypha_url *url, bool *ret_direct);

/* Dialable schemes that may be shared: for getaddr (network.md 4.5). Static strings; returns
 * how many, at most HY_MAX_SHAREABLE. */
#define HY_MAX_SHAREABLE 9
size_t hy_settings_shareable(
    const struct hy_resolved_settings *settings, const char *schemes[HY_MAX_SHAREABLE]);
bool hy_scheme_is_shareable(const char *scheme);

#endif
