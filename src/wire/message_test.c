/* The core messages beyond the recorded bytes (tests/vectors): limits, trimming, bad input.
 * spec: wire.md 3.1, 5.5, 8 */
#include "wire/message.h"

#include "base/alloc.h"
#include "base/span.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>

#include <cmocka.h>

static struct hypha_url *parse(const char *text)
{
    struct hypha_url *url = NULL;

    assert_int_equal(hypha_url_parse_text(text, &url), HYPHA_OK);
    return url;
}

static enum hypha_err read_message(
    enum hy_core_message which, struct hypha_span payload, void *ret_message)
{
    struct hypha_reader r = hypha_reader_of(payload);

    memset(ret_message, 0, hy_core_messages[which].struct_bytes);
    hy_core_messages[which].read(&r, ret_message);
    return hypha_reader_end(&r);
}

static void write_message(enum hy_core_message which, const void *message, struct hypha_writer *w)
{
    hy_core_messages[which].write(w, message);
}

/* No message that was cut short is taken, whatever the place. */
static void assert_no_prefix_reads(enum hy_core_message which, struct hypha_span payload)
{
    _Alignas(max_align_t) unsigned char message[HYPHA_MAX_MESSAGE_STRUCT_BYTES];

    assert_int_equal(read_message(which, payload, message), HYPHA_OK);
    for (size_t len = 0; len < payload.len; len++)
        assert_int_not_equal(read_message(which, hy_span(payload.at, len), message), HYPHA_OK);
}

static void test_table(void **state)
{
    (void)state;
    for (size_t i = 0; i < HY_CORE_MESSAGES; i++) {
        assert_non_null(hy_core_messages[i].command);
        assert_true(hy_core_messages[i].struct_bytes > 0);
        assert_true(hy_core_messages[i].struct_bytes <= HYPHA_MAX_MESSAGE_STRUCT_BYTES);
    }
}

/* 57 bytes are exactly the nine shareable schemes. spec: wire.md 3.1; network.md MUST 8.2-b */
static void test_getaddr_limit(void **state)
{
    static const char *const schemes[] = { "tor", "tls", "tcp", "nym", "i2p", "tor+tls", "nym+tls",
        "tcp+tls", "i2p+tls", "tor", "unix" };
    struct hy_getaddr_out out = { 8, schemes, 11 };
    struct hypha_writer w = { 0 };
    struct hy_getaddr getaddr;
    struct hypha_span scheme;

    (void)state;
    write_message(HY_MESSAGE_GETADDR, &out, &w);
    assert_int_equal(w.err, HYPHA_OK);
    assert_int_equal(w.len, 57);
    assert_int_equal(read_message(HY_MESSAGE_GETADDR, hypha_writer_span(&w), &getaddr), HYPHA_OK);
    assert_int_equal(getaddr.max, 8);
    assert_int_equal(getaddr.count, 9);
    for (size_t i = 0; i < 9; i++) {
        assert_true(hy_getaddr_next(&getaddr.transports, &scheme));
        assert_true(hy_span_is(scheme, schemes[i]));
    }
    assert_false(hy_getaddr_next(&getaddr.transports, &scheme));
    assert_no_prefix_reads(HY_MESSAGE_GETADDR, hypha_writer_span(&w));
    hypha_writer_fini(&w);
}

/* What does not fit is left out, what follows may fit; doubles go. */
static void test_getaddr_trims(void **state)
{
    static const char *const schemes[] = { "tcp", "tcp",
        "a-scheme-that-is-far-too-long-for-this-message-of-ours", "", "tor", "tcp" };
    struct hy_getaddr_out out = { 1, schemes, 6 };
    struct hypha_writer w = { 0 };

    (void)state;
    write_message(HY_MESSAGE_GETADDR, &out, &w);
    assert_int_equal(w.len, 14);
    assert_memory_equal(w.bytes, "\1\0\0\0\3\3tcp\0\3tor", 14);
    hypha_writer_fini(&w);
}

static void test_getaddr_many(void **state)
{
    struct hy_getaddr getaddr;

    (void)state;
    /* More than nine are no violation: a node may ask for what we do not know. */
    assert_int_equal(read_message(HY_MESSAGE_GETADDR,
                         hy_span("\1\0\0\0\x0c\0\0\0\0\0\0\0\0\0\0\0\0", 17), &getaddr),
        HYPHA_OK);
    assert_int_equal(getaddr.count, 12);
    assert_int_equal(
        read_message(HY_MESSAGE_GETADDR, hy_span("\1\0\0\0\1\1\xff", 7), &getaddr), HYPHA_ERR_UTF8);
    assert_int_equal(read_message(HY_MESSAGE_GETADDR,
                         hy_span("\1\0\0\0\xff\xff\xff\xff\xff\xff\xff\xff\xff", 13), &getaddr),
        HYPHA_ERR_TRUNCATED);
}

#define MANY 600U

/* spec: network.md MUST 8.2-a: 510 entries */
static void test_addr_limits(void **state)
{
    struct hypha_url *url = parse("tcp://h:1"), *read_url;
    struct hy_addr_entry entries[MANY];
    struct hy_addr_out out = { entries, MANY };
    struct hypha_writer w = { 0 };
    struct hy_addr addr;
    uint64_t last_seen;
    enum hypha_err err;

    (void)state;
    for (size_t i = 0; i < MANY; i++)
        entries[i] = (struct hy_addr_entry){ url, i };
    write_message(HY_MESSAGE_ADDR, &out, &w);
    assert_int_equal(w.err, HYPHA_OK);
    assert_int_equal(w.len, 3 + HY_ADDR_MAX_ENTRIES * (1 + 10 + 8));
    assert_int_equal(read_message(HY_MESSAGE_ADDR, hypha_writer_span(&w), &addr), HYPHA_OK);
    assert_int_equal(addr.count, HY_ADDR_MAX_ENTRIES);
    for (uint64_t i = 0; i < HY_ADDR_MAX_ENTRIES; i++) {
        assert_true(hy_addr_next(&addr.entries, &read_url, &last_seen, &err));
        assert_true(hypha_url_equal(url, read_url));
        assert_true(last_seen == i);
        hypha_url_unref(read_url);
    }
    assert_false(hy_addr_next(&addr.entries, &read_url, &last_seen, &err));
    assert_int_equal(err, HYPHA_OK);
    hypha_writer_fini(&w);
    hypha_url_unref(url);
}

/* spec: network.md MUST 8.2-a: 65281 bytes */
static void test_addr_bytes(void **state)
{
    char text[1001] = "tcp://h:1/";
    struct hypha_url *small = parse(text), *large;
    struct hy_addr_entry entries[MANY];
    struct hy_addr_out out = { entries, MANY };
    struct hypha_writer w = { 0 };
    struct hy_addr addr;
    size_t fit = (HY_ADDR_MAX_BYTES - 1) / (3 + 1000 + 8);

    (void)state;
    memset(text + 10, 'a', 990);
    large = parse(text);
    for (size_t i = 0; i < MANY; i++)
        entries[i] = (struct hy_addr_entry){ i < 100 ? large : small, i };
    write_message(HY_MESSAGE_ADDR, &out, &w);
    assert_true(w.len <= HY_ADDR_MAX_BYTES);
    assert_true(w.len > HY_ADDR_MAX_BYTES - 19); /* later, smaller ones still went in */
    assert_int_equal(read_message(HY_MESSAGE_ADDR, hypha_writer_span(&w), &addr), HYPHA_OK);
    assert_true(addr.count > fit);
    hypha_writer_fini(&w);
    hypha_url_unref(small);
    hypha_url_unref(large);
}

static void test_addr_bad(void **state)
{
    struct hypha_url *url = parse("tcp://h:1"), *none = NULL;
    struct hy_addr_entry entries[2] = { { url, 1 }, { url, UINT64_MAX } };
    struct hy_addr_out out = { entries, 2 };
    struct hypha_writer w = { 0 };
    struct hy_addr addr;
    uint64_t last_seen;
    enum hypha_err err = HYPHA_OK;

    (void)state;
    write_message(HY_MESSAGE_ADDR, &out, &w);
    assert_no_prefix_reads(HY_MESSAGE_ADDR, hypha_writer_span(&w));
    assert_int_equal(read_message(HY_MESSAGE_ADDR, hypha_writer_span(&w), &addr), HYPHA_OK);
    hy_alloc_fail_after(0);
    assert_false(hy_addr_next(&addr.entries, &none, &last_seen, &err));
    hy_alloc_fail_after(SIZE_MAX);
    assert_int_equal(err, HYPHA_ERR_NOMEM);
    /* A bad URL anywhere spoils the message. spec: wire.md 1 (Url) */
    w.bytes[w.len - 9] = '?';
    assert_int_equal(read_message(HY_MESSAGE_ADDR, hypha_writer_span(&w), &addr), HYPHA_OK);
    w.bytes[w.len - 12] = ' ';
    assert_int_equal(read_message(HY_MESSAGE_ADDR, hypha_writer_span(&w), &addr), HYPHA_ERR_URL);
    assert_int_equal(addr.entries.len, 0);
    w.bytes[w.len - 12] = 0xff;
    assert_int_equal(read_message(HY_MESSAGE_ADDR, hypha_writer_span(&w), &addr), HYPHA_ERR_UTF8);
    hypha_writer_fini(&w);
    hypha_url_unref(url);
}

/* Reading takes no memory: nothing can be used up by what a peer sends. */
static void test_reading_allocates_nothing(void **state)
{
    struct hypha_url *url = parse("tcp+tls://example.org:1");
    const struct hypha_url *ext[3] = { url, url, url };
    struct hy_addr_entry entries[2] = { { url, 1 }, { url, 2 } };
    struct hy_addr_out addr_out = { entries, 2 };
    struct hy_version_out version_out = { .node_id = "n",
        .app_name = "a",
        .connect_recv_addr = url,
        .resolve_recv_addr = url,
        .ext_send_addr = ext,
        .ext_count = 3 };
    struct hypha_writer w = { 0 }, v = { 0 };
    struct hy_addr addr;
    struct hy_version version;
    enum hypha_err err[2];

    (void)state;
    write_message(HY_MESSAGE_ADDR, &addr_out, &w);
    write_message(HY_MESSAGE_VERSION, &version_out, &v);
    hy_alloc_fail_after(0);
    err[0] = read_message(HY_MESSAGE_ADDR, hypha_writer_span(&w), &addr);
    err[1] = read_message(HY_MESSAGE_VERSION, hypha_writer_span(&v), &version);
    hy_alloc_fail_after(SIZE_MAX);
    assert_int_equal(err[0], HYPHA_OK);
    assert_int_equal(err[1], HYPHA_OK);
    hypha_writer_fini(&w);
    hypha_writer_fini(&v);
    hypha_url_unref(url);
}

static void test_version_trims(void **state)
{
    struct hypha_url *url = parse("tcp://example.org:12345");
    const struct hypha_url *ext[200];
    const struct hy_feature features[] = { { "f", 7 } };
    struct hy_version_out out = { .node_id = "",
        .app_name = "app",
        .version = { .minor = 1 },
        .timestamp = 5,
        .connect_recv_addr = url,
        .ext_send_addr = ext,
        .ext_count = 200,
        .features = features,
        .feature_count = 1 };
    struct hypha_writer w = { 0 };
    struct hy_version version;
    struct hypha_url *read_url;
    struct hypha_span name;
    enum hypha_err err;
    uint32_t value;
    size_t count = 0;

    (void)state;
    for (size_t i = 0; i < 200; i++)
        ext[i] = url;
    hypha_writer_put_u16(&w, 0xffff); /* what was there before does not count */
    write_message(HY_MESSAGE_VERSION, &out, &w);
    assert_int_equal(w.err, HYPHA_OK);
    assert_true(w.len - 2 <= 2043 && w.len - 2 > 2043 - 25);
    assert_int_equal(
        read_message(HY_MESSAGE_VERSION, hy_span(w.bytes + 2, w.len - 2), &version), HYPHA_OK);
    assert_false(version.has_resolve_recv_addr);
    while (hy_version_next_ext(&version.ext_send_addr, &read_url, &err)) {
        assert_true(hypha_url_equal(read_url, url));
        hypha_url_unref(read_url);
        count++;
    }
    assert_int_equal(err, HYPHA_OK);
    assert_int_equal(count, version.ext_count);
    assert_true(hy_version_next_feature(&version.features, &name, &value));
    assert_true(hy_span_is(name, "f") && value == 7);
    assert_false(hy_version_next_feature(&version.features, &name, &value));
    assert_no_prefix_reads(HY_MESSAGE_VERSION, hy_span(w.bytes + 2, w.len - 2));
    hypha_writer_fini(&w);
    hypha_url_unref(url);
}

static void test_version_too_long(void **state)
{
    static char id[2044];
    struct hypha_url *url = parse("tcp://h:1");
    struct hy_version_out out = { .node_id = id, .app_name = "", .connect_recv_addr = url };
    struct hypha_writer w = { 0 };

    (void)state;
    memset(id, 'i', 2043 - 3 - 1 - 26 - 8 - 11 - 1 - 2);
    write_message(HY_MESSAGE_VERSION, &out, &w);
    assert_int_equal(w.err, HYPHA_OK);
    assert_int_equal(w.len, 2043);
    hypha_writer_reset(&w);
    id[strlen(id)] = 'i';
    write_message(HY_MESSAGE_VERSION, &out, &w);
    assert_int_equal(w.err, HYPHA_ERR_LIMIT);
    hypha_writer_fini(&w);
    hypha_url_unref(url);
}

static void test_verack(void **state)
{
    struct hy_verack verack = { { 1, 2, 3, { 0 }, { 0 } }, hy_span_of("dchatd") }, read;
    struct hypha_writer w = { 0 };

    (void)state;
    write_message(HY_MESSAGE_VERACK, &verack, &w);
    assert_no_prefix_reads(HY_MESSAGE_VERACK, hypha_writer_span(&w));
    assert_int_equal(read_message(HY_MESSAGE_VERACK, hypha_writer_span(&w), &read), HYPHA_OK);
    assert_true(hy_span_is(read.app_name, "dchatd"));
    assert_int_equal(read.app_version.patch, 3);
    hypha_writer_put_u8(&w, 0);
    assert_int_equal(
        read_message(HY_MESSAGE_VERACK, hypha_writer_span(&w), &read), HYPHA_ERR_TRAILING);
    hypha_writer_fini(&w);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_table),
        cmocka_unit_test(test_getaddr_limit),
        cmocka_unit_test(test_getaddr_trims),
        cmocka_unit_test(test_getaddr_many),
        cmocka_unit_test(test_addr_limits),
        cmocka_unit_test(test_addr_bytes),
        cmocka_unit_test(test_addr_bad),
        cmocka_unit_test(test_reading_allocates_nothing),
        cmocka_unit_test(test_version_trims),
        cmocka_unit_test(test_version_too_long),
        cmocka_unit_test(test_verack),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
