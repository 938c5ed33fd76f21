#include "rpc/client.h"
#include "base/alloc.h"
#include "rpc/endpoint.h"
#include "transport/transport.h"

#include <stdio.h>

#define MAX_REPLY_BYTES (64U * 1024 * 1024) /* R's servers know no bound */

enum client_state { CLIENT_DIALING, CLIENT_OPEN, CLIENT_ENDED };

struct client_call {
    struct hy_rpc_client *client;
    int64_t id;
    hy_rpc_reply_cb cb;
    void *user;
    struct hy_timer deadline;
    TAILQ_ENTRY(client_call) entry;
};

struct hy_rpc_client {
    struct hypha_loop *loop;
    enum client_state state;
    struct hy_rpc_endpoint endpoint;
    struct hy_transport *transport;
    struct hy_tls_identity *identity;
    struct hy_stream *stream;
    struct hy_rpc_buffer out;
    struct hy_rpc_lines in;
    TAILQ_HEAD(, client_call) calls;
    int64_t next_id;
    struct hy_timer dial_deadline;
    struct hy_defer fail; /* tells calls of an end found inside a call */
    enum hypha_err why;
    unsigned busy;
    bool destroyed;
};

/* ---- the end of calls ---- */

static void call_forget(struct client_call *call)
{
    TAILQ_REMOVE(&call->client->calls, call, entry);
    hy_timer_stop(&call->deadline);
    hy_free(call);
}

static void call_tell(struct client_call *call, const struct hy_rpc_reply *reply)
{
    hy_rpc_reply_cb cb = call->cb;
    void *user = call->user;

    call_forget(call);
    cb(user, reply);
}

static void client_free_if_idle(struct hy_rpc_client *client)
{
    if (!client->destroyed || client->busy > 0)
        return;
    hy_transport_destroy(client->transport);
    hy_tls_identity_unref(client->identity);
    hy_rpc_endpoint_fini(&client->endpoint);
    hy_rpc_buffer_fini(&client->out);
    hy_rpc_lines_fini(&client->in);
    hy_free(client);
}

static void enter(struct hy_rpc_client *client)
{
    client->busy++;
}

static void leave(struct hy_rpc_client *client)
{
    client->busy--;
    client_free_if_idle(client);
}

/* Between enter() and leave(). */
static void client_end(struct hy_rpc_client *client, enum hypha_err why)
{
    struct hy_rpc_reply reply = { .err = why };

    client->state = CLIENT_ENDED;
    client->why = why;
    hy_timer_stop(&client->dial_deadline);
    hy_stream_close(client->stream);
    client->stream = NULL;
    while (!client->destroyed && !TAILQ_EMPTY(&client->calls))
        call_tell(TAILQ_FIRST(&client->calls), &reply);
}

/* ---- the stream's events ---- */

static void flush(struct hy_rpc_client *client)
{
    struct hypha_span out = hy_rpc_buffer_span(&client->out);

    if (client->state != CLIENT_OPEN || out.len == 0)
        return;
    struct iovec piece = { (void *)(uintptr_t)out.at, out.len };
    hy_rpc_buffer_take(&client->out, hy_stream_write(client->stream, &piece, 1));
}

static void on_ready(struct hy_stream *stream, void *user)
{
    struct hy_rpc_client *client = user;

    hy_timer_stop(&client->dial_deadline);
    client->state = CLIENT_OPEN;
    hy_stream_read_start(stream);
    flush(client);
}

static struct client_call *call_find(struct hy_rpc_client *client, int64_t id)
{
    struct client_call *call;

    TAILQ_FOREACH (call, &client->calls, entry)
        if (call->id == id)
            return call;
    /* id null: the server could not read it, so it can only mean the oldest. */
    return id == -1 ? TAILQ_FIRST(&client->calls) : NULL;
}

static enum hypha_err take_line(struct hy_rpc_client *client, struct hypha_span line)
{
    struct hy_rpc_reply reply;
    json_t *root;
    enum hypha_err err = hy_rpc_reply_parse(line, &reply, &root);

    if (err != HYPHA_OK)
        return err;
    struct client_call *call = call_find(client, reply.id);
    if (call != NULL) /* else it came too late, or id 0: said to all and to nobody */
        call_tell(call, &reply);
    else if (reply.id == 0 && reply.result == NULL && !TAILQ_EMPTY(&client->calls))
        call_tell(TAILQ_FIRST(&client->calls), &reply);
    json_decref(root);
    return HYPHA_OK;
}

static void on_read(struct hy_stream *stream, struct hypha_span bytes, void *user)
{
    struct hy_rpc_client *client = user;
    struct hypha_span line;
    enum hypha_err err = hy_rpc_lines_feed(&client->in, bytes);

    (void)stream;
    enter(client);
    while (err == HYPHA_OK && client->state == CLIENT_OPEN && !client->destroyed) {
        enum hy_rpc_line got = hy_rpc_lines_next(&client->in, false, &line);

        if (got == HY_RPC_LINE_NONE)
            break;
        err = got == HY_RPC_LINE ? take_line(client, line) : HYPHA_ERR_LIMIT;
    }
    if (err != HYPHA_OK && !client->destroyed)
        client_end(client, err);
    leave(client);
}

static void on_writable(struct hy_stream *stream, void *user)
{
    (void)stream;
    flush(user);
}

static void on_end(struct hy_stream *stream, enum hypha_err why, void *user)
{
    struct hy_rpc_client *client = user;

    (void)stream;
    enter(client);
    client_end(client, why);
    leave(client);
}

static const struct hy_stream_events stream_events = {
    .on_ready = on_ready,
    .on_read = on_read,
    .on_writable = on_writable,
    .on_end = on_end,
};

static void on_dial_deadline(void *user)
{
    struct hy_rpc_client *client = user;

    enter(client);
    client_end(client, HYPHA_ERR_TIMEOUT);
    leave(client);
}

static void on_fail(void *user)
{
    struct hy_rpc_client *client = user;

    enter(client);
    client_end(client, client->why);
    leave(client);
}

static void on_call_deadline(void *user)
{
    struct client_call *call = user;
    struct hy_rpc_client *client = call->client;
    struct hy_rpc_reply reply = { .err = HYPHA_ERR_TIMEOUT };

    enter(client);
    call_tell(call, &reply);
    leave(client);
}

/* ---- for the callers ---- */

static enum hypha_err client_dial(struct hy_rpc_client *client)
{
    struct hy_stream *stream = NULL;
    enum hypha_err err = hy_rpc_endpoint_transport(
        &client->endpoint, client->loop, &client->transport);

    if (err == HYPHA_OK && client->endpoint.scheme == HY_RPC_TLS)
        err = hy_tls_identity_create(client->loop, &client->identity);
    if (err == HYPHA_OK)
        err = client->transport->ops->dial(client->transport, client->endpoint.dial, &stream);
    if (err == HYPHA_OK && client->endpoint.scheme == HY_RPC_TLS)
        err = hy_tls_stream_create(
            client->loop, stream, HY_TLS_CLIENT, client->identity, false, &stream);
    if (err != HYPHA_OK)
        return err;
    client->stream = stream;
    hy_stream_set_events(stream, &stream_events, client);
    hy_timer_start(&client->dial_deadline, HY_RPC_CLIENT_TIMEOUT_MS);
    return HYPHA_OK;
}

enum hypha_err hy_rpc_client_create(
    struct hypha_loop *loop, const char *endpoint, struct hy_rpc_client **ret_client, char why[256])
{
    struct hy_rpc_client *client = hy_alloc(sizeof *client);

    if (client == NULL) {
        (void)snprintf(why, 256, "%s", hypha_err_text(HYPHA_ERR_NOMEM));
        return HYPHA_ERR_NOMEM;
    }
    hy_rpc_json_init();
    client->loop = loop;
    client->in.max = MAX_REPLY_BYTES;
    client->next_id = 1;
    TAILQ_INIT(&client->calls);
    hy_timer_init(&client->dial_deadline, loop, on_dial_deadline, client);
    hy_defer_init(&client->fail, loop, on_fail, client);
    enum hypha_err err = hy_rpc_endpoint_dial(endpoint, &client->endpoint, why);
    if (err != HYPHA_OK) {
        hy_rpc_client_destroy(client);
        return err;
    }
    err = client_dial(client);
    if (err != HYPHA_OK) {
        (void)snprintf(why, 256, "%.150s: %s", endpoint, hypha_err_text(err));
        hy_rpc_client_destroy(client);
        return err;
    }
    *ret_client = client;
    return HYPHA_OK;
}

void hy_rpc_client_destroy(struct hy_rpc_client *client)
{
    if (client == NULL || client->destroyed)
        return;
    client->destroyed = true;
    client->state = CLIENT_ENDED;
    hy_timer_stop(&client->dial_deadline);
    hy_defer_stop(&client->fail);
    hy_stream_close(client->stream);
    client->stream = NULL;
    while (!TAILQ_EMPTY(&client->calls))
        call_forget(TAILQ_FIRST(&client->calls));
    client_free_if_idle(client);
}

bool hy_rpc_client_is_open(const struct hy_rpc_client *client)
{
    return client->state == CLIENT_OPEN;
}

enum hypha_err hy_rpc_client_call(struct hy_rpc_client *client, const char *method, json_t *params,
    uint32_t timeout_ms, hy_rpc_reply_cb cb, void *user)
{
    struct client_call *call = hy_alloc(sizeof *call);
    bool ok = call != NULL && hy_rpc_put_request(&client->out, client->next_id, method, params);

    json_decref(params);
    if (!ok) {
        hy_free(call);
        return HYPHA_ERR_NOMEM;
    }
    *call =
        (struct client_call){ .client = client, .id = client->next_id++, .cb = cb, .user = user };
    hy_timer_init(&call->deadline, client->loop, on_call_deadline, call);
    hy_timer_start(&call->deadline, timeout_ms > 0 ? timeout_ms : HY_RPC_CLIENT_TIMEOUT_MS);
    TAILQ_INSERT_TAIL(&client->calls, call, entry);
    if (client->state == CLIENT_ENDED)
        hy_defer_start(&client->fail);
    else
        flush(client);
    return HYPHA_OK;
}
