/* ban_group.c - a network whose hosts are banned one after another is banned as a whole.
 *
 * Groups of IP addresses only: the 16 groups of onion and i2p keys hold everybody, and a name is
 * its own group. Not on localnet, nor local networks. Configured peers and seeds, and hosts that
 * we found good, stay what they are. spec: network.md#10-weaknesses-and-beyond-the-reference */
#include "hosts/host.h"

#include "base/alloc.h"

#include <string.h>

#define BANNED_HOSTS 3
#define MAX_GROUPS   256

static const char target[] = "net::hosts";

/* False: it is of none that could be banned. */
static bool group_of(
    const struct hy_hosts *hosts, const struct hypha_url *url, char into[HY_HOST_GROUP_BYTES])
{
    struct hy_ip ip;

    if (hosts->settings->localnet || !hy_url_ip(url, &ip) || hy_ip_is_local(&ip))
        return false;
    (void)hy_host_group(url, false, into);
    return true;
}

static struct hy_group_ban *find(const struct hy_hosts *hosts, const char *name)
{
    struct hy_group_ban *ban = NULL;

    HASH_FIND(hh, hosts->group_bans, name, strlen(name), ban);
    return ban;
}

static void forget(struct hy_hosts *hosts, struct hy_group_ban *ban)
{
    HASH_DEL(hosts->group_bans, ban);
    hy_free(ban);
}

static bool is_good(const struct hy_hosts *hosts, const struct hypha_url *url)
{
    const struct hy_host *host = hy_hosts_record(hosts, url);
    struct hy_host_key key;

    if (host != NULL && (host->colour == HYPHA_COLOUR_WHITE || host->colour == HYPHA_COLOUR_GOLD))
        return true;
    return hy_host_key_of(url, &key) &&
        (hy_hosts_roles(hosts, key.text) & (HY_ROLE_SEED | HY_ROLE_PEER)) != 0;
}

bool hy_group_is_banned(const struct hy_hosts *hosts, const struct hypha_url *url)
{
    const struct hy_group_ban *ban;
    char name[HY_HOST_GROUP_BYTES];

    if (hosts->group_bans == NULL || !group_of(hosts, url, name))
        return false;
    ban = find(hosts, name);
    return ban != NULL && hy_now_ms(hosts->loop) < ban->until_ms && !is_good(hosts, url);
}

/* Hosts that we know by hearsay only. */
static void unlist_grey(struct hy_hosts *hosts, const char *name)
{
    struct hy_host *host, *next;
    char group[HY_HOST_GROUP_BYTES];

    HASH_ITER (hh, hosts->records, host, next)
        if (host->colour == HYPHA_COLOUR_GREY && group_of(hosts, host->url, group) &&
            strcmp(group, name) == 0)
            hy_hosts_unlist(hosts, host);
}

enum hypha_err hy_group_ban(struct hy_hosts *hosts, const char *name, uint64_t seconds)
{
    struct hy_group_ban *ban = find(hosts, name);
    size_t len = strlen(name);

    if (ban == NULL) {
        if (HASH_COUNT(hosts->group_bans) >= MAX_GROUPS)
            forget(hosts, hosts->group_bans);
        ban = hy_alloc(sizeof *ban + len + 1);
        if (ban == NULL)
            return HYPHA_ERR_NOMEM;
        memcpy(ban->name, name, len + 1);
        HASH_ADD_KEYPTR(hh, hosts->group_bans, ban->name, len, ban);
        if (ban->hh.tbl == NULL) {
            hy_free(ban);
            return HYPHA_ERR_NOMEM;
        }
    }
    ban->until_ms = hy_now_ms(hosts->loop) + (seconds < UINT32_MAX ? seconds : UINT32_MAX) * 1000;
    unlist_grey(hosts, name);
    hy_bans_changed(hosts);
    return HYPHA_OK;
}

/* Who speaks of another network, or no word of ours, may be any server whose address somebody told
 * us: three of those must not cost their whole network. */
static bool is_guilt(enum hypha_err why)
{
    return why != HYPHA_ERR_BANNED && why != HYPHA_ERR_MAGIC && why != HYPHA_ERR_VERSION;
}

/* How many hosts of the group are banned for what they did, each subscriber once; up to enough. */
static size_t count_banned(const struct hy_hosts *hosts, const char *name)
{
    uint64_t seen[BANNED_HOSTS], group = hy_book_hash(&hosts->book, name);
    char host_name[HY_HOST_NAME_BYTES];
    size_t count = 0;

    for (size_t i = 0; i < hy_book_count(&hosts->book, HYPHA_COLOUR_BLACK); i++) {
        const struct hy_host *host = hy_book_at(&hosts->book, HYPHA_COLOUR_BLACK, i);
        uint64_t hash;
        bool twice = false;

        if (host->group != group || !is_guilt(host->ban_why) || !hy_host_is_black(hosts, host))
            continue;
        hash = hy_book_hash(&hosts->book, hy_host_block(host->url, host_name));
        for (size_t k = 0; k < count && !twice; k++)
            twice = seen[k] == hash;
        if (!twice)
            seen[count++] = hash;
        if (count == BANNED_HOSTS)
            break;
    }
    return count;
}

void hy_group_judge(struct hy_hosts *hosts, const struct hypha_url *url)
{
    char name[HY_HOST_GROUP_BYTES];

    if (!group_of(hosts, url, name) || count_banned(hosts, name) < BANNED_HOSTS)
        return;
    if (hy_group_ban(hosts, name, HY_BAN_SECONDS) == HYPHA_OK)
        hy_log_info(&hosts->settings->log, target,
            "Banned the whole network %s for %u s: %d of its hosts were", name, HY_BAN_SECONDS,
            BANNED_HOSTS);
}

bool hy_group_unban(struct hy_hosts *hosts, const struct hypha_url *url)
{
    struct hy_group_ban *ban;
    char name[HY_HOST_GROUP_BYTES];
    bool was_banned;

    if (!group_of(hosts, url, name) || (ban = find(hosts, name)) == NULL)
        return false;
    was_banned = hy_now_ms(hosts->loop) < ban->until_ms;
    forget(hosts, ban);
    return was_banned;
}

void hy_groups_expire(struct hy_hosts *hosts)
{
    struct hy_group_ban *ban, *next;

    HASH_ITER (hh, hosts->group_bans, ban, next)
        if (hy_now_ms(hosts->loop) >= ban->until_ms)
            forget(hosts, ban);
}

void hy_groups_fini(struct hy_hosts *hosts)
{
    while (hosts->group_bans != NULL)
        forget(hosts, hosts->group_bans);
}
