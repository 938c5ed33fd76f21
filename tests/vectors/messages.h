/* vectors/messages.h - the recorded messages, both ways, as JSON objects.
 *
 * The core ones go through the library's own types; those of applications and extensions are
 * told here as an application would tell them. */
#ifndef TESTS_VECTORS_MESSAGES_H
#define TESTS_VECTORS_MESSAGES_H

#include <hypha/protocol.h>
#include <jansson.h>

struct test_message {
    const struct hypha_message_type *type;
    /* The struct that `type` read, as the record's fields. */
    json_t *(*to_json)(const void *message);
    /* Write those fields by way of `type`. */
    void (*put)(struct hypha_writer *w, const json_t *fields);
};

/* NULL if there is no such command. */
const struct test_message *test_message(const char *command);
/* Read one message; NULL after an error of r. */
json_t *test_message_take(const struct test_message *message, struct hypha_reader *r);

#endif
