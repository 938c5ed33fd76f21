/* pick.c - whom to dial next: for the outbound slots, the refinery, feelers, and seeds.
 *
 * Only hosts that nothing is being done with are drawn. A slot draws a network group first, each
 * as likely as the others, then one host of it: ten thousand addresses in one network are one lot.
 * What is asked of every host of a list is read off the record, not worked out of its text.
 * spec: network.md#74-outbound (PICK), #75-peerdiscovery, #77-refine, network.md 10 */
#include "hosts/host.h"

#include <string.h>

static bool ipv6_is_up(struct hy_hosts *hosts)
{
    if (hosts->ipv6_down)
        hosts->ipv6_down = hy_now_ms(hosts->loop) < hosts->ipv6_down_until_ms;
    return !hosts->ipv6_down;
}

bool hy_hosts_is_dialable(struct hy_hosts *hosts, const struct hypha_url *url)
{
    struct hy_ip ip;
    bool direct;

    if (!hy_settings_is_routable(hosts->settings, url, &direct))
        return false;
    return !direct || !hosts->ipv6_down || !hy_url_ip(url, &ip) || ip.len != 16 ||
        ipv6_is_up(hosts);
}

/* What follows from settings and own addresses is worked out once for each of their versions. */
static void judge(struct hy_hosts *hosts, struct hy_host *host)
{
    struct hy_ip ip;
    bool direct;

    if (host->judgement == hosts->judgements)
        return;
    host->judgement = hosts->judgements;
    host->is_routable = hy_settings_is_routable(hosts->settings, host->url, &direct);
    host->is_direct_ipv6 = host->is_routable && direct && hy_url_ip(host->url, &ip) && ip.len == 16;
    host->is_own = hy_hosts_is_own(hosts, host->url);
}

static bool is_candidate(struct hy_hosts *hosts, struct hy_host *host)
{
    judge(hosts, host);
    return host->is_routable && !host->is_own && (!host->is_direct_ipv6 || ipv6_is_up(hosts));
}

/* Hardly ever untrue of a listed host, and dear to ask: only of those that would be taken. */
static bool is_allowed(const struct hy_hosts *hosts, const struct hy_host *host)
{
    return (hy_hosts_roles(hosts, host->key) & (HY_ROLE_SEED | HY_ROLE_PEER)) == 0 &&
        !hy_hosts_is_banned(hosts, host->url);
}

static bool is_idle(const struct hy_host *host)
{
    return !host->registered || host->state == HY_HOST_FREE;
}

/* Some outbound slot has a host of that group. */
static bool uses_group(const struct hy_hosts *hosts, uint64_t group)
{
    const struct hy_host *other;

    LIST_FOREACH (other, &hosts->picked, pick_entry)
        if (other->group == group)
            return true;
    return false;
}

/* ---- one host of a list, for a slot ---- */

/* The better ones first. */
enum quality {
    NEW_GROUP,        /* no slot has a host of its group */
    NEW_GROUP_FAILED, /* the same, but its last dial failed; its back-off is over */
    USED_GROUP,
    USED_GROUP_FAILED,
    BACKING_OFF, /* failed a minute ago or more, not long enough: rather than nobody */
    BACKING_OFF_USED,
    QUALITIES,
};

/* The finaliser of splitmix64: who does not know the chance cannot foretell the lots. */
static uint64_t mix(uint64_t value)
{
    value ^= value >> 30;
    value *= 0xbf58476d1ce4e5b9U;
    value ^= value >> 27;
    value *= 0x94d049bb133111ebU;
    return value ^ value >> 31;
}

struct lot {
    struct hy_host *host;
    uint64_t group, order; /* the lowest wins */
};

struct draw {
    bool done;
    struct lot lots[QUALITIES];
};

static bool quality_of(const struct hy_hosts *hosts, const struct hy_host *host, uint64_t now_ms,
    enum quality *ret_quality)
{
    bool used;

    if (!is_idle(host) || now_ms < host->barred_ms)
        return false;
    used = uses_group(hosts, host->group);
    if (now_ms < host->retry_ms)
        *ret_quality = used ? BACKING_OFF_USED : BACKING_OFF;
    else if (host->failures > 0)
        *ret_quality = used ? USED_GROUP_FAILED : NEW_GROUP_FAILED;
    else
        *ret_quality = used ? USED_GROUP : NEW_GROUP;
    return true;
}

static void draw_from(
    struct hy_hosts *hosts, enum hypha_colour colour, uint64_t chance, struct draw *draw)
{
    uint64_t now_ms = hy_now_ms(hosts->loop);

    draw->done = true;
    for (size_t i = 0; i < hy_book_count(&hosts->book, colour); i++) {
        struct hy_host *host = hy_book_at(&hosts->book, colour, i);
        struct lot lot = { host, mix(chance ^ host->group), mix(chance ^ host->order) };
        enum quality quality;

        if (!quality_of(hosts, host, now_ms, &quality))
            continue;
        struct lot *best = &draw->lots[quality];
        if (best->host != NULL &&
            (lot.group > best->group || (lot.group == best->group && lot.order >= best->order)))
            continue;
        if (is_candidate(hosts, host) && is_allowed(hosts, host))
            *best = lot;
    }
}

/* The peers of the former run come first, one after the other, once. */
static struct hy_host *take_anchor(struct hy_hosts *hosts)
{
    while (hosts->anchor_count > 0) {
        struct hy_host *host = hosts->anchors[0];

        hosts->anchors[0] = hosts->anchors[--hosts->anchor_count];
        if (hy_colour_is_dialled(host->colour) && is_idle(host) &&
            (host->colour != HYPHA_COLOUR_GREY || !hosts->settings->disable_greys) &&
            hy_now_ms(hosts->loop) >= host->barred_ms && !uses_group(hosts, host->group) &&
            is_candidate(hosts, host) && is_allowed(hosts, host))
            return host;
    }
    return NULL;
}

static struct hy_host *draw_in_order(struct hy_hosts *hosts, const enum hypha_colour order[3])
{
    /* Another colour before a group that is in use; both before one that is backing off. */
    static const enum quality passes[][2] = { { NEW_GROUP, NEW_GROUP_FAILED },
        { USED_GROUP, USED_GROUP_FAILED }, { BACKING_OFF, BACKING_OFF_USED } };
    uint64_t chance = hy_random_u64(hosts->loop);
    struct draw draws[3] = { 0 };

    for (size_t pass = 0; pass < 3; pass++)
        for (size_t i = 0; i < 3; i++) {
            if (order[i] == HYPHA_COLOUR_GREY && hosts->settings->disable_greys)
                continue;
            if (!draws[i].done)
                draw_from(hosts, order[i], chance, &draws[i]);
            for (size_t q = 0; q < 2; q++)
                if (draws[i].lots[passes[pass][q]].host != NULL)
                    return draws[i].lots[passes[pass][q]].host;
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
    struct hy_host *host = take_anchor(hosts);

    if (host == NULL)
        host = draw_in_order(hosts, slot < (known > 0 ? known : 1) ? known_first : grey_first);
    if (host == NULL)
        return HYPHA_ERR_NOT_FOUND;
    hy_hosts_enter(hosts, host, HY_HOST_CONNECT);
    host->picked = true;
    LIST_INSERT_HEAD(&hosts->picked, host, pick_entry);
    *ret_url = hypha_url_ref(host->url);
    return HYPHA_OK;
}

/* ---- is anybody left to try? ---- */

/* Since when it is untried; UINT64_MAX: not while things are as they are. */
static uint64_t untried_from_ms(const struct hy_host *host)
{
    uint64_t from_ms = host->tried ? host->tried_ms + HY_RETRY_MS : 0;

    if (!is_idle(host) || (host->barred_ms != 0 && host->failures > 1))
        return UINT64_MAX;
    return from_ms > host->barred_ms ? from_ms : host->barred_ms;
}

static bool look_for_untried(struct hy_hosts *hosts, uint64_t *ret_until_ms)
{
    static const enum hypha_colour colours[] = { HYPHA_COLOUR_GOLD, HYPHA_COLOUR_WHITE,
        HYPHA_COLOUR_GREY };
    size_t lists = hosts->settings->disable_greys ? 2 : 3;
    uint64_t now_ms = hy_now_ms(hosts->loop);

    *ret_until_ms = now_ms + HY_RETRY_MS;
    for (size_t c = 0; c < lists; c++)
        for (size_t i = 0; i < hy_book_count(&hosts->book, colours[c]); i++) {
            struct hy_host *host = hy_book_at(&hosts->book, colours[c], i);
            uint64_t from_ms = untried_from_ms(host);

            if (from_ms <= now_ms && is_candidate(hosts, host) && is_allowed(hosts, host))
                return true;
            if (from_ms > now_ms && from_ms < *ret_until_ms)
                *ret_until_ms = from_ms;
        }
    if (hosts->ipv6_down && hosts->ipv6_down_until_ms < *ret_until_ms)
        *ret_until_ms = hosts->ipv6_down_until_ms;
    return false;
}

bool hy_hosts_has_untried(const struct hy_hosts *hosts)
{
    /* What it notes is only what it found. */
    struct hy_hosts *room = (struct hy_hosts *)(uintptr_t)hosts;
    uint64_t until_ms;

    if (hy_now_ms(room->loop) < room->none_untried_until_ms)
        return false;
    if (look_for_untried(room, &until_ms))
        return true;
    room->none_untried_until_ms = until_ms;
    return false;
}

/* ---- for probes ---- */

#define NEWEST 8U /* white hosts, of which one is drawn when an answer is wanted */

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

static enum hypha_err take_for_probe(
    struct hy_hosts *hosts, struct hy_host *host, struct hypha_url **ret_url)
{
    if (host == NULL)
        return HYPHA_ERR_NOT_FOUND;
    hy_hosts_enter(hosts, host, HY_HOST_REFINE);
    *ret_url = hypha_url_ref(host->url);
    return HYPHA_OK;
}

static bool may_probe(struct hy_hosts *hosts, struct hy_host *host)
{
    return is_idle(host) && hy_now_ms(hosts->loop) >= host->waits_until_ms &&
        is_candidate(hosts, host) && is_allowed(hosts, host);
}

static struct hy_host *any_of(struct hy_hosts *hosts, enum hypha_colour colour)
{
    struct walk walk = walk_start(hosts->loop, hy_book_count(&hosts->book, colour));
    size_t index;

    while (walk_next(&walk, &index)) {
        struct hy_host *host = hy_book_at(&hosts->book, colour, index);

        if (may_probe(hosts, host))
            return host;
    }
    return NULL;
}

enum hypha_err hy_hosts_pick_refine(struct hy_hosts *hosts, struct hypha_url **ret_url)
{
    struct hy_host *host;

    TAILQ_FOREACH (host, &hosts->suspended, suspend_entry)
        if (host->colour == HYPHA_COLOUR_GREY && is_candidate(hosts, host) &&
            is_allowed(hosts, host))
            return take_for_probe(hosts, host, ret_url);
    return take_for_probe(hosts, any_of(hosts, HYPHA_COLOUR_GREY), ret_url);
}

enum hypha_err hy_hosts_pick_feeler(struct hy_hosts *hosts, struct hypha_url **ret_url)
{
    for (size_t i = 0; i < hosts->contest_count; i++)
        if (may_probe(hosts, hosts->contests[i].old))
            return take_for_probe(hosts, hosts->contests[i].old, ret_url);
    return hy_hosts_pick_refine(hosts, ret_url);
}

/* Whoever answered last most likely does; but if the last ones are gone, any other may. */
static struct hy_host *likely_white(struct hy_hosts *hosts)
{
    size_t newest = hy_random_below(hosts->loop, 2) == 0 ? NEWEST : 0;

    for (size_t i = 0; i < newest && i < hy_book_count(&hosts->book, HYPHA_COLOUR_WHITE); i++) {
        struct hy_host *host = hy_book_at(&hosts->book, HYPHA_COLOUR_WHITE, i);

        if (hy_random_below(hosts->loop, NEWEST - i) == 0 && may_probe(hosts, host))
            return host;
    }
    return any_of(hosts, HYPHA_COLOUR_WHITE);
}

enum hypha_err hy_hosts_pick_white(struct hy_hosts *hosts, bool likely, struct hypha_url **ret_url)
{
    size_t index = hy_book_count(&hosts->book, HYPHA_COLOUR_WHITE);

    if (likely)
        return take_for_probe(hosts, likely_white(hosts), ret_url);
    while (index-- > 0) {
        struct hy_host *host = hy_book_at(&hosts->book, HYPHA_COLOUR_WHITE, index);

        if (may_probe(hosts, host))
            return take_for_probe(hosts, host, ret_url);
    }
    return HYPHA_ERR_NOT_FOUND;
}
