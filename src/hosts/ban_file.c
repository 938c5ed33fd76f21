/* ban_file.c - HOSTLIST.bans: bans outlive the program.
 *
 *   URL <TAB> UNTIL <TAB> REASON       without a port: all ports of scheme and host
 *   GROUP <TAB> UNTIL <TAB> REASON     ipv4/44.1 or ipv6/2600:0001: a whole network
 *
 * UNTIL is UNIX time, REASON the name of an error. The configured blacklist is not in it.
 * spec: network.md#47-block-and-ban */
#include "hosts/host.h"

#include "base/span.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#define MAX_FILE_BYTES (16U * 1024 * 1024)
#define MAX_WARNINGS   10
#define MAX_BANS       (HY_MAX_BLACK + 1000) /* more than we ever have, of hosts and groups */

static const char target[] = "net::hosts";

static bool ban_path(const struct hy_hosts *hosts, char into[HY_PATH_BYTES])
{
    int len = hosts->settings->hostlist != NULL
        ? snprintf(into, HY_PATH_BYTES, "%s.bans", hosts->settings->hostlist)
        : -1;

    return len > 0 && len < HY_PATH_BYTES;
}

/* ---- load ---- */

struct load {
    struct hy_hosts *hosts;
    size_t line, damaged, merged;
};

/* One that we don't know is a reason all the same. */
static enum hypha_err parse_reason(struct hypha_span text)
{
#define REASON(name, number, words) { #name, HYPHA_ERR_##name },
    static const struct {
        const char *name;
        enum hypha_err err;
    } reasons[] = { HYPHA_ERRORS(REASON) };
#undef REASON

    for (size_t i = 0; i < sizeof reasons / sizeof reasons[0]; i++)
        if (hy_span_is(text, reasons[i].name))
            return reasons[i].err;
    return HYPHA_ERR_BANNED;
}

static bool parse_group(struct hypha_span text, char into[HY_HOST_GROUP_BYTES])
{
    if (text.len <= 5 || text.len >= HY_HOST_GROUP_BYTES ||
        (memcmp(text.at, "ipv4/", 5) != 0 && memcmp(text.at, "ipv6/", 5) != 0))
        return false;
    memcpy(into, text.at, text.len);
    into[text.len] = '\0';
    return strspn(into + 5, "0123456789abcdef.:") == text.len - 5;
}

static enum hypha_err merge_host(
    struct hy_hosts *hosts, struct hypha_span text, uint64_t seconds, enum hypha_err why)
{
    struct hypha_url *url = NULL;
    uint64_t left;
    enum hypha_err known, err = hypha_url_parse(text, &url);

    if (err != HYPHA_OK)
        return err;
    if (hypha_url_host(url)[0] == '\0')
        err = HYPHA_ERR_MALFORMED;
    else if (!hy_hosts_ban_info(hosts, url, &left, &known) || left < seconds)
        err = hy_hosts_ban(hosts, url, seconds, why);
    hypha_url_unref(url);
    return err;
}

/* What was banned for a misdeed is so for a day at most, whatever the clock said when it was saved,
 * or says now: a small machine may begin its life in 1970. */
static uint64_t seconds_of(uint64_t until_s, uint64_t now, enum hypha_err why)
{
    uint64_t seconds = until_s - now;

    return why != HYPHA_ERR_BANNED && seconds > HY_BAN_SECONDS ? HY_BAN_SECONDS : seconds;
}

/* Errors: NOMEM; others: the line is damaged. */
static enum hypha_err merge_line(struct load *load, struct hypha_span line)
{
    struct hypha_span who, until, why = { 0 };
    uint64_t until_s, now = hy_wall_s(load->hosts->loop);
    char group[HY_HOST_GROUP_BYTES];
    enum hypha_err err;

    if (!hy_file_take_column(&line, &who) || !hy_file_take_column(&line, &until) ||
        !hy_file_parse_u64(until, &until_s))
        return HYPHA_ERR_MALFORMED;
    (void)hy_file_take_column(&line, &why);
    if (until_s <= now)
        return HYPHA_OK; /* over */
    if (parse_group(who, group))
        err = hy_group_ban(load->hosts, group, seconds_of(until_s, now, HYPHA_ERR_LIMIT));
    else
        err = merge_host(
            load->hosts, who, seconds_of(until_s, now, parse_reason(why)), parse_reason(why));
    load->merged += err == HYPHA_OK ? 1 : 0;
    return err;
}

static enum hypha_err load_line(struct load *load, struct hypha_span line)
{
    char shown[120];
    enum hypha_err err;

    load->line++;
    if (line.len > 0 && line.at[line.len - 1] == '\r')
        line.len--;
    if (line.len == 0)
        return HYPHA_OK;
    err = merge_line(load, line);
    if (err == HYPHA_OK || err == HYPHA_ERR_NOMEM)
        return err;
    if (load->damaged++ < MAX_WARNINGS)
        hy_log_warn(&load->hosts->settings->log, target, "Bans: line %zu is skipped: %s",
            load->line, hy_span_escape(line, shown, sizeof shown));
    return HYPHA_OK;
}

enum hypha_err hy_hosts_load_bans(struct hy_hosts *hosts)
{
    struct load load = { .hosts = hosts };
    struct hypha_writer bytes = { 0 };
    char path[HY_PATH_BYTES];
    bool whole = false, changed = hosts->bans_changed;
    struct hypha_span rest;
    enum hypha_err err;
    int fd;

    if (!ban_path(hosts, path))
        return HYPHA_OK;
    fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
    if (fd < 0 && errno == ENOENT)
        return HYPHA_OK;
    hosts->bans_unread = true;
    if (fd < 0)
        return hy_file_failed(hosts, "opening", path);
    err = hy_file_read(hosts, path, fd, MAX_FILE_BYTES, &bytes, &whole);
    (void)close(fd);
    rest = hypha_writer_span(&bytes);
    while (err == HYPHA_OK && rest.len > 0 && load.merged < MAX_BANS)
        err = load_line(&load, hy_file_take_line(&rest));
    whole = whole && rest.len == 0; /* more than the list can hold */
    hypha_writer_fini(&bytes);
    if (err != HYPHA_OK)
        return err;
    hosts->bans_unread = !whole || load.damaged > 0;
    if (!changed) { /* what the file says needs no saving */
        hosts->bans_changed = false;
        hy_timer_stop(&hosts->save_bans);
    }
    if (load.merged + load.damaged > 0)
        hy_log_info(&hosts->settings->log, target, "Bans: %zu still hold, %zu lines skipped",
            load.merged, load.damaged);
    return HYPHA_OK;
}

/* ---- save ---- */

static void put_ban(const struct hypha_ban *ban, void *user)
{
    struct hypha_writer *w = user;
    char rest[64];

    if (ban->until_s == 0) /* configured */
        return;
    hypha_writer_put(w, hy_span_of(ban->url != NULL ? hypha_url_text(ban->url) : ban->group));
    (void)snprintf(rest, sizeof rest, "\t%llu\t%s\n", (unsigned long long)ban->until_s,
        hypha_err_name(ban->why));
    hypha_writer_put(w, hy_span_of(rest));
}

/* What could not be read is not lost. */
static void keep_unread(struct hy_hosts *hosts, const char *path)
{
    char copy[HY_PATH_BYTES + 8];

    if (!hosts->bans_unread)
        return;
    (void)snprintf(copy, sizeof copy, "%s.bak", path);
    if (rename(path, copy) == 0)
        hy_log_warn(&hosts->settings->log, target,
            "Bans: the file was not read as a whole; it is kept as %s", copy);
    hosts->bans_unread = false;
}

enum hypha_err hy_hosts_save_bans(struct hy_hosts *hosts)
{
    struct hypha_writer w = { 0 };
    char path[HY_PATH_BYTES];
    enum hypha_err err;

    hy_timer_stop(&hosts->save_bans);
    if (!hosts->bans_changed || !ban_path(hosts, path))
        return HYPHA_OK;
    hy_hosts_each_ban(hosts, put_ban, &w);
    err = w.err != HYPHA_OK ? w.err : hy_file_make_folders(hosts, path);
    if (err == HYPHA_OK)
        err = hy_file_write_beside(hosts, path, 0, hypha_writer_span(&w));
    hypha_writer_fini(&w);
    if (err != HYPHA_OK)
        return err;
    keep_unread(hosts, path);
    err = hy_file_put(hosts, path);
    if (err == HYPHA_OK)
        hosts->bans_changed = false;
    return err;
}
