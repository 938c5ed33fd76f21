/* channel/frame.h - a frame as bytes: encoded once, counted, queued by reference. */
#ifndef HY_CHANNEL_FRAME_H
#define HY_CHANNEL_FRAME_H

#include "channel/channel.h"
#include "wire/message.h"

/* magic, clen, command, plen */
#define HY_FRAME_HEADER_BYTES (4 + 3 + HY_MAX_COMMAND_BYTES + 9)

struct hy_frame {
    unsigned refs;
    const struct hypha_message_type *type;
    size_t payload_len;
    uint8_t *payload; /* in `bytes`, or `stolen` */
    uint8_t *stolen;  /* the writer's memory of a large one; NULL: none */
    uint32_t header_len;
    uint8_t bytes[]; /* header, then the payload unless stolen */
};

/* The message in the net's scratch writer, valid until the next encoding.
 * Errors: NOMEM, LIMIT, those of `write`. */
enum hypha_err hy_frame_encode(struct hy_net *net, const struct hypha_message_type *type,
    const void *message, struct hypha_span *ret_payload);
/* Returns its length. */
size_t hy_frame_put_header(uint8_t into[HY_FRAME_HEADER_BYTES], const uint8_t magic[4],
    const char *command, size_t command_len, size_t payload_len);
/* A frame of what hy_frame_encode() just made; NULL: no memory. */
struct hy_frame *hy_frame_of_scratch(struct hy_net *net, const struct hypha_message_type *type);
struct hy_frame *hy_frame_ref(struct hy_frame *frame);
static inline size_t hy_frame_len(const struct hy_frame *frame)
{
    return frame->header_len + frame->payload_len;
}

#endif
