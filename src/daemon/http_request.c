/* http_request.c - is this request allowed, and its answer.
 *
 * A web page of another site can make a browser send us requests, and by DNS rebinding even call
 * itself our origin; it cannot choose the Host and Origin that the browser sends. Hence the
 * check of both, before the token. */
#include "daemon/http_internal.h"

#include "base/span.h"
#include "base/token.h"

#include <assert.h>
#include <string.h>
#include <strings.h>

#define POLICY "default-src 'none'; frame-ancestors 'none'; base-uri 'none'; form-action 'none'"

/* ---- whom we answer ---- */

static const char *header(const struct hy_http_request *request, const char *name)
{
    return MHD_lookup_connection_value(request->mhd, MHD_HEADER_KIND, name);
}

/* The host of HOST, HOST:PORT or [IPV6]:PORT; empty if it is none of them. */
static struct hypha_span host_of(const char *text)
{
    const struct hypha_span none = { NULL, 0 };
    size_t len;
    const char *rest;

    if (text[0] == '[') {
        len = strcspn(text, "]");
        if (text[len] != ']')
            return none;
        rest = text + len + 1;
        text++;
        len--;
    } else {
        len = strcspn(text, ":");
        rest = text + len;
    }
    if (*rest == ':')
        rest += 1 + strspn(rest + 1, "0123456789");
    return *rest == '\0' ? (struct hypha_span){ (const uint8_t *)text, len } : none;
}

/* Names can be made to mean any address, so but for localhost only literals are ours. Behind a
 * forwarded port the port differs: it is not compared. */
static bool is_our_host(const struct hy_http *http, const char *text)
{
    static const char localhost[] = "localhost";
    struct hypha_span host = host_of(text);
    struct hy_ip ip;

    if (host.len == sizeof localhost - 1 &&
        strncasecmp((const char *)host.at, localhost, host.len) == 0)
        return true;
    if (!(text[0] == '[' ? hy_ip_parse_v6(host, &ip) : hy_ip_parse_v4(host, &ip)))
        return false;
    return hy_ip_is_loopback(&ip) || hy_ip_is_unspecified(&http->ip) || hy_ip_equal(&ip, &http->ip);
}

static bool is_our_site(const struct hy_http_request *request)
{
    static const char scheme[] = "http://";
    const char *host = header(request, MHD_HTTP_HEADER_HOST);
    const char *origin = header(request, MHD_HTTP_HEADER_ORIGIN);

    if (host == NULL || !is_our_host(request->http, host))
        return false;
    if (origin == NULL)
        return true;
    return strncasecmp(origin, scheme, sizeof scheme - 1) == 0 &&
        strcasecmp(origin + sizeof scheme - 1, host) == 0;
}

static bool brings_token(const struct hy_http_request *request)
{
    static const char bearer[] = "Bearer ";
    const char *token = request->http->token;
    const char *given = header(request, MHD_HTTP_HEADER_AUTHORIZATION);

    if (given != NULL && strncasecmp(given, bearer, sizeof bearer - 1) == 0) {
        given += sizeof bearer - 1;
        return hy_token_equal(token, hy_span_of(given + strspn(given, " ")));
    }
    given = hy_http_query(request, "token");
    return given != NULL && hy_token_equal(token, hy_span_of(given));
}

/* ---- a request ---- */

const char *hy_http_path(const struct hy_http_request *request)
{
    return request->path;
}

const char *hy_http_query(const struct hy_http_request *request, const char *name)
{
    return MHD_lookup_connection_value(request->mhd, MHD_GET_ARGUMENT_KIND, name);
}

void hy_http_set_policy(struct hy_http_request *request, const char *policy)
{
    request->policy = policy;
}

static bool add_headers(const struct hy_http_request *request, unsigned status,
    const char *content_type, struct MHD_Response *response)
{
    struct {
        const char *name, *value;
    } headers[] = {
        { MHD_HTTP_HEADER_CONTENT_TYPE, content_type },
        { MHD_HTTP_HEADER_CACHE_CONTROL, "no-store" },
        { "Content-Security-Policy", request->policy },
        { "X-Content-Type-Options", "nosniff" },
        { "X-Frame-Options", "DENY" },
        { "Referrer-Policy", "no-referrer" },
        { "Cross-Origin-Resource-Policy", "same-origin" },
        { MHD_HTTP_HEADER_ALLOW, status == MHD_HTTP_METHOD_NOT_ALLOWED ? "GET, HEAD" : NULL },
        { MHD_HTTP_HEADER_WWW_AUTHENTICATE, status == MHD_HTTP_UNAUTHORIZED ? "Bearer" : NULL },
    };

    for (size_t i = 0; i < sizeof headers / sizeof headers[0]; i++)
        if (headers[i].value != NULL &&
            MHD_add_response_header(response, headers[i].name, headers[i].value) != MHD_YES)
            return false;
    return true;
}

void hy_http_queue(struct hy_http_request *request, unsigned status, const char *content_type,
    struct MHD_Response *response)
{
    assert(!request->answered);
    request->answered = true;
    request->result = MHD_NO;
    if (response == NULL)
        return;
    if (add_headers(request, status, content_type, response))
        request->result = MHD_queue_response(request->mhd, status, response);
    MHD_destroy_response(response);
}

void hy_http_respond(struct hy_http_request *request, unsigned status, const char *content_type,
    const void *body, size_t len)
{
    /* Copied at once, in spite of the void *. */
    hy_http_queue(request, status, content_type,
        MHD_create_response_from_buffer(len, (void *)(uintptr_t)body, MHD_RESPMEM_MUST_COPY));
}

static bool is_get(const char *method)
{
    return strcmp(method, MHD_HTTP_METHOD_GET) == 0 || strcmp(method, MHD_HTTP_METHOD_HEAD) == 0;
}

static bool has_body(const struct hy_http_request *request)
{
    return header(request, MHD_HTTP_HEADER_CONTENT_LENGTH) != NULL ||
        header(request, MHD_HTTP_HEADER_TRANSFER_ENCODING) != NULL;
}

static void refuse(struct hy_http_request *request, unsigned status, const char *text)
{
    hy_http_respond(request, status, "text/plain; charset=utf-8", text, strlen(text));
}

static void answer(struct hy_http_request *request, const char *method)
{
    struct hy_http *http = request->http;

    if (http->check_host && !is_our_site(request)) {
        refuse(request, MHD_HTTP_FORBIDDEN, "Requests in the name of another site are refused.\n");
    } else if (http->token != NULL && !brings_token(request)) {
        refuse(request, MHD_HTTP_UNAUTHORIZED,
            "An access token is needed: \"Authorization: Bearer TOKEN\" or ?token=TOKEN.\n");
    } else if (!is_get(method)) {
        refuse(request, MHD_HTTP_METHOD_NOT_ALLOWED, "Only GET and HEAD are allowed.\n");
    } else {
        http->handler(request, http->user);
        assert(request->answered);
    }
}

enum MHD_Result hy_http_on_request(void *cls, struct MHD_Connection *mhd, const char *path,
    const char *method, const char *version, const char *upload, size_t *upload_len, void **state)
{
    struct hy_http *http = cls;
    const union MHD_ConnectionInfo *info = MHD_get_connection_info(
        mhd, MHD_CONNECTION_INFO_SOCKET_CONTEXT);
    struct hy_http_request request = {
        .http = http,
        .connection = info != NULL ? info->socket_context : NULL,
        .mhd = mhd,
        .path = path[0] != '\0' ? path : "/",
        .policy = POLICY,
        .result = MHD_NO,
    };

    (void)version;
    (void)upload;
    *upload_len = 0; /* nothing of a body is wanted */
    if (request.connection == NULL || http->stopping)
        return MHD_NO;
    /* An answer in the first call ends the connection, unread body and all; one in the second
     * leaves it open for the next request. */
    if (*state == NULL && is_get(method) && !has_body(&request)) {
        *state = http;
        return MHD_YES;
    }
    hy_http_set_phase(request.connection, HY_HTTP_ANSWERING);
    answer(&request, method);
    return request.result;
}
