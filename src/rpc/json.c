#include "rpc/json.h"
#include "base/alloc.h"
#include "base/span.h"

#include <errno.h>
#include <locale.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

/* The first error sticks. */
struct reader {
    struct hypha_span rest;
    int depth;
    enum hypha_err err;
};

void hy_rpc_json_init(void)
{
    json_set_alloc_funcs(hy_alloc, hy_free);
}

static json_t *fail(struct reader *r, enum hypha_err err)
{
    if (r->err == HYPHA_OK)
        r->err = err;
    return NULL;
}

/* What jansson has made; NULL can only be a lack of memory. */
static json_t *made(struct reader *r, json_t *value)
{
    return value != NULL ? value : fail(r, HYPHA_ERR_NOMEM);
}

static void skip(struct reader *r, size_t count)
{
    r->rest.at += count;
    r->rest.len -= count;
}

static bool next_is(const struct reader *r, char c)
{
    return r->rest.len > 0 && r->rest.at[0] == (uint8_t)c;
}

static bool take(struct reader *r, char c)
{
    bool is = next_is(r, c);

    if (is)
        skip(r, 1);
    return is;
}

static void skip_blanks(struct reader *r)
{
    while (take(r, ' ') || take(r, '\t') || take(r, '\n') || take(r, '\r'))
        ;
}

/* ---- strings ---- */

static bool take_hex4(struct hypha_span *rest, uint32_t *ret_unit)
{
    uint32_t unit = 0;

    if (rest->len < 4)
        return false;
    for (size_t i = 0; i < 4; i++) {
        uint8_t c = rest->at[i];

        if (c >= '0' && c <= '9')
            unit = unit * 16 + (uint32_t)(c - '0');
        else if ((c | 0x20) >= 'a' && (c | 0x20) <= 'f')
            unit = unit * 16 + (uint32_t)((c | 0x20) - 'a' + 10);
        else
            return false;
    }
    rest->at += 4;
    rest->len -= 4;
    *ret_unit = unit;
    return true;
}

/* After "\u": one unit, or a pair of surrogates. */
static bool take_code_point(struct hypha_span *rest, uint32_t *ret_point)
{
    uint32_t high, low;

    if (!take_hex4(rest, &high) || (high >= 0xdc00 && high <= 0xdfff))
        return false;
    *ret_point = high;
    if (high < 0xd800 || high > 0xdbff)
        return true;
    if (rest->len < 2 || rest->at[0] != '\\' || rest->at[1] != 'u')
        return false;
    rest->at += 2;
    rest->len -= 2;
    if (!take_hex4(rest, &low) || low < 0xdc00 || low > 0xdfff)
        return false;
    *ret_point = 0x10000 + ((high - 0xd800) << 10) + (low - 0xdc00);
    return true;
}

/* At most four bytes, from at least six of the text. */
static size_t put_utf8(char *to, uint32_t point)
{
    if (point < 0x80) {
        to[0] = (char)point;
        return 1;
    }
    size_t more = point < 0x800 ? 1 : point < 0x10000 ? 2 : 3;
    static const uint8_t heads[] = { 0, 0xc0, 0xe0, 0xf0 };
    to[0] = (char)(heads[more] | (point >> (6 * more)));
    for (size_t i = 1; i <= more; i++)
        to[i] = (char)(0x80 | ((point >> (6 * (more - i))) & 0x3f));
    return more + 1;
}

/* `into` has room for as many bytes as `raw`. */
static bool unescape(struct hypha_span raw, char *into, size_t *ret_len)
{
    static const char names[] = "\"\\/bfnrt", meant[] = "\"\\/\b\f\n\r\t";
    size_t len = 0;

    while (raw.len > 0) {
        uint8_t c = raw.at[0];
        uint32_t point;

        raw.at++;
        raw.len--;
        if (c != '\\') {
            into[len++] = (char)c;
            continue;
        }
        c = raw.at[0]; /* there is one: the end of the string was found by this */
        raw.at++;
        raw.len--;
        const char *name = c != '\0' ? strchr(names, c) : NULL;
        if (name != NULL)
            into[len++] = meant[name - names];
        else if (c == 'u' && take_code_point(&raw, &point))
            len += put_utf8(into + len, point);
        else
            return false;
    }
    *ret_len = len;
    return true;
}

/* What stands between the quotes. False: it does not end, or is no text. */
static bool take_raw(struct reader *r, struct hypha_span *ret_raw)
{
    size_t len = 0;

    if (!take(r, '"'))
        return false;
    while (len < r->rest.len && r->rest.at[len] != '"') {
        if (r->rest.at[len] < 0x20)
            return false;
        len += r->rest.at[len] == '\\' ? 2 : 1;
    }
    if (len >= r->rest.len)
        return false;
    *ret_raw = hy_span(r->rest.at, len);
    skip(r, len + 1);
    return hy_span_is_utf8(*ret_raw);
}

/* The caller's to free, ended by a zero. NULL: failed. */
static char *read_text(struct reader *r, size_t *ret_len)
{
    struct hypha_span raw;
    char *text = NULL;

    if (!take_raw(r, &raw))
        (void)fail(r, HYPHA_ERR_MALFORMED);
    else if ((text = hy_alloc(raw.len + 1)) == NULL)
        (void)fail(r, HYPHA_ERR_NOMEM);
    else if (!unescape(raw, text, ret_len))
        (void)fail(r, HYPHA_ERR_MALFORMED);
    if (r->err == HYPHA_OK)
        return text;
    hy_free(text);
    return NULL;
}

static json_t *read_string(struct reader *r)
{
    size_t len;
    char *text = read_text(r, &len);
    json_t *value = text != NULL ? made(r, json_stringn_nocheck(text, len)) : NULL;

    hy_free(text);
    return value;
}

/* ---- numbers ---- */

static size_t skip_digits(struct reader *r)
{
    size_t count = 0;

    for (; r->rest.len > 0 && r->rest.at[0] >= '0' && r->rest.at[0] <= '9'; count++)
        skip(r, 1);
    return count;
}

/* One number; false: it is none. */
static bool skip_number(struct reader *r, bool *ret_fraction)
{
    *ret_fraction = false;
    (void)take(r, '-');
    if (!take(r, '0') && skip_digits(r) == 0)
        return false;
    if (take(r, '.')) {
        *ret_fraction = true;
        if (skip_digits(r) == 0)
            return false;
    }
    if (next_is(r, 'e') || next_is(r, 'E')) {
        *ret_fraction = true;
        skip(r, 1);
        if (!take(r, '+'))
            (void)take(r, '-');
        return skip_digits(r) > 0;
    }
    return true;
}

static json_t *make_integer(struct reader *r, const char *text)
{
    errno = 0;
    long long number = strtoll(text, NULL, 10);
    return errno == 0 ? made(r, json_integer(number)) : fail(r, HYPHA_ERR_MALFORMED);
}

static json_t *make_real(struct reader *r, char *text)
{
    char *dot = strchr(text, '.');

    if (dot != NULL) /* strtod() reads numbers as people here write them */
        *dot = *localeconv()->decimal_point;
    double number = strtod(text, NULL);
    return isfinite(number) ? made(r, json_real(number)) : fail(r, HYPHA_ERR_MALFORMED);
}

static json_t *read_number(struct reader *r)
{
    const char *start = (const char *)r->rest.at;
    size_t before = r->rest.len;
    bool fraction;

    if (!skip_number(r, &fraction))
        return fail(r, HYPHA_ERR_MALFORMED);
    char *text = hy_strndup(start, before - r->rest.len);
    if (text == NULL)
        return fail(r, HYPHA_ERR_NOMEM);
    json_t *value = fraction ? make_real(r, text) : make_integer(r, text);
    hy_free(text);
    return value;
}

/* ---- all of them ---- */

static json_t *read_value(struct reader *r);

/* After an item: true if another follows, false at the end or on an error. */
static bool goes_on(struct reader *r, char end)
{
    if (r->err != HYPHA_OK)
        return false;
    skip_blanks(r);
    if (take(r, ','))
        return true;
    if (!take(r, end))
        (void)fail(r, HYPHA_ERR_MALFORMED);
    return false;
}

static void read_item(struct reader *r, json_t *array)
{
    json_t *value = read_value(r);

    if (value != NULL && json_array_append_new(array, value) != 0)
        (void)fail(r, HYPHA_ERR_NOMEM);
}

static void read_member(struct reader *r, json_t *object)
{
    json_t *value = NULL;
    size_t len;

    skip_blanks(r);
    char *key = read_text(r, &len);
    if (key == NULL)
        return;
    skip_blanks(r);
    if (strlen(key) != len || json_object_get(object, key) != NULL || !take(r, ':'))
        (void)fail(r, HYPHA_ERR_MALFORMED);
    else
        value = read_value(r);
    if (value != NULL && json_object_set_new_nocheck(object, key, value) != 0)
        (void)fail(r, HYPHA_ERR_NOMEM);
    hy_free(key);
}

static json_t *read_container(struct reader *r, json_t *container)
{
    bool is_array = json_is_array(container);
    char end = is_array ? ']' : '}';

    skip(r, 1);
    if (made(r, container) == NULL)
        return NULL;
    if (++r->depth > HY_RPC_MAX_DEPTH)
        (void)fail(r, HYPHA_ERR_MALFORMED);
    skip_blanks(r);
    if (r->err == HYPHA_OK && !take(r, end))
        do {
            if (is_array)
                read_item(r, container);
            else
                read_member(r, container);
        } while (goes_on(r, end));
    r->depth--;
    if (r->err == HYPHA_OK)
        return container;
    json_decref(container);
    return NULL;
}

static json_t *read_word(struct reader *r, const char *word, json_t *value)
{
    size_t len = strlen(word);

    if (r->rest.len < len || memcmp(r->rest.at, word, len) != 0)
        return fail(r, HYPHA_ERR_MALFORMED);
    skip(r, len);
    return value;
}

/* Recursive, but no deeper than HY_RPC_MAX_DEPTH. */
static json_t *read_value(struct reader *r)
{
    skip_blanks(r);
    switch (r->rest.len > 0 ? r->rest.at[0] : '\0') {
    case '[':
        return read_container(r, json_array());
    case '{':
        return read_container(r, json_object());
    case '"':
        return read_string(r);
    case 't':
        return read_word(r, "true", json_true());
    case 'f':
        return read_word(r, "false", json_false());
    case 'n':
        return read_word(r, "null", json_null());
    default:
        return read_number(r);
    }
}

enum hypha_err hy_rpc_json_parse(struct hypha_span text, json_t **ret_value)
{
    struct reader r = { .rest = text };
    json_t *value = read_value(&r);

    if (r.err == HYPHA_OK) {
        skip_blanks(&r);
        if (r.rest.len > 0)
            (void)fail(&r, HYPHA_ERR_MALFORMED);
    }
    if (r.err != HYPHA_OK) {
        json_decref(value);
        return r.err;
    }
    *ret_value = value;
    return HYPHA_OK;
}
