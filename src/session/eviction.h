/* session/eviction.h - which inbound peer makes room for a newcomer. Pure.
 *
 * Whoever fills a node's places from outside should not be able to empty them of the others. So
 * some stay whatever comes, each by a trait that an attacker cannot have in all of his peers: the
 * oldest of a few network groups that he cannot predict, the shortest round trips, those who were
 * last useful, and of the rest the older half. Of who is left then, the youngest of the biggest
 * group goes. Two kinds go before all others, without harm: those who do not answer at all, and
 * those to whom we have a channel of our own dialling besides.
 * spec: network.md#10-weaknesses-and-beyond-the-reference */
#ifndef HY_SESSION_EVICTION_H
#define HY_SESSION_EVICTION_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define HY_EVICTION_PROTECTED 4 /* by each trait; at most a quarter of all here */

struct hy_eviction_candidate {
    void *who;
    uint64_t group;     /* keyed hash of its network group */
    uint64_t ping_us;   /* 0: not measured yet */
    uint64_t useful_ms; /* when it last was; 0: never */
    uint64_t since_ms;  /* when it came */
    bool is_silent;     /* has not answered anything in good time */
    bool is_double;     /* there is another channel to the same node */
    bool is_fresh;      /* too new to be judged, unless it is one of the above */

    size_t group_count; /* hy_eviction_choose()'s own */
    bool is_protected;
};

enum hy_eviction_kind {
    HY_EVICT_NOBODY,
    HY_EVICT_SILENT,
    HY_EVICT_DOUBLE,
    HY_EVICT_ORDINARY, /* one who did nothing wrong: rarely */
};
struct hy_eviction {
    enum hy_eviction_kind kind;
    void *who; /* NULL: nobody */
};

/* newcomer  only group, is_double count. An ordinary peer goes only for one whose group has fewer
 *           peers here than its own, and not where fewer than four are; one that is double itself
 *           displaces the silent only
 * candidates  are reordered */
struct hy_eviction hy_eviction_choose(const struct hy_eviction_candidate *newcomer,
    struct hy_eviction_candidate *candidates, size_t count);

#endif
