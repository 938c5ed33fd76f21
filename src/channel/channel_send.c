/* channel_send.c - from a message to the stream.
 *
 * A message is encoded at once and gathered with all others of this turn; the turn's end
 * writes them with one call. A metered one that came too soon waits for its time first. */
#include "channel/channel_internal.h"

#include "base/alloc.h"
#include "base/span.h"

/* Core protocols answer a peer even when an application has filled the queue, up to this. */
#define URGENT_BYTES (64 * 1024)

static const struct hy_command *find_command(
    struct hypha_channel *channel, const struct hypha_message_type *type)
{
    if (channel->outgoing == NULL || channel->outgoing->type != type) {
        const struct hy_command *command = hy_dispatch_find_type(channel->commands, type);

        if (command == NULL)
            return NULL;
        channel->outgoing = command;
    }
    return channel->outgoing;
}

static enum hypha_err check(
    struct hypha_channel *channel, const struct hypha_message_type *type, size_t reserve)
{
    if (channel->state >= HY_CHANNEL_STOPPING)
        return HYPHA_ERR_CHANNEL_STOPPED;
    if (channel->state == HY_CHANNEL_NEW)
        return HYPHA_ERR_STATE;
    if (find_command(channel, type) == NULL)
        return HYPHA_ERR_UNSUPPORTED;
    if (hypha_channel_queued_bytes(channel) >=
        channel->net->settings->max_send_queue_bytes + reserve) {
        channel->wants_writable = true;
        return HYPHA_ERR_AGAIN;
    }
    return HYPHA_OK;
}

static void count_sent(
    struct hypha_channel *channel, const struct hy_command *command, size_t bytes)
{
    struct hy_events *events = &channel->net->events;
    struct hypha_traffic *traffic = &channel->traffic[command->index];

    traffic->messages_out++;
    traffic->bytes_out += bytes;
    if (!hy_events_wanted(events, HYPHA_EVENT_SEND))
        return;

    struct hypha_event event = { .type = HYPHA_EVENT_SEND,
        .time_ns = hy_wall_ns(channel->net->loop),
        .channel_id = channel->id,
        .session = channel->session,
        .addr = hypha_channel_display_address(channel),
        .connect_addr = channel->connect_addr,
        .command = command->type->command,
        .bytes = bytes };
    hy_events_publish(events, &event);
}

static enum hypha_err put_frame(
    struct hypha_channel *channel, const struct hy_command *command, struct hy_frame *frame)
{
    enum hypha_err err = hy_outbox_put_frame(&channel->outbox, frame);

    if (err != HYPHA_OK)
        return err;
    hy_defer_start(&channel->turn_end);
    count_sent(channel, command, frame->payload_len);
    return HYPHA_OK;
}

/* The way of what is neither large nor delayed: one copy, no allocation. */
static enum hypha_err put_small(
    struct hypha_channel *channel, const struct hy_command *command, struct hypha_span payload)
{
    uint8_t header[HY_FRAME_HEADER_BYTES];
    size_t len = hy_frame_put_header(header, channel->net->settings->magic, command->type->command,
        command->command_len, payload.len);
    enum hypha_err err = hy_outbox_put(&channel->outbox, hy_span(header, len), payload);

    if (err != HYPHA_OK)
        return err;
    hy_defer_start(&channel->turn_end);
    count_sent(channel, command, payload.len);
    return HYPHA_OK;
}

/* Count a metered message. ret_flow: where it must wait for ret_wait_ms; NULL: it may leave now.
 * The wait is twice what the receiver would impose. spec: wire.md#42-receive-and-send */
static enum hypha_err meter(struct hypha_channel *channel, const struct hy_command *command,
    struct hy_flow **ret_flow, uint64_t *ret_wait_ms)
{
    const struct hypha_metering *rule = &command->type->metering;

    *ret_flow = NULL;
    if (rule->threshold == 0)
        return HYPHA_OK;

    struct hy_flow *flow = hy_channel_flow(channel, command);
    if (flow == NULL)
        return HYPHA_ERR_NOMEM;
    enum hypha_err err = hy_meter_push(&flow->send, rule, hy_now_ms(channel->net->loop));
    if (err != HYPHA_OK)
        return err;
    *ret_wait_ms = 2 * hy_meter_sleep_ms(&flow->send, rule);
    if (*ret_wait_ms > 0 || !STAILQ_EMPTY(&flow->leaving))
        *ret_flow = flow;
    return HYPHA_OK;
}

static enum hypha_err delay(
    struct hypha_channel *channel, struct hy_flow *flow, struct hy_frame *frame, uint64_t wait_ms)
{
    enum hypha_err err = hy_flow_delay(flow, frame, wait_ms, hy_now_ms(channel->net->loop));

    if (err != HYPHA_OK)
        return err;
    channel->delayed_bytes += hy_frame_len(frame);
    channel->delayed_count++;
    hy_channel_schedule(channel);
    return HYPHA_OK;
}

static enum hypha_err send(struct hypha_channel *channel, const struct hypha_message_type *type,
    const void *message, size_t reserve)
{
    struct hypha_span payload;
    struct hy_flow *flow;
    uint64_t wait_ms;
    enum hypha_err err = check(channel, type, reserve);

    if (err != HYPHA_OK)
        return err;

    const struct hy_command *command = channel->outgoing;
    err = hy_frame_encode(channel->net, type, message, &payload);
    if (err == HYPHA_OK)
        err = meter(channel, command, &flow, &wait_ms);
    if (err != HYPHA_OK)
        return err;
    if (flow == NULL && HY_FRAME_HEADER_BYTES + payload.len < HY_OUTBOX_LARGE_BYTES)
        return put_small(channel, command, payload);

    struct hy_frame *frame = hy_frame_of_scratch(channel->net, type);
    if (frame == NULL)
        return HYPHA_ERR_NOMEM;
    err = flow != NULL ? delay(channel, flow, frame, wait_ms) : put_frame(channel, command, frame);
    hy_frame_unref(frame);
    return err;
}

enum hypha_err hypha_channel_send(
    struct hypha_channel *channel, const struct hypha_message_type *type, const void *message)
{
    return send(channel, type, message, 0);
}

enum hypha_err hy_channel_send_urgent(
    struct hypha_channel *channel, const struct hypha_message_type *type, const void *message)
{
    return send(channel, type, message, URGENT_BYTES);
}

enum hypha_err hy_channel_send_frame(struct hypha_channel *channel, struct hy_frame *frame)
{
    struct hy_flow *flow;
    uint64_t wait_ms;
    enum hypha_err err = check(channel, frame->type, 0);

    if (err == HYPHA_OK)
        err = meter(channel, channel->outgoing, &flow, &wait_ms);
    if (err != HYPHA_OK)
        return err;
    return flow != NULL ? delay(channel, flow, frame, wait_ms)
                        : put_frame(channel, channel->outgoing, frame);
}

size_t hypha_channel_queued_bytes(const struct hypha_channel *channel)
{
    return hy_outbox_bytes(&channel->outbox) + channel->delayed_bytes;
}

/* Delayed messages whose time has come. */
void hy_channel_send_due(struct hypha_channel *channel)
{
    uint64_t now = hy_now_ms(channel->net->loop);

    if (!hy_channel_is_live(channel) || channel->delayed_count == 0)
        return;
    for (size_t i = 0; i < channel->commands->command_count; i++) {
        struct hy_flow *flow = &channel->flows[i];

        while (!STAILQ_EMPTY(&flow->leaving) && STAILQ_FIRST(&flow->leaving)->due_ms <= now) {
            struct hy_late_send *late = STAILQ_FIRST(&flow->leaving);
            enum hypha_err err;

            STAILQ_REMOVE_HEAD(&flow->leaving, entry);
            channel->delayed_bytes -= hy_frame_len(late->frame);
            channel->delayed_count--;
            err = put_frame(
                channel, hy_dispatch_find_type(channel->commands, late->frame->type), late->frame);
            hy_frame_unref(late->frame);
            hy_free(late);
            if (err != HYPHA_OK) {
                /* It was accepted for sending and can't be taken back. */
                hy_channel_stop_for(channel, err);
                return;
            }
        }
    }
}

static void tell_writable(struct hypha_channel *channel)
{
    channel->wants_writable = false;
    for (size_t i = 0; i < channel->attached && hy_channel_is_live(channel); i++) {
        const struct hy_registration *registration = &channel->commands->protocols[i];

        if (registration->protocol->on_writable != NULL)
            registration->protocol->on_writable(
                channel, registration->app, channel->protocol_states[i]);
    }
}

void hy_channel_flush(struct hypha_channel *channel)
{
    while (!channel->blocked && hy_outbox_bytes(&channel->outbox) > 0) {
        struct iovec pieces[HY_OUTBOX_PIECES];
        size_t count = hy_outbox_pieces(&channel->outbox, pieces, HY_OUTBOX_PIECES);
        size_t total = 0, taken;

        for (size_t i = 0; i < count; i++)
            total += pieces[i].iov_len;
        taken = hy_stream_write(channel->stream, pieces, count);
        hy_outbox_consume(&channel->outbox, taken);
        channel->blocked = taken < total;
    }
    if (channel->wants_writable && channel->state == HY_CHANNEL_RUNNING &&
        hypha_channel_queued_bytes(channel) < channel->net->settings->max_send_queue_bytes / 2)
        tell_writable(channel);
}
