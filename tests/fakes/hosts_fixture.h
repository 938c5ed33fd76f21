/* fakes/hosts_fixture.h - a hosts room on virtual time, with settings made to order. */
#ifndef HY_FAKES_HOSTS_FIXTURE_H
#define HY_FAKES_HOSTS_FIXTURE_H

#include "hosts/hosts.h"
#include "sim/sim.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

/* For hy_sim: what of the settings the room looks at. Lists end with NULL; missing ones are empty.
 */
struct hosts_plan {
    const char *active[6], *external[4], *peers[3], *seeds[3];
    const char *hostlist;
    const char *black_host; /* tcp and tcp+tls, all ports */
    bool localnet, disable_greys;
    int known_percent; /* 0: the default */
    hypha_log_cb log;
};

struct hosts_room {
    struct hy_sim *sim;
    struct hypha_loop *loop;
    struct hy_resolved_settings *settings;
    struct hy_hosts *hosts;
    /* What the watch was told, summed up. */
    struct hy_hosts_watch watch;
    size_t told[3];
};

#define must(call) assert_int_equal(call, HYPHA_OK)

static inline struct hypha_url *fixture_url(const char *text)
{
    struct hypha_url *url = NULL;

    must(hypha_url_parse_text(text, &url));
    return url;
}

static inline void fixture_add_urls(struct hypha_settings *settings, enum hypha_url_list list,
    const char *const *urls, size_t count)
{
    for (size_t i = 0; i < count && urls[i] != NULL; i++)
        must(hypha_settings_add_url(settings, NULL, list, urls[i]));
}

static inline struct hy_resolved_settings *fixture_settings(const struct hosts_plan *plan)
{
    static const char *const black_schemes[] = { "tcp", "tcp+tls" };
    struct hy_resolved_settings *resolved = NULL;
    struct hypha_settings *settings = NULL;

    must(hypha_settings_create(&settings));
    must(hypha_settings_set_text(settings, HYPHA_KEY_APP_NAME, "test"));
    must(hypha_settings_set_text(settings, HYPHA_KEY_APP_VERSION, "1.0.0"));
    for (size_t i = 0; i < 6 && plan->active[i] != NULL; i++) {
        must(hypha_settings_add_profile(settings, plan->active[i]));
        must(hypha_settings_add_active_profile(settings, plan->active[i]));
    }
    fixture_add_urls(settings, HYPHA_LIST_EXTERNAL_ADDRS, plan->external, 4);
    fixture_add_urls(settings, HYPHA_LIST_PEERS, plan->peers, 3);
    fixture_add_urls(settings, HYPHA_LIST_SEEDS, plan->seeds, 3);
    must(hypha_settings_set_text(settings, HYPHA_KEY_HOSTLIST, plan->hostlist));
    must(hypha_settings_set_flag(settings, HYPHA_KEY_LOCALNET, plan->localnet));
    must(hypha_settings_set_flag(settings, HYPHA_KEY_DISABLE_GREYS, plan->disable_greys));
    if (plan->known_percent > 0)
        must(
            hypha_settings_set_number(settings, HYPHA_KEY_KNOWN_PEER_PERCENT, plan->known_percent));
    if (plan->black_host != NULL)
        must(hypha_settings_add_blacklist(settings, plan->black_host, black_schemes, 2, NULL, 0));
    hypha_settings_set_log(settings, plan->log, NULL, HYPHA_LOG_TRACE);
    must(hy_settings_resolve(settings, &resolved));
    hypha_settings_destroy(settings);
    return resolved;
}

static inline void fixture_told(void *user, enum hy_hosts_change change, size_t count)
{
    struct hosts_room *room = user;

    room->told[change] += count;
}

static inline void room_open(struct hosts_room *room, const struct hosts_plan *plan, uint64_t seed)
{
    *room = (struct hosts_room){ 0 };
    must(hy_sim_create(seed, &room->sim));
    room->loop = hy_sim_loop(room->sim);
    room->settings = fixture_settings(plan);
    must(hy_hosts_create(room->loop, room->settings, &room->hosts));
    room->watch = (struct hy_hosts_watch){ .cb = fixture_told, .user = room };
    hy_hosts_watch(room->hosts, &room->watch);
}

static inline void room_close(struct hosts_room *room)
{
    hy_hosts_unwatch(room->hosts, &room->watch);
    hy_hosts_destroy(room->hosts);
    hy_resolved_settings_destroy(room->settings);
    hy_sim_destroy(room->sim);
}

/* The same calls by text. */

static inline enum hy_hosts_verdict room_receive(
    struct hosts_room *room, const char *text, uint64_t last_seen)
{
    struct hypha_url *url = fixture_url(text);
    enum hy_hosts_verdict verdict = hy_hosts_receive_one(room->hosts, url, last_seen);

    hypha_url_unref(url);
    return verdict;
}

static inline enum hypha_err room_move(
    struct hosts_room *room, const char *text, enum hypha_colour colour, enum hy_host_state after)
{
    struct hypha_url *url = fixture_url(text);
    enum hypha_err err = hy_hosts_move(room->hosts, url, colour, after);

    hypha_url_unref(url);
    return err;
}

static inline enum hypha_err room_set(
    struct hosts_room *room, const char *text, enum hy_host_state state)
{
    struct hypha_url *url = fixture_url(text);
    enum hypha_err err = hy_hosts_set(room->hosts, url, state);

    hypha_url_unref(url);
    return err;
}

static inline void room_free(struct hosts_room *room, const char *text)
{
    struct hypha_url *url = fixture_url(text);

    hy_hosts_free(room->hosts, url);
    hypha_url_unref(url);
}

static inline enum hy_host_state room_state(struct hosts_room *room, const char *text)
{
    struct hypha_url *url = fixture_url(text);
    enum hy_host_state state = hy_hosts_state(room->hosts, url);

    hypha_url_unref(url);
    return state;
}

/* HYPHA_COLOURS: in no list. */
static inline enum hypha_colour room_colour(
    struct hosts_room *room, const char *text, uint64_t *ret_last_seen)
{
    struct hypha_url *url = fixture_url(text);
    enum hypha_colour colour = HYPHA_COLOURS;

    (void)hy_hosts_find(room->hosts, url, &colour, ret_last_seen);
    hypha_url_unref(url);
    return colour;
}

static inline bool room_is_banned(struct hosts_room *room, const char *text)
{
    struct hypha_url *url = fixture_url(text);
    bool banned = hy_hosts_is_banned(room->hosts, url);

    hypha_url_unref(url);
    return banned;
}

#endif
