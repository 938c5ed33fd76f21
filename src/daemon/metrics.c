/* metrics.c - the page: a table of families, each with the function that emits its samples. */
#include "daemon/metrics.h"
#include "base/alloc.h"
#include "daemon/daemon_internal.h"
#include "daemon/metrics_text.h"
#include "daemon/process.h"

#include <ctype.h>
#include <stdio.h>
#include <string.h>

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))
#define EVENTS                                                                                     \
    (HYPHA_EVENT_BIT(HYPHA_EVENT_DIAL) | HYPHA_EVENT_BIT(HYPHA_EVENT_HANDSHAKE) |                  \
        HYPHA_EVENT_BIT(HYPHA_EVENT_BANNED) | HYPHA_EVENT_BIT(HYPHA_EVENT_REFUSED) |               \
        HYPHA_EVENT_BIT(HYPHA_EVENT_EVICTED))

/* ---- counters ---- */

static size_t index_of_err(enum hypha_err err)
{
    long number = -(long)err;

    return number >= 0 && number < HY_COUNTERS_ERRORS ? (size_t)number : HY_COUNTERS_ERRORS - 1;
}

static size_t index_of_session(enum hypha_session session)
{
    for (size_t i = 1; i < HY_COUNTERS_SESSIONS; i++)
        if ((unsigned)session == 1U << (i - 1))
            return i;
    return 0;
}

void hy_counters_count(const struct hypha_event *event, void *user)
{
    struct hy_counters *counters = user;
    size_t err = index_of_err(event->err), session = index_of_session(event->session);

    if (event->type == HYPHA_EVENT_DIAL)
        counters->dials[session][err]++;
    else if (event->type == HYPHA_EVENT_HANDSHAKE)
        counters->handshakes[session][err]++;
    else if (event->type == HYPHA_EVENT_BANNED)
        counters->bans[err]++;
    else if (event->type == HYPHA_EVENT_REFUSED)
        counters->refused[err]++;
    else if (event->type == HYPHA_EVENT_EVICTED)
        counters->evicted++;
}

enum hypha_err hy_counters_start(struct hy_daemon_node *node)
{
    node->counters = hy_alloc(sizeof *node->counters);
    if (node->counters == NULL)
        return HYPHA_ERR_NOMEM;
    enum hypha_err err = hypha_p2p_subscribe_events_of(
        node->p2p, EVENTS, hy_counters_count, node->counters);
    if (err != HYPHA_OK) {
        hy_free(node->counters);
        node->counters = NULL;
    }
    return err;
}

void hy_counters_stop(struct hy_daemon_node *node)
{
    if (node->counters == NULL)
        return;
    hypha_p2p_unsubscribe_events(node->p2p, hy_counters_count, node->counters);
    hy_free(node->counters);
    node->counters = NULL;
}

/* ---- samples of one node ---- */

/* Where samples go, and whose they are. */
struct into {
    struct hy_metrics_text *page;
    const struct hy_daemon_node *node;
    int arg; /* of the family */
};

/* One label besides the network's, or two, or none. */
static void sample(const struct into *into, const char *name, const char *value, const char *name2,
    const char *value2, uint64_t number)
{
    const struct hy_metric_label labels[HY_METRICS_MAX_LABELS] = { { "network", into->node->name },
        { name, value }, { name2, value2 } };

    hy_metrics_sample(into->page, labels, number);
}

/* "ok", else the error's name in small letters. */
static const char *result_name(size_t err, char into[32])
{
    if (err == 0)
        return "ok";
    (void)snprintf(into, 32, "%s", hypha_err_name((enum hypha_err)(-(int)err)));
    for (char *at = into; *at != '\0'; at++)
        *at = (char)tolower((unsigned char)*at);
    return into;
}

static const char *session_name(size_t index)
{
    return index > 0 ? hypha_session_name((enum hypha_session)(1U << (index - 1))) : "none";
}

struct channel_sums {
    uint64_t count[HY_COUNTERS_SESSIONS];
    uint64_t queued, deepest;
};

static void add_channel(struct hypha_channel *channel, void *user)
{
    struct channel_sums *sums = user;
    uint64_t queued = hypha_channel_queued_bytes(channel);

    sums->count[index_of_session(hypha_channel_session(channel))]++;
    sums->queued += queued;
    if (queued > sums->deepest)
        sums->deepest = queued;
}

static void emit_channels(const struct into *into)
{
    struct channel_sums sums = { .queued = 0 };

    hypha_p2p_each_channel(into->node->p2p, add_channel, &sums);
    for (size_t i = 1; i < HY_COUNTERS_SESSIONS; i++)
        sample(into, "session", session_name(i), NULL, NULL, sums.count[i]);
}

enum queue_part { QUEUE_SUM, QUEUE_DEEPEST };

static void emit_queues(const struct into *into)
{
    struct channel_sums sums = { .queued = 0 };

    hypha_p2p_each_channel(into->node->p2p, add_channel, &sums);
    sample(into, NULL, NULL, NULL, NULL, into->arg == QUEUE_SUM ? sums.queued : sums.deepest);
}

enum traffic_part { TRAFFIC_MESSAGES, TRAFFIC_BYTES };

static void add_command(const char *command, const struct hypha_traffic *traffic, void *user)
{
    const struct into *into = user;
    bool bytes = into->arg == TRAFFIC_BYTES;

    sample(into, "command", command, "direction", "in",
        bytes ? traffic->bytes_in : traffic->messages_in);
    sample(into, "command", command, "direction", "out",
        bytes ? traffic->bytes_out : traffic->messages_out);
}

static void emit_traffic(const struct into *into)
{
    hypha_p2p_each_command(into->node->p2p, add_command, (void *)(uintptr_t)into);
}

static void emit_peers(const struct into *into)
{
    sample(into, NULL, NULL, NULL, NULL, hypha_p2p_peers_count(into->node->p2p));
}

/* Slots by session and state; the states are static texts, few of them. */
#define MAX_STATES 16
struct slot_sums {
    struct {
        enum hypha_session session;
        const char *state;
        uint64_t count;
    } rows[MAX_STATES * 3];
    size_t count;
};

static void add_slot(const struct hypha_slot_info *slot, void *user)
{
    struct slot_sums *sums = user;

    for (size_t i = 0; i < sums->count; i++) {
        if (sums->rows[i].session == slot->session &&
            strcmp(sums->rows[i].state, slot->state) == 0) {
            sums->rows[i].count++;
            return;
        }
    }
    if (sums->count == COUNT(sums->rows))
        return;
    sums->rows[sums->count].session = slot->session;
    sums->rows[sums->count].state = slot->state;
    sums->rows[sums->count++].count = 1;
}

static void emit_slots(const struct into *into)
{
    struct slot_sums sums = { .count = 0 };

    hypha_p2p_each_slot(into->node->p2p, add_slot, &sums);
    for (size_t i = 0; i < sums.count; i++)
        sample(into, "session", hypha_session_name(sums.rows[i].session), "state",
            sums.rows[i].state, sums.rows[i].count);
}

enum result_part { RESULT_DIALS, RESULT_HANDSHAKES };

static void emit_results(const struct into *into)
{
    const struct hy_counters *counters = into->node->counters;
    char name[32];

    for (size_t s = 0; counters != NULL && s < HY_COUNTERS_SESSIONS; s++) {
        const uint64_t *row = into->arg == RESULT_DIALS ? counters->dials[s]
                                                        : counters->handshakes[s];
        for (size_t e = 0; e < HY_COUNTERS_ERRORS; e++)
            if (row[e] > 0)
                sample(into, "session", session_name(s), "result", result_name(e, name), row[e]);
    }
}

enum reason_part { REASON_BANS, REASON_REFUSED };

static void emit_reasons(const struct into *into)
{
    const struct hy_counters *counters = into->node->counters;
    char name[32];

    for (size_t e = 0; counters != NULL && e < HY_COUNTERS_ERRORS; e++) {
        uint64_t count = into->arg == REASON_BANS ? counters->bans[e] : counters->refused[e];

        if (count > 0)
            sample(into, "reason", result_name(e, name), NULL, NULL, count);
    }
}

static void emit_evicted(const struct into *into)
{
    if (into->node->counters != NULL)
        sample(into, NULL, NULL, NULL, NULL, into->node->counters->evicted);
}

static void count_host(const struct hypha_url *url, uint64_t last_seen, void *user)
{
    (void)url;
    (void)last_seen;
    ++*(uint64_t *)user;
}

static void emit_hosts(const struct into *into)
{
    for (int colour = 0; colour < HYPHA_COLOURS; colour++) {
        uint64_t count = 0;

        hypha_p2p_each_host(into->node->p2p, (enum hypha_colour)colour, count_host, &count);
        sample(into, "colour", hy_list_name((enum hypha_colour)colour), NULL, NULL, count);
    }
}

static void emit_rounds(const struct into *into)
{
    struct hypha_discovery_info info;

    hypha_p2p_discovery(into->node->p2p, &info);
    sample(into, "kind", "getaddr", NULL, NULL, info.getaddr_rounds);
    sample(into, "kind", "seed", NULL, NULL, info.seed_rounds);
}

static void count_ban(const struct hypha_ban *ban, void *user)
{
    (void)ban;
    ++*(uint64_t *)user;
}

static void emit_bans(const struct into *into)
{
    uint64_t count = 0;

    hypha_p2p_each_ban(into->node->p2p, count_ban, &count);
    sample(into, NULL, NULL, NULL, NULL, count);
}

static const struct {
    const char *name;
    enum hy_metric_kind kind;
    const char *help;
    void (*emit)(const struct into *into);
    int arg;
} families[] = {
    { "hypha_peers", HY_METRIC_GAUGE, "Peers connected, seeds and tests not counted.", emit_peers,
        0 },
    { "hypha_channels", HY_METRIC_GAUGE, "Channels past their handshake, by session.",
        emit_channels, 0 },
    { "hypha_slots", HY_METRIC_GAUGE, "Outbound slots, configured peers and seeds, by state.",
        emit_slots, 0 },
    { "hypha_messages_total", HY_METRIC_COUNTER, "Messages by command and direction.", emit_traffic,
        TRAFFIC_MESSAGES },
    { "hypha_message_bytes_total", HY_METRIC_COUNTER,
        "Bytes of the messages' payloads by command and direction.", emit_traffic, TRAFFIC_BYTES },
    { "hypha_send_queue_bytes", HY_METRIC_GAUGE, "Bytes waiting to be sent, over all channels.",
        emit_queues, QUEUE_SUM },
    { "hypha_send_queue_deepest_bytes", HY_METRIC_GAUGE,
        "Bytes waiting to be sent in the fullest channel.", emit_queues, QUEUE_DEEPEST },
    { "hypha_dials_total", HY_METRIC_COUNTER, "Ends of dials by session and result.", emit_results,
        RESULT_DIALS },
    { "hypha_handshakes_total", HY_METRIC_COUNTER, "Ends of handshakes by session and result.",
        emit_results, RESULT_HANDSHAKES },
    { "hypha_inbound_refused_total", HY_METRIC_COUNTER,
        "Connections refused before their handshake, by reason.", emit_reasons, REASON_REFUSED },
    { "hypha_inbound_evicted_total", HY_METRIC_COUNTER,
        "Inbound channels that made room for a newcomer.", emit_evicted, 0 },
    { "hypha_hosts", HY_METRIC_GAUGE, "Known hosts by list.", emit_hosts, 0 },
    { "hypha_discovery_rounds_total", HY_METRIC_COUNTER, "Rounds of peer discovery by kind.",
        emit_rounds, 0 },
    { "hypha_bans", HY_METRIC_GAUGE, "Bans that hold now.", emit_bans, 0 },
    { "hypha_bans_total", HY_METRIC_COUNTER, "Bans by reason.", emit_reasons, REASON_BANS },
};

/* ---- the page ---- */

static void put_process(struct hy_metrics_text *page, const struct hy_daemon *daemon)
{
    const struct hy_metric_label build[HY_METRICS_MAX_LABELS] = {
        { "program", daemon->program->name }, { "version", daemon->program->app_version }
    };
    struct hy_process process;

    hy_process_read(&process);
    hy_metrics_family(
        page, "hypha_build_info", HY_METRIC_GAUGE, "Always 1; the labels say what runs.");
    hy_metrics_sample(page, build, 1);
    hy_metrics_family(page, "hypha_uptime_seconds", HY_METRIC_GAUGE, "Since the daemon's start.");
    hy_metrics_sample_real(
        page, NULL, (double)(hy_now_ms(daemon->loop) - daemon->start_ms) / 1000.0);
    hy_metrics_family(page, "hypha_rpc_connections", HY_METRIC_GAUGE, "JSON-RPC clients.");
    hy_metrics_sample(page, NULL, hy_rpc_server_connection_count(daemon->rpc));
    hy_metrics_family(page, "process_start_time_seconds", HY_METRIC_GAUGE,
        "Start of the process in UNIX seconds.");
    hy_metrics_sample(page, NULL, daemon->start_s);
    hy_metrics_family(
        page, "process_cpu_seconds_total", HY_METRIC_COUNTER, "Processor time, user and system.");
    hy_metrics_sample_real(page, NULL, process.cpu_s);
    hy_metrics_family(
        page, "process_resident_memory_bytes", HY_METRIC_GAUGE, "Memory that is in use.");
    hy_metrics_sample(page, NULL, process.resident_bytes);
    hy_metrics_family(
        page, "process_virtual_memory_bytes", HY_METRIC_GAUGE, "Memory that is mapped.");
    hy_metrics_sample(page, NULL, process.virtual_bytes);
    hy_metrics_family(page, "process_open_fds", HY_METRIC_GAUGE, "Open file descriptors.");
    hy_metrics_sample(page, NULL, process.open_files);
    hy_metrics_family(page, "process_max_fds", HY_METRIC_GAUGE, "How many may be open.");
    hy_metrics_sample(page, NULL, process.max_files);
}

char *hy_metrics_page(struct hy_daemon *daemon, size_t *ret_len)
{
    struct hy_metrics_text page = { 0 };
    const struct hy_daemon_node *node;

    put_process(&page, daemon);
    for (size_t i = 0; i < COUNT(families); i++) {
        hy_metrics_family(&page, families[i].name, families[i].kind, families[i].help);
        STAILQ_FOREACH (node, &daemon->nodes, entry) {
            const struct into into = { &page, node, families[i].arg };
            families[i].emit(&into);
        }
    }
    if (page.failed) {
        hy_metrics_text_fini(&page);
        return NULL;
    }
    *ret_len = page.len;
    return page.text;
}

/* ---- HTTP ---- */

static void respond(struct hy_http_request *request, unsigned status, const char *text)
{
    hy_http_respond(request, status, "text/plain; charset=utf-8", text, strlen(text));
}

static void on_request(struct hy_http_request *request, void *user)
{
    struct hy_daemon *daemon = user;
    const char *path = hy_http_path(request);

    if (strcmp(path, "/metrics") == 0) {
        size_t len = 0;
        char *page = hy_metrics_page(daemon, &len);

        if (page != NULL)
            hy_http_respond(request, 200, HY_METRICS_CONTENT_TYPE, page, len);
        else
            respond(request, 500, "out of memory\n");
        hy_free(page);
    } else if (strcmp(path, "/health") == 0) {
        bool up = daemon->state == HY_DAEMON_RUNNING;
        respond(request, up ? 200 : 503, up ? "ok\n" : "starting\n");
    } else {
        respond(request, 404, "Here are only /metrics and /health.\n");
    }
}

enum hypha_err hy_metrics_listen(
    struct hy_daemon *daemon, const char *listen, const char *token, char why[256])
{
    const struct hy_http_options options = {
        .listen = listen,
        .token = token,
        /* With a token nobody gets in by a browser's favour. */
        .check_host = token == NULL,
        .handler = on_request,
        .user = daemon,
    };
    struct hy_daemon_node *node;
    enum hypha_err err = hy_http_create(daemon->loop, &options, &daemon->http, why);

    STAILQ_FOREACH (node, &daemon->nodes, entry)
        if (err == HYPHA_OK && (err = hy_counters_start(node)) != HYPHA_OK)
            (void)snprintf(why, 256, "%s", hypha_err_text(err));
    return err;
}
