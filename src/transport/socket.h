/* transport/socket.h - stream sockets of the system: options, addresses, error numbers. */
#ifndef HY_TRANSPORT_SOCKET_H
#define HY_TRANSPORT_SOCKET_H

#include "base/ip.h"
#include "loop/loop.h"
#include <stdbool.h>
#include <sys/socket.h>

/* What an errno of a socket call means to us. */
enum hypha_err hy_socket_err(int number);

/* A non-blocking TCP socket of the endpoint's family with the options of transports.md 2.
 * Errors: as hy_socket_err(); UNREACHABLE if the machine lacks the family. */
enum hypha_err hy_socket_open(const struct hy_endpoint *endpoint, int *ret_fd);
/* Begin to connect; writable means decided. Errors: what is known at once. */
enum hypha_err hy_socket_connect(int fd, const struct hy_endpoint *to);
/* How a connect that became writable went. A socket that met itself (both ends chose one port
 * of the loopback) counts as REFUSED. */
enum hypha_err hy_socket_connected(int fd);
/* SO_REUSEADDR, bind, listen; the port that was given to us. */
enum hypha_err hy_socket_listen(int fd, const struct hy_endpoint *at, uint16_t *ret_port);

/* False for other families than IPv4 and IPv6. */
bool hy_socket_endpoint(const struct sockaddr_storage *address, struct hy_endpoint *ret_endpoint);

#endif
