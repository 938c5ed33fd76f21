/* hostlist_test.c - the file: merged, saved whole, and nothing lost. spec:
 * network.md 4.6 */
#include "fakes/hosts_fixture.h"

#include "base/alloc.h"

#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#define NOW  HY_SIM_START_WALL_S
#define PATH 256

struct files {
    char folder[64], list[PATH], copy[PATH], temporary[PATH], book[PATH];
};

static struct files files_make(void)
{
    struct files files;

    strcpy(files.folder, "/tmp/hypha-hostlist-XXXXXX");
    assert_non_null(mkdtemp(files.folder));
    (void)snprintf(files.list, PATH, "%s/a/b/hosts.tsv", files.folder);
    (void)snprintf(files.copy, PATH, "%s.bak", files.list);
    (void)snprintf(files.temporary, PATH, "%s.tmp", files.list);
    (void)snprintf(files.book, PATH, "%s.book", files.list);
    return files;
}

static void files_remove(struct files *files)
{
    char path[PATH];

    (void)unlink(files->list);
    (void)unlink(files->copy);
    (void)unlink(files->book);
    (void)rmdir(files->list);
    assert_int_not_equal(access(files->temporary, F_OK), 0); /* never left behind */
    (void)snprintf(path, PATH, "%s/a/b", files->folder);
    assert_int_equal(rmdir(path), 0);
    (void)snprintf(path, PATH, "%s/a", files->folder);
    assert_int_equal(rmdir(path), 0);
    assert_int_equal(rmdir(files->folder), 0);
}

static void write_file(const char *path, const char *text, size_t len)
{
    FILE *file = fopen(path, "w");

    assert_non_null(file);
    assert_int_equal(fwrite(text, 1, len, file), len);
    assert_int_equal(fclose(file), 0);
}

/* Makes the folders too. */
static void write_list(struct files *files, const char *text)
{
    char path[PATH];

    (void)snprintf(path, PATH, "%s/a", files->folder);
    (void)mkdir(path, 0700);
    (void)snprintf(path, PATH, "%s/a/b", files->folder);
    (void)mkdir(path, 0700);
    write_file(files->list, text, strlen(text));
}

static void assert_file(const char *path, const char *expected)
{
    char text[4096];
    FILE *file = fopen(path, "r");
    size_t len;

    assert_non_null(file);
    len = fread(text, 1, sizeof text - 1, file);
    text[len] = '\0';
    assert_int_equal(fclose(file), 0);
    assert_string_equal(text, expected);
}

static size_t warnings;

static void count_warnings(
    void *user, enum hypha_log_level level, const char *target, const char *text)
{
    (void)user;
    (void)text;
    warnings += level == HYPHA_LOG_WARN && strcmp(target, "net::hosts") == 0 ? 1 : 0;
}

static void open_with(struct hosts_room *room, struct files *files)
{
    struct hosts_plan plan = {
        .active = { "tcp" },
        .external = { "tcp://own.example:1" },
        .seeds = { "tcp://seed.example:1" },
        .hostlist = files->list,
        .log = count_warnings,
    };

    warnings = 0;
    room_open(room, &plan, 1);
}

/* spec: network.md MUST 4.6-b, 4.6-c
 * What is missing is made; what is known is written, dark, grey, white, gold;
 * black is not. */
static void test_save_and_load(void **state)
{
    static const char expected[] = "dark\ttcp+tls://8.8.8.5:1/\t1699992790\n"
                                   "grey\ttcp://8.8.8.1:1/\t1699992800\n"
                                   "grey\ttcp://8.8.8.2:1/\t1699992700\n"
                                   "white\ttcp://8.8.8.3:1/\t1700000000\n"
                                   "gold\ttcp://8.8.8.4:1/\t1700000000\n";
    struct files files = files_make();
    struct hosts_room room;
    struct hypha_url *banned = fixture_url("tcp://8.8.8.6:1");
    struct stat info;
    uint64_t last_seen = 0;

    (void)state;
    open_with(&room, &files);
    must(hy_hosts_load(room.hosts));
    assert_file(files.list, "");
    assert_int_equal(stat(files.list, &info), 0);
    assert_int_equal(info.st_mode & 0777, 0600);
    must(hy_hosts_save(room.hosts)); /* also when empty */
    (void)room_receive(&room, "tcp://8.8.8.2:1", NOW - 100);
    (void)room_receive(&room, "tcp://8.8.8.1:1", NOW);
    must(room_move(&room, "tcp://8.8.8.3:1", HYPHA_COLOUR_WHITE, HY_HOST_FREE));
    must(room_move(&room, "tcp://8.8.8.4:1", HYPHA_COLOUR_GOLD, HY_HOST_CONNECTED));
    (void)room_receive(&room, "tcp+tls://8.8.8.5:1", NOW - 10);
    must(hy_hosts_ban(room.hosts, banned, 0, HYPHA_ERR_MAGIC));
    assert_int_equal(chmod(files.list, 0640), 0);
    must(hy_hosts_save(room.hosts));
    assert_file(files.list, expected);
    assert_int_equal(stat(files.list, &info), 0);
    assert_int_equal(info.st_mode & 0777, 0640); /* as the user wants it */
    /* Loading over what is there doubles nothing, and leaves the better colour.
     */
    must(hy_hosts_load(room.hosts));
    must(hy_hosts_save(room.hosts));
    assert_file(files.list, expected);
    room_close(&room);

    /* The next run: gold is not connected, so it is white. */
    open_with(&room, &files);
    must(hy_hosts_load(room.hosts));
    assert_int_equal(room_colour(&room, "tcp://8.8.8.4:1", &last_seen), HYPHA_COLOUR_WHITE);
    assert_int_equal(last_seen, NOW);
    assert_int_equal(room_colour(&room, "tcp://8.8.8.3:1", NULL), HYPHA_COLOUR_WHITE);
    assert_int_equal(room_colour(&room, "tcp://8.8.8.2:1", &last_seen), HYPHA_COLOUR_GREY);
    assert_int_equal(last_seen, NOW - 7300);
    assert_int_equal(room_colour(&room, "tcp+tls://8.8.8.5:1", NULL), HYPHA_COLOUR_DARK);
    assert_int_equal(warnings, 0);
    assert_int_not_equal(access(files.copy, F_OK), 0);
    room_close(&room);
    hypha_url_unref(banned);
    files_remove(&files);
}

/* spec: network.md MUST 4.6-a
 * Damaged lines are skipped and told; what the filter refuses is not taken. */
static void test_lines(void **state)
{
    static const char text[] = "grey\ttcp://8.8.8.1:1\t5\textra\tcolumns\n"
                               "\n"
                               "grey\ttcp://8.8.8.2:1/?q=1\t99999999999\r\n"
                               "white\ttcp://8.8.8.3:1/\n"
                               "pink\ttcp://8.8.8.4:1/\t5\n"
                               "Grey\ttcp://8.8.8.4:1/\t5\n"
                               "grey\tnonsense\t5\n"
                               "grey\ttcp://8.8.8.5:1/\t18446744073709551616\n"
                               "grey\ttcp://8.8.8.5:1/\t-1\n"
                               "grey\ttcp://8.8.8.5:1/\t\n"
                               "\t\t\n"
                               "grey\ttcp://8.8.8.6:1/\t18446744073709551615\n"
                               "grey\ttcp://192.168.1.1:1/\t5\n"
                               "grey\ttcp://seed.example:1/\t5\n"
                               "white\ttcp://own.example:9/\t5\n"
                               "gold\tsocks5://8.8.8.8:1/x:1\t5\n"
                               "dark\ttcp+tls://8.8.8.9:1/\t5\n"
                               "dark\ttcp+tls://8.8.9.9:1/\t1699999999\n"
                               "black\ttcp://8.8.8.10/\t5\n"
                               "grey\ttcp://8.8.8.10:7/\t5\n"
                               "grey\ttcp://8.8.8.11:1/\t7\n"
                               "white\ttcp://8.8.8.11:1/\t6\n"
                               "grey\ttcp://8.8.8.11:1/\t5\n"
                               "grey\ttcp://8.8.8.12:1/\t1";
    struct files files = files_make();
    struct hosts_room room;
    uint64_t last_seen = 0;

    (void)state;
    write_list(&files, text);
    open_with(&room, &files);
    must(hy_hosts_load(room.hosts));
    assert_int_equal(hy_hosts_count(room.hosts, HYPHA_COLOUR_GREY), 4);
    assert_int_equal(room_colour(&room, "tcp://8.8.8.1:1", &last_seen), HYPHA_COLOUR_GREY);
    assert_int_equal(last_seen, 5);
    assert_int_equal(room_colour(&room, "tcp://8.8.8.2:1", &last_seen), HYPHA_COLOUR_GREY);
    assert_int_equal(last_seen, NOW); /* the future never ages: 11.12 */
    assert_int_equal(room_colour(&room, "tcp://8.8.8.6:1", &last_seen), HYPHA_COLOUR_GREY);
    assert_int_equal(room_colour(&room, "tcp://8.8.8.11:1", &last_seen), HYPHA_COLOUR_WHITE);
    assert_int_equal(last_seen, 7);
    assert_int_equal(room_colour(&room, "tcp://8.8.8.12:1", &last_seen), HYPHA_COLOUR_GREY);
    assert_int_equal(hy_hosts_count(room.hosts, HYPHA_COLOUR_WHITE), 1);
    assert_int_equal(hy_hosts_count(room.hosts, HYPHA_COLOUR_GOLD), 0);
    assert_int_equal(hy_hosts_count(room.hosts, HYPHA_COLOUR_DARK), 1);
    assert_true(room_is_banned(&room, "tcp://8.8.8.10:7"));
    assert_int_equal(warnings, 8);
    /* Nobody loses what we could not read. */
    must(hy_hosts_save(room.hosts));
    assert_file(files.copy, text);
    room_close(&room);
    files_remove(&files);
}

/* Not more warnings than somebody would read, and long lines are lines. */
static void test_rubbish(void **state)
{
    enum { LONG = 300000 };
    struct files files = files_make();
    char *text = malloc(LONG + 64);
    struct hosts_room room;
    size_t len = 0;

    (void)state;
    assert_non_null(text);
    write_list(&files, "");
    memset(text, 'x', LONG);
    for (size_t i = 0; i < 100000; i += 1000)
        text[i] = '\n';
    len = LONG + (size_t)sprintf(text + LONG, "\ngrey\ttcp://8.8.8.1:1\t5\n%c\n", '\0');
    write_file(files.list, text, len);
    open_with(&room, &files);
    must(hy_hosts_load(room.hosts));
    assert_int_equal(hy_hosts_count(room.hosts, HYPHA_COLOUR_GREY), 1);
    assert_int_equal(warnings, 10);
    room_close(&room);
    free(text);
    files_remove(&files);
}

/* Without a file nothing is done. */
static void test_no_file_configured(void **state)
{
    static const struct hosts_plan plan = { .active = { "tcp" } };
    struct hosts_room room;

    (void)state;
    room_open(&room, &plan, 1);
    must(hy_hosts_load(room.hosts));
    must(hy_hosts_save(room.hosts));
    room_close(&room);
}

/* A save without a load does not wipe out what an earlier run knew. */
static void test_save_without_load(void **state)
{
    struct files files = files_make();
    struct hosts_room room;

    (void)state;
    write_list(&files, "grey\ttcp://8.8.8.1:1/\t5\n");
    open_with(&room, &files);
    must(hy_hosts_save(room.hosts));
    assert_file(files.list, "");
    assert_file(files.copy, "grey\ttcp://8.8.8.1:1/\t5\n");
    must(room_move(&room, "tcp://8.8.8.2:1", HYPHA_COLOUR_WHITE, HY_HOST_FREE));
    must(hy_hosts_save(room.hosts)); /* ours now: no second copy */
    assert_file(files.copy, "grey\ttcp://8.8.8.1:1/\t5\n");
    room_close(&room);
    files_remove(&files);
}

/* What is no file can't be read, nor replaced. */
static void test_unreadable(void **state)
{
    struct files files = files_make();
    struct hosts_room room;

    (void)state;
    write_list(&files, "");
    assert_int_equal(unlink(files.list), 0);
    assert_int_equal(mkdir(files.list, 0700), 0);
    open_with(&room, &files);
    assert_int_equal(hy_hosts_load(room.hosts), HYPHA_ERR_IO);
    assert_int_equal(warnings, 1);
    room_close(&room);
    files_remove(&files);
}

/* spec: network.md MUST 4.6-b: on a full disk, or nearly, the old file stays */
static void test_full_disk(void **state)
{
    static const char text[] = "grey\ttcp://8.8.8.1:1/\t5\n";
    struct files files = files_make();
    struct rlimit old, small = { 10, RLIM_INFINITY };
    struct hosts_room room;
    void (*handler)(int) = signal(SIGXFSZ, SIG_IGN);

    (void)state;
    write_list(&files, text);
    open_with(&room, &files);
    must(hy_hosts_load(room.hosts));
    assert_int_equal(getrlimit(RLIMIT_FSIZE, &old), 0);
    small.rlim_max = old.rlim_max;
    assert_int_equal(setrlimit(RLIMIT_FSIZE, &small), 0);
    assert_int_equal(hy_hosts_save(room.hosts), HYPHA_ERR_IO);
    assert_int_equal(setrlimit(RLIMIT_FSIZE, &old), 0);
    assert_file(files.list, text);
    assert_int_not_equal(access(files.temporary, F_OK), 0);
    must(hy_hosts_save(room.hosts));
    assert_file(files.list, text);
    (void)signal(SIGXFSZ, handler);
    room_close(&room);
    files_remove(&files);
}

/* A folder that can't be made. */
static void test_no_folder(void **state)
{
    struct files files = files_make();
    char path[PATH];
    struct hosts_room room;

    (void)state;
    (void)snprintf(path, PATH, "%s/a", files.folder);
    write_file(path, "", 0);
    open_with(&room, &files);
    assert_int_equal(hy_hosts_load(room.hosts), HYPHA_ERR_IO);
    assert_int_equal(hy_hosts_save(room.hosts), HYPHA_ERR_IO);
    room_close(&room);
    assert_int_equal(unlink(path), 0);
    assert_int_equal(rmdir(files.folder), 0);
}

/* Each allocation of load and save fails once. */
static void test_no_memory(void **state)
{
    static const char text[] = "grey\ttcp://8.8.8.1:1/\t5\nwhite\ttcp://8.8.8.2:1/\t6\n";
    struct files files = files_make();
    struct hosts_room room;
    bool loaded = false;

    (void)state;
    write_list(&files, text);
    for (size_t n = 0; !loaded; n++) {
        enum hypha_err err;

        open_with(&room, &files);
        hy_alloc_fail_after(n);
        err = hy_hosts_load(room.hosts);
        hy_alloc_fail_after(SIZE_MAX);
        assert_true(err == HYPHA_OK || err == HYPHA_ERR_NOMEM);
        loaded = err == HYPHA_OK;
        if (!loaded) {
            must(hy_hosts_save(room.hosts));
            assert_file(files.copy, text);
            write_list(&files, text);
        }
        room_close(&room);
    }
    open_with(&room, &files);
    must(hy_hosts_load(room.hosts));
    for (size_t n = 0;; n++) {
        enum hypha_err err;

        hy_alloc_fail_after(n);
        err = hy_hosts_save(room.hosts);
        hy_alloc_fail_after(SIZE_MAX);
        if (err == HYPHA_OK)
            break;
        assert_int_equal(err, HYPHA_ERR_NOMEM);
        assert_file(files.list, text);
    }
    room_close(&room);
    files_remove(&files);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_save_and_load),
        cmocka_unit_test(test_lines),
        cmocka_unit_test(test_rubbish),
        cmocka_unit_test(test_no_file_configured),
        cmocka_unit_test(test_save_without_load),
        cmocka_unit_test(test_unreadable),
        cmocka_unit_test(test_full_disk),
        cmocka_unit_test(test_no_folder),
        cmocka_unit_test(test_no_memory),
    };

    return cmocka_run_group_tests_name("hostlist", tests, NULL, NULL);
}
