/* torture_cycles_test.c - a thousand lives of a node with a live channel, over loopback: to the
 * byte and the descriptor what it was after the first ones.
 *
 * In each of its lives it is stopped in the middle of a message that it receives. The host beside
 * it remembers every visitor for a day (spec: network.md 4.1), so it has grown a little when the
 * last one leaves, and is made anew, and gone, when what is left is counted.
 * spec: network.md 2.3 */
#include "p2p/p2p.h"
#include "scenario/chat.h"
#include "torture/torture.h"

#include <dirent.h>
#include <malloc.h>
#include <string.h>

#define FIRST  50 /* by then every pool has its size */
#define CYCLES 1000
/* Where the C library alone counts: what its caches may hold back. */
#define CACHES       65536
#define RECORD_BYTES 400 /* at most, for a visitor */

struct life {
    struct hypha_loop *loop;
    struct hypha_p2p *host, *subject;
    struct hypha_url *address; /* the host's */
    struct chat host_chat, subject_chat;
    unsigned cycles, goal;
    unsigned connected;
    size_t bytes; /* while the host lives, after its first visitors */
};

struct left {
    size_t bytes, descriptors;
};

static void ok(enum hypha_err err)
{
    assert_string_equal(hypha_err_name(err), "OK");
}

static struct hypha_p2p *make(
    struct life *life, const char *inbound, const char *peer, struct chat *chat)
{
    struct hypha_settings *settings = NULL;
    struct hypha_p2p *p2p = NULL;

    ok(hypha_settings_create(&settings));
    ok(hypha_settings_set_text(settings, HYPHA_KEY_APP_NAME, "cycles"));
    ok(hypha_settings_set_text(settings, HYPHA_KEY_APP_VERSION, "1.0.0"));
    ok(hypha_settings_set_flag(settings, HYPHA_KEY_LOCALNET, true));
    ok(hypha_settings_add_profile(settings, "tcp"));
    ok(hypha_settings_add_active_profile(settings, "tcp"));
    ok(hypha_settings_add_url(settings, NULL, HYPHA_LIST_INBOUND, inbound));
    if (peer != NULL)
        ok(hypha_settings_add_url(settings, NULL, HYPHA_LIST_PEERS, peer));
    ok(hypha_p2p_create(life->loop, settings, &p2p));
    hypha_settings_destroy(settings);
    ok(hypha_p2p_register(p2p, &chat_protocol, chat));
    return p2p;
}

static void begin(void *user);

static void on_subject_stopped(struct hypha_p2p *p2p, enum hypha_err why, void *user)
{
    struct life *life = user;

    assert_int_equal(why, HYPHA_OK);
    assert_int_equal(hy_p2p_leftovers(p2p), 0);
    life->cycles++;
    ok(hypha_loop_post(life->loop, begin, life)); /* in a fresh turn: closed handles are gone */
}

/* In the middle of receiving: the line is about to be read. */
static void on_subject_event(const struct hypha_event *event, void *user)
{
    struct life *life = user;

    if (event->type != HYPHA_EVENT_RECV || strcmp(event->command, "line") != 0)
        return;
    life->connected++;
    hypha_p2p_stop(life->subject);
}

static void on_host_event(const struct hypha_event *event, void *user)
{
    struct life *life = user;

    if (event->type == HYPHA_EVENT_CHANNEL_REGISTERED)
        assert_int_equal(chat_say(life->host, "live long"), 1);
}

static size_t live_bytes(void)
{
    size_t bytes = torture_live_bytes();

    return bytes > 0 ? bytes : mallinfo2().uordblks;
}

static void begin(void *user)
{
    struct life *life = user;

    if (life->cycles == 2 * FIRST)
        life->bytes = live_bytes();
    if (life->cycles == FIRST + CYCLES)
        assert_true(live_bytes() < life->bytes + CYCLES * RECORD_BYTES);
    if (life->cycles == life->goal)
        hypha_p2p_stop(life->host);
    else
        ok(hypha_p2p_start(life->subject, NULL, on_subject_stopped, life));
}

static void on_host_started(struct hypha_p2p *p2p, void *user)
{
    struct life *life = user;

    if (life->subject == NULL) {
        life->address = hypha_url_ref((struct hypha_url *)hypha_p2p_listen_addr(p2p, 0));
        life->subject = make(
            life, "tcp://127.0.0.1:0", hypha_url_text(life->address), &life->subject_chat);
        ok(hypha_p2p_subscribe_events(life->subject, on_subject_event, life));
    }
    begin(life);
}

static void on_host_stopped(struct hypha_p2p *p2p, enum hypha_err why, void *user)
{
    (void)user;
    assert_int_equal(why, HYPHA_OK);
    assert_int_equal(hy_p2p_leftovers(p2p), 0);
}

static size_t count_descriptors(void)
{
    DIR *folder = opendir("/proc/self/fd");
    size_t count = 0;

    assert_non_null(folder);
    while (readdir(folder) != NULL)
        count++;
    (void)closedir(folder);
    return count;
}

/* Live until `goal` lives are over; the host is gone afterwards. */
static struct left live_until(struct life *life, unsigned goal)
{
    struct left left;

    life->goal = goal;
    life->host = make(life,
        life->address != NULL ? hypha_url_text(life->address) : "tcp://127.0.0.1:0", NULL,
        &life->host_chat);
    ok(hypha_p2p_subscribe_events(life->host, on_host_event, life));
    ok(hypha_p2p_start(life->host, on_host_started, on_host_stopped, life));
    ok(hypha_loop_run(life->loop));
    assert_int_equal(life->cycles, goal);
    hypha_p2p_destroy(life->host);
    left.descriptors = count_descriptors();
    left.bytes = live_bytes();
    return left;
}

static void a_thousand_lives_leave_nothing(void **state)
{
    struct life life = { 0 };

    (void)state;
    ok(hypha_loop_create(&life.loop));
    struct left before = live_until(&life, FIRST);
    struct left after = live_until(&life, FIRST + CYCLES);
    print_message("%zu bytes before, %zu after\n", before.bytes, after.bytes);
    assert_int_equal(before.descriptors, after.descriptors);
    if (torture_live_bytes() > 0)
        assert_int_equal(before.bytes, after.bytes);
    else
        assert_true(after.bytes <= before.bytes + CACHES);
    assert_int_equal(life.connected, FIRST + CYCLES);
    assert_int_equal(life.host_chat.started, FIRST + CYCLES);
    assert_int_equal(life.host_chat.stopped, FIRST + CYCLES);
    assert_int_equal(life.subject_chat.started, FIRST + CYCLES);
    assert_int_equal(life.subject_chat.stopped, FIRST + CYCLES);
    hypha_p2p_destroy(life.subject);
    hypha_url_unref(life.address);
    hypha_loop_destroy(life.loop);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_thousand_lives_leave_nothing),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
