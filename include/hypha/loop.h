/* hypha/loop.h - the one thread on which nodes live.
 *
 * Several nodes may share a loop. Threads: all calls on the loop's thread, but for
 * hypha_loop_post(), which any thread may call. */
#ifndef HYPHA_LOOP_H
#define HYPHA_LOOP_H

#include <hypha/api.h>
#include <hypha/err.h>
#include <stdint.h>

HYPHA_BEGIN_DECLS

struct hypha_loop;

/** Make a loop. `ret_loop`: the caller's until hypha_loop_destroy(); untouched on error.
 *  Errors: NOMEM, SYSTEM, FILES. */
HYPHA_API HYPHA_CHECKED enum hypha_err hypha_loop_create(struct hypha_loop **ret_loop);

/** Free a loop on which nothing runs any more. NULL does nothing. */
HYPHA_API void hypha_loop_destroy(struct hypha_loop *loop);

/** Turn until nothing is left to wait for, or hypha_loop_stop(). Blocks.
 *  Errors: SYSTEM; STATE when called from inside the loop. */
HYPHA_API HYPHA_CHECKED enum hypha_err hypha_loop_run(struct hypha_loop *loop);

/** Make hypha_loop_run() return after this turn. */
HYPHA_API void hypha_loop_stop(struct hypha_loop *loop);

/** Call `cb` on the loop's thread in one of its next turns. Any thread; keeps FIFO order.
 *  Errors: NOMEM: `cb` is never called. */
HYPHA_API HYPHA_CHECKED enum hypha_err hypha_loop_post(
    struct hypha_loop *loop, void (*cb)(void *user), void *user);

/** Monotonic milliseconds since some start; stands still within a turn. */
HYPHA_API uint64_t hypha_loop_now_ms(const struct hypha_loop *loop);

HYPHA_END_DECLS

#endif
