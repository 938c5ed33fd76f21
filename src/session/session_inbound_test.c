/* session_inbound_test.c - all addresses or none, and a listener that dies is bound again.
 * spec: network.md 7.3, 6.2 */
#include "fakes/fake_node.h"
#include "session/session_inbound.h"

#include <setjmp.h>
#include <stdarg.h>
#include <cmocka.h>

#define LISTENERS 2

struct stub_listener {
    struct hy_listener base;
    struct scene *scene;
    hy_listen_cb cb;
    void *user;
    struct hy_defer answer;
    enum hypha_err outcome; /* of the next bind */
    unsigned binds;
    bool open, paused, waiting;
};

struct scene {
    struct hy_sim *sim;
    struct fake_node node;
    struct hy_transport transport;
    struct stub_listener listeners[LISTENERS];
    struct hypha_url *urls[LISTENERS];
    struct hypha_url *bound; /* what the first one gets; NULL: as asked */
    struct hy_session_inbound *session;
    unsigned started, stopped;
    enum hypha_err err;
};

static struct scene *the_scene;

static struct stub_listener *stub_of(struct hy_listener *listener)
{
    return (struct stub_listener *)(void *)listener;
}

static void listener_pause(struct hy_listener *listener)
{
    stub_of(listener)->paused = true;
}

static void listener_resume(struct hy_listener *listener)
{
    stub_of(listener)->paused = false;
}

static void listener_close(struct hy_listener *listener)
{
    assert_true(stub_of(listener)->open);
    stub_of(listener)->open = false;
}

static const struct hy_listener_ops listener_ops = { listener_pause, listener_resume,
    listener_close };

static void on_answer(void *user)
{
    struct stub_listener *stub = user;

    stub->waiting = false;
    stub->open = stub->outcome == HYPHA_OK;
    stub->cb(stub->user, stub->outcome, stub->open ? &stub->base : NULL);
}

static enum hypha_err listen_on(struct hy_transport *transport, const struct hypha_url *url,
    const struct hy_listener_events *events, void *user, hy_listen_cb cb, void **ret_request)
{
    struct stub_listener *stub =
        &the_scene->listeners[hypha_url_equal(url, the_scene->urls[0]) ? 0 : 1];

    (void)transport;
    stub->base = (struct hy_listener){ .ops = &listener_ops,
        .events = events,
        .user = user,
        .url = the_scene->urls[stub - the_scene->listeners] };
    if (stub == the_scene->listeners && the_scene->bound != NULL)
        stub->base.url = the_scene->bound;
    stub->cb = cb;
    stub->user = user;
    stub->binds++;
    stub->waiting = true;
    stub->paused = false;
    hy_defer_init(&stub->answer, the_scene->node.loop, on_answer, stub);
    hy_defer_start(&stub->answer);
    *ret_request = stub;
    return HYPHA_OK;
}

static void listen_cancel(struct hy_transport *transport, void *request)
{
    struct stub_listener *stub = request;

    (void)transport;
    assert_true(stub->waiting);
    stub->waiting = false;
    hy_defer_stop(&stub->answer);
}

static const struct hy_transport_ops transport_ops = {
    .listen = listen_on,
    .listen_cancel = listen_cancel,
};

static void on_started(void *user, enum hypha_err err)
{
    struct scene *scene = user;

    scene->started++;
    scene->err = err;
}

static void on_stopped(void *user)
{
    struct scene *scene = user;

    scene->stopped++;
}

static struct scene *set_up(size_t listeners)
{
    struct scene *scene = calloc(1, sizeof(*scene));

    assert_non_null(scene);
    the_scene = scene;
    must(hy_sim_create(1, &scene->sim));
    fake_node_init(&scene->node, hy_sim_loop(scene->sim), NULL, 0);
    scene->urls[0] = fake_url("tcp://0.0.0.0:1000");
    scene->urls[1] = fake_url("tcp://0.0.0.0:2000");
    scene->node.settings.inbound = (struct hy_url_array){ scene->urls, listeners };
    scene->transport = (struct hy_transport){ .ops = &transport_ops, .scheme = "tcp" };
    scene->node.net.transports[0] = &scene->transport;
    scene->node.net.transport_count = 1;
    must(hy_session_inbound_create(&scene->node.net, &scene->session));
    hy_session_inbound_start(scene->session, on_started, scene);
    assert_int_equal(scene->started, 0); /* never from inside the call */
    return scene;
}

static void tear_down(struct scene *scene)
{
    hy_session_inbound_stop(scene->session, on_stopped, scene);
    assert_int_equal(scene->stopped, 0);
    hy_sim_run_for(scene->sim, 10);
    assert_int_equal(scene->stopped, 1);
    for (size_t i = 0; i < LISTENERS; i++) {
        assert_false(scene->listeners[i].open);
        assert_false(scene->listeners[i].waiting);
    }
    hy_session_inbound_destroy(scene->session);
    fake_node_fini(&scene->node);
    for (size_t i = 0; i < LISTENERS; i++)
        hypha_url_unref(scene->urls[i]);
    hy_sim_destroy(scene->sim);
    free(scene);
}

static void all_are_bound_before_one_accepts(void **unused)
{
    struct scene *scene = set_up(2);

    (void)unused;
    on_answer(&scene->listeners[0]);
    hy_defer_stop(&scene->listeners[0].answer);
    assert_true(scene->listeners[0].paused); /* the other is not bound yet */
    hy_sim_run_for(scene->sim, 10);
    assert_int_equal(scene->started, 1);
    assert_int_equal(scene->err, HYPHA_OK);
    assert_false(scene->listeners[0].paused);
    assert_false(scene->listeners[1].paused);
    assert_string_equal(
        hypha_url_text(hy_session_inbound_addr(scene->session, 1)), "tcp://0.0.0.0:2000/");
    assert_null(hy_session_inbound_addr(scene->session, 2));
    tear_down(scene);
}

static void one_failure_undoes_all(void **unused)
{
    struct scene *scene = set_up(2);

    (void)unused;
    scene->listeners[1].outcome = HYPHA_ERR_ADDR_IN_USE;
    hy_sim_run_for(scene->sim, 10);
    assert_int_equal(scene->started, 1);
    assert_int_equal(scene->err, HYPHA_ERR_ADDR_IN_USE);
    assert_false(scene->listeners[0].open);
    assert_null(hy_session_inbound_addr(scene->session, 0));
    tear_down(scene);
}

static void stop_cancels_the_binding(void **unused)
{
    struct scene *scene = set_up(2);

    (void)unused;
    tear_down(scene);
}

/* Outbound only is no error, and said aloud. */
static void no_address_is_no_error(void **unused)
{
    struct scene *scene = set_up(0);

    (void)unused;
    assert_string_equal(scene->node.log.last, "Not configured for accepting incoming connections.");
    assert_int_equal(scene->node.log.level, HYPHA_LOG_INFO);
    hy_sim_run_for(scene->sim, 10);
    assert_int_equal(scene->started, 1);
    assert_int_equal(scene->err, HYPHA_OK);
    tear_down(scene);
}

/* EBADF, EINVAL: the session hears of it, and binds again with back-off. */
static void a_dead_listener_is_bound_again(void **unused)
{
    struct scene *scene = set_up(2);
    struct stub_listener *stub = &scene->listeners[0];

    (void)unused;
    hy_sim_run_for(scene->sim, 10);
    stub->outcome = HYPHA_ERR_ADDR_IN_USE; /* for some time */
    stub->base.events->on_end(&stub->base, HYPHA_ERR_SYSTEM, stub->base.user);
    assert_false(stub->open);
    assert_int_equal(scene->node.log.level, HYPHA_LOG_ERROR);
    hy_sim_run_for(scene->sim, 30000);
    assert_in_range(stub->binds, 4, 7); /* 1, 2, 4, 8 .. s */
    stub->outcome = HYPHA_OK;
    hy_sim_run_for(scene->sim, 60000);
    assert_true(stub->open);
    assert_false(stub->paused);
    assert_int_equal(scene->started, 1);
    tear_down(scene);
}

static uint16_t announced_port(struct scene *scene)
{
    struct hypha_url *own[HY_MAX_EXTERNAL];
    size_t count = hy_hosts_own_addrs(scene->node.net.hosts, own);

    assert_int_equal(count, 1);
    uint16_t port = hypha_url_port(own[0]);
    hypha_url_unref(own[0]);
    return port;
}

/* Port 0 may be another one after that, and others must hear of it. spec: transports.md 2 */
static void bound_again_at_another_port(void **unused)
{
    struct scene *scene = set_up(2);
    struct stub_listener *stub = &scene->listeners[0];
    struct hypha_url *external = fake_url("tcp://7.7.7.7:0"), *other = fake_url("tcp://0.0.0.0:7");

    (void)unused;
    scene->node.settings.external_addrs = (struct hy_url_array){ &external, 1 };
    hy_sim_run_for(scene->sim, 10);
    assert_int_equal(announced_port(scene), 1000);
    scene->bound = other;
    stub->base.events->on_end(&stub->base, HYPHA_ERR_SYSTEM, stub->base.user);
    hy_sim_run_for(scene->sim, 5000);
    assert_true(stub->open);
    assert_int_equal(announced_port(scene), 7);
    scene->node.settings.external_addrs = (struct hy_url_array){ 0 };
    tear_down(scene);
    hypha_url_unref(external);
    hypha_url_unref(other);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(all_are_bound_before_one_accepts),
        cmocka_unit_test(one_failure_undoes_all),
        cmocka_unit_test(stop_cancels_the_binding),
        cmocka_unit_test(no_address_is_no_error),
        cmocka_unit_test(a_dead_listener_is_bound_again),
        cmocka_unit_test(bound_again_at_another_port),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
