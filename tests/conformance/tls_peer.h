/* tests/conformance/tls_peer.h - the other side of a TLS connection, not built by us: a blocking
 * GnuTLS session in a thread, with a certificate made to order. */
#ifndef TESTS_CONFORMANCE_TLS_PEER_H
#define TESTS_CONFORMANCE_TLS_PEER_H

#include <gnutls/gnutls.h>
#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>

/* The last two: the peer may use certificates that GnuTLS would not. */
#define PEER_NORMAL   "NORMAL:-VERS-ALL:+VERS-TLS1.3:%COMPAT:%DEBUG_ALLOW_KEY_USAGE_VIOLATIONS"
#define PEER_MAX_SANS 3

/* A certificate made to order; zero: what an honest node shows. */
struct recipe {
    const char *name;
    gnutls_pk_algorithm_t key; /* 0: Ed25519 */
    bool none;                 /* no certificate at all */
    bool no_names;
    const char *names[PEER_MAX_SANS]; /* dNSNames; none given: dark.fi */
    bool ip_name;                     /* an iPAddress beside them */
    bool expired, v1, odd_usage, critical_unknown, no_subject, foreign_signature;
};

/* What the peer does once the handshake is done, besides echoing what it gets. */
enum peer_deed { PEER_ECHO, PEER_BYE, PEER_CLOSE, PEER_KEY_UPDATE };

struct tls_peer {
    bool server;
    const char *priority; /* NULL: PEER_NORMAL */
    const struct recipe *recipe;
    const char *sni;
    const char *alpn;
    bool request_certificate; /* as server */
    bool tickets;             /* as server */
    enum peer_deed deed;
    uint16_t port; /* as server: the own one */
    /* the outcome, after peer_join() */
    int handshake; /* of gnutls_handshake() */
    int alert;     /* that was received; -1: none */
    int received;  /* the last result of gnutls_record_recv() */
    char seen_sni[64];
    bool had_certificate;
    uint8_t certificate[1024];
    unsigned certificate_len;
    /* private */
    int listening;
    pthread_t thread;
    gnutls_certificate_credentials_t credentials;
};

/* Client: connects to port. Server: listens on a port of its own first. Fields above are set. */
void peer_start(struct tls_peer *peer);
void peer_join(struct tls_peer *peer);

/* Write certificate and key to files (PEM), for command-line tools. */
void recipe_write(const struct recipe *recipe, const char *certificate, const char *key);

#endif
