/* view_json.c - the model as one JSON value, for --once --json and the web page. */
#include "view/view_model_internal.h"

#include <inttypes.h>
#include <stdio.h>

/* Set what was made; false: no memory, and then `value` is gone too. */
static bool put(json_t *object, const char *key, json_t *value)
{
    return json_object_set_new_nocheck(object, key, value) == 0;
}

static bool put_text(json_t *object, const char *key, const char *text)
{
    return put(object, key, json_string(text));
}

static bool put_number(json_t *object, const char *key, uint64_t number)
{
    return put(object, key, json_integer(number <= INT64_MAX ? (json_int_t)number : INT64_MAX));
}

static bool put_time(json_t *object, const char *key, uint64_t time_ns)
{
    char text[24];

    (void)snprintf(text, sizeof text, "%" PRIu64, time_ns);
    return put_text(object, key, text);
}

static bool put_rate(json_t *object, const struct view_rate *rate, uint64_t now_ns)
{
    return put(object, "rate", json_real(view_rate_per_s(rate, now_ns)));
}

static bool put_texts(json_t *object, const char *key, char *const *texts, size_t count)
{
    json_t *array = json_array();
    bool ok = array != NULL;

    for (size_t i = 0; ok && i < count; i++)
        ok = json_array_append_new(array, json_string(texts[i])) == 0;
    if (ok)
        return put(object, key, array);
    json_decref(array);
    return false;
}

/* The finished object, or NULL when a part of it had no memory. */
static json_t *finish(json_t *object, bool ok)
{
    if (ok)
        return object;
    json_decref(object);
    return NULL;
}

static json_t *message_json(const struct view_message *message)
{
    json_t *object = json_object();

    return finish(object,
        put_time(object, "time_ns", message->time_ns) &&
            put(object, "sent", json_boolean(message->sent)) &&
            put_text(object, "command", message->command) &&
            put_number(object, "bytes", message->bytes));
}

static json_t *messages_json(const struct view_channel *channel, size_t newest)
{
    size_t skip = channel->message_count > newest ? channel->message_count - newest : 0;
    const struct view_message *message;
    json_t *array = json_array();
    bool ok = array != NULL;

    STAILQ_FOREACH (message, &channel->messages, entry) {
        if (skip > 0)
            skip--;
        else
            ok = ok && json_array_append_new(array, message_json(message)) == 0;
    }
    return finish(array, ok);
}

static json_t *commands_json(const struct view_channel *channel, uint64_t now_ns)
{
    const struct view_command *command;
    json_t *array = json_array();
    bool ok = array != NULL;

    STAILQ_FOREACH (command, &channel->commands, entry) {
        json_t *object = json_object();

        ok = ok &&
            json_array_append_new(array,
                finish(object,
                    put_text(object, "command", command->name) &&
                        put_number(object, "messages_in", command->messages_in) &&
                        put_number(object, "messages_out", command->messages_out) &&
                        put_number(object, "bytes_in", command->bytes_in) &&
                        put_number(object, "bytes_out", command->bytes_out) &&
                        put_rate(object, &command->rate, now_ns))) == 0;
        if (!ok)
            break;
    }
    return finish(array, ok);
}

json_t *view_channel_json(const struct view_channel *channel, size_t messages, uint64_t now_ns)
{
    json_t *object = json_object();

    return finish(object,
        put_number(object, "id", channel->id) && put_text(object, "session", channel->session) &&
            put_text(object, "addr", channel->addr) &&
            put(object, "closed", json_boolean(channel->closed)) &&
            put_text(object, "why", channel->why) &&
            put_time(object, "since_ns", channel->since_ns) &&
            put_text(object, "app", channel->app) &&
            put_text(object, "version", channel->version) &&
            put_number(object, "round_trip_us", channel->round_trip_us) &&
            put_number(object, "messages_in", channel->messages_in) &&
            put_number(object, "messages_out", channel->messages_out) &&
            put_number(object, "bytes_in", channel->bytes_in) &&
            put_number(object, "bytes_out", channel->bytes_out) &&
            put_number(object, "queued_bytes", channel->queued_bytes) &&
            put_rate(object, &channel->rate, now_ns) &&
            put_texts(object, "announced", channel->announced, channel->announced_count) &&
            put(object, "commands", commands_json(channel, now_ns)) &&
            put(object, "messages", messages_json(channel, messages)));
}

static json_t *channels_json(const struct view_node *node, size_t messages, uint64_t now_ns)
{
    const struct view_channel *channel;
    json_t *array = json_array();
    bool ok = array != NULL;

    TAILQ_FOREACH (channel, &node->channels, entry)
        ok = ok && json_array_append_new(array, view_channel_json(channel, messages, now_ns)) == 0;
    return finish(array, ok);
}

json_t *view_slot_json(const struct view_slot *slot)
{
    json_t *object = json_object();

    return finish(object,
        put_text(object, "session", slot->session) && put_number(object, "slot", slot->number) &&
            put_text(object, "state", slot->state) && put_text(object, "addr", slot->addr) &&
            put_number(object, "channel_id", slot->channel_id) &&
            put_time(object, "since_ns", slot->since_ns) &&
            put_text(object, "last_error", slot->last_error) &&
            put_text(object, "waits_for", slot->waits_for) &&
            put_number(object, "failures", slot->failures) &&
            put_time(object, "next_ns", slot->next_ns));
}

static json_t *slots_json(const struct view_node *node)
{
    json_t *array = json_array();
    bool ok = array != NULL;

    for (size_t i = 0; ok && i < node->slot_count; i++)
        ok = json_array_append_new(array, view_slot_json(&node->slots[i])) == 0;
    return finish(array, ok);
}

static json_t *events_json(const struct view_node *node, size_t newest)
{
    size_t skip = node->event_count > newest ? node->event_count - newest : 0;
    const struct view_event *event;
    json_t *array = json_array();
    bool ok = array != NULL;

    TAILQ_FOREACH (event, &node->events, entry) {
        json_t *object;

        if (skip > 0) {
            skip--;
            continue;
        }
        object = json_object();
        ok = ok &&
            json_array_append_new(array,
                finish(object,
                    put_time(object, "time_ns", event->time_ns) &&
                        put_text(object, "event", event->name) &&
                        put_text(object, "text", event->text))) == 0;
        if (!ok)
            break;
    }
    return finish(array, ok);
}

json_t *view_network_json(const struct view_network *network)
{
    json_t *object = json_object();
    bool truncated = network->white.truncated || network->grey.truncated || network->gold.truncated;

    return finish(object,
        put_text(object, "name", network->name) &&
            put_texts(object, "urls", network->listens.urls, network->listens.count) &&
            put_texts(object, "whitelist", network->white.urls, network->white.count) &&
            put_texts(object, "greylist", network->grey.urls, network->grey.count) &&
            put_texts(object, "goldlist", network->gold.urls, network->gold.count) &&
            put(object, "truncated", json_boolean(truncated)));
}

static json_t *networks_json(const struct view_node *node)
{
    const struct view_network *network;
    json_t *array = json_array();
    bool ok = array != NULL;

    STAILQ_FOREACH (network, &node->networks, entry)
        ok = ok && json_array_append_new(array, view_network_json(network)) == 0;
    return finish(array, ok);
}

static uint64_t told(const struct view_urls *urls)
{
    return urls->total > urls->count ? urls->total : urls->count;
}

static json_t *hosts_json(const struct view_node *node)
{
    json_t *object = json_object();

    return finish(object,
        put_number(object, "white", told(&node->white)) &&
            put_number(object, "grey", told(&node->grey)) &&
            put_number(object, "gold", told(&node->gold)) &&
            put_number(object, "dark", told(&node->dark)) &&
            put_number(object, "black", told(&node->black)));
}

static json_t *bans_json(const struct view_node *node)
{
    json_t *array = json_array();
    bool ok = array != NULL;

    for (size_t i = 0; ok && i < node->ban_count; i++) {
        json_t *object = json_object();

        ok = json_array_append_new(array,
                 finish(object,
                     put_text(object, "addr", node->bans[i].addr) &&
                         put_text(object, "why", node->bans[i].why) &&
                         put_number(object, "until_s", node->bans[i].until_s))) == 0;
    }
    return finish(array, ok);
}

static json_t *discovery_json(const struct view_node *node)
{
    json_t *object = json_object();

    return finish(object,
        put_text(object, "state", node->discovery) &&
            put_number(object, "attempt", node->attempt) &&
            put_time(object, "time_ns", node->discovery_ns));
}

json_t *view_node_json(
    const struct view_node *node, size_t messages, size_t events, uint64_t now_ns)
{
    json_t *object = json_object();

    return finish(object,
        put_text(object, "name", node->name) && put_text(object, "endpoint", node->endpoint) &&
            put_text(object, "kind", view_kind_name(node->kind)) &&
            put_text(object, "link", view_link_name(node->link)) &&
            put_text(object, "error", node->error) &&
            put_time(object, "since_ns", node->since_ns) &&
            put(object, "is_hypha", json_boolean(node->is_hypha)) &&
            put_text(object, "app", node->app) && put_text(object, "version", node->version) &&
            put_time(object, "started_ns", node->started_ns) &&
            put_rate(object, &node->rate, now_ns) && put_number(object, "dropped", node->dropped) &&
            put(object, "discovery", discovery_json(node)) &&
            put_texts(object, "own_addrs", node->own_addrs, node->own_count) &&
            put(object, "slots", slots_json(node)) &&
            put(object, "channels", channels_json(node, messages, now_ns)) &&
            put(object, "events", events_json(node, events)) &&
            put(object, "networks", networks_json(node)) &&
            put(object, "hosts", hosts_json(node)) && put(object, "bans", bans_json(node)));
}

json_t *view_model_json(
    const struct view_model *model, size_t messages, size_t events, uint64_t now_ns)
{
    const struct view_node *node;
    json_t *root = json_object();
    json_t *array = json_array();
    bool ok = array != NULL && root != NULL;

    STAILQ_FOREACH (node, &model->nodes, entry)
        ok = ok &&
            json_array_append_new(array, view_node_json(node, messages, events, now_ns)) == 0;
    if (!ok) {
        json_decref(array);
        json_decref(root);
        return NULL;
    }
    return finish(root, put(root, "nodes", array));
}
