/* dchatd.c - the chat daemon: a node that speaks dchat, driven by JSON-RPC. spec: apps.md 3 */
#include "dchatd.h"
#include "daemon/reload.h"

#include <stdlib.h>

#define TARGET              "dchatd"
#define MESSAGE_BYTES       (64 * 1024)
#define MESSAGE_BYTES_LIMIT (8 * 1024 * 1024)

static const char config_template[] =
    "## dchatd configuration file\n"
    "##\n"
    "## Review the values below, then start dchatd again. Lines that begin with '#' are\n"
    "## comments; a single one shows a default or an example.\n"
    "\n"
    "## Log to this file too\n"
    "#log = \"~/.local/share/darkfi/dchatd/dchatd.log\"\n"
    "\n"
    "## 0: info, 1: verbose, 2: debug, 3: trace\n"
    "#verbose = 0\n"
    "\n"
    "[rpc]\n"
    "## Where dchat and other programs control this daemon: tcp, tcp+tls, each also with http+\n"
    "## before it, or unix:///absolute/path\n"
    "rpc_listen = \"tcp://127.0.0.1:51054\"\n"
    "\n"
    "## Methods to refuse\n"
    "#rpc_disabled_methods = [\"p2p.get_info\"]\n"
    "\n"
    "## What clients must know, at least 16 characters; needed to listen on other addresses than\n"
    "## loopback. In a file that only this user can read, or here\n"
    "#rpc_token_file = \"~/.config/darkfi/dchatd_token\"\n"
    "#rpc_token = \"\"\n"
    "\n"
    "[metrics]\n"
    "## Figures for Prometheus at http://HOST:PORT/metrics; nowhere unless this is set\n"
    "#listen = \"127.0.0.1:9184\"\n"
    "\n"
    "[dchat]\n"
    "## The longest text that `send` takes, in bytes\n"
    "#max_message_bytes = 65536\n"
    "\n"
    "[net]\n"
    "## Peers to look for and connect to by ourselves\n"
    "outbound_connections = 5\n"
    "\n"
    "## Peers to accept, over all inbound addresses\n"
    "#inbound_connections = 8\n"
    "\n"
    "## Transports to use: tcp, tcp+tls\n"
    "active_profiles = [\"tcp\"]\n"
    "\n"
    "## Allow addresses of this machine and of local networks. Needed to try dchat on one\n"
    "## machine; remove it on the internet. Every node on the machine needs a port of its own:\n"
    "## with localnet, who has our port is taken for ourselves.\n"
    "localnet = true\n"
    "\n"
    "## Known hosts are kept here across restarts\n"
    "hostlist = \"~/.local/share/darkfi/dchatd/hosts.tsv\"\n"
    "p2p_datastore = \"~/.local/share/darkfi/dchatd\"\n"
    "\n"
    "[net.profiles.\"tcp\"]\n"
    "## Who tells us of other nodes\n"
    "seeds = [\"tcp://127.0.0.1:50515\"]\n"
    "\n"
    "## To be found by others: where to listen, and under which address others reach it\n"
    "#inbound = [\"tcp://127.0.0.1:51554\"]\n"
    "#external_addrs = [\"tcp://127.0.0.1:51554\"]\n"
    "\n"
    "## Nodes to be connected to always\n"
    "#peers = [\"tcp://127.0.0.1:51555\"]\n";

/* ---- [dchat] ---- */

struct dchatd_config {
    int64_t max_message_bytes;
};

static void *config_create(const struct hy_daemon_program *program)
{
    struct dchatd_config *own = calloc(1, sizeof *own);

    (void)program;
    if (own != NULL)
        own->max_message_bytes = MESSAGE_BYTES;
    return own;
}

static bool apply_max_bytes(struct hy_config *config, const struct hy_toml_node *value,
    const char *path, const struct hy_config_key *key, void *user)
{
    struct dchatd_config *own = user;

    (void)key;
    if (!hy_config_is(config, value, path, HY_TOML_INTEGER))
        return false;
    if (value->integer < 1 || value->integer > MESSAGE_BYTES_LIMIT) {
        hy_config_refuse(
            config, value, path, "expected a number of bytes from 1 to %d", MESSAGE_BYTES_LIMIT);
        return false;
    }
    own->max_message_bytes = value->integer;
    return true;
}

static const struct hy_config_key dchat_keys[] = {
    { "max_message_bytes", apply_max_bytes, 0, NULL },
};

static bool apply_dchat(struct hy_config *config, const struct hy_toml_node *value,
    const char *path, const struct hy_config_key *key, void *own)
{
    (void)key;
    return hy_config_is(config, value, path, HY_TOML_TABLE) &&
        hy_config_read_table(
            config, value, path, dchat_keys, sizeof dchat_keys / sizeof dchat_keys[0], own);
}

static const struct hy_config_key root_keys[] = { { "dchat", apply_dchat, 0, NULL } };

static void take_config(struct dchatd *dchatd, const struct dchatd_config *own)
{
    dchatd->max_message_bytes = (size_t)own->max_message_bytes;
}

static void on_reloaded(struct hy_daemon *daemon, void *config, void *app, struct hy_reload *reload)
{
    const struct dchatd_config *own = config;
    struct dchatd *dchatd = app;

    (void)daemon;
    if ((size_t)own->max_message_bytes != dchatd->max_message_bytes)
        hy_reload_applied(reload, "dchat.max_message_bytes");
    take_config(dchatd, own);
}

/* ---- the protocol's callbacks ---- */

static void on_joined(struct hypha_channel *channel, void *user)
{
    struct dchatd *dchatd = user;

    hy_daemon_say(dchatd->daemon, HYPHA_LOG_VERBOSE, TARGET, "Chatting with %s (%s)",
        hypha_url_text(hypha_channel_display_address(channel)),
        hypha_session_name(hypha_channel_session(channel)));
}

static void on_left(struct hypha_channel *channel, enum hypha_err why, void *user)
{
    struct dchatd *dchatd = user;

    hy_daemon_say(dchatd->daemon, HYPHA_LOG_VERBOSE, TARGET, "%s left the chat: %s",
        hypha_url_text(hypha_channel_display_address(channel)), hypha_err_text(why));
}

static void on_text(struct hypha_channel *channel, struct hypha_span text, void *user)
{
    struct dchatd *dchatd = user;
    const struct hypha_url *seen = hypha_channel_display_address(channel);
    const struct hypha_url *announced = hypha_channel_peer_address(channel, 0);
    uint64_t now_ms = hy_wall_ns(hy_daemon_loop(dchatd->daemon)) / 1000000;

    const struct chat_entry *entry = chat_log_add(&dchatd->log, now_ms, hypha_channel_id(channel),
        hypha_url_text(announced != NULL ? announced : seen), hypha_url_host(seen), text);

    if (entry == NULL) {
        hy_daemon_say(dchatd->daemon, HYPHA_LOG_WARN, TARGET,
            "A message of %zu bytes from %s is lost: there is no memory for it", text.len,
            hypha_url_text(seen));
        return;
    }
    dchatd_tell(dchatd, entry);
}

/* ---- the daemon's ---- */

static enum hypha_err setup(
    struct hy_daemon *daemon, struct hypha_settings *settings, void *config, void *app, char *why)
{
    struct dchatd *dchatd = app;

    dchatd->daemon = daemon;
    take_config(dchatd, config);
    dchatd->chat = (struct dchat){ on_joined, on_left, on_text, dchatd };
    enum hypha_err err = hy_daemon_add_node(daemon, settings, "dchatd", &dchatd->p2p, why);
    if (err == HYPHA_OK)
        err = hypha_p2p_register(dchatd->p2p, &dchat_protocol, &dchatd->chat);
    if (err == HYPHA_OK)
        err = dchatd_add_methods(dchatd);
    return err;
}

static const struct hy_daemon_program program = {
    .name = "dchatd",
    .app_version = "0.4.1",
    .summary = "chat over a peer-to-peer network",
    .config_file = "dchatd_config.toml",
    .config_template = config_template,
    .default_rpc = "tcp://127.0.0.1:51054",
    .network = true,
    .config_create = config_create,
    .config_destroy = free,
    .keys = root_keys,
    .key_count = 1,
    .setup = setup,
    .on_reloaded = on_reloaded,
};

int main(int argc, char **argv)
{
    struct dchatd dchatd = { .max_message_bytes = MESSAGE_BYTES };

    LIST_INIT(&dchatd.waits);
    LIST_INIT(&dchatd.listeners);
    chat_log_init(&dchatd.log);
    int status = hy_daemon_main(&program, &dchatd, argc, argv);
    chat_log_fini(&dchatd.log);
    return status;
}
