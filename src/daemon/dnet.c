/* dnet.c - who has switched events on, who listens, and what the node is asked for because of them.
 */
#include "daemon/dnet.h"
#include "base/alloc.h"
#include "daemon/daemon_internal.h"

#define METHOD "dnet.subscribe_events"

struct hy_dnet_client {
    uint64_t id;
    LIST_ENTRY(hy_dnet_client) entry;
};

struct hy_dnet_listener {
    struct hy_dnet *dnet;
    struct hy_rpc_subscription *subscription;
    bool all;
    LIST_ENTRY(hy_dnet_listener) entry;
};

/* ---- events ---- */

/* To all listeners of one kind, encoded once. */
static void tell(struct hy_dnet *dnet, const struct hypha_event *event, bool all)
{
    const struct hy_daemon *daemon = dnet->node->daemon;
    struct hy_dnet_listener *listener, *next;
    struct hy_rpc_notice *notice = NULL;
    json_t *object = hy_dnet_event_json(
        event, all, daemon->node_count > 1 ? dnet->node->name : NULL);
    json_t *params = object != NULL ? json_pack("[o]", object) : NULL;

    if (params != NULL)
        notice = hy_rpc_notice_create(METHOD, params);
    json_decref(params);
    if (notice == NULL)
        return; /* no memory: this event is lost, the node goes on */
    for (listener = LIST_FIRST(&dnet->listeners); listener != NULL; listener = next) {
        next = LIST_NEXT(listener, entry);
        if (listener->all == all)
            hy_rpc_subscription_notify(listener->subscription, notice);
    }
    hy_rpc_notice_unref(notice);
}

static void on_event(const struct hypha_event *event, void *user)
{
    struct hy_dnet *dnet = user;

    if (dnet->classic_count > 0 && hy_dnet_is_classic(event->type))
        tell(dnet, event, false);
    if (dnet->all_count > 0)
        tell(dnet, event, true);
}

/* ---- what the node is asked for ---- */

static uint64_t wanted(const struct hy_dnet *dnet)
{
    if (LIST_EMPTY(&dnet->switched) || LIST_EMPTY(&dnet->listeners))
        return 0;
    return dnet->all_count > 0 ? HYPHA_EVENTS_ALL : HYPHA_EVENTS_DNET;
}

/* Errors: NOMEM: the node is asked for nothing. */
static enum hypha_err update(struct hy_dnet *dnet)
{
    uint64_t mask = wanted(dnet);
    struct hypha_p2p *p2p = dnet->node->p2p;
    enum hypha_err err = HYPHA_OK;

    if (mask == dnet->mask)
        return HYPHA_OK;
    if (dnet->mask != 0)
        hypha_p2p_unsubscribe_events(p2p, on_event, dnet);
    dnet->mask = 0;
    if (mask != 0)
        err = hypha_p2p_subscribe_events_of(p2p, mask, on_event, dnet);
    if (err == HYPHA_OK)
        dnet->mask = mask;
    return err;
}

/* ---- dnet.switch ---- */

static struct hy_dnet_client *find_client(const struct hy_dnet *dnet, uint64_t id)
{
    struct hy_dnet_client *client;

    LIST_FOREACH (client, &dnet->switched, entry)
        if (client->id == id)
            return client;
    return NULL;
}

static void forget_client(struct hy_dnet_client *client)
{
    LIST_REMOVE(client, entry);
    hy_free(client);
}

static enum hypha_err switch_on(struct hy_dnet *dnet, uint64_t id)
{
    if (find_client(dnet, id) != NULL)
        return HYPHA_OK;
    struct hy_dnet_client *client = hy_alloc(sizeof *client);
    if (client == NULL)
        return HYPHA_ERR_NOMEM;
    client->id = id;
    LIST_INSERT_HEAD(&dnet->switched, client, entry);
    enum hypha_err err = update(dnet);
    if (err != HYPHA_OK)
        forget_client(client);
    return err;
}

void hy_dnet_client_gone(struct hy_dnet *dnet, uint64_t id)
{
    struct hy_dnet_client *client = find_client(dnet, id);

    if (client == NULL)
        return;
    forget_client(client);
    (void)update(dnet); /* fewer, or none: nothing is allocated for none */
}

static void rpc_switch(struct hy_args *args)
{
    struct hy_dnet *dnet = &args->node->dnet;
    uint64_t client = hy_rpc_call_client(args->call);
    enum hypha_err err = HYPHA_OK;
    bool on;

    if (!hy_args_bool(args, 0, "switch", &on))
        return;
    if (on)
        err = switch_on(dnet, client);
    else
        hy_dnet_client_gone(dnet, client);
    if (err == HYPHA_OK)
        hy_rpc_call_result(args->call, json_true());
    else
        hy_rpc_call_error(args->call, HY_RPC_INTERNAL_ERROR, NULL);
}

/* ---- dnet.subscribe_events ---- */

static void listener_forget(struct hy_dnet_listener *listener)
{
    struct hy_dnet *dnet = listener->dnet;

    LIST_REMOVE(listener, entry);
    --*(listener->all ? &dnet->all_count : &dnet->classic_count);
    hy_free(listener);
    (void)update(dnet);
}

static void on_unsubscribed(struct hy_rpc_subscription *subscription, void *user)
{
    (void)subscription;
    listener_forget(user);
}

static void rpc_subscribe(struct hy_args *args)
{
    struct hy_dnet *dnet = &args->node->dnet;
    bool all = false, lag = false;
    const json_t *options;

    if (!hy_args_options(args, 0, "all lag", &options) ||
        !hy_args_option_bool(args, options, "all", &all) ||
        !hy_args_option_bool(args, options, "lag", &lag))
        return;
    struct hy_dnet_listener *listener = hy_alloc(sizeof *listener);
    if (listener == NULL) {
        hy_rpc_call_error(args->call, HY_RPC_INTERNAL_ERROR, NULL);
        return;
    }
    listener->dnet = dnet;
    listener->all = all;
    enum hypha_err err = hy_rpc_call_subscribe(
        args->call, lag, on_unsubscribed, listener, &listener->subscription);
    if (err != HYPHA_OK) {
        hy_free(listener);
        hy_args_fail(args, err, err == HYPHA_ERR_LIMIT ? "subscriptions of one connection" : NULL);
        return;
    }
    LIST_INSERT_HEAD(&dnet->listeners, listener, entry);
    ++*(all ? &dnet->all_count : &dnet->classic_count);
    /* No answer can say so any more. */
    if (update(dnet) != HYPHA_OK)
        hy_daemon_say(args->daemon, HYPHA_LOG_WARN, "dnet",
            "Events cannot be subscribed to: there is no memory");
}

static const struct hy_method methods[] = {
    { "dnet.switch", rpc_switch, HY_ARGS_NODE, 1, "[BOOLEAN]" },
    { METHOD, rpc_subscribe, HY_ARGS_NODE, 1, "[] or [{\"all\", \"lag\"}]" },
};
const struct hy_method_table hy_methods_dnet = { methods, 2 };

/* ---- life ---- */

void hy_dnet_init(struct hy_dnet *dnet, struct hy_daemon_node *node)
{
    *dnet = (struct hy_dnet){ .node = node };
    LIST_INIT(&dnet->switched);
    LIST_INIT(&dnet->listeners);
}

void hy_dnet_fini(struct hy_dnet *dnet)
{
    while (!LIST_EMPTY(&dnet->listeners))
        listener_forget(LIST_FIRST(&dnet->listeners));
    while (!LIST_EMPTY(&dnet->switched))
        forget_client(LIST_FIRST(&dnet->switched));
    (void)update(dnet);
}
