/* plain_list.c - see plain_list.h. */
#include "scenario/plain_list.h"

#include <assert.h>
#include <string.h>

#define KNOWN_PERCENT 70

static void take_out(struct plain_book *book, unsigned address, uint64_t *ret_last_seen)
{
    struct plain_list *list = &book->lists[book->colour[address]];
    size_t at = 0;

    while (list->entries[at].address != address)
        at++;
    *ret_last_seen = list->entries[at].last_seen;
    list->count--;
    memmove(
        &list->entries[at], &list->entries[at + 1], (list->count - at) * sizeof list->entries[0]);
    book->colour[address] = PLAIN_NONE;
}

static void put_in(
    struct plain_book *book, unsigned address, enum plain_colour colour, uint64_t last_seen)
{
    struct plain_list *list = &book->lists[colour];
    size_t limit = colour == PLAIN_IS_GREY ? PLAIN_GREY : PLAIN_WHITE;
    size_t low = 0, high = list->count;

    while (low < high) {
        size_t middle = low + (high - low) / 2;

        if (list->entries[middle].last_seen >= last_seen)
            low = middle + 1;
        else
            high = middle;
    }
    memmove(&list->entries[low + 1], &list->entries[low],
        (list->count - low) * sizeof list->entries[0]);
    list->entries[low] = (struct plain_entry){ last_seen, address };
    list->count++;
    book->colour[address] = (uint8_t)colour;
    if (list->count > limit)
        book->colour[list->entries[--list->count].address] = PLAIN_NONE;
}

void plain_hear(struct plain_book *book, unsigned address, uint64_t last_seen)
{
    if (book->colour[address] == PLAIN_NONE && !book->busy[address])
        put_in(book, address, PLAIN_IS_GREY, last_seen);
}

bool plain_pick_grey(struct plain_book *book, plain_draw_cb draw, void *user, unsigned *ret_address)
{
    const struct plain_list *grey = &book->lists[PLAIN_IS_GREY];

    if (grey->count == 0)
        return false;
    *ret_address = grey->entries[draw(user, (unsigned)grey->count)].address;
    return !book->busy[*ret_address];
}

void plain_move(
    struct plain_book *book, unsigned address, enum plain_colour colour, uint64_t last_seen)
{
    uint64_t old;

    if (book->colour[address] != PLAIN_NONE)
        take_out(book, address, &old);
    put_in(book, address, colour, last_seen);
}

/* Up to `count` different ones of a list, behind what the sample has. */
static size_t sample(const struct plain_list *list, size_t count, plain_draw_cb draw, void *user,
    unsigned *sample_of, size_t have)
{
    unsigned places[16];
    size_t got = 0;

    assert(count <= 16);
    while (got < count && got < list->count) {
        unsigned place = draw(user, (unsigned)list->count);
        bool twice = false;

        for (size_t i = 0; i < got && !twice; i++)
            twice = places[i] == place;
        if (twice)
            continue;
        places[got] = place;
        sample_of[have + got++] = list->entries[place].address;
    }
    return have + got;
}

bool plain_pick(
    struct plain_book *book, unsigned n, plain_draw_cb draw, void *user, unsigned *ret_address)
{
    size_t known = KNOWN_PERCENT * n / 100, have = 0;
    unsigned addresses[32];

    have = sample(&book->lists[PLAIN_IS_GOLD], known, draw, user, addresses, have);
    have = sample(&book->lists[PLAIN_IS_WHITE], known - have, draw, user, addresses, have);
    have = sample(&book->lists[PLAIN_IS_GREY], n - have, draw, user, addresses, have);
    for (size_t i = 0; i < have; i++)
        if (!book->busy[addresses[i]]) {
            book->busy[addresses[i]] = true;
            *ret_address = addresses[i];
            return true;
        }
    return false;
}

void plain_close(struct plain_book *book, unsigned address)
{
    uint64_t last_seen;

    book->busy[address] = false;
    if (book->colour[address] != PLAIN_IS_GOLD)
        return;
    take_out(book, address, &last_seen);
    put_in(book, address, PLAIN_IS_GREY, last_seen);
}

void plain_restart(struct plain_book *book)
{
    memset(book->busy, 0, sizeof book->busy);
}
