/* rpc_client_test.c - our client against our server: all transports, and what goes wrong. */
#include "rpc/client.h"

#include "base/alloc.h"
#include "rpc/server.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
/* cmocka wants the above first */
#include <cmocka.h>

static struct hypha_loop *loop;
static struct hy_rpc_server *server;
static char folder[64];
static enum hypha_err last_err;
static int last_code, replies;
static char last_text[64];

static void rpc_echo(struct hy_rpc_call *call, const json_t *params, void *user)
{
    (void)user;
    hy_rpc_call_result(call, json_deep_copy(params));
}

static void rpc_never(struct hy_rpc_call *call, const json_t *params, void *user)
{
    (void)call;
    (void)params;
    (void)user;
}

static void on_listening(void *user, enum hypha_err err)
{
    (void)user;
    assert_int_equal(err, HYPHA_OK);
    hypha_loop_stop(loop);
}

static void on_reply(void *user, const struct hy_rpc_reply *reply)
{
    size_t *waiting = user;

    replies++;
    last_err = reply->err;
    last_code = reply->code;
    const char *text = json_string_value(json_array_get(reply->result, 0));
    (void)snprintf(last_text, sizeof last_text, "%s", text != NULL ? text : "");
    if (--*waiting == 0)
        hypha_loop_stop(loop);
}

static void start(const char *url)
{
    struct hy_log silent = { 0 };
    char why[256];

    replies = 0;
    assert_int_equal(hypha_loop_create(&loop), HYPHA_OK);
    assert_int_equal(hy_rpc_server_create(loop, &silent, NULL, &server), HYPHA_OK);
    assert_int_equal(hy_rpc_server_add(server, "echo", rpc_echo, NULL), HYPHA_OK);
    assert_int_equal(hy_rpc_server_add(server, "never", rpc_never, NULL), HYPHA_OK);
    assert_int_equal(hy_rpc_server_listen(server, url, on_listening, NULL, why), HYPHA_OK);
    assert_int_equal(hypha_loop_run(loop), HYPHA_OK);
}

static void end(void)
{
    hy_rpc_server_destroy(server);
    assert_int_equal(hypha_loop_run(loop), HYPHA_OK);
    hypha_loop_destroy(loop);
}

static void ask(struct hy_rpc_client *client, const char *method, uint32_t timeout_ms)
{
    size_t waiting = 1;

    assert_int_equal(hy_rpc_client_call(client, method, json_pack("[s]", "h\xc3\xa9"), timeout_ms,
                         on_reply, &waiting),
        HYPHA_OK);
    assert_int_equal(waiting, 1); /* never from inside */
    assert_int_equal(hypha_loop_run(loop), HYPHA_OK);
    assert_int_equal(waiting, 0);
}

static void converse(const char *listen_url)
{
    struct hy_rpc_client *client;
    char why[256];

    start(listen_url);
    assert_int_equal(hy_rpc_client_create(loop, hy_rpc_server_url(server), &client, why), HYPHA_OK);
    ask(client, "echo", 0);
    assert_int_equal(last_err, HYPHA_OK);
    assert_string_equal(last_text, "h\xc3\xa9");
    ask(client, "nope", 0);
    assert_int_equal(last_err, HYPHA_OK);
    assert_int_equal(last_code, HY_RPC_METHOD_NOT_FOUND);
    assert_true(hy_rpc_client_is_open(client));
    hy_rpc_client_destroy(client);
    end();
}

static void test_transports(void **state)
{
    char url[128];

    (void)state;
    (void)snprintf(url, sizeof url, "unix://%s/rpc.sock", folder);
    converse("tcp://127.0.0.1:0");
    converse("tcp+tls://127.0.0.1:0");
    converse(url);
}

static void test_timeout_and_loss(void **state)
{
    struct hy_rpc_client *client;
    size_t waiting = 2;
    char why[256];

    (void)state;
    start("tcp://127.0.0.1:0");
    assert_int_equal(hy_rpc_client_create(loop, hy_rpc_server_url(server), &client, why), HYPHA_OK);
    ask(client, "never", 20);
    assert_int_equal(last_err, HYPHA_ERR_TIMEOUT);
    for (int i = 0; i < 2; i++)
        assert_int_equal(
            hy_rpc_client_call(client, "never", NULL, 0, on_reply, &waiting), HYPHA_OK);
    hy_rpc_server_stop(server);
    assert_int_equal(hypha_loop_run(loop), HYPHA_OK);
    assert_int_equal(replies, 3); /* each told once */
    assert_int_not_equal(last_err, HYPHA_OK);
    assert_false(hy_rpc_client_is_open(client));
    ask(client, "echo", 0); /* and those that come too late */
    assert_int_not_equal(last_err, HYPHA_OK);
    hy_rpc_client_destroy(client);
    end();
}

static void test_nobody_there(void **state)
{
    struct hy_rpc_client *client;
    char url[128], why[256];

    (void)state;
    start("tcp://127.0.0.1:0");
    (void)snprintf(url, sizeof url, "%s", hy_rpc_server_url(server));
    hy_rpc_server_stop(server);
    assert_int_equal(hy_rpc_client_create(loop, url, &client, why), HYPHA_OK);
    ask(client, "echo", 0);
    assert_int_equal(last_err, HYPHA_ERR_REFUSED);
    hy_rpc_client_destroy(client);
    (void)snprintf(url, sizeof url, "unix:%s/none.sock", folder);
    assert_int_equal(hy_rpc_client_create(loop, url, &client, why), HYPHA_OK);
    ask(client, "echo", 0);
    assert_int_equal(last_err, HYPHA_ERR_REFUSED);
    hy_rpc_client_destroy(client);
    assert_int_equal(hy_rpc_client_create(loop, "no port", &client, why), HYPHA_ERR_URL);
    end();
}

static void on_guard(void *user)
{
    *(bool *)user = true;
    hypha_loop_stop(loop);
}

/* One whole conversation with the nth allocation failing on: it ends in a reply or an error
 * that is told, never in silence. */
static void converse_without_memory(size_t n, bool *ret_done)
{
    struct hy_rpc_client *client = NULL;
    struct hy_timer guard;
    bool late = false;
    size_t waiting = 1;
    char why[256];

    start("tcp://127.0.0.1:0");
    hy_timer_init(&guard, loop, on_guard, &late);
    hy_timer_start(&guard, 20000);
    hy_alloc_fail_after(n);
    enum hypha_err err = hy_rpc_client_create(loop, hy_rpc_server_url(server), &client, why);
    if (err == HYPHA_OK) {
        err = hy_rpc_client_call(client, "echo", json_pack("[s]", "text"), 0, on_reply, &waiting);
        if (err == HYPHA_OK)
            assert_int_equal(hypha_loop_run(loop), HYPHA_OK);
    }
    *ret_done = err == HYPHA_OK && last_err == HYPHA_OK && last_code == HY_RPC_OK &&
        strcmp(last_text, "text") == 0 && hy_alloc_count() <= n;
    hy_alloc_fail_after(SIZE_MAX);
    assert_false(late);
    hy_timer_stop(&guard);
    hy_rpc_client_destroy(client);
    end();
}

static void test_no_memory(void **state)
{
    bool done = false;

    (void)state;
    for (size_t n = 0; !done; n++) {
        assert_true(n < 500);
        converse_without_memory(n, &done);
    }
}

static int set_up(void **state)
{
    (void)state;
    strcpy(folder, "/tmp/hypha-rpc-XXXXXX");
    return mkdtemp(folder) != NULL ? 0 : -1;
}

static int tear_down(void **state)
{
    (void)state;
    return rmdir(folder);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_transports),
        cmocka_unit_test(test_timeout_and_loss),
        cmocka_unit_test(test_nobody_there),
        cmocka_unit_test(test_no_memory),
    };
    return cmocka_run_group_tests(tests, set_up, tear_down);
}
