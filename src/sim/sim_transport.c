/* sim/sim_transport.c - dialling and listening on the simulated network. */
#include "sim/sim_internal.h"

#include "base/alloc.h"
#include "url/url.h"

#include <assert.h>
#include <string.h>

struct hy_sim_transport {
    struct hy_transport base; /* first */
    struct hy_sim *sim;
    struct hy_sim_node *node;
    char *scheme;
};

static struct hy_sim_transport *transport_of(struct hy_transport *transport)
{
    return (struct hy_sim_transport *)(void *)transport;
}

/* A key is compared whole: nothing behind its length. */
static struct hy_ip clean(const struct hy_ip *ip)
{
    struct hy_ip copy;

    memset(&copy, 0, sizeof copy);
    copy.len = ip->len;
    memcpy(copy.bytes, ip->bytes, ip->len);
    return copy;
}

/* Loopback and the unspecified address are the host itself. */
static struct hy_ip seen_from(const struct hy_sim_node *node, const struct hy_ip *ip)
{
    return hy_ip_is_loopback(ip) || hy_ip_is_unspecified(ip) ? node->ip : clean(ip);
}

/* ---- dialling ---- */

void hy_sim_dial_destroy(struct hy_sim_wire *wire)
{
    if (wire->dial == NULL)
        return;
    hy_resolve_cancel(wire->dial->resolve);
    hypha_url_unref(wire->dial->url);
    hy_free(wire->dial);
    wire->dial = NULL;
}

/* Send a SYN to the next address, or give up. */
static void dial_next(struct hy_sim_wire *wire, enum hypha_err why, uint64_t delay_ms)
{
    struct hy_sim_dial *dial = wire->dial;

    if (dial->next == dial->count) {
        hy_sim_end_fail(&wire->ends[0], why, delay_ms);
        return;
    }
    const struct hy_ip *ip = &dial->ips[dial->next++];
    wire->target = seen_from(wire->nodes[0], ip);
    struct hy_sim_node *node = hy_sim_node(wire->sim, &wire->target);
    if (node == NULL) {
        dial->next = dial->count;
        hy_sim_end_fail(&wire->ends[0], HYPHA_ERR_NOMEM, delay_ms);
        return;
    }
    hy_sim_wire_aim(wire, node);
    hy_timer_start(&wire->ends[0].step, delay_ms + wire->latency_ms);
}

static void on_dial_resolved(
    void *user, enum hypha_err err, const struct hy_endpoint *endpoints, size_t count)
{
    struct hy_sim_wire *wire = user;

    wire->dial->resolve = NULL;
    for (size_t i = 0; i < count; i++)
        wire->dial->ips[i] = clean(&endpoints[i].ip);
    wire->dial->count = count;
    dial_next(wire, err != HYPHA_OK ? err : HYPHA_ERR_RESOLVE, 0);
}

static enum hypha_err dial_begin(struct hy_sim_wire *wire, const struct hypha_url *url)
{
    struct hy_ip ip;

    wire->dial = hy_alloc(sizeof *wire->dial);
    if (wire->dial == NULL)
        return HYPHA_ERR_NOMEM;
    /* Counted, not changed. */
    wire->dial->url = hypha_url_ref((struct hypha_url *)(uintptr_t)url);
    wire->ports[1] = hypha_url_port(url);
    if (!hy_url_ip(url, &ip))
        return hy_resolve_start(&wire->sim->base, hypha_url_host(url), wire->ports[1],
            on_dial_resolved, wire, &wire->dial->resolve);
    wire->dial->ips[0] = clean(&ip);
    wire->dial->count = 1;
    dial_next(wire, HYPHA_ERR_RESOLVE, 0);
    return HYPHA_OK;
}

static enum hypha_err check_url(
    const struct hy_sim_transport *transport, const struct hypha_url *url)
{
    if (strcmp(hypha_url_scheme(url), transport->scheme) != 0)
        return HYPHA_ERR_UNSUPPORTED_TRANSPORT;
    if (hypha_url_host_kind(url) == HYPHA_HOST_NONE || !hypha_url_has_port(url))
        return HYPHA_ERR_BAD_ADDRESS;
    return HYPHA_OK;
}

static enum hypha_err dial(
    struct hy_transport *base, const struct hypha_url *url, struct hy_stream **ret_stream)
{
    struct hy_sim_transport *transport = transport_of(base);
    enum hypha_err err = check_url(transport, url);

    if (err == HYPHA_OK && hypha_url_port(url) == 0)
        err = HYPHA_ERR_BAD_ADDRESS;
    if (err != HYPHA_OK)
        return err;
    struct hy_sim_wire *wire = hy_sim_wire_create(transport->sim, transport->node);
    if (wire == NULL)
        return HYPHA_ERR_NOMEM;
    wire->ends[0].state = HY_SIM_END_CONNECTING;
    err = dial_begin(wire, url);
    if (err != HYPHA_OK) {
        hy_sim_wire_destroy(wire);
        return err;
    }
    transport->sim->stream_count++;
    hy_sim_tell(&wire->ends[0], HY_SIM_DIAL, (struct hypha_span){ 0 }, HYPHA_OK);
    *ret_stream = &wire->ends[0].base;
    return HYPHA_OK;
}

/* ---- a SYN arrives ---- */

static struct hy_sim_listener *find_listener(const struct hy_sim_wire *wire)
{
    bool is_own = wire->nodes[0] == wire->nodes[1];
    struct hy_sim_listener *listener;

    LIST_FOREACH (listener, &wire->nodes[1]->listeners, node_entry) {
        if (listener->port == wire->ports[1] && (is_own || !hy_ip_is_loopback(&listener->ip)))
            return listener;
    }
    return NULL;
}

static void await_accept(struct hy_sim_listener *listener)
{
    if (!listener->paused && !TAILQ_EMPTY(&listener->backlog) && listener->cb == NULL &&
        !hy_timer_is_armed(&listener->accept))
        hy_timer_start(&listener->accept, 0);
}

static void establish(struct hy_sim_wire *wire, struct hy_sim_listener *listener)
{
    hy_sim_dial_destroy(wire);
    wire->established = true;
    wire->ends[0].state = HY_SIM_END_OPENING;
    hy_timer_start(&wire->ends[0].step, wire->latency_ms);
    if (wire->link.loss_ppm > 0)
        hy_timer_start(&wire->loss, hy_sim_rng_below(&wire->sim->net_rng, 60000));
    if (listener == NULL)
        return;
    wire->ends[1].state = HY_SIM_END_BACKLOG;
    wire->listener = listener;
    TAILQ_INSERT_TAIL(&listener->backlog, wire, backlog_entry);
    listener->backlog_count++;
    await_accept(listener);
}

/* Without an own address of its family, or any network, nothing even leaves. */
static bool has_no_route(const struct hy_sim_wire *wire)
{
    return wire->nodes[0] != wire->nodes[1] &&
        (wire->nodes[0]->ip.len != wire->nodes[1]->ip.len ||
            wire->nodes[0]->state == HY_SIM_HOST_DOWN);
}

void hy_sim_syn_arrives(struct hy_sim_wire *wire)
{
    struct hy_timer *step = &wire->ends[0].step;
    const struct hy_sim_node *node = wire->nodes[1];

    if (has_no_route(wire)) {
        dial_next(wire, HYPHA_ERR_UNREACHABLE, 0);
        return;
    }
    if (!hy_sim_reaches(wire->nodes[0], node)) {
        hy_timer_start(step, HY_SIM_RETRY_MS);
        return;
    }
    if (node->state == HY_SIM_HOST_SILENT) {
        establish(wire, NULL);
        return;
    }
    struct hy_sim_listener *listener = find_listener(wire);
    if (node->state == HY_SIM_HOST_DOWN || listener == NULL) {
        dial_next(wire, HYPHA_ERR_REFUSED, wire->latency_ms);
        return;
    }
    const char *theirs = hypha_url_scheme(listener->base.url);
    const char *ours = hypha_url_scheme(wire->dial->url);
    if (strcmp(theirs, ours) != 0) {
        /* Two that don't speak the same below: a TLS client says so, others are hung up on. */
        bool is_tls = strstr(ours, "+tls") != NULL;
        dial_next(wire, is_tls ? HYPHA_ERR_TLS : HYPHA_ERR_RESET, wire->latency_ms);
        return;
    }
    if (listener->backlog_count >= listener->backlog_max)
        hy_timer_start(step, HY_SIM_RETRY_MS);
    else
        establish(wire, listener);
}

/* ---- accepting ---- */

void hy_sim_backlog_remove(struct hy_sim_wire *wire)
{
    if (wire->listener == NULL)
        return;
    TAILQ_REMOVE(&wire->listener->backlog, wire, backlog_entry);
    wire->listener->backlog_count--;
    wire->listener = NULL;
}

static void on_accept_due(void *user)
{
    struct hy_sim_listener *listener = user;
    struct hy_sim_wire *wire = TAILQ_FIRST(&listener->backlog);
    struct hypha_url *peer = NULL;

    if (wire == NULL)
        return;
    hy_sim_backlog_remove(wire);
    await_accept(listener);
    enum hypha_err err = hy_url_of_ip(
        hypha_url_scheme(listener->base.url), &wire->nodes[0]->ip, wire->ports[0], &peer);
    if (err != HYPHA_OK) {
        wire->dead = true;
        hy_sim_end_fail(&wire->ends[0], HYPHA_ERR_RESET, wire->latency_ms);
        hy_sim_end_gone(&wire->ends[1]);
        return;
    }
    struct hy_sim_end *end = &wire->ends[1];
    end->state = HY_SIM_END_OPENING;
    listener->sim->stream_count++;
    hy_timer_start(&end->step, 0);
    hy_sim_tell(end, HY_SIM_ACCEPT, (struct hypha_span){ 0 }, HYPHA_OK);
    listener->base.events->on_accept(&listener->base, &end->base, peer, listener->base.user);
    hypha_url_unref(peer);
}

static struct hy_sim_listener *listener_of(struct hy_listener *listener)
{
    return (struct hy_sim_listener *)(void *)listener;
}

static void listener_pause(struct hy_listener *base)
{
    listener_of(base)->paused = true;
    hy_timer_stop(&listener_of(base)->accept);
}

static void listener_resume(struct hy_listener *base)
{
    listener_of(base)->paused = false;
    await_accept(listener_of(base));
}

void hy_sim_listener_destroy(struct hy_sim_listener *listener)
{
    struct hy_sim_wire *wire;

    while ((wire = TAILQ_FIRST(&listener->backlog)) != NULL) {
        hy_sim_backlog_remove(wire);
        wire->dead = true;
        hy_sim_end_fail(&wire->ends[0], HYPHA_ERR_RESET, wire->latency_ms);
        hy_sim_end_gone(&wire->ends[1]);
    }
    if (listener->port != 0) {
        LIST_REMOVE(listener, node_entry);
        listener->sim->listener_count--;
    }
    hy_timer_stop(&listener->accept);
    hy_timer_stop(&listener->answer);
    hy_resolve_cancel(listener->resolve);
    hypha_url_unref(listener->wanted);
    hypha_url_unref(listener->base.url);
    LIST_REMOVE(listener, entry);
    hy_free(listener);
}

static void listener_close(struct hy_listener *base)
{
    hy_sim_listener_destroy(listener_of(base));
}

/* ---- listening ---- */

static const struct hy_listener_ops listener_ops = {
    .pause = listener_pause,
    .resume = listener_resume,
    .close = listener_close,
};

static enum hypha_err listener_bind(struct hy_sim_listener *listener, const struct hy_ip *ip)
{
    struct hy_sim_node *node = listener->node;
    uint16_t port = hypha_url_port(listener->wanted);
    enum hypha_err err;

    listener->ip = clean(ip);
    if (ip->len != node->ip.len ||
        !(hy_ip_is_unspecified(ip) || hy_ip_is_loopback(ip) || hy_ip_equal(ip, &node->ip)))
        return HYPHA_ERR_ADDR_NOT_AVAILABLE;
    if (port == 0)
        port = hy_sim_node_port(node);
    if (port == 0 || hy_sim_node_has_port(node, port))
        return HYPHA_ERR_ADDR_IN_USE;
    err = hy_url_with_port(listener->wanted, port, &listener->base.url);
    if (err != HYPHA_OK)
        return err;
    listener->port = port;
    LIST_INSERT_HEAD(&node->listeners, listener, node_entry);
    listener->sim->listener_count++;
    return HYPHA_OK;
}

static void on_listen_answer(void *user)
{
    struct hy_sim_listener *listener = user;
    hy_listen_cb cb = listener->cb;
    enum hypha_err err = listener->err;

    user = listener->cb_user;
    listener->cb = NULL;
    if (err != HYPHA_OK) {
        hy_sim_listener_destroy(listener);
        cb(user, err, NULL);
        return;
    }
    await_accept(listener); /* it may be closed in there */
    cb(user, HYPHA_OK, &listener->base);
}

static void on_listen_resolved(
    void *user, enum hypha_err err, const struct hy_endpoint *endpoints, size_t count)
{
    struct hy_sim_listener *listener = user;

    listener->resolve = NULL;
    listener->err = err != HYPHA_OK || count == 0 ? err : listener_bind(listener, &endpoints[0].ip);
    on_listen_answer(listener);
}

static enum hypha_err listen_begin(struct hy_sim_listener *listener)
{
    struct hy_ip ip;

    if (!hy_url_ip(listener->wanted, &ip))
        return hy_resolve_start(&listener->sim->base, hypha_url_host(listener->wanted), 0,
            on_listen_resolved, listener, &listener->resolve);
    listener->err = listener_bind(listener, &ip);
    hy_timer_start(&listener->answer, 0);
    return HYPHA_OK;
}

static enum hypha_err listen_on(struct hy_transport *base, const struct hypha_url *url,
    const struct hy_listener_events *events, void *user, hy_listen_cb cb, void **ret_request)
{
    struct hy_sim_transport *transport = transport_of(base);
    struct hy_sim *sim = transport->sim;
    enum hypha_err err = check_url(transport, url);

    if (err != HYPHA_OK)
        return err;
    struct hy_sim_listener *listener = hy_alloc(sizeof *listener);
    if (listener == NULL)
        return HYPHA_ERR_NOMEM;
    listener->base.ops = &listener_ops;
    listener->base.events = events;
    listener->base.user = user;
    listener->sim = sim;
    listener->node = transport->node;
    listener->wanted = hypha_url_ref((struct hypha_url *)(uintptr_t)url);
    listener->backlog_max = sim->backlog_max;
    listener->cb = cb;
    listener->cb_user = user;
    TAILQ_INIT(&listener->backlog);
    hy_timer_init(&listener->accept, &sim->base, on_accept_due, listener);
    hy_timer_init(&listener->answer, &sim->base, on_listen_answer, listener);
    LIST_INSERT_HEAD(&sim->listeners, listener, entry);
    err = listen_begin(listener);
    if (err != HYPHA_OK) {
        hy_sim_listener_destroy(listener);
        return err;
    }
    *ret_request = listener;
    return HYPHA_OK;
}

static void listen_cancel(struct hy_transport *transport, void *request)
{
    (void)transport;
    hy_sim_listener_destroy(request);
}

/* ---- the transport ---- */

static void transport_destroy(struct hy_transport *base)
{
    struct hy_sim_transport *transport = transport_of(base);

    hy_free(transport->scheme);
    hy_free(transport);
}

static const struct hy_transport_ops transport_ops = {
    .dial = dial,
    .listen = listen_on,
    .listen_cancel = listen_cancel,
    .destroy = transport_destroy,
};

enum hypha_err hy_sim_transport_create(struct hy_sim *sim, const char *scheme, const char *ip_text,
    struct hy_transport **ret_transport)
{
    struct hy_ip ip;

    if (!hy_sim_parse_ip(ip_text, &ip))
        return HYPHA_ERR_INVALID;
    struct hy_sim_transport *transport = hy_alloc(sizeof *transport);
    if (transport == NULL)
        return HYPHA_ERR_NOMEM;
    transport->scheme = hy_strdup(scheme);
    transport->node = hy_sim_node(sim, &ip);
    if (transport->scheme == NULL || transport->node == NULL) {
        transport_destroy(&transport->base);
        return HYPHA_ERR_NOMEM;
    }
    transport->sim = sim;
    transport->base.ops = &transport_ops;
    transport->base.loop = &sim->base;
    transport->base.scheme = transport->scheme;
    *ret_transport = &transport->base;
    return HYPHA_OK;
}
