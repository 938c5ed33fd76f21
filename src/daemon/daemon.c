/* daemon.c - the life of a daemon, as daemon.h has it. */
#include "base/alloc.h"
#include "daemon/daemon_internal.h"
#include "daemon/reload.h"

#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#define TARGET      "daemon"
#define EXIT_FORCED 130

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

/* For the service manager's people. */
static void put_status(void *user, char text[HY_SERVICE_STATUS_BYTES])
{
    const struct hy_daemon *daemon = user;
    const struct hy_daemon_node *node;
    size_t peers = 0, slots = 0, filled = 0;

    STAILQ_FOREACH (node, &daemon->nodes, entry) {
        peers += hypha_p2p_peers_count(node->p2p);
        slots += hypha_p2p_slot_count(node->p2p);
        for (size_t i = 0; i < hypha_p2p_slot_count(node->p2p); i++)
            filled += hypha_p2p_slot_channel(node->p2p, i) != 0;
    }
    if (daemon->state == HY_DAEMON_STOPPING)
        (void)snprintf(text, HY_SERVICE_STATUS_BYTES, "Stopping");
    else if (daemon->state == HY_DAEMON_STARTING)
        (void)snprintf(text, HY_SERVICE_STATUS_BYTES, "Starting");
    else if (slots > 0)
        (void)snprintf(text, HY_SERVICE_STATUS_BYTES,
            "Running: %zu peers, %zu of %zu outbound slots are filled", peers, filled, slots);
    else
        (void)snprintf(text, HY_SERVICE_STATUS_BYTES, "Running: %zu networks, %zu peers",
            daemon->node_count, peers);
}

/* ---- stopping ---- */

/* The service manager is talked to until the last node has stopped. */
static void end_service_if_done(struct hy_daemon *daemon)
{
    const struct hy_daemon_node *node;

    STAILQ_FOREACH (node, &daemon->nodes, entry)
        if (node->started)
            return;
    hy_service_stop(&daemon->service);
}

void hy_daemon_stop(struct hy_daemon *daemon)
{
    struct hy_daemon_node *node;

    if (daemon->state == HY_DAEMON_STOPPING)
        return;
    daemon->state = HY_DAEMON_STOPPING;
    hy_notify("STOPPING=1");
    hy_service_update(&daemon->service);
    hy_defer_stop(&daemon->stop_later);
    hy_http_destroy(daemon->http);
    daemon->http = NULL;
    hy_daemon_say(daemon, HYPHA_LOG_INFO, TARGET, "Stopping JSON-RPC");
    hy_rpc_server_stop(daemon->rpc);
    if (daemon->program->on_stopping != NULL)
        daemon->program->on_stopping(daemon, daemon->app);
    STAILQ_FOREACH (node, &daemon->nodes, entry) {
        if (node->started)
            hypha_p2p_stop(node->p2p);
    }
    end_service_if_done(daemon);
}

static void on_stop_later(void *user)
{
    hy_daemon_stop(user);
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
    if (!hy_logger_is_heard(daemon->logger, HYPHA_LOG_ERROR, TARGET))
        fprintf(stderr, "%s: %s\n", daemon->program->name, why);
    daemon->status = 1;
    hy_daemon_stop(daemon);
}

/* ---- signals ---- */

static void on_stop_signal(void *user, int number)
{
    struct hy_daemon *daemon = user;

    if (daemon->told_to_stop) {
        hy_daemon_say(
            daemon, HYPHA_LOG_WARN, TARGET, "%s again: ending at once", strsignal(number));
        if (!hy_logger_is_heard(daemon->logger, HYPHA_LOG_WARN, TARGET))
            fprintf(stderr, "%s: ending at once\n", daemon->program->name);
        _exit(EXIT_FORCED);
    }
    daemon->told_to_stop = true;
    hy_daemon_say(daemon, HYPHA_LOG_INFO, TARGET, "%s: shutting down (once more ends at once)",
        strsignal(number));
    hy_daemon_stop(daemon);
}

static void on_hangup(void *user, int number)
{
    struct hy_daemon *daemon = user;
    struct hy_reload reload;

    (void)number;
    if (daemon->state == HY_DAEMON_STARTING)
        daemon->reload_asked = true;
    if (daemon->state != HY_DAEMON_RUNNING)
        return;
    hy_daemon_reload(daemon, &reload);
    hy_reload_fini(&reload);
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

void hy_daemon_node_log(
    void *user, enum hypha_log_level level, const char *target, const char *text)
{
    struct hy_daemon_node *node = user;

    if (node->daemon->program->network)
        hy_logger_write(node->daemon->logger, level, target, text);
    else /* one of several */
        hy_daemon_say(node->daemon, level, target, "[%s] %s", node->name, text);
}

void hy_daemon_node_destroy(struct hy_daemon_node *node)
{
    if (node == NULL)
        return;
    if (node->p2p != NULL) {
        hy_dnet_fini(&node->dnet);
        hy_counters_stop(node);
    }
    hypha_p2p_destroy(node->p2p);
    hy_resolved_settings_destroy(node->running);
    hy_free(node->name);
    hy_free(node);
}

enum hypha_err hy_daemon_add_node(struct hy_daemon *daemon, struct hypha_settings *settings,
    const char *name, struct hypha_p2p **ret_p2p, char *why)
{
    struct hy_daemon_node *node = hy_alloc(sizeof *node);
    enum hypha_err err = HYPHA_ERR_NOMEM;

    if (node == NULL)
        goto fail;
    node->daemon = daemon;
    hy_dnet_init(&node->dnet, node);
    node->name = hy_strdup(name);
    if (node->name == NULL)
        goto fail;
    hypha_settings_set_log(settings, hy_daemon_node_log, node, hy_logger_log(daemon->logger).level);
    err = hy_settings_resolve(settings, &node->running);
    if (err == HYPHA_OK)
        err = hypha_p2p_create(daemon->loop, settings, &node->p2p);
    if (err != HYPHA_OK)
        goto fail;
    STAILQ_INSERT_TAIL(&daemon->nodes, node, entry);
    daemon->node_count++;
    *ret_p2p = node->p2p;
    return HYPHA_OK;
fail:
    (void)snprintf(why, 256, "%s",
        err == HYPHA_ERR_SETTINGS ? hypha_settings_why(settings) : hypha_err_text(err));
    hypha_settings_set_log(settings, NULL, NULL, HYPHA_LOG_ERROR);
    hy_daemon_node_destroy(node);
    return err;
}

static void listen_rpc(struct hy_daemon *daemon);

static void run(struct hy_daemon *daemon)
{
    daemon->state = HY_DAEMON_RUNNING;
    if (daemon->program->on_running != NULL)
        daemon->program->on_running(daemon, daemon->app);
    hy_daemon_say(daemon, HYPHA_LOG_INFO, TARGET, "%s is running", daemon->program->name);
    hy_notify("READY=1");
    hy_service_update(&daemon->service);
    if (daemon->reload_asked)
        on_hangup(daemon, SIGHUP);
}

static void on_node_started(struct hypha_p2p *p2p, void *user)
{
    struct hy_daemon_node *node = user;
    struct hy_daemon *daemon = node->daemon;
    struct hy_daemon_node *other;

    (void)p2p;
    if (daemon->state != HY_DAEMON_STARTING)
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
    struct hy_daemon_node *node = user;

    (void)p2p;
    node->started = false;
    if (node->daemon->state != HY_DAEMON_STOPPING)
        fail(node->daemon, "The network of %s ended: %s", node->name, hypha_err_text(why));
    end_service_if_done(node->daemon);
}

static void start_nodes(struct hy_daemon *daemon)
{
    struct hy_daemon_node *node;

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
    const char *listen = hy_startup_rpc_listen(daemon->startup);

    if (err != HYPHA_OK) {
        fail(daemon, "JSON-RPC cannot listen on %s: %s", listen,
            strstr(listen, "unix://") != NULL && err == HYPHA_ERR_ADDR_NOT_AVAILABLE
                ? "the folder does not exist"
                : hypha_err_text(err));
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

    if (hy_rpc_server_listen(daemon->rpc, hy_startup_rpc_listen(daemon->startup), on_rpc_listening,
            daemon, why) != HYPHA_OK)
        fail(daemon, "rpc_listen: %s", why);
}

/* ---- the life of a daemon ---- */

static int complain(const struct hy_daemon *daemon, const char *why)
{
    fprintf(stderr, "%s: %s\n", daemon->program->name, why);
    return 1;
}

static void on_client_gone(uint64_t client, void *user)
{
    struct hy_daemon *daemon = user;
    struct hy_daemon_node *node;

    STAILQ_FOREACH (node, &daemon->nodes, entry)
        hy_dnet_client_gone(&node->dnet, client);
}

/* Errors: NOMEM, INVALID. */
static enum hypha_err make_rpc(struct hy_daemon *daemon)
{
    struct hy_log log = hy_logger_log(daemon->logger);

    log.level = HYPHA_LOG_TRACE; /* the logger judges, also after a reload */
    enum hypha_err err = hy_rpc_server_create(daemon->loop, &log, NULL, &daemon->rpc);
    if (err == HYPHA_OK && daemon->startup->rpc_token != NULL)
        err = hy_rpc_server_set_token(daemon->rpc, daemon->startup->rpc_token);
    if (err == HYPHA_OK)
        err = hy_startup_disable_methods(daemon->startup, daemon->rpc);
    if (err == HYPHA_OK)
        err = hy_daemon_add_methods(daemon);
    if (err == HYPHA_OK)
        hy_rpc_server_on_client_gone(daemon->rpc, on_client_gone, daemon);
    return err;
}

static void warn_of_unknown(const char *name, void *daemon)
{
    hy_daemon_say(daemon, HYPHA_LOG_WARN, "config", HY_UNKNOWN_METHOD, name);
}

static enum hypha_err make_metrics(struct hy_daemon *daemon, char why[512])
{
    const char *listen = hy_startup_metrics_listen(daemon->startup);
    char words[256] = "";

    if (listen == NULL)
        return HYPHA_OK;
    enum hypha_err err = hy_metrics_listen(daemon, listen, daemon->startup->metrics_token, words);
    if (err != HYPHA_OK)
        (void)snprintf(
            why, 512, "metrics.listen: %s", words[0] != '\0' ? words : hypha_err_text(err));
    else
        hy_daemon_say(daemon, HYPHA_LOG_INFO, "metrics", "Metrics are at %smetrics",
            hy_http_url(daemon->http));
    return err;
}

static enum hypha_err make_logger(struct hy_daemon *daemon, char why[512])
{
    const char *path = hy_startup_log_path(daemon->startup);
    enum hypha_err err = hy_logger_create(
        daemon->loop, path, daemon->startup->verbosity, &daemon->logger);

    if (err != HYPHA_OK)
        (void)snprintf(why, 512, "the log file %.300s cannot be opened", path != NULL ? path : "");
    return err;
}

static void say_start(struct hy_daemon *daemon)
{
    const struct hy_startup *startup = daemon->startup;

    daemon->start_ms = hy_now_ms(daemon->loop);
    daemon->start_s = hy_wall_s(daemon->loop);
    hy_daemon_say(daemon, HYPHA_LOG_INFO, TARGET, "Starting %s %s with %s", daemon->program->name,
        daemon->program->app_version, startup->config_path);
    for (size_t i = 0; i < startup->config.warning_count; i++)
        hy_daemon_say(daemon, HYPHA_LOG_WARN, "config", "%s", startup->config.warnings[i]);
}

/* Everything that needs no loop turn. Returns HY_STARTUP_GO_ON or the exit status. */
static int prepare(struct hy_daemon *daemon)
{
    const struct hy_daemon_program *program = daemon->program;
    char why[512] = "";
    int status = hy_startup_read(program, daemon->argc, daemon->argv, &daemon->startup);

    if (status != HY_STARTUP_GO_ON)
        return status;
    enum hypha_err err = hypha_loop_create(&daemon->loop);
    if (err == HYPHA_OK)
        err = make_logger(daemon, why);
    if (err != HYPHA_OK)
        return complain(daemon, why[0] != '\0' ? why : hypha_err_text(err));
    hy_defer_init(&daemon->stop_later, daemon->loop, on_stop_later, daemon);
    hy_service_init(&daemon->service, daemon->loop, put_status, daemon);
    say_start(daemon);
    err = make_rpc(daemon);
    if (err == HYPHA_OK)
        err = program->setup(
            daemon, daemon->startup->settings, daemon->startup->own, daemon->app, why);
    if (err == HYPHA_OK) /* the program has added its own */
        hy_rpc_server_each_unknown(daemon->rpc, warn_of_unknown, daemon);
    if (err == HYPHA_OK)
        err = make_metrics(daemon, why);
    if (err == HYPHA_OK)
        err = watch_signals(daemon);
    if (err != HYPHA_OK)
        return complain(daemon, why[0] != '\0' ? why : hypha_err_text(err));
    return HY_STARTUP_GO_ON;
}

static void fini(struct hy_daemon *daemon)
{
    struct hy_daemon_node *node;

    for (size_t i = 0; i < HY_DAEMON_SIGNALS; i++)
        hy_signal_stop(daemon->signals[i]);
    hy_service_stop(&daemon->service);
    hy_http_destroy(daemon->http);
    hy_rpc_server_destroy(daemon->rpc);
    while ((node = STAILQ_FIRST(&daemon->nodes)) != NULL) {
        STAILQ_REMOVE_HEAD(&daemon->nodes, entry);
        hy_daemon_node_destroy(node);
    }
    hy_logger_destroy(daemon->logger);
    hypha_loop_destroy(daemon->loop);
    hy_startup_destroy(daemon->startup);
}

int hy_daemon_main(const struct hy_daemon_program *program, void *app, int argc, char **argv)
{
    struct hy_daemon daemon = { .program = program, .app = app, .argc = argc, .argv = argv };

    /* A signal that comes before there is someone to hear it waits. */
    hold_signals(SIG_BLOCK);
    (void)signal(SIGPIPE, SIG_IGN);
    STAILQ_INIT(&daemon.nodes);
    hy_rpc_json_init();
    int status = prepare(&daemon);
    if (status == HY_STARTUP_GO_ON) {
        hold_signals(SIG_UNBLOCK);
        hy_service_start(&daemon.service);
        if (program->rpc_last)
            start_nodes(&daemon);
        else
            listen_rpc(&daemon);
        if (hypha_loop_run(daemon.loop) != HYPHA_OK)
            fail(&daemon, "the event loop failed");
        /* One more signal must not kill what is done. */
        hold_signals(SIG_BLOCK);
        status = daemon.status;
        hy_daemon_say(&daemon, HYPHA_LOG_INFO, TARGET, "%s is stopped", program->name);
    }
    fini(&daemon);
    return status;
}
