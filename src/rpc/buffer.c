#include "rpc/buffer.h"
#include "base/alloc.h"
#include "base/span.h"

#include <string.h>

#define KEEP_BYTES 4096 /* an idle connection holds no more */

void hy_rpc_buffer_fini(struct hy_rpc_buffer *buffer)
{
    hy_free(buffer->bytes);
    *buffer = (struct hy_rpc_buffer){ 0 };
}

bool hy_rpc_buffer_put(struct hy_rpc_buffer *buffer, const void *bytes, size_t len)
{
    if (len > SIZE_MAX / 4 - buffer->len)
        return false;
    if (buffer->len + len > buffer->cap && buffer->at > 0) {
        memmove(buffer->bytes, buffer->bytes + buffer->at, buffer->len - buffer->at);
        buffer->len -= buffer->at;
        buffer->at = 0;
    }
    if (buffer->len + len > buffer->cap) {
        size_t cap = buffer->cap < 256 ? 256 : buffer->cap * 2;

        while (cap < buffer->len + len)
            cap *= 2;
        char *grown = hy_realloc(buffer->bytes, cap);
        if (grown == NULL)
            return false;
        buffer->bytes = grown;
        buffer->cap = cap;
    }
    if (len > 0)
        memcpy(buffer->bytes + buffer->len, bytes, len);
    buffer->len += len;
    return true;
}

static int put_chunk(const char *chunk, size_t size, void *buffer)
{
    return hy_rpc_buffer_put(buffer, chunk, size) ? 0 : -1;
}

bool hy_rpc_buffer_put_json(struct hy_rpc_buffer *buffer, const json_t *value)
{
    size_t before = hy_rpc_buffer_size(buffer);

    if (json_dump_callback(value, put_chunk, buffer, JSON_COMPACT | JSON_ENCODE_ANY) == 0)
        return true;
    buffer->len = buffer->at + before;
    return false;
}

struct hypha_span hy_rpc_buffer_span(const struct hy_rpc_buffer *buffer)
{
    return buffer->bytes == NULL ? (struct hypha_span){ 0 }
                                 : hy_span(buffer->bytes + buffer->at, buffer->len - buffer->at);
}

size_t hy_rpc_buffer_size(const struct hy_rpc_buffer *buffer)
{
    return buffer->len - buffer->at;
}

void hy_rpc_buffer_take(struct hy_rpc_buffer *buffer, size_t len)
{
    buffer->at += len;
    if (buffer->at < buffer->len)
        return;
    buffer->at = buffer->len = 0;
    if (buffer->cap > KEEP_BYTES)
        hy_rpc_buffer_fini(buffer);
}

void hy_rpc_lines_fini(struct hy_rpc_lines *lines)
{
    hy_rpc_buffer_fini(&lines->buffer);
    lines->scanned = 0;
}

enum hypha_err hy_rpc_lines_feed(struct hy_rpc_lines *lines, struct hypha_span bytes)
{
    return hy_rpc_buffer_put(&lines->buffer, bytes.at, bytes.len) ? HYPHA_OK : HYPHA_ERR_NOMEM;
}

static bool is_blank(uint8_t byte)
{
    return byte == ' ' || byte == '\t' || byte == '\r' || byte == '\n';
}

static struct hypha_span trim(struct hypha_span line)
{
    while (line.len > 0 && is_blank(line.at[line.len - 1]))
        line.len--;
    while (line.len > 0 && is_blank(line.at[0])) {
        line.at++;
        line.len--;
    }
    return line;
}

enum hy_rpc_line hy_rpc_lines_next(
    struct hy_rpc_lines *lines, bool ended, struct hypha_span *ret_line)
{
    for (;;) {
        struct hypha_span rest = hy_rpc_buffer_span(&lines->buffer);
        const uint8_t *end = rest.len > lines->scanned
            ? memchr(rest.at + lines->scanned, '\n', rest.len - lines->scanned)
            : NULL;
        size_t len = end != NULL ? (size_t)(end - rest.at) : rest.len;

        if (len > lines->max)
            return HY_RPC_LINE_TOO_LONG;
        if (end == NULL && (!ended || rest.len == 0)) {
            lines->scanned = rest.len;
            if (rest.len == 0) /* only now: the line last given was in here */
                hy_rpc_buffer_take(&lines->buffer, 0);
            return HY_RPC_LINE_NONE;
        }
        lines->buffer.at += end != NULL ? len + 1 : len;
        lines->scanned = 0;
        struct hypha_span line = trim(hy_span(rest.at, len));
        if (line.len > 0) {
            *ret_line = line;
            return HY_RPC_LINE;
        }
    }
}
