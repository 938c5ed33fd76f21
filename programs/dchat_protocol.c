#include "dchat_protocol.h"

#include <stdlib.h>

struct dchat_message {
    struct hypha_span text;
};

static void message_read(struct hypha_reader *payload, void *ret_message)
{
    struct dchat_message *message = ret_message;

    message->text = hypha_reader_take_string(payload, SIZE_MAX);
}

static void message_write(struct hypha_writer *payload, const void *message)
{
    hypha_writer_put_string(payload, ((const struct dchat_message *)message)->text);
}

/* Unlimited and unmetered, as the reference has it: whoever limits it would ban its nodes. */
static const struct hypha_message_type dchat_types[] = {
    { .command = "DchatMsg",
        .struct_bytes = sizeof(struct dchat_message),
        .read = message_read,
        .write = message_write },
};

/* A channel's state: not all that knock become peers, and only those who joined can leave. */
struct dchat_member {
    bool joined;
};

static enum hypha_err on_attach(struct hypha_channel *channel, void *app, void **ret_state)
{
    (void)channel;
    (void)app;
    *ret_state = calloc(1, sizeof(struct dchat_member));
    return *ret_state != NULL ? HYPHA_OK : HYPHA_ERR_NOMEM;
}

static void on_start(struct hypha_channel *channel, void *app, void *state)
{
    struct dchat *chat = app;

    ((struct dchat_member *)state)->joined = true;
    chat->on_joined(channel, chat->user);
}

static enum hypha_err on_message(struct hypha_channel *channel, void *app, void *state,
    const struct hypha_message_type *type, const void *message)
{
    struct dchat *chat = app;

    (void)state;
    (void)type;
    chat->on_text(channel, ((const struct dchat_message *)message)->text, chat->user);
    return HYPHA_OK;
}

static void on_stop(struct hypha_channel *channel, void *app, void *state, enum hypha_err why)
{
    struct dchat *chat = app;

    if (((struct dchat_member *)state)->joined)
        chat->on_left(channel, why, chat->user);
    free(state);
}

const struct hypha_protocol dchat_protocol = {
    .name = "dchat",
    .sessions = HYPHA_SESSIONS_DEFAULT,
    .messages = dchat_types,
    .message_count = 1,
    .on_attach = on_attach,
    .on_start = on_start,
    .on_message = on_message,
    .on_stop = on_stop,
};

/* ---- sending once per peer ---- */

/* Two nodes that dial each other hold two channels. The one that we dialled leads to its
 * address for sure; what a peer announces is only its word, so it can cost nobody but itself
 * a message: a channel is left out if it announces an address that another chosen one was
 * dialled at. */
struct choice {
    struct hypha_channel **channels; /* dialled ones first */
    bool *chosen;
    size_t count, room;
    size_t dialled;
};

static bool is_peer(const struct hypha_channel *channel)
{
    return ((unsigned)hypha_channel_session(channel) & HYPHA_SESSIONS_DEFAULT) != 0 &&
        !hypha_channel_is_stopped(channel);
}

static void collect(struct hypha_channel *channel, void *user)
{
    struct choice *choice = user;

    if (!is_peer(channel) || choice->count == choice->room)
        return;
    if (hypha_channel_session(channel) == HYPHA_SESSION_INBOUND) {
        choice->channels[choice->count] = channel;
    } else {
        choice->channels[choice->count] = choice->channels[choice->dialled];
        choice->channels[choice->dialled++] = channel;
    }
    choice->count++;
}

static void count_channel(struct hypha_channel *channel, void *user)
{
    (void)channel;
    ++*(size_t *)user;
}

static bool announces(const struct hypha_channel *channel, const struct hypha_url *address)
{
    const struct hypha_url *own;

    for (size_t i = 0; (own = hypha_channel_peer_address(channel, i)) != NULL; i++)
        if (hypha_url_equal(own, address))
            return true;
    return false;
}

static void choose(struct choice *choice)
{
    for (size_t i = 0; i < choice->count; i++) {
        choice->chosen[i] = true;
        for (size_t j = 0; j < i && j < choice->dialled && choice->chosen[i]; j++)
            if (choice->chosen[j] &&
                announces(choice->channels[i], hypha_channel_address(choice->channels[j])))
                choice->chosen[i] = false;
    }
}

static bool is_chosen(struct hypha_channel *channel, void *user)
{
    const struct choice *choice = user;

    for (size_t i = 0; i < choice->count; i++)
        if (choice->channels[i] == channel)
            return choice->chosen[i];
    return false;
}

enum hypha_err dchat_send(
    struct hypha_p2p *p2p, struct hypha_span text, size_t *ret_peers, size_t *ret_sent)
{
    struct dchat_message message = { text };
    struct choice choice = { 0 };
    enum hypha_err err = HYPHA_ERR_NOMEM;

    *ret_peers = *ret_sent = 0;
    hypha_p2p_each_channel(p2p, count_channel, &choice.room);
    choice.channels = calloc(choice.room + 1, sizeof *choice.channels);
    choice.chosen = calloc(choice.room + 1, sizeof *choice.chosen);
    if (choice.channels != NULL && choice.chosen != NULL) {
        hypha_p2p_each_channel(p2p, collect, &choice);
        choose(&choice);
        for (size_t i = 0; i < choice.count; i++)
            *ret_peers += choice.chosen[i];
        err = hypha_p2p_broadcast_to(p2p, dchat_types, &message, is_chosen, &choice, ret_sent);
    }
    free(choice.channels);
    free(choice.chosen);
    return err;
}
