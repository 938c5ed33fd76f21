/* view_save.c - the rows of a view as JSON lines, for other programs. */
#include "base/alloc.h"
#include "rpc/buffer.h"
#include "view/view_model_internal.h"
#include "view/view_ui.h"

#include <inttypes.h>
#include <stdio.h>

static json_t *time_json(uint64_t time_ns)
{
    char text[24];

    (void)snprintf(text, sizeof text, "%" PRIu64, time_ns);
    return json_string(text);
}

/* What is the row's own; NULL: a heading, or no memory. */
static json_t *row_json(const struct view_row *row, uint64_t now_ns)
{
    switch (row->kind) {
    case VIEW_ROW_NODE:
        return view_node_json(row->node, 0, 0, now_ns);
    case VIEW_ROW_SLOT:
        return view_slot_json(row->slot);
    case VIEW_ROW_CHANNEL:
        return view_channel_json(row->channel, VIEW_MAX_MESSAGES, now_ns);
    case VIEW_ROW_NETWORK:
        return view_network_json(row->network);
    case VIEW_ROW_URL:
        return json_pack("{s:s, s:I}", "url", row->text, "last_seen",
            (json_int_t)(row->time_ns / VIEW_NS_PER_S));
    case VIEW_ROW_BAN:
        return json_pack("{s:s, s:s, s:I}", "addr", row->ban->addr, "why", row->ban->why, "until_s",
            row->ban->until_s <= INT64_MAX ? (json_int_t)row->ban->until_s : (json_int_t)0);
    case VIEW_ROW_EVENT:
        return json_pack("{s:o, s:s, s:s}", "time_ns", time_json(row->time_ns), "event", row->name,
            "text", row->text);
    case VIEW_ROW_MESSAGE:
        return json_pack("{s:o, s:b, s:s, s:I}", "time_ns", time_json(row->time_ns), "sent",
            row->sent, "command", row->name, "bytes",
            row->bytes <= INT64_MAX ? (json_int_t)row->bytes : (json_int_t)0);
    case VIEW_ROW_PEER:
        return json_pack("{s:s, s:s, s:s, s:I}", "peer", row->name, "addr", row->channel->addr,
            "session", row->channel->session, "id", (json_int_t)row->channel->id);
    case VIEW_ROW_SESSION:
    case VIEW_ROW_LIST:
    case VIEW_ROW_NOTE:
        break;
    }
    return NULL;
}

static const char *const kinds[] = {
    [VIEW_ROW_NODE] = "node",
    [VIEW_ROW_SESSION] = "session",
    [VIEW_ROW_SLOT] = "slot",
    [VIEW_ROW_CHANNEL] = "channel",
    [VIEW_ROW_NETWORK] = "network",
    [VIEW_ROW_LIST] = "list",
    [VIEW_ROW_URL] = "url",
    [VIEW_ROW_BAN] = "ban",
    [VIEW_ROW_EVENT] = "event",
    [VIEW_ROW_MESSAGE] = "message",
    [VIEW_ROW_PEER] = "peer",
    [VIEW_ROW_NOTE] = "note",
};

/* False: no memory. */
static bool put_row(struct hy_rpc_buffer *out, const struct view_row *row, const char *list,
    uint32_t channel_id, uint64_t now_ns)
{
    json_t *line = json_pack("{s:s, s:s}", "kind", kinds[row->kind], "node", row->node->name);
    json_t *own = row_json(row, now_ns);
    bool ok = line != NULL && own != NULL;

    if (ok && row->kind == VIEW_ROW_URL)
        ok = json_object_set_new(line, "list", json_string(list)) == 0;
    if (ok && row->kind == VIEW_ROW_MESSAGE)
        ok = json_object_set_new(line, "channel", json_integer(channel_id)) == 0;
    ok = ok && json_object_update(line, own) == 0 && hy_rpc_buffer_put_json(out, line) &&
        hy_rpc_buffer_put(out, "\n", 1);
    json_decref(own);
    json_decref(line);
    return ok;
}

enum hypha_err view_save_text(
    const struct view_ui *ui, uint64_t now_ns, char **ret_text, size_t *ret_len, size_t *ret_lines)
{
    struct hy_rpc_buffer out = { 0 };
    const char *list = "";
    size_t lines = 0;
    bool ok = true;

    for (size_t i = 0; ok && i < ui->rows.count; i++) {
        const struct view_row *row = &ui->rows.rows[i];
        bool is_heading = row->kind == VIEW_ROW_SESSION || row->kind == VIEW_ROW_LIST ||
            row->kind == VIEW_ROW_NOTE;

        if (row->kind == VIEW_ROW_LIST)
            list = row->name;
        if (is_heading)
            continue;
        ok = put_row(&out, row, list, ui->channel_id, now_ns);
        lines++;
    }
    struct hypha_span text = hy_rpc_buffer_span(&out);
    char *copy = ok ? hy_strndup(text.len > 0 ? (const char *)text.at : "", text.len) : NULL;
    if (copy != NULL) {
        *ret_text = copy;
        *ret_len = text.len;
        *ret_lines = lines;
    }
    hy_rpc_buffer_fini(&out);
    return copy != NULL ? HYPHA_OK : HYPHA_ERR_NOMEM;
}
