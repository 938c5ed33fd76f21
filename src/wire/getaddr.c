/* wire/getaddr.c - ask for addresses: how many, by which transports. spec: wire.md 3.1, 5.5 */
#include "base/span.h"
#include "wire/core.h"
#include "wire/list.h"

void hy_getaddr_read(struct hypha_reader *r, void *ret_message)
{
    struct hy_getaddr *getaddr = ret_message;
    struct hypha_span before;

    getaddr->max = hypha_reader_take_u32(r);
    getaddr->count = (size_t)hypha_reader_take_count(r, SIZE_MAX, 1);
    before = r->rest;
    for (size_t i = 0; i < getaddr->count && r->err == HYPHA_OK; i++)
        (void)hypha_reader_take_string(r, SIZE_MAX);
    getaddr->transports = hy_list_taken(r, before);
}

bool hy_getaddr_next(struct hypha_span *transports, struct hypha_span *ret_scheme)
{
    struct hypha_reader r = hypha_reader_of(*transports);

    if (transports->len == 0)
        return false;
    *ret_scheme = hypha_reader_take_bytes(&r, SIZE_MAX);
    *transports = r.rest;
    return r.err == HYPHA_OK;
}

/* Is it the first of its name, and does it fit? */
static bool goes_in(const struct hy_getaddr_out *getaddr, size_t index, struct hy_list_room *room)
{
    const char *scheme = getaddr->transports[index];

    for (size_t i = 0; i < index; i++)
        if (strcmp(getaddr->transports[i], scheme) == 0)
            return false;
    return hy_list_fits(room, hy_text_size(scheme));
}

/* A longer one would get us banned: schemes that do not fit are left out. */
void hy_getaddr_write(struct hypha_writer *w, const void *message)
{
    const struct hy_getaddr_out *getaddr = message;
    const struct hy_list_room empty = {
        .max_bytes = HY_GETADDR_MAX_BYTES - sizeof getaddr->max,
        .max_count = SIZE_MAX,
    };
    struct hy_list_room room = empty;

    for (size_t i = 0; i < getaddr->count; i++)
        (void)goes_in(getaddr, i, &room);
    hypha_writer_put_u32(w, getaddr->max);
    hypha_writer_put_varint(w, room.count);
    room = empty;
    for (size_t i = 0; i < getaddr->count; i++)
        if (goes_in(getaddr, i, &room))
            hypha_writer_put_text(w, getaddr->transports[i]);
}
