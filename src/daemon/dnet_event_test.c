/* dnet_event_test.c - each event's JSON, field by field, for old clients and for ours. */
#include "daemon/dnet.h"

#include "base/alloc.h"
#include "daemon/methods.h"

#include <setjmp.h>
#include <stdarg.h>
#include <string.h>
/* cmocka wants the above first */
#include <cmocka.h>

static struct hypha_url *addr, *connect_addr;

/* One event with everything in it: what does not belong to its type must not show. */
static struct hypha_event event_of(enum hypha_event_type type)
{
    return (struct hypha_event){ .type = type,
        .time_ns = UINT64_C(1795432428343643349),
        .channel_id = 4000000000U,
        .session = HYPHA_SESSION_OUTBOUND,
        .addr = addr,
        .connect_addr = connect_addr,
        .command = "version",
        .bytes = 120,
        .slot = 3,
        .err = HYPHA_ERR_REFUSED,
        .attempt = 2,
        .state = "getaddr",
        .number = 17 };
}

static void check(const struct hypha_event *event, bool all, const char *network, const char *want)
{
    json_t *got = hy_dnet_event_json(event, all, network);

    assert_non_null(got);
    char *text = json_dumps(got, JSON_COMPACT | JSON_SORT_KEYS);
    if (strcmp(text, want) != 0)
        fail_msg("%s\nexpected %s", text, want);
    hy_free(text);
    json_decref(got);
}

#define A "\"addr\":\"tcp://192.0.2.1:5000/\""
#define C "\"connect_addr\":\"tcp://192.0.2.1:5001/\""
#define I "\"channel_id\":4000000000"
#define E "\"err\":\"connection refused\""

static const struct {
    enum hypha_event_type type;
    const char *want, *want_all; /* NULL: the same */
} rows[] = {
    { HYPHA_EVENT_SEND,
        "{\"event\":\"send\",\"info\":{\"chan\":{" A ",\"id\":4000000000},\"cmd\":\"version\","
        "\"time\":\"1795432428343643349\"}}",
        "{\"event\":\"send\",\"info\":{\"bytes\":120,\"chan\":{" A
        ",\"id\":4000000000,\"session\":\"outbound\"},\"cmd\":\"version\","
        "\"time\":\"1795432428343643349\"}}" },
    { HYPHA_EVENT_RECV,
        "{\"event\":\"recv\",\"info\":{\"chan\":{" A ",\"id\":4000000000},\"cmd\":\"version\","
        "\"time\":\"1795432428343643349\"}}",
        "{\"event\":\"recv\",\"info\":{\"bytes\":120,\"chan\":{" A
        ",\"id\":4000000000,\"session\":\"outbound\"},\"cmd\":\"version\","
        "\"time\":\"1795432428343643349\"}}" },
    { HYPHA_EVENT_INBOUND_CONNECTED, "{\"event\":\"inbound_connected\",\"info\":{" A "," I "}}",
        NULL },
    { HYPHA_EVENT_INBOUND_DISCONNECTED,
        "{\"event\":\"inbound_disconnected\",\"info\":{" A "," I "}}",
        "{\"event\":\"inbound_disconnected\",\"info\":{" A "," I "," E "}}" },
    { HYPHA_EVENT_OUTBOUND_SLOT_SLEEPING,
        "{\"event\":\"outbound_slot_sleeping\",\"info\":{\"slot\":3}}", NULL },
    { HYPHA_EVENT_OUTBOUND_SLOT_CONNECTING,
        "{\"event\":\"outbound_slot_connecting\",\"info\":{" A ",\"slot\":3}}", NULL },
    { HYPHA_EVENT_OUTBOUND_SLOT_CONNECTED,
        "{\"event\":\"outbound_slot_connected\",\"info\":{" A "," I ",\"slot\":3}}", NULL },
    { HYPHA_EVENT_OUTBOUND_SLOT_DISCONNECTED,
        "{\"event\":\"outbound_slot_disconnected\",\"info\":{" E ",\"slot\":3}}", NULL },
    { HYPHA_EVENT_OUTBOUND_PEER_DISCOVERY,
        "{\"event\":\"outbound_peer_discovery\",\"info\":{\"attempt\":2,\"state\":\"getaddr\"}}",
        NULL },
    { HYPHA_EVENT_DIRECT_CONNECTING, "{\"event\":\"direct_connecting\",\"info\":{" C "}}", NULL },
    { HYPHA_EVENT_DIRECT_CONNECTED, "{\"event\":\"direct_connected\",\"info\":{" A "," I "," C "}}",
        NULL },
    { HYPHA_EVENT_DIRECT_DISCONNECTED, "{\"event\":\"direct_disconnected\",\"info\":{" C "," E "}}",
        NULL },
    { HYPHA_EVENT_DIRECT_PEER_DISCOVERY,
        "{\"event\":\"direct_peer_discovery\",\"info\":{\"attempt\":2,\"state\":\"getaddr\"}}",
        NULL },
    { HYPHA_EVENT_CHANNEL_REGISTERED, NULL,
        "{\"event\":\"channel_registered\",\"info\":{" A "," I "," E
        ",\"session\":\"outbound\"}}" },
    { HYPHA_EVENT_CHANNEL_UNREGISTERED, NULL,
        "{\"event\":\"channel_unregistered\",\"info\":{" A "," I "," E
        ",\"session\":\"outbound\"}}" },
    { HYPHA_EVENT_HOSTS_INSERTED, NULL,
        "{\"event\":\"hosts_inserted\",\"info\":{" A "," I ",\"number\":17}}" },
    { HYPHA_EVENT_BANNED, NULL, "{\"event\":\"banned\",\"info\":{" A "," I "," E "}}" },
    { HYPHA_EVENT_UNBANNED, NULL, "{\"event\":\"unbanned\",\"info\":{" A "}}" },
    { HYPHA_EVENT_DIAL, NULL,
        "{\"event\":\"dial\",\"info\":{" A "," E ",\"session\":\"outbound\"}}" },
    { HYPHA_EVENT_HANDSHAKE, NULL,
        "{\"event\":\"handshake\",\"info\":{" A "," I "," E ",\"session\":\"outbound\"}}" },
    { HYPHA_EVENT_SLOT, NULL,
        "{\"event\":\"slot\",\"info\":{" A "," E
        ",\"session\":\"outbound\",\"slot\":3,\"state\":\"getaddr\"}}" },
    { HYPHA_EVENT_LIST, NULL, "{\"event\":\"list\",\"info\":{" A ",\"list\":\"getaddr\"}}" },
    { HYPHA_EVENT_REFUSED, NULL, "{\"event\":\"refused\",\"info\":{" A "," E "}}" },
    { HYPHA_EVENT_EVICTED, NULL, "{\"event\":\"evicted\",\"info\":{" A "," I "}}" },
};

/* spec: network.md 9 MUST: each event's JSON name and fields */
static void test_events(void **state)
{
    size_t count = sizeof rows / sizeof rows[0];

    (void)state;
    assert_int_equal(count, HYPHA_EVENTS);
    for (size_t i = 0; i < count; i++) {
        struct hypha_event event = event_of(rows[i].type);

        assert_int_equal(hy_dnet_is_classic(event.type), rows[i].want != NULL);
        if (rows[i].want != NULL)
            check(&event, false, "never shown", rows[i].want);
        check(&event, true, NULL, rows[i].want_all != NULL ? rows[i].want_all : rows[i].want);
    }
}

static void test_network_and_null(void **state)
{
    struct hypha_event event = event_of(HYPHA_EVENT_DIAL);

    (void)state;
    event.err = HYPHA_OK;
    event.addr = NULL;
    event.session = 0;
    check(&event, true, "a",
        "{\"event\":\"dial\",\"info\":{\"addr\":null,\"err\":null,\"session\":null},"
        "\"network\":\"a\"}");
}

/* Without memory there is no event, and no leak. */
static void test_no_memory(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct hypha_event event = event_of(rows[i].type);
        json_t *got = NULL;

        for (size_t n = 0; got == NULL; n++) {
            assert_true(n < 1000);
            hy_alloc_fail_once(n);
            got = hy_dnet_event_json(&event, true, "a");
            hy_alloc_fail_after(SIZE_MAX);
        }
        json_decref(got);
    }
}

/* ---- replies within their bounds ---- */

static void test_reply_list(void **state)
{
    struct hy_reply_list list;

    (void)state;
    hy_reply_list_init(&list, 20);
    assert_true(hy_reply_list_add(&list, json_string("12345678"))); /* 10 and a comma */
    assert_false(hy_reply_list_add(&list, json_string("12345678")));
    assert_true(list.cut);
    /* What would still fit does not come after what did not: a list has no gaps. */
    assert_false(hy_reply_list_add(&list, json_string("1")));
    json_t *object = json_object();
    assert_true(hy_reply_put_list(object, "list", &list));
    assert_int_equal(hy_json_size(object), strlen("{\"list\":[\"12345678\"]}"));
    hy_reply_list_init(&list, 20);
    assert_false(hy_reply_list_add(&list, NULL)); /* no memory */
    assert_false(hy_reply_put_list(object, "list", &list));
    json_decref(object);
}

static void test_text(void **state)
{
    char good[] = "gr\xc3\xbc\xc3\x9f", bad[] = "x\xff\xc3";

    (void)state;
    hy_json_make_text(good);
    assert_string_equal(good, "gr\xc3\xbc\xc3\x9f");
    hy_json_make_text(bad);
    assert_string_equal(bad, "x??");
}

static int set_up(void **state)
{
    (void)state;
    hy_rpc_json_init();
    return hypha_url_parse_text("tcp://192.0.2.1:5000", &addr) == HYPHA_OK &&
            hypha_url_parse_text("tcp://192.0.2.1:5001", &connect_addr) == HYPHA_OK
        ? 0
        : -1;
}

static int tear_down(void **state)
{
    (void)state;
    hypha_url_unref(addr);
    hypha_url_unref(connect_addr);
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_events),
        cmocka_unit_test(test_network_and_null),
        cmocka_unit_test(test_no_memory),
        cmocka_unit_test(test_reply_list),
        cmocka_unit_test(test_text),
    };
    return cmocka_run_group_tests(tests, set_up, tear_down);
}
