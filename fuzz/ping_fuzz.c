#include "message.h"

static void rewrite(struct hypha_writer *w, const void *message)
{
    hy_core_messages[HY_MESSAGE_PING].write(w, message);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    fuzz_message(HY_MESSAGE_PING, data, size, rewrite, true);
    return 0;
}
