#include "fakes/protocol_fixture.h"

static void both_sides_shake_hands(void **state)
{
    struct pair pair;

    (void)state;
    pair_init(&pair);
    pair_connect(&pair, HYPHA_SESSION_OUTBOUND);
    assert_int_equal(pair.here.ready, 1);
    assert_int_equal(pair.there.ready, 1);
    assert_string_equal(hypha_channel_peer_app_name(pair.here.channel), "dchatd");
    assert_string_equal(hypha_channel_peer_version(pair.here.channel), "0.4.1");
    assert_int_equal(strncmp(pair.here.sent, "version verack ", 15), 0);
    assert_null(LIST_FIRST(&pair.here.core.shaking));
    pair_fini(&pair);
}

/* spec: wire.md appendix: the frames to the bit, but for times and addresses */
static void the_version_says_what_it_should(void **state)
{
    struct pair pair;
    struct hypha_url *external = fake_url("tcp://u:p@7.7.7.7:1?x=y");

    (void)state;
    pair_init(&pair);
    pair.here.node.settings.external_addrs = (struct hy_url_array){ &external, 1 };
    hy_hosts_destroy(pair.here.node.net.hosts);
    must(hy_hosts_create(pair.here.node.loop, &pair.here.node.settings, &pair.here.node.net.hosts));
    must(end_dial(&pair.here, HYPHA_SESSION_OUTBOUND, "tcp://6.6.6.6:9000"));
    pair_turn(&pair); /* at once, without hearing anything: wire.md 7, trap 5 */

    struct hypha_reader frame = hypha_reader_of(
        hy_span(pair.here.stream.out, pair.here.stream.out_len));
    struct hy_version version = { 0 };
    (void)hypha_reader_take(&frame, 4);
    assert_true(hy_span_is(hypha_reader_take_string(&frame, 255), "version"));
    struct hypha_reader body = hypha_reader_of(hypha_reader_take_bytes(&frame, 2043));
    hy_core_messages[HY_MESSAGE_VERSION].read(&body, &version);
    assert_int_equal(hypha_reader_end(&body), HYPHA_OK);
    assert_int_equal(hypha_reader_end(&frame), HYPHA_OK);
    assert_int_equal(version.node_id.len, 0);
    assert_true(hy_span_is(version.app_name, "dchatd"));
    assert_int_equal(version.timestamp, hy_wall_s(pair.here.node.loop));
    assert_true(hy_span_is(version.connect_recv_addr, "tcp://6.6.6.6:9000/"));
    assert_true(version.has_resolve_recv_addr);
    assert_true(hy_span_is(version.resolve_recv_addr, "tcp://6.6.6.6:9000/"));
    assert_int_equal(version.ext_count, 1);
    assert_int_equal(version.feature_count, 0);

    struct hypha_url *said = NULL;
    enum hypha_err err = HYPHA_OK;
    assert_true(hy_version_next_ext(&version.ext_send_addr, &said, &err));
    assert_string_equal(hypha_url_text(said), "tcp://7.7.7.7:1/"); /* nothing private */
    hypha_url_unref(said);
    pair_fini(&pair);
    hypha_url_unref(external);
}

/* spec: wire.md 5.3: resolve_recv_addr None if accepted; 8: and on mixed routes */
static void no_resolve_address_when_accepted_or_mixed(void **state)
{
    (void)state;
    for (int mixed = 0; mixed < 2; mixed++) {
        struct pair pair;
        struct hypha_url *named = fake_url("tcp://name.example:1");
        struct hypha_url *proxy = fake_url("socks5://user:secret@127.0.0.1:9050/name.example:1");
        struct hy_version version = { 0 };

        pair_init(&pair);
        if (mixed) {
            must(hy_channel_create(&pair.here.node.net, HYPHA_SESSION_OUTBOUND,
                &pair.here.stream.base, named, proxy, true, &pair.here.channel));
            must(hy_channel_start(pair.here.channel, &end_owner, &pair.here));
        } else {
            must(end_accept(&pair.here, "tcp://5.5.5.5:50000"));
        }
        pair_turn(&pair);
        struct hypha_reader body = hypha_reader_of(
            hy_span(pair.here.stream.out + 4 + 8 + 1, pair.here.stream.out_len - 13));
        hy_core_messages[HY_MESSAGE_VERSION].read(&body, &version);
        assert_int_equal(hypha_reader_end(&body), HYPHA_OK);
        assert_false(version.has_resolve_recv_addr);
        pair_fini(&pair);
        hypha_url_unref(named);
        hypha_url_unref(proxy);
    }
}

static struct hy_verack verack_of(const char *name, const char *version)
{
    struct hy_verack verack = { .app_name = hy_span_of(name) };

    must(hy_semver_parse(hy_span_of(version), &verack.app_version));
    return verack;
}

static struct hy_version_out version_of(
    const char *name, const char *number, const struct hypha_url *url)
{
    struct hy_version_out version = { .node_id = "", .app_name = name, .connect_recv_addr = url };

    must(hy_semver_parse(hy_span_of(number), &version.version));
    return version;
}

/* spec: wire.md 5.3: the order of what arrives is not fixed; more of either is ignored */
static void both_orders_and_repetitions(void **state)
{
    struct hypha_url *url = fake_url("tcp://5.5.5.5:1");
    struct hy_version_out version = version_of("dchatd", "0.4.9", url);
    struct hy_verack verack = verack_of("dchatd", "0.4.9-beta+1");

    (void)state;
    for (int order = 0; order < 2; order++) {
        struct pair pair;

        pair_init(&pair);
        must(end_dial(&pair.here, HYPHA_SESSION_OUTBOUND, "tcp://6.6.6.6:9000"));
        pair_turn(&pair);
        assert_string_equal(pair.here.sent, "version ");
        for (int i = 0; i < 2; i++)
            assert_true(end_feed(&pair.here, order == 0 ? HY_MESSAGE_VERSION : HY_MESSAGE_VERACK,
                order == 0 ? (void *)&version : (void *)&verack));
        assert_int_equal(pair.here.ready, 0);
        assert_string_equal(pair.here.sent, order == 0 ? "version verack " : "version ");
        for (int i = 0; i < 2; i++)
            assert_true(end_feed(&pair.here, order == 1 ? HY_MESSAGE_VERSION : HY_MESSAGE_VERACK,
                order == 1 ? (void *)&version : (void *)&verack));
        assert_int_equal(pair.here.ready, 1);
        assert_false(hypha_channel_is_stopped(pair.here.channel));
        assert_string_equal(hypha_channel_peer_version(pair.here.channel), "0.4.9-beta+1");
        pair_fini(&pair);
    }
    hypha_url_unref(url);
}

/* spec: wire.md 5.3, 2.2: name equal, major and minor equal; banned on outbound only */
static void mismatches(void **state)
{
    static const struct {
        const char *name, *number;
        bool fits;
    } table[] = {
        { "dchatd", "0.4.1", true },
        { "dchatd", "0.4.99", true },
        { "dchatd", "0.5.1", false },
        { "dchatd", "1.4.1", false },
        { "Dchatd", "0.4.1", false },
        { "", "0.4.1", false },
    };
    static const enum hypha_session sessions[] = { HYPHA_SESSION_OUTBOUND, HYPHA_SESSION_MANUAL,
        HYPHA_SESSION_SEED, HYPHA_SESSION_REFINE, HYPHA_SESSION_DIRECT };
    struct hypha_url *url = fake_url("tcp://5.5.5.5:1");

    (void)state;
    for (size_t i = 0; i < sizeof table / sizeof table[0]; i++)
        for (size_t s = 0; s < sizeof sessions / sizeof sessions[0]; s++)
            for (int by_verack = 0; by_verack < 2; by_verack++) {
                struct hy_version_out version = version_of(table[i].name, table[i].number, url);
                struct hy_verack verack = verack_of(table[i].name, table[i].number);
                struct pair pair;

                pair_init(&pair);
                must(end_dial(&pair.here, sessions[s], "tcp://6.6.6.6:9000"));
                pair_turn(&pair);
                assert_true(end_feed(&pair.here, by_verack ? HY_MESSAGE_VERACK : HY_MESSAGE_VERSION,
                    by_verack ? (void *)&verack : (void *)&version));
                pair_turn(&pair);
                assert_int_equal(hypha_channel_is_stopped(pair.here.channel), !table[i].fits);
                assert_int_equal(pair.here.why, table[i].fits ? HYPHA_OK : HYPHA_ERR_VERSION);
                assert_int_equal(hy_hosts_is_banned(pair.here.node.net.hosts,
                                     hypha_channel_address(pair.here.channel)),
                    !table[i].fits && sessions[s] == HYPHA_SESSION_OUTBOUND);
                pair_fini(&pair);
            }
    hypha_url_unref(url);
}

static char warning[1024];

static void keep_warning(
    void *user, enum hypha_log_level level, const char *target, const char *text)
{
    (void)user;
    if (level == HYPHA_LOG_WARN && strstr(target, "version") != NULL)
        (void)snprintf(warning, sizeof warning, "%s", text);
}

/* spec: apps.md 4, step 6 */
static void a_mismatch_names_both(void **state)
{
    struct hypha_url *url = fake_url("tcp://5.5.5.5:1");
    struct hy_version_out version = version_of("chat\x1b", "2.3.4", url);
    struct pair pair;

    (void)state;
    pair_init(&pair);
    pair.here.node.net.log.cb = keep_warning;
    must(end_dial(&pair.here, HYPHA_SESSION_OUTBOUND, "tcp://6.6.6.6:9000"));
    assert_true(end_feed(&pair.here, HY_MESSAGE_VERSION, &version));
    assert_non_null(strstr(warning, "\"chat\\x1b\" 2.3.4"));
    assert_non_null(strstr(warning, "\"dchatd\" 0.4.1"));
    pair_fini(&pair);
    hypha_url_unref(url);
}

static void silence_times_out(void **state)
{
    struct pair pair;

    (void)state;
    pair_init(&pair);
    must(end_dial(&pair.here, HYPHA_SESSION_REFINE, "tcp://6.6.6.6:9000"));
    hy_sim_run_for(pair.sim, 10000);
    assert_int_equal(pair.here.why, HYPHA_ERR_HANDSHAKE_TIMEOUT);
    pair_fini(&pair);
}

/* What one node says to itself over its own listener. */
static void ourselves_are_recognised(void **state)
{
    struct pair pair;
    struct fake_stream accepted;
    struct hypha_channel *inbound = NULL;
    struct hypha_url *from = fake_url("tcp://6.6.6.6:40000");

    (void)state;
    pair_init(&pair);
    must(end_dial(&pair.here, HYPHA_SESSION_OUTBOUND, "tcp://6.6.6.6:9000"));
    fake_stream_init(&accepted);
    must(hy_channel_create(
        &pair.here.node.net, HYPHA_SESSION_INBOUND, &accepted.base, from, NULL, false, &inbound));
    must(hy_channel_start(inbound, &end_owner, &pair.here));
    pair_turn(&pair);
    for (int i = 0; i < 3; i++) {
        (void)fake_stream_carry(&pair.here.stream, &accepted);
        (void)fake_stream_carry(&accepted, &pair.here.stream);
        pair_turn(&pair);
    }
    assert_true(hypha_channel_is_stopped(inbound));
    assert_true(hypha_channel_is_stopped(pair.here.channel));
    assert_int_equal(pair.here.why, HYPHA_ERR_SELF);
    assert_int_equal(pair.here.stopped, 2);
    assert_int_equal(pair.here.node.log.warnings, 1); /* two channels, one thing to say */
    hypha_channel_unref(inbound);
    pair_fini(&pair);
    fake_stream_fini(&accepted);
    hypha_url_unref(from);
}

/* A stranger that repeats what it saw, and another whose address coincides, are none. */
static void strangers_are_not_ourselves(void **state)
{
    struct pair pair;
    struct fake_stream accepted;
    struct hypha_channel *inbound = NULL;
    struct hypha_url *from = fake_url("tcp://5.5.5.5:40000"), *ours = fake_url("tcp://1.1.1.1:1");
    struct hy_version_out of_dialled = version_of("dchatd", "0.4.1", from);
    struct hy_version_out of_inbound = version_of("dchatd", "0.4.1", ours);

    (void)state;
    pair_init(&pair);
    must(end_dial(&pair.here, HYPHA_SESSION_OUTBOUND, "tcp://6.6.6.6:9000"));
    fake_stream_init(&accepted);
    must(hy_channel_create(
        &pair.here.node.net, HYPHA_SESSION_INBOUND, &accepted.base, from, NULL, false, &inbound));
    must(hy_channel_start(inbound, &end_owner, &pair.there));
    struct end at_inbound = { .stream = accepted, .node = pair.here.node };
    at_inbound.stream.base = accepted.base;
    at_inbound.stream.reading = accepted.reading;
    assert_true(end_feed(&at_inbound, HY_MESSAGE_VERSION, &of_inbound));
    assert_true(end_feed(&pair.here, HY_MESSAGE_VERSION, &of_dialled));
    pair_turn(&pair);
    assert_false(hypha_channel_is_stopped(inbound));
    assert_false(hypha_channel_is_stopped(pair.here.channel));
    hypha_channel_stop(inbound);
    pair_turn(&pair);
    hypha_channel_unref(inbound);
    pair_fini(&pair);
    fake_stream_fini(&accepted);
    hypha_url_unref(from);
    hypha_url_unref(ours);
}

static void announced_addresses_are_kept_up_to_a_number(void **state)
{
    struct hypha_url *url = fake_url("tcp://5.5.5.5:1"), *ext[60];
    struct hy_version_out version = version_of("dchatd", "0.4.1", url);
    struct pair pair;

    (void)state;
    for (size_t i = 0; i < 60; i++) {
        char text[64];

        (void)snprintf(text, sizeof text, "tcp://8.8.8.%zu:1", i + 1);
        ext[i] = fake_url(text);
    }
    version.ext_send_addr = (const struct hypha_url *const *)ext;
    version.ext_count = 60;
    pair_init(&pair);
    must(end_dial(&pair.here, HYPHA_SESSION_OUTBOUND, "tcp://6.6.6.6:9000"));
    assert_true(end_feed(&pair.here, HY_MESSAGE_VERSION, &version));
    assert_string_equal(
        hypha_url_text(hypha_channel_peer_address(pair.here.channel, 31)), "tcp://8.8.8.32:1/");
    assert_null(hypha_channel_peer_address(pair.here.channel, 32));
    pair_fini(&pair);
    for (size_t i = 0; i < 60; i++)
        hypha_url_unref(ext[i]);
    hypha_url_unref(url);
}

static void without_memory(void **state)
{
    struct hypha_url *to = fake_url("tcp://6.6.6.6:9000"), *from = fake_url("tcp://5.5.5.5:5");
    bool done = false;

    (void)state;
    for (size_t n = 0; !done; n++) {
        struct pair pair;

        pair_init(&pair);
        hy_alloc_fail_after(n);
        if (end_open(&pair.here, HYPHA_SESSION_OUTBOUND, to) == HYPHA_OK &&
            end_open(&pair.there, HYPHA_SESSION_INBOUND, from) == HYPHA_OK)
            pair_settle(&pair);
        hy_alloc_fail_after(SIZE_MAX);
        done = pair.here.ready + pair.there.ready == 2 && pair.here.stopped == 0 &&
            pair.there.stopped == 0;
        /* Nobody is banned for our lack of memory. */
        assert_int_equal(hy_hosts_count(pair.here.node.net.hosts, HYPHA_COLOUR_BLACK), 0);
        assert_int_equal(hy_hosts_count(pair.there.node.net.hosts, HYPHA_COLOUR_BLACK), 0);
        pair_fini(&pair);
        assert_true(n < 5000);
    }
    hypha_url_unref(to);
    hypha_url_unref(from);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(both_sides_shake_hands),
        cmocka_unit_test(the_version_says_what_it_should),
        cmocka_unit_test(no_resolve_address_when_accepted_or_mixed),
        cmocka_unit_test(both_orders_and_repetitions),
        cmocka_unit_test(mismatches),
        cmocka_unit_test(a_mismatch_names_both),
        cmocka_unit_test(silence_times_out),
        cmocka_unit_test(ourselves_are_recognised),
        cmocka_unit_test(strangers_are_not_ourselves),
        cmocka_unit_test(announced_addresses_are_kept_up_to_a_number),
        cmocka_unit_test(without_memory),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
