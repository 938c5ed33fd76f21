/* vectors/bytes.h - hexadecimal text, and bytes that tests keep. */
#ifndef TESTS_VECTORS_BYTES_H
#define TESTS_VECTORS_BYTES_H

#include <hypha/wire.h>

/* Append the bytes of a hexadecimal text; fails with MALFORMED if it is none. */
void test_put_hex(struct hypha_writer *w, const char *hex);
/* The whole file of the recorded data, such as "wire.json"; ended by a zero. NULL: unreadable.
 * Free with free(). */
char *test_read_data(const char *name);
/* Fail the running test, naming `what`, unless the bytes are equal. */
void test_assert_bytes(const char *what, struct hypha_span got, struct hypha_span wanted);

#endif
