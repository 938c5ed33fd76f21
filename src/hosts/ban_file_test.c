/* ban_file_test.c - bans outlive the program: HOSTLIST.bans. spec: network.md 4.7, 10 */
#include "fakes/hosts_fixture.h"

#include "base/alloc.h"

#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#define NOW  HY_SIM_START_WALL_S
#define PATH 256

struct files {
    char folder[64], list[PATH], bans[PATH], copy[PATH], temporary[PATH];
};

static struct files files_make(void)
{
    struct files files;

    strcpy(files.folder, "/tmp/hypha-bans-XXXXXX");
    assert_non_null(mkdtemp(files.folder));
    (void)snprintf(files.list, PATH, "%s/hosts.tsv", files.folder);
    (void)snprintf(files.bans, PATH, "%s.bans", files.list);
    (void)snprintf(files.copy, PATH, "%s.bak", files.bans);
    (void)snprintf(files.temporary, PATH, "%s.tmp", files.bans);
    return files;
}

static void files_remove(struct files *files)
{
    (void)unlink(files->bans);
    (void)rmdir(files->bans);
    (void)unlink(files->copy);
    (void)rmdir(files->copy);
    assert_int_not_equal(access(files->temporary, F_OK), 0);
    assert_int_equal(rmdir(files->folder), 0);
}

static void write_bans(struct files *files, const char *text)
{
    FILE *file = fopen(files->bans, "w");

    assert_non_null(file);
    assert_int_equal(fwrite(text, 1, strlen(text), file), strlen(text));
    assert_int_equal(fclose(file), 0);
}

static void read_bans(struct files *files, char *into, size_t size)
{
    FILE *file = fopen(files->bans, "r");

    assert_non_null(file);
    into[fread(into, 1, size - 1, file)] = '\0';
    assert_int_equal(fclose(file), 0);
}

static unsigned warnings;

static void on_log(void *user, enum hypha_log_level level, const char *log_target, const char *text)
{
    (void)user;
    (void)log_target;
    (void)text;
    warnings += level == HYPHA_LOG_WARN;
}

static void open_room(struct hosts_room *room, struct files *files)
{
    const struct hosts_plan plan = {
        .active = { "tcp" }, .hostlist = files->list, .black_host = "1.2.3.4", .log = on_log
    };

    warnings = 0;
    room_open(room, &plan, 1);
}

static void ban(struct hosts_room *room, const char *text, uint64_t seconds, enum hypha_err why)
{
    struct hypha_url *url = fixture_url(text);

    must(hy_hosts_ban(room->hosts, url, seconds, why));
    hypha_url_unref(url);
}

static void ban_info(
    struct hosts_room *room, const char *text, uint64_t seconds, enum hypha_err reason)
{
    struct hypha_url *url = fixture_url(text);
    enum hypha_err why = HYPHA_OK;
    uint64_t left = 0;

    assert_true(hy_hosts_ban_info(room->hosts, url, &left, &why));
    assert_int_equal(left, seconds);
    assert_int_equal(why, reason);
    hypha_url_unref(url);
}

/* spec: network.md MUST 4.7-b: kept over restarts with reason and end, those of groups too */
static void bans_outlive_the_program(void **state)
{
    struct files files = files_make();
    struct hosts_room room;
    char text[1024];

    (void)state;
    open_room(&room, &files);
    ban(&room, "tcp://44.1.0.1:1", 100, HYPHA_ERR_METERING);
    ban(&room, "tcp://44.2.0.1", 86400, HYPHA_ERR_BANNED);
    for (unsigned i = 1; i <= 3; i++) {
        struct hypha_url *url;

        (void)snprintf(text, sizeof text, "tcp://45.9.0.%u:1", i);
        url = fixture_url(text);
        assert_true(
            hy_hosts_ban_peer(room.hosts, url, HYPHA_SESSION_OUTBOUND, HYPHA_ERR_COMMAND_UNKNOWN));
        hypha_url_unref(url);
    }
    must(hy_hosts_save_bans(room.hosts));
    read_bans(&files, text, sizeof text);
    char line[128];
    (void)snprintf(
        line, sizeof line, "tcp://44.1.0.1:1/\t%llu\tMETERING\n", (unsigned long long)NOW + 100);
    assert_non_null(strstr(text, line));
    (void)snprintf(line, sizeof line, "ipv4/45.9\t%llu\tLIMIT\n", (unsigned long long)NOW + 86400);
    assert_non_null(strstr(text, line));
    assert_null(strstr(text, "1.2.3.4")); /* configured: not in it */
    room_close(&room);

    open_room(&room, &files);
    hy_sim_run_for(room.sim, 40000); /* it was down for that long */
    must(hy_hosts_load_bans(room.hosts));
    ban_info(&room, "tcp://44.1.0.1:1", 60, HYPHA_ERR_METERING);
    ban_info(&room, "tcp://44.2.0.1", 86360, HYPHA_ERR_BANNED);
    assert_true(room_is_banned(&room, "tcp://44.2.0.1:99"));
    assert_true(room_is_banned(&room, "tcp://45.9.200.1:99"));
    must(hy_hosts_load_bans(room.hosts)); /* a start after a stop: nothing is doubled */
    assert_int_equal(hy_hosts_count(room.hosts, HYPHA_COLOUR_BLACK), 5);
    hy_sim_run_for(room.sim, 60000);
    assert_false(room_is_banned(&room, "tcp://44.1.0.1:1"));
    assert_int_equal(warnings, 0);
    room_close(&room);
    files_remove(&files);
}

/* By itself, a little after a change, one file for many; at a stop nothing is left to wait for. */
static void a_change_is_saved_soon(void **state)
{
    struct files files = files_make();
    struct hosts_room room;
    struct hypha_url *url = fixture_url("tcp://44.1.0.1:1");
    char text[1024];

    (void)state;
    open_room(&room, &files);
    must(hy_hosts_save_bans(room.hosts));
    assert_int_not_equal(access(files.bans, F_OK), 0); /* nothing to say */
    ban(&room, "tcp://44.1.0.1:1", 100, HYPHA_ERR_METERING);
    hy_sim_run_for(room.sim, 4000);
    ban(&room, "tcp://44.1.0.2:1", 100, HYPHA_ERR_METERING);
    assert_int_not_equal(access(files.bans, F_OK), 0);
    hy_sim_run_for(room.sim, 1000);
    read_bans(&files, text, sizeof text);
    assert_non_null(strstr(text, "tcp://44.1.0.2:1/"));
    assert_true(hy_hosts_unban(room.hosts, url));
    must(hy_hosts_save_bans(room.hosts));
    read_bans(&files, text, sizeof text);
    assert_null(strstr(text, "44.1.0.1"));
    assert_int_equal(unlink(files.bans), 0);
    hy_sim_run_for(room.sim, 60000);
    assert_int_not_equal(access(files.bans, F_OK), 0); /* no change, no file */
    hypha_url_unref(url);
    room_close(&room);
    files_remove(&files);
}

/* What is no line of ours is skipped, and kept beside. */
static void damaged_lines_are_skipped(void **state)
{
    struct files files = files_make();
    struct hosts_room room;

    (void)state;
    write_bans(&files,
        "tcp://44.1.0.1:1/\t99999999999\tMETERING\r\n"
        "\n"
        "no url\t99999999999\tMETERING\n"
        "tcp://44.1.0.2:1/\tsoon\tMETERING\n"
        "tcp://44.1.0.3:1/\n"
        "ipv4/a\tb\t99999999999\tLIMIT\n"
        "ipv4/../../x\t99999999999\tLIMIT\n"
        "unix:///tmp/s\t99999999999\tLIMIT\n"
        "tcp://44.1.0.4:1/\t5\tMETERING\n"
        "tcp://44.1.0.5:1/\t18446744073709551615\n"
        "tcp://44.1.0.6:1/\t99999999999\tWHATEVER\tand more\n"
        "ipv6/2600:0001\t99999999999\tLIMIT");
    open_room(&room, &files);
    must(hy_hosts_load_bans(room.hosts));
    assert_int_equal(warnings, 6);
    assert_true(room_is_banned(&room, "tcp://44.1.0.1:1"));
    assert_false(room_is_banned(&room, "tcp://44.1.0.4:1")); /* over */
    assert_true(room_is_banned(&room, "tcp://44.1.0.5:1"));
    assert_true(room_is_banned(&room, "tcp://44.1.0.6:1"));
    assert_true(room_is_banned(&room, "tcp://[2600:1:5::5]:1"));
    assert_int_equal(hy_hosts_count(room.hosts, HYPHA_COLOUR_BLACK), 3);
    ban(&room, "tcp://44.1.0.9:1", 5, HYPHA_ERR_METERING);
    must(hy_hosts_save_bans(room.hosts));
    assert_int_equal(access(files.copy, F_OK), 0);
    room_close(&room);
    files_remove(&files);
}

/* The clock was ahead when they were saved, or is behind now.
 * spec: network.md#47-block-and-ban MUST: bans expire */
static void a_wrong_clock_bans_nobody_for_years(void **state)
{
    struct files files = files_make();
    struct hosts_room room;
    char text[300];

    (void)state;
    (void)snprintf(text, sizeof text,
        "tcp://44.1.1.1\t%llu\tPAYLOAD\nipv4/44.2\t%llu\tLIMIT\n"
        "tcp://44.3.1.1:1\t%llu\tBANNED\n",
        NOW + 500000000ULL, NOW + 500000000ULL, NOW + 500000000ULL);
    write_bans(&files, text);
    open_room(&room, &files);
    must(hy_hosts_load_bans(room.hosts));
    assert_true(room_is_banned(&room, "tcp://44.1.1.1:1"));
    assert_true(room_is_banned(&room, "tcp://44.2.1.1:1"));
    hy_sim_run_for(room.sim, 86401 * 1000);
    assert_false(room_is_banned(&room, "tcp://44.1.1.1:1"));
    assert_false(room_is_banned(&room, "tcp://44.2.1.1:1"));
    assert_true(room_is_banned(&room, "tcp://44.3.1.1:1")); /* by hand: as long as they said */
    room_close(&room);
    files_remove(&files);
}

/* A file that somebody has filled: what the list can hold is read, the rest stays in a copy. */
static void a_huge_file_costs_little(void **state)
{
    struct files files = files_make();
    FILE *file = fopen(files.bans, "w");
    struct hosts_room room;

    (void)state;
    assert_non_null(file);
    for (unsigned i = 0; i < 60000; i++)
        assert_true(fprintf(file, "tcp://11.%u.%u.%u\t9999999999\tPAYLOAD\n", i >> 16, i >> 8 & 255,
                        i & 255) > 0);
    assert_int_equal(fclose(file), 0);
    open_room(&room, &files);
    must(hy_hosts_load_bans(room.hosts));
    assert_int_equal(hy_hosts_count(room.hosts, HYPHA_COLOUR_BLACK), 10000);
    ban(&room, "tcp://44.1.1.1", 60, HYPHA_ERR_PAYLOAD);
    must(hy_hosts_save_bans(room.hosts));
    assert_int_equal(access(files.copy, F_OK), 0);
    room_close(&room);
    files_remove(&files);
}

static void disks_and_memory_may_fail(void **state)
{
    struct files files = files_make();
    struct hosts_room room;

    (void)state;
    open_room(&room, &files);
    must(hy_hosts_load_bans(room.hosts)); /* there is none */
    assert_int_equal(mkdir(files.bans, 0700), 0);
    assert_int_equal(hy_hosts_load_bans(room.hosts), HYPHA_ERR_IO);
    ban(&room, "tcp://44.1.0.1:1", 100, HYPHA_ERR_METERING);
    must(hy_hosts_save_bans(room.hosts)); /* what was there is kept beside */
    assert_int_equal(access(files.copy, F_OK), 0);
    for (size_t n = 0;; n++) {
        enum hypha_err err;

        ban(&room, "tcp://44.1.0.1:1", 100 + n, HYPHA_ERR_METERING);
        hy_alloc_fail_once(n);
        err = hy_hosts_save_bans(room.hosts);
        hy_alloc_fail_after(SIZE_MAX);
        assert_true(err == HYPHA_OK || err == HYPHA_ERR_NOMEM);
        if (err == HYPHA_OK)
            break;
    }
    room_close(&room);
    for (size_t n = 0;; n++) {
        enum hypha_err err;

        open_room(&room, &files);
        hy_alloc_fail_once(n);
        err = hy_hosts_load_bans(room.hosts);
        hy_alloc_fail_after(SIZE_MAX);
        assert_true(err == HYPHA_OK || err == HYPHA_ERR_NOMEM);
        bool loaded = room_is_banned(&room, "tcp://44.1.0.1:1");
        room_close(&room);
        assert_true(loaded || err == HYPHA_ERR_NOMEM);
        if (err == HYPHA_OK)
            break;
    }
    files_remove(&files);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(bans_outlive_the_program),
        cmocka_unit_test(a_change_is_saved_soon),
        cmocka_unit_test(damaged_lines_are_skipped),
        cmocka_unit_test(a_wrong_clock_bans_nobody_for_years),
        cmocka_unit_test(a_huge_file_costs_little),
        cmocka_unit_test(disks_and_memory_may_fail),
    };

    return cmocka_run_group_tests_name("ban_file", tests, NULL, NULL);
}
