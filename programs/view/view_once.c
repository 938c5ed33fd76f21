/* view_once.c - the same rows as on the screen, one after another, without one. */
#include "view/view_once.h"
#include "base/alloc.h"
#include "view/view_ui.h"

#define TEXT_COLS 100U

static bool print_json(FILE *out, const struct view_model *model, uint64_t now_ns)
{
    json_t *root = view_model_json(model, VIEW_MAX_MESSAGES, VIEW_MAX_EVENTS, now_ns);
    bool ok = root != NULL && json_dumpf(root, out, JSON_COMPACT) == 0;

    json_decref(root);
    return ok && fputc('\n', out) != EOF;
}

/* The tree, row by row, as on the screen. */
static bool print_row(
    FILE *out, const struct view_ui *ui, const struct view_row *row, uint64_t now_ns)
{
    struct view_page page;
    bool ok = view_page_init(&page, 1, TEXT_COLS, false);

    if (ok)
        view_layout_row(&page, 0, ui, row, now_ns);
    char *text = ok ? view_line_text(&page, 0) : NULL;
    ok = text != NULL && fprintf(out, "%s\n", text) > 0;
    hy_free(text);
    view_page_fini(&page);
    return ok;
}

bool view_once_print(FILE *out, const struct view_model *model, bool as_json, uint64_t now_ns)
{
    struct view_ui ui;
    bool ok = true;

    if (as_json)
        return print_json(out, model, now_ns);
    view_ui_init(&ui, model);
    ui.tab = VIEW_TREE;
    view_ui_refresh(&ui);
    for (size_t i = 0; ok && i < ui.rows.count; i++)
        ok = print_row(out, &ui, &ui.rows.rows[i], now_ns);
    view_ui_fini(&ui);
    return ok;
}
