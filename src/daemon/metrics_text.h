/* daemon/metrics_text.h - write a page in Prometheus' text format 0.0.4.
 *
 * A family is opened once, then its samples follow. What does not fit, or finds no memory, is
 * left out as a whole: a page is either valid or refused. */
#ifndef HY_DAEMON_METRICS_TEXT_H
#define HY_DAEMON_METRICS_TEXT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define HY_METRICS_CONTENT_TYPE "text/plain; version=0.0.4; charset=utf-8"
#define HY_METRICS_MAX_BYTES    (4U * 1024 * 1024)
#define HY_METRICS_MAX_LABELS   4

enum hy_metric_kind { HY_METRIC_COUNTER, HY_METRIC_GAUGE };

struct hy_metric_label {
    const char *name;
    const char *value; /* any UTF-8; escaped */
};

/* Zeroed: empty. */
struct hy_metrics_text {
    char *text;
    size_t len, size;
    const char *family; /* of the samples that follow */
    bool failed;        /* no memory, or too long: the page is of no use */
};

void hy_metrics_text_fini(struct hy_metrics_text *page);
/* name, help: static. */
void hy_metrics_family(
    struct hy_metrics_text *page, const char *name, enum hy_metric_kind kind, const char *help);
/* labels end at the first without a name, or after HY_METRICS_MAX_LABELS. */
void hy_metrics_sample(struct hy_metrics_text *page,
    const struct hy_metric_label labels[HY_METRICS_MAX_LABELS], uint64_t value);
/* The same for a fraction. */
void hy_metrics_sample_real(struct hy_metrics_text *page,
    const struct hy_metric_label labels[HY_METRICS_MAX_LABELS], double value);

#endif
