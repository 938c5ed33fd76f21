/* tests/conformance/tls_peers_test.c - our TLS against GnuTLS peers of every kind: whom we accept,
 * whom we refuse and how we tell them. spec: wire.md 6 */
#include "conformance/tls_peer.h"
#include "conformance/world.h"

#include "transport/certificate.h"
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#define ALERT_BAD_CERTIFICATE      42
#define ALERT_CERTIFICATE_REQUIRED 116

static void open_world(struct world *world)
{
    const bool plain = strcmp(world->factory->name, "tcp") == 0;

    assert_int_equal(hypha_loop_create(&world->loop), HYPHA_OK);
    assert_int_equal((plain ? hy_transport_tcp_create : hy_transport_tls_create)(
                         world->loop, NULL, NULL, &world->transport),
        HYPHA_OK);
}

static void close_world(struct world *world)
{
    hy_transport_destroy(world->transport);
    hypha_loop_destroy(world->loop);
}

static int setup_tls(void **state)
{
    static const struct factory factory = {
        .name = "tcp+tls",
        .listen_url = "tcp+tls://127.0.0.1:0",
        .open = open_world,
        .close = close_world,
    };
    return world_setup(state, &factory);
}

static int setup_tcp(void **state)
{
    static const struct factory factory = {
        .name = "tcp",
        .listen_url = "tcp://127.0.0.1:0",
        .open = open_world,
        .close = close_world,
    };
    return world_setup(state, &factory);
}

static struct hypha_url *url_of(const char *scheme, uint16_t port)
{
    struct hypha_url *url = NULL;
    char text[64];

    (void)snprintf(text, sizeof text, "%s://127.0.0.1:%u", scheme, (unsigned)port);
    assert_int_equal(hypha_url_parse_text(text, &url), HYPHA_OK);
    return url;
}

static bool has_one(void *user)
{
    return ((struct door *)user)->count == 1;
}

static bool has_echo(void *user)
{
    const struct end *end = user;

    return end->ended || end->read_bytes >= end->to_write;
}

/* Both roles end here: our end is ready or ended; if ready, an echo shows that bytes flow. */
static enum hypha_err outcome_of(struct world *world, struct end *end)
{
    world_until(world, end_is_done, end);
    if (end->ready && !end->ended) {
        end_read(end, true);
        end->to_write = 20000;
        end_pump(end);
        world_until(world, has_echo, end);
        assert_false(end->wrong_bytes);
    }
    return end->ended ? end->why : HYPHA_OK;
}

/* The peer is a client of ours. */
static enum hypha_err meet_client(struct world *world, struct tls_peer *peer)
{
    struct door door;

    door_listen(&door, world);
    peer->port = hypha_url_port(door.listener->url);
    peer_start(peer);
    world_until(world, has_one, &door);
    enum hypha_err err = outcome_of(world, door.accepted[0]);

    door_close(&door);
    world_for(world, 1);
    peer_join(peer);
    return err;
}

/* The peer is a server that we dial. */
static enum hypha_err meet_server(struct world *world, struct tls_peer *peer)
{
    peer->server = true;
    peer->request_certificate = true;
    peer_start(peer);
    struct hypha_url *url = url_of("tcp+tls", peer->port);
    struct end *end = end_dial(world, url);
    enum hypha_err err = outcome_of(world, end);

    end_free(end);
    hypha_url_unref(url);
    world_for(world, 1);
    peer_join(peer);
    return err;
}

static const struct recipe good_ones[] = {
    { .name = "plain" },
    { .name = "expired", .expired = true },
    { .name = "without subject", .no_subject = true },
    { .name = "key usage without digitalSignature", .odd_usage = true },
    { .name = "unknown critical extension", .critical_unknown = true },
    { .name = "signed by another key", .foreign_signature = true },
};

static const struct recipe bad_ones[] = {
    { .name = "two names", .names = { "dark.fi", "example.org" } },
    { .name = "the name twice", .names = { "dark.fi", "dark.fi" } },
    { .name = "other name", .names = { "example.org" } },
    { .name = "other case", .names = { "Dark.fi" } },
    { .name = "longer name", .names = { "dark.fi." } },
    { .name = "wildcard", .names = { "*.fi" } },
    { .name = "name and address", .ip_name = true },
    { .name = "no name", .no_names = true },
    { .name = "X.509 v1", .v1 = true },
};

static void test_good_certificates(void **state)
{
    for (size_t i = 0; i < sizeof good_ones / sizeof good_ones[0]; i++) {
        struct tls_peer client = { .recipe = &good_ones[i] };
        struct tls_peer server = { .recipe = &good_ones[i] };
        enum hypha_err as_client = meet_client(*state, &client);
        enum hypha_err as_server = meet_server(*state, &server);

        if (as_client != HYPHA_OK || as_server != HYPHA_OK)
            fail_msg("%s: %s as client, %s as server", good_ones[i].name, hypha_err_name(as_client),
                hypha_err_name(as_server));
        assert_int_equal(client.handshake, 0);
        assert_int_equal(server.handshake, 0);
    }
}

static void test_bad_certificates(void **state)
{
    for (size_t i = 0; i < sizeof bad_ones / sizeof bad_ones[0]; i++) {
        struct tls_peer client = { .recipe = &bad_ones[i] };
        struct tls_peer server = { .recipe = &bad_ones[i] };
        enum hypha_err as_client = meet_client(*state, &client);
        enum hypha_err as_server = meet_server(*state, &server);

        if (as_client != HYPHA_ERR_CERTIFICATE || as_server != HYPHA_ERR_CERTIFICATE)
            fail_msg("%s: %s as client, %s as server", bad_ones[i].name, hypha_err_name(as_client),
                hypha_err_name(as_server));
        /* The client is through first, and hears of it on its first read. */
        assert_int_equal(client.handshake, 0);
        assert_int_equal(client.alert, ALERT_BAD_CERTIFICATE);
        assert_int_equal(server.handshake, GNUTLS_E_FATAL_ALERT_RECEIVED);
        assert_int_equal(server.alert, ALERT_BAD_CERTIFICATE);
    }
}

static void test_other_keys(void **state)
{
    static const struct recipe others[] = {
        { .name = "RSA", .key = GNUTLS_PK_RSA },
        { .name = "ECDSA", .key = GNUTLS_PK_ECDSA },
        { .name = "Ed448", .key = GNUTLS_PK_EDDSA_ED448 },
    };

    for (size_t i = 0; i < sizeof others / sizeof others[0]; i++) {
        struct tls_peer client = { .recipe = &others[i] };
        struct tls_peer server = { .recipe = &others[i] };
        enum hypha_err as_client = meet_client(*state, &client);
        enum hypha_err as_server = meet_server(*state, &server);

        /* Such a key cannot sign with ed25519: a client then shows none, a server gives up. */
        assert_true(as_client == HYPHA_ERR_CERTIFICATE || as_client == HYPHA_ERR_TLS);
        assert_true(as_server == HYPHA_ERR_CERTIFICATE || as_server == HYPHA_ERR_TLS);
        assert_true(server.handshake != 0);
        assert_true(client.handshake != 0 || client.alert != -1);
    }
}

static void test_no_certificate(void **state)
{
    static const struct recipe none = { .name = "none", .none = true };
    struct tls_peer client = { .recipe = &none };

    assert_int_equal(meet_client(*state, &client), HYPHA_ERR_CERTIFICATE);
    assert_int_equal(client.alert, ALERT_CERTIFICATE_REQUIRED);
}

static void test_older_versions(void **state)
{
    static const char *const older[] = { "NORMAL:-VERS-ALL:+VERS-TLS1.2",
        "NORMAL:-VERS-ALL:+VERS-TLS1.1:+VERS-TLS1.0" };

    for (size_t i = 0; i < 2; i++) {
        struct tls_peer client = { .priority = older[i] };
        struct tls_peer server = { .priority = older[i] };

        assert_int_equal(meet_client(*state, &client), HYPHA_ERR_TLS);
        assert_int_equal(meet_server(*state, &server), HYPHA_ERR_TLS);
        assert_true(client.handshake != 0 && server.handshake != 0);
    }
}

/* spec: wire.md 6, cipher suites and groups; another group than x25519 takes a second hello. */
static void test_each_suite_and_group(void **state)
{
    static const char *const known[] = { "-CIPHER-ALL:+AES-256-GCM", "-CIPHER-ALL:+AES-128-GCM",
        "-CIPHER-ALL:+CHACHA20-POLY1305", "-GROUP-ALL:+GROUP-X25519", "-GROUP-ALL:+GROUP-SECP256R1",
        "-GROUP-ALL:+GROUP-SECP384R1", "-SIGN-ALL:+SIGN-EDDSA-ED25519" };
    static const char *const foreign[] = { "-CIPHER-ALL:+AES-128-CCM",
        "-GROUP-ALL:+GROUP-SECP521R1", "-SIGN-ALL:+SIGN-RSA-PSS-RSAE-SHA256" };
    char text[128];

    for (size_t i = 0; i < sizeof known / sizeof known[0]; i++) {
        struct tls_peer client = { .priority = text }, server = { .priority = text };

        (void)snprintf(text, sizeof text, "%s:%s", PEER_NORMAL, known[i]);
        assert_int_equal(meet_client(*state, &client), HYPHA_OK);
        assert_int_equal(meet_server(*state, &server), HYPHA_OK);
    }
    for (size_t i = 0; i < sizeof foreign / sizeof foreign[0]; i++) {
        struct tls_peer client = { .priority = text }, server = { .priority = text };

        (void)snprintf(text, sizeof text, "%s:%s", PEER_NORMAL, foreign[i]);
        assert_int_not_equal(meet_client(*state, &client), HYPHA_OK);
        assert_int_not_equal(meet_server(*state, &server), HYPHA_OK);
    }
}

/* Whatever a client calls us or offers, we do not mind; we ask for dark.fi and show a certificate.
 */
static void test_names_and_protocols(void **state)
{
    struct tls_peer client = { .sni = "example.org", .alpn = "h2" };
    struct tls_peer nameless = { .sni = NULL };
    struct tls_peer server = { .alpn = "h2" };

    assert_int_equal(meet_client(*state, &client), HYPHA_OK);
    assert_int_equal(meet_client(*state, &nameless), HYPHA_OK);
    assert_true(nameless.had_certificate);
    assert_int_equal(meet_server(*state, &server), HYPHA_OK);
    assert_string_equal(server.seen_sni, "dark.fi");
    assert_true(server.had_certificate);
    assert_true(hy_certificate_is_acceptable(
        (struct hypha_span){ server.certificate, server.certificate_len }));
}

/* A fresh identity per dial, and per listener. */
static void test_identities_are_fresh(void **state)
{
    struct tls_peer first = { 0 }, second = { 0 }, third = { 0 }, fourth = { 0 };

    assert_int_equal(meet_server(*state, &first), HYPHA_OK);
    assert_int_equal(meet_server(*state, &second), HYPHA_OK);
    assert_int_equal(first.certificate_len, second.certificate_len);
    assert_memory_not_equal(first.certificate, second.certificate, first.certificate_len);
    assert_int_equal(meet_client(*state, &third), HYPHA_OK);
    assert_int_equal(meet_client(*state, &fourth), HYPHA_OK);
    assert_int_equal(third.certificate_len, fourth.certificate_len);
    assert_memory_not_equal(third.certificate, fourth.certificate, third.certificate_len);
}

static void test_tickets_and_key_updates(void **state)
{
    struct tls_peer server = { .tickets = true, .deed = PEER_KEY_UPDATE };
    struct tls_peer client = { .deed = PEER_KEY_UPDATE };

    assert_int_equal(meet_server(*state, &server), HYPHA_OK);
    assert_int_equal(meet_client(*state, &client), HYPHA_OK);
}

static void expect_eof(struct world *world, enum peer_deed deed)
{
    struct tls_peer peer = { .server = true, .deed = deed };

    peer_start(&peer);
    struct hypha_url *url = url_of("tcp+tls", peer.port);
    struct end *end = end_dial(world, url);

    end->auto_read = true;
    world_until(world, end_is_ended, end);
    assert_true(end->ready);
    assert_int_equal(end->why, HYPHA_ERR_EOF);
    end_free(end);
    hypha_url_unref(url);
    peer_join(&peer);
}

static void test_ends_without_and_with_close_notify(void **state)
{
    expect_eof(*state, PEER_CLOSE);
    expect_eof(*state, PEER_BYE);
}

/* ---- one-sided, as JSON-RPC uses it ---- */

static void test_one_sided(void **state)
{
    static const struct recipe none = { .name = "none", .none = true };
    struct world *world = *state;
    struct hy_tls_identity *identity = NULL;
    struct hy_stream *stream = NULL;
    struct door door;
    struct tls_peer peer = { .recipe = &none };

    assert_int_equal(hy_tls_identity_create(world->loop, &identity), HYPHA_OK);
    door_listen(&door, world);
    peer.port = hypha_url_port(door.listener->url);
    peer_start(&peer);
    world_until(world, has_one, &door);
    struct end *end = door.accepted[0];

    end->ready = false; /* that was TCP's */
    assert_int_equal(
        hy_tls_stream_create(world->loop, end->stream, HY_TLS_SERVER, identity, false, &stream),
        HYPHA_OK);
    hy_tls_identity_unref(identity);
    end_adopt(end, world, stream);
    assert_int_equal(outcome_of(world, end), HYPHA_OK);
    door_close(&door);
    world_for(world, 1);
    peer_join(&peer);
    assert_int_equal(peer.handshake, 0);
}

static enum hypha_err dial_one_sided(struct world *world, const struct recipe *recipe, bool late)
{
    struct hy_tls_identity *identity = NULL;
    struct hy_stream *stream = NULL;
    struct tls_peer peer = { .server = true, .recipe = recipe };

    peer_start(&peer);
    struct hypha_url *url = url_of("tcp", peer.port);
    struct end *end = end_dial(world, url);

    if (late) { /* over a stream that is ready already, as behind a proxy */
        world_until(world, end_is_ready, end);
        end->ready = false;
    }
    assert_int_equal(hy_tls_identity_create(world->loop, &identity), HYPHA_OK);
    assert_int_equal(
        hy_tls_stream_create(world->loop, end->stream, HY_TLS_CLIENT, identity, false, &stream),
        HYPHA_OK);
    hy_tls_identity_unref(identity);
    end_adopt(end, world, stream);
    enum hypha_err err = outcome_of(world, end);

    end_free(end);
    hypha_url_unref(url);
    world_for(world, 1);
    peer_join(&peer);
    assert_false(peer.had_certificate);
    return err;
}

static void test_one_sided_client(void **state)
{
    assert_int_equal(dial_one_sided(*state, &good_ones[0], false), HYPHA_OK);
    assert_int_equal(dial_one_sided(*state, &good_ones[0], true), HYPHA_OK);
    assert_int_equal(dial_one_sided(*state, &bad_ones[0], false), HYPHA_ERR_CERTIFICATE);
}

/* ---- what we say first, and what we make of nonsense ---- */

static int raw_listen(uint16_t *ret_port)
{
    struct sockaddr_in at = { .sin_family = AF_INET };
    socklen_t len = sizeof at;
    int fd = socket(AF_INET, SOCK_STREAM, 0);

    at.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    assert_int_equal(bind(fd, (struct sockaddr *)&at, sizeof at), 0);
    assert_int_equal(listen(fd, 1), 0);
    assert_int_equal(getsockname(fd, (struct sockaddr *)&at, &len), 0);
    *ret_port = ntohs(at.sin_port);
    return fd;
}

#define HAS(bytes, len, literal)                                                                   \
    assert_non_null(memmem((bytes), (len), (literal), sizeof(literal) - 1))

static void test_client_hello(void **state)
{
    struct world *world = *state;
    uint16_t port = 0;
    int listening = raw_listen(&port);
    struct hypha_url *url = url_of("tcp+tls", port);
    struct end *end = end_dial(world, url);
    uint8_t hello[2048];

    world_for(world, 100);
    int fd = accept(listening, NULL, NULL);
    ssize_t got = recv(fd, hello, sizeof hello, 0);

    assert_true(got > 100);
    size_t len = (size_t)got;

    HAS(hello, len, "\x00\x06\x13\x02\x13\x01\x13\x03"); /* suites, in this order */
    HAS(hello, len, "\x00\x2b\x00\x03\x02\x03\x04");     /* supported_versions: 1.3 */
    HAS(hello, len, "\x00\x0d\x00\x04\x00\x02\x08\x07"); /* signatures: ed25519 */
    HAS(hello, len, "\x00\x0a\x00\x08\x00\x06\x00\x1d\x00\x17\x00\x18"); /* groups */
    HAS(hello, len, "\x00\x33\x00\x26\x00\x24\x00\x1d\x00\x20");         /* one key share: x25519 */
    HAS(hello, len,
        "\x00\x00\x00\x0c\x00\x0a\x00\x00\x07"
        "dark.fi"); /* server_name */
    close(fd);
    close(listening);
    world_until(world, end_is_ended, end);
    end_free(end);
    hypha_url_unref(url);
}

/* Random bytes, a frame of the plain protocol, an HTTP request: an end, and nothing else. */
static void test_nonsense(void **state)
{
    static const char *const nonsense[] = { "GET / HTTP/1.1\r\nHost: dark.fi\r\n\r\n",
        "\xd9\xef\xb6\x7d\x04ping and a lot more of the plain protocol",
        "\x16\x03\x01\xff\xff\x01 a record too long for anybody to keep" };

    for (size_t i = 0; i < sizeof nonsense / sizeof nonsense[0]; i++) {
        struct world *world = *state;
        struct door door;
        struct sockaddr_in at = { .sin_family = AF_INET };

        door_listen(&door, world);
        at.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
        at.sin_port = htons(hypha_url_port(door.listener->url));
        int fd = socket(AF_INET, SOCK_STREAM, 0);

        assert_int_equal(connect(fd, (struct sockaddr *)&at, sizeof at), 0);
        assert_true(send(fd, nonsense[i], strlen(nonsense[i]), 0) > 0);
        world_until(world, has_one, &door);
        world_until(world, end_is_ended, door.accepted[0]);
        assert_false(door.accepted[0]->ready);
        assert_int_equal(door.accepted[0]->why, HYPHA_ERR_TLS);
        door_close(&door);
        close(fd);
    }
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(test_##name, setup_tls, world_teardown)
    const struct CMUnitTest tests[] = {
        TEST(good_certificates),
        TEST(bad_certificates),
        TEST(other_keys),
        TEST(no_certificate),
        TEST(older_versions),
        TEST(each_suite_and_group),
        TEST(names_and_protocols),
        TEST(identities_are_fresh),
        TEST(tickets_and_key_updates),
        TEST(ends_without_and_with_close_notify),
        TEST(client_hello),
        TEST(nonsense),
        cmocka_unit_test_setup_teardown(test_one_sided, setup_tcp, world_teardown),
        cmocka_unit_test_setup_teardown(test_one_sided_client, setup_tcp, world_teardown),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
