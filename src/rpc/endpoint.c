#include "rpc/endpoint.h"
#include "base/alloc.h"
#include "url/url.h"

#include <stdio.h>
#include <string.h>
#include <unistd.h>

void hy_rpc_endpoint_fini(struct hy_rpc_endpoint *endpoint)
{
    hypha_url_unref(endpoint->url);
    hypha_url_unref(endpoint->dial);
    *endpoint = (struct hy_rpc_endpoint){ 0 };
}

bool hy_rpc_is_loopback(const struct hypha_url *url)
{
    struct hy_ip ip;

    return hy_url_ip(url, &ip) && hy_ip_is_loopback(&ip);
}

enum hypha_err hy_rpc_endpoint_transport(const struct hy_rpc_endpoint *endpoint,
    struct hypha_loop *loop, struct hy_transport **ret_transport)
{
    if (endpoint->scheme == HY_RPC_UNIX)
        return hy_transport_unix_create(loop, ret_transport);
    return hy_transport_tcp_create(loop, NULL, NULL, ret_transport);
}

/* `listen`: port 0 is allowed. */
static enum hypha_err endpoint_parse(
    const char *text, bool listen, struct hy_rpc_endpoint *ret_endpoint, char why[HY_RPC_WHY_BYTES])
{
    struct hy_rpc_endpoint endpoint = { 0 };
    enum hypha_err err = hypha_url_parse_text(text, &endpoint.url);

    if (err != HYPHA_OK) {
        (void)snprintf(why, HY_RPC_WHY_BYTES, "\"%.150s\" is not a URL such as %s", text,
            "tcp://127.0.0.1:51054 or unix:///run/dchatd.sock");
        return err;
    }
    const char *scheme = hypha_url_scheme(endpoint.url);
    err = HYPHA_ERR_BAD_ADDRESS;
    if (strcmp(scheme, "unix") == 0) {
        endpoint.scheme = HY_RPC_UNIX;
        endpoint.dial = hypha_url_ref(endpoint.url);
        if (hypha_url_host_kind(endpoint.url) == HYPHA_HOST_NONE &&
            hypha_url_path(endpoint.url)[0] == '/')
            err = HYPHA_OK;
        else
            (void)snprintf(why, HY_RPC_WHY_BYTES,
                "\"%.150s\": expected unix:///ABSOLUTE/PATH without a host", text);
    } else if (strcmp(scheme, "tcp") == 0 || strcmp(scheme, "tcp+tls") == 0) {
        endpoint.scheme = strcmp(scheme, "tcp") == 0 ? HY_RPC_TCP : HY_RPC_TLS;
        if (hypha_url_host_kind(endpoint.url) != HYPHA_HOST_NONE &&
            hypha_url_has_port(endpoint.url) && (listen || hypha_url_port(endpoint.url) != 0))
            err = hy_url_with_scheme(endpoint.url, "tcp", &endpoint.dial);
        else
            (void)snprintf(why, HY_RPC_WHY_BYTES, "\"%.150s\": expected a host and a port", text);
    } else {
        err = HYPHA_ERR_UNSUPPORTED_TRANSPORT;
        (void)snprintf(
            why, HY_RPC_WHY_BYTES, "\"%.150s\": expected the scheme tcp, tcp+tls or unix", text);
    }
    if (err != HYPHA_OK)
        hy_rpc_endpoint_fini(&endpoint);
    else
        *ret_endpoint = endpoint;
    return err;
}

enum hypha_err hy_rpc_endpoint_listen(
    const char *text, bool token, struct hy_rpc_endpoint *ret_endpoint, char why[HY_RPC_WHY_BYTES])
{
    struct hy_rpc_endpoint endpoint;
    bool http = strncmp(text, HY_RPC_HTTP_PREFIX, strlen(HY_RPC_HTTP_PREFIX)) == 0;
    enum hypha_err err = endpoint_parse(
        http ? text + strlen(HY_RPC_HTTP_PREFIX) : text, true, &endpoint, why);

    if (err != HYPHA_OK)
        return err;
    endpoint.http = http;
    /* A name is judged again when its address is bound: server.c. */
    if (!token && endpoint.scheme != HY_RPC_UNIX && !hy_rpc_is_loopback(endpoint.url) &&
        strcmp(hypha_url_host(endpoint.url), "localhost") != 0) {
        (void)snprintf(why, HY_RPC_WHY_BYTES,
            "\"%.100s\": without an access token RPC listens on loopback only: set rpc_token, or "
            "listen on 127.0.0.1, [::1], localhost or a unix socket",
            text);
        hy_rpc_endpoint_fini(&endpoint);
        return HYPHA_ERR_ACCESS;
    }
    *ret_endpoint = endpoint;
    return HYPHA_OK;
}

/* unix:PATH as people type it: relative to the working directory, any byte in it. */
static enum hypha_err unix_text(const char *path, char *into, size_t size)
{
    static const char hex[] = "0123456789ABCDEF";
    char folder[1024] = "";
    size_t len = (size_t)snprintf(into, size, "unix://");

    if (path[0] != '/' && getcwd(folder, sizeof folder) == NULL)
        return HYPHA_ERR_BAD_ADDRESS;
    const char *const parts[] = { folder, path[0] != '/' ? "/" : "", path };
    for (size_t part = 0; part < 3; part++) {
        for (const char *at = parts[part]; *at != '\0'; at++) {
            unsigned char c = (unsigned char)*at;
            bool plain = (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') ||
                (c >= 'A' && c <= 'Z') || strchr("/._-+~,=@", c) != NULL;

            if (len + 4 > size)
                return HYPHA_ERR_BAD_ADDRESS;
            if (plain) {
                into[len++] = (char)c;
            } else {
                into[len++] = '%';
                into[len++] = hex[c >> 4];
                into[len++] = hex[c & 15];
            }
        }
    }
    into[len] = '\0';
    return HYPHA_OK;
}

enum hypha_err hy_rpc_endpoint_dial(
    const char *text, struct hy_rpc_endpoint *ret_endpoint, char why[HY_RPC_WHY_BYTES])
{
    char url[1024];

    if (strncmp(text, HY_RPC_HTTP_PREFIX, strlen(HY_RPC_HTTP_PREFIX)) == 0) {
        (void)snprintf(why, HY_RPC_WHY_BYTES,
            "\"%.150s\": this client speaks lines, not HTTP: expected an address at which the "
            "server listens without \"http+\"",
            text);
        return HYPHA_ERR_UNSUPPORTED_TRANSPORT;
    }
    if (strstr(text, "://") != NULL)
        return endpoint_parse(text, false, ret_endpoint, why);
    if (strncmp(text, "unix:", 5) == 0 && text[5] != '\0') {
        enum hypha_err err = unix_text(text + 5, url, sizeof url);

        if (err != HYPHA_OK) {
            (void)snprintf(why, HY_RPC_WHY_BYTES, "\"%.150s\": the path is too long", text);
            return err;
        }
    } else if (strlen(text) < sizeof url - 8) {
        (void)snprintf(url, sizeof url, "tcp://%s", text);
    } else {
        (void)snprintf(why, HY_RPC_WHY_BYTES, "the address is too long");
        return HYPHA_ERR_BAD_ADDRESS;
    }
    return endpoint_parse(url, false, ret_endpoint, why);
}
