/* p2p_test.c - a node by its public interface: settings, registration, its own loop, signals. */
#include "p2p/p2p.h"

#include <pthread.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include <cmocka.h>

struct lines {
    bool started, stopped, outbound_only, failed;
};

static void on_line(void *user, enum hypha_log_level level, const char *target, const char *text)
{
    struct lines *lines = user;

    (void)level;
    (void)target;
    lines->started |= strcmp(text, "[P2P] P2P subsystem started") == 0;
    lines->stopped |= strcmp(text, "[P2P] P2P subsystem stopped") == 0;
    lines->outbound_only |= strcmp(text, "Not configured for accepting incoming connections.") == 0;
    lines->failed |= strncmp(text, "Failed to start inbound session!: ", 34) == 0;
}

static struct hypha_settings *settings_of(struct lines *lines)
{
    struct hypha_settings *settings = NULL;

    assert_int_equal(hypha_settings_create(&settings), HYPHA_OK);
    assert_int_equal(hypha_settings_set_text(settings, HYPHA_KEY_APP_NAME, "p2p_test"), HYPHA_OK);
    assert_int_equal(hypha_settings_set_text(settings, HYPHA_KEY_APP_VERSION, "0.1.0"), HYPHA_OK);
    assert_int_equal(hypha_settings_set_flag(settings, HYPHA_KEY_LOCALNET, true), HYPHA_OK);
    assert_int_equal(hypha_settings_add_profile(settings, "tcp"), HYPHA_OK);
    assert_int_equal(hypha_settings_add_active_profile(settings, "tcp"), HYPHA_OK);
    hypha_settings_set_log(settings, on_line, lines, HYPHA_LOG_INFO);
    return settings;
}

static struct hypha_p2p *node_of(struct hypha_settings *settings)
{
    struct hypha_p2p *p2p = NULL;

    assert_int_equal(hypha_p2p_create(NULL, settings, &p2p), HYPHA_OK);
    hypha_settings_destroy(settings);
    return p2p;
}

/* Stops the node as soon as it listens, by a way of its own. */
static void on_event_raise(const struct hypha_event *event, void *user)
{
    if (event->type == HYPHA_EVENT_OUTBOUND_PEER_DISCOVERY)
        (void)raise(*(int *)user);
}

static void signals_end_a_run(void **unused)
{
    int signals[] = { SIGINT, SIGTERM, SIGQUIT };

    (void)unused;
    for (size_t i = 0; i < 3; i++) {
        struct lines lines = { 0 };
        struct hypha_p2p *p2p = node_of(settings_of(&lines));

        assert_int_equal(hypha_p2p_subscribe_events(p2p, on_event_raise, &signals[i]), HYPHA_OK);
        assert_int_equal(hypha_p2p_run(p2p), HYPHA_OK);
        assert_true(lines.started);
        assert_true(lines.outbound_only); /* spec: network.md 7.3 */
        assert_true(lines.stopped);
        assert_int_equal(hypha_p2p_run(p2p), HYPHA_OK); /* and again */
        hypha_p2p_destroy(p2p);
    }
}

static void *interrupt_from_thread(void *user)
{
    hypha_p2p_interrupt(user);
    return NULL;
}

struct other_thread {
    pthread_t thread;
    struct hypha_p2p *p2p;
    bool begun;
};

static void on_event_thread(const struct hypha_event *event, void *user)
{
    struct other_thread *other = user;

    (void)event;
    if (!other->begun)
        assert_int_equal(
            pthread_create(&other->thread, NULL, interrupt_from_thread, other->p2p), 0);
    other->begun = true;
}

static void another_thread_may_interrupt(void **unused)
{
    struct lines lines = { 0 };
    struct other_thread other = { .p2p = node_of(settings_of(&lines)) };

    (void)unused;
    assert_int_equal(hypha_p2p_subscribe_events(other.p2p, on_event_thread, &other), HYPHA_OK);
    assert_int_equal(hypha_p2p_run(other.p2p), HYPHA_OK);
    assert_true(other.begun);
    assert_int_equal(pthread_join(other.thread, NULL), 0);
    hypha_p2p_destroy(other.p2p);
}

/* The start's error is the run's. spec: network.md 2.2 */
static void a_bad_listen_address_ends_the_run(void **unused)
{
    struct lines lines = { 0 };
    struct hypha_settings *settings = settings_of(&lines);

    (void)unused;
    assert_int_equal(
        hypha_settings_add_url(settings, NULL, HYPHA_LIST_INBOUND, "tcp://192.0.2.1:1"),
        HYPHA_OK); /* TEST-NET: not ours */
    struct hypha_p2p *p2p = node_of(settings);
    assert_int_equal(hypha_p2p_run(p2p), HYPHA_ERR_ADDR_NOT_AVAILABLE);
    assert_true(lines.failed);
    assert_false(lines.started);
    assert_int_equal(hy_p2p_leftovers(p2p), 0);
    assert_null(hypha_p2p_listen_addr(p2p, 0));
    hypha_p2p_destroy(p2p);
}

static void bad_settings_make_no_node(void **unused)
{
    struct lines lines = { 0 };
    struct hypha_settings *settings = settings_of(&lines);
    struct hypha_p2p *p2p = NULL;

    (void)unused;
    assert_int_equal(hypha_settings_add_active_profile(settings, "tor"), HYPHA_OK);
    assert_int_equal(hypha_p2p_create(NULL, settings, &p2p), HYPHA_ERR_SETTINGS);
    assert_null(p2p);
    assert_non_null(strstr(hypha_settings_why(settings), "tor"));
    hypha_settings_destroy(settings);
}

/* With its parents, for the owner alone. spec: network.md 2.1 */
static void the_datastore_is_made(void **unused)
{
    char root[] = "/tmp/hypha-p2p-XXXXXX", path[64];
    struct lines lines = { 0 };
    struct hypha_settings *settings = settings_of(&lines);
    struct stat found;

    (void)unused;
    assert_non_null(mkdtemp(root));
    (void)snprintf(path, sizeof(path), "%s/a/b", root);
    assert_int_equal(hypha_settings_set_text(settings, HYPHA_KEY_P2P_DATASTORE, path), HYPHA_OK);
    struct hypha_p2p *p2p = node_of(settings);
    assert_int_equal(stat(path, &found), 0);
    assert_true(S_ISDIR(found.st_mode));
    assert_int_equal(found.st_mode & 0777, 0700);
    hypha_p2p_destroy(p2p);
    (void)rmdir(path);
    (void)snprintf(path, sizeof(path), "%s/a", root);

    /* A file is in the way. */
    (void)rmdir(path);
    FILE *file = fopen(path, "w");
    assert_non_null(file);
    (void)fclose(file);
    settings = settings_of(&lines);
    (void)snprintf(path, sizeof(path), "%s/a/b", root);
    assert_int_equal(hypha_settings_set_text(settings, HYPHA_KEY_P2P_DATASTORE, path), HYPHA_OK);
    assert_int_equal(hypha_p2p_create(NULL, settings, &p2p), HYPHA_ERR_SYSTEM);
    hypha_settings_destroy(settings);
    (void)snprintf(path, sizeof(path), "%s/a", root);
    (void)unlink(path);
    (void)rmdir(root);
}

static void take_nothing(struct hypha_reader *payload, void *ret_message)
{
    (void)payload;
    (void)ret_message;
}

static void put_nothing(struct hypha_writer *payload, const void *message)
{
    (void)payload;
    (void)message;
}

static void a_command_belongs_to_one_protocol(void **unused)
{
    static const struct hypha_message_type hello = {
        .command = "hello", .max_bytes = 1, .read = take_nothing, .write = put_nothing
    };
    static const struct hypha_message_type ping = {
        .command = "ping", .max_bytes = 1, .read = take_nothing, .write = put_nothing
    };
    static const struct hypha_protocol one = {
        .name = "one", .sessions = HYPHA_SESSIONS_DEFAULT, .messages = &hello, .message_count = 1
    };
    static const struct hypha_protocol core = {
        .name = "core", .sessions = HYPHA_SESSIONS_DEFAULT, .messages = &ping, .message_count = 1
    };
    static const struct hypha_message_type nameless = { .command = "" };
    static const struct hypha_protocol broken = { .name = "broken",
        .sessions = HYPHA_SESSIONS_DEFAULT,
        .messages = &nameless,
        .message_count = 1 };
    struct lines lines = { 0 };
    struct hypha_p2p *p2p = node_of(settings_of(&lines));

    (void)unused;
    assert_int_equal(hypha_p2p_register(p2p, &one, NULL), HYPHA_OK);
    assert_int_equal(hypha_p2p_register(p2p, &one, NULL), HYPHA_ERR_EXISTS);
    assert_int_equal(hypha_p2p_register(p2p, &core, NULL), HYPHA_ERR_EXISTS);
    assert_int_equal(hypha_p2p_register(p2p, &broken, NULL), HYPHA_ERR_INVALID);
    hypha_p2p_destroy(p2p);
}

/* A node that is not running answers every question. */
static void a_stopped_node_can_be_looked_at(void **unused)
{
    static const struct hypha_message_type hello = {
        .command = "hello", .read = take_nothing, .write = put_nothing
    };
    struct lines lines = { 0 };
    struct hypha_p2p *p2p = node_of(settings_of(&lines));
    size_t sent = 7;

    (void)unused;
    assert_int_equal(hypha_p2p_peers_count(p2p), 0);
    assert_int_equal(hypha_p2p_slot_count(p2p), 8);
    assert_int_equal(hypha_p2p_slot_channel(p2p, 3), 0);
    assert_null(hypha_p2p_channel(p2p, 1));
    assert_null(hypha_p2p_listen_addr(p2p, 0));
    assert_non_null(hypha_p2p_loop(p2p));
    hypha_p2p_seed(p2p);
    hypha_p2p_stop(p2p);
    assert_int_equal(hypha_p2p_broadcast(p2p, &hello, NULL, &sent), HYPHA_ERR_NETWORK_STOPPED);
    assert_int_equal(sent, 7);
    hypha_p2p_destroy(p2p);
    hypha_p2p_destroy(NULL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(signals_end_a_run),
        cmocka_unit_test(another_thread_may_interrupt),
        cmocka_unit_test(a_bad_listen_address_ends_the_run),
        cmocka_unit_test(bad_settings_make_no_node),
        cmocka_unit_test(the_datastore_is_made),
        cmocka_unit_test(a_command_belongs_to_one_protocol),
        cmocka_unit_test(a_stopped_node_can_be_looked_at),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
