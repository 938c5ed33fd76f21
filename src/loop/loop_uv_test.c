/* loop_uv_test.c - descriptors, names, tasks and signals on the real loop. */
#include "loop/loop.h"

#include "base/alloc.h"

#include <pthread.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>
/* cmocka wants the above first */
#include <arpa/inet.h>
#include <cmocka.h>

static struct hypha_loop *loop;

static int set_up(void **state)
{
    (void)state;
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

static void never(void *user)
{
    (void)user;
    fail();
}

/* ---- polls ---- */

struct watch {
    int fds[2]; /* watched, its peer */
    struct hy_poll *poll;
    unsigned seen[8];
    int calls;
    int last_call;       /* destroy it then, */
    struct watch *other; /* and this one */
};

static void watch_end(struct watch *watch)
{
    hy_poll_destroy(watch->poll);
    assert_int_equal(close(watch->fds[0]), 0); /* at once: nothing of it is watched any more */
    assert_int_equal(close(watch->fds[1]), 0);
    watch->poll = NULL;
}

static void on_poll(void *user, unsigned events)
{
    struct watch *watch = user;

    assert_non_null(watch->poll);
    watch->seen[watch->calls++] = events;
    if (watch->calls != watch->last_call)
        return;
    watch_end(watch);
    if (watch->other != NULL)
        watch_end(watch->other);
}

static void watch_begin(struct watch *watch, unsigned events, int last_call)
{
    *watch = (struct watch){ .last_call = last_call };
    assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, watch->fds), 0);
    assert_int_equal(
        hy_poll_create(loop, watch->fds[0], events, on_poll, watch, &watch->poll), HYPHA_OK);
}

static void poll_tells_what_is_possible(void **state)
{
    struct watch reader;
    struct watch writer;
    struct watch both;

    (void)state;
    watch_begin(&reader, HY_POLL_IN, 1);
    watch_begin(&writer, HY_POLL_OUT, 1);
    watch_begin(&both, HY_POLL_IN | HY_POLL_OUT, 1);
    assert_int_equal(write(reader.fds[1], "x", 1), 1);
    assert_int_equal(write(both.fds[1], "x", 1), 1);
    run();
    assert_int_equal(reader.seen[0], HY_POLL_IN);
    assert_int_equal(writer.seen[0], HY_POLL_OUT);
    assert_int_equal(both.seen[0], HY_POLL_IN | HY_POLL_OUT);
}

static void poll_is_level_triggered(void **state)
{
    struct watch watch;

    (void)state;
    watch_begin(&watch, HY_POLL_IN, 3);
    assert_int_equal(write(watch.fds[1], "x", 1), 1);
    run();
    assert_int_equal(watch.calls, 3);
}

static void on_quiet(void *user)
{
    struct watch *watch = user;

    assert_int_equal(watch->calls, 0);
    assert_int_equal(hy_poll_update(watch->poll, HY_POLL_IN), HYPHA_OK);
}

static void poll_of_no_events_waits_for_an_update(void **state)
{
    struct watch watch;
    struct hy_timer timer;

    (void)state;
    watch_begin(&watch, 0, 1);
    assert_int_equal(write(watch.fds[1], "x", 1), 1);
    hy_timer_init(&timer, loop, on_quiet, &watch);
    hy_timer_start(&timer, 5);
    run();
    assert_int_equal(watch.calls, 1);
}

static void poll_sees_the_end_of_the_peer(void **state)
{
    struct watch watch;

    (void)state;
    watch_begin(&watch, HY_POLL_IN, 1);
    assert_int_equal(shutdown(watch.fds[1], SHUT_RDWR), 0);
    run();
    assert_true((watch.seen[0] & HY_POLL_IN) != 0);
}

/* A refused datagram is an error condition that reading clears: the watch goes on behind it. */
static void poll_goes_on_after_an_error(void **state)
{
    struct sockaddr_in where = { .sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
    socklen_t len = sizeof where;
    struct watch watch = { .last_call = 2 };
    int closed = socket(AF_INET, SOCK_DGRAM, 0);

    (void)state;
    assert_int_equal(bind(closed, (struct sockaddr *)&where, len), 0);
    assert_int_equal(getsockname(closed, (struct sockaddr *)&where, &len), 0);
    assert_int_equal(close(closed), 0);
    watch.fds[0] = socket(AF_INET, SOCK_DGRAM | SOCK_NONBLOCK, 0);
    watch.fds[1] = dup(watch.fds[0]);
    assert_int_equal(connect(watch.fds[0], (struct sockaddr *)&where, len), 0);
    assert_int_equal(
        hy_poll_create(loop, watch.fds[0], HY_POLL_IN, on_poll, &watch, &watch.poll), HYPHA_OK);
    assert_int_equal(send(watch.fds[0], "x", 1, 0), 1);
    run(); /* never read, so told again */
    assert_int_equal(watch.calls, 2);
    assert_int_equal(watch.seen[0], HY_POLL_IN | HY_POLL_OUT);
}

static void poll_destroyed_by_another_of_the_same_turn_is_silent(void **state)
{
    struct watch watches[2];

    (void)state;
    watch_begin(&watches[0], HY_POLL_IN, 1);
    watch_begin(&watches[1], HY_POLL_IN, 1);
    watches[0].other = &watches[1];
    watches[1].other = &watches[0];
    assert_int_equal(write(watches[0].fds[1], "x", 1), 1);
    assert_int_equal(write(watches[1].fds[1], "x", 1), 1);
    run();
    assert_int_equal(watches[0].calls + watches[1].calls, 1);
}

struct heir {
    struct watch first;
    struct watch second;
};

static void on_heir(void *user, unsigned events)
{
    struct heir *heir = user;
    int fd = heir->first.fds[0];

    (void)events;
    watch_end(&heir->first);
    watch_begin(&heir->second, HY_POLL_IN, 1);
    assert_int_equal(heir->second.fds[0], fd);
    assert_int_equal(write(heir->second.fds[1], "x", 1), 1);
}

static void a_descriptor_is_watched_again_under_the_same_number(void **state)
{
    struct heir heir = { .first = { .calls = 0 } };

    (void)state;
    assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, heir.first.fds), 0);
    assert_int_equal(
        hy_poll_create(loop, heir.first.fds[0], HY_POLL_IN, on_heir, &heir, &heir.first.poll),
        HYPHA_OK);
    assert_int_equal(write(heir.first.fds[1], "x", 1), 1);
    run();
    assert_int_equal(heir.second.calls, 1);
}

static void a_descriptor_that_cannot_be_watched_is_an_error(void **state)
{
    struct hy_poll *poll = NULL;
    char path[] = "/tmp/hypha-loop-test-XXXXXX";
    int file = mkstemp(path);

    (void)state;
    assert_true(hy_poll_create(loop, file, HY_POLL_IN, on_poll, NULL, &poll) < 0);
    assert_true(hy_poll_create(loop, -1, HY_POLL_IN, on_poll, NULL, &poll) < 0);
    assert_null(poll);
    assert_int_equal(close(file), 0);
    assert_int_equal(unlink(path), 0);
    run();
}

/* ---- names ---- */

struct lookup {
    struct hy_resolve *resolve;
    int calls;
    enum hypha_err err;
    struct hy_endpoint endpoints[HY_RESOLVE_MAX_ENDPOINTS];
    size_t count;
};

static void on_resolved(
    void *user, enum hypha_err err, const struct hy_endpoint *endpoints, size_t count)
{
    struct lookup *lookup = user;

    lookup->calls++;
    lookup->err = err;
    lookup->count = count;
    if (count > 0)
        memcpy(lookup->endpoints, endpoints, count * sizeof *endpoints);
}

static void look_up(struct lookup *lookup, const char *host)
{
    *lookup = (struct lookup){ 0 };
    assert_int_equal(
        hy_resolve_start(loop, host, 9000, on_resolved, lookup, &lookup->resolve), HYPHA_OK);
    assert_int_equal(lookup->calls, 0);
}

static void literals_are_answered(void **state)
{
    static const char *const literals[] = { "127.0.0.1", "::1", "203.0.113.7", "2001:db8::1" };

    (void)state;
    for (size_t i = 0; i < sizeof literals / sizeof *literals; i++) {
        struct lookup lookup;
        char text[HY_IP_TEXT_BYTES];

        look_up(&lookup, literals[i]);
        run();
        assert_int_equal(lookup.calls, 1);
        assert_int_equal(lookup.err, HYPHA_OK);
        assert_int_equal(lookup.count, 1);
        assert_int_equal(lookup.endpoints[0].port, 9000);
        assert_string_equal(hy_ip_format(&lookup.endpoints[0].ip, text), literals[i]);
    }
}

static void localhost_is_loopback_without_duplicates(void **state)
{
    struct lookup lookup;

    (void)state;
    look_up(&lookup, "localhost");
    run();
    assert_int_equal(lookup.calls, 1);
    assert_int_equal(lookup.err, HYPHA_OK);
    assert_in_range(lookup.count, 1, 2);
    for (size_t i = 0; i < lookup.count; i++) {
        assert_true(hy_ip_is_loopback(&lookup.endpoints[i].ip));
        assert_int_equal(lookup.endpoints[i].port, 9000);
    }
    if (lookup.count == 2)
        assert_false(hy_ip_equal(&lookup.endpoints[0].ip, &lookup.endpoints[1].ip));
}

static void names_that_cannot_be_fail_later(void **state)
{
    char long_name[300];
    const char *const names[] = { "", "a..b", "no such name", long_name };

    (void)state;
    memset(long_name, 'a', sizeof long_name - 1);
    long_name[sizeof long_name - 1] = '\0';
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        struct lookup lookup;

        look_up(&lookup, names[i]);
        run();
        assert_int_equal(lookup.calls, 1);
        assert_int_equal(lookup.err, HYPHA_ERR_RESOLVE);
        assert_int_equal(lookup.count, 0);
    }
}

static void a_cancelled_lookup_is_silent(void **state)
{
    struct lookup on_thread;
    struct lookup literal;

    (void)state;
    for (int i = 0; i < 50; i++) {
        look_up(&on_thread, "localhost");
        look_up(&literal, "127.0.0.1");
        hy_resolve_cancel(on_thread.resolve);
        hy_resolve_cancel(literal.resolve);
        run(); /* returns at once: nothing is waited for */
        assert_int_equal(on_thread.calls + literal.calls, 0);
    }
    hy_resolve_cancel(NULL);
}

static void lookups_side_by_side_all_come(void **state)
{
    static struct lookup lookups[64];

    (void)state;
    for (size_t i = 0; i < 64; i++)
        look_up(&lookups[i], i % 2 == 0 ? "localhost" : "127.0.0.1");
    run();
    for (size_t i = 0; i < 64; i++)
        assert_int_equal(lookups[i].calls, 1);
}

/* ---- tasks ---- */

struct job {
    struct hy_task *task;
    pthread_t worker;
    atomic_int worked;
    int done;
    int abandoned;
};

/* Holds the works that wait for it: no test sleeps. */
static pthread_mutex_t gate = PTHREAD_MUTEX_INITIALIZER;

static void on_work(void *user)
{
    struct job *job = user;

    job->worker = pthread_self();
    (void)pthread_mutex_lock(&gate);
    (void)pthread_mutex_unlock(&gate);
    atomic_fetch_add(&job->worked, 1);
}

static void on_done(void *user)
{
    struct job *job = user;

    assert_int_equal(atomic_load(&job->worked), 1);
    job->done++;
}

static void on_abandoned(void *user)
{
    struct job *job = user;

    job->abandoned++;
}

static void a_task_works_elsewhere_and_is_done_here(void **state)
{
    struct job job = { .done = 0 };

    (void)state;
    assert_int_equal(hy_task_start(loop, on_work, on_done, &job, &job.task), HYPHA_OK);
    run();
    assert_int_equal(job.done, 1);
    assert_false(pthread_equal(job.worker, pthread_self()));
}

/* More than the pool has threads: some have begun, the others never will. */
static void cancelled_tasks_are_abandoned_once(void **state)
{
    static struct job jobs[16];
    int worked = 0;

    (void)state;
    memset(jobs, 0, sizeof jobs);
    (void)pthread_mutex_lock(&gate);
    for (size_t i = 0; i < 16; i++)
        assert_int_equal(hy_task_start(loop, on_work, on_done, &jobs[i], &jobs[i].task), HYPHA_OK);
    for (size_t i = 0; i < 16; i++)
        hy_task_cancel(jobs[i].task, on_abandoned);
    run(); /* they keep nothing alive */
    (void)pthread_mutex_unlock(&gate);
    hypha_loop_destroy(loop); /* waits for those that had begun */
    for (size_t i = 0; i < 16; i++) {
        assert_int_equal(jobs[i].abandoned, 1);
        assert_int_equal(jobs[i].done, 0);
        worked += atomic_load(&jobs[i].worked);
    }
    assert_true(worked < 16);
    assert_int_equal(hypha_loop_create(&loop), HYPHA_OK);
    hy_task_cancel(NULL, on_abandoned);
}

static void a_task_left_at_the_end_is_waited_for(void **state)
{
    struct job job = { .done = 0 };

    (void)state;
    assert_int_equal(hy_task_start(loop, on_work, on_done, &job, &job.task), HYPHA_OK);
    hypha_loop_destroy(loop);
    assert_int_equal(job.done, 0);
    assert_int_equal(hypha_loop_create(&loop), HYPHA_OK);
}

/* ---- signals ---- */

struct trap {
    struct hy_signal *signal;
    struct hy_timer alive;
    int calls;
    int signum;
};

static void on_signal(void *user, int signum)
{
    struct trap *trap = user;

    trap->calls++;
    trap->signum = signum;
    hy_signal_stop(trap->signal);
    hy_timer_stop(&trap->alive);
}

static void on_raise(void *user)
{
    (void)user;
    assert_int_equal(raise(SIGTERM), 0);
}

static void a_signal_is_told_on_the_loop(void **state)
{
    struct trap trap = { .calls = 0 };

    (void)state;
    hy_timer_init(&trap.alive, loop, never, NULL);
    hy_timer_start(&trap.alive, 60000);
    assert_int_equal(hy_signal_start(loop, SIGTERM, on_signal, &trap, &trap.signal), HYPHA_OK);
    assert_int_equal(hypha_loop_post(loop, on_raise, NULL), HYPHA_OK);
    run();
    assert_int_equal(trap.calls, 1);
    assert_int_equal(trap.signum, SIGTERM);
}

static void a_watched_signal_keeps_nothing_alive(void **state)
{
    struct trap trap = { .calls = 0 };
    struct sigaction action;

    (void)state;
    assert_int_equal(hy_signal_start(loop, SIGHUP, on_signal, &trap, &trap.signal), HYPHA_OK);
    run();
    hy_signal_stop(trap.signal);
    run();
    hy_signal_stop(NULL);
    assert_int_equal(sigaction(SIGHUP, NULL, &action), 0);
    assert_ptr_equal(action.sa_handler, SIG_DFL);
}

static void what_is_no_signal_is_invalid(void **state)
{
    struct hy_signal *signal = NULL;

    (void)state;
    assert_int_equal(hy_signal_start(loop, 0, on_signal, NULL, &signal), HYPHA_ERR_INVALID);
    assert_int_equal(hy_signal_start(loop, 9999, on_signal, NULL, &signal), HYPHA_ERR_INVALID);
    assert_null(signal);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
    const struct CMUnitTest tests[] = {
        TEST(poll_tells_what_is_possible),
        TEST(poll_is_level_triggered),
        TEST(poll_of_no_events_waits_for_an_update),
        TEST(poll_sees_the_end_of_the_peer),
        TEST(poll_goes_on_after_an_error),
        TEST(poll_destroyed_by_another_of_the_same_turn_is_silent),
        TEST(a_descriptor_is_watched_again_under_the_same_number),
        TEST(a_descriptor_that_cannot_be_watched_is_an_error),
        TEST(literals_are_answered),
        TEST(localhost_is_loopback_without_duplicates),
        TEST(names_that_cannot_be_fail_later),
        TEST(a_cancelled_lookup_is_silent),
        TEST(lookups_side_by_side_all_come),
        TEST(a_task_works_elsewhere_and_is_done_here),
        TEST(cancelled_tasks_are_abandoned_once),
        TEST(a_task_left_at_the_end_is_waited_for),
        TEST(a_signal_is_told_on_the_loop),
        TEST(a_watched_signal_keeps_nothing_alive),
        TEST(what_is_no_signal_is_invalid),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
