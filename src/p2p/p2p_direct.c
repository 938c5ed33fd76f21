/* p2p_direct.c - channels on demand, as an application asks for them. */
#include "p2p/p2p.h"

#define ASK_FOR 1 /* addresses a time, unless getaddrs_max says else. spec: network.md 3 */

static enum hypha_err ask(struct hypha_channel *channel)
{
    const struct hy_resolved_settings *settings = hy_channel_net(channel)->settings;

    return hy_address_ask_for(
        channel, settings->getaddrs_max_set ? settings->getaddrs_max : ASK_FOR);
}

static size_t ask_peers(void *user)
{
    return hy_p2p_ask_peers(user, ask);
}

enum hypha_err hy_p2p_create_direct(struct hypha_p2p *p2p)
{
    const struct hy_direct_hooks hooks = {
        .user = p2p,
        .ask_peers = ask_peers,
        .seed = hy_p2p_seed_some,
    };

    return hy_session_direct_create(&p2p->net, &hooks, &p2p->direct);
}

enum hypha_err hypha_p2p_get_channel(struct hypha_p2p *p2p, const struct hypha_url *url,
    unsigned retries, hypha_direct_cb cb, void *user, struct hypha_direct **ret_request)
{
    struct hypha_url *key = NULL;

    if (p2p->direct == NULL || p2p->net.stopping)
        return HYPHA_ERR_NETWORK_STOPPED;
    if (hypha_url_host(url)[0] == '\0' || hypha_url_port(url) == 0)
        return HYPHA_ERR_BAD_ADDRESS;
    enum hypha_err err = hy_url_canonical(url, &key);
    if (err != HYPHA_OK)
        return err == HYPHA_ERR_NOMEM ? err : HYPHA_ERR_BAD_ADDRESS;
    err = hy_session_direct_get(p2p->direct, key, retries, cb, user, ret_request);
    hypha_url_unref(key);
    return err;
}

bool hypha_p2p_release_channel(struct hypha_p2p *p2p, struct hypha_channel *channel)
{
    return p2p->direct != NULL && hy_session_direct_release(p2p->direct, channel);
}

enum hypha_err hypha_p2p_start_peer_discovery(struct hypha_p2p *p2p)
{
    return p2p->direct != NULL ? hy_session_direct_discover(p2p->direct)
                               : HYPHA_ERR_NETWORK_STOPPED;
}
