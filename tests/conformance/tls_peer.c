/* tests/conformance/tls_peer.c - the other side of a TLS connection, not built by us. */
#include "conformance/tls_peer.h"

#include "conformance/world.h"
#include <gnutls/x509.h>
#include <netinet/in.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <unistd.h>

#define OK(call) assert_int_equal((call), 0)

static gnutls_x509_privkey_t make_key(gnutls_pk_algorithm_t algorithm)
{
    gnutls_x509_privkey_t key;
    unsigned bits = algorithm == GNUTLS_PK_RSA ? 2048
        : algorithm == GNUTLS_PK_ECDSA         ? GNUTLS_CURVE_TO_BITS(GNUTLS_ECC_CURVE_SECP256R1)
                                               : 0;

    OK(gnutls_x509_privkey_init(&key));
    OK(gnutls_x509_privkey_generate(key, algorithm, bits, 0));
    return key;
}

static void set_names(gnutls_x509_crt_t certificate, const struct recipe *recipe)
{
    static const uint8_t ip[] = { 127, 0, 0, 1 };
    unsigned flags = GNUTLS_FSAN_SET;

    if (recipe->no_names)
        return;
    for (size_t i = 0; i < PEER_MAX_SANS; i++) {
        const char *name = i == 0 && recipe->names[0] == NULL ? "dark.fi" : recipe->names[i];

        if (name == NULL)
            break;
        OK(gnutls_x509_crt_set_subject_alt_name(
            certificate, GNUTLS_SAN_DNSNAME, name, (unsigned)strlen(name), flags));
        flags = GNUTLS_FSAN_APPEND;
    }
    if (recipe->ip_name)
        OK(gnutls_x509_crt_set_subject_alt_name(
            certificate, GNUTLS_SAN_IPADDRESS, ip, sizeof ip, flags));
}

static gnutls_digest_algorithm_t digest_of(gnutls_x509_privkey_t key)
{
    int algorithm = gnutls_x509_privkey_get_pk_algorithm(key);

    return algorithm == GNUTLS_PK_EDDSA_ED25519 ? GNUTLS_DIG_SHA512
        : algorithm == GNUTLS_PK_EDDSA_ED448    ? GNUTLS_DIG_SHAKE_256
                                                : GNUTLS_DIG_SHA256;
}

static gnutls_x509_crt_t make_certificate(const struct recipe *recipe, gnutls_x509_privkey_t key)
{
    static const uint8_t serial[] = { 0x11, 0x22 };
    gnutls_x509_crt_t certificate;
    gnutls_x509_privkey_t signer = key;

    OK(gnutls_x509_crt_init(&certificate));
    OK(gnutls_x509_crt_set_version(certificate, recipe->v1 ? 1 : 3));
    OK(gnutls_x509_crt_set_serial(certificate, serial, sizeof serial));
    OK(gnutls_x509_crt_set_activation_time(certificate, 1000000000));
    OK(gnutls_x509_crt_set_expiration_time(
        certificate, recipe->expired ? 1000000001 : (time_t)4000000000));
    if (!recipe->no_subject)
        OK(gnutls_x509_crt_set_dn(certificate, "CN=somebody", NULL));
    OK(gnutls_x509_crt_set_key(certificate, key));
    if (!recipe->v1)
        set_names(certificate, recipe);
    if (recipe->odd_usage)
        OK(gnutls_x509_crt_set_key_usage(certificate, GNUTLS_KEY_CRL_SIGN));
    if (recipe->critical_unknown)
        OK(gnutls_x509_crt_set_extension_by_oid(certificate, "1.2.3.4", "\x05\x00", 2, 1));
    if (recipe->foreign_signature)
        signer = make_key(GNUTLS_PK_EDDSA_ED25519);
    OK(gnutls_x509_crt_sign2(certificate, certificate, signer, digest_of(signer), 0));
    if (signer != key)
        gnutls_x509_privkey_deinit(signer);
    return certificate;
}

static gnutls_pk_algorithm_t key_of(const struct recipe *recipe)
{
    return recipe->key == 0 ? GNUTLS_PK_EDDSA_ED25519 : recipe->key;
}

void recipe_write(const struct recipe *recipe, const char *certificate, const char *key)
{
    gnutls_x509_privkey_t private_key = make_key(key_of(recipe));
    gnutls_x509_crt_t made = make_certificate(recipe, private_key);
    gnutls_datum_t pem;
    FILE *file = fopen(certificate, "w");

    assert_non_null(file);
    OK(gnutls_x509_crt_export2(made, GNUTLS_X509_FMT_PEM, &pem));
    assert_int_equal(fwrite(pem.data, 1, pem.size, file), pem.size);
    gnutls_free(pem.data);
    OK(fclose(file));
    file = fopen(key, "w");
    assert_non_null(file);
    OK(gnutls_x509_privkey_export2_pkcs8(
        private_key, GNUTLS_X509_FMT_PEM, NULL, GNUTLS_PKCS_PLAIN, &pem));
    assert_int_equal(fwrite(pem.data, 1, pem.size, file), pem.size);
    gnutls_free(pem.data);
    OK(fclose(file));
    gnutls_x509_crt_deinit(made);
    gnutls_x509_privkey_deinit(private_key);
}

static void make_credentials(struct tls_peer *peer)
{
    static const struct recipe honest = { .name = "honest" };
    const struct recipe *recipe = peer->recipe == NULL ? &honest : peer->recipe;

    OK(gnutls_certificate_allocate_credentials(&peer->credentials));
    if (recipe->none)
        return;
    gnutls_x509_privkey_t key = make_key(key_of(recipe));
    gnutls_x509_crt_t certificate = make_certificate(recipe, key);

    OK(gnutls_certificate_set_x509_key(peer->credentials, &certificate, 1, key));
    gnutls_x509_crt_deinit(certificate);
    gnutls_x509_privkey_deinit(key);
}

static struct sockaddr_in loopback(uint16_t port)
{
    struct sockaddr_in at = { .sin_family = AF_INET, .sin_port = htons(port) };

    at.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    return at;
}

/* No assertion may fail in a thread that is not cmocka's: outcomes are looked at after the join. */
static int peer_socket(struct tls_peer *peer)
{
    struct timeval patience = { .tv_sec = 15 };
    struct sockaddr_in at = loopback(peer->port);
    int fd;

    if (peer->server) {
        fd = accept(peer->listening, NULL, NULL);
    } else {
        fd = socket(AF_INET, SOCK_STREAM, 0);
        if (connect(fd, (struct sockaddr *)&at, sizeof at) != 0) {
            close(fd);
            return -1;
        }
    }
    (void)setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof patience);
    return fd;
}

static void note_outcome(struct tls_peer *peer, gnutls_session_t session)
{
    unsigned count = 0, type = 0;
    size_t len = sizeof peer->seen_sni - 1;
    const gnutls_datum_t *chain = gnutls_certificate_get_peers(session, &count);

    if (peer->server)
        (void)gnutls_server_name_get(session, peer->seen_sni, &len, &type, 0);
    if (chain == NULL || count == 0 || chain[0].size > sizeof peer->certificate)
        return;
    peer->had_certificate = true;
    memcpy(peer->certificate, chain[0].data, chain[0].size);
    peer->certificate_len = chain[0].size;
}

static void note_alert(struct tls_peer *peer, gnutls_session_t session, int status)
{
    if (status == GNUTLS_E_FATAL_ALERT_RECEIVED)
        peer->alert = (int)gnutls_alert_get(session);
}

static void echo(struct tls_peer *peer, gnutls_session_t session)
{
    char bytes[4096];
    ssize_t got;

    do {
        got = gnutls_record_recv(session, bytes, sizeof bytes);
        if (got > 0 && peer->deed == PEER_KEY_UPDATE)
            (void)gnutls_session_key_update(session, GNUTLS_KU_PEER);
        if (got > 0)
            (void)gnutls_record_send(session, bytes, (size_t)got);
    } while (got > 0 || got == GNUTLS_E_INTERRUPTED);
    peer->received = (int)got;
    note_alert(peer, session, (int)got);
}

static void set_up(struct tls_peer *peer, gnutls_session_t session, gnutls_datum_t *ticket_key)
{
    gnutls_datum_t protocol = { .data = (unsigned char *)(uintptr_t)peer->alpn };

    (void)gnutls_priority_set_direct(
        session, peer->priority == NULL ? PEER_NORMAL : peer->priority, NULL);
    (void)gnutls_credentials_set(session, GNUTLS_CRD_CERTIFICATE, peer->credentials);
    if (peer->sni != NULL)
        (void)gnutls_server_name_set(session, GNUTLS_NAME_DNS, peer->sni, strlen(peer->sni));
    if (peer->alpn != NULL) {
        protocol.size = (unsigned)strlen(peer->alpn);
        (void)gnutls_alpn_set_protocols(session, &protocol, 1, 0);
    }
    if (peer->request_certificate)
        gnutls_certificate_server_set_request(session, GNUTLS_CERT_REQUEST);
    if (peer->tickets && gnutls_session_ticket_key_generate(ticket_key) == 0)
        (void)gnutls_session_ticket_enable_server(session, ticket_key);
}

static void *run(void *user)
{
    struct tls_peer *peer = user;
    gnutls_session_t session;
    gnutls_datum_t ticket_key = { 0 };
    int fd = peer_socket(peer);

    peer->handshake = GNUTLS_E_PULL_ERROR;
    if (fd < 0 || gnutls_init(&session, peer->server ? GNUTLS_SERVER : GNUTLS_CLIENT) != 0)
        return NULL;
    set_up(peer, session, &ticket_key);
    gnutls_transport_set_int(session, fd);
    do
        peer->handshake = gnutls_handshake(session);
    while (peer->handshake < 0 && gnutls_error_is_fatal(peer->handshake) == 0);
    note_alert(peer, session, peer->handshake);
    if (peer->handshake == 0) {
        note_outcome(peer, session);
        if (peer->deed == PEER_BYE)
            (void)gnutls_bye(session, GNUTLS_SHUT_WR);
        if (peer->deed != PEER_CLOSE)
            echo(peer, session);
    } else {
        (void)gnutls_alert_send_appropriate(session, peer->handshake);
    }
    gnutls_deinit(session);
    gnutls_free(ticket_key.data);
    close(fd);
    return NULL;
}

void peer_start(struct tls_peer *peer)
{
    make_credentials(peer);
    peer->alert = -1;
    peer->listening = -1;
    if (peer->server) {
        struct sockaddr_in at = loopback(0);
        socklen_t len = sizeof at;

        peer->listening = socket(AF_INET, SOCK_STREAM, 0);
        OK(bind(peer->listening, (struct sockaddr *)&at, sizeof at));
        OK(listen(peer->listening, 1));
        OK(getsockname(peer->listening, (struct sockaddr *)&at, &len));
        peer->port = ntohs(at.sin_port);
    }
    OK(pthread_create(&peer->thread, NULL, run, peer));
}

void peer_join(struct tls_peer *peer)
{
    OK(pthread_join(peer->thread, NULL));
    if (peer->listening >= 0)
        close(peer->listening);
    gnutls_certificate_free_credentials(peer->credentials);
}
