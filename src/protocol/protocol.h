/* protocol/protocol.h - the core protocols, as tables like an application's own.
 *
 * Registered in this order before the application's: version (all sessions, early), ping
 * (default and seed), address (default), seed (seed). `app` of each is the node's hy_core. */
#ifndef HY_PROTOCOL_PROTOCOL_H
#define HY_PROTOCOL_PROTOCOL_H

#include "channel/channel.h"

/* What the core protocols need beyond the channel. Filled by the p2p object. */
struct hy_core {
    struct hy_net *net;
    void *user;
    /* Addresses came from a channel: `inserted` are new on grey. Seed nodes probe them. */
    void (*on_addrs)(void *user, struct hypha_channel *channel, size_t inserted);
    /* The seed protocol got its answer; the seedsync session ends the channel. */
    void (*on_seeded)(void *user, struct hypha_channel *channel, size_t inserted);
    /* A getaddr's reply would be empty: may it wait for probes under way? True: the address
     * protocol holds it until hy_address_release() or 1 s. NULL: never. */
    bool (*hold_reply)(void *user);
    LIST_HEAD(, hy_address_state) held;    /* channels with a held reply */
    LIST_HEAD(, hy_version_state) shaking; /* channels in their version exchange */
};

extern const struct hypha_protocol hy_protocol_version;
extern const struct hypha_protocol hy_protocol_ping;
extern const struct hypha_protocol hy_protocol_address;
extern const struct hypha_protocol hy_protocol_seed;

/* Answer every held getaddr now (network.md 7.6). */
void hy_address_release(struct hy_core *core);
/* Ask one channel for addresses (peer discovery, protocols' start). */
enum hypha_err hy_address_ask(struct hypha_channel *channel);
/* The same for so many, whatever the settings say; at most 255. */
enum hypha_err hy_address_ask_for(struct hypha_channel *channel, uint32_t max);

/* The list of core registrations, in order: fills `into` (4 entries). */
size_t hy_core_registrations(struct hy_core *core, struct hy_registration into[4]);

#endif
