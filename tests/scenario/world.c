/* world.c - see world.h. */
#include "scenario/world.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

static void ok(enum hypha_err err)
{
    assert_string_equal(hypha_err_name(err), "OK");
}

static void print_line(void *user, enum hypha_log_level level, const char *target, const char *text)
{
    const struct node *node = user;

    (void)level;
    if (strncmp(text, "bug:", 4) == 0)
        fail_msg("%s: %s", node->ip, text);
    if (node->world->loud)
        print_message("%8llu %s %s: %s\n",
            (unsigned long long)hy_now_ms(hy_sim_loop(node->world->sim)), node->ip, target, text);
}

/* FNV-1a: order matters, and so does every byte. */
static void mix(struct world *world, const void *bytes, size_t len)
{
    const unsigned char *at = bytes;

    for (size_t i = 0; i < len; i++)
        world->hash = (world->hash ^ at[i]) * 0x100000001b3U;
}

static void on_event(const struct hypha_event *event, void *user)
{
    struct node *node = user;
    struct world *world = node->world;
    uint32_t numbers[] = { (uint32_t)event->type, event->channel_id, event->slot,
        (uint32_t)event->err, event->attempt, (uint32_t)event->number };

    node->events[event->type]++;
    if (event->type == HYPHA_EVENT_OUTBOUND_PEER_DISCOVERY)
        assert_in_range(event->attempt, 0, 2); /* spec: apps.md 6.1 */
    mix(world, node->ip, strlen(node->ip));
    mix(world, &event->time_ns, sizeof(event->time_ns));
    mix(world, numbers, sizeof(numbers));
    if (event->addr != NULL)
        mix(world, hypha_url_text(event->addr), strlen(hypha_url_text(event->addr)));
    if (event->command != NULL)
        mix(world, event->command, strlen(event->command));
    if (event->state != NULL)
        mix(world, event->state, strlen(event->state));
}

struct world *world_create(uint64_t seed)
{
    struct world *world = calloc(1, sizeof(*world));

    assert_non_null(world);
    ok(hy_sim_create(seed, &world->sim));
    world->hash = 0xcbf29ce484222325U;
    world->loud = getenv("HYPHA_LOUD") != NULL;
    return world;
}

static void node_unmake(struct node *node)
{
    assert_int_equal(hy_p2p_state(node->p2p), HY_P2P_STOPPED);
    assert_int_equal(hy_p2p_leftovers(node->p2p), 0);
    assert_int_equal(node->chat.open, node->chat.started);
    assert_true(node->chat.stopped >= node->chat.started);
    hypha_p2p_destroy(node->p2p);
}

void world_destroy(struct world *world)
{
    for (size_t i = 0; i < world->count; i++)
        node_unmake(&world->nodes[i]);
    assert_int_equal(hy_sim_stream_count(world->sim), 0);
    assert_int_equal(hy_sim_listener_count(world->sim), 0);
    hy_sim_destroy(world->sim);
    free(world);
}

struct hypha_settings *node_settings(struct node *node, const struct node_plan *plan)
{
    struct hypha_settings *settings = NULL;
    const char *inbound = plan->inbound != NULL ? plan->inbound : node->url;
    int64_t slots = plan->seed || plan->slots < 0 ? 0 : plan->slots == 0 ? 8 : plan->slots;

    ok(hypha_settings_create(&settings));
    ok(hypha_settings_set_text(settings, HYPHA_KEY_APP_NAME, "scenario"));
    ok(hypha_settings_set_text(settings, HYPHA_KEY_APP_VERSION, "1.2.3"));
    ok(hypha_settings_add_profile(settings, "tcp"));
    ok(hypha_settings_add_active_profile(settings, "tcp"));
    if (inbound[0] != '\0') {
        ok(hypha_settings_add_url(settings, NULL, HYPHA_LIST_INBOUND, inbound));
        ok(hypha_settings_add_url(settings, NULL, HYPHA_LIST_EXTERNAL_ADDRS, node->url));
    }
    for (size_t i = 0; i < 4; i++) {
        if (plan->seeds[i] != NULL)
            ok(hypha_settings_add_url(settings, NULL, HYPHA_LIST_SEEDS, plan->seeds[i]));
        if (plan->peers[i] != NULL)
            ok(hypha_settings_add_url(settings, NULL, HYPHA_LIST_PEERS, plan->peers[i]));
    }
    ok(hypha_settings_set_number(settings, HYPHA_KEY_OUTBOUND_CONNECTIONS, slots));
    if (plan->seed) {
        ok(hypha_settings_set_number(settings, HYPHA_KEY_INBOUND_CONNECTIONS, 512));
        ok(hypha_settings_set_flag(settings, HYPHA_KEY_RELAXED_BANS, true));
        ok(hypha_settings_set_flag(settings, HYPHA_KEY_PROBE_ANNOUNCED, true));
    }
    if (plan->places != 0)
        ok(hypha_settings_set_number(
            settings, HYPHA_KEY_INBOUND_CONNECTIONS, plan->places > 0 ? plan->places : 0));
    if (plan->hostlist != NULL)
        ok(hypha_settings_set_text(settings, HYPHA_KEY_HOSTLIST, plan->hostlist));
    if (!plan->quiet || node->world->loud)
        hypha_settings_set_log(settings, print_line, node, HYPHA_LOG_DEBUG);
    if (plan->quiet) /* files are written when a node stops */
        ok(hypha_settings_set_number(settings, HYPHA_KEY_HOSTLIST_SAVE_MS, 7 * 86400 * 1000));
    return settings;
}

static void node_make(struct node *node, const struct node_plan *plan)
{
    struct hy_transport *transport = NULL;
    struct world *world = node->world;
    uint64_t messages = HYPHA_EVENT_BIT(HYPHA_EVENT_SEND) | HYPHA_EVENT_BIT(HYPHA_EVENT_RECV);
    uint64_t heard = HYPHA_EVENTS_ALL & ~(plan->quiet ? messages : 0);

    struct hypha_settings *settings = node_settings(node, plan);
    ok(hy_sim_transport_create(world->sim, "tcp", node->ip, &transport));
    enum hypha_err err = hy_p2p_create_with(
        hy_sim_loop(world->sim), settings, &transport, 1, &node->p2p);
    if (err != HYPHA_OK)
        print_message("settings: %s\n", hypha_settings_why(settings));
    ok(err);
    hypha_settings_destroy(settings);
    if (!plan->seed)
        ok(hypha_p2p_register(node->p2p, &chat_protocol, &node->chat));
    ok(hypha_p2p_subscribe_events_of(node->p2p, heard, on_event, node));
}

struct node *world_add(struct world *world, const struct node_plan *plan)
{
    assert_true(world->count < WORLD_MAX_NODES);
    struct node *node = &world->nodes[world->count];
    unsigned number = (unsigned)world->count + 1; /* a network group each */
    node->world = world;
    (void)snprintf(node->ip, sizeof(node->ip), "44.%u.0.1", number);
    (void)snprintf(node->url, sizeof(node->url), "tcp://44.%u.0.1:%d", number, WORLD_PORT);
    node_make(node, plan);
    world->count++;
    return node;
}

void node_renew(struct node *node, const struct node_plan *plan)
{
    node_unmake(node);
    node_make(node, plan);
}

static void on_started(struct hypha_p2p *p2p, void *user)
{
    struct node *node = user;

    assert_ptr_equal(p2p, node->p2p);
    assert_false(node->started);
    assert_false(node->stopped);
    node->started = true;
    node->starts++;
}

static void on_stopped(struct hypha_p2p *p2p, enum hypha_err why, void *user)
{
    struct node *node = user;

    assert_ptr_equal(p2p, node->p2p);
    assert_false(node->stopped);
    node->stopped = true;
    node->stops++;
    node->why = why;
}

void node_start(struct node *node)
{
    node->started = node->stopped = false;
    ok(hypha_p2p_start(node->p2p, on_started, on_stopped, node));
    assert_false(node->started); /* never from inside the call */
}

void node_stop(struct node *node)
{
    bool was_stopped = node->stopped;

    hypha_p2p_stop(node->p2p);
    assert_int_equal(node->stopped, was_stopped);
}

static bool is_running(void *user)
{
    const struct node *node = user;

    return !node->stopped;
}

void node_run_to_stop(struct node *node)
{
    if (!node->stopped)
        assert_true(hy_sim_run_while(node->world->sim, is_running, node, 10000));
}

void node_stop_at_zero(const struct hypha_event *event, void *user)
{
    struct node_countdown *countdown = user;

    (void)event;
    if (countdown->events-- == 0)
        hypha_p2p_stop(countdown->node->p2p);
}

void world_start_all(struct world *world)
{
    for (size_t i = 0; i < world->count; i++)
        node_start(&world->nodes[i]);
}

static bool some_run(void *user)
{
    const struct world *world = user;

    for (size_t i = 0; i < world->count; i++) {
        if (hy_p2p_state(world->nodes[i].p2p) != HY_P2P_STOPPED)
            return true;
    }
    return false;
}

void world_stop_all(struct world *world)
{
    for (size_t i = 0; i < world->count; i++)
        node_stop(&world->nodes[i]);
    if (some_run(world))
        assert_true(hy_sim_run_while(world->sim, some_run, world, 10000));
}

void world_run(struct world *world, uint64_t ms)
{
    hy_sim_run_for(world->sim, ms);
}

size_t world_fewest_peers(const struct world *world)
{
    size_t fewest = SIZE_MAX;

    for (size_t i = 0; i < world->count; i++) {
        const struct node *node = &world->nodes[i];

        if (node->p2p->settings->outbound_connections == 0 ||
            hy_p2p_state(node->p2p) != HY_P2P_RUNNING)
            continue;
        if (hypha_p2p_peers_count(node->p2p) < fewest)
            fewest = hypha_p2p_peers_count(node->p2p);
    }
    return fewest;
}

struct goal {
    const struct world *world;
    size_t peers;
};

static bool too_few(void *user)
{
    const struct goal *goal = user;
    size_t fewest = world_fewest_peers(goal->world);

    return fewest == SIZE_MAX || fewest < goal->peers;
}

void world_run_until_peers(struct world *world, size_t peers, uint64_t ms)
{
    struct goal goal = { world, peers };

    if (!hy_sim_run_while(world->sim, too_few, &goal, ms))
        fail_msg("after %llu ms some node has %zu peers, not %zu", (unsigned long long)ms,
            world_fewest_peers(world), peers);
}
