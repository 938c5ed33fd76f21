/* inbound_judge.c - see inbound_judge.h. */
#include "session/inbound_judge.h"

#include "channel/inbound_limit.h"

#include <string.h>

#define MAX_ANNOUNCED 4 /* of its addresses, to see who is here twice */

void hy_inbound_judge_init(struct hy_inbound_judge *judge, const struct hy_net *net)
{
    const uint32_t ours = HYPHA_SESSIONS_DEFAULT & ~(uint32_t)HYPHA_SESSION_INBOUND;
    struct hypha_channel *channel = NULL;

    *judge = (struct hy_inbound_judge){ .net = net };
    while (judge->dialled_count < HY_JUDGE_MAX_DIALLED &&
        (channel = hy_net_next_channel(net, channel)) != NULL) {
        if (((uint32_t)hypha_channel_session(channel) & ours) != 0 &&
            hy_channel_is_registered(channel) && !hypha_channel_is_stopped(channel))
            judge->dialled[judge->dialled_count++] = hy_channel_connect_addr(channel);
    }
    if (judge->dialled_count > 0)
        judge->own_count = hy_hosts_own_addrs(net->hosts, judge->own);
}

void hy_inbound_judge_fini(struct hy_inbound_judge *judge)
{
    for (size_t i = 0; i < judge->own_count; i++)
        hypha_url_unref(judge->own[i]);
}

static bool is_dialled(const struct hy_inbound_judge *judge, const struct hypha_url *url)
{
    for (size_t i = 0; i < judge->dialled_count; i++)
        if (hypha_url_equal(judge->dialled[i], url))
            return true;
    return false;
}

static const char *least(const char *a, const struct hypha_url *url)
{
    const char *b = hypha_url_text(url);

    return a == NULL || strcmp(b, a) < 0 ? b : a;
}

/* If two full nodes have dialled each other, both may look for a channel too many at once: were
 * both to end the other's, none would be left. The one with the lesser address may. */
static bool owns_less(const struct hy_inbound_judge *judge, const char *theirs)
{
    const char *ours = NULL;

    for (size_t i = 0; i < judge->own_count; i++)
        ours = least(ours, judge->own[i]);
    return ours == NULL || strcmp(ours, theirs) < 0;
}

/* What a peer says of itself is not proven; a liar only makes itself worth less. */
bool hy_inbound_is_double(const struct hy_inbound_judge *judge, struct hypha_channel *channel)
{
    const struct hypha_url *url;
    const char *theirs = NULL;
    bool dialled = false;

    if (judge->dialled_count == 0)
        return false;
    for (size_t i = 0; (url = hypha_channel_peer_address(channel, i)) != NULL; i++) {
        theirs = least(theirs, url);
        if (i < MAX_ANNOUNCED && !dialled)
            dialled = is_dialled(judge, url);
    }
    return dialled && owns_less(judge, theirs);
}

/* A ping is sent as soon as it is a peer: 2 s are enough where a handshake has 10. */
bool hy_inbound_is_silent(struct hypha_channel *channel, uint64_t age_ms)
{
    const char *scheme = hypha_url_scheme(hypha_channel_address(channel));
    const struct hy_resolved_settings *settings = hy_channel_net(channel)->settings;

    return hypha_channel_round_trip_us(channel) == 0 &&
        age_ms >= hy_settings_timeouts(settings, scheme)->handshake_ms / 5;
}

uint64_t hy_inbound_group(struct hypha_channel *channel, const uint8_t secret[HY_HASH_KEY_BYTES])
{
    bool localnet = hy_channel_net(channel)->settings->localnet;
    const struct hypha_url *seen = hypha_channel_address(channel);
    const struct hypha_url *announced = hypha_channel_peer_address(channel, 0);
    char group[HY_INBOUND_BLOCK_BYTES];

    _Static_assert(HY_INBOUND_BLOCK_BYTES >= HY_HOST_GROUP_BYTES, "room for both");
    if (localnet && announced == NULL) /* the port that it came from says nothing */
        (void)hy_inbound_block_name(seen, group);
    else
        (void)hy_host_group(localnet ? announced : seen, localnet, group);
    return hy_keyed_hash(secret, group, strlen(group));
}
