/* inbound_limit_test.c - two per address, one a second per group; hostile numbers of both.
 * spec: network.md 10 */
#include "channel/inbound_limit.h"

#include "base/alloc.h"
#include "fakes/fake_node.h"

#include <setjmp.h>
#include <stdarg.h>
#include <cmocka.h>

struct gate {
    struct hy_sim *sim;
    struct hy_inbound_limit *limit;
    struct hy_inbound_ticket held[64];
    size_t count;
    bool localnet;
};

static void gate_open(struct gate *gate)
{
    *gate = (struct gate){ 0 };
    must(hy_sim_create(1, &gate->sim));
    must(hy_inbound_limit_create(hy_sim_loop(gate->sim), &gate->limit));
}

static void gate_close(struct gate *gate)
{
    for (size_t i = 0; i < gate->count; i++)
        hy_inbound_ticket_release(&gate->held[i]);
    hy_inbound_limit_destroy(gate->limit);
    hy_sim_destroy(gate->sim);
}

static enum hypha_err ask(struct gate *gate, const char *from, struct hy_inbound_ticket *ret_ticket)
{
    struct hypha_url *url = fake_url(from);
    enum hypha_err err = hy_inbound_limit_take(gate->limit, url, gate->localnet, ret_ticket);

    hypha_url_unref(url);
    return err;
}

/* Comes and stays. */
static enum hypha_err come(struct gate *gate, const char *from)
{
    enum hypha_err err = ask(gate, from, &gate->held[gate->count]);

    gate->count += err == HYPHA_OK ? 1 : 0;
    return err;
}

/* Comes and goes at once. */
static enum hypha_err visit(struct gate *gate, const char *from)
{
    struct hy_inbound_ticket ticket = { 0 };
    enum hypha_err err = ask(gate, from, &ticket);

    hy_inbound_ticket_release(&ticket);
    return err;
}

/* spec: network.md MUST 10-b: 2 per IPv4 address */
static void two_per_ipv4_address(void **unused)
{
    struct gate gate;

    (void)unused;
    gate_open(&gate);
    must(come(&gate, "tcp://44.1.0.1:5000"));
    must(come(&gate, "tcp+tls://44.1.0.1:5001")); /* whatever the scheme */
    assert_int_equal(come(&gate, "tcp://44.1.0.1:5002"), HYPHA_ERR_LIMIT);
    assert_int_equal(come(&gate, "tcp://[::ffff:44.1.0.1]:5002"), HYPHA_ERR_LIMIT);
    must(come(&gate, "tcp://44.1.0.2:5000"));
    hy_sim_run_for(gate.sim, 3600000); /* a number, not a rate */
    assert_int_equal(come(&gate, "tcp://44.1.0.1:5003"), HYPHA_ERR_LIMIT);
    hy_inbound_ticket_release(&gate.held[0]);
    hy_inbound_ticket_release(&gate.held[0]); /* the second time is nothing */
    must(come(&gate, "tcp://44.1.0.1:5004"));
    assert_int_equal(come(&gate, "tcp://44.1.0.1:5005"), HYPHA_ERR_LIMIT);
    gate_close(&gate);
}

/* spec: network.md MUST 10-b: 2 per IPv6 /64 */
static void two_per_ipv6_64(void **unused)
{
    struct gate gate;

    (void)unused;
    gate_open(&gate);
    must(come(&gate, "tcp://[2600:1:2:3::1]:5000"));
    must(come(&gate, "tcp://[2600:1:2:3:ffff:ffff:ffff:ffff]:5000"));
    assert_int_equal(come(&gate, "tcp://[2600:1:2:3::3]:5000"), HYPHA_ERR_LIMIT);
    must(come(&gate, "tcp://[2600:1:2:4::3]:5000"));
    gate_close(&gate);
}

/* spec: network.md MUST 10-c: 1 new/s per group, burst 8 */
static void one_a_second_per_group_after_eight(void **unused)
{
    struct gate gate;
    char from[64];

    (void)unused;
    gate_open(&gate);
    for (unsigned i = 0; i < 12; i++) {
        (void)snprintf(from, sizeof from, "tcp://44.1.%u.1:5000", i);
        assert_int_equal(visit(&gate, from), i < 8 ? HYPHA_OK : HYPHA_ERR_LIMIT);
    }
    must(visit(&gate, "tcp://44.2.0.1:5000")); /* another group */
    hy_sim_run_for(gate.sim, 999);
    assert_int_equal(visit(&gate, "tcp://44.1.9.1:5000"), HYPHA_ERR_LIMIT);
    hy_sim_run_for(gate.sim, 1);
    must(visit(&gate, "tcp://44.1.9.1:5000"));
    assert_int_equal(visit(&gate, "tcp://44.1.9.1:5000"), HYPHA_ERR_LIMIT);
    hy_sim_run_for(gate.sim, 3600000); /* no more than eight are ever saved up */
    for (unsigned i = 0; i < 12; i++) {
        (void)snprintf(from, sizeof from, "tcp://44.1.%u.1:5000", i);
        assert_int_equal(visit(&gate, from), i < 8 ? HYPHA_OK : HYPHA_ERR_LIMIT);
    }
    gate_close(&gate);
}

/* A day of one peer each 700 ms: exactly one a second gets in, and those eight. */
static void the_rate_is_exact(void **unused)
{
    struct gate gate;
    unsigned inside = 0;

    (void)unused;
    gate_open(&gate);
    for (uint64_t at = 0; at < 86400000; at += 700) {
        inside += visit(&gate, "tcp://44.1.0.1:5000") == HYPHA_OK;
        hy_sim_run_for(gate.sim, 700);
    }
    assert_in_range(inside, 86400 + 7, 86400 + 8);
    gate_close(&gate);
}

/* One machine that opens a thousand sockets costs its neighbours nothing. */
static void who_is_kept_out_by_address_costs_the_group_nothing(void **unused)
{
    struct gate gate;

    (void)unused;
    gate_open(&gate);
    must(come(&gate, "tcp://44.1.0.1:1"));
    must(come(&gate, "tcp://44.1.0.1:2"));
    for (unsigned i = 0; i < 1000; i++)
        assert_int_equal(come(&gate, "tcp://44.1.0.1:3"), HYPHA_ERR_LIMIT);
    for (unsigned i = 0; i < 6; i++)
        must(visit(&gate, "tcp://44.1.0.2:1"));
    assert_int_equal(visit(&gate, "tcp://44.1.0.2:1"), HYPHA_ERR_LIMIT);
    gate_close(&gate);
}

/* spec: network.md MUST 10-c: not localnet, not loopback proxies */
static void localnet_and_proxies_are_exempt(void **unused)
{
    static const char *const proxies[] = { "tcp://127.0.0.1:5000", "tcp://[::1]:5000",
        "tcp://127.9.9.9:5000", "unix:///tmp/socket" };
    struct gate gate;

    (void)unused;
    gate_open(&gate);
    for (size_t p = 0; p < sizeof proxies / sizeof proxies[0]; p++)
        for (unsigned i = 0; i < 10; i++)
            must(come(&gate, proxies[p]));
    gate.localnet = true;
    for (unsigned i = 0; i < 10; i++)
        must(come(&gate, "tcp://10.0.0.1:5000"));
    assert_int_equal(hy_inbound_limit_groups(gate.limit), 0);
    gate.localnet = false;
    must(come(&gate, "tcp://10.0.0.1:5000")); /* a private network is one as others */
    must(come(&gate, "tcp://10.0.0.1:5000"));
    assert_int_equal(come(&gate, "tcp://10.0.0.1:5000"), HYPHA_ERR_LIMIT);
    gate_close(&gate);
}

/* Addresses are free for him: memory is not, and who was seen lately is remembered. */
static void hostile_numbers_of_groups(void **unused)
{
    struct gate gate;
    char from[64];

    (void)unused;
    gate_open(&gate);
    for (unsigned i = 0; i < 20000; i++) {
        (void)snprintf(from, sizeof from, "tcp://[2600:%x::1]:5000", i);
        must(visit(&gate, from));
        assert_true(hy_inbound_limit_groups(gate.limit) <= HY_INBOUND_MAX_GROUPS);
    }
    for (unsigned i = 0; i < 7; i++)
        must(visit(&gate, "tcp://[2600:4e1f::2]:5000"));
    assert_int_equal(visit(&gate, "tcp://[2600:4e1f::2]:5000"), HYPHA_ERR_LIMIT);
    hy_sim_run_for(gate.sim, 8000); /* then all buckets are full: nothing to remember */
    must(visit(&gate, "tcp://[2601::1]:5000"));
    assert_int_equal(hy_inbound_limit_groups(gate.limit), 1);
    gate_close(&gate);
}

static void memory_runs_out(void **unused)
{
    (void)unused;
    for (size_t n = 0;; n++) {
        struct gate gate;
        enum hypha_err err;

        gate_open(&gate);
        must(come(&gate, "tcp://44.2.0.1:1"));
        struct hypha_url *url = fake_url("tcp://44.1.0.1:1");
        hy_alloc_fail_once(n);
        err = hy_inbound_limit_take(gate.limit, url, false, &gate.held[1]);
        hy_alloc_fail_after(SIZE_MAX);
        assert_true(err == HYPHA_OK || err == HYPHA_ERR_NOMEM);
        hy_inbound_ticket_release(&gate.held[1]);
        must(come(&gate, "tcp://44.1.0.1:1"));
        must(come(&gate, "tcp://44.1.0.1:1"));
        assert_int_equal(come(&gate, "tcp://44.1.0.1:1"), HYPHA_ERR_LIMIT);
        hypha_url_unref(url);
        gate_close(&gate);
        if (err == HYPHA_OK) {
            assert_true(n > 0);
            break;
        }
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(two_per_ipv4_address),
        cmocka_unit_test(two_per_ipv6_64),
        cmocka_unit_test(one_a_second_per_group_after_eight),
        cmocka_unit_test(the_rate_is_exact),
        cmocka_unit_test(who_is_kept_out_by_address_costs_the_group_nothing),
        cmocka_unit_test(localnet_and_proxies_are_exempt),
        cmocka_unit_test(hostile_numbers_of_groups),
        cmocka_unit_test(memory_runs_out),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
