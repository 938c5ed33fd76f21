/* Any bytes of an RPC client in any pieces: the same lines as in one piece; each is a request or
 * gets an error; what we answer is read again. The first byte decides how the rest is cut. */
#include "fuzz.h"

#include "base/span.h"
#include "rpc/message.h"

#include <string.h>

#define MAX_LINE  1000
#define MAX_LINES 64

struct lines {
    uint64_t sums[MAX_LINES];
    size_t count;
    bool too_long;
};

static void check_answer(struct hy_rpc_buffer *out, struct hy_rpc_id id, bool is_result)
{
    struct hypha_span line = hy_rpc_buffer_span(out);
    struct hy_rpc_reply reply;
    json_t *root = NULL;

    FUZZ_CHECK(line.len > 2 && memchr(line.at, '\n', line.len) == line.at + line.len - 1);
    FUZZ_CHECK(hy_rpc_reply_parse(hy_span(line.at, line.len - 2), &reply, &root) == HYPHA_OK);
    FUZZ_CHECK(!id.known || reply.id == id.number);
    FUZZ_CHECK(is_result == (reply.result != NULL));
    json_decref(root);
    hy_rpc_buffer_take(out, line.len);
}

static bool is_deep(struct hypha_span line)
{
    bool in_string = false;
    int depth = 0, deepest = 0;

    for (size_t i = 0; i < line.len; i++) {
        if (in_string && line.at[i] == '\\')
            i++;
        else if (line.at[i] == '"')
            in_string = !in_string;
        else if (!in_string && (line.at[i] == '[' || line.at[i] == '{'))
            deepest = ++depth > deepest ? depth : deepest;
        else if (!in_string && (line.at[i] == ']' || line.at[i] == '}'))
            depth--;
    }
    return deepest > HY_RPC_MAX_DEPTH;
}

/* NULL: not JSON. Ours and jansson's reading must agree. */
static json_t *parse(struct hypha_span line)
{
    const size_t flags = JSON_REJECT_DUPLICATES | JSON_DECODE_ANY | JSON_ALLOW_NUL;
    json_t *root = NULL;
    enum hypha_err err = hy_rpc_json_parse(line, &root);

    FUZZ_CHECK(err == HYPHA_OK || err == HYPHA_ERR_MALFORMED);
    FUZZ_CHECK((err == HYPHA_OK) == (root != NULL));
    if (!is_deep(line)) {
        json_t *other = json_loadb((const char *)line.at, line.len, flags, NULL);
        FUZZ_CHECK((root != NULL) == (other != NULL));
        FUZZ_CHECK(root == NULL || json_equal(root, other) == 1);
        json_decref(other);
    }
    return root;
}

/* What passes for a notification is one again when we send it, and never a reply. */
static void take_notification(struct hypha_span line)
{
    struct hy_rpc_notification notification, again;
    struct hy_rpc_buffer out = { 0 };
    struct hy_rpc_reply reply;
    json_t *root = parse(line), *second = NULL;

    if (hy_rpc_notification_of(root, &notification)) {
        FUZZ_CHECK(hy_rpc_reply_of(root, line, &reply) != HYPHA_OK);
        FUZZ_CHECK(hy_rpc_put_notification(&out, notification.method, notification.params));
        struct hypha_span text = hy_rpc_buffer_span(&out);
        second = parse(hy_span(text.at, text.len - 2));
        FUZZ_CHECK(hy_rpc_notification_of(second, &again));
        FUZZ_CHECK(strcmp(again.method, notification.method) == 0);
        FUZZ_CHECK(json_equal(again.params, notification.params) == 1);
    }
    json_decref(second);
    json_decref(root);
    hy_rpc_buffer_fini(&out);
}

static void take_line(struct hypha_span line)
{
    struct hy_rpc_request request;
    struct hy_rpc_buffer out = { 0 };
    struct hy_rpc_reply reply;
    json_t *root = NULL;
    int code = hy_rpc_request_parse(line, &request);

    FUZZ_CHECK((code == HY_RPC_OK) == (request.method != NULL));
    if (code == HY_RPC_OK && request.params != NULL) {
        FUZZ_CHECK(hy_rpc_put_result(&out, request.id, request.params));
        check_answer(&out, request.id, true);
        FUZZ_CHECK(hy_rpc_put_request(&out, request.id.number, "again", request.params));
        hy_rpc_buffer_take(&out, hy_rpc_buffer_size(&out));
    }
    FUZZ_CHECK(hy_rpc_put_error(&out, request.id, code, hy_rpc_code_text(code)));
    check_answer(&out, request.id, false);
    hy_rpc_request_fini(&request);
    hy_rpc_buffer_fini(&out);
    if (hy_rpc_reply_parse(line, &reply, &root) == HYPHA_OK)
        FUZZ_CHECK(reply.result != NULL || reply.message != NULL);
    json_decref(root);
    take_notification(line);
}

static uint64_t sum_of(struct hypha_span bytes)
{
    uint64_t sum = 0xcbf29ce484222325U ^ bytes.len;

    for (size_t i = 0; i < bytes.len; i++)
        sum = (sum ^ bytes.at[i]) * 0x100000001b3U;
    return sum;
}

static void take_lines(struct hy_rpc_lines *in, bool ended, bool judge, struct lines *lines)
{
    struct hypha_span line;

    while (lines->count < MAX_LINES && !lines->too_long) {
        enum hy_rpc_line got = hy_rpc_lines_next(in, ended, &line);

        if (got == HY_RPC_LINE_NONE)
            return;
        lines->too_long = got == HY_RPC_LINE_TOO_LONG;
        if (lines->too_long)
            return;
        FUZZ_CHECK(line.len > 0 && line.len <= MAX_LINE);
        lines->sums[lines->count++] = sum_of(line);
        if (judge)
            take_line(line);
    }
}

static struct lines run(const uint8_t *data, size_t size, uint32_t cuts)
{
    struct hy_rpc_lines in = { .max = MAX_LINE };
    struct lines lines = { 0 };

    for (size_t at = 0; at < size && !lines.too_long && lines.count < MAX_LINES;) {
        size_t len = size - at;

        if (cuts != 0) {
            cuts = cuts * 1664525U + 1013904223U;
            size_t wish = 1 + (cuts >> 24) % 40;
            len = wish < len ? wish : len;
        }
        FUZZ_CHECK(hy_rpc_lines_feed(&in, hy_span(data + at, len)) == HYPHA_OK);
        at += len;
        take_lines(&in, false, cuts == 0, &lines);
    }
    take_lines(&in, true, cuts == 0, &lines);
    hy_rpc_lines_fini(&in);
    return lines;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size < 2)
        return 0;
    hy_rpc_json_init();
    struct lines whole = run(data + 1, size - 1, 0);
    struct lines cut = run(data + 1, size - 1, data[0] + 1U);
    FUZZ_CHECK(memcmp(&whole, &cut, sizeof whole) == 0);
    return 0;
}
