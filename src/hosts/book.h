/* hosts/book.h - the five lists: what is kept, in which order, who goes when one is full.
 *
 * A small interface, so that the policy can be replaced (network.md 10: buckets) without
 * touching registry, filter or selection. The book does not own the records. */
#ifndef HY_HOSTS_BOOK_H
#define HY_HOSTS_BOOK_H

#include <hypha/err.h>
#include <hypha/p2p.h>
#include <stddef.h>
#include <stdint.h>

struct hy_host;

#define HY_MAX_GREY  2000
#define HY_MAX_WHITE 5000
#define HY_MAX_BLACK 10000
#define HY_MAX_DARK  1000

struct hy_book {
    struct hy_book_list {
        struct hy_host **hosts; /* last_seen descending */
        size_t count, room;
    } lists[HYPHA_COLOURS];
    uint64_t orders;
};

void hy_book_fini(struct hy_book *book);
/* Room for one more. Errors: NOMEM. */
enum hypha_err hy_book_reserve(struct hy_book *book, enum hypha_colour colour);
/* Put a host that is in no list into one that has room. The one that is now too many is taken out
 * and returned (it may be the new one); NULL: all have their place. */
struct hy_host *hy_book_insert(
    struct hy_book *book, struct hy_host *host, enum hypha_colour colour, uint64_t last_seen);
/* Out of the list it is in. */
void hy_book_remove(struct hy_book *book, struct hy_host *host);
size_t hy_book_count(const struct hy_book *book, enum hypha_colour colour);
/* 0 is the newest; index below the count. */
struct hy_host *hy_book_at(const struct hy_book *book, enum hypha_colour colour, size_t index);

#endif
