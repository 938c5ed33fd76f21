/* registry.c - what is being done with a host right now.
 *
 * The table is the whole of network.md 4.1; a host is in one state, and whoever put it into
 * Connect, Refine or Move takes it out again on every path. */
#include "hosts/host.h"

#define FREE_MS         (86400ULL * 1000)
#define MAX_REGISTERED  20000
#define KEEP_REGISTERED 18000

#define BIT(state) (1U << HY_HOST_##state)
/* To each state, from which ones. */
static const unsigned sources[HY_HOST_STATES] = {
    [HY_HOST_FREE] = ~0U,
    [HY_HOST_INSERT] = BIT(FREE),
    [HY_HOST_REFINE] = BIT(FREE) | BIT(SUSPEND),
    [HY_HOST_CONNECT] = BIT(FREE),
    [HY_HOST_CONNECTED] = BIT(FREE) | BIT(CONNECT) | BIT(REFINE) | BIT(MOVE),
    [HY_HOST_MOVE] = BIT(FREE) | BIT(CONNECT) | BIT(REFINE) | BIT(CONNECTED),
    [HY_HOST_SUSPEND] = BIT(MOVE),
};

bool hy_host_state_may(enum hy_host_state from, enum hy_host_state to)
{
    return (sources[to] & (1U << from)) != 0;
}

const char *hy_host_state_name(enum hy_host_state state)
{
    switch (state) {
    case HY_HOST_FREE:
        return "Free";
    case HY_HOST_INSERT:
        return "Insert";
    case HY_HOST_REFINE:
        return "Refine";
    case HY_HOST_CONNECT:
        return "Connect";
    case HY_HOST_CONNECTED:
        return "Connected";
    case HY_HOST_MOVE:
        return "Move";
    case HY_HOST_SUSPEND:
        return "Suspend";
    case HY_HOST_STATES:
        break;
    }
    return "?";
}

void hy_hosts_enter(struct hy_hosts *hosts, struct hy_host *host, enum hy_host_state state)
{
    enum hy_host_state was = host->state;
    uint64_t now_ms = hy_now_ms(hosts->loop);

    if (was == HY_HOST_SUSPEND)
        TAILQ_REMOVE(&hosts->suspended, host, suspend_entry);
    if (host->registered && was == HY_HOST_FREE)
        TAILQ_REMOVE(&hosts->idle, host, idle_entry);
    if (!host->registered)
        hosts->registered++;
    if (host->picked && state != HY_HOST_CONNECT && state != HY_HOST_CONNECTED &&
        state != HY_HOST_MOVE) {
        host->picked = false;
        LIST_REMOVE(host, pick_entry);
    }
    host->state = state;
    host->registered = true;
    if (state == HY_HOST_CONNECT) {
        host->tried = true;
        host->tried_ms = now_ms;
    }
    if (state == HY_HOST_CONNECTED)
        host->connected_ms = now_ms;
    if (state == HY_HOST_SUSPEND)
        TAILQ_INSERT_TAIL(&hosts->suspended, host, suspend_entry);
    if (state != HY_HOST_FREE)
        return;
    host->since_ms = now_ms;
    TAILQ_INSERT_TAIL(&hosts->idle, host, idle_entry);
    hosts->none_untried_until_ms = 0;
    if (was != HY_HOST_FREE && hy_colour_is_dialled(host->colour))
        hy_hosts_changed(hosts, HY_HOSTS_FREED, 1);
}

void hy_hosts_failed(struct hy_hosts *hosts, struct hy_host *host)
{
    uint64_t pause_ms = (uint64_t)HY_RETRY_MS << host->failures;

    host->barred_ms = hy_now_ms(hosts->loop) + HY_RETRY_MS;
    host->retry_ms = hy_now_ms(hosts->loop) + pause_ms + hy_random_below(hosts->loop, pause_ms / 4);
    if (host->failures < HY_RETRY_DOUBLINGS)
        host->failures++;
}

void hy_hosts_succeeded(struct hy_hosts *hosts, struct hy_host *host)
{
    host->failures = 0;
    host->barred_ms = host->retry_ms = 0;
    host->success_s = hy_wall_s(hosts->loop);
    host->waits_until_ms = 0;
}

enum hypha_err hy_hosts_set(
    struct hy_hosts *hosts, const struct hypha_url *url, enum hy_host_state state)
{
    struct hy_host *host = NULL;
    enum hypha_err err = hy_hosts_take(hosts, url, &host);

    if (err != HYPHA_OK)
        return err;
    if (host->registered && !hy_host_state_may(host->state, state))
        return HYPHA_ERR_HOST_BLOCKED;
    hy_hosts_enter(hosts, host, state);
    return HYPHA_OK;
}

void hy_hosts_free(struct hy_hosts *hosts, const struct hypha_url *url)
{
    struct hy_host *host = hy_hosts_record(hosts, url);

    if (host != NULL && host->registered)
        hy_hosts_enter(hosts, host, HY_HOST_FREE);
}

enum hy_host_state hy_hosts_state(const struct hy_hosts *hosts, const struct hypha_url *url)
{
    const struct hy_host *host = hy_hosts_record(hosts, url);

    return host != NULL ? host->state : HY_HOST_FREE;
}

size_t hy_hosts_busy_count(const struct hy_hosts *hosts)
{
    struct hy_host *host, *next;
    size_t count = 0;

    HASH_ITER (hh, hosts->records, host, next)
        count += host->state != HY_HOST_FREE && host->state != HY_HOST_SUSPEND ? 1 : 0;
    return count;
}

void hy_hosts_unsuspend(struct hy_hosts *hosts)
{
    struct hy_host *host;

    while ((host = TAILQ_FIRST(&hosts->suspended)) != NULL)
        hy_hosts_enter(hosts, host, HY_HOST_FREE);
}

static void drop(struct hy_hosts *hosts, struct hy_host *host)
{
    TAILQ_REMOVE(&hosts->idle, host, idle_entry);
    hosts->registered--;
    host->registered = false;
    hy_hosts_forget(hosts, host);
}

void hy_hosts_prune(struct hy_hosts *hosts)
{
    uint64_t now_ms = hy_now_ms(hosts->loop);
    bool too_many = hosts->registered > MAX_REGISTERED;
    struct hy_host *host;

    hy_hosts_expire_bans(hosts);
    while ((host = TAILQ_FIRST(&hosts->idle)) != NULL &&
        (now_ms - host->since_ms > FREE_MS || (too_many && hosts->registered > KEEP_REGISTERED)))
        drop(hosts, host);
}
