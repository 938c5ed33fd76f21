/* protocol_address.c - tell where we are, ask where others are, answer the same.
 *
 * Each getaddr gets exactly one addr. It may come a little later: while a seed node probes
 * newcomers (network.md 7.6), or while the peer takes nothing; then the number of answers owed
 * is kept, and the last question. spec: wire.md#55-address-protocol-default-sessions */
#include "base/alloc.h"
#include "base/span.h"
#include "protocol/addr_exchange.h"

#define HOLD_MS           1000
#define REPLY_INTERVAL_MS 5000    /* between answers that tell something, in the long run */
#define REPLY_EARLY_MS    1000    /* others' rounds have that pace too, by their own clocks */
#define MAX_TRANSPORTS    64      /* bytes: a whole getaddr has 57 */
#define BURST_MILLI       1000000 /* thousandths of an address */
#define MILLI_PER_10_MS   1       /* 0.1 address per second */
#define MAX_GETADDR       (HY_ADDR_MAX_ENTRIES / 2)
#define MAX_ASKED         (8 * HY_ADDR_MAX_ENTRIES)
#define OFFENCE_MILLI     5 /* per address that is too many: 20,000 of them are a ban */

struct hy_address_state {
    struct hypha_channel *channel;
    struct hy_core *core;

    /* answering */
    uint32_t owed;
    bool held;               /* in core->held, until probes end or the timer */
    bool has_answered;       /* with something */
    uint64_t reply_due_ms;   /* when the next such answer is due */
    struct hypha_url **told; /* what the last one told */
    size_t told_count;
    uint32_t max;
    uint8_t transport_count, transport_len;
    uint8_t transports[MAX_TRANSPORTS];
    struct hy_timer hold;
    LIST_ENTRY(hy_address_state) entry;

    /* what the peer may tell us. spec: network.md#10-weaknesses-and-beyond-the-reference */
    uint64_t unasked_milli, refilled_ms;
    uint32_t asked;
};

static struct hypha_loop *loop_of(const struct hy_address_state *state)
{
    return hy_channel_net(state->channel)->loop;
}

/* ---- asking ---- */

/* So many may come in answer. spec: network.md#10-weaknesses-and-beyond-the-reference */
static enum hypha_err asked(struct hypha_channel *channel, uint32_t max, enum hypha_err err)
{
    struct hy_address_state *state = hy_channel_protocol_state(channel, &hy_protocol_address);

    if (err == HYPHA_OK && state != NULL && state->asked < MAX_ASKED)
        state->asked += 2 * (max < MAX_GETADDR ? max : MAX_GETADDR);
    return err;
}

enum hypha_err hy_address_ask(struct hypha_channel *channel)
{
    return asked(channel, hy_getaddr_max(channel), hy_send_getaddr(channel));
}

enum hypha_err hy_address_ask_for(struct hypha_channel *channel, uint32_t max)
{
    return asked(channel, max, hy_send_getaddr_for(channel, max));
}

/* How many of `count` addresses are taken from this peer now, paid for. */
static size_t allow(struct hy_address_state *state, size_t count)
{
    uint64_t now = hy_now_ms(loop_of(state));
    size_t asked = count < state->asked ? count : state->asked, unasked;

    state->unasked_milli += (now - state->refilled_ms) / 10 * MILLI_PER_10_MS;
    state->refilled_ms = now - (now - state->refilled_ms) % 10;
    if (state->unasked_milli > BURST_MILLI)
        state->unasked_milli = BURST_MILLI;
    unasked = count - asked;
    if (unasked > state->unasked_milli / 1000)
        unasked = (size_t)(state->unasked_milli / 1000);
    state->asked -= (uint32_t)asked;
    state->unasked_milli -= (uint64_t)unasked * 1000;
    return asked + unasked;
}

/* The first `count` entries of a message. */
static struct hy_addr cut(const struct hy_addr *addr, size_t count)
{
    struct hypha_reader r = hypha_reader_of(addr->entries);

    for (size_t i = 0; i < count; i++) {
        (void)hypha_reader_take_bytes(&r, HY_ADDR_MAX_BYTES);
        (void)hypha_reader_take_u64(&r);
    }
    return (struct hy_addr){ .count = count,
        .entries = hy_span(addr->entries.at, addr->entries.len - r.rest.len) };
}

static void on_addr(struct hy_address_state *state, const struct hy_addr *addr)
{
    struct hypha_channel *channel = state->channel;
    struct hy_core *core = state->core;
    struct hy_addr some = *addr;
    size_t allowed = allow(state, addr->count);

    if (allowed < addr->count) {
        hy_log_debug(&hy_channel_net(channel)->log, "net::protocol_address",
            "channel %u: %zu of %zu addresses are too many", (unsigned)hypha_channel_id(channel),
            addr->count - allowed, addr->count);
        some = cut(addr, allowed);
        hy_channel_offence(channel, (addr->count - allowed) * OFFENCE_MILLI, HYPHA_ERR_LIMIT);
    }

    size_t inserted = hy_store_addrs(channel, &some);
    if (core->on_addrs != NULL)
        core->on_addrs(core->user, channel, inserted);
}

/* ---- answering ---- */

static void forget_told(struct hy_address_state *state)
{
    for (size_t i = 0; i < state->told_count; i++)
        hypha_url_unref(state->told[i]);
    hy_free(state->told);
    state->told = NULL;
    state->told_count = 0;
}

/* Without memory the next hasty question gets an empty answer. */
static void remember_told(struct hy_address_state *state, const struct hy_reply *reply)
{
    forget_told(state);
    state->told = hy_alloc_array(reply->count, sizeof *state->told);
    if (state->told == NULL)
        return;
    for (size_t i = 0; i < reply->count; i++)
        state->told[i] = hypha_url_ref(reply->urls[i]);
    state->told_count = reply->count;
}

/* What was told before, as far as it still holds and fits the question. */
static void repeat_told(struct hy_address_state *state, struct hy_reply *ret_reply)
{
    const struct hy_hosts *hosts = hy_channel_net(state->channel)->hosts;
    uint64_t limit = 2 * (uint64_t)state->max;
    enum hypha_colour colour;

    for (size_t i = 0; i < state->told_count && ret_reply->count < limit; i++) {
        uint64_t *last_seen = &ret_reply->last_seen[ret_reply->count];

        if (!hy_hosts_find(hosts, state->told[i], &colour, last_seen) ||
            colour == HYPHA_COLOUR_GREY || colour == HYPHA_COLOUR_BLACK)
            continue;
        ret_reply->urls[ret_reply->count++] = hypha_url_ref(state->told[i]);
    }
}

/* Asked again so soon? One that never hurries, or comes a little early, is answered afresh. */
static bool is_hasty(const struct hy_address_state *state)
{
    return state->has_answered && hy_now_ms(loop_of(state)) + REPLY_EARLY_MS < state->reply_due_ms;
}

static void find_answer(struct hy_address_state *state, struct hy_reply *ret_reply)
{
    const struct hy_net *net = hy_channel_net(state->channel);
    struct hy_getaddr request = { .max = state->max,
        .count = state->transport_count,
        .transports = hy_span(state->transports, state->transport_len) };
    const struct hypha_url *not_these[64];
    size_t count = 0;

    not_these[count++] = hypha_channel_address(state->channel);
    while (count < sizeof not_these / sizeof not_these[0] &&
        (not_these[count] = hypha_channel_peer_address(state->channel, count - 1)) != NULL)
        count++;
    ret_reply->count = 0;
    if (is_hasty(state)) { /* is answered, but learns nothing new (network.md 10) */
        repeat_told(state, ret_reply);
        return;
    }
    hy_hosts_reply(net->hosts, &request, not_these[0], not_these, count, ret_reply);
}

static enum hypha_err send_answer(struct hy_address_state *state, const struct hy_reply *reply)
{
    struct hy_addr_entry entries[HY_ADDR_MAX_ENTRIES];
    struct hy_addr_out addr = { .entries = entries, .count = reply->count };

    for (size_t i = 0; i < reply->count; i++)
        entries[i] = (struct hy_addr_entry){ reply->urls[i], reply->last_seen[i] };

    enum hypha_err err = hypha_channel_send(
        state->channel, &hy_core_messages[HY_MESSAGE_ADDR], &addr);
    if (err != HYPHA_OK)
        return err;
    state->owed--;
    if (reply->count > 0 && !is_hasty(state)) {
        uint64_t now = hy_now_ms(loop_of(state));

        /* Counted from when it was due: who comes early each time gains nothing. */
        state->reply_due_ms = (state->reply_due_ms > now ? state->reply_due_ms : now) +
            REPLY_INTERVAL_MS;
        state->has_answered = true;
        remember_told(state, reply);
    }
    return HYPHA_OK;
}

static void release(struct hy_address_state *state)
{
    if (state->held)
        LIST_REMOVE(state, entry);
    state->held = false;
    hy_timer_stop(&state->hold);
}

static void hold(struct hy_address_state *state)
{
    LIST_INSERT_HEAD(&state->core->held, state, entry);
    state->held = true;
    hy_timer_start(&state->hold, HOLD_MS);
}

/* Answer all that is owed. may_hold: an empty answer may wait for probes. */
static void answer(struct hy_address_state *state, bool may_hold)
{
    struct hy_core *core = state->core;

    while (state->owed > 0) {
        struct hy_reply reply;
        enum hypha_err err;

        find_answer(state, &reply);
        if (reply.count == 0 && may_hold && !state->has_answered && core->hold_reply != NULL &&
            core->hold_reply(core->user)) {
            hold(state);
            hy_reply_fini(&reply);
            return;
        }
        err = send_answer(state, &reply);
        hy_reply_fini(&reply);
        if (err == HYPHA_ERR_AGAIN)
            return; /* on_writable goes on */
        if (err != HYPHA_OK) {
            hy_channel_stop_for(state->channel, err);
            return;
        }
    }
}

static void on_hold_end(void *user)
{
    struct hy_address_state *state = user;

    release(state);
    answer(state, false);
}

void hy_address_release(struct hy_core *core)
{
    struct hy_address_state *state;

    while ((state = LIST_FIRST(&core->held)) != NULL)
        on_hold_end(state);
}

static void on_getaddr(struct hy_address_state *state, const struct hy_getaddr *getaddr)
{
    /* The type's limit is 57 bytes, so it fits. */
    if (getaddr->transports.len <= MAX_TRANSPORTS) {
        state->max = getaddr->max;
        state->transport_count = (uint8_t)getaddr->count;
        state->transport_len = (uint8_t)getaddr->transports.len;
        if (getaddr->transports.len > 0)
            memcpy(state->transports, getaddr->transports.at, getaddr->transports.len);
    }
    state->owed++;
    if (!state->held)
        answer(state, true);
}

/* ---- the protocol ---- */

static enum hypha_err on_attach(struct hypha_channel *channel, void *app, void **ret_state)
{
    struct hy_address_state *state = hy_alloc(sizeof *state);

    if (state == NULL)
        return HYPHA_ERR_NOMEM;
    state->channel = channel;
    state->core = app;
    state->unasked_milli = BURST_MILLI;
    state->refilled_ms = hy_now_ms(hy_channel_net(channel)->loop);
    hy_timer_init(&state->hold, hy_channel_net(channel)->loop, on_hold_end, state);
    *ret_state = state;
    return HYPHA_OK;
}

static void on_start(struct hypha_channel *channel, void *app, void *state)
{
    enum hypha_err err = HYPHA_OK;

    (void)app;
    (void)state;
    if (hypha_channel_session(channel) == HYPHA_SESSION_OUTBOUND)
        err = hy_send_own_addrs(channel);
    if (err == HYPHA_OK)
        err = hy_address_ask(channel);
    if (err != HYPHA_OK)
        hy_channel_stop_for(channel, err);
}

static enum hypha_err on_message(struct hypha_channel *channel, void *app, void *state,
    const struct hypha_message_type *type, const void *message)
{
    (void)channel;
    (void)app;
    if (type == &hy_core_messages[HY_MESSAGE_ADDR])
        on_addr(state, message);
    else
        on_getaddr(state, message);
    return HYPHA_OK;
}

static void on_writable(struct hypha_channel *channel, void *app, void *user)
{
    struct hy_address_state *state = user;

    (void)channel;
    (void)app;
    if (!state->held)
        answer(state, false);
}

static void on_stop(struct hypha_channel *channel, void *app, void *user, enum hypha_err why)
{
    struct hy_address_state *state = user;

    (void)channel;
    (void)app;
    (void)why;
    release(state);
    forget_told(state);
    hy_free(state);
}

const struct hypha_protocol hy_protocol_address = {
    .name = "address",
    .sessions = HYPHA_SESSIONS_DEFAULT,
    .messages = &hy_core_messages[HY_MESSAGE_GETADDR],
    .message_count = 2, /* getaddr, addr */
    .on_attach = on_attach,
    .on_start = on_start,
    .on_message = on_message,
    .on_writable = on_writable,
    .on_stop = on_stop,
};
