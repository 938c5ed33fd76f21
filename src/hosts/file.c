/* file.c - files that are replaced as a whole: written beside their place, flushed, renamed, so
 * that a crash or a full disk leaves the old one. spec: network.md#46-hostlist-file */
#include "hosts/host.h"

#include "base/alloc.h"
#include "base/span.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define READ_BYTES 65536

static const char target[] = "net::hosts";

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

enum hypha_err hy_file_failed(const struct hy_hosts *hosts, const char *doing, const char *path)
{
    enum hypha_err err = from_errno(errno);
    char shown[300];

    hy_log_warn(&hosts->settings->log, target, "Hostlist: %s %s failed: %s", doing,
        hy_span_escape(hy_span_of(path), shown, sizeof shown), strerror(errno));
    return err;
}

enum hypha_err hy_file_make_folders(const struct hy_hosts *hosts, const char *path)
{
    char folder[HY_PATH_BYTES];
    size_t len = strlen(path);

    if (len >= sizeof folder) {
        errno = ENAMETOOLONG;
        return hy_file_failed(hosts, "opening", path);
    }
    memcpy(folder, path, len + 1);
    for (char *at = folder + 1; len > 0 && *at != '\0'; at++) {
        if (*at != '/')
            continue;
        *at = '\0';
        if (mkdir(folder, 0700) != 0 && errno != EEXIST)
            return hy_file_failed(hosts, "making the folder", folder);
        *at = '/';
    }
    return HYPHA_OK;
}

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

/* After a rename the folder itself has to reach the disk. Not all file systems can: no error. */
static void sync_folder(const char *path)
{
    char folder[HY_PATH_BYTES];
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

static void name_temporary(const char *path, char into[HY_PATH_BYTES + 8])
{
    (void)snprintf(into, HY_PATH_BYTES + 8, "%s.tmp", path);
}

static mode_t mode_of(const char *path)
{
    struct stat old;

    return stat(path, &old) == 0 ? old.st_mode & 0777 : 0600;
}

enum hypha_err hy_file_write_beside(
    const struct hy_hosts *hosts, const char *path, mode_t mode, struct hypha_span bytes)
{
    char temporary[HY_PATH_BYTES + 8];
    enum hypha_err err;
    int fd;

    name_temporary(path, temporary);
    fd = open(temporary, O_WRONLY | O_CREAT | O_TRUNC | O_NOFOLLOW | O_CLOEXEC, 0600);
    if (fd < 0) {
        err = hy_file_failed(hosts, "creating", temporary);
        return err;
    }
    err = write_all(fd, bytes);
    if (err == HYPHA_OK && (fchmod(fd, mode != 0 ? mode : mode_of(path)) != 0 || fsync(fd) != 0))
        err = from_errno(errno);
    if (err != HYPHA_OK)
        (void)hy_file_failed(hosts, "writing", temporary);
    if (close(fd) != 0 && err == HYPHA_OK)
        err = hy_file_failed(hosts, "closing", temporary);
    if (err != HYPHA_OK)
        hy_file_discard(path);
    return err;
}

void hy_file_discard(const char *path)
{
    char temporary[HY_PATH_BYTES + 8];

    name_temporary(path, temporary);
    (void)unlink(temporary);
}

enum hypha_err hy_file_put(const struct hy_hosts *hosts, const char *path)
{
    char temporary[HY_PATH_BYTES + 8];
    enum hypha_err err;

    name_temporary(path, temporary);
    if (rename(temporary, path) != 0) {
        err = hy_file_failed(hosts, "renaming", temporary);
        (void)unlink(temporary);
        return err;
    }
    sync_folder(path);
    return HYPHA_OK;
}

/* ---- reading ---- */

enum hypha_err hy_file_read(const struct hy_hosts *hosts, const char *path, int fd,
    size_t max_bytes, struct hypha_writer *bytes, bool *ret_whole)
{
    uint8_t *chunk = hy_alloc(READ_BYTES);
    enum hypha_err err = HYPHA_ERR_NOMEM;
    ssize_t got = 1;

    if (chunk == NULL)
        return err;
    while (bytes->len < max_bytes) {
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
    err = got < 0 ? hy_file_failed(hosts, "reading", path) : HYPHA_OK;

out:
    hy_free(chunk);
    return err;
}

struct hypha_span hy_file_take_line(struct hypha_span *rest)
{
    const uint8_t *end = memchr(rest->at, '\n', rest->len);
    struct hypha_span line = hy_span(rest->at, end != NULL ? (size_t)(end - rest->at) : rest->len);

    *rest = hy_span(rest->at + line.len, rest->len - line.len);
    if (rest->len > 0)
        *rest = hy_span(rest->at + 1, rest->len - 1);
    return line;
}

bool hy_file_take_column(struct hypha_span *line, struct hypha_span *ret_column)
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

bool hy_file_parse_u64(struct hypha_span text, uint64_t *ret_value)
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
