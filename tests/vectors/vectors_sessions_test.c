/* The recorded connections: the packets of a direction are its session's bytes, and every
 * payload goes through our message types without changing a bit. */
#include "base/span.h"
#include "vectors/bytes.h"
#include "vectors/json.h"
#include "vectors/messages.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#define MIN_SESSIONS 18U

enum { DIALER, LISTENER, DIRECTIONS };

static size_t direction_of(const json_t *line)
{
    return strcmp(test_json_text(line, "dir"), "dialer->listener") == 0 ? DIALER : LISTENER;
}

/* Call `each` with every line of a file. */
static void each_line(const char *name,
    void (*each)(const json_t *line, struct hypha_writer streams[DIRECTIONS]),
    struct hypha_writer streams[DIRECTIONS])
{
    char *text = test_read_data(name);
    size_t lines = 0;

    assert_non_null(text);
    for (char *at = text; *at != '\0'; lines++) {
        size_t len = strcspn(at, "\n");
        json_t *line = test_json_parse(at, len);

        assert_non_null(line);
        each(line, streams);
        json_decref(line);
        at += len + (at[len] == '\n');
    }
    free(text);
    assert_true(lines > 0);
}

static void add_chunk(const json_t *line, struct hypha_writer streams[DIRECTIONS])
{
    const char *hex = test_json_text(line, "hex");

    if (hex != NULL)
        test_put_hex(&streams[direction_of(line)], hex);
}

/* Take the frame apart (spec: wire.md 2.1) and its payload too, and make both again. */
static void check_packet(struct hypha_span packet, const json_t *line)
{
    const char *command = test_json_text(line, "command");
    const struct test_message *message = test_message(command);
    struct hypha_reader frame = hypha_reader_of(packet), body;
    struct hypha_writer made = { 0 };
    struct hypha_span payload;
    json_t *fields;

    assert_non_null(message);
    (void)hypha_reader_take(&frame, 4);
    assert_true(hy_span_is(hypha_reader_take_string(&frame, 255), command));
    payload = hypha_reader_take_bytes(&frame, SIZE_MAX);
    assert_int_equal(hypha_reader_end(&frame), HYPHA_OK);
    assert_int_equal(payload.len, json_integer_value(json_object_get(line, "payload_len")));

    body = hypha_reader_of(payload);
    fields = test_message_take(message, &body);
    assert_int_equal(hypha_reader_end(&body), HYPHA_OK);
    assert_true(json_equal(fields, json_object_get(line, "fields")));
    message->put(&made, fields);
    assert_int_equal(made.err, HYPHA_OK);
    test_assert_bytes(command, hypha_writer_span(&made), payload);
    assert_true(message->type->max_bytes == 0 || made.len <= message->type->max_bytes);
    json_decref(fields);
    hypha_writer_fini(&made);
}

static void add_packet(const json_t *line, struct hypha_writer streams[DIRECTIONS])
{
    const char *hex = test_json_text(line, "packet_hex");
    struct hypha_writer packet = { 0 };

    if (hex == NULL) {
        assert_string_equal(test_json_text(line, "event"), "fin");
        assert_string_equal(test_json_text(line, "left_over_hex"), "");
        return;
    }
    test_put_hex(&packet, hex);
    assert_int_equal(packet.err, HYPHA_OK);
    check_packet(hypha_writer_span(&packet), line);
    hypha_writer_put(&streams[direction_of(line)], hypha_writer_span(&packet));
    hypha_writer_fini(&packet);
}

static void check_session(void **state)
{
    const json_t *files = *state;
    struct hypha_writer read[DIRECTIONS] = { 0 }, packets[DIRECTIONS] = { 0 };

    each_line(test_json_text(files, "session"), add_chunk, read);
    each_line(test_json_text(files, "frames"), add_packet, packets);
    for (size_t i = 0; i < DIRECTIONS; i++) {
        assert_int_equal(read[i].err, HYPHA_OK);
        assert_true(read[i].len > 0);
        test_assert_bytes("stream", hypha_writer_span(&packets[i]), hypha_writer_span(&read[i]));
        hypha_writer_fini(&read[i]);
        hypha_writer_fini(&packets[i]);
    }
}

int main(void)
{
    json_t *index = test_json_load("sessions-index.json");
    json_t *sessions = json_object_get(index, "sessions");
    size_t count = json_array_size(sessions);
    struct CMUnitTest *tests = calloc(count + 1, sizeof *tests);
    int failed;

    if (count < MIN_SESSIONS || tests == NULL) {
        (void)fprintf(stderr, "data/sessions-index.json cannot be read\n");
        free(tests);
        json_decref(index);
        return 1;
    }
    for (size_t i = 0; i < count; i++) {
        json_t *session = json_array_get(sessions, i);

        tests[i] = (struct CMUnitTest){
            .name = test_json_text(session, "session"),
            .test_func = check_session,
            .initial_state = session,
        };
    }
    failed = _cmocka_run_group_tests("sessions", tests, count, NULL, NULL);
    free(tests);
    json_decref(index);
    return failed;
}
