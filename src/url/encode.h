/* url/encode.h - which bytes may stand in which part of a URL, and %XX.
 *
 * The sets are those of the WHATWG URL standard, "percent-encoded bytes" and "host
 * miscellaneous". Bytes from 0x80 on are in all of the percent-encode sets. */
#ifndef HY_URL_ENCODE_H
#define HY_URL_ENCODE_H

#include "url/buffer.h"

enum hy_url_set {
    HY_SET_C0 = 0x01,
    HY_SET_FRAGMENT = 0x02,
    HY_SET_QUERY = 0x04,
    HY_SET_SPECIAL_QUERY = 0x08,
    HY_SET_PATH = 0x10,
    HY_SET_USERINFO = 0x20,
    HY_SET_FORBIDDEN_HOST = 0x40,
    HY_SET_FORBIDDEN_DOMAIN = 0x80,
};

/* By ASCII byte: the sets it belongs to. */
extern const uint8_t hy_url_sets[128];

static inline bool hy_url_in_set(uint8_t byte, enum hy_url_set set)
{
    return byte >= 0x80 || (hy_url_sets[byte] & set) != 0;
}

/* Append `text` with the bytes of the set as %XX. */
void hy_url_put_encoded(struct hy_url_buffer *out, struct hypha_span text, enum hy_url_set set);
/* Append `text` with each well-formed %XX as that byte. */
void hy_url_put_decoded(struct hy_url_buffer *out, struct hypha_span text);

static inline bool hy_url_is_alpha(uint8_t byte)
{
    return (uint8_t)((byte | 0x20) - 'a') < 26;
}

static inline bool hy_url_is_digit(uint8_t byte)
{
    return (uint8_t)(byte - '0') < 10;
}

static inline char hy_url_lower(uint8_t byte)
{
    return (char)((uint8_t)(byte - 'A') < 26 ? byte | 0x20 : byte);
}

/* 0 to 15, or -1. */
static inline int hy_url_hex(uint8_t byte)
{
    if (hy_url_is_digit(byte))
        return byte - '0';
    return (uint8_t)((byte | 0x20) - 'a') < 6 ? (byte | 0x20) - 'a' + 10 : -1;
}

#endif
