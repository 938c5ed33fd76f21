/* p2p_create.c - make a node of settings, and free it.
 *
 * Nothing is opened here but the folder p2p_datastore. spec: network.md#21-newsettings-executor */
#include "base/alloc.h"
#include "p2p/p2p.h"

#include <errno.h>
#include <sys/stat.h>

#define TARGET "net::p2p"

static enum hypha_err make_folder(const char *path)
{
    struct stat found;

    if (mkdir(path, 0700) == 0)
        return HYPHA_OK;
    if (errno == EEXIST)
        return stat(path, &found) == 0 && S_ISDIR(found.st_mode) ? HYPHA_OK : HYPHA_ERR_SYSTEM;
    return errno == EACCES || errno == EPERM || errno == EROFS ? HYPHA_ERR_ACCESS
                                                               : HYPHA_ERR_SYSTEM;
}

/* With its parents. Those that exist stay as they are. */
static enum hypha_err make_folders(const char *path)
{
    char *prefix = hy_strdup(path);
    enum hypha_err err = HYPHA_OK;

    if (prefix == NULL)
        return HYPHA_ERR_NOMEM;
    for (char *at = prefix + 1; err == HYPHA_OK && prefix[0] != '\0' && *at != '\0'; at++) {
        if (*at != '/')
            continue;
        *at = '\0';
        err = make_folder(prefix);
        *at = '/';
    }
    if (err == HYPHA_OK)
        err = make_folder(prefix);
    hy_free(prefix);
    return err;
}

static void on_interrupt(void *user)
{
    hypha_p2p_stop(user);
}

static enum hypha_err rebuild_dispatch(struct hypha_p2p *p2p)
{
    struct hy_dispatch *dispatch = NULL;
    enum hypha_err err = hy_dispatch_create(p2p->registrations, p2p->registration_count, &dispatch);

    if (err != HYPHA_OK)
        return err;
    hy_dispatch_unref(p2p->net.dispatch);
    p2p->net.dispatch = dispatch;
    return HYPHA_OK;
}

static enum hypha_err fill(
    struct hypha_p2p *p2p, struct hypha_loop *loop, struct hypha_settings *settings)
{
    enum hypha_err err = hy_net_init(&p2p->net);

    hy_events_init(&p2p->net.events);
    if (err == HYPHA_OK)
        err = hy_settings_resolve(settings, &p2p->settings);
    if (err == HYPHA_OK && loop == NULL) {
        err = hypha_loop_create(&loop);
        p2p->owns_loop = err == HYPHA_OK;
    }
    if (err != HYPHA_OK)
        return err;
    p2p->loop = loop;
    p2p->net.loop = loop;
    p2p->net.settings = p2p->settings;
    p2p->net.log = p2p->settings->log;
    p2p->net.stopping = true; /* until started */
    hy_wake_init(&p2p->interrupt, loop, on_interrupt, p2p);
    err = hy_hosts_create(loop, p2p->settings, &p2p->net.hosts);
    if (err == HYPHA_OK && p2p->settings->p2p_datastore != NULL)
        err = make_folders(p2p->settings->p2p_datastore);
    if (err != HYPHA_OK)
        return err;
    p2p->core.net = &p2p->net;
    LIST_INIT(&p2p->core.held);
    p2p->registration_count = hy_core_registrations(&p2p->core, p2p->registrations);
    return rebuild_dispatch(p2p);
}

/* Without transports. */
static enum hypha_err create_bare(
    struct hypha_loop *loop, struct hypha_settings *settings, struct hypha_p2p **ret_p2p)
{
    struct hypha_p2p *p2p = hy_alloc(sizeof(*p2p));

    if (p2p == NULL)
        return HYPHA_ERR_NOMEM;
    enum hypha_err err = fill(p2p, loop, settings);
    if (err != HYPHA_OK) {
        hypha_p2p_destroy(p2p);
        return err;
    }
    *ret_p2p = p2p;
    return HYPHA_OK;
}

enum hypha_err hy_p2p_create_with(struct hypha_loop *loop, struct hypha_settings *settings,
    struct hy_transport *const *transports, size_t count, struct hypha_p2p **ret_p2p)
{
    struct hypha_p2p *p2p = NULL;

    if (count > HY_MAX_TRANSPORTS)
        return HYPHA_ERR_LIMIT;
    enum hypha_err err = create_bare(loop, settings, &p2p);
    if (err != HYPHA_OK)
        return err;
    for (size_t i = 0; i < count; i++)
        p2p->net.transports[p2p->net.transport_count++] = transports[i];
    *ret_p2p = p2p;
    return HYPHA_OK;
}

enum hypha_err hypha_p2p_create(
    struct hypha_loop *loop, struct hypha_settings *settings, struct hypha_p2p **ret_p2p)
{
    struct hypha_p2p *p2p = NULL;
    enum hypha_err err = create_bare(loop, settings, &p2p);

    if (err != HYPHA_OK)
        return err;
    struct hy_net *net = &p2p->net;
    err = hy_transport_tcp_create(
        net->loop, hy_hosts_may_dial_ip, net->hosts, &net->transports[net->transport_count]);
    if (err == HYPHA_OK) {
        net->transport_count++;
        err = hy_transport_tls_create(
            net->loop, hy_hosts_may_dial_ip, net->hosts, &net->transports[net->transport_count]);
    }
    if (err == HYPHA_OK)
        net->transport_count++;
    if (err != HYPHA_OK) {
        hypha_p2p_destroy(p2p);
        return err;
    }
    *ret_p2p = p2p;
    return HYPHA_OK;
}

enum hypha_err hypha_p2p_register(
    struct hypha_p2p *p2p, const struct hypha_protocol *protocol, void *app)
{
    if (p2p->started_once)
        return HYPHA_ERR_STATE;
    if (p2p->registration_count == HY_MAX_PROTOCOLS)
        return HYPHA_ERR_LIMIT;
    enum hypha_err err = hy_dispatch_check(protocol);
    if (err != HYPHA_OK)
        return err;
    p2p->registrations[p2p->registration_count++] =
        (struct hy_registration){ .protocol = protocol, .app = app };
    err = rebuild_dispatch(p2p);
    if (err != HYPHA_OK)
        p2p->registration_count--;
    return err;
}

void hypha_p2p_destroy(struct hypha_p2p *p2p)
{
    if (p2p == NULL)
        return;
    if (p2p->state != HY_P2P_STOPPED) {
        hy_log_error(&p2p->net.log, TARGET, "bug: a running node is destroyed; it is leaked");
        return;
    }
    if (p2p->loop != NULL)
        hy_wake_fini(&p2p->interrupt);
    hy_events_fini(&p2p->net.events);
    hy_net_fini(&p2p->net);
    for (size_t i = 0; i < p2p->net.transport_count; i++)
        hy_transport_destroy(p2p->net.transports[i]);
    hy_hosts_destroy(p2p->net.hosts);
    hy_resolved_settings_destroy(p2p->settings);
    if (p2p->owns_loop)
        hypha_loop_destroy(p2p->loop);
    hy_free(p2p);
}
