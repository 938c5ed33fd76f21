/* p2p_info.c - what a node does at this moment, and why: every place for a peer, and discovery. */
#include "p2p/p2p.h"

/* A node without sessions has places all the same: as many as it is configured for. */
static void each_stopped(enum hypha_session session, const struct hy_url_array *urls, size_t count,
    void (*each)(const struct hypha_slot_info *slot, void *user), void *user)
{
    for (size_t i = 0; i < count; i++) {
        const struct hypha_slot_info info = {
            .session = session,
            .slot = (uint32_t)i,
            .state = "stopped",
            .addr = urls != NULL ? urls->urls[i] : NULL,
            .waits_for = "waits for the node's start",
        };

        each(&info, user);
    }
}

void hypha_p2p_each_slot(const struct hypha_p2p *p2p,
    void (*each)(const struct hypha_slot_info *slot, void *user), void *user)
{
    const struct hy_resolved_settings *settings = p2p->settings;
    struct hypha_discovery_info discovery;

    if (p2p->outbound == NULL) {
        each_stopped(HYPHA_SESSION_OUTBOUND, NULL, settings->outbound_connections, each, user);
        each_stopped(HYPHA_SESSION_MANUAL, &settings->peers, settings->peers.count, each, user);
        each_stopped(HYPHA_SESSION_SEED, &settings->seeds, settings->seeds.count, each, user);
        return;
    }
    hypha_p2p_discovery(p2p, &discovery);
    hy_session_outbound_each(p2p->outbound, each, user);
    hy_session_manual_each(p2p->manual, each, user);
    hy_session_seedsync_each(p2p->seedsync, discovery.seed_wait_ms, each, user);
}

void hypha_p2p_discovery(const struct hypha_p2p *p2p, struct hypha_discovery_info *ret_info)
{
    *ret_info = (struct hypha_discovery_info){
        .state = "stopped",
        .getaddr_rounds = p2p->getaddr_rounds,
        .seed_rounds = p2p->seed_rounds,
    };
    if (p2p->outbound == NULL)
        return;
    if (hy_session_outbound_slot_count(p2p->outbound) == 0 &&
        hy_session_direct_is_discovering(p2p->direct))
        hy_session_direct_discovery_info(p2p->direct, ret_info);
    else
        hy_session_outbound_discovery_info(p2p->outbound, ret_info);
}
