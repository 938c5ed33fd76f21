/* reply.c - the answer to a getaddr: random samples of those whom we found good.
 *
 * The order is wire.md 5.5's (gold, white of the asked schemes; gold, white of others; dark),
 * improved by its section 8: a bounded number, no one twice, not the asker, shuffled. */
#include "hosts/host.h"

#include "base/span.h"

#include <string.h>

#define MAX_ASKED 255

struct wanted {
    struct hypha_span schemes[HY_GETADDR_MAX_TRANSPORTS];
    size_t count;
};

enum which { ASKED, OTHER, ANY };

static bool is_shareable(struct hypha_span scheme)
{
    char text[16];

    if (scheme.len >= sizeof text)
        return false;
    if (scheme.len > 0)
        memcpy(text, scheme.at, scheme.len);
    text[scheme.len] = '\0';
    return hy_scheme_is_shareable(text);
}

/* The asked ones that may be shared, each once. */
static struct wanted take_wanted(const struct hy_getaddr *request)
{
    struct hypha_span transports = request->transports, scheme;
    struct wanted wanted = { 0 };

    while (wanted.count < HY_GETADDR_MAX_TRANSPORTS && hy_getaddr_next(&transports, &scheme)) {
        bool twice = false;

        for (size_t i = 0; i < wanted.count && !twice; i++)
            twice = hy_span_equal(wanted.schemes[i], scheme);
        if (!twice && is_shareable(scheme))
            wanted.schemes[wanted.count++] = scheme;
    }
    return wanted;
}

static bool is_wanted(const struct wanted *wanted, const char *scheme)
{
    for (size_t i = 0; i < wanted->count; i++)
        if (hy_span_is(wanted->schemes[i], scheme))
            return true;
    return false;
}

static bool fits(const struct hy_hosts *hosts, const struct hy_host *host,
    const struct wanted *wanted, enum which which)
{
    if (host->mark == hosts->mark || !host->is_shareable)
        return false;
    if (which != ANY && is_wanted(wanted, hypha_url_scheme(host->url)) != (which == ASKED))
        return false;
    /* Dialled by hand, perhaps; nobody else can use it. */
    return hosts->settings->localnet || !host->is_local;
}

/* Add up to `quota` of a list, each as likely as the others (reservoir sampling). */
static void sample(struct hy_hosts *hosts, enum hypha_colour colour, const struct wanted *wanted,
    enum which which, size_t quota, struct hy_reply *reply)
{
    size_t first = reply->count, seen = 0;

    if (quota > HY_ADDR_MAX_ENTRIES - first)
        quota = HY_ADDR_MAX_ENTRIES - first;
    for (size_t i = 0; quota > 0 && i < hy_book_count(&hosts->book, colour); i++) {
        struct hy_host *host = hy_book_at(&hosts->book, colour, i);
        size_t at = reply->count - first;

        if (!fits(hosts, host, wanted, which))
            continue;
        seen++;
        if (at < quota)
            reply->count++;
        else
            at = (size_t)hy_random_below(hosts->loop, seen);
        if (at >= quota)
            continue;
        hypha_url_unref(reply->urls[first + at]);
        reply->urls[first + at] = hypha_url_ref(host->url);
        reply->last_seen[first + at] = host->last_seen;
    }
}

static void shuffle(struct hy_hosts *hosts, struct hy_reply *reply)
{
    for (size_t left = reply->count; left > 1; left--) {
        size_t at = (size_t)hy_random_below(hosts->loop, left);
        struct hypha_url *url = reply->urls[at];
        uint64_t last_seen = reply->last_seen[at];

        reply->urls[at] = reply->urls[left - 1];
        reply->last_seen[at] = reply->last_seen[left - 1];
        reply->urls[left - 1] = url;
        reply->last_seen[left - 1] = last_seen;
    }
}

void hy_hosts_reply(struct hy_hosts *hosts, const struct hy_getaddr *request,
    const struct hypha_channel *requester_or_null, const struct hypha_url *const *not_these,
    size_t not_count, struct hy_reply *ret_reply)
{
    struct wanted wanted = take_wanted(request);
    size_t max = request->max < MAX_ASKED ? request->max : MAX_ASKED;
    size_t total = 2 * max;

    (void)requester_or_null; /* the caller names the addresses: channels are another room */
    memset(ret_reply, 0, sizeof *ret_reply);
    hosts->mark++;
    for (size_t i = 0; i < not_count; i++) {
        struct hy_host *host = not_these[i] != NULL ? hy_hosts_record(hosts, not_these[i]) : NULL;

        if (host != NULL)
            host->mark = hosts->mark;
    }
    hy_hosts_age_dark(hosts);
    sample(hosts, HYPHA_COLOUR_GOLD, &wanted, ASKED, max, ret_reply);
    sample(hosts, HYPHA_COLOUR_WHITE, &wanted, ASKED, max, ret_reply);
    sample(hosts, HYPHA_COLOUR_GOLD, &wanted, OTHER, total - ret_reply->count, ret_reply);
    sample(hosts, HYPHA_COLOUR_WHITE, &wanted, OTHER, total - ret_reply->count, ret_reply);
    sample(hosts, HYPHA_COLOUR_DARK, &wanted, ANY, total - ret_reply->count, ret_reply);
    shuffle(hosts, ret_reply);
}

void hy_reply_fini(struct hy_reply *reply)
{
    for (size_t i = 0; i < reply->count; i++)
        hypha_url_unref(reply->urls[i]);
    reply->count = 0;
}
