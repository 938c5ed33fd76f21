/* rpc/server.h - JSON-RPC 2.0 to any client that can write a line.
 *
 * A method is a function that is given a call and answers it, now or later. Replies of one
 * connection leave in the order of its requests, however late they are answered. Everything
 * is bounded: connections, the length of a request, calls under way, bytes to be sent; past a
 * bound a connection is not read until there is room again.
 *
 * Threads: the loop's thread. spec: apps.md 2 */
#ifndef HY_RPC_SERVER_H
#define HY_RPC_SERVER_H

#include "base/log.h"
#include "loop/loop.h"
#include "rpc/message.h"

struct hy_rpc_server;
struct hy_rpc_call;

struct hy_rpc_limits {
    size_t connections;   /* 0: 64; one more is told so and closed, unless one is stalled */
    size_t request_bytes; /* 0: 1 MiB */
    size_t calls;         /* of one connection, unanswered; 0: 64 */
    size_t queued_bytes;  /* of one connection, unsent; 0: 256 KiB */
    size_t subscriptions; /* of one connection; 0: 16 */
    size_t notices;       /* waiting, of one subscription; 0: 1024; then the oldest is dropped */
    size_t notice_bytes;  /* the same in bytes; 0: 4 MiB */
    uint32_t stalled_ms;  /* who for so long takes nothing of what is to be sent, or does not show
                             the token, loses its place to a newcomer when all are taken; 0: 10 s */
};

/* One call. Answer it exactly once with hy_rpc_call_result() or hy_rpc_call_error(), unless its
 * on_cancel came first.
 *  params  borrowed, during the call only: array, object, or NULL for none */
typedef void (*hy_rpc_method_cb)(struct hy_rpc_call *call, const json_t *params, void *user);

/* log: copied. limits: NULL: all defaults. Errors: NOMEM. */
enum hypha_err hy_rpc_server_create(struct hypha_loop *loop, const struct hy_log *log,
    const struct hy_rpc_limits *limits, struct hy_rpc_server **ret_server);
/* Stops it first. Not from inside a method. NULL does nothing. */
void hy_rpc_server_destroy(struct hy_rpc_server *server);

/* name: copied. Errors: NOMEM, EXISTS. */
enum hypha_err hy_rpc_server_add(
    struct hy_rpc_server *server, const char *name, hy_rpc_method_cb cb, void *user);
/* Answer "method not found" for this name from now on, whether or not it exists.
 * Errors: NOMEM. */
enum hypha_err hy_rpc_server_disable(struct hy_rpc_server *server, const char *name);

/* Ask every client for this token before anything else: in line mode by the method `rpc.auth`
 * with params [TOKEN], over HTTP by "Authorization: Bearer TOKEN". NULL: none is asked for, and
 * only loopback and unix addresses can be listened on. Before listening. Errors: NOMEM; INVALID: by
 * base/token.h it is none. spec: apps.md 2.1 */
enum hypha_err hy_rpc_server_set_token(struct hy_rpc_server *server, const char *token);
/* Names of all methods that are not disabled, in alphabetical order. */
void hy_rpc_server_each_method(
    const struct hy_rpc_server *server, void (*each)(const char *name, void *user), void *user);
/* Names that are disabled though there is no such method: somebody has mistyped one. */
void hy_rpc_server_each_unknown(
    const struct hy_rpc_server *server, void (*each)(const char *name, void *user), void *user);
/* Allow all again, for a reload. */
void hy_rpc_server_enable_all(struct hy_rpc_server *server);

/* err: HYPHA_OK, or why the address can't be had (ADDR_IN_USE, ACCESS, RESOLVE...). */
typedef void (*hy_rpc_listening_cb)(void *user, enum hypha_err err);
/* Listen on one URL. The callback comes exactly once unless stopped before, never from inside.
 *  why  for people, filled with an error
 *  Errors: NOMEM; STATE: already listening; those of hy_rpc_endpoint_listen(). */
enum hypha_err hy_rpc_server_listen(struct hy_rpc_server *server, const char *url,
    hy_rpc_listening_cb cb, void *user, char why[256]);
/* What is bound, with its real port; NULL before and after. */
const char *hy_rpc_server_url(const struct hy_rpc_server *server);
size_t hy_rpc_server_connection_count(const struct hy_rpc_server *server);

/* Stop listening, close every connection, cancel its calls: all done when it returns. Any
 * number of times, also from inside a method. */
void hy_rpc_server_stop(struct hy_rpc_server *server);

/* result: taken over; NULL (no memory) is answered as an internal error. */
void hy_rpc_call_result(struct hy_rpc_call *call, json_t *result);
/* message NULL: the code's own text. */
void hy_rpc_call_error(struct hy_rpc_call *call, int code, const char *message);

/* ---- subscriptions. spec: apps.md 2.4 ---- */

struct hy_rpc_subscription;
/* The client is gone or says no more (a half-close), or the server stops: no notify any more,
 * the subscription is freed. */
typedef void (*hy_rpc_unsubscribed_cb)(struct hy_rpc_subscription *subscription, void *user);
/* Inside a method, instead of an answer: none is ever sent, and from now on notifications with
 * the method's name go to this client (over HTTP: a response each; to a client that accepts
 * text/event-stream: server-sent events).
 *  lag  tell this client, by {"event":"lag","info":{"dropped":N}}, how many were dropped
 * Errors: NOMEM; LIMIT: too many on this connection; CANCELLED: the server was stopped in here
 * (all still to be answered). */
enum hypha_err hy_rpc_call_subscribe(struct hy_rpc_call *call, bool lag, hy_rpc_unsubscribed_cb cb,
    void *user, struct hy_rpc_subscription **ret_subscription);
/* What is sent to many, encoded once. Counted. */
struct hy_rpc_notice;
/* params: borrowed. NULL: no memory. */
struct hy_rpc_notice *hy_rpc_notice_create(const char *method, const json_t *params);
void hy_rpc_notice_unref(struct hy_rpc_notice *notice);
/* Queue it; never blocks, never fails: the oldest is dropped when the queue is full. */
void hy_rpc_subscription_notify(
    struct hy_rpc_subscription *subscription, struct hy_rpc_notice *notice);

/* Who calls: the same number for all calls of one connection, never used again. */
uint64_t hy_rpc_call_client(const struct hy_rpc_call *call);
/* Told of every client that leaves, after its calls and subscriptions are gone. One at a time. */
void hy_rpc_server_on_client_gone(
    struct hy_rpc_server *server, void (*cb)(uint64_t client, void *user), void *user);

/* The call is about to go away unanswered: its client left, or the server stops. Forget it. */
typedef void (*hy_rpc_cancel_cb)(struct hy_rpc_call *call, void *user);
void hy_rpc_call_on_cancel(struct hy_rpc_call *call, hy_rpc_cancel_cb cb, void *user);

#endif
