/* torture_direct_test.c - a node without slots asks for channels and for peers, while memory runs
 * out.
 *
 * Every request that was taken is told exactly once, nothing is left, and with memory back the next
 * try succeeds. spec: network.md 7.8 */
#include "p2p/p2p.h"
#include "scenario/chat.h"
#include "sim/sim.h"
#include "torture/torture.h"

#include <string.h>

#define ASKED "tcp://44.1.0.1:9000"

struct machine {
    struct hypha_p2p *p2p;
    struct chat chat;
    bool running;
};

struct world {
    struct hy_sim *sim;
    struct machine asked, asks;
    struct hypha_url *url;
    size_t taken, told;
    struct hypha_channel *channel; /* ours to give back */
};

static void on_line(void *user, enum hypha_log_level level, const char *target, const char *text)
{
    (void)user;
    (void)level;
    (void)target;
    if (strncmp(text, "bug:", 4) == 0)
        fail_msg("%s", text);
}

static void on_stopped(struct hypha_p2p *p2p, enum hypha_err why, void *user)
{
    struct machine *machine = user;

    (void)p2p;
    (void)why;
    assert_true(machine->running);
    machine->running = false;
}

static enum hypha_err fill(struct hypha_settings *settings, bool listens)
{
    enum hypha_err err = hypha_settings_set_text(settings, HYPHA_KEY_APP_NAME, "torture");

    if (err == HYPHA_OK)
        err = hypha_settings_set_text(settings, HYPHA_KEY_APP_VERSION, "1.2.3");
    if (err == HYPHA_OK)
        err = hypha_settings_add_profile(settings, "tcp");
    if (err == HYPHA_OK)
        err = hypha_settings_add_active_profile(settings, "tcp");
    if (err == HYPHA_OK)
        err = hypha_settings_set_number(settings, HYPHA_KEY_OUTBOUND_CONNECTIONS, 0);
    if (err == HYPHA_OK && listens)
        err = hypha_settings_add_url(settings, NULL, HYPHA_LIST_INBOUND, ASKED);
    if (err == HYPHA_OK && listens)
        err = hypha_settings_add_url(settings, NULL, HYPHA_LIST_EXTERNAL_ADDRS, ASKED);
    if (err == HYPHA_OK && !listens)
        err = hypha_settings_add_url(settings, NULL, HYPHA_LIST_SEEDS, "tcp://44.9.0.1:1");
    return err;
}

static enum hypha_err make(struct world *world, struct machine *machine)
{
    bool listens = machine == &world->asked;
    struct hypha_settings *settings = NULL;
    struct hy_transport *transport = NULL;
    enum hypha_err err = hypha_settings_create(&settings);

    if (err != HYPHA_OK)
        return err;
    hypha_settings_set_log(settings, on_line, NULL, HYPHA_LOG_DEBUG);
    err = fill(settings, listens);
    if (err == HYPHA_OK)
        err = hy_sim_transport_create(
            world->sim, "tcp", listens ? "44.1.0.1" : "44.2.0.1", &transport);
    if (err == HYPHA_OK) {
        err = hy_p2p_create_with(hy_sim_loop(world->sim), settings, &transport, 1, &machine->p2p);
        if (err != HYPHA_OK)
            hy_transport_destroy(transport);
    }
    hypha_settings_destroy(settings);
    if (err == HYPHA_OK)
        err = hypha_p2p_register(machine->p2p, &chat_protocol, &machine->chat);
    return err;
}

static void bring_up(struct world *world, struct machine *machine)
{
    enum hypha_err err = machine->p2p == NULL ? make(world, machine) : HYPHA_OK;

    if (err == HYPHA_OK && !machine->running) {
        err = hypha_p2p_start(machine->p2p, NULL, on_stopped, machine);
        machine->running = err == HYPHA_OK;
    }
    if (err == HYPHA_OK)
        return;
    assert_string_equal(hypha_err_name(err), "NOMEM");
    if (!machine->running) {
        hypha_p2p_destroy(machine->p2p);
        machine->p2p = NULL;
    }
}

static void on_told(
    struct hypha_p2p *p2p, enum hypha_err err, struct hypha_channel *channel, void *user)
{
    struct world *world = user;

    assert_int_equal(err == HYPHA_OK, channel != NULL);
    world->told++;
    if (channel != NULL && world->channel != NULL)
        (void)hypha_p2p_release_channel(p2p, world->channel);
    if (channel != NULL)
        world->channel = channel;
}

static void ask(struct world *world, unsigned retries)
{
    enum hypha_err err = hypha_p2p_get_channel(
        world->asks.p2p, world->url, retries, on_told, world, NULL);

    if (err == HYPHA_OK)
        world->taken++;
    else
        assert_true(err == HYPHA_ERR_NOMEM || err == HYPHA_ERR_NETWORK_STOPPED);
}

static void give_back(struct world *world)
{
    if (world->channel != NULL)
        (void)hypha_p2p_release_channel(world->asks.p2p, world->channel);
    world->channel = NULL;
}

static bool some_run(void *user)
{
    const struct world *world = user;

    return world->asked.running || world->asks.running;
}

static void stop(struct world *world, struct machine *machine)
{
    if (machine->p2p == NULL)
        return;
    hypha_p2p_stop(machine->p2p);
    if (machine->running)
        (void)hy_sim_run_while(world->sim, some_run, world, 5000);
}

static void check_and_destroy(struct machine *machine)
{
    if (machine->p2p == NULL)
        return;
    assert_int_equal(hy_p2p_state(machine->p2p), HY_P2P_STOPPED);
    assert_int_equal(hy_p2p_leftovers(machine->p2p), 0);
    assert_int_equal(machine->chat.open, machine->chat.started);
    hypha_p2p_destroy(machine->p2p);
}

/* With memory back (it may have never gone) a channel is had and talks. */
static void recover(struct world *world, size_t count)
{
    for (unsigned seconds = 0; world->asked.chat.heard == 0; seconds++) {
        bring_up(world, &world->asked);
        bring_up(world, &world->asks);
        if (world->asks.running && world->channel == NULL && world->told == world->taken)
            ask(world, 0);
        hy_sim_run_for(world->sim, 1000);
        if (world->channel != NULL && hypha_channel_is_stopped(world->channel))
            give_back(world);
        if (world->asks.running)
            (void)chat_say(world->asks.p2p, "at last");
        if (seconds == 300)
            fail_msg("request %zu: no channel", count);
    }
}

static size_t live(enum torture_mode mode, size_t count)
{
    struct world world = { 0 };
    struct hypha_url *url = NULL;

    assert_int_equal(hy_sim_create(1, &world.sim), HYPHA_OK);
    assert_int_equal(hypha_url_parse_text(ASKED, &url), HYPHA_OK);
    world.url = url;
    torture_begin(mode, count);
    bring_up(&world, &world.asked);
    bring_up(&world, &world.asks);
    hy_sim_run_for(world.sim, 100);
    for (unsigned round = 0; round < 3 && world.asks.running; round++) {
        ask(&world, 1);
        ask(&world, 0);
        if (round == 1) {
            /* A node that never came up for want of memory discovers nothing. */
            enum hypha_err err = hypha_p2p_start_peer_discovery(world.asks.p2p);

            assert_true(err == HYPHA_OK || err == HYPHA_ERR_NETWORK_STOPPED);
        }
        hy_sim_run_for(world.sim, 20000);
        give_back(&world);
        hy_sim_run_for(world.sim, 1000);
    }
    size_t requests = torture_end();
    recover(&world, count);
    stop(&world, &world.asks);
    stop(&world, &world.asked);
    assert_false(some_run(&world));
    assert_int_equal(world.told, world.taken);
    check_and_destroy(&world.asks);
    check_and_destroy(&world.asked);
    hy_sim_run_for(world.sim, 2000);
    assert_int_equal(hy_sim_stream_count(world.sim), 0);
    hypha_url_unref(url);
    hy_sim_destroy(world.sim);
    return requests;
}

static void memory_runs_out(void **state)
{
    (void)state;
    torture(live, TORTURE_AFTER, 5000);
}

static void one_request_fails(void **state)
{
    (void)state;
    torture(live, TORTURE_ONCE, 5000);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(memory_runs_out),
        cmocka_unit_test(one_request_fails),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
