/* main.c - hypha-bench: run the measurements, print a table, write JSON. */
#include "bench.h"

#include <getopt.h>
#include <jansson.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const struct {
    const char *name;
    void (*run)(struct bench *bench);
} measurements[] = {
    { "throughput", bench_throughput },
    { "latency", bench_latency },
    { "channels", bench_channels },
    { "broadcast", bench_broadcast },
    { "seed", bench_seed },
};
#define MEASUREMENTS (sizeof measurements / sizeof measurements[0])

static void print_number(double value)
{
    if (value >= 1000)
        printf(" %12.0f", value);
    else
        printf(" %12.3f", value);
}

static void print_row(const struct bench_result *row)
{
    printf("%-31s %-8s %-13s", row->name, row->transport, row->unit);
    print_number(row->value);
    if (row->bare > 0) {
        print_number(row->bare);
        printf(" %7.2f", row->value / row->bare);
    } else {
        printf(" %12s %7s", "-", "-");
    }
    printf("  %s\n", row->target);
    (void)fflush(stdout);
}

void bench_add(struct bench *bench, const char *name, const char *transport, const char *unit,
    double value, double bare, bool less_is_better, const char *target)
{
    if (bench->count == BENCH_MAX_RESULTS)
        bench_die("too many results");
    struct bench_result *row = &bench->results[bench->count++];

    (void)snprintf(row->name, sizeof row->name, "%s", name);
    (void)snprintf(row->transport, sizeof row->transport, "%s", transport);
    (void)snprintf(row->unit, sizeof row->unit, "%s", unit);
    (void)snprintf(row->target, sizeof row->target, "%s", target);
    row->value = value;
    row->bare = bare;
    row->less_is_better = less_is_better;
    print_row(row);
}

static void write_json(const struct bench *bench, const char *path)
{
    json_t *rows = json_array();

    for (size_t i = 0; i < bench->count; i++) {
        const struct bench_result *row = &bench->results[i];
        json_t *bare = row->bare > 0 ? json_real(row->bare) : json_null();
        json_t *ratio = row->bare > 0 ? json_real(row->value / row->bare) : json_null();

        if (json_array_append_new(rows,
                json_pack("{s:s, s:s, s:s, s:f, s:o, s:o, s:b, s:s}", "name", row->name,
                    "transport", row->transport, "unit", row->unit, "value", row->value, "bare",
                    bare, "ratio", ratio, "less_is_better", (int)row->less_is_better, "target",
                    row->target)) != 0)
            bench_die("out of memory");
    }
    json_t *all = json_pack("{s:o}", "results", rows);

    if (all == NULL || json_dump_file(all, path, JSON_INDENT(1) | JSON_PRESERVE_ORDER) != 0)
        bench_die("cannot write %s", path);
    json_decref(all);
}

static noreturn void usage(int status)
{
    (void)fputs("usage: hypha-bench [--json FILE] [--quick] [MEASUREMENT ...]\n"
                "measurements:",
        status == 0 ? stdout : stderr);
    for (size_t i = 0; i < MEASUREMENTS; i++)
        (void)fprintf(status == 0 ? stdout : stderr, " %s", measurements[i].name);
    (void)fputs("\n", status == 0 ? stdout : stderr);
    exit(status);
}

static bool is_measurement(const char *name)
{
    for (size_t i = 0; i < MEASUREMENTS; i++)
        if (strcmp(measurements[i].name, name) == 0)
            return true;
    (void)fprintf(stderr, "hypha-bench: there is no measurement \"%s\"\n", name);
    return false;
}

static bool wanted(const char *name, char **names, int count)
{
    for (int i = 0; i < count; i++)
        if (strcmp(names[i], name) == 0)
            return true;
    return count == 0;
}

int main(int argc, char **argv)
{
    static const struct option options[] = {
        { "json", required_argument, NULL, 'j' },
        { "quick", no_argument, NULL, 'q' },
        { "help", no_argument, NULL, 'h' },
        { 0 },
    };
    struct bench bench = { 0 };
    const char *json = NULL;

    for (int option; (option = getopt_long(argc, argv, "h", options, NULL)) != -1;) {
        if (option == 'j')
            json = optarg;
        else if (option == 'q')
            bench.quick = true;
        else
            usage(option == 'h' ? 0 : 2);
    }
    for (int i = optind; i < argc; i++)
        if (!is_measurement(argv[i]))
            usage(2);
    (void)signal(SIGPIPE, SIG_IGN);
    printf("%-31s %-8s %-13s %12s %12s %7s  %s\n", "what", "over", "unit", "hypha", "bare socket",
        "ratio", "target");
    for (size_t i = 0; i < MEASUREMENTS; i++)
        if (wanted(measurements[i].name, argv + optind, argc - optind))
            measurements[i].run(&bench);
    if (json != NULL)
        write_json(&bench, json);
    return 0;
}
