/* message.h - the fuzz targets of the core messages: read, write, read again, write again. */
#ifndef FUZZ_MESSAGE_H
#define FUZZ_MESSAGE_H

#include "fuzz.h"

#include "base/span.h"
#include "wire/message.h"

/* A copy as a C string, up to the first zero; free with free(). */
static inline char *fuzz_text(struct hypha_span text)
{
    return text.len == 0 ? strdup("") : strndup((const char *)text.at, text.len);
}

/* Write what was read, as the sender of such a message would. */
typedef void (*fuzz_rewrite)(struct hypha_writer *w, const void *message);

/* Read `payload` and write it again; false: it does not parse. */
static inline bool fuzz_rewrite_one(const struct hypha_message_type *type,
    struct hypha_span payload, fuzz_rewrite rewrite, struct hypha_writer *w)
{
    _Alignas(max_align_t) unsigned char place[HYPHA_MAX_MESSAGE_STRUCT_BYTES] = { 0 };
    struct hypha_reader r = hypha_reader_of(payload);

    type->read(&r, place);
    FUZZ_CHECK(r.err == HYPHA_OK || r.rest.len == 0);
    if (hypha_reader_end(&r) != HYPHA_OK)
        return false;
    rewrite(w, place);
    return true;
}

/* What our writer makes of a message is its final form, and within the limits; with `exact`
 * there is only one form. */
static inline void fuzz_message(
    enum hy_core_message which, const uint8_t *data, size_t size, fuzz_rewrite rewrite, bool exact)
{
    const struct hypha_message_type *type = &hy_core_messages[which];
    struct hypha_writer once = { 0 }, twice = { 0 };

    if (fuzz_rewrite_one(type, hy_span(data, size), rewrite, &once) && once.err == HYPHA_OK) {
        struct hypha_span made = hypha_writer_span(&once);

        FUZZ_CHECK(!exact || hy_span_equal(made, hy_span(data, size)));
        FUZZ_CHECK(exact || made.len <= type->max_bytes);
        FUZZ_CHECK(fuzz_rewrite_one(type, made, rewrite, &twice));
        FUZZ_CHECK(hy_span_equal(made, hypha_writer_span(&twice)));
    }
    hypha_writer_fini(&once);
    hypha_writer_fini(&twice);
}

#endif
