/* daemon/reload.h - the config file again, while the daemon runs: all of it or nothing.
 *
 * Read and judged first; a missing or wrong file changes nothing. Then every node takes over what
 * it can, and so does the daemon: log level, log file, disabled methods. What differs and cannot be
 * taken over is named. spec: apps.md 1.4 */
#ifndef HY_DAEMON_RELOAD_H
#define HY_DAEMON_RELOAD_H

#include "daemon/startup.h"
#include "rpc/message.h"

struct hy_reload {
    enum hypha_err err;
    char why[HY_STARTUP_WHY_BYTES]; /* with an error: one line for people */
    json_t *applied, *restart;      /* arrays of keys */
    json_t *warnings;               /* an array of texts */
};

/* Do it, and say in the log what came of it. hy_reload_fini() it. */
void hy_daemon_reload(struct hy_daemon *daemon, struct hy_reload *ret_reload);
void hy_reload_fini(struct hy_reload *reload);

/* For programs, in their on_reloaded. */
void hy_reload_applied(struct hy_reload *reload, const char *key);
void hy_reload_restart(struct hy_reload *reload, const char *key);

#endif
