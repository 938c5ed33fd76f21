/* channel/outbox.h - what waits to be sent on one channel, in order.
 *
 * Small frames are gathered in blocks from the node's pool, several in one; a frame from
 * HY_OUTBOX_LARGE_BYTES up is queued by reference. A frame never spans two blocks, so the place
 * where one ends can be found again. An empty outbox holds no memory. */
#ifndef HY_CHANNEL_OUTBOX_H
#define HY_CHANNEL_OUTBOX_H

#include "channel/frame.h"

#define HY_BLOCK_BYTES        (16 * 1024)
#define HY_OUTBOX_LARGE_BYTES (4 * 1024)
#define HY_OUTBOX_PIECES      64 /* of one write */

/* Blocks given back, up to a number, wait here for the next busy channel. */
struct hy_block_pool;
struct hy_block_pool *hy_block_pool_create(void); /* NULL: no memory */
void hy_block_pool_destroy(struct hy_block_pool *pool);
/* Blocks in use by outboxes: 0 when all are idle. */
size_t hy_block_pool_used(const struct hy_block_pool *pool);

struct hy_block;
struct hy_segment;

struct hy_outbox {
    struct hy_block_pool *pool;
    TAILQ_HEAD(hy_segment_list, hy_segment) segments;
    struct hy_block *block; /* small frames are appended here; NULL: a new one is needed */
    size_t bytes;           /* in all segments */
};

void hy_outbox_init(struct hy_outbox *outbox, struct hy_block_pool *pool);
/* Drops everything; usable again. */
void hy_outbox_clear(struct hy_outbox *outbox);
static inline size_t hy_outbox_bytes(const struct hy_outbox *outbox)
{
    return outbox->bytes;
}

/* Append one small frame: its header (made by the caller) and payload. Errors: NOMEM. */
enum hypha_err hy_outbox_put(
    struct hy_outbox *outbox, struct hypha_span header, struct hypha_span payload);
/* Append a frame by reference (one is taken), or by copy if it is small. Errors: NOMEM. */
enum hypha_err hy_outbox_put_frame(struct hy_outbox *outbox, struct hy_frame *frame);

/* Up to `max` pieces to write now; returns how many. */
size_t hy_outbox_pieces(const struct hy_outbox *outbox, struct iovec *ret_pieces, size_t max);
/* So many bytes of them were taken. */
void hy_outbox_consume(struct hy_outbox *outbox, size_t bytes);

/* Bytes missing of the frame whose first bytes were consumed; 0: none is begun. */
size_t hy_outbox_begun(const struct hy_outbox *outbox);
/* Keep only those bytes: at stop. */
void hy_outbox_keep_begun(struct hy_outbox *outbox);

#endif
