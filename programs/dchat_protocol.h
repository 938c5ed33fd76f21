/* dchat_protocol.h - dchat on the wire: one command, one text. spec: apps.md 3 */
#ifndef DCHAT_PROTOCOL_H
#define DCHAT_PROTOCOL_H

#include <hypha/hypha.h>

/* The application's half; `user` is its own. */
struct dchat {
    void (*on_joined)(struct hypha_channel *channel, void *user);
    void (*on_left)(struct hypha_channel *channel, enum hypha_err why, void *user);
    /* text: UTF-8 as the peer sent it, valid during the call. */
    void (*on_text)(struct hypha_channel *channel, struct hypha_span text, void *user);
    void *user;
};

/* Register it with a struct dchat. */
extern const struct hypha_protocol dchat_protocol;

/* Send to every peer, once: a peer to whom two channels lead gets it over the one we dialled.
 *  ret_peers  to how many it was addressed; ret_sent: how many channels took it
 *  Errors: those of hypha_p2p_broadcast(). */
enum hypha_err dchat_send(
    struct hypha_p2p *p2p, struct hypha_span text, size_t *ret_peers, size_t *ret_sent);

#endif
