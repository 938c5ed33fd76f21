/* session_refine.c - probes: a connection, a handshake, a verdict.
 *
 *   probe      event              next
 *   DIALLING   transport up       HANDSHAKE
 *   DIALLING   failed             gone       grey: forgotten; white: grey, if it is believed
 *   HANDSHAKE  version exchanged  CLOSING    white with now
 *   HANDSHAKE  channel stopped    gone       as a failed dial
 *   CLOSING    channel stopped    gone
 *   any        our own stop       gone       lists untouched
 *
 * The host is in state Refine from its selection on. */
#include "session/session_refine.h"
#include "base/alloc.h"
#include "channel/connector.h"

#include <assert.h>

#define TARGET         "net::session_refine"
#define JITTER_PERCENT 10U
/* White hosts that may fail one after the other before we doubt our own network: when nobody is
 * connected, and when somebody is. */
#define MAX_WHITE_FAILURES      3U
#define MAX_WHITE_FAILURES_PEER 8U
/* The longest pause between feelers, in averages: one in 22,000 is longer. */
#define MAX_FEELER_PAUSES 10U

enum probe_state { DIALLING, HANDSHAKE, CLOSING };

enum probe_cause { BY_INTERVAL, BY_ANNOUNCEMENT, OF_WHITE, FEELER, CAUSES };

struct probe {
    struct hy_session_refine *session;
    enum probe_state state;
    enum probe_cause cause;
    struct hypha_url *url;
    struct hy_connector connector;
    struct hypha_channel *channel; /* a reference, from HANDSHAKE on */
    struct hy_membership membership;
    LIST_ENTRY(probe) entry;
};

struct waiting {
    struct hypha_url *url;
    TAILQ_ENTRY(waiting) entry;
};

struct hy_session_refine {
    struct hy_net *net;
    bool started;
    struct hy_timer interval, white_interval, feeler;
    LIST_HEAD(, probe) probes;
    size_t running[CAUSES];
    unsigned white_failures;       /* since a probe last succeeded */
    TAILQ_HEAD(, waiting) waiting; /* announced addresses */
    size_t waiting_count;
    void (*on_probed)(void *user);
    void *probed_user;
    struct hy_defer probed, done;
    hy_session_stopped_cb on_stopped;
    void *user;
};

static void next_announced(struct hy_session_refine *session);

/* ---- a probe ---- */

static void probe_gone(struct probe *probe)
{
    struct hy_session_refine *session = probe->session;
    enum probe_cause cause = probe->cause;

    LIST_REMOVE(probe, entry);
    session->running[cause]--;
    hy_connector_fini(&probe->connector);
    hypha_url_unref(probe->url);
    hy_free(probe);
    if (!session->started) {
        if (LIST_EMPTY(&session->probes))
            hy_defer_start(&session->done);
        return;
    }
    if (cause != BY_ANNOUNCEMENT)
        return;
    next_announced(session);
    if (hy_session_refine_announced_count(session) == 0)
        hy_defer_start(&session->probed);
}

/* Our network is gone, and it shows before time_with_no_connections is over. */
static bool is_cut_off(const struct probe *probe)
{
    return probe->connector.cause == HYPHA_ERR_UNREACHABLE && probe->session->net->peers_count == 0;
}

/* White hosts answered once: if no probe succeeds any more, it may well be us. */
static bool doubts_itself(const struct hy_session_refine *session)
{
    return session->white_failures >
        (session->net->peers_count == 0 ? MAX_WHITE_FAILURES : MAX_WHITE_FAILURES_PEER);
}

/* A failed probe of a white host that says nothing. spec: apps.md 7.2 */
static bool is_doubtful(struct probe *probe)
{
    struct hy_session_refine *session = probe->session;

    if (probe->cause == FEELER)
        return session->net->peers_count == 0;
    if (probe->cause != OF_WHITE)
        return false;
    session->white_failures++;
    return doubts_itself(session);
}

/* Nobody answered there. */
static void probe_failed(struct probe *probe, enum hypha_err why, const char *why_text)
{
    struct hy_net *net = probe->session->net;
    enum hypha_colour colour = HYPHA_COLOURS;
    uint64_t last_seen;

    if (hy_session_is_own_fault(why) || net->stopping || is_cut_off(probe) || is_doubtful(probe)) {
        hy_hosts_free(net->hosts, probe->url);
        probe_gone(probe);
        return;
    }
    hy_log_debug(&net->log, TARGET, "a host does not answer: %s", why_text);
    if (!hy_hosts_find(net->hosts, probe->url, &colour, &last_seen))
        colour = HYPHA_COLOURS;
    if (colour == HYPHA_COLOUR_GREY)
        hy_hosts_remove(net->hosts, probe->url);
    if (colour != HYPHA_COLOUR_WHITE ||
        hy_hosts_move(net->hosts, probe->url, HYPHA_COLOUR_GREY, HY_HOST_FREE) != HYPHA_OK)
        hy_hosts_free(net->hosts, probe->url);
    probe_gone(probe);
}

static void on_channel_ready(struct hypha_channel *channel, void *user)
{
    struct probe *probe = user;
    struct hy_net *net = probe->session->net;
    char text[HY_SESSION_TEXT_BYTES];

    if (probe->state != HANDSHAKE)
        return;
    probe->state = CLOSING;
    if (hy_session_register(channel, &probe->membership) != HYPHA_OK)
        return;
    probe->session->white_failures = 0;
    if (hy_hosts_move(net->hosts, probe->url, HYPHA_COLOUR_WHITE, HY_HOST_FREE) != HYPHA_OK)
        hy_hosts_free(net->hosts, probe->url);
    hy_log_verbose(&net->log, TARGET, "%s answers: it is on the white list now",
        hy_session_text(probe->url, text));
    hypha_channel_stop(channel);
}

static void on_channel_stopped(struct hypha_channel *channel, enum hypha_err why, void *user)
{
    struct probe *probe = user;
    bool judged = probe->membership.registered;

    hy_session_unregister(channel, &probe->membership, why);
    probe->channel = NULL;
    hypha_channel_unref(channel);
    if (judged)
        probe_gone(probe);
    else
        probe_failed(probe, why, hypha_err_text(why));
}

static const struct hy_channel_owner channel_owner = {
    .on_ready = on_channel_ready,
    .on_stopped = on_channel_stopped,
};

static void on_connected(
    void *user, enum hypha_err err, const char *why_text, struct hypha_channel *channel)
{
    struct probe *probe = user;

    if (err == HYPHA_OK) {
        probe->channel = channel;
        probe->state = HANDSHAKE;
        err = hy_channel_start(channel, &channel_owner, probe);
        why_text = hypha_err_text(err);
        if (err == HYPHA_OK)
            return;
        probe->channel = NULL;
        hypha_channel_unref(channel);
    }
    probe_failed(probe, err, why_text);
}

/* Takes the reference to `url`, whose state is Refine. False: no memory, it is Free again. */
static bool probe_start(
    struct hy_session_refine *session, struct hypha_url *url, enum probe_cause cause)
{
    struct probe *probe = hy_alloc(sizeof(*probe));

    if (probe == NULL) {
        hy_hosts_free(session->net->hosts, url);
        hypha_url_unref(url);
        return false;
    }
    probe->session = session;
    probe->cause = cause;
    probe->url = url;
    LIST_INSERT_HEAD(&session->probes, probe, entry);
    session->running[cause]++;
    hy_connector_init(&probe->connector, session->net, HYPHA_SESSION_REFINE, on_connected, probe);
    hy_connector_connect(&probe->connector, url, 0);
    return true;
}

/* ---- every interval ---- */

static bool is_offline(const struct hy_net *net)
{
    return net->peers_count == 0 &&
        hy_now_ms(net->loop) - net->last_connection_ms >=
        net->settings->time_with_no_connections_ms;
}

static void on_interval(void *user)
{
    struct hy_session_refine *session = user;
    struct hy_net *net = session->net;
    struct hypha_url *url = NULL;

    hy_timer_start(&session->interval,
        hy_random_jitter(net->loop, net->settings->refinery_interval_ms, JITTER_PERCENT));
    hy_hosts_prune(net->hosts);
    if (hy_hosts_count(net->hosts, HYPHA_COLOUR_GREY) == 0)
        return;
    if (is_offline(net)) {
        hy_hosts_unsuspend(net->hosts); /* they may be as good as ever */
        return;
    }
    while (session->running[BY_INTERVAL] < HY_REFINE_PROBES &&
        hy_hosts_pick_refine(net->hosts, &url) == HYPHA_OK &&
        probe_start(session, url, BY_INTERVAL)) {
    }
}

/* ---- seed nodes ---- */

/* Only what is still grey and free is worth a probe. */
static bool take_for_probe(struct hy_net *net, const struct hypha_url *url)
{
    enum hypha_colour colour;
    uint64_t last_seen;

    return hy_hosts_find(net->hosts, url, &colour, &last_seen) && colour == HYPHA_COLOUR_GREY &&
        hy_hosts_is_dialable(net->hosts, url) &&
        hy_hosts_set(net->hosts, url, HY_HOST_REFINE) == HYPHA_OK;
}

static void next_announced(struct hy_session_refine *session)
{
    while (session->running[BY_ANNOUNCEMENT] < HY_ANNOUNCED_PROBES &&
        !TAILQ_EMPTY(&session->waiting)) {
        struct waiting *first = TAILQ_FIRST(&session->waiting);
        struct hypha_url *url = first->url;

        TAILQ_REMOVE(&session->waiting, first, entry);
        session->waiting_count--;
        hy_free(first);
        if (take_for_probe(session->net, url))
            (void)probe_start(session, url, BY_ANNOUNCEMENT);
        else
            hypha_url_unref(url);
    }
}

/* The address as the lists know it: a seed client may have announced it with a query. */
static struct hypha_url *listed_form(const struct hy_net *net, const struct hypha_url *url)
{
    enum hypha_colour colour;
    uint64_t last_seen;
    struct hypha_url *bare = NULL, *key = NULL;

    if (hy_url_announceable(url, &bare) != HYPHA_OK)
        return NULL;
    enum hypha_err err = hy_url_canonical(bare, &key);
    hypha_url_unref(bare);
    if (err != HYPHA_OK)
        return NULL;
    if (hy_hosts_find(net->hosts, key, &colour, &last_seen) && colour == HYPHA_COLOUR_GREY)
        return key;
    hypha_url_unref(key);
    return NULL;
}

static void add_waiting(struct hy_session_refine *session, struct hypha_url *url)
{
    struct waiting *waiting = session->waiting_count < HY_ANNOUNCED_MAX ? hy_alloc(sizeof(*waiting))
                                                                        : NULL;

    if (waiting == NULL) {
        hypha_url_unref(url); /* it stays grey: the interval will come to it */
        return;
    }
    waiting->url = url;
    TAILQ_INSERT_TAIL(&session->waiting, waiting, entry);
    session->waiting_count++;
}

/* Grey hosts that a channel has told of, besides those that it calls its own. */
struct told {
    struct hy_session_refine *session;
    const struct hypha_url *source;
    size_t left;
};

static void add_told(const struct hypha_url *url, uint64_t last_seen, void *user)
{
    struct told *told = user;
    const struct hypha_url *source = hy_hosts_source(told->session->net->hosts, url);

    (void)last_seen;
    if (told->left == 0 || source == NULL || !hypha_url_equal(source, told->source) ||
        hy_hosts_state(told->session->net->hosts, url) != HY_HOST_FREE)
        return;

    struct hypha_url *listed = listed_form(told->session->net, url);
    if (listed == NULL)
        return;
    told->left--;
    add_waiting(told->session, listed);
}

void hy_session_refine_announced(
    struct hy_session_refine *session, struct hypha_channel *channel, size_t inserted)
{
    const struct hypha_url *url;

    if (!session->started || !session->net->settings->probe_announced)
        return;
    for (size_t i = 0; (url = hypha_channel_peer_address(channel, i)) != NULL; i++) {
        struct hypha_url *listed = listed_form(session->net, url);

        if (listed != NULL)
            add_waiting(session, listed);
    }
    if (inserted > 0) {
        struct told told = { session, hypha_channel_address(channel), HY_ANNOUNCED_PROBES };

        hy_hosts_each(session->net->hosts, HYPHA_COLOUR_GREY, add_told, &told);
    }
    next_announced(session);
}

size_t hy_session_refine_announced_count(const struct hy_session_refine *session)
{
    return session->running[BY_ANNOUNCEMENT] + session->waiting_count;
}

/* So that each is visited in time; the setting is the longest pause. */
static uint64_t white_pause_ms(const struct hy_net *net)
{
    size_t count = hy_hosts_count(net->hosts, HYPHA_COLOUR_WHITE);
    uint64_t pause_ms = HY_WHITE_VISIT_MS / (count > 0 ? count : 1);
    uint64_t longest_ms = net->settings->white_refinery_interval_ms;

    return hy_random_jitter(
        net->loop, pause_ms < longest_ms ? pause_ms : longest_ms, JITTER_PERCENT);
}

/* A seed node's white list is what it gives to strangers: keep it true. In doubt about ourselves
 * one that is likely to answer ends it; the oldest are the likeliest to be dead. */
static void on_white_interval(void *user)
{
    struct hy_session_refine *session = user;
    struct hy_net *net = session->net;
    struct hypha_url *url = NULL;

    hy_timer_start(&session->white_interval, white_pause_ms(net));
    if (session->running[OF_WHITE] < HY_WHITE_PROBES &&
        hy_hosts_pick_white(net->hosts, doubts_itself(session), &url) == HYPHA_OK)
        (void)probe_start(session, url, OF_WHITE);
}

/* ---- feelers ---- */

/* Exponentially distributed with that mean, by comparing alone (von Neumann): whoever watches
 * cannot tell when the next one comes. */
static uint64_t exponential_ms(struct hypha_loop *loop, uint64_t mean_ms)
{
    for (uint64_t whole = 0; whole < MAX_FEELER_PAUSES; whole++) {
        uint32_t first = hy_random_u32(loop), last = first, next;
        unsigned falls = 1;

        while ((next = hy_random_u32(loop)) < last) {
            last = next;
            falls++;
        }
        if (falls % 2 == 1)
            return whole * mean_ms + ((uint64_t)first * mean_ms >> 32);
    }
    return MAX_FEELER_PAUSES * mean_ms;
}

static void on_feeler(void *user)
{
    struct hy_session_refine *session = user;
    struct hypha_url *url = NULL;

    hy_timer_start(&session->feeler, exponential_ms(session->net->loop, HY_FEELER_MS));
    if (session->running[FEELER] == 0 && !is_offline(session->net) &&
        hy_hosts_pick_feeler(session->net->hosts, &url) == HYPHA_OK)
        (void)probe_start(session, url, FEELER);
}

/* ---- the session ---- */

static void on_probed(void *user)
{
    struct hy_session_refine *session = user;

    if (session->started && session->on_probed != NULL &&
        hy_session_refine_announced_count(session) == 0)
        session->on_probed(session->probed_user);
}

static void on_done(void *user)
{
    struct hy_session_refine *session = user;

    session->on_stopped(session->user);
}

enum hypha_err hy_session_refine_create(struct hy_net *net, void (*probed_cb)(void *user),
    void *user, struct hy_session_refine **ret_session)
{
    struct hy_session_refine *session = hy_alloc(sizeof(*session));

    if (session == NULL)
        return HYPHA_ERR_NOMEM;
    session->net = net;
    session->on_probed = probed_cb;
    session->probed_user = user;
    LIST_INIT(&session->probes);
    TAILQ_INIT(&session->waiting);
    hy_timer_init(&session->interval, net->loop, on_interval, session);
    hy_timer_init(&session->white_interval, net->loop, on_white_interval, session);
    hy_timer_init(&session->feeler, net->loop, on_feeler, session);
    hy_defer_init(&session->probed, net->loop, on_probed, session);
    hy_defer_init(&session->done, net->loop, on_done, session);
    *ret_session = session;
    return HYPHA_OK;
}

void hy_session_refine_start(struct hy_session_refine *session)
{
    const struct hy_resolved_settings *settings = session->net->settings;

    session->started = true;
    hy_timer_start(&session->interval,
        hy_random_jitter(session->net->loop, settings->refinery_interval_ms, JITTER_PERCENT));
    hy_timer_start(&session->feeler, exponential_ms(session->net->loop, HY_FEELER_MS));
    if (settings->probe_announced)
        hy_timer_start(&session->white_interval, white_pause_ms(session->net));
}

static void forget_waiting(struct hy_session_refine *session)
{
    struct waiting *waiting;

    while ((waiting = TAILQ_FIRST(&session->waiting)) != NULL) {
        TAILQ_REMOVE(&session->waiting, waiting, entry);
        hypha_url_unref(waiting->url);
        hy_free(waiting);
    }
    session->waiting_count = 0;
}

void hy_session_refine_stop(
    struct hy_session_refine *session, hy_session_stopped_cb on_stopped, void *user)
{
    struct probe *probe;

    session->started = false;
    session->on_stopped = on_stopped;
    session->user = user;
    hy_timer_stop(&session->interval);
    hy_timer_stop(&session->white_interval);
    hy_timer_stop(&session->feeler);
    hy_defer_stop(&session->probed);
    forget_waiting(session);
    LIST_FOREACH (probe, &session->probes, entry) {
        if (probe->channel != NULL)
            hypha_channel_stop(probe->channel);
        else
            hy_connector_stop(&probe->connector);
    }
    if (LIST_EMPTY(&session->probes))
        hy_defer_start(&session->done);
}

void hy_session_refine_destroy(struct hy_session_refine *session)
{
    if (session == NULL)
        return;
    assert(LIST_EMPTY(&session->probes));
    hy_timer_stop(&session->interval);
    hy_timer_stop(&session->white_interval);
    hy_timer_stop(&session->feeler);
    hy_defer_stop(&session->probed);
    hy_defer_stop(&session->done);
    forget_waiting(session);
    hy_free(session);
}

void hy_session_refine_rearm(struct hy_session_refine *session)
{
    const struct hy_resolved_settings *settings = session->net->settings;

    if (hy_timer_is_armed(&session->interval))
        hy_timer_start(&session->interval,
            hy_random_jitter(session->net->loop, settings->refinery_interval_ms, JITTER_PERCENT));
    if (hy_timer_is_armed(&session->white_interval))
        hy_timer_start(&session->white_interval, white_pause_ms(session->net));
}
