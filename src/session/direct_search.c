/* direct_search.c - each action of the machine, whose outcome is its next event. */
#include "session/direct_search.h"

static void publish(struct hy_direct_search *search, const char *state)
{
    struct hy_net *net = search->net;

    if (!hy_events_wanted(&net->events, HYPHA_EVENT_DIRECT_PEER_DISCOVERY))
        return;
    struct hypha_event event = {
        .type = HYPHA_EVENT_DIRECT_PEER_DISCOVERY,
        .time_ns = hy_wall_ns(net->loop),
        .session = HYPHA_SESSION_DIRECT,
        .attempt = search->discovery.attempt,
        .state = state,
    };
    hy_events_publish(&net->events, &event);
}

static void on_round(
    struct hypha_p2p *p2p, enum hypha_err err, struct hypha_channel *channel, void *user)
{
    struct hy_direct_search *search = user;

    (void)p2p;
    search->round = NULL;
    search->channel = channel;
    hy_direct_search_feed(search,
        err == HYPHA_OK ? HY_DIRECT_DISCOVERY_ON_CHANNEL : HY_DIRECT_DISCOVERY_ON_NO_CHANNEL);
}

/* A random gold host, else white, else grey: what the first of the outbound slots would take. */
static void dial_some(struct hy_direct_search *search)
{
    struct hy_hosts *hosts = search->net->hosts;
    struct hypha_url *url = NULL;
    enum hypha_err err = hy_hosts_pick(hosts, 0, 1, &url);

    if (err == HYPHA_OK) {
        hy_hosts_free(hosts, url); /* the session takes it again, unless it has it */
        err = hy_session_direct_get(search->session, url, 0, on_round, search, &search->round);
        hypha_url_unref(url);
    }
    if (err != HYPHA_OK)
        hy_direct_search_feed(search, HY_DIRECT_DISCOVERY_ON_NO_CHANNEL);
}

static void end_round(struct hy_direct_search *search)
{
    struct hypha_direct *round = search->round;
    struct hypha_channel *channel = search->channel;

    search->round = NULL;
    search->channel = NULL;
    if (round != NULL)
        hypha_direct_cancel(round);
    if (channel != NULL)
        (void)hy_session_direct_release(search->session, channel);
}

static void act(struct hy_direct_search *search, enum hy_direct_discovery_action action)
{
    switch (action) {
    case HY_DIRECT_DISCOVERY_DO_WAIT:
        publish(search, "wait");
        hy_direct_search_feed(search, HY_DIRECT_DISCOVERY_ON_GO);
        return;
    case HY_DIRECT_DISCOVERY_DO_SLEEP:
        publish(search, "sleep");
        return;
    case HY_DIRECT_DISCOVERY_DO_NEWCHAN:
        publish(search, "newchan");
        dial_some(search);
        return;
    case HY_DIRECT_DISCOVERY_DO_ASK:
        publish(search, "getaddr");
        (void)search->hooks.ask_peers(search->hooks.user);
        return;
    case HY_DIRECT_DISCOVERY_DO_SEED:
        publish(search, "seed");
        if (search->hooks.seed(search->hooks.user) == 0)
            hy_direct_search_feed(search, HY_DIRECT_DISCOVERY_ON_SEEDED);
        return;
    case HY_DIRECT_DISCOVERY_DO_REST:
    case HY_DIRECT_DISCOVERY_DO_STOP:
        end_round(search);
        return;
    case HY_DIRECT_DISCOVERY_DO_NOTHING:
    case HY_DIRECT_DISCOVERY_ACTIONS:
        return;
    }
}

static struct hy_direct_discovery_facts facts_of(const struct hy_direct_search *search)
{
    const struct hy_net *net = search->net;

    return (struct hy_direct_discovery_facts){
        .now_ms = hy_now_ms(net->loop),
        .attempt_ms = net->settings->discovery_attempt_ms,
        .cooloff_ms = net->settings->discovery_cooloff_ms,
        .chance = hy_random_u32(net->loop),
        .connected = net->peers_count > 0,
        .seeds = net->settings->seeds.count > 0,
        .untried = hy_hosts_has_untried(net->hosts),
    };
}

void hy_direct_search_feed(struct hy_direct_search *search, enum hy_direct_discovery_event event)
{
    struct hy_direct_discovery_facts facts = facts_of(search);
    struct hy_direct_discovery_move move = hy_direct_discovery_step(
        &search->discovery, event, &facts);

    if (move.action == HY_DIRECT_DISCOVERY_DO_NOTHING)
        return;
    if (move.timer)
        hy_timer_start(&search->timer, search->discovery.due_ms - facts.now_ms);
    else
        hy_timer_stop(&search->timer);
    act(search, move.action);
}

static void on_timer(void *user)
{
    hy_direct_search_feed(user, HY_DIRECT_DISCOVERY_ON_TIMER);
}

static void on_hosts_change(void *user, enum hy_hosts_change change, size_t count)
{
    (void)count;
    if (change == HY_HOSTS_INSERTED)
        hy_direct_search_feed(user, HY_DIRECT_DISCOVERY_ON_FOUND);
}

void hy_direct_search_init(struct hy_direct_search *search, struct hy_session_direct *session,
    struct hy_net *net, const struct hy_direct_hooks *hooks)
{
    *search = (struct hy_direct_search){ .session = session, .net = net, .hooks = *hooks };
    search->watch = (struct hy_hosts_watch){ .cb = on_hosts_change, .user = search };
    hy_timer_init(&search->timer, net->loop, on_timer, search);
}

void hy_direct_search_start(struct hy_direct_search *search)
{
    if (search->watching)
        return;
    hy_hosts_watch(search->net->hosts, &search->watch); /* before the first question */
    search->watching = true;
    hy_direct_search_feed(search, HY_DIRECT_DISCOVERY_ON_START);
}

void hy_direct_search_stop(struct hy_direct_search *search)
{
    if (!search->watching)
        return;
    hy_hosts_unwatch(search->net->hosts, &search->watch);
    search->watching = false;
    hy_direct_search_feed(search, HY_DIRECT_DISCOVERY_ON_STOP);
}

static const char *state_name(enum hy_direct_discovery_state state)
{
    switch (state) {
    case HY_DIRECT_DISCOVERY_STOPPED:
        return "stopped";
    case HY_DIRECT_DISCOVERY_WAITING:
        return "idle";
    case HY_DIRECT_DISCOVERY_SLEEPING:
        return "sleep";
    case HY_DIRECT_DISCOVERY_DIALLING:
        return "newchan";
    case HY_DIRECT_DISCOVERY_ASKING:
        return "getaddr";
    case HY_DIRECT_DISCOVERY_SEEDING:
        return "seed";
    case HY_DIRECT_DISCOVERY_RESTING:
        return "resting";
    case HY_DIRECT_DISCOVERY_STATES:
        break;
    }
    return "?";
}

void hy_direct_search_info(
    const struct hy_direct_search *search, struct hypha_discovery_info *ret_info)
{
    const struct hy_direct_discovery *discovery = &search->discovery;
    uint64_t now_ms = hy_now_ms(search->net->loop);
    /* A fruitless round of getaddr makes the attempt jump there: the sleep is next. */
    bool fruitless = discovery->attempt + 1 >= HY_DIRECT_SLEEP_ATTEMPT;

    ret_info->state = state_name(discovery->state);
    ret_info->failures = fruitless ? 1 : 0;
    ret_info->next_ms = hy_timer_is_armed(&search->timer) ? discovery->due_ms - now_ms : 0;
    ret_info->seed_wait_ms = hy_seed_backoff_left_ms(&discovery->seeds, now_ms);
}
