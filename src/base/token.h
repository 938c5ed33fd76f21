/* base/token.h - access tokens: what may be one, and how one is compared. */
#ifndef HY_BASE_TOKEN_H
#define HY_BASE_TOKEN_H

#include <hypha/wire.h>
#include <stdbool.h>

#define HY_TOKEN_MIN_BYTES 16
#define HY_TOKEN_MAX_BYTES 1024

/* Printable ASCII without blanks, of such a length. */
bool hy_token_is_valid(const char *text);
/* The same bytes, in a time that tells only the length. */
bool hy_token_equal(const char *token, struct hypha_span given);

#endif
