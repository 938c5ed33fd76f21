/* wire/message.c - the table of the six core messages. spec: wire.md 3.1 */
#include "wire/core.h"

#define METERED(threshold_)                                                                        \
    {                                                                                              \
        1, (threshold_), 1000, 10000                                                               \
    } /* score, step ms, expiry ms */

const struct hypha_message_type hy_core_messages[HY_CORE_MESSAGES] = {
    [HY_MESSAGE_VERSION] = {
        .command = "version",
        .max_bytes = HY_VERSION_MAX_BYTES,
        .metering = METERED(4),
        .struct_bytes = sizeof(struct hy_version),
        .read = hy_version_read,
        .write = hy_version_write,
    },
    [HY_MESSAGE_VERACK] = {
        .command = "verack",
        .max_bytes = HY_VERACK_MAX_BYTES,
        .metering = METERED(4),
        .struct_bytes = sizeof(struct hy_verack),
        .read = hy_verack_read,
        .write = hy_verack_write,
    },
    [HY_MESSAGE_PING] = {
        .command = "ping",
        .max_bytes = 2,
        .metering = METERED(4),
        .struct_bytes = sizeof(struct hy_ping),
        .read = hy_ping_read,
        .write = hy_ping_write,
    },
    [HY_MESSAGE_PONG] = {
        .command = "pong",
        .max_bytes = 2,
        .metering = METERED(4),
        .struct_bytes = sizeof(struct hy_ping),
        .read = hy_ping_read,
        .write = hy_ping_write,
    },
    [HY_MESSAGE_GETADDR] = {
        .command = "getaddr",
        .max_bytes = HY_GETADDR_MAX_BYTES,
        .metering = METERED(6),
        .struct_bytes = sizeof(struct hy_getaddr),
        .read = hy_getaddr_read,
        .write = hy_getaddr_write,
    },
    [HY_MESSAGE_ADDR] = {
        .command = "addr",
        .max_bytes = HY_ADDR_MAX_BYTES,
        .metering = METERED(6),
        .struct_bytes = sizeof(struct hy_addr),
        .read = hy_addr_read,
        .write = hy_addr_write,
    },
};

_Static_assert(sizeof(struct hy_version) <= HYPHA_MAX_MESSAGE_STRUCT_BYTES, "too large to read");
