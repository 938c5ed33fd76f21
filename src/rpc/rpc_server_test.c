/* rpc_server_test.c - a server and raw clients on real loopback sockets. spec: apps.md 2 */
#include "rpc/server.h"

#include "base/alloc.h"
#include "fakes/rpc_fixture.h"
#include "fakes/rpc_tls_client.h"
#include "rpc/endpoint.h"

#include <sys/stat.h>

static struct hy_rpc_call *held[8];
static size_t held_count, cancelled;
static char folder[64];

/* ---- methods ---- */

static void on_cancel(struct hy_rpc_call *call, void *user)
{
    (void)call;
    (void)user;
    cancelled++;
}

/* Answered later by the test. */
static void rpc_hold(struct hy_rpc_call *call, const json_t *params, void *user)
{
    (void)params;
    (void)user;
    hy_rpc_call_on_cancel(call, on_cancel, NULL);
    held[held_count++] = call;
}

static void rpc_fail(struct hy_rpc_call *call, const json_t *params, void *user)
{
    (void)params;
    (void)user;
    hy_rpc_call_error(call, -32001, "no luck");
}

static void rpc_nothing(struct hy_rpc_call *call, const json_t *params, void *user)
{
    (void)params;
    (void)user;
    hy_rpc_call_result(call, NULL);
}

static void rpc_big(struct hy_rpc_call *call, const json_t *params, void *user)
{
    static char text[100000];

    (void)params;
    (void)user;
    memset(text, 'x', sizeof text - 1);
    hy_rpc_call_result(call, json_string(text));
}

static void rpc_stop(struct hy_rpc_call *call, const json_t *params, void *user)
{
    (void)params;
    (void)user;
    hy_rpc_server_stop(server);
    hy_rpc_call_result(call, json_true());
}

static void set_up_server(const struct hy_rpc_limits *limits, const char *url)
{
    static const struct {
        const char *name;
        hy_rpc_method_cb cb;
    } methods[] = { { "hold", rpc_hold }, { "fail", rpc_fail }, { "nothing", rpc_nothing },
        { "big", rpc_big }, { "stop", rpc_stop } };

    held_count = cancelled = 0;
    start_server(limits, NULL, NULL);
    for (size_t i = 0; i < sizeof methods / sizeof methods[0]; i++)
        must(hy_rpc_server_add(server, methods[i].name, methods[i].cb, NULL));
    listen_on(url);
    must(listened);
}

static const char *unix_url(void)
{
    static char url[128];

    (void)snprintf(url, sizeof url, "unix://%s/rpc.sock", folder);
    return url;
}

/* ---- tests ---- */

static void speak(void)
{
    struct raw raw;

    raw_open(&raw);
    raw_send(
        &raw, REQUEST(1, "echo", "[1,{\"a\":\"b\"}]") "\r\n\r\n  \n" REQUEST(2, "fail", "[]") "\n");
    raw_expect(&raw, 2, RESULT(1, "[1,{\"a\":\"b\"}]") ERROR(2, -32001, "no luck"));
    raw_send(&raw, "{bad\n" REQUEST(3, "nope", "[]") "\n" REQUEST(4, "nothing", "[]") "\n");
    raw_expect(&raw, 3,
        ERROR(null, -32700, "parse error") ERROR(3, -32601, "method not found")
            ERROR(4, -32603, "internal error"));
    raw_close(&raw);
}

static void test_lines(void **state)
{
    (void)state;
    set_up_server(NULL, "tcp://127.0.0.1:0");
    speak();
    stop_server();
}

static void test_unix(void **state)
{
    struct stat about;
    char path[128];

    (void)state;
    (void)snprintf(path, sizeof path, "%s/rpc.sock", folder);
    set_up_server(NULL, unix_url());
    assert_int_equal(stat(path, &about), 0);
    assert_int_equal(about.st_mode & 0777, 0600); /* spec: apps.md 2.1 */
    speak();
    stop_server();
    assert_int_not_equal(stat(path, &about), 0);
}

/* A last line without end counts, and its answer still comes. spec: apps.md 2.2 */
static void half_close(void)
{
    struct raw raw;

    raw_open(&raw);
    raw_send(&raw, REQUEST(1, "big", "[]") "\n" REQUEST(2, "echo", "[]"));
    assert_int_equal(shutdown(raw.fd, SHUT_WR), 0);
    raw_wait_end(&raw);
    assert_int_equal(raw.lines, 2);
    assert_non_null(strstr(raw.got, RESULT(2, "[]")));
    raw_close(&raw);
}

static void test_half_close(void **state)
{
    (void)state;
    set_up_server(NULL, "tcp://127.0.0.1:0");
    half_close();
    stop_server();
    set_up_server(NULL, unix_url());
    half_close();
    stop_server();
}

/* The TLS that says its end still hears the answers. spec: apps.md 2.2 */
static void test_half_close_tls(void **state)
{
    struct raw raw;
    int ends[2];

    (void)state;
    set_up_server(NULL, "tcp+tls://127.0.0.1:0");
    assert_int_equal(pipe(ends), 0);
    pid_t child = fork_tls_client(ends[1],
        REQUEST(1, "hold", "[]") "\n" REQUEST(2, "big", "[]") "\n" REQUEST(3, "echo", "[]"));
    close(ends[1]);
    raw_of(&raw, ends[0], true);
    while (held_count == 0)
        run_for(1);
    run_for(20); /* the end of what it says is here too, or nearly */
    hy_rpc_call_result(held[0], json_true());
    raw_wait_end(&raw);
    assert_int_equal(raw.lines, 3);
    assert_memory_equal(raw.got, RESULT(1, "true"), strlen(RESULT(1, "true")));
    assert_non_null(strstr(raw.got, RESULT(3, "[]")));
    raw_close(&raw);
    assert_int_equal(waitpid(child, NULL, 0), child);
    stop_server();
}

/* Replies leave in the order of the requests. spec: apps.md 2.2 */
static void test_order(void **state)
{
    struct raw raw;

    (void)state;
    set_up_server(NULL, "tcp://127.0.0.1:0");
    raw_open(&raw);
    raw_send(&raw,
        REQUEST(1, "hold", "[]") "\n" REQUEST(2, "hold", "[]") "\n" REQUEST(
            3, "echo", "[]") "\n" REQUEST(4, "hold", "[]") "\n");
    struct raw other;
    raw_open(&other); /* its answer tells that the first one's requests were taken */
    raw_send(&other, REQUEST(1, "echo", "[]") "\n");
    while (held_count < 3)
        raw_wait(&other, 1);
    hy_rpc_call_result(held[1], json_string("second"));
    hy_rpc_call_result(held[0], json_string("first"));
    raw_expect(&raw, 3, RESULT(1, "\"first\"") RESULT(2, "\"second\"") RESULT(3, "[]"));
    raw_close(&raw);
    raw_close(&other);
    while (cancelled == 0) { /* the fourth, by the hang-up */
        struct raw knock;

        raw_open(&knock);
        raw_send(&knock, REQUEST(1, "echo", "[]") "\n");
        raw_wait(&knock, 1);
        raw_close(&knock);
        hy_rpc_server_stop(server);
    }
    assert_int_equal(cancelled, 1);
    stop_server();
}

static void take_name(const char *name, void *user)
{
    assert_string_equal(name, "not_there");
    ++*(int *)user;
}

static void test_disabled(void **state)
{
    struct raw raw;
    int unknown = 0;

    (void)state;
    set_up_server(NULL, "tcp://127.0.0.1:0");
    assert_int_equal(hy_rpc_server_disable(server, "echo"), HYPHA_OK);
    assert_int_equal(hy_rpc_server_disable(server, "not_there"), HYPHA_OK);
    assert_int_equal(hy_rpc_server_add(server, "echo", rpc_echo, NULL), HYPHA_ERR_EXISTS);
    raw_open(&raw);
    raw_send(&raw, REQUEST(1, "echo", "[]") "\n" REQUEST(2, "not_there", "[]") "\n");
    raw_expect(&raw, 2, ERROR(1, -32601, "method not found") ERROR(2, -32601, "method not found"));
    raw_close(&raw);
    hy_rpc_server_each_unknown(server, take_name, &unknown);
    assert_int_equal(unknown, 1);
    hy_rpc_server_enable_all(server);
    hy_rpc_server_each_unknown(server, take_name, &unknown);
    assert_int_equal(unknown, 1);
    stop_server();
}

/* A long string, a long key, a long number; the nth allocation fails: the answer, an internal
 * error or a closed connection, and never the words that the text was wrong. */
static void test_no_memory(void **state)
{
    static char text[3 * 20000 + 200];
    char x[20000], digits[20000];

    (void)state;
    set_up_server(NULL, "tcp://127.0.0.1:0");
    memset(x, 'x', sizeof x - 1);
    memset(digits, '1', sizeof digits - 1);
    x[sizeof x - 1] = digits[sizeof digits - 1] = '\0';
    (void)snprintf(text, sizeof text,
        "{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"echo\",\"params\":[\"%s\",{\"%s\":0.%s}]}\n", x,
        x, digits);
    for (size_t n = 0, good = 0; good == 0; n++) {
        struct raw raw;

        raw_open(&raw);
        while (hy_rpc_server_connection_count(server) == 0)
            run_for(1);
        hy_alloc_fail_once(n);
        raw_send(&raw, text);
        raw.want_lines = 1;
        while (raw.lines == 0 && !raw.ended)
            must(hypha_loop_run(loop));
        good = hy_alloc_count() <= n;
        hy_alloc_fail_after(SIZE_MAX);
        if (raw.lines == 1 && strstr(raw.got, "\"error\"") != NULL)
            assert_non_null(strstr(raw.got, "\"code\":-32603"));
        if (good)
            assert_non_null(strstr(raw.got, "\"result\":[\"xxx"));
        raw_close(&raw);
        while (hy_rpc_server_connection_count(server) > 0)
            run_for(1);
        assert_true(n < 300);
    }
    stop_server();
}

/* spec: apps.md 2.2: error -32000, id 0, then close */
static void test_too_many_connections(void **state)
{
    const struct hy_rpc_limits limits = { .connections = 1 };
    struct raw first, second, third;

    (void)state;
    set_up_server(&limits, "tcp://127.0.0.1:0");
    raw_open(&first);
    raw_send(&first, REQUEST(1, "echo", "[]") "\n");
    raw_expect(&first, 1, RESULT(1, "[]"));
    raw_open(&second);
    raw_expect(&second, 1, ERROR(0, -32000, "too many connections"));
    raw_open(&third); /* beyond those that are being told */
    raw_wait_end(&third);
    assert_int_equal(third.len, 0);
    raw_wait_end(&second);
    raw_close(&second);
    raw_close(&third);
    raw_send(&first, REQUEST(2, "echo", "[]") "\n");
    raw_expect(&first, 1, RESULT(2, "[]"));
    raw_close(&first);
    stop_server();
}

static void test_long_request(void **state)
{
    const struct hy_rpc_limits limits = { .request_bytes = 1000 };
    char text[1200];
    struct raw raw;

    (void)state;
    memset(text, 'x', sizeof text - 1);
    text[sizeof text - 1] = '\0';
    set_up_server(&limits, "tcp://127.0.0.1:0");
    raw_open(&raw);
    raw_send(&raw, REQUEST(1, "echo", "[]") "\n");
    raw_send(&raw, text);
    raw_expect(&raw, 2, RESULT(1, "[]") ERROR(null, -32600, "request too long"));
    raw_wait_end(&raw);
    raw_close(&raw);
    stop_server();
}

/* A client that asks and does not read is read no more; everything comes in the end. */
static void test_backpressure(void **state)
{
    const struct hy_rpc_limits limits = { .queued_bytes = 1000, .calls = 2 };
    enum { REQUESTS = 20 };
    struct raw raw;

    (void)state;
    set_up_server(&limits, "tcp://127.0.0.1:0");
    raw_open(&raw);
    for (int i = 0; i < REQUESTS; i++)
        raw_send(&raw, REQUEST(1, "big", "[]") "\n");
    raw_wait(&raw, REQUESTS);
    assert_int_equal(raw.lines, REQUESTS);
    raw_close(&raw);
    stop_server();
}

static void test_stop_inside_a_method(void **state)
{
    struct raw raw;

    (void)state;
    set_up_server(NULL, "tcp://127.0.0.1:0");
    raw_open(&raw);
    raw_send(&raw, REQUEST(1, "hold", "[]") "\n" REQUEST(2, "stop", "[]") "\n");
    raw_wait_end(&raw);
    assert_int_equal(raw.len, 0);
    assert_int_equal(cancelled, 1);
    assert_int_equal(hy_rpc_server_connection_count(server), 0);
    raw_close(&raw);
    listen_on("tcp://127.0.0.1:0"); /* and it can start again */
    assert_int_equal(listened, HYPHA_OK);
    stop_server();
}

/* Exclusive: a second server does not share the port. spec: apps.md 2.1 */
static void test_address_in_use(void **state)
{
    struct hy_log silent = { 0 };
    struct hy_rpc_server *first;
    char url[128];

    (void)state;
    set_up_server(NULL, "tcp://127.0.0.1:0");
    first = server;
    (void)snprintf(url, sizeof url, "%s", hy_rpc_server_url(first));
    assert_int_equal(hy_rpc_server_create(loop, &silent, NULL, &server), HYPHA_OK);
    listen_on(url);
    assert_int_equal(listened, HYPHA_ERR_ADDR_IN_USE);
    listen_on(unix_url());
    assert_int_equal(listened, HYPHA_OK);
    struct hy_rpc_server *second = server;
    assert_int_equal(hy_rpc_server_create(loop, &silent, NULL, &server), HYPHA_OK);
    listen_on(unix_url());
    assert_int_equal(listened, HYPHA_ERR_ADDR_IN_USE);
    hy_rpc_server_destroy(second);
    hy_rpc_server_destroy(first);
    stop_server();
}

/* A socket that nobody serves is replaced; anything else at the path stays. */
static void test_stale_socket(void **state)
{
    struct sockaddr_un address = { .sun_family = AF_UNIX };

    (void)state;
    (void)snprintf(address.sun_path, sizeof address.sun_path, "%s/rpc.sock", folder);
    int fd = socket(AF_UNIX, SOCK_STREAM, 0);
    assert_int_equal(bind(fd, (struct sockaddr *)&address, sizeof address), 0);
    close(fd);
    set_up_server(NULL, unix_url());
    speak();
    stop_server();
    FILE *file = fopen(address.sun_path, "w");
    fputs("precious", file);
    fclose(file);
    set_up_server(NULL, "tcp://127.0.0.1:0");
    hy_rpc_server_stop(server);
    listen_on(unix_url());
    assert_int_equal(listened, HYPHA_ERR_ADDR_IN_USE);
    stop_server();
    assert_int_equal(unlink(address.sun_path), 0);
}

static void test_endpoints(void **state)
{
    static const struct {
        const char *text;
        enum hypha_err err;
    } rows[] = {
        { "tcp://127.0.0.1:0", HYPHA_OK },
        { "tcp+tls://[::1]:51054", HYPHA_OK },
        { "tcp://localhost:51054", HYPHA_OK },
        { "unix:///run/x.sock", HYPHA_OK },
        { "tcp://0.0.0.0:51054", HYPHA_ERR_ACCESS },
        { "tcp://192.168.1.4:51054", HYPHA_ERR_ACCESS },
        { "tcp+tls://[::]:51054", HYPHA_ERR_ACCESS },
        { "tcp://example.org:51054", HYPHA_ERR_ACCESS },
        { "tcp://127.0.0.1", HYPHA_ERR_BAD_ADDRESS },
        { "quic://127.0.0.1:1", HYPHA_ERR_UNSUPPORTED_TRANSPORT },
        { "http+tcp://127.0.0.1:0", HYPHA_OK },
        { "http+tcp+tls://[::1]:0", HYPHA_OK },
        { "http+unix:///run/x.sock", HYPHA_OK },
        { "http+tcp://0.0.0.0:1", HYPHA_ERR_ACCESS },
        { "http+http+tcp://127.0.0.1:1", HYPHA_ERR_UNSUPPORTED_TRANSPORT },
        { "http://127.0.0.1:1", HYPHA_ERR_UNSUPPORTED_TRANSPORT },
        { "nonsense", HYPHA_ERR_URL },
    };
    static const struct {
        const char *text, *url;
    } dials[] = {
        { "localhost:51054", "tcp://localhost:51054/" },
        { "[::1]:7", "tcp://[::1]:7/" },
        { "unix:/run/a b.sock", "unix:///run/a%20b.sock" },
        { "tcp+tls://127.0.0.1:5", "tcp+tls://127.0.0.1:5/" },
        { "unix:///run/x", "unix:///run/x" },
        { "localhost", NULL },
        { "localhost:0", NULL },
        { "http://x:1", NULL },
        { "", NULL },
    };
    struct hy_rpc_endpoint endpoint;
    char why[HY_RPC_WHY_BYTES];

    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        why[0] = '\0';
        enum hypha_err err = hy_rpc_endpoint_listen(rows[i].text, false, &endpoint, why);
        if (err != rows[i].err || (err != HYPHA_OK) != (why[0] != '\0'))
            fail_msg("%s: %s (%s)", rows[i].text, hypha_err_name(err), why);
        if (err == HYPHA_OK)
            hy_rpc_endpoint_fini(&endpoint);
    }
    for (size_t i = 0; i < sizeof dials / sizeof dials[0]; i++) {
        enum hypha_err err = hy_rpc_endpoint_dial(dials[i].text, &endpoint, why);
        assert_int_equal(err == HYPHA_OK, dials[i].url != NULL);
        if (err == HYPHA_OK) {
            assert_string_equal(hypha_url_text(endpoint.url), dials[i].url);
            hy_rpc_endpoint_fini(&endpoint);
        }
    }
}

static int set_up(void **state)
{
    (void)state;
    strcpy(folder, "/tmp/hypha-rpc-XXXXXX");
    return mkdtemp(folder) != NULL ? 0 : -1;
}

static int tear_down(void **state)
{
    (void)state;
    return rmdir(folder);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_lines),
        cmocka_unit_test(test_unix),
        cmocka_unit_test(test_half_close),
        cmocka_unit_test(test_half_close_tls),
        cmocka_unit_test(test_order),
        cmocka_unit_test(test_disabled),
        cmocka_unit_test(test_no_memory),
        cmocka_unit_test(test_too_many_connections),
        cmocka_unit_test(test_long_request),
        cmocka_unit_test(test_backpressure),
        cmocka_unit_test(test_stop_inside_a_method),
        cmocka_unit_test(test_address_in_use),
        cmocka_unit_test(test_stale_socket),
        cmocka_unit_test(test_endpoints),
    };
    return cmocka_run_group_tests(tests, set_up, tear_down);
}
