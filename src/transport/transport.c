/* transport/transport.c - the calls that every stream, listener and transport answers. */
#include "transport/transport.h"

void hy_stream_set_events(
    struct hy_stream *stream, const struct hy_stream_events *events, void *user)
{
    stream->events = events;
    stream->user = user;
}

void hy_stream_read_start(struct hy_stream *stream)
{
    stream->ops->read_start(stream);
}

void hy_stream_read_stop(struct hy_stream *stream)
{
    stream->ops->read_stop(stream);
}

size_t hy_stream_write(struct hy_stream *stream, const struct iovec *pieces, size_t count)
{
    return stream->ops->write(stream, pieces, count);
}

size_t hy_stream_pending(const struct hy_stream *stream)
{
    return stream->ops->pending(stream);
}

void hy_stream_close(struct hy_stream *stream)
{
    if (stream != NULL)
        stream->ops->close(stream);
}

void hy_listener_pause(struct hy_listener *listener)
{
    listener->ops->pause(listener);
}

void hy_listener_resume(struct hy_listener *listener)
{
    listener->ops->resume(listener);
}

void hy_listener_close(struct hy_listener *listener)
{
    if (listener != NULL)
        listener->ops->close(listener);
}

void hy_transport_destroy(struct hy_transport *transport)
{
    if (transport != NULL)
        transport->ops->destroy(transport);
}
