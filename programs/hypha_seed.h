/* hypha_seed.h - the seed daemon's networks, shared by its two files. */
#ifndef HYPHA_SEED_H
#define HYPHA_SEED_H

#include "daemon/daemon.h"

struct seed_network {
    char *name;
    struct hypha_settings *settings;
    struct hypha_p2p *p2p; /* the daemon's */
    bool has_app_name, has_seeds;
    STAILQ_ENTRY(seed_network) entry;
};
STAILQ_HEAD(seed_network_list, seed_network);

struct seed {
    struct hy_daemon *daemon;
    struct seed_network_list networks;
    size_t network_count;
    int64_t whitelist_interval_s;
    struct hy_timer sync; /* with the seeds of our networks */
};

/* `spawns`. Errors: NOMEM, EXISTS. */
enum hypha_err seed_add_methods(struct seed *seed);

#endif
