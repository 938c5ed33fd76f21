/* outbox.c - segments: a slice of a block, or a frame. */
#include "channel/outbox.h"

#include "base/alloc.h"
#include "base/span.h"

#include <assert.h>

#define POOL_KEPT_BLOCKS 64

struct hy_block {
    unsigned refs; /* segments that lie in it */
    uint32_t len;
    struct hy_block *next; /* in the pool */
    uint8_t bytes[HY_BLOCK_BYTES];
};

struct hy_block_pool {
    struct hy_block *free;
    size_t free_count, used;
};

struct hy_segment {
    TAILQ_ENTRY(hy_segment) entry;
    struct hy_block *block; /* or */
    struct hy_frame *frame;
    size_t start, at, end; /* of the block's bytes or the frame's; `at`: not yet sent */
};

/* ---- pool ---- */

struct hy_block_pool *hy_block_pool_create(void)
{
    return hy_alloc(sizeof(struct hy_block_pool));
}

void hy_block_pool_destroy(struct hy_block_pool *pool)
{
    if (pool == NULL)
        return;
    assert(pool->used == 0);
    while (pool->free != NULL) {
        struct hy_block *block = pool->free;

        pool->free = block->next;
        hy_free(block);
    }
    hy_free(pool);
}

size_t hy_block_pool_used(const struct hy_block_pool *pool)
{
    return pool->used;
}

static struct hy_block *take_block(struct hy_block_pool *pool)
{
    struct hy_block *block = pool->free;

    if (block != NULL) {
        pool->free = block->next;
        pool->free_count--;
    } else {
        /* Not zeroed: each byte is written before it is read. */
        block = hy_realloc(NULL, sizeof *block);
        if (block == NULL)
            return NULL;
    }
    block->refs = 0;
    block->len = 0;
    block->next = NULL;
    pool->used++;
    return block;
}

static void give_block(struct hy_block_pool *pool, struct hy_block *block)
{
    pool->used--;
    if (pool->free_count >= POOL_KEPT_BLOCKS) {
        hy_free(block);
        return;
    }
    block->next = pool->free;
    pool->free = block;
    pool->free_count++;
}

/* ---- segments ---- */

void hy_outbox_init(struct hy_outbox *outbox, struct hy_block_pool *pool)
{
    outbox->pool = pool;
    outbox->block = NULL;
    outbox->bytes = 0;
    TAILQ_INIT(&outbox->segments);
}

static void drop_first(struct hy_outbox *outbox)
{
    struct hy_segment *segment = TAILQ_FIRST(&outbox->segments);

    TAILQ_REMOVE(&outbox->segments, segment, entry);
    outbox->bytes -= segment->end - segment->at;
    hy_frame_unref(segment->frame);
    if (segment->block != NULL && --segment->block->refs == 0) {
        if (segment->block == outbox->block)
            outbox->block = NULL;
        give_block(outbox->pool, segment->block);
    }
    hy_free(segment);
}

void hy_outbox_clear(struct hy_outbox *outbox)
{
    while (!TAILQ_EMPTY(&outbox->segments))
        drop_first(outbox);
}

/* A segment at the end of the present block, or of a new one if `len` bytes don't fit. */
static struct hy_segment *open_segment(struct hy_outbox *outbox, size_t len)
{
    struct hy_block *block = outbox->block;
    bool fresh = block == NULL || HY_BLOCK_BYTES - block->len < len;
    struct hy_segment *segment = TAILQ_LAST(&outbox->segments, hy_segment_list);

    if (!fresh && segment != NULL && segment->block == block)
        return segment;
    segment = hy_alloc(sizeof *segment);
    if (segment == NULL)
        return NULL;
    if (fresh)
        block = take_block(outbox->pool);
    if (block == NULL) {
        hy_free(segment);
        return NULL;
    }
    outbox->block = block;
    block->refs++;
    segment->block = block;
    segment->start = segment->at = segment->end = block->len;
    TAILQ_INSERT_TAIL(&outbox->segments, segment, entry);
    return segment;
}

enum hypha_err hy_outbox_put(
    struct hy_outbox *outbox, struct hypha_span header, struct hypha_span payload)
{
    size_t len = header.len + payload.len;

    assert(len <= HY_BLOCK_BYTES);

    struct hy_segment *segment = open_segment(outbox, len);
    if (segment == NULL)
        return HYPHA_ERR_NOMEM;

    uint8_t *into = segment->block->bytes + segment->block->len;
    memcpy(into, header.at, header.len);
    if (payload.len > 0)
        memcpy(into + header.len, payload.at, payload.len);
    segment->block->len += (uint32_t)len;
    segment->end += len;
    outbox->bytes += len;
    return HYPHA_OK;
}

enum hypha_err hy_outbox_put_frame(struct hy_outbox *outbox, struct hy_frame *frame)
{
    if (hy_frame_len(frame) < HY_OUTBOX_LARGE_BYTES)
        return hy_outbox_put(outbox, hy_span(frame->bytes, frame->header_len),
            hy_span(frame->payload, frame->payload_len));

    struct hy_segment *segment = hy_alloc(sizeof *segment);
    if (segment == NULL)
        return HYPHA_ERR_NOMEM;
    segment->frame = hy_frame_ref(frame);
    segment->end = hy_frame_len(frame);
    outbox->bytes += segment->end;
    TAILQ_INSERT_TAIL(&outbox->segments, segment, entry);
    return HYPHA_OK;
}

/* ---- writing ---- */

static size_t frame_pieces(const struct hy_segment *segment, struct iovec *pieces, size_t max)
{
    struct hy_frame *frame = segment->frame;
    size_t count = 0, at = segment->at, end = segment->end;

    if (at < frame->header_len) {
        size_t stop = end < frame->header_len ? end : frame->header_len;

        pieces[count++] = (struct iovec){ frame->bytes + at, stop - at };
        at = stop;
    }
    if (at < end && count < max) {
        at -= frame->header_len;
        end -= frame->header_len;
        pieces[count++] = (struct iovec){ frame->payload + at, end - at };
    }
    return count;
}

size_t hy_outbox_pieces(const struct hy_outbox *outbox, struct iovec *ret_pieces, size_t max)
{
    const struct hy_segment *segment;
    size_t count = 0;

    TAILQ_FOREACH (segment, &outbox->segments, entry) {
        if (count == max)
            break;
        if (segment->frame != NULL)
            count += frame_pieces(segment, ret_pieces + count, max - count);
        else
            ret_pieces[count++] =
                (struct iovec){ segment->block->bytes + segment->at, segment->end - segment->at };
    }
    return count;
}

void hy_outbox_consume(struct hy_outbox *outbox, size_t bytes)
{
    assert(bytes <= outbox->bytes);
    while (bytes > 0) {
        struct hy_segment *segment = TAILQ_FIRST(&outbox->segments);
        size_t part = segment->end - segment->at;

        if (bytes < part)
            part = bytes;
        segment->at += part;
        outbox->bytes -= part;
        bytes -= part;
        if (segment->at == segment->end)
            drop_first(outbox);
    }
}

/* ---- the frame begun ---- */

/* The length of the frame at the front of our own bytes. */
static size_t frame_len(struct hypha_span bytes)
{
    struct hypha_reader r = hypha_reader_of(bytes);

    (void)hypha_reader_take(&r, 4);
    (void)hypha_reader_take(&r, hypha_reader_take_varint(&r));

    uint64_t payload = hypha_reader_take_varint(&r);
    assert(r.err == HYPHA_OK && payload <= r.rest.len);
    return bytes.len - r.rest.len + (size_t)payload;
}

size_t hy_outbox_begun(const struct hy_outbox *outbox)
{
    const struct hy_segment *segment = TAILQ_FIRST(&outbox->segments);

    if (segment == NULL || segment->at == segment->start)
        return 0;
    if (segment->frame != NULL)
        return segment->end - segment->at;

    size_t edge = segment->start;
    while (edge < segment->at)
        edge += frame_len(hy_span(segment->block->bytes + edge, segment->end - edge));
    return edge - segment->at;
}

void hy_outbox_keep_begun(struct hy_outbox *outbox)
{
    size_t keep = hy_outbox_begun(outbox);
    struct hy_segment *first = TAILQ_FIRST(&outbox->segments);

    if (keep == 0) {
        hy_outbox_clear(outbox);
        return;
    }
    TAILQ_REMOVE(&outbox->segments, first, entry);
    outbox->bytes -= first->end - first->at;
    hy_outbox_clear(outbox);
    first->end = first->at + keep;
    outbox->bytes = keep;
    TAILQ_INSERT_HEAD(&outbox->segments, first, entry);
}
