/* base/log.h - hand a formatted line to whoever listens. */
#ifndef HY_BASE_LOG_H
#define HY_BASE_LOG_H

#include <hypha/log.h>

/* Zeroed: silent. Copied freely. */
struct hy_log {
    hypha_log_cb cb;
    void *user;
    enum hypha_log_level level;
};

/* One line of at most HY_LOG_MAX_BYTES (the rest is cut); arguments are evaluated only if heard. */
#define HY_LOG_MAX_BYTES 1024
#define HY_LOG(log, lvl, target, ...)                                                              \
    do {                                                                                           \
        if ((log)->cb != NULL && (lvl) <= (log)->level)                                            \
            hy_log_write((log), (lvl), (target), __VA_ARGS__);                                     \
    } while (0)
#define hy_log_error(log, target, ...)   HY_LOG(log, HYPHA_LOG_ERROR, target, __VA_ARGS__)
#define hy_log_warn(log, target, ...)    HY_LOG(log, HYPHA_LOG_WARN, target, __VA_ARGS__)
#define hy_log_info(log, target, ...)    HY_LOG(log, HYPHA_LOG_INFO, target, __VA_ARGS__)
#define hy_log_verbose(log, target, ...) HY_LOG(log, HYPHA_LOG_VERBOSE, target, __VA_ARGS__)
#define hy_log_debug(log, target, ...)   HY_LOG(log, HYPHA_LOG_DEBUG, target, __VA_ARGS__)
#define hy_log_trace(log, target, ...)   HY_LOG(log, HYPHA_LOG_TRACE, target, __VA_ARGS__)

void hy_log_write(const struct hy_log *log, enum hypha_log_level level, const char *target,
    const char *format, ...) HYPHA_PRINTF(4, 5);

#endif
