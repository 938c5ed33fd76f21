#include "daemon/options.h"
#include "base/alloc.h"

#include <assert.h>
#include <string.h>

#define HELP_COLUMN 38

static bool takes_value(const struct hy_option *option)
{
    return option->kind == HY_OPTION_VALUE || option->kind == HY_OPTION_LIST;
}

static enum hypha_err add_value(struct hy_option_seen *seen, const char *value)
{
    const char **grown = hy_realloc(seen->values, (seen->count + 1) * sizeof *grown);

    if (grown == NULL)
        return HYPHA_ERR_NOMEM;
    seen->values = grown;
    seen->values[seen->count++] = value;
    return HYPHA_OK;
}

static const struct hy_option *find_name(
    const struct hy_options *options, const char *name, size_t len)
{
    for (size_t i = 0; i < options->count; i++)
        if (strlen(options->table[i].name) == len &&
            strncmp(options->table[i].name, name, len) == 0)
            return &options->table[i];
    return NULL;
}

static const struct hy_option *find_letter(const struct hy_options *options, char letter)
{
    for (size_t i = 0; i < options->count; i++)
        if (options->table[i].letter == letter)
            return &options->table[i];
    return NULL;
}

static bool is_flag(const char *text)
{
    return text[0] == '-' && text[1] != '\0';
}

/* Values of a list after the one at *at, which is moved to the last one. */
static enum hypha_err take_list(struct hy_option_seen *seen, int argc, char *const argv[], int *at)
{
    while (*at + 1 < argc && !is_flag(argv[*at + 1])) {
        enum hypha_err err = add_value(seen, argv[++*at]);

        if (err != HYPHA_OK)
            return err;
    }
    return HYPHA_OK;
}

/* `inline_value`: after '=' or the letter; NULL: none. */
static enum hypha_err take_option(struct hy_options *options, const struct hy_option *option,
    const char *inline_value, int argc, char *const argv[], int *at, char why[HY_OPTIONS_WHY_BYTES])
{
    struct hy_option_seen *seen = &options->seen[option - options->table];
    enum hypha_err err = HYPHA_OK;

    seen->times++;
    if (!takes_value(option)) {
        if (inline_value == NULL)
            return HYPHA_OK;
        (void)snprintf(why, HY_OPTIONS_WHY_BYTES, "--%s takes no value", option->name);
        return HYPHA_ERR_INVALID;
    }
    if (option->kind == HY_OPTION_VALUE && seen->times > 1) {
        (void)snprintf(why, HY_OPTIONS_WHY_BYTES, "--%s is given more than once", option->name);
        return HYPHA_ERR_INVALID;
    }
    size_t before = seen->count;
    if (inline_value != NULL)
        err = add_value(seen, inline_value);
    else if (option->kind == HY_OPTION_VALUE && *at + 1 < argc && !is_flag(argv[*at + 1]))
        err = add_value(seen, argv[++*at]);
    if (err == HYPHA_OK && option->kind == HY_OPTION_LIST)
        err = take_list(seen, argc, argv, at);
    if (err == HYPHA_OK && seen->count == before) {
        (void)snprintf(why, HY_OPTIONS_WHY_BYTES, "--%s expects %s", option->name, option->value);
        err = HYPHA_ERR_INVALID;
    }
    return err;
}

/* -v, -vvv, -c PATH, -cPATH, -vc PATH */
static enum hypha_err take_letters(struct hy_options *options, int argc, char *const argv[],
    int *at, char why[HY_OPTIONS_WHY_BYTES])
{
    for (const char *letter = argv[*at] + 1; *letter != '\0'; letter++) {
        const struct hy_option *option = find_letter(options, *letter);
        const char *rest = letter[1] != '\0' ? letter + 1 : NULL;

        if (option == NULL) {
            (void)snprintf(why, HY_OPTIONS_WHY_BYTES, "unknown option -%c", *letter);
            return HYPHA_ERR_INVALID;
        }
        if (takes_value(option))
            return take_option(options, option, rest, argc, argv, at, why);
        enum hypha_err err = take_option(options, option, NULL, argc, argv, at, why);
        if (err != HYPHA_OK)
            return err;
    }
    return HYPHA_OK;
}

static enum hypha_err take_argument(struct hy_options *options, int argc, char *const argv[],
    int *at, char why[HY_OPTIONS_WHY_BYTES])
{
    const char *text = argv[*at];

    if (!is_flag(text)) {
        (void)snprintf(why, HY_OPTIONS_WHY_BYTES, "unexpected argument \"%.150s\"", text);
        return HYPHA_ERR_INVALID;
    }
    if (text[1] != '-')
        return take_letters(options, argc, argv, at, why);
    const char *equals = strchr(text, '=');
    size_t len = equals != NULL ? (size_t)(equals - text - 2) : strlen(text + 2);
    const struct hy_option *option = find_name(options, text + 2, len);
    if (option == NULL) {
        (void)snprintf(why, HY_OPTIONS_WHY_BYTES, "unknown option %.*s",
            (int)(len > 150 ? 150 : len) + 2, text);
        return HYPHA_ERR_INVALID;
    }
    return take_option(options, option, equals != NULL ? equals + 1 : NULL, argc, argv, at, why);
}

enum hypha_err hy_options_parse(struct hy_options *options, const struct hy_option *table,
    size_t count, int argc, char *const argv[], char why[HY_OPTIONS_WHY_BYTES])
{
    enum hypha_err err = HYPHA_OK;

    assert(count <= HY_MAX_OPTIONS);
    *options = (struct hy_options){ .table = table, .count = count };
    why[0] = '\0';
    for (int at = 1; at < argc && err == HYPHA_OK; at++)
        err = take_argument(options, argc, argv, &at, why);
    if (err != HYPHA_OK)
        hy_options_fini(options);
    if (err == HYPHA_ERR_NOMEM)
        (void)snprintf(why, HY_OPTIONS_WHY_BYTES, "%s", hypha_err_text(err));
    return err;
}

void hy_options_fini(struct hy_options *options)
{
    for (size_t i = 0; i < HY_MAX_OPTIONS; i++) {
        hy_free(options->seen[i].values);
        options->seen[i] = (struct hy_option_seen){ 0 };
    }
}

const struct hy_option_seen *hy_options_get(const struct hy_options *options, const char *name)
{
    const struct hy_option *option = find_name(options, name, strlen(name));

    assert(option != NULL);
    return &options->seen[option - options->table];
}

const char *hy_options_value(const struct hy_options *options, const char *name)
{
    const struct hy_option_seen *seen = hy_options_get(options, name);

    return seen->count > 0 ? seen->values[seen->count - 1] : NULL;
}

void hy_options_help(FILE *out, const char *program, const char *summary,
    const struct hy_option *table, size_t count)
{
    fprintf(out, "%s - %s\n\nUsage: %s [OPTIONS]\n\nOptions:\n", program, summary, program);
    for (size_t i = 0; i < count; i++) {
        const struct hy_option *option = &table[i];
        char left[64];
        char letter[8] = "    ";

        if (option->letter != 0)
            (void)snprintf(letter, sizeof letter, "-%c, ", option->letter);
        (void)snprintf(left, sizeof left, "%s--%s%s%s%s", letter, option->name,
            takes_value(option) ? " " : "", takes_value(option) ? option->value : "",
            option->kind == HY_OPTION_LIST ? "..." : "");
        if (strlen(left) > HELP_COLUMN) /* it has a line of its own */
            fprintf(out, "  %s\n  %-*s %s\n", left, HELP_COLUMN, "", option->help);
        else
            fprintf(out, "  %-*s %s\n", HELP_COLUMN, left, option->help);
    }
}
