/* connector_test.c - dials that succeed, fail, hang and are stopped, on simulated wires.
 * spec: network.md 6.1 */
#include "base/alloc.h"
#include "channel/connector.h"
#include "sim/sim.h"
#include "transport/tls.h"

#include <setjmp.h>
#include <stdarg.h>
#include <string.h>
#include <cmocka.h>

#define TARGET "tcp://44.2.0.1:9000"

struct fixture {
    struct hy_sim *sim;
    struct hy_net net;
    struct hy_resolved_settings *settings;
    struct hy_transport *far;
    struct hy_listener *listener;
    struct hy_connector connector;
    unsigned told;
    enum hypha_err err;
    char why[HY_CONNECTOR_WHY_BYTES];
    struct hypha_channel *channel;
    uint64_t told_ms;
};

static void ok(enum hypha_err err)
{
    assert_string_equal(hypha_err_name(err), "OK");
}

static void on_connected(
    void *user, enum hypha_err err, const char *why_text, struct hypha_channel *channel)
{
    struct fixture *f = user;

    f->told++;
    f->err = err;
    f->channel = channel;
    f->told_ms = hy_now_ms(f->net.loop);
    assert_true(strlen(why_text) < sizeof(f->why));
    strcpy(f->why, why_text);
}

static struct fixture *set_up(void)
{
    struct fixture *f = hy_alloc(sizeof(*f));
    struct hypha_settings *settings = NULL;

    assert_non_null(f);
    ok(hy_sim_create(1, &f->sim));
    ok(hypha_settings_create(&settings));
    ok(hypha_settings_set_text(settings, HYPHA_KEY_APP_NAME, "connector"));
    ok(hypha_settings_set_text(settings, HYPHA_KEY_APP_VERSION, "1.0.0"));
    ok(hypha_settings_add_profile(settings, "tcp"));
    ok(hypha_settings_add_active_profile(settings, "tcp"));
    ok(hypha_settings_set_timeout(settings, "tcp", HYPHA_TIMEOUT_CONNECT, 3000));
    ok(hy_settings_resolve(settings, &f->settings));
    hypha_settings_destroy(settings);
    ok(hy_net_init(&f->net));
    hy_events_init(&f->net.events);
    f->net.loop = hy_sim_loop(f->sim);
    f->net.settings = f->settings;
    ok(hy_hosts_create(f->net.loop, f->settings, &f->net.hosts));
    ok(hy_dispatch_create(NULL, 0, &f->net.dispatch));
    ok(hy_sim_transport_create(f->sim, "tcp", "44.1.0.1", &f->net.transports[0]));
    f->net.transport_count = 1;
    ok(hy_sim_transport_create(f->sim, "tcp", "44.2.0.1", &f->far));
    hy_connector_init(&f->connector, &f->net, HYPHA_SESSION_OUTBOUND, on_connected, f);
    return f;
}

static void tear_down(struct fixture *f)
{
    hy_connector_fini(&f->connector);
    hy_connector_fini(&f->connector); /* as often as you like */
    if (f->channel != NULL) {
        hypha_channel_stop(f->channel);
        hypha_channel_unref(f->channel);
    }
    if (f->listener != NULL)
        hy_listener_close(f->listener);
    hy_sim_run_for(f->sim, 2000);
    assert_int_equal(hy_sim_stream_count(f->sim), 0);
    hy_net_fini(&f->net);
    hy_events_fini(&f->net.events);
    hy_transport_destroy(f->net.transports[0]);
    hy_transport_destroy(f->far);
    hy_hosts_destroy(f->net.hosts);
    hy_resolved_settings_destroy(f->settings);
    hy_sim_destroy(f->sim);
    hy_free(f);
}

static void connect_to(struct fixture *f, const char *text, uint32_t timeout_ms)
{
    struct hypha_url *url = NULL;
    unsigned told = f->told;

    ok(hypha_url_parse_text(text, &url));
    hy_connector_connect(&f->connector, url, timeout_ms);
    hypha_url_unref(url);
    assert_int_equal(f->told, told); /* never from inside the call */
}

static void on_accept(
    struct hy_listener *listener, struct hy_stream *stream, struct hypha_url *peer, void *user)
{
    (void)listener;
    (void)peer;
    (void)user;
    hy_stream_close(stream);
}

static void on_listener_end(struct hy_listener *listener, enum hypha_err why, void *user)
{
    (void)listener;
    (void)why;
    (void)user;
}

static const struct hy_listener_events listener_events = {
    .on_accept = on_accept,
    .on_end = on_listener_end,
};

static void on_listening(void *user, enum hypha_err err, struct hy_listener *listener)
{
    struct fixture *f = user;

    ok(err);
    f->listener = listener;
}

static void listen_far(struct fixture *f)
{
    struct hypha_url *url = NULL;
    void *request = NULL;

    ok(hypha_url_parse_text(TARGET, &url));
    ok(f->far->ops->listen(f->far, url, &listener_events, f, on_listening, &request));
    hypha_url_unref(url);
    hy_sim_run_for(f->sim, 10);
    assert_non_null(f->listener);
}

static void a_dial_makes_a_new_channel(void **unused)
{
    struct fixture *f = set_up();

    (void)unused;
    listen_far(f);
    connect_to(f, TARGET, 0);
    assert_int_equal(f->connector.state, HY_CONNECTOR_DIALING);
    hy_sim_run_for(f->sim, 1000);
    assert_int_equal(f->told, 1);
    ok(f->err);
    assert_int_equal(f->connector.state, HY_CONNECTOR_IDLE);
    assert_int_equal(hy_channel_state(f->channel), HY_CHANNEL_NEW);
    assert_int_equal(hypha_channel_session(f->channel), HYPHA_SESSION_OUTBOUND);
    assert_string_equal(hypha_url_text(hypha_channel_address(f->channel)), TARGET "/");
    assert_false(hy_channel_is_mixed(f->channel));
    tear_down(f);
}

/* spec: network.md MUST 6.1-a: endpoints and error kinds, never credentials or query */
static void nobody_listens(void **unused)
{
    struct fixture *f = set_up();

    (void)unused;
    connect_to(f, "tcp://user:password@44.2.0.1:9000/?secret=1", 0);
    hy_sim_run_for(f->sim, 1000);
    assert_int_equal(f->told, 1);
    assert_int_equal(f->err, HYPHA_ERR_CONNECT_FAILED);
    assert_null(f->channel);
    assert_non_null(strstr(f->why, "44.2.0.1:9000"));
    assert_non_null(strstr(f->why, hypha_err_text(HYPHA_ERR_REFUSED)));
    /* MUST NOT show credentials or query */
    assert_null(strstr(f->why, "password"));
    assert_null(strstr(f->why, "secret"));
    connect_to(f, TARGET, 0); /* it can be used again */
    hy_sim_run_for(f->sim, 1000);
    assert_int_equal(f->told, 2);
    tear_down(f);
}

/* spec: network.md MUST 6.1-b: one deadline up to a usable stream: the profile's, or the caller's
 */
static void a_hanging_dial_ends_in_time(void **unused)
{
    struct fixture *f = set_up();
    uint64_t began_ms;

    (void)unused;
    ok(hy_sim_set_host(f->sim, "44.2.0.1", HY_SIM_HOST_BLACKHOLE));
    began_ms = hy_now_ms(f->net.loop);
    connect_to(f, TARGET, 0);
    hy_sim_run_for(f->sim, 20000);
    assert_int_equal(f->err, HYPHA_ERR_CONNECT_FAILED);
    assert_int_equal(f->told_ms - began_ms, 3000);
    assert_int_equal(f->connector.cause, HYPHA_ERR_TIMEOUT);
    began_ms = hy_now_ms(f->net.loop);
    connect_to(f, TARGET, 500);
    hy_sim_run_for(f->sim, 20000);
    assert_int_equal(f->told_ms - began_ms, 500);
    tear_down(f);
}

static void hear_nothing(struct hy_stream *stream, void *user)
{
    (void)stream;
    (void)user;
}

static void read_nothing(struct hy_stream *stream, struct hypha_span bytes, void *user)
{
    (void)stream;
    (void)bytes;
    (void)user;
}

static void end_of_nothing(struct hy_stream *stream, enum hypha_err why, void *user)
{
    (void)stream;
    (void)why;
    (void)user;
}

static void on_accept_silently(
    struct hy_listener *listener, struct hy_stream *stream, struct hypha_url *peer, void *user)
{
    static const struct hy_stream_events deaf = { hear_nothing, read_nothing, hear_nothing,
        end_of_nothing };
    struct hy_stream **held = user;

    (void)listener;
    (void)peer;
    hy_stream_set_events(stream, &deaf, NULL);
    *held = stream;
}

static const struct hy_listener_events silent_events = {
    .on_accept = on_accept_silently,
    .on_end = on_listener_end,
};

static struct hy_listener *silent_listener;

static void on_silent_listening(void *user, enum hypha_err err, struct hy_listener *listener)
{
    (void)user;
    ok(err);
    silent_listener = listener;
}

/* spec: network.md MUST 6.1-b: a server that accepts, and never says a word of TLS */
static void a_hanging_tls_handshake_ends_in_time(void **unused)
{
    struct fixture *f = set_up();
    struct hy_transport *near = NULL, *far = NULL;
    struct hypha_url *url = NULL;
    struct hy_stream *held = NULL;
    char scheme[] = "tcp+tls", *active[] = { scheme };
    struct hy_scheme_array before = f->settings->active;
    void *request = NULL;

    (void)unused;
    f->settings->active = (struct hy_scheme_array){ active, 1 };
    ok(hy_sim_transport_create(f->sim, scheme, "44.1.0.1", &near));
    ok(hy_transport_tls_over(near, scheme, &f->net.transports[1]));
    f->net.transport_count = 2;
    ok(hy_sim_transport_create(f->sim, scheme, "44.2.0.1", &far));
    ok(hypha_url_parse_text("tcp+tls://44.2.0.1:9443", &url));
    ok(far->ops->listen(far, url, &silent_events, &held, on_silent_listening, &request));
    hy_sim_run_for(f->sim, 10);
    uint64_t began_ms = hy_now_ms(f->net.loop);
    connect_to(f, "tcp+tls://44.2.0.1:9443", 0);
    hy_sim_run_for(f->sim, 30000);
    assert_non_null(held); /* the connection was there */
    assert_int_equal(f->told, 1);
    assert_int_equal(f->err, HYPHA_ERR_CONNECT_FAILED);
    assert_int_equal(f->connector.cause, HYPHA_ERR_TIMEOUT);
    assert_int_equal(f->told_ms - began_ms, 15000); /* no profile: the fallback */
    hy_stream_close(held);
    hy_listener_close(silent_listener);
    hy_sim_run_for(f->sim, 1000);
    hy_transport_destroy(f->net.transports[1]);
    hy_transport_destroy(far);
    hypha_url_unref(url);
    f->settings->active = before;
    tear_down(f);
}

/* spec: network.md MUST 6.1-b: the time in which a name is looked up counts too */
static void a_hanging_lookup_ends_in_time(void **unused)
{
    struct fixture *f = set_up();

    (void)unused;
    hy_sim_set_resolve_ms(f->sim, 60000);
    uint64_t began_ms = hy_now_ms(f->net.loop);
    connect_to(f, "tcp://slow.example:9000", 0);
    hy_sim_run_for(f->sim, 100000);
    assert_int_equal(f->told, 1);
    assert_int_equal(f->err, HYPHA_ERR_CONNECT_FAILED);
    assert_int_equal(f->connector.cause, HYPHA_ERR_TIMEOUT);
    assert_int_equal(f->told_ms - began_ms, 3000);
    tear_down(f);
}

/* Stopped for ever, whether it dials or not. */
static void stop_ends_a_dial(void **unused)
{
    struct fixture *f = set_up();

    (void)unused;
    ok(hy_sim_set_host(f->sim, "44.2.0.1", HY_SIM_HOST_BLACKHOLE));
    connect_to(f, TARGET, 0);
    hy_sim_run_for(f->sim, 100);
    hy_connector_stop(&f->connector);
    hy_connector_stop(&f->connector);
    assert_int_equal(f->told, 0);
    assert_int_equal(hy_sim_stream_count(f->sim), 0);
    hy_sim_run_for(f->sim, 20000);
    assert_int_equal(f->told, 1);
    assert_int_equal(f->err, HYPHA_ERR_CONNECTOR_STOPPED);
    connect_to(f, TARGET, 0);
    hy_sim_run_for(f->sim, 20000);
    assert_int_equal(f->told, 2);
    assert_int_equal(f->err, HYPHA_ERR_CONNECTOR_STOPPED);
    tear_down(f);
}

static void stop_at_event(const struct hypha_event *event, void *user)
{
    struct fixture *f = user;

    assert_int_equal(event->type, HYPHA_EVENT_DIAL);
    assert_string_equal(hypha_url_text(event->addr), TARGET "/");
    hy_connector_stop(&f->connector);
}

/* Stopped by who hears that the dial has succeeded: told once, and no channel is left. */
static void stop_inside_its_own_event(void **unused)
{
    struct fixture *f = set_up();

    (void)unused;
    listen_far(f);
    ok(hy_events_subscribe(&f->net.events, HYPHA_EVENT_BIT(HYPHA_EVENT_DIAL), stop_at_event, f));
    connect_to(f, TARGET, 0);
    hy_sim_run_for(f->sim, 20000);
    assert_int_equal(f->told, 1);
    assert_int_equal(f->err, HYPHA_ERR_CONNECTOR_STOPPED);
    assert_null(f->channel);
    assert_int_equal(hy_sim_stream_count(f->sim), 0);
    hy_events_unsubscribe(&f->net.events, stop_at_event, f);
    tear_down(f);
}

static void black_hosts_and_foreign_schemes_are_not_dialled(void **unused)
{
    struct fixture *f = set_up();
    struct hypha_url *url = NULL;

    (void)unused;
    ok(hypha_url_parse_text(TARGET, &url));
    ok(hy_hosts_ban(f->net.hosts, url, 0, HYPHA_ERR_BANNED));
    connect_to(f, TARGET, 0);
    assert_int_equal(hy_sim_stream_count(f->sim), 0);
    hy_sim_run_for(f->sim, 100);
    assert_int_equal(f->err, HYPHA_ERR_BANNED);
    connect_to(f, "tcp+tls://44.2.0.1:9000", 0);
    hy_sim_run_for(f->sim, 100);
    assert_int_equal(f->err, HYPHA_ERR_UNSUPPORTED_TRANSPORT);
    assert_int_equal(f->told, 2);
    hypha_url_unref(url);
    tear_down(f);
}

/* spec: network.md MUST 4.4-c: ENETUNREACH on a direct IPv6 literal, and on nothing else */
static void unreachable_ipv6_is_noted(void **unused)
{
    struct fixture *f = set_up();
    struct hypha_url *six = NULL;

    (void)unused;
    ok(hypha_url_parse_text("tcp://[2600::1]:9000", &six));
    assert_true(hy_hosts_is_dialable(f->net.hosts, six));
    ok(hy_sim_set_host(f->sim, "44.1.0.1", HY_SIM_HOST_DOWN));
    connect_to(f, TARGET, 0);
    hy_sim_run_for(f->sim, 1000);
    assert_int_equal(f->connector.cause, HYPHA_ERR_UNREACHABLE);
    assert_true(hy_hosts_is_dialable(f->net.hosts, six));
    connect_to(f, "tcp://[2600::1]:9000", 0);
    hy_sim_run_for(f->sim, 1000);
    assert_int_equal(f->connector.cause, HYPHA_ERR_UNREACHABLE);
    assert_false(hy_hosts_is_dialable(f->net.hosts, six));
    hy_sim_run_for(f->sim, 11 * 60000);
    assert_true(hy_hosts_is_dialable(f->net.hosts, six)); /* retried after 10 min */
    hypha_url_unref(six);
    tear_down(f);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_dial_makes_a_new_channel),
        cmocka_unit_test(nobody_listens),
        cmocka_unit_test(a_hanging_dial_ends_in_time),
        cmocka_unit_test(a_hanging_tls_handshake_ends_in_time),
        cmocka_unit_test(a_hanging_lookup_ends_in_time),
        cmocka_unit_test(stop_ends_a_dial),
        cmocka_unit_test(stop_inside_its_own_event),
        cmocka_unit_test(black_hosts_and_foreign_schemes_are_not_dialled),
        cmocka_unit_test(unreachable_ipv6_is_noted),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
