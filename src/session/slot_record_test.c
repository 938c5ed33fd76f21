/* slot_record_test.c - since when, why, how long: what a slot remembers for people. */
#include "session/slot_record.h"
#include "sim/sim.h"

#include <setjmp.h>
#include <stdarg.h>
#include <cmocka.h>

static void a_state_has_a_beginning(void **unused)
{
    struct hy_slot_record record;
    struct hy_sim *sim = NULL;

    (void)unused;
    assert_int_equal(hy_sim_create(1, &sim), HYPHA_OK);
    struct hypha_loop *loop = hy_sim_loop(sim);
    hy_slot_record_init(&record, loop);
    hy_sim_run_for(sim, 500);
    assert_false(hy_slot_record_enter(&record, loop, "stopped"));
    assert_int_equal(hy_slot_record_info(&record, loop).since_ms, 500);
    assert_true(hy_slot_record_enter(&record, loop, "dialling"));
    hy_sim_run_for(sim, 20);
    assert_false(hy_slot_record_enter(&record, loop, "dialling"));
    struct hypha_slot_info info = hy_slot_record_info(&record, loop);
    assert_int_equal(info.since_ms, 20);
    assert_string_equal(info.state, "dialling");
    assert_string_equal(info.waits_for, "");
    assert_null(info.last_addr);
    hy_slot_record_fini(&record);
    hy_sim_destroy(sim);
}

static void the_last_end_is_kept(void **unused)
{
    struct hypha_url *one = NULL, *other = NULL;
    struct hy_slot_record record;
    struct hy_sim *sim = NULL;

    (void)unused;
    assert_int_equal(hy_sim_create(1, &sim), HYPHA_OK);
    assert_int_equal(hypha_url_parse_text("tcp://44.1.0.1:1", &one), HYPHA_OK);
    assert_int_equal(hypha_url_parse_text("tcp://44.2.0.1:1", &other), HYPHA_OK);
    hy_slot_record_init(&record, hy_sim_loop(sim));
    hy_slot_record_end(&record, one, HYPHA_ERR_REFUSED);
    hy_slot_record_end(&record, other, HYPHA_ERR_TIMEOUT);
    hy_slot_record_end(&record, other, HYPHA_ERR_EOF); /* the same again */
    assert_ptr_equal(record.last_addr, other);
    assert_int_equal(record.last_err, HYPHA_ERR_EOF);
    hypha_url_unref(one);
    hypha_url_unref(other);
    hy_slot_record_fini(&record);
    hy_sim_destroy(sim);
}

static void on_timer(void *user)
{
    *(bool *)user = true;
}

static void times_are_said_for_people(void **unused)
{
    char text[HY_SLOT_TEXT_BYTES];
    struct hy_sim *sim = NULL;
    struct hy_timer timer;
    bool fired = false;

    (void)unused;
    assert_string_equal(hy_slot_text_in("again in", 0, text), "again in 0 s");
    assert_string_equal(hy_slot_text_in("again in", 1, text), "again in 1 s");
    assert_string_equal(hy_slot_text_in("again in", 119000, text), "again in 119 s");
    assert_string_equal(hy_slot_text_in("again in", 119001, text), "again in 2 min");
    assert_string_equal(hy_slot_text_in("again in", 121000, text), "again in 3 min");

    assert_int_equal(hy_sim_create(1, &sim), HYPHA_OK);
    hy_timer_init(&timer, hy_sim_loop(sim), on_timer, &fired);
    assert_int_equal(hy_slot_timer_left_ms(&timer), 0);
    hy_timer_start(&timer, 100);
    hy_sim_run_for(sim, 30);
    assert_int_equal(hy_slot_timer_left_ms(&timer), 70);
    hy_sim_run_for(sim, 100);
    assert_true(fired);
    assert_int_equal(hy_slot_timer_left_ms(&timer), 0);
    hy_sim_destroy(sim);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_state_has_a_beginning),
        cmocka_unit_test(the_last_end_is_kept),
        cmocka_unit_test(times_are_said_for_people),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
