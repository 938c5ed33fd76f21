/* slot_record.c - see slot_record.h. */
#include "session/slot_record.h"

#include <stdio.h>
#include <string.h>

void hy_slot_record_init(struct hy_slot_record *record, const struct hypha_loop *loop)
{
    *record = (struct hy_slot_record){ .state = "stopped", .since_ms = hy_now_ms(loop) };
}

bool hy_slot_record_enter(
    struct hy_slot_record *record, const struct hypha_loop *loop, const char *state)
{
    if (strcmp(record->state, state) == 0)
        return false;
    record->state = state;
    record->since_ms = hy_now_ms(loop);
    return true;
}

void hy_slot_record_end(struct hy_slot_record *record, struct hypha_url *addr, enum hypha_err why)
{
    struct hypha_url *was = record->last_addr;

    record->last_err = why;
    record->last_addr = hypha_url_ref(addr);
    hypha_url_unref(was);
}

void hy_slot_record_fini(struct hy_slot_record *record)
{
    hypha_url_unref(record->last_addr);
    record->last_addr = NULL;
}

struct hypha_slot_info hy_slot_record_info(
    const struct hy_slot_record *record, const struct hypha_loop *loop)
{
    return (struct hypha_slot_info){
        .state = record->state,
        .since_ms = hy_now_ms(loop) - record->since_ms,
        .last_err = record->last_err,
        .last_addr = record->last_addr,
        .failures = record->failures,
        .waits_for = "",
    };
}

uint64_t hy_slot_timer_left_ms(const struct hy_timer *timer)
{
    uint64_t now_ms = hy_timer_is_armed(timer) ? hy_now_ms(timer->loop) : 0;

    return hy_timer_is_armed(timer) && timer->due_ms > now_ms ? timer->due_ms - now_ms : 0;
}

const char *hy_slot_text_in(const char *prefix, uint64_t left_ms, char into[HY_SLOT_TEXT_BYTES])
{
    uint64_t left_s = (left_ms + 999) / 1000;
    bool long_one = left_s >= 120;

    (void)snprintf(into, HY_SLOT_TEXT_BYTES, "%s %llu %s", prefix,
        (unsigned long long)(long_one ? (left_s + 59) / 60 : left_s), long_one ? "min" : "s");
    return into;
}
