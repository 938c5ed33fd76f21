/* observer.c - who wants to see every move between the lists: queued while it happens, told at the
 * end of the turn, so that who hears of it may do anything. */
#include "hosts/host.h"

#include "base/alloc.h"

static void forget_moves(struct hy_hosts *hosts)
{
    struct hy_told_move *move;

    while ((move = STAILQ_FIRST(&hosts->moves)) != NULL) {
        STAILQ_REMOVE_HEAD(&hosts->moves, entry);
        hypha_url_unref(move->url);
        hy_free(move);
    }
    hosts->move_count = 0;
}

void hy_hosts_set_observer(struct hy_hosts *hosts, hy_hosts_observer_cb cb, void *user)
{
    hosts->observer = cb;
    hosts->observer_user = user;
    if (cb == NULL)
        forget_moves(hosts);
}

void hy_hosts_note_move(struct hy_hosts *hosts, const struct hy_host *host)
{
    struct hy_told_move *move;

    if (hosts->observer == NULL || hosts->move_count == HY_MAX_TOLD_MOVES)
        return;
    move = hy_alloc(sizeof *move);
    if (move == NULL)
        return;
    move->url = hypha_url_ref(host->url);
    move->colour = host->colour;
    STAILQ_INSERT_TAIL(&hosts->moves, move, entry);
    hosts->move_count++;
    hy_defer_start(&hosts->tell);
}

/* Each is taken out before it is told: the observer may go, or make more. */
void hy_hosts_tell_moves(struct hy_hosts *hosts)
{
    for (size_t left = hosts->move_count; left > 0 && hosts->observer != NULL; left--) {
        struct hy_told_move *move = STAILQ_FIRST(&hosts->moves);

        if (move == NULL)
            return;
        STAILQ_REMOVE_HEAD(&hosts->moves, entry);
        hosts->move_count--;
        hosts->observer(hosts->observer_user, move->url, move->colour);
        hypha_url_unref(move->url);
        hy_free(move);
    }
}
