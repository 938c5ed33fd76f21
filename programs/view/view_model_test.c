/* view_model_test.c - recorded answers and events of reference nodes, answers of hypha's, and
 * what a hostile node might say. */
#include "base/alloc.h"
#include "view/view_model.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#define S     UINT64_C(1000000000)
#define START (UINT64_C(1800000000) * S)

struct fixture {
    struct view_model model;
    struct view_node *node;
    uint64_t now_ns;
};

static int setup(void **state)
{
    static struct fixture fixture;

    fixture.now_ns = START;
    view_model_init(&fixture.model);
    assert_int_equal(view_model_add(&fixture.model, "alice", VIEW_NORMAL, &fixture.node), HYPHA_OK);
    view_node_set_link(&fixture.model, fixture.node, VIEW_ONLINE, "", fixture.now_ns);
    *state = &fixture;
    return 0;
}

static int teardown(void **state)
{
    struct fixture *fixture = *state;

    view_model_fini(&fixture->model);
    return 0;
}

/* ---- feeding ---- */

static json_t *parse(const char *text)
{
    json_t *value = json_loads(text, JSON_DECODE_ANY, NULL);

    assert_non_null(value);
    return value;
}

static void event(struct fixture *fixture, const char *text)
{
    json_t *value = parse(text);

    view_node_apply_event(&fixture->model, fixture->node, value, fixture->now_ns);
    json_decref(value);
}

static void eventf(struct fixture *fixture, const char *format, ...) HYPHA_PRINTF(2, 3);
static void eventf(struct fixture *fixture, const char *format, ...)
{
    char text[512];
    va_list args;

    va_start(args, format);
    (void)vsnprintf(text, sizeof text, format, args);
    va_end(args);
    event(fixture, text);
}

static void info(struct fixture *fixture, const char *text)
{
    json_t *value = parse(text);

    view_node_apply_info(&fixture->model, fixture->node, value, fixture->now_ns);
    json_decref(value);
}

static void why(struct fixture *fixture, const char *text)
{
    json_t *value = parse(text);

    view_node_apply_why(&fixture->model, fixture->node, value, fixture->now_ns);
    json_decref(value);
}

static void stats(struct fixture *fixture, const char *text)
{
    json_t *value = parse(text);

    view_node_apply_stats(&fixture->model, fixture->node, value, fixture->now_ns);
    json_decref(value);
}

static void message(struct fixture *fixture, uint32_t channel, const char *command)
{
    eventf(fixture,
        "{\"event\":\"send\",\"info\":{\"chan\":{\"addr\":\"tcp://192.0.2.1:9/\",\"id\":%u},"
        "\"cmd\":\"%s\",\"time\":\"1795432428343643349\"}}",
        channel, command);
}

/* ---- what reference nodes said ---- */

/* Every recorded line of a node, in their order. */
static void replay(struct fixture *fixture, const char *name)
{
    FILE *file = fopen(HYPHA_SOURCE_DIR "/tests/vectors/data/rpc.jsonl", "r");
    static char line[65536];

    assert_non_null(file);
    while (fgets(line, sizeof line, file) != NULL) {
        json_t *record = parse(line);
        json_t *said = json_loads(
            json_string_value(json_object_get(record, "line")), JSON_DECODE_ANY, NULL);
        const char *of = json_string_value(json_object_get(record, "node"));
        const char *direction = json_string_value(json_object_get(record, "dir"));
        const json_t *result = json_object_get(said, "result");
        const json_t *params = json_object_get(said, "params");
        double t_ms = json_number_value(json_object_get(record, "t_ms"));

        fixture->now_ns = START + (uint64_t)(t_ms * 1e6);
        if (strcmp(of, name) == 0 && strcmp(direction, "notification") == 0)
            view_node_apply_event(
                &fixture->model, fixture->node, json_array_get(params, 0), fixture->now_ns);
        if (strcmp(of, name) == 0 && json_object_get(result, "outbound_slots") != NULL)
            view_node_apply_info(&fixture->model, fixture->node, result, fixture->now_ns);
        if (strcmp(of, name) == 0 && json_object_get(result, "spawns") != NULL)
            view_node_apply_spawns(&fixture->model, fixture->node, result);
        json_decref(said);
        json_decref(record);
    }
    (void)fclose(file);
}

static void test_recorded_node(void **state)
{
    struct fixture *fixture = *state;
    struct view_node *node = fixture->node;

    replay(fixture, "bob");
    assert_int_equal(node->slot_count, 5);
    assert_true(node->event_count > 100);
    assert_int_equal(node->event_count, node->events_seen);
    assert_true(node->note_count > 5);
    assert_string_equal(node->discovery, "seed");
    assert_false(node->is_hypha);
    assert_int_equal(view_node_count(node, NULL), view_node_count(node, ""));
    for (size_t i = 0; i < node->slot_count; i++) {
        assert_string_equal(node->slots[i].session, "outbound");
        assert_int_equal(node->slots[i].number, i);
        assert_string_equal(node->slots[i].state, "sleeping");
        assert_int_equal(node->slots[i].channel_id, 0);
    }
}

static void test_recorded_seed(void **state)
{
    struct fixture *fixture = *state;

    replay(fixture, "lilith");
    const struct view_network *network = STAILQ_FIRST(&fixture->node->networks);
    assert_non_null(network);
    assert_null(STAILQ_NEXT(network, entry));
    assert_string_equal(network->name, "dchat");
    assert_int_equal(network->listens.count, 1);
    assert_string_equal(network->listens.urls[0], "tcp://127.0.0.1:26660/");
    assert_int_equal(network->white.count, 2);
    assert_string_equal(network->white.urls[1], "tcp://127.0.0.1:26691/");
    assert_int_equal(network->grey.count, 0);
    assert_false(network->white.truncated);
}

/* ---- lives of channels and slots ---- */

static void test_slot_life(void **state)
{
    struct fixture *fixture = *state;
    struct view_node *node = fixture->node;

    info(fixture, "{\"channels\":[],\"outbound_slots\":[0,0]}");
    assert_int_equal(node->slot_count, 2);
    assert_string_equal(node->slots[1].state, "empty");
    event(fixture,
        "{\"event\":\"outbound_slot_connecting\",\"info\":{\"slot\":1,"
        "\"addr\":\"tcp://192.0.2.1:9/\"}}");
    assert_string_equal(node->slots[1].state, "connecting");
    assert_string_equal(node->slots[1].addr, "tcp://192.0.2.1:9/");
    fixture->now_ns += S;
    message(fixture, 77, "version"); /* before the slot says connected */
    assert_false(view_node_channel(node, 77)->listed);
    event(fixture,
        "{\"event\":\"outbound_slot_connected\",\"info\":{\"slot\":1,"
        "\"addr\":\"tcp://192.0.2.1:9/\",\"channel_id\":77}}");
    assert_string_equal(node->slots[1].state, "connected");
    assert_int_equal(node->slots[1].channel_id, 77);
    assert_int_equal(node->slots[1].since_ns, fixture->now_ns);
    assert_int_equal(view_node_count(node, "outbound"), 1);
    assert_int_equal(view_node_channel(node, 77)->message_count, 1);
    event(fixture,
        "{\"event\":\"outbound_slot_disconnected\",\"info\":{\"slot\":1,"
        "\"err\":\"Channel stopped\"}}");
    assert_string_equal(node->slots[1].last_error, "Channel stopped");
    assert_int_equal(view_node_count(node, NULL), 0);
    assert_true(view_node_channel(node, 77)->closed);
    assert_string_equal(view_node_channel(node, 77)->why, "Channel stopped");
    assert_int_equal(node->slots[1].change_count, 4);
    assert_int_equal(node->slots[1].changes[3].kind, VIEW_SLOT_FAILED);
    /* The same id again is another channel. */
    message(fixture, 77, "version");
    assert_int_equal(node->channel_count, 2);
    assert_false(view_node_channel(node, 77)->closed);
}

static void test_inbound_and_direct(void **state)
{
    struct fixture *fixture = *state;
    struct view_node *node = fixture->node;

    event(fixture,
        "{\"event\":\"inbound_connected\",\"info\":{\"addr\":\"tcp://a:1/\",\"channel_id\":5}}");
    event(fixture,
        "{\"event\":\"direct_connected\",\"info\":{\"connect_addr\":\"tcp://b:1\","
        "\"addr\":\"tcp://b:1/\",\"channel_id\":6}}");
    assert_int_equal(view_node_count(node, "inbound"), 1);
    assert_int_equal(view_node_count(node, "direct"), 1);
    event(fixture,
        "{\"event\":\"direct_disconnected\",\"info\":{\"connect_addr\":\"tcp://b:1\","
        "\"err\":\"gone\"}}");
    event(fixture,
        "{\"event\":\"inbound_disconnected\",\"info\":{\"addr\":\"tcp://a:1/\","
        "\"channel_id\":5}}");
    assert_int_equal(view_node_count(node, NULL), 0);
    assert_string_equal(view_node_channel(node, 6)->why, "gone");
}

/* A list names all channels but those that are still shaking hands. */
static void test_info_closes_the_unnamed(void **state)
{
    struct fixture *fixture = *state;
    struct view_node *node = fixture->node;

    info(fixture,
        "{\"channels\":[{\"url\":\"tcp://a:1/\",\"session\":\"manual\",\"id\":1},"
        "{\"url\":\"tcp://b:1/\",\"session\":\"outbound\",\"id\":2}],\"outbound_slots\":[2,0]}");
    message(fixture, 3, "version");
    assert_int_equal(view_node_count(node, NULL), 3);
    assert_string_equal(node->slots[0].addr, "tcp://b:1/");
    info(fixture,
        "{\"channels\":[{\"url\":\"tcp://a:1/\",\"session\":\"manual\",\"id\":1}],"
        "\"outbound_slots\":[0]}");
    assert_int_equal(view_node_count(node, NULL), 2);
    assert_true(view_node_channel(node, 2)->closed);
    assert_int_equal(node->slot_count, 1);
    assert_string_equal(node->slots[0].state, "empty");
    /* What was never named is forgotten after a silence; what is closed after a while. */
    fixture->now_ns += 61 * S;
    view_node_tidy(&fixture->model, node, fixture->now_ns);
    assert_null(view_node_channel(node, 3));
    assert_non_null(view_node_channel(node, 2));
    fixture->now_ns += VIEW_CLOSED_S * S;
    view_node_tidy(&fixture->model, node, fixture->now_ns);
    assert_null(view_node_channel(node, 2));
    assert_non_null(view_node_channel(node, 1));
}

static void test_offline(void **state)
{
    struct fixture *fixture = *state;
    struct view_node *node = fixture->node;

    info(fixture,
        "{\"channels\":[{\"url\":\"tcp://b:1/\",\"session\":\"outbound\",\"id\":2}],"
        "\"outbound_slots\":[2,0]}");
    view_node_set_link(&fixture->model, node, VIEW_OFFLINE, "connection refused", fixture->now_ns);
    assert_string_equal(node->error, "connection refused");
    assert_int_equal(view_node_count(node, NULL), 0);
    assert_string_equal(node->slots[0].state, "unknown");
    info(fixture, "{\"channels\":[],\"outbound_slots\":[0,0]}");
    assert_string_equal(node->slots[0].state, "empty");
}

/* ---- what hypha's nodes say ---- */

static void test_why(void **state)
{
    struct fixture *fixture = *state;
    struct view_node *node = fixture->node;

    why(fixture,
        "{\"slots\":[{\"session\":\"seed\",\"slot\":0,\"state\":\"idle\",\"since_ms\":500},"
        "{\"session\":\"outbound\",\"slot\":1,\"state\":\"sleeping\",\"since_ms\":2000,"
        "\"addr\":null,\"channel_id\":0,\"last_error\":\"timed out\",\"failures\":3,"
        "\"next_ms\":4000,\"waits_for\":\"a host\"},"
        "{\"session\":\"outbound\",\"slot\":0,\"state\":\"connected\",\"since_ms\":9000,"
        "\"addr\":\"tcp://b:1/\",\"channel_id\":9}],"
        "\"discovery\":{\"state\":\"getaddr\",\"failures\":2}}");
    assert_true(node->is_hypha);
    assert_int_equal(node->slot_count, 3);
    assert_string_equal(node->slots[0].addr, "tcp://b:1/"); /* outbound before seed, by number */
    assert_int_equal(node->slots[0].since_ns, START - 9 * S);
    assert_string_equal(node->slots[1].last_error, "timed out");
    assert_string_equal(node->slots[1].waits_for, "a host");
    assert_int_equal(node->slots[1].next_ns, START + 4 * S);
    assert_int_equal(node->slots[1].failures, 3);
    assert_string_equal(node->slots[2].session, "seed");
    assert_string_equal(node->discovery, "getaddr");
    assert_int_equal(node->attempt, 2);
    /* The time line goes back to where it began. */
    assert_int_equal(node->slots[0].changes[0].time_ns, START - 9 * S);
    /* A slot that looks for a host and finds none sleeps on, for the same reason. */
    event(fixture, "{\"event\":\"outbound_slot_sleeping\",\"info\":{\"slot\":1}}");
    assert_string_equal(node->slots[1].waits_for, "a host");
    event(fixture,
        "{\"event\":\"outbound_slot_connecting\",\"info\":{\"slot\":1,\"addr\":\"tcp://c:1/\"}}");
    assert_string_equal(node->slots[1].waits_for, "");
    why(fixture, "{\"slots\":[]}");
    assert_int_equal(node->slot_count, 0);
}

static void test_stats(void **state)
{
    struct fixture *fixture = *state;
    struct view_node *node = fixture->node;

    message(fixture, 4, "ping");
    assert_int_equal(view_node_channel(node, 4)->messages_out, 1);
    stats(fixture,
        "{\"uptime_s\":60,\"app\":\"dchatd\",\"version\":\"0.4.1\",\"own_addrs\":[\"tcp://me:1/\"],"
        "\"channels\":[{\"id\":4,\"url\":\"tcp://b:1/\",\"session\":\"manual\",\"app\":\"x\","
        "\"version\":\"1.0\",\"start_s\":1799999990,\"rtt_us\":1500,\"messages_in\":10,"
        "\"messages_out\":20,\"bytes_in\":30,\"bytes_out\":40,\"queued_bytes\":5,"
        "\"announced\":[\"tcp://peer:2/\"],\"commands\":{\"ping\":{\"messages_in\":1,"
        "\"messages_out\":2,\"bytes_in\":3,\"bytes_out\":4}}}]}");
    const struct view_channel *channel = view_node_channel(node, 4);
    assert_string_equal(channel->session, "manual");
    assert_string_equal(channel->addr, "tcp://b:1/");
    assert_int_equal(channel->since_ns, UINT64_C(1799999990) * S);
    assert_int_equal(channel->round_trip_us, 1500);
    assert_int_equal(channel->messages_in, 10);
    assert_string_equal(channel->announced[0], "tcp://peer:2/");
    assert_string_equal(STAILQ_FIRST(&channel->commands)->name, "ping");
    assert_int_equal(STAILQ_FIRST(&channel->commands)->bytes_out, 4);
    assert_int_equal(node->started_ns, START - 60 * S);
    assert_string_equal(node->own_addrs[0], "tcp://me:1/");
    /* The node counts: its events only make the rate. */
    message(fixture, 4, "ping");
    assert_int_equal(channel->messages_out, 20);
    assert_int_equal(channel->message_count, 2);
    /* A cut list names not all. */
    stats(fixture, "{\"channels\":[],\"truncated\":true}");
    assert_int_equal(view_node_count(node, NULL), 1);
    stats(fixture, "{\"channels\":[],\"truncated\":false}");
    assert_int_equal(view_node_count(node, NULL), 0);
}

static void hosts(struct fixture *fixture, const char *text, bool first, bool last)
{
    json_t *value = parse(text);

    view_node_apply_hosts(&fixture->model, fixture->node, value, first, last);
    json_decref(value);
}

static void test_hosts_pages(void **state)
{
    struct fixture *fixture = *state;
    struct view_node *node = fixture->node;

    hosts(fixture,
        "{\"counts\":{\"white\":2,\"grey\":9},\"hosts\":[{\"url\":\"tcp://a:1/\",\"colour\":"
        "\"white\",\"last_seen\":7}],\"next\":1}",
        true, false);
    assert_int_equal(node->white.count, 0); /* not before the last page */
    hosts(fixture,
        "{\"counts\":{\"white\":2,\"grey\":9},\"hosts\":[{\"url\":\"tcp://b:1/\",\"colour\":"
        "\"white\",\"last_seen\":8},{\"url\":\"tcp://c:1/\",\"colour\":\"grey\",\"last_seen\":9}],"
        "\"next\":null}",
        false, true);
    assert_int_equal(node->white.count, 2);
    assert_string_equal(node->white.urls[1], "tcp://b:1/");
    assert_int_equal(node->white.seen_s[1], 8);
    assert_false(node->white.truncated);
    assert_int_equal(node->grey.total, 9);
    assert_true(node->grey.truncated);
    hosts(fixture, "{\"counts\":{},\"hosts\":[],\"next\":null}", true, true);
    assert_int_equal(node->white.count, 0);
}

static void test_bans(void **state)
{
    struct fixture *fixture = *state;
    json_t *value = parse("{\"bans\":[{\"url\":\"tcp://a:1/\",\"until_s\":5,\"why\":\"too loud\"},"
                          "{\"url\":null,\"group\":\"192.0.0.0/16\",\"until_s\":0,\"why\":\"x\"},"
                          "7]}");

    view_node_apply_bans(&fixture->model, fixture->node, value);
    json_decref(value);
    assert_int_equal(fixture->node->ban_count, 3);
    assert_string_equal(fixture->node->bans[0].why, "too loud");
    assert_string_equal(fixture->node->bans[1].addr, "192.0.0.0/16");
}

static void test_own_events(void **state)
{
    struct fixture *fixture = *state;
    struct view_node *node = fixture->node;

    event(fixture,
        "{\"event\":\"slot\",\"info\":{\"session\":\"manual\",\"slot\":0,\"state\":\"dialling\","
        "\"addr\":\"tcp://a:1/\",\"err\":null}}");
    assert_string_equal(node->slots[0].session, "manual");
    assert_int_equal(view_slot_kind_of(node->slots[0].state), VIEW_SLOT_CONNECTING);
    event(fixture,
        "{\"event\":\"channel_registered\",\"info\":{\"addr\":\"tcp://a:1/\",\"channel_id\":8,"
        "\"session\":\"refine\"}}");
    assert_int_equal(view_node_count(node, "refine"), 1);
    event(fixture,
        "{\"event\":\"channel_unregistered\",\"info\":{\"addr\":\"tcp://a:1/\",\"channel_id\":8,"
        "\"session\":\"refine\",\"err\":\"timed out\"}}");
    assert_string_equal(view_node_channel(node, 8)->why, "timed out");
    event(fixture, "{\"event\":\"lag\",\"info\":{\"dropped\":12}}");
    assert_int_equal(node->dropped, 12);
    event(fixture, "{\"event\":\"something_new\",\"info\":{\"addr\":\"tcp://a:1/\",\"number\":3}}");
    const struct view_event *last = TAILQ_LAST(&node->events, view_events);
    assert_string_equal(last->name, "something_new");
    assert_string_equal(last->text, "3 hosts from tcp://a:1/");
}

/* ---- rates ---- */

static void test_rate(void **state)
{
    struct fixture *fixture = *state;

    for (int i = 0; i < 30; i++)
        message(fixture, 1, "ping");
    fixture->now_ns += 5 * S;
    for (int i = 0; i < 20; i++)
        message(fixture, 1, "ping");
    assert_true(view_rate_per_s(&fixture->node->rate, fixture->now_ns) == 5.0);
    assert_true(view_rate_per_s(&fixture->node->rate, fixture->now_ns + 5 * S) == 2.0);
    assert_true(view_rate_per_s(&fixture->node->rate, fixture->now_ns + 60 * S) == 0.0);
    /* The clock is set back: what was counted is no reason to count wrongly. */
    fixture->now_ns -= 3600 * S;
    message(fixture, 1, "ping");
    assert_true(view_rate_per_s(&fixture->node->rate, fixture->now_ns) > 0.09);
    assert_true(view_rate_per_s(&fixture->node->rate, fixture->now_ns) < 0.11);
}

/* ---- bounds ---- */

static void test_many_channels(void **state)
{
    struct fixture *fixture = *state;
    struct view_node *node = fixture->node;

    for (unsigned id = 1; id <= VIEW_MAX_CHANNELS + 500; id++)
        eventf(fixture,
            "{\"event\":\"inbound_connected\",\"info\":{\"addr\":\"tcp://a:1/\","
            "\"channel_id\":%u}}",
            id);
    assert_int_equal(node->channel_count, VIEW_MAX_CHANNELS);
    for (unsigned id = 1; id <= VIEW_MAX_CHANNELS; id++)
        eventf(fixture, "{\"event\":\"inbound_disconnected\",\"info\":{\"channel_id\":%u}}", id);
    assert_int_equal(node->channel_count, VIEW_MAX_CLOSED);
    assert_int_equal(node->closed_count, VIEW_MAX_CLOSED);
    assert_int_equal(node->event_count, VIEW_MAX_EVENTS);
}

static void test_many_messages(void **state)
{
    struct fixture *fixture = *state;
    struct view_node *node = fixture->node;
    char command[32];

    for (unsigned i = 0; i < VIEW_MAX_MESSAGES + 100; i++) {
        (void)snprintf(command, sizeof command, "cmd%u", i);
        message(fixture, 1, command);
    }
    const struct view_channel *channel = view_node_channel(node, 1);
    assert_int_equal(channel->message_count, VIEW_MAX_MESSAGES);
    assert_int_equal(channel->messages_seen, VIEW_MAX_MESSAGES + 100);
    assert_int_equal(channel->command_count, VIEW_MAX_COMMANDS);
    assert_string_equal(STAILQ_FIRST(&channel->messages)->command, "cmd100");
    /* Many channels share what few may have. */
    for (unsigned id = 2; id < 2 + VIEW_MAX_NODE_MESSAGES / 128; id++)
        for (unsigned i = 0; i < 150; i++) {
            (void)snprintf(command, sizeof command, "cmd%u", i);
            message(fixture, id, command);
        }
    assert_int_equal(node->message_count, VIEW_MAX_NODE_MESSAGES);
    assert_int_equal(channel->message_count, 0); /* the oldest went first */
    assert_int_equal(node->command_count, VIEW_MAX_NODE_COMMANDS);
}

static void test_many_slots_and_lists(void **state)
{
    struct fixture *fixture = *state;
    struct view_node *node = fixture->node;
    json_t *slots = json_array(), *hosts_array = json_array();
    char url[64];

    for (int i = 0; i < VIEW_MAX_SLOTS + 100; i++)
        json_array_append_new(slots, json_integer(0));
    json_t *result = json_pack("{s:[], s:o}", "channels", "outbound_slots", slots);
    view_node_apply_info(&fixture->model, node, result, fixture->now_ns);
    json_decref(result);
    assert_int_equal(node->slot_count, VIEW_MAX_SLOTS);
    for (int i = 0; i < VIEW_MAX_URLS + 100; i++) {
        (void)snprintf(url, sizeof url, "tcp://192.0.2.1:%d/", i);
        json_array_append_new(hosts_array,
            json_pack("{s:s, s:s, s:i}", "url", url, "colour", "white", "last_seen", i));
    }
    result = json_pack("{s:o}", "hosts", hosts_array);
    view_node_apply_hosts(&fixture->model, node, result, true, true);
    json_decref(result);
    assert_int_equal(node->white.count, VIEW_MAX_URLS);
    assert_true(node->white.truncated);
}

static void test_many_nodes(void **state)
{
    struct fixture *fixture = *state;
    struct view_node *node;
    char name[16];

    assert_int_equal(
        view_model_add(&fixture->model, "alice", VIEW_NORMAL, &node), HYPHA_ERR_EXISTS);
    for (int i = 1; i < VIEW_MAX_NODES; i++) {
        (void)snprintf(name, sizeof name, "node%d", i);
        assert_int_equal(view_model_add(&fixture->model, name, VIEW_LILITH, &node), HYPHA_OK);
    }
    assert_int_equal(view_model_add(&fixture->model, "more", VIEW_NORMAL, &node), HYPHA_ERR_LIMIT);
}

/* A text is cut at a character, so that it stays UTF-8. */
static void test_long_texts(void **state)
{
    struct fixture *fixture = *state;
    char text[3000] = "{\"event\":\"inbound_connected\",\"info\":{\"channel_id\":1,\"addr\":\"x";

    while (strlen(text) < 2000)
        strcat(text, "\xe2\x82\xac");
    strcat(text, "\"}}");
    event(fixture, text);
    size_t len = strlen(view_node_channel(fixture->node, 1)->addr);
    assert_true(len <= VIEW_MAX_TEXT && len > VIEW_MAX_TEXT - 4);
    assert_int_equal((len - 1) % 3, 0);
    json_t *all = view_model_json(&fixture->model, 10, 10, fixture->now_ns);
    assert_non_null(all);
    json_decref(all);
}

/* ---- what makes no sense ---- */

static void test_nonsense(void **state)
{
    static const char *const texts[] = {
        "null",
        "[]",
        "{}",
        "\"x\"",
        "-1",
        "{\"channels\":{},\"outbound_slots\":{}}",
        "{\"channels\":[null,1,[],{},{\"id\":-1},{\"id\":1e3},{\"id\":4294967296},"
        "{\"id\":3,\"url\":7,\"session\":[]}],\"outbound_slots\":[null,-1,1.5,\"x\",{},"
        "99999999999,18446744073709551615.0]}",
        "{\"event\":\"send\",\"info\":null}",
        "{\"event\":\"send\",\"info\":{\"chan\":7,\"cmd\":{}}}",
        "{\"event\":\"send\",\"info\":{\"chan\":{\"id\":1,\"addr\":null},\"cmd\":null,"
        "\"time\":\"99999999999999999999999\",\"bytes\":-5}}",
        "{\"event\":7,\"info\":{}}",
        "{\"event\":\"outbound_slot_connected\",\"info\":{\"slot\":4294967295,\"channel_id\":0}}",
        "{\"event\":\"outbound_slot_connected\",\"info\":{\"slot\":-1}}",
        "{\"event\":\"outbound_slot_connected\",\"info\":{\"slot\":0,\"channel_id\":-9}}",
        "{\"event\":\"outbound_peer_discovery\",\"info\":{\"attempt\":-1,\"state\":7}}",
        "{\"event\":\"lag\",\"info\":{\"dropped\":\"many\"}}",
        "{\"event\":\"slot\",\"info\":{\"slot\":1,\"session\":\"\",\"state\":\"x\"}}",
        "{\"slots\":[null,{},{\"slot\":0},{\"slot\":1,\"session\":9,\"since_ms\":-1,"
        "\"next_ms\":9223372036854775807}],\"discovery\":[]}",
        "{\"uptime_s\":9223372036854775807,\"channels\":[7,{},{\"id\":1,\"start_s\":"
        "9223372036854775807,\"announced\":[1,null,{}],\"commands\":[1]},"
        "{\"id\":2,\"commands\":{\"a\":7,\"\":null}}],\"own_addrs\":{}}",
        "{\"spawns\":[null,7,{},{\"name\":\"a\"},{\"name\":\"a\",\"urls\":7,"
        "\"whitelist\":[null,7,\"x\"]}]}",
        "{\"counts\":[],\"hosts\":[null,7,{},{\"url\":7,\"colour\":\"white\"},"
        "{\"url\":\"x\",\"colour\":\"pink\"}],\"next\":-1}",
        "{\"bans\":[null,[],{\"url\":[],\"group\":7,\"until_s\":-3,\"why\":{}}]}",
    };
    struct fixture *fixture = *state;

    for (size_t i = 0; i < sizeof texts / sizeof texts[0]; i++) {
        json_t *value = parse(texts[i]);

        for (int round = 0; round < 2; round++) {
            struct view_node *node = fixture->node;

            view_node_apply_info(&fixture->model, node, value, fixture->now_ns);
            view_node_apply_event(&fixture->model, node, value, fixture->now_ns);
            view_node_apply_spawns(&fixture->model, node, value);
            view_node_apply_why(&fixture->model, node, value, fixture->now_ns);
            view_node_apply_stats(&fixture->model, node, value, fixture->now_ns);
            view_node_apply_hosts(&fixture->model, node, value, round == 0, round == 1);
            view_node_apply_bans(&fixture->model, node, value);
        }
        json_decref(value);
        value = view_model_json(&fixture->model, 100, 100, fixture->now_ns);
        assert_non_null(value);
        json_decref(value);
    }
    assert_true(fixture->node->slot_count <= VIEW_MAX_SLOTS);
}

/* ---- JSON ---- */

static void test_json(void **state)
{
    struct fixture *fixture = *state;

    for (int i = 0; i < 5; i++)
        message(fixture, 9, "ping");
    json_t *root = view_model_json(&fixture->model, 2, 3, fixture->now_ns);
    const json_t *node = json_array_get(json_object_get(root, "nodes"), 0);
    const json_t *channel = json_array_get(json_object_get(node, "channels"), 0);
    const json_t *one = json_array_get(json_object_get(channel, "messages"), 1);

    assert_string_equal(json_string_value(json_object_get(node, "name")), "alice");
    assert_string_equal(json_string_value(json_object_get(node, "kind")), "NORMAL");
    assert_string_equal(json_string_value(json_object_get(node, "link")), "online");
    assert_int_equal(json_array_size(json_object_get(node, "events")), 3);
    assert_int_equal(json_array_size(json_object_get(channel, "messages")), 2);
    assert_int_equal(json_integer_value(json_object_get(channel, "messages_out")), 5);
    assert_string_equal(json_string_value(json_object_get(one, "time_ns")), "1795432428343643349");
    assert_true(json_is_true(json_object_get(one, "sent")));
    json_decref(root);
}

/* The name and the error may come from anywhere, JSON must be UTF-8. */
static void test_json_of_bad_names(void **state)
{
    struct fixture *fixture = *state;
    struct view_node *node;

    assert_int_equal(view_model_add(&fixture->model, "\xff\xfe", VIEW_NORMAL, &node), HYPHA_OK);
    view_node_set_endpoint(node, "unix:/tmp/\xc3");
    view_node_set_link(&fixture->model, node, VIEW_OFFLINE, "\xe2\x82", fixture->now_ns);
    json_t *root = view_model_json(&fixture->model, 0, 0, fixture->now_ns);
    assert_non_null(root);
    json_decref(root);
}

/* ---- callbacks, memory ---- */

static void count_event(const struct view_node *node, const json_t *raw, void *user)
{
    unsigned *count = user;

    assert_non_null(node);
    assert_non_null(json_object_get(raw, "event"));
    *count += 1;
}

static void test_on_event(void **state)
{
    struct fixture *fixture = *state;
    unsigned count = 0;

    fixture->model.on_event = count_event;
    fixture->model.user = &count;
    message(fixture, 1, "ping");
    event(fixture, "{\"event\":\"lag\",\"info\":{\"dropped\":1}}");
    event(fixture, "{\"event\":7}");
    assert_int_equal(count, 2);
}

/* All kinds of input, with the nth allocation refused: something is missing, nothing breaks. */
static void feed_all(struct fixture *fixture, json_t *const *values, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        struct view_node *node = fixture->node;

        view_node_apply_event(&fixture->model, node, values[i], fixture->now_ns);
        view_node_apply_info(&fixture->model, node, values[i], fixture->now_ns);
        view_node_apply_why(&fixture->model, node, values[i], fixture->now_ns);
        view_node_apply_stats(&fixture->model, node, values[i], fixture->now_ns);
        view_node_apply_spawns(&fixture->model, node, values[i]);
        view_node_apply_hosts(&fixture->model, node, values[i], true, true);
        view_node_apply_bans(&fixture->model, node, values[i]);
    }
}

static void test_no_memory(void **state)
{
    static const char *const texts[] = {
        "{\"channels\":[{\"id\":1,\"url\":\"tcp://a:1/\",\"session\":\"manual\",\"announced\":"
        "[\"tcp://x:1/\"],\"commands\":{\"ping\":{\"messages_in\":1}}}],\"outbound_slots\":[1,0]}",
        "{\"event\":\"send\",\"info\":{\"chan\":{\"id\":1,\"addr\":\"tcp://a:1/\"},"
        "\"cmd\":\"ping\"}}",
        "{\"event\":\"outbound_peer_discovery\",\"info\":{\"attempt\":1,\"state\":\"wait\"}}",
        "{\"slots\":[{\"session\":\"manual\",\"slot\":0,\"state\":\"idle\",\"addr\":\"tcp://b:1/\","
        "\"last_error\":\"x\",\"waits_for\":\"y\"}],\"discovery\":{\"state\":\"seed\"}}",
        "{\"spawns\":[{\"name\":\"a\",\"urls\":[\"tcp://a:1/\"],\"whitelist\":[\"tcp://b:1/\"]}]}",
        "{\"hosts\":[{\"url\":\"tcp://a:1/\",\"colour\":\"grey\",\"last_seen\":1}]}",
        "{\"bans\":[{\"url\":\"tcp://a:1/\",\"why\":\"x\"}]}",
    };
    struct fixture *fixture = *state;
    json_t *values[sizeof texts / sizeof texts[0]];
    size_t count = sizeof texts / sizeof texts[0];

    for (size_t i = 0; i < count; i++)
        values[i] = parse(texts[i]);
    for (size_t fail = 0; fail < 200; fail++) {
        hy_alloc_fail_once(fail);
        feed_all(fixture, values, count);
        hy_alloc_fail_after(SIZE_MAX);
        view_model_fini(&fixture->model);
        assert_int_equal(setup(state), 0);
    }
    hy_alloc_fail_after(0);
    feed_all(fixture, values, count);
    hy_alloc_fail_after(SIZE_MAX);
    feed_all(fixture, values, count);
    assert_int_equal(fixture->node->ban_count, 1);
    for (size_t i = 0; i < count; i++)
        json_decref(values[i]);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_recorded_node, setup, teardown),
        cmocka_unit_test_setup_teardown(test_recorded_seed, setup, teardown),
        cmocka_unit_test_setup_teardown(test_slot_life, setup, teardown),
        cmocka_unit_test_setup_teardown(test_inbound_and_direct, setup, teardown),
        cmocka_unit_test_setup_teardown(test_info_closes_the_unnamed, setup, teardown),
        cmocka_unit_test_setup_teardown(test_offline, setup, teardown),
        cmocka_unit_test_setup_teardown(test_why, setup, teardown),
        cmocka_unit_test_setup_teardown(test_stats, setup, teardown),
        cmocka_unit_test_setup_teardown(test_hosts_pages, setup, teardown),
        cmocka_unit_test_setup_teardown(test_bans, setup, teardown),
        cmocka_unit_test_setup_teardown(test_own_events, setup, teardown),
        cmocka_unit_test_setup_teardown(test_rate, setup, teardown),
        cmocka_unit_test_setup_teardown(test_many_channels, setup, teardown),
        cmocka_unit_test_setup_teardown(test_many_messages, setup, teardown),
        cmocka_unit_test_setup_teardown(test_many_slots_and_lists, setup, teardown),
        cmocka_unit_test_setup_teardown(test_many_nodes, setup, teardown),
        cmocka_unit_test_setup_teardown(test_long_texts, setup, teardown),
        cmocka_unit_test_setup_teardown(test_nonsense, setup, teardown),
        cmocka_unit_test_setup_teardown(test_json, setup, teardown),
        cmocka_unit_test_setup_teardown(test_json_of_bad_names, setup, teardown),
        cmocka_unit_test_setup_teardown(test_on_event, setup, teardown),
        cmocka_unit_test_setup_teardown(test_no_memory, setup, teardown),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
