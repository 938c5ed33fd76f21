/* base/span.h - look at borrowed bytes. */
#ifndef HY_BASE_SPAN_H
#define HY_BASE_SPAN_H

#include <hypha/wire.h>
#include <stdbool.h>
#include <string.h>

static inline struct hypha_span hy_span(const void *at, size_t len)
{
    return (struct hypha_span){ (const uint8_t *)at, len };
}

static inline struct hypha_span hy_span_of(const char *text)
{
    return hy_span(text, strlen(text));
}

static inline bool hy_span_equal(struct hypha_span a, struct hypha_span b)
{
    return a.len == b.len && (a.len == 0 || memcmp(a.at, b.at, a.len) == 0);
}

static inline bool hy_span_is(struct hypha_span a, const char *text)
{
    return hy_span_equal(a, hy_span_of(text));
}

/* All of it is well-formed UTF-8 (Unicode 15, table 3-7: no surrogates, no overlong forms). */
bool hy_span_is_utf8(struct hypha_span text);

/* Write `text` with control characters, quotes' backslashes and bad UTF-8 escaped (\n, \x1b),
 * cut to fit and always ended by a zero: for showing a peer's bytes. Returns `into`. */
char *hy_span_escape(struct hypha_span text, char *into, size_t size);

#endif
