/* view_config.h - which nodes are looked at: dnet_config.toml and the command line.
 *
 * The file is the reference's: [[nodes]] with name, host, port and type; endpoint and token are
 * ours. spec: apps.md 1.2, 6.2 */
#ifndef VIEW_CONFIG_H
#define VIEW_CONFIG_H

#include "view/view_model.h"

struct view_target {
    char *name;
    char *endpoint; /* as dchat -e takes it */
    char *token;    /* NULL: none */
    enum view_kind kind;
    bool kind_is_open;
};

struct view_targets {
    struct view_target entries[VIEW_MAX_NODES];
    size_t count;
};

#define VIEW_CONFIG_WHY_BYTES 512

/* Read the file; `warn` is called with each warning. Errors: NOT_FOUND: nothing is there; others:
 * `why` says it to people. */
enum hypha_err view_config_load(struct view_targets *targets, const char *path,
    void (*warn)(const char *line), char why[VIEW_CONFIG_WHY_BYTES]);
/* [NAME=]ENDPOINT. token: copied; NULL: none. Errors: NOMEM, LIMIT, INVALID, EXISTS with `why`. */
enum hypha_err view_config_add(struct view_targets *targets, const char *text, const char *token,
    char why[VIEW_CONFIG_WHY_BYTES]);
void view_config_fini(struct view_targets *targets);

extern const char view_config_template[];

#endif
