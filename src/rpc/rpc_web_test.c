/* rpc_web_test.c - the server over HTTP, on real sockets. spec: apps.md 2.1, 2.2 */
#include "rpc/server.h"

#include "base/alloc.h"
#include "fakes/rpc_fixture.h"
#include "fakes/rpc_tls_client.h"

#define TOKEN "0123456789abcdef"

static struct hy_rpc_call *held;

/* Answered by the test. */
static void rpc_hold(struct hy_rpc_call *call, const json_t *params, void *user)
{
    (void)params;
    (void)user;
    held = call;
}

static void start(const struct hy_rpc_limits *limits, const char *token)
{
    start_server(limits, token, NULL);
    held = NULL;
    must(hy_rpc_server_add(server, "hold", rpc_hold, NULL));
    listen_on("http+tcp://127.0.0.1:0");
    must(listened);
}

static void post(struct raw *raw, const char *headers, const char *body)
{
    char text[4096];

    (void)snprintf(text, sizeof text, "POST / HTTP/1.1\r\nContent-Length: %zu\r\n%s\r\n%s",
        strlen(body), headers, body);
    raw_send(raw, text);
}

/* A response as text; two of them can be alive. */
static const char *response(const char *status, const char *extra, const char *body)
{
    static char texts[2][1024];
    static size_t next;
    char *text = texts[next++ % 2];

    (void)snprintf(text, sizeof texts[0],
        "HTTP/1.1 %s\r\nContent-Length: %zu\r\nContent-Type: application/json\r\n%s\r\n%s", status,
        strlen(body), extra, body);
    return text;
}

static void expect_response(
    struct raw *raw, const char *status, const char *extra, const char *body)
{
    raw_expect_bytes(raw, response(status, extra, body));
}

static void expect_refusal(struct raw *raw, const char *status, const char *extra, const char *body)
{
    char all[256];

    (void)snprintf(all, sizeof all, "%sConnection: close\r\n", extra);
    expect_response(raw, status, all, body);
    assert_int_equal(shutdown(raw->fd, SHUT_WR), 0);
    raw_wait_end(raw);
    assert_int_equal(raw->len, 0);
}

static void test_kept_alive(void **state)
{
    struct raw raw;

    (void)state;
    start(NULL, NULL);
    assert_int_equal(strncmp(hy_rpc_server_url(server), "http+tcp://127.0.0.1:", 21), 0);
    raw_open(&raw);
    for (int i = 0; i < 3; i++) {
        post(&raw, "", REQUEST(1, "echo", "[2]"));
        expect_response(&raw, "200 OK", "", RESULT_TEXT(1, "[2]"));
    }
    post(&raw, "", REQUEST(2, "nope", "[]"));
    expect_response(&raw, "400 Bad Request", "", ERROR_TEXT(2, -32601, "method not found"));
    post(&raw, "", "{bad");
    expect_response(&raw, "400 Bad Request", "", ERROR_TEXT(null, -32700, "parse error"));
    post(&raw, "", REQUEST(3, "echo", "[]"));
    expect_response(&raw, "200 OK", "", RESULT_TEXT(3, "[]"));
    raw_close(&raw);
    stop_server();
}

/* The recorded request, whose Host is somebody's invention, and the one that the network's own
 * client sends: without Host. */
static void test_recorded(void **state)
{
    static const char *const headers[] = { "Host: x\r\nContent-Type: application/json\r\n",
        "Accept: application/json\r\nContent-Type: application/json\r\n" };
    const char *body = "{\"jsonrpc\": \"2.0\", \"method\": \"echo\", \"params\": [], \"id\": 42}";
    struct raw raw;

    (void)state;
    start(NULL, NULL);
    raw_open(&raw);
    for (size_t i = 0; i < 2; i++) {
        post(&raw, headers[i], body);
        expect_response(&raw, "200 OK", "", RESULT_TEXT(42, "[]"));
    }
    post(&raw, "Host: x.example\r\nContent-Type: application/json\r\n", body);
    expect_refusal(
        &raw, "403 Forbidden", "", ERROR_TEXT(null, -32600, "Origin or Host is not this server"));
    raw_close(&raw);
    stop_server();
}

/* Several at once are answered in order, however late the first. */
static void test_pipeline(void **state)
{
    struct raw raw;
    char want[2048];

    (void)state;
    start(NULL, NULL);
    raw_open(&raw);
    post(&raw, "", REQUEST(1, "hold", "[]"));
    post(&raw, "", REQUEST(2, "echo", "[]"));
    post(&raw, "Connection: close\r\n", REQUEST(3, "nope", "[]"));
    raw_send(&raw, "GET / HTTP/1.1\r\n\r\n"); /* after the last: not even looked at */
    while (held == NULL)
        run_for(1);
    run_for(5);
    assert_int_equal(raw.len, 0);
    hy_rpc_call_result(held, json_true());
    (void)snprintf(want, sizeof want, "%s%s", response("200 OK", "", RESULT_TEXT(1, "true")),
        response("200 OK", "", RESULT_TEXT(2, "[]")));
    strcat(want,
        response(
            "400 Bad Request", "Connection: close\r\n", ERROR_TEXT(3, -32601, "method not found")));
    raw_wait_end(&raw); /* the server closes: nobody need say so */
    assert_string_equal(raw.got, want);
    raw_close(&raw);
    stop_server();
}

static void test_expect_continue(void **state)
{
    struct raw raw;
    char text[1024];
    const char *body = REQUEST(1, "echo", "[]");

    (void)state;
    start(NULL, NULL);
    raw_open(&raw);
    (void)snprintf(text, sizeof text,
        "POST / HTTP/1.1\r\nExpect: 100-continue\r\nContent-Length: %zu\r\n\r\n", strlen(body));
    raw_send(&raw, text);
    raw_expect_bytes(&raw, "HTTP/1.1 100 Continue\r\n\r\n");
    raw_send(&raw, body);
    expect_response(&raw, "200 OK", "", RESULT_TEXT(1, "[]"));
    post(&raw, "Expect: 100-continue\r\n", body); /* it did not wait */
    expect_response(&raw, "200 OK", "", RESULT_TEXT(1, "[]"));
    raw_close(&raw);
    stop_server();
}

static void test_refusals(void **state)
{
    static const struct {
        const char *text, *status, *extra, *body;
    } rows[] = {
        { "GET /events HTTP/1.1\r\nAccept: text/event-stream\r\n\r\n", "405 Method Not Allowed",
            "Allow: POST\r\n", ERROR_TEXT(null, -32600, "expected POST") },
        { "POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n1\r\nx\r\n0\r\n\r\n",
            "411 Length Required", "", ERROR_TEXT(null, -32600, "expected Content-Length") },
        { "POST / HTTP/1.1\r\nContent-Length: 1001\r\n\r\nxxxxxx", "413 Content Too Large", "",
            ERROR_TEXT(null, -32600, "request too long") },
        { "POST / HTTP/1.1\r\nOrigin: https://evil.example\r\nContent-Length: 2\r\n\r\n{}",
            "403 Forbidden", "", ERROR_TEXT(null, -32600, "Origin or Host is not this server") },
        { "POST / HTTP/1.1\r\nHost: evil.example\r\nContent-Length: 2\r\n\r\n{}", "403 Forbidden",
            "", ERROR_TEXT(null, -32600, "Origin or Host is not this server") },
        { "{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"ping\"}\r\n\r\n", "400 Bad Request", "",
            ERROR_TEXT(null, -32600, "malformed HTTP request") },
    };
    const struct hy_rpc_limits limits = { .request_bytes = 1000 };

    (void)state;
    start(&limits, NULL);
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct raw raw;

        raw_open(&raw);
        raw_send(&raw, rows[i].text);
        expect_refusal(&raw, rows[i].status, rows[i].extra, rows[i].body);
        raw_close(&raw);
    }
    stop_server();
}

static void test_too_many(void **state)
{
    const struct hy_rpc_limits limits = { .connections = 1 };
    struct raw first, second;

    (void)state;
    start(&limits, NULL);
    raw_open(&first);
    post(&first, "", REQUEST(1, "echo", "[]"));
    expect_response(&first, "200 OK", "", RESULT_TEXT(1, "[]"));
    raw_open(&second);
    expect_refusal(
        &second, "503 Service Unavailable", "", ERROR_TEXT(0, -32000, "too many connections"));
    raw_close(&first);
    raw_close(&second);
    stop_server();
}

/* spec: apps.md 2.1 SHOULD: the token as bearer */
static void test_token(void **state)
{
    struct raw raw;

    (void)state;
    start(NULL, TOKEN);
    raw_open(&raw);
    post(&raw, "Authorization: Bearer " TOKEN "\r\n", REQUEST(1, "echo", "[]"));
    expect_response(&raw, "200 OK", "", RESULT_TEXT(1, "[]"));
    post(&raw, "", REQUEST(2, "echo", "[]")); /* what one request showed holds for itself alone */
    expect_refusal(&raw, "401 Unauthorized", "WWW-Authenticate: Bearer\r\n",
        ERROR_TEXT(null, -32001, "access token required"));
    raw_close(&raw);
    raw_open(&raw);
    post(&raw, "Authorization: Bearer 0123456789abcdeX\r\n", REQUEST(2, "echo", "[]"));
    expect_refusal(&raw, "401 Unauthorized", "WWW-Authenticate: Bearer\r\n",
        ERROR_TEXT(null, -32001, "access token required"));
    raw_close(&raw);
    stop_server();
}

/* spec: apps.md 2.2: a notification is one more 200 response */
static void test_notifications(void **state)
{
    struct raw raw;

    (void)state;
    start(NULL, NULL);
    raw_open(&raw);
    post(&raw, "", REQUEST(1, "watch", "[]"));
    post(&raw, "", REQUEST(2, "echo", "[]"));
    expect_response(&raw, "200 OK", "", RESULT_TEXT(2, "[]"));
    tell_number(5);
    expect_response(&raw, "200 OK", "", NOTICE_TEXT("[5]"));
    post(&raw, "", REQUEST(3, "echo", "[]"));
    expect_response(&raw, "200 OK", "", RESULT_TEXT(3, "[]"));
    /* the last request of all, but not the last that is said */
    post(&raw, "Connection: close\r\n", REQUEST(4, "echo", "[]"));
    expect_response(&raw, "200 OK", "Connection: close\r\n", RESULT_TEXT(4, "[]"));
    tell_number(6);
    expect_response(&raw, "200 OK", "", NOTICE_TEXT("[6]"));
    raw_close(&raw);
    while (watcher_count > 0)
        run_for(1);
    stop_server();
}

#define STREAM                                                                                     \
    "HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nCache-Control: no-store\r\n"            \
    "Connection: close\r\n\r\n"

/* spec: apps.md 2.2 SHOULD: server-sent events for subscriptions */
static void test_event_stream(void **state)
{
    struct raw raw;

    (void)state;
    start(NULL, NULL);
    raw_open(&raw);
    post(&raw, "Accept: text/event-stream\r\n", REQUEST(1, "echo", "[]")); /* no subscription */
    expect_response(&raw, "200 OK", "", RESULT_TEXT(1, "[]"));
    post(&raw, "", REQUEST(2, "hold", "[]"));
    post(&raw, "Accept: text/event-stream\r\n", REQUEST(3, "watch", "[]"));
    post(&raw, "", REQUEST(4, "echo", "[]")); /* not on this connection any more */
    while (watcher_count == 0)
        run_for(1);
    tell_number(1);
    run_for(5);
    assert_int_equal(raw.len, 0); /* the first of them is still to be answered */
    hy_rpc_call_result(held, json_true());
    char want[1024];
    (void)snprintf(want, sizeof want, "%s%s", response("200 OK", "", RESULT_TEXT(2, "true")),
        STREAM "data: " NOTICE_TEXT("[1]") "\n\n");
    raw_expect_bytes(&raw, want);
    tell_number(2);
    tell_number(3);
    raw_expect_bytes(&raw, "data: " NOTICE_TEXT("[2]") "\n\ndata: " NOTICE_TEXT("[3]") "\n\n");
    raw_send(&raw, "what is said now is nothing");
    tell_number(4);
    raw_expect_bytes(&raw, "data: " NOTICE_TEXT("[4]") "\n\n");
    raw_close(&raw);
    while (hy_rpc_server_connection_count(server) > 0)
        run_for(1);
    assert_int_equal(unwatched, 1);
    stop_server();
}

static void test_half_close(void **state)
{
    struct raw raw;

    (void)state;
    start(NULL, NULL);
    raw_open(&raw);
    post(&raw, "", REQUEST(1, "echo", "[]"));
    raw_send(&raw, "POST / HTTP/1.1\r\nContent-Length: 10\r\n\r\nhalf");
    assert_int_equal(shutdown(raw.fd, SHUT_WR), 0);
    raw_wait_end(&raw);
    assert_string_equal(raw.got, response("200 OK", "", RESULT_TEXT(1, "[]")));
    raw_close(&raw);
    stop_server();
}

static void test_unix(void **state)
{
    char folder[] = "/tmp/hypha-rpc-XXXXXX", url[64];
    struct raw raw;

    (void)state;
    assert_non_null(mkdtemp(folder));
    (void)snprintf(url, sizeof url, "http+unix://%s/rpc.sock", folder);
    start_server(NULL, NULL, url);
    assert_string_equal(hy_rpc_server_url(server), url);
    raw_open(&raw);
    post(&raw, "Host: anything\r\n", REQUEST(1, "echo", "[]"));
    expect_response(&raw, "200 OK", "", RESULT_TEXT(1, "[]"));
    raw_close(&raw);
    stop_server();
    assert_int_equal(rmdir(folder), 0);
}

/* spec: apps.md 2.1: http+ before tcp+tls too */
static void test_tls(void **state)
{
    const char *body = REQUEST(1, "echo", "[7]");
    char text[512];
    struct raw raw;
    int ends[2];

    (void)state;
    start_server(NULL, NULL, "http+tcp+tls://127.0.0.1:0");
    assert_int_equal(strncmp(hy_rpc_server_url(server), "http+tcp+tls://127.0.0.1:", 25), 0);
    (void)snprintf(text, sizeof text,
        "POST / HTTP/1.1\r\nOrigin: https://%s\r\nContent-Length: %zu\r\n\r\n%s",
        strstr(hy_rpc_server_url(server), "127."), strlen(body), body);
    *strstr(text, "/\r\n") = ' '; /* the slash of the URL: an origin has none */
    assert_int_equal(pipe(ends), 0);
    pid_t child = fork_tls_client(ends[1], text);
    close(ends[1]);
    raw_of(&raw, ends[0], true);
    raw_wait_end(&raw);
    assert_string_equal(raw.got, response("200 OK", "", RESULT_TEXT(1, "[7]")));
    raw_close(&raw);
    assert_int_equal(waitpid(child, NULL, 0), child);
    stop_server();
}

static void on_guard(void *user)
{
    *(bool *)user = true;
    hypha_loop_stop(loop);
}

/* The nth allocation fails: an answer, or a closed connection; never a stuck server. */
static void test_no_memory(void **state)
{
    uint64_t patience_ms = 50;

    (void)state;
    start(NULL, NULL);
    for (size_t n = 0;; n++) {
        struct hy_timer guard;
        struct raw raw;
        bool tired = false;

        raw_open(&raw);
        hy_timer_init(&guard, loop, on_guard, &tired);
        hy_timer_start(&guard, patience_ms);
        hy_alloc_fail_once(n);
        post(&raw, "Expect: 100-continue\r\nAccept: text/event-stream\r\n",
            REQUEST(1, "watch", "[]"));
        raw.want_lines = 5;
        must(hypha_loop_run(loop));
        tell_number(1);
        raw.want_lines = 6;
        if (!raw.ended && !tired)
            must(hypha_loop_run(loop));
        bool done = hy_alloc_count() <= n && !tired;
        if (tired && hy_alloc_count() <= n)
            patience_ms *= 4; /* only the machine was slow */
        hy_alloc_fail_after(SIZE_MAX);
        hy_timer_stop(&guard);
        if (done)
            assert_non_null(strstr(raw.got, "data: " NOTICE_TEXT("[1]")));
        raw_close(&raw);
        while (hy_rpc_server_connection_count(server) > 0)
            run_for(1);
        assert_int_equal(watcher_count, 0);
        if (done)
            break;
        assert_true(n < 300);
    }
    stop_server();
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_kept_alive),
        cmocka_unit_test(test_recorded),
        cmocka_unit_test(test_pipeline),
        cmocka_unit_test(test_expect_continue),
        cmocka_unit_test(test_refusals),
        cmocka_unit_test(test_too_many),
        cmocka_unit_test(test_token),
        cmocka_unit_test(test_notifications),
        cmocka_unit_test(test_event_stream),
        cmocka_unit_test(test_half_close),
        cmocka_unit_test(test_unix),
        cmocka_unit_test(test_tls),
        cmocka_unit_test(test_no_memory),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
