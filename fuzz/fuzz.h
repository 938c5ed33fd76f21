/* fuzz.h - what each fuzz target includes.
 *
 * A target is one file NAME_fuzz.c with LLVMFuzzerTestOneInput(), built twice: with libFuzzer
 * (-DHYPHA_FUZZ=ON, clang) to search, and with replay.c as a test over corpus/NAME. */
#ifndef FUZZ_FUZZ_H
#define FUZZ_FUZZ_H

#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* A property that must hold for every input; not an assert, so that it is never compiled out. */
#define FUZZ_CHECK(condition)                                                                      \
    do {                                                                                           \
        if (!(condition)) {                                                                        \
            (void)fprintf(stderr, "%s:%d: not so: %s\n", __FILE__, __LINE__, #condition);          \
            abort();                                                                               \
        }                                                                                          \
    } while (0)

#endif
