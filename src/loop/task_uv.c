/* loop/task_uv.c - signals and blocking tasks on the real loop: uv_signal_t, uv_queue_work(). */
#include "loop/loop_uv.h"

#include "base/alloc.h"

/* ---- signals ---- */

struct hy_uv_signal {
    struct hy_signal base;
    uv_signal_t uv;
    hy_signal_cb cb;
    void *user;
    LIST_ENTRY(hy_uv_signal) entry;
};

static void on_signal_closed(uv_handle_t *handle)
{
    hy_free(handle->data);
}

static void on_signal(uv_signal_t *uv, int signum)
{
    struct hy_uv_signal *self = uv->data;

    hy_uv_enter(hy_uv_loop_of(self->base.loop));
    self->cb(self->user, signum); /* may stop it: freed only when libuv has closed it */
}

enum hypha_err hy_uv_signal_start(
    struct hypha_loop *loop, int signum, hy_signal_cb cb, void *user, struct hy_signal **ret_signal)
{
    struct hy_uv_loop *real = hy_uv_loop_of(loop);
    struct hy_uv_signal *self = hy_alloc(sizeof *self);

    if (self == NULL)
        return HYPHA_ERR_NOMEM;
    self->base.loop = loop;
    self->cb = cb;
    self->user = user;
    self->uv.data = self;
    int status = uv_signal_init(&real->uv, &self->uv);
    if (status != 0) {
        hy_free(self);
        return hy_uv_err(status);
    }
    status = uv_signal_start(&self->uv, on_signal, signum);
    if (status != 0) {
        uv_close((uv_handle_t *)&self->uv, on_signal_closed);
        return hy_uv_err(status);
    }
    LIST_INSERT_HEAD(&real->signals, self, entry);
    *ret_signal = &self->base;
    return HYPHA_OK;
}

void hy_uv_signal_stop(struct hy_signal *signal)
{
    struct hy_uv_signal *self = (struct hy_uv_signal *)(void *)signal;

    LIST_REMOVE(self, entry);
    uv_close((uv_handle_t *)&self->uv, on_signal_closed);
}

void hy_uv_signals_close(struct hy_uv_loop *real)
{
    while (!LIST_EMPTY(&real->signals))
        hy_uv_signal_stop(&LIST_FIRST(&real->signals)->base);
}

/* ---- tasks ---- */

struct hy_uv_task {
    struct hy_task base;
    uv_work_t uv;
    void (*work)(void *user);
    void (*done)(void *user);
    void (*abandoned)(void *user);
    void *user;
    bool cancelled;
    LIST_ENTRY(hy_uv_task) entry;
};

/* On a thread of the pool. */
static void on_work(uv_work_t *uv)
{
    const struct hy_uv_task *self = uv->data;

    self->work(self->user);
}

static void on_worked(uv_work_t *uv, int status)
{
    struct hy_uv_task *self = uv->data;
    struct hy_uv_loop *real = hy_uv_loop_of(self->base.loop);
    void (*tell)(void *) = self->cancelled ? self->abandoned : self->done;
    void *user = self->user;

    (void)status; /* UV_ECANCELED: the work never ran */
    hy_uv_enter(real);
    if (!self->cancelled) {
        LIST_REMOVE(self, entry);
        real->live--;
    }
    hy_free(self);
    if (tell != NULL)
        tell(user);
}

enum hypha_err hy_uv_task_start(struct hypha_loop *loop, void (*work)(void *), void (*done)(void *),
    void *user, struct hy_task **ret_task)
{
    struct hy_uv_loop *real = hy_uv_loop_of(loop);
    struct hy_uv_task *self = hy_alloc(sizeof *self);

    if (self == NULL)
        return HYPHA_ERR_NOMEM;
    self->base.loop = loop;
    self->work = work;
    self->done = done;
    self->user = user;
    self->uv.data = self;
    int status = uv_queue_work(&real->uv, &self->uv, on_work, on_worked);
    if (status != 0) {
        hy_free(self);
        return HYPHA_ERR_NOMEM;
    }
    LIST_INSERT_HEAD(&real->tasks, self, entry);
    real->live++;
    *ret_task = &self->base;
    return HYPHA_OK;
}

void hy_uv_task_cancel(struct hy_task *task, void (*abandoned)(void *))
{
    struct hy_uv_task *self = (struct hy_uv_task *)(void *)task;

    LIST_REMOVE(self, entry);
    hy_uv_loop_of(task->loop)->live--;
    self->cancelled = true;
    self->abandoned = abandoned;
    (void)uv_cancel((uv_req_t *)&self->uv); /* refused once it runs: it ends by itself */
}

void hy_uv_tasks_close(struct hy_uv_loop *real)
{
    while (!LIST_EMPTY(&real->tasks))
        hy_uv_task_cancel(&LIST_FIRST(&real->tasks)->base, NULL);
}
