#include "wire/utf8.h"

#include "base/span.h"

#define HIGH_BITS UINT64_C(0x8080808080808080)

/* Four words at a time: one branch for 32 bytes. */
#define BLOCK_WORDS 4U

static size_t ascii_run(struct hypha_span text)
{
    uint64_t words[BLOCK_WORDS];
    size_t len = 0;

    for (; text.len - len >= sizeof words; len += sizeof words) {
        memcpy(words, text.at + len, sizeof words);
        if (((words[0] | words[1] | words[2] | words[3]) & HIGH_BITS) != 0)
            break;
    }
    for (; text.len - len >= sizeof words[0]; len += sizeof words[0]) {
        memcpy(words, text.at + len, sizeof words[0]);
        if ((words[0] & HIGH_BITS) != 0)
            break;
    }
    while (len < text.len && text.at[len] < 0x80)
        len++;
    return len;
}

/* An ASCII byte is never part of a longer sequence, so runs can be judged one by one. */
bool hy_wire_is_utf8(struct hypha_span text)
{
    for (;;) {
        size_t len = ascii_run(text);

        text = hy_span(text.at + len, text.len - len);
        if (text.len == 0)
            return true;
        for (len = 0; len < text.len && text.at[len] >= 0x80;)
            len++;
        if (!hy_span_is_utf8(hy_span(text.at, len)))
            return false;
        text = hy_span(text.at + len, text.len - len);
    }
}
