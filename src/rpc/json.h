/* rpc/json.h - text becomes a JSON tree.
 *
 * The tree is jansson's, the reading is ours: jansson's lexer goes on past a refused allocation
 * and reads beyond its buffer, and it can't say whether the text or the memory was to blame. */
#ifndef HY_RPC_JSON_H
#define HY_RPC_JSON_H

#include <hypha/err.h>
#include <hypha/wire.h>
#include <jansson.h>

#define HY_RPC_MAX_DEPTH 64

/* Make jansson take its memory from base/alloc.h. Before anything else of it; repeatable. */
void hy_rpc_json_init(void);

/* Parse one JSON value of any kind, with nothing after it but blanks. Nesting to
 * HY_RPC_MAX_DEPTH, no key twice, no zero in a key, integers of 64 bits, UTF-8 only.
 *  ret_value  the caller's; untouched on error
 * Errors: MALFORMED; NOMEM, which says nothing about the text. */
enum hypha_err hy_rpc_json_parse(struct hypha_span text, json_t **ret_value);

#endif
