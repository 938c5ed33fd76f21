/* view_web.c - the model for browsers: the page, its state, its events.
 *
 * The page is one file that is part of the program (page.html); its script and style are named by
 * their hashes in the Content-Security-Policy, so nothing else runs in it, whatever a node calls
 * itself. A client is sent the state only when it has read most of what went before, and not more
 * often than a tenth of our time allows; events are for whoever keeps up. */
#include "view/view_web.h"

#include "base/alloc.h"
#include "view/view_model_internal.h"

#include <sodium.h>
#include <stdio.h>
#include <string.h>

#define TOKEN_RANDOM_BYTES 24
#define STATE_MS           250U
#define STATE_IDLE_MS      2000U /* rates sink though nothing happens */
#define STATE_SHARE        10U   /* one part of so many of our time */
#define STATE_MAX_BYTES    (2U * 1024 * 1024)
/* Queued for a client, beyond which it gets no more of them: events end first. */
#define STATE_QUEUE_BYTES (256U * 1024)
#define EVENT_QUEUE_BYTES (128U * 1024)
#define LOAD_MESSAGES     32
#define LOAD_EVENTS       200
#define HASH_TEXT_BYTES   sodium_base64_ENCODED_LEN(32, sodium_base64_VARIANT_ORIGINAL)
#define JSON_TYPE         "application/json"

extern const unsigned char view_page[];
extern const size_t view_page_len;

struct client {
    struct view_web *web;
    struct hy_http_stream *stream;
    uint64_t version; /* of the model, as it was told */
    uint64_t told_ms;
    uint64_t dropped; /* events that it was too slow for, not yet told */
    TAILQ_ENTRY(client) entry;
};

struct view_web {
    struct hypha_loop *loop;
    struct view_model *model;
    struct hy_http *http;
    char *url;
    char policy[512];
    struct hy_timer timer;
    TAILQ_HEAD(, client) clients;
};

/* ---- what is told ---- */

/* Without the long lists, of which /state has all. */
static void shorten(json_t *state)
{
    static const char *const lists[] = { "whitelist", "greylist", "goldlist" };
    json_t *nodes = json_object_get(state, "nodes"), *node, *network;
    size_t i, j;

    json_array_foreach (nodes, i, node) {
        (void)json_object_del(node, "bans");
        (void)json_object_del(node, "events");
        json_array_foreach (json_object_get(node, "networks"), j, network)
            for (size_t k = 0; k < sizeof lists / sizeof lists[0]; k++)
                (void)json_object_del(network, lists[k]);
    }
}

/* To be freed with free(); NULL: no memory. */
static char *dump_state(
    const struct view_web *web, size_t messages, size_t events, bool whole, size_t *ret_len)
{
    uint64_t now_ns = hy_wall_ns(web->loop);
    json_t *state = view_model_json(web->model, messages, events, now_ns);
    char text[24];
    char *dump = NULL;

    if (state == NULL)
        return NULL;
    if (!whole)
        shorten(state);
    (void)snprintf(text, sizeof text, "%llu", (unsigned long long)now_ns);
    if (json_object_set_new(state, "now_ns", json_string(text)) == 0)
        dump = json_dumps(state, JSON_COMPACT);
    json_decref(state);
    *ret_len = dump != NULL ? strlen(dump) : 0;
    return dump;
}

static bool wants_state(const struct client *client, uint64_t now_ms)
{
    if (hy_http_stream_queued(client->stream) > STATE_QUEUE_BYTES)
        return false;
    return client->version != client->web->model->version ||
        now_ms - client->told_ms >= STATE_IDLE_MS;
}

static void tell_state(struct client *client, const char *dump, size_t len, uint64_t now_ms)
{
    char text[64];

    if (client->dropped > 0) {
        (void)snprintf(
            text, sizeof text, "{\"dropped\":%llu}", (unsigned long long)client->dropped);
        if (hy_http_stream_send(client->stream, "dropped", text, strlen(text)))
            client->dropped = 0;
    }
    /* More than a stream takes: to be fetched. */
    bool told = len <= STATE_MAX_BYTES ? hy_http_stream_send(client->stream, "state", dump, len)
                                       : hy_http_stream_send(client->stream, "reload", "{}", 2);
    if (!told)
        return;
    client->version = client->web->model->version;
    client->told_ms = now_ms;
}

static void on_timer(void *user)
{
    struct view_web *web = user;
    uint64_t before_us = hy_now_us(web->loop), now_ms = hy_now_ms(web->loop), took_ms;
    struct client *client;
    char *dump = NULL;
    size_t len = 0;

    TAILQ_FOREACH (client, &web->clients, entry) {
        if (!wants_state(client, now_ms))
            continue;
        if (dump == NULL && (dump = dump_state(web, 0, 0, false, &len)) == NULL)
            break;
        tell_state(client, dump, len, now_ms);
    }
    free(dump);
    took_ms = (hy_now_us(web->loop) - before_us) / 1000;
    if (!TAILQ_EMPTY(&web->clients))
        hy_timer_start(
            &web->timer, took_ms * STATE_SHARE > STATE_MS ? took_ms * STATE_SHARE : STATE_MS);
}

static void on_event(const struct view_node *node, const json_t *raw, void *user)
{
    struct view_web *web = user;
    json_t *info = json_object_get(raw, "info");
    const char *name = json_string_value(json_object_get(raw, "event"));
    struct client *client;
    char text[VIEW_MAX_TEXT];

    if (TAILQ_EMPTY(&web->clients) || name == NULL)
        return;
    view_describe(name, info, text, sizeof text);
    json_t *event = json_pack(
        "{s:s, s:s, s:s, s:O*}", "node", node->name, "event", name, "text", text, "info", info);
    char *dump = json_dumps(event, JSON_COMPACT);
    size_t len = dump != NULL ? strlen(dump) : 0;
    TAILQ_FOREACH (client, &web->clients, entry)
        if (dump == NULL || hy_http_stream_queued(client->stream) > EVENT_QUEUE_BYTES ||
            !hy_http_stream_send(client->stream, "event", dump, len))
            client->dropped++;
    free(dump);
    json_decref(event);
}

/* ---- requests ---- */

static void on_client_gone(void *user)
{
    struct client *client = user;

    TAILQ_REMOVE(&client->web->clients, client, entry);
    hy_free(client);
}

static void respond_text(struct hy_http_request *request, unsigned status, const char *text)
{
    hy_http_respond(request, status, "text/plain; charset=utf-8", text, strlen(text));
}

static void serve_events(struct view_web *web, struct hy_http_request *request)
{
    struct client *client = hy_alloc(sizeof *client);

    if (client == NULL) {
        respond_text(request, 500, "out of memory\n");
        return;
    }
    client->web = web;
    client->version = web->model->version - 1; /* knows nothing */
    client->stream = hy_http_stream(request, on_client_gone, client);
    if (client->stream == NULL) {
        hy_free(client);
        return;
    }
    TAILQ_INSERT_TAIL(&web->clients, client, entry);
    if (!hy_timer_is_armed(&web->timer))
        hy_timer_start(&web->timer, 0);
}

static void serve_state(struct view_web *web, struct hy_http_request *request)
{
    size_t len;
    char *dump = dump_state(web, LOAD_MESSAGES, LOAD_EVENTS, true, &len);

    if (dump != NULL)
        hy_http_respond(request, 200, JSON_TYPE, dump, len);
    else
        respond_text(request, 500, "out of memory\n");
    free(dump);
}

static void on_request(struct hy_http_request *request, void *user)
{
    struct view_web *web = user;
    const char *path = hy_http_path(request);

    if (strcmp(path, "/") == 0) {
        hy_http_set_policy(request, web->policy);
        hy_http_respond(request, 200, "text/html; charset=utf-8", view_page, view_page_len);
    } else if (strcmp(path, "/state") == 0) {
        serve_state(web, request);
    } else if (strcmp(path, "/events") == 0) {
        serve_events(web, request);
    } else {
        respond_text(request, 404, "There is /, /state and /events.\n");
    }
}

/* ---- create, destroy ---- */

/* The hash of what stands between two tags, as the policy names it. */
static void hash_between(const char *open, const char *close, char into[HASH_TEXT_BYTES])
{
    const unsigned char *start = memmem(view_page, view_page_len, open, strlen(open));
    unsigned char hash[crypto_hash_sha256_BYTES];
    const unsigned char *end = NULL;

    into[0] = '\0';
    if (start == NULL)
        return;
    start += strlen(open);
    end = memmem(start, (size_t)(view_page + view_page_len - start), close, strlen(close));
    if (end == NULL)
        return;
    (void)crypto_hash_sha256(hash, start, (unsigned long long)(end - start));
    (void)sodium_bin2base64(
        into, HASH_TEXT_BYTES, hash, sizeof hash, sodium_base64_VARIANT_ORIGINAL);
}

static void make_policy(struct view_web *web)
{
    char script[HASH_TEXT_BYTES], style[HASH_TEXT_BYTES];

    hash_between("<script>", "</script>", script);
    hash_between("<style>", "</style>", style);
    (void)snprintf(web->policy, sizeof web->policy,
        "default-src 'none'; script-src 'sha256-%s'; style-src 'sha256-%s'; connect-src 'self'; "
        "img-src data:; base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
        script, style);
}

static void make_token(struct hypha_loop *loop, char into[TOKEN_RANDOM_BYTES * 2 + 1])
{
    unsigned char bytes[TOKEN_RANDOM_BYTES];

    hy_random(loop, bytes, sizeof bytes);
    (void)sodium_bin2hex(into, TOKEN_RANDOM_BYTES * 2 + 1, bytes, sizeof bytes);
}

/* With the token in a query: what is special there is escaped. */
static char *make_url(const char *base, const char *token)
{
    static const char plain[] =
        "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz-._~";
    size_t len = strlen(base);
    char *url = hy_alloc(len + sizeof "?token=" + 3 * strlen(token));

    if (url == NULL)
        return NULL;
    memcpy(url, base, len);
    memcpy(url + len, "?token=", 7);
    for (char *at = url + len + 7; *token != '\0'; token++) {
        if (strchr(plain, *token) != NULL)
            *at++ = *token;
        else
            at += snprintf(at, 4, "%%%02X", (unsigned char)*token);
    }
    return url;
}

enum hypha_err view_web_create(struct hypha_loop *loop, struct view_model *model,
    const char *listen, const char *token, struct view_web **ret_web, char why[256])
{
    char made[TOKEN_RANDOM_BYTES * 2 + 1];
    struct view_web *web = hy_alloc(sizeof *web);
    enum hypha_err err = HYPHA_ERR_NOMEM;

    if (web == NULL)
        goto fail;
    web->loop = loop;
    web->model = model;
    TAILQ_INIT(&web->clients);
    hy_timer_init(&web->timer, loop, on_timer, web);
    make_policy(web);
    if (token == NULL) {
        make_token(loop, made);
        token = made;
    }
    const struct hy_http_options options = { .listen = listen,
        .token = token,
        .only_loopback = token == made,
        .check_host = true,
        .handler = on_request,
        .user = web };
    err = hy_http_create(loop, &options, &web->http, why);
    if (err != HYPHA_OK) {
        view_web_destroy(web);
        return err;
    }
    web->url = make_url(hy_http_url(web->http), token);
    if (web->url == NULL) {
        err = HYPHA_ERR_NOMEM;
        goto fail;
    }
    model->on_event = on_event;
    model->user = web;
    *ret_web = web;
    return HYPHA_OK;
fail:
    (void)snprintf(why, 256, "%s", hypha_err_text(err));
    view_web_destroy(web);
    return err;
}

void view_web_destroy(struct view_web *web)
{
    if (web == NULL)
        return;
    if (web->model->user == web) {
        web->model->on_event = NULL;
        web->model->user = NULL;
    }
    hy_http_destroy(web->http);
    hy_timer_stop(&web->timer);
    hy_free(web->url);
    hy_free(web);
}

const char *view_web_url(const struct view_web *web)
{
    return web->url;
}
