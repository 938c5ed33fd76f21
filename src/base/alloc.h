/* base/alloc.h - memory that may be refused.
 *
 * All of the library's own memory comes from here, so that a test can make the nth request
 * fail. A refused request is an error like others: it ends that call or channel. */
#ifndef HY_BASE_ALLOC_H
#define HY_BASE_ALLOC_H

#include <stddef.h>
#include <stdint.h>

/* Zeroed memory, or NULL. size 0 gives memory of one byte. */
void *hy_alloc(size_t size);
/* Zeroed memory for count elements; NULL also when the product overflows. */
void *hy_alloc_array(size_t count, size_t size);
/* As realloc(): new bytes are not zeroed, the old block stays on failure. */
void *hy_realloc(void *block, size_t size);
/* NULL does nothing. */
void hy_free(void *block);
char *hy_strdup(const char *text);
char *hy_strndup(const char *text, size_t len);

/* Tests: let `count` more requests succeed, then fail every one until told otherwise.
 * SIZE_MAX (the start): never fail. */
void hy_alloc_fail_after(size_t count);
/* Tests: let `count` more requests succeed and fail one; then memory is back. */
void hy_alloc_fail_once(size_t count);
/* Tests: how many requests were made since the last hy_alloc_fail_...(). */
size_t hy_alloc_count(void);

#endif
