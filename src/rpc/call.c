/* rpc/call.c - what a method may do with its call: answer it, or make it a subscription. */
#include "base/alloc.h"
#include "rpc/connection.h"

#include <assert.h>

struct hy_rpc_call *hy_rpc_call_create(struct hy_rpc_connection *connection)
{
    struct hy_rpc_call *call = hy_alloc(sizeof *call);

    if (call == NULL)
        return NULL;
    call->connection = connection;
    call->client = connection->client;
    TAILQ_INSERT_TAIL(&connection->calls, call, entry);
    connection->call_count++;
    return call;
}

void hy_rpc_call_destroy(struct hy_rpc_call *call)
{
    json_decref(call->result);
    hy_free(call->message);
    hy_free(call);
}

static void call_answered(struct hy_rpc_call *call)
{
    assert(!call->answered);
    call->answered = true;
    if (call->connection != NULL)
        hy_rpc_connection_wake(call->connection);
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

uint64_t hy_rpc_call_client(const struct hy_rpc_call *call)
{
    return call->client;
}

enum hypha_err hy_rpc_call_subscribe(struct hy_rpc_call *call, bool lag, hy_rpc_unsubscribed_cb cb,
    void *user, struct hy_rpc_subscription **ret_subscription)
{
    struct hy_rpc_connection *connection = call->connection;
    struct hy_rpc_subscription *subscription;

    assert(call->in_method && !call->answered);
    if (connection == NULL)
        return HYPHA_ERR_CANCELLED;
    if (connection->subscription_count >= hy_rpc_server_limits(connection->server)->subscriptions)
        return HYPHA_ERR_LIMIT;
    enum hypha_err err = hy_rpc_subscription_create(connection, call->method, &subscription);
    if (err != HYPHA_OK)
        return err;
    subscription->lag = lag;
    subscription->cb = cb;
    subscription->user = user;
    TAILQ_INSERT_TAIL(&connection->subscriptions, subscription, entry);
    connection->subscription_count++;
    call->answer = call->event_stream ? HY_RPC_ANSWER_STREAM : HY_RPC_ANSWER_NONE;
    call_answered(call);
    *ret_subscription = subscription;
    return HYPHA_OK;
}

void hy_rpc_subscription_notify(
    struct hy_rpc_subscription *subscription, struct hy_rpc_notice *notice)
{
    struct hy_rpc_connection *connection = subscription->connection;

    if (connection->state == HY_RPC_GONE) /* others of it are just being told */
        return;
    hy_rpc_subscription_push(
        subscription, notice, connection->notice_order++, hy_rpc_server_limits(connection->server));
    hy_rpc_connection_wake(connection);
}
