/* channel.c - a channel's life from creation to running, and its fields. */
#include "channel/channel_internal.h"

#include "base/alloc.h"
#include "base/span.h"

#include <assert.h>

/* ---- the stream's and the loop's calls ---- */

static void on_read(struct hy_stream *stream, struct hypha_span bytes, void *user)
{
    struct hypha_channel *channel = user;

    (void)stream;
    if (!hy_channel_is_live(channel))
        return; /* a lingering channel reads to throw away */
    hypha_channel_ref(channel);
    hy_channel_receive(channel, bytes);
    hypha_channel_unref(channel);
}

static void on_writable(struct hy_stream *stream, void *user)
{
    struct hypha_channel *channel = user;

    (void)stream;
    hypha_channel_ref(channel);
    channel->blocked = false;
    if (channel->lingers)
        hy_channel_linger(channel);
    else if (hy_channel_is_live(channel))
        hy_channel_flush(channel);
    hypha_channel_unref(channel);
}

static void on_end(struct hy_stream *stream, enum hypha_err why, void *user)
{
    struct hypha_channel *channel = user;
    bool cut = (why == HYPHA_ERR_EOF || why == HYPHA_ERR_RESET) &&
        (hy_framing_is_inside(&channel->framing) || channel->unread_len > 0);

    hypha_channel_ref(channel);
    channel->stream = NULL;
    hy_stream_close(stream);
    if (channel->lingers)
        hy_channel_end_linger(channel);
    else if (cut && hy_channel_is_live(channel))
        hy_channel_violation(channel, HYPHA_ERR_EOF_IN_FRAME);
    else
        hy_channel_stop_for(channel, why);
    hypha_channel_unref(channel);
}

static const struct hy_stream_events stream_events = {
    .on_read = on_read,
    .on_writable = on_writable,
    .on_end = on_end,
};

static void on_turn_end(void *user)
{
    struct hypha_channel *channel = user;

    hypha_channel_ref(channel);
    if (channel->state == HY_CHANNEL_STOPPING) {
        hy_channel_finish(channel);
    } else if (hy_channel_is_live(channel)) {
        if (channel->catch_up)
            hy_channel_catch_up(channel);
        if (hy_channel_is_live(channel))
            hy_channel_flush(channel);
    }
    hypha_channel_unref(channel);
}

static void on_clock(void *user)
{
    struct hypha_channel *channel = user;

    if (channel->state == HY_CHANNEL_HANDSHAKE)
        hy_channel_violation(channel, HYPHA_ERR_HANDSHAKE_TIMEOUT);
    else if (channel->lingers)
        hy_channel_linger(channel);
}

static void on_delay(void *user)
{
    struct hypha_channel *channel = user;

    hypha_channel_ref(channel);
    hy_channel_send_due(channel);
    hy_channel_deliver_due(channel);
    hy_channel_schedule(channel);
    hypha_channel_unref(channel);
}

/* ---- create and free ---- */

static uint32_t new_id(struct hy_net *net)
{
    uint32_t id;

    do
        id = hy_random_u32(net->loop);
    while (id == 0 || hy_net_channel(net, id) != NULL);
    return id;
}

static void channel_free(struct hypha_channel *channel)
{
    if (channel->hh.tbl != NULL)
        HASH_DELETE(hh, channel->net->by_id, channel);
    hy_timer_stop(&channel->delay);
    hy_timer_stop(&channel->clock);
    hy_defer_stop(&channel->turn_end);
    hy_stream_close(channel->stream);
    hy_framing_fini(&channel->framing);
    hy_outbox_clear(&channel->outbox);
    if (channel->flows != NULL)
        for (size_t i = 0; i < channel->commands->command_count; i++)
            hy_flow_fini(&channel->flows[i]);
    hy_free(channel->flows);
    hy_free(channel->unread);
    hy_free(channel->protocol_states);
    hy_free(channel->traffic);
    hy_dispatch_unref(channel->dispatch);
    for (size_t i = 0; i < channel->peer_address_count; i++)
        hypha_url_unref(channel->peer_addresses[i]);
    hy_free(channel->peer_addresses);
    hy_free(channel->peer_app_name);
    hy_free(channel->peer_version);
    hypha_url_unref(channel->connect_addr);
    hypha_url_unref(channel->resolve_addr);
    hy_free(channel);
}

/* Anybody may knock, and many at once: before the handshake ends nobody is given room for a longer
 * message than may wait for that end. */
static uint64_t strangers_cap(const struct hy_resolved_settings *settings)
{
    uint64_t queue = settings->max_recv_queue_bytes;

    return queue < settings->max_unlimited_bytes ? queue : settings->max_unlimited_bytes;
}

enum hypha_err hy_channel_create(struct hy_net *net, enum hypha_session session,
    struct hy_stream *stream, struct hypha_url *connect_addr, struct hypha_url *resolve_addr,
    bool mixed, struct hypha_channel **ret_channel)
{
    struct hypha_channel *channel = hy_alloc(sizeof *channel);

    if (channel == NULL) {
        hy_stream_close(stream);
        return HYPHA_ERR_NOMEM;
    }
    channel->refs = 1;
    channel->net = net;
    channel->session = session;
    channel->state = HY_CHANNEL_NEW;
    channel->mixed = mixed;
    channel->stream = stream;
    channel->connect_addr = hypha_url_ref(connect_addr);
    channel->resolve_addr = hypha_url_ref(resolve_addr);
    channel->start_time_s = hy_wall_s(net->loop);
    TAILQ_INIT(&channel->subscribers);
    hy_framing_init(&channel->framing, net->settings->magic, strangers_cap(net->settings));
    hy_outbox_init(&channel->outbox, net->pool);
    hy_timer_init(&channel->delay, net->loop, on_delay, channel);
    hy_timer_init(&channel->clock, net->loop, on_clock, channel);
    hy_defer_init(&channel->turn_end, net->loop, on_turn_end, channel);
    channel->id = new_id(net);
    HASH_ADD(hh, net->by_id, id, sizeof channel->id, channel);
    if (channel->hh.tbl == NULL) {
        channel_free(channel);
        return HYPHA_ERR_NOMEM;
    }
    hy_stream_set_events(stream, &stream_events, channel);
    *ret_channel = channel;
    return HYPHA_OK;
}

struct hypha_channel *hypha_channel_ref(struct hypha_channel *channel)
{
    channel->refs++;
    return channel;
}

void hypha_channel_unref(struct hypha_channel *channel)
{
    if (channel == NULL)
        return;
    assert(channel->refs > 0);
    if (channel->refs == 1 && channel->state == HY_CHANNEL_NEW &&
        !TAILQ_EMPTY(&channel->subscribers))
        hypha_channel_stop(channel); /* they must hear of it: its reference outlives ours */
    if (--channel->refs == 0)
        channel_free(channel);
}

/* ---- start ---- */

static enum hypha_err attach(struct hypha_channel *channel)
{
    const struct hy_dispatch_session *commands = channel->commands;

    for (size_t i = 0; i < commands->protocol_count; i++) {
        const struct hy_registration *registration = &commands->protocols[i];
        enum hypha_err err = HYPHA_OK;

        if (registration->protocol->on_attach != NULL)
            err = registration->protocol->on_attach(
                channel, registration->app, &channel->protocol_states[i]);
        if (err != HYPHA_OK)
            return err;
        channel->attached = i + 1;
        if (!hy_channel_is_live(channel))
            return HYPHA_ERR_CHANNEL_STOPPED;
    }
    return HYPHA_OK;
}

static void track(struct hypha_channel *channel)
{
    TAILQ_INSERT_TAIL(&channel->net->channels, channel, entry);
    channel->net->channel_count++;
    channel->tracked = true;
    hypha_channel_ref(channel); /* until it has stopped */
}

enum hypha_err hy_channel_start(
    struct hypha_channel *channel, const struct hy_channel_owner *owner, void *user)
{
    struct hy_net *net = channel->net;
    enum hypha_err err;

    if (hypha_channel_is_stopped(channel))
        return HYPHA_ERR_CHANNEL_STOPPED;
    if (channel->state != HY_CHANNEL_NEW)
        return HYPHA_ERR_STATE;
    if (net->stopping) {
        hy_channel_stop_for(channel, HYPHA_ERR_NETWORK_STOPPED);
        return HYPHA_ERR_NETWORK_STOPPED;
    }

    const struct hy_dispatch_session *commands = hy_dispatch_session(
        net->dispatch, channel->session);
    channel->protocol_states = hy_alloc_array(
        commands->protocol_count, sizeof *channel->protocol_states);
    if (channel->protocol_states == NULL) {
        hy_channel_stop_for(channel, HYPHA_ERR_NOMEM);
        return HYPHA_ERR_NOMEM;
    }
    channel->dispatch = hy_dispatch_ref(net->dispatch);
    channel->commands = commands;
    err = hy_channel_count_traffic(channel);
    if (err != HYPHA_OK) {
        hy_channel_stop_for(channel, err);
        return err;
    }
    channel->state = HY_CHANNEL_HANDSHAKE;
    track(channel);
    err = attach(channel);
    if (err != HYPHA_OK) {
        hy_channel_stop_for(channel, err);
        return err;
    }
    channel->owner = owner;
    channel->owner_user = user;
    hy_timer_start(&channel->clock,
        hy_settings_timeouts(net->settings, hypha_url_scheme(hy_channel_address(channel)))
            ->handshake_ms);
    channel->reading = true;
    hy_stream_read_start(channel->stream);
    return HYPHA_OK;
}

void hy_channel_handshake_done(struct hypha_channel *channel)
{
    if (channel->state != HY_CHANNEL_HANDSHAKE)
        return;
    channel->state = HY_CHANNEL_READY;
    channel->framing.cap = channel->net->settings->max_unlimited_bytes;
    hy_timer_stop(&channel->clock);
    /* A refine session stops at once now, and a stop drops what is queued: our verack must be on
     * its way, or the other side waits for it in vain (wire.md 5.3, B). */
    hy_channel_flush(channel);
    hy_channel_tell_handshake(channel, HYPHA_OK);
    if (channel->owner != NULL && channel->owner->on_ready != NULL)
        channel->owner->on_ready(channel, channel->owner_user);
}

void hy_channel_run(struct hypha_channel *channel)
{
    if (channel->state != HY_CHANNEL_READY)
        return;
    channel->state = HY_CHANNEL_RUNNING;
    for (size_t i = 0; i < channel->attached && hy_channel_is_live(channel); i++) {
        const struct hy_registration *registration = &channel->commands->protocols[i];

        if (registration->protocol->on_start != NULL)
            registration->protocol->on_start(
                channel, registration->app, channel->protocol_states[i]);
    }
    if (!hy_channel_is_live(channel))
        return;
    hy_defer_start(&channel->turn_end);
    if (channel->kept_count == 0)
        return;

    /* What arrived early: the protocols take it only now (wire.md 2.4). */
    for (size_t i = 0; i < channel->commands->command_count; i++) {
        const struct hy_command *command = &channel->commands->commands[i];

        if (command->protocol >= 0 && !channel->commands->protocols[command->protocol].early)
            hy_flow_begin(&channel->flows[command->index], hy_now_ms(channel->net->loop));
    }
    channel->catch_up = true;
}

/* ---- what waits for a time ---- */

struct hy_flow *hy_channel_flow(struct hypha_channel *channel, const struct hy_command *command)
{
    if (channel->flows == NULL) {
        size_t count = channel->commands->command_count;

        channel->flows = hy_alloc_array(count, sizeof *channel->flows);
        if (channel->flows == NULL)
            return NULL;
        for (size_t i = 0; i < count; i++)
            hy_flow_init(&channel->flows[i]);
    }
    return &channel->flows[command->index];
}

bool hy_channel_may_deliver(const struct hypha_channel *channel, const struct hy_command *command)
{
    return channel->state == HY_CHANNEL_RUNNING ||
        (hy_channel_is_live(channel) && command->protocol >= 0 &&
            channel->commands->protocols[command->protocol].early);
}

void hy_channel_schedule(struct hypha_channel *channel)
{
    uint64_t now = hy_now_ms(channel->net->loop), due = UINT64_MAX;

    if (!hy_channel_is_live(channel) || channel->kept_count + channel->delayed_count == 0) {
        hy_timer_stop(&channel->delay);
        return;
    }
    for (size_t i = 0; i < channel->commands->command_count; i++) {
        const struct hy_command *command = &channel->commands->commands[i];
        const struct hy_flow *flow = &channel->flows[command->index];

        if (!STAILQ_EMPTY(&flow->leaving) && STAILQ_FIRST(&flow->leaving)->due_ms < due)
            due = STAILQ_FIRST(&flow->leaving)->due_ms;
        if (!STAILQ_EMPTY(&flow->arrived) && flow->arrived_due_ms < due && channel->pauses == 0 &&
            hy_channel_may_deliver(channel, command))
            due = flow->arrived_due_ms;
    }
    if (due == UINT64_MAX)
        hy_timer_stop(&channel->delay);
    else
        hy_timer_start(&channel->delay, due > now ? due - now : 0);
}

/* ---- fields ---- */

const char *hypha_session_name(enum hypha_session session)
{
    switch (session) {
    case HYPHA_SESSION_INBOUND:
        return "inbound";
    case HYPHA_SESSION_OUTBOUND:
        return "outbound";
    case HYPHA_SESSION_MANUAL:
        return "manual";
    case HYPHA_SESSION_SEED:
        return "seed";
    case HYPHA_SESSION_REFINE:
        return "refine";
    case HYPHA_SESSION_DIRECT:
        return "direct";
    }
    return "unknown";
}

uint32_t hypha_channel_id(const struct hypha_channel *channel)
{
    return channel->id;
}

enum hypha_session hypha_channel_session(const struct hypha_channel *channel)
{
    return channel->session;
}

struct hypha_url *hy_channel_address(const struct hypha_channel *channel)
{
    return channel->resolve_addr == NULL || channel->mixed ? channel->connect_addr
                                                           : channel->resolve_addr;
}

const struct hypha_url *hypha_channel_address(const struct hypha_channel *channel)
{
    return hy_channel_address(channel);
}

const struct hypha_url *hypha_channel_display_address(const struct hypha_channel *channel)
{
    return channel->resolve_addr != NULL ? channel->resolve_addr : channel->connect_addr;
}

uint64_t hypha_channel_start_time(const struct hypha_channel *channel)
{
    return channel->start_time_s;
}

bool hypha_channel_is_stopped(const struct hypha_channel *channel)
{
    return channel->state >= HY_CHANNEL_STOPPING;
}

uint64_t hypha_channel_round_trip_us(const struct hypha_channel *channel)
{
    return channel->round_trip_us;
}

const char *hypha_channel_peer_app_name(const struct hypha_channel *channel)
{
    return channel->peer_app_name != NULL ? channel->peer_app_name : "";
}

const char *hypha_channel_peer_version(const struct hypha_channel *channel)
{
    return channel->peer_version != NULL ? channel->peer_version : "";
}

const struct hypha_url *hypha_channel_peer_address(
    const struct hypha_channel *channel, size_t index)
{
    return index < channel->peer_address_count ? channel->peer_addresses[index] : NULL;
}

struct hy_net *hy_channel_net(const struct hypha_channel *channel)
{
    return channel->net;
}

enum hy_channel_state hy_channel_state(const struct hypha_channel *channel)
{
    return channel->state;
}

struct hypha_url *hy_channel_connect_addr(const struct hypha_channel *channel)
{
    return channel->connect_addr;
}

struct hypha_url *hy_channel_resolve_addr(const struct hypha_channel *channel)
{
    return channel->resolve_addr;
}

bool hy_channel_is_mixed(const struct hypha_channel *channel)
{
    return channel->mixed;
}

bool hy_channel_is_paused(const struct hypha_channel *channel)
{
    return channel->pauses > 0;
}

bool hy_channel_is_registered(const struct hypha_channel *channel)
{
    return channel->registered;
}

void hy_channel_set_registered(struct hypha_channel *channel, bool registered)
{
    channel->registered = registered;
}

uint64_t hy_channel_useful_ms(const struct hypha_channel *channel)
{
    return channel->useful_ms;
}

void hy_channel_was_useful(struct hypha_channel *channel)
{
    channel->useful_ms = hy_now_ms(channel->net->loop);
}

void hy_channel_set_round_trip_us(struct hypha_channel *channel, uint64_t us)
{
    channel->round_trip_us = us;
}

enum hypha_err hy_channel_set_peer(
    struct hypha_channel *channel, struct hypha_span app_name, const struct hy_semver *version)
{
    char text[HY_SEMVER_TEXT_BYTES], shown[HY_SEMVER_TEXT_BYTES];
    char *name = hy_strdup(hy_span_escape(app_name, shown, sizeof shown));
    char *number = hy_strdup(hy_semver_format(version, text, sizeof text));

    if (name == NULL || number == NULL) {
        hy_free(name);
        hy_free(number);
        return HYPHA_ERR_NOMEM;
    }
    hy_free(channel->peer_app_name);
    hy_free(channel->peer_version);
    channel->peer_app_name = name;
    channel->peer_version = number;
    return HYPHA_OK;
}

enum hypha_err hy_channel_add_peer_address(struct hypha_channel *channel, struct hypha_url *url)
{
    size_t count = channel->peer_address_count;

    if (count >= HY_MAX_PEER_ADDRESSES)
        return HYPHA_OK;

    struct hypha_url **addresses = hy_realloc(
        channel->peer_addresses, (count + 1) * sizeof *addresses);
    if (addresses == NULL)
        return HYPHA_ERR_NOMEM;
    addresses[count] = hypha_url_ref(url);
    channel->peer_addresses = addresses;
    channel->peer_address_count = count + 1;
    return HYPHA_OK;
}

void *hy_channel_protocol_state(
    const struct hypha_channel *channel, const struct hypha_protocol *protocol)
{
    for (size_t i = 0; i < channel->attached; i++)
        if (channel->commands->protocols[i].protocol == protocol)
            return channel->protocol_states[i];
    return NULL;
}
