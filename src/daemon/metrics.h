/* daemon/metrics.h - how the daemon and its networks are, for a monitoring system.
 *
 * GET /metrics: Prometheus' text format; GET /health: 200 "ok" while the daemon runs, else 503.
 * Off unless [metrics] listen or --metrics-listen names an address; then the node is asked for
 * its rare events only, never for those of each message. spec: apps.md 11, 12 */
#ifndef HY_DAEMON_METRICS_H
#define HY_DAEMON_METRICS_H

#include <hypha/events.h>
#include <stdbool.h>
#include <stdint.h>

struct hy_daemon;
struct hy_daemon_node;

/* Errors are counted by their number: -err. */
#define HY_COUNTERS_ERRORS   160
#define HY_COUNTERS_SESSIONS 7 /* by bit, from 1; 0: none */

/* What is only told, not kept, by a node. */
struct hy_counters {
    uint64_t dials[HY_COUNTERS_SESSIONS][HY_COUNTERS_ERRORS];
    uint64_t handshakes[HY_COUNTERS_SESSIONS][HY_COUNTERS_ERRORS];
    uint64_t bans[HY_COUNTERS_ERRORS];
    uint64_t refused[HY_COUNTERS_ERRORS];
    uint64_t evicted;
};

/* A hypha_event_cb; user: the counters. */
void hy_counters_count(const struct hypha_event *event, void *user);
/* Begin to count for a node. Errors: NOMEM. */
enum hypha_err hy_counters_start(struct hy_daemon_node *node);
void hy_counters_stop(struct hy_daemon_node *node);

/* Serve the pages. why: 256 bytes. Errors: those of hy_http_create(). */
enum hypha_err hy_metrics_listen(
    struct hy_daemon *daemon, const char *listen, const char *token, char why[256]);

/* The page, hy_free() it. ret_len: without its end. NULL: no memory. */
char *hy_metrics_page(struct hy_daemon *daemon, size_t *ret_len);

#endif
