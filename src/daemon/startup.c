/* startup.c - from the command line and the config file to what a daemon is to be. */
#include "daemon/startup.h"
#include "base/alloc.h"
#include "base/token.h"
#include "daemon/net_config.h"
#include "daemon/secret.h"

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
    { "metrics-listen", 0, HY_OPTION_VALUE, "HOST:PORT", "Serve metrics for Prometheus there" },
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

static bool apply_log(struct hy_config *config, const struct hy_toml_node *value, const char *path,
    const struct hy_config_key *key, void *user)
{
    struct hy_startup *startup = user;

    (void)key;
    return take_text(config, value, path, &startup->log_path);
}

static bool apply_verbose(struct hy_config *config, const struct hy_toml_node *value,
    const char *path, const struct hy_config_key *key, void *user)
{
    struct hy_startup *startup = user;

    (void)key;
    if (!hy_config_is(config, value, path, HY_TOML_INTEGER))
        return false;
    if (value->integer < 0 || value->integer > 3) {
        hy_config_refuse(config, value, path, "expected an integer from 0 to 3");
        return false;
    }
    startup->verbosity = (unsigned)value->integer;
    return true;
}

enum rpc_place { RPC_TOP, RPC_TABLE };

static bool apply_rpc_listen(struct hy_config *config, const struct hy_toml_node *value,
    const char *path, const struct hy_config_key *key, void *user)
{
    struct hy_startup *startup = user;

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
    struct hy_startup *startup = user;

    (void)key;
    if (!hy_config_is(config, value, path, HY_TOML_ARRAY))
        return false;
    for (size_t i = 0; i < value->count; i++)
        if (!hy_config_is(config, &value->children[i], path, HY_TOML_STRING))
            return false;
    startup->rpc_disabled = value;
    return true;
}

/* ---- access tokens ---- */

enum token_place { TOKEN_RPC, TOKEN_METRICS };

static char **token_of(struct hy_startup *startup, int place)
{
    return place == TOKEN_RPC ? &startup->rpc_token : &startup->metrics_token;
}

static bool check_token(
    struct hy_config *config, const struct hy_toml_node *value, const char *path, const char *token)
{
    if (hy_token_is_valid(token))
        return true;
    hy_config_refuse(config, value, path,
        "expected at least %d printable characters, at most %d, without blanks as access token",
        HY_TOKEN_MIN_BYTES, HY_TOKEN_MAX_BYTES);
    return false;
}

/* Takes the token over. */
static bool keep_token(struct hy_config *config, const struct hy_toml_node *value, const char *path,
    char **into, char *token)
{
    if (*into != NULL)
        hy_config_refuse(config, value, path, "there is a token already: expected only one");
    else if (check_token(config, value, path, token)) {
        *into = token;
        return true;
    }
    hy_secret_free(token);
    return false;
}

static bool apply_token(struct hy_config *config, const struct hy_toml_node *value,
    const char *path, const struct hy_config_key *key, void *user)
{
    char *token = NULL;

    return take_text(config, value, path, &token) &&
        keep_token(config, value, path, token_of(user, key->arg), token);
}

static bool apply_token_file(struct hy_config *config, const struct hy_toml_node *value,
    const char *path, const struct hy_config_key *key, void *user)
{
    char *file = NULL, *token = NULL;
    bool others = false;

    if (!hy_config_is(config, value, path, HY_TOML_STRING))
        return false;
    enum hypha_err err = hy_config_expand(value->text, &file);
    if (err == HYPHA_OK)
        err = hy_secret_read(file, &token, &others);
    if (err != HYPHA_OK) {
        hy_config_refuse(config, value, path, "%.150s: %s", file != NULL ? file : value->text,
            err == HYPHA_ERR_INVALID ? "no token is in it" : hypha_err_text(err));
        hy_free(file);
        return false;
    }
    if (others)
        hy_config_warn(
            config, value, "%.150s can be read by others than its owner: expected mode 0600", file);
    hy_free(file);
    return keep_token(config, value, path, token_of(user, key->arg), token);
}

static const struct hy_config_key rpc_keys[] = {
    { "rpc_listen", apply_rpc_listen, RPC_TABLE, NULL },
    { "rpc_disabled_methods", apply_rpc_disabled, 0, NULL },
    { "rpc_token", apply_token, TOKEN_RPC, NULL },
    { "rpc_token_file", apply_token_file, TOKEN_RPC, NULL },
};

static bool apply_rpc(struct hy_config *config, const struct hy_toml_node *value, const char *path,
    const struct hy_config_key *key, void *user)
{
    (void)key;
    return hy_config_is(config, value, path, HY_TOML_TABLE) &&
        hy_config_read_table(config, value, path, rpc_keys, COUNT(rpc_keys), user);
}

static bool apply_metrics_listen(struct hy_config *config, const struct hy_toml_node *value,
    const char *path, const struct hy_config_key *key, void *user)
{
    struct hy_startup *startup = user;

    (void)key;
    return take_text(config, value, path, &startup->metrics_listen);
}

static const struct hy_config_key metrics_keys[] = {
    { "listen", apply_metrics_listen, 0, NULL },
    { "token", apply_token, TOKEN_METRICS, NULL },
    { "token_file", apply_token_file, TOKEN_METRICS, NULL },
};

static bool apply_metrics(struct hy_config *config, const struct hy_toml_node *value,
    const char *path, const struct hy_config_key *key, void *user)
{
    (void)key;
    return hy_config_is(config, value, path, HY_TOML_TABLE) &&
        hy_config_read_table(config, value, path, metrics_keys, COUNT(metrics_keys), user);
}

static bool apply_net(struct hy_config *config, const struct hy_toml_node *value, const char *path,
    const struct hy_config_key *key, void *user)
{
    struct hy_startup *startup = user;

    (void)path;
    (void)key;
    return hy_net_config_read(config, value, startup->settings);
}

/* The program's own key, handed on with its own target. */
static bool apply_program_key(struct hy_config *config, const struct hy_toml_node *value,
    const char *path, const struct hy_config_key *key, void *user)
{
    struct hy_startup *startup = user;
    const struct hy_config_key *own = &startup->program->keys[key->arg];

    return own->apply(config, value, path, own, startup->own);
}

static const struct hy_config_key root_keys[] = {
    { "log", apply_log, 0, NULL }, { "verbose", apply_verbose, 0, NULL },
    { "rpc_listen", apply_rpc_listen, RPC_TOP, NULL }, { "rpc", apply_rpc, 0, NULL },
    { "metrics", apply_metrics, 0, NULL },
    { "net", apply_net, 0, NULL }, /* last: only where the program takes it */
};

#define MAX_PROGRAM_KEYS 16

static bool read_root(struct hy_startup *startup)
{
    const struct hy_daemon_program *program = startup->program;
    struct hy_config_key keys[COUNT(root_keys) + MAX_PROGRAM_KEYS];
    size_t count = COUNT(root_keys) - (program->network ? 0 : 1);

    assert(program->key_count <= MAX_PROGRAM_KEYS);
    memcpy(keys, root_keys, count * sizeof keys[0]);
    for (size_t i = 0; i < program->key_count; i++)
        keys[count++] =
            (struct hy_config_key){ program->keys[i].name, apply_program_key, (int)i, NULL };
    return hy_config_read_table(&startup->config, startup->config.root, "", keys, count, startup);
}

/* ---- the command line ---- */

static void add_options(struct hy_startup *startup, const struct hy_option *options, size_t count)
{
    assert(startup->option_count + count <= HY_MAX_OPTIONS);
    for (size_t i = 0; i < count; i++)
        startup->table[startup->option_count++] = options[i];
}

/* Note for people what is wrong. Returns what it was given. */
static enum hypha_err refuse(struct hy_startup *startup, enum hypha_err err, const char *why)
{
    (void)snprintf(startup->why, sizeof startup->why, "%s", why);
    return err;
}

static enum hypha_err parse_options(struct hy_startup *startup)
{
    const struct hy_daemon_program *program = startup->program;
    char why[HY_OPTIONS_WHY_BYTES];

    add_options(startup, common_options, COUNT(common_options));
    if (program->network)
        add_options(startup, hy_net_options, hy_net_option_count);
    add_options(startup, program->options, program->option_count);
    enum hypha_err err = hy_options_parse(&startup->options, startup->table, startup->option_count,
        startup->argc, startup->argv, why);
    return err == HYPHA_OK ? HYPHA_OK : refuse(startup, err, why);
}

static int read_options(struct hy_startup *startup)
{
    const struct hy_daemon_program *program = startup->program;

    if (parse_options(startup) != HYPHA_OK) {
        fprintf(stderr, "%s: %s\nUsage: %s [OPTIONS]; --help shows them.\n", program->name,
            startup->why, program->name);
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

static enum hypha_err find_config(struct hy_startup *startup)
{
    const char *given = hy_options_value(&startup->options, "config");
    enum hypha_err err = given != NULL
        ? hy_config_expand(given, &startup->config_path)
        : hy_config_default_path(startup->program->config_file, &startup->config_path);
    char why[256];

    if (err == HYPHA_OK)
        return HYPHA_OK;
    if (err == HYPHA_ERR_INVALID)
        (void)snprintf(why, sizeof why, "--config: \"%.150s\": only \"~/\" is expanded", given);
    else if (err == HYPHA_ERR_NOT_FOUND)
        (void)snprintf(why, sizeof why, "no home folder is known: use --config");
    else
        (void)snprintf(why, sizeof why, "--config: %s", hypha_err_text(err));
    return refuse(startup, err, why);
}

static enum hypha_err make_targets(struct hy_startup *startup)
{
    const struct hy_daemon_program *program = startup->program;
    enum hypha_err err = HYPHA_OK;

    if (program->config_create != NULL) {
        startup->own = program->config_create(program);
        if (startup->own == NULL)
            err = HYPHA_ERR_NOMEM;
    }
    if (err == HYPHA_OK && program->network)
        err = hypha_settings_create(&startup->settings);
    if (err == HYPHA_OK && program->network)
        err = hypha_settings_set_text(startup->settings, HYPHA_KEY_APP_NAME, program->name);
    if (err == HYPHA_OK && program->network)
        err = hypha_settings_set_text(
            startup->settings, HYPHA_KEY_APP_VERSION, program->app_version);
    return err == HYPHA_OK ? HYPHA_OK : refuse(startup, err, hypha_err_text(err));
}

/* Flags win over the config. */
static enum hypha_err apply_flags(struct hy_startup *startup)
{
    const char *log = hy_options_value(&startup->options, "log");
    size_t verbose = hy_options_get(&startup->options, "verbose")->times;
    const struct hy_daemon_program *program = startup->program;
    enum hypha_err err = HYPHA_OK;
    char why[256] = "";
    char *path = NULL;

    if (program->network)
        err = hy_net_config_flags(&startup->options, startup->settings, why);
    if (err == HYPHA_OK && program->config_finish != NULL)
        err = program->config_finish(startup->own, &startup->options, why);
    if (err != HYPHA_OK)
        return refuse(startup, err, why[0] != '\0' ? why : hypha_err_text(err));
    if (verbose > 0)
        startup->verbosity = verbose > 3 ? 3 : (unsigned)verbose;
    if (log == NULL)
        log = startup->log_path;
    if (log == NULL || log[0] == '\0')
        return HYPHA_OK;
    err = hy_config_expand(log, &path);
    if (err != HYPHA_OK) {
        (void)snprintf(why, sizeof why, "log: \"%.150s\": %s", log,
            err == HYPHA_ERR_INVALID ? "only \"~/\" is expanded" : hypha_err_text(err));
        return refuse(startup, err, why);
    }
    hy_free(startup->log_path);
    startup->log_path = path;
    return HYPHA_OK;
}

/* The file, then the flags. Errors: NOT_FOUND: only if there is no file. */
static enum hypha_err read_all(struct hy_startup *startup)
{
    enum hypha_err err = make_targets(startup);

    if (err != HYPHA_OK)
        return err;
    err = hy_config_load(&startup->config, startup->config_path);
    if (err != HYPHA_OK)
        return refuse(startup, err, startup->config.why);
    if (!read_root(startup))
        return refuse(startup, HYPHA_ERR_INVALID, startup->config.why);
    err = apply_flags(startup);
    return err == HYPHA_ERR_NOT_FOUND ? HYPHA_ERR_INVALID : err;
}

/* ---- at the start, and again ---- */

static struct hy_startup *create(const struct hy_daemon_program *program, int argc, char **argv)
{
    struct hy_startup *startup = hy_alloc(sizeof *startup);

    if (startup != NULL) {
        startup->program = program;
        startup->argc = argc;
        startup->argv = argv;
    }
    return startup;
}

static int complain(const struct hy_startup *startup)
{
    fprintf(stderr, "%s: %s\n", startup->program->name, startup->why);
    return EXIT_USAGE;
}

static int create_config(struct hy_startup *startup)
{
    enum hypha_err err = hy_config_write_template(
        startup->config_path, startup->program->config_template);

    if (err != HYPHA_OK) {
        (void)snprintf(startup->why, sizeof startup->why, "%.300s cannot be created: %s",
            startup->config_path, hypha_err_text(err));
        return complain(startup);
    }
    printf(
        "Config file created in \"%s\". Please review it and start again.\n", startup->config_path);
    return EXIT_CREATED;
}

int hy_startup_read(
    const struct hy_daemon_program *program, int argc, char **argv, struct hy_startup **ret_startup)
{
    struct hy_startup *startup = create(program, argc, argv);

    if (startup == NULL) {
        fprintf(stderr, "%s: %s\n", program->name, hypha_err_text(HYPHA_ERR_NOMEM));
        return EXIT_USAGE;
    }
    *ret_startup = startup;
    int status = read_options(startup);
    if (status != HY_STARTUP_GO_ON)
        return status;
    if (find_config(startup) != HYPHA_OK)
        return complain(startup);
    enum hypha_err err = read_all(startup);
    if (err == HYPHA_ERR_NOT_FOUND)
        return create_config(startup);
    return err == HYPHA_OK ? HY_STARTUP_GO_ON : complain(startup);
}

enum hypha_err hy_startup_reread(
    const struct hy_startup *old, struct hy_startup **ret_startup, char why[HY_STARTUP_WHY_BYTES])
{
    struct hy_startup *startup = create(old->program, old->argc, old->argv);
    enum hypha_err err = HYPHA_ERR_NOMEM;

    (void)snprintf(why, HY_STARTUP_WHY_BYTES, "%s", hypha_err_text(err));
    if (startup == NULL)
        return err;
    startup->config_path = hy_strdup(old->config_path);
    if (startup->config_path != NULL)
        err = parse_options(startup);
    if (err == HYPHA_OK)
        err = read_all(startup);
    if (err == HYPHA_OK) {
        *ret_startup = startup;
        return HYPHA_OK;
    }
    if (startup->why[0] != '\0')
        memcpy(why, startup->why, HY_STARTUP_WHY_BYTES);
    hy_startup_destroy(startup);
    return err;
}

void hy_startup_destroy(struct hy_startup *startup)
{
    if (startup == NULL)
        return;
    hy_options_fini(&startup->options);
    hy_config_fini(&startup->config);
    hypha_settings_destroy(startup->settings);
    if (startup->program->config_destroy != NULL)
        startup->program->config_destroy(startup->own);
    hy_secret_free(startup->rpc_token);
    hy_secret_free(startup->metrics_token);
    hy_free(startup->config_path);
    hy_free(startup->log_path);
    hy_free(startup->rpc_listen);
    hy_free(startup->metrics_listen);
    hy_free(startup);
}

const char *hy_startup_log_path(const struct hy_startup *startup)
{
    return startup->log_path;
}

const char *hy_startup_metrics_listen(const struct hy_startup *startup)
{
    const char *flag = hy_options_value(&startup->options, "metrics-listen");
    const char *listen = flag != NULL ? flag : startup->metrics_listen;

    return listen != NULL && listen[0] != '\0' ? listen : NULL;
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
