/* hosts/host.h - one known host, and the room's shared state. Of this room alone.
 *
 * A record exists per host of which anything is known: its lifecycle state, the list it is in
 * (one at most), when it was last tried, whether it is banned. Its key is what is dialled:
 * scheme, host and port, in the spelling of hy_url_canonical(); userinfo, query, fragment and
 * an idle path make no other host. The book (book.h) orders the listed ones. */
#ifndef HY_HOSTS_HOST_H
#define HY_HOSTS_HOST_H

#include "base/map.h"
#include "hosts/book.h"
#include "hosts/hosts.h"

#define HY_HOST_KEY_BYTES   1280
#define HY_HOST_NAME_BYTES  1024
#define HY_HOST_GROUP_BYTES 128
#define HY_MAX_LISTEN       64
#define HY_OWN_VOTES        20 /* spec: network.md 4.4, wire.md 5.3 */
#define HY_RETRY_MS         60000U
#define HY_RETRY_DOUBLINGS  6U /* 1, 2, 4 .. 64 min: network.md 10 */

#define HY_COLOUR_NONE HYPHA_COLOURS

struct hy_host {
    UT_hash_handle hh;
    struct hypha_url *url;    /* as listed; NULL while it was never in a list */
    struct hypha_url *source; /* who told us of it; NULL: the file, or nobody */
    enum hypha_colour colour; /* HY_COLOUR_NONE: in no list */
    uint64_t last_seen;       /* UNIX seconds, while listed */
    uint64_t order;           /* book.c: ties of last_seen keep their order of arrival */

    bool is_shareable, is_local; /* of url, once there is one */

    enum hy_host_state state;
    bool registered;   /* else absent from the registry: any state may come */
    uint64_t since_ms; /* monotonic; when it became Free */

    bool tried;
    uint64_t tried_ms; /* the last Connect */
    unsigned failures; /* in a row */
    uint64_t failed_ms, retry_ms;

    uint64_t ban_until_ms; /* while black */
    enum hypha_err ban_why;
    uint64_t mark; /* reply.c: equals hosts->mark: leave out */
    char key[];
};

/* What the settings say of a host. */
#define HY_ROLE_SEED  1U
#define HY_ROLE_PEER  2U
#define HY_ROLE_BLACK 4U
struct hy_configured {
    UT_hash_handle hh;
    unsigned roles;
    char key[];
};

/* A peer of that group saw us under this address. */
struct hy_own_vote {
    struct hy_ip ip;
    char group[HY_HOST_GROUP_BYTES];
};

struct hy_hosts {
    struct hypha_loop *loop;
    const struct hy_resolved_settings *settings;
    struct hy_host *records;
    struct hy_book book;
    struct hy_configured *configured;

    TAILQ_HEAD(, hy_hosts_watch) watches;
    struct hy_hosts_watch *watch_next; /* while telling */
    struct hy_defer tell;
    size_t changes[HY_HOSTS_FREED + 1];

    struct hypha_url *listen[HY_MAX_LISTEN];
    size_t listen_count;
    struct hy_own_vote votes[HY_OWN_VOTES]; /* oldest first */
    size_t vote_count;
    bool ipv6_down;
    uint64_t ipv6_down_until_ms;

    uint64_t mark;
    bool file_merged; /* hostlist.c: the file holds nothing that the lists lack */
};

/* ---- key.c ---- */

struct hy_host_key {
    size_t len;
    char text[HY_HOST_KEY_BYTES];
};
/* False: longer than any address that can be dialled. */
bool hy_host_key_of(const struct hypha_url *url, struct hy_host_key *ret_key);
/* The same for all ports of scheme and host. */
bool hy_host_key_any_port(const struct hypha_url *url, struct hy_host_key *ret_key);
/* The host alone: lower case, an IP in its normal form. "" if there is none or it is too long. */
const char *hy_host_name(const struct hypha_url *url, char into[HY_HOST_NAME_BYTES]);
/* The URL by which a host is listed, dialled and announced. Errors: NOMEM, URL. */
enum hypha_err hy_host_url(const struct hypha_url *url, struct hypha_url **ret_url);
/* The network group, cut to fit. spec: network.md#10-weaknesses-and-beyond-the-reference */
const char *hy_host_group(
    const struct hypha_url *url, bool localnet, char into[HY_HOST_GROUP_BYTES]);
/* A local IP or one of the names of this machine. spec: network.md 4.4 */
bool hy_host_is_local(const struct hypha_url *url);

/* ---- hosts.c ---- */

/* NULL: unknown. */
struct hy_host *hy_hosts_record(const struct hy_hosts *hosts, const struct hypha_url *url);
/* Found or made. Errors: NOMEM, LIMIT (longer than any address). */
enum hypha_err hy_hosts_take(
    struct hy_hosts *hosts, const struct hypha_url *url, struct hy_host **ret_host);
/* Free the record if nothing is known that is worth it. */
void hy_hosts_forget(struct hy_hosts *hosts, struct hy_host *host);
/* Put into a list, out of the one it was in. Whoever the list has no room for (maybe the host
 * itself) is in none afterwards. Errors: NOMEM: nothing changed. */
enum hypha_err hy_hosts_list(struct hy_hosts *hosts, struct hy_host *host,
    const struct hypha_url *url, enum hypha_colour colour, uint64_t last_seen);
/* Out of the list it is in, if any. A suspended one has nobody left to refine it: Free. */
void hy_hosts_unlist(struct hy_hosts *hosts, struct hy_host *host);
void hy_hosts_changed(struct hy_hosts *hosts, enum hy_hosts_change change, size_t count);
/* HY_ROLE_... bits. */
unsigned hy_hosts_roles(const struct hy_hosts *hosts, const char *key);
/* Grey, white or gold: may be dialled. */
bool hy_colour_is_dialled(enum hypha_colour colour);

/* ---- registry.c ---- */

/* Without asking; notes the time. */
void hy_hosts_enter(struct hy_hosts *hosts, struct hy_host *host, enum hy_host_state state);
/* A failed dial or handshake: not again too soon. */
void hy_hosts_failed(struct hy_hosts *hosts, struct hy_host *host);

/* ---- ban.c ---- */

bool hy_host_is_black(const struct hy_hosts *hosts, const struct hy_host *host);
/* Blacken a record. Errors: NOMEM: nothing changed. */
enum hypha_err hy_hosts_blacken(struct hy_hosts *hosts, struct hy_host *host,
    const struct hypha_url *url, uint64_t seconds, enum hypha_err why);
/* Bans that are over. */
void hy_hosts_expire_bans(struct hy_hosts *hosts);

/* ---- filter.c ---- */

/* Steps 1 to 6 of network.md 4.4; HY_VERDICT_GREY: passed. */
enum hy_hosts_verdict hy_hosts_judge(struct hy_hosts *hosts, const struct hypha_url *url);

/* ---- own_addrs.c ---- */

bool hy_hosts_is_own(const struct hy_hosts *hosts, const struct hypha_url *url);

/* ---- onion.c ---- */

/* "<56 base32 characters>.onion", version 3, right checksum. spec: transports.md#62-dialling */
bool hy_onion_is_valid(const char *host);
/* "<base32 of 32 bytes>.b32.i2p" or a name under .i2p. spec: transports.md#53-i2p */
bool hy_i2p_is_valid(const char *host);

#endif
