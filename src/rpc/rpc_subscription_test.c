/* rpc_subscription_test.c - subscribers on real sockets, the slow ones above all.
 * spec: apps.md 2.4 */
#include "rpc/subscription.h"

#include "base/alloc.h"
#include "base/span.h"
#include "fakes/rpc_fixture.h"

static const struct hy_rpc_limits *const no_limits;

static void open_watcher(struct raw *raw, const char *params)
{
    char text[256];
    size_t before = watcher_count;

    raw_open(raw);
    (void)snprintf(text, sizeof text,
        "{\"jsonrpc\":\"2.0\",\"id\":9,\"method\":\"watch\",\"params\":%s}\n"
        "{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"echo\",\"params\":[]}\n",
        params);
    raw_send(raw, text);
    raw_expect(raw, 1, RESULT(1, "[]")); /* no reply to the subscription itself */
    assert_int_equal(watcher_count, before + 1);
}

/* The request gets no reply; notifications come between the replies, in their order. */
static void test_no_reply(void **state)
{
    struct raw raw;

    (void)state;
    start_server(no_limits, NULL, "tcp://127.0.0.1:0");
    raw_open(&raw);
    raw_send(&raw,
        REQUEST(1, "echo", "[1]") "\n" REQUEST(2, "watch", "[]") "\n" REQUEST(
            3, "echo", "[3]") "\n");
    raw_expect(&raw, 2, RESULT(1, "[1]") RESULT(3, "[3]"));
    tell_number(7);
    tell_number(8);
    raw_expect(&raw, 2, NOTICE("[7]") NOTICE("[8]"));
    raw_send(&raw, REQUEST(4, "echo", "[]") "\n");
    raw_expect(&raw, 1, RESULT(4, "[]"));
    tell_number(9);
    raw_expect(&raw, 1, NOTICE("[9]"));
    raw_close(&raw);
    stop_server();
    assert_int_equal(unwatched, 1);
}

/* Subscribing twice doubles every event, in the order in which they were told. */
static void test_twice_and_limit(void **state)
{
    const struct hy_rpc_limits limits = { .subscriptions = 2 };
    struct raw raw;

    (void)state;
    start_server(&limits, NULL, "tcp://127.0.0.1:0");
    open_watcher(&raw, "[]");
    raw_send(&raw, REQUEST(2, "watch", "[]") "\n" REQUEST(3, "watch", "[]") "\n");
    raw_expect(&raw, 1, ERROR(3, -32000, "a limit is exceeded"));
    tell_number(1);
    tell_number(2);
    raw_expect(&raw, 4, NOTICE("[1]") NOTICE("[1]") NOTICE("[2]") NOTICE("[2]"));
    raw_close(&raw);
    stop_server();
    assert_int_equal(unwatched, 2);
}

/* Both ends of a client are told once: its subscriptions, then itself. */
static void test_client_gone(void **state)
{
    struct raw first, second;

    (void)state;
    start_server(no_limits, NULL, "tcp://127.0.0.1:0");
    open_watcher(&first, "[]");
    uint64_t client = last_client;
    open_watcher(&second, "[]");
    assert_true(last_client > client);
    raw_close(&first);
    while (gone_count == 0)
        run_for(1);
    assert_int_equal(last_gone, client);
    assert_int_equal(unwatched, 1);
    assert_int_equal(watcher_count, 1);
    tell_number(1);
    raw_expect(&second, 1, NOTICE("[1]"));
    hy_rpc_server_stop(server); /* the others, now */
    assert_int_equal(gone_count, 2);
    assert_int_equal(unwatched, 2);
    raw_wait_end(&second);
    raw_close(&second);
    stop_server();
    assert_int_equal(gone_count, 2);
}

/* A half-close ends them, after what was asked before is answered. */
static void test_half_close(void **state)
{
    struct raw raw;

    (void)state;
    start_server(no_limits, NULL, "tcp://127.0.0.1:0");
    open_watcher(&raw, "[]");
    raw_send(&raw, REQUEST(5, "echo", "[]"));
    assert_int_equal(shutdown(raw.fd, SHUT_WR), 0);
    raw_wait_end(&raw);
    assert_string_equal(raw.got, RESULT(5, "[]"));
    assert_int_equal(unwatched, 1);
    raw_close(&raw);
    stop_server();
}

/* ---- those who do not read ---- */

static void tell_big(size_t size, int number)
{
    char *text = malloc(size + 1);

    memset(text, 'x', size);
    text[size] = '\0';
    json_t *params = json_pack("[s, i]", text, number);
    free(text);
    tell_all(params);
    json_decref(params);
}

/* Fill the sockets of those who do not read, and their queues several times over. */
static void flood(struct raw *reader, int count)
{
    for (int i = 0; i < count; i++) {
        size_t lines = reader->lines;

        tell_big(4000, i);
        raw_wait(reader, lines + 1); /* the one who reads misses nothing and waits for nobody */
    }
}

/* 20 clients that read nothing, one that reads, one that asks: nothing is lost but what the 20
 * were to get, and what they keep from being freed is one queue. */
static void test_readers_of_nothing(void **state)
{
    enum { SLOW = 20, COUNT = 3000 };
    struct raw slow[SLOW], reader, asker;

    (void)state;
    start_server(no_limits, NULL, "tcp://127.0.0.1:0");
    for (int i = 0; i < SLOW; i++) {
        open_watcher(&slow[i], i == 0 ? "[{\"lag\":true}]" : "[]");
        must(hy_poll_update(slow[i].poll, 0));
    }
    open_watcher(&reader, "[]");
    raw_open(&asker);
    flood(&reader, COUNT);
    assert_int_equal(reader.lines, COUNT);
    for (size_t i = 0; i < watcher_count; i++) {
        assert_true(watchers[i]->count <= 1024);
        assert_true(watchers[i]->bytes <= 4 * 1024 * 1024);
    }
    assert_int_equal(watchers[1]->count, 1024);
    assert_true(watchers[1]->dropped > 0);
    assert_ptr_equal(watchers[1]->ring[watchers[1]->first].notice,
        watchers[2]->ring[watchers[2]->first].notice); /* one copy for all */
    raw_send(&asker, REQUEST(1, "echo", "[]") "\n");
    raw_expect(&asker, 1, RESULT(1, "[]"));
    raw_send(&reader, REQUEST(2, "echo", "[]") "\n");
    raw_wait(&reader, COUNT + 1);
    assert_non_null(strstr(reader.got, RESULT(2, "[]")));
    for (int i = 0; i < SLOW; i++)
        raw_close(&slow[i]);
    raw_close(&reader);
    raw_close(&asker);
    while (watcher_count > 0)
        run_for(1);
    stop_server();
}

/* What one of them gets when it reads at last: the oldest from before, then how many are
 * missing, just where they are, then the rest to the end. */
static void test_lag(void **state)
{
    enum { COUNT = 3000 };
    struct raw slow, reader;
    int expected = 0, gaps = 0;

    (void)state;
    start_server(no_limits, NULL, "tcp://127.0.0.1:0");
    open_watcher(&slow, "[{\"lag\":true}]");
    must(hy_poll_update(slow.poll, 0));
    open_watcher(&reader, "[]");
    flood(&reader, COUNT);
    raw_read(&slow);
    for (char *at = NULL; expected < COUNT;) {
        char *end = at != NULL ? strchr(at, '\n') : NULL;

        if (end == NULL) { /* more; what was looked at is forgotten */
            size_t rest = at != NULL ? slow.len - (size_t)(at - slow.got) : 0;

            if (rest > 0)
                memmove(slow.got, at, rest);
            slow.len = rest;
            slow.lines = 0;
            raw_wait(&slow, 1);
            at = slow.got;
            continue;
        }
        json_t *line = json_loadb(at, (size_t)(end - at), 0, NULL);
        const json_t *params = json_object_get(line, "params");
        const json_t *event = json_array_get(params, 0);

        assert_non_null(line);
        if (json_is_object(event)) {
            assert_string_equal(json_string_value(json_object_get(event, "event")), "lag");
            expected += (int)json_integer_value(
                json_object_get(json_object_get(event, "info"), "dropped"));
            gaps++;
        } else {
            assert_int_equal(json_integer_value(json_array_get(params, 1)), expected);
            expected++;
        }
        json_decref(line);
        at = end + 1;
    }
    assert_int_equal(expected, COUNT);
    assert_true(gaps >= 1);
    raw_close(&slow);
    raw_close(&reader);
    stop_server();
}

/* When all places are taken, one who reads nothing makes room for one who asks. */
static void stalled_and_asking(uint32_t stalled_ms, const char *want)
{
    const struct hy_rpc_limits limits = { .connections = 2, .stalled_ms = stalled_ms };
    struct raw slow, reader, asker;

    start_server(&limits, NULL, "tcp://127.0.0.1:0");
    open_watcher(&slow, "[]");
    must(hy_poll_update(slow.poll, 0));
    open_watcher(&reader, "[]");
    flood(&reader, 2500);
    raw_open(&asker);
    raw_send(&asker, REQUEST(1, "echo", "[]") "\n");
    raw_expect(&asker, 1, want);
    raw_close(&slow);
    raw_close(&reader);
    raw_close(&asker);
    stop_server();
}

static void test_place_of_the_stalled(void **state)
{
    (void)state;
    stalled_and_asking(60000, ERROR(0, -32000, "too many connections"));
    stalled_and_asking(1, RESULT(1, "[]"));
}

/* ---- the queue by itself ---- */

static struct hy_rpc_notice *notice_of(size_t size)
{
    char text[200] = "";

    memset(text, 'y', size);
    json_t *params = json_pack("[s]", text);
    struct hy_rpc_notice *notice = hy_rpc_notice_create("m", params);
    json_decref(params);
    return notice;
}

static void test_queue(void **state)
{
    const struct hy_rpc_limits limits = { .notices = 40, .notice_bytes = 1000 };
    struct hy_rpc_notice *small = notice_of(1), *big = notice_of(150);
    struct hy_rpc_subscription *subscription;
    size_t fit = 1000 / big->len;

    (void)state;
    must(hy_rpc_subscription_create(NULL, "m", &subscription));
    subscription->lag = true;
    for (uint64_t i = 0; i < 1000; i++) {
        hy_rpc_subscription_push(subscription, i % 3 == 0 ? big : small, i, &limits);
        assert_true(subscription->count <= 40 && subscription->bytes <= 1000);
        assert_int_equal(subscription->count + subscription->dropped, i + 1);
    }
    for (uint64_t i = 0; i < 100; i++)
        hy_rpc_subscription_push(subscription, big, 1000 + i, &limits);
    assert_int_equal(subscription->count, fit);
    assert_int_equal(subscription->bytes, fit * big->len);
    struct hy_rpc_notice *lag = hy_rpc_subscription_take(subscription);
    assert_non_null(strstr(lag->line, "\"event\":\"lag\""));
    assert_int_equal(subscription->dropped, 0);
    hy_rpc_notice_unref(lag);
    for (size_t i = 0; i < fit; i++) {
        struct hy_rpc_notice *taken = hy_rpc_subscription_take(subscription);
        assert_ptr_equal(taken, big);
        hy_rpc_notice_unref(taken);
    }
    assert_int_equal(subscription->count, 0);
    hy_rpc_subscription_push(
        subscription, small, 0, &(struct hy_rpc_limits){ .notices = 4, .notice_bytes = 10 });
    assert_int_equal(subscription->count, 0); /* too long by itself */
    assert_int_equal(subscription->dropped, 1);
    hy_rpc_subscription_destroy(subscription);
    assert_int_equal(small->refs, 1);
    assert_int_equal(big->refs, 1);
    hy_rpc_notice_unref(small);
    hy_rpc_notice_unref(big);
}

/* A queue that cannot grow drops; nothing is lost from its count. */
static void test_queue_without_memory(void **state)
{
    const struct hy_rpc_limits limits = { .notices = 40, .notice_bytes = 100000 };
    struct hy_rpc_notice *notice = notice_of(1);
    struct hy_rpc_subscription *subscription;

    (void)state;
    must(hy_rpc_subscription_create(NULL, "m", &subscription));
    subscription->lag = true;
    hy_alloc_fail_after(0);
    assert_null(notice_of(1));
    hy_rpc_subscription_push(subscription, notice, 0, &limits);
    assert_int_equal(subscription->dropped, 1);
    hy_alloc_fail_after(1); /* the first ring, not the second */
    for (uint64_t i = 1; i < 30; i++)
        hy_rpc_subscription_push(subscription, notice, i, &limits);
    assert_int_equal(subscription->count + subscription->dropped, 30);
    assert_true(subscription->count > 0);
    hy_rpc_notice_unref(hy_rpc_subscription_take(subscription)); /* no lag notice to be had */
    assert_true(subscription->dropped > 0);
    hy_alloc_fail_after(SIZE_MAX);
    hy_rpc_subscription_destroy(subscription);
    hy_rpc_notice_unref(notice);
}

static void on_guard(void *user)
{
    *(bool *)user = true;
    hypha_loop_stop(loop);
}

/* A client subscribes and is told with the nth allocation failing: it is told, or it is cut off,
 * and the server serves the next one. */
static void test_no_memory(void **state)
{
    (void)state;
    uint64_t patience_ms = 50;

    start_server(no_limits, NULL, "tcp://127.0.0.1:0");
    for (size_t n = 0;; n++) {
        struct raw raw;
        struct hy_timer guard;
        bool told_late = false;

        raw_open(&raw);
        hy_timer_init(&guard, loop, on_guard, &told_late);
        hy_timer_start(&guard, patience_ms);
        hy_alloc_fail_once(n);
        raw_send(&raw, REQUEST(1, "watch", "[]") "\n" REQUEST(2, "echo", "[]") "\n");
        raw.want_lines = 1;
        must(hypha_loop_run(loop));
        tell_number(1);
        raw.want_lines = 2;
        if (!raw.ended && !told_late)
            must(hypha_loop_run(loop));
        bool done = hy_alloc_count() <= n && !told_late;
        if (told_late && hy_alloc_count() <= n)
            patience_ms *= 4; /* only the machine was slow */
        hy_alloc_fail_after(SIZE_MAX);
        hy_timer_stop(&guard);
        if (done)
            assert_string_equal(raw.got, RESULT(2, "[]") NOTICE("[1]"));
        raw_close(&raw);
        while (hy_rpc_server_connection_count(server) > 0)
            run_for(1);
        assert_int_equal(watcher_count, 0);
        if (done)
            break;
        assert_true(n < 300);
    }
    stop_server();
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_no_reply),
        cmocka_unit_test(test_twice_and_limit),
        cmocka_unit_test(test_client_gone),
        cmocka_unit_test(test_half_close),
        cmocka_unit_test(test_readers_of_nothing),
        cmocka_unit_test(test_lag),
        cmocka_unit_test(test_place_of_the_stalled),
        cmocka_unit_test(test_queue),
        cmocka_unit_test(test_queue_without_memory),
        cmocka_unit_test(test_no_memory),
    };
    hy_rpc_json_init();
    return cmocka_run_group_tests(tests, NULL, NULL);
}
