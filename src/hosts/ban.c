/* ban.c - whom we do not talk to: bans of this run, which expire, and the configured blacklist,
 * which does not and is never evicted. spec: network.md#47-block-and-ban */
#include "hosts/host.h"

#include <string.h>

static const char target[] = "net::hosts";

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

bool hy_hosts_is_banned(const struct hy_hosts *hosts, const struct hypha_url *url)
{
    struct hy_host_key key;

    if (hy_host_key_of(url, &key) && key_is_banned(hosts, &key))
        return true;
    /* A URL without host has nothing that an entry for all ports could mean. */
    return hypha_url_host(url)[0] != '\0' && hypha_url_has_port(url) &&
        hy_host_key_any_port(url, &key) && key_is_banned(hosts, &key);
}

/* An entry without port also takes the host's listed addresses. */
static void unlist_all_ports(struct hy_hosts *hosts, const struct hypha_url *url)
{
    struct hy_host_key banned, key;
    struct hy_host *host, *next;

    if (hypha_url_has_port(url) || !hy_host_key_any_port(url, &banned))
        return;
    HASH_ITER (hh, hosts->records, host, next)
        if (hy_colour_is_dialled(host->colour) && hy_host_key_any_port(host->url, &key) &&
            strcmp(key.text, banned.text) == 0)
            hy_hosts_unlist(hosts, host);
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
    hy_log_info(&hosts->settings->log, target, "Banned %s for %llu s: %s",
        hy_url_display(url, text, sizeof text), (unsigned long long)seconds, hypha_err_text(why));
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

bool hy_hosts_unban(struct hy_hosts *hosts, const struct hypha_url *url)
{
    struct hy_host *host = NULL;
    struct hy_host_key key;
    bool exact = unban_record(hosts, hy_hosts_record(hosts, url));

    if (hypha_url_host(url)[0] == '\0' || !hy_host_key_any_port(url, &key))
        return exact;
    HASH_FIND(hh, hosts->records, key.text, key.len, host);
    return unban_record(hosts, host) || exact;
}

bool hy_hosts_ban_info(const struct hy_hosts *hosts, const struct hypha_url *url,
    uint64_t *ret_seconds_left, enum hypha_err *ret_why)
{
    const struct hy_host *host = hy_hosts_record(hosts, url);

    if (host == NULL || !hy_host_is_black(hosts, host))
        return false;
    *ret_seconds_left = (host->ban_until_ms - hy_now_ms(hosts->loop) + 999) / 1000;
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
}

/* Some host of that name is one that we found good. */
static bool name_is_trusted(const struct hy_hosts *hosts, const struct hypha_url *url)
{
    static const enum hypha_colour colours[] = { HYPHA_COLOUR_GOLD, HYPHA_COLOUR_WHITE };
    char name[HY_HOST_NAME_BYTES], other[HY_HOST_NAME_BYTES];

    (void)hy_host_name(url, name);
    for (size_t c = 0; c < 2; c++)
        for (size_t i = 0; i < hy_book_count(&hosts->book, colours[c]); i++)
            if (strcmp(hy_host_name(hy_book_at(&hosts->book, colours[c], i)->url, other), name) ==
                0)
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

bool hy_hosts_ban_peer(struct hy_hosts *hosts, const struct hypha_url *address,
    enum hypha_session session, enum hypha_err why)
{
    struct hypha_url *any_port = NULL;
    bool banned;

    if (is_shared_address(address))
        return false;
    if (!hosts->settings->localnet && hy_host_is_local(address))
        return false;
    if (session != HYPHA_SESSION_INBOUND || name_is_trusted(hosts, address))
        return hy_hosts_ban(hosts, address, HY_BAN_SECONDS, why) == HYPHA_OK;
    if (hy_url_without_port(address, &any_port) != HYPHA_OK)
        return false;
    banned = hy_hosts_ban(hosts, any_port, HY_BAN_SECONDS, why) == HYPHA_OK;
    hypha_url_unref(any_port);
    return banned;
}
