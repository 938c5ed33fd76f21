/* plain_list.h - the reference's address book as network.md describes it, as a model to compare
 * with: lists sorted by what strangers say, cut at their oldest, and the PICK of 7.4 (R).
 *
 * Addresses are numbers below PLAIN_ADDRESSES. Grey 2000, white 5000, gold without limit; values of
 * last_seen are taken as they come. */
#ifndef HY_TESTS_SCENARIO_PLAIN_LIST_H
#define HY_TESTS_SCENARIO_PLAIN_LIST_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define PLAIN_ADDRESSES 16384
#define PLAIN_GREY      2000
#define PLAIN_WHITE     5000

enum plain_colour { PLAIN_NONE, PLAIN_IS_GREY, PLAIN_IS_WHITE, PLAIN_IS_GOLD, PLAIN_COLOURS };

struct plain_list {
    struct plain_entry {
        uint64_t last_seen;
        unsigned address;
    } entries[PLAIN_WHITE + 1]; /* last_seen descending */
    size_t count;
};

struct plain_book {
    struct plain_list lists[PLAIN_COLOURS];
    uint8_t colour[PLAIN_ADDRESSES];
    bool busy[PLAIN_ADDRESSES]; /* Connect or Connected */
};

/* A random number below a bound. */
typedef unsigned (*plain_draw_cb)(void *user, unsigned bound);

/* spec: network.md 4.2, 4.4 step 9 */
void plain_hear(struct plain_book *book, unsigned address, uint64_t last_seen);
/* One random grey host for the refinery. False: there is none. */
bool plain_pick_grey(
    struct plain_book *book, plain_draw_cb draw, void *user, unsigned *ret_address);
void plain_move(
    struct plain_book *book, unsigned address, enum plain_colour colour, uint64_t last_seen);
/* PICK of R for n slots: at most `known` gold and white ones, then grey ones; the first that is
 * not busy. It is busy then. */
bool plain_pick(
    struct plain_book *book, unsigned n, plain_draw_cb draw, void *user, unsigned *ret_address);
/* The connection ended: grey again, with the time that it had. */
void plain_close(struct plain_book *book, unsigned address);
/* Saved and loaded by a new process: nothing is busy, all else stays as it is. */
void plain_restart(struct plain_book *book);

#endif
