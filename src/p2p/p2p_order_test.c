/* p2p_order_test.c - in which order the sessions begin, and in which they end.
 *
 * The node's transport is a simulated one, seen through a window: every dial and every bind is
 * written down. */
#include "p2p/p2p.h"
#include "sim/sim.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
/* cmocka wants the above first */
#include <cmocka.h>

#define OWN  "tcp://44.1.0.1:9000"
#define PEER "tcp://44.2.0.1:9000"
#define HOST "tcp://44.3.0.1:9000"

struct window {
    struct hy_transport base;
    struct hy_transport *behind;
};

struct scene {
    struct hy_sim *sim;
    struct window window;
    struct hypha_p2p *p2p;
    char story[2048];
    bool started, stopped;
    enum hypha_err early; /* of a get_channel() while the listeners are being bound */
    enum hypha_err late;  /* and of one inside on_started */
};

static struct scene *the_scene;

static void ok(enum hypha_err err)
{
    assert_string_equal(hypha_err_name(err), "OK");
}

static void tell(struct scene *scene, const char *what, const char *of)
{
    size_t used = strlen(scene->story);

    (void)snprintf(
        scene->story + used, sizeof(scene->story) - used, "%s%s%s", used > 0 ? ", " : "", what, of);
}

static void ignore(
    struct hypha_p2p *p2p, enum hypha_err err, struct hypha_channel *channel, void *user)
{
    (void)p2p;
    (void)err;
    (void)channel;
    (void)user;
}

static enum hypha_err get(struct scene *scene)
{
    struct hypha_url *url = NULL;

    ok(hypha_url_parse_text("tcp://44.4.0.1:9000", &url));
    enum hypha_err err = hypha_p2p_get_channel(scene->p2p, url, 0, ignore, NULL, NULL);
    hypha_url_unref(url);
    return err;
}

static enum hypha_err window_dial(
    struct hy_transport *transport, const struct hypha_url *url, struct hy_stream **ret_stream)
{
    struct hy_transport *behind = the_scene->window.behind;

    (void)transport;
    tell(the_scene, "dial ", hypha_url_host(url));
    return behind->ops->dial(behind, url, ret_stream);
}

static enum hypha_err window_listen(struct hy_transport *transport, const struct hypha_url *url,
    const struct hy_listener_events *events, void *user, hy_listen_cb cb, void **ret_request)
{
    struct hy_transport *behind = the_scene->window.behind;

    (void)transport;
    tell(the_scene, "listen ", hypha_url_host(url));
    the_scene->early = get(the_scene);
    return behind->ops->listen(behind, url, events, user, cb, ret_request);
}

static void window_listen_cancel(struct hy_transport *transport, void *request)
{
    struct hy_transport *behind = the_scene->window.behind;

    (void)transport;
    behind->ops->listen_cancel(behind, request);
}

static void window_destroy(struct hy_transport *transport)
{
    (void)transport;
    hy_transport_destroy(the_scene->window.behind);
}

static const struct hy_transport_ops window_ops = {
    .dial = window_dial,
    .listen = window_listen,
    .listen_cancel = window_listen_cancel,
    .destroy = window_destroy,
};

static void on_line(void *user, enum hypha_log_level level, const char *target, const char *text)
{
    static const char said[] = "[P2P] ";
    struct scene *scene = user;

    (void)level;
    (void)target;
    if (strncmp(text, said, sizeof(said) - 1) == 0)
        tell(scene, text + sizeof(said) - 1, "");
}

static void on_started(struct hypha_p2p *p2p, void *user)
{
    struct scene *scene = user;

    (void)p2p;
    scene->started = true;
    scene->late = get(scene);
}

static void on_stopped(struct hypha_p2p *p2p, enum hypha_err why, void *user)
{
    struct scene *scene = user;

    (void)p2p;
    assert_int_equal(why, HYPHA_OK);
    scene->stopped = true;
}

static struct hypha_settings *settings_of(struct scene *scene, const char *hostlist)
{
    struct hypha_settings *settings = NULL;

    ok(hypha_settings_create(&settings));
    ok(hypha_settings_set_text(settings, HYPHA_KEY_APP_NAME, "order"));
    ok(hypha_settings_set_text(settings, HYPHA_KEY_APP_VERSION, "1.2.3"));
    ok(hypha_settings_add_profile(settings, "tcp"));
    ok(hypha_settings_add_active_profile(settings, "tcp"));
    ok(hypha_settings_add_url(settings, NULL, HYPHA_LIST_INBOUND, OWN));
    ok(hypha_settings_add_url(settings, NULL, HYPHA_LIST_PEERS, PEER));
    ok(hypha_settings_set_number(settings, HYPHA_KEY_OUTBOUND_CONNECTIONS, 2));
    ok(hypha_settings_set_text(settings, HYPHA_KEY_HOSTLIST, hostlist));
    hypha_settings_set_log(settings, on_line, scene, HYPHA_LOG_INFO);
    return settings;
}

/* spec: network.md MUST 2.2-a: manual dials before anything is bound, outbound afterwards, direct
 * comes last; and network.md 2.3: the stop goes the same way */
static void sessions_start_and_stop_in_order(void **unused)
{
    struct scene scene = { .window.base = { .ops = &window_ops, .scheme = "tcp" } };
    struct hy_transport *transport = &scene.window.base;
    char path[] = "/tmp/hypha-order-XXXXXX", book[sizeof(path) + 8];
    int fd = mkstemp(path);
    const char line[] = "white\t" HOST "\t1\n";

    (void)unused;
    the_scene = &scene;
    assert_true(fd >= 0);
    assert_int_equal(write(fd, line, sizeof(line) - 1), sizeof(line) - 1);
    (void)close(fd);
    ok(hy_sim_create(1, &scene.sim));
    ok(hy_sim_transport_create(scene.sim, "tcp", "44.1.0.1", &scene.window.behind));
    struct hypha_settings *settings = settings_of(&scene, path);
    ok(hy_p2p_create_with(hy_sim_loop(scene.sim), settings, &transport, 1, &scene.p2p));
    hypha_settings_destroy(settings);

    ok(hypha_p2p_start(scene.p2p, on_started, on_stopped, &scene));
    assert_string_equal(scene.story, "Starting P2P subsystem, dial 44.2.0.1, listen 44.1.0.1");
    assert_int_equal(scene.early, HYPHA_ERR_NETWORK_STOPPED);
    hy_sim_run_for(scene.sim, 1);
    assert_true(scene.started);
    assert_int_equal(scene.late, HYPHA_OK);
    const char *begun = "Starting P2P subsystem, dial 44.2.0.1, listen 44.1.0.1, dial 44.3.0.1, "
                        "P2P subsystem started, dial 44.4.0.1";
    assert_string_equal(scene.story, begun);

    scene.story[0] = '\0';
    hypha_p2p_stop(scene.p2p);
    hy_sim_run_for(scene.sim, 2000);
    assert_true(scene.stopped);
    assert_string_equal(scene.story,
        "Stopping P2P subsystem, Stopping: configured peers, Stopping: listeners and who came in, "
        "Stopping: outbound slots, Stopping: channels on demand, P2P subsystem stopped");
    assert_int_equal(hy_p2p_leftovers(scene.p2p), 0);
    assert_int_equal(hy_sim_stream_count(scene.sim), 0);
    hypha_p2p_destroy(scene.p2p);
    hy_sim_destroy(scene.sim);
    (void)unlink(path);
    (void)snprintf(book, sizeof(book), "%s.book", path);
    (void)unlink(book);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(sessions_start_and_stop_in_order),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
