#include "message.h"

static struct hypha_url *url_of(struct hypha_span text)
{
    struct hypha_url *url = NULL;

    FUZZ_CHECK(hypha_url_parse(text, &url) == HYPHA_OK);
    return url;
}

static void rewrite(struct hypha_writer *w, const void *message)
{
    const struct hy_version *version = message;
    struct hypha_span rest = version->ext_send_addr, name;
    struct hypha_url **ext = calloc(version->ext_count + 1, sizeof *ext);
    struct hy_feature *features = calloc(version->feature_count + 1, sizeof *features);
    char *node_id = fuzz_text(version->node_id), *app_name = fuzz_text(version->app_name);
    struct hypha_url *connect = url_of(version->connect_recv_addr);
    struct hypha_url *resolve = version->has_resolve_recv_addr ? url_of(version->resolve_recv_addr)
                                                               : NULL;
    struct hy_version_out out = { node_id, app_name, version->version, version->timestamp, connect,
        resolve, (const struct hypha_url *const *)ext, 0, features, 0 };
    enum hypha_err err;
    uint32_t value;

    FUZZ_CHECK(ext != NULL && features != NULL);
    while (hy_version_next_ext(&rest, &ext[out.ext_count], &err))
        out.ext_count++;
    FUZZ_CHECK(err == HYPHA_OK && out.ext_count == version->ext_count);
    rest = version->features;
    while (hy_version_next_feature(&rest, &name, &value))
        features[out.feature_count++] = (struct hy_feature){ fuzz_text(name), value };
    FUZZ_CHECK(out.feature_count == version->feature_count);
    hy_core_messages[HY_MESSAGE_VERSION].write(w, &out);
    FUZZ_CHECK(w->err == HYPHA_OK || w->err == HYPHA_ERR_LIMIT);
    for (size_t i = 0; i < out.ext_count; i++)
        hypha_url_unref(ext[i]);
    for (size_t i = 0; i < out.feature_count; i++)
        free((char *)features[i].name);
    hypha_url_unref(connect);
    hypha_url_unref(resolve);
    free(ext);
    free(features);
    free(node_id);
    free(app_name);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    fuzz_message(HY_MESSAGE_VERSION, data, size, rewrite, false);
    return 0;
}
