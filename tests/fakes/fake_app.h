/* fakes/fake_app.h - an application protocol for channel tests: it writes down what happens.
 *
 * Every message is a run of bytes. "note" is unlimited and unmetered, "slow" is metered as ping
 * is, "tiny" takes at most two bytes and, as `read` wants, exactly two. */
#ifndef FAKES_FAKE_APP_H
#define FAKES_FAKE_APP_H

#include "channel/channel.h"
#include "loop/loop.h"

#include <stdio.h>
#include <string.h>

struct fake_message {
    struct hypha_span body;
};

static inline void fake_read_all(struct hypha_reader *r, void *into)
{
    ((struct fake_message *)into)->body = hypha_reader_take(r, r->rest.len);
}

static inline void fake_read_two(struct hypha_reader *r, void *into)
{
    ((struct fake_message *)into)->body = hypha_reader_take(r, 2);
}

static inline void fake_write_all(struct hypha_writer *w, const void *message)
{
    hypha_writer_put(w, ((const struct fake_message *)message)->body);
}

enum { FAKE_NOTE, FAKE_SLOW, FAKE_TINY, FAKE_TYPES };
static const struct hypha_message_type fake_types[FAKE_TYPES] = {
    { "note", 0, { 0, 0, 0, 0 }, sizeof(struct fake_message), fake_read_all, fake_write_all },
    { "slow", 8, { 1, 4, 1000, 10000 }, sizeof(struct fake_message), fake_read_all,
        fake_write_all },
    { "tiny", 3, { 0, 0, 0, 0 }, sizeof(struct fake_message), fake_read_two, fake_write_all },
};

struct fake_app {
    char story[8192]; /* "attach start note(abc)@1000 writable stop:EOF " */
    size_t len;
    unsigned messages;
    size_t bytes;
    bool quiet;      /* count messages only */
    bool with_times; /* append @ms since `epoch_ms` */
    uint64_t epoch_ms;
    enum hypha_err attach_err;
    enum hypha_err message_err;
    void (*on_message)(struct hypha_channel *channel, void *user); /* within on_message */
    void (*on_start)(struct hypha_channel *channel, void *user);
    void (*on_writable)(struct hypha_channel *channel, void *user);
    void *user;
};

static inline void fake_app_tell(struct fake_app *app, const char *text)
{
    int n = snprintf(app->story + app->len, sizeof app->story - app->len, "%s ", text);

    app->len += (size_t)n < sizeof app->story - app->len ? (size_t)n : 0;
}

static inline enum hypha_err fake_app_on_attach(
    struct hypha_channel *channel, void *user, void **ret_state)
{
    struct fake_app *app = user;

    (void)channel;
    fake_app_tell(app, "attach");
    *ret_state = app->story;
    return app->attach_err;
}

static inline void fake_app_on_start(struct hypha_channel *channel, void *user, void *state)
{
    struct fake_app *app = user;

    (void)state;
    fake_app_tell(app, "start");
    if (app->on_start != NULL)
        app->on_start(channel, app->user);
}

static inline enum hypha_err fake_app_on_message(struct hypha_channel *channel, void *user,
    void *state, const struct hypha_message_type *type, const void *message)
{
    struct fake_app *app = user;
    struct hypha_span body = ((const struct fake_message *)message)->body;
    char line[64], at[32] = "";

    (void)state;
    app->messages++;
    app->bytes += body.len;
    if (!app->quiet && app->with_times)
        (void)snprintf(at, sizeof at, "@%llu",
            (unsigned long long)(hy_now_ms(hy_channel_net(channel)->loop) - app->epoch_ms));
    if (!app->quiet)
        (void)snprintf(line, sizeof line, "%s(%.*s)%s", type->command,
            (int)(body.len < 16 ? body.len : 16), body.len > 0 ? (const char *)body.at : "", at);
    if (!app->quiet)
        fake_app_tell(app, line);
    if (app->on_message != NULL)
        app->on_message(channel, app->user);
    return app->message_err;
}

static inline void fake_app_on_writable(struct hypha_channel *channel, void *user, void *state)
{
    struct fake_app *app = user;

    (void)state;
    fake_app_tell(app, "writable");
    if (app->on_writable != NULL)
        app->on_writable(channel, app->user);
}

static inline void fake_app_on_stop(
    struct hypha_channel *channel, void *user, void *state, enum hypha_err why)
{
    char line[64];

    (void)channel;
    (void)state;
    (void)snprintf(line, sizeof line, "stop:%s", hypha_err_name(why));
    fake_app_tell(user, line);
}

static const struct hypha_protocol fake_protocol = {
    .name = "fake",
    .sessions = HYPHA_SESSIONS_ALL,
    .messages = fake_types,
    .message_count = FAKE_TYPES,
    .on_attach = fake_app_on_attach,
    .on_start = fake_app_on_start,
    .on_message = fake_app_on_message,
    .on_writable = fake_app_on_writable,
    .on_stop = fake_app_on_stop,
};

#endif
