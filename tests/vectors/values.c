#include "vectors/values.h"

#include "base/span.h"
#include "vectors/json.h"
#include "wire/message.h"

/* ---- numbers ---- */

static json_t *take_u8(struct hypha_reader *r)
{
    return test_json_u64(hypha_reader_take_u8(r));
}

static void put_u8(struct hypha_writer *w, const json_t *value)
{
    hypha_writer_put_u8(w, (uint8_t)test_json_to_u64(value));
}

static json_t *take_u16(struct hypha_reader *r)
{
    return test_json_u64(hypha_reader_take_u16(r));
}

static void put_u16(struct hypha_writer *w, const json_t *value)
{
    hypha_writer_put_u16(w, (uint16_t)test_json_to_u64(value));
}

static json_t *take_u32(struct hypha_reader *r)
{
    return test_json_u64(hypha_reader_take_u32(r));
}

static void put_u32(struct hypha_writer *w, const json_t *value)
{
    hypha_writer_put_u32(w, (uint32_t)test_json_to_u64(value));
}

static json_t *take_u64(struct hypha_reader *r)
{
    return test_json_u64(hypha_reader_take_u64(r));
}

static void put_u64(struct hypha_writer *w, const json_t *value)
{
    hypha_writer_put_u64(w, test_json_to_u64(value));
}

/* Low half first; in JSON a decimal text. */
static json_t *take_u128(struct hypha_reader *r)
{
    unsigned __int128 value = hypha_reader_take_u64(r);
    char digits[40];
    size_t at = sizeof digits;

    value |= (unsigned __int128)hypha_reader_take_u64(r) << 64;
    do {
        digits[--at] = (char)('0' + (int)(value % 10));
        value /= 10;
    } while (value > 0);
    return json_stringn(digits + at, sizeof digits - at);
}

static void put_u128(struct hypha_writer *w, const json_t *text)
{
    unsigned __int128 value = 0;

    for (const char *at = json_string_value(text); at != NULL && *at != '\0'; at++)
        value = value * 10 + (unsigned)(*at - '0');
    hypha_writer_put_u64(w, (uint64_t)value);
    hypha_writer_put_u64(w, (uint64_t)(value >> 64));
}

static json_t *take_i32(struct hypha_reader *r)
{
    return json_integer((int32_t)hypha_reader_take_u32(r));
}

static void put_i32(struct hypha_writer *w, const json_t *value)
{
    hypha_writer_put_u32(w, (uint32_t)json_integer_value(value));
}

static json_t *take_i64(struct hypha_reader *r)
{
    return json_integer((int64_t)hypha_reader_take_u64(r));
}

static void put_i64(struct hypha_writer *w, const json_t *value)
{
    hypha_writer_put_u64(w, (uint64_t)json_integer_value(value));
}

static json_t *take_bool(struct hypha_reader *r)
{
    return json_boolean(hypha_reader_take_bool(r));
}

static void put_bool(struct hypha_writer *w, const json_t *value)
{
    hypha_writer_put_bool(w, json_is_true(value));
}

static json_t *take_varint(struct hypha_reader *r)
{
    return test_json_u64(hypha_reader_take_varint(r));
}

static void put_varint(struct hypha_writer *w, const json_t *value)
{
    hypha_writer_put_varint(w, test_json_to_u64(value));
}

/* ---- texts ---- */

static json_t *take_string(struct hypha_reader *r)
{
    return test_json_span(hypha_reader_take_string(r, SIZE_MAX));
}

static void put_string(struct hypha_writer *w, const json_t *value)
{
    hypha_writer_put_string(w, test_json_to_span(value));
}

static json_t *take_url(struct hypha_reader *r)
{
    struct hypha_url *url = hy_url_take(r);
    json_t *value = url == NULL ? NULL : json_string(hypha_url_text(url));

    hypha_url_unref(url);
    return value;
}

static void put_url(struct hypha_writer *w, const json_t *value)
{
    struct hypha_url *url = NULL;
    enum hypha_err err = hypha_url_parse(test_json_to_span(value), &url);

    if (err == HYPHA_OK)
        hy_url_put(w, url);
    else
        hypha_writer_fail(w, err);
    hypha_url_unref(url);
}

static json_t *take_semver(struct hypha_reader *r)
{
    struct hy_semver version = hy_semver_take(r);
    char text[HY_SEMVER_TEXT_BYTES];

    return json_pack("{s:s, s:o, s:o, s:o, s:o, s:o}", "text",
        hy_semver_format(&version, text, sizeof text), "major", test_json_u64(version.major),
        "minor", test_json_u64(version.minor), "patch", test_json_u64(version.patch), "pre",
        test_json_span(version.pre), "build", test_json_span(version.build));
}

static void put_semver(struct hypha_writer *w, const json_t *value)
{
    struct hy_semver version;
    const char *text = test_json_text(value, "text");
    enum hypha_err err = hy_semver_parse(hy_span_of(text), &version);

    if (err == HYPHA_OK)
        hy_semver_put(w, &version);
    else
        hypha_writer_fail(w, err);
}

/* ---- made of others ---- */

static json_t *take_option(struct hypha_reader *r, json_t *(*take)(struct hypha_reader *r))
{
    return hypha_reader_take_bool(r) ? take(r) : json_null();
}

static void put_option(struct hypha_writer *w, const json_t *value,
    void (*put)(struct hypha_writer *w, const json_t *value))
{
    hypha_writer_put_bool(w, !json_is_null(value));
    if (!json_is_null(value))
        put(w, value);
}

static json_t *take_vec(
    struct hypha_reader *r, size_t min_bytes, json_t *(*take)(struct hypha_reader *r))
{
    uint64_t count = hypha_reader_take_count(r, UINT64_MAX, min_bytes);
    json_t *array = json_array();

    for (uint64_t i = 0; i < count && r->err == HYPHA_OK; i++)
        (void)json_array_append_new(array, take(r));
    return array;
}

static void put_vec(struct hypha_writer *w, const json_t *value,
    void (*put)(struct hypha_writer *w, const json_t *value))
{
    hypha_writer_put_varint(w, json_array_size(value));
    for (size_t i = 0; i < json_array_size(value); i++)
        put(w, json_array_get(value, i));
}

#define OPTION(kind)                                                                               \
    static json_t *take_option_##kind(struct hypha_reader *r)                                      \
    {                                                                                              \
        return take_option(r, take_##kind);                                                        \
    }                                                                                              \
    static void put_option_##kind(struct hypha_writer *w, const json_t *value)                     \
    {                                                                                              \
        put_option(w, value, put_##kind);                                                          \
    }
OPTION(string)
OPTION(u32)
OPTION(url)

#define VEC(kind, min_bytes)                                                                       \
    static json_t *take_vec_##kind(struct hypha_reader *r)                                         \
    {                                                                                              \
        return take_vec(r, (min_bytes), take_##kind);                                              \
    }                                                                                              \
    static void put_vec_##kind(struct hypha_writer *w, const json_t *value)                        \
    {                                                                                              \
        put_vec(w, value, put_##kind);                                                             \
    }
VEC(string, 1)
VEC(u8, 1)
VEC(u32, 4)
VEC(url, 1)

static json_t *take_array_u8_4(struct hypha_reader *r)
{
    json_t *array = json_array();

    for (size_t i = 0; i < 4; i++)
        (void)json_array_append_new(array, take_u8(r));
    return array;
}

static void put_array_u8_4(struct hypha_writer *w, const json_t *value)
{
    for (size_t i = 0; i < 4; i++)
        put_u8(w, json_array_get(value, i));
}

static json_t *take_tuple_string_u32(struct hypha_reader *r)
{
    json_t *array = json_array();

    (void)json_array_append_new(array, take_string(r));
    (void)json_array_append_new(array, take_u32(r));
    return array;
}

static void put_tuple_string_u32(struct hypha_writer *w, const json_t *value)
{
    put_string(w, json_array_get(value, 0));
    put_u32(w, json_array_get(value, 1));
}

static const struct test_value_kind kinds[] = {
#define KIND(name)                                                                                 \
    {                                                                                              \
#name, take_##name, put_##name                                                             \
    }
    KIND(u8),
    KIND(u16),
    KIND(u32),
    KIND(u64),
    KIND(u128),
    KIND(i32),
    KIND(i64),
    KIND(bool),
    KIND(varint),
    KIND(string),
    KIND(url),
    KIND(semver),
    KIND(option_string),
    KIND(option_u32),
    KIND(option_url),
    KIND(vec_string),
    KIND(vec_u8),
    KIND(vec_u32),
    KIND(vec_url),
    KIND(array_u8_4),
    KIND(tuple_string_u32),
#undef KIND
};

const struct test_value_kind *test_value_kind(const char *name)
{
    for (size_t i = 0; i < sizeof kinds / sizeof kinds[0]; i++)
        if (strcmp(kinds[i].name, name) == 0)
            return &kinds[i];
    return NULL;
}
