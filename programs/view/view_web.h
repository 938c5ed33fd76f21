/* view_web.h - hypha-view --web: one page, and the model as JSON and server-sent events.
 *
 *   /             the page, whole: no other resource is fetched
 *   /state        view_model_json() with the last messages and events, and "now_ns"
 *   /events       server-sent events: "state" (the same JSON without messages, events, bans and
 *                 host lists) whenever something changed, 4 times a second at most, and every 2 s;
 *                 "event" {"node":NAME,"event":NAME,"text":FOR_PEOPLE,"info":{}} for each one as
 *                 it happens, dropped for a client that is too slow, which is then told
 *                 "dropped" {"dropped":N}; "reload" {}: the state is too large for a stream
 *
 * Loopback only unless --token is given; with a random token in the URL by default. */
#ifndef VIEW_WEB_H
#define VIEW_WEB_H

#include "daemon/http.h"
#include "view/view_model.h"

struct view_web;

/* Takes model->on_event. listen: HOST:PORT. token: NULL: one is made. Errors: as
 * hy_http_create(). */
enum hypha_err view_web_create(struct hypha_loop *loop, struct view_model *model,
    const char *listen, const char *token, struct view_web **ret_web, char why[256]);
void view_web_destroy(struct view_web *web);
/* With the token: to be opened in a browser. */
const char *view_web_url(const struct view_web *web);

#endif
