/* view_layout_rows.c - one row of each view, and the titles of its columns.
 *
 * What a colour says is said by a word or a sign too. */
#include "view/view_layout.h"

#include <stdio.h>
#include <string.h>

#define NS_PER_S UINT64_C(1000000000)

/* ---- values ---- */

uint64_t view_age_of(uint64_t since_ns, uint64_t now_ns)
{
    return since_ns < now_ns ? now_ns - since_ns : 0;
}

const char *view_clock_text(uint64_t time_ns, int64_t utc_offset_s, char *into)
{
    uint64_t s = (time_ns / NS_PER_S + (uint64_t)(utc_offset_s + 86400)) % 86400;

    (void)snprintf(into, VIEW_NUMBER_BYTES, "%02u:%02u:%02u", (unsigned)(s / 3600),
        (unsigned)(s / 60 % 60), (unsigned)(s % 60));
    return into;
}

enum view_attr view_kind_attr(enum view_slot_kind kind)
{
    switch (kind) {
    case VIEW_SLOT_CONNECTED:
        return VIEW_GOOD;
    case VIEW_SLOT_CONNECTING:
        return VIEW_WAIT;
    case VIEW_SLOT_FAILED:
        return VIEW_BAD;
    case VIEW_SLOT_EMPTY:
        break;
    }
    return VIEW_PLAIN;
}

char view_kind_sign(enum view_slot_kind kind)
{
    return ".+#!"[kind];
}

enum view_attr view_state_attr(const char *state)
{
    return view_kind_attr(view_slot_kind_of(state));
}

const char *view_discovery_text(const struct view_node *node, char *into, size_t size)
{
    into[0] = '\0';
    if (node->discovery[0] != '\0' && node->attempt > 0)
        (void)snprintf(into, size, "%.40s, %u failed", node->discovery, (unsigned)node->attempt);
    else if (node->discovery[0] != '\0')
        (void)snprintf(into, size, "%.40s", node->discovery);
    return into;
}

void view_put_age(
    struct view_page *page, unsigned at, unsigned width, uint64_t since_ns, uint64_t now_ns)
{
    char text[VIEW_NUMBER_BYTES];

    view_put_right(page, at, VIEW_PLAIN, width,
        since_ns != 0 ? view_age_text(view_age_of(since_ns, now_ns), text) : "");
}

void view_put_rate(struct view_page *page, unsigned at, unsigned width,
    const struct view_rate *rate, uint64_t now_ns)
{
    char text[VIEW_NUMBER_BYTES];

    view_put_right(
        page, at, VIEW_PLAIN, width, view_rate_text(view_rate_per_s(rate, now_ns), text));
}

unsigned view_rest_of(const struct view_page *page, unsigned at, unsigned reserved)
{
    unsigned taken = page->lines[at].width + reserved;

    return taken < page->cols ? page->cols - taken : 0;
}

/* ---- slots over time ---- */

static unsigned slot_label_width(const struct view_page *page)
{
    return page->cols >= 110 ? 66 : 36;
}

static void slots_titles(struct view_page *page, unsigned at, unsigned span_s)
{
    char text[VIEW_NUMBER_BYTES];

    view_put_left(page, at, VIEW_NAME, 13, "SLOT");
    view_put_left(page, at, VIEW_NAME, 12, "STATE");
    view_put_right(page, at, VIEW_NAME, 7, "AGE");
    view_put(page, at, VIEW_NAME, "  ");
    if (slot_label_width(page) > 36)
        view_put_left(page, at, VIEW_NAME, slot_label_width(page) - 36, "ADDRESS");
    view_putf(page, at, VIEW_NAME, "%s: # up  + dialling  . empty  ! failed",
        view_age_text(span_s * NS_PER_S, text));
}

static void put_timeline(struct view_page *page, unsigned at, const struct view_slot *slot,
    unsigned span_s, uint64_t now_ns)
{
    unsigned width = view_rest_of(page, at, 1);
    size_t next = 0;

    for (unsigned col = 0; col < width; col++) {
        uint64_t ago_ns = (uint64_t)(width - 1 - col) * span_s * NS_PER_S / width;
        uint64_t then_ns = now_ns > ago_ns ? now_ns - ago_ns : 0;
        char sign[2] = " ";
        enum view_attr attr = VIEW_PLAIN;

        while (next < slot->change_count && slot->changes[next].time_ns <= then_ns)
            next++;
        if (next > 0) {
            sign[0] = view_kind_sign(slot->changes[next - 1].kind);
            attr = view_kind_attr(slot->changes[next - 1].kind);
        }
        view_put(page, at, attr, sign);
    }
}

static void slots_row(struct view_page *page, unsigned at, const struct view_ui *ui,
    const struct view_row *row, uint64_t now_ns)
{
    const struct view_slot *slot = row->slot;

    view_put_left(page, at, VIEW_PLAIN, 9, slot->session);
    view_putf(page, at, VIEW_PLAIN, "%3u ", (unsigned)slot->number);
    view_put_left(page, at, view_state_attr(slot->state), 12, slot->state);
    view_put_age(page, at, 7, slot->since_ns, now_ns);
    view_put(page, at, VIEW_PLAIN, "  ");
    if (slot_label_width(page) > 36)
        view_put_left(page, at, VIEW_PLAIN, slot_label_width(page) - 36, slot->addr);
    put_timeline(page, at, slot, view_zoom_s(ui->zoom), now_ns);
}

/* ---- lists, logs, the map ---- */

static void list_row(struct view_page *page, unsigned at, const struct view_row *row)
{
    view_put(page, at, VIEW_PLAIN, "  ");
    view_put(page, at, VIEW_NAME, row->name);
    view_putf(page, at, VIEW_PLAIN, "  %zu", row->count);
    if (row->urls != NULL && row->urls->truncated)
        view_putf(page, at, VIEW_PLAIN, ", of which %zu are known here", row->urls->count);
}

static void url_row(
    struct view_page *page, unsigned at, const struct view_row *row, uint64_t now_ns)
{
    char text[VIEW_NUMBER_BYTES];

    view_put(page, at, VIEW_PLAIN, "    ");
    view_put_left(
        page, at, VIEW_PLAIN, view_rest_of(page, at, row->time_ns != 0 ? 18 : 0), row->text);
    if (row->time_ns == 0)
        return;
    view_putf(page, at, VIEW_FAINT, " seen %s ago",
        view_age_text(view_age_of(row->time_ns, now_ns), text));
}

static void ban_row(
    struct view_page *page, unsigned at, const struct view_row *row, uint64_t now_ns)
{
    const struct view_ban *ban = row->ban;
    uint64_t now_s = now_ns / NS_PER_S;
    char text[VIEW_NUMBER_BYTES];

    view_put_left(page, at, VIEW_PLAIN, page->cols >= 110 ? 60 : 34, ban->addr);
    view_put(page, at, VIEW_PLAIN, " ");
    if (ban->until_s == 0)
        (void)snprintf(text, sizeof text, "for ever");
    else
        (void)view_age_text(ban->until_s > now_s && ban->until_s - now_s < UINT64_MAX / NS_PER_S
                ? (ban->until_s - now_s) * NS_PER_S
                : 0,
            text);
    view_put_left(page, at, VIEW_PLAIN, 10, text);
    view_put_left(page, at, VIEW_BAD, view_rest_of(page, at, 0), ban->why);
}

static void event_row(
    struct view_page *page, unsigned at, const struct view_ui *ui, const struct view_row *row)
{
    char text[VIEW_NUMBER_BYTES];
    bool is_bad = strstr(row->name, "disconnected") != NULL || strcmp(row->name, "banned") == 0 ||
        strcmp(row->name, "lag") == 0 || strcmp(row->name, "refused") == 0;
    bool is_good = !is_bad && strstr(row->name, "connected") != NULL;

    view_put(page, at, VIEW_FAINT, view_clock_text(row->time_ns, ui->utc_offset_s, text));
    view_put(page, at, VIEW_PLAIN, " ");
    view_put_left(page, at,
        is_bad        ? VIEW_BAD
            : is_good ? VIEW_GOOD
                      : VIEW_PLAIN,
        page->cols >= 110 ? 26 : 24, row->name);
    view_put(page, at, VIEW_PLAIN, " ");
    view_put_left(page, at, VIEW_PLAIN, view_rest_of(page, at, 0), row->text);
}

static void message_row(
    struct view_page *page, unsigned at, const struct view_ui *ui, const struct view_row *row)
{
    char text[VIEW_NUMBER_BYTES];

    view_put(page, at, VIEW_FAINT, view_clock_text(row->time_ns, ui->utc_offset_s, text));
    view_putf(page, at, VIEW_PLAIN, " %s ", row->sent ? "send ->" : "recv <-");
    view_put_left(
        page, at, row->sent ? VIEW_PLAIN : VIEW_STRONG, page->cols >= 110 ? 40 : 28, row->name);
    if (row->bytes > 0)
        view_put_right(page, at, VIEW_PLAIN, 10, view_bytes_text(row->bytes, text));
}

static void peer_row(
    struct view_page *page, unsigned at, const struct view_row *row, uint64_t now_ns)
{
    const struct view_channel *channel = row->channel;
    bool inbound = strcmp(channel->session, "inbound") == 0;
    char text[VIEW_NUMBER_BYTES];

    view_putf(page, at, VIEW_PLAIN, "  %s ", inbound ? "<--" : "-->");
    view_put_left(page, at, VIEW_STRONG, page->cols >= 110 ? 44 : 30, row->name);
    view_put(page, at, VIEW_PLAIN, " ");
    view_put_left(page, at, VIEW_PLAIN, 9, channel->session[0] != '\0' ? channel->session : "?");
    view_put_age(page, at, 7, channel->since_ns, now_ns);
    view_put_right(page, at, VIEW_PLAIN, 8, view_round_trip_text(channel->round_trip_us, text));
    view_put_rate(page, at, 8, &channel->rate, now_ns);
    if (strcmp(row->name, channel->addr) != 0 && page->cols >= 110) {
        view_put(page, at, VIEW_PLAIN, "  ");
        view_put_left(page, at, VIEW_FAINT, view_rest_of(page, at, 0), channel->addr);
    }
}

static void map_node(struct view_page *page, unsigned at, const struct view_row *row)
{
    const struct view_node *node = row->node;

    view_put(page, at, VIEW_STRONG, node->name);
    view_put(page, at, VIEW_PLAIN, "  ");
    view_put_link(page, at, (unsigned)strlen(view_link_name(node->link)), node);
    if (node->kind == VIEW_NORMAL)
        view_putf(
            page, at, VIEW_PLAIN, "  %zu %s", row->count, row->count == 1 ? "channel" : "channels");
    for (size_t i = 0; i < node->own_count && i < 4; i++)
        view_putf(page, at, VIEW_FAINT, "  %s", node->own_addrs[i]);
}

/* ---- all of them ---- */

void view_layout_titles(struct view_page *page, unsigned at, const struct view_ui *ui)
{
    view_put(page, at, VIEW_NAME, " ");
    switch (ui->tab) {
    case VIEW_OVERVIEW:
        view_overview_titles(page, at);
        break;
    case VIEW_TREE:
        view_tree_titles(page, at);
        break;
    case VIEW_SLOTS:
        slots_titles(page, at, view_zoom_s(ui->zoom));
        break;
    case VIEW_DISCOVERY:
    case VIEW_STREAM:
        view_put(page, at, VIEW_NAME, "TIME     ");
        view_put_left(page, at, VIEW_NAME, page->cols >= 110 ? 27 : 25, "EVENT");
        view_put(page, at, VIEW_NAME, "WHAT");
        break;
    case VIEW_HOSTS:
        view_put(page, at, VIEW_NAME, "  LIST AND ADDRESSES");
        break;
    case VIEW_BANS:
        view_put_left(page, at, VIEW_NAME, page->cols >= 110 ? 61 : 35, "WHO");
        view_put_left(page, at, VIEW_NAME, 10, "FOR");
        view_put(page, at, VIEW_NAME, "WHY");
        break;
    case VIEW_MAP:
        view_put(page, at, VIEW_NAME, "      ");
        view_put_left(page, at, VIEW_NAME, page->cols >= 110 ? 45 : 31, "PEER");
        view_put(page, at, VIEW_NAME, "SESSION      AGE     RTT   MSG/S");
        if (page->cols >= 110)
            view_put(page, at, VIEW_NAME, "  ADDRESS");
        break;
    case VIEW_CHANNEL:
        view_put(page, at, VIEW_NAME, "TIME     DIR     ");
        view_put_left(page, at, VIEW_NAME, page->cols >= 110 ? 40 : 28, "COMMAND");
        view_put_right(page, at, VIEW_NAME, 10, "SIZE");
        break;
    case VIEW_TABS:
        break;
    }
}

void view_layout_row(struct view_page *page, unsigned at, const struct view_ui *ui,
    const struct view_row *row, uint64_t now_ns)
{
    switch (row->kind) {
    case VIEW_ROW_NODE:
        if (ui->tab == VIEW_OVERVIEW)
            view_overview_row(page, at, row, now_ns);
        else if (ui->tab == VIEW_MAP)
            map_node(page, at, row);
        else
            view_tree_node(page, at, row, now_ns);
        break;
    case VIEW_ROW_SESSION:
        view_tree_session(page, at, row);
        break;
    case VIEW_ROW_SLOT:
        if (ui->tab == VIEW_SLOTS)
            slots_row(page, at, ui, row, now_ns);
        else
            view_tree_slot(page, at, row, now_ns);
        break;
    case VIEW_ROW_CHANNEL:
        view_tree_channel(page, at, row, now_ns);
        break;
    case VIEW_ROW_NETWORK:
        view_tree_network(page, at, row);
        break;
    case VIEW_ROW_LIST:
        list_row(page, at, row);
        break;
    case VIEW_ROW_URL:
        url_row(page, at, row, now_ns);
        break;
    case VIEW_ROW_BAN:
        ban_row(page, at, row, now_ns);
        break;
    case VIEW_ROW_EVENT:
        event_row(page, at, ui, row);
        break;
    case VIEW_ROW_MESSAGE:
        message_row(page, at, ui, row);
        break;
    case VIEW_ROW_PEER:
        peer_row(page, at, row, now_ns);
        break;
    case VIEW_ROW_NOTE:
        view_put(page, at, VIEW_FAINT, row->text);
        break;
    }
}
