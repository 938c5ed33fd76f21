#include "daemon/startup.h"
#include "base/alloc.h"
#include "daemon/net_config.h"

#include <assert.h>
#include <stdio.h>
#include <string.h>

#define EXIT_USAGE   1
#define EXIT_CREATED 2
#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

static const struct hy_option common_options[] = {
    { "config", 'c', HY_OPTION_VALUE, "PATH", "Config file to use" },
    { "log", 'l', HY_OPTION_VALUE, "PATH", "Log also to this file" },
    { "verbose", 'v', HY_OPTION_COUNT, NULL, "More log lines: -v, -vv, -vvv" },
    { "rpc-listen", 0, HY_OPTION_VALUE, "URL", "JSON-RPC address: tcp, tcp+tls or unix" },
    { "rpc-disabled-methods", 0, HY_OPTION_LIST, "METHOD", "JSON-RPC methods to refuse" },
    { "help", 'h', HY_OPTION_FLAG, NULL, "Show this help" },
    { "version", 'V', HY_OPTION_FLAG, NULL, "Show the version" },
};

/* ---- the config's common keys ---- */

static bool take_text(
    struct hy_config *config, const struct hy_toml_node *value, const char *path, char **into)
{
    if (!hy_config_is(config, value, path, HY_TOML_STRING))
        return false;
    char *copy = hy_strdup(value->text);
    if (copy == NULL) {
        hy_config_refuse(config, value, path, "%s", hypha_err_text(HYPHA_ERR_NOMEM));
        return false;
    }
    hy_free(*into);
    *into = copy;
    return true;
}

struct root_target {
    struct hy_startup *startup;
    struct hy_daemon *daemon;
};

static bool apply_log(struct hy_config *config, const struct hy_toml_node *value, const char *path,
    const struct hy_config_key *key, void *user)
{
    struct root_target *target = user;

    (void)key;
    return take_text(config, value, path, &target->startup->log_path);
}

static bool apply_verbose(struct hy_config *config, const struct hy_toml_node *value,
    const char *path, const struct hy_config_key *key, void *user)
{
    struct root_target *target = user;

    (void)key;
    if (!hy_config_is(config, value, path, HY_TOML_INTEGER))
        return false;
    if (value->integer < 0 || value->integer > 3) {
        hy_config_refuse(config, value, path, "expected an integer from 0 to 3");
        return false;
    }
    target->startup->verbosity = (unsigned)value->integer;
    return true;
}

enum rpc_place { RPC_TOP, RPC_TABLE };

static bool apply_rpc_listen(struct hy_config *config, const struct hy_toml_node *value,
    const char *path, const struct hy_config_key *key, void *user)
{
    struct root_target *target = user;
    struct hy_startup *startup = target->startup;

    if (key->arg == RPC_TOP) {
        hy_config_warn(
            config, value, "rpc_listen belongs into the table [rpc]; it is taken anyway");
        if (startup->rpc_listen_is_from_table)
            return hy_config_is(config, value, path, HY_TOML_STRING);
    }
    if (!take_text(config, value, path, &startup->rpc_listen))
        return false;
    startup->rpc_listen_is_from_table = key->arg == RPC_TABLE;
    return true;
}

static bool apply_rpc_disabled(struct hy_config *config, const struct hy_toml_node *value,
    const char *path, const struct hy_config_key *key, void *user)
{
    struct root_target *target = user;

    (void)key;
    if (!hy_config_is(config, value, path, HY_TOML_ARRAY))
        return false;
    for (size_t i = 0; i < value->count; i++)
        if (!hy_config_is(config, &value->children[i], path, HY_TOML_STRING))
            return false;
    target->startup->rpc_disabled = value;
    return true;
}

static const struct hy_config_key rpc_keys[] = {
    { "rpc_listen", apply_rpc_listen, RPC_TABLE, NULL },
    { "rpc_disabled_methods", apply_rpc_disabled, 0, NULL },
};

static bool apply_rpc(struct hy_config *config, const struct hy_toml_node *value, const char *path,
    const struct hy_config_key *key, void *user)
{
    (void)key;
    return hy_config_is(config, value, path, HY_TOML_TABLE) &&
        hy_config_read_table(config, value, path, rpc_keys, COUNT(rpc_keys), user);
}

static bool apply_net(struct hy_config *config, const struct hy_toml_node *value, const char *path,
    const struct hy_config_key *key, void *user)
{
    struct root_target *target = user;

    (void)path;
    (void)key;
    return hy_net_config_read(config, value, target->startup->settings);
}

/* The program's own key, handed on with the daemon as its target. */
static bool apply_program_key(struct hy_config *config, const struct hy_toml_node *value,
    const char *path, const struct hy_config_key *key, void *user)
{
    struct root_target *target = user;
    const struct hy_config_key *own = &target->startup->program->keys[key->arg];

    return own->apply(config, value, path, own, target->daemon);
}

static const struct hy_config_key root_keys[] = {
    { "log", apply_log, 0, NULL }, { "verbose", apply_verbose, 0, NULL },
    { "rpc_listen", apply_rpc_listen, RPC_TOP, NULL }, { "rpc", apply_rpc, 0, NULL },
    { "net", apply_net, 0, NULL }, /* last: only where the program takes it */
};

#define MAX_PROGRAM_KEYS 16

static bool read_root(struct hy_startup *startup, struct hy_daemon *daemon)
{
    const struct hy_daemon_program *program = startup->program;
    struct hy_config_key keys[COUNT(root_keys) + MAX_PROGRAM_KEYS];
    struct root_target target = { startup, daemon };
    size_t count = COUNT(root_keys) - (program->network ? 0 : 1);

    assert(program->key_count <= MAX_PROGRAM_KEYS);
    memcpy(keys, root_keys, count * sizeof keys[0]);
    for (size_t i = 0; i < program->key_count; i++)
        keys[count++] =
            (struct hy_config_key){ program->keys[i].name, apply_program_key, (int)i, NULL };
    return hy_config_read_table(&startup->config, startup->config.root, "", keys, count, &target);
}

/* ---- the command line ---- */

static void add_options(struct hy_startup *startup, const struct hy_option *options, size_t count)
{
    assert(startup->option_count + count <= HY_MAX_OPTIONS);
    for (size_t i = 0; i < count; i++)
        startup->table[startup->option_count++] = options[i];
}

static int complain(const struct hy_startup *startup, const char *why)
{
    fprintf(stderr, "%s: %s\n", startup->program->name, why);
    return EXIT_USAGE;
}

static int read_options(struct hy_startup *startup, int argc, char **argv)
{
    const struct hy_daemon_program *program = startup->program;
    char why[HY_OPTIONS_WHY_BYTES];

    add_options(startup, common_options, COUNT(common_options));
    if (program->network)
        add_options(startup, hy_net_options, hy_net_option_count);
    add_options(startup, program->options, program->option_count);
    if (hy_options_parse(&startup->options, startup->table, startup->option_count, argc, argv,
            why) != HYPHA_OK) {
        (void)complain(startup, why);
        fprintf(stderr, "Usage: %s [OPTIONS]; --help shows them.\n", program->name);
        return EXIT_USAGE;
    }
    if (hy_options_get(&startup->options, "help")->times > 0) {
        hy_options_help(
            stdout, program->name, program->summary, startup->table, startup->option_count);
        return 0;
    }
    if (hy_options_get(&startup->options, "version")->times > 0) {
        printf("%s %s\n", program->name, program->app_version);
        return 0;
    }
    return HY_STARTUP_GO_ON;
}

/* ---- the config file ---- */

static int find_config(struct hy_startup *startup)
{
    const char *given = hy_options_value(&startup->options, "config");
    enum hypha_err err = given != NULL
        ? hy_config_expand(given, &startup->config_path)
        : hy_config_default_path(startup->program->config_file, &startup->config_path);
    char why[256];

    if (err == HYPHA_OK)
        return HY_STARTUP_GO_ON;
    if (err == HYPHA_ERR_INVALID)
        (void)snprintf(why, sizeof why, "--config: \"%.150s\": only \"~/\" is expanded", given);
    else if (err == HYPHA_ERR_NOT_FOUND)
        (void)snprintf(why, sizeof why, "no home folder is known: use --config");
    else
        (void)snprintf(why, sizeof why, "--config: %s", hypha_err_text(err));
    return complain(startup, why);
}

static int create_config(struct hy_startup *startup)
{
    enum hypha_err err = hy_config_write_template(
        startup->config_path, startup->program->config_template);

    if (err != HYPHA_OK) {
        char why[512];

        (void)snprintf(why, sizeof why, "%.300s cannot be created: %s", startup->config_path,
            hypha_err_text(err));
        return complain(startup, why);
    }
    printf(
        "Config file created in \"%s\". Please review it and start again.\n", startup->config_path);
    return EXIT_CREATED;
}

static int read_config(struct hy_startup *startup, struct hy_daemon *daemon)
{
    enum hypha_err err = hy_config_load(&startup->config, startup->config_path);

    if (err == HYPHA_ERR_NOT_FOUND)
        return create_config(startup);
    if (err != HYPHA_OK || !read_root(startup, daemon))
        return complain(startup, startup->config.why);
    return HY_STARTUP_GO_ON;
}

static int make_settings(struct hy_startup *startup)
{
    const struct hy_daemon_program *program = startup->program;
    enum hypha_err err = hypha_settings_create(&startup->settings);

    if (err == HYPHA_OK)
        err = hypha_settings_set_text(startup->settings, HYPHA_KEY_APP_NAME, program->name);
    if (err == HYPHA_OK)
        err = hypha_settings_set_text(
            startup->settings, HYPHA_KEY_APP_VERSION, program->app_version);
    return err == HYPHA_OK ? HY_STARTUP_GO_ON : complain(startup, hypha_err_text(err));
}

/* Flags win over the config. */
static int apply_flags(struct hy_startup *startup)
{
    const char *log = hy_options_value(&startup->options, "log");
    size_t verbose = hy_options_get(&startup->options, "verbose")->times;
    char why[256];
    char *path = NULL;

    if (startup->program->network &&
        hy_net_config_flags(&startup->options, startup->settings, why) != HYPHA_OK)
        return complain(startup, why);
    if (verbose > 0)
        startup->verbosity = verbose > 3 ? 3 : (unsigned)verbose;
    if (log == NULL)
        log = startup->log_path;
    if (log == NULL || log[0] == '\0')
        return HY_STARTUP_GO_ON;
    enum hypha_err err = hy_config_expand(log, &path);
    if (err != HYPHA_OK) {
        (void)snprintf(why, sizeof why, "log: \"%.150s\": %s", log,
            err == HYPHA_ERR_INVALID ? "only \"~/\" is expanded" : hypha_err_text(err));
        return complain(startup, why);
    }
    hy_free(startup->log_path);
    startup->log_path = path;
    return HY_STARTUP_GO_ON;
}

int hy_startup_read(struct hy_startup *startup, const struct hy_daemon_program *program,
    struct hy_daemon *daemon, int argc, char **argv)
{
    *startup = (struct hy_startup){ .program = program };
    int status = read_options(startup, argc, argv);

    if (status == HY_STARTUP_GO_ON)
        status = find_config(startup);
    if (status == HY_STARTUP_GO_ON && program->network)
        status = make_settings(startup);
    if (status == HY_STARTUP_GO_ON)
        status = read_config(startup, daemon);
    if (status == HY_STARTUP_GO_ON)
        status = apply_flags(startup);
    return status;
}

void hy_startup_fini(struct hy_startup *startup)
{
    hy_options_fini(&startup->options);
    hy_config_fini(&startup->config);
    hypha_settings_destroy(startup->settings);
    hy_free(startup->config_path);
    hy_free(startup->log_path);
    hy_free(startup->rpc_listen);
    *startup = (struct hy_startup){ 0 };
}

const char *hy_startup_log_path(const struct hy_startup *startup)
{
    return startup->log_path;
}

const char *hy_startup_rpc_listen(const struct hy_startup *startup)
{
    const char *flag = hy_options_value(&startup->options, "rpc-listen");

    if (flag != NULL)
        return flag;
    return startup->rpc_listen != NULL ? startup->rpc_listen : startup->program->default_rpc;
}

/* "a,b" as well as "a" "b". */
static enum hypha_err disable_each(struct hy_rpc_server *server, const char *names)
{
    char *copy = hy_strdup(names);
    char *rest = copy, *name;
    enum hypha_err err = copy != NULL ? HYPHA_OK : HYPHA_ERR_NOMEM;

    while (err == HYPHA_OK && (name = strsep(&rest, ",")) != NULL)
        if (name[0] != '\0')
            err = hy_rpc_server_disable(server, name);
    hy_free(copy);
    return err;
}

enum hypha_err hy_startup_disable_methods(
    const struct hy_startup *startup, struct hy_rpc_server *server)
{
    const struct hy_option_seen *flag = hy_options_get(&startup->options, "rpc-disabled-methods");
    const struct hy_toml_node *list = startup->rpc_disabled;
    enum hypha_err err = HYPHA_OK;

    for (size_t i = 0; err == HYPHA_OK && i < flag->count; i++)
        err = disable_each(server, flag->values[i]);
    if (flag->times > 0 || list == NULL)
        return err;
    for (size_t i = 0; err == HYPHA_OK && i < list->count; i++)
        err = hy_rpc_server_disable(server, list->children[i].text);
    return err;
}
