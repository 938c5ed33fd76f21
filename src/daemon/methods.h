/* daemon/methods.h - the JSON-RPC methods that every daemon has, as tables.
 *
 *   methods.c         the daemon: ping, rpc.discover, daemon.stop, net.reload, p2p.get_info
 *   methods_net.c     what the node is told to do: connect, ban, seed...
 *   methods_hosts.c   whom it knows: hosts.list
 *   methods_stats.c   what it does, and why: net.stats, net.why
 *   dnet.c            its events
 *
 * A reply is one line of less than HY_REPLY_BYTES, because readers in the wild take no more
 * than 64 KiB. spec: apps.md 2.5, 6.2 */
#ifndef HY_DAEMON_METHODS_H
#define HY_DAEMON_METHODS_H

#include "daemon/args.h"
#include <hypha/p2p.h>

#define HY_REPLY_BYTES 60000U
/* Of the line, what is around a result. */
#define HY_REPLY_FRAME_BYTES 100U

struct hy_method {
    const char *name;
    void (*run)(struct hy_args *args); /* answers the call */
    unsigned take;                     /* enum hy_args_take */
    size_t max;                        /* arguments */
    const char *usage;
};

struct hy_method_table {
    const struct hy_method *methods;
    size_t count;
};
extern const struct hy_method_table hy_methods_net, hy_methods_hosts, hy_methods_stats,
    hy_methods_dnet;

#define HY_DAEMON_MAX_METHODS 32
struct hy_bound_method {
    struct hy_daemon *daemon;
    const struct hy_method *method;
};

/* A hy_rpc_method_cb; user: the bound method. */
void hy_daemon_call(struct hy_rpc_call *call, const json_t *params, void *user);
/* All of them. Errors: NOMEM, EXISTS. */
enum hypha_err hy_daemon_add_methods(struct hy_daemon *daemon);

/* ---- replies within their bounds ---- */

/* A list that ends when its bytes are used up. */
struct hy_reply_list {
    json_t *array;
    size_t room; /* bytes that are left */
    bool cut;    /* something did not fit, and nothing came after it */
    bool failed; /* no memory */
};
void hy_reply_list_init(struct hy_reply_list *list, size_t room);
/* item: taken over; NULL: no memory. False: it did not get in. */
bool hy_reply_list_add(struct hy_reply_list *list, json_t *item);
/* Compact, in bytes. */
size_t hy_json_size(const json_t *value);
/* Put both under their keys and drop what the list holds. False: no memory. */
bool hy_reply_put_list(json_t *object, const char *name, struct hy_reply_list *list);
/* The text, or null for NULL. */
json_t *hy_json_url(const struct hypha_url *url);
json_t *hy_json_text(const char *text);
json_t *hy_json_number(uint64_t number);
/* Make it valid UTF-8, in place, if it isn't: what a file is called may be anything. */
void hy_json_make_text(char *text);
/* Sizes of all lists by colour. NULL: no memory. */
json_t *hy_json_host_counts(const struct hypha_p2p *p2p);
const char *hy_list_name(enum hypha_colour colour);

#endif
