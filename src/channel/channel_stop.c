/* channel_stop.c - how a channel ends, whoever wants it.
 *
 * The signal is given at once and told at the end of the turn. What is queued is dropped, but
 * for the rest of a frame whose beginning is on the wire: a peer cut off inside one bans us
 * (wire.md 2.2), so its stream lingers for it, a second at most. */
#include "channel/channel_internal.h"

#include "base/alloc.h"
#include "base/span.h"

#include <assert.h>

#define LINGER_STEP_MS 10

/* ---- the signal ---- */

void hy_channel_stop_for(struct hypha_channel *channel, enum hypha_err why)
{
    if (hypha_channel_is_stopped(channel))
        return;
    if (channel->state == HY_CHANNEL_NEW)
        hypha_channel_ref(channel); /* as a started one: until it has stopped */
    bool was_handshake = channel->state == HY_CHANNEL_HANDSHAKE;

    channel->state = HY_CHANNEL_STOPPING;
    channel->why = why;
    hy_timer_stop(&channel->clock);
    hy_timer_stop(&channel->delay);
    if (channel->reading && channel->stream != NULL)
        hy_stream_read_stop(channel->stream);
    channel->reading = false;
    hy_defer_start(&channel->turn_end);
    if (was_handshake)
        hy_channel_tell_handshake(channel, why);
}

void hypha_channel_stop(struct hypha_channel *channel)
{
    hy_channel_stop_for(channel, HYPHA_ERR_CHANNEL_STOPPED);
}

/* ---- violations ---- */

/* False: it is not to be banned, or there is no memory for it. */
static bool ban(struct hypha_channel *channel, enum hypha_err why)
{
    struct hy_net *net = channel->net;
    struct hypha_url *address = hy_channel_address(channel);

    if (!hy_hosts_ban_peer(net->hosts, address, channel->session, why))
        return false;
    if (!hy_events_wanted(&net->events, HYPHA_EVENT_BANNED))
        return true;

    struct hypha_event event = { .type = HYPHA_EVENT_BANNED,
        .time_ns = hy_wall_ns(net->loop),
        .channel_id = channel->id,
        .session = channel->session,
        .addr = address,
        .err = why };
    hy_events_publish(&net->events, &event);
    return true;
}

/* Silence and lost connections are the network's weather; the rest is somebody's fault. */
static enum hypha_log_level level_of(enum hypha_err what, struct hy_violation verdict)
{
    if (!verdict.close)
        return HYPHA_LOG_DEBUG;
    return what == HYPHA_ERR_EOF_IN_FRAME || what == HYPHA_ERR_HANDSHAKE_TIMEOUT ||
            what == HYPHA_ERR_PING_TIMEOUT
        ? HYPHA_LOG_VERBOSE
        : HYPHA_LOG_WARN;
}

void hy_channel_violation_in(
    struct hypha_channel *channel, enum hypha_err what, struct hypha_span command)
{
    struct hy_net *net = channel->net;

    if (!hy_channel_is_live(channel))
        return;

    struct hy_violation verdict = hy_violation_judge(
        what, channel->session, net->settings->relaxed_bans);
    bool banned = verdict.ban && ban(channel, what);
    enum hypha_log_level level = level_of(what, verdict);
    if (net->log.cb != NULL && level <= net->log.level) {
        char peer[256], name[128];

        hy_log_write(&net->log, level, "net::channel", "%s channel %u with %s: %s%s%s%s: %s",
            hypha_session_name(channel->session), (unsigned)channel->id,
            hy_url_display(hypha_channel_display_address(channel), peer, sizeof peer),
            hypha_err_text(what), command.len > 0 ? " in \"" : "",
            hy_span_escape(command, name, sizeof name), command.len > 0 ? "\"" : "",
            banned              ? "banned"
                : verdict.close ? "closed"
                                : "skipped");
    }
    if (verdict.close)
        hy_channel_stop_for(channel, what);
}

void hy_channel_violation(struct hypha_channel *channel, enum hypha_err what)
{
    hy_channel_violation_in(channel, what, (struct hypha_span){ 0 });
}

void hy_channel_offence(struct hypha_channel *channel, uint64_t milli, enum hypha_err what)
{
    struct hy_net *net = channel->net;
    char peer[256];

    if (!hy_channel_is_live(channel) ||
        !hy_hosts_offend(net->hosts, hy_channel_address(channel), milli))
        return;
    hy_log_warn(&net->log, "net::channel", "%s channel %u with %s again and again: %s: %s",
        hypha_session_name(channel->session), (unsigned)channel->id,
        hy_url_display(hypha_channel_display_address(channel), peer, sizeof peer),
        hypha_err_text(what), net->settings->relaxed_bans ? "closed" : "banned");
    if (!net->settings->relaxed_bans)
        ban(channel, what);
    hy_channel_stop_for(channel, what);
}

void hypha_channel_ban(struct hypha_channel *channel)
{
    if (hypha_channel_is_stopped(channel))
        return;
    (void)ban(channel, HYPHA_ERR_BANNED);
    hy_channel_stop_for(channel, HYPHA_ERR_BANNED);
}

/* ---- the rest of a frame ---- */

static void close_stream(struct hypha_channel *channel)
{
    hy_stream_close(channel->stream);
    channel->stream = NULL;
    hy_outbox_clear(&channel->outbox);
}

static void write_rest(struct hypha_channel *channel)
{
    struct iovec pieces[2];
    size_t count = hy_outbox_pieces(&channel->outbox, pieces, 2);

    if (count == 0 || channel->blocked)
        return;
    hy_outbox_consume(&channel->outbox, hy_stream_write(channel->stream, pieces, count));
    channel->blocked = hy_outbox_bytes(&channel->outbox) > 0;
}

static bool is_all_out(const struct hypha_channel *channel)
{
    return hy_outbox_bytes(&channel->outbox) == 0 && hy_stream_pending(channel->stream) == 0;
}

void hy_channel_end_linger(struct hypha_channel *channel)
{
    struct hy_net *net = channel->net;

    assert(channel->lingers);
    hy_timer_stop(&channel->clock);
    if (channel->stream != NULL)
        close_stream(channel);
    hy_outbox_clear(&channel->outbox);
    TAILQ_REMOVE(&net->lingering, channel, entry);
    net->lingering_count--;
    channel->lingers = false;
    if (net->on_channel_gone != NULL)
        net->on_channel_gone(net->user);
    hypha_channel_unref(channel);
}

void hy_channel_linger(struct hypha_channel *channel)
{
    write_rest(channel);
    if (is_all_out(channel) || hy_now_ms(channel->net->loop) >= channel->linger_until_ms) {
        hy_channel_end_linger(channel);
        return;
    }

    /* A stream that has taken all says nothing when it has passed all on. */
    uint64_t left = channel->linger_until_ms - hy_now_ms(channel->net->loop);
    bool waits = hy_outbox_bytes(&channel->outbox) > 0;
    hy_timer_start(&channel->clock, waits || left < LINGER_STEP_MS ? left : LINGER_STEP_MS);
}

/* Returns true if the channel lingers and its reference goes on with it. */
static bool begin_linger(struct hypha_channel *channel)
{
    struct hy_net *net = channel->net;

    if (channel->stream == NULL) {
        hy_outbox_clear(&channel->outbox);
        return false;
    }
    hy_outbox_keep_begun(&channel->outbox);
    write_rest(channel);
    if (is_all_out(channel)) {
        close_stream(channel);
        return false;
    }
    /* Read on to throw away: closing with unread bytes would reset the connection and take
     * the frame's rest with it. */
    hy_stream_read_start(channel->stream);
    TAILQ_INSERT_TAIL(&net->lingering, channel, entry);
    net->lingering_count++;
    channel->lingers = true;
    channel->linger_until_ms = hy_now_ms(net->loop) + HY_LINGER_MS;
    hy_timer_start(
        &channel->clock, hy_outbox_bytes(&channel->outbox) > 0 ? HY_LINGER_MS : LINGER_STEP_MS);
    return true;
}

/* ---- the end of the turn ---- */

static void tell_protocols(struct hypha_channel *channel)
{
    for (size_t i = 0; i < channel->attached; i++) {
        const struct hy_registration *registration = &channel->commands->protocols[i];
        void *state = channel->protocol_states[i];

        channel->protocol_states[i] = NULL;
        if (registration->protocol->on_stop != NULL)
            registration->protocol->on_stop(channel, registration->app, state, channel->why);
    }
}

static void tell_subscribers(struct hypha_channel *channel)
{
    struct hy_stop_subscriber *subscriber;

    while ((subscriber = TAILQ_FIRST(&channel->subscribers)) != NULL) {
        TAILQ_REMOVE(&channel->subscribers, subscriber, entry);
        subscriber->cb(channel, channel->why, subscriber->user);
    }
}

static void drop_queues(struct hypha_channel *channel)
{
    if (channel->flows != NULL)
        for (size_t i = 0; i < channel->commands->command_count; i++)
            hy_flow_fini(&channel->flows[i]);
    hy_free(channel->flows);
    channel->flows = NULL;
    channel->kept_count = channel->kept_bytes = 0;
    channel->delayed_count = channel->delayed_bytes = 0;
    hy_framing_fini(&channel->framing);
    hy_free(channel->unread);
    channel->unread = NULL;
    channel->unread_len = 0;
}

void hy_channel_finish(struct hypha_channel *channel)
{
    struct hy_net *net = channel->net;
    bool tracked = channel->tracked;

    channel->state = HY_CHANNEL_STOPPED;
    hy_channel_add_traffic(channel);
    drop_queues(channel);
    tell_protocols(channel);
    tell_subscribers(channel);
    if (tracked) {
        TAILQ_REMOVE(&net->channels, channel, entry);
        net->channel_count--;
        channel->tracked = false;
    }
    HASH_DELETE(hh, net->by_id, channel);
    channel->hh.tbl = NULL;

    bool lingers = begin_linger(channel);
    if (channel->owner != NULL && channel->owner->on_stopped != NULL)
        channel->owner->on_stopped(channel, channel->why, channel->owner_user);
    if (tracked && net->on_channel_gone != NULL)
        net->on_channel_gone(net->user);
    if (!lingers)
        hypha_channel_unref(channel);
}

/* ---- subscribers ---- */

enum hypha_err hy_channel_subscribe_stop(
    struct hypha_channel *channel, struct hy_stop_subscriber *subscriber)
{
    if (hypha_channel_is_stopped(channel))
        return HYPHA_ERR_CHANNEL_STOPPED;
    TAILQ_INSERT_TAIL(&channel->subscribers, subscriber, entry);
    return HYPHA_OK;
}

void hy_channel_unsubscribe_stop(
    struct hypha_channel *channel, struct hy_stop_subscriber *subscriber)
{
    struct hy_stop_subscriber *each;

    TAILQ_FOREACH (each, &channel->subscribers, entry)
        if (each == subscriber) {
            TAILQ_REMOVE(&channel->subscribers, subscriber, entry);
            return;
        }
}
