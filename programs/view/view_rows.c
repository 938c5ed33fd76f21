/* view_rows.c - each view as a list of rows. */
#include "base/alloc.h"
#include "view/view_ui.h"

#include <stdlib.h>
#include <string.h>

static const char *const sessions[] = { "outbound", "inbound", "manual", "direct", "seed", "refine",
    "" };

#define SESSIONS (sizeof sessions / sizeof sessions[0])

unsigned view_session_bit(const char *session)
{
    unsigned bit = 1;

    while (bit < SESSIONS && strcmp(sessions[bit - 1], session) != 0)
        bit++;
    return bit;
}

/* ---- lists of rows ---- */

void view_rows_fini(struct view_rows *rows)
{
    for (size_t i = 0; rows->owned && i < rows->count; i++) {
        hy_free((char *)(uintptr_t)rows->rows[i].name);
        hy_free((char *)(uintptr_t)rows->rows[i].text);
    }
    hy_free(rows->rows);
    *rows = (struct view_rows){ 0 };
}

static void add(struct view_rows *rows, const struct view_row *row)
{
    if (rows->count == rows->cap) {
        size_t cap = rows->cap * 2 + 64;
        struct view_row *more = hy_realloc(rows->rows, cap * sizeof *more);

        if (more == NULL)
            return;
        rows->rows = more;
        rows->cap = cap;
    }
    rows->rows[rows->count++] = *row;
}

void view_rows_freeze(struct view_rows *into, const struct view_rows *rows)
{
    view_rows_fini(into);
    into->owned = true;
    for (size_t i = 0; i < rows->count; i++) {
        struct view_row row = rows->rows[i];
        size_t before = into->count;

        row.channel = NULL;
        row.slot = NULL;
        row.network = NULL;
        row.urls = NULL;
        row.ban = NULL;
        row.name = row.name != NULL ? hy_strdup(row.name) : NULL;
        row.text = row.text != NULL ? hy_strdup(row.text) : NULL;
        add(into, &row);
        if (into->count == before) {
            hy_free((char *)(uintptr_t)row.name);
            hy_free((char *)(uintptr_t)row.text);
        }
    }
}

/* ---- the filter: part of any of the texts, in any case ---- */

static bool holds(const char *text, const char *part)
{
    return text != NULL && strcasestr(text, part) != NULL;
}

void view_rows_thaw(struct view_rows *rows, const struct view_rows *frozen, const char *filter)
{
    rows->count = 0;
    for (size_t i = 0; i < frozen->count; i++)
        if (holds(frozen->rows[i].name, filter) || holds(frozen->rows[i].text, filter))
            add(rows, &frozen->rows[i]);
}

/* ---- overview ---- */

static void make_overview(struct view_rows *rows, const struct view_ui *ui, const char *filter)
{
    const struct view_node *node;
    unsigned index = 0;

    STAILQ_FOREACH (node, &ui->model->nodes, entry) {
        if (holds(node->name, filter) || holds(node->endpoint, filter) ||
            holds(view_link_name(node->link), filter))
            add(rows,
                &(struct view_row){ .kind = VIEW_ROW_NODE, .node = node, .node_index = index });
        index++;
    }
}

/* ---- who is at the other end ---- */

/* Where the nodes are found by others: host and port, whatever the scheme and the path. */
struct place {
    const char *at;
    size_t len;
    const struct view_node *node;
};

#define MAX_PLACES 64U /* of a node or network that are looked at */
#define MAX_CLAIMS 8U  /* of the addresses that a peer announces */

struct places {
    struct place *places;
    size_t count, cap;
};

static struct place place_of(const char *url, const struct view_node *node)
{
    const char *host = strstr(url, "://");

    host = host != NULL ? host + 3 : url;
    return (struct place){ host, strcspn(host, "/"), node };
}

static int compare_places(const void *a, const void *b)
{
    const struct place *one = a, *other = b;

    if (one->len != other->len)
        return one->len < other->len ? -1 : 1;
    return strncasecmp(one->at, other->at, one->len);
}

static void places_add(
    struct places *places, char *const *urls, size_t count, const struct view_node *node)
{
    for (size_t i = 0; i < count && i < MAX_PLACES && places->count < places->cap; i++)
        places->places[places->count++] = place_of(urls[i], node);
}

/* Without memory nobody is found. */
static void places_make(struct places *places, const struct view_model *model)
{
    const struct view_network *network;
    const struct view_node *node;
    size_t lists = 0;

    STAILQ_FOREACH (node, &model->nodes, entry) {
        lists++;
        STAILQ_FOREACH (network, &node->networks, entry)
            lists++;
    }
    places->places = hy_alloc_array(lists * MAX_PLACES, sizeof places->places[0]);
    places->cap = places->places != NULL ? lists * MAX_PLACES : 0;
    STAILQ_FOREACH (node, &model->nodes, entry) {
        places_add(places, node->own_addrs, node->own_count, node);
        STAILQ_FOREACH (network, &node->networks, entry)
            places_add(places, network->listens.urls, network->listens.count, node);
    }
    if (places->count > 0)
        qsort(places->places, places->count, sizeof places->places[0], compare_places);
}

static const struct view_node *node_at(const struct places *places, const char *url)
{
    struct place wanted = place_of(url, NULL);
    const struct place *found = places->count > 0 && wanted.len > 0
        ? bsearch(&wanted, places->places, places->count, sizeof wanted, compare_places)
        : NULL;

    return found != NULL ? found->node : NULL;
}

/* Who a channel leads to; NULL: nobody that we look at. */
static const struct view_node *peer_of(
    const struct places *places, const struct view_channel *channel)
{
    const struct view_node *node = node_at(places, channel->addr);

    for (size_t i = 0; node == NULL && i < channel->announced_count && i < MAX_CLAIMS; i++)
        node = node_at(places, channel->announced[i]);
    return node;
}

/* ---- the tree ---- */

struct tree {
    struct view_rows *rows;
    const struct view_ui *ui;
    const struct view_node *node;
    unsigned index;
    const char *filter;
    bool all; /* the node itself is what was looked for */
    struct places places;
};

static const char *peer_name(const struct places *places, const struct view_channel *channel)
{
    const struct view_node *peer = peer_of(places, channel);

    return peer != NULL ? peer->name : NULL;
}

static bool tree_wants_channel(const struct tree *tree, const struct view_channel *channel)
{
    return tree->all || holds(channel->addr, tree->filter) || holds(channel->app, tree->filter) ||
        holds(channel->session, tree->filter) || (channel->closed && holds("closed", tree->filter));
}

static bool tree_wants_slot(const struct tree *tree, const struct view_slot *slot)
{
    return tree->all || holds(slot->addr, tree->filter) || holds(slot->state, tree->filter) ||
        holds(slot->session, tree->filter) || holds(slot->last_error, tree->filter);
}

/* Shown in its slot's row. */
static bool is_in_slot(const struct view_node *node, const struct view_channel *channel)
{
    if (channel->closed)
        return false;
    for (size_t i = 0; i < node->slot_count; i++)
        if (node->slots[i].channel_id == channel->id)
            return true;
    return false;
}

static void tree_session(const struct tree *tree, const char *session)
{
    const struct view_node *node = tree->node;
    const struct view_channel *channel;
    unsigned bit = view_session_bit(session);
    bool folded = (tree->ui->folded[tree->index] >> bit & 1) != 0;
    struct view_row row = { .node = node, .node_index = tree->index };
    size_t head = tree->rows->count;

    add(tree->rows, &row); /* the heading: filled in when it is known whether it is needed */
    for (size_t i = 0; i < node->slot_count; i++) {
        const struct view_slot *slot = &node->slots[i];

        if (strcmp(slot->session, session) != 0 || !tree_wants_slot(tree, slot) ||
            strcmp(slot->state, "unknown") == 0)
            continue;
        row.kind = VIEW_ROW_SLOT;
        row.id = (uint64_t)bit << 32 | slot->number;
        row.slot = slot;
        row.channel = slot->channel_id != 0 ? view_node_channel(node, slot->channel_id) : NULL;
        row.name = row.channel != NULL ? peer_name(&tree->places, row.channel) : NULL;
        add(tree->rows, &row);
    }
    row.slot = NULL;
    TAILQ_FOREACH (channel, &node->channels, entry) {
        bool here = strcmp(channel->session, session) == 0 ||
            (session[0] == '\0' && view_session_bit(channel->session) == SESSIONS);

        if (!here || !tree_wants_channel(tree, channel) || is_in_slot(node, channel))
            continue;
        row.kind = VIEW_ROW_CHANNEL;
        row.id = channel->id;
        row.channel = channel;
        row.name = peer_name(&tree->places, channel);
        add(tree->rows, &row);
    }
    if (tree->rows->count <= head)
        return; /* no memory for the heading */
    if (tree->rows->count == head + 1) {
        tree->rows->count = head;
        return;
    }
    tree->rows->rows[head] = (struct view_row){
        .kind = VIEW_ROW_SESSION,
        .node = node,
        .node_index = tree->index,
        .id = bit,
        .name = session,
        .count = view_node_count(node, session),
        .folded = folded,
    };
    if (folded)
        tree->rows->count = head + 1;
}

static void tree_networks(const struct tree *tree)
{
    const struct view_network *network;
    uint64_t id = 0;

    STAILQ_FOREACH (network, &tree->node->networks, entry) {
        struct view_row row = {
            .kind = VIEW_ROW_NETWORK,
            .node = tree->node,
            .node_index = tree->index,
            .id = id,
            .network = network,
            .name = network->name,
        };

        id++;
        if (tree->all || holds(network->name, tree->filter))
            add(tree->rows, &row);
    }
}

static void make_tree(struct view_rows *rows, const struct view_ui *ui, const char *filter)
{
    struct tree tree = { .rows = rows, .ui = ui, .filter = filter };

    places_make(&tree.places, ui->model);
    STAILQ_FOREACH (tree.node, &ui->model->nodes, entry) {
        bool folded = (ui->folded[tree.index] & 1) != 0;
        size_t head = rows->count;
        struct view_row row = {
            .kind = VIEW_ROW_NODE,
            .node = tree.node,
            .node_index = tree.index,
            .folded = folded,
        };

        tree.all = holds(tree.node->name, tree.filter);
        add(rows, &row);
        for (size_t i = 0; i < SESSIONS; i++)
            tree_session(&tree, sessions[i]);
        tree_networks(&tree);
        if (rows->count == head + 1 && !tree.all)
            rows->count = head;
        else if (folded && rows->count > head)
            rows->count = head + 1;
        tree.index++;
    }
    hy_free(tree.places.places);
}

/* ---- one node's views ---- */

static void note(struct view_rows *rows, const struct view_node *node, const char *text)
{
    add(rows, &(struct view_row){ .kind = VIEW_ROW_NOTE, .node = node, .text = text });
}

static void make_slots(struct view_rows *rows, const struct view_ui *ui, const char *filter)
{
    const struct view_node *node = ui->node;

    for (size_t i = 0; i < node->slot_count; i++) {
        const struct view_slot *slot = &node->slots[i];
        struct view_row row = {
            .kind = VIEW_ROW_SLOT,
            .node = node,
            .id = (uint64_t)view_session_bit(slot->session) << 32 | slot->number,
            .slot = slot,
        };

        if (holds(slot->addr, filter) || holds(slot->state, filter) ||
            holds(slot->session, filter) || holds(slot->last_error, filter))
            add(rows, &row);
    }
    if (node->slot_count == 0)
        note(rows, node,
            node->kind == VIEW_LILITH ? "A seed daemon has no slots." : "This node has no slots.");
}

static void make_events(struct view_rows *rows, const struct view_node *node,
    const struct view_events *events, uint64_t first, const char *filter)
{
    const struct view_event *event;

    TAILQ_FOREACH (event, events, entry) {
        struct view_row row = {
            .kind = VIEW_ROW_EVENT,
            .node = node,
            .id = first,
            .name = event->name,
            .text = event->text,
            .time_ns = event->time_ns,
        };

        first++;
        if (holds(event->name, filter) || holds(event->text, filter))
            add(rows, &row);
    }
}

static void make_url_list(struct view_rows *rows, const struct view_node *node, unsigned list,
    const char *name, const struct view_urls *urls, const char *filter)
{
    struct view_row row = {
        .kind = VIEW_ROW_LIST,
        .node = node,
        .id = (uint64_t)list << 32 | UINT32_MAX,
        .name = name,
        .urls = urls,
        .count = urls->total > urls->count ? (size_t)urls->total : urls->count,
    };

    add(rows, &row);
    for (size_t i = 0; i < urls->count; i++) {
        row.kind = VIEW_ROW_URL;
        row.id = (uint64_t)list << 32 | i;
        row.text = urls->urls[i];
        row.time_ns = urls->seen_s != NULL && urls->seen_s[i] < UINT64_MAX / 1000000000U
            ? urls->seen_s[i] * 1000000000U
            : 0;
        if (holds(urls->urls[i], filter))
            add(rows, &row);
    }
}

static void make_hosts(struct view_rows *rows, const struct view_ui *ui, const char *filter)
{
    const struct view_node *node = ui->node;
    const struct view_network *network;
    unsigned list = 0;

    STAILQ_FOREACH (network, &node->networks, entry) {
        struct view_row row = {
            .kind = VIEW_ROW_NETWORK,
            .node = node,
            .id = list,
            .network = network,
            .name = network->name,
        };

        add(rows, &row);
        make_url_list(rows, node, list++, "listens", &network->listens, filter);
        make_url_list(rows, node, list++, "white", &network->white, filter);
        make_url_list(rows, node, list++, "grey", &network->grey, filter);
        make_url_list(rows, node, list++, "gold", &network->gold, filter);
    }
    if (node->kind == VIEW_LILITH)
        return;
    if (!node->is_hypha) {
        note(rows, node, "Only hypha's nodes tell their hosts.");
        return;
    }
    make_url_list(rows, node, list++, "gold", &node->gold, filter);
    make_url_list(rows, node, list++, "white", &node->white, filter);
    make_url_list(rows, node, list++, "grey", &node->grey, filter);
    make_url_list(rows, node, list++, "dark", &node->dark, filter);
    make_url_list(rows, node, list++, "black", &node->black, filter);
}

static void make_bans(struct view_rows *rows, const struct view_ui *ui, const char *filter)
{
    const struct view_node *node = ui->node;

    for (size_t i = 0; i < node->ban_count; i++) {
        const struct view_ban *ban = &node->bans[i];

        if (holds(ban->addr, filter) || holds(ban->why, filter))
            add(rows,
                &(struct view_row){ .kind = VIEW_ROW_BAN, .node = node, .id = i, .ban = ban });
    }
    if (node->ban_count == 0)
        note(rows, node,
            node->is_hypha ? "Nobody is banned." : "Only hypha's nodes tell whom they banned.");
}

static void make_messages(struct view_rows *rows, const struct view_ui *ui, const char *filter)
{
    const struct view_channel *channel = view_node_channel(ui->node, ui->channel_id);
    const struct view_message *message;

    if (channel == NULL)
        return;
    uint64_t id = channel->messages_seen - channel->message_count;
    STAILQ_FOREACH (message, &channel->messages, entry) {
        struct view_row row = {
            .kind = VIEW_ROW_MESSAGE,
            .node = ui->node,
            .id = id,
            .channel = channel,
            .name = message->command,
            .time_ns = message->time_ns,
            .bytes = message->bytes,
            .sent = message->sent,
        };

        id++;
        if (holds(message->command, filter) || holds(message->sent ? "send" : "recv", filter))
            add(rows, &row);
    }
}

/* ---- the map ---- */

static void make_map(struct view_rows *rows, const struct view_ui *ui, const char *filter)
{
    const struct view_channel *channel;
    const struct view_node *node;
    struct places places = { 0 };
    unsigned index = 0;

    places_make(&places, ui->model);
    STAILQ_FOREACH (node, &ui->model->nodes, entry) {
        size_t head = rows->count;
        bool all = holds(node->name, filter);

        add(rows, &(struct view_row){ .kind = VIEW_ROW_NODE, .node = node, .node_index = index });
        TAILQ_FOREACH (channel, &node->channels, entry) {
            if (channel->closed)
                continue;
            const struct view_node *peer = peer_of(&places, channel);
            struct view_row row = {
                .kind = VIEW_ROW_PEER,
                .node = node,
                .node_index = index,
                .id = channel->id,
                .channel = channel,
                .name = peer != NULL               ? peer->name
                    : channel->announced_count > 0 ? channel->announced[0]
                                                   : channel->addr,
            };

            if (all || holds(row.name, filter) || holds(channel->addr, filter))
                add(rows, &row);
        }
        if (rows->count == head + 1 && !all)
            rows->count = head;
        else if (rows->count > head)
            rows->rows[head].count = rows->count - head - 1;
        index++;
    }
    hy_free(places.places);
}

void view_rows_make(
    struct view_rows *rows, const struct view_ui *ui, enum view_tab tab, const char *filter)
{
    const struct view_node *node = ui->node;

    rows->count = 0;
    switch (tab) {
    case VIEW_OVERVIEW:
        make_overview(rows, ui, filter);
        return;
    case VIEW_TREE:
        make_tree(rows, ui, filter);
        return;
    case VIEW_MAP:
        make_map(rows, ui, filter);
        return;
    case VIEW_SLOTS:
    case VIEW_DISCOVERY:
    case VIEW_HOSTS:
    case VIEW_BANS:
    case VIEW_STREAM:
    case VIEW_CHANNEL:
    case VIEW_TABS:
        break;
    }
    if (node == NULL)
        return;
    if (tab == VIEW_SLOTS)
        make_slots(rows, ui, filter);
    else if (tab == VIEW_DISCOVERY)
        make_events(rows, node, &node->notes, node->notes_seen - node->note_count, filter);
    else if (tab == VIEW_HOSTS)
        make_hosts(rows, ui, filter);
    else if (tab == VIEW_BANS)
        make_bans(rows, ui, filter);
    else if (tab == VIEW_STREAM)
        make_events(rows, node, &node->events, node->events_seen - node->event_count, filter);
    else
        make_messages(rows, ui, filter);
}
