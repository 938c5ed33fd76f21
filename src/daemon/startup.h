/* daemon/startup.h - options and config, judged: at the start, and again at each reload. */
#ifndef HY_DAEMON_STARTUP_H
#define HY_DAEMON_STARTUP_H

#include "daemon/daemon.h"

#define HY_STARTUP_GO_ON     (-1)
#define HY_STARTUP_WHY_BYTES 512

struct hy_startup {
    const struct hy_daemon_program *program;
    int argc;
    char **argv;
    struct hy_option table[HY_MAX_OPTIONS];
    size_t option_count;
    struct hy_options options;
    char *config_path;
    struct hy_config config;
    struct hypha_settings *settings; /* NULL unless the program takes [net] */
    void *own;                       /* the program's own part; NULL: it has none */
    char why[HY_STARTUP_WHY_BYTES];  /* one line, after an error */

    /* from the config, flags applied */
    char *log_path;
    unsigned verbosity;
    char *rpc_listen;
    bool rpc_listen_is_from_table;
    const struct hy_toml_node *rpc_disabled; /* NULL: none */
    char *rpc_token;                         /* NULL: none */
    char *metrics_listen;                    /* NULL: no metrics */
    char *metrics_token;
};

/* Read the command line and the config file; write its template if there is none.
 * Returns HY_STARTUP_GO_ON or the exit status, with everything said to the user.
 * ret_startup: hy_startup_destroy() it, also with an exit status. */
int hy_startup_read(const struct hy_daemon_program *program, int argc, char **argv,
    struct hy_startup **ret_startup);
/* The same command line, and what the same file holds now. Writes nothing, prints nothing.
 *  why  one line for people
 * Errors: NOMEM, NOT_FOUND (the file is gone), INVALID and what hy_config_load() says. */
enum hypha_err hy_startup_reread(
    const struct hy_startup *old, struct hy_startup **ret_startup, char why[HY_STARTUP_WHY_BYTES]);
/* NULL does nothing. */
void hy_startup_destroy(struct hy_startup *startup);

/* The log file to use, expanded; NULL: none. */
const char *hy_startup_log_path(const struct hy_startup *startup);
const char *hy_startup_rpc_listen(const struct hy_startup *startup);
/* HOST:PORT; NULL: no metrics. */
const char *hy_startup_metrics_listen(const struct hy_startup *startup);
/* Disable what the flag, else the config, names. Errors: NOMEM. */
enum hypha_err hy_startup_disable_methods(
    const struct hy_startup *startup, struct hy_rpc_server *server);

#endif
