#include "channel/outbox.h"

#include "base/alloc.h"
#include "base/span.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>

#include <cmocka.h>

static const uint8_t magic[4] = { 1, 2, 3, 4 };

/* All bytes put so far, and where each frame ends. */
struct twin {
    struct hy_block_pool *pool;
    struct hy_outbox outbox;
    uint8_t *bytes;
    size_t len, sent;
    size_t ends[4096], end_count;
};

static void setup(struct twin *twin)
{
    *twin = (struct twin){ .pool = hy_block_pool_create(), .bytes = malloc(4 << 20) };
    hy_outbox_init(&twin->outbox, twin->pool);
}

static void teardown(struct twin *twin)
{
    hy_outbox_clear(&twin->outbox);
    assert_int_equal(hy_outbox_bytes(&twin->outbox), 0);
    assert_int_equal(hy_block_pool_used(twin->pool), 0);
    hy_block_pool_destroy(twin->pool);
    free(twin->bytes);
}

static void note(struct twin *twin, struct hypha_span part)
{
    if (part.len > 0)
        memcpy(twin->bytes + twin->len, part.at, part.len);
    twin->len += part.len;
}

static enum hypha_err put(struct twin *twin, size_t payload_len)
{
    uint8_t header[HY_FRAME_HEADER_BYTES], payload[70000];
    size_t header_len = hy_frame_put_header(header, magic, "cmd", 3, payload_len);
    enum hypha_err err;

    for (size_t i = 0; i < payload_len; i++)
        payload[i] = (uint8_t)(twin->len + i * 7);
    if (payload_len < 3000) {
        err = hy_outbox_put(
            &twin->outbox, hy_span(header, header_len), hy_span(payload, payload_len));
    } else {
        struct hy_frame *frame = hy_alloc(sizeof *frame + header_len + payload_len);

        if (frame == NULL)
            return HYPHA_ERR_NOMEM;
        frame->refs = 1;
        frame->header_len = (uint32_t)header_len;
        frame->payload_len = payload_len;
        frame->payload = frame->bytes + header_len;
        memcpy(frame->bytes, header, header_len);
        memcpy(frame->payload, payload, payload_len);
        err = hy_outbox_put_frame(&twin->outbox, frame);
        hy_frame_unref(frame);
    }
    if (err != HYPHA_OK)
        return err;
    note(twin, hy_span(header, header_len));
    note(twin, hy_span(payload, payload_len));
    twin->ends[twin->end_count++] = twin->len;
    return HYPHA_OK;
}

/* "Write" up to so many bytes and compare them. */
static void drain(struct twin *twin, size_t bytes)
{
    while (bytes > 0 && hy_outbox_bytes(&twin->outbox) > 0) {
        struct iovec pieces[3];
        size_t count = hy_outbox_pieces(&twin->outbox, pieces, 3), taken = 0;

        assert_true(count > 0);
        for (size_t i = 0; i < count && taken < bytes; i++) {
            size_t part = pieces[i].iov_len < bytes - taken ? pieces[i].iov_len : bytes - taken;

            assert_memory_equal(pieces[i].iov_base, twin->bytes + twin->sent, part);
            twin->sent += part;
            taken += part;
        }
        hy_outbox_consume(&twin->outbox, taken);
        bytes -= taken;
    }
}

static size_t rest_of_frame(const struct twin *twin)
{
    for (size_t i = 0; i < twin->end_count; i++) {
        size_t start = i == 0 ? 0 : twin->ends[i - 1];

        if (start < twin->sent && twin->sent < twin->ends[i])
            return twin->ends[i] - twin->sent;
    }
    return 0;
}

static const size_t mix[] = { 0, 10, 100, 5000, 3, 2900, 66000, 66000, 1, 255, 2999, 2999, 2999,
    2999, 2999, 2999, 2999, 253, 4095, 4096, 0 };

static void order_is_kept(void **state)
{
    struct twin twin;

    (void)state;
    setup(&twin);
    for (size_t i = 0; i < sizeof mix / sizeof mix[0]; i++) {
        assert_int_equal(put(&twin, mix[i]), HYPHA_OK);
        drain(&twin, i * 97);
        assert_int_equal(hy_outbox_bytes(&twin.outbox), twin.len - twin.sent);
    }
    drain(&twin, SIZE_MAX);
    assert_int_equal(twin.sent, twin.len);
    /* an idle outbox holds nothing */
    assert_int_equal(hy_block_pool_used(twin.pool), 0);
    teardown(&twin);
}

/* At every single byte: only the rest of the frame begun is kept. */
static void only_a_begun_frame_survives(void **state)
{
    (void)state;
    for (size_t stop = 0; stop < 30000; stop += stop < 600 ? 1 : 97) {
        struct twin twin;

        setup(&twin);
        for (size_t i = 0; i < sizeof mix / sizeof mix[0]; i++)
            assert_int_equal(put(&twin, mix[i]), HYPHA_OK);
        drain(&twin, stop);

        size_t rest = rest_of_frame(&twin);
        assert_int_equal(hy_outbox_begun(&twin.outbox), rest);
        hy_outbox_keep_begun(&twin.outbox);
        assert_int_equal(hy_outbox_bytes(&twin.outbox), rest);
        assert_int_equal(hy_outbox_begun(&twin.outbox), rest);
        drain(&twin, rest / 2);
        assert_int_equal(hy_outbox_begun(&twin.outbox), rest - rest / 2);
        drain(&twin, SIZE_MAX);
        assert_int_equal(rest_of_frame(&twin), 0);
        teardown(&twin);
    }
}

static void small_frames_share_a_block(void **state)
{
    struct twin twin;

    (void)state;
    setup(&twin);
    for (int i = 0; i < 100; i++)
        assert_int_equal(put(&twin, 100), HYPHA_OK);
    assert_int_equal(hy_block_pool_used(twin.pool), 1);
    /* also with large ones between them */
    for (int i = 0; i < 30; i++) {
        assert_int_equal(put(&twin, 10), HYPHA_OK);
        assert_int_equal(put(&twin, 5000), HYPHA_OK);
    }
    assert_int_equal(hy_block_pool_used(twin.pool), 1);
    drain(&twin, SIZE_MAX);
    teardown(&twin);
}

static void without_memory(void **state)
{
    (void)state;
    for (size_t n = 0; n < 6; n++) {
        struct twin twin;
        size_t before;

        setup(&twin);
        assert_int_equal(put(&twin, 5000), HYPHA_OK);
        before = hy_outbox_bytes(&twin.outbox);
        hy_alloc_fail_after(n);
        enum hypha_err small = put(&twin, 100), large = put(&twin, 6000);
        hy_alloc_fail_after(SIZE_MAX);
        assert_true(small == HYPHA_OK || small == HYPHA_ERR_NOMEM);
        assert_true(large == HYPHA_OK || large == HYPHA_ERR_NOMEM);
        if (small != HYPHA_OK && large != HYPHA_OK)
            assert_int_equal(hy_outbox_bytes(&twin.outbox), before);
        drain(&twin, SIZE_MAX);
        assert_int_equal(twin.sent, twin.len);
        teardown(&twin);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(order_is_kept),
        cmocka_unit_test(only_a_begun_frame_survives),
        cmocka_unit_test(small_frames_share_a_block),
        cmocka_unit_test(without_memory),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
