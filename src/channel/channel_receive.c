/* channel_receive.c - from the stream's bytes to a protocol's on_message.
 *
 * The straight way copies nothing: the payload is decoded where the read left it and handed
 * on. A message that must wait (metering, or the handshake is not over) is kept as bytes and
 * decoded a second time. spec: wire.md#2-framing, #4-metering */
#include "channel/channel_internal.h"

#include "base/alloc.h"
#include "base/span.h"

#include <stdalign.h>

static bool is_held_back(const struct hypha_channel *channel)
{
    return channel->pauses > 0 || channel->receive_full;
}

/* Let the stream deliver if nothing is against it. */
static void update_reading(struct hypha_channel *channel)
{
    bool wanted = hy_channel_is_live(channel) && !is_held_back(channel) && channel->unread_len == 0;

    if (channel->stream == NULL || wanted == channel->reading)
        return;
    channel->reading = wanted;
    if (wanted)
        hy_stream_read_start(channel->stream);
    else
        hy_stream_read_stop(channel->stream);
}

static struct hypha_span command_of(const struct hy_command *command)
{
    return hy_span(command->type->command, command->command_len);
}

/* ---- handing on ---- */

struct message {
    alignas(max_align_t) uint8_t bytes[HYPHA_MAX_MESSAGE_STRUCT_BYTES];
};

static enum hypha_err decode(
    const struct hypha_message_type *type, struct hypha_span payload, struct message *message)
{
    struct hypha_reader r = hypha_reader_of(payload);

    memset(message->bytes, 0, type->struct_bytes);
    type->read(&r, message->bytes);
    return hypha_reader_end(&r);
}

static void deliver(
    struct hypha_channel *channel, const struct hy_command *command, const struct message *message)
{
    if (command->protocol < 0)
        return;

    const struct hy_registration *registration = &channel->commands->protocols[command->protocol];
    if (registration->protocol->on_message == NULL)
        return;
    if (command->index >= HY_CORE_MESSAGES) /* an application's: dispatch.c puts the core first */
        hy_channel_was_useful(channel);
    enum hypha_err err = registration->protocol->on_message(channel, registration->app,
        channel->protocol_states[command->protocol], command->type, message->bytes);
    if (err != HYPHA_OK)
        hy_channel_violation_in(channel, HYPHA_ERR_PAYLOAD, command_of(command));
}

/* The flow whose first message is next, in the order of time, then of arrival. */
static const struct hy_command *next_due(const struct hypha_channel *channel)
{
    const struct hy_command *next = NULL;
    uint64_t now = hy_now_ms(channel->net->loop);

    for (size_t i = 0; i < channel->commands->command_count; i++) {
        const struct hy_command *command = &channel->commands->commands[i];
        const struct hy_flow *flow = &channel->flows[command->index];

        if (STAILQ_EMPTY(&flow->arrived) || flow->arrived_due_ms > now ||
            !hy_channel_may_deliver(channel, command))
            continue;

        const struct hy_flow *best = next == NULL ? NULL : &channel->flows[next->index];
        if (best == NULL || flow->arrived_due_ms < best->arrived_due_ms ||
            (flow->arrived_due_ms == best->arrived_due_ms &&
                STAILQ_FIRST(&flow->arrived)->order < STAILQ_FIRST(&best->arrived)->order))
            next = command;
    }
    return next;
}

void hy_channel_deliver_due(struct hypha_channel *channel)
{
    const struct hy_command *command;

    while (hy_channel_is_live(channel) && channel->pauses == 0 && channel->kept_count > 0 &&
        (command = next_due(channel)) != NULL) {
        struct hy_late_recv *late = hy_flow_take(&channel->flows[command->index]);
        struct message message;

        channel->kept_count--;
        channel->kept_bytes -= hy_flow_cost(late->len);
        /* It was good at arrival: only memory can fail now. */
        enum hypha_err err = decode(command->type, hy_span(late->payload, late->len), &message);
        if (err == HYPHA_OK)
            deliver(channel, command, &message);
        else
            hy_channel_stop_for(channel, err);
        hy_free(late);
        if (channel->receive_full &&
            channel->kept_bytes < channel->net->settings->max_recv_queue_bytes / 2) {
            channel->receive_full = false;
            channel->catch_up = true;
            hy_defer_start(&channel->turn_end);
        }
    }
}

void hy_channel_discard(struct hypha_channel *channel, const struct hypha_message_type *type)
{
    const struct hy_command *command =
        channel->flows == NULL ? NULL : hy_dispatch_find_type(channel->commands, type);

    if (command == NULL)
        return;

    struct hy_flow *flow = &channel->flows[command->index];
    while (!STAILQ_EMPTY(&flow->arrived)) {
        struct hy_late_recv *late = hy_flow_take(flow);

        channel->kept_count--;
        channel->kept_bytes -= hy_flow_cost(late->len);
        hy_free(late);
    }
}

/* ---- one message ---- */

static enum hypha_err keep(struct hypha_channel *channel, const struct hy_command *command,
    struct hypha_span payload, uint64_t sleep_ms)
{
    struct hy_flow *flow = hy_channel_flow(channel, command);
    enum hypha_err err = HYPHA_ERR_NOMEM;

    if (flow != NULL)
        err = hy_flow_keep(
            flow, payload, channel->arrivals++, sleep_ms, hy_now_ms(channel->net->loop));
    if (err != HYPHA_OK)
        return err;
    channel->kept_count++;
    channel->kept_bytes += hy_flow_cost(payload.len);
    if (channel->kept_bytes > channel->net->settings->max_recv_queue_bytes)
        channel->receive_full = true;
    hy_channel_schedule(channel);
    return HYPHA_OK;
}

/* Count a message. Errors: NOMEM. */
static enum hypha_err meter(
    struct hypha_channel *channel, const struct hy_command *command, uint64_t *ret_sleep_ms)
{
    const struct hypha_metering *rule = &command->type->metering;

    *ret_sleep_ms = 0;
    if (rule->threshold == 0)
        return HYPHA_OK;

    struct hy_flow *flow = hy_channel_flow(channel, command);
    if (flow == NULL)
        return HYPHA_ERR_NOMEM;
    uint64_t before = flow->recv.total;
    enum hypha_err err = hy_meter_push(&flow->recv, rule, hy_now_ms(channel->net->loop));
    channel->receive_total += flow->recv.total - before;
    *ret_sleep_ms = hy_meter_sleep_ms(&flow->recv, rule);
    return err;
}

/* Strictly more than the sum of all thresholds? Meters are pruned only when it seems so.
 * spec: wire.md#43-channel-limit */
static bool is_over_limit(struct hypha_channel *channel)
{
    if (channel->receive_total <= channel->commands->meter_limit)
        return false;
    channel->receive_total = 0;
    for (size_t i = 0; i < channel->commands->command_count; i++) {
        const struct hy_command *command = &channel->commands->commands[i];
        struct hy_meter *recv = &channel->flows[command->index].recv;

        hy_meter_prune(recv, &command->type->metering, hy_now_ms(channel->net->loop));
        channel->receive_total += recv->total;
    }
    return channel->receive_total > channel->commands->meter_limit;
}

static void on_payload(
    struct hypha_channel *channel, const struct hy_command *command, struct hypha_span payload)
{
    struct message message;
    uint64_t sleep_ms;

    channel->traffic[command->index].messages_in++;
    channel->traffic[command->index].bytes_in += payload.len;
    enum hypha_err err = decode(command->type, payload, &message);
    if (err != HYPHA_OK && err != HYPHA_ERR_NOMEM) {
        hy_channel_violation_in(channel, HYPHA_ERR_PAYLOAD, command_of(command));
        return;
    }
    if (err == HYPHA_OK)
        err = meter(channel, command, &sleep_ms);
    if (err == HYPHA_OK && command->protocol >= 0) {
        bool queued = channel->flows != NULL &&
            !STAILQ_EMPTY(&channel->flows[command->index].arrived);

        if (sleep_ms == 0 && !queued && hy_channel_may_deliver(channel, command))
            deliver(channel, command, &message);
        else
            err = keep(channel, command, payload, sleep_ms);
    }
    if (err != HYPHA_OK)
        hy_channel_stop_for(channel, err);
    else if (hy_channel_is_live(channel) && command->type->metering.threshold > 0 &&
        is_over_limit(channel))
        hy_channel_violation_in(channel, HYPHA_ERR_METERING, command_of(command));
}

/* ---- frames ---- */

static void on_command(struct hypha_channel *channel, struct hypha_span name)
{
    const struct hy_command *command = channel->incoming;
    bool announce = hy_events_wanted(&channel->net->events, HYPHA_EVENT_RECV);

    /* Messages come in rows of one kind. */
    if (command == NULL || !hy_span_equal(command_of(command), name))
        command = hy_dispatch_find(channel->commands, name);
    if (command != NULL) {
        channel->incoming = command;
        hy_framing_expect(&channel->framing, command->type->max_bytes, announce);
        return;
    }

    enum hypha_err what = hy_framing_unknown(name);
    hy_channel_violation_in(channel, what, name);
    if (hy_channel_is_live(channel))
        hy_framing_skip(&channel->framing);
}

static void tell_received(struct hypha_channel *channel, uint64_t bytes)
{
    struct hypha_event event = { .type = HYPHA_EVENT_RECV,
        .time_ns = hy_wall_ns(channel->net->loop),
        .channel_id = channel->id,
        .session = channel->session,
        .addr = hypha_channel_display_address(channel),
        .connect_addr = channel->connect_addr,
        .command = channel->incoming->type->command,
        .bytes = bytes };

    hy_events_publish(&channel->net->events, &event);
}

static void on_broken(struct hypha_channel *channel, enum hypha_err what)
{
    bool in_message = what == HYPHA_ERR_PAYLOAD_LENGTH || what == HYPHA_ERR_PAYLOAD_UNLIMITED;

    if (what == HYPHA_ERR_NOMEM) {
        hy_channel_stop_for(channel, what);
        return;
    }
    hy_channel_violation_in(
        channel, what, in_message ? command_of(channel->incoming) : (struct hypha_span){ 0 });
    if (hy_channel_is_live(channel) && what == HYPHA_ERR_PAYLOAD_LENGTH)
        hy_framing_skip(&channel->framing);
}

/* Frame after frame until the bytes, or somebody's patience, is used up. */
static void parse(struct hypha_channel *channel, struct hypha_span *rest)
{
    struct hy_framing_item item = { 0 };
    bool more = true;

    while (more && hy_channel_is_live(channel) && !is_held_back(channel)) {
        switch (hy_framing_next(&channel->framing, rest, &item)) {
        case HY_FRAMING_ON_MORE:
            more = false;
            break;
        case HY_FRAMING_ON_COMMAND:
            on_command(channel, item.bytes);
            break;
        case HY_FRAMING_ON_LENGTH:
            tell_received(channel, item.len);
            break;
        case HY_FRAMING_ON_PAYLOAD:
            on_payload(channel, channel->incoming, item.bytes);
            break;
        case HY_FRAMING_ON_BROKEN:
            on_broken(channel, item.err);
            break;
        }
    }
}

void hy_channel_receive(struct hypha_channel *channel, struct hypha_span bytes)
{
    parse(channel, &bytes);
    if (bytes.len > 0 && hy_channel_is_live(channel)) {
        channel->unread = hy_alloc(bytes.len);
        if (channel->unread == NULL) {
            hy_channel_stop_for(channel, HYPHA_ERR_NOMEM);
            return;
        }
        memcpy(channel->unread, bytes.at, bytes.len);
        channel->unread_at = 0;
        channel->unread_len = bytes.len;
    }
    update_reading(channel);
}

/* What a pause cut off. */
static void receive_unread(struct hypha_channel *channel)
{
    struct hypha_span rest = { channel->unread + channel->unread_at, channel->unread_len };

    parse(channel, &rest);
    channel->unread_at = channel->unread_at + channel->unread_len - rest.len;
    channel->unread_len = rest.len;
    if (rest.len == 0 || !hy_channel_is_live(channel)) {
        hy_free(channel->unread);
        channel->unread = NULL;
        channel->unread_at = channel->unread_len = 0;
    }
}

void hy_channel_catch_up(struct hypha_channel *channel)
{
    channel->catch_up = false;
    hy_channel_deliver_due(channel);
    if (hy_channel_is_live(channel) && channel->unread != NULL && !is_held_back(channel))
        receive_unread(channel);
    if (!hy_channel_is_live(channel))
        return;
    hy_channel_schedule(channel);
    update_reading(channel);
}

void hypha_channel_pause(struct hypha_channel *channel)
{
    channel->pauses++;
    /* Inside the loop over frames it is seen there, and outside nothing is unread. */
    if (hy_channel_is_live(channel)) {
        update_reading(channel);
        hy_channel_schedule(channel);
    }
}

void hypha_channel_resume(struct hypha_channel *channel)
{
    if (channel->pauses == 0 || --channel->pauses > 0 || !hy_channel_is_live(channel))
        return;
    channel->catch_up = true;
    hy_defer_start(&channel->turn_end);
}
