/* addr_exchange.c - see addr_exchange.h. */
#include "protocol/addr_exchange.h"

#include "url/url.h"

#define MAX_ASKED 255 /* network.md 3: getaddrs_max is capped */

enum hypha_err hy_send_own_addrs(struct hypha_channel *channel)
{
    struct hy_net *net = hy_channel_net(channel);
    struct hypha_url *own[HY_MAX_EXTERNAL];
    struct hy_addr_entry entries[HY_MAX_EXTERNAL];
    struct hy_addr_out addr = { .entries = entries };
    enum hypha_err err = HYPHA_OK;

    addr.count = hy_hosts_own_addrs(net->hosts, own);
    for (size_t i = 0; i < addr.count; i++)
        entries[i] = (struct hy_addr_entry){ own[i], hy_wall_s(net->loop) };
    if (addr.count > 0)
        err = hypha_channel_send(channel, &hy_core_messages[HY_MESSAGE_ADDR], &addr);
    for (size_t i = 0; i < addr.count; i++)
        hypha_url_unref(own[i]);
    return err;
}

enum hypha_err hy_send_getaddr_for(struct hypha_channel *channel, uint32_t max)
{
    const char *schemes[HY_MAX_SHAREABLE];
    struct hy_getaddr_out getaddr = { .max = max < MAX_ASKED ? max : MAX_ASKED,
        .transports = schemes };

    getaddr.count = hy_settings_shareable(hy_channel_net(channel)->settings, schemes);
    return hypha_channel_send(channel, &hy_core_messages[HY_MESSAGE_GETADDR], &getaddr);
}

uint32_t hy_getaddr_max(const struct hypha_channel *channel)
{
    const struct hy_resolved_settings *settings = hy_channel_net(channel)->settings;

    /* Without slots none are wanted, unless a seed is asked: that is done for the lists. */
    if (hypha_channel_session(channel) == HYPHA_SESSION_SEED && settings->getaddrs_max == 0 &&
        !settings->getaddrs_max_set)
        return MAX_ASKED;
    return settings->getaddrs_max < MAX_ASKED ? settings->getaddrs_max : MAX_ASKED;
}

enum hypha_err hy_send_getaddr(struct hypha_channel *channel)
{
    return hy_send_getaddr_for(channel, hy_getaddr_max(channel));
}

size_t hy_store_addrs(struct hypha_channel *channel, const struct hy_addr *addr)
{
    struct hy_net *net = hy_channel_net(channel);
    size_t inserted = 0;
    enum hypha_err err = hy_hosts_receive(net->hosts, addr, hy_channel_address(channel), &inserted);

    if (err != HYPHA_OK)
        hy_log_warn(&net->log, "net::protocol_address", "storing addresses of channel %u: %s",
            (unsigned)hypha_channel_id(channel), hypha_err_text(err));
    if (inserted > 0)
        hy_channel_was_useful(channel);
    if (inserted > 0 && hy_events_wanted(&net->events, HYPHA_EVENT_HOSTS_INSERTED)) {
        struct hypha_event event = { .type = HYPHA_EVENT_HOSTS_INSERTED,
            .time_ns = hy_wall_ns(net->loop),
            .channel_id = hypha_channel_id(channel),
            .session = hypha_channel_session(channel),
            .addr = hypha_channel_display_address(channel),
            .number = inserted };

        hy_events_publish(&net->events, &event);
    }
    return inserted;
}
