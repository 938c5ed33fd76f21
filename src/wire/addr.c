/* wire/addr.c - addresses and when they were last seen. spec: wire.md 3.1, 5.5 */
#include "base/span.h"
#include "wire/core.h"
#include "wire/list.h"

#define LAST_SEEN_BYTES 8U
/* A URL's length, no text at all, and the time. */
#define MIN_ENTRY_BYTES (1U + LAST_SEEN_BYTES)

void hy_addr_read(struct hypha_reader *r, void *ret_message)
{
    struct hy_addr *addr = ret_message;
    struct hypha_span before;

    addr->count = (size_t)hypha_reader_take_count(r, SIZE_MAX, MIN_ENTRY_BYTES);
    before = r->rest;
    for (size_t i = 0; i < addr->count && r->err == HYPHA_OK; i++) {
        (void)hy_url_take_text(r);
        (void)hypha_reader_take(r, LAST_SEEN_BYTES);
    }
    addr->entries = hy_list_taken(r, before);
}

bool hy_addr_next(struct hypha_span *entries, struct hypha_url **ret_url, uint64_t *ret_last_seen,
    enum hypha_err *ret_err)
{
    struct hypha_reader r = hypha_reader_of(*entries);

    if (!hy_url_next(&r, ret_url, ret_err))
        return false;
    *ret_last_seen = hypha_reader_take_u64(&r);
    *entries = r.rest;
    return true;
}

void hy_addr_write(struct hypha_writer *w, const void *message)
{
    const struct hy_addr_out *addr = message;
    const struct hy_list_room empty = {
        .max_bytes = HY_ADDR_MAX_BYTES,
        .max_count = HY_ADDR_MAX_ENTRIES,
    };
    struct hy_list_room room = empty;

    for (size_t i = 0; i < addr->count; i++)
        (void)hy_list_fits(&room, hy_url_size(addr->entries[i].url) + LAST_SEEN_BYTES);
    hypha_writer_put_varint(w, room.count);
    room = empty;
    for (size_t i = 0; i < addr->count; i++) {
        const struct hy_addr_entry *entry = &addr->entries[i];

        if (!hy_list_fits(&room, hy_url_size(entry->url) + LAST_SEEN_BYTES))
            continue;
        hy_url_put(w, entry->url);
        hypha_writer_put_u64(w, entry->last_seen);
    }
}
