/* view_layout_nodes.c - the rows of nodes: the overview, and the tree below each. */
#include "view/view_layout.h"

#include <stdio.h>
#include <string.h>

/* ---- overview ---- */

struct overview {
    unsigned name, slots;
};

static struct overview overview_of(const struct view_page *page)
{
    return page->cols >= 110 ? (struct overview){ 24, 24 } : (struct overview){ 14, 12 };
}

void view_overview_titles(struct view_page *page, unsigned at)
{
    struct overview widths = overview_of(page);

    view_put_left(page, at, VIEW_NAME, widths.name + 1, "NODE");
    view_put_left(page, at, VIEW_NAME, 10, "STATE");
    view_put_right(page, at, VIEW_NAME, 4, "IN");
    view_put_right(page, at, VIEW_NAME, 7, "OUT");
    view_put_right(page, at, VIEW_NAME, 5, "MAN");
    view_put(page, at, VIEW_NAME, "  ");
    view_put_left(page, at, VIEW_NAME, widths.slots, "SLOTS");
    view_put_right(page, at, VIEW_NAME, 7, "MSG/S");
    view_put(page, at, VIEW_NAME, "  DISCOVERY");
}

/* A sign a slot; a share of each, if they are too many. */
static void put_slot_bar(
    struct view_page *page, unsigned at, unsigned width, const struct view_node *node)
{
    static const enum view_slot_kind order[] = { VIEW_SLOT_CONNECTED, VIEW_SLOT_CONNECTING,
        VIEW_SLOT_FAILED, VIEW_SLOT_EMPTY };
    size_t counts[4] = { 0 }, total = 0;
    unsigned edge = page->lines[at].width + width;

    for (size_t i = 0; i < node->slot_count; i++) {
        if (strcmp(node->slots[i].session, "outbound") == 0) {
            counts[view_slot_kind_of(node->slots[i].state)]++;
            total++;
        }
    }
    for (size_t i = 0; i < 4; i++) {
        char sign[2] = { view_kind_sign(order[i]), '\0' };
        size_t share = counts[order[i]];

        if (total > width && share > 0)
            share = share * width / total > 0 ? share * width / total : 1;
        for (; share > 0 && page->lines[at].width < edge; share--)
            view_put(page, at, view_kind_attr(order[i]), sign);
    }
    view_pad(page, at, VIEW_PLAIN, edge);
}

static size_t connected_slots(const struct view_node *node, const char *session, size_t *ret_all)
{
    size_t connected = 0;

    *ret_all = 0;
    for (size_t i = 0; i < node->slot_count; i++) {
        if (strcmp(node->slots[i].session, session) == 0) {
            *ret_all += 1;
            connected += view_slot_kind_of(node->slots[i].state) == VIEW_SLOT_CONNECTED;
        }
    }
    return connected;
}

static size_t total_of(const struct view_urls *urls)
{
    return urls->total > urls->count ? (size_t)urls->total : urls->count;
}

static void seed_summary(const struct view_node *node, char *into, size_t size)
{
    const struct view_network *network;
    size_t networks = 0, white = 0, grey = 0, gold = 0;

    STAILQ_FOREACH (network, &node->networks, entry) {
        networks++;
        white += total_of(&network->white);
        grey += total_of(&network->grey);
        gold += total_of(&network->gold);
    }
    (void)snprintf(into, size, "seed: %zu %s, %zu white, %zu grey, %zu gold", networks,
        networks == 1 ? "network" : "networks", white, grey, gold);
}

void view_put_link(
    struct view_page *page, unsigned at, unsigned width, const struct view_node *node)
{
    enum view_attr attr = node->link == VIEW_ONLINE ? VIEW_GOOD
        : node->link == VIEW_OFFLINE                ? VIEW_BAD
                                                    : VIEW_WAIT;

    view_put_left(page, at, attr, width, view_link_name(node->link));
}

void view_overview_row(
    struct view_page *page, unsigned at, const struct view_row *row, uint64_t now_ns)
{
    const struct view_node *node = row->node;
    struct overview widths = overview_of(page);
    char text[128];
    size_t slots;

    view_put_left(page, at, VIEW_STRONG, widths.name, node->name);
    view_put(page, at, VIEW_PLAIN, " ");
    view_put_link(page, at, 10, node);
    if (node->link != VIEW_ONLINE) {
        view_putf(page, at, VIEW_BAD, "  %s", node->error);
        return;
    }
    if (node->kind == VIEW_LILITH) {
        seed_summary(node, text, sizeof text);
        view_putf(page, at, VIEW_PLAIN, "  %s", text);
        return;
    }
    (void)snprintf(text, sizeof text, "%zu", view_node_count(node, "inbound"));
    view_put_right(page, at, VIEW_PLAIN, 4, text);
    size_t connected = connected_slots(node, "outbound", &slots);
    (void)snprintf(text, sizeof text, "%zu/%zu", connected, slots);
    view_put_right(page, at, VIEW_PLAIN, 7, text);
    (void)snprintf(text, sizeof text, "%zu", view_node_count(node, "manual"));
    view_put_right(page, at, VIEW_PLAIN, 5, text);
    view_put(page, at, VIEW_PLAIN, "  ");
    put_slot_bar(page, at, widths.slots, node);
    view_put_rate(page, at, 7, &node->rate, now_ns);
    view_putf(page, at, VIEW_PLAIN, "  %s",
        page->cols >= 110 ? view_discovery_text(node, text, sizeof text) : node->discovery);
    if (node->discovery[0] != '\0' && node->discovery_ns != 0)
        view_putf(page, at, VIEW_FAINT, " %s",
            view_age_text(view_age_of(node->discovery_ns, now_ns), text));
    if (node->error[0] != '\0')
        view_putf(page, at, VIEW_BAD, " %s", node->error);
}

/* ---- the tree ---- */

/* Columns right of the address: round trip and rate. */
#define TREE_STATE  13U
#define TREE_AGE    7U
#define TREE_NUMBER 8U

void view_tree_titles(struct view_page *page, unsigned at)
{
    view_put(page, at, VIEW_NAME, "      SLOT ");
    view_put_left(page, at, VIEW_NAME, TREE_STATE - 1, "STATE");
    view_put_right(page, at, VIEW_NAME, TREE_AGE, "AGE");
    view_put(page, at, VIEW_NAME, "  ");
    view_put_left(page, at, VIEW_NAME, view_rest_of(page, at, 2 * TREE_NUMBER), "ADDRESS");
    view_put_right(page, at, VIEW_NAME, TREE_NUMBER, "RTT");
    view_put_right(page, at, VIEW_NAME, TREE_NUMBER, "MSG/S");
}

void view_tree_node(
    struct view_page *page, unsigned at, const struct view_row *row, uint64_t now_ns)
{
    const struct view_node *node = row->node;
    char text[160];

    view_put(page, at, VIEW_PLAIN, row->folded ? "+ " : "- ");
    view_put(page, at, VIEW_STRONG, node->name);
    view_put(page, at, VIEW_PLAIN, "  ");
    view_put_link(page, at, (unsigned)strlen(view_link_name(node->link)), node);
    if (node->link == VIEW_ONLINE && node->app[0] != '\0')
        view_putf(page, at, VIEW_PLAIN, "  %s %s", node->app, node->version);
    else if (node->link == VIEW_ONLINE && node->kind == VIEW_NORMAL)
        view_put(page, at, VIEW_PLAIN, "  node");
    if (node->link == VIEW_ONLINE && node->started_ns != 0)
        view_putf(page, at, VIEW_PLAIN, ", up %s",
            view_age_text(view_age_of(node->started_ns, now_ns), text));
    if (node->link == VIEW_ONLINE && node->kind == VIEW_LILITH) {
        seed_summary(node, text, sizeof text);
        view_putf(page, at, VIEW_PLAIN, "  %s", text);
    } else if (node->link == VIEW_ONLINE && node->discovery[0] != '\0') {
        view_putf(
            page, at, VIEW_PLAIN, "  discovery: %s", view_discovery_text(node, text, sizeof text));
    }
    if (node->error[0] != '\0')
        view_putf(page, at, VIEW_BAD, "  %s", node->error);
    if (node->link == VIEW_ONLINE && node->kind == VIEW_NORMAL &&
        view_rest_of(page, at, TREE_NUMBER) > 0) {
        view_pad(page, at, VIEW_PLAIN, page->cols - TREE_NUMBER);
        view_put_rate(page, at, TREE_NUMBER, &node->rate, now_ns);
    }
}

void view_tree_session(struct view_page *page, unsigned at, const struct view_row *row)
{
    size_t slots, connected = connected_slots(row->node, row->name, &slots);

    view_putf(page, at, VIEW_PLAIN, "  %s ", row->folded ? "+" : "-");
    view_put(page, at, VIEW_NAME, row->name[0] != '\0' ? row->name : "not named by the node");
    if (slots > 0)
        view_putf(page, at, VIEW_PLAIN, "  %zu of %zu slots connected", connected, slots);
    else
        view_putf(
            page, at, VIEW_PLAIN, "  %zu %s", row->count, row->count == 1 ? "channel" : "channels");
}

/* An address, and whose it is if that is known and there is room. */
static void put_peer(
    struct view_page *page, unsigned at, unsigned width, const char *addr, const char *name)
{
    unsigned edge = page->lines[at].width + width;
    unsigned needed = name != NULL ? view_width(page, name) + 1 : 0;

    if (needed > 0 && view_width(page, addr) + needed <= width) {
        view_put(page, at, VIEW_PLAIN, addr);
        view_put(page, at, VIEW_PLAIN, " ");
        view_put(page, at, VIEW_STRONG, name);
        view_pad(page, at, VIEW_PLAIN, edge);
    } else {
        view_put_left(page, at, VIEW_PLAIN, width, addr);
    }
}

/* What an empty slot waits for, and what went wrong: in the place of numbers that it has not. */
static void put_reason(
    struct view_page *page, unsigned at, const struct view_slot *slot, uint64_t now_ns)
{
    char text[3 * VIEW_MAX_TEXT], age[VIEW_NUMBER_BYTES];
    int len = 0;

    text[0] = '\0';
    if (slot->waits_for[0] != '\0')
        len = snprintf(text, sizeof text, "%s", slot->waits_for);
    else if (slot->next_ns > now_ns)
        len = snprintf(
            text, sizeof text, "again in %s", view_age_text(slot->next_ns - now_ns, age));
    if (slot->addr[0] != '\0')
        view_putf(page, at, VIEW_PLAIN, "%s ", slot->addr);
    if (len > 0 && slot->last_error[0] != '\0')
        view_putf(page, at, VIEW_FAINT, "%s; ", text);
    else if (len > 0)
        view_put_left(page, at, VIEW_FAINT, view_rest_of(page, at, 0), text);
    if (slot->last_error[0] != '\0')
        view_put_left(page, at, VIEW_BAD, view_rest_of(page, at, 0), slot->last_error);
}

void view_tree_slot(
    struct view_page *page, unsigned at, const struct view_row *row, uint64_t now_ns)
{
    const struct view_slot *slot = row->slot;
    char text[VIEW_NUMBER_BYTES];
    bool is_up = row->channel != NULL;

    view_putf(page, at, VIEW_PLAIN, "      %3u ", (unsigned)slot->number);
    view_put_left(page, at, view_state_attr(slot->state), TREE_STATE - 1, slot->state);
    view_put_age(page, at, TREE_AGE, slot->since_ns, now_ns);
    view_put(page, at, VIEW_PLAIN, "  ");
    if (is_up) {
        put_peer(page, at, view_rest_of(page, at, 2 * TREE_NUMBER), slot->addr, row->name);
        view_put_right(page, at, VIEW_PLAIN, TREE_NUMBER,
            view_round_trip_text(row->channel->round_trip_us, text));
        view_put_rate(page, at, TREE_NUMBER, &row->channel->rate, now_ns);
        return;
    }
    put_reason(page, at, slot, now_ns);
}

void view_tree_channel(
    struct view_page *page, unsigned at, const struct view_row *row, uint64_t now_ns)
{
    const struct view_channel *channel = row->channel;
    char text[VIEW_NUMBER_BYTES];

    view_put(page, at, VIEW_PLAIN, "          ");
    view_put_left(page, at, channel->closed ? VIEW_FAINT : VIEW_GOOD, TREE_STATE - 1,
        channel->closed       ? "closed"
            : channel->listed ? "open"
                              : "handshake");
    view_put_age(
        page, at, TREE_AGE, channel->closed ? channel->closed_ns : channel->since_ns, now_ns);
    view_put(page, at, VIEW_PLAIN, "  ");
    if (channel->closed) {
        view_putf(page, at, VIEW_FAINT, "%s", channel->addr);
        if (channel->why[0] != '\0')
            view_putf(page, at, VIEW_FAINT, " %s", channel->why);
        return;
    }
    put_peer(page, at, view_rest_of(page, at, 2 * TREE_NUMBER), channel->addr, row->name);
    view_put_right(
        page, at, VIEW_PLAIN, TREE_NUMBER, view_round_trip_text(channel->round_trip_us, text));
    view_put_rate(page, at, TREE_NUMBER, &channel->rate, now_ns);
}

void view_tree_network(struct view_page *page, unsigned at, const struct view_row *row)
{
    const struct view_network *network = row->network;

    view_put(page, at, VIEW_PLAIN, "    ");
    view_put(page, at, VIEW_NAME, network->name);
    view_putf(page, at, VIEW_PLAIN, "  %zu white, %zu grey, %zu gold", network->white.count,
        network->grey.count, network->gold.count);
    if (network->white.truncated || network->grey.truncated || network->gold.truncated)
        view_put(page, at, VIEW_PLAIN, ", and more");
    for (size_t i = 0; i < network->listens.count && i < 8; i++)
        view_putf(page, at, VIEW_FAINT, "  %s", network->listens.urls[i]);
}
