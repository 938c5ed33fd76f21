/* hypha_seed_config.c - [network."NAME"], one table for each network to be a seed of.
 * spec: apps.md 7.1 */
#include "daemon/net_config.h"
#include "hypha_seed.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define INBOUND_CONNECTIONS   1024 /* the reference takes 512 */
#define WHITELIST_SECONDS     120
#define WHITELIST_MAX_SECONDS 86400

/* What a network is unless its table says otherwise. spec: apps.md 7.1, 7.2 */
static enum hypha_err set_defaults(
    struct hypha_settings *settings, const char *name, const char *version)
{
    /* Addresses of other transports go to the dark list: relayed, never dialled from here. */
    static const char *const profiles[] = { "tcp", "tcp+tls" };
    char folder[512], file[600];
    enum hypha_err err = hypha_settings_set_text(settings, HYPHA_KEY_APP_VERSION, version);

    (void)snprintf(folder, sizeof folder, "~/.local/share/darkfi/lilith/%s", name);
    (void)snprintf(file, sizeof file, "%s/hosts.tsv", folder);
    if (err == HYPHA_OK)
        err = hypha_settings_set_text(settings, HYPHA_KEY_APP_NAME, "");
    if (err == HYPHA_OK)
        err = hypha_settings_set_number(settings, HYPHA_KEY_OUTBOUND_CONNECTIONS, 0);
    if (err == HYPHA_OK)
        err = hypha_settings_set_number(
            settings, HYPHA_KEY_INBOUND_CONNECTIONS, INBOUND_CONNECTIONS);
    if (err == HYPHA_OK)
        err = hypha_settings_set_flag(settings, HYPHA_KEY_RELAXED_BANS, true);
    if (err == HYPHA_OK)
        err = hypha_settings_set_flag(settings, HYPHA_KEY_PROBE_ANNOUNCED, true);
    if (err == HYPHA_OK)
        err = hypha_settings_set_text(settings, HYPHA_KEY_P2P_DATASTORE, folder);
    if (err == HYPHA_OK)
        err = hypha_settings_set_text(settings, HYPHA_KEY_HOSTLIST, file);
    for (size_t i = 0; i < 2 && err == HYPHA_OK; i++) {
        err = hypha_settings_add_profile(settings, profiles[i]);
        if (err == HYPHA_OK)
            err = hypha_settings_add_active_profile(settings, profiles[i]);
    }
    return err;
}

static void table_destroy(struct seed_table *table)
{
    if (table == NULL)
        return;
    hypha_settings_destroy(table->settings);
    free(table->name);
    free(table);
}

static const struct hy_toml_node *child(const struct hy_toml_node *table, const char *key)
{
    for (size_t i = 0; i < table->count; i++)
        if (strcmp(table->children[i].key, key) == 0)
            return &table->children[i];
    return NULL;
}

/* Only schemes that this build can listen on. */
static bool check_accept(
    struct hy_config *config, const struct hy_toml_node *table, const char *path)
{
    const struct hy_toml_node *list = child(table, "accept_addrs");
    char here[200];

    (void)snprintf(here, sizeof here, "%s.accept_addrs", path);
    if (list == NULL || list->count == 0) {
        hy_config_refuse(config, list != NULL ? list : table, here,
            "expected at least one address to listen on, such as \"tcp://0.0.0.0:50515\"");
        return false;
    }
    for (size_t i = 0; i < list->count; i++) {
        const char *text = list->children[i].text;

        if (strncmp(text, "tcp://", 6) != 0 && strncmp(text, "tcp+tls://", 10) != 0) {
            hy_config_refuse(config, &list->children[i], here,
                "\"%.100s\" cannot be listened on: expected tcp:// or tcp+tls://", text);
            return false;
        }
    }
    return true;
}

static bool add_table(struct hy_config *config, const struct hy_toml_node *table, const char *path,
    struct seed_config *own)
{
    struct seed_table *network = calloc(1, sizeof *network);
    enum hypha_err err = HYPHA_ERR_NOMEM;

    /* The name becomes a folder. */
    if (table->key[0] == '\0' || table->key[0] == '.' || strchr(table->key, '/') != NULL ||
        strlen(table->key) > 200) {
        hy_config_refuse(
            config, table, path, "expected a name without \"/\", not beginning with \".\"");
        free(network);
        return false;
    }
    if (network != NULL && (network->name = strdup(table->key)) != NULL)
        err = hypha_settings_create(&network->settings);
    if (err == HYPHA_OK)
        err = set_defaults(network->settings, network->name, own->program->app_version);
    if (err != HYPHA_OK) {
        hy_config_refuse(config, table, path, "%s",
            err == HYPHA_ERR_SETTINGS ? hypha_settings_why(network->settings)
                                      : hypha_err_text(err));
        table_destroy(network);
        return false;
    }
    if (!hy_net_config_read_network(config, table, path, network->settings) ||
        !check_accept(config, table, path)) {
        table_destroy(network);
        return false;
    }
    const struct hy_toml_node *app_name = child(table, "app_name");
    const struct hy_toml_node *seeds = child(table, "seeds");
    network->has_app_name = app_name != NULL && app_name->text[0] != '\0';
    network->has_seeds = seeds != NULL && seeds->count > 0;
    STAILQ_INSERT_TAIL(&own->tables, network, entry);
    return true;
}

static bool apply_network(struct hy_config *config, const struct hy_toml_node *value,
    const char *path, const struct hy_config_key *key, void *own)
{
    (void)key;
    if (!hy_config_is(config, value, path, HY_TOML_TABLE))
        return false;
    for (size_t i = 0; i < value->count; i++) {
        char here[160];

        (void)snprintf(here, sizeof here, "%s.\"%.100s\"", path, value->children[i].key);
        if (!hy_config_is(config, &value->children[i], here, HY_TOML_TABLE) ||
            !add_table(config, &value->children[i], here, own))
            return false;
    }
    return true;
}

static bool apply_whitelist_interval(struct hy_config *config, const struct hy_toml_node *value,
    const char *path, const struct hy_config_key *key, void *user)
{
    struct seed_config *own = user;

    (void)key;
    if (!hy_config_is(config, value, path, HY_TOML_INTEGER))
        return false;
    if (value->integer < 1 || value->integer > WHITELIST_MAX_SECONDS) {
        hy_config_refuse(config, value, path, "expected 1 to %d seconds", WHITELIST_MAX_SECONDS);
        return false;
    }
    own->whitelist_interval_s = value->integer;
    return true;
}

const struct hy_config_key seed_keys[SEED_KEYS] = {
    { "network", apply_network, 0, NULL },
    { "whitelist_refinery_interval", apply_whitelist_interval, 0, NULL },
};

const struct hy_option seed_options[SEED_OPTIONS] = {
    { "whitelist-refinery-interval", 0, HY_OPTION_VALUE, "SECONDS",
        "How often a verified host is verified again" },
};

static enum hypha_err read_interval(
    struct seed_config *own, const struct hy_options *given, char why[256])
{
    const char *text = hy_options_value(given, "whitelist-refinery-interval");
    char *end;

    if (text == NULL)
        return HYPHA_OK;
    long long seconds = strtoll(text, &end, 10);
    if (end == text || *end != '\0' || seconds < 1 || seconds > WHITELIST_MAX_SECONDS) {
        (void)snprintf(why, 256, "--whitelist-refinery-interval: expected 1 to %d seconds",
            WHITELIST_MAX_SECONDS);
        return HYPHA_ERR_INVALID;
    }
    own->whitelist_interval_s = seconds;
    return HYPHA_OK;
}

/* ---- for the daemon ---- */

void *seed_config_create(const struct hy_daemon_program *program)
{
    struct seed_config *own = calloc(1, sizeof *own);

    if (own == NULL)
        return NULL;
    own->program = program;
    own->whitelist_interval_s = WHITELIST_SECONDS;
    STAILQ_INIT(&own->tables);
    return own;
}

void seed_config_destroy(void *config)
{
    struct seed_config *own = config;
    struct seed_table *table;

    if (own == NULL)
        return;
    while ((table = STAILQ_FIRST(&own->tables)) != NULL) {
        STAILQ_REMOVE_HEAD(&own->tables, entry);
        table_destroy(table);
    }
    free(own);
}

enum hypha_err seed_config_finish(void *config, const struct hy_options *options, char *why)
{
    struct seed_config *own = config;
    const struct seed_table *table;
    enum hypha_err err = read_interval(own, options, why);

    if (err == HYPHA_OK && STAILQ_EMPTY(&own->tables)) {
        (void)snprintf(why, 256, "no network is configured: expected a table [network.\"NAME\"]");
        err = HYPHA_ERR_SETTINGS;
    }
    for (table = STAILQ_FIRST(&own->tables); table != NULL && err == HYPHA_OK;
         table = STAILQ_NEXT(table, entry)) {
        err = hypha_settings_set_number(table->settings, HYPHA_KEY_WHITE_REFINERY_INTERVAL_MS,
            own->whitelist_interval_s * 1000);
        if (err != HYPHA_OK)
            (void)snprintf(why, 256, "%.250s", hypha_settings_why(table->settings));
    }
    return err;
}

struct seed_table *seed_config_table(const struct seed_config *config, const char *name)
{
    struct seed_table *table;

    STAILQ_FOREACH (table, &config->tables, entry)
        if (strcmp(table->name, name) == 0)
            return table;
    return NULL;
}

struct hypha_settings *seed_config_node(void *config, const char *name)
{
    const struct seed_table *table = seed_config_table(config, name);

    return table != NULL ? table->settings : NULL;
}
