/* dchatd_rpc.c - what clients ask of the chat daemon. spec: apps.md 3 */
#include "dchatd.h"

#include <stdlib.h>
#include <string.h>

#define WAIT_MAX_MS    60000
#define REPLY_MESSAGES 1000
#define REPLY_BYTES    (1024 * 1024)

/* ---- send ---- */

/* ["text"] or ["text", {"report": true}] */
static bool read_send(
    const json_t *params, size_t max_bytes, struct hypha_span *ret_text, bool *ret_report)
{
    const json_t *text = json_array_get(params, 0);
    const json_t *options = json_array_get(params, 1);
    size_t count = json_array_size(params);

    if (!json_is_array(params) || count < 1 || count > 2 || !json_is_string(text) ||
        (count == 2 && !json_is_object(options)))
        return false;
    const json_t *report = json_object_get(options, "report");
    size_t len = json_string_length(text);
    if (len < 1 || len > max_bytes || (report != NULL && !json_is_boolean(report)))
        return false;
    *ret_text = (struct hypha_span){ (const uint8_t *)json_string_value(text), len };
    *ret_report = json_is_true(report);
    return true;
}

static void rpc_send(struct hy_rpc_call *call, const json_t *params, void *user)
{
    struct dchatd *dchatd = user;
    struct hypha_span text;
    bool report;
    size_t peers, sent;

    if (!read_send(params, dchatd->max_message_bytes, &text, &report)) {
        hy_rpc_call_error(call, HY_RPC_INVALID_PARAMS, NULL);
        return;
    }
    enum hypha_err err = dchat_send(dchatd->p2p, text, &peers, &sent);
    if (err != HYPHA_OK)
        hy_daemon_say(dchatd->daemon, HYPHA_LOG_WARN, "dchatd", "A message was not sent: %s",
            hypha_err_text(err));
    else
        hy_daemon_say(dchatd->daemon, HYPHA_LOG_VERBOSE, "dchatd",
            "A message of %zu bytes went to %zu of %zu peers", text.len, sent, peers);
    /* Old clients want `true`, whatever happened. */
    hy_rpc_call_result(call,
        report ? json_pack("{s:I, s:I}", "peers", (json_int_t)peers, "sent", (json_int_t)sent)
               : json_true());
}

/* ---- recv ---- */

struct recv_wait {
    struct dchatd *dchatd;
    struct hy_rpc_call *call;
    uint64_t since;
    struct hy_timer deadline;
    LIST_ENTRY(recv_wait) entry;
};

static json_t *text_of(const struct chat_entry *entry)
{
    return json_stringn(entry->text, entry->text_len);
}

/* All texts, after the empty one with which the reference's buffer begins. */
static json_t *all_texts(const struct chat_log *log)
{
    const struct chat_entry *entry;
    json_t *texts = json_array();
    bool ok = json_array_append_new(texts, json_string("")) == 0;

    TAILQ_FOREACH (entry, &log->entries, entry)
        ok = ok && json_array_append_new(texts, text_of(entry)) == 0;
    if (ok)
        return texts;
    json_decref(texts);
    return NULL;
}

static json_t *message_json(const struct chat_entry *entry)
{
    return json_pack("{s:I, s:I, s:s, s:o, s:b}", "seq", (json_int_t)entry->seq, "time",
        (json_int_t)entry->time_ms, "from", entry->from, "text", text_of(entry), "dup",
        (int)entry->dup);
}

static json_t *messages_since(const struct chat_log *log, uint64_t since)
{
    const struct chat_entry *entry = chat_log_since(log, since);
    json_t *messages = json_array();
    uint64_t next = log->next_seq;
    size_t bytes = 0;
    bool ok = messages != NULL;

    for (; ok && entry != NULL; entry = TAILQ_NEXT(entry, entry)) {
        bytes += entry->text_len;
        if (json_array_size(messages) >= REPLY_MESSAGES ||
            (bytes > REPLY_BYTES && json_array_size(messages) > 0)) {
            next = entry->seq; /* the rest when asked again */
            break;
        }
        ok = json_array_append_new(messages, message_json(entry)) == 0;
    }
    if (ok)
        return json_pack("{s:I, s:o}", "next", (json_int_t)next, "messages", messages);
    json_decref(messages);
    return NULL;
}

static void wait_forget(struct recv_wait *wait)
{
    hy_timer_stop(&wait->deadline);
    LIST_REMOVE(wait, entry);
    free(wait);
}

static void wait_answer(struct recv_wait *wait)
{
    struct hy_rpc_call *call = wait->call;
    json_t *result = messages_since(&wait->dchatd->log, wait->since);

    wait_forget(wait);
    hy_rpc_call_result(call, result);
}

static void on_deadline(void *user)
{
    wait_answer(user);
}

static void on_cancel(struct hy_rpc_call *call, void *user)
{
    (void)call;
    wait_forget(user);
}

static void wake(struct dchatd *dchatd)
{
    struct recv_wait *wait, *next;

    for (wait = LIST_FIRST(&dchatd->waits); wait != NULL; wait = next) {
        next = LIST_NEXT(wait, entry);
        if (wait->since < dchatd->log.next_seq)
            wait_answer(wait);
    }
}

static void wait_start(
    struct dchatd *dchatd, struct hy_rpc_call *call, uint64_t since, uint64_t wait_ms)
{
    struct recv_wait *wait = calloc(1, sizeof *wait);

    if (wait == NULL) {
        hy_rpc_call_error(call, HY_RPC_INTERNAL_ERROR, NULL);
        return;
    }
    *wait = (struct recv_wait){ .dchatd = dchatd, .call = call, .since = since };
    hy_timer_init(&wait->deadline, hy_daemon_loop(dchatd->daemon), on_deadline, wait);
    hy_timer_start(&wait->deadline, wait_ms < WAIT_MAX_MS ? wait_ms : WAIT_MAX_MS);
    LIST_INSERT_HEAD(&dchatd->waits, wait, entry);
    hy_rpc_call_on_cancel(call, on_cancel, wait);
}

/* A number that may be absent; not negative. */
static bool read_number(const json_t *options, const char *name, uint64_t *ret_number)
{
    const json_t *number = json_object_get(options, name);

    if (number == NULL)
        return true;
    if (!json_is_integer(number) || json_integer_value(number) < 0)
        return false;
    *ret_number = (uint64_t)json_integer_value(number);
    return true;
}

static void rpc_recv(struct hy_rpc_call *call, const json_t *params, void *user)
{
    struct dchatd *dchatd = user;
    const json_t *options = json_array_get(params, 0);
    uint64_t since = 0, wait_ms = 0;

    if (params == NULL || (json_is_array(params) && json_array_size(params) == 0)) {
        hy_rpc_call_result(call, all_texts(&dchatd->log));
    } else if (json_array_size(params) != 1 || !json_is_object(options) ||
        !read_number(options, "since", &since) || !read_number(options, "wait_ms", &wait_ms)) {
        hy_rpc_call_error(call, HY_RPC_INVALID_PARAMS, NULL);
    } else {
        if (since > dchatd->log.next_seq) /* of an earlier run of this daemon */
            since = 0;
        if (wait_ms > 0 && since == dchatd->log.next_seq)
            wait_start(dchatd, call, since, wait_ms);
        else
            hy_rpc_call_result(call, messages_since(&dchatd->log, since));
    }
}

/* ---- dchat.subscribe: messages as they come ---- */

#define SUBSCRIBE "dchat.subscribe"

struct chat_listener {
    struct hy_rpc_subscription *subscription;
    LIST_ENTRY(chat_listener) entry;
};

static void on_unsubscribed(struct hy_rpc_subscription *subscription, void *user)
{
    struct chat_listener *listener = user;

    (void)subscription;
    LIST_REMOVE(listener, entry);
    free(listener);
}

static void rpc_subscribe(struct hy_rpc_call *call, const json_t *params, void *user)
{
    struct dchatd *dchatd = user;

    if (params != NULL && (!json_is_array(params) || json_array_size(params) > 0)) {
        hy_rpc_call_error(call, HY_RPC_INVALID_PARAMS, "params: expected []");
        return;
    }
    struct chat_listener *listener = calloc(1, sizeof *listener);
    if (listener == NULL) {
        hy_rpc_call_error(call, HY_RPC_INTERNAL_ERROR, NULL);
        return;
    }
    enum hypha_err err = hy_rpc_call_subscribe(
        call, false, on_unsubscribed, listener, &listener->subscription);
    if (err == HYPHA_OK) {
        LIST_INSERT_HEAD(&dchatd->listeners, listener, entry);
        return;
    }
    free(listener);
    hy_rpc_call_error(call, HY_RPC_SERVER_ERROR, hypha_err_text(err));
}

/* No memory: they find the number missing, and ask. */
static void tell_listeners(struct dchatd *dchatd, const struct chat_entry *entry)
{
    json_t *params = json_pack("[o]", message_json(entry));
    struct hy_rpc_notice *notice = params != NULL ? hy_rpc_notice_create(SUBSCRIBE, params) : NULL;
    struct chat_listener *listener, *next;

    json_decref(params);
    if (notice == NULL)
        return;
    for (listener = LIST_FIRST(&dchatd->listeners); listener != NULL; listener = next) {
        next = LIST_NEXT(listener, entry);
        hy_rpc_subscription_notify(listener->subscription, notice);
    }
    hy_rpc_notice_unref(notice);
}

void dchatd_tell(struct dchatd *dchatd, const struct chat_entry *entry)
{
    if (!LIST_EMPTY(&dchatd->listeners))
        tell_listeners(dchatd, entry);
    wake(dchatd);
}

/* ---- dchat.info: what this daemon can do beyond the reference's ---- */

static void rpc_info(struct hy_rpc_call *call, const json_t *params, void *user)
{
    struct dchatd *dchatd = user;

    (void)params;
    hy_rpc_call_result(call,
        json_pack("{s:s, s:I, s:I, s:I}", "name", "dchatd", "peers",
            (json_int_t)hypha_p2p_peers_count(dchatd->p2p), "next",
            (json_int_t)dchatd->log.next_seq, "max_message_bytes",
            (json_int_t)dchatd->max_message_bytes));
}

enum hypha_err dchatd_add_methods(struct dchatd *dchatd)
{
    struct hy_rpc_server *rpc = hy_daemon_rpc(dchatd->daemon);
    enum hypha_err err = hy_rpc_server_add(rpc, "send", rpc_send, dchatd);

    if (err == HYPHA_OK)
        err = hy_rpc_server_add(rpc, "recv", rpc_recv, dchatd);
    if (err == HYPHA_OK)
        err = hy_rpc_server_add(rpc, "dchat.info", rpc_info, dchatd);
    if (err == HYPHA_OK)
        err = hy_rpc_server_add(rpc, SUBSCRIBE, rpc_subscribe, dchatd);
    return err;
}
