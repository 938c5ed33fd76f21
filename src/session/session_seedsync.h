/* session/session_seedsync.h - a slot per seed: connect, swap addresses, disconnect.
 *
 *   state      event                      next
 *   IDLE       wake, host free            DIALLING
 *   DIALLING   transport up               HANDSHAKE
 *   DIALLING   failed                     IDLE       warned of
 *   HANDSHAKE  version exchanged          ASKING     registered; the seed protocol asks
 *   HANDSHAKE  channel stopped            IDLE       warned of
 *   ASKING     the answer came            CLOSING    channel stopped
 *   ASKING     channel stopped            IDLE       warned of; 30 s without an answer, too:
 *                                                    the seed protocol's own limit
 *   CLOSING    channel stopped            IDLE
 *   any        stop                       IDLE, if need be by way of CLOSING
 *
 * Wake-ups during a run are lost. spec: network.md#76-seedsync */
#ifndef HY_SESSION_SEEDSYNC_H
#define HY_SESSION_SEEDSYNC_H

#include "session/session.h"

/* A cause that stays is told again after this time. */
#define HY_SEED_WARN_MS 60000U

/* idle_cb: the last running slot has ended; comes after each wake that began a run. Errors: NOMEM.
 */
enum hypha_err hy_session_seedsync_create(struct hy_net *net, void (*idle_cb)(void *user),
    void *user, struct hy_session_seedsync **ret_session);
/* Arm the slots; dials nothing. */
void hy_session_seedsync_start(struct hy_session_seedsync *session);
void hy_session_seedsync_stop(
    struct hy_session_seedsync *session, hy_session_stopped_cb on_stopped, void *user);
void hy_session_seedsync_destroy(struct hy_session_seedsync *session);

/* Wake up to `most` idle slots, drawn at random, whatever the back-off says. Returns how many slots
 * run now. */
size_t hy_session_seedsync_wake(struct hy_session_seedsync *session, size_t most);
/* wait_ms: until discovery may ask them again. */
void hy_session_seedsync_each(const struct hy_session_seedsync *session, uint64_t wait_ms,
    void (*each)(const struct hypha_slot_info *slot, void *user), void *user);

/* A reload, in two steps: prepare may fail and changes nothing that shows; once the node's settings
 * have changed, commit (or, if they have not, abandon) follows. Seeds that are none any more lose
 * their channels at the end of the turn. Errors: NOMEM. commit: true if there are new ones. */
enum hypha_err hy_session_seedsync_prepare(
    struct hy_session_seedsync *session, const struct hy_url_array *seeds);
void hy_session_seedsync_abandon(struct hy_session_seedsync *session);
bool hy_session_seedsync_commit(struct hy_session_seedsync *session);

/* The seed protocol got its answer on this channel. */
void hy_session_seedsync_seeded(
    struct hy_session_seedsync *session, struct hypha_channel *channel, size_t inserted);

#endif
