/* transport/tls_stream.c - one TLS session over one lower stream.
 *
 *   state       event                                 next
 *   WAITING     the lower stream is ready             SHAKING
 *   SHAKING     handshake done                        READY   (on_ready)
 *   SHAKING     peer refused, or refuses              ENDED   (alert sent, on_end)
 *   READY       a record                              READY   (on_read)
 *   READY       all ciphertext is gone                READY   (on_writable, if write() was short)
 *   READY       close_notify, EOF of the lower one    HALF    (on_end EOF)
 *   READY       a record that does not decrypt        ENDED   (alert sent, on_end TLS)
 *   HALF        all ciphertext is gone                HALF    (on_writable, if write() was short)
 *   HALF        a write failed, the lower one ended   ENDED   (nothing: the end is told already)
 *   any         the lower stream ended                ENDED   (on_end, the same reason)
 *
 * GnuTLS pulls from the bytes that the lower stream shows us at this moment, and pushes into
 * `out`, which exists only while the lower stream cannot take it (while it can, records are made
 * in the loop's write buffer: an allocation of that size for every write, and the heap's growing
 * and shrinking that comes with it, would cost as much as the cipher). Plaintext is handed on
 * inside GnuTLS's own record buffer. So an idle session holds no buffer of ours. A peer that stops
 * reading holds OUT_BATCH bytes and their overhead, an owner that stops reading at most what one
 * read of the lower stream gave.
 *
 * We never send close_notify, and a bare EOF of the lower stream is an EOF: spec: wire.md 6. */
#include "transport/tls.h"

#include "base/alloc.h"
#include "base/span.h"
#include <assert.h>
#include <errno.h>
#include <string.h>

#define RECORD_BYTES 16384
/* Of plaintext, turned into records and handed to the lower stream at once. */
#define OUT_BATCH (4 * RECORD_BYTES)
/* More ciphertext than this waits for nobody (key updates asked for without end, say). */
#define OUT_MAX (3 * OUT_BATCH)
/* A record's header, content type, tag; and some room for a record of GnuTLS's own. */
#define RECORD_EXTRA 64
/* Steps that pull nothing, one after the other: messages that shared a record. */
#define MAX_IDLE_STEPS 32

/* HALF: the peer says no more, but may still listen (JSON-RPC answers a half-closed client). */
enum tls_state { TLS_WAITING, TLS_SHAKING, TLS_READY, TLS_HALF, TLS_ENDED };

struct tls_stream {
    struct hy_stream base;
    struct hypha_loop *loop;
    struct hy_stream *lower;
    struct hy_tls_identity *identity; /* until the handshake is done */
    gnutls_session_t session;
    struct hypha_span in; /* not yet pulled: the lower stream's, or `kept` */
    uint8_t *kept;
    uint8_t *out;
    size_t out_len, out_cap, out_sent;
    bool out_borrowed; /* it is the loop's, for the length of a write */
    struct hy_defer defer;
    enum tls_state state;
    enum hypha_err failed; /* to be told at the turn's end, or when `kept` is used up */
    enum hy_tls_role role;
    bool mutual;
    bool reading;
    bool lower_reading;
    bool wants_room; /* a write() was short */
    bool in_callback;
    bool closed;
};

static void stream_free(struct tls_stream *stream)
{
    if (stream->session != NULL)
        gnutls_deinit(stream->session);
    hy_tls_identity_unref(stream->identity);
    hy_free(stream->kept);
    hy_free(stream->out);
    hy_tls_config_release();
    hy_free(stream);
}

/* Read from below while shaking hands, or while the owner reads and nothing is kept. */
static void sync_lower(struct tls_stream *stream)
{
    bool want = stream->state == TLS_SHAKING ||
        (stream->state == TLS_READY && stream->reading && stream->kept == NULL);

    if (want == stream->lower_reading || stream->closed)
        return;
    stream->lower_reading = want;
    if (want)
        hy_stream_read_start(stream->lower);
    else
        hy_stream_read_stop(stream->lower);
}

static void enter(struct tls_stream *stream)
{
    assert(!stream->in_callback);
    stream->in_callback = true;
}

static void leave(struct tls_stream *stream)
{
    stream->in_callback = false;
    if (stream->closed)
        stream_free(stream);
    else
        sync_lower(stream);
}

static void out_free(struct tls_stream *stream)
{
    if (stream->out_borrowed)
        hy_loop_return_write_buffer(stream->loop);
    else
        hy_free(stream->out);
    stream->out_borrowed = false;
    stream->out = NULL;
    stream->out_len = stream->out_cap = stream->out_sent = 0;
}

static bool has_ended(const struct tls_stream *stream)
{
    return stream->state == TLS_HALF || stream->state == TLS_ENDED;
}

static bool is_writable(const struct tls_stream *stream)
{
    return stream->state == TLS_READY || stream->state == TLS_HALF;
}

static void stop(struct tls_stream *stream)
{
    stream->state = TLS_ENDED;
    hy_defer_stop(&stream->defer);
    out_free(stream);
}

/* Only between enter() and leave(). */
static void end(struct tls_stream *stream, enum hypha_err why)
{
    if (why == HYPHA_ERR_EOF && stream->state == TLS_READY) {
        stream->state = TLS_HALF;
        stream->failed = HYPHA_OK;
    } else {
        stop(stream);
    }
    stream->base.events->on_end(&stream->base, why, stream->base.user);
}

/* ---- the session's way down ---- */

/* What is in the loop's buffer is to stay: into memory of our own, `size` bytes of it. */
static bool out_keep(struct tls_stream *stream, size_t size)
{
    size_t len = stream->out_len - stream->out_sent;
    uint8_t *own = hy_alloc(size);

    if (own == NULL)
        return false;
    memcpy(own, stream->out + stream->out_sent, len);
    out_free(stream);
    stream->out = own;
    stream->out_len = len;
    stream->out_cap = size;
    return true;
}

static bool out_reserve(struct tls_stream *stream, size_t more)
{
    size_t need = stream->out_len + more;

    if (need <= stream->out_cap)
        return true;
    if (need > OUT_MAX)
        return false;
    if (stream->out_borrowed)
        return out_keep(stream, need);
    uint8_t *grown = hy_realloc(stream->out, need);

    if (grown == NULL)
        return false;
    stream->out = grown;
    stream->out_cap = need;
    return true;
}

static void out_borrow(struct tls_stream *stream)
{
    if (stream->out != NULL)
        return;
    stream->out = hy_loop_borrow_write_buffer(stream->loop);
    stream->out_borrowed = stream->out != NULL;
    stream->out_cap = stream->out_borrowed ? HY_LOOP_WRITE_BYTES : 0;
}

static ssize_t on_push(gnutls_transport_ptr_t user, const giovec_t *pieces, int count)
{
    struct tls_stream *stream = user;
    size_t sum = 0;

    for (int i = 0; i < count; i++)
        sum += pieces[i].iov_len;
    if (!out_reserve(stream, sum)) {
        gnutls_transport_set_errno(stream->session, ENOMEM);
        return -1;
    }
    for (int i = 0; i < count; i++) {
        memcpy(stream->out + stream->out_len, pieces[i].iov_base, pieces[i].iov_len);
        stream->out_len += pieces[i].iov_len;
    }
    return (ssize_t)sum;
}

static ssize_t on_pull(gnutls_transport_ptr_t user, void *into, size_t size)
{
    struct tls_stream *stream = user;
    size_t n = size < stream->in.len ? size : stream->in.len;

    if (n == 0) {
        gnutls_transport_set_errno(stream->session, EAGAIN);
        return -1;
    }
    memcpy(into, stream->in.at, n);
    stream->in = hy_span(stream->in.at + n, stream->in.len - n);
    return (ssize_t)n;
}

static int on_pull_timeout(gnutls_transport_ptr_t user, unsigned ms)
{
    const struct tls_stream *stream = user;

    (void)ms; /* never wait: an empty pull says so */
    return stream->in.len > 0 ? 1 : 0;
}

/* Hand `out` to the stream below; true if all of it went, and its memory is free for more. */
static bool pass_on(struct tls_stream *stream)
{
    struct iovec rest = { stream->out + stream->out_sent, stream->out_len - stream->out_sent };

    if (stream->closed)
        return false;
    if (rest.iov_len > 0)
        stream->out_sent += hy_stream_write(stream->lower, &rest, 1);
    if (stream->out_sent < stream->out_len)
        return false;
    stream->out_len = stream->out_sent = 0;
    return true;
}

static void flush(struct tls_stream *stream)
{
    if (stream->out != NULL && pass_on(stream))
        out_free(stream);
}

/* ---- the session's way up; only between enter() and leave() ---- */

static enum hypha_err begin(struct tls_stream *stream)
{
    enum hypha_err err = HYPHA_OK;

    if (stream->identity == NULL)
        err = hy_tls_identity_create(stream->loop, &stream->identity);
    if (err == HYPHA_OK)
        err = hy_tls_config_session(
            stream->role, stream->mutual, stream->identity, &stream->session);
    if (err != HYPHA_OK)
        return err;
    gnutls_transport_set_ptr(stream->session, stream);
    gnutls_transport_set_pull_function(stream->session, on_pull);
    gnutls_transport_set_pull_timeout_function(stream->session, on_pull_timeout);
    gnutls_transport_set_vec_push_function(stream->session, on_push);
    stream->state = TLS_SHAKING;
    return HYPHA_OK;
}

/* A violation: say why to the peer, then to the owner. */
static void break_off(struct tls_stream *stream, int status)
{
    if (status != GNUTLS_E_FATAL_ALERT_RECEIVED)
        (void)gnutls_alert_send_appropriate(stream->session, status);
    flush(stream);
    end(stream, hy_tls_err(stream->session, status));
}

/* Both steps: true if there is more to do now. */
static bool step_handshake(struct tls_stream *stream)
{
    int status = gnutls_handshake(stream->session);

    if (status == GNUTLS_E_SUCCESS) {
        stream->state = TLS_READY;
        hy_tls_config_forget_identity(stream->session);
        hy_tls_identity_unref(stream->identity);
        stream->identity = NULL;
        flush(stream);
        stream->base.events->on_ready(&stream->base, stream->base.user);
        return true;
    }
    if (gnutls_error_is_fatal(status) == 0)
        return stream->in.len > 0;
    break_off(stream, status);
    return false;
}

static bool step_record(struct tls_stream *stream)
{
    gnutls_packet_t packet = NULL;
    ssize_t status = gnutls_record_recv_packet(stream->session, &packet);

    if (status > 0) {
        gnutls_datum_t data;

        gnutls_packet_get(packet, &data, NULL);
        stream->base.events->on_read(
            &stream->base, hy_span(data.data, data.size), stream->base.user);
        gnutls_packet_deinit(packet);
        return true;
    }
    if (status == 0)
        end(stream, HYPHA_ERR_EOF); /* close_notify */
    else if (status == GNUTLS_E_AGAIN || status == GNUTLS_E_INTERRUPTED ||
        status == GNUTLS_E_WARNING_ALERT_RECEIVED)
        return stream->in.len > 0; /* a ticket, a key update */
    else
        break_off(stream, (int)status);
    return false;
}

static void pump(struct tls_stream *stream)
{
    size_t before = stream->in.len;
    unsigned idle = 0;
    bool more = true;

    while (more && !stream->closed) {
        if (stream->state == TLS_SHAKING)
            more = step_handshake(stream);
        else if (stream->state == TLS_READY && stream->reading)
            more = step_record(stream);
        else
            more = false;
        idle = stream->in.len == before ? idle + 1 : 0;
        before = stream->in.len;
        if (more && idle > MAX_IDLE_STEPS && !stream->closed && !has_ended(stream))
            break_off(stream, GNUTLS_E_UNEXPECTED_PACKET);
    }
    flush(stream);
}

/* The owner stopped reading in the middle: what is left is ours to keep. */
static void keep_rest(struct tls_stream *stream)
{
    if (stream->closed || has_ended(stream) || stream->in.len == 0) {
        stream->in = hy_span(NULL, 0);
        return;
    }
    uint8_t *kept = hy_alloc(stream->in.len);

    if (kept == NULL) {
        stream->in = hy_span(NULL, 0);
        end(stream, HYPHA_ERR_NOMEM);
        return;
    }
    memcpy(kept, stream->in.at, stream->in.len);
    stream->in.at = kept;
    stream->kept = kept;
}

static void use_kept(struct tls_stream *stream)
{
    pump(stream);
    if (stream->in.len > 0 && stream->state == TLS_READY && !stream->closed)
        return;
    hy_free(stream->kept);
    stream->kept = NULL;
    stream->in = hy_span(NULL, 0);
}

/* ---- events of the lower stream ---- */

static void begin_and_pump(struct tls_stream *stream)
{
    enum hypha_err err = begin(stream);

    if (err == HYPHA_OK)
        pump(stream);
    else
        end(stream, err);
}

static void lower_ready(struct hy_stream *lower, void *user)
{
    struct tls_stream *stream = user;

    (void)lower;
    enter(stream);
    if (stream->state == TLS_WAITING)
        begin_and_pump(stream);
    else
        flush(stream);
    leave(stream);
}

static void lower_read(struct hy_stream *lower, struct hypha_span bytes, void *user)
{
    struct tls_stream *stream = user;

    (void)lower;
    if (has_ended(stream))
        return;
    assert(stream->kept == NULL); /* else it was told to stop */
    enter(stream);
    stream->in = bytes;
    pump(stream);
    keep_rest(stream);
    leave(stream);
}

static void lower_writable(struct hy_stream *lower, void *user)
{
    struct tls_stream *stream = user;

    (void)lower;
    enter(stream);
    flush(stream);
    if (stream->out == NULL && stream->wants_room && is_writable(stream)) {
        stream->wants_room = false;
        stream->base.events->on_writable(&stream->base, stream->base.user);
    }
    leave(stream);
}

static void lower_end(struct hy_stream *lower, enum hypha_err why, void *user)
{
    struct tls_stream *stream = user;

    (void)lower;
    if (stream->state == TLS_HALF) {
        if (why != HYPHA_ERR_EOF)
            stop(stream);
        return;
    }
    stream->failed = why;
    if (stream->state == TLS_ENDED || (stream->kept != NULL && why == HYPHA_ERR_EOF))
        return; /* use up what came before it first */
    enter(stream);
    end(stream, why);
    leave(stream);
}

static const struct hy_stream_events lower_events = {
    .on_ready = lower_ready,
    .on_read = lower_read,
    .on_writable = lower_writable,
    .on_end = lower_end,
};

static void on_defer(void *user)
{
    struct tls_stream *stream = user;

    enter(stream);
    if (stream->state == TLS_WAITING)
        begin_and_pump(stream);
    else if (stream->kept != NULL)
        use_kept(stream);
    if (stream->failed != HYPHA_OK && stream->kept == NULL && stream->state == TLS_READY &&
        !stream->closed)
        end(stream, stream->failed);
    else if (stream->failed != HYPHA_OK && stream->state == TLS_HALF)
        stop(stream);
    leave(stream);
}

/* ---- what the owner calls ---- */

static void tls_read_start(struct hy_stream *base)
{
    struct tls_stream *stream = (struct tls_stream *)base;

    if (stream->reading || stream->state == TLS_ENDED)
        return;
    stream->reading = true;
    if (stream->in_callback)
        return; /* pump() and leave() look at it */
    if (stream->kept != NULL)
        hy_defer_start(&stream->defer);
    else
        sync_lower(stream);
}

static void tls_read_stop(struct hy_stream *base)
{
    struct tls_stream *stream = (struct tls_stream *)base;

    stream->reading = false;
    if (!stream->in_callback)
        sync_lower(stream);
}

/* A place in the pieces of a write. */
struct cursor {
    const struct iovec *pieces;
    size_t count;
    size_t offset; /* into the first piece */
};

static void advance(struct cursor *cursor, size_t n)
{
    while (cursor->count > 0 && n >= cursor->pieces->iov_len - cursor->offset) {
        n -= cursor->pieces->iov_len - cursor->offset;
        cursor->pieces++;
        cursor->count--;
        cursor->offset = 0;
    }
    cursor->offset += n;
}

/* The next record's worth: in place if one piece fills it, else gathered into `scratch`. */
static struct hypha_span next_record(const struct cursor *from, uint8_t *scratch, size_t limit)
{
    struct cursor cursor = *from;
    size_t gathered = 0;
    size_t first = cursor.pieces->iov_len - cursor.offset;

    if (first >= limit || cursor.count == 1)
        return hy_span((const uint8_t *)cursor.pieces->iov_base + cursor.offset,
            first < limit ? first : limit);
    while (cursor.count > 0 && gathered < limit) {
        size_t n = cursor.pieces->iov_len - cursor.offset;

        if (n > limit - gathered)
            n = limit - gathered;
        if (n > 0)
            memcpy(scratch + gathered, (const uint8_t *)cursor.pieces->iov_base + cursor.offset, n);
        gathered += n;
        advance(&cursor, n);
    }
    return hy_span(scratch, gathered);
}

/* Turn up to OUT_BATCH bytes into records in `out`; returns how many. */
static size_t encrypt_batch(struct tls_stream *stream, struct cursor *cursor, size_t left)
{
    uint8_t scratch[RECORD_BYTES];
    size_t batch = left < OUT_BATCH ? left : OUT_BATCH;
    size_t done = 0;

    if (!out_reserve(stream, batch + (batch / RECORD_BYTES + 1) * RECORD_EXTRA)) {
        stream->failed = HYPHA_ERR_NOMEM;
        return 0;
    }
    while (done < batch) {
        size_t limit = batch - done < RECORD_BYTES ? batch - done : RECORD_BYTES;
        struct hypha_span record = next_record(cursor, scratch, limit);
        ssize_t status = gnutls_record_send(stream->session, record.at, record.len);

        if (status <= 0) {
            stream->failed = hy_tls_err(stream->session, (int)status);
            break;
        }
        done += (size_t)status;
        advance(cursor, (size_t)status);
    }
    return done;
}

static size_t tls_write(struct hy_stream *base, const struct iovec *pieces, size_t count)
{
    struct tls_stream *stream = (struct tls_stream *)base;
    struct cursor cursor = { .pieces = pieces, .count = count };
    size_t wanted = 0, taken = 0;

    if (stream->closed || !is_writable(stream) || stream->failed != HYPHA_OK)
        return 0;
    for (size_t i = 0; i < count; i++)
        wanted += pieces[i].iov_len;
    advance(&cursor, 0); /* over empty pieces */

    bool room = stream->out == NULL;
    out_borrow(stream);
    while (taken < wanted && room && stream->failed == HYPHA_OK) {
        taken += encrypt_batch(stream, &cursor, wanted - taken);
        room = pass_on(stream);
    }
    if (room)
        out_free(stream);
    else if (stream->out_borrowed && !out_keep(stream, stream->out_len - stream->out_sent)) {
        out_free(stream); /* records are lost: nothing that follows could be decrypted */
        stream->failed = HYPHA_ERR_NOMEM;
    }
    if (stream->failed != HYPHA_OK)
        hy_defer_start(&stream->defer);
    else if (taken < wanted)
        stream->wants_room = true;
    return taken;
}

static size_t tls_pending(const struct hy_stream *base)
{
    const struct tls_stream *stream = (const struct tls_stream *)base;

    return stream->out_len - stream->out_sent + hy_stream_pending(stream->lower);
}

static void tls_close(struct hy_stream *base)
{
    struct tls_stream *stream = (struct tls_stream *)base;

    if (stream->closed)
        return;
    stream->closed = true;
    hy_defer_stop(&stream->defer);
    hy_stream_close(stream->lower);
    stream->lower = NULL;
    if (!stream->in_callback)
        stream_free(stream);
}

static const struct hy_stream_ops stream_ops = {
    .read_start = tls_read_start,
    .read_stop = tls_read_stop,
    .write = tls_write,
    .pending = tls_pending,
    .close = tls_close,
};

enum hypha_err hy_tls_stream_over(struct hypha_loop *loop, struct hy_stream *lower,
    enum hy_tls_role role, struct hy_tls_identity *identity, bool mutual,
    struct hy_stream **ret_stream)
{
    struct tls_stream *stream = hy_alloc(sizeof *stream);
    enum hypha_err err = stream == NULL ? HYPHA_ERR_NOMEM : hy_tls_config_hold();

    if (err != HYPHA_OK) {
        hy_free(stream);
        hy_stream_close(lower);
        return err;
    }
    stream->base.ops = &stream_ops;
    stream->loop = loop;
    stream->lower = lower;
    stream->role = role;
    stream->mutual = mutual;
    stream->identity = hy_tls_identity_ref(identity);
    hy_defer_init(&stream->defer, loop, on_defer, stream);
    hy_stream_set_events(lower, &lower_events, stream);
    *ret_stream = &stream->base;
    return HYPHA_OK;
}

enum hypha_err hy_tls_stream_create(struct hypha_loop *loop, struct hy_stream *lower,
    enum hy_tls_role role, struct hy_tls_identity *identity, bool mutual,
    struct hy_stream **ret_stream)
{
    struct hy_stream *stream = NULL;
    enum hypha_err err = hy_tls_stream_over(loop, lower, role, identity, mutual, &stream);

    if (err != HYPHA_OK)
        return err;
    /* A lower stream that is ready already will not say so again; to one that is not, the
     * first flight waits in `out` for lower_ready(). */
    hy_defer_start(&((struct tls_stream *)stream)->defer);
    *ret_stream = stream;
    return HYPHA_OK;
}
