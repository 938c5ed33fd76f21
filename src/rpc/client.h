/* rpc/client.h - call a JSON-RPC server: one connection, requests matched by id.
 *
 *   state    event                      next
 *   DIALING  connected (TLS done)       OPEN   what was asked meanwhile is sent
 *   DIALING  30 s, failure              ENDED  every call is told
 *   OPEN     reply                      OPEN   its call is told
 *   OPEN     notification               OPEN   the subscription of its method is told
 *   OPEN     error to a subscription    OPEN   it is told, and gone
 *   OPEN     error to the token         ENDED  every call is told ACCESS
 *   OPEN     30 s without a call's own  OPEN   that call is told TIMEOUT
 *   OPEN     EOF, error, no JSON-RPC,   ENDED  every call and subscription is told
 *            a line of 16 MiB
 *
 * Threads: the loop's thread. spec: apps.md 2.2, 2.3, 5 */
#ifndef HY_RPC_CLIENT_H
#define HY_RPC_CLIENT_H

#include "loop/loop.h"
#include "rpc/message.h"

#define HY_RPC_CLIENT_TIMEOUT_MS 30000U

struct hy_rpc_client;

/* Begin to dial: all addresses of a name are tried.
 *  endpoint  HOST:PORT, [IPV6]:PORT, unix:PATH or a URL
 *  why       for people, filled with an error
 *  Errors: NOMEM and those of hy_rpc_endpoint_dial(). */
enum hypha_err hy_rpc_client_create(struct hypha_loop *loop, const char *endpoint,
    struct hy_rpc_client **ret_client, char why[256]);
/* No callback any more. Also from inside one. NULL does nothing. */
void hy_rpc_client_destroy(struct hy_rpc_client *client);
/* Connected, and not ended. */
bool hy_rpc_client_is_open(const struct hy_rpc_client *client);

/* The first thing to be sent, for a server with an access token; before any call. A server that
 * does not take it: ENDED, every call is told ACCESS. Errors: NOMEM. */
enum hypha_err hy_rpc_client_set_token(struct hy_rpc_client *client, const char *token);

/* One notification. params: borrowed, an array or object. err: not HYPHA_OK once, at last, and
 * params is NULL: the connection ended (code 0), or the server refused (REFUSED; code and message
 * of its error object); it may be asked again. */
typedef void (*hy_rpc_notified_cb)(
    void *user, enum hypha_err err, const json_t *params, int code, const char *message);
/* Subscribe: the request gets no reply, notifications of this method come until the client is
 * destroyed. One subscription per method. params: taken over. Errors: NOMEM, EXISTS. */
enum hypha_err hy_rpc_client_subscribe(struct hy_rpc_client *client, const char *method,
    json_t *params, hy_rpc_notified_cb cb, void *user);

/* reply: valid during the call. err: EOF, REFUSED, RESOLVE, TIMEOUT..., MALFORMED: the server
 * speaks no JSON-RPC; HYPHA_OK: a result or an error object. */
typedef void (*hy_rpc_reply_cb)(void *user, const struct hy_rpc_reply *reply);
/* Ask. The callback comes exactly once, never from inside this call.
 *  params      taken over: an array or object; NULL: []
 *  timeout_ms  0: HY_RPC_CLIENT_TIMEOUT_MS
 *  Errors: NOMEM. */
enum hypha_err hy_rpc_client_call(struct hy_rpc_client *client, const char *method, json_t *params,
    uint32_t timeout_ms, hy_rpc_reply_cb cb, void *user);

#endif
