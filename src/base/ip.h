/* base/ip.h - an IP address, its text, and what kind of network it is of. */
#ifndef HY_BASE_IP_H
#define HY_BASE_IP_H

#include <hypha/wire.h>
#include <stdbool.h>
#include <stdint.h>

#define HY_IP_TEXT_BYTES 46

/* len: 4 (IPv4), 16 (IPv6) or 0 (none). */
struct hy_ip {
    uint8_t len;
    uint8_t bytes[16];
};

/* Strict dotted quad; false leaves ret_ip untouched. */
bool hy_ip_parse_v4(struct hypha_span text, struct hy_ip *ret_ip);
/* RFC 4291 text without brackets and without a zone id. */
bool hy_ip_parse_v6(struct hypha_span text, struct hy_ip *ret_ip);
/* Dotted quad, or RFC 5952 without brackets and never with a dotted quad inside
 * (::ffff:102:304). Returns `text`. */
const char *hy_ip_format(const struct hy_ip *ip, char text[HY_IP_TEXT_BYTES]);
/* Loopback, private, reserved, multicast...: not to be dialled from the open internet.
 * spec: network.md#44-filter-for-received-addresses-in-order-failing--dropped */
bool hy_ip_is_local(const struct hy_ip *ip);
bool hy_ip_is_loopback(const struct hy_ip *ip);
bool hy_ip_is_unspecified(const struct hy_ip *ip);
bool hy_ip_equal(const struct hy_ip *a, const struct hy_ip *b);

#endif
