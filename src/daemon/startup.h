/* daemon/startup.h - what is known before anything runs: options and config, judged. */
#ifndef HY_DAEMON_STARTUP_H
#define HY_DAEMON_STARTUP_H

#include "daemon/daemon.h"

#define HY_STARTUP_GO_ON (-1)

struct hy_startup {
    const struct hy_daemon_program *program;
    struct hy_option table[HY_MAX_OPTIONS];
    size_t option_count;
    struct hy_options options;
    char *config_path;
    struct hy_config config;
    struct hypha_settings *settings; /* NULL unless the program takes [net] */

    /* from the config */
    char *log_path;
    unsigned verbosity;
    char *rpc_listen;
    bool rpc_listen_is_from_table;
    const struct hy_toml_node *rpc_disabled; /* NULL: none */
};

/* Read the command line and the config file; write its template if there is none.
 *  daemon  the keys' target, for the program's own ones
 * Returns HY_STARTUP_GO_ON or the exit status, with everything said to the user. */
int hy_startup_read(struct hy_startup *startup, const struct hy_daemon_program *program,
    struct hy_daemon *daemon, int argc, char **argv);
void hy_startup_fini(struct hy_startup *startup);

/* The log file to use, expanded; NULL: none. */
const char *hy_startup_log_path(const struct hy_startup *startup);
const char *hy_startup_rpc_listen(const struct hy_startup *startup);
/* Disable what the flag, else the config, names. Errors: NOMEM. */
enum hypha_err hy_startup_disable_methods(
    const struct hy_startup *startup, struct hy_rpc_server *server);

#endif
