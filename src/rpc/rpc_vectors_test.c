/* rpc_vectors_test.c - the recorded JSON-RPC lines, asked again of our server.
 *
 * The chat behind it is a fake: what `send` says comes to the other nodes as often as in the
 * recording. Where a real node hung up or fell silent, apps.md says what ours answers instead.
 * spec: apps.md 2.2, 2.3; rows on dnet, spawns and HTTP belong to other tests. */
#include "rpc/message.h"

#include "base/span.h"
#include "rpc/server.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>
/* cmocka wants the above first */
#include <arpa/inet.h>
#include <cmocka.h>

enum { ALICE, BOB, CAROL, DAVE, LILITH, NODES };
static const char *const names[NODES] = { "alice", "bob", "carol", "dave", "lilith" };

struct node {
    struct hy_rpc_server *server;
    struct hy_poll *poll;
    int fd;
    json_t *heard;
    json_t *info; /* what p2p.get_info is to say: ids are of the recording */
    char got[65536];
    size_t len;
};

static struct node nodes[NODES];
static struct hypha_loop *loop;

static void hear(int who, const json_t *text, int times)
{
    for (int i = 0; i < times; i++)
        json_array_append(nodes[who].heard, (json_t *)(uintptr_t)text);
}

static void rpc_ping(struct hy_rpc_call *call, const json_t *params, void *user)
{
    (void)params;
    (void)user;
    hy_rpc_call_result(call, json_string("pong"));
}

static void rpc_info(struct hy_rpc_call *call, const json_t *params, void *user)
{
    struct node *node = user;

    (void)params;
    hy_rpc_call_result(call, json_incref(node->info));
}

static void rpc_recv(struct hy_rpc_call *call, const json_t *params, void *user)
{
    struct node *node = user;

    (void)params;
    hy_rpc_call_result(call, json_incref(node->heard));
}

static void rpc_send(struct hy_rpc_call *call, const json_t *params, void *user)
{
    const json_t *text = json_array_get(params, 0);
    ptrdiff_t who = (struct node *)user - nodes;

    if (json_array_size(params) != 1 || !json_is_string(text)) {
        hy_rpc_call_error(call, HY_RPC_INVALID_PARAMS, NULL);
        return;
    }
    if (strcmp(json_string_value(text), "nobody hears this") != 0) {
        if (who == ALICE || who == CAROL)
            hear(BOB, text, who == ALICE ? 2 : 1); /* over two channels: apps.md 3 */
        if (who == BOB)
            hear(ALICE, text, 2);
    }
    hy_rpc_call_result(call, json_true());
}

static void on_listening(void *user, enum hypha_err err)
{
    (void)user;
    assert_int_equal(err, HYPHA_OK);
    hypha_loop_stop(loop);
}

static void on_bytes(void *user, unsigned events)
{
    struct node *node = user;
    ssize_t got = recv(node->fd, node->got + node->len, sizeof node->got - node->len - 1, 0);

    (void)events;
    assert_true(got > 0); /* ours never hangs up */
    node->len += (size_t)got;
    node->got[node->len] = '\0';
    hypha_loop_stop(loop);
}

static void node_start(struct node *node, bool chats)
{
    struct sockaddr_in address = { .sin_family = AF_INET };
    struct hy_log silent = { 0 };
    char why[256];

    node->heard = json_pack("[s]", "");
    node->info = json_null();
    assert_int_equal(hy_rpc_server_create(loop, &silent, NULL, &node->server), HYPHA_OK);
    assert_int_equal(hy_rpc_server_add(node->server, "ping", rpc_ping, node), HYPHA_OK);
    if (chats) {
        assert_int_equal(hy_rpc_server_add(node->server, "send", rpc_send, node), HYPHA_OK);
        assert_int_equal(hy_rpc_server_add(node->server, "recv", rpc_recv, node), HYPHA_OK);
        assert_int_equal(hy_rpc_server_add(node->server, "p2p.get_info", rpc_info, node), HYPHA_OK);
    }
    if (node == &nodes[DAVE])
        assert_int_equal(hy_rpc_server_disable(node->server, "p2p.get_info"), HYPHA_OK);
    assert_int_equal(
        hy_rpc_server_listen(node->server, "tcp://127.0.0.1:0", on_listening, NULL, why), HYPHA_OK);
    assert_int_equal(hypha_loop_run(loop), HYPHA_OK);
    address.sin_port = htons((uint16_t)atoi(strrchr(hy_rpc_server_url(node->server), ':') + 1));
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    node->fd = socket(AF_INET, SOCK_STREAM, 0);
    assert_int_equal(connect(node->fd, (struct sockaddr *)&address, sizeof address), 0);
    assert_int_equal(
        hy_poll_create(loop, node->fd, HY_POLL_IN, on_bytes, node, &node->poll), HYPHA_OK);
}

/* The next line received, parsed; its end must be CRLF. */
static json_t *next_reply(struct node *node)
{
    char *end;

    while ((end = memchr(node->got, '\n', node->len)) == NULL)
        assert_int_equal(hypha_loop_run(loop), HYPHA_OK);
    assert_true(end > node->got && end[-1] == '\r');
    json_t *reply = json_loadb(node->got, (size_t)(end - node->got), 0, NULL);
    assert_non_null(reply);
    node->len -= (size_t)(end + 1 - node->got);
    memmove(node->got, end + 1, node->len);
    return reply;
}

/* What ours says where a real node said nothing: code and id (INT64_MIN: null). */
static const struct instead {
    const char *name;
    int code;
    int64_t id;
} insteads[] = {
    { "no-id", -32600, INT64_MIN },
    { "no-version", -32600, 1 },
    { "version-1.0", -32600, 1 },
    { "string-id", -32600, INT64_MIN },
    { "fractional-id", -32600, INT64_MIN },
    { "null-id", -32600, INT64_MIN },
    { "numeric-method", -32600, 1 },
    { "malformed", -32700, INT64_MIN },
    { "empty-line", 0, 0 }, /* ignored */
    { "empty-array", -32600, INT64_MIN },
    { "batch", -32600, INT64_MIN },
    { "send-no-params", -32602, 42 },
    { "send-bad-type", -32602, 42 },
};

static void check_instead(struct node *node, const char *name)
{
    for (size_t i = 0; i < sizeof insteads / sizeof insteads[0]; i++) {
        if (strcmp(insteads[i].name, name) != 0)
            continue;
        if (insteads[i].code == 0)
            return;
        json_t *reply = next_reply(node);
        const json_t *id = json_object_get(reply, "id");
        assert_int_equal(
            json_integer_value(json_object_get(json_object_get(reply, "error"), "code")),
            insteads[i].code);
        if (insteads[i].id == INT64_MIN)
            assert_true(json_is_null(id));
        else
            assert_int_equal(json_integer_value(id), insteads[i].id);
        json_decref(reply);
        return;
    }
    fail_msg("no substitute for %s", name);
}

static const char *text_of(const json_t *row, const char *key)
{
    const char *text = json_string_value(json_object_get(row, key));

    return text != NULL ? text : "";
}

/* -1: not for this test. */
static int node_of(const json_t *row)
{
    const char *name = text_of(row, "case");

    if (strncmp(name, "dnet.", 5) == 0 || strncmp(name, "spawns", 6) == 0 ||
        strcmp(text_of(row, "dir"), "notification") == 0)
        return -1;
    for (int i = 0; i < NODES; i++)
        if (strcmp(names[i], text_of(row, "node")) == 0)
            return i;
    return -1;
}

static void play(const json_t *row, const json_t *next)
{
    struct node *node = &nodes[node_of(row)];
    const char *dir = text_of(row, "dir");
    const char *line = text_of(row, "line");

    if (strcmp(dir, "request") == 0) {
        json_t *answer = json_loads(text_of(next, "line"), 0, NULL);
        json_t *result = json_object_get(answer, "result");

        if (json_object_get(result, "channels") != NULL) {
            json_decref(node->info);
            node->info = json_incref(result);
        }
        json_decref(answer);
        assert_int_equal(send(node->fd, line, strlen(line), 0), strlen(line));
        assert_int_equal(send(node->fd, "\n", 1, 0), 1);
    } else if (strcmp(dir, "response") == 0) {
        json_t *want = json_loads(line, 0, NULL);
        json_t *got = next_reply(node);

        if (!json_equal(want, got))
            fail_msg("%s: not %s", text_of(row, "case"), line);
        json_decref(want);
        json_decref(got);
    } else {
        check_instead(node, text_of(row, "case"));
    }
}

static void test_vectors(void **state)
{
    FILE *file = fopen(HYPHA_SOURCE_DIR "/tests/vectors/data/rpc.jsonl", "r");
    static char line[1 << 20];
    json_t *rows = json_array();
    size_t played = 0;

    (void)state;
    assert_non_null(file);
    while (fgets(line, sizeof line, file) != NULL) {
        json_t *row = json_loads(line, 0, NULL);

        assert_non_null(row);
        if (node_of(row) >= 0)
            json_array_append(rows, row);
        json_decref(row);
    }
    fclose(file);
    for (size_t i = 0; i < json_array_size(rows); i++, played++)
        play(json_array_get(rows, i), json_array_get(rows, i + 1));
    assert_true(played >= 70); /* as many as there are */
    json_decref(rows);
}

static int set_up(void **state)
{
    (void)state;
    assert_int_equal(hypha_loop_create(&loop), HYPHA_OK);
    hy_rpc_json_init();
    for (int i = 0; i < NODES; i++)
        node_start(&nodes[i], i != LILITH);
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    for (int i = 0; i < NODES; i++) {
        hy_poll_destroy(nodes[i].poll);
        close(nodes[i].fd);
        hy_rpc_server_destroy(nodes[i].server);
        json_decref(nodes[i].heard);
        json_decref(nodes[i].info);
    }
    assert_int_equal(hypha_loop_run(loop), HYPHA_OK);
    hypha_loop_destroy(loop);
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = { cmocka_unit_test(test_vectors) };

    return cmocka_run_group_tests(tests, set_up, tear_down);
}
