/* daemon/http.h - a small HTTP server on our loop, for the metrics page and the web viewer.
 *
 * libmicrohttpd does HTTP; its descriptors are watched by our loop, so a handler is called on
 * the loop's thread and needs no lock. GET and HEAD only. Connections, request bytes and time are
 * bounded. A response is whole, or a stream of server-sent events.
 *
 * Threads: the loop's thread. */
#ifndef HY_DAEMON_HTTP_H
#define HY_DAEMON_HTTP_H

#include "loop/loop.h"
#include <hypha/err.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define HY_HTTP_MAX_CONNECTIONS 64
#define HY_HTTP_IDLE_S          30 /* a silent connection is closed; streams are not */

struct hy_http;
struct hy_http_request; /* during its handler only */
struct hy_http_stream;

/* Answer every request exactly once, inside the call: hy_http_respond() or hy_http_stream(). */
typedef void (*hy_http_handler_cb)(struct hy_http_request *request, void *user);

struct hy_http_options {
    /* HOST:PORT, [IPV6]:PORT or http://HOST:PORT/; port 0: the system chooses. */
    const char *listen;
    /* NULL: none, then only loopback addresses are taken. Else each request must bring it as
     * "Authorization: Bearer TOKEN" or "?token=TOKEN", or gets 401. See base/token.h. */
    const char *token;
    bool only_loopback; /* whatever the token */
    /* Refuse (403) requests whose Host is not the address listened on, localhost or a loopback
     * literal, or whose Origin is another site: no web page may reach us through a browser. */
    bool check_host;
    hy_http_handler_cb handler;
    void *user;
};

/* Listen. why: for people, 256 bytes, filled with an error.
 * Errors: NOMEM, INVALID (address, token), ACCESS (not loopback without a token, or forbidden),
 * ADDR_IN_USE, ADDR_NOT_AVAILABLE, SYSTEM. */
enum hypha_err hy_http_create(struct hypha_loop *loop, const struct hy_http_options *options,
    struct hy_http **ret_http, char why[256]);
/* Ends every stream (their on_closed comes) and connection. NULL does nothing. Not from inside a
 * handler. */
void hy_http_destroy(struct hy_http *http);
/* "http://127.0.0.1:43210/": with the real port. */
const char *hy_http_url(const struct hy_http *http);

/* Without the query; "/" at least. */
const char *hy_http_path(const struct hy_http_request *request);
/* A query parameter's value, decoded; NULL: it is not there. */
const char *hy_http_query(const struct hy_http_request *request, const char *name);

/* The Content-Security-Policy of the answer, in place of one that allows nothing. Borrowed until
 * the request is answered. */
void hy_http_set_policy(struct hy_http_request *request, const char *policy);

/* body: copied. No memory: the connection is closed. */
void hy_http_respond(struct hy_http_request *request, unsigned status, const char *content_type,
    const void *body, size_t len);

/* Answer with text/event-stream. on_closed: the client is gone, or the server; the stream is
 * freed after it. NULL: no memory, or too many; the request has been answered. */
#define HY_HTTP_MAX_STREAMS      16
#define HY_HTTP_MAX_STREAM_BYTES (4U * 1024 * 1024)
struct hy_http_stream *hy_http_stream(
    struct hy_http_request *request, void (*on_closed)(void *user), void *user);
/* One event; `event` NULL: the default name. data may hold line feeds. False: the client reads
 * too slowly, or no memory: it was not sent (a later one may be). */
bool hy_http_stream_send(
    struct hy_http_stream *stream, const char *event, const char *data, size_t len);
size_t hy_http_stream_queued(const struct hy_http_stream *stream);
/* No on_closed. */
void hy_http_stream_close(struct hy_http_stream *stream);

#endif
