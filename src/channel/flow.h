/* channel/flow.h - one command on one channel: its two meters, and what their delay holds back.
 *
 * Received: the consumer takes a message when it is done with the one before, and sleeps the
 * time that was found at arrival; so only the first one's time is known. Sent: each message
 * waits from the moment of sending, but none overtakes another of its command.
 * spec: wire.md#42-receive-and-send */
#ifndef HY_CHANNEL_FLOW_H
#define HY_CHANNEL_FLOW_H

#include "channel/frame.h"
#include "channel/meter.h"

struct hy_late_recv {
    STAILQ_ENTRY(hy_late_recv) entry;
    uint64_t order; /* of arrival, over all commands */
    uint64_t sleep_ms;
    size_t len;
    uint8_t payload[];
};

struct hy_late_send {
    STAILQ_ENTRY(hy_late_send) entry;
    uint64_t due_ms;
    struct hy_frame *frame;
};

struct hy_flow {
    struct hy_meter recv, send;
    STAILQ_HEAD(, hy_late_recv) arrived;
    uint64_t arrived_due_ms; /* when the first one may be handed on */
    STAILQ_HEAD(, hy_late_send) leaving;
    uint64_t leaving_last_ms; /* when the newest one may leave */
};

void hy_flow_init(struct hy_flow *flow);
void hy_flow_fini(struct hy_flow *flow);

/* Keep a copy of a message until its time. Errors: NOMEM. */
enum hypha_err hy_flow_keep(struct hy_flow *flow, struct hypha_span payload, uint64_t order,
    uint64_t sleep_ms, uint64_t now_ms);
/* What a kept message counts against the limit of the receive queue. */
size_t hy_flow_cost(size_t payload_len);
/* Take the first message out: the next one's sleep begins when this one was due. The caller
 * frees it with hy_free(). */
struct hy_late_recv *hy_flow_take(struct hy_flow *flow);
/* The consumer begins only now: the first message's sleep too. */
void hy_flow_begin(struct hy_flow *flow, uint64_t now_ms);
/* Drop all that arrived; returns what they cost. */
size_t hy_flow_drop_arrived(struct hy_flow *flow);

/* Send `frame` (one reference is taken) `wait_ms` from now. Errors: NOMEM. */
enum hypha_err hy_flow_delay(
    struct hy_flow *flow, struct hy_frame *frame, uint64_t wait_ms, uint64_t now_ms);

#endif
