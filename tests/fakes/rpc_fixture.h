/* fakes/rpc_fixture.h - a JSON-RPC server on real local sockets, and raw clients of it. */
#ifndef HY_FAKES_RPC_FIXTURE_H
#define HY_FAKES_RPC_FIXTURE_H

#include "rpc/server.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <arpa/inet.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>
#include <cmocka.h>

#define RPC_DEADLINE_MS 20000
#define must(call)      assert_int_equal(call, HYPHA_OK)

static struct hypha_loop *loop;
static struct hy_rpc_server *server;
static bool late;

/* ---- the loop, until something is so ---- */

static inline void on_late(void *user)
{
    (void)user;
    late = true;
    hypha_loop_stop(loop);
}

static inline void run_until_stopped(void)
{
    struct hy_timer deadline;

    late = false;
    hy_timer_init(&deadline, loop, on_late, NULL);
    hy_timer_start(&deadline, RPC_DEADLINE_MS);
    must(hypha_loop_run(loop));
    hy_timer_stop(&deadline);
    assert_false(late);
}

static inline void on_pause(void *user)
{
    (void)user;
    hypha_loop_stop(loop);
}

/* For what shows only by nothing happening. */
static inline void run_for(uint64_t ms)
{
    struct hy_timer timer;

    hy_timer_init(&timer, loop, on_pause, NULL);
    hy_timer_start(&timer, ms);
    must(hypha_loop_run(loop));
    hy_timer_stop(&timer);
}

/* ---- a raw client ---- */

struct raw {
    int fd;
    struct hy_poll *poll;
    char *got;
    size_t len, cap;
    size_t lines; /* ends of them */
    size_t want_lines, want_len;
    bool ended;
};

static inline void on_raw(void *user, unsigned events)
{
    struct raw *raw = user;
    char chunk[65536];
    ssize_t got = read(raw->fd, chunk, sizeof chunk);

    (void)events;
    if (got > 0) {
        if (raw->len + sizeof chunk + 1 > raw->cap) {
            raw->cap = 2 * (raw->len + sizeof chunk);
            raw->got = realloc(raw->got, raw->cap);
        }
        memcpy(raw->got + raw->len, chunk, (size_t)got);
        raw->len += (size_t)got;
        for (ssize_t i = 0; i < got; i++)
            raw->lines += chunk[i] == '\n';
        raw->got[raw->len] = '\0';
    } else {
        raw->ended = true;
        must(hy_poll_update(raw->poll, 0));
    }
    if (raw->ended || raw->lines >= raw->want_lines || raw->len >= raw->want_len)
        hypha_loop_stop(loop);
}

/* Reads what comes; `reads` false: nothing, until raw_read(). */
static inline void raw_of(struct raw *raw, int fd, bool reads)
{
    *raw = (struct raw){ .fd = fd, .want_lines = SIZE_MAX, .want_len = SIZE_MAX };
    must(hy_poll_create(loop, fd, reads ? HY_POLL_IN : 0, on_raw, raw, &raw->poll));
}

static inline void raw_read(struct raw *raw)
{
    must(hy_poll_update(raw->poll, HY_POLL_IN));
}

static inline int raw_socket(void)
{
    const char *url = hy_rpc_server_url(server);
    const char *path = url != NULL ? strstr(url, "unix://") : NULL;
    int fd;

    assert_non_null(url);
    if (path != NULL) {
        struct sockaddr_un address = { .sun_family = AF_UNIX };

        strcpy(address.sun_path, path + 7);
        fd = socket(AF_UNIX, SOCK_STREAM, 0);
        assert_int_equal(connect(fd, (struct sockaddr *)&address, sizeof address), 0);
    } else {
        struct sockaddr_in address = { .sin_family = AF_INET };

        address.sin_port = htons((uint16_t)atoi(strrchr(url, ':') + 1));
        address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
        fd = socket(AF_INET, SOCK_STREAM, 0);
        assert_int_equal(connect(fd, (struct sockaddr *)&address, sizeof address), 0);
    }
    return fd;
}

static inline void raw_open(struct raw *raw)
{
    raw_of(raw, raw_socket(), true);
}

static inline void raw_close(struct raw *raw)
{
    hy_poll_destroy(raw->poll);
    close(raw->fd);
    free(raw->got);
}

static inline void raw_send(struct raw *raw, const char *text)
{
    size_t len = strlen(text);

    assert_int_equal(send(raw->fd, text, len, MSG_NOSIGNAL), len);
}

static inline void raw_wait(struct raw *raw, size_t lines)
{
    raw->want_lines = lines;
    while (raw->lines < lines && !raw->ended) /* others may stop the loop too */
        run_until_stopped();
    raw->want_lines = SIZE_MAX;
}

/* So many lines, and exactly these. */
static inline void raw_expect(struct raw *raw, size_t lines, const char *want)
{
    raw_wait(raw, lines);
    assert_non_null(raw->got);
    assert_string_equal(raw->got, want);
    raw->len = raw->lines = 0;
}

/* Exactly these bytes. */
static inline void raw_expect_bytes(struct raw *raw, const char *want)
{
    raw->want_len = strlen(want);
    while (raw->len < raw->want_len && !raw->ended)
        run_until_stopped();
    raw->want_len = SIZE_MAX;
    assert_non_null(raw->got);
    assert_string_equal(raw->got, want);
    raw->len = raw->lines = 0;
}

static inline void raw_wait_end(struct raw *raw)
{
    while (!raw->ended)
        raw_wait(raw, SIZE_MAX);
}

#define REQUEST(id, method, params)                                                                \
    "{\"jsonrpc\":\"2.0\",\"id\":" #id ",\"method\":\"" method "\",\"params\":" params "}"
#define RESULT_TEXT(id, result) "{\"jsonrpc\":\"2.0\",\"id\":" #id ",\"result\":" result "}"
#define RESULT(id, result)      RESULT_TEXT(id, result) "\r\n"
#define ERROR_TEXT(id, code, text)                                                                 \
    "{\"jsonrpc\":\"2.0\",\"id\":" #id ",\"error\":{\"code\":" #code ",\"message\":\"" text "\"}}"
#define ERROR(id, code, text) ERROR_TEXT(id, code, text) "\r\n"
#define NOTICE_TEXT(params)   "{\"jsonrpc\":\"2.0\",\"method\":\"watch\",\"params\":" params "}"
#define NOTICE(params)        NOTICE_TEXT(params) "\r\n"

/* ---- the server ---- */

#define MAX_WATCHERS 128

static struct hy_rpc_subscription *watchers[MAX_WATCHERS];
static size_t watcher_count, unwatched, gone_count;
static uint64_t last_client, last_gone;
static enum hypha_err listened;

static inline void rpc_echo(struct hy_rpc_call *call, const json_t *params, void *user)
{
    (void)user;
    last_client = hy_rpc_call_client(call);
    hy_rpc_call_result(call, params != NULL ? json_deep_copy(params) : json_array());
}

static inline void on_unsubscribed(struct hy_rpc_subscription *subscription, void *user)
{
    (void)user;
    for (size_t i = 0; i < watcher_count; i++)
        if (watchers[i] == subscription) {
            watchers[i] = watchers[--watcher_count];
            unwatched++;
            return;
        }
    fail_msg("told twice of an end");
}

/* [{"lag":true}]: told of what is dropped. */
static inline void rpc_watch(struct hy_rpc_call *call, const json_t *params, void *user)
{
    bool lag = json_is_true(json_object_get(json_array_get(params, 0), "lag"));
    enum hypha_err err;

    (void)user;
    assert_true(watcher_count < MAX_WATCHERS);
    err = hy_rpc_call_subscribe(call, lag, on_unsubscribed, NULL, &watchers[watcher_count]);
    if (err == HYPHA_OK)
        watcher_count++;
    else
        hy_rpc_call_error(call, HY_RPC_SERVER_ERROR, hypha_err_text(err));
}

static inline void tell_all(const json_t *params)
{
    struct hy_rpc_notice *notice = hy_rpc_notice_create("watch", params);

    if (notice != NULL)
        for (size_t i = 0; i < watcher_count; i++)
            hy_rpc_subscription_notify(watchers[i], notice);
    hy_rpc_notice_unref(notice);
}

static inline void tell_number(int number)
{
    json_t *params = json_pack("[i]", number);

    tell_all(params);
    json_decref(params);
}

static inline void on_gone(uint64_t client, void *user)
{
    (void)user;
    last_gone = client;
    gone_count++;
}

static inline void on_listening(void *user, enum hypha_err err)
{
    (void)user;
    listened = err;
    hypha_loop_stop(loop);
}

static inline void listen_on(const char *url)
{
    char why[256] = "";

    must(hy_rpc_server_listen(server, url, on_listening, NULL, why));
    run_until_stopped();
}

/* With the methods echo and watch; it listens if there is a URL. */
static inline void start_server(
    const struct hy_rpc_limits *limits, const char *token, const char *url)
{
    struct hy_log silent = { 0 };

    watcher_count = unwatched = gone_count = 0;
    last_client = last_gone = 0;
    must(hypha_loop_create(&loop));
    must(hy_rpc_server_create(loop, &silent, limits, &server));
    must(hy_rpc_server_add(server, "echo", rpc_echo, NULL));
    must(hy_rpc_server_add(server, "watch", rpc_watch, NULL));
    must(hy_rpc_server_set_token(server, token));
    hy_rpc_server_on_client_gone(server, on_gone, NULL);
    if (url == NULL)
        return;
    listen_on(url);
    must(listened);
}

static inline void stop_server(void)
{
    hy_rpc_server_destroy(server);
    must(hypha_loop_run(loop));
    hypha_loop_destroy(loop);
}

#endif
