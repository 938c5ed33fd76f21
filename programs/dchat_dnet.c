/* dchat_dnet.c - a node's events, a line each. Works with the reference's daemon too, which takes
 * no parameters. spec: apps.md 6.1 */
#include "dchat.h"
#include "dchat_show.h"

#include <string.h>
#include <time.h>

#define METHOD "dnet.subscribe_events"

struct watcher {
    struct dchat_client *client;
    bool classic; /* only what the reference knows */
    bool ended;   /* client->err, or the refusal's code, says why */
    bool odd;
};

static void show_value(const json_t *value)
{
    if (json_is_string(value))
        dchat_show(stdout, json_string_value(value), json_string_length(value));
    else
        json_dumpf(value, stdout, JSON_ENCODE_ANY | JSON_COMPACT);
}

/* "name=value" of each field; those of a channel as if they were the event's own. */
static void show_fields(const json_t *info)
{
    const char *name;
    json_t *value;

    json_object_foreach ((json_t *)(uintptr_t)info, name, value) {
        if (json_is_object(value)) {
            show_fields(value);
            continue;
        }
        if (json_is_null(value) || strcmp(name, "time") == 0)
            continue;
        putchar(' ');
        dchat_show(stdout, name, strlen(name));
        putchar('=');
        show_value(value);
    }
}

static bool show_event(const struct watcher *watcher, const json_t *params)
{
    const json_t *event = json_array_get(params, 0);
    const json_t *name = json_object_get(event, "event");
    const json_t *info = json_object_get(event, "info");
    char clock[16] = "--:--:--";
    struct tm local;

    if (!json_is_string(name) || !json_is_object(info))
        return false;
    if (watcher->client->json) {
        json_dumpf(event, stdout, JSON_COMPACT);
        return putchar('\n') != EOF;
    }
    time_t now = (time_t)hy_wall_s(watcher->client->loop);
    if (localtime_r(&now, &local) != NULL)
        strftime(clock, sizeof clock, "%H:%M:%S", &local);
    printf("%s ", clock);
    dchat_show(stdout, json_string_value(name), json_string_length(name));
    show_fields(info);
    return putchar('\n') != EOF;
}

static enum hypha_err subscribe(struct watcher *watcher);

static void on_event(
    void *user, enum hypha_err err, const json_t *params, int code, const char *message)
{
    struct watcher *watcher = user;
    struct dchat_client *client = watcher->client;

    if (err == HYPHA_OK) {
        watcher->odd = !show_event(watcher, params);
    } else if (code == HY_RPC_INVALID_PARAMS && !watcher->classic) {
        watcher->classic = true;
        if (subscribe(watcher) == HYPHA_OK)
            return;
        watcher->ended = true;
        client->err = HYPHA_ERR_NOMEM;
    } else {
        watcher->ended = true;
        client->err = code != 0 ? HYPHA_OK : err;
        note_error(client, code, code != 0 ? message : NULL);
    }
    hypha_loop_stop(client->loop);
}

static enum hypha_err subscribe(struct watcher *watcher)
{
    json_t *params = watcher->classic ? json_array()
                                      : json_pack("[{s:b, s:b}]", "all", 1, "lag", 1);

    return params != NULL
        ? hy_rpc_client_subscribe(watcher->client->rpc, METHOD, params, on_event, watcher)
        : HYPHA_ERR_NOMEM;
}

int watch_events(struct dchat_client *client)
{
    struct watcher watcher = { .client = client };
    int status = judge(client, ask(client, "dnet.switch", json_pack("[b]", 1), 0));

    if (status != EXIT_OK)
        return status;
    json_decref(client->result);
    client->result = NULL;
    if (subscribe(&watcher) != HYPHA_OK)
        return complain(EXIT_UNREACHABLE, "out of memory");
    while (!watcher.ended) {
        if (hypha_loop_run(client->loop) != HYPHA_OK)
            return complain(EXIT_UNREACHABLE, "the event loop failed");
        if (watcher.odd)
            return fflush(stdout) != 0 || ferror(stdout) ? EXIT_OK : odd_reply(client);
        if (fflush(stdout) != 0)
            return EXIT_OK; /* nobody reads any more */
    }
    return judge(client, client->err == HYPHA_OK ? EXIT_REFUSED : EXIT_UNREACHABLE);
}
