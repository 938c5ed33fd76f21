/* direct_discovery.c - without slots: borrow a channel for a question, rest, seldom a seed.
 *
 * Nobody waits for these hosts, so there is no hurry: a round each attempt time, and after a
 * fruitless one the cool-off. spec: network.md#78-direct-on-demand */
#include "session/direct_discovery.h"
#include "session/discovery.h"

#include <assert.h>

static const struct hy_direct_discovery_move nothing = { HY_DIRECT_DISCOVERY_DO_NOTHING, false };

static struct hy_direct_discovery_move rest(
    struct hy_direct_discovery *discovery, const struct hy_direct_discovery_facts *facts)
{
    discovery->state = HY_DIRECT_DISCOVERY_RESTING;
    discovery->due_ms = facts->now_ms + hy_seed_backoff_jitter(facts->attempt_ms, facts->chance);
    return (struct hy_direct_discovery_move){ HY_DIRECT_DISCOVERY_DO_REST, true };
}

static struct hy_direct_discovery_move seed_or_rest(
    struct hy_direct_discovery *discovery, const struct hy_direct_discovery_facts *facts)
{
    if (!facts->seeds || facts->untried ||
        hy_seed_backoff_left_ms(&discovery->seeds, facts->now_ms) > 0)
        return rest(discovery, facts);
    discovery->state = HY_DIRECT_DISCOVERY_SEEDING;
    hy_seed_backoff_asked(&discovery->seeds, facts->now_ms, facts->chance);
    discovery->due_ms = facts->now_ms + HY_DISCOVERY_SEED_WAIT_MS;
    return (struct hy_direct_discovery_move){ HY_DIRECT_DISCOVERY_DO_SEED, true };
}

static struct hy_direct_discovery_move ask(
    struct hy_direct_discovery *discovery, const struct hy_direct_discovery_facts *facts)
{
    if (discovery->attempt > HY_DIRECT_ASK_ATTEMPTS)
        return seed_or_rest(discovery, facts);
    discovery->state = HY_DIRECT_DISCOVERY_ASKING;
    discovery->due_ms = facts->now_ms + facts->attempt_ms;
    return (struct hy_direct_discovery_move){ HY_DIRECT_DISCOVERY_DO_ASK, true };
}

static struct hy_direct_discovery_move begin_round(
    struct hy_direct_discovery *discovery, const struct hy_direct_discovery_facts *facts)
{
    if (facts->connected)
        return ask(discovery, facts);
    discovery->state = HY_DIRECT_DISCOVERY_DIALLING;
    return (struct hy_direct_discovery_move){ HY_DIRECT_DISCOVERY_DO_NEWCHAN, false };
}

static struct hy_direct_discovery_move wait_again(struct hy_direct_discovery *discovery)
{
    discovery->state = HY_DIRECT_DISCOVERY_WAITING;
    return (struct hy_direct_discovery_move){ HY_DIRECT_DISCOVERY_DO_WAIT, false };
}

static struct hy_direct_discovery_move on_go(
    struct hy_direct_discovery *discovery, const struct hy_direct_discovery_facts *facts)
{
    if (discovery->state != HY_DIRECT_DISCOVERY_WAITING)
        return nothing;
    if (++discovery->attempt < HY_DIRECT_SLEEP_ATTEMPT)
        return begin_round(discovery, facts);
    discovery->state = HY_DIRECT_DISCOVERY_SLEEPING;
    discovery->due_ms = facts->now_ms + hy_seed_backoff_jitter(facts->cooloff_ms, facts->chance);
    return (struct hy_direct_discovery_move){ HY_DIRECT_DISCOVERY_DO_SLEEP, true };
}

static struct hy_direct_discovery_move on_timer(
    struct hy_direct_discovery *discovery, const struct hy_direct_discovery_facts *facts)
{
    switch (discovery->state) {
    case HY_DIRECT_DISCOVERY_SLEEPING:
        discovery->attempt = 1;
        return begin_round(discovery, facts);
    case HY_DIRECT_DISCOVERY_ASKING:
        discovery->attempt = HY_DIRECT_SLEEP_ATTEMPT - 1;
        return rest(discovery, facts);
    case HY_DIRECT_DISCOVERY_SEEDING:
        return rest(discovery, facts);
    case HY_DIRECT_DISCOVERY_RESTING:
        return wait_again(discovery);
    case HY_DIRECT_DISCOVERY_STOPPED:
    case HY_DIRECT_DISCOVERY_WAITING:
    case HY_DIRECT_DISCOVERY_DIALLING:
    case HY_DIRECT_DISCOVERY_STATES:
        break;
    }
    return nothing;
}

static struct hy_direct_discovery_move on_found(
    struct hy_direct_discovery *discovery, const struct hy_direct_discovery_facts *facts)
{
    if (discovery->state == HY_DIRECT_DISCOVERY_ASKING)
        discovery->attempt = 0;
    else if (discovery->state != HY_DIRECT_DISCOVERY_SEEDING)
        return nothing;
    return rest(discovery, facts);
}

struct hy_direct_discovery_move hy_direct_discovery_step(struct hy_direct_discovery *discovery,
    enum hy_direct_discovery_event event, const struct hy_direct_discovery_facts *facts)
{
    enum hy_direct_discovery_state state = discovery->state;

    assert(state < HY_DIRECT_DISCOVERY_STATES && event < HY_DIRECT_DISCOVERY_EVENTS);
    if (event == HY_DIRECT_DISCOVERY_ON_STOP) {
        *discovery = (struct hy_direct_discovery){ .state = HY_DIRECT_DISCOVERY_STOPPED };
        return (struct hy_direct_discovery_move){ HY_DIRECT_DISCOVERY_DO_STOP, false };
    }
    if (event == HY_DIRECT_DISCOVERY_ON_START && state == HY_DIRECT_DISCOVERY_STOPPED) {
        *discovery = (struct hy_direct_discovery){ .state = HY_DIRECT_DISCOVERY_STOPPED };
        hy_seed_backoff_init(&discovery->seeds);
        return wait_again(discovery);
    }
    if (state == HY_DIRECT_DISCOVERY_STOPPED)
        return nothing;

    switch (event) {
    case HY_DIRECT_DISCOVERY_ON_GO:
        return on_go(discovery, facts);
    case HY_DIRECT_DISCOVERY_ON_CHANNEL:
        return state == HY_DIRECT_DISCOVERY_DIALLING ? ask(discovery, facts) : nothing;
    case HY_DIRECT_DISCOVERY_ON_NO_CHANNEL:
        return state == HY_DIRECT_DISCOVERY_DIALLING ? seed_or_rest(discovery, facts) : nothing;
    case HY_DIRECT_DISCOVERY_ON_FOUND:
        return on_found(discovery, facts);
    case HY_DIRECT_DISCOVERY_ON_SEEDED:
        return state == HY_DIRECT_DISCOVERY_SEEDING ? rest(discovery, facts) : nothing;
    case HY_DIRECT_DISCOVERY_ON_PEER:
        hy_seed_backoff_connected(&discovery->seeds, facts->chance);
        return nothing;
    case HY_DIRECT_DISCOVERY_ON_TIMER:
        return on_timer(discovery, facts);
    case HY_DIRECT_DISCOVERY_ON_START:
    case HY_DIRECT_DISCOVERY_ON_STOP:
    case HY_DIRECT_DISCOVERY_EVENTS:
        break;
    }
    return nothing;
}
