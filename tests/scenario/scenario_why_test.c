/* scenario_why_test.c - what a node says of itself: every slot's state, since when, why, and what
 * it waits for; and the events by which manual and seed slots tell of each move.
 * spec: network.md 7.2, 7.4 to 7.6, 9 */
#include "scenario/world.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#define MAX_PLACES 32

struct place {
    struct hypha_slot_info info;
    char addr[80], last_addr[80], waits_for[200];
};

struct places {
    struct place all[MAX_PLACES];
    size_t count;
};

static void ok(enum hypha_err err)
{
    assert_string_equal(hypha_err_name(err), "OK");
}

static void add_place(const struct hypha_slot_info *slot, void *user)
{
    struct places *places = user;

    assert_true(places->count < MAX_PLACES);
    struct place *place = &places->all[places->count++];
    place->info = *slot;
    (void)snprintf(place->addr, sizeof(place->addr), "%s",
        slot->addr != NULL ? hypha_url_text(slot->addr) : "-");
    (void)snprintf(place->last_addr, sizeof(place->last_addr), "%s",
        slot->last_addr != NULL ? hypha_url_text(slot->last_addr) : "-");
    (void)snprintf(place->waits_for, sizeof(place->waits_for), "%s", slot->waits_for);
}

static struct places look(const struct node *node)
{
    struct places places = { 0 };

    hypha_p2p_each_slot(node->p2p, add_place, &places);
    for (size_t i = 0; i < places.count && node->world->loud; i++) {
        const struct place *place = &places.all[i];

        print_message("%s %u %s for %llu ms, at %s; last: %s (%s), %u failures; next %llu: %s\n",
            hypha_session_name(place->info.session), place->info.slot, place->info.state,
            (unsigned long long)place->info.since_ms, place->addr,
            hypha_err_text(place->info.last_err), place->last_addr, place->info.failures,
            (unsigned long long)place->info.next_ms, place->waits_for);
    }
    return places;
}

/* The first slot of that session. */
static struct place first(const struct node *node, enum hypha_session session)
{
    struct places places = look(node);

    for (size_t i = 0; i < places.count; i++)
        if (places.all[i].info.session == session)
            return places.all[i];
    fail_msg("no such slot");
    return places.all[0];
}

static void assert_has(const char *text, const char *part)
{
    if (strstr(text, part) == NULL)
        fail_msg("\"%s\" does not say \"%s\"", text, part);
}

/* ---- why a slot is empty ---- */

static void a_stopped_node_has_stopped_slots(void **unused)
{
    struct world *world = world_create(1);
    struct node *node = world_add(world,
        &(struct node_plan){
            .slots = 2, .seeds = { "tcp://44.77.0.1:1" }, .peers = { "tcp://44.78.0.1:1" } });
    struct hypha_discovery_info discovery;

    (void)unused;
    for (unsigned round = 0; round < 2; round++) {
        struct places places = look(node);

        assert_int_equal(places.count, 4);
        for (size_t i = 0; i < places.count; i++) {
            assert_string_equal(places.all[i].info.state, "stopped");
            assert_string_equal(places.all[i].waits_for, "waits for the node's start");
        }
        assert_string_equal(places.all[2].addr, "tcp://44.78.0.1:1/");
        assert_string_equal(places.all[3].addr, "tcp://44.77.0.1:1/");
        hypha_p2p_discovery(node->p2p, &discovery);
        assert_string_equal(discovery.state, "stopped");
        assert_int_equal(discovery.seed_rounds > 0, round > 0); /* of all its lives */
        world_start_all(world);
        world_run(world, 1000);
        world_stop_all(world);
    }
    world_destroy(world);
}

static void nobody_to_dial_and_nobody_to_ask(void **unused)
{
    struct world *world = world_create(2);
    struct node *node = world_add(world, &(struct node_plan){ .slots = 2 });

    (void)unused;
    world_start_all(world);
    world_run(world, 60000);
    struct place slot = first(node, HYPHA_SESSION_OUTBOUND);
    assert_string_equal(slot.info.state, "sleeping");
    assert_true(slot.info.since_ms >= 59000); /* woken in vain meanwhile */
    assert_has(slot.waits_for, "no seed is configured");
    assert_string_equal(slot.addr, "-");
    assert_int_equal(slot.info.channel_id, 0);
    assert_int_equal(slot.info.last_err, HYPHA_OK);
    world_stop_all(world);
    world_destroy(world);
}

static void seeds_that_do_not_answer(void **unused)
{
    struct world *world = world_create(3);
    struct node *node = world_add(
        world, &(struct node_plan){ .slots = 1, .seeds = { "tcp://44.77.0.1:1" } });
    struct hypha_discovery_info discovery;

    (void)unused;
    world_start_all(world);
    world_run(world, 10 * 60 * 1000);
    struct place slot = first(node, HYPHA_SESSION_OUTBOUND);
    assert_string_equal(slot.info.state, "sleeping");
    assert_has(slot.waits_for, "seeds may be asked again in");
    hypha_p2p_discovery(node->p2p, &discovery);
    assert_string_equal(discovery.state, "resting");
    assert_true(discovery.seed_wait_ms > 0 && discovery.next_ms > 0);
    assert_true(discovery.seed_rounds >= 5);
    assert_int_equal(discovery.getaddr_rounds, 0);
    slot = first(node, HYPHA_SESSION_SEED);
    assert_string_equal(slot.info.state, "idle");
    assert_int_equal(slot.info.last_err, HYPHA_ERR_REFUSED);
    assert_string_equal(slot.last_addr, "tcp://44.77.0.1:1/");
    assert_int_equal(slot.info.failures, discovery.seed_rounds);
    assert_has(slot.waits_for, "may be asked again in");
    world_stop_all(world);
    world_destroy(world);
}

/* A host that refuses: the slot says so while it pauses, and dials the next one in so many ms. */
static void a_slot_that_pauses(void **unused)
{
    char folder[] = "/tmp/hypha-why-XXXXXX", path[64], command[80];
    struct world *world = world_create(4);
    struct place slot = { 0 };

    (void)unused;
    assert_non_null(mkdtemp(folder));
    (void)snprintf(path, sizeof(path), "%s/hosts.tsv", folder);
    FILE *out = fopen(path, "w");
    assert_non_null(out);
    for (unsigned i = 0; i < 20; i++)
        (void)fprintf(out, "white\ttcp://44.%u.0.1:9000/\t1699990000\n", 100 + i);
    assert_int_equal(fclose(out), 0);
    struct node *node = world_add(world, &(struct node_plan){ .slots = 1, .hostlist = path });
    world_start_all(world);
    for (unsigned i = 0;
         i < 1000 && strcmp(slot.info.state != NULL ? slot.info.state : "", "paused") != 0; i++) {
        world_run(world, 5);
        slot = first(node, HYPHA_SESSION_OUTBOUND);
        if (slot.info.next_ms == 0) /* the first failures cost no pause */
            slot.info.state = "";
    }
    assert_string_equal(slot.info.state, "paused");
    assert_int_equal(slot.info.last_err, HYPHA_ERR_REFUSED);
    assert_has(slot.last_addr, "tcp://44.1");
    assert_true(slot.info.failures >= 4);
    assert_true(slot.info.next_ms > 0 && slot.info.next_ms <= 1500);
    assert_has(slot.waits_for, "waits for the pause after failures, and for new hosts");
    world_stop_all(world);
    world_destroy(world);
    (void)snprintf(command, sizeof(command), "rm -r %s", folder);
    assert_int_equal(system(command), 0);
}

/* ---- the events ---- */

struct story {
    enum hypha_session session;
    char text[2000];
    enum hypha_err last_err;
    uint32_t last_channel;
    size_t disconnected;             /* of outbound slots */
    enum hypha_err disconnected_err; /* the first one's */
};

static void on_event(const struct hypha_event *event, void *user)
{
    struct story *story = user;
    size_t used = strlen(story->text);

    if (event->type == HYPHA_EVENT_OUTBOUND_SLOT_DISCONNECTED) {
        if (story->disconnected++ == 0)
            story->disconnected_err = event->err;
    }
    if (event->type != HYPHA_EVENT_SLOT || event->session != story->session)
        return;
    assert_non_null(event->addr);
    (void)snprintf(
        story->text + used, sizeof(story->text) - used, "%u:%s ", event->slot, event->state);
    story->last_err = event->err;
    story->last_channel = event->channel_id;
}

static void listen_to(struct story *story, struct node *node, enum hypha_session session)
{
    *story = (struct story){ .session = session };
    ok(hypha_p2p_subscribe_events(node->p2p, on_event, story));
}

/* spec: network.md MUST 7.2-b: disconnect, too */
static void a_manual_slot_tells_each_move(void **unused)
{
    struct world *world = world_create(5);
    struct node *peer = world_add(world, &(struct node_plan){ .slots = -1 });
    struct node *node = world_add(
        world, &(struct node_plan){ .slots = -1, .peers = { peer->url } });
    struct story story;

    (void)unused;
    listen_to(&story, node, HYPHA_SESSION_MANUAL);
    world_start_all(world);
    world_run(world, 1000);
    assert_string_equal(story.text, "0:dialling 0:handshake 0:connected ");
    assert_int_not_equal(story.last_channel, 0);
    struct place slot = first(node, HYPHA_SESSION_MANUAL);
    assert_string_equal(slot.info.state, "connected");
    assert_string_equal(slot.waits_for, "");
    assert_int_equal(slot.info.channel_id, story.last_channel);

    assert_int_equal(hy_sim_cut(world->sim, node->ip, peer->ip), 1);
    world_run(world, 100);
    assert_string_equal(story.text, "0:dialling 0:handshake 0:connected 0:paused ");
    assert_int_equal(story.last_err, HYPHA_ERR_RESET);
    slot = first(node, HYPHA_SESSION_MANUAL);
    assert_string_equal(slot.info.state, "paused");
    assert_true(slot.info.next_ms > 10000 && slot.info.next_ms <= 18000);
    assert_int_equal(slot.info.failures, 0); /* it was connected */
    assert_has(slot.waits_for, "dialled again in");
    world_run(world, 20000);
    story.text[0] = '\0';

    struct hypha_url *url = NULL;
    ok(hypha_url_parse_text(peer->url, &url));
    assert_int_equal(hy_hosts_state(node->p2p->net.hosts, url), HY_HOST_CONNECTED);
    ok(hypha_p2p_disconnect(node->p2p, url));
    world_run(world, 100);
    assert_string_equal(story.text, "0:stopped ");
    assert_int_equal(hy_hosts_state(node->p2p->net.hosts, url), HY_HOST_FREE);
    assert_int_equal(look(node).count, 0);
    hypha_url_unref(url);
    world_stop_all(world);
    world_destroy(world);
}

static void a_seed_slot_tells_each_move(void **unused)
{
    struct world *world = world_create(6);
    struct node *seed = world_add(world, &(struct node_plan){ .seed = true });
    struct node *node = world_add(world, &(struct node_plan){ .slots = 1, .seeds = { seed->url } });
    struct story story;

    (void)unused;
    listen_to(&story, node, HYPHA_SESSION_SEED);
    world_start_all(world);
    world_run(world, 3000);
    static const char once[] = "0:idle 0:dialling 0:handshake 0:connected 0:idle ";
    assert_int_equal(strncmp(story.text, once, sizeof(once) - 1), 0);
    struct place slot = first(node, HYPHA_SESSION_SEED);
    assert_string_equal(slot.info.state, "idle");
    assert_int_equal(slot.info.last_err, HYPHA_OK); /* it answered */
    assert_int_equal(slot.info.failures, 0);
    world_stop_all(world);
    world_destroy(world);
}

/* spec: network.md MUST 7.4-a */
static void a_lost_outbound_peer_is_told(void **unused)
{
    struct world *world = world_create(7);
    struct node *seed = world_add(world, &(struct node_plan){ .seed = true });
    struct node *peer = world_add(world, &(struct node_plan){ .slots = 1, .seeds = { seed->url } });
    struct node *node = world_add(world, &(struct node_plan){ .slots = 1, .seeds = { seed->url } });
    struct story story;

    (void)unused;
    listen_to(&story, node, HYPHA_SESSION_OUTBOUND);
    world_start_all(world);
    world_run(world, 10000);
    struct place slot = first(node, HYPHA_SESSION_OUTBOUND);
    assert_string_equal(slot.info.state, "connected");
    assert_true(slot.info.since_ms > 0);
    assert_int_not_equal(slot.info.channel_id, 0);
    story.disconnected = 0;
    node_stop(peer);
    world_run(world, 1000);
    assert_true(story.disconnected > 0);
    assert_int_equal(story.disconnected_err, HYPHA_ERR_EOF);
    slot = first(node, HYPHA_SESSION_OUTBOUND);
    assert_int_equal(slot.info.channel_id, 0);
    assert_has(slot.last_addr, peer->ip);
    world_stop_all(world);
    world_destroy(world);
}

/* ---- the log ---- */

struct lines {
    const char *about;
    unsigned count; /* that an operator sees without being asked: INFO and above */
    char last[300];
};

static void on_line(void *user, enum hypha_log_level level, const char *target, const char *text)
{
    struct lines *lines = user;

    (void)target;
    if (level > HYPHA_LOG_INFO || strstr(text, lines->about) == NULL)
        return;
    lines->count++;
    (void)snprintf(lines->last, sizeof(lines->last), "%s", text);
}

/* A misdeed, the ban for it and the lost peer are one thing: one line says it. */
static void a_ban_is_one_line(void **unused)
{
    struct world *world = world_create(8);
    struct node *peer = world_add(world, &(struct node_plan){ .slots = -1 });
    struct node *node = world_add(
        world, &(struct node_plan){ .slots = -1, .peers = { peer->url } });
    struct lines lines = { .about = peer->ip };

    (void)unused;
    world_start_all(world);
    world_run(world, 1000);
    struct place slot = first(node, HYPHA_SESSION_MANUAL);
    struct hypha_channel *channel = hypha_p2p_channel(node->p2p, slot.info.channel_id);
    assert_non_null(channel);
    node->p2p->settings->log.cb = node->p2p->net.log.cb = on_line;
    node->p2p->settings->log.user = node->p2p->net.log.user = &lines;
    hy_channel_violation(channel, HYPHA_ERR_COMMAND_LENGTH);
    world_run(world, 100);
    assert_int_equal(node->events[HYPHA_EVENT_BANNED], 1);
    assert_int_equal(lines.count, 1);
    assert_has(lines.last, "banned");
    slot = first(node, HYPHA_SESSION_MANUAL);
    assert_string_equal(slot.info.state, "paused");
    assert_int_equal(slot.info.last_err, HYPHA_ERR_COMMAND_LENGTH);
    world_stop_all(world);
    world_destroy(world);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_stopped_node_has_stopped_slots),
        cmocka_unit_test(nobody_to_dial_and_nobody_to_ask),
        cmocka_unit_test(seeds_that_do_not_answer),
        cmocka_unit_test(a_slot_that_pauses),
        cmocka_unit_test(a_manual_slot_tells_each_move),
        cmocka_unit_test(a_seed_slot_tells_each_move),
        cmocka_unit_test(a_lost_outbound_peer_is_told),
        cmocka_unit_test(a_ban_is_one_line),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
