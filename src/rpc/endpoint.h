/* rpc/endpoint.h - where a JSON-RPC server listens or is found.
 *
 * A server takes tcp, tcp+tls and unix URLs, with "http+" before the scheme too; TCP only on
 * loopback while there is no access token. A client also takes what people type. spec: apps.md 2.1,
 * 5 */
#ifndef HY_RPC_ENDPOINT_H
#define HY_RPC_ENDPOINT_H

#include "loop/loop.h"
#include "transport/transport.h"
#include <hypha/url.h>

enum hy_rpc_scheme { HY_RPC_TCP, HY_RPC_TLS, HY_RPC_UNIX };

struct hy_rpc_endpoint {
    struct hypha_url *url;  /* as given */
    struct hypha_url *dial; /* what the transport below TLS is told */
    enum hy_rpc_scheme scheme;
    bool http; /* "http+" was before the scheme; `url` is without it */
};

#define HY_RPC_WHY_BYTES   256
#define HY_RPC_HTTP_PREFIX "http+"

/* A listen URL. `why`: for people, names what was expected. token: clients must know one.
 * Errors: NOMEM; URL; UNSUPPORTED_TRANSPORT; BAD_ADDRESS; ACCESS: without a token, not loopback. */
enum hypha_err hy_rpc_endpoint_listen(
    const char *text, bool token, struct hy_rpc_endpoint *ret_endpoint, char why[HY_RPC_WHY_BYTES]);
/* HOST:PORT, [IPV6]:PORT, unix:PATH or a URL. Errors: NOMEM, URL, UNSUPPORTED_TRANSPORT,
 * BAD_ADDRESS. */
enum hypha_err hy_rpc_endpoint_dial(
    const char *text, struct hy_rpc_endpoint *ret_endpoint, char why[HY_RPC_WHY_BYTES]);
void hy_rpc_endpoint_fini(struct hy_rpc_endpoint *endpoint);

/* The URL's host is a loopback IP literal. */
bool hy_rpc_is_loopback(const struct hypha_url *url);

/* The transport below TLS. Errors: NOMEM, SYSTEM. */
enum hypha_err hy_rpc_endpoint_transport(const struct hy_rpc_endpoint *endpoint,
    struct hypha_loop *loop, struct hy_transport **ret_transport);

#endif
