/* p2p_reload.c - other settings for a node that runs.
 *
 * All that can fail comes first: the new settings are judged, new slots are made, the hosts' map of
 * configured addresses is built. Then one step changes the settings in place, and the sessions
 * follow at the end of the turn: nothing can fail any more. A node that does not run only gets the
 * settings. spec: network.md#24-operations (reload), #74-outbound */
#include "p2p/p2p.h"

#include <stdio.h>
#include <string.h>

#define TARGET "net::p2p"

/* ", " between them; what does not fit is left out. Returns `into`. */
static const char *join(const char *const *names, size_t count, char into[HYPHA_RELOAD_TEXT_BYTES])
{
    size_t used = 0;

    into[0] = '\0';
    for (size_t i = 0; i < count; i++) {
        const char *comma = i > 0 ? ", " : "";

        if (used + strlen(comma) + strlen(names[i]) >= HYPHA_RELOAD_TEXT_BYTES)
            break;
        used += (size_t)snprintf(
            into + used, HYPHA_RELOAD_TEXT_BYTES - used, "%s%s", comma, names[i]);
    }
    return into;
}

/* Has sessions that go on. */
static bool is_live(const struct hypha_p2p *p2p)
{
    return p2p->state == HY_P2P_STARTING || p2p->state == HY_P2P_RUNNING;
}

static void abandon(struct hypha_p2p *p2p)
{
    hy_session_manual_abandon(p2p->manual);
    hy_session_seedsync_abandon(p2p->seedsync);
    hy_session_outbound_abandon(p2p->outbound);
}

static enum hypha_err prepare(struct hypha_p2p *p2p, const struct hy_resolved_settings *fresh)
{
    enum hypha_err err = hy_session_manual_prepare(p2p->manual, &fresh->peers);

    if (err == HYPHA_OK)
        err = hy_session_seedsync_prepare(p2p->seedsync, &fresh->seeds);
    if (err == HYPHA_OK)
        err = hy_session_outbound_prepare(p2p->outbound, fresh->outbound_connections);
    if (err != HYPHA_OK)
        abandon(p2p);
    return err;
}

static void commit(struct hypha_p2p *p2p, const struct hy_resolved_settings *old)
{
    const struct hy_resolved_settings *now = p2p->settings;

    hy_session_manual_commit(p2p->manual, &old->peers);
    bool new_seeds = hy_session_seedsync_commit(p2p->seedsync);
    hy_session_outbound_commit(p2p->outbound);
    if (new_seeds)
        hy_session_outbound_new_seeds(p2p->outbound);
    if (p2p->state != HY_P2P_RUNNING)
        return; /* nothing else was started */
    if (now->inbound_connections != old->inbound_connections)
        hy_session_inbound_reload(p2p->inbound);
    if (now->hostlist_save_ms != old->hostlist_save_ms)
        hy_timer_start(&p2p->save, now->hostlist_save_ms);
    if (now->refinery_interval_ms != old->refinery_interval_ms ||
        now->white_refinery_interval_ms != old->white_refinery_interval_ms)
        hy_session_refine_rearm(p2p->refine);
}

/* Whom a new entry of the blacklist names has nothing to look for here. */
static void stop_banned(struct hypha_p2p *p2p, const struct hy_resolved_settings *old)
{
    const struct hy_url_array *blacklist = &p2p->settings->blacklist;
    struct hypha_channel *channel = NULL;
    bool grown = false;

    for (size_t i = 0; i < blacklist->count && !grown; i++)
        grown = !hy_url_array_has(&old->blacklist, blacklist->urls[i]);
    while (grown && (channel = hy_net_next_channel(&p2p->net, channel)) != NULL) {
        if (hy_hosts_is_blacklisted(p2p->net.hosts, hy_channel_address(channel)) ||
            hy_hosts_is_blacklisted(p2p->net.hosts, hy_channel_connect_addr(channel)))
            hy_channel_stop_for(channel, HYPHA_ERR_BANNED);
    }
}

/* On an error all is as it was. Afterwards `fresh` holds what was in force before. */
static enum hypha_err take_over(struct hypha_p2p *p2p, struct hy_resolved_settings *fresh)
{
    bool live = is_live(p2p);
    enum hypha_err err = live ? prepare(p2p, fresh) : HYPHA_OK;

    if (err != HYPHA_OK)
        return err;
    hy_settings_swap_reloadable(p2p->settings, fresh);
    err = hy_hosts_set_settings(p2p->net.hosts, p2p->settings);
    if (err != HYPHA_OK) {
        hy_settings_swap_reloadable(p2p->settings, fresh);
        if (live)
            abandon(p2p);
        return err;
    }
    p2p->net.log = p2p->settings->log;
    if (live)
        commit(p2p, fresh);
    stop_banned(p2p, fresh);
    return HYPHA_OK;
}

enum hypha_err hypha_p2p_reload(struct hypha_p2p *p2p, struct hypha_settings *settings,
    char ret_restart[HYPHA_RELOAD_TEXT_BYTES])
{
    const char *applied[HY_MAX_CHANGES], *restart[HY_MAX_CHANGES];
    struct hy_resolved_settings *fresh = NULL;
    char text[HYPHA_RELOAD_TEXT_BYTES];
    enum hypha_err err = hy_settings_resolve(settings, &fresh);

    if (err != HYPHA_OK)
        return err;
    size_t applied_count = hy_settings_changes(p2p->settings, fresh, false, applied);
    size_t restart_count = hy_settings_changes(p2p->settings, fresh, true, restart);
    if (applied_count > 0)
        err = take_over(p2p, fresh);
    hy_resolved_settings_destroy(fresh);
    if (err != HYPHA_OK)
        return err;
    if (applied_count > 0)
        hy_log_verbose(&p2p->net.log, TARGET, "[P2P] Settings changed: %s",
            join(applied, applied_count, text));
    (void)join(restart, restart_count, ret_restart);
    return HYPHA_OK;
}
