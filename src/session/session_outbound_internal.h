/* session/session_outbound_internal.h - the outbound session's insides, for its three files:
 *
 *   session_outbound.c            a slot: its actions, and the events that come of them
 *   session_outbound_discovery.c  where hosts come from when no slot finds any
 *   session_outbound_life.c       start, stop, more or fewer slots; what people see
 */
#ifndef HY_SESSION_OUTBOUND_INTERNAL_H
#define HY_SESSION_OUTBOUND_INTERNAL_H

#include "channel/connector.h"
#include "session/discovery.h"
#include "session/session_outbound.h"
#include "session/slot_record.h"

/* Stays where it is as long as it lives: timers, connector and channel point into it. */
struct hy_outbound_slot {
    struct hy_session_outbound *session;
    uint32_t number; /* in events, for its life */
    enum hy_slot_state state;
    struct hy_connector connector;
    struct hypha_url *url;         /* from the pick on */
    struct hypha_channel *channel; /* a reference, from HANDSHAKE on */
    struct hy_membership membership;
    uint64_t connected_ms;
    enum hypha_err err; /* why the last try ended */
    struct hy_slot_record record;
    struct hy_timer pause;
    TAILQ_ENTRY(hy_outbound_slot) entry; /* in `leaving` */
};

TAILQ_HEAD(hy_outbound_slots, hy_outbound_slot);

struct hy_session_outbound {
    struct hy_net *net;
    struct hy_outbound_hooks hooks;
    struct hy_outbound_slot **slots; /* by number; a slot's place says whom it prefers */
    uint32_t slot_count;
    struct hy_outbound_slot **grown; /* of a reload under way: all slots, new ones included */
    uint32_t grown_count;
    struct hy_outbound_slots leaving; /* removed by a reload: freed once they have stopped */
    uint32_t running;                 /* slots that are not STOPPED, leaving ones included */
    bool started;
    bool watching; /* the host lists; discovery runs */
    bool waking;   /* inside hy_outbound_wake() */
    struct hy_discovery discovery;
    struct hy_timer discovery_timer;
    struct hy_hosts_watch watch;
    struct hy_defer settle, done;
    hy_session_stopped_cb on_stopped;
    void *user;
};

/* ---- session_outbound.c ---- */

/* Errors: NOMEM. */
enum hypha_err hy_outbound_slot_create(
    struct hy_session_outbound *session, struct hy_outbound_slot **ret_slot);
/* A stopped one. */
void hy_outbound_slot_destroy(struct hy_outbound_slot *slot);
/* It pauses because nobody whom it dialled answers, and nobody else is connected either: new hosts
 * are wanted as if it slept. */
bool hy_outbound_slot_is_at_loss(const struct hy_outbound_slot *slot);
void hy_outbound_slot_feed(struct hy_outbound_slot *slot, enum hy_slot_event event);

/* ---- session_outbound_discovery.c ---- */

void hy_outbound_discover(struct hy_session_outbound *session, enum hy_discovery_event event);
/* Slots that have nothing to dial look again; with `fresh` hosts also those that are at a loss. */
void hy_outbound_wake(struct hy_session_outbound *session, bool fresh);
void hy_outbound_discovery_init(struct hy_session_outbound *session);
/* Watch the lists and find hosts, or leave it, as slots come and go. */
void hy_outbound_watch(struct hy_session_outbound *session, bool watching);

#endif
