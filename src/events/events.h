/* events/events.h - one publisher per node; free of cost while nobody listens. */
#ifndef HY_EVENTS_EVENTS_H
#define HY_EVENTS_EVENTS_H

#include <hypha/events.h>
#include <sys/queue.h>

struct hy_event_subscriber {
    uint64_t mask;     /* of HYPHA_EVENT_BIT() */
    hypha_event_cb cb; /* NULL: unsubscribed while publishing, freed afterwards */
    void *user;
    TAILQ_ENTRY(hy_event_subscriber) entry;
};

TAILQ_HEAD(hy_event_subscribers, hy_event_subscriber);

struct hy_events {
    struct hy_event_subscribers subscribers;
    uint64_t wanted;     /* what any of them hears */
    unsigned publishing; /* depth */
};

void hy_events_init(struct hy_events *events);
/* Not from inside a callback. */
void hy_events_fini(struct hy_events *events);
/* From the next event on; the same pair twice hears twice.
 *  mask  of HYPHA_EVENT_BIT(); HYPHA_EVENTS_ALL
 * Errors: NOMEM. */
enum hypha_err hy_events_subscribe(
    struct hy_events *events, uint64_t mask, hypha_event_cb cb, void *user);
/* The first subscription of that pair; none: nothing happens. */
void hy_events_unsubscribe(struct hy_events *events, hypha_event_cb cb, void *user);
static inline bool hy_events_wanted(const struct hy_events *events, enum hypha_event_type type)
{
    return (events->wanted & HYPHA_EVENT_BIT(type)) != 0;
}
/* Ask hy_events_wanted() before building one. Subscribers may subscribe,
 * unsubscribe and publish in their callback. */
void hy_events_publish(struct hy_events *events, const struct hypha_event *event);

#endif
