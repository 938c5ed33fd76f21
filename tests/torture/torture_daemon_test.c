/* torture_daemon_test.c - a daemon reads its command line and config while memory runs out. */
#include "daemon/config.h"
#include "daemon/net_config.h"
#include "torture/torture.h"

#include <stdio.h>
#include <string.h>
#include <unistd.h>

static const char text[] =
    "outbound = 1\n"
    "[net]\n"
    "outbound_connections = 4\n"
    "localnett = true\n" /* only warned of */
    "node_id = \"me\"\n"
    "magic_bytes = [1, 2, 3, 4]\n"
    "active_profiles = [\"tcp\", \"tcp+tls\"]\n"
    "hostlist = \"~/hosts.tsv\"\n"
    "seeds = [\"tcp://seed.example.org:1234\"]\n"
    "blacklist = [[\"bad.example.org\"], [\"10.0.0.1\", [\"tcp\"], [80, 81]]]\n"
    "[net.profiles.\"tcp\"]\n"
    "inbound = [\"tcp://127.0.0.1:0\"]\n"
    "outbound_connect_timeout = 2.5\n"
    "[net.profiles.\"tcp+tls\"]\n"
    "peers = [\"tcp+tls://127.0.0.1:9\"]\n";

static char path[64];

static enum hypha_err read_flags(struct hypha_settings *settings)
{
    static char *argv[] = { "torture", "--outbound-slots", "7", "--seeds", "tcp://10.0.0.2:1",
        "tcp://10.0.0.3:1", "--network-profiles", "tcp" };
    struct hy_options options;
    char why[256] = "";
    enum hypha_err err = hy_options_parse(
        &options, hy_net_options, hy_net_option_count, sizeof(argv) / sizeof(argv[0]), argv, why);

    if (err == HYPHA_OK)
        err = hy_net_config_flags(&options, settings, why);
    hy_options_fini(&options);
    assert_int_equal(err == HYPHA_OK, why[0] == '\0');
    return err;
}

static enum hypha_err read_config(struct hypha_settings *settings)
{
    struct hy_config config;
    enum hypha_err err = hy_config_load(&config, path);

    for (size_t i = 0; err == HYPHA_OK && i < config.root->count; i++) {
        const struct hy_toml_node *child = &config.root->children[i];

        if (strcmp(child->key, "net") != 0 || hy_net_config_read(&config, child, settings))
            continue;
        /* What a setter lacked is told in words only. */
        assert_non_null(strstr(config.why, hypha_err_text(HYPHA_ERR_NOMEM)));
        err = HYPHA_ERR_NOMEM;
    }
    assert_int_equal(err == HYPHA_OK, config.why[0] == '\0');
    hy_config_fini(&config);
    return err;
}

static size_t live(enum torture_mode mode, size_t count)
{
    struct hypha_settings *settings = NULL;

    torture_begin(mode, count);
    enum hypha_err err = hypha_settings_create(&settings);
    if (err == HYPHA_OK)
        err = read_config(settings);
    if (err == HYPHA_OK)
        err = read_flags(settings);
    if (err == HYPHA_OK)
        err = hypha_settings_set_text(settings, HYPHA_KEY_APP_NAME, "torture");
    if (err == HYPHA_OK)
        err = hypha_settings_set_text(settings, HYPHA_KEY_APP_VERSION, "1.0.0");
    if (err == HYPHA_OK)
        err = hypha_settings_check(settings);
    assert_true(count != SIZE_MAX || err == HYPHA_OK);
    if (err != HYPHA_OK)
        assert_string_equal(hypha_err_name(err), "NOMEM");
    hypha_settings_destroy(settings);
    return torture_end();
}

static void config_and_flags(void **state)
{
    (void)state;
    torture(live, TORTURE_AFTER, 5000);
    torture(live, TORTURE_ONCE, 5000);
}

static int write_config(void **state)
{
    (void)state;
    (void)snprintf(path, sizeof(path), "/tmp/hypha_torture_XXXXXX");
    int fd = mkstemp(path);
    bool ok = fd >= 0 && write(fd, text, strlen(text)) == (ssize_t)strlen(text);
    return fd >= 0 && close(fd) == 0 && ok ? 0 : -1;
}

static int remove_config(void **state)
{
    (void)state;
    return unlink(path);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(config_and_flags),
    };

    return cmocka_run_group_tests(tests, write_config, remove_config);
}
