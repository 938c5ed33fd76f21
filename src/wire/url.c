/* wire/url.c - URLs as they stand in messages: their text, which must parse. spec: wire.md 1 */
#include "url/url.h"
#include "base/span.h"
#include "wire/list.h"
#include "wire/message.h"

struct hypha_url *hy_url_take(struct hypha_reader *r)
{
    struct hypha_span text = hypha_reader_take_bytes(r, SIZE_MAX);
    struct hypha_url *url = NULL;
    enum hypha_err err;

    if (r->err != HYPHA_OK)
        return NULL;
    err = hypha_url_parse(text, &url);
    if (err != HYPHA_OK)
        hypha_reader_fail(r, err);
    return url;
}

struct hypha_span hy_url_take_text(struct hypha_reader *r)
{
    struct hypha_span text = hypha_reader_take_bytes(r, SIZE_MAX);

    if (r->err == HYPHA_OK) {
        enum hypha_err err = hy_url_check(text);

        if (err != HYPHA_OK)
            hypha_reader_fail(r, err);
    }
    return text;
}

void hy_url_put(struct hypha_writer *w, const struct hypha_url *url)
{
    hypha_writer_put_bytes(w, hy_span_of(hypha_url_text(url)));
}

size_t hy_url_size(const struct hypha_url *url)
{
    return hy_text_size(hypha_url_text(url));
}

bool hy_url_next(struct hypha_reader *list, struct hypha_url **ret_url, enum hypha_err *ret_err)
{
    *ret_err = HYPHA_OK;
    if (list->rest.len == 0)
        return false;
    *ret_url = hy_url_take(list);
    if (*ret_url == NULL)
        *ret_err = list->err;
    return *ret_url != NULL;
}
