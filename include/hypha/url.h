/* hypha/url.h - an address as the network writes it.
 *
 * A URL is immutable and counted. Equal addresses have equal text: parsing normalises.
 * spec: wire.md#1-serialization (Url), transports.md#12-normal-form
 *
 * Threads: a URL belongs to one thread at a time. */
#ifndef HYPHA_URL_H
#define HYPHA_URL_H

#include <hypha/api.h>
#include <hypha/err.h>
#include <hypha/wire.h>
#include <stdbool.h>
#include <stdint.h>

HYPHA_BEGIN_DECLS

struct hypha_url;

/** What a URL's host is. An IP literal in an opaque host (`quic://10.0.0.1:1`) is a DOMAIN
 *  here, as on the wire. */
enum hypha_host_kind {
    HYPHA_HOST_NONE,
    HYPHA_HOST_DOMAIN,
    HYPHA_HOST_IPV4,
    HYPHA_HOST_IPV6,
};

/** Parse and normalise.
 *  ret_url  one reference, the caller's; untouched on error
 *  Errors: NOMEM; URL for all that the network refuses; UTF8. */
HYPHA_API HYPHA_CHECKED enum hypha_err hypha_url_parse(
    struct hypha_span text, struct hypha_url **ret_url);
/** The same for a C string. */
HYPHA_API HYPHA_CHECKED enum hypha_err hypha_url_parse_text(
    const char *text, struct hypha_url **ret_url);

/** One more reference to the same URL. NULL gives NULL. */
HYPHA_API struct hypha_url *hypha_url_ref(struct hypha_url *url);
/** Give back one reference. NULL does nothing. */
HYPHA_API void hypha_url_unref(struct hypha_url *url);

/** The normal form; valid as long as the URL. */
HYPHA_API const char *hypha_url_text(const struct hypha_url *url);
/** Lower case, such as "tcp+tls". */
HYPHA_API const char *hypha_url_scheme(const struct hypha_url *url);
/** Without port; IPv6 in brackets; "" if there is none. */
HYPHA_API const char *hypha_url_host(const struct hypha_url *url);
HYPHA_API enum hypha_host_kind hypha_url_host_kind(const struct hypha_url *url);
/** False: no port (or the scheme's default one, which is dropped). */
HYPHA_API bool hypha_url_has_port(const struct hypha_url *url);
/** 0 if there is none. */
HYPHA_API uint16_t hypha_url_port(const struct hypha_url *url);
/** "" if empty. */
HYPHA_API const char *hypha_url_path(const struct hypha_url *url);
/** Without the question mark; NULL if there is none. */
HYPHA_API const char *hypha_url_query(const struct hypha_url *url);
/** Byte-equal normal forms. */
HYPHA_API bool hypha_url_equal(const struct hypha_url *a, const struct hypha_url *b);

HYPHA_END_DECLS

#endif
