/* rpc/http.h - HTTP/1.1 around JSON-RPC: bytes become requests, answers get their heads.
 *
 * Pure and bounded: it knows no socket, and keeps no more than one head and one body. Method and
 * path mean nothing, but what only reads (GET, HEAD...) is refused. Whatever is refused is the
 * last thing read from its connection, so no two readers can disagree about where a request
 * ends. spec: apps.md 2.2 */
#ifndef HY_RPC_HTTP_H
#define HY_RPC_HTTP_H

#include "base/ip.h"
#include "rpc/buffer.h"
#include <stdint.h>

#define HY_RPC_HTTP_MAX_HEAD_BYTES (16U * 1024)
#define HY_RPC_HTTP_MAX_HEADERS    128U

enum hy_rpc_http_status {
    HY_RPC_HTTP_OK = 200,
    HY_RPC_HTTP_BAD_REQUEST = 400,
    HY_RPC_HTTP_UNAUTHORIZED = 401,
    HY_RPC_HTTP_FORBIDDEN = 403,
    HY_RPC_HTTP_METHOD_NOT_ALLOWED = 405,
    HY_RPC_HTTP_LENGTH_REQUIRED = 411,
    HY_RPC_HTTP_TOO_LARGE = 413,
    HY_RPC_HTTP_EXPECTATION_FAILED = 417,
    HY_RPC_HTTP_HEAD_TOO_LARGE = 431,
    HY_RPC_HTTP_UNAVAILABLE = 503,
    HY_RPC_HTTP_VERSION = 505,
};

struct hy_rpc_http_head {
    struct hypha_span host; /* at NULL: absent, as in the two below */
    struct hypha_span origin;
    struct hypha_span authorization;
    size_t length;     /* of the body */
    bool close;        /* "Connection: close", or HTTP/1.0 */
    bool event_stream; /* accepts text/event-stream */
    bool expects;      /* "100 Continue" before it sends the body */
};

/* Zeroed with max_body set: empty. */
struct hy_rpc_http {
    struct hy_rpc_buffer buffer;
    size_t max_body;
    size_t scanned;  /* bytes of a head known to hold no end of it */
    size_t head_len; /* told, with its end; 0: none yet */
    size_t body_len; /* of the head that was told */
};

enum hy_rpc_http_got {
    HY_RPC_HTTP_GOT_NONE, /* more bytes are needed */
    HY_RPC_HTTP_GOT_HEAD, /* once for each request, before its body: judge it */
    HY_RPC_HTTP_GOT_BODY, /* the body to the head told last */
    HY_RPC_HTTP_GOT_BAD,  /* refuse with this status, feed no more */
};

void hy_rpc_http_fini(struct hy_rpc_http *http);
/* Errors: NOMEM. */
enum hypha_err hy_rpc_http_feed(struct hy_rpc_http *http, struct hypha_span bytes);
/* What comes next. Only what belongs to it is filled; spans are valid until the next call. */
enum hy_rpc_http_got hy_rpc_http_next(struct hy_rpc_http *http, struct hy_rpc_http_head *ret_head,
    struct hypha_span *ret_body, enum hy_rpc_http_status *ret_status);
/* A whole body is here, or more: no use in "100 Continue". */
bool hy_rpc_http_has_body(const struct hy_rpc_http *http);

/* Whom a server listens to. */
struct hy_rpc_http_rules {
    const char *token; /* NULL: none is asked for */
    const char *host;  /* as configured; NULL: a local socket, which no web page can reach */
    const char *bound; /* the IP literal that became of it */
    uint16_t port;
};
/* OK, FORBIDDEN or UNAUTHORIZED. Any web page can make its reader's browser ask us: so an Origin
 * must be ourselves, and a Host too, unless it is a name without dots; none is fine. Then the
 * token. spec: apps.md 2.1 */
enum hy_rpc_http_status hy_rpc_http_judge(
    const struct hy_rpc_http_rules *rules, const struct hy_rpc_http_head *head);
/* For people; static. */
const char *hy_rpc_http_why(enum hy_rpc_http_status status);

/* A whole response. close: it is the last. False: no memory, nothing was put. */
bool hy_rpc_http_put_response(
    struct hy_rpc_buffer *out, enum hy_rpc_http_status status, bool close, struct hypha_span body);
/* The head of server-sent events, and one of them. */
bool hy_rpc_http_put_stream(struct hy_rpc_buffer *out);
bool hy_rpc_http_put_event(struct hy_rpc_buffer *out, struct hypha_span json);
bool hy_rpc_http_put_continue(struct hy_rpc_buffer *out);

#endif
