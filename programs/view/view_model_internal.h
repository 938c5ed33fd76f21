/* view_model_internal.h - the model's inside: what view_model.c and view_channel.c keep and
 * view_apply*.c fill. */
#ifndef VIEW_MODEL_INTERNAL_H
#define VIEW_MODEL_INTERNAL_H

#include "view/view_model.h"

#define VIEW_NS_PER_S UINT64_C(1000000000)

/* ---- texts: never NULL; an empty one takes no memory ---- */

char *view_text_none(void);
/* Cut to VIEW_MAX_TEXT bytes at a character. text NULL: "". Without memory the old one stays. */
void view_text_set(char **into, const char *text);
/* To be freed by view_text_free(); NULL: no memory. */
char *view_text_new(const char *text);
void view_text_free(char *text);
void view_texts_free(char **texts, size_t count);
/* The texts of a JSON array, at most `max`. */
void view_texts_take(char ***into, size_t *count, const json_t *array, size_t max);

/* ---- values of JSON: of another kind is as good as missing ---- */

/* "" if missing. */
const char *view_json_text(const json_t *object, const char *key);
/* 0 if missing or negative. */
uint64_t view_json_number(const json_t *object, const char *key);
bool view_json_u32(const json_t *object, const char *key, uint32_t *ret_number);

/* ---- rates ---- */

void view_rate_count(struct view_rate *rate, uint64_t now_ns);

/* ---- parts of a node ---- */

/* The open channel of this id, made if there is none. NULL: no memory, or too many. */
struct view_channel *view_channel_open(struct view_node *node, uint32_t id, uint64_t now_ns);
void view_channel_close(
    struct view_node *node, struct view_channel *channel, const char *why, uint64_t now_ns);
void view_channel_forget(struct view_node *node, struct view_channel *channel);
/* Forget the oldest closed ones of too many. */
void view_channels_trim(struct view_node *node);
void view_channel_message(struct view_node *node, struct view_channel *channel,
    const struct view_message *message, uint64_t now_ns);
/* NULL: no memory, or too many. */
struct view_command *view_channel_command(
    struct view_node *node, struct view_channel *channel, const char *name);

/* NULL: no memory, or too many. Moves the others: hold only one. */
struct view_slot *view_slot_get(struct view_node *node, const char *session, uint32_t number);
void view_slot_enter(struct view_slot *slot, const char *state, uint64_t now_ns);
/* Forget all slots that `keep` does not name. */
void view_slots_keep(struct view_node *node,
    bool (*keep)(const struct view_slot *slot, const void *user), const void *user);

void view_node_add_event(
    struct view_node *node, const char *name, const char *text, bool note, uint64_t now_ns);

void view_urls_clear(struct view_urls *urls);
/* False: not kept; then it is marked as truncated. */
bool view_urls_add(struct view_urls *urls, const char *url, bool has_seen, uint64_t seen_s);
void view_network_destroy(struct view_network *network);
void view_bans_clear(struct view_node *node);

/* ---- view_apply.c ---- */

/* The node names this channel. NULL: no memory, or too many. */
struct view_channel *view_apply_listed(
    struct view_node *node, uint32_t id, const char *addr, const char *session, uint64_t now_ns);

/* ---- view_json.c: parts of view_model_json(); NULL: no memory ---- */

json_t *view_node_json(
    const struct view_node *node, size_t messages, size_t events, uint64_t now_ns);
json_t *view_channel_json(const struct view_channel *channel, size_t messages, uint64_t now_ns);
json_t *view_slot_json(const struct view_slot *slot);
json_t *view_network_json(const struct view_network *network);

/* ---- view_describe.c ---- */

/* An event's info as one line for people. */
void view_describe(const char *name, const json_t *info, char *into, size_t size);

#endif
