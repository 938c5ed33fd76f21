/* Any bytes of an HTTP client in any pieces: the same requests as in one piece, all within the
 * bounds; nobody gets in without the token or from another origin; what a client says as an
 * answer is answered in a form that we read again. The first byte decides how the rest is cut. */
#include "fuzz.h"

#include "base/span.h"
#include "rpc/http.h"

#include <string.h>

#define MAX_BODY   1000
#define MAX_EVENTS 64

struct events {
    uint64_t sums[MAX_EVENTS];
    size_t count;
    bool bad;
};

static uint64_t sum_of(uint64_t sum, struct hypha_span bytes)
{
    sum ^= bytes.len;
    for (size_t i = 0; i < bytes.len; i++)
        sum = (sum ^ bytes.at[i]) * 0x100000001b3U;
    return sum;
}

static void check_head(const struct hy_rpc_http_head *head)
{
    static const struct hy_rpc_http_rules rules[] = {
        { .host = "localhost", .bound = "127.0.0.1", .port = 51054 },
        { .token = "0123456789abcdef", .host = "[::]", .bound = "[::]", .port = 80 },
        { .host = NULL },
    };

    for (size_t i = 0; i < sizeof rules / sizeof rules[0]; i++) {
        enum hy_rpc_http_status status = hy_rpc_http_judge(&rules[i], head);

        FUZZ_CHECK(status == HY_RPC_HTTP_OK || status == HY_RPC_HTTP_FORBIDDEN ||
            status == HY_RPC_HTTP_UNAUTHORIZED);
        if (status != HY_RPC_HTTP_OK)
            continue;
        FUZZ_CHECK(rules[i].token == NULL || head->authorization.len >= 7 + 16);
        FUZZ_CHECK(rules[i].host != NULL || head->origin.at == NULL);
        if (head->origin.at != NULL) /* the last part of whatever is our own is a port or a host */
            FUZZ_CHECK(head->origin.len > 7 && memchr(head->origin.at, '/', head->origin.len));
    }
}

/* What we send is what we would read, but for the first line. */
static void check_response(struct hypha_span body)
{
    struct hy_rpc_buffer out = { 0 };
    struct hy_rpc_http http = { .max_body = MAX_BODY };
    struct hy_rpc_http_head head;
    struct hypha_span again = { 0 };
    enum hy_rpc_http_status status;

    FUZZ_CHECK(hy_rpc_http_put_response(&out, HY_RPC_HTTP_OK, body.len % 2 == 0, body));
    struct hypha_span text = hy_rpc_buffer_span(&out);
    FUZZ_CHECK(text.len > 17 && memcmp(text.at, "HTTP/1.1 200 OK\r\n", 17) == 0);
    FUZZ_CHECK(hy_rpc_http_feed(&http, hy_span_of("POST / HTTP/1.1\r\n")) == HYPHA_OK);
    FUZZ_CHECK(hy_rpc_http_feed(&http, hy_span(text.at + 17, text.len - 17)) == HYPHA_OK);
    FUZZ_CHECK(hy_rpc_http_next(&http, &head, &again, &status) == HY_RPC_HTTP_GOT_HEAD);
    FUZZ_CHECK(head.close == (body.len % 2 == 0));
    FUZZ_CHECK(hy_rpc_http_next(&http, &head, &again, &status) == HY_RPC_HTTP_GOT_BODY);
    FUZZ_CHECK(hy_span_equal(body, again));
    hy_rpc_http_fini(&http);
    hy_rpc_buffer_fini(&out);
}

static bool take_one(struct hy_rpc_http *http, bool judge, struct events *events)
{
    struct hy_rpc_http_head head;
    struct hypha_span body;
    enum hy_rpc_http_status status;
    uint64_t sum = 0;

    switch (hy_rpc_http_next(http, &head, &body, &status)) {
    case HY_RPC_HTTP_GOT_NONE:
        FUZZ_CHECK(
            hy_rpc_buffer_size(&http->buffer) <= HY_RPC_HTTP_MAX_HEAD_BYTES + (size_t)MAX_BODY);
        return false;
    case HY_RPC_HTTP_GOT_HEAD:
        FUZZ_CHECK(head.length > 0 && head.length <= MAX_BODY);
        sum = head.length * 8 + (head.close ? 4U : 0) + (head.event_stream ? 2U : 0) + head.expects;
        sum = sum_of(sum_of(sum_of(sum, head.host), head.origin), head.authorization);
        if (judge)
            check_head(&head);
        break;
    case HY_RPC_HTTP_GOT_BODY:
        FUZZ_CHECK(body.len > 0 && body.len <= MAX_BODY);
        sum = sum_of(1, body);
        if (judge)
            check_response(body);
        break;
    case HY_RPC_HTTP_GOT_BAD:
        FUZZ_CHECK(status >= 400 && status <= 505 && hy_rpc_http_why(status)[0] != '\0');
        events->bad = true;
        sum = (uint64_t)status;
        break;
    }
    events->sums[events->count++] = sum;
    return !events->bad && events->count < MAX_EVENTS;
}

static struct events run(const uint8_t *data, size_t size, uint32_t cuts)
{
    struct hy_rpc_http http = { .max_body = MAX_BODY };
    struct events events = { .count = 0 };

    for (size_t at = 0; at < size && !events.bad && events.count < MAX_EVENTS;) {
        size_t len = size - at;

        if (cuts != 0) {
            cuts = cuts * 1664525U + 1013904223U;
            size_t wish = 1 + (cuts >> 24) % 40;
            len = wish < len ? wish : len;
        } else if (len > 4096) { /* as a socket gives it: what is not read is not kept */
            len = 4096;
        }
        FUZZ_CHECK(hy_rpc_http_feed(&http, hy_span(data + at, len)) == HYPHA_OK);
        at += len;
        while (take_one(&http, cuts == 0, &events))
            ;
    }
    hy_rpc_http_fini(&http);
    return events;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size < 2)
        return 0;
    struct events whole = run(data + 1, size - 1, 0);
    struct events cut = run(data + 1, size - 1, data[0] + 1U);
    FUZZ_CHECK(memcmp(&whole, &cut, sizeof whole) == 0);
    return 0;
}
