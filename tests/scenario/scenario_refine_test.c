/* scenario_refine_test.c - probes of a running node: what they ask, what they conclude, and that a
 * node that is cut off concludes nothing. spec: network.md 7.7, network.md 10, apps.md 7.2 */
#include "scenario/world.h"

#include "hosts/host.h"
#include "session/session_refine.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <cmocka.h>

#define MINUTE 60000ULL
#define HOUR   (60 * MINUTE)
#define DAY_MS (24U * 3600 * 1000)

static void must(enum hypha_err err)
{
    assert_string_equal(hypha_err_name(err), "OK");
}

static struct hypha_url *make_url(const char *text)
{
    struct hypha_url *url = NULL;

    must(hypha_url_parse_text(text, &url));
    return url;
}

static struct hy_hosts *hosts_of(const struct node *node)
{
    return node->p2p->net.hosts;
}

static void list(const struct node *node, const char *text, enum hypha_colour colour)
{
    struct hypha_url *url = make_url(text);

    assert_int_equal(
        hy_hosts_receive_one(hosts_of(node), url, hy_wall_s(hy_sim_loop(node->world->sim))),
        HY_VERDICT_GREY);
    if (colour != HYPHA_COLOUR_GREY)
        must(hy_hosts_move(hosts_of(node), url, colour, HY_HOST_FREE));
    hypha_url_unref(url);
}

static enum hypha_colour colour_of(const struct node *node, const char *text)
{
    struct hypha_url *url = make_url(text);
    enum hypha_colour colour = HYPHA_COLOURS;

    (void)hy_hosts_find(hosts_of(node), url, &colour, NULL);
    hypha_url_unref(url);
    return colour;
}

static enum hy_host_state state_of(const struct node *node, const char *text)
{
    struct hypha_url *url = make_url(text);
    enum hy_host_state state = hy_hosts_state(hosts_of(node), url);

    hypha_url_unref(url);
    return state;
}

/* A node whose one peer tells it that it is online. */
static struct node *add_online(struct world *world)
{
    struct node *peer = world_add(world, &(struct node_plan){ .slots = -1 });

    return world_add(
        world, &(struct node_plan){ .slots = -1, .inbound = "", .peers = { peer->url } });
}

/* spec: network.md MUST 7.7-a, 7.7-b, 4.1-b
 * A host that accepts and says nothing is Refine from its selection until the handshake's time is
 * over (10 s by its profile), then unlisted and Free; also when the node stops meanwhile. */
static void a_silent_host(void **unused)
{
    static const char silent[] = "tcp://44.250.0.1:1";

    (void)unused;
    for (int stopped = 0; stopped < 2; stopped++) {
        struct world *world = world_create(31);
        struct node *node = add_online(world);
        uint64_t started_ms = 0, ended_ms = 0;

        must(hy_sim_set_host(world->sim, "44.250.0.1", HY_SIM_HOST_SILENT));
        world_start_all(world);
        world_run(world, 1000);
        list(node, silent, HYPHA_COLOUR_GREY);
        for (unsigned i = 0; i < 60000 / 50 && ended_ms == 0; i++) {
            world_run(world, 50);
            if (started_ms == 0 && state_of(node, silent) == HY_HOST_REFINE)
                started_ms = hy_now_ms(hy_sim_loop(world->sim));
            else if (started_ms > 0 && state_of(node, silent) != HY_HOST_REFINE)
                ended_ms = hy_now_ms(hy_sim_loop(world->sim));
            if (started_ms > 0 && stopped == 1)
                break;
        }
        assert_true(started_ms > 0);
        if (stopped == 0) {
            assert_in_range(ended_ms - started_ms, 9900, 10500);
            assert_int_equal(colour_of(node, silent), HYPHA_COLOURS);
        }
        world_stop_all(world);
        assert_int_equal(state_of(node, silent), HY_HOST_FREE);
        assert_int_equal(colour_of(node, silent), stopped == 0 ? HYPHA_COLOURS : HYPHA_COLOUR_GREY);
        /* To grey, and to none: whoever listens has heard of it. */
        assert_int_equal(node->events[HYPHA_EVENT_LIST], stopped == 0 ? 2 : 1);
        world_destroy(world);
    }
}

/* spec: network.md 10 (feelers): one probe every 120 s on average, at times that differ much */
static void feelers_feel(void **unused)
{
    enum { GREYS = 200 };
    struct world *world = world_create(32);
    struct node *node = add_online(world);
    uint64_t shortest_s = UINT64_MAX, longest_s = 0, last_s = 0;
    size_t left = GREYS;
    char text[48];

    (void)unused;
    node->p2p->settings->refinery_interval_ms = DAY_MS;
    world_start_all(world);
    world_run(world, 1000);
    for (unsigned i = 0; i < GREYS; i++) {
        (void)snprintf(text, sizeof text, "tcp://45.%u.0.1:1", i);
        list(node, text, HYPHA_COLOUR_GREY);
    }
    for (uint64_t s = 0; s < 4 * 3600; s++) {
        size_t count;

        world_run(world, 1000);
        count = hy_hosts_count(hosts_of(node), HYPHA_COLOUR_GREY);
        assert_true(left - count <= 1 || s == 0);
        if (count == left)
            continue;
        if (last_s > 0 && s - last_s < shortest_s)
            shortest_s = s - last_s;
        if (last_s > 0 && s - last_s > longest_s)
            longest_s = s - last_s;
        left = count;
        last_s = s;
    }
    print_message("%zu feelers in 4 h, %u to %u s apart\n", (size_t)GREYS - left,
        (unsigned)shortest_s, (unsigned)longest_s);
    assert_in_range(GREYS - left, 85, 155); /* 120 +- 3 sigma */
    assert_true(shortest_s < 30 && longest_s > 240);
    world_stop_all(world);
    world_destroy(world);
}

/* All cells for one network taken by hosts seen hours ago, of which none answers, and then one that
 * does. */
static void fill_white(struct world *world, const struct node *node, const char *newcomer)
{
    size_t full = (size_t)HY_BUCKETS_OF_GROUP * HY_WHITE_CELLS;
    char text[48];

    for (unsigned i = 1; hy_hosts_count(hosts_of(node), HYPHA_COLOUR_WHITE) < full; i++) {
        (void)snprintf(text, sizeof text, "tcp://45.1.%u.%u:1", i >> 8, i & 255);
        list(node, text, HYPHA_COLOUR_WHITE);
        while (hy_hosts_count(hosts_of(node), HYPHA_COLOUR_GREY) > 0) /* its bucket was full */
            hy_hosts_remove(
                hosts_of(node), hy_book_at(&hosts_of(node)->book, HYPHA_COLOUR_GREY, 0)->url);
    }
    world_run(world, 5 * HOUR);
    list(node, newcomer, HYPHA_COLOUR_WHITE);
    assert_int_equal(colour_of(node, newcomer), HYPHA_COLOUR_GREY);
    assert_int_equal(hosts_of(node)->contest_count, 1);
}

/* spec: network.md 10 (feelers): a white entry is tested before it is displaced */
static void a_feeler_tests_before_displacing(void **unused)
{
    static const char newcomer[] = "tcp://45.1.99.99:1";
    struct world *world = world_create(33);
    struct node *node = add_online(world);

    (void)unused;
    node->p2p->settings->refinery_interval_ms = DAY_MS;
    world_start_all(world);
    fill_white(world, node, newcomer);
    world_run(world, 20 * MINUTE);
    assert_int_equal(colour_of(node, newcomer), HYPHA_COLOUR_WHITE);
    assert_int_equal(hosts_of(node)->contest_count, 0);
    world_stop_all(world);
    world_destroy(world);
}

/* Offline nobody answers, and nobody is displaced for it. */
static void no_verdict_offline(void **unused)
{
    static const char newcomer[] = "tcp://45.1.99.99:1";
    struct world *world = world_create(34);
    struct node *node = add_online(world);
    size_t white;

    (void)unused;
    node->p2p->settings->refinery_interval_ms = DAY_MS;
    world_start_all(world);
    fill_white(world, node, newcomer);
    white = hy_hosts_count(hosts_of(node), HYPHA_COLOUR_WHITE);
    must(hy_sim_set_host(world->sim, node->ip, HY_SIM_HOST_DOWN));
    world_run(world, HOUR);
    assert_int_equal(hy_hosts_count(hosts_of(node), HYPHA_COLOUR_WHITE), white);
    assert_int_equal(colour_of(node, newcomer), HYPHA_COLOUR_GREY);
    must(hy_sim_set_host(world->sim, node->ip, HY_SIM_HOST_UP));
    world_run(world, HOUR);
    assert_int_equal(colour_of(node, newcomer), HYPHA_COLOUR_WHITE);
    world_stop_all(world);
    world_destroy(world);
}

/* ---- a seed's white list ---- */

#define LIVE 40

struct oldest {
    uint64_t last_seen;
};

static void find_oldest(const struct hypha_url *url, uint64_t last_seen, void *user)
{
    struct oldest *oldest = user;

    (void)url;
    if (last_seen < oldest->last_seen)
        oldest->last_seen = last_seen;
}

static uint64_t oldest_white_age_s(const struct node *node)
{
    struct oldest oldest = { UINT64_MAX };

    hy_hosts_each(hosts_of(node), HYPHA_COLOUR_WHITE, find_oldest, &oldest);
    return hy_wall_s(hy_sim_loop(node->world->sim)) - oldest.last_seen;
}

static struct node *add_seed(struct world *world, unsigned dead)
{
    struct node *seed = world_add(world, &(struct node_plan){ .seed = true, .quiet = true });
    char text[48];

    for (unsigned i = 0; i < LIVE; i++) {
        const struct node *node = world_add(
            world, &(struct node_plan){ .slots = -1, .quiet = true });

        list(seed, node->url, HYPHA_COLOUR_WHITE);
    }
    for (unsigned i = 0; i < dead; i++) {
        (void)snprintf(text, sizeof text, "tcp://45.%u.%u.1:1", i % 200, i / 200);
        list(seed, text, HYPHA_COLOUR_WHITE);
    }
    return seed;
}

/* spec: apps.md 7.2: a set time in which each entry is visited, whatever their number; who does
 * not answer goes, who answers stays; one that is busy stalls nobody */
static void a_seed_visits_its_white_list(void **unused)
{
    struct world *world = world_create(35);
    struct node *seed = add_seed(world, 400);
    struct hypha_url *busy = make_url("tcp://45.0.0.1:1");

    (void)unused;
    must(hy_hosts_set(hosts_of(seed), busy, HY_HOST_CONNECT));
    world_start_all(world);
    world_run(world, 30 * HOUR); /* nine in ten are dead: that is hard to tell from an outage */
    hy_hosts_free(hosts_of(seed), busy);
    print_message("%zu white left of 440, the oldest seen %llu s ago\n",
        hy_hosts_count(hosts_of(seed), HYPHA_COLOUR_WHITE),
        (unsigned long long)oldest_white_age_s(seed));
    assert_in_range(hy_hosts_count(hosts_of(seed), HYPHA_COLOUR_WHITE), LIVE, LIVE + 8);
    hy_hosts_remove(hosts_of(seed), busy);
    world_run(world, 7 * HOUR);
    assert_int_equal(hy_hosts_count(hosts_of(seed), HYPHA_COLOUR_WHITE), LIVE);
    assert_true(oldest_white_age_s(seed) < 7 * 3600);
    hypha_url_unref(busy);
    world_stop_all(world);
    world_destroy(world);
}

/* spec: apps.md 7.2: a seed that is offline for a day keeps its list */
static void a_seed_offline_keeps_its_list(void **unused)
{
    struct world *world = world_create(36);
    struct node *seed = add_seed(world, 0);

    (void)unused;
    world_start_all(world);
    world_run(world, HOUR);
    for (int way = 0; way < 2; way++) {
        must(hy_sim_set_host(
            world->sim, seed->ip, way == 0 ? HY_SIM_HOST_DOWN : HY_SIM_HOST_BLACKHOLE));
        world_run(world, 24 * HOUR);
        assert_in_range(hy_hosts_count(hosts_of(seed), HYPHA_COLOUR_WHITE), LIVE - 3, LIVE);
        must(hy_sim_set_host(world->sim, seed->ip, HY_SIM_HOST_UP));
        world_run(world, 7 * HOUR);
        /* The three that it believed were gone have been found again, as grey ones are. */
        assert_in_range(hy_hosts_count(hosts_of(seed), HYPHA_COLOUR_WHITE), LIVE - 3, LIVE);
        assert_true(oldest_white_age_s(seed) < 8 * 3600);
    }
    world_stop_all(world);
    world_destroy(world);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_silent_host),
        cmocka_unit_test(feelers_feel),
        cmocka_unit_test(a_feeler_tests_before_displacing),
        cmocka_unit_test(no_verdict_offline),
        cmocka_unit_test(a_seed_visits_its_white_list),
        cmocka_unit_test(a_seed_offline_keeps_its_list),
    };

    return cmocka_run_group_tests_name("refine", tests, NULL, NULL);
}
