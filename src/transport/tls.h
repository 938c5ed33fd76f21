/* transport/tls.h - the parts of TLS, for one another.
 *
 *   certificate.c   our certificate's DER, and the judgement of a peer's
 *   tls_config.c    what all sessions share: priorities, credentials, identities
 *   tls_stream.c    one session over one lower stream
 *   tls.c           the transport: TLS over another transport's streams
 */
#ifndef HY_TRANSPORT_TLS_H
#define HY_TRANSPORT_TLS_H

#include "transport/transport.h"
#include <gnutls/gnutls.h>

/* Priorities and credentials are made once and shared by all sessions of the process, from the
 * first holder to the last. Any thread. Errors: NOMEM, TLS. */
enum hypha_err hy_tls_config_hold(void);
void hy_tls_config_release(void);

/* Set a session up as wire.md 6 wants it. The caller holds the config, and keeps holding it as
 * long as the session lives. The identity is used until the handshake is done. */
enum hypha_err hy_tls_config_session(enum hy_tls_role role, bool mutual,
    const struct hy_tls_identity *identity, gnutls_session_t *ret_session);
/* The handshake is done: the session will not ask for the identity again. */
void hy_tls_config_forget_identity(gnutls_session_t session);

struct hy_tls_identity *hy_tls_identity_ref(struct hy_tls_identity *identity);
/* DER of the certificate; valid as long as the identity. */
struct hypha_span hy_tls_identity_certificate(const struct hy_tls_identity *identity);

/* What a GnuTLS error means to us; `session` for the alert behind it. */
enum hypha_err hy_tls_err(gnutls_session_t session, int status);

/* As hy_tls_stream_create(), but `lower` is OPENING: nothing is made until it is ready.
 * identity NULL: a fresh one, made then. */
enum hypha_err hy_tls_stream_over(struct hypha_loop *loop, struct hy_stream *lower,
    enum hy_tls_role role, struct hy_tls_identity *identity, bool mutual,
    struct hy_stream **ret_stream);

/* TLS over the streams of `lower` (owned from now on, also on error). scheme: static. */
enum hypha_err hy_transport_tls_over(
    struct hy_transport *lower, const char *scheme, struct hy_transport **ret_transport);

#endif
