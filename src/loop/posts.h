/* loop/posts.h - calls that wait for the loop's next turn, first in first out. Knows no lock: who
 * takes posts from other threads holds one around these. */
#ifndef HY_LOOP_POSTS_H
#define HY_LOOP_POSTS_H

#include <hypha/err.h>
#include <stdbool.h>
#include <sys/queue.h>

struct hy_post {
    void (*cb)(void *user);
    void *user;
    STAILQ_ENTRY(hy_post) entry;
};
STAILQ_HEAD(hy_posts, hy_post);

/* NULL: no memory. */
struct hy_post *hy_post_create(void (*cb)(void *user), void *user);
/* Move all that wait now to `ret_posts`; later ones wait for the next turn. */
void hy_posts_take(struct hy_posts *posts, struct hy_posts *ret_posts);
/* Call and free each. */
void hy_posts_run(struct hy_posts *taken);
/* Free each, uncalled. */
void hy_posts_drop(struct hy_posts *taken);

#endif
