/* session/slot_record.h - what a slot of any session remembers of itself, so that people can be
 * told what it does and why. Embedded in the slot. */
#ifndef HY_SESSION_SLOT_RECORD_H
#define HY_SESSION_SLOT_RECORD_H

#include "loop/loop.h"
#include <hypha/p2p.h>

/* A text for hypha_slot_info.waits_for that has a number in it. */
#define HY_SLOT_TEXT_BYTES 160

struct hy_slot_record {
    const char *state; /* as in hypha_slot_info; static */
    uint64_t since_ms; /* monotonic: when that began */
    enum hypha_err last_err;
    struct hypha_url *last_addr; /* a reference */
    unsigned failures;           /* in a row */
};

/* "stopped", since now. */
void hy_slot_record_init(struct hy_slot_record *record, const struct hypha_loop *loop);
/* True if that is another state than before. */
bool hy_slot_record_enter(
    struct hy_slot_record *record, const struct hypha_loop *loop, const char *state);
/* A try, or a channel, to `addr` has ended. Whether that was a failure is the caller's to count. */
void hy_slot_record_end(struct hy_slot_record *record, struct hypha_url *addr, enum hypha_err why);
void hy_slot_record_fini(struct hy_slot_record *record);
/* The fields that the record knows; the others zero, and no text. */
struct hypha_slot_info hy_slot_record_info(
    const struct hy_slot_record *record, const struct hypha_loop *loop);

/* Until a timer fires; 0 if it is not armed. */
uint64_t hy_slot_timer_left_ms(const struct hy_timer *timer);
/* "PREFIX 12 s", in minutes from 120 s on. Returns `into`. */
const char *hy_slot_text_in(const char *prefix, uint64_t left_ms, char into[HY_SLOT_TEXT_BYTES]);

#endif
