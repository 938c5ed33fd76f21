/* resolve_blocked_test.c - a name server that is silent holds up nobody: the loop turns on.
 *
 * The system's getaddrinfo() is replaced by one that does not return before the loop has turned. */
#include "loop/loop.h"

#include <netdb.h>
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <string.h>
#include <unistd.h>
/* cmocka wants the above first */
#include <cmocka.h>

#define LOOKUPS 3
#define GUARD_S 30U /* on the loop's thread it would never return: the alarm ends the test */

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t moved = PTHREAD_COND_INITIALIZER;
static unsigned asked, answered;
static bool may_answer;

/* Takes the place of the library's: by its symbol, as the header's parameters have reserved names.
 */
int silent_getaddrinfo(const char *host, const char *service, const struct addrinfo *hints,
    struct addrinfo **ret_infos) __asm__("getaddrinfo");
int silent_getaddrinfo(const char *host, const char *service, const struct addrinfo *hints,
    struct addrinfo **ret_infos)
{
    (void)host;
    (void)service;
    (void)hints;
    *ret_infos = NULL;
    pthread_mutex_lock(&lock);
    asked++;
    pthread_cond_broadcast(&moved);
    while (!may_answer)
        pthread_cond_wait(&moved, &lock);
    pthread_mutex_unlock(&lock);
    return EAI_AGAIN;
}

static void on_resolved(
    void *user, enum hypha_err err, const struct hy_endpoint *endpoints, size_t count)
{
    (void)user;
    (void)endpoints;
    assert_true(may_answer); /* the loop has turned meanwhile */
    assert_int_equal(err, HYPHA_ERR_RESOLVE);
    assert_int_equal(count, 0);
    answered++;
}

static void on_turn(void *user)
{
    (void)user;
    pthread_mutex_lock(&lock);
    while (asked < LOOKUPS) /* all of them wait for the name server now, side by side */
        pthread_cond_wait(&moved, &lock);
    assert_int_equal(answered, 0);
    may_answer = true;
    pthread_cond_broadcast(&moved);
    pthread_mutex_unlock(&lock);
}

/* spec: network.md MUST 6.1-c: not one turn waits for a name server */
static void the_loop_turns_while_lookups_block(void **state)
{
    struct hy_resolve *resolves[LOOKUPS];
    struct hypha_loop *loop = NULL;
    struct hy_timer timer;

    (void)state;
    (void)alarm(GUARD_S);
    assert_int_equal(hypha_loop_create(&loop), HYPHA_OK);
    for (size_t i = 0; i < LOOKUPS; i++)
        assert_int_equal(
            hy_resolve_start(loop, "silent.example", 1, on_resolved, NULL, &resolves[i]), HYPHA_OK);
    hy_timer_init(&timer, loop, on_turn, NULL);
    hy_timer_start(&timer, 0);
    assert_int_equal(hypha_loop_run(loop), HYPHA_OK);
    assert_int_equal(answered, LOOKUPS);
    hypha_loop_destroy(loop);
    (void)alarm(0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_loop_turns_while_lookups_block),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
