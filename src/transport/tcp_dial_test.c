/* transport/tcp_dial_test.c - which of a name's addresses are tried, in which order, and when.
 *
 * The loop is the real one with another resolver: it answers with what the test wants to hear.
 * spec: transports.md 2, 13.2 */
#include "transport/tcp.h"

#include "base/alloc.h"
#include <arpa/inet.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>
#include <sys/select.h>
#include <unistd.h>

#include <cmocka.h>

#define GUARD_MS 10000

struct fake_resolve {
    struct hy_resolve base;
    struct hy_timer timer;
    hy_resolve_cb cb;
    void *user;
};

static struct {
    struct hypha_loop *loop;
    const struct hy_loop_ops *real_ops;
    struct hy_loop_ops ops;
    struct hy_tcp *tcp;
    /* the answer */
    struct hy_endpoint endpoints[8];
    size_t count;
    enum hypha_err resolve_err;
    /* the outcome */
    bool done;
    enum hypha_err err;
    int fd;
    /* the filter's */
    struct hy_ip refused;
    unsigned asked;
} t;

static void answer(void *user)
{
    struct fake_resolve *resolve = user;
    hy_resolve_cb cb = resolve->cb;
    void *cb_user = resolve->user;

    hy_free(resolve);
    cb(cb_user, t.resolve_err, t.endpoints, t.resolve_err == HYPHA_OK ? t.count : 0);
}

static enum hypha_err fake_resolve_start(struct hypha_loop *loop, const char *host, uint16_t port,
    hy_resolve_cb cb, void *user, struct hy_resolve **ret_resolve)
{
    struct fake_resolve *resolve = hy_alloc(sizeof *resolve);

    (void)port;
    assert_non_null(resolve);
    assert_string_equal(host, "many.example");
    resolve->base.loop = loop;
    resolve->cb = cb;
    resolve->user = user;
    hy_timer_init(&resolve->timer, loop, answer, resolve);
    hy_timer_start(&resolve->timer, 1);
    *ret_resolve = &resolve->base;
    return HYPHA_OK;
}

static void fake_resolve_cancel(struct hy_resolve *base)
{
    struct fake_resolve *resolve = (struct fake_resolve *)base;

    hy_timer_stop(&resolve->timer);
    hy_free(resolve);
}

static bool filter(void *user, const struct hy_ip *ip)
{
    (void)user;
    t.asked++;
    return !hy_ip_equal(ip, &t.refused);
}

static int setup(void **state)
{
    (void)state;
    memset(&t, 0, sizeof t);
    t.fd = -1;
    assert_int_equal(hypha_loop_create(&t.loop), HYPHA_OK);
    t.real_ops = t.loop->ops;
    t.ops = *t.real_ops;
    t.ops.resolve_start = fake_resolve_start;
    t.ops.resolve_cancel = fake_resolve_cancel;
    t.loop->ops = &t.ops;
    assert_int_equal(hy_tcp_create(t.loop, "tcp", filter, NULL, &t.tcp), HYPHA_OK);
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    if (t.fd >= 0)
        close(t.fd);
    hy_transport_destroy(&t.tcp->base);
    t.loop->ops = t.real_ops;
    hypha_loop_destroy(t.loop);
    return 0;
}

static struct hy_endpoint endpoint(const char *text, uint16_t port)
{
    struct hy_endpoint made = { .port = port };

    made.ip.len = strchr(text, ':') != NULL ? 16 : 4;
    assert_int_equal(inet_pton(made.ip.len == 16 ? AF_INET6 : AF_INET, text, made.ip.bytes), 1);
    return made;
}

/* A listening socket; its port goes into *ret_endpoint. */
static int listen_at(const char *ip, int backlog, struct hy_endpoint *ret_endpoint)
{
    struct hy_endpoint at = endpoint(ip, 0);
    int fd = -1;

    assert_int_equal(hy_socket_open(&at, &fd), HYPHA_OK);
    assert_int_equal(hy_socket_listen(fd, &at, &at.port), HYPHA_OK);
    assert_int_equal(listen(fd, backlog), 0);
    *ret_endpoint = at;
    return fd;
}

/* Nobody listens there. */
static struct hy_endpoint refusing(const char *ip)
{
    struct hy_endpoint at;

    close(listen_at(ip, 1, &at));
    return at;
}

/* A backlog of one that is full: connects hang. */
static int hanging(struct hy_endpoint *ret_endpoint, int *ret_filling)
{
    int fd = listen_at("127.0.0.1", 0, ret_endpoint);

    assert_int_equal(hy_socket_open(ret_endpoint, ret_filling), HYPHA_OK);
    assert_int_equal(hy_socket_connect(*ret_filling, ret_endpoint), HYPHA_OK);
    return fd;
}

static void on_dialed(void *user, enum hypha_err err, int fd)
{
    assert_false(t.done);
    t.done = true;
    t.err = err;
    t.fd = fd;
    hy_tcp_dial_destroy(*(struct hy_tcp_dial **)user);
    hypha_loop_stop(t.loop);
}

static void on_guard(void *user)
{
    (void)user;
    fail();
}

/* Dial the name that stands for t.endpoints; returns how long it took. */
static uint64_t dial(void)
{
    struct hy_tcp_dial *dial = NULL;
    struct hypha_url *url = NULL;
    struct hy_timer guard;
    uint64_t start = hy_now_us(t.loop);

    assert_int_equal(hypha_url_parse_text("tcp://many.example:7", &url), HYPHA_OK);
    assert_int_equal(hy_tcp_dial_create(t.tcp, url, on_dialed, &dial, &dial), HYPHA_OK);
    hypha_url_unref(url);
    assert_false(t.done);
    hy_timer_init(&guard, t.loop, on_guard, NULL);
    hy_timer_start(&guard, GUARD_MS);
    while (!t.done)
        assert_int_equal(hypha_loop_run(t.loop), HYPHA_OK);
    hy_timer_stop(&guard);
    return (hy_now_us(t.loop) - start) / 1000;
}

static bool is_connected_to(const struct hy_endpoint *to)
{
    struct sockaddr_storage address = { 0 };
    socklen_t len = sizeof address;
    struct hy_endpoint peer;

    return t.fd >= 0 && getpeername(t.fd, (struct sockaddr *)&address, &len) == 0 &&
        hy_socket_endpoint(&address, &peer) && hy_ip_equal(&peer.ip, &to->ip) &&
        peer.port == to->port;
}

/* spec: network.md MUST 6.1-d: the second of them answers */
static void test_next_after_refusal(void **state)
{
    int fd;

    (void)state;
    for (size_t i = 0; i < 7; i++)
        t.endpoints[i] = refusing("127.0.0.1");
    fd = listen_at("127.0.0.1", 8, &t.endpoints[7]);
    t.count = 8;
    assert_true(dial() < 1500); /* seven waits would take 1750 ms: a refusal ends the wait */
    assert_int_equal(t.err, HYPHA_OK);
    assert_true(is_connected_to(&t.endpoints[7]));
    assert_int_equal(t.asked, 8);
    close(fd);
}

static void test_next_beside_one_that_hangs(void **state)
{
    int filling = -1, fd, open;

    (void)state;
    fd = hanging(&t.endpoints[0], &filling);
    open = listen_at("127.0.0.1", 8, &t.endpoints[1]);
    t.count = 2;
    uint64_t took = dial();

    assert_true(took >= 240 && took < 2000);
    assert_int_equal(t.err, HYPHA_OK);
    assert_true(is_connected_to(&t.endpoints[1]));
    close(filling);
    close(fd);
    close(open);
}

static void test_ipv6_first(void **state)
{
    int four, six;

    (void)state;
    four = listen_at("127.0.0.1", 8, &t.endpoints[0]);
    t.endpoints[1] = t.endpoints[0];
    six = listen_at("::1", 8, &t.endpoints[2]);
    t.count = 3;
    (void)dial();
    assert_int_equal(t.err, HYPHA_OK);
    assert_true(is_connected_to(&t.endpoints[2]));
    close(four);
    close(six);
}

/* v6 v6 v4 v4 are tried v6 v4 v6 v4: the second try is the first IPv4 address. */
static void test_families_alternate(void **state)
{
    int four, six;

    (void)state;
    t.endpoints[0] = refusing("::1");
    six = listen_at("::1", 8, &t.endpoints[1]);
    four = listen_at("127.0.0.1", 8, &t.endpoints[2]);
    t.endpoints[3] = refusing("127.0.0.1");
    t.count = 4;
    (void)dial();
    assert_int_equal(t.err, HYPHA_OK);
    assert_true(is_connected_to(&t.endpoints[2]));
    close(four);
    close(six);
}

/* spec: network.md MUST 6.1-d */
static void test_all_fail(void **state)
{
    (void)state;
    t.endpoints[0] = refusing("127.0.0.1");
    t.endpoints[1] = refusing("::1");
    t.endpoints[2] = endpoint("255.255.255.255", 1); /* no route says less than a refusal */
    t.count = 3;
    (void)dial();
    assert_int_equal(t.fd, -1);
    assert_true(t.err == HYPHA_ERR_REFUSED || t.err == HYPHA_ERR_ACCESS);
}

/* spec: network.md 4.4: what a name resolves to is filtered too. */
static void test_filter(void **state)
{
    int first, second;

    (void)state;
    first = listen_at("127.0.0.1", 8, &t.endpoints[0]);
    second = listen_at("127.0.0.2", 8, &t.endpoints[1]);
    t.count = 2;
    t.refused = t.endpoints[0].ip;
    (void)dial();
    assert_int_equal(t.err, HYPHA_OK);
    assert_true(is_connected_to(&t.endpoints[1]));
    close(t.fd);
    t.fd = -1;
    t.done = false;
    t.count = 1;
    (void)dial();
    assert_int_equal(t.err, HYPHA_ERR_BAD_ADDRESS);
    close(first);
    close(second);
}

static void test_resolver_fails(void **state)
{
    (void)state;
    t.resolve_err = HYPHA_ERR_RESOLVE;
    (void)dial();
    assert_int_equal(t.err, HYPHA_ERR_RESOLVE);
    t.done = false;
    t.resolve_err = HYPHA_OK; /* and nothing found */
    (void)dial();
    assert_int_equal(t.err, HYPHA_ERR_RESOLVE);
}

static void on_nothing(void *user, enum hypha_err err, int fd)
{
    (void)user;
    (void)err;
    (void)fd;
    fail();
}

static void on_until(void *user)
{
    (void)user;
    hypha_loop_stop(t.loop);
}

static void test_given_up(void **state)
{
    struct hy_tcp_dial *dial = NULL;
    struct hypha_url *url = NULL;
    int filling = -1, fd = hanging(&t.endpoints[0], &filling);

    (void)state;
    t.endpoints[1] = t.endpoints[0];
    t.count = 2;
    assert_int_equal(hypha_url_parse_text("tcp://many.example:7", &url), HYPHA_OK);
    for (uint64_t ms = 0; ms < 400; ms += 100) { /* resolving, one try, two tries under way */
        struct hy_timer until;

        assert_int_equal(hy_tcp_dial_create(t.tcp, url, on_nothing, NULL, &dial), HYPHA_OK);
        hy_timer_init(&until, t.loop, on_until, NULL);
        hy_timer_start(&until, ms);
        if (ms > 0)
            assert_int_equal(hypha_loop_run(t.loop), HYPHA_OK);
        hy_timer_stop(&until);
        hy_tcp_dial_destroy(dial);
    }
    hypha_url_unref(url);
    close(filling);
    close(fd);
}

static int option(int fd, int level, int name)
{
    int value = -1;
    socklen_t len = sizeof value;

    assert_int_equal(getsockopt(fd, level, name, &value, &len), 0);
    return value;
}

static void check_options(int fd)
{
    assert_int_equal(option(fd, IPPROTO_TCP, TCP_NODELAY), 1);
    assert_int_equal(option(fd, SOL_SOCKET, SO_KEEPALIVE), 1);
    assert_int_equal(option(fd, IPPROTO_TCP, TCP_KEEPIDLE), 20);
    assert_int_equal(option(fd, IPPROTO_TCP, TCP_USER_TIMEOUT), 60000);
    assert_int_equal(option(fd, SOL_SOCKET, SO_REUSEPORT), 0);
}

/* spec: transports.md 2; accepted sockets have them too. */
static void test_options(void **state)
{
    struct hy_endpoint at;
    int fd = listen_at("::1", 8, &at), client = -1;

    (void)state;
    assert_int_equal(hy_socket_open(&at, &client), HYPHA_OK);
    assert_int_equal(hy_socket_connect(client, &at), HYPHA_OK);
    t.fd = accept(fd, NULL, NULL);
    if (t.fd < 0) { /* the socket does not block: the handshake takes its moment */
        struct timeval moment = { .tv_sec = 5 };
        fd_set set;

        FD_ZERO(&set);
        FD_SET(fd, &set);
        assert_int_equal(select(fd + 1, &set, NULL, NULL, &moment), 1);
        t.fd = accept(fd, NULL, NULL);
    }
    assert_true(t.fd >= 0);
    check_options(client);
    check_options(fd);
    check_options(t.fd);
    assert_int_equal(option(fd, IPPROTO_IPV6, IPV6_V6ONLY), 1);
    assert_int_equal(option(client, IPPROTO_IPV6, IPV6_V6ONLY), 1);
    assert_int_equal(option(fd, SOL_SOCKET, SO_REUSEADDR), 1);
    close(client);
    close(fd);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(test_##name, setup, teardown)
    const struct CMUnitTest tests[] = {
        TEST(next_after_refusal),
        TEST(next_beside_one_that_hangs),
        TEST(ipv6_first),
        TEST(families_alternate),
        TEST(all_fail),
        TEST(filter),
        TEST(resolver_fails),
        TEST(given_up),
        TEST(options),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
