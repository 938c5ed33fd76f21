/* reply.c - the answer to a getaddr: samples of those whom we found good.
 *
 * The order is wire.md 5.5's (gold, white of the asked schemes; gold, white of others; dark),
 * improved by its section 8: a bounded number, no one twice, not the asker, shuffled.
 *
 * Who asks often, and from many addresses, shall not learn whom we know. So a long list is put in
 * an order that is the asker's network group's for a day, by a secret hash; what is told is taken
 * from its front, and only the first 23 % are ever told. spec: network.md 10 */
#include "hosts/host.h"

#include "base/alloc.h"
#include "base/span.h"

#include <stdlib.h>
#include <string.h>

#define MAX_ASKED 255
#define DAY_MS    86400000U

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

static void put(struct hy_reply *reply, size_t at, const struct hy_host *host)
{
    hypha_url_unref(reply->urls[at]);
    reply->urls[at] = hypha_url_ref(host->url);
    reply->last_seen[at] = host->last_seen;
}

/* Add up to `quota` of a short list, each as likely as the others (reservoir sampling). */
static void sample_short(struct hy_hosts *hosts, enum hypha_colour colour,
    const struct wanted *wanted, enum which which, size_t quota, struct hy_reply *reply)
{
    size_t first = reply->count, seen = 0;

    for (size_t i = 0; i < hy_book_count(&hosts->book, colour); i++) {
        struct hy_host *host = hy_book_at(&hosts->book, colour, i);
        size_t at = reply->count - first;

        if (!fits(hosts, host, wanted, which))
            continue;
        seen++;
        if (at < quota)
            reply->count++;
        else
            at = (size_t)hy_random_below(hosts->loop, seen);
        if (at < quota)
            put(reply, first + at, host);
    }
}

/* A place of a long list in the asker's order. */
struct ranked {
    uint64_t rank;
    const struct hy_host *host;
};

static int by_rank(const void *a, const void *b)
{
    const struct ranked *first = a, *second = b;

    return first->rank < second->rank ? -1 : first->rank > second->rank ? 1 : 0;
}

/* Those that may be told at all; returns how many. */
static size_t rank_list(struct hy_hosts *hosts, enum hypha_colour colour, uint64_t asker,
    struct ranked *ranked, size_t room)
{
    size_t count = 0;

    for (size_t i = 0; i < room; i++) {
        const struct hy_host *host = hy_book_at(&hosts->book, colour, i);
        const uint64_t both[] = { asker, host->address };

        if (!host->is_shareable)
            continue;
        ranked[count].host = host;
        ranked[count++].rank = hy_keyed_hash(hosts->reply_secret, both, sizeof both);
    }
    qsort(ranked, count, sizeof *ranked, by_rank);
    return count;
}

/* Add up to `quota` of a long list, the first in the asker's order. Without memory: none. */
static void sample_long(struct hy_hosts *hosts, enum hypha_colour colour,
    const struct wanted *wanted, enum which which, size_t quota, uint64_t asker,
    struct hy_reply *reply)
{
    size_t room = hy_book_count(&hosts->book, colour), count, told;
    struct ranked *ranked = hy_alloc_array(room, sizeof *ranked);

    if (ranked == NULL)
        return;
    count = rank_list(hosts, colour, asker, ranked, room);
    told = count * HY_REPLY_PERCENT / 100;
    if (told < HY_REPLY_SMALL)
        told = HY_REPLY_SMALL < count ? HY_REPLY_SMALL : count;
    for (size_t i = 0; i < told && quota > 0; i++) {
        if (!fits(hosts, ranked[i].host, wanted, which))
            continue;
        put(reply, reply->count++, ranked[i].host);
        quota--;
    }
    hy_free(ranked);
}

/* Whom we answer, and what is wanted. */
struct question {
    struct wanted wanted;
    uint64_t asker;
};

static void sample(struct hy_hosts *hosts, enum hypha_colour colour,
    const struct question *question, enum which which, size_t quota, struct hy_reply *reply)
{
    if (quota > HY_ADDR_MAX_ENTRIES - reply->count)
        quota = HY_ADDR_MAX_ENTRIES - reply->count;
    if (quota == 0)
        return;
    if (hy_book_count(&hosts->book, colour) <= HY_REPLY_SMALL)
        sample_short(hosts, colour, &question->wanted, which, quota, reply);
    else
        sample_long(hosts, colour, &question->wanted, which, quota, question->asker, reply);
}

/* Everybody of one network is one. The order is another one every day. */
static uint64_t asker_of(struct hy_hosts *hosts, const struct hypha_url *asker)
{
    uint64_t now = hy_now_ms(hosts->loop);
    char group[HY_HOST_GROUP_BYTES] = "";

    if (now >= hosts->reply_until_ms || hosts->reply_until_ms == 0) {
        hy_random(hosts->loop, hosts->reply_secret, sizeof hosts->reply_secret);
        hosts->reply_until_ms = now + DAY_MS;
    }
    if (asker != NULL)
        (void)hy_host_group(asker, false, group);
    return hy_keyed_hash(hosts->reply_secret, group, strlen(group));
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
    const struct hypha_url *asker, const struct hypha_url *const *not_these, size_t not_count,
    struct hy_reply *ret_reply)
{
    const struct question question = { take_wanted(request), asker_of(hosts, asker) };
    size_t max = request->max < MAX_ASKED ? request->max : MAX_ASKED;
    size_t total = 2 * max;

    memset(ret_reply, 0, sizeof *ret_reply);
    hosts->mark++;
    for (size_t i = 0; i < not_count; i++) {
        struct hy_host *host = not_these[i] != NULL ? hy_hosts_record(hosts, not_these[i]) : NULL;

        if (host != NULL)
            host->mark = hosts->mark;
    }
    hy_hosts_age_dark(hosts);
    sample(hosts, HYPHA_COLOUR_GOLD, &question, ASKED, max, ret_reply);
    sample(hosts, HYPHA_COLOUR_WHITE, &question, ASKED, max, ret_reply);
    sample(hosts, HYPHA_COLOUR_GOLD, &question, OTHER, total - ret_reply->count, ret_reply);
    sample(hosts, HYPHA_COLOUR_WHITE, &question, OTHER, total - ret_reply->count, ret_reply);
    sample(hosts, HYPHA_COLOUR_DARK, &question, ANY, total - ret_reply->count, ret_reply);
    shuffle(hosts, ret_reply);
}

void hy_reply_fini(struct hy_reply *reply)
{
    for (size_t i = 0; i < reply->count; i++)
        hypha_url_unref(reply->urls[i]);
    reply->count = 0;
}
