/* url/host.h - the host of a URL: a domain, an IPv4 or IPv6 address, or an opaque text.
 * WHATWG URL standard, "host parsing"; spec: transports.md 1.2 */
#ifndef HY_URL_HOST_H
#define HY_URL_HOST_H

#include "base/ip.h"
#include "url/buffer.h"
#include <hypha/url.h>

struct hy_url_host {
    enum hypha_host_kind kind;
    struct hy_ip ip; /* also of a literal in an opaque host; len 0: none */
};

/* Append the normal form of a host as written, "[...]" included. `opaque`: the scheme is not
 * special. Errors: URL, NOMEM (also of libidn2). */
enum hypha_err hy_url_host_put(
    struct hy_url_buffer *out, struct hypha_span text, bool opaque, struct hy_url_host *ret_host);

/* The last label looks like a number, so the whole must be an IPv4 address. */
bool hy_url_ends_in_number(struct hypha_span domain);
/* Dotted quad, or the legacy forms (127.1, 0x7f000001, 0177.0.0.1, a dot at the end). */
bool hy_url_parse_ipv4(struct hypha_span domain, struct hy_ip *ret_ip);

#endif
