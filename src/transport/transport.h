/* transport/transport.h - from a URL to a byte stream, and from a listen URL to streams.
 *
 * A stream is created by a dial or by an accept, becomes ready or ends, flows, ends. The same
 * shape holds for a TCP connection, a TLS session on top of one, and a simulated wire.
 *
 *   state      event                          next
 *   OPENING    resolved, connected, TLS done  READY   (on_ready)
 *   OPENING    any failure                    ENDED   (on_end)
 *   READY      bytes                          READY   (on_read)
 *   READY      room after a short write       READY   (on_writable)
 *   READY      EOF, error                     ENDED   (on_end)
 *   any        hy_stream_close()              gone    (no callback)
 *
 * Callbacks never come from inside hy_stream_* calls. hy_stream_close() may be called from
 * inside any callback, is final, closes the descriptor at once, and frees the stream when
 * that is safe. (A TCP socket whose peer has not acknowledged everything yet is kept by its
 * transport for up to a second, so that close never cuts off what was written: tcp_linger.c.) There
 * is no deadline here: the owner runs one timer over the whole OPENING.
 *
 * Threads: the loop's thread. spec: transports.md */
#ifndef HY_TRANSPORT_TRANSPORT_H
#define HY_TRANSPORT_TRANSPORT_H

#include "loop/loop.h"
#include <hypha/url.h>
#include <hypha/wire.h>
#include <stdbool.h>
#include <sys/uio.h>

struct hy_stream;
struct hy_listener;
struct hy_transport;

struct hy_stream_events {
    void (*on_ready)(struct hy_stream *stream, void *user);
    /* bytes: valid during the call only; usually in the loop's shared buffer. */
    void (*on_read)(struct hy_stream *stream, struct hypha_span bytes, void *user);
    void (*on_writable)(struct hy_stream *stream, void *user);
    /* why: EOF, RESET, TIMEOUT, REFUSED, UNREACHABLE, RESOLVE, TLS, CERTIFICATE, FILES, ... */
    void (*on_end)(struct hy_stream *stream, enum hypha_err why, void *user);
};

struct hy_stream_ops {
    /* Start or stop delivering bytes; a ready stream begins stopped. */
    void (*read_start)(struct hy_stream *stream);
    void (*read_stop)(struct hy_stream *stream);
    /* Hand over what fits now: returns how many bytes were taken, in order, maybe 0. Less than
     * all: on_writable comes when there is room. An error shows as on_end later. */
    size_t (*write)(struct hy_stream *stream, const struct iovec *pieces, size_t count);
    /* Bytes accepted by write() that have not yet left this process (a TLS record's tail). */
    size_t (*pending)(const struct hy_stream *stream);
    void (*close)(struct hy_stream *stream);
};

/* The first member of every stream's own struct. */
struct hy_stream {
    const struct hy_stream_ops *ops;
    const struct hy_stream_events *events;
    void *user;
};

/* Must be set before control returns to the loop. */
void hy_stream_set_events(
    struct hy_stream *stream, const struct hy_stream_events *events, void *user);
void hy_stream_read_start(struct hy_stream *stream);
void hy_stream_read_stop(struct hy_stream *stream);
size_t hy_stream_write(struct hy_stream *stream, const struct iovec *pieces, size_t count);
size_t hy_stream_pending(const struct hy_stream *stream);
/* NULL does nothing. */
void hy_stream_close(struct hy_stream *stream);

struct hy_listener_events {
    /* One peer was accepted. `stream`: the callee's, OPENING (a TLS handshake, say); plain TCP
     * is ready in the next turn. `peer`: borrowed, `scheme://ip:port`. */
    void (*on_accept)(
        struct hy_listener *listener, struct hy_stream *stream, struct hypha_url *peer, void *user);
    /* The listening socket is gone (network.md 6.2: EBADF, EINVAL). Nothing follows. */
    void (*on_end)(struct hy_listener *listener, enum hypha_err why, void *user);
};

struct hy_listener_ops {
    /* Stop or go on accepting; others wait in the backlog. */
    void (*pause)(struct hy_listener *listener);
    void (*resume)(struct hy_listener *listener);
    void (*close)(struct hy_listener *listener);
};

struct hy_listener {
    const struct hy_listener_ops *ops;
    const struct hy_listener_events *events;
    void *user;
    struct hypha_url *url; /* what is bound, with the real port; the listener's */
};

void hy_listener_pause(struct hy_listener *listener);
void hy_listener_resume(struct hy_listener *listener);
/* As hy_stream_close(). Streams already accepted live on. */
void hy_listener_close(struct hy_listener *listener);

typedef void (*hy_listen_cb)(void *user, enum hypha_err err, struct hy_listener *listener);

struct hy_transport_ops {
    /* Begin to dial; errors that are known at once are returned, later ones come by on_end.
     * Errors: NOMEM, BAD_ADDRESS, UNSUPPORTED_TRANSPORT, FILES, SYSTEM. */
    enum hypha_err (*dial)(
        struct hy_transport *transport, const struct hypha_url *url, struct hy_stream **ret_stream);
    /* Bind and listen. A host name is resolved first, off the loop; else the answer is
     * immediate. In both cases `cb` comes exactly once, never from inside this call, unless
     * hy_listening_cancel() comes first.
     * Errors: NOMEM, BAD_ADDRESS. Later: ADDR_IN_USE, ADDR_NOT_AVAILABLE, ACCESS, RESOLVE, ... */
    enum hypha_err (*listen)(struct hy_transport *transport, const struct hypha_url *url,
        const struct hy_listener_events *events, void *user, hy_listen_cb cb, void **ret_request);
    void (*listen_cancel)(struct hy_transport *transport, void *request);
    /* Why the last dial or bind failed, for people ("alert 42: bad certificate"); may be NULL. */
    void (*destroy)(struct hy_transport *transport);
};

/* One scheme on one loop: a table and its context. */
struct hy_transport {
    const struct hy_transport_ops *ops;
    struct hypha_loop *loop;
    const char *scheme;
};

/* The real ones, for a node: "tcp" and "tcp+tls". One each, the caller's.
 * filter_ip: asked before each connect to a resolved address; false refuses it (network.md 4.4:
 * re-check resolved names); NULL: all pass. */
typedef bool (*hy_ip_filter_cb)(void *user, const struct hy_ip *ip);
enum hypha_err hy_transport_tcp_create(struct hypha_loop *loop, hy_ip_filter_cb filter_ip,
    void *user, struct hy_transport **ret_transport);
enum hypha_err hy_transport_tls_create(struct hypha_loop *loop, hy_ip_filter_cb filter_ip,
    void *user, struct hy_transport **ret_transport);
void hy_transport_destroy(struct hy_transport *transport);

/* ---- TLS over any stream (also for JSON-RPC) ---- */

enum hy_tls_role { HY_TLS_CLIENT, HY_TLS_SERVER };

/* A fresh Ed25519 key and certificate as wire.md 6 wants them. Counted. */
struct hy_tls_identity;
enum hypha_err hy_tls_identity_create(
    struct hypha_loop *loop, struct hy_tls_identity **ret_identity);
void hy_tls_identity_unref(struct hy_tls_identity *identity);

/* identity: one more reference is taken; NULL: a fresh one, made when the handshake begins.
 * Wrap `lower` (OPENING or READY; owned from now on, also on error) in TLS 1.3.
 * mutual: server asks for a client certificate and checks it (P2P: true; RPC: false). */
enum hypha_err hy_tls_stream_create(struct hypha_loop *loop, struct hy_stream *lower,
    enum hy_tls_role role, struct hy_tls_identity *identity, bool mutual,
    struct hy_stream **ret_stream);

/* ---- local sockets (JSON-RPC) ---- */

/* "unix": unix:///absolute/path, at most 107 bytes, percent-decoded. A listener's file has mode
 * 0600; a stale one is replaced; it is unlinked at close if it is still ours. A stream that
 * ended with EOF may still be written to until it is closed. spec: transports.md 8 */
enum hypha_err hy_transport_unix_create(
    struct hypha_loop *loop, struct hy_transport **ret_transport);

#endif
