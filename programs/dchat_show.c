#include "dchat_show.h"

#include <stdbool.h>
#include <stdint.h>

/* The code point at the front and its length; the text is valid UTF-8. */
static uint32_t code_point(const unsigned char *at, size_t len, size_t *ret_len)
{
    size_t need = at[0] < 0x80 ? 1 : at[0] < 0xe0 ? 2 : at[0] < 0xf0 ? 3 : 4;
    static const unsigned char masks[] = { 0, 0x7f, 0x1f, 0x0f, 0x07 };

    if (need > len)
        need = 1;
    uint32_t code = at[0] & masks[need];
    for (size_t i = 1; i < need; i++)
        code = code << 6 | (at[i] & 0x3fU);
    *ret_len = need;
    return code;
}

static bool is_control(uint32_t code)
{
    return code < 0x20 || (code >= 0x7f && code < 0xa0);
}

/* Line and paragraph separators, marks and overrides of direction. */
static bool is_deceptive(uint32_t code)
{
    return (code >= 0x200e && code <= 0x200f) || (code >= 0x2028 && code <= 0x202e) ||
        (code >= 0x2066 && code <= 0x2069) || code == 0x061c;
}

void dchat_show(FILE *out, const char *text, size_t len)
{
    const unsigned char *at = (const unsigned char *)text;

    while (len > 0) {
        size_t step;
        uint32_t code = code_point(at, len, &step);

        if (code == '\n')
            fputs("\\n", out);
        else if (code == '\r')
            fputs("\\r", out);
        else if (code == '\t')
            fputs("\\t", out);
        else if (is_control(code))
            fprintf(out, "\\x%02x", (unsigned)code);
        else if (is_deceptive(code))
            fprintf(out, "\\u%04x", (unsigned)code);
        else
            fwrite(at, 1, step, out);
        at += step;
        len -= step;
    }
}
