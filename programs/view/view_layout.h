/* view_layout.h - the layout's inside: the frame (view_layout.c) and the rows in it. */
#ifndef VIEW_LAYOUT_H
#define VIEW_LAYOUT_H

#include "view/view_ui.h"

/* The titles above a view's columns. */
void view_layout_titles(struct view_page *page, unsigned at, const struct view_ui *ui);
/* HH:MM:SS of a UNIX time. */
const char *view_clock_text(uint64_t time_ns, int64_t utc_offset_s, char *into);
uint64_t view_age_of(uint64_t since_ns, uint64_t now_ns);
enum view_attr view_state_attr(const char *state);
/* "getaddr, attempt 1"; "" if nothing is known. */
const char *view_discovery_text(const struct view_node *node, char *into, size_t size);

/* ---- parts of rows ---- */

enum view_attr view_kind_attr(enum view_slot_kind kind);
char view_kind_sign(enum view_slot_kind kind);
/* since_ns 0: not known. */
void view_put_age(
    struct view_page *page, unsigned at, unsigned width, uint64_t since_ns, uint64_t now_ns);
void view_put_rate(struct view_page *page, unsigned at, unsigned width,
    const struct view_rate *rate, uint64_t now_ns);
void view_put_link(
    struct view_page *page, unsigned at, unsigned width, const struct view_node *node);
/* The columns left of a line, but for the reserved ones. */
unsigned view_rest_of(const struct view_page *page, unsigned at, unsigned reserved);

/* ---- view_layout_nodes.c ---- */

void view_overview_titles(struct view_page *page, unsigned at);
void view_overview_row(
    struct view_page *page, unsigned at, const struct view_row *row, uint64_t now_ns);
void view_tree_titles(struct view_page *page, unsigned at);
void view_tree_node(
    struct view_page *page, unsigned at, const struct view_row *row, uint64_t now_ns);
void view_tree_session(struct view_page *page, unsigned at, const struct view_row *row);
void view_tree_slot(
    struct view_page *page, unsigned at, const struct view_row *row, uint64_t now_ns);
void view_tree_channel(
    struct view_page *page, unsigned at, const struct view_row *row, uint64_t now_ns);
void view_tree_network(struct view_page *page, unsigned at, const struct view_row *row);

/* ---- view_layout.c ---- */

/* What stands above a view's list; returns the next free line. */
unsigned view_layout_channel(
    struct view_page *page, unsigned at, const struct view_ui *ui, uint64_t now_ns);
unsigned view_layout_discovery(
    struct view_page *page, unsigned at, const struct view_ui *ui, uint64_t now_ns);
/* Below the slots: VIEW_SLOT_LINES about the cursor's one. */
#define VIEW_SLOT_LINES 4U
void view_layout_slot(
    struct view_page *page, unsigned at, const struct view_ui *ui, uint64_t now_ns);
void view_layout_help(struct view_page *page);

#endif
