/* session/direct_discovery.h - peer discovery of a node without outbound slots, as a pure machine.
 *
 *   state     event                next
 *   STOPPED   START                WAITING    attempt = 0
 *   WAITING   GO                   a round (below), or, at attempt 4, SLEEPING
 *   SLEEPING  TIMER                a round    attempt = 1
 *   DIALLING  CHANNEL              ASKING, as connected
 *   DIALLING  NO_CHANNEL           SEEDING or RESTING
 *   ASKING    FOUND                RESTING    attempt = 0
 *   ASKING    TIMER                RESTING    attempt = 3: a long sleep comes next, never a seed
 *   SEEDING   FOUND, SEEDED, TIMER RESTING
 *   RESTING   TIMER                WAITING
 *   any       STOP                 STOPPED
 *
 *   a round:
 *     unconnected                  DIALLING   a channel to one host of the lists
 *     connected, attempt <= 2      ASKING     getaddr to all peers
 *     connected, attempt 3         SEEDING or RESTING
 *
 * SEEDING needs seeds, no untried host, and the end of the back-off, which a connection resets:
 * what network.md 7.5 demands of outbound discovery protects the seeds from this one too.
 * spec: network.md#78-direct-on-demand */
#ifndef HY_SESSION_DIRECT_DISCOVERY_H
#define HY_SESSION_DIRECT_DISCOVERY_H

#include "session/seed_backoff.h"
#include <stdbool.h>
#include <stdint.h>

#define HY_DIRECT_SLEEP_ATTEMPT 4U /* from which on it sleeps */
#define HY_DIRECT_ASK_ATTEMPTS  2U /* up to which peers are asked */

enum hy_direct_discovery_state {
    HY_DIRECT_DISCOVERY_STOPPED,
    HY_DIRECT_DISCOVERY_WAITING,
    HY_DIRECT_DISCOVERY_SLEEPING,
    HY_DIRECT_DISCOVERY_DIALLING,
    HY_DIRECT_DISCOVERY_ASKING,
    HY_DIRECT_DISCOVERY_SEEDING,
    HY_DIRECT_DISCOVERY_RESTING,
    HY_DIRECT_DISCOVERY_STATES,
};

enum hy_direct_discovery_event {
    HY_DIRECT_DISCOVERY_ON_START,
    HY_DIRECT_DISCOVERY_ON_GO,         /* "wait" is told */
    HY_DIRECT_DISCOVERY_ON_CHANNEL,    /* to the host of this round */
    HY_DIRECT_DISCOVERY_ON_NO_CHANNEL, /* no host, or no connection to it */
    HY_DIRECT_DISCOVERY_ON_FOUND,      /* the store took new addresses */
    HY_DIRECT_DISCOVERY_ON_SEEDED,     /* every seed slot is done */
    HY_DIRECT_DISCOVERY_ON_PEER,       /* a peer of any session was registered */
    HY_DIRECT_DISCOVERY_ON_TIMER,
    HY_DIRECT_DISCOVERY_ON_STOP,
    HY_DIRECT_DISCOVERY_EVENTS,
};

enum hy_direct_discovery_action {
    HY_DIRECT_DISCOVERY_DO_NOTHING,
    HY_DIRECT_DISCOVERY_DO_WAIT,    /* event "wait"; GO follows */
    HY_DIRECT_DISCOVERY_DO_SLEEP,   /* event "sleep" */
    HY_DIRECT_DISCOVERY_DO_NEWCHAN, /* event "newchan"; CHANNEL or NO_CHANNEL follows */
    HY_DIRECT_DISCOVERY_DO_ASK,     /* event "getaddr", and send it */
    HY_DIRECT_DISCOVERY_DO_SEED,    /* event "seed", and wake some */
    HY_DIRECT_DISCOVERY_DO_REST,    /* give the round's channel back */
    HY_DIRECT_DISCOVERY_DO_STOP,    /* the same, or end its dial */
    HY_DIRECT_DISCOVERY_ACTIONS,
};

/* The world as it is at the moment of the event. */
struct hy_direct_discovery_facts {
    uint64_t now_ms;
    uint32_t attempt_ms; /* outbound_peer_discovery_attempt_time */
    uint32_t cooloff_ms; /* outbound_peer_discovery_cooloff_time */
    uint32_t chance;     /* random, for the jitter */
    bool connected;      /* there is a peer */
    bool seeds;          /* some are configured */
    bool untried;        /* a dialable Free host not tried in the last 60 s */
};

struct hy_direct_discovery {
    enum hy_direct_discovery_state state;
    unsigned attempt; /* as the events tell it */
    struct hy_seed_backoff seeds;
    uint64_t due_ms; /* of the timer */
};

struct hy_direct_discovery_move {
    enum hy_direct_discovery_action action;
    bool timer; /* arm it for discovery->due_ms; else stop it */
};

/* Zeroed memory is a stopped discovery. Pure: changes `discovery` only. DO_NOTHING: neither state
 * nor timer change. */
struct hy_direct_discovery_move hy_direct_discovery_step(struct hy_direct_discovery *discovery,
    enum hy_direct_discovery_event event, const struct hy_direct_discovery_facts *facts);

#endif
