/* metrics_text_test.c - the page is what a Prometheus server takes: a small parser judges it. */
#include "daemon/metrics_text.h"

#include "base/alloc.h"
#include "daemon/metrics.h"
#include "daemon/process.h"

#include <ctype.h>
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
/* cmocka wants the above first */
#include <cmocka.h>

/* ---- the parser: one sample or comment a line, HELP and TYPE once and before the samples ---- */

#define MAX_FAMILIES 32

struct parsed {
    char families[MAX_FAMILIES][64];
    size_t family_count, samples;
    char value[64];  /* of the last sample */
    char label[256]; /* its first label's value, unescaped */
};

static size_t name_len(const char *text)
{
    size_t len = 0;

    while (isalnum((unsigned char)text[len]) || text[len] == '_' || text[len] == ':')
        len++;
    return isdigit((unsigned char)text[0]) ? 0 : len;
}

/* Past the closing quote; NULL: not a label's value. */
static const char *label_value(const char *at, char *into, size_t size)
{
    size_t len = 0;

    if (*at++ != '"')
        return NULL;
    for (; *at != '"'; at++) {
        if (*at == '\0' || *at == '\n')
            return NULL;
        char c = *at;
        if (c == '\\') {
            c = *++at;
            if (c != '\\' && c != '"' && c != 'n')
                return NULL;
            if (c == 'n')
                c = '\n';
        }
        if (len + 1 < size)
            into[len++] = c;
    }
    into[len] = '\0';
    return at + 1;
}

static bool parse_sample(struct parsed *parsed, const char *line)
{
    size_t len = name_len(line);
    const char *family = parsed->families[parsed->family_count - 1];
    const char *at = line + len;
    char other[256];

    if (parsed->family_count == 0 || len != strlen(family) || strncmp(line, family, len) != 0)
        return false;
    if (*at == '{') {
        for (size_t i = 0; *at != '}'; i++) {
            at++;
            len = name_len(at);
            if (len == 0 || at[len] != '=')
                return false;
            at = label_value(at + len + 1, i == 0 ? parsed->label : other, sizeof other);
            if (at == NULL || (*at != ',' && *at != '}'))
                return false;
        }
        at++;
    }
    if (*at != ' ')
        return false;
    char *end;
    (void)strtod(at + 1, &end);
    (void)snprintf(parsed->value, sizeof parsed->value, "%s", at + 1);
    parsed->samples++;
    return end != at + 1 && *end == '\0';
}

static bool parse_line(struct parsed *parsed, const char *line)
{
    char name[64], word[32];

    if (strncmp(line, "# HELP ", 7) == 0) {
        if (sscanf(line + 7, "%63[a-zA-Z0-9_:]", name) != 1 || parsed->family_count == MAX_FAMILIES)
            return false;
        for (size_t i = 0; i < parsed->family_count; i++)
            if (strcmp(parsed->families[i], name) == 0)
                return false;
        strcpy(parsed->families[parsed->family_count++], name);
        return true;
    }
    if (strncmp(line, "# TYPE ", 7) == 0)
        return sscanf(line + 7, "%63s %31s", name, word) == 2 && parsed->family_count > 0 &&
            strcmp(name, parsed->families[parsed->family_count - 1]) == 0 &&
            (strcmp(word, "counter") == 0 || strcmp(word, "gauge") == 0);
    return parse_sample(parsed, line);
}

static bool parse(const struct hy_metrics_text *page, struct parsed *parsed)
{
    char *copy = strndup(page->text, page->len), *rest = copy, *line;
    bool ok = page->len > 0 && page->text[page->len - 1] == '\n';

    *parsed = (struct parsed){ .samples = 0 };
    while (ok && (line = strsep(&rest, "\n")) != NULL && rest != NULL)
        if (!parse_line(parsed, line)) {
            print_error("not valid: %s\n", line);
            ok = false;
        }
    free(copy);
    return ok;
}

/* ---- tests ---- */

static void test_families(void **state)
{
    struct hy_metrics_text page = { 0 };
    struct parsed parsed;
    const struct hy_metric_label labels[HY_METRICS_MAX_LABELS] = { { "network", "a" },
        { "session", "outbound" } };

    (void)state;
    hy_metrics_family(&page, "hypha_a", HY_METRIC_GAUGE, "One\nline \\ only.");
    hy_metrics_sample(&page, NULL, 7);
    hy_metrics_family(&page, "hypha_b_total", HY_METRIC_COUNTER, "Two.");
    hy_metrics_sample(&page, labels, UINT64_MAX);
    hy_metrics_sample(&page, labels, 0);
    assert_true(parse(&page, &parsed));
    assert_int_equal(parsed.family_count, 2);
    assert_int_equal(parsed.samples, 3);
    assert_non_null(strstr(page.text,
        "# HELP hypha_a One\\nline \\\\ only.\n# TYPE hypha_a gauge\n"
        "hypha_a 7\n"));
    assert_non_null(strstr(
        page.text, "hypha_b_total{network=\"a\",session=\"outbound\"} 18446744073709551615"));
    hy_metrics_text_fini(&page);
}

/* A network may be called anything. */
static void test_labels(void **state)
{
    static const char *const names[] = { "", "plain", "q\"uote", "back\\slash", "line\nfeed",
        "\"} 1\nevil 2", "gr\xc3\xbc\xc3\x9f", "\\" };

    (void)state;
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
        const struct hy_metric_label labels[HY_METRICS_MAX_LABELS] = { { "network", names[i] },
            { "x", "\"" }, { "y", NULL }, { "z", "1" } };
        struct hy_metrics_text page = { 0 };
        struct parsed parsed;

        hy_metrics_family(&page, "hypha_x", HY_METRIC_GAUGE, "X.");
        hy_metrics_sample(&page, labels, i);
        assert_true(parse(&page, &parsed));
        assert_string_equal(parsed.label, names[i]);
        assert_int_equal(parsed.samples, 1);
        hy_metrics_text_fini(&page);
    }
}

static void test_reals(void **state)
{
    static const struct {
        double value;
        const char *text;
    } rows[] = { { 0.5, "0.5" }, { 1e20, "1e+20" }, { -1, "-1" }, { INFINITY, "+Inf" },
        { -INFINITY, "-Inf" }, { NAN, "NaN" } };

    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct hy_metrics_text page = { 0 };
        struct parsed parsed;

        hy_metrics_family(&page, "hypha_x", HY_METRIC_GAUGE, "X.");
        hy_metrics_sample_real(&page, NULL, rows[i].value);
        assert_true(parse(&page, &parsed));
        assert_string_equal(parsed.value, rows[i].text);
        hy_metrics_text_fini(&page);
    }
}

/* A page grows to its bound, then it is refused as a whole; so it is without memory. */
static void test_bounds(void **state)
{
    struct hy_metrics_text page = { 0 };
    struct parsed parsed;

    (void)state;
    hy_metrics_family(&page, "hypha_x", HY_METRIC_GAUGE, "X.");
    for (size_t i = 0; i < 10000; i++)
        hy_metrics_sample(&page, NULL, i);
    assert_false(page.failed);
    assert_true(parse(&page, &parsed));
    assert_int_equal(parsed.samples, 10000);
    for (size_t i = 0; i < 1000000 && !page.failed; i++)
        hy_metrics_sample(&page, NULL, i);
    assert_true(page.failed);
    assert_true(page.size <= HY_METRICS_MAX_BYTES);
    hy_metrics_text_fini(&page);
    hy_alloc_fail_after(0);
    hy_metrics_family(&page, "hypha_x", HY_METRIC_GAUGE, "X.");
    hy_metrics_sample(&page, NULL, 1);
    hy_alloc_fail_after(SIZE_MAX);
    assert_true(page.failed);
    hy_metrics_text_fini(&page);
}

static void test_counters(void **state)
{
    struct hy_counters counters = { .evicted = 0 };
    struct hypha_event event = { .type = HYPHA_EVENT_DIAL, .session = HYPHA_SESSION_OUTBOUND };

    (void)state;
    hy_counters_count(&event, &counters);
    assert_int_equal(counters.dials[2][0], 1);
    event.err = HYPHA_ERR_REFUSED;
    hy_counters_count(&event, &counters);
    hy_counters_count(&event, &counters);
    assert_int_equal(counters.dials[2][62], 2);
    event = (struct hypha_event){
        .type = HYPHA_EVENT_HANDSHAKE, .session = HYPHA_SESSION_DIRECT, .err = HYPHA_ERR_VERSION
    };
    hy_counters_count(&event, &counters);
    assert_int_equal(counters.handshakes[6][98], 1);
    event = (struct hypha_event){ .type = HYPHA_EVENT_REFUSED, .err = HYPHA_ERR_LIMIT };
    hy_counters_count(&event, &counters);
    assert_int_equal(counters.refused[7], 1);
    event.type = HYPHA_EVENT_BANNED;
    event.err = (enum hypha_err) - 100000; /* of a later version */
    hy_counters_count(&event, &counters);
    assert_int_equal(counters.bans[HY_COUNTERS_ERRORS - 1], 1);
    event.type = HYPHA_EVENT_EVICTED;
    hy_counters_count(&event, &counters);
    assert_int_equal(counters.evicted, 1);
}

/* Every error has a place of its own. */
static void test_errors_fit(void **state)
{
    (void)state;
#define FITS(name, number, text) assert_true(-(number) < HY_COUNTERS_ERRORS - 1);
    HYPHA_ERRORS(FITS)
#undef FITS
}

static void test_process(void **state)
{
    struct hy_process process;

    (void)state;
    hy_process_read(&process);
    assert_true(process.resident_bytes > 0 && process.resident_bytes <= process.virtual_bytes);
    assert_true(process.open_files >= 3 && process.open_files <= process.max_files);
    assert_true(process.cpu_s >= 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_families),
        cmocka_unit_test(test_labels),
        cmocka_unit_test(test_reals),
        cmocka_unit_test(test_bounds),
        cmocka_unit_test(test_counters),
        cmocka_unit_test(test_errors_fit),
        cmocka_unit_test(test_process),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
