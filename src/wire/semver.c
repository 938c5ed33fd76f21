/* wire/semver.c - semantic versions, as text and on the wire. spec: wire.md 1 (SemVer) */
#include "base/span.h"
#include "wire/message.h"

#include <inttypes.h>
#include <stdio.h>

static bool is_digit(uint8_t byte)
{
    return byte >= '0' && byte <= '9';
}

static bool is_identifier_byte(uint8_t byte)
{
    uint8_t lower = byte | 0x20;

    return is_digit(byte) || (lower >= 'a' && lower <= 'z') || byte == '-';
}

/* One identifier between dots; in a pre-release a number has no leading zero. */
static bool is_identifier(struct hypha_span text, bool leading_zeros)
{
    bool number = true;

    for (size_t i = 0; i < text.len; i++) {
        if (!is_identifier_byte(text.at[i]))
            return false;
        number = number && is_digit(text.at[i]);
    }
    return text.len > 0 && (leading_zeros || !number || text.len == 1 || text.at[0] != '0');
}

/* Empty (there is none), or identifiers with dots between. */
static bool is_identifiers(struct hypha_span text, bool leading_zeros)
{
    while (text.len > 0) {
        const uint8_t *dot = memchr(text.at, '.', text.len);
        size_t len = dot == NULL ? text.len : (size_t)(dot - text.at);

        if (!is_identifier(hy_span(text.at, len), leading_zeros))
            return false;
        if (dot == NULL)
            return true;
        text = hy_span(dot + 1, text.len - len - 1);
        if (text.len == 0)
            return false; /* a dot at the end */
    }
    return true;
}

static bool are_parts_valid(const struct hy_semver *version)
{
    return is_identifiers(version->pre, false) && is_identifiers(version->build, true);
}

/* Take a number without leading zeros. */
static bool parse_number(struct hypha_span *text, uint64_t *ret_value)
{
    uint64_t value = 0;
    size_t len = 0;

    for (; len < text->len && is_digit(text->at[len]); len++) {
        uint64_t digit = (uint64_t)(text->at[len] - '0');

        if (value > (UINT64_MAX - digit) / 10)
            return false;
        value = value * 10 + digit;
    }
    if (len == 0 || (len > 1 && text->at[0] == '0'))
        return false;
    *text = hy_span(text->at + len, text->len - len);
    *ret_value = value;
    return true;
}

static bool parse_byte(struct hypha_span *text, char byte)
{
    if (text->len == 0 || text->at[0] != (uint8_t)byte)
        return false;
    *text = hy_span(text->at + 1, text->len - 1);
    return true;
}

enum hypha_err hy_semver_parse(struct hypha_span text, struct hy_semver *ret_version)
{
    struct hy_semver version = { 0 };
    const uint8_t *plus;

    if (!parse_number(&text, &version.major) || !parse_byte(&text, '.') ||
        !parse_number(&text, &version.minor) || !parse_byte(&text, '.') ||
        !parse_number(&text, &version.patch))
        return HYPHA_ERR_SEMVER;
    plus = text.len > 0 ? memchr(text.at, '+', text.len) : NULL;
    if (plus != NULL) {
        size_t len = (size_t)(plus - text.at);

        version.build = hy_span(plus + 1, text.len - len - 1);
        text.len = len;
        if (version.build.len == 0)
            return HYPHA_ERR_SEMVER;
    }
    if (text.len > 0) {
        if (!parse_byte(&text, '-') || text.len == 0)
            return HYPHA_ERR_SEMVER;
        version.pre = text;
    }
    if (!are_parts_valid(&version))
        return HYPHA_ERR_SEMVER;
    *ret_version = version;
    return HYPHA_OK;
}

static int shown_bytes(struct hypha_span part)
{
    return part.len < HY_SEMVER_TEXT_BYTES ? (int)part.len : HY_SEMVER_TEXT_BYTES;
}

static const char *shown_text(struct hypha_span part)
{
    return part.len > 0 ? (const char *)part.at : "";
}

char *hy_semver_format(const struct hy_semver *version, char *into, size_t size)
{
    (void)snprintf(into, size, "%" PRIu64 ".%" PRIu64 ".%" PRIu64 "%s%.*s%s%.*s", version->major,
        version->minor, version->patch, version->pre.len > 0 ? "-" : "", shown_bytes(version->pre),
        shown_text(version->pre), version->build.len > 0 ? "+" : "", shown_bytes(version->build),
        shown_text(version->build));
    return into;
}

struct hy_semver hy_semver_take(struct hypha_reader *r)
{
    struct hy_semver version;

    version.major = hypha_reader_take_u64(r);
    version.minor = hypha_reader_take_u64(r);
    version.patch = hypha_reader_take_u64(r);
    version.pre = hypha_reader_take_string(r, SIZE_MAX);
    version.build = hypha_reader_take_string(r, SIZE_MAX);
    if (r->err == HYPHA_OK && !are_parts_valid(&version))
        hypha_reader_fail(r, HYPHA_ERR_SEMVER);
    return r->err == HYPHA_OK ? version : (struct hy_semver){ 0 };
}

void hy_semver_put(struct hypha_writer *w, const struct hy_semver *version)
{
    if (!are_parts_valid(version)) {
        hypha_writer_fail(w, HYPHA_ERR_SEMVER);
        return;
    }
    hypha_writer_put_u64(w, version->major);
    hypha_writer_put_u64(w, version->minor);
    hypha_writer_put_u64(w, version->patch);
    hypha_writer_put_string(w, version->pre);
    hypha_writer_put_string(w, version->build);
}
