/* protocol_ping.c - are you there, and how far away.
 *
 *   state    event          next
 *   RESTING  start, timer   WAITING  old pongs forgotten, ping sent, timer: the connect timeout
 *   RESTING  pong           RESTING  too late or unasked: ignored
 *   WAITING  right pong     RESTING  round trip noted, timer: the heartbeat
 *   WAITING  other pong     (PONG_NONCE)
 *   WAITING  timer          (PING_TIMEOUT), unless we don't listen ourselves
 *
 * Besides, each ping gets one pong. spec: wire.md#54-ping */
#include "base/alloc.h"
#include "protocol/protocol.h"
#include "wire/message.h"

/* Pings that may wait for an answer while our queue to the peer is full. Metering ends a
 * channel long before (28 of any kind in ten seconds). */
#define MAX_OWED 32

struct ping_state {
    struct hypha_channel *channel;
    struct hy_timer timer;
    uint64_t sent_us;
    uint16_t nonce;
    bool waiting;
    uint8_t owed_count;
    uint16_t owed[MAX_OWED]; /* nonces */
};

static const struct hy_timeouts *timeouts(const struct hypha_channel *channel)
{
    return hy_settings_timeouts(
        hy_channel_net(channel)->settings, hypha_url_scheme(hypha_channel_address(channel)));
}

static void send_ping(struct ping_state *state)
{
    struct hypha_loop *loop = hy_channel_net(state->channel)->loop;
    struct hy_ping ping = { .nonce = (uint16_t)hy_random_u32(loop) };

    hy_channel_discard(state->channel, &hy_core_messages[HY_MESSAGE_PONG]);
    state->nonce = ping.nonce;
    state->sent_us = hy_now_us(loop);
    state->waiting = true;
    hy_timer_start(&state->timer, timeouts(state->channel)->connect_ms);

    enum hypha_err err = hy_channel_send_urgent(
        state->channel, &hy_core_messages[HY_MESSAGE_PING], &ping);
    /* A peer that has taken nothing for so long gets no ping either; the timer judges it. */
    if (err != HYPHA_OK && err != HYPHA_ERR_AGAIN)
        hy_channel_stop_for(state->channel, err);
}

static void on_timer(void *user)
{
    struct ping_state *state = user;

    if (!state->waiting)
        send_ping(state);
    else if (hy_channel_is_paused(state->channel))
        hy_timer_start(&state->timer, timeouts(state->channel)->connect_ms);
    else
        hy_channel_violation(state->channel, HYPHA_ERR_PING_TIMEOUT);
}

static void on_pong(struct ping_state *state, const struct hy_ping *pong)
{
    uint64_t now_us = hy_now_us(hy_channel_net(state->channel)->loop);

    if (!state->waiting)
        return;
    if (pong->nonce != state->nonce) {
        hy_channel_violation(state->channel, HYPHA_ERR_PONG_NONCE);
        return;
    }
    state->waiting = false;
    /* 0 means "none yet". */
    hy_channel_set_round_trip_us(
        state->channel, now_us > state->sent_us ? now_us - state->sent_us : 1);
    hy_timer_start(&state->timer, timeouts(state->channel)->heartbeat_ms);
}

/* Exactly one pong each, sooner or later. */
static void answer(struct ping_state *state)
{
    size_t sent = 0;

    while (sent < state->owed_count) {
        struct hy_ping pong = { .nonce = state->owed[sent] };
        enum hypha_err err = hy_channel_send_urgent(
            state->channel, &hy_core_messages[HY_MESSAGE_PONG], &pong);

        if (err == HYPHA_ERR_AGAIN)
            break;
        if (err != HYPHA_OK) {
            hy_channel_stop_for(state->channel, err);
            return;
        }
        sent++;
    }
    state->owed_count = (uint8_t)(state->owed_count - sent);
    for (size_t i = 0; i < state->owed_count; i++)
        state->owed[i] = state->owed[i + sent];
}

static enum hypha_err on_attach(struct hypha_channel *channel, void *app, void **ret_state)
{
    struct ping_state *state = hy_alloc(sizeof *state);

    (void)app;
    if (state == NULL)
        return HYPHA_ERR_NOMEM;
    state->channel = channel;
    hy_timer_init(&state->timer, hy_channel_net(channel)->loop, on_timer, state);
    *ret_state = state;
    return HYPHA_OK;
}

static void on_start(struct hypha_channel *channel, void *app, void *state)
{
    (void)channel;
    (void)app;
    send_ping(state);
}

static enum hypha_err on_message(struct hypha_channel *channel, void *app, void *user,
    const struct hypha_message_type *type, const void *message)
{
    struct ping_state *state = user;
    const struct hy_ping *ping = message;

    (void)app;
    if (type == &hy_core_messages[HY_MESSAGE_PONG]) {
        on_pong(state, ping);
        return HYPHA_OK;
    }
    if (state->owed_count == MAX_OWED) {
        hy_channel_stop_for(channel, HYPHA_ERR_AGAIN);
        return HYPHA_OK;
    }
    state->owed[state->owed_count++] = ping->nonce;
    answer(state);
    return HYPHA_OK;
}

static void on_writable(struct hypha_channel *channel, void *app, void *state)
{
    (void)channel;
    (void)app;
    answer(state);
}

static void on_stop(struct hypha_channel *channel, void *app, void *user, enum hypha_err why)
{
    struct ping_state *state = user;

    (void)channel;
    (void)app;
    (void)why;
    hy_timer_stop(&state->timer);
    hy_free(state);
}

const struct hypha_protocol hy_protocol_ping = {
    .name = "ping",
    .sessions = HYPHA_SESSIONS_DEFAULT | HYPHA_SESSION_SEED,
    .messages = &hy_core_messages[HY_MESSAGE_PING],
    .message_count = 2, /* ping, pong */
    .on_attach = on_attach,
    .on_start = on_start,
    .on_message = on_message,
    .on_writable = on_writable,
    .on_stop = on_stop,
};
