/* base/alloc.c - the C library's allocator, with a counter that can say no. */
#include "base/alloc.h"

#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

/* Atomic because the resolver's threads allocate too. */
static atomic_size_t fail_from = SIZE_MAX;  /* the first request that is refused */
static atomic_size_t fail_until = SIZE_MAX; /* the first one after it that is not */
static atomic_size_t requests;

static int refused(void)
{
    size_t request = atomic_fetch_add(&requests, 1);

    return request >= atomic_load(&fail_from) && request < atomic_load(&fail_until);
}

void *hy_alloc(size_t size)
{
    return refused() ? NULL : calloc(1, size > 0 ? size : 1);
}

void *hy_alloc_array(size_t count, size_t size)
{
    if (refused() || (size > 0 && count > SIZE_MAX / size))
        return NULL;
    return count == 0 || size == 0 ? calloc(1, 1) : calloc(count, size);
}

void *hy_realloc(void *block, size_t size)
{
    return refused() ? NULL : realloc(block, size > 0 ? size : 1);
}

void hy_free(void *block)
{
    free(block);
}

char *hy_strdup(const char *text)
{
    return hy_strndup(text, strlen(text));
}

char *hy_strndup(const char *text, size_t len)
{
    char *copy = hy_alloc(len + 1);

    if (copy != NULL && len > 0)
        memcpy(copy, text, len);
    return copy;
}

static void fail_between(size_t from, size_t until)
{
    atomic_store(&requests, 0);
    atomic_store(&fail_from, from);
    atomic_store(&fail_until, until);
}

void hy_alloc_fail_after(size_t count)
{
    fail_between(count, SIZE_MAX);
}

void hy_alloc_fail_once(size_t count)
{
    fail_between(count, count + 1);
}

size_t hy_alloc_count(void)
{
    return atomic_load(&requests);
}
