/* hostlist.c - the lists on disk: merged at start, saved now and then and at stop.
 *
 * A line is COLOUR <TAB> URL <TAB> LAST_SEEN. The file is written beside its place and renamed,
 * so that a crash or a full disk leaves the old one. What could not be read is never lost: it
 * stays beside the new file as FILE.bak. spec: network.md#46-hostlist-file */
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
#define READ_BYTES     65536
#define MAX_WARNINGS   10
#define PATH_BYTES     4096

static const char target[] = "net::hosts";

static const char *const colour_names[HYPHA_COLOURS] = {
    [HYPHA_COLOUR_GREY] = "grey",
    [HYPHA_COLOUR_WHITE] = "white",
    [HYPHA_COLOUR_GOLD] = "gold",
    [HYPHA_COLOUR_BLACK] = "black",
    [HYPHA_COLOUR_DARK] = "dark",
};

static enum hypha_err from_errno(int code)
{
    switch (code) {
    case EACCES:
    case EPERM:
    case EROFS:
        return HYPHA_ERR_ACCESS;
    case ENOMEM:
        return HYPHA_ERR_NOMEM;
    default: /* of errno, not an enum of ours */
        return HYPHA_ERR_IO;
    }
}

/* Log and return what errno says of `path`. */
static enum hypha_err file_failed(const struct hy_hosts *hosts, const char *doing, const char *path)
{
    enum hypha_err err = from_errno(errno);
    char shown[300];

    hy_log_warn(&hosts->settings->log, target, "Hostlist: %s %s failed: %s", doing,
        hy_span_escape(hy_span_of(path), shown, sizeof shown), strerror(errno));
    return err;
}

/* ---- load ---- */

struct load {
    struct hy_hosts *hosts;
    size_t line, damaged, refused, merged;
};

static bool take_column(struct hypha_span *line, struct hypha_span *ret_column)
{
    const uint8_t *tab = line->len > 0 ? memchr(line->at, '\t', line->len) : NULL;

    if (line->at == NULL)
        return false;
    *ret_column = *line;
    if (tab == NULL) {
        *line = (struct hypha_span){ 0 };
        return true;
    }
    ret_column->len = (size_t)(tab - line->at);
    *line = hy_span(tab + 1, line->len - ret_column->len - 1);
    return true;
}

static bool parse_colour(struct hypha_span text, enum hypha_colour *ret_colour)
{
    for (size_t i = 0; i < HYPHA_COLOURS; i++)
        if (hy_span_is(text, colour_names[i])) {
            *ret_colour = (enum hypha_colour)i;
            return true;
        }
    return false;
}

static bool parse_u64(struct hypha_span text, uint64_t *ret_value)
{
    uint64_t value = 0;

    if (text.len == 0)
        return false;
    for (size_t i = 0; i < text.len; i++) {
        unsigned digit = (unsigned)text.at[i] - '0';

        if (digit > 9 || value > (UINT64_MAX - digit) / 10)
            return false;
        value = value * 10 + digit;
    }
    *ret_value = value;
    return true;
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

static enum hypha_err merge(
    struct load *load, const struct hypha_url *url, enum hypha_colour colour, uint64_t last_seen)
{
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
    if (host->colour != colour || host->last_seen != last_seen)
        err = hy_hosts_list(hosts, host, url, colour, last_seen);
    if (err == HYPHA_OK)
        load->merged++;
    hy_hosts_forget(hosts, host);
    return err;
}

/* Errors: NOMEM only; a damaged line is counted. */
static enum hypha_err load_line(struct load *load, struct hypha_span line)
{
    struct hypha_span colour_text, url_text, number_text, bytes = line;
    struct hypha_url *url = NULL, *bare = NULL;
    enum hypha_colour colour;
    uint64_t last_seen;
    char shown[120];
    enum hypha_err err = HYPHA_ERR_MALFORMED;

    load->line++;
    if (line.len > 0 && line.at[line.len - 1] == '\r')
        line.len--;
    if (line.len == 0)
        return HYPHA_OK;
    if (take_column(&line, &colour_text) && take_column(&line, &url_text) &&
        take_column(&line, &number_text) && parse_colour(colour_text, &colour) &&
        parse_u64(number_text, &last_seen))
        err = hypha_url_parse(url_text, &url);
    if (err == HYPHA_OK)
        err = hy_host_url(url, &bare);
    if (err == HYPHA_OK)
        err = merge(load, bare, colour, last_seen);
    hypha_url_unref(url);
    hypha_url_unref(bare);
    if (err == HYPHA_OK || err == HYPHA_ERR_NOMEM)
        return err;
    if (load->damaged++ < MAX_WARNINGS)
        hy_log_warn(&load->hosts->settings->log, target, "Hostlist: line %zu is skipped: %s",
            load->line, hy_span_escape(bytes, shown, sizeof shown));
    return HYPHA_OK;
}

/* All of a file up to the limit. Errors: NOMEM, IO, ACCESS. */
static enum hypha_err read_file(
    const struct hy_hosts *hosts, int fd, struct hypha_writer *bytes, bool *ret_whole)
{
    uint8_t *chunk = hy_alloc(READ_BYTES);
    enum hypha_err err = HYPHA_ERR_NOMEM;
    ssize_t got = 1;

    if (chunk == NULL)
        return err;
    while (bytes->len < MAX_FILE_BYTES) {
        got = read(fd, chunk, READ_BYTES);
        if (got < 0 && errno == EINTR)
            continue;
        if (got <= 0)
            break;
        hypha_writer_put(bytes, hy_span(chunk, (size_t)got));
        if (bytes->err != HYPHA_OK)
            goto out;
    }
    *ret_whole = got == 0;
    err = got < 0 ? file_failed(hosts, "reading", hosts->settings->hostlist) : HYPHA_OK;

out:
    hy_free(chunk);
    return err;
}

static enum hypha_err load_lines(struct load *load, struct hypha_span rest)
{
    enum hypha_err err = HYPHA_OK;

    while (rest.len > 0 && err == HYPHA_OK) {
        const uint8_t *end = memchr(rest.at, '\n', rest.len);
        size_t len = end != NULL ? (size_t)(end - rest.at) : rest.len;

        err = load_line(load, hy_span(rest.at, len));
        rest = hy_span(rest.at + len, rest.len - len);
        if (rest.len > 0)
            rest = hy_span(rest.at + 1, rest.len - 1);
    }
    return err;
}

/* Every folder above `path`. */
static enum hypha_err make_folders(const struct hy_hosts *hosts, const char *path)
{
    char folder[PATH_BYTES];
    size_t len = strlen(path);

    if (len >= sizeof folder) {
        errno = ENAMETOOLONG;
        return file_failed(hosts, "opening", path);
    }
    memcpy(folder, path, len + 1);
    for (char *at = folder + 1; len > 0 && *at != '\0'; at++) {
        if (*at != '/')
            continue;
        *at = '\0';
        if (mkdir(folder, 0700) != 0 && errno != EEXIST)
            return file_failed(hosts, "making the folder", folder);
        *at = '/';
    }
    return HYPHA_OK;
}

static enum hypha_err create_empty(struct hy_hosts *hosts, const char *path)
{
    enum hypha_err err = make_folders(hosts, path);
    int fd;

    if (err != HYPHA_OK)
        return err;
    fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
    if (fd < 0 && errno != EEXIST)
        return file_failed(hosts, "creating", path);
    if (fd >= 0)
        (void)close(fd);
    hosts->file_merged = true;
    return HYPHA_OK;
}

enum hypha_err hy_hosts_load(struct hy_hosts *hosts)
{
    const char *path = hosts->settings->hostlist;
    struct hypha_writer bytes = { 0 };
    struct load load = { .hosts = hosts };
    bool whole = false;
    enum hypha_err err;
    int fd;

    if (path == NULL)
        return HYPHA_OK;
    hosts->file_merged = false;
    fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
    if (fd < 0 && errno == ENOENT)
        return create_empty(hosts, path);
    if (fd < 0)
        return file_failed(hosts, "opening", path);
    err = read_file(hosts, fd, &bytes, &whole);
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

/* ---- save ---- */

static enum hypha_err write_all(int fd, struct hypha_span bytes)
{
    while (bytes.len > 0) {
        ssize_t put = write(fd, bytes.at, bytes.len);

        if (put < 0 && errno == EINTR)
            continue;
        if (put < 0)
            return from_errno(errno);
        bytes = hy_span(bytes.at + put, bytes.len - (size_t)put);
    }
    return HYPHA_OK;
}

static void put_line(const struct hypha_url *url, uint64_t last_seen, void *user)
{
    struct hypha_writer *w = user;
    char number[32];

    hypha_writer_put(w, hy_span_of("\t"));
    hypha_writer_put(w, hy_span_of(hypha_url_text(url)));
    (void)snprintf(number, sizeof number, "\t%llu\n", (unsigned long long)last_seen);
    hypha_writer_put(w, hy_span_of(number));
}

static enum hypha_err write_lists(const struct hy_hosts *hosts, struct hypha_writer *w)
{
    static const enum hypha_colour order[] = { HYPHA_COLOUR_DARK, HYPHA_COLOUR_GREY,
        HYPHA_COLOUR_WHITE, HYPHA_COLOUR_GOLD };

    for (size_t c = 0; c < sizeof order / sizeof order[0]; c++)
        for (size_t i = 0; i < hy_book_count(&hosts->book, order[c]); i++) {
            const struct hy_host *host = hy_book_at(&hosts->book, order[c], i);

            hypha_writer_put(w, hy_span_of(colour_names[order[c]]));
            put_line(host->url, host->last_seen, w);
        }
    return w->err;
}

/* The file as it is, under another name; none is as good. */
static enum hypha_err keep_copy(const struct hy_hosts *hosts, const char *path)
{
    char copy[PATH_BYTES + 8];

    (void)snprintf(copy, sizeof copy, "%s.bak", path);
    if (access(path, F_OK) != 0 && errno == ENOENT)
        return HYPHA_OK;
    if (unlink(copy) != 0 && errno != ENOENT)
        return file_failed(hosts, "replacing", copy);
    /* Some file systems have no second names. */
    if (link(path, copy) != 0 && rename(path, copy) != 0)
        return file_failed(hosts, "keeping a copy of", path);
    hy_log_warn(&hosts->settings->log, target,
        "Hostlist: the file was not read as a whole; it is kept as %s", copy);
    return HYPHA_OK;
}

/* After a rename the folder itself has to reach the disk. Not all file systems can: no error. */
static void sync_folder(const char *path)
{
    char folder[PATH_BYTES];
    const char *slash = strrchr(path, '/');
    size_t len = slash == NULL ? 0 : slash == path ? 1 : (size_t)(slash - path);
    int fd;

    (void)snprintf(folder, sizeof folder, "%.*s", (int)len, path);
    fd = open(len > 0 ? folder : ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (fd < 0)
        return;
    (void)fsync(fd);
    (void)close(fd);
}

static enum hypha_err write_temporary(
    const struct hy_hosts *hosts, const char *path, const char *temporary, struct hypha_span bytes)
{
    struct stat old;
    mode_t mode = stat(path, &old) == 0 ? old.st_mode & 0777 : 0600;
    int fd = open(temporary, O_WRONLY | O_CREAT | O_TRUNC | O_NOFOLLOW | O_CLOEXEC, 0600);
    enum hypha_err err;

    if (fd < 0)
        return file_failed(hosts, "creating", temporary);
    err = write_all(fd, bytes);
    if (err == HYPHA_OK && (fchmod(fd, mode) != 0 || fsync(fd) != 0))
        err = from_errno(errno);
    if (err != HYPHA_OK)
        (void)file_failed(hosts, "writing", temporary);
    if (close(fd) != 0 && err == HYPHA_OK)
        err = file_failed(hosts, "closing", temporary);
    return err;
}

enum hypha_err hy_hosts_save(struct hy_hosts *hosts)
{
    const char *path = hosts->settings->hostlist;
    char temporary[PATH_BYTES + 8];
    struct hypha_writer w = { 0 };
    enum hypha_err err;

    if (path == NULL)
        return HYPHA_OK;
    err = make_folders(hosts, path);
    if (err != HYPHA_OK)
        return err;
    (void)snprintf(temporary, sizeof temporary, "%s.tmp", path);
    err = write_lists(hosts, &w);
    if (err == HYPHA_OK)
        err = write_temporary(hosts, path, temporary, hypha_writer_span(&w));
    hypha_writer_fini(&w);
    if (err == HYPHA_OK && !hosts->file_merged)
        err = keep_copy(hosts, path);
    if (err == HYPHA_OK && rename(temporary, path) != 0)
        err = file_failed(hosts, "renaming", temporary);
    if (err != HYPHA_OK) {
        (void)unlink(temporary);
        return err;
    }
    hosts->file_merged = true;
    sync_folder(path);
    return HYPHA_OK;
}
