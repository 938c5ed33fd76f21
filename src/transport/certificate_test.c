/* transport/certificate_test.c - the judgement of a certificate, on bytes made by hand: what TLS
 * libraries would not even write. spec: wire.md 6 "Certificate" */
#include "transport/certificate.h"

#include "base/span.h"
#include "transport/tls.h"
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>

#include <cmocka.h>

/* A certificate in parts, so that each can be replaced. All lengths are below 64 KiB. */
struct parts {
    const char *version, *serial, *algorithm, *issuer, *validity, *subject, *spki, *ids,
        *extensions, *after_extensions, *signature, *after;
};

#define SAN_OURS     "30120603551d11040b300982076461726b2e6669"
#define SAN_CRITICAL "30150603551d110101ff040b300982076461726b2e6669"
#define SAN_TWO      "301b0603551d110414301282076461726b2e666982076461726b2e6669"
#define SAN_OTHER    "30120603551d11040b300982076461726b2e6661"
#define SAN_CASE     "30120603551d11040b300982076461726b2e4669"
#define SAN_MAIL     "30120603551d11040b300981076461726b2e6669"
#define SAN_EMPTY    "30090603551d1104023000"
#define SAN_TRAILING "30140603551d11040d300982076461726b2e66690500"
#define SAN_ZERO     "30130603551d11040c300a82086461726b2e666900"
#define UNKNOWN      "300b06032a03040101ff04010a"
#define ED25519_SPKI                                                                               \
    "302a300506032b6570032100"                                                                     \
    "000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f"

static const struct parts honest = {
    .version = "a003020102",
    .serial = "020105",
    .algorithm = "300506032b6570",
    .issuer = "3000",
    .validity = "3000",
    .subject = "3000",
    .spki = ED25519_SPKI,
    .ids = "",
    .extensions = SAN_OURS,
    .after_extensions = "",
    .signature = "03020000",
    .after = "",
};

struct bytes {
    uint8_t at[2048];
    size_t len;
};

static void put_hex(struct bytes *bytes, const char *hex)
{
    for (; hex[0] != '\0'; hex += 2) {
        char pair[] = { hex[0], hex[1], '\0' };

        bytes->at[bytes->len++] = (uint8_t)strtoul(pair, NULL, 16);
    }
}

static void put_wrapped(struct bytes *into, uint8_t tag, const struct bytes *content)
{
    into->at[into->len++] = tag;
    if (content->len > 0xff)
        into->at[into->len++] = 0x82;
    else if (content->len > 0x7f)
        into->at[into->len++] = 0x81;
    if (content->len > 0xff)
        into->at[into->len++] = (uint8_t)(content->len >> 8);
    into->at[into->len++] = (uint8_t)content->len;
    memcpy(into->at + into->len, content->at, content->len);
    into->len += content->len;
}

static void assemble(const struct parts *parts, struct bytes *ret)
{
    struct bytes list = { .len = 0 }, extensions = { .len = 0 }, tbs = { .len = 0 };
    struct bytes certificate = { .len = 0 };

    put_hex(&tbs, parts->version);
    put_hex(&tbs, parts->serial);
    put_hex(&tbs, parts->algorithm);
    put_hex(&tbs, parts->issuer);
    put_hex(&tbs, parts->validity);
    put_hex(&tbs, parts->subject);
    put_hex(&tbs, parts->spki);
    put_hex(&tbs, parts->ids);
    if (parts->extensions != NULL) {
        struct bytes inner = { .len = 0 };

        put_hex(&inner, parts->extensions);
        put_wrapped(&extensions, 0x30, &inner);
        put_wrapped(&tbs, 0xa3, &extensions);
    }
    put_hex(&tbs, parts->after_extensions);
    put_wrapped(&list, 0x30, &tbs);
    put_hex(&list, parts->algorithm);
    put_hex(&list, parts->signature);
    put_wrapped(&certificate, 0x30, &list);
    put_hex(&certificate, parts->after);
    *ret = certificate;
}

static bool judge(const struct parts *parts)
{
    struct bytes certificate;

    assemble(parts, &certificate);
    return hy_certificate_is_acceptable(hy_span(certificate.at, certificate.len));
}

static bool with_extensions(const char *extensions)
{
    struct parts parts = honest;

    parts.extensions = extensions;
    return judge(&parts);
}

static void test_names(void **state)
{
    (void)state;
    assert_true(judge(&honest));
    assert_true(with_extensions(SAN_CRITICAL));
    assert_true(with_extensions(UNKNOWN SAN_OURS UNKNOWN));
    assert_false(with_extensions(SAN_OURS SAN_OURS));
    assert_false(with_extensions(SAN_OURS SAN_OTHER));
    assert_false(with_extensions(SAN_TWO));
    assert_false(with_extensions(SAN_OTHER));
    assert_false(with_extensions(SAN_CASE));
    assert_false(with_extensions(SAN_MAIL));
    assert_false(with_extensions(SAN_EMPTY));
    assert_false(with_extensions(SAN_TRAILING));
    assert_false(with_extensions(SAN_ZERO));
    assert_false(with_extensions(UNKNOWN));
    assert_false(with_extensions(""));
    assert_false(with_extensions(NULL));
}

static void test_keys(void **state)
{
    /* clang-format off */
    static const char *const bad[] = {
        /* X25519, Ed448; Ed25519 with parameters, with 31 bytes, with unused bits */
        "302a300506032b656e032100000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f",
        "302a300506032b6571032100000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f",
        "302c300706032b65700500032100000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f",
        "3029300506032b6570032000000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e",
        "302a300506032b6570032101000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f",
        "3000",
    };
    /* clang-format on */

    (void)state;
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        struct parts parts = honest;

        parts.spki = bad[i];
        assert_false(judge(&parts));
    }
}

static void test_structure(void **state)
{
    struct parts parts;

    (void)state;
#define REPLACED(part, value) (parts = honest, parts.part = (value), judge(&parts))
    assert_true(REPLACED(issuer, "300b3109300706035504030c00"));
    assert_true(REPLACED(validity,
        "3005"
        "0403313233"));
    assert_true(REPLACED(serial,
        "0214"
        "ffffffffffffffffffffffffffffffffffffffff"));
    assert_true(REPLACED(ids,
        "81020001"
        "82020001"));
    assert_true(REPLACED(signature, "030100"));
    assert_false(REPLACED(version, ""));           /* v1 by default */
    assert_false(REPLACED(version, "a003020101")); /* v2 */
    assert_false(REPLACED(version, "a003020103"));
    assert_false(REPLACED(version, "a00402020002"));
    assert_false(REPLACED(serial, ""));
    assert_false(REPLACED(subject, ""));
    assert_false(REPLACED(after_extensions, "0500"));
    assert_false(REPLACED(after, "00"));
    assert_false(REPLACED(signature,
        "03020000"
        "0500"));
    assert_false(REPLACED(signature, ""));
    assert_false(REPLACED(issuer,
        "3080"
        "0000"));                             /* indefinite length */
    assert_false(REPLACED(issuer, "308100")); /* not the shortest form */
    assert_false(REPLACED(issuer,
        "308200"
        "00"));
    assert_false(REPLACED(issuer, "3084ffffffff"));
#undef REPLACED
}

static void test_cut_and_changed(void **state)
{
    struct bytes certificate;
    uint32_t chance = 12345;

    (void)state;
    assemble(&honest, &certificate);
    for (size_t len = 0; len < certificate.len; len++) {
        uint8_t *exact = malloc(len + 1); /* so that a sanitizer sees a step too far */

        memcpy(exact, certificate.at, len);
        assert_false(hy_certificate_is_acceptable(hy_span(exact, len)));
        free(exact);
    }
    for (int i = 0; i < 20000; i++) {
        struct bytes changed = certificate;

        for (int k = 0; k < 3; k++) {
            chance = chance * 1664525 + 1013904223;
            changed.at[(chance >> 8) % changed.len] = (uint8_t)(chance >> 24);
        }
        (void)hy_certificate_is_acceptable(hy_span(changed.at, changed.len));
    }
}

/* Ours: byte for byte but for key, serial and signature. */
static void test_ours(void **state)
{
    static const char *const expected[] = { "3082013a3081eda0030201020214", NULL,
        "300506032b6570"
        "3021311f301d06035504030c16"
        "726367656e2073656c66207369676e65642063657274"
        "3020"
        "170d3735303130313030303030305a"
        "180f34303936303130313030303030305a"
        "3021311f301d06035504030c16"
        "726367656e2073656c66207369676e65642063657274"
        "302a300506032b6570032100",
        NULL,
        "a3353033"
        "30120603551d11040b300982076461726b2e6669"
        "301d0603551d250416301406082b0601050507030206082b06010505070301"
        "300506032b6570034100",
        NULL };
    uint8_t key[HY_CERTIFICATE_KEY_BYTES], serial[HY_CERTIFICATE_SERIAL_BYTES];
    uint8_t signature[HY_CERTIFICATE_SIG_BYTES];
    uint8_t tbs[HY_CERTIFICATE_MAX_BYTES], der[HY_CERTIFICATE_MAX_BYTES];
    struct bytes wanted = { .len = 0 };

    (void)state;
    memset(key, 0xaa, sizeof key);
    memset(serial, 0x55, sizeof serial);
    memset(signature, 0x77, sizeof signature);
    put_hex(&wanted, expected[0]);
    memset(wanted.at + wanted.len, 0x55, sizeof serial);
    wanted.len += sizeof serial;
    put_hex(&wanted, expected[2]);
    memset(wanted.at + wanted.len, 0xaa, sizeof key);
    wanted.len += sizeof key;
    put_hex(&wanted, expected[4]);
    memset(wanted.at + wanted.len, 0x77, sizeof signature);
    wanted.len += sizeof signature;

    size_t len = hy_certificate_write_signed(key, serial, tbs);

    len = hy_certificate_write(hy_span(tbs, len), signature, der);
    assert_int_equal(len, wanted.len);
    assert_memory_equal(der, wanted.at, len);
    assert_true(hy_certificate_is_acceptable(hy_span(der, len)));
}

static void test_identity(void **state)
{
    struct hypha_loop *loop = NULL;
    struct hy_tls_identity *one = NULL, *other = NULL;

    (void)state;
    assert_int_equal(hypha_loop_create(&loop), HYPHA_OK);
    assert_int_equal(hy_tls_identity_create(loop, &one), HYPHA_OK);
    assert_int_equal(hy_tls_identity_create(loop, &other), HYPHA_OK);
    assert_true(hy_certificate_is_acceptable(hy_tls_identity_certificate(one)));
    assert_false(
        hy_span_equal(hy_tls_identity_certificate(one), hy_tls_identity_certificate(other)));
    hy_tls_identity_unref(hy_tls_identity_ref(one));
    hy_tls_identity_unref(one);
    hy_tls_identity_unref(other);
    hypha_loop_destroy(loop);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_names),
        cmocka_unit_test(test_keys),
        cmocka_unit_test(test_structure),
        cmocka_unit_test(test_cut_and_changed),
        cmocka_unit_test(test_ours),
        cmocka_unit_test(test_identity),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
