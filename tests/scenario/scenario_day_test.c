/* scenario_day_test.c - a day in the life of a network: churn, a partition, dead seeds.
 *
 * 200 nodes and 3 seeds, 24 virtual hours. Every hour a tenth of the nodes leaves, half of them
 * without a word, and comes back half an hour later as a new program that has nothing but its
 * hostlist. All seeds are dead from hour 6 on; at hour 12 the network is cut in two for half an
 * hour. At the end every live node has nine tenths of its outbound slots filled, the graph is
 * connected, and a run with the same seed of chance is the same to the byte.
 *
 *   usage: scenario_day_test [SEED [NODES [HOURS]]]
 *
 * spec: network.md 7.4, 7.5, 10 */
#include "scenario/world.h"

#include "base/ip.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <cmocka.h>

#define SEEDS        3
#define MINUTE       60000ULL
#define HOUR         (60 * MINUTE)
#define AWAY         (30 * MINUTE)
#define PLACES       32 /* inbound, of a node: an ordinary operator's choice for a public node */
#define MAX_LEAVERS  64
#define SETTLING     (5 * MINUTE) /* nobody leaves or comes in the last minutes */
#define LEAST_FILLED 90           /* percent of the slots */

/* Smaller where every access is checked. */
#ifdef HYPHA_SLOW_BUILD
static uint64_t seed = 1, nodes = 40, hours = 15;
#else
static uint64_t seed = 1, nodes = 200, hours = 24;
#endif

struct day {
    struct world *world;
    char folder[64];
    char hostlists[WORLD_MAX_NODES][96];
    struct hy_timer churn;
    size_t away[MAX_LEAVERS]; /* who is away, the longest first */
    uint64_t back_ms[MAX_LEAVERS];
    size_t away_count;
    unsigned leaves;
    uint64_t end_ms;
};

static struct hypha_loop *loop_of(const struct day *day)
{
    return hy_sim_loop(day->world->sim);
}

static struct node_plan plan_of(struct day *day, size_t index)
{
    struct node_plan plan = { .places = PLACES, .quiet = true };

    if (index < SEEDS)
        return (struct node_plan){ .seed = true, .quiet = true };
    for (size_t i = 0; i < SEEDS; i++)
        plan.seeds[i] = day->world->nodes[i].url;
    /* cppcheck-suppress arrayIndexOutOfBoundsCond */
    plan.hostlist = day->hostlists[index];
    return plan;
}

static void return_some(struct day *day)
{
    while (day->away_count > 0 && day->back_ms[0] <= hy_now_ms(loop_of(day))) {
        size_t index = day->away[0];
        struct node *node = &day->world->nodes[index];
        struct node_plan plan = plan_of(day, index);

        day->away_count--;
        memmove(&day->away[0], &day->away[1], day->away_count * sizeof(day->away[0]));
        memmove(&day->back_ms[0], &day->back_ms[1], day->away_count * sizeof(day->back_ms[0]));
        assert_int_equal(hy_sim_set_host(day->world->sim, node->ip, HY_SIM_HOST_UP), HYPHA_OK);
        node_renew(node, &plan);
        node_start(node);
    }
}

static void one_leaves(struct day *day)
{
    struct world *world = day->world;
    size_t index = 0;

    assert_true(day->away_count < MAX_LEAVERS);
    do
        index = SEEDS + (size_t)hy_random_below(loop_of(day), world->count - SEEDS);
    while (hy_p2p_state(world->nodes[index].p2p) != HY_P2P_RUNNING);
    if (day->leaves++ % 2 == 1) /* the machine is unplugged */
        assert_int_equal(
            hy_sim_set_host(world->sim, world->nodes[index].ip, HY_SIM_HOST_DOWN), HYPHA_OK);
    node_stop(&world->nodes[index]);
    day->away[day->away_count] = index;
    day->back_ms[day->away_count++] = hy_now_ms(loop_of(day)) + AWAY;
}

static void on_churn(void *user)
{
    struct day *day = user;
    uint64_t leavers_an_hour = (day->world->count - SEEDS) / 10;

    return_some(day);
    if (hy_now_ms(loop_of(day)) + SETTLING >= day->end_ms)
        return;
    one_leaves(day);
    hy_timer_start(&day->churn, HOUR / leavers_an_hour);
}

static int half_of(void *user, const struct hy_ip *ip)
{
    (void)user;
    return ip->bytes[1] % 2;
}

static struct day *day_begin(uint64_t chance)
{
    struct day *day = calloc(1, sizeof(*day));

    assert_non_null(day);
    (void)snprintf(day->folder, sizeof(day->folder), "/tmp/hypha-day-XXXXXX");
    assert_non_null(mkdtemp(day->folder));
    day->world = world_create(chance);
    for (size_t i = 0; i < SEEDS + nodes; i++) {
        (void)snprintf(day->hostlists[i], sizeof(day->hostlists[i]), "%s/%zu", day->folder, i);
        struct node_plan plan = plan_of(day, i);
        (void)world_add(day->world, &plan);
    }
    day->end_ms = hy_now_ms(loop_of(day)) + hours * HOUR;
    hy_timer_init(&day->churn, loop_of(day), on_churn, day);
    return day;
}

static void seeds_die(struct day *day)
{
    for (size_t i = 0; i < SEEDS; i++) {
        struct node *node = &day->world->nodes[i];

        assert_int_equal(hy_sim_set_host(day->world->sim, node->ip, HY_SIM_HOST_DOWN), HYPHA_OK);
        node_stop(node);
    }
}

static void run_to(struct day *day, uint64_t ms)
{
    hy_sim_run_until(day->world->sim, HY_SIM_START_MS + (ms < hours * HOUR ? ms : hours * HOUR));
}

static void live_through(struct day *day)
{
    world_start_all(day->world);
    hy_timer_start(&day->churn, HOUR / 10);
    run_to(day, 6 * HOUR);
    seeds_die(day);
    run_to(day, 12 * HOUR);
    hy_sim_partition(day->world->sim, half_of, NULL);
    run_to(day, 12 * HOUR + 30 * MINUTE);
    hy_sim_heal(day->world->sim);
    run_to(day, hours * HOUR);
}

/* ---- how it stands at the end ---- */

static size_t filled(const struct node *node)
{
    size_t count = 0;

    for (size_t i = 0; i < hypha_p2p_slot_count(node->p2p); i++)
        count += hypha_p2p_slot_channel(node->p2p, i) != 0 ? 1 : 0;
    return count;
}

static size_t find(size_t *roots, size_t node)
{
    while (roots[node] != node)
        node = roots[node] = roots[roots[node]];
    return node;
}

static size_t index_of(const struct world *world, const struct hypha_url *url)
{
    for (size_t i = 0; i < world->count; i++)
        if (strcmp(world->nodes[i].ip, hypha_url_host(url)) == 0)
            return i;
    return world->count;
}

/* In how many pieces the live nodes are, by their outbound channels. */
static size_t pieces(const struct world *world)
{
    size_t roots[WORLD_MAX_NODES], count = 0;

    for (size_t i = 0; i < world->count; i++)
        roots[i] = i;
    for (size_t i = SEEDS; i < world->count; i++) {
        const struct node *node = &world->nodes[i];

        for (size_t s = 0; s < hypha_p2p_slot_count(node->p2p); s++) {
            uint32_t id = hypha_p2p_slot_channel(node->p2p, s);
            size_t other = id == 0
                ? world->count
                : index_of(world, hypha_channel_display_address(hypha_p2p_channel(node->p2p, id)));

            if (other < world->count)
                roots[find(roots, i)] = find(roots, other);
        }
    }
    for (size_t i = SEEDS; i < world->count; i++)
        count += hy_p2p_state(world->nodes[i].p2p) == HY_P2P_RUNNING && find(roots, i) == i;
    return count;
}

static void report(const struct day *day)
{
    size_t live = 0, slots = 0, full = 0, total = 0, fewest = SIZE_MAX;

    for (size_t i = SEEDS; i < day->world->count; i++) {
        const struct node *node = &day->world->nodes[i];

        if (hy_p2p_state(node->p2p) != HY_P2P_RUNNING)
            continue;
        live++;
        total += hypha_p2p_slot_count(node->p2p);
        slots += filled(node);
        full += filled(node) == hypha_p2p_slot_count(node->p2p) ? 1 : 0;
        fewest = filled(node) < fewest ? filled(node) : fewest;
    }
    print_message("seed %llu: %zu live nodes, %zu of %zu slots filled, %zu nodes have all, "
                  "fewest %zu; %u left; %zu piece(s)\n",
        (unsigned long long)seed, live, slots, total, full, fewest, day->leaves,
        pieces(day->world));
}

static void day_end(struct day *day)
{
    char command[96];

    hy_timer_stop(&day->churn);
    world_stop_all(day->world);
    world_destroy(day->world);
    (void)snprintf(command, sizeof(command), "rm -rf %s", day->folder);
    assert_int_equal(system(command), 0);
    free(day);
}

static void every_slot_is_filled_at_the_end_of_the_day(void **unused)
{
    struct day *day = day_begin(seed);

    (void)unused;
    live_through(day);
    report(day);
    for (size_t i = SEEDS; i < day->world->count; i++) {
        const struct node *node = &day->world->nodes[i];

        if (hy_p2p_state(node->p2p) == HY_P2P_RUNNING)
            assert_true(100 * filled(node) >= LEAST_FILLED * hypha_p2p_slot_count(node->p2p));
    }
    assert_int_equal(pieces(day->world), 1);
    day_end(day);
}

static uint64_t hash_of_a_short_day(uint64_t chance)
{
    uint64_t all_nodes = nodes, all_hours = hours;

    nodes = nodes < 30 ? nodes : 30;
    hours = 13;
    struct day *day = day_begin(chance);
    live_through(day);
    uint64_t hash = day->world->hash ^ hy_sim_trace_hash(day->world->sim);
    day_end(day);
    nodes = all_nodes;
    hours = all_hours;
    return hash;
}

static void the_same_seed_gives_the_same_day(void **unused)
{
    uint64_t first = hash_of_a_short_day(seed);

    (void)unused;
    assert_true(first == hash_of_a_short_day(seed));
    assert_true(first != hash_of_a_short_day(seed + 1));
}

int main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_slot_is_filled_at_the_end_of_the_day),
        cmocka_unit_test(the_same_seed_gives_the_same_day),
    };

    if (argc > 1)
        seed = strtoull(argv[1], NULL, 10);
    if (argc > 2)
        nodes = strtoull(argv[2], NULL, 10);
    if (argc > 3)
        hours = strtoull(argv[3], NULL, 10);
    assert_true(nodes >= 10 && nodes + SEEDS <= WORLD_MAX_NODES && nodes / 10 <= MAX_LEAVERS);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
