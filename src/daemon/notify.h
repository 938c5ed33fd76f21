/* daemon/notify.h - tell the service manager how far we are: sd_notify without its library. */
#ifndef HY_DAEMON_NOTIFY_H
#define HY_DAEMON_NOTIFY_H

/* "READY=1", "STOPPING=1"... Without $NOTIFY_SOCKET, or on any trouble, nothing happens. */
void hy_notify(const char *state);

#endif
