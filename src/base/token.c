/* token.c - see token.h. */
#include "base/token.h"

#include <string.h>

bool hy_token_is_valid(const char *text)
{
    size_t len = strlen(text);

    for (const char *at = text; *at != '\0'; at++)
        if (*at < '!' || *at > '~')
            return false;
    return len >= HY_TOKEN_MIN_BYTES && len <= HY_TOKEN_MAX_BYTES;
}

bool hy_token_equal(const char *token, struct hypha_span given)
{
    volatile uint8_t differs = 0;

    if (given.len != strlen(token))
        return false;
    for (size_t i = 0; i < given.len; i++)
        differs = (uint8_t)(differs | (uint8_t)(given.at[i] ^ (uint8_t)token[i]));
    return differs == 0;
}
