/* eviction_test.c - who makes room: protected classes, doubles, the silent, the biggest group.
 * spec: network.md 10 */
#include "session/eviction.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#define MAX 64

/* Candidate i: group 1000 + i, came at 100 * (i + 1), nothing else. */
static void make(struct hy_eviction_candidate *candidates, size_t count)
{
    memset(candidates, 0, MAX * sizeof *candidates);
    for (size_t i = 0; i < count; i++)
        candidates[i] = (struct hy_eviction_candidate){
            .who = (void *)(uintptr_t)(i + 1),
            .group = 1000 + i,
            .since_ms = 100 * (i + 1),
        };
}

/* The number of the one who goes; 0: nobody. */
static size_t victim_for(
    uint64_t group, const struct hy_eviction_candidate *candidates, size_t count)
{
    struct hy_eviction_candidate copy[MAX], newcomer = { .group = group };
    struct hy_eviction eviction;

    memcpy(copy, candidates, sizeof copy);
    eviction = hy_eviction_choose(&newcomer, copy, count);
    assert_int_equal(eviction.kind == HY_EVICT_NOBODY, eviction.who == NULL);
    return (size_t)(uintptr_t)eviction.who;
}

static void the_youngest_of_equals_goes(void **unused)
{
    struct hy_eviction_candidate candidates[MAX];

    (void)unused;
    make(candidates, 20);
    assert_int_equal(victim_for(1, candidates, 20), 20);
    candidates[19].is_fresh = true;
    assert_int_equal(victim_for(1, candidates, 20), 19);
    assert_int_equal(victim_for(1, candidates, 0), 0);
    for (size_t few = 0; few < 4; few++)
        assert_int_equal(victim_for(1, candidates, few), 0);
    assert_int_equal(victim_for(1, candidates, 4), 4);
}

/* spec: network.md 10 SHOULD: evict the youngest of the biggest group */
static void the_biggest_group_gives(void **unused)
{
    struct hy_eviction_candidate candidates[MAX];

    (void)unused;
    make(candidates, 40);
    for (size_t i = 30; i < 37; i++)
        candidates[i].group = 77;
    assert_int_equal(victim_for(1, candidates, 40), 37);
    /* A newcomer of a group that has as many gets nothing; with one less it does. */
    assert_int_equal(victim_for(77, candidates, 40), 0);
    for (size_t i = 20; i < 26; i++)
        candidates[i].group = 88;
    assert_int_equal(victim_for(88, candidates, 40), 37);
    candidates[26].group = 88;
    assert_int_equal(victim_for(88, candidates, 40), 0);
}

/* spec: network.md 10 SHOULD: protect 4 lowest ping */
static void the_quickest_stay(void **unused)
{
    struct hy_eviction_candidate candidates[MAX];

    (void)unused;
    make(candidates, 20);
    for (size_t i = 0; i < 20; i++)
        candidates[i].ping_us = 10000;
    for (size_t i = 16; i < 20; i++)
        candidates[i].ping_us = 5000 + i;
    assert_int_equal(victim_for(1, candidates, 20), 16);
    candidates[15].ping_us = 4000; /* one of the four is less quick than that */
    assert_int_equal(victim_for(1, candidates, 20), 20);
    for (size_t i = 0; i < 20; i++) /* none is measured: none is protected for it */
        candidates[i].ping_us = 0;
    assert_int_equal(victim_for(1, candidates, 20), 20);
}

/* spec: network.md 10 SHOULD: protect 4 last useful */
static void the_useful_stay(void **unused)
{
    struct hy_eviction_candidate candidates[MAX];

    (void)unused;
    make(candidates, 20);
    for (size_t i = 15; i < 20; i++)
        candidates[i].useful_ms = 10000 + i;
    assert_int_equal(victim_for(1, candidates, 20), 16); /* the fifth: useful longest ago */
    candidates[15].useful_ms = 20000;
    assert_int_equal(victim_for(1, candidates, 20), 17);
}

/* spec: network.md 10 SHOULD: protect 4 of distinct groups */
static void four_groups_keep_their_oldest(void **unused)
{
    struct hy_eviction_candidate candidates[MAX];

    (void)unused;
    make(candidates, 20);
    /* The four groups whose keyed hash is least, of the youngest peers. */
    for (size_t i = 16; i < 20; i++)
        candidates[i].group = i;
    assert_int_equal(victim_for(1, candidates, 20), 16);
    candidates[19].group = candidates[18].group; /* two of one group: the older one stays */
    assert_int_equal(victim_for(1, candidates, 20), 20);
}

/* spec: network.md 10 SHOULD: protect half the rest by age */
static void the_older_half_stays(void **unused)
{
    struct hy_eviction_candidate candidates[MAX];

    (void)unused;
    make(candidates, 20);
    for (size_t i = 12; i < 20; i++) /* all of the younger half of the rest */
        candidates[i].is_fresh = true;
    assert_int_equal(victim_for(1, candidates, 20), 0);
    candidates[12].is_fresh = false;
    assert_int_equal(victim_for(1, candidates, 20), 13);
    candidates[12].is_fresh = true;
    candidates[11].is_fresh = false; /* 4 of 20 are their groups' oldest, 8 of 16 are old */
    assert_int_equal(victim_for(1, candidates, 20), 0);
}

/* Whatever an attacker's peers are like, if they come after the others: the others stay. */
static void a_flood_evicts_itself(void **unused)
{
    struct hy_eviction_candidate candidates[MAX];
    uint64_t random = 42;

    (void)unused;
    make(candidates, 32);
    for (uint64_t round = 0; round < 2000; round++) {
        size_t victim;

        random = random * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
        victim = victim_for(1 + (random >> 60), candidates, 32);
        if (victim == 0)
            continue;
        assert_true(victim > 16); /* of the first 16 nobody ever went */
        candidates[victim - 1].group = 1 + (random >> 60);
        candidates[victim - 1].since_ms = 1000000 + round;
        candidates[victim - 1].ping_us = 1 + (random >> 40 & 0xff);
        candidates[victim - 1].useful_ms = 1000000 + round;
    }
}

/* Silent ones first, the longest silent; no trait protects them. */
static void the_silent_go_first(void **unused)
{
    struct hy_eviction_candidate candidates[MAX], newcomer = { .group = 1, .is_double = true };

    (void)unused;
    make(candidates, 8);
    candidates[2].is_silent = candidates[5].is_silent = true;
    candidates[2].useful_ms = 5;
    candidates[7].is_double = true;
    assert_int_equal(victim_for(1, candidates, 8), 3);
    assert_int_equal(victim_for(candidates[0].group, candidates, 8), 3);
    struct hy_eviction eviction = hy_eviction_choose(&newcomer, candidates, 8);
    assert_int_equal(eviction.kind, HY_EVICT_SILENT);
}

/* Who has another channel to us loses little; who would have one more gets no place for it. */
static void doubles_go_before_others(void **unused)
{
    struct hy_eviction_candidate candidates[MAX], newcomer = { .group = 1 };

    (void)unused;
    make(candidates, 2);
    candidates[0].is_double = true;
    candidates[0].is_fresh = true;
    struct hy_eviction eviction = hy_eviction_choose(&newcomer, candidates, 2);
    assert_int_equal(eviction.kind, HY_EVICT_DOUBLE);
    assert_ptr_equal(eviction.who, (void *)1);
    make(candidates, 8);
    candidates[3].is_double = candidates[5].is_double = true;
    candidates[5].ping_us = 1;
    assert_int_equal(victim_for(1, candidates, 8), 6);
    newcomer.is_double = true;
    eviction = hy_eviction_choose(&newcomer, candidates, 8);
    assert_int_equal(eviction.kind, HY_EVICT_NOBODY);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_youngest_of_equals_goes),
        cmocka_unit_test(the_biggest_group_gives),
        cmocka_unit_test(the_quickest_stay),
        cmocka_unit_test(the_useful_stay),
        cmocka_unit_test(four_groups_keep_their_oldest),
        cmocka_unit_test(the_older_half_stays),
        cmocka_unit_test(a_flood_evicts_itself),
        cmocka_unit_test(the_silent_go_first),
        cmocka_unit_test(doubles_go_before_others),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
