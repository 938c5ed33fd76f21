/* scenario_reload_test.c - other settings while a node runs: slots, peers, seeds, blacklist, limits
 * change; what did not change is left alone, and a reload that fails leaves everything as it was.
 * spec: network.md 2.4, 3, 7.4 (reload) */
#include "base/alloc.h"
#include "scenario/world.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <cmocka.h>

#define NEIGHBOURS 9
#define MAX_PLACES 64

/* A subject in a small network. */
struct stage {
    struct world *world;
    struct node *seed, *subject, *others[NEIGHBOURS];
    struct node_plan plan; /* the subject's */
};

static void ok(enum hypha_err err)
{
    assert_string_equal(hypha_err_name(err), "OK");
}

static struct stage build(uint64_t chance, int64_t slots)
{
    struct stage stage = { .world = world_create(chance) };

    stage.seed = world_add(stage.world, &(struct node_plan){ .seed = true });
    for (size_t i = 0; i < NEIGHBOURS; i++)
        stage.others[i] = world_add(
            stage.world, &(struct node_plan){ .seeds = { stage.seed->url }, .places = 30 });
    stage.plan = (struct node_plan){ .seeds = { stage.seed->url }, .slots = slots, .places = 30 };
    stage.subject = world_add(stage.world, &stage.plan);
    return stage;
}

static void end(struct stage *stage)
{
    world_stop_all(stage->world);
    world_destroy(stage->world);
}

/* By the stage's plan; what it says needs a restart goes to `restart`. */
static enum hypha_err reload_into(struct stage *stage, char restart[HYPHA_RELOAD_TEXT_BYTES])
{
    struct hypha_settings *settings = node_settings(stage->subject, &stage->plan);
    enum hypha_err err = hypha_p2p_reload(stage->subject->p2p, settings, restart);

    hypha_settings_destroy(settings);
    return err;
}

static void reload(struct stage *stage)
{
    char restart[HYPHA_RELOAD_TEXT_BYTES];

    ok(reload_into(stage, restart));
    assert_string_equal(restart, "");
}

/* ---- looking on ---- */

struct place {
    enum hypha_session session;
    uint32_t slot, channel_id;
    char state[16], addr[80];
};

struct places {
    struct place all[MAX_PLACES];
    size_t count;
};

static void add_place(const struct hypha_slot_info *slot, void *user)
{
    struct places *places = user;

    assert_true(places->count < MAX_PLACES);
    struct place *place = &places->all[places->count++];
    place->session = slot->session;
    place->slot = slot->slot;
    place->channel_id = slot->channel_id;
    (void)snprintf(place->state, sizeof(place->state), "%s", slot->state);
    (void)snprintf(place->addr, sizeof(place->addr), "%s",
        slot->addr != NULL ? hypha_url_text(slot->addr) : "");
}

static struct places places_of(const struct node *node, enum hypha_session session)
{
    struct places all = { 0 }, some = { 0 };

    hypha_p2p_each_slot(node->p2p, add_place, &all);
    for (size_t i = 0; i < all.count; i++)
        if (all.all[i].session == session)
            some.all[some.count++] = all.all[i];
    return some;
}

static size_t count_state(const struct places *places, const char *state)
{
    size_t count = 0;

    for (size_t i = 0; i < places->count; i++)
        count += strcmp(places->all[i].state, state) == 0 ? 1 : 0;
    return count;
}

static void assert_numbers_differ(const struct places *places)
{
    for (size_t i = 0; i < places->count; i++)
        for (size_t k = 0; k < i; k++)
            assert_int_not_equal(places->all[i].slot, places->all[k].slot);
}

static void assert_same(const struct places *a, const struct places *b)
{
    assert_int_equal(a->count, b->count);
    for (size_t i = 0; i < a->count; i++) {
        assert_int_equal(a->all[i].slot, b->all[i].slot);
        assert_int_equal(a->all[i].channel_id, b->all[i].channel_id);
        assert_string_equal(a->all[i].state, b->all[i].state);
        assert_string_equal(a->all[i].addr, b->all[i].addr);
    }
}

static size_t channels_of(const struct node *node, enum hypha_session session)
{
    struct hypha_channel *channel = NULL;
    size_t count = 0;

    while ((channel = hy_net_next_channel(&node->p2p->net, channel)) != NULL)
        count += hypha_channel_session(channel) == session ? 1 : 0;
    return count;
}

/* ---- slots ---- */

static void the_same_settings_change_nothing(void **unused)
{
    struct stage stage = build(1, 5);

    (void)unused;
    stage.plan.peers[0] = stage.others[0]->url;
    reload(&stage); /* also before the first start */
    world_start_all(stage.world);
    world_run(stage.world, 30000);
    struct places before = { 0 }, after = { 0 };
    hypha_p2p_each_slot(stage.subject->p2p, add_place, &before);
    assert_int_equal(before.count, 5 + 1 + 1);
    size_t gone = stage.subject->events[HYPHA_EVENT_CHANNEL_UNREGISTERED];
    size_t moved = stage.subject->events[HYPHA_EVENT_SLOT];

    reload(&stage);
    reload(&stage);
    world_run(stage.world, 100);
    hypha_p2p_each_slot(stage.subject->p2p, add_place, &after);
    assert_same(&before, &after);
    assert_int_equal(stage.subject->events[HYPHA_EVENT_CHANNEL_UNREGISTERED], gone);
    assert_int_equal(stage.subject->events[HYPHA_EVENT_SLOT], moved);
    end(&stage);
}

/* spec: network.md MUST 7.4-f */
static void slots_are_added_and_fill(void **unused)
{
    struct stage stage = build(2, 2);

    (void)unused;
    world_start_all(stage.world);
    world_run(stage.world, 10000);
    assert_int_equal(channels_of(stage.subject, HYPHA_SESSION_OUTBOUND), 2);
    stage.plan.slots = 6;
    reload(&stage);
    struct places places = places_of(stage.subject, HYPHA_SESSION_OUTBOUND);
    assert_int_equal(places.count, 6);
    assert_int_equal(hypha_p2p_slot_count(stage.subject->p2p), 6);
    for (uint32_t i = 0; i < 6; i++)
        assert_int_equal(places.all[i].slot, i);
    world_run(stage.world, 20000);
    places = places_of(stage.subject, HYPHA_SESSION_OUTBOUND);
    assert_int_equal(count_state(&places, "connected"), 6);
    assert_int_equal(channels_of(stage.subject, HYPHA_SESSION_OUTBOUND), 6);
    end(&stage);
}

struct heard {
    size_t disconnected; /* outbound slots */
    enum hypha_err err;
};

static void on_event(const struct hypha_event *event, void *user)
{
    struct heard *heard = user;

    if (event->type != HYPHA_EVENT_OUTBOUND_SLOT_DISCONNECTED)
        return;
    heard->disconnected++;
    heard->err = event->err;
}

/* spec: network.md MUST 7.4-e, 7.4-a, 7.4-f */
static void removed_slots_close_their_channels(void **unused)
{
    struct stage stage = build(3, 6);
    struct heard heard = { 0 };

    (void)unused;
    world_start_all(stage.world);
    world_run(stage.world, 30000);
    struct places before = places_of(stage.subject, HYPHA_SESSION_OUTBOUND);
    assert_int_equal(count_state(&before, "connected"), 6);
    ok(hypha_p2p_subscribe_events(stage.subject->p2p, on_event, &heard));

    stage.plan.slots = 2;
    reload(&stage);
    assert_int_equal(hypha_p2p_slot_count(stage.subject->p2p), 2);
    world_run(stage.world, 1000);
    assert_int_equal(channels_of(stage.subject, HYPHA_SESSION_OUTBOUND), 2);
    assert_int_equal(heard.disconnected, 4);
    assert_int_equal(heard.err, HYPHA_ERR_CHANNEL_STOPPED);
    struct places after = places_of(stage.subject, HYPHA_SESSION_OUTBOUND);
    assert_int_equal(after.count, 2);
    for (size_t i = 0; i < 2; i++) /* all were busy: from index 0 */
        assert_int_equal(after.all[i].channel_id, before.all[4 + i].channel_id);
    /* It was our doing: the hosts are as good as before, and free. */
    assert_int_equal(hy_hosts_busy_count(stage.subject->p2p->net.hosts),
        hypha_p2p_peers_count(stage.subject->p2p));

    /* New ones take the free numbers; those that stayed keep theirs. */
    stage.plan.slots = 5;
    reload(&stage);
    after = places_of(stage.subject, HYPHA_SESSION_OUTBOUND);
    static const uint32_t numbers[] = { 0, 1, 2, 4, 5 };
    for (size_t i = 0; i < 5; i++)
        assert_int_equal(after.all[i].slot, numbers[i]);
    world_run(stage.world, 20000);
    after = places_of(stage.subject, HYPHA_SESSION_OUTBOUND);
    assert_int_equal(count_state(&after, "connected"), 5);
    hypha_p2p_unsubscribe_events(stage.subject->p2p, on_event, &heard);
    end(&stage);
}

/* spec: network.md 7.4 reload: empty slots go first */
static void empty_slots_go_first(void **unused)
{
    struct stage stage = build(4, 14);

    (void)unused;
    world_start_all(stage.world);
    world_run(stage.world, 30000);
    struct places before = places_of(stage.subject, HYPHA_SESSION_OUTBOUND);
    size_t connected = count_state(&before, "connected");
    assert_true(connected >= 5 && connected <= NEIGHBOURS);
    size_t gone = stage.subject->events[HYPHA_EVENT_CHANNEL_UNREGISTERED];

    stage.plan.slots = (int64_t)connected;
    reload(&stage);
    world_run(stage.world, 100);
    struct places after = places_of(stage.subject, HYPHA_SESSION_OUTBOUND);
    assert_int_equal(after.count, connected);
    assert_int_equal(count_state(&after, "connected"), connected);
    assert_numbers_differ(&after);
    assert_int_equal(stage.subject->events[HYPHA_EVENT_CHANNEL_UNREGISTERED], gone);
    end(&stage);
}

static void no_slots_and_slots_again(void **unused)
{
    struct stage stage = build(5, 4);
    struct hypha_discovery_info discovery;

    (void)unused;
    world_start_all(stage.world);
    world_run(stage.world, 10000);
    stage.plan.slots = -1;
    reload(&stage);
    world_run(stage.world, 1000);
    assert_int_equal(channels_of(stage.subject, HYPHA_SESSION_OUTBOUND), 0);
    assert_int_equal(hypha_p2p_slot_count(stage.subject->p2p), 0);
    hypha_p2p_discovery(stage.subject->p2p, &discovery);
    assert_string_equal(discovery.state, "stopped");
    world_run(stage.world, 3600 * 1000);
    assert_int_equal(channels_of(stage.subject, HYPHA_SESSION_OUTBOUND), 0);
    stage.plan.slots = 3;
    reload(&stage);
    world_run(stage.world, 20000);
    assert_int_equal(channels_of(stage.subject, HYPHA_SESSION_OUTBOUND), 3);
    end(&stage);
}

/* In every turn of a young network: slots are caught picking, dialling, shaking hands, pausing. */
static void slots_change_at_any_moment(void **unused)
{
    static const int64_t counts[] = { 9, 1, 5, -1, 7, 2 };

    (void)unused;
    for (uint64_t chance = 50; chance < 60; chance++) {
        struct stage stage = build(chance, 4);

        world_start_all(stage.world);
        for (unsigned i = 0; i < 60; i++) {
            world_run(stage.world, 1 + 13 * (chance % 5) + i % 7);
            stage.plan.slots = counts[(i + chance) % 6];
            reload(&stage);
            struct places places = places_of(stage.subject, HYPHA_SESSION_OUTBOUND);
            assert_int_equal(places.count, stage.plan.slots < 0 ? 0 : stage.plan.slots);
            assert_numbers_differ(&places);
        }
        stage.plan.slots = 4;
        reload(&stage);
        world_run(stage.world, 300 * 1000);
        assert_int_equal(channels_of(stage.subject, HYPHA_SESSION_OUTBOUND), 4);
        end(&stage);
    }
}

/* ---- peers ---- */

/* spec: network.md MUST 7.2-a: by hand and by reload */
static void peers_come_and_go(void **unused)
{
    struct stage stage = build(6, -1);
    struct hypha_p2p *p2p = stage.subject->p2p;
    struct hypha_url *by_hand = NULL, *configured = NULL;

    (void)unused;
    stage.plan.seeds[0] = NULL;
    stage.plan.peers[0] = stage.others[0]->url;
    reload(&stage);
    world_start_all(stage.world);
    ok(hypha_url_parse_text(stage.others[3]->url, &by_hand));
    ok(hypha_url_parse_text(stage.others[0]->url, &configured));
    world_run(stage.world, 2000);
    ok(hypha_p2p_connect(p2p, by_hand));
    assert_int_equal(hypha_p2p_connect(p2p, by_hand), HYPHA_ERR_EXISTS);
    world_run(stage.world, 2000);
    assert_int_equal(channels_of(stage.subject, HYPHA_SESSION_MANUAL), 2);

    /* One more and another one: only those that differ are touched. */
    size_t gone = stage.subject->events[HYPHA_EVENT_CHANNEL_UNREGISTERED];
    stage.plan.peers[1] = stage.others[1]->url;
    stage.plan.peers[2] = stage.others[2]->url;
    reload(&stage);
    world_run(stage.world, 2000);
    assert_int_equal(channels_of(stage.subject, HYPHA_SESSION_MANUAL), 4);
    assert_int_equal(stage.subject->events[HYPHA_EVENT_CHANNEL_UNREGISTERED], gone);
    stage.plan.peers[1] = NULL;
    reload(&stage);
    world_run(stage.world, 2000);
    assert_int_equal(channels_of(stage.subject, HYPHA_SESSION_MANUAL), 3);
    assert_int_equal(stage.subject->events[HYPHA_EVENT_CHANNEL_UNREGISTERED], gone + 1);
    struct places places = places_of(stage.subject, HYPHA_SESSION_MANUAL);
    assert_int_equal(places.count, 3);
    assert_numbers_differ(&places);

    /* Who was disconnected by hand stays so, until a reload names him anew. */
    ok(hypha_p2p_disconnect(p2p, configured));
    assert_int_equal(hypha_p2p_disconnect(p2p, configured), HYPHA_ERR_NOT_FOUND);
    world_run(stage.world, 1000);
    assert_int_equal(channels_of(stage.subject, HYPHA_SESSION_MANUAL), 2);
    reload(&stage);
    world_run(stage.world, 60000);
    assert_int_equal(channels_of(stage.subject, HYPHA_SESSION_MANUAL), 2);
    stage.plan.peers[0] = NULL;
    reload(&stage);
    stage.plan.peers[0] = stage.others[0]->url;
    reload(&stage);
    world_run(stage.world, 2000);
    assert_int_equal(channels_of(stage.subject, HYPHA_SESSION_MANUAL), 3);
    hypha_url_unref(by_hand);
    hypha_url_unref(configured);
    end(&stage);
}

/* A peer that becomes a seed, too, is used as a seed only, and as a peer again afterwards. */
static void a_peer_that_becomes_a_seed(void **unused)
{
    struct stage stage = build(7, -1);

    (void)unused;
    stage.plan.seeds[0] = NULL;
    stage.plan.peers[0] = stage.others[0]->url;
    reload(&stage);
    world_start_all(stage.world);
    world_run(stage.world, 2000);
    assert_int_equal(channels_of(stage.subject, HYPHA_SESSION_MANUAL), 1);
    stage.plan.seeds[0] = stage.others[0]->url;
    reload(&stage);
    world_run(stage.world, 60000);
    assert_int_equal(channels_of(stage.subject, HYPHA_SESSION_MANUAL), 0);
    struct places places = places_of(stage.subject, HYPHA_SESSION_MANUAL);
    assert_string_equal(places.all[0].state, "idle");
    stage.plan.seeds[0] = NULL;
    reload(&stage);
    world_run(stage.world, 2000);
    assert_int_equal(channels_of(stage.subject, HYPHA_SESSION_MANUAL), 1);
    end(&stage);
}

/* A listed host becomes a configured peer: it leaves the lists. spec: network.md 3 */
static void a_new_peer_leaves_the_lists(void **unused)
{
    struct stage stage = build(8, 4);
    struct hypha_url *url = NULL;

    (void)unused;
    world_start_all(stage.world);
    world_run(stage.world, 20000);
    ok(hypha_url_parse_text(stage.others[0]->url, &url));
    assert_true(hy_hosts_find(stage.subject->p2p->net.hosts, url, NULL, NULL));
    stage.plan.peers[0] = stage.others[0]->url;
    reload(&stage);
    assert_false(hy_hosts_find(stage.subject->p2p->net.hosts, url, NULL, NULL));
    world_run(stage.world, 60000);
    assert_false(hy_hosts_find(stage.subject->p2p->net.hosts, url, NULL, NULL));
    hypha_url_unref(url);
    end(&stage);
}

/* ---- seeds ---- */

/* After an hour without an answer the back-off is at five minutes; new seeds do not wait for it. */
static void seeds_are_replaced(void **unused)
{
    struct stage stage = build(9, 4);

    (void)unused;
    stage.plan.seeds[0] = "tcp://44.200.0.1:9000";
    stage.plan.seeds[1] = "tcp://44.201.0.1:9000";
    reload(&stage);
    world_start_all(stage.world);
    world_run(stage.world, 3600 * 1000);
    assert_int_equal(hypha_p2p_peers_count(stage.subject->p2p), 0);
    stage.plan.seeds[1] = stage.seed->url;
    reload(&stage);
    struct places places = places_of(stage.subject, HYPHA_SESSION_SEED);
    assert_int_equal(places.count, 2);
    world_run(stage.world, 20000);
    assert_int_equal(channels_of(stage.subject, HYPHA_SESSION_OUTBOUND), 4);

    stage.plan.seeds[0] = stage.plan.seeds[1] = NULL;
    hypha_p2p_seed(stage.subject->p2p);
    world_run(stage.world, 50);
    assert_true(stage.subject->p2p->net.channel_count > 0);
    reload(&stage); /* while the seeds are being asked */
    world_run(stage.world, 500);
    places = places_of(stage.subject, HYPHA_SESSION_SEED);
    assert_int_equal(places.count, 0);
    assert_int_equal(channels_of(stage.subject, HYPHA_SESSION_SEED), 0);
    end(&stage);
}

/* ---- blacklist, limits, level ---- */

static bool is_peer_of(const struct node *node, const struct node *other)
{
    struct hypha_channel *channel = NULL;
    bool found = false;

    while ((channel = hy_net_next_channel(&node->p2p->net, channel)) != NULL)
        found |= strstr(hypha_url_text(hypha_channel_display_address(channel)), other->ip) != NULL;
    return found;
}

static void blacklisted_peers_are_closed(void **unused)
{
    static const char *const schemes[] = { "tcp" };
    struct stage stage = build(10, NEIGHBOURS);
    struct node *subject = stage.subject;
    char restart[HYPHA_RELOAD_TEXT_BYTES];

    (void)unused;
    world_start_all(stage.world);
    world_run(stage.world, 30000);
    size_t peers = hypha_p2p_peers_count(subject->p2p);
    assert_true(is_peer_of(subject, stage.others[0]));
    assert_true(is_peer_of(subject, stage.others[1]));

    for (unsigned round = 0; round < 2; round++) {
        struct hypha_settings *settings = node_settings(subject, &stage.plan);

        ok(hypha_settings_add_blacklist(settings, stage.others[0]->ip, schemes, 1, NULL, 0));
        ok(hypha_settings_add_blacklist(settings, stage.others[1]->ip, schemes, 1, NULL, 0));
        ok(hypha_p2p_reload(subject->p2p, settings, restart));
        hypha_settings_destroy(settings);
        world_run(stage.world, round == 0 ? 100 : 600 * 1000);
        assert_false(is_peer_of(subject, stage.others[0]));
        assert_false(is_peer_of(subject, stage.others[1]));
        assert_true(hypha_p2p_peers_count(subject->p2p) + 4 >= peers);
    }
    reload(&stage); /* the rows are gone: they may come back */
    world_run(stage.world, 7200 * 1000);
    assert_true(is_peer_of(subject, stage.others[0]));
    end(&stage);
}

/* Nobody is thrown out by a lower limit, but nobody comes in either. */
static void the_inbound_limit_is_read_again(void **unused)
{
    struct world *world = world_create(11);
    struct node *subject = world_add(world, &(struct node_plan){ .slots = -1, .places = 3 });
    struct stage stage = { .world = world, .subject = subject };

    (void)unused;
    for (size_t i = 0; i < 6; i++)
        stage.others[i] = world_add(
            world, &(struct node_plan){ .slots = -1, .peers = { subject->url } });
    stage.plan = (struct node_plan){ .slots = -1, .places = 3 };
    world_start_all(world);
    world_run(world, 60000);
    assert_int_equal(hypha_p2p_peers_count(subject->p2p), 3);
    stage.plan.places = 5;
    reload(&stage);
    world_run(world, 60000);
    assert_int_equal(hypha_p2p_peers_count(subject->p2p), 5);
    stage.plan.places = 2;
    reload(&stage);
    world_run(world, 1000);
    assert_int_equal(hypha_p2p_peers_count(subject->p2p), 5);
    for (size_t i = 0; i < 6; i++)
        (void)hy_sim_cut(world->sim, subject->ip, stage.others[i]->ip);
    world_run(world, 60000);
    assert_int_equal(hypha_p2p_peers_count(subject->p2p), 2);
    end(&stage);
}

/* A node that took nobody opens its doors. */
static void places_may_be_opened_later(void **unused)
{
    struct world *world = world_create(12);
    struct node *subject = world_add(world, &(struct node_plan){ .slots = -1, .places = -1 });
    struct stage stage = { .world = world, .subject = subject };

    (void)unused;
    for (size_t i = 0; i < 3; i++)
        stage.others[i] = world_add(
            world, &(struct node_plan){ .slots = -1, .peers = { subject->url } });
    stage.plan = (struct node_plan){ .slots = -1, .places = -1 };
    world_start_all(world);
    world_run(world, 60000);
    assert_int_equal(hypha_p2p_peers_count(subject->p2p), 0);
    stage.plan.places = 3;
    reload(&stage);
    world_run(world, 60000);
    assert_int_equal(hypha_p2p_peers_count(subject->p2p), 3);
    end(&stage);
}

static void on_line(void *user, enum hypha_log_level level, const char *target, const char *text)
{
    (void)user;
    (void)level;
    (void)target;
    (void)text;
}

static void the_rest_needs_a_restart(void **unused)
{
    struct stage stage = build(12, 4);
    struct hypha_settings *settings = node_settings(stage.subject, &stage.plan);
    const struct hy_resolved_settings *resolved = stage.subject->p2p->settings;
    static const uint8_t magic[4] = { 1, 2, 3, 4 };
    char restart[HYPHA_RELOAD_TEXT_BYTES];

    (void)unused;
    ok(hypha_settings_set_magic(settings, magic));
    ok(hypha_settings_set_text(settings, HYPHA_KEY_NODE_ID, "other"));
    ok(hypha_settings_set_flag(settings, HYPHA_KEY_LOCALNET, true));
    ok(hypha_settings_set_number(settings, HYPHA_KEY_REFINERY_INTERVAL_MS, 1234));
    ok(hypha_settings_set_flag(settings, HYPHA_KEY_DISABLE_GREYS, true));
    ok(hypha_settings_set_timeout(settings, "tcp", HYPHA_TIMEOUT_HANDSHAKE, 4321));
    hypha_settings_clear_urls(settings, HYPHA_LIST_INBOUND);
    hypha_settings_set_log(settings, NULL, NULL, HYPHA_LOG_ERROR);
    ok(hypha_p2p_reload(stage.subject->p2p, settings, restart));
    assert_string_equal(restart, "inbound, magic_bytes, node_id, localnet");
    assert_int_equal(resolved->refinery_interval_ms, 1234);
    assert_true(resolved->disable_greys);
    assert_int_equal(resolved->known_peer_percent, 100);
    assert_int_equal(hy_settings_timeouts(resolved, "tcp")->handshake_ms, 4321);
    assert_int_equal(resolved->log.level, HYPHA_LOG_DEBUG); /* nobody listened there */
    assert_false(resolved->localnet);
    assert_string_equal(resolved->node_id, "");
    assert_int_equal(resolved->inbound.count, 1);

    /* What no node can be made of is refused as a whole. */
    ok(hypha_settings_set_number(settings, HYPHA_KEY_REFINERY_INTERVAL_MS, 99));
    ok(hypha_settings_add_active_profile(settings, "tor"));
    assert_int_equal(hypha_p2p_reload(stage.subject->p2p, settings, restart), HYPHA_ERR_SETTINGS);
    assert_non_null(strstr(hypha_settings_why(settings), "tor"));
    assert_int_equal(resolved->refinery_interval_ms, 1234);
    hypha_settings_destroy(settings);

    settings = node_settings(stage.subject, &stage.plan);
    hypha_settings_set_log(settings, on_line, NULL, HYPHA_LOG_WARN);
    ok(hypha_p2p_reload(stage.subject->p2p, settings, restart));
    assert_int_equal(stage.subject->p2p->net.log.level, HYPHA_LOG_WARN);
    assert_ptr_not_equal(stage.subject->p2p->net.log.cb, on_line); /* the level alone */
    hypha_settings_destroy(settings);
    end(&stage);
}

/* ---- in every state, in every event, without memory ---- */

static void in_every_state_of_a_node(void **unused)
{
    struct stage stage = build(13, 4);

    (void)unused;
    stage.plan.slots = 5;
    stage.plan.peers[0] = stage.others[0]->url;
    reload(&stage);
    assert_int_equal(hypha_p2p_slot_count(stage.subject->p2p), 5);
    struct places places = places_of(stage.subject, HYPHA_SESSION_MANUAL);
    assert_int_equal(places.count, 1);
    assert_string_equal(places.all[0].state, "stopped");

    world_start_all(stage.world);
    stage.plan.slots = 3; /* the listener is not bound yet */
    stage.plan.peers[1] = stage.others[1]->url;
    reload(&stage);
    assert_int_equal(hy_p2p_state(stage.subject->p2p), HY_P2P_STARTING);
    world_run(stage.world, 30000);
    assert_int_equal(channels_of(stage.subject, HYPHA_SESSION_OUTBOUND), 3);
    assert_int_equal(channels_of(stage.subject, HYPHA_SESSION_MANUAL), 2);

    node_stop(stage.subject);
    stage.plan.slots = 6;
    stage.plan.peers[1] = NULL;
    reload(&stage); /* on its way to the stop */
    world_run(stage.world, 2000);
    assert_true(stage.subject->stopped);
    stage.plan.slots = 4;
    reload(&stage);
    node_start(stage.subject);
    world_run(stage.world, 30000);
    assert_int_equal(channels_of(stage.subject, HYPHA_SESSION_OUTBOUND), 4);
    assert_int_equal(channels_of(stage.subject, HYPHA_SESSION_MANUAL), 1);
    end(&stage);
}

struct countdown {
    struct stage *stage;
    unsigned left, reloads;
};

/* A subscriber reloads within every nth event, whatever the node is doing. */
static void reload_at_zero(const struct hypha_event *event, void *user)
{
    static const int64_t counts[] = { 6, 1, -1, 3 };
    struct countdown *countdown = user;
    struct stage *stage = countdown->stage;

    (void)event;
    if (countdown->left-- > 0)
        return;
    unsigned n = countdown->reloads++;
    countdown->left = 5 + n % 3;
    stage->plan.slots = counts[n % 4];
    stage->plan.peers[0] = n % 3 == 0 ? stage->others[0]->url : NULL;
    stage->plan.peers[1] = n % 2 == 0 ? stage->others[1]->url : NULL;
    stage->plan.seeds[0] = n % 5 == 0 ? NULL : stage->seed->url;
    reload(stage);
}

static void inside_any_event(void **unused)
{
    (void)unused;
    for (unsigned first = 0; first < 12; first++) {
        struct stage stage = build(400 + first, 4);
        struct countdown countdown = { .stage = &stage, .left = first };
        const uint64_t most = HYPHA_EVENTS_ALL & ~HYPHA_EVENT_BIT(HYPHA_EVENT_SEND);

        world_start_all(stage.world);
        ok(hypha_p2p_subscribe_events_of(stage.subject->p2p, most, reload_at_zero, &countdown));
        world_run(stage.world, 30000);
        assert_true(countdown.reloads > 10);
        hypha_p2p_unsubscribe_events(stage.subject->p2p, reload_at_zero, &countdown);
        stage.plan = (struct node_plan){ .seeds = { stage.seed->url }, .slots = 4, .places = 30 };
        reload(&stage);
        world_run(stage.world, 300 * 1000);
        assert_int_equal(channels_of(stage.subject, HYPHA_SESSION_OUTBOUND), 4);
        end(&stage);
    }
}

/* Every allocation of a reload fails once: all is as it was, and the next one works. */
static void without_memory_nothing_changes(void **unused)
{
    struct stage stage = build(14, 4);
    struct node *subject = stage.subject;
    char restart[HYPHA_RELOAD_TEXT_BYTES];
    struct places before = { 0 };
    size_t n = 0;

    (void)unused;
    stage.plan.peers[0] = stage.others[0]->url;
    reload(&stage);
    world_start_all(stage.world);
    world_run(stage.world, 30000);
    hypha_p2p_each_slot(subject->p2p, add_place, &before);
    stage.plan = (struct node_plan){ .seeds = { "tcp://44.99.0.1:1", "tcp://44.98.0.1:1" },
        .peers = { stage.others[1]->url, stage.others[2]->url },
        .slots = 7,
        .places = 31 };
    struct hypha_settings *settings = node_settings(subject, &stage.plan);
    ok(hypha_settings_add_blacklist(settings, "44.97.0.1", NULL, 0, NULL, 0));
    for (;; n++) {
        struct places after = { 0 };

        hy_alloc_fail_once(n);
        enum hypha_err err = hypha_p2p_reload(subject->p2p, settings, restart);
        assert_true(err == HYPHA_OK || hy_alloc_count() > n);
        hy_alloc_fail_after(SIZE_MAX);
        if (err ==
            HYPHA_OK) /* all is taken over: what may still be missed are notes of list moves */
            break;
        assert_int_equal(err, HYPHA_ERR_NOMEM);
        hypha_p2p_each_slot(subject->p2p, add_place, &after);
        assert_same(&before, &after);
        assert_int_equal(subject->p2p->settings->inbound_connections, 30);
        assert_int_equal(subject->p2p->settings->seeds.count, 1);
        assert_int_equal(subject->p2p->settings->blacklist.count, 0);
    }
    print_message("a reload makes %zu allocations\n", n);
    assert_true(n > 25);
    hypha_settings_destroy(settings);
    world_run(stage.world, 30000);
    assert_int_equal(places_of(subject, HYPHA_SESSION_MANUAL).count, 2);
    assert_int_equal(places_of(subject, HYPHA_SESSION_SEED).count, 2);
    assert_int_equal(hypha_p2p_slot_count(subject->p2p), 7);
    end(&stage);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_same_settings_change_nothing),
        cmocka_unit_test(slots_are_added_and_fill),
        cmocka_unit_test(removed_slots_close_their_channels),
        cmocka_unit_test(empty_slots_go_first),
        cmocka_unit_test(no_slots_and_slots_again),
        cmocka_unit_test(slots_change_at_any_moment),
        cmocka_unit_test(peers_come_and_go),
        cmocka_unit_test(a_peer_that_becomes_a_seed),
        cmocka_unit_test(a_new_peer_leaves_the_lists),
        cmocka_unit_test(seeds_are_replaced),
        cmocka_unit_test(blacklisted_peers_are_closed),
        cmocka_unit_test(the_inbound_limit_is_read_again),
        cmocka_unit_test(places_may_be_opened_later),
        cmocka_unit_test(the_rest_needs_a_restart),
        cmocka_unit_test(in_every_state_of_a_node),
        cmocka_unit_test(inside_any_event),
        cmocka_unit_test(without_memory_nothing_changes),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
