/* session/slot.h - one outbound slot as a table: slot.c. */
#ifndef HY_SESSION_SLOT_H
#define HY_SESSION_SLOT_H

enum hy_slot_state {
    HY_SLOT_STOPPED,
    HY_SLOT_PICKING,
    HY_SLOT_ASLEEP, /* no host to dial: until woken */
    HY_SLOT_DIALING,
    HY_SLOT_HANDSHAKE,
    HY_SLOT_CONNECTED,
    HY_SLOT_PAUSED, /* after a failure: until the back-off is over */
    HY_SLOT_STOPPING,
    HY_SLOT_STATES,
};

enum hy_slot_event {
    HY_SLOT_ON_START,
    HY_SLOT_ON_HOST, /* picked, now Connect */
    HY_SLOT_ON_NO_HOST,
    HY_SLOT_ON_WAKE,    /* the lists changed */
    HY_SLOT_ON_READY,   /* transport up; handshake done */
    HY_SLOT_ON_LOST,    /* dial failed; channel stopped */
    HY_SLOT_ON_ELAPSED, /* the pause */
    HY_SLOT_ON_STOP,
    HY_SLOT_EVENTS,
};

enum hy_slot_action {
    HY_SLOT_DO_NOTHING,
    HY_SLOT_DO_PICK,     /* a host: HOST or NO_HOST follows */
    HY_SLOT_DO_DISCOVER, /* say so and wake discovery */
    HY_SLOT_DO_DIAL,
    HY_SLOT_DO_GREET,   /* start the channel */
    HY_SLOT_DO_KEEP,    /* register it */
    HY_SLOT_DO_SUSPEND, /* never shook hands: grey, quarantined; then pause */
    HY_SLOT_DO_DEMOTE,  /* was a peer: grey, free; then pause */
    HY_SLOT_DO_CLOSE,   /* the dial or the channel: LOST follows */
    HY_SLOT_DO_RELEASE, /* our doing: lists untouched, then report */
    HY_SLOT_DO_REPORT,  /* the slot has stopped */
    HY_SLOT_ACTIONS,
};

/* Move, and what is to be done. DO_NOTHING: the pair is not in the table, `state` stays. */
enum hy_slot_action hy_slot_step(enum hy_slot_state *state, enum hy_slot_event event);
const char *hy_slot_state_name(enum hy_slot_state state);
/* As hypha_slot_info.state says it. */
const char *hy_slot_state_text(enum hy_slot_state state);

#endif
