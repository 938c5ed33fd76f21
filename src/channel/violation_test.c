#include "channel/channel.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

static const enum hypha_session sessions[] = { HYPHA_SESSION_INBOUND, HYPHA_SESSION_OUTBOUND,
    HYPHA_SESSION_MANUAL, HYPHA_SESSION_SEED, HYPHA_SESSION_REFINE, HYPHA_SESSION_DIRECT };

/* spec: wire.md 2.2, the table, with the EOF cases of section 8. For each session in the order
 * above: '-' closed, 'B' closed and banned, 's' skipped, 'o' read on at once. */
static const struct {
    enum hypha_err what;
    const char *strict;
    const char *relaxed;
} table[] = {
    { HYPHA_ERR_EOF_IN_FRAME, "------", "------" },
    { HYPHA_ERR_EOF, "------", "------" },
    { HYPHA_ERR_RESET, "------", "------" },
    { HYPHA_ERR_MAGIC, "-B----", "------" },
    { HYPHA_ERR_COMMAND_TEXT, "------", "------" },
    { HYPHA_ERR_COMMAND_LENGTH, "BBBBBB", "------" },
    { HYPHA_ERR_COMMAND_UNKNOWN, "BBBBsB", "----s-" },
    { HYPHA_ERR_PAYLOAD_PREFIX, "BBBBoB", "----o-" },
    { HYPHA_ERR_PAYLOAD_LENGTH, "BBBBsB", "----s-" },
    { HYPHA_ERR_PAYLOAD, "BBBBsB", "----s-" },
    { HYPHA_ERR_METERING, "BBBBsB", "----s-" },
    { HYPHA_ERR_PAYLOAD_UNLIMITED, "------", "------" },
    { HYPHA_ERR_VERSION, "-B----", "------" },
    { HYPHA_ERR_HANDSHAKE_TIMEOUT, "------", "------" },
    { HYPHA_ERR_PING_TIMEOUT, "------", "------" },
    { HYPHA_ERR_PONG_NONCE, "------", "------" },
    { HYPHA_ERR_SELF, "------", "------" },
};

static char outcome(struct hy_violation verdict)
{
    if (verdict.close)
        return verdict.ban ? 'B' : '-';
    assert_false(verdict.ban);
    return verdict.skip ? 's' : 'o';
}

static void every_rule_session_and_policy(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof table / sizeof table[0]; i++)
        for (size_t s = 0; s < sizeof sessions / sizeof sessions[0]; s++) {
            char strict = outcome(hy_violation_judge(table[i].what, sessions[s], false));
            char relaxed = outcome(hy_violation_judge(table[i].what, sessions[s], true));

            if (strict != table[i].strict[s] || relaxed != table[i].relaxed[s])
                fail_msg("%s on %s: strict %c, relaxed %c", hypha_err_name(table[i].what),
                    hypha_session_name(sessions[s]), strict, relaxed);
        }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_rule_session_and_policy),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
