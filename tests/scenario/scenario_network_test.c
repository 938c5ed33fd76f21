/* scenario_network_test.c - nodes that have never heard of each other meet through seeds, talk,
 * and stop; the same seed of chance gives the same run, event by event. */
#include "scenario/world.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <cmocka.h>

#define NODES 20

struct outcome {
    uint64_t events, wires;
    uint64_t peers_ms; /* until everybody had 3 peers */
    size_t heard;
};

static struct outcome live(uint64_t seed)
{
    struct world *world = world_create(seed);
    struct node *seeds[2], *nodes[NODES];
    struct outcome outcome = { 0 };
    char text[32];

    for (size_t i = 0; i < 2; i++)
        seeds[i] = world_add(world, &(struct node_plan){ .seed = true });
    for (size_t i = 0; i < NODES; i++)
        nodes[i] = world_add(
            world, &(struct node_plan){ .seeds = { seeds[0]->url, seeds[1]->url } });

    world_start_all(world);
    uint64_t began_ms = hy_now_ms(hy_sim_loop(world->sim));
    world_run_until_peers(world, 3, 30000);
    outcome.peers_ms = hy_now_ms(hy_sim_loop(world->sim)) - began_ms;
    world_run(world, 30000);

    for (size_t i = 0; i < NODES; i++) {
        (void)snprintf(text, sizeof(text), "hello from %zu", i);
        assert_true(chat_say(nodes[i]->p2p, text) >= 3);
    }
    world_run(world, 1000);
    for (size_t i = 0; i < NODES; i++) {
        assert_true(nodes[i]->chat.heard >= 3);
        outcome.heard += nodes[i]->chat.heard;
        /* Nobody was ever a peer of a seed slot: those channels are gone. */
        assert_true(nodes[i]->events[HYPHA_EVENT_OUTBOUND_PEER_DISCOVERY] >= 2);
        assert_int_equal(nodes[i]->events[HYPHA_EVENT_BANNED], 0);
    }
    world_stop_all(world);
    for (size_t i = 0; i < world->count; i++) {
        assert_int_equal(world->nodes[i].why, HYPHA_OK);
        assert_int_equal(world->nodes[i].stops, 1);
    }
    outcome.events = world->hash;
    outcome.wires = hy_sim_trace_hash(world->sim);
    world_destroy(world);
    return outcome;
}

static void twenty_nodes_form_chat_and_stop(void **unused)
{
    struct outcome first = live(1), again = live(1), other = live(2);

    (void)unused;
    print_message(
        "3 peers each after %llu ms of virtual time\n", (unsigned long long)first.peers_ms);
    assert_true(first.events == again.events);
    assert_true(first.wires == again.wires);
    assert_int_equal(first.heard, again.heard);
    assert_true(first.events != other.events);
    assert_true(first.wires != other.wires);
}

/* Ten nodes and one seed on one quick network: the first round suffices. */
static void ten_nodes_meet_within_a_second(void **unused)
{
    const struct hy_sim_link quick = {
        .latency_min_ms = 1, .latency_max_ms = 2, .buffer_bytes = 262144
    };
    struct world *world = world_create(3);

    (void)unused;
    hy_sim_set_links(world->sim, &quick);
    struct node *seed = world_add(world, &(struct node_plan){ .seed = true });
    for (size_t i = 0; i < 10; i++)
        (void)world_add(world, &(struct node_plan){ .seeds = { seed->url } });
    world_start_all(world);
    uint64_t began_ms = hy_now_ms(hy_sim_loop(world->sim));
    world_run_until_peers(world, 8, 1000);
    print_message("8 peers each after %llu ms of virtual time\n",
        (unsigned long long)(hy_now_ms(hy_sim_loop(world->sim)) - began_ms));
    world_stop_all(world);
    world_destroy(world);
}

/* Nodes that start one after another do not wait for the next round either. Seven of them: few
 * enough that two that dial each other do not use up all places. */
static void stragglers_meet_too(void **unused)
{
    struct world *world = world_create(4);

    (void)unused;
    struct node *seed = world_add(world, &(struct node_plan){ .seed = true });
    node_start(seed);
    for (size_t i = 0; i < 7; i++) {
        struct node *node = world_add(world, &(struct node_plan){ .seeds = { seed->url } });

        node_start(node);
        world_run(world, 400);
    }
    world_run_until_peers(world, 6, 1000);
    world_stop_all(world);
    world_destroy(world);
}

/* Two nodes and no seed: the configured peer is all there is. spec: network.md 7.2 */
static void manual_peers_need_no_seed(void **unused)
{
    struct world *world = world_create(5);
    struct node *a = world_add(world, &(struct node_plan){ .slots = -1 });
    struct node *b = world_add(
        world, &(struct node_plan){ .peers = { a->url }, .inbound = "", .slots = -1 });

    (void)unused;
    world_start_all(world);
    world_run(world, 1000);
    assert_int_equal(hypha_p2p_peers_count(a->p2p), 1);
    assert_int_equal(hypha_p2p_peers_count(b->p2p), 1);
    assert_int_equal(chat_say(b->p2p, "you there?"), 1);
    world_run(world, 1000);
    assert_string_equal(a->chat.last, "you there?");
    assert_int_equal(hy_hosts_count(b->p2p->net.hosts, HYPHA_COLOUR_GOLD), 0);

    node_stop(a);
    world_run(world, 1000);
    assert_int_equal(hypha_p2p_peers_count(b->p2p), 0);
    node_start(a);
    world_run(world, 40000); /* a pause of outbound_connect_timeout lies between the tries */
    assert_int_equal(hypha_p2p_peers_count(b->p2p), 1);
    world_stop_all(world);
    world_destroy(world);
}

/* One limit over all; who comes later waits in the backlog. spec: network.md 7.3, 6.2 */
static void inbound_places_are_counted(void **unused)
{
    struct world *world = world_create(6);
    struct node *hall = world_add(world, &(struct node_plan){ .slots = -1, .places = 3 });
    struct node *guests[5];

    (void)unused;
    for (size_t i = 0; i < 5; i++)
        guests[i] = world_add(
            world, &(struct node_plan){ .peers = { hall->url }, .inbound = "", .slots = -1 });
    world_start_all(world);
    world_run(world, 60000);
    assert_int_equal(hypha_p2p_peers_count(hall->p2p), 3);
    size_t inside = 0;
    for (size_t i = 0; i < 5; i++)
        inside += hypha_p2p_peers_count(guests[i]->p2p);
    assert_int_equal(inside, 3);
    for (size_t i = 0; i < 5; i++) {
        assert_int_equal(guests[i]->events[HYPHA_EVENT_BANNED], 0);
        if (hypha_p2p_peers_count(guests[i]->p2p) > 0) {
            node_stop(guests[i]);
            break;
        }
    }
    world_run(world, 60000);
    assert_int_equal(hypha_p2p_peers_count(hall->p2p), 3); /* the free place was taken */
    world_stop_all(world);
    world_destroy(world);
}

struct seeding {
    unsigned count, attempt;
};

static void note_seeding(const struct hypha_event *event, void *user)
{
    struct seeding *seeding = user;

    if (event->type != HYPHA_EVENT_OUTBOUND_PEER_DISCOVERY || strcmp(event->state, "seed") != 0)
        return;
    seeding->count++;
    seeding->attempt = event->attempt;
}

/* A peer that knows nobody is asked twice, then the seeds are. spec: network.md 7.5; the event's
 * attempt is the number of failures in a row, 0 to 2: apps.md 6.1 */
static void two_fruitless_rounds_lead_to_the_seeds(void **unused)
{
    struct world *world = world_create(7);
    struct seeding seeding = { 0 };

    (void)unused;
    struct node *seed = world_add(world, &(struct node_plan){ .seed = true });
    struct node *friend = world_add(world, &(struct node_plan){ .slots = -1 });
    struct node *node = world_add(
        world, &(struct node_plan){ .seeds = { seed->url }, .peers = { friend->url } });

    assert_int_equal(hypha_p2p_subscribe_events(node->p2p, note_seeding, &seeding), HYPHA_OK);
    node_start(friend);
    node_start(node);
    world_run(world, 1000); /* the seed is not there yet */
    assert_int_equal(hypha_p2p_peers_count(node->p2p), 1);
    node_start(seed);
    seeding = (struct seeding){ 0 };
    for (unsigned ms = 0; ms < 30000 && seeding.count == 0; ms += 100)
        world_run(world, 100);
    assert_int_equal(seeding.count, 1);
    assert_int_equal(seeding.attempt, 2);
    world_stop_all(world);
    world_destroy(world);
}

/* spec: network.md MUST 7.2-a: connect(url), disconnect(url) */
static void peers_may_be_named_while_running(void **unused)
{
    struct world *world = world_create(8);
    struct hypha_url *url = NULL, *bad = NULL, *foreign = NULL;

    (void)unused;
    struct node *friend = world_add(world, &(struct node_plan){ .slots = -1 });
    struct node *node = world_add(world, &(struct node_plan){ .slots = -1 });

    assert_int_equal(hypha_url_parse_text(friend->url, &url), HYPHA_OK);
    assert_int_equal(hypha_url_parse_text("tcp://nobody/", &bad), HYPHA_OK);
    assert_int_equal(hypha_url_parse_text("i2p://x.i2p:1", &foreign), HYPHA_OK);
    assert_int_equal(hypha_p2p_connect(node->p2p, url), HYPHA_ERR_NETWORK_STOPPED);
    assert_int_equal(hypha_p2p_disconnect(node->p2p, url), HYPHA_ERR_NOT_FOUND);
    world_start_all(world);
    world_run(world, 1000);
    assert_int_equal(hypha_p2p_peers_count(node->p2p), 0);
    assert_int_equal(hypha_p2p_connect(node->p2p, bad), HYPHA_ERR_BAD_ADDRESS);
    assert_int_equal(hypha_p2p_connect(node->p2p, foreign), HYPHA_ERR_UNSUPPORTED_TRANSPORT);
    assert_int_equal(hypha_p2p_connect(node->p2p, url), HYPHA_OK);
    assert_int_equal(hypha_p2p_connect(node->p2p, url), HYPHA_ERR_EXISTS);
    world_run(world, 1000);
    assert_int_equal(hypha_p2p_peers_count(node->p2p), 1);
    node_stop(friend);
    world_run(world, 1000);
    assert_int_equal(hypha_p2p_peers_count(node->p2p), 0);
    node_start(friend);
    world_run(world, 30000); /* kept: dialled again */
    assert_int_equal(hypha_p2p_peers_count(node->p2p), 1);
    assert_int_equal(hypha_p2p_disconnect(node->p2p, url), HYPHA_OK);
    world_run(world, 30000);
    assert_int_equal(hypha_p2p_peers_count(node->p2p), 0);
    assert_int_equal(hypha_p2p_disconnect(node->p2p, url), HYPHA_ERR_NOT_FOUND);
    assert_int_equal(hypha_p2p_connect(node->p2p, url), HYPHA_OK);
    world_stop_all(world); /* in the middle of the dial */
    world_destroy(world);
    hypha_url_unref(url);
    hypha_url_unref(bad);
    hypha_url_unref(foreign);
}

static void count_host(const struct hypha_url *url, uint64_t last_seen, void *user)
{
    (void)url;
    (void)last_seen;
    ++*(size_t *)user;
}

static size_t whites(const struct node *node)
{
    size_t count = 0;

    hypha_p2p_each_host(node->p2p, HYPHA_COLOUR_WHITE, count_host, &count);
    return count;
}

/* A seed that nobody visits goes on looking after its white list; when nothing at all answers, it
 * keeps what is left: the fault may be its own. spec: network.md 7.6, apps.md 7.2 */
static void a_quiet_seed_forgets_the_dead(void **unused)
{
    struct world *world = world_create(9);

    (void)unused;
    struct node *seed = world_add(world, &(struct node_plan){ .seed = true });
    for (size_t i = 0; i < 5; i++)
        (void)world_add(world, &(struct node_plan){ .seeds = { seed->url } });
    world_start_all(world);
    world_run_until_peers(world, 4, 10000);
    assert_int_equal(whites(seed), 5);
    node_stop(&world->nodes[1]);
    world_run(world, 20 * 60 * 1000);
    assert_int_equal(whites(seed), 4);
    for (size_t i = 2; i < world->count; i++)
        node_stop(&world->nodes[i]);
    world_run(world, 3600 * 1000);
    assert_int_equal(whites(seed), 1);
    world_stop_all(world);
    world_destroy(world);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(two_fruitless_rounds_lead_to_the_seeds),
        cmocka_unit_test(peers_may_be_named_while_running),
        cmocka_unit_test(a_quiet_seed_forgets_the_dead),
        cmocka_unit_test(twenty_nodes_form_chat_and_stop),
        cmocka_unit_test(ten_nodes_meet_within_a_second),
        cmocka_unit_test(stragglers_meet_too),
        cmocka_unit_test(manual_peers_need_no_seed),
        cmocka_unit_test(inbound_places_are_counted),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
