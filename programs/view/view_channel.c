/* view_channel.c - the channels of a node, their messages and commands, and its slots.
 *
 * Closed channels are kept for a while, for their messages; of too many, the oldest go. A
 * message is in two lists: its channel's, and its node's, by which the oldest of all is found. */
#include "base/alloc.h"
#include "view/view_model_internal.h"

#include <string.h>

#define UNLISTED_S 60 /* a channel that the node never named is forgotten after such a silence */

/* ---- messages ---- */

static void message_forget(struct view_node *node, struct view_message *message)
{
    struct view_channel *channel = message->channel;

    STAILQ_REMOVE(&channel->messages, message, view_message, entry);
    TAILQ_REMOVE(&node->all_messages, message, node_entry);
    channel->message_count--;
    node->message_count--;
    view_text_free(message->command);
    hy_free(message);
}

struct view_command *view_channel_command(
    struct view_node *node, struct view_channel *channel, const char *name)
{
    struct view_command *command;

    STAILQ_FOREACH (command, &channel->commands, entry)
        if (strcmp(command->name, name) == 0)
            return command;
    if (channel->command_count >= VIEW_MAX_COMMANDS ||
        node->command_count >= VIEW_MAX_NODE_COMMANDS)
        return NULL;
    command = hy_alloc(sizeof *command);
    if (command == NULL || (command->name = view_text_new(name)) == NULL) {
        hy_free(command);
        return NULL;
    }
    STAILQ_INSERT_TAIL(&channel->commands, command, entry);
    channel->command_count++;
    node->command_count++;
    return command;
}

static void count_message(struct view_node *node, struct view_channel *channel,
    const struct view_message *message, uint64_t now_ns)
{
    struct view_command *command = view_channel_command(node, channel, message->command);

    view_rate_count(&node->rate, now_ns);
    view_rate_count(&channel->rate, now_ns);
    if (command != NULL)
        view_rate_count(&command->rate, now_ns);
    if (channel->told)
        return;
    *(message->sent ? &channel->messages_out : &channel->messages_in) += 1;
    *(message->sent ? &channel->bytes_out : &channel->bytes_in) += message->bytes;
    if (command == NULL)
        return;
    *(message->sent ? &command->messages_out : &command->messages_in) += 1;
    *(message->sent ? &command->bytes_out : &command->bytes_in) += message->bytes;
}

void view_channel_message(struct view_node *node, struct view_channel *channel,
    const struct view_message *message, uint64_t now_ns)
{
    struct view_message *kept = hy_alloc(sizeof *kept);

    channel->heard_ns = now_ns;
    count_message(node, channel, message, now_ns);
    if (kept == NULL)
        return;
    *kept = *message;
    kept->channel = channel;
    kept->command = view_text_new(message->command);
    if (kept->command == NULL) {
        hy_free(kept);
        return;
    }
    if (channel->message_count >= VIEW_MAX_MESSAGES)
        message_forget(node, STAILQ_FIRST(&channel->messages));
    else if (node->message_count >= VIEW_MAX_NODE_MESSAGES)
        message_forget(node, TAILQ_FIRST(&node->all_messages));
    STAILQ_INSERT_TAIL(&channel->messages, kept, entry);
    TAILQ_INSERT_TAIL(&node->all_messages, kept, node_entry);
    channel->message_count++;
    channel->messages_seen++;
    node->message_count++;
}

/* ---- channels ---- */

void view_channel_forget(struct view_node *node, struct view_channel *channel)
{
    struct view_command *command;

    while (!STAILQ_EMPTY(&channel->messages))
        message_forget(node, STAILQ_FIRST(&channel->messages));
    while ((command = STAILQ_FIRST(&channel->commands)) != NULL) {
        STAILQ_REMOVE_HEAD(&channel->commands, entry);
        view_text_free(command->name);
        hy_free(command);
        node->command_count--;
    }
    TAILQ_REMOVE(&node->channels, channel, entry);
    LIST_REMOVE(channel, bucket);
    node->channel_count--;
    if (channel->closed)
        node->closed_count--;
    view_texts_free(channel->announced, channel->announced_count);
    view_text_free(channel->session);
    view_text_free(channel->addr);
    view_text_free(channel->connect_addr);
    view_text_free(channel->why);
    view_text_free(channel->app);
    view_text_free(channel->version);
    hy_free(channel);
}

static void forget_oldest_closed(struct view_node *node)
{
    struct view_channel *channel, *oldest = NULL;

    TAILQ_FOREACH (channel, &node->channels, entry)
        if (channel->closed && (oldest == NULL || channel->closed_ns < oldest->closed_ns))
            oldest = channel;
    if (oldest != NULL)
        view_channel_forget(node, oldest);
}

struct view_channel *view_node_channel(const struct view_node *node, uint32_t id)
{
    struct view_channel *channel, *closed = NULL;

    LIST_FOREACH (channel, &node->by_id[id % VIEW_BUCKETS], bucket) {
        if (channel->id == id && !channel->closed)
            return channel;
        if (channel->id == id && closed == NULL)
            closed = channel;
    }
    return closed;
}

size_t view_node_count(const struct view_node *node, const char *session)
{
    const struct view_channel *channel;
    size_t count = 0;

    TAILQ_FOREACH (channel, &node->channels, entry)
        count += !channel->closed && (session == NULL || strcmp(channel->session, session) == 0);
    return count;
}

struct view_channel *view_channel_open(struct view_node *node, uint32_t id, uint64_t now_ns)
{
    struct view_channel *channel = view_node_channel(node, id);

    if (channel != NULL && !channel->closed)
        return channel;
    if (node->channel_count >= VIEW_MAX_CHANNELS)
        forget_oldest_closed(node);
    if (node->channel_count >= VIEW_MAX_CHANNELS || (channel = hy_alloc(sizeof *channel)) == NULL)
        return NULL;
    *channel = (struct view_channel){
        .id = id,
        .session = view_text_none(),
        .addr = view_text_none(),
        .connect_addr = view_text_none(),
        .why = view_text_none(),
        .app = view_text_none(),
        .version = view_text_none(),
        .since_ns = now_ns,
        .heard_ns = now_ns,
    };
    STAILQ_INIT(&channel->commands);
    STAILQ_INIT(&channel->messages);
    TAILQ_INSERT_TAIL(&node->channels, channel, entry);
    LIST_INSERT_HEAD(&node->by_id[id % VIEW_BUCKETS], channel, bucket);
    node->channel_count++;
    return channel;
}

void view_channel_close(
    struct view_node *node, struct view_channel *channel, const char *why, uint64_t now_ns)
{
    if (!channel->closed) {
        channel->closed = true;
        channel->closed_ns = now_ns;
        channel->queued_bytes = 0;
        node->closed_count++;
    }
    if (why != NULL && why[0] != '\0')
        view_text_set(&channel->why, why);
}

void view_channels_trim(struct view_node *node)
{
    while (node->closed_count > VIEW_MAX_CLOSED)
        forget_oldest_closed(node);
}

void view_node_tidy(struct view_model *model, struct view_node *node, uint64_t now_ns)
{
    struct view_channel *channel, *next;

    for (channel = TAILQ_FIRST(&node->channels); channel != NULL; channel = next) {
        next = TAILQ_NEXT(channel, entry);
        bool over = channel->closed
            ? now_ns > channel->closed_ns + VIEW_CLOSED_S * VIEW_NS_PER_S
            : !channel->listed && now_ns > channel->heard_ns + UNLISTED_S * VIEW_NS_PER_S;

        if (over) {
            view_channel_forget(node, channel);
            model->version++;
        }
    }
}

/* ---- slots ---- */

enum view_slot_kind view_slot_kind_of(const char *state)
{
    static const struct {
        const char *state;
        enum view_slot_kind kind;
    } kinds[] = {
        { "connected", VIEW_SLOT_CONNECTED },
        { "connecting", VIEW_SLOT_CONNECTING },
        { "dialling", VIEW_SLOT_CONNECTING },
        { "handshake", VIEW_SLOT_CONNECTING },
        { "disconnected", VIEW_SLOT_FAILED },
    };

    for (size_t i = 0; i < sizeof kinds / sizeof kinds[0]; i++)
        if (strcmp(kinds[i].state, state) == 0)
            return kinds[i].kind;
    return VIEW_SLOT_EMPTY;
}

static int slot_rank(const char *session)
{
    static const char *const order[] = { "outbound", "manual", "seed" };
    int rank = 0;

    while (rank < 3 && strcmp(order[rank], session) != 0)
        rank++;
    return rank;
}

static void slot_fini(struct view_slot *slot)
{
    view_text_free(slot->session);
    view_text_free(slot->state);
    view_text_free(slot->addr);
    view_text_free(slot->last_error);
    view_text_free(slot->waits_for);
    hy_free(slot->changes);
}

struct view_slot *view_slot_get(struct view_node *node, const char *session, uint32_t number)
{
    size_t at = 0;

    for (; at < node->slot_count; at++) {
        struct view_slot *slot = &node->slots[at];
        int order = slot_rank(slot->session) - slot_rank(session);

        if (order == 0)
            order = strcmp(slot->session, session);
        if (order == 0 && slot->number == number)
            return slot;
        if (order > 0 || (order == 0 && slot->number > number))
            break;
    }
    if (node->slot_count >= VIEW_MAX_SLOTS)
        return NULL;
    if (node->slot_count % 16 == 0) {
        size_t room = node->slot_count + 16;
        struct view_slot *slots = hy_realloc(node->slots, room * sizeof *slots);

        if (slots == NULL)
            return NULL;
        node->slots = slots;
    }
    char *copy = view_text_new(session);
    if (copy == NULL)
        return NULL;
    memmove(
        &node->slots[at + 1], &node->slots[at], (node->slot_count - at) * sizeof node->slots[0]);
    node->slot_count++;
    node->slots[at] = (struct view_slot){
        .session = copy,
        .number = number,
        .state = view_text_none(),
        .addr = view_text_none(),
        .last_error = view_text_none(),
        .waits_for = view_text_none(),
    };
    return &node->slots[at];
}

static void slot_change(struct view_slot *slot, enum view_slot_kind kind, uint64_t now_ns)
{
    if (slot->changes == NULL)
        slot->changes = hy_alloc_array(VIEW_MAX_CHANGES, sizeof *slot->changes);
    if (slot->changes == NULL)
        return;
    if (slot->change_count > 0) {
        struct view_change *last = &slot->changes[slot->change_count - 1];
        uint64_t before = slot->change_count > 1 ? last[-1].time_ns : 0;

        if (last->kind == kind) { /* since when may be known better now */
            last->time_ns = now_ns < last->time_ns && now_ns >= before ? now_ns : last->time_ns;
            return;
        }
        if (last->time_ns > now_ns)
            now_ns = last->time_ns; /* they stay in order */
    }
    if (slot->change_count == VIEW_MAX_CHANGES)
        memmove(
            &slot->changes[0], &slot->changes[1], --slot->change_count * sizeof slot->changes[0]);
    slot->changes[slot->change_count++] = (struct view_change){ now_ns, kind };
}

void view_slot_enter(struct view_slot *slot, const char *state, uint64_t now_ns)
{
    if (strcmp(slot->state, state) != 0)
        slot->since_ns = now_ns;
    view_text_set(&slot->state, state);
    slot_change(slot, view_slot_kind_of(state), now_ns);
}

void view_slots_keep(struct view_node *node,
    bool (*keep)(const struct view_slot *slot, const void *user), const void *user)
{
    size_t kept = 0;

    for (size_t i = 0; i < node->slot_count; i++) {
        if (keep(&node->slots[i], user))
            node->slots[kept++] = node->slots[i];
        else
            slot_fini(&node->slots[i]);
    }
    node->slot_count = kept;
}
