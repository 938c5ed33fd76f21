/* rpc_message_test.c - which requests are judged how, and what replies look like. */
#include "rpc/message.h"

#include "base/alloc.h"
#include "base/span.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
/* cmocka wants the above first */
#include <cmocka.h>

#define NO_ID INT64_MIN

struct row {
    const char *line;
    int code;
    int64_t id;
};

/* spec: apps.md 2.3 */
static const struct row rows[] = {
    { "{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"ping\"}", HY_RPC_OK, 1 },
    { "{\"jsonrpc\":\"2.0\",\"id\":-7,\"method\":\"ping\",\"params\":[]}", HY_RPC_OK, -7 },
    { "{\"jsonrpc\":\"2.0\",\"id\":9007199254740993,\"method\":\"p\"}", HY_RPC_OK,
        9007199254740993 },
    { "{\"jsonrpc\":\"2.0\",\"id\":9223372036854775807,\"method\":\"p\"}", HY_RPC_OK, INT64_MAX },
    { "{\"jsonrpc\":\"2.0\",\"id\":\"42\",\"method\":\"p\",\"params\":{}}", HY_RPC_OK, 42 },
    { "{\"jsonrpc\":\"2.0\",\"id\":\"-42\",\"method\":\"p\"}", HY_RPC_OK, -42 },
    { "{\"jsonrpc\":\"2.0\",\"id\":\"\",\"method\":\"p\"}", HY_RPC_INVALID_REQUEST, NO_ID },
    { "{\"jsonrpc\":\"2.0\",\"id\":\"-\",\"method\":\"p\"}", HY_RPC_INVALID_REQUEST, NO_ID },
    { "{\"jsonrpc\":\"2.0\",\"id\":\"1e3\",\"method\":\"p\"}", HY_RPC_INVALID_REQUEST, NO_ID },
    { "{\"jsonrpc\":\"2.0\",\"id\":\"99999999999999999999\",\"method\":\"p\"}",
        HY_RPC_INVALID_REQUEST, NO_ID },
    { "{\"jsonrpc\":\"2.0\",\"id\":99999999999999999999,\"method\":\"p\"}", HY_RPC_PARSE_ERROR,
        NO_ID },
    { "{\"jsonrpc\":\"2.0\",\"id\":1.5,\"method\":\"p\"}", HY_RPC_INVALID_REQUEST, NO_ID },
    { "{\"jsonrpc\":\"2.0\",\"id\":true,\"method\":\"p\"}", HY_RPC_INVALID_REQUEST, NO_ID },
    { "{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"p\",\"params\":3}", HY_RPC_INVALID_REQUEST, 1 },
    { "{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"p\",\"params\":null}", HY_RPC_INVALID_REQUEST,
        1 },
    { "{\"jsonrpc\":2.0,\"id\":1,\"method\":\"p\"}", HY_RPC_INVALID_REQUEST, 1 },
    { "{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"a\\u0000b\"}", HY_RPC_INVALID_REQUEST, 1 },
    { "{\"jsonrpc\":\"2.0\",\"id\":1}", HY_RPC_INVALID_REQUEST, 1 },
    { "\"text\"", HY_RPC_INVALID_REQUEST, NO_ID },
    { "[]", HY_RPC_INVALID_REQUEST, NO_ID },
    { "{\"id\":1,\"id\":2}", HY_RPC_PARSE_ERROR, NO_ID },
    { "{} {}", HY_RPC_PARSE_ERROR, NO_ID },
    { "{\"a\":\"\xff\"}", HY_RPC_PARSE_ERROR, NO_ID },
    { "{\"a\":\"\xed\xa0\x80\"}", HY_RPC_PARSE_ERROR, NO_ID },
    { "{\"a\":\"\\ud800\"}", HY_RPC_PARSE_ERROR, NO_ID },
    { "{not json", HY_RPC_PARSE_ERROR, NO_ID },
    { "GET / HTTP/1.1", HY_RPC_PARSE_ERROR, NO_ID },
};

static void test_requests(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct hy_rpc_request request;
        int code = hy_rpc_request_parse(hy_span_of(rows[i].line), &request);

        if (code != rows[i].code || request.id.known != (rows[i].id != NO_ID) ||
            (request.id.known && request.id.number != rows[i].id))
            fail_msg("%s: %d", rows[i].line, code);
        hy_rpc_request_fini(&request);
    }
}

static void expect(struct hy_rpc_buffer *out, const char *want)
{
    struct hypha_span got = hy_rpc_buffer_span(out);

    if (!hy_span_is(got, want))
        fail_msg("%.*s", (int)got.len, (const char *)got.at);
    hy_rpc_buffer_take(out, got.len);
}

/* Compact, one line, CRLF. spec: apps.md 2.2 */
static void test_replies(void **state)
{
    struct hy_rpc_buffer out = { 0 };
    struct hy_rpc_id id = { .known = true, .number = INT64_MIN };
    json_t *result = json_pack("[s, b]", "h\xc3\xa9\n\"", 1);

    (void)state;
    assert_true(hy_rpc_put_result(&out, id, result));
    expect(&out,
        "{\"jsonrpc\":\"2.0\",\"id\":-9223372036854775808,\"result\":[\"h\xc3\xa9\\n\\\"\",true]}"
        "\r\n");
    assert_true(hy_rpc_put_error(&out, (struct hy_rpc_id){ 0 }, -32700, "parse error"));
    expect(&out,
        "{\"jsonrpc\":\"2.0\",\"id\":null,\"error\":{\"code\":-32700,\"message\":\"parse "
        "error\"}}\r\n");
    assert_true(hy_rpc_put_request(&out, 5, "send", result));
    expect(&out,
        "{\"jsonrpc\":\"2.0\",\"id\":5,\"method\":\"send\",\"params\":[\"h\xc3\xa9\\n\\\"\","
        "true]}\r\n");
    json_decref(result);
    hy_rpc_buffer_fini(&out);
}

static void test_reading_replies(void **state)
{
    static const char *const bad[] = { "", "x", "[]", "{\"jsonrpc\":\"2.0\",\"id\":1}",
        "{\"jsonrpc\":\"2.0\",\"id\":1,\"result\":1,\"error\":{\"code\":1,\"message\":\"\"}}",
        "{\"jsonrpc\":\"2.0\",\"id\":1,\"error\":{\"code\":\"x\",\"message\":\"\"}}",
        "{\"jsonrpc\":\"2.0\",\"method\":\"x\",\"params\":[]}" };
    struct hy_rpc_reply reply;
    json_t *root;

    (void)state;
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++)
        assert_int_equal(
            hy_rpc_reply_parse(hy_span_of(bad[i]), &reply, &root), HYPHA_ERR_MALFORMED);
    assert_int_equal(
        hy_rpc_reply_parse(hy_span_of("{\"result\":null,\"id\":\"7\"}"), &reply, &root), HYPHA_OK);
    assert_int_equal(reply.id, 7);
    assert_true(json_is_null(reply.result));
    json_decref(root);
    assert_int_equal(
        hy_rpc_reply_parse(
            hy_span_of("{\"id\":7,\"error\":{\"code\":-1,\"message\":\"m\"}}"), &reply, &root),
        HYPHA_OK);
    assert_null(reply.result);
    assert_int_equal(reply.code, -1);
    assert_string_equal(reply.message, "m");
    json_decref(root);
}

/* The nth allocation fails: a clean no, nothing half written, and the text is not to blame. */
static void test_no_memory(void **state)
{
    (void)state;
    for (size_t n = 0;; n++) {
        struct hy_rpc_buffer out = { 0 };
        struct hy_rpc_request request;

        hy_alloc_fail_after(n);
        int code = hy_rpc_request_parse(
            hy_span_of(
                "{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"p\",\"params\":[{\"a\":[1,\"x\"]}]}"),
            &request);
        bool put = code == HY_RPC_OK && hy_rpc_put_result(&out, request.id, request.params);
        hy_alloc_fail_after(SIZE_MAX);
        assert_true(code == HY_RPC_OK || code == HY_RPC_INTERNAL_ERROR);
        assert_true(put || hy_rpc_buffer_size(&out) == 0);
        hy_rpc_request_fini(&request);
        hy_rpc_buffer_fini(&out);
        if (put)
            break;
        assert_true(n < 1000);
    }
}

/* A reply that finds no memory is not the server's fault. */
static void test_no_memory_for_a_reply(void **state)
{
    enum hypha_err err = HYPHA_ERR_NOMEM;

    (void)state;
    for (size_t n = 0; err != HYPHA_OK; n++) {
        struct hy_rpc_reply reply;
        json_t *root = NULL;

        hy_alloc_fail_after(n);
        err = hy_rpc_reply_parse(
            hy_span_of("{\"id\":7,\"result\":[\"text\",{\"a key\":1.5}]}"), &reply, &root);
        hy_alloc_fail_after(SIZE_MAX);
        assert_true(err == HYPHA_OK || err == HYPHA_ERR_NOMEM);
        json_decref(root);
        assert_true(n < 1000);
    }
}

/* Writing and packing, which are jansson's: whole or not at all, nothing lost. */
static void test_no_memory_for_writing(void **state)
{
    json_t *value = NULL;
    bool put = false;

    (void)state;
    for (size_t n = 0; !put; n++) {
        struct hy_rpc_buffer out = { 0 };

        hy_alloc_fail_after(n);
        value = json_pack("{s:o, s:[o, s, {s:o}], s:b}", "first", json_string("text"), "second",
            json_integer(5), "more", "third", json_real(0.5), "fourth", 1);
        put = value != NULL && hy_rpc_put_notification(&out, "method", value);
        hy_alloc_fail_after(SIZE_MAX);
        assert_true(put || hy_rpc_buffer_size(&out) == 0);
        hy_rpc_buffer_fini(&out);
        json_decref(value);
        assert_true(n < 1000);
    }
}

static int set_up(void **state)
{
    (void)state;
    hy_rpc_json_init();
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_requests),
        cmocka_unit_test(test_replies),
        cmocka_unit_test(test_reading_replies),
        cmocka_unit_test(test_no_memory),
        cmocka_unit_test(test_no_memory_for_a_reply),
        cmocka_unit_test(test_no_memory_for_writing),
    };
    return cmocka_run_group_tests(tests, set_up, NULL);
}
