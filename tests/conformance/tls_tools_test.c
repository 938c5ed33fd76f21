/* tests/conformance/tls_tools_test.c - our TLS and the command-line tools of OpenSSL and GnuTLS, in
 * both roles. A tool that is not installed is skipped. spec: wire.md 6 */
#include "conformance/tls_peer.h"
#include "conformance/world.h"

#include <fcntl.h>
#include <netinet/in.h>
#include <signal.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#define MAX_ARGS  24
#define MAX_DIALS 200
#define LINE      "abcdefg hypha\n"
#define REVERSED  "ahpyh gfedcba"

struct tool {
    struct world *world;
    pid_t pid;
    int in, out;
    struct hy_poll *poll;
    char said[65536];
    size_t said_len;
    const char *wanted; /* in what it says */
    bool ended;
};

static char folder[] = "/tmp/hypha-tls-tools-XXXXXX";
static char certificate[64], key[64];

static void open_world(struct world *world)
{
    assert_int_equal(hypha_loop_create(&world->loop), HYPHA_OK);
    assert_int_equal(hy_transport_tls_create(world->loop, NULL, NULL, &world->transport), HYPHA_OK);
}

static void close_world(struct world *world)
{
    hy_transport_destroy(world->transport);
    hypha_loop_destroy(world->loop);
}

static int setup(void **state)
{
    static const struct factory factory = {
        .name = "tools",
        .listen_url = "tcp+tls://127.0.0.1:0",
        .open = open_world,
        .close = close_world,
    };
    return world_setup(state, &factory);
}

static int group_setup(void **state)
{
    static const struct recipe honest = { .name = "honest" };

    (void)state;
    (void)signal(SIGPIPE, SIG_IGN);
    assert_non_null(mkdtemp(folder));
    (void)snprintf(certificate, sizeof certificate, "%s/c.pem", folder);
    (void)snprintf(key, sizeof key, "%s/k.pem", folder);
    recipe_write(&honest, certificate, key);
    return 0;
}

static int group_teardown(void **state)
{
    (void)state;
    unlink(certificate);
    unlink(key);
    return rmdir(folder);
}

/* ---- a tool: a child process whose output the loop watches ---- */

static void on_said(void *user, unsigned events)
{
    struct tool *tool = user;
    ssize_t got = read(
        tool->out, tool->said + tool->said_len, sizeof tool->said - tool->said_len - 1);

    (void)events;
    if (got > 0) {
        tool->said_len += (size_t)got;
    } else {
        tool->ended = true;
        hy_poll_destroy(tool->poll);
        tool->poll = NULL;
    }
    hypha_loop_stop(tool->world->loop);
}

static bool has_said(void *user)
{
    struct tool *tool = user;

    return tool->ended ||
        memmem(tool->said, tool->said_len, tool->wanted, strlen(tool->wanted)) != NULL;
}

static void tool_start(struct tool *tool, struct world *world, const char *const *args)
{
    posix_spawn_file_actions_t actions;
    int in[2], out[2];

    memset(tool, 0, sizeof *tool);
    tool->world = world;
    assert_int_equal(pipe2(in, O_CLOEXEC), 0);
    assert_int_equal(pipe2(out, O_CLOEXEC), 0);
    assert_int_equal(posix_spawn_file_actions_init(&actions), 0);
    assert_int_equal(posix_spawn_file_actions_adddup2(&actions, in[0], 0), 0);
    assert_int_equal(posix_spawn_file_actions_adddup2(&actions, out[1], 1), 0);
    assert_int_equal(posix_spawn_file_actions_adddup2(&actions, out[1], 2), 0);
    assert_int_equal(
        posix_spawnp(&tool->pid, args[0], &actions, NULL, (char *const *)(uintptr_t)args, environ),
        0);
    posix_spawn_file_actions_destroy(&actions);
    close(in[0]);
    close(out[1]);
    tool->in = in[1];
    tool->out = out[0];
    assert_int_equal(fcntl(tool->out, F_SETFL, O_NONBLOCK), 0);
    assert_int_equal(
        hy_poll_create(world->loop, tool->out, HY_POLL_IN, on_said, tool, &tool->poll), HYPHA_OK);
}

static void tool_say(const struct tool *tool, const char *text)
{
    assert_int_equal(write(tool->in, text, strlen(text)), strlen(text));
}

static void tool_await(struct tool *tool, const char *wanted)
{
    tool->wanted = wanted;
    world_until(tool->world, has_said, tool);
    if (tool->ended)
        fail_msg("it ended: %s", tool->said);
}

static void tool_stop(struct tool *tool)
{
    int status = 0;

    hy_poll_destroy(tool->poll);
    close(tool->in);
    close(tool->out);
    (void)kill(tool->pid, SIGTERM);
    assert_int_equal(waitpid(tool->pid, &status, 0), tool->pid);
}

static bool is_there(const char *name)
{
    char command[64];

    (void)snprintf(command, sizeof command, "command -v %s >/dev/null 2>&1", name);
    return system(command) == 0; /* a constant of ours */
}

/* ---- our side ---- */

struct text_end {
    struct world *world;
    struct hy_stream *stream;
    struct hy_listener *listener;
    const char *greeting; /* said when ready; NULL: echo */
    char heard[256];
    size_t heard_len;
    const char *wanted;
    bool ready, ended;
    enum hypha_err why;
};

static void write_text(struct hy_stream *stream, const void *text, size_t len)
{
    struct iovec piece = { (void *)(uintptr_t)text, len };

    assert_int_equal(hy_stream_write(stream, &piece, 1), len);
}

static void on_ready(struct hy_stream *stream, void *user)
{
    struct text_end *end = user;

    end->ready = true;
    hy_stream_read_start(stream);
    if (end->greeting != NULL)
        write_text(stream, end->greeting, strlen(end->greeting));
    hypha_loop_stop(end->world->loop);
}

static void on_read(struct hy_stream *stream, struct hypha_span bytes, void *user)
{
    struct text_end *end = user;

    if (end->greeting == NULL)
        write_text(stream, bytes.at, bytes.len);
    for (size_t i = 0; i < bytes.len && end->heard_len < sizeof end->heard - 1; i++)
        end->heard[end->heard_len++] = (char)bytes.at[i];
    hypha_loop_stop(end->world->loop);
}

static void on_writable(struct hy_stream *stream, void *user)
{
    (void)stream;
    (void)user;
}

static void on_end(struct hy_stream *stream, enum hypha_err why, void *user)
{
    struct text_end *end = user;

    (void)stream;
    end->ended = true;
    end->why = why;
    hypha_loop_stop(end->world->loop);
}

static const struct hy_stream_events text_events = {
    .on_ready = on_ready,
    .on_read = on_read,
    .on_writable = on_writable,
    .on_end = on_end,
};

static void on_accept(
    struct hy_listener *listener, struct hy_stream *stream, struct hypha_url *peer, void *user)
{
    struct text_end *end = user;

    (void)listener;
    (void)peer;
    assert_null(end->stream);
    end->stream = stream;
    hy_stream_set_events(stream, &text_events, end);
}

static const struct hy_listener_events listener_events = { .on_accept = on_accept };

static bool has_heard_or_ended(void *user)
{
    const struct text_end *end = user;

    return end->ended || strstr(end->heard, end->wanted) != NULL;
}

static bool is_decided(void *user)
{
    const struct text_end *end = user;

    return end->ready || end->ended;
}

static void on_listening(void *user, enum hypha_err err, struct hy_listener *listener)
{
    struct text_end *end = user;

    assert_int_equal(err, HYPHA_OK);
    end->listener = listener;
    hypha_loop_stop(end->world->loop);
}

static bool is_listening(void *user)
{
    return ((struct text_end *)user)->listener != NULL;
}

static uint16_t free_port(void)
{
    struct sockaddr_in at = { .sin_family = AF_INET };
    socklen_t len = sizeof at;
    int fd = socket(AF_INET, SOCK_STREAM, 0);

    at.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    assert_int_equal(bind(fd, (struct sockaddr *)&at, sizeof at), 0);
    assert_int_equal(getsockname(fd, (struct sockaddr *)&at, &len), 0);
    close(fd);
    return ntohs(at.sin_port);
}

/* A client tool speaks to our listener, which echoes. */
static void meet_client_tool(struct world *world, const char *const *args, char *port)
{
    struct text_end end = { .world = world };
    struct hypha_url *url = NULL;
    struct tool tool;
    void *request = NULL;

    assert_int_equal(hypha_url_parse_text(world->factory->listen_url, &url), HYPHA_OK);
    assert_int_equal(world->transport->ops->listen(
                         world->transport, url, &listener_events, &end, on_listening, &request),
        HYPHA_OK);
    hypha_url_unref(url);
    world_until(world, is_listening, &end);
    (void)sprintf(port, "%u", (unsigned)hypha_url_port(end.listener->url));
    tool_start(&tool, world, args);
    world_until(world, is_decided, &end);
    if (end.ended)
        fail_msg("%s: %s\n%s", args[0], hypha_err_name(end.why), tool.said);
    tool_say(&tool, LINE);
    tool_await(&tool, LINE);
    end.wanted = "hypha";
    world_until(world, has_heard_or_ended, &end);
    assert_false(end.ended);
    hy_stream_close(end.stream);
    hy_listener_close(end.listener);
    tool_stop(&tool);
}

/* We dial a server tool, until it has begun to listen, and expect an answer. */
static void meet_server_tool(
    struct world *world, const char *const *args, char *port, const char *answer)
{
    char text[64];
    struct hypha_url *url = NULL;
    struct text_end end;
    struct tool tool;

    (void)sprintf(port, "%u", (unsigned)free_port());
    (void)snprintf(text, sizeof text, "tcp+tls://127.0.0.1:%s", port);
    assert_int_equal(hypha_url_parse_text(text, &url), HYPHA_OK);
    tool_start(&tool, world, args);
    for (int i = 0; i < MAX_DIALS; i++) {
        end = (struct text_end){ .world = world, .greeting = LINE, .wanted = answer };
        assert_int_equal(world->transport->ops->dial(world->transport, url, &end.stream), HYPHA_OK);
        hy_stream_set_events(end.stream, &text_events, &end);
        world_until(world, is_decided, &end);
        if (!end.ended || end.why != HYPHA_ERR_REFUSED)
            break;
        hy_stream_close(end.stream);
        world_for(world, 20);
    }
    if (end.ended)
        fail_msg("%s: %s\n%s", args[0], hypha_err_name(end.why), tool.said);
    world_until(world, has_heard_or_ended, &end);
    assert_false(end.ended);
    hy_stream_close(end.stream);
    hypha_url_unref(url);
    tool_stop(&tool);
}

static void test_openssl_client(void **state)
{
    char at[32] = "127.0.0.1:";
    const char *const args[MAX_ARGS] = { "openssl", "s_client", "-connect", at, "-cert",
        certificate, "-key", key, "-servername", "example.org", "-alpn", "h2", "-quiet" };

    if (!is_there("openssl"))
        skip();
    meet_client_tool(*state, args, at + strlen(at));
}

/* It sends two tickets after its handshake, which we must bear. */
static void test_openssl_server(void **state)
{
    char at[32] = "127.0.0.1:";
    const char *const args[MAX_ARGS] = { "openssl", "s_server", "-accept", at, "-cert", certificate,
        "-key", key, "-Verify", "1", "-rev" };

    if (!is_there("openssl"))
        skip();
    meet_server_tool(*state, args, at + strlen(at), REVERSED);
}

static void test_gnutls_client(void **state)
{
    char port[8];
    const char *const args[MAX_ARGS] = { "gnutls-cli", "127.0.0.1", "-p", port, "--x509certfile",
        certificate, "--x509keyfile", key, "--insecure", "--no-ca-verification" };

    if (!is_there("gnutls-cli"))
        skip();
    meet_client_tool(*state, args, port);
}

static void test_gnutls_server(void **state)
{
    char port[8];
    const char *const args[MAX_ARGS] = { "gnutls-serv", "--echo", "-p", port, "--x509certfile",
        certificate, "--x509keyfile", key, "--require-client-cert" };

    if (!is_there("gnutls-serv"))
        skip();
    meet_server_tool(*state, args, port, "hypha");
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(test_##name, setup, world_teardown)
    const struct CMUnitTest tests[] = {
        TEST(openssl_client),
        TEST(openssl_server),
        TEST(gnutls_client),
        TEST(gnutls_server),
    };

    return cmocka_run_group_tests(tests, group_setup, group_teardown);
}
