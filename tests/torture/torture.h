/* torture.h - run a life again and again, each time with another request for memory refused. */
#ifndef HY_TESTS_TORTURE_TORTURE_H
#define HY_TESTS_TORTURE_TORTURE_H

#include "base/alloc.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
/* cmocka wants the above first */
#include <cmocka.h>

#if defined(__has_feature)
#if __has_feature(address_sanitizer)
#define __SANITIZE_ADDRESS__ 1
#endif
#endif
#ifdef __SANITIZE_ADDRESS__
size_t __sanitizer_get_current_allocated_bytes(void); /* its header is not everywhere */
#endif

enum torture_mode {
    TORTURE_AFTER, /* the nth request and all after it */
    TORTURE_ONCE,  /* the nth request alone */
};

/* What is allocated now, to the byte. 0: nobody knows (the C library counts its caches as used;
 * valgrind looks itself). */
static inline size_t torture_live_bytes(void)
{
#ifdef __SANITIZE_ADDRESS__
    return __sanitizer_get_current_allocated_bytes();
#else
    return 0;
#endif
}

/* Memory fails from here on; `count` requests are left. */
static inline void torture_begin(enum torture_mode mode, size_t count)
{
    if (mode == TORTURE_ONCE)
        hy_alloc_fail_once(count);
    else
        hy_alloc_fail_after(count);
}

/* Memory is back for good. Returns how many requests there were. */
static inline size_t torture_end(void)
{
    size_t count = hy_alloc_count();

    hy_alloc_fail_after(SIZE_MAX);
    return count;
}

/* Every nth request by hand: $HYPHA_TORTURE_STRIDE; else so that at most `lives` are lived. */
static inline size_t torture_stride(size_t requests, size_t lives)
{
    const char *wish = getenv("HYPHA_TORTURE_STRIDE");

#ifdef __SANITIZE_ADDRESS__
    lives /= 5; /* they take so much longer */
#endif
    if (wish != NULL && atoi(wish) > 0)
        return (size_t)atoi(wish);
    return requests / lives + 1;
}

/* Live once undisturbed, then with failures over the whole range, in each life another one.
 *  live   asserts what must hold; returns how many requests for memory it made
 *  lives  about how many of them there is time for */
static inline void torture(
    size_t (*live)(enum torture_mode mode, size_t count), enum torture_mode mode, size_t lives)
{
    (void)live(mode, SIZE_MAX); /* whatever is made once per process */
    size_t requests = live(mode, SIZE_MAX);
    size_t stride = torture_stride(requests, lives);

    print_message("%zu requests, one in %zu fails\n", requests, stride);
    for (size_t n = 0; n < requests; n += stride) {
        size_t before = torture_live_bytes();

        (void)live(mode, n);
        size_t after = torture_live_bytes();
        if (after != before)
            fail_msg("request %zu: %zu bytes before, %zu after", n, before, after);
    }
}

#endif
