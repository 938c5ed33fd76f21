/* rpc_client_test.c - our client against our server: all transports, and what goes wrong. */
#include "rpc/client.h"

#include "base/alloc.h"
#include "rpc/server.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>
/* cmocka wants the above first */
#include <arpa/inet.h>
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
    assert_int_equal(hy_rpc_client_create(loop, "http+tcp://127.0.0.1:5", &client, why),
        HYPHA_ERR_UNSUPPORTED_TRANSPORT);
    assert_non_null(strstr(why, "http+"));
    end();
}

/* ---- subscriptions ---- */

static struct hy_rpc_subscription *watch;
static struct hy_rpc_client *watcher;
static size_t notified, ends, enough;
static enum hypha_err end_err;
static int end_code, last_number;
static char end_text[64];

static void on_unsubscribed(struct hy_rpc_subscription *subscription, void *user)
{
    (void)user;
    assert_ptr_equal(subscription, watch);
    watch = NULL;
}

/* [] or nothing else: as a server that does not know our extra params. */
static void rpc_watch(struct hy_rpc_call *call, const json_t *params, void *user)
{
    (void)user;
    if (json_array_size(params) > 0) {
        hy_rpc_call_error(call, HY_RPC_INVALID_PARAMS, "expected []");
        return;
    }
    assert_int_equal(hy_rpc_call_subscribe(call, false, on_unsubscribed, NULL, &watch), HYPHA_OK);
}

static void rpc_tell(struct hy_rpc_call *call, const json_t *params, void *user)
{
    struct hy_rpc_notice *notice = hy_rpc_notice_create("watch", params);

    (void)user;
    for (json_int_t i = json_integer_value(json_array_get(params, 0)); i > 0 && watch != NULL; i--)
        hy_rpc_subscription_notify(watch, notice);
    hy_rpc_notice_unref(notice);
    hy_rpc_call_result(call, json_true());
}

static void on_notified(
    void *user, enum hypha_err err, const json_t *params, int code, const char *message)
{
    assert_ptr_equal(user, &watch);
    if (err == HYPHA_OK) {
        notified++;
        last_number = (int)json_integer_value(json_array_get(params, 0));
    } else {
        assert_null(params);
        ends++;
        end_err = err;
        end_code = code;
        (void)snprintf(end_text, sizeof end_text, "%s", message != NULL ? message : "");
    }
    if (ends > 0 || notified >= enough)
        hypha_loop_stop(loop);
}

static void start_watching(json_t *params)
{
    char why[256];

    notified = ends = 0;
    enough = SIZE_MAX;
    start("tcp://127.0.0.1:0");
    assert_int_equal(hy_rpc_server_add(server, "watch", rpc_watch, NULL), HYPHA_OK);
    assert_int_equal(hy_rpc_server_add(server, "tell", rpc_tell, NULL), HYPHA_OK);
    assert_int_equal(
        hy_rpc_client_create(loop, hy_rpc_server_url(server), &watcher, why), HYPHA_OK);
    assert_int_equal(
        hy_rpc_client_subscribe(watcher, "watch", params, on_notified, &watch), HYPHA_OK);
}

static void tell(int times)
{
    size_t waiting = 1;

    assert_int_equal(
        hy_rpc_client_call(watcher, "tell", json_pack("[i]", times), 0, on_reply, &waiting),
        HYPHA_OK);
    assert_int_equal(hypha_loop_run(loop), HYPHA_OK);
    while (notified < enough && ends == 0)
        assert_int_equal(hypha_loop_run(loop), HYPHA_OK);
}

static void test_subscription(void **state)
{
    (void)state;
    start_watching(NULL);
    assert_int_equal(
        hy_rpc_client_subscribe(watcher, "watch", NULL, on_notified, &watch), HYPHA_ERR_EXISTS);
    enough = 700;
    tell(700);
    assert_int_equal(notified, 700);
    assert_int_equal(last_number, 700);
    ask(watcher, "echo", 0); /* calls go on beside it */
    assert_string_equal(last_text, "h\xc3\xa9");
    hy_rpc_server_stop(server);
    assert_int_equal(hypha_loop_run(loop), HYPHA_OK);
    assert_int_equal(ends, 1);
    assert_int_not_equal(end_err, HYPHA_OK);
    assert_int_equal(end_code, 0);
    ends = 0; /* too late: told too, but not from inside */
    assert_int_equal(
        hy_rpc_client_subscribe(watcher, "watch", NULL, on_notified, &watch), HYPHA_OK);
    assert_int_equal(ends, 0);
    assert_int_equal(hypha_loop_run(loop), HYPHA_OK);
    assert_int_equal(ends, 1);
    hy_rpc_client_destroy(watcher);
    end();
}

/* A server that wants no params answers with an error; then it may be asked again. */
static void test_refused_subscription(void **state)
{
    (void)state;
    start_watching(json_pack("[{s:b}]", "all", 1));
    assert_int_equal(hypha_loop_run(loop), HYPHA_OK);
    assert_int_equal(ends, 1);
    assert_int_equal(end_err, HYPHA_ERR_REFUSED);
    assert_int_equal(end_code, HY_RPC_INVALID_PARAMS);
    assert_string_equal(end_text, "expected []");
    ends = 0;
    enough = 1;
    assert_int_equal(
        hy_rpc_client_subscribe(watcher, "watch", NULL, on_notified, &watch), HYPHA_OK);
    tell(1);
    assert_int_equal(notified, 1);
    hy_rpc_client_destroy(watcher); /* with it alive: no callback */
    assert_int_equal(ends, 0);
    end();
}

/* ---- what a server of somebody else may say ---- */

/* In a process of its own: what is long does not fit in the sockets. */
static pid_t fork_other(int listener, const char *says)
{
    char asked[1000];
    pid_t child = fork();

    if (child != 0)
        return child;
    int fd = accept(listener, NULL, NULL);
    ssize_t got = read(fd, asked, sizeof asked);
    for (size_t at = 0, len = strlen(says); got > 0 && at < len; at += (size_t)got)
        got = send(fd, says + at, len - at, MSG_NOSIGNAL);
    shutdown(fd, SHUT_WR);
    while (got > 0) /* until the client has gone */
        got = read(fd, asked, sizeof asked);
    _exit(0);
}

/* The client asks echo and watches, the other says this and closes. */
static void hear(const char *says)
{
    struct sockaddr_in address = { .sin_family = AF_INET };
    socklen_t size = sizeof address;
    size_t waiting = 1;
    char url[64], why[256];
    int listener = socket(AF_INET, SOCK_STREAM, 0);

    replies = 0;
    notified = ends = 0;
    enough = SIZE_MAX;
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    assert_int_equal(bind(listener, (struct sockaddr *)&address, sizeof address), 0);
    assert_int_equal(listen(listener, 1), 0);
    assert_int_equal(getsockname(listener, (struct sockaddr *)&address, &size), 0);
    (void)snprintf(url, sizeof url, "127.0.0.1:%d", ntohs(address.sin_port));
    pid_t child = fork_other(listener, says);
    assert_int_equal(hypha_loop_create(&loop), HYPHA_OK);
    assert_int_equal(hy_rpc_client_create(loop, url, &watcher, why), HYPHA_OK);
    assert_int_equal(hy_rpc_client_call(watcher, "echo", NULL, 0, on_reply, &waiting), HYPHA_OK);
    assert_int_equal(
        hy_rpc_client_subscribe(watcher, "watch", NULL, on_notified, &watch), HYPHA_OK);
    while (replies == 0 || ends == 0)
        assert_int_equal(hypha_loop_run(loop), HYPHA_OK);
    hy_rpc_client_destroy(watcher);
    assert_int_equal(hypha_loop_run(loop), HYPHA_OK);
    hypha_loop_destroy(loop);
    close(listener);
    assert_int_equal(waitpid(child, NULL, 0), child);
}

#define SAYS_NOTICE "{\"jsonrpc\":\"2.0\",\"method\":\"watch\",\"params\":[7]}\n"

static void test_others(void **state)
{
    (void)state;
    /* notifications nobody asked for, an acknowledged subscription, replies out of order */
    hear("{\"method\":\"other\",\"params\":[]}\r\n" SAYS_NOTICE
         "{\"jsonrpc\":\"2.0\",\"id\":2,\"result\":true}\n" SAYS_NOTICE
         "{\"jsonrpc\":\"2.0\",\"id\":1,\"result\":[\"late\"]}\n");
    assert_int_equal(last_err, HYPHA_OK);
    assert_string_equal(last_text, "late");
    assert_int_equal(notified, 2);
    assert_int_equal(end_err, HYPHA_ERR_EOF);
    /* no JSON-RPC at all */
    hear("HTTP/1.1 400 Bad Request\r\n\r\n");
    assert_int_equal(last_err, HYPHA_ERR_MALFORMED);
    assert_int_equal(end_err, HYPHA_ERR_MALFORMED);
    hear("{\"method\":\"watch\",\"params\":3}\n");
    assert_int_equal(end_err, HYPHA_ERR_MALFORMED);
    assert_int_equal(notified, 0);
    /* too many of us */
    hear("{\"jsonrpc\":\"2.0\",\"id\":0,\"error\":{\"code\":-32000,\"message\":\"many\"}}\n");
    assert_int_equal(last_code, -32000);
    assert_int_equal(end_err, HYPHA_ERR_EOF);
}

/* spec: apps.md 6.3 MUST: survives any reply size up to 16 MiB */
static void test_long_lines(void **state)
{
    const size_t size = 16U * 1024 * 1024;
    const char *head = "{\"jsonrpc\":\"2.0\",\"id\":1,\"result\":[\"", *tail = "\"]}";
    char *text = malloc(size + 8);

    (void)state;
    assert_non_null(text);
    for (size_t more = 0; more < 2; more++) {
        memset(text, 'x', size + more);
        memcpy(text, head, strlen(head));
        memcpy(text + size + more - strlen(tail), tail, strlen(tail));
        strcpy(text + size + more, "\n");
        hear(text);
        assert_int_equal(last_err, more == 0 ? HYPHA_OK : HYPHA_ERR_LIMIT);
    }
    free(text);
}

static void on_guard(void *user)
{
    *(bool *)user = true;
    hypha_loop_stop(loop);
}

static void on_ignored(
    void *user, enum hypha_err err, const json_t *params, int code, const char *message)
{
    (void)user;
    (void)params;
    (void)code;
    (void)message;
    assert_int_not_equal(err, HYPHA_OK);
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
    if (err == HYPHA_OK)
        err = hy_rpc_client_set_token(client, "no token is asked for");
    if (err == HYPHA_OK)
        err = hy_rpc_client_subscribe(client, "echo.not", NULL, on_ignored, NULL);
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
        cmocka_unit_test(test_subscription),
        cmocka_unit_test(test_refused_subscription),
        cmocka_unit_test(test_others),
        cmocka_unit_test(test_long_lines),
        cmocka_unit_test(test_no_memory),
    };
    return cmocka_run_group_tests(tests, set_up, tear_down);
}
