/* protocol_version.c - who are you: the symmetric handshake of every channel.
 *
 *   state         event                 next
 *   (attach)                            version sent
 *   no version    version arrives       verack sent, then looked at
 *   no verack     verack arrives        checked
 *   both arrived                        hy_channel_handshake_done()
 *
 * Neither side begins; the order of what arrives is not fixed; more of either is ignored.
 * spec: wire.md#53-version-handshake */
#include "base/alloc.h"
#include "base/span.h"
#include "protocol/protocol.h"
#include "url/url.h"
#include "wire/message.h"

struct hy_version_state {
    struct hypha_channel *channel;
    bool got_version, got_verack;
    bool listed;           /* in the node's `shaking` */
    struct hypha_url *saw; /* under which address the peer says it reached (or saw) us */
    LIST_ENTRY(hy_version_state) entry;
};

static const struct hypha_message_type *type_of(enum hy_core_message message)
{
    return &hy_core_messages[message];
}

static struct hypha_span shown(struct hypha_span text, char *into, size_t size)
{
    return hy_span_of(hy_span_escape(text, into, size));
}

/* ---- our version ---- */

static enum hypha_err own_version(const struct hy_net *net, struct hy_semver *ret_version)
{
    return hy_semver_parse(hy_span_of(net->settings->app_version), ret_version);
}

/* Without userinfo, query and fragment; the dialled endpoint only of a direct route: else it
 * would tell the proxy and its credentials. spec: wire.md#8-beyond-the-reference */
static enum hypha_err receive_addrs(
    struct hypha_channel *channel, struct hypha_url **ret_connect, struct hypha_url **ret_resolve)
{
    struct hypha_url *resolve = hy_channel_resolve_addr(channel);
    enum hypha_err err = hy_url_announceable(hy_channel_connect_addr(channel), ret_connect);

    if (err != HYPHA_OK || resolve == NULL || hy_channel_is_mixed(channel))
        return err;
    return hy_url_announceable(resolve, ret_resolve);
}

static enum hypha_err send_version(struct hypha_channel *channel, struct hy_net *net)
{
    struct hypha_url *own[HY_MAX_EXTERNAL], *connect = NULL, *resolve = NULL;
    const struct hypha_url *announced[HY_MAX_EXTERNAL];
    struct hy_version_out version = { .node_id = net->settings->node_id,
        .app_name = net->settings->app_name,
        .timestamp = hy_wall_s(net->loop),
        .ext_send_addr = announced };
    enum hypha_err err = own_version(net, &version.version);

    if (err == HYPHA_OK)
        err = receive_addrs(channel, &connect, &resolve);
    if (err == HYPHA_OK) {
        size_t count = hy_hosts_own_addrs(net->hosts, own);

        for (size_t i = 0; i < count; i++)
            announced[i] = own[i];
        version.ext_count = count;
        version.connect_recv_addr = connect;
        version.resolve_recv_addr = resolve;
        err = hy_channel_send_urgent(channel, type_of(HY_MESSAGE_VERSION), &version);
        for (size_t i = 0; i < count; i++)
            hypha_url_unref(own[i]);
    }
    hypha_url_unref(connect);
    hypha_url_unref(resolve);
    return err;
}

static enum hypha_err send_verack(struct hypha_channel *channel, const struct hy_net *net)
{
    struct hy_verack verack = { .app_name = hy_span_of(net->settings->app_name) };
    enum hypha_err err = own_version(net, &verack.app_version);

    if (err != HYPHA_OK)
        return err;
    return hy_channel_send_urgent(channel, type_of(HY_MESSAGE_VERACK), &verack);
}

/* ---- the peer's ---- */

/* App name equal, major and minor equal; the rest doesn't matter. False: the channel ends. */
static bool check(
    struct hypha_channel *channel, struct hypha_span app_name, const struct hy_semver *version)
{
    const struct hy_net *net = hy_channel_net(channel);
    const struct hy_resolved_settings *settings = net->settings;
    struct hy_semver own = { 0 };

    if (own_version(net, &own) == HYPHA_OK && hy_span_is(app_name, settings->app_name) &&
        version->major == own.major && version->minor == own.minor)
        return true;

    char name[128], number[HY_SEMVER_TEXT_BYTES], peer[256];
    hy_log_warn(&net->log, "net::protocol_version",
        "peer %s is \"%s\" %s, we are \"%s\" %s: app name and major.minor must be equal",
        hy_url_display(hypha_channel_display_address(channel), peer, sizeof peer),
        (const char *)shown(app_name, name, sizeof name).at,
        hy_semver_format(version, number, sizeof number), settings->app_name,
        settings->app_version);
    hy_channel_violation(channel, HYPHA_ERR_VERSION);
    return false;
}

/* Two channels of this node that are each other's ends: each one's connect address is what
 * the other's peer says it has connected to or accepted. No honest stranger says both; a liar
 * only ends its own channel. The pair is still shaking hands when the second of the two
 * versions arrives, as each side's verack comes after its look at the other's version. */
static bool is_ourselves(struct hy_core *core, struct hy_version_state *state)
{
    struct hy_version_state *other;
    const struct hypha_url *here = hy_channel_connect_addr(state->channel);

    LIST_FOREACH (other, &core->shaking, entry) {
        const struct hypha_url *there = hy_channel_connect_addr(other->channel);
        bool across = (hypha_channel_session(other->channel) == HYPHA_SESSION_INBOUND) !=
            (hypha_channel_session(state->channel) == HYPHA_SESSION_INBOUND);

        if (other == state || !across || other->saw == NULL || state->saw == NULL ||
            *hypha_url_host(here) == '\0' || *hypha_url_host(there) == '\0')
            continue;
        if (hypha_url_equal(state->saw, there) && hypha_url_equal(other->saw, here)) {
            hy_channel_stop_for(other->channel, HYPHA_ERR_SELF); /* one of them says it */
            return true;
        }
    }
    return false;
}

static enum hypha_err keep_peer_addresses(
    struct hypha_channel *channel, const struct hy_version *version)
{
    struct hypha_span rest = version->ext_send_addr;
    struct hypha_url *url = NULL;
    enum hypha_err err = HYPHA_OK;

    while (err == HYPHA_OK && hy_version_next_ext(&rest, &url, &err)) {
        err = hy_channel_add_peer_address(channel, url);
        hypha_url_unref(url);
    }
    return err;
}

static void finish_if_done(struct hypha_channel *channel, struct hy_version_state *state)
{
    if (!state->got_version || !state->got_verack)
        return;
    if (state->listed)
        LIST_REMOVE(state, entry);
    state->listed = false;
    hypha_url_unref(state->saw);
    state->saw = NULL;
    hy_channel_handshake_done(channel);
}

static enum hypha_err on_version(struct hypha_channel *channel, struct hy_core *core,
    struct hy_version_state *state, const struct hy_version *version)
{
    struct hy_net *net = hy_channel_net(channel);
    enum hypha_err err;

    if (state->got_version)
        return HYPHA_OK;
    state->got_version = true;
    err = hypha_url_parse(version->connect_recv_addr, &state->saw);
    if (err != HYPHA_OK)
        return err;
    if (is_ourselves(core, state)) {
        hy_channel_violation(channel, HYPHA_ERR_SELF);
        return HYPHA_OK;
    }
    err = send_verack(channel, net);
    if (err != HYPHA_OK || !check(channel, version->app_name, &version->version))
        return err;
    err = keep_peer_addresses(channel, version);
    if (err != HYPHA_OK)
        return err;
    /* Only who was dialled by us is believed, and only about IPv6 (wire.md 5.3, network.md 4.5). */
    if (hypha_channel_session(channel) != HYPHA_SESSION_INBOUND &&
        hypha_url_host_kind(state->saw) == HYPHA_HOST_IPV6)
        hy_hosts_guess_own_ip(net->hosts, state->saw, hy_channel_address(channel));
    finish_if_done(channel, state);
    return HYPHA_OK;
}

static enum hypha_err on_verack(
    struct hypha_channel *channel, struct hy_version_state *state, const struct hy_verack *verack)
{
    enum hypha_err err;

    if (state->got_verack)
        return HYPHA_OK;
    state->got_verack = true;
    err = hy_channel_set_peer(channel, verack->app_name, &verack->app_version);
    if (err != HYPHA_OK || !check(channel, verack->app_name, &verack->app_version))
        return err;
    finish_if_done(channel, state);
    return HYPHA_OK;
}

/* ---- the protocol ---- */

static enum hypha_err on_attach(struct hypha_channel *channel, void *app, void **ret_state)
{
    struct hy_core *core = app;
    struct hy_version_state *state = hy_alloc(sizeof *state);
    enum hypha_err err;

    if (state == NULL)
        return HYPHA_ERR_NOMEM;
    state->channel = channel;
    err = send_version(channel, hy_channel_net(channel));
    if (err != HYPHA_OK) {
        hy_free(state);
        return err;
    }
    LIST_INSERT_HEAD(&core->shaking, state, entry);
    state->listed = true;
    *ret_state = state;
    return HYPHA_OK;
}

static enum hypha_err on_message(struct hypha_channel *channel, void *app, void *user,
    const struct hypha_message_type *type, const void *message)
{
    struct hy_version_state *state = user;
    enum hypha_err err;

    if (type == type_of(HY_MESSAGE_VERSION))
        err = on_version(channel, app, state, message);
    else
        err = on_verack(channel, state, message);
    /* What fails here is ours (memory, say), not the peer's payload: that was decoded. */
    if (err != HYPHA_OK)
        hy_channel_stop_for(channel, err);
    return HYPHA_OK;
}

static void on_stop(struct hypha_channel *channel, void *app, void *user, enum hypha_err why)
{
    struct hy_version_state *state = user;

    (void)channel;
    (void)app;
    (void)why;
    if (state->listed)
        LIST_REMOVE(state, entry);
    hypha_url_unref(state->saw);
    hy_free(state);
}

const struct hypha_protocol hy_protocol_version = {
    .name = "version",
    .sessions = HYPHA_SESSIONS_ALL,
    .messages = &hy_core_messages[HY_MESSAGE_VERSION],
    .message_count = 2, /* version, verack */
    .on_attach = on_attach,
    .on_message = on_message,
    .on_stop = on_stop,
};
