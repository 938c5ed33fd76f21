/* protocol_seed.c - ask a seed node for addresses, once.
 *
 *   state    event      next
 *   WAITING  addr       SEEDED   stored, told: the session ends the channel
 *   WAITING  30 s       (TIMEOUT)
 *   SEEDED   anything   SEEDED   ignored
 *
 * The seed asks us too: its getaddr is ignored. spec: wire.md#56-seed-protocol */
#include "base/alloc.h"
#include "protocol/addr_exchange.h"

#define WAIT_MS 30000 /* network.md 7.6 */

struct seed_state {
    struct hypha_channel *channel;
    struct hy_timer timer;
    bool seeded;
};

static void on_timer(void *user)
{
    struct seed_state *state = user;

    hy_channel_stop_for(state->channel, HYPHA_ERR_TIMEOUT);
}

static enum hypha_err on_attach(struct hypha_channel *channel, void *app, void **ret_state)
{
    struct seed_state *state = hy_alloc(sizeof *state);

    (void)app;
    if (state == NULL)
        return HYPHA_ERR_NOMEM;
    state->channel = channel;
    hy_timer_init(&state->timer, hy_channel_net(channel)->loop, on_timer, state);
    *ret_state = state;
    return HYPHA_OK;
}

static void on_start(struct hypha_channel *channel, void *app, void *user)
{
    struct seed_state *state = user;
    enum hypha_err err = hy_send_own_addrs(channel);

    (void)app;
    if (err == HYPHA_OK)
        err = hy_send_getaddr(channel);
    if (err != HYPHA_OK)
        hy_channel_stop_for(channel, err);
    else
        hy_timer_start(&state->timer, WAIT_MS);
}

static enum hypha_err on_message(struct hypha_channel *channel, void *app, void *user,
    const struct hypha_message_type *type, const void *message)
{
    struct hy_core *core = app;
    struct seed_state *state = user;

    if (type != &hy_core_messages[HY_MESSAGE_ADDR] || state->seeded)
        return HYPHA_OK;
    state->seeded = true;
    hy_timer_stop(&state->timer);

    size_t inserted = hy_store_addrs(channel, message);
    if (core->on_seeded != NULL)
        core->on_seeded(core->user, channel, inserted);
    else
        hypha_channel_stop(channel);
    return HYPHA_OK;
}

static void on_stop(struct hypha_channel *channel, void *app, void *user, enum hypha_err why)
{
    struct seed_state *state = user;

    (void)channel;
    (void)app;
    (void)why;
    hy_timer_stop(&state->timer);
    hy_free(state);
}

const struct hypha_protocol hy_protocol_seed = {
    .name = "seed",
    .sessions = HYPHA_SESSION_SEED,
    .messages = &hy_core_messages[HY_MESSAGE_GETADDR],
    .message_count = 2, /* getaddr, addr */
    .on_attach = on_attach,
    .on_start = on_start,
    .on_message = on_message,
    .on_stop = on_stop,
};
