/* dchat.h - the chat client's one connection, shared by its files.
 *
 *   dchat.c          the command line, send, recv, info, ping
 *   dchat_follow.c   recv -f, tail
 *   dchat_dnet.c     dnet
 *   dchat_show.c     texts of others on a terminal
 */
#ifndef DCHAT_H
#define DCHAT_H

#include "rpc/client.h"
#include <hypha/api.h>
#include <stdbool.h>

enum exit_status { EXIT_OK = 0, EXIT_REFUSED = 1, EXIT_USAGE = 2, EXIT_UNREACHABLE = 3 };

struct dchat_client {
    struct hypha_loop *loop;
    const char *endpoint;
    const char *token; /* NULL: none */
    struct hy_rpc_client *rpc;
    bool json; /* raw output */
    /* the reply of the call under way */
    enum hypha_err err;
    json_t *result; /* owned; NULL: an error object came */
    int code;
    char *message;
    char *line;
};

/* On stderr. Returns the status. */
int complain(enum exit_status status, const char *format, ...) HYPHA_PRINTF(2, 3);
/* Ask and wait. params: taken over. EXIT_OK: client->result is there. */
int ask(struct dchat_client *client, const char *method, json_t *params, uint32_t timeout_ms);
/* What an error object said; message: copied, may be NULL. */
void note_error(struct dchat_client *client, int code, const char *message);
/* Say on stderr what ask() came to; returns its status. */
int judge(const struct dchat_client *client, int status);
int odd_reply(const struct dchat_client *client);
/* Does the daemon know more than the reference's? */
int find_out(struct dchat_client *client, bool *ret_ours);
bool show_text(const json_t *text);
/* Texts of recv [] from number `from` on; ret_count: how many there are. */
bool show_texts(
    const struct dchat_client *client, const json_t *texts, size_t from, size_t *ret_count);

/* From now on, until the connection ends. full: with time and sender, after the last ones. */
int follow(struct dchat_client *client, bool full);
/* The node's events. */
int watch_events(struct dchat_client *client);

#endif
