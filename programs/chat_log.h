/* chat_log.h - what was said to us, in order, within bounds. */
#ifndef CHAT_LOG_H
#define CHAT_LOG_H

#include <hypha/wire.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/queue.h>

#define CHAT_LOG_MAX_MESSAGES 10000U
#define CHAT_LOG_MAX_BYTES    (16U * 1024 * 1024)
#define CHAT_LOG_DUP_MS       2000U
#define CHAT_LOG_BUCKETS      4096U

struct chat_entry {
    uint64_t seq;     /* 0, 1, 2, ... since the start */
    uint64_t time_ms; /* UNIX */
    uint32_t channel_id;
    bool dup;   /* the same text from the same host within two seconds on another channel */
    char *from; /* its announced address, else the one seen */
    char *host;
    char *text; /* UTF-8, may contain zero bytes */
    size_t text_len;
    TAILQ_ENTRY(chat_entry) entry;
    bool has_other; /* it came on another channel before, last at other_ms */
    uint64_t other_ms;
    bool is_last; /* of its host and text: in a bucket */
    LIST_ENTRY(chat_entry) bucket;
};
TAILQ_HEAD(chat_entry_list, chat_entry);
LIST_HEAD(chat_bucket, chat_entry);

/* Zeroed and initialised: empty. */
struct chat_log {
    struct chat_entry_list entries; /* oldest first */
    size_t count, bytes;
    uint64_t next_seq;
    struct chat_bucket buckets[CHAT_LOG_BUCKETS]; /* by host and text */
};

void chat_log_init(struct chat_log *log);
void chat_log_fini(struct chat_log *log);
/* Keep it; the oldest make room. NULL: no memory, or longer than the whole log may be. */
const struct chat_entry *chat_log_add(struct chat_log *log, uint64_t time_ms, uint32_t channel_id,
    const char *from, const char *host, struct hypha_span text);
/* The first one with this number or a later one; NULL: none. */
const struct chat_entry *chat_log_since(const struct chat_log *log, uint64_t seq);

#endif
