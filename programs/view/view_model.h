/* view_model.h - what the viewer knows of its nodes: fed by their RPC, read by the screen, the
 * web page and --once.
 *
 * The model holds no socket and draws nothing. A node is NORMAL (p2p.get_info, dnet events; if it
 * is hypha: net.why, net.stats, hosts.list and more) or a seed daemon, LILITH (spawns). Everything
 * is bounded: the number of nodes, channels, messages per channel, events, URLs per list; the
 * oldest go. Text from a node is hostile: it is checked to be UTF-8 and shown escaped.
 * spec: apps.md 6 */
#ifndef VIEW_MODEL_H
#define VIEW_MODEL_H

#include <hypha/err.h>
#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/queue.h>

#define VIEW_MAX_NODES    64
#define VIEW_MAX_CHANNELS 2048 /* of a node */
#define VIEW_MAX_MESSAGES 256  /* kept, of a channel */
#define VIEW_MAX_EVENTS   4096 /* kept, of a node */
#define VIEW_MAX_SLOTS    1024
#define VIEW_MAX_URLS     5000 /* of a list */
#define VIEW_RATE_S       10   /* over which rates are taken */

enum view_kind { VIEW_NORMAL, VIEW_LILITH };
enum view_link { VIEW_OFFLINE, VIEW_CONNECTING, VIEW_ONLINE };

struct view_message {
    uint64_t time_ns; /* UNIX */
    bool sent;        /* else received */
    char *command;
    uint64_t bytes; /* 0: not told (reference nodes) */
    STAILQ_ENTRY(view_message) entry;
};

struct view_rate { /* messages per second over the last VIEW_RATE_S */
    uint32_t counts[VIEW_RATE_S];
    uint64_t second; /* of the newest count */
};

struct view_channel {
    uint32_t id;
    char *session;          /* inbound, outbound, manual, seed, refine, direct */
    char *addr;             /* display address */
    bool closed;            /* gone; kept a while for its messages */
    uint64_t since_ns;      /* first seen, UNIX; of net.stats if told */
    char *app, *version;    /* "" if not told */
    uint64_t round_trip_us; /* 0: not told */
    uint64_t messages_in, messages_out, bytes_in, bytes_out;
    struct view_rate rate;
    size_t message_count;
    STAILQ_HEAD(, view_message) messages; /* oldest first */
    TAILQ_ENTRY(view_channel) entry;
};

struct view_slot {
    uint32_t number;
    char *state; /* of the last event, or of net.why: sleeping, connecting, connected, ... */
    char *addr;  /* "" for none */
    uint32_t channel_id;
    uint64_t since_ns;
    char *last_error; /* "" for none */
    char *waits_for;  /* "" if not told */
};

struct view_event {
    uint64_t time_ns;
    char *name;
    char *text; /* one line for people */
    TAILQ_ENTRY(view_event) entry;
};

struct view_urls {
    char **urls;
    size_t count;
    bool truncated; /* there are more than the node said, or than we keep */
};

/* A network of a seed daemon. */
struct view_network {
    char *name;
    struct view_urls listens, white, grey, gold;
    STAILQ_ENTRY(view_network) entry;
};

struct view_ban {
    char *addr, *why;
    uint64_t until_s; /* UNIX; 0: for ever */
};

struct view_node {
    char *name;
    enum view_kind kind;
    enum view_link link;
    char *error;                                      /* why it is offline; "" */
    uint64_t since_ns;                                /* of the link's state */
    bool is_hypha;                                    /* has the net.* methods */
    TAILQ_HEAD(view_channels, view_channel) channels; /* in the order of their coming */
    size_t channel_count;
    struct view_slot *slots;
    size_t slot_count;
    char *discovery; /* wait, getaddr, seed, ...; "" */
    uint32_t attempt;
    uint64_t discovery_ns;
    TAILQ_HEAD(view_events, view_event) events; /* oldest first */
    size_t event_count;
    STAILQ_HEAD(, view_network) networks;
    struct view_urls white, grey, gold, dark; /* of hosts.list */
    struct view_ban *bans;
    size_t ban_count;
    char **own_addrs; /* announced, of net.stats: for the picture of who is connected to whom */
    size_t own_count;
    struct view_rate rate;
    STAILQ_ENTRY(view_node) entry;
};

struct view_model {
    STAILQ_HEAD(view_nodes, view_node) nodes; /* in the order of the configuration */
    size_t node_count;
    uint64_t version; /* counts changes: who draws compares */
    /* Each event as it comes, before it is applied; may be NULL. raw: the notification's
     * {"event","info"} object, borrowed. */
    void (*on_event)(const struct view_node *node, const json_t *raw, void *user);
    void *user;
};

void view_model_init(struct view_model *model);
void view_model_fini(struct view_model *model);
/* name: copied. Errors: NOMEM, LIMIT, EXISTS (the name). */
enum hypha_err view_model_add(
    struct view_model *model, const char *name, enum view_kind kind, struct view_node **ret_node);

/* ---- fed by view_source.c; what makes no sense is ignored, without memory too ---- */

void view_node_set_link(struct view_model *model, struct view_node *node, enum view_link link,
    const char *error, uint64_t now_ns);
/* The result of p2p.get_info: replaces channels and slots. */
void view_node_apply_info(
    struct view_model *model, struct view_node *node, const json_t *result, uint64_t now_ns);
/* One event: {"event": NAME, "info": {...}}. */
void view_node_apply_event(
    struct view_model *model, struct view_node *node, const json_t *event, uint64_t now_ns);
/* spawns, net.why, net.stats, hosts.list, net.bans. */
void view_node_apply_spawns(struct view_model *model, struct view_node *node, const json_t *result);
void view_node_apply_why(
    struct view_model *model, struct view_node *node, const json_t *result, uint64_t now_ns);
void view_node_apply_stats(
    struct view_model *model, struct view_node *node, const json_t *result, uint64_t now_ns);
void view_node_apply_hosts(struct view_model *model, struct view_node *node, const json_t *result);
void view_node_apply_bans(struct view_model *model, struct view_node *node, const json_t *result);

double view_rate_per_s(const struct view_rate *rate, uint64_t now_ns);
struct view_channel *view_node_channel(const struct view_node *node, uint32_t id);

/* All of it as one JSON value, for --once --json and the web page:
 * {"nodes":[{name,kind,link,error,since_ns,is_hypha,rate,discovery:{state,attempt,time_ns},
 *   own_addrs:[url],
 *   slots:[{slot,state,addr,channel_id,since_ns,last_error,waits_for}],
 *   channels:[{id,session,addr,closed,since_ns,app,version,round_trip_us,
 *     messages_in,messages_out,bytes_in,bytes_out,rate,
 *     messages:[{time_ns,sent,command,bytes}]}],
 *   events:[{time_ns,event,text}],
 *   networks:[{name,urls:[url],whitelist:[url],greylist:[url],goldlist:[url],truncated}],
 *   hosts:{white:N,grey:N,gold:N,dark:N}, bans:[{addr,why,until_s}]}]}
 * Times in nanoseconds are decimal strings (JavaScript's numbers end at 2^53).
 * messages, events: how many of the newest to include. NULL: no memory. */
json_t *view_model_json(
    const struct view_model *model, size_t messages, size_t events, uint64_t now_ns);

#endif
