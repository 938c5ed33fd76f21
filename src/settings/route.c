/* route.c - through which endpoints an address is reached: directly, or mixed with another
 * transport so that no packet of ours shows where it goes.
 *
 * The table is the whole of network.md 4.5 and transports.md 11. */
#include "base/alloc.h"
#include "settings/store.h"
#include "url/url.h"

#include <stdio.h>
#include <string.h>

enum detour_by { BY_SCHEME, BY_TOR_PROXY, BY_NYM_PROXY };

/* In the order of trying. */
static const struct detour {
    const char *scheme, *through;
    enum detour_by by;
} detours[] = {
    { "tcp", "tor", BY_SCHEME },
    { "tcp", "nym", BY_SCHEME },
    { "tcp", "socks5", BY_TOR_PROXY },
    { "tcp", "socks5", BY_NYM_PROXY },
    { "tcp+tls", "tor+tls", BY_SCHEME },
    { "tcp+tls", "nym+tls", BY_SCHEME },
    { "tcp+tls", "socks5+tls", BY_TOR_PROXY },
    { "tcp+tls", "socks5+tls", BY_NYM_PROXY },
    { "tor", "socks5", BY_TOR_PROXY },
    { "tor+tls", "socks5+tls", BY_TOR_PROXY },
};
#define DETOURS (sizeof detours / sizeof detours[0])

static const char *const shareable[HY_MAX_SHAREABLE] = { "tor", "tls", "tcp", "nym", "i2p",
    "tor+tls", "nym+tls", "tcp+tls", "i2p+tls" };

static const struct hypha_url *detour_proxy(
    const struct hy_resolved_settings *settings, enum detour_by by)
{
    switch (by) {
    case BY_SCHEME:
        return NULL;
    case BY_TOR_PROXY:
        return settings->tor_socks5_proxy;
    case BY_NYM_PROXY:
        return settings->nym_socks5_proxy;
    }
    return NULL;
}

static bool detour_is_open(
    const struct hy_resolved_settings *settings, const struct detour *detour, const char *scheme)
{
    return strcmp(detour->scheme, scheme) == 0 &&
        hy_settings_is_active(settings, detour->through) &&
        (detour->by == BY_SCHEME || detour_proxy(settings, detour->by) != NULL);
}

static bool has_detour(const struct hy_resolved_settings *settings, const char *scheme)
{
    if (!hy_settings_is_mixed(settings, scheme))
        return false;
    for (size_t i = 0; i < DETOURS; i++)
        if (detour_is_open(settings, &detours[i], scheme))
            return true;
    return false;
}

/* The proxy's URL with another scheme, and where to as its path; credentials stay, a query
 * goes. Errors: NOMEM, URL. */
static enum hypha_err through_proxy(const char *scheme, const struct hypha_url *proxy,
    const struct hypha_url *url, struct hypha_url **ret_url)
{
    const char *authority = strstr(hypha_url_text(proxy), "://");
    enum hypha_err err = HYPHA_ERR_URL;
    size_t authority_len, bytes;
    char *text;

    if (authority == NULL)
        return err;
    authority += 3;
    authority_len = strcspn(authority, "/?#");
    bytes = strlen(scheme) + authority_len + strlen(hypha_url_host(url)) +
        sizeof "://"
               "/:65535";
    text = hy_alloc(bytes);
    if (text == NULL)
        return HYPHA_ERR_NOMEM;
    (void)snprintf(text, bytes, "%s://%.*s/%s:%u", scheme, (int)authority_len, authority,
        hypha_url_host(url), (unsigned)hypha_url_port(url));
    err = hypha_url_parse_text(text, ret_url);
    hy_free(text);
    return err;
}

bool hy_settings_is_routable(
    const struct hy_resolved_settings *settings, const struct hypha_url *url, bool *ret_direct)
{
    const char *scheme = hypha_url_scheme(url);

    *ret_direct = !has_detour(settings, scheme);
    if (*ret_direct)
        return hy_settings_is_active(settings, scheme);
    return hypha_url_host(url)[0] != '\0' && hypha_url_has_port(url);
}

enum hypha_err hy_settings_route(const struct hy_resolved_settings *settings,
    const struct hypha_url *url, struct hy_route *ret_route)
{
    struct hy_route route = { 0 };
    enum hypha_err err = HYPHA_OK;
    bool direct;

    if (!hy_settings_is_routable(settings, url, &direct)) {
        *ret_route = (struct hy_route){ .mixed = !direct };
        return HYPHA_OK;
    }
    if (direct) {
        *ret_route = (struct hy_route){ .count = 1 };
        /* Counted, not changed: the reference is all that is written. */
        ret_route->endpoints[0] = hypha_url_ref((struct hypha_url *)(uintptr_t)url);
        return HYPHA_OK;
    }
    route.mixed = true;
    for (size_t i = 0; i < DETOURS && err == HYPHA_OK && route.count < HY_MAX_ENDPOINTS; i++) {
        const struct detour *detour = &detours[i];
        struct hypha_url **endpoint = &route.endpoints[route.count];

        if (!detour_is_open(settings, detour, hypha_url_scheme(url)))
            continue;
        if (detour->by == BY_SCHEME)
            err = hy_url_with_scheme(url, detour->through, endpoint);
        else
            err = through_proxy(detour->through, detour_proxy(settings, detour->by), url, endpoint);
        if (err == HYPHA_OK)
            route.count++;
        else if (err != HYPHA_ERR_NOMEM)
            err = HYPHA_OK; /* this way is none */
    }
    if (err == HYPHA_OK)
        *ret_route = route;
    else
        hy_route_fini(&route);
    return err;
}

void hy_route_fini(struct hy_route *route)
{
    for (size_t i = 0; i < route->count; i++)
        hypha_url_unref(route->endpoints[i]);
    *route = (struct hy_route){ 0 };
}

bool hy_scheme_is_shareable(const char *scheme)
{
    for (size_t i = 0; i < HY_MAX_SHAREABLE; i++)
        if (strcmp(shareable[i], scheme) == 0)
            return true;
    return false;
}

static size_t share(const char *scheme, const char *schemes[HY_MAX_SHAREABLE], size_t count)
{
    for (size_t i = 0; i < count; i++)
        if (strcmp(schemes[i], scheme) == 0)
            return count;
    for (size_t i = 0; i < HY_MAX_SHAREABLE; i++)
        if (strcmp(shareable[i], scheme) == 0)
            schemes[count++] = shareable[i];
    return count;
}

size_t hy_settings_shareable(
    const struct hy_resolved_settings *settings, const char *schemes[HY_MAX_SHAREABLE])
{
    size_t count = 0;

    for (size_t i = 0; i < settings->active.count; i++)
        count = share(settings->active.schemes[i], schemes, count);
    for (size_t i = 0; i < settings->mixed.count; i++)
        if (has_detour(settings, settings->mixed.schemes[i]))
            count = share(settings->mixed.schemes[i], schemes, count);
    return count;
}
