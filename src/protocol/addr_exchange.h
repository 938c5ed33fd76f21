/* protocol/addr_exchange.h - what the address and the seed protocol have in common. */
#ifndef HY_PROTOCOL_ADDR_EXCHANGE_H
#define HY_PROTOCOL_ADDR_EXCHANGE_H

#include "protocol/protocol.h"
#include "wire/message.h"

/* One `addr` with our external addresses, last_seen now; nothing if there are none.
 * spec: wire.md#55-address-protocol-default-sessions */
enum hypha_err hy_send_own_addrs(struct hypha_channel *channel);
/* One `getaddr` with our maximum and the schemes that we can dial and pass on. */
enum hypha_err hy_send_getaddr(struct hypha_channel *channel);
/* That maximum; a peer answers with twice as many at most. */
uint32_t hy_getaddr_max(const struct hypha_channel *channel);
enum hypha_err hy_send_getaddr_for(struct hypha_channel *channel, uint32_t max);
/* Filter, store, tell: returns how many were new. */
size_t hy_store_addrs(struct hypha_channel *channel, const struct hy_addr *addr);

#endif
