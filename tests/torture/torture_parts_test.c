/* torture_parts_test.c - a node on a loop of its own, two nodes over TLS and loopback, an RPC
 * server with a client, while memory runs out. */
#include "p2p/p2p.h"
#include "rpc/client.h"
#include "rpc/server.h"
#include "scenario/chat.h"
#include "torture/torture.h"

#include <stdio.h>
#include <string.h>

#define PATIENCE_MS 20000 /* a life that lasts so long hangs */
#define SHORT_MS    30    /* with memory gone there is little to wait for */

static void ok_or_nomem(enum hypha_err err)
{
    if (err != HYPHA_OK)
        assert_string_equal(hypha_err_name(err), "NOMEM");
}

static enum hypha_err make_settings(const char *inbound, struct hypha_settings **ret_settings)
{
    struct hypha_settings *settings = NULL;
    enum hypha_err err = hypha_settings_create(&settings);

    if (err != HYPHA_OK)
        return err;
    err = hypha_settings_set_text(settings, HYPHA_KEY_APP_NAME, "torture");
    if (err == HYPHA_OK)
        err = hypha_settings_set_text(settings, HYPHA_KEY_APP_VERSION, "1.2.3");
    if (err == HYPHA_OK)
        err = hypha_settings_set_flag(settings, HYPHA_KEY_LOCALNET, true);
    if (err == HYPHA_OK)
        err = hypha_settings_add_profile(settings, "tcp+tls");
    if (err == HYPHA_OK)
        err = hypha_settings_add_active_profile(settings, "tcp+tls");
    if (err == HYPHA_OK)
        err = hypha_settings_set_timeout(settings, "tcp+tls", HYPHA_TIMEOUT_CONNECT, 50);
    if (err == HYPHA_OK)
        err = hypha_settings_add_url(settings, NULL, HYPHA_LIST_INBOUND, inbound);
    if (err != HYPHA_OK) {
        hypha_settings_destroy(settings);
        return err;
    }
    *ret_settings = settings;
    return HYPHA_OK;
}

/* `peer` NULL: none; `loop` NULL: one of its own. */
static enum hypha_err make_node(
    struct hypha_loop *loop, const char *peer, struct chat *chat, struct hypha_p2p **ret_p2p)
{
    struct hypha_settings *settings = NULL;
    struct hypha_p2p *p2p = NULL;
    enum hypha_err err = make_settings("tcp+tls://127.0.0.1:0", &settings);

    if (err == HYPHA_OK && peer != NULL)
        err = hypha_settings_add_url(settings, NULL, HYPHA_LIST_PEERS, peer);
    if (err == HYPHA_OK)
        err = hypha_p2p_create(loop, settings, &p2p);
    hypha_settings_destroy(settings);
    if (err == HYPHA_OK)
        err = hypha_p2p_register(p2p, &chat_protocol, chat);
    if (err != HYPHA_OK) {
        hypha_p2p_destroy(p2p);
        return err;
    }
    *ret_p2p = p2p;
    return HYPHA_OK;
}

/* ---- create, register, destroy ---- */

static size_t live_unborn(enum torture_mode mode, size_t count)
{
    struct hypha_p2p *p2p = NULL;
    struct chat chat = { 0 };

    torture_begin(mode, count);
    enum hypha_err err = make_node(NULL, "tcp+tls://127.0.0.1:9", &chat, &p2p);
    ok_or_nomem(err);
    assert_int_equal(err == HYPHA_OK, p2p != NULL);
    assert_true(count != SIZE_MAX || p2p != NULL);
    hypha_p2p_destroy(p2p);
    return torture_end();
}

static void a_node_is_made_or_not(void **state)
{
    (void)state;
    torture(live_unborn, TORTURE_AFTER, 5000);
    torture(live_unborn, TORTURE_ONCE, 5000);
}

/* ---- two nodes over TLS ---- */

struct pair {
    struct hypha_loop *loop;
    struct hypha_p2p *host, *guest;
    struct chat host_chat, guest_chat;
    struct hy_timer patience, again, brief;
    unsigned starts, stops;
    bool over, late, recovers;
};

static void pair_end(struct pair *pair)
{
    pair->over = true;
    hy_timer_stop(&pair->patience);
    hy_timer_stop(&pair->again);
    hy_timer_stop(&pair->brief);
    if (pair->guest != NULL)
        hypha_p2p_stop(pair->guest);
    if (pair->host != NULL)
        hypha_p2p_stop(pair->host);
}

static void on_late(void *user)
{
    struct pair *pair = user;

    pair->late = true;
    pair_end(pair);
}

static void on_brief(void *user)
{
    pair_end(user);
}

static void on_stopped(struct hypha_p2p *p2p, enum hypha_err why, void *user)
{
    struct pair *pair = user;

    ok_or_nomem(why);
    assert_int_equal(hy_p2p_leftovers(p2p), 0);
    pair->stops++;
}

static bool pair_start(struct pair *pair, struct hypha_p2p *p2p)
{
    if (p2p == NULL || hy_p2p_state(p2p) != HY_P2P_STOPPED)
        return p2p != NULL;
    enum hypha_err err = hypha_p2p_start(p2p, NULL, on_stopped, pair);
    ok_or_nomem(err);
    pair->starts += err == HYPHA_OK;
    return err == HYPHA_OK;
}

/* Whatever isn't there is made, and whoever has a peer talks, until both were heard. */
static void on_again(void *user)
{
    struct pair *pair = user;

    if (pair->host == NULL)
        ok_or_nomem(make_node(pair->loop, NULL, &pair->host_chat, &pair->host));
    (void)pair_start(pair, pair->host);
    const struct hypha_url *url = pair->host != NULL ? hypha_p2p_listen_addr(pair->host, 0) : NULL;
    if (pair->guest == NULL && url != NULL)
        ok_or_nomem(make_node(pair->loop, hypha_url_text(url), &pair->guest_chat, &pair->guest));
    if (pair_start(pair, pair->guest)) {
        (void)chat_say(pair->host, "hello");
        (void)chat_say(pair->guest, "hello");
    }
    if (pair->host_chat.heard > 0 && pair->guest_chat.heard > 0)
        pair_end(pair);
    else
        hy_timer_start(&pair->again, 1);
}

static size_t live_pair(enum torture_mode mode, size_t count)
{
    struct pair pair = { 0 };

    assert_int_equal(hypha_loop_create(&pair.loop), HYPHA_OK);
    hy_timer_init(&pair.patience, pair.loop, on_late, &pair);
    hy_timer_init(&pair.again, pair.loop, on_again, &pair);
    hy_timer_init(&pair.brief, pair.loop, on_brief, &pair);
    hy_timer_start(&pair.patience, PATIENCE_MS);
    hy_timer_start(&pair.again, 0);
    if (mode == TORTURE_AFTER && count != SIZE_MAX)
        hy_timer_start(&pair.brief, SHORT_MS);
    torture_begin(mode, count);
    assert_int_equal(hypha_loop_run(pair.loop), HYPHA_OK);
    size_t requests = torture_end();
    assert_false(pair.late);
    assert_true(pair.over);
    assert_int_equal(pair.starts, pair.stops);
    assert_true(mode == TORTURE_AFTER || (pair.host_chat.heard > 0 && pair.guest_chat.heard > 0));
    hypha_p2p_destroy(pair.guest);
    hypha_p2p_destroy(pair.host);
    hypha_loop_destroy(pair.loop);
    return requests;
}

static void two_nodes_over_tls(void **state)
{
    (void)state;
    torture(live_pair, TORTURE_AFTER, 1500);
    torture(live_pair, TORTURE_ONCE, 1500);
}

/* ---- JSON-RPC ---- */

struct service {
    struct hypha_loop *loop;
    struct hy_rpc_server *server;
    struct hy_rpc_client *client;
    struct hy_timer patience;
    unsigned asked, told, answered;
    bool late;
};

static void service_end(struct service *service)
{
    hy_timer_stop(&service->patience);
    hy_rpc_client_destroy(service->client);
    service->client = NULL;
    hy_rpc_server_stop(service->server);
}

static void on_service_late(void *user)
{
    struct service *service = user;

    service->late = true;
    service_end(service);
}

static void rpc_echo(struct hy_rpc_call *call, const json_t *params, void *user)
{
    (void)user;
    hy_rpc_call_result(call, params != NULL ? json_deep_copy(params) : json_array());
}

static void on_reply(void *user, const struct hy_rpc_reply *reply)
{
    struct service *service = user;

    service->told++;
    service->answered += reply->err == HYPHA_OK && reply->result != NULL;
    if (service->told == service->asked)
        service_end(service);
}

static void on_listening(void *user, enum hypha_err err)
{
    struct service *service = user;
    char why[256] = "";

    ok_or_nomem(err);
    if (err == HYPHA_OK) {
        err = hy_rpc_client_create(
            service->loop, hy_rpc_server_url(service->server), &service->client, why);
        ok_or_nomem(err);
    }
    for (unsigned i = 0; err == HYPHA_OK && i < 3; i++) {
        err = hy_rpc_client_call(service->client, i < 2 ? "echo" : "none",
            json_pack("[s]", "some text"), 0, on_reply, service);
        ok_or_nomem(err);
        service->asked += err == HYPHA_OK;
    }
    if (service->asked == 0)
        service_end(service);
}

static const char *service_url;

static size_t live_service(enum torture_mode mode, size_t count)
{
    struct service service = { 0 };
    struct hy_log silent = { 0 };
    char why[256] = "";

    assert_int_equal(hypha_loop_create(&service.loop), HYPHA_OK);
    hy_timer_init(&service.patience, service.loop, on_service_late, &service);
    hy_timer_start(&service.patience, PATIENCE_MS);
    torture_begin(mode, count);
    enum hypha_err err = hy_rpc_server_create(service.loop, &silent, NULL, &service.server);
    if (err == HYPHA_OK)
        err = hy_rpc_server_add(service.server, "echo", rpc_echo, NULL);
    if (err == HYPHA_OK)
        err = hy_rpc_server_listen(service.server, service_url, on_listening, &service, why);
    ok_or_nomem(err);
    if (err == HYPHA_OK)
        assert_int_equal(hypha_loop_run(service.loop), HYPHA_OK);
    assert_false(service.late);
    assert_int_equal(service.told, service.asked);
    assert_true(count != SIZE_MAX || service.answered == 2);
    hy_timer_stop(&service.patience);
    hy_rpc_server_destroy(service.server);
    size_t requests = torture_end();
    hypha_loop_destroy(service.loop);
    return requests;
}

static void rpc_over(const char *url)
{
    service_url = url;
    torture(live_service, TORTURE_AFTER, 1500);
    torture(live_service, TORTURE_ONCE, 1500);
}

static void rpc_over_tcp(void **state)
{
    (void)state;
    rpc_over("tcp://127.0.0.1:0");
}

static void rpc_over_tls(void **state)
{
    (void)state;
    rpc_over("tcp+tls://127.0.0.1:0");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_node_is_made_or_not),
        cmocka_unit_test(two_nodes_over_tls),
        cmocka_unit_test(rpc_over_tcp),
        cmocka_unit_test(rpc_over_tls),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
