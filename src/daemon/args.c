/* args.c - see args.h: the first mistake answers, all else is said no to. */
#include "daemon/args.h"
#include "daemon/daemon_internal.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#define WORDS_BYTES 400

bool hy_args_refuse(struct hy_args *args, const char *format, ...)
{
    char words[WORDS_BYTES];
    va_list list;

    if (args->refused)
        return false;
    va_start(list, format);
    (void)vsnprintf(words, sizeof words, format, list);
    va_end(list);
    args->refused = true;
    hy_json_make_text(words); /* it may quote, and be cut inside a character */
    hy_rpc_call_error(args->call, HY_RPC_INVALID_PARAMS, words);
    return false;
}

void hy_args_fail(struct hy_args *args, enum hypha_err err, const char *detail)
{
    char words[WORDS_BYTES];

    (void)snprintf(words, sizeof words, "%s%s%s", hypha_err_text(err), detail != NULL ? ": " : "",
        detail != NULL ? detail : "");
    hy_rpc_call_error(args->call, HY_RPC_SERVER_ERROR, words);
}

void hy_args_done(struct hy_args *args, enum hypha_err err)
{
    if (err == HYPHA_OK)
        hy_rpc_call_result(args->call, json_true());
    else
        hy_args_fail(args, err, NULL);
}

/* ---- the network ---- */

static bool refuse_network(struct hy_args *args)
{
    const struct hy_daemon_node *node;
    char names[WORDS_BYTES - 60] = "";
    size_t len = 0;

    STAILQ_FOREACH (node, &args->daemon->nodes, entry) {
        int wrote = snprintf(
            names + len, sizeof names - len, "%s%s", len > 0 ? ", " : "", node->name);
        if (wrote < 0 || (size_t)wrote >= sizeof names - len)
            break;
        len += (size_t)wrote;
    }
    return hy_args_refuse(
        args, "network: expected %s%s", args->daemon->node_count > 1 ? "one of " : "", names);
}

/* The last element, if it names a network; it counts as an argument if it says more than that. */
static const json_t *take_network(struct hy_args *args)
{
    const json_t *last = args->count > 0 ? json_array_get(args->params, args->count - 1) : NULL;
    const json_t *network = json_object_get(last, "network");

    if (network != NULL && json_object_size(last) == 1)
        args->count--;
    return network;
}

static bool find_node(struct hy_args *args, bool needed, bool ignores)
{
    struct hy_daemon_node *node = STAILQ_FIRST(&args->daemon->nodes);

    if (!needed && ignores)
        return true;
    const json_t *network = take_network(args);
    if (network == NULL) {
        if (needed && args->daemon->node_count != 1)
            return refuse_network(args);
        args->node = node;
        return true;
    }
    STAILQ_FOREACH (node, &args->daemon->nodes, entry) {
        if (json_is_string(network) && strcmp(json_string_value(network), node->name) == 0) {
            args->node = node;
            return true;
        }
    }
    return refuse_network(args);
}

bool hy_args_init(struct hy_args *args, struct hy_daemon *daemon, struct hy_rpc_call *call,
    const json_t *params, unsigned take, size_t max, const char *usage)
{
    *args = (struct hy_args){ .call = call, .daemon = daemon, .params = params };
    if (params != NULL && !json_is_array(params)) {
        if ((take & HY_ARGS_IGNORE) == 0)
            return hy_args_refuse(args, "params: expected %s", usage);
        args->params = NULL;
    }
    args->count = json_array_size(args->params);
    if (!find_node(args, (take & HY_ARGS_NODE) != 0, (take & HY_ARGS_IGNORE) != 0))
        return false;
    if (args->count > max && (take & HY_ARGS_IGNORE) == 0)
        return hy_args_refuse(args, "params: expected %s, found %zu elements", usage, args->count);
    return true;
}

/* ---- arguments ---- */

static const char *kind_of(const json_t *value)
{
    if (value == NULL)
        return "nothing";
    switch (json_typeof(value)) {
    case JSON_OBJECT:
        return "an object";
    case JSON_ARRAY:
        return "an array";
    case JSON_STRING:
        return "a string";
    case JSON_INTEGER:
        return "an integer";
    case JSON_REAL:
        return "a fraction";
    case JSON_TRUE:
    case JSON_FALSE:
        return "a boolean";
    case JSON_NULL:
        return "null";
    }
    return "something else";
}

static const json_t *item(const struct hy_args *args, size_t index)
{
    return index < args->count ? json_array_get(args->params, index) : NULL;
}

static bool judge_bool(struct hy_args *args, const json_t *value, const char *name, bool *ret_value)
{
    if (!json_is_boolean(value))
        return hy_args_refuse(args, "%s: expected true or false, found %s", name, kind_of(value));
    *ret_value = json_is_true(value);
    return !args->refused;
}

static bool judge_integer(struct hy_args *args, const json_t *value, const char *name, int64_t min,
    int64_t max, int64_t *ret_value)
{
    if (!json_is_integer(value))
        return hy_args_refuse(args, "%s: expected an integer, found %s", name, kind_of(value));
    int64_t number = json_integer_value(value);
    if (number < min || number > max)
        return hy_args_refuse(
            args, "%s: expected an integer from %" PRId64 " to %" PRId64, name, min, max);
    *ret_value = number;
    return !args->refused;
}

bool hy_args_bool(struct hy_args *args, size_t index, const char *name, bool *ret_value)
{
    return judge_bool(args, item(args, index), name, ret_value);
}

bool hy_args_integer(struct hy_args *args, size_t index, const char *name, int64_t min, int64_t max,
    int64_t *ret_value)
{
    return judge_integer(args, item(args, index), name, min, max, ret_value);
}

bool hy_args_url(struct hy_args *args, size_t index, const char *name, struct hypha_url **ret_url)
{
    const json_t *value = item(args, index);
    struct hypha_url *url = NULL;

    if (!json_is_string(value))
        return hy_args_refuse(args, "%s: expected a URL such as tcp://192.0.2.1:5000, found %s",
            name, kind_of(value));
    if (args->refused)
        return false;
    enum hypha_err err = hypha_url_parse(
        (struct hypha_span){ (const uint8_t *)json_string_value(value), json_string_length(value) },
        &url);
    if (err != HYPHA_OK)
        return hy_args_refuse(
            args, "%s: expected a URL such as tcp://192.0.2.1:5000: %s", name, hypha_err_text(err));
    *ret_url = url;
    return true;
}

/* ---- options ---- */

static bool is_known(const char *name, const char *known)
{
    size_t len = strlen(name);

    for (const char *at = known; *at != '\0';) {
        size_t word = strcspn(at, " ");

        if (word == len && strncmp(at, name, len) == 0)
            return true;
        at += word + strspn(at + word, " ");
    }
    return strcmp(name, "network") == 0;
}

bool hy_args_options(
    struct hy_args *args, size_t index, const char *known, const json_t **ret_options)
{
    const json_t *value = item(args, index);
    const char *name;
    json_t *option;

    if (value == NULL) {
        *ret_options = NULL;
        return !args->refused;
    }
    if (!json_is_object(value))
        return hy_args_refuse(
            args, "options: expected an object with %s, found %s", known, kind_of(value));
    /* jansson walks only objects that it might change. */
    json_object_foreach ((json_t *)(uintptr_t)value, name, option) {
        if (!is_known(name, known))
            return hy_args_refuse(args, "\"%.60s\": unknown option: expected %s", name, known);
    }
    *ret_options = value;
    return !args->refused;
}

bool hy_args_option_bool(struct hy_args *args, const json_t *options, const char *name, bool *value)
{
    const json_t *option = json_object_get(options, name);

    return option == NULL ? !args->refused : judge_bool(args, option, name, value);
}

bool hy_args_option_integer(struct hy_args *args, const json_t *options, const char *name,
    int64_t min, int64_t max, int64_t *value)
{
    const json_t *option = json_object_get(options, name);

    return option == NULL ? !args->refused : judge_integer(args, option, name, min, max, value);
}

bool hy_args_option_text(
    struct hy_args *args, const json_t *options, const char *name, const char **value)
{
    const json_t *option = json_object_get(options, name);

    if (option == NULL)
        return !args->refused;
    if (!json_is_string(option) || strlen(json_string_value(option)) != json_string_length(option))
        return hy_args_refuse(args, "%s: expected a string, found %s", name, kind_of(option));
    *value = json_string_value(option);
    return !args->refused;
}
