/* view_text.h - a page of text: lines of given width, each byte with an attribute.
 *
 * What is put comes out safe for any terminal: control characters, marks of direction and broken
 * UTF-8 are escaped, wide characters count as two columns, nothing passes the right edge. Without
 * memory a line stays shorter. */
#ifndef VIEW_TEXT_H
#define VIEW_TEXT_H

#include <hypha/api.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum view_attr {
    VIEW_PLAIN,
    VIEW_STRONG,
    VIEW_FAINT,
    VIEW_GOOD,   /* connected, online */
    VIEW_WAIT,   /* on its way */
    VIEW_BAD,    /* failed, offline */
    VIEW_NAME,   /* headings */
    VIEW_CHOSEN, /* the cursor's line */
    VIEW_BAR,    /* the first and last line */
    VIEW_ATTRS,
};

struct view_line {
    char *text; /* UTF-8 without control characters; not zero-ended */
    uint8_t *attrs;
    size_t len, cap;
    unsigned width; /* columns taken */
};

#define VIEW_MAX_ROWS 1000U
#define VIEW_MAX_COLS 1000U

struct view_page {
    unsigned rows, cols;
    bool ascii; /* the terminal knows no UTF-8: all else is escaped */
    struct view_line *lines;
    bool has_cursor; /* where text is typed */
    unsigned cursor_row, cursor_col;
};

/* rows, cols: clamped. False: no memory; the page is empty, of no rows. */
bool view_page_init(struct view_page *page, unsigned rows, unsigned cols, bool ascii);
void view_page_fini(struct view_page *page);

/* All of these append to a line; one that is not on the page is nowhere. */
void view_put(struct view_page *page, unsigned row, enum view_attr attr, const char *text);
void view_putf(struct view_page *page, unsigned row, enum view_attr attr, const char *format, ...)
    HYPHA_PRINTF(4, 5);
/* Fill with blanks up to a column. */
void view_pad(struct view_page *page, unsigned row, enum view_attr attr, unsigned col);
/* Within `width` columns: what is too long ends in "~"; filled with blanks. */
void view_put_left(
    struct view_page *page, unsigned row, enum view_attr attr, unsigned width, const char *text);
void view_put_right(
    struct view_page *page, unsigned row, enum view_attr attr, unsigned width, const char *text);
/* The whole line in one attribute, to the right edge. */
void view_mark(struct view_page *page, unsigned row, enum view_attr attr);

/* Columns that the text takes when put. */
unsigned view_width(const struct view_page *page, const char *text);
/* A line as text, zero-ended, without the blanks at its end; the caller's, hy_free(). */
char *view_line_text(const struct view_page *page, unsigned row);

/* ---- numbers for people: into at least VIEW_NUMBER_BYTES ---- */

#define VIEW_NUMBER_BYTES 24

/* 12s, 2m05s, 3h07m, 4d02h, 120d */
const char *view_age_text(uint64_t ns, char *into);
/* 0.8ms, 1.25s; "" for 0 */
const char *view_round_trip_text(uint64_t us, char *into);
/* 999 B, 1.2 kB, 3.4 MB */
const char *view_bytes_text(uint64_t bytes, char *into);
/* 0, 0.3, 12.5, 1240; what is not 0 does not look so */
const char *view_rate_text(double per_s, char *into);

#endif
