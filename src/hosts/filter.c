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

/* Steps 7 to 9, for an address in its bare form. */
static enum hy_hosts_verdict store(
    struct hy_hosts *hosts, const struct hypha_url *url, uint64_t last_seen)
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
    if (hy_hosts_list(hosts, host, url, colour, last_seen) != HYPHA_OK)
        verdict = HY_VERDICT_NOMEM;
    else if (host->colour == HY_COLOUR_NONE)
        verdict = HY_VERDICT_TOO_OLD;
    hy_hosts_forget(hosts, host);
    return verdict;
}

static enum hy_hosts_verdict receive_one(
    struct hy_hosts *hosts, const struct hypha_url *url, uint64_t last_seen)
{
    enum hy_hosts_verdict verdict = hy_hosts_judge(hosts, url);
    struct hypha_url *bare = NULL;

    if (verdict != HY_VERDICT_GREY)
        return verdict;
    if (hy_host_url(url, &bare) != HYPHA_OK)
        return HY_VERDICT_NOMEM;
    verdict = store(hosts, bare, clamp_last_seen(last_seen, hy_wall_s(hosts->loop)));
    hypha_url_unref(bare);
    return verdict;
}

enum hy_hosts_verdict hy_hosts_receive_one(
    struct hy_hosts *hosts, struct hypha_url *url, uint64_t last_seen)
{
    enum hy_hosts_verdict verdict = receive_one(hosts, url, last_seen);

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
    case HY_VERDICT_NOMEM:
        return "out of memory";
    case HY_VERDICTS:
        break;
    }
    return "?";
}

static void remember_source(
    struct hy_hosts *hosts, const struct hypha_url *url, const struct hypha_url *source)
{
    struct hy_host *host = hy_hosts_record(hosts, url);

    if (host == NULL)
        return;
    hypha_url_unref(host->source);
    host->source = hypha_url_ref((struct hypha_url *)(uintptr_t)source); /* counted, not changed */
}

enum hypha_err hy_hosts_receive(struct hy_hosts *hosts, const struct hy_addr *addr,
    const struct hypha_url *source, size_t *ret_inserted)
{
    struct hypha_span entries = addr->entries;
    char shown[300], from[300] = "?";
    enum hypha_err err = HYPHA_OK;
    struct hypha_url *url = NULL;
    uint64_t last_seen = 0;
    size_t inserted = 0;

    if (source != NULL)
        (void)hy_url_display(source, from, sizeof from);
    while (err == HYPHA_OK && hy_addr_next(&entries, &url, &last_seen, &err)) {
        enum hy_hosts_verdict verdict = receive_one(hosts, url, last_seen);

        if (verdict == HY_VERDICT_GREY) {
            remember_source(hosts, url, source);
            inserted++;
        } else if (verdict == HY_VERDICT_NOMEM)
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
