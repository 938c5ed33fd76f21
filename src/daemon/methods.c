/* methods.c - replies that stay within one line, and the methods of the daemon itself. */
#include "daemon/methods.h"
#include "base/span.h"
#include "daemon/daemon_internal.h"
#include "daemon/reload.h"

#include <string.h>

/* ---- replies ---- */

size_t hy_json_size(const json_t *value)
{
    return json_dumpb(value, NULL, 0, JSON_COMPACT | JSON_ENCODE_ANY);
}

void hy_reply_list_init(struct hy_reply_list *list, size_t room)
{
    *list = (struct hy_reply_list){ .array = json_array(), .room = room };
    list->failed = list->array == NULL;
}

bool hy_reply_list_add(struct hy_reply_list *list, json_t *item)
{
    if (item == NULL)
        list->failed = true;
    if (list->failed || list->cut) {
        json_decref(item);
        return false;
    }
    size_t need = hy_json_size(item) + 1; /* and a comma */
    if (need > list->room) {
        list->cut = true;
        json_decref(item);
        return false;
    }
    list->room -= need;
    if (json_array_append_new(list->array, item) != 0)
        list->failed = true;
    return !list->failed;
}

bool hy_reply_put_list(json_t *object, const char *name, struct hy_reply_list *list)
{
    json_t *array = list->array;

    list->array = NULL;
    if (list->failed) {
        json_decref(array);
        return false;
    }
    return json_object_set_new(object, name, array) == 0;
}

json_t *hy_json_text(const char *text)
{
    return text != NULL ? json_string(text) : json_null();
}

void hy_json_make_text(char *text)
{
    if (hy_span_is_utf8(hy_span_of(text)))
        return;
    for (; *text != '\0'; text++)
        if ((unsigned char)*text >= 0x80)
            *text = '?';
}

json_t *hy_json_url(const struct hypha_url *url)
{
    return hy_json_text(url != NULL ? hypha_url_text(url) : NULL);
}

json_t *hy_json_number(uint64_t number)
{
    return json_integer(number <= INT64_MAX ? (json_int_t)number : INT64_MAX);
}

/* ---- the daemon's own methods ---- */

static void rpc_ping(struct hy_args *args)
{
    hy_rpc_call_result(args->call, json_string("pong"));
}

static void add_name(const char *name, void *names)
{
    (void)hy_reply_list_add(names, json_string(name));
}

static void rpc_discover(struct hy_args *args)
{
    const struct hy_daemon_program *program = args->daemon->program;
    json_t *result = json_pack(
        "{s:s, s:s}", "name", program->name, "version", program->app_version);
    struct hy_reply_list names;

    hy_reply_list_init(&names, HY_REPLY_BYTES - 1000);
    hy_rpc_server_each_method(args->daemon->rpc, add_name, &names);
    if (!hy_reply_put_list(result, "methods", &names)) {
        json_decref(result);
        result = NULL;
    }
    hy_rpc_call_result(args->call, result);
}

static void rpc_stop(struct hy_args *args)
{
    hy_rpc_call_result(args->call, json_true());
    hy_daemon_say(
        args->daemon, HYPHA_LOG_INFO, "daemon", "A client asked for the stop: shutting down");
    /* The answer leaves at the end of this turn, and the turn after it ends the connections. */
    hy_defer_start(&args->daemon->stop_later);
}

static void rpc_reload(struct hy_args *args)
{
    struct hy_reload reload;

    hy_daemon_reload(args->daemon, &reload);
    if (reload.err == HYPHA_OK)
        hy_rpc_call_result(args->call,
            json_pack("{s:O, s:O, s:O}", "applied", reload.applied, "restart", reload.restart,
                "warnings", reload.warnings));
    else if (reload.err == HYPHA_ERR_NOMEM)
        hy_rpc_call_error(args->call, HY_RPC_INTERNAL_ERROR, NULL);
    else
        hy_rpc_call_error(args->call, HY_RPC_SERVER_ERROR, reload.why);
    hy_reload_fini(&reload);
}

/* ---- p2p.get_info. spec: apps.md 2.5 ---- */

struct channels {
    struct hy_reply_list list;
    bool inbound; /* which are wanted now */
};

static void add_channel(struct hypha_channel *channel, void *user)
{
    struct channels *channels = user;
    enum hypha_session session = hypha_channel_session(channel);

    if ((session == HYPHA_SESSION_INBOUND) != channels->inbound)
        return;
    (void)hy_reply_list_add(&channels->list,
        json_pack("{s:s, s:s, s:I}", "url", hypha_url_text(hypha_channel_display_address(channel)),
            "session", hypha_session_name(session), "id", (json_int_t)hypha_channel_id(channel)));
}

/* Others' channels are cut last: there may be many who came, few whom we chose. */
static json_t *get_info(struct hypha_p2p *p2p)
{
    struct channels channels = { .inbound = false };
    struct hy_reply_list slots;
    json_t *info = json_object();

    hy_reply_list_init(&slots, HY_REPLY_BYTES / 4);
    for (size_t i = 0; i < hypha_p2p_slot_count(p2p); i++)
        (void)hy_reply_list_add(&slots, hy_json_number(hypha_p2p_slot_channel(p2p, i)));
    hy_reply_list_init(
        &channels.list, slots.room + HY_REPLY_BYTES * 3 / 4 - 2 * HY_REPLY_FRAME_BYTES);
    hypha_p2p_each_channel(p2p, add_channel, &channels);
    channels.inbound = true;
    hypha_p2p_each_channel(p2p, add_channel, &channels);
    bool cut = channels.list.cut || slots.cut;
    bool ok = hy_reply_put_list(info, "channels", &channels.list);
    ok = hy_reply_put_list(info, "outbound_slots", &slots) && ok;
    if (ok && cut)
        ok = json_object_set_new(info, "truncated", json_true()) == 0;
    if (ok)
        return info;
    json_decref(info);
    return NULL;
}

static void rpc_get_info(struct hy_args *args)
{
    hy_rpc_call_result(args->call, get_info(args->node->p2p));
}

/* ---- all of them ---- */

static const struct hy_method own_methods[] = {
    { "ping", rpc_ping, HY_ARGS_IGNORE, 0, "anything" },
    { "rpc.discover", rpc_discover, 0, 0, "[]" },
    { "daemon.stop", rpc_stop, 0, 0, "[]" },
    { "net.reload", rpc_reload, 0, 0, "[]" },
    { "p2p.get_info", rpc_get_info, HY_ARGS_NODE | HY_ARGS_IGNORE, 0, "[]" },
};
static const struct hy_method_table own_table = { own_methods,
    sizeof own_methods / sizeof own_methods[0] };

void hy_daemon_call(struct hy_rpc_call *call, const json_t *params, void *user)
{
    const struct hy_bound_method *bound = user;
    const struct hy_method *method = bound->method;
    struct hy_args args;

    if (hy_args_init(&args, bound->daemon, call, params, method->take, method->max, method->usage))
        method->run(&args);
}

static enum hypha_err add_table(struct hy_daemon *daemon, const struct hy_method_table *table)
{
    enum hypha_err err = HYPHA_OK;

    for (size_t i = 0; i < table->count && err == HYPHA_OK; i++) {
        if (daemon->method_count == HY_DAEMON_MAX_METHODS)
            return HYPHA_ERR_LIMIT;
        struct hy_bound_method *bound = &daemon->methods[daemon->method_count++];

        *bound = (struct hy_bound_method){ daemon, &table->methods[i] };
        err = hy_rpc_server_add(daemon->rpc, table->methods[i].name, hy_daemon_call, bound);
    }
    return err;
}

enum hypha_err hy_daemon_add_methods(struct hy_daemon *daemon)
{
    const struct hy_method_table *const tables[] = { &own_table, &hy_methods_net, &hy_methods_hosts,
        &hy_methods_stats, &hy_methods_dnet };
    enum hypha_err err = HYPHA_OK;

    for (size_t i = 0; i < sizeof tables / sizeof tables[0] && err == HYPHA_OK; i++)
        err = add_table(daemon, tables[i]);
    return err;
}
