/* view_ui.h - what a person has chosen to see: view, node, channel, cursor, filter, pause.
 *
 * Pure: keys change it, the layout reads it; neither knows a terminal. The views are lists of
 * rows, made anew from the model each time (view_rows.c); the cursor keeps to its row by the
 * row's identity while others come and go above it. Logs follow their end until the cursor
 * leaves it; paused, they stand still as a copy while the model goes on.
 * spec: apps.md 6.3 */
#ifndef VIEW_UI_H
#define VIEW_UI_H

#include "view/view_model.h"
#include "view/view_text.h"

enum view_tab {
    VIEW_OVERVIEW,
    VIEW_TREE,
    VIEW_SLOTS,
    VIEW_DISCOVERY,
    VIEW_HOSTS,
    VIEW_BANS,
    VIEW_STREAM,
    VIEW_MAP,
    VIEW_CHANNEL, /* of the tree's row: no tab of its own */
    VIEW_TABS,
};

/* Other keys are characters: UTF-8 of one, as its code point. */
enum view_key {
    VIEW_KEY_UP = 0x200000,
    VIEW_KEY_DOWN,
    VIEW_KEY_LEFT,
    VIEW_KEY_RIGHT,
    VIEW_KEY_PAGE_UP,
    VIEW_KEY_PAGE_DOWN,
    VIEW_KEY_HOME,
    VIEW_KEY_END,
    VIEW_KEY_TAB,
    VIEW_KEY_BACK_TAB,
    VIEW_KEY_ENTER,
    VIEW_KEY_ESCAPE,
    VIEW_KEY_BACKSPACE,
};

/* ---- rows ---- */

enum view_row_kind {
    VIEW_ROW_NODE,
    VIEW_ROW_SESSION,
    VIEW_ROW_SLOT,
    VIEW_ROW_CHANNEL,
    VIEW_ROW_NETWORK,
    VIEW_ROW_LIST, /* heading of a list of addresses */
    VIEW_ROW_URL,
    VIEW_ROW_BAN,
    VIEW_ROW_EVENT,
    VIEW_ROW_MESSAGE,
    VIEW_ROW_PEER, /* of the map */
    VIEW_ROW_NOTE, /* text: why there is nothing to see */
};

/* Pointers are into the model, valid until it changes; a paused log's are its own. */
struct view_row {
    enum view_row_kind kind;
    const struct view_node *node;
    unsigned node_index;
    uint64_t id; /* with kind and node: the row's identity */
    const struct view_channel *channel;
    const struct view_slot *slot;
    const struct view_network *network;
    const struct view_urls *urls;
    const struct view_ban *ban;
    const char *name; /* session, list, event, command; slot, channel: who is there, or NULL */
    const char *text; /* url, event's text, note */
    uint64_t time_ns; /* event, message; url: when it was seen last, 0: not told */
    uint64_t bytes;   /* message */
    size_t count;     /* session: channels; list: addresses; node of the map: peers */
    bool sent;        /* message */
    bool folded;      /* node, session: its rows are hidden */
};

struct view_rows {
    struct view_row *rows;
    size_t count, cap;
    bool owned; /* a paused log: its texts are freed with it */
};

void view_rows_fini(struct view_rows *rows);

/* ---- the state ---- */

#define VIEW_FILTER_BYTES 64
#define VIEW_NOTICE_BYTES 160

struct view_ui_tab {
    size_t cursor, top;
    enum view_row_kind kind; /* the cursor's row: its identity */
    const struct view_node *node;
    uint64_t id;
    bool held; /* a log: the cursor has left the end */
    char filter[VIEW_FILTER_BYTES];
};

struct view_ui {
    const struct view_model *model;
    enum view_tab tab, back;      /* back: where Esc leads from a channel */
    const struct view_node *node; /* the chosen one; NULL: there are none */
    uint32_t channel_id;
    struct view_ui_tab tabs[VIEW_TABS];
    uint16_t folded[VIEW_MAX_NODES]; /* bit 0: the node; then its sessions */
    bool editing;                    /* the filter */
    bool help;
    bool paused;
    struct view_rows frozen; /* paused logs: what was there */
    enum view_tab frozen_tab;
    uint64_t frozen_seen;  /* events ever, when it was paused */
    unsigned zoom;         /* of slots over time */
    struct view_rows rows; /* of the last view_ui_refresh() */
    size_t page_rows;      /* list rows that the last layout had room for */
    char notice[VIEW_NOTICE_BYTES];
    uint64_t notice_ns; /* until when it is shown */
    int64_t utc_offset_s;
    bool quit, save; /* wanted by a key; the screen does it */
};

void view_ui_init(struct view_ui *ui, const struct view_model *model);
void view_ui_fini(struct view_ui *ui);
/* Make the rows of the current view, and put the cursor where it belongs. */
void view_ui_refresh(struct view_ui *ui);
/* After view_ui_refresh() with the same model. */
void view_ui_key(struct view_ui *ui, uint32_t key);
/* A line at the bottom, for a few seconds. */
void view_ui_notice(struct view_ui *ui, uint64_t now_ns, const char *format, ...)
    HYPHA_PRINTF(3, 4);
/* The cursor's row; NULL: there is none. */
const struct view_row *view_ui_row(const struct view_ui *ui);

const char *view_tab_name(enum view_tab tab);
bool view_tab_is_log(enum view_tab tab);
/* Seconds that slots over time span at this zoom. */
unsigned view_zoom_s(unsigned zoom);

/* ---- view_rows.c ---- */

/* The rows of a view that pass the filter. Without memory there are fewer. */
void view_rows_make(
    struct view_rows *rows, const struct view_ui *ui, enum view_tab tab, const char *filter);
/* A copy whose texts are its own, of a log. */
void view_rows_freeze(struct view_rows *into, const struct view_rows *rows);
/* What of a frozen log passes the filter; borrows its texts. */
void view_rows_thaw(struct view_rows *rows, const struct view_rows *frozen, const char *filter);
/* The bit of view_ui.folded. */
unsigned view_session_bit(const char *session);

/* ---- view_layout.c ---- */

/* Draw all of it. The page is the caller's, view_page_fini(). */
void view_layout(struct view_ui *ui, struct view_page *page, uint64_t now_ns);
/* One row of a view, as in the list; also for --once. */
void view_layout_row(struct view_page *page, unsigned at, const struct view_ui *ui,
    const struct view_row *row, uint64_t now_ns);

/* ---- view_save.c ---- */

/* The rows of the current view as JSON lines. ret_lines: how many. Errors: NOMEM. */
enum hypha_err view_save_text(
    const struct view_ui *ui, uint64_t now_ns, char **ret_text, size_t *ret_len, size_t *ret_lines);

#endif
