/* daemon/config.h - find a config file, write its template at the first run, read its tables.
 *
 * A table is read by a list of keys; what isn't in it is warned of with its nearest known
 * neighbour, what has a bad value is refused with file, line, column, key and what was expected.
 * spec: apps.md 1.2 */
#ifndef HY_DAEMON_CONFIG_H
#define HY_DAEMON_CONFIG_H

#include "daemon/toml.h"
#include <hypha/api.h>
#include <hypha/err.h>

#define HY_CONFIG_MAX_BYTES    (1024 * 1024)
#define HY_CONFIG_MAX_WARNINGS 64
#define HY_CONFIG_WHY_BYTES    512

/* Where `file_name` is looked for by default: $XDG_CONFIG_HOME/darkfi, else ~/.config/darkfi.
 * ret_path: the caller's, hy_free(). Errors: NOMEM; NOT_FOUND: no home. */
enum hypha_err hy_config_default_path(const char *file_name, char **ret_path);
/* A leading "~/" becomes the home; "~name" is refused.
 * Errors: NOMEM; NOT_FOUND: no home; INVALID. */
enum hypha_err hy_config_expand(const char *path, char **ret_path);

/* Write the template, with parents, unless something is there.
 * Errors: EXISTS, ACCESS, IO, NOMEM. */
enum hypha_err hy_config_write_template(const char *path, const char *text);

struct hy_config {
    const char *file; /* its path, for messages; borrowed */
    struct hy_toml_node *root;
    char why[HY_CONFIG_WHY_BYTES]; /* one line, after an error */
    char *warnings[HY_CONFIG_MAX_WARNINGS];
    size_t warning_count;
};

/* Errors: NOT_FOUND: nothing is there; IO, ACCESS, LIMIT, MALFORMED, NOMEM: see config->why. */
enum hypha_err hy_config_load(struct hy_config *config, const char *path);
void hy_config_fini(struct hy_config *config);

/* A key of a table. `apply` gets the value and returns false after hy_config_refuse(). */
struct hy_config_key {
    const char *name;
    bool (*apply)(struct hy_config *config, const struct hy_toml_node *value, const char *path,
        const struct hy_config_key *key, void *target);
    int arg;          /* for apply */
    const char *flag; /* for the command line: daemon/net_config.c */
};

/* Apply a table's keys in the order of the file. path: of the table, "" for the root.
 * False: refused, see config->why. */
bool hy_config_read_table(struct hy_config *config, const struct hy_toml_node *table,
    const char *path, const struct hy_config_key *keys, size_t count, void *target);

/* FILE:LINE:COLUMN: PATH: text */
void hy_config_refuse(struct hy_config *config, const struct hy_toml_node *value, const char *path,
    const char *format, ...) HYPHA_PRINTF(4, 5);
void hy_config_warn(struct hy_config *config, const struct hy_toml_node *value, const char *format,
    ...) HYPHA_PRINTF(3, 4);

/* False: refused as not of this kind. */
bool hy_config_is(struct hy_config *config, const struct hy_toml_node *value, const char *path,
    enum hy_toml_kind kind);

/* The nearest of the names, if it is near enough to be meant; else NULL. */
const char *hy_config_nearest(const char *name, const struct hy_config_key *keys, size_t count);

#endif
