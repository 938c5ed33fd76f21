/* dchat.c - a whole chat program in one file: the dchat protocol, and a terminal around it.
 *
 *   example-dchat tcp://127.0.0.1:50515 [tcp://127.0.0.1:51554]
 *
 * What is typed goes to every peer, what they say is printed. It speaks with dchatd, hypha's
 * and the reference's. Ctrl-D or Ctrl-C ends. */
#define _POSIX_C_SOURCE 200809L /* getline() */
#include <hypha/hypha.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* ---- the protocol: one command with one text ---- */

struct chat_message {
    struct hypha_span text; /* borrowed from the payload, or from who sends */
};

static void message_read(struct hypha_reader *payload, void *ret_message)
{
    ((struct chat_message *)ret_message)->text = hypha_reader_take_string(payload, SIZE_MAX);
}

static void message_write(struct hypha_writer *payload, const void *message)
{
    hypha_writer_put_string(payload, ((const struct chat_message *)message)->text);
}

static const struct hypha_message_type message_type = {
    .command = "DchatMsg", /* max_bytes 0 and no metering: unlimited, as all nodes have it */
    .struct_bytes = sizeof(struct chat_message),
    .read = message_read,
    .write = message_write,
};

static void on_start(struct hypha_channel *channel, void *app, void *state)
{
    (void)app;
    (void)state;
    printf("* %s is here\n", hypha_url_text(hypha_channel_display_address(channel)));
}

static enum hypha_err on_message(struct hypha_channel *channel, void *app, void *state,
    const struct hypha_message_type *type, const void *message)
{
    struct hypha_span text = ((const struct chat_message *)message)->text;

    (void)app;
    (void)state;
    (void)type;
    printf("%s: ", hypha_url_text(hypha_channel_display_address(channel)));
    for (size_t i = 0; i < text.len; i++) /* a peer's control characters stay out of the terminal */
        putchar(text.at[i] < 0x20 || text.at[i] == 0x7f ? '?' : text.at[i]);
    putchar('\n');
    return HYPHA_OK;
}

static void on_stop(struct hypha_channel *channel, void *app, void *state, enum hypha_err why)
{
    (void)app;
    (void)state;
    printf("* %s is gone: %s\n", hypha_url_text(hypha_channel_display_address(channel)),
        hypha_err_text(why));
}

static const struct hypha_protocol chat_protocol = {
    .name = "dchat",
    .sessions = HYPHA_SESSIONS_DEFAULT,
    .messages = &message_type,
    .message_count = 1,
    .on_start = on_start,
    .on_message = on_message,
    .on_stop = on_stop,
};

/* ---- the terminal: a thread reads lines and posts them to the node's thread ---- */

struct line {
    struct hypha_p2p *p2p;
    char *text;
};

static void send_line(void *user)
{
    struct line *line = user;
    struct chat_message message = { { (const uint8_t *)line->text, strlen(line->text) } };
    size_t sent = 0;
    enum hypha_err err = hypha_p2p_broadcast(line->p2p, &message_type, &message, &sent);

    if (err != HYPHA_OK)
        printf("* not sent: %s\n", hypha_err_text(err));
    else if (sent == 0)
        printf("* nobody is here to hear it\n");
    free(line->text);
    free(line);
}

static void *read_lines(void *user)
{
    struct hypha_p2p *p2p = user;
    static char *text; /* static: the thread may be cancelled while it waits in getline() */
    size_t size = 0;
    ssize_t len;

    while ((len = getline(&text, &size, stdin)) > 0) {
        struct line *line = calloc(1, sizeof *line);

        if (text[len - 1] == '\n')
            text[len - 1] = '\0';
        if (line == NULL || text[0] == '\0') {
            free(line);
            continue;
        }
        *line = (struct line){ p2p, text };
        if (hypha_loop_post(hypha_p2p_loop(p2p), send_line, line) != HYPHA_OK)
            free(line);
        else
            text = NULL; /* it is the line's now */
        size = text != NULL ? size : 0;
    }
    hypha_p2p_interrupt(p2p); /* end of input: stop the node, from any thread */
    return NULL;
}

/* ---- the node ---- */

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
    return err;
}

int main(int argc, char **argv)
{
    struct hypha_settings *settings = NULL;
    struct hypha_p2p *p2p = NULL;
    pthread_t reader;

    if (argc < 2 || argc > 3) {
        fprintf(stderr, "usage: %s SEED [OWN-ADDRESS]\n", argv[0]);
        return 1;
    }
    setvbuf(stdout, NULL, _IOLBF, 0);
    enum hypha_err err = hypha_settings_create(&settings);
    if (err == HYPHA_OK)
        err = configure(settings, argv[1], argv[2]);
    if (err == HYPHA_OK)
        err = hypha_p2p_create(NULL, settings, &p2p);
    if (err == HYPHA_OK)
        err = hypha_p2p_register(p2p, &chat_protocol, NULL);
    if (err == HYPHA_OK && pthread_create(&reader, NULL, read_lines, p2p) == 0) {
        err = hypha_p2p_run(p2p);
        pthread_cancel(reader); /* it may be waiting for a line */
        pthread_join(reader, NULL);
    }
    if (err != HYPHA_OK)
        fprintf(stderr, "%s\n",
            err == HYPHA_ERR_SETTINGS ? hypha_settings_why(settings) : hypha_err_text(err));
    hypha_p2p_destroy(p2p);
    hypha_settings_destroy(settings);
    return err == HYPHA_OK ? 0 : 1;
}
