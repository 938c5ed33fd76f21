/* session_outbound_test.c - sleeping slots and what wakes them: every change of the lists, at once.
 * Nobody can be reached here; who leaves its sleep dials. spec: network.md 7.4, 7.5 */
#include "fakes/fake_node.h"
#include "session/session_outbound.h"

#include <setjmp.h>
#include <stdarg.h>
#include <cmocka.h>

#define HOST "tcp://44.2.0.1:9000"

struct scene {
    struct hy_sim *sim;
    struct fake_node node;
    struct hy_session_outbound *session;
    struct hypha_url *host;
    size_t dials; /* begun */
    size_t asked;
    bool answer_inside; /* of the very call that asks */
    bool stopped;
};

static char tcp[] = "tcp";
static char *schemes[] = { tcp };

static void insert(struct scene *scene)
{
    assert_int_equal(hy_hosts_receive_one(scene->node.net.hosts, scene->host, HY_SIM_START_WALL_S),
        HY_VERDICT_GREY);
}

static size_t ask_peers(void *user)
{
    struct scene *scene = user;

    scene->asked++;
    if (scene->answer_inside)
        insert(scene);
    return 1;
}

static size_t seed(void *user)
{
    (void)user;
    return 0;
}

static void on_event(const struct hypha_event *event, void *user)
{
    struct scene *scene = user;

    scene->dials += event->type == HYPHA_EVENT_OUTBOUND_SLOT_CONNECTING ? 1 : 0;
}

static struct scene *set_up(uint32_t slots)
{
    struct scene *scene = calloc(1, sizeof(*scene));
    struct hy_outbound_hooks hooks = { .user = scene, .ask_peers = ask_peers, .seed = seed };

    assert_non_null(scene);
    must(hy_sim_create(1, &scene->sim));
    fake_node_init(&scene->node, hy_sim_loop(scene->sim), NULL, 0);
    scene->node.settings.active = (struct hy_scheme_array){ schemes, 1 };
    scene->node.settings.outbound_connections = slots;
    scene->node.settings.discovery_attempt_ms = 5000;
    scene->host = fake_url(HOST);
    must(hy_events_subscribe(&scene->node.net.events, HYPHA_EVENTS_ALL, on_event, scene));
    must(hy_session_outbound_create(&scene->node.net, &hooks, &scene->session));
    return scene;
}

static void sleep_well(struct scene *scene)
{
    hy_session_outbound_start(scene->session);
    hy_sim_run_for(scene->sim, 20000);
    for (size_t i = 0; i < hy_session_outbound_slot_count(scene->session); i++)
        assert_int_equal(hy_session_outbound_slot_state(scene->session, i), HY_SLOT_ASLEEP);
    assert_int_equal(scene->dials, 0);
}

static void on_stopped(void *user)
{
    ((struct scene *)user)->stopped = true;
}

static void tear_down(struct scene *scene)
{
    hy_session_outbound_stop(scene->session, on_stopped, scene);
    hy_sim_run_for(scene->sim, 1000);
    assert_true(scene->stopped);
    assert_int_equal(hy_hosts_busy_count(scene->node.net.hosts), 0);
    hy_session_outbound_destroy(scene->session);
    fake_node_fini(&scene->node);
    hypha_url_unref(scene->host);
    hy_sim_destroy(scene->sim);
    free(scene);
}

/* spec: network.md MUST 7.5-b: at once, not at the end of a round */
static void an_insert_wakes(void **unused)
{
    struct scene *scene = set_up(3);

    (void)unused;
    sleep_well(scene);
    insert(scene);
    hy_sim_run_for(scene->sim, 0);
    assert_int_equal(scene->dials, 1);
    tear_down(scene);
}

/* spec: network.md MUST 7.5-b */
static void a_promotion_wakes(void **unused)
{
    struct scene *scene = set_up(2);
    struct hy_hosts *hosts = scene->node.net.hosts;

    (void)unused;
    scene->node.settings.disable_greys = true; /* what is grey wakes in vain */
    sleep_well(scene);
    insert(scene);
    hy_sim_run_for(scene->sim, 0);
    assert_int_equal(scene->dials, 0);
    must(hy_hosts_set(hosts, scene->host, HY_HOST_REFINE));
    must(hy_hosts_move(hosts, scene->host, HYPHA_COLOUR_WHITE, HY_HOST_FREE));
    hy_sim_run_for(scene->sim, 0);
    assert_int_equal(scene->dials, 1);
    tear_down(scene);
}

/* spec: network.md MUST 7.5-b */
static void a_freed_host_wakes(void **unused)
{
    struct scene *scene = set_up(2);
    struct hy_hosts *hosts = scene->node.net.hosts;

    (void)unused;
    insert(scene);
    must(hy_hosts_set(hosts, scene->host, HY_HOST_CONNECT)); /* somebody else has it */
    sleep_well(scene);
    hy_hosts_free(hosts, scene->host);
    hy_sim_run_for(scene->sim, 0);
    assert_int_equal(scene->dials, 1);
    tear_down(scene);
}

/* spec: network.md MUST 7.5-a: what comes within the very call that asks is not missed */
static void an_answer_may_come_at_once(void **unused)
{
    struct scene *scene = set_up(1);

    (void)unused;
    scene->node.net.peers_count = 1; /* somebody to ask */
    scene->answer_inside = true;
    hy_session_outbound_start(scene->session);
    hy_sim_run_for(scene->sim, 0);
    assert_int_equal(scene->asked, 1);
    assert_int_equal(scene->dials, 1);
    tear_down(scene);
}

/* Prepared and abandoned: as if nothing had been. */
static void an_abandoned_reload_leaves_nothing(void **unused)
{
    struct scene *scene = set_up(2);

    (void)unused;
    sleep_well(scene);
    must(hy_session_outbound_prepare(scene->session, 5));
    hy_session_outbound_abandon(scene->session);
    hy_sim_run_for(scene->sim, 1000);
    assert_int_equal(hy_session_outbound_slot_count(scene->session), 2);
    must(hy_session_outbound_prepare(scene->session, 5));
    scene->node.settings.outbound_connections = 5;
    hy_session_outbound_commit(scene->session);
    assert_int_equal(hy_session_outbound_slot_count(scene->session), 5);
    hy_sim_run_for(scene->sim, 0);
    assert_int_equal(hy_session_outbound_slot_state(scene->session, 4), HY_SLOT_ASLEEP);
    tear_down(scene);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(an_insert_wakes),
        cmocka_unit_test(a_promotion_wakes),
        cmocka_unit_test(a_freed_host_wakes),
        cmocka_unit_test(an_answer_may_come_at_once),
        cmocka_unit_test(an_abandoned_reload_leaves_nothing),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
