/* p2p_bans_test.c - ban, unban and list on running nodes; kept over a restart.
 * spec: network.md 2.4, 4.7 */
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

#define HALL  "tcp://44.1.0.1:9000"
#define GUEST "tcp://44.2.0.1:9000"

struct node {
    struct hypha_p2p *p2p;
    unsigned banned, unbanned;
    char addr[64];
};

struct scene {
    struct hy_sim *sim;
    struct node hall, guest;
    char folder[64], list[128], bans[160];
};

static void ok(enum hypha_err err)
{
    assert_string_equal(hypha_err_name(err), "OK");
}

static void on_event(const struct hypha_event *event, void *user)
{
    struct node *node = user;

    node->banned += event->type == HYPHA_EVENT_BANNED;
    node->unbanned += event->type == HYPHA_EVENT_UNBANNED;
    (void)snprintf(node->addr, sizeof(node->addr), "%s", hypha_url_text(event->addr));
}

/* A node at its address; the guest has the hall as a configured peer. */
static void make(struct scene *scene, struct node *node, const char *own)
{
    struct hypha_settings *settings = NULL;
    struct hy_transport *transport = NULL;
    char ip[32];
    static const char *const black_schemes[] = { "tcp" };

    ok(hypha_settings_create(&settings));
    ok(hypha_settings_set_text(settings, HYPHA_KEY_APP_NAME, "test"));
    ok(hypha_settings_set_text(settings, HYPHA_KEY_APP_VERSION, "1.0.0"));
    ok(hypha_settings_set_number(settings, HYPHA_KEY_OUTBOUND_CONNECTIONS, 0));
    ok(hypha_settings_add_profile(settings, "tcp"));
    ok(hypha_settings_add_active_profile(settings, "tcp"));
    ok(hypha_settings_add_url(settings, NULL, HYPHA_LIST_INBOUND, own));
    if (node == &scene->guest)
        ok(hypha_settings_add_url(settings, NULL, HYPHA_LIST_PEERS, HALL));
    else
        ok(hypha_settings_set_text(settings, HYPHA_KEY_HOSTLIST, scene->list));
    ok(hypha_settings_add_blacklist(settings, "44.66.0.1", black_schemes, 1, NULL, 0));
    (void)snprintf(ip, sizeof(ip), "%.*s", (int)strcspn(own + 6, ":"), own + 6);
    ok(hy_sim_transport_create(scene->sim, "tcp", ip, &transport));
    ok(hy_p2p_create_with(hy_sim_loop(scene->sim), settings, &transport, 1, &node->p2p));
    hypha_settings_destroy(settings);
    ok(hypha_p2p_subscribe_events_of(node->p2p,
        HYPHA_EVENT_BIT(HYPHA_EVENT_BANNED) | HYPHA_EVENT_BIT(HYPHA_EVENT_UNBANNED), on_event,
        node));
    ok(hypha_p2p_start(node->p2p, NULL, NULL, NULL));
}

static void set_up(struct scene *scene)
{
    *scene = (struct scene){ 0 };
    strcpy(scene->folder, "/tmp/hypha-p2p-bans-XXXXXX");
    assert_non_null(mkdtemp(scene->folder));
    (void)snprintf(scene->list, sizeof(scene->list), "%s/hosts", scene->folder);
    (void)snprintf(scene->bans, sizeof(scene->bans), "%s.bans", scene->list);
    ok(hy_sim_create(1, &scene->sim));
    make(scene, &scene->hall, HALL);
    make(scene, &scene->guest, GUEST);
    hy_sim_run_for(scene->sim, 3000);
    assert_int_equal(hypha_p2p_peers_count(scene->hall.p2p), 1);
}

static void stop(struct scene *scene, struct node *node)
{
    hypha_p2p_stop(node->p2p);
    hy_sim_run_for(scene->sim, 3000);
    assert_int_equal(hy_p2p_leftovers(node->p2p), 0);
    hypha_p2p_destroy(node->p2p);
    node->p2p = NULL;
}

static void tear_down(struct scene *scene)
{
    char path[192];

    stop(scene, &scene->guest);
    stop(scene, &scene->hall);
    hy_sim_destroy(scene->sim);
    (void)unlink(scene->list);
    (void)unlink(scene->bans);
    (void)snprintf(path, sizeof(path), "%s.book", scene->list);
    (void)unlink(path);
    assert_int_equal(rmdir(scene->folder), 0);
}

static enum hypha_err ban(struct node *node, const char *text, uint64_t seconds)
{
    struct hypha_url *url = NULL;

    ok(hypha_url_parse_text(text, &url));
    enum hypha_err err = hypha_p2p_ban(node->p2p, url, seconds);
    hypha_url_unref(url);
    return err;
}

static enum hypha_err unban(struct node *node, const char *text)
{
    struct hypha_url *url = NULL;

    ok(hypha_url_parse_text(text, &url));
    enum hypha_err err = hypha_p2p_unban(node->p2p, url);
    hypha_url_unref(url);
    return err;
}

static void count_one(const struct hypha_ban *each, void *user)
{
    assert_non_null(each->group);
    ++*(unsigned *)user;
}

static unsigned count_bans(const struct node *node)
{
    unsigned count = 0;

    hypha_p2p_each_ban(node->p2p, count_one, &count);
    return count;
}

/* It stops the channels of that address, keeps it out, and says so. */
static void a_ban_ends_the_channels_that_it_means(void **unused)
{
    struct scene scene;

    (void)unused;
    set_up(&scene);
    ok(ban(&scene.hall, "tcp://44.2.0.1:1", 0)); /* inbound channels have other ports */
    hy_sim_run_for(scene.sim, 10);
    assert_int_equal(hypha_p2p_peers_count(scene.hall.p2p), 1);
    ok(ban(&scene.hall, "tcp://44.2.0.1", 0));
    assert_int_equal(scene.hall.banned, 2);
    assert_string_equal(scene.hall.addr, "tcp://44.2.0.1/");
    hy_sim_run_for(scene.sim, 60000);
    assert_int_equal(hypha_p2p_peers_count(scene.hall.p2p), 0);
    ok(unban(&scene.hall, "tcp://44.2.0.1:1")); /* both */
    assert_int_equal(scene.hall.unbanned, 1);
    hy_sim_run_for(scene.sim, 60000);
    assert_int_equal(hypha_p2p_peers_count(scene.hall.p2p), 1);
    ok(ban(&scene.guest, HALL, 0)); /* and whom it dialled itself */
    hy_sim_run_for(scene.sim, 60000);
    assert_int_equal(hypha_p2p_peers_count(scene.guest.p2p), 0);
    tear_down(&scene);
}

static void what_cannot_be(void **unused)
{
    struct scene scene;

    (void)unused;
    set_up(&scene);
    assert_int_equal(ban(&scene.hall, "unix:///tmp/s", 0), HYPHA_ERR_BAD_ADDRESS);
    assert_int_equal(unban(&scene.hall, "tcp://44.2.0.1"), HYPHA_ERR_NOT_FOUND);
    assert_int_equal(unban(&scene.hall, "tcp://44.66.0.1:5"), HYPHA_ERR_STATE);
    assert_int_equal(count_bans(&scene.hall), 1); /* the configured one */
    assert_int_equal(scene.hall.banned + scene.hall.unbanned, 0);
    tear_down(&scene);
}

/* spec: network.md MUST 4.7-b: bans expire; until then they outlive the program */
static void bans_are_kept_over_a_restart(void **unused)
{
    struct scene scene;

    (void)unused;
    set_up(&scene);
    ok(ban(&scene.hall, "tcp://44.2.0.1", 7200));
    ok(ban(&scene.hall, "tcp://44.3.0.1", 60));
    assert_int_equal(count_bans(&scene.hall), 3);
    stop(&scene, &scene.hall);
    hy_sim_run_for(scene.sim, 60000);
    make(&scene, &scene.hall, HALL);
    hy_sim_run_for(scene.sim, 60000);
    assert_int_equal(count_bans(&scene.hall), 2);
    assert_int_equal(hypha_p2p_peers_count(scene.hall.p2p), 0);
    hy_sim_run_for(scene.sim, 7200000);
    assert_int_equal(count_bans(&scene.hall), 1);
    assert_int_equal(hypha_p2p_peers_count(scene.hall.p2p), 1);
    tear_down(&scene);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_ban_ends_the_channels_that_it_means),
        cmocka_unit_test(what_cannot_be),
        cmocka_unit_test(bans_are_kept_over_a_restart),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
