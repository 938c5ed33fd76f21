/* transport/tcp.h - the parts of the TCP transport, for one another.
 *
 *   tcp.c           the transport: a table and what its streams share
 *   tcp_dial.c      from a URL to a connected socket (resolve, Happy Eyeballs)
 *   tcp_stream.c    a socket as a stream
 *   tcp_linger.c    a socket whose last bytes are still on their way
 *   tcp_listener.c  bind, accept
 */
#ifndef HY_TRANSPORT_TCP_H
#define HY_TRANSPORT_TCP_H

#include "transport/socket.h"
#include "transport/transport.h"

LIST_HEAD(hy_tcp_linger_list, hy_tcp_linger);

/* What all streams and listeners of one TCP transport share; counted, because they may
 * outlive it. */
struct hy_tcp {
    struct hy_transport base;
    size_t refs;
    hy_ip_filter_cb filter_ip;
    void *filter_user;
    struct hy_tcp_linger_list lingers;
    size_t linger_count;
};

/* scheme: what it serves and what peers' URLs begin with ("tcp", or "tcp+tls" below TLS). Static.
 */
enum hypha_err hy_tcp_create(struct hypha_loop *loop, const char *scheme, hy_ip_filter_cb filter_ip,
    void *user, struct hy_tcp **ret_tcp);
struct hy_tcp *hy_tcp_ref(struct hy_tcp *tcp);
void hy_tcp_unref(struct hy_tcp *tcp);

/* Host and port are there. *ret_is_ip: the host is an address, *ret_endpoint is filled.
 * Errors: UNSUPPORTED_TRANSPORT, BAD_ADDRESS. */
enum hypha_err hy_tcp_target(const struct hy_tcp *tcp, const struct hypha_url *url,
    struct hy_endpoint *ret_endpoint, bool *ret_is_ip);

/* ---- tcp_dial.c ---- */

struct hy_tcp_dial;
/* fd: connected, the callee's; -1 with an error. The dial does nothing any more and is not
 * touched after this call, so that it may be destroyed here. */
typedef void (*hy_tcp_dialed_cb)(void *user, enum hypha_err err, int fd);
/* The callback comes once, never from inside this call, unless destroyed before.
 * Errors: NOMEM, UNSUPPORTED_TRANSPORT, BAD_ADDRESS. */
enum hypha_err hy_tcp_dial_create(struct hy_tcp *tcp, const struct hypha_url *url,
    hy_tcp_dialed_cb cb, void *user, struct hy_tcp_dial **ret_dial);
/* Gives the dial up if it is under way. NULL does nothing. */
void hy_tcp_dial_destroy(struct hy_tcp_dial *dial);

/* ---- tcp_stream.c ---- */

enum hypha_err hy_tcp_stream_dial(
    struct hy_tcp *tcp, const struct hypha_url *url, struct hy_stream **ret_stream);
/* Of an accepted socket, which is the stream's from now on, also on error. */
enum hypha_err hy_tcp_stream_of(struct hy_tcp *tcp, int fd, struct hy_stream **ret_stream);

/* ---- tcp_linger.c ---- */

/* Close a connected socket so that bytes in the system's send buffer still reach a peer that
 * reads. Takes `fd`. */
void hy_tcp_linger(struct hy_tcp *tcp, int fd);
/* Close all that linger, at once. */
void hy_tcp_linger_end_all(struct hy_tcp *tcp);

/* ---- tcp_listener.c ---- */

enum hypha_err hy_tcp_listen(struct hy_transport *transport, const struct hypha_url *url,
    const struct hy_listener_events *events, void *user, hy_listen_cb cb, void **ret_request);
void hy_tcp_listen_cancel(struct hy_transport *transport, void *request);

#endif
