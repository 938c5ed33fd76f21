/* hosts/hosts.h - who is known, in which colour, and what is being done with them.
 *
 * The registry holds a lifecycle state per URL (network.md 4.1); the container has five lists
 * of (URL, last_seen) (4.2). Both are keyed by hy_url_canonical(). Every transition is tested
 * and set in one step; a refused one is HOST_BLOCKED and changes nothing.
 *
 * Threads: the loop's thread. */
#ifndef HY_HOSTS_HOSTS_H
#define HY_HOSTS_HOSTS_H

#include "base/log.h"
#include "loop/loop.h"
#include "settings/settings.h"
#include "url/url.h"
#include "wire/message.h"
#include <hypha/channel.h>
#include <hypha/p2p.h>

enum hy_host_state {
    HY_HOST_FREE,
    HY_HOST_INSERT,
    HY_HOST_REFINE,
    HY_HOST_CONNECT,
    HY_HOST_CONNECTED,
    HY_HOST_MOVE,
    HY_HOST_SUSPEND,
    HY_HOST_STATES,
};
const char *hy_host_state_name(enum hy_host_state state);
/* The table of network.md 4.1, pure. */
bool hy_host_state_may(enum hy_host_state from, enum hy_host_state to);

struct hy_hosts;

/* What changed, so that sleeping slots and discovery can wake: never from inside the call that
 * changed it. */
enum hy_hosts_change {
    HY_HOSTS_INSERTED, /* count > 0 received addresses became grey */
    HY_HOSTS_PROMOTED, /* one became white or gold */
    HY_HOSTS_FREED,    /* one became Free (or left Suspend) */
};
struct hy_hosts_watch {
    void (*cb)(void *user, enum hy_hosts_change change, size_t count);
    void *user;
    TAILQ_ENTRY(hy_hosts_watch) entry;
};

/* loop, settings: borrowed; settings may be swapped by hy_hosts_set_settings() at start.
 * Errors: NOMEM. */
enum hypha_err hy_hosts_create(struct hypha_loop *loop, const struct hy_resolved_settings *settings,
    struct hy_hosts **ret_hosts);
void hy_hosts_destroy(struct hy_hosts *hosts);
/* Others from now on, borrowed; new seeds, peers and blacklisted ones leave the lists.
 * Errors: NOMEM: nothing changed. */
enum hypha_err hy_hosts_set_settings(
    struct hy_hosts *hosts, const struct hy_resolved_settings *settings);
void hy_hosts_watch(struct hy_hosts *hosts, struct hy_hosts_watch *watch);
void hy_hosts_unwatch(struct hy_hosts *hosts, struct hy_hosts_watch *watch);

/* Every move between lists, told at the end of the turn in which it happened, in order; colour
 * HYPHA_COLOURS: in no list any more. NULL: nobody looks, and it costs nothing. Past
 * HY_MAX_TOLD_MOVES in a turn, and without memory, some are left out. */
typedef void (*hy_hosts_observer_cb)(
    void *user, const struct hypha_url *url, enum hypha_colour colour);
/* "grey", "white" ... as the hostlist has them; "none" for HYPHA_COLOURS. Static. */
const char *hy_colour_name(enum hypha_colour colour);
void hy_hosts_set_observer(struct hy_hosts *hosts, hy_hosts_observer_cb cb, void *user);

/* ---- registry ---- */

/* Errors: HOST_BLOCKED, NOMEM, LIMIT (longer than any address that can be dialled). */
enum hypha_err hy_hosts_set(
    struct hy_hosts *hosts, const struct hypha_url *url, enum hy_host_state state);
/* To Free, from any state. Cannot fail. */
void hy_hosts_free(struct hy_hosts *hosts, const struct hypha_url *url);
enum hy_host_state hy_hosts_state(const struct hy_hosts *hosts, const struct hypha_url *url);
/* Every refinery tick: old and surplus Free entries go (network.md 4.1). */
void hy_hosts_prune(struct hy_hosts *hosts);
/* All Suspend to Free (refinery paused while offline). */
void hy_hosts_unsuspend(struct hy_hosts *hosts);
/* Entries that are neither absent nor Free nor Suspend: 0 after a complete stop. */
size_t hy_hosts_busy_count(const struct hy_hosts *hosts);

/* ---- lists ---- */

bool hy_hosts_find(const struct hy_hosts *hosts, const struct hypha_url *url,
    enum hypha_colour *ret_colour, uint64_t *ret_last_seen);
/* The `source` with which it was received; NULL if that is not known. Borrowed. */
const struct hypha_url *hy_hosts_source(const struct hy_hosts *hosts, const struct hypha_url *url);
size_t hy_hosts_count(const struct hy_hosts *hosts, enum hypha_colour colour);
void hy_hosts_each(const struct hy_hosts *hosts, enum hypha_colour colour,
    void (*each)(const struct hypha_url *url, uint64_t last_seen, void *user), void *user);

/* To another list through state Move, then `after` (Free, Connected, Suspend...). Rules of
 * network.md 4.2 and 4.3: gold and white get "now", grey keeps its time. In any state of the host
 * that may Move.
 * To grey comes only who is listed; seeds and peers come nowhere; of those the state alone changes.
 * A white host stays white on its way to grey and Suspend (a failed dial) until that was the third
 * failure in a row and a week after the last success (network.md 10). To white: see
 * hy_hosts_list(); who finds no place stays grey until the one in its way was tested. Suspend
 * becomes Free for a host that is not on grey afterwards. Errors, nothing changed: HOST_BLOCKED,
 * NOMEM, LIMIT, BANNED (to white or gold), INVALID (to dark). */
enum hypha_err hy_hosts_move(struct hy_hosts *hosts, const struct hypha_url *url,
    enum hypha_colour colour, enum hy_host_state after);
/* Out of grey, white, gold and dark. */
void hy_hosts_remove(struct hy_hosts *hosts, const struct hypha_url *url);

/* Filter (network.md 4.4, wire.md 5.5) and store on grey (or dark) what a peer announced.
 *  source  the channel's address: its group decides where they may lie; may be NULL
 *  ret_inserted  how many became grey; may be NULL
 *  Errors: NOMEM (what came before is kept). */
enum hypha_err hy_hosts_receive(struct hy_hosts *hosts, const struct hy_addr *addr,
    const struct hypha_url *source, size_t *ret_inserted);
/* The same for one, with the list it went to or the reason why not, for tests and logs. */
enum hy_hosts_verdict {
    HY_VERDICT_GREY,
    HY_VERDICT_DARK,
    HY_VERDICT_NO_HOST_PORT,
    HY_VERDICT_CONFIGURED,
    HY_VERDICT_BANNED,
    HY_VERDICT_OWN,
    HY_VERDICT_LOCAL,
    HY_VERDICT_SCHEME,
    HY_VERDICT_KNOWN,
    HY_VERDICT_NOMEM,
    HY_VERDICT_TOO_OLD,
    HY_VERDICT_NO_PLACE, /* its cells hold better ones */
    HY_VERDICTS,
};
enum hy_hosts_verdict hy_hosts_receive_one(
    struct hy_hosts *hosts, struct hypha_url *url, uint64_t last_seen);
const char *hy_hosts_verdict_text(enum hy_hosts_verdict verdict);
/* Dark entries not seen for a day go; done at each dark insert, reply and load. */
void hy_hosts_age_dark(struct hy_hosts *hosts);

/* The answer to a getaddr: samples in the order of wire.md 5.5 with the improvements of section
 * 8 (max capped, no duplicates, not the requester's own addresses, shuffled, only shareable, no
 * userinfo/query). Of a list of more than HY_REPLY_SMALL one network group is told the same for a
 * day, and never more than 23 % (network.md 10); a small one is told as a whole, by and by, as
 * young networks live on it. Entries are references, the caller's, freed by hy_reply_fini(). */
#define HY_REPLY_SMALL   256
#define HY_REPLY_PERCENT 23
struct hy_reply {
    struct hypha_url *urls[HY_ADDR_MAX_ENTRIES];
    uint64_t last_seen[HY_ADDR_MAX_ENTRIES];
    size_t count;
};
/* asker  the address that it comes from; NULL: nobody in particular */
void hy_hosts_reply(struct hy_hosts *hosts, const struct hy_getaddr *request,
    const struct hypha_url *asker, const struct hypha_url *const *not_these, size_t not_count,
    struct hy_reply *ret_reply);
void hy_reply_fini(struct hy_reply *reply);

/* ---- selection ---- */

/* For outbound slot `slot` of `slots`: a dialable host, now Connect (network.md 7.4). Anchors
 * first; then one of a network group in which no outbound slot has a host; every group is as
 * likely as the others, so that many addresses in one gain nothing. Until it is Free again the
 * host counts as that slot's. NOT_FOUND if there is none. `ret_url`: a reference. */
enum hypha_err hy_hosts_pick(
    struct hy_hosts *hosts, uint32_t slot, uint32_t slots, struct hypha_url **ret_url);
/* Is there a dialable Free host not tried in the last 60 s? (network.md 7.5) One that failed twice
 * in a row is none to wait for. */
bool hy_hosts_has_untried(const struct hy_hosts *hosts);
/* For the refinery: a dialable grey host, Suspended ones first, now Refine. NOT_FOUND. */
enum hypha_err hy_hosts_pick_refine(struct hy_hosts *hosts, struct hypha_url **ret_url);
/* For a feeler: a white host whose cell another one waits for, else as for the refinery. */
enum hypha_err hy_hosts_pick_feeler(struct hy_hosts *hosts, struct hypha_url **ret_url);
/* For a seed's white list: a dialable white host, now Refine: the one seen longest ago; `likely`:
 * one that may well answer. NOT_FOUND. */
enum hypha_err hy_hosts_pick_white(struct hy_hosts *hosts, bool likely, struct hypha_url **ret_url);

/* ---- network groups (network.md 10) ---- */

/* IPv4 /16, IPv6 /32, the whole name, 4 bits of an onion or i2p key; on localnet host:port. Cut to
 * fit. Returns `into`. */
#define HY_HOST_GROUP_BYTES 128
const char *hy_host_group(
    const struct hypha_url *url, bool localnet, char into[HY_HOST_GROUP_BYTES]);

/* ---- bans (network.md 4.7, 10) ---- */

/* Exact, or without port: all ports of scheme and host (of the IPv6 /64 if the entry is its first
 * address); or its whole group. */
bool hy_hosts_is_banned(const struct hy_hosts *hosts, const struct hypha_url *url);
/* Ban the peer of a channel by its session's scope (who came in by IPv6, with its /64, which is one
 * subscriber's); local addresses only with localnet. The third
 * host of one network (IPv4 /16, IPv6 /32; never on localnet) bans the network, unless all that
 * is wrong with it is that it is no node of ours (MAGIC, VERSION).
 * Returns true if something was recorded. */
bool hy_hosts_ban_peer(struct hy_hosts *hosts, const struct hypha_url *address,
    enum hypha_session session, enum hypha_err why);
/* Errors: NOMEM. seconds 0: HY_BAN_SECONDS. */
#define HY_BAN_SECONDS 86400U
enum hypha_err hy_hosts_ban(
    struct hy_hosts *hosts, const struct hypha_url *url, uint64_t seconds, enum hypha_err why);
/* The exact one, the one for all its ports, that of its group, and its score. True if there was a
 * ban. */
bool hy_hosts_unban(struct hy_hosts *hosts, const struct hypha_url *url);
/* It is in the configured blacklist. */
bool hy_hosts_is_blacklisted(const struct hy_hosts *hosts, const struct hypha_url *url);
/* Would a ban of this URL hold for that address? */
bool hy_hosts_ban_covers(const struct hypha_url *ban, const struct hypha_url *address);
/* What is left of a ban of exactly this URL, and why; false: none. The configured blacklist is
 * not asked. */
bool hy_hosts_ban_info(const struct hy_hosts *hosts, const struct hypha_url *url,
    uint64_t *ret_seconds_left, enum hypha_err *ret_why);
/* The configured ones, those of hosts, those of groups. */
void hy_hosts_each_ban(const struct hy_hosts *hosts,
    void (*each)(const struct hypha_ban *ban, void *user), void *user);
/* The peer did what alone is no reason for a ban: thousandths of a point. True: with what it did
 * before it is one now (HY_BAN_SCORE points, of which one is forgotten in 5 s); the score is then 0
 * again. Never for local addresses, unless localnet. */
#define HY_BAN_SCORE 100U
bool hy_hosts_offend(struct hy_hosts *hosts, const struct hypha_url *address, uint64_t milli);
/* HOSTLIST.bans, if there is a hostlist: lines of URL or group, until when (UNIX), and why. Before
 * hy_hosts_load(), as nobody who is banned comes into a list. A damaged line is skipped with a
 * warning. Errors: NOMEM, IO, ACCESS. */
enum hypha_err hy_hosts_load_bans(struct hy_hosts *hosts);
/* If they have changed. By itself 5 s after a change; at a stop by whoever stops, so that nothing
 * waits. Errors: NOMEM, IO, ACCESS: the old file is untouched. */
enum hypha_err hy_hosts_save_bans(struct hy_hosts *hosts);

/* ---- ourselves ---- */

/* Where our listeners are bound: replaces port 0 in external_addrs of that scheme.
 * Errors: LIMIT. */
enum hypha_err hy_hosts_add_listen_addr(struct hy_hosts *hosts, const struct hypha_url *url);
void hy_hosts_clear_listen_addrs(struct hy_hosts *hosts);
/* External addresses as they may be announced now: [::] replaced by the guess or left out,
 * without userinfo, query, fragment. References, the caller's. At most HY_MAX_EXTERNAL. */
#define HY_MAX_EXTERNAL 32
size_t hy_hosts_own_addrs(struct hy_hosts *hosts, struct hypha_url *ret_urls[HY_MAX_EXTERNAL]);
/* One of ours, by the rule for received addresses (network.md 4.4). */
bool hy_hosts_is_own(const struct hy_hosts *hosts, const struct hypha_url *url);
/* A peer that we dialled saw us under this address (its version's connect_recv_addr).
 * One vote per network group of the peer. */
void hy_hosts_guess_own_ip(
    struct hy_hosts *hosts, const struct hypha_url *seen, const struct hypha_url *peer);
/* A direct dial to an IPv6 literal found the network unreachable: undialable for 10 min. */
void hy_hosts_ipv6_unreachable(struct hy_hosts *hosts);
/* May this IP be dialled (resolved names are checked again)? Local ones with localnet, or if a
 * configured peer, seed or proxy is that literal. For hy_ip_filter_cb. */
bool hy_hosts_may_dial_ip(void *hosts, const struct hy_ip *ip);
/* Endpoints exist, and IPv6 is available where needed. */
bool hy_hosts_is_dialable(struct hy_hosts *hosts, const struct hypha_url *url);

/* ---- file (network.md 4.6) ---- */

/* Merge the hostlist file, if one is configured; a missing one is no error, damaged lines are
 * skipped with a warning each (at most 10) and their count. Lines of ours have two more columns,
 * which the reference ignores: the group that told of the host ("-": not known), and how many dials
 * failed in a row. Errors: NOMEM, IO, ACCESS. */
enum hypha_err hy_hosts_load(struct hy_hosts *hosts);
/* Write temporary + fsync + rename, also when empty. A file that was never loaded, or not as a
 * whole, is kept beside it as FILE.bak. Errors: IO, ACCESS, NOMEM: the old file is untouched. */
enum hypha_err hy_hosts_save(struct hy_hosts *hosts);
/* At stop, before the channels go: note the two outbound peers that were connected longest in
 * HOSTLIST.book, mode 0600; the next load has them dialled first, and forgets the note.
 * Errors: IO, ACCESS, NOMEM. */
enum hypha_err hy_hosts_save_anchors(struct hy_hosts *hosts);

#endif
