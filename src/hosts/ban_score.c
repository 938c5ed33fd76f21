/* ban_score.c - offences that add up: what is no reason for a ban once is one if it does not stop.
 *
 * What wire.md 2.2 names a ban for is banned at once and never comes here.
 * spec: network.md#10-weaknesses-and-beyond-the-reference */
#include "hosts/host.h"

#include "base/alloc.h"

#include <string.h>

#define MAX_SCORES   1024 /* those whose last offence is longest ago are forgotten */
#define MS_PER_MILLI 5    /* a point in 5 s */
#define MILLI_ENOUGH (HY_BAN_SCORE * 1000U)

static struct hy_score *find(const struct hy_hosts *hosts, const char *name)
{
    struct hy_score *score = NULL;

    HASH_FIND(hh, hosts->scores, name, strlen(name), score);
    return score;
}

static void forget(struct hy_hosts *hosts, struct hy_score *score)
{
    HASH_DEL(hosts->scores, score);
    hy_free(score);
}

/* Found or made, now the last. NULL: no memory. */
static struct hy_score *take(struct hy_hosts *hosts, const char *name)
{
    struct hy_score *score = find(hosts, name);
    size_t len = strlen(name);

    if (score != NULL) {
        HASH_DEL(hosts->scores, score);
    } else {
        if (HASH_COUNT(hosts->scores) >= MAX_SCORES)
            forget(hosts, hosts->scores);
        score = hy_alloc(sizeof *score + len + 1);
        if (score == NULL)
            return NULL;
        memcpy(score->name, name, len + 1);
        score->since_ms = hy_now_ms(hosts->loop);
    }
    HASH_ADD_KEYPTR(hh, hosts->scores, score->name, len, score);
    if (score->hh.tbl == NULL) {
        hy_free(score);
        return NULL;
    }
    return score;
}

static void fade(const struct hy_hosts *hosts, struct hy_score *score)
{
    uint64_t less = (hy_now_ms(hosts->loop) - score->since_ms) / MS_PER_MILLI;

    score->since_ms += less * MS_PER_MILLI;
    score->milli -= less < score->milli ? less : score->milli;
}

bool hy_hosts_offend(struct hy_hosts *hosts, const struct hypha_url *address, uint64_t milli)
{
    char name[HY_HOST_NAME_BYTES];
    struct hy_score *score;

    if (hypha_url_host(address)[0] == '\0' ||
        (!hosts->settings->localnet && hy_host_is_local(address)))
        return false;
    score = take(hosts, hy_host_block(address, name));
    if (score == NULL)
        return false;
    fade(hosts, score);
    score->milli += milli < MILLI_ENOUGH ? milli : MILLI_ENOUGH;
    if (score->milli < MILLI_ENOUGH)
        return false;
    forget(hosts, score);
    return true;
}

void hy_score_forget(struct hy_hosts *hosts, const struct hypha_url *url)
{
    char name[HY_HOST_NAME_BYTES];
    struct hy_score *score = find(hosts, hy_host_block(url, name));

    if (score != NULL)
        forget(hosts, score);
}

void hy_scores_fini(struct hy_hosts *hosts)
{
    while (hosts->scores != NULL)
        forget(hosts, hosts->scores);
}
