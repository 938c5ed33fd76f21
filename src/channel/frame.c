/* frame.c - from a message to bytes.
 *
 * All of a node encodes into one scratch buffer: small frames are copied out of it, the
 * memory of a large one becomes the frame's own. */
#include "channel/frame.h"

#include "base/alloc.h"

#include <string.h>

#define STEAL_BYTES        (64 * 1024) /* from here on the scratch buffer itself is taken */
#define SCRATCH_KEPT_BYTES (256 * 1024)

enum hypha_err hy_frame_encode(struct hy_net *net, const struct hypha_message_type *type,
    const void *message, struct hypha_span *ret_payload)
{
    struct hypha_writer *w = &net->scratch;

    if (w->cap > SCRATCH_KEPT_BYTES)
        hypha_writer_fini(w);
    hypha_writer_reset(w);
    w->max = type->max_bytes > 0 ? type->max_bytes : (size_t)net->settings->max_unlimited_bytes;
    type->write(w, message);
    if (w->err != HYPHA_OK)
        return w->err;
    *ret_payload = hypha_writer_span(w);
    return HYPHA_OK;
}

/* A varint into memory that has room for nine bytes. */
static size_t put_varint(uint8_t *into, uint64_t value)
{
    size_t bytes = value < 0xfd ? 0 : value <= 0xffff ? 2 : value <= 0xffffffff ? 4 : 8;

    if (bytes == 0) {
        into[0] = (uint8_t)value;
        return 1;
    }
    into[0] = bytes == 2 ? 0xfd : bytes == 4 ? 0xfe : 0xff;
    for (size_t i = 0; i < bytes; i++)
        into[1 + i] = (uint8_t)(value >> (8 * i));
    return 1 + bytes;
}

size_t hy_frame_put_header(uint8_t into[HY_FRAME_HEADER_BYTES], const uint8_t magic[4],
    const char *command, size_t command_len, size_t payload_len)
{
    size_t len = 4;

    memcpy(into, magic, 4);
    len += put_varint(into + len, command_len);
    memcpy(into + len, command, command_len);
    len += command_len;
    return len + put_varint(into + len, payload_len);
}

struct hy_frame *hy_frame_of_scratch(struct hy_net *net, const struct hypha_message_type *type)
{
    struct hypha_writer *w = &net->scratch;
    bool steal = w->len >= STEAL_BYTES;
    uint8_t header[HY_FRAME_HEADER_BYTES];
    size_t header_len = hy_frame_put_header(
        header, net->settings->magic, type->command, strlen(type->command), w->len);
    /* Not zeroed: every byte is written here. */
    struct hy_frame *frame = hy_realloc(NULL, sizeof *frame + header_len + (steal ? 0 : w->len));

    if (frame == NULL)
        return NULL;
    *frame = (struct hy_frame){
        .refs = 1, .type = type, .payload_len = w->len, .header_len = (uint32_t)header_len
    };
    memcpy(frame->bytes, header, header_len);
    if (steal) {
        /* Give back the growth's surplus; if that fails, it stays. */
        uint8_t *exact = hy_realloc(w->bytes, w->len);

        frame->payload = frame->stolen = exact != NULL ? exact : w->bytes;
        *w = (struct hypha_writer){ 0 };
    } else {
        frame->payload = frame->bytes + header_len;
        if (w->len > 0)
            memcpy(frame->payload, w->bytes, w->len);
    }
    return frame;
}

enum hypha_err hy_frame_create(struct hy_net *net, const struct hypha_message_type *type,
    const void *message, struct hy_frame **ret_frame)
{
    struct hypha_span payload;
    enum hypha_err err = hy_frame_encode(net, type, message, &payload);

    if (err != HYPHA_OK)
        return err;

    struct hy_frame *frame = hy_frame_of_scratch(net, type);
    if (frame == NULL)
        return HYPHA_ERR_NOMEM;
    *ret_frame = frame;
    return HYPHA_OK;
}

struct hy_frame *hy_frame_ref(struct hy_frame *frame)
{
    frame->refs++;
    return frame;
}

void hy_frame_unref(struct hy_frame *frame)
{
    if (frame == NULL || --frame->refs > 0)
        return;
    hy_free(frame->stolen);
    hy_free(frame);
}
