/* discovery.c - when to ask peers for addresses, when the seeds, and when to leave both in peace.
 *
 * No pause stands before the first round: an empty node asks its seeds in the turn in which it
 * starts. What grows is the pause after a round, and the back-off of seeding.
 * spec: network.md#75-peerdiscovery */
#include "session/discovery.h"

#include <assert.h>

#define DIALS_GRACE_MS 1000U

static const struct hy_discovery_move nothing = { HY_DISCOVERY_DO_NOTHING, false };

/* The pause between rounds: short at first, when most is to be found. */
static uint64_t rest_ms(
    const struct hy_discovery *discovery, const struct hy_discovery_facts *facts)
{
    uint64_t rest = HY_DISCOVERY_REST_FIRST_MS << (discovery->rounds < 16 ? discovery->rounds : 16);

    return hy_seed_backoff_jitter(
        rest < facts->attempt_ms ? rest : facts->attempt_ms, facts->chance);
}

static struct hy_discovery_move rest(struct hy_discovery *discovery, uint64_t until_ms)
{
    discovery->state = HY_DISCOVERY_RESTING;
    discovery->due_ms = until_ms;
    return (struct hy_discovery_move){ HY_DISCOVERY_DO_REST, true };
}

/* A round is over. */
static struct hy_discovery_move settle(
    struct hy_discovery *discovery, const struct hy_discovery_facts *facts)
{
    uint64_t until_ms = facts->now_ms + rest_ms(discovery, facts);

    discovery->rounds++;
    return rest(discovery, until_ms);
}

static struct hy_discovery_move ask(
    struct hy_discovery *discovery, const struct hy_discovery_facts *facts)
{
    discovery->state = HY_DISCOVERY_ASKING;
    discovery->due_ms = facts->now_ms + facts->attempt_ms;
    return (struct hy_discovery_move){ HY_DISCOVERY_DO_ASK, true };
}

static struct hy_discovery_move seed(
    struct hy_discovery *discovery, const struct hy_discovery_facts *facts)
{
    discovery->state = HY_DISCOVERY_SEEDING;
    discovery->failures = 0;
    discovery->waited = false;
    hy_seed_backoff_asked(&discovery->seeds, facts->now_ms, facts->chance);
    discovery->due_ms = facts->now_ms + HY_DISCOVERY_SEED_WAIT_MS;
    return (struct hy_discovery_move){ HY_DISCOVERY_DO_SEED, true };
}

static struct hy_discovery_move begin_round(
    struct hy_discovery *discovery, const struct hy_discovery_facts *facts)
{
    bool fruitless = discovery->failures >= HY_DISCOVERY_MAX_FAILURES;
    bool may_seed = facts->seeds && !facts->untried;

    if (fruitless && !facts->seeds)
        discovery->failures = 0;
    if (!facts->connected && may_seed && facts->dialing && !discovery->waited) {
        discovery->waited = true;
        return rest(discovery, facts->now_ms + DIALS_GRACE_MS);
    }
    if ((!facts->connected || fruitless) && may_seed &&
        hy_seed_backoff_left_ms(&discovery->seeds, facts->now_ms) == 0)
        return seed(discovery, facts);
    if (facts->connected)
        return ask(discovery, facts);
    /* The slots look again meanwhile: a host's own back-off may be over. */
    uint64_t look_again_ms = facts->now_ms +
        hy_seed_backoff_jitter(facts->attempt_ms, facts->chance);
    if (may_seed && discovery->seeds.not_before_ms < look_again_ms)
        return rest(discovery, discovery->seeds.not_before_ms);
    return rest(discovery, look_again_ms);
}

/* A connection: seeds may be asked again as if for the first time, peers soon. */
static struct hy_discovery_move on_peer(
    struct hy_discovery *discovery, const struct hy_discovery_facts *facts)
{
    uint64_t soon_ms = facts->now_ms + rest_ms(discovery, facts);

    hy_seed_backoff_connected(&discovery->seeds, facts->chance);
    if (discovery->state != HY_DISCOVERY_RESTING || discovery->due_ms <= soon_ms)
        return nothing;
    discovery->due_ms = soon_ms;
    return (struct hy_discovery_move){ HY_DISCOVERY_DO_REARM, true };
}

/* The operator has changed the seeds: the others' back-off is not theirs. */
static struct hy_discovery_move on_new_seeds(
    struct hy_discovery *discovery, const struct hy_discovery_facts *facts)
{
    hy_seed_backoff_init(&discovery->seeds);
    if (discovery->state != HY_DISCOVERY_RESTING || discovery->due_ms <= facts->now_ms)
        return nothing;
    discovery->due_ms = facts->now_ms;
    return (struct hy_discovery_move){ HY_DISCOVERY_DO_REARM, true };
}

static struct hy_discovery_move on_timer(
    struct hy_discovery *discovery, const struct hy_discovery_facts *facts)
{
    switch (discovery->state) {
    case HY_DISCOVERY_ASKING:
        discovery->failures++;
        return settle(discovery, facts);
    case HY_DISCOVERY_SEEDING:
        return settle(discovery, facts);
    case HY_DISCOVERY_RESTING:
        if (facts->asleep)
            return begin_round(discovery, facts);
        discovery->state = HY_DISCOVERY_IDLE;
        discovery->rounds = 0;
        discovery->waited = false;
        return (struct hy_discovery_move){ HY_DISCOVERY_DO_WAIT, false };
    case HY_DISCOVERY_STOPPED:
    case HY_DISCOVERY_IDLE:
    case HY_DISCOVERY_STATES:
        break;
    }
    return nothing;
}

struct hy_discovery_move hy_discovery_step(struct hy_discovery *discovery,
    enum hy_discovery_event event, const struct hy_discovery_facts *facts)
{
    enum hy_discovery_state state = discovery->state;

    assert(state < HY_DISCOVERY_STATES && event < HY_DISCOVERY_EVENTS);
    if (event == HY_DISCOVERY_ON_STOP) {
        *discovery = (struct hy_discovery){ .state = HY_DISCOVERY_STOPPED };
        return (struct hy_discovery_move){ HY_DISCOVERY_DO_REARM, false };
    }
    if (event == HY_DISCOVERY_ON_START && state == HY_DISCOVERY_STOPPED) {
        *discovery = (struct hy_discovery){ .state = HY_DISCOVERY_IDLE };
        hy_seed_backoff_init(&discovery->seeds);
        return (struct hy_discovery_move){ HY_DISCOVERY_DO_WAIT, false };
    }
    if (state == HY_DISCOVERY_STOPPED)
        return nothing;

    switch (event) {
    case HY_DISCOVERY_ON_WANTED:
        return state == HY_DISCOVERY_IDLE ? begin_round(discovery, facts) : nothing;
    case HY_DISCOVERY_ON_FOUND:
        if (state == HY_DISCOVERY_ASKING)
            discovery->failures = 0;
        if (state == HY_DISCOVERY_ASKING || state == HY_DISCOVERY_SEEDING)
            return settle(discovery, facts);
        return nothing;
    case HY_DISCOVERY_ON_SEEDED:
        return state == HY_DISCOVERY_SEEDING ? settle(discovery, facts) : nothing;
    case HY_DISCOVERY_ON_PEER:
        return on_peer(discovery, facts);
    case HY_DISCOVERY_ON_NEW_SEEDS:
        return on_new_seeds(discovery, facts);
    case HY_DISCOVERY_ON_TIMER:
        return on_timer(discovery, facts);
    case HY_DISCOVERY_ON_START:
    case HY_DISCOVERY_ON_STOP:
    case HY_DISCOVERY_EVENTS:
        break;
    }
    return nothing;
}

const char *hy_discovery_state_name(enum hy_discovery_state state)
{
    switch (state) {
    case HY_DISCOVERY_STOPPED:
        return "stopped";
    case HY_DISCOVERY_IDLE:
        return "idle";
    case HY_DISCOVERY_ASKING:
        return "getaddr";
    case HY_DISCOVERY_SEEDING:
        return "seed";
    case HY_DISCOVERY_RESTING:
        return "resting";
    case HY_DISCOVERY_STATES:
        break;
    }
    return "?";
}
