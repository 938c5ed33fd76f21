/* view_model.c - the nodes, their lists and logs, and what they are made of; view_model_internal.h
 * has the files beside it. */
#include "view/view_model.h"
#include "base/alloc.h"
#include "base/span.h"
#include "view/view_model_internal.h"

#include <string.h>

/* ---- texts ---- */

static char no_text[1];

char *view_text_none(void)
{
    return no_text;
}

void view_text_free(char *text)
{
    if (text != no_text)
        hy_free(text);
}

static size_t cut_at(const char *text)
{
    size_t len = strnlen(text, VIEW_MAX_TEXT + 1);

    if (len <= VIEW_MAX_TEXT)
        return len;
    len = VIEW_MAX_TEXT;
    while (len > 0 && ((unsigned char)text[len] & 0xc0U) == 0x80U)
        len--;
    return len;
}

char *view_text_new(const char *text)
{
    size_t len = text != NULL ? cut_at(text) : 0;

    return len > 0 ? hy_strndup(text, len) : no_text;
}

/* What did not come as JSON, which is UTF-8, may be anything. */
static char *text_from_people(const char *text)
{
    char shown[VIEW_MAX_TEXT];

    if (hy_span_is_utf8(hy_span_of(text)))
        return view_text_new(text);
    return view_text_new(hy_span_escape(hy_span_of(text), shown, sizeof shown));
}

void view_text_set(char **into, const char *text)
{
    if (strcmp(*into, text != NULL ? text : "") == 0)
        return;
    char *copy = view_text_new(text);
    if (copy == NULL)
        return;
    view_text_free(*into);
    *into = copy;
}

void view_texts_free(char **texts, size_t count)
{
    for (size_t i = 0; i < count; i++)
        view_text_free(texts[i]);
    hy_free(texts);
}

void view_texts_take(char ***into, size_t *count, const json_t *array, size_t max)
{
    size_t wanted = json_array_size(array) < max ? json_array_size(array) : max;
    char **texts = wanted > 0 ? hy_alloc_array(wanted, sizeof *texts) : NULL;
    size_t taken = 0;

    if (!json_is_array(array) || (wanted > 0 && texts == NULL))
        return;
    for (size_t i = 0; i < wanted; i++) {
        const json_t *text = json_array_get(array, i);

        if (json_is_string(text) && (texts[taken] = view_text_new(json_string_value(text))) != NULL)
            taken++;
    }
    view_texts_free(*into, *count);
    *into = texts;
    *count = taken;
}

/* ---- rates ---- */

void view_rate_count(struct view_rate *rate, uint64_t now_ns)
{
    uint64_t second = now_ns / VIEW_NS_PER_S;

    if (second >= rate->second + VIEW_RATE_S || second + VIEW_RATE_S <= rate->second)
        *rate = (struct view_rate){ .second = second };
    while (rate->second < second)
        rate->counts[++rate->second % VIEW_RATE_S] = 0;
    if (rate->counts[second % VIEW_RATE_S] < UINT32_MAX)
        rate->counts[second % VIEW_RATE_S]++;
}

double view_rate_per_s(const struct view_rate *rate, uint64_t now_ns)
{
    uint64_t second = now_ns / VIEW_NS_PER_S;
    uint64_t sum = 0;

    /* What the ring holds reaches from rate->second back; the window from `second` back. */
    for (uint64_t back = 0; back < VIEW_RATE_S && back <= rate->second; back++)
        if (rate->second - back + VIEW_RATE_S > second)
            sum += rate->counts[(rate->second - back) % VIEW_RATE_S];
    return (double)sum / VIEW_RATE_S;
}

/* ---- events ---- */

static bool events_add(struct view_events *events, size_t *count, size_t max, const char *name,
    const char *text, uint64_t now_ns)
{
    struct view_event *event = hy_alloc(sizeof *event);

    if (event == NULL)
        return false;
    *event = (struct view_event){ now_ns, view_text_new(name), view_text_new(text), { 0 } };
    if (event->name == NULL || event->text == NULL) {
        view_text_free(event->name);
        view_text_free(event->text);
        hy_free(event);
        return false;
    }
    TAILQ_INSERT_TAIL(events, event, entry);
    *count += 1;
    if (*count > max) {
        event = TAILQ_FIRST(events);
        TAILQ_REMOVE(events, event, entry);
        *count -= 1;
        view_text_free(event->name);
        view_text_free(event->text);
        hy_free(event);
    }
    return true;
}

static void events_clear(struct view_events *events)
{
    struct view_event *event;

    while ((event = TAILQ_FIRST(events)) != NULL) {
        TAILQ_REMOVE(events, event, entry);
        view_text_free(event->name);
        view_text_free(event->text);
        hy_free(event);
    }
}

void view_node_add_event(
    struct view_node *node, const char *name, const char *text, bool note, uint64_t now_ns)
{
    if (events_add(&node->events, &node->event_count, VIEW_MAX_EVENTS, name, text, now_ns))
        node->events_seen++;
    if (note && events_add(&node->notes, &node->note_count, VIEW_MAX_NOTES, name, text, now_ns))
        node->notes_seen++;
}

/* ---- lists ---- */

void view_urls_clear(struct view_urls *urls)
{
    view_texts_free(urls->urls, urls->count);
    hy_free(urls->seen_s);
    *urls = (struct view_urls){ 0 };
}

static bool urls_grow(struct view_urls *urls, bool has_seen)
{
    if (urls->count % 64 != 0)
        return true;
    char **more = hy_realloc(urls->urls, (urls->count + 64) * sizeof *more);
    if (more == NULL)
        return false;
    urls->urls = more;
    if (urls->seen_s == NULL && !(has_seen && urls->count == 0))
        return true;
    uint64_t *seen = hy_realloc(urls->seen_s, (urls->count + 64) * sizeof *seen);
    if (seen == NULL)
        return false;
    urls->seen_s = seen;
    return true;
}

bool view_urls_add(struct view_urls *urls, const char *url, bool has_seen, uint64_t seen_s)
{
    char *copy = urls->count < VIEW_MAX_URLS && urls_grow(urls, has_seen) ? view_text_new(url)
                                                                          : NULL;

    if (copy == NULL) {
        urls->truncated = true;
        return false;
    }
    if (urls->seen_s != NULL)
        urls->seen_s[urls->count] = seen_s;
    urls->urls[urls->count++] = copy;
    return true;
}

void view_network_destroy(struct view_network *network)
{
    view_text_free(network->name);
    view_urls_clear(&network->listens);
    view_urls_clear(&network->white);
    view_urls_clear(&network->grey);
    view_urls_clear(&network->gold);
    hy_free(network);
}

void view_bans_clear(struct view_node *node)
{
    for (size_t i = 0; i < node->ban_count; i++) {
        view_text_free(node->bans[i].addr);
        view_text_free(node->bans[i].why);
    }
    hy_free(node->bans);
    node->bans = NULL;
    node->ban_count = 0;
}

/* ---- nodes ---- */

const char *view_kind_name(enum view_kind kind)
{
    return kind == VIEW_LILITH ? "LILITH" : "NORMAL";
}

const char *view_link_name(enum view_link link)
{
    static const char *const names[] = {
        [VIEW_OFFLINE] = "offline",
        [VIEW_CONNECTING] = "connecting",
        [VIEW_ONLINE] = "online",
    };

    return names[link];
}

static bool keep_none(const struct view_slot *slot, const void *user)
{
    (void)slot;
    (void)user;
    return false;
}

static void node_destroy(struct view_node *node)
{
    struct view_network *network;

    while (!TAILQ_EMPTY(&node->channels))
        view_channel_forget(node, TAILQ_FIRST(&node->channels));
    view_slots_keep(node, keep_none, NULL);
    hy_free(node->slots);
    events_clear(&node->events);
    events_clear(&node->notes);
    while ((network = STAILQ_FIRST(&node->networks)) != NULL) {
        STAILQ_REMOVE_HEAD(&node->networks, entry);
        view_network_destroy(network);
    }
    struct view_urls *const lists[] = { &node->white, &node->grey, &node->gold, &node->dark,
        &node->black, &node->staged[0], &node->staged[1], &node->staged[2], &node->staged[3],
        &node->staged[4] };
    for (size_t i = 0; i < sizeof lists / sizeof lists[0]; i++)
        view_urls_clear(lists[i]);
    view_bans_clear(node);
    view_texts_free(node->own_addrs, node->own_count);
    char *const texts[] = { node->name, node->endpoint, node->error, node->app, node->version,
        node->discovery };
    for (size_t i = 0; i < sizeof texts / sizeof texts[0]; i++)
        view_text_free(texts[i]);
    hy_free(node);
}

void view_model_init(struct view_model *model)
{
    *model = (struct view_model){ 0 };
    STAILQ_INIT(&model->nodes);
}

void view_model_fini(struct view_model *model)
{
    struct view_node *node;

    while ((node = STAILQ_FIRST(&model->nodes)) != NULL) {
        STAILQ_REMOVE_HEAD(&model->nodes, entry);
        node_destroy(node);
    }
    model->node_count = 0;
}

enum hypha_err view_model_add(
    struct view_model *model, const char *name, enum view_kind kind, struct view_node **ret_node)
{
    struct view_node *node;

    STAILQ_FOREACH (node, &model->nodes, entry)
        if (strcmp(node->name, name) == 0)
            return HYPHA_ERR_EXISTS;
    if (model->node_count >= VIEW_MAX_NODES)
        return HYPHA_ERR_LIMIT;
    node = hy_alloc(sizeof *node);
    if (node == NULL)
        return HYPHA_ERR_NOMEM;
    node->name = text_from_people(name);
    if (node->name == NULL) {
        hy_free(node);
        return HYPHA_ERR_NOMEM;
    }
    node->kind = kind;
    node->endpoint = node->error = node->app = node->version = node->discovery = no_text;
    TAILQ_INIT(&node->channels);
    TAILQ_INIT(&node->all_messages);
    TAILQ_INIT(&node->events);
    TAILQ_INIT(&node->notes);
    STAILQ_INIT(&node->networks);
    STAILQ_INSERT_TAIL(&model->nodes, node, entry);
    model->node_count++;
    model->version++;
    *ret_node = node;
    return HYPHA_OK;
}

void view_node_set_endpoint(struct view_node *node, const char *endpoint)
{
    char *text = text_from_people(endpoint);

    if (text != NULL) {
        view_text_free(node->endpoint);
        node->endpoint = text;
    }
}

void view_node_set_kind(struct view_model *model, struct view_node *node, enum view_kind kind)
{
    node->kind = kind;
    node->kind_is_open = false;
    model->version++;
}

/* What was known of a node that can't be asked any more is over. */
static void node_lost(struct view_node *node, uint64_t now_ns)
{
    struct view_channel *channel;

    TAILQ_FOREACH (channel, &node->channels, entry)
        if (!channel->closed)
            view_channel_close(node, channel, "the node is offline", now_ns);
    view_channels_trim(node);
    for (size_t i = 0; i < node->slot_count; i++) {
        view_slot_enter(&node->slots[i], "unknown", now_ns);
        node->slots[i].channel_id = 0;
        node->slots[i].next_ns = 0;
        view_text_set(&node->slots[i].waits_for, "");
    }
    view_text_set(&node->discovery, "");
    node->is_hypha = false;
}

void view_node_set_link(struct view_model *model, struct view_node *node, enum view_link link,
    const char *error, uint64_t now_ns)
{
    if (node->link == VIEW_ONLINE && link != VIEW_ONLINE)
        node_lost(node, now_ns);
    if (node->link != link || node->since_ns == 0)
        node->since_ns = now_ns;
    node->link = link;
    char *text = text_from_people(error != NULL ? error : "");
    if (text != NULL) {
        view_text_free(node->error);
        node->error = text;
    }
    model->version++;
}
