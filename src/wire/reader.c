/* wire/reader.c - take values off the front of a span, never past its end.
 *
 * After an error `rest` is empty, so that every later take fails too and gives zero: the
 * fast path has one comparison, and no function asks for the error. spec: wire.md 1 */
#include <hypha/wire.h>

#include "base/span.h"
#include "wire/utf8.h"

#include <endian.h>

struct hypha_reader hypha_reader_of(struct hypha_span bytes)
{
    return (struct hypha_reader){ .rest = bytes };
}

static inline void fail(struct hypha_reader *r, enum hypha_err err)
{
    if (r->err == HYPHA_OK)
        *r = (struct hypha_reader){ .err = err };
}

/* The only function that moves a wire pointer; NULL if there are not n bytes, n > 0. */
static inline const uint8_t *move(struct hypha_reader *r, size_t n)
{
    const uint8_t *at = r->rest.at;

    if (n > r->rest.len) {
        fail(r, HYPHA_ERR_TRUNCATED);
        return NULL;
    }
    r->rest.at += n;
    r->rest.len -= n;
    return at;
}

static inline struct hypha_span take(struct hypha_reader *r, uint64_t n)
{
    const uint8_t *at;

    if (n == 0)
        return (struct hypha_span){ 0 };
    at = move(r, n > SIZE_MAX ? SIZE_MAX : (size_t)n);
    return (struct hypha_span){ at, at == NULL ? 0 : (size_t)n };
}

static inline uint8_t take_u8(struct hypha_reader *r)
{
    const uint8_t *at = move(r, 1);

    return at == NULL ? 0 : *at;
}

static inline uint16_t take_u16(struct hypha_reader *r)
{
    uint16_t value = 0;
    const uint8_t *at = move(r, sizeof value);

    if (at != NULL)
        memcpy(&value, at, sizeof value);
    return le16toh(value);
}

static inline uint32_t take_u32(struct hypha_reader *r)
{
    uint32_t value = 0;
    const uint8_t *at = move(r, sizeof value);

    if (at != NULL)
        memcpy(&value, at, sizeof value);
    return le32toh(value);
}

static inline uint64_t take_u64(struct hypha_reader *r)
{
    uint64_t value = 0;
    const uint8_t *at = move(r, sizeof value);

    if (at != NULL)
        memcpy(&value, at, sizeof value);
    return le64toh(value);
}

static uint64_t take_long_varint(struct hypha_reader *r, uint8_t form)
{
    uint64_t value, least;

    if (form == 0xfd) {
        value = take_u16(r);
        least = 0xfd;
    } else if (form == 0xfe) {
        value = take_u32(r);
        least = UINT64_C(0x10000);
    } else {
        value = take_u64(r);
        least = UINT64_C(0x100000000);
    }
    if (value < least) {
        fail(r, HYPHA_ERR_VARINT); /* unless TRUNCATED was first */
        return 0;
    }
    return value;
}

static inline uint64_t take_varint(struct hypha_reader *r)
{
    uint8_t first = take_u8(r);

    return first < 0xfd ? first : take_long_varint(r, first);
}

static inline struct hypha_span take_bytes(struct hypha_reader *r, size_t max_bytes)
{
    uint64_t len = take_varint(r);

    if (len > max_bytes) {
        fail(r, HYPHA_ERR_LIMIT);
        return (struct hypha_span){ 0 };
    }
    return take(r, len);
}

void hypha_reader_fail(struct hypha_reader *r, enum hypha_err err)
{
    fail(r, err);
}

struct hypha_span hypha_reader_take(struct hypha_reader *r, uint64_t n)
{
    return take(r, n);
}

uint8_t hypha_reader_take_u8(struct hypha_reader *r)
{
    return take_u8(r);
}

uint16_t hypha_reader_take_u16(struct hypha_reader *r)
{
    return take_u16(r);
}

uint32_t hypha_reader_take_u32(struct hypha_reader *r)
{
    return take_u32(r);
}

uint64_t hypha_reader_take_u64(struct hypha_reader *r)
{
    return take_u64(r);
}

bool hypha_reader_take_bool(struct hypha_reader *r)
{
    return take_u8(r) != 0;
}

uint64_t hypha_reader_take_varint(struct hypha_reader *r)
{
    return take_varint(r);
}

uint64_t hypha_reader_take_count(struct hypha_reader *r, uint64_t max, size_t min_element_bytes)
{
    uint64_t count = take_varint(r);

    if (count > max)
        fail(r, HYPHA_ERR_LIMIT);
    else if (count > r->rest.len / (min_element_bytes > 0 ? min_element_bytes : 1))
        fail(r, HYPHA_ERR_TRUNCATED);
    return r->err == HYPHA_OK ? count : 0;
}

struct hypha_span hypha_reader_take_bytes(struct hypha_reader *r, size_t max_bytes)
{
    return take_bytes(r, max_bytes);
}

struct hypha_span hypha_reader_take_string(struct hypha_reader *r, size_t max_bytes)
{
    struct hypha_span text = take_bytes(r, max_bytes);

    if (text.len > 0 && !hy_wire_is_utf8(text)) {
        fail(r, HYPHA_ERR_UTF8);
        return (struct hypha_span){ 0 };
    }
    return text;
}

enum hypha_err hypha_reader_end(const struct hypha_reader *r)
{
    if (r->err != HYPHA_OK)
        return r->err;
    return r->rest.len > 0 ? HYPHA_ERR_TRAILING : HYPHA_OK;
}
