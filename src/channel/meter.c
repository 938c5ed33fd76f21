/* meter.c - a ring of (time, score), oldest first. */
#include "channel/meter.h"

#include "base/alloc.h"

#include <assert.h>

#define FIRST_ENTRIES 2

void hy_meter_fini(struct hy_meter *meter)
{
    hy_free(meter->ring);
    *meter = (struct hy_meter){ 0 };
}

void hy_meter_prune(struct hy_meter *meter, const struct hypha_metering *rule, uint64_t now_ms)
{
    if (rule->expiry_ms == 0)
        return;
    while (meter->count > 0) {
        const struct hy_meter_entry *front = &meter->ring[meter->head];

        if (front->at_ms <= now_ms && now_ms - front->at_ms < rule->expiry_ms)
            break;
        meter->total -= front->score;
        meter->head = (meter->head + 1) % meter->cap;
        meter->count--;
    }
}

/* Double the ring and put it straight. */
static bool grow(struct hy_meter *meter)
{
    uint32_t cap = meter->cap == 0 ? FIRST_ENTRIES : meter->cap * 2;
    struct hy_meter_entry *ring = hy_alloc_array(cap, sizeof *ring);

    if (ring == NULL)
        return false;
    for (uint32_t i = 0; i < meter->count; i++)
        ring[i] = meter->ring[(meter->head + i) % meter->cap];
    hy_free(meter->ring);
    meter->ring = ring;
    meter->cap = cap;
    meter->head = 0;
    return true;
}

enum hypha_err hy_meter_push(
    struct hy_meter *meter, const struct hypha_metering *rule, uint64_t now_ms)
{
    if (rule->threshold == 0 || rule->score == 0)
        return HYPHA_OK;
    hy_meter_prune(meter, rule, now_ms);

    struct hy_meter_entry *last =
        meter->count == 0 ? NULL : &meter->ring[(meter->head + meter->count - 1) % meter->cap];
    bool join = last != NULL &&
        (last->at_ms == now_ms || rule->expiry_ms == 0 || meter->count >= HY_METER_MAX_ENTRIES);
    if (!join && meter->count == meter->cap && !grow(meter)) {
        if (last == NULL)
            return HYPHA_ERR_NOMEM;
        join = true;
    }
    assert(meter->ring != NULL); /* an entry to join, or room that grow() made */
    if (join)
        last->score += rule->score;
    else
        meter->ring[(meter->head + meter->count++) % meter->cap] =
            (struct hy_meter_entry){ now_ms, rule->score };
    meter->total += rule->score;
    return HYPHA_OK;
}

uint64_t hy_meter_sleep_ms(const struct hy_meter *meter, const struct hypha_metering *rule)
{
    uint64_t over;

    if (rule->threshold == 0 || meter->total < rule->threshold)
        return 0;
    over = meter->total - rule->threshold;
    if (rule->sleep_step_ms > 0 && over > UINT32_MAX)
        over = UINT32_MAX; /* more than 49 days is for ever */
    return over * rule->sleep_step_ms;
}
