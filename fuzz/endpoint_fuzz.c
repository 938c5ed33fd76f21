/* Any text as an RPC endpoint: refused with a reason, or there is something to dial; nothing but
 * loopback and local sockets is listened on without a token, and with one nothing else is what was
 * fine without. spec: apps.md 2.1 */
#include "fuzz.h"

#include "rpc/endpoint.h"

#include <string.h>

static void check(enum hypha_err err, struct hy_rpc_endpoint *endpoint, const char *why)
{
    FUZZ_CHECK((err == HYPHA_OK) == (why[0] == '\0'));
    if (err != HYPHA_OK)
        return;
    FUZZ_CHECK(endpoint->url != NULL && endpoint->dial != NULL);
    FUZZ_CHECK(strcmp(hypha_url_scheme(endpoint->dial),
                   endpoint->scheme == HY_RPC_UNIX ? "unix" : "tcp") == 0);
    FUZZ_CHECK(endpoint->scheme == HY_RPC_UNIX || hypha_url_has_port(endpoint->dial));
    FUZZ_CHECK(strcmp(hypha_url_host(endpoint->url), hypha_url_host(endpoint->dial)) == 0);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct hy_rpc_endpoint listen = { 0 }, anywhere = { 0 }, dial = { 0 };
    char *text = malloc(size + 1);
    char why[HY_RPC_WHY_BYTES] = "";

    FUZZ_CHECK(text != NULL);
    memcpy(text, data, size);
    text[size] = '\0';
    enum hypha_err err = hy_rpc_endpoint_listen(text, false, &listen, why);
    check(err, &listen, why);
    FUZZ_CHECK(err != HYPHA_OK || listen.scheme == HY_RPC_UNIX || hy_rpc_is_loopback(listen.url) ||
        strcmp(hypha_url_host(listen.url), "localhost") == 0);
    why[0] = '\0';
    enum hypha_err open = hy_rpc_endpoint_listen(text, true, &anywhere, why);
    check(open, &anywhere, why);
    FUZZ_CHECK(open == err || (err == HYPHA_ERR_ACCESS && open == HYPHA_OK));
    FUZZ_CHECK(open != HYPHA_OK || anywhere.http == (strncmp(text, "http+", 5) == 0));
    why[0] = '\0';
    err = hy_rpc_endpoint_dial(text, &dial, why);
    check(err, &dial, why);
    hy_rpc_endpoint_fini(&listen);
    hy_rpc_endpoint_fini(&anywhere);
    hy_rpc_endpoint_fini(&dial);
    free(text);
    return 0;
}
