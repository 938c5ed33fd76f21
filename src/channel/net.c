/* net.c - what all channels of one node share. */
#include "channel/net.h"

#include "channel/channel_internal.h"

#include <string.h>

enum hypha_err hy_net_init(struct hy_net *net)
{
    *net = (struct hy_net){ 0 };
    TAILQ_INIT(&net->channels);
    TAILQ_INIT(&net->lingering);
    net->pool = hy_block_pool_create();
    return net->pool != NULL ? HYPHA_OK : HYPHA_ERR_NOMEM;
}

void hy_net_fini(struct hy_net *net)
{
    if (net == NULL)
        return;
    net->on_channel_gone = NULL;
    while (net->lingering_count > 0)
        hy_channel_end_linger(TAILQ_FIRST(&net->lingering));
    hy_dispatch_unref(net->dispatch);
    net->dispatch = NULL;
    hypha_writer_fini(&net->scratch);
    for (size_t i = 0; i < sizeof net->totals / sizeof net->totals[0]; i++) {
        hy_free(net->totals[i]);
        net->totals[i] = NULL;
    }
    hy_block_pool_destroy(net->pool);
    net->pool = NULL;
}

struct hy_transport *hy_net_transport(const struct hy_net *net, const char *scheme)
{
    for (size_t i = 0; i < net->transport_count; i++)
        if (strcmp(net->transports[i]->scheme, scheme) == 0)
            return net->transports[i];
    return NULL;
}

struct hypha_channel *hy_net_channel(const struct hy_net *net, uint32_t id)
{
    struct hypha_channel *channel = NULL;

    HASH_FIND(hh, net->by_id, &id, sizeof id, channel);
    return channel;
}

struct hypha_channel *hy_net_next_channel(
    const struct hy_net *net, const struct hypha_channel *after)
{
    return after == NULL ? TAILQ_FIRST(&net->channels) : TAILQ_NEXT(after, entry);
}

void hy_net_stop_channels(struct hy_net *net, enum hypha_err why)
{
    struct hypha_channel *channel;

    TAILQ_FOREACH (channel, &net->channels, entry)
        hy_channel_stop_for(channel, why);
}
