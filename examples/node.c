/* node.c - the smallest node: it joins a network through a seed and says what happens.
 *
 *   example-node tcp://127.0.0.1:50515 [tcp://127.0.0.1:51554]
 *
 * The first address is a seed's, the second one ours: listen there and let others know. Ctrl-C
 * stops it. */
#include <hypha/hypha.h>
#include <stdio.h>

static void on_log(void *user, enum hypha_log_level level, const char *target, const char *text)
{
    (void)user;
    (void)level;
    printf("%s: %s\n", target, text);
}

static enum hypha_err configure(struct hypha_settings *settings, const char *seed, const char *own)
{
    enum hypha_err err = hypha_settings_set_text(settings, HYPHA_KEY_APP_NAME, "dchatd");

    if (err == HYPHA_OK)
        err = hypha_settings_set_text(settings, HYPHA_KEY_APP_VERSION, "0.4.1");
    if (err == HYPHA_OK)
        err = hypha_settings_set_flag(settings, HYPHA_KEY_LOCALNET, true);
    if (err == HYPHA_OK)
        err = hypha_settings_add_profile(settings, "tcp");
    if (err == HYPHA_OK)
        err = hypha_settings_add_active_profile(settings, "tcp");
    if (err == HYPHA_OK)
        err = hypha_settings_add_url(settings, "tcp", HYPHA_LIST_SEEDS, seed);
    if (err == HYPHA_OK && own != NULL)
        err = hypha_settings_add_url(settings, "tcp", HYPHA_LIST_INBOUND, own);
    if (err == HYPHA_OK && own != NULL)
        err = hypha_settings_add_url(settings, "tcp", HYPHA_LIST_EXTERNAL_ADDRS, own);
    hypha_settings_set_log(settings, on_log, NULL, HYPHA_LOG_VERBOSE);
    return err;
}

int main(int argc, char **argv)
{
    struct hypha_settings *settings = NULL;
    struct hypha_p2p *p2p = NULL;

    if (argc < 2 || argc > 3) {
        fprintf(stderr, "usage: %s SEED [OWN-ADDRESS]\n", argv[0]);
        return 1;
    }
    enum hypha_err err = hypha_settings_create(&settings);
    if (err == HYPHA_OK)
        err = configure(settings, argv[1], argv[2]);
    if (err == HYPHA_OK)
        err = hypha_p2p_create(NULL, settings, &p2p);
    if (err == HYPHA_OK)
        err = hypha_p2p_run(p2p); /* until SIGINT, SIGTERM or SIGQUIT */
    if (err == HYPHA_ERR_SETTINGS)
        fprintf(stderr, "%s\n", hypha_settings_why(settings));
    else if (err != HYPHA_OK)
        fprintf(stderr, "%s\n", hypha_err_text(err));
    hypha_p2p_destroy(p2p);
    hypha_settings_destroy(settings);
    return err == HYPHA_OK ? 0 : 1;
}
