/* channel_stats.c - what came and went, by command: of a channel, and of all of a node.
 *
 * A channel counts in an array by command index, and adds it to its node's when it stops: a
 * message costs two additions. The node's table of commands does not change once a channel was
 * started (hypha_p2p_register()), so indexes stay what they are. */
#include "channel/channel_internal.h"

#include "base/alloc.h"

#include <string.h>

#define SESSIONS 6

static size_t session_index(enum hypha_session session)
{
    size_t bit = 0;

    while (bit + 1 < SESSIONS && (unsigned)session != 1U << bit)
        bit++;
    return bit;
}

static void add(struct hypha_traffic *sum, const struct hypha_traffic *more)
{
    sum->messages_in += more->messages_in;
    sum->messages_out += more->messages_out;
    sum->bytes_in += more->bytes_in;
    sum->bytes_out += more->bytes_out;
}

static bool is_any(const struct hypha_traffic *traffic)
{
    return traffic->messages_in > 0 || traffic->messages_out > 0;
}

enum hypha_err hy_channel_count_traffic(struct hypha_channel *channel)
{
    struct hypha_traffic **totals = &channel->net->totals[session_index(channel->session)];
    size_t count = channel->commands->command_count;

    if (*totals == NULL)
        *totals = hy_alloc_array(count, sizeof **totals);
    channel->traffic = hy_alloc_array(count, sizeof *channel->traffic);
    return *totals != NULL && channel->traffic != NULL ? HYPHA_OK : HYPHA_ERR_NOMEM;
}

void hy_channel_add_traffic(struct hypha_channel *channel)
{
    struct hypha_traffic *totals = channel->net->totals[session_index(channel->session)];

    if (channel->traffic == NULL || totals == NULL)
        return;
    for (size_t i = 0; i < channel->commands->command_count; i++)
        add(&totals[i], &channel->traffic[i]);
}

void hypha_channel_traffic(const struct hypha_channel *channel, struct hypha_traffic *ret_traffic)
{
    memset(ret_traffic, 0, sizeof *ret_traffic);
    if (channel->traffic == NULL)
        return;
    for (size_t i = 0; i < channel->commands->command_count; i++)
        add(ret_traffic, &channel->traffic[i]);
}

void hypha_channel_each_command(
    const struct hypha_channel *channel, hypha_command_cb each, void *user)
{
    if (channel->traffic == NULL)
        return;
    for (size_t i = 0; i < channel->commands->command_count; i++) {
        const struct hy_command *command = &channel->commands->commands[i];

        if (is_any(&channel->traffic[command->index]))
            each(command->type->command, &channel->traffic[command->index], user);
    }
}

/* ---- all of a node ---- */

struct merged {
    const char *commands[HY_MAX_COMMANDS];
    struct hypha_traffic traffic[HY_MAX_COMMANDS];
    size_t count;
};

static void merge(void *user, const char *command, const struct hypha_traffic *traffic)
{
    struct merged *merged = user;
    size_t i = 0;

    while (i < merged->count && strcmp(merged->commands[i], command) != 0)
        i++;
    if (i == HY_MAX_COMMANDS)
        return;
    if (i == merged->count)
        merged->commands[merged->count++] = command;
    add(&merged->traffic[i], traffic);
}

static void merge_live(const char *command, const struct hypha_traffic *traffic, void *user)
{
    merge(user, command, traffic);
}

void hy_net_each_command(const struct hy_net *net, hypha_command_cb each, void *user)
{
    struct merged *merged = hy_alloc(sizeof *merged);
    struct hypha_channel *channel = NULL;

    if (merged == NULL)
        return;
    for (unsigned bit = 0; bit < SESSIONS && net->dispatch != NULL; bit++) {
        const struct hy_dispatch_session *table = hy_dispatch_session(
            net->dispatch, (enum hypha_session)(1U << bit));

        for (size_t i = 0; net->totals[bit] != NULL && i < table->command_count; i++) {
            const struct hy_command *command = &table->commands[i];

            if (is_any(&net->totals[bit][command->index]))
                merge(merged, command->type->command, &net->totals[bit][command->index]);
        }
    }
    while ((channel = hy_net_next_channel(net, channel)) != NULL)
        hypha_channel_each_command(channel, merge_live, merged);
    for (size_t i = 0; i < merged->count; i++)
        each(merged->commands[i], &merged->traffic[i], user);
    hy_free(merged);
}

/* ---- the handshake ---- */

void hy_channel_tell_handshake(struct hypha_channel *channel, enum hypha_err err)
{
    struct hy_net *net = channel->net;

    if (!hy_events_wanted(&net->events, HYPHA_EVENT_HANDSHAKE))
        return;
    struct hypha_event event = { .type = HYPHA_EVENT_HANDSHAKE,
        .time_ns = hy_wall_ns(net->loop),
        .channel_id = channel->id,
        .session = channel->session,
        .addr = hypha_channel_display_address(channel),
        .connect_addr = channel->connect_addr,
        .err = err };
    hy_events_publish(&net->events, &event);
}
