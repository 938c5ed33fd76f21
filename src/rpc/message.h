/* rpc/message.h - JSON-RPC 2.0 objects: judge a request, write an answer. spec: apps.md 2.3 */
#ifndef HY_RPC_MESSAGE_H
#define HY_RPC_MESSAGE_H

#include "rpc/buffer.h"
#include "rpc/json.h"
#include <hypha/err.h>
#include <stdint.h>

#define HY_RPC_AUTH "rpc.auth" /* the method that takes the access token */

enum hy_rpc_code {
    HY_RPC_OK = 0,
    HY_RPC_PARSE_ERROR = -32700,
    HY_RPC_INVALID_REQUEST = -32600,
    HY_RPC_METHOD_NOT_FOUND = -32601,
    HY_RPC_INVALID_PARAMS = -32602,
    HY_RPC_INTERNAL_ERROR = -32603,
    HY_RPC_ID_MISMATCH = -32360,
    HY_RPC_INVALID_REPLY = -32361,
    HY_RPC_SERVER_ERROR = -32000,
    HY_RPC_TOKEN_REQUIRED = -32001, /* ours: server.h, hy_rpc_server_set_token() */
};

/* The text that goes with a code; static. */
const char *hy_rpc_code_text(int code);

struct hy_rpc_id {
    bool known; /* else it is answered as null */
    int64_t number;
};

struct hy_rpc_request {
    json_t *root; /* owns the rest */
    struct hy_rpc_id id;
    const char *method;
    json_t *params; /* array, object, or NULL: absent, which is [] */
};

/* HY_RPC_OK or the error to answer with (no memory: INTERNAL_ERROR); `id` is filled as far as it
 * can be read. */
int hy_rpc_request_parse(struct hypha_span line, struct hy_rpc_request *ret_request);
void hy_rpc_request_fini(struct hy_rpc_request *request);

/* One line with its CRLF. False: no memory, nothing was put. */
bool hy_rpc_put_result(struct hy_rpc_buffer *out, struct hy_rpc_id id, const json_t *result);
bool hy_rpc_put_error(
    struct hy_rpc_buffer *out, struct hy_rpc_id id, int code, const char *message);
/* params: borrowed, array or object; NULL: []. */
bool hy_rpc_put_request(
    struct hy_rpc_buffer *out, int64_t id, const char *method, const json_t *params);

/* params: as above. No id, and none is answered. */
bool hy_rpc_put_notification(struct hy_rpc_buffer *out, const char *method, const json_t *params);

struct hy_rpc_reply {
    enum hypha_err err; /* not HYPHA_OK: no reply came, or MALFORMED: it is none */
    int64_t id;
    json_t *result; /* borrowed; NULL: an error object */
    int code;       /* of the error object */
    const char *message;
    struct hypha_span line; /* as received */
};

/* MALFORMED unless `root` is a response; what ret_reply points to belongs to it. */
enum hypha_err hy_rpc_reply_of(
    const json_t *root, struct hypha_span line, struct hy_rpc_reply *ret_reply);
/* The same for a line. ret_root owns what the reply points to; json_decref() it.
 * Errors: MALFORMED, NOMEM. */
enum hypha_err hy_rpc_reply_parse(
    struct hypha_span line, struct hy_rpc_reply *ret_reply, json_t **ret_root);

struct hy_rpc_notification {
    const char *method;
    const json_t *params; /* array or object */
};

/* False unless `root` is a notification; what ret_notification points to belongs to it. */
bool hy_rpc_notification_of(const json_t *root, struct hy_rpc_notification *ret_notification);

#endif
