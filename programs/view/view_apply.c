/* view_apply.c - what nodes answer, put into the model.
 *
 * All of it is hostile: a value of the wrong kind is as good as missing, what is too much is left
 * out, numbers are clamped. Nothing here fails. spec: apps.md 2.5, 7.3 */
#include "base/alloc.h"
#include "view/view_model_internal.h"

#include <string.h>

/* ---- values ---- */

const char *view_json_text(const json_t *object, const char *key)
{
    const char *text = json_string_value(json_object_get(object, key));

    return text != NULL ? text : "";
}

uint64_t view_json_number(const json_t *object, const char *key)
{
    json_int_t number = json_integer_value(json_object_get(object, key));

    return number > 0 ? (uint64_t)number : 0;
}

bool view_json_u32(const json_t *object, const char *key, uint32_t *ret_number)
{
    const json_t *value = json_object_get(object, key);
    json_int_t number = json_integer_value(value);

    if (!json_is_integer(value) || number < 0 || number > UINT32_MAX)
        return false;
    *ret_number = (uint32_t)number;
    return true;
}

static uint64_t ns_of_ms(uint64_t ms)
{
    return ms < UINT64_MAX / 1000000U ? ms * 1000000U : UINT64_MAX;
}

static uint64_t ns_of_s(uint64_t s)
{
    return s < UINT64_MAX / VIEW_NS_PER_S ? s * VIEW_NS_PER_S : UINT64_MAX;
}

/* When something began that has lasted for so long. */
static uint64_t since_of(uint64_t age_ns, uint64_t now_ns)
{
    return age_ns < now_ns ? now_ns - age_ns : 0;
}

/* ---- p2p.get_info ---- */

struct view_channel *view_apply_listed(
    struct view_node *node, uint32_t id, const char *addr, const char *session, uint64_t now_ns)
{
    struct view_channel *channel = view_channel_open(node, id, now_ns);

    if (channel == NULL)
        return NULL;
    channel->listed = true;
    channel->round = node->round;
    channel->heard_ns = now_ns;
    if (addr[0] != '\0')
        view_text_set(&channel->addr, addr);
    if (session[0] != '\0')
        view_text_set(&channel->session, session);
    return channel;
}

/* Those that a whole list does not name are gone; channels not yet listed may still be. */
static void close_unnamed(struct view_node *node, uint64_t now_ns)
{
    struct view_channel *channel;

    TAILQ_FOREACH (channel, &node->channels, entry)
        if (!channel->closed && channel->listed && channel->round != node->round)
            view_channel_close(node, channel, NULL, now_ns);
}

static bool keep_outbound_below(const struct view_slot *slot, const void *user)
{
    const size_t *count = user;

    return strcmp(slot->session, "outbound") != 0 || slot->number < *count;
}

static void apply_outbound_slot(
    struct view_node *node, uint32_t number, uint32_t channel_id, uint64_t now_ns)
{
    struct view_slot *slot = view_slot_get(node, "outbound", number);
    const struct view_channel *channel = channel_id != 0 ? view_node_channel(node, channel_id)
                                                         : NULL;

    if (slot == NULL)
        return;
    slot->channel_id = channel_id;
    if (channel_id != 0) {
        view_slot_enter(slot, "connected", now_ns);
        view_text_set(&slot->addr, channel != NULL ? channel->addr : slot->addr);
    } else if (view_slot_kind_of(slot->state) == VIEW_SLOT_CONNECTED || slot->state[0] == '\0' ||
        strcmp(slot->state, "unknown") == 0) {
        view_slot_enter(slot, "empty", now_ns);
        view_text_set(&slot->addr, "");
    }
}

void view_node_apply_info(
    struct view_model *model, struct view_node *node, const json_t *result, uint64_t now_ns)
{
    const json_t *channels = json_object_get(result, "channels");
    const json_t *slots = json_object_get(result, "outbound_slots");
    size_t count = json_array_size(slots);

    node->round++;
    for (size_t i = 0; i < json_array_size(channels) && i < VIEW_MAX_CHANNELS; i++) {
        const json_t *entry = json_array_get(channels, i);
        uint32_t id;

        if (view_json_u32(entry, "id", &id))
            (void)view_apply_listed(
                node, id, view_json_text(entry, "url"), view_json_text(entry, "session"), now_ns);
    }
    if (json_is_array(channels))
        close_unnamed(node, now_ns);
    for (size_t i = 0; i < json_array_size(slots) && i < VIEW_MAX_SLOTS; i++) {
        json_int_t id = json_integer_value(json_array_get(slots, i));

        apply_outbound_slot(
            node, (uint32_t)i, id > 0 && id <= UINT32_MAX ? (uint32_t)id : 0, now_ns);
    }
    if (json_is_array(slots))
        view_slots_keep(node, keep_outbound_below, &count);
    view_channels_trim(node);
    model->version++;
}

/* ---- spawns ---- */

static void take_urls(struct view_urls *urls, const json_t *array, bool truncated)
{
    view_urls_clear(urls);
    for (size_t i = 0; i < json_array_size(array); i++) {
        const json_t *url = json_array_get(array, i);

        if (json_is_string(url) && !view_urls_add(urls, json_string_value(url), false, 0))
            break;
    }
    urls->truncated = urls->truncated || truncated;
}

static struct view_network *network_get(struct view_node *node, const char *name)
{
    struct view_network *network;
    size_t count = 0;

    STAILQ_FOREACH (network, &node->networks, entry) {
        if (strcmp(network->name, name) == 0)
            return network;
        count++;
    }
    if (count >= VIEW_MAX_NETWORKS || (network = hy_alloc(sizeof *network)) == NULL)
        return NULL;
    network->name = view_text_new(name);
    if (network->name == NULL) {
        hy_free(network);
        return NULL;
    }
    STAILQ_INSERT_TAIL(&node->networks, network, entry);
    return network;
}

static bool is_spawned(const json_t *spawns, const char *name)
{
    for (size_t i = 0; i < json_array_size(spawns) && i < VIEW_MAX_NETWORKS; i++)
        if (strcmp(view_json_text(json_array_get(spawns, i), "name"), name) == 0)
            return true;
    return false;
}

void view_node_apply_spawns(struct view_model *model, struct view_node *node, const json_t *result)
{
    const json_t *spawns = json_object_get(result, "spawns");
    struct view_network *network, *next;

    if (!json_is_array(spawns))
        return;
    for (network = STAILQ_FIRST(&node->networks); network != NULL; network = next) {
        next = STAILQ_NEXT(network, entry);
        if (!is_spawned(spawns, network->name)) {
            STAILQ_REMOVE(&node->networks, network, view_network, entry);
            view_network_destroy(network);
        }
    }
    for (size_t i = 0; i < json_array_size(spawns) && i < VIEW_MAX_NETWORKS; i++) {
        const json_t *spawn = json_array_get(spawns, i);
        bool truncated = json_is_true(json_object_get(spawn, "truncated"));

        network = network_get(node, view_json_text(spawn, "name"));
        if (network == NULL)
            break;
        take_urls(&network->listens, json_object_get(spawn, "urls"), false);
        take_urls(&network->white, json_object_get(spawn, "whitelist"), truncated);
        take_urls(&network->grey, json_object_get(spawn, "greylist"), truncated);
        take_urls(&network->gold, json_object_get(spawn, "goldlist"), truncated);
    }
    model->version++;
}

/* ---- net.why ---- */

static bool is_in_round(const struct view_slot *slot, const void *user)
{
    const uint64_t *round = user;

    return slot->round == *round;
}

static void apply_why_slot(struct view_node *node, const json_t *entry, uint64_t now_ns)
{
    uint64_t next_ms = view_json_number(entry, "next_ms");
    uint64_t since_ns = since_of(ns_of_ms(view_json_number(entry, "since_ms")), now_ns);
    struct view_slot *slot;
    uint32_t number;

    if (!view_json_u32(entry, "slot", &number) || number >= VIEW_MAX_SLOTS ||
        (slot = view_slot_get(node, view_json_text(entry, "session"), number)) == NULL)
        return;
    slot->round = node->round;
    view_slot_enter(slot, view_json_text(entry, "state"), since_ns);
    slot->since_ns = since_ns;
    view_text_set(&slot->addr, view_json_text(entry, "addr"));
    view_text_set(&slot->last_error, view_json_text(entry, "last_error"));
    view_text_set(&slot->waits_for, view_json_text(entry, "waits_for"));
    slot->channel_id = 0;
    (void)view_json_u32(entry, "channel_id", &slot->channel_id);
    slot->failures = 0;
    (void)view_json_u32(entry, "failures", &slot->failures);
    slot->next_ns =
        next_ms > 0 && ns_of_ms(next_ms) < UINT64_MAX - now_ns ? now_ns + ns_of_ms(next_ms) : 0;
}

void view_node_apply_why(
    struct view_model *model, struct view_node *node, const json_t *result, uint64_t now_ns)
{
    const json_t *slots = json_object_get(result, "slots");
    const json_t *discovery = json_object_get(result, "discovery");
    const char *state = view_json_text(discovery, "state");

    if (!json_is_array(slots))
        return;
    node->is_hypha = true;
    node->round++;
    for (size_t i = 0; i < json_array_size(slots) && i < VIEW_MAX_SLOTS; i++)
        apply_why_slot(node, json_array_get(slots, i), now_ns);
    view_slots_keep(node, is_in_round, &node->round);
    if (state[0] != '\0') {
        if (strcmp(state, node->discovery) != 0)
            node->discovery_ns = now_ns;
        view_text_set(&node->discovery, state);
        (void)view_json_u32(discovery, "failures", &node->attempt);
    }
    model->version++;
}

/* ---- net.stats ---- */

static void apply_commands(
    struct view_node *node, struct view_channel *channel, const json_t *commands)
{
    const json_t *numbers;
    const char *name;
    struct view_command *command;

    json_object_foreach ((json_t *)(uintptr_t)commands, name, numbers) {
        command = view_channel_command(node, channel, name);
        if (command == NULL)
            return;
        command->messages_in = view_json_number(numbers, "messages_in");
        command->messages_out = view_json_number(numbers, "messages_out");
        command->bytes_in = view_json_number(numbers, "bytes_in");
        command->bytes_out = view_json_number(numbers, "bytes_out");
    }
}

static void apply_stats_channel(struct view_node *node, const json_t *entry, uint64_t now_ns)
{
    const char *addr = view_json_text(entry, "address");
    uint64_t start_s = view_json_number(entry, "start_s");
    struct view_channel *channel;
    uint32_t id;

    if (addr[0] == '\0')
        addr = view_json_text(entry, "url");
    if (!view_json_u32(entry, "id", &id) ||
        (channel = view_apply_listed(node, id, addr, view_json_text(entry, "session"), now_ns)) ==
            NULL)
        return;
    channel->told = true;
    view_text_set(&channel->app, view_json_text(entry, "app"));
    view_text_set(&channel->version, view_json_text(entry, "version"));
    /* The seconds are cut: what was seen to begin within them is known better. */
    if (start_s > 0 && channel->since_ns / VIEW_NS_PER_S != start_s)
        channel->since_ns = ns_of_s(start_s);
    channel->round_trip_us = view_json_number(entry, "rtt_us");
    channel->queued_bytes = view_json_number(entry, "queued_bytes");
    channel->messages_in = view_json_number(entry, "messages_in");
    channel->messages_out = view_json_number(entry, "messages_out");
    channel->bytes_in = view_json_number(entry, "bytes_in");
    channel->bytes_out = view_json_number(entry, "bytes_out");
    view_texts_take(&channel->announced, &channel->announced_count,
        json_object_get(entry, "announced"), VIEW_MAX_OWN);
    apply_commands(node, channel, json_object_get(entry, "commands"));
}

void view_node_apply_stats(
    struct view_model *model, struct view_node *node, const json_t *result, uint64_t now_ns)
{
    const json_t *channels = json_object_get(result, "channels");

    if (!json_is_object(result))
        return;
    node->is_hypha = true;
    view_text_set(&node->app, view_json_text(result, "app"));
    view_text_set(&node->version, view_json_text(result, "version"));
    if (json_is_integer(json_object_get(result, "uptime_s"))) {
        uint64_t started_ns = since_of(ns_of_s(view_json_number(result, "uptime_s")), now_ns);

        if (started_ns + 2 * VIEW_NS_PER_S < node->started_ns || node->started_ns == 0 ||
            started_ns > node->started_ns + 2 * VIEW_NS_PER_S)
            node->started_ns = started_ns;
    }
    node->round++;
    for (size_t i = 0; i < json_array_size(channels) && i < VIEW_MAX_CHANNELS; i++)
        apply_stats_channel(node, json_array_get(channels, i), now_ns);
    if (json_is_array(channels) && !json_is_true(json_object_get(result, "truncated")))
        close_unnamed(node, now_ns);
    view_texts_take(
        &node->own_addrs, &node->own_count, json_object_get(result, "own_addrs"), VIEW_MAX_OWN);
    view_channels_trim(node);
    model->version++;
}

/* ---- hosts.list, net.bans ---- */

static const char *const colours[] = { "white", "grey", "gold", "dark", "black" };

#define COLOURS (sizeof colours / sizeof colours[0])

static void stage_host(struct view_node *node, const json_t *host)
{
    const char *colour = view_json_text(host, "colour");
    const char *url = view_json_text(host, "url");

    for (size_t i = 0; i < COLOURS; i++)
        if (strcmp(colours[i], colour) == 0 && url[0] != '\0')
            (void)view_urls_add(&node->staged[i], url, true, view_json_number(host, "last_seen"));
}

void view_node_apply_hosts(
    struct view_model *model, struct view_node *node, const json_t *result, bool first, bool last)
{
    struct view_urls *const lists[COLOURS] = { &node->white, &node->grey, &node->gold, &node->dark,
        &node->black };
    const json_t *hosts = json_object_get(result, "hosts");
    const json_t *counts = json_object_get(result, "counts");

    if (!json_is_array(hosts))
        return;
    for (size_t i = 0; first && i < COLOURS; i++)
        view_urls_clear(&node->staged[i]);
    for (size_t i = 0; i < json_array_size(hosts); i++)
        stage_host(node, json_array_get(hosts, i));
    if (!last)
        return;
    for (size_t i = 0; i < COLOURS; i++) {
        view_urls_clear(lists[i]);
        *lists[i] = node->staged[i];
        node->staged[i] = (struct view_urls){ 0 };
        lists[i]->total = view_json_number(counts, colours[i]);
        lists[i]->truncated = lists[i]->truncated || lists[i]->total > lists[i]->count;
    }
    model->version++;
}

void view_node_apply_bans(struct view_model *model, struct view_node *node, const json_t *result)
{
    const json_t *bans = json_object_get(result, "bans");
    size_t wanted = json_array_size(bans) < VIEW_MAX_BANS ? json_array_size(bans) : VIEW_MAX_BANS;

    if (!json_is_array(bans))
        return;
    view_bans_clear(node);
    node->bans = wanted > 0 ? hy_alloc_array(wanted, sizeof *node->bans) : NULL;
    for (size_t i = 0; node->bans != NULL && i < wanted; i++) {
        const json_t *ban = json_array_get(bans, i);
        const char *addr = view_json_text(ban, "url");
        struct view_ban *kept = &node->bans[node->ban_count];

        kept->addr = view_text_new(addr[0] != '\0' ? addr : view_json_text(ban, "group"));
        kept->why = view_text_new(view_json_text(ban, "why"));
        kept->until_s = view_json_number(ban, "until_s");
        if (kept->addr != NULL && kept->why != NULL) {
            node->ban_count++;
        } else {
            view_text_free(kept->addr);
            view_text_free(kept->why);
        }
    }
    model->version++;
}
