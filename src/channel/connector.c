/* connector.c - from an address to a channel: endpoints in order, one deadline over each.
 *
 * The deadline covers all that stands before a usable stream: looking the name up, connecting
 * to each of its addresses, a proxy, TLS. spec: network.md#61-connector-one-per-slot */
#include "channel/connector.h"

#include <assert.h>
#include <stdio.h>
#include <string.h>

static void dial_next(struct hy_connector *connector);

/* Add "endpoint: what" to the text for people. Whatever does not fit is left out. */
static void note(struct hy_connector *connector, const struct hypha_url *url, const char *what)
{
    char shown[HY_CONNECTOR_WHY_BYTES];
    size_t used = strlen(connector->why);

    hy_url_display(url, shown, sizeof(shown));
    (void)snprintf(connector->why + used, sizeof(connector->why) - used, "%s%s: %s",
        used > 0 ? "; " : "", shown, what);
}

static void drop_stream(struct hy_connector *connector)
{
    hy_timer_stop(&connector->deadline);
    hy_stream_close(connector->stream);
    connector->stream = NULL;
}

static void publish_dial(const struct hy_connector *connector, struct hypha_url *url,
    enum hypha_err err, struct hypha_channel *channel)
{
    struct hy_net *net = connector->net;
    bool failed = err == HYPHA_ERR_CONNECT_FAILED && connector->cause != HYPHA_OK;

    if (!hy_events_wanted(&net->events, HYPHA_EVENT_DIAL))
        return;
    struct hypha_event event = { .type = HYPHA_EVENT_DIAL,
        .time_ns = hy_wall_ns(net->loop),
        .channel_id = channel != NULL ? hypha_channel_id(channel) : 0,
        .session = connector->session,
        .addr = url,
        .connect_addr = url,
        .err = failed ? connector->cause : err };
    hy_events_publish(&net->events, &event);
}

/* The dial is over. The owner may connect again, stop or finish the connector in its callback. */
static void tell(struct hy_connector *connector, enum hypha_err err, struct hypha_channel *channel)
{
    char why[HY_CONNECTOR_WHY_BYTES];
    struct hypha_url *url = connector->url;

    drop_stream(connector);
    hy_defer_stop(&connector->answer);
    hy_route_fini(&connector->route);
    connector->route = (struct hy_route){ 0 };
    connector->url = NULL;
    if (connector->state == HY_CONNECTOR_DIALING)
        connector->state = HY_CONNECTOR_IDLE;
    publish_dial(connector, url, err, channel);
    hypha_url_unref(url);
    if (connector->state == HY_CONNECTOR_STOPPED && channel != NULL) {
        /* Whoever heard of the dial has stopped it. */
        hypha_channel_stop(channel);
        hypha_channel_unref(channel);
        channel = NULL;
        err = HYPHA_ERR_CONNECTOR_STOPPED;
    }
    memcpy(why, connector->why, sizeof(why));
    connector->cb(connector->user, err, why, channel);
}

static void on_answer(void *user)
{
    struct hy_connector *connector = user;

    tell(connector, connector->err, NULL);
}

static void tell_later(struct hy_connector *connector, enum hypha_err err)
{
    connector->err = err;
    hy_defer_start(&connector->answer);
}

/* Nobody can be blamed for what this machine lacks. */
static bool is_local_want(enum hypha_err err)
{
    return err == HYPHA_ERR_NOMEM || err == HYPHA_ERR_FILES;
}

static bool is_ipv6_literal(const struct hypha_url *url)
{
    struct hy_ip ip;

    return hy_url_ip(url, &ip) && ip.len == 16;
}

/* The endpoint being dialled is out; go on with the next. */
static void endpoint_failed(struct hy_connector *connector, enum hypha_err err)
{
    const struct hypha_url *endpoint = connector->route.endpoints[connector->endpoint];

    connector->cause = err;
    note(connector, endpoint, hypha_err_text(err));
    if (err == HYPHA_ERR_UNREACHABLE && !connector->route.mixed && is_ipv6_literal(endpoint))
        hy_hosts_ipv6_unreachable(connector->net->hosts);
    drop_stream(connector);
    connector->endpoint++;
    if (is_local_want(err)) {
        tell_later(connector, err);
        return;
    }
    dial_next(connector);
}

static void on_ready(struct hy_stream *stream, void *user)
{
    struct hy_connector *connector = user;
    struct hypha_channel *channel = NULL;

    hy_timer_stop(&connector->deadline);
    connector->stream = NULL; /* the channel's from here on, also if it cannot be made */
    enum hypha_err err = hy_channel_create(connector->net, connector->session, stream,
        connector->url, connector->route.endpoints[connector->endpoint], connector->route.mixed,
        &channel);
    if (err != HYPHA_OK)
        note(connector, connector->url, hypha_err_text(err));
    tell(connector, err, channel);
}

static void on_read(struct hy_stream *stream, struct hypha_span bytes, void *user)
{
    (void)stream; /* reading has not begun */
    (void)bytes;
    (void)user;
}

static void on_writable(struct hy_stream *stream, void *user)
{
    (void)stream;
    (void)user;
}

static void on_end(struct hy_stream *stream, enum hypha_err why, void *user)
{
    (void)stream;
    endpoint_failed(user, why);
}

static const struct hy_stream_events stream_events = {
    .on_ready = on_ready,
    .on_read = on_read,
    .on_writable = on_writable,
    .on_end = on_end,
};

static void on_deadline(void *user)
{
    endpoint_failed(user, HYPHA_ERR_TIMEOUT);
}

static void dial_next(struct hy_connector *connector)
{
    struct hy_net *net = connector->net;

    for (; connector->endpoint < connector->route.count; connector->endpoint++) {
        struct hypha_url *endpoint = connector->route.endpoints[connector->endpoint];
        const char *scheme = hypha_url_scheme(endpoint);
        struct hy_transport *transport = hy_net_transport(net, scheme);

        if (hy_hosts_is_banned(net->hosts, endpoint)) {
            note(connector, endpoint, hypha_err_text(HYPHA_ERR_BANNED));
            continue;
        }
        enum hypha_err err = transport != NULL
            ? transport->ops->dial(transport, endpoint, &connector->stream)
            : HYPHA_ERR_UNSUPPORTED_TRANSPORT;
        if (err == HYPHA_OK) {
            uint32_t own_ms = hy_settings_timeouts(net->settings, scheme)->connect_ms;

            hy_stream_set_events(connector->stream, &stream_events, connector);
            hy_timer_start(
                &connector->deadline, connector->timeout_ms != 0 ? connector->timeout_ms : own_ms);
            return;
        }
        connector->stream = NULL;
        connector->cause = err;
        note(connector, endpoint, hypha_err_text(err));
        if (is_local_want(err)) {
            tell_later(connector, err);
            return;
        }
    }
    tell_later(connector, HYPHA_ERR_CONNECT_FAILED);
}

void hy_connector_init(struct hy_connector *connector, struct hy_net *net,
    enum hypha_session session, hy_connected_cb cb, void *user)
{
    *connector = (struct hy_connector){
        .net = net, .session = session, .state = HY_CONNECTOR_IDLE, .cb = cb, .user = user
    };
    hy_timer_init(&connector->deadline, net->loop, on_deadline, connector);
    hy_defer_init(&connector->answer, net->loop, on_answer, connector);
}

void hy_connector_connect(
    struct hy_connector *connector, struct hypha_url *url, uint32_t timeout_ms)
{
    assert(connector->state != HY_CONNECTOR_DIALING && connector->url == NULL);
    connector->url = hypha_url_ref(url);
    connector->timeout_ms = timeout_ms;
    connector->endpoint = 0;
    connector->cause = HYPHA_OK;
    connector->why[0] = '\0';
    if (connector->state == HY_CONNECTOR_STOPPED) {
        tell_later(connector, HYPHA_ERR_CONNECTOR_STOPPED);
        return;
    }
    connector->state = HY_CONNECTOR_DIALING;
    if (hy_hosts_is_banned(connector->net->hosts, url)) {
        note(connector, url, hypha_err_text(HYPHA_ERR_BANNED));
        tell_later(connector, HYPHA_ERR_BANNED);
        return;
    }
    enum hypha_err err = hy_settings_route(connector->net->settings, url, &connector->route);
    if (err == HYPHA_OK && connector->route.count == 0)
        err = HYPHA_ERR_UNSUPPORTED_TRANSPORT;
    if (err != HYPHA_OK) {
        note(connector, url, hypha_err_text(err));
        tell_later(connector, err);
        return;
    }
    dial_next(connector);
}

void hy_connector_stop(struct hy_connector *connector)
{
    bool dialing = connector->url != NULL;

    connector->state = HY_CONNECTOR_STOPPED;
    if (!dialing)
        return;
    drop_stream(connector);
    tell_later(connector, HYPHA_ERR_CONNECTOR_STOPPED);
}

void hy_connector_fini(struct hy_connector *connector)
{
    if (connector->net == NULL)
        return;
    drop_stream(connector);
    hy_defer_stop(&connector->answer);
    hy_route_fini(&connector->route);
    hypha_url_unref(connector->url);
    *connector = (struct hy_connector){ .state = HY_CONNECTOR_STOPPED };
}
