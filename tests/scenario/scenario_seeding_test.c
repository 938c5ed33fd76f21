/* scenario_seeding_test.c - seeding that does not hurt seeds: not while there is somebody else to
 * try, ever more rarely, two at a time; and not at all with a saved hostlist.
 * spec: network.md 7.5, 7.6 */
#include "scenario/world.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <cmocka.h>

#define MAX_DIALS 512

/* What a node does about its seeds, and about hosts until it first dials a seed. */
struct diary {
    struct hy_sim *sim;
    struct dial {
        uint64_t at_ms;
        uint32_t slot;
    } dials[MAX_DIALS];
    size_t count;        /* of dials to seeds */
    size_t hosts_before; /* dials to hosts before the first of them */
};

static void ok(enum hypha_err err)
{
    assert_string_equal(hypha_err_name(err), "OK");
}

static void on_event(const struct hypha_event *event, void *user)
{
    struct diary *diary = user;
    bool is_seed_dial = event->type == HYPHA_EVENT_SLOT && event->session == HYPHA_SESSION_SEED &&
        strcmp(event->state, "dialling") == 0;

    if (event->type == HYPHA_EVENT_OUTBOUND_SLOT_CONNECTING && diary->count == 0)
        diary->hosts_before++;
    if (!is_seed_dial)
        return;
    assert_true(diary->count < MAX_DIALS);
    diary->dials[diary->count++] = (struct dial){ hy_now_ms(hy_sim_loop(diary->sim)), event->slot };
}

static void keep_diary(struct diary *diary, struct node *node)
{
    *diary = (struct diary){ .sim = node->world->sim };
    ok(hypha_p2p_subscribe_events(node->p2p, on_event, diary));
}

static size_t outbound_of(const struct node *node)
{
    size_t count = 0;

    for (size_t i = 0; i < hypha_p2p_slot_count(node->p2p); i++)
        count += hypha_p2p_slot_channel(node->p2p, i) != 0 ? 1 : 0;
    return count;
}

struct file {
    char folder[40], path[64];
};

static struct file file_create(void)
{
    struct file file = { .folder = "/tmp/hypha-seeding-XXXXXX" };

    assert_non_null(mkdtemp(file.folder));
    (void)snprintf(file.path, sizeof(file.path), "%s/hosts.tsv", file.folder);
    return file;
}

static void file_remove(const struct file *file)
{
    char command[96];

    (void)snprintf(command, sizeof(command), "rm -r %s", file->folder);
    assert_int_equal(system(command), 0);
}

/* Restarted with its list, all seeds dead: every slot fills, and no seed is even dialled. */
static void a_saved_hostlist_is_enough(void **unused)
{
    struct world *world = world_create(1);
    struct file file = file_create();
    struct node *seeds[2], *subject;
    struct diary diary;

    (void)unused;
    for (size_t i = 0; i < 2; i++)
        seeds[i] = world_add(world, &(struct node_plan){ .seed = true });
    for (size_t i = 0; i < 14; i++)
        (void)world_add(
            world, &(struct node_plan){ .seeds = { seeds[0]->url, seeds[1]->url }, .places = 40 });
    subject = world_add(world,
        &(struct node_plan){ .seeds = { seeds[0]->url, seeds[1]->url }, .hostlist = file.path });
    world_start_all(world);
    world_run(world, 120 * 1000);
    assert_int_equal(outbound_of(subject), 8);
    node_stop(subject);
    node_stop(seeds[0]);
    node_stop(seeds[1]);
    world_run(world, 5000);

    struct node_plan plan = { .seeds = { seeds[0]->url, seeds[1]->url }, .hostlist = file.path };
    node_renew(subject, &plan); /* as a new process: nothing but the file is left */
    keep_diary(&diary, subject);
    node_start(subject);
    world_run(world, 120 * 1000);
    assert_int_equal(outbound_of(subject), 8);
    assert_int_equal(diary.count, 0);
    world_stop_all(world);
    world_destroy(world);
    file_remove(&file);
}

/* spec: network.md MUST 7.5-d
 */
static void untried_hosts_come_before_seeds(void **unused)
{
    struct world *world = world_create(2);
    struct file file = file_create();
    struct diary diary;

    (void)unused;
    FILE *out = fopen(file.path, "w");
    assert_non_null(out);
    for (unsigned i = 0; i < 30; i++)
        (void)fprintf(out, "white\ttcp://44.%u.0.1:9000/\t1699990000\n", 100 + i);
    assert_int_equal(fclose(out), 0);
    struct node *seed = world_add(world, &(struct node_plan){ .seed = true });
    struct node *subject = world_add(
        world, &(struct node_plan){ .seeds = { seed->url }, .hostlist = file.path, .slots = 3 });
    keep_diary(&diary, subject);
    world_start_all(world);
    world_run(world, 1);
    size_t listed = hy_hosts_count(subject->p2p->net.hosts, HYPHA_COLOUR_WHITE) +
        hy_hosts_count(subject->p2p->net.hosts, HYPHA_COLOUR_GREY);
    assert_true(listed >= 25);
    for (unsigned s = 0; s < 600 && diary.count == 0; s++)
        world_run(world, 1000);
    print_message("%zu dead hosts: the first seed is dialled after %llu s\n", listed,
        (unsigned long long)(hy_now_ms(hy_sim_loop(world->sim)) - HY_SIM_START_MS) / 1000);
    assert_true(diary.count > 0); /* but not never: the list is dead */
    assert_true(diary.hosts_before >= listed);
    world_stop_all(world);
    world_destroy(world);
    file_remove(&file);
}

static const char *const dead[4] = { "tcp://44.201.0.1:9000", "tcp://44.202.0.1:9000",
    "tcp://44.203.0.1:9000", "tcp://44.204.0.1:9000" };

static struct node *lonely(struct world *world, int64_t slots)
{
    return world_add(world,
        &(struct node_plan){ .seeds = { dead[0], dead[1], dead[2], dead[3] }, .slots = slots });
}

/* spec: network.md MUST 7.5-e: 5 s doubling to 5 min, with jitter */
static void dead_seeds_are_asked_ever_more_rarely(void **unused)
{
    struct world *world = world_create(3);
    struct node *subject = lonely(world, 8);
    uint64_t last_ms = 0, pause_ms = 5000, exact = 0;
    unsigned drawn[4] = { 0 }, rounds = 0, pairs = 0;
    struct diary diary;

    (void)unused;
    keep_diary(&diary, subject);
    world_start_all(world);
    world_run(world, 2 * 3600 * 1000);
    for (size_t i = 0; i < diary.count; rounds++) {
        size_t in_round = 0;
        uint64_t at_ms = diary.dials[i].at_ms;

        if (rounds > 0) {
            uint64_t gap_ms = at_ms - last_ms;

            assert_true(gap_ms >= pause_ms * 3 / 4);
            assert_true(gap_ms <= pause_ms * 5 / 4 + 7000); /* and the end of a rest */
            exact += gap_ms == pause_ms ? 1 : 0;
            pause_ms = pause_ms * 2 < 300000 ? pause_ms * 2 : 300000;
        }
        last_ms = at_ms;
        for (; i < diary.count && diary.dials[i].at_ms == at_ms; i++, in_round++)
            drawn[diary.dials[i].slot]++;
        assert_int_equal(in_round, 2); /* spec: network.md 7.5 SHOULD: 2 random seeds per round */
        pairs |= 1U << (diary.dials[i - 1].slot * 4 + diary.dials[i - 2].slot) % 16;
    }
    print_message("%u rounds of seeding in two hours\n", rounds);
    assert_true(rounds >= 20 && rounds <= 40);
    assert_true(exact < rounds / 2); /* jitter */
    for (size_t i = 0; i < 4; i++)
        assert_true(drawn[i] > 0);
    assert_true((pairs & (pairs - 1)) != 0); /* not always the same two */
    world_stop_all(world);
    world_destroy(world);
}

/* spec: network.md MUST 7.5-e: reset by a connection */
static void a_connection_ends_the_back_off(void **unused)
{
    struct world *world = world_create(4);
    struct node *subject = lonely(world, 8);
    struct node *peer = world_add(world, &(struct node_plan){ .slots = -1 });
    struct hypha_discovery_info info;
    struct hypha_url *url = NULL;
    struct diary diary;

    (void)unused;
    ok(hypha_url_parse_text(peer->url, &url));
    world_start_all(world);
    world_run(world, 3600 * 1000);
    keep_diary(&diary, subject);
    ok(hypha_p2p_connect(subject->p2p, url));
    world_run(world, 1000);
    assert_int_equal(hypha_p2p_peers_count(subject->p2p), 1);
    hypha_p2p_discovery(subject->p2p, &info);
    assert_true(info.seed_wait_ms <= 6250);
    world_run(world, 45 * 1000); /* the peer is asked twice, then the seeds */
    assert_int_equal(diary.count, 2);
    hypha_p2p_discovery(subject->p2p, &info);
    assert_true(info.getaddr_rounds >= 2);
    hypha_url_unref(url);
    world_stop_all(world);
    world_destroy(world);
}

/* An operator's `seed` asks all of them, however long the back-off is. spec: network.md 2.4 */
static void seeding_on_demand_does_not_wait(void **unused)
{
    struct world *world = world_create(5);
    struct node *subject = lonely(world, 2);
    struct hypha_discovery_info info;
    struct diary diary;

    (void)unused;
    world_start_all(world);
    world_run(world, 3600 * 1000);
    hypha_p2p_discovery(subject->p2p, &info);
    assert_true(info.seed_wait_ms > 30000);
    keep_diary(&diary, subject);
    hypha_p2p_seed(subject->p2p);
    assert_int_equal(diary.count, 4);
    hypha_p2p_seed(subject->p2p); /* they run already: lost */
    assert_int_equal(diary.count, 4);
    world_run(world, 20000);
    assert_int_equal(diary.count, 4);
    world_stop_all(world);
    world_destroy(world);
}

static struct hypha_discovery_info discovery_of(const struct node *node)
{
    struct hypha_discovery_info info;

    hypha_p2p_discovery(node->p2p, &info);
    return info;
}

/* spec: network.md MUST 7.5-c */
static void seeds_have_20_seconds(void **unused)
{
    struct world *world = world_create(6);
    struct node *subject = lonely(world, 2);
    struct hypha_settings *settings = node_settings(
        subject, &(struct node_plan){ .seeds = { dead[0] }, .slots = 2 });
    char restart[HYPHA_RELOAD_TEXT_BYTES];

    (void)unused;
    ok(hy_sim_set_host(world->sim, "44.201.0.1", HY_SIM_HOST_BLACKHOLE));
    ok(hypha_settings_set_timeout(settings, "tcp", HYPHA_TIMEOUT_CONNECT, 90000));
    ok(hypha_p2p_reload(subject->p2p, settings, restart));
    hypha_settings_destroy(settings);
    world_start_all(world);
    world_run(world, 10);
    assert_string_equal(discovery_of(subject).state, "seed");
    assert_true(discovery_of(subject).next_ms > 19000);
    world_run(world, 19900);
    assert_string_equal(discovery_of(subject).state, "seed");
    world_run(world, 200);
    assert_string_equal(discovery_of(subject).state, "resting");

    /* What the store takes ends the wait. */
    struct hypha_url *url = NULL;
    world_run(world, 300 * 1000);
    while (strcmp(discovery_of(subject).state, "seed") != 0)
        world_run(world, 100);
    ok(hypha_url_parse_text("tcp://44.99.0.1:1", &url));
    assert_int_equal(
        hy_hosts_receive_one(subject->p2p->net.hosts, url, HY_SIM_START_WALL_S), HY_VERDICT_GREY);
    world_run(world, 1);
    assert_string_equal(discovery_of(subject).state, "resting");
    hypha_url_unref(url);
    world_stop_all(world);
    world_destroy(world);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_saved_hostlist_is_enough),
        cmocka_unit_test(untried_hosts_come_before_seeds),
        cmocka_unit_test(dead_seeds_are_asked_ever_more_rarely),
        cmocka_unit_test(a_connection_ends_the_back_off),
        cmocka_unit_test(seeding_on_demand_does_not_wait),
        cmocka_unit_test(seeds_have_20_seconds),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
