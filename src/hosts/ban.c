/* ban.c - whom we do not talk to: bans that expire, and the configured blacklist, which does not
 * and is never evicted. Whole groups: ban_group.c. spec: network.md#47-block-and-ban */
#include "hosts/host.h"

#include <string.h>

#define SAVE_MS 5000 /* after a change: one file for many */

static const char target[] = "net::hosts";

static void on_save(void *user)
{
    (void)hy_hosts_save_bans(user); /* it has logged why not; the next change tries again */
}

void hy_bans_init(struct hy_hosts *hosts)
{
    hy_timer_init(&hosts->save_bans, hosts->loop, on_save, hosts);
}

void hy_bans_fini(struct hy_hosts *hosts)
{
    hy_timer_stop(&hosts->save_bans);
    hy_groups_fini(hosts);
    hy_scores_fini(hosts);
}

void hy_bans_changed(struct hy_hosts *hosts)
{
    hosts->bans_changed = true;
    if (hosts->settings->hostlist != NULL && !hy_timer_is_armed(&hosts->save_bans))
        hy_timer_start(&hosts->save_bans, SAVE_MS);
}

bool hy_host_is_black(const struct hy_hosts *hosts, const struct hy_host *host)
{
    return host->colour == HYPHA_COLOUR_BLACK && hy_now_ms(hosts->loop) < host->ban_until_ms;
}

static bool key_is_banned(const struct hy_hosts *hosts, const struct hy_host_key *key)
{
    struct hy_host *host = NULL;

    if ((hy_hosts_roles(hosts, key->text) & HY_ROLE_BLACK) != 0)
        return true;
    HASH_FIND(hh, hosts->records, key->text, key->len, host);
    return host != NULL && hy_host_is_black(hosts, host);
}

/* A URL without host has nothing that an entry for all ports could mean. */
static bool any_port_of(const struct hypha_url *url, struct hy_host_key *ret_key)
{
    return hypha_url_host(url)[0] != '\0' && hypha_url_has_port(url) &&
        hy_host_key_any_port(url, ret_key);
}

bool hy_hosts_is_banned(const struct hy_hosts *hosts, const struct hypha_url *url)
{
    struct hy_host_key key;

    if (hy_host_key_of(url, &key) && key_is_banned(hosts, &key))
        return true;
    if (any_port_of(url, &key) && key_is_banned(hosts, &key))
        return true;
    if (hy_host_key_block(url, &key) && key_is_banned(hosts, &key))
        return true;
    return hy_group_is_banned(hosts, url);
}

bool hy_hosts_is_blacklisted(const struct hy_hosts *hosts, const struct hypha_url *url)
{
    struct hy_host_key key;

    if (hy_host_key_of(url, &key) && (hy_hosts_roles(hosts, key.text) & HY_ROLE_BLACK) != 0)
        return true;
    return any_port_of(url, &key) && (hy_hosts_roles(hosts, key.text) & HY_ROLE_BLACK) != 0;
}

bool hy_hosts_ban_covers(const struct hypha_url *ban, const struct hypha_url *address)
{
    struct hy_host_key banned, key;

    if (!hy_host_key_of(ban, &banned))
        return false;
    if (hy_host_key_of(address, &key) && strcmp(key.text, banned.text) == 0)
        return true;
    return any_port_of(address, &key) && strcmp(key.text, banned.text) == 0;
}

/* One that an entry for all ports holds for. NULL: none. Most keys differ where they begin. */
static struct hy_host *find_covered(
    struct hy_hosts *hosts, enum hypha_colour colour, const struct hy_host_key *banned, size_t same)
{
    struct hy_host_key key;

    for (size_t i = 0; i < hy_book_count(&hosts->book, colour); i++) {
        struct hy_host *host = hy_book_at(&hosts->book, colour, i);

        if (strncmp(host->key, banned->text, same) == 0 && hy_host_key_any_port(host->url, &key) &&
            strcmp(key.text, banned->text) == 0)
            return host;
    }
    return NULL;
}

/* An entry without port also takes the host's listed addresses. */
static void unlist_all_ports(struct hy_hosts *hosts, const struct hypha_url *url)
{
    static const enum hypha_colour colours[] = { HYPHA_COLOUR_GREY, HYPHA_COLOUR_WHITE,
        HYPHA_COLOUR_GOLD };
    char name[HY_HOST_NAME_BYTES];
    struct hy_host_key banned;
    struct hy_host *host;

    if (hypha_url_has_port(url) || !hy_host_key_any_port(url, &banned))
        return;
    size_t same = strlen(hypha_url_scheme(url)) + strlen("://") + strlen(hy_host_name(url, name));
    for (size_t c = 0; c < sizeof colours / sizeof colours[0]; c++)
        while ((host = find_covered(hosts, colours[c], &banned, same)) != NULL)
            hy_hosts_unlist(hosts, host); /* may bring another one to white */
}

enum hypha_err hy_hosts_blacken(struct hy_hosts *hosts, struct hy_host *host,
    const struct hypha_url *url, uint64_t seconds, enum hypha_err why)
{
    enum hypha_err err = hy_hosts_list(
        hosts, host, url, HYPHA_COLOUR_BLACK, hy_wall_s(hosts->loop));
    char text[300];

    if (err != HYPHA_OK)
        return err;
    /* Saturates: a ban of centuries does not wrap into the past. */
    if (seconds > UINT32_MAX)
        seconds = UINT32_MAX;
    host->ban_until_ms = hy_now_ms(hosts->loop) + seconds * 1000;
    host->ban_why = why;
    if (host->state == HY_HOST_SUSPEND) /* the refinery does not come here */
        hy_hosts_enter(hosts, host, HY_HOST_FREE);
    unlist_all_ports(hosts, url);
    hy_bans_changed(hosts);
    /* A misdeed was told already, with the channel and the message. */
    HY_LOG(&hosts->settings->log, why == HYPHA_ERR_BANNED ? HYPHA_LOG_INFO : HYPHA_LOG_VERBOSE,
        target, "Banned %s for %llu s: %s", hy_url_display(url, text, sizeof text),
        (unsigned long long)seconds, hypha_err_text(why));
    return HYPHA_OK;
}

enum hypha_err hy_hosts_ban(
    struct hy_hosts *hosts, const struct hypha_url *url, uint64_t seconds, enum hypha_err why)
{
    struct hy_host *host = NULL;
    enum hypha_err err;

    hy_hosts_expire_bans(hosts);
    err = hy_hosts_take(hosts, url, &host);
    if (err != HYPHA_OK)
        return err;
    err = hy_hosts_blacken(hosts, host, url, seconds > 0 ? seconds : HY_BAN_SECONDS, why);
    if (err != HYPHA_OK || host->colour == HY_COLOUR_NONE)
        hy_hosts_forget(hosts, host);
    return err;
}

static bool unban_record(struct hy_hosts *hosts, struct hy_host *host)
{
    bool was_black = host != NULL && hy_host_is_black(hosts, host);

    if (host != NULL && host->colour == HYPHA_COLOUR_BLACK)
        hy_hosts_unlist(hosts, host);
    return was_black;
}

static bool unban_key(struct hy_hosts *hosts, const struct hy_host_key *key)
{
    struct hy_host *host = NULL;

    HASH_FIND(hh, hosts->records, key->text, key->len, host);
    return unban_record(hosts, host);
}

static bool unban_all_ports(struct hy_hosts *hosts, const struct hypha_url *url)
{
    struct hy_host_key key;
    bool was_banned = false;

    if (hypha_url_host(url)[0] != '\0' && hy_host_key_any_port(url, &key))
        was_banned = unban_key(hosts, &key);
    if (hy_host_key_block(url, &key))
        was_banned = unban_key(hosts, &key) || was_banned;
    return was_banned;
}

bool hy_hosts_unban(struct hy_hosts *hosts, const struct hypha_url *url)
{
    bool exact = unban_record(hosts, hy_hosts_record(hosts, url));
    bool any_port = unban_all_ports(hosts, url);
    bool group = hy_group_unban(hosts, url);

    hy_score_forget(hosts, url);
    if (exact || any_port || group)
        hy_bans_changed(hosts);
    return exact || any_port || group;
}

static uint64_t seconds_left(const struct hy_hosts *hosts, uint64_t until_ms)
{
    return (until_ms - hy_now_ms(hosts->loop) + 999) / 1000;
}

bool hy_hosts_ban_info(const struct hy_hosts *hosts, const struct hypha_url *url,
    uint64_t *ret_seconds_left, enum hypha_err *ret_why)
{
    const struct hy_host *host = hy_hosts_record(hosts, url);

    if (host == NULL || !hy_host_is_black(hosts, host))
        return false;
    *ret_seconds_left = seconds_left(hosts, host->ban_until_ms);
    *ret_why = host->ban_why;
    return true;
}

void hy_hosts_expire_bans(struct hy_hosts *hosts)
{
    size_t i = hy_book_count(&hosts->book, HYPHA_COLOUR_BLACK);

    while (i-- > 0) {
        struct hy_host *host = hy_book_at(&hosts->book, HYPHA_COLOUR_BLACK, i);

        if (!hy_host_is_black(hosts, host))
            hy_hosts_unlist(hosts, host);
    }
    hy_groups_expire(hosts);
}

static void each_host_ban(
    const struct hy_hosts *hosts, void (*each)(const struct hypha_ban *ban, void *user), void *user)
{
    uint64_t now = hy_wall_s(hosts->loop);
    char group[HY_HOST_GROUP_BYTES];

    for (size_t i = 0; i < hy_book_count(&hosts->book, HYPHA_COLOUR_BLACK); i++) {
        const struct hy_host *host = hy_book_at(&hosts->book, HYPHA_COLOUR_BLACK, i);

        if (!hy_host_is_black(hosts, host))
            continue;
        each(&(struct hypha_ban){ .url = host->url,
                 .group = hy_host_group(host->url, hosts->settings->localnet, group),
                 .until_s = now + seconds_left(hosts, host->ban_until_ms),
                 .why = host->ban_why },
            user);
    }
}

static void each_group_ban(
    const struct hy_hosts *hosts, void (*each)(const struct hypha_ban *ban, void *user), void *user)
{
    const struct hy_group_ban *ban, *next;

    HASH_ITER (hh, hosts->group_bans, ban, next) {
        if (hy_now_ms(hosts->loop) >= ban->until_ms)
            continue;
        each(&(struct hypha_ban){ .group = ban->name,
                 .until_s = hy_wall_s(hosts->loop) + seconds_left(hosts, ban->until_ms),
                 .why = HYPHA_ERR_LIMIT },
            user);
    }
}

void hy_hosts_each_ban(
    const struct hy_hosts *hosts, void (*each)(const struct hypha_ban *ban, void *user), void *user)
{
    const struct hy_url_array *blacklist = &hosts->settings->blacklist;
    char group[HY_HOST_GROUP_BYTES];

    for (size_t i = 0; i < blacklist->count; i++)
        each(&(struct hypha_ban){ .url = blacklist->urls[i],
                 .group = hy_host_group(blacklist->urls[i], hosts->settings->localnet, group),
                 .why = HYPHA_ERR_BANNED },
            user);
    each_host_ban(hosts, each, user);
    each_group_ban(hosts, each, user);
}

/* ---- the peer of a channel ---- */

static bool some_names(const struct hy_url_array *urls, const char *name)
{
    char other[HY_HOST_NAME_BYTES];

    for (size_t i = 0; i < urls->count; i++)
        if (strcmp(hy_host_name(urls->urls[i], other), name) == 0)
            return true;
    return false;
}

/* A key has the name as hy_host_name() spells it. */
static bool key_names(const char *key, const char *name, size_t len)
{
    const char *at = strstr(key, "://");

    return at != NULL && strncmp(at + 3, name, len) == 0 &&
        (at[3 + len] == '\0' || at[3 + len] == ':' || at[3 + len] == '/');
}

/* Some host of that name is one that we found good, or that our user wants: who shares an address
 * with it (a NAT) shall not have it banned. */
static bool name_is_trusted(const struct hy_hosts *hosts, const struct hypha_url *url)
{
    static const enum hypha_colour colours[] = { HYPHA_COLOUR_GOLD, HYPHA_COLOUR_WHITE };
    char name[HY_HOST_NAME_BYTES];

    size_t len = strlen(hy_host_name(url, name));
    if (some_names(&hosts->settings->peers, name) || some_names(&hosts->settings->seeds, name))
        return true;
    for (size_t c = 0; c < 2; c++)
        for (size_t i = 0; i < hy_book_count(&hosts->book, colours[c]); i++)
            if (key_names(hy_book_at(&hosts->book, colours[c], i)->key, name, len))
                return true;
    return false;
}

/* All peers of such an address look alike: a ban would hit everybody. */
static bool is_shared_address(const struct hypha_url *address)
{
    struct hy_ip ip;

    if (hypha_url_host(address)[0] == '\0')
        return true;
    return strncmp(hypha_url_scheme(address), "tor", 3) == 0 && hy_url_ip(address, &ip) &&
        hy_ip_is_loopback(&ip);
}

/* All ports of who came in; of its /64 where that is one subscriber's. Errors: NOMEM, URL. */
static enum hypha_err scope_of_inbound(
    const struct hy_hosts *hosts, const struct hypha_url *address, struct hypha_url **ret_url)
{
    char block[HY_HOST_NAME_BYTES];
    struct hypha_url *any_port = NULL;
    enum hypha_err err = hy_url_without_port(address, &any_port);
    struct hy_ip ip;

    if (err == HYPHA_OK && !hosts->settings->localnet && hy_url_ip(address, &ip) && ip.len == 16) {
        err = hy_url_with_host(any_port, hy_host_block(address, block), ret_url);
        hypha_url_unref(any_port);
    } else if (err == HYPHA_OK) {
        *ret_url = any_port;
    }
    return err;
}

bool hy_hosts_ban_peer(struct hy_hosts *hosts, const struct hypha_url *address,
    enum hypha_session session, enum hypha_err why)
{
    struct hypha_url *any_port = NULL;
    bool banned;

    if (is_shared_address(address))
        return false;
    if (!hosts->settings->localnet && hy_host_is_local(address))
        return false;
    if (session != HYPHA_SESSION_INBOUND || name_is_trusted(hosts, address)) {
        banned = hy_hosts_ban(hosts, address, HY_BAN_SECONDS, why) == HYPHA_OK;
    } else {
        if (scope_of_inbound(hosts, address, &any_port) != HYPHA_OK)
            return false;
        banned = hy_hosts_ban(hosts, any_port, HY_BAN_SECONDS, why) == HYPHA_OK;
        hypha_url_unref(any_port);
    }
    if (banned)
        hy_group_judge(hosts, address);
    return banned;
}
