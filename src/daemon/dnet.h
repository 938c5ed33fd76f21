/* daemon/dnet.h - one node's events for the clients that asked for them.
 *
 * Events are built while somebody has switched them on (counted by client: one that leaves takes
 * its switch with it) and somebody has subscribed; else the node is not asked for any and pays
 * nothing. What goes to many is encoded once. spec: apps.md 6.1, network.md 9 */
#ifndef HY_DAEMON_DNET_H
#define HY_DAEMON_DNET_H

#include "rpc/server.h"
#include <hypha/events.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/queue.h>

struct hy_daemon_node;
struct hy_dnet_client;
struct hy_dnet_listener;
LIST_HEAD(hy_dnet_clients, hy_dnet_client);
LIST_HEAD(hy_dnet_listeners, hy_dnet_listener);

struct hy_dnet {
    struct hy_daemon_node *node;
    struct hy_dnet_clients switched;
    struct hy_dnet_listeners listeners;
    size_t all_count, classic_count; /* of listeners */
    uint64_t mask;                   /* what the node is asked for; 0: not subscribed */
};

void hy_dnet_init(struct hy_dnet *dnet, struct hy_daemon_node *node);
/* After the RPC server has stopped, before the node is destroyed. */
void hy_dnet_fini(struct hy_dnet *dnet);
void hy_dnet_client_gone(struct hy_dnet *dnet, uint64_t id);

/* {"event":NAME,"info":{...}}: the pure half.
 *  all      also hypha's own fields, and `network` if it is not NULL
 * NULL: no memory. */
json_t *hy_dnet_event_json(const struct hypha_event *event, bool all, const char *network);
/* Known to the reference's viewer. */
bool hy_dnet_is_classic(enum hypha_event_type type);

#endif
