/* daemon/notify.h - tell the service manager how we are: sd_notify without its library.
 *
 * Ready, reloading, stopping; a line of status for people; and a ping from the loop, so that a
 * daemon that hangs is noticed. Without $NOTIFY_SOCKET, or on any trouble, nothing happens.
 * spec: apps.md 1.4 */
#ifndef HY_DAEMON_NOTIFY_H
#define HY_DAEMON_NOTIFY_H

#include "loop/loop.h"

/* Lines such as "READY=1", in one datagram. */
void hy_notify(const char *state);
/* "RELOADING=1" with the time that systemd wants beside it. "READY=1" ends it. */
void hy_notify_reloading(struct hypha_loop *loop);

#define HY_SERVICE_STATUS_BYTES 160

/* While it is started: WATCHDOG=1 at half the time that $WATCHDOG_USEC asks for (if
 * $WATCHDOG_PID is us), and STATUS= when it has changed. Keeps the loop turning. */
struct hy_service {
    struct hypha_loop *loop;
    void (*status)(void *user, char text[HY_SERVICE_STATUS_BYTES]);
    void *user;
    struct hy_timer watchdog, pulse;
    uint64_t watchdog_ms;               /* 0: nobody asked */
    char told[HY_SERVICE_STATUS_BYTES]; /* the last status */
};

void hy_service_init(struct hy_service *service, struct hypha_loop *loop,
    void (*status)(void *user, char text[HY_SERVICE_STATUS_BYTES]), void *user);
void hy_service_start(struct hy_service *service);
/* Tell the status now if it has changed. */
void hy_service_update(struct hy_service *service);
/* Also if never started, or zeroed. */
void hy_service_stop(struct hy_service *service);

#endif
