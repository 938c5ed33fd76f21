/* scenario_direct_test.c - channels on demand between whole nodes, and a node without slots that
 * finds peers all the same. spec: network.md 7.8 */
#include "scenario/world.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <cmocka.h>

struct caller {
    struct node *node;
    unsigned told;
    enum hypha_err err;
    struct hypha_channel *channel;
    struct hypha_direct *request;
};

static void on_told(
    struct hypha_p2p *p2p, enum hypha_err err, struct hypha_channel *channel, void *user)
{
    struct caller *caller = user;

    assert_ptr_equal(p2p, caller->node->p2p);
    assert_int_equal(err == HYPHA_OK, channel != NULL);
    caller->told++;
    caller->err = err;
    caller->channel = channel;
    caller->request = NULL;
}

static void get(struct caller *caller, struct node *node, const char *text, unsigned retries)
{
    struct hypha_url *url = NULL;

    *caller = (struct caller){ .node = node };
    assert_int_equal(hypha_url_parse_text(text, &url), HYPHA_OK);
    assert_int_equal(
        hypha_p2p_get_channel(node->p2p, url, retries, on_told, caller, &caller->request),
        HYPHA_OK);
    assert_int_equal(caller->told, 0); /* never from inside the call */
    hypha_url_unref(url);
}

static enum hy_host_state state_of(const struct node *node, const char *text)
{
    struct hypha_url *url = NULL;

    assert_int_equal(hypha_url_parse_text(text, &url), HYPHA_OK);
    enum hy_host_state state = hy_hosts_state(node->p2p->net.hosts, url);
    hypha_url_unref(url);
    return state;
}

static size_t count_of(const struct node *node, enum hypha_colour colour)
{
    return hy_hosts_count(node->p2p->net.hosts, colour);
}

static size_t known_to(const struct node *node)
{
    return count_of(node, HYPHA_COLOUR_GREY) + count_of(node, HYPHA_COLOUR_WHITE) +
        count_of(node, HYPHA_COLOUR_GOLD);
}

/* One that asks, without slots and seeds, and two that are there. */
struct stage {
    struct world *world;
    struct node *asks, *there, *also;
};

static struct stage build(uint64_t chance)
{
    struct stage stage = { .world = world_create(chance) };

    stage.there = world_add(stage.world, &(struct node_plan){ .slots = -1 });
    stage.also = world_add(stage.world, &(struct node_plan){ .slots = -1 });
    stage.asks = world_add(stage.world, &(struct node_plan){ .slots = -1, .inbound = "" });
    return stage;
}

static void end(struct stage *stage)
{
    world_stop_all(stage->world);
    world_destroy(stage->world);
}

/* spec: network.md MUST 7.8-a: the channel talks, is shared, and closes with its last user */
static void asked_shared_given_back(void **unused)
{
    struct stage stage = build(1);
    struct hypha_p2p *p2p = stage.asks->p2p;
    struct caller one, two, other;

    (void)unused;
    world_start_all(stage.world);
    world_run(stage.world, 100);
    get(&one, stage.asks, stage.there->url, 0);
    get(&two, stage.asks, stage.there->url, 0);
    get(&other, stage.asks, stage.also->url, 0);
    world_run(stage.world, 2000);
    assert_int_equal(one.err, HYPHA_OK);
    assert_ptr_equal(one.channel, two.channel);
    assert_ptr_not_equal(one.channel, other.channel);
    assert_int_equal(hypha_p2p_peers_count(p2p), 2);
    assert_int_equal(count_of(stage.asks, HYPHA_COLOUR_GOLD), 2);
    assert_int_equal(chat_say(p2p, "hello"), 2);
    world_run(stage.world, 1000);
    assert_string_equal(stage.there->chat.last, "hello");

    assert_false(hypha_p2p_release_channel(p2p, one.channel));
    world_run(stage.world, 60000);
    assert_int_equal(hypha_p2p_peers_count(p2p), 2);
    assert_true(hypha_p2p_release_channel(p2p, two.channel));
    world_run(stage.world, 1000);
    assert_int_equal(hypha_p2p_peers_count(p2p), 1);
    assert_int_equal(hypha_p2p_peers_count(stage.there->p2p), 0);
    assert_int_equal(state_of(stage.asks, stage.there->url), HY_HOST_FREE);
    assert_false(hypha_p2p_release_channel(p2p, two.channel)); /* once only */
    assert_int_equal(stage.asks->events[HYPHA_EVENT_DIRECT_CONNECTING], 2);
    assert_int_equal(stage.asks->events[HYPHA_EVENT_DIRECT_CONNECTED], 2);
    assert_int_equal(stage.asks->events[HYPHA_EVENT_DIRECT_DISCONNECTED], 1);
    end(&stage);
}

/* spec: network.md 7.8: no reconnect; grey afterwards */
static void a_peer_goes_away(void **unused)
{
    struct stage stage = build(2);
    struct caller caller;

    (void)unused;
    world_start_all(stage.world);
    world_run(stage.world, 100);
    get(&caller, stage.asks, stage.there->url, 5);
    world_run(stage.world, 2000);
    assert_int_equal(caller.err, HYPHA_OK);
    node_stop(stage.there);
    world_run(stage.world, 2000);
    assert_true(hypha_channel_is_stopped(caller.channel)); /* the usage keeps its memory */
    assert_int_equal(count_of(stage.asks, HYPHA_COLOUR_GREY), 1);
    node_start(stage.there);
    world_run(stage.world, 600000);
    assert_int_equal(caller.told, 1);
    assert_int_equal(stage.asks->events[HYPHA_EVENT_DIRECT_CONNECTING], 1);
    assert_false(hypha_p2p_release_channel(stage.asks->p2p, caller.channel));
    end(&stage);
}

/* spec: network.md 7.8: get_channel_with_retries */
static void retries_reach_a_late_peer(void **unused)
{
    struct stage stage = build(3);
    struct caller patient, hasty;

    (void)unused;
    node_start(stage.asks);
    world_run(stage.world, 100);
    get(&patient, stage.asks, stage.there->url, 3);
    get(&hasty, stage.asks, stage.there->url, 0);
    world_run(stage.world, 20000);
    assert_int_equal(hasty.told, 1);
    assert_int_equal(hasty.err, HYPHA_ERR_CONNECT_FAILED);
    assert_int_equal(patient.told, 0);
    node_start(stage.there);
    world_run(stage.world, 40000);
    assert_int_equal(patient.told, 1);
    assert_int_equal(patient.err, HYPHA_OK);
    assert_int_equal(state_of(stage.asks, stage.there->url), HY_HOST_CONNECTED);
    end(&stage);
}

/* spec: network.md 7.8: blocked by Refine: retried after 5 s */
static void the_refinery_is_waited_for(void **unused)
{
    struct stage stage = build(4);
    struct hypha_url *url = NULL;
    struct caller caller;

    (void)unused;
    world_start_all(stage.world);
    world_run(stage.world, 100);
    assert_int_equal(hypha_url_parse_text(stage.there->url, &url), HYPHA_OK);
    struct hy_hosts *hosts = stage.asks->p2p->net.hosts;
    assert_int_equal(hy_hosts_set(hosts, url, HY_HOST_REFINE), HYPHA_OK);
    get(&caller, stage.asks, stage.there->url, 0);
    world_run(stage.world, 4000);
    assert_int_equal(stage.asks->events[HYPHA_EVENT_DIRECT_CONNECTING], 0);
    hy_hosts_free(hosts, url);
    world_run(stage.world, 3000);
    assert_int_equal(caller.told, 1);
    assert_int_equal(caller.err, HYPHA_OK);
    hypha_url_unref(url);
    end(&stage);
}

/* A manual peer's channel serves, and the address that is nobody's to dial is refused. */
static void others_serve_and_own_is_refused(void **unused)
{
    struct world *world = world_create(5);
    struct node *seed = world_add(world, &(struct node_plan){ .seed = true });
    struct node *peer = world_add(world, &(struct node_plan){ .slots = -1 });
    struct node *asks = world_add(
        world, &(struct node_plan){ .slots = -1, .peers = { peer->url }, .seeds = { seed->url } });
    struct caller of_peer, of_seed, own;

    (void)unused;
    world_start_all(world);
    world_run(world, 2000);
    get(&of_peer, asks, peer->url, 0);
    get(&of_seed, asks, seed->url, 9);
    get(&own, asks, asks->url, 9);
    world_run(world, 1000);
    assert_int_equal(of_peer.err, HYPHA_OK);
    assert_int_equal(hypha_channel_session(of_peer.channel), HYPHA_SESSION_MANUAL);
    assert_false(hypha_p2p_release_channel(asks->p2p, of_peer.channel));
    assert_false(hypha_channel_is_stopped(of_peer.channel));
    assert_int_equal(of_seed.told, 1);
    assert_int_equal(of_seed.err, HYPHA_ERR_CONNECT_FAILED);
    assert_int_equal(own.told, 1);
    assert_int_equal(own.err, HYPHA_ERR_CONNECT_FAILED);
    assert_int_equal(asks->events[HYPHA_EVENT_DIRECT_CONNECTING], 0);
    world_stop_all(world);
    world_destroy(world);
}

/* spec: network.md MUST 7.8-c, 2.3-a: at any moment of a dial, a handshake, a pause; each caller is
 * told once */
static void stop_at_any_moment(void **unused)
{
    (void)unused;
    for (uint64_t moment = 0; moment <= 600; moment += 7) {
        struct stage stage = build(100 + moment);
        struct caller callers[4];

        world_start_all(stage.world);
        world_run(stage.world, 100);
        get(&callers[0], stage.asks, stage.there->url, 0);
        get(&callers[1], stage.asks, stage.there->url, 3);
        get(&callers[2], stage.asks, stage.also->url, 3);
        get(&callers[3], stage.asks, "tcp://44.99.0.1:9", 3); /* nobody is there */
        world_run(stage.world, moment);
        node_stop(stage.asks);
        node_run_to_stop(stage.asks);
        assert_int_equal(hy_p2p_leftovers(stage.asks->p2p), 0);
        for (size_t i = 0; i < 4; i++) {
            assert_int_equal(callers[i].told, 1);
            assert_true(callers[i].err == HYPHA_OK || callers[i].err == HYPHA_ERR_NETWORK_STOPPED);
        }
        assert_int_equal(callers[3].err, HYPHA_ERR_NETWORK_STOPPED);
        /* What was not given back was taken back. */
        if (callers[0].err == HYPHA_OK)
            assert_false(hypha_p2p_release_channel(stage.asks->p2p, callers[0].channel));
        end(&stage);
    }
}

/* spec: network.md MUST 7.8-c, 5-b: whoever hears of a channel on demand may have had enough */
static void stop_inside_any_event(void **unused)
{
    (void)unused;
    for (unsigned n = 0; n < 80; n++) {
        struct stage stage = build(3000 + n);
        struct node_countdown countdown = { stage.asks, n };
        struct caller callers[3];

        assert_int_equal(
            hypha_p2p_subscribe_events(stage.asks->p2p, node_stop_at_zero, &countdown), HYPHA_OK);
        world_start_all(stage.world);
        world_run(stage.world, 100);
        get(&callers[0], stage.asks, stage.there->url, 1);
        get(&callers[1], stage.asks, stage.there->url, 0);
        get(&callers[2], stage.asks, stage.also->url, 0);
        world_run(stage.world, 3000);
        if (!stage.asks->stopped)
            (void)hypha_p2p_release_channel(stage.asks->p2p, callers[2].channel);
        world_run(stage.world, 3000);
        if (stage.asks->stopped)
            assert_int_equal(hy_p2p_leftovers(stage.asks->p2p), 0);
        for (size_t i = 0; i < 3; i++)
            assert_int_equal(callers[i].told, 1);
        hypha_p2p_unsubscribe_events(stage.asks->p2p, node_stop_at_zero, &countdown);
        end(&stage);
    }
}

static void wrong_times_and_addresses(void **unused)
{
    struct stage stage = build(7);
    struct hypha_p2p *p2p = stage.asks->p2p;
    struct hypha_url *url = NULL, *portless = NULL;
    struct caller caller = { .node = stage.asks };

    (void)unused;
    assert_int_equal(hypha_url_parse_text(stage.there->url, &url), HYPHA_OK);
    assert_int_equal(hypha_url_parse_text("tcp://44.1.0.1", &portless), HYPHA_OK);
    assert_int_equal(
        hypha_p2p_get_channel(p2p, url, 0, on_told, &caller, NULL), HYPHA_ERR_NETWORK_STOPPED);
    assert_int_equal(hypha_p2p_start_peer_discovery(p2p), HYPHA_ERR_NETWORK_STOPPED);
    assert_false(hypha_p2p_release_channel(p2p, NULL));
    world_start_all(stage.world);
    world_run(stage.world, 100);
    assert_int_equal(
        hypha_p2p_get_channel(p2p, portless, 0, on_told, &caller, NULL), HYPHA_ERR_BAD_ADDRESS);
    node_stop(stage.asks);
    assert_int_equal(
        hypha_p2p_get_channel(p2p, url, 0, on_told, &caller, NULL), HYPHA_ERR_NETWORK_STOPPED);
    assert_int_equal(hypha_p2p_start_peer_discovery(p2p), HYPHA_ERR_NETWORK_STOPPED);
    world_run(stage.world, 1000);
    assert_int_equal(caller.told, 0);

    /* And again, after a restart. */
    node_start(stage.asks);
    world_run(stage.world, 100);
    get(&caller, stage.asks, stage.there->url, 0);
    world_run(stage.world, 2000);
    assert_int_equal(caller.err, HYPHA_OK);
    hypha_url_unref(url);
    hypha_url_unref(portless);
    end(&stage);
}

/* ---- discovery ---- */

struct story {
    char text[4096];
    size_t seeds, sleeps;
};

static void on_discovery(const struct hypha_event *event, void *user)
{
    struct story *story = user;
    size_t used = strlen(story->text);

    assert_int_equal(event->session, HYPHA_SESSION_DIRECT);
    (void)snprintf(story->text + used, sizeof(story->text) - used, "%s%s %u", used > 0 ? ", " : "",
        event->state, event->attempt);
    story->seeds += strcmp(event->state, "seed") == 0;
    story->sleeps += strcmp(event->state, "sleep") == 0;
}

static void tell(struct node *node, struct story *story)
{
    *story = (struct story){ 0 };
    assert_int_equal(hypha_p2p_subscribe_events_of(node->p2p,
                         HYPHA_EVENT_BIT(HYPHA_EVENT_DIRECT_PEER_DISCOVERY), on_discovery, story),
        HYPHA_OK);
}

/* spec: network.md 7.8: discovery of a node without slots: the seed first, then those it named */
static void peers_are_found_without_slots(void **unused)
{
    struct world *world = world_create(8);
    struct node *seed = world_add(world, &(struct node_plan){ .seed = true });
    struct story story;

    (void)unused;
    for (size_t i = 0; i < 8; i++)
        (void)world_add(world, &(struct node_plan){ .seeds = { seed->url } });
    struct node *subject = world_add(
        world, &(struct node_plan){ .slots = -1, .inbound = "", .seeds = { seed->url } });
    tell(subject, &story);
    world_start_all(world);
    world_run(world, 30000);
    assert_int_equal(known_to(subject), 0); /* not before it is asked for */
    assert_string_equal(story.text, "");

    assert_int_equal(hypha_p2p_start_peer_discovery(subject->p2p), HYPHA_OK);
    assert_int_equal(hypha_p2p_start_peer_discovery(subject->p2p), HYPHA_OK);
    world_run(world, 20000);
    const char *begin = "wait 0, newchan 1, seed 1, wait 1, newchan 2, getaddr 2, ";
    assert_memory_equal(story.text, begin, strlen(begin));
    assert_true(known_to(subject) >= 5);
    assert_true(subject->events[HYPHA_EVENT_DIRECT_CONNECTED] >= 1);
    world_run(world, 120000);
    assert_int_equal(story.seeds, 1); /* never again while there are hosts */
    assert_true(known_to(subject) >= 5);
    world_stop_all(world);
    world_destroy(world);
}

/* Addresses alone: one known host, asked for one address a time over borrowed channels. */
static void peers_are_found_by_getaddr(void **unused)
{
    struct world *world = world_create(9);
    struct node *seed = world_add(world, &(struct node_plan){ .seed = true }), *first = NULL;
    struct story story;

    (void)unused;
    for (size_t i = 0; i < 8; i++)
        first = world_add(world, &(struct node_plan){ .seeds = { seed->url } });
    struct node *subject = world_add(world, &(struct node_plan){ .slots = -1, .inbound = "" });
    tell(subject, &story);
    world_start_all(world);
    world_run(world, 30000);
    struct hypha_url *url = NULL;
    assert_int_equal(hypha_url_parse_text(first->url, &url), HYPHA_OK);
    (void)hy_hosts_receive_one(subject->p2p->net.hosts, url, hy_wall_s(hy_sim_loop(world->sim)));
    hypha_url_unref(url);
    assert_int_equal(known_to(subject), 1);

    assert_int_equal(hypha_p2p_start_peer_discovery(subject->p2p), HYPHA_OK);
    world_run(world, 3000);
    const char *begin = "wait 0, newchan 1, getaddr 1";
    assert_memory_equal(story.text, begin, strlen(begin));
    /* getaddr{max 1}: two at most at a time; and the peer's own address, unasked. */
    assert_true(known_to(subject) >= 2 && known_to(subject) <= 3);
    assert_int_equal(hypha_p2p_peers_count(subject->p2p), 0); /* its channel was given back */
    world_run(world, 300000);
    assert_true(known_to(subject) >= 5);
    assert_true(story.sleeps >= 1); /* when nothing new came */
    assert_int_equal(story.seeds, 0);
    world_stop_all(world);
    world_destroy(world);
}

/* Everybody is dead: three tries, a long sleep, and seeds asked ever more rarely.
 * spec: network.md 7.8; MUST 7.5-e */
static void nobody_answers(void **unused)
{
    struct world *world = world_create(10);
    struct node *seed = world_add(world, &(struct node_plan){ .seed = true });
    struct node *subject = world_add(
        world, &(struct node_plan){ .slots = -1, .inbound = "", .seeds = { seed->url } });
    struct hypha_discovery_info info;
    struct story story;

    (void)unused;
    tell(subject, &story);
    node_start(subject);
    world_run(world, 100);
    assert_int_equal(hypha_p2p_start_peer_discovery(subject->p2p), HYPHA_OK);
    world_run(world, 60000);
    const char *begin = "wait 0, newchan 1, seed 1, wait 1, newchan 2";
    assert_memory_equal(story.text, begin, strlen(begin));
    assert_non_null(strstr(story.text, "wait 3, sleep 4, newchan 1"));
    size_t in_a_minute = story.seeds;
    world_run(world, 3600 * 1000);
    assert_true(in_a_minute <= 4);
    assert_true(story.seeds <= in_a_minute + 3600 / 200);
    hypha_p2p_discovery(subject->p2p, &info);
    assert_string_not_equal(info.state, "stopped");
    assert_int_equal(info.seed_rounds, story.seeds);
    assert_int_equal(info.getaddr_rounds, 0);
    assert_true(info.seed_wait_ms <= 375000);
    assert_int_equal(hy_p2p_leftovers(subject->p2p), 0);

    /* It comes back: found without anybody's help. */
    for (size_t i = 0; i < 4; i++)
        (void)world_add(world, &(struct node_plan){ .seeds = { seed->url } });
    for (size_t i = 2; i < 6; i++)
        node_start(&world->nodes[i]);
    node_start(seed);
    world_run(world, 600000);
    assert_true(known_to(subject) >= 2);
    world_stop_all(world);
    world_destroy(world);
}

/* With slots they find peers themselves. spec: network.md 7.8 */
static void nodes_with_slots_need_none(void **unused)
{
    struct world *world = world_create(11);
    struct node *node = world_add(world, &(struct node_plan){ .slots = 3 });
    struct story story;

    (void)unused;
    tell(node, &story);
    node_start(node);
    world_run(world, 100);
    assert_int_equal(hypha_p2p_start_peer_discovery(node->p2p), HYPHA_OK);
    world_run(world, 60000);
    assert_string_equal(story.text, "");
    world_stop_all(world);
    world_destroy(world);
}

/* Stopped while it dials, asks, seeds, rests. */
static void discovery_stops_at_any_moment(void **unused)
{
    (void)unused;
    for (uint64_t moment = 0; moment <= 12000; moment += moment < 600 ? 23 : 331) {
        struct world *world = world_create(200 + moment);
        struct node *seed = world_add(world, &(struct node_plan){ .seed = true });

        for (size_t i = 0; i < 3; i++)
            (void)world_add(world, &(struct node_plan){ .seeds = { seed->url } });
        struct node *subject = world_add(
            world, &(struct node_plan){ .slots = -1, .inbound = "", .seeds = { seed->url } });
        world_start_all(world);
        world_run(world, 3000);
        assert_int_equal(hypha_p2p_start_peer_discovery(subject->p2p), HYPHA_OK);
        world_run(world, moment);
        node_stop(subject);
        node_run_to_stop(subject);
        assert_int_equal(hy_p2p_leftovers(subject->p2p), 0);
        world_stop_all(world);
        world_destroy(world);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(asked_shared_given_back),
        cmocka_unit_test(a_peer_goes_away),
        cmocka_unit_test(retries_reach_a_late_peer),
        cmocka_unit_test(the_refinery_is_waited_for),
        cmocka_unit_test(others_serve_and_own_is_refused),
        cmocka_unit_test(stop_at_any_moment),
        cmocka_unit_test(stop_inside_any_event),
        cmocka_unit_test(wrong_times_and_addresses),
        cmocka_unit_test(peers_are_found_without_slots),
        cmocka_unit_test(peers_are_found_by_getaddr),
        cmocka_unit_test(nobody_answers),
        cmocka_unit_test(nodes_with_slots_need_none),
        cmocka_unit_test(discovery_stops_at_any_moment),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
