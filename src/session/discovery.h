/* session/discovery.h - peer discovery as a pure machine: ask peers, else ask seeds, rest.
 *
 *   state     event             next
 *   STOPPED   START             IDLE
 *   IDLE      WANTED            a round (below)
 *   ASKING    FOUND             RESTING   failures = 0
 *   ASKING    TIMER             RESTING   failures + 1
 *   SEEDING   FOUND             RESTING
 *   SEEDING   SEEDED, TIMER     RESTING   nothing more will come, or 20 s are over
 *   RESTING   TIMER             a round if slots still sleep, else IDLE
 *   RESTING   PEER              RESTING   for no longer than the pause between rounds
 *   RESTING   NEW_SEEDS         RESTING   no longer; the back-off of seeding begins anew
 *   any       STOP              STOPPED
 *
 *   a round:
 *     unconnected, or two fruitless rounds of asking:
 *       an untried host is free       no seeding: the slots are to try it first
 *       dials under way               no seeding for one second: they may well succeed
 *       seeds, and back-off over      SEEDING   failures = 0
 *     connected                       ASKING    getaddr to all peers
 *     else                            RESTING   until that is so
 *
 * Found hosts wake slots at once, without this machine: it only makes hosts come.
 * spec: network.md#75-peerdiscovery */
#ifndef HY_SESSION_DISCOVERY_H
#define HY_SESSION_DISCOVERY_H

#include "session/seed_backoff.h"
#include <stdbool.h>
#include <stdint.h>

#define HY_DISCOVERY_SEED_WAIT_MS 20000U
/* The first pauses between rounds; they double up to the configured attempt time. */
#define HY_DISCOVERY_REST_FIRST_MS 1000U
/* Fruitless rounds of getaddr before the seeds are asked. */
#define HY_DISCOVERY_MAX_FAILURES 2U
#define HY_DISCOVERY_SEEDS        2U /* asked in one round */

enum hy_discovery_state {
    HY_DISCOVERY_STOPPED,
    HY_DISCOVERY_IDLE,
    HY_DISCOVERY_ASKING,
    HY_DISCOVERY_SEEDING,
    HY_DISCOVERY_RESTING,
    HY_DISCOVERY_STATES,
};

enum hy_discovery_event {
    HY_DISCOVERY_ON_START,
    HY_DISCOVERY_ON_WANTED,    /* a slot found no host, or none that answers */
    HY_DISCOVERY_ON_FOUND,     /* the store took new addresses */
    HY_DISCOVERY_ON_SEEDED,    /* every seed slot is done */
    HY_DISCOVERY_ON_PEER,      /* a peer was registered */
    HY_DISCOVERY_ON_NEW_SEEDS, /* some are configured that were never asked */
    HY_DISCOVERY_ON_TIMER,
    HY_DISCOVERY_ON_STOP,
    HY_DISCOVERY_EVENTS,
};

enum hy_discovery_action {
    HY_DISCOVERY_DO_NOTHING,
    HY_DISCOVERY_DO_WAIT,  /* event "wait" */
    HY_DISCOVERY_DO_ASK,   /* event "getaddr", and send it */
    HY_DISCOVERY_DO_SEED,  /* event "seed", and wake some */
    HY_DISCOVERY_DO_REST,  /* wake the sleeping slots */
    HY_DISCOVERY_DO_REARM, /* only the timer changes */
};

/* The world as it is at the moment of the event. */
struct hy_discovery_facts {
    uint64_t now_ms;
    uint32_t attempt_ms; /* outbound_peer_discovery_attempt_time */
    uint32_t chance;     /* random, for the jitter */
    bool asleep;         /* some slot has nothing to dial, or nobody that answers */
    bool dialing;        /* some slot is dialling or shaking hands */
    bool connected;      /* there is a peer */
    bool seeds;          /* some are configured */
    bool untried;        /* a dialable Free host not tried in the last 60 s */
};

struct hy_discovery {
    enum hy_discovery_state state;
    unsigned failures; /* fruitless getaddr rounds in a row: the events' "attempt" */
    unsigned rounds;   /* since it last was idle: the pauses grow with it */
    bool waited;       /* for dials under way, before asking the seeds */
    struct hy_seed_backoff seeds;
    uint64_t due_ms; /* of the timer */
};

struct hy_discovery_move {
    enum hy_discovery_action action;
    bool timer; /* arm it for discovery->due_ms; else stop it */
};

/* Zeroed memory is a stopped discovery. Pure: changes `discovery` only. */
struct hy_discovery_move hy_discovery_step(struct hy_discovery *discovery,
    enum hy_discovery_event event, const struct hy_discovery_facts *facts);

/* As hypha_discovery_info.state says it. */
const char *hy_discovery_state_name(enum hy_discovery_state state);

#endif
