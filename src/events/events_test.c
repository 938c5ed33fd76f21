/* events_test.c - who hears what, also when subscribers come and go in the middle. */
#include "events/events.h"

#include "base/alloc.h"
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

struct listener {
    struct hy_events *events;
    char mark;
    struct listener *subscribes, *unsubscribes; /* done at the first event heard */
    bool publishes;
    size_t heard;
};

static char trace[64];

static void on_event(const struct hypha_event *event, void *user)
{
    struct listener *l = user;
    struct hypha_event inner = { .type = HYPHA_EVENT_BANNED, .number = event->number + 1 };

    assert_true(strlen(trace) + 1 < sizeof trace);
    strncat(trace, &l->mark, 1);
    if (l->heard++ > 0)
        return;
    if (l->subscribes != NULL)
        assert_int_equal(
            hy_events_subscribe(l->events, HYPHA_EVENTS_ALL, on_event, l->subscribes), HYPHA_OK);
    if (l->unsubscribes != NULL)
        hy_events_unsubscribe(l->events, on_event, l->unsubscribes);
    if (l->publishes)
        hy_events_publish(l->events, &inner);
}

static void subscribe(struct hy_events *events, struct listener *l)
{
    l->events = events;
    assert_int_equal(hy_events_subscribe(events, HYPHA_EVENTS_ALL, on_event, l), HYPHA_OK);
}

static void publish(struct hy_events *events, const char *expected)
{
    struct hypha_event event = { .type = HYPHA_EVENT_SEND };

    trace[0] = '\0';
    hy_events_publish(events, &event);
    assert_string_equal(trace, expected);
}

static void test_order(void **state)
{
    struct hy_events events;
    struct listener a = { .mark = 'a' }, b = { .mark = 'b' };

    (void)state;
    hy_events_init(&events);
    assert_false(hy_events_wanted(&events, HYPHA_EVENT_SEND));
    publish(&events, "");
    subscribe(&events, &a);
    subscribe(&events, &b);
    subscribe(&events, &a);
    assert_true(hy_events_wanted(&events, HYPHA_EVENT_SEND));
    publish(&events, "aba");
    hy_events_unsubscribe(&events, on_event, &a);
    publish(&events, "ba");
    hy_events_unsubscribe(&events, on_event, &a);
    hy_events_unsubscribe(&events, on_event, &a);
    hy_events_unsubscribe(&events, on_event, &b);
    assert_false(hy_events_wanted(&events, HYPHA_EVENT_SEND));
    hy_events_fini(&events);
}

static void test_leave_inside(void **state)
{
    struct hy_events events;
    struct listener a = { .mark = 'a' }, b = { .mark = 'b' }, c = { .mark = 'c' };

    (void)state;
    hy_events_init(&events);
    a.unsubscribes = &a;
    b.unsubscribes = &c;
    subscribe(&events, &a);
    subscribe(&events, &b);
    subscribe(&events, &c);
    publish(&events, "ab");
    publish(&events, "b");
    hy_events_fini(&events);
}

static void test_last_leaves_inside(void **state)
{
    struct hy_events events;
    struct listener a = { .mark = 'a' };

    (void)state;
    hy_events_init(&events);
    a.unsubscribes = &a;
    subscribe(&events, &a);
    publish(&events, "a");
    assert_false(hy_events_wanted(&events, HYPHA_EVENT_SEND));
    hy_events_fini(&events);
}

static void test_come_inside(void **state)
{
    struct hy_events events;
    struct listener a = { .mark = 'a' }, b = { .mark = 'b', .events = &events };

    (void)state;
    hy_events_init(&events);
    a.subscribes = &b;
    subscribe(&events, &a);
    publish(&events, "a");
    publish(&events, "ab");
    hy_events_fini(&events);
}

/* A leaves in a nested event while b is still to hear the outer one. */
static void test_nested(void **state)
{
    struct hy_events events;
    struct listener a = { .mark = 'a' }, b = { .mark = 'b' };

    (void)state;
    hy_events_init(&events);
    a.publishes = true;
    b.unsubscribes = &a;
    subscribe(&events, &a);
    subscribe(&events, &b);
    publish(&events, "aabb");
    publish(&events, "b");
    hy_events_fini(&events);
}

static void test_no_memory(void **state)
{
    struct hy_events events;
    struct listener a = { .mark = 'a' };

    (void)state;
    hy_events_init(&events);
    hy_alloc_fail_after(0);
    assert_int_equal(hy_events_subscribe(&events, HYPHA_EVENTS_ALL, on_event, &a), HYPHA_ERR_NOMEM);
    hy_alloc_fail_after(SIZE_MAX);
    assert_false(hy_events_wanted(&events, HYPHA_EVENT_SEND));
    hy_events_fini(&events);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_order),
        cmocka_unit_test(test_leave_inside),
        cmocka_unit_test(test_last_leaves_inside),
        cmocka_unit_test(test_come_inside),
        cmocka_unit_test(test_nested),
        cmocka_unit_test(test_no_memory),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
