/* daemon/args.h - what a method was given: the network, then argument by argument.
 *
 * A daemon with several networks is told which by {"network":NAME}, in the last element of the
 * params. The first mistake answers the call with -32602 and words that name the argument and
 * what was expected; all later questions say false. */
#ifndef HY_DAEMON_ARGS_H
#define HY_DAEMON_ARGS_H

#include "rpc/server.h"
#include <hypha/url.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct hy_daemon;
struct hy_daemon_node;

struct hy_args {
    struct hy_rpc_call *call;
    struct hy_daemon *daemon;
    struct hy_daemon_node *node; /* for a method of one node */
    const json_t *params;        /* an array, or NULL */
    size_t count;                /* without the network */
    bool refused;                /* the call is answered */
};

/* Which parts of the params are judged. */
enum hy_args_take {
    HY_ARGS_NODE = 1,   /* the method is of one node */
    HY_ARGS_IGNORE = 2, /* whatever else is given */
};

/* max: of arguments besides the network. usage: such as "[URL, SECONDS]". False: refused. */
bool hy_args_init(struct hy_args *args, struct hy_daemon *daemon, struct hy_rpc_call *call,
    const json_t *params, unsigned take, size_t max, const char *usage);

/* -32602 with the words. Returns false. */
bool hy_args_refuse(struct hy_args *args, const char *format, ...) HYPHA_PRINTF(2, 3);
/* -32000 with the error's text, and a detail if it is not NULL. */
void hy_args_fail(struct hy_args *args, enum hypha_err err, const char *detail);
/* `true`, or what hy_args_fail() says. */
void hy_args_done(struct hy_args *args, enum hypha_err err);

/* Each: false when refused; a missing or wrong argument is. */
bool hy_args_bool(struct hy_args *args, size_t index, const char *name, bool *ret_value);
bool hy_args_integer(struct hy_args *args, size_t index, const char *name, int64_t min, int64_t max,
    int64_t *ret_value);
/* ret_url: the caller's. */
bool hy_args_url(struct hy_args *args, size_t index, const char *name, struct hypha_url **ret_url);

/* The object of options at `index`, if there is one (*ret NULL: none): only keys of `known`
 * (space-separated) and "network" may be in it. */
bool hy_args_options(
    struct hy_args *args, size_t index, const char *known, const json_t **ret_options);
/* One option; absent: *value stays. */
bool hy_args_option_bool(
    struct hy_args *args, const json_t *options, const char *name, bool *value);
bool hy_args_option_integer(struct hy_args *args, const json_t *options, const char *name,
    int64_t min, int64_t max, int64_t *value);
/* Borrowed. */
bool hy_args_option_text(
    struct hy_args *args, const json_t *options, const char *name, const char **value);

#endif
