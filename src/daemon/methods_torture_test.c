/* methods_torture_test.c - every method, while its nth allocation fails: a result or an error; the
 * daemon lives, nothing leaks, and the next call is answered. */
#include "base/alloc.h"
#include "daemon/daemon_internal.h"
#include "rpc/client.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
/* cmocka wants the above first */
#include <cmocka.h>

static const struct hy_daemon_program program = {
    .name = "test", .app_version = "1.2.3", .network = true
};
static struct hy_daemon daemon;
static struct hypha_p2p *p2p;

static const struct {
    const char *method, *params; /* NULL: [] */
    size_t undone_by;            /* the call that must follow; 0: none */
} calls[] = {
    { "ping", NULL, 0 },
    { "dnet.switch", "[false]", 0 },
    { "net.unban", "[\"tcp://192.0.2.1:5\"]", 0 },
    { "net.disconnect", "[\"tcp://127.0.0.1:1\"]", 0 },
    { "rpc.discover", NULL, 0 },
    { "p2p.get_info", NULL, 0 },
    { "net.stats", NULL, 0 },
    { "net.why", NULL, 0 },
    { "net.bans", NULL, 0 },
    { "net.seed", NULL, 0 },
    { "hosts.list", "[{\"search\":\"x\",\"colour\":\"grey\"}]", 0 },
    { "net.ban", "[\"tcp://192.0.2.1:5\",60]", 2 },
    { "net.connect", "[\"tcp://127.0.0.1:1\"]", 3 },
    { "dnet.switch", "[true]", 1 },
    { "dnet.switch", "[5]", 0 },
    { "hosts.list", "[{\"colour\":\"pink\"}]", 0 },
    { "net.why", "[{\"network\":\"other\"}]", 0 },
};

/* ---- one call over a connection of its own ---- */

struct answer {
    bool came;
    enum hypha_err err;
    bool is_result;
    int code;
};

static void on_reply(void *user, const struct hy_rpc_reply *reply)
{
    struct answer *answer = user;

    *answer = (struct answer){ true, reply->err, reply->result != NULL, reply->code };
    hypha_loop_stop(daemon.loop);
}

static void on_late(void *user)
{
    (void)user;
    hypha_loop_stop(daemon.loop);
}

/* Until the answer is there, or a second has passed. */
static void turn(const struct answer *answer)
{
    struct hy_timer late;

    hy_timer_init(&late, daemon.loop, on_late, NULL);
    hy_timer_start(&late, 1000);
    while (!answer->came && hy_timer_is_armed(&late))
        assert_int_equal(hypha_loop_run(daemon.loop), HYPHA_OK);
    hy_timer_stop(&late);
}

/* What the next call is to fail at, and how many requests for memory it has made. */
static size_t fail_at = SIZE_MAX, taken;

/* In place of the method itself: memory fails in there alone. */
static void on_call(struct hy_rpc_call *rpc_call, const json_t *params, void *user)
{
    if (fail_at != SIZE_MAX)
        hy_alloc_fail_once(fail_at);
    else
        hy_alloc_fail_after(SIZE_MAX); /* counts anew */
    hy_daemon_call(rpc_call, params, user);
    taken = hy_alloc_count();
    hy_alloc_fail_after(SIZE_MAX);
}

static struct answer call(struct hy_rpc_client *client, size_t index, size_t fails_at)
{
    struct answer answer = { .came = false };
    json_t *params = NULL;

    if (calls[index].params != NULL)
        params = json_loads(calls[index].params, 0, NULL);
    fail_at = fails_at;
    assert_int_equal(
        hy_rpc_client_call(client, calls[index].method, params, 0, on_reply, &answer), HYPHA_OK);
    turn(&answer);
    fail_at = SIZE_MAX;
    if (!answer.came || answer.err != HYPHA_OK)
        fail_msg("%s: no answer when allocation %zu fails", calls[index].method, fails_at);
    return answer;
}

/* ---- the tests ---- */

/* Without any trouble each is answered; how many requests for memory that takes is the bound. */
static void test_every_method(void **state)
{
    struct hy_rpc_client *client = NULL;
    char why[256];

    (void)state;
    assert_int_equal(
        hy_rpc_client_create(daemon.loop, hy_rpc_server_url(daemon.rpc), &client, why), HYPHA_OK);
    for (size_t i = 0; i < sizeof calls / sizeof calls[0]; i++) {
        struct answer whole = call(client, i, SIZE_MAX);
        size_t count = taken, errors = 0;

        assert_true(count < 2000);
        for (size_t n = 0; n < count; n++) {
            if (calls[i].undone_by != 0)
                (void)call(client, calls[i].undone_by, SIZE_MAX);
            errors += !call(client, i, n).is_result;
        }
        if (whole.is_result && count > 0 && errors == 0)
            fail_msg("%s: no allocation matters", calls[i].method);
        assert_true(call(client, 0, SIZE_MAX).is_result);
    }
    hy_rpc_client_destroy(client);
}

/* A page of metrics is whole or none. */
static void test_metrics_page(void **state)
{
    struct hy_daemon_node *node = STAILQ_FIRST(&daemon.nodes);
    char *page = NULL;
    size_t len = 0;

    (void)state;
    for (size_t n = 0; node->counters == NULL; n++) {
        assert_true(n < 10);
        hy_alloc_fail_once(n);
        (void)hy_counters_start(node);
        hy_alloc_fail_after(SIZE_MAX);
    }
    for (size_t n = 0; page == NULL; n++) {
        assert_true(n < 1000);
        hy_alloc_fail_once(n);
        page = hy_metrics_page(&daemon, &len);
        hy_alloc_fail_after(SIZE_MAX);
    }
    assert_true(len > 0 && page[len - 1] == '\n');
    assert_non_null(memmem(page, len, "hypha_peers{network=\"test\"} 0\n", 30));
    hy_free(page);
    hy_counters_stop(node);
}

/* ---- a daemon's parts, without its life ---- */

static void on_listening(void *user, enum hypha_err err)
{
    struct answer *answer = user;

    answer->came = true;
    answer->err = err;
    hypha_loop_stop(daemon.loop);
}

static void on_started(struct hypha_p2p *node, void *user)
{
    struct answer *answer = user;

    (void)node;
    answer->came = true;
    hypha_loop_stop(daemon.loop);
}

static void on_stopped(struct hypha_p2p *node, enum hypha_err why, void *user)
{
    (void)node;
    (void)why;
    (void)user;
    hypha_loop_stop(daemon.loop);
}

static int set_up(void **state)
{
    const struct hy_log silent = { .cb = NULL };
    struct hypha_settings *settings = NULL;
    struct answer listening = { .came = false }, started = { .came = false };
    char why[256];

    (void)state;
    assert_int_equal(setenv("LOG_TARGETS", "nothing", 1), 0);
    hy_rpc_json_init();
    daemon.program = &program;
    STAILQ_INIT(&daemon.nodes);
    assert_int_equal(hypha_loop_create(&daemon.loop), HYPHA_OK);
    assert_int_equal(hy_logger_create(daemon.loop, NULL, 0, &daemon.logger), HYPHA_OK);
    assert_int_equal(hy_rpc_server_create(daemon.loop, &silent, NULL, &daemon.rpc), HYPHA_OK);
    assert_int_equal(hy_daemon_add_methods(&daemon), HYPHA_OK);
    hy_rpc_server_destroy(daemon.rpc); /* its methods are bound; they are called by ours */
    assert_int_equal(hy_rpc_server_create(daemon.loop, &silent, NULL, &daemon.rpc), HYPHA_OK);
    for (size_t i = 0; i < daemon.method_count; i++)
        assert_int_equal(hy_rpc_server_add(daemon.rpc, daemon.methods[i].method->name, on_call,
                             &daemon.methods[i]),
            HYPHA_OK);
    assert_int_equal(hypha_settings_create(&settings), HYPHA_OK);
    assert_int_equal(hypha_settings_set_text(settings, HYPHA_KEY_APP_NAME, "test"), HYPHA_OK);
    assert_int_equal(hypha_settings_set_text(settings, HYPHA_KEY_APP_VERSION, "1.2.3"), HYPHA_OK);
    assert_int_equal(hypha_settings_set_text(settings, HYPHA_KEY_HOSTLIST, ""), HYPHA_OK);
    assert_int_equal(hypha_settings_set_text(settings, HYPHA_KEY_P2P_DATASTORE, ""), HYPHA_OK);
    assert_int_equal(hypha_settings_set_flag(settings, HYPHA_KEY_LOCALNET, true), HYPHA_OK);
    assert_int_equal(
        hypha_settings_set_number(settings, HYPHA_KEY_OUTBOUND_CONNECTIONS, 2), HYPHA_OK);
    assert_int_equal(hypha_settings_add_profile(settings, "tcp"), HYPHA_OK);
    assert_int_equal(hypha_settings_add_active_profile(settings, "tcp"), HYPHA_OK);
    if (hy_daemon_add_node(&daemon, settings, "test", &p2p, why) != HYPHA_OK)
        fail_msg("%s", why);
    hypha_settings_destroy(settings);
    assert_int_equal(hypha_p2p_start(p2p, on_started, on_stopped, &started), HYPHA_OK);
    turn(&started);
    assert_int_equal(
        hy_rpc_server_listen(daemon.rpc, "tcp://127.0.0.1:0", on_listening, &listening, why),
        HYPHA_OK);
    turn(&listening);
    return started.came && listening.came && listening.err == HYPHA_OK ? 0 : -1;
}

static int tear_down(void **state)
{
    struct hy_daemon_node *node = STAILQ_FIRST(&daemon.nodes);

    (void)state;
    hy_rpc_server_destroy(daemon.rpc);
    hypha_p2p_stop(p2p);
    assert_int_equal(hypha_loop_run(daemon.loop), HYPHA_OK);
    STAILQ_REMOVE_HEAD(&daemon.nodes, entry);
    hy_daemon_node_destroy(node);
    hy_logger_destroy(daemon.logger);
    hypha_loop_destroy(daemon.loop);
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_every_method),
        cmocka_unit_test(test_metrics_page),
    };
    return cmocka_run_group_tests(tests, set_up, tear_down);
}
