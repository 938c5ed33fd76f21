/* torture_node_test.c - a seed and two nodes on virtual time, while memory runs out.
 *
 * With memory gone for good nothing crashes, leaks or hangs, every start that succeeded is told
 * its stop exactly once, and nothing is left. With one request refused, or all for a while, the
 * nodes find each other all the same. */
#include "p2p/p2p.h"
#include "scenario/chat.h"
#include "sim/sim.h"
#include "torture/torture.h"

#include <stdio.h>
#include <string.h>

#define MACHINES 3
#define SEED_URL "tcp://44.1.0.1:9000"
#define PEER_URL "tcp://44.2.0.1:9000"

struct machine {
    const char *ip, *url, *peer; /* a peer that is configured; NULL: none */
    bool is_seed;
    struct hypha_p2p *p2p;
    struct chat chat;
    unsigned starts, stops, bans;
    bool running; /* started, and not told its stop */
};

struct world {
    struct hy_sim *sim;
    struct machine machines[MACHINES];
};

static const struct machine plan[MACHINES] = {
    { .ip = "44.1.0.1", .url = SEED_URL, .is_seed = true },
    { .ip = "44.2.0.1", .url = PEER_URL },
    { .ip = "44.3.0.1", .url = "tcp://44.3.0.1:9000", .peer = PEER_URL },
};

static void on_line(void *user, enum hypha_log_level level, const char *target, const char *text)
{
    const struct machine *machine = user;

    (void)level;
    if (getenv("HYPHA_LOUD") != NULL)
        print_message("%s %s: %s\n", machine->ip, target, text);
    if (strncmp(text, "bug:", 4) == 0)
        fail_msg("%s", text);
}

static void on_event(const struct hypha_event *event, void *user)
{
    struct machine *machine = user;

    machine->bans += event->type == HYPHA_EVENT_BANNED;
}

static void on_stopped(struct hypha_p2p *p2p, enum hypha_err why, void *user)
{
    struct machine *machine = user;

    (void)why;
    assert_ptr_equal(p2p, machine->p2p);
    assert_true(machine->running);
    machine->running = false;
    machine->stops++;
}

/* The first error of several calls counts; after it nothing more is tried. */
static enum hypha_err fill(struct hypha_settings *settings, const struct machine *machine)
{
    enum hypha_err err = hypha_settings_set_text(settings, HYPHA_KEY_APP_NAME, "torture");

    if (err == HYPHA_OK)
        err = hypha_settings_set_text(settings, HYPHA_KEY_APP_VERSION, "1.2.3");
    if (err == HYPHA_OK)
        err = hypha_settings_add_profile(settings, "tcp");
    if (err == HYPHA_OK)
        err = hypha_settings_add_active_profile(settings, "tcp");
    if (err == HYPHA_OK)
        err = hypha_settings_add_url(settings, NULL, HYPHA_LIST_INBOUND, machine->url);
    if (err == HYPHA_OK)
        err = hypha_settings_add_url(settings, NULL, HYPHA_LIST_EXTERNAL_ADDRS, machine->url);
    if (err == HYPHA_OK)
        err = hypha_settings_set_number(
            settings, HYPHA_KEY_OUTBOUND_CONNECTIONS, machine->is_seed ? 0 : 3);
    if (err == HYPHA_OK && machine->is_seed)
        err = hypha_settings_set_flag(settings, HYPHA_KEY_PROBE_ANNOUNCED, true);
    if (err == HYPHA_OK && !machine->is_seed)
        err = hypha_settings_add_url(settings, NULL, HYPHA_LIST_SEEDS, SEED_URL);
    if (err == HYPHA_OK && machine->peer != NULL)
        err = hypha_settings_add_url(settings, NULL, HYPHA_LIST_PEERS, machine->peer);
    return err;
}

static enum hypha_err make(struct world *world, struct machine *machine)
{
    struct hypha_settings *settings = NULL;
    struct hy_transport *transport = NULL;
    enum hypha_err err = hypha_settings_create(&settings);

    if (err != HYPHA_OK)
        return err;
    hypha_settings_set_log(settings, on_line, machine, HYPHA_LOG_DEBUG);
    err = fill(settings, machine);
    if (err == HYPHA_OK)
        err = hy_sim_transport_create(world->sim, "tcp", machine->ip, &transport);
    if (err == HYPHA_OK) {
        err = hy_p2p_create_with(hy_sim_loop(world->sim), settings, &transport, 1, &machine->p2p);
        if (err != HYPHA_OK)
            hy_transport_destroy(transport);
    }
    hypha_settings_destroy(settings);
    if (err == HYPHA_OK && !machine->is_seed)
        err = hypha_p2p_register(machine->p2p, &chat_protocol, &machine->chat);
    if (err == HYPHA_OK)
        err = hypha_p2p_subscribe_events(machine->p2p, on_event, machine);
    if (err != HYPHA_OK) {
        hypha_p2p_destroy(machine->p2p);
        machine->p2p = NULL;
    }
    return err;
}

/* Make and start what is not there or has stopped. Nothing but memory may be missing. */
static void bring_up(struct world *world)
{
    for (size_t i = 0; i < MACHINES; i++) {
        struct machine *machine = &world->machines[i];
        enum hypha_err err = machine->p2p == NULL ? make(world, machine) : HYPHA_OK;

        if (err == HYPHA_OK && !machine->running) {
            err = hypha_p2p_start(machine->p2p, NULL, on_stopped, machine);
            machine->running = err == HYPHA_OK;
            machine->starts += err == HYPHA_OK;
        }
        if (err != HYPHA_OK)
            assert_string_equal(hypha_err_name(err), "NOMEM");
    }
}

static bool some_run(void *user)
{
    const struct world *world = user;

    for (size_t i = 0; i < MACHINES; i++)
        if (world->machines[i].running)
            return true;
    return false;
}

static void take_down(struct world *world)
{
    for (size_t i = 0; i < MACHINES; i++)
        if (world->machines[i].p2p != NULL)
            hypha_p2p_stop(world->machines[i].p2p);
    if (some_run(world))
        assert_true(hy_sim_run_while(world->sim, some_run, world, 10000));
    for (size_t i = 0; i < MACHINES; i++) {
        struct machine *machine = &world->machines[i];

        assert_int_equal(machine->starts, machine->stops);
        /* To lack memory is nobody's fault. */
        assert_int_equal(machine->bans, 0);
        if (machine->p2p == NULL)
            continue;
        assert_int_equal(hy_p2p_state(machine->p2p), HY_P2P_STOPPED);
        assert_int_equal(hy_p2p_leftovers(machine->p2p), 0);
        assert_int_equal(machine->chat.open, machine->chat.started);
        assert_true(machine->chat.stopped >= machine->chat.started);
        hypha_p2p_destroy(machine->p2p);
    }
    hy_sim_run_for(world->sim, 2000);
    assert_int_equal(hy_sim_stream_count(world->sim), 0);
    assert_int_equal(hy_sim_listener_count(world->sim), 0);
}

static void say(struct world *world)
{
    for (size_t i = 1; i < MACHINES; i++)
        if (world->machines[i].running)
            (void)chat_say(world->machines[i].p2p, "is anybody there?");
}

static bool talk(const struct world *world)
{
    return world->machines[1].chat.heard > 0 && world->machines[2].chat.heard > 0;
}

static struct world world_begin(void)
{
    struct world world = { 0 };

    assert_int_equal(hy_sim_create(1, &world.sim), HYPHA_OK);
    memcpy(world.machines, plan, sizeof plan);
    return world;
}

/* A short life; who is not up stays down. */
static size_t live_and_let_die(enum torture_mode mode, size_t count)
{
    struct world world = world_begin();

    torture_begin(mode, count);
    bring_up(&world);
    hy_sim_run_for(world.sim, 4000);
    say(&world);
    hy_sim_run_for(world.sim, 40000); /* pings, discovery, the refinery */
    assert_true(count != SIZE_MAX || talk(&world));
    take_down(&world);
    size_t requests = torture_end();
    hy_sim_destroy(world.sim);
    return requests;
}

/* For some time, and until the nodes talk. Whatever failed is tried again, by them or by us. */
static void recover(struct world *world, unsigned at_least_s, size_t count)
{
    for (unsigned seconds = 0; seconds < at_least_s || !talk(world); seconds++) {
        bring_up(world);
        hy_sim_run_for(world->sim, 1000);
        say(world);
        if (seconds == 240)
            fail_msg("request %zu: the nodes do not talk", count);
    }
}

static size_t live_and_recover(enum torture_mode mode, size_t count)
{
    struct world world = world_begin();

    torture_begin(mode, count);
    recover(&world, 40, count);
    take_down(&world);
    size_t requests = torture_end();
    hy_sim_destroy(world.sim);
    return requests;
}

/* Without memory for some seconds, which is longer than handshakes and pauses at the start. */
static size_t live_through_want(enum torture_mode mode, size_t count)
{
    struct world world = world_begin();

    torture_begin(mode, count);
    bring_up(&world);
    hy_sim_run_for(world.sim, 20000);
    say(&world);
    hy_sim_run_for(world.sim, 1000);
    size_t requests = torture_end();
    for (size_t i = 0; i < MACHINES; i++)
        world.machines[i].chat.heard = 0;
    recover(&world, 1, count);
    take_down(&world);
    hy_sim_destroy(world.sim);
    return requests;
}

static void memory_runs_out(void **state)
{
    (void)state;
    torture(live_and_let_die, TORTURE_AFTER, 10000);
}

static void one_request_fails(void **state)
{
    (void)state;
    torture(live_and_recover, TORTURE_ONCE, 10000);
}

static void memory_comes_back(void **state)
{
    (void)state;
    torture(live_through_want, TORTURE_AFTER, 10000);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(memory_runs_out),
        cmocka_unit_test(one_request_fails),
        cmocka_unit_test(memory_comes_back),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
