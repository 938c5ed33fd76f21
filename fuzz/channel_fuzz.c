/* A hostile peer: any bytes to a whole channel with the core protocols and an application's, in
 * any pieces, over any time, before and after the handshake. Its owner is told one stop, what it
 * keeps is bounded, and nothing is left.
 *
 * The first byte says what channel it is, the second how the rest is cut. */
#include "fuzz.h"

#include "channel/channel_internal.h"
#include "fakes/fake_app.h"
#include "fakes/fake_node.h"
#include "fakes/fake_stream.h"
#include "protocol/protocol.h"

#define MAX_QUEUE   (16 * 1024)
#define MAX_MESSAGE 4096
#define SLACK       (2 * MAX_MESSAGE) /* the message over the line, and what keeps it */
#define URGENT      (64 * 1024)

enum {
    MODE_SESSION = 0x07,
    MODE_SHAKEN = 0x08,  /* the handshake is done before the first byte */
    MODE_RELAXED = 0x10, /* ban policy */
    MODE_DEAF = 0x20,    /* the peer reads nothing */
    MODE_PAUSES = 0x40,  /* the application pauses within each message */
    MODE_ANSWERS = 0x80, /* and answers each */
};

struct hostile {
    struct hy_sim *sim;
    struct fake_node node;
    struct hy_core core;
    struct fake_app app;
    struct fake_stream stream;
    struct hypha_channel *channel;
    unsigned ready, stopped;
    uint8_t mode;
};

static void on_ready(struct hypha_channel *channel, void *user)
{
    struct hostile *hostile = user;

    FUZZ_CHECK(hostile->ready++ == 0 && hostile->stopped == 0);
    if (hypha_channel_session(channel) != HYPHA_SESSION_REFINE)
        hy_channel_run(channel);
}

static void on_stopped(struct hypha_channel *channel, enum hypha_err why, void *user)
{
    struct hostile *hostile = user;

    (void)channel;
    FUZZ_CHECK(why != HYPHA_OK && why != HYPHA_ERR_NOMEM);
    FUZZ_CHECK(hostile->stopped++ == 0);
}

static const struct hy_channel_owner owner = { on_ready, on_stopped };

static void on_message(struct hypha_channel *channel, void *user)
{
    struct hostile *hostile = user;
    const struct fake_message echo = { { (const uint8_t *)"answer", 6 } };

    FUZZ_CHECK(hostile->stopped == 0);
    if ((hostile->mode & MODE_PAUSES) != 0)
        hypha_channel_pause(channel);
    if ((hostile->mode & MODE_ANSWERS) == 0)
        return;
    enum hypha_err err = hypha_channel_send(channel, &fake_types[FAKE_NOTE], &echo);
    FUZZ_CHECK(err == HYPHA_OK || err == HYPHA_ERR_AGAIN || err == HYPHA_ERR_CHANNEL_STOPPED);
}

static void on_seeded(void *user, struct hypha_channel *channel, size_t inserted)
{
    (void)user;
    (void)inserted;
    hypha_channel_stop(channel);
}

static void open_node(struct hostile *hostile)
{
    struct hy_registration registrations[5];
    size_t count = hy_core_registrations(&hostile->core, registrations);
    size_t skip = (hostile->mode & MODE_SHAKEN) != 0 ? 1 : 0; /* no version protocol then */

    registrations[count++] = (struct hy_registration){ &fake_protocol, &hostile->app, false };
    must(hy_sim_create(1, &hostile->sim));
    fake_node_init(&hostile->node, hy_sim_loop(hostile->sim), registrations + skip, count - skip);
    hostile->node.settings.max_unlimited_bytes = MAX_MESSAGE;
    hostile->node.settings.max_recv_queue_bytes = MAX_QUEUE;
    hostile->node.settings.max_send_queue_bytes = MAX_QUEUE;
    hostile->node.settings.relaxed_bans = (hostile->mode & MODE_RELAXED) != 0;
    hostile->core.net = &hostile->node.net;
    hostile->core.user = hostile;
    hostile->core.on_seeded = on_seeded;
    hostile->app.quiet = true;
    hostile->app.on_message = on_message;
    hostile->app.user = hostile;
}

static void open_channel(struct hostile *hostile)
{
    static const enum hypha_session sessions[] = { HYPHA_SESSION_INBOUND, HYPHA_SESSION_OUTBOUND,
        HYPHA_SESSION_MANUAL, HYPHA_SESSION_SEED, HYPHA_SESSION_REFINE, HYPHA_SESSION_DIRECT,
        HYPHA_SESSION_INBOUND, HYPHA_SESSION_OUTBOUND };
    enum hypha_session session = sessions[hostile->mode & MODE_SESSION];
    struct hypha_url *url = fake_url("tcp://6.6.6.6:9000");

    fake_stream_init(&hostile->stream);
    if ((hostile->mode & MODE_DEAF) != 0)
        hostile->stream.room = 100;
    must(hy_channel_create(&hostile->node.net, session, &hostile->stream.base, url,
        session == HYPHA_SESSION_INBOUND ? NULL : url, false, &hostile->channel));
    hypha_url_unref(url);
    must(hy_channel_start(hostile->channel, &owner, hostile));
    if ((hostile->mode & MODE_SHAKEN) != 0)
        hy_channel_handshake_done(hostile->channel);
}

static void check_bounds(const struct hostile *hostile, size_t fed)
{
    const struct hypha_channel *channel = hostile->channel;

    FUZZ_CHECK(channel->kept_bytes <= MAX_QUEUE + SLACK);
    FUZZ_CHECK(channel->framing.held_cap <= 64 + 2 * fed && channel->unread_len <= fed);
    FUZZ_CHECK(hypha_channel_queued_bytes(channel) <= MAX_QUEUE + URGENT + SLACK);
}

static void step(struct hostile *hostile, uint32_t chance, const uint8_t *bytes, size_t len)
{
    static const uint64_t pauses_ms[] = { 0, 0, 0, 0, 0, 7, 1100, 11000 };

    (void)fake_stream_feed(&hostile->stream, bytes, len);
    hy_sim_run_for(hostile->sim, pauses_ms[chance % 8]);
    fake_stream_clear(&hostile->stream);
    if (chance % 3 == 0 && (hostile->mode & MODE_PAUSES) != 0)
        hypha_channel_resume(hostile->channel);
    if (chance % 11 == 0 && (hostile->mode & MODE_DEAF) != 0 && !hostile->stream.closed)
        fake_stream_allow(&hostile->stream, 50);
}

static void speak(struct hostile *hostile, uint32_t chance, const uint8_t *data, size_t size)
{
    for (size_t at = 0; at < size && !hypha_channel_is_stopped(hostile->channel);) {
        chance = chance * 1664525U + 1013904223U;
        size_t wish = 1 + (chance >> 22) % ((chance >> 20) % 4 == 0 ? 9 : 300);
        size_t len = wish < size - at ? wish : size - at;

        /* What is not read now stays with the peer. */
        if (hostile->stream.reading) {
            step(hostile, chance >> 8, data + at, len);
            at += len;
        } else {
            step(hostile, chance >> 8, NULL, 0);
        }
        check_bounds(hostile, at);
        while (!hostile->stream.reading && hostile->channel->pauses > 0 && chance % 2 == 0)
            hypha_channel_resume(hostile->channel);
    }
}

static void end(struct hostile *hostile, uint8_t how)
{
    if (!hostile->stream.closed && how % 3 > 0)
        fake_stream_end(&hostile->stream, how % 3 == 1 ? HYPHA_ERR_EOF : HYPHA_ERR_RESET);
    hypha_channel_stop(hostile->channel);
    hy_sim_run_for(hostile->sim, HY_LINGER_MS);
    FUZZ_CHECK(hostile->stopped == 1 && hostile->stream.closed);
    hypha_channel_unref(hostile->channel);
    FUZZ_CHECK(hostile->node.net.channel_count == 0 && hostile->node.net.lingering_count == 0);
    FUZZ_CHECK(hostile->node.net.by_id == NULL);
    FUZZ_CHECK(hy_block_pool_used(hostile->node.net.pool) == 0);
    FUZZ_CHECK(LIST_EMPTY(&hostile->core.held) && LIST_EMPTY(&hostile->core.shaking));
    fake_node_fini(&hostile->node);
    hy_sim_destroy(hostile->sim);
    fake_stream_fini(&hostile->stream);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static struct hostile hostile;

    if (size < 3)
        return 0;
    memset(&hostile, 0, sizeof hostile);
    hostile.mode = data[0];
    open_node(&hostile);
    open_channel(&hostile);
    speak(&hostile, data[1], data + 2, size - 2);
    end(&hostile, data[1]);
    return 0;
}
