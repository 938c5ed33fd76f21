/* rpc/request.c - what comes in: bytes become requests, in lines or over HTTP, and requests
 * become calls, if the client may ask. */
#include "base/span.h"
#include "base/token.h"
#include "rpc/connection.h"

#include <string.h>

#define MAX_WRONG_TOKENS 3
/* Until the token is known, nothing longer needs to be understood. */
#define STRANGER_BYTES 4096U

void hy_rpc_connection_set_limits(struct hy_rpc_connection *connection)
{
    size_t max = hy_rpc_server_limits(connection->server)->request_bytes;

    connection->http_in.max_body = max; /* its head was judged before */
    connection->in.max = connection->authorised || max < STRANGER_BYTES ? max : STRANGER_BYTES;
}

enum hypha_err hy_rpc_connection_feed(struct hy_rpc_connection *connection, struct hypha_span bytes)
{
    return connection->http ? hy_rpc_http_feed(&connection->http_in, bytes)
                            : hy_rpc_lines_feed(&connection->in, bytes);
}

bool hy_rpc_connection_took_all(const struct hy_rpc_connection *connection)
{
    return hy_rpc_buffer_size(&connection->in.buffer) == 0 &&
        hy_rpc_buffer_size(&connection->http_in.buffer) == 0;
}

void hy_rpc_connection_drop_input(struct hy_rpc_connection *connection)
{
    hy_rpc_lines_fini(&connection->in);
    hy_rpc_http_fini(&connection->http_in);
}

/* Take nothing more from this client; it ends when all before is answered. */
static void drain(struct hy_rpc_connection *connection)
{
    connection->state = HY_RPC_DRAINING;
    connection->lingers = true;
    hy_rpc_connection_drop_input(connection);
    hy_timer_start(&connection->deadline, HY_RPC_DRAINING_MS);
}

enum hy_rpc_took hy_rpc_connection_refuse(struct hy_rpc_connection *connection, struct hy_rpc_id id,
    enum hy_rpc_http_status status, int code, const char *message)
{
    struct hy_rpc_call *call = hy_rpc_call_create(connection);

    if (call == NULL)
        return HY_RPC_TOOK_NO_MEMORY;
    drain(connection);
    call->id = id;
    call->status = status;
    call->last = true;
    hy_rpc_call_error(call, code, message);
    return HY_RPC_TOOK_ONE;
}

/* ---- the access token. spec: apps.md 2.1 ---- */

static void set_authorised(struct hy_rpc_connection *connection)
{
    if (connection->authorised)
        return;
    connection->authorised = true;
    hy_rpc_connection_set_limits(connection);
    if (connection->state == HY_RPC_OPEN) /* else the timer is another one */
        hy_timer_stop(&connection->deadline);
}

static void authorise(
    struct hy_rpc_connection *connection, struct hy_rpc_call *call, const json_t *params)
{
    const json_t *given = json_array_get(params, 0);

    if (json_array_size(params) == 1 && json_is_string(given) &&
        hy_token_equal(hy_rpc_server_token(connection->server),
            hy_span(json_string_value(given), json_string_length(given)))) {
        set_authorised(connection);
        hy_rpc_call_result(call, json_true());
        return;
    }
    hy_rpc_call_error(call, HY_RPC_TOKEN_REQUIRED, "wrong access token");
    if (++connection->wrong_tokens >= MAX_WRONG_TOKENS)
        drain(connection);
}

/* ---- calls ---- */

static void call_method(
    struct hy_rpc_connection *connection, struct hy_rpc_call *call, const json_t *params)
{
    struct hy_rpc_method method;

    if (hy_rpc_server_token(connection->server) != NULL && strcmp(call->method, HY_RPC_AUTH) == 0)
        authorise(connection, call, params);
    else if (!connection->authorised)
        hy_rpc_call_error(call, HY_RPC_TOKEN_REQUIRED, NULL);
    else if (!hy_rpc_server_find(connection->server, call->method, &method))
        hy_rpc_call_error(call, HY_RPC_METHOD_NOT_FOUND, NULL);
    else
        method.cb(call, params, method.user);
}

/* What the request was asks of the connection, once its method has returned. */
static void after_call(struct hy_rpc_connection *connection, const struct hy_rpc_call *call)
{
    if (call->answer == HY_RPC_ANSWER_STREAM) {
        if (connection->state == HY_RPC_OPEN)
            connection->state = HY_RPC_STREAM;
        hy_rpc_connection_drop_input(connection);
    } else if (call->last) {
        if (connection->state == HY_RPC_OPEN)
            connection->state = HY_RPC_DRAINING;
        hy_rpc_connection_drop_input(connection);
    }
}

static enum hy_rpc_took take_request(struct hy_rpc_connection *connection, struct hypha_span text)
{
    struct hy_rpc_call *call = hy_rpc_call_create(connection);
    struct hy_rpc_request request;

    if (call == NULL)
        return HY_RPC_TOOK_NO_MEMORY;
    int code = hy_rpc_request_parse(text, &request);
    call->id = request.id;
    call->in_method = true;
    call->method = request.method;
    call->event_stream = connection->http_asked.event_stream;
    call->last = connection->http_asked.close;
    if (code != HY_RPC_OK)
        hy_rpc_call_error(call, code, NULL);
    else
        call_method(connection, call, request.params);
    call->in_method = false;
    call->method = NULL;
    if (call->connection == NULL) /* the method stopped the server */
        hy_rpc_call_destroy(call);
    else
        after_call(connection, call);
    hy_rpc_request_fini(&request);
    return HY_RPC_TOOK_ONE;
}

/* ---- framing ---- */

static enum hy_rpc_took take_line(struct hy_rpc_connection *connection)
{
    struct hypha_span line;

    switch (hy_rpc_lines_next(&connection->in, connection->ended, &line)) {
    case HY_RPC_LINE_NONE:
        return HY_RPC_TOOK_NONE;
    case HY_RPC_LINE_TOO_LONG:
        return hy_rpc_connection_refuse(connection, (struct hy_rpc_id){ 0 }, HY_RPC_HTTP_TOO_LARGE,
            HY_RPC_INVALID_REQUEST, hy_rpc_http_why(HY_RPC_HTTP_TOO_LARGE));
    case HY_RPC_LINE:
        return take_request(connection, line);
    }
    return HY_RPC_TOOK_NONE;
}

static enum hy_rpc_took refuse_http(
    struct hy_rpc_connection *connection, enum hy_rpc_http_status status)
{
    int code = status == HY_RPC_HTTP_UNAUTHORIZED ? HY_RPC_TOKEN_REQUIRED : HY_RPC_INVALID_REQUEST;

    return hy_rpc_connection_refuse(
        connection, (struct hy_rpc_id){ 0 }, status, code, hy_rpc_http_why(status));
}

/* Each request shows its token: there are proxies that share a connection among their clients. */
static enum hy_rpc_took take_head(
    struct hy_rpc_connection *connection, const struct hy_rpc_http_head *head)
{
    struct hy_rpc_http_rules rules = hy_rpc_server_http_rules(connection->server);
    enum hy_rpc_http_status status = hy_rpc_http_judge(&rules, head);

    if (status != HY_RPC_HTTP_OK)
        return refuse_http(connection, status);
    set_authorised(connection);
    connection->http_asked =
        (struct hy_rpc_http_head){ .close = head->close, .event_stream = head->event_stream };
    if (!head->expects || hy_rpc_http_has_body(&connection->http_in))
        return HY_RPC_TOOK_ONE;
    struct hy_rpc_call *call = hy_rpc_call_create(connection);
    if (call == NULL)
        return HY_RPC_TOOK_NO_MEMORY;
    call->answer = HY_RPC_ANSWER_CONTINUE;
    call->answered = true;
    return HY_RPC_TOOK_ONE;
}

static enum hy_rpc_took take_http(struct hy_rpc_connection *connection)
{
    struct hy_rpc_http_head head;
    struct hypha_span body;
    enum hy_rpc_http_status status;

    switch (hy_rpc_http_next(&connection->http_in, &head, &body, &status)) {
    case HY_RPC_HTTP_GOT_NONE:
        if (connection->ended) /* half a request is none */
            hy_rpc_connection_drop_input(connection);
        return HY_RPC_TOOK_NONE;
    case HY_RPC_HTTP_GOT_HEAD:
        return take_head(connection, &head);
    case HY_RPC_HTTP_GOT_BODY:
        return take_request(connection, body);
    case HY_RPC_HTTP_GOT_BAD:
        return refuse_http(connection, status);
    }
    return HY_RPC_TOOK_NONE;
}

enum hy_rpc_took hy_rpc_connection_take(struct hy_rpc_connection *connection)
{
    if (connection->state == HY_RPC_STREAM)
        return HY_RPC_TOOK_NONE;
    return connection->http ? take_http(connection) : take_line(connection);
}
