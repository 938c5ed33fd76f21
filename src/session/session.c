/* session.c - a channel enters the network and leaves it: lists, registry, events.
 *
 *   session           on entry                 on leaving
 *   outbound, direct  gold, Connected          grey, Free; by our own doing: white, Free
 *   inbound, manual,  Connected                Free
 *   seed
 *   refine            Connected                left to the refinery, which judges the host
 *
 * Channels are told apart by their id: an address that several inbound channels share (a unix
 * socket, a proxy on this machine) belongs to the first of them in the registry, and all count
 * as peers. spec: network.md#5-channel, network.md#71-common */
#include "session/session.h"

#include <assert.h>

static bool keeps_lists(enum hypha_session session)
{
    return session == HYPHA_SESSION_OUTBOUND || session == HYPHA_SESSION_DIRECT;
}

static bool is_peer(enum hypha_session session)
{
    return session != HYPHA_SESSION_SEED && session != HYPHA_SESSION_REFINE;
}

void hy_session_publish(
    struct hypha_channel *channel, enum hypha_event_type type, enum hypha_err err)
{
    struct hy_net *net = hy_channel_net(channel);

    if (!hy_events_wanted(&net->events, type))
        return;
    struct hypha_event event = {
        .type = type,
        .time_ns = hy_wall_ns(net->loop),
        .channel_id = hypha_channel_id(channel),
        .session = hypha_channel_session(channel),
        .addr = hypha_channel_display_address(channel),
        .err = err,
    };
    hy_events_publish(&net->events, &event);
}

static enum hypha_err enter_registry(
    struct hypha_channel *channel, struct hy_membership *membership)
{
    struct hy_net *net = hy_channel_net(channel);
    struct hypha_url *addr = hy_channel_connect_addr(channel);
    enum hypha_session session = hypha_channel_session(channel);
    enum hypha_err err = keeps_lists(session)
        ? hy_hosts_move(net->hosts, addr, HYPHA_COLOUR_GOLD, HY_HOST_CONNECTED)
        : hy_hosts_set(net->hosts, addr, HY_HOST_CONNECTED);

    if (err == HYPHA_ERR_HOST_BLOCKED && session == HYPHA_SESSION_INBOUND)
        return HYPHA_OK; /* the address is another's; the channel counts by its id */
    membership->holds_host = err == HYPHA_OK;
    return err;
}

enum hypha_err hy_session_register(struct hypha_channel *channel, struct hy_membership *membership)
{
    struct hy_net *net = hy_channel_net(channel);
    enum hypha_err err = net->stopping ? HYPHA_ERR_NETWORK_STOPPED : HYPHA_OK;

    assert(!membership->registered);
    if (err == HYPHA_OK && hypha_channel_is_stopped(channel))
        err = HYPHA_ERR_CHANNEL_STOPPED;
    if (err == HYPHA_OK && hy_hosts_is_banned(net->hosts, hy_channel_connect_addr(channel)))
        err = HYPHA_ERR_BANNED; /* while it was dialled */
    if (err == HYPHA_OK)
        err = enter_registry(channel, membership);
    if (err != HYPHA_OK) {
        hy_channel_stop_for(channel, err);
        return err;
    }

    membership->registered = true;
    hy_channel_set_registered(channel, true);
    net->peers_count += is_peer(hypha_channel_session(channel)) ? 1 : 0;
    net->last_connection_ms = hy_now_ms(net->loop);
    hy_session_publish(channel, HYPHA_EVENT_CHANNEL_REGISTERED, HYPHA_OK);
    if (net->on_registered != NULL)
        net->on_registered(net->user, channel);
    /* Those who were told may have stopped it. */
    if (hypha_channel_session(channel) != HYPHA_SESSION_REFINE &&
        !hypha_channel_is_stopped(channel))
        hy_channel_run(channel);
    return HYPHA_OK;
}

/* Out of gold, unless it left the lists meanwhile (a ban). */
static void leave_lists(struct hy_net *net, struct hypha_url *addr, enum hypha_err why)
{
    enum hypha_colour colour;
    uint64_t last_seen;
    bool listed = hy_hosts_find(net->hosts, addr, &colour, &last_seen);
    enum hypha_colour to = hy_session_is_own_stop(why) ? HYPHA_COLOUR_WHITE : HYPHA_COLOUR_GREY;

    if (!listed || colour != HYPHA_COLOUR_GOLD ||
        hy_hosts_move(net->hosts, addr, to, HY_HOST_FREE) != HYPHA_OK)
        hy_hosts_free(net->hosts, addr);
}

void hy_session_unregister(
    struct hypha_channel *channel, struct hy_membership *membership, enum hypha_err why)
{
    struct hy_net *net = hy_channel_net(channel);
    enum hypha_session session = hypha_channel_session(channel);
    struct hypha_url *addr = hy_channel_connect_addr(channel);

    if (!membership->registered)
        return;
    if (keeps_lists(session))
        leave_lists(net, addr, why);
    else if (session != HYPHA_SESSION_REFINE && membership->holds_host)
        hy_hosts_free(net->hosts, addr);
    *membership = (struct hy_membership){ 0 };

    hy_channel_set_registered(channel, false);
    net->peers_count -= is_peer(session) ? 1 : 0;
    hy_session_publish(channel, HYPHA_EVENT_CHANNEL_UNREGISTERED, why);
    if (is_peer(session) && net->peers_count == 0 && !net->stopping)
        hy_log_info(&net->log, "net::session", "No peer is left");
}

void hy_session_give_back(struct hypha_channel **channel, struct hy_membership *membership,
    const struct hypha_url *host, enum hypha_err why)
{
    struct hypha_channel *gone = *channel;

    *channel = NULL;
    if (membership->registered)
        hy_session_unregister(gone, membership, why);
    else if (host != NULL)
        hy_hosts_free(hy_channel_net(gone)->hosts, host);
    hypha_channel_unref(gone);
}

void hy_session_publish_slot(struct hy_net *net, const struct hypha_slot_info *slot)
{
    if (!hy_events_wanted(&net->events, HYPHA_EVENT_SLOT))
        return;
    struct hypha_event event = {
        .type = HYPHA_EVENT_SLOT,
        .time_ns = hy_wall_ns(net->loop),
        .channel_id = slot->channel_id,
        .session = slot->session,
        .addr = slot->addr,
        .slot = slot->slot,
        .err = slot->last_err,
        .state = slot->state,
    };
    hy_events_publish(&net->events, &event);
}

enum hypha_log_level hy_session_loss_level(const struct hy_net *net, const struct hypha_url *addr)
{
    return hy_hosts_is_banned(net->hosts, addr) ? HYPHA_LOG_VERBOSE : HYPHA_LOG_INFO;
}

bool hy_session_is_own_stop(enum hypha_err why)
{
    return why == HYPHA_OK || why == HYPHA_ERR_CHANNEL_STOPPED ||
        why == HYPHA_ERR_NETWORK_STOPPED || why == HYPHA_ERR_CONNECTOR_STOPPED;
}

bool hy_session_is_own_fault(enum hypha_err why)
{
    return hy_session_is_own_stop(why) || why == HYPHA_ERR_NOMEM || why == HYPHA_ERR_FILES ||
        why == HYPHA_ERR_HOST_BLOCKED;
}

const char *hy_session_text(const struct hypha_url *url, char into[HY_SESSION_TEXT_BYTES])
{
    return url != NULL ? hy_url_display(url, into, HY_SESSION_TEXT_BYTES) : "?";
}

uint64_t hy_backoff_ms(unsigned failures, uint64_t first_ms, uint64_t last_ms)
{
    uint64_t pause_ms = first_ms;

    for (unsigned i = 1; i < failures && pause_ms < last_ms; i++)
        pause_ms *= 2;
    return pause_ms < last_ms ? pause_ms : last_ms;
}
