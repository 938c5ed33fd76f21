/* http_stream.c - server-sent events: a response that goes on.
 *
 * A stream's connection sleeps (is suspended) while there is nothing to send; libmicrohttpd then
 * neither times it out nor notices that its client left, so a sweep looks for that, and a comment
 * is sent now and then. A client that has read nothing of what is queued for HY_HTTP_IDLE_S is
 * let go. */
#include "daemon/http_internal.h"

#include "base/alloc.h"

#include <string.h>
#include <sys/socket.h>

#define BLOCK_BYTES   16384
#define KEEP_ALIVE_MS 15000
#define FULL_TEXT     "Too many event streams are open.\n"

/* One event, as it is sent. */
struct piece {
    size_t len;
    STAILQ_ENTRY(piece) entry;
    char bytes[];
};

struct hy_http_stream {
    struct hy_http *http;
    struct hy_http_connection *connection;
    struct MHD_Connection *mhd;
    void (*on_closed)(void *user);
    void *user;
    STAILQ_HEAD(, piece) pieces;
    size_t queued;
    size_t sent;       /* of the first piece */
    uint64_t moved_ms; /* when it was last empty, or something left */
    bool asleep;
    bool closing;
    bool answered; /* the response is libmicrohttpd's: on_closed is owed */
    struct hy_timer keep_alive;
    LIST_ENTRY(hy_http_stream) entry;
};

/* ---- the queue ---- */

static bool push(struct hy_http_stream *stream, struct piece *piece)
{
    if (piece == NULL)
        return false;
    if (stream->queued == 0)
        stream->moved_ms = hy_now_ms(stream->http->loop);
    STAILQ_INSERT_TAIL(&stream->pieces, piece, entry);
    stream->queued += piece->len;
    return true;
}

static bool push_text(struct hy_http_stream *stream, const char *text)
{
    size_t len = strlen(text);
    struct piece *piece = hy_alloc(sizeof *piece + len);

    if (piece != NULL) {
        piece->len = len;
        memcpy(piece->bytes, text, len);
    }
    return push(stream, piece);
}

static size_t pop(struct hy_http_stream *stream, char *into, size_t max)
{
    size_t done = 0;

    while (done < max && !STAILQ_EMPTY(&stream->pieces)) {
        struct piece *piece = STAILQ_FIRST(&stream->pieces);
        size_t part = piece->len - stream->sent;

        if (part > max - done)
            part = max - done;
        memcpy(into + done, piece->bytes + stream->sent, part);
        done += part;
        stream->sent += part;
        if (stream->sent == piece->len) {
            STAILQ_REMOVE_HEAD(&stream->pieces, entry);
            hy_free(piece);
            stream->sent = 0;
        }
    }
    stream->queued -= done;
    stream->moved_ms = hy_now_ms(stream->http->loop);
    return done;
}

static void rouse(struct hy_http_stream *stream)
{
    if (!stream->asleep)
        return;
    stream->asleep = false;
    MHD_resume_connection(stream->mhd);
    hy_http_wake(stream->http);
}

static void on_keep_alive(void *user)
{
    struct hy_http_stream *stream = user;

    if (stream->queued == 0 && push_text(stream, ":\n\n"))
        rouse(stream);
    hy_timer_start(&stream->keep_alive, KEEP_ALIVE_MS);
}

/* ---- libmicrohttpd's side ---- */

static ssize_t on_wanted(void *cls, uint64_t position, char *into, size_t max)
{
    struct hy_http_stream *stream = cls;

    (void)position;
    size_t len = pop(stream, into, max);
    if (len > 0)
        return (ssize_t)len;
    if (stream->closing)
        return MHD_CONTENT_READER_END_OF_STREAM;
    MHD_suspend_connection(stream->mhd);
    stream->asleep = true;
    return 0;
}

static void on_ended(void *cls)
{
    struct hy_http_stream *stream = cls;
    struct piece *piece;

    hy_timer_stop(&stream->keep_alive);
    LIST_REMOVE(stream, entry);
    stream->http->stream_count--;
    while ((piece = STAILQ_FIRST(&stream->pieces)) != NULL) {
        STAILQ_REMOVE_HEAD(&stream->pieces, entry);
        hy_free(piece);
    }
    if (stream->answered && stream->on_closed != NULL)
        stream->on_closed(stream->user);
    hy_free(stream);
}

/* ---- the owner's side ---- */

struct hy_http_stream *hy_http_stream(
    struct hy_http_request *request, void (*on_closed)(void *user), void *user)
{
    struct hy_http *http = request->http;

    if (http->stream_count >= HY_HTTP_MAX_STREAMS) {
        hy_http_respond(request, MHD_HTTP_SERVICE_UNAVAILABLE, "text/plain; charset=utf-8",
            FULL_TEXT, sizeof FULL_TEXT - 1);
        return NULL;
    }
    struct hy_http_stream *stream = hy_alloc(sizeof *stream);
    if (stream == NULL)
        goto fail;
    stream->http = http;
    stream->connection = request->connection;
    stream->mhd = request->mhd;
    stream->on_closed = on_closed;
    stream->user = user;
    STAILQ_INIT(&stream->pieces);
    hy_timer_init(&stream->keep_alive, http->loop, on_keep_alive, stream);
    struct MHD_Response *response = MHD_create_response_from_callback(
        MHD_SIZE_UNKNOWN, BLOCK_BYTES, on_wanted, stream, on_ended);
    if (response == NULL) {
        hy_free(stream);
        goto fail;
    }
    http->stream_count++;
    LIST_INSERT_HEAD(&http->streams, stream, entry);
    if (!push_text(stream, "retry: 1000\n\n")) { /* also carries the headers out at once */
        MHD_destroy_response(response);
        goto fail;
    }
    /* Frees the stream if it fails. */
    hy_http_queue(request, MHD_HTTP_OK, "text/event-stream; charset=utf-8", response);
    if (request->result != MHD_YES)
        return NULL;
    stream->answered = true;
    hy_http_set_phase(request->connection, HY_HTTP_STREAMING);
    hy_timer_start(&stream->keep_alive, KEEP_ALIVE_MS);
    return stream;
fail:
    hy_http_queue(request, MHD_HTTP_INTERNAL_SERVER_ERROR, NULL, NULL);
    return NULL;
}

/* The length of the line at `at`, and past its end: CR, LF or both. */
static size_t line_length(const char *at, size_t len, size_t *ret_next)
{
    size_t i = 0;

    while (i < len && at[i] != '\n' && at[i] != '\r')
        i++;
    *ret_next = i;
    if (i < len)
        *ret_next += at[i] == '\r' && i + 1 < len && at[i + 1] == '\n' ? 2 : 1;
    return i;
}

static struct piece *format_event(const char *event, const char *data, size_t len)
{
    static const char before[] = "data: ";
    size_t lines = 1, next, at = 0, event_len = event != NULL ? strlen(event) : 0;

    for (size_t i = 0; i < len; i++)
        lines += data[i] == '\n' || data[i] == '\r';
    struct piece *piece = hy_alloc(
        sizeof *piece + event_len + len + lines * sizeof before + sizeof "event: \n\n\n");
    if (piece == NULL)
        return NULL;
    if (event != NULL) {
        memcpy(piece->bytes, "event: ", 7);
        memcpy(piece->bytes + 7, event, event_len);
        at = 7 + event_len;
        piece->bytes[at++] = '\n';
    }
    do {
        size_t line = line_length(data, len, &next);

        memcpy(piece->bytes + at, before, sizeof before - 1);
        at += sizeof before - 1;
        if (line > 0)
            memcpy(piece->bytes + at, data, line);
        at += line;
        piece->bytes[at++] = '\n';
        data += next;
        len -= next;
    } while (len > 0);
    piece->bytes[at++] = '\n';
    piece->len = at;
    return piece;
}

bool hy_http_stream_send(
    struct hy_http_stream *stream, const char *event, const char *data, size_t len)
{
    if (stream->closing || len > HY_HTTP_MAX_STREAM_BYTES ||
        stream->queued > HY_HTTP_MAX_STREAM_BYTES - len)
        return false;
    if (!push(stream, format_event(event, data, len)))
        return false;
    hy_timer_start(&stream->keep_alive, KEEP_ALIVE_MS);
    rouse(stream);
    return true;
}

size_t hy_http_stream_queued(const struct hy_http_stream *stream)
{
    return stream->queued;
}

void hy_http_stream_close(struct hy_http_stream *stream)
{
    stream->on_closed = NULL;
    stream->closing = true;
    hy_timer_stop(&stream->keep_alive);
    rouse(stream);
}

void hy_http_end_streams(struct hy_http *http)
{
    struct hy_http_stream *stream;

    LIST_FOREACH (stream, &http->streams, entry) {
        stream->closing = true;
        hy_timer_stop(&stream->keep_alive);
        rouse(stream);
    }
}

void hy_http_sweep_streams(struct hy_http *http)
{
    uint64_t now_ms = hy_now_ms(http->loop);
    struct hy_http_stream *stream;
    char byte;

    LIST_FOREACH (stream, &http->streams, entry) {
        bool is_gone = stream->asleep &&
            recv(stream->connection->fd, &byte, 1, MSG_PEEK | MSG_DONTWAIT) == 0;
        bool is_stuck = stream->queued > 0 && now_ms - stream->moved_ms >= http->stream_ms;

        if (is_gone || is_stuck) {
            stream->closing = true;
            hy_http_cut_off(stream->connection);
            rouse(stream); /* so that libmicrohttpd finds out */
        }
    }
}
