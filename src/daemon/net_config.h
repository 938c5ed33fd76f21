/* daemon/net_config.h - a node's settings from TOML tables and flags.
 *
 * spec: network.md 3, apps.md 1.2 and 7.1 */
#ifndef HY_DAEMON_NET_CONFIG_H
#define HY_DAEMON_NET_CONFIG_H

#include "daemon/config.h"
#include "daemon/options.h"
#include <hypha/settings.h>

/* What a table's keys apply to. */
struct hy_net_target {
    struct hypha_settings *settings;
    const char *profile; /* NULL: [net] itself */
};

/* [net], with its profiles. False: refused, see config->why. */
bool hy_net_config_read(
    struct hy_config *config, const struct hy_toml_node *net, struct hypha_settings *settings);
/* [network."NAME"] of a seed daemon. */
bool hy_net_config_read_network(struct hy_config *config, const struct hy_toml_node *network,
    const char *path, struct hypha_settings *settings);

/* The network flags, for an option table. */
extern const struct hy_option hy_net_options[];
extern const size_t hy_net_option_count;

/* Flags over what TOML said: a list replaces [net]'s, profiles' own lists stay.
 * Errors: NOMEM; INVALID, why: names the flag. */
enum hypha_err hy_net_config_flags(
    const struct hy_options *options, struct hypha_settings *settings, char why[256]);

#endif
