/* spec: wire.md 1 (SemVer) */
#include "base/span.h"
#include "wire/message.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>

#include <cmocka.h>

static void test_parse(void **state)
{
    static const char *const good[] = { "0.0.0", "1.2.3", "18446744073709551615.0.0", "1.2.3-0",
        "1.2.3--", "1.2.3-a.0.-1.01a", "1.2.3+0.00.-", "1.2.3-x+y", "1.2.3-rc.1+b-5", "1.2.3+a-b" };
    static const char *const bad[] = { "", "1", "1.", "1.2", "1.2.", "1.2.3.4", "01.2.3", "1.02.3",
        "1.2.03", "1.2.3-", "1.2.3+", "1.2.3-+b", "1.2.3-a+", "1.2.3-01", "1.2.3-a..b", "1.2.3-.a",
        "1.2.3-a.", "1.2.3+a..b", "1.2.3+a+b", "1.2.3-a_b", "1.2.3-\xc3\xbc", " 1.2.3", "1.2.3 ",
        "v1.2.3", "-1.2.3", "+1.2.3", "18446744073709551616.0.0", "99999999999999999999999.0.0",
        "1.2.3a", "1,2,3" };

    (void)state;
    for (size_t i = 0; i < sizeof good / sizeof good[0]; i++) {
        struct hy_semver version;
        char text[HY_SEMVER_TEXT_BYTES];

        assert_int_equal(hy_semver_parse(hy_span_of(good[i]), &version), HYPHA_OK);
        assert_string_equal(hy_semver_format(&version, text, sizeof text), good[i]);
    }
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        struct hy_semver version;

        if (hy_semver_parse(hy_span_of(bad[i]), &version) != HYPHA_ERR_SEMVER)
            fail_msg("accepted: %s", bad[i]);
    }
}

static void test_format_cuts(void **state)
{
    char pre[2 * HY_SEMVER_TEXT_BYTES], text[HY_SEMVER_TEXT_BYTES], small[4];
    struct hy_semver version = { .major = 1, .minor = 22, .patch = 3 };

    (void)state;
    assert_string_equal(hy_semver_format(&version, small, sizeof small), "1.2");
    memset(pre, 'p', sizeof pre);
    version.pre = hy_span(pre, sizeof pre);
    version.build = hy_span("b", 1);
    assert_int_equal(strlen(hy_semver_format(&version, text, sizeof text)), sizeof text - 1);
}

static void check_take(const char *pre, const char *build, enum hypha_err err)
{
    struct hypha_writer w = { 0 };
    struct hypha_reader r;
    struct hy_semver version;

    for (uint64_t i = 1; i <= 3; i++)
        hypha_writer_put_u64(&w, i);
    hypha_writer_put_text(&w, pre);
    hypha_writer_put_text(&w, build);
    r = hypha_reader_of(hypha_writer_span(&w));
    version = hy_semver_take(&r);
    assert_int_equal(hypha_reader_end(&r), err);
    assert_int_equal(version.minor, err == HYPHA_OK ? 2 : 0);
    assert_int_equal(version.build.len, err == HYPHA_OK ? strlen(build) : 0);
    hypha_writer_fini(&w);
}

static void test_take(void **state)
{
    (void)state;
    check_take("", "", HYPHA_OK);
    check_take("rc.1", "01", HYPHA_OK);
    check_take("01", "", HYPHA_ERR_SEMVER);
    check_take("a..b", "", HYPHA_ERR_SEMVER);
    check_take("-a", "", HYPHA_OK); /* the dash is not written, so this is a name with one */
    check_take("", "+a", HYPHA_ERR_SEMVER);
    check_take("", "a.", HYPHA_ERR_SEMVER);
}

static void test_put_refuses(void **state)
{
    struct hypha_writer w = { 0 };
    struct hy_semver version = { .pre = hy_span_of("a b") };

    (void)state;
    hy_semver_put(&w, &version);
    assert_int_equal(w.err, HYPHA_ERR_SEMVER);
    assert_int_equal(w.len, 0);
    hypha_writer_fini(&w);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_parse),
        cmocka_unit_test(test_format_cuts),
        cmocka_unit_test(test_take),
        cmocka_unit_test(test_put_refuses),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
