/* rpc/http.c - heads are read strictly, by hand: one wrong byte and the request is refused.
 *
 * spec: apps.md 2.2 */
#include "rpc/http.h"
#include "base/span.h"
#include "base/token.h"

#include <ctype.h>
#include <stdio.h>
#include <strings.h>

/* ---- texts ---- */

static const struct {
    enum hy_rpc_http_status status;
    const char *phrase, *why;
} statuses[] = {
    { HY_RPC_HTTP_OK, "OK", "ok" },
    { HY_RPC_HTTP_BAD_REQUEST, "Bad Request", "malformed HTTP request" },
    { HY_RPC_HTTP_UNAUTHORIZED, "Unauthorized", "access token required" },
    { HY_RPC_HTTP_FORBIDDEN, "Forbidden", "Origin or Host is not this server" },
    { HY_RPC_HTTP_METHOD_NOT_ALLOWED, "Method Not Allowed", "expected POST" },
    { HY_RPC_HTTP_LENGTH_REQUIRED, "Length Required", "expected Content-Length" },
    { HY_RPC_HTTP_TOO_LARGE, "Content Too Large", "request too long" },
    { HY_RPC_HTTP_EXPECTATION_FAILED, "Expectation Failed", "expected 100-continue" },
    { HY_RPC_HTTP_HEAD_TOO_LARGE, "Request Header Fields Too Large", "too many headers" },
    { HY_RPC_HTTP_UNAVAILABLE, "Service Unavailable", "too many connections" },
    { HY_RPC_HTTP_VERSION, "HTTP Version Not Supported", "expected HTTP/1.1" },
};

static size_t status_at(enum hy_rpc_http_status status)
{
    size_t i = 0;

    while (i + 1 < sizeof statuses / sizeof statuses[0] && statuses[i].status != status)
        i++;
    return i;
}

const char *hy_rpc_http_why(enum hy_rpc_http_status status)
{
    return statuses[status_at(status)].why;
}

static bool is_named(struct hypha_span text, const char *name)
{
    return text.len == strlen(name) && strncasecmp((const char *)text.at, name, text.len) == 0;
}

static struct hypha_span trim(struct hypha_span text)
{
    while (text.len > 0 && (text.at[0] == ' ' || text.at[0] == '\t'))
        text = hy_span(text.at + 1, text.len - 1);
    while (text.len > 0 && (text.at[text.len - 1] == ' ' || text.at[text.len - 1] == '\t'))
        text.len--;
    return text;
}

/* Take off what is before `end`, and `end` itself; false: it isn't there, nothing is taken. */
static bool cut(struct hypha_span *text, uint8_t end, struct hypha_span *ret_before)
{
    const uint8_t *at = text->len > 0 ? memchr(text->at, end, text->len) : NULL;

    if (at == NULL)
        return false;
    size_t len = (size_t)(at - text->at);
    *ret_before = hy_span(text->at, len);
    *text = hy_span(at + 1, text->len - len - 1);
    return true;
}

/* The next of a comma-separated list, without parameters; false: no more. */
static bool next_item(struct hypha_span *list, struct hypha_span *ret_item)
{
    struct hypha_span item, name;

    if (list->len == 0)
        return false;
    if (!cut(list, ',', &item)) {
        item = *list;
        list->len = 0;
    }
    *ret_item = trim(cut(&item, ';', &name) ? name : item);
    return true;
}

/* A field name or a request method. RFC 9110 5.6.2 */
static bool is_token(struct hypha_span text)
{
    for (size_t i = 0; i < text.len; i++) {
        uint8_t c = text.at[i];

        if (!((c >= '0' && c <= '9') || (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') ||
                (c != '\0' && strchr("!#$%&'*+-.^_`|~", c) != NULL)))
            return false;
    }
    return text.len > 0;
}

static bool is_printable(struct hypha_span text)
{
    for (size_t i = 0; i < text.len; i++)
        if ((text.at[i] < ' ' && text.at[i] != '\t') || text.at[i] == 0x7f)
            return false;
    return true;
}

/* ---- one head ---- */

/* The next line without its LF or CRLF; false: none is left. */
static bool next_line(struct hypha_span *head, struct hypha_span *ret_line)
{
    if (!cut(head, '\n', ret_line))
        return false;
    if (ret_line->len > 0 && ret_line->at[ret_line->len - 1] == '\r')
        ret_line->len--;
    return true;
}

/* METHOD SP target SP HTTP/1.x */
static enum hy_rpc_http_status read_request_line(
    struct hypha_span line, struct hy_rpc_http_head *head)
{
    static const char *const readers[] = { "GET", "HEAD", "OPTIONS", "TRACE", "CONNECT" };
    struct hypha_span method, target, version = line;

    if (!cut(&version, ' ', &method) || !cut(&version, ' ', &target) || !is_token(method) ||
        target.len == 0 || !is_printable(target))
        return HY_RPC_HTTP_BAD_REQUEST;
    if (version.len != 8 || memcmp(version.at, "HTTP/", 5) != 0)
        return HY_RPC_HTTP_BAD_REQUEST;
    if (!hy_span_is(version, "HTTP/1.1") && !hy_span_is(version, "HTTP/1.0"))
        return HY_RPC_HTTP_VERSION;
    head->close = version.at[7] == '0';
    for (size_t i = 0; i < sizeof readers / sizeof readers[0]; i++)
        if (hy_span_is(method, readers[i]))
            return HY_RPC_HTTP_METHOD_NOT_ALLOWED;
    return HY_RPC_HTTP_OK;
}

static enum hy_rpc_http_status read_length(
    struct hypha_span value, size_t max, struct hy_rpc_http_head *head)
{
    size_t length = 0;

    if (head->length > 0 || value.len == 0) /* twice */
        return HY_RPC_HTTP_BAD_REQUEST;
    for (size_t i = 0; i < value.len; i++) {
        if (value.at[i] < '0' || value.at[i] > '9')
            return HY_RPC_HTTP_BAD_REQUEST;
        if (length <= max)
            length = length * 10 + (size_t)(value.at[i] - '0');
    }
    if (length > max)
        return HY_RPC_HTTP_TOO_LARGE;
    head->length = length;
    return length > 0 ? HY_RPC_HTTP_OK : HY_RPC_HTTP_BAD_REQUEST;
}

static enum hy_rpc_http_status read_once(struct hypha_span value, struct hypha_span *into)
{
    if (into->at != NULL)
        return HY_RPC_HTTP_BAD_REQUEST;
    *into = value;
    return HY_RPC_HTTP_OK;
}

static void read_connection(struct hypha_span list, struct hy_rpc_http_head *head)
{
    struct hypha_span item;
    bool keep = false;

    while (next_item(&list, &item)) {
        if (is_named(item, "close")) {
            head->close = true;
            return;
        }
        keep = keep || is_named(item, "keep-alive");
    }
    if (keep) /* of HTTP/1.0 */
        head->close = false;
}

static void read_accept(struct hypha_span list, struct hy_rpc_http_head *head)
{
    struct hypha_span item;

    while (next_item(&list, &item))
        head->event_stream = head->event_stream || is_named(item, "text/event-stream");
}

static enum hy_rpc_http_status read_field(
    struct hypha_span line, size_t max_body, struct hy_rpc_http_head *head)
{
    struct hypha_span name, value = line;

    /* No blank before the colon, no line that goes on in the next: RFC 9112 5 */
    if (!cut(&value, ':', &name) || !is_token(name) || !is_printable(value))
        return HY_RPC_HTTP_BAD_REQUEST;
    value = trim(value);
    if (is_named(name, "content-length"))
        return read_length(value, max_body, head);
    if (is_named(name, "transfer-encoding"))
        return HY_RPC_HTTP_LENGTH_REQUIRED;
    if (is_named(name, "host"))
        return read_once(value, &head->host);
    if (is_named(name, "origin"))
        return read_once(value, &head->origin);
    if (is_named(name, "authorization"))
        return read_once(value, &head->authorization);
    if (is_named(name, "connection"))
        read_connection(value, head);
    else if (is_named(name, "accept"))
        read_accept(value, head);
    else if (is_named(name, "expect")) {
        head->expects = is_named(value, "100-continue");
        return head->expects ? HY_RPC_HTTP_OK : HY_RPC_HTTP_EXPECTATION_FAILED;
    }
    return HY_RPC_HTTP_OK;
}

/* A head with its empty line, judged as a whole: what is first wrong in it counts. */
static enum hy_rpc_http_status read_head(
    struct hypha_span text, size_t max_body, struct hy_rpc_http_head *head)
{
    struct hypha_span line;
    size_t count = 0;

    *head = (struct hy_rpc_http_head){ 0 };
    if (!next_line(&text, &line))
        return HY_RPC_HTTP_BAD_REQUEST;
    enum hy_rpc_http_status status = read_request_line(line, head);
    while (status == HY_RPC_HTTP_OK && next_line(&text, &line) && line.len > 0) {
        if (++count > HY_RPC_HTTP_MAX_HEADERS)
            return HY_RPC_HTTP_HEAD_TOO_LARGE;
        status = read_field(line, max_body, head);
    }
    if (status == HY_RPC_HTTP_OK && head->length == 0)
        status = HY_RPC_HTTP_LENGTH_REQUIRED;
    return status;
}

/* ---- the stream of requests ---- */

void hy_rpc_http_fini(struct hy_rpc_http *http)
{
    hy_rpc_buffer_fini(&http->buffer);
    http->scanned = http->head_len = http->body_len = 0;
}

enum hypha_err hy_rpc_http_feed(struct hy_rpc_http *http, struct hypha_span bytes)
{
    return hy_rpc_buffer_put(&http->buffer, bytes.at, bytes.len) ? HYPHA_OK : HYPHA_ERR_NOMEM;
}

bool hy_rpc_http_has_body(const struct hy_rpc_http *http)
{
    return hy_rpc_buffer_size(&http->buffer) >= http->head_len + http->body_len;
}

/* Where the head ends, its empty line included; 0: not here yet. */
static size_t find_head_end(struct hy_rpc_http *http, struct hypha_span text)
{
    size_t at = http->scanned;

    while (at < text.len) {
        const uint8_t *end = memchr(text.at + at, '\n', text.len - at);

        if (end == NULL)
            break;
        at = (size_t)(end - text.at);
        size_t next = at + 1;
        if (next < text.len && text.at[next] == '\r')
            next++;
        if (next >= text.len) { /* look at this line end again */
            http->scanned = at;
            return 0;
        }
        if (text.at[next] == '\n')
            return next + 1;
        at++;
    }
    http->scanned = text.len;
    return 0;
}

/* Empty lines between requests mean nothing: RFC 9112 2.2 */
static void skip_blank_lines(struct hy_rpc_http *http)
{
    struct hypha_span text = hy_rpc_buffer_span(&http->buffer);
    size_t count = 0;

    while (count < text.len && (text.at[count] == '\r' || text.at[count] == '\n'))
        count++;
    if (count > 0 && http->scanned == 0)
        hy_rpc_buffer_take(&http->buffer, count);
}

enum hy_rpc_http_got hy_rpc_http_next(struct hy_rpc_http *http, struct hy_rpc_http_head *ret_head,
    struct hypha_span *ret_body, enum hy_rpc_http_status *ret_status)
{
    if (http->head_len > 0) {
        if (!hy_rpc_http_has_body(http))
            return HY_RPC_HTTP_GOT_NONE;
        struct hypha_span text = hy_rpc_buffer_span(&http->buffer);

        *ret_body = hy_span(text.at + http->head_len, http->body_len);
        /* Taken, but not given back: the body is still looked at. */
        http->buffer.at += http->head_len + http->body_len;
        http->head_len = http->body_len = 0;
        return HY_RPC_HTTP_GOT_BODY;
    }
    if (hy_rpc_buffer_size(&http->buffer) == 0)
        hy_rpc_buffer_take(&http->buffer, 0);
    skip_blank_lines(http);
    struct hypha_span text = hy_rpc_buffer_span(&http->buffer);
    size_t len = find_head_end(http, text);
    if (len > HY_RPC_HTTP_MAX_HEAD_BYTES || (len == 0 && text.len > HY_RPC_HTTP_MAX_HEAD_BYTES)) {
        *ret_status = HY_RPC_HTTP_HEAD_TOO_LARGE;
        return HY_RPC_HTTP_GOT_BAD;
    }
    if (len == 0)
        return HY_RPC_HTTP_GOT_NONE;
    http->scanned = 0;
    *ret_status = read_head(hy_span(text.at, len), http->max_body, ret_head);
    if (*ret_status != HY_RPC_HTTP_OK)
        return HY_RPC_HTTP_GOT_BAD;
    http->head_len = len;
    http->body_len = ret_head->length;
    return HY_RPC_HTTP_GOT_HEAD;
}

/* ---- whom we listen to ---- */

/* Split "host:port". False: neither. */
static bool split_host(
    struct hypha_span text, uint16_t port, struct hypha_span *ret_host, unsigned *ret_port)
{
    size_t end = text.len;
    unsigned number = 0;

    while (end > 0 && text.at[end - 1] >= '0' && text.at[end - 1] <= '9')
        end--;
    if (end == 0 || text.at[end - 1] != ':') {
        *ret_host = text;
        *ret_port = port;
        return text.len > 0;
    }
    for (size_t i = end; i < text.len && number <= UINT16_MAX; i++)
        number = number * 10 + (unsigned)(text.at[i] - '0');
    *ret_host = hy_span(text.at, end - 1);
    *ret_port = number;
    return end > 1 && end < text.len;
}

/* An IP literal as it stands in a URL. */
static bool host_ip(struct hypha_span host, struct hy_ip *ret_ip)
{
    if (host.len > 2 && host.at[0] == '[' && host.at[host.len - 1] == ']')
        return hy_ip_parse_v6(hy_span(host.at + 1, host.len - 2), ret_ip);
    return hy_ip_parse_v4(host, ret_ip);
}

/* Ours: loopback, what the URL says, what is bound. A name that is none of them was made to
 * point here by somebody else ("DNS rebinding"); an address cannot be, so that one is fine
 * which is not known to be ours only because all of them are listened on. */
static bool is_own_host(
    const struct hy_rpc_http_rules *rules, uint16_t default_port, struct hypha_span text)
{
    struct hypha_span host;
    struct hy_ip ip, bound;
    unsigned port;

    if (!split_host(text, default_port, &host, &port) || port != rules->port)
        return false;
    if (is_named(host, "localhost") || is_named(host, rules->host))
        return true;
    if (!host_ip(host, &ip))
        return false;
    if (hy_ip_is_loopback(&ip))
        return true;
    if (!host_ip(hy_span_of(rules->bound), &bound))
        return false;
    return hy_ip_is_unspecified(&bound) || hy_ip_equal(&ip, &bound);
}

/* A name without a dot, and no literal: nobody on the internet can own it. Clients that are no
 * browsers invent such ones (a recorded one says "x"). */
static bool is_bare_name(struct hypha_span text)
{
    struct hypha_span host;
    unsigned port;

    if (!split_host(text, 0, &host, &port) || host.len == 0)
        return false;
    for (size_t i = 0; i < host.len; i++)
        if (!isalnum(host.at[i]) && host.at[i] != '-')
            return false;
    return !hy_ip_parse_v4(host, &(struct hy_ip){ 0 });
}

static bool is_own_origin(const struct hy_rpc_http_rules *rules, struct hypha_span origin)
{
    static const struct {
        const char *text;
        uint16_t port;
    } schemes[] = { { "http://", 80 }, { "https://", 443 } };

    for (size_t i = 0; i < 2; i++) {
        size_t len = strlen(schemes[i].text);

        if (origin.len > len && strncasecmp((const char *)origin.at, schemes[i].text, len) == 0)
            return is_own_host(rules, schemes[i].port, hy_span(origin.at + len, origin.len - len));
    }
    return false; /* "null", files, extensions */
}

static bool knows_token(const char *token, struct hypha_span authorization)
{
    struct hypha_span scheme, rest = authorization;

    return cut(&rest, ' ', &scheme) && is_named(scheme, "bearer") &&
        hy_token_equal(token, trim(rest));
}

enum hy_rpc_http_status hy_rpc_http_judge(
    const struct hy_rpc_http_rules *rules, const struct hy_rpc_http_head *head)
{
    if (head->origin.at != NULL && (rules->host == NULL || !is_own_origin(rules, head->origin)))
        return HY_RPC_HTTP_FORBIDDEN;
    if (head->host.at != NULL && rules->host != NULL &&
        !is_own_host(rules, rules->port, head->host) && !is_bare_name(head->host))
        return HY_RPC_HTTP_FORBIDDEN;
    if (rules->token != NULL && !knows_token(rules->token, head->authorization))
        return HY_RPC_HTTP_UNAUTHORIZED;
    return HY_RPC_HTTP_OK;
}

/* ---- responses ---- */

static bool put_text(struct hy_rpc_buffer *out, const char *text)
{
    return hy_rpc_buffer_put(out, text, strlen(text));
}

static bool put_all(
    struct hy_rpc_buffer *out, const char *before, struct hypha_span body, const char *after)
{
    size_t size = hy_rpc_buffer_size(out);

    if (put_text(out, before) && hy_rpc_buffer_put(out, body.at, body.len) && put_text(out, after))
        return true;
    out->len = out->at + size;
    return false;
}

bool hy_rpc_http_put_response(
    struct hy_rpc_buffer *out, enum hy_rpc_http_status status, bool close, struct hypha_span body)
{
    char head[320];

    (void)snprintf(head, sizeof head,
        "HTTP/1.1 %d %s\r\nContent-Length: %zu\r\nContent-Type: application/json\r\n%s%s%s\r\n",
        (int)status, statuses[status_at(status)].phrase, body.len,
        status == HY_RPC_HTTP_METHOD_NOT_ALLOWED ? "Allow: POST\r\n" : "",
        status == HY_RPC_HTTP_UNAUTHORIZED ? "WWW-Authenticate: Bearer\r\n" : "",
        close ? "Connection: close\r\n" : "");
    return put_all(out, head, body, "");
}

bool hy_rpc_http_put_stream(struct hy_rpc_buffer *out)
{
    return put_text(out,
        "HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nCache-Control: no-store\r\n"
        "Connection: close\r\n\r\n");
}

bool hy_rpc_http_put_event(struct hy_rpc_buffer *out, struct hypha_span json)
{
    return put_all(out, "data: ", json, "\n\n");
}

bool hy_rpc_http_put_continue(struct hy_rpc_buffer *out)
{
    return put_text(out, "HTTP/1.1 100 Continue\r\n\r\n");
}
