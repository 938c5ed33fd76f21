/* Every entry of data/wire.json is a test, checked as data/README.md says. */
#include "base/span.h"
#include "settings/settings.h"
#include "url/url.h"
#include "vectors/bytes.h"
#include "vectors/json.h"
#include "vectors/messages.h"
#include "vectors/values.h"
#include "wire/message.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

/* At least as many were recorded; fewer means that the file was not read. */
#define MIN_ENTRIES 236U

static const json_t *member(const json_t *entry, const char *key)
{
    return json_object_get(entry, key);
}

/* The bytes of a hexadecimal member; none if it is null. */
static struct hypha_writer bytes_of(const json_t *entry, const char *key)
{
    struct hypha_writer w = { 0 };
    const char *hex = test_json_text(entry, key);

    if (hex != NULL)
        test_put_hex(&w, hex);
    assert_int_equal(w.err, HYPHA_OK);
    return w;
}

static void assert_json(const char *name, const json_t *got, const json_t *wanted)
{
    char *texts[2];

    if (json_equal(got, wanted))
        return;
    texts[0] = json_dumps(got, JSON_SORT_KEYS | JSON_ENCODE_ANY);
    texts[1] = json_dumps(wanted, JSON_SORT_KEYS | JSON_ENCODE_ANY);
    print_error("%s: %s instead of %s\n", name, texts[0], texts[1]);
    free(texts[0]);
    free(texts[1]);
    fail();
}

/* ---- constants and limits ---- */

/* A node of the recorded kind with nothing else set. */
static struct hy_resolved_settings *resolve_defaults(void)
{
    struct hypha_settings *settings = NULL;
    struct hy_resolved_settings *resolved = NULL;

    assert_int_equal(hypha_settings_create(&settings), HYPHA_OK);
    assert_int_equal(hypha_settings_set_text(settings, HYPHA_KEY_APP_NAME, "dchatd"), HYPHA_OK);
    assert_int_equal(hypha_settings_set_text(settings, HYPHA_KEY_APP_VERSION, "0.4.1"), HYPHA_OK);
    assert_int_equal(hy_settings_resolve(settings, &resolved), HYPHA_OK);
    hypha_settings_destroy(settings);
    return resolved;
}

static void check_settings(const json_t *wanted)
{
    struct hy_resolved_settings *resolved = resolve_defaults();
    json_t *got;

    got = json_pack("{s:i, s:i, s:i, s:i, s:i, s:i, s:i, s:b, s:s, s:i, s:i, s:i}",
        "outbound_connections", (int)resolved->outbound_connections, "inbound_connections",
        (int)resolved->inbound_connections, "outbound_peer_discovery_cooloff_time",
        (int)resolved->discovery_cooloff_ms / 1000, "outbound_peer_discovery_attempt_time",
        (int)resolved->discovery_attempt_ms / 1000, "greylist_refinery_interval",
        (int)resolved->refinery_interval_ms / 1000, "known_peer_percent",
        (int)resolved->known_peer_percent, "time_with_no_connections",
        (int)resolved->time_with_no_connections_ms / 1000, "localnet", (int)resolved->localnet,
        "i2p_socks5_proxy", hypha_url_text(resolved->i2p_socks5_proxy), "outbound_connect_timeout",
        (int)resolved->fallback.connect_ms / 1000, "channel_handshake_timeout",
        (int)resolved->fallback.handshake_ms / 1000, "channel_heartbeat_interval",
        (int)resolved->fallback.heartbeat_ms / 1000);
    assert_json("settings", got, wanted);
    assert_int_equal(resolved->fallback.connect_ms % 1000, 0);
    json_decref(got);
    hy_resolved_settings_destroy(resolved);
}

static void check_magic(const json_t *entry)
{
    struct hy_resolved_settings *resolved = resolve_defaults();
    struct hypha_writer wanted = bytes_of(entry, "payload_hex");

    test_assert_bytes(
        "magic", hy_span(resolved->magic, sizeof resolved->magic), hypha_writer_span(&wanted));
    hy_resolved_settings_destroy(resolved);
    hypha_writer_fini(&wanted);
}

static void check_constant(const json_t *entry)
{
    const json_t *fields = member(entry, "fields");

    if (member(fields, "magic") != NULL)
        check_magic(entry);
    else
        check_settings(fields);
}

static void check_limits(const json_t *entry)
{
    const struct test_message *message = test_message(test_json_text(entry, "command"));
    json_t *got;

    assert_non_null(message);
    const struct hypha_metering *metering = &message->type->metering;
    got = json_pack("{s:I, s:I, s:I, s:I, s:I}", "max_bytes", (json_int_t)message->type->max_bytes,
        "metering_score", (json_int_t)metering->score, "threshold", (json_int_t)metering->threshold,
        "sleep_step_ms", (json_int_t)metering->sleep_step_ms, "expiry_ns",
        (json_int_t)metering->expiry_ms * 1000000);
    assert_json(test_json_text(entry, "name"), got, member(entry, "fields"));
    json_decref(got);
}

/* ---- messages ---- */

/* The frame around a payload: spec: wire.md 2.1. */
static void put_frame(struct hypha_writer *w, const json_t *entry, struct hypha_span payload)
{
    const json_t *magic = member(member(entry, "fields"), "magic");
    static const uint8_t usual[4] = { 0xd9, 0xef, 0xb6, 0x7d };

    for (size_t i = 0; i < sizeof usual; i++)
        hypha_writer_put_u8(
            w, magic == NULL ? usual[i] : (uint8_t)json_integer_value(json_array_get(magic, i)));
    hypha_writer_put_text(w, test_json_text(entry, "command"));
    hypha_writer_put_bytes(w, payload);
}

/* A getaddr over its limit can be read, but our writer never makes one: it leaves out what
 * does not fit (wire.md 3.1). `fields` then lose their last transports. */
static void cut_getaddr(const struct test_message *message, json_t *fields, size_t payload_bytes)
{
    json_t *list = json_object_get(fields, "transports");

    while (payload_bytes > message->type->max_bytes) {
        size_t last = json_array_size(list) - 1;

        payload_bytes -= 1 + json_string_length(json_array_get(list, last));
        (void)json_array_remove(list, last);
    }
}

static void check_message(const json_t *entry)
{
    const char *name = test_json_text(entry, "name");
    const struct test_message *message = test_message(test_json_text(entry, "command"));
    struct hypha_writer payload = bytes_of(entry, "payload_hex");
    struct hypha_writer packet = bytes_of(entry, "packet_hex");
    struct hypha_writer made = { 0 }, frame = { 0 };
    struct hypha_reader r = hypha_reader_of(hypha_writer_span(&payload));
    json_t *wanted = json_copy(json_object_get(entry, "fields")), *read;

    assert_non_null(message);
    (void)json_object_del(wanted, "magic");
    read = test_message_take(message, &r);
    assert_int_equal(hypha_reader_end(&r), HYPHA_OK);
    assert_json(name, read, wanted);
    message->put(&made, wanted);
    assert_int_equal(made.err, HYPHA_OK);
    if (message->type->max_bytes > 0 && payload.len > message->type->max_bytes) {
        assert_string_equal(name, "getaddr/3");
        cut_getaddr(message, read, payload.len);
        json_t *shorter;
        r = hypha_reader_of(hypha_writer_span(&made));
        shorter = test_message_take(message, &r);
        assert_json(name, shorter, read);
        json_decref(shorter);
    } else {
        test_assert_bytes(name, hypha_writer_span(&made), hypha_writer_span(&payload));
    }
    put_frame(&frame, entry, hypha_writer_span(&payload));
    test_assert_bytes(name, hypha_writer_span(&frame), hypha_writer_span(&packet));
    json_decref(read);
    json_decref(wanted);
    hypha_writer_fini(&payload);
    hypha_writer_fini(&packet);
    hypha_writer_fini(&made);
    hypha_writer_fini(&frame);
}

/* ---- values ---- */

static void check_value(const json_t *entry)
{
    const char *name = test_json_text(entry, "name");
    const struct test_value_kind *kind = test_value_kind(test_json_text(entry, "kind"));
    const json_t *wanted = member(entry, "fields");
    struct hypha_writer payload = bytes_of(entry, "payload_hex");
    struct hypha_reader r = hypha_reader_of(hypha_writer_span(&payload));
    struct hypha_writer made = { 0 };
    json_t *read;

    assert_non_null(kind);
    if (strcmp(kind->name, "semver") != 0)
        wanted = member(wanted, "value");
    read = kind->take(&r);
    assert_int_equal(hypha_reader_end(&r), HYPHA_OK);
    assert_json(name, read, wanted);
    kind->put(&made, wanted);
    assert_int_equal(made.err, HYPHA_OK);
    test_assert_bytes(name, hypha_writer_span(&made), hypha_writer_span(&payload));
    json_decref(read);
    hypha_writer_fini(&payload);
    hypha_writer_fini(&made);
}

static void check_semver_text(const json_t *entry)
{
    const json_t *fields = member(entry, "fields");
    struct hy_semver version;
    enum hypha_err err = hy_semver_parse(test_json_to_span(member(fields, "text")), &version);

    assert_int_equal(err, json_is_true(member(fields, "accepts")) ? HYPHA_OK : HYPHA_ERR_SEMVER);
}

/* ---- URLs ---- */

static json_t *text_or_null(const char *text)
{
    return text == NULL || text[0] == '\0' ? json_null() : json_string(text);
}

static void check_url(const json_t *entry)
{
    static const char *const kinds[] = { "none", "domain", "ipv4", "ipv6" };
    const json_t *fields = member(entry, "fields");
    const char *name = test_json_text(entry, "name");
    struct hypha_url *url = NULL;
    enum hypha_err err = hypha_url_parse(test_json_to_span(member(fields, "input")), &url);
    json_t *got, *wanted;

    if (!json_is_true(member(fields, "ok"))) {
        assert_int_equal(err, HYPHA_ERR_URL);
        assert_null(url);
        return;
    }
    assert_int_equal(err, HYPHA_OK);
    got = json_pack("{s:O, s:b, s:s, s:s, s:o, s:s, s:o, s:s, s:o, s:b}", "input",
        member(fields, "input"), "ok", 1, "url", hypha_url_text(url), "scheme",
        hypha_url_scheme(url), "host", text_or_null(hypha_url_host(url)), "host_kind",
        kinds[hypha_url_host_kind(url)], "port",
        hypha_url_has_port(url) ? json_integer(hypha_url_port(url)) : json_null(), "path",
        hypha_url_path(url), "query",
        hypha_url_query(url) == NULL ? json_null() : json_string(hypha_url_query(url)),
        "scheme_special_in_this_build", (int)hy_url_is_special(url));
    wanted = json_copy(json_object_get(entry, "fields"));
    (void)json_object_del(wanted, "depends_on_url_fork_version"); /* a remark, not of the URL */
    assert_json(name, got, wanted);
    json_decref(got);
    json_decref(wanted);

    struct hypha_writer payload = bytes_of(entry, "payload_hex"), made = { 0 };
    hy_url_put(&made, url);
    test_assert_bytes(name, hypha_writer_span(&made), hypha_writer_span(&payload));
    hypha_writer_fini(&payload);
    hypha_writer_fini(&made);
    hypha_url_unref(url);
}

/* ---- decoding ---- */

static void check_decode(const json_t *entry)
{
    const char *name = test_json_text(entry, "name");
    const json_t *fields = member(entry, "fields");
    const char *type = test_json_text(fields, "type");
    const struct test_value_kind *kind = test_value_kind(type);
    const struct test_message *message = test_message(type);
    struct hypha_writer payload = bytes_of(entry, "payload_hex"), made = { 0 };
    struct hypha_writer reencoded = bytes_of(fields, "reencoded_hex");
    struct hypha_reader r = hypha_reader_of(hypha_writer_span(&payload));
    json_t *read;

    assert_true((kind == NULL) != (message == NULL));
    read = kind != NULL ? kind->take(&r) : test_message_take(message, &r);
    if (!json_is_true(member(fields, "accepts"))) {
        assert_int_not_equal(r.err, HYPHA_OK);
        assert_int_equal(r.rest.len, 0);
    } else {
        assert_int_equal(r.err, HYPHA_OK);
        assert_int_equal(payload.len - r.rest.len, json_integer_value(member(fields, "consumed")));
        assert_int_equal(hypha_reader_end(&r),
            json_is_true(member(fields, "consumes_all")) ? HYPHA_OK : HYPHA_ERR_TRAILING);
        if (message != NULL)
            message->put(&made, read);
        else if (kind != NULL)
            kind->put(&made, read);
        assert_int_equal(made.err, HYPHA_OK);
        test_assert_bytes(name, hypha_writer_span(&made), hypha_writer_span(&reencoded));
    }
    json_decref(read);
    hypha_writer_fini(&payload);
    hypha_writer_fini(&reencoded);
    hypha_writer_fini(&made);
}

/* ---- a test for each ---- */

static void check_entry(void **state)
{
    const json_t *entry = *state;
    const char *kind = test_json_text(entry, "kind");
    static const struct {
        const char *kind;
        void (*check)(const json_t *entry);
    } checks[] = {
        { "constant", check_constant },
        { "limits", check_limits },
        { "message", check_message },
        { "frame", check_message },
        { "semver_text", check_semver_text },
        { "url", check_url },
        { "decode", check_decode },
    };

    for (size_t i = 0; i < sizeof checks / sizeof checks[0]; i++) {
        if (strcmp(checks[i].kind, kind) == 0) {
            checks[i].check(entry);
            return;
        }
    }
    check_value(entry);
}

int main(void)
{
    json_t *entries = test_json_load("wire.json");
    size_t count = json_array_size(entries);
    struct CMUnitTest *tests = calloc(count + 1, sizeof *tests);
    int failed;

    if (count < MIN_ENTRIES || tests == NULL) {
        (void)fprintf(stderr, "data/wire.json cannot be read\n");
        free(tests);
        json_decref(entries);
        return 1;
    }
    for (size_t i = 0; i < count; i++) {
        json_t *entry = json_array_get(entries, i);

        tests[i] = (struct CMUnitTest){
            .name = test_json_text(entry, "name"),
            .test_func = check_entry,
            .initial_state = entry,
        };
    }
    failed = _cmocka_run_group_tests("wire.json", tests, count, NULL, NULL);
    free(tests);
    json_decref(entries);
    return failed;
}
