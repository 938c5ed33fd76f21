/* view_source.h - the connection to one node: dial, ask, subscribe, again when it breaks.
 *
 * NORMAL: p2p.get_info, dnet.switch [true], dnet.subscribe_events (first [{"all":true,"lag":true}],
 * after an error -32602 []), then net.why and net.stats every second, hosts.list and net.bans every
 * ten, until one of them turns out to be unknown; to a node that has them not, p2p.get_info again
 * every five, since events tell nothing of manual, seed and refine sessions. LILITH: spawns every
 * second. A node whose kind is open is asked p2p.get_info, then spawns: who answers that is LILITH.
 *
 *   state    event                                    next
 *   WAITING  the time is over                         ASKING   dials
 *   ASKING   the first answers of its kind are there  LIVE     asks again by the clock
 *   ASKING   dial or call fails                       WAITING  1 s, doubling to 30 s, jittered
 *   LIVE     connection ends, a call times out        WAITING
 *
 * spec: apps.md 6.2, 6.3 */
#ifndef VIEW_SOURCE_H
#define VIEW_SOURCE_H

#include "loop/loop.h"
#include "view/view_model.h"

struct view_source;

/* endpoint: as dchat -e takes it. token: NULL for none. Errors: NOMEM, INVALID with `why`. */
enum hypha_err view_source_create(struct hypha_loop *loop, struct view_model *model,
    struct view_node *node, const char *endpoint, const char *token,
    struct view_source **ret_source, char why[256]);
/* Before the first turn of the loop: only ask, switch and subscribe to nothing. For --once. */
void view_source_set_once(struct view_source *source);
/* NULL does nothing. */
void view_source_destroy(struct view_source *source);
/* The first answer is there (or the first dial failed): for --once. */
bool view_source_is_settled(const struct view_source *source);
/* At the end of a session: switch a reference node's events off again, as its own viewer does (a
 * hypha node does it by itself). True: is under way; ask view_source_has_left(). */
bool view_source_leave(struct view_source *source);
bool view_source_has_left(const struct view_source *source);

#endif
