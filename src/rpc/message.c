#include "rpc/message.h"
#include "base/alloc.h"
#include "base/span.h"

#include <errno.h>
#include <inttypes.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

const char *hy_rpc_code_text(int code)
{
    switch (code) {
    case HY_RPC_PARSE_ERROR:
        return "parse error";
    case HY_RPC_INVALID_REQUEST:
        return "invalid request";
    case HY_RPC_METHOD_NOT_FOUND:
        return "method not found";
    case HY_RPC_INVALID_PARAMS:
        return "invalid params";
    case HY_RPC_INTERNAL_ERROR:
        return "internal error";
    case HY_RPC_ID_MISMATCH:
        return "id mismatch";
    case HY_RPC_INVALID_REPLY:
        return "invalid reply";
    case HY_RPC_TOKEN_REQUIRED:
        return "access token required";
    default:
        return "server error";
    }
}

/* An integer, or a string that holds one. spec: apps.md 2.3 */
static bool read_id(const json_t *value, int64_t *ret_id)
{
    if (json_is_integer(value)) {
        *ret_id = json_integer_value(value);
        return true;
    }
    if (!json_is_string(value))
        return false;
    const char *text = json_string_value(value);
    size_t len = json_string_length(value);
    size_t sign = text[0] == '-' ? 1 : 0;
    if (len == sign || len > 20 || strspn(text + sign, "0123456789") != len - sign)
        return false;
    errno = 0;
    long long number = strtoll(text, NULL, 10);
    if (errno != 0)
        return false;
    *ret_id = number;
    return true;
}

int hy_rpc_request_parse(struct hypha_span line, struct hy_rpc_request *ret_request)
{
    struct hy_rpc_request request = { 0 };
    int code = HY_RPC_OK;
    enum hypha_err err = hy_rpc_json_parse(line, &request.root);

    if (err != HYPHA_OK) {
        *ret_request = request;
        return err == HYPHA_ERR_NOMEM ? HY_RPC_INTERNAL_ERROR : HY_RPC_PARSE_ERROR;
    }
    const json_t *version = json_object_get(request.root, "jsonrpc");
    const json_t *method = json_object_get(request.root, "method");
    request.params = json_object_get(request.root, "params");
    request.id.known = read_id(json_object_get(request.root, "id"), &request.id.number);
    if (!request.id.known || !json_is_string(version) ||
        strcmp(json_string_value(version), "2.0") != 0 || !json_is_string(method) ||
        strlen(json_string_value(method)) != json_string_length(method))
        code = HY_RPC_INVALID_REQUEST;
    else if (request.params != NULL && !json_is_array(request.params) &&
        !json_is_object(request.params))
        code = HY_RPC_INVALID_REQUEST;
    else
        request.method = json_string_value(method);
    *ret_request = request;
    return code;
}

void hy_rpc_request_fini(struct hy_rpc_request *request)
{
    json_decref(request->root);
    *request = (struct hy_rpc_request){ 0 };
}

static bool put_text(struct hy_rpc_buffer *out, const char *text)
{
    return hy_rpc_buffer_put(out, text, strlen(text));
}

static bool put_head(struct hy_rpc_buffer *out, struct hy_rpc_id id)
{
    char head[64];

    if (id.known)
        (void)snprintf(head, sizeof head, "{\"jsonrpc\":\"2.0\",\"id\":%" PRId64, id.number);
    else
        (void)snprintf(head, sizeof head, "{\"jsonrpc\":\"2.0\",\"id\":null");
    return put_text(out, head);
}

static bool put_string(struct hy_rpc_buffer *out, const char *text)
{
    json_t *string = json_string(text);
    bool ok = string != NULL && hy_rpc_buffer_put_json(out, string);

    json_decref(string);
    return ok;
}

bool hy_rpc_put_result(struct hy_rpc_buffer *out, struct hy_rpc_id id, const json_t *result)
{
    size_t before = hy_rpc_buffer_size(out);

    if (put_head(out, id) && put_text(out, ",\"result\":") && hy_rpc_buffer_put_json(out, result) &&
        put_text(out, "}\r\n"))
        return true;
    out->len = out->at + before;
    return false;
}

bool hy_rpc_put_error(struct hy_rpc_buffer *out, struct hy_rpc_id id, int code, const char *message)
{
    size_t before = hy_rpc_buffer_size(out);
    char number[64];

    (void)snprintf(number, sizeof number, ",\"error\":{\"code\":%d,\"message\":", code);
    if (put_head(out, id) && put_text(out, number) && put_string(out, message) &&
        put_text(out, "}}\r\n"))
        return true;
    out->len = out->at + before;
    return false;
}

/* What follows the head, or the version, of a request or a notification. */
static bool put_method(struct hy_rpc_buffer *out, const char *method, const json_t *params)
{
    return put_text(out, ",\"method\":") && put_string(out, method) &&
        put_text(out, ",\"params\":") &&
        (params != NULL ? hy_rpc_buffer_put_json(out, params) : put_text(out, "[]")) &&
        put_text(out, "}\r\n");
}

bool hy_rpc_put_request(
    struct hy_rpc_buffer *out, int64_t id, const char *method, const json_t *params)
{
    size_t before = hy_rpc_buffer_size(out);
    struct hy_rpc_id known = { .known = true, .number = id };

    if (put_head(out, known) && put_method(out, method, params))
        return true;
    out->len = out->at + before;
    return false;
}

bool hy_rpc_put_notification(struct hy_rpc_buffer *out, const char *method, const json_t *params)
{
    size_t before = hy_rpc_buffer_size(out);

    if (put_text(out, "{\"jsonrpc\":\"2.0\"") && put_method(out, method, params))
        return true;
    out->len = out->at + before;
    return false;
}

enum hypha_err hy_rpc_reply_of(
    const json_t *root, struct hypha_span line, struct hy_rpc_reply *ret_reply)
{
    const json_t *error = json_object_get(root, "error");
    const json_t *code = json_object_get(error, "code");
    const json_t *message = json_object_get(error, "message");
    struct hy_rpc_reply reply = { .line = line, .result = json_object_get(root, "result") };

    bool failed = json_is_integer(code) && json_is_string(message);
    /* A server that could not read our id answers null: there is only us to mean. */
    if (!read_id(json_object_get(root, "id"), &reply.id))
        reply.id = -1;
    if ((reply.result == NULL) != failed)
        return HYPHA_ERR_MALFORMED;
    if (failed) {
        json_int_t number = json_integer_value(code);

        reply.code = number >= INT_MIN && number <= INT_MAX ? (int)number : HY_RPC_SERVER_ERROR;
        reply.message = json_string_value(message);
    }
    *ret_reply = reply;
    return HYPHA_OK;
}

enum hypha_err hy_rpc_reply_parse(
    struct hypha_span line, struct hy_rpc_reply *ret_reply, json_t **ret_root)
{
    json_t *root = NULL;
    enum hypha_err err = hy_rpc_json_parse(line, &root);

    if (err == HYPHA_OK)
        err = hy_rpc_reply_of(root, line, ret_reply);
    if (err != HYPHA_OK)
        json_decref(root);
    else
        *ret_root = root;
    return err;
}

bool hy_rpc_notification_of(const json_t *root, struct hy_rpc_notification *ret_notification)
{
    const json_t *method = json_object_get(root, "method");
    const json_t *params = json_object_get(root, "params");

    if (!json_is_string(method) || (!json_is_array(params) && !json_is_object(params)) ||
        json_object_get(root, "result") != NULL || json_object_get(root, "error") != NULL)
        return false;
    *ret_notification = (struct hy_rpc_notification){ json_string_value(method), params };
    return true;
}
