/* slot.c - one outbound slot: find a host, dial, shake hands, keep it, again.
 *
 * The table is the whole behaviour; hy_slot_step() is pure. session_outbound.c does
 * the action, whose outcome is the next event; it wakes only sleeping slots.
 * spec: network.md#74-outbound */
#include "session/slot.h"

#include <assert.h>

struct hy_slot_move {
    enum hy_slot_state to;
    enum hy_slot_action action;
};

/* clang-format off */
#define MOVE(from, on, to, act) \
    [HY_SLOT_##from][HY_SLOT_ON_##on] = { HY_SLOT_##to, HY_SLOT_DO_##act }
static const struct hy_slot_move moves[HY_SLOT_STATES][HY_SLOT_EVENTS] = {
    MOVE(STOPPED,   START,   PICKING,   PICK),
    MOVE(PICKING,   HOST,    DIALING,   DIAL),
    MOVE(PICKING,   NO_HOST, ASLEEP,    DISCOVER),
    MOVE(PICKING,   STOP,    STOPPED,   REPORT),
    MOVE(ASLEEP,    WAKE,    PICKING,   PICK),
    MOVE(ASLEEP,    STOP,    STOPPED,   REPORT),
    MOVE(DIALING,   READY,   HANDSHAKE, GREET),
    MOVE(DIALING,   LOST,    PAUSED,    SUSPEND), /* the host, then pick another */
    MOVE(DIALING,   STOP,    STOPPING,  CLOSE),
    MOVE(HANDSHAKE, READY,   CONNECTED, KEEP),
    MOVE(HANDSHAKE, LOST,    PAUSED,    SUSPEND),
    MOVE(HANDSHAKE, STOP,    STOPPING,  CLOSE),
    MOVE(CONNECTED, LOST,    PAUSED,    DEMOTE),
    MOVE(CONNECTED, STOP,    STOPPING,  CLOSE),
    MOVE(PAUSED,    ELAPSED, PICKING,   PICK),
    MOVE(PAUSED,    STOP,    STOPPED,   REPORT),
    MOVE(STOPPING,  LOST,    STOPPED,   RELEASE), /* our doing: no demotion to grey */
};
#undef MOVE
/* clang-format on */

/* Unlisted pairs are zero, HY_SLOT_DO_NOTHING: stay, and the caller logs a bug. */
enum hy_slot_action hy_slot_step(enum hy_slot_state *state, enum hy_slot_event event)
{
    assert(*state < HY_SLOT_STATES && event < HY_SLOT_EVENTS);
    const struct hy_slot_move *move = &moves[*state][event];

    if (move->action != HY_SLOT_DO_NOTHING)
        *state = move->to;
    return move->action;
}

const char *hy_slot_state_name(enum hy_slot_state state)
{
    switch (state) {
    case HY_SLOT_STOPPED:
        return "stopped";
    case HY_SLOT_PICKING:
        return "picking";
    case HY_SLOT_ASLEEP:
        return "asleep";
    case HY_SLOT_DIALING:
        return "dialing";
    case HY_SLOT_HANDSHAKE:
        return "handshake";
    case HY_SLOT_CONNECTED:
        return "connected";
    case HY_SLOT_PAUSED:
        return "paused";
    case HY_SLOT_STOPPING:
        return "stopping";
    case HY_SLOT_STATES:
        break;
    }
    return "?";
}

const char *hy_slot_state_text(enum hy_slot_state state)
{
    switch (state) {
    case HY_SLOT_PICKING:
    case HY_SLOT_ASLEEP:
        return "sleeping";
    case HY_SLOT_DIALING:
        return "dialling";
    case HY_SLOT_HANDSHAKE:
        return "handshake";
    case HY_SLOT_CONNECTED:
        return "connected";
    case HY_SLOT_PAUSED:
        return "paused";
    case HY_SLOT_STOPPED:
    case HY_SLOT_STOPPING:
    case HY_SLOT_STATES:
        break;
    }
    return "stopped";
}
