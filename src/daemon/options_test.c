/* options_test.c - the command line. spec: apps.md 1.1 */
#include "daemon/options.h"

#include "base/alloc.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
/* cmocka wants the above first */
#include <cmocka.h>

static const struct hy_option table[] = {
    { "config", 'c', HY_OPTION_VALUE, "PATH", "" },
    { "verbose", 'v', HY_OPTION_COUNT, NULL, "" },
    { "peers", 0, HY_OPTION_LIST, "URL", "" },
    { "localnet", 0, HY_OPTION_FLAG, NULL, "" },
};

/* Words, separated by one blank each. */
static enum hypha_err parse(struct hy_options *options, char *words, char why[256])
{
    static char *argv[32];
    int argc = 0;
    char *word;

    argv[argc++] = (char *)"program";
    while ((word = strsep(&words, " ")) != NULL)
        argv[argc++] = word;
    return hy_options_parse(options, table, 4, argc, argv, why);
}

static void test_good(void **state)
{
    char words[] = "-vvc a.toml --peers x y --localnet --peers=z -v --peers w";
    char glued[] = "-cb.toml";
    struct hy_options options;
    char why[256];

    (void)state;
    assert_int_equal(parse(&options, words, why), HYPHA_OK);
    assert_string_equal(hy_options_value(&options, "config"), "a.toml");
    assert_int_equal(hy_options_get(&options, "verbose")->times, 3);
    assert_int_equal(hy_options_get(&options, "localnet")->times, 1);
    const struct hy_option_seen *peers = hy_options_get(&options, "peers");
    assert_int_equal(peers->count, 4);
    assert_string_equal(peers->values[0], "x");
    assert_string_equal(peers->values[1], "y");
    assert_string_equal(peers->values[2], "z");
    assert_string_equal(peers->values[3], "w");
    hy_options_fini(&options);
    assert_int_equal(parse(&options, glued, why), HYPHA_OK);
    assert_string_equal(hy_options_value(&options, "config"), "b.toml");
    hy_options_fini(&options);
}

static void test_bad(void **state)
{
    static const char *const rows[][2] = {
        { "--nope", "unknown option --nope" },
        { "-x", "unknown option -x" },
        { "word", "unexpected argument \"word\"" },
        { "-", "unexpected argument \"-\"" },
        { "--config", "--config expects PATH" },
        { "--config --localnet", "--config expects PATH" },
        { "--peers --localnet", "--peers expects URL" },
        { "--localnet=yes", "--localnet takes no value" },
        { "-c a -c b", "--config is given more than once" },
        { "--localnet word", "unexpected argument \"word\"" },
        { "--conf a", "unknown option --conf" },
    };

    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct hy_options options;
        char words[64], why[256];

        strcpy(words, rows[i][0]);
        assert_int_equal(parse(&options, words, why), HYPHA_ERR_INVALID);
        assert_string_equal(why, rows[i][1]);
    }
}

/* What is said of an option begins in one column, whatever it is called. */
static void test_help(void **state)
{
    static const struct hy_option rows[] = {
        { "config", 'c', HY_OPTION_VALUE, "PATH", "HELP" },
        { "a-name-that-is-longer-than-the-column", 0, HY_OPTION_LIST, "SECONDS", "HELP" },
        { "quiet", 0, HY_OPTION_FLAG, NULL, "HELP" },
    };
    char *text = NULL;
    size_t len = 0, found = 0;
    FILE *out = open_memstream(&text, &len);

    (void)state;
    assert_non_null(out);
    hy_options_help(out, "program", "summary", rows, 3);
    assert_int_equal(fclose(out), 0);
    for (char *rest = text, *line; (line = strsep(&rest, "\n")) != NULL;) {
        const char *help = strstr(line, "HELP");

        if (help == NULL)
            continue;
        assert_int_equal(help - line, 41);
        found++;
    }
    assert_int_equal(found, 3);
    free(text);
}

static void test_no_memory(void **state)
{
    (void)state;
    for (size_t n = 0; n < 3; n++) {
        struct hy_options options;
        char words[] = "--peers x y z";
        char why[256];

        hy_alloc_fail_after(n);
        enum hypha_err err = parse(&options, words, why);
        hy_alloc_fail_after(SIZE_MAX);
        assert_int_equal(err, HYPHA_ERR_NOMEM);
        assert_string_not_equal(why, "");
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_good),
        cmocka_unit_test(test_bad),
        cmocka_unit_test(test_help),
        cmocka_unit_test(test_no_memory),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
