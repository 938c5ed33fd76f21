/* slot_test.c - every state with every event. spec: network.md 7.4 */
#include "session/slot.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

struct expected {
    enum hy_slot_state from;
    enum hy_slot_event event;
    enum hy_slot_state to;
    enum hy_slot_action action;
};

/* What the document says, written down once more: a slip in either table shows. */
static const struct expected table[] = {
    { HY_SLOT_STOPPED, HY_SLOT_ON_START, HY_SLOT_PICKING, HY_SLOT_DO_PICK },
    { HY_SLOT_PICKING, HY_SLOT_ON_HOST, HY_SLOT_DIALING, HY_SLOT_DO_DIAL },
    { HY_SLOT_PICKING, HY_SLOT_ON_NO_HOST, HY_SLOT_ASLEEP, HY_SLOT_DO_DISCOVER },
    { HY_SLOT_PICKING, HY_SLOT_ON_STOP, HY_SLOT_STOPPED, HY_SLOT_DO_REPORT },
    { HY_SLOT_ASLEEP, HY_SLOT_ON_WAKE, HY_SLOT_PICKING, HY_SLOT_DO_PICK },
    { HY_SLOT_ASLEEP, HY_SLOT_ON_STOP, HY_SLOT_STOPPED, HY_SLOT_DO_REPORT },
    { HY_SLOT_DIALING, HY_SLOT_ON_READY, HY_SLOT_HANDSHAKE, HY_SLOT_DO_GREET },
    { HY_SLOT_DIALING, HY_SLOT_ON_LOST, HY_SLOT_PAUSED, HY_SLOT_DO_SUSPEND },
    { HY_SLOT_DIALING, HY_SLOT_ON_STOP, HY_SLOT_STOPPING, HY_SLOT_DO_CLOSE },
    { HY_SLOT_HANDSHAKE, HY_SLOT_ON_READY, HY_SLOT_CONNECTED, HY_SLOT_DO_KEEP },
    { HY_SLOT_HANDSHAKE, HY_SLOT_ON_LOST, HY_SLOT_PAUSED, HY_SLOT_DO_SUSPEND },
    { HY_SLOT_HANDSHAKE, HY_SLOT_ON_STOP, HY_SLOT_STOPPING, HY_SLOT_DO_CLOSE },
    { HY_SLOT_CONNECTED, HY_SLOT_ON_LOST, HY_SLOT_PAUSED, HY_SLOT_DO_DEMOTE },
    { HY_SLOT_CONNECTED, HY_SLOT_ON_STOP, HY_SLOT_STOPPING, HY_SLOT_DO_CLOSE },
    { HY_SLOT_PAUSED, HY_SLOT_ON_ELAPSED, HY_SLOT_PICKING, HY_SLOT_DO_PICK },
    { HY_SLOT_PAUSED, HY_SLOT_ON_STOP, HY_SLOT_STOPPED, HY_SLOT_DO_REPORT },
    { HY_SLOT_STOPPING, HY_SLOT_ON_LOST, HY_SLOT_STOPPED, HY_SLOT_DO_RELEASE },
};

static const struct expected *find(enum hy_slot_state from, enum hy_slot_event event)
{
    for (size_t i = 0; i < sizeof(table) / sizeof(table[0]); i++) {
        if (table[i].from == from && table[i].event == event)
            return &table[i];
    }
    return NULL;
}

static void every_pair(void **unused)
{
    (void)unused;
    for (unsigned from = 0; from < HY_SLOT_STATES; from++) {
        for (unsigned event = 0; event < HY_SLOT_EVENTS; event++) {
            const struct expected *expected = find(from, event);
            enum hy_slot_state state = from;
            enum hy_slot_action action = hy_slot_step(&state, event);

            assert_int_equal(action, expected != NULL ? expected->action : HY_SLOT_DO_NOTHING);
            assert_int_equal(state, expected != NULL ? expected->to : from);
        }
    }
}

/* From wherever it is, a slot comes to rest: STOP, then LOST if it was closing something. */
static void stop_from_everywhere(void **unused)
{
    (void)unused;
    for (unsigned from = 0; from < HY_SLOT_STATES; from++) {
        enum hy_slot_state state = from;

        (void)hy_slot_step(&state, HY_SLOT_ON_STOP);
        if (state == HY_SLOT_STOPPING)
            (void)hy_slot_step(&state, HY_SLOT_ON_LOST);
        assert_int_equal(state, HY_SLOT_STOPPED);
    }
}

static void every_state_has_a_name(void **unused)
{
    (void)unused;
    for (unsigned state = 0; state < HY_SLOT_STATES; state++)
        assert_string_not_equal(hy_slot_state_name(state), "?");
    assert_string_equal(hy_slot_state_name(HY_SLOT_STATES), "?");
    assert_string_equal(hy_slot_state_text(HY_SLOT_ASLEEP), "sleeping");
    assert_string_equal(hy_slot_state_text(HY_SLOT_DIALING), "dialling");
    assert_string_equal(hy_slot_state_text(HY_SLOT_HANDSHAKE), "handshake");
    assert_string_equal(hy_slot_state_text(HY_SLOT_CONNECTED), "connected");
    assert_string_equal(hy_slot_state_text(HY_SLOT_PAUSED), "paused");
    assert_string_equal(hy_slot_state_text(HY_SLOT_STOPPED), "stopped");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_pair),
        cmocka_unit_test(stop_from_everywhere),
        cmocka_unit_test(every_state_has_a_name),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
