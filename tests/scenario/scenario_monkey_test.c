/* scenario_monkey_test.c - chance operates a small network, and what must hold is looked at after
 * each step.
 *
 * Whatever operators, applications and the weather may do, in any order, also from inside events:
 * start, stop, make anew, reload with other settings, connect, disconnect, ban, unban, ask for
 * channels and give them back, seed, say something; wires cut, hosts down, silent, a network in
 * parts; memory that runs out for a moment. In the end all is let heal, and everybody who has slots
 * must find peers again: nothing stays busy for ever.
 *
 *   scenario_monkey_test [SEED [COUNT [torture]]]     by hand: other seeds */
#include "base/alloc.h"
#include "base/map.h"
#include "scenario/world.h"

#include <dirent.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <cmocka.h>

#define NODES     7
#define SEEDS     2 /* the first of them */
#define STEPS     120
#define LIVES     16 /* of each kind */
#define TICKETS   12
#define MAX_HOSTS 4096

/* What an application has asked for. */
struct ticket {
    struct monkey *monkey;
    struct hypha_direct *request;  /* not told yet */
    struct hypha_channel *channel; /* ours to give back */
    bool asked;
};

struct monkey {
    struct wild *wild;
    struct node *node;
    struct ticket tickets[TICKETS];
    char hostlist[64];
    bool runs, is_seed, restless; /* restless: starts again when it has stopped */
};

struct wild {
    struct world *world;
    struct monkey monkeys[NODES];
    uint64_t chance;
    unsigned depth; /* of operations from inside events */
    unsigned nosy;  /* so many events for one from inside which something is done */
    bool torture, calm;
};

static void ok(enum hypha_err err)
{
    assert_string_equal(hypha_err_name(err), "OK");
}

static uint64_t draw(struct wild *wild)
{
    uint64_t value = wild->chance += 0x9e3779b97f4a7c15U;

    value = (value ^ value >> 30) * 0xbf58476d1ce4e5b9U;
    value = (value ^ value >> 27) * 0x94d049bb133111ebU;
    return value ^ value >> 31;
}

static unsigned below(struct wild *wild, unsigned limit)
{
    return (unsigned)(draw(wild) % limit);
}

static struct monkey *any(struct wild *wild)
{
    return &wild->monkeys[below(wild, NODES)];
}

/* Memory as it should be; what follows asks for it. */
static void memory_back(void)
{
    hy_alloc_fail_after(SIZE_MAX);
}

static void memory_short(struct wild *wild)
{
    if (!wild->torture)
        return;
    if (below(wild, 3) > 0)
        hy_alloc_fail_once(below(wild, 120));
    else
        hy_alloc_fail_after(below(wild, 200));
}

/* Refused or not: either may be right. */
static void may_fail(enum hypha_err err)
{
    assert_string_not_equal(hypha_err_name(err), "");
}

static struct hypha_url *url_of(const char *text)
{
    struct hypha_url *url = NULL;

    ok(hypha_url_parse_text(text, &url));
    return url;
}

/* Somebody's address; seldom one that nobody has, or one without port. */
static struct hypha_url *any_url(struct wild *wild)
{
    static const char *const odd[] = { "tcp://44.200.0.1:9000", "tcp://44.3.0.1",
        "tcp://[::ffff:44.4.0.1]:9000", "tcp+tls://44.5.0.1:9000", "tcp://name.example:1",
        "tcp://44.6.0.77:9000" };

    if (below(wild, 8) == 0)
        return url_of(odd[below(wild, sizeof odd / sizeof odd[0])]);
    return url_of(any(wild)->node->url);
}

/* ---- channels on demand ---- */

static void on_direct(
    struct hypha_p2p *p2p, enum hypha_err err, struct hypha_channel *channel, void *user)
{
    struct ticket *ticket = user;

    assert_true(ticket->asked);
    assert_ptr_equal(p2p, ticket->monkey->node->p2p);
    assert_true((err == HYPHA_OK) == (channel != NULL));
    ticket->asked = false;
    ticket->request = NULL;
    if (channel == NULL)
        return;
    assert_false(hypha_channel_is_stopped(channel));
    ticket->channel = hypha_channel_ref(channel);
}

static void use_ticket(struct monkey *monkey, struct hypha_url *url)
{
    struct ticket *ticket = &monkey->tickets[below(monkey->wild, TICKETS)];
    struct hypha_channel *channel = ticket->channel;

    if (ticket->asked) {
        ticket->asked = false;
        hypha_direct_cancel(ticket->request);
        ticket->request = NULL;
    } else if (channel != NULL) {
        ticket->channel = NULL;
        (void)hypha_p2p_release_channel(monkey->node->p2p, channel);
        hypha_channel_unref(channel);
    } else {
        ticket->asked = hypha_p2p_get_channel(monkey->node->p2p, url, below(monkey->wild, 3),
                            on_direct, ticket, &ticket->request) == HYPHA_OK;
    }
}

static void drop_tickets(struct monkey *monkey)
{
    for (size_t i = 0; i < TICKETS; i++) {
        assert_false(monkey->tickets[i].asked); /* a node that stopped has told everybody */
        hypha_channel_unref(monkey->tickets[i].channel);
        monkey->tickets[i].channel = NULL;
    }
}

/* ---- lives ---- */

static struct node_plan plan_of(struct monkey *monkey)
{
    struct wild *wild = monkey->wild;
    struct node_plan plan = { .seed = monkey->is_seed };

    for (size_t i = 0; i < SEEDS && !monkey->is_seed; i++)
        plan.seeds[i] = wild->monkeys[i].node->url;
    if (monkey->hostlist[0] != '\0')
        plan.hostlist = monkey->hostlist;
    if (wild->calm || monkey->is_seed)
        return plan;
    plan.slots = (int64_t)below(wild, 10) - 1;
    plan.places = below(wild, 5);
    for (size_t i = below(wild, 4); i < 2; i++)
        plan.peers[i] = any(wild)->node->url;
    for (size_t i = 0; i < SEEDS; i++)
        plan.seeds[i] = below(wild, 4) > 0 ? plan.seeds[i] : NULL;
    return plan;
}

static void on_event(const struct hypha_event *event, void *user);

static void renew(struct monkey *monkey)
{
    struct node_plan plan = plan_of(monkey);

    drop_tickets(monkey);
    node_renew(monkey->node, &plan);
    ok(hypha_p2p_subscribe_events(monkey->node->p2p, on_event, monkey));
}

static void on_stopped(struct hypha_p2p *p2p, enum hypha_err why, void *user);

static void start(struct monkey *monkey)
{
    if (hypha_p2p_start(monkey->node->p2p, NULL, on_stopped, monkey) == HYPHA_OK)
        monkey->runs = true;
}

static void on_stopped(struct hypha_p2p *p2p, enum hypha_err why, void *user)
{
    struct monkey *monkey = user;

    (void)why;
    assert_true(monkey->runs);
    assert_int_equal(hy_p2p_leftovers(p2p), 0);
    monkey->runs = false;
    for (size_t i = 0; i < TICKETS; i++)
        assert_false(monkey->tickets[i].asked);
    if (monkey->wild->calm)
        return;
    if (below(monkey->wild, 4) == 0) {
        memory_back();
        renew(monkey);
    }
    if (monkey->restless || below(monkey->wild, 4) == 0)
        start(monkey);
    monkey->restless = false;
}

/* ---- other settings ---- */

static void set_number(
    struct wild *wild, struct hypha_settings *settings, enum hypha_number_key key, unsigned limit)
{
    int64_t least = limit > 1000 ? 500 : 1; /* no storms of timers, nor of files */

    if (below(wild, 3) == 0)
        ok(hypha_settings_set_number(settings, key, least + (int64_t)below(wild, limit)));
}

static void vary(struct wild *wild, struct hypha_settings *settings)
{
    static const char *const tcp[] = { "tcp" };
    struct hypha_url *url = any_url(wild);
    uint16_t port = (uint16_t)(below(wild, 2) * WORLD_PORT);

    set_number(wild, settings, HYPHA_KEY_DISCOVERY_COOLOFF_MS, 60000);
    set_number(wild, settings, HYPHA_KEY_DISCOVERY_ATTEMPT_MS, 10000);
    set_number(wild, settings, HYPHA_KEY_GETADDRS_MAX, 20);
    set_number(wild, settings, HYPHA_KEY_REFINERY_INTERVAL_MS, 30000);
    set_number(wild, settings, HYPHA_KEY_KNOWN_PEER_PERCENT, 99);
    set_number(wild, settings, HYPHA_KEY_TIME_WITH_NO_CONNECTIONS_MS, 60000);
    set_number(wild, settings, HYPHA_KEY_HOSTLIST_SAVE_MS, 200000);
    set_number(wild, settings, HYPHA_KEY_WHITE_REFINERY_INTERVAL_MS, 60000);
    ok(hypha_settings_set_flag(settings, HYPHA_KEY_DISABLE_GREYS, below(wild, 4) == 0));
    ok(hypha_settings_set_flag(settings, HYPHA_KEY_RELAXED_BANS, below(wild, 2) == 0));
    for (int key = 0; key < HYPHA_TIMEOUTS; key++)
        if (below(wild, 4) == 0)
            ok(hypha_settings_set_timeout(
                settings, "tcp", (enum hypha_timeout_key)key, 1000 + (int64_t)below(wild, 20000)));
    if (below(wild, 6) == 0)
        ok(hypha_settings_add_blacklist(settings, hypha_url_host(url), tcp, 1, &port, 1));
    hypha_url_unref(url);
}

static void reload(struct monkey *monkey)
{
    struct node_plan plan = plan_of(monkey);
    char restart[HYPHA_RELOAD_TEXT_BYTES];

    memory_back();
    struct hypha_settings *settings = node_settings(monkey->node, &plan);
    if (!monkey->wild->calm)
        vary(monkey->wild, settings);
    if (!monkey->wild->calm)
        memory_short(monkey->wild);
    may_fail(hypha_p2p_reload(monkey->node->p2p, settings, restart));
    hypha_settings_destroy(settings);
}

/* ---- the operations ---- */

static void stop_some(struct hypha_channel *channel, void *user)
{
    struct wild *wild = user;

    if (below(wild, 4) == 0)
        hypha_channel_stop(channel);
    else if (below(wild, 12) == 0)
        hypha_channel_ban(channel);
}

static void ban(struct monkey *monkey, struct hypha_url *url)
{
    may_fail(hypha_p2p_ban(monkey->node->p2p, url, 1 + below(monkey->wild, 120)));
}

/* What a user of the library may do at any time, also from inside an event. */
static void operate(struct monkey *monkey)
{
    struct wild *wild = monkey->wild;
    struct hypha_p2p *p2p = monkey->node->p2p;
    struct hypha_url *url;

    memory_back();
    url = any_url(wild);
    memory_short(wild);
    switch (below(wild, 16)) {
    case 0:
        monkey->restless = below(wild, 2) == 0;
        hypha_p2p_stop(p2p);
        break;
    case 1:
        reload(monkey);
        break;
    case 2:
        may_fail(hypha_p2p_connect(p2p, url));
        break;
    case 3:
        may_fail(hypha_p2p_disconnect(p2p, url));
        break;
    case 4:
        ban(monkey, url);
        break;
    case 5:
    case 6:
        may_fail(hypha_p2p_unban(p2p, url));
        break;
    case 7:
        hypha_p2p_each_channel(p2p, stop_some, wild);
        break;
    case 8:
        hypha_p2p_seed(p2p);
        break;
    case 9:
        may_fail(hypha_p2p_start_peer_discovery(p2p));
        break;
    case 10:
        (void)chat_say(p2p, "monkey see, monkey do");
        break;
    case 11:
        hypha_p2p_unsubscribe_events(p2p, on_event, monkey);
        memory_back();
        ok(hypha_p2p_subscribe_events(p2p, on_event, monkey));
        break;
    case 12:
        start(monkey);
        break;
    default:
        use_ticket(monkey, url);
        break;
    }
    hypha_url_unref(url);
}

/* Once from inside: an event of that operation does not operate again. */
static void on_event(const struct hypha_event *event, void *user)
{
    struct monkey *monkey = user;
    struct wild *wild = monkey->wild;

    (void)event;
    if (wild->calm || wild->depth > 1 || below(wild, wild->nosy) > 0)
        return;
    wild->depth++;
    operate(monkey);
    wild->depth--;
}

static void weather(struct wild *wild)
{
    const char *ip = any(wild)->node->ip, *other = any(wild)->node->ip;

    switch (below(wild, 8)) {
    case 0:
        (void)hy_sim_cut(wild->world->sim, ip, other);
        break;
    case 1:
        may_fail(hy_sim_set_host(
            wild->world->sim, ip, (enum hy_sim_host)below(wild, HY_SIM_HOST_BLACKHOLE + 1)));
        break;
    case 2:
        may_fail(hy_sim_set_group(wild->world->sim, ip, (int)below(wild, 2)));
        break;
    case 3:
        hy_sim_heal(wild->world->sim);
        break;
    default:
        may_fail(hy_sim_set_host(wild->world->sim, ip, HY_SIM_HOST_UP));
        break;
    }
}

/* ---- what must hold ---- */

struct census {
    const struct monkey *monkey;
    const char *hosts[MAX_HOSTS];
    size_t host_count, peers, outbound, bans;
    enum hypha_colour colour;
};

static int by_text(const void *a, const void *b)
{
    return strcmp(*(const char *const *)a, *(const char *const *)b);
}

static void note_host(const struct hypha_url *url, uint64_t last_seen, void *user)
{
    struct census *census = user;
    const struct hypha_p2p *p2p = census->monkey->node->p2p;

    (void)last_seen;
    assert_true(census->host_count < MAX_HOSTS);
    census->hosts[census->host_count++] = hypha_url_text(url);
    /* Without memory for the move a good host stays gold rather than being lost. */
    if (census->colour == HYPHA_COLOUR_GOLD && !census->monkey->wild->torture)
        assert_string_equal(hy_host_state_name(hy_hosts_state(p2p->net.hosts, url)), "Connected");
}

static void note_channel(struct hypha_channel *channel, void *user)
{
    struct census *census = user;
    uint32_t session = hypha_channel_session(channel);

    census->peers += (session & HYPHA_SESSIONS_DEFAULT) != 0 ? 1 : 0;
    assert_ptr_equal(
        hypha_p2p_channel(census->monkey->node->p2p, hypha_channel_id(channel)), channel);
}

static void note_slot(const struct hypha_slot_info *slot, void *user)
{
    struct census *census = user;
    struct hypha_p2p *p2p = census->monkey->node->p2p;

    assert_non_null(slot->state);
    assert_non_null(slot->waits_for);
    if (slot->session == HYPHA_SESSION_OUTBOUND)
        census->outbound++;
    if (slot->channel_id == 0)
        return;
    struct hypha_channel *channel = hypha_p2p_channel(p2p, slot->channel_id);
    if (channel == NULL)
        return; /* it stops; the slot is told at the end of the turn */
    assert_int_equal(hypha_channel_session(channel), slot->session);
    assert_string_equal(
        hy_host_state_name(hy_hosts_state(p2p->net.hosts, slot->addr)), "Connected");
}

static void note_ban(const struct hypha_ban *it, void *user)
{
    struct census *census = user;

    assert_true(it->url != NULL || it->group != NULL);
    census->bans++;
}

static void look(struct monkey *monkey)
{
    static struct census census;
    struct hypha_p2p *p2p = monkey->node->p2p;
    struct hypha_discovery_info info;

    census = (struct census){ .monkey = monkey };
    for (int colour = 0; colour < HYPHA_COLOURS; colour++) {
        census.colour = (enum hypha_colour)colour;
        hypha_p2p_each_host(p2p, census.colour, note_host, &census);
    }
    qsort(census.hosts, census.host_count, sizeof census.hosts[0], by_text);
    for (size_t i = 1; i < census.host_count; i++)
        assert_string_not_equal(census.hosts[i - 1], census.hosts[i]); /* one list at most */
    hypha_p2p_each_channel(p2p, note_channel, &census);
    assert_int_equal(census.peers, hypha_p2p_peers_count(p2p));
    hypha_p2p_each_slot(p2p, note_slot, &census);
    assert_int_equal(census.outbound, hypha_p2p_slot_count(p2p));
    hypha_p2p_each_ban(p2p, note_ban, &census);
    hypha_p2p_discovery(p2p, &info);
    assert_non_null(info.state);
    if (hy_p2p_state(p2p) == HY_P2P_STOPPED)
        assert_int_equal(hy_p2p_leftovers(p2p), 0);
    assert_int_equal(monkey->runs, hy_p2p_state(p2p) != HY_P2P_STOPPED);
}

/* ---- a day at the zoo ---- */

static void step(struct wild *wild)
{
    if (below(wild, 3) == 0)
        weather(wild);
    for (unsigned left = 1 + below(wild, 3); left > 0; left--)
        operate(any(wild));
    world_run(wild->world, below(wild, 3) == 0 ? below(wild, 40000) : below(wild, 300));
    memory_back();
    for (size_t i = 0; i < NODES; i++)
        look(&wild->monkeys[i]);
}

static bool some_lack_peers(void *user)
{
    struct wild *wild = user;

    for (size_t i = SEEDS; i < NODES; i++)
        if (hypha_p2p_peers_count(wild->monkeys[i].node->p2p) == 0)
            return true;
    return false;
}

static void unban(const struct hypha_ban *it, void *user)
{
    struct hypha_url **urls = user;

    for (size_t i = 0; it->url != NULL && i < MAX_HOSTS; i++)
        if (urls[i] == NULL) {
            urls[i] = hypha_url_ref((struct hypha_url *)(uintptr_t)it->url);
            return;
        }
}

static void unban_all(struct hypha_p2p *p2p)
{
    static struct hypha_url *urls[MAX_HOSTS];

    memset(urls, 0, sizeof urls);
    hypha_p2p_each_ban(p2p, unban, urls);
    for (size_t i = 0; i < MAX_HOSTS && urls[i] != NULL; i++) {
        may_fail(hypha_p2p_unban(p2p, urls[i]));
        hypha_url_unref(urls[i]);
    }
}

/* Good weather and kind operators: the network must come together. */
static void heal(struct wild *wild)
{
    struct hy_sim *sim = wild->world->sim;

    memory_back();
    wild->calm = true;
    hy_sim_heal(sim);
    for (size_t i = 0; i < NODES; i++) {
        struct monkey *monkey = &wild->monkeys[i];

        ok(hy_sim_set_host(sim, monkey->node->ip, HY_SIM_HOST_UP));
        monkey->restless = false;
    }
    world_run(wild->world, 15000); /* who was stopping has stopped */
    for (size_t i = 0; i < NODES; i++) {
        struct monkey *monkey = &wild->monkeys[i];

        unban_all(monkey->node->p2p);
        reload(monkey);
        if (!monkey->runs)
            start(monkey);
        assert_true(monkey->runs);
        look(monkey);
    }
    if (!hy_sim_run_while(sim, some_lack_peers, wild, 30 * 60 * 1000))
        for (size_t i = SEEDS; i < NODES; i++)
            if (hypha_p2p_peers_count(wild->monkeys[i].node->p2p) == 0)
                fail_msg("%s found nobody", wild->monkeys[i].node->ip);
}

static void make_all(struct wild *wild, const char *folder)
{
    for (size_t i = 0; i < NODES; i++) {
        struct monkey *monkey = &wild->monkeys[i];
        struct node_plan plan = { .seed = i < SEEDS };

        monkey->wild = wild;
        monkey->is_seed = i < SEEDS;
        if (i % 3 == 0)
            (void)snprintf(monkey->hostlist, sizeof monkey->hostlist, "%s/hosts%zu", folder, i);
        for (size_t k = 0; k < TICKETS; k++)
            monkey->tickets[k].monkey = monkey;
        for (size_t k = 0; k < SEEDS && i >= SEEDS; k++)
            plan.seeds[k] = wild->monkeys[k].node->url;
        plan.hostlist = monkey->hostlist[0] != '\0' ? monkey->hostlist : NULL;
        monkey->node = world_add(wild->world, &plan);
        ok(hypha_p2p_subscribe_events(monkey->node->p2p, on_event, monkey));
        start(monkey);
    }
}

static void remove_files(const char *folder)
{
    DIR *files = opendir(folder);
    struct dirent *file;
    char path[300];

    assert_non_null(files);
    while ((file = readdir(files)) != NULL) {
        (void)snprintf(path, sizeof path, "%s/%s", folder, file->d_name);
        if (file->d_name[0] != '.')
            (void)unlink(path);
    }
    (void)closedir(files);
    assert_int_equal(rmdir(folder), 0);
}

/* The same seed does the same, to the byte. */
static uint64_t live(uint64_t seed, bool torture)
{
    char folder[] = "/tmp/hypha-monkey-XXXXXX";
    struct wild *wild = calloc(1, sizeof *wild);
    uint64_t hash;

    assert_non_null(wild);
    assert_non_null(mkdtemp(folder));
    wild->chance = seed;
    wild->nosy = 3 + below(wild, 40);
    wild->torture = torture;
    wild->world = world_create(seed);
    make_all(wild, folder);
    for (unsigned i = 0; i < STEPS; i++)
        step(wild);
    heal(wild);
    hash = wild->world->hash;
    for (size_t i = 0; i < NODES; i++)
        hypha_p2p_stop(wild->monkeys[i].node->p2p);
    world_run(wild->world, 10000); /* network.md 2.3: within 10 s */
    for (size_t i = 0; i < NODES; i++) {
        assert_false(wild->monkeys[i].runs);
        drop_tickets(&wild->monkeys[i]);
    }
    world_destroy(wild->world);
    remove_files(folder);
    free(wild);
    return hash;
}

static uint64_t first_seed = 1;
static unsigned seed_count = LIVES;

static void live_some(bool torture)
{
    for (unsigned i = 0; i < seed_count; i++) {
        if (seed_count != LIVES)
            print_message("seed %llu\n", (unsigned long long)first_seed + i);
        (void)live(first_seed + i, torture);
    }
}

/* spec: network.md#41-registry MUST: every error or cancellation path ends in Free or Suspend */
static void anything_may_happen_in_any_order(void **unused)
{
    (void)unused;
    live_some(false);
}

static void and_memory_runs_out_meanwhile(void **unused)
{
    (void)unused;
    live_some(true);
}

/* ---- what it has found ---- */

static void stop_or_disconnect(const struct hypha_event *event, void *user)
{
    struct node *node = user;

    if (event->type != HYPHA_EVENT_CHANNEL_UNREGISTERED)
        return;
    if (node->chat.heard++ == 0)
        ok(hypha_p2p_disconnect(node->p2p, event->addr));
    else
        hypha_p2p_stop(node->p2p);
}

/* The channel of a configured peer has ended, its slot does not know yet. */
static void a_lost_peer_is_disconnected_at_once(void **unused)
{
    struct world *world = world_create(1);
    struct node *peer = world_add(world, &(struct node_plan){ .slots = -1 });
    struct node *node = world_add(
        world, &(struct node_plan){ .slots = -1, .peers = { peer->url } });
    struct hypha_url *url = url_of(peer->url);

    (void)unused;
    ok(hypha_p2p_subscribe_events(node->p2p, stop_or_disconnect, node));
    world_start_all(world);
    world_run(world, 2000);
    assert_int_equal(hy_sim_cut(world->sim, peer->ip, node->ip), 1);
    world_run(world, 1000);
    assert_int_equal(node->chat.heard, 1);
    ok(hypha_p2p_connect(node->p2p, url));
    world_run(world, 2000);
    assert_int_equal(hy_sim_cut(world->sim, peer->ip, node->ip), 1);
    world_run(world, 1000);
    assert_int_equal(node->chat.heard, 2);
    assert_int_equal(hy_p2p_state(node->p2p), HY_P2P_STOPPED);
    hypha_url_unref(url);
    world_stop_all(world);
    world_destroy(world);
}

static void the_same_seed_does_the_same(void **unused)
{
    (void)unused;
    assert_true(live(first_seed, false) == live(first_seed, false));
}

int main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(anything_may_happen_in_any_order),
        cmocka_unit_test(and_memory_runs_out_meanwhile),
        cmocka_unit_test(the_same_seed_does_the_same),
        cmocka_unit_test(a_lost_peer_is_disconnected_at_once),
    };
    const struct CMUnitTest torture[] = { cmocka_unit_test(and_memory_runs_out_meanwhile) };
    const struct CMUnitTest plain[] = { cmocka_unit_test(anything_may_happen_in_any_order) };

    if (argc > 1)
        first_seed = strtoull(argv[1], NULL, 10);
    if (argc > 2)
        seed_count = (unsigned)strtoul(argv[2], NULL, 10);
    if (argc > 3)
        return cmocka_run_group_tests(torture, NULL, NULL);
    if (argc > 2)
        return cmocka_run_group_tests(plain, NULL, NULL);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
