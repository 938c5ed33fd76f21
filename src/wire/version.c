/* wire/version.c - what a node says of itself first. spec: wire.md 3.1, 5.3 */
#include "base/span.h"
#include "wire/core.h"
#include "wire/list.h"

/* The shortest feature: an empty name and its number. */
#define MIN_FEATURE_BYTES 5U
/* A list without elements. */
#define MIN_LIST_BYTES 1U

static void read_ext(struct hypha_reader *r, struct hy_version *version)
{
    struct hypha_span before;

    version->ext_count = (size_t)hypha_reader_take_count(r, SIZE_MAX, 1);
    before = r->rest;
    for (size_t i = 0; i < version->ext_count && r->err == HYPHA_OK; i++)
        (void)hy_url_take_text(r);
    version->ext_send_addr = hy_list_taken(r, before);
}

static void read_features(struct hypha_reader *r, struct hy_version *version)
{
    struct hypha_span before;

    version->feature_count = (size_t)hypha_reader_take_count(r, SIZE_MAX, MIN_FEATURE_BYTES);
    before = r->rest;
    for (size_t i = 0; i < version->feature_count && r->err == HYPHA_OK; i++) {
        (void)hypha_reader_take_string(r, SIZE_MAX);
        (void)hypha_reader_take_u32(r);
    }
    version->features = hy_list_taken(r, before);
}

void hy_version_read(struct hypha_reader *r, void *ret_message)
{
    struct hy_version *version = ret_message;

    version->node_id = hypha_reader_take_string(r, SIZE_MAX);
    version->app_name = hypha_reader_take_string(r, SIZE_MAX);
    version->version = hy_semver_take(r);
    version->timestamp = hypha_reader_take_u64(r);
    version->connect_recv_addr = hy_url_take_text(r);
    version->has_resolve_recv_addr = hypha_reader_take_bool(r);
    if (version->has_resolve_recv_addr)
        version->resolve_recv_addr = hy_url_take_text(r);
    read_ext(r, version);
    read_features(r, version);
}

bool hy_version_next_ext(
    struct hypha_span *ext_send_addr, struct hypha_url **ret_url, enum hypha_err *ret_err)
{
    struct hypha_reader r = hypha_reader_of(*ext_send_addr);

    if (!hy_url_next(&r, ret_url, ret_err))
        return false;
    *ext_send_addr = r.rest;
    return true;
}

bool hy_version_next_feature(
    struct hypha_span *features, struct hypha_span *ret_name, uint32_t *ret_value)
{
    struct hypha_reader r = hypha_reader_of(*features);

    if (features->len == 0)
        return false;
    *ret_name = hypha_reader_take_bytes(&r, SIZE_MAX);
    *ret_value = hypha_reader_take_u32(&r);
    *features = r.rest;
    return r.err == HYPHA_OK;
}

static size_t features_size(const struct hy_version_out *version)
{
    size_t size = hy_varint_size(version->feature_count);

    for (size_t i = 0; i < version->feature_count; i++)
        size += hy_text_size(version->features[i].name) + sizeof version->features[i].value;
    return size;
}

/* As many of our addresses as the limit leaves room for. */
static void write_ext(struct hypha_writer *w, const struct hy_version_out *version, size_t used)
{
    const struct hy_list_room empty = {
        .max_bytes = HY_VERSION_MAX_BYTES - used,
        .max_count = SIZE_MAX,
    };
    struct hy_list_room room = empty;

    for (size_t i = 0; i < version->ext_count; i++)
        (void)hy_list_fits(&room, hy_url_size(version->ext_send_addr[i]));
    hypha_writer_put_varint(w, room.count);
    room = empty;
    for (size_t i = 0; i < version->ext_count; i++)
        if (hy_list_fits(&room, hy_url_size(version->ext_send_addr[i])))
            hy_url_put(w, version->ext_send_addr[i]);
}

void hy_version_write(struct hypha_writer *w, const void *message)
{
    const struct hy_version_out *version = message;
    size_t start = w->len, used;

    hypha_writer_put_text(w, version->node_id);
    hypha_writer_put_text(w, version->app_name);
    hy_semver_put(w, &version->version);
    hypha_writer_put_u64(w, version->timestamp);
    hy_url_put(w, version->connect_recv_addr);
    hypha_writer_put_bool(w, version->resolve_recv_addr != NULL);
    if (version->resolve_recv_addr != NULL)
        hy_url_put(w, version->resolve_recv_addr);
    used = w->len - start + features_size(version);
    if (used > HY_VERSION_MAX_BYTES - MIN_LIST_BYTES)
        hypha_writer_fail(w, HYPHA_ERR_LIMIT);
    if (w->err != HYPHA_OK)
        return;
    write_ext(w, version, used);
    hypha_writer_put_varint(w, version->feature_count);
    for (size_t i = 0; i < version->feature_count; i++) {
        hypha_writer_put_text(w, version->features[i].name);
        hypha_writer_put_u32(w, version->features[i].value);
    }
}
