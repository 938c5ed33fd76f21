/* hypha_seed.c - a seed node for one or several networks: it keeps who is there, checks that
 * they are, and tells newcomers. spec: apps.md 7 */
#include "hypha_seed.h"
#include "daemon/reload.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define TARGET  "lilith"
#define SYNC_MS 600000U

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
    "## JSON-RPC: tcp, tcp+tls, each also with http+ before it, or unix:///absolute/path\n"
    "rpc_listen = \"tcp://127.0.0.1:18927\"\n"
    "\n"
    "## What clients must know, at least 16 characters; needed to listen on other addresses than\n"
    "## loopback. In a file that only this user can read, or here\n"
    "#rpc_token_file = \"~/.config/darkfi/lilith_token\"\n"
    "#rpc_token = \"\"\n"
    "\n"
    "[metrics]\n"
    "## Figures for Prometheus at http://HOST:PORT/metrics; nowhere unless this is set\n"
    "#listen = \"127.0.0.1:9185\"\n"
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

static void network_destroy(struct seed_network *network)
{
    free(network->name);
    free(network);
}

static enum hypha_err add_network(struct seed *seed, const struct seed_table *table, char *why)
{
    struct seed_network *network = calloc(1, sizeof *network);
    char words[256] = "";

    if (network == NULL)
        return HYPHA_ERR_NOMEM;
    network->has_seeds = table->has_seeds;
    network->name = strdup(table->name);
    enum hypha_err err = HYPHA_ERR_NOMEM;
    if (network->name != NULL)
        err = hy_daemon_add_node(seed->daemon, table->settings, table->name, &network->p2p, words);
    if (err != HYPHA_OK) {
        (void)snprintf(why, 256, "network.\"%.60s\": %.180s", table->name,
            words[0] != '\0' ? words : hypha_err_text(err));
        network_destroy(network);
        return err;
    }
    if (!table->has_app_name)
        hy_daemon_say(seed->daemon, HYPHA_LOG_WARN, TARGET,
            "network.\"%s\": app_name is empty: nodes that have a name will not talk to us",
            table->name);
    hy_daemon_say(seed->daemon, HYPHA_LOG_INFO, TARGET, "Found network \"%s\"", table->name);
    STAILQ_INSERT_TAIL(&seed->networks, network, entry);
    seed->network_count++;
    return HYPHA_OK;
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

static enum hypha_err setup(
    struct hy_daemon *daemon, struct hypha_settings *settings, void *config, void *app, char *why)
{
    const struct seed_config *own = config;
    const struct seed_table *table;
    struct seed *seed = app;
    enum hypha_err err = HYPHA_OK;

    (void)settings;
    seed->daemon = daemon;
    hy_timer_init(&seed->sync, hy_daemon_loop(daemon), on_sync, seed);
    for (table = STAILQ_FIRST(&own->tables); table != NULL && err == HYPHA_OK;
         table = STAILQ_NEXT(table, entry))
        err = add_network(seed, table, why);
    return err == HYPHA_OK ? seed_add_methods(seed) : err;
}

static struct seed_network *find_network(const struct seed *seed, const char *name)
{
    struct seed_network *network;

    STAILQ_FOREACH (network, &seed->networks, entry)
        if (strcmp(network->name, name) == 0)
            return network;
    return NULL;
}

/* The nodes have taken over what they can; new networks wait for a restart. */
static void on_reloaded(struct hy_daemon *daemon, void *config, void *app, struct hy_reload *reload)
{
    const struct seed_config *own = config;
    const struct seed_table *table;

    (void)daemon;
    STAILQ_FOREACH (table, &own->tables, entry) {
        struct seed_network *network = find_network(app, table->name);
        char key[256];

        if (network != NULL) {
            network->has_seeds = table->has_seeds;
            continue;
        }
        (void)snprintf(key, sizeof key, "network.\"%s\"", table->name);
        hy_reload_restart(reload, key);
    }
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
    .config_create = seed_config_create,
    .config_destroy = seed_config_destroy,
    .options = seed_options,
    .option_count = SEED_OPTIONS,
    .keys = seed_keys,
    .key_count = SEED_KEYS,
    .config_finish = seed_config_finish,
    .config_node = seed_config_node,
    .setup = setup,
    .on_reloaded = on_reloaded,
    .on_running = on_running,
    .on_stopping = on_stopping,
};

int main(int argc, char **argv)
{
    struct seed seed = { .network_count = 0 };
    struct seed_network *network;

    STAILQ_INIT(&seed.networks);
    int status = hy_daemon_main(&program, &seed, argc, argv);
    while ((network = STAILQ_FIRST(&seed.networks)) != NULL) {
        STAILQ_REMOVE_HEAD(&seed.networks, entry);
        network_destroy(network);
    }
    return status;
}
