/* daemon/methods.c - the RPC methods that every daemon has. spec: apps.md 2.5 */
#include "daemon/daemon.h"

static void rpc_ping(struct hy_rpc_call *call, const json_t *params, void *user)
{
    (void)params;
    (void)user;
    hy_rpc_call_result(call, json_string("pong"));
}

enum hypha_err hy_daemon_add_ping(struct hy_daemon *daemon)
{
    return hy_rpc_server_add(hy_daemon_rpc(daemon), "ping", rpc_ping, NULL);
}

struct channel_list {
    json_t *array;
    bool failed;
};

static void add_channel(struct hypha_channel *channel, void *user)
{
    struct channel_list *list = user;
    json_t *entry = json_pack("{s:s, s:s, s:I}", "url",
        hypha_url_text(hypha_channel_display_address(channel)), "session",
        hypha_session_name(hypha_channel_session(channel)), "id",
        (json_int_t)hypha_channel_id(channel));

    if (json_array_append_new(list->array, entry) != 0)
        list->failed = true;
}

static json_t *slots_of(const struct hypha_p2p *p2p)
{
    json_t *slots = json_array();

    for (size_t i = 0; slots != NULL && i < hypha_p2p_slot_count(p2p); i++) {
        if (json_array_append_new(slots, json_integer(hypha_p2p_slot_channel(p2p, i))) != 0) {
            json_decref(slots);
            slots = NULL;
        }
    }
    return slots;
}

static void rpc_get_info(struct hy_rpc_call *call, const json_t *params, void *user)
{
    struct hypha_p2p *p2p = user;
    struct channel_list list = { .array = json_array() };
    json_t *result = NULL;

    (void)params;
    if (list.array != NULL)
        hypha_p2p_each_channel(p2p, add_channel, &list);
    if (list.array != NULL && !list.failed) /* takes both, also when it fails */
        result = json_pack("{s:o, s:o}", "channels", list.array, "outbound_slots", slots_of(p2p));
    else
        json_decref(list.array);
    hy_rpc_call_result(call, result);
}

enum hypha_err hy_daemon_add_get_info(struct hy_daemon *daemon, struct hypha_p2p *p2p)
{
    return hy_rpc_server_add(hy_daemon_rpc(daemon), "p2p.get_info", rpc_get_info, p2p);
}
