/* book_file_test.c - what the address book keeps over a restart beside the lists: its secret, the
 * anchors, who told of whom, and who failed. spec: network.md 4.6, network.md 10 */
#include "fakes/hosts_fixture.h"

#include "hosts/host.h"

#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#define NOW  HY_SIM_START_WALL_S
#define PATH 128

static char folder[PATH], list[PATH + 16], book[PATH + 32], copy[PATH + 32];

static int make_folder(void **state)
{
    (void)state;
    strcpy(folder, "/tmp/hypha-book-XXXXXX");
    if (mkdtemp(folder) == NULL)
        return -1;
    (void)snprintf(list, sizeof list, "%s/hosts.tsv", folder);
    (void)snprintf(book, sizeof book, "%s.book", list);
    (void)snprintf(copy, sizeof copy, "%s.bak", list);
    return 0;
}

static int remove_folder(void **state)
{
    (void)state;
    (void)unlink(list);
    (void)unlink(book);
    (void)unlink(copy);
    return rmdir(folder);
}

static void open_room(struct hosts_room *room, uint64_t seed)
{
    struct hosts_plan plan = { .active = { "tcp" }, .hostlist = list };

    room_open(room, &plan, seed);
    must(hy_hosts_load(room->hosts));
}

static void write_text(const char *path, const char *text)
{
    FILE *file = fopen(path, "w");

    assert_non_null(file);
    assert_int_equal(fwrite(text, 1, strlen(text), file), strlen(text));
    assert_int_equal(fclose(file), 0);
}

static const char *text_of(const char *path)
{
    static char text[8192];
    FILE *file = fopen(path, "r");

    assert_non_null(file);
    text[fread(text, 1, sizeof text - 1, file)] = '\0';
    assert_int_equal(fclose(file), 0);
    return text;
}

/* Private, kept from run to run, and the cells with it; a damaged one is replaced. */
static void test_secret(void **state)
{
    uint8_t secret[HY_HASH_KEY_BYTES];
    struct hosts_room room;
    struct stat info;
    char before[512];

    (void)state;
    open_room(&room, 1);
    memcpy(secret, room.hosts->book.secret, sizeof secret);
    assert_int_equal(stat(book, &info), 0);
    assert_int_equal(info.st_mode & 0777, 0600);
    (void)snprintf(before, sizeof before, "%s", text_of(book));
    assert_memory_equal(before, "hypha-book 1\nsecret ", 20);
    must(room_move(&room, "tcp://8.8.8.1:1", HYPHA_COLOUR_WHITE, HY_HOST_FREE));
    must(hy_hosts_save(room.hosts));
    must(hy_hosts_load(room.hosts)); /* a start after a stop */
    room_close(&room);

    open_room(&room, 2);
    assert_memory_equal(room.hosts->book.secret, secret, sizeof secret);
    assert_string_equal(text_of(book), before);
    room_close(&room);

    for (int i = 0; i < 3; i++) {
        static const char *const damaged[] = { "", "hypha-book 1\nsecret 00zz\n",
            "hypha-book 2\nsecret 000102030405060708090a0b0c0d0e0f\n" };

        write_text(book, damaged[i]);
        open_room(&room, 3);
        assert_memory_not_equal(room.hosts->book.secret, secret, sizeof secret);
        assert_int_equal(hy_hosts_count(room.hosts, HYPHA_COLOUR_WHITE), 1);
        assert_int_equal(strlen(text_of(book)), strlen(before));
        room_close(&room);
    }
}

/* One that cannot be read is not written over: it may come back. */
static void test_unreadable(void **state)
{
    struct hosts_room room;

    (void)state;
    assert_int_equal(mkdir(book, 0700), 0);
    open_room(&room, 1);
    must(room_move(&room, "tcp://8.8.8.1:1", HYPHA_COLOUR_WHITE, HY_HOST_FREE));
    must(hy_hosts_save(room.hosts));
    room_close(&room);
    assert_int_equal(rmdir(book), 0);
}

static void connect_peer(struct hosts_room *room, const char *text)
{
    struct hypha_url *url = NULL;

    assert_int_equal(room_receive(room, text, NOW), HY_VERDICT_GREY);
    must(hy_hosts_pick(room->hosts, 7, 8, &url));
    must(hy_hosts_move(room->hosts, url, HYPHA_COLOUR_GOLD, HY_HOST_CONNECTED));
    hypha_url_unref(url);
    hy_sim_run_for(room->sim, 1000);
}

static void assert_picked(struct hosts_room *room, const char *text)
{
    struct hypha_url *url = NULL;

    must(hy_hosts_pick(room->hosts, 7, 8, &url));
    assert_string_equal(hypha_url_text(url), text);
    hypha_url_unref(url);
}

/* spec: network.md MUST 4.6-c
 * Loaded gold is white; the two outbound peers that were connected longest are dialled first, and
 * their record is gone at once. */
static void test_anchors(void **state)
{
    struct hosts_room room;
    char text[48];

    (void)state;
    open_room(&room, 1);
    connect_peer(&room, "tcp://1.1.1.1:1");
    room_free(&room, "tcp://1.1.1.1:1"); /* the oldest is gone */
    must(room_move(&room, "tcp://7.7.7.7:1", HYPHA_COLOUR_GOLD, HY_HOST_CONNECTED)); /* no slot's */
    connect_peer(&room, "tcp://2.2.2.2:1");
    connect_peer(&room, "tcp://3.3.3.3:1");
    connect_peer(&room, "tcp://4.4.4.4:1");
    for (unsigned i = 0; i < 100; i++) {
        (void)snprintf(text, sizeof text, "tcp://%u.9.9.9:1", 20 + i);
        must(room_move(&room, text, HYPHA_COLOUR_WHITE, HY_HOST_FREE));
    }
    must(hy_hosts_save(room.hosts));
    assert_null(strstr(text_of(book), "anchor")); /* only at stop */
    must(hy_hosts_save_anchors(room.hosts));
    assert_non_null(strstr(text_of(book), "\nanchor tcp://2.2.2.2:1/\nanchor tcp://3.3.3.3:1/\n"));
    room_close(&room);

    open_room(&room, 2);
    assert_null(strstr(text_of(book), "anchor"));
    assert_int_equal(hy_hosts_count(room.hosts, HYPHA_COLOUR_GOLD), 0);
    assert_int_equal(room_colour(&room, "tcp://2.2.2.2:1", NULL), HYPHA_COLOUR_WHITE);
    assert_picked(&room, "tcp://2.2.2.2:1/");
    assert_picked(&room, "tcp://3.3.3.3:1/");
    assert_int_equal(room.hosts->anchor_count, 0);
    room_close(&room);
}

/* Anchors are what the lists and the filter let them be. */
static void test_bad_anchors(void **state)
{
    struct hosts_room room;
    struct hypha_url *banned = fixture_url("tcp://8.8.8.2:1"), *url = NULL;

    (void)state;
    write_text(list, "white\ttcp://8.8.8.2:1/\t1699999000\nwhite\ttcp://8.8.8.3:1/\t1699999000\n");
    write_text(book,
        "hypha-book 1\nsecret 000102030405060708090a0b0c0d0e0f\n"
        "anchor tcp://127.0.0.1:1/\nanchor tcp://8.8.8.2:1/\nanchor rubbish\n");
    open_room(&room, 1);
    must(hy_hosts_ban(room.hosts, banned, 0, HYPHA_ERR_MAGIC));
    assert_picked(&room, "tcp://8.8.8.3:1/");
    assert_int_equal(hy_hosts_pick(room.hosts, 0, 8, &url), HYPHA_ERR_NOT_FOUND);
    room_close(&room);

    /* One that is forgotten before anybody dials. */
    write_text(book,
        "hypha-book 1\nsecret 000102030405060708090a0b0c0d0e0f\n"
        "anchor tcp://8.8.8.2:1/\nanchor tcp://8.8.8.3:1/\n");
    open_room(&room, 1);
    assert_int_equal(room.hosts->anchor_count, 2);
    hy_hosts_remove(room.hosts, banned);
    assert_int_equal(room.hosts->anchor_count, 1);
    assert_picked(&room, "tcp://8.8.8.3:1/");
    room_close(&room);
    hypha_url_unref(banned);
}

/* Who told of a host, and its failures, are in columns that other programs ignore; a file without
 * them is as good. spec: network.md 4.6 */
static void test_columns(void **state)
{
    static const char text[] = "grey\ttcp://8.8.8.1:1/\t1699999004\tipv4/9.9\t0\n"
                               "grey\ttcp://8.8.8.2:1/\t1699999003\n"
                               "white\ttcp://8.8.8.3:1/\t1699999002\t-\t2\n"
                               "white\ttcp://8.8.8.4:1/\t1699999001\tname/a b\t6\n";
    static const char foreign[] = "grey\ttcp://8.8.9.1:1/\t1699999000\ta\tb\tc\n"
                                  "grey\ttcp://8.8.9.2:1/\t1699999000\tipv4/9.9\n"
                                  "grey\ttcp://8.8.9.3:1/\t1699999000\t\t99\n";
    struct hosts_room room;
    struct hypha_url *url = fixture_url("tcp://8.8.8.1:1");

    (void)state;
    write_text(list, text);
    open_room(&room, 1);
    assert_string_equal(hy_hosts_record(room.hosts, url)->source_group->name, "ipv4/9.9");
    must(hy_hosts_save(room.hosts));
    assert_string_equal(text_of(list), text);
    /* The third failure, and a week: failures of the former run count. */
    hy_sim_run_for(room.sim, 8ULL * 86400 * 1000);
    must(room_set(&room, "tcp://8.8.8.3:1", HY_HOST_CONNECT));
    must(room_move(&room, "tcp://8.8.8.3:1", HYPHA_COLOUR_GREY, HY_HOST_SUSPEND));
    assert_int_equal(room_colour(&room, "tcp://8.8.8.3:1", NULL), HYPHA_COLOUR_GREY);
    room_close(&room);

    write_text(list, foreign);
    open_room(&room, 1);
    must(hy_hosts_save(room.hosts));
    assert_string_equal(text_of(list),
        "grey\ttcp://8.8.9.1:1/\t1699999000\n"
        "grey\ttcp://8.8.9.2:1/\t1699999000\n"
        "grey\ttcp://8.8.9.3:1/\t1699999000\t-\t6\n");
    room_close(&room);
    hypha_url_unref(url);
}

/* A file of the reference, full of one network: what has no cell in white is grey, or left out. */
static void test_too_many(void **state)
{
    FILE *file = fopen(list, "w");
    struct hosts_room room;

    (void)state;
    assert_non_null(file);
    for (unsigned i = 0; i < 4000; i++)
        (void)fprintf(file, "%s\ttcp://88.1.%u.%u:1/\t%u\n", i < 2000 ? "white" : "gold", i >> 8,
            i & 255, 1700000000 - i);
    assert_int_equal(fclose(file), 0);
    open_room(&room, 1);
    assert_in_range(hy_hosts_count(room.hosts, HYPHA_COLOUR_WHITE), HY_WHITE_CELLS,
        HY_BUCKETS_OF_GROUP * HY_WHITE_CELLS);
    assert_int_equal(room_colour(&room, "tcp://88.1.0.0:1", NULL), HYPHA_COLOUR_WHITE);
    assert_int_equal(hy_hosts_count(room.hosts, HYPHA_COLOUR_GREY), HY_GREY_CELLS);
    assert_int_equal(room.hosts->contest_count, 0);
    room_close(&room);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_secret, make_folder, remove_folder),
        cmocka_unit_test_setup_teardown(test_unreadable, make_folder, remove_folder),
        cmocka_unit_test_setup_teardown(test_anchors, make_folder, remove_folder),
        cmocka_unit_test_setup_teardown(test_bad_anchors, make_folder, remove_folder),
        cmocka_unit_test_setup_teardown(test_columns, make_folder, remove_folder),
        cmocka_unit_test_setup_teardown(test_too_many, make_folder, remove_folder),
    };

    return cmocka_run_group_tests_name("book_file", tests, NULL, NULL);
}
