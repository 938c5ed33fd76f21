/* http.c - listening, and running libmicrohttpd on our loop.
 *
 * libmicrohttpd waits in one epoll descriptor, which our loop watches; after each run it says
 * when it wants the next. It closes connections that are silent for HY_HTTP_IDLE_S. What it does
 * not do is done here: a connection has so long for a whole request or for reading a whole
 * answer, however busily it drips; and who comes when all places are taken gets the place of the
 * one that has been waiting longest. */
#include "daemon/http_internal.h"

#include "base/alloc.h"
#include "base/token.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/socket.h>
#include <unistd.h>

#define WHY_BYTES        256
#define SWEEP_MS         1000
#define ANSWER_MS        120000U
#define CROWDED_MS       2000U  /* the same when all places are taken */
#define CONNECTION_BYTES 32768U /* headers, and what is being sent */
#define BACKLOG          64

static enum hypha_err fail(char why[WHY_BYTES], enum hypha_err err, const char *format, ...)
    HYPHA_PRINTF(3, 4);

static enum hypha_err fail(char why[WHY_BYTES], enum hypha_err err, const char *format, ...)
{
    va_list arguments;

    va_start(arguments, format);
    (void)vsnprintf(why, WHY_BYTES, format, arguments);
    va_end(arguments);
    return err;
}

/* ---- the address ---- */

static bool parse_port(const char *text, uint16_t *ret_port)
{
    unsigned long port = 0;

    if (*text == '\0' || strlen(text) > 5)
        return false;
    for (; *text != '\0'; text++) {
        if (*text < '0' || *text > '9')
            return false;
        port = port * 10 + (unsigned long)(*text - '0');
    }
    if (port > UINT16_MAX)
        return false;
    *ret_port = (uint16_t)port;
    return true;
}

/* HOST:PORT, [IPV6]:PORT, either with http:// before and / behind. */
static bool parse_listen(const char *listen, struct hy_ip *ret_ip, uint16_t *ret_port)
{
    char text[128];

    if (strncasecmp(listen, "http://", 7) == 0)
        listen += 7;
    size_t len = strlen(listen);
    if (len > 0 && listen[len - 1] == '/')
        len--;
    if (len >= sizeof text)
        return false;
    memcpy(text, listen, len);
    text[len] = '\0';
    char *colon = strrchr(text, ':');
    if (colon == NULL || !parse_port(colon + 1, ret_port))
        return false;
    *colon = '\0';
    len = (size_t)(colon - text);
    if (strcasecmp(text, "localhost") == 0) {
        *ret_ip = (struct hy_ip){ .len = 4, .bytes = { 127, 0, 0, 1 } };
        return true;
    }
    if (len >= 2 && text[0] == '[' && text[len - 1] == ']')
        return hy_ip_parse_v6((struct hypha_span){ (uint8_t *)text + 1, len - 2 }, ret_ip);
    return hy_ip_parse_v4((struct hypha_span){ (uint8_t *)text, len }, ret_ip);
}

static socklen_t fill_address(
    const struct hy_ip *ip, uint16_t port, struct sockaddr_storage *ret_address)
{
    *ret_address = (struct sockaddr_storage){ 0 };
    if (ip->len == 4) {
        struct sockaddr_in *v4 = (struct sockaddr_in *)(void *)ret_address;

        v4->sin_family = AF_INET;
        v4->sin_port = htons(port);
        memcpy(&v4->sin_addr, ip->bytes, 4);
        return sizeof *v4;
    }
    struct sockaddr_in6 *v6 = (struct sockaddr_in6 *)(void *)ret_address;

    v6->sin6_family = AF_INET6;
    v6->sin6_port = htons(port);
    memcpy(&v6->sin6_addr, ip->bytes, 16);
    return sizeof *v6;
}

static void format_url(struct hy_http *http)
{
    char text[HY_IP_TEXT_BYTES];

    (void)hy_ip_format(&http->ip, text);
    (void)snprintf(http->url, sizeof http->url,
        http->ip.len == 4 ? "http://%s:%u/" : "http://[%s]:%u/", text, (unsigned)http->port);
}

static enum hypha_err listen_err(int number)
{
    switch (number) {
    case EADDRINUSE:
        return HYPHA_ERR_ADDR_IN_USE;
    case EADDRNOTAVAIL:
    case EAFNOSUPPORT:
        return HYPHA_ERR_ADDR_NOT_AVAILABLE;
    case EACCES:
    case EPERM:
        return HYPHA_ERR_ACCESS;
    case ENOMEM:
    case ENOBUFS:
        return HYPHA_ERR_NOMEM;
    case EMFILE:
    case ENFILE:
        return HYPHA_ERR_FILES;
    default: /* errno has many more */
        return HYPHA_ERR_SYSTEM;
    }
}

/* SO_REUSEADDR: a restart need not wait for old connections; it does not share the port. */
static enum hypha_err open_listener(
    struct hy_http *http, uint16_t port, int *ret_fd, char why[WHY_BYTES])
{
    struct sockaddr_storage address;
    socklen_t len = fill_address(&http->ip, port, &address);
    int one = 1;

    http->port = port;
    format_url(http);
    int fd = socket(address.ss_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (fd < 0)
        goto fail;
    if (setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof one) != 0 ||
        (address.ss_family == AF_INET6 &&
            setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &one, sizeof one) != 0) ||
        bind(fd, (struct sockaddr *)&address, len) != 0 || listen(fd, BACKLOG) != 0 ||
        getsockname(fd, (struct sockaddr *)&address, &len) != 0)
        goto fail;
    /* The same place in both structs. */
    http->port = ntohs(((struct sockaddr_in *)(void *)&address)->sin_port);
    format_url(http);
    *ret_fd = fd;
    return HYPHA_OK;
fail:;
    enum hypha_err err = listen_err(errno);
    if (fd >= 0)
        (void)close(fd);
    return fail(why, err, "cannot listen on %s: %s", http->url, hypha_err_text(err));
}

/* ---- connections ---- */

void hy_http_set_phase(struct hy_http_connection *connection, enum hy_http_phase phase)
{
    struct hy_http *http = connection->http;

    connection->phase = phase;
    connection->since_ms = hy_now_ms(http->loop);
    TAILQ_REMOVE(&http->connections, connection, entry);
    TAILQ_INSERT_TAIL(&http->connections, connection, entry);
}

void hy_http_cut_off(const struct hy_http_connection *connection)
{
    (void)shutdown(connection->fd, SHUT_RDWR);
}

static bool is_too_slow(
    const struct hy_http_connection *connection, uint64_t now_ms, uint64_t answer_ms)
{
    uint64_t age_ms = now_ms - connection->since_ms;

    switch (connection->phase) {
    case HY_HTTP_WAITING:
        return age_ms >= connection->http->request_ms;
    case HY_HTTP_ANSWERING:
        return age_ms >= answer_ms;
    case HY_HTTP_STREAMING: /* http_stream.c */
        return false;
    }
    return false;
}

/* All places are taken: the newcomer gets the place of the one that waits longest, else of one
 * that has been reading its answer for a while. */
static void make_room(struct hy_http *http)
{
    uint64_t now_ms = hy_now_ms(http->loop);
    struct hy_http_connection *connection;

    TAILQ_FOREACH (connection, &http->connections, entry) {
        if (connection->phase == HY_HTTP_WAITING) {
            hy_http_cut_off(connection);
            return;
        }
    }
    TAILQ_FOREACH (connection, &http->connections, entry) {
        if (is_too_slow(connection, now_ms, CROWDED_MS)) {
            hy_http_cut_off(connection);
            return;
        }
    }
}

static void on_connection(
    void *cls, struct MHD_Connection *mhd, void **context, enum MHD_ConnectionNotificationCode code)
{
    struct hy_http *http = cls;
    struct hy_http_connection *connection = *context;

    if (code == MHD_CONNECTION_NOTIFY_CLOSED) {
        if (connection == NULL)
            return;
        TAILQ_REMOVE(&http->connections, connection, entry);
        if (http->connection_count-- >= HY_HTTP_MAX_CONNECTIONS)
            hy_http_wake(http); /* only then does libmicrohttpd accept again */
        hy_free(connection);
        *context = NULL;
        return;
    }
    int fd = MHD_get_connection_info(mhd, MHD_CONNECTION_INFO_CONNECTION_FD)->connect_fd;
    connection = hy_alloc(sizeof *connection);
    if (connection == NULL) {
        (void)shutdown(fd, SHUT_RDWR);
        return;
    }
    connection->http = http;
    connection->fd = fd;
    connection->phase = HY_HTTP_WAITING;
    connection->since_ms = hy_now_ms(http->loop);
    if (++http->connection_count >= HY_HTTP_MAX_CONNECTIONS)
        make_room(http);
    TAILQ_INSERT_TAIL(&http->connections, connection, entry);
    if (!hy_timer_is_armed(&http->sweep))
        hy_timer_start(&http->sweep, SWEEP_MS);
    *context = connection;
}

static void on_completed(
    void *cls, struct MHD_Connection *mhd, void **state, enum MHD_RequestTerminationCode code)
{
    const union MHD_ConnectionInfo *info = MHD_get_connection_info(
        mhd, MHD_CONNECTION_INFO_SOCKET_CONTEXT);

    (void)cls;
    (void)state;
    (void)code;
    if (info != NULL && info->socket_context != NULL)
        hy_http_set_phase(info->socket_context, HY_HTTP_WAITING);
}

static void on_sweep(void *user)
{
    struct hy_http *http = user;
    uint64_t now_ms = hy_now_ms(http->loop);
    struct hy_http_connection *connection;

    TAILQ_FOREACH (connection, &http->connections, entry)
        if (is_too_slow(connection, now_ms, http->answer_ms))
            hy_http_cut_off(connection);
    hy_http_sweep_streams(http);
    if (http->connection_count > 0)
        hy_timer_start(&http->sweep, SWEEP_MS);
}

/* ---- running libmicrohttpd ---- */

static void run(void *user)
{
    struct hy_http *http = user;
    MHD_UNSIGNED_LONG_LONG timeout_ms;

    (void)MHD_run(http->mhd);
    if (MHD_get_timeout(http->mhd, &timeout_ms) == MHD_YES)
        hy_timer_start(&http->timer, timeout_ms);
    else
        hy_timer_stop(&http->timer);
}

static void on_poll(void *user, unsigned events)
{
    (void)events;
    run(user);
}

void hy_http_wake(struct hy_http *http)
{
    if (!http->stopping)
        hy_defer_start(&http->defer);
}

/* ---- create, destroy ---- */

/* libmicrohttpd closes the listening socket when it is stopped, and sometimes when it is not
 * even started. */
static void close_if_bound(int fd, uint16_t port)
{
    struct sockaddr_storage address = { 0 };
    socklen_t len = sizeof address;

    if (getsockname(fd, (struct sockaddr *)&address, &len) == 0 &&
        (address.ss_family == AF_INET || address.ss_family == AF_INET6) &&
        ntohs(((struct sockaddr_in *)(void *)&address)->sin_port) == port)
        (void)close(fd);
}

static enum hypha_err start(struct hy_http *http, int fd, char why[WHY_BYTES])
{
    const union MHD_DaemonInfo *info;
    enum hypha_err err;

    http->mhd = MHD_start_daemon(MHD_USE_EPOLL | MHD_ALLOW_SUSPEND_RESUME, 0, NULL, NULL,
        hy_http_on_request, http, MHD_OPTION_LISTEN_SOCKET, fd, MHD_OPTION_CONNECTION_LIMIT,
        (unsigned)HY_HTTP_MAX_CONNECTIONS, MHD_OPTION_CONNECTION_TIMEOUT, (unsigned)HY_HTTP_IDLE_S,
        MHD_OPTION_CONNECTION_MEMORY_LIMIT, (size_t)CONNECTION_BYTES, MHD_OPTION_STRICT_FOR_CLIENT,
        1, MHD_OPTION_NOTIFY_CONNECTION, on_connection, (void *)http, MHD_OPTION_NOTIFY_COMPLETED,
        on_completed, (void *)http, MHD_OPTION_END);
    if (http->mhd == NULL) {
        close_if_bound(fd, http->port);
        return fail(why, HYPHA_ERR_SYSTEM, "cannot start the HTTP server on %s", http->url);
    }
    info = MHD_get_daemon_info(http->mhd, MHD_DAEMON_INFO_EPOLL_FD);
    if (info == NULL)
        return fail(why, HYPHA_ERR_SYSTEM, "cannot start the HTTP server on %s", http->url);
    err = hy_poll_create(http->loop, info->epoll_fd, HY_POLL_IN, on_poll, http, &http->poll);
    if (err != HYPHA_OK)
        return fail(why, err, "cannot start the HTTP server: %s", hypha_err_text(err));
    return HYPHA_OK;
}

enum hypha_err hy_http_create(struct hypha_loop *loop, const struct hy_http_options *options,
    struct hy_http **ret_http, char why[WHY_BYTES])
{
    struct hy_ip ip;
    uint16_t port;
    int fd = -1;

    if (!parse_listen(options->listen, &ip, &port))
        return fail(why, HYPHA_ERR_INVALID,
            "%s: expected HOST:PORT, with an IP address or localhost", options->listen);
    if (options->token != NULL && !hy_token_is_valid(options->token))
        return fail(why, HYPHA_ERR_INVALID,
            "the token must have %d to %d printable characters and no blanks", HY_TOKEN_MIN_BYTES,
            HY_TOKEN_MAX_BYTES);
    if ((options->token == NULL || options->only_loopback) && !hy_ip_is_loopback(&ip))
        return fail(why, HYPHA_ERR_ACCESS,
            "%s is not a loopback address: an access token is needed", options->listen);

    struct hy_http *http = hy_alloc(sizeof *http);
    if (http == NULL)
        return fail(why, HYPHA_ERR_NOMEM, "%s", hypha_err_text(HYPHA_ERR_NOMEM));
    http->loop = loop;
    http->ip = ip;
    http->check_host = options->check_host;
    http->handler = options->handler;
    http->user = options->user;
    http->request_ms = http->stream_ms = HY_HTTP_IDLE_S * UINT64_C(1000);
    http->answer_ms = ANSWER_MS;
    TAILQ_INIT(&http->connections);
    LIST_INIT(&http->streams);
    hy_timer_init(&http->timer, loop, run, http);
    hy_timer_init(&http->sweep, loop, on_sweep, http);
    hy_defer_init(&http->defer, loop, run, http);
    enum hypha_err err = HYPHA_OK;
    if (options->token != NULL && (http->token = hy_strdup(options->token)) == NULL)
        err = fail(why, HYPHA_ERR_NOMEM, "%s", hypha_err_text(HYPHA_ERR_NOMEM));
    if (err == HYPHA_OK)
        err = open_listener(http, port, &fd, why);
    if (err == HYPHA_OK)
        err = start(http, fd, why);
    if (err != HYPHA_OK) {
        hy_http_destroy(http);
        return err;
    }
    *ret_http = http;
    return HYPHA_OK;
}

void hy_http_destroy(struct hy_http *http)
{
    if (http == NULL)
        return;
    http->stopping = true;
    hy_http_end_streams(http); /* libmicrohttpd cannot be stopped while one sleeps */
    hy_poll_destroy(http->poll);
    if (http->mhd != NULL)
        MHD_stop_daemon(http->mhd);
    hy_timer_stop(&http->timer);
    hy_timer_stop(&http->sweep);
    hy_defer_stop(&http->defer);
    hy_free(http->token);
    hy_free(http);
}

const char *hy_http_url(const struct hy_http *http)
{
    return http->url;
}
