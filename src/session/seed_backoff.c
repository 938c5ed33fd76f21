/* seed_backoff.c - see seed_backoff.h. */
#include "session/seed_backoff.h"

#define JITTER_PERCENT 25U

uint64_t hy_seed_backoff_jitter(uint64_t ms, uint32_t chance)
{
    uint64_t reach = ms * JITTER_PERCENT / 100;

    return ms - reach + ((2 * reach * chance) >> 32);
}

void hy_seed_backoff_init(struct hy_seed_backoff *backoff)
{
    *backoff = (struct hy_seed_backoff){ .pause_ms = HY_SEED_BACKOFF_FIRST_MS };
}

void hy_seed_backoff_asked(struct hy_seed_backoff *backoff, uint64_t now_ms, uint32_t chance)
{
    uint64_t next = (uint64_t)backoff->pause_ms * 2;

    backoff->asked_ms = now_ms;
    backoff->not_before_ms = now_ms + hy_seed_backoff_jitter(backoff->pause_ms, chance);
    backoff->pause_ms = next < HY_SEED_BACKOFF_LAST_MS ? (uint32_t)next : HY_SEED_BACKOFF_LAST_MS;
}

void hy_seed_backoff_connected(struct hy_seed_backoff *backoff, uint32_t chance)
{
    uint64_t again_ms = backoff->asked_ms +
        hy_seed_backoff_jitter(HY_SEED_BACKOFF_FIRST_MS, chance);

    backoff->pause_ms = HY_SEED_BACKOFF_FIRST_MS;
    if (backoff->not_before_ms > again_ms)
        backoff->not_before_ms = again_ms;
}

uint64_t hy_seed_backoff_left_ms(const struct hy_seed_backoff *backoff, uint64_t now_ms)
{
    return backoff->not_before_ms > now_ms ? backoff->not_before_ms - now_ms : 0;
}
