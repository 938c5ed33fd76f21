/* loop/poll_uv.c - watching descriptors on the real loop: uv_poll_t in memory of its own, which
 * outlives the watch until libuv lets go of it. */
#include "loop/loop_uv.h"

#include "base/alloc.h"

#include <assert.h>

struct hy_uv_poll {
    struct hy_poll base;
    uv_poll_t uv;
    hy_poll_cb cb; /* NULL: destroyed */
    void *user;
    unsigned events; /* wanted */
    bool restart;    /* libuv stopped watching: an error condition */
    LIST_ENTRY(hy_uv_poll) entry;
};

static_assert(HY_POLL_IN == UV_READABLE && HY_POLL_OUT == UV_WRITABLE, "the bits are libuv's");

static void on_closed(uv_handle_t *handle)
{
    hy_free(handle->data);
}

static void on_poll(uv_poll_t *uv, int status, int events);

static int watch(struct hy_uv_poll *self)
{
    self->restart = false;
    return self->events == 0 ? uv_poll_stop(&self->uv)
                             : uv_poll_start(&self->uv, (int)self->events, on_poll);
}

/* libuv ends the watch at an error condition (POLLERR); ours goes on, as epoll's does, for an
 * owner such as a UDP socket that reads the error and stays. */
static void on_poll(uv_poll_t *uv, int status, int events)
{
    struct hy_uv_poll *self = uv->data;
    unsigned possible = HY_POLL_IN | HY_POLL_OUT;

    hy_uv_enter(hy_uv_loop_of(self->base.loop));
    if (status == 0)
        possible = (unsigned)events & (HY_POLL_IN | HY_POLL_OUT);
    else
        self->restart = true;
    self->cb(self->user, possible);
    /* Destroyed in there, it is still memory: libuv closes at the end of its turn. */
    if (self->cb != NULL && self->restart)
        (void)watch(self); /* fails only for a foreign watch on this descriptor */
}

enum hypha_err hy_uv_poll_create(struct hypha_loop *loop, int fd, unsigned events, hy_poll_cb cb,
    void *user, struct hy_poll **ret_poll)
{
    struct hy_uv_loop *real = hy_uv_loop_of(loop);
    struct hy_uv_poll *self = hy_alloc(sizeof *self);

    if (self == NULL)
        return HYPHA_ERR_NOMEM;
    self->base.loop = loop;
    self->cb = cb;
    self->user = user;
    self->events = events & (HY_POLL_IN | HY_POLL_OUT);
    self->uv.data = self;
    int status = uv_poll_init(&real->uv, &self->uv, fd);
    if (status != 0) {
        hy_free(self);
        return hy_uv_err(status == UV_EINVAL ? UV_EIO : status);
    }
    status = watch(self);
    if (status != 0) {
        uv_close((uv_handle_t *)&self->uv, on_closed);
        return hy_uv_err(status);
    }
    LIST_INSERT_HEAD(&real->polls, self, entry);
    real->live++;
    *ret_poll = &self->base;
    return HYPHA_OK;
}

enum hypha_err hy_uv_poll_update(struct hy_poll *poll, unsigned events)
{
    struct hy_uv_poll *self = (struct hy_uv_poll *)(void *)poll;

    events &= HY_POLL_IN | HY_POLL_OUT;
    if (events == self->events)
        return HYPHA_OK;
    self->events = events;
    return hy_uv_err(watch(self));
}

void hy_uv_poll_destroy(struct hy_poll *poll)
{
    struct hy_uv_poll *self = (struct hy_uv_poll *)(void *)poll;
    struct hy_uv_loop *real = hy_uv_loop_of(poll->loop);

    LIST_REMOVE(self, entry);
    real->live--;
    self->cb = NULL;
    uv_close((uv_handle_t *)&self->uv, on_closed); /* it is out of epoll from here on */
}

void hy_uv_polls_close(struct hy_uv_loop *real)
{
    while (!LIST_EMPTY(&real->polls))
        hy_uv_poll_destroy(&LIST_FIRST(&real->polls)->base);
}
