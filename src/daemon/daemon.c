#include "daemon/daemon.h"
#include "base/alloc.h"
#include "daemon/logger.h"
#include "daemon/notify.h"
#include "daemon/startup.h"

#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#define TARGET         "daemon"
#define EXIT_FORCED    130
#define SIGNAL_WATCHES 4

enum daemon_state { DAEMON_STARTING, DAEMON_RUNNING, DAEMON_STOPPING };

struct daemon_node {
    struct hy_daemon *daemon;
    const char *name;
    struct hypha_p2p *p2p;
    bool started; /* its on_stopped will come */
    bool up;
    STAILQ_ENTRY(daemon_node) entry;
};

struct hy_daemon {
    const struct hy_daemon_program *program;
    void *app;
    struct hypha_loop *loop;
    struct hy_logger *logger;
    struct hy_rpc_server *rpc;
    struct hy_startup startup;
    STAILQ_HEAD(, daemon_node) nodes;
    struct hy_signal *signals[SIGNAL_WATCHES];
    enum daemon_state state;
    bool told_to_stop; /* by a signal: the next one forces */
    int status;
};

void *hy_daemon_app(struct hy_daemon *daemon)
{
    return daemon->app;
}

const char *hy_daemon_version(const struct hy_daemon *daemon)
{
    return daemon->program->app_version;
}

struct hypha_loop *hy_daemon_loop(struct hy_daemon *daemon)
{
    return daemon->loop;
}

struct hy_rpc_server *hy_daemon_rpc(struct hy_daemon *daemon)
{
    return daemon->rpc;
}

struct hy_log hy_daemon_log(struct hy_daemon *daemon)
{
    return hy_logger_log(daemon->logger);
}

void hy_daemon_say(struct hy_daemon *daemon, enum hypha_log_level level, const char *target,
    const char *format, ...)
{
    char line[HY_LOG_MAX_BYTES];
    va_list args;

    va_start(args, format);
    (void)vsnprintf(line, sizeof line, format, args);
    va_end(args);
    hy_logger_write(daemon->logger, level, target, line);
}

/* ---- stopping ---- */

static void stop(struct hy_daemon *daemon)
{
    struct daemon_node *node;

    if (daemon->state == DAEMON_STOPPING)
        return;
    daemon->state = DAEMON_STOPPING;
    hy_notify("STOPPING=1");
    hy_daemon_say(daemon, HYPHA_LOG_INFO, TARGET, "Stopping JSON-RPC");
    hy_rpc_server_stop(daemon->rpc);
    if (daemon->program->on_stopping != NULL)
        daemon->program->on_stopping(daemon, daemon->app);
    STAILQ_FOREACH (node, &daemon->nodes, entry) {
        if (node->started)
            hypha_p2p_stop(node->p2p);
    }
}

/* A part could not come up or went away: said in the log and to whoever started us. */
static void fail(struct hy_daemon *daemon, const char *format, ...) HYPHA_PRINTF(2, 3);
static void fail(struct hy_daemon *daemon, const char *format, ...)
{
    char why[400];
    va_list args;

    va_start(args, format);
    (void)vsnprintf(why, sizeof why, format, args);
    va_end(args);
    hy_daemon_say(daemon, HYPHA_LOG_ERROR, TARGET, "%s", why);
    fprintf(stderr, "%s: %s\n", daemon->program->name, why);
    daemon->status = 1;
    stop(daemon);
}

/* ---- signals ---- */

static void on_stop_signal(void *user, int number)
{
    struct hy_daemon *daemon = user;

    if (daemon->told_to_stop) {
        hy_daemon_say(
            daemon, HYPHA_LOG_WARN, TARGET, "%s again: ending at once", strsignal(number));
        fprintf(stderr, "%s: ending at once\n", daemon->program->name);
        _exit(EXIT_FORCED);
    }
    daemon->told_to_stop = true;
    hy_daemon_say(daemon, HYPHA_LOG_INFO, TARGET, "%s: shutting down (once more ends at once)",
        strsignal(number));
    stop(daemon);
}

static void on_hangup(void *user, int number)
{
    struct hy_daemon *daemon = user;

    (void)number;
    if (hy_logger_reopen(daemon->logger) != HYPHA_OK)
        hy_daemon_say(daemon, HYPHA_LOG_WARN, TARGET,
            "The log file cannot be opened again; the old one goes on");
    hy_daemon_say(
        daemon, HYPHA_LOG_INFO, TARGET, "Log reopened; a changed configuration needs a restart");
}

static const int stop_signals[] = { SIGTERM, SIGINT, SIGQUIT };

static void hold_signals(int how)
{
    sigset_t set;

    (void)sigemptyset(&set);
    for (size_t i = 0; i < sizeof stop_signals / sizeof stop_signals[0]; i++)
        (void)sigaddset(&set, stop_signals[i]);
    (void)sigaddset(&set, SIGHUP);
    (void)sigprocmask(how, &set, NULL);
}

static enum hypha_err watch_signals(struct hy_daemon *daemon)
{
    enum hypha_err err = hy_signal_start(
        daemon->loop, SIGHUP, on_hangup, daemon, &daemon->signals[3]);

    for (size_t i = 0; i < 3 && err == HYPHA_OK; i++)
        err = hy_signal_start(
            daemon->loop, stop_signals[i], on_stop_signal, daemon, &daemon->signals[i]);
    return err;
}

/* ---- nodes ---- */

static void log_of_node(
    void *user, enum hypha_log_level level, const char *target, const char *text)
{
    struct daemon_node *node = user;

    if (node->daemon->program->network)
        hy_logger_write(node->daemon->logger, level, target, text);
    else /* one of several */
        hy_daemon_say(node->daemon, level, target, "[%s] %s", node->name, text);
}

enum hypha_err hy_daemon_add_node(struct hy_daemon *daemon, struct hypha_settings *settings,
    const char *name, struct hypha_p2p **ret_p2p, char *why)
{
    struct daemon_node *node = hy_alloc(sizeof *node);
    enum hypha_err err = HYPHA_ERR_NOMEM;

    if (node != NULL) {
        node->daemon = daemon;
        node->name = name;
        hypha_settings_set_log(settings, log_of_node, node, hy_logger_log(daemon->logger).level);
        err = hypha_p2p_create(daemon->loop, settings, &node->p2p);
    }
    if (err != HYPHA_OK) {
        const char *words = hypha_settings_why(settings);

        (void)snprintf(why, 256, "%s", err == HYPHA_ERR_SETTINGS ? words : hypha_err_text(err));
        hypha_settings_set_log(settings, NULL, NULL, HYPHA_LOG_ERROR);
        hy_free(node);
        return err;
    }
    STAILQ_INSERT_TAIL(&daemon->nodes, node, entry);
    *ret_p2p = node->p2p;
    return HYPHA_OK;
}

static void listen_rpc(struct hy_daemon *daemon);

static void run(struct hy_daemon *daemon)
{
    daemon->state = DAEMON_RUNNING;
    if (daemon->program->on_running != NULL)
        daemon->program->on_running(daemon, daemon->app);
    hy_daemon_say(daemon, HYPHA_LOG_INFO, TARGET, "%s is running", daemon->program->name);
    hy_notify("READY=1");
}

static void on_node_started(struct hypha_p2p *p2p, void *user)
{
    struct daemon_node *node = user;
    struct hy_daemon *daemon = node->daemon;
    struct daemon_node *other;

    (void)p2p;
    if (daemon->state != DAEMON_STARTING)
        return;
    node->up = true;
    hy_daemon_say(daemon, HYPHA_LOG_INFO, TARGET, "The network of %s is up with %zu outbound slots",
        node->name, hypha_p2p_slot_count(node->p2p));
    STAILQ_FOREACH (other, &daemon->nodes, entry)
        if (!other->up)
            return;
    if (daemon->program->rpc_last)
        listen_rpc(daemon);
    else
        run(daemon);
}

static void on_node_stopped(struct hypha_p2p *p2p, enum hypha_err why, void *user)
{
    struct daemon_node *node = user;

    (void)p2p;
    node->started = false;
    if (node->daemon->state != DAEMON_STOPPING)
        fail(node->daemon, "The network of %s ended: %s", node->name, hypha_err_text(why));
}

static void start_nodes(struct hy_daemon *daemon)
{
    struct daemon_node *node;

    STAILQ_FOREACH (node, &daemon->nodes, entry) {
        enum hypha_err err = hypha_p2p_start(node->p2p, on_node_started, on_node_stopped, node);
        if (err != HYPHA_OK) {
            fail(daemon, "The network of %s cannot start: %s", node->name, hypha_err_text(err));
            return;
        }
        node->started = true;
    }
}

/* ---- RPC ---- */

static void on_rpc_listening(void *user, enum hypha_err err)
{
    struct hy_daemon *daemon = user;

    if (err != HYPHA_OK) {
        fail(daemon, "JSON-RPC cannot listen on %s: %s", hy_startup_rpc_listen(&daemon->startup),
            hypha_err_text(err));
        return;
    }
    hy_daemon_say(daemon, HYPHA_LOG_INFO, "rpc::server", "JSON-RPC listens on %s",
        hy_rpc_server_url(daemon->rpc));
    if (daemon->program->rpc_last)
        run(daemon);
    else
        start_nodes(daemon);
}

static void listen_rpc(struct hy_daemon *daemon)
{
    char why[256] = "";

    if (hy_rpc_server_listen(daemon->rpc, hy_startup_rpc_listen(&daemon->startup), on_rpc_listening,
            daemon, why) != HYPHA_OK)
        fail(daemon, "rpc_listen: %s", why);
}

/* ---- the life of a daemon ---- */

static int complain(const struct hy_daemon *daemon, const char *why)
{
    fprintf(stderr, "%s: %s\n", daemon->program->name, why);
    return 1;
}

/* Everything that needs no loop turn. Returns HY_STARTUP_GO_ON or the exit status. */
static int prepare(struct hy_daemon *daemon, int argc, char **argv)
{
    const struct hy_daemon_program *program = daemon->program;
    char why[512] = "";
    int status = hy_startup_read(&daemon->startup, program, daemon, argc, argv);

    if (status != HY_STARTUP_GO_ON)
        return status;
    enum hypha_err err = hypha_loop_create(&daemon->loop);
    if (err != HYPHA_OK)
        return complain(daemon, hypha_err_text(err));
    const char *log_path = hy_startup_log_path(&daemon->startup);
    if (hy_logger_create(daemon->loop, log_path, daemon->startup.verbosity, &daemon->logger) !=
        HYPHA_OK) {
        (void)snprintf(
            why, sizeof why, "the log file %.300s cannot be opened", log_path ? log_path : "");
        return complain(daemon, why);
    }
    hy_daemon_say(daemon, HYPHA_LOG_INFO, TARGET, "Starting %s %s with %s", program->name,
        program->app_version, daemon->startup.config_path);
    for (size_t i = 0; i < daemon->startup.config.warning_count; i++)
        hy_daemon_say(daemon, HYPHA_LOG_WARN, "config", "%s", daemon->startup.config.warnings[i]);
    struct hy_log log = hy_logger_log(daemon->logger);
    err = hy_rpc_server_create(daemon->loop, &log, NULL, &daemon->rpc);
    if (err == HYPHA_OK)
        err = hy_startup_disable_methods(&daemon->startup, daemon->rpc);
    if (err == HYPHA_OK)
        err = hy_daemon_add_ping(daemon);
    if (err == HYPHA_OK)
        err = program->setup(
            daemon, daemon->startup.settings, &daemon->startup.options, daemon->app, why);
    if (err == HYPHA_OK)
        err = watch_signals(daemon);
    if (err != HYPHA_OK)
        return complain(daemon, why[0] != '\0' ? why : hypha_err_text(err));
    return HY_STARTUP_GO_ON;
}

static void fini(struct hy_daemon *daemon)
{
    struct daemon_node *node;

    for (size_t i = 0; i < SIGNAL_WATCHES; i++)
        hy_signal_stop(daemon->signals[i]);
    hy_rpc_server_destroy(daemon->rpc);
    while ((node = STAILQ_FIRST(&daemon->nodes)) != NULL) {
        STAILQ_REMOVE_HEAD(&daemon->nodes, entry);
        hypha_p2p_destroy(node->p2p);
        hy_free(node);
    }
    hy_logger_destroy(daemon->logger);
    hypha_loop_destroy(daemon->loop);
    hy_startup_fini(&daemon->startup);
}

int hy_daemon_main(const struct hy_daemon_program *program, void *app, int argc, char **argv)
{
    struct hy_daemon daemon = { .program = program, .app = app };

    /* A signal that comes before there is someone to hear it waits. */
    hold_signals(SIG_BLOCK);
    (void)signal(SIGPIPE, SIG_IGN);
    STAILQ_INIT(&daemon.nodes);
    hy_rpc_json_init();
    int status = prepare(&daemon, argc, argv);
    if (status == HY_STARTUP_GO_ON) {
        hold_signals(SIG_UNBLOCK);
        if (program->rpc_last)
            start_nodes(&daemon);
        else
            listen_rpc(&daemon);
        if (hypha_loop_run(daemon.loop) != HYPHA_OK)
            fail(&daemon, "the event loop failed");
        status = daemon.status;
        hy_daemon_say(&daemon, HYPHA_LOG_INFO, TARGET, "%s is stopped", program->name);
    }
    fini(&daemon);
    return status;
}
