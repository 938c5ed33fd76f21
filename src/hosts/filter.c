/* filter.c - which of the addresses that strangers tell us are worth keeping.
 *
 * The steps and their order are those of network.md 4.4. What is kept is the bare address:
 * userinfo, query, fragment and an idle path are nobody's business but their sender's. */
#include "hosts/host.h"

#include <string.h>

#define HEARSAY_S  7200         /* ranks below what we saw ourselves: network.md 4.3 */
#define OLDEST_S   (30 * 86400) /* older claims count as this old */
#define DARK_AGE_S 86400
#define MAX_HOST   255

static const char target[] = "net::hosts";

static bool has_good_form(const struct hypha_url *url)
{
    const char *scheme = hypha_url_scheme(url);
    char name[HY_HOST_NAME_BYTES];

    if (strcmp(scheme, "tcp") == 0 || strcmp(scheme, "tcp+tls") == 0 || strcmp(scheme, "quic") == 0)
        return true;
    if (strcmp(scheme, "tor") == 0 || strcmp(scheme, "tor+tls") == 0)
        return hy_onion_is_valid(hy_host_name(url, name));
    if (strcmp(scheme, "i2p") == 0 || strcmp(scheme, "i2p+tls") == 0)
        return hy_i2p_is_valid(hy_host_name(url, name));
    return false;
}

enum hy_hosts_verdict hy_hosts_judge(struct hy_hosts *hosts, const struct hypha_url *url)
{
    size_t host_len = strlen(hypha_url_host(url));
    struct hy_host_key key;

    if (host_len == 0 || host_len > MAX_HOST || hypha_url_port(url) == 0 ||
        !hy_host_key_of(url, &key))
        return HY_VERDICT_NO_HOST_PORT;
    if ((hy_hosts_roles(hosts, key.text) & (HY_ROLE_SEED | HY_ROLE_PEER)) != 0)
        return HY_VERDICT_CONFIGURED;
    if (hy_hosts_is_banned(hosts, url))
        return HY_VERDICT_BANNED;
    if (hy_hosts_is_own(hosts, url))
        return HY_VERDICT_OWN;
    if (!hosts->settings->localnet && hy_host_is_local(url))
        return HY_VERDICT_LOCAL;
    if (!has_good_form(url))
        return HY_VERDICT_SCHEME;
    return HY_VERDICT_GREY;
}

static uint64_t clamp_last_seen(uint64_t claimed, uint64_t now)
{
    uint64_t oldest = now > OLDEST_S ? now - OLDEST_S : 0;
    uint64_t seen = claimed < now ? claimed : now;

    seen = seen > HEARSAY_S ? seen - HEARSAY_S : 0;
    return seen > oldest ? seen : oldest;
}

void hy_hosts_age_dark(struct hy_hosts *hosts)
{
    uint64_t now = hy_wall_s(hosts->loop);
    size_t count = hy_book_count(&hosts->book, HYPHA_COLOUR_DARK);

    while (count-- > 0) {
        struct hy_host *host = hy_book_at(&hosts->book, HYPHA_COLOUR_DARK, count);

        if (host->last_seen + DARK_AGE_S >= now)
            return; /* the rest is newer */
        hy_hosts_unlist(hosts, host);
    }
}

/* Who tells of a host decides where it lies. */
struct teller {
    const struct hypha_url *url; /* NULL: nobody in particular */
    char group[HY_HOST_GROUP_BYTES];
};

static enum hypha_err remember_teller(
    struct hy_hosts *hosts, struct hy_host *host, const struct teller *teller)
{
    enum hypha_err err;

    if (teller->url == NULL)
        return HYPHA_OK;
    err = hy_host_set_source_group(hosts, host, teller->group);
    if (err != HYPHA_OK)
        return err;
    hypha_url_unref(host->source);
    /* Counted, not changed: the reference is all that is written. */
    host->source = hypha_url_ref((struct hypha_url *)(uintptr_t)teller->url);
    return HYPHA_OK;
}

/* Steps 7 to 9, for an address in its bare form. */
static enum hy_hosts_verdict store(struct hy_hosts *hosts, const struct hypha_url *url,
    uint64_t last_seen, const struct teller *teller)
{
    enum hy_hosts_verdict verdict = HY_VERDICT_GREY;
    enum hypha_colour colour = HYPHA_COLOUR_GREY;
    struct hy_host *host = hy_hosts_record(hosts, url);
    uint64_t now = hy_wall_s(hosts->loop);

    if (host != NULL && hy_colour_is_dialled(host->colour))
        return HY_VERDICT_KNOWN;
    if (!hy_hosts_is_dialable(hosts, url)) {
        colour = HYPHA_COLOUR_DARK;
        verdict = HY_VERDICT_DARK;
        if (host != NULL && host->colour == HYPHA_COLOUR_DARK)
            return verdict;
        if (last_seen + DARK_AGE_S < now)
            return HY_VERDICT_TOO_OLD;
        hy_hosts_age_dark(hosts);
    } else if (host != NULL && host->registered && host->state != HY_HOST_FREE) {
        return HY_VERDICT_KNOWN; /* Insert only from Free: in use */
    }
    if (hy_hosts_take(hosts, url, &host) != HYPHA_OK)
        return HY_VERDICT_NOMEM;
    if (remember_teller(hosts, host, teller) != HYPHA_OK ||
        hy_hosts_list(hosts, host, url, colour, last_seen) != HYPHA_OK)
        verdict = HY_VERDICT_NOMEM;
    else if (host->colour == HY_COLOUR_NONE)
        verdict = HY_VERDICT_NO_PLACE;
    hy_hosts_forget(hosts, host);
    return verdict;
}

static enum hy_hosts_verdict receive_one(struct hy_hosts *hosts, const struct hypha_url *url,
    uint64_t last_seen, const struct teller *teller)
{
    const struct hy_host *host = hy_hosts_record(hosts, url);
    enum hy_hosts_verdict verdict;
    struct hypha_url *bare = NULL;

    /* Most are; who is listed has passed all that follows. */
    if (host != NULL && hy_colour_is_dialled(host->colour))
        return HY_VERDICT_KNOWN;
    verdict = hy_hosts_judge(hosts, url);
    if (verdict != HY_VERDICT_GREY)
        return verdict;
    if (hy_host_url(url, &bare) != HYPHA_OK)
        return HY_VERDICT_NOMEM;
    verdict = store(hosts, bare, clamp_last_seen(last_seen, hy_wall_s(hosts->loop)), teller);
    hypha_url_unref(bare);
    return verdict;
}

enum hy_hosts_verdict hy_hosts_receive_one(
    struct hy_hosts *hosts, struct hypha_url *url, uint64_t last_seen)
{
    const struct teller nobody = { 0 };
    enum hy_hosts_verdict verdict = receive_one(hosts, url, last_seen, &nobody);

    if (verdict == HY_VERDICT_GREY)
        hy_hosts_changed(hosts, HY_HOSTS_INSERTED, 1);
    return verdict;
}

const char *hy_hosts_verdict_text(enum hy_hosts_verdict verdict)
{
    switch (verdict) {
    case HY_VERDICT_GREY:
        return "grey";
    case HY_VERDICT_DARK:
        return "dark";
    case HY_VERDICT_NO_HOST_PORT:
        return "no host or port";
    case HY_VERDICT_CONFIGURED:
        return "a configured seed or peer";
    case HY_VERDICT_BANNED:
        return "banned";
    case HY_VERDICT_OWN:
        return "our own";
    case HY_VERDICT_LOCAL:
        return "a local address";
    case HY_VERDICT_SCHEME:
        return "not a valid address of its scheme";
    case HY_VERDICT_KNOWN:
        return "known";
    case HY_VERDICT_TOO_OLD:
        return "too old";
    case HY_VERDICT_NO_PLACE:
        return "no place";
    case HY_VERDICT_NOMEM:
        return "out of memory";
    case HY_VERDICTS:
        break;
    }
    return "?";
}

enum hypha_err hy_hosts_receive(struct hy_hosts *hosts, const struct hy_addr *addr,
    const struct hypha_url *source, size_t *ret_inserted)
{
    struct hypha_span entries = addr->entries;
    struct teller teller = { .url = source };
    char shown[300], from[300] = "?";
    enum hypha_err err = HYPHA_OK;
    struct hypha_url *url = NULL;
    uint64_t last_seen = 0;
    size_t inserted = 0;

    if (source != NULL)
        (void)hy_url_display(source, from, sizeof from);
    if (source != NULL)
        (void)hy_host_group(source, hosts->settings->localnet, teller.group);
    while (err == HYPHA_OK && hy_addr_next(&entries, &url, &last_seen, &err)) {
        enum hy_hosts_verdict verdict = receive_one(hosts, url, last_seen, &teller);

        if (verdict == HY_VERDICT_GREY)
            inserted++;
        else if (verdict == HY_VERDICT_NOMEM)
            err = HYPHA_ERR_NOMEM;
        hy_log_trace(&hosts->settings->log, target, "%s announced %s: %s", from,
            hy_url_display(url, shown, sizeof shown), hy_hosts_verdict_text(verdict));
        hypha_url_unref(url);
    }
    hy_hosts_changed(hosts, HY_HOSTS_INSERTED, inserted);
    if (ret_inserted != NULL)
        *ret_inserted = inserted;
    return err;
}
