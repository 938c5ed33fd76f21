/* rpc_token_test.c - the access token in line mode, and where it lets a server listen.
 * spec: apps.md 2.1 */
#include "rpc/server.h"

#include "fakes/rpc_fixture.h"
#include "rpc/client.h"
#include "rpc/endpoint.h"

#define TOKEN "0123456789abcdef"

#define REQUIRED(id) ERROR(id, -32001, "access token required")
#define WRONG(id)    ERROR(id, -32001, "wrong access token")

static void test_asked_for(void **state)
{
    struct raw raw;

    (void)state;
    start_server(NULL, TOKEN, "tcp://127.0.0.1:0");
    raw_open(&raw);
    raw_send(&raw,
        REQUEST(1, "echo", "[]") "\n" REQUEST(2, "nope", "[]") "\n" REQUEST(3, "watch", "[]") "\n");
    raw_expect(&raw, 3, REQUIRED(1) REQUIRED(2) REQUIRED(3));
    assert_int_equal(watcher_count, 0);
    raw_send(&raw,
        REQUEST(4, "rpc.auth", "[\"0123456789abcdeX\"]") "\n" REQUEST(
            5, "rpc.auth", "[\"" TOKEN "\"]") "\n" REQUEST(6, "echo", "[6]") "\n");
    raw_expect(&raw, 3, WRONG(4) RESULT(5, "true") RESULT(6, "[6]"));
    raw_close(&raw);
    stop_server();
}

/* Three are enough. */
static void test_guessing(void **state)
{
    struct raw raw;

    (void)state;
    start_server(NULL, TOKEN, "tcp://127.0.0.1:0");
    raw_open(&raw);
    raw_send(&raw,
        REQUEST(1, "rpc.auth", "[]") "\n" REQUEST(2, "rpc.auth", "{\"a\":1}") "\n" REQUEST(3,
            "rpc.auth", "[\"" TOKEN "\",1]") "\n" REQUEST(4, "rpc.auth", "[\"" TOKEN "\"]") "\n");
    raw_expect(&raw, 3, WRONG(1) WRONG(2) WRONG(3));
    raw_wait_end(&raw);
    assert_int_equal(raw.len, 0);
    raw_close(&raw);
    stop_server();
}

/* Who does not know it has nothing long to say. */
static void test_strangers_are_brief(void **state)
{
    static char text[6000];
    struct raw raw;

    (void)state;
    start_server(NULL, TOKEN, "tcp://127.0.0.1:0");
    memset(text, 'x', sizeof text - 1);
    raw_open(&raw);
    raw_send(&raw, text);
    raw_expect(&raw, 1, ERROR(null, -32600, "request too long"));
    raw_close(&raw);
    raw_open(&raw);
    raw_send(&raw, REQUEST(1, "rpc.auth", "[\"" TOKEN "\"]") "\n");
    raw_expect(&raw, 1, RESULT(1, "true"));
    raw_send(&raw, text);
    raw_send(&raw, "\n");
    raw_expect(&raw, 1, ERROR(null, -32700, "parse error"));
    raw_close(&raw);
    stop_server();
}

/* Nor may those who show no token hold all the places. */
static void test_strangers_make_room(void **state)
{
    const struct hy_rpc_limits limits = { .connections = 1, .stalled_ms = 1 };
    struct raw stranger, raw;

    (void)state;
    start_server(&limits, TOKEN, "tcp://127.0.0.1:0");
    raw_open(&stranger);
    raw_send(&stranger, REQUEST(1, "echo", "[]") "\n");
    raw_expect(&stranger, 1, REQUIRED(1));
    run_for(2);
    raw_open(&raw);
    raw_send(&raw, REQUEST(1, "rpc.auth", "[\"" TOKEN "\"]") "\n");
    raw_expect(&raw, 1, RESULT(1, "true"));
    raw_wait_end(&stranger);
    run_for(2);
    raw_close(&stranger);
    raw_open(&stranger); /* who has shown it stays */
    raw_expect(&stranger, 1, ERROR(0, -32000, "too many connections"));
    raw_close(&stranger);
    raw_close(&raw);
    stop_server();
}

static void test_tokens(void **state)
{
    (void)state;
    start_server(NULL, NULL, NULL);
    assert_int_equal(hy_rpc_server_set_token(server, ""), HYPHA_ERR_INVALID);
    assert_int_equal(hy_rpc_server_set_token(server, "0123456789abcde"), HYPHA_ERR_INVALID);
    assert_int_equal(hy_rpc_server_set_token(server, "0123456789abcde "), HYPHA_ERR_INVALID);
    assert_int_equal(hy_rpc_server_set_token(server, "0123456789abcde\n"), HYPHA_ERR_INVALID);
    assert_int_equal(hy_rpc_server_set_token(server, "0123456789abcd\xc3\xa9"), HYPHA_ERR_INVALID);
    must(hy_rpc_server_set_token(server, TOKEN));
    must(hy_rpc_server_set_token(server, NULL));
    stop_server();
}

/* Without one: no such method, and loopback only. With one: anywhere. */
static void test_where(void **state)
{
    struct hy_rpc_endpoint endpoint;
    struct raw raw;
    char why[256] = "";

    (void)state;
    start_server(NULL, NULL, "tcp://127.0.0.1:0");
    raw_open(&raw);
    raw_send(&raw, REQUEST(1, "rpc.auth", "[\"" TOKEN "\"]") "\n");
    raw_expect(&raw, 1, ERROR(1, -32601, "method not found"));
    raw_close(&raw);
    hy_rpc_server_stop(server);
    assert_int_equal(
        hy_rpc_server_listen(server, "tcp://0.0.0.0:0", on_listening, NULL, why), HYPHA_ERR_ACCESS);
    assert_non_null(strstr(why, "rpc_token"));
    must(hy_rpc_server_set_token(server, TOKEN));
    listen_on("tcp://0.0.0.0:0");
    must(listened);
    raw_open(&raw);
    raw_send(&raw, REQUEST(1, "rpc.auth", "[\"" TOKEN "\"]") "\n");
    raw_expect(&raw, 1, RESULT(1, "true"));
    raw_close(&raw);
    stop_server();
    must(hy_rpc_endpoint_listen("http+tcp+tls://[2001:db8::1]:5", true, &endpoint, why));
    assert_true(endpoint.http);
    hy_rpc_endpoint_fini(&endpoint);
}

/* ---- which methods there are ---- */

static char names[256];

static void each_name(const char *name, void *user)
{
    (void)user;
    strcat(strcat(names, name), " ");
}

static void expect_names(const char *want)
{
    names[0] = '\0';
    hy_rpc_server_each_method(server, each_name, NULL);
    assert_string_equal(names, want);
}

static void test_methods(void **state)
{
    (void)state;
    start_server(NULL, NULL, NULL);
    must(hy_rpc_server_add(server, "a", rpc_echo, NULL));
    must(hy_rpc_server_add(server, "z.z", rpc_echo, NULL));
    expect_names("a echo watch z.z ");
    must(hy_rpc_server_disable(server, "echo"));
    must(hy_rpc_server_disable(server, "not.there"));
    expect_names("a watch z.z ");
    must(hy_rpc_server_set_token(server, TOKEN));
    expect_names("a rpc.auth watch z.z ");
    hy_rpc_server_enable_all(server);
    expect_names("a echo rpc.auth watch z.z ");
    stop_server();
}

/* ---- our client ---- */

static struct hy_rpc_reply last;
static char last_message[64];
static size_t told;

static void on_reply(void *user, const struct hy_rpc_reply *reply)
{
    (void)user;
    last = *reply;
    (void)snprintf(
        last_message, sizeof last_message, "%s", reply->message != NULL ? reply->message : "");
    told++;
    hypha_loop_stop(loop);
}

static void ask_with(const char *token)
{
    struct hy_rpc_client *client;
    char why[256];

    must(hy_rpc_client_create(loop, hy_rpc_server_url(server), &client, why));
    if (token != NULL)
        must(hy_rpc_client_set_token(client, token));
    for (int i = 0; i < 2; i++) {
        told = 0;
        must(hy_rpc_client_call(client, "echo", NULL, 0, on_reply, NULL));
        run_until_stopped();
        assert_int_equal(told, 1);
    }
    hy_rpc_client_destroy(client);
}

static void test_client(void **state)
{
    (void)state;
    start_server(NULL, TOKEN, "tcp://127.0.0.1:0");
    ask_with(TOKEN);
    assert_int_equal(last.err, HYPHA_OK);
    assert_int_equal(last.code, HY_RPC_OK);
    ask_with(NULL);
    assert_int_equal(last.err, HYPHA_OK);
    assert_int_equal(last.code, HY_RPC_TOKEN_REQUIRED);
    assert_string_equal(last_message, "access token required");
    ask_with("not the right token");
    assert_int_equal(last.err, HYPHA_ERR_ACCESS);
    stop_server();
    start_server(NULL, NULL, "tcp://127.0.0.1:0"); /* one that wants none */
    ask_with(TOKEN);
    assert_int_equal(last.err, HYPHA_OK);
    assert_int_equal(last.code, HY_RPC_OK);
    stop_server();
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_asked_for),
        cmocka_unit_test(test_guessing),
        cmocka_unit_test(test_strangers_are_brief),
        cmocka_unit_test(test_strangers_make_room),
        cmocka_unit_test(test_tokens),
        cmocka_unit_test(test_where),
        cmocka_unit_test(test_methods),
        cmocka_unit_test(test_client),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
