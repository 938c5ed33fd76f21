/* sim_host_test.c - hosts that are silent, down, swallowed or cut off, and wires that are lost. */
#include "sim/sim_fixture.h"

static void a_silent_host_takes_all_and_answers_nothing(void **state)
{
    struct end end;

    (void)state;
    assert_int_equal(hy_sim_set_host(sim, B, HY_SIM_HOST_SILENT), HYPHA_OK);
    dial(&end, 0, "tcp://" B ":1");
    hy_sim_run_for(sim, 100);
    assert_true(end.is_ready);
    assert_int_equal(send_bytes(&end, 100000), 64 * 1024);
    hy_sim_run_for(sim, 3600000);
    assert_int_equal(end.bytes, 0);
    assert_false(end.ended);
    assert_int_equal(end.writables, 0);
    end_close(&end);
}

static void a_host_that_goes_down_resets_and_refuses(void **state)
{
    struct door door;
    struct end end;
    struct end refused;
    struct end own;

    (void)state;
    connect_two(&door, &end);
    assert_int_equal(hy_sim_set_host(sim, B, HY_SIM_HOST_DOWN), HYPHA_OK);
    dial(&refused, 0, "tcp://" B ":9000");
    dial(&own, 1, "tcp://" A ":9000");
    hy_sim_run_for(sim, 100);
    assert_int_equal(end.why, HYPHA_ERR_RESET);
    assert_int_equal(door.ends[0].why, HYPHA_ERR_RESET);
    assert_int_equal(refused.why, HYPHA_ERR_REFUSED);
    assert_int_equal(own.why, HYPHA_ERR_UNREACHABLE);
    end_close(&refused);
    assert_int_equal(hy_sim_set_host(sim, B, HY_SIM_HOST_UP), HYPHA_OK);
    dial(&refused, 0, "tcp://" B ":9000");
    hy_sim_run_for(sim, 100);
    assert_true(refused.is_ready);
    end_close(&refused);
    end_close(&own);
    end_close(&end);
    door_close(&door);
}

static void a_black_hole_keeps_all_until_it_opens(void **state)
{
    struct door door;
    struct end end;
    struct end late;

    (void)state;
    connect_two(&door, &end);
    assert_int_equal(hy_sim_set_host(sim, B, HY_SIM_HOST_BLACKHOLE), HYPHA_OK);
    assert_int_equal(send_bytes(&end, 10), 10);
    dial(&late, 0, "tcp://" B ":9000");
    hy_sim_run_for(sim, 60000);
    assert_int_equal(door.ends[0].bytes, 0);
    assert_false(late.is_ready || late.ended || end.ended);
    assert_int_equal(hy_sim_set_host(sim, B, HY_SIM_HOST_UP), HYPHA_OK);
    hy_sim_run_for(sim, 2000);
    assert_int_equal(door.ends[0].bytes, 10);
    assert_true(late.is_ready);
    end_close(&late);
    end_close(&end);
    door_close(&door);
}

static int group_of(void *user, const struct hy_ip *ip)
{
    (void)user;
    return ip->bytes[3] == 1;
}

static void a_partition_holds_until_healed(void **state)
{
    struct door door;
    struct end end;
    struct end across;
    struct end beside;

    (void)state;
    connect_two(&door, &end);
    hy_sim_partition(sim, group_of, NULL);
    assert_int_equal(send_bytes(&end, 10), 10);
    dial(&across, 0, "tcp://" B ":9000");
    dial(&beside, 2, "tcp://" B ":9000");
    hy_sim_run_for(sim, 30000);
    assert_int_equal(door.ends[0].bytes, 0);
    assert_false(across.is_ready || across.ended);
    assert_true(beside.is_ready);
    end_close(&end); /* its FIN waits too */
    hy_sim_run_for(sim, 30000);
    assert_false(door.ends[0].ended);
    hy_sim_heal(sim);
    hy_sim_run_for(sim, 2000);
    assert_int_equal(door.ends[0].bytes, 10);
    assert_int_equal(door.ends[0].why, HYPHA_ERR_EOF);
    assert_true(across.is_ready);

    assert_int_equal(hy_sim_set_group(sim, C, 5), HYPHA_OK);
    assert_int_equal(send_bytes(&beside, 10), 10);
    hy_sim_run_for(sim, 2000);
    assert_int_equal(door.ends[1].bytes, 0);
    end_close(&across);
    end_close(&beside);
    door_close(&door);
}

static void a_cut_resets_the_wires_of_a_pair(void **state)
{
    struct door door;
    struct end end;
    struct end other;

    (void)state;
    connect_two(&door, &end);
    dial(&other, 2, "tcp://" B ":9000");
    hy_sim_run_for(sim, 100);
    assert_int_equal(send_bytes(&end, 10), 10);
    assert_int_equal(hy_sim_cut(sim, B, A), 1);
    assert_int_equal(hy_sim_cut(sim, B, A), 0);
    assert_false(end.ended);
    hy_sim_run_for(sim, 100);
    assert_int_equal(end.why, HYPHA_ERR_RESET);
    assert_int_equal(door.ends[0].why, HYPHA_ERR_RESET);
    assert_int_equal(door.ends[0].bytes, 0); /* lost with the wire */
    assert_false(other.ended);
    end_close(&end);
    end_close(&other);
    door_close(&door);
}

static void wires_are_lost_at_the_given_rate(void **state)
{
    struct hy_sim_link bad = steady;
    struct door door;
    int lost = 0;

    (void)state;
    bad.loss_ppm = 100000; /* one in ten per minute: 35 % survive ten minutes */
    hy_sim_set_links(sim, &bad);
    assert_int_equal(door_open(&door, 1, "tcp://" B ":9000"), HYPHA_OK);
    for (int i = 0; i < 200; i++) {
        struct end end;

        dial(&end, 0, "tcp://" B ":9000");
        hy_sim_run_for(sim, 600000);
        assert_true(end.is_ready);
        lost += end.ended;
        end_close(&end);
        end_close(&door.ends[0]);
        door.count = 0;
    }
    assert_in_range(lost, 105, 155); /* 130 expected, deviation 7 */
    door_close(&door);
}

static void what_is_left_goes_with_the_sim(void **state)
{
    struct door door;
    struct end ends[3];

    (void)state;
    connect_two(&door, &ends[0]);
    hy_listener_pause(door.listener);
    dial(&ends[1], 2, "tcp://" B ":9000");
    hy_sim_run_for(sim, 100);
    assert_int_equal(send_bytes(&ends[0], 1000), 1000);
    dial(&ends[2], 2, "tcp://name.example:9000");
    /* tear_down would see them open */
    for (size_t i = 0; i < 4; i++)
        hy_transport_destroy(transports[i]);
    hy_sim_destroy(sim);
    assert_int_equal(set_up(NULL), 0);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
    const struct CMUnitTest tests[] = {
        TEST(a_silent_host_takes_all_and_answers_nothing),
        TEST(a_host_that_goes_down_resets_and_refuses),
        TEST(a_black_hole_keeps_all_until_it_opens),
        TEST(a_partition_holds_until_healed),
        TEST(a_cut_resets_the_wires_of_a_pair),
        TEST(wires_are_lost_at_the_given_rate),
        TEST(what_is_left_goes_with_the_sim),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
