/* eviction.c - see eviction.h. */
#include "session/eviction.h"

#include <stdlib.h>

static int by_number(uint64_t a, uint64_t b)
{
    return a < b ? -1 : a > b ? 1 : 0;
}

static int by_age(const void *a, const void *b)
{
    const struct hy_eviction_candidate *first = a, *second = b;

    return by_number(first->since_ms, second->since_ms);
}

static int by_group(const void *a, const void *b)
{
    const struct hy_eviction_candidate *first = a, *second = b;
    int order = by_number(first->group, second->group);

    return order != 0 ? order : by_age(a, b);
}

/* Groups by their keyed hash: nobody outside knows which are the first. Of each the oldest. */
static void protect_groups(struct hy_eviction_candidate *candidates, size_t count, size_t quota)
{
    qsort(candidates, count, sizeof *candidates, by_group);
    for (size_t first = 0, end; first < count; first = end) {
        for (end = first; end < count && candidates[end].group == candidates[first].group;)
            end++;
        for (size_t i = first; i < end; i++)
            candidates[i].group_count = end - first;
        if (quota > 0) {
            candidates[first].is_protected = true;
            quota--;
        }
    }
}

static void protect_pings(struct hy_eviction_candidate *candidates, size_t count, size_t quota)
{
    while (quota-- > 0) {
        struct hy_eviction_candidate *best = NULL;

        for (size_t i = 0; i < count; i++) {
            struct hy_eviction_candidate *one = &candidates[i];

            if (!one->is_protected && one->ping_us > 0 &&
                (best == NULL || one->ping_us < best->ping_us))
                best = one;
        }
        if (best == NULL)
            return;
        best->is_protected = true;
    }
}

static void protect_useful(struct hy_eviction_candidate *candidates, size_t count, size_t quota)
{
    while (quota-- > 0) {
        struct hy_eviction_candidate *best = NULL;

        for (size_t i = 0; i < count; i++) {
            struct hy_eviction_candidate *one = &candidates[i];

            if (!one->is_protected && one->useful_ms > 0 &&
                (best == NULL || one->useful_ms > best->useful_ms))
                best = one;
        }
        if (best == NULL)
            return;
        best->is_protected = true;
    }
}

static void protect_old(struct hy_eviction_candidate *candidates, size_t count)
{
    size_t rest = 0, quota;

    for (size_t i = 0; i < count; i++)
        rest += candidates[i].is_protected ? 0 : 1;
    quota = rest / 2;
    qsort(candidates, count, sizeof *candidates, by_age);
    for (size_t i = 0; i < count && quota > 0; i++) {
        if (candidates[i].is_protected)
            continue;
        candidates[i].is_protected = true;
        quota--;
    }
}

/* The silent one that has been here longest; else the double one that came last. */
static struct hy_eviction choose_worthless(
    const struct hy_eviction_candidate *candidates, size_t count, bool silent_only)
{
    const struct hy_eviction_candidate *silent = NULL, *twice = NULL;

    for (size_t i = 0; i < count; i++) {
        const struct hy_eviction_candidate *one = &candidates[i];

        if (one->is_silent && (silent == NULL || one->since_ms < silent->since_ms))
            silent = one;
        if (one->is_double && (twice == NULL || one->since_ms > twice->since_ms))
            twice = one;
    }
    if (silent != NULL)
        return (struct hy_eviction){ HY_EVICT_SILENT, silent->who };
    if (twice != NULL && !silent_only)
        return (struct hy_eviction){ HY_EVICT_DOUBLE, twice->who };
    return (struct hy_eviction){ HY_EVICT_NOBODY, NULL };
}

struct hy_eviction hy_eviction_choose(const struct hy_eviction_candidate *newcomer,
    struct hy_eviction_candidate *candidates, size_t count)
{
    struct hy_eviction choice = choose_worthless(candidates, count, newcomer->is_double);
    const struct hy_eviction_candidate *victim = NULL;
    size_t quota = count / 4, like_newcomer = 0;

    if (choice.kind != HY_EVICT_NOBODY || newcomer->is_double || quota == 0)
        return choice;
    if (quota > HY_EVICTION_PROTECTED)
        quota = HY_EVICTION_PROTECTED;
    for (size_t i = 0; i < count; i++)
        candidates[i].is_protected = false;
    protect_groups(candidates, count, quota);
    protect_pings(candidates, count, quota);
    protect_useful(candidates, count, quota);
    protect_old(candidates, count);
    for (size_t i = 0; i < count; i++) {
        const struct hy_eviction_candidate *one = &candidates[i];

        like_newcomer += one->group == newcomer->group ? 1 : 0;
        if (one->is_protected || one->is_fresh)
            continue;
        if (victim == NULL || one->group_count > victim->group_count ||
            (one->group_count == victim->group_count && one->since_ms > victim->since_ms))
            victim = one;
    }
    if (victim == NULL || like_newcomer >= victim->group_count)
        return choice;
    return (struct hy_eviction){ HY_EVICT_ORDINARY, victim->who };
}
