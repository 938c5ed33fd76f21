/* contest.c - test before displacing: a white host keeps its cell until it does not answer.
 *
 * A host that answers and finds its white bucket full stays grey, and the one there that was seen
 * longest ago is to be tested by a feeler. It answers: it stays, and the newcomer's claim is over.
 * It does not: the newcomer has its cell. So whoever floods us with addresses that answer moves
 * nobody who still does. spec: network.md 10 (feelers) */
#include "hosts/host.h"

#define FRESH_S (4 * 3600U) /* an older one seen since then needs no test */

static void contest_drop(struct hy_hosts *hosts, size_t index)
{
    hosts->contests[index] = hosts->contests[--hosts->contest_count];
}

static bool is_contested(const struct hy_hosts *hosts, const struct hy_host *old)
{
    for (size_t i = 0; i < hosts->contest_count; i++)
        if (hosts->contests[i].old == old)
            return true;
    return false;
}

void hy_contest_open(struct hy_hosts *hosts, struct hy_host *newcomer)
{
    uint64_t now_s = hy_wall_s(hosts->loop);
    struct hy_host *old = hy_book_rival(
        &hosts->book, newcomer, now_s > FRESH_S ? now_s - FRESH_S : 0);

    newcomer->waits_until_ms = hy_now_ms(hosts->loop) + HY_WAIT_MS;
    if (old == NULL || hosts->contest_count == HY_MAX_CONTESTS || is_contested(hosts, old))
        return;
    for (size_t i = 0; i < hosts->contest_count; i++)
        if (hosts->contests[i].newcomer == newcomer)
            return;
    hosts->contests[hosts->contest_count++] = (struct hy_contest){ old, newcomer };
}

static void promote(struct hy_hosts *hosts, struct hy_host *newcomer)
{
    /* Without memory it stays grey; the refinery will come to it. */
    if (hy_hosts_list(hosts, newcomer, newcomer->url, HYPHA_COLOUR_WHITE, newcomer->success_s) ==
            HYPHA_OK &&
        newcomer->colour == HYPHA_COLOUR_WHITE)
        hy_hosts_changed(hosts, HY_HOSTS_PROMOTED, 1);
}

void hy_contest_settle(struct hy_hosts *hosts, struct hy_host *host)
{
    bool holds_cell = host->colour == HYPHA_COLOUR_WHITE || host->colour == HYPHA_COLOUR_GOLD;

    for (size_t i = hosts->contest_count; i-- > 0;) {
        struct hy_contest contest = hosts->contests[i];

        if (contest.newcomer == host && host->colour != HYPHA_COLOUR_GREY) {
            contest_drop(hosts, i);
        } else if (contest.old == host) {
            contest_drop(hosts, i);
            if (!holds_cell)
                promote(hosts, contest.newcomer);
            return; /* one contest a host; and promote() has been here itself */
        }
    }
}
