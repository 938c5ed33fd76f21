/* hostlist.c - the lists on disk: merged at start, saved now and then and at stop.
 *
 * A line is COLOUR <TAB> URL <TAB> LAST_SEEN, and if there is something to say <TAB> SOURCE_GROUP
 * <TAB> FAILURES, which the reference ignores. What could not be read is never lost: it stays
 * beside the new file as FILE.bak. spec: network.md#46-hostlist-file */
#include "hosts/host.h"

#include "base/alloc.h"
#include "base/span.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define MAX_FILE_BYTES (64U * 1024 * 1024)
#define MAX_WARNINGS   10

static const char target[] = "net::hosts";

static const char *const colour_names[HYPHA_COLOURS + 1] = {
    [HYPHA_COLOUR_GREY] = "grey",
    [HYPHA_COLOUR_WHITE] = "white",
    [HYPHA_COLOUR_GOLD] = "gold",
    [HYPHA_COLOUR_BLACK] = "black",
    [HYPHA_COLOUR_DARK] = "dark",
    [HYPHA_COLOURS] = "none",
};

const char *hy_colour_name(enum hypha_colour colour)
{
    return colour_names[colour];
}

/* ---- load ---- */

struct load {
    struct hy_hosts *hosts;
    size_t line, damaged, refused, merged;
};

static bool parse_colour(struct hypha_span text, enum hypha_colour *ret_colour)
{
    for (size_t i = 0; i < HYPHA_COLOURS; i++)
        if (hy_span_is(text, colour_names[i])) {
            *ret_colour = (enum hypha_colour)i;
            return true;
        }
    return false;
}

/* The better of two colours for one address; gold of a former run is white now. */
static unsigned rank(enum hypha_colour colour)
{
    switch (colour) {
    case HYPHA_COLOUR_DARK:
        return 1;
    case HYPHA_COLOUR_GREY:
        return 2;
    case HYPHA_COLOUR_WHITE:
        return 3;
    case HYPHA_COLOUR_GOLD:
        return 4;
    case HYPHA_COLOUR_BLACK:
        return 5;
    case HYPHA_COLOURS:
        break;
    }
    return 0;
}

/* What a line says. */
struct entry {
    enum hypha_colour colour;
    uint64_t last_seen, failures;
    char source_group[HY_HOST_GROUP_BYTES]; /* "": not known */
};

/* What it was when it was saved: who told of it, and whether it was good. */
static enum hypha_err take_history(
    struct hy_hosts *hosts, struct hy_host *host, const struct entry *entry)
{
    uint64_t now = hy_wall_s(hosts->loop);

    if (host->colour != HY_COLOUR_NONE)
        return HYPHA_OK; /* we know better */
    host->failures = entry->failures < HY_RETRY_DOUBLINGS ? (unsigned)entry->failures
                                                          : HY_RETRY_DOUBLINGS;
    if (entry->colour == HYPHA_COLOUR_WHITE || entry->colour == HYPHA_COLOUR_GOLD)
        host->success_s = entry->last_seen < now ? entry->last_seen : now;
    if (entry->source_group[0] == '\0')
        return HYPHA_OK;
    return hy_host_set_source_group(hosts, host, entry->source_group);
}

static enum hypha_err merge(
    struct load *load, const struct hypha_url *url, const struct entry *entry)
{
    enum hypha_colour colour = entry->colour;
    uint64_t last_seen = entry->last_seen;
    struct hy_hosts *hosts = load->hosts;
    uint64_t now = hy_wall_s(hosts->loop);
    struct hy_host *host = NULL;
    enum hypha_err err;

    if (colour == HYPHA_COLOUR_BLACK && hypha_url_host(url)[0] != '\0')
        return hy_hosts_ban(hosts, url, HY_BAN_SECONDS, HYPHA_ERR_BANNED);
    if (hy_hosts_judge(hosts, url) != HY_VERDICT_GREY) {
        load->refused++;
        return HYPHA_OK;
    }
    if (last_seen > now)
        last_seen = now;
    if (colour == HYPHA_COLOUR_GOLD)
        colour = HYPHA_COLOUR_WHITE;
    err = hy_hosts_take(hosts, url, &host);
    if (err != HYPHA_OK)
        return err;
    if (rank(host->colour) > rank(colour))
        colour = host->colour;
    if (host->colour != HY_COLOUR_NONE && host->last_seen > last_seen)
        last_seen = host->last_seen;
    err = take_history(hosts, host, entry);
    if (err == HYPHA_OK && (host->colour != colour || host->last_seen != last_seen))
        err = hy_hosts_list(hosts, host, url, colour, last_seen);
    if (host->colour != HY_COLOUR_NONE)
        load->merged++;
    else if (err == HYPHA_OK)
        load->refused++; /* no place for it */
    hy_hosts_forget(hosts, host);
    return err;
}

/* The two columns of ours; what is not as we write it is another program's. */
static void parse_history(struct hypha_span line, struct entry *entry)
{
    struct hypha_span group, failures;

    if (!hy_file_take_column(&line, &group) || !hy_file_take_column(&line, &failures) ||
        !hy_file_parse_u64(failures, &entry->failures))
        return;
    if (group.len == 0 || group.len >= sizeof entry->source_group || hy_span_is(group, "-") ||
        memchr(group.at, '\0', group.len) != NULL)
        return;
    memcpy(entry->source_group, group.at, group.len);
    entry->source_group[group.len] = '\0';
}

/* Errors: NOMEM only; a damaged line is counted. */
static enum hypha_err load_line(struct load *load, struct hypha_span line)
{
    struct hypha_span colour_text, url_text, number_text, bytes = line;
    struct hypha_url *url = NULL, *bare = NULL;
    struct entry entry = { 0 };
    char shown[120];
    enum hypha_err err = HYPHA_ERR_MALFORMED;

    load->line++;
    if (line.len > 0 && line.at[line.len - 1] == '\r')
        line.len--;
    if (line.len == 0)
        return HYPHA_OK;
    if (hy_file_take_column(&line, &colour_text) && hy_file_take_column(&line, &url_text) &&
        hy_file_take_column(&line, &number_text) && parse_colour(colour_text, &entry.colour) &&
        hy_file_parse_u64(number_text, &entry.last_seen))
        err = hypha_url_parse(url_text, &url);
    if (err == HYPHA_OK)
        err = hy_host_url(url, &bare);
    parse_history(line, &entry);
    if (err == HYPHA_OK)
        err = merge(load, bare, &entry);
    hypha_url_unref(url);
    hypha_url_unref(bare);
    if (err == HYPHA_OK || err == HYPHA_ERR_NOMEM)
        return err;
    if (load->damaged++ < MAX_WARNINGS)
        hy_log_warn(&load->hosts->settings->log, target, "Hostlist: line %zu is skipped: %s",
            load->line, hy_span_escape(bytes, shown, sizeof shown));
    return HYPHA_OK;
}

static enum hypha_err load_lines(struct load *load, struct hypha_span rest)
{
    enum hypha_err err = HYPHA_OK;

    while (rest.len > 0 && err == HYPHA_OK)
        err = load_line(load, hy_file_take_line(&rest));
    return err;
}

static enum hypha_err create_empty(struct hy_hosts *hosts, const char *path)
{
    enum hypha_err err = hy_file_make_folders(hosts, path);
    int fd;

    if (err != HYPHA_OK)
        return err;
    fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
    if (fd < 0 && errno != EEXIST)
        return hy_file_failed(hosts, "creating", path);
    if (fd >= 0)
        (void)close(fd);
    hosts->file_merged = true;
    return HYPHA_OK;
}

static enum hypha_err load_list(struct hy_hosts *hosts, const char *path)
{
    struct hypha_writer bytes = { 0 };
    struct load load = { .hosts = hosts };
    bool whole = false;
    enum hypha_err err;
    int fd;

    hosts->file_merged = false;
    fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
    if (fd < 0 && errno == ENOENT)
        return create_empty(hosts, path);
    if (fd < 0)
        return hy_file_failed(hosts, "opening", path);
    err = hy_file_read(hosts, path, fd, MAX_FILE_BYTES, &bytes, &whole);
    (void)close(fd);
    if (err == HYPHA_OK)
        err = load_lines(&load, hypha_writer_span(&bytes));
    hypha_writer_fini(&bytes);
    hy_hosts_age_dark(hosts);
    hy_log_info(&hosts->settings->log, target,
        "Hostlist: %zu addresses, %zu lines skipped, %zu refused", load.merged, load.damaged,
        load.refused);
    if (err != HYPHA_OK)
        return err;
    if (!whole)
        hy_log_warn(&hosts->settings->log, target, "Hostlist: only the first %u bytes were read",
            MAX_FILE_BYTES);
    hosts->file_merged = whole && load.damaged == 0;
    return HYPHA_OK;
}

/* The cells are empty: another secret may be taken. */
static bool is_unsorted(const struct hy_hosts *hosts)
{
    return hy_book_count(&hosts->book, HYPHA_COLOUR_GREY) == 0 &&
        hy_book_count(&hosts->book, HYPHA_COLOUR_WHITE) == 0 &&
        hy_book_count(&hosts->book, HYPHA_COLOUR_GOLD) == 0;
}

static void take_anchors(struct hy_hosts *hosts, const struct hy_book_file *file)
{
    hosts->anchor_count = 0;
    for (size_t i = 0; i < file->anchor_count; i++) {
        struct hy_host *host = hy_hosts_record(hosts, file->anchors[i]);

        if (host != NULL && hy_colour_is_dialled(host->colour))
            hosts->anchors[hosts->anchor_count++] = host;
    }
}

enum hypha_err hy_hosts_load(struct hy_hosts *hosts)
{
    const char *path = hosts->settings->hostlist;
    struct hy_book_file file;
    enum hypha_err err;

    if (path == NULL)
        return HYPHA_OK;
    hy_book_file_read(hosts, &file);
    if (file.has_secret && is_unsorted(hosts))
        hy_hosts_set_secret(hosts, file.secret);
    /* One that cannot be read may still be good: it is not ours to write over. */
    hosts->secret_saved = !file.is_missing;
    err = load_list(hosts, path);
    take_anchors(hosts, &file);
    if (err == HYPHA_OK && (file.anchor_count > 0 || file.is_missing))
        (void)hy_book_file_write(hosts, NULL, 0);
    hy_book_file_fini(&file);
    return err;
}

/* ---- save ---- */

static void put_line(struct hypha_writer *w, const struct hy_host *host)
{
    char text[HY_HOST_GROUP_BYTES + 64];

    hypha_writer_put(w, hy_span_of(colour_names[host->colour]));
    hypha_writer_put(w, hy_span_of("\t"));
    hypha_writer_put(w, hy_span_of(hypha_url_text(host->url)));
    (void)snprintf(text, sizeof text, "\t%llu", (unsigned long long)host->last_seen);
    hypha_writer_put(w, hy_span_of(text));
    (void)snprintf(text, sizeof text, "\t%s\t%u",
        host->source_group != NULL ? host->source_group->name : "-", host->failures);
    if (host->source_group != NULL || host->failures > 0)
        hypha_writer_put(w, hy_span_of(text));
    hypha_writer_put(w, hy_span_of("\n"));
}

static enum hypha_err write_lists(const struct hy_hosts *hosts, struct hypha_writer *w)
{
    static const enum hypha_colour order[] = { HYPHA_COLOUR_DARK, HYPHA_COLOUR_GREY,
        HYPHA_COLOUR_WHITE, HYPHA_COLOUR_GOLD };

    for (size_t c = 0; c < sizeof order / sizeof order[0]; c++)
        for (size_t i = 0; i < hy_book_count(&hosts->book, order[c]); i++)
            put_line(w, hy_book_at(&hosts->book, order[c], i));
    return w->err;
}

/* The file as it is, under another name; none is as good. */
static enum hypha_err keep_copy(const struct hy_hosts *hosts, const char *path)
{
    char copy[HY_PATH_BYTES + 8];

    (void)snprintf(copy, sizeof copy, "%s.bak", path);
    if (access(path, F_OK) != 0 && errno == ENOENT)
        return HYPHA_OK;
    if (unlink(copy) != 0 && errno != ENOENT)
        return hy_file_failed(hosts, "replacing", copy);
    /* Some file systems have no second names. */
    if (link(path, copy) != 0 && rename(path, copy) != 0)
        return hy_file_failed(hosts, "keeping a copy of", path);
    hy_log_warn(&hosts->settings->log, target,
        "Hostlist: the file was not read as a whole; it is kept as %s", copy);
    return HYPHA_OK;
}

enum hypha_err hy_hosts_save(struct hy_hosts *hosts)
{
    const char *path = hosts->settings->hostlist;
    struct hypha_writer w = { 0 };
    enum hypha_err err;

    if (path == NULL)
        return HYPHA_OK;
    err = hy_file_make_folders(hosts, path);
    if (err != HYPHA_OK)
        return err;
    err = write_lists(hosts, &w);
    if (err == HYPHA_OK)
        err = hy_file_write_beside(hosts, path, 0, hypha_writer_span(&w));
    hypha_writer_fini(&w);
    if (err != HYPHA_OK)
        return err;
    if (!hosts->file_merged)
        err = keep_copy(hosts, path);
    if (err == HYPHA_OK)
        err = hy_file_put(hosts, path);
    else
        hy_file_discard(path);
    if (err != HYPHA_OK)
        return err;
    hosts->file_merged = true;
    /* Without it the next run sorts its hosts into other cells: no harm worth an error. */
    if (!hosts->secret_saved)
        (void)hy_book_file_write(hosts, NULL, 0);
    return HYPHA_OK;
}
