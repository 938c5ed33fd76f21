/* sim_loop_test.c - virtual time: jumps, order, repetition; names and tasks of the simulated
 * loop. */
#include "sim/sim.h"

#include "base/alloc.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
/* cmocka wants the above first */
#include <cmocka.h>

static struct hy_sim *sim;
static struct hypha_loop *loop;
static char story[64];

static int set_up(void **state)
{
    (void)state;
    story[0] = '\0';
    if (hy_sim_create(7, &sim) != HYPHA_OK)
        return -1;
    loop = hy_sim_loop(sim);
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    hy_sim_destroy(sim);
    return 0;
}

struct actor {
    char letter;
    struct hy_timer timer;
    struct hy_defer defer;
    bool defers;
    uint64_t again_ms;
    uint64_t at_ms; /* when it acted last */
    int calls;
};

static void on_act(void *user)
{
    struct actor *actor = user;
    size_t len = strlen(story);

    if (len + 1 < sizeof story) {
        story[len] = actor->letter;
        story[len + 1] = '\0';
    }
    actor->calls++;
    actor->at_ms = hy_now_ms(loop);
    if (actor->defers)
        hy_defer_start(&actor->defer);
    actor->defers = false;
    if (actor->again_ms > 0)
        hy_timer_start(&actor->timer, actor->again_ms);
}

static void actor_init(struct actor *actor, char letter)
{
    *actor = (struct actor){ .letter = letter };
    hy_timer_init(&actor->timer, loop, on_act, actor);
    hy_defer_init(&actor->defer, loop, on_act, actor);
}

static void time_jumps_to_the_next_timer(void **state)
{
    struct actor near;
    struct actor far;

    (void)state;
    actor_init(&near, 'n');
    actor_init(&far, 'f');
    hy_timer_start(&far.timer, 86400000);
    hy_timer_start(&near.timer, 10);
    assert_int_equal(hy_now_ms(loop), HY_SIM_START_MS);
    assert_int_equal(hypha_loop_run(loop), HYPHA_OK);
    assert_string_equal(story, "nf");
    assert_int_equal(near.at_ms, HY_SIM_START_MS + 10);
    assert_int_equal(far.at_ms, HY_SIM_START_MS + 86400000);
    assert_int_equal(hy_now_us(loop), (HY_SIM_START_MS + 86400000) * UINT64_C(1000));
    assert_int_equal(hy_wall_s(loop), HY_SIM_START_WALL_S + 86400);
}

static void running_for_a_time_leaves_the_clock_at_its_end(void **state)
{
    struct actor actor;

    (void)state;
    actor_init(&actor, 'a');
    hy_timer_start(&actor.timer, 100);
    hy_sim_run_for(sim, 99);
    assert_int_equal(actor.calls, 0);
    assert_int_equal(hy_now_ms(loop), HY_SIM_START_MS + 99);
    hy_sim_run_for(sim, 1);
    assert_int_equal(actor.calls, 1);
    hy_sim_run_until(sim, 5000);
    assert_int_equal(hy_now_ms(loop), 5000);
    hy_sim_run_until(sim, 4000); /* time does not go back */
    assert_int_equal(hy_now_ms(loop), 5000);
}

static bool has_few_calls(void *user)
{
    return ((struct actor *)user)->calls < 3;
}

static void running_while_ends_with_the_predicate_or_the_time(void **state)
{
    struct actor actor;

    (void)state;
    actor_init(&actor, 'a');
    actor.again_ms = 10;
    hy_timer_start(&actor.timer, 10);
    assert_false(hy_sim_run_while(sim, has_few_calls, &actor, 25));
    assert_int_equal(hy_now_ms(loop), HY_SIM_START_MS + 25);
    assert_true(hy_sim_run_while(sim, has_few_calls, &actor, 1000));
    assert_int_equal(hy_now_ms(loop), HY_SIM_START_MS + 30);
    assert_true(hy_sim_run_while(sim, has_few_calls, &actor, 1000));
    hy_timer_stop(&actor.timer);
    actor.calls = 0;
    assert_false(hy_sim_run_while(sim, has_few_calls, &actor, 1000));
    assert_int_equal(hy_now_ms(loop), HY_SIM_START_MS + 1030);
}

static void a_turn_has_the_order_of_the_real_one(void **state)
{
    struct actor timer;
    struct actor post;
    struct actor wake;
    struct hy_wake bell;

    (void)state;
    actor_init(&timer, 't');
    actor_init(&post, 'p');
    actor_init(&wake, 'w');
    hy_wake_init(&bell, loop, on_act, &wake);
    timer.defers = post.defers = wake.defers = true;
    hy_timer_start(&timer.timer, 0);
    hy_wake_send(&bell);
    assert_int_equal(hypha_loop_post(loop, on_act, &post), HYPHA_OK);
    assert_int_equal(hypha_loop_run(loop), HYPHA_OK);
    assert_string_equal(story, "ttwpwp");
    hy_wake_fini(&bell);
}

static void on_stop(void *user)
{
    (void)user;
    hypha_loop_stop(loop);
}

static void stop_ends_a_run_where_it_is(void **state)
{
    struct hy_timer timer;

    (void)state;
    hy_timer_init(&timer, loop, on_stop, NULL);
    hy_timer_start(&timer, 7);
    hy_sim_run_for(sim, 1000);
    assert_int_equal(hy_now_ms(loop), HY_SIM_START_MS + 7);
}

static void chance_comes_from_the_seed(void **state)
{
    struct hy_sim *same = NULL;
    struct hy_sim *other = NULL;
    uint8_t bytes[3][37];

    (void)state;
    assert_int_equal(hy_sim_create(7, &same), HYPHA_OK);
    assert_int_equal(hy_sim_create(8, &other), HYPHA_OK);
    hy_random(loop, bytes[0], sizeof bytes[0]);
    hy_random(hy_sim_loop(same), bytes[1], sizeof bytes[1]);
    hy_random(hy_sim_loop(other), bytes[2], sizeof bytes[2]);
    assert_memory_equal(bytes[0], bytes[1], sizeof bytes[0]);
    assert_memory_not_equal(bytes[0], bytes[2], sizeof bytes[0]);
    hy_sim_destroy(same);
    hy_sim_destroy(other);
}

static void it_has_neither_descriptors_nor_signals(void **state)
{
    struct hy_poll *poll = NULL;
    struct hy_signal *signal = NULL;

    (void)state;
    assert_int_equal(hy_poll_create(loop, 0, HY_POLL_IN, NULL, NULL, &poll), HYPHA_ERR_UNSUPPORTED);
    assert_int_equal(hy_signal_start(loop, 15, NULL, NULL, &signal), HYPHA_ERR_UNSUPPORTED);
}

/* ---- names ---- */

struct lookup {
    struct hy_resolve *resolve;
    int calls;
    enum hypha_err err;
    size_t count;
    uint64_t at_ms;
    char text[2][HY_IP_TEXT_BYTES];
};

static void on_resolved(
    void *user, enum hypha_err err, const struct hy_endpoint *endpoints, size_t count)
{
    struct lookup *lookup = user;

    lookup->calls++;
    lookup->err = err;
    lookup->count = count;
    lookup->at_ms = hy_now_ms(loop);
    for (size_t i = 0; i < count && i < 2; i++) {
        assert_int_equal(endpoints[i].port, 80);
        (void)hy_ip_format(&endpoints[i].ip, lookup->text[i]);
    }
}

static void look_up(struct lookup *lookup, const char *host)
{
    *lookup = (struct lookup){ 0 };
    assert_int_equal(
        hy_resolve_start(loop, host, 80, on_resolved, lookup, &lookup->resolve), HYPHA_OK);
    assert_int_equal(lookup->calls, 0);
}

static void names_are_those_that_were_added(void **state)
{
    struct lookup known;
    struct lookup unknown;
    struct lookup literal;
    struct lookup cancelled;

    (void)state;
    assert_int_equal(hy_sim_add_name(sim, "seed.example", "10.0.0.1"), HYPHA_OK);
    assert_int_equal(hy_sim_add_name(sim, "seed.example", "2001:db8::1"), HYPHA_OK);
    assert_int_equal(hy_sim_add_name(sim, "seed.example", "nonsense"), HYPHA_ERR_INVALID);
    hy_sim_set_resolve_ms(sim, 40);
    look_up(&known, "seed.example");
    look_up(&unknown, "other.example");
    look_up(&literal, "10.1.1.1");
    look_up(&cancelled, "seed.example");
    hy_resolve_cancel(cancelled.resolve);
    assert_int_equal(hypha_loop_run(loop), HYPHA_OK);
    assert_int_equal(known.calls, 1);
    assert_int_equal(known.err, HYPHA_OK);
    assert_int_equal(known.count, 2);
    assert_string_equal(known.text[0], "10.0.0.1");
    assert_string_equal(known.text[1], "2001:db8::1");
    assert_int_equal(known.at_ms, HY_SIM_START_MS + 40);
    assert_int_equal(unknown.calls, 1);
    assert_int_equal(unknown.err, HYPHA_ERR_RESOLVE);
    assert_int_equal(unknown.count, 0);
    assert_int_equal(literal.err, HYPHA_OK);
    assert_int_equal(literal.at_ms, HY_SIM_START_MS);
    assert_int_equal(cancelled.calls, 0);
}

static void a_name_has_at_most_so_many_addresses(void **state)
{
    (void)state;
    for (int i = 0; i < HY_RESOLVE_MAX_ENDPOINTS; i++)
        assert_int_equal(hy_sim_add_name(sim, "many.example", "10.0.0.1"), HYPHA_OK);
    assert_int_equal(hy_sim_add_name(sim, "many.example", "10.0.0.1"), HYPHA_ERR_LIMIT);
}

/* ---- tasks ---- */

struct job {
    struct hy_task *task;
    int worked;
    int done;
    int abandoned;
};

static void on_work(void *user)
{
    ((struct job *)user)->worked++;
}

static void on_done(void *user)
{
    ((struct job *)user)->done++;
}

static void on_abandoned(void *user)
{
    ((struct job *)user)->abandoned++;
}

static void tasks_are_done_in_the_next_turn(void **state)
{
    struct job job = { 0 };
    struct job cancelled = { 0 };

    (void)state;
    assert_int_equal(hy_task_start(loop, on_work, on_done, &job, &job.task), HYPHA_OK);
    assert_int_equal(hy_task_start(loop, on_work, on_done, &cancelled, &cancelled.task), HYPHA_OK);
    assert_int_equal(job.done, 0);
    hy_task_cancel(cancelled.task, on_abandoned);
    assert_int_equal(cancelled.abandoned, 0);
    assert_int_equal(hypha_loop_run(loop), HYPHA_OK);
    assert_int_equal(job.worked, 1);
    assert_int_equal(job.done, 1);
    assert_int_equal(cancelled.done, 0);
    assert_int_equal(cancelled.abandoned, 1);
}

static void destroy_takes_what_is_left(void **state)
{
    struct hy_sim *left = NULL;
    struct job job = { 0 };
    struct job cancelled = { 0 };
    struct hy_resolve *resolve = NULL;
    struct hy_timer timer;

    (void)state;
    assert_int_equal(hy_sim_create(1, &left), HYPHA_OK);
    struct hypha_loop *its = hy_sim_loop(left);
    hy_timer_init(&timer, its, on_stop, NULL);
    hy_timer_start(&timer, 5);
    assert_int_equal(hy_sim_add_name(left, "a.example", "10.0.0.1"), HYPHA_OK);
    assert_int_equal(hypha_loop_post(its, on_stop, NULL), HYPHA_OK);
    assert_int_equal(hy_resolve_start(its, "a.example", 1, NULL, NULL, &resolve), HYPHA_OK);
    assert_int_equal(hy_task_start(its, on_work, on_done, &job, &job.task), HYPHA_OK);
    assert_int_equal(hy_task_start(its, on_work, on_done, &cancelled, &cancelled.task), HYPHA_OK);
    hy_task_cancel(cancelled.task, on_abandoned);
    hypha_loop_destroy(its);
    assert_int_equal(job.done, 0);
    assert_int_equal(cancelled.abandoned, 1);
    hy_sim_destroy(NULL);
}

static void a_refused_allocation_is_an_error(void **state)
{
    struct hy_sim *other = NULL;
    struct hy_transport *transport = NULL;
    size_t n = 0;
    enum hypha_err err;

    (void)state;
    do {
        hy_alloc_fail_after(n++);
        err = hy_sim_create(1, &other);
        if (err == HYPHA_OK)
            err = hy_sim_add_name(other, "a.example", "10.0.0.1");
        if (err == HYPHA_OK)
            err = hy_sim_transport_create(other, "tcp", "10.0.0.1", &transport);
        hy_alloc_fail_after(SIZE_MAX);
        if (err != HYPHA_OK) {
            assert_int_equal(err, HYPHA_ERR_NOMEM);
            hy_sim_destroy(other);
            other = NULL;
        }
    } while (err != HYPHA_OK);
    assert_true(n > 5);
    hy_transport_destroy(transport);
    hy_sim_destroy(other);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
    const struct CMUnitTest tests[] = {
        TEST(time_jumps_to_the_next_timer),
        TEST(running_for_a_time_leaves_the_clock_at_its_end),
        TEST(running_while_ends_with_the_predicate_or_the_time),
        TEST(a_turn_has_the_order_of_the_real_one),
        TEST(stop_ends_a_run_where_it_is),
        TEST(chance_comes_from_the_seed),
        TEST(it_has_neither_descriptors_nor_signals),
        TEST(names_are_those_that_were_added),
        TEST(a_name_has_at_most_so_many_addresses),
        TEST(tasks_are_done_in_the_next_turn),
        TEST(destroy_takes_what_is_left),
        TEST(a_refused_allocation_is_an_error),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
