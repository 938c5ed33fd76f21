/* base/span.c - is it UTF-8, and how to show it if not. */
#include "base/span.h"

#include <stdio.h>

/* The length of the well-formed sequence at the front; 0 if there is none.
 * Unicode 15, table 3-7. */
static size_t utf8_sequence(struct hypha_span text)
{
    const uint8_t *at = text.at;
    uint8_t low = 0x80, high = 0xbf;
    size_t need;

    if (at[0] < 0x80)
        return 1;
    if (at[0] >= 0xc2 && at[0] <= 0xdf)
        need = 2;
    else if (at[0] >= 0xe0 && at[0] <= 0xef)
        need = 3;
    else if (at[0] >= 0xf0 && at[0] <= 0xf4)
        need = 4;
    else
        return 0;
    if (at[0] == 0xe0)
        low = 0xa0;
    else if (at[0] == 0xed)
        high = 0x9f;
    else if (at[0] == 0xf0)
        low = 0x90;
    else if (at[0] == 0xf4)
        high = 0x8f;
    if (text.len < need || at[1] < low || at[1] > high)
        return 0;
    for (size_t i = 2; i < need; i++)
        if (at[i] < 0x80 || at[i] > 0xbf)
            return 0;
    return need;
}

bool hy_span_is_utf8(struct hypha_span text)
{
    while (text.len > 0) {
        size_t step = utf8_sequence(text);

        if (step == 0)
            return false;
        text.at += step;
        text.len -= step;
    }
    return true;
}

char *hy_span_escape(struct hypha_span text, char *into, size_t size)
{
    size_t used = 0;

    while (text.len > 0 && size > 0) {
        size_t step = utf8_sequence(text);
        char shown[8];
        size_t len;

        /* C1 controls (U+0080..U+009F) steer terminals too. */
        bool control = text.at[0] < 0x20 || text.at[0] == 0x7f || text.at[0] == '\\' ||
            (step == 2 && text.at[0] == 0xc2 && text.at[1] < 0xa0);
        if (step == 0 || control) {
            step = 1;
            len = (size_t)snprintf(shown, sizeof shown,
                text.at[0] == '\n'       ? "\\n"
                    : text.at[0] == '\t' ? "\\t"
                    : text.at[0] == '\\' ? "\\\\"
                                         : "\\x%02x",
                (unsigned)text.at[0]);
        } else {
            len = step;
            memcpy(shown, text.at, step);
        }
        if (used + len + 1 > size)
            break;
        memcpy(into + used, shown, len);
        used += len;
        text.at += step;
        text.len -= step;
    }
    if (size > 0)
        into[used] = '\0';
    return into;
}
