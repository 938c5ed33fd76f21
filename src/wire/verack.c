/* wire/verack.c - the answer to version: which application we are. spec: wire.md 3.1, 5.3 */
#include "wire/core.h"

void hy_verack_read(struct hypha_reader *r, void *ret_message)
{
    struct hy_verack *verack = ret_message;

    verack->app_version = hy_semver_take(r);
    verack->app_name = hypha_reader_take_string(r, SIZE_MAX);
}

void hy_verack_write(struct hypha_writer *w, const void *message)
{
    const struct hy_verack *verack = message;

    hy_semver_put(w, &verack->app_version);
    hypha_writer_put_string(w, verack->app_name);
}
