#include "rpc/connection.h"
#include "base/alloc.h"

#include <assert.h>
#include <string.h>

#define OPENING_MS  10000U
#define DRAINING_MS 30000U
#define LINGER_MS   1000U

static void call_destroy(struct hy_rpc_call *call)
{
    json_decref(call->result);
    hy_free(call->message);
    hy_free(call);
}

static void connection_free_if_idle(struct hy_rpc_connection *connection)
{
    if (connection->state != HY_RPC_GONE || connection->busy > 0)
        return;
    hy_rpc_lines_fini(&connection->in);
    hy_rpc_buffer_fini(&connection->out);
    hy_free(connection);
}

void hy_rpc_connection_close(struct hy_rpc_connection *connection)
{
    struct hy_rpc_call *call;

    if (connection->state == HY_RPC_GONE)
        return;
    connection->state = HY_RPC_GONE;
    hy_stream_close(connection->stream);
    connection->stream = NULL;
    hy_timer_stop(&connection->deadline);
    hy_defer_stop(&connection->pump);
    while ((call = TAILQ_FIRST(&connection->calls)) != NULL) {
        TAILQ_REMOVE(&connection->calls, call, entry);
        if (!call->answered && call->on_cancel != NULL)
            call->on_cancel(call, call->user);
        call->connection = NULL;
        if (!call->in_method) /* else the method still holds it */
            call_destroy(call);
    }
    hy_rpc_server_forget(connection->server, connection);
    connection_free_if_idle(connection);
}

/* ---- answers ---- */

static void call_answered(struct hy_rpc_call *call)
{
    assert(!call->answered);
    call->answered = true;
    if (call->connection != NULL && call->connection->busy == 0)
        hy_defer_start(&call->connection->pump);
}

void hy_rpc_call_result(struct hy_rpc_call *call, json_t *result)
{
    call->result = result;
    call->code = result != NULL ? HY_RPC_OK : HY_RPC_INTERNAL_ERROR;
    call_answered(call);
}

void hy_rpc_call_error(struct hy_rpc_call *call, int code, const char *message)
{
    call->code = code;
    call->message = message != NULL ? hy_strdup(message) : NULL;
    call_answered(call);
}

void hy_rpc_call_on_cancel(struct hy_rpc_call *call, hy_rpc_cancel_cb cb, void *user)
{
    call->on_cancel = cb;
    call->user = user;
}

/* Answered calls at the head of the queue go out. False: no memory. */
static bool collect_answers(struct hy_rpc_connection *connection)
{
    struct hy_rpc_call *call;
    bool ok = true;

    while (ok && (call = TAILQ_FIRST(&connection->calls)) != NULL && call->answered) {
        /* A result that can't be written (bad UTF-8 in it, say) is our fault, not silence. */
        if (call->code == HY_RPC_OK && !hy_rpc_put_result(&connection->out, call->id, call->result))
            call->code = HY_RPC_INTERNAL_ERROR;
        if (call->code != HY_RPC_OK)
            ok = hy_rpc_put_error(&connection->out, call->id, call->code,
                call->message != NULL ? call->message : hy_rpc_code_text(call->code));
        TAILQ_REMOVE(&connection->calls, call, entry);
        connection->call_count--;
        call_destroy(call);
    }
    return ok;
}

/* ---- requests ---- */

/* Tell the client what is wrong with it, then drop what it sends until it hangs up. */
static void linger(
    struct hy_rpc_connection *connection, struct hy_rpc_id id, int code, const char *message)
{
    connection->state = HY_RPC_LINGER;
    hy_rpc_lines_fini(&connection->in);
    (void)hy_rpc_put_error(&connection->out, id, code, message);
    hy_timer_start(&connection->deadline, LINGER_MS);
}

/* False: no memory. */
static bool take_request(struct hy_rpc_connection *connection, struct hypha_span line)
{
    struct hy_rpc_call *call = hy_alloc(sizeof *call);
    struct hy_rpc_request request;
    struct hy_rpc_method method = { 0 };

    if (call == NULL)
        return false;
    int code = hy_rpc_request_parse(line, &request);
    call->connection = connection;
    call->id = request.id;
    TAILQ_INSERT_TAIL(&connection->calls, call, entry);
    connection->call_count++;
    if (code == HY_RPC_OK && !hy_rpc_server_find(connection->server, request.method, &method))
        code = HY_RPC_METHOD_NOT_FOUND;
    call->in_method = true;
    if (code != HY_RPC_OK)
        hy_rpc_call_error(call, code, NULL);
    else
        method.cb(call, request.params, method.user);
    call->in_method = false;
    if (call->connection == NULL) /* the method stopped the server */
        call_destroy(call);
    hy_rpc_request_fini(&request);
    return true;
}

static bool has_room(const struct hy_rpc_connection *connection)
{
    const struct hy_rpc_limits *limits = hy_rpc_server_limits(connection->server);

    return connection->call_count < limits->calls &&
        hy_rpc_buffer_size(&connection->out) < limits->queued_bytes;
}

static void send_out(struct hy_rpc_connection *connection)
{
    struct hypha_span out = hy_rpc_buffer_span(&connection->out);

    if (out.len == 0)
        return;
    struct iovec piece = { (void *)(uintptr_t)out.at, out.len };
    hy_rpc_buffer_take(&connection->out, hy_stream_write(connection->stream, &piece, 1));
}

static bool is_serving(const struct hy_rpc_connection *connection)
{
    return connection->state == HY_RPC_OPEN || connection->state == HY_RPC_DRAINING;
}

/* Lines become calls, calls become answers, while there is room; what is answered leaves
 * together when all lines are taken or the room is used up. False: no memory. */
static bool serve(struct hy_rpc_connection *connection)
{
    struct hypha_span line;

    for (;;) {
        if (!collect_answers(connection))
            return false;
        if (is_serving(connection) && !has_room(connection))
            send_out(connection);
        if (!is_serving(connection) || !has_room(connection))
            return true;
        switch (hy_rpc_lines_next(&connection->in, connection->ended, &line)) {
        case HY_RPC_LINE_NONE:
            return true;
        case HY_RPC_LINE_TOO_LONG:
            linger(connection, (struct hy_rpc_id){ 0 }, HY_RPC_INVALID_REQUEST, "request too long");
            return true;
        case HY_RPC_LINE:
            if (!take_request(connection, line))
                return false;
            break;
        }
    }
}

static bool is_sent(const struct hy_rpc_connection *connection)
{
    return hy_rpc_buffer_size(&connection->out) == 0 && hy_stream_pending(connection->stream) == 0;
}

/* Do all that can be done now. */
static void pump(struct hy_rpc_connection *connection)
{
    bool ok = true;

    if (connection->state == HY_RPC_OPENING || connection->state == HY_RPC_GONE)
        return;
    connection->busy++;
    if (is_serving(connection) && !serve(connection))
        ok = false;
    if (connection->state != HY_RPC_GONE) {
        send_out(connection);
        if (!ok ||
            (connection->state == HY_RPC_DRAINING && connection->call_count == 0 &&
                is_sent(connection) && hy_rpc_buffer_size(&connection->in.buffer) == 0) ||
            (connection->state == HY_RPC_LINGER && connection->ended && is_sent(connection)))
            hy_rpc_connection_close(connection);
        else if (connection->ended)
            hy_stream_read_stop(connection->stream);
        else if (connection->state == HY_RPC_LINGER || has_room(connection))
            hy_stream_read_start(connection->stream);
        else
            hy_stream_read_stop(connection->stream);
    }
    connection->busy--;
    connection_free_if_idle(connection);
}

/* ---- the stream's events ---- */

static void on_ready(struct hy_stream *stream, void *user)
{
    struct hy_rpc_connection *connection = user;

    (void)stream;
    hy_timer_stop(&connection->deadline);
    connection->state = HY_RPC_OPEN;
    if (connection->refused) /* spec: apps.md 2.2: id 0 */
        linger(connection, (struct hy_rpc_id){ .known = true }, HY_RPC_SERVER_ERROR,
            "too many connections");
    pump(connection);
}

static void on_read(struct hy_stream *stream, struct hypha_span bytes, void *user)
{
    struct hy_rpc_connection *connection = user;

    (void)stream;
    if (connection->state != HY_RPC_OPEN)
        return;
    if (hy_rpc_lines_feed(&connection->in, bytes) != HYPHA_OK)
        hy_rpc_connection_close(connection);
    else
        pump(connection);
}

static void on_writable(struct hy_stream *stream, void *user)
{
    (void)stream;
    pump(user);
}

static void on_end(struct hy_stream *stream, enum hypha_err why, void *user)
{
    struct hy_rpc_connection *connection = user;

    (void)stream;
    if (why != HYPHA_ERR_EOF || connection->state == HY_RPC_OPENING || connection->ended) {
        hy_rpc_connection_close(connection);
        return;
    }
    connection->ended = true;
    if (connection->state == HY_RPC_OPEN) {
        connection->state = HY_RPC_DRAINING;
        hy_timer_start(&connection->deadline, DRAINING_MS);
    }
    pump(connection);
}

static const struct hy_stream_events stream_events = {
    .on_ready = on_ready,
    .on_read = on_read,
    .on_writable = on_writable,
    .on_end = on_end,
};

static void on_deadline(void *user)
{
    hy_rpc_connection_close(user);
}

static void on_pump(void *user)
{
    pump(user);
}

enum hypha_err hy_rpc_connection_create(struct hy_rpc_server *server, struct hypha_loop *loop,
    struct hy_stream *stream, bool refused, struct hy_rpc_connection **ret_connection)
{
    struct hy_rpc_connection *connection = hy_alloc(sizeof *connection);

    if (connection == NULL) {
        hy_stream_close(stream);
        return HYPHA_ERR_NOMEM;
    }
    connection->server = server;
    connection->stream = stream;
    connection->refused = refused;
    connection->in.max = hy_rpc_server_limits(server)->request_bytes;
    TAILQ_INIT(&connection->calls);
    hy_defer_init(&connection->pump, loop, on_pump, connection);
    hy_timer_init(&connection->deadline, loop, on_deadline, connection);
    hy_timer_start(&connection->deadline, OPENING_MS);
    hy_stream_set_events(stream, &stream_events, connection);
    *ret_connection = connection;
    return HYPHA_OK;
}
