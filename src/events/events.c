/* events/events.c - hand each event to every subscriber, in the order of subscription.
 *
 * A subscriber may subscribe, unsubscribe (itself or others) and cause further events from
 * inside its callback: places are only marked free then, and swept when the outermost
 * publish ends. */
#include "events/events.h"

#include "base/alloc.h"
#include <assert.h>

/* Free the places whose subscribers have left. */
static void sweep(struct hy_events *events)
{
    struct hy_event_subscriber *next;

    for (struct hy_event_subscriber *s = TAILQ_FIRST(&events->subscribers); s != NULL; s = next) {
        next = TAILQ_NEXT(s, entry);
        if (s->cb == NULL) {
            TAILQ_REMOVE(&events->subscribers, s, entry);
            hy_free(s);
        }
    }
}

void hy_events_init(struct hy_events *events)
{
    TAILQ_INIT(&events->subscribers);
    events->publishing = 0;
}

void hy_events_fini(struct hy_events *events)
{
    struct hy_event_subscriber *s;

    assert(events->publishing == 0);
    while ((s = TAILQ_FIRST(&events->subscribers)) != NULL) {
        TAILQ_REMOVE(&events->subscribers, s, entry);
        hy_free(s);
    }
}

enum hypha_err hy_events_subscribe(struct hy_events *events, hypha_event_cb cb, void *user)
{
    struct hy_event_subscriber *s = hy_alloc(sizeof *s);

    if (s == NULL)
        return HYPHA_ERR_NOMEM;
    s->cb = cb;
    s->user = user;
    TAILQ_INSERT_TAIL(&events->subscribers, s, entry);
    return HYPHA_OK;
}

void hy_events_unsubscribe(struct hy_events *events, hypha_event_cb cb, void *user)
{
    struct hy_event_subscriber *s;

    TAILQ_FOREACH (s, &events->subscribers, entry) {
        if (s->cb == cb && s->user == user) {
            s->cb = NULL;
            break;
        }
    }
    if (events->publishing == 0)
        sweep(events);
}

void hy_events_publish(struct hy_events *events, const struct hypha_event *event)
{
    struct hy_event_subscriber *s = TAILQ_FIRST(&events->subscribers);
    struct hy_event_subscriber *last = TAILQ_LAST(&events->subscribers, hy_event_subscribers);

    /* Those who subscribe meanwhile stand behind `last` and begin with the next event. */
    events->publishing++;
    while (s != NULL) {
        if (s->cb != NULL)
            s->cb(event, s->user);
        s = s == last ? NULL : TAILQ_NEXT(s, entry);
    }
    if (--events->publishing == 0)
        sweep(events);
}
