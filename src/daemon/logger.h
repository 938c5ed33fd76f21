/* daemon/logger.h - log lines to stdout and, if asked, to a file.
 *
 * HH:MM:SS [LEVEL] text, in UTC; with the target before the text in a file always and on stdout
 * from -v on. LOG_TARGETS filters. spec: apps.md 1.3 */
#ifndef HY_DAEMON_LOGGER_H
#define HY_DAEMON_LOGGER_H

#include "base/log.h"
#include "loop/loop.h"

/* ---- the pure half ---- */

/* One line with its end; what doesn't fit is cut. target NULL: left out. Returns its length. */
size_t hy_log_format(char *into, size_t size, uint64_t wall_s, enum hypha_log_level level,
    const char *target, const char *text, bool colours);

#define HY_LOG_MAX_TARGETS 32
/* LOG_TARGETS: prefixes of targets. "!p" drops p; any plain one makes the list exclusive and
 * lifts the threshold for it. */
struct hy_log_filter {
    enum hypha_log_level level;
    char text[512]; /* holds the prefixes */
    const char *take[HY_LOG_MAX_TARGETS];
    const char *drop[HY_LOG_MAX_TARGETS];
    size_t take_count, drop_count;
};
/* text: LOG_TARGETS, may be NULL. */
void hy_log_filter_init(struct hy_log_filter *filter, enum hypha_log_level level, const char *text);
bool hy_log_filter_pass(
    const struct hy_log_filter *filter, enum hypha_log_level level, const char *target);
/* 0: INFO, 1: VERBOSE, 2: DEBUG, 3 and more: TRACE. */
enum hypha_log_level hy_log_level_of(unsigned verbosity);

/* ---- the log of a daemon ---- */

struct hy_logger;

/* path: NULL or "": no file; else opened for appending. Errors: NOMEM, IO. */
enum hypha_err hy_logger_create(
    struct hypha_loop *loop, const char *path, unsigned verbosity, struct hy_logger **ret_logger);
void hy_logger_destroy(struct hy_logger *logger);
/* After the file was moved away. The old one goes on if the new one can't be opened: IO. */
enum hypha_err hy_logger_reopen(struct hy_logger *logger);
/* Another file from now on; NULL or "": none. The old one goes on after an error: NOMEM, IO. */
enum hypha_err hy_logger_set_path(struct hy_logger *logger, const char *path);
/* Would a line be written to stdout, and are stdout and stderr one and the same place? Then what
 * was logged need not be said again. */
bool hy_logger_is_heard(
    const struct hy_logger *logger, enum hypha_log_level level, const char *target);
void hy_logger_set_verbosity(struct hy_logger *logger, unsigned verbosity);

/* A hypha_log_cb; user: the logger. */
void hy_logger_write(void *user, enum hypha_log_level level, const char *target, const char *text);
/* The same as the struct that rooms take: the level is the lowest that may be heard. */
struct hy_log hy_logger_log(struct hy_logger *logger);

#endif
