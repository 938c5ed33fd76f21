/* hypha/wire.h - read and write the values that messages are made of.
 *
 * Reader and writer are sticky: the first error stays, later takes give zero and later
 * puts do nothing, so that a message's function reads like its layout and asks once, at
 * hypha_reader_end() or in writer->err. Neither ever passes the end of its bytes.
 * spec: wire.md#1-serialization
 *
 * Threads: any thread, each object by one at a time. */
#ifndef HYPHA_WIRE_H
#define HYPHA_WIRE_H

#include <hypha/api.h>
#include <hypha/err.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

HYPHA_BEGIN_DECLS

/** Some bytes of somebody else: borrowed, never freed, not ended by a zero. */
struct hypha_span {
    const uint8_t *at;
    size_t len;
};

struct hypha_reader {
    struct hypha_span rest; /**< what is left; empty after an error */
    enum hypha_err err;     /**< the first error */
};

/** Start reading at the front of `bytes`, which must outlive all spans taken from it. */
HYPHA_API struct hypha_reader hypha_reader_of(struct hypha_span bytes);

/** Make `err` the reader's error unless it has one. */
HYPHA_API void hypha_reader_fail(struct hypha_reader *r, enum hypha_err err);

/** The next n bytes; TRUNCATED if there are fewer. The only function that moves. */
HYPHA_API struct hypha_span hypha_reader_take(struct hypha_reader *r, uint64_t n);

HYPHA_API uint8_t hypha_reader_take_u8(struct hypha_reader *r);
HYPHA_API uint16_t hypha_reader_take_u16(struct hypha_reader *r);
HYPHA_API uint32_t hypha_reader_take_u32(struct hypha_reader *r);
HYPHA_API uint64_t hypha_reader_take_u64(struct hypha_reader *r);
/** Any byte but zero is true. */
HYPHA_API bool hypha_reader_take_bool(struct hypha_reader *r);
/** VARINT if not in its shortest form. */
HYPHA_API uint64_t hypha_reader_take_varint(struct hypha_reader *r);
/** A count of elements of at least `min_element_bytes` (1 or more) each. LIMIT if above
 *  `max`, TRUNCATED if the bytes left cannot hold so many: judged before memory is taken. */
HYPHA_API uint64_t hypha_reader_take_count(
    struct hypha_reader *r, uint64_t max, size_t min_element_bytes);
/** Length-prefixed bytes of at most `max_bytes`; LIMIT above. */
HYPHA_API struct hypha_span hypha_reader_take_bytes(struct hypha_reader *r, size_t max_bytes);
/** The same that must be UTF-8; UTF8 if not. Not ended by a zero, may contain zeros. */
HYPHA_API struct hypha_span hypha_reader_take_string(struct hypha_reader *r, size_t max_bytes);

/** The reader's error, or TRAILING if bytes are left. */
HYPHA_API HYPHA_CHECKED enum hypha_err hypha_reader_end(const struct hypha_reader *r);

/** A growing buffer with a maximum. Zeroed memory with `max` set is a valid empty one. */
struct hypha_writer {
    uint8_t *bytes; /**< the writer's until hypha_writer_fini() */
    size_t len;
    size_t cap;
    size_t max;         /**< bytes it may grow to; 0: no limit */
    enum hypha_err err; /**< NOMEM, LIMIT, or what hypha_writer_fail() was told */
};

HYPHA_API void hypha_writer_fini(struct hypha_writer *w);
/** Forget bytes and error, keep the memory. */
HYPHA_API void hypha_writer_reset(struct hypha_writer *w);
HYPHA_API void hypha_writer_fail(struct hypha_writer *w, enum hypha_err err);
HYPHA_API struct hypha_span hypha_writer_span(const struct hypha_writer *w);

/** Raw bytes without a length. */
HYPHA_API void hypha_writer_put(struct hypha_writer *w, struct hypha_span bytes);
HYPHA_API void hypha_writer_put_u8(struct hypha_writer *w, uint8_t value);
HYPHA_API void hypha_writer_put_u16(struct hypha_writer *w, uint16_t value);
HYPHA_API void hypha_writer_put_u32(struct hypha_writer *w, uint32_t value);
HYPHA_API void hypha_writer_put_u64(struct hypha_writer *w, uint64_t value);
HYPHA_API void hypha_writer_put_bool(struct hypha_writer *w, bool value);
HYPHA_API void hypha_writer_put_varint(struct hypha_writer *w, uint64_t value);
/** Length and bytes. */
HYPHA_API void hypha_writer_put_bytes(struct hypha_writer *w, struct hypha_span bytes);
/** The same; fails with UTF8 if it is none. */
HYPHA_API void hypha_writer_put_string(struct hypha_writer *w, struct hypha_span text);
/** The same for a C string. */
HYPHA_API void hypha_writer_put_text(struct hypha_writer *w, const char *text);

HYPHA_END_DECLS

#endif
