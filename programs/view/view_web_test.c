/* view_web_test.c - the web viewer's way in: where it listens, its token, memory that runs out.
 * What a browser makes of it: tests/integration/web_test.py. */
#include "view/view_web.h"

#include "base/alloc.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
/* cmocka wants the above first */
#include <cmocka.h>

static struct hypha_loop *loop;
static struct view_model model;

static int set_up(void **state)
{
    (void)state;
    view_model_init(&model);
    return hypha_loop_create(&loop) == HYPHA_OK ? 0 : -1;
}

static int tear_down(void **state)
{
    (void)state;
    assert_null(model.on_event);
    view_model_fini(&model);
    assert_int_equal(hypha_loop_run(loop), HYPHA_OK); /* nothing is left to wait for */
    hypha_loop_destroy(loop);
    return 0;
}

static struct view_web *web_of(const char *listen, const char *token)
{
    struct view_web *web = NULL;
    char why[256] = "";

    assert_int_equal(view_web_create(loop, &model, listen, token, &web, why), HYPHA_OK);
    assert_string_equal(why, "");
    return web;
}

/* spec: apps.md 6.3: loopback and token by default */
static void test_makes_a_token(void **state)
{
    char first[256];

    (void)state;
    struct view_web *web = web_of("127.0.0.1:0", NULL);
    assert_non_null(model.on_event);
    assert_int_equal(strncmp(view_web_url(web), "http://127.0.0.1:", 17), 0);
    const char *token = strstr(view_web_url(web), "/?token=");
    assert_non_null(token);
    assert_int_equal(strlen(token + 8), 48);
    (void)snprintf(first, sizeof first, "%s", token);
    view_web_destroy(web);
    web = web_of("127.0.0.1:0", NULL);
    assert_string_not_equal(strstr(view_web_url(web), "/?token="), first);
    view_web_destroy(web);
}

static void test_given_token(void **state)
{
    (void)state;
    struct view_web *web = web_of("127.0.0.1:0", "a+b&c=d/e?f#g~0123");
    assert_non_null(strstr(view_web_url(web), "/?token=a%2Bb%26c%3Dd%2Fe%3Ff%23g~0123"));
    view_web_destroy(web);
}

/* spec: apps.md 6.3: loopback and token by default */
static void test_stays_at_home(void **state)
{
    struct view_web *web = NULL;
    char why[256] = "";

    (void)state;
    assert_int_equal(view_web_create(loop, &model, "0.0.0.0:0", NULL, &web, why), HYPHA_ERR_ACCESS);
    assert_non_null(strstr(why, "0.0.0.0:0"));
    assert_non_null(strstr(why, "token"));
    assert_int_equal(
        view_web_create(loop, &model, "127.0.0.1:0", "short", &web, why), HYPHA_ERR_INVALID);
    assert_int_equal(view_web_create(loop, &model, "nowhere", NULL, &web, why), HYPHA_ERR_INVALID);
    assert_null(web);
    assert_null(model.on_event);
    web = web_of("0.0.0.0:0", "0123456789abcdef");
    view_web_destroy(web);
}

static void test_no_memory(void **state)
{
    struct view_web *web = NULL;
    char why[256] = "";
    enum hypha_err err = HYPHA_ERR_NOMEM;
    size_t n = 0;

    (void)state;
    while (err == HYPHA_ERR_NOMEM) {
        assert_null(web);
        assert_null(model.on_event);
        hy_alloc_fail_after(n++);
        err = view_web_create(loop, &model, "127.0.0.1:0", NULL, &web, why);
        hy_alloc_fail_after(SIZE_MAX);
        assert_true(n < 100);
    }
    assert_int_equal(err, HYPHA_OK);
    assert_true(n > 3);
    view_web_destroy(web);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_makes_a_token, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_given_token, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_stays_at_home, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_no_memory, set_up, tear_down),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
