/* chat.c - see chat.h. */
#include "scenario/chat.h"

#include <stdio.h>
#include <string.h>

static void read_line(struct hypha_reader *payload, void *ret_message)
{
    struct chat_line *line = ret_message;

    line->text = hypha_reader_take_string(payload, 1024);
}

static void write_line(struct hypha_writer *payload, const void *message)
{
    const struct chat_line *line = message;

    hypha_writer_put_string(payload, line->text);
}

const struct hypha_message_type chat_line = {
    .command = "line",
    .max_bytes = 2048,
    .struct_bytes = sizeof(struct chat_line),
    .read = read_line,
    .write = write_line,
};

static enum hypha_err on_attach(struct hypha_channel *channel, void *app, void **ret_state)
{
    (void)channel;
    *ret_state = app;
    return HYPHA_OK;
}

static void on_start(struct hypha_channel *channel, void *app, void *state)
{
    struct chat *chat = app;

    (void)channel;
    (void)state;
    chat->open++;
    chat->started++;
}

static enum hypha_err on_message(struct hypha_channel *channel, void *app, void *state,
    const struct hypha_message_type *type, const void *message)
{
    struct chat *chat = app;
    const struct chat_line *line = message;

    (void)channel;
    (void)state;
    (void)type;
    chat->heard++;
    (void)snprintf(
        chat->last, sizeof(chat->last), "%.*s", (int)line->text.len, (const char *)line->text.at);
    return HYPHA_OK;
}

static void on_stop(struct hypha_channel *channel, void *app, void *state, enum hypha_err why)
{
    struct chat *chat = app;

    (void)channel;
    (void)state;
    (void)why;
    chat->stopped++;
}

const struct hypha_protocol chat_protocol = {
    .name = "chat",
    .sessions = HYPHA_SESSIONS_DEFAULT,
    .messages = &chat_line,
    .message_count = 1,
    .on_attach = on_attach,
    .on_start = on_start,
    .on_message = on_message,
    .on_stop = on_stop,
};

size_t chat_say(struct hypha_p2p *p2p, const char *text)
{
    struct chat_line line = { { (const uint8_t *)text, strlen(text) } };
    size_t sent = 0;

    return hypha_p2p_broadcast(p2p, &chat_line, &line, &sent) == HYPHA_OK ? sent : 0;
}
