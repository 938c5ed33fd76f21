/* hypha_seed.c - a seed node for one or several networks: it keeps who is there, checks that
 * they are, and tells newcomers. spec: apps.md 7 */
#include "hypha_seed.h"
#include "daemon/net_config.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define TARGET                "lilith"
#define INBOUND_CONNECTIONS   512
#define SYNC_MS               600000U
#define WHITELIST_SECONDS     120
#define WHITELIST_MAX_SECONDS 86400

static const char config_template[] =
    "## hypha-seed configuration file\n"
    "##\n"
    "## One table for each network to be a seed of. Lines that begin with '#' are comments;\n"
    "## a single one shows a default or an example.\n"
    "\n"
    "## Log to this file too\n"
    "#log = \"~/.local/share/darkfi/lilith/lilith.log\"\n"
    "\n"
    "## 0: info, 1: verbose, 2: debug, 3: trace\n"
    "#verbose = 0\n"
    "\n"
    "[rpc]\n"
    "## JSON-RPC: tcp, tcp+tls (loopback only) or unix:///absolute/path\n"
    "rpc_listen = \"tcp://127.0.0.1:18927\"\n"
    "\n"
    "[network.\"dchat\"]\n"
    "## Where to listen: tcp or tcp+tls\n"
    "accept_addrs = [\"tcp://127.0.0.1:50515\"]\n"
    "\n"
    "## What the network's nodes say of themselves: the name must equal theirs, of the version\n"
    "## the first two numbers\n"
    "app_name = \"dchatd\"\n"
    "version = \"0.4.1\"\n"
    "\n"
    "## Allow local addresses: only for tests on one machine\n"
    "localnet = true\n"
    "\n"
    "## The network's id; these are the default\n"
    "#magic_bytes = [217, 239, 182, 125]\n"
    "\n"
    "## Where what is known is kept\n"
    "#datastore = \"~/.local/share/darkfi/lilith/dchat\"\n"
    "#hostlist = \"~/.local/share/darkfi/lilith/dchat/hosts.tsv\"\n"
    "\n"
    "## Other seeds to exchange addresses with, and nodes to be connected to always\n"
    "#seeds = []\n"
    "#peers = []\n";

/* ---- the config ---- */

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

static void network_destroy(struct seed_network *network)
{
    if (network == NULL)
        return;
    hypha_settings_destroy(network->settings);
    free(network->name);
    free(network);
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

static bool add_network(struct hy_config *config, const struct hy_toml_node *table,
    const char *path, struct hy_daemon *daemon)
{
    struct seed *seed = hy_daemon_app(daemon);
    struct seed_network *network = calloc(1, sizeof *network);
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
        err = set_defaults(network->settings, network->name, hy_daemon_version(daemon));
    if (err != HYPHA_OK) {
        hy_config_refuse(config, table, path, "%s",
            err == HYPHA_ERR_SETTINGS ? hypha_settings_why(network->settings)
                                      : hypha_err_text(err));
        network_destroy(network);
        return false;
    }
    if (!hy_net_config_read_network(config, table, path, network->settings) ||
        !check_accept(config, table, path)) {
        network_destroy(network);
        return false;
    }
    const struct hy_toml_node *app_name = child(table, "app_name");
    const struct hy_toml_node *seeds = child(table, "seeds");
    network->has_app_name = app_name != NULL && app_name->text[0] != '\0';
    network->has_seeds = seeds != NULL && seeds->count > 0;
    STAILQ_INSERT_TAIL(&seed->networks, network, entry);
    seed->network_count++;
    return true;
}

static bool apply_network(struct hy_config *config, const struct hy_toml_node *value,
    const char *path, const struct hy_config_key *key, void *daemon)
{
    (void)key;
    if (!hy_config_is(config, value, path, HY_TOML_TABLE))
        return false;
    for (size_t i = 0; i < value->count; i++) {
        char here[160];

        (void)snprintf(here, sizeof here, "%s.\"%.100s\"", path, value->children[i].key);
        if (!hy_config_is(config, &value->children[i], here, HY_TOML_TABLE) ||
            !add_network(config, &value->children[i], here, daemon))
            return false;
    }
    return true;
}

static bool apply_whitelist_interval(struct hy_config *config, const struct hy_toml_node *value,
    const char *path, const struct hy_config_key *key, void *daemon)
{
    struct seed *seed = hy_daemon_app(daemon);

    (void)key;
    if (!hy_config_is(config, value, path, HY_TOML_INTEGER))
        return false;
    if (value->integer < 1 || value->integer > WHITELIST_MAX_SECONDS) {
        hy_config_refuse(config, value, path, "expected 1 to %d seconds", WHITELIST_MAX_SECONDS);
        return false;
    }
    seed->whitelist_interval_s = value->integer;
    return true;
}

static const struct hy_config_key root_keys[] = {
    { "network", apply_network, 0, NULL },
    { "whitelist_refinery_interval", apply_whitelist_interval, 0, NULL },
};

static const struct hy_option options[] = {
    { "whitelist-refinery-interval", 0, HY_OPTION_VALUE, "SECONDS",
        "How often a verified host is verified again" },
};

/* ---- the daemon ---- */

static enum hypha_err read_interval(
    struct seed *seed, const struct hy_options *given, char why[256])
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
    seed->whitelist_interval_s = seconds;
    return HYPHA_OK;
}

static enum hypha_err start_network(struct seed *seed, struct seed_network *network, char *why)
{
    char words[256] = "";

    if (hypha_settings_set_number(network->settings, HYPHA_KEY_WHITE_REFINERY_INTERVAL_MS,
            seed->whitelist_interval_s * 1000) != HYPHA_OK) {
        (void)snprintf(why, 256, "%s", hypha_settings_why(network->settings));
        return HYPHA_ERR_SETTINGS;
    }
    if (!network->has_app_name)
        hy_daemon_say(seed->daemon, HYPHA_LOG_WARN, TARGET,
            "network.\"%s\": app_name is empty: nodes that have a name will not talk to us",
            network->name);
    enum hypha_err err = hy_daemon_add_node(
        seed->daemon, network->settings, network->name, &network->p2p, words);
    if (err != HYPHA_OK)
        (void)snprintf(why, 256, "network.\"%.60s\": %.180s", network->name, words);
    else
        hy_daemon_say(seed->daemon, HYPHA_LOG_INFO, TARGET, "Found network \"%s\"", network->name);
    return err;
}

static void on_sync(void *user)
{
    struct seed *seed = user;
    struct seed_network *network;

    STAILQ_FOREACH (network, &seed->networks, entry)
        if (network->has_seeds)
            hypha_p2p_seed(network->p2p);
    hy_timer_start(&seed->sync, SYNC_MS);
}

static enum hypha_err setup(struct hy_daemon *daemon, struct hypha_settings *settings,
    const struct hy_options *given, void *app, char *why)
{
    struct seed *seed = app;
    struct seed_network *network;
    enum hypha_err err = read_interval(seed, given, why);

    (void)settings;
    seed->daemon = daemon;
    hy_timer_init(&seed->sync, hy_daemon_loop(daemon), on_sync, seed);
    if (err == HYPHA_OK && STAILQ_EMPTY(&seed->networks)) {
        (void)snprintf(why, 256, "no network is configured: expected a table [network.\"NAME\"]");
        err = HYPHA_ERR_SETTINGS;
    }
    for (network = STAILQ_FIRST(&seed->networks); network != NULL && err == HYPHA_OK;
         network = STAILQ_NEXT(network, entry))
        err = start_network(seed, network, why);
    return err == HYPHA_OK ? seed_add_methods(seed) : err;
}

static void on_running(struct hy_daemon *daemon, void *app)
{
    (void)daemon;
    on_sync(app);
}

static void on_stopping(struct hy_daemon *daemon, void *app)
{
    struct seed *seed = app;

    (void)daemon;
    hy_timer_stop(&seed->sync);
}

static const struct hy_daemon_program program = {
    .name = "hypha-seed",
    .app_version = "0.5.0",
    .summary = "seed node for peer-to-peer networks",
    .config_file = "lilith_config.toml",
    .config_template = config_template,
    .default_rpc = "tcp://127.0.0.1:18927",
    .rpc_last = true,
    .options = options,
    .option_count = 1,
    .keys = root_keys,
    .key_count = 2,
    .setup = setup,
    .on_running = on_running,
    .on_stopping = on_stopping,
};

int main(int argc, char **argv)
{
    struct seed seed = { .whitelist_interval_s = WHITELIST_SECONDS };
    struct seed_network *network;

    STAILQ_INIT(&seed.networks);
    int status = hy_daemon_main(&program, &seed, argc, argv);
    while ((network = STAILQ_FIRST(&seed.networks)) != NULL) {
        STAILQ_REMOVE_HEAD(&seed.networks, entry);
        network_destroy(network);
    }
    return status;
}
