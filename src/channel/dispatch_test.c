#include "channel/dispatch.h"

#include "base/alloc.h"
#include "base/span.h"
#include "wire/message.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>

#include <cmocka.h>

static void read_nothing(struct hypha_reader *r, void *into)
{
    (void)r;
    (void)into;
}

static void write_nothing(struct hypha_writer *w, const void *message)
{
    (void)w;
    (void)message;
}

#define TYPE(name, threshold_)                                                                     \
    {                                                                                              \
        .command = name, .struct_bytes = 8, .metering = { 1, threshold_, 1, 1 },                   \
        .read = read_nothing, .write = write_nothing                                               \
    }

static const struct hypha_message_type chat_types[] = { TYPE("DchatMsg", 0), TYPE("b", 3) };
static const struct hypha_message_type rival_types[] = { TYPE("DchatMsg", 0) };
static const struct hypha_message_type thief_types[] = { TYPE("pong", 0) };

static const struct hypha_protocol ping = { .name = "ping",
    .sessions = HYPHA_SESSIONS_DEFAULT | HYPHA_SESSION_SEED,
    .messages = &hy_core_messages[HY_MESSAGE_PING],
    .message_count = 2 };
static const struct hypha_protocol version = { .name = "version",
    .sessions = HYPHA_SESSIONS_ALL,
    .messages = &hy_core_messages[HY_MESSAGE_VERSION],
    .message_count = 2 };
static const struct hypha_protocol chat = { .name = "chat",
    .sessions = HYPHA_SESSIONS_DEFAULT | HYPHA_SESSION_REFINE,
    .messages = chat_types,
    .message_count = 2 };
static const struct hypha_protocol rival = {
    .name = "rival", .sessions = HYPHA_SESSION_MANUAL, .messages = rival_types, .message_count = 1
};
static const struct hypha_protocol stranger = {
    .name = "stranger", .sessions = HYPHA_SESSION_SEED, .messages = rival_types, .message_count = 1
};
static const struct hypha_protocol thief = { .name = "thief",
    .sessions = HYPHA_SESSION_REFINE | HYPHA_SESSION_SEED,
    .messages = thief_types,
    .message_count = 1 };

static const struct hy_registration three[] = { { &version, NULL, true }, { &ping, NULL, false },
    { &chat, NULL, false } };

static const struct hy_command *find(const struct hy_dispatch_session *table, const char *name)
{
    return hy_dispatch_find(table, hy_span_of(name));
}

static void sessions_see_what_is_theirs(void **state)
{
    struct hy_dispatch *dispatch = NULL;

    (void)state;
    assert_int_equal(hy_dispatch_create(three, 3, &dispatch), HYPHA_OK);

    const struct hy_dispatch_session *in = hy_dispatch_session(dispatch, HYPHA_SESSION_INBOUND);
    assert_int_equal(in->command_count, 8);
    assert_int_equal(in->protocol_count, 3);
    assert_ptr_equal(in->protocols[1].protocol, &ping);
    /* spec: wire.md 4.3: the core's thresholds are 28 */
    assert_int_equal(in->meter_limit, 31);
    assert_int_equal(find(in, "ping")->protocol, 1);
    assert_int_equal(find(in, "getaddr")->protocol, -1);
    assert_ptr_equal(find(in, "DchatMsg")->type, &chat_types[0]);
    assert_null(find(in, "DchatMs"));
    assert_null(find(in, ""));
    assert_ptr_equal(hy_dispatch_find_type(in, &chat_types[1]), find(in, "b"));
    assert_null(hy_dispatch_find_type(in, &rival_types[0]));

    const struct hy_dispatch_session *seed = hy_dispatch_session(dispatch, HYPHA_SESSION_SEED);
    assert_null(find(seed, "DchatMsg"));
    assert_int_equal(seed->meter_limit, 28);

    /* spec: wire.md 5.2: refine channels attach nothing but the handshake */
    const struct hy_dispatch_session *refine = hy_dispatch_session(dispatch, HYPHA_SESSION_REFINE);
    assert_int_equal(refine->command_count, 6);
    assert_int_equal(refine->protocol_count, 1);
    assert_int_equal(find(refine, "ping")->protocol, -1);
    hy_dispatch_unref(dispatch);
}

static void every_index_is_used_once(void **state)
{
    struct hy_dispatch *dispatch = NULL;
    bool seen[8] = { false };

    (void)state;
    assert_int_equal(hy_dispatch_create(three, 3, &dispatch), HYPHA_OK);
    const struct hy_dispatch_session *in = hy_dispatch_session(dispatch, HYPHA_SESSION_INBOUND);
    for (size_t i = 0; i < in->command_count; i++) {
        assert_true(in->commands[i].index < 8);
        assert_false(seen[in->commands[i].index]);
        seen[in->commands[i].index] = true;
    }
    hy_dispatch_unref(dispatch);
}

static enum hypha_err try_with(const struct hypha_protocol *fourth)
{
    struct hy_registration four[4] = { three[0], three[1], three[2], { fourth, NULL, false } };
    struct hy_dispatch *dispatch = NULL;
    enum hypha_err err = hy_dispatch_create(four, 4, &dispatch);

    hy_dispatch_unref(dispatch);
    return err;
}

/* spec: wire.md 2.4: registering a command twice would orphan its subscribers */
static void a_command_has_one_protocol(void **state)
{
    (void)state;
    assert_int_equal(try_with(&rival), HYPHA_ERR_EXISTS);
    assert_int_equal(try_with(&stranger), HYPHA_OK);
    assert_int_equal(try_with(&thief), HYPHA_ERR_EXISTS);
}

static void too_many_commands(void **state)
{
    static struct hypha_message_type types[HY_MAX_COMMANDS];
    static char names[HY_MAX_COMMANDS][8];
    struct hypha_protocol big = { .name = "big",
        .sessions = HYPHA_SESSIONS_DEFAULT,
        .messages = types,
        .message_count = HY_MAX_COMMANDS };

    (void)state;
    for (size_t i = 0; i < HY_MAX_COMMANDS; i++) {
        (void)snprintf(names[i], sizeof names[i], "c%zu", i);
        types[i] = (struct hypha_message_type)TYPE(names[i], 0);
    }
    assert_int_equal(try_with(&big), HYPHA_ERR_LIMIT);
}

static void unusable_tables(void **state)
{
    static char long_name[257];
    struct hypha_message_type type = TYPE("ok", 0);
    struct hypha_protocol protocol = { .messages = &type, .message_count = 1 };

    (void)state;
    assert_int_equal(hy_dispatch_check(&protocol), HYPHA_OK);
    type.command = "";
    assert_int_equal(hy_dispatch_check(&protocol), HYPHA_ERR_INVALID);
    for (size_t i = 0; i < 256; i++)
        long_name[i] = 'x';
    type.command = long_name;
    assert_int_equal(hy_dispatch_check(&protocol), HYPHA_ERR_INVALID);
    type.command = long_name + 1;
    assert_int_equal(hy_dispatch_check(&protocol), HYPHA_OK);
    type.command = "\xff";
    assert_int_equal(hy_dispatch_check(&protocol), HYPHA_ERR_INVALID);
    type.command = "ok";
    type.struct_bytes = HYPHA_MAX_MESSAGE_STRUCT_BYTES + 1;
    assert_int_equal(hy_dispatch_check(&protocol), HYPHA_ERR_INVALID);
    type.struct_bytes = 1;
    type.read = NULL;
    assert_int_equal(hy_dispatch_check(&protocol), HYPHA_ERR_INVALID);
    assert_int_equal(hy_dispatch_check(NULL), HYPHA_ERR_INVALID);
}

static void without_memory(void **state)
{
    size_t n = 0;
    enum hypha_err err;

    (void)state;
    do {
        struct hy_dispatch *dispatch = NULL;

        hy_alloc_fail_after(n++);
        err = hy_dispatch_create(three, 3, &dispatch);
        hy_alloc_fail_after(SIZE_MAX);
        assert_true(err == HYPHA_OK || err == HYPHA_ERR_NOMEM);
        hy_dispatch_unref(dispatch);
    } while (err != HYPHA_OK);
    assert_true(n > 10);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(sessions_see_what_is_theirs),
        cmocka_unit_test(every_index_is_used_once),
        cmocka_unit_test(a_command_has_one_protocol),
        cmocka_unit_test(too_many_commands),
        cmocka_unit_test(unusable_tables),
        cmocka_unit_test(without_memory),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
