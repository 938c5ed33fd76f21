/* view_source.h - the connection to one node: dial, ask, subscribe, again when it breaks.
 *
 * NORMAL: p2p.get_info, dnet.switch [true], dnet.subscribe_events (first [{"all":true,"lag":true}],
 * after an error -32602 []), then net.why and net.stats every second, hosts.list and net.bans every
 * ten, until one of them turns out to be unknown. LILITH: spawns every second. Reconnects 1 s
 * doubling to 30 s apart, jittered. spec: apps.md 6.2, 6.3 */
#ifndef VIEW_SOURCE_H
#define VIEW_SOURCE_H

#include "loop/loop.h"
#include "view/view_model.h"

struct view_source;

/* endpoint: as dchat -e takes it. token: NULL for none. Errors: NOMEM, INVALID with `why`. */
enum hypha_err view_source_create(struct hypha_loop *loop, struct view_model *model,
    struct view_node *node, const char *endpoint, const char *token,
    struct view_source **ret_source, char why[256]);
/* NULL does nothing. */
void view_source_destroy(struct view_source *source);
/* The first answer is there (or the first dial failed): for --once. */
bool view_source_is_settled(const struct view_source *source);

#endif
