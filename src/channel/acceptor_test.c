/* acceptor_test.c - listening, pending sockets and their limit, on a transport of our own hands.
 * spec: network.md 6.2 */
#include "base/alloc.h"
#include "channel/acceptor.h"
#include "channel/pending.h"
#include "fakes/fake_node.h"

#include <setjmp.h>
#include <stdarg.h>
#include <cmocka.h>

/* A stream that does nothing by itself. */
struct stub_stream {
    struct hy_stream base;
    bool closed;
};

static void stream_nothing(struct hy_stream *stream)
{
    (void)stream;
}

static size_t stream_write(struct hy_stream *stream, const struct iovec *pieces, size_t count)
{
    (void)stream;
    (void)pieces;
    (void)count;
    return 0;
}

static size_t stream_pending(const struct hy_stream *stream)
{
    (void)stream;
    return 0;
}

static void stream_close(struct hy_stream *stream)
{
    struct stub_stream *stub = (struct stub_stream *)stream;

    assert_false(stub->closed);
    stub->closed = true;
}

static const struct hy_stream_ops stream_ops = {
    .read_start = stream_nothing,
    .read_stop = stream_nothing,
    .write = stream_write,
    .pending = stream_pending,
    .close = stream_close,
};

struct hall {
    struct hy_sim *sim;
    struct fake_node node;
    struct hy_transport transport;
    struct hy_listener listener;
    hy_listen_cb listen_cb;
    void *listen_user;
    bool cancelled, paused, closed;
    struct hy_pending_set *pending;
    struct hy_acceptor *acceptor;
    unsigned listening, ended;
    enum hypha_err err, why;
    struct hypha_channel *channels[8];
    size_t channel_count;
    struct stub_stream streams[200];
    size_t stream_count;
};

static struct hall *the_hall; /* of the running test: a listener knows its owner only */

static void on_pause(struct hy_listener *listener)
{
    (void)listener;
    the_hall->paused = true;
}

static void on_resume(struct hy_listener *listener)
{
    (void)listener;
    the_hall->paused = false;
}

static void on_close(struct hy_listener *listener)
{
    (void)listener;
    assert_false(the_hall->closed);
    the_hall->closed = true;
    hypha_url_unref(the_hall->listener.url);
    the_hall->listener.url = NULL;
}

static const struct hy_listener_ops listener_ops = {
    .pause = on_pause,
    .resume = on_resume,
    .close = on_close,
};

static enum hypha_err listen_on(struct hy_transport *transport, const struct hypha_url *url,
    const struct hy_listener_events *events, void *user, hy_listen_cb cb, void **ret_request)
{
    (void)transport;
    (void)url;
    the_hall->listener =
        (struct hy_listener){ .ops = &listener_ops, .events = events, .user = user };
    the_hall->listen_cb = cb;
    the_hall->listen_user = user;
    the_hall->closed = false;
    *ret_request = the_hall;
    return HYPHA_OK;
}

static void listen_cancel(struct hy_transport *transport, void *request)
{
    (void)transport;
    assert_ptr_equal(request, the_hall);
    the_hall->cancelled = true;
}

static const struct hy_transport_ops transport_ops = {
    .listen = listen_on,
    .listen_cancel = listen_cancel,
};

static void on_listening(struct hy_acceptor *acceptor, enum hypha_err err, void *user)
{
    struct hall *hall = user;

    assert_ptr_equal(acceptor, hall->acceptor);
    hall->listening++;
    hall->err = err;
}

static void on_channel(struct hy_acceptor *acceptor, struct hypha_channel *channel, void *user)
{
    struct hall *hall = user;

    (void)acceptor;
    assert_true(hall->channel_count < 8);
    hall->channels[hall->channel_count++] = channel;
}

static void on_end(struct hy_acceptor *acceptor, enum hypha_err why, void *user)
{
    struct hall *hall = user;

    (void)acceptor;
    hall->ended++;
    hall->why = why;
}

static const struct hy_acceptor_events acceptor_events = {
    .on_listening = on_listening,
    .on_channel = on_channel,
    .on_end = on_end,
};

static struct hypha_url *url_of(const char *text)
{
    struct hypha_url *url = NULL;

    must(hypha_url_parse_text(text, &url));
    return url;
}

static struct hall *set_up(void)
{
    struct hall *hall = hy_alloc(sizeof(*hall));
    struct hypha_url *url = url_of("tcp://0.0.0.0:9000");

    assert_non_null(hall);
    the_hall = hall;
    must(hy_sim_create(1, &hall->sim));
    fake_node_init(&hall->node, hy_sim_loop(hall->sim), NULL, 0);
    hall->transport = (struct hy_transport){ .ops = &transport_ops, .scheme = "tcp" };
    hall->node.net.transports[0] = &hall->transport;
    hall->node.net.transport_count = 1;
    must(hy_pending_set_create(&hall->node.net, &hall->pending));
    must(hy_acceptor_create(
        &hall->node.net, hall->pending, url, &acceptor_events, hall, &hall->acceptor));
    hypha_url_unref(url);
    return hall;
}

static void bind_it(struct hall *hall)
{
    must(hy_acceptor_start(hall->acceptor));
    hall->listener.url = url_of("tcp://0.0.0.0:9000");
    hall->listen_cb(hall->listen_user, HYPHA_OK, &hall->listener);
    assert_int_equal(hall->listening, 1);
}

static void tear_down(struct hall *hall)
{
    hy_acceptor_destroy(hall->acceptor);
    for (size_t i = 0; i < hall->channel_count; i++) {
        hy_pending_done(hall->pending, hall->channels[i], NULL);
        hypha_channel_stop(hall->channels[i]);
        hypha_channel_unref(hall->channels[i]);
    }
    hy_sim_run_for(hall->sim, 2000);
    for (size_t i = 0; i < hall->stream_count; i++)
        assert_true(hall->streams[i].closed);
    assert_int_equal(hy_pending_count(hall->pending), 0);
    hy_pending_set_destroy(hall->pending);
    fake_node_fini(&hall->node);
    hy_sim_destroy(hall->sim);
    hy_free(hall);
}

static struct stub_stream *arrive(struct hall *hall, const char *from)
{
    struct stub_stream *stream = &hall->streams[hall->stream_count++];
    struct hypha_url *peer = url_of(from);

    stream->base.ops = &stream_ops;
    hall->listener.events->on_accept(&hall->listener, &stream->base, peer, hall->listener.user);
    hypha_url_unref(peer);
    return stream;
}

static void become_ready(struct stub_stream *stream)
{
    stream->base.events->on_ready(&stream->base, stream->base.user);
}

static void a_peer_becomes_a_channel(void **unused)
{
    struct hall *hall = set_up();

    (void)unused;
    assert_null(hy_acceptor_url(hall->acceptor));
    bind_it(hall);
    assert_string_equal(hypha_url_text(hy_acceptor_url(hall->acceptor)), "tcp://0.0.0.0:9000/");
    struct stub_stream *stream = arrive(hall, "tcp://44.1.0.1:5000");
    assert_int_equal(hy_pending_count(hall->pending), 1);
    assert_int_equal(hall->channel_count, 0);
    become_ready(stream);
    assert_int_equal(hall->channel_count, 1);
    assert_int_equal(hypha_channel_session(hall->channels[0]), HYPHA_SESSION_INBOUND);
    assert_string_equal(
        hypha_url_text(hypha_channel_address(hall->channels[0])), "tcp://44.1.0.1:5000/");
    assert_int_equal(hy_pending_count(hall->pending), 1); /* until its version exchange is done */
    hy_pending_done(hall->pending, hall->channels[0], NULL);
    hy_pending_done(hall->pending, hall->channels[0], NULL);
    assert_int_equal(hy_pending_count(hall->pending), 0);
    assert_false(stream->closed);
    tear_down(hall);
}

/* Dropped right after accept, silently. */
static void black_peers_are_dropped(void **unused)
{
    struct hall *hall = set_up();
    struct hypha_url *url = url_of("tcp://44.1.0.1");

    (void)unused;
    bind_it(hall);
    must(hy_hosts_ban(hall->node.net.hosts, url, 0, HYPHA_ERR_BANNED));
    hypha_url_unref(url);
    assert_true(arrive(hall, "tcp://44.1.0.1:5000")->closed);
    assert_false(arrive(hall, "tcp://44.1.0.2:5000")->closed);
    hall->node.net.stopping = true;
    assert_true(arrive(hall, "tcp://44.1.0.3:5000")->closed);
    tear_down(hall);
}

/* spec: network.md MUST 6.2-c: handshakes run per connection under channel_handshake_timeout */
static void a_silent_peer_has_its_own_clock(void **unused)
{
    struct hall *hall = set_up();

    (void)unused;
    bind_it(hall);
    struct stub_stream *first = arrive(hall, "tcp://44.1.0.1:5000");
    hy_sim_run_for(hall->sim, 6000);
    struct stub_stream *second = arrive(hall, "tcp://44.1.0.1:5001");
    hy_sim_run_for(hall->sim, 3999);
    assert_false(first->closed);
    hy_sim_run_for(hall->sim, 1); /* channel_handshake_timeout: 10 s */
    assert_true(first->closed);
    assert_false(second->closed);
    hy_sim_run_for(hall->sim, 6000);
    assert_true(second->closed);
    assert_int_equal(hall->channel_count, 0);
    tear_down(hall);
}

/* spec: network.md MUST 6.2-e: inbound_connections + 32 pending at most; one more closes the oldest
 * of the address that has most, on localnet too */
static void a_flood_pushes_out_its_own(void **unused)
{
    struct hall *hall = set_up();
    char from[64];

    (void)unused;
    hall->node.settings.localnet = true; /* where no other limit holds */
    bind_it(hall);
    struct stub_stream *honest = arrive(hall, "tcp://44.9.0.1:5000");
    struct stub_stream *flood[60];
    for (unsigned i = 0; i < 60; i++) {
        (void)snprintf(from, sizeof(from), "tcp://44.1.0.1:%u", 6000 + i);
        flood[i] = arrive(hall, from);
    }
    assert_int_equal(hy_pending_count(hall->pending), 8 + HY_PENDING_EXTRA);
    assert_false(honest->closed);
    for (unsigned i = 0; i < 60; i++)
        assert_int_equal(flood[i]->closed, i < 60 - (8 + HY_PENDING_EXTRA - 1));
    tear_down(hall);
}

/* To whom a network of 2^64 addresses belongs, it is one. */
static void a_flood_of_one_ipv6_network_too(void **unused)
{
    struct hall *hall = set_up();
    char from[64];

    (void)unused;
    hall->node.settings.localnet = true;
    bind_it(hall);
    struct stub_stream *honest = arrive(hall, "tcp://[2600:1::1]:5000");
    struct stub_stream *other = arrive(hall, "tcp://[2600:1::2]:5000");
    for (unsigned i = 0; i < 60; i++) {
        (void)snprintf(from, sizeof(from), "tcp://[2600:2::%x]:6000", i + 1);
        (void)arrive(hall, from);
    }
    assert_int_equal(hy_pending_count(hall->pending), 8 + HY_PENDING_EXTRA);
    assert_false(honest->closed);
    assert_false(other->closed);
    tear_down(hall);
}

struct heard {
    unsigned refused;
    enum hypha_err why;
    char addr[64];
};

static void on_event(const struct hypha_event *event, void *user)
{
    struct heard *heard = user;

    assert_int_equal(event->type, HYPHA_EVENT_REFUSED);
    heard->refused++;
    heard->why = event->err;
    (void)snprintf(heard->addr, sizeof(heard->addr), "%s", hypha_url_text(event->addr));
}

/* spec: network.md MUST 10-b, 10-c: the limits per address and group at a listener; said in an
 * event */
static void the_third_of_an_address_is_refused(void **unused)
{
    struct hall *hall = set_up();
    struct heard heard = { 0 };
    struct stub_stream *stream;

    (void)unused;
    must(hy_events_subscribe(
        &hall->node.net.events, HYPHA_EVENT_BIT(HYPHA_EVENT_REFUSED), on_event, &heard));
    bind_it(hall);
    (void)arrive(hall, "tcp://44.1.0.1:5000");
    stream = arrive(hall, "tcp://44.1.0.1:5001");
    assert_int_equal(heard.refused, 0);
    assert_true(arrive(hall, "tcp://44.1.0.1:5002")->closed);
    assert_int_equal(heard.refused, 1);
    assert_int_equal(heard.why, HYPHA_ERR_LIMIT);
    assert_string_equal(heard.addr, "tcp://44.1.0.1:5002/");
    /* One that leaves makes room, as does one that becomes a channel and stops later. */
    hy_sim_run_for(hall->sim, 5000);
    stream->base.events->on_end(&stream->base, HYPHA_ERR_EOF, stream->base.user);
    stream = arrive(hall, "tcp://44.1.0.1:5003");
    assert_false(stream->closed);
    become_ready(stream);
    struct hy_inbound_ticket ticket = { 0 };
    hy_pending_done(hall->pending, hall->channels[0], &ticket);
    assert_true(arrive(hall, "tcp://44.1.0.1:5004")->closed); /* a peer counts as a socket does */
    hy_inbound_ticket_release(&ticket);
    assert_false(arrive(hall, "tcp://44.1.0.1:5005")->closed);
    /* 10 s at a burst of 8: others of the group are let in, then no more. */
    unsigned inside = 0;
    for (unsigned i = 0; i < 12; i++) {
        char from[64];

        (void)snprintf(from, sizeof(from), "tcp://44.1.1.%u:5000", i);
        inside += !arrive(hall, from)->closed;
    }
    assert_in_range(inside, 6, 7);
    tear_down(hall);
}

/* From a thousand addresses one each: who has come further stays. */
static void who_does_nothing_goes_first(void **unused)
{
    struct hall *hall = set_up();
    char from[64];

    (void)unused;
    bind_it(hall);
    become_ready(arrive(hall, "tcp://44.0.0.1:5000")); /* the oldest, but its transport is up */
    for (unsigned i = 0; i < 60; i++) {
        (void)snprintf(from, sizeof(from), "tcp://45.%u.0.1:6000", i);
        (void)arrive(hall, from);
    }
    assert_int_equal(hy_pending_count(hall->pending), 8 + HY_PENDING_EXTRA);
    assert_false(hypha_channel_is_stopped(hall->channels[0]));
    tear_down(hall);
}

/* A channel that waits for its version counts too, and is stopped when it gives way. */
static void channels_give_way_too(void **unused)
{
    struct hall *hall = set_up();
    char from[64];

    (void)unused;
    hall->node.settings.localnet = true;
    bind_it(hall);
    become_ready(arrive(hall, "tcp://44.1.0.1:5999"));
    for (unsigned i = 0; i < 8 + HY_PENDING_EXTRA; i++) {
        (void)snprintf(from, sizeof(from), "tcp://44.1.0.1:%u", 6000 + i);
        (void)arrive(hall, from);
    }
    assert_true(hypha_channel_is_stopped(hall->channels[0]));
    assert_int_equal(hy_pending_count(hall->pending), 8 + HY_PENDING_EXTRA);
    tear_down(hall);
}

static void pauses_hold_from_before_the_bind(void **unused)
{
    struct hall *hall = set_up();

    (void)unused;
    hy_acceptor_pause(hall->acceptor);
    bind_it(hall);
    assert_true(hall->paused);
    hy_acceptor_resume(hall->acceptor);
    assert_false(hall->paused);
    hy_acceptor_pause(hall->acceptor);
    assert_true(hall->paused);
    tear_down(hall);
}

static void failures_are_told_and_may_be_retried(void **unused)
{
    struct hall *hall = set_up();

    (void)unused;
    must(hy_acceptor_start(hall->acceptor));
    hall->listen_cb(hall->listen_user, HYPHA_ERR_ADDR_IN_USE, NULL);
    assert_int_equal(hall->err, HYPHA_ERR_ADDR_IN_USE);
    hall->listening = 0;
    bind_it(hall);
    assert_int_equal(hall->err, HYPHA_OK);
    hall->listener.events->on_end(&hall->listener, HYPHA_ERR_SYSTEM, hall->listener.user);
    assert_int_equal(hall->ended, 1);
    assert_int_equal(hall->why, HYPHA_ERR_SYSTEM);
    assert_true(hall->closed);
    assert_null(hy_acceptor_url(hall->acceptor));
    hall->listening = 0;
    bind_it(hall);
    tear_down(hall);
}

static void destroy_cancels_a_bind(void **unused)
{
    struct hall *hall = set_up();

    (void)unused;
    must(hy_acceptor_start(hall->acceptor));
    tear_down(hall);
}

static void foreign_schemes_have_no_listener(void **unused)
{
    struct hall *hall = set_up();

    (void)unused;
    hall->transport.scheme = "quic";
    assert_int_equal(hy_acceptor_start(hall->acceptor), HYPHA_ERR_UNSUPPORTED_TRANSPORT);
    tear_down(hall);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_peer_becomes_a_channel),
        cmocka_unit_test(black_peers_are_dropped),
        cmocka_unit_test(a_silent_peer_has_its_own_clock),
        cmocka_unit_test(a_flood_pushes_out_its_own),
        cmocka_unit_test(a_flood_of_one_ipv6_network_too),
        cmocka_unit_test(the_third_of_an_address_is_refused),
        cmocka_unit_test(who_does_nothing_goes_first),
        cmocka_unit_test(channels_give_way_too),
        cmocka_unit_test(pauses_hold_from_before_the_bind),
        cmocka_unit_test(failures_are_told_and_may_be_retried),
        cmocka_unit_test(destroy_cancels_a_bind),
        cmocka_unit_test(foreign_schemes_have_no_listener),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
