/* rpc/connection.c - the life of one client, and what goes out to it: answers in the order of the
 * requests, then notices. request.c has what comes in. */
#include "rpc/connection.h"
#include "base/alloc.h"
#include "base/span.h"

#include <assert.h>
#include <string.h>

#define OPENING_MS 10000U
#define TOKEN_MS   30000U
#define LINGER_MS  1000U
/* Notices become bytes in portions of about this size. */
#define NOTICE_BATCH (64U * 1024)

/* ---- the end ---- */

static void connection_free_if_idle(struct hy_rpc_connection *connection)
{
    if (connection->state != HY_RPC_GONE || connection->busy > 0)
        return;
    hy_rpc_connection_drop_input(connection);
    hy_rpc_buffer_fini(&connection->out);
    hy_free(connection);
}

static void end_subscriptions(struct hy_rpc_connection *connection)
{
    struct hy_rpc_subscription *subscription;

    while ((subscription = TAILQ_FIRST(&connection->subscriptions)) != NULL) {
        TAILQ_REMOVE(&connection->subscriptions, subscription, entry);
        connection->subscription_count--;
        if (subscription->cb != NULL)
            subscription->cb(subscription, subscription->user);
        hy_rpc_subscription_destroy(subscription);
    }
}

static void cancel_calls(struct hy_rpc_connection *connection)
{
    struct hy_rpc_call *call;

    while ((call = TAILQ_FIRST(&connection->calls)) != NULL) {
        TAILQ_REMOVE(&connection->calls, call, entry);
        if (!call->answered && call->on_cancel != NULL)
            call->on_cancel(call, call->user);
        call->connection = NULL;
        if (!call->in_method) /* else the method still holds it */
            hy_rpc_call_destroy(call);
    }
}

void hy_rpc_connection_close(struct hy_rpc_connection *connection)
{
    if (connection->state == HY_RPC_GONE)
        return;
    connection->state = HY_RPC_GONE;
    connection->busy++;
    hy_rpc_server_forget(connection->server, connection);
    hy_stream_close(connection->stream);
    connection->stream = NULL;
    hy_timer_stop(&connection->deadline);
    hy_defer_stop(&connection->pump);
    cancel_calls(connection);
    end_subscriptions(connection);
    if (!connection->refused)
        hy_rpc_server_client_gone(connection->server, connection->client);
    connection->busy--;
    connection_free_if_idle(connection);
}

/* ---- what goes out ---- */

void hy_rpc_connection_wake(struct hy_rpc_connection *connection)
{
    if (connection->busy == 0)
        hy_defer_start(&connection->pump);
}

/* False: no memory. */
static bool put_json(struct hy_rpc_buffer *out, struct hy_rpc_call *call)
{
    /* A result that can't be written (bad UTF-8 in it, say) is our fault, not silence. */
    if (call->code == HY_RPC_OK) {
        if (hy_rpc_put_result(out, call->id, call->result))
            return true;
        call->code = HY_RPC_INTERNAL_ERROR;
    }
    return hy_rpc_put_error(out, call->id, call->code,
        call->message != NULL ? call->message : hy_rpc_code_text(call->code));
}

/* spec: apps.md 2.2: replies 200, errors 400, the body without line end */
static bool put_http(struct hy_rpc_buffer *out, struct hy_rpc_call *call)
{
    struct hy_rpc_buffer line = { 0 };
    bool ok = put_json(&line, call);

    if (ok) {
        struct hypha_span body = hy_rpc_buffer_span(&line);

        if (call->status == 0)
            call->status = call->code == HY_RPC_OK ? HY_RPC_HTTP_OK : HY_RPC_HTTP_BAD_REQUEST;
        body.len -= 2;
        ok = hy_rpc_http_put_response(out, call->status, call->last, body);
    }
    hy_rpc_buffer_fini(&line);
    return ok;
}

static bool put_answer(struct hy_rpc_connection *connection, struct hy_rpc_call *call)
{
    switch (call->answer) {
    case HY_RPC_ANSWER_REPLY:
        return connection->http ? put_http(&connection->out, call)
                                : put_json(&connection->out, call);
    case HY_RPC_ANSWER_NONE:
        return true;
    case HY_RPC_ANSWER_STREAM:
        connection->streams = true;
        return hy_rpc_http_put_stream(&connection->out);
    case HY_RPC_ANSWER_CONTINUE:
        return hy_rpc_http_put_continue(&connection->out);
    }
    return false;
}

/* Answered calls at the head of the queue go out. False: no memory. */
static bool collect_answers(struct hy_rpc_connection *connection)
{
    struct hy_rpc_call *call;
    bool ok = true;

    while (ok && (call = TAILQ_FIRST(&connection->calls)) != NULL && call->answered) {
        ok = put_answer(connection, call);
        TAILQ_REMOVE(&connection->calls, call, entry);
        connection->call_count--;
        hy_rpc_call_destroy(call);
    }
    return ok;
}

static bool put_notice(struct hy_rpc_connection *connection, const struct hy_rpc_notice *notice)
{
    struct hypha_span text = hy_rpc_notice_text(notice);

    if (!connection->http)
        return hy_rpc_buffer_put(&connection->out, notice->line, notice->len);
    return connection->streams
        ? hy_rpc_http_put_event(&connection->out, text)
        : hy_rpc_http_put_response(&connection->out, HY_RPC_HTTP_OK, false, text);
}

static bool is_serving(const struct hy_rpc_connection *connection)
{
    return connection->state == HY_RPC_OPEN || connection->state == HY_RPC_STREAM ||
        connection->state == HY_RPC_DRAINING;
}

/* What may be told now; NULL: nothing. Events do not come before the answers that are due. */
static struct hy_rpc_subscription *next_to_tell(const struct hy_rpc_connection *connection)
{
    if (!is_serving(connection) || (connection->state == HY_RPC_STREAM && !connection->streams))
        return NULL;
    return hy_rpc_subscription_oldest(&connection->subscriptions);
}

/* A portion of the notices that wait. What there is no memory for is dropped as if the queue
 * had been full. */
static void collect_notices(struct hy_rpc_connection *connection)
{
    struct hy_rpc_subscription *subscription;

    while (hy_rpc_buffer_size(&connection->out) < NOTICE_BATCH &&
        (subscription = next_to_tell(connection)) != NULL) {
        struct hy_rpc_notice *notice = hy_rpc_subscription_take(subscription);

        if (!put_notice(connection, notice))
            subscription->dropped++;
        hy_rpc_notice_unref(notice);
    }
}

static void send_out(struct hy_rpc_connection *connection)
{
    struct hypha_span out = hy_rpc_buffer_span(&connection->out);

    if (out.len == 0)
        return;
    struct iovec piece = { (void *)(uintptr_t)out.at, out.len };
    size_t taken = hy_stream_write(connection->stream, &piece, 1);
    hy_rpc_buffer_take(&connection->out, taken);
    if (taken > 0 || connection->moved_ms == 0)
        connection->moved_ms = hy_now_ms(connection->loop);
    if (taken == out.len)
        connection->moved_ms = 0;
}

uint64_t hy_rpc_connection_stalled_ms(const struct hy_rpc_connection *connection)
{
    uint64_t now = hy_now_ms(connection->loop);

    if (connection->state == HY_RPC_OPENING || !connection->authorised)
        return now - connection->born_ms;
    return connection->moved_ms == 0 ? 0 : now - connection->moved_ms;
}

/* Replies first, then as many notices as the client takes. */
static void send_all(struct hy_rpc_connection *connection)
{
    do {
        collect_notices(connection);
        send_out(connection);
    } while (hy_rpc_buffer_size(&connection->out) == 0 && next_to_tell(connection) != NULL);
}

/* ---- the pump ---- */

static bool has_room(const struct hy_rpc_connection *connection)
{
    const struct hy_rpc_limits *limits = hy_rpc_server_limits(connection->server);

    return connection->call_count < limits->calls &&
        hy_rpc_buffer_size(&connection->out) < limits->queued_bytes;
}

/* Requests become calls, calls become answers, while there is room; what is answered leaves
 * together when all requests are taken or the room is used up. False: no memory. */
static bool serve(struct hy_rpc_connection *connection)
{
    enum hy_rpc_took took = HY_RPC_TOOK_ONE;

    while (took == HY_RPC_TOOK_ONE) {
        if (!collect_answers(connection))
            return false;
        if (is_serving(connection) && !has_room(connection))
            send_out(connection);
        if (!is_serving(connection) || !has_room(connection))
            return true;
        took = hy_rpc_connection_take(connection);
    }
    return took == HY_RPC_TOOK_NONE;
}

static bool is_sent(const struct hy_rpc_connection *connection)
{
    return hy_rpc_buffer_size(&connection->out) == 0 && hy_stream_pending(connection->stream) == 0;
}

/* Is it over? DRAINING may become LINGER here. */
static bool is_over(struct hy_rpc_connection *connection)
{
    /* After "Connection: close" a subscription goes on. */
    bool drained = connection->call_count == 0 && hy_rpc_connection_took_all(connection) &&
        (connection->ended || connection->lingers || connection->subscription_count == 0);

    if (connection->state == HY_RPC_DRAINING && drained && is_sent(connection)) {
        if (!connection->lingers)
            return true;
        connection->state = HY_RPC_LINGER;
        hy_timer_start(&connection->deadline, LINGER_MS);
    }
    return connection->state == HY_RPC_LINGER && connection->ended;
}

/* Do all that can be done now. */
static void pump(struct hy_rpc_connection *connection)
{
    if (connection->state == HY_RPC_OPENING || connection->state == HY_RPC_GONE)
        return;
    connection->busy++;
    bool ok = !is_serving(connection) || serve(connection);
    if (connection->state != HY_RPC_GONE) {
        send_all(connection);
        if (!ok || is_over(connection))
            hy_rpc_connection_close(connection);
        else if (!connection->ended && (connection->state != HY_RPC_OPEN || has_room(connection)))
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
    enum hy_rpc_took took = HY_RPC_TOOK_ONE;

    (void)stream;
    hy_timer_stop(&connection->deadline);
    connection->state = HY_RPC_OPEN;
    if (connection->refused) /* spec: apps.md 2.2: id 0 */
        took = hy_rpc_connection_refuse(connection, (struct hy_rpc_id){ .known = true },
            HY_RPC_HTTP_UNAVAILABLE, HY_RPC_SERVER_ERROR, "too many connections");
    else if (!connection->authorised)
        hy_timer_start(&connection->deadline, TOKEN_MS);
    if (took == HY_RPC_TOOK_ONE)
        pump(connection);
    else
        hy_rpc_connection_close(connection);
}

static void on_read(struct hy_stream *stream, struct hypha_span bytes, void *user)
{
    struct hy_rpc_connection *connection = user;

    (void)stream;
    if (connection->state != HY_RPC_OPEN)
        return;
    if (hy_rpc_connection_feed(connection, bytes) != HYPHA_OK)
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
    connection->busy++;
    connection->ended = true;
    end_subscriptions(connection);
    if (is_serving(connection)) {
        connection->state = HY_RPC_DRAINING;
        hy_timer_start(&connection->deadline, HY_RPC_DRAINING_MS);
    }
    pump(connection);
    connection->busy--;
    connection_free_if_idle(connection);
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
    struct hy_stream *stream, uint64_t client, bool refused,
    struct hy_rpc_connection **ret_connection)
{
    struct hy_rpc_connection *connection = hy_alloc(sizeof *connection);

    if (connection == NULL) {
        hy_stream_close(stream);
        return HYPHA_ERR_NOMEM;
    }
    connection->server = server;
    connection->loop = loop;
    connection->stream = stream;
    connection->client = client;
    connection->born_ms = hy_now_ms(loop);
    connection->refused = refused;
    connection->authorised = hy_rpc_server_token(server) == NULL;
    connection->http = hy_rpc_server_is_http(server);
    hy_rpc_connection_set_limits(connection);
    TAILQ_INIT(&connection->calls);
    TAILQ_INIT(&connection->subscriptions);
    hy_defer_init(&connection->pump, loop, on_pump, connection);
    hy_timer_init(&connection->deadline, loop, on_deadline, connection);
    hy_timer_start(&connection->deadline, OPENING_MS);
    hy_stream_set_events(stream, &stream_events, connection);
    *ret_connection = connection;
    return HYPHA_OK;
}
