/* book.c - five arrays of records, newest first, and the cells of grey and white.
 *
 * Places in the arrays are found by bisection and made by one memmove: a full list is 80 KB of
 * pointers at most. A bucket is searched from the host's own place on, so that all its cells can
 * be filled; a flood gains nothing by that, since it fills its buckets anyway. */
#include "hosts/book.h"

#include "base/alloc.h"
#include "hosts/host.h"

#include <assert.h>
#include <string.h>

#define FIRST_ROOM 16

static const size_t limits[HYPHA_COLOURS] = {
    [HYPHA_COLOUR_GREY] = SIZE_MAX, /* the cells are the limit */
    [HYPHA_COLOUR_WHITE] = SIZE_MAX,
    [HYPHA_COLOUR_GOLD] = SIZE_MAX, /* as many as are connected */
    [HYPHA_COLOUR_BLACK] = HY_MAX_BLACK,
    [HYPHA_COLOUR_DARK] = HY_MAX_DARK,
};

void hy_book_fini(struct hy_book *book)
{
    for (size_t i = 0; i < HYPHA_COLOURS; i++)
        hy_free(book->lists[i].hosts);
    hy_free(book->grey);
    hy_free(book->white);
    *book = (struct hy_book){ 0 };
}

uint64_t hy_book_hash(const struct hy_book *book, const char *text)
{
    return hy_keyed_hash(book->secret, text, strlen(text));
}

/* ---- cells ---- */

struct bucket {
    struct hy_host **cells; /* NULL: none was ever needed */
    size_t count;
};

static size_t hash_below(
    const struct hy_book *book, uint64_t what, uint64_t a, uint64_t b, size_t bound)
{
    const uint64_t parts[3] = { what, a, b };

    return (size_t)(hy_keyed_hash(book->secret, parts, sizeof parts) % bound);
}

static struct bucket grey_bucket(const struct hy_book *book, const struct hy_host *host)
{
    /* Nobody told, or we do not know who: as if it had told of itself. */
    uint64_t source = host->source_group != NULL ? host->source_group->hash : host->group;
    size_t which = hash_below(book, 1, source, host->group, HY_BUCKETS_OF_SOURCE);
    size_t at = hash_below(book, 2, source, which, HY_BOOK_BUCKETS);

    return (struct bucket){ book->grey != NULL ? &book->grey[at * HY_GREY_CELLS] : NULL,
        HY_GREY_CELLS };
}

static struct bucket white_bucket(const struct hy_book *book, const struct hy_host *host)
{
    size_t which = (size_t)(host->address % HY_BUCKETS_OF_GROUP);
    size_t at = hash_below(book, 3, host->group, which, HY_BOOK_BUCKETS);

    return (struct bucket){ book->white != NULL ? &book->white[at * HY_WHITE_CELLS] : NULL,
        HY_WHITE_CELLS };
}

static struct hy_host **free_cell(struct bucket bucket, const struct hy_host *host)
{
    size_t at = (size_t)(host->address >> 32) % bucket.count;

    for (size_t i = 0; bucket.cells != NULL && i < bucket.count; i++) {
        struct hy_host **cell = &bucket.cells[(at + i) % bucket.count];

        if (*cell == NULL)
            return cell; /* cppcheck-suppress returnDanglingLifetime */
    }
    return NULL;
}

static void take_cell(struct hy_host *host, struct hy_host **cell)
{
    host->cell = cell;
    if (cell != NULL)
        *cell = host;
}

bool hy_book_has_white_cell(const struct hy_book *book, const struct hy_host *host)
{
    bool own = host->cell != NULL && host->colour != HYPHA_COLOUR_GREY;

    return own || book->white == NULL || free_cell(white_bucket(book, host), host) != NULL;
}

static bool is_idle(const struct hy_host *host)
{
    return !host->registered || host->state == HY_HOST_FREE || host->state == HY_HOST_SUSPEND;
}

struct hy_host *hy_book_rival(
    const struct hy_book *book, const struct hy_host *host, uint64_t before_s)
{
    struct bucket bucket = white_bucket(book, host);
    struct hy_host *oldest = NULL;

    for (size_t i = 0; bucket.cells != NULL && i < bucket.count; i++) {
        struct hy_host *other = bucket.cells[i];

        if (other == NULL || other->colour != HYPHA_COLOUR_WHITE || !is_idle(other) ||
            other->last_seen >= before_s)
            continue;
        if (oldest == NULL || other->last_seen < oldest->last_seen)
            oldest = other;
    }
    return oldest;
}

/* ---- who goes ---- */

static bool was_reached(const struct hy_host *host, uint64_t now_s)
{
    return host->success_s != 0 && host->success_s + HY_BOOK_RECENT_S >= now_s;
}

/* How gladly an entry is given up for a newcomer; 0: not at all. */
static unsigned badness(const struct hy_host *host, const struct hy_host *newcomer, uint64_t now_s)
{
    bool newcomer_reached = was_reached(newcomer, now_s);

    if (!is_idle(host))
        return 0;
    if (host->failures > 0)
        return 3;
    if (was_reached(host, now_s)) /* keeps its cell, but for one that was reached much later */
        return newcomer_reached && host->success_s + 86400 < newcomer->success_s ? 1 : 0;
    if (host->last_seen + HY_BOOK_RECENT_S < newcomer->last_seen &&
        host->listed_s + HY_BOOK_UNTESTED_S <= now_s)
        return 2;                    /* the refinery has had its time */
    return newcomer_reached ? 1 : 0; /* hearsay, against one that we reached */
}

static struct hy_host *worst(
    const struct hy_book *book, const struct hy_host *newcomer, uint64_t now_s)
{
    struct bucket bucket = grey_bucket(book, newcomer);
    struct hy_host *found = NULL;
    unsigned most = 0;

    for (size_t i = 0; bucket.cells != NULL && i < bucket.count; i++) {
        struct hy_host *host = bucket.cells[i];
        unsigned bad = badness(host, newcomer, now_s);

        if (bad > most || (bad > 0 && bad == most && host->last_seen < found->last_seen)) {
            most = bad;
            found = host;
        }
    }
    return found;
}

/* ---- lists ---- */

static enum hypha_err reserve_cells(struct hy_host ***cells, size_t count)
{
    if (*cells == NULL)
        *cells = hy_alloc_array(count, sizeof(struct hy_host *));
    return *cells != NULL ? HYPHA_OK : HYPHA_ERR_NOMEM;
}

enum hypha_err hy_book_reserve(struct hy_book *book, enum hypha_colour colour)
{
    struct hy_book_list *list = &book->lists[colour];
    size_t room = list->room > 0 ? 2 * list->room : FIRST_ROOM;
    enum hypha_err err = HYPHA_OK;
    struct hy_host **grown;

    if (colour == HYPHA_COLOUR_GREY)
        err = reserve_cells(&book->grey, HY_MAX_GREY);
    else if (colour == HYPHA_COLOUR_WHITE || colour == HYPHA_COLOUR_GOLD)
        err = reserve_cells(&book->white, HY_MAX_WHITE);
    if (err != HYPHA_OK || list->count < list->room)
        return err;
    grown = hy_realloc(list->hosts, room * sizeof(struct hy_host *));
    if (grown == NULL)
        return HYPHA_ERR_NOMEM;
    list->hosts = grown;
    list->room = room;
    return HYPHA_OK;
}

/* The first place whose host comes after (last_seen, order). */
static size_t place(const struct hy_book_list *list, uint64_t last_seen, uint64_t order)
{
    size_t low = 0, high = list->count;

    while (low < high) {
        size_t middle = low + (high - low) / 2;
        const struct hy_host *host = list->hosts[middle];

        if (host->last_seen > last_seen || (host->last_seen == last_seen && host->order < order))
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

static void list_add(struct hy_book *book, struct hy_host *host, enum hypha_colour colour)
{
    struct hy_book_list *list = &book->lists[colour];
    size_t at;

    assert(list->count < list->room);
    host->colour = colour;
    host->order = book->orders++;
    at = place(list, host->last_seen, host->order);
    memmove(&list->hosts[at + 1], &list->hosts[at], (list->count - at) * sizeof list->hosts[0]);
    list->hosts[at] = host;
    list->count++;
}

/* A cell for it, perhaps one that another has to leave. False: none. */
static bool find_cell(struct hy_book *book, struct hy_host *host, enum hypha_colour colour,
    uint64_t now_s, struct hy_host **ret_lost)
{
    struct hy_host **cell, *lost;

    if (colour == HYPHA_COLOUR_BLACK || colour == HYPHA_COLOUR_DARK)
        return true;
    cell = free_cell(
        colour == HYPHA_COLOUR_GREY ? grey_bucket(book, host) : white_bucket(book, host), host);
    if (cell == NULL && colour == HYPHA_COLOUR_GREY) {
        lost = worst(book, host, now_s);
        if (lost == NULL)
            return false;
        cell = lost->cell;
        hy_book_remove(book, lost);
        *ret_lost = lost;
    }
    take_cell(host, cell);
    return cell != NULL || colour == HYPHA_COLOUR_GOLD;
}

struct hy_host *hy_book_insert(struct hy_book *book, struct hy_host *host, enum hypha_colour colour,
    uint64_t last_seen, uint64_t now_s)
{
    struct hy_book_list *list = &book->lists[colour];
    struct hy_host *lost = NULL;

    assert(host->colour == HY_COLOUR_NONE && host->cell == NULL);
    host->last_seen = last_seen;
    if (!find_cell(book, host, colour, now_s, &lost))
        return host;
    list_add(book, host, colour);
    if (list->count > limits[colour]) {
        lost = list->hosts[list->count - 1];
        hy_book_remove(book, lost);
    }
    return lost;
}

void hy_book_remove(struct hy_book *book, struct hy_host *host)
{
    struct hy_book_list *list = &book->lists[host->colour];
    size_t at = place(list, host->last_seen, host->order);

    assert(at < list->count && list->hosts[at] == host);
    list->count--;
    memmove(&list->hosts[at], &list->hosts[at + 1], (list->count - at) * sizeof list->hosts[0]);
    if (host->cell != NULL)
        *host->cell = NULL;
    host->cell = NULL;
    host->colour = HY_COLOUR_NONE;
}

size_t hy_book_count(const struct hy_book *book, enum hypha_colour colour)
{
    return book->lists[colour].count;
}

struct hy_host *hy_book_at(const struct hy_book *book, enum hypha_colour colour, size_t index)
{
    return book->lists[colour].hosts[index];
}
