/* session/session_outbound.h - a number of slots, each of which keeps one peer.
 *
 * slot.h says what a slot does, discovery.h where hosts come from when none is left to dial;
 * this file does their actions. A sleeping slot is woken by any change of the host lists.
 * spec: network.md#74-outbound, network.md#75-peerdiscovery */
#ifndef HY_SESSION_OUTBOUND_H
#define HY_SESSION_OUTBOUND_H

#include "session/session.h"
#include "session/slot.h"

/* What discovery needs from its node. */
struct hy_outbound_hooks {
    void *user;
    /* Send getaddr to all peers; how many it went to. */
    size_t (*ask_peers)(void *user);
    /* Wake some seed slots; how many began. The end of the round comes by
     * hy_session_outbound_seeded(). */
    size_t (*seed)(void *user);
    /* Text for a log line: who told us of this host; NULL if that is not known. May be NULL. */
    const char *(*source)(void *user, const struct hypha_url *url);
};

/* Errors: NOMEM. */
enum hypha_err hy_session_outbound_create(struct hy_net *net, const struct hy_outbound_hooks *hooks,
    struct hy_session_outbound **ret_session);
void hy_session_outbound_start(struct hy_session_outbound *session);
void hy_session_outbound_stop(
    struct hy_session_outbound *session, hy_session_stopped_cb on_stopped, void *user);
void hy_session_outbound_destroy(struct hy_session_outbound *session);

/* A reload, in two steps: prepare may fail and changes nothing that shows; once the node's settings
 * have changed, commit (or, if they have not, abandon) follows. Slots start and stop at the end of
 * the turn; those that are empty go first, then from index 0. Errors: NOMEM. */
enum hypha_err hy_session_outbound_prepare(struct hy_session_outbound *session, uint32_t count);
void hy_session_outbound_abandon(struct hy_session_outbound *session);
void hy_session_outbound_commit(struct hy_session_outbound *session);
/* There are seeds that were never asked: the back-off is not theirs. */
void hy_session_outbound_new_seeds(struct hy_session_outbound *session);

/* Every seed slot has ended its run. */
void hy_session_outbound_seeded(struct hy_session_outbound *session);
/* A peer of any session was registered. */
void hy_session_outbound_peer(struct hy_session_outbound *session);

size_t hy_session_outbound_slot_count(const struct hy_session_outbound *session);
/* By place, not by number. The channel's id; 0: empty or still shaking hands. */
uint32_t hy_session_outbound_slot_channel(const struct hy_session_outbound *session, size_t slot);
enum hy_slot_state hy_session_outbound_slot_state(
    const struct hy_session_outbound *session, size_t slot);
void hy_session_outbound_each(const struct hy_session_outbound *session,
    void (*each)(const struct hypha_slot_info *slot, void *user), void *user);
/* All but the counts of rounds. */
void hy_session_outbound_discovery_info(
    const struct hy_session_outbound *session, struct hypha_discovery_info *ret_info);

#endif
