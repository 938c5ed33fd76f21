/* session/inbound_judge.h - what a node thinks of one who came in, for eviction.h. */
#ifndef HY_SESSION_INBOUND_JUDGE_H
#define HY_SESSION_INBOUND_JUDGE_H

#include "base/map.h"
#include "session/session.h"

#define HY_JUDGE_MAX_DIALLED 64

/* Who is judged by what we have dialled ourselves: looked up once for all. Nothing in it is
 * counted: valid within the call that made it. */
struct hy_inbound_judge {
    const struct hy_net *net;
    const struct hypha_url *dialled[HY_JUDGE_MAX_DIALLED];
    size_t dialled_count;
    struct hypha_url *own[HY_MAX_EXTERNAL];
    size_t own_count;
};
void hy_inbound_judge_init(struct hy_inbound_judge *judge, const struct hy_net *net);
void hy_inbound_judge_fini(struct hy_inbound_judge *judge);

/* It says that it is somebody to whom we have a channel of our own, and of the two channels this is
 * the one to give up. */
bool hy_inbound_is_double(const struct hy_inbound_judge *judge, struct hypha_channel *channel);
/* A peer for so long, and no pong yet. */
bool hy_inbound_is_silent(struct hypha_channel *channel, uint64_t age_ms);
/* Its network group, in an order that only we know. On localnet, where all come from one address,
 * the one that it announces. */
uint64_t hy_inbound_group(struct hypha_channel *channel, const uint8_t secret[HY_HASH_KEY_BYTES]);

#endif
