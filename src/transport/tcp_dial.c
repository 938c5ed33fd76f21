/* transport/tcp_dial.c - from a URL to a connected socket.
 *
 *   state       event                     next
 *   RESOLVING   endpoints                 CONNECTING: try the first
 *   RESOLVING   error                     DONE: the error
 *   CONNECTING  250 ms, or a try failed   CONNECTING: try the next beside those under way
 *   CONNECTING  a socket is connected     DONE: the socket; the others are closed
 *   CONNECTING  the last try failed       DONE: the most telling error
 *
 * Endpoints are tried with the families alternating, IPv6 first, in the resolver's order within
 * each. spec: transports.md 1.4, 2, 13.2 (RFC 8305) */
#include "transport/tcp.h"

#include "base/alloc.h"
#include <assert.h>
#include <string.h>
#include <unistd.h>

#define NEXT_TRY_MS 250

enum dial_state { DIAL_RESOLVING, DIAL_CONNECTING, DIAL_DONE };

struct attempt {
    struct hy_tcp_dial *dial;
    struct hy_endpoint to;
    int fd; /* -1: not begun, or failed */
    struct hy_poll *poll;
};

struct hy_tcp_dial {
    struct hy_tcp *tcp;
    hy_tcp_dialed_cb cb;
    void *user;
    enum dial_state state;
    struct hy_resolve *resolve;
    struct hy_timer next_try; /* also begins, so that no answer comes from inside create */
    struct attempt *attempts;
    size_t count;
    size_t begun;
    size_t under_way;
    enum hypha_err err;
};

static void attempt_end(struct attempt *attempt)
{
    if (attempt->fd < 0)
        return;
    hy_poll_destroy(attempt->poll);
    attempt->poll = NULL;
    close(attempt->fd);
    attempt->fd = -1;
    attempt->dial->under_way--;
}

static void dial_reset(struct hy_tcp_dial *dial)
{
    hy_resolve_cancel(dial->resolve);
    dial->resolve = NULL;
    hy_timer_stop(&dial->next_try);
    for (size_t i = 0; i < dial->begun; i++)
        attempt_end(&dial->attempts[i]);
}

static void dial_done(struct hy_tcp_dial *dial, enum hypha_err err, int fd)
{
    assert(dial->state != DIAL_DONE);
    dial_reset(dial);
    dial->state = DIAL_DONE;
    dial->cb(dial->user, err, fd);
}

/* One family missing on this machine says less than what the other family met. */
static void note_error(struct hy_tcp_dial *dial, enum hypha_err err)
{
    if (dial->err == HYPHA_OK || err != HYPHA_ERR_UNREACHABLE)
        dial->err = err;
}

static void try_next(struct hy_tcp_dial *dial);

static void on_decided(void *user, unsigned events)
{
    struct attempt *attempt = user;
    struct hy_tcp_dial *dial = attempt->dial;
    enum hypha_err err = hy_socket_connected(attempt->fd);

    (void)events;
    if (err != HYPHA_OK) {
        note_error(dial, err);
        attempt_end(attempt);
        try_next(dial);
        return;
    }
    int fd = attempt->fd;

    hy_poll_destroy(attempt->poll);
    attempt->poll = NULL;
    attempt->fd = -1;
    dial->under_way--;
    dial_done(dial, HYPHA_OK, fd);
}

static enum hypha_err attempt_begin(struct attempt *attempt)
{
    struct hy_tcp_dial *dial = attempt->dial;
    enum hypha_err err = hy_socket_open(&attempt->to, &attempt->fd);

    if (err != HYPHA_OK)
        return err;
    dial->under_way++;
    err = hy_socket_connect(attempt->fd, &attempt->to);
    if (err == HYPHA_OK)
        err = hy_poll_create(
            dial->tcp->base.loop, attempt->fd, HY_POLL_OUT, on_decided, attempt, &attempt->poll);
    if (err != HYPHA_OK)
        attempt_end(attempt);
    return err;
}

static void try_next(struct hy_tcp_dial *dial)
{
    while (dial->begun < dial->count) {
        enum hypha_err err = attempt_begin(&dial->attempts[dial->begun++]);

        if (err == HYPHA_OK) {
            if (dial->begun < dial->count)
                hy_timer_start(&dial->next_try, NEXT_TRY_MS);
            return;
        }
        note_error(dial, err);
    }
    if (dial->under_way == 0)
        dial_done(dial, dial->err, -1);
}

static void on_next_try(void *user)
{
    try_next(user);
}

/* The nth endpoint of one family (bytes of the address: 4 or 16); NULL: fewer. */
static const struct hy_endpoint *nth_of(
    const struct hy_endpoint *endpoints, size_t count, uint8_t len, size_t n)
{
    for (size_t i = 0; i < count; i++)
        if (endpoints[i].ip.len == len && n-- == 0)
            return &endpoints[i];
    return NULL;
}

static enum hypha_err set_endpoints(
    struct hy_tcp_dial *dial, const struct hy_endpoint *endpoints, size_t count)
{
    if (count > HY_RESOLVE_MAX_ENDPOINTS)
        count = HY_RESOLVE_MAX_ENDPOINTS;
    dial->attempts = hy_alloc_array(count, sizeof *dial->attempts);
    if (dial->attempts == NULL)
        return HYPHA_ERR_NOMEM;
    for (size_t n = 0; n < count; n++) {
        const struct hy_endpoint *pair[] = { nth_of(endpoints, count, 16, n),
            nth_of(endpoints, count, 4, n) };

        for (size_t family = 0; family < 2; family++)
            if (pair[family] != NULL)
                dial->attempts[dial->count++] =
                    (struct attempt){ .dial = dial, .to = *pair[family], .fd = -1 };
    }
    return HYPHA_OK;
}

/* What a name stands for is judged anew: network.md 4.4. */
static void on_resolved(
    void *user, enum hypha_err err, const struct hy_endpoint *endpoints, size_t count)
{
    struct hy_tcp_dial *dial = user;
    struct hy_tcp *tcp = dial->tcp;
    struct hy_endpoint passed[HY_RESOLVE_MAX_ENDPOINTS];
    size_t passed_count = 0;

    dial->resolve = NULL;
    for (size_t i = 0; i < count && passed_count < HY_RESOLVE_MAX_ENDPOINTS; i++)
        if (tcp->filter_ip == NULL || tcp->filter_ip(tcp->filter_user, &endpoints[i].ip))
            passed[passed_count++] = endpoints[i];
    if (err == HYPHA_OK)
        err = count == 0        ? HYPHA_ERR_RESOLVE
            : passed_count == 0 ? HYPHA_ERR_BAD_ADDRESS
                                : set_endpoints(dial, passed, passed_count);
    if (err != HYPHA_OK) {
        dial_done(dial, err, -1);
        return;
    }
    dial->state = DIAL_CONNECTING;
    try_next(dial);
}

enum hypha_err hy_tcp_dial_create(struct hy_tcp *tcp, const struct hypha_url *url,
    hy_tcp_dialed_cb cb, void *user, struct hy_tcp_dial **ret_dial)
{
    struct hy_tcp_dial *dial = NULL;
    struct hy_endpoint target;
    bool is_ip = false;
    enum hypha_err err = hy_tcp_target(tcp, url, &target, &is_ip);

    if (err != HYPHA_OK)
        return err;
    if (target.port == 0)
        return HYPHA_ERR_BAD_ADDRESS;
    dial = hy_alloc(sizeof *dial);
    if (dial == NULL)
        return HYPHA_ERR_NOMEM;
    dial->tcp = hy_tcp_ref(tcp);
    dial->cb = cb;
    dial->user = user;
    hy_timer_init(&dial->next_try, tcp->base.loop, on_next_try, dial);
    if (is_ip) {
        dial->state = DIAL_CONNECTING;
        err = set_endpoints(dial, &target, 1);
        if (err == HYPHA_OK)
            hy_timer_start(&dial->next_try, 0);
    } else {
        err = hy_resolve_start(
            tcp->base.loop, hypha_url_host(url), target.port, on_resolved, dial, &dial->resolve);
    }
    if (err != HYPHA_OK) {
        hy_tcp_dial_destroy(dial);
        return err;
    }
    *ret_dial = dial;
    return HYPHA_OK;
}

void hy_tcp_dial_destroy(struct hy_tcp_dial *dial)
{
    if (dial == NULL)
        return;
    dial_reset(dial);
    hy_free(dial->attempts);
    hy_tcp_unref(dial->tcp);
    hy_free(dial);
}
