#include "vectors/bytes.h"

#include "base/span.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

static int hex_digit(char digit)
{
    static const char digits[] = "0123456789abcdef";
    const char *at = digit == '\0' ? NULL : strchr(digits, digit);

    return at == NULL ? -1 : (int)(at - digits);
}

void test_put_hex(struct hypha_writer *w, const char *hex)
{
    for (; hex[0] != '\0'; hex += 2) {
        int high = hex_digit(hex[0]), low = hex_digit(hex[1]);

        if (high < 0 || low < 0) {
            hypha_writer_fail(w, HYPHA_ERR_MALFORMED);
            return;
        }
        hypha_writer_put_u8(w, (uint8_t)(high << 4 | low));
    }
}

char *test_read_data(const char *name)
{
    char path[512];
    char *text = NULL;
    FILE *file;
    long size;

    (void)snprintf(path, sizeof path, "%s/tests/vectors/data/%s", HYPHA_SOURCE_DIR, name);
    file = fopen(path, "rb");
    if (file == NULL)
        return NULL;
    if (fseek(file, 0, SEEK_END) == 0 && (size = ftell(file)) >= 0 &&
        fseek(file, 0, SEEK_SET) == 0 && (text = malloc((size_t)size + 1)) != NULL) {
        text[fread(text, 1, (size_t)size, file)] = '\0';
    }
    (void)fclose(file);
    return text;
}

void test_assert_bytes(const char *what, struct hypha_span got, struct hypha_span wanted)
{
    char shown[2][2 * 64 + 1];
    const struct hypha_span spans[2] = { got, wanted };
    size_t same = 0;

    if (hy_span_equal(got, wanted))
        return;
    while (same < got.len && same < wanted.len && got.at[same] == wanted.at[same])
        same++;
    for (size_t s = 0; s < 2; s++) {
        shown[s][0] = '\0';
        for (size_t i = 0; i < 64 && same + i < spans[s].len; i++)
            (void)snprintf(shown[s] + 2 * i, 3, "%02x", (unsigned)spans[s].at[same + i]);
    }
    fail_msg("%s: %zu bytes instead of %zu; from byte %zu on %s instead of %s", what, got.len,
        wanted.len, same, shown[0], shown[1]);
}
