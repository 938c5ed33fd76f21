/* fakes/rpc_tls_client.h - a TLS client that is none of ours: GnuTLS, blocking. */
#ifndef HY_FAKES_RPC_TLS_CLIENT_H
#define HY_FAKES_RPC_TLS_CLIENT_H

#include "fakes/rpc_fixture.h"

#include <gnutls/gnutls.h>
#include <sys/wait.h>

/* In a process of its own: shakes hands, asks, says that it says no more (close_notify), and
 * copies what it is told after that. */
static inline pid_t fork_tls_client(int out, const char *text)
{
    char got[65536];
    gnutls_session_t session;
    gnutls_certificate_credentials_t credentials;
    pid_t child = fork();

    if (child != 0)
        return child;
    int fd = raw_socket();
    ssize_t n = -1;
    gnutls_certificate_allocate_credentials(&credentials);
    gnutls_init(&session, GNUTLS_CLIENT);
    gnutls_set_default_priority(session);
    gnutls_credentials_set(session, GNUTLS_CRD_CERTIFICATE, credentials);
    gnutls_transport_set_int(session, fd);
    if (gnutls_handshake(session) == 0 &&
        gnutls_record_send(session, text, strlen(text)) == (ssize_t)strlen(text) &&
        gnutls_bye(session, GNUTLS_SHUT_WR) == 0)
        while ((n = gnutls_record_recv(session, got, sizeof got)) > 0)
            if (write(out, got, (size_t)n) != n)
                break;
    _exit(n <= 0 ? 0 : 1);
}

#endif
