/* scenario_loopback_test.c - real sockets on one real loop: ten nodes that start together with
 * one seed, over tcp and over tcp+tls; and the start that cannot bind. */
#include "p2p/p2p.h"
#include "scenario/chat.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <cmocka.h>

#define NODES       10
#define WANTED      8 /* peers */
#define PATIENCE_MS 20000

struct place {
    struct hypha_loop *loop;
    const char *scheme;
    struct hypha_p2p *seed, *nodes[NODES];
    struct chat chats[NODES];
    struct hy_timer patience;
    uint64_t began_us, ready_us;
    unsigned running;
    bool late;
};

static void ok(enum hypha_err err)
{
    assert_string_equal(hypha_err_name(err), "OK");
}

static struct hypha_settings *basic(const char *scheme, const char *inbound)
{
    struct hypha_settings *settings = NULL;

    ok(hypha_settings_create(&settings));
    ok(hypha_settings_set_text(settings, HYPHA_KEY_APP_NAME, "loopback"));
    ok(hypha_settings_set_text(settings, HYPHA_KEY_APP_VERSION, "1.0.0"));
    ok(hypha_settings_set_flag(settings, HYPHA_KEY_LOCALNET, true));
    ok(hypha_settings_add_profile(settings, scheme));
    ok(hypha_settings_add_active_profile(settings, scheme));
    ok(hypha_settings_add_url(settings, NULL, HYPHA_LIST_INBOUND, inbound));
    return settings;
}

static void on_stopped(struct hypha_p2p *p2p, enum hypha_err why, void *user)
{
    struct place *place = user;

    (void)p2p;
    assert_int_equal(why, HYPHA_OK);
    place->running--;
}

static void stop_all(struct place *place)
{
    hy_timer_stop(&place->patience);
    for (size_t i = 0; i < NODES; i++)
        hypha_p2p_stop(place->nodes[i]);
    hypha_p2p_stop(place->seed);
}

static void on_late(void *user)
{
    struct place *place = user;

    place->late = true;
    for (size_t i = 0; i < NODES; i++)
        print_message("node %zu: %zu peers\n", i, hypha_p2p_peers_count(place->nodes[i]));
    stop_all(place);
}

static void on_event(const struct hypha_event *event, void *user)
{
    struct place *place = user;

    if (event->type != HYPHA_EVENT_CHANNEL_REGISTERED || place->ready_us != 0)
        return;
    for (size_t i = 0; i < NODES; i++) {
        if (hypha_p2p_peers_count(place->nodes[i]) < WANTED)
            return;
    }
    place->ready_us = hy_now_us(place->loop);
    stop_all(place);
}

static void add_node(struct place *place, size_t index, const char *seed_url)
{
    char inbound[64];
    (void)snprintf(inbound, sizeof(inbound), "%s://127.0.0.1:0", place->scheme);
    struct hypha_settings *settings = basic(place->scheme, inbound);

    ok(hypha_settings_add_url(settings, NULL, HYPHA_LIST_EXTERNAL_ADDRS, inbound));
    ok(hypha_settings_add_url(settings, NULL, HYPHA_LIST_SEEDS, seed_url));
    enum hypha_err err = hypha_p2p_create(place->loop, settings, &place->nodes[index]);
    if (err != HYPHA_OK)
        print_message("%s\n", hypha_settings_why(settings));
    ok(err);
    hypha_settings_destroy(settings);
    ok(hypha_p2p_register(place->nodes[index], &chat_protocol, &place->chats[index]));
    ok(hypha_p2p_subscribe_events(place->nodes[index], on_event, place));
}

static void on_seed_started(struct hypha_p2p *seed, void *user)
{
    struct place *place = user;
    const char *seed_url = hypha_url_text(hypha_p2p_listen_addr(seed, 0));

    for (size_t i = 0; i < NODES; i++)
        add_node(place, i, seed_url);
    place->began_us = hy_now_us(place->loop);
    for (size_t i = 0; i < NODES; i++) {
        ok(hypha_p2p_start(place->nodes[i], NULL, on_stopped, place));
        place->running++;
    }
    hy_timer_start(&place->patience, PATIENCE_MS);
}

static void meet(const char *scheme)
{
    struct place place = { .scheme = scheme };
    char inbound[64];

    (void)snprintf(inbound, sizeof(inbound), "%s://127.0.0.1:0", scheme);
    ok(hypha_loop_create(&place.loop));
    hy_timer_init(&place.patience, place.loop, on_late, &place);
    struct hypha_settings *settings = basic(scheme, inbound);
    ok(hypha_settings_set_number(settings, HYPHA_KEY_OUTBOUND_CONNECTIONS, 0));
    ok(hypha_settings_set_number(settings, HYPHA_KEY_INBOUND_CONNECTIONS, 512));
    ok(hypha_settings_set_flag(settings, HYPHA_KEY_PROBE_ANNOUNCED, true));
    ok(hypha_p2p_create(place.loop, settings, &place.seed));
    hypha_settings_destroy(settings);
    place.running = 1;
    ok(hypha_p2p_start(place.seed, on_seed_started, on_stopped, &place));
    ok(hypha_loop_run(place.loop));

    assert_false(place.late);
    assert_int_equal(place.running, 0);
    print_message("%s: %d peers each after %.1f ms\n", scheme, WANTED,
        (double)(place.ready_us - place.began_us) / 1000);
    for (size_t i = 0; i < NODES; i++) {
        assert_int_equal(hy_p2p_leftovers(place.nodes[i]), 0);
        assert_int_equal(place.chats[i].started <= place.chats[i].stopped, true);
        hypha_p2p_destroy(place.nodes[i]);
    }
    assert_int_equal(hy_p2p_leftovers(place.seed), 0);
    hypha_p2p_destroy(place.seed);
    hypha_loop_destroy(place.loop);
}

static void ten_nodes_meet_over_tcp(void **unused)
{
    (void)unused;
    meet("tcp");
}

static void ten_nodes_meet_over_tls(void **unused)
{
    (void)unused;
    meet("tcp+tls");
}

static void keep_why(struct hypha_p2p *p2p, enum hypha_err why, void *user)
{
    enum hypha_err *ret_why = user;

    assert_int_equal(hy_p2p_leftovers(p2p), 0);
    assert_null(hypha_p2p_listen_addr(p2p, 0));
    *ret_why = why;
}

struct bind_twice {
    struct hypha_loop *loop;
    struct hypha_p2p *first, *second;
    enum hypha_err first_why, second_why;
};

static void on_first_stopped(struct hypha_p2p *p2p, enum hypha_err why, void *user)
{
    struct bind_twice *test = user;

    keep_why(p2p, why, &test->first_why);
}

static void on_second_stopped(struct hypha_p2p *p2p, enum hypha_err why, void *user)
{
    struct bind_twice *test = user;

    keep_why(p2p, why, &test->second_why);
    hypha_p2p_stop(test->first);
}

static void on_first_started(struct hypha_p2p *first, void *user)
{
    struct bind_twice *test = user;
    const char *taken = hypha_url_text(hypha_p2p_listen_addr(first, 0));
    struct hypha_settings *settings = basic("tcp", "tcp://127.0.0.1:0");

    /* The first of two listeners can be bound: it is closed again. */
    ok(hypha_settings_add_url(settings, NULL, HYPHA_LIST_INBOUND, taken));
    ok(hypha_settings_add_url(settings, NULL, HYPHA_LIST_PEERS, taken));
    ok(hypha_p2p_create(test->loop, settings, &test->second));
    hypha_settings_destroy(settings);
    ok(hypha_p2p_start(test->second, NULL, on_second_stopped, test));
}

/* No SO_REUSEPORT: the second node is told. spec: network.md 2.2, 6.2 */
static void a_taken_port_is_the_starts_error(void **unused)
{
    struct bind_twice test = { .first_why = HYPHA_ERR_STATE };
    struct hypha_settings *settings = basic("tcp", "tcp://127.0.0.1:0");

    (void)unused;
    ok(hypha_loop_create(&test.loop));
    ok(hypha_p2p_create(test.loop, settings, &test.first));
    hypha_settings_destroy(settings);
    ok(hypha_p2p_start(test.first, on_first_started, on_first_stopped, &test));
    ok(hypha_loop_run(test.loop));
    assert_int_equal(test.first_why, HYPHA_OK);
    assert_int_equal(test.second_why, HYPHA_ERR_ADDR_IN_USE);
    hypha_p2p_destroy(test.second);
    hypha_p2p_destroy(test.first);
    hypha_loop_destroy(test.loop);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(ten_nodes_meet_over_tcp),
        cmocka_unit_test(ten_nodes_meet_over_tls),
        cmocka_unit_test(a_taken_port_is_the_starts_error),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
