/* base/log.c - format a line and hand it on. */
#include "base/log.h"

#include <stdarg.h>
#include <stdio.h>

void hy_log_write(const struct hy_log *log, enum hypha_log_level level, const char *target,
    const char *format, ...)
{
    char line[HY_LOG_MAX_BYTES];
    va_list args;

    va_start(args, format);
    (void)vsnprintf(line, sizeof line, format, args);
    va_end(args);
    log->cb(log->user, level, target, line);
}
