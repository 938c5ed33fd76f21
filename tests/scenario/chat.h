/* chat.h - the smallest application: a line of text, told to whoever counts. */
#ifndef HY_TESTS_SCENARIO_CHAT_H
#define HY_TESTS_SCENARIO_CHAT_H

#include <hypha/hypha.h>

struct chat_line {
    struct hypha_span text;
};

/* The `app` of the protocol. */
struct chat {
    size_t heard; /* lines */
    size_t open;  /* channels that have started and not stopped */
    size_t started, stopped;
    char last[64];
};

extern const struct hypha_message_type chat_line;
extern const struct hypha_protocol chat_protocol;

/* To all peers; returns how many took it. */
size_t chat_say(struct hypha_p2p *p2p, const char *text);

#endif
