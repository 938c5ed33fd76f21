#include "rpc/client.h"
#include "base/alloc.h"
#include "rpc/endpoint.h"
#include "transport/transport.h"

#include <stdio.h>
#include <string.h>

#define MAX_REPLY_BYTES (16U * 1024 * 1024) /* spec: apps.md 2.2 */

enum client_state { CLIENT_DIALING, CLIENT_OPEN, CLIENT_ENDED };

struct client_call {
    struct hy_rpc_client *client;
    int64_t id;
    hy_rpc_reply_cb cb;
    void *user;
    struct hy_timer deadline;
    TAILQ_ENTRY(client_call) entry;
};

struct client_subscription {
    int64_t id; /* of its request: an error may answer it */
    char *method;
    hy_rpc_notified_cb cb;
    void *user;
    TAILQ_ENTRY(client_subscription) entry;
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
    TAILQ_HEAD(, client_call) calls; /* both in the order of their ids */
    TAILQ_HEAD(, client_subscription) subscriptions;
    int64_t next_id;
    int64_t auth_id; /* of the request with the token; 0: none, or answered */
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

static void subscription_forget(
    struct hy_rpc_client *client, struct client_subscription *subscription)
{
    TAILQ_REMOVE(&client->subscriptions, subscription, entry);
    hy_free(subscription->method);
    hy_free(subscription);
}

static void subscription_tell_end(struct hy_rpc_client *client,
    struct client_subscription *subscription, enum hypha_err err, int code, const char *message)
{
    hy_rpc_notified_cb cb = subscription->cb;
    void *user = subscription->user;

    subscription_forget(client, subscription);
    cb(user, err, NULL, code, message);
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

/* Between enter() and leave(). Those who ask again when they are told are told later. */
static void client_end(struct hy_rpc_client *client, enum hypha_err why)
{
    struct hy_rpc_reply reply = { .err = why };
    struct client_call *call;
    struct client_subscription *subscription;
    int64_t until = client->next_id;

    client->state = CLIENT_ENDED;
    client->why = why;
    hy_timer_stop(&client->dial_deadline);
    hy_stream_close(client->stream);
    client->stream = NULL;
    while (!client->destroyed && (call = TAILQ_FIRST(&client->calls)) != NULL && call->id < until)
        call_tell(call, &reply);
    while (!client->destroyed && (subscription = TAILQ_FIRST(&client->subscriptions)) != NULL &&
        subscription->id < until)
        subscription_tell_end(client, subscription, why, 0, NULL);
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

static struct client_subscription *subscription_find(
    struct hy_rpc_client *client, int64_t id, const char *method)
{
    struct client_subscription *subscription;

    TAILQ_FOREACH (subscription, &client->subscriptions, entry)
        if (method != NULL ? strcmp(subscription->method, method) == 0 : subscription->id == id)
            return subscription;
    return NULL;
}

static void take_notification(
    struct hy_rpc_client *client, const struct hy_rpc_notification *notification)
{
    struct client_subscription *subscription = subscription_find(client, 0, notification->method);

    if (subscription != NULL) /* else nobody asked */
        subscription->cb(subscription->user, HYPHA_OK, notification->params, 0, NULL);
}

/* A server without a token knows no such method: then it wants none. */
static enum hypha_err take_auth_reply(
    struct hy_rpc_client *client, const struct hy_rpc_reply *reply)
{
    client->auth_id = 0;
    return reply->result != NULL || reply->code == HY_RPC_METHOD_NOT_FOUND ? HYPHA_OK
                                                                           : HYPHA_ERR_ACCESS;
}

static enum hypha_err take_reply(struct hy_rpc_client *client, const struct hy_rpc_reply *reply)
{
    struct client_call *call = call_find(client, reply->id);
    struct client_subscription *subscription = subscription_find(client, reply->id, NULL);

    if (client->auth_id != 0 && reply->id == client->auth_id)
        return take_auth_reply(client, reply);
    /* id 0: said to all, before the server hangs up. */
    if (call == NULL && subscription == NULL && reply->result == NULL && reply->id <= 0) {
        call = TAILQ_FIRST(&client->calls);
        subscription = TAILQ_FIRST(&client->subscriptions);
    }
    if (call != NULL) /* else it came too late */
        call_tell(call, reply);
    else if (subscription != NULL && reply->result == NULL) /* a result only acknowledges */
        subscription_tell_end(client, subscription, HYPHA_ERR_REFUSED, reply->code, reply->message);
    return HYPHA_OK;
}

static enum hypha_err take_line(struct hy_rpc_client *client, struct hypha_span line)
{
    struct hy_rpc_notification notification;
    struct hy_rpc_reply reply;
    json_t *root = NULL;
    enum hypha_err err = hy_rpc_json_parse(line, &root);

    if (err != HYPHA_OK)
        return err;
    if (hy_rpc_notification_of(root, &notification))
        take_notification(client, &notification);
    else if ((err = hy_rpc_reply_of(root, line, &reply)) == HYPHA_OK)
        err = take_reply(client, &reply);
    json_decref(root);
    return err;
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
    TAILQ_INIT(&client->subscriptions);
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
    while (!TAILQ_EMPTY(&client->subscriptions))
        subscription_forget(client, TAILQ_FIRST(&client->subscriptions));
    client_free_if_idle(client);
}

bool hy_rpc_client_is_open(const struct hy_rpc_client *client)
{
    return client->state == CLIENT_OPEN;
}

enum hypha_err hy_rpc_client_set_token(struct hy_rpc_client *client, const char *token)
{
    json_t *params = json_pack("[s]", token);
    bool ok = params != NULL &&
        hy_rpc_put_request(&client->out, client->next_id, HY_RPC_AUTH, params);

    json_decref(params);
    if (!ok)
        return HYPHA_ERR_NOMEM;
    client->auth_id = client->next_id++;
    flush(client);
    return HYPHA_OK;
}

/* On its way, or told of the end later. */
static void send_asked(struct hy_rpc_client *client)
{
    if (client->state == CLIENT_ENDED)
        hy_defer_start(&client->fail);
    else
        flush(client);
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
    send_asked(client);
    return HYPHA_OK;
}

enum hypha_err hy_rpc_client_subscribe(struct hy_rpc_client *client, const char *method,
    json_t *params, hy_rpc_notified_cb cb, void *user)
{
    struct client_subscription *subscription = NULL;
    enum hypha_err err = HYPHA_ERR_NOMEM;

    if (subscription_find(client, 0, method) != NULL) {
        err = HYPHA_ERR_EXISTS;
        goto fail;
    }
    subscription = hy_alloc(sizeof *subscription);
    if (subscription == NULL || (subscription->method = hy_strdup(method)) == NULL ||
        !hy_rpc_put_request(&client->out, client->next_id, method, params))
        goto fail;
    json_decref(params);
    subscription->id = client->next_id++;
    subscription->cb = cb;
    subscription->user = user;
    TAILQ_INSERT_TAIL(&client->subscriptions, subscription, entry);
    send_asked(client);
    return HYPHA_OK;
fail:
    if (subscription != NULL)
        hy_free(subscription->method);
    hy_free(subscription);
    json_decref(params);
    return err;
}
