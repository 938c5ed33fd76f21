/* channel/meter.h - how fast one command came or went lately. Pure: the clock is handed in.
 *
 * Entries of one millisecond are one; past HY_METER_MAX_ENTRIES new ones join the newest, so
 * memory is bounded and a peer is never judged too harshly. spec: wire.md#4-metering */
#ifndef HY_CHANNEL_METER_H
#define HY_CHANNEL_METER_H

#include <hypha/protocol.h>

#define HY_METER_MAX_ENTRIES 4096

struct hy_meter_entry {
    uint64_t at_ms;
    uint64_t score;
};

/* Zeroed is a valid empty one, which holds no memory. */
struct hy_meter {
    struct hy_meter_entry *ring;
    uint32_t head, count, cap;
    uint64_t total; /* sum of the scores held */
};

void hy_meter_fini(struct hy_meter *meter);
/* Drop what counts no more. */
void hy_meter_prune(struct hy_meter *meter, const struct hypha_metering *rule, uint64_t now_ms);
/* Prune, then count one message. Errors: NOMEM: it was not counted. */
enum hypha_err hy_meter_push(
    struct hy_meter *meter, const struct hypha_metering *rule, uint64_t now_ms);
/* How long the message just counted must wait; 0 also below the threshold. */
uint64_t hy_meter_sleep_ms(const struct hy_meter *meter, const struct hypha_metering *rule);

#endif
