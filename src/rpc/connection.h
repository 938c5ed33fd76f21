/* rpc/connection.h - one client of the server.
 *
 *   state     event                          next
 *   OPENING   stream ready (TLS done)        OPEN      read
 *   OPENING   10 s, end                      GONE
 *   OPEN      line                           OPEN      call the method
 *   OPEN      half-close                     DRAINING  the last line counts; answer what came
 *   OPEN      line too long, one too many    LINGER    told so; what comes is dropped
 *   DRAINING  all answered and sent, 30 s    GONE
 *   LINGER    sent and half-closed, 1 s      GONE
 *   any       error, server stop             GONE      calls are cancelled
 *
 * spec: apps.md 2.2 */
#ifndef HY_RPC_CONNECTION_H
#define HY_RPC_CONNECTION_H

#include "rpc/server.h"
#include "transport/transport.h"

enum hy_rpc_connection_state {
    HY_RPC_OPENING,
    HY_RPC_OPEN,
    HY_RPC_DRAINING,
    HY_RPC_LINGER,
    HY_RPC_GONE,
};

struct hy_rpc_call {
    struct hy_rpc_connection *connection; /* NULL: gone, while in its method */
    struct hy_rpc_id id;
    bool in_method;
    bool answered;
    int code;      /* HY_RPC_OK: result */
    char *message; /* of an error; NULL: the code's own */
    json_t *result;
    hy_rpc_cancel_cb on_cancel;
    void *user;
    TAILQ_ENTRY(hy_rpc_call) entry;
};
TAILQ_HEAD(hy_rpc_call_list, hy_rpc_call);

struct hy_rpc_connection {
    struct hy_rpc_server *server;
    struct hy_stream *stream;
    enum hy_rpc_connection_state state;
    bool refused; /* one too many: told so as soon as it is open */
    bool ended;   /* the client sends no more */
    struct hy_rpc_lines in;
    struct hy_rpc_buffer out;
    struct hy_rpc_call_list calls; /* in the order of the requests */
    size_t call_count;
    struct hy_timer deadline;
    struct hy_defer pump; /* a call was answered outside of the pump */
    unsigned busy;        /* pumps on the stack: freed when the last returns */
    TAILQ_ENTRY(hy_rpc_connection) entry;
};
TAILQ_HEAD(hy_rpc_connection_list, hy_rpc_connection);

/* What a connection asks of its server. */
struct hy_rpc_method {
    hy_rpc_method_cb cb;
    void *user;
};
const struct hy_rpc_limits *hy_rpc_server_limits(const struct hy_rpc_server *server);
/* False: unknown or disabled. */
bool hy_rpc_server_find(
    const struct hy_rpc_server *server, const char *name, struct hy_rpc_method *ret_method);
void hy_rpc_server_forget(struct hy_rpc_server *server, struct hy_rpc_connection *connection);

/* Takes the stream, also on error. Errors: NOMEM. */
enum hypha_err hy_rpc_connection_create(struct hy_rpc_server *server, struct hypha_loop *loop,
    struct hy_stream *stream, bool refused, struct hy_rpc_connection **ret_connection);
/* Close, cancel its calls, forget it at the server; freed as soon as that is safe. */
void hy_rpc_connection_close(struct hy_rpc_connection *connection);

#endif
