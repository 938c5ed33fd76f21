/* view_source.c - the questions to one node, in their order, and what its answers mean. */
#include "view/view_source.h"
#include "base/alloc.h"
#include "rpc/client.h"
#include "rpc/endpoint.h"

#include <stdio.h>
#include <string.h>

#define RETRY_MIN_MS   1000U
#define RETRY_MAX_MS   30000U
#define JITTER_PERCENT 20U
#define TICK_MS        1000U
#define SLOW_TICKS     10U /* hosts.list, net.bans */
#define INFO_TICKS     5U  /* p2p.get_info of a node without net.stats */
#define PAGE_HOSTS     500
#define MAX_PAGES      200U
#define LEAVE_MS       500U

enum source_state { SOURCE_WAITING, SOURCE_ASKING, SOURCE_LIVE };

/* What is asked; in the order of the first round of a NORMAL node. */
enum ask_kind { ASK_INFO, ASK_SPAWNS, ASK_SWITCH, ASK_WHY, ASK_STATS, ASK_HOSTS, ASK_BANS, ASKS };

struct ask {
    struct view_source *source;
    enum ask_kind kind;
    bool pending;
    bool absent; /* the node does not know the method */
};

struct view_source {
    struct hypha_loop *loop;
    struct view_model *model;
    struct view_node *node;
    char *endpoint;
    char *token; /* NULL: none */
    enum source_state state;
    struct hy_rpc_client *rpc; /* NULL: WAITING */
    struct hy_timer retry;
    struct hy_timer tick;
    uint64_t retry_ms;
    uint64_t ticks;
    struct ask asks[ASKS];
    json_int_t host_offset; /* of the page asked for */
    unsigned host_pages;
    bool only_basic; /* the node refused params: subscribe as the reference's viewer does */
    bool has_info;   /* p2p.get_info was answered */
    bool switched;   /* dnet is on by us */
    bool once;
    bool settled;
    bool leaving, left;
    bool switching_off;
    char error[256]; /* why it was last lost; "" */
};

static void ask(struct view_source *source, enum ask_kind kind);
static void source_begin(struct view_source *source);

static uint64_t now_ns(const struct view_source *source)
{
    return hy_wall_ns(source->loop);
}

/* ---- the end of a connection, and the next ---- */

static void source_drop(struct view_source *source)
{
    hy_rpc_client_destroy(source->rpc);
    source->rpc = NULL;
    hy_timer_stop(&source->tick);
    for (size_t i = 0; i < ASKS; i++)
        source->asks[i].pending = source->asks[i].absent = false;
    source->only_basic = source->has_info = source->switched = false;
    source->left = true; /* nothing is left to be said goodbye to */
}

static void source_lost(struct view_source *source, const char *why)
{
    source_drop(source);
    source->state = SOURCE_WAITING;
    source->settled = true;
    (void)snprintf(source->error, sizeof source->error, "%s", why);
    view_node_set_link(source->model, source->node, VIEW_OFFLINE, source->error, now_ns(source));
    if (source->leaving || source->once)
        return;
    hy_timer_start(
        &source->retry, hy_random_jitter(source->loop, source->retry_ms, JITTER_PERCENT));
    source->retry_ms = source->retry_ms * 2 < RETRY_MAX_MS ? source->retry_ms * 2 : RETRY_MAX_MS;
}

static void on_retry(void *user)
{
    source_begin(user);
}

static void source_online(struct view_source *source, const char *error)
{
    source->error[0] = '\0';
    if (source->node->link != VIEW_ONLINE || error[0] != '\0')
        view_node_set_link(source->model, source->node, VIEW_ONLINE, error, now_ns(source));
}

/* The first round is over. */
static void source_live(struct view_source *source)
{
    source->settled = true;
    source->state = SOURCE_LIVE;
    source->retry_ms = RETRY_MIN_MS;
    if (!source->once && !source->leaving)
        hy_timer_start(&source->tick, TICK_MS);
}

/* ---- events ---- */

static void subscribe(struct view_source *source);

static void on_event(
    void *user, enum hypha_err err, const json_t *params, int code, const char *message)
{
    struct view_source *source = user;

    if (err == HYPHA_ERR_REFUSED && code != 0 && source->leaving)
        return;
    if (err == HYPHA_ERR_REFUSED && code == HY_RPC_INVALID_PARAMS && !source->only_basic) {
        source->only_basic = true;
        subscribe(source);
    } else if (err == HYPHA_ERR_REFUSED && code != 0) {
        char why[256];

        (void)snprintf(why, sizeof why, "no events: %.200s", message != NULL ? message : "refused");
        source_online(source, why);
    } else if (err != HYPHA_OK) {
        source_lost(source, hypha_err_text(err));
    } else {
        for (size_t i = 0; i < json_array_size(params); i++)
            view_node_apply_event(
                source->model, source->node, json_array_get(params, i), now_ns(source));
    }
}

static void subscribe(struct view_source *source)
{
    json_t *params = source->only_basic ? json_array()
                                        : json_pack("[{s:b, s:b}]", "all", 1, "lag", 1);

    if (params == NULL ||
        hy_rpc_client_subscribe(source->rpc, "dnet.subscribe_events", params, on_event, source) !=
            HYPHA_OK)
        source_lost(source, hypha_err_text(HYPHA_ERR_NOMEM));
}

/* ---- what answers mean ---- */

/* After `kind` in the first round comes what the node is not known to lack. */
static void ask_next(struct view_source *source, enum ask_kind kind)
{
    if (source->state != SOURCE_ASKING || source->leaving)
        return;
    for (int next = (int)kind + 1; next < ASKS; next++) {
        bool is_for_all = next != ASK_SPAWNS && (next != ASK_SWITCH || !source->once);

        if (is_for_all && !source->asks[next].absent) {
            ask(source, (enum ask_kind)next);
            return;
        }
    }
    source_live(source);
}

static void take_info(struct view_source *source, const struct hy_rpc_reply *reply)
{
    const json_t *result = reply->result;

    source->has_info = json_is_array(json_object_get(result, "channels"));
    if (source->has_info) {
        source_online(source, "");
        view_node_apply_info(source->model, source->node, result, now_ns(source));
    }
    if (source->state != SOURCE_ASKING)
        return;
    if (source->node->kind_is_open) {
        ask(source, ASK_SPAWNS);
        return;
    }
    if (!source->has_info) { /* disabled, perhaps: events may come nevertheless */
        char why[256];

        (void)snprintf(why, sizeof why, "p2p.get_info: %.200s",
            reply->message != NULL ? reply->message : "an answer that makes no sense");
        source_online(source, why);
    }
    ask_next(source, ASK_INFO);
}

static void take_spawns(struct view_source *source, const struct hy_rpc_reply *reply)
{
    bool ok = json_is_array(json_object_get(reply->result, "spawns"));

    if (ok && source->node->kind_is_open)
        view_node_set_kind(source->model, source->node, VIEW_LILITH);
    if (ok) {
        source_online(source, "");
        view_node_apply_spawns(source->model, source->node, reply->result);
        if (source->state == SOURCE_ASKING)
            source_live(source);
    } else if (source->node->kind_is_open && source->has_info) {
        view_node_set_kind(source->model, source->node, VIEW_NORMAL);
        ask_next(source, ASK_INFO);
    } else if (source->node->kind_is_open) {
        source_lost(source, "it answers neither p2p.get_info nor spawns");
    } else {
        source_lost(source, "it does not answer spawns: not a seed daemon?");
    }
}

static void take_switch(struct view_source *source, const struct hy_rpc_reply *reply)
{
    if (source->leaving && !source->switching_off) { /* it had just been switched on */
        source->switching_off = true;
        ask(source, ASK_SWITCH);
        return;
    }
    if (source->leaving) {
        source->left = true;
        return;
    }
    if (reply->result != NULL) {
        source->switched = true;
        subscribe(source);
    } else {
        char why[256];

        (void)snprintf(why, sizeof why, "no events: dnet.switch: %.200s",
            reply->message != NULL ? reply->message : "refused");
        source_online(source, why);
    }
    if (source->rpc != NULL)
        ask_next(source, ASK_SWITCH);
}

static void take_hosts(struct view_source *source, const struct hy_rpc_reply *reply)
{
    const json_t *next = json_object_get(reply->result, "next");
    bool last = !json_is_integer(next) || json_integer_value(next) <= source->host_offset ||
        source->host_pages >= MAX_PAGES;

    view_node_apply_hosts(
        source->model, source->node, reply->result, source->host_pages == 1, last);
    if (last) {
        source->host_pages = 0;
        ask_next(source, ASK_HOSTS);
    } else {
        source->host_offset = json_integer_value(next);
        ask(source, ASK_HOSTS);
    }
}

static void on_reply(void *user, const struct hy_rpc_reply *reply)
{
    struct ask *asked = user;
    struct view_source *source = asked->source;

    asked->pending = false;
    if (reply->err != HYPHA_OK) {
        source_lost(source, hypha_err_text(reply->err));
        return;
    }
    asked->absent = reply->result == NULL && reply->code == HY_RPC_METHOD_NOT_FOUND;
    switch (asked->kind) {
    case ASK_INFO:
        take_info(source, reply);
        return;
    case ASK_SPAWNS:
        take_spawns(source, reply);
        return;
    case ASK_SWITCH:
        take_switch(source, reply);
        return;
    case ASK_WHY:
        view_node_apply_why(source->model, source->node, reply->result, now_ns(source));
        break;
    case ASK_STATS:
        view_node_apply_stats(source->model, source->node, reply->result, now_ns(source));
        break;
    case ASK_HOSTS:
        take_hosts(source, reply);
        return;
    case ASK_BANS:
        view_node_apply_bans(source->model, source->node, reply->result);
        break;
    case ASKS:
        break;
    }
    ask_next(source, asked->kind);
}

/* ---- asking ---- */

static const char *const methods[ASKS] = {
    [ASK_INFO] = "p2p.get_info",
    [ASK_SPAWNS] = "spawns",
    [ASK_SWITCH] = "dnet.switch",
    [ASK_WHY] = "net.why",
    [ASK_STATS] = "net.stats",
    [ASK_HOSTS] = "hosts.list",
    [ASK_BANS] = "net.bans",
};

static json_t *params_of(struct view_source *source, enum ask_kind kind)
{
    if (kind == ASK_SWITCH)
        return json_pack("[b]", !source->switching_off);
    if (kind != ASK_HOSTS)
        return json_array();
    if (source->host_pages++ == 0)
        source->host_offset = 0;
    return json_pack("[{s:I, s:i}]", "offset", source->host_offset, "limit", PAGE_HOSTS);
}

static void ask(struct view_source *source, enum ask_kind kind)
{
    struct ask *asked = &source->asks[kind];

    if (asked->pending || asked->absent)
        return;
    json_t *params = params_of(source, kind);
    if (params == NULL ||
        hy_rpc_client_call(source->rpc, methods[kind], params, source->leaving ? LEAVE_MS : 0,
            on_reply, asked) != HYPHA_OK) {
        source_lost(source, hypha_err_text(HYPHA_ERR_NOMEM));
        return;
    }
    asked->pending = true;
}

/* A channel of which only messages were seen. */
static bool has_unlisted(const struct view_node *node)
{
    const struct view_channel *channel;

    TAILQ_FOREACH (channel, &node->channels, entry)
        if (!channel->closed && !channel->listed)
            return true;
    return false;
}

static void on_tick(void *user)
{
    struct view_source *source = user;
    enum ask_kind wanted[ASKS];
    size_t count = 0;

    source->ticks++;
    hy_timer_start(&source->tick, TICK_MS);
    view_node_tidy(source->model, source->node, now_ns(source));
    if (source->node->kind == VIEW_LILITH) {
        wanted[count++] = ASK_SPAWNS;
    } else {
        wanted[count++] = ASK_WHY;
        wanted[count++] = ASK_STATS;
        if (source->asks[ASK_STATS].absent &&
            (source->ticks % INFO_TICKS == 0 ||
                (source->ticks % 2 == 0 && has_unlisted(source->node))))
            wanted[count++] = ASK_INFO;
        if (source->ticks % SLOW_TICKS == 0) {
            wanted[count++] = ASK_HOSTS;
            wanted[count++] = ASK_BANS;
        }
    }
    for (size_t i = 0; i < count && source->rpc != NULL; i++)
        ask(source, wanted[i]);
}

static void source_begin(struct view_source *source)
{
    char why[256];

    source->state = SOURCE_ASKING;
    source->host_pages = 0;
    view_node_set_link(source->model, source->node, VIEW_CONNECTING, source->error, now_ns(source));
    if (hy_rpc_client_create(source->loop, source->endpoint, &source->rpc, why) != HYPHA_OK) {
        source_lost(source, why);
        return;
    }
    source->left = false;
    if (source->token != NULL && hy_rpc_client_set_token(source->rpc, source->token) != HYPHA_OK)
        source_lost(source, hypha_err_text(HYPHA_ERR_NOMEM));
    else
        ask(source,
            source->node->kind == VIEW_LILITH && !source->node->kind_is_open ? ASK_SPAWNS
                                                                             : ASK_INFO);
}

/* ---- for the programs ---- */

enum hypha_err view_source_create(struct hypha_loop *loop, struct view_model *model,
    struct view_node *node, const char *endpoint, const char *token,
    struct view_source **ret_source, char why[256])
{
    struct hy_rpc_endpoint parsed;
    struct view_source *source = NULL;
    enum hypha_err err = hy_rpc_endpoint_dial(endpoint, &parsed, why);

    if (err != HYPHA_OK)
        return err == HYPHA_ERR_NOMEM ? err : HYPHA_ERR_INVALID;
    hy_rpc_endpoint_fini(&parsed);
    err = HYPHA_ERR_NOMEM;
    source = hy_alloc(sizeof *source);
    if (source == NULL)
        goto fail;
    *source = (struct view_source){
        .loop = loop,
        .model = model,
        .node = node,
        .retry_ms = RETRY_MIN_MS,
        .left = true,
    };
    for (int i = 0; i < ASKS; i++)
        source->asks[i] = (struct ask){ .source = source, .kind = (enum ask_kind)i };
    hy_timer_init(&source->retry, loop, on_retry, source);
    hy_timer_init(&source->tick, loop, on_tick, source);
    source->endpoint = hy_strdup(endpoint);
    source->token = token != NULL ? hy_strdup(token) : NULL;
    if (source->endpoint == NULL || (token != NULL && source->token == NULL))
        goto fail;
    view_node_set_endpoint(node, endpoint);
    hy_timer_start(&source->retry, 0);
    *ret_source = source;
    return HYPHA_OK;
fail:
    (void)snprintf(why, 256, "%s", hypha_err_text(err));
    view_source_destroy(source);
    return err;
}

void view_source_set_once(struct view_source *source)
{
    source->once = true;
}

void view_source_destroy(struct view_source *source)
{
    if (source == NULL)
        return;
    hy_timer_stop(&source->retry);
    source_drop(source);
    hy_free(source->endpoint);
    hy_free(source->token);
    hy_free(source);
}

bool view_source_is_settled(const struct view_source *source)
{
    return source->settled;
}

bool view_source_leave(struct view_source *source)
{
    hy_timer_stop(&source->retry);
    hy_timer_stop(&source->tick);
    source->leaving = true;
    if (source->rpc != NULL && source->asks[ASK_SWITCH].pending)
        return true;
    if (!source->switched || source->node->is_hypha || source->rpc == NULL) {
        source->left = true;
        return false;
    }
    source->switching_off = true;
    ask(source, ASK_SWITCH);
    return !source->left;
}

bool view_source_has_left(const struct view_source *source)
{
    return source->left;
}
