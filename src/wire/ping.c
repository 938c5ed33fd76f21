/* wire/ping.c - ping and pong: a number, there and back. spec: wire.md 3.1 */
#include "wire/core.h"

void hy_ping_read(struct hypha_reader *r, void *ret_message)
{
    struct hy_ping *ping = ret_message;

    ping->nonce = hypha_reader_take_u16(r);
}

void hy_ping_write(struct hypha_writer *w, const void *message)
{
    const struct hy_ping *ping = message;

    hypha_writer_put_u16(w, ping->nonce);
}
