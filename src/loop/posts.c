/* posts.c - what both loops do with a post, but for the lock. */
#include "loop/posts.h"

#include "base/alloc.h"

struct hy_post *hy_post_create(void (*cb)(void *user), void *user)
{
    struct hy_post *post = hy_alloc(sizeof *post);

    if (post == NULL)
        return NULL;
    post->cb = cb;
    post->user = user;
    return post;
}

void hy_posts_take(struct hy_posts *posts, struct hy_posts *ret_posts)
{
    STAILQ_INIT(ret_posts);
    STAILQ_CONCAT(ret_posts, posts);
}

void hy_posts_run(struct hy_posts *taken)
{
    struct hy_post *post;

    while ((post = STAILQ_FIRST(taken)) != NULL) {
        void (*cb)(void *) = post->cb;
        void *user = post->user;

        STAILQ_REMOVE_HEAD(taken, entry);
        hy_free(post);
        cb(user);
    }
}

void hy_posts_drop(struct hy_posts *taken)
{
    struct hy_post *post;

    while ((post = STAILQ_FIRST(taken)) != NULL) {
        STAILQ_REMOVE_HEAD(taken, entry);
        hy_free(post);
    }
}
