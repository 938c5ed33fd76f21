#include "daemon/net_config.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

/* ---- what a value becomes ---- */

/* The setter's words begin with its name for the key ("inbound: ..."), which the file's full one
 * ("net.inbound") ends with: once is enough. */
static const char *without_key(const char *why, const char *path)
{
    const char *colon = strstr(why, ": ");
    size_t key = colon != NULL ? (size_t)(colon - why) : 0, whole = strlen(path);

    return key > 0 && key <= whole && strncmp(path + whole - key, why, key) == 0 ? colon + 2 : why;
}

/* The setter's own words go to the user. */
static bool judge(struct hy_config *config, const struct hy_toml_node *value, const char *path,
    const struct hypha_settings *settings, enum hypha_err err)
{
    if (err == HYPHA_OK)
        return true;
    const char *why = hypha_settings_why(settings);
    hy_config_refuse(config, value, path, "%s",
        err == HYPHA_ERR_SETTINGS && why[0] != '\0' ? without_key(why, path) : hypha_err_text(err));
    return false;
}

static bool apply_urls(struct hy_config *config, const struct hy_toml_node *value, const char *path,
    const struct hy_config_key *key, void *user)
{
    struct hy_net_target *target = user;

    if (!hy_config_is(config, value, path, HY_TOML_ARRAY))
        return false;
    for (size_t i = 0; i < value->count; i++) {
        const struct hy_toml_node *url = &value->children[i];

        if (!hy_config_is(config, url, path, HY_TOML_STRING) ||
            !judge(config, url, path, target->settings,
                hypha_settings_add_url(
                    target->settings, target->profile, (enum hypha_url_list)key->arg, url->text)))
            return false;
    }
    return true;
}

static bool apply_number(struct hy_config *config, const struct hy_toml_node *value,
    const char *path, const struct hy_config_key *key, void *user)
{
    struct hy_net_target *target = user;

    return hy_config_is(config, value, path, HY_TOML_INTEGER) &&
        judge(config, value, path, target->settings,
            hypha_settings_set_number(
                target->settings, (enum hypha_number_key)key->arg, value->integer));
}

/* Whole seconds in the reference's files; a fraction is welcome. */
static bool milliseconds(
    struct hy_config *config, const struct hy_toml_node *value, const char *path, int64_t *ret_ms)
{
    if (value->kind == HY_TOML_FLOAT) {
        if (value->real >= 0 && value->real < 1e12) {
            *ret_ms = (int64_t)(value->real * 1000 + 0.5);
            return true;
        }
        hy_config_refuse(config, value, path, "expected a number of seconds");
        return false;
    }
    if (!hy_config_is(config, value, path, HY_TOML_INTEGER))
        return false;
    if (value->integer > INT64_MAX / 1000 || value->integer < 0) {
        hy_config_refuse(config, value, path, "expected a number of seconds");
        return false;
    }
    *ret_ms = value->integer * 1000;
    return true;
}

static bool apply_seconds(struct hy_config *config, const struct hy_toml_node *value,
    const char *path, const struct hy_config_key *key, void *user)
{
    struct hy_net_target *target = user;
    int64_t ms;

    return milliseconds(config, value, path, &ms) &&
        judge(config, value, path, target->settings,
            hypha_settings_set_number(target->settings, (enum hypha_number_key)key->arg, ms));
}

static bool apply_timeout(struct hy_config *config, const struct hy_toml_node *value,
    const char *path, const struct hy_config_key *key, void *user)
{
    struct hy_net_target *target = user;
    int64_t ms;

    return milliseconds(config, value, path, &ms) &&
        judge(config, value, path, target->settings,
            hypha_settings_set_timeout(
                target->settings, target->profile, (enum hypha_timeout_key)key->arg, ms));
}

static bool apply_flag(struct hy_config *config, const struct hy_toml_node *value, const char *path,
    const struct hy_config_key *key, void *user)
{
    struct hy_net_target *target = user;

    return hy_config_is(config, value, path, HY_TOML_BOOLEAN) &&
        judge(config, value, path, target->settings,
            hypha_settings_set_flag(
                target->settings, (enum hypha_flag_key)key->arg, value->boolean));
}

static bool apply_text(struct hy_config *config, const struct hy_toml_node *value, const char *path,
    const struct hy_config_key *key, void *user)
{
    struct hy_net_target *target = user;

    return hy_config_is(config, value, path, HY_TOML_STRING) &&
        judge(config, value, path, target->settings,
            hypha_settings_set_text(target->settings, (enum hypha_text_key)key->arg, value->text));
}

static bool apply_magic(struct hy_config *config, const struct hy_toml_node *value,
    const char *path, const struct hy_config_key *key, void *user)
{
    struct hy_net_target *target = user;
    uint8_t magic[4];

    (void)key;
    if (!hy_config_is(config, value, path, HY_TOML_ARRAY))
        return false;
    if (value->count != sizeof magic) {
        hy_config_refuse(config, value, path, "expected four integers, found %zu", value->count);
        return false;
    }
    for (size_t i = 0; i < sizeof magic; i++) {
        const struct hy_toml_node *byte = &value->children[i];

        if (!hy_config_is(config, byte, path, HY_TOML_INTEGER))
            return false;
        if (byte->integer < 0 || byte->integer > 255) {
            hy_config_refuse(config, byte, path, "expected an integer from 0 to 255");
            return false;
        }
        magic[i] = (uint8_t)byte->integer;
    }
    return judge(
        config, value, path, target->settings, hypha_settings_set_magic(target->settings, magic));
}

enum profile_list { ACTIVE, MIXED };

static bool apply_profile_names(struct hy_config *config, const struct hy_toml_node *value,
    const char *path, const struct hy_config_key *key, void *user)
{
    struct hy_net_target *target = user;

    if (!hy_config_is(config, value, path, HY_TOML_ARRAY))
        return false;
    for (size_t i = 0; i < value->count; i++) {
        const struct hy_toml_node *name = &value->children[i];

        if (!hy_config_is(config, name, path, HY_TOML_STRING) ||
            !judge(config, name, path, target->settings,
                key->arg == ACTIVE
                    ? hypha_settings_add_active_profile(target->settings, name->text)
                    : hypha_settings_add_mixed_profile(target->settings, name->text)))
            return false;
    }
    return true;
}

static bool apply_ban_policy(struct hy_config *config, const struct hy_toml_node *value,
    const char *path, const struct hy_config_key *key, void *user)
{
    struct hy_net_target *target = user;

    if (!hy_config_is(config, value, path, HY_TOML_STRING))
        return false;
    if (strcmp(value->text, "strict") != 0 && strcmp(value->text, "relaxed") != 0) {
        hy_config_refuse(config, value, path, "expected \"strict\" or \"relaxed\"");
        return false;
    }
    return judge(config, value, path, target->settings,
        hypha_settings_set_flag(
            target->settings, (enum hypha_flag_key)key->arg, strcmp(value->text, "relaxed") == 0));
}

#define MAX_ROW 32

/* One [host, [schemes], [ports]]. */
static bool apply_blacklist_row(struct hy_config *config, const struct hy_toml_node *row,
    const char *path, struct hypha_settings *settings)
{
    const char *schemes[MAX_ROW];
    uint16_t ports[MAX_ROW];
    size_t scheme_count = 0, port_count = 0;

    if (row->kind != HY_TOML_ARRAY || row->count < 1 || row->count > 3 ||
        row->children[0].kind != HY_TOML_STRING ||
        (row->count > 1 &&
            (row->children[1].kind != HY_TOML_ARRAY || row->children[1].count > MAX_ROW)) ||
        (row->count > 2 &&
            (row->children[2].kind != HY_TOML_ARRAY || row->children[2].count > MAX_ROW))) {
        hy_config_refuse(config, row, path, "expected [\"host\", [\"scheme\", ...], [port, ...]]");
        return false;
    }
    for (size_t i = 0; row->count > 1 && i < row->children[1].count; i++) {
        const struct hy_toml_node *scheme = &row->children[1].children[i];

        if (!hy_config_is(config, scheme, path, HY_TOML_STRING))
            return false;
        schemes[scheme_count++] = scheme->text;
    }
    for (size_t i = 0; row->count > 2 && i < row->children[2].count; i++) {
        const struct hy_toml_node *port = &row->children[2].children[i];

        if (!hy_config_is(config, port, path, HY_TOML_INTEGER))
            return false;
        if (port->integer < 0 || port->integer > 65535) {
            hy_config_refuse(config, port, path, "expected a port from 0 to 65535");
            return false;
        }
        ports[port_count++] = (uint16_t)port->integer;
    }
    return judge(config, row, path, settings,
        hypha_settings_add_blacklist(
            settings, row->children[0].text, schemes, scheme_count, ports, port_count));
}

static bool apply_blacklist(struct hy_config *config, const struct hy_toml_node *value,
    const char *path, const struct hy_config_key *key, void *user)
{
    struct hy_net_target *target = user;

    (void)key;
    if (!hy_config_is(config, value, path, HY_TOML_ARRAY))
        return false;
    for (size_t i = 0; i < value->count; i++)
        if (!apply_blacklist_row(config, &value->children[i], path, target->settings))
            return false;
    return true;
}

/* ---- the tables ---- */

#define TIMEOUT_KEYS                                                                               \
    { "outbound_connect_timeout", apply_timeout, HYPHA_TIMEOUT_CONNECT, NULL },                    \
        { "channel_handshake_timeout", apply_timeout, HYPHA_TIMEOUT_HANDSHAKE, NULL },             \
    {                                                                                              \
        "channel_heartbeat_interval", apply_timeout, HYPHA_TIMEOUT_HEARTBEAT, NULL                 \
    }

static const struct hy_config_key profile_keys[] = {
    { "inbound", apply_urls, HYPHA_LIST_INBOUND, NULL },
    { "external_addrs", apply_urls, HYPHA_LIST_EXTERNAL_ADDRS, NULL },
    { "peers", apply_urls, HYPHA_LIST_PEERS, NULL },
    { "seeds", apply_urls, HYPHA_LIST_SEEDS, NULL },
    TIMEOUT_KEYS,
};

static bool apply_profiles(struct hy_config *config, const struct hy_toml_node *value,
    const char *path, const struct hy_config_key *key, void *user)
{
    struct hy_net_target *target = user;

    (void)key;
    if (!hy_config_is(config, value, path, HY_TOML_TABLE))
        return false;
    for (size_t i = 0; i < value->count; i++) {
        const struct hy_toml_node *profile = &value->children[i];
        struct hy_net_target inner = { target->settings, profile->key };
        char here[160];

        (void)snprintf(here, sizeof here, "%s.\"%.60s\"", path, profile->key);
        if (!hy_config_is(config, profile, here, HY_TOML_TABLE) ||
            !judge(config, profile, here, target->settings,
                hypha_settings_add_profile(target->settings, profile->key)) ||
            !hy_config_read_table(config, profile, here, profile_keys, COUNT(profile_keys), &inner))
            return false;
    }
    return true;
}

static const struct hy_config_key net_keys[] = {
    { "inbound", apply_urls, HYPHA_LIST_INBOUND, "accept" },
    { "external_addrs", apply_urls, HYPHA_LIST_EXTERNAL_ADDRS, "external-addrs" },
    { "peers", apply_urls, HYPHA_LIST_PEERS, "peers" },
    { "seeds", apply_urls, HYPHA_LIST_SEEDS, "seeds" },
    { "outbound_connections", apply_number, HYPHA_KEY_OUTBOUND_CONNECTIONS, "outbound-slots" },
    { "inbound_connections", apply_number, HYPHA_KEY_INBOUND_CONNECTIONS, "inbound-slots" },
    { "magic_bytes", apply_magic, 0, NULL },
    { "node_id", apply_text, HYPHA_KEY_NODE_ID, NULL },
    { "active_profiles", apply_profile_names, ACTIVE, "network-profiles" },
    { "mixed_profiles", apply_profile_names, MIXED, "mixed-profiles" },
    { "tor_socks5_proxy", apply_text, HYPHA_KEY_TOR_SOCKS5_PROXY, "tor-socks5-proxy" },
    { "nym_socks5_proxy", apply_text, HYPHA_KEY_NYM_SOCKS5_PROXY, "nym-socks5-proxy" },
    { "i2p_socks5_proxy", apply_text, HYPHA_KEY_I2P_SOCKS5_PROXY, "i2p-socks5-proxy" },
    { "localnet", apply_flag, HYPHA_KEY_LOCALNET, "localnet" },
    { "outbound_peer_discovery_cooloff_time", apply_seconds, HYPHA_KEY_DISCOVERY_COOLOFF_MS, NULL },
    { "outbound_peer_discovery_attempt_time", apply_seconds, HYPHA_KEY_DISCOVERY_ATTEMPT_MS, NULL },
    { "getaddrs_max", apply_number, HYPHA_KEY_GETADDRS_MAX, NULL },
    { "p2p_datastore", apply_text, HYPHA_KEY_P2P_DATASTORE, "p2p-datastore" },
    { "hostlist", apply_text, HYPHA_KEY_HOSTLIST, "hostlist" },
    { "greylist_refinery_interval", apply_seconds, HYPHA_KEY_REFINERY_INTERVAL_MS, NULL },
    { "known_peer_percent", apply_number, HYPHA_KEY_KNOWN_PEER_PERCENT, NULL },
    { "disable_greys", apply_flag, HYPHA_KEY_DISABLE_GREYS, "disable-greys" },
    { "time_with_no_connections", apply_seconds, HYPHA_KEY_TIME_WITH_NO_CONNECTIONS_MS, NULL },
    { "blacklist", apply_blacklist, 0, NULL },
    { "ban_policy", apply_ban_policy, HYPHA_KEY_RELAXED_BANS, NULL },
    { "profiles", apply_profiles, 0, NULL },
    TIMEOUT_KEYS,
    /* hypha's own */
    { "hostlist_save_interval", apply_seconds, HYPHA_KEY_HOSTLIST_SAVE_MS, NULL },
    { "max_unlimited_bytes", apply_number, HYPHA_KEY_MAX_UNLIMITED_BYTES, NULL },
    { "max_send_queue_bytes", apply_number, HYPHA_KEY_MAX_SEND_QUEUE_BYTES, NULL },
    { "max_recv_queue_bytes", apply_number, HYPHA_KEY_MAX_RECV_QUEUE_BYTES, NULL },
};

/* A seed daemon's [network."NAME"]. spec: apps.md 7.1 */
static const struct hy_config_key network_keys[] = {
    { "accept_addrs", apply_urls, HYPHA_LIST_INBOUND, NULL },
    { "seeds", apply_urls, HYPHA_LIST_SEEDS, NULL },
    { "peers", apply_urls, HYPHA_LIST_PEERS, NULL },
    { "version", apply_text, HYPHA_KEY_APP_VERSION, NULL },
    { "app_name", apply_text, HYPHA_KEY_APP_NAME, NULL },
    { "localnet", apply_flag, HYPHA_KEY_LOCALNET, NULL },
    { "datastore", apply_text, HYPHA_KEY_P2P_DATASTORE, NULL },
    { "hostlist", apply_text, HYPHA_KEY_HOSTLIST, NULL },
    { "magic_bytes", apply_magic, 0, NULL },
};

bool hy_net_config_read(
    struct hy_config *config, const struct hy_toml_node *net, struct hypha_settings *settings)
{
    struct hy_net_target target = { settings, NULL };

    return hy_config_is(config, net, "net", HY_TOML_TABLE) &&
        hy_config_read_table(config, net, "net", net_keys, COUNT(net_keys), &target);
}

bool hy_net_config_read_network(struct hy_config *config, const struct hy_toml_node *network,
    const char *path, struct hypha_settings *settings)
{
    struct hy_net_target target = { settings, NULL };

    return hy_config_is(config, network, path, HY_TOML_TABLE) &&
        hy_config_read_table(config, network, path, network_keys, COUNT(network_keys), &target);
}

/* ---- flags ---- */

const struct hy_option hy_net_options[] = {
    { "accept", 0, HY_OPTION_LIST, "URL", "Listen for peers on these addresses" },
    { "external-addrs", 0, HY_OPTION_LIST, "URL", "Announce these addresses as ours" },
    { "peers", 0, HY_OPTION_LIST, "URL", "Always connect to these peers" },
    { "seeds", 0, HY_OPTION_LIST, "URL", "Ask these seeds for peers" },
    { "outbound-slots", 0, HY_OPTION_VALUE, "N", "Peers to connect to by ourselves" },
    { "inbound-slots", 0, HY_OPTION_VALUE, "N", "Peers to accept" },
    { "network-profiles", 0, HY_OPTION_LIST, "SCHEME", "Transports to dial directly" },
    { "mixed-profiles", 0, HY_OPTION_LIST, "SCHEME", "Transports to reach through others" },
    { "tor-socks5-proxy", 0, HY_OPTION_VALUE, "URL", "SOCKS5 proxy of Tor" },
    { "nym-socks5-proxy", 0, HY_OPTION_VALUE, "URL", "SOCKS5 proxy of Nym" },
    { "i2p-socks5-proxy", 0, HY_OPTION_VALUE, "URL", "SOCKS5 proxy of I2P" },
    { "localnet", 0, HY_OPTION_FLAG, NULL, "Allow local addresses (tests on one machine)" },
    { "disable-greys", 0, HY_OPTION_FLAG, NULL, "Never dial hosts that nobody has verified" },
    { "hostlist", 0, HY_OPTION_VALUE, "PATH", "File to keep known hosts in" },
    { "p2p-datastore", 0, HY_OPTION_VALUE, "PATH", "Folder for the state of transports" },
};
const size_t hy_net_option_count = COUNT(hy_net_options);

static enum hypha_err flag_urls(
    const struct hy_option_seen *seen, enum hypha_url_list list, struct hypha_settings *settings)
{
    enum hypha_err err = HYPHA_OK;

    hypha_settings_clear_urls(settings, list);
    for (size_t i = 0; i < seen->count && err == HYPHA_OK; i++)
        err = hypha_settings_add_url(settings, NULL, list, seen->values[i]);
    return err;
}

static enum hypha_err flag_profiles(
    const struct hy_option_seen *seen, int list, struct hypha_settings *settings)
{
    enum hypha_err err = HYPHA_OK;

    if (list == ACTIVE)
        hypha_settings_clear_active_profiles(settings);
    else
        hypha_settings_clear_mixed_profiles(settings);
    for (size_t i = 0; i < seen->count && err == HYPHA_OK; i++)
        err = list == ACTIVE ? hypha_settings_add_active_profile(settings, seen->values[i])
                             : hypha_settings_add_mixed_profile(settings, seen->values[i]);
    return err;
}

/* INVALID: not a number. */
static enum hypha_err flag_number(
    const char *text, enum hypha_number_key key, struct hypha_settings *settings)
{
    char *end;

    errno = 0;
    long long number = strtoll(text, &end, 10);
    if (errno != 0 || end == text || *end != '\0')
        return HYPHA_ERR_INVALID;
    return hypha_settings_set_number(settings, key, number);
}

static enum hypha_err apply_one_flag(const struct hy_config_key *key,
    const struct hy_option_seen *seen, struct hypha_settings *settings)
{
    if (key->apply == apply_urls)
        return flag_urls(seen, (enum hypha_url_list)key->arg, settings);
    if (key->apply == apply_profile_names)
        return flag_profiles(seen, key->arg, settings);
    if (key->apply == apply_flag)
        return hypha_settings_set_flag(settings, (enum hypha_flag_key)key->arg, true);
    if (key->apply == apply_number)
        return flag_number(seen->values[0], (enum hypha_number_key)key->arg, settings);
    return hypha_settings_set_text(settings, (enum hypha_text_key)key->arg, seen->values[0]);
}

enum hypha_err hy_net_config_flags(
    const struct hy_options *options, struct hypha_settings *settings, char why[256])
{
    for (size_t i = 0; i < COUNT(net_keys); i++) {
        const struct hy_config_key *key = &net_keys[i];

        if (key->flag == NULL)
            continue;
        const struct hy_option_seen *seen = hy_options_get(options, key->flag);
        if (seen->times == 0)
            continue;
        enum hypha_err err = apply_one_flag(key, seen, settings);
        if (err == HYPHA_OK)
            continue;
        const char *words = hypha_settings_why(settings);
        if (err == HYPHA_ERR_INVALID)
            words = "expected an integer";
        else if (err != HYPHA_ERR_SETTINGS || words[0] == '\0')
            words = hypha_err_text(err);
        (void)snprintf(why, 256, "--%s: %.200s", key->flag, words);
        return err == HYPHA_ERR_NOMEM ? err : HYPHA_ERR_INVALID;
    }
    return HYPHA_OK;
}
