/* p2p_network.c - what an application does with a running node: talk, look, listen.
 *
 * A broadcast is encoded once and handed to each peer's queue within the call, so there is
 * nothing that could pile up: the reference's limit of 64 broadcasts at a time has no object
 * here. Each peer's own queue has a limit instead. spec: network.md#24-operations */
#include "p2p/p2p.h"

static bool is_peer(const struct hypha_channel *channel)
{
    uint32_t session = hypha_channel_session(channel);

    return hy_channel_is_registered(channel) && (session & HYPHA_SESSIONS_DEFAULT) != 0;
}

enum hypha_err hypha_p2p_broadcast_to(struct hypha_p2p *p2p, const struct hypha_message_type *type,
    const void *message, bool (*wanted)(struct hypha_channel *channel, void *user), void *user,
    size_t *ret_sent)
{
    struct hypha_channel *channel = NULL;
    struct hy_frame *frame = NULL;
    size_t sent = 0;

    if (p2p->net.stopping)
        return HYPHA_ERR_NETWORK_STOPPED;
    enum hypha_err err = hy_frame_create(&p2p->net, type, message, &frame);
    if (err != HYPHA_OK)
        return err;
    while ((channel = hy_net_next_channel(&p2p->net, channel)) != NULL) {
        if (!is_peer(channel) || (wanted != NULL && !wanted(channel, user)))
            continue;
        if (hy_channel_send_frame(channel, frame) == HYPHA_OK)
            sent++;
    }
    hy_frame_unref(frame);
    if (ret_sent != NULL)
        *ret_sent = sent;
    return HYPHA_OK;
}

enum hypha_err hypha_p2p_broadcast(struct hypha_p2p *p2p, const struct hypha_message_type *type,
    const void *message, size_t *ret_sent)
{
    return hypha_p2p_broadcast_to(p2p, type, message, NULL, NULL, ret_sent);
}

struct hypha_loop *hypha_p2p_loop(const struct hypha_p2p *p2p)
{
    return p2p->loop;
}

size_t hypha_p2p_peers_count(const struct hypha_p2p *p2p)
{
    return p2p->net.peers_count;
}

void hypha_p2p_each_channel(
    struct hypha_p2p *p2p, void (*each)(struct hypha_channel *channel, void *user), void *user)
{
    struct hypha_channel *channel = NULL;

    while ((channel = hy_net_next_channel(&p2p->net, channel)) != NULL) {
        if (hy_channel_is_registered(channel))
            each(channel, user);
    }
}

struct hypha_channel *hypha_p2p_channel(struct hypha_p2p *p2p, uint32_t id)
{
    struct hypha_channel *channel = hy_net_channel(&p2p->net, id);

    return channel != NULL && hy_channel_is_registered(channel) ? channel : NULL;
}

size_t hypha_p2p_slot_count(const struct hypha_p2p *p2p)
{
    return p2p->outbound != NULL ? hy_session_outbound_slot_count(p2p->outbound)
                                 : p2p->settings->outbound_connections;
}

uint32_t hypha_p2p_slot_channel(const struct hypha_p2p *p2p, size_t slot)
{
    return p2p->outbound != NULL ? hy_session_outbound_slot_channel(p2p->outbound, slot) : 0;
}

const struct hypha_url *hypha_p2p_listen_addr(const struct hypha_p2p *p2p, size_t index)
{
    return p2p->inbound != NULL ? hy_session_inbound_addr(p2p->inbound, index) : NULL;
}

void hypha_p2p_each_own_addr(
    const struct hypha_p2p *p2p, void (*each)(const struct hypha_url *url, void *user), void *user)
{
    struct hypha_url *urls[HY_MAX_EXTERNAL];
    size_t count = hy_hosts_own_addrs(p2p->net.hosts, urls);

    for (size_t i = 0; i < count; i++) {
        each(urls[i], user);
        hypha_url_unref(urls[i]);
    }
}

void hypha_p2p_each_host(const struct hypha_p2p *p2p, enum hypha_colour colour,
    void (*each)(const struct hypha_url *url, uint64_t last_seen, void *user), void *user)
{
    hy_hosts_each(p2p->net.hosts, colour, each, user);
}

enum hypha_err hypha_p2p_connect(struct hypha_p2p *p2p, const struct hypha_url *url)
{
    struct hypha_url *key = NULL;
    bool direct;

    if (p2p->manual == NULL || p2p->net.stopping)
        return HYPHA_ERR_NETWORK_STOPPED;
    if (hypha_url_host(url)[0] == '\0' || hypha_url_port(url) == 0)
        return HYPHA_ERR_BAD_ADDRESS;
    if (!hy_settings_is_routable(p2p->settings, url, &direct))
        return HYPHA_ERR_UNSUPPORTED_TRANSPORT;
    enum hypha_err err = hy_url_canonical(url, &key);
    if (err == HYPHA_OK)
        err = hy_session_manual_connect(p2p->manual, key);
    hypha_url_unref(key);
    return err;
}

enum hypha_err hypha_p2p_disconnect(struct hypha_p2p *p2p, const struct hypha_url *url)
{
    struct hypha_url *key = NULL;

    if (p2p->manual == NULL)
        return HYPHA_ERR_NOT_FOUND;
    enum hypha_err err = hy_url_canonical(url, &key);
    if (err == HYPHA_OK)
        err = hy_session_manual_disconnect(p2p->manual, key);
    hypha_url_unref(key);
    return err;
}

void hypha_p2p_seed(struct hypha_p2p *p2p)
{
    if (p2p->seedsync != NULL)
        (void)hy_session_seedsync_wake(p2p->seedsync, SIZE_MAX);
}

void hypha_p2p_each_command(const struct hypha_p2p *p2p, hypha_command_cb each, void *user)
{
    hy_net_each_command(&p2p->net, each, user);
}

static void publish_list(void *user, const struct hypha_url *url, enum hypha_colour colour)
{
    struct hypha_p2p *p2p = user;
    struct hypha_event event = {
        .type = HYPHA_EVENT_LIST,
        .time_ns = hy_wall_ns(p2p->loop),
        .addr = url,
        .state = hy_colour_name(colour),
    };

    hy_events_publish(&p2p->net.events, &event);
}

/* Moves between lists are noted only while somebody wants to hear of them. */
static void watch_lists(struct hypha_p2p *p2p)
{
    bool wanted = hy_events_wanted(&p2p->net.events, HYPHA_EVENT_LIST);

    hy_hosts_set_observer(p2p->net.hosts, wanted ? publish_list : NULL, p2p);
}

enum hypha_err hypha_p2p_subscribe_events(struct hypha_p2p *p2p, hypha_event_cb cb, void *user)
{
    return hypha_p2p_subscribe_events_of(p2p, HYPHA_EVENTS_ALL, cb, user);
}

enum hypha_err hypha_p2p_subscribe_events_of(
    struct hypha_p2p *p2p, uint64_t mask, hypha_event_cb cb, void *user)
{
    enum hypha_err err = hy_events_subscribe(&p2p->net.events, mask, cb, user);

    if (err == HYPHA_OK)
        watch_lists(p2p);
    return err;
}

void hypha_p2p_unsubscribe_events(struct hypha_p2p *p2p, hypha_event_cb cb, void *user)
{
    hy_events_unsubscribe(&p2p->net.events, cb, user);
    watch_lists(p2p);
}
