/* daemon/daemon.h - what every daemon does alike: options, config, log, RPC, signals, order.
 *
 *   state     event                               next
 *   STARTING  the parts come up one by one        RUNNING   RPC listens, every node is started
 *   STARTING  a part fails                        STOPPING  exit status 1
 *   STARTING  SIGTERM, SIGINT, SIGQUIT            STOPPING
 *   RUNNING   SIGTERM, SIGINT, SIGQUIT            STOPPING
 *   RUNNING   daemon.stop                         STOPPING  after its answer has left
 *   RUNNING   a node ends by itself               STOPPING  exit status 1
 *   STOPPING  RPC is closed, every node stopped   the loop ends
 *   any       the second such signal              the process ends, exit status 130
 *   RUNNING   SIGHUP, net.reload                  the config is read again, the log opened again
 *   STARTING  SIGHUP                              the same, when RUNNING
 *
 * spec: apps.md 1, 3, 7.2 */
#ifndef HY_DAEMON_DAEMON_H
#define HY_DAEMON_DAEMON_H

#include "daemon/config.h"
#include "daemon/options.h"
#include "rpc/server.h"
#include <hypha/hypha.h>

struct hy_daemon;
struct hy_reload; /* daemon/reload.h */

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

    /* ---- the program's own part of the config ---- */

    /* Made with its defaults before the file is read: once at the start, once at each reload.
     * NULL: the program has neither keys nor options. create: NULL: no memory. */
    void *(*config_create)(const struct hy_daemon_program *program);
    void (*config_destroy)(void *config); /* takes NULL */
    /* Further options and top-level keys; the keys' target is `config`. */
    const struct hy_option *options;
    size_t option_count;
    const struct hy_config_key *keys;
    size_t key_count;
    /* The file is read: judge the whole, let options win. May be NULL.
     * An error: `why` (256 bytes) says it to people. */
    enum hypha_err (*config_finish)(void *config, const struct hy_options *options, char *why);
    /* The settings of a node by its name, in a config read again; NULL: it is gone from there.
     * Only without `network`. */
    struct hypha_settings *(*config_node)(void *config, const char *name);

    /* ---- its life ---- */

    /* Options and config are read: make nodes, register methods and protocols.
     *  settings  NULL unless `network`; borrowed
     *  config    borrowed; gone at the next reload
     * An error: `why` (256 bytes) says it to people, exit status 1. */
    enum hypha_err (*setup)(struct hy_daemon *daemon, struct hypha_settings *settings, void *config,
        void *app, char *why);
    /* May be NULL. Every node has taken a reload over: take what else has changed, and say so. */
    void (*on_reloaded)(
        struct hy_daemon *daemon, void *config, void *app, struct hy_reload *reload);
    /* May be NULL. All is up; shutdown begins (RPC is closed already). */
    void (*on_running)(struct hy_daemon *daemon, void *app);
    void (*on_stopping)(struct hy_daemon *daemon, void *app);
};

/* The whole life of a daemon. Returns the exit status. */
int hy_daemon_main(const struct hy_daemon_program *program, void *app, int argc, char **argv);

/* ---- for setup and later ---- */

struct hypha_loop *hy_daemon_loop(struct hy_daemon *daemon);
/* The methods of every daemon are there already: methods.c and its neighbours. */
struct hy_rpc_server *hy_daemon_rpc(struct hy_daemon *daemon);
struct hy_log hy_daemon_log(struct hy_daemon *daemon);
void hy_daemon_say(struct hy_daemon *daemon, enum hypha_log_level level, const char *target,
    const char *format, ...) HYPHA_PRINTF(4, 5);

/* A node that is started and stopped with the daemon, which owns it. Its log goes to ours; RPC
 * and metrics know it by its name.
 *  why   256 bytes
 *  Errors: those of hypha_p2p_create(). */
enum hypha_err hy_daemon_add_node(struct hy_daemon *daemon, struct hypha_settings *settings,
    const char *name, struct hypha_p2p **ret_p2p, char *why);

#endif
