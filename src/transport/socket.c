/* transport/socket.c - stream sockets of the system: options, addresses, error numbers.
 *
 * spec: transports.md 2 (options), 13.2 (TCP_USER_TIMEOUT) */
#include "transport/socket.h"

#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <string.h>
#include <unistd.h>

#define BACKLOG          1024
#define KEEPALIVE_IDLE_S 20
#define USER_TIMEOUT_MS  60000

union address {
    struct sockaddr any;
    struct sockaddr_in v4;
    struct sockaddr_in6 v6;
    struct sockaddr_storage storage;
};

enum hypha_err hy_socket_err(int number)
{
    switch (number) {
    case 0:
        return HYPHA_OK;
    case ECONNRESET:
    case ECONNABORTED:
    case EPIPE:
        return HYPHA_ERR_RESET;
    case ECONNREFUSED:
        return HYPHA_ERR_REFUSED;
    case ETIMEDOUT:
        return HYPHA_ERR_TIMEOUT;
    case ENETUNREACH:
    case EHOSTUNREACH:
    case ENETDOWN:
    case EHOSTDOWN:
    case EAFNOSUPPORT:
        return HYPHA_ERR_UNREACHABLE;
    case EADDRINUSE:
        return HYPHA_ERR_ADDR_IN_USE;
    case EADDRNOTAVAIL:
        return HYPHA_ERR_ADDR_NOT_AVAILABLE;
    case EACCES:
    case EPERM:
        return HYPHA_ERR_ACCESS;
    case EMFILE:
    case ENFILE:
        return HYPHA_ERR_FILES;
    case ENOMEM:
    case ENOBUFS:
        return HYPHA_ERR_NOMEM;
    default:
        return HYPHA_ERR_SYSTEM;
    }
}

static socklen_t to_address(const struct hy_endpoint *endpoint, union address *ret_address)
{
    memset(ret_address, 0, sizeof *ret_address);
    if (endpoint->ip.len == 4) {
        ret_address->v4.sin_family = AF_INET;
        ret_address->v4.sin_port = htons(endpoint->port);
        memcpy(&ret_address->v4.sin_addr, endpoint->ip.bytes, 4);
        return sizeof ret_address->v4;
    }
    ret_address->v6.sin6_family = AF_INET6;
    ret_address->v6.sin6_port = htons(endpoint->port);
    ret_address->v6.sin6_scope_id = endpoint->scope;
    memcpy(&ret_address->v6.sin6_addr, endpoint->ip.bytes, 16);
    return sizeof ret_address->v6;
}

bool hy_socket_endpoint(const struct sockaddr_storage *address, struct hy_endpoint *ret_endpoint)
{
    struct hy_endpoint endpoint = { 0 };

    if (address->ss_family == AF_INET) {
        struct sockaddr_in v4;

        memcpy(&v4, address, sizeof v4);
        endpoint.ip.len = 4;
        memcpy(endpoint.ip.bytes, &v4.sin_addr, 4);
        endpoint.port = ntohs(v4.sin_port);
    } else if (address->ss_family == AF_INET6) {
        struct sockaddr_in6 v6;

        memcpy(&v6, address, sizeof v6);
        endpoint.ip.len = 16;
        memcpy(endpoint.ip.bytes, &v6.sin6_addr, 16);
        endpoint.port = ntohs(v6.sin6_port);
        endpoint.scope = v6.sin6_scope_id;
    } else {
        return false;
    }
    *ret_endpoint = endpoint;
    return true;
}

static int set_option(int fd, int level, int name, int value)
{
    return setsockopt(fd, level, name, &value, sizeof value);
}

enum hypha_err hy_socket_open(const struct hy_endpoint *endpoint, int *ret_fd)
{
    bool v6 = endpoint->ip.len == 16;
    int fd = socket(v6 ? AF_INET6 : AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);

    if (fd < 0)
        return hy_socket_err(errno);
    if (v6 && set_option(fd, IPPROTO_IPV6, IPV6_V6ONLY, 1) != 0) {
        enum hypha_err err = hy_socket_err(errno);

        close(fd);
        return err;
    }
    /* Without one of these the connection is slower to notice things, not wrong. */
    (void)set_option(fd, IPPROTO_TCP, TCP_NODELAY, 1);
    (void)set_option(fd, SOL_SOCKET, SO_KEEPALIVE, 1);
    (void)set_option(fd, IPPROTO_TCP, TCP_KEEPIDLE, KEEPALIVE_IDLE_S);
    (void)set_option(fd, IPPROTO_TCP, TCP_USER_TIMEOUT, USER_TIMEOUT_MS);
    *ret_fd = fd;
    return HYPHA_OK;
}

enum hypha_err hy_socket_connect(int fd, const struct hy_endpoint *to)
{
    union address address;
    socklen_t len = to_address(to, &address);

    /* An interrupted connect goes on in the background, like one in progress. */
    if (connect(fd, &address.any, len) == 0 || errno == EINPROGRESS || errno == EINTR)
        return HYPHA_OK;
    return hy_socket_err(errno);
}

static bool met_itself(int fd)
{
    union address here, there;
    socklen_t here_len = sizeof here, there_len = sizeof there;

    memset(&here, 0, sizeof here);
    memset(&there, 0, sizeof there);
    if (getsockname(fd, &here.any, &here_len) != 0 || getpeername(fd, &there.any, &there_len) != 0)
        return false;
    return here_len == there_len && memcmp(&here, &there, here_len) == 0;
}

enum hypha_err hy_socket_connected(int fd)
{
    int number = 0;
    socklen_t len = sizeof number;

    if (getsockopt(fd, SOL_SOCKET, SO_ERROR, &number, &len) != 0)
        return hy_socket_err(errno);
    if (number != 0)
        return hy_socket_err(number);
    return met_itself(fd) ? HYPHA_ERR_REFUSED : HYPHA_OK;
}

enum hypha_err hy_socket_listen(int fd, const struct hy_endpoint *at, uint16_t *ret_port)
{
    union address address;
    socklen_t len = to_address(at, &address);
    struct hy_endpoint bound;

    /* Not SO_REUSEPORT: a second process would share the port unnoticed. */
    if (set_option(fd, SOL_SOCKET, SO_REUSEADDR, 1) != 0 || bind(fd, &address.any, len) != 0 ||
        listen(fd, BACKLOG) != 0)
        return hy_socket_err(errno);
    len = sizeof address;
    if (getsockname(fd, &address.any, &len) != 0)
        return hy_socket_err(errno);
    if (!hy_socket_endpoint(&address.storage, &bound))
        return HYPHA_ERR_SYSTEM;
    *ret_port = bound.port;
    return HYPHA_OK;
}
