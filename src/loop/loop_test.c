/* loop_test.c - the real loop: the order of a turn, deferred calls, wakes, posts, and what is
 * left at the end. Polls, names, tasks and signals: loop_uv_test.c. */
#include "loop/loop.h"

#include "base/alloc.h"

#include <pthread.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
/* cmocka wants the above first */
#include <cmocka.h>

static struct hypha_loop *loop;
static char story[256];

static int set_up(void **state)
{
    (void)state;
    story[0] = '\0';
    return hypha_loop_create(&loop) == HYPHA_OK ? 0 : -1;
}

static int tear_down(void **state)
{
    (void)state;
    hypha_loop_destroy(loop);
    return 0;
}

static void run(void)
{
    assert_int_equal(hypha_loop_run(loop), HYPHA_OK);
}

/* Something that may run: writes its letter, then does what it was told. */
struct actor {
    char letter;
    struct hy_timer timer;
    struct hy_defer defer;
    struct hy_wake wake;
    struct hy_defer *defers;   /* asked for */
    struct hy_defer *undefers; /* stopped */
    struct actor *posts;
    struct hy_wake *wakes;
    int times; /* it asks for itself */
};

static void on_act(void *user)
{
    struct actor *actor = user;
    size_t len = strlen(story);

    if (len + 1 < sizeof story) {
        story[len] = actor->letter;
        story[len + 1] = '\0';
    }
    if (actor->defers != NULL)
        hy_defer_start(actor->defers);
    if (actor->undefers != NULL)
        hy_defer_stop(actor->undefers);
    if (actor->posts != NULL)
        assert_int_equal(hypha_loop_post(loop, on_act, actor->posts), HYPHA_OK);
    if (actor->wakes != NULL)
        hy_wake_send(actor->wakes);
    if (actor->times > 0 && --actor->times > 0)
        hy_defer_start(&actor->defer);
}

static void actor_init(struct actor *actor, char letter)
{
    *actor = (struct actor){ .letter = letter };
    hy_timer_init(&actor->timer, loop, on_act, actor);
    hy_defer_init(&actor->defer, loop, on_act, actor);
}

/* ---- the turn ---- */

static void returns_when_nothing_is_left(void **state)
{
    struct hy_wake wake;

    (void)state;
    run();
    hy_wake_init(&wake, loop, on_act, NULL); /* a wake alone keeps nothing alive */
    run();
    hy_wake_fini(&wake);
}

static void a_turn_is_timers_defers_wakes_posts_defers(void **state)
{
    struct actor timer;
    struct actor late;
    struct actor defer;
    struct actor wake;
    struct actor post;
    struct actor last;

    (void)state;
    actor_init(&timer, 't');
    actor_init(&late, 'l');
    actor_init(&defer, 'd');
    actor_init(&wake, 'w');
    actor_init(&post, 'p');
    actor_init(&last, 'e');
    hy_wake_init(&wake.wake, loop, on_act, &wake);
    timer.defers = &defer.defer;
    timer.wakes = &wake.wake;
    timer.posts = &post;
    wake.defers = &last.defer;
    hy_timer_start(&timer.timer, 0);
    hy_timer_start(&late.timer, 250);
    run();
    hy_wake_fini(&wake.wake);
    assert_string_equal(story, "tdwpel");
}

static void a_defer_asked_for_by_a_timer_runs_before_the_poll_blocks(void **state)
{
    struct actor timer;
    struct actor defer;
    struct actor far;
    uint64_t begin_us = hy_now_us(loop);

    (void)state;
    actor_init(&timer, 't');
    actor_init(&defer, 'd');
    actor_init(&far, 'f');
    timer.defers = &defer.defer;
    defer.undefers = &far.defer;
    hy_timer_start(&far.timer, 200);
    hy_timer_start(&timer.timer, 1);
    far.posts = NULL;
    run();
    assert_string_equal(story, "tdf");
    assert_true(hy_now_us(loop) - begin_us >= 199000);
}

static void defers_are_fifo_and_once(void **state)
{
    struct actor a;
    struct actor b;

    (void)state;
    actor_init(&a, 'a');
    actor_init(&b, 'b');
    hy_defer_start(&b.defer);
    hy_defer_start(&a.defer);
    hy_defer_start(&b.defer);
    run();
    assert_string_equal(story, "ba");
}

static void defers_may_stop_and_ask_for_others_and_themselves(void **state)
{
    struct actor a;
    struct actor b;
    struct actor c;

    (void)state;
    actor_init(&a, 'a');
    actor_init(&b, 'b');
    actor_init(&c, 'c');
    a.undefers = &b.defer;
    a.defers = &c.defer;
    a.times = 3;
    hy_defer_start(&a.defer);
    hy_defer_start(&b.defer);
    run();
    assert_string_equal(story,
        "acaca"
        "c");
}

static void on_chain(void *user)
{
    hy_defer_start(user);
}

static void on_stop(void *user)
{
    (void)user;
    hypha_loop_stop(loop);
}

static void an_endless_chain_of_defers_starves_nobody(void **state)
{
    struct hy_defer chain;
    struct hy_timer timer;

    (void)state;
    hy_defer_init(&chain, loop, on_chain, &chain);
    hy_timer_init(&timer, loop, on_stop, NULL);
    hy_defer_start(&chain);
    hy_timer_start(&timer, 3);
    run();
    hy_defer_stop(&chain);
}

static void stop_ends_after_this_turn(void **state)
{
    struct actor post;
    struct actor defer;
    struct hy_timer timer;
    struct actor never;

    (void)state;
    actor_init(&post, 'p');
    actor_init(&defer, 'd');
    actor_init(&never, 'n');
    hy_timer_init(&timer, loop, on_stop, NULL);
    post.defers = &defer.defer;
    hy_timer_start(&timer, 0);
    hy_timer_start(&never.timer, 3600000);
    assert_int_equal(hypha_loop_post(loop, on_act, &post), HYPHA_OK);
    run();
    assert_string_equal(story, "pd");
    hy_timer_stop(&never.timer);
    run(); /* and goes on when asked again */
    assert_string_equal(story, "pd");
}

static void on_run_inside(void *user)
{
    *(enum hypha_err *)user = hypha_loop_run(loop);
}

static void run_inside_the_loop_is_refused(void **state)
{
    enum hypha_err err = HYPHA_OK;

    (void)state;
    assert_int_equal(hypha_loop_post(loop, on_run_inside, &err), HYPHA_OK);
    run();
    assert_int_equal(err, HYPHA_ERR_STATE);
}

static void on_time(void *user)
{
    uint64_t *times = user;
    uint64_t begin_us = hy_now_us(loop);

    times[0] = hypha_loop_now_ms(loop);
    while (hy_now_us(loop) - begin_us < 3000) {
    }
    times[1] = hy_now_ms(loop);
}

static void time_stands_still_within_a_callback(void **state)
{
    struct hy_timer timer;
    uint64_t times[2] = { 0 };

    (void)state;
    hy_timer_init(&timer, loop, on_time, times);
    hy_timer_start(&timer, 1);
    run();
    assert_true(times[0] > 0);
    assert_int_equal(times[0], times[1]);
}

static void timers_are_never_early(void **state)
{
    struct actor actor;
    uint64_t begin_ms;

    (void)state;
    actor_init(&actor, 't');
    hy_timer_start(&actor.timer, 0);
    run();
    begin_ms = hy_now_ms(loop);
    hy_timer_start(&actor.timer, 20);
    run();
    assert_true(hy_now_ms(loop) - begin_ms >= 20);
    assert_string_equal(story, "tt");
}

/* ---- from other threads and handlers ---- */

#define POSTERS      4
#define POSTS        5000
#define LAST_POST(n) ((n) % POSTS == POSTS - 1)

static int next_post[POSTERS];
static int posters_done;
static struct hy_timer alive;

static void on_posted(void *user)
{
    int number = (int)(intptr_t)user;

    assert_int_equal(number % POSTS, next_post[number / POSTS]++);
    if (LAST_POST(number) && ++posters_done == POSTERS)
        hy_timer_stop(&alive);
}

static void *post_many(void *user)
{
    int poster = *(int *)user;

    for (int i = 0; i < POSTS; i++) {
        if (hypha_loop_post(loop, on_posted, (void *)(intptr_t)(poster * POSTS + i)) != HYPHA_OK)
            abort();
    }
    return NULL;
}

static void posts_of_each_thread_keep_their_order(void **state)
{
    pthread_t threads[POSTERS];
    int numbers[POSTERS];

    (void)state;
    memset(next_post, 0, sizeof next_post);
    posters_done = 0;
    hy_timer_init(&alive, loop, on_stop, NULL);
    hy_timer_start(&alive, 60000);
    for (int i = 0; i < POSTERS; i++) {
        numbers[i] = i;
        assert_int_equal(pthread_create(&threads[i], NULL, post_many, &numbers[i]), 0);
    }
    run();
    for (int i = 0; i < POSTERS; i++) {
        assert_int_equal(pthread_join(threads[i], NULL), 0);
        assert_int_equal(next_post[i], POSTS);
    }
}

#define WAKES 1000

static struct hy_wake rouse;
static atomic_int rounds; /* odd: the thread's turn to send; even: the loop's to hear */
static int heard;

static void on_heard(void *user)
{
    (void)user;
    heard++;
    if (heard == WAKES)
        hy_timer_stop(&alive);
    else
        atomic_fetch_add(&rounds, 1);
}

static void *wake_many(void *user)
{
    (void)user;
    for (int i = 0; i < WAKES; i++) {
        while (atomic_load(&rounds) != i)
            (void)sched_yield();
        hy_wake_send(&rouse);
    }
    return NULL;
}

/* None is lost: each is sent only after the one before was heard. */
static void a_wake_from_a_thread_is_heard(void **state)
{
    pthread_t thread;

    (void)state;
    heard = 0;
    atomic_store(&rounds, 0);
    hy_wake_init(&rouse, loop, on_heard, NULL);
    hy_timer_init(&alive, loop, on_stop, NULL);
    hy_timer_start(&alive, 60000);
    assert_int_equal(pthread_create(&thread, NULL, wake_many, NULL), 0);
    run();
    assert_int_equal(pthread_join(thread, NULL), 0);
    assert_int_equal(heard, WAKES);
    hy_wake_fini(&rouse);
}

static void on_signal(int signum)
{
    (void)signum;
    hy_wake_send(&rouse);
    hy_wake_send(&rouse);
}

static void on_raise(void *user)
{
    (void)user;
    assert_int_equal(raise(SIGUSR2), 0);
}

static void on_roused(void *user)
{
    (void)user;
    heard++;
    hy_timer_stop(&alive);
}

static void wakes_from_a_signal_handler_are_one_call(void **state)
{
    struct sigaction action = { .sa_handler = on_signal };
    struct sigaction before;

    (void)state;
    heard = 0;
    assert_int_equal(sigaction(SIGUSR2, &action, &before), 0);
    hy_wake_init(&rouse, loop, on_roused, NULL);
    hy_timer_init(&alive, loop, on_stop, NULL);
    hy_timer_start(&alive, 60000);
    assert_int_equal(hypha_loop_post(loop, on_raise, NULL), HYPHA_OK);
    run();
    assert_int_equal(heard, 1);
    hy_wake_fini(&rouse);
    assert_int_equal(sigaction(SIGUSR2, &before, NULL), 0);
}

struct twin {
    struct hy_wake wake;
    struct twin *other;
    int calls;
};

static void on_twin(void *user)
{
    struct twin *twin = user;

    twin->calls++;
    hy_wake_fini(&twin->other->wake);
    hy_wake_fini(&twin->wake);
}

static void a_wake_may_end_another_and_itself(void **state)
{
    struct twin a = { .calls = 0 };
    struct twin b = { .other = &a };
    struct actor post;

    (void)state;
    a.other = &b;
    actor_init(&post, 'p');
    hy_wake_init(&a.wake, loop, on_twin, &a);
    hy_wake_init(&b.wake, loop, on_twin, &b);
    hy_wake_send(&a.wake);
    hy_wake_send(&b.wake);
    assert_int_equal(hypha_loop_post(loop, on_act, &post), HYPHA_OK);
    run();
    assert_int_equal(a.calls + b.calls, 1);
}

/* ---- the end, and the lack of memory ---- */

static void destroy_takes_what_is_left(void **state)
{
    struct hypha_loop *left = NULL;
    struct hy_timer timer;
    struct hy_defer defer;
    struct hy_wake wake;
    int fds[2];
    struct hy_poll *poll = NULL;
    struct hy_resolve *resolve = NULL;
    struct hy_signal *watch = NULL;

    (void)state;
    hypha_loop_destroy(NULL);
    assert_int_equal(hypha_loop_create(&left), HYPHA_OK);
    hy_timer_init(&timer, left, on_stop, NULL);
    hy_timer_start(&timer, 1000);
    hy_defer_init(&defer, left, on_stop, NULL);
    hy_defer_start(&defer);
    hy_wake_init(&wake, left, on_stop, NULL);
    hy_wake_send(&wake);
    assert_int_equal(hypha_loop_post(left, on_stop, NULL), HYPHA_OK);
    assert_int_equal(pipe(fds), 0);
    assert_int_equal(hy_poll_create(left, fds[0], HY_POLL_IN, NULL, NULL, &poll), HYPHA_OK);
    assert_int_equal(hy_resolve_start(left, "localhost", 1, NULL, NULL, &resolve), HYPHA_OK);
    assert_int_equal(hy_resolve_start(left, "::1", 1, NULL, NULL, &resolve), HYPHA_OK);
    assert_int_equal(hy_signal_start(left, SIGUSR2, NULL, NULL, &watch), HYPHA_OK);
    hypha_loop_destroy(left);
    (void)close(fds[0]);
    (void)close(fds[1]);
}

static void a_refused_allocation_is_an_error(void **state)
{
    struct hypha_loop *other = NULL;
    size_t n = 0;
    enum hypha_err err;

    (void)state;
    do {
        hy_alloc_fail_after(n++);
        err = hypha_loop_create(&other);
        hy_alloc_fail_after(SIZE_MAX);
        assert_true(err == HYPHA_OK || err == HYPHA_ERR_NOMEM);
        assert_true((other != NULL) == (err == HYPHA_OK));
    } while (err != HYPHA_OK);
    assert_int_equal(n, 4);
    hypha_loop_destroy(other);

    struct hy_poll *poll = NULL;
    struct hy_resolve *resolve = NULL;
    struct hy_signal *watch = NULL;
    struct hy_task *task = NULL;
    hy_alloc_fail_after(0);
    enum hypha_err errs[] = {
        hypha_loop_post(loop, on_stop, NULL),
        hy_poll_create(loop, 0, HY_POLL_IN, NULL, NULL, &poll),
        hy_resolve_start(loop, "localhost", 1, NULL, NULL, &resolve),
        hy_signal_start(loop, SIGUSR2, NULL, NULL, &watch),
        hy_task_start(loop, on_stop, on_stop, NULL, &task),
    };
    hy_alloc_fail_after(SIZE_MAX);
    for (size_t i = 0; i < sizeof errs / sizeof *errs; i++)
        assert_int_equal(errs[i], HYPHA_ERR_NOMEM);
    run();
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
    const struct CMUnitTest tests[] = {
        TEST(returns_when_nothing_is_left),
        TEST(a_turn_is_timers_defers_wakes_posts_defers),
        TEST(a_defer_asked_for_by_a_timer_runs_before_the_poll_blocks),
        TEST(defers_are_fifo_and_once),
        TEST(defers_may_stop_and_ask_for_others_and_themselves),
        TEST(an_endless_chain_of_defers_starves_nobody),
        TEST(stop_ends_after_this_turn),
        TEST(run_inside_the_loop_is_refused),
        TEST(time_stands_still_within_a_callback),
        TEST(timers_are_never_early),
        TEST(posts_of_each_thread_keep_their_order),
        TEST(a_wake_from_a_thread_is_heard),
        TEST(wakes_from_a_signal_handler_are_one_call),
        TEST(a_wake_may_end_another_and_itself),
        TEST(destroy_takes_what_is_left),
        TEST(a_refused_allocation_is_an_error),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
