/* transport/tls_config.c - what all TLS sessions share: priorities, credentials, identities.
 *
 * GnuTLS's priorities take several kilobytes once parsed, so there is one copy per process and
 * not one per session. Certificates come from a callback that looks at the session's own identity,
 * and are judged by a callback too: GnuTLS's own verification is never asked.
 *
 * spec: wire.md 6 */
#include "transport/tls.h"

#include "base/alloc.h"
#include "base/span.h"
#include "transport/certificate.h"
#include <gnutls/abstract.h>
#include <pthread.h>
#include <string.h>

/* The suites in the order in which the network's other nodes offer them; as a server, GnuTLS
 * follows the client's order. %COMPAT: a certificate's key usage is not looked at. */
static const char priorities[] =
    "NONE:+VERS-TLS1.3:+AES-256-GCM:+AES-128-GCM:+CHACHA20-POLY1305:+AEAD:+CTYPE-X509:"
    "+GROUP-X25519:+GROUP-SECP256R1:+GROUP-SECP384R1:+SIGN-EDDSA-ED25519:%COMPAT";

struct hy_tls_identity {
    size_t refs;
    gnutls_privkey_t key;
    gnutls_pcert_st certificate;
    bool has_certificate;
};

static struct {
    pthread_mutex_t lock;
    size_t holders;
    gnutls_priority_t priority;
    gnutls_certificate_credentials_t credentials;
} config = { .lock = PTHREAD_MUTEX_INITIALIZER };

enum hypha_err hy_tls_err(gnutls_session_t session, int status)
{
    switch (status) {
    case GNUTLS_E_MEMORY_ERROR:
        return HYPHA_ERR_NOMEM;
    case GNUTLS_E_CERTIFICATE_ERROR:
    case GNUTLS_E_CERTIFICATE_REQUIRED:
    case GNUTLS_E_CERTIFICATE_VERIFICATION_ERROR:
    case GNUTLS_E_NO_CERTIFICATE_FOUND:
        return HYPHA_ERR_CERTIFICATE;
    case GNUTLS_E_FATAL_ALERT_RECEIVED:
        break;
    default:
        return HYPHA_ERR_TLS;
    }
    switch (gnutls_alert_get(session)) {
    case GNUTLS_A_BAD_CERTIFICATE: /* 42: ours was refused */
    case GNUTLS_A_UNSUPPORTED_CERTIFICATE:
    case GNUTLS_A_CERTIFICATE_REVOKED:
    case GNUTLS_A_CERTIFICATE_EXPIRED:
    case GNUTLS_A_CERTIFICATE_UNKNOWN:
    case GNUTLS_A_UNKNOWN_CA:
    case GNUTLS_A_ACCESS_DENIED:
    case GNUTLS_A_CERTIFICATE_REQUIRED: /* 116: none or unusable */
        return HYPHA_ERR_CERTIFICATE;
    default: /* a number from the wire */
        return HYPHA_ERR_TLS;
    }
}

/* ---- identities ---- */

/* X.509 wants a positive serial; a first byte of 0x40 to 0x7f makes its DER 20 bytes long. */
static void draw_serial(struct hypha_loop *loop, uint8_t serial[HY_CERTIFICATE_SERIAL_BYTES])
{
    hy_random(loop, serial, HY_CERTIFICATE_SERIAL_BYTES);
    serial[0] = (uint8_t)((serial[0] & 0x3f) | 0x40);
}

static int raw_key(gnutls_privkey_t key, uint8_t ret_public[HY_CERTIFICATE_KEY_BYTES])
{
    gnutls_ecc_curve_t curve;
    gnutls_datum_t x = { 0 }, y = { 0 };
    gnutls_pubkey_t public_key = NULL;
    int status = gnutls_pubkey_init(&public_key);

    if (status == 0)
        status = gnutls_pubkey_import_privkey(public_key, key, 0, 0);
    if (status == 0)
        status = gnutls_pubkey_export_ecc_raw(public_key, &curve, &x, &y);
    if (status == 0 && x.size != HY_CERTIFICATE_KEY_BYTES)
        status = GNUTLS_E_INTERNAL_ERROR;
    if (status == 0)
        memcpy(ret_public, x.data, HY_CERTIFICATE_KEY_BYTES);
    gnutls_free(x.data);
    gnutls_free(y.data);
    gnutls_pubkey_deinit(public_key);
    return status;
}

static int make_certificate(struct hypha_loop *loop, struct hy_tls_identity *identity)
{
    uint8_t key[HY_CERTIFICATE_KEY_BYTES], serial[HY_CERTIFICATE_SERIAL_BYTES];
    uint8_t tbs[HY_CERTIFICATE_MAX_BYTES], der[HY_CERTIFICATE_MAX_BYTES];
    gnutls_datum_t signature = { 0 };
    gnutls_datum_t part = { .data = tbs };
    int status = raw_key(identity->key, key);

    if (status != 0)
        return status;
    draw_serial(loop, serial);
    part.size = (unsigned)hy_certificate_write_signed(key, serial, tbs);
    status = gnutls_privkey_sign_data2(
        identity->key, GNUTLS_SIGN_EDDSA_ED25519, 0, &part, &signature);
    if (status == 0 && signature.size != HY_CERTIFICATE_SIG_BYTES)
        status = GNUTLS_E_INTERNAL_ERROR;
    if (status == 0) {
        gnutls_datum_t whole = { .data = der };

        whole.size = (unsigned)hy_certificate_write(hy_span(tbs, part.size), signature.data, der);
        status = gnutls_pcert_import_x509_raw(
            &identity->certificate, &whole, GNUTLS_X509_FMT_DER, 0);
        identity->has_certificate = status == 0;
    }
    gnutls_free(signature.data);
    return status;
}

enum hypha_err hy_tls_identity_create(
    struct hypha_loop *loop, struct hy_tls_identity **ret_identity)
{
    struct hy_tls_identity *identity = hy_alloc(sizeof *identity);

    if (identity == NULL)
        return HYPHA_ERR_NOMEM;
    identity->refs = 1;
    int status = gnutls_privkey_init(&identity->key);

    if (status == 0)
        status = gnutls_privkey_generate2(identity->key, GNUTLS_PK_EDDSA_ED25519, 0, 0, NULL, 0);
    if (status == 0)
        status = make_certificate(loop, identity);
    if (status != 0) {
        hy_tls_identity_unref(identity);
        return hy_tls_err(NULL, status);
    }
    *ret_identity = identity;
    return HYPHA_OK;
}

struct hy_tls_identity *hy_tls_identity_ref(struct hy_tls_identity *identity)
{
    if (identity != NULL)
        identity->refs++;
    return identity;
}

void hy_tls_identity_unref(struct hy_tls_identity *identity)
{
    if (identity == NULL || --identity->refs > 0)
        return;
    if (identity->has_certificate)
        gnutls_pcert_deinit(&identity->certificate);
    if (identity->key != NULL)
        gnutls_privkey_deinit(identity->key);
    hy_free(identity);
}

struct hypha_span hy_tls_identity_certificate(const struct hy_tls_identity *identity)
{
    return hy_span(identity->certificate.cert.data, identity->certificate.cert.size);
}

/* ---- callbacks of the credentials ---- */

/* Ours, whatever authorities the peer asks for: a client MUST send one. */
static int on_retrieve(gnutls_session_t session, const gnutls_datum_t *authorities, int count,
    const gnutls_pk_algorithm_t *algorithms, int algorithm_count, gnutls_pcert_st **ret_chain,
    unsigned *ret_length, gnutls_privkey_t *ret_key)
{
    struct hy_tls_identity *identity = gnutls_session_get_ptr(session);

    (void)authorities;
    (void)count;
    (void)algorithms;
    (void)algorithm_count;
    if (identity == NULL)
        return -1;
    *ret_chain = &identity->certificate;
    *ret_length = 1;
    *ret_key = identity->key;
    return 0;
}

/* Only the leaf is looked at. GnuTLS answers a refusal with alert 42. */
static int on_verify(gnutls_session_t session)
{
    unsigned count = 0;
    const gnutls_datum_t *chain = gnutls_certificate_get_peers(session, &count);

    if (chain == NULL || count == 0)
        return GNUTLS_E_CERTIFICATE_ERROR;
    return hy_certificate_is_acceptable(hy_span(chain[0].data, chain[0].size))
        ? 0
        : GNUTLS_E_CERTIFICATE_ERROR;
}

/* ---- the shared part ---- */

static void config_clear(void)
{
    if (config.priority != NULL)
        gnutls_priority_deinit(config.priority);
    if (config.credentials != NULL)
        gnutls_certificate_free_credentials(config.credentials);
    config.priority = NULL;
    config.credentials = NULL;
}

static int config_fill(void)
{
    int status = gnutls_priority_init(&config.priority, priorities, NULL);

    if (status == 0)
        status = gnutls_certificate_allocate_credentials(&config.credentials);
    if (status != 0)
        return status;
    gnutls_certificate_set_retrieve_function2(config.credentials, on_retrieve);
    return 0;
}

enum hypha_err hy_tls_config_hold(void)
{
    int status = 0;

    pthread_mutex_lock(&config.lock);
    if (config.holders == 0)
        status = config_fill();
    if (status == 0)
        config.holders++;
    else
        config_clear();
    pthread_mutex_unlock(&config.lock);
    return status == 0 ? HYPHA_OK : hy_tls_err(NULL, status);
}

void hy_tls_config_release(void)
{
    pthread_mutex_lock(&config.lock);
    if (--config.holders == 0)
        config_clear();
    pthread_mutex_unlock(&config.lock);
}

/* ---- sessions ---- */

/* No tickets: they take memory, and link a client's connections (transports.md 13.2). One key
 * share, of the first group. */
static unsigned flags_of(enum hy_tls_role role)
{
    unsigned both = GNUTLS_NONBLOCK | GNUTLS_NO_TICKETS | GNUTLS_NO_SIGNAL;

    return both | (role == HY_TLS_SERVER ? GNUTLS_SERVER : GNUTLS_CLIENT | GNUTLS_KEY_SHARE_TOP);
}

enum hypha_err hy_tls_config_session(enum hy_tls_role role, bool mutual,
    const struct hy_tls_identity *identity, gnutls_session_t *ret_session)
{
    gnutls_session_t session = NULL;
    int status = gnutls_init(&session, flags_of(role));

    if (status != 0)
        return hy_tls_err(NULL, status);
    gnutls_session_set_ptr(session, (void *)(uintptr_t)identity);
    status = gnutls_priority_set(session, config.priority);
    if (status == 0)
        status = gnutls_credentials_set(session, GNUTLS_CRD_CERTIFICATE, config.credentials);
    if (status == 0 && role == HY_TLS_CLIENT)
        status = gnutls_server_name_set(
            session, GNUTLS_NAME_DNS, HY_CERTIFICATE_NAME, strlen(HY_CERTIFICATE_NAME));
    if (status != 0) {
        gnutls_deinit(session);
        return hy_tls_err(NULL, status);
    }
    if (role == HY_TLS_SERVER) {
        gnutls_certificate_server_set_request(
            session, mutual ? GNUTLS_CERT_REQUIRE : GNUTLS_CERT_IGNORE);
        gnutls_certificate_send_x509_rdn_sequence(session, 1); /* 1: no list of authorities */
    }
    if (role == HY_TLS_CLIENT || mutual)
        gnutls_session_set_verify_function(session, on_verify);
    gnutls_handshake_set_timeout(session, 0); /* the stream's owner has a deadline */
    *ret_session = session;
    return HYPHA_OK;
}

void hy_tls_config_forget_identity(gnutls_session_t session)
{
    gnutls_session_set_ptr(session, NULL);
}
