/* fakes/fake_stream.h - a stream whose other end is the test.
 *
 * It takes as many bytes as the test allows, delivers what the test feeds, and is freed by the
 * test, so that what happened to it can be looked at afterwards. As a real one it delivers only
 * while reading, and calls back only when the test says so: never from inside hy_stream_*. */
#ifndef FAKES_FAKE_STREAM_H
#define FAKES_FAKE_STREAM_H

#include "transport/transport.h"

#include <stdlib.h>
#include <string.h>

struct fake_stream {
    struct hy_stream base; /* first */
    bool reading;
    bool closed;
    unsigned writes;
    size_t room;    /* bytes that write() still takes; SIZE_MAX: any number */
    size_t pending; /* what pending() says */
    uint8_t *out;   /* taken and not yet looked at */
    size_t out_len, out_cap;
};

static inline void fake_read_start(struct hy_stream *stream)
{
    ((struct fake_stream *)(void *)stream)->reading = true;
}

static inline void fake_read_stop(struct hy_stream *stream)
{
    ((struct fake_stream *)(void *)stream)->reading = false;
}

static inline size_t fake_write(struct hy_stream *stream, const struct iovec *pieces, size_t count)
{
    struct fake_stream *fake = (struct fake_stream *)(void *)stream;
    size_t taken = 0;

    fake->writes++;
    for (size_t i = 0; i < count && fake->room > 0; i++) {
        size_t part = pieces[i].iov_len < fake->room ? pieces[i].iov_len : fake->room;

        while (fake->out_cap - fake->out_len < part) {
            fake->out_cap = fake->out_cap * 2 + 4096;
            fake->out = realloc(fake->out, fake->out_cap);
            if (fake->out == NULL)
                abort();
        }
        memcpy(fake->out + fake->out_len, pieces[i].iov_base, part);
        fake->out_len += part;
        taken += part;
        if (fake->room != SIZE_MAX)
            fake->room -= part;
    }
    return taken;
}

static inline size_t fake_pending(const struct hy_stream *stream)
{
    return ((const struct fake_stream *)(const void *)stream)->pending;
}

static inline void fake_close(struct hy_stream *stream)
{
    struct fake_stream *fake = (struct fake_stream *)(void *)stream;

    if (fake->closed)
        abort(); /* twice is a bug of the owner */
    fake->closed = true;
    fake->reading = false;
}

static const struct hy_stream_ops fake_stream_ops = {
    .read_start = fake_read_start,
    .read_stop = fake_read_stop,
    .write = fake_write,
    .pending = fake_pending,
    .close = fake_close,
};

static inline void fake_stream_init(struct fake_stream *fake)
{
    *fake = (struct fake_stream){ .base = { .ops = &fake_stream_ops }, .room = SIZE_MAX };
}

static inline void fake_stream_fini(struct fake_stream *fake)
{
    free(fake->out);
    *fake = (struct fake_stream){ 0 };
}

/* Deliver bytes, from memory that ends behind them; false: the owner doesn't read. */
static inline bool fake_stream_feed(struct fake_stream *fake, const void *bytes, size_t len)
{
    if (!fake->reading || fake->closed)
        return false;

    uint8_t *copy = malloc(len > 0 ? len : 1);
    if (copy == NULL)
        abort();
    if (len > 0)
        memcpy(copy, bytes, len);
    fake->base.events->on_read(&fake->base, (struct hypha_span){ copy, len }, fake->base.user);
    free(copy);
    return true;
}

static inline void fake_stream_end(struct fake_stream *fake, enum hypha_err why)
{
    fake->base.events->on_end(&fake->base, why, fake->base.user);
}

/* Room for so many more bytes. */
static inline void fake_stream_allow(struct fake_stream *fake, size_t room)
{
    fake->room = room;
    fake->base.events->on_writable(&fake->base, fake->base.user);
}

/* Forget what was written. */
static inline void fake_stream_clear(struct fake_stream *fake)
{
    fake->out_len = 0;
}

/* What one wrote is fed to the other, as far as it reads. Returns whether something moved. */
static inline bool fake_stream_carry(struct fake_stream *from, struct fake_stream *to)
{
    uint8_t *bytes = from->out;
    size_t len = from->out_len;
    bool moved = len > 0 && to->reading && !to->closed;

    if (!moved)
        return false;
    from->out = NULL;
    from->out_len = from->out_cap = 0;
    (void)fake_stream_feed(to, bytes, len);
    free(bytes);
    return true;
}

#endif
