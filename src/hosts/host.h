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
#include <sys/types.h>

#define HY_HOST_KEY_BYTES  1280
#define HY_HOST_NAME_BYTES 1024
#define HY_MAX_LISTEN      64
#define HY_OWN_VOTES       20 /* spec: network.md 4.4, wire.md 5.3 */
#define HY_RETRY_MS        60000U
#define HY_RETRY_DOUBLINGS 6U /* 1, 2, 4 .. 64 min: network.md 10 */

#define HY_WHITE_FAILURES 3U           /* a white host is given up after so many in a row ... */
#define HY_WHITE_LOST_S   (7 * 86400U) /* ... and so long without success: network.md 10 */
#define HY_MAX_CONTESTS   10
#define HY_WAIT_MS        (3600U * 1000) /* between probes of one that white has no place for */
#define HY_MAX_ANCHORS    2
#define HY_MAX_TOLD_MOVES 8192 /* list moves in one turn that an observer hears of */

#define HY_COLOUR_NONE HYPHA_COLOURS

/* A group that told us of hosts. Counted by them. */
struct hy_source_group {
    UT_hash_handle hh;
    size_t hosts;
    uint64_t hash; /* hy_book_hash() of the name */
    char name[];
};

struct hy_host {
    UT_hash_handle hh;
    struct hypha_url *url;                /* as listed; NULL while it was never in a list */
    struct hypha_url *source;             /* who told us of it; NULL: the file, or nobody */
    struct hy_source_group *source_group; /* whose group; NULL: nobody's, or not known */
    enum hypha_colour colour;             /* HY_COLOUR_NONE: in no list */
    uint64_t last_seen;                   /* UNIX seconds, while listed */
    uint64_t order;          /* book.c: ties of last_seen keep their order of arrival */
    struct hy_host **cell;   /* book.c: where it lies; NULL: not grey or white, or gold outside */
    uint64_t group, address; /* hy_book_hash() of its group and its key, once there is a url */
    uint64_t listed_s, success_s; /* UNIX; in a list since; last handshake that we dialled */

    bool is_shareable, is_local; /* of url, once there is one */
    /* What the settings say, as of hosts->judgements; pick.c. */
    uint64_t judgement;
    bool is_routable, is_direct_ipv6, is_own;

    enum hy_host_state state;
    bool registered;   /* else absent from the registry: any state may come */
    uint64_t since_ms; /* monotonic; when it became Free */

    bool tried, picked;           /* picked: an outbound slot dials it or is connected to it */
    uint64_t tried_ms;            /* the last Connect */
    uint64_t connected_ms;        /* the last Connected */
    unsigned failures;            /* in a row, also of former runs */
    uint64_t barred_ms, retry_ms; /* after a failure of this run: not before; rather not before */
    uint64_t waits_until_ms;      /* grey, answers, no place among white: no probe before */
    LIST_ENTRY(hy_host) pick_entry;
    TAILQ_ENTRY(hy_host) suspend_entry, idle_entry;

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

/* A grey host that answers, and the older white one whose cell it gets if that one does not. */
struct hy_contest {
    struct hy_host *old, *newcomer;
};

struct hy_told_move {
    STAILQ_ENTRY(hy_told_move) entry;
    struct hypha_url *url;
    enum hypha_colour colour;
};

/* A whole network group that is banned. */
struct hy_group_ban {
    UT_hash_handle hh; /* by name; the oldest first */
    uint64_t until_ms;
    char name[];
};

/* What a host did that is no ban by itself; forgotten with time. */
struct hy_score {
    UT_hash_handle hh; /* by the host's name; in the order of their last offence */
    uint64_t milli, since_ms;
    char name[];
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
    struct hy_source_group *source_groups;
    struct hy_configured *configured;
    uint64_t judgements; /* settings and own addresses so far: which host->judgement still holds */

    LIST_HEAD(, hy_host) picked;
    TAILQ_HEAD(hy_suspended_list, hy_host) suspended; /* the longest first */
    TAILQ_HEAD(hy_idle_list, hy_host) idle;           /* registered and Free, the longest first */
    size_t registered;
    struct hy_contest contests[HY_MAX_CONTESTS];
    size_t contest_count;
    struct hy_host *anchors[HY_MAX_ANCHORS]; /* of the former run, not dialled yet */
    size_t anchor_count;
    uint64_t none_untried_until_ms; /* hy_hosts_has_untried() is false up to then */

    hy_hosts_observer_cb observer;
    void *observer_user;
    STAILQ_HEAD(, hy_told_move) moves;
    size_t move_count;

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

    struct hy_group_ban *group_bans;
    struct hy_score *scores;
    struct hy_timer save_bans;
    bool bans_changed; /* since they were saved */
    bool bans_unread;  /* the file may hold some that we don't know */

    uint8_t reply_secret[HY_HASH_KEY_BYTES]; /* reply.c: which part of a list is told whom */
    uint64_t reply_until_ms;                 /* 0: there is none yet */

    uint64_t mark;
    bool file_merged;  /* hostlist.c: the file holds nothing that the lists lack */
    bool secret_saved; /* the book's secret is in its file, or that one is not to be touched */
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
/* The same for all of an IPv6 /64, whose first address stands for it. False: no IPv6 literal. */
bool hy_host_key_block(const struct hypha_url *url, struct hy_host_key *ret_key);
/* Who is one subscriber: as hy_host_name(), but the first address of an IPv6 /64. */
const char *hy_host_block(const struct hypha_url *url, char into[HY_HOST_NAME_BYTES]);
/* The host alone: lower case, an IP in its normal form. "" if there is none or it is too long. */
const char *hy_host_name(const struct hypha_url *url, char into[HY_HOST_NAME_BYTES]);
/* The URL by which a host is listed, dialled and announced. Errors: NOMEM, URL. */
enum hypha_err hy_host_url(const struct hypha_url *url, struct hypha_url **ret_url);
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
/* Put into a list, out of the one it was in. Whoever the list has no place for is in none
 * afterwards; maybe the host itself, but one that has no place among white is grey, if it may, and
 * the one in its way will be tested. Errors: NOMEM: nothing changed. */
enum hypha_err hy_hosts_list(struct hy_hosts *hosts, struct hy_host *host,
    const struct hypha_url *url, enum hypha_colour colour, uint64_t last_seen);
/* Out of the list it is in, if any. A suspended one has nobody left to refine it: Free. */
void hy_hosts_unlist(struct hy_hosts *hosts, struct hy_host *host);
void hy_hosts_changed(struct hy_hosts *hosts, enum hy_hosts_change change, size_t count);
/* HY_ROLE_... bits. */
unsigned hy_hosts_roles(const struct hy_hosts *hosts, const char *key);
/* Grey, white or gold: may be dialled. */
bool hy_colour_is_dialled(enum hypha_colour colour);
/* Who told of a host decides where it may lie, so say it before it is listed.
 * Errors: NOMEM: nothing changed. */
enum hypha_err hy_host_set_source_group(
    struct hy_hosts *hosts, struct hy_host *host, const char *name);
/* What was judged by settings or own addresses is to be judged again. */
void hy_hosts_judge_again(struct hy_hosts *hosts);
/* The book's hashes under another secret, while nobody is in its cells. */
void hy_hosts_set_secret(struct hy_hosts *hosts, const uint8_t secret[HY_HASH_KEY_BYTES]);

/* ---- registry.c ---- */

/* Without asking; notes the time. */
void hy_hosts_enter(struct hy_hosts *hosts, struct hy_host *host, enum hy_host_state state);
/* A failed dial or handshake: not again too soon. */
void hy_hosts_failed(struct hy_hosts *hosts, struct hy_host *host);
/* A handshake with whom we dialled wipes that slate. */
void hy_hosts_succeeded(struct hy_hosts *hosts, struct hy_host *host);

/* ---- contest.c: test before displacing ---- */

/* `newcomer` answers and finds no place among white: who is in its way shall be tested. */
void hy_contest_open(struct hy_hosts *hosts, struct hy_host *newcomer);
/* The host has been moved, or was seen where it is: contests in which it stands are decided. */
void hy_contest_settle(struct hy_hosts *hosts, struct hy_host *host);

/* ---- file.c ---- */

#define HY_PATH_BYTES 4096
/* Log and return what errno says of `path`. */
enum hypha_err hy_file_failed(const struct hy_hosts *hosts, const char *doing, const char *path);
/* Every folder above `path`. Errors: IO, ACCESS. */
enum hypha_err hy_file_make_folders(const struct hy_hosts *hosts, const char *path);
/* All of the bytes, on the disk, as PATH.tmp. mode 0: that of PATH, 0600 if there is none.
 * Errors: IO, ACCESS: PATH.tmp is gone. */
enum hypha_err hy_file_write_beside(
    const struct hy_hosts *hosts, const char *path, mode_t mode, struct hypha_span bytes);
void hy_file_discard(const char *path);
/* PATH.tmp becomes PATH. Errors: IO, ACCESS: PATH.tmp is gone, PATH untouched. */
enum hypha_err hy_file_put(const struct hy_hosts *hosts, const char *path);

/* All of a file up to the limit. whole: there is no more. Errors: NOMEM, IO, ACCESS. */
enum hypha_err hy_file_read(const struct hy_hosts *hosts, const char *path, int fd,
    size_t max_bytes, struct hypha_writer *bytes, bool *ret_whole);
/* Off the front of what is not empty; without its end. */
struct hypha_span hy_file_take_line(struct hypha_span *rest);
/* False: there is none left. */
bool hy_file_take_column(struct hypha_span *line, struct hypha_span *ret_column);
bool hy_file_parse_u64(struct hypha_span text, uint64_t *ret_value);

/* ---- book_file.c: HOSTLIST.book ---- */

struct hy_book_file {
    uint8_t secret[HY_HASH_KEY_BYTES];
    bool has_secret;
    bool is_missing; /* or damaged: may be written anew */
    struct hypha_url *anchors[HY_MAX_ANCHORS];
    size_t anchor_count;
};
/* What can be read of it; never fails. */
void hy_book_file_read(const struct hy_hosts *hosts, struct hy_book_file *ret_file);
void hy_book_file_fini(struct hy_book_file *file);
/* The secret, and anchors if there are any. Errors: IO, ACCESS. */
enum hypha_err hy_book_file_write(
    struct hy_hosts *hosts, struct hy_host *const *anchors, size_t count);

/* ---- observer.c ---- */

/* The host is in another list now, or in none. */
void hy_hosts_note_move(struct hy_hosts *hosts, const struct hy_host *host);
void hy_hosts_tell_moves(struct hy_hosts *hosts);

/* ---- ban.c ---- */

void hy_bans_init(struct hy_hosts *hosts);
void hy_bans_fini(struct hy_hosts *hosts);
/* They will be saved soon. */
void hy_bans_changed(struct hy_hosts *hosts);
bool hy_host_is_black(const struct hy_hosts *hosts, const struct hy_host *host);
/* Blacken a record. Errors: NOMEM: nothing changed. */
enum hypha_err hy_hosts_blacken(struct hy_hosts *hosts, struct hy_host *host,
    const struct hypha_url *url, uint64_t seconds, enum hypha_err why);
/* Bans that are over. */
void hy_hosts_expire_bans(struct hy_hosts *hosts);

/* ---- ban_group.c ---- */

/* One of a banned group, and neither configured nor known as good. */
bool hy_group_is_banned(const struct hy_hosts *hosts, const struct hypha_url *url);
/* A peer was banned: so is its whole group if it was the third. */
void hy_group_judge(struct hy_hosts *hosts, const struct hypha_url *url);
/* By name. Errors: NOMEM. */
enum hypha_err hy_group_ban(struct hy_hosts *hosts, const char *name, uint64_t seconds);
/* The group of that host. False: it was not banned. */
bool hy_group_unban(struct hy_hosts *hosts, const struct hypha_url *url);
void hy_groups_expire(struct hy_hosts *hosts);
void hy_groups_fini(struct hy_hosts *hosts);

/* ---- ban_score.c ---- */

void hy_score_forget(struct hy_hosts *hosts, const struct hypha_url *url);
void hy_scores_fini(struct hy_hosts *hosts);

/* ---- filter.c ---- */

/* Steps 1 to 6 of network.md 4.4; HY_VERDICT_GREY: passed. */
enum hy_hosts_verdict hy_hosts_judge(struct hy_hosts *hosts, const struct hypha_url *url);

/* ---- onion.c ---- */

/* "<56 base32 characters>.onion", version 3, right checksum. spec: transports.md#62-dialling */
bool hy_onion_is_valid(const char *host);
/* "<base32 of 32 bytes>.b32.i2p" or a name under .i2p. spec: transports.md#53-i2p */
bool hy_i2p_is_valid(const char *host);

#endif
