/* loop/resolve_uv.c - names to addresses on the real loop: getaddrinfo() on libuv's threads.
 *
 * A literal is answered at the end of the turn, without a thread. A cancelled lookup is cut off
 * from its owner at once; its memory goes when libuv is done with it. */
#include "loop/loop_uv.h"

#include "base/alloc.h"

#include <netdb.h>
#include <netinet/in.h>
#include <string.h>

struct hy_uv_resolve {
    struct hy_resolve base;
    uv_getaddrinfo_t uv;
    struct hy_defer answer; /* what is known at once */
    struct hy_endpoint literal;
    enum hypha_err err;
    bool on_thread;
    hy_resolve_cb cb; /* NULL: cancelled */
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

/* Tell the owner and forget the lookup. */
static void finish(struct hy_uv_resolve *self, enum hypha_err err,
    const struct hy_endpoint *endpoints, size_t count)
{
    hy_resolve_cb cb = self->cb;
    void *user = self->user;

    if (cb != NULL) {
        LIST_REMOVE(self, entry);
        hy_uv_loop_of(self->base.loop)->live--;
    }
    hy_free(self);
    if (cb != NULL)
        cb(user, err, endpoints, count);
}

static void on_answer(void *user)
{
    struct hy_uv_resolve *self = user;
    struct hy_endpoint literal = self->literal;

    finish(self, self->err, &literal, self->err == HYPHA_OK ? 1 : 0);
}

static void on_resolved(uv_getaddrinfo_t *uv, int status, struct addrinfo *infos)
{
    struct hy_uv_resolve *self = uv->data;
    struct hy_endpoint endpoints[HY_RESOLVE_MAX_ENDPOINTS];
    struct hy_endpoint endpoint;
    size_t count = 0;

    hy_uv_enter(hy_uv_loop_of(self->base.loop));
    for (const struct addrinfo *info = infos;
         status == 0 && info != NULL && count < HY_RESOLVE_MAX_ENDPOINTS; info = info->ai_next) {
        if (endpoint_of(info, self->port, &endpoint))
            count = add_endpoint(endpoints, count, &endpoint);
    }
    uv_freeaddrinfo(infos);
    if (status == UV_ENOMEM || status == UV_EAI_MEMORY)
        finish(self, HYPHA_ERR_NOMEM, NULL, 0);
    else if (count == 0)
        finish(self, HYPHA_ERR_RESOLVE, NULL, 0);
    else
        finish(self, HYPHA_OK, endpoints, count);
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

    if (!hy_endpoint_of_literal(host, port, &self->literal)) {
        const struct addrinfo hints = {
            .ai_flags = AI_ADDRCONFIG,
            .ai_family = AF_UNSPEC,
            .ai_socktype = SOCK_STREAM,
        };

        self->uv.data = self;
        int status = uv_getaddrinfo(&real->uv, &self->uv, on_resolved, host, NULL, &hints);
        if (status == UV_ENOMEM) {
            hy_free(self);
            return HYPHA_ERR_NOMEM;
        }
        self->on_thread = status == 0;
        self->err = HYPHA_ERR_RESOLVE; /* no name at all: too long, not IDNA */
    }
    if (!self->on_thread)
        hy_defer_start(&self->answer);
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
    self->cb = NULL;
    hy_defer_stop(&self->answer);
    if (self->on_thread)
        (void)uv_cancel((uv_req_t *)&self->uv); /* refused once it runs: it ends by itself */
    else
        hy_free(self);
}

void hy_uv_resolves_close(struct hy_uv_loop *real)
{
    while (!LIST_EMPTY(&real->resolves))
        hy_uv_resolve_cancel(&LIST_FIRST(&real->resolves)->base);
}
