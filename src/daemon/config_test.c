/* config_test.c - TOML to settings, and every way in which that is refused.
 * spec: apps.md 1.2, network.md 3 */
#include "daemon/config.h"

#include "base/alloc.h"
#include "daemon/net_config.h"
#include "settings/settings.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
/* cmocka wants the above first */
#include <cmocka.h>

static char folder[64], path[128];
static struct hy_config config;
static struct hypha_settings *settings;

static bool apply_net(struct hy_config *of, const struct hy_toml_node *value, const char *here,
    const struct hy_config_key *key, void *target)
{
    (void)here;
    (void)key;
    return hy_net_config_read(of, value, target);
}

static const struct hy_config_key root_keys[] = { { "net", apply_net, 0, NULL } };

/* HYPHA_OK, the error of loading, or SETTINGS if a key was refused. */
static enum hypha_err read_text(const char *text)
{
    FILE *file = fopen(path, "w");

    assert_non_null(file);
    fputs(text, file);
    fclose(file);
    assert_int_equal(hypha_settings_create(&settings), HYPHA_OK);
    assert_int_equal(hypha_settings_set_text(settings, HYPHA_KEY_APP_NAME, "dchatd"), HYPHA_OK);
    assert_int_equal(hypha_settings_set_text(settings, HYPHA_KEY_APP_VERSION, "0.4.1"), HYPHA_OK);
    enum hypha_err err = hy_config_load(&config, path);
    if (err != HYPHA_OK)
        return err;
    return hy_config_read_table(&config, config.root, "", root_keys, 1, settings)
        ? HYPHA_OK
        : HYPHA_ERR_SETTINGS;
}

static void forget(void)
{
    hy_config_fini(&config);
    hypha_settings_destroy(settings);
    settings = NULL;
}

static const char everything[] =
    "[net]\n"
    "inbound = [\"tcp://0.0.0.0:1\"]\nexternal_addrs = [\"tcp://1.1.1.1:1\"]\n"
    "peers = [\"tcp://2.2.2.2:2\"]\nseeds = [\"tcp://3.3.3.3:3\"]\n"
    "outbound_connections = 5\ninbound_connections = 6\nmagic_bytes = [1, 2, 3, 255]\n"
    "node_id = \"n\"\nactive_profiles = [\"tcp\"]\nlocalnet = true\n"
    "outbound_peer_discovery_cooloff_time = 31\noutbound_peer_discovery_attempt_time = 0.5\n"
    "getaddrs_max = 9\nhostlist = \"/tmp/h\"\ngreylist_refinery_interval = 16\n"
    "known_peer_percent = 60\ndisable_greys = false\ntime_with_no_connections = 32\n"
    "blacklist = [[\"evil.example\", [\"tcp\"], [1, 2]], [\"bad.example\"]]\n"
    "ban_policy = \"relaxed\"\noutbound_connect_timeout = 7\n"
    "[net.profiles.\"tcp\"]\ninbound = [\"tcp://0.0.0.0:4\"]\nchannel_handshake_timeout = 8\n"
    "[net.profiles.tor]\ninbound = [\"tor://127.0.0.1:5\"]\n";

static void test_everything(void **state)
{
    struct hy_resolved_settings *resolved;

    (void)state;
    if (read_text(everything) != HYPHA_OK)
        fail_msg("%s", config.why);
    assert_int_equal(config.warning_count, 0);
    assert_int_equal(hy_settings_resolve(settings, &resolved), HYPHA_OK);
    assert_int_equal(resolved->inbound.count, 2); /* the profile's is appended; tor's dropped */
    assert_int_equal(resolved->outbound_connections, 5);
    assert_int_equal(resolved->inbound_connections, 6);
    assert_int_equal(resolved->magic[3], 255);
    assert_int_equal(resolved->discovery_attempt_ms, 500);
    assert_int_equal(resolved->discovery_cooloff_ms, 31000);
    assert_int_equal(resolved->getaddrs_max, 9);
    assert_int_equal(resolved->refinery_interval_ms, 16000);
    assert_int_equal(resolved->known_peer_percent, 60);
    assert_int_equal(resolved->time_with_no_connections_ms, 32000);
    assert_int_equal(resolved->blacklist.count, 3);
    assert_true(resolved->localnet && resolved->relaxed_bans);
    assert_int_equal(hy_settings_timeouts(resolved, "tcp")->handshake_ms, 8000);
    hy_resolved_settings_destroy(resolved);
    forget();
}

/* A list flag replaces [net]'s list, not the profiles'. spec: network.md 3 */
static void test_flags(void **state)
{
    char *argv[] = { (char *)"x", (char *)"--accept", (char *)"tcp://0.0.0.0:7",
        (char *)"--outbound-slots", (char *)"3", (char *)"--seeds", (char *)"tcp://8.8.8.8:8",
        (char *)"tcp://9.9.9.9:9" };
    char *bad[] = { (char *)"x", (char *)"--inbound-slots", (char *)"3x" };
    struct hy_resolved_settings *resolved;
    struct hy_options options;
    char why[256];

    (void)state;
    assert_int_equal(read_text(everything), HYPHA_OK);
    assert_int_equal(
        hy_options_parse(&options, hy_net_options, hy_net_option_count, 8, argv, why), HYPHA_OK);
    assert_int_equal(hy_net_config_flags(&options, settings, why), HYPHA_OK);
    hy_options_fini(&options);
    assert_int_equal(hy_settings_resolve(settings, &resolved), HYPHA_OK);
    assert_int_equal(resolved->inbound.count, 2);
    assert_string_equal(hypha_url_text(resolved->inbound.urls[0]), "tcp://0.0.0.0:7/");
    assert_string_equal(hypha_url_text(resolved->inbound.urls[1]), "tcp://0.0.0.0:4/");
    assert_int_equal(resolved->seeds.count, 2);
    assert_int_equal(resolved->outbound_connections, 3);
    hy_resolved_settings_destroy(resolved);
    assert_int_equal(
        hy_options_parse(&options, hy_net_options, hy_net_option_count, 3, bad, why), HYPHA_OK);
    assert_int_equal(hy_net_config_flags(&options, settings, why), HYPHA_ERR_INVALID);
    assert_string_equal(why, "--inbound-slots: expected an integer");
    hy_options_fini(&options);
    forget();
}

/* Where, which key, and what was expected. */
static void test_refused(void **state)
{
    static const struct {
        const char *text, *place, *words;
    } rows[] = {
        { "net = 1\n", ":1:7: net: ", "expected a table, found an integer" },
        { "[net]\nlocalnet = \"yes\"\n",
            ":2:12: net.localnet: ", "expected true or false, found a string" },
        { "[net]\npeers = [\"tcp://a:1\", 2]\n",
            ":2:23: net.peers: ", "expected a string, found an integer" },
        { "[net]\nmagic_bytes = [1]\n", ":2:15: net.magic_bytes: ", "four integers" },
        { "[net]\nmagic_bytes = [1, 2, 3, -1]\n", ":2:25: net.magic_bytes: ", "0 to 255" },
        { "[net.profiles.tcp]\nchannel_heartbeat_interval = \"x\"\n",
            ":2:30: net.profiles.\"tcp\".channel_heartbeat_interval: ", "expected an integer" },
        { "[net]\nblacklist = [[\"h\", [\"tcp\"], [70000]]]\n", ":2:30: net.blacklist: ", "65535" },
        { "[net]\nban_policy = \"x\"\n", ":2:14: net.ban_policy: ", "\"strict\" or \"relaxed\"" },
        { "[net]\nhostlist = 1979-05-27\n", ":2:12: net.hostlist: ", "found a date" },
        { "[net]\ngreylist_refinery_interval = nan\n",
            ":2:30: net.greylist_refinery_interval: ", "seconds" },
        { "[net]\nnode_id = \"a\\u0000b\"\n", ":2:11: ", "zero byte" },
        { "[net]\nx = [1,\n", ":", "" },
        { "\xff", ":", "" },
    };

    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        if (read_text(rows[i].text) == HYPHA_OK || strstr(config.why, rows[i].place) == NULL ||
            strstr(config.why, rows[i].words) == NULL || strchr(config.why, '\n') != NULL ||
            strncmp(config.why, path, strlen(path)) != 0)
            fail_msg("%s: %s", rows[i].text, config.why);
        forget();
    }
}

static void test_unknown(void **state)
{
    (void)state;
    assert_int_equal(
        read_text("[net]\nseed = []\nqqqq = 1\n[net.profiles.tcp]\npeer = []\n[nett]\n"), HYPHA_OK);
    assert_int_equal(config.warning_count, 4);
    assert_non_null(strstr(config.warnings[0], ":2:1: unknown key \"net.seed\""));
    assert_non_null(strstr(config.warnings[0], "did you mean \"seeds\"?"));
    assert_null(strstr(config.warnings[1], "did you mean"));
    assert_non_null(strstr(config.warnings[2], "\"net.profiles.\"tcp\".peer\""));
    assert_non_null(strstr(config.warnings[3], "did you mean \"net\"?"));
    forget();
}

static void test_paths(void **state)
{
    char *got = NULL, template_path[160];
    struct stat about;

    (void)state;
    assert_int_equal(setenv("HOME", folder, 1), 0);
    assert_int_equal(unsetenv("XDG_CONFIG_HOME"), 0);
    assert_int_equal(hy_config_default_path("x.toml", &got), HYPHA_OK);
    assert_non_null(strstr(got, "/.config/darkfi/x.toml"));
    hy_free(got);
    assert_int_equal(setenv("XDG_CONFIG_HOME", "relative", 1), 0);
    assert_int_equal(hy_config_default_path("x.toml", &got), HYPHA_OK);
    assert_non_null(strstr(got, "/.config/darkfi/x.toml"));
    hy_free(got);
    assert_int_equal(setenv("XDG_CONFIG_HOME", "/x", 1), 0);
    assert_int_equal(hy_config_default_path("x.toml", &got), HYPHA_OK);
    assert_string_equal(got, "/x/darkfi/x.toml");
    hy_free(got);
    assert_int_equal(hy_config_expand("~bob/x", &got), HYPHA_ERR_INVALID);
    assert_int_equal(hy_config_expand("~/x", &got), HYPHA_OK);
    assert_int_equal(strncmp(got, folder, strlen(folder)), 0);
    hy_free(got);
    (void)snprintf(template_path, sizeof template_path, "%s/t.toml", folder);
    assert_int_equal(hy_config_write_template(template_path, "x = 1\n"), HYPHA_OK);
    assert_int_equal(hy_config_write_template(template_path, "y = 1\n"), HYPHA_ERR_EXISTS);
    assert_int_equal(stat(template_path, &about), 0);
    assert_int_equal(about.st_size, 6);
    assert_int_equal(unlink(template_path), 0);
    assert_int_equal(hy_config_load(&config, template_path), HYPHA_ERR_NOT_FOUND);
    assert_int_equal(hy_config_load(&config, folder), HYPHA_ERR_IO);
}

/* The nth allocation fails: an error, no crash, no leak. */
static void test_no_memory(void **state)
{
    bool done = false;

    (void)state;
    for (size_t n = 0; !done; n++) {
        struct hypha_settings *into = NULL;
        struct hy_config of;

        assert_true(n < 10000);
        assert_int_equal(read_text(everything), HYPHA_OK);
        forget();
        hy_alloc_fail_after(n);
        enum hypha_err err = hypha_settings_create(&into);
        bool loaded = err == HYPHA_OK && hy_config_load(&of, path) == HYPHA_OK;
        done = loaded && hy_config_read_table(&of, of.root, "", root_keys, 1, into);
        hy_alloc_fail_after(SIZE_MAX);
        if (err == HYPHA_OK)
            hy_config_fini(&of);
        hypha_settings_destroy(into);
    }
}

static int set_up(void **state)
{
    (void)state;
    strcpy(folder, "/tmp/hypha-config-XXXXXX");
    if (mkdtemp(folder) == NULL)
        return -1;
    (void)snprintf(path, sizeof path, "%s/c.toml", folder);
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
        cmocka_unit_test(test_everything),
        cmocka_unit_test(test_flags),
        cmocka_unit_test(test_refused),
        cmocka_unit_test(test_unknown),
        cmocka_unit_test(test_paths),
        cmocka_unit_test(test_no_memory),
    };
    return cmocka_run_group_tests(tests, set_up, tear_down);
}
