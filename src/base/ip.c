/* base/ip.c - IP addresses: parse, print, and tell the local from the global.
 *
 * No resolver, no interface, no zone ids: text and bits only. */
#include "base/ip.h"

#include <stdio.h>
#include <string.h>

#define GROUPS 8

static bool is_digit(uint8_t c)
{
    return c >= '0' && c <= '9';
}

/* The value of a hexadecimal digit; 16 if it is none. */
static unsigned hex_value(uint8_t c)
{
    if (is_digit(c))
        return (unsigned)(c - '0');
    if (c >= 'a' && c <= 'f')
        return (unsigned)(c - 'a') + 10;
    if (c >= 'A' && c <= 'F')
        return (unsigned)(c - 'A') + 10;
    return 16;
}

/* Four numbers of 0 to 255 without leading zeros, and nothing else. */
static bool parse_quad(struct hypha_span text, uint8_t quad[4])
{
    size_t at = 0;

    for (size_t i = 0; i < 4; i++) {
        unsigned value = 0;
        size_t digits = 0;

        if (i > 0 && (at == text.len || text.at[at++] != '.'))
            return false;
        for (; at < text.len && is_digit(text.at[at]); at++, digits++) {
            if (digits > 0 && value == 0)
                return false;
            value = value * 10 + (unsigned)(text.at[at] - '0');
            if (value > 255)
                return false;
        }
        if (digits == 0)
            return false;
        quad[i] = (uint8_t)value;
    }
    return at == text.len;
}

bool hy_ip_parse_v4(struct hypha_span text, struct hy_ip *ret_ip)
{
    struct hy_ip ip = { .len = 4 };

    if (!parse_quad(text, ip.bytes))
        return false;
    *ret_ip = ip;
    return true;
}

/* The groups on one side of "::", written to `bytes` from its front. A dotted quad may stand
 * for the last two where `quad_ok`. False unless all of text is such groups, at most `max`;
 * empty text is none. RFC 4291, section 2.2. */
static bool parse_groups(
    struct hypha_span text, bool quad_ok, size_t max, uint8_t *bytes, size_t *ret_count)
{
    size_t count = 0, at = 0;

    while (at < text.len) {
        unsigned value = 0;

        if (count > 0 && text.at[at++] != ':')
            return false;

        size_t start = at;

        while (at < text.len && at - start < 4 && hex_value(text.at[at]) < 16)
            value = value << 4 | hex_value(text.at[at++]);
        if (at < text.len && text.at[at] == '.') {
            struct hypha_span rest = { text.at + start, text.len - start };

            if (!quad_ok || count + 2 > max || !parse_quad(rest, bytes + 2 * count))
                return false;
            *ret_count = count + 2;
            return true;
        }
        if (at == start || count == max)
            return false;
        bytes[2 * count] = (uint8_t)(value >> 8);
        bytes[2 * count + 1] = (uint8_t)value;
        count++;
    }
    *ret_count = count;
    return true;
}

bool hy_ip_parse_v6(struct hypha_span text, struct hy_ip *ret_ip)
{
    struct hy_ip ip = { .len = 16 };
    uint8_t tail[2 * GROUPS];
    size_t gap = 0, head_count, tail_count;

    while (gap + 1 < text.len && !(text.at[gap] == ':' && text.at[gap + 1] == ':'))
        gap++;
    if (gap + 1 >= text.len) { /* no "::": eight groups */
        if (!parse_groups(text, true, GROUPS, ip.bytes, &head_count) || head_count != GROUPS)
            return false;
        *ret_ip = ip;
        return true;
    }

    struct hypha_span before = { text.at, gap };
    struct hypha_span after = { text.at + gap + 2, text.len - gap - 2 };

    /* "::" stands for at least one group. */
    if (!parse_groups(before, false, GROUPS - 1, ip.bytes, &head_count) ||
        !parse_groups(after, true, GROUPS - 1 - head_count, tail, &tail_count))
        return false;
    if (tail_count > 0)
        memcpy(ip.bytes + 2 * (GROUPS - tail_count), tail, 2 * tail_count);
    *ret_ip = ip;
    return true;
}

/* The first longest run of two or more zero groups. RFC 5952, sections 4.2.2 and 4.2.3. */
static size_t longest_zeros(const struct hy_ip *ip, size_t *ret_len)
{
    size_t best = GROUPS, best_len = 1;

    for (size_t i = 0; i < GROUPS; i++) {
        size_t len = 0;

        while (
            i + len < GROUPS && ip->bytes[2 * (i + len)] == 0 && ip->bytes[2 * (i + len) + 1] == 0)
            len++;
        if (len > best_len) {
            best = i;
            best_len = len;
        }
    }
    *ret_len = best < GROUPS ? best_len : 0;
    return best;
}

const char *hy_ip_format(const struct hy_ip *ip, char text[HY_IP_TEXT_BYTES])
{
    const uint8_t *b = ip->bytes;
    size_t used = 0, zeros_len, zeros;

    text[0] = '\0';
    if (ip->len == 4)
        (void)snprintf(text, HY_IP_TEXT_BYTES, "%u.%u.%u.%u", b[0], b[1], b[2], b[3]);
    if (ip->len != 16)
        return text;

    zeros = longest_zeros(ip, &zeros_len);
    for (size_t i = 0; i < GROUPS; i++) {
        if (i == zeros) {
            used += (size_t)snprintf(text + used, HY_IP_TEXT_BYTES - used, "::");
            i += zeros_len - 1;
            continue;
        }
        used += (size_t)snprintf(text + used, HY_IP_TEXT_BYTES - used, "%s%x",
            i > 0 && i != zeros + zeros_len ? ":" : "", (unsigned)(b[2 * i] << 8 | b[2 * i + 1]));
    }
    return text;
}

struct net {
    uint8_t bytes[16];
    uint8_t bits;
};

static bool is_in(const struct hy_ip *ip, const struct net *net)
{
    size_t whole = net->bits / 8;
    unsigned rest = net->bits % 8;

    if (memcmp(ip->bytes, net->bytes, whole) != 0)
        return false;
    return rest == 0 || (ip->bytes[whole] ^ net->bytes[whole]) >> (8 - rest) == 0;
}

static bool is_in_any(const struct hy_ip *ip, const struct net *nets, size_t count)
{
    for (size_t i = 0; i < count; i++)
        if (is_in(ip, &nets[i]))
            return true;
    return false;
}

#define IN_ANY(ip, nets) is_in_any((ip), (nets), sizeof(nets) / sizeof(nets)[0])

/* spec: network.md 4.4, "Local", and multicast as it demands. */
static const struct net local_v4[] = {
    { { 0 }, 8 },             /* this network */
    { { 10 }, 8 },            /* private */
    { { 100, 64 }, 10 },      /* carrier-grade NAT */
    { { 127 }, 8 },           /* loopback */
    { { 169, 254 }, 16 },     /* link-local */
    { { 172, 16 }, 12 },      /* private */
    { { 192, 0, 0 }, 24 },    /* protocol assignments */
    { { 192, 0, 2 }, 24 },    /* documentation */
    { { 192, 168 }, 16 },     /* private */
    { { 198, 18 }, 15 },      /* benchmarks */
    { { 198, 51, 100 }, 24 }, /* documentation */
    { { 203, 0, 113 }, 24 },  /* documentation */
    { { 224 }, 4 },           /* multicast */
    { { 240 }, 4 },           /* reserved, broadcast */
};
static const struct net global_v4[] = {
    { { 192, 0, 0, 9 }, 32 },
    { { 192, 0, 0, 10 }, 32 },
};
static const struct net local_v6[] = {
    { { 0 }, 128 },                                 /* :: */
    { { [15] = 1 }, 128 },                          /* ::1 */
    { { [10] = 0xff, 0xff }, 96 },                  /* ::ffff:0:0, IPv4-mapped */
    { { 0x00, 0x64, 0xff, 0x9b, 0x00, 0x01 }, 48 }, /* 64:ff9b:1:: */
    { { 0x01, 0x00 }, 64 },                         /* 100::, discard */
    { { 0x20, 0x01 }, 23 },                         /* 2001::, assignments */
    { { 0x20, 0x01, 0x0d, 0xb8 }, 32 },             /* documentation */
    { { 0x20, 0x02 }, 16 },                         /* 6to4 */
    { { 0x3f, 0xff }, 20 },                         /* documentation */
    { { 0x5f, 0x00 }, 16 },                         /* segment routing */
    { { 0xfc }, 7 },                                /* unique local */
    { { 0xfe, 0x80 }, 10 },                         /* link-local */
    { { 0xff }, 8 },                                /* multicast */
};
static const struct net global_v6[] = {
    { { 0x20, 0x01, 0x00, 0x01, [15] = 1 }, 128 },  /* 2001:1::1 */
    { { 0x20, 0x01, 0x00, 0x01, [15] = 2 }, 128 },  /* 2001:1::2 */
    { { 0x20, 0x01, 0x00, 0x03 }, 32 },             /* 2001:3:: */
    { { 0x20, 0x01, 0x00, 0x04, 0x01, 0x12 }, 48 }, /* 2001:4:112:: */
    { { 0x20, 0x01, 0x00, 0x20 }, 27 },             /* 2001:20:: and 2001:30:: */
};

bool hy_ip_is_local(const struct hy_ip *ip)
{
    if (ip->len == 4)
        return IN_ANY(ip, local_v4) && !IN_ANY(ip, global_v4);
    if (ip->len == 16)
        return IN_ANY(ip, local_v6) && !IN_ANY(ip, global_v6);
    return false;
}

bool hy_ip_is_loopback(const struct hy_ip *ip)
{
    static const struct net loopback_v4 = { { 127 }, 8 };
    static const struct net loopback_v6 = { { [15] = 1 }, 128 };

    return (ip->len == 4 && is_in(ip, &loopback_v4)) || (ip->len == 16 && is_in(ip, &loopback_v6));
}

bool hy_ip_is_unspecified(const struct hy_ip *ip)
{
    static const uint8_t zeros[16];

    return ip->len > 0 && memcmp(ip->bytes, zeros, ip->len) == 0;
}

bool hy_ip_equal(const struct hy_ip *a, const struct hy_ip *b)
{
    return a->len == b->len && memcmp(a->bytes, b->bytes, a->len) == 0;
}
