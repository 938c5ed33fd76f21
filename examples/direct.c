/* direct.c - a channel on demand: ask who is there, say it, hang up.
 *
 *   example-direct tcp://127.0.0.1:51554
 *
 * The node has no slots, seeds or listeners: it is connected as long as it wants something. */
#include <hypha/hypha.h>
#include <stdio.h>

#define RETRIES 2

static void on_channel(
    struct hypha_p2p *p2p, enum hypha_err err, struct hypha_channel *channel, void *user)
{
    int *exit_code = user;

    if (err == HYPHA_OK) {
        printf("%s is %s %s\n", hypha_url_text(hypha_channel_display_address(channel)),
            hypha_channel_peer_app_name(channel), hypha_channel_peer_version(channel));
        (void)hypha_p2p_release_channel(p2p, channel); /* its last user: it is closed */
        *exit_code = 0;
    } else if (err != HYPHA_ERR_NETWORK_STOPPED) {
        fprintf(stderr, "nobody: %s\n", hypha_err_text(err));
    }
    hypha_p2p_stop(p2p);
}

struct wish {
    const struct hypha_url *url;
    int exit_code;
};

static void on_started(struct hypha_p2p *p2p, void *user)
{
    struct wish *wish = user;
    enum hypha_err err = hypha_p2p_get_channel(
        p2p, wish->url, RETRIES, on_channel, &wish->exit_code, NULL);

    if (err != HYPHA_OK) {
        fprintf(stderr, "%s\n", hypha_err_text(err));
        hypha_p2p_stop(p2p);
    }
}

static enum hypha_err configure(struct hypha_settings *settings)
{
    enum hypha_err err = hypha_settings_set_text(settings, HYPHA_KEY_APP_NAME, "dchatd");

    if (err == HYPHA_OK)
        err = hypha_settings_set_text(settings, HYPHA_KEY_APP_VERSION, "0.4.1");
    if (err == HYPHA_OK)
        err = hypha_settings_set_flag(settings, HYPHA_KEY_LOCALNET, true);
    if (err == HYPHA_OK)
        err = hypha_settings_set_number(settings, HYPHA_KEY_OUTBOUND_CONNECTIONS, 0);
    if (err == HYPHA_OK)
        err = hypha_settings_add_profile(settings, "tcp");
    if (err == HYPHA_OK)
        err = hypha_settings_add_active_profile(settings, "tcp");
    return err;
}

int main(int argc, char **argv)
{
    struct hypha_settings *settings = NULL;
    struct hypha_loop *loop = NULL;
    struct hypha_p2p *p2p = NULL;
    struct hypha_url *url = NULL;
    struct wish wish = { .exit_code = 1 };

    if (argc != 2) {
        fprintf(stderr, "usage: %s ADDRESS\n", argv[0]);
        return 1;
    }
    enum hypha_err err = hypha_url_parse_text(argv[1], &url);
    wish.url = url;
    if (err == HYPHA_OK)
        err = hypha_settings_create(&settings);
    if (err == HYPHA_OK)
        err = configure(settings);
    if (err == HYPHA_OK)
        err = hypha_loop_create(&loop);
    if (err == HYPHA_OK)
        err = hypha_p2p_create(loop, settings, &p2p);
    if (err == HYPHA_OK)
        err = hypha_p2p_start(p2p, on_started, NULL, &wish);
    if (err == HYPHA_OK)
        err = hypha_loop_run(loop); /* until nothing is left to wait for */
    if (err != HYPHA_OK)
        fprintf(stderr, "%s\n", hypha_err_text(err));
    hypha_p2p_destroy(p2p);
    hypha_loop_destroy(loop);
    hypha_settings_destroy(settings);
    hypha_url_unref(url);
    return err == HYPHA_OK ? wish.exit_code : 1;
}
