/* flow.c - see flow.h. */
#include "channel/flow.h"

#include "base/alloc.h"

#include <string.h>

void hy_flow_init(struct hy_flow *flow)
{
    *flow = (struct hy_flow){ 0 };
    STAILQ_INIT(&flow->arrived);
    STAILQ_INIT(&flow->leaving);
}

void hy_flow_fini(struct hy_flow *flow)
{
    (void)hy_flow_drop_arrived(flow);
    while (!STAILQ_EMPTY(&flow->leaving)) {
        struct hy_late_send *late = STAILQ_FIRST(&flow->leaving);

        STAILQ_REMOVE_HEAD(&flow->leaving, entry);
        hy_frame_unref(late->frame);
        hy_free(late);
    }
    hy_meter_fini(&flow->recv);
    hy_meter_fini(&flow->send);
}

size_t hy_flow_cost(size_t payload_len)
{
    return sizeof(struct hy_late_recv) + payload_len;
}

enum hypha_err hy_flow_keep(struct hy_flow *flow, struct hypha_span payload, uint64_t order,
    uint64_t sleep_ms, uint64_t now_ms)
{
    struct hy_late_recv *late = hy_alloc(hy_flow_cost(payload.len));

    if (late == NULL)
        return HYPHA_ERR_NOMEM;
    late->order = order;
    late->sleep_ms = sleep_ms;
    late->len = payload.len;
    if (payload.len > 0)
        memcpy(late->payload, payload.at, payload.len);
    if (STAILQ_EMPTY(&flow->arrived))
        flow->arrived_due_ms = now_ms + sleep_ms;
    STAILQ_INSERT_TAIL(&flow->arrived, late, entry);
    return HYPHA_OK;
}

struct hy_late_recv *hy_flow_take(struct hy_flow *flow)
{
    struct hy_late_recv *late = STAILQ_FIRST(&flow->arrived);

    STAILQ_REMOVE_HEAD(&flow->arrived, entry);
    if (!STAILQ_EMPTY(&flow->arrived))
        flow->arrived_due_ms += STAILQ_FIRST(&flow->arrived)->sleep_ms;
    return late;
}

void hy_flow_begin(struct hy_flow *flow, uint64_t now_ms)
{
    if (!STAILQ_EMPTY(&flow->arrived))
        flow->arrived_due_ms = now_ms + STAILQ_FIRST(&flow->arrived)->sleep_ms;
}

size_t hy_flow_drop_arrived(struct hy_flow *flow)
{
    size_t cost = 0;

    while (!STAILQ_EMPTY(&flow->arrived)) {
        struct hy_late_recv *late = STAILQ_FIRST(&flow->arrived);

        STAILQ_REMOVE_HEAD(&flow->arrived, entry);
        cost += hy_flow_cost(late->len);
        hy_free(late);
    }
    return cost;
}

enum hypha_err hy_flow_delay(
    struct hy_flow *flow, struct hy_frame *frame, uint64_t wait_ms, uint64_t now_ms)
{
    struct hy_late_send *late = hy_alloc(sizeof *late);

    if (late == NULL)
        return HYPHA_ERR_NOMEM;
    late->due_ms = now_ms + wait_ms;
    if (late->due_ms < flow->leaving_last_ms)
        late->due_ms = flow->leaving_last_ms;
    flow->leaving_last_ms = late->due_ms;
    late->frame = hy_frame_ref(frame);
    STAILQ_INSERT_TAIL(&flow->leaving, late, entry);
    return HYPHA_OK;
}
