/* channel/connector.h - dial one address: its endpoints in order, each under its deadline.
 *
 *   state    event                      next
 *   IDLE     connect(): a route         DIALING
 *   DIALING  stream ready               IDLE     channel made (NEW), told
 *   DIALING  failed or late, more left  DIALING  next endpoint
 *   DIALING  failed, none left          IDLE     CONNECT_FAILED, told
 *   DIALING  stop                       STOPPED  CONNECTOR_STOPPED, told
 *
 * Embedded in its owner. spec: network.md#61-connector-one-per-slot */
#ifndef HY_CHANNEL_CONNECTOR_H
#define HY_CHANNEL_CONNECTOR_H

#include "channel/channel.h"

/* channel: a new one, not started, one reference, the callee's; NULL with an error.
 * why_text: for people, names endpoints and error kinds, never credentials; valid during the call.
 */
typedef void (*hy_connected_cb)(
    void *user, enum hypha_err err, const char *why_text, struct hypha_channel *channel);

#define HY_CONNECTOR_WHY_BYTES 256

enum hy_connector_state { HY_CONNECTOR_IDLE, HY_CONNECTOR_DIALING, HY_CONNECTOR_STOPPED };

struct hy_connector {
    struct hy_net *net;
    enum hypha_session session;
    enum hy_connector_state state;
    hy_connected_cb cb;
    void *user;
    struct hypha_url *url;
    struct hy_route route;
    size_t endpoint; /* the one being dialled */
    struct hy_stream *stream;
    uint32_t timeout_ms; /* as asked; 0: the endpoint scheme's */
    struct hy_timer deadline;
    struct hy_defer answer; /* for outcomes that are known inside connect() or stop() */
    enum hypha_err err;     /* what will be told */
    enum hypha_err cause;   /* why the last endpoint failed; for the owner, in its callback */
    char why[HY_CONNECTOR_WHY_BYTES];
};

void hy_connector_init(struct hy_connector *connector, struct hy_net *net,
    enum hypha_session session, hy_connected_cb cb, void *user);
/* The callback comes exactly once for each connect(), never from inside it: BANNED or
 * CONNECT_FAILED, UNSUPPORTED_TRANSPORT, CONNECTOR_STOPPED, NOMEM, FILES (this machine's want, not
 * the host's fault), or a channel. timeout_ms 0: the endpoint scheme's. Calling it while DIALING is
 * a bug. */
void hy_connector_connect(
    struct hy_connector *connector, struct hypha_url *url, uint32_t timeout_ms);
/* For ever; a dial under way ends with CONNECTOR_STOPPED by callback in this turn's end. */
void hy_connector_stop(struct hy_connector *connector);
/* No callback any more. */
void hy_connector_fini(struct hy_connector *connector);

#endif
