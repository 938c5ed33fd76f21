/* view_config.c - [[nodes]] of the reference's dnet_config.toml, and NAME=ENDPOINT on the command
 * line. */
#include "view/view_config.h"
#include "base/alloc.h"
#include "base/span.h"
#include "daemon/config.h"
#include "daemon/secret.h"
#include "rpc/endpoint.h"

#include <stdio.h>
#include <string.h>

const char view_config_template[] =
    "# The nodes that hypha-view shows. See dnet_config.toml(5).\n"
    "#\n"
    "# name      what the node is called on the screen\n"
    "# host      where its JSON-RPC listens: a name or an IP address\n"
    "# port      and on which TCP port\n"
    "# type      NORMAL: a node; LILITH: a seed daemon; left out: it is found out\n"
    "# endpoint  instead of host and port: HOST:PORT, unix:PATH or a URL such as\n"
    "#           tcp+tls://192.0.2.1:51054 (only hypha-view knows this key)\n"
    "# token_file  where the daemon's access token is, if it wants one (or: token; only\n"
    "#           hypha-view knows these keys)\n"
    "\n"
    "# A chat daemon and a seed daemon on this machine, with their usual ports.\n"
    "[[nodes]]\n"
    "name = \"dchatd\"\n"
    "host = \"127.0.0.1\"\n"
    "port = 51054\n"
    "type = \"NORMAL\"\n"
    "\n"
    "[[nodes]]\n"
    "name = \"seed\"\n"
    "host = \"127.0.0.1\"\n"
    "port = 18927\n"
    "type = \"LILITH\"\n"
    "\n"
    "#[[nodes]]\n"
    "#name = \"far\"\n"
    "#endpoint = \"tcp+tls://192.0.2.1:51054\"\n"
    "#token_file = \"~/.config/darkfi/far.token\"\n";

/* ---- targets ---- */

static void target_fini(struct view_target *target)
{
    hy_free(target->name);
    hy_free(target->endpoint);
    hy_free(target->token);
    *target = (struct view_target){ 0 };
}

void view_config_fini(struct view_targets *targets)
{
    for (size_t i = 0; i < targets->count; i++)
        target_fini(&targets->entries[i]);
    targets->count = 0;
}

/* Takes what `target` holds over, also with an error. */
static enum hypha_err add(
    struct view_targets *targets, struct view_target *target, char why[VIEW_CONFIG_WHY_BYTES])
{
    struct hy_rpc_endpoint endpoint;
    char about[HY_RPC_WHY_BYTES], shown[80];
    enum hypha_err err = HYPHA_ERR_NOMEM;

    (void)snprintf(why, VIEW_CONFIG_WHY_BYTES, "%s", hypha_err_text(err));
    if (target->name == NULL || target->endpoint == NULL)
        goto fail;
    (void)hy_span_escape(hy_span_of(target->name), shown, sizeof shown);
    err = HYPHA_ERR_EXISTS;
    for (size_t i = 0; i < targets->count; i++) {
        if (strcmp(targets->entries[i].name, target->name) == 0) {
            (void)snprintf(why, VIEW_CONFIG_WHY_BYTES, "two nodes are named \"%s\"", shown);
            goto fail;
        }
    }
    err = HYPHA_ERR_LIMIT;
    if (targets->count == VIEW_MAX_NODES) {
        (void)snprintf(why, VIEW_CONFIG_WHY_BYTES, "more than %d nodes", VIEW_MAX_NODES);
        goto fail;
    }
    err = hy_rpc_endpoint_dial(target->endpoint, &endpoint, about);
    if (err != HYPHA_OK) {
        (void)snprintf(why, VIEW_CONFIG_WHY_BYTES, "node \"%s\": %s", shown, about);
        err = err == HYPHA_ERR_NOMEM ? err : HYPHA_ERR_INVALID;
        goto fail;
    }
    hy_rpc_endpoint_fini(&endpoint);
    targets->entries[targets->count++] = *target;
    return HYPHA_OK;
fail:
    target_fini(target);
    return err;
}

enum hypha_err view_config_add(struct view_targets *targets, const char *text, const char *token,
    char why[VIEW_CONFIG_WHY_BYTES])
{
    size_t name = strcspn(text, "=:/");
    bool named = text[name] == '=' && name > 0;
    struct view_target target = {
        .name = named ? hy_strndup(text, name) : hy_strdup(text),
        .endpoint = hy_strdup(named ? text + name + 1 : text),
        .token = token != NULL ? hy_strdup(token) : NULL,
        .kind_is_open = true,
    };

    if (token != NULL && target.token == NULL) {
        target_fini(&target);
        (void)snprintf(why, VIEW_CONFIG_WHY_BYTES, "%s", hypha_err_text(HYPHA_ERR_NOMEM));
        return HYPHA_ERR_NOMEM;
    }
    return add(targets, &target, why);
}

/* ---- the file ---- */

struct node_target {
    struct view_target target;
    const char *host; /* borrowed of the tree */
    int64_t port;
};

enum text_key { KEY_NAME, KEY_HOST, KEY_ENDPOINT, KEY_TOKEN };

static bool apply_token_file(struct hy_config *config, const struct hy_toml_node *value,
    const char *path, const struct hy_config_key *key, void *user)
{
    struct node_target *node = user;
    char *name = NULL, *token = NULL;
    bool is_open = false;

    (void)key;
    if (!hy_config_is(config, value, path, HY_TOML_STRING))
        return false;
    enum hypha_err err = hy_config_expand(value->text, &name);
    if (err == HYPHA_OK)
        err = hy_secret_read(name, &token, &is_open);
    if (err == HYPHA_OK && is_open)
        hy_config_warn(config, value, "others may read %.200s: chmod 600 it", name);
    if (err == HYPHA_OK) {
        hy_free(node->target.token);
        node->target.token = hy_strdup(token);
        err = node->target.token != NULL ? HYPHA_OK : HYPHA_ERR_NOMEM;
    }
    if (err != HYPHA_OK)
        hy_config_refuse(config, value, path, "%s: %s", value->text,
            err == HYPHA_ERR_INVALID ? "no token is in it" : hypha_err_text(err));
    hy_secret_free(token);
    hy_free(name);
    return err == HYPHA_OK;
}

static bool apply_text(struct hy_config *config, const struct hy_toml_node *value, const char *path,
    const struct hy_config_key *key, void *user)
{
    struct node_target *node = user;
    char **const places[] = {
        [KEY_NAME] = &node->target.name,
        [KEY_ENDPOINT] = &node->target.endpoint,
        [KEY_TOKEN] = &node->target.token,
    };

    if (!hy_config_is(config, value, path, HY_TOML_STRING))
        return false;
    if (key->arg == KEY_HOST) {
        node->host = value->text;
        return true;
    }
    if (key->arg == KEY_NAME && value->text[0] == '\0') {
        hy_config_refuse(config, value, path, "a node needs a name");
        return false;
    }
    char *copy = hy_strdup(value->text);
    if (copy == NULL) {
        hy_config_refuse(config, value, path, "%s", hypha_err_text(HYPHA_ERR_NOMEM));
        return false;
    }
    hy_free(*places[key->arg]);
    *places[key->arg] = copy;
    return true;
}

static bool apply_port(struct hy_config *config, const struct hy_toml_node *value, const char *path,
    const struct hy_config_key *key, void *user)
{
    struct node_target *node = user;

    (void)key;
    if (!hy_config_is(config, value, path, HY_TOML_INTEGER))
        return false;
    if (value->integer < 1 || value->integer > 65535) {
        hy_config_refuse(config, value, path, "expected a port from 1 to 65535");
        return false;
    }
    node->port = value->integer;
    return true;
}

static bool apply_type(struct hy_config *config, const struct hy_toml_node *value, const char *path,
    const struct hy_config_key *key, void *user)
{
    struct node_target *node = user;

    (void)key;
    if (!hy_config_is(config, value, path, HY_TOML_STRING))
        return false;
    node->target.kind_is_open = false;
    if (strcmp(value->text, "NORMAL") == 0) {
        node->target.kind = VIEW_NORMAL;
    } else if (strcmp(value->text, "LILITH") == 0) {
        node->target.kind = VIEW_LILITH;
    } else {
        hy_config_refuse(config, value, path, "expected \"NORMAL\" or \"LILITH\"");
        return false;
    }
    return true;
}

static const struct hy_config_key node_keys[] = {
    { "name", apply_text, KEY_NAME, NULL },
    { "host", apply_text, KEY_HOST, NULL },
    { "port", apply_port, 0, NULL },
    { "type", apply_type, 0, NULL },
    { "endpoint", apply_text, KEY_ENDPOINT, NULL },
    { "token", apply_text, KEY_TOKEN, NULL },
    { "token_file", apply_token_file, 0, NULL },
};

/* host and port as an endpoint. False: refused. */
static bool make_endpoint(struct hy_config *config, const struct hy_toml_node *value,
    const char *path, struct node_target *node)
{
    char endpoint[512];

    if (node->target.endpoint != NULL)
        return true;
    if (node->host == NULL || node->host[0] == '\0' || node->port == 0) {
        hy_config_refuse(config, value, path, "expected host and port, or endpoint");
        return false;
    }
    bool bare6 = strchr(node->host, ':') != NULL && node->host[0] != '[';
    (void)snprintf(endpoint, sizeof endpoint, bare6 ? "[%.400s]:%d" : "%.400s:%d", node->host,
        (int)node->port);
    node->target.endpoint = hy_strdup(endpoint);
    if (node->target.endpoint == NULL)
        hy_config_refuse(config, value, path, "%s", hypha_err_text(HYPHA_ERR_NOMEM));
    return node->target.endpoint != NULL;
}

static bool apply_node(struct hy_config *config, const struct hy_toml_node *value, const char *path,
    struct view_targets *targets)
{
    struct node_target node = { .target = { .kind_is_open = true } };
    char why[VIEW_CONFIG_WHY_BYTES];

    if (!hy_config_is(config, value, path, HY_TOML_TABLE) ||
        !hy_config_read_table(
            config, value, path, node_keys, sizeof node_keys / sizeof node_keys[0], &node) ||
        !make_endpoint(config, value, path, &node)) {
        target_fini(&node.target);
        return false;
    }
    if (node.target.name == NULL)
        node.target.name = hy_strdup(node.target.endpoint);
    if (add(targets, &node.target, why) != HYPHA_OK) {
        hy_config_refuse(config, value, path, "%s", why);
        return false;
    }
    return true;
}

static bool apply_nodes(struct hy_config *config, const struct hy_toml_node *value,
    const char *path, const struct hy_config_key *key, void *user)
{
    (void)key;
    if (!hy_config_is(config, value, path, HY_TOML_ARRAY))
        return false;
    for (size_t i = 0; i < value->count; i++) {
        char here[64];

        (void)snprintf(here, sizeof here, "nodes[%zu]", i);
        if (!apply_node(config, &value->children[i], here, user))
            return false;
    }
    return true;
}

static const struct hy_config_key root_keys[] = {
    { "nodes", apply_nodes, 0, NULL },
};

enum hypha_err view_config_load(struct view_targets *targets, const char *path,
    void (*warn)(const char *line), char why[VIEW_CONFIG_WHY_BYTES])
{
    struct hy_config config;
    enum hypha_err err = hy_config_load(&config, path);

    if (err == HYPHA_OK &&
        !hy_config_read_table(
            &config, config.root, "", root_keys, sizeof root_keys / sizeof root_keys[0], targets))
        err = HYPHA_ERR_INVALID;
    for (size_t i = 0; i < config.warning_count; i++)
        warn(config.warnings[i]);
    (void)snprintf(why, VIEW_CONFIG_WHY_BYTES, "%s", config.why);
    hy_config_fini(&config);
    return err;
}
