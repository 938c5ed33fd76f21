/* dchat_follow.c - messages as they come: from hypha's daemon by subscription, from the reference's
 * by asking again and again. spec: apps.md 5 */
#include "dchat.h"
#include "dchat_show.h"

#include <string.h>
#include <time.h>

#define TAIL_MESSAGES 10
#define WAIT_MS       25000
#define POLL_MS       500U

/* One message of recv [{"since"}]; `full`: with time and sender, repetitions left out. */
static bool show_message(const struct dchat_client *client, const json_t *message, bool full)
{
    const json_t *text = json_object_get(message, "text");
    const json_t *from = json_object_get(message, "from");
    const json_t *when = json_object_get(message, "time");
    char clock[16] = "--:--:--";
    struct tm local;

    if (client->json) {
        json_dumpf(message, stdout, JSON_COMPACT);
        return putchar('\n') != EOF;
    }
    if (!full)
        return show_text(text);
    if (json_is_true(json_object_get(message, "dup")))
        return true;
    time_t seconds = (time_t)(json_integer_value(when) / 1000);
    if (json_is_integer(when) && localtime_r(&seconds, &local) != NULL)
        strftime(clock, sizeof clock, "%H:%M:%S", &local);
    printf("%s ", clock);
    if (json_is_string(from))
        dchat_show(stdout, json_string_value(from), json_string_length(from));
    fputs(": ", stdout);
    return show_text(text);
}

/* Messages as they come, and those that a full queue has lost, by their numbers. */
struct follower {
    struct dchat_client *client;
    json_int_t since; /* the number of the next one to show */
    bool full;
    bool asking; /* what comes meanwhile will be in a reply */
    bool behind; /* there is more to ask for */
    bool odd;    /* what came makes no sense */
    bool ended, refused;
};

/* All that there is from `since` on, waiting for the first if told to. */
static int catch_up(struct follower *follower, json_int_t wait_ms)
{
    struct dchat_client *client = follower->client;
    size_t count = 1;

    follower->asking = true;
    for (; count > 0; wait_ms = 0) {
        json_t *params = wait_ms > 0
            ? json_pack("[{s:I, s:I}]", "since", follower->since, "wait_ms", wait_ms)
            : json_pack("[{s:I}]", "since", follower->since);
        follower->behind = false;
        int status = judge(
            client, ask(client, "recv", params, (uint32_t)wait_ms + HY_RPC_CLIENT_TIMEOUT_MS));
        const json_t *messages = json_object_get(client->result, "messages");
        const json_t *next = json_object_get(client->result, "next");

        if (status != EXIT_OK)
            return status;
        if (!json_is_array(messages) || !json_is_integer(next))
            return odd_reply(client);
        count = json_array_size(messages);
        for (size_t i = 0; i < count; i++)
            if (!show_message(client, json_array_get(messages, i), follower->full))
                return odd_reply(client);
        follower->since = json_integer_value(next);
    }
    follower->asking = false;
    return EXIT_OK;
}

static void on_message(
    void *user, enum hypha_err err, const json_t *params, int code, const char *message)
{
    struct follower *follower = user;
    const json_t *entry = json_array_get(params, 0);
    const json_t *seq = json_object_get(entry, "seq");

    (void)code;
    (void)message;
    if (err != HYPHA_OK) {
        follower->refused = err == HYPHA_ERR_REFUSED;
        follower->ended = !follower->refused;
        follower->client->err = err;
    } else if (!json_is_integer(seq)) {
        follower->odd = true;
    } else if (follower->asking || json_integer_value(seq) != follower->since) {
        follower->behind = follower->behind || json_integer_value(seq) >= follower->since;
        if (follower->asking)
            return;
    } else {
        follower->since++;
        follower->odd = !show_message(follower->client, entry, follower->full);
    }
    if (!follower->asking)
        hypha_loop_stop(follower->client->loop);
}

/* Told of each message. A daemon that refuses is asked again and again instead. */
static int follow_ours(struct dchat_client *client, json_int_t since, bool full)
{
    struct follower follower = { .client = client, .since = since, .full = full };
    int status = EXIT_OK;

    if (hy_rpc_client_subscribe(client->rpc, "dchat.subscribe", NULL, on_message, &follower) !=
        HYPHA_OK)
        return complain(EXIT_UNREACHABLE, "out of memory");
    follower.behind = true;
    while (status == EXIT_OK) {
        if (follower.odd)
            return odd_reply(client);
        if (follower.ended)
            return judge(client, EXIT_UNREACHABLE);
        if (follower.refused || follower.behind)
            status = catch_up(&follower, follower.refused ? WAIT_MS : 0);
        if (fflush(stdout) != 0)
            return EXIT_OK; /* nobody reads any more */
        if (status == EXIT_OK && !follower.refused && !follower.behind && !follower.ended &&
            hypha_loop_run(client->loop) != HYPHA_OK)
            return complain(EXIT_UNREACHABLE, "the event loop failed");
    }
    return status;
}

static void on_pause_over(void *user)
{
    hypha_loop_stop(user);
}

static enum hypha_err pause_for(struct dchat_client *client, uint64_t ms)
{
    struct hy_timer timer;

    hy_timer_init(&timer, client->loop, on_pause_over, client->loop);
    hy_timer_start(&timer, ms);
    enum hypha_err err = hypha_loop_run(client->loop);
    hy_timer_stop(&timer);
    return err;
}

/* The reference's daemon: ask again and again, show what is longer. */
static int follow_polling(struct dchat_client *client, bool only_last)
{
    size_t shown = 0;

    for (bool first = true;; first = false) {
        int status = judge(client, ask(client, "recv", NULL, 0));
        if (status != EXIT_OK)
            return status;
        size_t count = json_array_size(client->result);
        if (first && only_last && count > TAIL_MESSAGES)
            shown = count - TAIL_MESSAGES;
        if (count < shown) /* the daemon was started anew */
            shown = 0;
        if (!show_texts(client, client->result, shown, &shown))
            return odd_reply(client);
        if (ferror(stdout))
            return EXIT_OK;
        client->err = pause_for(client, POLL_MS);
        if (client->err != HYPHA_OK)
            return judge(client, EXIT_UNREACHABLE);
    }
}

int follow(struct dchat_client *client, bool full)
{
    bool ours;
    int status = find_out(client, &ours);

    if (status != EXIT_OK)
        return status;
    if (!ours)
        return follow_polling(client, full);
    json_int_t next = json_integer_value(json_object_get(client->result, "next"));
    json_int_t since = full && next > TAIL_MESSAGES ? next - TAIL_MESSAGES : 0;
    return follow_ours(client, since, full);
}
