/* daemon/options.h - the command line, as a table.
 *
 * --name VALUE, --name=VALUE, -n VALUE, -nVALUE, -vvv. A list takes values up to the next flag
 * and may be repeated. spec: apps.md 1.1 */
#ifndef HY_DAEMON_OPTIONS_H
#define HY_DAEMON_OPTIONS_H

#include <hypha/err.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>

enum hy_option_kind {
    HY_OPTION_FLAG,  /* no value */
    HY_OPTION_COUNT, /* no value, counted */
    HY_OPTION_VALUE, /* one value, once */
    HY_OPTION_LIST,
};

struct hy_option {
    const char *name; /* without dashes */
    char letter;      /* 0: none */
    enum hy_option_kind kind;
    const char *value; /* what the help calls it */
    const char *help;
};

#define HY_MAX_OPTIONS 64

struct hy_option_seen {
    size_t times;
    const char **values; /* into argv */
    size_t count;
};

struct hy_options {
    const struct hy_option *table; /* borrowed */
    size_t count;
    struct hy_option_seen seen[HY_MAX_OPTIONS];
};

#define HY_OPTIONS_WHY_BYTES 256

/* Errors: NOMEM; INVALID, with a text for people in `why`. */
enum hypha_err hy_options_parse(struct hy_options *options, const struct hy_option *table,
    size_t count, int argc, char *const argv[], char why[HY_OPTIONS_WHY_BYTES]);
void hy_options_fini(struct hy_options *options);

/* The name must be in the table. */
const struct hy_option_seen *hy_options_get(const struct hy_options *options, const char *name);
/* The value of a HY_OPTION_VALUE; NULL: not given. */
const char *hy_options_value(const struct hy_options *options, const char *name);

void hy_options_help(FILE *out, const char *program, const char *summary,
    const struct hy_option *table, size_t count);

#endif
