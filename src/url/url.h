/* url/url.h - what the rooms above do with addresses, beyond the public header. */
#ifndef HY_URL_URL_H
#define HY_URL_URL_H

#include "base/ip.h"
#include <hypha/url.h>

/* The host is an IP: also a literal in an opaque host (quic://10.0.0.1:1, transports.md 1.2). */
bool hy_url_ip(const struct hypha_url *url, struct hy_ip *ret_ip);
/* Would hypha_url_parse() take it? Allocates nothing for texts of ordinary length.
 * Errors: URL, UTF8, NOMEM. */
enum hypha_err hy_url_check(struct hypha_span text);
/* Decode %XX; false, and `into` "", if it does not fit with a zero at its end, or has zeros. */
bool hy_url_percent_decode(const char *text, char *into, size_t size);

/* Has userinfo, such as a proxy's "user:password@"; both "" if not. Percent-encoded. */
const char *hy_url_user(const struct hypha_url *url);
const char *hy_url_password(const struct hypha_url *url);
bool hy_url_is_special(const struct hypha_url *url);

/* A new URL like this one, but ...; errors NOMEM, URL. One reference each, the caller's. */
enum hypha_err hy_url_with_scheme(
    const struct hypha_url *url, const char *scheme, struct hypha_url **ret_url);
enum hypha_err hy_url_with_port(
    const struct hypha_url *url, uint16_t port, struct hypha_url **ret_url);
enum hypha_err hy_url_without_port(const struct hypha_url *url, struct hypha_url **ret_url);
enum hypha_err hy_url_with_host(
    const struct hypha_url *url, const char *host, struct hypha_url **ret_url);
/* Without userinfo, query and fragment: what may be announced. */
enum hypha_err hy_url_announceable(const struct hypha_url *url, struct hypha_url **ret_url);
/* The key by which our own tables compare: for opaque schemes lower-case host, dotted-quad
 * IPv4 and no lone slash (transports.md 1.2). The same URL if nothing changes. */
enum hypha_err hy_url_canonical(const struct hypha_url *url, struct hypha_url **ret_url);
/* "scheme://ip:port" in normal form (with "/" for a special scheme). */
enum hypha_err hy_url_of_ip(
    const char *scheme, const struct hy_ip *ip, uint16_t port, struct hypha_url **ret_url);

/* For a log line or an error: without credentials and query. Returns `into`. */
char *hy_url_display(const struct hypha_url *url, char *into, size_t size);

#endif
