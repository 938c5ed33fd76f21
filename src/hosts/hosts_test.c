/* hosts_test.c - registry and lists together: thousands of random operations
 * against a naive model, also with memory running out; and who is told what,
 * when. spec: network.md 4 */
#include "fakes/hosts_fixture.h"

#include "base/alloc.h"

#include <stdio.h>

#define HOSTS 40
#define DARK  10 /* of them */
#define NONE  HYPHA_COLOURS

static const struct hosts_plan plan = { .active = { "tcp" } };

/* One host as the specification has it, with nothing clever about it. */
struct entry {
    struct hypha_url *url;
    bool known; /* in the registry */
    enum hy_host_state state;
    enum hypha_colour colour;
    uint64_t last_seen, since_ms, failed_ms, banned_until_ms;
    unsigned failures; /* in a row */
};

struct model {
    struct hosts_room room;
    struct entry hosts[HOSTS];
    uint64_t random;
};

/* Chance of the test's own, so that it does not move the node's. */
static unsigned draw(struct model *m, unsigned bound)
{
    m->random = m->random * 6364136223846793005ULL + 1442695040888963407ULL;
    return (unsigned)((m->random >> 33) % bound);
}

static uint64_t now_s(struct model *m)
{
    return hy_wall_s(m->room.loop);
}

static uint64_t now_ms(struct model *m)
{
    return hy_now_ms(m->room.loop);
}

static bool is_dialled(enum hypha_colour colour)
{
    return colour == HYPHA_COLOUR_GREY || colour == HYPHA_COLOUR_WHITE ||
        colour == HYPHA_COLOUR_GOLD;
}

static bool is_dark(const struct model *m, const struct entry *e)
{
    return e - m->hosts < DARK;
}

static bool is_banned(struct model *m, const struct entry *e)
{
    return e->colour == HYPHA_COLOUR_BLACK && now_ms(m) < e->banned_until_ms;
}

static void enter(struct model *m, struct entry *e, enum hy_host_state state)
{
    e->known = true;
    e->state = state;
    if (state == HY_HOST_FREE)
        e->since_ms = now_ms(m);
}

static void unlist(struct model *m, struct entry *e)
{
    e->colour = NONE;
    if (e->state == HY_HOST_SUSPEND)
        enter(m, e, HY_HOST_FREE);
}

static void expire(struct model *m)
{
    for (size_t i = 0; i < HOSTS; i++)
        if (m->hosts[i].colour == HYPHA_COLOUR_BLACK && !is_banned(m, &m->hosts[i]))
            unlist(m, &m->hosts[i]);
}

static void age_dark(struct model *m)
{
    for (size_t i = 0; i < HOSTS; i++)
        if (m->hosts[i].colour == HYPHA_COLOUR_DARK && m->hosts[i].last_seen + 86400 < now_s(m))
            unlist(m, &m->hosts[i]);
}

static void blacken(struct model *m, struct entry *e, uint64_t seconds)
{
    e->colour = HYPHA_COLOUR_BLACK;
    e->last_seen = now_s(m);
    e->banned_until_ms = now_ms(m) + seconds * 1000;
    if (e->state == HY_HOST_SUSPEND)
        enter(m, e, HY_HOST_FREE);
}

static enum hypha_err model_set(struct model *m, struct entry *e, enum hy_host_state state)
{
    if (e->known && !hy_host_state_may(e->state, state))
        return HYPHA_ERR_HOST_BLOCKED;
    enter(m, e, state);
    return HYPHA_OK;
}

static enum hypha_err model_move(
    struct model *m, struct entry *e, enum hypha_colour colour, enum hy_host_state after)
{
    if ((e->known && !hy_host_state_may(e->state, HY_HOST_MOVE)) ||
        !hy_host_state_may(HY_HOST_MOVE, after))
        return HYPHA_ERR_HOST_BLOCKED;
    if (colour == HYPHA_COLOUR_DARK)
        return HYPHA_ERR_INVALID;
    if ((colour == HYPHA_COLOUR_WHITE || colour == HYPHA_COLOUR_GOLD) && is_banned(m, e))
        return HYPHA_ERR_BANNED;
    if (colour == HYPHA_COLOUR_BLACK) {
        blacken(m, e, HY_BAN_SECONDS);
    } else if (colour != HYPHA_COLOUR_GREY) {
        e->colour = colour;
        e->last_seen = now_s(m);
    } else if (e->colour == HYPHA_COLOUR_WHITE && after == HY_HOST_SUSPEND &&
        (e->failures < 2 || now_s(m) - e->last_seen < 7 * 86400)) {
        /* white is lost after three failures and seven days: network.md 10 */
    } else if (is_dialled(e->colour)) {
        e->colour = colour;
    }
    if (after == HY_HOST_SUSPEND) {
        e->failures++;
        e->failed_ms = now_ms(m);
    } else if (colour == HYPHA_COLOUR_WHITE || colour == HYPHA_COLOUR_GOLD) {
        e->failures = 0;
    }
    enter(m, e, after == HY_HOST_SUSPEND && e->colour != HYPHA_COLOUR_GREY ? HY_HOST_FREE : after);
    return HYPHA_OK;
}

static enum hy_hosts_verdict model_receive(struct model *m, struct entry *e, uint64_t last_seen)
{
    uint64_t now = now_s(m), seen = last_seen < now ? last_seen : now;

    seen = seen - 7200 > now - 30 * 86400 ? seen - 7200 : now - 30 * 86400;
    if (is_banned(m, e))
        return HY_VERDICT_BANNED;
    if (is_dialled(e->colour))
        return HY_VERDICT_KNOWN;
    if (is_dark(m, e)) {
        if (e->colour == HYPHA_COLOUR_DARK)
            return HY_VERDICT_DARK;
        if (seen + 86400 < now)
            return HY_VERDICT_TOO_OLD;
        age_dark(m);
        e->colour = HYPHA_COLOUR_DARK;
        e->last_seen = seen;
        return HY_VERDICT_DARK;
    }
    if (e->known && e->state != HY_HOST_FREE)
        return HY_VERDICT_KNOWN;
    e->colour = HYPHA_COLOUR_GREY;
    e->last_seen = seen;
    return HY_VERDICT_GREY;
}

static bool may_pick(struct model *m, const struct entry *e)
{
    return is_dialled(e->colour) && !is_dark(m, e) && e->state == HY_HOST_FREE &&
        (e->failures == 0 || now_ms(m) - e->failed_ms >= 60000);
}

static bool may_refine(struct model *m, const struct entry *e)
{
    return e->colour == HYPHA_COLOUR_GREY && !is_dark(m, e) &&
        (e->state == HY_HOST_FREE || e->state == HY_HOST_SUSPEND);
}

static struct entry *find(struct model *m, const struct hypha_url *url)
{
    for (size_t i = 0; i < HOSTS; i++)
        if (hypha_url_equal(m->hosts[i].url, url))
            return &m->hosts[i];
    fail_msg("%s is not of this world", hypha_url_text(url));
    return NULL;
}

static void do_pick(struct model *m)
{
    struct hypha_url *url = NULL;
    enum hypha_err err = hy_hosts_pick(m->room.hosts, draw(m, 8), 8, &url);
    bool any = false;

    for (size_t i = 0; i < HOSTS; i++)
        any = any || may_pick(m, &m->hosts[i]);
    assert_int_equal(err, any ? HYPHA_OK : HYPHA_ERR_NOT_FOUND);
    if (err != HYPHA_OK)
        return;
    assert_true(may_pick(m, find(m, url)));
    enter(m, find(m, url), HY_HOST_CONNECT);
    hypha_url_unref(url);
}

static void do_pick_refine(struct model *m)
{
    struct hypha_url *url = NULL;
    enum hypha_err err = hy_hosts_pick_refine(m->room.hosts, &url);
    bool any = false, suspended = false;

    for (size_t i = 0; i < HOSTS; i++) {
        bool may = may_refine(m, &m->hosts[i]);

        any = any || may;
        suspended = suspended || (may && m->hosts[i].state == HY_HOST_SUSPEND);
    }
    assert_int_equal(err, any ? HYPHA_OK : HYPHA_ERR_NOT_FOUND);
    if (err != HYPHA_OK)
        return;
    assert_true(may_refine(m, find(m, url)));
    assert_int_equal(find(m, url)->state == HY_HOST_SUSPEND, suspended);
    enter(m, find(m, url), HY_HOST_REFINE);
    hypha_url_unref(url);
}

/* Those that may run out of memory: then nothing has changed. */
static void do_fallible(struct model *m, struct entry *e, unsigned which)
{
    enum hy_host_state state = draw(m, 4) == 0 ? HY_HOST_SUSPEND
                                               : (enum hy_host_state)draw(m, HY_HOST_STATES);
    enum hypha_colour colour = (enum hypha_colour)draw(m, HYPHA_COLOURS);
    uint64_t last_seen = now_s(m) - 100000 + draw(m, 110000), seconds = 1 + draw(m, 4000);
    struct entry before = *e;
    enum hypha_err err = HYPHA_OK, expected = HYPHA_OK;

    if (draw(m, 3) == 0)
        hy_alloc_fail_after(draw(m, 4));
    if (which == 0) {
        err = hy_hosts_set(m->room.hosts, e->url, state);
        expected = model_set(m, e, state);
    } else if (which == 1) {
        err = hy_hosts_move(m->room.hosts, e->url, colour, state);
        expected = model_move(m, e, colour, state);
    } else if (which == 2) {
        expire(m);
        before = *e;
        err = hy_hosts_ban(m->room.hosts, e->url, seconds, HYPHA_ERR_MAGIC);
        blacken(m, e, seconds);
    } else {
        enum hy_hosts_verdict verdict = hy_hosts_receive_one(m->room.hosts, e->url, last_seen);
        enum hy_hosts_verdict model = model_receive(m, e, last_seen);

        if (verdict == HY_VERDICT_NOMEM)
            err = HYPHA_ERR_NOMEM;
        else
            assert_int_equal(verdict, model);
    }
    hy_alloc_fail_after(SIZE_MAX);
    if (err == HYPHA_ERR_NOMEM)
        *e = before;
    else
        assert_int_equal(err, expected);
}

static void do_one(struct model *m)
{
    struct entry *e = &m->hosts[draw(m, HOSTS)];
    unsigned what = draw(m, 20);

    if (what < 11) {
        do_fallible(m, e, what % 4 == 2 && draw(m, 3) > 0 ? 3 : what % 4);
    } else if (what < 13) {
        hy_hosts_free(m->room.hosts, e->url);
        if (e->known)
            enter(m, e, HY_HOST_FREE);
    } else if (what < 14) {
        hy_hosts_remove(m->room.hosts, e->url);
        if (e->colour != HYPHA_COLOUR_BLACK)
            unlist(m, e);
    } else if (what < 15) {
        assert_int_equal(hy_hosts_unban(m->room.hosts, e->url), is_banned(m, e));
        if (e->colour == HYPHA_COLOUR_BLACK)
            unlist(m, e);
    } else if (what < 16) {
        hy_hosts_unsuspend(m->room.hosts);
        for (size_t i = 0; i < HOSTS; i++)
            if (m->hosts[i].state == HY_HOST_SUSPEND)
                enter(m, &m->hosts[i], HY_HOST_FREE);
    } else if (what < 17) {
        hy_hosts_prune(m->room.hosts);
        expire(m);
        for (size_t i = 0; i < HOSTS; i++)
            if (m->hosts[i].state == HY_HOST_FREE &&
                now_ms(m) - m->hosts[i].since_ms > 86400ULL * 1000)
                m->hosts[i].known = false;
    } else if (what < 18) {
        do_pick(m);
    } else if (what < 19) {
        do_pick_refine(m);
    } else {
        hy_sim_run_for(m->room.sim, draw(m, 20) == 0 ? 90000000 : draw(m, 40000));
    }
}

struct order {
    struct model *m;
    enum hypha_colour colour;
    uint64_t last;
    size_t count;
};

static void check_order(const struct hypha_url *url, uint64_t last_seen, void *user)
{
    struct order *order = user;

    assert_true(last_seen <= order->last);
    assert_int_equal(find(order->m, url)->colour, order->colour);
    assert_int_equal(find(order->m, url)->last_seen, last_seen);
    order->last = last_seen;
    order->count++;
}

static void compare(struct model *m)
{
    size_t counts[HYPHA_COLOURS + 1] = { 0 }, busy = 0;

    for (size_t i = 0; i < HOSTS; i++) {
        const struct entry *e = &m->hosts[i];
        enum hypha_colour expected =
            e->colour == HYPHA_COLOUR_BLACK && !is_banned(m, e) ? NONE : e->colour;
        enum hypha_colour colour = NONE;
        uint64_t last_seen = e->last_seen;

        (void)hy_hosts_find(m->room.hosts, e->url, &colour, &last_seen);
        assert_int_equal(colour, expected);
        assert_int_equal(last_seen, e->last_seen);
        assert_int_equal(hy_hosts_state(m->room.hosts, e->url), e->state);
        assert_int_equal(hy_hosts_is_banned(m->room.hosts, e->url), is_banned(m, e));
        counts[expected]++;
        busy += e->state != HY_HOST_FREE && e->state != HY_HOST_SUSPEND ? 1 : 0;
    }
    assert_int_equal(hy_hosts_busy_count(m->room.hosts), busy);
    for (int c = 0; c < HYPHA_COLOURS; c++) {
        struct order order = { .m = m, .colour = (enum hypha_colour)c, .last = UINT64_MAX };

        hy_hosts_each(m->room.hosts, order.colour, check_order, &order);
        assert_int_equal(order.count, counts[c]);
        assert_int_equal(hy_hosts_count(m->room.hosts, order.colour), counts[c]);
    }
}

static void run_model(uint64_t seed, unsigned steps)
{
    struct model m = { .random = seed };
    char text[48];

    room_open(&m.room, &plan, seed);
    for (unsigned i = 0; i < HOSTS; i++) {
        (void)snprintf(text, sizeof text, "%s://8.8.8.%u:1", i < DARK ? "tcp+tls" : "tcp", i);
        m.hosts[i] = (struct entry){ .url = fixture_url(text), .colour = NONE };
    }
    for (unsigned i = 0; i < steps; i++) {
        do_one(&m);
        compare(&m);
    }
    for (unsigned i = 0; i < HOSTS; i++)
        hy_hosts_free(m.room.hosts, m.hosts[i].url);
    assert_int_equal(hy_hosts_busy_count(m.room.hosts), 0);
    for (unsigned i = 0; i < HOSTS; i++)
        hypha_url_unref(m.hosts[i].url);
    room_close(&m.room);
}

/* spec: network.md MUST 4.2-a, 4.1-a */
static void test_against_the_model(void **state)
{
    (void)state;
    for (uint64_t seed = 1; seed <= 3; seed++) {
        print_message("seed %u\n", (unsigned)seed);
        run_model(seed, 1000);
    }
}

/* spec: network.md 4.1, the three ways through the states; 4.3, what becomes of
 * last_seen */
static void test_a_life(void **state)
{
    static const char url[] = "tcp://8.8.8.8:1";
    struct hosts_room room;
    uint64_t last_seen = 0;

    (void)state;
    room_open(&room, &plan, 1);
    (void)room_receive(&room, url, HY_SIM_START_WALL_S);
    must(room_set(&room, url, HY_HOST_CONNECT));
    must(room_move(&room, url, HYPHA_COLOUR_GREY, HY_HOST_SUSPEND));
    must(room_set(&room, url, HY_HOST_REFINE));
    hy_sim_run_for(room.sim, 5000);
    must(room_move(&room, url, HYPHA_COLOUR_WHITE, HY_HOST_FREE));
    assert_int_equal(room_colour(&room, url, &last_seen), HYPHA_COLOUR_WHITE);
    assert_int_equal(last_seen, HY_SIM_START_WALL_S + 5);
    must(room_set(&room, url, HY_HOST_CONNECT));
    assert_int_equal(room_set(&room, url, HY_HOST_REFINE), HYPHA_ERR_HOST_BLOCKED);
    hy_sim_run_for(room.sim, 5000);
    must(room_move(&room, url, HYPHA_COLOUR_GOLD, HY_HOST_CONNECTED));
    hy_sim_run_for(room.sim, 5000);
    must(room_move(&room, url, HYPHA_COLOUR_GREY, HY_HOST_FREE));
    assert_int_equal(room_colour(&room, url, &last_seen), HYPHA_COLOUR_GREY);
    assert_int_equal(last_seen, HY_SIM_START_WALL_S + 10); /* kept */
    assert_int_equal(room_state(&room, url), HY_HOST_FREE);
    /* Who left the lists meanwhile does not come back, nor stay in quarantine for
     * ever. */
    must(room_set(&room, url, HY_HOST_CONNECT));
    hy_hosts_remove(room.hosts, room.settings->i2p_socks5_proxy); /* unknown: nothing */
    must(room_move(&room, "tcp://8.8.8.9:1", HYPHA_COLOUR_GREY, HY_HOST_SUSPEND));
    assert_int_equal(room_colour(&room, "tcp://8.8.8.9:1", NULL), NONE);
    assert_int_equal(room_state(&room, "tcp://8.8.8.9:1"), HY_HOST_FREE);
    room_close(&room);
}

/* spec: network.md 3: seeds and peers are never in hostlists, whatever dialled
 * them */
static void test_configured_stay_out(void **state)
{
    static const struct hosts_plan configured = {
        .active = { "tcp" }, .seeds = { "tcp://8.8.8.1:1" }, .peers = { "tcp://8.8.8.2:1" }
    };
    struct hosts_room room;

    (void)state;
    room_open(&room, &configured, 1);
    must(room_move(&room, "tcp://8.8.8.1:1", HYPHA_COLOUR_GOLD, HY_HOST_CONNECTED));
    must(room_move(&room, "tcp://8.8.8.2:1", HYPHA_COLOUR_WHITE, HY_HOST_FREE));
    assert_int_equal(hy_hosts_count(room.hosts, HYPHA_COLOUR_GOLD), 0);
    assert_int_equal(hy_hosts_count(room.hosts, HYPHA_COLOUR_WHITE), 0);
    assert_int_equal(room_state(&room, "tcp://8.8.8.1:1"), HY_HOST_CONNECTED);
    room_close(&room);
}

static bool is_worn(struct hosts_room *room, const char *url)
{
    enum hypha_colour colour = room_colour(room, url, NULL);

    must(room_set(room, url, HY_HOST_CONNECT));
    must(room_move(room, url, HYPHA_COLOUR_GREY, HY_HOST_SUSPEND));
    room_free(room, url);
    return colour == HYPHA_COLOUR_WHITE && room_colour(room, url, NULL) == HYPHA_COLOUR_GREY;
}

/* spec: network.md MUST 10-h: both are needed, three failures in a row and seven days without
 * success */
static void test_white_is_lost_late(void **state)
{
    static const char url[] = "tcp://8.8.8.8:1";
    struct hosts_room room;

    (void)state;
    room_open(&room, &plan, 1);
    must(room_move(&room, url, HYPHA_COLOUR_WHITE, HY_HOST_FREE));
    for (int i = 0; i < 6; i++)
        assert_false(is_worn(&room, url)); /* our own outage, perhaps */
    hy_sim_run_for(room.sim, 7ULL * 86400 * 1000 - 1000);
    assert_false(is_worn(&room, url));
    hy_sim_run_for(room.sim, 1000);
    assert_true(is_worn(&room, url));
    must(room_move(&room, url, HYPHA_COLOUR_WHITE, HY_HOST_FREE));
    hy_sim_run_for(room.sim, 8ULL * 86400 * 1000);
    assert_false(is_worn(&room, url));
    assert_false(is_worn(&room, url));
    must(room_move(&room, url, HYPHA_COLOUR_GOLD, HY_HOST_CONNECTED)); /* forgives all */
    must(room_move(&room, url, HYPHA_COLOUR_WHITE, HY_HOST_FREE));
    hy_sim_run_for(room.sim, 8ULL * 86400 * 1000);
    assert_false(is_worn(&room, url));
    assert_false(is_worn(&room, url));
    assert_true(is_worn(&room, url));
    room_close(&room);
}

/* spec: network.md MUST 4.2-a */
static void test_one_list_at_most(void **state)
{
    static const char url[] = "tcp://8.8.8.8:1";
    static const enum hypha_colour colours[] = { HYPHA_COLOUR_GREY, HYPHA_COLOUR_WHITE,
        HYPHA_COLOUR_GOLD };
    struct hosts_room room;

    (void)state;
    room_open(&room, &plan, 1);
    assert_int_equal(room_receive(&room, url, 5), HY_VERDICT_GREY);
    for (size_t from = 0; from < 3; from++)
        for (size_t to = 0; to < 3; to++) {
            size_t listed = 0;

            must(room_move(&room, url, colours[from], HY_HOST_FREE));
            must(room_move(&room, url, colours[to], HY_HOST_FREE));
            assert_int_equal(room_colour(&room, url, NULL), colours[to]);
            for (size_t i = 0; i < 3; i++)
                listed += hy_hosts_count(room.hosts, colours[i]);
            assert_int_equal(listed, 1);
        }
    room_close(&room);
}

struct listener {
    struct hosts_room *room;
    struct hy_hosts_watch watch;
    struct listener *victim; /* unwatched at the first call */
    unsigned calls;
};

static void on_change(void *user, enum hy_hosts_change change, size_t count)
{
    struct listener *listener = user;

    assert_true(count > 0);
    (void)change;
    listener->calls++;
    if (listener->victim != NULL)
        hy_hosts_unwatch(listener->room->hosts, &listener->victim->watch);
    listener->victim = NULL;
}

/* Told once per turn and kind, never from inside; a watch may end itself or
 * another. */
static void test_watches(void **state)
{
    struct listener listeners[3];
    struct hosts_room room;

    (void)state;
    room_open(&room, &plan, 1);
    for (size_t i = 0; i < 3; i++) {
        listeners[i] = (struct listener){ .room = &room };
        listeners[i].watch = (struct hy_hosts_watch){ .cb = on_change, .user = &listeners[i] };
        hy_hosts_watch(room.hosts, &listeners[i].watch);
    }
    listeners[0].victim = &listeners[1]; /* the next one in line */
    listeners[2].victim = &listeners[2];
    (void)room_receive(&room, "tcp://8.8.8.1:1", HY_SIM_START_WALL_S);
    (void)room_receive(&room, "tcp://8.8.8.2:1", HY_SIM_START_WALL_S);
    assert_int_equal(room.told[HY_HOSTS_INSERTED], 0);
    hy_sim_run_for(room.sim, 1);
    assert_int_equal(room.told[HY_HOSTS_INSERTED], 2);
    assert_int_equal(listeners[0].calls, 1);
    assert_int_equal(listeners[1].calls, 0);
    assert_int_equal(listeners[2].calls, 1);
    /* A dial and its end: freed; refined: promoted, and freed. Dark or unlisted:
     * nobody cares. */
    must(room_set(&room, "tcp://8.8.8.1:1", HY_HOST_CONNECT));
    room_free(&room, "tcp://8.8.8.1:1");
    room_free(&room, "tcp://8.8.8.1:1");
    must(room_set(&room, "tcp://9.9.9.9:5", HY_HOST_CONNECTED));
    room_free(&room, "tcp://9.9.9.9:5");
    hy_sim_run_for(room.sim, 1);
    assert_int_equal(room.told[HY_HOSTS_FREED], 1);
    must(room_set(&room, "tcp://8.8.8.2:1", HY_HOST_REFINE));
    must(room_move(&room, "tcp://8.8.8.2:1", HYPHA_COLOUR_WHITE, HY_HOST_FREE));
    hy_sim_run_for(room.sim, 1);
    assert_int_equal(room.told[HY_HOSTS_FREED], 2);
    assert_int_equal(room.told[HY_HOSTS_PROMOTED], 1);
    assert_int_equal(listeners[0].calls, 4);
    /* What was not told yet when the room goes is never told. */
    room_free(&room, "tcp://8.8.8.1:1");
    hy_hosts_unwatch(room.hosts, &listeners[0].watch);
    hy_hosts_unwatch(room.hosts, &listeners[0].watch);
    room_close(&room);
}

/* Making the room itself with little memory. */
static void test_create_without_memory(void **state)
{
    static const struct hosts_plan full = { .seeds = { "tcp://a:1", "tcp://b:1" },
        .black_host = "c" };
    struct hy_resolved_settings *settings = fixture_settings(&full);
    struct hy_sim *sim = NULL;
    struct hy_hosts *hosts = NULL;

    (void)state;
    must(hy_sim_create(1, &sim));
    for (size_t n = 0; hosts == NULL; n++) {
        enum hypha_err err;

        hy_alloc_fail_after(n);
        err = hy_hosts_create(hy_sim_loop(sim), settings, &hosts);
        hy_alloc_fail_after(SIZE_MAX);
        assert_int_equal(err, hosts != NULL ? HYPHA_OK : HYPHA_ERR_NOMEM);
    }
    hy_hosts_destroy(hosts);
    hy_hosts_destroy(NULL);
    hy_sim_destroy(sim);
    hy_resolved_settings_destroy(settings);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_against_the_model),
        cmocka_unit_test(test_a_life),
        cmocka_unit_test(test_configured_stay_out),
        cmocka_unit_test(test_white_is_lost_late),
        cmocka_unit_test(test_one_list_at_most),
        cmocka_unit_test(test_watches),
        cmocka_unit_test(test_create_without_memory),
    };

    return cmocka_run_group_tests_name("hosts", tests, NULL, NULL);
}
