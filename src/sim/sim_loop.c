/* sim/sim_loop.c - the loop of virtual time: it never waits, it jumps to the next timer.
 *
 * All that the simulated network does hangs on timers of the same heap, so equal times keep the
 * order of asking, and nothing else decides the order of events. */
#include "sim/sim_internal.h"

#include "base/alloc.h"
#include "base/span.h"

#include <assert.h>
#include <string.h>

struct hy_sim_name {
    char *name; /* key */
    size_t count;
    struct hy_ip ips[HY_RESOLVE_MAX_ENDPOINTS];
    UT_hash_handle hh;
};

struct hy_sim_lookup {
    struct hy_resolve base;
    struct hy_timer timer;
    char *host;
    uint16_t port;
    hy_resolve_cb cb;
    void *user;
    LIST_ENTRY(hy_sim_lookup) entry;
};

struct hy_sim_task {
    struct hy_task base;
    struct hy_timer timer;
    void (*tell)(void *user); /* done; abandoned once cancelled; may be NULL then */
    bool cancelled;
    void *user;
    LIST_ENTRY(hy_sim_task) entry;
};

/* ---- chance ---- */

uint64_t hy_sim_mix(uint64_t *state)
{
    uint64_t z = *state += 0x9e3779b97f4a7c15U;

    z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9U;
    z = (z ^ (z >> 27)) * 0x94d049bb133111ebU;
    return z ^ (z >> 31);
}

void hy_sim_rng_seed(struct hy_sim_rng *rng, uint64_t seed)
{
    for (size_t i = 0; i < 4; i++)
        rng->s[i] = hy_sim_mix(&seed);
}

static uint64_t rotate(uint64_t x, unsigned by)
{
    return x << by | x >> (64 - by);
}

uint64_t hy_sim_rng_u64(struct hy_sim_rng *rng)
{
    uint64_t *s = rng->s;
    uint64_t result = rotate(s[1] * 5, 7) * 9;
    uint64_t t = s[1] << 17;

    s[2] ^= s[0];
    s[3] ^= s[1];
    s[1] ^= s[2];
    s[0] ^= s[3];
    s[2] ^= t;
    s[3] = rotate(s[3], 45);
    return result;
}

uint64_t hy_sim_rng_below(struct hy_sim_rng *rng, uint64_t bound)
{
    return bound == 0 ? 0 : hy_sim_rng_u64(rng) % bound; /* weather need not be fair */
}

static void random_bytes(struct hypha_loop *loop, void *into, size_t len)
{
    struct hy_sim *sim = hy_sim_of(loop);
    uint8_t *at = into;

    while (len > 0) {
        uint64_t value = hy_sim_rng_u64(&sim->node_rng);
        size_t n = len < sizeof value ? len : sizeof value;

        memcpy(at, &value, n);
        at += n;
        len -= n;
    }
}

/* ---- clocks ---- */

static uint64_t now_us(const struct hypha_loop *loop)
{
    return loop->now_ms * 1000;
}

static uint64_t wall_ns(const struct hypha_loop *loop)
{
    return HY_SIM_START_WALL_S * UINT64_C(1000000000) +
        (loop->now_ms - HY_SIM_START_MS) * UINT64_C(1000000);
}

/* ---- posts and wakes ---- */

static enum hypha_err post(struct hypha_loop *loop, void (*cb)(void *), void *user)
{
    struct hy_sim *sim = hy_sim_of(loop);
    struct hy_post *item = hy_post_create(cb, user);

    if (item == NULL)
        return HYPHA_ERR_NOMEM;
    STAILQ_INSERT_TAIL(&sim->posts, item, entry);
    return HYPHA_OK;
}

static void run_posts(struct hy_sim *sim)
{
    struct hy_posts posts;

    hy_posts_take(&sim->posts, &posts);
    hy_posts_run(&posts);
}

static void wake(struct hypha_loop *loop)
{
    hy_sim_of(loop)->woken = true;
}

/* ---- turns ---- */

static void turn(struct hy_sim *sim)
{
    hy_loop_run_timers(&sim->base);
    (void)hy_loop_run_defers(&sim->base);
    if (sim->woken) {
        sim->woken = false;
        hy_loop_run_wakes(&sim->base);
    }
    run_posts(sim);
    (void)hy_loop_run_defers(&sim->base);
}

/* Move the clock to the next thing to do, at most to end_ms; false: there is none. */
static bool advance(struct hy_sim *sim, uint64_t end_ms)
{
    uint64_t due_ms;

    if (!TAILQ_EMPTY(&sim->base.defers) || !STAILQ_EMPTY(&sim->posts) || sim->woken)
        return true;
    if (!hy_loop_next_timer(&sim->base, &due_ms) || due_ms > end_ms)
        return false;
    if (due_ms > sim->base.now_ms)
        sim->base.now_ms = due_ms;
    return true;
}

static void begin(struct hy_sim *sim)
{
    assert(!sim->running);
    sim->running = true;
    sim->stopped = false;
}

static enum hypha_err run(struct hypha_loop *loop)
{
    struct hy_sim *sim = hy_sim_of(loop);

    if (sim->running)
        return HYPHA_ERR_STATE;
    begin(sim);
    /* A timer at the end of time never comes. */
    while (!sim->stopped && advance(sim, UINT64_MAX - 1))
        turn(sim);
    sim->running = false;
    return HYPHA_OK;
}

static void stop(struct hypha_loop *loop)
{
    hy_sim_of(loop)->stopped = true;
}

void hy_sim_run_until(struct hy_sim *sim, uint64_t at_ms)
{
    begin(sim);
    while (!sim->stopped && advance(sim, at_ms))
        turn(sim);
    if (!sim->stopped && sim->base.now_ms < at_ms)
        sim->base.now_ms = at_ms;
    sim->running = false;
}

void hy_sim_run_for(struct hy_sim *sim, uint64_t ms)
{
    hy_sim_run_until(sim, sim->base.now_ms + ms);
}

bool hy_sim_run_while(struct hy_sim *sim, bool (*wanted)(void *user), void *user, uint64_t max_ms)
{
    uint64_t end_ms = sim->base.now_ms + max_ms;
    bool more;

    begin(sim);
    while ((more = wanted(user)) && !sim->stopped && advance(sim, end_ms))
        turn(sim);
    if (more && !sim->stopped)
        sim->base.now_ms = end_ms;
    sim->running = false;
    return !more;
}

/* ---- what a loop without descriptors can't do ---- */

static enum hypha_err poll_create(struct hypha_loop *loop, int fd, unsigned events, hy_poll_cb cb,
    void *user, struct hy_poll **ret_poll)
{
    (void)loop;
    (void)fd;
    (void)events;
    (void)cb;
    (void)user;
    (void)ret_poll;
    return HYPHA_ERR_UNSUPPORTED;
}

static enum hypha_err signal_start(
    struct hypha_loop *loop, int signum, hy_signal_cb cb, void *user, struct hy_signal **ret_signal)
{
    (void)loop;
    (void)signum;
    (void)cb;
    (void)user;
    (void)ret_signal;
    return HYPHA_ERR_UNSUPPORTED;
}

/* ---- names ---- */

enum hypha_err hy_sim_add_name(struct hy_sim *sim, const char *name, const char *ip_text)
{
    struct hy_sim_name *entry;
    struct hy_ip ip;

    if (!hy_sim_parse_ip(ip_text, &ip))
        return HYPHA_ERR_INVALID;
    HASH_FIND(hh, sim->names, name, strlen(name), entry);
    if (entry == NULL) {
        entry = hy_alloc(sizeof *entry);
        if (entry == NULL)
            return HYPHA_ERR_NOMEM;
        entry->name = hy_strdup(name);
        if (entry->name == NULL)
            goto fail;
        HASH_ADD_KEYPTR(hh, sim->names, entry->name, strlen(name), entry);
        if (entry->hh.tbl == NULL)
            goto fail;
    }
    if (entry->count == HY_RESOLVE_MAX_ENDPOINTS)
        return HYPHA_ERR_LIMIT;
    entry->ips[entry->count++] = ip;
    return HYPHA_OK;

fail:
    hy_free(entry->name);
    hy_free(entry);
    return HYPHA_ERR_NOMEM;
}

void hy_sim_set_resolve_ms(struct hy_sim *sim, uint64_t ms)
{
    sim->resolve_ms = ms;
}

static void lookup_destroy(struct hy_sim_lookup *lookup)
{
    hy_timer_stop(&lookup->timer);
    LIST_REMOVE(lookup, entry);
    hy_free(lookup->host);
    hy_free(lookup);
}

static size_t look_up(const struct hy_sim_lookup *lookup, struct hy_endpoint *endpoints)
{
    const struct hy_sim *sim = hy_sim_of(lookup->base.loop);
    const struct hy_sim_name *entry;
    size_t count = 0;

    if (hy_endpoint_of_literal(lookup->host, lookup->port, &endpoints[0]))
        return 1;
    HASH_FIND(hh, sim->names, lookup->host, strlen(lookup->host), entry);
    for (; entry != NULL && count < entry->count; count++)
        endpoints[count] = (struct hy_endpoint){ .ip = entry->ips[count], .port = lookup->port };
    return count;
}

static void on_looked_up(void *user)
{
    struct hy_sim_lookup *lookup = user;
    struct hy_endpoint endpoints[HY_RESOLVE_MAX_ENDPOINTS];
    size_t count = look_up(lookup, endpoints);
    hy_resolve_cb cb = lookup->cb;

    user = lookup->user;
    lookup_destroy(lookup);
    cb(user, count > 0 ? HYPHA_OK : HYPHA_ERR_RESOLVE, endpoints, count);
}

static enum hypha_err resolve_start(struct hypha_loop *loop, const char *host, uint16_t port,
    hy_resolve_cb cb, void *user, struct hy_resolve **ret_resolve)
{
    struct hy_sim *sim = hy_sim_of(loop);
    struct hy_sim_lookup *lookup = hy_alloc(sizeof *lookup);
    struct hy_endpoint literal;

    if (lookup == NULL)
        return HYPHA_ERR_NOMEM;
    lookup->host = hy_strdup(host);
    if (lookup->host == NULL) {
        hy_free(lookup);
        return HYPHA_ERR_NOMEM;
    }
    lookup->base.loop = loop;
    lookup->port = port;
    lookup->cb = cb;
    lookup->user = user;
    LIST_INSERT_HEAD(&sim->lookups, lookup, entry);
    hy_timer_init(&lookup->timer, loop, on_looked_up, lookup);
    hy_timer_start(
        &lookup->timer, hy_endpoint_of_literal(host, port, &literal) ? 0 : sim->resolve_ms);
    *ret_resolve = &lookup->base;
    return HYPHA_OK;
}

static void resolve_cancel(struct hy_resolve *resolve)
{
    lookup_destroy((struct hy_sim_lookup *)(void *)resolve);
}

/* ---- tasks: the work is done when asked for, told in the next turn ---- */

static void on_task_done(void *user)
{
    struct hy_sim_task *task = user;
    void (*tell)(void *) = task->tell;

    user = task->user;
    hy_timer_stop(&task->timer);
    LIST_REMOVE(task, entry);
    hy_free(task);
    if (tell != NULL)
        tell(user);
}

static enum hypha_err task_start(struct hypha_loop *loop, void (*work)(void *),
    void (*done)(void *), void *user, struct hy_task **ret_task)
{
    struct hy_sim *sim = hy_sim_of(loop);
    struct hy_sim_task *task = hy_alloc(sizeof *task);

    if (task == NULL)
        return HYPHA_ERR_NOMEM;
    task->base.loop = loop;
    task->tell = done;
    task->user = user;
    LIST_INSERT_HEAD(&sim->tasks, task, entry);
    hy_timer_init(&task->timer, loop, on_task_done, task);
    hy_timer_start(&task->timer, 0);
    work(user);
    *ret_task = &task->base;
    return HYPHA_OK;
}

static void task_cancel(struct hy_task *base, void (*abandoned)(void *))
{
    struct hy_sim_task *task = (struct hy_sim_task *)(void *)base;

    task->cancelled = true;
    task->tell = abandoned;
}

/* ---- life ---- */

static void destroy(struct hypha_loop *loop)
{
    hy_sim_destroy(hy_sim_of(loop));
}

static const struct hy_loop_ops sim_ops = {
    .destroy = destroy,
    .run = run,
    .stop = stop,
    .post = post,
    .now_us = now_us,
    .wall_ns = wall_ns,
    .random = random_bytes,
    .wake = wake,
    .poll_create = poll_create,
    .resolve_start = resolve_start,
    .resolve_cancel = resolve_cancel,
    .signal_start = signal_start,
    .task_start = task_start,
    .task_cancel = task_cancel,
};

static void drop_names(struct hy_sim *sim)
{
    struct hy_sim_name *entry;
    struct hy_sim_name *next;

    HASH_ITER (hh, sim->names, entry, next) {
        HASH_DEL(sim->names, entry);
        hy_free(entry->name);
        hy_free(entry);
    }
}

void hy_sim_destroy(struct hy_sim *sim)
{
    if (sim == NULL)
        return;
    assert(!sim->running);
    hy_sim_net_fini(sim);
    while (!LIST_EMPTY(&sim->lookups))
        lookup_destroy(LIST_FIRST(&sim->lookups));
    while (!LIST_EMPTY(&sim->tasks)) {
        struct hy_sim_task *task = LIST_FIRST(&sim->tasks);

        if (!task->cancelled)
            task->tell = NULL; /* `done` would come after the end */
        on_task_done(task);
    }
    hy_posts_drop(&sim->posts);
    drop_names(sim);
    hy_loop_fini(&sim->base);
    hy_free(sim);
}

enum hypha_err hy_sim_create(uint64_t seed, struct hy_sim **ret_sim)
{
    struct hy_sim *sim = hy_alloc(sizeof *sim);

    if (sim == NULL)
        return HYPHA_ERR_NOMEM;
    enum hypha_err err = hy_loop_init(&sim->base, &sim_ops);
    if (err != HYPHA_OK) {
        hy_free(sim);
        return err;
    }
    sim->base.now_ms = HY_SIM_START_MS;
    sim->seed = seed;
    hy_sim_rng_seed(&sim->node_rng, seed);
    hy_sim_rng_seed(&sim->net_rng, ~seed);
    sim->resolve_ms = 10;
    STAILQ_INIT(&sim->posts);
    LIST_INIT(&sim->lookups);
    LIST_INIT(&sim->tasks);
    hy_sim_net_init(sim);
    *ret_sim = sim;
    return HYPHA_OK;
}

struct hypha_loop *hy_sim_loop(struct hy_sim *sim)
{
    return &sim->base;
}
