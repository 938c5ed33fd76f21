/* daemon/daemon.h - what every daemon does alike: options, config, log, RPC, signals, order.
 *
 *   state     event                               next
 *   STARTING  the parts come up one by one        RUNNING   RPC listens, every node is started
 *   STARTING  a part fails                        STOPPING  exit status 1
 *   STARTING  SIGTERM, SIGINT, SIGQUIT            STOPPING
 *   RUNNING   SIGTERM, SIGINT, SIGQUIT            STOPPING
 *   RUNNING   a node ends by itself               STOPPING  exit status 1
 *   STOPPING  RPC is closed, every node stopped   the loop ends
 *   any       the second such signal              the process ends, exit status 130
 *   any       SIGHUP                              the log file is opened again
 *
 * spec: apps.md 1, 3, 7.2 */
#ifndef HY_DAEMON_DAEMON_H
#define HY_DAEMON_DAEMON_H

#include "daemon/config.h"
#include "daemon/options.h"
#include "rpc/server.h"
#include <hypha/hypha.h>

struct hy_daemon;

/* A program. All is constant. */
struct hy_daemon_program {
    const char *name;
    const char *app_version; /* what --version says and peers are told */
    const char *summary;     /* one line for the help */
    const char *config_file;
    const char *config_template;
    const char *default_rpc;
    /* Takes [net] and the network flags: `setup` gets settings with app name and version. */
    bool network;
    /* RPC opens after the nodes have started, not before. */
    bool rpc_last;
    /* Further options and top-level keys; the keys' target is the daemon: hy_daemon_app(). */
    const struct hy_option *options;
    size_t option_count;
    const struct hy_config_key *keys;
    size_t key_count;
    /* Options and config are read: make nodes, register methods and protocols.
     *  settings  NULL unless `network`; borrowed
     * An error: `why` (256 bytes) says it to people, exit status 1. */
    enum hypha_err (*setup)(struct hy_daemon *daemon, struct hypha_settings *settings,
        const struct hy_options *options, void *app, char *why);
    /* May be NULL. All is up; shutdown begins (RPC is closed already). */
    void (*on_running)(struct hy_daemon *daemon, void *app);
    void (*on_stopping)(struct hy_daemon *daemon, void *app);
};

/* The whole life of a daemon. Returns the exit status. */
int hy_daemon_main(const struct hy_daemon_program *program, void *app, int argc, char **argv);

/* ---- for setup and later ---- */

void *hy_daemon_app(struct hy_daemon *daemon);
const char *hy_daemon_version(const struct hy_daemon *daemon);
struct hypha_loop *hy_daemon_loop(struct hy_daemon *daemon);
struct hy_rpc_server *hy_daemon_rpc(struct hy_daemon *daemon);
struct hy_log hy_daemon_log(struct hy_daemon *daemon);
void hy_daemon_say(struct hy_daemon *daemon, enum hypha_log_level level, const char *target,
    const char *format, ...) HYPHA_PRINTF(4, 5);

/* A node that is started and stopped with the daemon, which owns it. Its log goes to ours.
 *  name  for log lines; borrowed
 *  why   256 bytes
 *  Errors: those of hypha_p2p_create(). */
enum hypha_err hy_daemon_add_node(struct hy_daemon *daemon, struct hypha_settings *settings,
    const char *name, struct hypha_p2p **ret_p2p, char *why);

/* ---- RPC methods of every daemon: methods.c. spec: apps.md 2.5 ---- */

/* `ping`. Errors: NOMEM, EXISTS. */
enum hypha_err hy_daemon_add_ping(struct hy_daemon *daemon);
/* `p2p.get_info` of one node. Errors: NOMEM, EXISTS. */
enum hypha_err hy_daemon_add_get_info(struct hy_daemon *daemon, struct hypha_p2p *p2p);

#endif
