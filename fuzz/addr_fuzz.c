#include "message.h"

static void rewrite(struct hypha_writer *w, const void *message)
{
    const struct hy_addr *addr = message;
    struct hypha_span rest = addr->entries;
    struct hy_addr_entry *entries = calloc(addr->count + 1, sizeof *entries);
    struct hy_addr_out out = { entries, 0 };
    struct hypha_url *url;
    enum hypha_err err;
    uint64_t last_seen;

    FUZZ_CHECK(entries != NULL);
    while (hy_addr_next(&rest, &url, &last_seen, &err))
        entries[out.count++] = (struct hy_addr_entry){ url, last_seen };
    FUZZ_CHECK(err == HYPHA_OK && out.count == addr->count);
    hy_core_messages[HY_MESSAGE_ADDR].write(w, &out);
    FUZZ_CHECK(w->err == HYPHA_OK);
    for (size_t i = 0; i < out.count; i++)
        hypha_url_unref((struct hypha_url *)entries[i].url);
    free(entries);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    fuzz_message(HY_MESSAGE_ADDR, data, size, rewrite, false);
    return 0;
}
