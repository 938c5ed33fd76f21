/* protocol_registry.c - the core protocols in the order of their attachment. */
#include "protocol/protocol.h"

size_t hy_core_registrations(struct hy_core *core, struct hy_registration into[4])
{
    into[0] = (struct hy_registration){ &hy_protocol_version, core, true };
    into[1] = (struct hy_registration){ &hy_protocol_ping, core, false };
    into[2] = (struct hy_registration){ &hy_protocol_address, core, false };
    into[3] = (struct hy_registration){ &hy_protocol_seed, core, false };
    return 4;
}
