/* metrics_text.c - see metrics_text.h. */
#include "daemon/metrics_text.h"
#include "base/alloc.h"

#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

#define FIRST_BYTES 8192U

void hy_metrics_text_fini(struct hy_metrics_text *page)
{
    hy_free(page->text);
    *page = (struct hy_metrics_text){ 0 };
}

static bool make_room(struct hy_metrics_text *page, size_t more)
{
    size_t size = page->size > 0 ? page->size : FIRST_BYTES;

    if (page->failed)
        return false;
    if (page->size - page->len >= more && page->size > 0)
        return true;
    while (size - page->len < more && size <= HY_METRICS_MAX_BYTES)
        size *= 2;
    char *grown = size <= HY_METRICS_MAX_BYTES ? hy_realloc(page->text, size) : NULL;
    if (grown == NULL) {
        page->failed = true;
        return false;
    }
    page->text = grown;
    page->size = size;
    return true;
}

static void put(struct hy_metrics_text *page, const char *text, size_t len)
{
    if (!make_room(page, len))
        return;
    memcpy(page->text + page->len, text, len);
    page->len += len;
}

static void put_text(struct hy_metrics_text *page, const char *text)
{
    put(page, text, strlen(text));
}

/* Backslash and line feed; in a label's value the quote too. */
static void put_escaped(struct hy_metrics_text *page, const char *text, bool quotes)
{
    for (; *text != '\0'; text++) {
        if (*text == '\\')
            put_text(page, "\\\\");
        else if (*text == '\n')
            put_text(page, "\\n");
        else if (*text == '"' && quotes)
            put_text(page, "\\\"");
        else
            put(page, text, 1);
    }
}

void hy_metrics_family(
    struct hy_metrics_text *page, const char *name, enum hy_metric_kind kind, const char *help)
{
    page->family = name;
    put_text(page, "# HELP ");
    put_text(page, name);
    put_text(page, " ");
    put_escaped(page, help, false);
    put_text(page, "\n# TYPE ");
    put_text(page, name);
    put_text(page, kind == HY_METRIC_COUNTER ? " counter\n" : " gauge\n");
}

static void put_sample(struct hy_metrics_text *page,
    const struct hy_metric_label labels[HY_METRICS_MAX_LABELS], const char *value)
{
    put_text(page, page->family);
    for (size_t i = 0; labels != NULL && i < HY_METRICS_MAX_LABELS && labels[i].name != NULL; i++) {
        put_text(page, i == 0 ? "{" : ",");
        put_text(page, labels[i].name);
        put_text(page, "=\"");
        put_escaped(page, labels[i].value != NULL ? labels[i].value : "", true);
        put_text(page, "\"");
    }
    if (labels != NULL && labels[0].name != NULL)
        put_text(page, "}");
    put_text(page, " ");
    put_text(page, value);
    put_text(page, "\n");
}

void hy_metrics_sample(struct hy_metrics_text *page,
    const struct hy_metric_label labels[HY_METRICS_MAX_LABELS], uint64_t value)
{
    char digits[24];

    (void)snprintf(digits, sizeof digits, "%" PRIu64, value);
    put_sample(page, labels, digits);
}

void hy_metrics_sample_real(struct hy_metrics_text *page,
    const struct hy_metric_label labels[HY_METRICS_MAX_LABELS], double value)
{
    char digits[40];

    if (isnan(value))
        (void)snprintf(digits, sizeof digits, "NaN");
    else if (isinf(value))
        (void)snprintf(digits, sizeof digits, value > 0 ? "+Inf" : "-Inf");
    else
        (void)snprintf(digits, sizeof digits, "%.15g", value);
    put_sample(page, labels, digits);
}
