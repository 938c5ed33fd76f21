/* base/map.h - hash tables (uthash) that a peer cannot flood.
 *
 * Keys are hashed with SipHash under a key drawn once per process; a failed allocation is
 * reported (uthash: the element's hh.tbl stays NULL), never fatal. Include this, not uthash.h. */
#ifndef HY_BASE_MAP_H
#define HY_BASE_MAP_H

#include <stddef.h>
#include <stdint.h>

uint32_t hy_map_hash(const void *key, size_t len);

/* SipHash under a key of the caller's own: for an order, or cells, that nobody outside can know. */
#define HY_HASH_KEY_BYTES 16
uint64_t hy_keyed_hash(const uint8_t key[HY_HASH_KEY_BYTES], const void *data, size_t len);

#include "base/alloc.h"

#define HASH_FUNCTION(keyptr, keylen, hashv) ((hashv) = hy_map_hash((keyptr), (keylen)))
#define HASH_NONFATAL_OOM                    1
#define uthash_malloc(size)                  hy_alloc(size)
#define uthash_free(block, size)             hy_free(block)
#include <uthash.h>

#endif
