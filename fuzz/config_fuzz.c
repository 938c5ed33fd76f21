/* Any text as the table [net] of a config file: taken, or refused in one line that names the
 * place. */
#include "fuzz.h"

#include "daemon/net_config.h"

#include <string.h>

static bool is_one_line(const char *text)
{
    return strpbrk(text, "\r\n") == NULL;
}

static void read_net(const struct hy_toml_node *root, bool network)
{
    struct hy_config config = { .file = "fuzz.toml" };
    struct hypha_settings *settings = NULL;

    FUZZ_CHECK(hypha_settings_create(&settings) == HYPHA_OK);
    bool taken = network ? hy_net_config_read_network(&config, root, "network.\"x\"", settings)
                         : hy_net_config_read(&config, root, settings);
    FUZZ_CHECK(taken == (config.why[0] == '\0'));
    FUZZ_CHECK(taken || strncmp(config.why, "fuzz.toml:", 10) == 0);
    FUZZ_CHECK(is_one_line(config.why));
    for (size_t i = 0; i < config.warning_count; i++)
        FUZZ_CHECK(is_one_line(config.warnings[i]));
    if (taken) {
        FUZZ_CHECK(hypha_settings_set_text(settings, HYPHA_KEY_APP_NAME, "fuzz") == HYPHA_OK);
        FUZZ_CHECK(hypha_settings_set_text(settings, HYPHA_KEY_APP_VERSION, "1.0.0") == HYPHA_OK);
        enum hypha_err err = hypha_settings_check(settings);
        FUZZ_CHECK(err == HYPHA_OK || err == HYPHA_ERR_SETTINGS);
        FUZZ_CHECK((err == HYPHA_OK) == (hypha_settings_why(settings)[0] == '\0'));
    }
    hypha_settings_destroy(settings);
    hy_config_fini(&config);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct hy_toml_node *root = NULL;
    struct hy_toml_problem problem = { 0 };
    enum hypha_err err = hy_toml_parse((const char *)data, size, &root, &problem);

    FUZZ_CHECK(err == HYPHA_OK || err == HYPHA_ERR_MALFORMED);
    if (err == HYPHA_OK) {
        read_net(root, false);
        read_net(root, true);
    } else {
        FUZZ_CHECK(problem.line > 0 && problem.text[0] != '\0' && is_one_line(problem.text));
    }
    hy_toml_destroy(root);
    return 0;
}
