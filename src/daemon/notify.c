/* notify.c - datagrams to the service manager. */
#include "daemon/notify.h"

#include <errno.h>
#include <inttypes.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#define PULSE_MS 10000U

void hy_notify(const char *state)
{
    struct sockaddr_un address = { .sun_family = AF_UNIX };
    const char *path = getenv("NOTIFY_SOCKET");

    if (path == NULL || (path[0] != '/' && path[0] != '@') ||
        strlen(path) >= sizeof address.sun_path)
        return;
    size_t len = strlen(path);
    memcpy(address.sun_path, path, len);
    if (path[0] == '@') /* an abstract name */
        address.sun_path[0] = '\0';
    int fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    if (fd < 0)
        return;
    (void)sendto(fd, state, strlen(state), MSG_NOSIGNAL | MSG_DONTWAIT,
        (const struct sockaddr *)&address,
        (socklen_t)(offsetof(struct sockaddr_un, sun_path) + len));
    (void)close(fd);
}

void hy_notify_reloading(struct hypha_loop *loop)
{
    char text[80];

    (void)snprintf(text, sizeof text, "RELOADING=1\nMONOTONIC_USEC=%" PRIu64 "\n", hy_now_us(loop));
    hy_notify(text);
}

/* ---- the service ---- */

/* The whole text as a number; 0: it is none. */
static uint64_t number_of(const char *text)
{
    char *end;

    if (text == NULL || text[0] < '0' || text[0] > '9')
        return 0;
    errno = 0;
    unsigned long long number = strtoull(text, &end, 10);
    return errno == 0 && *end == '\0' ? number : 0;
}

/* Half of what is asked for, in milliseconds. */
static uint64_t watchdog_ms(void)
{
    const char *pid = getenv("WATCHDOG_PID");
    uint64_t usec = number_of(getenv("WATCHDOG_USEC"));

    if (usec == 0 || (pid != NULL && number_of(pid) != (uint64_t)getpid()))
        return 0;
    return usec / 2000 > 0 ? usec / 2000 : 1;
}

static void on_watchdog(void *user)
{
    struct hy_service *service = user;

    hy_notify("WATCHDOG=1");
    hy_timer_start(&service->watchdog, service->watchdog_ms);
}

static void on_pulse(void *user)
{
    struct hy_service *service = user;

    hy_service_update(service);
    hy_timer_start(&service->pulse, PULSE_MS);
}

void hy_service_init(struct hy_service *service, struct hypha_loop *loop,
    void (*status)(void *user, char text[HY_SERVICE_STATUS_BYTES]), void *user)
{
    *service = (struct hy_service){
        .loop = loop, .status = status, .user = user, .watchdog_ms = watchdog_ms()
    };
    hy_timer_init(&service->watchdog, loop, on_watchdog, service);
    hy_timer_init(&service->pulse, loop, on_pulse, service);
}

void hy_service_start(struct hy_service *service)
{
    if (getenv("NOTIFY_SOCKET") == NULL)
        return;
    on_pulse(service);
    if (service->watchdog_ms > 0)
        on_watchdog(service);
}

void hy_service_update(struct hy_service *service)
{
    char text[HY_SERVICE_STATUS_BYTES] = "", line[HY_SERVICE_STATUS_BYTES + 16];

    service->status(service->user, text);
    if (strcmp(text, service->told) == 0)
        return;
    memcpy(service->told, text, sizeof service->told);
    (void)snprintf(line, sizeof line, "STATUS=%s", text);
    hy_notify(line);
}

void hy_service_stop(struct hy_service *service)
{
    if (service->loop == NULL)
        return;
    hy_timer_stop(&service->watchdog);
    hy_timer_stop(&service->pulse);
}
