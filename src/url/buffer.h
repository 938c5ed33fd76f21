/* url/buffer.h - a text that grows while it is parsed: first on the stack, then in memory.
 *
 * Sticky: after the first error (NOMEM; URL: over HY_URL_MAX_BYTES) puts do nothing. Most
 * addresses fit the first bytes, so that judging one costs no allocation. */
#ifndef HY_URL_BUFFER_H
#define HY_URL_BUFFER_H

#include <hypha/wire.h>
#include <string.h>

/* Longer texts are refused, as read and as normalised: nobody writes such an address. */
#define HY_URL_MAX_BYTES   65536U
#define HY_URL_FIRST_BYTES 512U

struct hy_url_buffer {
    char *at; /* `first`, or allocated */
    size_t len;
    size_t cap;
    enum hypha_err err;
    char first[HY_URL_FIRST_BYTES];
};

/* Leaves `first` unset: it is never read beyond `len`. */
static inline void hy_url_buffer_init(struct hy_url_buffer *b)
{
    b->at = b->first;
    b->len = 0;
    b->cap = sizeof b->first;
    b->err = HYPHA_OK;
}

void hy_url_buffer_fini(struct hy_url_buffer *b);

/* Make room for n more bytes; false after an error. */
bool hy_url_buffer_grow(struct hy_url_buffer *b, size_t n);

static inline bool hy_url_buffer_has_room(struct hy_url_buffer *b, size_t n)
{
    return (b->err == HYPHA_OK && n <= b->cap - b->len) || hy_url_buffer_grow(b, n);
}

static inline void hy_url_buffer_put(struct hy_url_buffer *b, const void *bytes, size_t n)
{
    if (n == 0 || !hy_url_buffer_has_room(b, n))
        return;
    memcpy(b->at + b->len, bytes, n);
    b->len += n;
}

static inline void hy_url_buffer_put_byte(struct hy_url_buffer *b, char byte)
{
    if (!hy_url_buffer_has_room(b, 1))
        return;
    b->at[b->len++] = byte;
}

void hy_url_buffer_put_decimal(struct hy_url_buffer *b, unsigned value);

/* Put `n` bytes in at `where`, moving the rest. */
void hy_url_buffer_insert(struct hy_url_buffer *b, size_t where, const char *bytes, size_t n);

static inline struct hypha_span hy_url_buffer_from(const struct hy_url_buffer *b, size_t start)
{
    return (struct hypha_span){ (const uint8_t *)b->at + start, b->len - start };
}

#endif
