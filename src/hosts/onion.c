/* onion.c - is a name one that Tor or I2P could reach? Both carry a key, so most typing errors
 * and inventions show. spec: network.md 4.4 step 6, transports.md#53-i2p, #62-dialling */
#include "hosts/host.h"

#include <string.h>

#define ONION_CHARS   56
#define ONION_BYTES   35 /* key 32, checksum 2, version 1 */
#define I2P_KEY_CHARS 52
#define KEY_BYTES     32

/* ---- SHA3-256, FIPS 202 ---- */

#define RATE 136

static uint64_t rotate(uint64_t word, unsigned by)
{
    return by == 0 ? word : word << by | word >> (64 - by);
}

static void keccak_round(uint64_t a[25], uint64_t constant)
{
    static const unsigned turns[25] = { 0, 1, 62, 28, 27, 36, 44, 6, 55, 20, 3, 10, 43, 25, 39, 41,
        45, 15, 21, 8, 18, 2, 61, 56, 14 };
    uint64_t parity[5], b[25];

    for (size_t x = 0; x < 5; x++)
        parity[x] = a[x] ^ a[x + 5] ^ a[x + 10] ^ a[x + 15] ^ a[x + 20];
    for (size_t i = 0; i < 25; i++)
        a[i] ^= parity[(i + 4) % 5] ^ rotate(parity[(i + 1) % 5], 1);
    for (size_t x = 0; x < 5; x++)
        for (size_t y = 0; y < 5; y++)
            b[y + 5 * ((2 * x + 3 * y) % 5)] = rotate(a[x + 5 * y], turns[x + 5 * y]);
    for (size_t y = 0; y < 25; y += 5)
        for (size_t x = 0; x < 5; x++)
            a[y + x] = b[y + x] ^ (~b[y + (x + 1) % 5] & b[y + (x + 2) % 5]);
    a[0] ^= constant;
}

/* Round constants come from a shift register (FIPS 202, algorithm 5). */
static void keccak(uint64_t a[25])
{
    unsigned bits = 1;

    for (unsigned round = 0; round < 24; round++) {
        uint64_t constant = 0;

        for (unsigned j = 0; j < 7; j++) {
            if ((bits & 1) != 0)
                constant |= (uint64_t)1 << ((1U << j) - 1);
            bits = (bits & 0x80) != 0 ? (bits << 1 ^ 0x171) & 0xff : bits << 1;
        }
        keccak_round(a, constant);
    }
}

/* Of a message shorter than one block, which is all that is needed here. */
static void sha3_256(const uint8_t *bytes, size_t len, uint8_t digest[32])
{
    uint8_t block[RATE] = { 0 };
    uint64_t a[25] = { 0 };

    memcpy(block, bytes, len);
    block[len] = 0x06;
    block[RATE - 1] |= 0x80;
    for (size_t i = 0; i < RATE; i++)
        a[i / 8] |= (uint64_t)block[i] << (8 * (i % 8));
    keccak(a);
    for (size_t i = 0; i < 32; i++)
        digest[i] = (uint8_t)(a[i / 8] >> (8 * (i % 8)));
}

/* ---- base32 ---- */

/* RFC 4648, lower case, no padding; bits left over must be zero, so that a key has one text. */
static bool base32_decode(const char *text, size_t chars, uint8_t *into)
{
    unsigned held = 0, bits = 0;

    for (size_t i = 0; i < chars; i++) {
        char c = text[i];
        unsigned value;

        if (c >= 'a' && c <= 'z')
            value = (unsigned)(c - 'a');
        else if (c >= '2' && c <= '7')
            value = (unsigned)(c - '2') + 26;
        else
            return false;
        held = held << 5 | value;
        bits += 5;
        if (bits >= 8) {
            bits -= 8;
            *into++ = (uint8_t)(held >> bits);
            held &= (1U << bits) - 1;
        }
    }
    return held == 0;
}

bool hy_onion_is_valid(const char *host)
{
    static const char prefix[] = ".onion checksum";
    uint8_t address[ONION_BYTES], message[sizeof prefix - 1 + KEY_BYTES + 1], digest[32];
    const uint8_t *checksum = address + KEY_BYTES, *version = checksum + 2;

    if (strlen(host) != ONION_CHARS + sizeof ".onion" - 1 ||
        strcmp(host + ONION_CHARS, ".onion") != 0 || !base32_decode(host, ONION_CHARS, address) ||
        *version != 3)
        return false;
    memcpy(message, prefix, sizeof prefix - 1);
    memcpy(message + sizeof prefix - 1, address, KEY_BYTES);
    message[sizeof message - 1] = *version;
    sha3_256(message, sizeof message, digest);
    return memcmp(checksum, digest, 2) == 0;
}

bool hy_i2p_is_valid(const char *host)
{
    static const char key_end[] = ".b32.i2p", name_end[] = ".i2p";
    uint8_t key[KEY_BYTES + 1];
    size_t len = strlen(host);

    if (len < sizeof name_end || strcmp(host + len - (sizeof name_end - 1), name_end) != 0)
        return false;
    if (len >= sizeof key_end - 1 && strcmp(host + len - (sizeof key_end - 1), key_end) == 0)
        return len == I2P_KEY_CHARS + sizeof key_end - 1 && base32_decode(host, I2P_KEY_CHARS, key);
    for (size_t i = 0; i < len; i++) {
        char c = host[i];

        if (!((c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
                c == '-' || c == '.'))
            return false;
    }
    return true;
}
