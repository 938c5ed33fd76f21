/* hosts/book.h - the five lists: what is kept, in which order, who goes when there is no place.
 *
 * Grey and white are kept in cells, so that nobody fills them with addresses of one network or by
 * one mouth. Cells form buckets; which one an address may lie in is a hash under the node's secret:
 *
 *   grey   64 buckets x 32: one of 8 for each group that tells of addresses (the source), chosen
 *          among those by the address's own group
 *   white  64 buckets x 64: one of 4 for each group of addresses; gold hosts lie here as well, and
 *          those for whom nothing is free stand outside: a peer in use is never forgotten
 *
 * A grey newcomer whose bucket is full displaces an entry that has failed, or one never reached
 * and seen far longer ago; else the newcomer goes. White displaces nobody: hosts.c has the older
 * one tested first. Nothing is ever trimmed over the whole list. Black and dark are plain lists,
 * cut at their oldest. The book does not own the records. spec: network.md#42-lists, network.md 10
 */
#ifndef HY_HOSTS_BOOK_H
#define HY_HOSTS_BOOK_H

#include "base/map.h"
#include <hypha/err.h>
#include <hypha/p2p.h>
#include <stddef.h>
#include <stdint.h>

struct hy_host;

#define HY_BOOK_BUCKETS      64U
#define HY_GREY_CELLS        32U /* of a bucket */
#define HY_WHITE_CELLS       64U
#define HY_BUCKETS_OF_SOURCE 8U
#define HY_BUCKETS_OF_GROUP  4U

#define HY_MAX_GREY  (HY_BOOK_BUCKETS * HY_GREY_CELLS)
#define HY_MAX_WHITE (HY_BOOK_BUCKETS * HY_WHITE_CELLS)
#define HY_MAX_BLACK 10000
#define HY_MAX_DARK  1000

/* Of a reached host: so long it is "recent". Of hearsay: so much older is "far older". */
#define HY_BOOK_RECENT_S (7 * 86400U)
/* Nobody is given up as hearsay before the refinery could look at it. */
#define HY_BOOK_UNTESTED_S 86400U

struct hy_book {
    struct hy_book_list {
        struct hy_host **hosts; /* last_seen descending */
        size_t count, room;
    } lists[HYPHA_COLOURS];
    uint64_t orders;
    uint8_t secret[HY_HASH_KEY_BYTES];
    struct hy_host **grey, **white; /* cells; NULL until the first one is needed */
};

void hy_book_fini(struct hy_book *book);
/* What a group, or a host's key, counts as in here. */
uint64_t hy_book_hash(const struct hy_book *book, const char *text);
/* Room for one more, not its cell. Errors: NOMEM. */
enum hypha_err hy_book_reserve(struct hy_book *book, enum hypha_colour colour);
/* Is a white cell free for it, or its own already? */
bool hy_book_has_white_cell(const struct hy_book *book, const struct hy_host *host);
/* The white host in its bucket that was seen longest ago, before `before_s`, and that nothing is
 * being done with; NULL: none. */
struct hy_host *hy_book_rival(
    const struct hy_book *book, const struct hy_host *host, uint64_t before_s);
/* Put a host that is in no list into one that was reserved. Whoever has no place now is taken out
 * and returned (it may be the new one); NULL: all have their place. now_s: UNIX. */
struct hy_host *hy_book_insert(struct hy_book *book, struct hy_host *host, enum hypha_colour colour,
    uint64_t last_seen, uint64_t now_s);
/* Out of the list it is in. */
void hy_book_remove(struct hy_book *book, struct hy_host *host);
size_t hy_book_count(const struct hy_book *book, enum hypha_colour colour);
/* 0 is the newest; index below the count. */
struct hy_host *hy_book_at(const struct hy_book *book, enum hypha_colour colour, size_t index);

#endif
