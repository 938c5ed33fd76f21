/* methods_net.c - what a client may have the node do: peers, bans, seeds. spec: apps.md 2.5 */
#include "daemon/daemon_internal.h"
#include "daemon/methods.h"

#define TARGET          "rpc::net"
#define MAX_BAN_SECONDS (100LL * 365 * 86400)
#define MAX_CHANNEL_ID  INT64_C(0xffffffff)
#define COUNT(array)    (sizeof(array) / sizeof((array)[0]))
#define SAY(args, ...)  hy_daemon_say((args)->daemon, HYPHA_LOG_INFO, TARGET, __VA_ARGS__)

/* ---- peers ---- */

static void rpc_connect(struct hy_args *args)
{
    struct hypha_url *url;

    if (!hy_args_url(args, 0, "url", &url))
        return;
    enum hypha_err err = hypha_p2p_connect(args->node->p2p, url);
    if (err == HYPHA_OK)
        SAY(args, "A client asked for a connection to %s", hypha_url_text(url));
    hy_args_done(args, err);
    hypha_url_unref(url);
}

struct search {
    const struct hypha_url *url;
    bool found;
};

static void stop_if_it_is(struct hypha_channel *channel, void *user)
{
    struct search *search = user;

    if (!hypha_url_equal(hypha_channel_display_address(channel), search->url) &&
        !hypha_url_equal(hypha_channel_address(channel), search->url))
        return;
    search->found = true;
    hypha_channel_stop(channel);
}

/* A manual peer is forgotten; any other channel to that address is closed, and its slot goes on. */
static enum hypha_err disconnect_url(struct hypha_p2p *p2p, const struct hypha_url *url)
{
    struct search search = { .url = url };
    enum hypha_err err = hypha_p2p_disconnect(p2p, url);

    if (err != HYPHA_ERR_NOT_FOUND)
        return err;
    hypha_p2p_each_channel(p2p, stop_if_it_is, &search);
    return search.found ? HYPHA_OK : HYPHA_ERR_NOT_FOUND;
}

static void rpc_disconnect(struct hy_args *args)
{
    struct hypha_url *url;
    int64_t id;

    if (args->count > 0 && json_is_integer(json_array_get(args->params, 0))) {
        if (!hy_args_integer(args, 0, "channel id", 1, MAX_CHANNEL_ID, &id))
            return;
        struct hypha_channel *channel = hypha_p2p_channel(args->node->p2p, (uint32_t)id);
        if (channel != NULL)
            hypha_channel_stop(channel);
        hy_args_done(args, channel != NULL ? HYPHA_OK : HYPHA_ERR_NOT_FOUND);
        return;
    }
    if (!hy_args_url(args, 0, "url or channel id", &url))
        return;
    hy_args_done(args, disconnect_url(args->node->p2p, url));
    hypha_url_unref(url);
}

static void rpc_seed(struct hy_args *args)
{
    hypha_p2p_seed(args->node->p2p);
    hy_rpc_call_result(args->call, json_true());
}

/* ---- bans ---- */

static void rpc_ban(struct hy_args *args)
{
    struct hypha_url *url;
    int64_t seconds = 0;

    if (!hy_args_url(args, 0, "url", &url))
        return;
    if (args->count > 1 && !hy_args_integer(args, 1, "seconds", 1, MAX_BAN_SECONDS, &seconds)) {
        hypha_url_unref(url);
        return;
    }
    enum hypha_err err = hypha_p2p_ban(args->node->p2p, url, (uint64_t)seconds);
    if (err == HYPHA_OK)
        SAY(args, "A client banned %s", hypha_url_text(url));
    hy_args_done(args, err);
    hypha_url_unref(url);
}

static void rpc_unban(struct hy_args *args)
{
    struct hypha_url *url;

    if (!hy_args_url(args, 0, "url", &url))
        return;
    enum hypha_err err = hypha_p2p_unban(args->node->p2p, url);
    if (err == HYPHA_ERR_STATE)
        hy_args_fail(args, err, "it is in the configured blacklist");
    else
        hy_args_done(args, err);
    if (err == HYPHA_OK)
        SAY(args, "A client lifted the ban of %s", hypha_url_text(url));
    hypha_url_unref(url);
}

static void add_ban(const struct hypha_ban *ban, void *user)
{
    (void)hy_reply_list_add(user,
        json_pack("{s:o, s:s, s:o, s:s, s:s}", "url", hy_json_url(ban->url), "group",
            ban->group != NULL ? ban->group : "", "until_s", hy_json_number(ban->until_s), "why",
            hypha_err_text(ban->why), "code", hypha_err_name(ban->why)));
}

static void rpc_bans(struct hy_args *args)
{
    json_t *result = json_object();
    struct hy_reply_list bans;

    hy_reply_list_init(&bans, HY_REPLY_BYTES - 2 * HY_REPLY_FRAME_BYTES);
    hypha_p2p_each_ban(args->node->p2p, add_ban, &bans);
    bool cut = bans.cut;
    if (!hy_reply_put_list(result, "bans", &bans) ||
        json_object_set_new(result, "truncated", json_boolean(cut)) != 0) {
        json_decref(result);
        result = NULL;
    }
    hy_rpc_call_result(args->call, result);
}

static const struct hy_method methods[] = {
    { "net.connect", rpc_connect, HY_ARGS_NODE, 1, "[URL]" },
    { "net.disconnect", rpc_disconnect, HY_ARGS_NODE, 1, "[URL] or [CHANNEL_ID]" },
    { "net.seed", rpc_seed, HY_ARGS_NODE, 0, "[]" },
    { "net.ban", rpc_ban, HY_ARGS_NODE, 2, "[URL] or [URL, SECONDS]" },
    { "net.unban", rpc_unban, HY_ARGS_NODE, 1, "[URL]" },
    { "net.bans", rpc_bans, HY_ARGS_NODE, 0, "[]" },
};
const struct hy_method_table hy_methods_net = { methods, COUNT(methods) };
