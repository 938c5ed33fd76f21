/* channel/dispatch.h - which commands a channel knows, and who handles them.
 *
 * Built once per start from the protocols in registration order, then constant and shared by
 * all channels: a channel holds no table of its own. The six core commands are always known;
 * without a protocol they are decoded, metered and dropped. spec: wire.md#24-dispatch */
#ifndef HY_CHANNEL_DISPATCH_H
#define HY_CHANNEL_DISPATCH_H

#include <hypha/protocol.h>

/* A registered protocol: the table and the application's pointer. */
struct hy_registration {
    const struct hypha_protocol *protocol;
    void *app;
    bool early; /* its messages are handled before the handshake is done (version) */
};

/* A command as one session's channels see it. */
struct hy_command {
    const struct hypha_message_type *type;
    uint16_t index;       /* into the channel's meters, dense */
    int16_t protocol;     /* index into the session's attached protocols; -1: drop */
    uint16_t command_len; /* bytes of type->command */
};

/* All for one session. */
struct hy_dispatch_session {
    struct hy_command *commands; /* ordered by length, then bytes */
    size_t command_count;
    struct hy_registration *protocols; /* attached ones, in order */
    size_t protocol_count;
    uint64_t meter_limit; /* sum of thresholds (wire.md 4.3) */
};

struct hy_dispatch;

#define HY_MAX_PROTOCOLS 64
#define HY_MAX_COMMANDS  256

/* Is the table usable: named commands of 1 to 255 bytes of UTF-8, structs that fit, functions
 * present? Errors: INVALID. */
enum hypha_err hy_dispatch_check(const struct hypha_protocol *protocol);

/* Refine sessions get only `early` protocols, whatever the masks say (wire.md 5.2).
 * Errors: NOMEM, EXISTS (two protocols of one session have the same command), LIMIT. */
enum hypha_err hy_dispatch_create(
    const struct hy_registration *registrations, size_t count, struct hy_dispatch **ret_dispatch);
struct hy_dispatch *hy_dispatch_ref(struct hy_dispatch *dispatch);
void hy_dispatch_unref(struct hy_dispatch *dispatch);
const struct hy_dispatch_session *hy_dispatch_session(
    const struct hy_dispatch *dispatch, enum hypha_session session);
/* NULL: unknown. Compares the bytes. */
const struct hy_command *hy_dispatch_find(
    const struct hy_dispatch_session *session, struct hypha_span command);
const struct hy_command *hy_dispatch_find_type(
    const struct hy_dispatch_session *session, const struct hypha_message_type *type);

#endif
