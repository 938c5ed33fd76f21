/* url/url.c - the URL object: made once from a parsed text, never changed.
 *
 * One block of memory holds the struct, the normal form, and those parts of it that do not
 * end where the text ends (each accessor gives a text ended by a zero). */
#include "url/url.h"

#include "base/alloc.h"
#include "base/span.h"
#include "url/encode.h"
#include "url/object.h"

static size_t copy_bytes(struct hy_url_part part, size_t text_len)
{
    return part.len == 0 || part.at + part.len == text_len ? 0 : part.len + 1;
}

/* Place a part into the memory at *at, unless the text or "" can stand for it. */
static const char *place(
    const struct hypha_url *url, struct hy_url_part part, size_t text_len, char **at)
{
    size_t size = copy_bytes(part, text_len);
    char *copy = *at;

    if (size == 0)
        return part.len == 0 ? "" : url->text + part.at;
    memcpy(copy, url->text + part.at, part.len);
    copy[part.len] = '\0';
    *at += size;
    return copy;
}

static enum hypha_err make(const struct hy_url_parser *p, struct hypha_url **ret_url)
{
    size_t len = p->out.len;
    size_t size = sizeof(struct hypha_url) + len + 1 + copy_bytes(p->scheme, len) +
        copy_bytes(p->user, len) + copy_bytes(p->password, len) + copy_bytes(p->host, len) +
        copy_bytes(p->path, len) + copy_bytes(p->query, len);
    struct hypha_url *url = hy_alloc(size);

    if (url == NULL)
        return HYPHA_ERR_NOMEM;
    char *at = url->bytes;
    memcpy(at, p->out.at, len);
    at[len] = '\0';
    url->text = at;
    at += len + 1;
    url->refs = 1;
    url->len = (uint32_t)len;
    url->scheme = place(url, p->scheme, len, &at);
    url->user = place(url, p->user, len, &at);
    url->password = place(url, p->password, len, &at);
    url->host = place(url, p->host, len, &at);
    url->path = place(url, p->path, len, &at);
    url->query = p->has_query ? place(url, p->query, len, &at) : NULL;
    url->host_at = p->host.at;
    url->host_end = p->host.at + p->host.len;
    url->authority_end = p->authority_end;
    url->path_end = p->path.len > 0 ? p->path.at + p->path.len : p->authority_end;
    url->host_kind = p->host_is.kind;
    url->ip = p->host_is.ip;
    url->port = p->port;
    url->has_port = p->has_port;
    url->has_authority = p->has_authority;
    url->is_special = p->is_special;
    *ret_url = url;
    return HYPHA_OK;
}

enum hypha_err hypha_url_parse(struct hypha_span text, struct hypha_url **ret_url)
{
    struct hy_url_parser p;
    enum hypha_err err = hy_url_parser_run(&p, text);

    if (err == HYPHA_OK)
        err = make(&p, ret_url);
    hy_url_parser_fini(&p);
    return err;
}

enum hypha_err hypha_url_parse_text(const char *text, struct hypha_url **ret_url)
{
    return hypha_url_parse(hy_span_of(text), ret_url);
}

enum hypha_err hy_url_check(struct hypha_span text)
{
    struct hy_url_parser p;
    enum hypha_err err = hy_url_parser_run(&p, text);

    hy_url_parser_fini(&p);
    return err;
}

struct hypha_url *hypha_url_ref(struct hypha_url *url)
{
    if (url != NULL)
        url->refs++;
    return url;
}

void hypha_url_unref(struct hypha_url *url)
{
    if (url != NULL && --url->refs == 0)
        hy_free(url);
}

const char *hypha_url_text(const struct hypha_url *url)
{
    return url->text;
}

const char *hypha_url_scheme(const struct hypha_url *url)
{
    return url->scheme;
}

const char *hypha_url_host(const struct hypha_url *url)
{
    return url->host;
}

enum hypha_host_kind hypha_url_host_kind(const struct hypha_url *url)
{
    return url->host_kind;
}

bool hypha_url_has_port(const struct hypha_url *url)
{
    return url->has_port;
}

uint16_t hypha_url_port(const struct hypha_url *url)
{
    return url->port;
}

const char *hypha_url_path(const struct hypha_url *url)
{
    return url->path;
}

const char *hypha_url_query(const struct hypha_url *url)
{
    return url->query;
}

bool hypha_url_equal(const struct hypha_url *a, const struct hypha_url *b)
{
    return a == b || (a->len == b->len && memcmp(a->text, b->text, a->len) == 0);
}

bool hy_url_ip(const struct hypha_url *url, struct hy_ip *ret_ip)
{
    if (url->ip.len == 0)
        return false;
    *ret_ip = url->ip;
    return true;
}

const char *hy_url_user(const struct hypha_url *url)
{
    return url->user;
}

const char *hy_url_password(const struct hypha_url *url)
{
    return url->password;
}

bool hy_url_is_special(const struct hypha_url *url)
{
    return url->is_special;
}

bool hy_url_percent_decode(const char *text, char *into, size_t size)
{
    struct hy_url_buffer decoded;
    bool fits;

    hy_url_buffer_init(&decoded);
    hy_url_put_decoded(&decoded, hy_span_of(text));
    fits = decoded.err == HYPHA_OK && decoded.len < size &&
        memchr(decoded.at, 0, decoded.len) == NULL;
    if (fits)
        memcpy(into, decoded.at, decoded.len);
    if (size > 0)
        into[fits ? decoded.len : 0] = '\0';
    hy_url_buffer_fini(&decoded);
    return fits;
}
