/* view_main.c - hypha-view: look at nodes while they run, in the terminal or as a web page.
 *
 * Reads dnet_config.toml or takes nodes on the command line, keeps a source for each, and shows
 * the one model that all of them feed. spec: apps.md 6.3 */
#include "base/alloc.h"
#include "daemon/config.h"
#include "daemon/secret.h"
#include "view/view_config.h"
#include "view/view_once.h"
#include "view/view_screen.h"
#include "view/view_source.h"
#include "view/view_web.h"

#include <getopt.h>
#include <hypha/hypha.h>
#include <signal.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#define PROGRAM     "hypha-view"
#define CONFIG_FILE "dnet_config.toml"
#define ONCE_MS     40000U /* --once waits no longer, however slowly nodes answer */
#define ONCE_LOOK   20U
#define LEAVE_LOOK  20U
#define LEAVE_MS    1000U

enum exit_status { EXIT_OK = 0, EXIT_USAGE = 1, EXIT_CREATED = 2, EXIT_UNREACHABLE = 3 };

struct viewer {
    struct hypha_loop *loop;
    struct view_targets targets;
    struct view_model model;
    struct view_source *sources[VIEW_MAX_NODES];
    size_t source_count;
    struct view_screen *screen;
    struct view_web *web;
    struct hy_signal *signals[3];
    struct hy_timer deadline, look;
    /* the command line */
    const char *config, *listen, *web_token, *token_file;
    bool once, json, with_web;
};

static const char usage[] =
    "Usage: hypha-view [OPTIONS] [[NAME=]ENDPOINT...]\n"
    "\n"
    "Shows nodes while they run: sessions, slots, channels, messages. Without ENDPOINT those of\n"
    "the config file. ENDPOINT: HOST:PORT, [IPV6]:PORT, unix:PATH or a URL (tcp, tcp+tls, unix)\n"
    "of a node's or a seed daemon's JSON-RPC.\n"
    "\n"
    "  -c, --config PATH       config file to use; else dnet_config.toml in the usual place\n"
    "      --rpc-token-file PATH\n"
    "                          the access token of the nodes on the command line is there\n"
    "      --once              show all once, as text, and end\n"
    "      --json              with --once: as JSON\n"
    "      --web               serve a web page instead of the terminal\n"
    "      --listen HOST:PORT  of the web page (127.0.0.1, a free port)\n"
    "      --token TOKEN       of the web page, instead of a random one\n"
    "  -h, --help              show this help\n"
    "  -V, --version           show the version\n"
    "\n"
    "In the terminal, ? shows the keys. Exit status: 0 done; 1 wrong usage, config, or no\n"
    "terminal; 2 the config file was created; 3 with --once: no node could be reached.\n";

static int complain(int status, const char *format, ...) HYPHA_PRINTF(2, 3);
static int complain(int status, const char *format, ...)
{
    va_list args;

    va_start(args, format);
    fputs(PROGRAM ": ", stderr);
    vfprintf(stderr, format, args);
    fputc('\n', stderr);
    va_end(args);
    return status;
}

static void warn(const char *line)
{
    (void)complain(0, "%s", line);
}

/* ---- the command line and the config ---- */

#define GO_ON (-1)

enum long_option {
    OPTION_RPC_TOKEN_FILE = 256,
    OPTION_ONCE,
    OPTION_JSON,
    OPTION_WEB,
    OPTION_LISTEN,
    OPTION_TOKEN
};

static const struct option long_options[] = {
    { "config", required_argument, NULL, 'c' },
    { "rpc-token-file", required_argument, NULL, OPTION_RPC_TOKEN_FILE },
    { "once", no_argument, NULL, OPTION_ONCE },
    { "json", no_argument, NULL, OPTION_JSON },
    { "web", no_argument, NULL, OPTION_WEB },
    { "listen", required_argument, NULL, OPTION_LISTEN },
    { "token", required_argument, NULL, OPTION_TOKEN },
    { "help", no_argument, NULL, 'h' },
    { "version", no_argument, NULL, 'V' },
    { NULL, 0, NULL, 0 },
};

/* GO_ON, or the exit status. */
static int read_options(struct viewer *viewer, int argc, char **argv)
{
    int option;

    while ((option = getopt_long(argc, argv, "c:hV", long_options, NULL)) != -1) {
        switch (option) {
        case 'c':
            viewer->config = optarg;
            break;
        case OPTION_RPC_TOKEN_FILE:
            viewer->token_file = optarg;
            break;
        case OPTION_ONCE:
            viewer->once = true;
            break;
        case OPTION_JSON:
            viewer->json = true;
            break;
        case OPTION_WEB:
            viewer->with_web = true;
            break;
        case OPTION_LISTEN:
            viewer->listen = optarg;
            break;
        case OPTION_TOKEN:
            viewer->web_token = optarg;
            break;
        case 'h':
            fputs(usage, stdout);
            return EXIT_OK;
        case 'V':
            puts(PROGRAM " 0.1.0");
            return EXIT_OK;
        default: /* getopt has said what is wrong */
            fputs(usage, stderr);
            return EXIT_USAGE;
        }
    }
    if (viewer->json && !viewer->once)
        return complain(EXIT_USAGE, "--json goes with --once");
    if (viewer->once && viewer->with_web)
        return complain(EXIT_USAGE, "--once does not go with --web");
    if ((viewer->listen != NULL || viewer->web_token != NULL) && !viewer->with_web)
        return complain(EXIT_USAGE, "--listen and --token go with --web");
    return GO_ON;
}

static int read_config(struct viewer *viewer)
{
    char why[VIEW_CONFIG_WHY_BYTES];
    char *path = NULL;
    int status = GO_ON;
    enum hypha_err err = viewer->config != NULL ? hy_config_expand(viewer->config, &path)
                                                : hy_config_default_path(CONFIG_FILE, &path);

    if (err == HYPHA_ERR_INVALID)
        return complain(EXIT_USAGE, "--config: \"%s\": only \"~/\" is expanded", viewer->config);
    if (err == HYPHA_ERR_NOT_FOUND)
        return complain(EXIT_USAGE, "no home folder is known: use --config");
    if (err != HYPHA_OK)
        return complain(EXIT_USAGE, "%s", hypha_err_text(err));
    err = view_config_load(&viewer->targets, path, warn, why);
    if (err == HYPHA_ERR_NOT_FOUND) {
        err = hy_config_write_template(path, view_config_template);
        if (err == HYPHA_OK) {
            printf("Config file created in \"%s\". Please review it and start again.\n", path);
            status = EXIT_CREATED;
        } else {
            status = complain(EXIT_USAGE, "%s cannot be created: %s", path, hypha_err_text(err));
        }
    } else if (err != HYPHA_OK) {
        status = complain(EXIT_USAGE, "%s", why);
    } else if (viewer->targets.count == 0) {
        status = complain(EXIT_USAGE,
            "%s names no nodes: add a table [[nodes]] with name, host, port and type", path);
    }
    hy_free(path);
    return status;
}

/* Nodes on the command line are enough; a config given by name is read as well. */
static int find_targets(struct viewer *viewer, int argc, char **argv)
{
    char why[VIEW_CONFIG_WHY_BYTES];
    char *token = NULL;
    bool is_open = false;
    int status = GO_ON;

    if (viewer->token_file != NULL) {
        enum hypha_err err = hy_secret_read(viewer->token_file, &token, &is_open);

        if (err != HYPHA_OK)
            return complain(EXIT_USAGE, "--rpc-token-file %s: %s", viewer->token_file,
                err == HYPHA_ERR_INVALID ? "no token is in it" : hypha_err_text(err));
    }
    if (is_open)
        (void)complain(EXIT_OK, "others may read %s: chmod 600 it", viewer->token_file);
    if (optind == argc || viewer->config != NULL)
        status = read_config(viewer);
    for (int i = optind; status == GO_ON && i < argc; i++)
        if (view_config_add(&viewer->targets, argv[i], token, why) != HYPHA_OK)
            status = complain(EXIT_USAGE, "%s", why);
    hy_secret_free(token);
    return status;
}

/* ---- the nodes ---- */

static int start_sources(struct viewer *viewer)
{
    char why[256];

    for (size_t i = 0; i < viewer->targets.count; i++) {
        const struct view_target *target = &viewer->targets.entries[i];
        struct view_node *node = NULL;
        enum hypha_err err = view_model_add(&viewer->model, target->name, target->kind, &node);

        if (err != HYPHA_OK)
            return complain(EXIT_USAGE, "%s: %s", target->name, hypha_err_text(err));
        node->kind_is_open = target->kind_is_open;
        err = view_source_create(viewer->loop, &viewer->model, node, target->endpoint,
            target->token, &viewer->sources[viewer->source_count], why);
        if (err != HYPHA_OK)
            return complain(EXIT_USAGE, "%s: %s", target->name, why);
        if (viewer->once)
            view_source_set_once(viewer->sources[viewer->source_count]);
        viewer->source_count++;
    }
    return GO_ON;
}

static void on_quit(void *user)
{
    struct viewer *viewer = user;

    hypha_loop_stop(viewer->loop);
}

static void on_signal(void *user, int signum)
{
    (void)signum;
    on_quit(user);
}

static int watch_signals(struct viewer *viewer)
{
    static const int numbers[] = { SIGINT, SIGTERM, SIGHUP };

    for (size_t i = 0; i < sizeof numbers / sizeof numbers[0]; i++) {
        enum hypha_err err = hy_signal_start(
            viewer->loop, numbers[i], on_signal, viewer, &viewer->signals[i]);

        if (err != HYPHA_OK)
            return complain(EXIT_USAGE, "%s", hypha_err_text(err));
    }
    return GO_ON;
}

/* ---- --once ---- */

static void on_look_once(void *user)
{
    struct viewer *viewer = user;
    bool settled = true;

    for (size_t i = 0; i < viewer->source_count; i++)
        settled = settled && view_source_is_settled(viewer->sources[i]);
    if (settled)
        hypha_loop_stop(viewer->loop);
    else
        hy_timer_start(&viewer->look, ONCE_LOOK);
}

static int run_once(struct viewer *viewer)
{
    const struct view_node *node;
    int status = EXIT_UNREACHABLE;

    hy_timer_init(&viewer->deadline, viewer->loop, on_quit, viewer);
    hy_timer_init(&viewer->look, viewer->loop, on_look_once, viewer);
    hy_timer_start(&viewer->deadline, ONCE_MS);
    hy_timer_start(&viewer->look, ONCE_LOOK);
    enum hypha_err err = hypha_loop_run(viewer->loop);
    hy_timer_stop(&viewer->deadline);
    hy_timer_stop(&viewer->look);
    if (err != HYPHA_OK)
        return complain(EXIT_USAGE, "%s", hypha_err_text(err));
    if (!view_once_print(stdout, &viewer->model, viewer->json, hy_wall_ns(viewer->loop)))
        return complain(EXIT_USAGE, "%s", hypha_err_text(HYPHA_ERR_NOMEM));
    STAILQ_FOREACH (node, &viewer->model.nodes, entry)
        if (node->link == VIEW_ONLINE)
            status = EXIT_OK;
    return status;
}

/* ---- the screen or the page ---- */

/* Reference nodes are left as their own viewer leaves them: a moment for that, and no more. */
static void on_look_left(void *user)
{
    struct viewer *viewer = user;
    bool left = true;

    for (size_t i = 0; i < viewer->source_count; i++)
        left = left && view_source_has_left(viewer->sources[i]);
    if (left)
        hypha_loop_stop(viewer->loop);
    else
        hy_timer_start(&viewer->look, LEAVE_LOOK);
}

static void leave(struct viewer *viewer)
{
    bool wait = false;

    for (size_t i = 0; i < viewer->source_count; i++)
        wait = view_source_leave(viewer->sources[i]) || wait;
    if (!wait)
        return;
    hy_timer_init(&viewer->look, viewer->loop, on_look_left, viewer);
    hy_timer_init(&viewer->deadline, viewer->loop, on_quit, viewer);
    hy_timer_start(&viewer->look, LEAVE_LOOK);
    hy_timer_start(&viewer->deadline, LEAVE_MS);
    if (hypha_loop_run(viewer->loop) != HYPHA_OK)
        (void)complain(EXIT_OK, "nodes may go on telling their events");
    hy_timer_stop(&viewer->look);
    hy_timer_stop(&viewer->deadline);
}

static int run_live(struct viewer *viewer)
{
    char why[256];
    enum hypha_err err;
    int status = watch_signals(viewer);

    if (status != GO_ON)
        return status;
    if (viewer->with_web) {
        err = view_web_create(viewer->loop, &viewer->model,
            viewer->listen != NULL ? viewer->listen : "127.0.0.1:0", viewer->web_token,
            &viewer->web, why);
        if (err == HYPHA_OK) {
            printf("Open this in a browser: %s\n", view_web_url(viewer->web));
            (void)fflush(stdout);
        }
    } else {
        err = view_screen_create(
            viewer->loop, &viewer->model, on_quit, viewer, &viewer->screen, why);
    }
    if (err != HYPHA_OK)
        return complain(EXIT_USAGE, "%s", why);
    err = hypha_loop_run(viewer->loop);
    view_screen_destroy(viewer->screen); /* first: what is said now is read */
    viewer->screen = NULL;
    if (err != HYPHA_OK)
        return complain(EXIT_USAGE, "%s", hypha_err_text(err));
    leave(viewer);
    return EXIT_OK;
}

static void viewer_fini(struct viewer *viewer)
{
    view_screen_destroy(viewer->screen);
    view_web_destroy(viewer->web);
    for (size_t i = 0; i < viewer->source_count; i++)
        view_source_destroy(viewer->sources[i]);
    for (size_t i = 0; i < sizeof viewer->signals / sizeof viewer->signals[0]; i++)
        hy_signal_stop(viewer->signals[i]);
    view_model_fini(&viewer->model);
    view_config_fini(&viewer->targets);
    hypha_loop_destroy(viewer->loop);
}

int main(int argc, char **argv)
{
    struct viewer viewer = { 0 };

    (void)signal(SIGPIPE, SIG_IGN);
    view_model_init(&viewer.model);
    int status = read_options(&viewer, argc, argv);
    if (status == GO_ON)
        status = find_targets(&viewer, argc, argv);
    if (status == GO_ON && hypha_loop_create(&viewer.loop) != HYPHA_OK)
        status = complain(EXIT_USAGE, "the event loop cannot be made");
    if (status == GO_ON)
        status = start_sources(&viewer);
    if (status == GO_ON)
        status = viewer.once ? run_once(&viewer) : run_live(&viewer);
    viewer_fini(&viewer);
    return status;
}
