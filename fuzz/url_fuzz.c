/* Any bytes: a URL that parses has a normal form that parses to itself, part by part, and so
 * have all those made of it. */
#include "fuzz.h"

#include "base/span.h"
#include "url/url.h"

static void check_same(const struct hypha_url *a, const struct hypha_url *b)
{
    FUZZ_CHECK(hypha_url_equal(a, b));
    FUZZ_CHECK(strcmp(hypha_url_text(a), hypha_url_text(b)) == 0);
    FUZZ_CHECK(strcmp(hypha_url_scheme(a), hypha_url_scheme(b)) == 0);
    FUZZ_CHECK(strcmp(hypha_url_host(a), hypha_url_host(b)) == 0);
    FUZZ_CHECK(strcmp(hypha_url_path(a), hypha_url_path(b)) == 0);
    FUZZ_CHECK(strcmp(hy_url_user(a), hy_url_user(b)) == 0);
    FUZZ_CHECK(strcmp(hy_url_password(a), hy_url_password(b)) == 0);
    FUZZ_CHECK(hypha_url_host_kind(a) == hypha_url_host_kind(b));
    FUZZ_CHECK(hypha_url_has_port(a) == hypha_url_has_port(b));
    FUZZ_CHECK(hypha_url_port(a) == hypha_url_port(b));
    FUZZ_CHECK((hypha_url_query(a) == NULL) == (hypha_url_query(b) == NULL));
    FUZZ_CHECK(hypha_url_query(a) == NULL || strcmp(hypha_url_query(a), hypha_url_query(b)) == 0);
}

static void check_normal(const struct hypha_url *url)
{
    struct hypha_url *again = NULL;

    FUZZ_CHECK(hypha_url_parse_text(hypha_url_text(url), &again) == HYPHA_OK);
    check_same(url, again);
    hypha_url_unref(again);
    for (const char *at = hypha_url_text(url); *at != '\0'; at++)
        FUZZ_CHECK(*at >= ' ' && *at <= '~');
}

/* What a derived URL must be like; frees it. */
static void check_derived(enum hypha_err err, struct hypha_url *made)
{
    FUZZ_CHECK((err == HYPHA_OK) == (made != NULL));
    FUZZ_CHECK(err == HYPHA_OK || err == HYPHA_ERR_URL || err == HYPHA_ERR_NOMEM);
    if (made != NULL)
        check_normal(made);
    hypha_url_unref(made);
}

static void check_with(const struct hypha_url *url)
{
    struct hypha_url *made = NULL;
    enum hypha_err err = hy_url_with_port(url, 4242, &made);

    if (made != NULL) {
        FUZZ_CHECK(hypha_url_port(made) == 4242);
        FUZZ_CHECK(strcmp(hypha_url_host(made), hypha_url_host(url)) == 0);
        FUZZ_CHECK(strcmp(hypha_url_path(made), hypha_url_path(url)) == 0);
    }
    check_derived(err, made);
    made = NULL;
    err = hy_url_with_host(url, "[::2]", &made);
    FUZZ_CHECK(made == NULL || strcmp(hypha_url_host(made), "[::2]") == 0);
    FUZZ_CHECK(made == NULL || hypha_url_port(made) == hypha_url_port(url));
    check_derived(err, made);
    made = NULL;
    err = hy_url_with_scheme(url, hy_url_is_special(url) ? "tor+tls" : "quic", &made);
    FUZZ_CHECK(made == NULL || hy_url_is_special(made) == hy_url_is_special(url));
    FUZZ_CHECK(made == NULL || strcmp(hypha_url_host(made), hypha_url_host(url)) == 0);
    check_derived(err, made);
    made = NULL;
    err = hy_url_without_port(url, &made);
    FUZZ_CHECK(made != NULL && !hypha_url_has_port(made));
    check_derived(err, made);
}

static void check_keys(const struct hypha_url *url)
{
    struct hypha_url *once = NULL, *twice = NULL;
    char shown[64];

    FUZZ_CHECK(hy_url_canonical(url, &once) == HYPHA_OK);
    FUZZ_CHECK(hy_url_canonical(once, &twice) == HYPHA_OK);
    check_same(once, twice);
    check_derived(HYPHA_OK, once);
    hypha_url_unref(twice);
    once = NULL;
    FUZZ_CHECK(hy_url_announceable(url, &once) == HYPHA_OK);
    FUZZ_CHECK(hypha_url_query(once) == NULL && hy_url_user(once)[0] == '\0');
    FUZZ_CHECK(strcmp(hypha_url_path(once), hypha_url_path(url)) == 0);
    check_derived(HYPHA_OK, once);
    FUZZ_CHECK(strlen(hy_url_display(url, shown, sizeof shown)) < sizeof shown);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct hypha_url *url = NULL;
    enum hypha_err err = hypha_url_parse(hy_span(data, size), &url);

    FUZZ_CHECK(err == HYPHA_OK || err == HYPHA_ERR_URL || err == HYPHA_ERR_UTF8);
    FUZZ_CHECK(hy_url_check(hy_span(data, size)) == err);
    if (err != HYPHA_OK)
        return 0;
    check_normal(url);
    check_with(url);
    check_keys(url);
    hypha_url_unref(url);
    return 0;
}
