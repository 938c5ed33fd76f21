#include "message.h"

#define MAX_SCHEMES 64U

static void rewrite(struct hypha_writer *w, const void *message)
{
    const struct hy_getaddr *getaddr = message;
    struct hypha_span rest = getaddr->transports, scheme;
    char *schemes[MAX_SCHEMES];
    struct hy_getaddr_out out = { getaddr->max, (const char *const *)schemes, 0 };
    size_t seen = 0;

    for (; hy_getaddr_next(&rest, &scheme); seen++)
        if (out.count < MAX_SCHEMES)
            schemes[out.count++] = fuzz_text(scheme);
    FUZZ_CHECK(seen == getaddr->count);
    hy_core_messages[HY_MESSAGE_GETADDR].write(w, &out);
    FUZZ_CHECK(w->err == HYPHA_OK);
    for (size_t i = 0; i < out.count; i++)
        free(schemes[i]);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    fuzz_message(HY_MESSAGE_GETADDR, data, size, rewrite, false);
    return 0;
}
