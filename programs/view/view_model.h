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

#define VIEW_BUCKETS      256
#define VIEW_MAX_NODES    64
#define VIEW_MAX_CHANNELS 2048 /* of a node */
#define VIEW_MAX_MESSAGES 256  /* kept, of a channel */
#define VIEW_MAX_EVENTS   4096 /* kept, of a node */
#define VIEW_MAX_SLOTS    1024
#define VIEW_MAX_URLS     5000 /* of a list */
#define VIEW_MAX_NETWORKS 64   /* of a seed daemon */
#define VIEW_MAX_BANS     1000
#define VIEW_MAX_OWN      64   /* addresses of its own, of a node; and that a peer announced */
#define VIEW_MAX_CLOSED   64   /* channels kept after their end, of a node */
#define VIEW_CLOSED_S     300  /* and for how long */
#define VIEW_MAX_COMMANDS 64   /* counted apart, of a channel */
#define VIEW_MAX_CHANGES  96   /* kept, of a slot */
#define VIEW_MAX_NOTES    1024 /* kept of the discovery log, of a node */
#define VIEW_MAX_TEXT     512  /* bytes kept of a text */
#define VIEW_RATE_S       10   /* over which rates are taken */
/* Of a node, over all of its channels: many channels share what few may have. */
#define VIEW_MAX_NODE_MESSAGES 32768
#define VIEW_MAX_NODE_COMMANDS 4096

enum view_kind { VIEW_NORMAL, VIEW_LILITH };
enum view_link { VIEW_OFFLINE, VIEW_CONNECTING, VIEW_ONLINE };

struct view_channel;

struct view_message {
    uint64_t time_ns; /* UNIX */
    bool sent;        /* else received */
    char *command;
    uint64_t bytes; /* 0: not told (reference nodes) */
    struct view_channel *channel;
    STAILQ_ENTRY(view_message) entry;
    TAILQ_ENTRY(view_message) node_entry;
};

struct view_rate { /* messages per second over the last VIEW_RATE_S */
    uint32_t counts[VIEW_RATE_S];
    uint64_t second; /* of the newest count */
};

/* Messages of one command over one channel. */
struct view_command {
    char *name;
    uint64_t messages_in, messages_out, bytes_in, bytes_out;
    struct view_rate rate;
    STAILQ_ENTRY(view_command) entry;
};

struct view_channel {
    uint32_t id;
    char *session;          /* inbound, outbound, manual, seed, refine, direct; "" if not told */
    char *addr;             /* display address */
    char *connect_addr;     /* of direct channels: what was asked for; "" */
    bool closed;            /* gone; kept a while for its messages */
    bool listed;            /* the node named it: else only its messages were seen */
    bool told;              /* net.stats counts its messages: events don't */
    uint64_t round;         /* of the last list it was in: view_node.round */
    char *why;              /* it is closed; "" */
    uint64_t closed_ns;     /* UNIX */
    uint64_t heard_ns;      /* of the last message or list it was in */
    uint64_t since_ns;      /* first seen, UNIX; of net.stats if told */
    char *app, *version;    /* "" if not told */
    uint64_t round_trip_us; /* 0: not told */
    uint64_t messages_in, messages_out, bytes_in, bytes_out;
    uint64_t queued_bytes; /* waiting to be sent, of net.stats */
    char **announced;      /* the peer's own addresses, of net.stats */
    size_t announced_count;
    struct view_rate rate;
    size_t command_count;
    STAILQ_HEAD(, view_command) commands; /* in the order of their coming */
    size_t message_count;
    uint64_t messages_seen;               /* ever: those that were forgotten too */
    STAILQ_HEAD(, view_message) messages; /* oldest first */
    TAILQ_ENTRY(view_channel) entry;
    LIST_ENTRY(view_channel) bucket;
};

/* What the state of a slot amounts to. */
enum view_slot_kind {
    VIEW_SLOT_EMPTY,      /* sleeping, idle, stopped, ... */
    VIEW_SLOT_CONNECTING, /* connecting, dialling, handshake */
    VIEW_SLOT_CONNECTED,
    VIEW_SLOT_FAILED, /* disconnected */
};

struct view_change {
    uint64_t time_ns;
    enum view_slot_kind kind;
};

struct view_slot {
    char *session;   /* outbound, manual, seed */
    uint32_t number; /* within its session */
    char *state;     /* of the last event, or of net.why: sleeping, connecting, connected, ... */
    char *addr;      /* "" for none */
    uint32_t channel_id;
    uint64_t since_ns;
    char *last_error; /* "" for none */
    char *waits_for;  /* "" if not told */
    uint64_t next_ns; /* UNIX, of the next try; 0: not told */
    uint32_t failures;
    struct view_change *changes; /* oldest first */
    size_t change_count;
    uint64_t round; /* of the last net.why it was in: view_node.round */
};

struct view_event {
    uint64_t time_ns;
    char *name;
    char *text; /* one line for people */
    TAILQ_ENTRY(view_event) entry;
};
TAILQ_HEAD(view_events, view_event);

struct view_urls {
    char **urls;
    uint64_t *seen_s; /* UNIX, when each was seen last; NULL: not told */
    size_t count;
    uint64_t total; /* as the node counts them; 0: not told */
    bool truncated; /* there are more than the node said, or than we keep */
};

/* A network of a seed daemon. */
struct view_network {
    char *name;
    struct view_urls listens, white, grey, gold;
    STAILQ_ENTRY(view_network) entry;
};

struct view_ban {
    char *addr, *why; /* addr: a URL, or a group of addresses */
    uint64_t until_s; /* UNIX; 0: for ever */
};

struct view_node {
    char *name;
    char *endpoint; /* where it is found, for people */
    enum view_kind kind;
    bool kind_is_open; /* nobody said the kind: it is found out */
    enum view_link link;
    char *error;                                      /* why it is offline; "" */
    uint64_t since_ns;                                /* of the link's state */
    bool is_hypha;                                    /* has the net.* methods */
    char *app, *version;                              /* of net.stats; "" */
    uint64_t started_ns;                              /* UNIX, of net.stats; 0: not told */
    TAILQ_HEAD(view_channels, view_channel) channels; /* in the order of their coming */
    size_t channel_count, closed_count;
    LIST_HEAD(, view_channel) by_id[VIEW_BUCKETS];
    TAILQ_HEAD(, view_message) all_messages; /* of all channels, oldest first */
    size_t message_count, command_count;
    struct view_slot *slots; /* outbound, manual, seed; each by number */
    size_t slot_count;
    char *discovery; /* wait, getaddr, seed, ...; "" */
    uint32_t attempt;
    uint64_t discovery_ns;
    struct view_events events; /* oldest first */
    size_t event_count;
    uint64_t events_seen;     /* ever: those that were forgotten too */
    struct view_events notes; /* the discovery log: what led to peers; oldest first */
    size_t note_count;
    uint64_t notes_seen;
    uint64_t dropped; /* events that the node did not send: we were too slow */
    STAILQ_HEAD(, view_network) networks;
    struct view_urls white, grey, gold, dark, black; /* of hosts.list */
    struct view_ban *bans;
    size_t ban_count;
    char **own_addrs; /* announced, of net.stats: for the picture of who is connected to whom */
    size_t own_count;
    struct view_urls staged[5]; /* of hosts.list, until its last page is there */
    struct view_rate rate;
    uint64_t round; /* counts lists, so that who is missing in one is found */
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
/* What was found out of a node whose kind was open. */
void view_node_set_kind(struct view_model *model, struct view_node *node, enum view_kind kind);
/* For people: where the node is found. Without memory: nowhere. */
void view_node_set_endpoint(struct view_node *node, const char *endpoint);

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
/* One page of hosts.list; the lists change with the last one. */
void view_node_apply_hosts(
    struct view_model *model, struct view_node *node, const json_t *result, bool first, bool last);
void view_node_apply_bans(struct view_model *model, struct view_node *node, const json_t *result);

/* Forget closed channels whose time is over; now and then. */
void view_node_tidy(struct view_model *model, struct view_node *node, uint64_t now_ns);

double view_rate_per_s(const struct view_rate *rate, uint64_t now_ns);
/* The open one of this id, else the last closed one; NULL: none. */
struct view_channel *view_node_channel(const struct view_node *node, uint32_t id);
/* Open channels of a session; session NULL: all. */
size_t view_node_count(const struct view_node *node, const char *session);
enum view_slot_kind view_slot_kind_of(const char *state);
const char *view_kind_name(enum view_kind kind); /* NORMAL, LILITH */
const char *view_link_name(enum view_link link); /* offline, connecting, online */

/* All of it as one JSON value, for --once --json and the web page:
 * {"nodes":[{name,endpoint,kind,link,error,since_ns,is_hypha,app,version,started_ns,rate,dropped,
 *   discovery:{state,attempt,time_ns}, own_addrs:[url],
 *   slots:[{session,slot,state,addr,channel_id,since_ns,last_error,waits_for,failures,next_ns}],
 *   channels:[{id,session,addr,closed,why,since_ns,app,version,round_trip_us,
 *     messages_in,messages_out,bytes_in,bytes_out,queued_bytes,rate,announced:[url],
 *     commands:[{command,messages_in,messages_out,bytes_in,bytes_out,rate}],
 *     messages:[{time_ns,sent,command,bytes}]}],
 *   events:[{time_ns,event,text}],
 *   networks:[{name,urls:[url],whitelist:[url],greylist:[url],goldlist:[url],truncated}],
 *   hosts:{white:N,grey:N,gold:N,dark:N,black:N}, bans:[{addr,why,until_s}]}]}
 * kind, link: see view_kind_name(), view_link_name(). hosts: counts as the node tells them.
 * Times in nanoseconds are decimal strings (JavaScript's numbers end at 2^53).
 * messages, events: how many of the newest to include. NULL: no memory. */
json_t *view_model_json(
    const struct view_model *model, size_t messages, size_t events, uint64_t now_ns);

#endif
