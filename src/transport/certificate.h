/* transport/certificate.h - the certificates of this network: write ours, judge a peer's.
 *
 * spec: wire.md 6 "Certificate" */
#ifndef HY_TRANSPORT_CERTIFICATE_H
#define HY_TRANSPORT_CERTIFICATE_H

#include <hypha/err.h>
#include <hypha/wire.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define HY_CERTIFICATE_NAME         "dark.fi"
#define HY_CERTIFICATE_KEY_BYTES    32
#define HY_CERTIFICATE_SIG_BYTES    64
#define HY_CERTIFICATE_SERIAL_BYTES 20
/* More than what hy_certificate_write() ever needs. */
#define HY_CERTIFICATE_MAX_BYTES 512

/* Is this DER leaf acceptable: X.509 v3, subjectAltName exactly once with exactly the dNSName
 * dark.fi, an Ed25519 key in its one form of 44 bytes? Nothing else is looked at. */
bool hy_certificate_is_acceptable(struct hypha_span der);

/* Write the part that is signed; returns its length. The serial's first byte must be 0x01 to 0x7f.
 */
size_t hy_certificate_write_signed(const uint8_t key[HY_CERTIFICATE_KEY_BYTES],
    const uint8_t serial[HY_CERTIFICATE_SERIAL_BYTES], uint8_t into[HY_CERTIFICATE_MAX_BYTES]);
/* Put signed part and Ed25519 signature together; returns the certificate's length. */
size_t hy_certificate_write(struct hypha_span signed_part,
    const uint8_t signature[HY_CERTIFICATE_SIG_BYTES], uint8_t into[HY_CERTIFICATE_MAX_BYTES]);

#endif
