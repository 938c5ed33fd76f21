/* rpc/buffer.h - bytes on their way in or out: append at the back, take off the front. */
#ifndef HY_RPC_BUFFER_H
#define HY_RPC_BUFFER_H

#include <hypha/wire.h>
#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>

/* Zeroed: empty. */
struct hy_rpc_buffer {
    char *bytes;
    size_t at;  /* the first byte not yet taken */
    size_t len; /* the end of what was put */
    size_t cap;
};

void hy_rpc_buffer_fini(struct hy_rpc_buffer *buffer);
/* False: no memory, nothing was put. */
bool hy_rpc_buffer_put(struct hy_rpc_buffer *buffer, const void *bytes, size_t len);
/* A value as compact JSON. False: no memory or bad UTF-8, nothing was put. */
bool hy_rpc_buffer_put_json(struct hy_rpc_buffer *buffer, const json_t *value);
struct hypha_span hy_rpc_buffer_span(const struct hy_rpc_buffer *buffer);
size_t hy_rpc_buffer_size(const struct hy_rpc_buffer *buffer);
/* An emptied buffer gives back what is above a few KiB. */
void hy_rpc_buffer_take(struct hy_rpc_buffer *buffer, size_t len);

/* Lines of at most `max` bytes, however they arrive. Zeroed with `max` set: empty.
 * spec: apps.md 2.2 */
struct hy_rpc_lines {
    struct hy_rpc_buffer buffer;
    size_t scanned; /* bytes after `at` known to hold no line end */
    size_t max;
};

enum hy_rpc_line {
    HY_RPC_LINE_NONE, /* no whole line yet */
    HY_RPC_LINE,
    HY_RPC_LINE_TOO_LONG,
};

void hy_rpc_lines_fini(struct hy_rpc_lines *lines);
/* Errors: NOMEM. */
enum hypha_err hy_rpc_lines_feed(struct hy_rpc_lines *lines, struct hypha_span bytes);
/* The next line that isn't blank, ended by LF or CRLF, blanks around it removed; `ended`: no
 * more will come, so what is left is a line too. ret_line: valid until the next call. */
enum hy_rpc_line hy_rpc_lines_next(
    struct hy_rpc_lines *lines, bool ended, struct hypha_span *ret_line);

#endif
