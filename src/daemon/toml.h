/* daemon/toml.h - a TOML document as a tree of C structs that know where they stood.
 *
 * The only door to the C++ library behind it (toml.cpp). */
#ifndef HY_DAEMON_TOML_H
#define HY_DAEMON_TOML_H

#include <hypha/err.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

enum hy_toml_kind {
    HY_TOML_TABLE,
    HY_TOML_ARRAY,
    HY_TOML_STRING,
    HY_TOML_INTEGER,
    HY_TOML_FLOAT,
    HY_TOML_BOOLEAN,
    HY_TOML_TIME, /* a date, a time or both: of no use here */
};

struct hy_toml_node {
    enum hy_toml_kind kind;
    char *key;             /* NULL in an array and at the root */
    unsigned line, column; /* of the key, else of the value; from 1 */
    unsigned value_line, value_column;
    char *text; /* STRING: UTF-8 without zero bytes */
    int64_t integer;
    double real;
    bool boolean;
    struct hy_toml_node *children; /* TABLE (in the order of the file), ARRAY */
    size_t count;
};

struct hy_toml_problem {
    unsigned line, column;
    char text[200];
};

/* ret_root: hy_toml_destroy() it. Errors: NOMEM; MALFORMED, `problem` says where and why. */
enum hypha_err hy_toml_parse(const char *text, size_t len, struct hy_toml_node **ret_root,
    struct hy_toml_problem *ret_problem);
void hy_toml_destroy(struct hy_toml_node *root);

/* "a string", "an integer"...; static. */
const char *hy_toml_kind_name(enum hy_toml_kind kind);

#ifdef __cplusplus
}
#endif

#endif
