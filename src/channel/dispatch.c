/* dispatch.c - one sorted command table per session, made once. */
#include "channel/dispatch.h"

#include "base/alloc.h"
#include "base/span.h"
#include "wire/message.h"

#include <assert.h>
#include <stdlib.h>

#define SESSIONS 6

struct hy_dispatch {
    unsigned refs;
    struct hy_dispatch_session sessions[SESSIONS]; /* by bit number */
};

static int compare(struct hypha_span a, struct hypha_span b)
{
    if (a.len != b.len)
        return a.len < b.len ? -1 : 1;
    return a.len == 0 ? 0 : memcmp(a.at, b.at, a.len);
}

static struct hypha_span name_of(const struct hy_command *command)
{
    return hy_span(command->type->command, command->command_len);
}

/* The place of `name`, or where it would have to go. */
static size_t place_of(
    const struct hy_dispatch_session *session, struct hypha_span name, bool *ret_found)
{
    size_t low = 0, high = session->command_count;

    while (low < high) {
        size_t middle = low + (high - low) / 2;
        int order = compare(name_of(&session->commands[middle]), name);

        if (order == 0) {
            *ret_found = true;
            return middle;
        }
        if (order < 0)
            low = middle + 1;
        else
            high = middle;
    }
    *ret_found = false;
    return low;
}

/* Put a command in, or give a core one that was without a protocol to `protocol`. */
static enum hypha_err add_command(
    struct hy_dispatch_session *session, const struct hypha_message_type *type, int16_t protocol)
{
    struct hypha_span name = hy_span_of(type->command);
    bool found;
    size_t place = place_of(session, name, &found);

    if (found) {
        struct hy_command *command = &session->commands[place];

        if (command->type != type || command->protocol >= 0)
            return HYPHA_ERR_EXISTS;
        command->protocol = protocol;
        return HYPHA_OK;
    }
    if (session->command_count >= HY_MAX_COMMANDS)
        return HYPHA_ERR_LIMIT;
    memmove(&session->commands[place + 1], &session->commands[place],
        (session->command_count - place) * sizeof *session->commands);
    session->commands[place] = (struct hy_command){ .type = type,
        .index = (uint16_t)session->command_count,
        .protocol = protocol,
        .command_len = (uint16_t)name.len };
    session->command_count++;
    session->meter_limit += type->metering.threshold;
    return HYPHA_OK;
}

static bool is_attached(const struct hy_registration *registration, enum hypha_session session)
{
    if (session == HYPHA_SESSION_REFINE)
        return registration->early;
    return (registration->protocol->sessions & (uint32_t)session) != 0;
}

static enum hypha_err build(struct hy_dispatch_session *table, enum hypha_session session,
    const struct hy_registration *registrations, size_t count)
{
    size_t commands = HY_CORE_MESSAGES, protocols = 0;

    for (size_t i = 0; i < count; i++)
        if (is_attached(&registrations[i], session)) {
            commands += registrations[i].protocol->message_count;
            protocols++;
        }
    if (protocols > HY_MAX_PROTOCOLS)
        return HYPHA_ERR_LIMIT;
    table->commands = hy_alloc_array(commands, sizeof *table->commands);
    table->protocols = hy_alloc_array(protocols, sizeof *table->protocols);
    if (table->commands == NULL || table->protocols == NULL)
        return HYPHA_ERR_NOMEM;

    enum hypha_err err = HYPHA_OK;
    for (size_t i = 0; i < HY_CORE_MESSAGES && err == HYPHA_OK; i++)
        err = add_command(table, &hy_core_messages[i], -1);
    for (size_t i = 0; i < count && err == HYPHA_OK; i++) {
        const struct hypha_protocol *protocol = registrations[i].protocol;

        if (!is_attached(&registrations[i], session))
            continue;
        for (size_t m = 0; m < protocol->message_count && err == HYPHA_OK; m++)
            err = add_command(table, &protocol->messages[m], (int16_t)table->protocol_count);
        table->protocols[table->protocol_count++] = registrations[i];
    }
    return err;
}

enum hypha_err hy_dispatch_check(const struct hypha_protocol *protocol)
{
    if (protocol == NULL || (protocol->message_count > 0 && protocol->messages == NULL))
        return HYPHA_ERR_INVALID;
    for (size_t i = 0; i < protocol->message_count; i++) {
        const struct hypha_message_type *type = &protocol->messages[i];

        if (type->command == NULL || type->read == NULL || type->write == NULL ||
            type->struct_bytes > HYPHA_MAX_MESSAGE_STRUCT_BYTES)
            return HYPHA_ERR_INVALID;

        struct hypha_span name = hy_span_of(type->command);
        if (name.len == 0 || name.len > HY_MAX_COMMAND_BYTES || !hy_span_is_utf8(name))
            return HYPHA_ERR_INVALID;
    }
    return HYPHA_OK;
}

enum hypha_err hy_dispatch_create(
    const struct hy_registration *registrations, size_t count, struct hy_dispatch **ret_dispatch)
{
    struct hy_dispatch *dispatch = hy_alloc(sizeof *dispatch);
    enum hypha_err err = HYPHA_OK;

    if (dispatch == NULL)
        return HYPHA_ERR_NOMEM;
    dispatch->refs = 1;
    for (unsigned bit = 0; bit < SESSIONS && err == HYPHA_OK; bit++)
        err = build(
            &dispatch->sessions[bit], (enum hypha_session)(1U << bit), registrations, count);
    if (err != HYPHA_OK) {
        hy_dispatch_unref(dispatch);
        return err;
    }
    *ret_dispatch = dispatch;
    return HYPHA_OK;
}

struct hy_dispatch *hy_dispatch_ref(struct hy_dispatch *dispatch)
{
    dispatch->refs++;
    return dispatch;
}

void hy_dispatch_unref(struct hy_dispatch *dispatch)
{
    if (dispatch == NULL || --dispatch->refs > 0)
        return;
    for (unsigned bit = 0; bit < SESSIONS; bit++) {
        hy_free(dispatch->sessions[bit].commands);
        hy_free(dispatch->sessions[bit].protocols);
    }
    hy_free(dispatch);
}

const struct hy_dispatch_session *hy_dispatch_session(
    const struct hy_dispatch *dispatch, enum hypha_session session)
{
    for (unsigned bit = 0; bit < SESSIONS; bit++)
        if ((unsigned)session == 1U << bit)
            return &dispatch->sessions[bit];
    assert(false && "a session is one bit");
    return &dispatch->sessions[0];
}

const struct hy_command *hy_dispatch_find(
    const struct hy_dispatch_session *session, struct hypha_span command)
{
    bool found;
    size_t place = place_of(session, command, &found);

    return found ? &session->commands[place] : NULL;
}

const struct hy_command *hy_dispatch_find_type(
    const struct hy_dispatch_session *session, const struct hypha_message_type *type)
{
    const struct hy_command *command = hy_dispatch_find(session, hy_span_of(type->command));

    return command != NULL && command->type == type ? command : NULL;
}
