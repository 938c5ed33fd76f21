/* sim_net_test.c - what simulated wires and listeners do. What every transport must do is in
 * tests/conformance; what happens to whole hosts, in sim_host_test.c. */
#include "sim/sim_fixture.h"

/* ---- wires ---- */

static void a_dial_takes_a_round_trip(void **state)
{
    struct door door;
    struct end end;

    (void)state;
    connect_two(&door, &end);
    assert_int_equal(door.ends[0].ready_ms, 30);
    assert_int_equal(end.ready_ms, 60);
    assert_string_equal(door.peer, "tcp://" A ":32768/");
    assert_int_equal(hy_sim_stream_count(sim), 2);
    assert_int_equal(hy_sim_listener_count(sim), 1);
    end_close(&end);
    door_close(&door);
}

static void bytes_take_the_latency_and_eof_comes_behind_them(void **state)
{
    struct door door;
    struct end end;

    (void)state;
    connect_two(&door, &end);
    assert_int_equal(send_bytes(&end, 5000), 5000);
    end_close(&end);
    hy_sim_run_for(sim, 100);
    assert_int_equal(door.ends[0].first_read_ms, 130);
    assert_int_equal(door.ends[0].bytes, 5000);
    assert_int_equal(door.ends[0].reads, 1); /* not cut */
    assert_true(door.ends[0].ended);
    assert_int_equal(door.ends[0].why, HYPHA_ERR_EOF);
    assert_int_equal(door.ends[0].end_ms, 130);
    door_close(&door);
}

static void reads_are_cut_at_random_places(void **state)
{
    struct hy_sim_link cutting = steady;
    struct door door;
    struct end end;

    (void)state;
    cutting.cut_percent = 90;
    hy_sim_set_links(sim, &cutting);
    connect_two(&door, &end);
    assert_int_equal(send_bytes(&end, 50000), 50000);
    hy_sim_run_for(sim, 100);
    assert_int_equal(door.ends[0].bytes, 50000);
    assert_true(door.ends[0].reads > 3);
    assert_int_equal(door.ends[0].last_read_ms, 130);
    end_close(&end);
    door_close(&door);
}

static void a_paused_reader_blocks_the_writer(void **state)
{
    struct door door;
    struct end end;

    (void)state;
    connect_two(&door, &end);
    hy_stream_read_stop(door.ends[0].stream);
    assert_int_equal(send_bytes(&end, 100000), 64 * 1024);
    assert_int_equal(send_bytes(&end, 1), 0);
    hy_sim_run_for(sim, 3600000);
    assert_int_equal(end.writables, 0);
    hy_stream_read_start(door.ends[0].stream);
    hy_sim_run_for(sim, 1000);
    assert_int_equal(end.writables, 1);
    assert_int_equal(door.ends[0].bytes, 64 * 1024);
    assert_int_equal(send_bytes(&end, 1), 1);
    end_close(&end);
    door_close(&door);
}

static void bandwidth_takes_its_time(void **state)
{
    struct hy_sim_link thin = steady;
    struct door door;
    struct end end;

    (void)state;
    thin.bandwidth = 10000;
    hy_sim_set_links(sim, &thin);
    connect_two(&door, &end);
    assert_int_equal(send_bytes(&end, 50000), 50000); /* 5 s, from 0.1 s on */
    hy_sim_run_for(sim, 10000);
    assert_int_equal(door.ends[0].bytes, 50000);
    assert_int_equal(door.ends[0].last_read_ms, 5130);
    assert_true(door.ends[0].reads >= 4); /* it does not come in one lump */
    end_close(&end);
    door_close(&door);
}

static void latency_is_drawn_per_pair_and_stays(void **state)
{
    struct hy_sim_link wide = steady;
    struct door door;
    uint64_t times[2];

    (void)state;
    wide.latency_min_ms = 10;
    wide.latency_max_ms = 1000;
    hy_sim_set_links(sim, &wide);
    assert_int_equal(door_open(&door, 1, "tcp://" B ":9000"), HYPHA_OK);
    for (int i = 0; i < 2; i++) {
        struct end end;
        uint64_t begin_ms = elapsed_ms();

        dial(&end, 0, "tcp://" B ":9000");
        hy_sim_run_for(sim, 5000);
        assert_true(end.is_ready);
        times[i] = end.ready_ms - begin_ms;
        end_close(&end);
    }
    assert_in_range(times[0], 20, 2000);
    assert_int_equal(times[0], times[1]);
    door_close(&door);
}

static void one_pair_may_have_its_own_link(void **state)
{
    struct hy_sim_link near = { .latency_min_ms = 1, .latency_max_ms = 1, .buffer_bytes = 1000 };
    struct door door;
    struct end end;
    struct end other;

    (void)state;
    assert_int_equal(hy_sim_set_link(sim, B, A, &near), HYPHA_OK);
    assert_int_equal(hy_sim_set_link(sim, B, "x", &near), HYPHA_ERR_INVALID);
    assert_int_equal(door_open(&door, 1, "tcp://" B ":9000"), HYPHA_OK);
    dial(&end, 0, "tcp://" B ":9000");
    dial(&other, 2, "tcp://" B ":9000");
    hy_sim_run_for(sim, 100);
    assert_int_equal(end.ready_ms, 2);
    assert_int_equal(other.ready_ms, 60);
    assert_int_equal(send_bytes(&end, 5000), 1000);
    end_close(&end);
    end_close(&other);
    door_close(&door);
}

static void writing_to_one_that_closed_is_a_reset(void **state)
{
    struct door door;
    struct end end;

    (void)state;
    connect_two(&door, &end);
    hy_stream_read_stop(end.stream);
    end_close(&door.ends[0]);
    door.count = 0;
    hy_sim_run_for(sim, 100);
    assert_false(end.ended); /* the EOF is not read */
    assert_int_equal(send_bytes(&end, 10), 10);
    hy_sim_run_for(sim, 100);
    assert_true(end.ended);
    assert_int_equal(end.why, HYPHA_ERR_RESET);
    end_close(&end);
    door_close(&door);
}

/* ---- dials that fail ---- */

static void nobody_listens(void **state)
{
    struct end end;
    struct end stranger;

    (void)state;
    dial(&end, 0, "tcp://" B ":9000");
    dial(&stranger, 0, "tcp://203.0.113.9:9000");
    hy_sim_run_for(sim, 100);
    assert_true(end.ended);
    assert_int_equal(end.why, HYPHA_ERR_REFUSED);
    assert_int_equal(end.end_ms, 60);
    assert_int_equal(stranger.why, HYPHA_ERR_REFUSED);
    end_close(&end);
    end_close(&stranger);
}

static void the_other_family_is_unreachable(void **state)
{
    struct end end;

    (void)state;
    dial(&end, 0, "tcp://[2001:db8::1]:9000");
    hy_sim_run_for(sim, 100);
    assert_int_equal(end.why, HYPHA_ERR_UNREACHABLE);
    end_close(&end);
}

static void all_addresses_of_a_name_are_tried(void **state)
{
    struct door door;
    struct end end;

    (void)state;
    assert_int_equal(hy_sim_add_name(sim, "b.example", "2001:db8::1"), HYPHA_OK);
    assert_int_equal(hy_sim_add_name(sim, "b.example", C), HYPHA_OK);
    assert_int_equal(hy_sim_add_name(sim, "b.example", B), HYPHA_OK);
    assert_int_equal(door_open(&door, 1, "tcp://" B ":9000"), HYPHA_OK);
    dial(&end, 0, "tcp://b.example:9000");
    hy_sim_run_for(sim, 1000);
    assert_true(end.is_ready);
    assert_int_equal(door.count, 1);
    end_close(&end);
    door_close(&door);
}

static void a_scheme_meets_its_own_only(void **state)
{
    struct hy_transport *tls = NULL;
    struct hypha_url *url = url_of("tcp+tls://" B ":9000");
    struct door door;
    struct end end = { 0 };

    (void)state;
    assert_int_equal(hy_sim_transport_create(sim, "tcp+tls", A, &tls), HYPHA_OK);
    assert_int_equal(
        transports[0]->ops->dial(transports[0], url, &end.stream), HYPHA_ERR_UNSUPPORTED_TRANSPORT);
    assert_int_equal(door_open(&door, 1, "tcp://" B ":9000"), HYPHA_OK);
    assert_int_equal(tls->ops->dial(tls, url, &end.stream), HYPHA_OK);
    hy_stream_set_events(end.stream, &end_events, &end);
    hy_sim_run_for(sim, 100);
    assert_int_equal(end.why, HYPHA_ERR_TLS);
    end_close(&end);
    door_close(&door);
    hypha_url_unref(url);
    hy_transport_destroy(tls);
}

/* ---- listening ---- */

static void a_host_listens_on_its_own_addresses(void **state)
{
    static const struct {
        const char *url;
        enum hypha_err err;
    } table[] = {
        { "tcp://" B ":9000", HYPHA_OK },
        { "tcp://0.0.0.0:9001", HYPHA_OK },
        { "tcp://127.0.0.1:9002", HYPHA_OK },
        { "tcp://" B ":0", HYPHA_OK },
        { "tcp://" A ":9003", HYPHA_ERR_ADDR_NOT_AVAILABLE },
        { "tcp://[::]:9003", HYPHA_ERR_ADDR_NOT_AVAILABLE },
    };

    (void)state;
    for (size_t i = 0; i < sizeof table / sizeof *table; i++) {
        struct door door;

        assert_int_equal(door_open(&door, 1, table[i].url), table[i].err);
        if (table[i].err == HYPHA_OK)
            assert_int_not_equal(hypha_url_port(door.listener->url), 0);
        else
            assert_null(door.listener);
        door_close(&door);
    }
}

static void a_port_has_one_listener(void **state)
{
    struct door door;
    struct door other;

    (void)state;
    assert_int_equal(door_open(&door, 1, "tcp://" B ":9000"), HYPHA_OK);
    assert_int_equal(door_open(&other, 1, "tcp://0.0.0.0:9000"), HYPHA_ERR_ADDR_IN_USE);
    assert_int_equal(door_open(&other, 2, "tcp://0.0.0.0:9000"), HYPHA_OK);
    door_close(&other);
    door_close(&door);
    assert_int_equal(door_open(&door, 1, "tcp://" B ":9000"), HYPHA_OK);
    door_close(&door);
}

static void loopback_is_for_the_host_itself(void **state)
{
    struct door door;
    struct end inside;
    struct end outside;

    (void)state;
    assert_int_equal(door_open(&door, 1, "tcp://127.0.0.1:9000"), HYPHA_OK);
    dial(&inside, 1, "tcp://127.0.0.1:9000");
    dial(&outside, 0, "tcp://" B ":9000");
    hy_sim_run_for(sim, 100);
    assert_true(inside.is_ready);
    assert_int_equal(inside.ready_ms, 0);
    assert_int_equal(outside.why, HYPHA_ERR_REFUSED);
    end_close(&inside);
    end_close(&outside);
    door_close(&door);
}

static void a_paused_listener_leaves_them_in_the_backlog(void **state)
{
    struct door door;
    struct end ends[3];

    (void)state;
    hy_sim_set_backlog(sim, 2);
    assert_int_equal(door_open(&door, 1, "tcp://" B ":9000"), HYPHA_OK);
    hy_listener_pause(door.listener);
    for (int i = 0; i < 3; i++)
        dial(&ends[i], 0, "tcp://" B ":9000");
    hy_sim_run_for(sim, 5000);
    assert_int_equal(door.count, 0);
    assert_true(ends[0].is_ready && ends[1].is_ready); /* as far as TCP can tell */
    assert_false(ends[2].is_ready || ends[2].ended);
    assert_int_equal(send_bytes(&ends[0], 100), 100);
    hy_listener_resume(door.listener);
    hy_sim_run_for(sim, 2000);
    assert_int_equal(door.count, 3);
    assert_true(ends[2].is_ready);
    assert_int_equal(door.ends[0].bytes, 100);
    for (int i = 0; i < 3; i++)
        end_close(&ends[i]);
    door_close(&door);
}

static void closing_a_listener_resets_its_backlog_only(void **state)
{
    struct door door;
    struct end accepted;
    struct end waiting;
    struct end given_up;

    (void)state;
    connect_two(&door, &accepted);
    hy_listener_pause(door.listener);
    dial(&waiting, 0, "tcp://" B ":9000");
    dial(&given_up, 2, "tcp://" B ":9000");
    hy_sim_run_for(sim, 100);
    end_close(&given_up);
    hy_listener_close(door.listener);
    hy_sim_run_for(sim, 100);
    assert_int_equal(waiting.why, HYPHA_ERR_RESET);
    assert_false(accepted.ended);
    door.listener = NULL;
    end_close(&waiting);
    end_close(&accepted);
    door_close(&door);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
    const struct CMUnitTest tests[] = {
        TEST(a_dial_takes_a_round_trip),
        TEST(bytes_take_the_latency_and_eof_comes_behind_them),
        TEST(reads_are_cut_at_random_places),
        TEST(a_paused_reader_blocks_the_writer),
        TEST(bandwidth_takes_its_time),
        TEST(latency_is_drawn_per_pair_and_stays),
        TEST(one_pair_may_have_its_own_link),
        TEST(writing_to_one_that_closed_is_a_reset),
        TEST(nobody_listens),
        TEST(the_other_family_is_unreachable),
        TEST(all_addresses_of_a_name_are_tried),
        TEST(a_scheme_meets_its_own_only),
        TEST(a_host_listens_on_its_own_addresses),
        TEST(a_port_has_one_listener),
        TEST(loopback_is_for_the_host_itself),
        TEST(a_paused_listener_leaves_them_in_the_backlog),
        TEST(closing_a_listener_resets_its_backlog_only),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
