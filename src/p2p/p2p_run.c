/* p2p_run.c - a node that owns its loop: run it until a signal, a stop or an error ends it. */
#include "p2p/p2p.h"

#include <signal.h>

#define TARGET "net::p2p"

static const int ending_signals[] = { SIGINT, SIGTERM, SIGQUIT };
#define SIGNALS (sizeof(ending_signals) / sizeof(ending_signals[0]))

static void on_signal(void *user, int signum)
{
    struct hypha_p2p *p2p = user;

    hy_log_info(&p2p->net.log, TARGET, "[P2P] Signal %d: stopping", signum);
    hypha_p2p_stop(p2p);
}

struct run {
    struct hypha_p2p *p2p;
    enum hypha_err why;
};

static void on_stopped(struct hypha_p2p *p2p, enum hypha_err why, void *user)
{
    struct run *run = user;

    run->why = why;
    hypha_loop_stop(p2p->loop);
}

enum hypha_err hypha_p2p_run(struct hypha_p2p *p2p)
{
    struct run run = { .p2p = p2p, .why = HYPHA_OK };
    struct hy_signal *watches[SIGNALS] = { NULL };
    enum hypha_err err = HYPHA_OK;

    if (!p2p->owns_loop || p2p->state != HY_P2P_STOPPED)
        return HYPHA_ERR_STATE;
    for (size_t i = 0; err == HYPHA_OK && i < SIGNALS; i++)
        err = hy_signal_start(p2p->loop, ending_signals[i], on_signal, p2p, &watches[i]);
    if (err == HYPHA_OK)
        err = hypha_p2p_start(p2p, NULL, on_stopped, &run);
    if (err == HYPHA_OK)
        err = hypha_loop_run(p2p->loop);
    for (size_t i = 0; i < SIGNALS; i++)
        hy_signal_stop(watches[i]);
    return err != HYPHA_OK ? err : run.why;
}
