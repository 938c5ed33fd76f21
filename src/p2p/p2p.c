/* p2p.c - a node's life.
 *
 *   state              event                  next
 *   STOPPED            start                  STARTING           hostlist, manual, inbound
 *   STARTING           every listener bound   RUNNING            the other sessions; told
 *   STARTING           one cannot be bound    STOPPING_MANUAL    why = that error
 *   STARTING, RUNNING  stop                   STOPPING_MANUAL    hostlist saved first
 *   STOPPING_<stage>   it has stopped         the next stage     manual, inbound, outbound,
 *                                                                seedsync, refine, direct,
 *                                                                channels
 *   STOPPING_CHANNELS  the last one is gone   STOPPED            told
 *
 * Sessions stop one after another, producers before the channels. The hostlist is saved before
 * any channel stops: a gold host is gold in the file. spec: network.md#22-start, #23-stop */
#include "p2p/p2p.h"
#include "session/discovery.h"

#include <assert.h>
#include <stdio.h>

#define TARGET "net::p2p"

static void stop_stage(struct hypha_p2p *p2p);

/* ---- between the sessions ---- */

size_t hy_p2p_ask_peers(struct hypha_p2p *p2p, enum hypha_err (*ask)(struct hypha_channel *channel))
{
    struct hypha_channel *channel = NULL;
    size_t asked = 0;

    p2p->getaddr_rounds++;
    while ((channel = hy_net_next_channel(&p2p->net, channel)) != NULL) {
        uint32_t session = hypha_channel_session(channel);

        if (hy_channel_is_registered(channel) && (session & HYPHA_SESSIONS_DEFAULT) != 0 &&
            ask(channel) == HYPHA_OK)
            asked++;
    }
    return asked;
}

static size_t ask_peers(void *user)
{
    return hy_p2p_ask_peers(user, hy_address_ask);
}

size_t hy_p2p_seed_some(void *user)
{
    struct hypha_p2p *p2p = user;

    p2p->seed_rounds++;
    return hy_session_seedsync_wake(p2p->seedsync, HY_DISCOVERY_SEEDS);
}

static void on_seeds_idle(void *user)
{
    struct hypha_p2p *p2p = user;

    hy_session_outbound_seeded(p2p->outbound);
    hy_session_direct_seeded(p2p->direct);
}

static void on_probed(void *user)
{
    struct hypha_p2p *p2p = user;

    hy_address_release(&p2p->core);
}

static bool hold_reply(void *user)
{
    struct hypha_p2p *p2p = user;

    return p2p->refine != NULL && hy_session_refine_announced_count(p2p->refine) > 0;
}

static const char *source_text(void *user, const struct hypha_url *url)
{
    struct hypha_p2p *p2p = user;
    const struct hypha_url *source = hy_hosts_source(p2p->net.hosts, url);
    char text[HY_SESSION_TEXT_BYTES];

    if (source == NULL)
        return NULL;
    (void)snprintf(p2p->source_text, sizeof(p2p->source_text), "%s%s",
        hy_url_array_has(&p2p->settings->seeds, source) ? "seed " : "",
        hy_session_text(source, text));
    return p2p->source_text;
}

static void on_addrs(void *user, struct hypha_channel *channel, size_t inserted)
{
    struct hypha_p2p *p2p = user;
    struct hy_net *net = &p2p->net;
    char text[HY_SESSION_TEXT_BYTES];

    if (p2p->state != HY_P2P_RUNNING)
        return;
    if (inserted > 0)
        hy_log_info(&net->log, TARGET, "learned %zu %s from %s", inserted,
            inserted == 1 ? "address" : "addresses",
            hy_session_text(hypha_channel_display_address(channel), text));
    hy_session_refine_announced(p2p->refine, channel, inserted);
}

static void on_seeded(void *user, struct hypha_channel *channel, size_t inserted)
{
    struct hypha_p2p *p2p = user;

    if (p2p->seedsync != NULL)
        hy_session_seedsync_seeded(p2p->seedsync, channel, inserted);
}

static void on_registered(void *user, struct hypha_channel *channel)
{
    struct hypha_p2p *p2p = user;
    uint32_t session = hypha_channel_session(channel);

    if (p2p->state != HY_P2P_RUNNING || (session & HYPHA_SESSIONS_DEFAULT) == 0)
        return;
    hy_session_outbound_peer(p2p->outbound);
    hy_session_direct_peer(p2p->direct);
}

/* ---- start ---- */

static void save_hostlist(struct hypha_p2p *p2p)
{
    enum hypha_err err = hy_hosts_save(p2p->net.hosts);

    (void)hy_hosts_save_bans(p2p->net.hosts); /* it has logged why not */
    if (err == HYPHA_ERR_NOMEM) /* the others are told where they happen, with their cause */
        hy_log_warn(&p2p->net.log, TARGET, "the hostlist %s cannot be saved: %s",
            p2p->settings->hostlist != NULL ? p2p->settings->hostlist : "", hypha_err_text(err));
}

static void on_save(void *user)
{
    struct hypha_p2p *p2p = user;

    save_hostlist(p2p);
    hy_timer_start(&p2p->save, p2p->settings->hostlist_save_ms);
}

static void destroy_sessions(struct hypha_p2p *p2p)
{
    hy_session_manual_destroy(p2p->manual);
    hy_session_inbound_destroy(p2p->inbound);
    hy_session_outbound_destroy(p2p->outbound);
    hy_session_seedsync_destroy(p2p->seedsync);
    hy_session_refine_destroy(p2p->refine);
    hy_session_direct_destroy(p2p->direct);
    p2p->manual = NULL;
    p2p->inbound = NULL;
    p2p->outbound = NULL;
    p2p->seedsync = NULL;
    p2p->refine = NULL;
    p2p->direct = NULL;
}

static enum hypha_err create_sessions(struct hypha_p2p *p2p)
{
    const struct hy_outbound_hooks hooks = {
        .user = p2p,
        .ask_peers = ask_peers,
        .seed = hy_p2p_seed_some,
        .source = source_text,
    };
    struct hy_net *net = &p2p->net;
    enum hypha_err err = hy_session_manual_create(net, &p2p->manual);

    if (err == HYPHA_OK)
        err = hy_session_inbound_create(net, &p2p->inbound);
    if (err == HYPHA_OK)
        err = hy_session_outbound_create(net, &hooks, &p2p->outbound);
    if (err == HYPHA_OK)
        err = hy_session_seedsync_create(net, on_seeds_idle, p2p, &p2p->seedsync);
    if (err == HYPHA_OK)
        err = hy_session_refine_create(net, on_probed, p2p, &p2p->refine);
    if (err == HYPHA_OK)
        err = hy_p2p_create_direct(p2p);
    if (err != HYPHA_OK)
        destroy_sessions(p2p);
    return err;
}

static void begin_stop(struct hypha_p2p *p2p, enum hypha_err why)
{
    bool was_running = p2p->state == HY_P2P_RUNNING;

    /* First: whoever reads the log may call stop, too. */
    p2p->state = HY_P2P_STOPPING_MANUAL;
    p2p->why = why;
    p2p->net.stopping = true;
    hy_timer_stop(&p2p->save);
    if (why == HYPHA_OK)
        hy_log_info(&p2p->net.log, TARGET, "[P2P] Stopping P2P subsystem");
    if (was_running) {
        save_hostlist(p2p);
        (void)hy_hosts_save_anchors(p2p->net.hosts); /* it has logged why not */
    }
    stop_stage(p2p);
}

static void on_inbound_started(void *user, enum hypha_err err)
{
    struct hypha_p2p *p2p = user;
    struct hy_log *log = &p2p->net.log;

    if (p2p->state != HY_P2P_STARTING)
        return;
    if (err != HYPHA_OK) {
        hy_log_error(log, TARGET, "Failed to start inbound session!: %s", hypha_err_text(err));
        begin_stop(p2p, err);
        return;
    }
    p2p->state = HY_P2P_RUNNING;
    hy_timer_start(&p2p->save, p2p->settings->hostlist_save_ms);
    hy_session_seedsync_start(p2p->seedsync);
    hy_session_outbound_start(p2p->outbound);
    hy_session_refine_start(p2p->refine);
    hy_session_direct_start(p2p->direct);
    if (p2p->state != HY_P2P_RUNNING)
        return; /* somebody who heard the first events has stopped it */
    hy_log_info(log, TARGET, "[P2P] P2P subsystem started");
    if (p2p->on_started != NULL)
        p2p->on_started(p2p, p2p->user);
}

/* ---- stop ---- */

static bool channels_left(const struct hypha_p2p *p2p)
{
    return p2p->net.channel_count > 0 || p2p->net.lingering_count > 0;
}

static void on_channel_gone(void *user)
{
    struct hypha_p2p *p2p = user;

    if (p2p->state == HY_P2P_STOPPING_CHANNELS && !channels_left(p2p))
        hy_defer_start(&p2p->finish);
}

static void on_finish(void *user)
{
    struct hypha_p2p *p2p = user;

    destroy_sessions(p2p);
    (void)hy_hosts_save_bans(p2p->net.hosts); /* those of the last moments */
    p2p->state = HY_P2P_STOPPED;
    if (hy_hosts_busy_count(p2p->net.hosts) > 0)
        hy_log_error(&p2p->net.log, TARGET, "bug: %zu hosts are busy after the stop",
            hy_hosts_busy_count(p2p->net.hosts));
    hy_log_info(&p2p->net.log, TARGET, "[P2P] P2P subsystem stopped");
    if (p2p->on_stopped != NULL)
        p2p->on_stopped(p2p, p2p->why, p2p->user); /* may start again, or destroy */
}

static void on_stage_stopped(void *user)
{
    struct hypha_p2p *p2p = user;

    p2p->state++;
    stop_stage(p2p);
}

static void stop_stage(struct hypha_p2p *p2p)
{
    struct hy_log *log = &p2p->net.log;

    switch (p2p->state) {
    case HY_P2P_STOPPING_MANUAL:
        hy_log_info(log, TARGET, "[P2P] Stopping: configured peers");
        hy_session_manual_stop(p2p->manual, on_stage_stopped, p2p);
        return;
    case HY_P2P_STOPPING_INBOUND:
        hy_log_info(log, TARGET, "[P2P] Stopping: listeners and who came in");
        hy_session_inbound_stop(p2p->inbound, on_stage_stopped, p2p);
        return;
    case HY_P2P_STOPPING_OUTBOUND:
        hy_log_info(log, TARGET, "[P2P] Stopping: outbound slots");
        hy_session_outbound_stop(p2p->outbound, on_stage_stopped, p2p);
        return;
    case HY_P2P_STOPPING_SEEDSYNC:
        hy_session_seedsync_stop(p2p->seedsync, on_stage_stopped, p2p);
        return;
    case HY_P2P_STOPPING_REFINE:
        hy_session_refine_stop(p2p->refine, on_stage_stopped, p2p);
        return;
    case HY_P2P_STOPPING_DIRECT:
        hy_log_info(log, TARGET, "[P2P] Stopping: channels on demand");
        hy_session_direct_stop(p2p->direct, on_stage_stopped, p2p);
        return;
    case HY_P2P_STOPPING_CHANNELS:
        hy_net_stop_channels(&p2p->net, HYPHA_ERR_NETWORK_STOPPED);
        if (!channels_left(p2p))
            hy_defer_start(&p2p->finish);
        else
            hy_log_info(log, TARGET, "[P2P] Stopping: %zu channels send their last bytes",
                p2p->net.channel_count + p2p->net.lingering_count);
        return;
    case HY_P2P_STOPPED:
    case HY_P2P_STARTING:
    case HY_P2P_RUNNING:
    case HY_P2P_STATES:
        break;
    }
    assert(false); /* not a stage of stopping */
}

/* ---- public ---- */

static void wire_up(struct hypha_p2p *p2p)
{
    struct hy_net *net = &p2p->net;

    net->user = p2p;
    net->on_registered = on_registered;
    net->on_channel_gone = on_channel_gone;
    net->last_connection_ms = hy_now_ms(net->loop); /* the clock of being offline begins */
    p2p->core.user = p2p;
    p2p->core.on_addrs = on_addrs;
    p2p->core.on_seeded = on_seeded;
    p2p->core.hold_reply = p2p->settings->probe_announced ? hold_reply : NULL;
    hy_timer_init(&p2p->save, net->loop, on_save, p2p);
    hy_defer_init(&p2p->finish, net->loop, on_finish, p2p);
}

enum hypha_err hypha_p2p_start(struct hypha_p2p *p2p, hypha_p2p_started_cb on_started,
    hypha_p2p_stopped_cb on_stopped, void *user)
{
    struct hy_net *net = &p2p->net;

    if (p2p->state != HY_P2P_STOPPED)
        return HYPHA_ERR_STATE;
    wire_up(p2p);
    enum hypha_err err = create_sessions(p2p);
    if (err != HYPHA_OK)
        return err;

    p2p->state = HY_P2P_STARTING;
    p2p->started_once = true;
    p2p->on_started = on_started;
    p2p->on_stopped = on_stopped;
    p2p->user = user;
    net->stopping = false;
    hy_log_info(&net->log, TARGET, "[P2P] Starting P2P subsystem");
    /* What cannot be read is logged there; it is no reason not to start. */
    (void)hy_hosts_load_bans(net->hosts);
    err = hy_hosts_load(net->hosts);
    if (err == HYPHA_ERR_NOMEM)
        hy_log_warn(&net->log, TARGET, "the hostlist %s cannot be read: %s",
            p2p->settings->hostlist != NULL ? p2p->settings->hostlist : "", hypha_err_text(err));
    hy_session_manual_start(p2p->manual);
    hy_session_inbound_start(p2p->inbound, on_inbound_started, p2p);
    return HYPHA_OK;
}

void hypha_p2p_stop(struct hypha_p2p *p2p)
{
    if (p2p->state != HY_P2P_STARTING && p2p->state != HY_P2P_RUNNING)
        return;
    begin_stop(p2p, HYPHA_OK);
}

void hypha_p2p_interrupt(struct hypha_p2p *p2p)
{
    hy_wake_send(&p2p->interrupt);
}

size_t hy_p2p_leftovers(const struct hypha_p2p *p2p)
{
    return p2p->net.channel_count + p2p->net.lingering_count + hy_hosts_busy_count(p2p->net.hosts);
}

enum hy_p2p_state hy_p2p_state(const struct hypha_p2p *p2p)
{
    return p2p->state;
}
