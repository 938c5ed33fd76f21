#include "vectors/messages.h"

#include "base/span.h"
#include "vectors/json.h"
#include "vectors/values.h"
#include "wire/message.h"

#include <stdlib.h>

static const struct hypha_message_type *core(enum hy_core_message which)
{
    return &hy_core_messages[which];
}

static struct hypha_url *url_of(const json_t *text)
{
    struct hypha_url *url = NULL;

    if (json_is_string(text) && hypha_url_parse(test_json_to_span(text), &url) != HYPHA_OK)
        return NULL;
    return url;
}

/* ---- ping, pong ---- */

static json_t *ping_to_json(const void *message)
{
    const struct hy_ping *ping = message;

    return json_pack("{s:i}", "nonce", (int)ping->nonce);
}

static void put_ping(struct hypha_writer *w, const json_t *fields)
{
    struct hy_ping ping = { (uint16_t)test_json_to_u64(json_object_get(fields, "nonce")) };

    core(HY_MESSAGE_PING)->write(w, &ping);
}

/* ---- getaddr ---- */

static json_t *getaddr_to_json(const void *message)
{
    const struct hy_getaddr *getaddr = message;
    struct hypha_span rest = getaddr->transports, scheme;
    json_t *schemes = json_array();

    while (hy_getaddr_next(&rest, &scheme))
        (void)json_array_append_new(schemes, test_json_span(scheme));
    return json_pack("{s:o, s:o}", "max", test_json_u64(getaddr->max), "transports", schemes);
}

static void put_getaddr(struct hypha_writer *w, const json_t *fields)
{
    const json_t *list = json_object_get(fields, "transports");
    const char *schemes[16];
    struct hy_getaddr_out getaddr = {
        .max = (uint32_t)test_json_to_u64(json_object_get(fields, "max")),
        .transports = schemes,
    };

    for (; getaddr.count < json_array_size(list) && getaddr.count < 16; getaddr.count++)
        schemes[getaddr.count] = json_string_value(json_array_get(list, getaddr.count));
    core(HY_MESSAGE_GETADDR)->write(w, &getaddr);
}

/* ---- addr ---- */

static json_t *addr_to_json(const void *message)
{
    const struct hy_addr *addr = message;
    struct hypha_span rest = addr->entries;
    struct hypha_url *url = NULL;
    uint64_t last_seen = 0;
    enum hypha_err err;
    json_t *list = json_array();

    while (hy_addr_next(&rest, &url, &last_seen, &err)) {
        (void)json_array_append_new(
            list, json_pack("[s, o]", hypha_url_text(url), test_json_u64(last_seen)));
        hypha_url_unref(url);
    }
    return json_pack("{s:o}", "addrs", list);
}

static void put_addr(struct hypha_writer *w, const json_t *fields)
{
    const json_t *list = json_object_get(fields, "addrs");
    size_t count = json_array_size(list);
    struct hy_addr_entry *entries = calloc(count + 1, sizeof *entries);
    struct hy_addr_out addr = { entries, 0 };

    if (entries == NULL) {
        hypha_writer_fail(w, HYPHA_ERR_NOMEM);
        return;
    }
    for (; addr.count < count; addr.count++) {
        const json_t *entry = json_array_get(list, addr.count);

        entries[addr.count].url = url_of(json_array_get(entry, 0));
        entries[addr.count].last_seen = test_json_to_u64(json_array_get(entry, 1));
    }
    core(HY_MESSAGE_ADDR)->write(w, &addr);
    for (size_t i = 0; i < addr.count; i++)
        hypha_url_unref((struct hypha_url *)entries[i].url);
    free(entries);
}

/* ---- version, verack ---- */

static json_t *semver_to_json(const struct hy_semver *version)
{
    char text[HY_SEMVER_TEXT_BYTES];

    return json_string(hy_semver_format(version, text, sizeof text));
}

static struct hy_semver semver_of(const json_t *text)
{
    struct hy_semver version = { 0 };

    (void)hy_semver_parse(test_json_to_span(text), &version);
    return version;
}

static json_t *version_to_json(const void *message)
{
    const struct hy_version *version = message;
    struct hypha_span rest = version->ext_send_addr, name;
    struct hypha_url *url = NULL;
    uint32_t value;
    enum hypha_err err;
    json_t *ext = json_array(), *features = json_array();

    while (hy_version_next_ext(&rest, &url, &err)) {
        (void)json_array_append_new(ext, json_string(hypha_url_text(url)));
        hypha_url_unref(url);
    }
    rest = version->features;
    while (hy_version_next_feature(&rest, &name, &value))
        (void)json_array_append_new(
            features, json_pack("[o, o]", test_json_span(name), test_json_u64(value)));
    return json_pack("{s:o, s:o, s:o, s:o, s:o, s:o, s:o, s:o}", "node_id",
        test_json_span(version->node_id), "app_name", test_json_span(version->app_name), "version",
        semver_to_json(&version->version), "timestamp", test_json_u64(version->timestamp),
        "connect_recv_addr", test_json_span(version->connect_recv_addr), "resolve_recv_addr",
        version->has_resolve_recv_addr ? test_json_span(version->resolve_recv_addr) : json_null(),
        "ext_send_addr", ext, "features", features);
}

static void put_version(struct hypha_writer *w, const json_t *fields)
{
    const json_t *ext = json_object_get(fields, "ext_send_addr");
    const json_t *names = json_object_get(fields, "features");
    struct hypha_url *connect = url_of(json_object_get(fields, "connect_recv_addr"));
    struct hypha_url *resolve = url_of(json_object_get(fields, "resolve_recv_addr"));
    struct hypha_url *urls[8] = { 0 };
    struct hy_feature features[8];
    struct hy_version_out version = {
        .node_id = test_json_text(fields, "node_id"),
        .app_name = test_json_text(fields, "app_name"),
        .version = semver_of(json_object_get(fields, "version")),
        .timestamp = test_json_to_u64(json_object_get(fields, "timestamp")),
        .connect_recv_addr = connect,
        .resolve_recv_addr = resolve,
        .ext_send_addr = (const struct hypha_url *const *)urls,
        .features = features,
    };

    for (; version.ext_count < json_array_size(ext) && version.ext_count < 8; version.ext_count++)
        urls[version.ext_count] = url_of(json_array_get(ext, version.ext_count));
    for (; version.feature_count < json_array_size(names) && version.feature_count < 8;) {
        const json_t *feature = json_array_get(names, version.feature_count);

        features[version.feature_count++] = (struct hy_feature){
            json_string_value(json_array_get(feature, 0)),
            (uint32_t)test_json_to_u64(json_array_get(feature, 1)),
        };
    }
    core(HY_MESSAGE_VERSION)->write(w, &version);
    hypha_url_unref(connect);
    hypha_url_unref(resolve);
    for (size_t i = 0; i < version.ext_count; i++)
        hypha_url_unref(urls[i]);
}

static json_t *verack_to_json(const void *message)
{
    const struct hy_verack *verack = message;

    return json_pack("{s:o, s:o}", "app_version", semver_to_json(&verack->app_version), "app_name",
        test_json_span(verack->app_name));
}

static void put_verack(struct hypha_writer *w, const json_t *fields)
{
    struct hy_verack verack = {
        .app_version = semver_of(json_object_get(fields, "app_version")),
        .app_name = test_json_to_span(json_object_get(fields, "app_name")),
    };

    core(HY_MESSAGE_VERACK)->write(w, &verack);
}

/* ---- messages beyond the core: told by the primitive encodings (wire.md 3.2, 3.4) ---- */

struct field {
    const char *name;
    const char *kind;
};

/* Read straight into a JSON object. */
static void take_fields(struct hypha_reader *r, const struct field *fields, json_t **ret_object)
{
    json_t *object = json_object();

    for (; fields->name != NULL && r->err == HYPHA_OK; fields++)
        (void)json_object_set_new(object, fields->name, test_value_kind(fields->kind)->take(r));
    *ret_object = object;
}

static void put_fields(struct hypha_writer *w, const struct field *fields, const json_t *object)
{
    for (; fields->name != NULL; fields++)
        test_value_kind(fields->kind)->put(w, json_object_get(object, fields->name));
}

static json_t *object_to_json(const void *message)
{
    return *(json_t *const *)message;
}

#define DESCRIBED(command_, max_bytes_, score_, threshold_, step_ms_, expiry_ms_)                  \
    static void read_##command_(struct hypha_reader *r, void *ret_message)                         \
    {                                                                                              \
        take_fields(r, command_##_fields, ret_message);                                            \
    }                                                                                              \
    static void put_##command_(struct hypha_writer *w, const json_t *fields)                       \
    {                                                                                              \
        put_fields(w, command_##_fields, fields);                                                  \
    }                                                                                              \
    static const struct hypha_message_type command_##_type = {                                     \
        .command = #command_,                                                                      \
        .max_bytes = (max_bytes_),                                                                 \
        .metering = { (score_), (threshold_), (step_ms_), (expiry_ms_) },                          \
        .struct_bytes = sizeof(json_t *),                                                          \
        .read = read_##command_,                                                                   \
    };

static const struct field DchatMsg_fields[] = { { "msg", "string" }, { NULL, NULL } };
DESCRIBED(DchatMsg, 0, 0, 0, 0, 0)

static const struct field hpreq_fields[] = { { "nonce", "u64" }, { "target_addr", "url" },
    { "our_addrs", "vec_url" }, { NULL, NULL } };
DESCRIBED(hpreq, 1024, 1, 10, 1000, 10000)

static const struct field hpconn_fields[] = { { "nonce", "u64" }, { "peer_addr", "url" },
    { "observed_addr", "url" }, { "connect_at", "u64" }, { NULL, NULL } };
DESCRIBED(hpconn, 1024, 1, 10, 1000, 10000)

static const struct field hpres_fields[] = { { "nonce", "u64" }, { "success", "bool" },
    { "error", "option_string" }, { NULL, NULL } };
DESCRIBED(hpres, 1024, 1, 10, 1000, 10000)

static const struct test_message messages[] = {
    { &hy_core_messages[HY_MESSAGE_VERSION], version_to_json, put_version },
    { &hy_core_messages[HY_MESSAGE_VERACK], verack_to_json, put_verack },
    { &hy_core_messages[HY_MESSAGE_PING], ping_to_json, put_ping },
    { &hy_core_messages[HY_MESSAGE_PONG], ping_to_json, put_ping },
    { &hy_core_messages[HY_MESSAGE_GETADDR], getaddr_to_json, put_getaddr },
    { &hy_core_messages[HY_MESSAGE_ADDR], addr_to_json, put_addr },
    { &DchatMsg_type, object_to_json, put_DchatMsg },
    { &hpreq_type, object_to_json, put_hpreq },
    { &hpconn_type, object_to_json, put_hpconn },
    { &hpres_type, object_to_json, put_hpres },
};

const struct test_message *test_message(const char *command)
{
    for (size_t i = 0; i < sizeof messages / sizeof messages[0]; i++)
        if (strcmp(messages[i].type->command, command) == 0)
            return &messages[i];
    return NULL;
}

json_t *test_message_take(const struct test_message *message, struct hypha_reader *r)
{
    _Alignas(max_align_t) unsigned char place[HYPHA_MAX_MESSAGE_STRUCT_BYTES] = { 0 };
    json_t *fields;

    message->type->read(r, place);
    fields = message->to_json == object_to_json || r->err == HYPHA_OK ? message->to_json(place)
                                                                      : NULL;
    if (r->err != HYPHA_OK) {
        json_decref(fields);
        fields = NULL;
    }
    return fields;
}
