/* hypha_seed.h - the seed daemon's networks, shared by its files.
 *
 *   hypha_seed_config.c   what the file and the command line say of them
 *   hypha_seed.c          the nodes made of that, and their syncing
 *   hypha_seed_rpc.c      `spawns`
 */
#ifndef HYPHA_SEED_H
#define HYPHA_SEED_H

#include "daemon/daemon.h"

/* ---- a config, read at the start and again at each reload ---- */

struct seed_table { /* [network."NAME"] */
    char *name;
    struct hypha_settings *settings;
    bool has_app_name, has_seeds;
    STAILQ_ENTRY(seed_table) entry;
};
STAILQ_HEAD(seed_table_list, seed_table);

struct seed_config {
    const struct hy_daemon_program *program;
    struct seed_table_list tables;
    int64_t whitelist_interval_s;
};

/* For the program's table: daemon/daemon.h says when they are called. */
void *seed_config_create(const struct hy_daemon_program *program);
void seed_config_destroy(void *config);
enum hypha_err seed_config_finish(void *config, const struct hy_options *options, char *why);
struct hypha_settings *seed_config_node(void *config, const char *name);
#define SEED_KEYS    2
#define SEED_OPTIONS 1
extern const struct hy_config_key seed_keys[SEED_KEYS];
extern const struct hy_option seed_options[SEED_OPTIONS];

/* NULL: there is none of that name. */
struct seed_table *seed_config_table(const struct seed_config *config, const char *name);

/* ---- what runs ---- */

struct seed_network {
    char *name;
    struct hypha_p2p *p2p; /* the daemon's */
    bool has_seeds;
    STAILQ_ENTRY(seed_network) entry;
};
STAILQ_HEAD(seed_network_list, seed_network);

struct seed {
    struct hy_daemon *daemon;
    struct seed_network_list networks;
    size_t network_count;
    struct hy_timer sync; /* with the seeds of our networks */
};

/* `spawns`. Errors: NOMEM, EXISTS. */
enum hypha_err seed_add_methods(struct seed *seed);

#endif
