/* session_test.c - what registration does to lists, registry and counts, and what leaving undoes.
 * spec: network.md 5, 7.1 */
#include "fakes/fake_node.h"
#include "fakes/fake_stream.h"
#include "session/session.h"

#include <setjmp.h>
#include <stdarg.h>
#include <cmocka.h>

#define HOST "tcp://44.2.0.1:9000"

struct scene {
    struct hy_sim *sim;
    struct fake_node node;
    struct fake_stream streams[4];
    struct hypha_channel *channels[4];
    struct hy_membership memberships[4];
    size_t count;
    struct hypha_url *url;
};

static char tcp[] = "tcp";
static char *schemes[] = { tcp };

static struct scene *set_up(void)
{
    struct scene *scene = calloc(1, sizeof(*scene));

    assert_non_null(scene);
    must(hy_sim_create(1, &scene->sim));
    fake_node_init(&scene->node, hy_sim_loop(scene->sim), NULL, 0);
    scene->node.settings.active = (struct hy_scheme_array){ schemes, 1 };
    scene->url = fake_url(HOST);
    return scene;
}

static void tear_down(struct scene *scene)
{
    for (size_t i = 0; i < scene->count; i++) {
        hypha_channel_stop(scene->channels[i]);
        hypha_channel_unref(scene->channels[i]);
    }
    hy_sim_run_for(scene->sim, 2000);
    assert_int_equal(scene->node.net.peers_count, 0);
    assert_int_equal(hy_hosts_busy_count(scene->node.net.hosts), 0);
    fake_node_fini(&scene->node);
    for (size_t i = 0; i < scene->count; i++)
        fake_stream_fini(&scene->streams[i]);
    hypha_url_unref(scene->url);
    hy_sim_destroy(scene->sim);
    free(scene);
}

/* A channel to or from HOST; returns its index. */
static size_t add(struct scene *scene, enum hypha_session session)
{
    size_t i = scene->count++;
    bool inbound = session == HYPHA_SESSION_INBOUND;

    fake_stream_init(&scene->streams[i]);
    must(hy_channel_create(&scene->node.net, session, &scene->streams[i].base, scene->url,
        inbound ? NULL : scene->url, false, &scene->channels[i]));
    return i;
}

static enum hypha_err enter(struct scene *scene, size_t i)
{
    return hy_session_register(scene->channels[i], &scene->memberships[i]);
}

static void leave(struct scene *scene, size_t i, enum hypha_err why)
{
    hy_session_unregister(scene->channels[i], &scene->memberships[i], why);
}

static enum hypha_colour colour_of(struct scene *scene)
{
    enum hypha_colour colour = HYPHA_COLOURS;
    uint64_t last_seen;

    (void)hy_hosts_find(scene->node.net.hosts, scene->url, &colour, &last_seen);
    return colour;
}

static enum hy_host_state state_of(struct scene *scene)
{
    return hy_hosts_state(scene->node.net.hosts, scene->url);
}

static size_t dial(struct scene *scene)
{
    must(hy_hosts_set(scene->node.net.hosts, scene->url, HY_HOST_CONNECT));
    size_t i = add(scene, HYPHA_SESSION_OUTBOUND);
    must(enter(scene, i));
    assert_int_equal(colour_of(scene), HYPHA_COLOUR_GOLD);
    assert_int_equal(state_of(scene), HY_HOST_CONNECTED);
    assert_int_equal(scene->node.net.peers_count, 1);
    assert_true(hy_channel_is_registered(scene->channels[i]));
    return i;
}

static void a_lost_outbound_peer_is_grey(void **unused)
{
    struct scene *scene = set_up();
    size_t i = dial(scene);

    (void)unused;
    leave(scene, i, HYPHA_ERR_EOF);
    assert_int_equal(colour_of(scene), HYPHA_COLOUR_GREY);
    assert_int_equal(state_of(scene), HY_HOST_FREE);
    assert_int_equal(scene->node.net.peers_count, 0);
    assert_false(hy_channel_is_registered(scene->channels[i]));
    leave(scene, i, HYPHA_ERR_EOF); /* not twice */
    assert_int_equal(scene->node.net.peers_count, 0);
    tear_down(scene);
}

/* Our own stop is no reason to think less of a host. */
static void our_own_stop_leaves_it_white(void **unused)
{
    static const enum hypha_err whys[] = { HYPHA_ERR_CHANNEL_STOPPED, HYPHA_ERR_NETWORK_STOPPED };

    (void)unused;
    for (size_t w = 0; w < 2; w++) {
        struct scene *scene = set_up();
        size_t i = dial(scene);

        leave(scene, i, whys[w]);
        assert_int_equal(colour_of(scene), HYPHA_COLOUR_WHITE);
        assert_int_equal(state_of(scene), HY_HOST_FREE);
        tear_down(scene);
    }
}

static void a_banned_peer_stays_black(void **unused)
{
    struct scene *scene = set_up();
    size_t i = dial(scene);

    (void)unused;
    must(hy_hosts_ban(scene->node.net.hosts, scene->url, 0, HYPHA_ERR_MAGIC));
    leave(scene, i, HYPHA_ERR_MAGIC);
    assert_int_equal(colour_of(scene), HYPHA_COLOUR_BLACK);
    assert_int_equal(state_of(scene), HY_HOST_FREE);
    tear_down(scene);
}

/* Inbound, manual and seed touch no list; seeds are no peers. */
static void others_touch_no_list(void **unused)
{
    static const enum hypha_session sessions[] = { HYPHA_SESSION_INBOUND, HYPHA_SESSION_MANUAL,
        HYPHA_SESSION_SEED };

    (void)unused;
    for (size_t s = 0; s < 3; s++) {
        struct scene *scene = set_up();
        size_t i = add(scene, sessions[s]);

        must(enter(scene, i));
        assert_int_equal(state_of(scene), HY_HOST_CONNECTED);
        assert_int_equal(colour_of(scene), HYPHA_COLOURS);
        assert_int_equal(scene->node.net.peers_count, sessions[s] == HYPHA_SESSION_SEED ? 0 : 1);
        leave(scene, i, HYPHA_ERR_EOF);
        assert_int_equal(state_of(scene), HY_HOST_FREE);
        assert_int_equal(colour_of(scene), HYPHA_COLOURS);
        tear_down(scene);
    }
}

/* spec: network.md MUST 5-d: channels that share an address (a proxy on this machine) are all
 * counted: their key is the id. */
static void inbound_channels_may_share_an_address(void **unused)
{
    struct scene *scene = set_up();
    size_t first = add(scene, HYPHA_SESSION_INBOUND), second = add(scene, HYPHA_SESSION_INBOUND);

    (void)unused;
    must(enter(scene, first));
    must(enter(scene, second));
    assert_int_equal(scene->node.net.peers_count, 2);
    assert_true(hypha_channel_id(scene->channels[0]) != hypha_channel_id(scene->channels[1]));
    leave(scene, second, HYPHA_ERR_EOF);
    assert_int_equal(state_of(scene), HY_HOST_CONNECTED); /* the first one's */
    leave(scene, first, HYPHA_ERR_EOF);
    assert_int_equal(state_of(scene), HY_HOST_FREE);
    tear_down(scene);
}

/* A dialled host that is in use otherwise cannot be registered twice. */
static void dialled_channels_may_not(void **unused)
{
    struct scene *scene = set_up();
    size_t first = dial(scene), second = add(scene, HYPHA_SESSION_MANUAL);

    (void)unused;
    assert_int_equal(enter(scene, second), HYPHA_ERR_HOST_BLOCKED);
    assert_true(hypha_channel_is_stopped(scene->channels[second]));
    assert_int_equal(scene->node.net.peers_count, 1);
    leave(scene, second, HYPHA_ERR_HOST_BLOCKED);
    assert_int_equal(state_of(scene), HY_HOST_CONNECTED);
    leave(scene, first, HYPHA_ERR_EOF);
    tear_down(scene);
}

static void a_stopping_node_registers_nobody(void **unused)
{
    struct scene *scene = set_up();
    size_t i = add(scene, HYPHA_SESSION_INBOUND);

    (void)unused;
    scene->node.net.stopping = true;
    assert_int_equal(enter(scene, i), HYPHA_ERR_NETWORK_STOPPED);
    assert_true(hypha_channel_is_stopped(scene->channels[i]));
    assert_int_equal(state_of(scene), HY_HOST_FREE);
    tear_down(scene);
}

/* An owner gives back what it holds: a member leaves, a stranger's host is free. */
static void a_channel_is_given_back(void **unused)
{
    struct scene *scene = set_up();
    struct hypha_channel *channel;

    (void)unused;
    must(hy_hosts_set(scene->node.net.hosts, scene->url, HY_HOST_CONNECT));
    size_t i = add(scene, HYPHA_SESSION_MANUAL);
    channel = hypha_channel_ref(scene->channels[i]); /* the owner's */
    hy_session_give_back(&channel, &scene->memberships[i], scene->url, HYPHA_ERR_EOF);
    assert_null(channel);
    assert_int_equal(state_of(scene), HY_HOST_FREE);

    i = add(scene, HYPHA_SESSION_MANUAL);
    must(enter(scene, i));
    channel = hypha_channel_ref(scene->channels[i]);
    hy_session_give_back(&channel, &scene->memberships[i], scene->url, HYPHA_ERR_EOF);
    assert_null(channel);
    assert_int_equal(state_of(scene), HY_HOST_FREE);
    assert_int_equal(scene->node.net.peers_count, 0);
    assert_false(scene->memberships[i].registered);
    tear_down(scene);
}

/* 1 s doubling to 60 s. spec: network.md 7.4 */
static void back_off_doubles(void **unused)
{
    (void)unused;
    assert_int_equal(hy_backoff_ms(1, 1000, 60000), 1000);
    assert_int_equal(hy_backoff_ms(2, 1000, 60000), 2000);
    assert_int_equal(hy_backoff_ms(6, 1000, 60000), 32000);
    assert_int_equal(hy_backoff_ms(7, 1000, 60000), 60000);
    assert_int_equal(hy_backoff_ms(4000000000U, 1000, 60000), 60000);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_lost_outbound_peer_is_grey),
        cmocka_unit_test(our_own_stop_leaves_it_white),
        cmocka_unit_test(a_banned_peer_stays_black),
        cmocka_unit_test(others_touch_no_list),
        cmocka_unit_test(inbound_channels_may_share_an_address),
        cmocka_unit_test(dialled_channels_may_not),
        cmocka_unit_test(a_stopping_node_registers_nobody),
        cmocka_unit_test(a_channel_is_given_back),
        cmocka_unit_test(back_off_doubles),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
