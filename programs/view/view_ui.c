/* view_ui.c - what each key does. */
#include "view/view_ui.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#define NOTICE_NS UINT64_C(5000000000)

/* ---- names ---- */

const char *view_tab_name(enum view_tab tab)
{
    static const char *const names[VIEW_TABS] = {
        [VIEW_OVERVIEW] = "Overview",
        [VIEW_TREE] = "Tree",
        [VIEW_SLOTS] = "Slots",
        [VIEW_DISCOVERY] = "Discovery",
        [VIEW_HOSTS] = "Hosts",
        [VIEW_BANS] = "Bans",
        [VIEW_STREAM] = "Events",
        [VIEW_MAP] = "Map",
        [VIEW_CHANNEL] = "Channel",
    };

    return names[tab];
}

bool view_tab_is_log(enum view_tab tab)
{
    return tab == VIEW_DISCOVERY || tab == VIEW_STREAM || tab == VIEW_CHANNEL;
}

static const unsigned zooms[] = { 60, 300, 900, 3600, 14400 };

#define ZOOMS ((unsigned)(sizeof zooms / sizeof zooms[0]))

unsigned view_zoom_s(unsigned zoom)
{
    return zooms[zoom < ZOOMS ? zoom : ZOOMS - 1];
}

/* ---- life ---- */

void view_ui_init(struct view_ui *ui, const struct view_model *model)
{
    *ui = (struct view_ui){ .model = model, .zoom = 1 };
    ui->node = STAILQ_FIRST(&model->nodes);
}

void view_ui_fini(struct view_ui *ui)
{
    view_rows_fini(&ui->rows);
    view_rows_fini(&ui->frozen);
}

void view_ui_notice(struct view_ui *ui, uint64_t now_ns, const char *format, ...)
{
    va_list args;

    va_start(args, format);
    (void)vsnprintf(ui->notice, sizeof ui->notice, format, args);
    va_end(args);
    ui->notice_ns = now_ns + NOTICE_NS;
}

/* ---- the cursor ---- */

static struct view_ui_tab *here(struct view_ui *ui)
{
    return &ui->tabs[ui->tab];
}

const struct view_row *view_ui_row(const struct view_ui *ui)
{
    size_t cursor = ui->tabs[ui->tab].cursor;

    return cursor < ui->rows.count ? &ui->rows.rows[cursor] : NULL;
}

static bool is_at(const struct view_ui_tab *tab, const struct view_row *row)
{
    return row->kind == tab->kind && row->node == tab->node && row->id == tab->id;
}

static void remember(struct view_ui *ui)
{
    const struct view_row *row = view_ui_row(ui);
    struct view_ui_tab *tab = here(ui);

    if (row == NULL)
        return;
    tab->kind = row->kind;
    tab->node = row->node;
    tab->id = row->id;
}

static void set_cursor(struct view_ui *ui, size_t cursor)
{
    struct view_ui_tab *tab = here(ui);
    size_t last = ui->rows.count > 0 ? ui->rows.count - 1 : 0;

    tab->cursor = cursor < last ? cursor : last;
    tab->held = tab->cursor < last;
    remember(ui);
}

/* Rows came or went: the cursor stays with its own, else about where it was. */
static void find_cursor(struct view_ui *ui)
{
    struct view_ui_tab *tab = here(ui);
    size_t count = ui->rows.count;

    if (count == 0) {
        tab->cursor = tab->top = 0;
        return;
    }
    if (view_tab_is_log(ui->tab) && !tab->held) {
        tab->cursor = count - 1;
        remember(ui);
        return;
    }
    if (tab->cursor < count && is_at(tab, &ui->rows.rows[tab->cursor]))
        return;
    for (size_t i = 0; i < count; i++) {
        if (is_at(tab, &ui->rows.rows[i])) {
            tab->cursor = i;
            return;
        }
    }
    /* A log's oldest rows go: the cursor's own was among them. */
    if (view_tab_is_log(ui->tab) && tab->id < ui->rows.rows[0].id)
        tab->cursor = 0;
    else if (tab->cursor >= count)
        tab->cursor = count - 1;
    remember(ui);
}

void view_ui_refresh(struct view_ui *ui)
{
    bool frozen = ui->paused && view_tab_is_log(ui->tab);

    if (ui->node == NULL)
        ui->node = STAILQ_FIRST(&ui->model->nodes);
    if (frozen && ui->frozen_tab != ui->tab) { /* another log than the one that was paused */
        view_rows_make(&ui->rows, ui, ui->tab, "");
        view_rows_freeze(&ui->frozen, &ui->rows);
        ui->frozen_tab = ui->tab;
        ui->frozen_seen = ui->node != NULL ? ui->node->events_seen : 0;
    }
    if (frozen)
        view_rows_thaw(&ui->rows, &ui->frozen, here(ui)->filter);
    else
        view_rows_make(&ui->rows, ui, ui->tab, here(ui)->filter);
    find_cursor(ui);
}

/* ---- what keys do ---- */

static void go_to(struct view_ui *ui, enum view_tab tab)
{
    ui->tab = tab;
    ui->frozen_tab = VIEW_TABS; /* made anew, should it be paused */
}

static void choose_node(struct view_ui *ui, const struct view_node *node)
{
    if (node == NULL || node == ui->node)
        return;
    ui->node = node;
    ui->frozen_tab = VIEW_TABS;
    for (int tab = VIEW_SLOTS; tab <= VIEW_STREAM; tab++)
        ui->tabs[tab].cursor = ui->tabs[tab].top = ui->tabs[tab].held = 0;
    if (ui->tab == VIEW_CHANNEL)
        go_to(ui, ui->back);
}

static void next_node(struct view_ui *ui, bool back)
{
    const struct view_node *node, *before = NULL, *last = NULL;

    STAILQ_FOREACH (node, &ui->model->nodes, entry) {
        if (node == ui->node)
            before = last;
        last = node;
    }
    if (back)
        node = before != NULL ? before : last;
    else
        node = ui->node != NULL ? STAILQ_NEXT(ui->node, entry) : NULL;
    choose_node(ui, node != NULL ? node : STAILQ_FIRST(&ui->model->nodes));
}

static void next_tab(struct view_ui *ui, bool back)
{
    unsigned tab = ui->tab == VIEW_CHANNEL ? ui->back : ui->tab;

    go_to(ui, (enum view_tab)((tab + (back ? VIEW_CHANNEL - 1 : 1)) % VIEW_CHANNEL));
}

static bool is_heading(const struct view_row *row)
{
    return row->kind == VIEW_ROW_NODE || row->kind == VIEW_ROW_SESSION;
}

/* Of the tree: hide or show the rows below a heading. */
static void fold(struct view_ui *ui, const struct view_row *row, bool folded)
{
    unsigned bit = row->kind == VIEW_ROW_SESSION ? (unsigned)row->id : 0;
    uint16_t mask = (uint16_t)(1U << bit);

    ui->folded[row->node_index] = (uint16_t)(folded ? ui->folded[row->node_index] | mask
                                                    : ui->folded[row->node_index] & ~mask);
}

/* A node is above its sessions, a session above its rows. */
static void to_heading(struct view_ui *ui, const struct view_row *row)
{
    size_t at = here(ui)->cursor;

    while (at > 0) {
        const struct view_row *above = &ui->rows.rows[--at];

        if (above->kind == VIEW_ROW_NODE ||
            (above->kind == VIEW_ROW_SESSION && row->kind != VIEW_ROW_SESSION))
            break;
    }
    set_cursor(ui, at);
}

static void tree_key(struct view_ui *ui, bool left)
{
    const struct view_row *row = view_ui_row(ui);

    if (row == NULL)
        return;
    if (is_heading(row) && row->folded != left)
        fold(ui, row, left);
    else if (left && row->kind != VIEW_ROW_NODE)
        to_heading(ui, row);
}

static void open_channel(struct view_ui *ui, const struct view_row *row)
{
    if (row->channel == NULL)
        return;
    choose_node(ui, row->node);
    if (ui->channel_id != row->channel->id)
        ui->tabs[VIEW_CHANNEL] = (struct view_ui_tab){ 0 };
    ui->channel_id = row->channel->id;
    if (ui->tab != VIEW_CHANNEL)
        ui->back = ui->tab;
    go_to(ui, VIEW_CHANNEL);
}

/* In the tree, with the cursor on the node. */
static void open_node(struct view_ui *ui, const struct view_node *node)
{
    choose_node(ui, node);
    go_to(ui, VIEW_TREE);
    here(ui)->kind = VIEW_ROW_NODE;
    here(ui)->node = node;
    here(ui)->id = 0;
    here(ui)->filter[0] = '\0';
    here(ui)->cursor = SIZE_MAX; /* found by its identity */
}

static void enter(struct view_ui *ui)
{
    const struct view_row *row = view_ui_row(ui);

    if (row == NULL)
        return;
    switch (row->kind) {
    case VIEW_ROW_NODE:
        if (ui->tab == VIEW_TREE)
            fold(ui, row, !row->folded);
        else
            open_node(ui, row->node);
        break;
    case VIEW_ROW_SESSION:
        fold(ui, row, !row->folded);
        break;
    case VIEW_ROW_SLOT:
        if (row->channel == NULL && ui->tab == VIEW_TREE) {
            choose_node(ui, row->node);
            go_to(ui, VIEW_SLOTS);
            here(ui)->kind = VIEW_ROW_SLOT;
            here(ui)->node = row->node;
            here(ui)->id = row->id;
            here(ui)->cursor = SIZE_MAX;
            break;
        }
        open_channel(ui, row);
        break;
    case VIEW_ROW_CHANNEL:
    case VIEW_ROW_PEER:
        open_channel(ui, row);
        break;
    case VIEW_ROW_NETWORK:
        choose_node(ui, row->node);
        go_to(ui, VIEW_HOSTS);
        break;
    case VIEW_ROW_LIST:
    case VIEW_ROW_URL:
    case VIEW_ROW_BAN:
    case VIEW_ROW_EVENT:
    case VIEW_ROW_MESSAGE:
    case VIEW_ROW_NOTE:
        break;
    }
}

/* ---- the filter ---- */

static void backspace(char *text)
{
    size_t len = strlen(text);

    while (len > 0 && ((unsigned char)text[len - 1] & 0xc0U) == 0x80U)
        len--;
    text[len > 0 ? len - 1 : 0] = '\0';
}

static void type(char *text, size_t size, uint32_t code)
{
    char bytes[4];
    size_t len = code < 0x80 ? 1 : code < 0x800 ? 2 : code < 0x10000 ? 3 : 4;
    size_t end = strlen(text);

    if (code < 0x20 || code == 0x7f || code > 0x10ffff || end + len + 1 > size)
        return;
    if (len == 1) {
        bytes[0] = (char)code;
    } else {
        for (size_t i = len - 1; i > 0; i--, code >>= 6)
            bytes[i] = (char)(0x80U | (code & 0x3fU));
        bytes[0] = (char)((0xf00U >> len & 0xf0U) | code);
    }
    memcpy(text + end, bytes, len);
    text[end + len] = '\0';
}

static void edit_key(struct view_ui *ui, uint32_t key)
{
    char *filter = here(ui)->filter;

    if (key == VIEW_KEY_ENTER) {
        ui->editing = false;
    } else if (key == VIEW_KEY_ESCAPE) {
        filter[0] = '\0';
        ui->editing = false;
    } else if (key == VIEW_KEY_BACKSPACE) {
        backspace(filter);
    } else if (key == 0x15) { /* ^U */
        filter[0] = '\0';
    } else if (key < VIEW_KEY_UP) {
        type(filter, VIEW_FILTER_BYTES, key);
    } else { /* moving about ends it */
        ui->editing = false;
        view_ui_key(ui, key);
    }
}

/* ---- all keys ---- */

/* The rows move with the cursor; the layout sees to it that there is no gap at the end. */
static void page_by(struct view_ui *ui, size_t cursor, size_t top)
{
    set_cursor(ui, cursor);
    here(ui)->top = top;
}

static void move_key(struct view_ui *ui, uint32_t key)
{
    size_t cursor = here(ui)->cursor, top = here(ui)->top;
    size_t page = ui->page_rows > 1 ? ui->page_rows - 1 : 1;

    if (key == VIEW_KEY_UP)
        set_cursor(ui, cursor > 0 ? cursor - 1 : 0);
    else if (key == VIEW_KEY_DOWN)
        set_cursor(ui, cursor + 1);
    else if (key == VIEW_KEY_PAGE_UP)
        page_by(ui, cursor > page ? cursor - page : 0, top > page ? top - page : 0);
    else if (key == VIEW_KEY_PAGE_DOWN)
        page_by(ui, cursor + page, top + page);
    else if (key == VIEW_KEY_HOME)
        set_cursor(ui, 0);
    else
        set_cursor(ui, ui->rows.count);
}

static void side_key(struct view_ui *ui, bool left)
{
    if (ui->tab == VIEW_TREE)
        tree_key(ui, left);
    else if (ui->tab == VIEW_CHANNEL && left)
        go_to(ui, ui->back);
    else if (ui->tab == VIEW_OVERVIEW && !left)
        enter(ui);
    else if (ui->tab >= VIEW_SLOTS && ui->tab <= VIEW_STREAM)
        next_node(ui, left);
}

static void escape(struct view_ui *ui)
{
    if (here(ui)->filter[0] != '\0')
        here(ui)->filter[0] = '\0';
    else if (ui->tab == VIEW_CHANNEL)
        go_to(ui, ui->back);
    else
        go_to(ui, VIEW_OVERVIEW);
}

static void toggle_pause(struct view_ui *ui)
{
    ui->paused = !ui->paused;
    ui->frozen_tab = VIEW_TABS;
    view_rows_fini(&ui->frozen);
}

/* Letters that stand for other keys. */
static uint32_t key_of_letter(uint32_t key)
{
    static const struct {
        uint32_t letter, key;
    } letters[] = {
        { 'k', VIEW_KEY_UP },
        { 'j', VIEW_KEY_DOWN },
        { 'h', VIEW_KEY_LEFT },
        { 'l', VIEW_KEY_RIGHT },
        { 'g', VIEW_KEY_HOME },
        { 'G', VIEW_KEY_END },
        { ' ', VIEW_KEY_PAGE_DOWN },
        { 0x02, VIEW_KEY_PAGE_UP },   /* ^B */
        { 0x06, VIEW_KEY_PAGE_DOWN }, /* ^F */
        { '\r', VIEW_KEY_ENTER },
        { '\n', VIEW_KEY_ENTER },
        { '\t', VIEW_KEY_TAB },
        { 0x1b, VIEW_KEY_ESCAPE },
        { 0x08, VIEW_KEY_BACKSPACE },
        { 0x7f, VIEW_KEY_BACKSPACE },
    };

    for (size_t i = 0; i < sizeof letters / sizeof letters[0]; i++)
        if (letters[i].letter == key)
            return letters[i].key;
    return key;
}

static void letter_key(struct view_ui *ui, uint32_t key)
{
    if (key >= '1' && key < '1' + VIEW_CHANNEL)
        go_to(ui, (enum view_tab)(key - '1'));
    else if (key == '/')
        ui->editing = true;
    else if (key == 'p')
        toggle_pause(ui);
    else if (key == 's')
        ui->save = true;
    else if (key == '?')
        ui->help = true;
    else if (key == 'n' || key == 'N')
        next_node(ui, key == 'N');
    else if (key == '+' || key == '=')
        ui->zoom = ui->zoom > 0 ? ui->zoom - 1 : 0;
    else if (key == '-')
        ui->zoom = ui->zoom + 1 < ZOOMS ? ui->zoom + 1 : ZOOMS - 1;
    else if (key == 'q')
        ui->quit = true;
}

void view_ui_key(struct view_ui *ui, uint32_t key)
{
    uint32_t meant = ui->editing && key >= 0x20 && key != 0x7f ? key : key_of_letter(key);

    ui->notice[0] = '\0';
    if (ui->editing) {
        edit_key(ui, meant);
        return;
    }
    if (ui->help) { /* any key ends it */
        ui->help = false;
        ui->quit = meant == 'q' ? true : ui->quit;
        return;
    }
    switch (meant) {
    case VIEW_KEY_UP:
    case VIEW_KEY_DOWN:
    case VIEW_KEY_PAGE_UP:
    case VIEW_KEY_PAGE_DOWN:
    case VIEW_KEY_HOME:
    case VIEW_KEY_END:
        move_key(ui, meant);
        return;
    case VIEW_KEY_LEFT:
    case VIEW_KEY_RIGHT:
        side_key(ui, meant == VIEW_KEY_LEFT);
        return;
    case VIEW_KEY_TAB:
    case VIEW_KEY_BACK_TAB:
        next_tab(ui, meant == VIEW_KEY_BACK_TAB);
        return;
    case VIEW_KEY_ENTER:
        enter(ui);
        return;
    case VIEW_KEY_ESCAPE:
    case VIEW_KEY_BACKSPACE:
        escape(ui);
        return;
    default: /* a character */
        letter_key(ui, meant);
        return;
    }
}
