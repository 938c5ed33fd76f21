#include "fakes/protocol_fixture.h"

static char tcp[] = "tcp";
static char *tcp_list[] = { tcp };

static void with_tcp(struct end *end)
{
    end->node.settings.active = (struct hy_scheme_array){ tcp_list, 1 };
}

/* spec: wire.md 5.6 */
static void asks_once_and_is_done(void **state)
{
    struct pair pair;
    struct hypha_url *url = fake_url("tcp://8.8.8.8:1000");

    (void)state;
    pair_init(&pair);
    with_tcp(&pair.here);
    with_tcp(&pair.there);
    must(hy_hosts_move(pair.there.node.net.hosts, url, HYPHA_COLOUR_WHITE, HY_HOST_FREE));
    hypha_url_unref(url);
    pair_connect(&pair, HYPHA_SESSION_SEED);
    /* no addresses of our own: no addr; the seed's ping is answered, its getaddr ignored */
    assert_int_equal(strncmp(pair.here.sent, "version verack ping getaddr ", 28), 0);
    assert_null(strstr(pair.here.sent, " addr"));
    assert_int_equal(pair.here.seeded, 1);
    assert_int_equal(pair.here.inserted, 1);
    assert_true(hypha_channel_is_stopped(pair.here.channel));
    pair_fini(&pair);
}

static void announces_itself(void **state)
{
    struct pair pair;
    struct hypha_url *own = fake_url("tcp://7.7.7.7:1000");

    (void)state;
    pair_init(&pair);
    with_tcp(&pair.there);
    pair.here.node.settings.external_addrs = (struct hy_url_array){ &own, 1 };
    hy_hosts_destroy(pair.here.node.net.hosts);
    must(hy_hosts_create(pair.here.node.loop, &pair.here.node.settings, &pair.here.node.net.hosts));
    pair_connect(&pair, HYPHA_SESSION_SEED);
    assert_int_equal(strncmp(pair.here.sent, "version verack ping addr getaddr ", 33), 0);
    assert_int_equal(pair.there.inserted, 1);
    /* an empty addr is an answer too: wire.md 7, trap 8 */
    assert_int_equal(pair.here.seeded, 1);
    assert_int_equal(pair.here.inserted, 0);
    pair_fini(&pair);
    hypha_url_unref(own);
}

/* The maximum of the getaddr that is about to leave; false: none is. */
static bool asks_for(struct end *end, uint32_t *ret_max)
{
    struct hypha_reader r = hypha_reader_of(hy_span(end->stream.out, end->stream.out_len));

    while (r.rest.len > 0) {
        (void)hypha_reader_take(&r, 4);
        bool wanted = hy_span_is(hypha_reader_take_string(&r, 255), "getaddr");
        struct hypha_reader body = hypha_reader_of(hypha_reader_take_bytes(&r, 65281));

        *ret_max = hypha_reader_take_u32(&body);
        if (wanted)
            return true;
    }
    return false;
}

/* A node without slots asks its peers for 0 (wire.md 5.5); a seed that syncs with seeds (apps.md
 * 7.1) would learn nothing so. */
static void a_node_without_slots_asks_seeds_for_all(void **state)
{
    static const struct {
        bool set;
        uint32_t max, asked;
    } cases[] = { { false, 0, 255 }, { false, 8, 8 }, { true, 0, 0 }, { true, 3, 3 } };

    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct pair pair;
        uint32_t max = 0;
        bool asked = false;

        pair_init(&pair);
        pair.here.node.settings.getaddrs_max = cases[i].max;
        pair.here.node.settings.getaddrs_max_set = cases[i].set;
        must(end_dial(&pair.here, HYPHA_SESSION_SEED, "tcp://6.6.6.6:9000"));
        must(end_accept(&pair.there, "tcp://5.5.5.5:50000"));
        for (int turn = 0; turn < 6 && !asked; turn++) {
            pair_turn(&pair);
            asked = asks_for(&pair.here, &max);
            (void)fake_stream_carry(&pair.here.stream, &pair.there.stream);
            (void)fake_stream_carry(&pair.there.stream, &pair.here.stream);
        }
        assert_true(asked);
        assert_int_equal(max, cases[i].asked);
        pair_fini(&pair);
    }
}

/* spec: network.md MUST 7.6-a */
static void waits_thirty_seconds(void **state)
{
    struct pair pair;

    (void)state;
    pair_init(&pair);
    pair.there.hold = true;
    must(end_dial(&pair.here, HYPHA_SESSION_SEED, "tcp://6.6.6.6:9000"));
    must(end_accept(&pair.there, "tcp://5.5.5.5:50000"));
    pair.here.node.settings.fallback.connect_ms = 60000; /* the ping is patient */
    for (int i = 0; i < 6; i++) {
        pair_turn(&pair);
        (void)fake_stream_carry(&pair.here.stream, &pair.there.stream);
        if (pair.here.ready == 0)
            (void)fake_stream_carry(&pair.there.stream, &pair.here.stream);
    }
    assert_int_equal(pair.here.ready, 1);
    hy_sim_run_for(pair.sim, 29999);
    assert_int_equal(pair.here.stopped, 0);
    hy_sim_run_for(pair.sim, 1);
    assert_int_equal(pair.here.why, HYPHA_ERR_TIMEOUT);
    assert_int_equal(pair.here.seeded, 0);
    pair_fini(&pair);
}

static void what_comes_later_is_ignored(void **state)
{
    struct pair pair;
    struct hy_addr_out none = { NULL, 0 };

    (void)state;
    pair_init(&pair);
    must(end_dial(&pair.here, HYPHA_SESSION_SEED, "tcp://6.6.6.6:9000"));
    must(end_accept(&pair.there, "tcp://5.5.5.5:50000"));
    for (int i = 0; i < 3 && pair.here.ready == 0; i++) {
        pair_turn(&pair);
        (void)fake_stream_carry(&pair.here.stream, &pair.there.stream);
        (void)fake_stream_carry(&pair.there.stream, &pair.here.stream);
    }
    pair.here.core.on_seeded = end_on_addrs; /* one that goes on */
    for (int i = 0; i < 3; i++)
        assert_true(end_feed(&pair.here, HY_MESSAGE_ADDR, &none));
    assert_int_equal(pair.here.addrs, 1);
    pair_fini(&pair);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(asks_once_and_is_done),
        cmocka_unit_test(announces_itself),
        cmocka_unit_test(a_node_without_slots_asks_seeds_for_all),
        cmocka_unit_test(waits_thirty_seconds),
        cmocka_unit_test(what_comes_later_is_ignored),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
