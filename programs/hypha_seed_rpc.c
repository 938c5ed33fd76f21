/* hypha_seed_rpc.c - `spawns`: who is known in which network. spec: apps.md 7.3 */
#include "hypha_seed.h"

#include <string.h>

/* The viewer's reader takes lines below 64 KiB. spec: apps.md 6.2 */
#define LINE_BYTES 60000U

struct url_list {
    json_t *array;
    size_t room; /* bytes of the line */
    bool truncated;
    bool failed;
};

static void add_url(const struct hypha_url *url, uint64_t last_seen, void *user)
{
    struct url_list *list = user;
    size_t need = strlen(hypha_url_text(url)) + 3;

    (void)last_seen;
    if (list->truncated || need > list->room) {
        list->truncated = true;
        return;
    }
    list->room -= need;
    if (json_array_append_new(list->array, json_string(hypha_url_text(url))) != 0)
        list->failed = true;
}

/* Adds its own keys to `spawn`, takes from *room. False: no memory. */
static bool put_list(
    json_t *spawn, const char *name, struct url_list *list, size_t *room, bool *truncated)
{
    *room = list->room;
    *truncated = *truncated || list->truncated;
    if (list->failed || list->array == NULL) {
        json_decref(list->array);
        return false;
    }
    return json_object_set_new(spawn, name, list->array) == 0;
}

static const struct {
    const char *name;
    enum hypha_colour colour;
} lists[] = {
    { "whitelist", HYPHA_COLOUR_WHITE },
    { "goldlist", HYPHA_COLOUR_GOLD },
    { "greylist", HYPHA_COLOUR_GREY },
};

static json_t *spawn_of(const struct seed_network *network, size_t room)
{
    json_t *spawn = json_pack("{s:s}", "name", network->name);
    struct url_list urls = { .array = json_array(), .room = room };
    const struct hypha_url *url;
    bool truncated = false;

    if (spawn == NULL || urls.array == NULL) {
        json_decref(urls.array);
        json_decref(spawn);
        return NULL;
    }
    for (size_t i = 0; (url = hypha_p2p_listen_addr(network->p2p, i)) != NULL; i++)
        add_url(url, 0, &urls);
    bool ok = put_list(spawn, "urls", &urls, &room, &truncated);
    for (size_t i = 0; ok && i < sizeof lists / sizeof lists[0]; i++) {
        struct url_list list = { .array = json_array(), .room = room };

        if (list.array != NULL)
            hypha_p2p_each_host(network->p2p, lists[i].colour, add_url, &list);
        ok = put_list(spawn, lists[i].name, &list, &room, &truncated);
    }
    if (ok && truncated)
        ok = json_object_set_new(spawn, "truncated", json_true()) == 0;
    if (ok)
        return spawn;
    json_decref(spawn);
    return NULL;
}

static void rpc_spawns(struct hy_rpc_call *call, const json_t *params, void *user)
{
    struct seed *seed = user;
    struct seed_network *network;
    json_t *spawns = json_array();
    bool ok = spawns != NULL;

    (void)params;
    STAILQ_FOREACH (network, &seed->networks, entry) {
        /* A name's characters take up to six bytes in JSON. */
        size_t frame = 6 * strlen(network->name) + 120;
        size_t share = LINE_BYTES / seed->network_count;

        ok = ok &&
            json_array_append_new(spawns, spawn_of(network, share > frame ? share - frame : 0)) ==
                0;
    }
    if (!ok) {
        json_decref(spawns);
        spawns = NULL;
    }
    hy_rpc_call_result(call, spawns != NULL ? json_pack("{s:o}", "spawns", spawns) : NULL);
}

enum hypha_err seed_add_methods(struct seed *seed)
{
    return hy_rpc_server_add(hy_daemon_rpc(seed->daemon), "spawns", rpc_spawns, seed);
}
