/* loop/resolve_uv.c - names to addresses on the real loop: getaddrinfo() on a thread of its own.
 *
 * Not on libuv's threads: a name server that is silent holds a lookup for half a minute, two of
 * those would hold all others, and libuv does not end before they do. A cancelled lookup is cut
 * off at once and its thread left to itself; it takes what they share with it.
 * A literal is answered at the end of the turn, without a thread. */
#include "loop/loop_uv.h"

#include "base/alloc.h"

#include <netdb.h>
#include <netinet/in.h>
#include <stdatomic.h>
#include <string.h>

#define MAX_THREADS 64 /* in the process, abandoned ones too */

static atomic_uint threads;

/* Shared with the thread. Freed by it if there is no owner when it is done, else by the loop. */
struct lookup {
    pthread_mutex_t lock;
    struct hy_uv_resolve *owner; /* NULL: cancelled */
    bool done;
    int status; /* of getaddrinfo() */
    struct addrinfo *infos;
    char host[];
};

struct hy_uv_resolve {
    struct hy_resolve base;
    uv_async_t async;       /* the thread is done */
    struct lookup *lookup;  /* NULL: answered without a thread */
    struct hy_defer answer; /* what is known at once */
    struct hy_endpoint literal;
    enum hypha_err err;
    hy_resolve_cb cb;
    void *user;
    uint16_t port;
    LIST_ENTRY(hy_uv_resolve) entry;
};

static bool endpoint_of(const struct addrinfo *info, uint16_t port, struct hy_endpoint *ret)
{
    *ret = (struct hy_endpoint){ .port = port };
    if (info->ai_family == AF_INET && info->ai_addrlen >= sizeof(struct sockaddr_in)) {
        struct sockaddr_in v4;

        memcpy(&v4, info->ai_addr, sizeof v4);
        ret->ip.len = 4;
        memcpy(ret->ip.bytes, &v4.sin_addr, 4);
        return true;
    }
    if (info->ai_family == AF_INET6 && info->ai_addrlen >= sizeof(struct sockaddr_in6)) {
        struct sockaddr_in6 v6;

        memcpy(&v6, info->ai_addr, sizeof v6);
        ret->ip.len = 16;
        memcpy(ret->ip.bytes, &v6.sin6_addr, 16);
        ret->scope = v6.sin6_scope_id;
        return true;
    }
    return false;
}

static size_t add_endpoint(
    struct hy_endpoint *endpoints, size_t count, const struct hy_endpoint *endpoint)
{
    for (size_t i = 0; i < count; i++) {
        if (hy_ip_equal(&endpoints[i].ip, &endpoint->ip) && endpoints[i].scope == endpoint->scope)
            return count;
    }
    endpoints[count] = *endpoint;
    return count + 1;
}

/* ---- the thread ---- */

static void lookup_free(struct lookup *lookup)
{
    if (lookup->infos != NULL)
        freeaddrinfo(lookup->infos);
    (void)pthread_mutex_destroy(&lookup->lock);
    hy_free(lookup);
}

static void *look_up(void *arg)
{
    static const struct addrinfo hints = {
        .ai_flags = AI_ADDRCONFIG,
        .ai_family = AF_UNSPEC,
        .ai_socktype = SOCK_STREAM,
    };
    struct lookup *lookup = arg;
    struct addrinfo *infos = NULL;
    int status = getaddrinfo(lookup->host, NULL, &hints, &infos);

    (void)pthread_mutex_lock(&lookup->lock);
    bool abandoned = lookup->owner == NULL;
    lookup->status = status;
    lookup->infos = status == 0 ? infos : NULL;
    lookup->done = true;
    if (!abandoned)
        (void)uv_async_send(&lookup->owner->async);
    (void)pthread_mutex_unlock(&lookup->lock);
    if (abandoned)
        lookup_free(lookup);
    atomic_fetch_sub(&threads, 1);
    return NULL;
}

static bool start_thread(struct lookup *lookup)
{
    pthread_attr_t attributes;
    pthread_t thread;

    if (atomic_fetch_add(&threads, 1) < MAX_THREADS && pthread_attr_init(&attributes) == 0) {
        (void)pthread_attr_setdetachstate(&attributes, PTHREAD_CREATE_DETACHED);
        int status = pthread_create(&thread, &attributes, look_up, lookup);
        (void)pthread_attr_destroy(&attributes);
        if (status == 0)
            return true;
    }
    atomic_fetch_sub(&threads, 1);
    return false;
}

/* The loop lets go of it; the thread may be at work. */
static void lookup_abandon(struct lookup *lookup)
{
    (void)pthread_mutex_lock(&lookup->lock);
    bool done = lookup->done;
    lookup->owner = NULL;
    (void)pthread_mutex_unlock(&lookup->lock);
    if (done)
        lookup_free(lookup);
}

/* ---- the loop's side ---- */

static void on_async_closed(uv_handle_t *handle)
{
    hy_free(handle->data);
}

static void resolve_free(struct hy_uv_resolve *self)
{
    if (self->lookup == NULL) {
        hy_free(self);
        return;
    }
    lookup_abandon(self->lookup);
    uv_close((uv_handle_t *)&self->async, on_async_closed);
}

/* Tell the owner and forget the lookup. */
static void finish(struct hy_uv_resolve *self, enum hypha_err err,
    const struct hy_endpoint *endpoints, size_t count)
{
    hy_resolve_cb cb = self->cb;
    void *user = self->user;

    LIST_REMOVE(self, entry);
    hy_uv_loop_of(self->base.loop)->live--;
    resolve_free(self);
    cb(user, err, endpoints, count);
}

static void on_answer(void *user)
{
    struct hy_uv_resolve *self = user;
    struct hy_endpoint literal = self->literal;

    finish(self, self->err, &literal, self->err == HYPHA_OK ? 1 : 0);
}

static void on_done(uv_async_t *async)
{
    struct hy_uv_resolve *self = async->data;
    struct lookup *lookup = self->lookup;
    struct hy_endpoint endpoints[HY_RESOLVE_MAX_ENDPOINTS];
    struct hy_endpoint endpoint;
    size_t count = 0;

    hy_uv_enter(hy_uv_loop_of(self->base.loop));
    (void)pthread_mutex_lock(&lookup->lock);
    const struct addrinfo *info = lookup->infos;
    int status = lookup->status;
    (void)pthread_mutex_unlock(&lookup->lock);
    for (; info != NULL && count < HY_RESOLVE_MAX_ENDPOINTS; info = info->ai_next) {
        if (endpoint_of(info, self->port, &endpoint))
            count = add_endpoint(endpoints, count, &endpoint);
    }
    if (status == EAI_MEMORY)
        finish(self, HYPHA_ERR_NOMEM, NULL, 0);
    else if (count == 0)
        finish(self, HYPHA_ERR_RESOLVE, NULL, 0);
    else
        finish(self, HYPHA_OK, endpoints, count);
}

/* Errors: NOMEM; the answer is to be given without a thread then. */
static enum hypha_err lookup_start(struct hy_uv_resolve *self, const char *host)
{
    size_t len = strlen(host);
    struct lookup *lookup = hy_alloc(sizeof *lookup + len + 1);

    if (lookup == NULL)
        return HYPHA_ERR_NOMEM;
    (void)pthread_mutex_init(&lookup->lock, NULL);
    memcpy(lookup->host, host, len + 1);
    lookup->owner = self;
    self->async.data = self;
    if (uv_async_init(&hy_uv_loop_of(self->base.loop)->uv, &self->async, on_done) != 0) {
        lookup_free(lookup);
        return HYPHA_ERR_NOMEM;
    }
    self->lookup = lookup;
    if (!start_thread(lookup)) {
        /* Our lack, not the name's: told as such at the turn's end. */
        lookup->done = true;
        self->err = HYPHA_ERR_NOMEM;
        hy_defer_start(&self->answer);
    }
    return HYPHA_OK;
}

enum hypha_err hy_uv_resolve_start(struct hypha_loop *loop, const char *host, uint16_t port,
    hy_resolve_cb cb, void *user, struct hy_resolve **ret_resolve)
{
    struct hy_uv_loop *real = hy_uv_loop_of(loop);
    struct hy_uv_resolve *self = hy_alloc(sizeof *self);

    if (self == NULL)
        return HYPHA_ERR_NOMEM;
    self->base.loop = loop;
    self->cb = cb;
    self->user = user;
    self->port = port;
    hy_defer_init(&self->answer, loop, on_answer, self);
    if (hy_endpoint_of_literal(host, port, &self->literal)) {
        hy_defer_start(&self->answer);
    } else if (lookup_start(self, host) != HYPHA_OK) {
        hy_free(self);
        return HYPHA_ERR_NOMEM;
    }
    LIST_INSERT_HEAD(&real->resolves, self, entry);
    real->live++;
    *ret_resolve = &self->base;
    return HYPHA_OK;
}

void hy_uv_resolve_cancel(struct hy_resolve *resolve)
{
    struct hy_uv_resolve *self = (struct hy_uv_resolve *)(void *)resolve;

    LIST_REMOVE(self, entry);
    hy_uv_loop_of(resolve->loop)->live--;
    hy_defer_stop(&self->answer);
    resolve_free(self);
}

void hy_uv_resolves_close(struct hy_uv_loop *real)
{
    while (!LIST_EMPTY(&real->resolves))
        hy_uv_resolve_cancel(&LIST_FIRST(&real->resolves)->base);
}
