/* map_test.c - tables find what was put in, and a refused allocation loses nothing. */
#include "base/map.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

struct item {
    uint32_t key;
    UT_hash_handle hh;
};

#define ITEMS 500

static struct item *find(struct item *table, uint32_t key)
{
    struct item *found;

    HASH_FIND(hh, table, &key, sizeof key, found);
    return found;
}

/* Whether it is in the table now. */
static int add(struct item **table, struct item *item)
{
    item->hh.tbl = NULL;
    HASH_ADD(hh, *table, key, sizeof item->key, item);
    return item->hh.tbl != NULL;
}

static void test_many(void **state)
{
    static struct item items[ITEMS];
    struct item *table = NULL, *it, *next;
    uint32_t seen = 0;

    (void)state;
    for (uint32_t i = 0; i < ITEMS; i++) {
        items[i].key = i * 7919;
        assert_true(add(&table, &items[i]));
    }
    assert_int_equal(HASH_COUNT(table), ITEMS);
    for (uint32_t i = 0; i < ITEMS; i++)
        assert_ptr_equal(find(table, i * 7919), &items[i]);
    assert_null(find(table, 1));
    /* In the order of insertion whatever the hash key: simulations repeat exactly. */
    HASH_ITER (hh, table, it, next) {
        assert_ptr_equal(it, &items[seen++]);
        HASH_DEL(table, it);
    }
    assert_int_equal(seen, ITEMS);
    assert_null(table);
}

/* Fail the nth allocation for every n: what was in stays in, what failed is not in. */
static void test_refused(void **state)
{
    static struct item items[ITEMS];
    size_t refusals = 0;

    (void)state;
    for (size_t n = 0;; n++) {
        struct item *table = NULL;
        uint32_t done = 0, refused;

        hy_alloc_fail_after(n);
        for (; done < ITEMS; done++) {
            items[done].key = done;
            if (!add(&table, &items[done]))
                break;
        }
        refused = done < ITEMS;
        hy_alloc_fail_after(SIZE_MAX);
        assert_int_equal(HASH_COUNT(table), done);
        for (uint32_t i = 0; i < done; i++)
            assert_ptr_equal(find(table, i), &items[i]);
        if (refused) {
            refusals++;
            assert_null(find(table, done));
            assert_true(add(&table, &items[done])); /* and works when there is memory again */
            assert_ptr_equal(find(table, done), &items[done]);
        }
        HASH_CLEAR(hh, table);
        if (!refused)
            break;
    }
    assert_true(refusals >= 3); /* the table, its buckets, a growth */
}

static void test_hash(void **state)
{
    (void)state;
    assert_int_equal(hy_map_hash("abc", 3), hy_map_hash("abc", 3));
    assert_int_not_equal(hy_map_hash("abc", 3), hy_map_hash("abd", 3));
    assert_int_not_equal(hy_map_hash("abc", 3), hy_map_hash("abc", 2));
    assert_int_equal(hy_map_hash(NULL, 0), hy_map_hash("", 0));
}

/* SipHash-2-4 as its authors publish it: key 00 .. 0f, inputs 00 .. */
static void test_keyed_hash(void **state)
{
    uint8_t key[HY_HASH_KEY_BYTES], input[15];

    (void)state;
    for (size_t i = 0; i < sizeof key; i++)
        key[i] = (uint8_t)i;
    for (size_t i = 0; i < sizeof input; i++)
        input[i] = (uint8_t)i;
    assert_true(hy_keyed_hash(key, input, 0) == 0x726fdb47dd0e0e31U);
    assert_true(hy_keyed_hash(key, input, 15) == 0xa129ca6149be45e5U);
    key[3] ^= 1;
    assert_false(hy_keyed_hash(key, input, 15) == 0xa129ca6149be45e5U);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_many),
        cmocka_unit_test(test_refused),
        cmocka_unit_test(test_hash),
        cmocka_unit_test(test_keyed_hash),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
