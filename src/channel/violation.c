/* violation.c - what each broken rule costs: the table of wire.md 2.2 as amended by section 8. */
#include "channel/channel.h"

enum ban { BAN_NEVER, BAN_OUTBOUND, BAN_ALWAYS };

/* Refine channels go on reading after a mistake in a message that they don't need: `skip`
 * behind its payload, `on` with the very next byte. */
enum refine { REFINE_CLOSE, REFINE_SKIP, REFINE_ON };

static const struct {
    enum hypha_err what;
    enum ban ban;
    enum refine refine;
} rules[] = {
    { HYPHA_ERR_MAGIC, BAN_OUTBOUND, REFINE_CLOSE },
    { HYPHA_ERR_COMMAND_TEXT, BAN_NEVER, REFINE_CLOSE },
    { HYPHA_ERR_COMMAND_LENGTH, BAN_ALWAYS, REFINE_CLOSE },
    { HYPHA_ERR_COMMAND_UNKNOWN, BAN_ALWAYS, REFINE_SKIP },
    { HYPHA_ERR_PAYLOAD_PREFIX, BAN_ALWAYS, REFINE_ON },
    { HYPHA_ERR_PAYLOAD_LENGTH, BAN_ALWAYS, REFINE_SKIP },
    { HYPHA_ERR_PAYLOAD, BAN_ALWAYS, REFINE_SKIP },
    { HYPHA_ERR_METERING, BAN_ALWAYS, REFINE_SKIP },
    { HYPHA_ERR_PAYLOAD_UNLIMITED, BAN_NEVER, REFINE_CLOSE },
    { HYPHA_ERR_VERSION, BAN_OUTBOUND, REFINE_CLOSE },
};

struct hy_violation hy_violation_judge(
    enum hypha_err what, enum hypha_session session, bool relaxed)
{
    /* Everything else: timeouts, a wrong nonce, an end inside a frame, ourselves. */
    struct hy_violation verdict = { .close = true };

    for (size_t i = 0; i < sizeof rules / sizeof rules[0]; i++) {
        if (rules[i].what != what)
            continue;
        if (session == HYPHA_SESSION_REFINE && rules[i].refine != REFINE_CLOSE)
            return (struct hy_violation){ .skip = rules[i].refine == REFINE_SKIP };
        verdict.ban = !relaxed &&
            (rules[i].ban == BAN_ALWAYS ||
                (rules[i].ban == BAN_OUTBOUND && session == HYPHA_SESSION_OUTBOUND));
        break;
    }
    return verdict;
}
