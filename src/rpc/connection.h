/* rpc/connection.h - one client of the server.
 *
 *   state     event                          next
 *   OPENING   stream ready (TLS done)        OPEN      read
 *   OPENING   10 s, end                      GONE
 *   OPEN      request                        OPEN      call the method
 *   OPEN      half-close                     DRAINING  the last line counts; answer what came
 *   OPEN      refused: too long, too many,   DRAINING  told so after what came before; what
 *             no HTTP, three wrong tokens              follows is dropped
 *   OPEN      HTTP: "Connection: close"      DRAINING  what follows is dropped
 *   OPEN      HTTP: events are asked for     STREAM    what follows is dropped
 *   OPEN      no token for 30 s              GONE      if there is one to be known
 *   STREAM    half-close                     DRAINING
 *   DRAINING  all answered and sent          GONE      LINGER if it was refused
 *   DRAINING  30 s                           GONE      not after "Connection: close"
 *   LINGER    half-close, 1 s                GONE      (so that nothing sent is cut off)
 *   any       error, server stop             GONE      calls are cancelled
 *
 * Subscriptions end with the half-close: a client that hung up looks the same.
 *
 * spec: apps.md 2.2 */
#ifndef HY_RPC_CONNECTION_H
#define HY_RPC_CONNECTION_H

#include "rpc/http.h"
#include "rpc/server.h"
#include "rpc/subscription.h"
#include "transport/transport.h"

enum hy_rpc_connection_state {
    HY_RPC_OPENING,
    HY_RPC_OPEN,
    HY_RPC_STREAM,
    HY_RPC_DRAINING,
    HY_RPC_LINGER,
    HY_RPC_GONE,
};

/* What goes out when a call's turn has come. */
enum hy_rpc_answer {
    HY_RPC_ANSWER_REPLY,
    HY_RPC_ANSWER_NONE,     /* a subscription */
    HY_RPC_ANSWER_STREAM,   /* HTTP: one by server-sent events */
    HY_RPC_ANSWER_CONTINUE, /* HTTP: no call at all, "100 Continue" */
};

struct hy_rpc_call {
    struct hy_rpc_connection *connection; /* NULL: gone, while in its method */
    uint64_t client;
    struct hy_rpc_id id;
    const char *method; /* borrowed, in its method only */
    bool in_method;
    bool answered;
    enum hy_rpc_answer answer;
    bool event_stream;              /* HTTP: accepted, should it become a subscription */
    bool last;                      /* HTTP: the connection is closed after it */
    enum hy_rpc_http_status status; /* HTTP: of a refusal; 0: what belongs to the code */
    int code;                       /* HY_RPC_OK: result */
    char *message;                  /* of an error; NULL: the code's own */
    json_t *result;
    hy_rpc_cancel_cb on_cancel;
    void *user;
    TAILQ_ENTRY(hy_rpc_call) entry;
};
TAILQ_HEAD(hy_rpc_call_list, hy_rpc_call);

struct hy_rpc_connection {
    struct hy_rpc_server *server;
    struct hypha_loop *loop;
    struct hy_stream *stream;
    uint64_t client;
    enum hy_rpc_connection_state state;
    bool refused;    /* one too many: told so as soon as it is open */
    bool ended;      /* the client sends no more */
    bool lingers;    /* once drained */
    bool authorised; /* knows the token, or there is none */
    unsigned wrong_tokens;
    bool http;
    bool streams; /* HTTP: the head of the events is out */
    struct hy_rpc_lines in;
    struct hy_rpc_http http_in;         /* instead of `in` */
    struct hy_rpc_http_head http_asked; /* HTTP: the flags of the head whose body is awaited */
    struct hy_rpc_buffer out;
    uint64_t born_ms;
    uint64_t moved_ms; /* when the client last took some of `out`; 0: it has taken all */
    struct hy_rpc_call_list calls; /* in the order of the requests */
    size_t call_count;
    struct hy_rpc_subscription_list subscriptions;
    size_t subscription_count;
    uint64_t notice_order;
    struct hy_timer deadline;
    struct hy_defer pump; /* a call was answered, a notice queued outside of the pump */
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
/* NULL: none is asked for. */
const char *hy_rpc_server_token(const struct hy_rpc_server *server);
bool hy_rpc_server_is_http(const struct hy_rpc_server *server);
struct hy_rpc_http_rules hy_rpc_server_http_rules(const struct hy_rpc_server *server);
void hy_rpc_server_forget(struct hy_rpc_server *server, struct hy_rpc_connection *connection);
/* Tell who asked to be told. */
void hy_rpc_server_client_gone(struct hy_rpc_server *server, uint64_t client);

/* Takes the stream, also on error. Errors: NOMEM. */
enum hypha_err hy_rpc_connection_create(struct hy_rpc_server *server, struct hypha_loop *loop,
    struct hy_stream *stream, uint64_t client, bool refused,
    struct hy_rpc_connection **ret_connection);
/* Close, cancel its calls, end its subscriptions, forget it at the server; freed as soon as
 * that is safe. */
void hy_rpc_connection_close(struct hy_rpc_connection *connection);
/* How long there is something to send and the client takes nothing, or how long it has not come
 * through TLS or shown the token; 0: it is alive. */
uint64_t hy_rpc_connection_stalled_ms(const struct hy_rpc_connection *connection);
/* There is something to send: before the turn ends. */
void hy_rpc_connection_wake(struct hy_rpc_connection *connection);

/* call.c. Last in the queue of its connection. NULL: no memory. */
struct hy_rpc_call *hy_rpc_call_create(struct hy_rpc_connection *connection);
/* Tells nobody. */
void hy_rpc_call_destroy(struct hy_rpc_call *call);

#define HY_RPC_DRAINING_MS 30000U

/* request.c: what comes in. */
void hy_rpc_connection_set_limits(struct hy_rpc_connection *connection);
enum hy_rpc_took { HY_RPC_TOOK_NONE, HY_RPC_TOOK_ONE, HY_RPC_TOOK_NO_MEMORY };
enum hypha_err hy_rpc_connection_feed(
    struct hy_rpc_connection *connection, struct hypha_span bytes);
/* The next request becomes a call. */
enum hy_rpc_took hy_rpc_connection_take(struct hy_rpc_connection *connection);
/* Nothing is left of what came in. */
bool hy_rpc_connection_took_all(const struct hy_rpc_connection *connection);
void hy_rpc_connection_drop_input(struct hy_rpc_connection *connection);
/* Tell the client, in its turn, what is wrong with it; drop what else it sends. */
enum hy_rpc_took hy_rpc_connection_refuse(struct hy_rpc_connection *connection, struct hy_rpc_id id,
    enum hy_rpc_http_status status, int code, const char *message);

#endif
