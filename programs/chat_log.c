#include "chat_log.h"

#include <stdlib.h>
#include <string.h>

void chat_log_init(struct chat_log *log)
{
    *log = (struct chat_log){ 0 };
    TAILQ_INIT(&log->entries);
}

static size_t entry_bytes(const struct chat_entry *entry)
{
    return sizeof *entry + strlen(entry->from) + strlen(entry->host) + entry->text_len + 3;
}

static void entry_destroy(struct chat_entry *entry)
{
    if (entry == NULL)
        return;
    free(entry->from);
    free(entry->host);
    free(entry->text);
    free(entry);
}

static void drop_oldest(struct chat_log *log)
{
    struct chat_entry *oldest = TAILQ_FIRST(&log->entries);

    TAILQ_REMOVE(&log->entries, oldest, entry);
    if (oldest->is_last)
        LIST_REMOVE(oldest, bucket);
    log->count--;
    log->bytes -= entry_bytes(oldest);
    entry_destroy(oldest);
}

void chat_log_fini(struct chat_log *log)
{
    while (log->count > 0)
        drop_oldest(log);
}

/* ---- said before? A peer that floods us must not make us search for long. ---- */

#define HASHED_BYTES 256U
#define MAX_LOOKS    32

static uint32_t hash_bytes(uint32_t hash, const char *bytes, size_t len)
{
    for (size_t i = 0; i < len; i++)
        hash = (hash ^ (uint8_t)bytes[i]) * 0x01000193U;
    return hash;
}

static struct chat_bucket *bucket_of(struct chat_log *log, const struct chat_entry *entry)
{
    size_t len = entry->text_len < HASHED_BYTES ? entry->text_len : HASHED_BYTES;
    uint32_t hash = hash_bytes((uint32_t)entry->text_len, entry->host, strlen(entry->host));

    hash = hash_bytes(hash, entry->text, len);
    return &log->buckets[(hash ^ (hash >> 16)) % CHAT_LOG_BUCKETS];
}

/* The last one of this host and text. Who makes texts that share a bucket only hides his own
 * repetitions. */
static struct chat_entry *find_last(
    const struct chat_bucket *bucket, const struct chat_entry *entry)
{
    struct chat_entry *before;
    int looks = 0;

    LIST_FOREACH (before, bucket, bucket) {
        if (++looks > MAX_LOOKS)
            return NULL;
        if (before->text_len == entry->text_len &&
            memcmp(before->text, entry->text, entry->text_len) == 0 &&
            strcmp(before->host, entry->host) == 0)
            return before;
    }
    return NULL;
}

static void judge_repetition(struct chat_log *log, struct chat_entry *entry)
{
    struct chat_bucket *bucket = bucket_of(log, entry);
    struct chat_entry *before = find_last(bucket, entry);

    if (before != NULL) {
        bool other = before->channel_id != entry->channel_id;

        entry->has_other = other || before->has_other;
        entry->other_ms = other ? before->time_ms : before->other_ms;
        LIST_REMOVE(before, bucket);
        before->is_last = false;
    }
    LIST_INSERT_HEAD(bucket, entry, bucket);
    entry->is_last = true;
    entry->dup = entry->has_other && entry->other_ms + CHAT_LOG_DUP_MS >= entry->time_ms;
}

/* ---- the log ---- */

const struct chat_entry *chat_log_add(struct chat_log *log, uint64_t time_ms, uint32_t channel_id,
    const char *from, const char *host, struct hypha_span text)
{
    struct chat_entry *entry = calloc(1, sizeof *entry);

    if (entry == NULL)
        return NULL;
    *entry = (struct chat_entry){ .time_ms = time_ms, .channel_id = channel_id };
    entry->from = strdup(from);
    entry->host = strdup(host);
    entry->text = malloc(text.len + 1);
    entry->text_len = text.len;
    if (entry->from == NULL || entry->host == NULL || entry->text == NULL)
        goto fail;
    if (text.len > 0)
        memcpy(entry->text, text.at, text.len);
    entry->text[text.len] = '\0';
    size_t bytes = entry_bytes(entry);
    if (bytes > CHAT_LOG_MAX_BYTES)
        goto fail;
    while (log->count > 0 &&
        (log->count >= CHAT_LOG_MAX_MESSAGES || log->bytes + bytes > CHAT_LOG_MAX_BYTES))
        drop_oldest(log);
    judge_repetition(log, entry);
    entry->seq = log->next_seq++;
    TAILQ_INSERT_TAIL(&log->entries, entry, entry);
    log->count++;
    log->bytes += bytes;
    return entry;
fail:
    entry_destroy(entry);
    return NULL;
}

const struct chat_entry *chat_log_since(const struct chat_log *log, uint64_t seq)
{
    const struct chat_entry *found = NULL, *entry;

    /* From the back: what is asked for is nearly always new. */
    TAILQ_FOREACH_REVERSE (entry, &log->entries, chat_entry_list, entry) {
        if (entry->seq < seq)
            break;
        found = entry;
    }
    return found;
}
