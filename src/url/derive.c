/* url/derive.c - other URLs made from one: another scheme, port, host; the key; what to show.
 *
 * Each splices the normal form and parses the result, so that it is normal again. */
#include "url/url.h"

#include "base/span.h"
#include "url/encode.h"
#include "url/object.h"

#include <stdio.h>

/* The text with [from, to) replaced. */
static enum hypha_err splice(const struct hypha_url *url, size_t from, size_t to,
    struct hypha_span middle, struct hypha_url **ret_url)
{
    struct hy_url_buffer text;
    enum hypha_err err;

    hy_url_buffer_init(&text);
    hy_url_buffer_put(&text, url->text, from);
    hy_url_buffer_put(&text, middle.at, middle.len);
    hy_url_buffer_put(&text, url->text + to, url->len - to);
    err = text.err;
    if (err == HYPHA_OK)
        err = hypha_url_parse(hy_url_buffer_from(&text, 0), ret_url);
    hy_url_buffer_fini(&text);
    return err;
}

/* URLs never change, so that the same one serves as "a new one". */
static enum hypha_err same(const struct hypha_url *url, struct hypha_url **ret_url)
{
    *ret_url = hypha_url_ref((struct hypha_url *)url);
    return HYPHA_OK;
}

static bool is_scheme(const char *text)
{
    if (!hy_url_is_alpha((uint8_t)text[0]))
        return false;
    for (; *text != '\0'; text++)
        if (!hy_url_is_alpha((uint8_t)*text) && !hy_url_is_digit((uint8_t)*text) &&
            strchr("+-.", *text) == NULL)
            return false;
    return true;
}

/* Only within a column of transports.md 1.2: both special or both not. */
enum hypha_err hy_url_with_scheme(
    const struct hypha_url *url, const char *scheme, struct hypha_url **ret_url)
{
    struct hypha_url *made = NULL;
    enum hypha_err err;

    if (!is_scheme(scheme))
        return HYPHA_ERR_URL;
    err = splice(url, 0, strlen(url->scheme), hy_span_of(scheme), &made);
    if (err != HYPHA_OK)
        return err;
    if (made->is_special != url->is_special ||
        (strcmp(made->scheme, "file") == 0) != (strcmp(url->scheme, "file") == 0)) {
        hypha_url_unref(made);
        return HYPHA_ERR_URL;
    }
    *ret_url = made;
    return HYPHA_OK;
}

static bool may_have_port(const struct hypha_url *url)
{
    return url->host_kind != HYPHA_HOST_NONE && strcmp(url->scheme, "file") != 0;
}

enum hypha_err hy_url_with_port(
    const struct hypha_url *url, uint16_t port, struct hypha_url **ret_url)
{
    char text[8];

    if (!may_have_port(url))
        return HYPHA_ERR_URL;
    (void)snprintf(text, sizeof text, ":%u", (unsigned)port);
    return splice(url, url->host_end, url->authority_end, hy_span_of(text), ret_url);
}

enum hypha_err hy_url_without_port(const struct hypha_url *url, struct hypha_url **ret_url)
{
    if (!url->has_port)
        return same(url, ret_url);
    return splice(url, url->host_end, url->authority_end, (struct hypha_span){ 0 }, ret_url);
}

enum hypha_err hy_url_with_host(
    const struct hypha_url *url, const char *host, struct hypha_url **ret_url)
{
    size_t len = strlen(host);
    bool bracketed = len > 0 && host[0] == '[' && host[len - 1] == ']';

    /* Nothing that would end the host and begin something else. */
    if (!url->has_authority || len == 0 || strcspn(host, "/\\?#@\t\r\n") != len ||
        (!bracketed && strchr(host, ':') != NULL))
        return HYPHA_ERR_URL;
    return splice(url, url->host_at, url->host_end, hy_span(host, len), ret_url);
}

enum hypha_err hy_url_announceable(const struct hypha_url *url, struct hypha_url **ret_url)
{
    struct hy_url_buffer text;
    size_t front = strlen(url->scheme) + (url->has_authority ? 3 : 1);
    size_t kept = url->has_authority ? url->host_at : front;
    enum hypha_err err;

    if (kept == front && url->path_end == url->len)
        return same(url, ret_url);
    hy_url_buffer_init(&text);
    hy_url_buffer_put(&text, url->text, front);
    hy_url_buffer_put(&text, url->text + kept, url->path_end - kept);
    err = text.err;
    if (err == HYPHA_OK)
        err = hypha_url_parse(hy_url_buffer_from(&text, 0), ret_url);
    hy_url_buffer_fini(&text);
    return err;
}

enum hypha_err hy_url_canonical(const struct hypha_url *url, struct hypha_url **ret_url)
{
    bool lone_slash = url->path_end - url->authority_end == 1;
    struct hy_url_buffer text;
    char ip[HY_IP_TEXT_BYTES];
    enum hypha_err err;

    if (url->is_special || url->host_kind == HYPHA_HOST_NONE)
        return same(url, ret_url);
    hy_url_buffer_init(&text);
    hy_url_buffer_put(&text, url->text, url->host_at);
    if (url->ip.len == 4) {
        (void)hy_ip_format(&url->ip, ip);
        hy_url_buffer_put(&text, ip, strlen(ip));
    } else {
        for (size_t i = url->host_at; i < url->host_end; i++)
            hy_url_buffer_put_byte(&text, hy_url_lower((uint8_t)url->text[i]));
    }
    hy_url_buffer_put(&text, url->text + url->host_end, url->authority_end - url->host_end);
    size_t tail = lone_slash ? url->path_end : url->authority_end;
    hy_url_buffer_put(&text, url->text + tail, url->len - tail);
    err = text.err;
    if (err == HYPHA_OK &&
        hy_span_equal(hy_url_buffer_from(&text, 0), hy_span(url->text, url->len)))
        err = same(url, ret_url);
    else if (err == HYPHA_OK)
        err = hypha_url_parse(hy_url_buffer_from(&text, 0), ret_url);
    hy_url_buffer_fini(&text);
    return err;
}

enum hypha_err hy_url_of_ip(
    const char *scheme, const struct hy_ip *ip, uint16_t port, struct hypha_url **ret_url)
{
    char shown[HY_IP_TEXT_BYTES], text[128];
    bool v6 = ip->len == 16;
    int len;

    if (ip->len != 4 && !v6)
        return HYPHA_ERR_URL;
    (void)hy_ip_format(ip, shown);
    len = snprintf(
        text, sizeof text, v6 ? "%s://[%s]:%u" : "%s://%s:%u", scheme, shown, (unsigned)port);
    if (!is_scheme(scheme) || len < 0 || (size_t)len >= sizeof text)
        return HYPHA_ERR_URL;
    return hypha_url_parse(hy_span(text, (size_t)len), ret_url);
}

char *hy_url_display(const struct hypha_url *url, char *into, size_t size)
{
    int front = (int)strlen(url->scheme) + (url->has_authority ? 3 : 1);
    size_t kept = url->has_authority ? url->host_at : (size_t)front;

    (void)snprintf(
        into, size, "%.*s%.*s", front, url->text, (int)(url->path_end - kept), url->text + kept);
    return into;
}
