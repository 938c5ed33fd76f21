/* hypha/settings.h - how a node is to behave: addresses, limits, times.
 *
 * Setters check what they are given and name the culprit in hypha_settings_why(). What only
 * shows when all is known (an active profile without its table, say) is checked when a node
 * is made of them. Defaults and meaning: spec: network.md#3-settings
 *
 * A "profile" is a table of one scheme ([net.profiles."tcp"]); NULL for one means [net].
 * Threads: an object by one thread at a time. Texts are copied. */
#ifndef HYPHA_SETTINGS_H
#define HYPHA_SETTINGS_H

#include <hypha/api.h>
#include <hypha/err.h>
#include <hypha/log.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

HYPHA_BEGIN_DECLS

struct hypha_settings;

/** Errors: NOMEM. */
HYPHA_API HYPHA_CHECKED enum hypha_err hypha_settings_create(struct hypha_settings **ret_settings);
HYPHA_API void hypha_settings_destroy(struct hypha_settings *settings);

/** What was wrong in the last call that failed, for people: names the value and what was
 *  expected. "" after none. Valid until the next call. */
HYPHA_API const char *hypha_settings_why(const struct hypha_settings *settings);

enum hypha_url_list {
    HYPHA_LIST_INBOUND,        /**< listen addresses; port 0 lets the system choose */
    HYPHA_LIST_EXTERNAL_ADDRS, /**< advertised */
    HYPHA_LIST_PEERS,          /**< manual connections */
    HYPHA_LIST_SEEDS,
};

/** Out of its range: refused. HYPHA_UNSET: the default. */
enum hypha_number_key {
    HYPHA_KEY_OUTBOUND_CONNECTIONS, /**< slots, 0 to 1024 */
    HYPHA_KEY_INBOUND_CONNECTIONS,  /**< limit over all listeners, 0 to 65535 */
    HYPHA_KEY_DISCOVERY_COOLOFF_MS,
    HYPHA_KEY_DISCOVERY_ATTEMPT_MS,
    HYPHA_KEY_GETADDRS_MAX, /**< capped at 255; HYPHA_UNSET: as many as outbound slots */
    HYPHA_KEY_REFINERY_INTERVAL_MS,
    HYPHA_KEY_KNOWN_PEER_PERCENT, /**< 0 to 100, capped at 80 */
    HYPHA_KEY_TIME_WITH_NO_CONNECTIONS_MS,
    HYPHA_KEY_MAX_UNLIMITED_BYTES,  /**< cap for messages without a limit of their own */
    HYPHA_KEY_MAX_SEND_QUEUE_BYTES, /**< per channel */
    HYPHA_KEY_MAX_RECV_QUEUE_BYTES, /**< per channel */
    HYPHA_KEY_HOSTLIST_SAVE_MS,
    HYPHA_KEY_WHITE_REFINERY_INTERVAL_MS, /**< seed: between checks of listed hosts */
    HYPHA_KEYS_NUMBER,
};
#define HYPHA_UNSET INT64_MIN

enum hypha_flag_key {
    HYPHA_KEY_LOCALNET,
    HYPHA_KEY_DISABLE_GREYS,
    HYPHA_KEY_RELAXED_BANS,    /**< ban_policy = "relaxed" */
    HYPHA_KEY_PROBE_ANNOUNCED, /**< seed: check announced addresses at once (network.md 7.6) */
    HYPHA_KEYS_FLAG,
};

enum hypha_text_key {
    HYPHA_KEY_APP_NAME,
    HYPHA_KEY_APP_VERSION, /**< a semantic version */
    HYPHA_KEY_NODE_ID,
    HYPHA_KEY_HOSTLIST,      /**< a path; "": none. A leading "~/" is expanded */
    HYPHA_KEY_P2P_DATASTORE, /**< the same */
    HYPHA_KEY_TOR_SOCKS5_PROXY,
    HYPHA_KEY_NYM_SOCKS5_PROXY,
    HYPHA_KEY_I2P_SOCKS5_PROXY,
    HYPHA_KEYS_TEXT,
};

enum hypha_timeout_key {
    HYPHA_TIMEOUT_CONNECT,   /**< outbound_connect_timeout; also the wait for a pong */
    HYPHA_TIMEOUT_HANDSHAKE, /**< channel_handshake_timeout */
    HYPHA_TIMEOUT_HEARTBEAT, /**< channel_heartbeat_interval */
    HYPHA_TIMEOUTS,
};

/** All return: NOMEM; SETTINGS: the value is not acceptable, see hypha_settings_why(). */
HYPHA_API HYPHA_CHECKED enum hypha_err hypha_settings_add_url(struct hypha_settings *settings,
    const char *profile, enum hypha_url_list list, const char *url);
/** Empty [net]'s list (a command-line flag replaces it); profiles' lists stay. */
HYPHA_API void hypha_settings_clear_urls(struct hypha_settings *settings, enum hypha_url_list list);
HYPHA_API HYPHA_CHECKED enum hypha_err hypha_settings_set_number(
    struct hypha_settings *settings, enum hypha_number_key key, int64_t value);
HYPHA_API HYPHA_CHECKED enum hypha_err hypha_settings_set_flag(
    struct hypha_settings *settings, enum hypha_flag_key key, bool value);
HYPHA_API HYPHA_CHECKED enum hypha_err hypha_settings_set_text(
    struct hypha_settings *settings, enum hypha_text_key key, const char *value);
HYPHA_API HYPHA_CHECKED enum hypha_err hypha_settings_set_magic(
    struct hypha_settings *settings, const uint8_t magic[4]);
/** A profile's (or, with NULL, the fallback's) time in milliseconds, above 0. */
HYPHA_API HYPHA_CHECKED enum hypha_err hypha_settings_set_timeout(
    struct hypha_settings *settings, const char *profile, enum hypha_timeout_key key, int64_t ms);
/** The profile exists, even if it sets nothing. */
HYPHA_API HYPHA_CHECKED enum hypha_err hypha_settings_add_profile(
    struct hypha_settings *settings, const char *profile);
HYPHA_API HYPHA_CHECKED enum hypha_err hypha_settings_add_active_profile(
    struct hypha_settings *settings, const char *scheme);
HYPHA_API void hypha_settings_clear_active_profiles(struct hypha_settings *settings);
HYPHA_API HYPHA_CHECKED enum hypha_err hypha_settings_add_mixed_profile(
    struct hypha_settings *settings, const char *scheme);
HYPHA_API void hypha_settings_clear_mixed_profiles(struct hypha_settings *settings);
/** One configured blacklist row. schemes empty: tcp+tls; ports empty or 0: all ports. */
HYPHA_API HYPHA_CHECKED enum hypha_err hypha_settings_add_blacklist(struct hypha_settings *settings,
    const char *host, const char *const *schemes, size_t scheme_count, const uint16_t *ports,
    size_t port_count);

/** Where log lines go, and how many. NULL: nowhere (the default). */
HYPHA_API void hypha_settings_set_log(
    struct hypha_settings *settings, hypha_log_cb cb, void *user, enum hypha_log_level level);

/** Check what can only be judged as a whole, as hypha_p2p_create() will.
 *  Errors: SETTINGS, NOMEM. */
HYPHA_API HYPHA_CHECKED enum hypha_err hypha_settings_check(struct hypha_settings *settings);

HYPHA_END_DECLS

#endif
