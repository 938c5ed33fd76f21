/* p2p_bans.c - whom an operator does not want here, and who is banned already.
 *
 * The hosts room keeps the bans; here they also end the channels that they hold for.
 * spec: network.md#47-block-and-ban */
#include "p2p/p2p.h"

static void publish(struct hypha_p2p *p2p, enum hypha_event_type type, const struct hypha_url *url,
    enum hypha_err why)
{
    if (!hy_events_wanted(&p2p->net.events, type))
        return;
    struct hypha_event event = {
        .type = type, .time_ns = hy_wall_ns(p2p->loop), .addr = url, .err = why
    };

    hy_events_publish(&p2p->net.events, &event);
}

static void stop_channels(struct hypha_p2p *p2p, const struct hypha_url *url)
{
    struct hypha_channel *channel = NULL;

    while ((channel = hy_net_next_channel(&p2p->net, channel)) != NULL) {
        if (hy_hosts_ban_covers(url, hypha_channel_address(channel)) ||
            hy_hosts_ban_covers(url, hy_channel_connect_addr(channel)))
            hy_channel_stop_for(channel, HYPHA_ERR_BANNED);
    }
}

enum hypha_err hypha_p2p_ban(struct hypha_p2p *p2p, const struct hypha_url *url, uint64_t seconds)
{
    struct hypha_url *key = NULL;

    if (hypha_url_host(url)[0] == '\0')
        return HYPHA_ERR_BAD_ADDRESS;
    enum hypha_err err = hy_url_canonical(url, &key);
    if (err == HYPHA_OK)
        err = hy_hosts_ban(p2p->net.hosts, key, seconds, HYPHA_ERR_BANNED);
    if (err == HYPHA_OK) {
        stop_channels(p2p, key);
        publish(p2p, HYPHA_EVENT_BANNED, key, HYPHA_ERR_BANNED);
    }
    hypha_url_unref(key);
    return err;
}

enum hypha_err hypha_p2p_unban(struct hypha_p2p *p2p, const struct hypha_url *url)
{
    bool was_banned = hy_hosts_unban(p2p->net.hosts, url);

    if (was_banned)
        publish(p2p, HYPHA_EVENT_UNBANNED, url, HYPHA_OK);
    if (hy_hosts_is_blacklisted(p2p->net.hosts, url))
        return HYPHA_ERR_STATE;
    return was_banned ? HYPHA_OK : HYPHA_ERR_NOT_FOUND;
}

void hypha_p2p_each_ban(
    const struct hypha_p2p *p2p, void (*each)(const struct hypha_ban *ban, void *user), void *user)
{
    hy_hosts_each_ban(p2p->net.hosts, each, user);
}
