/* session/seed_backoff.h - how long the seeds are left in peace: both discoveries keep to it. Pure.
 *
 * 5 s after they were asked first, doubling to 5 min, each with jitter; a connection makes it short
 * again. spec: network.md#75-peerdiscovery */
#ifndef HY_SESSION_SEED_BACKOFF_H
#define HY_SESSION_SEED_BACKOFF_H

#include <stdbool.h>
#include <stdint.h>

#define HY_SEED_BACKOFF_FIRST_MS 5000U
#define HY_SEED_BACKOFF_LAST_MS  300000U

struct hy_seed_backoff {
    uint32_t pause_ms; /* the next one */
    uint64_t asked_ms; /* when they were asked last */
    uint64_t not_before_ms;
};

/* ms, moved by up to a quarter up or down. chance: random, all of its 32 bits. */
uint64_t hy_seed_backoff_jitter(uint64_t ms, uint32_t chance);

/* They may be asked at once, and were never. */
void hy_seed_backoff_init(struct hy_seed_backoff *backoff);
void hy_seed_backoff_asked(struct hy_seed_backoff *backoff, uint64_t now_ms, uint32_t chance);
/* They may be asked as if for the first time. */
void hy_seed_backoff_connected(struct hy_seed_backoff *backoff, uint32_t chance);
/* Until they may be asked; 0: now. */
uint64_t hy_seed_backoff_left_ms(const struct hy_seed_backoff *backoff, uint64_t now_ms);

#endif
