/* reload.c - judge all of the new config first, then let every node and the daemon take it over. */
#include "daemon/reload.h"
#include "base/alloc.h"
#include "daemon/daemon_internal.h"

#include <stdio.h>
#include <string.h>

#define TARGET       "daemon"
#define KEY_BYTES    300
#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

/* ---- the report ---- */

/* A text that finds no memory is missing in the report; the reload itself is not in danger. */
static void note(json_t *array, const char *given)
{
    char text[HY_STARTUP_WHY_BYTES];

    (void)snprintf(text, sizeof text, "%s", given);
    hy_json_make_text(text);
    for (size_t i = 0; i < json_array_size(array); i++)
        if (strcmp(json_string_value(json_array_get(array, i)), text) == 0)
            return;
    (void)json_array_append_new(array, json_string(text));
}

void hy_reload_applied(struct hy_reload *reload, const char *key)
{
    note(reload->applied, key);
}

void hy_reload_restart(struct hy_reload *reload, const char *key)
{
    note(reload->restart, key);
}

void hy_reload_fini(struct hy_reload *reload)
{
    json_decref(reload->applied);
    json_decref(reload->restart);
    json_decref(reload->warnings);
    *reload = (struct hy_reload){ 0 };
}

static void fail(struct hy_reload *reload, enum hypha_err err, const char *why)
{
    reload->err = err;
    (void)snprintf(reload->why, sizeof reload->why, "%s", why);
    hy_json_make_text(reload->why);
}

/* ---- the nodes ---- */

/* A node, and what it is to become. */
struct step {
    struct hy_daemon_node *node;
    struct hypha_settings *settings;    /* borrowed from the new config; NULL: not in it */
    struct hy_resolved_settings *fresh; /* the same, resolved */
};

static struct hypha_settings *settings_of(
    const struct hy_daemon_node *node, const struct hy_startup *fresh)
{
    if (node->daemon->program->network)
        return fresh->settings;
    return node->daemon->program->config_node(fresh->own, node->name);
}

/* Everything that can be wrong shows here. */
static enum hypha_err prepare_step(
    struct step *step, const struct hy_startup *fresh, struct hy_reload *reload)
{
    struct hy_daemon_node *node = step->node;

    step->settings = settings_of(node, fresh);
    if (step->settings == NULL)
        return HYPHA_OK;
    hypha_settings_set_log(
        step->settings, hy_daemon_node_log, node, hy_log_level_of(fresh->verbosity));
    enum hypha_err err = hy_settings_resolve(step->settings, &step->fresh);
    if (err == HYPHA_ERR_SETTINGS)
        fail(reload, err, hypha_settings_why(step->settings));
    else if (err != HYPHA_OK)
        fail(reload, err, hypha_err_text(err));
    return err;
}

/* Names of the seed daemon's tables that are not those of [net]. */
static const char *key_name(const struct hy_daemon *daemon, const char *name)
{
    static const char *const seeds[][2] = {
        { "inbound", "accept_addrs" },
        { "app_version", "version" },
        { "p2p_datastore", "datastore" },
    };

    for (size_t i = 0; !daemon->program->network && i < COUNT(seeds); i++)
        if (strcmp(name, seeds[i][0]) == 0)
            return seeds[i][1];
    return name;
}

static void note_keys(const struct step *step, bool restart, struct hy_reload *reload)
{
    const struct hy_daemon *daemon = step->node->daemon;
    const char *names[HY_MAX_CHANGES];
    char key[KEY_BYTES];
    size_t count = hy_settings_changes(step->node->running, step->fresh, restart, names);

    for (size_t i = 0; i < count; i++) {
        const char *name = key_name(daemon, names[i]);

        if (strcmp(name, "log") == 0) /* the level: told as "verbose" */
            continue;
        if (strcmp(name, "whitelist_refinery_interval") == 0) /* one for all networks */
            (void)snprintf(key, sizeof key, "%s", name);
        else if (daemon->program->network)
            (void)snprintf(key, sizeof key, "net.%s", name);
        else
            (void)snprintf(key, sizeof key, "network.\"%s\".%s", step->node->name, name);
        note(restart ? reload->restart : reload->applied, key);
    }
}

static enum hypha_err take_step(struct step *step, struct hy_reload *reload)
{
    struct hy_daemon_node *node = step->node;
    char restart[HYPHA_RELOAD_TEXT_BYTES], key[KEY_BYTES];

    if (step->settings == NULL) {
        (void)snprintf(key, sizeof key, "network.\"%s\"", node->name);
        note(reload->restart, key);
        return HYPHA_OK;
    }
    enum hypha_err err = hypha_p2p_reload(node->p2p, step->settings, restart);
    if (err != HYPHA_OK) {
        fail(reload, err, hypha_err_text(err));
        return err;
    }
    note_keys(step, false, reload);
    note_keys(step, true, reload);
    hy_settings_swap_reloadable(node->running, step->fresh);
    return HYPHA_OK;
}

static enum hypha_err reload_nodes(
    struct hy_daemon *daemon, const struct hy_startup *fresh, struct hy_reload *reload)
{
    struct step *steps = hy_alloc_array(daemon->node_count, sizeof *steps);
    struct hy_daemon_node *node;
    enum hypha_err err = HYPHA_OK;
    size_t count = 0;

    if (steps == NULL) {
        fail(reload, HYPHA_ERR_NOMEM, hypha_err_text(HYPHA_ERR_NOMEM));
        return HYPHA_ERR_NOMEM;
    }
    STAILQ_FOREACH (node, &daemon->nodes, entry)
        steps[count++].node = node;
    for (size_t i = 0; i < count && err == HYPHA_OK; i++)
        err = prepare_step(&steps[i], fresh, reload);
    for (size_t i = 0; i < count && err == HYPHA_OK; i++)
        err = take_step(&steps[i], reload);
    for (size_t i = 0; i < count; i++)
        hy_resolved_settings_destroy(steps[i].fresh);
    hy_free(steps);
    return err;
}

/* ---- the daemon ---- */

static bool same_text(const char *a, const char *b)
{
    return a == NULL || b == NULL ? a == b : strcmp(a, b) == 0;
}

/* By what they do, not by how they are written. */
static bool same_methods(const struct hy_startup *a, const struct hy_startup *b)
{
    const struct hy_toml_node *left = a->rpc_disabled, *right = b->rpc_disabled;
    size_t count = left != NULL ? left->count : 0;

    if (hy_options_get(&b->options, "rpc-disabled-methods")->times > 0)
        return true; /* the flag wins, before and after */
    if (count != (right != NULL ? right->count : 0))
        return false;
    for (size_t i = 0; i < count; i++)
        if (strcmp(left->children[i].text, right->children[i].text) != 0)
            return false;
    return true;
}

/* Errors: NOMEM: more methods than before are refused, none that was not named. */
static enum hypha_err reload_methods(
    struct hy_daemon *daemon, const struct hy_startup *fresh, struct hy_reload *reload)
{
    if (same_methods(daemon->startup, fresh))
        return HYPHA_OK;
    hy_rpc_server_enable_all(daemon->rpc);
    hy_reload_applied(reload, "rpc.rpc_disabled_methods");
    return hy_startup_disable_methods(fresh, daemon->rpc);
}

static void note_unknown(const char *name, void *warnings)
{
    char text[KEY_BYTES];

    (void)snprintf(text, sizeof text, HY_UNKNOWN_METHOD, name);
    note(warnings, text);
}

static void swap_text(char **a, char **b)
{
    char *kept = *a;

    *a = *b;
    *b = kept;
}

static void reload_log(struct hy_daemon *daemon, struct hy_startup *fresh, struct hy_reload *reload)
{
    const char *path = hy_startup_log_path(fresh);

    if (fresh->verbosity != daemon->startup->verbosity) {
        hy_logger_set_verbosity(daemon->logger, fresh->verbosity);
        hy_reload_applied(reload, "verbose");
    }
    if (same_text(path, hy_startup_log_path(daemon->startup)))
        return;
    if (hy_logger_set_path(daemon->logger, path) == HYPHA_OK) {
        hy_reload_applied(reload, "log");
        return;
    }
    note(reload->warnings, "log: the new file cannot be opened; the old one goes on");
    swap_text(&fresh->log_path, &daemon->startup->log_path);
}

static void note_restarts(
    const struct hy_startup *now, const struct hy_startup *fresh, struct hy_reload *reload)
{
    if (!same_text(hy_startup_rpc_listen(now), hy_startup_rpc_listen(fresh)))
        hy_reload_restart(reload, "rpc.rpc_listen");
    if (!same_text(now->rpc_token, fresh->rpc_token))
        hy_reload_restart(reload, "rpc.rpc_token");
    if (!same_text(hy_startup_metrics_listen(now), hy_startup_metrics_listen(fresh)))
        hy_reload_restart(reload, "metrics.listen");
    if (!same_text(now->metrics_token, fresh->metrics_token))
        hy_reload_restart(reload, "metrics.token");
}

/* What stays as it was until a restart is what the next reload is compared with. */
static void keep_running(struct hy_startup *now, struct hy_startup *fresh)
{
    swap_text(&now->rpc_listen, &fresh->rpc_listen);
    swap_text(&now->rpc_token, &fresh->rpc_token);
    swap_text(&now->metrics_listen, &fresh->metrics_listen);
    swap_text(&now->metrics_token, &fresh->metrics_token);
}

/* ---- the whole ---- */

static void run(struct hy_daemon *daemon, struct hy_reload *reload)
{
    struct hy_startup *fresh = NULL;
    char why[HY_STARTUP_WHY_BYTES];

    if (reload->applied == NULL || reload->restart == NULL || reload->warnings == NULL) {
        fail(reload, HYPHA_ERR_NOMEM, hypha_err_text(HYPHA_ERR_NOMEM));
        return;
    }
    enum hypha_err err = hy_startup_reread(daemon->startup, &fresh, why);
    if (err != HYPHA_OK) {
        fail(reload, err, why);
        return;
    }
    for (size_t i = 0; i < fresh->config.warning_count; i++)
        note(reload->warnings, fresh->config.warnings[i]);
    err = reload_nodes(daemon, fresh, reload);
    if (err != HYPHA_OK) {
        hy_startup_destroy(fresh);
        return;
    }
    if (reload_methods(daemon, fresh, reload) != HYPHA_OK)
        note(reload->warnings, "rpc.rpc_disabled_methods: there is no memory for all of them");
    hy_rpc_server_each_unknown(daemon->rpc, note_unknown, reload->warnings);
    reload_log(daemon, fresh, reload);
    note_restarts(daemon->startup, fresh, reload);
    if (daemon->program->on_reloaded != NULL)
        daemon->program->on_reloaded(daemon, fresh->own, daemon->app, reload);
    keep_running(daemon->startup, fresh);
    hy_startup_destroy(daemon->startup);
    daemon->startup = fresh;
}

static void say_keys(struct hy_daemon *daemon, const char *what, const json_t *keys)
{
    char line[800] = "";
    size_t len = 0;

    if (json_array_size(keys) == 0)
        return;
    for (size_t i = 0; i < json_array_size(keys) && len < sizeof line; i++)
        len += (size_t)snprintf(line + len, sizeof line - len, "%s%s", i > 0 ? ", " : "",
            json_string_value(json_array_get(keys, i)));
    hy_daemon_say(daemon, HYPHA_LOG_INFO, TARGET, "%s: %s", what, line);
}

static void say(struct hy_daemon *daemon, const struct hy_reload *reload)
{
    if (reload->err != HYPHA_OK) {
        hy_daemon_say(daemon, HYPHA_LOG_ERROR, TARGET,
            "The configuration cannot be reloaded, nothing is changed: %s", reload->why);
        return;
    }
    for (size_t i = 0; i < json_array_size(reload->warnings); i++)
        hy_daemon_say(daemon, HYPHA_LOG_WARN, "config", "%s",
            json_string_value(json_array_get(reload->warnings, i)));
    hy_daemon_say(daemon, HYPHA_LOG_INFO, TARGET, "Configuration reloaded%s",
        json_array_size(reload->applied) + json_array_size(reload->restart) == 0
            ? ": nothing has changed"
            : "");
    say_keys(daemon, "Applied", reload->applied);
    say_keys(daemon, "Needs a restart", reload->restart);
}

/* Whatever the config holds: a rotated file must be let go. */
static void reopen_log(struct hy_daemon *daemon, struct hy_reload *reload)
{
    if (hy_startup_log_path(daemon->startup) == NULL)
        return;
    if (hy_logger_reopen(daemon->logger) == HYPHA_OK)
        hy_daemon_say(daemon, HYPHA_LOG_INFO, TARGET, "Log reopened");
    else
        note(reload->warnings, "log: the file cannot be opened again; the old one goes on");
}

void hy_daemon_reload(struct hy_daemon *daemon, struct hy_reload *ret_reload)
{
    *ret_reload = (struct hy_reload){
        .applied = json_array(), .restart = json_array(), .warnings = json_array()
    };
    if (daemon->state != HY_DAEMON_RUNNING) {
        fail(ret_reload, HYPHA_ERR_STATE, "the daemon is starting or stopping");
        return;
    }
    hy_notify_reloading(daemon->loop);
    reopen_log(daemon, ret_reload);
    run(daemon, ret_reload);
    say(daemon, ret_reload);
    hy_notify("READY=1");
    hy_service_update(&daemon->service);
}
