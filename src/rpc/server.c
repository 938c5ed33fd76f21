/* rpc/server.c - the methods, the clients and the listening socket of one server. */
#include "rpc/server.h"
#include "base/alloc.h"
#include "base/map.h"
#include "base/token.h"
#include "rpc/connection.h"
#include "rpc/endpoint.h"
#include "transport/transport.h"
#include "url/url.h"

#include <stdio.h>
#include <string.h>

#define TARGET "rpc::server"

struct method_entry {
    char *name;
    struct hy_rpc_method method; /* cb NULL: only disabled, never added */
    bool disabled;
    UT_hash_handle hh;
};

struct hy_rpc_server {
    struct hypha_loop *loop;
    struct hy_log log;
    struct hy_rpc_limits limits;
    struct method_entry *methods;
    struct hy_rpc_connection_list connections;
    size_t connection_count;
    size_t refused_count; /* of them: only being told so */
    uint64_t next_client;
    char *token; /* NULL: none is asked for */
    void (*on_client_gone)(uint64_t client, void *user);
    void *gone_user;

    struct hy_rpc_endpoint endpoint;
    struct hy_transport *transport;
    struct hy_tls_identity *identity; /* tcp+tls */
    void *request;                    /* a listen under way */
    struct hy_listener *listener;
    struct hypha_url *bound; /* the endpoint's scheme, the real port; until the stop */
    char *url;               /* as shown, while listening */
    hy_rpc_listening_cb cb;
    void *user;
};

enum hypha_err hy_rpc_server_create(struct hypha_loop *loop, const struct hy_log *log,
    const struct hy_rpc_limits *limits, struct hy_rpc_server **ret_server)
{
    struct hy_rpc_server *server = hy_alloc(sizeof *server);

    if (server == NULL)
        return HYPHA_ERR_NOMEM;
    hy_rpc_json_init();
    server->loop = loop;
    server->log = *log;
    if (limits != NULL)
        server->limits = *limits;
    if (server->limits.connections == 0)
        server->limits.connections = 64;
    if (server->limits.request_bytes == 0)
        server->limits.request_bytes = 1024 * 1024;
    if (server->limits.calls == 0)
        server->limits.calls = 64;
    if (server->limits.queued_bytes == 0)
        server->limits.queued_bytes = 256 * 1024;
    if (server->limits.subscriptions == 0)
        server->limits.subscriptions = 16;
    if (server->limits.notices == 0)
        server->limits.notices = 1024;
    if (server->limits.notice_bytes == 0)
        server->limits.notice_bytes = 4 * 1024 * 1024;
    if (server->limits.stalled_ms == 0)
        server->limits.stalled_ms = 10000;
    server->next_client = 1;
    TAILQ_INIT(&server->connections);
    *ret_server = server;
    return HYPHA_OK;
}

void hy_rpc_server_destroy(struct hy_rpc_server *server)
{
    struct method_entry *entry, *next;

    if (server == NULL)
        return;
    hy_rpc_server_stop(server);
    HASH_ITER (hh, server->methods, entry, next) {
        HASH_DEL(server->methods, entry);
        hy_free(entry->name);
        hy_free(entry);
    }
    hy_free(server->token);
    hy_free(server);
}

const struct hy_rpc_limits *hy_rpc_server_limits(const struct hy_rpc_server *server)
{
    return &server->limits;
}

/* ---- the access token ---- */

enum hypha_err hy_rpc_server_set_token(struct hy_rpc_server *server, const char *token)
{
    char *copy = NULL;

    if (token != NULL) {
        if (!hy_token_is_valid(token))
            return HYPHA_ERR_INVALID;
        copy = hy_strdup(token);
        if (copy == NULL)
            return HYPHA_ERR_NOMEM;
    }
    hy_free(server->token);
    server->token = copy;
    return HYPHA_OK;
}

const char *hy_rpc_server_token(const struct hy_rpc_server *server)
{
    return server->token;
}

/* ---- methods ---- */

static struct method_entry *method_get(struct hy_rpc_server *server, const char *name)
{
    struct method_entry *entry = NULL;

    HASH_FIND_STR(server->methods, name, entry);
    if (entry != NULL)
        return entry;
    entry = hy_alloc(sizeof *entry);
    if (entry == NULL || (entry->name = hy_strdup(name)) == NULL)
        goto fail;
    HASH_ADD_KEYPTR(hh, server->methods, entry->name, strlen(entry->name), entry);
    if (entry->hh.tbl == NULL)
        goto fail;
    return entry;
fail:
    if (entry != NULL)
        hy_free(entry->name);
    hy_free(entry);
    return NULL;
}

enum hypha_err hy_rpc_server_add(
    struct hy_rpc_server *server, const char *name, hy_rpc_method_cb cb, void *user)
{
    struct method_entry *entry = method_get(server, name);

    if (entry == NULL)
        return HYPHA_ERR_NOMEM;
    if (entry->method.cb != NULL)
        return HYPHA_ERR_EXISTS;
    entry->method = (struct hy_rpc_method){ cb, user };
    return HYPHA_OK;
}

enum hypha_err hy_rpc_server_disable(struct hy_rpc_server *server, const char *name)
{
    struct method_entry *entry = method_get(server, name);

    if (entry == NULL)
        return HYPHA_ERR_NOMEM;
    entry->disabled = true;
    return HYPHA_OK;
}

bool hy_rpc_server_find(
    const struct hy_rpc_server *server, const char *name, struct hy_rpc_method *ret_method)
{
    struct method_entry *entry = NULL;

    HASH_FIND_STR(server->methods, name, entry);
    if (entry == NULL || entry->disabled || entry->method.cb == NULL)
        return false;
    *ret_method = entry->method;
    return true;
}

void hy_rpc_server_enable_all(struct hy_rpc_server *server)
{
    struct method_entry *entry, *next;

    HASH_ITER (hh, server->methods, entry, next)
        entry->disabled = false;
}

void hy_rpc_server_each_unknown(
    const struct hy_rpc_server *server, void (*each)(const char *name, void *user), void *user)
{
    struct method_entry *entry, *next;

    HASH_ITER (hh, server->methods, entry, next)
        if (entry->disabled && entry->method.cb == NULL)
            each(entry->name, user);
}

/* The first name after `after` among those that can be called; NULL: none. */
static const char *next_name(const struct hy_rpc_server *server, const char *after)
{
    const char *found = server->token != NULL && strcmp(HY_RPC_AUTH, after) > 0 ? HY_RPC_AUTH
                                                                                : NULL;
    struct method_entry *entry, *next;

    HASH_ITER (hh, server->methods, entry, next)
        if (!entry->disabled && entry->method.cb != NULL && strcmp(entry->name, after) > 0 &&
            (found == NULL || strcmp(entry->name, found) < 0))
            found = entry->name;
    return found;
}

void hy_rpc_server_each_method(
    const struct hy_rpc_server *server, void (*each)(const char *name, void *user), void *user)
{
    const char *name = "";

    while ((name = next_name(server, name)) != NULL)
        each(name, user);
}

/* ---- connections ---- */

size_t hy_rpc_server_connection_count(const struct hy_rpc_server *server)
{
    return server->connection_count;
}

void hy_rpc_server_forget(struct hy_rpc_server *server, struct hy_rpc_connection *connection)
{
    TAILQ_REMOVE(&server->connections, connection, entry);
    server->connection_count--;
    if (connection->refused)
        server->refused_count--;
}

void hy_rpc_server_on_client_gone(
    struct hy_rpc_server *server, void (*cb)(uint64_t client, void *user), void *user)
{
    server->on_client_gone = cb;
    server->gone_user = user;
}

void hy_rpc_server_client_gone(struct hy_rpc_server *server, uint64_t client)
{
    if (server->on_client_gone != NULL)
        server->on_client_gone(client, server->gone_user);
}

/* Clients that take nothing, or show no token, may stay while nobody else wants their place. */
static bool make_place(struct hy_rpc_server *server)
{
    struct hy_rpc_connection *connection, *worst = NULL;
    uint64_t longest = server->limits.stalled_ms;

    TAILQ_FOREACH (connection, &server->connections, entry)
        if (!connection->refused && hy_rpc_connection_stalled_ms(connection) >= longest) {
            longest = hy_rpc_connection_stalled_ms(connection);
            worst = connection;
        }
    if (worst == NULL)
        return false;
    hy_log_warn(&server->log, TARGET, "A client that did nothing for %llu s made room for another",
        (unsigned long long)longest / 1000);
    hy_rpc_connection_close(worst);
    return true;
}

static void on_accept(
    struct hy_listener *listener, struct hy_stream *stream, struct hypha_url *peer, void *user)
{
    struct hy_rpc_server *server = user;
    struct hy_rpc_connection *connection;
    bool refused = server->connection_count - server->refused_count >= server->limits.connections &&
        !make_place(server);
    enum hypha_err err = HYPHA_OK;

    (void)listener;
    /* Those being told that they are too many are bounded too. */
    if (server->connection_count >= 2 * server->limits.connections) {
        hy_stream_close(stream);
        return;
    }
    if (server->endpoint.scheme == HY_RPC_TLS)
        err = hy_tls_stream_create(
            server->loop, stream, HY_TLS_SERVER, server->identity, false, &stream);
    if (err == HYPHA_OK)
        err = hy_rpc_connection_create(
            server, server->loop, stream, server->next_client++, refused, &connection);
    if (err != HYPHA_OK) {
        hy_log_warn(&server->log, TARGET, "A client was turned away: %s", hypha_err_text(err));
        return;
    }
    TAILQ_INSERT_TAIL(&server->connections, connection, entry);
    server->connection_count++;
    server->refused_count += refused ? 1 : 0;
    if (refused)
        hy_log_warn(&server->log, TARGET, "A client was turned away: %zu are connected",
            server->limits.connections);
    else
        hy_log_debug(&server->log, TARGET, "Client %s connected", hypha_url_text(peer));
}

/* ---- listening ---- */

static void stop_listening(struct hy_rpc_server *server)
{
    if (server->request != NULL)
        server->transport->ops->listen_cancel(server->transport, server->request);
    server->request = NULL;
    hy_listener_close(server->listener);
    server->listener = NULL;
    hy_free(server->url);
    server->url = NULL;
}

static void on_listener_end(struct hy_listener *listener, enum hypha_err why, void *user)
{
    struct hy_rpc_server *server = user;

    (void)listener;
    hy_log_error(&server->log, TARGET, "RPC listens no more: %s", hypha_err_text(why));
    stop_listening(server);
}

static const struct hy_listener_events listener_events = {
    .on_accept = on_accept,
    .on_end = on_listener_end,
};

/* Errors: ACCESS, NOMEM. */
static enum hypha_err take_address(struct hy_rpc_server *server, struct hypha_url *url)
{
    enum hypha_err err = HYPHA_OK;

    /* A name may resolve to anything: what counts is what is bound. */
    if (server->endpoint.scheme == HY_RPC_UNIX)
        server->bound = hypha_url_ref(url);
    else if (server->token == NULL && !hy_rpc_is_loopback(url))
        return HYPHA_ERR_ACCESS;
    else
        err = hy_url_with_scheme(url, hypha_url_scheme(server->endpoint.url), &server->bound);
    if (err != HYPHA_OK)
        return err;
    const char *text = hypha_url_text(server->bound);
    size_t size = strlen(HY_RPC_HTTP_PREFIX) + strlen(text) + 1;
    server->url = hy_alloc(size);
    if (server->url == NULL)
        return HYPHA_ERR_NOMEM;
    (void)snprintf(
        server->url, size, "%s%s", server->endpoint.http ? HY_RPC_HTTP_PREFIX : "", text);
    return HYPHA_OK;
}

static void on_listening(void *user, enum hypha_err err, struct hy_listener *listener)
{
    struct hy_rpc_server *server = user;

    server->request = NULL;
    if (err == HYPHA_OK) {
        server->listener = listener;
        err = take_address(server, listener->url);
    }
    if (err != HYPHA_OK)
        stop_listening(server);
    server->cb(server->user, err);
}

enum hypha_err hy_rpc_server_listen(struct hy_rpc_server *server, const char *url,
    hy_rpc_listening_cb cb, void *user, char why[256])
{
    if (server->request != NULL || server->listener != NULL)
        return HYPHA_ERR_STATE;
    hy_rpc_server_stop(server);
    server->cb = cb;
    server->user = user;
    enum hypha_err err = hy_rpc_endpoint_listen(url, server->token != NULL, &server->endpoint, why);
    if (err != HYPHA_OK)
        return err;
    err = hy_rpc_endpoint_transport(&server->endpoint, server->loop, &server->transport);
    if (err == HYPHA_OK && server->endpoint.scheme == HY_RPC_TLS)
        err = hy_tls_identity_create(server->loop, &server->identity);
    if (err == HYPHA_OK)
        err = server->transport->ops->listen(server->transport, server->endpoint.dial,
            &listener_events, server, on_listening, &server->request);
    if (err != HYPHA_OK) {
        (void)snprintf(why, 256, "\"%.150s\": %s", url, hypha_err_text(err));
        hy_rpc_server_stop(server);
    }
    return err;
}

const char *hy_rpc_server_url(const struct hy_rpc_server *server)
{
    return server->url;
}

bool hy_rpc_server_is_http(const struct hy_rpc_server *server)
{
    return server->endpoint.http;
}

struct hy_rpc_http_rules hy_rpc_server_http_rules(const struct hy_rpc_server *server)
{
    struct hy_rpc_http_rules rules = { .token = server->token };

    if (server->endpoint.scheme != HY_RPC_UNIX) {
        rules.host = hypha_url_host(server->endpoint.url);
        rules.bound = hypha_url_host(server->bound);
        rules.port = hypha_url_port(server->bound);
    }
    return rules;
}

void hy_rpc_server_stop(struct hy_rpc_server *server)
{
    struct hy_rpc_connection *connection;

    stop_listening(server);
    while ((connection = TAILQ_FIRST(&server->connections)) != NULL)
        hy_rpc_connection_close(connection);
    hy_transport_destroy(server->transport);
    server->transport = NULL;
    hy_tls_identity_unref(server->identity);
    server->identity = NULL;
    hypha_url_unref(server->bound);
    server->bound = NULL;
    hy_rpc_endpoint_fini(&server->endpoint);
}
