/* http_test.c - the HTTP server and raw clients on real loopback sockets. */
#include "daemon/http.h"

#include "base/alloc.h"
#include "daemon/http_internal.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>
/* cmocka wants the above first */
#include <arpa/inet.h>
#include <cmocka.h>

#define DEADLINE_MS 20000
#define TOKEN       "correct-horse-battery"
#define COUNT(a)    (sizeof(a) / sizeof((a)[0]))

static struct hypha_loop *loop;
static struct hy_http *http;
static struct hy_http_stream *streams[HY_HTTP_MAX_STREAMS + 1];
static size_t stream_count, stream_closed, requests;

/* ---- what is served ---- */

static void on_stream_closed(void *user)
{
    struct hy_http_stream **place = user;

    *place = NULL;
    stream_closed++;
}

static void on_request(struct hy_http_request *request, void *user)
{
    const char *path = hy_http_path(request);
    const char *name = hy_http_query(request, "name");

    assert_ptr_equal(user, &requests);
    requests++;
    if (strcmp(path, "/hello") == 0) {
        char text[128];
        int len = snprintf(text, sizeof text, "hello %s", name != NULL ? name : "nobody");

        hy_http_set_policy(request, "default-src 'self'");
        hy_http_respond(request, 200, "text/plain", text, (size_t)len);
    } else if (strcmp(path, "/big") == 0 || strcmp(path, "/huge") == 0) {
        size_t len = path[1] == 'b' ? 3000000 : 30000000;
        char *text = malloc(len);

        memset(text, 'b', len);
        hy_http_respond(request, 200, "text/plain", text, len);
        free(text);
    } else if (strcmp(path, "/events") == 0) {
        struct hy_http_stream **place = &streams[stream_count];

        *place = hy_http_stream(request, on_stream_closed, place);
        if (*place != NULL)
            stream_count++;
    } else {
        hy_http_respond(request, 404, "text/plain", "no", 2);
    }
}

/* ---- the loop, until something is so ---- */

static bool (*ready)(void);
static bool late;

static void on_deadline(void *user)
{
    (void)user;
    late = true;
    hypha_loop_stop(loop);
}

static void on_look(void *user)
{
    if (ready())
        hypha_loop_stop(loop);
    else
        hy_timer_start(user, 1);
}

/* False: it never became so. */
static bool run_until(bool (*is_so)(void))
{
    struct hy_timer deadline, look;

    ready = is_so;
    late = false;
    hy_timer_init(&deadline, loop, on_deadline, NULL);
    hy_timer_start(&deadline, DEADLINE_MS);
    hy_timer_init(&look, loop, on_look, &look);
    hy_timer_start(&look, 0);
    assert_int_equal(hypha_loop_run(loop), HYPHA_OK);
    hy_timer_stop(&deadline);
    hy_timer_stop(&look);
    return !late;
}

static void set_up(const char *listen, const char *token, bool check_host)
{
    struct hy_http_options options = { .listen = listen,
        .token = token,
        .check_host = check_host,
        .handler = on_request,
        .user = &requests };
    char why[256] = "";

    stream_count = stream_closed = requests = 0;
    assert_int_equal(hypha_loop_create(&loop), HYPHA_OK);
    assert_int_equal(hy_http_create(loop, &options, &http, why), HYPHA_OK);
    assert_string_equal(why, "");
}

static void tear_down(void)
{
    hy_http_destroy(http);
    http = NULL;
    assert_int_equal(hypha_loop_run(loop), HYPHA_OK);
    hypha_loop_destroy(loop);
}

/* ---- a raw client ---- */

struct raw {
    int fd;
    char *got;
    size_t len;
    bool ended;
};

static struct raw *looked_at;
static const char *wanted;

static void raw_open(struct raw *raw)
{
    struct sockaddr_in address = { .sin_family = AF_INET };

    *raw = (struct raw){ .got = calloc(1, 1) };
    address.sin_port = htons((uint16_t)atoi(strrchr(hy_http_url(http), ':') + 1));
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    raw->fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    assert_int_equal(connect(raw->fd, (struct sockaddr *)&address, sizeof address), 0);
}

static void raw_send(struct raw *raw, const char *text)
{
    (void)send(raw->fd, text, strlen(text), MSG_NOSIGNAL | MSG_DONTWAIT);
}

static void raw_read(struct raw *raw)
{
    static char chunk[65536];

    while (!raw->ended) {
        ssize_t got = recv(raw->fd, chunk, sizeof chunk, MSG_DONTWAIT);

        if (got < 0 && (errno == EAGAIN || errno == EINTR))
            return;
        if (got <= 0) {
            raw->ended = true;
            return;
        }
        raw->got = realloc(raw->got, raw->len + (size_t)got + 1);
        memcpy(raw->got + raw->len, chunk, (size_t)got);
        raw->len += (size_t)got;
        raw->got[raw->len] = '\0';
    }
}

static bool is_ended(void)
{
    raw_read(looked_at);
    return looked_at->ended;
}

static bool is_there(void)
{
    raw_read(looked_at);
    return looked_at->ended || strstr(looked_at->got, wanted) != NULL;
}

static void raw_until_ended(struct raw *raw)
{
    looked_at = raw;
    assert_true(run_until(is_ended));
}

static void raw_until(struct raw *raw, const char *text)
{
    looked_at = raw;
    wanted = text;
    if (!run_until(is_there) || strstr(raw->got, text) == NULL)
        fail_msg("no %s in: %.2000s", text, raw->got);
}

static void raw_close(struct raw *raw)
{
    close(raw->fd);
    free(raw->got);
}

/* One request, and all that comes until the connection ends. To be freed. */
static char *ask(const char *request)
{
    struct raw raw;

    raw_open(&raw);
    raw_send(&raw, request);
    raw_until_ended(&raw);
    close(raw.fd);
    return raw.got;
}

#define CLOSE "Connection: close\r\n"

static void expect(const char *request, const char *status)
{
    char *answer = ask(request);

    if (strncmp(answer, "HTTP/1.", 7) != 0 || strncmp(answer + 9, status, strlen(status)) != 0)
        fail_msg("%s\nexpected %s, got: %s", request, status, answer);
    free(answer);
}

static void assert_has(const char *text, const char *part)
{
    if (strstr(text, part) == NULL)
        fail_msg("no \"%s\" in: %s", part, text);
}

/* ---- requests ---- */

static void test_get(void **state)
{
    (void)state;
    set_up("127.0.0.1:0", NULL, true);
    char *answer = ask("GET /hello?name=a%20b&x=1 HTTP/1.1\r\nHost: localhost\r\n" CLOSE "\r\n");

    assert_has(answer, "HTTP/1.1 200");
    assert_has(answer, "\r\n\r\nhello a b");
    assert_has(answer, "Content-Security-Policy: default-src 'self'\r\n");
    assert_has(answer, "X-Content-Type-Options: nosniff\r\n");
    assert_has(answer, "Referrer-Policy: no-referrer\r\n");
    assert_has(answer, "Cache-Control: no-store\r\n");
    free(answer);
    answer = ask("GET /nothing HTTP/1.1\r\nHost: localhost\r\n" CLOSE "\r\n");
    assert_has(answer, "HTTP/1.1 404");
    assert_has(answer, "Content-Security-Policy: default-src 'none'");
    free(answer);
    answer = ask("GET /big HTTP/1.1\r\nHost: localhost\r\n" CLOSE "\r\n");
    assert_true(strlen(answer) > 3000000);
    free(answer);
    tear_down();
}

static void test_head(void **state)
{
    (void)state;
    set_up("127.0.0.1:0", NULL, true);
    char *answer = ask("HEAD /hello HTTP/1.1\r\nHost: localhost\r\n" CLOSE "\r\n");

    assert_has(answer, "Content-Length: 12\r\n");
    assert_string_equal(strstr(answer, "\r\n\r\n"), "\r\n\r\n");
    free(answer);
    /* A stream's HEAD has its headers and ends. */
    answer = ask("HEAD /events HTTP/1.1\r\nHost: localhost\r\n" CLOSE "\r\n");
    assert_has(answer, "Content-Type: text/event-stream");
    free(answer);
    assert_int_equal(stream_closed, 1);
    tear_down();
}

static void test_only_get(void **state)
{
    (void)state;
    set_up("127.0.0.1:0", NULL, true);
    char *answer = ask(
        "POST /hello HTTP/1.1\r\nHost: localhost\r\nContent-Length: 3\r\n" CLOSE "\r\nabc");

    assert_has(answer, "HTTP/1.1 405");
    assert_has(answer, "Allow: GET, HEAD\r\n");
    free(answer);
    expect("OPTIONS * HTTP/1.1\r\nHost: localhost\r\n" CLOSE "\r\n", "405");
    expect("BREW /pot HTTP/1.1\r\nHost: localhost\r\n" CLOSE "\r\n", "405");
    assert_int_equal(requests, 0);
    /* A body is not read. */
    expect(
        "GET /hello HTTP/1.1\r\nHost: localhost\r\nContent-Length: 9000000000\r\n\r\nabc", "200");
    tear_down();
}

/* Many requests over one connection, also without waiting for the answers. */
static void test_keep_alive(void **state)
{
    struct raw raw;

    (void)state;
    set_up("127.0.0.1:0", NULL, true);
    raw_open(&raw);
    for (int i = 0; i < 20; i++)
        raw_send(&raw, "GET /hello HTTP/1.1\r\nHost: localhost\r\n\r\n");
    raw_send(&raw, "GET /hello?name=last HTTP/1.1\r\nHost: localhost\r\n\r\n");
    raw_until(&raw, "hello last");
    assert_int_equal(requests, 21);
    raw_close(&raw);
    tear_down();
}

static void test_token(void **state)
{
    (void)state;
    set_up("127.0.0.1:0", TOKEN, true);
    char *answer = ask("GET /hello HTTP/1.1\r\nHost: localhost\r\n" CLOSE "\r\n");

    assert_has(answer, "HTTP/1.1 401");
    assert_has(answer, "WWW-Authenticate: Bearer\r\n");
    free(answer);
#define WITH(line) "GET /hello HTTP/1.1\r\nHost: localhost\r\n" line "\r\n" CLOSE "\r\n"
    expect(WITH("Authorization: Bearer correct-horse-batter"), "401");
    expect(WITH("Authorization: Bearer correct-horse-batteryy"), "401");
    expect(WITH("Authorization: Bearer correct-horse-batterx"), "401");
    expect(WITH("Authorization: Bearer "), "401");
    expect(WITH("Authorization: Basic " TOKEN), "401");
    expect("GET /hello?token= HTTP/1.1\r\nHost: localhost\r\n" CLOSE "\r\n", "401");
    expect("GET /hello?token HTTP/1.1\r\nHost: localhost\r\n" CLOSE "\r\n", "401");
    expect(
        "GET /hello?token=wrong-wrong-wrong HTTP/1.1\r\nHost: localhost\r\n" CLOSE "\r\n", "401");
    assert_int_equal(requests, 0);
    expect(WITH("Authorization: Bearer " TOKEN), "200");
    expect(WITH("authorization: bearer " TOKEN), "200");
    expect("GET /hello?x=1&token=" TOKEN " HTTP/1.1\r\nHost: localhost\r\n" CLOSE "\r\n", "200");
    /* The wrong way of bringing the right one does not help a wrong header. */
    expect("GET /hello?token=" TOKEN " HTTP/1.1\r\nHost: localhost\r\n"
           "Authorization: Bearer wrong-wrong-wrong\r\n" CLOSE "\r\n",
        "401");
    tear_down();
}

static void test_host_and_origin(void **state)
{
    static const struct {
        const char *lines, *status;
    } cases[] = {
        { "Host: localhost", "200" },
        { "Host: LOCALHOST:1234", "200" },
        { "Host: 127.0.0.1", "200" },
        { "Host: 127.9.9.9:80", "200" },
        { "Host: [::1]:99", "200" },
        { "Host: evil.example", "403" },
        { "Host: localhost.evil.example", "403" },
        { "Host: evil.example:localhost", "403" },
        { "Host: localhost:evil", "403" },
        { "Host: 127.0.0.1.evil.example", "403" },
        { "Host: 192.168.0.1", "403" },
        { "Host: [::1", "403" },
        { "Host: ::1", "403" },
        { "Host: ", "403" },
        { "Host: localhost:80\r\nOrigin: http://localhost:80", "200" },
        { "Host: localhost:80\r\nOrigin: http://localhost:81", "403" },
        { "Host: localhost:80\r\nOrigin: https://localhost:80", "403" },
        { "Host: localhost:80\r\nOrigin: http://evil.example", "403" },
        { "Host: localhost:80\r\nOrigin: null", "403" },
    };

    (void)state;
    set_up("127.0.0.1:0", NULL, true);
    for (size_t i = 0; i < COUNT(cases); i++) {
        char request[256];

        (void)snprintf(
            request, sizeof request, "GET /hello HTTP/1.1\r\n%s\r\n" CLOSE "\r\n", cases[i].lines);
        expect(request, cases[i].status);
    }
    expect("GET /hello HTTP/1.0\r\n\r\n", "403");
    expect("GET /hello HTTP/1.1\r\n" CLOSE "\r\n", "400");
    tear_down();
    set_up("127.0.0.1:0", NULL, false);
    expect("GET /hello HTTP/1.1\r\nHost: evil.example\r\n" CLOSE "\r\n", "200");
    expect("GET /hello HTTP/1.0\r\n\r\n", "200");
    tear_down();
    /* Any of the machine's addresses, but no name: names can be made to mean us. */
    set_up("0.0.0.0:0", TOKEN, true);
    expect("GET /hello?token=" TOKEN " HTTP/1.1\r\nHost: 192.168.0.1\r\n" CLOSE "\r\n", "200");
    expect("GET /hello?token=" TOKEN " HTTP/1.1\r\nHost: evil.example\r\n" CLOSE "\r\n", "403");
    tear_down();
}

static void test_listen(void **state)
{
    static const struct {
        const char *listen, *token;
        enum hypha_err err;
        const char *why;
    } cases[] = {
        { "0.0.0.0:0", NULL, HYPHA_ERR_ACCESS, "not a loopback address" },
        { "[::]:0", NULL, HYPHA_ERR_ACCESS, "not a loopback address" },
        { "127.0.0.1:0", "short", HYPHA_ERR_INVALID, "16" },
        { "127.0.0.1:0", "has a blank, so no token", HYPHA_ERR_INVALID, "blank" },
        { "127.0.0.1", NULL, HYPHA_ERR_INVALID, "HOST:PORT" },
        { "127.0.0.1:", NULL, HYPHA_ERR_INVALID, "HOST:PORT" },
        { "127.0.0.1:65536", NULL, HYPHA_ERR_INVALID, "HOST:PORT" },
        { "127.0.0.1:1x", NULL, HYPHA_ERR_INVALID, "HOST:PORT" },
        { "example.com:80", NULL, HYPHA_ERR_INVALID, "IP address" },
        { "::1:80", NULL, HYPHA_ERR_INVALID, "HOST:PORT" },
        { "", NULL, HYPHA_ERR_INVALID, "HOST:PORT" },
        { "https://127.0.0.1:0/", NULL, HYPHA_ERR_INVALID, "HOST:PORT" },
        { "192.0.2.1:0", TOKEN, HYPHA_ERR_ADDR_NOT_AVAILABLE, "192.0.2.1" },
    };
    static const char *const fine[] = { "127.0.0.1:0", "localhost:0", "http://127.0.0.1:0/",
        "http://LOCALHOST:0" };
    char why[256];
    struct hy_http *other = NULL;

    (void)state;
    for (size_t i = 0; i < COUNT(fine); i++) {
        set_up(fine[i], NULL, true);
        assert_int_equal(strncmp(hy_http_url(http), "http://127.0.0.1:", 17), 0);
        assert_int_not_equal(atoi(hy_http_url(http) + 17), 0);
        tear_down();
    }
    set_up("127.0.0.1:0", NULL, true);
    for (size_t i = 0; i < COUNT(cases); i++) {
        struct hy_http_options options = { .listen = cases[i].listen,
            .token = cases[i].token,
            .handler = on_request,
            .user = &requests };

        assert_int_equal(hy_http_create(loop, &options, &other, why), cases[i].err);
        assert_has(why, cases[i].why);
    }
    struct hy_http_options kept = {
        .listen = "0.0.0.0:0", .token = TOKEN, .only_loopback = true, .handler = on_request
    };
    assert_int_equal(hy_http_create(loop, &kept, &other, why), HYPHA_ERR_ACCESS);
    struct hy_http_options taken = { .listen = hy_http_url(http), .handler = on_request };
    assert_int_equal(hy_http_create(loop, &taken, &other, why), HYPHA_ERR_ADDR_IN_USE);
    assert_has(why, hy_http_url(http));
    assert_null(other);
    tear_down();
}

/* ---- bad clients ---- */

static void test_bad_requests(void **state)
{
    static const char *const bad[] = {
        "\r\n\r\n\r\n",
        "GET\r\n\r\n",
        "GET / HTTP/9.9\r\nHost: localhost\r\n\r\n",
        "GET / HTTP/1.1\r\nno colon here\r\n\r\n",
        "\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03\r\n\r\n",
        "GET / HTTP/1.1\r\nHost: localhost\r\nContent-Length: -1\r\n\r\n",
        "GET / HTTP/1.1\r\nHost: localhost\r\nContent-Length: 99999999999999999999999\r\n\r\n",
    };

    (void)state;
    set_up("127.0.0.1:0", NULL, true);
    http->request_ms = 100; /* some just wait for more */
    for (size_t i = 0; i < COUNT(bad); i++) {
        char *answer = ask(bad[i]);

        assert_null(strstr(answer, " 200 "));
        free(answer);
    }
    http->request_ms = 10000;
    expect("GET /hello HTTP/1.1\r\nHost: localhost\r\n" CLOSE "\r\n", "200");
    tear_down();
}

/* Headers without end: refused while still small. */
static void test_header_bomb(void **state)
{
    static char line[1100];
    struct raw raw;
    size_t sent = 0;

    (void)state;
    set_up("127.0.0.1:0", NULL, true);
    raw_open(&raw);
    raw_send(&raw, "GET /hello HTTP/1.1\r\nHost: localhost\r\n");
    memset(line, 'x', sizeof line - 1);
    memcpy(line, "X: ", 3);
    memcpy(line + 1000, "\r\n", 3);
    for (; sent < 1000 && !raw.ended; sent++) {
        raw_send(&raw, line);
        raw_read(&raw);
    }
    raw_until_ended(&raw);
    assert_null(strstr(raw.got, " 200 "));
    assert_int_equal(requests, 0);
    raw_close(&raw);
    expect("GET /hello HTTP/1.1\r\nHost: localhost\r\n" CLOSE "\r\n", "200");
    tear_down();
}

/* A byte now and then keeps no connection: the whole request has one deadline. */
static struct raw *dripping;

static bool has_dripped_out(void)
{
    raw_send(dripping, "X");
    raw_read(dripping);
    return dripping->ended;
}

static void test_slowloris(void **state)
{
    struct raw raw;

    (void)state;
    set_up("127.0.0.1:0", NULL, true);
    http->request_ms = 300;
    raw_open(&raw);
    raw_send(&raw, "GET /hello HTTP/1.1\r\nHost: localhost\r\nX-Slow: ");
    dripping = &raw;
    assert_true(run_until(has_dripped_out));
    raw_close(&raw);
    tear_down();
}

/* As many silent connections as anybody likes: who comes last is served. */
static void test_crowd(void **state)
{
    struct raw crowd[3 * HY_HTTP_MAX_CONNECTIONS];

    (void)state;
    set_up("127.0.0.1:0", NULL, true);
    for (size_t i = 0; i < COUNT(crowd); i++) {
        raw_open(&crowd[i]);
        raw_send(&crowd[i], "GET /hello HTTP/1.1\r\n");
        if (i % 32 == 31) /* the backlog has an end too */
            expect("GET /hello HTTP/1.1\r\nHost: localhost\r\n" CLOSE "\r\n", "200");
        assert_true(http->connection_count <= HY_HTTP_MAX_CONNECTIONS);
    }
    for (size_t i = 0; i < COUNT(crowd); i++)
        raw_close(&crowd[i]);
    tear_down();
}

static bool a_request_came(void)
{
    return requests > 0;
}

static bool nobody_is_left(void)
{
    return http->connection_count == 0;
}

static void test_slow_answer(void **state)
{
    struct raw raw;
    int small = 4096;

    (void)state;
    set_up("127.0.0.1:0", NULL, true);
    http->answer_ms = 300;
    raw_open(&raw);
    (void)setsockopt(raw.fd, SOL_SOCKET, SO_RCVBUF, &small, sizeof small);
    raw_send(&raw, "GET /huge HTTP/1.1\r\nHost: localhost\r\n\r\n");
    assert_true(run_until(a_request_came));
    assert_int_equal(http->connection_count, 1);
    assert_true(run_until(nobody_is_left));
    raw_close(&raw);
    tear_down();
}

/* ---- streams ---- */

static void open_stream(struct raw *raw)
{
    raw_open(raw);
    raw_send(raw, "GET /events HTTP/1.1\r\nHost: localhost\r\n\r\n");
    raw_until(raw, "retry: 1000");
}

static bool send_text(struct hy_http_stream *stream, const char *event, const char *text)
{
    return hy_http_stream_send(stream, event, text, strlen(text));
}

static void test_stream(void **state)
{
    struct raw raw;

    (void)state;
    set_up("127.0.0.1:0", NULL, true);
    open_stream(&raw);
    assert_has(raw.got, "Content-Type: text/event-stream; charset=utf-8\r\n");
    assert_has(raw.got, "Cache-Control: no-store\r\n");
    assert_int_equal(hy_http_stream_queued(streams[0]), 0);
    assert_true(send_text(streams[0], NULL, "one"));
    assert_true(hy_http_stream_queued(streams[0]) > 0);
    raw_until(&raw, "data: one\n\n");
    assert_true(send_text(streams[0], "state", "two\nlines\r\nor\rfour\n"));
    raw_until(&raw, "event: state\ndata: two\ndata: lines\ndata: or\ndata: four\n\n");
    assert_true(send_text(streams[0], "empty", ""));
    raw_until(&raw, "event: empty\ndata: \n\n");
    for (int i = 0; i < 1000; i++)
        assert_true(send_text(streams[0], NULL, "many"));
    assert_true(send_text(streams[0], NULL, "the end"));
    raw_until(&raw, "data: the end\n\n");
    /* Ended by us: no on_closed; what was sent arrives. */
    assert_true(send_text(streams[0], NULL, "bye"));
    hy_http_stream_close(streams[0]);
    raw_until(&raw, "data: bye\n\n");
    raw_until(&raw, "\r\n0\r\n\r\n");
    assert_int_equal(stream_closed, 0);
    raw_close(&raw);
    tear_down();
}

static bool a_stream_closed(void)
{
    return stream_closed > 0;
}

/* A client that hangs up is noticed though nothing is sent. */
static void test_stream_client_leaves(void **state)
{
    struct raw raw;

    (void)state;
    set_up("127.0.0.1:0", NULL, true);
    open_stream(&raw);
    raw_close(&raw);
    assert_true(run_until(a_stream_closed));
    open_stream(&raw);
    assert_true(send_text(streams[1], NULL, "still here"));
    raw_close(&raw);
    tear_down();
    assert_int_equal(stream_closed, 2);
}

/* A client that stops reading: its queue is bounded, the others get theirs, it is let go. */
static void test_stream_reader_stops(void **state)
{
    static char text[100000];
    struct raw lazy, busy;
    size_t sent = 0, refused = 0;

    (void)state;
    set_up("127.0.0.1:0", NULL, true);
    open_stream(&lazy);
    open_stream(&busy);
    memset(text, 't', sizeof text);
    for (int i = 0; i < 300; i++) {
        if (hy_http_stream_send(streams[0], NULL, text, sizeof text))
            sent++;
        else
            refused++;
        assert_true(hy_http_stream_queued(streams[0]) <= HY_HTTP_MAX_STREAM_BYTES + 64);
        assert_true(send_text(streams[1], NULL, "tick"));
        raw_until(&busy, "tick\n\n");
        busy.len = 0;
        busy.got[0] = '\0';
    }
    assert_true(sent > 30);
    assert_true(refused > 30);
    http->stream_ms = 300;
    assert_true(run_until(a_stream_closed));
    assert_null(streams[0]);
    assert_true(send_text(streams[1], NULL, "tock"));
    raw_until(&busy, "tock");
    raw_close(&lazy);
    raw_close(&busy);
    tear_down();
}

static void test_many_streams(void **state)
{
    struct raw raws[HY_HTTP_MAX_STREAMS], late_one;

    (void)state;
    set_up("127.0.0.1:0", NULL, true);
    for (size_t i = 0; i < COUNT(raws); i++)
        open_stream(&raws[i]);
    expect("GET /events HTTP/1.1\r\nHost: localhost\r\n" CLOSE "\r\n", "503");
    expect("GET /hello HTTP/1.1\r\nHost: localhost\r\n" CLOSE "\r\n", "200");
    for (size_t i = 0; i < COUNT(raws); i++)
        assert_true(send_text(streams[i], NULL, "all"));
    for (size_t i = 0; i < COUNT(raws); i++)
        raw_until(&raws[i], "data: all\n\n");
    /* One leaves, one comes. */
    raw_close(&raws[3]);
    assert_true(run_until(a_stream_closed));
    open_stream(&late_one);
    raw_close(&late_one);
    /* The server ends: all are told and closed. */
    tear_down();
    assert_int_equal(stream_closed, COUNT(raws) + 1);
    for (size_t i = 0; i < COUNT(raws); i++) {
        if (i == 3)
            continue;
        char byte;
        while (recv(raws[i].fd, &byte, 1, 0) > 0)
            ;
        raw_close(&raws[i]);
    }
}

/* ---- memory runs out ---- */

static void test_no_memory(void **state)
{
    struct hy_http_options options = {
        .listen = "127.0.0.1:0", .token = TOKEN, .handler = on_request, .user = &requests
    };
    char why[256];

    (void)state;
    assert_int_equal(hypha_loop_create(&loop), HYPHA_OK);
    for (size_t n = 0;; n++) {
        hy_alloc_fail_after(n);
        enum hypha_err err = hy_http_create(loop, &options, &http, why);
        hy_alloc_fail_after(SIZE_MAX);
        if (err == HYPHA_OK)
            break;
        assert_int_equal(err, HYPHA_ERR_NOMEM);
        assert_true(n < 100);
    }
    tear_down();

    set_up("127.0.0.1:0", NULL, true);
    bool served = false;
    for (size_t n = 0; !served; n++) {
        struct raw raw;

        assert_true(n < 100);
        raw_open(&raw);
        raw_send(&raw, "GET /events HTTP/1.1\r\nHost: localhost\r\n\r\n");
        hy_alloc_fail_after(n);
        looked_at = &raw;
        wanted = "retry: 1000";
        assert_true(run_until(is_there));
        served = !raw.ended;
        if (served) {
            hy_alloc_fail_after(0);
            assert_false(send_text(streams[0], NULL, "lost"));
            hy_alloc_fail_after(SIZE_MAX);
            assert_true(send_text(streams[0], NULL, "found"));
            raw_until(&raw, "data: found");
            assert_null(strstr(raw.got, "lost"));
        }
        hy_alloc_fail_after(SIZE_MAX);
        raw_close(&raw);
    }
    assert_int_equal(stream_count, 1);
    tear_down();
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_get),
        cmocka_unit_test(test_head),
        cmocka_unit_test(test_only_get),
        cmocka_unit_test(test_keep_alive),
        cmocka_unit_test(test_token),
        cmocka_unit_test(test_host_and_origin),
        cmocka_unit_test(test_listen),
        cmocka_unit_test(test_bad_requests),
        cmocka_unit_test(test_header_bomb),
        cmocka_unit_test(test_slowloris),
        cmocka_unit_test(test_crowd),
        cmocka_unit_test(test_slow_answer),
        cmocka_unit_test(test_stream),
        cmocka_unit_test(test_stream_client_leaves),
        cmocka_unit_test(test_stream_reader_stops),
        cmocka_unit_test(test_many_streams),
        cmocka_unit_test(test_no_memory),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
