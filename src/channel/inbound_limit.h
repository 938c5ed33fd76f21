/* channel/inbound_limit.h - how many sockets one network may have here, and how fast they come.
 *
 * Two at a time per IPv4 address or IPv6 /64, one new one a second per network group after a burst
 * of eight. Exempt: localnet, peers that come through this machine itself (a loopback proxy such
 * as tor's, for which all strangers look alike), and sockets without an IP.
 *
 * A socket that is let in holds a ticket, from accept to the end of its channel. Memory: a block
 * per address that is here, and at most HY_INBOUND_MAX_GROUPS groups, the ones seen last.
 * spec: network.md#10-weaknesses-and-beyond-the-reference */
#ifndef HY_CHANNEL_INBOUND_LIMIT_H
#define HY_CHANNEL_INBOUND_LIMIT_H

#include "loop/loop.h"
#include <hypha/err.h>
#include <hypha/url.h>

#define HY_INBOUND_PER_BLOCK   2
#define HY_INBOUND_BURST       8
#define HY_INBOUND_INTERVAL_MS 1000
#define HY_INBOUND_MAX_GROUPS  4096

struct hy_inbound_limit;
struct hy_inbound_block;

/* Zeroed: none, or of an exempt peer. Moved by copying; one of the copies is released. */
struct hy_inbound_ticket {
    struct hy_inbound_limit *limit;
    struct hy_inbound_block *block;
};

/* Errors: NOMEM. */
enum hypha_err hy_inbound_limit_create(
    struct hypha_loop *loop, struct hy_inbound_limit **ret_limit);
/* All tickets are back. NULL does nothing. */
void hy_inbound_limit_destroy(struct hy_inbound_limit *limit);

/* Let this peer in? One that its address keeps out costs its group nothing.
 * Errors: LIMIT; NOMEM. */
enum hypha_err hy_inbound_limit_take(struct hy_inbound_limit *limit, const struct hypha_url *peer,
    bool localnet, struct hy_inbound_ticket *ret_ticket);
/* Any number of times. */
void hy_inbound_ticket_release(struct hy_inbound_ticket *ticket);

/* The peer's address as the limits see it: an IPv4 address, an IPv6 /64, else the host's name. */
#define HY_INBOUND_BLOCK_BYTES 256
const char *hy_inbound_block_name(const struct hypha_url *peer, char into[HY_INBOUND_BLOCK_BYTES]);
/* How many groups are remembered. For tests. */
size_t hy_inbound_limit_groups(const struct hy_inbound_limit *limit);

#endif
