#include "url/buffer.h"

#include "base/alloc.h"

void hy_url_buffer_fini(struct hy_url_buffer *b)
{
    if (b->at != b->first)
        hy_free(b->at);
    b->at = b->first;
}

bool hy_url_buffer_grow(struct hy_url_buffer *b, size_t n)
{
    if (b->err == HYPHA_OK && n > HY_URL_MAX_BYTES - b->len)
        b->err = HYPHA_ERR_URL;
    if (b->err != HYPHA_OK)
        return false;
    if (n <= b->cap - b->len)
        return true;

    size_t cap = b->cap;
    while (cap - b->len < n)
        cap *= 2; /* a power of two: ends at HY_URL_MAX_BYTES */
    char *at = hy_realloc(b->at == b->first ? NULL : b->at, cap);
    if (at == NULL) {
        b->err = HYPHA_ERR_NOMEM;
        return false;
    }
    if (b->at == b->first)
        memcpy(at, b->first, b->len);
    b->at = at;
    b->cap = cap;
    return true;
}

void hy_url_buffer_put_decimal(struct hy_url_buffer *b, unsigned value)
{
    char digits[10];
    size_t at = sizeof digits;

    do {
        digits[--at] = (char)('0' + value % 10);
        value /= 10;
    } while (value > 0);
    hy_url_buffer_put(b, digits + at, sizeof digits - at);
}

void hy_url_buffer_insert(struct hy_url_buffer *b, size_t where, const char *bytes, size_t n)
{
    if (!hy_url_buffer_has_room(b, n))
        return;
    memmove(b->at + where + n, b->at + where, b->len - where);
    memcpy(b->at + where, bytes, n);
    b->len += n;
}
