/* crowd.c - many nodes in one process that all keep a channel to one address.
 *
 *   usage: crowd URL COUNT APP_NAME APP_VERSION
 *
 * Says "all N connected" when every one of them has shaken hands, "lost one: WHY" if a channel
 * ends, stops when its input ends, says "stopped". */
#include <hypha/hypha.h>

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

struct crowd {
    struct hypha_loop *loop;
    struct hypha_p2p **nodes;
    size_t count, registered, stopped;
};

static void die(const char *what, enum hypha_err err)
{
    fprintf(stderr, "crowd: %s: %s\n", what, hypha_err_text(err));
    exit(1);
}

static void must(const char *what, enum hypha_err err)
{
    if (err != HYPHA_OK)
        die(what, err);
}

static void on_event(const struct hypha_event *event, void *user)
{
    struct crowd *crowd = user;

    if (event->type == HYPHA_EVENT_CHANNEL_UNREGISTERED) {
        printf("lost one: %s\n", hypha_err_text(event->err));
    } else if (++crowd->registered == crowd->count) {
        printf("all %zu connected\n", crowd->count);
    }
    (void)fflush(stdout);
}

static void on_stopped(struct hypha_p2p *p2p, enum hypha_err why, void *user)
{
    struct crowd *crowd = user;

    (void)p2p;
    (void)why;
    if (++crowd->stopped == crowd->count)
        hypha_loop_stop(crowd->loop);
}

static struct hypha_p2p *node_of(struct crowd *crowd, char **argv)
{
    struct hypha_settings *settings = NULL;
    struct hypha_p2p *p2p = NULL;

    must("settings", hypha_settings_create(&settings));
    must("app name", hypha_settings_set_text(settings, HYPHA_KEY_APP_NAME, argv[3]));
    must("version", hypha_settings_set_text(settings, HYPHA_KEY_APP_VERSION, argv[4]));
    must("profile", hypha_settings_add_profile(settings, "tcp"));
    must("profile", hypha_settings_add_active_profile(settings, "tcp"));
    must("localnet", hypha_settings_set_flag(settings, HYPHA_KEY_LOCALNET, true));
    must("slots", hypha_settings_set_number(settings, HYPHA_KEY_OUTBOUND_CONNECTIONS, 0));
    must("peer", hypha_settings_add_url(settings, NULL, HYPHA_LIST_PEERS, argv[1]));
    must("create", hypha_p2p_create(crowd->loop, settings, &p2p));
    must("subscribe",
        hypha_p2p_subscribe_events_of(p2p,
            HYPHA_EVENT_BIT(HYPHA_EVENT_CHANNEL_REGISTERED) |
                HYPHA_EVENT_BIT(HYPHA_EVENT_CHANNEL_UNREGISTERED),
            on_event, crowd));
    hypha_settings_destroy(settings);
    return p2p;
}

static void stop_all(void *user)
{
    struct crowd *crowd = user;

    for (size_t i = 0; i < crowd->count; i++) {
        hypha_p2p_unsubscribe_events(crowd->nodes[i], on_event, crowd);
        hypha_p2p_stop(crowd->nodes[i]);
    }
}

/* The loop must not be held up by reading. */
static void *watch_input(void *user)
{
    struct crowd *crowd = user;
    char byte;

    while (read(STDIN_FILENO, &byte, 1) > 0)
        ;
    must("post", hypha_loop_post(crowd->loop, stop_all, crowd));
    return NULL;
}

int main(int argc, char **argv)
{
    struct crowd crowd = { 0 };
    struct rlimit files;
    pthread_t watcher;

    if (argc != 5) {
        fprintf(stderr, "usage: crowd URL COUNT APP_NAME APP_VERSION\n");
        return 2;
    }
    if (getrlimit(RLIMIT_NOFILE, &files) == 0) {
        files.rlim_cur = files.rlim_max;
        (void)setrlimit(RLIMIT_NOFILE, &files);
    }
    crowd.count = strtoul(argv[2], NULL, 10);
    crowd.nodes = calloc(crowd.count, sizeof(struct hypha_p2p *));
    if (crowd.nodes == NULL)
        return 1;
    must("loop", hypha_loop_create(&crowd.loop));
    for (size_t i = 0; i < crowd.count; i++)
        crowd.nodes[i] = node_of(&crowd, argv);
    for (size_t i = 0; i < crowd.count; i++)
        must("start", hypha_p2p_start(crowd.nodes[i], NULL, on_stopped, &crowd));
    if (pthread_create(&watcher, NULL, watch_input, &crowd) != 0)
        return 1;
    must("run", hypha_loop_run(crowd.loop));
    (void)pthread_join(watcher, NULL);
    for (size_t i = 0; i < crowd.count; i++)
        hypha_p2p_destroy(crowd.nodes[i]);
    free(crowd.nodes);
    hypha_loop_destroy(crowd.loop);
    printf("stopped\n");
    return 0;
}
