/* settings_text.c - the settings that are texts: names, paths, proxies; and the blacklist rows. */
#include "base/alloc.h"
#include "base/span.h"
#include "settings/store.h"
#include "wire/message.h"

#include <assert.h>
#include <pwd.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define MAX_APP_NAME_BYTES 101 /* verack has 102 left for it and its length: wire.md 3.1 */
#define MAX_NODE_ID_BYTES  255 /* version has 2043 in all */
#define MAX_PATH_BYTES     3800
#define MAX_HOST_BYTES     255

static const char *const text_names[HYPHA_KEYS_TEXT] = {
    [HYPHA_KEY_APP_NAME] = "app_name",
    [HYPHA_KEY_APP_VERSION] = "app_version",
    [HYPHA_KEY_NODE_ID] = "node_id",
    [HYPHA_KEY_HOSTLIST] = "hostlist",
    [HYPHA_KEY_P2P_DATASTORE] = "p2p_datastore",
    [HYPHA_KEY_TOR_SOCKS5_PROXY] = "tor_socks5_proxy",
    [HYPHA_KEY_NYM_SOCKS5_PROXY] = "nym_socks5_proxy",
    [HYPHA_KEY_I2P_SOCKS5_PROXY] = "i2p_socks5_proxy",
};

/* The user's home without a slash at its end: $HOME, else the user database. */
static enum hypha_err home_folder(
    struct hypha_settings *settings, const char *name, char **ret_home)
{
    const char *home = getenv("HOME");
    struct passwd user, *found = NULL;
    char memory[4096];
    size_t len;

    if (home == NULL || home[0] != '/') {
        if (getpwuid_r(getuid(), &user, memory, sizeof memory, &found) != 0 || found == NULL ||
            user.pw_dir == NULL || user.pw_dir[0] != '/')
            return hy_settings_refuse(settings,
                "%s: \"~/\" can't be expanded: no home folder is known; expected a full path",
                name);
        home = user.pw_dir;
    }
    len = strlen(home);
    while (len > 0 && home[len - 1] == '/')
        len--;
    *ret_home = hy_strndup(home, len);
    return *ret_home != NULL ? HYPHA_OK : HYPHA_ERR_NOMEM;
}

static enum hypha_err expand_path(
    struct hypha_settings *settings, const char *name, const char *value, char **ret_path)
{
    char show[HY_SETTINGS_SHOW_BYTES], *home = NULL, *path;
    enum hypha_err err;
    size_t bytes;

    (void)hy_span_escape(hy_span_of(value), show, sizeof show);
    if (value[0] == '~' && value[1] != '/' && value[1] != '\0')
        return hy_settings_refuse(settings,
            "%s: \"%s\" is another user's home, which is not expanded; expected ~/... or a full "
            "path",
            name, show);
    if (strlen(value) > MAX_PATH_BYTES)
        return hy_settings_refuse(settings, "%s: \"%s...\" is too long; expected at most %d bytes",
            name, show, MAX_PATH_BYTES);
    if (value[0] != '~') {
        *ret_path = hy_strdup(value);
        return *ret_path != NULL ? HYPHA_OK : HYPHA_ERR_NOMEM;
    }
    err = home_folder(settings, name, &home);
    if (err != HYPHA_OK)
        return err;
    assert(home != NULL);
    bytes = strlen(home) + strlen(value);
    path = hy_alloc(bytes + 1);
    if (path != NULL)
        (void)snprintf(path, bytes + 1, "%s%s", home, value + 1);
    hy_free(home);
    *ret_path = path;
    return path != NULL ? HYPHA_OK : HYPHA_ERR_NOMEM;
}

static enum hypha_err check_name(
    struct hypha_settings *settings, const char *name, const char *value, size_t max_bytes)
{
    char show[HY_SETTINGS_SHOW_BYTES];

    (void)hy_span_escape(hy_span_of(value), show, sizeof show);
    if (!hy_span_is_utf8(hy_span_of(value)))
        return hy_settings_refuse(
            settings, "%s: \"%s\" is not valid UTF-8; expected text", name, show);
    if (strlen(value) > max_bytes)
        return hy_settings_refuse(settings, "%s: \"%s...\" is too long; expected at most %zu bytes",
            name, show, max_bytes);
    return HYPHA_OK;
}

static enum hypha_err check_version(
    struct hypha_settings *settings, const char *name, const char *value)
{
    struct hy_semver version;
    char show[HY_SETTINGS_SHOW_BYTES];

    if (hy_semver_parse(hy_span_of(value), &version) == HYPHA_OK)
        return HYPHA_OK;
    return hy_settings_refuse(settings,
        "%s: \"%s\" is not a semantic version; expected one such as 0.4.1", name,
        hy_span_escape(hy_span_of(value), show, sizeof show));
}

/* Host and port, or the first dial would be the one to find out. spec: transports.md#53-i2p */
static enum hypha_err check_proxy(struct hypha_settings *settings, const char *name,
    const char *value, struct hypha_url **ret_url)
{
    static const char expected[] = "expected socks5://host:port";
    struct hypha_url *url = NULL;
    enum hypha_err err = hypha_url_parse_text(value, &url);

    /* The value is not shown: it may hold a password. */
    if (err == HYPHA_ERR_NOMEM)
        return err;
    if (err != HYPHA_OK)
        return hy_settings_refuse(
            settings, "%s: the value is %s; %s", name, hypha_err_text(err), expected);
    if (strcmp(hypha_url_scheme(url), "socks5") != 0 &&
        strcmp(hypha_url_scheme(url), "socks5+tls") != 0)
        err = hy_settings_refuse(settings, "%s: scheme %.40s is no SOCKS5 proxy; %s", name,
            hypha_url_scheme(url), expected);
    else if (hypha_url_host(url)[0] == '\0')
        err = hy_settings_refuse(settings, "%s: the URL has no host; %s", name, expected);
    else if (hypha_url_port(url) == 0)
        err = hy_settings_refuse(settings, "%s: the URL has no port; %s", name, expected);
    else if (strlen(hypha_url_text(url)) > HY_MAX_SETTING_BYTES)
        err = hy_settings_refuse(settings, "%s: the URL is too long; expected at most %d bytes",
            name, HY_MAX_SETTING_BYTES);
    if (err == HYPHA_OK)
        *ret_url = url;
    else
        hypha_url_unref(url);
    return err;
}

/* "" unsets, but an app name may be empty: a seed's networks have none by default (apps.md 7.1). */
static enum hypha_err take_text(struct hypha_settings *settings, enum hypha_text_key key,
    const char *value, char **ret_text, struct hypha_url **ret_proxy)
{
    const char *name = text_names[key];
    enum hypha_err err = HYPHA_OK;

    if (value[0] == '\0' && key != HYPHA_KEY_APP_NAME)
        return HYPHA_OK;
    switch (key) {
    case HYPHA_KEY_APP_NAME:
        err = check_name(settings, name, value, MAX_APP_NAME_BYTES);
        break;
    case HYPHA_KEY_NODE_ID:
        err = check_name(settings, name, value, MAX_NODE_ID_BYTES);
        break;
    case HYPHA_KEY_APP_VERSION:
        err = check_version(settings, name, value);
        break;
    case HYPHA_KEY_HOSTLIST:
    case HYPHA_KEY_P2P_DATASTORE:
        return expand_path(settings, name, value, ret_text);
    case HYPHA_KEY_TOR_SOCKS5_PROXY:
    case HYPHA_KEY_NYM_SOCKS5_PROXY:
    case HYPHA_KEY_I2P_SOCKS5_PROXY:
        return check_proxy(settings, name, value, ret_proxy);
    case HYPHA_KEYS_TEXT:
        return HYPHA_ERR_INVALID;
    }
    if (err != HYPHA_OK)
        return err;
    *ret_text = hy_strdup(value);
    return *ret_text != NULL ? HYPHA_OK : HYPHA_ERR_NOMEM;
}

enum hypha_err hypha_settings_set_text(
    struct hypha_settings *settings, enum hypha_text_key key, const char *value)
{
    struct hypha_url *proxy = NULL;
    char *text = NULL;
    enum hypha_err err;

    settings->why[0] = '\0';
    err = take_text(settings, key, value != NULL ? value : "", &text, &proxy);
    if (err != HYPHA_OK)
        return err;
    hy_free(settings->texts[key]);
    hypha_url_unref(settings->proxies[key]);
    settings->texts[key] = text;
    settings->proxies[key] = proxy;
    return HYPHA_OK;
}

/* A host as it stands in a URL: IPv6 gets its brackets. */
static enum hypha_err blacklist_host(
    struct hypha_settings *settings, const char *host, char into[MAX_HOST_BYTES + 3])
{
    char show[HY_SETTINGS_SHOW_BYTES];
    bool bare_v6;

    if (host == NULL || host[0] == '\0')
        return hy_settings_refuse(
            settings, "blacklist: the host is missing; expected a name or an IP address");
    (void)hy_span_escape(hy_span_of(host), show, sizeof show);
    if (strlen(host) > MAX_HOST_BYTES)
        return hy_settings_refuse(settings,
            "blacklist: host \"%s...\" is too long; expected at most %d bytes", show,
            MAX_HOST_BYTES);
    bare_v6 = host[0] != '[' && strchr(host, ':') != NULL;
    if (strpbrk(host, "/\\?#@ \t\r\n") != NULL ||
        (bare_v6 && strspn(host, "0123456789abcdefABCDEF:.") != strlen(host)))
        return hy_settings_refuse(settings,
            "blacklist: \"%s\" is no host; expected a name or an IP address, without scheme and "
            "port",
            show);
    (void)snprintf(into, MAX_HOST_BYTES + 3, bare_v6 ? "[%s]" : "%s", host);
    return HYPHA_OK;
}

static enum hypha_err blacklist_one(struct hypha_settings *settings, struct hy_url_array *rows,
    const char *scheme, const char *host, uint16_t port)
{
    char text[HY_MAX_SCHEME_BYTES + MAX_HOST_BYTES + 16], show[HY_SETTINGS_SHOW_BYTES];
    struct hypha_url *url = NULL;
    enum hypha_err err;

    if (strlen(scheme) >= HY_MAX_SCHEME_BYTES)
        return hy_settings_refuse(settings,
            "blacklist: \"%s\" is no URL scheme; expected tcp, "
            "tcp+tls, ...",
            hy_span_escape(hy_span_of(scheme), show, sizeof show));
    if (port != 0)
        (void)snprintf(text, sizeof text, "%s://%s:%u", scheme, host, (unsigned)port);
    else
        (void)snprintf(text, sizeof text, "%s://%s", scheme, host);
    err = hypha_url_parse_text(text, &url);
    if (err == HYPHA_ERR_NOMEM)
        return err;
    if (err != HYPHA_OK || hypha_url_host(url)[0] == '\0' || hypha_url_port(url) != port) {
        hypha_url_unref(url);
        return hy_settings_refuse(settings,
            "blacklist: \"%s\" is not a valid URL; expected [host, [schemes], [ports]]",
            hy_span_escape(hy_span_of(text), show, sizeof show));
    }
    return hy_url_array_push(rows, url);
}

enum hypha_err hypha_settings_add_blacklist(struct hypha_settings *settings, const char *host,
    const char *const *schemes, size_t scheme_count, const uint16_t *ports, size_t port_count)
{
    static const char *const default_schemes[] = { "tcp+tls" };
    static const uint16_t default_ports[] = { 0 };
    struct hy_url_array rows = { 0 };
    char name[MAX_HOST_BYTES + 3];
    enum hypha_err err;

    settings->why[0] = '\0';
    err = blacklist_host(settings, host, name);
    if (scheme_count == 0) {
        schemes = default_schemes;
        scheme_count = 1;
    }
    if (port_count == 0) {
        ports = default_ports;
        port_count = 1;
    }
    for (size_t s = 0; err == HYPHA_OK && s < scheme_count; s++)
        for (size_t p = 0; err == HYPHA_OK && p < port_count; p++)
            err = blacklist_one(
                settings, &rows, schemes[s] != NULL ? schemes[s] : "", name, ports[p]);
    /* All of the row or nothing of it. */
    for (size_t i = 0; err == HYPHA_OK && i < rows.count; i++)
        if (hy_url_array_push(&settings->blacklist, hypha_url_ref(rows.urls[i])) != HYPHA_OK)
            err = HYPHA_ERR_NOMEM;
    hy_url_array_clear(&rows);
    return err;
}
