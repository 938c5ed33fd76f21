/* daemon/daemon_internal.h - a daemon and its nodes, for the files that it is made of.
 *
 *   daemon.c         its life: start, stop, signals
 *   reload.c         the config again, while it runs
 *   startup.c        options and config, judged
 *   methods*.c       what clients may ask; args.c: what they must give
 *   dnet.c           events for subscribers
 *   metrics.c        numbers for a monitoring system
 */
#ifndef HY_DAEMON_DAEMON_INTERNAL_H
#define HY_DAEMON_DAEMON_INTERNAL_H

#include "daemon/daemon.h"
#include "daemon/dnet.h"
#include "daemon/http.h"
#include "daemon/logger.h"
#include "daemon/methods.h"
#include "daemon/metrics.h"
#include "daemon/notify.h"
#include "daemon/startup.h"
#include "settings/settings.h"

#define HY_DAEMON_SIGNALS 4
#define HY_UNKNOWN_METHOD "rpc_disabled_methods: no method is called \"%.150s\""

enum hy_daemon_state { HY_DAEMON_STARTING, HY_DAEMON_RUNNING, HY_DAEMON_STOPPING };

struct hy_daemon_node {
    struct hy_daemon *daemon;
    char *name;
    struct hypha_p2p *p2p;
    struct hy_resolved_settings *running; /* what holds; what needs a restart stays as it was */
    bool started;                         /* its on_stopped will come */
    bool up;
    struct hy_dnet dnet;
    struct hy_counters *counters; /* NULL: no metrics */
    STAILQ_ENTRY(hy_daemon_node) entry;
};
STAILQ_HEAD(hy_daemon_nodes, hy_daemon_node);

struct hy_daemon {
    const struct hy_daemon_program *program;
    void *app;
    int argc;
    char **argv;
    struct hypha_loop *loop;
    struct hy_logger *logger;
    struct hy_rpc_server *rpc;
    struct hy_http *http;       /* NULL: no metrics */
    struct hy_startup *startup; /* what holds now */
    struct hy_daemon_nodes nodes;
    size_t node_count;
    struct hy_signal *signals[HY_DAEMON_SIGNALS];
    struct hy_service service;
    struct hy_defer stop_later;
    struct hy_bound_method methods[HY_DAEMON_MAX_METHODS];
    size_t method_count;
    enum hy_daemon_state state;
    bool told_to_stop; /* by a signal: the next one forces */
    bool reload_asked; /* while it was starting */
    uint64_t start_ms; /* monotonic */
    uint64_t start_s;  /* UNIX */
    int status;
};

/* Stop everything, in order; any number of times. */
void hy_daemon_stop(struct hy_daemon *daemon);
/* Takes half-built and stopped ones, and NULL. */
void hy_daemon_node_destroy(struct hy_daemon_node *node);
/* Where a node's log lines go. user: its hy_daemon_node. */
void hy_daemon_node_log(
    void *user, enum hypha_log_level level, const char *target, const char *text);

#endif
