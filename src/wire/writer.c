/* wire/writer.c - append values to a growing buffer, never past its maximum.
 * spec: wire.md 1 */
#include <hypha/wire.h>

#include "base/alloc.h"
#include "base/span.h"
#include "wire/utf8.h"

#include <endian.h>

#define FIRST_CAP_BYTES 128U

static inline void fail(struct hypha_writer *w, enum hypha_err err)
{
    if (w->err == HYPHA_OK)
        w->err = err;
}

static bool grow(struct hypha_writer *w, size_t n)
{
    size_t max = w->max > 0 ? w->max : SIZE_MAX;
    size_t cap = w->cap > FIRST_CAP_BYTES / 2 ? w->cap : FIRST_CAP_BYTES / 2;
    uint8_t *bytes;

    if (w->len > max || n > max - w->len) {
        fail(w, HYPHA_ERR_LIMIT);
        return false;
    }
    if (n <= w->cap - w->len)
        return true;
    cap = cap > max / 2 ? max : cap * 2;
    if (cap - w->len < n)
        cap = w->len + n;
    bytes = hy_realloc(w->bytes, cap);
    if (bytes == NULL) {
        fail(w, HYPHA_ERR_NOMEM);
        return false;
    }
    w->bytes = bytes;
    w->cap = cap;
    return true;
}

/* Room for n more bytes, which the caller fills; NULL after an error. */
static inline uint8_t *extend(struct hypha_writer *w, size_t n)
{
    uint8_t *at;

    if (w->err != HYPHA_OK)
        return NULL;
    if (n > w->cap - w->len || (w->max > 0 && w->len + n > w->max))
        if (!grow(w, n))
            return NULL;
    at = w->bytes + w->len;
    w->len += n;
    return at;
}

/* Length of a VarInt's encoding. */
static inline size_t varint_size(uint64_t value)
{
    return value < 0xfd ? 1 : value <= 0xffff ? 3 : value <= 0xffffffff ? 5 : 9;
}

/* Write a VarInt of that size. */
static inline void store_varint(uint8_t *at, size_t size, uint64_t value)
{
    static const uint8_t forms[9] = { [2] = 0xfd, [4] = 0xfe, [8] = 0xff };
    uint64_t le = htole64(value);

    if (size == 1) {
        at[0] = (uint8_t)value;
        return;
    }
    at[0] = forms[size - 1];
    memcpy(at + 1, &le, size - 1); /* the low bytes come first */
}

void hypha_writer_fini(struct hypha_writer *w)
{
    hy_free(w->bytes);
    *w = (struct hypha_writer){ .max = w->max };
}

void hypha_writer_reset(struct hypha_writer *w)
{
    w->len = 0;
    w->err = HYPHA_OK;
}

void hypha_writer_fail(struct hypha_writer *w, enum hypha_err err)
{
    fail(w, err);
}

struct hypha_span hypha_writer_span(const struct hypha_writer *w)
{
    return hy_span(w->bytes, w->len);
}

void hypha_writer_put(struct hypha_writer *w, struct hypha_span bytes)
{
    uint8_t *at;

    if (bytes.len > 0 && (at = extend(w, bytes.len)) != NULL)
        memcpy(at, bytes.at, bytes.len);
}

void hypha_writer_put_u8(struct hypha_writer *w, uint8_t value)
{
    uint8_t *at = extend(w, 1);

    if (at != NULL)
        *at = value;
}

void hypha_writer_put_u16(struct hypha_writer *w, uint16_t value)
{
    uint8_t *at = extend(w, sizeof value);

    value = htole16(value);
    if (at != NULL)
        memcpy(at, &value, sizeof value);
}

void hypha_writer_put_u32(struct hypha_writer *w, uint32_t value)
{
    uint8_t *at = extend(w, sizeof value);

    value = htole32(value);
    if (at != NULL)
        memcpy(at, &value, sizeof value);
}

void hypha_writer_put_u64(struct hypha_writer *w, uint64_t value)
{
    uint8_t *at = extend(w, sizeof value);

    value = htole64(value);
    if (at != NULL)
        memcpy(at, &value, sizeof value);
}

void hypha_writer_put_bool(struct hypha_writer *w, bool value)
{
    hypha_writer_put_u8(w, value ? 1 : 0);
}

void hypha_writer_put_varint(struct hypha_writer *w, uint64_t value)
{
    size_t size = varint_size(value);
    uint8_t *at = extend(w, size);

    if (at != NULL)
        store_varint(at, size, value);
}

void hypha_writer_put_bytes(struct hypha_writer *w, struct hypha_span bytes)
{
    size_t size = varint_size(bytes.len);
    uint8_t *at = extend(w, size + bytes.len);

    if (at == NULL)
        return;
    store_varint(at, size, bytes.len);
    if (bytes.len > 0)
        memcpy(at + size, bytes.at, bytes.len);
}

void hypha_writer_put_string(struct hypha_writer *w, struct hypha_span text)
{
    if (text.len > 0 && !hy_wire_is_utf8(text))
        fail(w, HYPHA_ERR_UTF8);
    else
        hypha_writer_put_bytes(w, text);
}

void hypha_writer_put_text(struct hypha_writer *w, const char *text)
{
    hypha_writer_put_string(w, hy_span_of(text));
}
