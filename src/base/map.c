/* base/map.c - the keyed hash behind every table. */
#include "base/map.h"

#include <pthread.h>
#include <sodium.h>

static unsigned char map_key[crypto_shorthash_KEYBYTES];
static pthread_once_t map_once = PTHREAD_ONCE_INIT;

static void draw_key(void)
{
    if (sodium_init() >= 0)
        randombytes_buf(map_key, sizeof map_key);
}

uint32_t hy_map_hash(const void *key, size_t len)
{
    unsigned char hash[crypto_shorthash_BYTES];

    (void)pthread_once(&map_once, draw_key);
    (void)crypto_shorthash(hash, key, len, map_key);
    return (uint32_t)hash[0] | (uint32_t)hash[1] << 8 | (uint32_t)hash[2] << 16 |
        (uint32_t)hash[3] << 24;
}

uint64_t hy_keyed_hash(const uint8_t key[HY_HASH_KEY_BYTES], const void *data, size_t len)
{
    unsigned char hash[crypto_shorthash_BYTES];
    uint64_t number = 0;

    _Static_assert(HY_HASH_KEY_BYTES == crypto_shorthash_KEYBYTES, "SipHash's key");
    (void)crypto_shorthash(hash, data, len, key);
    for (size_t i = sizeof hash; i-- > 0;)
        number = number << 8 | hash[i];
    return number;
}
