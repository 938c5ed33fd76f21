/* pending.c - who waits in the hall, counted by address (all of an IPv6 /64 is one).
 *
 * A host's sockets are in order of arrival; the host with most is found by looking at all of
 * them, which happens only when the hall is full. */
#include "channel/pending.h"
#include "base/map.h"

#include <string.h>

TAILQ_HEAD(pending_queue, hy_pending);

struct hy_pending_host {
    struct pending_queue sockets; /* oldest first */
    size_t count;
    UT_hash_handle hh; /* by name */
    char name[];
};

struct hy_pending_set {
    struct hy_net *net;
    struct hy_inbound_limit *limit;
    size_t count;
    uint64_t order;
    struct hy_pending_host *hosts;
    struct hy_pending *by_channel;
};

enum hypha_err hy_pending_set_create(struct hy_net *net, struct hy_pending_set **ret_set)
{
    struct hy_pending_set *set = hy_alloc(sizeof(*set));

    if (set == NULL)
        return HYPHA_ERR_NOMEM;
    set->net = net;
    if (hy_inbound_limit_create(net->loop, &set->limit) != HYPHA_OK) {
        hy_free(set);
        return HYPHA_ERR_NOMEM;
    }
    *ret_set = set;
    return HYPHA_OK;
}

void hy_pending_set_destroy(struct hy_pending_set *set)
{
    struct hy_pending_host *host, *next;

    if (set == NULL)
        return;
    HASH_ITER (hh, set->hosts, host, next) {
        struct hy_pending *pending = TAILQ_FIRST(&host->sockets);

        while (pending != NULL) { /* the last removal frees the host */
            struct hy_pending *after = TAILQ_NEXT(pending, of_host);

            hy_pending_remove(pending);
            pending = after;
        }
    }
    hy_inbound_limit_destroy(set->limit);
    hy_free(set);
}

size_t hy_pending_count(const struct hy_pending_set *set)
{
    return set->count;
}

static struct hy_pending_host *host_get(struct hy_pending_set *set, const char *name)
{
    struct hy_pending_host *host;
    size_t len = strlen(name);

    HASH_FIND(hh, set->hosts, name, len, host);
    if (host != NULL)
        return host;
    host = hy_alloc(sizeof(*host) + len + 1);
    if (host == NULL)
        return NULL;
    TAILQ_INIT(&host->sockets);
    memcpy(host->name, name, len + 1);
    HASH_ADD(hh, set->hosts, name[0], len, host);
    if (host->hh.tbl == NULL) {
        hy_free(host);
        return NULL;
    }
    return host;
}

static void host_put(struct hy_pending_set *set, struct hy_pending_host *host)
{
    if (host->count > 0)
        return;
    HASH_DEL(set->hosts, host);
    hy_free(host);
}

/* How far it has come: nothing yet, a transport, words. */
static unsigned progress(const struct hy_pending *pending)
{
    struct hypha_traffic traffic;

    if (pending->channel == NULL)
        return 0;
    hypha_channel_traffic(pending->channel, &traffic);
    return traffic.messages_in > 0 ? 2 : 1;
}

/* Of two addresses with as many sockets: the one whose oldest has come less far, or waits longer.
 */
static bool goes_before(const struct hy_pending_host *a, const struct hy_pending_host *b)
{
    const struct hy_pending *first = TAILQ_FIRST(&a->sockets), *second = TAILQ_FIRST(&b->sockets);
    unsigned how_far = progress(first), other = progress(second);

    return how_far != other ? how_far < other : first->order < second->order;
}

/* The oldest of the address that has most. */
static struct hy_pending *pick_victim(struct hy_pending_set *set)
{
    struct hy_pending_host *host, *next, *most = NULL;

    HASH_ITER (hh, set->hosts, host, next) {
        if (host->count == 0)
            continue;
        if (most == NULL || host->count > most->count ||
            (host->count == most->count && goes_before(host, most)))
            most = host;
    }
    return most != NULL ? TAILQ_FIRST(&most->sockets) : NULL;
}

static void make_room(struct hy_pending_set *set)
{
    size_t limit = (size_t)set->net->settings->inbound_connections + HY_PENDING_EXTRA;

    while (set->count >= limit) {
        struct hy_pending *victim = pick_victim(set);

        if (victim == NULL)
            return;
        if (victim->channel != NULL)
            hy_channel_stop_for(victim->channel, HYPHA_ERR_FULL);
        hy_pending_remove(victim);
    }
}

static enum hypha_err add_to_host(struct hy_pending *pending, struct hypha_url *peer)
{
    char name[HY_INBOUND_BLOCK_BYTES];

    make_room(pending->set);
    pending->host = host_get(pending->set, hy_inbound_block_name(peer, name));
    return pending->host != NULL ? HYPHA_OK : HYPHA_ERR_NOMEM;
}

enum hypha_err hy_pending_add(struct hy_pending_set *set, struct hypha_url *peer,
    void (*on_deadline)(void *user), struct hy_pending **ret_pending)
{
    struct hy_pending *pending = hy_alloc(sizeof(*pending));
    enum hypha_err err = pending == NULL
        ? HYPHA_ERR_NOMEM
        : hy_inbound_limit_take(set->limit, peer, set->net->settings->localnet, &pending->ticket);

    if (err != HYPHA_OK) {
        hy_free(pending);
        return err;
    }
    pending->set = set;
    err = add_to_host(pending, peer);
    if (err != HYPHA_OK) {
        hy_inbound_ticket_release(&pending->ticket);
        hy_free(pending);
        return err;
    }
    pending->peer = hypha_url_ref(peer);
    pending->order = set->order++;
    hy_timer_init(&pending->deadline, set->net->loop, on_deadline, pending);
    TAILQ_INSERT_TAIL(&pending->host->sockets, pending, of_host);
    pending->host->count++;
    set->count++;
    *ret_pending = pending;
    return HYPHA_OK;
}

enum hypha_err hy_pending_become(struct hy_pending *pending, struct hypha_channel *channel)
{
    struct hy_pending_set *set = pending->set;

    pending->channel = channel;
    HASH_ADD(hh, set->by_channel, channel, sizeof(struct hypha_channel *), pending);
    if (pending->hh.tbl == NULL) {
        pending->channel = NULL;
        return HYPHA_ERR_NOMEM;
    }
    if (pending->acceptor != NULL)
        LIST_REMOVE(pending, of_acceptor);
    pending->acceptor = NULL;
    pending->stream = NULL; /* the channel's */
    hy_timer_stop(&pending->deadline);
    return HYPHA_OK;
}

void hy_pending_remove(struct hy_pending *pending)
{
    struct hy_pending_set *set = pending->set;

    if (pending->channel != NULL)
        HASH_DEL(set->by_channel, pending);
    if (pending->acceptor != NULL)
        LIST_REMOVE(pending, of_acceptor);
    hy_timer_stop(&pending->deadline);
    hy_stream_close(pending->stream);
    TAILQ_REMOVE(&pending->host->sockets, pending, of_host);
    pending->host->count--;
    set->count--;
    host_put(set, pending->host);
    hy_inbound_ticket_release(&pending->ticket);
    hypha_url_unref(pending->peer);
    hy_free(pending);
}

void hy_pending_done(
    struct hy_pending_set *set, struct hypha_channel *channel, struct hy_inbound_ticket *ret_ticket)
{
    struct hy_pending *pending;

    HASH_FIND(hh, set->by_channel, &channel, sizeof(struct hypha_channel *), pending);
    if (pending == NULL)
        return;
    if (ret_ticket != NULL) {
        *ret_ticket = pending->ticket;
        pending->ticket = (struct hy_inbound_ticket){ 0 };
    }
    hy_pending_remove(pending);
}
