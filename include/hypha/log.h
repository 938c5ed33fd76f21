/* hypha/log.h - what a node says about itself, line by line, to a callback of yours.
 *
 * The library prints nothing by itself. */
#ifndef HYPHA_LOG_H
#define HYPHA_LOG_H

#include <hypha/api.h>

HYPHA_BEGIN_DECLS

/** From most to least important; a threshold lets through itself and all above it. */
enum hypha_log_level {
    HYPHA_LOG_ERROR = 1,
    HYPHA_LOG_WARN = 2,
    HYPHA_LOG_INFO = 3,
    HYPHA_LOG_VERBOSE = 4,
    HYPHA_LOG_DEBUG = 5,
    HYPHA_LOG_TRACE = 6,
};

/** One line, on the loop's thread.
 *  target  the room that speaks, such as "net::session_outbound"; static
 *  text    one line without its end, valid during the call; a peer's bytes in it are escaped */
typedef void (*hypha_log_cb)(
    void *user, enum hypha_log_level level, const char *target, const char *text);

HYPHA_END_DECLS

#endif
