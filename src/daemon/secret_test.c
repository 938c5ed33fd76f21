/* secret_test.c - an access token in a file, and what is no such file. */
#include "daemon/secret.h"

#include "base/alloc.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
/* cmocka wants the above first */
#include <cmocka.h>

static char folder[64], path[128];

static void write_file(const char *text, size_t len, mode_t mode)
{
    FILE *file = fopen(path, "w");

    assert_non_null(file);
    assert_int_equal(fwrite(text, 1, len, file), len);
    assert_int_equal(fclose(file), 0);
    assert_int_equal(chmod(path, mode), 0);
}

static void test_texts(void **state)
{
    static const struct {
        const char *text, *secret; /* NULL: INVALID */
    } rows[] = {
        { "0123456789abcdef", "0123456789abcdef" },
        { "0123456789abcdef\n", "0123456789abcdef" },
        { "  0123456789abcdef \t\r\nsecond line\n", "0123456789abcdef" },
        { "two words\n", "two words" },
        { "", NULL },
        { "\n0123456789abcdef\n", NULL },
        { " \t \n", NULL },
    };

    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        char *secret = NULL;
        bool others = true;

        write_file(rows[i].text, strlen(rows[i].text), 0600);
        enum hypha_err err = hy_secret_read(path, &secret, &others);
        assert_int_equal(err, rows[i].secret != NULL ? HYPHA_OK : HYPHA_ERR_INVALID);
        if (rows[i].secret != NULL) {
            assert_string_equal(secret, rows[i].secret);
            assert_false(others);
        }
        hy_secret_free(secret);
    }
}

static void test_files(void **state)
{
    char big[HY_SECRET_MAX_BYTES + 1], *secret = NULL;
    bool others = false;

    (void)state;
    write_file("0123456789abcdef\n", 17, 0640);
    assert_int_equal(hy_secret_read(path, &secret, &others), HYPHA_OK);
    assert_true(others);
    hy_secret_free(secret);
    memset(big, 'x', sizeof big);
    write_file(big, sizeof big, 0600);
    assert_int_equal(hy_secret_read(path, &secret, &others), HYPHA_ERR_LIMIT);
    assert_int_equal(hy_secret_read(folder, &secret, &others), HYPHA_ERR_IO);
    assert_int_equal(hy_secret_read("/nowhere/at/all", &secret, &others), HYPHA_ERR_NOT_FOUND);
    write_file("0123456789abcdef\n", 17, 0600);
    hy_alloc_fail_after(0);
    assert_int_equal(hy_secret_read(path, &secret, &others), HYPHA_ERR_NOMEM);
    hy_alloc_fail_after(SIZE_MAX);
    hy_secret_free(NULL);
}

static int set_up(void **state)
{
    (void)state;
    strcpy(folder, "/tmp/hypha-secret-XXXXXX");
    if (mkdtemp(folder) == NULL)
        return -1;
    (void)snprintf(path, sizeof path, "%s/token", folder);
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    (void)unlink(path);
    return rmdir(folder);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_texts),
        cmocka_unit_test(test_files),
    };
    return cmocka_run_group_tests(tests, set_up, tear_down);
}
