/* view_layout_test.c - what stands on the screen, without a screen: pages of a small network
 * against snapshots/NAME.txt, keys, filters, pause, hostile text, sizes.
 *
 * HYPHA_WRITE_SNAPSHOTS=1 writes the snapshots anew; look at what changed. */
#include "base/alloc.h"
#include "view/view_once.h"
#include "view/view_ui.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#define S     UINT64_C(1000000000)
#define START (UINT64_C(1800000000) * S)

struct fixture {
    struct view_model model;
    struct view_node *alice, *bob, *seed;
    struct view_ui ui;
    uint64_t now_ns;
};

/* ---- a network to look at ---- */

typedef void (*apply_cb)(
    struct view_model *model, struct view_node *node, const json_t *value, uint64_t now_ns);

static void feed(struct fixture *fixture, struct view_node *node, apply_cb apply, const char *text)
{
    json_t *value = json_loads(text, JSON_DECODE_ANY, NULL);

    assert_non_null(value);
    apply(&fixture->model, node, value, fixture->now_ns);
    json_decref(value);
}

static void apply_hosts(
    struct view_model *model, struct view_node *node, const json_t *value, uint64_t now_ns)
{
    (void)now_ns;
    view_node_apply_hosts(model, node, value, true, true);
}

static void apply_bans(
    struct view_model *model, struct view_node *node, const json_t *value, uint64_t now_ns)
{
    (void)now_ns;
    view_node_apply_bans(model, node, value);
}

static void apply_spawns(
    struct view_model *model, struct view_node *node, const json_t *value, uint64_t now_ns)
{
    (void)now_ns;
    view_node_apply_spawns(model, node, value);
}

static void message(struct fixture *fixture, const char *name, unsigned id, const char *command)
{
    char text[512];

    (void)snprintf(text, sizeof text,
        "{\"event\":\"%s\",\"info\":{\"chan\":{\"addr\":\"tcp://127.0.0.1:52102/\",\"id\":%u,"
        "\"session\":\"outbound\"},\"cmd\":\"%s\",\"time\":\"%llu\",\"bytes\":9}}",
        name, id, command, (unsigned long long)fixture->now_ns);
    feed(fixture, fixture->alice, view_node_apply_event, text);
}

static void make_alice(struct fixture *fixture)
{
    feed(fixture, fixture->alice, view_node_apply_why,
        "{\"slots\":["
        "{\"session\":\"outbound\",\"slot\":0,\"state\":\"connected\",\"since_ms\":133000,"
        "\"addr\":\"tcp://127.0.0.1:52102/\",\"channel_id\":11},"
        "{\"session\":\"outbound\",\"slot\":1,\"state\":\"dialling\",\"since_ms\":2000,"
        "\"addr\":\"tcp+tls://[2001:db8::17]:26661/\",\"waits_for\":\"the connection\"},"
        "{\"session\":\"outbound\",\"slot\":2,\"state\":\"sleeping\",\"since_ms\":40000,"
        "\"last_error\":\"connection refused\",\"failures\":3,\"next_ms\":5000,"
        "\"waits_for\":\"a host to dial\"},"
        "{\"session\":\"manual\",\"slot\":0,\"state\":\"connected\",\"since_ms\":4000000,"
        "\"addr\":\"tcp://198.51.100.7:26661/\",\"channel_id\":12}],"
        "\"discovery\":{\"state\":\"getaddr\",\"failures\":1}}");
    feed(fixture, fixture->alice, view_node_apply_stats,
        "{\"uptime_s\":4000,\"app\":\"dchatd\",\"version\":\"0.4.1\","
        "\"own_addrs\":[\"tcp://127.0.0.1:52101\"],\"channels\":["
        "{\"id\":11,\"address\":\"tcp://127.0.0.1:52102/\",\"session\":\"outbound\","
        "\"app\":\"dchatd\",\"version\":\"0.4.1\",\"start_s\":1799999867,\"rtt_us\":812,"
        "\"messages_in\":40,\"messages_out\":42,\"bytes_in\":1900,\"bytes_out\":2100000,"
        "\"queued_bytes\":0,\"announced\":[\"tcp://127.0.0.1:52102/\"],\"commands\":{"
        "\"ping\":{\"messages_in\":9,\"messages_out\":9,\"bytes_in\":18,\"bytes_out\":18},"
        "\"DchatMsg\":{\"messages_in\":31,\"messages_out\":33,\"bytes_in\":1882,"
        "\"bytes_out\":2099982}}},"
        "{\"id\":12,\"address\":\"tcp://198.51.100.7:26661/\",\"session\":\"manual\","
        "\"start_s\":1799996000,\"rtt_us\":48000},"
        "{\"id\":13,\"address\":\"tcp://127.0.0.1:40312/\",\"session\":\"inbound\","
        "\"start_s\":1799999000,\"rtt_us\":1250000,\"announced\":[\"tcp://127.0.0.1:52102/\"]}]}");
    feed(fixture, fixture->alice, apply_hosts,
        "{\"counts\":{\"white\":2,\"grey\":31,\"gold\":0},\"hosts\":["
        "{\"url\":\"tcp://127.0.0.1:52102/\",\"colour\":\"white\",\"last_seen\":1799999880},"
        "{\"url\":\"tor://p7qaewjgnvnaeihhyybmoofd5avh665kr3awoxlh5rt6ox743kjdr6qd.onion:26661/\","
        "\"colour\":\"white\",\"last_seen\":1799900000},"
        "{\"url\":\"tcp://203.0.113.9:26661/\",\"colour\":\"grey\",\"last_seen\":1700000000}]}");
    feed(fixture, fixture->alice, apply_bans,
        "{\"bans\":[{\"url\":\"tcp://203.0.113.66:26661/\",\"until_s\":1800003600,"
        "\"why\":\"wrong magic bytes: the peer is of another network\"},"
        "{\"url\":null,\"group\":\"198.18.0.0/16\",\"until_s\":0,\"why\":\"by hand\"}]}");
}

static void make_history(struct fixture *fixture)
{
    fixture->now_ns += 2 * S;
    feed(fixture, fixture->alice, view_node_apply_event,
        "{\"event\":\"outbound_peer_discovery\",\"info\":{\"attempt\":1,\"state\":\"getaddr\"}}");
    fixture->now_ns += S;
    feed(fixture, fixture->alice, view_node_apply_event,
        "{\"event\":\"hosts_inserted\",\"info\":{\"addr\":\"tcp://127.0.0.1:52102/\","
        "\"channel_id\":11,\"number\":4}}");
    for (int i = 0; i < 3; i++) {
        fixture->now_ns += S;
        message(fixture, "send", 11, "DchatMsg");
        message(fixture, "recv", 11, "ping");
    }
    feed(fixture, fixture->alice, view_node_apply_event,
        "{\"event\":\"inbound_connected\",\"info\":{\"addr\":\"tcp://127.0.0.1:40999/\","
        "\"channel_id\":14}}");
    feed(fixture, fixture->alice, view_node_apply_event,
        "{\"event\":\"channel_unregistered\",\"info\":{\"addr\":\"tcp://127.0.0.1:40999/\","
        "\"channel_id\":14,\"session\":\"inbound\",\"err\":\"wrong magic bytes\"}}");
    fixture->now_ns += 7 * S;
}

static int setup(void **state)
{
    static struct fixture fixture;

    fixture.now_ns = START;
    view_model_init(&fixture.model);
    assert_int_equal(view_model_add(&fixture.model, "alice", VIEW_NORMAL, &fixture.alice), 0);
    assert_int_equal(view_model_add(&fixture.model, "bob", VIEW_NORMAL, &fixture.bob), 0);
    assert_int_equal(view_model_add(&fixture.model, "seed", VIEW_LILITH, &fixture.seed), 0);
    view_node_set_link(&fixture.model, fixture.alice, VIEW_ONLINE, "", fixture.now_ns);
    view_node_set_link(&fixture.model, fixture.seed, VIEW_ONLINE, "", fixture.now_ns);
    view_node_set_link(
        &fixture.model, fixture.bob, VIEW_OFFLINE, "connection refused", fixture.now_ns);
    make_alice(&fixture);
    feed(&fixture, fixture.seed, apply_spawns,
        "{\"spawns\":[{\"name\":\"dchat\",\"urls\":[\"tcp://127.0.0.1:50515/\"],\"whitelist\":["
        "\"tcp://127.0.0.1:52101/\",\"tcp://127.0.0.1:52102/"
        "\"],\"greylist\":[],\"goldlist\":[]}]}");
    make_history(&fixture);
    view_ui_init(&fixture.ui, &fixture.model);
    *state = &fixture;
    return 0;
}

static int teardown(void **state)
{
    struct fixture *fixture = *state;

    view_ui_fini(&fixture->ui);
    view_model_fini(&fixture->model);
    return 0;
}

/* ---- looking ---- */

static void draw(struct fixture *fixture, struct view_page *page, unsigned rows, unsigned cols)
{
    assert_true(view_page_init(page, rows, cols, false));
    view_layout(&fixture->ui, page, fixture->now_ns);
    for (unsigned row = 0; row < page->rows; row++)
        assert_true(page->lines[row].width <= cols);
}

/* The whole page as text; free() it. */
static char *page_text(struct fixture *fixture, unsigned rows, unsigned cols)
{
    struct view_page page;
    char *text = NULL;
    size_t len = 0;
    FILE *out = open_memstream(&text, &len);

    draw(fixture, &page, rows, cols);
    for (unsigned row = 0; row < page.rows; row++) {
        char *line = view_line_text(&page, row);

        assert_non_null(line);
        (void)fprintf(out, "%s\n", line);
        hy_free(line);
    }
    view_page_fini(&page);
    (void)fclose(out);
    return text;
}

static bool shows(struct fixture *fixture, const char *text)
{
    char *page = page_text(fixture, 24, 80);
    bool found = strstr(page, text) != NULL;

    free(page);
    return found;
}

static void assert_shows(struct fixture *fixture, const char *text)
{
    if (shows(fixture, text))
        return;
    char *page = page_text(fixture, 24, 80);
    print_message("\"%s\" is not on:\n%s", text, page);
    free(page);
    fail();
}

static void key(struct fixture *fixture, uint32_t code)
{
    view_ui_refresh(&fixture->ui);
    view_ui_key(&fixture->ui, code);
}

static void keys(struct fixture *fixture, const char *text)
{
    for (; *text != '\0'; text++)
        key(fixture, (unsigned char)*text);
}

static void compare(struct fixture *fixture, const char *name, unsigned rows, unsigned cols)
{
    char path[512];
    char *text = page_text(fixture, rows, cols);
    static char expected[100000];

    (void)snprintf(path, sizeof path, "%s/programs/view/snapshots/%s.txt", HYPHA_SOURCE_DIR, name);
    bool write = getenv("HYPHA_WRITE_SNAPSHOTS") != NULL;
    FILE *file = fopen(path, write ? "w" : "r");
    assert_non_null(file);
    if (write) {
        (void)fputs(text, file);
    } else {
        size_t len = fread(expected, 1, sizeof expected - 1, file);

        expected[len] = '\0';
        if (strcmp(expected, text) != 0)
            print_message("%s differs:\n%s", path, text);
        assert_string_equal(expected, text);
    }
    (void)fclose(file);
    free(text);
}

/* ---- snapshots ---- */

static void test_snapshots(void **state)
{
    static const char *const names[] = { "overview", "tree", "slots", "discovery", "hosts", "bans",
        "events", "map" };
    struct fixture *fixture = *state;
    char name[64];

    for (uint32_t i = 0; i < sizeof names / sizeof names[0]; i++) {
        key(fixture, '1' + i);
        compare(fixture, names[i], 24, 80);
        (void)snprintf(name, sizeof name, "%s-wide", names[i]);
        compare(fixture, name, 40, 120);
    }
    key(fixture, '?');
    compare(fixture, "help", 24, 80);
}

static void test_snapshot_channel(void **state)
{
    struct fixture *fixture = *state;

    keys(fixture, "2jj\r");
    assert_int_equal(fixture->ui.tab, VIEW_CHANNEL);
    compare(fixture, "channel", 24, 80);
    compare(fixture, "channel-wide", 40, 120);
    key(fixture, 0x1b);
    assert_int_equal(fixture->ui.tab, VIEW_TREE);
}

static void test_once(void **state)
{
    struct fixture *fixture = *state;
    char *text = NULL;
    size_t len = 0;
    FILE *out = open_memstream(&text, &len);

    assert_true(view_once_print(out, &fixture->model, false, fixture->now_ns));
    (void)fclose(out);
    assert_non_null(strstr(text, "- alice  online"));
    assert_non_null(strstr(text, "0 connected"));
    assert_non_null(strstr(text, "- bob  offline  connection refused"));
    assert_non_null(strstr(text, "dchat  2 white"));
    free(text);
    out = open_memstream(&text, &len);
    assert_true(view_once_print(out, &fixture->model, true, fixture->now_ns));
    (void)fclose(out);
    json_t *root = json_loads(text, 0, NULL);
    assert_int_equal(json_array_size(json_object_get(root, "nodes")), 3);
    json_decref(root);
    free(text);
}

/* ---- sizes ---- */

static void test_sizes(void **state)
{
    struct fixture *fixture = *state;
    struct view_page page;

    for (uint32_t tab = 0; tab < 8; tab++) {
        key(fixture, '1' + tab);
        for (unsigned rows = 0; rows < 30; rows++) {
            for (unsigned cols = 0; cols < 130; cols += cols < 12 ? 1 : 7) {
                draw(fixture, &page, rows, cols);
                view_page_fini(&page);
            }
        }
    }
    draw(fixture, &page, 5000, 5000);
    assert_int_equal(page.rows, VIEW_MAX_ROWS);
    view_page_fini(&page);
}

/* ---- keys ---- */

static void test_tabs(void **state)
{
    struct fixture *fixture = *state;

    for (unsigned tab = 0; tab < VIEW_CHANNEL; tab++) {
        assert_int_equal(fixture->ui.tab, tab);
        key(fixture, '\t');
    }
    assert_int_equal(fixture->ui.tab, VIEW_OVERVIEW);
    key(fixture, VIEW_KEY_BACK_TAB);
    assert_int_equal(fixture->ui.tab, VIEW_MAP);
    key(fixture, 'q');
    assert_true(fixture->ui.quit);
}

static void test_folding(void **state)
{
    struct fixture *fixture = *state;

    key(fixture, '2');
    assert_shows(fixture, "198.51.100.7");
    keys(fixture, "jh"); /* outbound */
    assert_false(shows(fixture, "52102/"));
    assert_shows(fixture, "+ outbound");
    keys(fixture, "h"); /* to alice */
    assert_int_equal(view_ui_row(&fixture->ui)->kind, VIEW_ROW_NODE);
    keys(fixture, "h");
    assert_shows(fixture, "+ alice");
    assert_false(shows(fixture, "198.51.100.7"));
    assert_shows(fixture, "- bob");
    keys(fixture, "ljl");
    assert_shows(fixture, "52102/");
    /* From a row to its session. */
    keys(fixture, "jjh");
    view_ui_refresh(&fixture->ui);
    assert_int_equal(view_ui_row(&fixture->ui)->kind, VIEW_ROW_SESSION);
}

/* The cursor stays with its row when rows come and go above it. */
static void test_cursor_keeps_its_row(void **state)
{
    struct fixture *fixture = *state;

    keys(fixture, "2G");
    view_ui_refresh(&fixture->ui);
    size_t before = fixture->ui.tabs[VIEW_TREE].cursor;
    assert_int_equal(view_ui_row(&fixture->ui)->kind, VIEW_ROW_NETWORK);
    for (unsigned id = 100; id < 120; id++) {
        char text[160];

        (void)snprintf(text, sizeof text,
            "{\"event\":\"inbound_connected\",\"info\":{\"addr\":\"tcp://a:1/\",\"channel_id\":"
            "%u}}",
            id);
        feed(fixture, fixture->alice, view_node_apply_event, text);
    }
    view_ui_refresh(&fixture->ui);
    assert_int_equal(fixture->ui.tabs[VIEW_TREE].cursor, before + 20);
    assert_int_equal(view_ui_row(&fixture->ui)->kind, VIEW_ROW_NETWORK);
    assert_shows(fixture, ">    dchat");
    view_node_set_link(&fixture->model, fixture->alice, VIEW_OFFLINE, "gone", fixture->now_ns);
    assert_shows(fixture, ">    dchat");
}

static void test_filter(void **state)
{
    struct fixture *fixture = *state;

    keys(fixture, "2/198.51");
    assert_true(fixture->ui.editing);
    assert_shows(fixture, "/198.51");
    assert_shows(fixture, "198.51.100.7");
    assert_false(shows(fixture, "52102/"));
    assert_shows(fixture, "alice"); /* the way to it */
    assert_false(shows(fixture, "bob"));
    keys(fixture, "\x7f\x7f\x7f\x7f\x7f\x7f"); /* backspace */
    assert_shows(fixture, "52102/");
    keys(fixture, "ALI\r");
    assert_false(fixture->ui.editing);
    assert_shows(fixture, "filter: ALI");
    assert_shows(fixture, "52102/");
    keys(fixture, "/zzz\r");
    assert_shows(fixture, "No row has this text");
    key(fixture, 0x1b);
    assert_shows(fixture, "bob");
    /* q in a filter is a letter, and there is an end to it. */
    keys(fixture, "/q");
    assert_false(fixture->ui.quit);
    for (int i = 0; i < 500; i++)
        key(fixture, 0x20ac);
    assert_true(strlen(fixture->ui.tabs[VIEW_TREE].filter) < VIEW_FILTER_BYTES);
    key(fixture, VIEW_KEY_BACKSPACE);
    assert_int_equal(strlen(fixture->ui.tabs[VIEW_TREE].filter) % 3, 1);
    key(fixture, 0x1b);
    assert_string_equal(fixture->ui.tabs[VIEW_TREE].filter, "");
}

static void test_search_hosts(void **state)
{
    struct fixture *fixture = *state;

    keys(fixture, "5/onion\r");
    assert_shows(fixture, "tor://p7qaewjgn");
    assert_false(shows(fixture, "203.0.113.9"));
    assert_shows(fixture, "grey  31, of which 1 are known here");
    key(fixture, 'n');
    assert_shows(fixture, "hypha-view  bob (offline)");
    key(fixture, 'n');
    assert_shows(fixture, "hypha-view  seed");
    key(fixture, 'n');
    assert_shows(fixture, "hypha-view  alice");
    key(fixture, 'N');
    assert_shows(fixture, "hypha-view  seed");
}

static void test_log_follows(void **state)
{
    struct fixture *fixture = *state;

    key(fixture, '7');
    for (int i = 0; i < 50; i++)
        message(fixture, "send", 11, "early");
    message(fixture, "send", 11, "newest");
    assert_shows(fixture, "newest");
    keys(fixture, "kk"); /* leaves the end */
    for (int i = 0; i < 5; i++)
        message(fixture, "send", 11, "later");
    view_ui_refresh(&fixture->ui);
    size_t cursor = fixture->ui.tabs[VIEW_STREAM].cursor;
    assert_int_equal(cursor, fixture->ui.rows.count - 3 - 5);
    /* The oldest go: still the same row; when it goes too, the oldest there is. */
    for (int i = 0; i < VIEW_MAX_EVENTS - 70; i++)
        message(fixture, "send", 11, "flood");
    view_ui_refresh(&fixture->ui);
    uint64_t id = view_ui_row(&fixture->ui)->id;
    for (int i = 0; i < 30; i++)
        message(fixture, "send", 11, "flood");
    view_ui_refresh(&fixture->ui);
    assert_int_equal(view_ui_row(&fixture->ui)->id, id);
    for (int i = 0; i < 100; i++)
        message(fixture, "send", 11, "flood");
    view_ui_refresh(&fixture->ui);
    assert_int_equal(fixture->ui.tabs[VIEW_STREAM].cursor, 0);
    keys(fixture, "G");
    message(fixture, "send", 11, "the very last");
    assert_shows(fixture, "the very last");
}

static void test_pause(void **state)
{
    struct fixture *fixture = *state;

    keys(fixture, "7p");
    assert_shows(fixture, "PAUSED");
    for (int i = 0; i < VIEW_MAX_EVENTS + 10; i++)
        message(fixture, "send", 11, "flood");
    assert_shows(fixture, "more)");
    assert_false(shows(fixture, "flood"));
    assert_shows(fixture, "hosts_inserted");
    keys(fixture, "/hosts\r");
    assert_false(shows(fixture, "outbound_peer_discovery"));
    assert_shows(fixture, "hosts_inserted");
    key(fixture, 0x1b);
    key(fixture, '4'); /* another log stands still from now on */
    assert_shows(fixture, "hosts_inserted");
    keys(fixture, "7p");
    assert_shows(fixture, "flood");
    assert_false(shows(fixture, "PAUSED"));
}

/* A channel that is looked at may go, be forgotten, and its id come again. */
static void test_channel_goes(void **state)
{
    struct fixture *fixture = *state;

    keys(fixture, "2jj\r");
    assert_shows(fixture, "open for");
    feed(fixture, fixture->alice, view_node_apply_stats, "{\"channels\":[]}");
    assert_shows(fixture, "closed 0s ago");
    assert_shows(fixture, "DchatMsg");
    fixture->now_ns += (VIEW_CLOSED_S + 1) * S;
    view_node_tidy(&fixture->model, fixture->alice, fixture->now_ns);
    assert_shows(fixture, "This channel is gone");
    keys(fixture, "kj/x\rG");
    message(fixture, "recv", 11, "xylophone");
    assert_shows(fixture, "xylophone");
}

static void test_no_nodes(void **state)
{
    struct fixture *fixture = *state;
    struct view_model empty;

    view_model_init(&empty);
    view_ui_fini(&fixture->ui);
    view_ui_init(&fixture->ui, &empty);
    for (uint32_t tab = '1'; tab <= '8'; tab++) {
        key(fixture, tab);
        keys(fixture, "jkhl\rnN/a\r p p");
        key(fixture, 0x1b);
        assert_shows(fixture, "hypha-view");
    }
    view_ui_fini(&fixture->ui);
    view_ui_init(&fixture->ui, &fixture->model);
    view_model_fini(&empty);
}

/* Any keys in any order, while nodes talk. */
static void test_random_keys(void **state)
{
    static const uint32_t codes[] = { 'j', 'k', 'h', 'l', '\r', '\t', 0x1b, '/', 'a', '1', '2', '3',
        '4', '5', '6', '7', '8', 'n', 'N', 'p', '?', '+', '-', 'g', 'G', ' ', 's', 0x7f,
        VIEW_KEY_PAGE_UP, VIEW_KEY_PAGE_DOWN, VIEW_KEY_BACK_TAB, VIEW_KEY_END, 0x10ffff, 0 };
    struct fixture *fixture = *state;
    struct view_page page;
    uint32_t random = 12345;

    for (int i = 0; i < 4000; i++) {
        random = random * 1664525U + 1013904223U;
        key(fixture, codes[(random >> 16) % (sizeof codes / sizeof codes[0])]);
        if (i % 3 == 0)
            message(fixture, "recv", 11U + (unsigned)i % 5, "any");
        if (i % 97 == 0)
            view_node_set_link(&fixture->model, fixture->alice,
                i % 2 == 0 ? VIEW_OFFLINE : VIEW_ONLINE, "", fixture->now_ns);
        if (i % 41 == 0)
            make_alice(fixture);
        fixture->now_ns += S;
        view_node_tidy(&fixture->model, fixture->alice, fixture->now_ns);
        draw(fixture, &page, 24, 80);
        view_page_fini(&page);
    }
}

/* ---- text ---- */

static void test_hostile_text(void **state)
{
    static const struct {
        const char *text, *shown;
        unsigned width;
    } cases[] = {
        { "a\x1b[31mb", "a\\x1b[31mb", 10 },
        { "a\nb\tc", "a\\nb\\tc", 7 },
        { "\xc2\x9b", "\\x9b", 4 },                                 /* CSI in one byte of Latin-1 */
        { "\xe2\x80\xaegpj\xe2\x80\xac", "\\u202egpj\\u202c", 15 }, /* right-to-left override */
        { "\xe2\x80\x8b", "\\u200b", 6 },                           /* zero width space */
        { "\xf3\xa0\x81\x81", "\\U0e0041", 8 },                     /* a tag */
        { "\xff\xfe", "\\xff\\xfe", 8 },
        { "\xe2\x82", "\\xe2\\x82", 8 },
        { "\xe6\xbc\xa2\xe5\xad\x97", "\xe6\xbc\xa2\xe5\xad\x97", 4 }, /* wide */
        { "e\xcc\x81", "e\xcc\x81", 1 },                               /* combining */
        { "\xcc\x81", "", 0 },
        { "e\xcc\x81\xcc\x81\xcc\x81\xcc\x81\xcc\x81", "e\xcc\x81\xcc\x81\xcc\x81", 1 },
        { "\xf0\x9f\x98\x80", "\xf0\x9f\x98\x80", 2 },
    };

    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct view_page page;

        assert_true(view_page_init(&page, 1, 80, false));
        view_put(&page, 0, VIEW_PLAIN, cases[i].text);
        char *text = view_line_text(&page, 0);
        assert_string_equal(text, cases[i].shown);
        assert_int_equal(page.lines[0].width, cases[i].width);
        hy_free(text);
        view_page_fini(&page);
    }
}

static void test_cut(void **state)
{
    struct view_page page;

    (void)state;
    assert_true(view_page_init(&page, 4, 10, false));
    view_put(&page, 0, VIEW_PLAIN, "123456789\xe6\xbc\xa2");
    assert_int_equal(page.lines[0].width, 9); /* half a wide character is none */
    view_put_left(&page, 1, VIEW_PLAIN, 5, "123456");
    view_put_right(&page, 1, VIEW_PLAIN, 5, "ab");
    char *text = view_line_text(&page, 1);
    assert_string_equal(text, "1234~   ab");
    hy_free(text);
    view_put_left(&page, 2, VIEW_PLAIN, 4, "\xe6\xbc\xa2\xe6\xbc\xa2\xe6\xbc\xa2");
    assert_int_equal(page.lines[2].width, 4);
    view_put_left(&page, 3, VIEW_PLAIN, 100, "abcdefghijklm");
    text = view_line_text(&page, 3);
    assert_string_equal(text, "abcdefghi~");
    hy_free(text);
    view_put(&page, 9, VIEW_PLAIN, "nowhere");
    view_page_fini(&page);
    assert_true(view_page_init(&page, 1, 30, true)); /* a terminal without UTF-8 */
    view_put(&page, 0, VIEW_PLAIN, "\xc3\xa4\xe2\x82\xac");
    text = view_line_text(&page, 0);
    assert_string_equal(text, "\\xe4\\u20ac");
    hy_free(text);
    view_page_fini(&page);
}

static void test_numbers(void **state)
{
    char text[VIEW_NUMBER_BYTES];

    (void)state;
    assert_string_equal(view_age_text(0, text), "0s");
    assert_string_equal(view_age_text(59 * S, text), "59s");
    assert_string_equal(view_age_text(61 * S, text), "1m01s");
    assert_string_equal(view_age_text(3661 * S, text), "1h01m");
    assert_string_equal(view_age_text(90000 * S, text), "1d01h");
    assert_non_null(view_age_text(UINT64_MAX, text));
    assert_string_equal(view_bytes_text(999, text), "999 B");
    assert_string_equal(view_bytes_text(1000, text), "1.0 kB");
    assert_string_equal(view_bytes_text(999999, text), "1.0 MB");
    assert_string_equal(view_bytes_text(UINT64_MAX, text), "18 EB");
    assert_string_equal(view_round_trip_text(0, text), "");
    assert_string_equal(view_round_trip_text(812, text), "0.8ms");
    assert_string_equal(view_round_trip_text(48000, text), "48ms");
    assert_string_equal(view_round_trip_text(1250000, text), "1.2s");
    assert_string_equal(view_rate_text(0, text), "0");
    assert_string_equal(view_rate_text(0.1, text), "0.1");
    assert_string_equal(view_rate_text(1240.4, text), "1240");
}

/* ---- saving, memory ---- */

static void test_save(void **state)
{
    struct fixture *fixture = *state;
    char *text;
    size_t len, lines;

    for (uint32_t tab = '1'; tab <= '8'; tab++) {
        key(fixture, tab);
        view_ui_refresh(&fixture->ui);
        assert_int_equal(
            view_save_text(&fixture->ui, fixture->now_ns, &text, &len, &lines), HYPHA_OK);
        size_t found = 0;
        for (char *rest = text, *line; (line = strsep(&rest, "\n")) != NULL;) {
            if (line[0] == '\0')
                continue;
            json_t *value = json_loads(line, 0, NULL);
            assert_non_null(json_object_get(value, "kind"));
            assert_non_null(json_object_get(value, "node"));
            json_decref(value);
            found++;
        }
        assert_int_equal(found, lines);
        hy_free(text);
    }
    key(fixture, '5');
    keys(fixture, "/onion\r");
    view_ui_refresh(&fixture->ui);
    assert_int_equal(view_save_text(&fixture->ui, fixture->now_ns, &text, &len, &lines), HYPHA_OK);
    assert_int_equal(lines, 1);
    assert_non_null(strstr(text, "\"list\":\"white\""));
    hy_free(text);
}

static void test_no_memory(void **state)
{
    struct fixture *fixture = *state;

    for (uint32_t tab = '1'; tab <= '8'; tab++) {
        for (size_t fail = 0; fail < 60; fail++) {
            struct view_page page;

            view_ui_fini(&fixture->ui);
            view_ui_init(&fixture->ui, &fixture->model);
            hy_alloc_fail_after(fail);
            key(fixture, tab);
            keys(fixture, "pjp");
            if (view_page_init(&page, 24, 80, false))
                view_layout(&fixture->ui, &page, fixture->now_ns);
            hy_alloc_fail_after(SIZE_MAX);
            view_page_fini(&page);
        }
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_snapshots, setup, teardown),
        cmocka_unit_test_setup_teardown(test_snapshot_channel, setup, teardown),
        cmocka_unit_test_setup_teardown(test_once, setup, teardown),
        cmocka_unit_test_setup_teardown(test_sizes, setup, teardown),
        cmocka_unit_test_setup_teardown(test_tabs, setup, teardown),
        cmocka_unit_test_setup_teardown(test_folding, setup, teardown),
        cmocka_unit_test_setup_teardown(test_cursor_keeps_its_row, setup, teardown),
        cmocka_unit_test_setup_teardown(test_filter, setup, teardown),
        cmocka_unit_test_setup_teardown(test_search_hosts, setup, teardown),
        cmocka_unit_test_setup_teardown(test_log_follows, setup, teardown),
        cmocka_unit_test_setup_teardown(test_pause, setup, teardown),
        cmocka_unit_test_setup_teardown(test_channel_goes, setup, teardown),
        cmocka_unit_test_setup_teardown(test_no_nodes, setup, teardown),
        cmocka_unit_test_setup_teardown(test_random_keys, setup, teardown),
        cmocka_unit_test_setup_teardown(test_hostile_text, setup, teardown),
        cmocka_unit_test_setup_teardown(test_cut, setup, teardown),
        cmocka_unit_test_setup_teardown(test_numbers, setup, teardown),
        cmocka_unit_test_setup_teardown(test_save, setup, teardown),
        cmocka_unit_test_setup_teardown(test_no_memory, setup, teardown),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
