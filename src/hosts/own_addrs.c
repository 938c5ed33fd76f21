/* own_addrs.c - under which addresses we are reached: what was configured, completed by the
 * ports we got and by what peers say of us. spec: network.md 4.4, wire.md 5.3, 8 */
#include "hosts/host.h"

#include <stdio.h>
#include <string.h>

#define MIN_VOTES    2
#define IPV6_DOWN_MS (10 * 60 * 1000)

/* ---- listeners ---- */

enum hypha_err hy_hosts_add_listen_addr(struct hy_hosts *hosts, const struct hypha_url *url)
{
    if (hosts->listen_count == HY_MAX_LISTEN)
        return HYPHA_ERR_LIMIT;
    /* Counted, not changed: the reference is all that is written. */
    hosts->listen[hosts->listen_count++] = hypha_url_ref((struct hypha_url *)(uintptr_t)url);
    hy_hosts_judge_again(hosts);
    return HYPHA_OK;
}

void hy_hosts_clear_listen_addrs(struct hy_hosts *hosts)
{
    while (hosts->listen_count > 0)
        hypha_url_unref(hosts->listen[--hosts->listen_count]);
    hy_hosts_judge_again(hosts);
}

/* Its port, or for port 0 that of the listener of its scheme; 0: not known (yet). */
static uint16_t external_port(const struct hy_hosts *hosts, const struct hypha_url *external)
{
    if (hypha_url_port(external) != 0)
        return hypha_url_port(external);
    for (size_t i = 0; i < hosts->listen_count; i++)
        if (strcmp(hypha_url_scheme(hosts->listen[i]), hypha_url_scheme(external)) == 0)
            return hypha_url_port(hosts->listen[i]);
    return 0;
}

/* ---- what peers say ---- */

static void count_vote(struct hy_hosts *hosts, struct hy_own_vote vote)
{
    size_t old = 0;

    /* The group's former vote goes, else, of a full ring, the oldest one. */
    while (old < hosts->vote_count && strcmp(hosts->votes[old].group, vote.group) != 0)
        old++;
    if (old == hosts->vote_count && hosts->vote_count == HY_OWN_VOTES)
        old = 0;
    if (old < hosts->vote_count) {
        hosts->vote_count--;
        memmove(&hosts->votes[old], &hosts->votes[old + 1],
            (hosts->vote_count - old) * sizeof hosts->votes[0]);
    }
    hosts->votes[hosts->vote_count++] = vote;
}

/* The address that most groups name, two at least; the one named earliest on ties. */
static const struct hy_ip *guessed_ip(const struct hy_hosts *hosts)
{
    const struct hy_ip *best = NULL;
    size_t most = MIN_VOTES - 1;

    for (size_t i = 0; i < hosts->vote_count; i++) {
        size_t votes = 0;

        for (size_t k = 0; k < hosts->vote_count; k++)
            votes += hy_ip_equal(&hosts->votes[i].ip, &hosts->votes[k].ip) ? 1 : 0;
        if (votes > most) {
            most = votes;
            best = &hosts->votes[i].ip;
        }
    }
    return best;
}

void hy_hosts_guess_own_ip(
    struct hy_hosts *hosts, const struct hypha_url *seen, const struct hypha_url *peer)
{
    const struct hy_ip *guess = guessed_ip(hosts);
    struct hy_ip before = guess != NULL ? *guess : (struct hy_ip){ 0 };
    struct hy_own_vote vote = { 0 };

    if (!hy_url_ip(seen, &vote.ip) || vote.ip.len != 16 || hy_ip_is_unspecified(&vote.ip))
        return;
    if (!hosts->settings->localnet && hy_ip_is_local(&vote.ip))
        return;
    (void)hy_host_group(peer, hosts->settings->localnet, vote.group);
    count_vote(hosts, vote);
    guess = guessed_ip(hosts);
    if (guess != NULL && !hy_ip_equal(guess, &before))
        hy_hosts_judge_again(hosts);
}

/* ---- who we are ---- */

/* [::] in tcp and tcp+tls stands for the guess. */
static bool wants_guess(const struct hypha_url *external, const struct hy_ip *ip)
{
    return ip->len == 16 &&
        (strcmp(hypha_url_scheme(external), "tcp") == 0 ||
            strcmp(hypha_url_scheme(external), "tcp+tls") == 0);
}

/* The host under which an external address is known; "" while none is. */
static const char *external_name(
    const struct hy_hosts *hosts, const struct hypha_url *external, char into[HY_HOST_NAME_BYTES])
{
    char text[HY_IP_TEXT_BYTES];
    const struct hy_ip *guess;
    struct hy_ip ip;

    if (!hy_url_ip(external, &ip) || !hy_ip_is_unspecified(&ip))
        return hy_host_name(external, into);
    guess = wants_guess(external, &ip) ? guessed_ip(hosts) : NULL;
    into[0] = '\0';
    if (guess != NULL)
        (void)snprintf(into, HY_HOST_NAME_BYTES, "[%s]", hy_ip_format(guess, text));
    return into;
}

bool hy_hosts_is_own(const struct hy_hosts *hosts, const struct hypha_url *url)
{
    const struct hy_url_array *externals = &hosts->settings->external_addrs;
    char name[HY_HOST_NAME_BYTES], own[HY_HOST_NAME_BYTES];

    if (externals->count == 0)
        return false;
    (void)hy_host_name(url, name);
    for (size_t i = 0; i < externals->count; i++) {
        const struct hypha_url *external = externals->urls[i];

        /* On localnet all share a host: the port tells. spec: network.md 4.4 step 4 */
        if (hosts->settings->localnet) {
            uint16_t port = external_port(hosts, external);

            if (port != 0 && port == hypha_url_port(url))
                return true;
        } else if (name[0] != '\0' && strcmp(external_name(hosts, external, own), name) == 0) {
            return true;
        }
    }
    return false;
}

/* As it may be announced now; NULL: not at all, or no memory. */
static struct hypha_url *announced(const struct hy_hosts *hosts, const struct hypha_url *external)
{
    struct hypha_url *at = NULL, *next = NULL;
    uint16_t port = external_port(hosts, external);
    char name[HY_HOST_NAME_BYTES];
    struct hy_ip ip;
    enum hypha_err err;

    if (external_name(hosts, external, name)[0] == '\0' || port == 0)
        return NULL;
    err = hy_url_announceable(external, &at);
    if (err == HYPHA_OK && hypha_url_port(at) != port) {
        err = hy_url_with_port(at, port, &next);
        hypha_url_unref(at);
        at = next;
    }
    if (err == HYPHA_OK && hy_url_ip(at, &ip) && hy_ip_is_unspecified(&ip)) {
        err = hy_url_with_host(at, name, &next);
        hypha_url_unref(at);
        at = next;
    }
    if (err == HYPHA_OK) {
        err = hy_url_canonical(at, &next);
        hypha_url_unref(at);
        at = next;
    }
    return err == HYPHA_OK ? at : NULL;
}

size_t hy_hosts_own_addrs(struct hy_hosts *hosts, struct hypha_url *ret_urls[HY_MAX_EXTERNAL])
{
    const struct hy_url_array *externals = &hosts->settings->external_addrs;
    size_t count = 0;

    for (size_t i = 0; i < externals->count && count < HY_MAX_EXTERNAL; i++) {
        struct hypha_url *url = announced(hosts, externals->urls[i]);
        bool twice = url == NULL;

        for (size_t k = 0; k < count && !twice; k++)
            twice = hypha_url_equal(ret_urls[k], url);
        if (twice)
            hypha_url_unref(url);
        else
            ret_urls[count++] = url;
    }
    return count;
}

/* ---- which IPs may be dialled ---- */

void hy_hosts_ipv6_unreachable(struct hy_hosts *hosts)
{
    hosts->ipv6_down = true;
    hosts->ipv6_down_until_ms = hy_now_ms(hosts->loop) + IPV6_DOWN_MS;
}

static bool names_ip(const struct hy_url_array *urls, const struct hy_ip *ip)
{
    struct hy_ip named;

    for (size_t i = 0; i < urls->count; i++)
        if (hy_url_ip(urls->urls[i], &named) && hy_ip_equal(&named, ip))
            return true;
    return false;
}

static bool proxy_is(const struct hypha_url *proxy, const struct hy_ip *ip)
{
    struct hy_ip named;

    return proxy != NULL && hy_url_ip(proxy, &named) && hy_ip_equal(&named, ip);
}

bool hy_hosts_may_dial_ip(void *user, const struct hy_ip *ip)
{
    const struct hy_hosts *hosts = user;
    const struct hy_resolved_settings *settings = hosts->settings;

    if (settings->localnet || !hy_ip_is_local(ip))
        return true;
    /* A stranger's name must not lead into our own network; our user's word may. */
    return names_ip(&settings->peers, ip) || names_ip(&settings->seeds, ip) ||
        proxy_is(settings->tor_socks5_proxy, ip) || proxy_is(settings->nym_socks5_proxy, ip) ||
        proxy_is(settings->i2p_socks5_proxy, ip);
}
