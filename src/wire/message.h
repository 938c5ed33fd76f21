/* wire/message.h - the six core messages, and the version numbers in them.
 *
 * A file per message: <name>.c reads and writes it. Lists in messages are not copied: they
 * stay a span that was checked whole, walked by an iterator. spec: wire.md#31-core */
#ifndef HY_WIRE_MESSAGE_H
#define HY_WIRE_MESSAGE_H

#include <hypha/protocol.h>
#include <hypha/url.h>

/* ---- semantic versions (wire.md 1, SemVer) ---- */

#define HY_SEMVER_TEXT_BYTES 320

/* pre and build borrow. */
struct hy_semver {
    uint64_t major, minor, patch;
    struct hypha_span pre, build;
};

/* Errors: SEMVER. Spans borrow from `text`. */
enum hypha_err hy_semver_parse(struct hypha_span text, struct hy_semver *ret_version);
/* Cut to fit; returns `into`. */
char *hy_semver_format(const struct hy_semver *version, char *into, size_t size);
struct hy_semver hy_semver_take(struct hypha_reader *r);
void hy_semver_put(struct hypha_writer *w, const struct hy_semver *version);

/* ---- URLs on the wire ---- */

/* A new reference, or NULL after an error (which r keeps: URL, UTF8, NOMEM...). */
struct hypha_url *hy_url_take(struct hypha_reader *r);
void hy_url_put(struct hypha_writer *w, const struct hypha_url *url);

/* ---- ping, pong ---- */

struct hy_ping {
    uint16_t nonce;
};

/* ---- getaddr ---- */

#define HY_GETADDR_MAX_TRANSPORTS 9
struct hy_getaddr {
    uint32_t max;
    size_t count;                 /* of transports as sent */
    struct hypha_span transports; /* checked encoding of the strings */
};
/* Walk `transports`: false at the end. */
bool hy_getaddr_next(struct hypha_span *transports, struct hypha_span *ret_scheme);

/* For sending: schemes are C strings. */
struct hy_getaddr_out {
    uint32_t max;
    const char *const *transports;
    size_t count;
};

/* ---- addr ---- */

struct hy_addr {
    size_t count;
    struct hypha_span entries; /* checked encoding */
};
/* Walk `entries`: false at the end, or out of memory (then *ret_err is NOMEM).
 * ret_url: a new reference. */
bool hy_addr_next(struct hypha_span *entries, struct hypha_url **ret_url, uint64_t *ret_last_seen,
    enum hypha_err *ret_err);

struct hy_addr_entry {
    const struct hypha_url *url;
    uint64_t last_seen; /* UNIX seconds */
};
/* For sending; entries that would pass the size limit are left out (wire.md 5.5). */
struct hy_addr_out {
    const struct hy_addr_entry *entries;
    size_t count;
};

/* ---- version, verack ---- */

/* As read: URLs are kept as text, each checked to parse. */
struct hy_version {
    struct hypha_span node_id, app_name;
    struct hy_semver version;
    uint64_t timestamp; /* UNIX seconds */
    struct hypha_span connect_recv_addr;
    bool has_resolve_recv_addr;
    struct hypha_span resolve_recv_addr;
    size_t ext_count;
    struct hypha_span ext_send_addr; /* checked encoding */
    size_t feature_count;
    struct hypha_span features; /* checked encoding */
};
/* Walk `ext_send_addr`, as hy_addr_next() does. */
bool hy_version_next_ext(
    struct hypha_span *ext_send_addr, struct hypha_url **ret_url, enum hypha_err *ret_err);
/* Walk `features`: false at the end. */
bool hy_version_next_feature(
    struct hypha_span *features, struct hypha_span *ret_name, uint32_t *ret_value);

struct hy_feature {
    const char *name;
    uint32_t value;
};

struct hy_version_out {
    const char *node_id, *app_name;
    struct hy_semver version;
    uint64_t timestamp;
    const struct hypha_url *connect_recv_addr;
    const struct hypha_url *resolve_recv_addr;    /* NULL: None */
    const struct hypha_url *const *ext_send_addr; /* trimmed to fit */
    size_t ext_count;
    const struct hy_feature *features; /* normally none */
    size_t feature_count;
};

struct hy_verack {
    struct hy_semver app_version;
    struct hypha_span app_name;
};

/* ---- the types: name, limits, functions ----
 * `read` fills the structs above (hy_ping, hy_getaddr, hy_addr, hy_version, hy_verack);
 * `write` takes hy_ping, hy_getaddr_out, hy_addr_out, hy_version_out, hy_verack. */

enum hy_core_message {
    HY_MESSAGE_VERSION,
    HY_MESSAGE_VERACK,
    HY_MESSAGE_PING,
    HY_MESSAGE_PONG,
    HY_MESSAGE_GETADDR,
    HY_MESSAGE_ADDR,
    HY_CORE_MESSAGES,
};
extern const struct hypha_message_type hy_core_messages[HY_CORE_MESSAGES];

#define HY_MAX_COMMAND_BYTES 255
#define HY_ADDR_MAX_BYTES    65281
#define HY_ADDR_MAX_ENTRIES  510 /* of a reply: network.md 8.2 */

#endif
