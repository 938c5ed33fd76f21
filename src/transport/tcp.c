/* transport/tcp.c - the TCP transport: a table and what its streams share. */
#include "transport/tcp.h"

#include "base/alloc.h"
#include "url/url.h"
#include <assert.h>
#include <string.h>

static enum hypha_err tcp_dial(
    struct hy_transport *transport, const struct hypha_url *url, struct hy_stream **ret_stream)
{
    return hy_tcp_stream_dial((struct hy_tcp *)transport, url, ret_stream);
}

static void tcp_destroy(struct hy_transport *transport)
{
    struct hy_tcp *tcp = (struct hy_tcp *)transport;

    hy_tcp_linger_end_all(tcp);
    hy_tcp_unref(tcp);
}

static const struct hy_transport_ops tcp_ops = {
    .dial = tcp_dial,
    .listen = hy_tcp_listen,
    .listen_cancel = hy_tcp_listen_cancel,
    .destroy = tcp_destroy,
};

enum hypha_err hy_tcp_create(struct hypha_loop *loop, const char *scheme, hy_ip_filter_cb filter_ip,
    void *user, struct hy_tcp **ret_tcp)
{
    struct hy_tcp *tcp = hy_alloc(sizeof *tcp);

    if (tcp == NULL)
        return HYPHA_ERR_NOMEM;
    tcp->base = (struct hy_transport){ .ops = &tcp_ops, .loop = loop, .scheme = scheme };
    tcp->refs = 1;
    tcp->filter_ip = filter_ip;
    tcp->filter_user = user;
    LIST_INIT(&tcp->lingers);
    *ret_tcp = tcp;
    return HYPHA_OK;
}

struct hy_tcp *hy_tcp_ref(struct hy_tcp *tcp)
{
    tcp->refs++;
    return tcp;
}

void hy_tcp_unref(struct hy_tcp *tcp)
{
    if (--tcp->refs > 0)
        return;
    assert(LIST_EMPTY(&tcp->lingers));
    hy_free(tcp);
}

enum hypha_err hy_tcp_target(const struct hy_tcp *tcp, const struct hypha_url *url,
    struct hy_endpoint *ret_endpoint, bool *ret_is_ip)
{
    if (strcmp(hypha_url_scheme(url), tcp->base.scheme) != 0)
        return HYPHA_ERR_UNSUPPORTED_TRANSPORT;
    if (hypha_url_host_kind(url) == HYPHA_HOST_NONE || !hypha_url_has_port(url))
        return HYPHA_ERR_BAD_ADDRESS;
    memset(ret_endpoint, 0, sizeof *ret_endpoint);
    ret_endpoint->port = hypha_url_port(url);
    *ret_is_ip = hy_url_ip(url, &ret_endpoint->ip);
    return HYPHA_OK;
}

enum hypha_err hy_transport_tcp_create(struct hypha_loop *loop, hy_ip_filter_cb filter_ip,
    void *user, struct hy_transport **ret_transport)
{
    struct hy_tcp *tcp = NULL;
    enum hypha_err err = hy_tcp_create(loop, "tcp", filter_ip, user, &tcp);

    if (err == HYPHA_OK)
        *ret_transport = &tcp->base;
    return err;
}
