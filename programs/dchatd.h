/* dchatd.h - the chat daemon's own state, shared by its two files. */
#ifndef DCHATD_H
#define DCHATD_H

#include "chat_log.h"
#include "daemon/daemon.h"
#include "dchat_protocol.h"

struct recv_wait;
struct chat_listener;

struct dchatd {
    struct hy_daemon *daemon;
    struct hypha_p2p *p2p;
    struct dchat chat;
    struct chat_log log;
    size_t max_message_bytes;             /* of what `send` takes */
    LIST_HEAD(, recv_wait) waits;         /* recv calls that wait for the next message */
    LIST_HEAD(, chat_listener) listeners; /* of dchat.subscribe */
};

/* send, recv, dchat.info, dchat.subscribe. Errors: NOMEM, EXISTS. */
enum hypha_err dchatd_add_methods(struct dchatd *dchatd);
/* This is new in the log: tell who listens, answer who waits for it. */
void dchatd_tell(struct dchatd *dchatd, const struct chat_entry *entry);

#endif
