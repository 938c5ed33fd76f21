/* url/parse.c - the URL parser: one pass over the input, the normal form written as it goes.
 *
 * The standard's states are functions here, in the order in which a URL is written: scheme,
 * authority (userinfo, host, port), path, query, fragment. Each takes its part off p->rest. */
#include "url/parse.h"

#include "base/span.h"
#include "url/encode.h"

/* The schemes whose hosts are domains. spec: wire.md 1 (Url) */
static const struct special {
    const char *name;
    size_t len;
    uint16_t default_port;
} specials[] = {
#define SPECIAL(name, port)                                                                        \
    {                                                                                              \
        (name), sizeof(name) - 1, (port)                                                           \
    }
    SPECIAL("tcp", 0),
    SPECIAL("tcp+tls", 0),
    SPECIAL("tor", 0),
    SPECIAL("tor+tls", 0),
    SPECIAL("nym", 0),
    SPECIAL("nym+tls", 0),
    SPECIAL("socks5", 0),
    SPECIAL("socks5+tls", 0),
    SPECIAL("http", 80),
    SPECIAL("https", 443),
    SPECIAL("ws", 80),
    SPECIAL("wss", 443),
    SPECIAL("ftp", 21),
    SPECIAL("file", 0),
#undef SPECIAL
};

static struct hy_url_part part_from(const struct hy_url_parser *p, size_t start)
{
    return (struct hy_url_part){ (uint32_t)start, (uint32_t)(p->out.len - start) };
}

static void skip(struct hy_url_parser *p, size_t n)
{
    p->rest.at += n;
    p->rest.len -= n;
}

static bool is_next(const struct hy_url_parser *p, char byte)
{
    return p->rest.len > 0 && p->rest.at[0] == (uint8_t)byte;
}

/* A slash, or what counts as one in a special scheme. */
static bool is_next_slash(const struct hy_url_parser *p)
{
    return is_next(p, '/') || (p->is_special && is_next(p, '\\'));
}

/* Take all before the path, query or fragment. */
static struct hypha_span take_segment(struct hy_url_parser *p)
{
    struct hypha_span head = { p->rest.at, 0 };

    for (; head.len < p->rest.len; head.len++) {
        uint8_t byte = p->rest.at[head.len];

        if (byte == '/' || byte == '?' || byte == '#' || (p->is_special && byte == '\\'))
            break;
    }
    skip(p, head.len);
    return head;
}

/* ---- scheme ---- */

static enum hypha_err parse_scheme(struct hy_url_parser *p)
{
    size_t len = 0;

    if (p->rest.len == 0 || !hy_url_is_alpha(p->rest.at[0]))
        return HYPHA_ERR_URL;
    for (; len < p->rest.len && p->rest.at[len] != ':'; len++) {
        uint8_t byte = p->rest.at[len];

        if (!hy_url_is_alpha(byte) && !hy_url_is_digit(byte) && byte != '+' && byte != '-' &&
            byte != '.')
            return HYPHA_ERR_URL;
        hy_url_buffer_put_byte(&p->out, hy_url_lower(byte));
    }
    if (len == p->rest.len)
        return HYPHA_ERR_URL;
    p->scheme = part_from(p, 0);
    hy_url_buffer_put_byte(&p->out, ':');
    skip(p, len + 1);
    for (size_t i = 0; i < sizeof specials / sizeof specials[0]; i++) {
        if (specials[i].len != len || memcmp(specials[i].name, p->out.at, len) != 0)
            continue;
        p->is_special = true;
        p->is_file = specials[i].name[0] == 'f' && specials[i].name[1] == 'i';
        p->default_port = specials[i].default_port;
        break;
    }
    return p->out.err;
}

/* ---- authority ---- */

/* Without its '@'. Nothing is written if both name and password are empty. */
static void put_userinfo(struct hy_url_parser *p, struct hypha_span info)
{
    const uint8_t *colon = info.len > 0 ? memchr(info.at, ':', info.len) : NULL;
    struct hypha_span user = info, password = { 0 };
    size_t start = p->out.len;

    if (colon != NULL) {
        user.len = (size_t)(colon - info.at);
        password = hy_span(colon + 1, info.len - user.len - 1);
    }
    hy_url_put_encoded(&p->out, user, HY_SET_USERINFO);
    p->user = part_from(p, start);
    if (password.len > 0) {
        hy_url_buffer_put_byte(&p->out, ':');
        start = p->out.len;
        hy_url_put_encoded(&p->out, password, HY_SET_USERINFO);
        p->password = part_from(p, start);
    }
    if (user.len > 0 || password.len > 0)
        hy_url_buffer_put_byte(&p->out, '@');
}

/* The digits behind the host's colon; none are no port. */
static enum hypha_err put_port(struct hy_url_parser *p, struct hypha_span digits)
{
    uint32_t port = 0;

    for (size_t i = 0; i < digits.len; i++) {
        if (!hy_url_is_digit(digits.at[i]))
            return HYPHA_ERR_URL;
        port = port * 10 + (uint32_t)(digits.at[i] - '0');
        if (port > UINT16_MAX)
            return HYPHA_ERR_URL;
    }
    if (digits.len == 0 || (port == p->default_port && port != 0))
        return HYPHA_OK;
    p->has_port = true;
    p->port = (uint16_t)port;
    hy_url_buffer_put_byte(&p->out, ':');
    hy_url_buffer_put_decimal(&p->out, port);
    return p->out.err;
}

/* How long the host is: up to the first colon that is not in brackets. */
static size_t host_length(struct hypha_span text)
{
    bool inside = false;
    size_t len = 0;

    for (; len < text.len; len++) {
        uint8_t byte = text.at[len];

        if (byte == ':' && !inside)
            break;
        if (byte == '[')
            inside = true;
        else if (byte == ']')
            inside = false;
    }
    return len;
}

static enum hypha_err put_host(struct hy_url_parser *p, struct hypha_span host)
{
    size_t start = p->out.len;
    enum hypha_err err = hy_url_host_put(&p->out, host, !p->is_special, &p->host_is);

    p->host = part_from(p, start);
    return err;
}

static enum hypha_err parse_authority(struct hy_url_parser *p)
{
    struct hypha_span text = take_segment(p);
    const uint8_t *at = text.len > 0 ? memrchr(text.at, '@', text.len) : NULL;
    enum hypha_err err;

    hy_url_buffer_put(&p->out, "//", 2);
    p->has_authority = true;
    if (at != NULL) {
        size_t len = (size_t)(at - text.at);

        put_userinfo(p, hy_span(text.at, len));
        text = hy_span(at + 1, text.len - len - 1);
    }

    size_t len = host_length(text);
    if (len == 0 && (p->is_special || at != NULL || text.len > 0))
        return HYPHA_ERR_URL;
    err = put_host(p, hy_span(text.at, len));
    if (err == HYPHA_OK && len < text.len)
        err = put_port(p, hy_span(text.at + len + 1, text.len - len - 1));
    return err;
}

static bool is_drive_letter(struct hypha_span text)
{
    return text.len == 2 && hy_url_is_alpha(text.at[0]) && (text.at[1] == ':' || text.at[1] == '|');
}

/* file: has no userinfo and no port, may lack a host, and calls itself "localhost". */
static enum hypha_err parse_file_authority(struct hy_url_parser *p)
{
    struct hypha_span before, host;
    enum hypha_err err = HYPHA_OK;

    hy_url_buffer_put(&p->out, "//", 2);
    p->has_authority = true;
    p->host = part_from(p, p->out.len);
    if (!is_next_slash(p))
        return p->out.err;
    before = p->rest;
    skip(p, 1);
    if (!is_next_slash(p)) {
        p->rest = before; /* the path's first slash */
        return p->out.err;
    }
    skip(p, 1);
    before = p->rest;
    host = take_segment(p);
    if (is_drive_letter(host))
        p->rest = before; /* no host: the path's first segment */
    else if (host.len > 0)
        err = put_host(p, host);
    if (err == HYPHA_OK && hy_span_is(hy_url_buffer_from(&p->out, p->host.at), "localhost")) {
        p->out.len = p->host.at;
        p->host.len = 0;
        p->host_is.kind = HYPHA_HOST_NONE;
    }
    return err == HYPHA_OK ? p->out.err : err;
}

/* ---- path ---- */

/* The dots at the front of a segment, also written %2e: 1 or 2 if it has nothing else, else 0. */
static unsigned dots_of(struct hypha_span segment)
{
    unsigned dots = 0;

    if (segment.len > 6)
        return 0;
    for (size_t i = 0; i < segment.len; dots++) {
        if (segment.at[i] == '.')
            i++;
        else if (segment.len - i >= 3 && segment.at[i] == '%' && segment.at[i + 1] == '2' &&
            (segment.at[i + 2] | 0x20) == 'e')
            i += 3;
        else
            return 0;
    }
    return dots <= 2 ? dots : 0;
}

/* Cut the last segment; a drive letter that is the whole path stays. */
static void shorten_path(struct hy_url_parser *p, size_t start)
{
    struct hypha_span path = hy_url_buffer_from(&p->out, start);
    const uint8_t *slash;

    if (path.len == 0)
        return;
    if (p->is_file && path.len == 3 && is_drive_letter(hy_span(path.at + 1, 2)))
        return;
    slash = memrchr(path.at, '/', path.len);
    p->out.len = start + (size_t)(slash - path.at);
}

/* One slash and segment of the path that begins at `start`. False: it was the last. */
static bool parse_segment(struct hy_url_parser *p, size_t start)
{
    struct hypha_span segment = take_segment(p);
    bool more = is_next_slash(p);
    unsigned dots = dots_of(segment);
    size_t before = p->out.len;

    if (dots == 2)
        shorten_path(p, start);
    if (dots == 0 || !more)
        hy_url_buffer_put_byte(&p->out, '/');
    if (dots == 0) {
        hy_url_put_encoded(&p->out, segment, HY_SET_PATH);
        if (p->is_file && before == start && is_drive_letter(segment) && p->out.err == HYPHA_OK)
            p->out.at[before + 2] = ':';
    }
    if (more)
        skip(p, 1);
    return more;
}

static void parse_path(struct hy_url_parser *p)
{
    size_t start = p->out.len;

    if (is_next_slash(p))
        skip(p, 1);
    else if (!p->is_special)
        return; /* the end, a query or a fragment: the path stays empty */
    while (parse_segment(p, start))
        ;
    if (!p->has_authority && p->out.len - start > 1 && p->out.at[start + 1] == '/') {
        hy_url_buffer_insert(&p->out, start, "/.", 2); /* else it would read as an authority */
        start += 2;
    }
    p->path = part_from(p, start);
}

/* Take all before the fragment, and, if `query`, before the query. */
static struct hypha_span take_until_tail(struct hy_url_parser *p, bool query)
{
    struct hypha_span head = { p->rest.at, 0 };

    while (head.len < p->rest.len && p->rest.at[head.len] != '#' &&
        !(query && p->rest.at[head.len] == '?'))
        head.len++;
    skip(p, head.len);
    return head;
}

static void parse_opaque_path(struct hy_url_parser *p)
{
    struct hypha_span text = take_until_tail(p, true);
    size_t start = p->out.len;
    bool space = p->rest.len > 0 && text.len > 0 && text.at[text.len - 1] == ' ';

    p->has_opaque_path = true;
    hy_url_put_encoded(&p->out, hy_span(text.at, text.len - space), HY_SET_C0);
    if (space)
        hy_url_buffer_put(&p->out, "%20", 3); /* or it would end the text without the rest */
    p->path = part_from(p, start);
}

static void parse_query_and_fragment(struct hy_url_parser *p)
{
    p->query = part_from(p, p->out.len);
    if (is_next(p, '?')) {
        skip(p, 1);
        p->has_query = true;
        hy_url_buffer_put_byte(&p->out, '?');
        size_t start = p->out.len;
        hy_url_put_encoded(&p->out, take_until_tail(p, false),
            p->is_special ? HY_SET_SPECIAL_QUERY : HY_SET_QUERY);
        p->query = part_from(p, start);
    }
    if (p->rest.len > 0) {
        skip(p, 1);
        hy_url_buffer_put_byte(&p->out, '#');
        hy_url_put_encoded(&p->out, p->rest, HY_SET_FRAGMENT);
    }
}

/* ---- the whole ---- */

static enum hypha_err parse_parts(struct hy_url_parser *p)
{
    enum hypha_err err = parse_scheme(p);

    if (err != HYPHA_OK)
        return err;
    if (p->is_file) {
        err = parse_file_authority(p);
    } else if (p->is_special) {
        while (is_next_slash(p))
            skip(p, 1);
        err = parse_authority(p);
    } else if (p->rest.len >= 2 && p->rest.at[0] == '/' && p->rest.at[1] == '/') {
        skip(p, 2);
        err = parse_authority(p);
    }
    if (err != HYPHA_OK)
        return err;
    p->authority_end = (uint32_t)p->out.len;
    if (p->is_special || p->has_authority || is_next(p, '/'))
        parse_path(p);
    else
        parse_opaque_path(p);
    parse_query_and_fragment(p);
    return p->out.err;
}

static bool is_newline_or_tab(uint8_t byte)
{
    return byte == '\n' || byte == '\r' || byte == '\t';
}

/* Copy without tabs and line ends, which the standard drops anywhere. */
static enum hypha_err parse_without_newlines(struct hy_url_parser *p, struct hypha_span text)
{
    struct hy_url_buffer clean;
    enum hypha_err err;

    hy_url_buffer_init(&clean);
    for (size_t i = 0; i < text.len; i++)
        if (!is_newline_or_tab(text.at[i]))
            hy_url_buffer_put_byte(&clean, (char)text.at[i]);
    err = clean.err;
    if (err == HYPHA_OK) {
        p->rest = hy_url_buffer_from(&clean, 0);
        err = parse_parts(p);
    }
    p->rest = (struct hypha_span){ 0 };
    hy_url_buffer_fini(&clean);
    return err;
}

static void init(struct hy_url_parser *p, struct hypha_span text)
{
    static const struct hy_url_part none = { 0, 0 };

    /* Not a compound literal: that would clear the buffer's first bytes each time. */
    hy_url_buffer_init(&p->out);
    p->rest = text;
    p->scheme = p->user = p->password = p->host = p->path = p->query = none;
    p->authority_end = 0;
    p->host_is.kind = HYPHA_HOST_NONE;
    p->host_is.ip.len = 0;
    p->port = p->default_port = 0;
    p->has_port = p->has_authority = p->has_query = false;
    p->is_special = p->is_file = p->has_opaque_path = false;
}

enum hypha_err hy_url_parser_run(struct hy_url_parser *p, struct hypha_span text)
{
    uint8_t bits = 0;
    bool newlines = false;

    init(p, text);
    if (text.len > HY_URL_MAX_BYTES)
        return HYPHA_ERR_URL;
    while (text.len > 0 && text.at[text.len - 1] <= ' ')
        text.len--;
    while (text.len > 0 && text.at[0] <= ' ')
        text = hy_span(text.at + 1, text.len - 1);
    for (size_t i = 0; i < text.len; i++) {
        bits |= text.at[i];
        newlines |= is_newline_or_tab(text.at[i]);
    }
    if (bits >= 0x80 && !hy_span_is_utf8(text))
        return HYPHA_ERR_UTF8;
    if (newlines)
        return parse_without_newlines(p, text);
    p->rest = text;
    return parse_parts(p);
}

void hy_url_parser_fini(struct hy_url_parser *p)
{
    hy_url_buffer_fini(&p->out);
}
