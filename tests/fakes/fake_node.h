/* fakes/fake_node.h - all that a channel needs of its node: loop, settings, hosts, net. */
#ifndef FAKES_FAKE_NODE_H
#define FAKES_FAKE_NODE_H

#include "channel/channel.h"
#include "sim/sim.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct fake_node {
    struct hypha_loop *loop;
    struct hy_resolved_settings settings;
    struct hy_net net;
    struct fake_node_log {
        char last[1024];
        enum hypha_log_level level;
        unsigned warnings;
    } log;
    unsigned gone; /* channels, and lingering ones */
};

static inline void fake_node_on_log(
    void *user, enum hypha_log_level level, const char *target, const char *text)
{
    struct fake_node_log *log = user;

    (void)target;
    (void)snprintf(log->last, sizeof log->last, "%s", text);
    log->level = level;
    log->warnings += level <= HYPHA_LOG_WARN;
}

static inline void fake_node_on_gone(void *user)
{
    ((struct fake_node *)user)->gone++;
}

static inline void must(enum hypha_err err)
{
    if (err != HYPHA_OK) {
        (void)fprintf(stderr, "%s\n", hypha_err_text(err));
        abort();
    }
}

/* A strict node of the default network, without addresses of its own. */
static inline void fake_node_init(struct fake_node *node, struct hypha_loop *loop,
    const struct hy_registration *registrations, size_t count)
{
    static char app_name[] = "dchatd", app_version[] = "0.4.1", node_id[] = "";
    static const uint8_t magic[4] = { 0xd9, 0xef, 0xb6, 0x7d };

    *node = (struct fake_node){ .loop = loop };
    node->settings = (struct hy_resolved_settings){
        .fallback = { 15000, 10000, 30000 },
        .app_name = app_name,
        .app_version = app_version,
        .node_id = node_id,
        .getaddrs_max = 8,
        .outbound_connections = 8,
        .inbound_connections = 8,
        .max_unlimited_bytes = 16 << 20,
        .max_send_queue_bytes = 1 << 20,
        .max_recv_queue_bytes = 2 << 20,
    };
    memcpy(node->settings.magic, magic, 4);
    must(hy_net_init(&node->net));
    hy_events_init(&node->net.events);
    node->net.loop = loop;
    node->net.settings = &node->settings;
    node->net.log = (struct hy_log){ fake_node_on_log, &node->log, HYPHA_LOG_TRACE };
    node->net.user = node;
    node->net.on_channel_gone = fake_node_on_gone;
    must(hy_hosts_create(loop, &node->settings, &node->net.hosts));
    must(hy_dispatch_create(registrations, count, &node->net.dispatch));
}

static inline void fake_node_fini(struct fake_node *node)
{
    hy_net_fini(&node->net);
    hy_events_fini(&node->net.events);
    hy_hosts_destroy(node->net.hosts);
}

static inline struct hypha_url *fake_url(const char *text)
{
    struct hypha_url *url = NULL;

    must(hypha_url_parse_text(text, &url));
    return url;
}

#endif
