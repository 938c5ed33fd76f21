/* book.c - five arrays of records, newest first.
 *
 * Places are found by bisection and made by one memmove: a full list is 80 KB of pointers at
 * most. spec: network.md#42-lists */
#include "hosts/book.h"

#include "base/alloc.h"
#include "hosts/host.h"

#include <assert.h>
#include <string.h>

#define FIRST_ROOM 16

static const size_t limits[HYPHA_COLOURS] = {
    [HYPHA_COLOUR_GREY] = HY_MAX_GREY,
    [HYPHA_COLOUR_WHITE] = HY_MAX_WHITE,
    [HYPHA_COLOUR_GOLD] = SIZE_MAX, /* as many as are connected */
    [HYPHA_COLOUR_BLACK] = HY_MAX_BLACK,
    [HYPHA_COLOUR_DARK] = HY_MAX_DARK,
};

void hy_book_fini(struct hy_book *book)
{
    for (size_t i = 0; i < HYPHA_COLOURS; i++)
        hy_free(book->lists[i].hosts);
    *book = (struct hy_book){ 0 };
}

enum hypha_err hy_book_reserve(struct hy_book *book, enum hypha_colour colour)
{
    struct hy_book_list *list = &book->lists[colour];
    size_t room = list->room > 0 ? 2 * list->room : FIRST_ROOM;
    struct hy_host **grown;

    if (list->count < list->room)
        return HYPHA_OK;
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

struct hy_host *hy_book_insert(
    struct hy_book *book, struct hy_host *host, enum hypha_colour colour, uint64_t last_seen)
{
    struct hy_book_list *list = &book->lists[colour];
    struct hy_host *lost;
    size_t at;

    assert(host->colour == HY_COLOUR_NONE && list->count < list->room);
    host->colour = colour;
    host->last_seen = last_seen;
    host->order = book->orders++;
    at = place(list, last_seen, host->order);
    memmove(&list->hosts[at + 1], &list->hosts[at], (list->count - at) * sizeof list->hosts[0]);
    list->hosts[at] = host;
    list->count++;
    if (list->count <= limits[colour])
        return NULL;
    lost = list->hosts[--list->count];
    lost->colour = HY_COLOUR_NONE;
    return lost;
}

void hy_book_remove(struct hy_book *book, struct hy_host *host)
{
    struct hy_book_list *list = &book->lists[host->colour];
    size_t at = place(list, host->last_seen, host->order);

    assert(at < list->count && list->hosts[at] == host);
    list->count--;
    memmove(&list->hosts[at], &list->hosts[at + 1], (list->count - at) * sizeof list->hosts[0]);
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
