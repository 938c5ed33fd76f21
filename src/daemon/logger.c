#include "daemon/logger.h"
#include "base/alloc.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

struct level_look {
    const char *name;
    const char *colour;
};

static struct level_look look_of(enum hypha_log_level level)
{
    switch (level) {
    case HYPHA_LOG_ERROR:
        return (struct level_look){ "ERROR", "\x1b[31m" };
    case HYPHA_LOG_WARN:
        return (struct level_look){ "WARN", "\x1b[33m" };
    case HYPHA_LOG_INFO:
        return (struct level_look){ "INFO", "\x1b[32m" };
    case HYPHA_LOG_VERBOSE:
        return (struct level_look){ "VERBOSE", "\x1b[36m" };
    case HYPHA_LOG_DEBUG:
        return (struct level_look){ "DEBUG", "\x1b[34m" };
    case HYPHA_LOG_TRACE:
        return (struct level_look){ "TRACE", "\x1b[35m" };
    }
    return (struct level_look){ "?", "" };
}

size_t hy_log_format(char *into, size_t size, uint64_t wall_s, enum hypha_log_level level,
    const char *target, const char *text, bool colours)
{
    struct level_look look = look_of(level);
    const unsigned second = (unsigned)(wall_s % 86400);
    int len = snprintf(into, size, "%s%02u:%02u:%02u%s [%s%s%s] %s%s%s\n", colours ? "\x1b[2m" : "",
        second / 3600, second / 60 % 60, second % 60, colours ? "\x1b[0m" : "",
        colours ? look.colour : "", look.name, colours ? "\x1b[0m" : "",
        target != NULL ? target : "", target != NULL ? ": " : "", text);

    if (len < 0 || size < 2)
        return 0;
    if ((size_t)len < size)
        return (size_t)len;
    into[size - 2] = '\n';
    return size - 1;
}

void hy_log_filter_init(struct hy_log_filter *filter, enum hypha_log_level level, const char *text)
{
    char *rest, *entry;

    *filter = (struct hy_log_filter){ .level = level };
    (void)snprintf(filter->text, sizeof filter->text, "%s", text != NULL ? text : "");
    rest = filter->text;
    while ((entry = strsep(&rest, ",")) != NULL) {
        if (entry[0] == '!' && entry[1] != '\0' && filter->drop_count < HY_LOG_MAX_TARGETS)
            filter->drop[filter->drop_count++] = entry + 1;
        else if (entry[0] != '!' && entry[0] != '\0' && filter->take_count < HY_LOG_MAX_TARGETS)
            filter->take[filter->take_count++] = entry;
    }
}

static bool matches(const char *const *prefixes, size_t count, const char *target)
{
    for (size_t i = 0; i < count; i++)
        if (strncmp(prefixes[i], target, strlen(prefixes[i])) == 0)
            return true;
    return false;
}

bool hy_log_filter_pass(
    const struct hy_log_filter *filter, enum hypha_log_level level, const char *target)
{
    if (matches(filter->drop, filter->drop_count, target))
        return false;
    if (filter->take_count > 0)
        return matches(filter->take, filter->take_count, target);
    return level <= filter->level;
}

enum hypha_log_level hy_log_level_of(unsigned verbosity)
{
    switch (verbosity) {
    case 0:
        return HYPHA_LOG_INFO;
    case 1:
        return HYPHA_LOG_VERBOSE;
    case 2:
        return HYPHA_LOG_DEBUG;
    default:
        return HYPHA_LOG_TRACE;
    }
}

struct hy_logger {
    struct hypha_loop *loop;
    char *path; /* NULL: no file */
    int fd;
    unsigned verbosity;
    bool colours;
    struct hy_log_filter filter;
};

static int open_log(const char *path)
{
    return open(path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0640);
}

void hy_logger_destroy(struct hy_logger *logger)
{
    if (logger == NULL)
        return;
    if (logger->fd >= 0)
        (void)close(logger->fd);
    hy_free(logger->path);
    hy_free(logger);
}

void hy_logger_set_verbosity(struct hy_logger *logger, unsigned verbosity)
{
    logger->verbosity = verbosity;
    hy_log_filter_init(&logger->filter, hy_log_level_of(verbosity), getenv("LOG_TARGETS"));
}

enum hypha_err hy_logger_create(
    struct hypha_loop *loop, const char *path, unsigned verbosity, struct hy_logger **ret_logger)
{
    struct hy_logger *logger = hy_alloc(sizeof *logger);
    const char *no_color = getenv("NO_COLOR");
    enum hypha_err err = HYPHA_ERR_NOMEM;

    if (logger == NULL)
        return err;
    logger->loop = loop;
    logger->fd = -1;
    logger->colours = isatty(STDOUT_FILENO) == 1 && (no_color == NULL || no_color[0] == '\0');
    hy_logger_set_verbosity(logger, verbosity);
    if (path != NULL && path[0] != '\0') {
        logger->path = hy_strdup(path);
        if (logger->path == NULL)
            goto fail;
        logger->fd = open_log(path);
        err = HYPHA_ERR_IO;
        if (logger->fd < 0)
            goto fail;
    }
    *ret_logger = logger;
    return HYPHA_OK;
fail:
    hy_logger_destroy(logger);
    return err;
}

enum hypha_err hy_logger_reopen(struct hy_logger *logger)
{
    if (logger->path == NULL)
        return HYPHA_OK;
    int fd = open_log(logger->path);
    if (fd < 0)
        return HYPHA_ERR_IO;
    (void)close(logger->fd);
    logger->fd = fd;
    return HYPHA_OK;
}

enum hypha_err hy_logger_set_path(struct hy_logger *logger, const char *path)
{
    char *copy = NULL;
    int fd = -1;

    if (path != NULL && path[0] != '\0') {
        copy = hy_strdup(path);
        if (copy == NULL)
            return HYPHA_ERR_NOMEM;
        fd = open_log(path);
        if (fd < 0) {
            hy_free(copy);
            return HYPHA_ERR_IO;
        }
    }
    if (logger->fd >= 0)
        (void)close(logger->fd);
    hy_free(logger->path);
    logger->path = copy;
    logger->fd = fd;
    return HYPHA_OK;
}

bool hy_logger_is_heard(
    const struct hy_logger *logger, enum hypha_log_level level, const char *target)
{
    struct stat out, err;

    return hy_log_filter_pass(&logger->filter, level, target) && fstat(STDOUT_FILENO, &out) == 0 &&
        fstat(STDERR_FILENO, &err) == 0 && out.st_dev == err.st_dev && out.st_ino == err.st_ino;
}

/* A full disk or a closed pipe loses the line, not the daemon. */
static void write_line(int fd, const char *line, size_t len)
{
    while (len > 0) {
        ssize_t wrote = write(fd, line, len);

        if (wrote < 0 && errno == EINTR)
            continue;
        if (wrote <= 0)
            return;
        line += wrote;
        len -= (size_t)wrote;
    }
}

void hy_logger_write(void *user, enum hypha_log_level level, const char *target, const char *text)
{
    struct hy_logger *logger = user;
    char line[HY_LOG_MAX_BYTES + 128];
    uint64_t now = hy_wall_s(logger->loop);

    if (!hy_log_filter_pass(&logger->filter, level, target))
        return;
    size_t len = hy_log_format(line, sizeof line, now, level, logger->verbosity > 0 ? target : NULL,
        text, logger->colours);
    write_line(STDOUT_FILENO, line, len);
    if (logger->fd >= 0)
        write_line(
            logger->fd, line, hy_log_format(line, sizeof line, now, level, target, text, false));
}

struct hy_log hy_logger_log(struct hy_logger *logger)
{
    struct hy_log log = { .cb = hy_logger_write, .user = logger };

    log.level = logger->filter.take_count > 0 ? HYPHA_LOG_TRACE : logger->filter.level;
    return log;
}
