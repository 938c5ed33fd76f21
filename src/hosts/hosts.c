/* hosts.c - the records, the lists they are in, and who is told of changes.
 *
 * spec: network.md#4-hosts */
#include "hosts/host.h"

#include "base/alloc.h"

#include <string.h>

static void tell(void *user);

/* ---- configured: what the settings say of a host ---- */

static void configured_clear(struct hy_configured **map)
{
    struct hy_configured *entry, *next;

    HASH_ITER (hh, *map, entry, next) {
        HASH_DEL(*map, entry);
        hy_free(entry);
    }
}

static enum hypha_err configured_add(
    struct hy_configured **map, const struct hypha_url *url, unsigned role)
{
    struct hy_configured *entry = NULL;
    struct hy_host_key key;

    if (!hy_host_key_of(url, &key))
        return HYPHA_OK; /* so long that nobody can come from there */
    HASH_FIND(hh, *map, key.text, key.len, entry);
    if (entry == NULL) {
        entry = hy_alloc(sizeof *entry + key.len + 1);
        if (entry == NULL)
            return HYPHA_ERR_NOMEM;
        memcpy(entry->key, key.text, key.len + 1);
        HASH_ADD_KEYPTR(hh, *map, entry->key, key.len, entry);
        if (entry->hh.tbl == NULL) {
            hy_free(entry);
            return HYPHA_ERR_NOMEM;
        }
    }
    entry->roles |= role;
    return HYPHA_OK;
}

static enum hypha_err configured_add_all(
    struct hy_configured **map, const struct hy_url_array *urls, unsigned role)
{
    enum hypha_err err = HYPHA_OK;

    for (size_t i = 0; i < urls->count && err == HYPHA_OK; i++)
        err = configured_add(map, urls->urls[i], role);
    return err;
}

unsigned hy_hosts_roles(const struct hy_hosts *hosts, const char *key)
{
    struct hy_configured *entry = NULL;

    HASH_FIND(hh, hosts->configured, key, strlen(key), entry);
    return entry != NULL ? entry->roles : 0;
}

/* Seeds and peers are in no list; nor are those that a new blacklist names. */
static void unlist_configured(struct hy_hosts *hosts)
{
    struct hy_host *host, *next;

    HASH_ITER (hh, hosts->records, host, next) {
        if (host->colour == HY_COLOUR_NONE || host->colour == HYPHA_COLOUR_BLACK)
            continue;
        if (hy_hosts_roles(hosts, host->key) != 0 || hy_hosts_is_banned(hosts, host->url))
            hy_hosts_unlist(hosts, host);
    }
}

enum hypha_err hy_hosts_set_settings(
    struct hy_hosts *hosts, const struct hy_resolved_settings *settings)
{
    struct hy_configured *map = NULL;
    enum hypha_err err = configured_add_all(&map, &settings->seeds, HY_ROLE_SEED);

    if (err == HYPHA_OK)
        err = configured_add_all(&map, &settings->peers, HY_ROLE_PEER);
    if (err == HYPHA_OK)
        err = configured_add_all(&map, &settings->blacklist, HY_ROLE_BLACK);
    if (err != HYPHA_OK) {
        configured_clear(&map);
        return err;
    }
    configured_clear(&hosts->configured);
    hosts->configured = map;
    hosts->settings = settings;
    hy_hosts_judge_again(hosts);
    unlist_configured(hosts);
    return HYPHA_OK;
}

void hy_hosts_judge_again(struct hy_hosts *hosts)
{
    hosts->judgements++;
    hosts->none_untried_until_ms = 0;
}

/* ---- life ---- */

enum hypha_err hy_hosts_create(struct hypha_loop *loop, const struct hy_resolved_settings *settings,
    struct hy_hosts **ret_hosts)
{
    struct hy_hosts *hosts = hy_alloc(sizeof *hosts);
    enum hypha_err err;

    if (hosts == NULL)
        return HYPHA_ERR_NOMEM;
    hosts->loop = loop;
    TAILQ_INIT(&hosts->watches);
    LIST_INIT(&hosts->picked);
    TAILQ_INIT(&hosts->suspended);
    TAILQ_INIT(&hosts->idle);
    STAILQ_INIT(&hosts->moves);
    hy_random(loop, hosts->book.secret, sizeof hosts->book.secret);
    hy_defer_init(&hosts->tell, loop, tell, hosts);
    hy_bans_init(hosts);
    err = hy_hosts_set_settings(hosts, settings);
    if (err != HYPHA_OK) {
        hy_hosts_destroy(hosts);
        return err;
    }
    *ret_hosts = hosts;
    return HYPHA_OK;
}

static void source_group_unref(struct hy_hosts *hosts, struct hy_source_group *group)
{
    if (group == NULL || --group->hosts > 0)
        return;
    HASH_DEL(hosts->source_groups, group);
    hy_free(group);
}

static void host_free(struct hy_hosts *hosts, struct hy_host *host)
{
    HASH_DEL(hosts->records, host);
    source_group_unref(hosts, host->source_group);
    hypha_url_unref(host->url);
    hypha_url_unref(host->source);
    hy_free(host);
}

void hy_hosts_destroy(struct hy_hosts *hosts)
{
    struct hy_host *host, *next;

    if (hosts == NULL)
        return;
    hy_defer_stop(&hosts->tell);
    hy_bans_fini(hosts);
    hy_hosts_set_observer(hosts, NULL, NULL);
    HASH_ITER (hh, hosts->records, host, next)
        host_free(hosts, host);
    hy_book_fini(&hosts->book);
    configured_clear(&hosts->configured);
    hy_hosts_clear_listen_addrs(hosts);
    hy_free(hosts);
}

/* ---- telling ---- */

void hy_hosts_watch(struct hy_hosts *hosts, struct hy_hosts_watch *watch)
{
    TAILQ_INSERT_TAIL(&hosts->watches, watch, entry);
}

void hy_hosts_unwatch(struct hy_hosts *hosts, struct hy_hosts_watch *watch)
{
    struct hy_hosts_watch *at;

    TAILQ_FOREACH (at, &hosts->watches, entry) {
        if (at != watch)
            continue;
        if (hosts->watch_next == watch)
            hosts->watch_next = TAILQ_NEXT(watch, entry);
        TAILQ_REMOVE(&hosts->watches, watch, entry);
        return;
    }
}

void hy_hosts_changed(struct hy_hosts *hosts, enum hy_hosts_change change, size_t count)
{
    hosts->changes[change] += count;
    if (count > 0)
        hy_defer_start(&hosts->tell);
}

static void tell_one(struct hy_hosts *hosts, enum hy_hosts_change change, size_t count)
{
    struct hy_hosts_watch *watch = TAILQ_FIRST(&hosts->watches);

    for (; watch != NULL; watch = hosts->watch_next) {
        hosts->watch_next = TAILQ_NEXT(watch, entry);
        watch->cb(watch->user, change, count);
    }
}

static void tell(void *user)
{
    struct hy_hosts *hosts = user;
    size_t changes[HY_HOSTS_FREED + 1];

    memcpy(changes, hosts->changes, sizeof changes);
    memset(hosts->changes, 0, sizeof hosts->changes);
    hy_hosts_tell_moves(hosts);
    for (size_t i = 0; i <= HY_HOSTS_FREED; i++)
        if (changes[i] > 0)
            tell_one(hosts, (enum hy_hosts_change)i, changes[i]);
}

/* ---- records ---- */

struct hy_host *hy_hosts_record(const struct hy_hosts *hosts, const struct hypha_url *url)
{
    struct hy_host *host = NULL;
    struct hy_host_key key;

    if (hy_host_key_of(url, &key))
        HASH_FIND(hh, hosts->records, key.text, key.len, host);
    return host;
}

enum hypha_err hy_hosts_take(
    struct hy_hosts *hosts, const struct hypha_url *url, struct hy_host **ret_host)
{
    struct hy_host *host = NULL;
    struct hy_host_key key;

    if (!hy_host_key_of(url, &key))
        return HYPHA_ERR_LIMIT;
    HASH_FIND(hh, hosts->records, key.text, key.len, host);
    if (host == NULL) {
        host = hy_alloc(sizeof *host + key.len + 1);
        if (host == NULL)
            return HYPHA_ERR_NOMEM;
        host->colour = HY_COLOUR_NONE;
        memcpy(host->key, key.text, key.len + 1);
        HASH_ADD_KEYPTR(hh, hosts->records, host->key, key.len, host);
        if (host->hh.tbl == NULL) {
            hy_free(host);
            return HYPHA_ERR_NOMEM;
        }
    }
    *ret_host = host;
    return HYPHA_OK;
}

void hy_hosts_forget(struct hy_hosts *hosts, struct hy_host *host)
{
    if (host->registered || host->colour != HY_COLOUR_NONE)
        return;
    for (size_t i = hosts->anchor_count; i-- > 0;)
        if (hosts->anchors[i] == host)
            hosts->anchors[i] = hosts->anchors[--hosts->anchor_count];
    host_free(hosts, host);
}

enum hypha_err hy_host_set_source_group(
    struct hy_hosts *hosts, struct hy_host *host, const char *name)
{
    struct hy_source_group *group = NULL;
    size_t len = strlen(name);

    HASH_FIND(hh, hosts->source_groups, name, len, group);
    if (group == NULL) {
        group = hy_alloc(sizeof *group + len + 1);
        if (group == NULL)
            return HYPHA_ERR_NOMEM;
        memcpy(group->name, name, len + 1);
        group->hash = hy_book_hash(&hosts->book, name);
        HASH_ADD_KEYPTR(hh, hosts->source_groups, group->name, len, group);
        if (group->hh.tbl == NULL) {
            hy_free(group);
            return HYPHA_ERR_NOMEM;
        }
    }
    group->hosts++;
    source_group_unref(hosts, host->source_group);
    host->source_group = group;
    return HYPHA_OK;
}

static void hash_host(const struct hy_hosts *hosts, struct hy_host *host)
{
    char group[HY_HOST_GROUP_BYTES];

    (void)hy_host_group(host->url, hosts->settings->localnet, group);
    host->group = hy_book_hash(&hosts->book, group);
    host->address = hy_book_hash(&hosts->book, host->key);
}

void hy_hosts_set_secret(struct hy_hosts *hosts, const uint8_t secret[HY_HASH_KEY_BYTES])
{
    struct hy_source_group *group, *next_group;
    struct hy_host *host, *next;

    memcpy(hosts->book.secret, secret, HY_HASH_KEY_BYTES);
    HASH_ITER (hh, hosts->records, host, next)
        if (host->url != NULL)
            hash_host(hosts, host);
    HASH_ITER (hh, hosts->source_groups, group, next_group)
        group->hash = hy_book_hash(&hosts->book, group->name);
}

bool hy_colour_is_dialled(enum hypha_colour colour)
{
    return colour == HYPHA_COLOUR_GREY || colour == HYPHA_COLOUR_WHITE ||
        colour == HYPHA_COLOUR_GOLD;
}

/* ---- lists ---- */

/* In no list any more. Only the refinery frees a suspended host, and it looks into grey. */
static void was_unlisted(struct hy_hosts *hosts, struct hy_host *host)
{
    if (host->state == HY_HOST_SUSPEND)
        hy_hosts_enter(hosts, host, HY_HOST_FREE);
}

static enum hypha_err prepare(
    struct hy_hosts *hosts, struct hy_host *host, const struct hypha_url *url)
{
    enum hypha_err err;

    if (host->url != NULL)
        return HYPHA_OK;
    err = hy_host_url(url, &host->url);
    if (err != HYPHA_OK)
        return err;
    host->is_shareable = hy_scheme_is_shareable(hypha_url_scheme(url));
    host->is_local = hy_host_is_local(url);
    hash_host(hosts, host);
    return HYPHA_OK;
}

/* The lists have changed: who stands in a contest, who looks on, who may be forgotten. */
static void was_moved(struct hy_hosts *hosts, struct hy_host *host, enum hypha_colour from)
{
    if (host->colour == HY_COLOUR_NONE)
        was_unlisted(hosts, host);
    else if (from == HY_COLOUR_NONE)
        host->listed_s = hy_wall_s(hosts->loop);
    if (host->colour != from)
        hy_hosts_note_move(hosts, host);
    hy_contest_settle(hosts, host);
    hosts->none_untried_until_ms = 0;
}

enum hypha_err hy_hosts_list(struct hy_hosts *hosts, struct hy_host *host,
    const struct hypha_url *url, enum hypha_colour colour, uint64_t last_seen)
{
    enum hypha_colour from = host->colour;
    struct hy_host *lost;
    enum hypha_err err = prepare(hosts, host, url);

    if (err == HYPHA_OK)
        err = hy_book_reserve(&hosts->book, colour);
    if (err == HYPHA_OK && colour == HYPHA_COLOUR_WHITE &&
        !hy_book_has_white_cell(&hosts->book, host)) {
        if (from == HYPHA_COLOUR_GREY)
            return HYPHA_OK;
        colour = HYPHA_COLOUR_GREY;
        err = hy_book_reserve(&hosts->book, colour);
    }
    if (err != HYPHA_OK)
        return err;
    if (from != HY_COLOUR_NONE)
        hy_book_remove(&hosts->book, host);
    lost = hy_book_insert(&hosts->book, host, colour, last_seen, hy_wall_s(hosts->loop));
    if (lost != NULL && lost != host) {
        was_moved(hosts, lost, colour);
        hy_hosts_forget(hosts, lost);
    }
    was_moved(hosts, host, from);
    return HYPHA_OK;
}

void hy_hosts_unlist(struct hy_hosts *hosts, struct hy_host *host)
{
    enum hypha_colour from = host->colour;

    if (from != HY_COLOUR_NONE)
        hy_book_remove(&hosts->book, host);
    was_moved(hosts, host, from);
    hy_hosts_forget(hosts, host);
}

bool hy_hosts_find(const struct hy_hosts *hosts, const struct hypha_url *url,
    enum hypha_colour *ret_colour, uint64_t *ret_last_seen)
{
    const struct hy_host *host = hy_hosts_record(hosts, url);

    if (host == NULL || host->colour == HY_COLOUR_NONE)
        return false;
    if (host->colour == HYPHA_COLOUR_BLACK && !hy_host_is_black(hosts, host))
        return false;
    if (ret_colour != NULL)
        *ret_colour = host->colour;
    if (ret_last_seen != NULL)
        *ret_last_seen = host->last_seen;
    return true;
}

const struct hypha_url *hy_hosts_source(const struct hy_hosts *hosts, const struct hypha_url *url)
{
    const struct hy_host *host = hy_hosts_record(hosts, url);

    return host != NULL ? host->source : NULL;
}

size_t hy_hosts_count(const struct hy_hosts *hosts, enum hypha_colour colour)
{
    size_t count = hy_book_count(&hosts->book, colour), live = 0;

    if (colour != HYPHA_COLOUR_BLACK)
        return count;
    for (size_t i = 0; i < count; i++)
        live += hy_host_is_black(hosts, hy_book_at(&hosts->book, colour, i)) ? 1 : 0;
    return live;
}

void hy_hosts_each(const struct hy_hosts *hosts, enum hypha_colour colour,
    void (*each)(const struct hypha_url *url, uint64_t last_seen, void *user), void *user)
{
    for (size_t i = 0; i < hy_book_count(&hosts->book, colour); i++) {
        const struct hy_host *host = hy_book_at(&hosts->book, colour, i);

        if (colour != HYPHA_COLOUR_BLACK || hy_host_is_black(hosts, host))
            each(host->url, host->last_seen, user);
    }
}

/* Who was good once is not given up at the first failure: an outage of ours, or an attack, would
 * empty the list. spec: network.md 10 */
static bool is_worth_keeping(const struct hy_hosts *hosts, const struct hy_host *host)
{
    return host->failures + 1 < HY_WHITE_FAILURES ||
        hy_wall_s(hosts->loop) < host->last_seen + HY_WHITE_LOST_S;
}

/* The list part of a move. spec: network.md#42-lists, #43-last_seen */
static enum hypha_err move_lists(struct hy_hosts *hosts, struct hy_host *host,
    const struct hypha_url *url, enum hypha_colour colour, bool failed)
{
    switch (colour) {
    case HYPHA_COLOUR_GREY:
        if (failed && host->colour == HYPHA_COLOUR_WHITE && is_worth_keeping(hosts, host))
            return HYPHA_OK;
        /* One that was trimmed meanwhile, banned, or never listed does not come back. */
        if (host->colour != HYPHA_COLOUR_WHITE && host->colour != HYPHA_COLOUR_GOLD)
            return HYPHA_OK;
        return hy_hosts_list(hosts, host, url, colour, host->last_seen);
    case HYPHA_COLOUR_WHITE:
    case HYPHA_COLOUR_GOLD:
        if (hy_hosts_is_banned(hosts, url))
            return HYPHA_ERR_BANNED;
        if ((hy_hosts_roles(hosts, host->key) & (HY_ROLE_SEED | HY_ROLE_PEER)) != 0)
            return HYPHA_OK; /* never in hostlists: network.md 3 */
        return hy_hosts_list(hosts, host, url, colour, hy_wall_s(hosts->loop));
    case HYPHA_COLOUR_BLACK:
        return hy_hosts_blacken(hosts, host, url, HY_BAN_SECONDS, HYPHA_ERR_BANNED);
    case HYPHA_COLOUR_DARK:
    case HYPHA_COLOURS:
        break;
    }
    return HYPHA_ERR_INVALID;
}

enum hypha_err hy_hosts_move(struct hy_hosts *hosts, const struct hypha_url *url,
    enum hypha_colour colour, enum hy_host_state after)
{
    struct hy_host *host = NULL;
    enum hypha_err err = hy_hosts_take(hosts, url, &host);

    if (err != HYPHA_OK)
        return err;
    if ((host->registered && !hy_host_state_may(host->state, HY_HOST_MOVE)) ||
        !hy_host_state_may(HY_HOST_MOVE, after)) {
        hy_hosts_forget(hosts, host);
        return HYPHA_ERR_HOST_BLOCKED;
    }
    err = move_lists(hosts, host, url, colour, after == HY_HOST_SUSPEND);
    if (err != HYPHA_OK) {
        hy_hosts_forget(hosts, host);
        return err;
    }
    if (after == HY_HOST_SUSPEND)
        hy_hosts_failed(hosts, host);
    else if (colour == HYPHA_COLOUR_WHITE || colour == HYPHA_COLOUR_GOLD)
        hy_hosts_succeeded(hosts, host);
    if (colour == HYPHA_COLOUR_WHITE && host->colour == HYPHA_COLOUR_GREY)
        hy_contest_open(hosts, host);
    /* Quarantine means waiting for the refinery, which looks into grey only. */
    if (after == HY_HOST_SUSPEND && host->colour != HYPHA_COLOUR_GREY)
        after = HY_HOST_FREE;
    hy_hosts_enter(hosts, host, after);
    if (host->colour == HYPHA_COLOUR_WHITE || host->colour == HYPHA_COLOUR_GOLD)
        hy_hosts_changed(hosts, HY_HOSTS_PROMOTED, 1);
    return HYPHA_OK;
}

void hy_hosts_remove(struct hy_hosts *hosts, const struct hypha_url *url)
{
    struct hy_host *host = hy_hosts_record(hosts, url);

    if (host != NULL && host->colour != HYPHA_COLOUR_BLACK)
        hy_hosts_unlist(hosts, host);
}
