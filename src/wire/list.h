/* wire/list.h - lists in messages: kept as the span they came in, and trimmed when sent. */
#ifndef HY_WIRE_LIST_H
#define HY_WIRE_LIST_H

#include <hypha/url.h>
#include <hypha/wire.h>
#include <string.h>

/* A URL's text, checked to parse; empty after an error, which r keeps. */
struct hypha_span hy_url_take_text(struct hypha_reader *r);

/* The next URL of a checked list. False at its end, or after an error in *ret_err. */
bool hy_url_next(struct hypha_reader *list, struct hypha_url **ret_url, enum hypha_err *ret_err);

/* Bytes of an encoded VarInt, of a text with its length, of a URL. */
static inline size_t hy_varint_size(uint64_t value)
{
    return value < 0xfd ? 1 : value <= 0xffff ? 3 : value <= 0xffffffff ? 5 : 9;
}

static inline size_t hy_text_size(const char *text)
{
    size_t len = strlen(text);

    return hy_varint_size(len) + len;
}

size_t hy_url_size(const struct hypha_url *url);

/* Which elements of a list still fit: those that do not are left out, later ones may fit.
 * The count in front of the list is part of what must fit. */
struct hy_list_room {
    size_t max_bytes; /* for count and elements */
    size_t max_count;
    size_t count; /* elements taken so far */
    size_t bytes; /* and theirs */
};

/* Take an element of so many bytes, or leave it out. */
static inline bool hy_list_fits(struct hy_list_room *room, size_t bytes)
{
    size_t used = room->bytes + hy_varint_size(room->count + 1);

    if (room->count == room->max_count || used > room->max_bytes || bytes > room->max_bytes - used)
        return false;
    room->count++;
    room->bytes += bytes;
    return true;
}

/* What `r` took since it stood at `before`, as a span. */
static inline struct hypha_span hy_list_taken(
    const struct hypha_reader *r, struct hypha_span before)
{
    return r->err == HYPHA_OK ? (struct hypha_span){ before.at, before.len - r->rest.len }
                              : (struct hypha_span){ 0 };
}

#endif
