/* methods_stats.c - what the node does (net.stats), and why it does no more (net.why).
 * spec: apps.md 2.5 */
#include "daemon/daemon_internal.h"
#include "daemon/methods.h"

#include <string.h>

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

/* ---- traffic ---- */

static json_t *traffic_json(const struct hypha_traffic *traffic)
{
    return json_pack("{s:o, s:o, s:o, s:o}", "messages_in", hy_json_number(traffic->messages_in),
        "messages_out", hy_json_number(traffic->messages_out), "bytes_in",
        hy_json_number(traffic->bytes_in), "bytes_out", hy_json_number(traffic->bytes_out));
}

/* An object of commands within so many bytes. */
struct commands {
    json_t *object;
    size_t room;
    bool cut, failed;
};

static void add_command(const char *command, const struct hypha_traffic *traffic, void *user)
{
    struct commands *commands = user;
    json_t *value = traffic_json(traffic);
    /* A name's characters may take up to six bytes. */
    size_t need = hy_json_size(value) + 6 * strlen(command) + 4;

    if (value == NULL)
        commands->failed = true;
    if (commands->failed || commands->cut || need > commands->room) {
        commands->cut = true;
        json_decref(value);
        return;
    }
    commands->room -= need;
    if (json_object_set_new(commands->object, command, value) != 0)
        commands->failed = true;
}

/* ---- channels ---- */

static json_t *announced_json(const struct hypha_channel *channel)
{
    const struct hypha_url *url;
    json_t *array = json_array();
    bool ok = array != NULL;

    for (size_t i = 0; ok && (url = hypha_channel_peer_address(channel, i)) != NULL; i++)
        ok = json_array_append_new(array, hy_json_url(url)) == 0;
    if (ok)
        return array;
    json_decref(array);
    return NULL;
}

static json_t *channel_json(const struct hypha_channel *channel)
{
    struct hypha_traffic traffic;

    hypha_channel_traffic(channel, &traffic);
    json_t *object = json_pack("{s:I, s:s, s:s, s:s, s:s, s:s, s:o, s:o, s:o, s:o}", "id",
        (json_int_t)hypha_channel_id(channel), "url",
        hypha_url_text(hypha_channel_display_address(channel)), "session",
        hypha_session_name(hypha_channel_session(channel)), "address",
        hypha_url_text(hypha_channel_address(channel)), "app", hypha_channel_peer_app_name(channel),
        "version", hypha_channel_peer_version(channel), "start_s",
        hy_json_number(hypha_channel_start_time(channel)), "rtt_us",
        hy_json_number(hypha_channel_round_trip_us(channel)), "queued_bytes",
        hy_json_number(hypha_channel_queued_bytes(channel)), "announced", announced_json(channel));
    json_t *counts = traffic_json(&traffic);
    bool ok = counts != NULL && json_object_update(object, counts) == 0;
    json_decref(counts);
    if (ok)
        return object;
    json_decref(object);
    return NULL;
}

static void add_channel(struct hypha_channel *channel, void *user)
{
    (void)hy_reply_list_add(user, channel_json(channel));
}

/* Commands of every channel that got in, if there is room for all of them. */
struct channel_commands {
    json_t *objects; /* one per channel */
    size_t room;
    size_t channels; /* that got in */
    bool cut, failed;
};

static void add_channel_commands(struct hypha_channel *channel, void *user)
{
    struct channel_commands *all = user;

    if (all->cut || all->failed || json_array_size(all->objects) == all->channels)
        return;
    struct commands own = { .object = json_object(), .room = all->room };
    all->failed = own.object == NULL;
    if (!all->failed)
        hypha_channel_each_command(channel, add_command, &own);
    all->cut = own.cut || own.room < sizeof ",\"commands\":{}";
    all->room = all->cut ? 0 : own.room - sizeof ",\"commands\":{}";
    if (own.failed || json_array_append_new(all->objects, own.object) != 0)
        all->failed = true;
}

/* False: no memory. */
static bool put_channel_commands(
    struct hypha_p2p *p2p, const struct hy_reply_list *channels, bool *truncated)
{
    struct channel_commands all = { .objects = json_array(),
        .room = channels->room,
        .channels = json_array_size(channels->array) };
    bool ok = all.objects != NULL;

    if (ok)
        hypha_p2p_each_channel(p2p, add_channel_commands, &all);
    ok = ok && !all.failed;
    for (size_t i = 0; ok && !all.cut && i < all.channels; i++)
        ok = json_object_set(json_array_get(channels->array, i), "commands",
                 json_array_get(all.objects, i)) == 0;
    json_decref(all.objects);
    *truncated = *truncated || all.cut;
    return ok;
}

/* ---- net.stats ---- */

static void count_ban(const struct hypha_ban *ban, void *user)
{
    (void)ban;
    ++*(uint64_t *)user;
}

static void add_url(const struct hypha_url *url, void *user)
{
    (void)hy_reply_list_add(user, hy_json_url(url));
}

/* Addresses, all commands together: what comes before the channels. False: no memory. */
static bool put_node(json_t *stats, struct hypha_p2p *p2p, bool *truncated)
{
    struct commands commands = { .object = json_object(), .room = HY_REPLY_BYTES / 4 };
    struct hy_reply_list listen, own;
    const struct hypha_url *url;

    if (commands.object == NULL)
        return false;
    hypha_p2p_each_command(p2p, add_command, &commands);
    bool ok = json_object_set_new(stats, "commands", commands.object) == 0 && !commands.failed;
    hy_reply_list_init(&listen, HY_REPLY_BYTES / 8);
    for (size_t i = 0; (url = hypha_p2p_listen_addr(p2p, i)) != NULL; i++)
        add_url(url, &listen);
    hy_reply_list_init(&own, HY_REPLY_BYTES / 8);
    hypha_p2p_each_own_addr(p2p, add_url, &own);
    *truncated = commands.cut || listen.cut || own.cut;
    ok = hy_reply_put_list(stats, "listen", &listen) && ok;
    return hy_reply_put_list(stats, "own_addrs", &own) && ok;
}

static json_t *stats_json(const struct hy_daemon_node *node)
{
    uint64_t age_ms = hy_now_ms(node->daemon->loop) - node->daemon->start_ms, bans = 0;
    bool truncated = false;
    struct hy_reply_list channels;

    hypha_p2p_each_ban(node->p2p, count_ban, &bans);
    json_t *stats = json_pack("{s:o, s:s, s:s, s:o, s:o, s:o}", "uptime_s",
        hy_json_number(age_ms / 1000), "app", node->running->app_name, "version",
        node->running->app_version, "peers", hy_json_number(hypha_p2p_peers_count(node->p2p)),
        "hosts", hy_json_host_counts(node->p2p), "bans", hy_json_number(bans));
    bool ok = stats != NULL && put_node(stats, node->p2p, &truncated);
    size_t used = hy_json_size(stats) + 2 * HY_REPLY_FRAME_BYTES;
    hy_reply_list_init(&channels, used < HY_REPLY_BYTES ? HY_REPLY_BYTES - used : 0);
    hypha_p2p_each_channel(node->p2p, add_channel, &channels);
    truncated = truncated || channels.cut;
    ok = ok && !channels.failed && put_channel_commands(node->p2p, &channels, &truncated);
    ok = hy_reply_put_list(stats, "channels", &channels) && ok;
    ok = ok && json_object_set_new(stats, "truncated", json_boolean(truncated)) == 0;
    if (ok)
        return stats;
    json_decref(stats);
    return NULL;
}

static void rpc_stats(struct hy_args *args)
{
    hy_rpc_call_result(args->call, stats_json(args->node));
}

/* ---- net.why ---- */

static void add_slot(const struct hypha_slot_info *slot, void *user)
{
    json_t *object = json_pack("{s:s, s:I, s:s, s:o, s:o, s:I, s:o, s:o, s:I, s:o, s:s}", "session",
        hypha_session_name(slot->session), "slot", (json_int_t)slot->slot, "state", slot->state,
        "since_ms", hy_json_number(slot->since_ms), "addr", hy_json_url(slot->addr), "channel_id",
        (json_int_t)slot->channel_id, "last_error",
        hy_json_text(slot->last_err != HYPHA_OK ? hypha_err_text(slot->last_err) : NULL),
        "last_addr", hy_json_url(slot->last_addr), "failures", (json_int_t)slot->failures,
        "next_ms", hy_json_number(slot->next_ms), "waits_for",
        slot->waits_for != NULL ? slot->waits_for : "");

    (void)hy_reply_list_add(user, object);
}

static json_t *discovery_json(const struct hypha_p2p *p2p)
{
    struct hypha_discovery_info info;

    hypha_p2p_discovery(p2p, &info);
    return json_pack("{s:s, s:I, s:o, s:o, s:o, s:o}", "state", info.state, "failures",
        (json_int_t)info.failures, "next_ms", hy_json_number(info.next_ms), "seed_wait_ms",
        hy_json_number(info.seed_wait_ms), "getaddr_rounds", hy_json_number(info.getaddr_rounds),
        "seed_rounds", hy_json_number(info.seed_rounds));
}

static void rpc_why(struct hy_args *args)
{
    struct hypha_p2p *p2p = args->node->p2p;
    json_t *result = json_pack("{s:o}", "discovery", discovery_json(p2p));
    struct hy_reply_list slots;

    hy_reply_list_init(&slots, HY_REPLY_BYTES - 5 * HY_REPLY_FRAME_BYTES);
    hypha_p2p_each_slot(p2p, add_slot, &slots);
    bool cut = slots.cut;
    bool ok = hy_reply_put_list(result, "slots", &slots);
    if (ok && cut)
        ok = json_object_set_new(result, "truncated", json_true()) == 0;
    if (!ok) {
        json_decref(result);
        result = NULL;
    }
    hy_rpc_call_result(args->call, result);
}

static const struct hy_method methods[] = {
    { "net.stats", rpc_stats, HY_ARGS_NODE, 0, "[]" },
    { "net.why", rpc_why, HY_ARGS_NODE, 0, "[]" },
};
const struct hy_method_table hy_methods_stats = { methods, COUNT(methods) };
