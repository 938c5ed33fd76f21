/* transport/certificate.c - the certificates of this network: write ours, judge a peer's.
 *
 * TLS libraries judge by rules of the web (dates, issuers, purposes) that do not hold here, and
 * add extensions of their own to what they write. So both directions are done on the DER.
 *
 * spec: wire.md 6 "Certificate" */
#include "transport/certificate.h"

#include "base/span.h"
#include <assert.h>

enum {
    DER_BOOLEAN = 0x01,
    DER_INTEGER = 0x02,
    DER_BIT_STRING = 0x03,
    DER_OCTET_STRING = 0x04,
    DER_OID = 0x06,
    DER_UTF8_STRING = 0x0c,
    DER_UTC_TIME = 0x17,
    DER_GENERAL_TIME = 0x18,
    DER_SEQUENCE = 0x30,
    DER_SET = 0x31,
    DER_DNS_NAME = 0x82,   /* GeneralName [2] */
    DER_VERSION = 0xa0,    /* tbsCertificate [0] */
    DER_ISSUER_ID = 0x81,  /* [1] */
    DER_SUBJECT_ID = 0x82, /* [2] */
    DER_EXTENSIONS = 0xa3, /* [3] */
};

static const uint8_t oid_san[] = { 0x55, 0x1d, 0x11 };
static const uint8_t oid_eku[] = { 0x55, 0x1d, 0x25 };
static const uint8_t oid_common_name[] = { 0x55, 0x04, 0x03 };
static const uint8_t oid_ed25519[] = { 0x2b, 0x65, 0x70 };
static const uint8_t oid_client_auth[] = { 0x2b, 0x06, 0x01, 0x05, 0x05, 0x07, 0x03, 0x02 };
static const uint8_t oid_server_auth[] = { 0x2b, 0x06, 0x01, 0x05, 0x05, 0x07, 0x03, 0x01 };
/* All of a SubjectPublicKeyInfo but the 32 bytes of the key, with its tag and length. */
static const uint8_t spki_head[] = { 0x30, 0x2a, 0x30, 0x05, 0x06, 0x03, 0x2b, 0x65, 0x70, 0x03,
    0x21, 0x00 };

/* ---- judging ---- */

/* Take one element off the front of *rest: its content, and (unless NULL) all of it. False: not
 * DER with this tag; *rest is then of no use. */
static bool take(struct hypha_span *rest, uint8_t tag, struct hypha_span *ret_content,
    struct hypha_span *ret_whole)
{
    const uint8_t *at = rest->at;
    size_t head = 2, len;

    if (rest->len < 2 || at[0] != tag)
        return false;
    len = at[1];
    if (len >= 0x80) {
        size_t bytes = len & 0x7f;

        /* 0x80 is BER's indefinite form; a certificate message has a length of three bytes. */
        if (bytes == 0 || bytes > 3 || rest->len < 2 + bytes)
            return false;
        len = 0;
        for (size_t i = 0; i < bytes; i++)
            len = len << 8 | at[2 + i];
        if (len < 0x80 || at[2] == 0) /* not the shortest form */
            return false;
        head += bytes;
    }
    if (rest->len - head < len)
        return false;
    if (ret_content != NULL)
        *ret_content = hy_span(at + head, len);
    if (ret_whole != NULL)
        *ret_whole = hy_span(at, head + len);
    *rest = hy_span(at + head + len, rest->len - head - len);
    return true;
}

static bool has_tag(struct hypha_span rest, uint8_t tag)
{
    return rest.len > 0 && rest.at[0] == tag;
}

/* Skip an optional element. */
static bool skip_if(struct hypha_span *rest, uint8_t tag)
{
    return !has_tag(*rest, tag) || take(rest, tag, NULL, NULL);
}

/* GeneralNames of exactly one name, which is ours. */
static bool is_our_name(struct hypha_span value)
{
    struct hypha_span names, name;

    return take(&value, DER_SEQUENCE, &names, NULL) && value.len == 0 &&
        take(&names, DER_DNS_NAME, &name, NULL) && names.len == 0 &&
        hy_span_is(name, HY_CERTIFICATE_NAME);
}

static bool are_extensions_acceptable(struct hypha_span extensions)
{
    size_t found = 0;

    while (extensions.len > 0) {
        struct hypha_span extension, oid, value;

        if (!take(&extensions, DER_SEQUENCE, &extension, NULL) ||
            !take(&extension, DER_OID, &oid, NULL) || !skip_if(&extension, DER_BOOLEAN) ||
            !take(&extension, DER_OCTET_STRING, &value, NULL) || extension.len != 0)
            return false;
        if (!hy_span_equal(oid, hy_span(oid_san, sizeof oid_san)))
            continue;
        if (!is_our_name(value))
            return false;
        found++;
    }
    return found == 1;
}

static bool is_version_3(struct hypha_span *tbs)
{
    struct hypha_span version, number;

    return take(tbs, DER_VERSION, &version, NULL) && take(&version, DER_INTEGER, &number, NULL) &&
        version.len == 0 && number.len == 1 && number.at[0] == 2;
}

static bool is_ed25519_key(struct hypha_span spki)
{
    return spki.len == sizeof spki_head + HY_CERTIFICATE_KEY_BYTES &&
        memcmp(spki.at, spki_head, sizeof spki_head) == 0;
}

bool hy_certificate_is_acceptable(struct hypha_span der)
{
    struct hypha_span certificate, tbs, spki, wrapped, extensions;

    if (!take(&der, DER_SEQUENCE, &certificate, NULL) || der.len != 0 ||
        !take(&certificate, DER_SEQUENCE, &tbs, NULL) ||
        !take(&certificate, DER_SEQUENCE, NULL, NULL) ||   /* signatureAlgorithm */
        !take(&certificate, DER_BIT_STRING, NULL, NULL) || /* signature: not verified */
        certificate.len != 0)
        return false;
    if (!is_version_3(&tbs) || !take(&tbs, DER_INTEGER, NULL, NULL) || /* serialNumber */
        !take(&tbs, DER_SEQUENCE, NULL, NULL) ||                       /* signature */
        !take(&tbs, DER_SEQUENCE, NULL, NULL) ||                       /* issuer */
        !take(&tbs, DER_SEQUENCE, NULL, NULL) ||                       /* validity */
        !take(&tbs, DER_SEQUENCE, NULL, NULL) ||                       /* subject */
        !take(&tbs, DER_SEQUENCE, NULL, &spki) || !is_ed25519_key(spki))
        return false;
    return skip_if(&tbs, DER_ISSUER_ID) && skip_if(&tbs, DER_SUBJECT_ID) &&
        take(&tbs, DER_EXTENSIONS, &wrapped, NULL) && tbs.len == 0 &&
        take(&wrapped, DER_SEQUENCE, &extensions, NULL) && wrapped.len == 0 &&
        are_extensions_acceptable(extensions);
}

/* ---- writing: from the back to the front, so that every length is known when it is due ---- */

struct der {
    uint8_t *start;
    uint8_t *front; /* what is written lies from here to the end */
};

static void put(struct der *der, const void *bytes, size_t len)
{
    assert((size_t)(der->front - der->start) >= len);
    der->front -= len;
    memcpy(der->front, bytes, len);
}

static void put_byte(struct der *der, uint8_t byte)
{
    put(der, &byte, 1);
}

/* Head an element whose content is everything written since the front was at `end`. */
static void put_head(struct der *der, uint8_t tag, const uint8_t *end)
{
    size_t len = (size_t)(end - der->front);

    assert(len <= 0xffff);
    put_byte(der, (uint8_t)(len & 0xff));
    if (len > 0xff)
        put_byte(der, (uint8_t)(len >> 8));
    if (len > 0x7f)
        put_byte(der, len > 0xff ? 0x82 : 0x81);
    put_byte(der, tag);
}

static void put_element(struct der *der, uint8_t tag, const void *content, size_t len)
{
    const uint8_t *end = der->front;

    put(der, content, len);
    put_head(der, tag, end);
}

static void put_algorithm(struct der *der)
{
    const uint8_t *end = der->front;

    put_element(der, DER_OID, oid_ed25519, sizeof oid_ed25519);
    put_head(der, DER_SEQUENCE, end);
}

/* What the network's other nodes call themselves; nobody looks at it. */
static void put_name(struct der *der)
{
    static const char name[] = "rcgen self signed cert";
    const uint8_t *end = der->front;

    put_element(der, DER_UTF8_STRING, name, sizeof name - 1);
    put_element(der, DER_OID, oid_common_name, sizeof oid_common_name);
    put_head(der, DER_SEQUENCE, end);
    put_head(der, DER_SET, end);
    put_head(der, DER_SEQUENCE, end);
}

static void put_validity(struct der *der)
{
    static const char from[] = "750101000000Z", until[] = "40960101000000Z";
    const uint8_t *end = der->front;

    put_element(der, DER_GENERAL_TIME, until, sizeof until - 1);
    put_element(der, DER_UTC_TIME, from, sizeof from - 1);
    put_head(der, DER_SEQUENCE, end);
}

/* The value of an extension is what was written since `end`. */
static void put_extension(struct der *der, const uint8_t *oid, size_t oid_len, const uint8_t *end)
{
    put_head(der, DER_SEQUENCE, end);
    put_head(der, DER_OCTET_STRING, end);
    put_element(der, DER_OID, oid, oid_len);
    put_head(der, DER_SEQUENCE, end);
}

static void put_extensions(struct der *der)
{
    const uint8_t *all = der->front;
    const uint8_t *end = der->front;

    put_element(der, DER_OID, oid_server_auth, sizeof oid_server_auth);
    put_element(der, DER_OID, oid_client_auth, sizeof oid_client_auth);
    put_extension(der, oid_eku, sizeof oid_eku, end);
    end = der->front;
    put_element(der, DER_DNS_NAME, HY_CERTIFICATE_NAME, strlen(HY_CERTIFICATE_NAME));
    put_extension(der, oid_san, sizeof oid_san, end);
    put_head(der, DER_SEQUENCE, all);
    put_head(der, DER_EXTENSIONS, all);
}

static size_t finish(struct der *der, uint8_t *into, const uint8_t *end)
{
    size_t len = (size_t)(end - der->front);

    memmove(into, der->front, len);
    return len;
}

size_t hy_certificate_write_signed(const uint8_t key[HY_CERTIFICATE_KEY_BYTES],
    const uint8_t serial[HY_CERTIFICATE_SERIAL_BYTES], uint8_t into[HY_CERTIFICATE_MAX_BYTES])
{
    static const uint8_t version_3 = 2;
    const uint8_t *end = into + HY_CERTIFICATE_MAX_BYTES;
    struct der der = { .start = into, .front = into + HY_CERTIFICATE_MAX_BYTES };

    assert(serial[0] > 0 && serial[0] < 0x80); /* else its DER has another length */
    put_extensions(&der);
    put(&der, key, HY_CERTIFICATE_KEY_BYTES);
    put(&der, spki_head, sizeof spki_head);
    put_name(&der); /* subject */
    put_validity(&der);
    put_name(&der); /* issuer */
    put_algorithm(&der);
    put_element(&der, DER_INTEGER, serial, HY_CERTIFICATE_SERIAL_BYTES);
    const uint8_t *version_end = der.front;
    put_element(&der, DER_INTEGER, &version_3, 1);
    put_head(&der, DER_VERSION, version_end);
    put_head(&der, DER_SEQUENCE, end);
    return finish(&der, into, end);
}

size_t hy_certificate_write(struct hypha_span signed_part,
    const uint8_t signature[HY_CERTIFICATE_SIG_BYTES], uint8_t into[HY_CERTIFICATE_MAX_BYTES])
{
    const uint8_t *end = into + HY_CERTIFICATE_MAX_BYTES;
    struct der der = { .start = into, .front = into + HY_CERTIFICATE_MAX_BYTES };

    put(&der, signature, HY_CERTIFICATE_SIG_BYTES);
    put_byte(&der, 0); /* no unused bits */
    put_head(&der, DER_BIT_STRING, end);
    put_algorithm(&der);
    put(&der, signed_part.at, signed_part.len);
    put_head(&der, DER_SEQUENCE, end);
    return finish(&der, into, end);
}
