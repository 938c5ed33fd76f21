/* vectors/json.h - the recorded values as JSON, with numbers up to 64 bits unsigned.
 *
 * JSON libraries stop at 2^63: larger integers are made texts of digits when a file is read,
 * and test_json_u64() makes the same of a value, so that both compare equal. */
#ifndef TESTS_VECTORS_JSON_H
#define TESTS_VECTORS_JSON_H

#include <hypha/wire.h>
#include <jansson.h>

/* A value of one JSON text; NULL if it is none. */
json_t *test_json_parse(const char *text, size_t len);
/* Of one file of data/. NULL: unreadable. */
json_t *test_json_load(const char *name);
json_t *test_json_u64(uint64_t value);
/* 0 also for what is no number. */
uint64_t test_json_to_u64(const json_t *value);
json_t *test_json_span(struct hypha_span text);
struct hypha_span test_json_to_span(const json_t *value);
/* A member as text; NULL if it is null or missing. */
const char *test_json_text(const json_t *object, const char *key);

#endif
