/* session/session_refine.h - shake hands with grey hosts: who answers becomes white, who does
 * not is forgotten.
 *
 * Every greylist_refinery_interval up to HY_REFINE_PROBES probes run side by side, quarantined
 * hosts first; nothing is probed while the node is offline, else it would forget everybody.
 * A feeler is one probe more, every two minutes on average at times that nobody can foretell: of a
 * white host whose cell in the address book another one waits for, else of a grey one.
 * A seed node (setting probe_announced) also probes what a peer announced of itself at once, and
 * each host of its white list about every six hours; while none of these succeeds it takes nobody
 * off that list. spec: network.md#77-refine, network.md#76-seedsync, network.md 10, apps.md 7.2 */
#ifndef HY_SESSION_REFINE_H
#define HY_SESSION_REFINE_H

#include "session/session.h"

#define HY_REFINE_PROBES    4
#define HY_ANNOUNCED_PROBES 8   /* side by side */
#define HY_WHITE_PROBES     32  /* side by side: slow transports take a minute and more each */
#define HY_ANNOUNCED_MAX    256 /* waiting for their turn; more are left to the interval */
#define HY_WHITE_VISIT_MS   (6U * 3600 * 1000) /* in which a seed visits all of its white list */
#define HY_FEELER_MS        120000U            /* between feelers, on average */

/* probed_cb: the last probe of an announced address has ended. Errors: NOMEM. */
enum hypha_err hy_session_refine_create(struct hy_net *net, void (*probed_cb)(void *user),
    void *user, struct hy_session_refine **ret_session);
void hy_session_refine_start(struct hy_session_refine *session);
void hy_session_refine_stop(
    struct hy_session_refine *session, hy_session_stopped_cb on_stopped, void *user);
void hy_session_refine_destroy(struct hy_session_refine *session);

/* Addresses came from this peer, `inserted` of them new: probe those that it calls its own in its
 * version, and HY_ANNOUNCED_PROBES of the others (no stranger shall make us dial a whole list at
 * once). Does nothing without the setting probe_announced. spec: network.md 7.6 */
void hy_session_refine_announced(
    struct hy_session_refine *session, struct hypha_channel *channel, size_t inserted);
/* Probes of announced addresses that run or wait for their turn. */
size_t hy_session_refine_announced_count(const struct hy_session_refine *session);

/* The intervals have changed: they count from now on. */
void hy_session_refine_rearm(struct hy_session_refine *session);

#endif
