/* vectors/values.h - the primitive encodings of wire.md 1, both ways, as JSON values. */
#ifndef TESTS_VECTORS_VALUES_H
#define TESTS_VECTORS_VALUES_H

#include <hypha/wire.h>
#include <jansson.h>

struct test_value_kind {
    const char *name;
    json_t *(*take)(struct hypha_reader *r); /* a new value; any after an error of r */
    void (*put)(struct hypha_writer *w, const json_t *value);
};

/* NULL if there is no such kind. */
const struct test_value_kind *test_value_kind(const char *name);

#endif
