/* daemon/http_internal.h - the inside of the HTTP server, shared by the http*.c files.
 *
 * http.c listens, turns libmicrohttpd and bounds connections; http_request.c judges and answers
 * requests; http_stream.c sends events. */
#ifndef HY_DAEMON_HTTP_INTERNAL_H
#define HY_DAEMON_HTTP_INTERNAL_H

#include "base/ip.h"
#include "daemon/http.h"
#include <microhttpd.h>
#include <sys/queue.h>

/* What a connection does; each has its own patience (http.c). */
enum hy_http_phase { HY_HTTP_WAITING, HY_HTTP_ANSWERING, HY_HTTP_STREAMING };

struct hy_http_connection {
    struct hy_http *http;
    int fd; /* borrowed of libmicrohttpd */
    enum hy_http_phase phase;
    uint64_t since_ms; /* of the phase */
    TAILQ_ENTRY(hy_http_connection) entry;
};

TAILQ_HEAD(hy_http_connections, hy_http_connection);
LIST_HEAD(hy_http_streams, hy_http_stream);

struct hy_http {
    struct hypha_loop *loop;
    struct MHD_Daemon *mhd;
    struct hy_poll *poll;
    struct hy_timer timer; /* libmicrohttpd wants to be run again */
    struct hy_defer defer; /* the same, at the end of this turn */
    struct hy_timer sweep; /* cuts off who is too slow */
    struct hy_ip ip;       /* listened on */
    uint16_t port;
    char url[80];
    char *token; /* NULL: none */
    bool check_host;
    bool stopping;
    /* Patience: for a whole request; for reading a whole answer; for a stream's client to read
     * anything. Tests have less. */
    uint64_t request_ms, answer_ms, stream_ms;
    hy_http_handler_cb handler;
    void *user;
    struct hy_http_connections connections; /* the longest in its phase first */
    size_t connection_count;
    struct hy_http_streams streams;
    size_t stream_count;
};

struct hy_http_request {
    struct hy_http *http;
    struct hy_http_connection *connection;
    struct MHD_Connection *mhd;
    const char *path;
    const char *policy;
    bool answered;
    enum MHD_Result result; /* NO: close the connection */
};

/* Run libmicrohttpd at the end of this turn. */
void hy_http_wake(struct hy_http *http);
void hy_http_set_phase(struct hy_http_connection *connection, enum hy_http_phase phase);

/* libmicrohttpd's access handler; cls: struct hy_http. */
enum MHD_Result hy_http_on_request(void *cls, struct MHD_Connection *mhd, const char *path,
    const char *method, const char *version, const char *upload, size_t *upload_len, void **state);
/* Takes the response over; NULL (no memory) closes the connection. */
void hy_http_queue(struct hy_http_request *request, unsigned status, const char *content_type,
    struct MHD_Response *response);

/* End all streams soon, or before libmicrohttpd is stopped. */
void hy_http_end_streams(struct hy_http *http);
/* Let go of clients that hung up, or read nothing. */
void hy_http_sweep_streams(struct hy_http *http);
/* libmicrohttpd will read the end, and close it. */
void hy_http_cut_off(const struct hy_http_connection *connection);

#endif
