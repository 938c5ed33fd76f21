/* arrays.c - the two kinds of list that settings hold: URLs and schemes. */
#include "base/alloc.h"
#include "settings/store.h"

#include <string.h>

enum hypha_err hy_url_array_push(struct hy_url_array *array, struct hypha_url *url)
{
    struct hypha_url **grown = hy_realloc(array->urls, (array->count + 1) * sizeof *grown);

    if (grown == NULL) {
        hypha_url_unref(url);
        return HYPHA_ERR_NOMEM;
    }
    array->urls = grown;
    array->urls[array->count++] = url;
    return HYPHA_OK;
}

bool hy_url_array_has(const struct hy_url_array *array, const struct hypha_url *url)
{
    for (size_t i = 0; i < array->count; i++)
        if (hypha_url_equal(array->urls[i], url))
            return true;
    return false;
}

void hy_url_array_clear(struct hy_url_array *array)
{
    for (size_t i = 0; i < array->count; i++)
        hypha_url_unref(array->urls[i]);
    hy_free(array->urls);
    *array = (struct hy_url_array){ 0 };
}

bool hy_scheme_array_has(const struct hy_scheme_array *array, const char *scheme)
{
    for (size_t i = 0; i < array->count; i++)
        if (strcmp(array->schemes[i], scheme) == 0)
            return true;
    return false;
}

enum hypha_err hy_scheme_array_add(struct hy_scheme_array *array, const char *scheme)
{
    char **grown, *copy;

    if (hy_scheme_array_has(array, scheme))
        return HYPHA_OK;
    copy = hy_strdup(scheme);
    if (copy == NULL)
        return HYPHA_ERR_NOMEM;
    grown = hy_realloc(array->schemes, (array->count + 1) * sizeof *grown);
    if (grown == NULL) {
        hy_free(copy);
        return HYPHA_ERR_NOMEM;
    }
    array->schemes = grown;
    array->schemes[array->count++] = copy;
    return HYPHA_OK;
}

void hy_scheme_array_clear(struct hy_scheme_array *array)
{
    for (size_t i = 0; i < array->count; i++)
        hy_free(array->schemes[i]);
    hy_free(array->schemes);
    *array = (struct hy_scheme_array){ 0 };
}
