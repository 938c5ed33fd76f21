/* rpc_http_test.c - which bytes are which request, and who may ask. spec: apps.md 2.1, 2.2 */
#include "rpc/http.h"

#include "base/alloc.h"
#include "base/span.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
/* cmocka wants the above first */
#include <cmocka.h>

#define MAX_BODY 1000
#define LAST     "\r\n\r\n"

/* What became of some bytes, as text: "H" a head, "c" with close, "e" event stream, "x" expects,
 * "B(body)", a status when refused. */
struct told {
    char text[4096];
    size_t len;
};

static void tell(struct told *told, const char *text, size_t len)
{
    assert_true(told->len + len < sizeof told->text);
    memcpy(told->text + told->len, text, len);
    told->len += len;
    told->text[told->len] = '\0';
}

/* False: refused. */
static bool take_all(struct hy_rpc_http *http, struct told *told)
{
    struct hy_rpc_http_head head;
    struct hypha_span body;
    enum hy_rpc_http_status status;
    char number[16];

    for (;;) {
        switch (hy_rpc_http_next(http, &head, &body, &status)) {
        case HY_RPC_HTTP_GOT_NONE:
            return true;
        case HY_RPC_HTTP_GOT_HEAD:
            tell(told, "H", 1);
            tell(told, "c", head.close ? 1 : 0);
            tell(told, "e", head.event_stream ? 1 : 0);
            tell(told, "x", head.expects ? 1 : 0);
            break;
        case HY_RPC_HTTP_GOT_BODY:
            tell(told, "B(", 2);
            tell(told, (const char *)body.at, body.len);
            tell(told, ")", 1);
            break;
        case HY_RPC_HTTP_GOT_BAD:
            (void)snprintf(number, sizeof number, "%d", (int)status);
            tell(told, number, strlen(number));
            return false;
        }
    }
}

static struct told run(const char *text, size_t len, size_t piece)
{
    struct hy_rpc_http http = { .max_body = MAX_BODY };
    struct told told = { .len = 0 };
    bool on = true;

    for (size_t at = 0; at < len && on; at += piece) {
        size_t n = len - at < piece ? len - at : piece;

        assert_int_equal(hy_rpc_http_feed(&http, hy_span(text + at, n)), HYPHA_OK);
        on = take_all(&http, &told);
    }
    hy_rpc_http_fini(&http);
    return told;
}

static const struct {
    const char *text, *want;
} rows[] = {
    /* what the network's own client sends, and what was recorded */
    { "POST /json_rpc HTTP/1.1\r\nAccept: application/json\r\nContent-Type: application/json\r\n"
      "Content-Length: 2" LAST "{}",
        "HB({})" },
    { "POST / HTTP/1.1\r\nHost: x\r\ncontent-length:2" LAST "{}", "HB({})" },
    /* one after the other, blank lines between, bare line feeds */
    { "POST / HTTP/1.1\r\nCONTENT-LENGTH:  3  \r\n\r\nabc\r\n\r\nPUT * HTTP/1.1\nContent-Length: "
      "1\n\nx",
        "HB(abc)HB(x)" },
    { "\r\n\nPOST / HTTP/1.1\r\nContent-Length: 0002" LAST "{}", "HB({})" },
    /* half of one */
    { "POST / HTTP/1.1\r\nContent-Length: 3" LAST "ab", "H" },
    { "POST / HTTP/1.1\r\nContent-Length: 3\r\n", "" },
    /* how it ends, what is accepted, what is awaited */
    { "POST / HTTP/1.1\r\nConnection: Keep-Alive, CLOSE\r\nContent-Length: 1" LAST "x", "HcB(x)" },
    { "POST / HTTP/1.0\r\nContent-Length: 1" LAST "x", "HcB(x)" },
    { "POST / HTTP/1.0\r\nConnection: keep-alive\r\nContent-Length: 1" LAST "x", "HB(x)" },
    { "POST / HTTP/1.1\r\nConnection: upgrade\r\nContent-Length: 1" LAST "x", "HB(x)" },
    { "POST / HTTP/1.1\r\nAccept: text/html, Text/Event-Stream;q=0.9\r\nContent-Length: 1" LAST "x",
        "HeB(x)" },
    { "POST / HTTP/1.1\r\nAccept: text/event-streams\r\nContent-Length: 1" LAST "x", "HB(x)" },
    { "POST / HTTP/1.1\r\nExpect: 100-Continue\r\nContent-Length: 1" LAST "x", "HxB(x)" },
    { "POST / HTTP/1.1\r\nExpect: tea\r\nContent-Length: 1" LAST "x", "417" },
    /* methods that only read */
    { "GET / HTTP/1.1\r\nHost: localhost" LAST, "405" },
    { "HEAD / HTTP/1.1" LAST, "405" },
    { "OPTIONS * HTTP/1.1" LAST, "405" },
    { "get / HTTP/1.1\r\nContent-Length: 1" LAST "x",
        "HB(x)" }, /* case counts: some other method */
    /* lengths */
    { "POST / HTTP/1.1" LAST, "411" },
    { "POST / HTTP/1.1\r\nTransfer-Encoding: chunked" LAST "1\r\nx\r\n0" LAST, "411" },
    { "POST / HTTP/1.1\r\nContent-Length: 1\r\nTransfer-Encoding: chunked" LAST "x", "411" },
    { "POST / HTTP/1.1\r\nContent-Length: 0" LAST, "400" },
    { "POST / HTTP/1.1\r\nContent-Length: 1\r\nContent-Length: 1" LAST "x", "400" },
    { "POST / HTTP/1.1\r\nContent-Length: 1, 1" LAST "x", "400" },
    { "POST / HTTP/1.1\r\nContent-Length: +1" LAST "x", "400" },
    { "POST / HTTP/1.1\r\nContent-Length: -1" LAST "x", "400" },
    { "POST / HTTP/1.1\r\nContent-Length: 0x1" LAST "x", "400" },
    { "POST / HTTP/1.1\r\nContent-Length:" LAST "x", "400" },
    { "POST / HTTP/1.1\r\nContent-Length: 1001" LAST "x", "413" },
    { "POST / HTTP/1.1\r\nContent-Length: 99999999999999999999999999999999" LAST "x", "413" },
    { "POST / HTTP/1.1\r\nContent-Length: 18446744073709551617" LAST "x", "413" },
    /* request lines */
    { "POST / HTTP/2.0\r\nContent-Length: 1" LAST "x", "505" },
    { "POST / HTTP/1.1 \r\nContent-Length: 1" LAST "x", "400" },
    { "POST  / HTTP/1.1\r\nContent-Length: 1" LAST "x", "400" },
    { "POST /\r\nContent-Length: 1" LAST "x", "400" },
    { "POST / http/1.1\r\nContent-Length: 1" LAST "x", "400" },
    { " POST / HTTP/1.1\r\nContent-Length: 1" LAST "x", "400" },
    { "{\"jsonrpc\":\"2.0\"}\n\n", "400" },
    { "\x16\x03\x01\x02\n\n", "400" }, /* TLS to a plain port, say */
    /* fields */
    { "POST / HTTP/1.1\r\nContent-Length : 1" LAST "x", "400" },
    { "POST / HTTP/1.1\r\nX: a\r\n b\r\nContent-Length: 1" LAST "x", "400" },
    { "POST / HTTP/1.1\r\nX\r\nContent-Length: 1" LAST "x", "400" },
    { "POST / HTTP/1.1\r\n: x\r\nContent-Length: 1" LAST "x", "400" },
    { "POST / HTTP/1.1\r\nX: a\rb\r\nContent-Length: 1" LAST "x", "400" },
    { "POST / HTTP/1.1\r\nX: a\x01\r\nContent-Length: 1" LAST "x", "400" },
    { "POST / HTTP/1.1\r\nHost: a\r\nHost: a\r\nContent-Length: 1" LAST "x", "400" },
    { "POST / HTTP/1.1\r\nHost:\r\nHost:\r\nContent-Length: 1" LAST "x", "400" },
    { "POST / HTTP/1.1\r\nOrigin: a\r\norigin: b\r\nContent-Length: 1" LAST "x", "400" },
};

static void test_requests(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++)
        for (size_t piece = 1; piece < 300; piece += piece < 8 ? 1 : 97) {
            struct told told = run(rows[i].text, strlen(rows[i].text), piece);

            if (strcmp(told.text, rows[i].want) != 0)
                fail_msg("%s\n-> %s, expected %s (pieces of %zu)", rows[i].text, told.text,
                    rows[i].want, piece);
        }
}

/* spec: apps.md 2.2: at least 64 headers; and bounds on both number and bytes */
static void test_bounds(void **state)
{
    static char text[40000];
    const size_t counts[] = { 64, HY_RPC_HTTP_MAX_HEADERS - 1, HY_RPC_HTTP_MAX_HEADERS };
    const char *const wants[] = { "HB(x)", "HB(x)", "431" };

    (void)state;
    for (size_t i = 0; i < 3; i++) {
        size_t len = (size_t)sprintf(text, "POST / HTTP/1.1\r\n");

        for (size_t header = 0; header < counts[i]; header++)
            len += (size_t)sprintf(text + len, "X-Number-%zu: some value\r\n", header);
        len += (size_t)sprintf(text + len, "Content-Length: 1" LAST "x");
        assert_string_equal(run(text, len, len).text, wants[i]);
        assert_string_equal(run(text, len, 7).text, wants[i]);
    }
    memset(text, 'a', sizeof text);
    memcpy(text, "POST /", 6);
    assert_string_equal(run(text, HY_RPC_HTTP_MAX_HEAD_BYTES, 1000).text, "");
    assert_string_equal(run(text, HY_RPC_HTTP_MAX_HEAD_BYTES + 1, 1000).text, "431");
    assert_string_equal(run(text, sizeof text, sizeof text).text, "431");
    assert_string_equal(run("POST / HTTP/1.1\r\nX: \0\r\nContent-Length: 1" LAST "x", 45, 45).text,
        "400"); /* a zero is no text */
}

static struct hypha_span maybe(const char *text)
{
    return text != NULL ? hy_span_of(text) : hy_span(NULL, 0);
}

/* spec: apps.md 2.1 SHOULD: bearer token plus Origin and Host check */
static void test_judge(void **state)
{
    const struct hy_rpc_http_rules loopback = {
        .host = "127.0.0.1", .bound = "127.0.0.1", .port = 51054
    };
    const struct hy_rpc_http_rules local = { .host = NULL };
    const struct hy_rpc_http_rules everywhere = {
        .token = "0123456789abcdef", .host = "[::]", .bound = "[::]", .port = 80
    };
    const struct hy_rpc_http_rules named = {
        .host = "node.example", .bound = "10.1.2.3", .port = 7
    };
    const struct {
        const struct hy_rpc_http_rules *rules;
        const char *host, *origin, *authorization;
        int want;
    } judgements[] = {
        { &loopback, NULL, NULL, NULL, 200 },
        { &loopback, "127.0.0.1:51054", NULL, NULL, 200 },
        { &loopback, "127.0.0.1", NULL, NULL, 200 },
        { &loopback, "LocalHost:51054", NULL, NULL, 200 },
        { &loopback, "[::1]:51054", NULL, NULL, 200 },
        { &loopback, "127.9.9.9:51054", NULL, NULL, 200 },
        { &loopback, "127.0.0.1:51055", NULL, NULL, 403 },
        { &loopback, "127.0.0.1:117590", NULL, NULL, 403 },
        { &loopback, "127.0.0.1:116590", NULL, NULL, 403 }, /* 65536 more */
        { &loopback, "127.0.0.1:", NULL, NULL, 403 },
        { &loopback, ":51054", NULL, NULL, 403 },
        { &loopback, "", NULL, NULL, 403 },
        { &loopback, "evil.example:51054", NULL, NULL, 403 },
        { &loopback, "127.0.0.1.evil.example:51054", NULL, NULL, 403 },
        { &loopback, "localhost.evil.example:51054", NULL, NULL, 403 },
        { &loopback, "192.168.1.4:51054", NULL, NULL, 403 },
        { &loopback, "x", NULL, NULL, 200 },
        { &loopback, NULL, "http://127.0.0.1:51054", NULL, 200 },
        { &loopback, NULL, "HTTPS://localhost:51054", NULL, 200 },
        { &loopback, "localhost:51054", "http://localhost:8000", NULL, 403 },
        { &loopback, "localhost:51054", "http://localhost", NULL, 403 },
        { &loopback, "localhost:51054", "https://evil.example", NULL, 403 },
        { &loopback, "localhost:51054", "http://evil.example:51054", NULL, 403 },
        { &loopback, "localhost:51054", "null", NULL, 403 },
        { &loopback, "localhost:51054", "file://", NULL, 403 },
        { &loopback, "localhost:51054", "http://", NULL, 403 },
        { &loopback, "localhost:51054", "", NULL, 403 },
        { &local, "anything", NULL, NULL, 200 },
        { &local, NULL, "http://localhost", NULL, 403 },
        { &everywhere, "10.0.0.1", NULL, NULL, 401 },
        { &everywhere, "10.0.0.1:80", NULL, "Bearer 0123456789abcdef", 200 },
        { &everywhere, "[2001:db8::1]", NULL, "bearer  0123456789abcdef", 200 },
        { &everywhere, "evil.example", NULL, "Bearer 0123456789abcdef", 403 },
        { &everywhere, NULL, "http://10.0.0.1", "Bearer 0123456789abcdef", 200 },
        { &everywhere, NULL, NULL, "Bearer 0123456789abcdeg", 401 },
        { &everywhere, NULL, NULL, "Bearer 0123456789abcde", 401 },
        { &everywhere, NULL, NULL, "Bearer 0123456789abcdef0", 401 },
        { &everywhere, NULL, NULL, "Bearer", 401 },
        { &everywhere, NULL, NULL, "0123456789abcdef", 401 },
        { &everywhere, NULL, NULL, "Basic 0123456789abcdef", 401 },
        { &named, "Node.Example:7", NULL, NULL, 200 },
        { &named, "10.1.2.3:7", NULL, NULL, 200 },
        { &named, "10.1.2.4:7", NULL, NULL, 403 },
        { &named, NULL, "http://node.example:7", NULL, 200 },
    };

    (void)state;
    for (size_t i = 0; i < sizeof judgements / sizeof judgements[0]; i++) {
        const struct hy_rpc_http_head head = { .host = maybe(judgements[i].host),
            .origin = maybe(judgements[i].origin),
            .authorization = maybe(judgements[i].authorization) };
        int got = (int)hy_rpc_http_judge(judgements[i].rules, &head);

        if (got != judgements[i].want)
            fail_msg(
                "%zu: host %s, origin %s: %d", i, judgements[i].host, judgements[i].origin, got);
    }
}

static void expect(struct hy_rpc_buffer *out, const char *want)
{
    struct hypha_span got = hy_rpc_buffer_span(out);

    if (!hy_span_is(got, want))
        fail_msg("%.*s", (int)got.len, (const char *)got.at);
    hy_rpc_buffer_take(out, got.len);
}

static void test_responses(void **state)
{
    struct hy_rpc_buffer out = { 0 };

    (void)state;
    /* as recorded */
    assert_true(hy_rpc_http_put_response(&out, HY_RPC_HTTP_OK, false, hy_span_of("{}")));
    expect(
        &out, "HTTP/1.1 200 OK\r\nContent-Length: 2\r\nContent-Type: application/json" LAST "{}");
    assert_true(hy_rpc_http_put_response(&out, HY_RPC_HTTP_BAD_REQUEST, true, hy_span_of("{}")));
    expect(&out,
        "HTTP/1.1 400 Bad Request\r\nContent-Length: 2\r\nContent-Type: application/json\r\n"
        "Connection: close" LAST "{}");
    assert_true(
        hy_rpc_http_put_response(&out, HY_RPC_HTTP_METHOD_NOT_ALLOWED, true, hy_span_of("")));
    assert_non_null(strstr(out.bytes, "\r\nAllow: POST\r\n"));
    hy_rpc_buffer_take(&out, hy_rpc_buffer_size(&out));
    assert_true(hy_rpc_http_put_response(&out, HY_RPC_HTTP_UNAUTHORIZED, true, hy_span_of("")));
    assert_non_null(strstr(out.bytes, "\r\nWWW-Authenticate: Bearer\r\n"));
    hy_rpc_buffer_take(&out, hy_rpc_buffer_size(&out));
    assert_true(hy_rpc_http_put_event(&out, hy_span_of("{}")));
    expect(&out, "data: {}\n\n");
    hy_rpc_buffer_fini(&out);
    for (size_t n = 0; n < 2; n++) { /* all or nothing */
        static char body[1000];
        bool put;

        hy_alloc_fail_after(n);
        put = hy_rpc_http_put_response(&out, HY_RPC_HTTP_OK, false, hy_span(body, sizeof body));
        hy_alloc_fail_after(SIZE_MAX);
        assert_false(put);
        assert_int_equal(hy_rpc_buffer_size(&out), 0);
        hy_rpc_buffer_fini(&out);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_requests),
        cmocka_unit_test(test_bounds),
        cmocka_unit_test(test_judge),
        cmocka_unit_test(test_responses),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
