/* pick.c - whom to dial next: for the outbound slots, and for the refinery.
 *
 * A list is walked in random order until one fits; only hosts that nothing is being done with
 * fit. spec: network.md#74-outbound (PICK), #75-peerdiscovery, #77-refine */
#include "hosts/host.h"

#include <string.h>

bool hy_hosts_is_dialable(struct hy_hosts *hosts, const struct hypha_url *url)
{
    struct hy_ip ip;
    bool direct;

    if (!hy_settings_is_routable(hosts->settings, url, &direct))
        return false;
    if (!direct || !hosts->ipv6_down || !hy_url_ip(url, &ip) || ip.len != 16)
        return true;
    hosts->ipv6_down = hy_now_ms(hosts->loop) < hosts->ipv6_down_until_ms;
    return !hosts->ipv6_down;
}

/* Whether it may be dialled at all; the costly questions last. */
static bool is_candidate(struct hy_hosts *hosts, const struct hy_host *host)
{
    return hy_hosts_is_dialable(hosts, host->url) &&
        (hy_hosts_roles(hosts, host->key) & (HY_ROLE_SEED | HY_ROLE_PEER)) == 0 &&
        !hy_hosts_is_banned(hosts, host->url) && !hy_hosts_is_own(hosts, host->url);
}

static size_t common_divisor(size_t a, size_t b)
{
    while (b != 0) {
        size_t rest = a % b;

        a = b;
        b = rest;
    }
    return a;
}

/* A walk through 0 .. count-1 in shuffled order, without memory: the steps are coprime to it. */
struct walk {
    size_t count, at, step, left;
};

static struct walk walk_start(struct hypha_loop *loop, size_t count)
{
    struct walk walk = { .count = count, .left = count, .step = 1 };

    if (count < 2)
        return walk;
    walk.at = (size_t)hy_random_below(loop, count);
    do
        walk.step = 1 + (size_t)hy_random_below(loop, count - 1);
    while (common_divisor(count, walk.step) != 1);
    return walk;
}

static bool walk_next(struct walk *walk, size_t *ret_index)
{
    if (walk->left == 0)
        return false;
    walk->left--;
    *ret_index = walk->at;
    walk->at = (walk->at + walk->step) % walk->count;
    return true;
}

/* One whose failures lie long enough back; else `*stale` gets one that failed a minute ago or
 * more: better than none. spec: network.md 10 (back-off) */
static struct hy_host *pick_from(
    struct hy_hosts *hosts, enum hypha_colour colour, struct hy_host **stale)
{
    uint64_t now_ms = hy_now_ms(hosts->loop);
    struct walk walk = walk_start(hosts->loop, hy_book_count(&hosts->book, colour));
    size_t index;

    while (walk_next(&walk, &index)) {
        struct hy_host *host = hy_book_at(&hosts->book, colour, index);
        bool fresh = host->failures == 0 || now_ms >= host->retry_ms;

        if (host->registered && host->state != HY_HOST_FREE)
            continue;
        if (!fresh && (*stale != NULL || now_ms - host->failed_ms < HY_RETRY_MS))
            continue;
        if (!is_candidate(hosts, host))
            continue;
        if (fresh)
            return host;
        *stale = host;
    }
    return NULL;
}

enum hypha_err hy_hosts_pick(
    struct hy_hosts *hosts, uint32_t slot, uint32_t slots, struct hypha_url **ret_url)
{
    static const enum hypha_colour known_first[] = { HYPHA_COLOUR_GOLD, HYPHA_COLOUR_WHITE,
        HYPHA_COLOUR_GREY };
    static const enum hypha_colour grey_first[] = { HYPHA_COLOUR_GREY, HYPHA_COLOUR_WHITE,
        HYPHA_COLOUR_GOLD };
    uint64_t known = (uint64_t)hosts->settings->known_peer_percent * slots / 100;
    const enum hypha_colour *order = slot < (known > 0 ? known : 1) ? known_first : grey_first;
    struct hy_host *host = NULL, *stale = NULL;

    for (size_t i = 0; i < 3 && host == NULL; i++)
        if (order[i] != HYPHA_COLOUR_GREY || !hosts->settings->disable_greys)
            host = pick_from(hosts, order[i], &stale);
    if (host == NULL)
        host = stale;
    if (host == NULL)
        return HYPHA_ERR_NOT_FOUND;
    hy_hosts_enter(hosts, host, HY_HOST_CONNECT);
    *ret_url = hypha_url_ref(host->url);
    return HYPHA_OK;
}

static bool is_untried(struct hy_hosts *hosts, const struct hy_host *host)
{
    uint64_t now_ms = hy_now_ms(hosts->loop);

    if (host->registered && host->state != HY_HOST_FREE)
        return false;
    if (host->tried && now_ms - host->tried_ms < HY_RETRY_MS)
        return false;
    /* What can't be picked yet is no reason to wait for it. */
    if (host->failures > 0 && now_ms - host->failed_ms < HY_RETRY_MS)
        return false;
    return is_candidate(hosts, host);
}

bool hy_hosts_has_untried(const struct hy_hosts *hosts)
{
    static const enum hypha_colour colours[] = { HYPHA_COLOUR_GOLD, HYPHA_COLOUR_WHITE,
        HYPHA_COLOUR_GREY };
    struct hy_hosts *room = (struct hy_hosts *)(uintptr_t)hosts; /* is_dialable() may note an end */
    size_t lists = hosts->settings->disable_greys ? 2 : 3;

    for (size_t c = 0; c < lists; c++)
        for (size_t i = 0; i < hy_book_count(&hosts->book, colours[c]); i++)
            if (is_untried(room, hy_book_at(&hosts->book, colours[c], i)))
                return true;
    return false;
}

enum hypha_err hy_hosts_pick_refine(struct hy_hosts *hosts, struct hypha_url **ret_url)
{
    size_t index, count = hy_book_count(&hosts->book, HYPHA_COLOUR_GREY);
    struct walk walk = walk_start(hosts->loop, count);
    struct hy_host *found = NULL;

    while (walk_next(&walk, &index)) {
        struct hy_host *host = hy_book_at(&hosts->book, HYPHA_COLOUR_GREY, index);
        bool suspended = host->state == HY_HOST_SUSPEND;

        if (!suspended && (found != NULL || host->state != HY_HOST_FREE))
            continue;
        if (!is_candidate(hosts, host))
            continue;
        found = host;
        if (suspended)
            break;
    }
    if (found == NULL)
        return HYPHA_ERR_NOT_FOUND;
    hy_hosts_enter(hosts, found, HY_HOST_REFINE);
    *ret_url = hypha_url_ref(found->url);
    return HYPHA_OK;
}
