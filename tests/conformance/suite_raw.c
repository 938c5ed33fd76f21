/* tests/conformance/suite_raw.c - peers that are bare sockets: silent, killed, or too many. */
#include "conformance/suite.h"

#include <errno.h>
#include <netinet/in.h>
#include <poll.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

static socklen_t loopback(const struct world *world, uint16_t port, struct sockaddr_storage *at)
{
    struct sockaddr_in v4 = { .sin_family = AF_INET, .sin_port = htons(port) };
    struct sockaddr_in6 v6 = { .sin6_family = AF_INET6, .sin6_port = htons(port) };

    memset(at, 0, sizeof *at);
    v4.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    v6.sin6_addr = in6addr_loopback;
    if (strchr(world->factory->listen_url, '[') != NULL) {
        memcpy(at, &v6, sizeof v6);
        return sizeof v6;
    }
    memcpy(at, &v4, sizeof v4);
    return sizeof v4;
}

static int raw_connect(const struct world *world, uint16_t port)
{
    struct sockaddr_storage at;
    socklen_t len = loopback(world, port, &at);
    int fd = socket(at.ss_family, SOCK_STREAM, 0);

    assert_true(fd >= 0);
    assert_int_equal(connect(fd, (struct sockaddr *)&at, len), 0);
    return fd;
}

static int raw_listen(const struct world *world, int backlog, uint16_t *ret_port)
{
    struct sockaddr_storage at;
    socklen_t len = loopback(world, 0, &at);
    int fd = socket(at.ss_family, SOCK_STREAM, 0);

    assert_true(fd >= 0);
    assert_int_equal(bind(fd, (struct sockaddr *)&at, len), 0);
    assert_int_equal(listen(fd, backlog), 0);
    assert_int_equal(getsockname(fd, (struct sockaddr *)&at, &len), 0);
    struct sockaddr_in v4; /* the port is at the same place in both */

    memcpy(&v4, &at, sizeof v4);
    *ret_port = ntohs(v4.sin_port);
    return fd;
}

/* A reset instead of a FIN: what a killed machine or process leaves behind. */
static void kill_socket(int fd)
{
    struct linger now = { .l_onoff = 1 };

    assert_int_equal(setsockopt(fd, SOL_SOCKET, SO_LINGER, &now, sizeof now), 0);
    close(fd);
}

static bool door_has_three(void *user)
{
    return ((struct door *)user)->count == 3;
}

/* spec: network.md 6.2, wire.md 7 trap 14 */
void test_silent_client_blocks_no_other(void **state)
{
    struct world *world = *state;
    struct door door;

    door_listen(&door, world);
    door.model.echo = true;
    int first = raw_connect(world, hypha_url_port(door.listener->url));
    int second = raw_connect(world, hypha_url_port(door.listener->url));
    struct end *end = end_dial(world, door.listener->url);

    world_until(world, door_has_three, &door);
    world_until(world, end_is_ready, end);
    if (world->factory->tls)
        assert_false(door.accepted[0]->ready || door.accepted[0]->ended);
    end_free(end);
    door_close(&door);
    close(first);
    close(second);
}

void test_silent_server_can_be_closed(void **state)
{
    struct world *world = *state;
    uint16_t port = 0;
    int listening = raw_listen(world, 8, &port);
    struct hypha_url *url = url_of_port(world, port);
    struct end *end = end_dial(world, url);

    world_for(world, 50);
    assert_true(end->ready == !world->factory->tls);
    assert_false(end->ended);
    end_free(end);
    world_for(world, 5);
    hypha_url_unref(url);
    close(listening);
}

static bool door_has_one(void *user)
{
    return ((struct door *)user)->count == 1;
}

static void kill_a_client(struct world *world, bool by_reset)
{
    struct door door;

    door_listen(&door, world);
    door.model.auto_read = true;
    int client = raw_connect(world, hypha_url_port(door.listener->url));

    world_until(world, door_has_one, &door);
    world_for(world, 5);
    if (by_reset)
        kill_socket(client);
    else
        close(client);
    world_until(world, end_is_ended, door.accepted[0]);
    assert_int_equal(door.accepted[0]->why, by_reset ? HYPHA_ERR_RESET : HYPHA_ERR_EOF);
    door_close(&door);
}

void test_killed_while_shaking_hands(void **state)
{
    kill_a_client(*state, true);
    kill_a_client(*state, false);
}

/* The bytes that came before the reset are still told. */
void test_killed_when_ready(void **state)
{
    struct world *world = *state;
    uint16_t port = 0;

    if (world->factory->tls)
        skip(); /* a bare socket never makes such a stream ready */
    int listening = raw_listen(world, 8, &port);
    struct hypha_url *url = url_of_port(world, port);
    struct end *end = end_dial(world, url);

    end->auto_read = true;
    world_until(world, end_is_ready, end);
    int server = accept(listening, NULL, NULL);

    assert_true(server >= 0);
    kill_socket(server);
    world_until(world, end_is_ended, end);
    assert_int_equal(end->why, HYPHA_ERR_RESET);
    end_free(end);
    hypha_url_unref(url);
    close(listening);
}

/* A full backlog drops the SYN: the connect hangs. */
void test_connect_without_answer_can_be_closed(void **state)
{
    struct world *world = *state;
    uint16_t port = 0;
    int listening = raw_listen(world, 0, &port);
    struct hypha_url *url = url_of_port(world, port);
    int filling = raw_connect(world, port);
    struct end *end = end_dial(world, url);

    world_for(world, 50);
    assert_false(end->ready || end->ended);
    end_free(end);
    world_for(world, 5);
    close(filling);
    hypha_url_unref(url);
    close(listening);
}

struct baseline {
    size_t descriptors;
};

static bool is_at_baseline(void *user)
{
    return count_descriptors() <= ((struct baseline *)user)->descriptors;
}

/* Look again now and then, though nothing happens. */
static void until_at_baseline(struct world *world, struct baseline *baseline)
{
    for (int i = 0; i < 300 && !is_at_baseline(baseline); i++)
        world_for(world, 10);
    assert_true(is_at_baseline(baseline));
}

static bool is_over(void *user)
{
    struct pair *pair = user;

    return pair->near->ready && pair->door.count == 1 && pair->door.accepted[0]->ready;
}

void test_thousand_dials_leak_nothing(void **state)
{
    struct world *world = *state;
    struct pair pair = { 0 };
    struct baseline baseline;

    door_listen(&pair.door, world);
    world_for(world, 1);
    baseline.descriptors = count_descriptors();
    int dials = is_under_valgrind() ? 50 : 1000;

    for (int i = 0; i < dials; i++) {
        pair.near = end_dial(world, pair.door.listener->url);
        pair.near->auto_read = true;
        pair.door.model.auto_read = true;
        if (i % 4 == 0) /* a quarter is given up before it is ready */
            world_for(world, 0);
        else
            world_until(world, is_over, &pair);
        if (i % 2 == 0)
            end_close(pair.near);
        end_free(pair.near);
        for (size_t k = 0; k < pair.door.count; k++)
            end_free(pair.door.accepted[k]);
        pair.door.count = 0;
    }
    for (int i = 0; i < 20; i++) { /* those still in the backlog */
        world_for(world, 2);
        for (size_t k = 0; k < pair.door.count; k++)
            end_free(pair.door.accepted[k]);
        pair.door.count = 0;
    }
    until_at_baseline(world, &baseline);
    door_close(&pair.door);
}

static bool far_has_ended(void *user)
{
    struct pair *pair = user;

    return pair->far->ended;
}

static bool near_has_handed_over(void *user)
{
    struct pair *pair = user;

    return pair->near->written == pair->near->to_write &&
        hy_stream_pending(pair->near->stream) == 0;
}

/* We close while the peer's bytes lie unread with us and more keep coming: a reset would throw away
 * the end of what we wrote. It must arrive whole. */
void test_last_bytes_arrive_against_the_stream(void **state)
{
    struct world *world = *state;
    struct pair pair;

    pair_open(&pair, world);
    pair.far->to_write = 64 * 1024 * 1024; /* far sends for ever, near never reads */
    end_pump(pair.far);
    pair.near->to_write = 1500 * 1000;
    pair.near->write_seed = pair.far->read_seed = 3;
    end_pump(pair.near);
    end_read(pair.far, true);
    world_until(world, near_has_handed_over, &pair);
    end_close(pair.near);
    world_until(world, far_has_ended, &pair);
    assert_int_equal(pair.far->read_bytes, 1500 * 1000);
    assert_false(pair.far->wrong_bytes);
    pair_close(&pair);
}

/* spec: network.md 6.2: short of descriptors, wait and go on. */
void test_out_of_descriptors(void **state)
{
    struct world *world = *state;
    struct rlimit before, less;
    struct door door;

    if (is_under_valgrind())
        skip();
    door_listen(&door, world);
    assert_int_equal(getrlimit(RLIMIT_NOFILE, &before), 0);
    int client = raw_connect(world, hypha_url_port(door.listener->url));

    less = before;
    less.rlim_cur = (rlim_t)client + 1;
    assert_int_equal(setrlimit(RLIMIT_NOFILE, &less), 0);
    uint64_t started = hy_now_ms(world->loop);

    world_for(world, 250);
    assert_int_equal(door.count, 0);
    assert_false(door.ended);
    struct hypha_url *url = hypha_url_ref(door.listener->url);
    struct end end = { 0 };
    enum hypha_err err = end_try_dial(world, url, &end);

    if (err == HYPHA_OK) {
        world_until(world, end_is_ended, &end);
        err = end.why;
        end_close(&end);
    }
    assert_int_equal(err, HYPHA_ERR_FILES);
    assert_int_equal(setrlimit(RLIMIT_NOFILE, &before), 0);
    world_until(world, door_has_one, &door);
    assert_true(hy_now_ms(world->loop) - started < 5000);
    hypha_url_unref(url);
    door_close(&door);
    close(client);
}
