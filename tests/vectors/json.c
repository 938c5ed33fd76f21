#include "vectors/json.h"

#include "base/span.h"
#include "vectors/bytes.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

/* The digits at `at` are an integer above INT64_MAX. */
static bool is_big(const char *at, size_t len)
{
    char digits[21];

    if (len < 19 || len >= sizeof digits)
        return false;
    memcpy(digits, at, len);
    digits[len] = '\0';
    errno = 0;
    return strtoull(digits, NULL, 10) > INT64_MAX && errno == 0;
}

/* Copy, with quotes around integers that are too large. */
static void quote_big(struct hypha_writer *w, const char *text, size_t len)
{
    bool inside = false;

    for (size_t i = 0; i < len;) {
        size_t run = inside || (i > 0 && text[i - 1] == '-') ? 0 : strspn(text + i, "0123456789");

        if (run > 0 && is_big(text + i, run)) {
            hypha_writer_put_u8(w, '"');
            hypha_writer_put(w, hy_span(text + i, run));
            hypha_writer_put_u8(w, '"');
            i += run;
        } else if (inside && text[i] == '\\') {
            hypha_writer_put(w, hy_span(text + i, 2));
            i += 2;
        } else {
            inside ^= text[i] == '"';
            run = run > 0 ? run : 1;
            hypha_writer_put(w, hy_span(text + i, run));
            i += run;
        }
    }
}

json_t *test_json_parse(const char *text, size_t len)
{
    struct hypha_writer w = { 0 };
    json_error_t error;
    json_t *value;

    quote_big(&w, text, len);
    value = json_loadb((const char *)w.bytes, w.len, JSON_ALLOW_NUL, &error);
    if (value == NULL)
        (void)fprintf(stderr, "line %d: %s\n", error.line, error.text);
    hypha_writer_fini(&w);
    return value;
}

json_t *test_json_load(const char *name)
{
    char *text = test_read_data(name);
    json_t *value = text == NULL ? NULL : test_json_parse(text, strlen(text));

    free(text);
    return value;
}

json_t *test_json_u64(uint64_t value)
{
    char digits[24];

    if (value <= INT64_MAX)
        return json_integer((json_int_t)value);
    (void)snprintf(digits, sizeof digits, "%" PRIu64, value);
    return json_string(digits);
}

uint64_t test_json_to_u64(const json_t *value)
{
    if (json_is_string(value))
        return strtoull(json_string_value(value), NULL, 10);
    return (uint64_t)json_integer_value(value);
}

json_t *test_json_span(struct hypha_span text)
{
    return json_stringn(text.len > 0 ? (const char *)text.at : "", text.len);
}

struct hypha_span test_json_to_span(const json_t *value)
{
    return hy_span(json_string_value(value), json_string_length(value));
}

const char *test_json_text(const json_t *object, const char *key)
{
    return json_string_value(json_object_get(object, key));
}
