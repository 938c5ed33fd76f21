/* key.c - which URLs mean the same host, and what can be told from an address alone. */
#include "hosts/host.h"

#include "base/span.h"

#include <stdio.h>
#include <string.h>

/* These run for every address of every message: no printf. */
static size_t put_number(char *into, unsigned number)
{
    char digits[10];
    size_t count = 0;

    do
        digits[count++] = (char)('0' + number % 10);
    while ((number /= 10) > 0);
    for (size_t i = 0; i < count; i++)
        into[i] = digits[count - 1 - i];
    return count;
}

static void put_ip(const struct hy_ip *ip, char into[HY_HOST_NAME_BYTES])
{
    char text[HY_IP_TEXT_BYTES];
    size_t len = 0;

    if (ip->len != 4) {
        (void)snprintf(into, HY_HOST_NAME_BYTES, "[%s]", hy_ip_format(ip, text));
        return;
    }
    for (size_t i = 0; i < 4; i++) {
        len += put_number(into + len, ip->bytes[i]);
        into[len++] = i < 3 ? '.' : '\0';
    }
}

const char *hy_host_name(const struct hypha_url *url, char into[HY_HOST_NAME_BYTES])
{
    const char *host = hypha_url_host(url);
    size_t len = strlen(host);
    struct hy_ip ip;

    into[0] = '\0';
    if (hy_url_ip(url, &ip)) {
        put_ip(&ip, into);
        return into;
    }
    if (len >= HY_HOST_NAME_BYTES)
        return into;
    for (size_t i = 0; i <= len; i++)
        into[i] = (char)(host[i] >= 'A' && host[i] <= 'Z' ? host[i] - 'A' + 'a' : host[i]);
    return into;
}

/* One subscriber has all of an IPv6 /64, and may come from another address each time. */
static bool take_block(const struct hypha_url *url, struct hy_ip *ret_ip)
{
    if (!hy_url_ip(url, ret_ip) || ret_ip->len != 16)
        return false;
    memset(ret_ip->bytes + 8, 0, 8);
    return true;
}

const char *hy_host_block(const struct hypha_url *url, char into[HY_HOST_NAME_BYTES])
{
    struct hy_ip ip;

    if (!take_block(url, &ip))
        return hy_host_name(url, into);
    put_ip(&ip, into);
    return into;
}

/* Elsewhere a path says nothing about whom a dial reaches. */
static const char *telling_path(const struct hypha_url *url)
{
    const char *scheme = hypha_url_scheme(url);

    if (strcmp(scheme, "unix") == 0 || strcmp(scheme, "socks5") == 0 ||
        strcmp(scheme, "socks5+tls") == 0)
        return hypha_url_path(url);
    return "";
}

static bool append(struct hy_host_key *key, const char *text)
{
    size_t len = strlen(text);

    if (len >= sizeof key->text - key->len)
        return false;
    memcpy(key->text + key->len, text, len + 1);
    key->len += len;
    return true;
}

static bool make_key(const struct hypha_url *url, bool with_port, struct hy_host_key *ret_key)
{
    char name[HY_HOST_NAME_BYTES], port[8] = "";

    (void)hy_host_name(url, name);
    if (name[0] == '\0' && hypha_url_host(url)[0] != '\0')
        return false;
    if (with_port && hypha_url_has_port(url)) {
        port[0] = ':';
        port[1 + put_number(port + 1, hypha_url_port(url))] = '\0';
    }
    ret_key->len = 0;
    return append(ret_key, hypha_url_scheme(url)) && append(ret_key, "://") &&
        append(ret_key, name) && append(ret_key, port) && append(ret_key, telling_path(url));
}

bool hy_host_key_of(const struct hypha_url *url, struct hy_host_key *ret_key)
{
    return make_key(url, true, ret_key);
}

bool hy_host_key_any_port(const struct hypha_url *url, struct hy_host_key *ret_key)
{
    return make_key(url, false, ret_key);
}

bool hy_host_key_block(const struct hypha_url *url, struct hy_host_key *ret_key)
{
    char name[HY_HOST_NAME_BYTES];
    struct hy_ip ip;

    if (!take_block(url, &ip))
        return false;
    put_ip(&ip, name);
    ret_key->len = 0;
    return append(ret_key, hypha_url_scheme(url)) && append(ret_key, "://") &&
        append(ret_key, name);
}

enum hypha_err hy_host_url(const struct hypha_url *url, struct hypha_url **ret_url)
{
    const char *text = hypha_url_text(url);
    struct hy_host_key key;

    if (hypha_url_host(url)[0] == '\0' || telling_path(url)[0] != '\0')
        return hy_url_canonical(url, ret_url);
    if (!hy_host_key_of(url, &key))
        return HYPHA_ERR_URL;
    /* Nothing to leave out, as with nearly all: keep the URL that is there. */
    if (strncmp(text, key.text, key.len) == 0 &&
        (text[key.len] == '\0' || (hy_url_is_special(url) && strcmp(text + key.len, "/") == 0)))
        return hy_url_canonical(url, ret_url);
    return hypha_url_parse_text(key.text, ret_url);
}

static bool ends_with(const char *text, const char *end)
{
    size_t len = strlen(text), end_len = strlen(end);

    return len >= end_len && strcmp(text + len - end_len, end) == 0;
}

/* The upper 4 of the 5 bits of a base32 character. */
static unsigned first_key_bits(char c)
{
    unsigned value = c >= 'a' && c <= 'z' ? (unsigned)(c - 'a')
        : c >= '2' && c <= '7'            ? (unsigned)(c - '2') + 26U
                                          : 0U;

    return value >> 1;
}

const char *hy_host_group(
    const struct hypha_url *url, bool localnet, char into[HY_HOST_GROUP_BYTES])
{
    char name[HY_HOST_NAME_BYTES];
    struct hy_ip ip;

    (void)hy_host_name(url, name);
    if (localnet)
        (void)snprintf(into, HY_HOST_GROUP_BYTES, "%u/%.100s", (unsigned)hypha_url_port(url), name);
    else if (hy_url_ip(url, &ip) && ip.len == 4)
        (void)snprintf(into, HY_HOST_GROUP_BYTES, "ipv4/%u.%u", ip.bytes[0], ip.bytes[1]);
    else if (hy_url_ip(url, &ip))
        (void)snprintf(into, HY_HOST_GROUP_BYTES, "ipv6/%02x%02x:%02x%02x", ip.bytes[0],
            ip.bytes[1], ip.bytes[2], ip.bytes[3]);
    else if (ends_with(name, ".onion"))
        (void)snprintf(into, HY_HOST_GROUP_BYTES, "onion/%x", first_key_bits(name[0]));
    else if (ends_with(name, ".i2p"))
        (void)snprintf(into, HY_HOST_GROUP_BYTES, "i2p/%x", first_key_bits(name[0]));
    else
        (void)snprintf(into, HY_HOST_GROUP_BYTES, "name/%.110s", name);
    return into;
}

bool hy_host_is_local(const struct hypha_url *url)
{
    char name[HY_HOST_NAME_BYTES];
    size_t len;
    struct hy_ip ip;

    if (hy_url_ip(url, &ip))
        return hy_ip_is_local(&ip);
    len = strlen(hy_host_name(url, name));
    if (len > 0 && name[len - 1] == '.') /* the root's dot makes no other name */
        name[len - 1] = '\0';
    return strcmp(name, "localhost") == 0 || strcmp(name, "localhost.localdomain") == 0 ||
        ends_with(name, ".localhost");
}
