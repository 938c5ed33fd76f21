/* view_layout.c - the page around the rows: title, views, headings, details, help, keys. */
#include "view/view_layout.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static bool is_of_node(enum view_tab tab)
{
    return tab != VIEW_OVERVIEW && tab != VIEW_TREE && tab != VIEW_MAP;
}

/* ---- the first two lines ---- */

static void title(struct view_page *page, const struct view_ui *ui, uint64_t now_ns)
{
    const struct view_node *node;
    size_t online = 0;
    char clock[VIEW_NUMBER_BYTES], right[96], paused[48] = "";

    STAILQ_FOREACH (node, &ui->model->nodes, entry)
        online += node->link == VIEW_ONLINE;
    if (ui->paused && ui->node != NULL && view_tab_is_log(ui->tab) &&
        ui->node->events_seen > ui->frozen_seen)
        (void)snprintf(paused, sizeof paused, "PAUSED (%" PRIu64 " more)  ",
            ui->node->events_seen - ui->frozen_seen);
    else if (ui->paused)
        (void)snprintf(paused, sizeof paused, "PAUSED  ");
    (void)snprintf(right, sizeof right, "%s%zu of %zu online  %s ", paused, online,
        ui->model->node_count, view_clock_text(now_ns, ui->utc_offset_s, clock));
    view_put(page, 0, VIEW_BAR, " hypha-view");
    if (is_of_node(ui->tab) && ui->node != NULL)
        view_putf(page, 0, VIEW_BAR, "  %s%s", ui->node->name,
            ui->node->link == VIEW_ONLINE ? "" : " (offline)");
    unsigned width = view_width(page, right);
    if (page->lines[0].width + width < page->cols) {
        view_pad(page, 0, VIEW_BAR, page->cols - width);
        view_put(page, 0, VIEW_BAR, right);
    }
    view_mark(page, 0, VIEW_BAR);
}

static void tabs(struct view_page *page, const struct view_ui *ui)
{
    enum view_tab chosen = ui->tab == VIEW_CHANNEL ? ui->back : ui->tab;
    bool tight = page->cols < 100;

    for (unsigned tab = 0; tab < VIEW_CHANNEL; tab++) {
        bool here = tab == chosen;

        view_putf(page, 1, here ? VIEW_CHOSEN : VIEW_PLAIN, "%s%u %s%s", here ? "[" : " ", tab + 1,
            view_tab_name((enum view_tab)tab),
            here        ? "]"
                : tight ? ""
                        : " ");
    }
}

/* ---- the last line ---- */

static void keys(struct view_page *page, unsigned at, const struct view_ui *ui)
{
    const char *filter = ui->tabs[ui->tab].filter;

    if (filter[0] != '\0')
        view_putf(page, at, VIEW_BAR, "filter: %s (Esc clears)  ", filter);
    switch (ui->tab) {
    case VIEW_OVERVIEW:
    case VIEW_MAP:
        view_put(page, at, VIEW_BAR, "Enter open  ");
        break;
    case VIEW_TREE:
        view_put(page, at, VIEW_BAR, "Enter open  h/l fold  ");
        break;
    case VIEW_SLOTS:
        view_put(page, at, VIEW_BAR,
            "Enter open  +/- time  h/l node  / filter  p pause  s save  ? help  q quit");
        return;
    case VIEW_CHANNEL:
        view_put(page, at, VIEW_BAR, "Esc back  ");
        break;
    case VIEW_DISCOVERY:
    case VIEW_HOSTS:
    case VIEW_BANS:
    case VIEW_STREAM:
    case VIEW_TABS:
        view_put(page, at, VIEW_BAR, "h/l node  ");
        break;
    }
    view_put(page, at, VIEW_BAR, "Tab view  / filter  p pause  s save  ? help  q quit");
}

static void footer(struct view_page *page, const struct view_ui *ui, uint64_t now_ns)
{
    unsigned at = page->rows - 1;

    view_put(page, at, VIEW_BAR, " ");
    if (ui->editing) {
        view_putf(page, at, VIEW_BAR, "/%s", ui->tabs[ui->tab].filter);
        page->has_cursor = page->lines[at].width < page->cols;
        page->cursor_row = at;
        page->cursor_col = page->lines[at].width;
        view_put(page, at, VIEW_BAR, "   (Enter keeps, Esc clears)");
    } else if (ui->notice[0] != '\0' && now_ns < ui->notice_ns) {
        view_put(page, at, VIEW_BAR, ui->notice);
    } else {
        keys(page, at, ui);
    }
    view_mark(page, at, VIEW_BAR);
}

/* ---- what stands above and below lists ---- */

/* The busiest first; alike ones by name, so that they stay where they are. */
static int compare_commands(const void *a, const void *b)
{
    const struct view_command *one = *(const struct view_command *const *)a;
    const struct view_command *other = *(const struct view_command *const *)b;
    uint64_t ones = one->messages_in + one->messages_out;
    uint64_t others = other->messages_in + other->messages_out;

    if (ones != others)
        return ones > others ? -1 : 1;
    return strcmp(one->name, other->name);
}

static void channel_commands(
    struct view_page *page, unsigned *at, const struct view_channel *channel, uint64_t now_ns)
{
    size_t room = page->rows > 16 ? (page->rows - 12) / 3 : 1;
    const struct view_command *sorted[VIEW_MAX_COMMANDS] = { NULL }, *command;
    char text[VIEW_NUMBER_BYTES];
    size_t count = 0;

    view_put_left(page, *at, VIEW_NAME, page->cols >= 110 ? 41 : 29, " COMMAND");
    view_put(page, *at, VIEW_NAME, "     IN    OUT   BYTES IN  BYTES OUT   MSG/S");
    *at += 1;
    STAILQ_FOREACH (command, &channel->commands, entry)
        sorted[count++] = command; /* the model keeps no more than VIEW_MAX_COMMANDS */
    qsort(sorted, count, sizeof sorted[0], compare_commands);
    for (size_t i = 0; i < count; i++) {
        command = sorted[i];
        if (i == room) {
            view_putf(page, (*at)++, VIEW_FAINT, "   and %zu more", channel->command_count - room);
            return;
        }
        view_put(page, *at, VIEW_PLAIN, " ");
        view_put_left(page, *at, VIEW_PLAIN, page->cols >= 110 ? 40 : 28, command->name);
        view_putf(page, *at, VIEW_PLAIN, "%7" PRIu64 "%7" PRIu64, command->messages_in,
            command->messages_out);
        view_put_right(page, *at, VIEW_PLAIN, 11, view_bytes_text(command->bytes_in, text));
        view_put_right(page, *at, VIEW_PLAIN, 11, view_bytes_text(command->bytes_out, text));
        view_put_right(page, *at, VIEW_PLAIN, 8,
            view_rate_text(view_rate_per_s(&command->rate, now_ns), text));
        *at += 1;
    }
}

unsigned view_layout_channel(
    struct view_page *page, unsigned at, const struct view_ui *ui, uint64_t now_ns)
{
    const struct view_channel *channel =
        ui->node != NULL ? view_node_channel(ui->node, ui->channel_id) : NULL;
    char text[VIEW_NUMBER_BYTES], more[VIEW_NUMBER_BYTES];

    if (channel == NULL) {
        view_put(page, at, VIEW_FAINT, " This channel is gone, and its messages are forgotten.");
        return at + 1;
    }
    view_put(page, at, VIEW_PLAIN, " ");
    view_put(page, at, VIEW_STRONG, channel->addr);
    view_putf(page, at, VIEW_PLAIN, "  %s #%u",
        channel->session[0] != '\0' ? channel->session : "session not told", (unsigned)channel->id);
    at++;
    if (channel->closed)
        view_putf(page, at, VIEW_BAD, " closed %s ago%s%s",
            view_age_text(view_age_of(channel->closed_ns, now_ns), text),
            channel->why[0] != '\0' ? ": " : "", channel->why);
    else
        view_putf(page, at, VIEW_GOOD, " open for %s",
            view_age_text(view_age_of(channel->since_ns, now_ns), text));
    if (channel->app[0] != '\0')
        view_putf(page, at, VIEW_PLAIN, "  %s %s", channel->app, channel->version);
    if (channel->round_trip_us != 0)
        view_putf(page, at, VIEW_PLAIN, "  round trip %s",
            view_round_trip_text(channel->round_trip_us, text));
    for (size_t i = 0; i < channel->announced_count && i < 4; i++)
        view_putf(
            page, at, VIEW_FAINT, "%s%s", i == 0 ? "  announces " : " ", channel->announced[i]);
    at++;
    view_putf(page, at, VIEW_PLAIN, " in %" PRIu64 " (%s)  out %" PRIu64 " (%s)",
        channel->messages_in, view_bytes_text(channel->bytes_in, text), channel->messages_out,
        view_bytes_text(channel->bytes_out, more));
    if (channel->told)
        view_putf(
            page, at, VIEW_PLAIN, "  queued %s", view_bytes_text(channel->queued_bytes, text));
    view_putf(page, at, VIEW_PLAIN, "  %s messages/s",
        view_rate_text(view_rate_per_s(&channel->rate, now_ns), text));
    at++;
    channel_commands(page, &at, channel, now_ns);
    return at;
}

unsigned view_layout_discovery(
    struct view_page *page, unsigned at, const struct view_ui *ui, uint64_t now_ns)
{
    char text[96], age[VIEW_NUMBER_BYTES];

    if (ui->node == NULL)
        return at;
    view_discovery_text(ui->node, text, sizeof text);
    if (text[0] == '\0')
        view_put(page, at, VIEW_FAINT, " Nothing is known of this node's discovery yet.");
    else
        view_putf(page, at, VIEW_PLAIN, " now: %s, for %s", text,
            view_age_text(view_age_of(ui->node->discovery_ns, now_ns), age));
    return at + 1;
}

void view_layout_slot(
    struct view_page *page, unsigned at, const struct view_ui *ui, uint64_t now_ns)
{
    const struct view_row *row = view_ui_row(ui);
    const struct view_slot *slot = row != NULL ? row->slot : NULL;
    char text[VIEW_NUMBER_BYTES];

    if (slot == NULL)
        return;
    view_putf(page, at, VIEW_NAME, " %s %u", slot->session, (unsigned)slot->number);
    view_putf(page, at, VIEW_PLAIN, ": %s for %s", slot->state,
        view_age_text(view_age_of(slot->since_ns, now_ns), text));
    view_putf(
        page, at + 1, VIEW_PLAIN, " address    %s", slot->addr[0] != '\0' ? slot->addr : "none");
    view_putf(page, at + 2, VIEW_PLAIN, " last error %s",
        slot->last_error[0] != '\0' ? slot->last_error : "none");
    if (slot->failures > 0)
        view_putf(page, at + 2, VIEW_PLAIN, " (%u in a row)", (unsigned)slot->failures);
    view_putf(page, at + 3, VIEW_PLAIN, " waits for  %s",
        slot->waits_for[0] != '\0' ? slot->waits_for
            : ui->node->is_hypha   ? "nothing"
                                   : "not told by this node");
    if (slot->next_ns > now_ns)
        view_putf(
            page, at + 3, VIEW_PLAIN, ", next in %s", view_age_text(slot->next_ns - now_ns, text));
}

void view_layout_help(struct view_page *page)
{
    static const char *const lines[] = {
        "Up Down j k            one row",
        "PageUp PageDown Space  one page; Home End g G: to the first, to the last",
        "Tab, Shift-Tab, 1..8   another view",
        "Enter                  open: a node, a channel and its messages, a slot",
        "Left Right h l         in the tree: fold, unfold; elsewhere: another node",
        "n N                    the next node, the one before",
        "Esc, Backspace         back; clears the filter first",
        "/                      filter: rows with this text (search in Hosts)",
        "p                      pause: the screen stands still, nodes are still heard",
        "s                      save the rows of this view as JSON lines",
        "+ -                    slots over time: a shorter, a longer time",
        "q                      quit",
        "",
        "Logs follow their end; Up leaves it, End (G) follows again.",
        "IN OUT MAN             inbound channels, outbound slots connected, manual peers",
        "SLOTS                  # connected  + dialling  . empty  ! failed",
        "RTT                    round trip by ping (hypha's nodes)",
        "MSG/S                  messages sent and received a second, over ten seconds",
        "",
        "Any key goes back.",
    };

    for (unsigned i = 0; i < sizeof lines / sizeof lines[0] && i + 3 < page->rows; i++)
        view_putf(page, i + 2, VIEW_PLAIN, "  %s", lines[i]);
}

/* ---- the page ---- */

/* As few rows as possible scroll by. */
static void scroll(struct view_ui_tab *tab, size_t count, size_t room)
{
    size_t most = count > room ? count - room : 0;

    if (tab->cursor < tab->top)
        tab->top = tab->cursor;
    else if (room > 0 && tab->cursor >= tab->top + room)
        tab->top = tab->cursor - room + 1;
    if (tab->top > most)
        tab->top = most;
}

static void list(
    struct view_page *page, struct view_ui *ui, unsigned at, unsigned end, uint64_t now_ns)
{
    struct view_ui_tab *tab = &ui->tabs[ui->tab];
    unsigned room = end > at ? end - at : 0;

    ui->page_rows = room;
    scroll(tab, ui->rows.count, room);
    for (unsigned i = 0; i < room && tab->top + i < ui->rows.count; i++) {
        bool chosen = tab->top + i == tab->cursor;

        view_put(page, at + i, VIEW_PLAIN, chosen ? ">" : " ");
        view_layout_row(page, at + i, ui, &ui->rows.rows[tab->top + i], now_ns);
        if (chosen)
            view_mark(page, at + i, VIEW_CHOSEN);
    }
    if (ui->rows.count == 0 && room > 0)
        view_put(page, at, VIEW_FAINT,
            tab->filter[0] != '\0' ? " No row has this text." : " Nothing yet.");
}

/* The titles of the columns, with the place in a list that is longer than the screen. */
static void titles(struct view_page *page, const struct view_ui *ui, unsigned at, size_t room)
{
    char text[64];

    view_layout_titles(page, at, ui);
    if (ui->rows.count <= room)
        return;
    (void)snprintf(text, sizeof text, "%zu/%zu ", ui->tabs[ui->tab].cursor + 1, ui->rows.count);
    unsigned width = view_width(page, text);
    if (page->lines[at].width + width + 1 < page->cols) {
        view_pad(page, at, VIEW_NAME, page->cols - width);
        view_put(page, at, VIEW_NAME, text);
    }
}

void view_layout(struct view_ui *ui, struct view_page *page, uint64_t now_ns)
{
    unsigned at = 2, end;

    view_ui_refresh(ui);
    if (page->rows == 0)
        return;
    title(page, ui, now_ns);
    if (page->rows < 4) /* only the cursor's row has room */
        at = 1;
    else
        tabs(page, ui);
    end = page->rows - 1;
    if (ui->help) {
        view_layout_help(page);
    } else {
        if (ui->tab == VIEW_CHANNEL)
            at = view_layout_channel(page, at, ui, now_ns);
        else if (ui->tab == VIEW_DISCOVERY)
            at = view_layout_discovery(page, at, ui, now_ns);
        if (ui->tab == VIEW_SLOTS && page->rows >= 14) {
            end -= VIEW_SLOT_LINES;
            view_layout_slot(page, end, ui, now_ns);
        }
        if (at < end && page->rows >= 6) {
            titles(page, ui, at, end - at - 1);
            at++;
        }
        list(page, ui, at, end, now_ns);
    }
    if (page->rows > 1)
        footer(page, ui, now_ns);
}
