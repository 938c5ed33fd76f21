/* scenario_cycles_test.c - a thousand lives of a node on the real loop, over loopback: no
 * descriptor, no byte, no host state is left behind.
 *
 * In each of its lives the subject has a live channel to the host, and is stopped in the middle
 * of a message that it receives. spec: network.md 2.3 */
#include "p2p/p2p.h"
#include "scenario/chat.h"

#include <dirent.h>
#include <malloc.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <cmocka.h>
#if defined(__has_feature)
#if __has_feature(address_sanitizer)
#define __SANITIZE_ADDRESS__ 1
#endif
#endif
#ifdef __SANITIZE_ADDRESS__
size_t __sanitizer_get_current_allocated_bytes(void); /* its header is not everywhere */
#endif

#define CYCLES       1000
#define FIRST        50 /* by then every pool has its size */
#define RECORD_BYTES 400

struct life {
    struct hypha_loop *loop;
    struct hypha_p2p *host, *subject;
    struct chat host_chat, subject_chat;
    unsigned cycles, connected;
    size_t bytes, descriptors; /* after the first lives */
    bool over;
};

static void ok(enum hypha_err err)
{
    assert_string_equal(hypha_err_name(err), "OK");
}

static struct hypha_p2p *make(struct life *life, const char *peer, struct chat *chat)
{
    struct hypha_settings *settings = NULL;
    struct hypha_p2p *p2p = NULL;

    ok(hypha_settings_create(&settings));
    ok(hypha_settings_set_text(settings, HYPHA_KEY_APP_NAME, "cycles"));
    ok(hypha_settings_set_text(settings, HYPHA_KEY_APP_VERSION, "1.0.0"));
    ok(hypha_settings_set_flag(settings, HYPHA_KEY_LOCALNET, true));
    ok(hypha_settings_add_profile(settings, "tcp"));
    ok(hypha_settings_add_active_profile(settings, "tcp"));
    ok(hypha_settings_add_url(settings, NULL, HYPHA_LIST_INBOUND, "tcp://127.0.0.1:0"));
    if (peer != NULL)
        ok(hypha_settings_add_url(settings, NULL, HYPHA_LIST_PEERS, peer));
    ok(hypha_p2p_create(life->loop, settings, &p2p));
    hypha_settings_destroy(settings);
    ok(hypha_p2p_register(p2p, &chat_protocol, chat));
    return p2p;
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

static void begin(void *user);

static void on_host_stopped(struct hypha_p2p *p2p, enum hypha_err why, void *user)
{
    struct life *life = user;

    (void)p2p;
    assert_int_equal(why, HYPHA_OK);
    life->over = true;
}

static void on_subject_stopped(struct hypha_p2p *p2p, enum hypha_err why, void *user)
{
    struct life *life = user;

    assert_int_equal(why, HYPHA_OK);
    assert_int_equal(hy_p2p_leftovers(p2p), 0);
    life->cycles++;
    ok(hypha_loop_post(life->loop, begin, life)); /* in a fresh turn: closed handles are gone */
}

static void on_host_event(const struct hypha_event *event, void *user)
{
    struct life *life = user;

    if (event->type == HYPHA_EVENT_CHANNEL_REGISTERED)
        assert_int_equal(chat_say(life->host, "live long"), 1);
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

/* What is allocated now. 0 where nobody knows (valgrind). */
static size_t live_bytes(void)
{
#ifdef __SANITIZE_ADDRESS__
    return __sanitizer_get_current_allocated_bytes();
#else
    return mallinfo2().uordblks;
#endif
}

static void begin(void *user)
{
    struct life *life = user;

    if (life->cycles == FIRST) {
        life->bytes = live_bytes();
        life->descriptors = count_descriptors();
    }
    if (life->cycles == CYCLES) {
        assert_int_equal(count_descriptors(), life->descriptors);
        /* The host remembers the ephemeral address of each visitor for a day (network.md 4.1). */
        assert_true(live_bytes() < life->bytes + (CYCLES - FIRST) * RECORD_BYTES);
        hypha_p2p_stop(life->host);
    } else
        ok(hypha_p2p_start(life->subject, NULL, on_subject_stopped, life));
}

static void on_host_started(struct hypha_p2p *p2p, void *user)
{
    struct life *life = user;

    life->subject = make(life, hypha_url_text(hypha_p2p_listen_addr(p2p, 0)), &life->subject_chat);
    ok(hypha_p2p_subscribe_events(life->host, on_host_event, life));
    ok(hypha_p2p_subscribe_events(life->subject, on_subject_event, life));
    begin(life);
}

static void a_thousand_lives_leave_nothing(void **unused)
{
    struct life life = { 0 };

    (void)unused;
    ok(hypha_loop_create(&life.loop));
    life.host = make(&life, NULL, &life.host_chat);
    ok(hypha_p2p_start(life.host, on_host_started, on_host_stopped, &life));
    ok(hypha_loop_run(life.loop));
    assert_true(life.over);
    assert_int_equal(life.cycles, CYCLES);
    assert_int_equal(life.connected, CYCLES);
    assert_int_equal(hy_p2p_leftovers(life.host), 0);
    assert_int_equal(life.subject_chat.started, CYCLES);
    assert_int_equal(life.subject_chat.stopped, CYCLES);
    assert_int_equal(life.host_chat.started, CYCLES);
    assert_int_equal(life.host_chat.stopped, CYCLES);
    hypha_p2p_destroy(life.subject);
    hypha_p2p_destroy(life.host);
    hypha_loop_destroy(life.loop);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_thousand_lives_leave_nothing),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
