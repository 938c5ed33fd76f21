/* methods_hosts.c - the host lists, paged and searched. spec: apps.md 2.5, 7.3 */
#include "daemon/daemon_internal.h"
#include "daemon/methods.h"

#include <string.h>

#define DEFAULT_LIMIT 500
#define MAX_LIMIT     5000

/* Best first: the order of the whole list when no colour is asked for. */
static const struct {
    const char *name;
    enum hypha_colour colour;
} colours[HYPHA_COLOURS] = {
    { "gold", HYPHA_COLOUR_GOLD },
    { "white", HYPHA_COLOUR_WHITE },
    { "grey", HYPHA_COLOUR_GREY },
    { "dark", HYPHA_COLOUR_DARK },
    { "black", HYPHA_COLOUR_BLACK },
};

const char *hy_list_name(enum hypha_colour colour)
{
    for (size_t i = 0; i < HYPHA_COLOURS; i++)
        if (colours[i].colour == colour)
            return colours[i].name;
    return "";
}

static void count_host(const struct hypha_url *url, uint64_t last_seen, void *user)
{
    (void)url;
    (void)last_seen;
    ++*(uint64_t *)user;
}

json_t *hy_json_host_counts(const struct hypha_p2p *p2p)
{
    json_t *counts = json_object();
    bool ok = counts != NULL;

    for (size_t i = 0; i < HYPHA_COLOURS && ok; i++) {
        uint64_t count = 0;

        hypha_p2p_each_host(p2p, colours[i].colour, count_host, &count);
        ok = json_object_set_new(counts, colours[i].name, hy_json_number(count)) == 0;
    }
    if (ok)
        return counts;
    json_decref(counts);
    return NULL;
}

struct page {
    const char *search, *colour; /* colour: of the list that is walked */
    uint64_t offset, limit;
    uint64_t total, taken;
    struct hy_reply_list hosts;
};

static void add_host(const struct hypha_url *url, uint64_t last_seen, void *user)
{
    struct page *page = user;
    const char *text = hypha_url_text(url);

    if (strcasestr(text, page->search) == NULL)
        return;
    uint64_t index = page->total++;
    if (index < page->offset || page->taken == page->limit)
        return;
    if (hy_reply_list_add(&page->hosts,
            json_pack("{s:s, s:s, s:o}", "url", text, "colour", page->colour, "last_seen",
                hy_json_number(last_seen))))
        page->taken++;
}

static bool read_options(
    struct hy_args *args, const char **ret_colour, struct page *page, const json_t **ret_options)
{
    int64_t offset = 0, limit = DEFAULT_LIMIT;

    if (!hy_args_options(args, 0, "colour offset limit search", ret_options) ||
        !hy_args_option_text(args, *ret_options, "colour", ret_colour) ||
        !hy_args_option_text(args, *ret_options, "search", &page->search) ||
        !hy_args_option_integer(args, *ret_options, "offset", 0, INT64_MAX, &offset) ||
        !hy_args_option_integer(args, *ret_options, "limit", 1, MAX_LIMIT, &limit))
        return false;
    page->offset = (uint64_t)offset;
    page->limit = (uint64_t)limit;
    for (size_t i = 0; *ret_colour != NULL && i < HYPHA_COLOURS; i++)
        if (strcmp(*ret_colour, colours[i].name) == 0)
            return true;
    return *ret_colour == NULL ||
        hy_args_refuse(args, "colour: expected grey, white, gold, dark or black");
}

static json_t *page_reply(const struct hypha_p2p *p2p, struct page *page)
{
    uint64_t next = page->offset + page->taken;
    /* A host too long for an empty page would be asked for again and again. */
    if (page->taken == 0 && page->hosts.cut)
        next++;
    json_t *result = json_pack("{s:o, s:o, s:o}", "counts", hy_json_host_counts(p2p), "total",
        hy_json_number(page->total), "next",
        next < page->total ? hy_json_number(next) : json_null());

    if (hy_reply_put_list(result, "hosts", &page->hosts))
        return result;
    json_decref(result);
    return NULL;
}

static void rpc_list(struct hy_args *args)
{
    struct page page = { .search = "" };
    const char *colour = NULL;
    const json_t *options;

    if (!read_options(args, &colour, &page, &options))
        return;
    hy_reply_list_init(&page.hosts, HY_REPLY_BYTES - 4 * HY_REPLY_FRAME_BYTES);
    for (size_t i = 0; i < HYPHA_COLOURS; i++) {
        page.colour = colours[i].name;
        if (colour == NULL || strcmp(colour, page.colour) == 0)
            hypha_p2p_each_host(args->node->p2p, colours[i].colour, add_host, &page);
    }
    hy_rpc_call_result(args->call, page_reply(args->node->p2p, &page));
}

static const struct hy_method methods[] = {
    { "hosts.list", rpc_list, HY_ARGS_NODE, 1,
        "[] or [{\"colour\", \"offset\", \"limit\", \"search\"}]" },
};
const struct hy_method_table hy_methods_hosts = { methods, 1 };
