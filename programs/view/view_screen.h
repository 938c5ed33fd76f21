/* view_screen.h - the model on a terminal: keys in, lines out, by ncurses on our loop.
 *
 * What stands where is view_layout.h's; what a key does is view_ui.h's. Here is only the
 * terminal: redrawn ten times a second at most, and only what changed. */
#ifndef VIEW_SCREEN_H
#define VIEW_SCREEN_H

#include "loop/loop.h"
#include "view/view_model.h"

struct view_screen;

/* Take over the terminal. on_quit: q was pressed, or the terminal is gone.
 * why: for people, 256 bytes. Errors: NOMEM, SYSTEM (no terminal, or one that can do too little).
 */
enum hypha_err view_screen_create(struct hypha_loop *loop, const struct view_model *model,
    void (*on_quit)(void *user), void *user, struct view_screen **ret_screen, char why[256]);
/* Give the terminal back. NULL does nothing. */
void view_screen_destroy(struct view_screen *screen);

#endif
